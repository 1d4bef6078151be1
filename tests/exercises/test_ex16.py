"""The checks of notebook 16: right answers pass in any dress, gaps are not attempted, mistakes get their hints."""

import numpy as np
import pytest

from coursekit.exercises import NOT_ATTEMPTED, attempt
from coursekit.exercises import ex16_custom_training_loops as checks
from coursekit.exercises.answers import CHANGED

TIMES = 20


def outcomes(exercise, answer, times=TIMES):
    return [attempt(exercise, answer) for _ in range(times)]


# --- right answers ----------------------------------------------------------------------------------------------------
def epoch_loss(losses, sizes):
    return np.sum(np.array(losses) * np.array(sizes)) / np.sum(sizes)


def epoch_loss_in_plain_python(losses, sizes):
    total = 0.0
    for loss, size in zip(losses, sizes, strict=True):
        total += loss * size
    return [np.float32(total / sum(sizes))]


def rest_of_epoch(state, n, batch_size, done):
    generator = np.random.default_rng()
    generator.bit_generator.state = state
    return generator.permutation(n)[done * batch_size :]


def rest_by_batches(state, n, batch_size, done):
    bits = np.random.PCG64()
    bits.state = state
    order = np.random.Generator(bits).permutation(n).tolist()
    for _ in range(done):
        del order[:batch_size]
    return order


def clip(gradients, limit):
    length = np.sqrt(sum((gradient**2).sum() for gradient in gradients))
    return [gradient * min(1, limit / max(length, 1e-30)) for gradient in gradients]


def clip_with_tensorflow(gradients, limit):
    import tensorflow as tf

    return tf.clip_by_global_norm([tf.constant(one, tf.float32) for one in gradients], limit)[0]


def clip_as_a_tuple(gradients, limit):
    return tuple(clip_in_place([gradient.copy() for gradient in gradients], limit))


def clip_in_place(gradients, limit):
    together = np.concatenate([gradient.ravel() for gradient in gradients])
    length = np.linalg.norm(together)
    if length > limit:
        for gradient in gradients:
            gradient *= limit / length
    return tuple(gradients)


def rate(step, steps, warmup, peak):
    if step < warmup:
        return peak * (step + 1) / warmup
    return peak * (steps - step) / (steps - warmup)


def rate_as_a_minimum(step, steps, warmup, peak):
    up = (step + 1) / warmup if step < warmup else 1
    down = (steps - step) / (steps - warmup) if step >= warmup else 1
    return np.float32(peak * min(up, down))


def my_rates(steps):
    return 0.06 * 0.01 ** (np.arange(steps) / steps)


def one_over_t(steps):
    return [min(0.06, 0.5 / (t + 1)) for t in range(steps)]


COUNTS, MISTAKES = [45, 44, 29, 225], ["B", "A", "D", "C"]
RIGHT = {
    "16.1": [
        COUNTS,
        tuple(COUNTS),
        np.array(COUNTS),
        [np.array([one]) for one in COUNTS],
        [np.float32(45), 44.0, 29, 225],
    ],
    "16.2": [MISTAKES, "badc", "B, A, D, C"],
    "16.3": [epoch_loss, epoch_loss_in_plain_python],
    "16.4": [rest_of_epoch, rest_by_batches],
    "16.5": [clip, clip_with_tensorflow, clip_as_a_tuple],
    "16.6": [rate, rate_as_a_minimum],
}


@pytest.mark.parametrize("exercise", RIGHT)
def test_right_answers_pass_in_any_dress(exercise):
    for answer in RIGHT[exercise]:
        assert outcomes(exercise, answer) == [None] * TIMES, answer


def nothing(*_): ...


def gap(*_):
    return ...


@pytest.mark.parametrize("exercise", ["16.1", "16.2"])
def test_gaps_are_not_attempted(exercise):
    for answer in (..., None, [..., ..., ..., ...]):
        assert attempt(exercise, answer) is NOT_ATTEMPTED


@pytest.mark.parametrize("exercise", ["16.3", "16.4", "16.5", "16.6", "16.7"])
def test_empty_functions_are_not_attempted(exercise):
    for answer in (..., None, nothing, gap):
        assert attempt(exercise, answer) is NOT_ATTEMPTED, answer


