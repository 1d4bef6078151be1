"""The reference network in Keras 2, for tensorflow-model-optimization (tfmot): pruned, clustered, quantized, and its
files. Notebook 19. TensorFlow is imported when a function is called.

Born in notebook 19.
"""

import importlib
import importlib.util
import tempfile
import warnings
import zlib
from pathlib import Path

import numpy as np

from coursekit.compression import litert
from coursekit.console import quiet
from coursekit.errors import CoursekitError
from coursekit.experiments.common import fit, logits_of, reference_network

INITIALIZATIONS = ("LINEAR", "RANDOM", "DENSITY_BASED", "KMEANS_PLUS_PLUS")
_COLLAB = "tensorflow_model_optimization.python.core.quantization.keras.collab_opts"


def _apis():
    """(tf_keras, tfmot), without what they say when they are imported."""
    with quiet():
        import tensorflow as tf
        import tensorflow_model_optimization as tfmot
        import tf_keras
        from absl import logging
    tf.get_logger().setLevel("ERROR")
    logging.set_verbosity("error")
    return tf_keras, tfmot


def check():
    """Refuse to begin where a package is missing. Raises CoursekitError."""
    for name in ("tensorflow", "tf_keras", "tensorflow_model_optimization"):
        if importlib.util.find_spec(name) is None:
            raise CoursekitError(f"this experiment needs the package {name.replace('_', '-')}: make env")


def twin(weights):
    """The reference network in Keras 2 with these eight arrays; its layers have the names of a new session."""
    tf_keras, _ = _apis()
    tf_keras.backend.reset_uids()  # so that a file is as long the tenth time as the first
    model = reference_network(tf_keras)
    model.set_weights(weights)
    return model


def zipped(content):
    """How many bytes are left after the method that zip files use (deflate)."""
    return len(zlib.compress(content, 9))


def h5_sizes(weights):
    """{"h5", "h5_zipped"}: bytes of the Keras 2 model's .h5 file without an optimizer, plain and zipped."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(action="ignore"):  # that .h5 is an old format
        file = Path(folder) / "model.h5"
        twin(weights).save(str(file), include_optimizer=False)
        content = file.read_bytes()
    return {"h5": len(content), "h5_zipped": zipped(content)}


def clustered(weights, train, seed, values, epochs, rate, init="LINEAR", keep_zeros=False, x_test=None):
    """Through cluster_weights, training and strip_clustering: eight arrays.

    With x_test, also the logits that the model that was *given* has for these images after the training: it shares its
    layers with the wrapped one, so it is neither what it was nor clustered.
    """
    tf_keras, tfmot = _apis()
    toolkit = tfmot.clustering.keras
    tf_keras.utils.set_random_seed(seed)
    given = twin(weights)
    if x_test is not None:
        logits_of(given, x_test)  # as in the article: what is compiled here goes on using the variables it has now
    settings = {"preserve_sparsity": True} if keep_zeros else {}
    wrapped = toolkit.cluster_weights(given, values, toolkit.CentroidInitialization[init], **settings)
    fit(tf_keras, wrapped, train, epochs, rate)
    afterwards = [] if x_test is None else [logits_of(given, x_test)]
    return toolkit.strip_clustering(wrapped).get_weights() + afterwards


def pruned(weights, train, seed, sparsity, epochs, rate):
    """Through prune_low_magnitude, with the first step and in every layer alike, training and strip_pruning."""
    tf_keras, tfmot = _apis()
    toolkit = tfmot.sparsity.keras
    tf_keras.utils.set_random_seed(seed)
    schedule = toolkit.ConstantSparsity(sparsity, begin_step=1, end_step=1, frequency=1)  # steps count from 1
    wrapped = toolkit.prune_low_magnitude(twin(weights), schedule)
    fit(tf_keras, wrapped, train, epochs, rate, [toolkit.UpdatePruningStep()])
    return toolkit.strip_pruning(wrapped).get_weights()


def quantized(weights, train, seed, epochs, rate):
    """Quantization-aware training that keeps clusters and zeros, and the LiteRT file made of it: bytes.

    The scheme is Default8BitClusterPreserveQuantizeScheme(preserve_sparsity=True).
    """
    tf_keras, tfmot = _apis()
    tf_keras.utils.set_random_seed(seed)
    scheme = tfmot.experimental.combine.Default8BitClusterPreserveQuantizeScheme(preserve_sparsity=True)
    with quiet():
        annotated = tfmot.quantization.keras.quantize_annotate_model(twin(weights))
        wrapped = tfmot.quantization.keras.quantize_apply(annotated, scheme)
    fit(tf_keras, wrapped, train, epochs, rate)
    utils = importlib.import_module(f"{_COLLAB}.cluster_preserve.cluster_utils")  # not public, but its guide uses it
    return litert.convert(utils.strip_clustering_cqat(wrapped), "dynamic")


def lite_logits(content, x):
    """What a LiteRT file's network says of images (n, 28, 28, 1): (n, 10)."""
    return np.concatenate([litert.run(content, part) for part in np.array_split(x, -(-len(x) // 1000))])
