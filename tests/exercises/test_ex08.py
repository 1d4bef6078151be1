"""The checks of notebook 08: right answers pass, gaps are not attempted, each mistake gets its own hint."""

import numpy as np
import pytest

from coursekit.exercises import NOT_ATTEMPTED, attempt
from coursekit.exercises.answers import CHANGED, ROUNDED
from coursekit.exercises.ex08_transfer_learning import COUNTS

TIMES = 30


def outcomes(exercise, answer, times=TIMES):
    return [attempt(exercise, answer) for _ in range(times)]


# --- 8.1: counts ------------------------------------------------------------------------------------------------------
RIGHT = list(COUNTS.values())


def instead(place, wrong):
    return [*RIGHT[:place], wrong, *RIGHT[place + 1 :]]


def test_right_counts_pass_in_any_form():
    for form in (list, tuple, np.array, lambda numbers: [np.float32(number) for number in numbers]):
        assert attempt("8.1", form(RIGHT)) is None


def test_the_counts_are_those_of_keras():
    keras = pytest.importorskip("keras")
    from coursekit.models.transfer import backbone

    body = backbone()
    model = keras.Sequential([body, keras.layers.Dense(10)])
    model.build((None, 28, 28, 1))
    trained = lambda: sum(int(np.prod(w.shape)) for w in model.trainable_weights)
    whole = trained()
    for layer in body.layers:
        layer.trainable = layer.name in ("block4_conv", "block4_norm")
    top = trained()
    body.trainable = False
    assert [trained(), top, whole] == RIGHT[:3]
    moving = [w for w in body.weights if "moving" in w.path]
    assert sum(int(np.prod(w.shape)) for w in moving) == RIGHT[3]


@pytest.mark.parametrize("answer", [..., None, [..., ..., ..., ...]])
def test_a_gap_is_not_attempted(answer):
    assert attempt("8.1", answer) is NOT_ATTEMPTED


@pytest.mark.parametrize(
    "answer, hint",
    [
        (instead(0, 2560), "(a): the head has biases"),
        (instead(0, 19018), "(a): that would be the head for 74"),
        (instead(1, RIGHT[1] - 128), "(b): the scale and the shift"),
        (instead(1, RIGHT[1] - RIGHT[0]), "(b): the head is trained"),
        (instead(2, RIGHT[2] + 320), "(c): the moving statistics"),
        (instead(2, 1), "(c): add up the rows"),
        (instead(1, float("nan")), "(b) should be a plain number"),
        (instead(3, 640), "(d): scale and shift are changed"),
        (instead(3, 160), "(d): each channel keeps two"),
        (instead(3, ...), "(d) is still to do"),
        (instead(3, "some"), "(d) should be a plain number"),
        (RIGHT[:3], "give a list of four numbers"),
    ],
)
def test_wrong_counts_get_their_own_hint(answer, hint):
    assert hint in attempt("8.1", answer)


# --- 8.2: the split ---------------------------------------------------------------------------------------------------
def splitter(*, pick=None, test=lambda x, change: x, changed=None, tail=lambda mine, rest: rest):
    """A split with something done wrong."""

    def split(x, y, each, change, copies):
        order = np.random.permutation(len(y))
        mine = np.concatenate([order[y[order] == k][:each] for k in np.unique(y)])
        if pick:
            mine = pick(order, y, each, mine)
        rest = tail(mine, np.setdiff1d(order, mine))
        make = changed or (lambda x, copies: [change(x) for _ in range(copies)])
        return np.concatenate([x[mine], *make(x[mine], copies)]), np.tile(y[mine], copies + 1), test(x[rest], change), y[rest]  # fmt: skip  # noqa: E501

    return split


def same_copy(x, y, each, change, copies):
    parts = splitter()(x, y, each, change, 1)
    few = len(parts[0]) // 2
    twice = [parts[0][few:]] * copies
    return np.concatenate([parts[0][:few], *twice]), np.tile(parts[1][:few], copies + 1), *parts[2:]


