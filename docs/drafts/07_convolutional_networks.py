# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# The networks so far took an image for a row of a table: pixel 1 to pixel 784, in any order, as long as it was always the
# same one. **What do we know about images that such a network has to learn from scratch?** Two things. What belongs together
# lies close together, so a unit can do with a small window. And what is worth seeing in one place is worth seeing in another,
# so all windows can share one set of weights. A layer built on these two facts is a convolution. This page computes it by
# hand, builds networks of it that name, enlarge and cut out what is in a picture, and asks them where they looked.

# %%
import tempfile
from pathlib import Path

import keras
import numpy as np
from coursekit.datasets import cifar
from coursekit.errors import DataUnavailable
from coursekit.layers import convolution
from coursekit.layers.convolution import receptive_field
from coursekit.layers.gradients import input_gradient
from coursekit.vision import affine, bicubic, intersection_over_union, psnr, warp
from keras import ops
from keras.layers import (
    Add, BatchNormalization, Concatenate, Conv2D, Conv2DTranspose, Dense, Dropout, Flatten,
    GlobalAveragePooling2D, MaxPooling2D, ReLU,
)  # fmt: skip

jit = keras.backend.backend() == "jax"  # whether to compile to machine code (notebook 06)
array = ops.convert_to_numpy

# %% [markdown]
# ## 1. One small layer, everywhere
#
# A window of 3 × 3 pixels slides over the image. At each place its nine numbers are multiplied by nine weights and added up
# with a bias: a dot product (notebook 01), which is large where the window looks like the weights. The weights are the
# **convolution kernel**, and the image of all answers is a **feature map**. With several input channels $c$ the window is as
# deep as the image, and with several kernels $d$ there are as many feature maps:
#
# $$z_{ijd} = b_d + \sum_{a,b,c} x_{si+a,\; sj+b,\; c} \; k_{abcd} .$$
#
# $s$ is the stride: how far the window moves from one answer to the next. The operation is called a **convolution**.
# (Mathematicians flip the kernel first and would call this a *cross-correlation*. For weights that are learned it makes no
# difference.)

# %%
def convolve(x, kernel, stride=1):
    """Images (n, h, w, c) and a kernel (k_h, k_w, c, d) to feature maps (n, rows, columns, d)."""
    height, width = kernel.shape[:2]
    rows = (x.shape[1] - height) // stride + 1
    columns = (x.shape[2] - width) // stride + 1
    z = np.zeros((len(x), rows, columns, kernel.shape[3]), x.dtype)
    for i in range(rows):
        for j in range(columns):
            window = x[:, i * stride : i * stride + height, j * stride : j * stride + width]
            z[:, i, j] = np.tensordot(window, kernel, axes=3)  # (n, h, w, c) · (h, w, c, d)
    return z


# %% [markdown]
# Nine weights chosen by hand already find something. The derivative of brightness to the right is large at upright edges,
# the derivative downwards at level ones (these two kernels are Sobel's). Equal weights blur.

# %%
photographs = load("photographs")
temple, flower = photographs.x_train[0] / np.float32(255), photographs.x_test[0] / np.float32(255)
grey = temple.mean(axis=-1)[None, 110:240, 150:350, None]  # (1, 130, 200, 1)
sobel = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], "float32")
by_hand = {"upright edges": sobel, "level edges": sobel.T, "blurred": np.full((3, 3), 1 / 9)}
maps = {name: convolve(grey, k[:, :, None, None].astype("float32")) for name, k in by_hand.items()}
shown = {"photograph": grey[0, :, :, 0]}
shown |= {name: z[0, :, :, 0] if name == "blurred" else np.abs(z[0, :, :, 0]) / 2 for name, z in maps.items()}
ck.plots.images(list(shown.values()), list(shown), columns=2, value_range=(0, 1))

# %% [markdown]
# Edges of any direction are found by a mixture of the two kernels. Turn it:

# %%
def draw_edges(angle):
    """The edges of the temple across a direction, in degrees: 0 is to the right, 90 is down."""
    kernel = np.cos(np.deg2rad(angle)) * sobel + np.sin(np.deg2rad(angle)) * sobel.T
    z = convolution.convolve(grey, kernel[:, :, None, None])[0, :, :, 0]
    ck.plots.images([kernel, np.abs(z)], ["kernel", f"edges across {angle:.0f}°"])


ck.plots.slider(draw_edges, low=0, high=180, step=5)

# %% [markdown]
# The image has become smaller by two pixels: a window of 3 must lie inside. With `padding="valid"` it is left at that. With
# `padding="same"` a frame of zeros is put around first, so that stride 1 keeps the size; this is called **padding**. Along
# an axis of $n$ pixels, with a kernel of $k$, there are
#
# $$\text{valid: } \Big\lfloor \frac{n-k}{s} \Big\rfloor + 1, \qquad \text{same: } \Big\lceil \frac{n}{s} \Big\rceil$$
#
# answers. If "same" needs an odd number of zeros, Keras puts the odd one at the end. The package version,
# `coursekit.layers.convolution.convolve`, pads as well. Both against Keras:

# %%
worst, cases = 0, 0
for size, k, stride, padding in [
    (9, 3, 1, "valid"), (9, 3, 1, "same"), (10, 3, 2, "same"), (9, 4, 2, "same"), (11, 5, 3, "valid"),
    (8, 2, 1, "same"), (7, 1, 2, "same"), (12, 5, 4, "same"),
]:  # fmt: skip
    x = rng.normal(size=(2, size, size + 3, 3)).astype("float32")  # (n, h, w, c)
    kernel = rng.normal(size=(k, k, 3, 4)).astype("float32")
    theirs = array(ops.conv(x, kernel, strides=stride, padding=padding))
    ours = convolution.convolve(x, kernel, stride=stride, padding=padding)
    formula = (size - k) // stride + 1 if padding == "valid" else -(-size // stride)
    pairs = [(ours, theirs)] + [(convolve(x, kernel, stride), theirs)] * (padding == "valid")
    worst = max(worst, *(np.abs(a - b).max() for a, b in pairs))
    cases += ours.shape == theirs.shape and theirs.shape[1] == formula
    print(f"{size:2} pixels, kernel {k}, stride {stride}, {padding:5}: {theirs.shape[1]:2} rows")
claim(
    "our convolutions agree with Keras's, and the sizes with the formula",
    worst < 1e-4 and cases == 8,
    f"largest difference {worst:.0e}, {cases} of 8 sizes",
)

# %% [markdown]
# What has been gained? First, **few parameters**: a kernel has as many weights as its window, whatever the size of the
# image. Second, a shifted image gives shifted feature maps: the layer is **equivariant** to shifts, and doesn't have to
# learn the same digit anew in each place. What is lost: a unit sees a small window only. The window of input pixels that can
# reach a unit is its **receptive field**, and it grows with depth. A layer with a kernel of $k$ adds $k - 1$ steps, and a step
# is as long as the product of all strides before it. **Pooling** makes the steps longer: it keeps of each block of 2 × 2
# pixels the largest (or the mean) value. Test the rule by pricking: change one pixel at a time and see which ones reach the
# unit in the middle.

# %%
stack = [Conv2D(2, 3), Conv2D(2, 3), keras.layers.AveragePooling2D(2), Conv2D(2, 3)]
model = keras.Sequential([keras.Input((20, 20, 1)), *stack])
pricked = np.eye(400, dtype="float32").reshape(400, 20, 20, 1)  # one image for each pixel
bias = array(model(np.zeros((1, 20, 20, 1), "float32")))
reached = np.abs(array(model(pricked)) - bias)[:, 3, 3].max(axis=-1).reshape(20, 20) > 1e-9
measured = [int(reached.any(axis=axis).sum()) for axis in (0, 1)]
by_rule = receptive_field([(3, 1), (3, 1), (2, 2), (3, 1)])  # (kernel, stride) of each layer
model.summary(line_length=80)
claim(
    "the receptive field has the size that the rule says",
    measured == [by_rule, by_rule],
    f"{measured[0]} × {measured[1]} pixels, rule {by_rule}",
)
x = rng.normal(size=(1, 20, 20, 1)).astype("float32")
moved = np.roll(x, 2, axis=2)  # two pixels to the right: one step after pooling
first, second = array(model(x)), array(model(moved))
claim(
    "the image moved by two pixels gives maps moved by one, away from the edge",
    np.allclose(first[:, :, 1:-2], second[:, :, 2:-1], atol=1e-5) and not np.allclose(first, second),
)

# %% [markdown] tags=["exercise"]
# ### Exercise 7.1: sizes and counts
#
# A colour image of 48 × 64 pixels (rows × columns) goes through `Conv2D(16, 5, strides=2, padding="same")`, then
# `MaxPooling2D(2)`, then `Conv2D(32, 3)`. Give (a) the rows and (b) the columns of the last feature maps, (c) the number of
# parameters of both convolutions together, and (d) the receptive field of one of the last units, in pixels along an axis.

# %% tags=["exercise"]
# NBVAL_CHECK_OUTPUT
answer = [..., ..., ..., ...]  # (a), (b), (c), (d)

check("7.1", answer)

