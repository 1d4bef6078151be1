"""`coursekit run --dask ADDRESS`: the same jobs on the workers of a Dask cluster, for whole grids of seeds.

The workers have the course installed as it is here: `make env CLUSTER=1` in a checkout of the same state, then `dask
worker ADDRESS --nthreads 1`, one for each notebook that is to run at once. Each job gets a fresh kernel there, in a
folder of its own; its record comes back, with the worker's machine and versions, and is kept here.

A worker that dies costs the job that it ran, whose record says so, and no more. Dask itself would give the job to the
next worker, which a notebook that takes too much memory would kill as well: so each job leaves a mark with the
scheduler when it starts, and one that finds its own mark ends. With no worker left the command waits for one; Ctrl+C
keeps what has come back.
"""

import asyncio
import importlib.util
import json
import platform
import sys
import tempfile
import uuid
from functools import cache
from pathlib import Path

import nbformat

from coursekit.authoring import notebooks
from coursekit.authoring.execution import ledger, runs
from coursekit.authoring.execution.dependencies import code_key
from coursekit.authoring.execution.execute import Outcome
from coursekit.errors import CoursekitError
from coursekit.records import machine

PATIENCE = 30  # seconds to wait for a scheduler, and for a worker
INSTALL = "make env CLUSTER=1"


def run(todo, book, address):
    """Run the jobs on the cluster whose scheduler is at `address`: [(job, record)], each kept as soon as it is back."""
    client = _client(address)
    from distributed import as_completed

    with client:
        facts = _facts(client, todo, address)
        name, done = f"coursekit-{uuid.uuid4().hex}", []
        parcels = {f"{name}-{i}": _parcel(job, [name, str(i)]) for i, job in enumerate(todo)}
        jobs = dict(zip(parcels, todo, strict=True))
        futures = [
            client.submit(work, parcel, key=key, pure=False, retries=0, priority=-i)
            for i, (key, parcel) in enumerate(parcels.items())
        ]
        for future in as_completed(futures):
            job = jobs[future.key]
            record = _record(job, future, facts)
            book.append(job.path, record)
            done.append((job, record))
            print(f"{job.name}: {record['status']}, {record['minutes']} min", file=sys.stderr)
    return done


# --- here -------------------------------------------------------------------------------------------------------------
def _client(address):
    """A client of the scheduler, which has a worker."""
    if importlib.util.find_spec("distributed") is None:
        raise CoursekitError(f"--dask needs the package distributed, which is not installed here: `{INSTALL}`")
    from distributed import Client

    try:
        client = Client(address, timeout=PATIENCE)
    except (OSError, ValueError) as error:
        raise CoursekitError(
            f"no Dask scheduler answers at {address} ({error}): start one with `dask scheduler`, which says its address"
        ) from error
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError:
        client.close()
        raise CoursekitError(
            f"the scheduler at {address} has no worker: start some with `dask worker {address} --nthreads 1`"
        ) from None
    return client


def _facts(client, todo, address):
    """{worker: what its records say}; refuses a cluster with a worker that has another coursekit, or none."""
    by_code = {job.code: _source(job) for job in todo}
    answers = client.run(about, by_code, sorted({job.backend for job in todo}), on_error="return")
    for worker, answer in answers.items():
        if isinstance(answer, Exception):
            why = f"it answers {type(answer).__name__}: {answer}"
        elif answer["other"]:
            names = sorted({job.path.stem for job in todo if job.code in answer["other"]})
            why = f"it has another coursekit, or other data, as far as {', '.join(names)} can tell"
        else:
            continue
        raise CoursekitError(
            f"the worker {worker} can't run this: {why}. Bring its checkout to the state of this one, "
            f"`{INSTALL}` there, and start it again with `dask worker {address} --nthreads 1`"
        )
    return answers


def _source(job):
    """The notebook as text, without outputs."""
    return nbformat.writes(notebooks.clear_outputs(nbformat.from_dict(json.loads(nbformat.writes(job.notebook)))))


def _parcel(job, mark):
    """A job as what can be sent."""
    return {
        "name": job.path.stem,
        "hash": job.hash,
        "code": job.code,
        "backend": job.backend,
        "seed": job.seed,
        "profile": job.profile,
        "source": _source(job),
        "mark": mark,
    }


def _record(job, future, facts):
    """The record of a job that has come to an end, one way or another."""
    from distributed import CancelledError, KilledWorker

    try:
        answer = future.result()
    except KilledWorker as error:  # where the scheduler hands no job out twice
        answer = {"died": error.last_worker.address}
    except CancelledError:
        raise CoursekitError("the scheduler is gone: what came back is kept, the same command goes on there") from None
    except Exception as error:  # on the worker, outside of the notebook
        answer = {"failed": f"{type(error).__name__}: {error}"}
    if "record" in answer:
        return answer["record"]
    worker = answer.get("died")
    error = f"its worker {worker} died" if worker else f"its worker could not run it: {answer['failed']}"
    outcome = Outcome(job.notebook, "died" if worker else "failed", error)
    return _with_facts(ledger.record_of(job, outcome, {}), facts.get(worker))


def _with_facts(record, facts):
    """The record of a run that did not come to its end, with what is known of the worker."""
    if facts is None:
        return record | {"machine": "a worker that nothing is known of", "versions": {}, "python": "", "key": None}
    packages = facts["versions"][record["backend"]]
    key = ledger.key_of(record["code"], facts["python"], packages)
    return record | {"machine": facts["machine"], "python": facts["python"], "versions": packages, "key": key}


# --- on a worker ------------------------------------------------------------------------------------------------------
def about(sources, backends):
    """What this worker is, and which of the notebooks {code key: source} have another code key here."""
    keys = {key: code_key(nbformat.reads(source, as_version=4)) for key, source in sources.items()}
    return {
        "machine": machine(),
        "python": platform.python_version(),
        "versions": {backend: ledger.versions(backend) for backend in backends},
        "other": [key for key, here in keys.items() if here != key],
    }


def work(parcel):
    """Run a job in a fresh kernel of this worker: {"record": …}, or {"died": worker} if it had been started before."""
    from distributed import get_client, get_worker

    scheduler, job = get_client(), _job(parcel)
    started = scheduler.get_metadata(parcel["mark"], None)
    if started is not None:
        return {"died": started}
    scheduler.set_metadata(parcel["mark"], get_worker().address)
    if code_key(job.notebook) != job.code:
        raise CoursekitError("this worker has another coursekit, or other data, than the one that sent the job")
    with tempfile.TemporaryDirectory() as folder:
        return {"record": asyncio.run(runs.carry_out(job, folder, _speed()))}


def _job(parcel):
    """The job that was sent."""
    given = {name: parcel[name] for name in ("hash", "code", "backend", "seed", "profile")}
    return ledger.Job(
        path=Path(f"{parcel['name']}.ipynb"), notebook=nbformat.reads(parcel["source"], as_version=4), **given
    )


@cache
def _speed():
    """The speed of this worker, measured once."""
    return runs.measured_speed()
