"""A student's first minutes, in a real browser: `make lab`, the welcome page, notebook 01 run from top to bottom."""

import importlib.util
import json
import os
import re
import signal
import subprocess

import nbformat
import pytest
from helpers import ROOT, open_chromium, wait_for

pytestmark = pytest.mark.slow
# Two settings that a student may make, too: draw every cell, seen or not, and save only when asked.
SETTINGS = {
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
    "@jupyterlab/docmanager-extension/plugin": {"autosave": False},
}


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    yield from open_chromium(tmp_path_factory.mktemp("chromium"))


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """The address that `make lab` prints where there is no browser to open."""
    settings = tmp_path_factory.mktemp("settings")
    for plugin, values in SETTINGS.items():
        file = settings / f"{plugin}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values))
    # without a display and with no browser to be found, as in a container or over ssh
    env = {**os.environ, "JUPYTERLAB_SETTINGS_DIR": str(settings), "BROWSER": "/nowhere/browser", "DISPLAY": ""}
    log = tmp_path_factory.mktemp("lab") / "log"
    with log.open("w") as file:
        lab = subprocess.Popen(
            ["make", "lab", "LAB=--port=0 --expose-app-in-browser"],
            cwd=ROOT,
            env=env,
            stdout=file,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    try:
        yield wait_for(lambda: printed_address(log, lab), 120, lambda: log.read_text())
    finally:
        os.killpg(lab.pid, signal.SIGTERM)
        lab.wait(30)


def printed_address(log, lab):
    assert lab.poll() is None, log.read_text()
    found = re.search(r"http://(localhost|127\.0\.0\.1):\d+/lab/tree/\S+\?token=\w+", log.read_text())
    return found and found.group()


def open_notebook(browser, address, name):
    """Open a notebook and wait until it is in front, its cells are drawn and its kernel is ready.

    JupyterLab first shows again what was open before, which may be another notebook.
    """
    browser.get(re.sub(r"/lab/tree/\S+\?", f"/lab/tree/notebooks/{name}?", address))
    ready = """
        const panel = window.jupyterapp && window.jupyterapp.shell.currentWidget;
        return panel && panel.context && panel.context.path === arguments[0] && panel.sessionContext.session
            && panel.sessionContext.session.kernel && panel.sessionContext.session.kernel.status === 'idle'"""
    wait_for(lambda: browser.execute_script(ready, f"notebooks/{name}"), 90, lambda: browser.title)


# What matches a selector in the notebook that is in front; others may be open behind it.
IN_FRONT = "return [...window.jupyterapp.shell.currentWidget.node.querySelectorAll({selector!r})]"


def count(browser, selector):
    return browser.execute_script(IN_FRONT.format(selector=selector) + ".length")


def texts(browser, selector):
    return browser.execute_script(IN_FRONT.format(selector=selector) + ".map(found => found.textContent)")


def test_make_lab_opens_the_welcome_page(browser, address):
    browser.get(address)
    assert "/lab/tree/notebooks/00_welcome.ipynb?" in address
    heading = "return [...document.querySelectorAll('.jp-RenderedMarkdown h1')].map(h => h.textContent).join()"
    assert "00 Welcome" in wait_for(lambda: browser.execute_script(heading), 90)


def test_notebook_01_runs_from_top_to_bottom_in_jupyterlab(browser, address):
    path = ROOT / "notebooks" / "01_tensors.ipynb"
    before = path.read_bytes()
    stored = nbformat.reads(before.decode(), 4)
    code = [cell for cell in stored.cells if cell.cell_type == "code" and cell.source.strip()]
    shown = [cell for cell in code if "torch" not in cell.source or importlib.util.find_spec("torch")]
    outputs = [output for cell in shown for output in cell.outputs]
    ticks = sum(line.startswith("✓ ") for output in outputs for line in output.get("text", "").splitlines())
    figures = sum("image/png" in output.get("data", {}) for output in outputs)
    assert ticks > 5 and figures > 2

    open_notebook(browser, address, path.name)
    browser.execute_script("window.jupyterapp.commands.execute('notebook:clear-all-cell-outputs')")
    wait_for(lambda: count(browser, ".jp-OutputArea-output img") == 0, 30)
    browser.execute_script("window.jupyterapp.commands.execute('notebook:run-all-cells')")
    counts = """return window.jupyterapp.shell.currentWidget.content.widgets
        .filter(cell => cell.model.type === 'code').map(cell => cell.model.executionCount)"""  # null: not yet
    numbers = list(range(1, len(code) + 1))
    wait_for(lambda: browser.execute_script(counts) == numbers, 180, lambda: browser.execute_script(counts))

    said = "\n".join(texts(browser, ".jp-OutputArea-output pre"))
    assert sum(line.startswith("✓ ") for line in said.splitlines()) == ticks
    wait_for(lambda: count(browser, ".jp-OutputArea-output img[src^='data:image/png']") == figures, 30)
    images = IN_FRONT.format(selector=".jp-OutputArea-output img")
    assert browser.execute_script(f"{images}.every(image => image.naturalWidth > 50)")
    assert count(browser, "[data-mime-type='application/vnd.jupyter.error']") == 0
    assert count(browser, "[data-mime-type='application/vnd.jupyter.stderr']") == 0
    solutions = sum("solution" in cell.metadata.get("tags", []) for cell in code)
    assert count(browser, ".jp-CodeCell .jp-InputPlaceholder, .jp-CodeCell .jp-Placeholder") >= solutions
    assert path.read_bytes() == before  # nothing was saved
    (ROOT / "build").mkdir(exist_ok=True)
    browser.save_screenshot(str(ROOT / "build" / "jupyterlab.png"))
