"""The ledger: which run is which, what data/results/ has of it already, how long it takes, and how stale it is.

A record's `key` covers what its result depends on. It is made of `code` (cells, the parts of coursekit that they reach,
bundled data: see `dependencies`), and of the versions of Python (its minor), NumPy, Keras and the backend. A run is
covered where a run with the same key, backend, seed and profile went well, on whatever machine. One that failed covers
nothing: it stays in the ledger, and the run is stale until it goes well. Records from before there were keys cover
nothing either. `hash` is that of the cells alone.
"""

import datetime
import hashlib
import json
import platform
import statistics
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from coursekit.authoring import notebooks
from coursekit.authoring.execution.dependencies import code_key
from coursekit.authoring.execution.execute import dumps
from coursekit.paths import data_dir
from coursekit.records import machine, read_lines
from coursekit.records import versions as installed

UNKNOWN = 2.0  # minutes that a notebook is expected to take where the ledger has no run of it


@dataclass(frozen=True)
class Job:
    """One notebook, as it was read, to run with one seed, on one backend, at one profile."""

    path: Path
    hash: str
    code: str
    backend: str
    seed: int
    profile: str
    notebook: object = field(compare=False, repr=False)

    @property
    def name(self):
        """The job in words."""
        return f"{self.path.stem} {self.backend} seed {self.seed}"

    @cached_property
    def key(self):
        """16 hex digits over all that the result depends on here."""
        return key_of(self.code, platform.python_version(), versions(self.backend))

    def matches(self, record, **more):
        """Whether a record is of this backend, seed and profile, and has the values in `more`."""
        mine = {"backend": self.backend, "seed": self.seed, "profile": self.profile} | more
        return all(record.get(name) == value for name, value in mine.items())


def jobs_of(path, backends, seeds, profile):
    """The jobs of a notebook that is meant for these backends, and the backends that it is not meant for."""
    notebook = notebooks.read(path)
    meant = notebooks.about(notebook).get("backends", backends)
    marks = notebooks.content_hash(notebook), code_key(notebook)
    jobs = [
        Job(path, *marks, backend, seed, profile, notebook)
        for backend in backends
        if backend in meant
        for seed in seeds
    ]
    return jobs, [backend for backend in backends if backend not in meant]


def versions(backend):
    """{package: version} of what a key holds, beside Python, and of coursekit."""
    return installed(("coursekit-notebooks", "keras", "numpy", backend))


def key_of(code, python, packages):
    """The key of a run: `python` is its version, `packages` a record's `versions`."""
    counted = sorted(f"{name} {number}" for name, number in packages.items() if name != "coursekit-notebooks")
    text = json.dumps([code, python.split(".")[:2], counted])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Ledger:
    """The records of runs in a folder, by default data/results/."""

    def __init__(self, folder=None):
        self.folder = Path(folder) if folder else data_dir() / "results"
        self._read = {}

    def file(self, path):
        """The file with a notebook's records: its number where it has one."""
        stem = path.stem.split("_")[0] if notebooks.NAME.fullmatch(path.stem) else path.stem
        return self.folder / f"{stem}.jsonl"

    def records(self, path):
        """A notebook's records, oldest first, as they were when this was first asked for."""
        if path not in self._read:
            self._read[path] = read_lines(self.file(path))
        return self._read[path]

    def append(self, path, record):
        """Keep a record."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.file(path), "a", encoding="utf-8") as file:
            file.write(dumps(record) + "\n")

    def last_good(self, job, **more):
        """The last record of the job that went well and has the values in `more`, or None."""
        every = [record for record in self.records(job.path) if job.matches(record, status="ok", **more)]
        return sorted(every, key=lambda record: record["date"])[-1] if every else None

    def kept(self, job):
        """The record of a run of the same cells on this machine that went well, or None."""
        return self.last_good(job, hash=job.hash, machine=machine())

    def covering(self, job):
        """The record of a run with the job's key that went well, on whatever machine, or None."""
        return self.last_good(job, key=job.key)

    def stalest_first(self, jobs):
        """The jobs in the order of their last good run, of whatever key; those that never had one come first."""
        return sorted(jobs, key=lambda job: (self.last_good(job) or {"date": ""})["date"])

    def minutes(self, job, reference_seconds):
        """Minutes that the job is expected to take on a machine of that speed: the median of its good runs."""
        wanted = {"backend": job.backend, "profile": job.profile, "status": "ok"}
        good = [
            record
            for record in self.records(job.path)
            if wanted.items() <= record.items() and "reference_seconds" in record
        ]
        scaled = [record["minutes"] * reference_seconds / record["reference_seconds"] for record in good]
        return statistics.median(scaled) if scaled else UNKNOWN


def record_of(job, outcome, speed):
    """The line that is kept of one run."""
    on_gpu = outcome.device and not outcome.device.startswith("CPU")
    watched = {} if outcome.warnings is None else {"warnings": outcome.warnings}
    return {
        "notebook": job.path.stem,
        "hash": job.hash,
        "code": job.code,
        "key": job.key,
        "backend": job.backend,
        "seed": job.seed,
        "profile": job.profile,
        "machine": machine(),
        "device": outcome.device if on_gpu else "CPU",
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "versions": versions(job.backend),
        "python": platform.python_version(),
        **speed,
        "setup_seconds": outcome.setup_seconds,
        "status": outcome.status,
        "error": outcome.error,
        "minutes": outcome.minutes,
        "peak_mb": outcome.peak_mb,
        "claims": [{key: made[key] for key in ("sentence", "held", "evidence", "values")} for made in outcome.claims],
        "exercises": {name: outcomes[-1] for name, outcomes in outcome.exercises.items()},
        **watched,
    }
