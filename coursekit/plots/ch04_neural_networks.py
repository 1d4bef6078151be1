"""Learning drawn: activations, decision regions, and what a trained model gets right and wrong."""

import numpy as np

from coursekit.arrays import as_array
from coursekit.plots.style import COLORS, GRAY, LINES, MARKERS, figure, finish


# --- functions --------------------------------------------------------------------------------------------------------
def activations(functions, low=-5.0, high=5.0):
    """Draw activation functions, each in its own panel with its derivative.

    functions: {name: (function, derivative)}; both take an array (n,) and return one of the same shape.
    Raises ValueError if there is none, or if low is not below high.
    """
    if not functions or not low < high:
        raise ValueError("give one function or more, and a range with low below high")
    z = np.linspace(low, high, 401)
    _, axes = figure(min(2.1 * len(functions) + 0.4, 9.0), 2.5, 1, len(functions), squeeze=False, sharex=True)
    words = []
    for ax, (name, (function, derivative)) in zip(axes.flat, functions.items(), strict=True):
        f, df = as_array(function(z)), as_array(derivative(z))
        ax.axhline(0, color=GRAY, linewidth=0.6)
        ax.axvline(0, color=GRAY, linewidth=0.6)
        ax.plot(z, f, color=COLORS[0], linewidth=2, label="function")
        ax.plot(z, df, color=COLORS[5], linestyle="--", linewidth=1.8, label="derivative")
        ax.set(title=name, xlabel="z", ylim=(min(-1.15, f.min() * 0.4), 2.2))
        words.append(f"{name} goes from {f[0]:.3g} to {f[-1]:.3g}, its derivative is at most {df.max():.3g}")
    axes.flat[0].legend(fontsize=8, loc="upper left", handlelength=1.6)
    finish(f"Activations and, dashed, their derivatives for z from {low:g} to {high:g}: {'; '.join(words)}.")


def regions(classifiers, x, labels):
    """Draw points of two classes and, behind them, what each classifier says of the plane.

    classifiers: {name: function of points (m, 2) that returns (m,) zeros and ones}.
    x: (n, 2) points; labels: (n,) zeros and ones, or {name: labels} where they differ by panel.
    Raises ValueError if the points are not in a plane.
    """
    x = np.asarray(x, dtype=float)
    if x.ndim != 2 or x.shape[1] != 2:
        raise ValueError(f"x has shape {x.shape}; give points of a plane, (n, 2)")
    margin = 0.35 * np.ptp(x, axis=0).max()
    sides = [np.linspace(x[:, i].min() - margin, x[:, i].max() + margin, 241) for i in range(2)]
    grid = np.stack(np.meshgrid(*sides), axis=-1).reshape(-1, 2)  # (m, 2)
    _, axes = figure(min(2.2 * len(classifiers) + 0.3, 9.0), 2.5, 1, len(classifiers), squeeze=False)
    words = []
    for ax, (name, classify) in zip(axes.flat, classifiers.items(), strict=True):
        wanted = np.asarray(labels[name] if isinstance(labels, dict) else labels)
        area = np.asarray(classify(grid)).reshape(241, 241)
        colors = ["#ffffff", "#cfe3f2"]
        ax.contourf(*sides, area, levels=[-0.5, 0.5, 1.5], colors=colors)
        ax.contour(*sides, area, levels=[0.5], colors=COLORS[0], linewidths=1)
        for value, marker, color in ((0, "o", COLORS[5]), (1, "s", COLORS[0])):
            chosen = x[wanted == value]
            ax.scatter(*chosen.T, marker=marker, color=color, edgecolor="black", s=60, label=str(value), zorder=3)
        ax.set(title=name, aspect="equal", xlabel="$x_1$", ylabel="$x_2$")
        right = int(np.sum(np.asarray(classify(x)) == wanted))
        words.append(f"{name}: {right} of {len(x)} points right, {area.mean():.0%} of the square called 1")
    finish(f"Circles are class 0, squares class 1; the shaded side is called 1. {'; '.join(words)}.")


