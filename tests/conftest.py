"""Fixtures of all tests."""

import matplotlib
import pytest
from helpers import Course

matplotlib.use("Agg")


@pytest.fixture
def course(tmp_path):
    """A `Course` in a temporary folder."""
    return Course(tmp_path / "a course")


@pytest.fixture
def no_figures_left():
    """Close the figures that a test drew."""
    import matplotlib.pyplot as plt

    plt.close("all")
    yield
    plt.close("all")
