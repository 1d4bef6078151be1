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
# Labels are expensive. Somebody has to look at each image and say what it is, and for many questions there will never be a
# hundred examples of each answer. But images of *something else* often abound, with labels that cost nothing. **How few
# labelled examples are enough, if the network has already learned to see on another task?** This page takes a network that
# was trained on printed letters and signs, which a computer draws by the thousand, and moves it to handwritten digits. Six
# rules are in circulation for doing so. Each of them is put to the test.

# %%
import keras
import numpy as np
from coursekit import transfer
from coursekit.datasets.glyphs import variants
from coursekit.errors import DataUnavailable
from coursekit.vision import affine, warp
from keras import ops
from sklearn.linear_model import LogisticRegression

jit = keras.backend.backend() == "jax"  # whether to compile to machine code (notebook 06)
array = ops.convert_to_numpy

# %% [markdown]
# ## 1. A source and a target
#
# **Transfer learning** takes what was learned on a *source* task and uses it on a *target* task. Our target: `digits28`,
# handwritten digits, of which we pretend to have a few labels only. Our source: `glyphs`, 74 letters and signs of
# 17 fonts, turned, sheared, resized and warped as if drawn on rubber. No digit is among them. The test part of the
# glyphs uses four other fonts.

# %%
data = load(scale(quick="digits28", full="mnist"))
x_train, x_test = (x[:, :, :, None] / np.float32(255) for x in (data.x_train, data.x_test))
y_train, y_test = data.y_train.astype("int32"), data.y_test.astype("int32")
x_train, y_train, x_test, y_test = x_train[:6000], y_train[:6000], x_test[:2000], y_test[:2000]
glyphs = load("glyphs")
print("target:", x_train.shape, x_test.shape, " source:", glyphs.x_train.shape)
shown = [*glyphs.x_train[:24] / 255, *x_train[:12, :, :, 0]]
names = [glyphs.card.classes[k] for k in glyphs.y_train[:24]] + [str(k) for k in y_train[:12]]
ck.plots.images(shown, names, columns=12, value_range=(0, 1))

# %% [markdown]
# The network has two parts. The **backbone** turns an image into features: here four blocks of convolution, batch
# normalisation and ReLU, then the mean of each quarter of the last maps, 256 numbers. The **head** turns features into
# logits, one for each class. A head belongs to its task; a backbone may serve another. The weights of ours were trained
# with `python -m coursekit.authoring.backbone` in a few minutes and are stored with 16 bits each.

# %%
body, glyph_head = transfer.pretrained("glyphs")
body.summary(line_length=80)


def features(body, x):
    """What the backbone says of images (n, 28, 28, 1): (n, 256), with batch normalisation in inference."""
    return np.concatenate([array(body(x[i : i + 500], training=False)) for i in range(0, len(x), 500)])

# %%
x_glyphs, y_glyphs = glyphs.x_test[:1000, :, :, None] / np.float32(255), glyphs.y_test[:1000]


def right_on_glyphs(body):
    """The accuracy on glyphs of this backbone with the head that it learned with."""
    return float(np.mean(array(glyph_head(features(body, x_glyphs))).argmax(axis=1) == y_glyphs))


before = right_on_glyphs(body)
size = transfer.weights_file("glyphs").stat().st_size
claim(
    "the backbone and its head name letters and signs of fonts that they have not seen",
    before > 0.9 and size < 300_000,
    f"{before:.3f} right of {len(y_glyphs)}, by guessing {1 / 74:.3f}; a file of {size:,} bytes",
    glyphs=before,
)

# %% [markdown]
# ## 2. Rule 1: choose the source
#
# The cheapest transfer leaves the backbone as it is: **freezing** means that its weights are not trained. Then the features
# of each image are computed once, and only a head is learned, a logistic regression on 256 numbers. With ten examples and 256
# features the head needs an L2 penalty (notebook 05). From scratch, by gradient descent on softmax and cross-entropy
# (notebook 04):

# %%
def head_by_hand(f, y, penalty, steps=500, learning_rate=0.05):
    """Weights (d, 10) and biases (10,) of a softmax regression on features f (n, d)."""
    W, b = np.zeros((f.shape[1], 10)), np.zeros(10)
    for _ in range(steps):
        z = f @ W + b
        p = np.exp(z - z.max(axis=1, keepdims=True))
        error = (p / p.sum(axis=1, keepdims=True) - np.eye(10)[y]) / len(y)  # (n, 10)
        W -= learning_rate * (f.T @ error + penalty / len(y) * W)
        b -= learning_rate * error.sum(axis=0)
    return W, b


def head(f, y, C=1.0):
    """The same by scikit-learn, penalty 1/C, for features as they are: a kernel (d, 10) and a bias (10,)."""
    mean, spread = f.mean(axis=0), f.std()  # one spread for all, so that no source's scale is favoured
    fitted = LogisticRegression(C=C, max_iter=1000, tol=1e-2).fit((f - mean) / spread, y)
    kernel = fitted.coef_.T / spread  # shifting and scaling are linear, so they go into the weights
    return kernel, fitted.intercept_ - mean @ kernel


