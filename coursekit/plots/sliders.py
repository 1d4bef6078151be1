"""A slider that redraws a figure, where somebody is there to move it. Born in notebook 03."""

import inspect
import os
from importlib.util import find_spec


def slider(draw, low, high, step):
    """A slider from `low` to `high` that calls `draw(value)`, a plain function of one number that draws a figure.

    It starts in the middle. Needs ipywidgets and a running kernel. Where there is no ipywidgets, or nobody watches
    (COURSEKIT_PROGRESS=off, as in tests and for stored notebooks, which can't keep a slider), it prints what to do
    instead and draws nothing: so draw a still figure in a cell of its own as well.
    Raises ValueError if the range is empty.
    """
    if not low < high or not 0 < step <= high - low:
        raise ValueError(f"low {low}, high {high} and step {step} leave nothing to slide over")
    (name,) = inspect.signature(draw).parameters
    instead = f"{draw.__name__}({name}) for any {name} from {low:g} to {high:g}"
    if os.environ.get("COURSEKIT_PROGRESS", "").lower() == "off":
        print(f"Run this cell yourself to get a slider. It calls {instead}.")
        return
    if find_spec("ipywidgets") is None:
        print(f"The slider needs ipywidgets (`pip install ipywidgets`). Without it, call {instead}.")
        return
    from IPython.display import display
    from ipywidgets import FloatSlider, interactive_output

    start = low + step * round((high - low) / 2 / step)
    handle = FloatSlider(
        start, min=low, max=high, step=step, description=name.replace("_", " "), readout_format=".3g",
        continuous_update=False, style={"description_width": "initial"}, layout={"width": "480px"},
    )  # fmt: skip
    display(handle, interactive_output(draw, {name: handle}))
