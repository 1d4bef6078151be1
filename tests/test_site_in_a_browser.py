"""The course as web pages, in a real browser: links, formulas, search, phones, and no request to another host."""

import collections
import http.server
import json
import re
import shutil
import subprocess
import sys
import threading
from urllib.parse import unquote, urldefrag, urlsplit

import pytest
from helpers import ROOT, Course, open_chromium, wait_for

from coursekit.authoring import notebooks
from coursekit.authoring.pages.site import MARK

pytestmark = pytest.mark.slow
Page = collections.namedtuple("Page", "links ids formulas raw width requests errors")
NETWORK = ("http", "https", "ws", "wss")  # data: is in the page itself, chrome: the browser's own first page
PHONE = {"width": 420, "height": 900, "deviceScaleFactor": 1, "mobile": True}
TYPESET = """
    if (document.readyState !== 'complete') return false;
    if (!document.querySelector('script[src*="tex-svg"]')) return true;
    if (!window.MathJax || !MathJax.startup || !MathJax.startup.promise) return false;
    MathJax.startup.promise.then(() => { window.typeset = true; });
    return window.typeset === true;"""
LINKS = """
    return [...document.querySelectorAll('a')].map(found =>  // in a drawing, href is an object
        found.href.baseVal ? new URL(found.href.baseVal, document.baseURI).href : found.href).filter(Boolean)"""
IDS = "return [...document.querySelectorAll('[id]')].map(found => found.id)"
# A formula: its TeX was replaced by a drawing of some size that holds no error.
FORMULAS = """
    return [...document.querySelectorAll('.math')].map(found => {
        const box = (found.querySelector('mjx-container svg') || found).getBoundingClientRect();
        const drawn = found.querySelector('mjx-container svg') && !found.querySelector('[data-mjx-error], merror');
        return Boolean(drawn && box.width > 2 && box.height > 2) })"""
