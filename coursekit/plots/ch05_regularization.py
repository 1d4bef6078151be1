"""Regularization drawn: wild curves, many refits, training against test error, penalties, weights."""

import numpy as np

from coursekit.plots.style import COLORS, DPI, GRAY, LINES, MARKERS, figure, finish

DRAWN = 10  # fits that `refits` draws of each kind


def points_and_curves(x, y, grid, curves, x_label="x", y_label="y", *, marked=None, limits=None):
    """Draw points and, over a grid of their own, one or several curves.

    x, y: (n,) points; grid: (m,); curves: a dictionary from name to (m,) values. marked: an x at which each curve gets
    a dot and its value stands in the caption. limits: (low, high) of the y axis, beyond which curves are cut.
    Raises ValueError if a curve and the grid differ in shape.
    """
    x, y, grid = (np.asarray(one, dtype=float) for one in (x, y, grid))
    _same_shape(grid, curves, "grid")
    _, ax = figure(6.4, 3.2)
    words = []
    for i, (name, values) in enumerate(curves.items()):
        values = np.asarray(values, dtype=float)
        ax.plot(grid, values, color=COLORS[i], linestyle=LINES[i % 4], linewidth=2, label=name)
        text = f"{name} goes from {values.min():.3g} to {values.max():.3g}"
        if marked is not None:
            at = float(np.interp(marked, grid, values))
            ax.plot([marked], [at], MARKERS[i % 8], color=COLORS[i], markersize=8)
            text += f", at {marked:g} it is {at:.3g}"
        words.append(text)
    ax.plot(x, y, "o", color="black", markersize=5, label="data")
    ax.axhline(0, color=GRAY, linewidth=0.6)
    ax.set(xlabel=x_label, ylabel=y_label, ylim=limits)
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    finish(f"{len(x)} points, {y_label} from {y.min():.3g} to {y.max():.3g}. Curves: {'; '.join(words)}.")


def refits(grid, truth, fits, y_label="y"):
    """Draw the curves that were fitted to many draws of the data, a panel for each kind of model, and their mean.

    grid, truth: (m,); fits: a dictionary from the name of a model to (draws, m) predictions.
    Raises ValueError if predictions are not (draws, m).
    """
    grid, truth = np.asarray(grid, dtype=float), np.asarray(truth, dtype=float)
    _, axes = figure(6.8, 2.0, 1, len(fits), squeeze=False, sharey=True, dpi=DPI)
    words = []
    for ax, (name, curves) in zip(axes[0], fits.items(), strict=True):
        curves = np.asarray(curves, dtype=float)
        if curves.ndim != 2 or curves.shape[1:] != grid.shape:
            raise ValueError(f"{name!r} has shape {curves.shape}; give one row of {len(grid)} values for each draw")
        ax.plot(grid, curves[:DRAWN].T, color=COLORS[4], linewidth=0.6)
        ax.plot(grid, truth, color="black", linewidth=2, label="truth")
        ax.plot(grid, curves.mean(axis=0), "--", color=COLORS[5], linewidth=2, label="mean of the fits")
        ax.set(title=name, xlabel="x")
        away = np.sqrt(np.mean((curves.mean(axis=0) - truth) ** 2))
        spread = np.sqrt(curves.var(axis=0).mean())
        words.append(f"{name}: the mean lies {away:.2g} from the truth, single fits {spread:.2g} from their mean")
    axes[0, 0].set_ylabel(y_label)
    axes[0, 0].legend(fontsize=8)
    shown = min(DRAWN, len(curves))
    finish(f"Curves fitted to {len(curves)} draws ({shown} drawn), typical distances. {'; '.join(words)}.")


