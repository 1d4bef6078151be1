"""`coursekit run`: what is stale, in which order, within a budget; several at once; what a record carries."""

import asyncio
import hashlib
import json
from collections import namedtuple
from types import SimpleNamespace

import nbformat
import pytest
from helpers import make_notebook

from coursekit.authoring import cli, notebooks
from coursekit.authoring.execution import ledger, places, runs
from coursekit.authoring.execution.execute import Outcome
from coursekit.errors import CoursekitError

NAMES = ("01_first", "02_second", "03_third")


class Bench:
    """Notebooks whose execution takes the minutes that a test says, on a clock that the execution moves."""

    def __init__(self, folder):
        self.folder, self.results = folder, folder / "results"
        self.clock, self.ran, self.minutes, self.status, self.meanwhile = 0.0, [], {}, {}, lambda name: None
        self.package = "package"
        for name in NAMES:
            self.write(name, "x = 1")

    def write(self, name, source):
        nbformat.write(make_notebook("import numpy", source), self.folder / f"{name}.ipynb")

    def code_key(self, notebook):
        return hashlib.sha256(f"{self.package} {notebooks.content_hash(notebook)}".encode()).hexdigest()[:16]

    async def execute(self, notebook, folder, *, profile, backend, seed, watch, on_cell):
        name = self.name_of[id(notebook)]
        self.ran.append(name)
        self.meanwhile(name)
        minutes = self.minutes.get(name, 1.0)
        self.clock += 60 * minutes
        status = self.status.get(name, "ok")
        claims = [{"sentence": "it holds", "held": status == "ok", "evidence": "", "values": {}, "backend": backend}]
        return Outcome(notebook, status, "" if status == "ok" else "it failed", minutes, 100, claims)

    def run(self, *names, **options):
        self.ran.clear()
        wanted = [self.folder / f"{name}.ipynb" for name in names or NAMES]
        how = {"seeds": [0], "backends": ["jax"], "profile": "quick", "jobs": 1, "results": self.results}
        return runs.run(wanted, **(how | options))

    def records(self, name):
        file = self.results / f"{name[:2]}.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.fixture
def bench(tmp_path, monkeypatch):
    made = Bench(tmp_path)
    made.name_of = {}

    def jobs_of(path, *rest, real=ledger.jobs_of):
        jobs, others = real(path, *rest)
        made.name_of |= {id(job.notebook): path.stem for job in jobs}
        return jobs, others

    monkeypatch.setattr(ledger, "jobs_of", jobs_of)
    monkeypatch.setattr(ledger, "code_key", made.code_key)
    monkeypatch.setattr(runs, "code_key", made.code_key)
    monkeypatch.setattr(runs, "execute", made.execute)
    monkeypatch.setattr(runs, "measured_speed", lambda: {"reference_seconds": 0.5, "import_seconds": 0.1})
    monkeypatch.setattr(runs, "time", SimpleNamespace(monotonic=lambda: made.clock))
    return made


def test_stale_runs_what_has_changed_and_nothing_else(bench):
    assert bench.run(stale=True) and bench.ran == list(NAMES)
    assert bench.run(stale=True) and bench.ran == []
    bench.write("02_second", "x = 2")
    assert bench.run(stale=True) and bench.ran == ["02_second"]
    bench.package = "changed"
    assert bench.run(stale=True) and len(bench.ran) == 3
    assert {"hash", "code", "key"} <= set(bench.records("01_first")[-1])


def test_without_stale_a_change_in_coursekit_runs_nothing_but_is_told(bench, capsys):
    bench.run("01_first")
    bench.package = "changed"
    assert bench.run("01_first") and bench.ran == []
    assert "coursekit has changed since: --stale" in capsys.readouterr().out
    assert bench.run("01_first", again=True) and bench.ran == ["01_first"]


def test_what_failed_stays_stale_and_fails_the_command_each_time_that_it_runs(bench):
    bench.status["02_second"] = "claims"
    assert not bench.run(stale=True)
    assert not bench.run(stale=True) and bench.ran == ["02_second"]
    bench.status.clear()
    assert bench.run(stale=True) and bench.ran == ["02_second"]
    assert bench.run(stale=True) and bench.ran == []
    assert [one["status"] for one in bench.records("02_second")] == ["claims", "claims", "ok"]


def test_the_stalest_comes_first(bench, monkeypatch):
    for day, name in enumerate(("03_third", "01_first")):
        date = f"2026-11-2{day}T00:00:00+00:00"
        bench.run(name)
        record = bench.records(name)[-1] | {"date": date}
        (bench.results / f"{name[:2]}.jsonl").write_text(json.dumps(record) + "\n")
    bench.package = "changed"
    assert bench.run(stale=True) and bench.ran == ["02_second", "03_third", "01_first"]


def test_within_a_budget_nothing_is_started_that_would_take_longer(bench, capsys):
    bench.minutes = {"01_first": 3.0, "02_second": 6.0, "03_third": 2.0}
    bench.run()
    bench.package = "changed"
    assert bench.run(stale=True, minutes=5.5) and bench.ran == ["01_first", "03_third"]
    said = capsys.readouterr().out
    assert "left for another time, about 6 minutes:" in said and "02_second jax seed 0, 6.0 min" in said
    assert bench.run(stale=True, minutes=5.5) and bench.ran == []  # it will never fit
    assert bench.run(stale=True, minutes=6) and bench.ran == ["02_second"]
    bench.package = "changed again"
    bench.status["01_first"] = "died"
    assert not bench.run(stale=True, minutes=4) and bench.ran == ["01_first"]


