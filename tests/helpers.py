"""What several test files share: notebooks made on the spot, and a small course of its own in a temporary folder."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

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


FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--force-prefers-reduced-motion",  # a click must not chase a page that is scrolling smoothly
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--window-size=1400,1000",
]


def open_chromium(profile, **logs):
    """A browser for a fixture to yield from. `profile`: an empty folder; `logs`: kinds of logs and their levels."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        why = "Chromium is missing (Debian: apt install chromium chromium-driver)"
        pytest.fail(why) if os.environ.get("CI") == "true" else pytest.skip(why)
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    options.set_capability("goog:loggingPrefs", logs)
    for flag in [*FLAGS, f"--user-data-dir={profile}"]:
        options.add_argument(flag)
    window = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield window
    window.quit()


def wait_for(condition, seconds, why=lambda: ""):
    """What `condition` returns once that is true; it may raise while the page is still being built."""
    from selenium.common.exceptions import WebDriverException

    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if result := condition():
                return result
        except WebDriverException:
            pass
        time.sleep(0.3)
    raise AssertionError(f"not within {seconds} seconds: {why()}")


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
