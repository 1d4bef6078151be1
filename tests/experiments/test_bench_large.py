"""What a large network costs: measured here with a small one, in processes of their own."""

import pytest

from coursekit.experiments import bench_large
from coursekit.paths import data_dir
from coursekit.records import read_lines


@pytest.mark.slow
def test_every_step_is_measured_beside_the_plain_network():
    rows = {row["what"]: row for row in bench_large.rows("reference")}
    assert list(rows) == [what for names in bench_large.PROCESSES.values() for what in names]
    for what, row in rows.items():
        assert row["seconds"] > 0 and row["memory"] > 4 * 431_242
        assert row["to"] == bench_large.BASES.get(what, what)
        assert row["cpu_ratio"] == pytest.approx(row["cpu_seconds"] / rows[row["to"]]["cpu_seconds"], abs=0.01)
    assert rows["build"]["cpu_ratio"] == rows["first step, plain"]["memory_ratio"] == 1
    assert rows["next step, clustered"]["cpu_seconds"] < rows["first step, clustered"]["cpu_seconds"]  # that compiles


def test_ratios_are_to_the_row_they_name():
    measured = {"build": {"cpu_seconds": 2.0, "memory": 400}, "save": {"cpu_seconds": 5.0, "memory": 600}}
    assert bench_large._ratios(measured["save"], "build", measured) == {
        "to": "build",
        "cpu_ratio": 2.5,
        "memory_ratio": 1.5,
    }
    rows = [{"what": "save", **measured["save"], "to": "build", "cpu_ratio": 2.5, "memory_ratio": 1.5}]
    assert "save" in (said := bench_large.as_text(rows)) and "2.50" in said and "build" in said


def test_what_is_compared_with_what_is_measured():
    measured = {what for names in bench_large.PROCESSES.values() for what in names}
    assert set(BASES := bench_large.BASES) | set(BASES.values()) == measured


def test_the_large_network_is_large():
    assert bench_large.NETWORKS["ResNet50"]().count_params() > 25e6
    assert bench_large.NETWORKS["reference"]().count_params() == 431_242


def test_the_page_says_what_the_newest_record_says():
    page = " ".join((data_dir().parent / "docs" / "compression.md").read_text(encoding="utf-8").split())
    record = [line for line in read_lines(data_dir() / "results" / "bench.jsonl") if "large" in line][-1]
    costs = {row["what"]: row for row in record["large"]}
    for what, words in {"wrap": "to wrap", "strip": "to strip", "save": "to save", "load": "to load"}.items():
        start = "seconds of processor time " if what == "wrap" else ""
        assert f"{costs[what]['cpu_seconds']:.0f} {start}{words}" in page
    for name, words in {"plain": "without clusters", "clustered": "for the first step"}.items():
        assert f"{costs[f'first step, {name}']['cpu_seconds']:.0f} {words}" in page
    most = [
        max(row["memory"] for what, row in costs.items() if "plain" in what or not plain) for plain in (False, True)
    ]
    assert "at most {:.1f} GB ({:.1f} without clusters)".format(*(memory / 1e9 for memory in most)) in page
