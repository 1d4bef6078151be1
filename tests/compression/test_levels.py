"""Tensors of version 2: all dtypes come back bit for bit, steps and tables are found, strangers' bytes do no harm."""

from contextlib import suppress
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from coursekit.compression import coder, contexts, levels
from coursekit.compression.file import _dtype
from coursekit.errors import CompressedFileError

few = settings(max_examples=60, deadline=None)
FLOATS = ("float16", "bfloat16", "float32", "float64")
KINDS = (*FLOATS, "int8", "uint8", "int32", "int64", "bool", "float8_e4m3fn")


def written(tensors):
    """(bytes, bits counted, how each is coded) of tensors in one stream."""
    writer, past, ways = coder.Writer(), levels.Past(sum(one.size for one in tensors)), []
    for one in tensors:
        counted = writer.counts.get("how", np.zeros(4, dtype=int)).copy()
        levels.tensor(writer, past, one.reshape(-1), one.shape, one.dtype)
        ways.append(int(np.argmax(writer.counts.get("how", counted) - counted)) if one.size else None)
    return writer.content(), writer.total(), ways


def read(content, tensors):
    """Tensors of the same shapes and dtypes from bytes."""
    reader, past = coder.Reader(content), levels.Past()
    return [levels.tensor(reader, past, None, one.shape, one.dtype).reshape(one.shape) for one in tensors]


def check(tensors):
    content, bits, ways = written(tensors)
    for one, again in zip(tensors, read(content, tensors), strict=True):
        assert again.dtype == one.dtype and np.array_equal(levels.bits_of(one), levels.bits_of(again))
    assert len(content) < 1.001 * bits / 8 + 2
    return len(content), ways


def multiples(numbers, step, dtype="float32"):
    """k · step, rounded once."""
    return (np.asarray(numbers, dtype=np.float64) * np.asarray(step, dtype=dtype).astype(np.float64)).astype(dtype)


