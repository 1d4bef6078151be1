"""What a fork gets: workflows whose steps exist, forms, a container; and the script that runs a job here."""

import importlib.util
import json
import re
import subprocess
import sys

import pytest
import yaml
from helpers import ROOT

GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))


@pytest.fixture(scope="module")
def job_script():
    """.ci/job.py as a module."""
    spec = importlib.util.spec_from_file_location("job", ROOT / ".ci" / "job.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def steps():
    """(workflow, job, step) of all workflows."""
    for file in WORKFLOWS:
        for name, job in yaml.safe_load(file.read_text(encoding="utf-8"))["jobs"].items():
            yield from ((file.name, name, step) for step in job["steps"])


def test_there_are_workflows_for_tests_versions_and_pages():
    assert [file.name for file in WORKFLOWS] == ["pages.yml", "rot.yml", "test.yml"]


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_a_workflow_says_when_with_which_rights_and_how_long(file):
    said = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert said.keys() >= {"name", True, "permissions", "jobs"}  # YAML takes the word "on" for true
    for name, job in said["jobs"].items():
        assert job["timeout-minutes"] <= 90 and job["runs-on"] == "ubuntu-latest" and job["steps"], name
        for step in job["steps"]:
            assert ("run" in step) != ("uses" in step)
            assert step.get("if") in (None, "always()", "failure()")
            if "uses" in step:
                assert re.fullmatch(r"actions/[a-z-]+@v\d+", step["uses"]), step


def test_steps_call_what_there_is(job_script):
    from coursekit.authoring import cli

    targets = set(re.findall(r"(?m)^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8")))
    for workflow, job, step in steps():
        text = step.get("run", "").replace("\\\n", " ")
        assert set(re.findall(r"\bmake ([a-z]+)", text)) <= targets, (workflow, job)
        for words in re.findall(r"(?:\.venv/bin/|python -m )coursekit ([^&|>\n]+)", text):
            words = job_script.filled_in(words, {"share": 1, "python": "3.12", "versions": "oldest"}).split()
            cli._parser().parse_args(words)
        assert subprocess.run(["bash", "-n"], input=re.sub(r"\$\{\{.*?\}\}", "1", text), text=True).returncode == 0


def test_the_shares_are_all_run():
    for job in ("tests", "notebooks"):
        made = yaml.safe_load((GITHUB / "workflows" / "test.yml").read_text(encoding="utf-8"))["jobs"][job]
        shares = made["strategy"]["matrix"]["share"]
        text = "".join(step.get("run", "") for step in made["steps"])
        assert shares == list(range(1, len(shares) + 1)) and f"${{{{ matrix.share }}}}/{len(shares)}" in text


def test_the_script_reads_what_github_would_run(job_script):
    rot = job_script.jobs("rot.yml")["versions"]
    made = job_script.combinations(rot)
    assert len(made) == 9 and all(one.keys() == {"python", "versions"} for one in made)
    run = next(step["run"] for step in rot["steps"] if "coursekit" in step.get("run", ""))
    assert job_script.filled_in(run, made[1]) == "python -m coursekit rot --pythons 3.11 --versions locked"
    more = {"strategy": {"matrix": {"a": [1, 2], "include": [{"a": 2, "b": 3}]}}}
    assert job_script.combinations(more) == [{"a": 1}, {"a": 2, "b": 3}]
    assert job_script.combinations({}) == [{}]
    with pytest.raises(ValueError, match="is nothing that"):
        job_script.filled_in("${{ secrets.KEY }}", {})


def test_the_script_runs_steps_up_to_the_first_that_fails(job_script, tmp_path, capfd):
    job = {
        "steps": [
            {"uses": "actions/checkout@v4"},
            {"run": "make env"},
            {"run": "echo share ${{ matrix.share }} in $CI"},
            {"run": "false | true"},
            {"run": "echo never"},
            {"if": "failure()", "run": "echo afterwards"},
            {"if": "always()", "uses": "actions/upload-artifact@v4", "with": {"path": "kept"}},
        ]
    }
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "one").touch()
    assert job_script.run_steps(job, {"share": 3}, tmp_path, tmp_path) == 1
    said = capfd.readouterr().out
    assert "share 3 in true" in said and "never" not in said and "afterwards" in said and "1 files of kept" in said


@pytest.mark.parametrize("file", sorted((GITHUB / "ISSUE_TEMPLATE").glob("[!c]*.yml")), ids=lambda file: file.name)
def test_a_form_asks_for_what_is_needed(file):
    form = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert form.keys() >= {"name", "description", "body"}
    asked = [part for part in form["body"] if part["type"] != "markdown"]
    assert len({part["id"] for part in asked}) == len(asked) and all(part["attributes"]["label"] for part in asked)


def test_the_form_for_what_does_not_run_asks_for_the_report():
    assert "coursekit doctor --report" in (GITHUB / "ISSUE_TEMPLATE" / "does-not-run.yml").read_text(encoding="utf-8")
    assert (GITHUB / "PULL_REQUEST_TEMPLATE.md").is_file()


def test_the_container_makes_the_environment():
    said = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
    assert said["postCreateCommand"] == "make env" and re.fullmatch(r"python:3\.1[123]", said["image"])


# --- pytest --shard ---------------------------------------------------------------------------------------------------
def test_shares_of_pytest_hold_whole_files_and_everything_once(pytester_files):
    ran = [pytester_files("--shard", f"{part}/3") for part in (1, 2, 3)]
    assert sorted(name for names in ran for name in names) == sorted(pytester_files())
    files = [{name.split("::")[0] for name in names} for names in ran]
    assert not files[0] & files[1] and not files[1] & files[2] and not files[0] & files[2] and all(files)


def test_a_share_that_is_none_is_refused(pytester_files):
    with pytest.raises(AssertionError, match="such as 2/4"):
        pytester_files("--shard", "5/4")


@pytest.fixture
def pytester_files(tmp_path):
    """pytester_files("--shard", "1/3") collects five small test files: the names of the tests of that share."""
    for number in range(5):
        tests = "".join(f"def test_{i}():\n    pass\n\n\n" for i in range(number + 1))
        (tmp_path / f"test_file{number}.py").write_text(tests)

    def collected(*words):
        plugin = ["-p", "coursekit.authoring.execution.shards", "-p", "no:cacheprovider"]
        command = [sys.executable, "-m", "pytest", "--collect-only", "-q", *plugin, *words, str(tmp_path)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return [line.rsplit("/", 1)[-1] for line in done.stdout.splitlines() if "::" in line]

    return collected
