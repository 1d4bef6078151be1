"""The checks of notebook 08, Transfer learning."""

import numpy as np

from coursekit.arrays import as_array
from coursekit.exercises import NOT_ATTEMPTED, exercise
from coursekit.exercises.answers import (
    CHANGED,
    ROUNDED,
    beside,
    changed,
    compare_letters,
    compare_numbers,
    missing,
    numbers,
    parts_of,
    rounded,
    without_stars,
)

# --- 8.1 --------------------------------------------------------------------------------------------------------------
KERNELS, CHANNELS = (400, 4608, 13824, 27648), (16, 32, 48, 64)
HEAD, NORMS = 256 * 10 + 10, 2 * sum(CHANNELS)
COUNTS = {"(a)": HEAD, "(b)": HEAD + KERNELS[3] + 128, "(c)": HEAD + sum(KERNELS) + NORMS, "(d)": NORMS}
COUNT_HINTS = {
    "(a)": {
        2560: "the head has biases, too: one for each logit",
        0: "the backbone is frozen and the head is not",
        19018: "that would be the head for 74 glyphs; the new one has 10 logits",
    },
    "(b)": {
        HEAD + KERNELS[3]: "the scale and the shift of block 4's batch normalization are trained, too",
        HEAD
        + KERNELS[3]
        + 256: "of the four numbers a channel, two are the moving statistics: no gradient changes them",
        KERNELS[3] + 128: "the head is trained as well",
        HEAD + KERNELS[3] + 64 + 128: "the convolutions have no bias: batch normalization has a shift of its own",
    },
    "(c)": {
        HEAD + 47120: "the moving statistics are not trained: no gradient changes them",
        46800: "that is the backbone alone; add the head",
        HEAD + sum(KERNELS): "the scales and shifts of the batch normalizations are trained, too",
    },
    "(d)": {
        640: "scale and shift are changed by gradients; the moving mean and variance are not",
        160: "each channel keeps two such numbers: a moving mean and a moving variance",
    },
}


@exercise("8.1")
def check_counts(answer):
    """Trainable parameters for three choices, and the moving statistics."""
    return compare_numbers(answer, COUNTS, COUNT_HINTS, "add up the rows of the table that are trained, and the head")


# --- 8.2 --------------------------------------------------------------------------------------------------------------
@exercise("8.2")
def check_split(split):
    """Images that are known one by one, and a change that marks what it is given."""
    rng = np.random.default_rng()
    side_by_side = []
    for each, copies in ((int(rng.integers(5, 8)), 1), (int(rng.integers(8, 10)), int(rng.integers(2, 4)))):
        # Enough classes that a draw from all images is hardly ever even; some numbers are missing.
        names = np.sort(np.append(rng.choice(9, size=int(rng.integers(3, 6)), replace=False), 9))
        x, y = _known_images(rng, names)
        few, chosen = each * len(names), []
        for _ in range(2):
            given = x.copy(), y.copy()
            answer, hint = _split_by(split, given, each, copies, rng)
            if hint:
                return hint
            if missing(answer):
                return NOT_ATTEMPTED
            if changed(given, (x, y)):
                return CHANGED
            parts = parts_of(answer, 4)
            if parts is None or any(numbers(part) is None for part in parts):
                return "return four arrays: x_few, y_few, x_rest, y_rest"
            parts = [as_array(part) for part in parts]
            if hint := _split_hint(parts, x, y, each, copies):
                return hint
            chosen.append(set(parts[0][:few, 0, 0, 0]))
            side_by_side += [_side_by_side(np.flatnonzero(y == name), chosen[-1]) for name in names]
        if chosen[0] == chosen[1]:
            return "the same images are drawn at every call: draw them at random"
    if all(side_by_side):
        return "the images of a class stand side by side in the data: draw each of them at random"
    return None


def _known_images(rng, names):
    """Images that hold their number, and labels from `names`; no two classes are as large."""
    y = rng.permutation(np.repeat(names, rng.permutation(np.arange(14, 14 + 2 * len(names), 2))))
    return np.broadcast_to(np.arange(len(y), dtype=float)[:, None, None, None], (len(y), 4, 4, 1)).copy(), y


