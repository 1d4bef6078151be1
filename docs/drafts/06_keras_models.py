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
# All networks so far were chains: each layer fed the next, and when the kernel stopped, the network was gone. **What is a
# model made of, so that it can have any shape, be saved, and run elsewhere?** Of three things. A *graph*: which layer feeds
# which. *Code*: what each layer computes. And *weights*: the numbers that training found. Each way of building a model in
# Keras, each file format and each accident on this page comes down to one question: which of the three is where?

# %%
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
import zipfile

import keras
import numpy as np
from keras import ops
from keras.layers import Add, Concatenate, Dense
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import StratifiedKFold

workshop = tempfile.TemporaryDirectory()  # it is emptied when the kernel ends
os.chdir(workshop.name)  # from here on, every file that this page writes lies in it

# %% [markdown]
# ## 1. One network, three ways
#
# The network is that of notebook 04: 30 measures of a breast mass go in, 12 and 8 ReLU units follow, and one sigmoid says
# how probable it is that the mass is malignant. Keras has three ways to write it.
#
# A **Sequential model** is a list of layers. A **functional model** is written by calling layers: `Dense(12)` makes a
# layer, and calling it on what came before says where its input comes from. A **subclassed model** is a Python class whose
# `call` computes the output.

# %%
def as_sequential():
    hidden = [Dense(12, activation="relu"), Dense(8, activation="relu")]
    return keras.Sequential([keras.Input((30,)), *hidden, Dense(1, activation="sigmoid")])


def as_functional():
    x = inputs = keras.Input((30,))
    x = Dense(12, activation="relu")(x)
    x = Dense(8, activation="relu")(x)
    return keras.Model(inputs, Dense(1, activation="sigmoid")(x))


