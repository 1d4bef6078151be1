"""The checks of notebook 07: right answers pass, gaps are not attempted, each mistake gets its own hint."""

import nbformat
import numpy as np
import pytest
from helpers import ROOT

from coursekit.exercises import NOT_ATTEMPTED, attempt
from coursekit.layers import convolution
from coursekit.layers.convolution import convolve
from coursekit.vision import intersection_over_union

TIMES = 30


def outcomes(exercise, answer, times=TIMES):
    return [attempt(exercise, answer) for _ in range(times)]


def all_say(exercise, answer, hint, times=5):
    said = outcomes(exercise, answer, times)
    return all(isinstance(one, str) and hint in one for one in said)


# --- 7.1 and 7.5: numbers ---------------------------------------------------------------------------------------------
SIZES, BACK = [10, 14, 5856, 15], [14, 42, 8208, 4]


@pytest.mark.parametrize("exercise, answer", [("7.1", SIZES), ("7.5", BACK)])
def test_right_numbers_pass_in_any_form(exercise, answer):
    for form in (list, tuple, np.array, lambda numbers: [np.float32(number) for number in numbers]):
        assert attempt(exercise, form(answer)) is None


def test_the_numbers_are_those_of_keras():
    keras = pytest.importorskip("keras")
    layers = keras.layers
    model = keras.Sequential([
        keras.Input((48, 64, 3)),
        layers.Conv2D(16, 5, strides=2, padding="same"), layers.MaxPooling2D(2), layers.Conv2D(32, 3),
    ])  # fmt: skip
    assert [*model.output_shape[1:3], model.count_params()] == SIZES[:3]
    first = layers.Conv2DTranspose(16, 4, strides=2, padding="same")
    back = keras.Sequential([keras.Input((7, 7, 32)), first, layers.Conv2DTranspose(1, 3, strides=3)])
    assert [first.output.shape[1], back.output_shape[1], first.count_params()] == BACK[:3]
    ones = keras.ops.conv_transpose(np.ones((1, 7, 7, 1), "float32"), np.ones((4, 4, 1, 1), "float32"), 2, "same")
    assert float(keras.ops.convert_to_numpy(ones)[0, 7, 7, 0]) == BACK[3]


@pytest.mark.parametrize("exercise", ["7.1", "7.5"])
@pytest.mark.parametrize("answer", [..., None, [..., ..., ..., ...]])
def test_a_gap_is_not_attempted(exercise, answer):
    assert attempt(exercise, answer) is NOT_ATTEMPTED


def instead(numbers, place, wrong):
    return [*numbers[:place], wrong, *numbers[place + 1 :]]


@pytest.mark.parametrize(
    "exercise, answer, hint",
    [
        ("7.1", instead(SIZES, 0, 14), "(a): that is the columns"),
        ("7.1", instead(SIZES, 0, 12), "(a): the last convolution has no padding"),
        ("7.1", instead(SIZES, 0, 3), "(a): the rule for sizes"),
        ("7.1", instead(SIZES, 1, 13), "(b): the first convolution has padding"),
        ("7.1", instead(SIZES, 2, 5808), "(c): biases are parameters"),
        ("7.1", instead(SIZES, 2, 1536), "(c): the second convolution sees 16 maps"),
        ("7.1", instead(SIZES, 3, 9), "(d): the pooling adds to the field"),
        ("7.1", instead(SIZES, 3, 13), "(d): the pooling, too"),
        ("7.1", instead(SIZES, 3, ...), "(d) is still to do"),
        ("7.1", instead(SIZES, 3, "many"), "(d) should be a plain number"),
        ("7.1", 10, "give a list of four numbers"),
        ("7.5", instead(BACK, 0, 16), "(a): that would be"),
        ("7.5", instead(BACK, 1, 21), "(b): the input of the second"),
        ("7.5", instead(BACK, 2, 8224), "(c): there is a bias for each output"),
        ("7.5", instead(BACK, 3, 16), "(d): most of the 16 weights"),
        ("7.5", instead(BACK, 3, 7), "(d): count along one axis"),
    ],
)
def test_wrong_numbers_get_their_own_hint(exercise, answer, hint):
    assert hint in attempt(exercise, answer)