def panels(of, y_label="mean squared error", *, names=("training", "test"), columns=2, y_scale="linear"):
    """Draw two quantities, such as training and test error, over something that was varied, a panel for each.

    of:    a dictionary from title to (x label, x, first values, second values), the last three of one length.
    names: of the two quantities.
    Raises ValueError if the lengths differ.
    """
    rows = -(-len(of) // columns)
    _, axes = figure(3.1 * columns, 1.85 * rows, rows, columns, squeeze=False, dpi=DPI)
    words = []
    for ax in axes.flat[len(of) :]:
        ax.axis("off")
    for ax, (title, (x_label, x, *both)) in zip(axes.flat, of.items(), strict=False):
        _same_shape(x, {f"{title}, {name}": values for name, values in zip(names, both, strict=True)}, "x")
        said = []
        for i, (name, values) in enumerate(zip(names, both, strict=True)):
            ax.plot(x, values, f"{MARKERS[1 - i]}{LINES[1 - i]}", color=COLORS[1 - i], markersize=4, label=name)
            said.append(f"{name} {values[0]:.3g} to {values[-1]:.3g} (least {np.min(values):.3g})")
        ax.set(title=title, xlabel=x_label, yscale=y_scale)
        if y_scale == "linear":
            ax.set_ylim(0, None)
        words.append(f"{title}, from {x[0]:g} to {x[-1]:g}: {', '.join(said)}")
    for ax in axes[:, 0]:
        ax.set_ylabel(y_label)
    axes[0, 0].legend(fontsize=9)
    finish(f"{y_label[0].upper()}{y_label[1:]}. {'; '.join(words)}.")


def penalties_and_slopes():
    """Draw |w| and w² from -2 to 2, and beside them their derivatives: two steps with a hole at zero, and a line."""
    w, right = np.linspace(-2, 2, 81), np.linspace(0.03, 2, 40)
    _, (ax, slope) = figure(6.8, 2.4, 1, 2, dpi=DPI)
    ax.plot(w, np.abs(w), color=COLORS[0], linestyle=LINES[0], linewidth=2, label="L1: |w|")
    ax.plot(w, w**2, color=COLORS[5], linestyle=LINES[1], linewidth=2, label="L2: w²")
    for side, label in ((1, "L1: +1 or −1"), (-1, None)):
        slope.plot(side * right, np.full(40, side), color=COLORS[0], linestyle=LINES[0], linewidth=2, label=label)
        slope.plot([0], [side], "o", color=COLORS[0], markerfacecolor="white", markersize=6)
    slope.plot(w, 2 * w, color=COLORS[5], linestyle=LINES[1], linewidth=2, label="L2: 2w")
    for one, title in ((ax, "penalty"), (slope, "derivative")):
        one.axhline(0, color=GRAY, linewidth=0.6)
        one.axvline(0, color=GRAY, linewidth=0.6)
        one.set(title=title, xlabel="w")
        one.legend(fontsize=9)
    finish(
        "Left: |w| has a kink at 0, w² is flat there. Right: the derivative of |w| is -1 below 0 and 1 above 0, and "
        "jumps between (hollow circles: undefined at 0); that of w² is a line through 0."
    )


def stopping(steps, losses, *, x_label="step"):
    """Draw training and validation loss over `steps`, with a line at the moment of the lowest validation loss.

    losses: {"training": (n,), "validation": (n,)}. Raises ValueError if a loss and the steps differ in length.
    """
    steps = np.asarray(steps)
    _same_shape(steps, losses, "steps")
    _, ax = figure(6.4, 2.9)
    for i, (name, values) in enumerate(losses.items()):
        ax.plot(steps, values, color=COLORS[i], linestyle=LINES[i], marker=MARKERS[i], markersize=5, label=name)
    best = int(np.argmin(losses["validation"]))
    ax.axvline(steps[best], color=GRAY, linestyle=":")
    ax.plot(steps[best], losses["validation"][best], "o", color="black", markerfacecolor="none", markersize=12)
    ax.set(xlabel=x_label, ylabel="loss", ylim=(0, None))
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    words = [f"{name} goes from {values[0]:.3g} to {values[-1]:.3g}" for name, values in losses.items()]
    finish(
        f"Loss over {x_label}: {'; '.join(words)}. The validation loss is lowest, {losses['validation'][best]:.3g}, at "
        f"{x_label} {steps[best]} (circle and dotted line): there early stopping keeps the weights."
    )


def penalties_and_loss(center, curvature, l1_point, l2_point):
    """Draw a loss of two weights with the diamond of an L1 penalty and the circle of an L2 penalty that it touches.

    center: (2,) the weights of least loss; curvature: (2, 2), the loss being (w - center)ᵀ curvature (w - center);
    l1_point, l2_point: (2,) the weights of least loss within the diamond and within the circle.
    """
    center, curvature = np.asarray(center, dtype=float), np.asarray(curvature, dtype=float)
    if center.shape != (2,) or curvature.shape != (2, 2):
        raise ValueError(f"center has shape {center.shape} and curvature {curvature.shape}; give (2,) and (2, 2)")
    side = 1.5 * np.abs(center).max()
    first, second = np.meshgrid(np.linspace(-side, side, 121), np.linspace(-side, side, 121))
    apart = np.stack([first, second], axis=-1) - center
    loss = np.einsum("...i,ij,...j", apart, curvature, apart)
    _, axes = figure(6.0, 3.0, 1, 2, dpi=DPI)
    for ax, name, point in zip(axes, ("L1", "L2"), (l1_point, l2_point), strict=True):
        point = np.asarray(point, dtype=float)
        size = np.abs(point).sum() if name == "L1" else np.sqrt((point**2).sum())
        angle = np.linspace(0, 2 * np.pi, 5 if name == "L1" else 200)
        at = float((point - center) @ curvature @ (point - center))
        ax.contour(first, second, loss, levels=sorted({at * f for f in (0.1, 0.4, 1, 2, 3.5)}), colors=GRAY)
        ax.fill(size * np.cos(angle), size * np.sin(angle), color=COLORS[4], alpha=0.45)
        ax.plot(*center, "k+", markersize=10)
        ax.annotate(
            "least loss", center, xytext=(-4, 34), textcoords="offset points", fontsize=9, backgroundcolor="white"
        )
        ax.plot(*point, "o", color=COLORS[5], markersize=8)
        ax.axhline(0, color="black", linewidth=0.5)
        ax.axvline(0, color="black", linewidth=0.5)
        ax.set(title=f"{name}: {'diamond' if name == 'L1' else 'circle'}", xlabel="w₀", ylabel="w₁", aspect="equal")
    inside = [f"({one[0]:.2f}, {one[1]:.2f})" for one in (l1_point, l2_point)]
    finish(
        f"Contours of a loss that is least at ({center[0]:g}, {center[1]:g}). The contour that touches the diamond "
        f"meets it at {inside[0]}, the one that touches the circle at {inside[1]}."
    )


def weight_paths(paths, *, highlight=(), x_label="λ"):
    """Draw each weight over the strength of the penalty, a panel for each method.

    paths: a dictionary from method to (strengths (k,), weights (k, p)), the strengths positive. highlight: indices of
    features whose lines are colored and thick; the others are gray. Without any, all are colored.
    Raises ValueError if there is not a row of weights for each strength.
    """
    _, axes = figure(6.6, 2.3, 1, len(paths), squeeze=False, sharey=True, dpi=DPI)
    words = []
    for ax, (name, (strengths, path)) in zip(axes[0], paths.items(), strict=True):
        strengths, path = np.asarray(strengths, dtype=float), np.asarray(path, dtype=float)
        if path.ndim != 2 or strengths.shape != path.shape[:1]:
            raise ValueError(
                f"{name!r} has weights of shape {path.shape} and strengths {strengths.shape}; give a row each"
            )
        for j, weights in enumerate(path.T):
            chosen = not len(highlight) or j in highlight
            place = list(highlight).index(j) if len(highlight) and chosen else j
            look = {"color": COLORS[place % 8], "linestyle": LINES[place % 4], "linewidth": 1.6}
            ax.plot(strengths, weights, **(look if chosen else {"color": GRAY, "linewidth": 0.6}))
        ax.axhline(0, color="black", linewidth=0.6)
        ax.set(title=name, xlabel=x_label, xscale="log")
        kept = [int((path[i] != 0).sum()) for i in (strengths.argmin(), strengths.argmax())]
        words.append(
            f"{name}: of {path.shape[1]} weights {kept[0]} are not zero at {strengths.min():.2g}, {kept[1]} at "
            f"{strengths.max():.2g}"
        )
    axes[0, 0].set_ylabel("weight")
    finish(f"Weights over {x_label}. {'; '.join(words)}.")


def weights_at(weights, names, *, limit=None, title=""):
    """Draw weights as bars, one for each named feature, beside several methods; an exact zero is a hollow circle.

    weights: a dictionary from method to (p,) numbers; names: p texts; limit: the bars' axis goes from -limit to limit.
    Raises ValueError if a method has not one weight for each name.
    """
    _, axes = figure(7.2, 0.7 + 0.165 * len(names), 1, len(weights), squeeze=False, sharey=True, dpi=DPI)
    words = []
    for i, (ax, (method, values)) in enumerate(zip(axes[0], weights.items(), strict=True)):
        values = np.asarray(values, dtype=float)
        if values.shape != (len(names),):
            raise ValueError(f"{method!r} has shape {values.shape}; give one weight for each of {len(names)} names")
        places = np.arange(len(names))
        ax.barh(places, values, color=COLORS[i % 8])
        zeros = values == 0
        ax.plot(np.zeros(zeros.sum()), places[zeros], "o", markerfacecolor="white", color="black", markersize=4)
        ax.axvline(0, color="black", linewidth=0.6)
        ax.set(title=method, xlabel="weight", yticks=places, yticklabels=names)
        ax.tick_params(axis="y", labelsize=8)
        if limit is not None:
            ax.set_xlim(-limit, limit)
        largest = int(np.abs(values).argmax())
        words.append(
            f"{method}: {zeros.sum()} of {len(names)} are zero, largest {names[largest]} {values[largest]:.3g}"
        )
    axes[0, 0].invert_yaxis()
    finish(f"{title + '. ' if title else ''}Weights, {'; '.join(words)}.")


def _same_shape(x, named, what):
    for name, values in named.items():
        if np.shape(values) != np.shape(x):
            raise ValueError(f"{name!r} has shape {np.shape(values)} and the {what} {np.shape(x)}; give them one shape")
