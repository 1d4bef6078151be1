"""Code in a process of its own: what it knows, what comes back, and what is said where it fails."""

import subprocess

import pytest

from coursekit.processes import in_fresh_process


def test_it_runs_in_the_working_directory_and_what_it_prints_comes_back(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = in_fresh_process("import os; open('made.txt', 'w').close(); print(os.environ['KERAS_BACKEND'])", "jax")
    assert said == "jax" and (tmp_path / "made.txt").exists()


def test_tensorflow_is_not_found_beside_another_backend():
    code = "import importlib, sys\nprint('tensorflow' in sys.modules and sys.modules['tensorflow'] is None)"
    assert in_fresh_process(code, "numpy") == "True"
    assert in_fresh_process(code, "tensorflow") == "False"


def test_nothing_of_this_process_is_known_there():
    secret = 1  # noqa: F841
    with pytest.raises(RuntimeError, match="NameError: name 'secret'"):
        in_fresh_process("print(secret)", "numpy")


def test_a_process_that_never_ends_is_killed():
    with pytest.raises(subprocess.TimeoutExpired):
        in_fresh_process("while True: pass", "numpy", seconds=0.5)
