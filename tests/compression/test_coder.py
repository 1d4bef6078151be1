"""The coder: what goes in comes out, at the cost that was counted, whatever the numbers; garbage is refused or read."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from coursekit.compression import coder
from coursekit.errors import CompressedFileError

few = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
UNSIGNED = [np.dtype(f"u{size}") for size in (1, 2, 4, 8)]
shapes = st.one_of(st.just(()), hnp.array_shapes(max_dims=4, max_side=9, min_side=0))


def round_trip(tensors, periods=()):
    """Tensors written and read again, with the bytes they took and the bits that were counted."""
    writer = coder.Writer()
    for one in tensors:
        coder.tensor(writer, one.reshape(-1), one.shape, one.dtype, periods)
    content = writer.content()
    reader = coder.Reader(content)
    again = [coder.tensor(reader, None, one.shape, one.dtype, periods).reshape(one.shape) for one in tensors]
    return again, len(content), writer.total()


def sparse_layer(rng, rows=200, columns=64, values=7, density=0.02):
    """A pruned and clustered layer, (rows, columns): some inputs and units have many more weights than others."""
    likely = density * np.outer(rng.gamma(0.4, size=rows), rng.gamma(0.6, size=columns)) / (0.4 * 0.6)
    weights = rng.integers(1, values + 1, (rows, columns)) * (rng.random((rows, columns)) < likely)
    return weights.astype(np.uint32) * 1_000_003


# --- whole tensors ----------------------------------------------------------------------------------------------------
@few
@given(
    st.data(), st.lists(st.tuples(shapes, st.sampled_from(UNSIGNED)), max_size=4), st.sampled_from([(), (3,), (8, 2)])
)
def test_any_tensors_come_back(data, kinds, periods):
    tensors = [
        data.draw(hnp.arrays(dtype, shape, elements=st.one_of(st.just(0), st.integers(0, 3), st.integers(0, 2**8 - 1))))
        for shape, dtype in kinds
    ]
    again, _, _ = round_trip(tensors, periods)
    for one, other in zip(tensors, again, strict=True):
        assert other.dtype == one.dtype and np.array_equal(one, other)


@few
@given(st.integers(0, 2**32 - 1), st.floats(0, 1), st.integers(1, 12), st.integers(1, 150), st.integers(1, 70))
def test_any_positions_come_back(seed, density, rows, columns, period):
    flags = (np.random.default_rng(seed).random((rows, columns)) < density).astype(np.int64)
    writer = coder.Writer()
    coder.positions(writer, flags, rows, columns, period)
    again = coder.positions(coder.Reader(writer.content()), None, rows, columns, period)
    assert np.array_equal(flags, again)


@pytest.mark.parametrize(
    "tensor",
    [
        np.zeros((0,), np.uint32),
        np.zeros((3, 0, 2), np.uint16),
        np.array(7, np.uint64),
        np.zeros((40, 30), np.uint32),
        np.full((40, 30), 2**32 - 1, np.uint32),
        np.arange(5000, dtype=np.uint32),
        np.random.default_rng(0).integers(0, 2**64, 3000, dtype=np.uint64),
        np.eye(70, dtype=np.uint8),
    ],
    ids=lambda one: f"{one.shape}{one.dtype}",
)
def test_special_tensors_come_back(tensor):
    again, _, _ = round_trip([tensor])
    assert np.array_equal(again[0], tensor)


# --- cost -------------------------------------------------------------------------------------------------------------
def test_the_count_of_bits_is_what_the_file_takes():
    rng = np.random.default_rng(0)
    tensors = [
        sparse_layer(rng),
        rng.integers(0, 2**32, 300, dtype=np.uint32),
        rng.integers(0, 5, 999).astype(np.uint16),
    ]
    _, size, bits = round_trip(tensors)
    assert bits / 8 - 2 <= size <= bits / 8 * 1.001 + 2


@few
@given(st.lists(st.tuples(st.booleans(), st.floats(0.001, 0.999)), max_size=200))
def test_the_end_takes_no_more_than_a_byte_and_a_half(decisions):
    """Any number in the last interval will do, and the shortest is written: also where a carry is waiting."""
    writer = coder.Writer()
    answers, shares = np.array([one for one, _ in decisions], dtype=int), np.array([share for _, share in decisions])
    if decisions:
        writer.flags(answers, shares)
    content = writer.content()
    assert len(content) <= writer.total() / 8 + 1.5
    if decisions:
        assert np.array_equal(coder.Reader(content).flags(None, shares), answers)


@few
@given(st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 70)), max_size=20))
def test_small_numbers_and_digits_come_back(numbers):
    writer = coder.Writer()
    for value, count in numbers:
        coder.gamma(writer, value, 5000)
        coder.digits(writer, value << 40 & (1 << count) - 1, count)
    reader = coder.Reader(writer.content())
    for value, count in numbers:
        assert coder.gamma(reader, None, 5000) == value
        assert coder.digits(reader, None, count) == value << 40 & (1 << count) - 1


def test_a_small_number_costs_few_bits_and_one_that_is_too_large_is_refused():
    for value, bits in ((0, 1), (1, 3), (2, 3), (3, 5), (6, 5), (7, 7)):
        counter = coder.Counter()
        coder.gamma(counter, value, 100)
        assert counter.total() == bits
    writer = coder.Writer()
    coder.gamma(writer, 90, 100)
    coder.gamma(writer, 5000, 9999)
    reader = coder.Reader(writer.content())
    with pytest.raises(CompressedFileError, match="at most 80"):
        coder.gamma(reader, None, 80)
    with pytest.raises(CompressedFileError, match="above 80"):
        coder.gamma(reader, None, 80)


def test_indices_cost_little_more_than_their_entropy():
    rng = np.random.default_rng(1)
    shares = np.array([0.7, 0.15, 0.1, 0.05])
    symbols = rng.choice(4, 20_000, p=shares)
    writer = coder.Writer()
    coder.adaptive(writer, symbols, len(symbols), 4)
    counted = np.bincount(symbols) / len(symbols)
    entropy = -(counted * np.log2(counted)).sum() * len(symbols) / 8
    learning = 3 / 2 * np.log2(len(symbols)) / 8  # what any code pays for shares it doesn't know (Rissanen, 1984)
    assert entropy < len(writer.content()) < entropy + 2 * learning + 8


def test_uneven_sparsity_costs_less_than_positions_taken_as_independent():
    layer = sparse_layer(np.random.default_rng(2), rows=400, columns=256)
    share = (layer != 0).mean()
    independent = -(share * np.log2(share) + (1 - share) * np.log2(1 - share)) * layer.size / 8
    counter = coder.Counter()
    coder.positions(counter, (layer != 0).astype(np.int64).T, 256, 400, 64)
    assert counter.total() / 8 < 0.9 * independent


def test_even_sparsity_costs_little_more_than_its_entropy():
    flags = (np.random.default_rng(3).random((256, 512)) < 0.03).astype(np.int64)
    share = flags.mean()
    entropy = -(share * np.log2(share) + (1 - share) * np.log2(1 - share)) * flags.size
    counter = coder.Counter()
    coder.positions(counter, flags, *flags.shape, 64)
    assert counter.total() < 1.05 * entropy


def test_zeros_alone_cost_next_to_nothing():
    assert round_trip([np.zeros((500, 200), np.uint32)])[1] <= 8


def test_random_bytes_cost_themselves():
    noise = np.random.default_rng(4).integers(0, 2**32, 10_000, dtype=np.uint32)
    assert round_trip([noise])[1] < 40_000 * 1.02


# --- tables -----------------------------------------------------------------------------------------------------------
def test_the_tables_are_logarithms_and_their_inverse():
    x = np.unique(np.logspace(0, 15, 3000).astype(np.int64))
    assert np.abs(coder.log2_of(x) / 1024 - np.log2(x)).max() < 2.5 / 1024
    _, whole, shares = coder.tables()
    t = np.arange(-coder.LIMIT, coder.LIMIT + 1) / 1024
    assert np.abs(shares - 1 / (1 + 2.0**-t)).max() < 2**-22
    assert whole.min() > 0 and whole.max() < 2**24 and (np.diff(whole) >= 0).all()


def test_the_format_of_version_1_is_still_read():
    """These bytes were written by the first version; a change to the coder that can't read them needs a new version."""
    written = bytes.fromhex(GOLDEN)
    again = coder.tensor(coder.Reader(written, "<u4"), None, (24, 16), np.dtype("u4"))
    assert np.array_equal(again.reshape(24, 16), golden_tensor())
    writer = coder.Writer()
    coder.tensor(writer, golden_tensor().reshape(-1), (24, 16), np.dtype("u4"))
    assert len(writer.content()) <= len(written)  # the same code, with a shorter end


