"""Weights of small networks that the course ships: lists of arrays in a file, with half their digits.

Born in notebook 08.
"""

import io

import numpy as np

from coursekit.paths import write_whole


def save_weights(file, weights):
    """Keep a list of arrays, in their order, as float16 in an .npz file."""
    halves = {f"w{i:02d}": np.asarray(one).astype("float16") for i, one in enumerate(weights)}
    content = io.BytesIO()
    np.savez_compressed(content, **halves)
    write_whole(file, content.getvalue())


def load_weights(file):
    """The list of arrays that `save_weights` kept, as float32. Nothing is unpickled."""
    with np.load(file, allow_pickle=False) as stored:
        return [stored[name].astype("float32") for name in sorted(stored.files)]