# --- wrong answers, each with its hint --------------------------------------------------------------------------------
WRONG_LISTS = [
    ("16.1", [44, 44, 29, 225], "(a): 44 batches are full"),
    ("16.1", [44.90625, 44, 29, 225], "(a): a step is a whole batch"),
    ("16.1", [45, 45, 29, 225], "(b): 45 is with the last"),
    ("16.1", [45, 44, 32, 225], "(c): the dropped batch is not full"),
    ("16.1", [45, 44, 3, 225], "(c): that is what is missing"),
    ("16.1", [45, 44, 29, 220], "(d): that is without the last batches"),
    ("16.1", [45, 44, 29, ...], "(d) is still to do; what stands before it is right"),
    ("16.2", ["A", "A", "D", "C"], "(a): the weights are the same"),
    ("16.2", ["B", "D", "D", "C"], "(b): steps that use all gradients"),
    ("16.2", ["B", "A", "A", "C"], "(c): what is kept"),
    ("16.2", ["B", "A", "D", "B"], "(d): the steps at the end"),
    ("16.2", ["E", "A", "D", "C"], "(a): that makes the validation loss too good"),
]


@pytest.mark.parametrize("exercise, answer, hint", WRONG_LISTS)
def test_wrong_lists_get_their_hint(exercise, answer, hint):
    assert attempt(exercise, answer).startswith(hint)


def shuffled_anew(state, n, batch_size, done):
    return np.random.default_rng().permutation(n)[done * batch_size :]


def restored(state, n):
    generator = np.random.default_rng()
    generator.bit_generator.state = state
    return generator.permutation(n)


def loss_by_popping(losses, sizes):
    count, total = sum(sizes), 0.0
    while losses:
        total += losses.pop() * sizes.pop()
    return total / count


def loss_weighted_in_place(losses, sizes):
    for i, size in enumerate(sizes):
        losses[i] *= size
    return sum(losses) / sum(sizes)


def drawn_twice(state, n, batch_size, done, times=2):
    generator = np.random.default_rng()
    generator.bit_generator.state = state
    for _ in range(times):
        order = generator.permutation(n)
    return order[done * batch_size :]


def second_order(state, n, batch_size, done):
    return drawn_twice(state, n, 0, 0, 1 + bool(done))


def drawn_before_the_state(state, n, batch_size, done):
    generator = np.random.default_rng()
    generator.bit_generator.state = state
    generator.random(9)
    return generator.permutation(n)[done * batch_size :]


def length_of(gradients):
    return np.sqrt(sum((gradient**2).sum() for gradient in gradients))


def sum_of_lengths(gradients):
    return sum(np.sqrt((gradient**2).sum()) for gradient in gradients)


