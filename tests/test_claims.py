"""claim(): holds or raises, NaN never holds, and what was claimed is recorded."""

import json

import numpy as np
import pytest

from coursekit import claim
from coursekit.errors import ClaimFailed

NAN = float("nan")


def test_a_claim_that_holds_prints_its_evidence(capsys):
    assert claim("two is more than one", 2 > 1, "2 against 1", two=2) is None
    assert capsys.readouterr().out == "✓ two is more than one (2 against 1)\n"


def test_a_claim_that_does_not_hold_raises_with_its_evidence():
    with pytest.raises(ClaimFailed, match=r"two is less than one \(2 against 1\)"):
        claim("two is less than one", 2 < 1, "2 against 1")
    assert issubclass(ClaimFailed, AssertionError)


@pytest.mark.parametrize("condition", [True, np.bool_(True), np.array(True), np.array(2) > 1])
def test_numpy_truth_is_truth(condition):
    claim("it holds", condition)


def test_a_tensor_of_the_backend_is_a_condition():
    from keras import ops

    claim("three is more than two", ops.sum(ops.ones(3)) > 2, value=ops.sum(ops.ones(3)))
    with pytest.raises(ClaimFailed):
        claim("three is less than two", ops.sum(ops.ones(3)) < 2)


@pytest.mark.parametrize("condition", [NAN, np.nan, np.float32("nan")])
def test_nan_is_no_truth(condition):
    with pytest.raises(ClaimFailed):
        claim("it holds", condition)


@pytest.mark.parametrize("value", [NAN, np.float64("nan")])
def test_a_nan_among_the_values_fails_a_condition_that_nan_would_pass(value):
    with pytest.raises(ClaimFailed, match="loss is NaN"):
        claim("the loss is not above one", not value > 1, loss=value)


@pytest.mark.parametrize("condition", [1, 0, "yes", None, [], np.array([True, True]), np.ones(3) > 0, lambda: True])
def test_a_condition_that_is_not_one_truth_value_is_a_mistake(condition):
    with pytest.raises(TypeError, match="one yes or no"):
        claim("it holds", condition)


def test_in_a_run_claims_are_noted_held_or_not(tmp_path, monkeypatch):
    notes = tmp_path / "notes.jsonl"
    monkeypatch.setenv("COURSEKIT_NOTES", str(notes))
    claim("a", True, "one", n=np.float32(1), many=np.arange(2))
    with pytest.raises(ClaimFailed):
        claim("b", False)
    first, second = map(json.loads, notes.read_text().splitlines())
    assert first["values"] == {"n": 1.0, "many": [0, 1]}
    assert (first["held"], second["held"]) == (True, False)