def _split_by(split, given, each, copies, rng):
    """The student's split, and a hint if it raises, but would not if no number were missing among the classes."""
    try:
        return split(*given, each, _marking(), copies), None
    except Exception:
        x, y = _known_images(rng, np.arange(10))
        split(x, y, each, _marking(), copies)  # raises as well where the classes are not to blame
        there = np.unique(given[1]).tolist()
        return None, f"not all numbers from 0 on are classes: here the labels are {there}, as np.unique(y) finds them"


def _side_by_side(places, chosen):
    """Whether those that were chosen of the places of a class are neighbors, the last and the first one, too."""
    mine = np.isin(places, list(chosen))
    return np.count_nonzero(mine & ~np.roll(mine, 1)) == 1


def _marking():
    """A change that adds 1000 times an odd number, another one for each image, so that the image can still be told."""
    calls = []

    def change(images):
        images = np.asarray(images)
        many = len(images) if images.ndim == 4 else 1
        marks = 1000.0 * (2 * np.arange(len(calls), len(calls) + many) + 1)
        calls.extend(marks)
        return images + (marks.reshape(-1, 1, 1, 1) if images.ndim == 4 else marks[0])

    return change


def _split_hint(parts, x, y, each, copies):
    x_few, y_few, x_rest, y_rest = parts
    classes = len(np.unique(y))
    few = each * classes
    if x_few.shape[1:] != x.shape[1:] or x_rest.shape[1:] != x.shape[1:]:
        return "images keep their shape (h, w, 1)"
    if (x_rest >= 1000).any():
        return "test images are never changed: they stand for what the network will meet"
    if len(x_few) == few and copies and (x_few < 1000).all():
        return "the changed copies are missing: they come after the images as they are"
    if len(x_few) != few * (1 + copies) or len(y_few) != len(x_few):
        return (
            f"{each} of each of {classes} classes and {copies} copies: {few * (1 + copies)} images, with a label each"
        )
    mark, number = np.divmod(x_few[:, 0, 0, 0], 1000)
    if (mark[:few] != 0).any():
        return "the images as they are come first, then the changed copies"
    number = number.astype(int)
    mine = number[:few]
    if len(set(mine)) != few:
        return "an image was drawn twice: draw without replacement"
    if not np.array_equal(y_few, y[number]):
        return "a label does not belong to its image: choose images and labels with the same indices"
    if not np.array_equal(np.unique(y[mine], return_counts=True)[1], np.full(classes, each)):
        return f"there should be {each} of every class: draw from each class on its own"
    if not np.array_equal(np.bincount(number, minlength=len(y))[mine], np.full(few, 1 + copies)):
        return "each image should come once as it is, and once in every copy"
    if (mark[few:] % 2 == 0).any():
        return "a copy of a copy: each copy is made from the images as they are"
    if len(set(mark[few:])) < few * copies:
        return "change every copy anew: the same copy twice teaches nothing"
    rest = x_rest[:, 0, 0, 0].astype(int)
    if set(rest) & set(mine):
        return "an image that you learn from is in the test, too"
    if sorted(rest) != sorted(set(range(len(y))) - set(mine)):
        return "the test holds all other images, once each"
    if len(y_rest) != len(rest) or not np.array_equal(y_rest, y[rest]):
        return "a label of the test does not belong to its image"
    return None


# --- 8.3 --------------------------------------------------------------------------------------------------------------
HIGHEST_RATE = 3e-3  # for fine-tuning with Adam and its kin, whose steps are about as large as the rate
HIGHEST_OF_SGD = 0.1  # of rate / (1 - momentum), for plain gradient descent, whose steps are rate times gradient


@exercise("8.3")
def check_fine_tuner(fine_tuner):
    """Two settings: what may be trained, the rate, and what moves in a few steps on random images."""
    from coursekit.models.transfer import pretrained

    rng = np.random.default_rng()
    for blocks in rng.permutation([1, 3]).tolist():
        classes = int(rng.integers(3, 9))
        body, _ = pretrained("glyphs")
        was = [as_array(w.value).copy() for w in body.weights]
        model = fine_tuner(body, blocks, classes)
        if missing(model):
            return NOT_ATTEMPTED
        if not hasattr(model, "fit") or getattr(model, "optimizer", None) is None:
            return "return a compiled Keras model"
        if changed([as_array(w.value) for w in body.weights], was):
            return (
                "the weights of the backbone have changed already: compile the model, and leave training to the caller"
            )
        x, y = rng.random((32, 28, 28, 1)).astype("float32"), rng.integers(0, classes, 32)
        given = as_array(model(x, training=False))  # builds it, too
        if given.shape != (32, classes):
            return f"for 32 images the outputs should have shape (32, {classes}), yours have {given.shape}"
        if hint := _loss_hint(model, x, y, given.astype(float)):
            return hint
        if hint := _form_hint(body, model, x, rng):
            return hint
        if hint := _moved_hint(body, model, blocks, classes, rng):
            return hint
    return None


