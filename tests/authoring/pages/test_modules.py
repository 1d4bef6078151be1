"""The page of modules: each module once, under its folder, with its purpose and its public names."""

from pathlib import Path

from coursekit.authoring import project
from coursekit.authoring.pages import modules

GROW_AND_CUT = "\n\ndef grow():\n    pass\n\n\ndef _cut():\n    pass\n"


def a_package(folder):
    """A package of two folders, as files."""
    files = {
        "tiny/__init__.py": '"""A tiny package."""\n',
        "tiny/__main__.py": '"""Not shown."""\n',
        "tiny/trees.py": '"""Trees and their roots. Born in notebook 03.\n\nMore."""\n' + GROW_AND_CUT,
        "tiny/inner/__init__.py": '"""What lies inside."""\n' + GROW_AND_CUT,
        "tiny/inner/bare.py": "ROOTS = 3\n",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder / "tiny"


def test_each_module_stands_under_its_folder_with_its_purpose_and_public_names(tmp_path):
    page = modules.page(a_package(tmp_path))
    outer, inner = page.split("## tiny/inner")
    assert "A tiny package." in outer
    assert "- **trees**: Trees and their roots. Defines `grow`.\n" in outer
    assert "What lies inside. Defines `grow`.\n" in inner
    assert "- **bare**: \n" in inner
    assert "_cut" not in page
    assert "Not shown" not in page


def test_the_page_of_coursekit_has_all_its_modules_each_with_a_purpose():
    package = project.root() / "coursekit"
    page = modules.page(package)
    files = [file for file in package.rglob("*.py") if file.stem not in ("__init__", "__main__")]
    for file in files:
        assert f"- **{file.stem}**: " in page
    assert page.count("\n- **") == len(files)
    assert "**: \n" not in page, "a module has no docstring"


def test_the_page_says_where_its_links_lead():
    root = project.root()
    assert "CONTRIBUTING.md#where-things-are" in modules.HEAD
    assert "## Where things are" in Path(root / "CONTRIBUTING.md").read_text(encoding="utf-8")
