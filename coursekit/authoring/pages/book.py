"""`coursekit book FILE`: the core of all chapters as one PDF, printed by a browser from the pages of the site.

Sections called "Deeper" and the solutions are left out: the book is what one reads first, and what one can take along.
Each chapter is printed by itself, and pypdf joins them.
"""

import base64
import io
import re
import shutil
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from coursekit.authoring import notebooks
from coursekit.authoring.pages import site
from coursekit.authoring.pages.source import write_source
from coursekit.errors import CoursekitError
from coursekit.paths import write_whole

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1000,1400")
PAPER = {"page_width": 21.0, "page_height": 29.7, "margin_top": 1.5, "margin_bottom": 1.5}  # centimeters: A4
FRONT, APPENDICES = "index", ("docs/glossary", "docs/notation", "docs/bibliography")
DEEPER = re.compile(r"^## (?:\d+\. )?Deeper: ")
TYPESET = """
    if (document.readyState !== 'complete') return false;
    if (!document.querySelector('script[src*="tex-svg"]')) return true;
    if (!window.MathJax?.startup?.promise) return false;
    MathJax.startup.promise.then(() => { window.typeset = true; });
    return window.typeset === true;"""


def book(out, seconds=120):
    """Print the core of the course into the PDF file `out`; seconds: how long the browser may take for one chapter.

    Raises CoursekitError where a package or a browser is missing, or the browser does not finish. The file is written
    whole or not at all. True if Sphinx found nothing wrong with the pages.
    """
    out = Path(out)
    if out.suffix != ".pdf":
        raise CoursekitError(f"{out} does not end in .pdf: name the file to write, such as build/core.pdf")
    site.need_packages("pypdf")
    with tempfile.TemporaryDirectory(prefix="coursekit-book-") as scratch:
        source, pages = Path(scratch, "source"), Path(scratch, "pages")
        source.mkdir()
        with _browser(Path(scratch, "profile"), seconds) as window:  # before the minutes that Sphinx takes
            write_source(source, change=core_only)
            warnings = site.build(source, pages, Path(scratch, "read"))
            names = [FRONT, *sorted(f"notebooks/{file.stem}" for file in pages.glob("notebooks/*.html")), *APPENDICES]
            parts = [_printed(window, pages / f"{name}.html", seconds) for name in names]
    for warning in warnings:
        print(f"✗ {warning}")
    write_whole(out, _joined(parts))
    print(f"✓ {out}: {out.stat().st_size / 1e6:.1f} MB")
    return not warnings


def core_only(notebook):
    """The notebook without solutions and without the sections that go deeper."""
    kept, deeper = [], False
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and cell.source.startswith("## "):
            deeper = bool(DEEPER.match(cell.source))
        if not deeper and "solution" not in notebooks.tags(cell):
            kept.append(cell)
    notebook.cells = kept
    return notebook


@contextmanager
def _browser(profile, seconds):
    """A browser without a window; it is closed at the end, whatever happens."""
    browser, driver = next(filter(None, map(shutil.which, BROWSERS)), None), shutil.which("chromedriver")
    if not (browser and driver):
        raise CoursekitError("the book is printed by Chromium, which is missing (Debian: apt install chromium-driver)")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    window = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    try:
        window.command_executor.client_config.timeout = seconds
        yield window
    finally:
        window.quit()


def _printed(window, page, seconds):
    """(title, PDF as bytes) of a page."""
    from selenium.webdriver.common.print_page_options import PrintOptions

    window.get(page.resolve().as_uri())
    until = time.monotonic() + seconds
    while not window.execute_script(TYPESET):
        if time.monotonic() > until:
            raise CoursekitError(f"the browser has not set the formulas of {page.stem} within {seconds} seconds")
        time.sleep(0.3)
    paper = PrintOptions()
    for name, value in PAPER.items():
        setattr(paper, name, value)
    title = window.execute_script("return document.querySelector('h1').firstChild.textContent")
    return title, base64.b64decode(window.print_page(paper))


def _joined(parts):
    """One PDF of several, (title, PDF) each, with the titles as its outline."""
    from pypdf import PdfReader, PdfWriter

    whole = PdfWriter()
    for title, part in parts:
        whole.append(PdfReader(io.BytesIO(part)), outline_item=title)
    whole.compress_identical_objects()
    content = io.BytesIO()
    whole.write(content)
    return content.getvalue()