def _loss_hint(model, x, y, outputs):
    """What is wrong with loss and head together: probabilities taken for logits, logits for probabilities, no sign."""
    import keras

    probabilities = (outputs >= 0).all() and np.allclose(outputs.sum(axis=1), 1, atol=1e-3)
    if probabilities:  # Keras cuts off at 1e-7 where it does not find the logits
        clear = outputs[np.arange(len(y)), y] > 1e-5
        x, y, outputs = x[clear], y[clear], outputs[clear]
    if not len(y):
        return None
    of_labels, single = keras.losses.sparse_categorical_crossentropy, outputs.astype("float32")
    as_logits = np.mean(as_array(of_labels(y, single, from_logits=True)))
    as_probabilities = np.mean(as_array(of_labels(y, single)))
    right, other = (as_probabilities, as_logits) if probabilities else (as_logits, as_probabilities)
    try:
        loss = float(as_array(model.compute_loss(x=x, y=y, y_pred=model(x, training=False))))
    except Exception as error:
        how = f"it raised {type(error).__name__}"
        return f"the loss can't compare whole numbers as labels with outputs of shape {outputs.shape}: {how}"
    loss -= sum(float(as_array(penalty)) for penalty in model.losses)
    if not np.isclose(loss, right, rtol=1e-2):
        if probabilities and np.isclose(loss, other, rtol=1e-3):
            return "the head gives probabilities and the loss takes logits (from_logits=True): make both the same"
        if np.isclose(loss, other, rtol=1e-3, equal_nan=True):
            return (
                "the loss takes probabilities, and the outputs of an image don't add up to 1: from_logits=True, or a "
                "softmax in the head"
            )
        return f"the loss is not the cross-entropy of outputs and labels: that is {right:.4g}, yours gives {loss:.4g}"
    if not probabilities and (outputs >= 0).all() and (outputs == 0).any() and outputs.any():  # all 0: a head of zeros
        return "the outputs are logits, which may be negative: the head should have no ReLU"
    return None


def _form_hint(body, model, x, rng):
    """What is wrong with how the model is put together, whatever the weights of its head."""
    if not {id(w) for w in body.weights} & {id(w) for w in model.weights}:
        return "the network that you were given is not in the model: train it, not a copy of it"
    first, seen = body.get_layer("block1_conv"), []
    call = first.call
    first.call = lambda inputs, *rest, **more: (seen.append(as_array(inputs)), call(inputs, *rest, **more))[1]
    try:
        outputs = _with_large_head(body, model, x, rng)
    finally:
        del first.call  # the method of its class is there again
    if seen and not (seen[0].shape == x.shape and np.allclose(seen[0], x, atol=1e-3)):
        return "the backbone should get the images as they are: they go from 0 to 1, as it has learned them"
    classes = outputs.shape[1]
    most = np.e / (np.e + classes - 1)  # the largest softmax of numbers from 0 to 1
    if np.allclose(outputs.sum(axis=1), 1, atol=1e-3) and (outputs >= 0).all() and outputs.max() < most + 1e-3:
        return "the softmax is taken twice: of probabilities it makes others that are nearly equal"
    return None


def _with_large_head(body, model, x, rng):
    """The outputs (n, classes) with large weights in the head, which are put back afterwards."""
    of_body = {id(w) for w in body.weights}
    head = [w for w in model.trainable_weights if id(w) not in of_body]
    before = [as_array(w.value).copy() for w in head]
    for w, values in zip(head, before, strict=True):
        w.assign(rng.normal(0, 30, values.shape).astype(values.dtype))
    try:
        return as_array(model(x, training=False)).astype(float)
    finally:
        for w, values in zip(head, before, strict=True):
            w.assign(values)


def _rate_too_high(optimizer):
    """The learning rate, and whether it is one for learning from scratch."""
    rate = float(as_array(optimizer.learning_rate))
    if type(optimizer).__name__ == "SGD":
        return rate, rate / max(1 - float(optimizer.momentum), 1e-6) > HIGHEST_OF_SGD * 1.01
    return rate, rate > HIGHEST_RATE * 1.01