def few(each):
    """Indices of `each` random training images of every class."""
    return np.concatenate([rng.choice(np.flatnonzero(y_train == k), each, replace=False) for k in range(10)])

# %%
f_train, f_test = features(body, x_train), features(body, x_test)
mine = few(5)
f, y = f_train[mine], y_train[mine]
mean, spread = f.mean(axis=0), f.std()
W, b = head_by_hand((f - mean) / spread, y, penalty=1)
by_hand = ((f_test - mean) / spread @ W + b).argmax(axis=1)
kernel, bias = head(f, y)
agree = np.mean(by_hand == (f_test @ kernel + bias).argmax(axis=1))
claim("our head and scikit-learn's give the same answers", agree > 0.9, f"on {agree:.1%} of the test images")

# %% [markdown]
# Which source is a good one? Three backbones, all alike but for their weights, all frozen: random weights, weights from
# photograph patches (the task was to say by how many quarter turns a patch is turned, after Gidaris and others, 2018), and
# weights from glyphs. As a fourth, no backbone: the pixels themselves.

# %%
photographs, _ = transfer.pretrained("photographs")
flat = lambda x: x.reshape(len(x), -1)
sources = {"pixels": (flat(x_train), flat(x_test))}
for name, one in (("random weights", transfer.backbone()), ("photographs", photographs), ("glyphs", body)):
    sources[name] = features(one, x_train), features(one, x_test)
tries = scale(quick=5, full=10)
from_source = {f"{n} a class": {name: [] for name in sources} for n in (2, 10)}
for n in (2, 10):
    for mine in [few(n) for _ in range(tries)]:
        for name, (f, f_new) in sources.items():
            kernel, bias = head(f[mine], y_train[mine])
            right = np.mean((f_new @ kernel + bias).argmax(axis=1) == y_test)
            from_source[f"{n} a class"][name].append(float(right))
ck.plots.methods(from_source, "accuracy")
ten = {name: float(np.mean(values)) for name, values in from_source["10 a class"].items()}

# %%
claim(
    "features learned on glyphs serve digits better than random ones and than photographs",
    ten["glyphs"] > max(ten["random weights"], ten["photographs"]) + 0.02,
    ", ".join(f"{name} {value:.3f}" for name, value in ten.items()),
    **{name.replace(" ", "_"): value for name, value in ten.items()},
)

# %% [markdown]
# **Rule 1: choose the source.** A network learns to see what its task asks for. Telling letters apart asks for strokes,
# ends and crossings, and digits are made of these; the turned patches of one photograph asked for something else. See how
# well random weights do, before you praise a source: without that baseline, any of them looks like a success.

# %% [markdown] tags=["exercise"]
# ### Exercise 8.1: count what is trained
#
# The backbone above has four blocks. A head of 10 logits stands on its 256 features. How many weights and biases does
# training change if (a) the whole backbone is frozen, (b) block 4 is unfrozen with the head, the scale and shift of its
# batch normalisation included, (c) everything is? (d) How many numbers do the batch normalisations keep that no gradient
# changes? The table above has what you need.

# %% tags=["exercise"]
# NBVAL_CHECK_OUTPUT
answer = [..., ..., ..., ...]  # (a), (b), (c), (d)

check("8.1", answer)

# %% cellView="form" jupyter={"source_hidden": true} tags=["solution"]
# NBVAL_CHECK_OUTPUT
kernels = [1 * 25 * 16, 16 * 9 * 32, 32 * 9 * 48, 48 * 9 * 64]
channels = [16, 32, 48, 64]
in_head = 256 * 10 + 10
block_4 = kernels[3] + 2 * channels[3]  # no bias: batch normalisation has a shift of its own
answer = [in_head, in_head + block_4, in_head + sum(kernels) + 2 * sum(channels), 2 * sum(channels)]

check("8.1", answer)

# %% [markdown]
# ## 3. How many labels?
#
# Now the experiment of this page. For 1, 2, 5, 10, 20 and 50 examples of each digit, six ways to learn:
#
# - **from scratch**: random weights, everything trained;
# - **frozen**: the glyph backbone as it is, a new head;
# - **fine-tuning** at three learning rates: the frozen head first, then head and backbone are trained on, together;
# - **adapted**: as frozen, after the statistics of the batch normalisations were measured anew on the target's images,
#   for which no label is needed (section 6 explains it).
#
# In fine-tuning, batch normalisation stays as it is: its layers are not trainable, which in Keras also means that they work
# in inference. Section 5 shows why.

# %%
def unfreeze(body, blocks):
    """Make the last `blocks` of the four blocks trainable, but for their batch normalisations."""
    for layer in body.layers:
        if layer.name.startswith("block"):
            number = int(layer.name[5])  # block1 to block4
            norm = isinstance(layer, keras.layers.BatchNormalization)
            layer.trainable = number > 4 - blocks and not norm