def labels_in_order(x, y, each, change, copies):
    x_few, y_few, *rest = splitter()(x, y, each, change, copies)
    return x_few, np.roll(y_few, 1), *rest


def copies_of_copies(x, y, each, change, copies):
    def again(few, copies):
        made = [change(few)]
        while len(made) < copies:
            made.append(change(made[-1]))
        return made

    return splitter(changed=again)(x, y, each, change, copies)


def test_a_copy_of_a_copy_is_told():
    assert "a copy of a copy" in attempt("8.2", copies_of_copies)


def two_only(x, y, each, change, copies):
    return splitter()(x, y, 2, change, copies)


def test_split_passes():
    assert outcomes("8.2", splitter()) == [None] * TIMES


def test_split_not_written_is_not_attempted():
    assert attempt("8.2", lambda x, y, each, change, copies: None) is NOT_ATTEMPTED


@pytest.mark.parametrize(
    "answer, hint",
    [
        (splitter(test=lambda x, change: change(x)), "test images are never changed"),
        (splitter(tail=lambda mine, rest: np.concatenate([rest, mine])), "an image that you learn from"),
        (splitter(tail=lambda mine, rest: rest[1:]), "the test holds all other images"),
        (splitter(changed=lambda x, copies: []), "the changed copies are missing"),
        (splitter(pick=lambda order, y, each, mine: order[: len(mine)]), "of every class"),  # from all images at once
        (splitter(pick=lambda order, y, each, mine: np.repeat(mine[::each], each)), "drawn twice"),
        (
            splitter(pick=lambda order, y, each, mine: np.concatenate([np.flatnonzero(y == k)[:each] for k in set(y)])),
            "at random",
        ),
        (same_copy, "change every copy anew"),
        (labels_in_order, "a label does not belong"),
        (  # only classes 0, 1, 2 and so on
            splitter(
                pick=lambda order, y, each, mine: np.concatenate(
                    [order[y[order] == k][:each] for k in range(len(set(y)))]
                )
            ),
            "images, with a label each",
        ),
        (two_only, "images, with a label each"),
        (lambda x, y, each, change, copies: x, "return four arrays"),
        (lambda x, y, *rest: (splitter()(x, y, *rest), y.sort())[0], CHANGED),
        (lambda x, y, *rest: (splitter()(x, y, *rest), np.random.default_rng().shuffle(x))[0], CHANGED),
    ],
)
def test_wrong_splits_get_their_own_hint(answer, hint):
    said = outcomes("8.2", answer, 3)
    assert all(hint in one for one in said), said


def all_copies_at_once(x, y, each, change, copies):
    make = lambda few, copies: [change(np.tile(few, (copies, 1, 1, 1)))]
    return splitter(changed=make)(x, y, each, change, copies)


def image_by_image(x, y, each, change, copies):
    make = lambda few, copies: [np.stack([change(image[None])[0] for image in few]) for _ in range(copies)]
    return splitter(changed=make)(x, y, each, change, copies)


@pytest.mark.parametrize("answer", [all_copies_at_once, image_by_image])
def test_other_right_splits_pass(answer):
    assert outcomes("8.2", answer) == [None] * TIMES


def neighbors(start):
    """Of each class a run of neighbors, from `start(many, each)` on."""

    def pick(order, y, each, mine):
        where = [np.flatnonzero(y == name) for name in np.unique(y)]
        return np.concatenate([np.roll(places, -start(len(places), each))[:each] for places in where])

    return splitter(pick=pick)


def by_a_coin(x, y, each, change, copies):
    end = np.random.randint(2)
    return neighbors(lambda many, each: end * (many - each))(x, y, each, change, copies)


@pytest.mark.parametrize(
    "answer",
    [
        neighbors(lambda many, each: np.random.randint(many - each + 1)),
        neighbors(lambda many, each: np.random.randint(many)),
        by_a_coin,
    ],
)
def test_neighbors_are_no_random_draw(answer):
    assert all("at random" in one for one in outcomes("8.2", answer, 20))


