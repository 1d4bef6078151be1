#!/usr/bin/env python3
"""Run a job of a GitHub workflow here, step by step, in a clean clone of this checkout's last commit.

    .ci/job.py test.yml rules                              # makes its own environment, as on GitHub
    .ci/job.py test.yml tests --set share=2 --env .venv    # takes an environment that is there, which saves minutes

The steps are read from the workflow file. `uses:` steps that GitHub alone has (checkout, Python, uploads, pages) are
named and passed over; of an upload it is told what would be in it. Needs PyYAML, which the course's environment has.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = ROOT / ".github" / "workflows"
MAKES_ENV = "make env"
PLACE = re.compile(r"\$\{\{\s*(.*?)\s*\}\}")


def jobs(workflow):
    """{name: job} of a workflow file, such as "test.yml"."""
    return yaml.safe_load((WORKFLOWS / workflow).read_text(encoding="utf-8"))["jobs"]


def combinations(job):
    """The combinations of a job's matrix, as GitHub makes them: a list of {key: value}; [{}] without a matrix."""
    matrix = dict(job.get("strategy", {}).get("matrix", {}))
    more, made = matrix.pop("include", []), [{}]
    for key, values in matrix.items():
        made = [one | {key: value} for one in made for value in values]
    for extra in more:
        fits = [one for one in made if all(one[key] == extra[key] for key in matrix if key in extra)]
        for one in fits:
            one |= extra
    return made


def filled_in(text, values):
    """The text with `${{ matrix.key }}` replaced; ValueError for an expression of another kind."""

    def value(match):
        place, _, key = match[1].partition(".")
        if place != "matrix" or key not in values:
            raise ValueError(f"{match[0]} is nothing that .ci/job.py knows")
        return str(values[key])

    return PLACE.sub(value, text)


def run_steps(job, values, clone, env):
    """Run the steps in the clone and print what each is; the first exit status that is not 0, or 0."""
    failed = 0
    for step in job["steps"]:
        name = step.get("name") or step.get("uses") or "deploy"
        if not _is_due(step.get("if"), failed):
            continue
        if "uses" in step:
            print(f"-- {name}: of GitHub alone{_contents(step, values, clone)}", flush=True)
            continue
        if env and step["run"].strip() == MAKES_ENV:
            print(f"-- {name}: passed over, {env} is there", flush=True)
            continue
        print(f"-- {name}", flush=True)
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", filled_in(step["run"], values)]
        done = subprocess.run(command, cwd=clone, env=environment(clone))
        failed = failed or done.returncode
    return failed


def _is_due(condition, failed):
    """Whether a step runs: `if: failure()` after a failure, `if: always()` always, and others before one."""
    return {None: not failed, "failure()": bool(failed), "always()": True}[condition]


def _contents(step, values, clone):
    """What an upload would take."""
    paths = filled_in(str(step.get("with", {}).get("path", "")), values).split()
    files = [file for path in paths for file in (clone / path).rglob("*") if file.is_file()]
    return f"; {len(files)} files of {' and '.join(paths)}" if paths else ""


def environment(clone):
    """What GitHub's machine would set, and coursekit from the clone."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("COURSEKIT_", "GITHUB_"))}
    summary = {"GITHUB_STEP_SUMMARY": str(clone / "build" / "summary.md")}
    return kept | summary | {"CI": "true", "PYTHONPATH": str(clone)}


def main(words=None):
    """Run one job, for one combination of its matrix."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("workflow", choices=sorted(file.name for file in WORKFLOWS.glob("*.yml")))
    parser.add_argument("job")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="of the matrix; else its first")
    parser.add_argument("--env", type=Path, metavar="FOLDER", help="an environment to use in place of a new one")
    asked = parser.parse_args(words)
    job = jobs(asked.workflow)[asked.job]
    wanted = dict(pair.split("=", 1) for pair in asked.set)
    fitting = [one for one in combinations(job) if all(str(one.get(key)) == value for key, value in wanted.items())]
    if not fitting:
        parser.error(f"the matrix of {asked.job} has no {' '.join(asked.set)}")
    with tempfile.TemporaryDirectory(prefix="coursekit-job-") as scratch:
        clone = Path(scratch, "clone")
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        (clone / "build").mkdir()
        if asked.env:
            (clone / ".venv").symlink_to(asked.env.absolute())
        status = run_steps(job, fitting[0], clone, asked.env)
        summary = clone / "build" / "summary.md"
        if summary.is_file():
            print(summary.read_text(encoding="utf-8"))
        shutil.rmtree(clone, ignore_errors=True)
    print(f"{asked.job}: {'failed' if status else 'well'}")
    return status


if __name__ == "__main__":
    sys.exit(main())
