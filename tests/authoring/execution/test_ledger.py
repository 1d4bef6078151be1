"""What a record covers, which run is the stalest, how long it will take."""

import json

import pytest
from helpers import make_notebook

from coursekit.authoring.execution import ledger

VERSIONS = {"coursekit-notebooks": "0.1.0", "keras": "3.15.1", "numpy": "2.4.6", "jax": "0.10.2"}


@pytest.fixture
def job(tmp_path, monkeypatch):
    """A job of notebook 03 whose code key is "code", on a machine called "here"."""
    monkeypatch.setattr(ledger, "machine", lambda: "here")
    return ledger.Job(tmp_path / "03_paths.ipynb", "cells", "code", "jax", 0, "quick", make_notebook("x = 1"))


def book(tmp_path, job, *records):
    """A ledger with these records of the job, each with what is given."""
    same = {"hash": "cells", "key": job.key, "backend": "jax", "seed": 0, "profile": "quick", "status": "ok"}
    same |= {"machine": "here", "date": "2026-11-21T10:00:00+00:00", "minutes": 1.0, "reference_seconds": 0.5}
    (tmp_path / "03.jsonl").write_text("".join(json.dumps(same | one) + "\n" for one in records))
    return ledger.Ledger(tmp_path)


@pytest.mark.parametrize(
    "python, packages",
    [
        ("3.12.1", VERSIONS),
        ("3.11.7", VERSIONS | {"keras": "3.15.2"}),
        ("3.11.7", VERSIONS | {"numpy": "2.4.7"}),
        ("3.11.7", VERSIONS | {"jax": "0.10.3"}),
    ],
)
def test_each_version_changes_the_key(python, packages):
    assert ledger.key_of("code", "3.11.7", VERSIONS) != ledger.key_of("code", python, packages)


def test_pythons_patch_and_the_version_of_coursekit_do_not_change_the_key():
    other = VERSIONS | {"coursekit-notebooks": "0.2.0"}
    assert ledger.key_of("code", "3.11.7", VERSIONS) == ledger.key_of("code", "3.11.9", other)
    assert ledger.key_of("code", "3.11.7", VERSIONS) != ledger.key_of("other code", "3.11.7", VERSIONS)


def test_a_run_that_went_well_with_the_same_key_covers_wherever_it_ran(job, tmp_path):
    assert book(tmp_path, job, {"machine": "elsewhere"}).covering(job)
    for other in ({"key": "another"}, {"key": None}, {"status": "claims"}, {"seed": 1}, {"profile": "full"}):
        assert not book(tmp_path, job, other).covering(job), other
    assert not book(tmp_path, job).covering(job)


def test_without_stale_what_the_same_cells_gave_on_this_machine_is_kept(job, tmp_path):
    assert book(tmp_path, job, {"key": "another"}).kept(job)
    for other in ({"hash": "other cells"}, {"machine": "elsewhere"}, {"status": "died"}):
        assert not book(tmp_path, job, other).kept(job), other


def test_a_record_from_before_there_were_keys_covers_nothing(job, tmp_path):
    old = book(tmp_path, job, {})
    line = json.loads((tmp_path / "03.jsonl").read_text())
    del line["key"]
    (tmp_path / "03.jsonl").write_text(json.dumps(line))
    assert not old.covering(job)


def test_the_stalest_comes_first_and_what_never_went_well_before_all(job, tmp_path):
    def of(seed):
        return ledger.Job(job.path, "cells", "code", "jax", seed, "quick", job.notebook)

    records = [{"seed": 0, "date": "2026-11-23"}, {"seed": 1, "date": "2026-11-21"}, {"seed": 1, "date": "2026-11-24"}]
    records += [{"seed": 2, "date": "2026-11-22", "key": "old"}, {"seed": 3, "status": "failed", "date": "2026-11-25"}]
    ordered = book(tmp_path, job, *records).stalest_first([of(seed) for seed in range(5)])
    assert [one.seed for one in ordered] == [3, 4, 2, 0, 1]


def test_minutes_are_the_median_of_good_runs_for_this_machines_speed(job, tmp_path):
    records = [
        {"minutes": 1.0},
        {"minutes": 9.0, "seed": 1},
        {"minutes": 2.0, "seed": 2},
        {"minutes": 0.1, "status": "died"},
    ]
    known = book(tmp_path, job, *records)
    assert known.minutes(job, 0.5) == 2.0 and known.minutes(job, 1.0) == 4.0
    assert book(tmp_path, job).minutes(job, 0.5) == ledger.UNKNOWN


def test_a_notebook_that_names_no_number_has_a_file_too(tmp_path):
    book = ledger.Ledger(tmp_path / "new")
    assert (
        book.file(tmp_path / "03_paths.ipynb").name == "03.jsonl" and book.file(tmp_path / "x.ipynb").name == "x.jsonl"
    )
    book.append(tmp_path / "x.ipynb", {"a": "é"})
    assert (tmp_path / "new" / "x.jsonl").read_text(encoding="utf-8") == '{"a": "é"}\n'
