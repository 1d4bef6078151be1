"""The page docs/modules.md: every module of coursekit, what it is for, and the public names that it defines.

It is read from the sources and imports nothing. For whoever looks for the place of something.
"""

import ast

HEAD = """# Modules

Made by `coursekit index` from the sources: each module of coursekit, what it is for, and the functions and classes that
it defines for others. [Where things are](../CONTRIBUTING.md#where-things-are) says how they are arranged; their tests
stand in the same folders of `tests/`.
"""


def page(package):
    """The page as markdown, for the folder of a package."""
    lines, folder = [HEAD], None
    for file in sorted(package.rglob("*.py"), key=_place):
        if file.name == "__main__.py":
            continue
        if file.parent != folder:
            folder = file.parent
            lines += ["", f"## {folder.relative_to(package.parent).as_posix()}", ""]
        lines.append(_line(file))
    return "\n".join(lines) + "\n"


def _place(file):
    """Folders by name, and in each its `__init__` first."""
    return file.parent.as_posix(), file.name != "__init__.py", file.name


def _line(file):
    tree = ast.parse(file.read_text(encoding="utf-8"))
    names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    public = ", ".join(f"`{name}`" for name in names if not name.startswith("_"))
    says = _purpose(tree) + (f" Defines {public}." if public else "")
    return f"{says}\n" if file.name == "__init__.py" else f"- **{file.stem}**: {says}"


def _purpose(tree):
    """The first sentence of a module's docstring, without formulas that markdown would read as such."""
    first = " ".join((ast.get_docstring(tree) or "").split("\n\n")[0].split())
    return first.split(" Born in notebook")[0].strip()
