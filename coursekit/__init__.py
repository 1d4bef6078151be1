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
    "setup": "session",
    "scale": "session",
    "precision": "session",
    "quiet": "session",
    "progress": "session",
    "claim": "claims",
    "recorded": "records",
    "check": "exercises",
    "grade": "exercises",
    "load": "datasets",
}
_MODULES = (
    "claims",
    "compression",
    "datasets",
    "errors",
    "exercises",
    "layers",
    "litert",
    "optimizers",
    "paths",
    "plots",
    "quantization",
    "records",
    "regularization",
    "session",
    "sparsity",
    "vision",
)

__all__ = ["__version__", *_HOME_OF, *_MODULES]


def __getattr__(name):
    if name in _HOME_OF:
        value = getattr(import_module(f"coursekit.{_HOME_OF[name]}"), name)
    elif name in _MODULES:
        value = import_module(f"coursekit.{name}")
    else:
        raise AttributeError(f"coursekit has no {name!r}; it has {', '.join(sorted(__all__))}")
    globals()[name] = value
    return value


def __dir__():
    return sorted(__all__)