# --- 7.2: padding -----------------------------------------------------------------------------------------------------
def same_with(edges=lambda k: ((k - 1) // 2, k // 2), mode="constant", turn=lambda kernel: kernel):
    def convolve_same(x, kernel):
        around = [(0, 0), *map(edges, kernel.shape[:2]), (0, 0)]
        return convolve(np.pad(x, around, mode=mode), turn(kernel))

    return convolve_same


def known_shapes_only(x, kernel):
    return same_with()(x, kernel) if kernel.shape[0] == 3 else convolve(x, kernel)


def test_same_padding_passes():
    assert outcomes("7.2", same_with()) == [None] * TIMES
    assert attempt("7.2", lambda x, kernel: same_with()(x, kernel).tolist()) is None


def test_same_padding_not_written_is_not_attempted():
    assert attempt("7.2", lambda x, kernel: None) is NOT_ATTEMPTED


@pytest.mark.parametrize(
    "answer, hint",
    [
        (same_with(lambda k: (k // 2, (k - 1) // 2)), "the odd zero at the end"),
        (same_with(lambda k: (k // 2, k // 2)), "off by one: k − 1 zeros"),
        (same_with(mode="edge"), "not with the pixels at the edge"),
        (same_with(mode="reflect"), "not with mirrored pixels"),
        (same_with(turn=lambda kernel: kernel[::-1, ::-1]), "not flipped"),
        (convolve, "smaller than the input"),
        (known_shapes_only, "smaller than the input"),
        (lambda x, kernel: same_with()(x, kernel).transpose(0, 3, 1, 2), "channels come last"),
        (lambda x, kernel: same_with()(x.transpose(0, 3, 1, 2), kernel), "your code raised ValueError"),
        (lambda x, kernel: 2 * same_with()(x, kernel), "the numbers are not"),
        (lambda x, kernel: x, "the output should have shape"),
    ],
)
def test_wrong_padding_gets_its_own_hint(answer, hint):
    assert all_say("7.2", answer, hint)


# --- 7.3: preparing an experiment -------------------------------------------------------------------------------------
def prepare(x_train, y_train, x_test, y_test, change, copies):
    changed = [change(x_train) for _ in range(copies)]
    return np.concatenate([x_train, *changed]), np.tile(y_train, copies + 1), x_test, y_test


def prepared_by(edit):
    """Like prepare, with its four results and its inputs handed to `edit`, which returns the four."""

    def answer(x_train, y_train, x_test, y_test, change, copies):
        right = prepare(x_train, y_train, x_test, y_test, change, copies)
        return edit(*right, images=x_train, labels=y_train, change=change, copies=copies)

    return answer


def chain(x, y, x_new, y_new, **given):
    parts = [given["images"]]
    for _ in range(given["copies"]):
        parts.append(given["change"](parts[-1]))
    return np.concatenate(parts), y, x_new, y_new


def test_the_preparation_passes():
    assert outcomes("7.3", prepare) == [None] * TIMES
    assert attempt("7.3", lambda *given: list(prepare(*given))) is None


def test_no_preparation_is_not_attempted():
    assert attempt("7.3", lambda *given: None) is NOT_ATTEMPTED


@pytest.mark.parametrize(
    "edit, hint",
    [
        (lambda x, y, x_new, y_new, change, **_: (x, y, change(x_new), y_new), "the test images are what"),
        (lambda x, y, x_new, y_new, **_: (x, y, np.tile(x_new, (2, 1, 1, 1)), y_new), "the test images are what"),
        (lambda x, y, x_new, y_new, **_: (x, y, x_new, y_new[::-1] + 1), "labels of the test images"),
        (lambda x, y, x_new, y_new, labels, **_: (x, labels, x_new, y_new), "each copy needs its label"),
        (lambda x, y, x_new, y_new, **_: (x, np.sort(y)[::-1] + 1, x_new, y_new), "labels are not those"),
        (lambda x, y, x_new, y_new, **_: (x[5:], y[5:], x_new, y_new), "original images are missing"),
        (lambda x, y, x_new, y_new, **_: (x[::-1], y[::-1], x_new, y_new), "should come first"),
        (lambda x, y, x_new, y_new, **_: (x[:5], y[:5], x_new, y_new), "changed copies of them make"),
        (lambda x, y, *rest, copies, **_: (np.concatenate([x[:5]] + copies * [x[5:10]]), y, *rest), "copies are alike"),
        (chain, "not images that have been changed before"),
        (lambda x, y, x_new, y_new, **_: (x, y, x_new), "return four arrays"),
    ],
)
def test_a_wrong_preparation_gets_its_own_hint(edit, hint):
    assert all_say("7.3", prepared_by(edit), hint)


# --- 7.4: batch normalization -----------------------------------------------------------------------------------------
def norm_with(
    batch=lambda x: (x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))),
    use=lambda training, own, kept: own if training else kept,
    renew=lambda training: training,
    keep=lambda momentum: momentum,
    divide=lambda x, variance, epsilon: x / np.sqrt(variance + epsilon),
):
    def batch_norm(x, state, training, momentum, epsilon):
        own, kept = batch(x), (state["mean"], state["variance"])
        if renew(training):
            m = keep(momentum)
            state["mean"], state["variance"] = (m * old + (1 - m) * new for old, new in zip(kept, own, strict=True))
        mean, variance = use(training, own, kept)
        return divide(x - mean, variance, epsilon)

    return batch_norm


def test_batch_norm_passes():
    assert outcomes("7.4", norm_with()) == [None] * TIMES


def test_batch_norm_is_not_attempted():
    assert attempt("7.4", lambda *given: None) is NOT_ATTEMPTED


def test_keras_passes_the_check_of_batch_norm():
    keras = pytest.importorskip("keras")

    def by_keras(x, state, training, momentum, epsilon):
        layer = keras.layers.BatchNormalization(momentum=momentum, epsilon=epsilon)
        layer.build(x.shape)
        ones = np.ones(x.shape[-1])
        layer.set_weights([ones, 0 * ones, state["mean"], state["variance"]])
        out = keras.ops.convert_to_numpy(layer(x.astype("float32"), training=training))
        state["mean"], state["variance"] = (np.asarray(values) for values in layer.get_weights()[2:])
        return out

    assert outcomes("7.4", by_keras, 5) == [None] * 5


@pytest.mark.parametrize(
    "answer, hint",
    [
        (norm_with(use=lambda training, own, kept: own), "left in training mode"),
        (norm_with(use=lambda training, own, kept: kept), "yours are the moving averages"),
        (norm_with(batch=lambda x: (x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2), ddof=1))), "not by one less"),
        (norm_with(batch=lambda x: (x.mean(axis=0), x.var(axis=0))), "the places as well as the images"),
        (norm_with(renew=lambda training: True), "yours have moved"),
        (norm_with(renew=lambda training: False), "are to be renewed"),
        (norm_with(keep=lambda momentum: 1 - momentum), "the other way round"),
        (norm_with(divide=lambda x, v, e: x / (np.sqrt(v) + e)), "under the root"),
        (norm_with(divide=lambda x, v, e: x / np.sqrt(v)), "epsilon is missing"),
        (norm_with(divide=lambda x, v, e: x / (v + e)), "the root of the variance"),
        (norm_with(divide=lambda x, v, e: x), "go through the equations"),
        (lambda x, *rest: x[0], "should be an array of shape"),
    ],
)
def test_wrong_batch_norm_gets_its_own_hint(answer, hint):
    assert all_say("7.4", answer, hint)


# --- 7.6: mean IoU ----------------------------------------------------------------------------------------------------
def mean_iou(truth, predicted, classes):
    values = []
    for k in range(classes):
        if either := ((truth == k) | (predicted == k)).sum():
            values.append(((truth == k) & (predicted == k)).sum() / either)
    return np.mean(values)


def by_picture(truth, predicted, classes):
    return np.mean([mean_iou(t, p, classes) for t, p in zip(truth, predicted, strict=True)])


def per_class(ratio):
    def answer(truth, predicted, classes):
        values = [ratio(truth == k, predicted == k) for k in range(classes)]
        return np.mean([value for value in values if np.isfinite(value)])

    return answer


def quotient(above, below):
    return above / below if below else np.nan


def test_mean_iou_passes():
    assert outcomes("7.6", mean_iou) == [None] * TIMES
    assert attempt("7.6", lambda *given: np.nanmean(intersection_over_union(*given))) is None


def test_mean_iou_is_not_attempted():
    assert attempt("7.6", lambda *given: ...) is NOT_ATTEMPTED


@pytest.mark.parametrize(
    "answer, hint",
    [
        (by_picture, "picture by picture"),
        (lambda t, p, n: np.nanmean(intersection_over_union(t, p, n)[1:]), "the background is a class"),
        (lambda t, p, n: np.mean(t == p), "share of right pixels"),
        (per_class(lambda t, p: quotient((t & p).sum(), t.sum())), "not by those of the truth"),
        (per_class(lambda t, p: quotient(2 * (t & p).sum(), t.sum() + p.sum())), "Dice"),
        (per_class(lambda t, p: quotient((t & p).sum(), t.sum() + p.sum())), "once, not twice"),
        (lambda t, p, n: mean_iou(t, p, 4), "the mean IoU is"),
        (lambda t, p, n: [1, 2], "return one number"),
    ],
)
def test_wrong_iou_gets_its_own_hint(answer, hint):
    said = [one for one in outcomes("7.6", answer, 5) if one]
    assert said and all(hint in one for one in said)


@pytest.mark.parametrize(
    "fill, hint", [(0.0, "not counted as 0"), (1.0, "not counted as 1"), (np.nan, "leave it out of the mean")]
)
def test_absent_classes_are_left_out(fill, hint):
    answer = lambda t, p, n: np.nan_to_num(intersection_over_union(t, p, n), nan=fill).mean()
    assert all_say("7.6", answer, hint)


# --- 7.7: a small network ---------------------------------------------------------------------------------------------
def tiny_with(widths=(8, 12), epochs=20, head=10):
    def tiny(x, y):
        import keras
        from keras import layers

        model = keras.Sequential([
            keras.Input((8, 8, 1)), layers.Rescaling(1 / 16),
            layers.Conv2D(widths[0], 3, activation="relu"), layers.MaxPooling2D(2),
            layers.Conv2D(widths[1], 2, activation="relu"), layers.Flatten(), layers.Dense(head),
        ])  # fmt: skip
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(optimizer=keras.optimizers.Adam(0.01), loss=loss)
        if epochs:
            model.fit(x, y, epochs=epochs, batch_size=32, verbose=0)
        return model

    return tiny


def without_convolution(x, y):
    import keras

    return keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10)])


def test_a_small_network_passes():
    assert attempt("7.7", tiny_with()) is None


@pytest.mark.parametrize(
    "answer, hint",
    [
        (tiny_with(epochs=0), "no better than guessing"),
        (tiny_with(widths=(16, 32), epochs=0), "2,000 are allowed"),
        (tiny_with(epochs=0, head=3), "ten numbers for each image"),
        (without_convolution, "no Conv2D"),
        (lambda x, y: 3, "return the trained keras.Model"),
    ],
)
def test_other_networks_get_their_own_hint(answer, hint):
    assert hint in attempt("7.7", answer)


def test_no_network_is_not_attempted():
    assert attempt("7.7", lambda x, y: None) is NOT_ATTEMPTED


# --- the notebook itself ----------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def cells():
    notebook = nbformat.read(ROOT / "notebooks" / "07_convolutional_networks.ipynb", 4)
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


@pytest.fixture
def run(cells, monkeypatch):
    """A function that executes the first cells with these words in them and returns their names."""
    import coursekit as ck

    monkeypatch.setenv("COURSEKIT_PROGRESS", "off")

    def run(*wanted, **given):
        names = {"np": np, "ck": ck, "load": ck.load, "convolution": convolution, **given}
        for words in wanted:
            exec(next(cell for cell in cells if words in cell), names)
        return names

    return run


def test_the_edges_are_drawn_at_the_ends_of_the_sliders_range(run, capsys):
    names = run("def convolve(", "sobel = ", "def draw_edges")
    assert "draw_edges(angle) for any angle from 0 to 180" in capsys.readouterr().out
    for angle in (0, 90, 180):
        names["draw_edges"](angle)
        assert "2 images" in capsys.readouterr().out


def test_the_saliency_is_drawn_at_the_ends_of_the_sliders_range(run, capsys):
    rng = np.random.default_rng(0)
    given = {"x_test": rng.random((60, 28, 28, 1)), "maps": rng.random((60, 28, 28)), "y_test": np.arange(60) % 10}
    names = run("def draw_saliency", **given)
    assert "draw_saliency(which) for any which from 0 to 59" in capsys.readouterr().out
    for which, said in ((0.0, "a 0: brightest"), (59.0, "a 9: brightest")):
        names["draw_saliency"](which)
        assert said in capsys.readouterr().out
