"""recorded(): what earlier runs gave, with where it comes from."""

import json

import pytest

from coursekit import records


def line(value, seed=0, machine="2 cores", date="2026-11-21T10:00:00+00:00", held=True, **more):
    claims = [{"sentence": "s", "held": held, "evidence": "", "values": {"accuracy": value}}]
    run = {"profile": "full", "status": "ok", "seed": seed, "backend": "tensorflow", "machine": machine, "date": date}
    return json.dumps(run | {"claims": claims, "minutes": 1.0} | more)


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "data_dir", lambda: tmp_path)
    (tmp_path / "results").mkdir()
    return tmp_path / "results" / "19.jsonl"


def test_without_a_record_there_is_none(results):
    assert records.recorded("19", "accuracy") is None
    results.write_text(line(0.9, profile="quick") + "\n" + line(0.1, held=False) + "\n")
    assert records.recorded("19", "accuracy") is None
    assert records.recorded("19_weight_clustering", "accuracy", profile="quick").values == (0.9,)


def test_the_newest_run_of_each_seed_counts(results):
    results.write_text("\n".join([line(0.5), line(0.9), line(0.8, seed=1, date="2026-11-22T10:00:00+00:00")]))
    found = records.recorded("19", "accuracy")
    assert found.values == (0.9, 0.8) and found.mean == pytest.approx(0.85) and found.deviation > 0
    assert "2 runs at `full`, 2026-11-22, 2 cores" in str(found)


def test_a_run_counts_by_the_claim_that_recorded_the_value_whatever_became_of_others(results):
    newer = "2026-11-22T10:00:00+00:00"
    results.write_text(
        "\n".join([line(0.5), line(0.9, date=newer, status="claims"), line(0.1, date=newer, held=False)])
    )
    found = records.recorded("19", "accuracy")
    assert found.values == (0.9,) and found.date == "2026-11-22"


def test_machines_are_not_mixed(results):
    results.write_text(line(0.5, date="2026-11-20T10:00:00+00:00", machine="a laptop") + "\n" + line(0.9, seed=1))
    assert records.recorded("19", "accuracy").values == (0.9,)


def test_a_line_cut_short_by_an_interruption_is_passed_over(results):
    results.write_text(line(0.9) + "\n" + line(0.1, seed=1)[:40])
    assert records.recorded("19", "accuracy").values == (0.9,)


def test_the_timetable_passes_over_records_that_are_no_runs(results):
    run = {"device": "CPU", "notebook": "19_weight_clustering", "reference_seconds": 0.2}
    results.write_text(line(0.9, profile="quick", **run) + "\n")
    results.with_name("rules.jsonl").write_text(json.dumps({"rule": "no log lines", "found": 2}) + "\n")
    results.with_name("rot.jsonl").write_text(json.dumps({"outcome": "ran", "minutes": 9, "notebooks": 21}) + "\n")
    assert "19_weight_clustering" in records.timetable() and records.timetable().count("\n") == 1