# --- round trips ------------------------------------------------------------------------------------------------------
@few
@given(st.data(), st.lists(st.sampled_from(KINDS), min_size=1, max_size=3))
def test_any_bits_of_any_dtype_come_back(data, kinds):
    """Also NaN with any payload, infinities, -0.0, and tensors without weights."""
    tensors = []
    for kind in kinds:
        dtype, shape = _dtype(kind), data.draw(hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=6))
        unsigned = np.dtype(f"u{dtype.itemsize}")
        most = 1 if kind == "bool" else 2 ** (8 * dtype.itemsize) - 1
        special = [0, most, most // 2 + 1, most // 2] if most > 1 else [0, 1]
        elements = st.one_of(st.sampled_from(special), st.integers(0, min(3, most)), st.integers(0, most))
        tensors.append(data.draw(hnp.arrays(unsigned, shape, elements=elements)).view(dtype).reshape(shape))
    check(tensors)


@few
@given(
    st.sampled_from(FLOATS),
    st.floats(1e-3, 10),
    st.sampled_from([(), (7,), (4, 6), (3, 3, 2, 5), (12, 10)]),
    st.sampled_from([1, 3, 20, 500, 5000]),
    st.integers(0, 2**32 - 1),
)
def test_multiples_of_a_step_come_back(kind, step, shape, most, seed):
    numbers = np.random.default_rng(seed).integers(-most, most + 1, shape)
    with np.errstate(over="ignore"):
        check([np.asarray(multiples(numbers, np.asarray(step).astype(_dtype(kind)), _dtype(kind)))])


SPECIAL = {
    "empty": np.zeros((3, 0, 2), "float32"),
    "one": np.array(0.1, "float32"),
    "zeros": np.zeros((40, 30), "bfloat16"),
    "minus zeros": np.full((40, 30), -0.0, "float32"),
    "one number": np.full((40, 30), 0.3, "float64"),
    "negative": np.full((5, 4), -0.3, "float16"),
    "a step and minus zero": np.array([[0.3, -0.0, -0.6, 0.0]] * 9, "float16"),
    "one step and minus zero": np.array([6e-8, -0.0], "float16"),
    "infinite": np.array([np.inf, -np.inf, 0, 1] * 9, "float32"),
    "NaN": np.array([0x7FC00001, 0xFFC12345, 0, 0x3F800000] * 9, "uint32").view("float32"),
    "subnormal": np.array([1e-45, 3e-45, 0, -1e-45] * 20, "float32"),
    "huge multiples": multiples(np.arange(-4095, 4096), 0.001).reshape(-1, 1),
    "beyond": multiples([1, 5000, -70_000, 0], 0.001),
    "largest": np.array([3.4028235e38, -3.4028235e38, 0] * 9, "float32"),
    "int8": np.arange(-128, 128, dtype=np.int8).reshape(16, 16),
    "many kinds": np.random.default_rng(0).integers(0, 257, (100, 30)).astype("float32"),
}


@pytest.mark.parametrize("name", SPECIAL)
def test_special_tensors_come_back(name):
    check([SPECIAL[name]])
    check([SPECIAL[name], SPECIAL["one number"], SPECIAL[name]])


# --- how --------------------------------------------------------------------------------------------------------------
def network(rng, step=None):
    """Kernels and biases of two convolutions and a dense layer; with a step, multiples of about that step each."""
    shapes = ((3, 3, 1, 8), (8,), (3, 3, 8, 12), (12,), (300, 10), (10,))
    tensors = []
    for shape in shapes:
        numbers = np.rint(rng.laplace(scale=0.6, size=shape)).astype(int)
        tensors.append(multiples(numbers, np.float32(step * rng.uniform(0.7, 1.4))) if step else rng.normal(size=shape))
    return [one.astype("float32") for one in tensors]


@pytest.mark.parametrize("seed", range(5))
def test_steps_are_found_and_bits_are_what_the_bytes_take(seed):
    tensors = network(np.random.default_rng(seed), step=0.0371)
    size, ways = check(tensors)
    assert set(ways) <= {levels.MULTIPLES, levels.ZEROS} and levels.MULTIPLES in ways
    _, bits, _ = written(tensors)
    assert bits / 8 - 2 < size < bits / 8 + 2 and size < 2.5 / 8 * sum(one.size for one in tensors)


@few
@given(st.integers(1, 2**31 - 2**24), st.lists(st.integers(-40, 40), min_size=1, max_size=30))
def test_a_step_that_is_found_gives_the_values_back(pattern, numbers):
    step = np.array([pattern], "uint32").view("float32")
    if not np.isfinite(step.astype(np.float64) * 40).all() or step[0] > 8e36:
        step = np.float32([0.1])
    values = np.unique(levels.times(np.array(numbers), step))
    found = levels.step_of(values)
    if found is not None:
        again = levels.times(np.rint(values.astype(np.float64) / float(found[0])), found)
        assert np.array_equal(levels.bits_of(again), levels.bits_of(values))
    elif step[0] > 1e-30:
        assert min(abs(number) for number in numbers if number or not any(numbers)) > 8 or not any(numbers)


def test_a_value_that_is_off_by_a_rounding_goes_into_a_table():
    exact = multiples(np.random.default_rng(0).integers(-3, 4, (30, 20)), 0.0371)
    off = np.where(exact == exact.max(), np.nextafter(exact.max(), np.float32(1)), exact)
    assert check([exact])[1] == [levels.MULTIPLES] and check([off])[1] == [levels.TABLE]


def test_few_values_go_into_a_table_and_many_weights_into_the_coder_of_version_1():
    rng = np.random.default_rng(0)
    places = np.clip(2 + np.rint(rng.normal(size=(50, 40)) * rng.gamma(1, size=40)), 0, 4).astype(int)
    clustered = np.array([-0.31, -0.12, 0.02, 0.17, 0.4], "float32")[places]
    assert check([clustered])[1] == [levels.TABLE]
    assert check([rng.normal(size=(50, 40)).astype("float32")])[1] == [levels.AS_BEFORE]
    assert check([np.zeros((50, 40), "float32")])[1] == [levels.ZEROS]
    past = levels.Past(levels.ONLY_BELOW)
    assert not past.few
    writer = coder.Writer()
    levels.tensor(writer, past, clustered.reshape(-1), clustered.shape, clustered.dtype)
    assert writer.counts["how"][levels.AS_BEFORE] == 1


def test_values_that_float16_holds_make_a_shorter_table():
    places = np.random.default_rng(0).integers(0, 9, (50, 40))
    values = np.random.default_rng(1).normal(size=9).astype("float32")
    long, short = (check([one[places]])[0] for one in (values, values.astype("float16").astype("float32")))
    assert long - short > 9


# --- vectors ----------------------------------------------------------------------------------------------------------
def of_vectors(shape, length, kinds, dtype="float32", seed=0):
    """A tensor made of so many different vectors along its last axis."""
    rng = np.random.default_rng(seed)
    table = rng.normal(size=(kinds, length)).astype(_dtype(dtype))
    return table[rng.integers(0, kinds, int(np.prod(shape)) // length)].reshape(shape)


def without_vectors(tensors):
    """(bytes, ways) as if there were no vectors."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(levels, "_in_vectors", lambda *given: [])
        return check(tensors)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    ("shape", "length", "kinds"),
    [((40, 32), 2, 16), ((40, 32), 4, 16), ((3, 3, 8, 16), 8, 5), ((90, 10), 2, 4), ((512,), 4, 6), ((9, 7, 12), 4, 9)],
)
def test_few_vectors_take_a_table_and_a_code_for_each(shape, length, kinds, dtype):
    tensor = of_vectors(shape, length, kinds, dtype)
    size, ways = check([tensor])
    codes = tensor.size / length * np.log2(kinds) / 8
    table = kinds * length * tensor.dtype.itemsize
    learned = kinds * np.log2(tensor.size / length) / 16 + 8  # bytes: the shares of the codes, and small things
    assert size < codes + table + learned and ways == [levels.TABLE]
    assert size < without_vectors([tensor])[0]


def test_vectors_of_another_length_and_odd_ones_come_back():
    for shape, length, kinds in (((30, 9), 3, 4), ((30, 12), 6, 4), ((30, 16), 16, 3), ((1, 2), 2, 1), ((4, 2), 2, 2)):
        check([of_vectors(shape, length, kinds)])
    tensor = of_vectors((40, 8), 4, 5)
    tensor[tensor == tensor[0, 0]] = -0.0
    tensor[tensor == tensor[0, 1]] = np.inf
    tensor[tensor == tensor[0, 2]] = np.nan
    check([tensor, tensor.astype("float16"), tensor])


def test_a_large_tensor_shows_by_its_first_weights_whether_it_is_made_of_few_vectors(monkeypatch):
    assert check([of_vectors((600, 400), 4, 64)])[0] < 60_000 * 6 / 8 + 64 * 16 + 200
    seen, codes = [], levels._codes
    monkeypatch.setattr(levels, "_codes", lambda bits, shape: seen.append(len(bits)) or codes(bits, shape))
    rng = np.random.default_rng(0)
    for other in (rng.normal(size=(600, 400)), rng.normal(size=9)[rng.integers(0, 9, (600, 400))]):
        levels._in_vectors(levels.Past(), other.astype("float32").reshape(-1), other.shape)
    assert seen == [levels.FIRST] * 2


def test_values_chosen_one_by_one_are_not_taken_for_vectors():
    rng = np.random.default_rng(0)
    for values in (2, 3, 4, 16):
        tensor = rng.normal(size=values).astype("float32")[rng.integers(0, values, (60, 40))]
        assert levels._in_vectors(levels.Past(), tensor.reshape(-1), tensor.shape) == []


@few
@given(st.data(), st.sampled_from(FLOATS), st.sampled_from([1, 2, 3, 4, 8]), st.integers(1, 9))
def test_tensors_of_few_vectors_come_back(data, kind, length, kinds):
    shape = (*data.draw(hnp.array_shapes(min_dims=0, max_dims=3, max_side=6)), length * data.draw(st.integers(1, 4)))
    check([of_vectors(shape, length, kinds, kind, data.draw(st.integers(0, 99)))] * 2)


def start_of_vectors(kinds, most=levels.MOST_VECTORS):
    """The beginning of a tensor of vectors of 4, as `levels.tensor` would write it, and nothing after it."""
    writer = coder.Writer()
    coder.adaptive(writer, np.array([levels.TABLE]), 1, len(levels.WAYS), "how")
    coder.choice(writer, 0, 2)  # float32
    coder.number(writer, levels.MOST_KINDS + 1, levels.MOST_KINDS + 2)  # the second of three lengths
    coder.number(writer, kinds - 1, most - 1)
    return writer.content() + bytes(99)


def test_vectors_that_do_not_fit_and_tables_that_are_too_long_are_refused():
    def read_as(content, shape, past=None):
        return levels.tensor(coder.Reader(content), past or levels.Past(), None, shape, np.dtype("float32"))

    for shape in ((9000, 6), (9000, 2), (4, 9001), (), (3,)):
        with pytest.raises(CompressedFileError, match="vectors that don't fit in its tensors"):
            read_as(start_of_vectors(3), shape)
    with pytest.raises(CompressedFileError, match="where at most"):
        read_as(start_of_vectors(100, most=127), (64, 4))  # as many digits as 64 has, and a table too long for it
    spent = levels.Past()
    spent.left = 100
    with pytest.raises(CompressedFileError, match="more steps to decode"):
        read_as(start_of_vectors(3), (9000, 4), spent)


def test_the_writer_keeps_to_the_budget_with_vectors_too(monkeypatch):
    monkeypatch.setattr(levels, "BUDGET", 400)
    tensors = [of_vectors((64, 64), 4, 16, seed=seed) for seed in range(8)]
    check(tensors)


@pytest.mark.parametrize(("count", "kinds"), [(1, 2), (10, 2), (31, 300), (1000, 3), (50_000, 17)])
def test_the_cost_of_codes_is_no_less_than_the_rounds_that_they_take(count, kinds):
    class Counting(coder.Counter):
        rounds = 0

        def categorical(self, shares):
            self.rounds += 1
            return super().categorical(shares)

    channel = Counting()
    coder.adaptive(channel, np.random.default_rng(0).integers(0, kinds, count), count, kinds)
    assert channel.rounds <= levels._cost_of_codes(count, kinds)


@few
@given(st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), min_size=1, max_size=3))
def test_altered_bytes_of_vectors_are_read_as_something_or_refused(changes):
    tensors = [of_vectors((16, 16), 4, 5), of_vectors((30,), 2, 3)]
    altered = bytearray(written(tensors)[0])
    for at, byte in changes:
        altered[at % len(altered)] = byte
    with suppress(CompressedFileError):
        assert [one.shape for one in read(bytes(altered), tensors)] == [one.shape for one in tensors]


# --- frames -----------------------------------------------------------------------------------------------------------
def test_a_dense_layer_after_a_convolution_sees_a_picture():
    past = levels.Past()
    past.remember(np.ones(9 * 3 * 8, int), (3, 3, 3, 8))
    busy = past.frame((8,)).activity
    assert (busy == 5).all()  # 27 weights lead into each unit: five binary digits
    assert past.frame((3, 3, 8, 12))[:4] == (3, 3, 8, 12)
    past.remember(np.eye(8, 12, dtype=int).reshape(-1), (8, 12))
    assert past.frame((25 * 12, 10))[:4] == (5, 5, 12, 10)
    assert past.frame((6 * 12, 10))[:4] == (1, 6, 12, 10)
    assert past.frame((12, 10))[:4] == (1, 1, 12, 10) and past.frame((7, 10))[:4] == (1, 1, 7, 10)
    assert past.frame((12, 10)).activity.tolist() == [1] * 8 + [0] * 4
    assert past.frame((4, 8, 20))[:4] == (1, 4, 8, 20) and past.frame(())[:4] == (1, 1, 1, 1)


# --- hostile bytes ----------------------------------------------------------------------------------------------------
@few
@given(st.binary(max_size=300), st.lists(st.tuples(hnp.array_shapes(max_dims=4, max_side=9), st.sampled_from(KINDS))))
def test_any_bytes_are_read_as_something_or_refused(content, kinds):
    wanted = [np.empty(shape, _dtype(kind)) for shape, kind in kinds]
    try:
        found = read(content, wanted)
    except CompressedFileError:
        return
    assert [(one.shape, one.dtype) for one in found] == [(one.shape, one.dtype) for one in wanted]


@cache
def small_file():
    """(bytes, tensors) of a small network."""
    tensors = network(np.random.default_rng(0), step=0.05)[:4]
    return written(tensors)[0], tensors


@few
@given(st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), min_size=1, max_size=3))
def test_altered_bytes_are_read_as_something_or_refused(changes):
    content, tensors = small_file()
    altered = bytearray(content)
    for at, byte in changes:
        altered[at % len(altered)] = byte
    with suppress(CompressedFileError):
        assert [one.shape for one in read(bytes(altered), tensors)] == [one.shape for one in tensors]


def crafted(top, width, how=levels.MULTIPLES):
    """The beginning of a tensor of multiples, as `levels.tensor` would write it, and nothing after it."""
    writer, past = coder.Writer(), levels.Past()
    coder.adaptive(writer, np.array([how]), 1, len(levels.WAYS), "how")
    levels._step(writer, past, np.array([0.5], "float32"), np.dtype("float32"))
    coder.gamma(writer, top - 1, levels.MOST_MULTIPLE - 1)
    coder.choice(writer, width, len(contexts.WIDTHS))
    return writer.content() + bytes(9)


@pytest.mark.parametrize(("shape", "width"), [((3000, 4000), 4), ((600, 700), 0), ((2**20 + 1,), 4)])
def test_what_would_take_too_long_is_refused_before_it_is_begun(shape, width, monkeypatch):
    monkeypatch.setattr(contexts, "code", None)
    with pytest.raises(CompressedFileError, match="more steps to decode"):
        levels.tensor(coder.Reader(crafted(3, width)), levels.Past(), None, shape, np.dtype("float32"))


def test_the_budget_holds_for_all_tensors_of_a_file_and_the_writer_keeps_to_it(monkeypatch):
    monkeypatch.setattr(levels, "BUDGET", 4000)
    rng = np.random.default_rng(0)
    tensors = [multiples(rng.integers(-2, 3, (20, 20)), 0.1) for _ in range(8)]
    _, ways = check(tensors)
    assert ways[0] == levels.MULTIPLES and ways[-1] == levels.AS_BEFORE


def test_a_place_outside_of_the_table_and_a_step_for_whole_numbers_are_refused():
    with pytest.raises(CompressedFileError, match="where whole numbers belong"):
        levels.tensor(coder.Reader(crafted(3, 0)), levels.Past(), None, (4,), np.dtype("int32"))
    table = np.array([1.0, 2.0, 3.0], "float32")
    assert levels.middle_of(levels.bits_of(table), table.dtype) == 0
    plan = levels.Plan(levels.TABLE, table, table=levels.bits_of(table), numbers=np.array([-1, 0, 2]))
    plan = levels._decided(levels.Past(), plan, (3,))
    writer = coder.Writer()
    coder.adaptive(writer, np.array([levels.TABLE]), 1, len(levels.WAYS), "how")
    with pytest.raises(CompressedFileError, match="not in its table"):
        levels._from_table(writer, levels.Past(), plan, (3,), np.dtype("float32"))
    with pytest.raises(CompressedFileError, match="not in its table"):
        levels.tensor(coder.Reader(writer.content()), levels.Past(), None, (3,), np.dtype("float32"))
