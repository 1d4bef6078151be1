"""The bibliography: what the notebooks name under "## Sources", with links back to them.

`coursekit index` writes it to docs/bibliography.md. A source starts with its author's initials and name; what starts
otherwise (software, pages, data) is listed by notebook. Two notebooks name the same source if their entries have the
first link in common, or the same text.
"""

import re

from coursekit.authoring import notebooks

HEAD = """# Bibliography

Made by `coursekit index` from the *Sources* of the notebooks. Each entry ends with the notebooks that name it; where it
speaks of *this page*, it means the first of them.
"""
INITIALS = re.compile(r"(?:[A-ZÀ-Þ]\.[- ]?)+ ?(?=\S)")
YEAR = re.compile(r"[^\"\[*]*?\(\d{4}\)")
LINK = re.compile(r"\]\((https?://[^)\s]+)\)")


def bibliography(paths):
    """The page as markdown: works by author, what each notebook names, then software, pages and data by notebook."""
    works, others = {}, {}
    for path in paths:
        for entry in sources(notebooks.read(path)):
            if INITIALS.match(entry):
                works.setdefault(_identity(entry), []).append((entry, path))
            else:
                others.setdefault(path, []).append(entry)
    lines = [HEAD, "## Works", ""]
    lines += [_line(cited) for cited in sorted(works.values(), key=lambda cited: _order(cited[0][0]))]
    lines += ["", "## By chapter", "", "What to read after a chapter, in the order of its *Sources*.", ""]
    lines += [f"- {_link(path)}: {'; '.join(short)}" for path, short in _by_chapter(paths).items()]
    lines += ["", "## Software, pages and data"]
    for path, entries in others.items():
        lines += ["", f"{_link(path)}:", "", *[f"- {entry}" for entry in entries]]
    return "\n".join(lines) + "\n"


def _by_chapter(paths):
    """{notebook: its works as authors and year}; a work without a year is named by its first author."""
    named = {}
    for path in paths:
        works = [entry for entry in sources(notebooks.read(path)) if INITIALS.match(entry)]
        if works:
            named[path] = list(dict.fromkeys(map(_authors_and_year, works)))
    return named


def _authors_and_year(entry):
    authors = YEAR.match(entry)
    authors = authors[0] if authors else entry.split(",")[0]
    return re.sub(rf"(?<!\w){INITIALS.pattern}", "", authors)


def sources(notebook):
    """The entries under "## Sources" of a notebook, each on one line."""
    cells = [cell.source for cell in notebook.cells if cell.source.startswith("## Sources")]
    entries = re.split(r"\n[-*] +", "\n".join(cells))[1:]
    return [" ".join(entry.split()) for entry in entries]


def _identity(entry):
    link = LINK.search(entry)
    return link[1] if link else entry


def _order(entry):
    """By the name after the initials, then by what follows."""
    return INITIALS.sub("", entry, count=1).casefold()


def _line(cited):
    """A work, in the longest of its notebooks' words, with links back."""
    entry = max((entry for entry, _ in cited), key=len).rstrip(".")
    return f"- {entry}. ({', '.join(dict.fromkeys(_link(path) for _, path in cited))})"


def _link(path):
    return f"[{path.stem.replace('_', ' ')}](../notebooks/{path.name})"
