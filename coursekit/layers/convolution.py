"""Convolution, pooling, transposed convolution and batch normalization in NumPy. Born in notebook 07.

Images are channels last, (n, height, width, channels), and kernels are laid out as in Keras. What deep learning calls a
convolution is a cross-correlation: the kernel is not flipped.
"""

import numpy as np


def convolve(x, kernel, bias=None, *, stride=1, padding="valid"):
    """Slide a kernel over images: (n, height, width, c_in) to (n, rows, columns, c_out), as keras.ops.conv does.

    kernel: (k_h, k_w, c_in, c_out); bias: (c_out,) or None; padding: "valid" (none) or "same" (zeros, so that stride 1
    keeps the size).
    Raises ValueError if the shapes do not fit, or for another padding.
    """
    x, kernel = _checked(x, kernel, 2)
    size = kernel.shape[:2]
    if padding == "same":
        edges = [same_padding(x.shape[i + 1], size[i], stride) for i in range(2)]
        x = np.pad(x, [(0, 0), *edges, (0, 0)])
    elif padding != "valid":
        raise ValueError(f'padding is {padding!r}; it can be "valid" or "same"')
    if any(x.shape[i + 1] < size[i] for i in range(2)):
        raise ValueError(f"a kernel of {size[0]} × {size[1]} does not fit into {x.shape[1]} × {x.shape[2]} pixels")
    windows = np.lib.stride_tricks.sliding_window_view(x, size, axis=(1, 2))  # (n, rows, columns, c_in, k_h, k_w)
    out = np.einsum("nijcab,abcd->nijd", windows[:, ::stride, ::stride], kernel, optimize=True)
    return out if bias is None else out + bias


def same_padding(size, kernel, stride=1):
    """How many zeros padding "same" puts (before, after) an axis, so that ceil(size / stride) places come out."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2  # the odd zero goes to the end, as in TensorFlow


def transposed_convolve(x, kernel, *, stride=1, padding="valid"):
    """A transposed convolution: zeros inserted, then a convolution with the flipped kernel, then the edges cut.

    x: (n, height, width, c_in); kernel: (k_h, k_w, c_out, c_in), the layout of Keras's Conv2DTranspose.
    Returns (n, rows, columns, c_out), with stride · height rows for "same" and
    stride · height + max(k_h − stride, 0) for "valid".
    Dumoulin and Visin (2016), "A guide to convolution arithmetic for deep learning", chapter 4.
    """
    x, kernel = _checked(x, kernel, 3)
    if padding not in ("valid", "same"):
        raise ValueError(f'padding is {padding!r}; it can be "valid" or "same"')
    n, height, width, channels = x.shape
    spread = np.zeros((n, (height - 1) * stride + 1, (width - 1) * stride + 1, channels), x.dtype)
    spread[:, ::stride, ::stride] = x
    edges = [(size - 1, max(size, stride) - 1) for size in kernel.shape[:2]]
    flipped = kernel[::-1, ::-1].transpose(0, 1, 3, 2)  # (k_h, k_w, c_in, c_out)
    whole = convolve(np.pad(spread, [(0, 0), *edges, (0, 0)]), flipped)
    if padding == "valid":
        return whole
    top, left = (max(size - stride, 0) // 2 for size in kernel.shape[:2])
    return whole[:, top : top + stride * height, left : left + stride * width]


def pool(x, size=2, kind="max"):
    """The largest ("max") or mean ("mean") value of blocks of size × size; rows and columns left over are dropped.

    x: (n, height, width, channels) to (n, height // size, width // size, channels).
    """
    reduce = {"max": np.max, "mean": np.mean}[kind]
    n, height, width, channels = x.shape
    rows, columns = height // size, width // size
    blocks = x[:, : rows * size, : columns * size].reshape(n, rows, size, columns, size, channels)
    return reduce(blocks, axis=(2, 4))


def receptive_field(layers):
    """How many pixels in a row one unit sees after these layers: layers is a list of (kernel size, stride).

    Each layer adds (kernel size − 1) steps, and a step is the product of the strides before it.
    """
    field, step = 1, 1
    for kernel, stride in layers:
        field += (kernel - 1) * step
        step *= stride
    return field


def batch_normalize(x, gamma, beta, *, mean=None, variance=None, epsilon=1e-3):
    """Batch normalization over all axes but the last: (output, mean, variance).

    Without `mean` and `variance` those of the batch are used, as in training; the variance divides by the number of
    values. With them, as in inference, they are returned unchanged. gamma, beta: (channels,).
    Ioffe and Szegedy (2015), algorithms 1 and 2. Raises ValueError if only one of mean and variance is given.
    """
    if (mean is None) != (variance is None):
        raise ValueError("give mean and variance both (inference), or neither (training)")
    if mean is None:
        axes = tuple(range(x.ndim - 1))
        mean, variance = x.mean(axis=axes), x.var(axis=axes)
    return gamma * (x - mean) / np.sqrt(variance + epsilon) + beta, mean, variance


def _checked(x, kernel, axis_in):
    """Both as arrays; ValueError where they don't fit. axis_in: the axis of the kernel that counts input channels."""
    x, kernel = np.asarray(x), np.asarray(kernel)
    if x.ndim != 4 or kernel.ndim != 4:
        raise ValueError(f"images of shape {x.shape} and a kernel of shape {kernel.shape}; both have four axes")
    if x.shape[3] != kernel.shape[axis_in]:
        raise ValueError(
            f"the images have {x.shape[3]} channels (the last axis) and the kernel expects {kernel.shape[axis_in]}; "
            "are the channels of the images last?"
        )
    return x, kernel
