"""The workbench of notebook 19: what steps and settings do to a network, and what is read from records."""

import keras
import numpy as np
import pytest
from keras import ops

from coursekit.compression import sparsity
from coursekit.datasets import load
from coursekit.experiments import bench, few_values, reference, rules


@pytest.fixture(scope="module")
def workbench():
    return few_values.Workbench(load("digits28"), np.random.default_rng(0), (2, 3, 8), batch_size=16, images=32)


@pytest.fixture(scope="module")
def network(workbench):
    return workbench.fresh()


def kinds(network):
    return [len(np.unique(weights)) for weights, _ in network]


def test_fresh_networks_differ_and_have_biases_of_zero(workbench, network):
    other = workbench.fresh()
    assert all(not np.array_equal(a[0], b[0]) and not np.any(a[1]) for a, b in zip(network, other, strict=True))


def test_the_layers_compute_what_plain_ones_do(workbench, network):
    workbench._put(network)
    x = workbench.x_test[:5]
    switched, plain = (ops.convert_to_numpy(model(x)) for model in (workbench._model, few_values.model_of(network)))
    assert np.allclose(switched, plain, atol=1e-5)
    assert np.allclose(plain, workbench.logits(network, x), atol=1e-5)


def test_a_gradient_goes_to_centroids_and_weights():
    from coursekit.compression.assignment import clustered
    from coursekit.layers.gradients import input_gradient

    w, c, slopes = np.float32([-1, 0.1, 2, 2.5]), np.float32([-1, 0, 2]), np.float32([1, 2, 3, 4])
    for function in (few_values._snap, clustered):
        assert np.allclose(
            input_gradient(lambda c, f=function: ops.sum(f(ops.convert_to_tensor(w), c) * slopes), c), [1, 2, 7]
        )
        assert np.allclose(
            input_gradient(lambda w, f=function: ops.sum(f(w, ops.convert_to_tensor(c)) * slopes), w), slopes
        )


def test_fine_tuned_has_few_values_where_it_is_asked_and_moves_nothing_that_is_frozen(workbench, network):
    tuned = workbench.fine_tuned(network, 3, layers=[2], frozen=[0])
    assert kinds(tuned)[2] <= 3 and kinds(tuned)[1] > 3
    assert np.array_equal(tuned[0][0], network[0][0]) and np.array_equal(tuned[0][1], network[0][1])
    assert not np.array_equal(tuned[1][0], network[1][0])


def test_training_keeps_values_and_zeros_that_it_should_keep(workbench, network):
    pruned = workbench.step(network, "P")
    zeros = np.mean(np.concatenate([weights.ravel() for weights, _ in pruned]) == 0)
    assert zeros == pytest.approx(few_values.PRUNED, abs=0.01)
    both, lost = workbench.step(pruned, "C", keep="P"), workbench.step(pruned, "C")
    for (before, _), (kept, _), (gone, _) in zip(pruned, both, lost, strict=True):
        assert np.all(kept[before == 0] == 0) and len(np.unique(kept)) <= few_values.VALUES
        assert not np.any(gone == 0)
    clustered = workbench.step(network, "C")
    assert max(kinds(workbench.step(clustered, "P", keep="C"))) <= few_values.VALUES + 1
    assert kinds(workbench.step(clustered, "P"))[2] > few_values.VALUES + 1


def test_rounding_keeps_zeros_and_few_values(workbench, network):
    scores = [sparsity.lamp_scores(weights) for weights, _ in network]
    pruned = [[w * m, b] for (w, b), m in zip(network, sparsity.keep_largest(scores, 0.5), strict=True)]
    for (before, _), (after, _) in zip(pruned, workbench.step(pruned, "Q"), strict=True):
        assert np.all(after[before == 0] == 0) and len(np.unique(after)) <= 255
    few = workbench.step(few_values.with_values(network, 4), "Q")
    assert max(kinds(few)) <= 4


def test_a_pruned_network_clustered_with_its_zeros_and_without(workbench, network):
    pruned = [[np.where(np.abs(w) < np.median(np.abs(w)), 0, w).astype("float32"), b] for w, b in network]
    kept, lost = (workbench.pruned_and_clustered(pruned, 6, keep) for keep in (True, False))
    assert all(np.array_equal(a[0] == 0, b[0] == 0) for a, b in zip(pruned, kept, strict=True))
    assert not any(np.any(w == 0) for w, _ in lost) and max(kinds(kept)) <= 6


def test_content_has_a_byte_for_each_coded_weight(network):
    weights, biases = (sum(pair[i].size for pair in network) for i in (0, 1))
    assert len(few_values.raw(network)) == 4 * (weights + biases)
    assert len(few_values.content(network, coded=True)) == weights + 4 * len(network) + 4 * biases


def test_the_range_coder_comes_near_the_entropy():
    stream = np.random.default_rng(0).choice(4, 4000, p=[0.7, 0.1, 0.1, 0.1])
    assert 8 * few_values.range_coded(stream, 4) < 1.05 * 1.357 * len(stream)


def test_the_loss_is_that_of_keras():
    logits, y = np.random.default_rng(0).normal(size=(6, 10)).astype("float32"), np.arange(6)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    assert few_values.mean_loss(logits, y) == pytest.approx(float(loss(y, logits)), abs=1e-5)


def test_rules_on_record_say_which_are_open(tmp_path):
    file = tmp_path / "rules.jsonl"
    assert "no record" in rules.table(file) and rules.gains(file) == {}
    file.write_text('{"gains": {"up": [1, 0.5], "down": [-1, 0.5], "wide": [1, 2]}}\n')
    lines = rules.table(file).splitlines()
    assert lines[1].endswith("for it") and lines[2].endswith("against it") and lines[3].endswith("open")
    assert len(rules.gains()) == 9


def test_records_are_read_as_they_are_kept():
    reads, sizes = reference.accuracies_and_sizes()
    assert len(reads["dense"]) == len(sizes["dense"]) > 1 and 0.98 < min(reads["dense"]) < 1
    assert sizes["tfmot LINEAR"][0] < sizes["dense"][0] / 5 and "tfmot LINEAR, the model given" not in sizes
    assert "256 values" in bench.step_ratios() and "tfmot" in bench.step_ratios()


def test_a_bench_that_was_never_run_says_so(tmp_path):
    assert "coursekit bench" in bench.step_ratios(tmp_path / "bench.jsonl")
