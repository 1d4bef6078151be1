"""Functions that draw one thing each and say in words what they drew.

Each shows its figure and prints a caption made from the data drawn, for readers who can't see it and for tests; none
returns anything. `style.py` holds the colours, which are safe for colour-blind readers.
"""

from importlib import import_module

_HOME_OF = {
    "activations": "learning",
    "bands": "transfer",
    "broadcasting": "stretching",
    "calibration": "learning",
    "centroids": "clustering",
    "clusters": "clustering",
    "computation_graph": "descent",
    "confusion": "learning",
    "course_map": "course",
    "curves": "lines",
    "effects": "clustering",
    "ends": "descent",
    "file_sizes": "pruning",
    "fits": "points",
    "heat": "pictures",
    "history": "learning",
    "images": "tensors",
    "index_shares": "clustering",
    "jacobian": "descent",
    "layer_graph": "graphs",
    "likeness": "tensors",
    "masks": "pictures",
    "methods": "regularization",
    "panels": "regularization",
    "paths": "descent",
    "penalties_and_loss": "regularization",
    "points_and_curves": "regularization",
    "predicted": "learning",
    "prediction": "learning",
    "quantizer": "pruning",
    "reduction": "tensors",
    "refits": "regularization",
    "regions": "learning",
    "reshape_and_transpose": "tensors",
    "roc": "learning",
    "rounding_errors": "pruning",
    "series": "tensors",
    "shapes": "tensors",
    "sharing": "tensors",
    "sizes": "compressed",
    "slider": "sliders",
    "slope": "descent",
    "table": "tensors",
    "times": "pruning",
    "trade_off": "clustering",
    "waterfall": "compressed",
    "weight_histograms": "pruning",
    "weight_paths": "regularization",
    "weights_at": "regularization",
    "weights_before_and_after": "clustering",
}  # name of a function: the module that holds it

__all__ = sorted(_HOME_OF)


def __getattr__(name):
    if name not in _HOME_OF:
        raise AttributeError(f"coursekit.plots has no {name!r}; it has {', '.join(__all__)}")
    value = getattr(import_module(f"coursekit.plots.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value