class AsSubclass(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first = Dense(12, activation="relu")
        self.second = Dense(8, activation="relu")
        self.last = Dense(1, activation="sigmoid")

    def call(self, x):
        return self.last(self.second(self.first(x)))


# %% [markdown]
# If they are one network, then the same weights must give the same outputs, to the last digit. And the same batches in the
# same order must train them to the same place, but for rounding.

# %%
cancer = load("breast_cancer")
mean, deviation = cancer.x_train.mean(axis=0), cancer.x_train.std(axis=0)
x_train, x_test = (
    ((x - mean) / deviation).astype("float32") for x in (cancer.x_train, cancer.x_test)
)
y_train, y_test = 1 - cancer.y_train, 1 - cancer.y_test  # 1: malignant
print("train", x_train.shape, y_train.shape, " test", x_test.shape, y_test.shape)


def outputs(model, x):
    """What the model gives for x, as an array."""
    return ops.convert_to_numpy(model(x))


three_ways = {
    "Sequential": as_sequential(), "functional": as_functional(), "subclass": AsSubclass()
}
counted = {name: len(model.weights) for name, model in three_ways.items()}
print("arrays of weights before any data:", counted)
print("one output each:", [outputs(model, x_test[:1]).item() for model in three_ways.values()])

# %% [markdown]
# Three random starts, so three outputs. And look at the first line: the subclassed model had no weights yet. The others
# were told the shape of their input; the class can only find out when data arrive. Now give all three the same weights.

# %%
def get_ready(model, optimizer, loss="binary_crossentropy", **more):
    """The model compiled, and spared what takes longer than small trainings: see section 6."""
    jit = keras.backend.backend() == "jax"
    model.compile(optimizer=optimizer, loss=loss, jit_compile=jit, **more)
    model.optimizer.build(model.trainable_variables)
    return model


start = three_ways["Sequential"].get_weights()  # kernel, bias, kernel, bias, kernel, bias
before, after = {}, {}
for name, model in three_ways.items():
    model.set_weights(start)
    before[name] = outputs(model, x_test)  # (114, 1)
    get_ready(model, keras.optimizers.Adam(0.01))
    model.fit(x_train, y_train, epochs=2, batch_size=32, shuffle=False, verbose=0)
    after[name] = outputs(model, x_test)
same = [np.array_equal(before["Sequential"], before[name]) for name in ("functional", "subclass")]
apart = max(np.abs(after["Sequential"] - after[name]).max() for name in after)
moved = np.abs(after["Sequential"] - before["Sequential"]).max()
claim(
    "with the same weights the three ways give the same outputs, to the last digit",
    all(same),
    f"{before['functional'].size} outputs compared",
)
claim(
    "after two epochs they still agree, to within rounding",
    apart < 1e-5 and moved > 0.1,
    f"largest difference {apart:.0e}, while training moved the outputs by up to {moved:.2f}",
)

# %% [markdown]
# So why three? Because of what else you can do with them. In a Sequential and a functional model the graph is *data*:
# Keras holds a list of layers and of who feeds whom. It can print it, draw it, cut a piece out of it and write it to a file.
# Here we cut the functional model after its first layer and keep what the 12 units say. In a subclassed model the graph is
# hidden in the Python code of `call`, and Keras can only run it.

# %%
functional, subclass = three_ways["functional"], three_ways["subclass"]
features = keras.Model(functional.input, functional.layers[1].output)  # layers[0] is the input
print("the first layer's outputs:", outputs(features, x_test).shape)
kept = {name: model.get_config() for name, model in three_ways.items()}
for name, config in kept.items():
    print(f"{name:10} keeps {', '.join(key for key in config if key != 'dtype')}")
try:
    keras.Model(subclass.inputs, subclass.first.output)
    refused = False
except AttributeError as error:
    refused = True
    print("from the subclass:", error)
claim(
    "the graph of layers is data in the first two, and not in the third",
    refused
    and "layers" in kept["Sequential"]
    and "layers" in kept["functional"]
    and "layers" not in kept["subclass"],
)

# %% [markdown]
# When each?
#
# - **Sequential** for a chain.
# - **Functional** for every other graph that you can draw beforehand: several inputs or outputs, branches, layers used
#   twice. This is the usual choice, and Keras can check its shapes before any data are there.
# - **Subclass** where the computation itself depends on the data or on Python, a loop that stops when it has found enough,
#   or a tree that is walked. The price: no drawing, no cutting, and without your class Keras can't load the saved file
#   (section 7).
#
# They mix. A subclassed block can be a layer of a functional model, and that model a layer of the next: models are layers.
#
# ## 2. What happens when a layer is called on nothing
#
# `Dense(12)(inputs)` looks like a computation, yet there are no data. What is computed? Nothing. `keras.Input` makes a
# **symbolic tensor**: a placeholder with a shape and a type and no numbers. A layer called on a placeholder makes its
# weights, for now it knows their shape, and returns another placeholder that remembers: I come from this layer and from
# that placeholder. These memories are the **computation graph**; notebook 03 drew one of single operations, this one has
# layers for nodes. Some forty lines do it from scratch:

# %%
class Placeholder:
    """Numbers that will come later: how many a row, which layer makes them, and out of what."""

    def __init__(self, size, layer=None, parents=()):
        self.size, self.layer, self.parents = size, layer, parents


class Layer:
    def __call__(self, *parents):
        """Compute nothing; remember who feeds whom."""
        return Placeholder(self.build(*(parent.size for parent in parents)), self, parents)


class Weighted(Layer):
    def __init__(self, units, function):
        self.units, self.function, self.kernel = units, function, None

    def build(self, size):
        if self.kernel is None:  # a second call finds the weights of the first
            self.kernel, self.bias = rng.normal(size=(size, self.units)), np.zeros(self.units)
        return self.units

    def compute(self, x):  # (n, size) to (n, units)
        return self.function(x @ self.kernel + self.bias)


# %%
class Joined(Layer):
    def build(self, *sizes):
        return sum(sizes)

    def compute(self, *arrays):
        return np.concatenate(arrays, axis=1)


def run(node, known):
    """The numbers of a placeholder. known: {placeholder: array}; every node is computed once."""
    if node not in known:
        arrays = [run(parent, known) for parent in node.parents]
        known[node] = node.layer.compute(*arrays)
    return known[node]


# %% [markdown]
# To build something a chain can't, look at the data. The thirty numbers of a patient are not thirty of a kind. They are ten
# measures of the cell nuclei (radius, texture, perimeter, area, …), each given three times: the *mean* over the nuclei of a
# sample, its standard *error*, and the *worst*, which is the mean of the three largest. So read the table as three inputs of
# ten. And since the ten measures are the same each time, let one and the same layer look at all three: a **shared layer**,
# one set of weights used in several places.

# %%
parts = ("mean", "error", "worst")
names = cancer.card.features
print([name.replace("mean ", "") for name in names[:10]])
ordered = all(
    a.replace("mean ", "") == b.replace(" error", "") == c.replace("worst ", "")
    for a, b, c in zip(names[:10], names[10:20], names[20:])
)
claim("the three groups list the same ten measures in the same order", ordered)


def in_three(x):
    """(n, 30) to three arrays (n, 10): mean, error, worst."""
    return np.split(x, 3, axis=1)


relu = lambda z: np.maximum(z, 0)
sigmoid = lambda z: 1 / (1 + np.exp(-z))
our_inputs = [Placeholder(10) for _ in parts]
our_encoder, our_head = Weighted(4, relu), Weighted(1, sigmoid)
our_output = our_head(Joined()(*(our_encoder(one) for one in our_inputs)))
p = run(our_output, dict(zip(our_inputs, in_three(x_test))))
print("probabilities from our own graph, untrained:", p[:4, 0].round(2), p.shape)


# %% [markdown]
# That is the functional interface: a recording first, numbers later. Keras's works the same way. Its `Model(inputs,
# outputs)` walks back from the outputs to the inputs and keeps what it finds.

# %%
def three_inputs(shared=True, units=4):
    """mean, error and worst through one encoder, or through one each; then a sigmoid."""
    inputs = [keras.Input((10,), name=name) for name in parts]
    if shared:
        encoders = 3 * [Dense(units, activation="relu", name="encoder")]  # three times the same
    else:
        encoders = [Dense(units, activation="relu", name=f"encode_{name}") for name in parts]
    code = Concatenate(name="code")([encode(one) for encode, one in zip(encoders, inputs)])
    return keras.Model(inputs, Dense(1, activation="sigmoid", name="malignant")(code))


model = three_inputs()
ck.plots.layer_graph(model)
model.set_weights([our_encoder.kernel, our_encoder.bias, our_head.kernel, our_head.bias])
difference = np.abs(outputs(model, in_three(x_test)) - p).max()
claim(
    "our recording and Keras's compute the same from the same weights",
    difference < 1e-5,
    f"largest difference {difference:.0e}",
)

# %% [markdown]
# (`keras.utils.plot_model(model)` draws such pictures, too, with more options. It needs the Python package pydot and the
# program Graphviz, which this course does not ask you to install; `ck.plots.layer_graph` reads the graph from
# `model.get_config()` and draws it with matplotlib.)
#
# **How does a shared layer learn?** It is used three times, so the loss depends on its weights along three paths, and by
# the chain rule of notebook 03 their gradients add up. To check it, give three separate encoders the same weights, take one
# step of plain gradient descent with learning rate 1 in both models, and compare how far the weights moved.

# %%
def one_step(model, weights):
    """How each array of weights moves in one step of plain gradient descent, on all patients."""
    model.set_weights(weights)
    get_ready(model, keras.optimizers.SGD(1.0))
    model.train_on_batch(in_three(x_train), y_train)
    return [now - was for now, was in zip(model.get_weights(), weights)]


kernel, bias, *head = model.get_weights()
kernel_moved, bias_moved, *_ = one_step(model, [kernel, bias, *head])
moves = one_step(three_inputs(shared=False), 3 * [kernel, bias] + head)
sums = sum(moves[0:6:2]), sum(moves[1:6:2])  # over the three kernels, and the three biases
gap = max(np.abs(kernel_moved - sums[0]).max(), np.abs(bias_moved - sums[1]).max())
largest = np.abs(kernel_moved).max()
claim(
    "the gradient of a shared layer is the sum over the places where it is used",
    gap < 1e-4 * largest,
    f"largest step {largest:.3f}, largest difference {gap:.0e}",
)

# %% [markdown] tags=["exercise"]
# ### Exercise 6.1: count before you build
#
# Another table has three inputs of 20 measures each. Each goes through an encoder with 8 ReLU units, the codes are joined,
# and a dense layer gives 5 outputs. How many parameters has the model (a) with one shared encoder, (b) with three separate
# ones? And (c) how many has a flat model, in which all 60 measures feed 24 ReLU units and these the 5 outputs?

# %% tags=["exercise"]
# NBVAL_CHECK_OUTPUT
answer = [..., ..., ...]  # (a), (b), (c)

check("6.1", answer)

# %% cellView="form" jupyter={"source_hidden": true} tags=["solution"]
# NBVAL_CHECK_OUTPUT
encoder, last = 20 * 8 + 8, 3 * 8 * 5 + 5
answer = [encoder + last, 3 * encoder + last, 60 * 24 + 24 + last]

check("6.1", answer)

# %% [markdown] tags=["exercise"]
# ### Exercise 6.2: how alike are two?
#
# Write a functional model that says how different two things are. It has two inputs of `features` numbers each. Both go
# through **one** dense layer with `units` ReLU units. The output, of shape (n, 1), is the sum of the absolute differences
# of the two codes. (`keras.ops` works on symbolic tensors, too. Such twins are called a *siamese* network.)

# %% tags=["exercise"]
# NBVAL_CHECK_OUTPUT
def siamese(features, units):
    """A keras.Model from two inputs (n, features) to their distance (n, 1)."""
    ...  # your code


check("6.2", siamese)


# %% cellView="form" jupyter={"source_hidden": true} tags=["solution"]
# NBVAL_CHECK_OUTPUT
def siamese(features, units):
    """A keras.Model from two inputs (n, features) to their distance (n, 1)."""
    encoder = Dense(units, activation="relu")
    one, other = keras.Input((features,)), keras.Input((features,))
    apart = ops.abs(encoder(one) - encoder(other))  # (n, units)
    return keras.Model([one, other], ops.sum(apart, axis=1, keepdims=True))


check("6.2", siamese)

# %% [markdown]
# ## 3. Graphs at work
#
# **Does the graph help?** It has few parameters, because it has been told something true about the data. Or perhaps it is
# too narrow. To find out, cross-validate (notebook 05): the flat network of section 1, three separate encoders, the shared
# encoder, and the baseline that was hard to beat, one neuron. Every fold is scaled by its own training part. The measure
# is the cross-entropy on the patients left out, here called log loss: it also punishes being sure and wrong, which accuracy
# does not see.
#
# As in notebook 05 each network is built once, and restarted for each fold: the weights and the optimizer get back the
# values that they had before the first step.

# %%
def as_they_are(x):
    return x


candidates = {  # name: (the model, what prepares its input)
    "flat 12-8-1": (as_functional(), as_they_are),
    "three encoders": (three_inputs(shared=False), in_three),
    "shared encoder": (three_inputs(), in_three),
}
k = scale(quick=3, full=10)
cut = StratifiedKFold(k, shuffle=True, random_state=int(rng.integers(1000)))
folds = []
for train, left_out in cut.split(x_train, y_train):
    mean, deviation = x_train[train].mean(axis=0), x_train[train].std(axis=0)
    folds.append(((x_train - mean) / deviation, train, left_out))


def judged(p, y):
    """Log loss and accuracy of the probabilities p, (n,), of malignancy."""
    return log_loss(y, np.clip(p, 1e-6, 1 - 1e-6)), np.mean((p > 0.5) == y)


# %%
found = {name: [] for name in candidates}  # (log loss, accuracy) of each fold
with ck.progress(k * len(candidates), "cross-validating", unit="fit") as bar:
    for name, (model, prepare) in candidates.items():
        get_ready(model, keras.optimizers.Adam(0.02))
        state = model.weights + model.optimizer.variables
        start = [ops.convert_to_numpy(variable) for variable in state]
        for x, train, left_out in folds:
            for variable, value in zip(state, start):
                variable.assign(value)  # restarted
            many = np.tile(train, 20)  # one epoch over twenty copies is faster than twenty
            model.fit(prepare(x[many]), y_train[many], epochs=1, batch_size=64, verbose=0)
            p = outputs(model, prepare(x[left_out]))[:, 0]
            found[name].append(judged(p, y_train[left_out]))
            bar.update()
found["one neuron"] = [
    judged(LogisticRegression().fit(x[i], y_train[i]).predict_proba(x[j])[:, 1], y_train[j])
    for x, i, j in folds
]
losses = {name: [loss for loss, _ in values] for name, values in found.items()}
ck.plots.methods({f"patients left out, {k} folds": losses}, "log loss")

# %%
loss_of = {name: float(np.mean(values)) for name, values in losses.items()}
parameters = {name: model.count_params() for name, (model, _) in candidates.items()}
for name, values in found.items():
    accuracy = np.mean([right for _, right in values])
    print(f"{name:14} {parameters.get(name, 31):3} parameters, accuracy {accuracy:.3f}")
claim(
    "with an eighth of the parameters the shared encoder loses at most 0.05 to the flat network",
    loss_of["shared encoder"] < loss_of["flat 12-8-1"] + 0.05
    and 8 * parameters["shared encoder"] < parameters["flat 12-8-1"],
    ", ".join(f"{name} {value:.3f}" for name, value in loss_of.items()),
    **{f"loss_{name.split()[0]}": value for name, value in loss_of.items()},
)

# %% [markdown]
# Look at the dots: each is a fold. As long as the folds of one model lie further apart than the means of two, don't read an
# order out of the means. What the claim says is modest: sharing lost little. And look at the last row: one neuron has fewer
# parameters still and was told nothing about the table. Here, then, the graph is no gain over the simplest model. Telling a
# network what is true of its data pays where that can't be said in one neuron. Notebook 07 takes the idea to images: a
# convolution is a small layer shared by all places of a picture.
#
# ### Several outputs, and a loss for each
#
# A model may answer several questions at once. Let a second output give the thirty measures back, from the twelve numbers
# of the code alone. Who asks for that? Somebody who wants to know whether a record can be trusted: if the measures can't be
# rebuilt, there may be something wrong with them. Training needs one number to descend, so Keras adds the losses up, each
# times its **loss weight**:
#
# $$\text{loss} = 1 \cdot \text{binary cross-entropy} + w \cdot \text{mean squared error} .$$

# %%
def two_outputs(units=4):
    """The diagnosis, and the thirty measures again, both from the code."""
    inputs = [keras.Input((10,), name=name) for name in parts]
    encoder = Dense(units, activation="tanh", name="encoder")
    code = Concatenate(name="code")([encoder(one) for one in inputs])
    malignant = Dense(1, activation="sigmoid", name="malignant")(code)
    measures = Dense(30, name="measures")(code)
    return keras.Model(inputs, {"malignant": malignant, "measures": measures})


ck.plots.layer_graph(two_outputs())

# %% [markdown]
# The weight is a hyperparameter, and it decides what the twelve numbers are used for. So we try several and look at both
# outputs on the test patients. (For the second, predicting zero, the mean of each standardised measure, has an error of
# about 1.)

# %%
x, y = np.tile(x_train, (25, 1)), np.tile(y_train, 25)  # copies, as above
weights = scale(quick=[0, 1, 10], full=[0, 0.1, 0.3, 1, 3, 10, 30, 100])
two_headed, diagnosis, rebuilt = {}, [], []
with ck.progress(len(weights), "loss weights", unit="fit") as bar:
    for w in weights:
        model = two_headed[w] = get_ready(
            two_outputs(),
            keras.optimizers.Adam(0.02),
            loss={"malignant": "binary_crossentropy", "measures": "mse"},
            loss_weights={"malignant": 1.0, "measures": w},
        )
        model.fit(in_three(x), {"malignant": y, "measures": x}, batch_size=64, verbose=0)
        said = {name: ops.convert_to_numpy(one) for name, one in model(in_three(x_test)).items()}
        diagnosis.append(judged(said["malignant"][:, 0], y_test)[0])
        rebuilt.append(float(np.mean((said["measures"] - x_test) ** 2)))
        bar.update()
both = {"diagnosis: log loss": diagnosis, "measures: squared error": rebuilt}
ck.plots.curves(weights, both, "loss weight of the measures", "test loss", x_scale="symlog")

# %%
claim(
    "without weight the second output is useless; with it, 12 numbers rebuild 30 for the most part",
    rebuilt[0] > 0.9 and rebuilt[weights.index(1)] < 0.5,
    f"squared error {rebuilt[0]:.2f} and {rebuilt[weights.index(1)]:.2f}",
    rebuilt_0=rebuilt[0],
    rebuilt_1=rebuilt[weights.index(1)],
)
raw = float(np.mean((cancer.x_train - cancer.x_train.mean(axis=0)) ** 2))
print(f"in raw units, predicting the mean of each measure would cost {raw:,.0f},")
print(f"and knowing nothing of the diagnosis, p = 0.5, costs {np.log(2):.2f}")

# %% [markdown]
# The last two lines show the classic mistake with several losses: they are added whatever their units, and without
# standardisation the sum would hardly notice the diagnosis. Bring the targets to one scale first, then weigh.
#
# And does the second output earn its keep? Test it on the accident that it is for. In half of the records we exchange the
# ten *worst* values for those of another patient, as happens when rows of two tables slip against each other. Then we ask
# how well the error of the second output tells mixed records from sound ones (AUC, notebook 04: one half is guessing).

# %%
def doubt(model, x):
    """How badly each record is rebuilt: (n,)."""
    return ((ops.convert_to_numpy(model(in_three(x))["measures"]) - x) ** 2).mean(axis=1)


found = {w: [] for w in weights}
for _ in range(20):
    mixed, order = x_test.copy(), rng.permutation(len(x_test))
    mixed[order, 20:] = x_test[np.roll(order, 1), 20:]  # from the one before in a random order
    is_mixed = rng.random(len(x_test)) < 0.5
    records = np.where(is_mixed[:, None], mixed, x_test)
    for w, model in two_headed.items():
        found[w].append(roc_auc_score(is_mixed, doubt(model, records)))
found = {w: float(np.mean(values)) for w, values in found.items()}
print({w: round(value, 2) for w, value in found.items()})
claim(
    "the second output notices mixed records, if it was trained to rebuild them",
    found[1] > 0.65 and found[1] > found[0] + 0.08,
    f"AUC {found[1]:.2f} with weight 1, {found[0]:.2f} with weight 0",
    mixed_auc=found[1],
)

# %% [markdown]
# ### Skip connections
#
# In notebook 04 gradients died on their way through many layers. A graph offers a way round them. Let a block of layers
# compute only what should be *added* to its input:
#
# $$y = x + f(x), \qquad \frac{\partial y}{\partial x} = 1 + f'(x) .$$
#
# The path that carries $x$ past the block is a **skip connection**, and the block with it a **residual block** (He and
# others, 2016). However small $f'$ becomes, the 1 lets the gradient through. If the last layer of $f$ starts from zero
# weights, each block starts as a wire, and departs from it as far as it pays.

# %%
def tower(blocks, skip, units=32):
    """A deep network of blocks of two layers for 8 × 8 digits, with or without skip connections."""
    inputs = keras.Input((64,), name="pixels")
    x = Dense(units, activation="relu", name="first")(inputs)
    for i in range(1, blocks + 1):
        start = "zeros" if skip else "he_normal"
        last = None if skip else "relu"
        f = Dense(units, activation="relu", kernel_initializer="he_normal", name=f"inner_{i}")(x)
        f = Dense(units, activation=last, kernel_initializer=start, name=f"outer_{i}")(f)
        x = Add(name=f"sum_{i}")([x, f]) if skip else f
    return keras.Model(inputs, Dense(10, name="logits")(x))


ck.plots.layer_graph(tower(2, skip=True))

# %% [markdown]
# Eight blocks make a tower of 17 hidden layers. The plain tower gets the best start that we know (He's, notebook 04) and a
# ReLU after each layer. Both have layers of the same sizes, the same data and the same optimizer.

# %%
digits = load("digits")
pixels, test_pixels = (
    (x.reshape(-1, 64) / 16).astype("float32") for x in (digits.x_train, digits.x_test)
)
labels, test_labels = digits.y_train.astype(int), digits.y_test.astype(int)
loss_after = {}  # each epoch
epochs = scale(quick=4, full=30)
with ck.progress(2 * epochs, "two towers") as bar:
    for name, skip in {"plain": False, "with skips": True}.items():
        from_logits = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model = get_ready(tower(8, skip), keras.optimizers.Adam(0.002), from_logits)
        history = model.fit(
            pixels, labels, epochs=epochs, batch_size=64, verbose=0, callbacks=[bar.callback()]
        )
        loss_after[name] = history.history["loss"]
        right = np.mean(outputs(model, test_pixels).argmax(axis=1) == test_labels)
        print(f"{name:10} {model.count_params():,} parameters, test {right:.3f}")
        keras.utils.clear_session()  # Keras need not remember this tower
ck.plots.curves(np.arange(1, epochs + 1), loss_after, "epoch", "training loss")

# %%
claim(
    "after four epochs 17 layers with skip connections have less than 0.6 of the loss without",
    loss_after["with skips"][3] < 0.6 * loss_after["plain"][3],
    f"training loss after 4 epochs {loss_after['with skips'][3]:.2f} against "
    f"{loss_after['plain'][3]:.2f}",
    skip_loss=loss_after["with skips"][3],
    plain_loss=loss_after["plain"][3],
)

# %% [markdown]
# Digits of 8 × 8 pixels need no 17 layers. The point is that depth need no longer be paid for with training that stalls.
# Most deep networks from here on, convolutional or transformer, have skips.
#
# ## 4. A layer of your own
#
# Keras lacks a layer you need? Write a class with four methods, each with one task:
#
# - `__init__` takes what the user chooses (the number of units);
# - `build` gets the shape of the input, once, and makes the weights;
# - `call` computes, for every batch;
# - `get_config` returns what `__init__` needs to make the same layer again. (Keras guesses it where all arguments are plain
#   numbers, texts or lists of them. For an array or a layer as an argument it can't, so get used to writing it.)
#
# Such a **custom layer** is code, and a class that stands in a notebook's cell lives in this kernel only. So we write ours
# straight into a file, a Python module; that is what the first line of the cell does. To have something to check it
# against, it does what `Dense` does.

# %%
# %%writefile my_layers.py
"""Layers of our own."""
import keras
from keras import ops


@keras.saving.register_keras_serializable("course")  # its name in files: course>Affine
class Affine(keras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)  # the name, and what else every layer has
        self.units = units

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), name="kernel")
        self.bias = self.add_weight(shape=(self.units,), initializer="zeros", name="bias")

    def call(self, x):  # (n, inputs) to (n, units)
        return ops.matmul(x, self.kernel) + self.bias

    def get_config(self):
        return super().get_config() | {"units": self.units}