def golden_tensor():
    i, j = np.ogrid[:24, :16]
    return np.where((i * j + i) % 7 == 3, 1_000_000 * (i % 3 + 1), 0).astype(np.uint32)


GOLDEN = "380ab0821e884d367c7af6d2a5d828315d2d33644ae27f2b750dd903e5b930ea0caef4a92a938b23028e1255c3dfb6e4e285455c"


# --- hostile bytes ----------------------------------------------------------------------------------------------------
@few
@given(st.binary(max_size=200), hnp.array_shapes(max_dims=3, max_side=20), st.sampled_from(UNSIGNED))
def test_any_bytes_are_read_as_something_or_refused(content, shape, dtype):
    try:
        found = coder.tensor(coder.Reader(content), None, shape, dtype, (4,))
    except CompressedFileError:
        return
    assert found.dtype == dtype and found.size == np.prod(shape)


def tall_tensor():
    """(300000, 2), every other number zero: an input at a time, positions would take 300,000 steps."""
    return np.tile(np.array([[0, 1], [2, 0]], dtype=np.uint32), (150_000, 1))


def test_positions_that_would_take_too_many_steps_are_laid_out_in_another_way():
    tall = tall_tensor()
    assert max(coder.steps_of(*layout) for layout in coder.layouts_of(tall.shape)) > coder.MOST_STEPS + tall.size // 8
    [again], _, _ = round_trip([tall])
    assert np.array_equal(again, tall)


