"""What several test files share: notebooks made on the spot, and a small course of its own in a temporary folder."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parent.parent
ABOUT = {
    "title": "Example",
    "summary": "One sentence. Another one.",
    "objectives": ["read an example"],
    "requires": [],
    "terms": {},
    "minutes": None,
    "backends": ["tensorflow", "jax"],
    "packages": [],
}


def make_notebook(*cells, **about):
    """A notebook from sources: code, or markdown where the source starts with "md:"; a pair is (source, tags)."""
    notebook = nbformat.v4.new_notebook()
    for cell in cells:
        source, tags = cell if isinstance(cell, tuple) else (cell, [])
        prose = source.startswith("md:")
        make = nbformat.v4.new_markdown_cell if prose else nbformat.v4.new_code_cell
        notebook.cells.append(make(source.removeprefix("md:"), metadata={"tags": tags} if tags else {}))
    notebook.metadata["coursekit"] = ABOUT | about
    return notebook


def heed_interrupts():
    """Let Ctrl+C reach a command also where the tests run in the background, which has it ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Course:
    """A checkout of its own, with the real package and only the notebooks that a test puts there."""

    def __init__(self, root):
        self.root = root
        (root / "notebooks").mkdir(parents=True)
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "coursekit", root / "coursekit", ignore=ignore)
        for part in ("pyproject.toml", "README.md", "constraints.txt", "Makefile", "LICENSE", "data/README.md"):
            (root / part).parent.mkdir(exist_ok=True)
            shutil.copy(ROOT / part, root / part)
        (root / "docs").mkdir()

    def add(self, name, *cells, **about):
        """Write a notebook and return its path."""
        path = self.root / "notebooks" / f"{name}.ipynb"
        nbformat.write(make_notebook(*cells, **about), path)
        return path

    def start(self, *arguments):
        """Start the `coursekit` command of this checkout."""
        command = [sys.executable, "-m", "coursekit", *map(str, arguments)]
        pipe = subprocess.PIPE
        env = {name: value for name, value in os.environ.items() if not name.startswith("COURSEKIT_")}
        return subprocess.Popen(
            command, cwd=self.root, stdout=pipe, stderr=pipe, text=True, env=env, preexec_fn=heed_interrupts
        )

    def run(self, *arguments):
        """Run the `coursekit` command of this checkout to its end: (exit status, stdout, stderr)."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=300)
        return process.returncode, out, err
