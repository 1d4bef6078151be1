"""The pages of results: all runs of a key, failed ones too, and whether it is the present one."""

import json

import nbformat
import pytest
from helpers import make_notebook

from coursekit.authoring.pages import results

CLAIM = {"sentence": "two is more", "held": True, "evidence": "", "values": {"n": 2.0}}
RUN = {"hash": "cells", "code": "code", "key": "key", "backend": "jax", "profile": "quick", "seed": 0, "status": "ok"}
RUN |= {"machine": "2 cores", "device": "CPU", "date": "2026-11-21T10:00:00+00:00", "minutes": 1.0, "peak_mb": 900}
RUN |= {"error": "", "claims": [CLAIM, CLAIM | {"sentence": "three is more"}], "exercises": {"1.1": "right"}}
FAILED = {"status": "claims", "error": "claim failed:\ntwo is more", "claims": [CLAIM | {"held": False}]}


@pytest.fixture
def pages(tmp_path, monkeypatch):
    """The pages made from these records, each with what is given; {name: text}, and the table's rows as lists."""
    monkeypatch.setattr(results, "code_key", lambda notebook: "code")
    monkeypatch.setattr(results.notebooks, "content_hash", lambda notebook: "cells")
    monkeypatch.setattr(results, "results_file", lambda name: tmp_path / f"{name}.jsonl")

    def make(*records, backends=("jax",)):
        path = tmp_path / "01_first.ipynb"
        nbformat.write(make_notebook("x = 1", backends=list(backends)), path)
        (tmp_path / "01_first.jsonl").write_text("".join(json.dumps(RUN | one) + "\n" for one in records))
        made = results.results_pages([path])
        rows = [line.strip("| ").split(" | ") for line in made["results.md"].splitlines() if line.startswith("| [")]
        return made.get("results/01_first.md"), [dict(zip(results.COLUMNS, row, strict=True)) for row in rows]

    return make


def test_all_runs_of_the_key_count_and_those_that_failed_are_seen(pages):
    page, [row] = pages({}, FAILED | {"seed": 1}, {"seed": 1, "date": "2026-11-22"}, {"seed": 2})
    assert row["Claims held"] == "[6 of 7](results/01_first.md)" and row["Runs"] == "4, 1 failed"
    assert row["Seeds"] == "0–2" and row["Exercises"] == "4 of 4" and row["Present version"] == "yes"
    assert "- two is more: held in 3 of 4 runs; n at `quick` 2 ± 0 (2 to 2)" in page
    assert "## Runs that failed\n\n- 2026-11-21, JAX, seed 1, `quick`: claim failed: two is more" in page


def test_a_seed_that_has_only_failed_is_not_covered(pages):
    _, [row] = pages({}, FAILED | {"seed": 3})
    assert row["Present version"] == "yes, but not seed 3"
    _, [row] = pages(FAILED)
    assert row["Present version"] == "yes, but not seed 0" and row["Claims held"].startswith("[0 of 1]")


@pytest.mark.parametrize(
    "changed, says",
    [
        ({"hash": "old", "code": "old", "key": "old"}, "cells changed since"),
        ({"code": "old", "key": "old"}, "coursekit or data changed since"),
        ({"code": None, "key": None}, "cells yes, coursekit not known"),
        ({"key": "with another NumPy"}, "yes"),
    ],
)
def test_what_has_changed_since_is_said(pages, changed, says):
    _, [row] = pages(changed)
    assert row["Present version"] == says


def test_the_present_version_is_shown_where_it_ran_and_the_dates_of_others_stay(pages):
    old = {"code": "old", "key": "old"}
    page, [row] = pages(old | {"date": "2026-11-20"}, old | FAILED, {}, old | {"date": "2026-11-25"})
    assert row["Runs"] == "1" and row["Present version"] == "yes" and row["Date"] == "2026-11-21"
    assert "3 more runs from 2026-11-20 to 2026-11-25, of which 1 failed." in page and "## Claims\n" in page


def test_else_the_newest_version_is_shown_as_what_it_is(pages):
    page, [row] = pages({"code": "a", "key": "a", "date": "2026-11-20"}, {"code": "b", "key": "b"})
    assert row["Runs"] == "1" and row["Date"] == "2026-11-21"
    assert "## Claims of an earlier version" in page and "may have changed since these runs" in page
    assert "1 more runs" not in page and "1 more run from 2026-11-20" in page


def test_machines_backends_and_profiles_have_rows_of_their_own(pages):
    _, rows = pages(
        {"profile": "full"},
        {},
        {"backend": "tensorflow"},
        {"device": "H100"},
        {"machine": "8 cores"},
        backends=("tensorflow", "jax", "torch"),
    )
    seen = [(row["Profile"], row["Backend"], row["Device"]) for row in rows]
    quick = [("TensorFlow", "2 cores"), ("JAX", "2 cores"), ("JAX", "8 cores"), ("JAX", "H100")]
    assert seen[:-1] == [*(("quick", *one) for one in quick), ("full", "JAX", "2 cores")]
    assert rows[-1]["Backend"] == "PyTorch" and rows[-1]["Present version"] == "no run recorded"


def test_a_notebook_without_runs_has_rows_and_no_page(pages):
    page, rows = pages(backends=("tensorflow", "jax"))
    assert page is None and [row["Present version"] for row in rows] == ["no run recorded"] * 2
