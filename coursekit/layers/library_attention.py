"""The parts of notebook 10 beside Keras's and PyTorch's layers with the same weights. Born in notebook 10."""

from importlib.util import find_spec

import keras
import numpy as np
from keras import ops

ATTENTION, HEADS, NORM, BLOCK = "attention", "multi-head attention", "layer normalization", "encoder block"


def library_differences(block, attention, rng):
    """The largest difference between our parts and a library's: {(part, library): difference}.

    block: an encoder block with `attention` (and in it query, key, value, mix and heads), `norm_1`, `norm_2` and
    `feed_forward`; it gets random weights. attention: the function (queries, keys, values, mask) to (outputs, weights).
    Inputs are random, three texts of six words, one with padding. PyTorch has its rows where it is installed.
    """
    tokens = np.ones((3, 6), dtype=int)
    tokens[1, 4:] = 0
    mask = (tokens != 0)[:, None, None, :]  # (3, 1, 1, 6)
    x = np.zeros((3, 6, _width(block, mask)), dtype="float32")
    x[...] = rng.normal(size=x.shape)
    block.set_weights([rng.normal(0, 0.3, size=weight.shape) for weight in block.get_weights()])
    q, k, v = rng.normal(size=(3, 3, 6, 5)).astype("float32")
    ours = {
        ATTENTION: attention(q, k, v, mask[:, 0])[0],
        HEADS: block.attention(x, x, mask)[0],
        NORM: block.norm_1(x),
        BLOCK: block(x, mask),
    }
    theirs = {(part, "Keras"): values for part, values in _keras(block, x, tokens, q, k, v).items()}
    if find_spec("torch"):
        theirs |= {(part, "PyTorch"): values for part, values in _torch(block, x, tokens, q, k, v).items()}
    seen = (tokens != 0)[..., None]  # what a padded word gets is nobody's business
    ours = {part: ops.convert_to_numpy(values) * seen for part, values in ours.items()}
    return {key: float(np.abs(ours[key[0]] - values * seen).max()) for key, values in theirs.items()}


def _width(block, mask):
    """The block's width; it gets its weights here, if it has none yet."""
    width = block.attention.width
    block(np.zeros((3, 6, width), dtype="float32"), mask)
    return width


def _kernel_and_bias(dense):
    return [ops.convert_to_numpy(weight) for weight in (dense.kernel, dense.bias)]


def _keras(block, x, tokens, q, k, v):
    attention, heads = block.attention, block.attention.heads
    width = x.shape[-1]
    multi = keras.layers.MultiHeadAttention(heads, width // heads)
    mask = (tokens != 0)[:, None, :]  # (3, 1, 6)
    multi(x, x, attention_mask=mask)
    weights = []
    for dense in (attention.query, attention.key, attention.value):
        kernel, bias = _kernel_and_bias(dense)
        weights += [kernel.reshape(width, heads, -1), bias.reshape(heads, -1)]
    kernel, bias = _kernel_and_bias(attention.mix)
    multi.set_weights([*weights, kernel.reshape(heads, -1, width), bias])
    norm = keras.layers.LayerNormalization()
    norm(x)
    norm.set_weights(block.norm_1.get_weights())
    plain = keras.layers.Attention(dtype="float32")
    scaled = q / np.float32(q.shape[-1] ** 0.5)  # Keras's Attention has no such scale
    return {
        ATTENTION: ops.convert_to_numpy(plain([scaled, v, k], mask=[None, tokens != 0])),
        HEADS: ops.convert_to_numpy(multi(x, x, attention_mask=mask)),
        NORM: ops.convert_to_numpy(norm(x)),
    }


def _torch(block, x, tokens, q, k, v):
    import torch

    attention, hidden = block.attention, block.feed_forward.layers[0].units
    width, hide = x.shape[-1], torch.tensor(tokens == 0)  # True where one may not look

    def put(target, *values):
        with torch.no_grad():
            for parameter, value in zip((target.weight, target.bias), values, strict=True):
                parameter.copy_(torch.tensor(np.array(value)))

    def linear(target, dense):
        kernel, bias = _kernel_and_bias(dense)
        put(target, kernel.T, bias)

    layer = torch.nn.TransformerEncoderLayer(
        width, attention.heads, hidden, dropout=0.0, layer_norm_eps=1e-3, batch_first=True, norm_first=True
    )
    layer = layer.cpu()
    three = [_kernel_and_bias(dense) for dense in (attention.query, attention.key, attention.value)]
    with torch.no_grad():
        layer.self_attn.in_proj_weight.copy_(torch.tensor(np.concatenate([kernel.T for kernel, _ in three])))
        layer.self_attn.in_proj_bias.copy_(torch.tensor(np.concatenate([bias for _, bias in three])))
    linear(layer.self_attn.out_proj, attention.mix)
    linear(layer.linear1, block.feed_forward.layers[0])
    linear(layer.linear2, block.feed_forward.layers[1])
    for target, norm in ((layer.norm1, block.norm_1), (layer.norm2, block.norm_2)):
        put(target, *(ops.convert_to_numpy(weight) for weight in (norm.scale, norm.shift)))
    given = torch.tensor(x)
    scaled = torch.nn.functional.scaled_dot_product_attention(*map(torch.tensor, (q, k, v)), ~hide[:, None, :])
    layer.train()  # in eval() PyTorch takes a fast path that cuts padding off; there is no dropout to switch off
    results = {
        ATTENTION: scaled,
        HEADS: layer.self_attn(given, given, given, key_padding_mask=hide)[0],
        NORM: layer.norm1(given),
        BLOCK: layer(given, src_key_padding_mask=hide),
    }
    return {part: values.detach().numpy() for part, values in results.items()}