def test_what_was_never_run_is_taken_for_two_minutes(bench):
    assert bench.run(stale=True, minutes=1.9) and bench.ran == []
    assert bench.run(stale=True, minutes=2) and bench.ran == ["01_first"]


def test_beside_another_one_a_notebook_takes_longer(bench):
    assert bench.run(stale=True, minutes=2.5, jobs=2) and bench.ran == []
    assert bench.run(stale=True, minutes=2.7, jobs=2) and bench.ran
    assert bench.records("01_first")[-1]["at_once"] == 2


def test_a_notebook_edited_before_its_turn_runs_as_it_was_read(bench):
    def edit(name):
        if name == "01_first":
            bench.write("02_second", "x = 'edited meanwhile'")

    before = notebooks.content_hash(notebooks.read(bench.folder / "02_second.ipynb"))
    bench.meanwhile = edit
    bench.run()
    assert bench.records("02_second")[0]["hash"] == before
    assert bench.run(stale=True) and bench.ran == ["02_second"]


def test_a_run_during_which_coursekit_was_changed_covers_nothing(bench, capsys):
    bench.meanwhile = lambda name: setattr(bench, "package", "changed")
    assert bench.run("01_first", stale=True)
    record = bench.records("01_first")[0]
    assert record["key"] is None and record["code"] is None and record["hash"]
    assert "coursekit was changed meanwhile" in capsys.readouterr().out
    assert bench.run("01_first", stale=True) and bench.ran == ["01_first"]


def test_shares_run_each_notebook_once(bench):
    ran = []
    for part in (1, 2):
        bench.run(shard=(part, 2))
        ran += bench.ran
    assert sorted(ran) == sorted(NAMES)


def test_what_came_out_and_the_table_are_kept_for_ci(bench, tmp_path):
    bench.status["02_second"] = "failed"
    summary = tmp_path / "summary.md"
    summary.write_text("# before\n")
    assert not bench.run("01_first", "02_second", executed=tmp_path, summary=summary)
    kept = [f"{name}.jax.seed0.ipynb" for name in ("01_first", "02_second")]
    assert sorted(path.name for path in tmp_path.glob("*.seed0.ipynb")) == kept
    before, heads, _, first, second, _, why = summary.read_text(encoding="utf-8").splitlines()
    assert before == "# before" and heads.startswith("| notebook | backend |")
    assert first.startswith("| 01_first | jax | 0 | quick |") and first.endswith("| ok |")
    with pytest.raises(CoursekitError, match="leave them out with --dask"):
        bench.run("01_first", jobs=None, dask="tcp://here:1", executed=tmp_path)
    assert second.endswith("| failed |") and why == "✗ 02_second (jax, seed 0): it failed"


@pytest.mark.parametrize(
    "options, says",
    [
        (["--jobs", "0"], "--jobs takes a number from 1 on"),
        (["--stale", "--again"], "leave one out"),
        (["--minutes", "3"], "--minutes goes with --stale"),
        (["--dask", "tcp://here:1", "--jobs", "2"], "leave them out with --dask"),
        (["--dask", "tcp://here:1", "--backends", "theano"], "unknown backend"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options, says, capsys):
    assert cli.main(["run", "00", *options]) == 2
    assert says in capsys.readouterr().err


# --- several at once --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("gigabytes, cores, expected", [(20, 2, 2), (20, 8, 8), (3.1, 8, 2), (2.9, 2, 1), (0.5, 4, 1)])
def test_as_many_at_once_as_cores_and_memory_allow(monkeypatch, gigabytes, cores, expected):
    monkeypatch.setattr(places.os, "sched_getaffinity", lambda pid: range(cores), raising=False)
    monkeypatch.setattr(places.psutil, "virtual_memory", lambda: SimpleNamespace(available=gigabytes * 1e9))
    assert places.places() == expected


def test_things_are_done_in_their_order_no_more_than_so_many_together():
    running, most, started = set(), [], []

    async def work(item):
        running.add(item)
        started.append(item)
        most.append(len(running))
        await asyncio.sleep(0.01 * (item % 3))
        running.remove(item)
        return -item

    assert asyncio.run(places.together(work, range(9), 3)) == [-item for item in range(9)]
    assert started == list(range(9)) and max(most) == 3


def test_one_that_raises_ends_them_all():
    async def work(item):
        if item == 1:
            raise ValueError("it broke")
        await asyncio.sleep(60)

    with pytest.raises(ValueError, match="it broke"):
        asyncio.run(places.together(work, range(3), 2))


def test_what_others_use_is_neither_idle_nor_ours(monkeypatch):
    times = namedtuple("times", "user system idle iowait")(70.0, 20.0, 500.0, 8.0)
    own = namedtuple("own", "user system children_user children_system")(1.0, 2.0, 40.0, 7.0)
    monkeypatch.setattr(places.psutil, "cpu_times", lambda: times)
    monkeypatch.setattr(places.os, "times", lambda: own)
    assert places.seconds_of_others() == 40
