"""Bars with their numbers, and how games in a grid world went. Born in notebook 11."""

import numpy as np

from coursekit.plots.style import COLORS, GRAY, figure, finish


def bars(values, label, *, marked=None):
    """Draw one bar for each of `values`, a dictionary from name to number, with the number beside it.

    marked: the name whose bar has another color, by default the last. Raises ValueError where there is nothing to
    draw, or a value is not finite.
    """
    if not values or not all(np.isfinite(value) for value in values.values()):
        raise ValueError("give one finite number or more to draw as bars")
    marked = list(values)[-1] if marked is None else marked
    _, ax = figure(7.0, 0.7 + 0.3 * len(values))
    for i, (name, value) in enumerate(values.items()):
        ax.barh(i, value, 0.7, color=COLORS[1] if name == marked else COLORS[0], hatch="//" if name == marked else "")
        ax.text(value, i, f" {value:.2f}", va="center", fontsize=9)
    ax.set(xlabel=label, yticks=range(len(values)), yticklabels=list(values))
    ax.set_xlim(min(0, *values.values()), max(values.values()) * 1.1)
    ax.invert_yaxis()
    finish(f"{label}: {', '.join(f'{name} {value:.2f}' for name, value in values.items())}.")


def visits(players, side=4):
    """Draw for each player how often its games came to each place of a square world, the darker the more often.

    players: {name: (places (games, steps), -1 behind a game's end, and whether each game came to the goal (games,))}.
    The goal is the last place, which is entered when a game has ended.
    """
    _, axes = figure(2.2 * len(players) + 0.4, 2.5, 1, len(players), squeeze=False)
    words = []
    for ax, (name, (places, arrived)) in zip(axes[0], players.items(), strict=True):
        share = np.array([(np.asarray(places) == place).any(axis=1).mean() for place in range(side**2)])
        share[-1] = np.mean(arrived)
        share = share.reshape(side, side)
        ax.imshow(share, cmap="Blues", vmin=0, vmax=1)
        for (i, j), value in np.ndenumerate(share):
            color = "white" if value > 0.6 else "black"
            ax.text(j, i, f"{value:.0%}", ha="center", va="center", fontsize=7, color=color)
        ax.set(title=name, xticks=[], yticks=[])
        ax.spines[:].set(visible=True, color=GRAY)
        words.append(f"{name}: {share[-1, -1]:.0%} come to the goal, {share[0, -1]:.0%} to the top right")
    finish(
        "Share of games that came to each place. The start is at the top left, the goal at the bottom right. "
        f"{'; '.join(words)}."
    )