@pytest.mark.parametrize("classes", [lambda y: range(10), lambda y: range(y.max() + 1)])
def test_a_class_that_is_not_there_is_named(classes):
    def by_number(order, y, each, mine):
        return np.concatenate([np.random.choice(np.flatnonzero(y == k), each, replace=False) for k in classes(y)])

    assert all("not all numbers from 0 on are classes" in one for one in outcomes("8.2", splitter(pick=by_number), 20))


def test_a_split_that_raises_for_another_reason_hears_what_it_raised():
    raising = splitter(pick=lambda order, y, each, mine: order[len(order)])
    assert "your code raised IndexError" in attempt("8.2", raising)


# --- 8.3: fine-tuning -------------------------------------------------------------------------------------------------
def tuner(*, rate=1e-3, trainable=lambda layer, top: layer.name in top, shift=0):
    def fine_tuner(body, blocks, classes):
        import keras

        top = [f"block{i}_conv" for i in range(5 - blocks - shift, 5)]
        for layer in body.layers:
            layer.trainable = trainable(layer, top)
        model = keras.Sequential([body, keras.layers.Dense(classes)])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(optimizer=keras.optimizers.Adam(rate), loss=loss, jit_compile=False)
        return model

    return fine_tuner


def recipe(body, blocks, classes):
    """The copied recipe: training=False in the call, which fit overrides."""
    import keras

    for layer in body.layers:
        layer.trainable = layer.name[:6] in [f"block{i}" for i in range(5 - blocks, 5)]
    image = keras.Input((28, 28, 1))
    model = keras.Model(image, keras.layers.Dense(classes)(body(image, training=False)))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss=loss, jit_compile=False)
    return model


def by_sgd(body, blocks, classes):
    import keras

    model = tuner()(body, blocks, classes)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.SGD(0.01, momentum=0.9), loss=loss, jit_compile=False)
    return model


def subclassed(body, blocks, classes):
    import keras

    class Tuned(keras.Model):
        def __init__(self):
            super().__init__()
            self.body, self.head = body, keras.layers.Dense(classes, activation="softmax")

        def call(self, x):
            return self.head(self.body(x))

    for layer in body.layers:
        layer.trainable = layer.name in [f"block{i}_conv" for i in range(5 - blocks, 5)]
    model = Tuned()
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", jit_compile=False)
    return model


@pytest.mark.parametrize("answer", [tuner(), by_sgd, subclassed])
def test_fine_tuner_passes(answer):
    assert attempt("8.3", answer) is None


def test_fine_tuner_not_written_is_not_attempted():
    assert attempt("8.3", lambda body, blocks, classes: None) is NOT_ATTEMPTED


def with_rate(model, rate):
    model.optimizer.learning_rate = rate
    return model


def one_block_only(body, blocks, classes):
    return tuner()(body, 1, classes)


@pytest.mark.parametrize(
    "answer, hint",
    [
        (tuner(rate=1e-2, trainable=lambda layer, top: True), "all layers unfrozen at a rate"),
        (
            tuner(trainable=lambda layer, top: layer.name in top or "norm" in layer.name),
            "a block below has moved|moving",
        ),
        (recipe, "moving statistics"),
        (tuner(shift=1), "a block below has moved"),
        (tuner(rate=1e-2), "a learning rate of 0.01"),
        (tuner(rate=0.0), "nothing has moved in three steps, at a learning rate of 0"),
        (lambda *given: with_rate(by_sgd(*given), 0.1), "a learning rate of 0.1"),
        (tuner(trainable=lambda layer, top: False), "has not moved"),
        (one_block_only, "has not moved"),
        (lambda body, blocks, classes: tuner()(body, blocks, classes + 1), "the outputs should have shape"),
        (lambda body, blocks, classes: body, "return a compiled Keras model"),
    ],
)
def test_wrong_fine_tuners_get_their_own_hint(answer, hint):
    said = attempt("8.3", answer)
    assert any(part in said for part in hint.split("|")), said