def test_a_file_that_asks_for_too_many_steps_is_refused_before_they_are_taken(monkeypatch):
    tall, writer = tall_tensor(), coder.Writer()
    layouts = coder.layouts_of(tall.shape)
    dearest = int(np.argmax([coder.steps_of(*layout) for layout in layouts]))
    writer.start("choices")
    coder.choice(writer, 1 + dearest, 1 + len(layouts))  # as `tensor` would write it
    monkeypatch.setattr(coder, "positions", None)
    with pytest.raises(CompressedFileError, match="more steps to decode"):
        coder.tensor(coder.Reader(writer.content() + bytes(9)), None, tall.shape, tall.dtype)


def test_the_steps_of_all_tensors_count_together():
    small = np.eye(40, 64, dtype=np.uint32)
    channel = coder.Writer()
    before = channel.steps_left
    for _ in range(3):
        coder.tensor(channel, small.reshape(-1), small.shape, small.dtype)
    assert before + 3 * small.size // 8 - 3 * 64 <= channel.steps_left < before + 3 * small.size // 8


def test_a_number_above_what_can_stand_is_refused():
    writer = coder.Writer()
    coder.number(writer, 900, 1000)
    assert coder.number(coder.Reader(writer.content()), None, 1000) == 900
    with pytest.raises(CompressedFileError, match="at most 600"):
        coder.number(coder.Reader(writer.content()), None, 600)


@few
@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_numbers_come_back(value, more):
    writer = coder.Writer()
    coder.number(writer, value, value + more)
    assert coder.number(coder.Reader(writer.content()), None, value + more) == value
