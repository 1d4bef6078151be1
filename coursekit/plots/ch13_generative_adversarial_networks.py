"""What a generator makes beside what is real: densities and a judge, a game over steps, clouds. Born in notebook 13."""

import numpy as np

from coursekit.plots.style import COLORS, GRAY, LINES, figure, finish


def judged(x, real, made, judges):
    """Draw the densities of real and made numbers over x, and what each of `judges` says: {name: probability of real}.

    x, real, made: (n,) numbers; each judge: (n,) numbers from 0 to 1.
    """
    _, ax = figure(6.8, 3.2)
    ax.fill_between(x, real, color=COLORS[0], alpha=0.3, label="density of real ones")
    ax.fill_between(x, made, color=COLORS[1], alpha=0.3, hatch="//", label="density of made ones")
    words = []
    for i, (name, values) in enumerate(judges.items()):
        look = {"linewidth": 5, "alpha": 0.35} if i == 0 else {"linewidth": 1.8, "linestyle": LINES[i % 4]}
        ax.plot(x, values, color=COLORS[7 if i == 0 else 5], label=name, **look)
        words.append(f"{name} is ½ at x = {x[np.abs(np.asarray(values) - 0.5).argmin()]:.2f}")
    ax.set(xlabel="x", ylabel="density, probability", ylim=(0, 1.05))
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    finish(
        f"Real ones lie around {x[np.argmax(real)]:.1f}, made ones around {x[np.argmax(made)]:.1f}. {'; '.join(words)}."
    )


def swings(series, goal, y_label):
    """Draw each of `series`, {name: values of steps 1, 2, …}, over the steps, with a line at the goal."""
    _, ax = figure(6.8, 3.0)
    ax.axhline(goal, color=GRAY, linewidth=1)
    words = []
    for i, (name, values) in enumerate(series.items()):
        values = np.asarray(values, dtype=float)
        ax.plot(np.arange(1, len(values) + 1), values, color=COLORS[i % 8], linestyle=LINES[i % 4], label=name)
        end = values[-len(values) // 3 :]
        words.append(f"{name} lies between {end.min():.2f} and {end.max():.2f} in the last third")
    ax.set(xlabel="step", ylabel=y_label)
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    finish(f"{y_label} over the steps; the goal is {goal:g}. {'; '.join(words)}.")


def clouds(points, centers):
    """Draw sets of points in the plane, {name: (n, 2)}, one panel each, over the centers (k, 2) of the true clouds."""
    columns = min(4, len(points))
    rows = -(-len(points) // columns)
    _, axes = figure(2.1 * columns, 2.2 * rows, rows, columns, squeeze=False, sharex=True, sharey=True)
    words = []
    for ax in axes.flat[len(points) :]:
        ax.set_visible(False)
    for ax, (name, values) in zip(axes.flat, points.items(), strict=False):
        values = np.asarray(values, dtype=float)
        ax.scatter(*np.asarray(centers).T, s=90, facecolors="none", edgecolors=GRAY)
        ax.scatter(*values.T, s=3, color=COLORS[0], alpha=0.5)
        ax.set_title(name, loc="center", fontsize=9)
        ax.set(xlim=(-2.2, 2.2), ylim=(-2.2, 2.2), xticks=[], yticks=[], aspect="equal")
        nearest = np.linalg.norm(values[:, None] - centers, axis=-1)
        shares = np.bincount(nearest.argmin(axis=1)[nearest.min(axis=1) < 0.2], minlength=len(centers)) / len(values)
        told = name.replace("\n", ", ")
        words.append(
            f"{told}: {(shares >= 0.02).sum()} of {len(centers)} reached, {shares.sum():.0%} of the points on them"
        )
    finish(f"Points, and circles around the true centers. {'; '.join(words)}.")
