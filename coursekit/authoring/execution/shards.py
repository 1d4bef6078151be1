"""`pytest --shard 2/4`: the second of four shares of the test files, notebooks among them, for CI.

Whole files are shared out, for a notebook's cells need one kernel. A notebook counts as long as its box says, a test as
a second. Whoever sees the same files divides them in the same way.
"""

import pytest

from coursekit.authoring import arguments, notebooks
from coursekit.errors import CoursekitError

SECONDS = 1.0  # of a test


def pytest_addoption(parser):
    """Offer --shard."""
    parser.addoption("--shard", metavar="K/N", help="run a share of the files only, such as 2/4")


def pytest_collection_modifyitems(config, items):
    """Leave out what belongs to other shares."""
    if not config.getoption("--shard"):
        return
    try:
        shard = arguments.shard(config.getoption("--shard"))
    except CoursekitError as error:
        raise pytest.UsageError(str(error)) from None
    seconds = {}
    for item in items:
        seconds[item.path] = seconds.get(item.path, 0.0) + SECONDS
    for path in seconds:
        if path.suffix == ".ipynb":
            seconds[path] = 60 * (notebooks.about(notebooks.read(path)).get("minutes") or 1.0)
    mine = set(arguments.share_of(list(seconds), shard, seconds.get))
    config.hook.pytest_deselected(items=[item for item in items if item.path not in mine])
    items[:] = [item for item in items if item.path in mine]