def _moved_hint(body, model, blocks, classes, rng):
    rate, too_high = _rate_too_high(model.optimizer)
    before = {w.path: as_array(w.value).copy() for w in body.weights}
    all_before = [as_array(w.value).copy() for w in model.weights]
    for _ in range(3):
        x = rng.random((16, 28, 28, 1)).astype("float32")
        model.train_on_batch(x, rng.integers(0, classes, 16))
    all_after = [as_array(w.value).copy() for w in model.weights]
    moved = {w.path for w in body.weights if not np.array_equal(before[w.path], as_array(w.value))}
    expected = {f"block{i}_conv/kernel" for i in range(5 - blocks, 5)}
    norms = {path for path in moved if "norm" in path}
    below = {path for path in moved - norms if path not in expected}
    furthest = max((_moved_by(*pair) for pair in zip(all_before, all_after, strict=True)), default=0)
    if furthest < 1e-6:
        much = "hardly anything" if furthest else "nothing"
        return f"{much} has moved in three steps, at a learning rate of {rate:g}"
    if too_high and all(path in moved for path in before if path.endswith("conv/kernel")) and below:
        return f"all layers unfrozen at a rate of {rate:g}: the source is forgotten; freeze below, and lower the rate"
    if below:
        return f"of {blocks} blocks to train, counted from the top, a block below has moved: {min(below)}"
    if any("moving" in path for path in norms):
        return "the moving statistics of a batch normalization have changed: it works in training mode"
    if norms:
        return f"a batch normalization has been trained: {min(norms)}"
    if not expected <= moved:
        return f"{min(expected - moved)} has not moved: the last {blocks} blocks are to be trained"
    if not any(w.path not in before for w in model.trainable_weights):
        return "the new head has nothing to train"
    pairs = zip(model.weights, all_before, all_after, strict=True)
    if any("moving" in w.path and w.path not in before and not np.array_equal(*values) for w, *values in pairs):
        return "a batch normalization in the new head changes: none should, so do without it"
    if too_high:
        return (
            f"a learning rate of {rate:g} is for learning from scratch: fine-tune with Adam at {HIGHEST_RATE:g} or less"
        )
    return None


def _moved_by(before, after):
    """How far an array has moved, as a share of its size; where it was 0, the size is 1."""
    if before.dtype.kind != "f" or not before.size:
        return 0.0
    return float(np.linalg.norm(after - before) / (np.linalg.norm(before) or 1))


# --- 8.4 --------------------------------------------------------------------------------------------------------------
@exercise("8.4")
def check_match(match):
    """Random features of two domains, one of them with a feature that never changes."""
    rng = np.random.default_rng()
    for d in (3, 5):
        f = rng.normal(rng.normal(0, 3, d), rng.uniform(0.5, 4, d), size=(int(rng.integers(20, 30)), d))
        g = rng.normal(rng.normal(0, 3, d), rng.uniform(0.5, 4, d), size=(int(rng.integers(31, 50)), d))
        given = f.copy(), g.copy()
        got = match(*given)
        if missing(got):
            return NOT_ATTEMPTED
        if changed(given, (f, g)):
            return CHANGED
        got = numbers(got)
        if got is None:
            return "return an array of numbers"
        if hint := _match_hint(got, f, g):
            return hint
    f = np.array([[1.0, 2.0], [1.0, 4.0], [1.0, 9.0]])
    g = np.array([[5.0, 1.0], [7.0, 2.0]])
    got = numbers(match(f.copy(), g.copy()))
    if got is None or not np.isfinite(got).all():
        return "a feature that is the same in all of f (a dead ReLU) must not become NaN or infinite"
    if got.shape != f.shape or not np.allclose(got[:, 0], 6.0, rtol=1e-3):
        return (
            "a feature that is the same in all of f has no spread to stretch: it should become the mean of g's, 6 here"
        )
    return _match_hint(got[:, 1:], f[:, 1:], g[:, 1:])