# %% [markdown]
# Three things to check: it computes what `Dense` computes, it learns what `Dense` learns, and its copy, made from the
# config, is like it.

# %%
sys.path.insert(0, os.getcwd())  # Python finds modules in the folders of this list
from my_layers import Affine


def small(kind):
    """30-8-1 with the given class in the place of Dense, and logits."""
    return keras.Sequential([keras.Input((30,)), kind(8), keras.layers.ReLU(), kind(1)])


model, reference = small(Affine), small(Dense)
reference.set_weights(model.get_weights())
at_start = np.abs(outputs(model, x_test) - outputs(reference, x_test)).max()
for one in (model, reference):
    from_logits = keras.losses.BinaryCrossentropy(from_logits=True)
    get_ready(one, keras.optimizers.SGD(0.1), from_logits)
    one.fit(x_train, y_train, epochs=2, batch_size=32, shuffle=False, verbose=0)
pairs = list(zip(model.get_weights(), reference.get_weights()))
trained_apart = max(np.abs(ours - keras_own).max() for ours, keras_own in pairs)

# %%
copy = Affine.from_config(model.layers[0].get_config())
print("config:", {key: value for key, value in copy.get_config().items() if key != "dtype"})
claim(
    "our layer computes and learns what Dense does",
    at_start < 1e-5 and trained_apart < 1e-5,
    f"largest difference of outputs {at_start:.0e}, of weights after training {trained_apart:.0e}",
)
claim(
    "a copy from the config has the same units and no weights yet",
    copy.units == 8 and not copy.weights and copy.name == model.layers[0].name,
)

