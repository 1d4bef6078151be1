"""`coursekit site OUT`: the whole course as static web pages, which ask no other host for anything.

MyST-NB reads the notebooks as they are stored and executes nothing; the theme is sphinx-book-theme. Formulas are
typeset in the browser by one file of MathJax that comes along.
"""

import importlib.util
import io
import re
import shutil
import tempfile
from pathlib import Path

from coursekit.authoring import project
from coursekit.authoring.arguments import new_folder
from coursekit.authoring.pages.source import write_source
from coursekit.errors import CoursekitError

MARK = ".coursekit-site"  # a folder with this file was made here and may be replaced
NEEDED = ("sphinx", "myst_nb", "sphinx_book_theme", "sphinx-mathjax-offline", "linkify_it")
THEME = Path(__file__).with_name("theme")
LICENSE = "Code under the MIT License, text and figures under CC BY 4.0."


def site(out):
    """Build the pages into `out`, whole or not at all; True if nothing was found wrong with them.

    `out` is a new folder, or one that this command made: that one is replaced.
    """
    out = Path(out)
    if out.is_symlink() or (out.exists() and not (out / MARK).is_file()):
        raise CoursekitError(f"{out} exists and was not made by `coursekit site`: name a folder that does not exist")
    new_folder(out)
    need_packages()
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as scratch:
        source, pages = Path(scratch, "source"), Path(scratch, "pages")
        source.mkdir()
        write_source(source)
        warnings = build(source, pages, Path(scratch, "read"))
        for warning in warnings:
            print(f"✗ {warning}")
        if not warnings:
            (pages / MARK).write_text(
                "Made by `coursekit site`, which replaces this folder when it is run again.\n", "utf-8"
            )
            if out.exists():
                out.rename(Path(scratch, "old"))
            pages.rename(out)
            print(f"✓ {out}: {len(list(out.rglob('*.html')))} pages; open {out / 'index.html'}")
    return not warnings


def need_packages(*more):
    """Raise CoursekitError where a package that makes the pages, or one of `more`, is missing."""
    if missing := [name for name in (*NEEDED, *more) if importlib.util.find_spec(name) is None]:
        raise CoursekitError(f"the pages need {', '.join(missing)}, which is not installed: `make env TEACH=1`")


def build(source, pages, read):
    """Build the pages with Sphinx and return what it warns of, with file and line."""
    from sphinx.application import Sphinx
    from sphinx.util.docutils import docutils_namespace, patch_docutils

    said = io.StringIO()
    with patch_docutils(source), docutils_namespace():
        Sphinx(source, None, pages, read, "html", _settings(source), status=None, warning=said).build()
    said = re.sub(r"\x1b\[[\d;]*m", "", said.getvalue()).replace(f"{source.resolve()}/", "").replace(f"{source}/", "")
    return said.splitlines()


def _settings(source):
    """What Sphinx, its extensions and the theme are told."""
    address = project.repository()
    title = (source / "index.md").read_text(encoding="utf-8").split("\n", 1)[0].removeprefix("# ")
    license = (project.root() / "LICENSE").read_text(encoding="utf-8")
    return {
        "project": title,
        "html_title": title,
        "copyright": re.search(r"(?m)^Copyright (?:\(c\) )?(.*)$", license)[1],
        "extensions": ["myst_nb", "sphinx.ext.githubpages"],
        "root_doc": "index",
        "nb_execution_mode": "off",
        "nb_ipywidgets_js": {},  # no page holds a widget, and the default asks two other hosts
        "myst_enable_extensions": ["attrs_inline", "dollarmath", "linkify"],
        "myst_linkify_fuzzy_links": False,  # README.md is a file here and no address in Moldova
        "myst_heading_anchors": 3,
        "mathjax_path": _mathjax(source),
        "mathjax3_config": {"options": {"enableMenu": False}},
        "smartquotes_action": "q",
        "html_theme": "sphinx_book_theme",
        "html_context": {"default_mode": "auto"},
        "html_favicon": "_site/favicon.svg",
        "html_static_path": ["_site"],
        "html_css_files": ["course.css"],
        "html_js_files": ["course.js"],
        "html_theme_options": {
            "search_bar_text": "Search the course",
            "navbar_persistent": [],  # the sidebar has the search already
            "show_toc_level": 2,
            "extra_footer": f"<p>{LICENSE}</p>",
            "footer_content_items": "copyright.html, extra-footer.html",
            "use_repository_button": bool(address),
            **({"repository_url": address} if address else {}),
        },
    }


def _mathjax(source):
    """Lay the one file of MathJax that typesets TeX as drawings, and our style sheet, beside the pages."""
    package = Path(next(iter(importlib.util.find_spec("sphinx-mathjax-offline").submodule_search_locations)))
    shutil.copytree(THEME, source / "_site")
    shutil.copy(package / "static" / "mathjax" / "tex-svg.js", source / "_site")
    return "tex-svg.js"