def whole(body):
    """The backbone with a new head, compiled, with its optimizer ready."""
    model = keras.Sequential([body, keras.layers.Dense(10)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(), loss=loss, jit_compile=jit)
    model.optimizer.build(model.trainable_variables)  # so that it can be restarted at once
    return model

# %%
def start(model, weights, new_head=None):
    """Give the backbone these weights and the head those, or random ones; the optimizer forgets everything."""
    if new_head is None:
        new_head = [rng.normal(0, 0.06, size=(256, 10)), np.zeros(10)]
    model.layers[0].set_weights(weights)
    model.layers[1].set_weights(new_head)
    for variable in model.optimizer.variables:
        if "learning_rate" not in variable.path:
            variable.assign(np.zeros(variable.shape))


def train(model, x, y, learning_rate, steps=40, change=lambda x: x):
    """`steps` batches of 32, drawn anew when all were seen; the rate falls to nearly zero in half a cosine."""
    order = np.concatenate([rng.permutation(len(x)) for _ in range(-(-32 * steps // len(x)))])
    for step in range(steps):
        batch = order[32 * step : 32 * step + 32]
        model.optimizer.learning_rate = learning_rate * (1 + np.cos(np.pi * step / steps)) / 2
        model.train_on_batch(change(x[batch]), y[batch])

# %%
def accuracy(model, x, y):
    logits = [array(model(x[i : i + 500], training=False)) for i in range(0, len(x), 500)]
    return float(np.mean(np.concatenate(logits).argmax(axis=1) == y))


def by_features(body, weights):
    """Backbone weights as a frozen pair of features: of the training and of the test images."""
    body.set_weights(weights)
    return features(body, x_train), features(body, x_test)


def measured_anew(weights, x):
    """Backbone weights whose batch normalisations have the statistics of images x, block after block."""
    new = transfer.backbone()
    new.set_weights(weights)
    for i in range(1, 5):
        maps = keras.Model(new.input, new.get_layer(f"block{i}_conv").output)
        z = np.concatenate([array(maps(x[j : j + 500], training=False)) for j in range(0, len(x), 500)])
        layer = new.get_layer(f"block{i}_norm")
        layer.set_weights([*layer.get_weights()[:2], z.mean(axis=(0, 1, 2)), z.var(axis=(0, 1, 2))])
    return new.get_weights()

# %%
learned = body.get_weights()
adapted = measured_anew(learned, x_train)
fresh = [transfer.backbone().get_weights() for _ in range(scale(quick=2, full=10))]
tuned_body, scratch_body = transfer.backbone(), transfer.backbone()
unfreeze(tuned_body, 4)
fine, scratch = whole(tuned_body), whole(scratch_body)
adapted_features = by_features(tuned_body, adapted)

# %%
sizes, rates = [1, 2, 5, 10, 20, 50], {"low": 1e-4, "middle": 1e-3, "high": 1e-2}
ways = ["from scratch", "frozen", *(f"fine-tuned, {name} rate" for name in rates), "adapted"]
result = {way: np.zeros((len(fresh), len(sizes))) for way in ways}

# %%
with ck.progress(len(fresh) * len(sizes), "few labels", unit="size") as bar:
    for d, j in np.ndindex(len(fresh), len(sizes)):
        mine = few(sizes[j])
        x, y = x_train[mine], y_train[mine]
        start(scratch, fresh[d])
        train(scratch, x, y, 3e-3, steps=60)
        result["from scratch"][d, j] = accuracy(scratch, x_test, y_test)
        heads = {}
        for way, (f, f_new) in {"frozen": (f_train, f_test), "adapted": adapted_features}.items():
            kernel, bias = heads[way] = head(f[mine], y)
            result[way][d, j] = np.mean((f_new @ kernel + bias).argmax(axis=1) == y_test)
        for name, rate in rates.items():
            start(fine, learned, heads["frozen"])
            train(fine, x, y, rate)
            result[f"fine-tuned, {name} rate"][d, j] = accuracy(fine, x_test, y_test)
        bar.update()

# %%
ck.plots.bands(sizes, result, "labelled examples a class", "accuracy on digits", x_scale="log")
means = {way: values.mean(axis=0) for way, values in result.items()}
print("a class      " + "".join(f"{n:8}" for n in sizes))
for way, values in means.items():
    print(f"{way:24}" + " ".join(f"{value:.3f}" for value in values))

# %%
few_labels = {way: float(values[:3].mean()) for way, values in means.items()}  # 1, 2 and 5 a class
every = {way: float(values.mean()) for way, values in means.items()}
claim(
    "with 1 to 5 examples a class, the frozen backbone is far better than training from scratch",
    few_labels["frozen"] > few_labels["from scratch"] + 0.04,
    f"{few_labels['frozen']:.3f} against {few_labels['from scratch']:.3f}",
    frozen=few_labels["frozen"],
    scratch=few_labels["from scratch"],
)

# %%
claim(
    "what the source is worth shrinks as labels are added",
    few_labels["frozen"] - few_labels["from scratch"]
    > means["frozen"][-1] - means["from scratch"][-1] + 0.02,
    f"{means['frozen'][-1] - means['from scratch'][-1]:.3f} with {sizes[-1]} a class",
)
claim(
    "after the frozen head, the high rate does harm, and the low one next to nothing",
    every["fine-tuned, high rate"] < every["frozen"] - 0.01
    and abs(every["fine-tuned, low rate"] - every["frozen"]) < 0.02,
    f"high {every['fine-tuned, high rate']:.3f}, low {every['fine-tuned, low rate']:.3f}, "
    f"frozen {every['frozen']:.3f}",
    high=every["fine-tuned, high rate"],
    low=every["fine-tuned, low rate"],
    frozen=every["frozen"],
)

# %%
claim(
    "statistics measured anew on unlabelled digits do no harm",
    every["adapted"] > every["frozen"] - 0.02,
    f"{every['adapted']:.3f} against {every['frozen']:.3f}",
    adapted=every["adapted"],
)

# %% [markdown]
# Read the figure from left to right. The source is worth most where labels are few; with fifty a class, the curves come
# together. Fine-tuning at a suitable rate adds little to the frozen head, or nothing: compare it with the width of the
# bands. A few images can train ten logits, and not many more weights. Bands from a few draws are rough; `full` draws ten.

# %% [markdown] tags=["exercise"]
# ### Exercise 8.2: draw the few, leave the test alone
#
# Write the split of such an experiment. Of each class, `each` random images with their labels are yours, followed by `copies`
# changed copies of all of them, each changed anew by `change`. All other images are for the test.

# %% tags=["exercise"]
# NBVAL_CHECK_OUTPUT
def split(x, y, each, change, copies):
    """x_few, y_few, x_rest, y_rest from images x (n, h, w, 1) with labels y (n,)."""
    ...  # your code


check("8.2", split)

# %% cellView="form" jupyter={"source_hidden": true} tags=["solution"]
# NBVAL_CHECK_OUTPUT
def split(x, y, each, change, copies):
    """x_few, y_few, x_rest, y_rest from images x (n, h, w, 1) with labels y (n,)."""
    order = np.random.permutation(len(y))
    mine = np.concatenate([order[y[order] == k][:each] for k in np.unique(y)])
    rest = np.setdiff1d(order, mine)
    x_few = np.concatenate([x[mine], *(change(x[mine]) for _ in range(copies))])
    return x_few, np.tile(y[mine], copies + 1), x[rest], y[rest]


check("8.2", split)

# %% [markdown]
# ## 4. Rules 2, 3 and 4: freeze first, unfreeze from the top, lower the rate
#
# A random head sends random gradients down into the backbone, and these spoil what it knows before the head has learned
# anything. **Rule 2: freeze first**, train the head, then unfreeze. **Rule 3: unfreeze from the top.** The first block
# answers to edges, which any task can use; the last one is closest to the old task. **Rule 4: lower the learning rate.**
#
# Two measures tell how it went: the accuracy on digits, and what is left of the old task. Put the old head back on the
# tuned backbone and ask it for letters. What it no longer knows, it has forgotten: this is called **catastrophic
# forgetting** (McCloskey and Cohen, 1989). All runs get 10 digits a class and the same number of steps.

# %%
def draw_of(names):
    return {name: [] for name in names}


unfreezings = {blocks: transfer.backbone() for blocks in (1,)}
for blocks, one in unfreezings.items():
    unfreeze(one, blocks)
models = {blocks: (one, whole(one)) for blocks, one in unfreezings.items()} | {4: (tuned_body, fine)}
runs = {
    "frozen": (0, 0, True),
    "low rate": (4, 1e-4, True),
    "middle rate": (4, 1e-3, True),
    "high rate": (4, 1e-2, True),
    "high, top block": (1, 1e-2, True),
    "middle, random head": (4, 1e-3, False),
    "high, random head": (4, 1e-2, False),
}

# %%
rules = {"digits": draw_of(runs), "glyphs, old head": draw_of(runs)}
draws = [few(10) for _ in range(scale(quick=2, full=10))]
with ck.progress(len(draws) * len(runs), "three rules", unit="run") as bar:
    for mine in draws:
        new_head = head(f_train[mine], y_train[mine])
        for name, (blocks, rate, first) in runs.items():
            one, model = models[blocks or 4]
            start(model, learned, new_head if first else None)
            if blocks:
                train(model, x_train[mine], y_train[mine], rate)
            rules["digits"][name].append(accuracy(model, x_test, y_test))
            rules["glyphs, old head"][name].append(right_on_glyphs(one))
            bar.update()
ck.plots.methods(rules, "accuracy")

# %%
new, old = ({name: float(np.mean(v)) for name, v in panel.items()} for panel in rules.values())
claim(
    "fine-tuning everything at the high rate wipes out much of the old task; the low rate keeps it",
    old["high rate"] < before - 0.3 and old["low rate"] > before - 0.05,
    f"{old['high rate']:.3f} and {old['low rate']:.3f} of {before:.3f}",
    high=old["high rate"],
    low=old["low rate"],
    before=before,
)

# %%
claim(
    "at the high rate, training the top block only keeps much more of the old task than training everything",
    old["high, top block"] > old["high rate"] + 0.2,
    f"{old['high, top block']:.3f} against {old['high rate']:.3f}",
    top=old["high, top block"],
)
claim(
    "at the middle rate, a random head costs more of the old task than a head trained first",
    old["middle rate"] > old["middle, random head"] + 0.05,
    f"{old['middle rate']:.3f} against {old['middle, random head']:.3f}; "
    f"digits {new['middle rate']:.3f} against {new['middle, random head']:.3f}",
    first=old["middle rate"],
    random_head=old["middle, random head"],
)

# %% [markdown]
# The frozen backbone forgets nothing, by construction; that is the baseline, not a result. Forgetting is no price that must
# be paid for learning: the low and the middle rate keep most of the old task. Note what the old head measures. It may fail
# because the features have moved, although the information is still in them; a new head for letters would then find it
# again.

# %% [markdown]
# ## 5. Batch normalisation while frozen
#
# Batch normalisation has two modes (notebook 07) and two kinds of numbers: scale and shift, changed by gradients, and the
# moving mean and variance, changed by merely looking at batches. So a layer can be "not trained" and change all the same.
# A widely copied recipe calls the backbone with `training=False` inside the new model. See what one training step does to the
# statistics, in three set-ups:

# %%
def drift(body, call, image=(28, 28, 1)):
    """By how much one training step at rate 0 changes what the backbone keeps, at most."""
    inputs = keras.Input(image)
    model = keras.Model(inputs, keras.layers.Dense(10)(call(body, inputs)))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.SGD(0.0), loss=loss, jit_compile=jit)
    kept = [w.copy() for w in body.get_weights()]
    model.train_on_batch(x_train[:32], y_train[:32])
    return max(float(np.abs(a - b).max()) for a, b in zip(body.get_weights(), kept))

# %%
plain, only_called, norms_frozen = (transfer.pretrained("glyphs")[0] for _ in range(3))
unfreeze(norms_frozen, 4)
moved = {
    "unfrozen, nothing said": drift(plain, lambda body, x: body(x)),
    "unfrozen, training=False": drift(only_called, lambda body, x: body(x, training=False)),
    "norms not trainable": drift(norms_frozen, lambda body, x: body(x)),
}
for name, value in moved.items():
    print(f"{name:26} the statistics move by up to {value:.2g}")
claim(
    "only batch normalisations that are not trainable leave their statistics alone",
    moved["norms not trainable"] == 0 and moved["unfrozen, nothing said"] > 1e-3,
)

# %% [markdown]
# In the Keras that made this page the second line moves, too: in a functional model, the `training=True` of `fit` takes the
# place of the `training=False` that was written into the graph (Keras issue 20285). So don't trust the recipe, and
# don't trust this page either; measure, as above. What works: `layer.trainable = False` for each batch normalisation.
# `training=False` does what it says in a direct call, as in `features`.
#
# Is the drift bad? Fine-tune everything at the low rate with ten images of each class, with the normalisations frozen
# and in training:

# %%
unfrozen = transfer.backbone()  # everything trainable, the normalisations included
in_training = whole(unfrozen)
modes = {"digits": draw_of(["frozen norms", "norms in training"])}
modes["glyphs, old head"] = draw_of(modes["digits"])
for mine in draws:
    new_head = head(f_train[mine], y_train[mine])
    for name, one, model in (
        ("frozen norms", tuned_body, fine), ("norms in training", unfrozen, in_training)
    ):  # fmt: skip
        start(model, learned, new_head)
        train(model, x_train[mine], y_train[mine], 1e-4)
        modes["digits"][name].append(accuracy(model, x_test, y_test))
        modes["glyphs, old head"][name].append(right_on_glyphs(one))
ck.plots.methods(modes, "accuracy")

# %%
new, old = ({name: float(np.mean(v)) for name, v in panel.items()} for panel in modes.values())
claim(
    "at a rate that changes hardly a weight, normalisations in training mode cost accuracy on digits",
    new["norms in training"] < new["frozen norms"],
    f"digits {new['norms in training']:.3f} against {new['frozen norms']:.3f}, "
    f"glyphs {old['norms in training']:.3f} against {old['frozen norms']:.3f}",
    digits=new["norms in training"],
    digits_frozen=new["frozen norms"],
    glyphs=old["norms in training"],
)

# %% [markdown]
# The head was fitted to features made with the old statistics. The batches of the new task bring others, halfway, and nothing
# else had time to follow.

# %% [markdown] tags=["exercise"]
# ### Exercise 8.3: ready for fine-tuning
#
# Write the whole set-up: a compiled model of the given backbone and a new head for `classes` classes, in which the last
# `blocks` blocks and the head are trained, no batch normalisation changes, and the learning rate is fit for fine-tuning
# (rule 4). Labels are whole numbers. The check trains it for a few steps and looks what has moved.

# %% tags=["exercise"]
# NBVAL_CHECK_OUTPUT
def fine_tuner(body, blocks, classes):
    """A compiled model from images (n, 28, 28, 1) to (n, classes); layers are called block1_conv and so on."""
    ...  # your code


check("8.3", fine_tuner)

# %% cellView="form" jupyter={"source_hidden": true} tags=["solution"]
# NBVAL_CHECK_OUTPUT
def fine_tuner(body, blocks, classes):
    """A compiled model from images (n, 28, 28, 1) to (n, classes); layers are called block1_conv and so on."""
    top = [f"block{i}_conv" for i in range(5 - blocks, 5)]
    for layer in body.layers:
        layer.trainable = layer.name in top
    model = keras.Sequential([body, keras.layers.Dense(classes)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss=loss, jit_compile=jit)
    return model


check("8.3", fine_tuner)

# %% [markdown]
# ## 6. Rule 5 and rule 6: augment, and adapt the domain
#
# **Rule 5: augment.** Changed copies stand for labels that one does not have, if the change happens in the world and leaves
# the label right (notebook 07). Five digits a class, fine-tuned at the middle rate with and without random affine maps;
# tested as published, and on crooked copies of the test images, as a careless scan would give them.

# %%
def crooked(x):
    """Images (n, 28, 28, 1), each turned, moved, sheared and resized at random."""
    maps = [
        affine(rng.uniform(-0.3, 0.3), rng.uniform(-2, 2, 2), rng.uniform(-0.3, 0.3), rng.uniform(0.9, 1.1, 2))
        for _ in x
    ]  # fmt: skip
    return warp(x, *map(np.stack, zip(*maps))).astype("float32")

# %%
tests = {"as published": x_test, "crooked": crooked(x_test)}
augmented = {place: draw_of(["plain", "augmented"]) for place in tests}
for mine in [few(5) for _ in range(scale(quick=3, full=10))]:
    new_head = head(f_train[mine], y_train[mine])
    for name, change in (("plain", lambda x: x), ("augmented", crooked)):
        start(fine, learned, new_head)
        train(fine, x_train[mine], y_train[mine], 1e-3, change=change)
        for place, x in tests.items():
            augmented[place][name].append(accuracy(fine, x, y_test))
ck.plots.methods(augmented, "accuracy")
plain, changed = (float(np.mean(augmented["crooked"][name])) for name in ("plain", "augmented"))
claim(
    "on crooked digits, augmentation helps",
    changed > plain + 0.005,
    f"{changed:.3f} against {plain:.3f}",
    augmented=changed,
    plain=plain,
)

# %% [markdown]
# The test images were made crooked to ask another question, once, and the same for both networks; the network's answers about
# *published* digits come from the published ones. On those, read the left panel with its bars before you say that
# augmentation helps.
#
# **Rule 6: adapt the domain.**
#
# So far each target image that helped had a label. Now the hardest case: **no labels at all** for handwriting. But
# *printed* digits can be drawn with labels for free. Train a head on those, use it on handwriting. The classes are the
# same; the images come from another **domain**, with other strokes, other sharpness. Making a model fit for a domain whose
# labels it does not have is **domain adaptation**.

# %%
x_print, y_print = variants("0123456789", scale(quick=100, full=400))
x_print = x_print[..., None] / np.float32(255)
ck.plots.images([*x_print[:8, ..., 0], *x_train[:8, ..., 0]], columns=8, value_range=(0, 1))

# %% [markdown]
# The simplest cures match statistics, and need the images of the target only. Let $f$ be features of the printed digits and
# $g$ those of the handwritten ones.
#
# - **Mean and deviation**: move and stretch each feature of $f$ so that it has the mean and deviation that it has in $g$.
# - **CORAL**, correlation alignment (Sun, Feng and Saenko, 2016): match the whole covariance. Whiten $f$ with its own
#   covariance, then colour it with that of $g$: $f' = (f - \bar f)\, C_f^{-1/2}\, C_g^{1/2} + \bar g$. The paper standardises
#   both before; we match the means in the same formula. To invert, $C$ gets 1 added to its diagonal.
# - **New statistics for batch normalisation** (Li and others, 2016): send the target's images through the backbone and
#   put the mean and variance of each channel, block after block, in place of the old ones. `measured_anew` does it.

# %%
def power(C, exponent):
    values, vectors = np.linalg.eigh(C)  # C = V diag(values) Vᵀ
    return (vectors * values**exponent) @ vectors.T


def our_coral(f, g):
    """Features f (n, d) with the covariance and the mean of g (m, d)."""
    C_f, C_g = (np.cov(one, rowvar=False) + np.eye(one.shape[1]) for one in (f, g))
    return (f - f.mean(axis=0)) @ power(C_f, -0.5) @ power(C_g, 0.5) + g.mean(axis=0)

# %%
f_print = features(body, x_print)
aligned = our_coral(f_print, f_train)
claim(
    "our CORAL and the package's agree",
    np.allclose(aligned, transfer.coral(f_print, f_train), atol=1e-4),
    f"{np.abs(aligned - transfer.coral(f_print, f_train)).max():.0e} apart",
)
tuned_body.set_weights(measured_anew(learned, x_print))
by_own = features(tuned_body, x_print)  # printed digits with the statistics of print
adaptations = {
    "as they are": (f_print, f_test),
    "mean and deviation": (transfer.match_statistics(f_print, f_train), f_test),
    "CORAL": (aligned, f_test),
    "new norm statistics": (by_own, adapted_features[1]),
}

# %%
unlabelled = {}
for name, (f, g) in adaptations.items():
    kernel, bias = head(f, y_print, C=0.1)
    unlabelled[name] = float(np.mean((g @ kernel + bias).argmax(axis=1) == y_test))
    print(f"{name:20} {unlabelled[name]:.3f} of the handwritten digits right, without a label of theirs")
claim(
    "every adaptation gains, without one label of the target",
    min(list(unlabelled.values())[1:]) > unlabelled["as they are"],
    f"one labelled example a class gave {means['frozen'][0]:.3f}",
    **{name.replace(" ", "_"): value for name, value in unlabelled.items()},
)

# %% [markdown]
# It is not that the features of print don't tell the digits apart; they lie elsewhere, and moving them back costs no label.
# How much there is to gain depends on how far apart the domains are: `digits28` is blurred, as print is not, and MNIST, which
# stands here at `full`, is nearly as sharp. The same holds for the curve *adapted* above, and for the drift of section 5.
#
# Matching statistics assumes that both domains hold the classes in the same shares. Where they don't, the means differ for
# a good reason, and matching them does harm. The *adversarial* way (Ganin and others, 2016) trains the backbone itself: a
# second head tries to tell the domains apart, and its gradient, with the sign turned, makes the features such that it
# can't. That trains longer, and two heads against each other are a balance of the kind that notebook 13 is about; ours
# needs only means and covariances.

# %% [markdown] tags=["exercise"]
# ### Exercise 8.4: match mean and deviation
#
# Write the first cure: features `f` (n, d), moved and stretched so that each has the mean and the deviation that it has in `g`
# (m, d). A feature may be the same for all rows of `f`.

# %% tags=["exercise"]
# NBVAL_CHECK_OUTPUT
def match(f, g):
    """f (n, d) with the means and deviations of g (m, d)."""
    ...  # your code


check("8.4", match)

# %% cellView="form" jupyter={"source_hidden": true} tags=["solution"]
# NBVAL_CHECK_OUTPUT
def match(f, g):
    """f (n, d) with the means and deviations of g (m, d)."""
    standard = (f - f.mean(axis=0)) / (f.std(axis=0) + 1e-6)
    return standard * g.std(axis=0) + g.mean(axis=0)


check("8.4", match)

# %% [markdown]
# ## 7. Backbones that have seen a million photographs
#
# The backbones that most people transfer come from ImageNet: more than a million photographs of 1,000 kinds of things.
# `keras.applications` has many of them; VGG16, ResNet50 and InceptionV3 are old and well studied. They expect colour,
# larger images, and each its own preparation of the pixels (`preprocess_input`): VGG16 and ResNet50 want blue, green, red
# with the mean colour subtracted, InceptionV3 values from −1 to 1. Forget it, and the features are still numbers, and
# worse. `transfer.imagenet` does it all.
#
# Their weights are 59 to 95 megabytes that must be downloaded. At `quick` the cell below runs one of them with random
# weights on a few images, which shows that the path works and says nothing about accuracy. At `full` it downloads; where it
# can't, it says so and uses the bundled backbone.

# %%
weights = scale(quick=None, full="imagenet")
enough = scale(quick=20, full=1000)
mine = few(10)
for name in scale(quick=["VGG16"], full=list(transfer.IMAGENET)):
    try:
        see, what = transfer.imagenet(name, weights), weights or "random weights"
    except DataUnavailable as problem:
        print(problem)
        see, what = (lambda x: features(body, x)), "the bundled backbone instead"
    f = see(x_train[mine][:enough])
    kernel, bias = head(f, y_train[mine][:enough])
    guesses = (see(x_test[:enough]) @ kernel + bias).argmax(axis=1)
    print(f"{name}, {what}: features {f.shape}")
    if weights:
        print(f"  frozen, 10 a class: {np.mean(guesses == y_test[:enough]):.3f} right")

# %% [markdown]
# For fine-tuning such a network the rules are the same, and rule 4 and the batch normalisations weigh more: ResNet50 and
# InceptionV3 are full of them.

# %% [markdown] tags=["exercise"]
# ### Exercise 8.5: which way?
#
# Choose for each case: **A** match statistics on unlabelled images, **B** a frozen head first, then the top blocks at a low
# rate, **C** start from the pre-trained weights and train everything, long, **D** a head on frozen features. (a) Three
# labelled images a class, a source much like the target. (b) The camera was replaced; labelled images of the old one,
# unlabelled ones of the new. (c) A source unlike the target, 50,000 labelled images. (d) A source much like the target, 200
# labelled images a class.

# %% tags=["exercise"]
# NBVAL_CHECK_OUTPUT
answer = [..., ..., ..., ...]  # a letter for (a), (b), (c), (d)

check("8.5", answer)

# %% cellView="form" jupyter={"source_hidden": true} tags=["solution"]
# NBVAL_CHECK_OUTPUT
answer = ["D", "A", "C", "B"]

check("8.5", answer)

# %% [markdown] tags=["exercise"]
# ### Exercise 8.6: no label at all
#
# An open one. You get the backbone's features `f` of printed digits with their labels `y`, and features `g` of handwritten
# digits. Name the handwritten ones. The check draws other digits than those above, and wants 55 of 100 right; as they are,
# the features give far fewer. How far can you get?

# %% tags=["exercise"]
# NBVAL_CHECK_OUTPUT
def name_them(f, y, g):
    """The class, 0 to 9, of each row of g (m, 256), from f (n, 256) with labels y (n,): (m,)."""
    ...  # your code


check("8.6", name_them)

# %% cellView="form" jupyter={"source_hidden": true} tags=["solution"]
# NBVAL_CHECK_OUTPUT
def name_them(f, y, g):
    """The class, 0 to 9, of each row of g (m, 256), from f (n, 256) with labels y (n,): (m,)."""
    kernel, bias = head(transfer.coral(f, g), y, C=0.1)
    return (g @ kernel + bias).argmax(axis=1)


check("8.6", name_them)

# %% [markdown]
# ## Summary
#
# 1. **Choose the source** by what it had to see. Compare with random weights, or you don't know what the source gave.
# 2. **Freeze first**: a head on frozen features is cheap, forgets nothing, and with few labels hard to beat.
# 3. **Unfreeze from the top**, where the old task is closest, and only with labels to pay for it.
# 4. **Lower the learning rate**: at the rate of training from scratch the old task is forgotten, and the new one suffers, too.
# 5. **Augment** with changes that happen in the world, the training images only.
# 6. **Adapt the domain**: unlabelled images of the target, matched in their statistics, can be worth more than labels.
#
# And batch normalisation is frozen only where its layers are not trainable. Measure whether its statistics move.

# %% [markdown]
# ## Sources
#
# - J. Yosinski, J. Clune, Y. Bengio and H. Lipson (2014), "How transferable are features in deep neural networks?",
#   [arXiv:1411.1792](https://arxiv.org/abs/1411.1792): first layers are general, last ones specific.
# - M. McCloskey and N. J. Cohen (1989), "Catastrophic interference in connectionist networks: the sequential learning
#   problem", Psychology of Learning and Motivation 24, 109-165.
# - S. Gidaris, P. Singh and N. Komodakis (2018), "Unsupervised representation learning by predicting image rotations",
#   [arXiv:1803.07728](https://arxiv.org/abs/1803.07728).
# - B. Sun, J. Feng and K. Saenko (2016), "Return of frustratingly easy domain adaptation",
#   [arXiv:1511.05547](https://arxiv.org/abs/1511.05547): CORAL.
# - Y. Li, N. Wang, J. Shi, J. Liu and X. Hou (2016), "Revisiting batch normalization for practical domain adaptation",
#   [arXiv:1603.04779](https://arxiv.org/abs/1603.04779).
# - Y. Ganin and others (2016), "Domain-adversarial training of neural networks",
#   [arXiv:1505.07818](https://arxiv.org/abs/1505.07818).
# - P. Y. Simard, D. Steinkraus and J. C. Platt (2003), "Best practices for convolutional neural networks applied to visual
#   document analysis", ICDAR: elastic distortion.
# - [Keras issue 20285](https://github.com/keras-team/keras/issues/20285) on `training=False`; Keras 3.15, read for this page:
#   `keras/src/models/functional.py`, `keras/src/layers/normalization/batch_normalization.py`, `keras/src/applications`.
# - Data: the cards of `digits28` and `glyphs`; print one with `print(load("glyphs").card)`.

# %% [markdown]
# ## What comes next
#
# Images have their order in space. Notebook 09, *Sequences*, is about order in time.