# %% [markdown]
# Weights belong into `build`, made by `add_weight`: only then does Keras find them, train them and save them. An array kept
# as `self.table = np.array(...)` computes as well, and is neither trained nor saved.
#
# **Does it survive?** Save the model, start a fresh Python process that knows nothing of this notebook, and load it there.
# That process needs the code: Keras finds the class by its name in a register, and it is the line with `@` above the class
# that enters it there, when the module is imported. We try without the import first. (The process runs Keras on NumPy, which
# can't train, but predicts and starts quickly. Section 9 has more on this.)

# %%
def elsewhere(code, backend):
    """Run Python code in a fresh process, in this folder, on the processor. What it printed."""
    settings = {"CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu", "TF_CPP_MIN_LOG_LEVEL": "3"}
    if backend != "tensorflow":  # Keras would load TensorFlow as well, if it found it
        code = "import sys; sys.modules['tensorflow'] = None\n" + code
    process = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | settings | {"KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
    )
    if process.returncode:
        raise RuntimeError(process.stderr[-2000:])
    return process.stdout.strip()


model.save("affine.keras")
np.save("x.npy", x_test)
here = outputs(model, x_test)

# %%
load_twice = """
import keras, numpy as np
try:
    keras.saving.load_model("affine.keras")
except TypeError as error:
    print("refused:", "Could not locate class 'Affine'" in str(error))
import my_layers
model = keras.saving.load_model("affine.keras")
y = keras.ops.convert_to_numpy(model(np.load("x.npy")))
np.savez("there.npz", y, *model.get_weights())
print([type(layer).__name__ for layer in model.layers])
"""
said = elsewhere(load_twice, "numpy")
print(said)
there, *weights = np.load("there.npz").values()
difference = np.abs(there - here).max() / np.abs(here).max()
claim(
    "a fresh process can't find our class without our module",
    said.startswith("refused: True"),
)
claim(
    "with the module it has our weights to the last digit, and gives our outputs",
    all(np.array_equal(a, b) for a, b in zip(weights, model.get_weights())) and difference < 0.005,
    f"{len(weights)} arrays; the outputs differ by {difference:.0e} of the largest",
)


# %% [markdown] tags=["exercise"]
# ### Exercise 6.3: the scaler moves in
#
# Whoever runs your model must scale the inputs as you did, and one day somebody won't. So put the scaling into the model:
# write a layer that subtracts a mean and divides by a deviation, each one number a feature. Both are given when the layer
# is made, as lists or arrays; they are *not* trained. The copy made from the config must scale alike, and the config must
# fit into a JSON file, which knows lists and numbers but no arrays.

# %% tags=["exercise"]
# NBVAL_CHECK_OUTPUT
class Standardise(keras.layers.Layer):
    """(x - mean) / deviation, for each feature."""

    def __init__(self, mean, deviation, **kwargs):
        super().__init__(**kwargs)
        ...  # your code

    def call(self, x):
        ...  # your code

    def get_config(self):
        ...  # your code


check("6.3", Standardise)


# %% cellView="form" jupyter={"source_hidden": true} tags=["solution"]
# NBVAL_CHECK_OUTPUT
class Standardise(keras.layers.Layer):  # Keras's own keras.layers.Normalization does this, too
    """(x - mean) / deviation, for each feature."""

    def __init__(self, mean, deviation, **kwargs):
        super().__init__(**kwargs)
        self.mean = [float(value) for value in mean]
        self.deviation = [float(value) for value in deviation]

    def call(self, x):
        mean, deviation = (
            ops.convert_to_tensor(values, dtype=x.dtype) for values in (self.mean, self.deviation)
        )
        return (x - mean) / deviation

    def get_config(self):
        return super().get_config() | {"mean": self.mean, "deviation": self.deviation}


check("6.3", Standardise)


# %% [markdown]
# ## 5. Losses, metrics and callbacks of your own
#
# A loss is a function of the truth and the prediction that returns one number for each example; write it with
# `keras.ops`, and the backend finds the gradient. Take the doctor's view: overlooking a tumour is worse than a false alarm,
# let us say five times. So weigh the two halves of the cross-entropy differently. Keras has a way to say the same with
# `class_weight`; if we are right, both must train to the same weights.

# %%
@keras.saving.register_keras_serializable("course")
def overlooking_costs_more(y_true, y_pred):
    """Binary cross-entropy in which an overlooked tumour counts five times. (n, 1) to (n,)."""
    p = ops.clip(y_pred, 1e-7, 1 - 1e-7)  # the logarithm of 0 would end the training
    cost = -5 * y_true * ops.log(p) - (1 - y_true) * ops.log(1 - p)
    return ops.mean(cost, axis=-1)


start = as_sequential().get_weights()
ill = y_train[:, None].astype("float32")  # (455, 1), as the predictions
trained = {}
for name, loss, class_weight in [
    ("plain", "binary_crossentropy", None),
    ("our loss", overlooking_costs_more, None),
    ("class_weight", "binary_crossentropy", {0: 1.0, 1: 5.0}),
]:
    model = trained[name] = as_sequential()
    model.set_weights(start)
    get_ready(model, keras.optimizers.SGD(0.05), loss)
    more = {"epochs": 8, "batch_size": 32, "shuffle": False, "class_weight": class_weight}
    model.fit(x_train, ill, verbose=0, **more)

# %%
pairs = zip(trained["our loss"].get_weights(), trained["class_weight"].get_weights())
apart = max(np.abs(a - b).max() for a, b in pairs)
alarms, belief = {}, {}
for name, model in trained.items():
    p = outputs(model, x_test)[:, 0]
    alarms[name], belief[name] = int(np.sum(p > 0.5)), float(np.mean(p))
    overlooked = np.sum((p <= 0.5) & (y_test == 1))
    print(f"{name:12} {alarms[name]} alarms; of {y_test.sum()} tumours {overlooked} overlooked")
claim(
    "our loss trains to the weights that class_weight gives, and suspects more than the plain one",
    apart < 1e-4 and belief["our loss"] > belief["plain"] + 0.01
    and alarms["our loss"] >= alarms["plain"],
    f"largest difference {apart:.0e}; mean probability {belief['our loss']:.2f} against "
    f"{belief['plain']:.2f}",
)


# %% [markdown]
# A **metric** is watched, not descended. It has a trap of its own. Keras measures batch by batch, and for a mean over
# examples that is fine. But the share of tumours overlooked is a quotient, and *the mean of quotients is not the quotient
# of sums*: a batch without a single tumour says nothing, and a batch with one says as much as a batch with six. So a metric
# has a **state**: it counts, batch by batch, and divides at the end.

# %%
@keras.saving.register_keras_serializable("course")
class Overlooked(keras.metrics.Metric):
    """The share of malignant masses that were called benign."""

    def __init__(self, name="overlooked", **kwargs):
        super().__init__(name=name, **kwargs)
        self.ill = self.add_weight(name="ill", initializer="zeros")
        self.missed = self.add_weight(name="missed", initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):  # after each batch
        ill = ops.cast(y_true, "float32")
        self.ill.assign(self.ill + ops.sum(ill))
        self.missed.assign(self.missed + ops.sum(ill * ops.cast(y_pred <= 0.5, "float32")))

    def result(self):  # when somebody asks; reset_state(), inherited, sets the counts to zero
        return self.missed / ops.maximum(self.ill, 1.0)


# %%
y_true = y_test[:, None].astype("float32")
p = outputs(trained["plain"], x_test)
exact = float(np.mean(p[y_true == 1] <= 0.5))
metric, one_by_one = Overlooked(), []
for i in range(0, len(p), 8):  # batches of 8
    metric.update_state(y_true[i : i + 8], p[i : i + 8])
    alone = Overlooked()
    alone.update_state(y_true[i : i + 8], p[i : i + 8])
    one_by_one.append(float(alone.result()))
with_state, mean_of_batches = float(metric.result()), float(np.mean(one_by_one))
model = trained["plain"]
get_ready(model, "sgd", metrics=[Overlooked()])
by_keras = model.evaluate(x_test, y_true, batch_size=8, verbose=0, return_dict=True)["overlooked"]
print(f"exact {exact:.3f}, with state {with_state:.3f}, Keras {by_keras:.3f}")
print(f"mean of the shares of {len(one_by_one)} batches {mean_of_batches:.3f}")
claim(
    "with a state the metric is exact for any batches, alone and in evaluate",
    abs(with_state - exact) < 1e-6 and abs(by_keras - exact) < 1e-6,
)

# %% [markdown] tags=["exercise"]
# ### Exercise 6.4: the worst of all
#
# A mean can hide a disaster. Write a metric whose result is the **largest** absolute difference between truth and
# prediction since the last reset. It must not depend on how the examples are cut into batches. (Not every state is a sum.
# `reset_state` comes with the class, and sets all weights to zero.)