def with_head(activation, from_logits, penalty=None):
    def fine_tuner(body, blocks, classes):
        import keras

        for layer in body.layers:
            layer.trainable = layer.name in [f"block{i}_conv" for i in range(5 - blocks, 5)]
        head = keras.layers.Dense(classes, activation=activation, kernel_regularizer=penalty)
        model = keras.Sequential([body, head])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=from_logits)
        model.compile(optimizer=keras.optimizers.Adam(1e-3), loss=loss, jit_compile=False)
        return model

    return fine_tuner


@pytest.mark.parametrize(
    "activation, from_logits, hint",
    [
        (None, False, "the loss takes probabilities, and the outputs"),
        ("relu", True, "the head should have no ReLU"),
    ],
)
def test_a_loss_that_does_not_fit_its_head_is_told(activation, from_logits, hint):
    assert hint in attempt("8.3", with_head(activation, from_logits))


def squared_error_of_columns(y_true, y_pred):
    from keras import ops

    return ops.mean(ops.square(ops.cast(ops.reshape(y_true, (-1, 1)), y_pred.dtype) - y_pred), axis=-1)


@pytest.mark.parametrize(
    "activation, loss, hint",
    [
        (None, "mse", "can't compare whole numbers as labels"),
        ("softmax", "mse", "can't compare whole numbers as labels"),
        (None, squared_error_of_columns, "is not the cross-entropy of outputs and labels"),
        ("softmax", squared_error_of_columns, "is not the cross-entropy of outputs and labels"),
    ],
)
def test_another_loss_is_not_called_a_cross_entropy_of_logits(activation, loss, hint):
    def with_loss(*given):
        model = with_head(activation, False)(*given)
        model.compile(optimizer="adam", loss=loss, jit_compile=False)
        return model

    assert hint in attempt("8.3", with_loss)


def test_a_sigmoid_before_a_loss_of_probabilities_is_told():
    import keras

    said = attempt("8.3", with_head("sigmoid", False))
    finds_logits = keras.backend.backend() == "tensorflow"  # TensorFlow's tensors keep the logits of their sigmoid, too
    assert ("is not the cross-entropy of outputs" if finds_logits else "the loss takes probabilities, and") in said


def test_probabilities_for_a_loss_of_logits_pass_where_keras_finds_the_logits_itself():
    import keras

    said = attempt("8.3", with_head("softmax", True))  # TensorFlow's tensors keep the logits of their softmax
    assert said is None if keras.backend.backend() == "tensorflow" else "the head gives probabilities" in said


def test_a_penalty_on_the_head_is_no_wrong_loss():
    assert attempt("8.3", with_head(None, True, penalty="l2")) is None


def test_a_head_of_zeros_passes():
    def zeros(body, blocks, classes):
        model = tuner()(body, blocks, classes)
        model.layers[-1].kernel.assign(np.zeros((256, classes), "float32"))
        return model

    assert attempt("8.3", zeros) is None


def built(*, before=(), after=(), activation=None, loss=None, body_of=lambda body: body):
    """A fine-tuner with more layers in front of the backbone or in the head, or with another backbone."""

    def fine_tuner(body, blocks, classes):
        import keras

        body = body_of(body)
        for layer in body.layers:
            layer.trainable = layer.name in [f"block{i}_conv" for i in range(5 - blocks, 5)]
        make = lambda name, *given, **more: getattr(keras.layers, name)(*given, **more)
        model = keras.Sequential([
            *(make(*one) for one in before), body, *(make(*one) for one in after if one[0] != "Softmax"),
            keras.layers.Dense(classes, activation=activation), *(make(*one) for one in after if one[0] == "Softmax"),
        ])  # fmt: skip
        loss = loss_of or keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(optimizer=keras.optimizers.Adam(1e-3), loss=loss, jit_compile=False)
        return model

    loss_of = loss
    return fine_tuner


