"""Models drawn: which layer feeds which. Born in notebook 06, Keras models.

`keras.utils.plot_model` draws the same and more, and needs the package pydot and the program Graphviz; this needs
neither. It reads the graph where Keras keeps it, in the model's config.
"""

from coursekit.plots.style import COLORS, GRAY, figure, finish


def layer_graph(model, *, title=""):
    """Draw the layers of a Keras model from its inputs (top) to its outputs (bottom), with parameters and shapes.

    model: a functional or Sequential model whose input shape is known. A layer that is used several times is one box.
    Raises ValueError for a subclassed model: its graph is hidden in the code of `call`.
    """
    model = _functional(model)
    calls = graph_of(model)
    layers = {operation.name: operation for operation in model.operations}
    row = {}
    for name, parents in calls.items():
        row[name] = 1 + max((row[parent] for parent in _flat(parents)), default=-1)
    column, widest = _columns(calls, row)
    _, ax = figure(2.45 * max(widest, 1.6), 0.72 * (max(row.values()) + 1) + (0.3 if title else 0.1))
    boxes, outputs = {}, _names(model.get_config()["output_layers"])
    for name, operation in layers.items():
        boxes[name] = _box(ax, column[name], -row[name], _label(operation, calls[name]), name in outputs)
    for name, parents in calls.items():
        for parent in _flat(parents):
            _arrow(ax, boxes[parent], boxes[name], row[name] - row[parent])
    ax.set(xlim=(-widest / 2, widest / 2), ylim=(-max(row.values()) - 0.5, 0.5), title=title)
    ax.axis("off")
    finish(_words(model, calls, title))


def graph_of(model):
    """{name of a layer: for each of its calls, the names of the layers that feed it}, in the order of the config.

    An input has no call. Raises ValueError for a subclassed model, which keeps no graph, and for an unbuilt one.
    """
    return {
        layer["name"]: [_parents(call) for call in layer["inbound_nodes"]]
        for layer in _functional(model).get_config()["layers"]
    }


def _functional(model):
    """The model, or for a Sequential the functional model of the same layers."""
    import keras

    if getattr(model, "operations", None):
        return model
    try:
        return keras.Model(model.inputs, model.outputs)
    except AttributeError:  # Keras knows no symbolic inputs and outputs
        raise ValueError(
            "this model keeps no graph of layers: build it as a functional model, or as a Sequential that starts with "
            "keras.Input. What a subclassed model does stands in the code of its call method only"
        ) from None


def _parents(call):
    """The names of the layers whose outputs stand among the arguments of one recorded call, in order, each once."""
    found = []
    parts = [call.get("args", ()), call.get("kwargs", {})]
    while parts:
        part = parts.pop(0)
        if isinstance(part, dict) and part.get("class_name") == "__keras_tensor__":
            found.append(part["config"]["keras_history"][0])
        elif isinstance(part, dict):
            parts = [*part.values(), *parts]
        elif isinstance(part, list | tuple):
            parts = [*part, *parts]
    return list(dict.fromkeys(found))


def _flat(calls):
    return list(dict.fromkeys(parent for parents in calls for parent in parents))


def _names(ends):
    """The names of the layers at a model's inputs or outputs; the config has [name, call, output] for each of them.

    Those that have names come in the order of their names, as in `model.outputs`.
    """
    if isinstance(ends, dict):
        return _names([ends[name] for name in sorted(ends)])
    if ends and isinstance(ends[0], str):
        return [ends[0]]
    return [name for end in ends for name in _names(end)]


def _columns(calls, row):
    """Where each layer stands across its row: in the middle of what feeds it, and apart from its neighbors."""
    column, widest = {}, 1
    for number in range(max(row.values()) + 1):
        names = [name for name in calls if row[name] == number]
        middle = {}
        for name in names:
            places = [column[parent] for parent in _flat(calls[name])]
            middle[name] = sum(places) / len(places) if places else 0.0
        names.sort(key=lambda name: middle[name])  # the sort is stable: inputs keep their order
        center = sum(middle.values()) / len(names)
        for i, name in enumerate(names):
            column[name] = center + i - (len(names) - 1) / 2
        widest = max(widest, *(2 * abs(column[name]) + 1 for name in names))
    return column, widest


def _label(operation, calls):
    times = f", used {_times(calls)}" if len(calls) > 1 else ""
    parameters = operation.count_params() if hasattr(operation, "count_params") else 0
    size = f", {_parameters(parameters)}" if parameters else ""
    return f"{operation.name}{times}\n{type(operation).__name__}{size} → {_shape(operation)}"


def _times(calls):
    return "twice" if len(calls) == 2 else f"{len(calls)} times"


def _parameters(count):
    return "1 parameter" if count == 1 else f"{count:,} parameters"


def _shape(operation):
    outputs = operation.output if isinstance(operation.output, list | tuple) else [operation.output]
    return ", ".join(f"({', '.join('?' if size is None else str(size) for size in one.shape[1:])})" for one in outputs)


def _box(ax, x, y, label, is_output):
    kind = {"facecolor": "white", "edgecolor": GRAY} if "InputLayer" in label else {"facecolor": "#f2f2f2"}
    edge = {"edgecolor": COLORS[5], "linewidth": 2} if is_output else {"edgecolor": COLORS[0]}
    box = {"boxstyle": "round,pad=0.35"} | edge | kind
    return ax.text(x, y, label, ha="center", va="center", fontsize=8, bbox=box)


def _arrow(ax, start, end, rows):
    """An arrow down; one that passes over rows in its own column bends to the side, around the boxes between.

    It is drawn after the boxes, for it asks them where they end.
    """
    (x0, y0), (x1, y1) = start.get_position(), end.get_position()
    ends = {"patchA": start.get_bbox_patch(), "patchB": end.get_bbox_patch()}
    bend = {"connectionstyle": "arc3,rad=-1.3"} if rows > 1 and abs(x0 - x1) < 0.3 else {}
    style = {"arrowstyle": "-|>", "color": COLORS[2] if bend else "black", "shrinkA": 1, "shrinkB": 1}
    ax.annotate("", (x1, y1), (x0, y0), arrowprops=style | ends | bend)


def _words(model, calls, title):
    shared = [f"{name} is used {_times(of)}" for name, of in calls.items() if len(of) > 1]
    config = model.get_config()
    inputs, outputs = (_names(config[ends]) for ends in ("input_layers", "output_layers"))
    words = [
        f"{len(calls)} layers, {_parameters(model.count_params())}",
        f"from the input{'s' * (len(inputs) > 1)} {', '.join(inputs)} at the top to the "
        f"output{'s' * (len(outputs) > 1)} {', '.join(outputs)} at the bottom",
        *shared,
    ]
    return f"{title + ': ' if title else ''}{'; '.join(words)}."
