"""Pruning and weight clustering for Keras 3 models, and files that are really small. Taught in notebooks 18 and 19.

    from coursekit import compression

    clustered = compression.cluster_weights(model, number_of_clusters=16, cluster_centroids_init="KMEANS_PLUS_PLUS")
    clustered.compile(...)                                # the original is not touched
    clustered.fit(...)                                    # centroids and assignments are trained
    plain = compression.strip_clustering(clustered)       # the same layers as before, few values in each
    compression.save_compressed(plain, "model.small")

The argument names are those of tensorflow-model-optimization, which takes Keras 2 models only. Everything here runs on
the TensorFlow, JAX and PyTorch backends. Importing this module imports Keras and tells it of the classes that are in a
clustered or pruned model, so that keras.models.load_model knows them.
"""

from importlib import import_module

_HOME_OF = {
    "CentroidInitialization": "centroids",
    "ConstantSparsity": "pruning",
    "CountBytes": "entropy",
    "PolynomialDecay": "pruning",
    "UpdatePruningStep": "pruning",
    "cluster_by_sensitivity": "importance",
    "cluster_in_groups": "groups",
    "cluster_in_vectors": "vectors",
    "cluster_scope": "clustering",
    "cluster_weights": "clustering",
    "estimate_size": "estimates",
    "load_compressed": "file",
    "penalize_entropy": "entropy",
    "plan": "planning",
    "prune_low_magnitude": "pruning",
    "prune_scope": "pruning",
    "save_compressed": "file",
    "sensitivity": "estimates",
    "size_report": "reports",
    "strip_clustering": "clustering",
    "strip_entropy": "entropy",
    "strip_pruning": "pruning",
}  # name of a class or function: the module that holds it

__all__ = sorted(_HOME_OF)


def __getattr__(name):
    if name not in _HOME_OF:
        raise AttributeError(f"coursekit.compression has no {name!r}; it has {', '.join(__all__)}")
    value = getattr(import_module(f"coursekit.compression.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__():
    return __all__


import_module("coursekit.compression.clustering")
import_module("coursekit.compression.entropy")
import_module("coursekit.compression.groups")
import_module("coursekit.compression.pruning")
import_module("coursekit.compression.vectors")
