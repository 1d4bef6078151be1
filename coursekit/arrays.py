"""What a student or a notebook hands in, as a NumPy array: a list, an array, or any backend's tensor.

Born in notebook 00.
"""


def as_array(answer):
    """A NumPy array from what a student may hand in: a list, an array, or any backend's tensor."""
    import numpy as np

    if hasattr(answer, "detach"):  # a PyTorch tensor that may carry a gradient or live on a GPU
        answer = answer.detach().cpu()
    return np.asarray(answer)
