"""What the tests of figures share."""

import matplotlib.pyplot as plt
import pytest

from coursekit import plots


@pytest.fixture
def drawn(capsys):
    """A function that draws by the name of a function of plots; returns the figure and its caption on one line."""

    def draw(name, *args, **kwargs):
        assert getattr(plots, name)(*args, **kwargs) is None
        return plt.gcf(), " ".join(capsys.readouterr().out.split())

    return draw
