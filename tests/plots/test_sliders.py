"""Sliders: alive where somebody watches, a sentence elsewhere, and the ends of their range."""

import pytest

from coursekit import plots
from coursekit.plots import sliders


def draw(learning_rate):
    print(f"drawn at {learning_rate:.2f}")


def test_where_nobody_watches_it_says_what_to_do(capsys, monkeypatch):
    monkeypatch.setenv("COURSEKIT_PROGRESS", "off")
    plots.slider(draw, 0.0, 0.2, 0.01)
    said = " ".join(capsys.readouterr().out.split())
    assert "draw(learning_rate) for any learning_rate from 0 to 0.2" in said and "drawn" not in said


def test_without_ipywidgets_it_says_what_to_do(capsys, monkeypatch):
    monkeypatch.delenv("COURSEKIT_PROGRESS", raising=False)
    monkeypatch.setattr(sliders, "find_spec", lambda name: None)
    plots.slider(draw, 0.0, 0.2, 0.01)
    assert "needs ipywidgets" in capsys.readouterr().out


def test_a_live_slider_draws_and_reaches_its_ends(capsys, monkeypatch):
    ipywidgets = pytest.importorskip("ipywidgets")
    monkeypatch.delenv("COURSEKIT_PROGRESS", raising=False)
    made = []
    real = ipywidgets.FloatSlider
    monkeypatch.setattr(
        ipywidgets, "FloatSlider", lambda *given, **named: made.append(real(*given, **named)) or made[0]
    )
    plots.slider(draw, 0.0, 0.2, 0.01)
    (handle,) = made
    for value in (handle.value, 0.0, 0.2):
        handle.value = value
        assert f"drawn at {value:.2f}" in capsys.readouterr().out
    assert (handle.min, handle.max) == (0.0, 0.2)


@pytest.mark.parametrize("low, high, step", [(1, 0, 0.1), (0, 0, 0.1), (0, 1, 0), (0, 1, 2)])
def test_an_empty_range_is_refused(low, high, step):
    with pytest.raises(ValueError, match="nothing to slide over"):
        plots.slider(draw, low, high, step)
