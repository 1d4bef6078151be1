"""`coursekit book FILE`: the core of all chapters as one PDF, printed by a browser from the pages of the site.

Sections called "Deeper" and the solutions are left out: the book is what one reads first, and what one can take along.
Each chapter is printed by itself, and pypdf joins them.
"""

import io
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from coursekit.authoring import notebooks
from coursekit.authoring.arguments import new_folder
from coursekit.authoring.pages import site
from coursekit.authoring.pages.source import write_source
from coursekit.errors import CoursekitError
from coursekit.paths import write_whole

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    *("--no-pdf-header-footer", "--virtual-time-budget=300000"),
)
FRONT, APPENDICES = "index", ("docs/glossary", "docs/notation", "docs/bibliography")
DEEPER = re.compile(r"^## (?:\d+\. )?Deeper: ")
TITLE = re.compile(r"<h1>([^<]*)")


def book(out, seconds=120):
    """Print the core of the course into the PDF file `out`; seconds: how long the browser may take for one chapter.

    Raises CoursekitError where a package or a browser is missing, or the browser does not finish. The file is written
    whole or not at all. True if Sphinx found nothing wrong with the pages.
    """
    out = Path(out)
    if out.suffix != ".pdf":
        raise CoursekitError(f"{out} does not end in .pdf: name the file to write, such as build/core.pdf")
    new_folder(out)  # a file beside which others can be written, before the minutes that printing takes
    site.need_packages("pypdf")
    browser = _find_browser()
    with tempfile.TemporaryDirectory(prefix="coursekit-book-") as scratch:
        source, pages = Path(scratch, "source"), Path(scratch, "pages")
        source.mkdir()
        write_source(source, change=core_only)
        warnings = site.build(source, pages, Path(scratch, "read"))
        names = [FRONT, *sorted(f"notebooks/{file.stem}" for file in pages.glob("notebooks/*.html")), *APPENDICES]
        parts = [_printed(browser, pages / f"{name}.html", scratch, seconds) for name in names]
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


def _find_browser():
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not browser:
        raise CoursekitError("the book is printed by Chromium, which is missing (Debian: apt install chromium)")
    return browser


def _printed(browser, page, scratch, seconds):
    """(title, PDF as bytes) of a page. The browser's clock runs ahead until the formulas are set."""
    file = Path(scratch, "page.pdf")
    file.unlink(missing_ok=True)
    paths = [f"--user-data-dir={Path(scratch, 'profile')}", f"--print-to-pdf={file}", page.resolve().as_uri()]
    try:
        done = subprocess.run([browser, *FLAGS, *paths], capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise CoursekitError(f"the browser has not printed {page.stem} within {seconds} seconds") from None
    if not file.is_file():
        raise CoursekitError(f"the browser printed nothing of {page.stem}: {done.stderr[-300:]}")
    return TITLE.search(page.read_text(encoding="utf-8"))[1], file.read_bytes()


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
