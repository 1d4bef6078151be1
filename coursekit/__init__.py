"""coursekit: what the course's notebooks import.

    import coursekit as ck
    from coursekit import check, claim, load, scale

    rng = ck.setup("01_tensors")

The names below are all that most notebooks need. Each is loaded when it is first used, so that importing coursekit
costs next to nothing and imports no framework and no NumPy.
"""

from importlib import import_module

__version__ = "0.1.0"

_HOME_OF = {
    # what a notebook calls
    "setup": "session:setup",
    "scale": "session:scale",
    "precision": "session:precision",
    "quiet": "console:quiet",
    "progress": "console:progress",
    "claim": "claims:claim",
    "recorded": "records:recorded",
    "check": "exercises:check",
    "grade": "exercises:grade",
    "load": "datasets:load",
    # the parts of the package
    "arrays": "arrays",
    "audio": "audio",
    "claims": "claims",
    "compression": "compression",
    "console": "console",
    "datasets": "datasets",
    "errors": "errors",
    "exercises": "exercises",
    "experiments": "experiments",
    "forecasting": "forecasting",
    "layers": "layers",
    "models": "models",
    "paths": "paths",
    "plots": "plots",
    "processes": "processes",
    "records": "records",
    "serving": "serving",
    "session": "session",
    "statistics": "statistics",
    "text": "text",
    "training": "training",
    "unsupervised": "unsupervised",
    "vision": "vision",
    # parts of parts, for those who look for the subject and not for its shelf
    "litert": "compression.litert",
    "optimizers": "training.optimizers",
    "quantization": "compression.quantization",
    "regularization": "training.regularization",
    "sparsity": "compression.sparsity",
    "transfer": "models.transfer",
}  # a name: its module, and after a colon the function in it

__all__ = ["__version__", *_HOME_OF]


def __getattr__(name):
    if name not in _HOME_OF:
        raise AttributeError(f"coursekit has no {name!r}; it has {', '.join(sorted(__all__))}")
    module, _, function = _HOME_OF[name].partition(":")
    value = import_module(f"coursekit.{module}")
    value = getattr(value, function) if function else value
    globals()[name] = value
    return value


def __dir__():
    return sorted(__all__)