# Prose that still has TeX in it: all text outside code and typeset formulas.
RAW = """
    const copy = (document.querySelector('article') || document.body).cloneNode(true);
    copy.querySelectorAll('pre, code, mjx-container, script').forEach(found => found.remove());
    return (copy.textContent.match(/.{0,20}(\\$|\\\\\\(|\\\\\\[|\\\\[a-z]{3,}).{0,20}/g) || [])"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of pages that `make site` builds from this checkout."""
    out = tmp_path_factory.mktemp("pages") / "site"
    done = subprocess.run([sys.executable, "-m", "coursekit", "site", out], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


@pytest.fixture(scope="module")
def address(site):
    """Where the pages are served while the tests run."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=site)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    yield from open_chromium(tmp_path_factory.mktemp("chromium"), browser="ALL", performance="ALL")


@pytest.fixture(scope="module")
def pages(site, address, browser):
    """What every page turned out to hold: its path to a `Page`."""
    names = sorted(path.relative_to(site).as_posix() for path in site.rglob("*.html"))
    return {name: look_at(browser, address + name) for name in names if not name.startswith("_static")}


def look_at(browser, page):
    browser.get_log("browser"), browser.get_log("performance")
    browser.get(page)
    wait_for(lambda: browser.execute_script(TYPESET), 60, lambda: page)
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    sent = [one["params"]["request"]["url"] for one in messages if one["method"] == "Network.requestWillBeSent"]
    found = [browser.execute_script(script) for script in (LINKS, IDS, FORMULAS, RAW)]
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    width = browser.execute_script("return document.documentElement.scrollWidth")
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    errors = [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    return Page(*found, width, sent, errors)


def test_every_document_and_notebook_has_its_page(pages):
    sources = [*ROOT.glob("notebooks/[0-9][0-9]_*.ipynb"), *ROOT.glob("docs/*.md"), ROOT / "CONTRIBUTING.md"]
    expected = {path.relative_to(ROOT).with_suffix(".html").as_posix() for path in sources}
    assert expected | {"index.html", "docs/claims.html", "docs/figures.html", "data/README.html", "README.html"} <= set(
        pages
    )


def test_nothing_is_asked_of_another_host(pages, address):
    asked = {url for page in pages.values() for url in page.requests if urlsplit(url).scheme in NETWORK}
    assert len(asked) > len(pages) and {url for url in asked if not url.startswith(address)} == set()


def test_no_page_reports_an_error(pages):
    assert {name: page.errors for name, page in pages.items() if page.errors} == {}


def test_no_link_and_no_anchor_is_broken(pages, site, address):
    broken, checked = [], 0
    for name, page in pages.items():
        for link in page.links:
            url, anchor = urldefrag(link)
            if not url.startswith(address):
                assert urlsplit(url).scheme in ("http", "https", "mailto"), f"{link} in {name}"
                continue
            checked += 1
            target = unquote(urlsplit(url).path).lstrip("/") or "index.html"
            if not (site / target).is_file() or (anchor and unquote(anchor) not in pages[target].ids):
                broken.append(f"{name}: {link}")
    assert checked > 1000 and sorted(set(broken)) == []


def test_the_glossary_and_the_course_map_lead_to_the_notebooks(pages, address):
    names = {f"{address}notebooks/{path.stem}.html" for path in ROOT.glob("notebooks/[0-9][0-9]_*.ipynb")}
    glossary = (ROOT / "docs" / "glossary.md").read_text().count("](../notebooks/")
    assert sum(link in names for link in pages["docs/glossary.html"].links) >= glossary > 100
    assert names <= set(pages["index.html"].links)
    assert names <= set(pages["docs/claims.html"].links) and names <= set(pages["docs/bibliography.html"].links)


def test_every_formula_is_typeset(pages):
    assert {name: page.raw for name, page in pages.items() if page.raw} == {}
    assert {name for name, page in pages.items() if not all(page.formulas)} == set()
    for path in ROOT.glob("notebooks/[0-9][0-9]_*.ipynb"):
        prose = [cell.source for cell in notebooks.read(path).cells if cell.cell_type == "markdown"]
        written = re.findall(r"(?s)\$\$.+?\$\$|\$.+?\$", re.sub(r"`[^`]*`", "", "\n\n".join(prose)))
        assert len(pages[f"notebooks/{path.stem}.html"].formulas) == len(written), path.stem
    assert len(pages["docs/notation.html"].formulas) > 50


def test_no_page_is_wider_than_a_phone(pages):
    assert {name: page.width for name, page in pages.items() if page.width > PHONE["width"]} == {}


def test_the_search_finds_a_word_of_the_course(browser, address):
    browser.get(f"{address}search.html?q=broadcasting")
    found = "return [...document.querySelectorAll('ul.search a')].map(a => a.href)"
    results = wait_for(lambda: browser.execute_script(found), 30)
    assert results[0].startswith(f"{address}notebooks/02_broadcasting.html")


def test_solutions_are_collapsed_until_they_are_asked_for(browser, address):
    browser.get(f"{address}notebooks/02_broadcasting.html")
    wait_for(lambda: browser.execute_script(TYPESET), 60)  # until then formulas grow, and what is below them moves
    notebook = notebooks.read(ROOT / "notebooks" / "02_broadcasting.ipynb")
    folded = browser.find_elements("css selector", "article details")  # the menu folds, too
    set_up, *solutions = folded
    assert set_up.text.startswith("Show the set-up")
    assert len(solutions) == sum("solution" in notebooks.tags(cell) for cell in notebook.cells) > 0
    code = [solution.find_element("css selector", "pre") for solution in solutions]
    assert not any(one.is_displayed() for one in code) and {one.text for one in solutions} == {"Show the solution"}
    browser.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", solutions[0])
    solutions[0].find_element("css selector", "summary").click()
    wait_for(code[0].is_displayed, 10, lambda: solutions[0].get_attribute("outerHTML")[:300])
    assert not any(one.is_displayed() for one in code[1:])


def test_a_page_shows_its_core_only_where_that_is_asked_for(browser, address):
    page = f"{address}notebooks/13_generative_adversarial_networks.html"
    headings = """return [...document.querySelectorAll('article h2, .bd-sidebar-secondary a')]
        .filter(one => one.checkVisibility()).map(one => one.textContent)"""
    seen = lambda: [one for one in browser.execute_script(headings) if "Deeper: " in one]
    browser.get(page)
    button = wait_for(lambda: browser.find_element("css selector", "button.view"), 30)
    assert button.text == "Show the core only" and len(seen()) > 4
    button.click()
    assert button.text == "Show everything" and seen() == [] and browser.execute_script(headings)
    browser.get(f"{address}notebooks/14_diffusion_models.html")  # the choice is kept
    wait_for(lambda: browser.find_element("css selector", "button.view").text == "Show everything", 30)
    assert seen() == []
    target = next(one for one in browser.execute_script(IDS) if one.startswith("section-14-9"))
    browser.get("about:blank")
    browser.get(f"{address}notebooks/14_diffusion_models.html#{target}")  # a link into a deeper section shows it
    wait_for(lambda: browser.find_element("css selector", "button.view").text == "Show the core only", 30)
    assert seen()
    browser.execute_script("localStorage.clear()")


def test_the_core_is_printed_as_one_small_file(tmp_path):
    from pypdf import PdfReader

    out = tmp_path / "core.pdf"
    command = [sys.executable, "-m", "coursekit", "book", out]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    whole = PdfReader(out)
    titles = [entry.title for entry in whole.outline if not isinstance(entry, list)]
    notebooks_there = sorted(ROOT.glob("notebooks/[0-9][0-9]_*.ipynb"))
    assert [title[:2] for title in titles[1 : len(notebooks_there) + 1]] == [path.stem[:2] for path in notebooks_there]
    assert len(whole.pages) > 10 * len(notebooks_there) and out.stat().st_size < 40e6
    start = whole.get_destination_page_number(next(one for one in whole.outline if one.title.startswith("13")))
    text = "".join(whole.pages[start + i].extract_text() for i in range(8))
    assert "A judge" in text and "$" not in text


def test_every_figure_is_shown_with_its_caption(browser, address):
    browser.get(f"{address}docs/figures.html")
    figures = """return [...document.querySelectorAll('figure')].map(one => [
        one.querySelector('img').complete && one.querySelector('img').naturalWidth > 50,
        one.querySelector('figcaption').textContent.trim().length > 10])"""
    shown = wait_for(lambda: browser.execute_script(figures), 30)
    assert len(shown) > 100 and all(all(one) for one in shown)
    (ROOT / "build").mkdir(exist_ok=True)
    browser.save_screenshot(str(ROOT / "build" / "pages.png"))


# --- building again, and failing --------------------------------------------------------------------------------------
def test_pages_are_replaced_by_newer_ones_and_kept_where_something_is_wrong(tmp_path):
    course = Course(tmp_path / "a course")
    (course.root / "CONTRIBUTING.md").write_text("# Writing\n")
    for name in ("results", "glossary", "grading", "syllabus"):
        (course.root / "docs" / f"{name}.md").write_text(f"# The {name}\n")
    (course.root / "docs" / "images").mkdir()
    shutil.copy(ROOT / "docs" / "images" / "page.png", course.root / "docs" / "images")
    about = [{"name": "01_first", "title": "First", "requires": []}]
    (course.root / "data" / "course.json").write_text(json.dumps(about))
    course.add("01_first", "md:# 01 First\n\nText with $x^2$.", "x = 1", title="First")
    out = tmp_path / "pages" / "site"
    out.mkdir(parents=True)
    (out / MARK).touch()
    (out / "index.html").write_text("old")

    (course.root / "README.md").write_text("# A small course\n\n[Nothing](docs/nothing.md)\n")
    status, said, _ = course.run("site", out)
    assert status == 1 and "✗ README.md:3: " in said and "docs/nothing.md" in said and said.count("\n") == 1
    assert sorted(path.name for path in out.iterdir()) == [MARK, "index.html"]

    (course.root / "README.md").write_text("# A small course\n")
    status, said, err = course.run("site", out)
    assert status == 0 and f"open {out / 'index.html'}" in said, said + err
    assert "A small course" in (out / "README.html").read_text() and (out / MARK).is_file()
    assert [path.name for path in out.parent.iterdir()] == ["site"]
