"""The benchmark: the true network, a table, a line kept, and only times and sizes in it."""

import json

import keras
import numpy as np

from coursekit.authoring import cli
from coursekit.experiments import bench
from coursekit.records import read_lines


def test_the_reference_network_is_notebook_19s():
    assert bench.reference_network(keras).count_params() == 431_242


def test_a_run_prints_ratios_and_keeps_them(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(bench, "BATCH", 4)
    monkeypatch.setattr(bench, "STEPS", 1)
    monkeypatch.setattr(bench, "CLUSTERS", (16,))
    monkeypatch.setattr(bench, "file_sizes", lambda: [{"way": "zip", "bytes": 7}])
    steps = bench.step_times
    monkeypatch.setattr(bench, "step_times", lambda rounds, tfmot: steps(rounds, tfmot=tfmot, clusters=(16,)))
    file = tmp_path / "results" / "bench.jsonl"
    costs = {"what": "save", "cpu_seconds": 5.0, "memory": 6e8, "to": "build", "cpu_ratio": 2.5, "memory_ratio": 1.5}
    monkeypatch.setattr(bench.bench_large, "rows", lambda: [costs])
    assert bench.bench(rounds=1, tfmot=False, results=file)
    kept, large = read_lines(file)
    assert {"date", "machine", "backend", "versions", "reference_seconds"} <= set(kept)
    assert [(row["kind"], row["clusters"]) for row in kept["steps"]] == [
        ("training", 0),
        ("training", 16),
        ("evaluation", 0),
        ("evaluation", 16),
    ]
    assert all(row["ms"] > 0 and row["ratio"] > 0 for row in kept["steps"]) and kept["steps"][0]["ratio"] == 1
    said = capsys.readouterr().out
    assert "CPU ratio" in said and "zip" in said and json.dumps(kept) in file.read_text()
    assert large["large"] == [costs] and "2.50" in said and set(large) - {"large"} <= set(kept)
    shown = bench.step_ratios(file)
    assert "16 values" in shown and bench.bench(rounds=1, tfmot=False, large=False, results=file)
    assert len(read_lines(file)) == 3 and "large" not in read_lines(file)[2]


def test_a_ratio_is_the_median_of_the_ratios_within_rounds():
    taken = {
        ("coursekit", 0): [(1.0, 1.0), (2.0, 2.0), (9.0, 3.0)],
        ("coursekit", 16): [(1.1, 1.2), (2.0, 2.2), (27.0, 3.3)],
    }
    row = bench._row("training", ("coursekit", 16), taken)
    assert row["ratio"] == 1.1 and row["cpu_ratio"] == 1.1
    assert np.isclose(row["ms"], 2000 / bench.STEPS)


def test_the_command_is_there(monkeypatch):
    asked = {}
    monkeypatch.setattr(bench, "bench", lambda **arguments: asked.update(arguments) or True)
    assert cli.main(["bench", "--rounds", "2", "--no-tfmot"]) == 0
    assert asked == {"rounds": 2, "tfmot": False, "large": True}
    assert cli.main(["bench", "--no-large"]) == 0 and asked == {"rounds": 7, "tfmot": True, "large": False}