def small_network(network, x):
    """Draw a network of dense ReLU layers that is small enough to write a number at each arrow.

    network: list of [weights (inputs, outputs), bias (outputs,)]; x: (inputs,), the values on the left. In each unit
    stands its sum, and after the arrow what ReLU makes of it; the last layer has no ReLU. Biases stand below.
    Raises ValueError if x doesn't fit, or if a layer has more than four units.
    """
    x = np.asarray(x, dtype=float)
    sizes = [len(network[0][0]), *(len(bias) for _, bias in network)]
    if x.shape != (sizes[0],) or max(sizes) > 4:
        raise ValueError(f"x has shape {x.shape} and the layers {sizes}; give ({sizes[0]},) and four units at most")
    _, ax = figure(7.0, 0.6 + 1.1 * max(sizes))
    places = [[(3.0 * k, 1.5 * ((size - 1) / 2 - i)) for i in range(size)] for k, size in enumerate(sizes)]
    texts, words, h = [[f"{value:g}" for value in x]], [], x
    for k, (weights, bias) in enumerate(network):
        z = h @ weights + bias
        last = k == len(network) - 1
        h = z if last else np.maximum(z, 0)
        texts.append([f"{a:g}" if last else f"{a:g} → {b:g}" for a, b in zip(z, h, strict=True)])
        words.append(f"the sums of layer {k + 1} are {', '.join(f'{value:g}' for value in z)}")
        for i, j in np.ndindex(weights.shape):
            (x_0, y_0), (x_1, y_1) = places[k][i], places[k + 1][j]
            ax.plot([x_0, x_1], [y_0, y_1], color=GRAY, linewidth=1, zorder=1)
            at = x_0 + 0.3 * (x_1 - x_0), y_0 + 0.3 * (y_1 - y_0)
            ax.text(*at, f"{weights[i, j]:g}", ha="center", va="center", color=COLORS[0], backgroundcolor="white")
        for (left, low), value in zip(places[k + 1], bias, strict=True):
            ax.text(left, low - 0.48, f"bias {value:g}", ha="center", va="center", fontsize=8, color=COLORS[0])
    for column, named, title in zip(places, texts, _titles(len(network)), strict=True):
        ax.text(column[0][0], 0.75 * max(sizes) - 0.1, title, ha="center")
        for place, text in zip(column, named, strict=True):
            box = {"boxstyle": "round,pad=0.4", "facecolor": "white", "edgecolor": "black"}
            ax.text(*place, text, ha="center", va="center", bbox=box, zorder=3)
    ax.set(xlim=(-0.8, 3.0 * len(network) + 0.8), ylim=(-0.75 * max(sizes) - 0.1, 0.75 * max(sizes) + 0.2))
    ax.axis("off")
    values = ", ".join(f"{value:g}" for value in x)
    finish(f"A network with weights at its lines. The inputs are {values}; {'; '.join(words)}.")


def _titles(layers):
    hidden = ["hidden sum → ReLU"] * (layers - 1)
    return ["input", *hidden, "logit"]


# --- results ----------------------------------------------------------------------------------------------------------
def confusion(y_true, y_pred, names=None, *, title=""):
    """Draw a confusion matrix: a row for each true class, a column for each predicted one, counts in the cells.

    y_true, y_pred: (n,) whole numbers from 0 on; names: one for each class, or None.
    Raises ValueError if the two differ in length, or if there are fewer names than classes.
    """
    y_true, y_pred = as_array(y_true), as_array(y_pred)
    if y_true.shape != y_pred.shape or y_true.ndim != 1 or not len(y_true):
        raise ValueError(f"labels of shape {y_true.shape} and predictions of shape {y_pred.shape}; give both as (n,)")
    classes = int(max(y_true.max(), y_pred.max())) + 1
    names = [str(k) for k in range(classes)] if names is None else [str(name) for name in names]
    if len(names) < classes:
        raise ValueError(f"{len(names)} names and {classes} classes; give a name for each class")
    counts = np.zeros((len(names), len(names)), dtype=int)
    np.add.at(counts, (y_true.astype(int), y_pred.astype(int)), 1)
    cell = max(0.42, 0.09 * max(map(len, names)))  # inches, so that the names below stand apart
    side = max(2.6, cell * len(names) + 1.2)
    _, ax = figure(side + 0.6, side)
    ax.imshow(np.sqrt(counts), cmap="Blues")  # the root, so that few mistakes can be seen beside many right ones
    for i, j in np.ndindex(counts.shape):
        dark = np.sqrt(counts[i, j]) > 0.6 * np.sqrt(counts.max())
        ax.text(j, i, counts[i, j] or "·", ha="center", va="center", color="white" if dark else "black", fontsize=9)
    ticks = {"xticks": range(len(names)), "yticks": range(len(names)), "xticklabels": names, "yticklabels": names}
    ax.set(xlabel="predicted", ylabel="true", title=title, **ticks)
    wrong = np.where(np.eye(len(names), dtype=bool), 0, counts)
    i, j = (int(k) for k in np.unravel_index(wrong.argmax(), wrong.shape))
    worst = f" Most often {names[i]} is taken for {names[j]}: {counts[i, j]} times." if wrong.any() else ""
    finish(f"{np.trace(counts)} of {len(y_true)} right, on the diagonal; {wrong.sum()} wrong, off it.{worst}")


def prediction(image, probabilities, names=None, label=None):
    """Draw an image beside the probability that a model gives each class.

    image: (height, width) or (height, width, 1); probabilities: (classes,); label: the true class, or None.
    Raises ValueError if the probabilities are not one list of numbers.
    """
    image, p = np.squeeze(as_array(image)), as_array(probabilities)
    if p.ndim != 1 or image.ndim != 2:
        raise ValueError(f"an image of shape {image.shape} and probabilities of shape {p.shape}; give one image")
    names = [str(k) for k in range(len(p))] if names is None else [str(name) for name in names]
    _, (left, right) = figure(6.4, 2.4, 1, 2, width_ratios=(1, 2.4))
    left.imshow(image, cmap="gray")
    left.axis("off")
    bars = right.bar(range(len(p)), p, color=COLORS[4])
    bars[int(p.argmax())].set(color=COLORS[0], hatch="//", edgecolor="white")
    right.set(xticks=range(len(p)), xticklabels=names, ylim=(0, 1.08), xlabel="class", ylabel="probability")
    for k, value in enumerate(p):
        right.text(k, value + 0.02, f"{value:.2f}", ha="center", fontsize=8)
    truth = "" if label is None else f"; the label is {names[int(label)]}"
    finish(f"The largest of {len(p)} probabilities is {p.max():.3f}, for {names[int(p.argmax())]}{truth}.")