# %% tags=["exercise"]
# NBVAL_CHECK_OUTPUT
class WorstError(keras.metrics.Metric):
    """The largest absolute error so far."""

    def __init__(self, name="worst_error", **kwargs):
        super().__init__(name=name, **kwargs)
        ...  # your code

    def update_state(self, y_true, y_pred, sample_weight=None):
        ...  # your code

    def result(self):
        ...  # your code


check("6.4", WorstError)


# %% cellView="form" jupyter={"source_hidden": true} tags=["solution"]
# NBVAL_CHECK_OUTPUT
class WorstError(keras.metrics.Metric):
    """The largest absolute error so far."""

    def __init__(self, name="worst_error", **kwargs):
        super().__init__(name=name, **kwargs)
        self.worst = self.add_weight(name="worst", initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        here = ops.max(ops.abs(ops.cast(y_true, "float32") - ops.cast(y_pred, "float32")))
        self.worst.assign(ops.maximum(self.worst, here))

    def result(self):
        return ops.convert_to_tensor(self.worst)


check("6.4", WorstError)

# %% [markdown]
# A **callback** is an object with methods that `fit` calls at set moments. It can look at `self.model`, change it, save
# it, or stop the training (`self.model.stop_training = True`). First, when are they called?

# %%
# NBVAL_CHECK_OUTPUT
class Diary(keras.callbacks.Callback):
    """Writes down what is called when."""

    def __init__(self):
        super().__init__()
        self.pages = []

    def on_train_begin(self, logs=None):
        self.pages.append("train begins")

    def on_epoch_begin(self, epoch, logs=None):
        self.pages.append(f"epoch {epoch}:")

    def on_train_batch_end(self, batch, logs=None):
        self.pages.append(f"batch {batch}")

    def on_epoch_end(self, epoch, logs=None):
        self.pages.append(f"logs {sorted(logs)}")


diary = Diary()
model.fit(x_train[:64], ill[:64], epochs=2, batch_size=32, verbose=0, callbacks=[diary])
print(" | ".join(diary.pages))


# %% [markdown]
# And one to use: keep the weights of the epoch with the lowest validation loss, and put them back at the end. Keras's
# `EarlyStopping` can do this, too; both go along in one training, and the patience of Keras's is so long that it never
# stops. They should agree.

# %%
class KeepBest(keras.callbacks.Callback):
    """Remember the weights of the epoch with the lowest validation loss."""

    def on_train_begin(self, logs=None):
        self.lowest, self.weights, self.epoch = np.inf, None, None

    def on_epoch_end(self, epoch, logs=None):
        if logs["val_loss"] < self.lowest:
            self.lowest, self.epoch = logs["val_loss"], epoch
            self.weights = self.model.get_weights()  # copies


# %%
model, ours = get_ready(as_sequential(), keras.optimizers.Adam(0.02)), KeepBest()
keras_own = keras.callbacks.EarlyStopping(patience=10_000, restore_best_weights=True)
history = model.fit(
    x_train, y_train, epochs=10, batch_size=32, validation_split=0.3, verbose=0,
    callbacks=[ours, keras_own],
)
ck.plots.history(history)
pairs = zip(ours.weights, model.get_weights())  # Keras has put its own back
claim(
    "our callback kept the weights that EarlyStopping restored, of the epoch with the lowest loss",
    all(np.array_equal(a, b) for a, b in pairs)
    and ours.epoch == int(np.argmin(history.history["val_loss"])),
    f"epoch {ours.epoch + 1} of {len(history.epoch)}",
)

# %% [markdown]
# Other callbacks that Keras brings: `ModelCheckpoint` saves to a file as training goes, `CSVLogger` writes the history to a
# table, `ReduceLROnPlateau` and `LearningRateScheduler` change the learning rate, `TerminateOnNaN` stops a training that has
# blown up.
#
# ## 6. Eager and traced
#
# There are two ways to run code like ours. **Eager execution** does each operation when Python reaches it: ask for a sum,
# get a number. That is how NumPy works, and it is pleasant to debug. But a network of tiny operations spends more time in
# Python than on arithmetic. The other way is **tracing**: run the Python function *once*, on placeholders, write down the
# operations it asks for, and from then on replay the list, without Python. You have seen the trick in section 2, with
# layers. Here it is with single operations:

# %%
class Symbol:
    """A number that will come later. Arithmetic with it is written down, not done."""

    def __init__(self, name, tape):
        self.name, self.tape = name, tape

    def __mul__(self, other):
        self.tape.append(("*", self.name, getattr(other, "name", other)))
        return Symbol(f"t{len(self.tape)}", self.tape)

    def __add__(self, other):
        self.tape.append(("+", self.name, getattr(other, "name", other)))
        return Symbol(f"t{len(self.tape)}", self.tape)


def replay(tape, x):
    """Do what the tape says, for a number or an array. No code of the traced function runs."""
    values = {"x": x}
    for i, (operation, a, b) in enumerate(tape, 1):
        a, b = (values.get(one, one) for one in (a, b))
        values[f"t{i}"] = a * b if operation == "*" else a + b
    return values[f"t{len(tape)}"]


# %%
# NBVAL_CHECK_OUTPUT
runs = []


def curious(x):
    runs.append("Python was here")  # a side effect
    for factor in (2, 3):  # a Python loop
        x = x * factor
    return x + len(runs)  # a number that Python knows now


tape = []
curious(Symbol("x", tape))
for number, line in enumerate(tape, 1):
    print(f"t{number} =", line[1], line[0], line[2])
print("replayed:", [replay(tape, value) for value in (1, 10, 100)])
print("called:  ", [curious(value) for value in (1, 10, 100)])
claim("three replays ran no Python of the function", len(runs) == 1 + 3)

# %% [markdown]
# Everything that one must know about tracing is in these few lines:
#
# - the **side effect** happened once, when the function was traced, and not at the replays;
# - the Python **loop** is gone: it was *unrolled* into the operations it asked for;
# - the number `len(runs)`, which Python knew at that moment, is **frozen** into the tape, and so the replays go on adding 1;
# - an `if x > 0` could not have been recorded at all: a placeholder is neither positive nor negative.
#
# Keras traces for you. On TensorFlow and JAX, `fit`, `evaluate` and `predict` trace the model and replay it; on PyTorch
# they run eagerly unless asked otherwise (`compile(jit_compile=True)`). So a layer whose `call` draws its noise with NumPy
# is a mistake that shows up only when traced: it draws once.

# %%
class FrozenNoise(keras.layers.Layer):
    runs = 0

    def call(self, x):
        FrozenNoise.runs += 1
        return x + rng.normal()  # NumPy: Python draws, the tape keeps the number


class Noise(keras.layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seed = keras.random.SeedGenerator(1)  # its state is a weight

    def call(self, x):
        return x + keras.random.normal((), seed=self.seed)  # an operation: it is on the tape


# %%
zeros = np.zeros((4, 1), "float32")
draws = {}
for name, layer in {"NumPy": FrozenNoise(), "keras.random": Noise()}.items():
    model = keras.Sequential([keras.Input((1,)), layer])
    FrozenNoise.runs = 0
    predicted = [float(model.predict(zeros, verbose=0)[0, 0]) for _ in range(5)]
    called = [float(outputs(model, zeros)[0, 0]) for _ in range(5)]
    draws[name] = len(set(predicted)), len(set(called))
    print(f"{name:12} different of five: predict {draws[name][0]}, model(x) {draws[name][1]}")
    if name == "NumPy":
        print(f"{name:12} Python ran call {FrozenNoise.runs - 5} time(s) in five predictions")

# %%
traced = keras.backend.backend() in ("tensorflow", "jax")
claim(
    "noise drawn by NumPy is frozen where the backend traces; noise drawn by Keras never is",
    draws == {"NumPy": (1 if traced else 5, 5), "keras.random": (5, 5)},
    f"{keras.backend.backend()}: {'traced' if traced else 'run by Python each time'}",
)


# %% [markdown]
# ### tf.function
#
# In TensorFlow the decorator `@tf.function` traces a function of your own. A trace is made for each *signature*: for
# tensors that is shape and type, not the value; for plain Python numbers it is the value itself. A new signature means
# **retracing**, and a function that is retraced at each call is slower than one that was never traced.

# %%
def only_on_tensorflow(experiment):
    """Run it on the TensorFlow backend; elsewhere say that it is skipped."""
    if keras.backend.backend() == "tensorflow":
        experiment()
    else:
        print(f"Skipped: this cell needs TensorFlow; Keras runs on {keras.backend.backend()}.")


# %%
def signatures():
    import tensorflow as tf

    traces = []

    @tf.function
    def double(x):
        traces.append(1)  # a side effect: it counts the traces
        return 2 * x

    scalar, other, vector = tf.constant(1.0), tf.constant(7.0), tf.constant([1.0, 2.0])
    for text, x in [
        ("a scalar", scalar), ("another", other), ("a vector", vector), ("3.0", 3.0), ("4.0", 4.0)
    ]:
        known = len(traces)
        double(x)
        print(f"{text:9} {'traced' if len(traces) > known else 'replayed'}")
    claim("two tensors of one signature share a trace, two Python numbers don't", len(traces) == 4)


only_on_tensorflow(signatures)

# %% [markdown]
# So hand tensors, not Python numbers, to a traced function, and give sequences of changing length a signature that allows
# it: `@tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])` is traced once for all lengths. And what of an
# `if`? TensorFlow reads the source of the function and rewrites an `if` over tensors into an operation that knows both
# branches; it calls this AutoGraph. An `if` over Python values stays Python, and is decided while tracing.
#
# Now the clock. Two functions: two hundred tiny operations in a row, and three products of large matrices.

# %%
def many_small(x):
    for _ in range(200):
        x = x * 0.99 + 0.01
    return x


def few_large(x):
    return x @ x @ x @ x


# %%
def race():
    import tensorflow as tf

    faster = {}
    for function, size in ((many_small, 10), (few_large, 700)):
        x = tf.constant(rng.normal(size=(size, size)) / size, tf.float32)
        milliseconds = {}
        for name, run_it in {"eager": function, "traced": tf.function(function)}.items():
            run_it(x)  # the first call traces
            times = []
            for _ in range(10):
                began = time.perf_counter()
                run_it(x).numpy()
                times.append(time.perf_counter() - began)
            milliseconds[name] = 1000 * min(times)
        faster[function.__name__] = milliseconds["eager"] / milliseconds["traced"]
        print(function.__name__, {name: f"{ms:.2f} ms" for name, ms in milliseconds.items()})
    claim(
        "tracing pays for many small operations",
        faster["many_small"] > 1.5,
        f"eagerly {faster['many_small']:.0f} times as long",
    )


only_on_tensorflow(race)

# %% [markdown]
# For the large matrices it matters less: the arithmetic takes its time either way. A Keras model can be run both ways, too.
# `compile(run_eagerly=True)` lets Python do every step: slow, but you can print, and stop with a debugger. Otherwise the
# training step is traced. How often does Python run the `call` of a layer? And when is the price of tracing paid?

# %%
class Counted(Dense):
    runs = 0

    def call(self, x):
        Counted.runs += 1
        return super().call(x)


# %%
def eager_and_traced_fit():
    ran = {}
    for name in ("eager", "traced"):
        model = keras.Sequential([keras.Input((30,)), Counted(8), Dense(1, activation="sigmoid")])
        get_ready(model, "adam", run_eagerly=name == "eager")
        for epoch in ("first", "second"):
            Counted.runs, began = 0, time.perf_counter()
            model.fit(x_train[:160], y_train[:160], batch_size=16, epochs=1, verbose=0)
            ms, ran[name, epoch] = 1000 * (time.perf_counter() - began), Counted.runs
            print(f"{name:6} {epoch:6} epoch {ms:6.0f} ms, call ran {ran[name, epoch]:2} times")
    claim(
        "run eagerly, Python is called in each of ten steps; traced, not once in the second epoch",
        ran["eager", "first"] == ran["eager", "second"] == 10 and ran["traced", "second"] == 0,
    )


only_on_tensorflow(eager_and_traced_fit)


# %% [markdown]
# The times belong to this machine and this minute, so nothing is claimed about them.
#
# Now you can read `get_ready` of section 1. One thing more can be done with a recorded list: a compiler, XLA, can turn it
# into machine code. By default Keras has that done on TensorFlow and JAX. For a small network that is trained for seconds the
# compiler can cost more than it saves, and so `get_ready` says `jit_compile=False` on TensorFlow (*just in time* is what one
# calls such compiling). On JAX the same switch would let Python do every step; there it stays on. And `optimizer.build` makes
# Adam's averages beforehand: variables that are born while `tf.function` traces cost it a second trace.
#
# The other frameworks drew the line elsewhere. In **JAX**, `jax.jit` traces a function, by signature as well (a Python
# number counts as a scalar there, whatever its value), and an `if` over a traced value is an error. **PyTorch** built its
# name on the opposite: **define-by-run**, the graph for the gradient is recorded anew in each forward pass while Python runs,
# so that any `if` and any loop just works; `torch.compile` adds tracing for those who want it. TensorFlow 1 was at the other
# end: define the graph first, then run it. TensorFlow 2 is eager, with `tf.function` on demand: a compromise, as is Keras.

# %%
ask_jax = """
import jax
import numpy as np
traces = []

@jax.jit
def double(x):
    traces.append(1)
    return 2 * x

double(1.0), double(2.0), double(np.ones(3))
try:
    jax.jit(lambda x: x if x > 0 else -x)(1.0)
except jax.errors.TracerBoolConversionError as error:
    print(len(traces), "traces for two numbers and a vector; to an if:", type(error).__name__)
"""
if importlib.util.find_spec("jax"):
    said = elsewhere(ask_jax, "jax")
    print(said)
    claim(
        "JAX traces once per signature and refuses an `if` over a traced value",
        said.startswith("2 traces") and said.endswith("Error"),
    )
else:
    print("JAX is not installed here; `make env` brings it.")

# %% [markdown] tags=["exercise"]
# ### Exercise 6.5: how many traces?
#
# With the `double` of the tf.function cell (freshly decorated), somebody calls, in this order: `double(tf.constant(1.0))`,
# `double(2.0)`, `double(tf.constant(5.0))`, `double(3.0)`, `double(2.0)`, `double(tf.constant([1.0, 2.0]))`,
# `double(tf.constant([3.0, 4.0]))`, `double(tf.constant([[1.0]]))`. How many times does Python run its body?

# %% tags=["exercise"]
# NBVAL_CHECK_OUTPUT
answer = ...

check("6.5", answer)

# %% cellView="form" jupyter={"source_hidden": true} tags=["solution"]
# NBVAL_CHECK_OUTPUT
answer = 5  # scalar tensor, the number 2.0, the number 3.0, vector of two, matrix (1, 1)

check("6.5", answer)

# %% [markdown]
# ## 7. What a file keeps
#
# `model.save("name.keras")` writes one file. It is a zip archive; open it.

# %%
model = trained["our loss"]
model.save("model.keras")
with zipfile.ZipFile("model.keras") as archive:
    for entry in archive.infolist():
        print(f"{entry.filename:18} {entry.file_size:6,} bytes")
    config = json.loads(archive.read("config.json"))
print("config.json holds", ", ".join(config))
print("layers:", [layer["class_name"] for layer in config["config"]["layers"]])
print("compiled with", config["compile_config"]["loss"])
again = keras.saving.load_model("model.keras")
claim(
    "the loaded model gives the same outputs, to the last digit",
    np.array_equal(outputs(again, x_test), outputs(model, x_test)),
)

# %% [markdown]
# So: `config.json` is the graph, as text, with each layer's `get_config`. `model.weights.h5` holds the weights, and the
# state of the optimizer. **Code is not in the file.** Layers and losses stand there by name, and whoever loads the file must have
# the code under that name: Keras's own is found in Keras, ours is found because it was registered. (`load_model(...,
# compile=False)` leaves loss and optimizer aside, which is all one needs to predict.)
#
# And a subclassed model? Its graph *is* code. The file names the class and holds the weights; without the class there is
# nothing that could use them.
#
# The state of the optimizer matters when a training is to go on. We train four epochs in one go; and we train two, save, and
# let two copies continue: one from the whole file, one from nothing but the weights, with a fresh optimizer.

# %%
def fresh():
    return get_ready(as_sequential(), keras.optimizers.Adam(0.01))


def two_epochs(model):
    model.fit(x_train, y_train, epochs=2, batch_size=32, shuffle=False, verbose=0)
    return outputs(model, x_test)


def bare(model):
    """The same layers with the same weights, as a model without loss and optimizer."""
    return keras.Model(model.inputs, model.outputs)


model = fresh()
two_epochs(model)
model.save("halfway.keras")
bare(model).save_weights("halfway.weights.h5")
in_one_go = two_epochs(model)

# %%
whole_file = two_epochs(keras.saving.load_model("halfway.keras"))
model = fresh()  # the graph from our code ...
bare(model).load_weights("halfway.weights.h5")  # ... and the weights from the file
weights_only = two_epochs(model)
gaps = {
    "whole file": np.abs(whole_file - in_one_go).max(),
    "weights only": np.abs(weights_only - in_one_go).max(),
}
claim(
    "training goes on from the whole file as if never interrupted; from weights alone it does not",
    gaps["whole file"] < 1e-5 and gaps["weights only"] > 1e-3,
    ", ".join(f"{name}: {gap:.0e} away" for name, gap in gaps.items()),
)

# %% [markdown]
# Adam keeps two running means for each weight (notebook 03), so with them the file is three times the size. To hand a model
# to somebody who only predicts, leave them out. Mind the name: `save_weights` on a compiled model writes the optimizer's
# state as well; only a model without an optimizer gives a file of weights.

# %%
model = keras.Sequential([keras.Input((784,)), Dense(512, activation="relu"), Dense(10)])
get_ready(model, "adam", loss="mse")
model.save("compiled.keras")
model.save_weights("compiled.weights.h5")
bare(model).save("bare.keras")
bare(model).save_weights("bare.weights.h5")
needed = 4 * model.count_params()  # a float32 has 4 bytes
times = {}
for name in ("compiled.keras", "compiled.weights.h5", "bare.keras", "bare.weights.h5"):
    times[name] = os.path.getsize(name) / needed
    print(f"{name:20} {os.path.getsize(name):9,} bytes, {times[name]:.2f} times the weights")
claim(
    "the optimizer's state makes both kinds of file three times as large",
    2.9 < times["compiled.keras"] / times["bare.keras"] < 3.1
    and 2.9 < times["compiled.weights.h5"] / times["bare.weights.h5"] < 3.1,
)

# %% [markdown]
# ## 8. Files from strangers
#
# The rule "code is not in the file" has an exception. A **Lambda layer** wraps a function, handy in a draft:
# `keras.layers.Lambda(lambda x: x / 255)`. A lambda has no name that Keras could write down. So it writes the function's
# *bytecode* into `config.json`: what Python has translated the source into, and can run. Two things follow. Bytecode belongs
# to one version of Python, so the file may not load in the next. And a file that holds code can hold any code.
#
# Here is one, a harmless one. Its lambda passes numbers through, and on the way writes a file. It might as well have read
# your keys.

# %%
def pass_through(layer):
    inputs = keras.Input((30,))
    return keras.Model(inputs, layer(inputs))


two_faced = keras.layers.Lambda(lambda x: (open("marker.txt", "w").close(), x)[1])
pass_through(two_faced).save("from_a_stranger.keras")


def marker():
    """Whether the marker file is there; it is then removed."""
    there = os.path.exists("marker.txt")
    if there:
        os.remove("marker.txt")
    return there


marker()  # building the model has run the lambda, too
try:
    keras.saving.load_model("from_a_stranger.keras")
    refused = False
except ValueError as error:
    refused = True
    print(str(error).split(". ")[0])
ran_when_refused = marker()

# %% [markdown]
# Keras refuses: `load_model` has `safe_mode=True` by default and won't turn bytecode into a function. To see what would
# have happened, switch it off for once. (With this file we may: we wrote it a minute ago.)

# %%
unsafe = keras.saving.load_model("from_a_stranger.keras", safe_mode=False)
ran_when_loaded = marker()  # and nothing has been predicted yet
claim(
    "safe mode refuses the file and runs nothing; without it, loading alone runs the code",
    refused and not ran_when_refused and ran_when_loaded,
)


# %% [markdown]
# **Loading was enough.** To rebuild the graph, Keras calls each layer on a placeholder, and that runs the lambda.
#
# Is safe mode safe, then? Safer. It has been got round more than once. In Keras before 3.9 a `config.json` written by hand
# could name any function of any Python module, and loading called it, safe mode or not (CVE-2025-1550). Before 3.11 it could
# name a function of Keras itself that switches safe mode off, and the lambda after it ran (CVE-2025-9906). The version you
# run has learned from both: it looks up names in Keras, in Keras's sister packages and among what has been registered,
# nowhere else, and a list of functions that have no place in a model is barred. But its own documentation says that safe mode
# guards only against code inside the file. So, in this order:
#
# 1. **Don't save `Lambda`.** A registered layer of five lines, or a function of `keras.ops` in a functional model, does the
#    same and stands in the file by name only.
# 2. **Leave `safe_mode` as it is**, and keep Keras up to date.
# 3. **Prefer weights to models.** With the architecture in your own code, `load_weights` reads arrays and no names of code.
# 4. **Look before you load.** The graph is text; you can read it without running anything.
# 5. **If you must load a file that you do not trust**, do it in a sandbox or a container, without network and keys. That
#    goes for other formats, too: a Python pickle can run code when it is read, and TensorFlow's own security notes say
#    that its models are programs.
#
# The first point, done:

# %%
@keras.saving.register_keras_serializable("course")
class Divided(keras.layers.Layer):
    """x / divisor: what people write a Lambda for."""

    def __init__(self, divisor, **kwargs):
        super().__init__(**kwargs)
        self.divisor = divisor

    def call(self, x):
        return x / self.divisor

    def get_config(self):
        return super().get_config() | {"divisor": self.divisor}


inputs = keras.Input((30,))
by_operation = keras.Model(inputs, inputs / 255)  # recorded as a layer that divides
by_layer = pass_through(Divided(255.0))
for name, model in {"layer": by_layer, "operation": by_operation}.items():
    model.save(f"{name}.keras")
    again = keras.saving.load_model(f"{name}.keras")  # in safe mode
    claim(
        f"written as {'a layer' if name == 'layer' else 'an operation'} it loads in safe mode",
        np.allclose(outputs(again, x_test), x_test / 255, atol=1e-6),
    )


# %% [markdown]
# And the fourth. Everything in `config.json` that stands for an object is a dictionary with a `class_name`, and most say in
# which `module` it lives. A walk through the file finds them all:

# %%
# NBVAL_CHECK_OUTPUT
def ingredients(path):
    """Every dictionary with a class_name in a .keras file. Reads text, loads nothing."""
    with zipfile.ZipFile(path) as archive:
        to_see = [json.loads(archive.read("config.json"))]
    found = []
    while to_see:
        part = to_see.pop()
        if isinstance(part, dict):
            found += [part] if "class_name" in part else []
            to_see += part.values()
        elif isinstance(part, list):
            to_see += part
    return found


for path in ("from_a_stranger.keras", "layer.keras", "affine.keras"):
    found = {(part.get("module", "-"), part["class_name"]) for part in ingredients(path)}
    odd = [pair for pair in found if pair[0] != "keras" and not str(pair[0]).startswith("keras.")]
    print(path, sorted(f"{module} {name}" for module, name in odd))

# %% [markdown]
# Besides `__keras_tensor__`, the placeholders of the graph, which are data, you see the bytecode (`__lambda__`), a class of
# this notebook (it has no module) and one of `my_layers`.

# %% [markdown] tags=["exercise"]
# ### Exercise 6.6: the doorkeeper
#
# Write the function that you would run over a folder of downloaded models. It gets the path of a `.keras` file and returns
# the **set** of the class names, anywhere in `config.json`, that need your attention: every `__lambda__`, and every
# `class_name` whose dictionary has an entry `module` that is neither `keras` nor begins with `keras.` nor is `builtins`
# (functions of Keras, by name). It must not load the model. You may use `ingredients`. (A name in the set is a reason to
# look closer. An empty set is no proof that a file is harmless: the line that switched safe mode off, above, named nothing
# but Keras.)

# %% tags=["exercise"]
# NBVAL_CHECK_OUTPUT
def doorkeeper(path):
    """The set of suspicious class names in a .keras file, empty if there is none."""
    ...  # your code


check("6.6", doorkeeper)


# %% cellView="form" jupyter={"source_hidden": true} tags=["solution"]
# NBVAL_CHECK_OUTPUT
def doorkeeper(path):
    """The set of suspicious class names in a .keras file, empty if there is none."""
    suspicious = set()
    for part in ingredients(path):
        module = part.get("module", "keras")  # without a module: a tensor, or a lambda
        known = module in ("keras", "builtins") or str(module).startswith("keras.")
        if part["class_name"] == "__lambda__" or not known:
            suspicious.add(part["class_name"])
    return suspicious


check("6.6", doorkeeper)

# %% [markdown]
# ## 9. One model, three engines
#
# Keras describes layers; somebody else multiplies the matrices: the **backend**. When Keras appeared in 2015, that was
# Theano. TensorFlow and Microsoft's CNTK joined; the development of both Theano and CNTK has ended since. Keras 2.3 (2019)
# was the last big release of the old line with several backends, and from 2.4 on Keras was TensorFlow's. Since Keras 3
# (2023) there are several again: **TensorFlow, JAX and PyTorch** train and predict. Two more, OpenVINO and NumPy, only
# predict: their `fit` raises an error.
#
# The backend is chosen before Keras is imported, by `KERAS_BACKEND` or in Keras's configuration file, and stays for the
# whole process. So this kernel takes the file on its own backend, and the two others get a process each: the same file, the
# same patients, three engines. `Affine` needs no change, for it is written in `keras.ops`. All run on the processor, because
# GPUs may round matrix products more generously. (TensorFlow also writes two more files; section 10 says what they are.)

# %%
load_and_predict = """
import keras, numpy as np, my_layers
model = keras.saving.load_model("affine.keras")
y = keras.ops.convert_to_numpy(model(np.load("x.npy")))
np.save(f"from_{keras.backend.backend()}.npy", y)
"""
and_export = """
import logging
logging.getLogger("tensorflow").setLevel("ERROR")  # it would report each file
model.export("affine_saved", verbose=False)
model.export("affine.tflite", format="litert", verbose=False)
"""
engines = []
for backend, how in {"torch": "make env TORCH=1", "jax": "make env"}.items():
    if importlib.util.find_spec(backend):
        engines.append(backend)
    else:
        print(f"{backend} is not installed here and is left out; `{how}` brings it")
engines.append("tensorflow")
for one in engines:
    code = load_and_predict + and_export if one == "tensorflow" else load_and_predict
    if one == keras.backend.backend():
        with ck.quiet(), keras.device("cpu:0"):
            exec(code, {})  # here, among no other names
    else:
        elsewhere(code, one)

# %%
on_backend = {name: np.load(f"from_{name}.npy") for name in engines}
pairs = [(a, b) for a in engines for b in engines if a < b]
gaps = {f"{a} and {b}": float(np.abs(on_backend[a] - on_backend[b]).max()) for a, b in pairs}
largest = np.abs(on_backend["tensorflow"]).max()
claim(
    "one file with our own layer gives the same outputs on every backend, to 1e-5",
    len(engines) > 1 and max(gaps.values()) < 1e-5 * max(1, largest),
    ", ".join(f"{name}: {gap:.0e}" for name, gap in gaps.items())
    + f"; the outputs go up to {largest:.0f}",
)

# %% [markdown]
# Small, and not always zero: the backends add up the same products in different orders, and floating-point sums depend on
# the order. So "equal" between engines means equal to a few units in the last digits. Training takes thousands of
# such steps, each from where the last one ended, and drifts apart: on two engines it gives models of the same quality, not
# of the same digits.
#
# ## 10. Out of Python
#
# A telephone has no Python, and a server that answers thousands of requests a second does not want it. For them a model is
# **exported**: traced once more (section 6), and the trace is written down together with the weights. The file holds single
# operations, so no class is needed to run it, yours or Keras's. The price: what is exported predicts; to train it on, or to
# take it apart, go back to the `.keras` file.
#
# `model.export` writes several formats; two of them work with what is installed here. A **SavedModel** is TensorFlow's
# format, a folder. **LiteRT**, until 2024 called TensorFlow Lite, is a small runtime for telephones and microcontrollers;
# its models are single `.tflite` files. (The others: ONNX, which many frameworks read, OpenVINO for Intel's hardware, and
# PyTorch's own. Each needs a package or a backend of its own.)
#
# Both were written in section 9, from the model with our `Affine` layer. Do they need its code? Break it and see. From the
# next cell on `Affine.call` raises an error, and so the `.keras` file can't be loaded any more.

# %%
for name in ("affine.keras", "affine.tflite", "affine_saved/saved_model.pb"):
    print(f"{name:28} {os.path.getsize(name):6,} bytes")


def out_of_order(self, x):
    raise RuntimeError("this class is out of order")


in_order, Affine.call = Affine.call, out_of_order
try:
    keras.saving.load_model("affine.keras")
    refused = False
except RuntimeError as error:
    refused = "out of order" in str(error)
print("the .keras file is of no use without its class:", refused)

# %%
import tensorflow as tf  # all that the exports need, whatever the backend of this notebook

exported = {}
with ck.quiet(), warnings.catch_warnings(action="ignore"), tf.device("cpu:0"):
    saved = tf.saved_model.load("affine_saved")
    exported["SavedModel"] = saved.serve(x_test).numpy()
    lite = tf.lite.Interpreter(model_path="affine.tflite")
    entry, end = lite.get_input_details()[0]["index"], lite.get_output_details()[0]["index"]
    lite.resize_tensor_input(entry, x_test.shape)  # how many rows at once
    lite.allocate_tensors()
    lite.set_tensor(entry, x_test)
    lite.invoke()
    exported["LiteRT"] = lite.get_tensor(end)
Affine.call = in_order
gaps = {name: np.abs(y - on_backend["tensorflow"]).max() for name, y in exported.items()}
claim(
    "both exports run while our class is out of order, and give the model's outputs",
    refused and max(gaps.values()) < 1e-5 * max(1, largest),
    ", ".join(f"{name} differs by {gap:.0e}" for name, gap in gaps.items()),
)

# %% [markdown]
# Where do models go from there?
#
# - **TensorFlow Serving** loads SavedModels on a server and answers requests over HTTP or gRPC; it can hold several versions
#   of a model and move from one to the next without a stop.
# - **LiteRT** runs `.tflite` files on telephones and small boards. Notebook 18 makes such files smaller.
# - **TensorFlow.js** runs models in JavaScript, in a browser or in Node.js; a converter turns a SavedModel into its format.
# - **TensorFlow Hub** was the place to publish and fetch trained models; since November 2023 its addresses lead to Kaggle
#   Models, where they moved.
# - **TFX**, TensorFlow Extended, is what surrounds a model in a company: a pipeline that checks the incoming data, prepares
#   them, trains, judges the new model, and pushes it to where it serves.
#
# And the question from the top of the page, answered file by file:
#
# | File | Graph | Code | Weights |
# |---|---|---|---|
# | `.keras`, Sequential or functional | in it | by name; a lambda as bytecode | in it |
# | `.keras`, subclassed | no | by name | in it |
# | `.weights.h5` | no | no | in it |
# | SavedModel, `.tflite` | in it, as single operations | not needed | in it |
#
# (In the first three, the optimizer's state goes with the weights if the model is compiled.)

# %% [markdown] tags=["exercise"]
# ### Exercise 6.7: less than a neuron (open)
#
# One neuron on thirty measures has 31 parameters. Build a graph with **at most 20** that still tells malignant from benign.
# Your function gets the three inputs as a list of arrays (n, 10), standardised, and the labels (1: malignant). It returns a
# trained Keras model, from such a list to probabilities (n, 1). The check trains it on two thirds of the patients, drawn at
# random, and wants nine in ten of the others right. When it passes: how few are enough, and what do the weights say?

# %% tags=["exercise"]
# NBVAL_CHECK_OUTPUT
def tiny(inputs, labels):
    """inputs: [mean, error, worst], each (n, 10); labels: (n,). Returns a trained keras.Model."""
    ...  # your code


check("6.7", tiny)


# %% cellView="form" jupyter={"source_hidden": true} tags=["solution"]
# NBVAL_CHECK_OUTPUT
def tiny(inputs, labels):
    """inputs: [mean, error, worst], each (n, 10); labels: (n,). Returns a trained keras.Model."""
    placeholders = [keras.Input((10,)) for _ in inputs]
    weigh = Dense(1)  # ten weights and a bias for all three: 11
    code = Concatenate()([weigh(one) for one in placeholders])
    model = keras.Model(placeholders, Dense(1, activation="sigmoid")(code))  # 3 + 1 more: 15
    get_ready(model, keras.optimizers.Adam(0.03))
    model.fit(inputs, labels, epochs=25, batch_size=32, verbose=0)
    return model


check("6.7", tiny)

# %% [markdown]
# ## Summary
#
# - A model is a graph, code and weights. In Sequential and functional models the graph is data; in a subclassed model it
#   is code.
# - Calling a layer on a symbolic tensor records it. Whatever graph you can draw beforehand, you can build: several inputs
#   and outputs, shared layers whose gradients add up, skip connections that let gradients pass.
# - Several losses are added with weights; bring them to one scale first.
# - A layer of your own has `__init__`, `build`, `call` and `get_config`; it is registered and lives in a module. A metric
#   has a state. A callback acts at set moments of the training.
# - Tracing runs Python once per signature and replays the operations: fast, but side effects happen once and Python's
#   numbers are frozen.
# - A `.keras` file holds graph, weights and optimizer, and no code, except for a `Lambda`. Loading a stranger's model can
#   run a stranger's code: safe mode stays on, and weights are better than models.
# - An export runs without Keras and without your classes; a `.keras` file runs on every backend.

# %% [markdown]
# ## Sources
#
# - K. He, X. Zhang, S. Ren and J. Sun (2016), "Deep residual learning for image recognition", CVPR,
#   [arXiv:1512.03385](https://arxiv.org/abs/1512.03385).
# - J. Bromley, I. Guyon, Y. LeCun, E. Säckinger and R. Shah (1993), "Signature verification using a 'siamese' time delay
#   neural network", NIPS 6.
# - Keras 3.15, read for this page: `keras/src/saving/` (what a file holds, what safe mode does),
#   `keras/src/layers/core/lambda_layer.py`, `keras/src/models/model.py` (the formats of `export`),
#   `keras/src/trainers/trainer.py` (when models are compiled), `keras/src/backend/` (which backends there are).
# - Two ways round safe mode: CVE-2025-1550, in Keras before 3.9,
#   [nvd.nist.gov](https://nvd.nist.gov/vuln/detail/CVE-2025-1550), and CVE-2025-9906, before 3.11,
#   [nvd.nist.gov](https://nvd.nist.gov/vuln/detail/CVE-2025-9906).
# - TensorFlow, "Using TensorFlow securely",
#   [SECURITY.md](https://github.com/tensorflow/tensorflow/blob/master/SECURITY.md): models are programs.
# - TensorFlow, "Better performance with tf.function", [tensorflow.org/guide/function](https://www.tensorflow.org/guide/function):
#   signatures, retracing, AutoGraph.
# - The backends of the past: release notes of [Keras 2.3.0](https://github.com/keras-team/keras/releases/tag/2.3.0) and
#   [2.4.0](https://github.com/keras-team/keras/releases/tag/2.4.0).
# - A. Paszke and others (2019), "PyTorch: an imperative style, high-performance deep learning library",
#   [arXiv:1912.01703](https://arxiv.org/abs/1912.01703); S. Tokui and others (2015), "Chainer: a next-generation open source
#   framework for deep learning", LearningSys at NIPS, which named *define-by-run*.
# - Where models go: [TensorFlow Serving](https://www.tensorflow.org/tfx/guide/serving),
#   [LiteRT](https://ai.google.dev/edge/litert), [TensorFlow.js](https://www.tensorflow.org/js),
#   [TensorFlow Hub](https://github.com/tensorflow/hub) (its README tells of the move),
#   [TFX](https://www.tensorflow.org/tfx).
# - Data: the cards of `breast_cancer` and `digits`; print one with `print(load("digits").card)`.

# %% [markdown]
# ## What comes next
#
# A layer shared by three inputs was the first step. Notebook 07, *Convolutional networks*, shares one small layer among all
# places of an image.