def copied(body):
    import keras

    copy = keras.models.clone_model(body)
    copy.set_weights(body.get_weights())
    return copy


def trained_once(body, blocks, classes):
    model = tuner()(body, blocks, classes)
    model.train_on_batch(np.random.rand(8, 28, 28, 1).astype("float32"), np.zeros(8, "int32"))
    return model


BY_NAME = "sparse_categorical_crossentropy"


@pytest.mark.parametrize(
    "answer",
    [
        built(after=[("Dense", 32, "relu"), ("Dropout", 0.2)]),
        built(after=[("Softmax",)], loss=BY_NAME),
        built(activation="softmax", loss=BY_NAME),
        built(before=[("RandomFlip",)]),
    ],
)
def test_other_right_fine_tuners_pass(answer):
    assert outcomes("8.3", answer, 3) == [None] * 3


@pytest.mark.parametrize(
    "answer, hint",
    [
        (built(activation="softmax", after=[("Softmax",)], loss=BY_NAME), "the softmax is taken twice"),
        (built(after=[("BatchNormalization",)]), "a batch normalization in the new head"),
        (built(before=[("Rescaling", 1 / 255)]), "the images as they are"),
        (built(body_of=copied), "not a copy of it"),
        (tuner(rate=1e-9), "hardly anything has moved in three steps, at a learning rate of 1e-09"),
        (trained_once, "have changed already"),
    ],
)
def test_other_wrong_fine_tuners_are_refused_in_each_call(answer, hint):
    assert all(hint in str(one) for one in outcomes("8.3", answer, 3))


# --- 8.4: matched statistics ------------------------------------------------------------------------------------------
def matched(f, g):
    return (f - f.mean(axis=0)) / (f.std(axis=0) + 1e-6) * g.std(axis=0) + g.mean(axis=0)


def in_place(f, g):
    f -= f.mean(axis=0)
    return f / (f.std(axis=0) + 1e-6) * g.std(axis=0) + g.mean(axis=0)


def test_match_passes():
    from coursekit.models.transfer import match_statistics

    assert outcomes("8.4", matched) == [None] * TIMES
    assert outcomes("8.4", match_statistics) == [None] * TIMES
    assert attempt("8.4", lambda f, g: matched(f, g).tolist()) is None
    assert outcomes("8.4", of_samples) == [None] * TIMES
    assert outcomes("8.4", lambda f, g: matched(np.float32(f), np.float32(g))) == [None] * TIMES


def of_samples(f, g):
    """Both standard deviations divided by one less."""
    spread = np.where(f.std(axis=0) > 0, f.std(axis=0, ddof=1), 1)
    return (f - f.mean(axis=0)) / spread * g.std(axis=0, ddof=1) + g.mean(axis=0)


def test_match_not_written_is_not_attempted():
    assert attempt("8.4", lambda f, g: ...) is NOT_ATTEMPTED


@pytest.mark.parametrize(
    "answer, hint",
    [
        (lambda f, g: f - f.mean(axis=0) + g.mean(axis=0), "standard deviations are still those of f"),
        (lambda f, g: (f - f.mean(axis=0)) / f.std(axis=0) * g.std(axis=0) + f.mean(axis=0), "means are still"),
        (lambda f, g: (f - f.mean(axis=0)) / f.std(axis=0), "f is standardized"),
        (lambda f, g: matched(g, f), "not the other way round"),
        (lambda f, g: (f - f.mean()) / f.std() * g.std() + g.mean(), "of each feature"),
        (lambda f, g: (f - f.mean(axis=0)) / f.std(axis=0) * g.std(axis=0) + g.mean(axis=0), "dead ReLU"),
        (lambda f, g: (f - f.mean(axis=0)) / f.std(axis=0) * g.var(axis=0) + g.mean(axis=0), "the variance is not"),
        (
            lambda f, g: (
                np.nan_to_num((f - f.mean(axis=0)) / f.std(axis=0) * g.std(axis=0))
                + g.mean(axis=0) * (f.std(axis=0) > 0)
            ),
            "no spread to stretch",
        ),
        (in_place, CHANGED),
        (lambda f, g: (matched(f, g), g.sort(axis=0))[0], CHANGED),
        (lambda f, g: f[:2], "the shape of f"),
        (lambda f, g: f, "and doesn't"),
        (lambda f, g: "f", "return an array of numbers"),
    ],
)
def test_wrong_matches_get_their_own_hint(answer, hint):
    with np.errstate(all="ignore"):
        assert all(hint in one for one in outcomes("8.4", answer, 3))