# %% cellView="form" jupyter={"source_hidden": true} tags=["solution"]
# NBVAL_CHECK_OUTPUT
first, second = 5 * 5 * 3 * 16 + 16, 3 * 3 * 16 * 32 + 32
answer = [24 // 2 - 2, 32 // 2 - 2, first + second, 1 + 4 + 1 * 2 + 2 * 4]

check("7.1", answer)

# %% [markdown] tags=["exercise"]
# ### Exercise 7.2: pad it yourself
#
# Write a convolution with stride 1 and `padding="same"`, for kernels of odd and of even size. You may use `convolve` of
# this page (which is "valid").

# %% tags=["exercise"]
# NBVAL_CHECK_OUTPUT
def convolve_same(x, kernel):
    """x (n, h, w, c) and a kernel (k_h, k_w, c, d) to (n, h, w, d)."""
    ...  # your code


check("7.2", convolve_same)


# %% cellView="form" jupyter={"source_hidden": true} tags=["solution"]
# NBVAL_CHECK_OUTPUT
def convolve_same(x, kernel):
    """x (n, h, w, c) and a kernel (k_h, k_w, c, d) to (n, h, w, d)."""
    edges = [((k - 1) // 2, k // 2) for k in kernel.shape[:2]]  # an odd zero at the end
    return convolve(np.pad(x, [(0, 0), *edges, (0, 0)]), kernel)


check("7.2", convolve_same)

# %% [markdown]
# ## 2. A network of convolutions
#
# Now the kernels are learned, by the same gradient descent as always: a convolution is a dense layer, most of whose weights
# are zero and the others shared, and for shared weights gradients add up (notebook 06). The network below has two
# convolutions; the first takes every second place only, which saves most of the arithmetic, and after the second there is
# pooling. A dense layer reads the digit off the maps. Against it stands a multilayer perceptron with about as many parameters.

# %%
data = load(scale(quick="digits28", full="mnist"))
x_train, x_test = (x[..., None] / np.float32(255) for x in (data.x_train, data.x_test))
y_train, y_test = data.y_train.astype("int32"), data.y_test.astype("int32")
print("train", x_train.shape, " test", x_test.shape)


def convolutional(shape):
    """Two convolutions, pooling, and logits."""
    layers = [Conv2D(8, 3, strides=2, padding="same", activation="relu")]
    layers += [Conv2D(16, 3, padding="same", activation="relu"), MaxPooling2D(2), Flatten()]
    return keras.Sequential([keras.Input(shape), *layers, Dense(10)])


def perceptron():
    """One hidden layer, with about as many parameters."""
    layers = [Flatten(), Dense(11, activation="relu"), Dense(10)]
    return keras.Sequential([keras.Input((28, 28, 1)), *layers])


# %%
def compiled(model, optimizer=None):
    """Ready to train: Adam, and cross-entropy on logits."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=optimizer or keras.optimizers.Adam(), loss=loss, jit_compile=jit)
    return model


def restart(model):
    """New random weights, and an optimizer that has forgotten everything."""
    model.set_weights(keras.models.clone_model(model).get_weights())
    for variable in model.optimizer.variables:
        if "learning_rate" not in variable.path:
            variable.assign(np.zeros(variable.shape))


def train(model, x, y, epochs, learning_rate, bar=None, batch_size=32, **settings):
    """Fit with a learning rate that falls along half a cosine, from the one given to nearly zero."""
    rate = lambda epoch: learning_rate * (1 + np.cos(np.pi * epoch / epochs)) / 2
    callbacks = [keras.callbacks.LearningRateScheduler(rate)] + ([bar.callback()] if bar else [])
    fit = {"epochs": epochs, "batch_size": batch_size, "callbacks": callbacks, "verbose": 0}
    return model.fit(x, y, **fit, **settings).history["loss"]


# %%
def answers(model, x, at_once=500):
    """The class that the model finds most probable, for each image: (n,), or for each pixel."""
    parts = [array(model(x[i : i + at_once])) for i in range(0, len(x), at_once)]
    return np.concatenate(parts).argmax(axis=-1)


def accuracy(model, x, y):
    return float(np.mean(answers(model, x) == y))


# %% [markdown]
# Both get two tests: the test images, and the same images moved by up to two pixels in each direction, as no training image
# is. (The frame around a digit is four pixels wide, so nothing is cut off.)

# %%
moves = rng.integers(-2, 3, size=(len(x_test), 2))
x_moved = np.stack([np.roll(x, move, axis=(0, 1)) for x, move in zip(x_test, moves)])
networks = {"convolutions": compiled(convolutional((28, 28, 1))), "perceptron": compiled(perceptron())}
epochs, right = scale(quick=6, full=5), {}
with ck.progress(2 * epochs, "two networks") as bar:
    for name, model in networks.items():
        train(model, x_train, y_train, epochs, 0.005, bar)
        right[name] = [accuracy(model, x, y_test) for x in (x_test, x_moved)]
for name, model in networks.items():
    shares = "right {:.3f}, moved {:.3f}".format(*right[name])
    print(f"{name:12} {model.count_params():,} parameters, {shares}")

# %%
conv, flat = right["convolutions"], right["perceptron"]
claim(
    "with as many parameters, convolutions make fewer mistakes",
    1 - conv[0] < 0.8 * (1 - flat[0]),
    f"{1 - conv[0]:.3f} against {1 - flat[0]:.3f}",
    conv=conv[0],
    flat=flat[0],
)
claim(
    "moved images, never seen in training, are hard for both, and harder for the perceptron",
    conv[1] > flat[1] + 0.04 and conv[1] < conv[0] - 0.04,
    f"{conv[1]:.3f} and {flat[1]:.3f} right",
    conv_moved=conv[1],
    flat_moved=flat[1],
)

# %% [markdown]
# Why do the convolutions lose so much, too? The maps move with the image, exactly so for whole steps. But the dense layer
# after them has weights of its own for each place. To be *invariant*, giving the same answer wherever the digit is, the network
# must forget places before the end: section 4 takes the mean of each map.
#
# ### The classic
#
# One network of this kind has been in a great many tutorials: two convolutions with 32 kernels, pooling, a dropout of a
# quarter, a dense layer of 128, a dropout of a half, ten outputs; batches of 32. Count where its parameters are.

# %%
def classic():
    layers = [Conv2D(32, 3, activation="relu"), Conv2D(32, 3, activation="relu"), MaxPooling2D(2)]
    layers += [Dropout(0.25), Flatten(), Dense(128, activation="relu"), Dropout(0.5), Dense(10)]
    return keras.Sequential([keras.Input((28, 28, 1)), *layers])


model = compiled(classic())
for layer in model.layers:
    if layer.count_params():
        print(f"{layer.name:12} {str(tuple(layer.kernel.shape)):16} {layer.count_params():8,} parameters")
share = model.layers[-3].count_params() / model.count_params()
epochs = scale(quick=2, full=12)
with ck.progress(epochs, "the classic") as bar:
    train(model, x_train, y_train, epochs, 0.002, bar)
right_classic = accuracy(model, x_test, y_test)
claim(
    "nearly all parameters of the classic are in one dense layer, and it names the digits",
    share > 0.95 and right_classic > 0.9,
    f"{share:.1%} of {model.count_params():,}; {right_classic:.3f} right",
    share=share,
    right=right_classic,
)

# %% [markdown]
# The convolutions do the seeing with few parameters and most of the arithmetic; the dense layer has the parameters. Later networks
# do without it.
#
# ## 3. Augmentation
#
# A digit turned by ten degrees is the same digit, and nobody told the network. Notebook 05 moved images by a pixel. Here is
# the whole list: rotation, shifts in width and height, shear, zoom, flips, and a function of our own that adds noise. All
# but the last are affine maps: a new place is a matrix times the old place, plus a shift. To make the new image, go through
# *its* pixels, undo the map to see where each came from, and take the mean of the four old pixels around that place,
# weighted by nearness (bilinear interpolation).

# %%
def turned(image, angle):
    """An image (h, w) turned anticlockwise by an angle in radians, pixel by pixel."""
    height, width = image.shape
    framed, new = np.pad(image, 1), np.zeros_like(image)  # a frame of zeros
    cos, sin = np.cos(angle), np.sin(angle)
    for i in range(height):
        for j in range(width):
            y, x = i - (height - 1) / 2, j - (width - 1) / 2  # from the centre
            row, column = cos * y + sin * x + (height + 1) / 2, cos * x - sin * y + (width + 1) / 2
            if 0 <= row < height + 1 and 0 <= column < width + 1:
                r, c = int(row), int(column)
                down, right = row - r, column - c
                upper = (1 - right) * framed[r, c] + right * framed[r, c + 1]
                lower = (1 - right) * framed[r + 1, c] + right * framed[r + 1, c + 1]
                new[i, j] = (1 - down) * upper + down * lower
    return new


# %% [markdown]
# `coursekit.vision.warp` does that for many images at once, each with its own map, which `affine` makes. And Keras has
# `ops.image.affine_transform`, which takes the undone map, as eight numbers and with the column first. All three must agree.

# %%
small = x_train[:3, 4:24, 4:24, 0]  # without the frame, so that something leaves the image
angle = 0.4
matrix, shift = affine(angle=angle)
by_package = warp(small, np.stack(3 * [matrix]), np.stack(3 * [shift]))
back, centre = np.linalg.inv(matrix), np.full(2, 9.5)
start = centre - back @ centre  # row and column of the place from which pixel (0, 0) comes
undone = [back[1, 1], back[1, 0], start[1], back[0, 1], back[0, 0], start[0], 0, 0]
by_keras = array(
    ops.image.affine_transform(
        small[..., None], np.array(undone, "float32")[None].repeat(3, 0), fill_mode="constant"
    )
)[..., 0]
by_loop = np.stack([turned(image, angle) for image in small])
claim(
    "our loop, the package and Keras turn an image alike",
    max(np.abs(by_loop - by_package).max(), np.abs(by_loop - by_keras).max()) < 1e-4,
    f"{np.abs(by_loop - by_package).max():.0e} and {np.abs(by_loop - by_keras).max():.0e} apart",
)

# %% [markdown]
# To measure what each change is worth we need many trainings, so the images are made small: 14 × 14, the mean of each
# block of 2 × 2. Each change has a range, and each copy of an image gets a random value from it.

# %%
def halved(x):
    return convolution.pool(x, 2, "mean")


def mapped(**ranges):
    """A function that changes images (n, h, w, 1) by random affine maps; ranges: of angle, row, ..."""

    def change(x):
        drawn = {name: rng.uniform(-r, r, len(x)) for name, r in ranges.items()}
        get = lambda name, i: drawn[name][i] if name in drawn else 0.0
        maps = [
            affine(
                get("angle", i),
                (get("row", i), get("column", i)),
                get("shear", i),
                (1 + get("zoom", i),) * 2,
            )
            for i in range(len(x))
        ]
        return warp(x, *map(np.stack, zip(*maps)))

    return change


# %%
def flipped(axis):
    return lambda x: np.where(rng.random((len(x), 1, 1, 1)) < 0.5, np.flip(x, axis), x)


def noisy(x):
    """Our own: Gaussian noise on each pixel."""
    return (x + rng.normal(0, 0.15, x.shape)).astype("float32")


changes = {
    "none": lambda x: x,
    "rotation": mapped(angle=0.3),
    "width shift": mapped(column=1),
    "height shift": mapped(row=1),
    "shear": mapped(shear=0.3),
    "zoom": mapped(zoom=0.15),
    "flip left-right": flipped(2),
    "flip up-down": flipped(1),
    "noise": noisy,
    "all but flips": mapped(angle=0.2, row=0.8, column=0.8, shear=0.2, zoom=0.1),
}
example = np.repeat(halved(x_train[y_train == 2][:1]), 6, axis=0)  # the same digit six times
drawn = np.concatenate([change(example) for change in changes.values()])
names = [name.replace(" ", "\n", 1) if j == 0 else "" for name in changes for j in range(6)]
ck.plots.images(drawn[..., 0], names, columns=12, value_range=(0, 1))

# %% [markdown]
# One would expect flips to do harm: a mirrored 2 is no digit, and a 6 upside down is a 9. And the others? So: 100 digits to
# learn from, a small network of convolutions, the same number of steps for each change, tested twice on 1,500 other digits:
# as they are (the data set's makers have centred them and brought them to one size), and crooked, as a careless scan would
# give them. (The crooked images are a second test set, made once in each repeat and the same for all networks.)

# %%
def strided(shape):
    """Two convolutions with stride 2, and logits: little arithmetic."""
    layers = [Conv2D(8, 3, 2, "same", activation="relu"), Conv2D(16, 3, 2, "same", activation="relu")]
    return compiled(keras.Sequential([keras.Input(shape), *layers, Flatten(), Dense(10)]))


x_all, y_all = halved(np.concatenate([x_train, x_test])), np.concatenate([y_train, y_test])
model, crooked = strided((14, 14, 1)), mapped(angle=0.3, row=1.5, column=1.5, shear=0.3, zoom=0.1)
repeats, copies = scale(quick=3, full=10), scale(quick=24, full=200)
errors = {place: {name: [] for name in changes} for place in ("as published", "crooked")}
with ck.progress(repeats * len(changes), "augmentation", unit="fit") as bar:
    for _ in range(repeats):
        order = rng.permutation(len(x_all))
        mine, others = order[:100], order[100:1600]
        tests = {"as published": x_all[others], "crooked": crooked(x_all[others])}
        for name, change in changes.items():
            restart(model)
            many = rng.permutation(np.tile(mine, copies))
            train(model, change(x_all[many]), y_all[many], 1, 0.01, batch_size=64)
            for place, x in tests.items():
                errors[place][name].append(1 - accuracy(model, x, y_all[others]))
            bar.update()
ck.plots.methods(errors, "test error")

# %%
plain, hard = ({name: float(np.mean(v)) for name, v in errors[place].items()} for place in errors)
claim(
    "turning digits upside down harms on images as published",
    plain["flip up-down"] > plain["none"] + 0.02,
    f"{plain['flip up-down']:.3f} against {plain['none']:.3f}",
    up_down=plain["flip up-down"],
    none=plain["none"],
)
claim(
    "on crooked images all changes but flips together make fewer mistakes than none",
    hard["all but flips"] < hard["none"] - 0.03,
    f"{hard['all but flips']:.3f} against {hard['none']:.3f}",
    all_crooked=hard["all but flips"],
    none_crooked=hard["none"],
)

# %% [markdown]
# Read the other rows with their bars: with few repeats, a difference as small as two standard errors decides nothing. An
# augmentation is a statement about the world: this change leaves the label right, and it happens. Where that is true, it
# stands for more data. Where the first half is false, it is wrong labels. Where the second half is false, as with the
# published images, the network learns in its few steps something that nobody asks.
#
# Only training images are changed. The test images are what the network will meet.
#
# ### Normalisation, feature-wise and sample-wise
#
# Standardising (notebook 02) can be done in two ways. *Feature-wise*: subtract the mean of the training set and divide by
# its deviation; for images one number for each channel. *Sample-wise*: subtract from each image its own mean and divide by
# its own deviation. The second throws something away, how bright and how rich in contrast an image is. It pays when that is
# an accident of the camera. We test both networks on images of another exposure: less contrast, on a grey ground.

# %%
mean, deviation = x_all[len(x_test) :].mean(), x_all[len(x_test) :].std()
normalisations = {
    "feature-wise": lambda x: (x - mean) / deviation,
    "sample-wise": lambda x: (x - x.mean(axis=(1, 2, 3), keepdims=True))
    / x.std(axis=(1, 2, 3), keepdims=True),
}
small_train, small_test = halved(x_train)[:1437], halved(x_test)
exposed = 0.35 * small_test + 0.4
pair = ["as published"] + [""] * 3 + ["exposed"] + [""] * 3
ck.plots.images([*small_test[:4], *exposed[:4]], pair, columns=8, value_range=(0, 1))
kept = {}
for name, normalise in normalisations.items():
    restart(model)
    train(model, normalise(small_train), y_train[:1437], 3, 0.01)
    kept[name] = [accuracy(model, normalise(x), y_test) for x in (small_test, exposed)]
    print(f"{name:12} {kept[name][0]:.3f} as published, {kept[name][1]:.3f} exposed otherwise")
claim(
    "another exposure ruins the feature-wise network and leaves the sample-wise one as it was",
    kept["feature-wise"][1] < kept["feature-wise"][0] - 0.2
    and abs(kept["sample-wise"][1] - kept["sample-wise"][0]) < 0.01,
    feature_wise=kept["feature-wise"][1],
    sample_wise=kept["sample-wise"][1],
)

# %% [markdown]
# ### In Keras
#
# For years, all this was done by `ImageDataGenerator`, a generator that changed images on the way to `fit`; older books and
# notebooks are full of it. It is deprecated and kept for old code. Its place has been taken by *preprocessing layers*, which
# change images in training and pass them through in inference, so they can stand inside a model and are saved with it:
#
# | `ImageDataGenerator` | layer |
# |---|---|
# | `rotation_range=17` (degrees) | `RandomRotation(17 / 360)` (parts of a full turn) |
# | `height_shift_range=0.1`, `width_shift_range=0.1` | `RandomTranslation(0.1, 0.1)` (parts of the height and width) |
# | `shear_range` (degrees) | `RandomShear(x_factor, y_factor)` |
# | `zoom_range=0.1` | `RandomZoom(0.1)` (height and width alike) |
# | `horizontal_flip=True`, `vertical_flip=True` | `RandomFlip("horizontal")`, `RandomFlip("vertical")` |
# | `preprocessing_function` | a layer of your own (notebook 06); for noise, `GaussianNoise(0.15)` |
# | `featurewise_center`, `featurewise_std_normalization` | `Normalization(axis=-1)`, after `adapt(x_train)` |
# | `samplewise_center`, `samplewise_std_normalization` | `LayerNormalization(axis=(1, 2, 3), center=False, scale=False)` |

# %%
pipeline = keras.Sequential([
    keras.Input((28, 28, 1)),
    keras.layers.RandomRotation(0.05, fill_mode="constant"),
    keras.layers.RandomTranslation(0.1, 0.1, fill_mode="constant"),
    keras.layers.RandomZoom(0.1, fill_mode="constant"),
    keras.layers.GaussianNoise(0.1),
])  # fmt: skip
in_training = array(pipeline(x_train[:6], training=True))
in_inference = array(pipeline(x_train[:6], training=False))
ck.plots.images([*x_train[:6, ..., 0], *in_training[..., 0]], columns=6, value_range=(0, 1))
sample_wise = keras.layers.LayerNormalization(axis=(1, 2, 3), center=False, scale=False, epsilon=1e-7)
apart = np.abs(array(sample_wise(small_test)) - normalisations["sample-wise"](small_test)).max()
claim(
    "preprocessing layers change images in training and leave them alone in inference",
    np.abs(in_training - x_train[:6]).max() > 0.1 and np.array_equal(in_inference, x_train[:6]),
)
claim("LayerNormalization over all axes is sample-wise normalisation", apart < 1e-3, f"{apart:.0e} apart")

# %% [markdown] tags=["exercise"]
# ### Exercise 7.3: what to change, and what not
#
# Write the preparation of an experiment. `change` is a function of images that returns changed ones, other ones at each
# call. The new training set holds the original images, in their order, and after them `copies` changed copies of the whole
# set, each changed anew; with labels.

# %% tags=["exercise"]
# NBVAL_CHECK_OUTPUT
def prepare(x_train, y_train, x_test, y_test, change, copies):
    """x_train, y_train, x_test, y_test for the experiment."""
    ...  # your code


check("7.3", prepare)


# %% cellView="form" jupyter={"source_hidden": true} tags=["solution"]
# NBVAL_CHECK_OUTPUT
def prepare(x_train, y_train, x_test, y_test, change, copies):
    """x_train, y_train, x_test, y_test for the experiment."""
    changed = [change(x_train) for _ in range(copies)]
    return np.concatenate([x_train, *changed]), np.tile(y_train, copies + 1), x_test, y_test


check("7.3", prepare)

# %% [markdown]
# ## 4. Batch normalisation
#
# Inputs are standardised before training. Deeper in the network nobody sees to it: whenever a layer's weights change, so
# does the scale of what the next layer gets. **Batch normalisation** (Ioffe and Szegedy, 2015) standardises between the
# layers, too. For each channel it takes mean and variance over the batch and all places, and then lets the network choose a
# scale $\gamma$ and a shift $\beta$, which are learned:
#
# $$\mu = \frac1m \sum_i x_i, \qquad \sigma^2 = \frac1m \sum_i (x_i - \mu)^2, \qquad
# y_i = \gamma \, \frac{x_i - \mu}{\sqrt{\sigma^2 + \epsilon}} + \beta .$$
#
# That is the layer **in training**. In inference there may be one image only, and an answer should not depend on what else is
# asked. So during training the layer keeps moving averages, $\bar\mu \leftarrow 0.99\,\bar\mu + 0.01\,\mu$ and likewise
# $\bar\sigma^2$, and **in inference** it uses those. From the equations:

# %%
class OurBatchNorm:
    def __init__(self, channels, momentum=0.99, epsilon=1e-3):  # Keras's defaults
        self.gamma, self.beta = np.ones(channels), np.zeros(channels)
        self.mean, self.variance = np.zeros(channels), np.ones(channels)  # the moving averages
        self.momentum, self.epsilon = momentum, epsilon

    def __call__(self, x, training):
        mean, variance = self.mean, self.variance
        if training:
            axes = tuple(range(x.ndim - 1))  # all but the channels
            mean, variance = x.mean(axis=axes), x.var(axis=axes)
            keep = self.momentum
            self.mean = keep * self.mean + (1 - keep) * mean
            self.variance = keep * self.variance + (1 - keep) * variance
        return self.gamma * (x - mean) / np.sqrt(variance + self.epsilon) + self.beta


# %%
ours, theirs = OurBatchNorm(4), BatchNormalization()
gaps = []
for training in (True, True, True, False):
    x = rng.normal(3, 2, size=(8, 5, 5, 4)).astype("float32")
    out = ours(x, training)
    gaps.append(np.abs(out - array(theirs(x, training=training))).max())
moving_mean, moving_variance = theirs.get_weights()[2:]
gaps += [np.abs(ours.mean - moving_mean).max(), np.abs(ours.variance - moving_variance).max()]
package = convolution.batch_normalise(x, ours.gamma, ours.beta, mean=ours.mean, variance=ours.variance)
gaps.append(np.abs(package[0] - out).max())
claim(
    "three steps of training and one of inference agree with Keras, moving averages included",
    max(gaps) < 1e-4,
    f"largest difference {max(gaps):.0e}",
)
print("after 3 steps the moving mean is", moving_mean.round(2), "and the data's mean is 3")

# %% [markdown]
# Look at the last line. After three steps the averages are still near where they started, for they move by a hundredth of the
# way at each step. After $t$ steps a share $0.99^t$ of the start is left; after 50 steps that is three fifths. The network may
# have finished learning by then, and not finished measuring, and its inference is off. For short trainings take a smaller
# `momentum`; this page takes 0.9.
#
# **What does it do to speed?** Five convolutions, then the mean of each map (*global average pooling*: how much there is of
# each feature, wherever it is) and a dense layer; trained by plain stochastic gradient descent, with and without it, at
# learning rates far apart.

# %%
def deep(norm, width=12):
    inputs = x = keras.Input((14, 14, 1))
    for i in range(5):
        start = {"use_bias": not norm, "kernel_initializer": "he_normal"}
        x = Conv2D(width, 3, strides=2 if i in (0, 3) else 1, padding="same", **start)(x)
        x = ReLU()(BatchNormalization(momentum=0.9)(x) if norm else x)
    return keras.Model(inputs, Dense(10)(GlobalAveragePooling2D()(x)))


rates, epochs = (0.01, 0.1, 1.0), scale(quick=3, full=10)
loss_after = {"without": [], "with": []}
deep_nets = {name: compiled(deep(name == "with"), keras.optimizers.SGD()) for name in loss_after}
with ck.progress(6, "batch normalisation", unit="fit") as bar:
    for name, model in deep_nets.items():
        for rate in rates:
            restart(model)
            model.optimizer.learning_rate = rate
            fit = {"epochs": epochs, "batch_size": 48, "verbose": 0}
            history = model.fit(small_train, y_train[:1437], **fit).history["loss"]
            loss_after[name].append(min(float(np.nan_to_num(history[-1], nan=9.0)), 9.0))
            bar.update()
ck.plots.curves(rates, loss_after, "learning rate", "training loss after the last epoch", x_scale="log")

# %%
best = {name: min(values) for name, values in loss_after.items()}
claim(
    "with batch normalisation the best rate leads to less than half the loss",
    best["with"] < 0.5 * best["without"],
    f"{best['with']:.2f} against {best['without']:.2f}; a guess costs {np.log(10):.2f}",
    **best,
)
claim(
    "and the largest rate is its best of the three, where the network without it stays behind",
    loss_after["with"][2] == best["with"] and loss_after["without"][2] > 2 * best["with"],
    f"at rate 1: {loss_after['with'][2]:.2f} with, {loss_after['without'][2]:.2f} without",
)

# %% [markdown]
# Why it works is less clear than that it works. The authors thought of the shifting scales ("internal covariate shift");
# Santurkar and others (2018) put shifts back in and found that it trained as fast, and that the loss had become smoother.
#
# **What does it do to overfitting?** In training an image's output depends on its companions in the batch, and these change
# from step to step: a noise of a kind, so a regularizer of a kind. We measure, on 200 digits, and claim nothing: look
# whether the dots lie apart.

# %%
repeats, gaps = scale(quick=3, full=10), {"without": [], "with": []}
reached = {name: [] for name in gaps}
for _ in ck.progress(range(repeats), "200 digits", unit="repeat"):
    mine = rng.permutation(len(small_train))[:200]
    for name, model in deep_nets.items():
        restart(model)
        many = np.tile(mine, scale(quick=16, full=100))
        train(model, small_train[many], y_train[many], 1, {"without": 0.1, "with": 0.3}[name])
        seen = accuracy(model, small_train[mine], y_train[mine])
        reached[name].append(accuracy(model, small_test, y_test))
        gaps[name].append(seen - reached[name][-1])
ck.plots.methods({"200 digits": gaps}, "training accuracy − test accuracy")
print("test accuracy:", {name: round(float(np.mean(values)), 3) for name, values in reached.items()})

# %% [markdown]
# Read the gap and the accuracy together. A small gap is no merit in itself: a network that has learned nothing has none. That
# normalisation makes the gap smaller, as the first paper reports, can only be asked of networks that both fit their training
# set; at `quick` the one without it has had too few steps for that.
#
# **What if it is left in training mode?** A classic mistake, `model(x, training=True)` in the evaluation. If the test
# images come in mixed batches nobody notices. Let them come sorted, as they do from folders named after their classes:

# %%
model, by_class = deep_nets["with"], np.argsort(y_test, kind="stable")
restart(model)
train(model, small_train, y_train[:1437], 2, 1.0)
weights, modes = model.get_weights(), {}
for name, order in {"mixed": rng.permutation(len(x_test)), "sorted": by_class}.items():
    for training in (False, True):
        said = []
        for start in range(0, len(order), 30):
            x = small_test[order[start : start + 30]]
            said.append(array(model(x, training=training)).argmax(axis=-1))
        modes[name, training] = float(np.mean(np.concatenate(said) == y_test[order]))
        print(f"{name:6} batches, training={training!s:5}: {modes[name, training]:.3f}")
        model.set_weights(weights)  # in training mode the averages have moved
claim(
    "in inference the order does not matter; in training mode sorted images are lost",
    abs(modes["mixed", False] - modes["sorted", False]) < 0.01
    and modes["sorted", True] < modes["mixed", True] - 0.15,
    **{f"{name}_{mode}": value for (name, mode), value in modes.items()},
)

# %% [markdown]
# (Those calls also moved the averages: in training mode the layer goes on measuring, on test images. `fit`, `evaluate` and
# `predict` set the mode by themselves; a loop of your own must.)

# %% [markdown] tags=["exercise"]
# ### Exercise 7.4: both modes
#
# Write batch normalisation as a function with a state: `state` is a dictionary with `"mean"` and `"variance"`, (channels,),
# the moving averages. In training they are renewed (in the dictionary). γ is 1 and β is 0.

# %% tags=["exercise"]
# NBVAL_CHECK_OUTPUT
def batch_norm(x, state, training, momentum, epsilon):
    """x (n, h, w, channels) to its normalised form, of the same shape."""
    ...  # your code


check("7.4", batch_norm)


# %% cellView="form" jupyter={"source_hidden": true} tags=["solution"]
# NBVAL_CHECK_OUTPUT
def batch_norm(x, state, training, momentum, epsilon):
    """x (n, h, w, channels) to its normalised form, of the same shape."""
    mean, variance = state["mean"], state["variance"]
    if training:
        mean, variance = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
        for name, value in (("mean", mean), ("variance", variance)):
            state[name] = momentum * state[name] + (1 - momentum) * value
    return (x - mean) / np.sqrt(variance + epsilon)


check("7.4", batch_norm)

# %% [markdown]
# ### All together
#
# Convolutions, normalisation, the mean of each map, and images changed anew in each epoch: this is how a network comes within
# a per cent of perfection on MNIST. At `quick` the same cell runs on the enlarged small digits, for a few epochs.

# %%
def convnet(shape, widths, strides):
    """Convolutions with normalisation, the mean of each map, and logits."""
    inputs = x = keras.Input(shape)
    for width, stride in zip(widths, strides):
        x = Conv2D(width, 3, stride, "same", use_bias=False)(x)
        x = ReLU()(BatchNormalization(momentum=0.9)(x))
    return keras.Model(inputs, Dense(10)(GlobalAveragePooling2D()(x)))


# %%
change = mapped(angle=0.15, row=2, column=2, shear=0.15, zoom=0.1)
shape = scale(quick=((8, 16, 32), (2, 2, 1)), full=((16, 32, 32, 64, 64), (1, 2, 1, 2, 1)))
together = compiled(convnet((28, 28, 1), *shape))
repeats, epochs, right = scale(quick=1, full=3), scale(quick=7, full=15), []
with ck.progress(repeats * epochs, "all together") as bar:
    for _ in range(repeats):
        restart(together)
        for epoch in range(epochs):
            rate = 0.02 * (1 + np.cos(np.pi * epoch / epochs)) / 2
            train(together, change(x_train), y_train, 1, rate, bar)
        right.append(accuracy(together, x_test, y_test))
claim(
    "the network is right on most test digits, and on most moved ones",
    np.mean(right) > scale(quick=0.85, full=0.99) and accuracy(together, x_moved, y_test) > 0.8,
    f"{np.mean(right):.4f} and {accuracy(together, x_moved, y_test):.4f}",
    right=float(np.mean(right)),
)

# %% [markdown]
# ## 5. The way back: transposed convolution
#
# Pooling and strides make images smaller. To enlarge a picture, or to say something about each pixel, we must come back to
# the full size. How? A convolution is linear, so it is a matrix: $y = C x$ with $x$ and $y$ written as vectors. The
# **transposed convolution** is $x' = C^\top y$: it takes a small map to a large one. This is what backpropagation has been
# doing all along with the gradient. Without writing the matrix, the same comes out of three steps: insert $s-1$ zeros between
# the pixels, put a frame of $k-1$ zeros around, and convolve with the kernel flipped in both directions.

# %%
def transposed(y, kernel, stride):
    """y (n, h, w, c) and a kernel (k, k, d, c) to (n, s(h−1)+k, s(w−1)+k, d); k at least s."""
    n, h, w, c = y.shape
    k = len(kernel)
    spread = np.zeros((n, stride * (h - 1) + 1, stride * (w - 1) + 1, c), y.dtype)
    spread[:, ::stride, ::stride] = y  # zeros inserted
    frame = [(0, 0), (k - 1, k - 1), (k - 1, k - 1), (0, 0)]
    return convolve(np.pad(spread, frame), kernel[::-1, ::-1].transpose(0, 1, 3, 2))


worst = 0
for size, k, stride, padding in [
    (4, 3, 1, "valid"), (4, 3, 2, "valid"), (5, 4, 2, "valid"), (4, 3, 2, "same"), (5, 4, 2, "same"),
    (3, 5, 3, "same"), (4, 2, 2, "same"), (4, 5, 1, "same"),
]:  # fmt: skip
    y = rng.normal(size=(2, size, size + 1, 3)).astype("float32")
    kernel = rng.normal(size=(k, k, 2, 3)).astype("float32")  # (k, k, outputs, inputs)
    theirs = array(ops.conv_transpose(y, kernel, strides=stride, padding=padding))
    ours = [convolution.transposed_convolve(y, kernel, stride=stride, padding=padding)]
    ours += [transposed(y, kernel, stride)] if padding == "valid" else []
    worst = max(worst, *(np.abs(one - theirs).max() for one in ours))
    print(f"{size} pixels, kernel {k}, stride {stride}, {padding:5}: {theirs.shape[1]:2} rows")
claim("our transposed convolutions agree with Keras's", worst < 1e-4, f"largest difference {worst:.0e}")

# %% [markdown]
# Is it the transpose of the matrix? Build $C$ column by column, by convolving images with a single bright pixel. And is it
# an inverse, as its old name "deconvolution" promises? Convolve a piece of the photograph, transpose-convolve the result with
# the same kernel, and compare with the piece.

# %%
kernel = rng.normal(size=(3, 3, 1, 1)).astype("float32")
single = np.eye(64, dtype="float32").reshape(64, 8, 8, 1)
C = convolve(single, kernel).reshape(64, -1).T  # (36, 64): 8 × 8 pixels to 6 × 6
y = rng.normal(size=(1, 6, 6, 1)).astype("float32")
by_matrix = (C.T @ y.ravel()).reshape(1, 8, 8, 1)
apart = np.abs(by_matrix - transposed(y, kernel, 1)).max()
claim("a transposed convolution is the transpose of the convolution's matrix", apart < 1e-4, f"{apart:.0e}")
blur = np.full((3, 3, 1, 1), 1 / 9, "float32")
piece = grey[:, 40:104, 60:124]
there = convolve(piece, blur)
back = transposed(there, blur, 1)
ck.plots.images([piece[0], there[0], back[0]], ["piece", "convolved", "and transposed"], value_range=(0, 1))
lost = np.sqrt(np.mean((back - piece)[:, 4:-4, 4:-4] ** 2)) / piece.std()
exact = np.linalg.lstsq(C, (C @ single[9].ravel()), rcond=None)[0]  # the best one can do
claim(
    "the input is not back: blurred twice, not sharpened",
    lost > 0.1 and back[0, 4:-4, 4:-4].std() < piece[0, 4:-4, 4:-4].std(),
    f"off by {lost:.2f} deviations of the piece, away from the edge",
    lost=lost,
)
off = np.abs(exact - single[9].ravel()).max()
print(f"6 × 6 answers can't tell 8 × 8 pixels: even least squares is off by {off:.2f}")

# %% [markdown]
# ### Checkerboards
#
# Where the copies of the kernel overlap, sums of several terms come out, elsewhere fewer. With a kernel of 3 and stride 2
# some pixels get one term along an axis and their neighbours two. Feed a constant image and weights of one, and count:

# %%
ones = np.ones((1, 8, 8, 1), "float32")
uneven = {
    f"kernel {k}": convolution.transposed_convolve(ones, np.ones((k, k, 1, 1), "float32"), stride=2)[0]
    for k in (2, 3, 4)
}
larger = np.repeat(np.repeat(ones, 2, axis=1), 2, axis=2)
uneven["enlarge, convolve"] = convolve(larger, np.ones((3, 3, 1, 1), "float32"))[0]
relative = [values / values.max() for values in uneven.values()]
ck.plots.images(relative, list(uneven), columns=4, value_range=(0, 1.3))
inside = {name: values[4:-4, 4:-4] for name, values in uneven.items()}
spread = {name: (float(values.min()), float(values.max())) for name, values in inside.items()}
print({name: f"{low:.0f} to {high:.0f} terms" for name, (low, high) in spread.items()})
claim(
    "terms are uneven when the stride does not divide the kernel, and even in the two cures",
    spread["kernel 3"] == (1, 4)
    and all(low == high for name, (low, high) in spread.items() if name != "kernel 3"),
)

# %% [markdown]
# This is the **checkerboard pattern** that pictures made by networks used to have (Odena and others, 2016). Training can
# learn weights against it and often does not quite. Cures: a kernel size that the stride divides, or to enlarge first
# (`UpSampling2D`, or any interpolation) and convolve then. An even count does not make all weights even; it takes away the
# built-in cause.

# %% [markdown] tags=["exercise"]
# ### Exercise 7.5: sizes on the way back
#
# Feature maps of 7 × 7 go through `Conv2DTranspose(16, 4, strides=2, padding="same")`, then through
# `Conv2DTranspose(1, 3, strides=3)` (which is "valid"). (a) How many rows after the first, (b) how many after the second?
# (c) How many parameters has the first, if the input has 32 channels? (d) How many terms (places of the input times kernel,
# for one input channel) go into a pixel in the middle of the first one's output?

# %% tags=["exercise"]
# NBVAL_CHECK_OUTPUT
answer = [..., ..., ..., ...]  # (a), (b), (c), (d)

check("7.5", answer)

# %% cellView="form" jupyter={"source_hidden": true} tags=["solution"]
# NBVAL_CHECK_OUTPUT
answer = [2 * 7, 3 * 14 + max(3 - 3, 0), 4 * 4 * 32 * 16 + 16, (4 // 2) ** 2]

check("7.5", answer)

# %% [markdown]
# ### Super-resolution
#
# Take a photograph with a quarter of its pixels and give the others back: **super-resolution**. No method can know them;
# one may guess well. The usual guess is *bicubic interpolation*, in which each new pixel is a weighted mean of 4 × 4 old ones
# with weights from a cubic curve (Keys, 1981). Our network learns what has to be added to it: it is given the small patch,
# and its output, through a transposed convolution, is added to the bicubic image. It has no biases and sees the patch without
# its mean, so a patch with half the contrast gets half the correction, and a smooth one none. The measure is the **PSNR**, the
# peak signal-to-noise ratio in decibels, $10 \log_{10}(1 / \text{mean squared error})$ for pixels from 0 to 1: 3 dB more is half
# the error. Both photographs are cut into strips of 64 columns; patches for training come from every second strip, those for
# testing from the others.

# %%
def patches(photo, n, odd, size=32):
    """n random patches (n, size, size, 1) of a photograph in grey, from its even or its odd strips."""
    image = photo.mean(axis=-1)
    rows = rng.integers(0, image.shape[0] - size + 1, n)
    columns = 64 * (2 * rng.integers(0, 5, n) + odd) + rng.integers(0, 64 - size + 1, n)
    cut = [image[r : r + size, c : c + size] for r, c in zip(rows, columns)]
    return np.stack(cut)[..., None].astype("float32")


n = scale(quick=400, full=3000)
sharp = np.concatenate([patches(photo, n, odd=0) for photo in (temple, flower)])
sharp_test = np.concatenate([patches(photo, 150, odd=1) for photo in (temple, flower)])
low, low_test = halved(sharp), halved(sharp_test)  # (n, 16, 16, 1)
guess, guess_test = bicubic(low), bicubic(low_test)  # (n, 32, 32, 1)


def enlarger(width=12):
    small, cubic = keras.Input((16, 16, 1)), keras.Input((32, 32, 1))
    x = small - ops.mean(small, axis=(1, 2), keepdims=True)
    plain = {"padding": "same", "use_bias": False}
    for k in (5, 3):
        x = ReLU()(Conv2D(width, k, kernel_initializer="he_normal", **plain)(x))
    x = Conv2DTranspose(1, 6, strides=2, kernel_initializer="zeros", **plain)(x)
    return keras.Model([small, cubic], Add()([x, cubic]))


# %%
model, epochs = enlarger(), scale(quick=8, full=40)
model.compile(optimizer=keras.optimizers.Adam(), loss="mse", jit_compile=jit)
with ck.progress(epochs, "super-resolution") as bar:
    train(model, [low, guess], sharp, epochs, 0.01, bar, batch_size=16)
enlarged = array(model([low_test, guess_test]))
nearest = low_test.repeat(2, axis=1).repeat(2, axis=2)
ways = {"nearest": nearest, "bicubic": guess_test, "network": enlarged}
decibels = {name: psnr(sharp_test, images) for name, images in ways.items()}
overall = {name: float(psnr(sharp_test[None], images[None])[0]) for name, images in ways.items()}
for name, values in decibels.items():
    print(f"{name:8} {overall[name]:.2f} dB over all pixels, mean of the patches {values.mean():.2f}")
chosen = np.argsort(sharp_test.std(axis=(1, 2, 3)))[-4:]  # the four patches with most contrast
shown = [images[i, :, :, 0] for images in (sharp_test, *ways.values()) for i in chosen]
names = 4 * ["true"] + [f"{name}\n{decibels[name][i]:.1f} dB" for name in ways for i in chosen]
ck.plots.images(shown, names, columns=8, value_range=(0, 1))

# %%
gain = overall["network"] - overall["bicubic"]
better = float(np.mean(decibels["network"] > decibels["bicubic"]))
claim(
    "the network is a little better than bicubic interpolation",
    gain > 0.2,
    f"{gain:+.2f} dB over all pixels; better on {better:.0%} of the patches",
    gain=gain,
    better=better,
)

# %% [markdown]
# Be honest about two things. The gain is measured against one way of making small images, the mean of 2 × 2 pixels, for
# which the network was trained, and on other parts of the same photographs; with images from another camera it would be
# another. And a mean squared error rewards
# caution: where an edge may lie here or there, the best answer is in between, which is blurred.
#
# ## 6. Semantic segmentation
#
# Naming an image is one answer. **Semantic segmentation** gives one for each pixel: which class does it belong to? The
# answers make a **mask**. Our pictures are handwritten digits in light colours on darkened photographs. The mask says for
# each pixel *background* or *which digit*. Training pictures have the temple behind them, test pictures the flower, and other
# digits. At `quick` the pictures are of 24 × 24 pixels and the digits 0 to 3, at `full` 32 × 32 and all ten.

# %%
def on_photo(photo, digits, labels, size):
    """Digits (n, s, s, 1) on patches: pictures (n, size, size, 3), masks (n, size, size): 0 or 1 + digit."""
    n, s = digits.shape[:2]
    rows, columns = (rng.integers(0, side - size + 1, n) for side in photo.shape[:2])
    ground = np.stack([photo[r : r + size, c : c + size] for r, c in zip(rows, columns)])
    ink = np.zeros((n, size, size, 1), "float32")
    for i, (r, c) in enumerate(rng.integers(0, size - s + 1, (n, 2))):
        ink[i, r : r + s, c : c + s] = digits[i]
    colour = rng.uniform(0.7, 1, (n, 1, 1, 3))
    pictures = ((1 - ink) * 0.6 * ground + ink * colour).astype("float32")
    return pictures, np.where(ink[..., 0] > 0.5, 1 + labels[:, None, None], 0).astype("int32")


kinds, size = scale(quick=4, full=10), scale(quick=24, full=32)
shrunk = scale(quick=halved, full=lambda x: x[:, 4:24, 4:24])
mine = np.tile(np.flatnonzero(y_train < kinds), scale(quick=2, full=1))[:20000]
others = np.flatnonzero(y_test[:1000] < kinds)
pictures, truth = on_photo(temple, shrunk(x_train[mine]), y_train[mine], size)
pictures_test, truth_test = on_photo(flower, shrunk(x_test[others]), y_test[others], size)
class_names = ["background", *"0123456789"[:kinds]]
print("train", pictures.shape, truth.shape, " test", pictures_test.shape, truth_test.shape)

# %% [markdown]
# The network is an **encoder-decoder**: strided convolutions shrink the picture until a unit sees enough of it to know the
# digit, transposed convolutions bring it back to full size. What is lost on the way, where exactly an edge runs, comes
# over a skip connection from the encoder's map of the same size (Ronneberger and others, 2015, who had one at every size).
# How far must it shrink? At `quick` a digit is about ten pixels high, at `full` up to twenty. The first lines below print what
# the units in the middle see.
#
# Few pixels are ink. To the mean loss over all pixels, which digit it is hardly matters. So the pixels of digits get five
# times the weight.

# %%
def block(x, width, stride=1, up=False):
    """A convolution, or a transposed one, with normalisation and ReLU."""
    kind, k = (Conv2DTranspose, 4) if up else (Conv2D, 3)
    x = kind(width, k, strides=stride, padding="same", use_bias=False)(x)
    return ReLU()(BatchNormalization(momentum=0.9)(x))


deeper = scale(quick=1, full=3)  # convolutions at the smallest size
seen = receptive_field([(3, 2), (3, 2)] + deeper * [(3, 1)])
print(f"a unit in the middle sees {seen} × {seen} pixels")


def segmenter(width=16):
    inputs = keras.Input((size, size, 3))
    fine = block(inputs, width, 2)  # half the size
    x = block(fine, 2 * width, 2)  # a quarter
    for _ in range(deeper):
        x = block(x, 2 * width)
    x = Concatenate()([block(x, width, 2, up=True), fine])  # half again
    x = block(x, width)
    return keras.Model(inputs, Conv2DTranspose(1 + kinds, 4, strides=2, padding="same")(x))  # logits


# %%
model, epochs = compiled(segmenter()), scale(quick=6, full=15)
weights = np.where(truth > 0, 5, 1).astype("float32")  # of each pixel in the loss
with ck.progress(epochs, "segmentation") as bar:
    train(model, pictures, truth, epochs, 0.02, bar, sample_weight=weights)
predicted = answers(model, pictures_test, at_once=100)
ck.plots.masks(
    pictures_test[:7], {"truth": truth_test[:7], "network": predicted[:7]}, class_names
)

# %% [markdown]
# How good is it? The share of right pixels is a poor measure: a mask without any digit has most pixels right. The
# **intersection over union** of a class, IoU, is the number of pixels that both truth and prediction give to the class,
# divided by the number that either does. It is counted over all pictures, then the mean is taken over the classes.

# %%
def iou(truth, predicted, k):
    """Of class k, over all pixels."""
    both, either = (truth == k) & (predicted == k), (truth == k) | (predicted == k)
    return both.sum() / either.sum()


nothing = np.zeros_like(truth_test)
scores = {}
for name, masks in {"no digit anywhere": nothing, "network": predicted}.items():
    per_class = [iou(truth_test, masks, k) for k in range(1 + kinds)]
    scores[name] = float(np.mean(per_class))
    print(f"{name:18} pixels right {np.mean(masks == truth_test):.3f}, mean IoU {scores[name]:.3f}")
print("by class:", {name: round(float(value), 2) for name, value in zip(class_names, per_class)})
# %%
found_ink = iou(truth_test > 0, predicted > 0, True)
claim(
    "the network's masks are far better than empty ones, measured by mean IoU",
    scores["network"] > 1.7 * scores["no digit anywhere"],
    f"{scores['network']:.2f} against {scores['no digit anywhere']:.2f}",
    network=scores["network"],
)
claim(
    "it is surer of where a digit is than of which: any digit has a higher IoU than each in the mean",
    found_ink > np.mean(per_class[1:]),
    f"{found_ink:.2f} for digit or background",
    found_ink=found_ink,
)
same = np.allclose(intersection_over_union(truth_test, predicted, 1 + kinds), per_class, equal_nan=True)
claim("the package counts as we do", same)

# %% [markdown] tags=["exercise"]
# ### Exercise 7.6: mean IoU
#
# Write it for any number of classes: counted over all pictures, mean over the classes, a class that neither truth nor
# prediction holds left out.

# %% tags=["exercise"]
# NBVAL_CHECK_OUTPUT
def mean_iou(truth, predicted, classes):
    """Masks (n, h, w) of whole numbers from 0 to classes − 1 to one number."""
    ...  # your code


check("7.6", mean_iou)


# %% cellView="form" jupyter={"source_hidden": true} tags=["solution"]
# NBVAL_CHECK_OUTPUT
def mean_iou(truth, predicted, classes):
    """Masks (n, h, w) of whole numbers from 0 to classes − 1 to one number."""
    values = []
    for k in range(classes):
        either = ((truth == k) | (predicted == k)).sum()
        if either:
            values.append(((truth == k) & (predicted == k)).sum() / either)
    return np.mean(values)


check("7.6", mean_iou)

# %% [markdown]
# ## 7. A residual network, and a file of images
#
# Skip connections (notebook 06) and convolutions make the **residual network** of He and others (2016). They trained it on
# ImageNet, and a small one on CIFAR-10: 60,000 colour photographs of 32 × 32 pixels in ten classes. CIFAR-10 comes as Python
# pickles, which can run code when they are read (notebook 06), and in a *binary version*, which can't: records of 3,073 bytes,
# the label first, then 1,024 bytes of red, of green and of blue. That is channels first, and must be turned.
#
# At `quick` there is no CIFAR-10. But digits on photographs of 32 × 32 pixels have ten classes as well. So we write those
# into six files of CIFAR's form, a miniature, and what reads them is what reads the true ones.

# %%
def miniature(folder, x, labels, records):
    """Six files as CIFAR-10 has them, the last one for testing; `records` in each."""
    folder.mkdir(parents=True)
    for i, name in enumerate((*cifar.TRAINING, cifar.TEST)):
        part = slice(i * records, (i + 1) * records)
        (folder / name).write_bytes(cifar.encode(x[part], labels[part]))


records = 280
drawn = [on_photo(temple, x_train[:1400], y_train[:1400], 32)[0]]
drawn += [on_photo(flower, x_test[:records], y_test[:records], 32)[0]]
drawn = (np.concatenate(drawn) * 255).round().astype("uint8")  # (1680, 32, 32, 3)
labels = np.concatenate([y_train[:1400], y_test[:records]])
with tempfile.TemporaryDirectory() as workshop:
    folder = Path(workshop) / cifar.FOLDER
    miniature(folder, drawn, labels, records)
    print({path.name: path.stat().st_size for path in sorted(folder.iterdir())})
    images = cifar.read_folder(folder, records)
claim(
    "what was written is read back, channels last and in order",
    np.array_equal(np.concatenate(images[::2]), drawn)
    and np.array_equal(np.concatenate(images[1::2]), labels),
)

# %%
if scale(quick=False, full=True):
    try:
        images = cifar.cifar10()
    except DataUnavailable as reason:
        print(f"{reason}; going on with the miniature")
x_images, x_images_test = (x / np.float32(255) for x in images[::2])
y_images, y_images_test = (y.astype("int32") for y in images[1::2])
ck.plots.images(images[0][:10], y_images[:10])


# %%
def residual_block(x, width, stride):
    """Two convolutions and a skip connection; where the shape changes, there is a 1 × 1 convolution on it."""
    y = block(x, width, stride)
    y = BatchNormalization(momentum=0.9)(Conv2D(width, 3, padding="same", use_bias=False)(y))
    if stride > 1:
        x = BatchNormalization(momentum=0.9)(Conv2D(width, 1, stride, "same", use_bias=False)(x))
    return ReLU()(Add()([x, y]))


def residual_network(width, blocks, first_stride):
    """He and others' form for CIFAR-10: three stages of width, 2 · width and 4 · width channels."""
    inputs = keras.Input((32, 32, 3))
    x = block(inputs, width, first_stride)
    for stage in range(3):
        for i in range(blocks):
            x = residual_block(x, width * 2**stage, stride=2 if stage and not i else 1)
    return keras.Model(inputs, Dense(10)(GlobalAveragePooling2D()(x)))


# %% [markdown]
# At `full` this is their network of 20 layers. (Theirs has no convolution on the skip where the size changes, but takes every
# second pixel and fills the new channels with zeros; and it has first_stride 1, as here at `full`.)

# %%
form = scale(quick=(8, 1, 2), full=(16, 3, 1))  # width, blocks in a stage, first stride
model, epochs = compiled(residual_network(*form)), scale(quick=4, full=40)
with ck.progress(epochs, "residual network") as bar:
    train(model, x_images, y_images, epochs, 0.01, bar)
right_residual = accuracy(model, x_images_test, y_images_test)
claim(
    "the residual network names images that it has not seen, far better than by guessing",
    right_residual > 0.4,
    f"{right_residual:.3f} right, {model.count_params():,} parameters, guessing 0.1",
    right=right_residual,
)

# %% [markdown]
# ## 8. What the network sees
#
# Three questions to the last network of section 4. **Which features does it compute?** Cut the model after its first
# convolution and look at the maps.

# %%
relus = [layer for layer in together.layers if isinstance(layer, ReLU)]
first_maps = keras.Model(together.input, [relus[0].output, relus[-1].output])
seven = x_test[y_test == 7][:1]
early, late = (array(maps)[0] for maps in first_maps(seven))
print("maps:", early.shape, late.shape)
labels = ["image"] + [f"map {i}" for i in range(8)]
ck.plots.images([seven[0, :, :, 0], *np.moveaxis(early[:, :, :8] / early.max(), -1, 0)], labels, columns=9)

# %% [markdown]
# Each map answers to something else, and some to nothing here. **Which pixels matter?** The score of a class depends
# on the pixels, so it has a gradient with respect to them. Its size at each pixel is the **saliency map** (Simonyan and
# others, 2014): where would a small change change the score most? Backpropagation gives it, continued by one step to the
# input. Keras has no common way to ask for a gradient, so `input_gradient` calls TensorFlow, JAX or PyTorch, whichever runs.

# %%
def saliency(model, image, k):
    """The size of d score_k / d pixel, (h, w), for one image (h, w, 1)."""
    score = lambda x: ops.sum(model(x, training=False)[:, k])
    return np.abs(input_gradient(score, image[None]))[0, :, :, 0]


shown = [int(np.flatnonzero(y_test == k)[0]) for k in (0, 2, 3, 5, 7, 9)]
maps = np.stack([saliency(together, x_test[i], int(y_test[i])) for i in shown])
ck.plots.heat(x_test[shown], maps, [f"a {y_test[i]}" for i in shown])


def draw_saliency(which):
    """Image number `which` of the test set, and its saliency map."""
    i = int(which)
    one = saliency(together, x_test[i], int(y_test[i]))
    ck.plots.heat(x_test[i : i + 1], one[None], [f"a {y_test[i]}"], columns=4)


ck.plots.slider(draw_saliency, low=0, high=50, step=1)

# %% [markdown]
# A pretty map proves nothing; maps have fooled people (Adebayo and others, 2018). A map can be tested. If its bright pixels
# matter, then wiping them out must lower the score more than wiping out as many ink pixels at random. And it must depend on
# what the network has learned: a network with random weights must give another map.

# %%
stranger = keras.models.clone_model(together)  # the same graph, random weights
drops, likeness = {"salient": [], "random": []}, []
for i in range(scale(quick=30, full=100)):
    image, k = x_test[i], int(y_test[i])
    one = saliency(together, image, k) * (image[..., 0] > 0.2)  # of the ink
    ink = np.flatnonzero(image[..., 0] > 0.2)
    count = len(ink) // 5
    wiped = {"salient": np.argsort(one.ravel())[-count:], "random": rng.permutation(ink)[:count]}
    batch = np.repeat(image[None], 3, axis=0)
    for row, pixels in enumerate(wiped.values()):
        batch[row].reshape(-1)[pixels] = 0
    scores_k = array(together(batch))[:, k]
    for row, name in enumerate(wiped):
        drops[name].append(float(scores_k[2] - scores_k[row]))
    other = saliency(stranger, image, k)
    likeness.append(np.corrcoef(saliency(together, image, k).ravel(), other.ravel())[0, 1])
ck.plots.methods({"a fifth of the ink wiped out": drops}, "drop of the score")
claim(
    "wiping out the salient ink costs more than wiping out as much at random",
    np.mean(drops["salient"]) > np.mean(drops["random"]) + 0.3,
    f"{np.mean(drops['salient']):.2f} against {np.mean(drops['random']):.2f}",
    salient=float(np.mean(drops["salient"])),
    at_random=float(np.mean(drops["random"])),
)
print(f"the untrained network's maps correlate with these at {np.mean(likeness):.2f}")

# %% [markdown]
# **Where is the evidence?** Saliency is scattered over pixels. **Grad-CAM** (Selvaraju and others, 2017) asks at the last
# feature maps $A_c$, which still know where. Weigh each map by how much the score gains from it, the mean gradient over all
# places, add up, and keep what speaks *for* the class:
#
# $$\alpha_c = \frac1{hw} \sum_{ij} \frac{\partial \,\text{score}_k}{\partial A_{ijc}}, \qquad
# L = \max\Big(0, \sum_c \alpha_c A_c\Big) .$$
#
# The map can be asked about any class. So here is a test that it can fail: two digits side by side, and one map for each. Our
# network ends in a mean over all places, so it takes pictures of any size, also 28 × 56. The map for the left digit must be
# brighter on the left, and that for the right digit on the right.

# %%
wide_in = keras.Input((28, 56, 1))
x, layers = wide_in, together.layers[1:]
for layer in layers[:-2]:  # all but the mean and the dense layer
    x = layer(x)
to_maps = keras.Model(wide_in, x)  # the same layers with the same weights
head = lambda maps: layers[-1](layers[-2](maps))


def grad_cam(image, k):
    """The map of class k for one image (28, 56, 1), at the size of the last feature maps: (7, 14)."""
    A = array(to_maps(image[None]))
    weights = input_gradient(lambda maps: ops.sum(head(maps)[:, k]), A).mean(axis=(1, 2))  # (1, c)
    return np.maximum((A * weights[:, None, None]).sum(axis=-1)[0], 0)


# %%
known = np.flatnonzero(answers(together, x_test[:400]) == y_test[:400])
pairs, hits, shown = rng.choice(known, size=(80, 2)), [], []
pairs = pairs[y_test[pairs[:, 0]] != y_test[pairs[:, 1]]]  # two different digits
for pair in pairs:
    image = np.concatenate(list(x_test[pair]), axis=1)  # (28, 56, 1)
    for side, k in enumerate(y_test[pair]):
        cam = grad_cam(image, int(k))
        halves = cam[:, :7].sum(), cam[:, 7:].sum()
        hits.append(halves[side] > halves[1 - side])
        if len(shown) < 6:
            shown.append((image, np.kron(cam, np.ones((4, 4))), f"where is the {k}?"))
ck.plots.heat(*map(np.stack, list(zip(*shown))[:2]), [name for *_, name in shown], columns=3)
share = float(np.mean(hits))
claim(
    "asked for one of two digits, Grad-CAM points to its side",
    share > 0.75,
    f"{share:.0%} of {len(hits)} maps; by chance half",
    share=share,
)

# %% [markdown]
# With a mean and one dense layer after the maps, the weights $\alpha_c$ are, but for a factor, those of the dense layer: then
# Grad-CAM is the older CAM, cut at zero (Zhou and others, 2016). The gradient makes it work for other heads, too.

# %% [markdown] tags=["exercise"]
# ### Exercise 7.7: small and good
#
# Write a function that builds and trains a convolutional network for the 8 × 8 digits (values 0 to 16, shape (n, 8, 8, 1);
# scale them inside the model). It may have **at most 2,000 parameters** and at least one `Conv2D`, and must be right on 90 of
# 100 digits that it has not seen. Its outputs are ten logits or probabilities. The check trains it on digits of its own choice.

# %% tags=["exercise"]
# NBVAL_CHECK_OUTPUT
def tiny(x, y):
    """A trained model for images x (n, 8, 8, 1), 0 to 16, with labels y (n,)."""
    ...  # your code


check("7.7", tiny)


# %% cellView="form" jupyter={"source_hidden": true} tags=["solution"]
# NBVAL_CHECK_OUTPUT
def tiny(x, y):
    """A trained model for images x (n, 8, 8, 1), 0 to 16, with labels y (n,)."""
    layers = [keras.layers.Rescaling(1 / 16), Conv2D(8, 3, activation="relu")]  # 6 × 6
    layers += [MaxPooling2D(2), Conv2D(12, 2, activation="relu"), Flatten(), Dense(10)]  # 2 × 2
    model = keras.Sequential([keras.Input((8, 8, 1)), *layers])
    train(compiled(model), x, y, 20, 0.01)
    return model


check("7.7", tiny)

# %% [markdown]
# ## Summary
#
# - A convolution slides one small kernel over the image: few parameters, shifted images give shifted maps, and it depends on
#   neighbours lying together. The receptive field grows by (kernel − 1) times the strides so far.
# - Augmentation says which changes leave the label right. Where that is false, it harms. Test images are never changed.
# - Batch normalisation standardises each channel by the batch in training and by moving averages in inference. It lets
#   learning rates be larger. Left in training mode, answers depend on who else is asked.
# - A transposed convolution is the transpose of the convolution's matrix, not its inverse. Uneven overlaps make
#   checkerboards.
# - Encoder, decoder and skip connections answer for each pixel. Judge masks by intersection over union, not by the share of
#   right pixels.
# - Feature maps, saliency and Grad-CAM show where a network looked. Test such maps before you believe them.

# %% [markdown]
# ## Sources
#
# - Y. LeCun, L. Bottou, Y. Bengio and P. Haffner (1998), "Gradient-based learning applied to document recognition",
#   Proceedings of the IEEE 86, 2278-2324.
# - V. Dumoulin and F. Visin (2016), "A guide to convolution arithmetic for deep learning",
#   [arXiv:1603.07285](https://arxiv.org/abs/1603.07285): sizes, and the transposed convolution.
# - M. Lin, Q. Chen and S. Yan (2014), "Network in network", [arXiv:1312.4400](https://arxiv.org/abs/1312.4400): global average
#   pooling.
# - S. Ioffe and C. Szegedy (2015), "Batch normalization: accelerating deep network training by reducing internal covariate
#   shift", [arXiv:1502.03167](https://arxiv.org/abs/1502.03167); S. Santurkar, D. Tsipras, A. Ilyas and A. Madry (2018), "How
#   does batch normalization help optimization?", [arXiv:1805.11604](https://arxiv.org/abs/1805.11604).
# - A. Odena, V. Dumoulin and C. Olah (2016), "Deconvolution and checkerboard artifacts", Distill,
#   [doi:10.23915/distill.00003](https://doi.org/10.23915/distill.00003).
# - R. Keys (1981), "Cubic convolution interpolation for digital image processing", IEEE Transactions on Acoustics, Speech,
#   and Signal Processing 29, 1153-1160.
# - C. Dong, C. C. Loy, K. He and X. Tang (2014), "Image super-resolution using deep convolutional networks",
#   [arXiv:1501.00092](https://arxiv.org/abs/1501.00092).
# - O. Ronneberger, P. Fischer and T. Brox (2015), "U-Net: convolutional networks for biomedical image segmentation",
#   [arXiv:1505.04597](https://arxiv.org/abs/1505.04597); M. Everingham and others (2010), "The PASCAL visual object classes
#   (VOC) challenge", International Journal of Computer Vision 88, 303-338: intersection over union.
# - K. He, X. Zhang, S. Ren and J. Sun (2016), "Deep residual learning for image recognition", CVPR,
#   [arXiv:1512.03385](https://arxiv.org/abs/1512.03385).
# - K. Simonyan, A. Vedaldi and A. Zisserman (2014), "Deep inside convolutional networks: visualising image classification
#   models and saliency maps", [arXiv:1312.6034](https://arxiv.org/abs/1312.6034); R. R. Selvaraju and others (2017),
#   "Grad-CAM: visual explanations from deep networks via gradient-based localization",
#   [arXiv:1610.02391](https://arxiv.org/abs/1610.02391); B. Zhou and others (2016), "Learning deep features for discriminative
#   localization", [arXiv:1512.04150](https://arxiv.org/abs/1512.04150); J. Adebayo and others (2018), "Sanity checks for
#   saliency maps", [arXiv:1810.03292](https://arxiv.org/abs/1810.03292).
# - A. Krizhevsky (2009), CIFAR-10, with the layout of its binary version,
#   [cs.toronto.edu/~kriz/cifar.html](https://www.cs.toronto.edu/~kriz/cifar.html).
# - Keras 3.15, read for this page: `keras/src/layers/normalization/batch_normalization.py`,
#   `keras/src/legacy/preprocessing/image.py`, `keras/src/backend/common/backend_utils.py` (the sizes of transposed convolutions).
# - Data: the cards of `digits28` and `photographs`; print one with `print(load("digits28").card)`.

# %% [markdown]
# ## What comes next
#
# All networks here began with random weights. Notebook 08, *Transfer learning*, starts from kernels that another task has
# trained, and asks how few examples are then enough.