WRONG_FUNCTIONS = [
    ("16.3", lambda losses, sizes: np.mean(losses), "that is the plain mean of the batches"),
    ("16.3", lambda losses, sizes: np.dot(losses, sizes), "that is the sum over all samples"),
    ("16.3", lambda losses, sizes: np.dot(losses, sizes) / len(sizes), "divide by the number of samples"),
    ("16.3", lambda losses, sizes: sum(losses), "that is the plain sum"),
    ("16.3", lambda losses, sizes: sum(losses) / sum(sizes), "that is the sum of the losses divided by"),
    ("16.3", lambda losses, sizes: np.max(losses), "for losses ["),
    ("16.3", lambda losses, sizes: losses, "return one number"),
    ("16.3", loss_by_popping, CHANGED),
    ("16.3", loss_weighted_in_place, CHANGED),
    ("16.4", shuffled_anew, "as many rows as there should be, but others: is `permutation(n)` the first draw"),
    ("16.4", drawn_before_the_state, "as many rows as there should be, but others: is `permutation(n)` the first draw"),
    (
        "16.4",
        lambda s, n, b, done: restored(s, n)[done * b :][::-1],
        "as many rows as there should be, in another order",
    ),
    ("16.4", drawn_twice, "draw once: a second `permutation` is the order of the next epoch"),
    ("16.4", second_order, "draw once: a second `permutation` is the order of the next epoch"),
    ("16.4", lambda s, n, b, done: drawn_twice(s, n, b, done, done + 1), "draw once"),
    ("16.4", lambda s, n, b, done: restored(s, n - done * b), "draw the order of all n rows, then skip"),
    ("16.4", lambda s, n, b, done: restored(s, np.arange(done * b, n)), "draw the order of all n rows, then skip"),
    ("16.4", lambda s, n, b, done: restored(s, n)[: done * b], "these are the rows already done"),
    ("16.4", lambda s, n, b, done: restored(s, n), "that is the whole epoch"),
    ("16.4", lambda s, n, b, done: restored(s, n)[done:], "`done` counts batches"),
    ("16.4", lambda s, n, b, done: restored(s, n)[done * b : done * b + b], "that is only the next batch"),
    ("16.4", lambda s, n, b, done: restored(s, n)[(done + 1) * b :], "one batch too many"),
    ("16.4", lambda s, n, b, done: np.sort(restored(s, n)[done * b :]), "the right rows in another order"),
    ("16.4", lambda s, n, b, done: np.arange(n)[done * b :], "that is without shuffling"),
    ("16.4", lambda s, n, b, done: 3, "return the rows as a list"),
    ("16.5", lambda gs, c: [g * min(1, c / np.sqrt((g**2).sum())) for g in gs], "that clips each array by itself"),
    ("16.5", lambda gs, c: [np.clip(g, -c, c) for g in gs], "that clips each number by itself"),
    ("16.5", lambda gs, c: [g * c / length_of(gs) for g in gs], "a gradient that is short enough"),
    ("16.5", lambda gs, c: gs, "nothing was clipped"),
    ("16.5", clip_in_place, CHANGED),
    ("16.5", lambda gs, c: [g * min(1, c / sum_of_lengths(gs)) for g in gs], "that is the sum of the arrays' lengths"),
    ("16.5", lambda gs, c: [g * min(1, c / length_of(gs) ** 2) for g in gs], "the root is missing"),
    ("16.5", lambda gs, c: [g * min(1, 1 / length_of(gs)) for g in gs], "the length becomes 1"),
    ("16.5", lambda gs, c: [g / length_of(gs) * min(length_of(gs), c) for g in gs], "gradients that are all zero"),
    ("16.5", lambda gs, c: gs[:-1], "return a list of 3 arrays"),
    ("16.5", lambda gs, c: [g.ravel() for g in gs], "each array should keep its shape"),
    ("16.6", lambda t, n, w, p: p * t / w if t < w else p * (n - t) / (n - w), "the warm-up gives"),
    ("16.6", lambda t, n, w, p: p * (t + 1) / w if t < w else p * (n - t) / n, "the fall is spread over all"),
    ("16.6", lambda t, n, w, p: p * (t + 1) / w if t < w else p, "the rate stays at its peak"),
    ("16.6", lambda t, n, w, p: p if t < w else p * (n - t) / (n - w), "the warm-up is missing"),
    ("16.6", lambda t, n, w, p: p * (t + 1) / w, "the rate goes on rising"),
    ("16.6", lambda t, n, w, p: p * (t + 1) / w if t <= w else p * (n - t) / (n - w), "step `warmup` belongs"),
    ("16.6", lambda t, n, w, p: p, "step"),
    ("16.6", lambda t, n, w, p: None if t == 7 else rate(t, n, w, p), "at step 7 of 20"),
    ("16.7", lambda n: np.full(n, 0.006), "that is a constant rate"),
    ("16.7", lambda n: np.full(n, 3.0), "with your rates the training diverges"),
    ("16.7", lambda n: 0.06 * 0.01 ** (1 - np.arange(n) / n), "your rates rise"),
    ("16.7", lambda n: 0.005 * 0.01 ** (np.arange(n) / n), ""),
    ("16.7", lambda n: my_rates(n)[1:], "return an array with 200 rates"),
    ("16.7", lambda n: -my_rates(n), "each rate should be a number of 0 or more"),
]


@pytest.mark.parametrize("exercise, answer, hint", WRONG_FUNCTIONS)
def test_wrong_functions_get_their_hint(exercise, answer, hint):
    with np.errstate(invalid="ignore", divide="ignore"):
        for outcome in outcomes(exercise, answer, 1 if exercise == "16.7" else TIMES):
            assert isinstance(outcome, str) and outcome.startswith(hint), outcome


@pytest.mark.parametrize("answer", [my_rates, one_over_t])
def test_falling_schedules_pass_the_open_exercise(answer):
    assert attempt("16.7", answer) is None


def test_the_open_exercise_says_the_same_of_the_same_rates_and_no_limit_that_was_missed_looks_met(monkeypatch):
    first, again = outcomes("16.7", lambda n: np.linspace(0.02, 0.001, n), 2)
    monkeypatch.setattr(checks, "WANTED", 0.5)
    refused = attempt("16.7", my_rates)
    ratio = float(refused.split()[0])
    monkeypatch.setattr(checks, "WANTED", ratio - 5e-4)
    just_refused = attempt("16.7", my_rates)
    assert first == again and len(refused.split()[0]) == 5 and float(just_refused.split()[0]) > checks.WANTED


def test_the_truth_of_16_6_is_the_same_by_another_way():
    for step in range(20):
        assert np.isclose(checks._rate(step, 20, 4, 0.5), rate(step, 20, 4, 0.5))