def _match_hint(got, f, g):
    standard = (f - f.mean(axis=0)) / f.std(axis=0)
    near = lambda right: got.shape == right.shape and np.allclose(got, right, rtol=1e-3, atol=1e-3)
    of_samples = np.sqrt((1 - 1 / len(f)) / (1 - 1 / len(g)))  # where both are divided by one less, ddof=1
    if near(standard * g.std(axis=0) + g.mean(axis=0)) or near(standard * g.std(axis=0) * of_samples + g.mean(axis=0)):
        return None
    if got.shape == f.shape and rounded(got, standard * g.std(axis=0) + g.mean(axis=0)):
        return ROUNDED
    stretched = f / f.std(axis=0) * g.std(axis=0)
    wrong = {
        "subtract the mean of f first: what is stretched should be centered": stretched + g.mean(axis=0),
        "the means are missing: subtract that of f first, and add that of g at the end": stretched,
        "divide by the standard deviation of f, not by its variance": (f - f.mean(axis=0))
        / f.var(axis=0)
        * g.std(axis=0)
        + g.mean(axis=0),
        "both are variances: standard deviations are their roots": (f - f.mean(axis=0)) / f.var(axis=0) * g.var(axis=0)
        + g.mean(axis=0),
        "the standard deviations are still those of f": f - f.mean(axis=0) + g.mean(axis=0),
        "the means are still those of f": standard * g.std(axis=0) + f.mean(axis=0),
        "f is standardized; now give it the standard deviation and the mean of g": standard,
        "the variance is not the standard deviation: take its root": standard * g.var(axis=0) + g.mean(axis=0),
        "take mean and standard deviation of each feature, along the images": (f - f.mean()) / f.std() * g.std()
        + g.mean(),
        "it is f that is to be made like g, not the other way round": (
            (g - g.mean(axis=0)) / g.std(axis=0) * f.std(axis=0) + f.mean(axis=0)
        ),
    }
    for hint, values in wrong.items():
        if near(values):
            return hint
    if got.shape != f.shape:
        return f"the result should have the shape of f, {f.shape}; yours has {got.shape}"
    return "each column should have the mean and the standard deviation of g's, and doesn't"


# --- 8.5 --------------------------------------------------------------------------------------------------------------
CHOICES = {"(a)": "D", "(b)": "A", "(c)": "C", "(d)": "B"}
WHY = {
    "(a)": "three images a class can train a head, and little else; the source is close",
    "(b)": "there is no label to train with: what can be done with images alone?",
    "(c)": "with many labels and a far source, the old features are a start at best: everything may move",
    "(d)": "some labels and a close source: more than the head can be moved, a little",
}


@exercise("8.5")
def check_choices(answer):
    """Four situations, four ways."""
    return compare_letters(without_stars(answer), CHOICES, WHY)


# --- 8.6 --------------------------------------------------------------------------------------------------------------
WANTED = 0.55  # of the handwritten digits; as they are, the features of print give about 0.3


@exercise("8.6")
def check_name_them(name_them):
    """Other printed digits and a random part of the handwritten ones; no label of theirs is handed out."""
    from coursekit.datasets import load
    from coursekit.datasets.glyphs import variants
    from coursekit.models.transfer import pretrained

    rng, best = np.random.default_rng(), 0.0
    body, _ = pretrained("glyphs")
    data = load("digits28")
    for _ in range(3):  # an unlucky draw is drawn again
        x_print, y_print = variants("0123456789", 60, seed=int(rng.integers(2**31)))
        mine = rng.permutation(len(data.x_train))[:700]
        f, g = (_features(body, x) for x in (x_print, data.x_train[mine]))
        y = y_print.astype("int32")
        given = f.copy(), y.copy(), g.copy()
        got = name_them(*given)
        if missing(got):
            return NOT_ATTEMPTED
        if changed(given, (f, y, g)):
            return CHANGED
        got = numbers(got)
        if got is not None and got.shape == (len(g), 10):
            return "return the class of each image, (m,), not the logits: take the argmax"
        if got is None or got.shape != (len(g),):
            return f"return one class for each row of g, shape ({len(g)},)"
        best = max(best, float(np.mean(got == data.y_train[mine])))
        if best >= WANTED:
            return None
    if best < 0.2:
        return f"{best:.0%} are right, hardly more than by guessing: do images and labels still belong together?"
    percent = beside(100 * best, round(100 * WANTED), 0)
    return (
        f"{percent}% are right, and {WANTED:.0%} are wanted: adapt the features of print to those of handwriting first"
    )


def _features(body, x):
    x = x[..., None] / np.float32(255)
    return np.concatenate([as_array(body(x[i : i + 500], training=False)) for i in range(0, len(x), 500)])