@pytest.mark.parametrize(
    "answer, hint",
    [
        (lambda f, g: f / f.std(axis=0) * g.std(axis=0), "the means are missing"),
        (lambda f, g: f / f.std(axis=0) * g.std(axis=0) + g.mean(axis=0), "subtract the mean of f first"),
        (lambda f, g: (f - f.mean(axis=0)) / f.var(axis=0) * g.std(axis=0) + g.mean(axis=0), "not by its variance"),
        (lambda f, g: (f - f.mean(axis=0)) / f.var(axis=0) * g.var(axis=0) + g.mean(axis=0), "both are variances"),
        (lambda f, g: matched(f, g).round(1), ROUNDED),
        (lambda f, g: matched(f, g).round(2), ROUNDED),
    ],
)
def test_more_wrong_matches_get_their_own_hint_in_each_call(answer, hint):
    assert all(hint in one for one in outcomes("8.4", answer, 20))


# --- 8.5: choices -----------------------------------------------------------------------------------------------------
def test_choices():
    assert attempt("8.5", ["D", "A", "C", "B"]) is None and attempt("8.5", "dacb") is None
    assert attempt("8.5", [...] * 4) is NOT_ATTEMPTED and attempt("8.5", ...) is NOT_ATTEMPTED


@pytest.mark.parametrize(
    "answer, hint",
    [
        ("CACB", "(a): three images"),
        ("DDCB", "(b): there is no label"),
        ("DABC", "(c): with many labels"),
        ("DACD", "(d): some labels"),
        (["D", ..., "C", "B"], "(b) is still to do"),
        (["D", 2, "C", "B"], "(b) should be one of"),
        ("DAC", "give four letters"),
    ],
)
def test_wrong_choices_get_their_own_hint(answer, hint):
    assert hint in attempt("8.5", answer)


# --- 8.6: no labels ---------------------------------------------------------------------------------------------------
def by_head(f, y, g):
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=0.01, max_iter=300).fit(f, y).predict(g)


def with_coral(f, y, g):
    from coursekit.models.transfer import coral

    return by_head(coral(f, g), y, g)


def test_names_without_labels_pass():
    assert outcomes("8.6", with_coral, 2) == [None] * 2


def test_names_not_written_are_not_attempted():
    assert attempt("8.6", lambda f, y, g: None) is NOT_ATTEMPTED


@pytest.mark.parametrize(
    "answer, hint",
    [
        (by_head, "adapt the features of print"),
        (lambda f, y, g: np.full(len(g), 3), "hardly more than by guessing"),
        (lambda f, y, g: np.eye(10)[np.zeros(len(g), int)], "take the argmax"),
        (lambda f, y, g: by_head(f, y, f), "return one class for each row of g"),
        (lambda f, y, g: (np.zeros(len(g)), np.subtract(g, g.mean(axis=0), out=g))[0], CHANGED),
        (lambda f, y, g: (np.zeros(len(g)), y.sort())[0], CHANGED),
    ],
)
def test_wrong_names_get_their_own_hint(answer, hint):
    assert hint in attempt("8.6", answer)
