"""What pyproject.toml says of the project: its version, and where its repository is, which stands only there.

The address and the branch are set by `coursekit index --repository URL --branch NAME`; everything that names them (the
notebooks' badges and setup cells, the README's links to Colab) is written from here by the same command.
"""

import re
import tomllib
from dataclasses import dataclass

from coursekit.authoring.notebooks import NotebookError, folder
from coursekit.errors import CoursekitError

SITE = "https://github.com/"
UNSET = f"{SITE}OWNER/REPOSITORY"  # what stands there until somebody sets it, and what unsets it again
ADDRESS = re.compile(rf"{re.escape(SITE)}(?P<owner>[A-Za-z0-9](-?[A-Za-z0-9])*)/(?P<name>[A-Za-z0-9._-]*[A-Za-z0-9_-])")
BRANCH = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_-]|\.(?=[A-Za-z0-9_-]))*")


@dataclass(frozen=True)
class Home:
    """Where the course lives: the repository's address (None while nobody has set it), its branch, the version."""

    address: str | None
    branch: str
    version: str

    @property
    def refs(self):
        """Where a notebook finds its coursekit: the tag of its version; the branch, where a fork has no tags.

        The tag comes first because a student's copy of a notebook must go on working when the branch moves. It can't
        be all: GitHub's fork button leaves tags behind, and an instructor should have to set nothing but the address.
        Whoever changes coursekit in a fork raises the version, so that no older tag is taken for it.
        """
        return [f"v{self.version}", self.branch]

    def on_colab(self, notebook):
        """The address that opens a notebook of the branch on Colab, or None."""
        if self.address is None:
            return None
        path = f"{self.address.removeprefix(SITE)}/blob/{self.branch}/notebooks/{notebook}.ipynb"
        return f"https://colab.research.google.com/github/{path}"

    @property
    def on_binder(self):
        """The address that opens the welcome page on Binder, or None."""
        if self.address is None:
            return None
        name = self.address.removeprefix(SITE)
        return f"https://mybinder.org/v2/gh/{name}/{self.branch}?urlpath=lab/tree/notebooks/00_welcome.ipynb"


def root():
    """The checkout's root folder; `NotebookError` where there is no checkout."""
    return folder().parent


def _read():
    try:
        return (root() / "pyproject.toml").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NotebookError(f"pyproject.toml can't be read: {error}") from error


def pyproject(text=None):
    """pyproject.toml, or `text` in its place, as a dictionary."""
    try:
        return tomllib.loads(_read() if text is None else text)
    except tomllib.TOMLDecodeError as error:
        raise NotebookError(f"pyproject.toml can't be read: {error}") from error


def home(text=None):
    """The `Home` that pyproject.toml, or `text` in its place, names."""
    said = pyproject(text)
    try:
        address, branch = said["project"]["urls"]["Repository"], said["tool"]["coursekit"]["branch"]
    except KeyError:
        raise CoursekitError("pyproject.toml lacks [tool.coursekit] branch or [project.urls] Repository") from None
    address = address.rstrip("/")
    return Home(None if address == UNSET else address, branch, said["project"]["version"])


def repository():
    """The repository's address without a slash at its end, or None while nobody has set it."""
    return home().address


def moved(address=None, branch=None):
    """The text of pyproject.toml with another address or branch; `CoursekitError` if it can't be one."""
    text = _read()
    if address is not None:
        text = _replace(text, "Repository", _address(address))
    if branch is not None:
        if not BRANCH.fullmatch(branch) or branch.endswith(".lock"):
            raise CoursekitError(f"{branch!r} is not a branch such as main: letters, digits, dots and dashes only")
        text = _replace(text, "branch", branch)
    return text


def _address(given):
    """The address in its plain form."""
    address = given.strip().removesuffix("/").removesuffix(".git")
    match = ADDRESS.fullmatch(address)
    half_set = match and address != UNSET and (match["owner"] == "OWNER" or match["name"] == "REPOSITORY")
    if not match or half_set:
        example = "an address such as https://github.com/owner/repository"
        raise CoursekitError(f"{given!r} is not {example}{_why_not(address)}")
    return address


def _why_not(address):
    """What is wrong with an address that can't be taken, where that is known."""
    if match := re.fullmatch(r"(?:ssh://)?git@github\.com[:/](.+)", address):
        return f": students' machines and Colab have no key for SSH; write {SITE}{match[1]}"
    if re.match(r"(ssh://|[\w.-]+@[\w.-]+:)", address):
        return ": it is one for SSH, for which students' machines and Colab have no key, and not of GitHub"
    if address.startswith(SITE.replace("https", "http", 1)):
        return ": it begins with https"
    if re.match(r"(https?://)?([\w-]+\.)+[a-z]{2,}(/|$)", address) and "github.com" not in address:
        return ": Colab and Binder open a notebook by its address on GitHub only, so put a copy of the course there"
    return ""


def _replace(text, key, value):
    text, changed = re.subn(rf'(?m)^{key} = "[^"]*"', f'{key} = "{value}"', text)
    if changed != 1:
        raise CoursekitError(f'pyproject.toml needs one line `{key} = "…"` and has {changed}; put it right')
    return text