def predicted(y_true, predictions, unit=""):
    """Draw predictions of a number over the true value; a perfect model's points lie on the diagonal.

    y_true: (n,); predictions: {name: (n,)}. Raises ValueError where the lengths differ.
    """
    y_true = np.asarray(y_true, dtype=float)
    _, axes = figure(min(3.1 * len(predictions), 9.0), 3.0, 1, len(predictions), squeeze=False, sharey=True)
    words = []
    for ax, (name, values) in zip(axes.flat, predictions.items(), strict=True):
        values = np.asarray(values, dtype=float)
        if values.shape != y_true.shape:
            raise ValueError(f"{name!r} has shape {values.shape} and the true values {y_true.shape}; give both as (n,)")
        ends = [y_true.min(), y_true.max()]
        ax.plot(ends, ends, color=GRAY, linestyle="--", linewidth=1)
        ax.scatter(y_true, values, s=14, color=COLORS[0], alpha=0.8)
        ax.set(title=name, xlabel=f"true {unit}".strip(), ylabel=f"predicted {unit}".strip())
        error = np.sqrt(np.mean((values - y_true) ** 2))
        words.append(
            f"{name} predicts from {values.min():.3g} to {values.max():.3g}, off by {error:.3g} (root mean square)"
        )
    span = f"true values from {y_true.min():.3g} to {y_true.max():.3g}"
    finish(f"{len(y_true)} predictions over {span}; the dashed line is a perfect model. {'; '.join(words)}.")


def roc(curves):
    """Draw receiver operating characteristics: the share of positives found over the share of false alarms.

    curves: {name: (false positive rates, true positive rates)}, each (n,), from (0, 0) to (1, 1).
    Raises ValueError if the two differ in length.
    """
    _, ax = figure(4.6, 3.4)
    ax.plot([0, 1], [0, 1], color=GRAY, linestyle=":", label="guessing")
    words = []
    for i, (name, (false, true)) in enumerate(curves.items()):
        false, true = np.asarray(false, dtype=float), np.asarray(true, dtype=float)
        if false.shape != true.shape:
            raise ValueError(f"{name!r} has {len(false)} false and {len(true)} true positive rates; give as many")
        ax.plot(false, true, color=COLORS[i], linestyle=LINES[i % 4], linewidth=2, label=name)
        words.append(f"{name} has the area {np.trapezoid(true, false):.3f} under its curve")
    ax.set(xlabel="false positive rate", ylabel="true positive rate (recall)")
    ax.legend(loc="lower right")
    finish(f"Receiver operating characteristics; {'; '.join(words)}. Guessing has 0.5, a perfect model 1.")


def calibration(models, bins=5):
    """Draw how often predictions are right over how sure the model was of them.

    models: {name: (confidence, right)}: (n,) probabilities of the predicted class, (n,) whether it was the true one.
            Each model's predictions are cut into `bins` groups of equal size, ordered by confidence.
    Raises ValueError if there are fewer predictions than bins.
    """
    _, ax = figure(4.8, 3.4)
    lows, words, left = [], [], 1.0
    for i, (name, (confidence, right)) in enumerate(models.items()):
        confidence, right = np.asarray(confidence, dtype=float), np.asarray(right, dtype=float)
        if len(confidence) < bins or confidence.shape != right.shape:
            raise ValueError(f"{name!r} has {len(confidence)} confidences and {len(right)} outcomes for {bins} bins")
        groups = np.array_split(np.argsort(confidence), bins)
        sure, share = ([values[group].mean() for group in groups] for values in (confidence, right))
        style = {"marker": MARKERS[i], "linestyle": LINES[i % 4], "color": COLORS[i]}
        ax.plot(sure, share, label=name, **style)
        lows += [*sure, *share]
        left = min(left, min(sure) - 0.03)
        words.append(f"{name} is {confidence.mean():.0%} sure on average and {right.mean():.0%} right")
    low = min(lows) - 0.03
    ax.plot([low, 1], [low, 1], color=GRAY, linestyle=":", label="perfectly calibrated")
    ax.set(xlabel="confidence (mean of the group)", ylabel="share that was right", xlim=(left, 1.03), ylim=(low, 1.03))
    ax.legend(fontsize=8, loc="upper left")
    finish(f"Groups of equal size, ordered by confidence; below the dotted line is overconfident. {'; '.join(words)}.")
