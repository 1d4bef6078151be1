"""Searches for hyperparameters: which values they try, which trials they stop, what a model expects, and all trials at
once as lines. Born in notebook 17."""

import numpy as np

from coursekit.plots.style import COLORS, GRAY, LINES, MARKERS, figure, finish


def tries(searches, x_label, y_label):
    """Draw the settings that searches try as points, a panel each, and under them the different values on the x axis.

    searches: {name: (x (n,), y (n,))}, x on a logarithmic scale. Raises ValueError where there is no point.
    """
    if not searches or any(not len(x) for x, _ in searches.values()):
        raise ValueError("give each search one point or more")
    _, axes = figure(7.2, 2.7, 1, len(searches), squeeze=False, sharex=True, sharey=True)
    words = []
    for i, (ax, (name, (x, y))) in enumerate(zip(axes[0], searches.items(), strict=True)):
        x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
        ax.plot(x, y, MARKERS[i], color=COLORS[i], markersize=7, alpha=0.8)
        for value in np.unique(x):
            ax.axvline(value, color=COLORS[i], linewidth=0.8, linestyle=":")
        ax.set(title=name, xlabel=x_label, xscale="log", yscale="log")
        words.append(f"{name}: {len(x)} trials with {len(np.unique(x.round(9)))} different values of the {x_label}")
    axes[0, 0].set(ylabel=y_label, yticks=[8, 16, 32, 64], yticklabels=["8", "16", "32", "64"])
    axes[0, 0].minorticks_off()
    finish(f"Each point is a trial. {'; '.join(words)}.")


def rungs(curves, stops):
    """Draw the learning curves of trials, each as far as successive halving lets it train.

    curves: (trials, epochs) values, the larger the better; stops: (trials,) the epoch after which each is stopped.
    Trials that reach the last epoch are drawn thick. Raises ValueError where lengths differ.
    """
    curves, stops = np.asarray(curves, dtype=float), np.asarray(stops)
    if len(curves) != len(stops) or curves.ndim != 2:
        raise ValueError(f"{len(curves)} curves and {len(stops)} stops; give one stop for each curve")
    _, ax = figure(6.8, 3.4)
    last = curves.shape[1]
    levels = sorted(set(stops.tolist()))
    best = int(curves[:, -1].argmax())
    for curve, stop in zip(curves, stops, strict=True):
        i = levels.index(stop)
        look = {"color": COLORS[i % 8], "linestyle": LINES[i % 4], "marker": MARKERS[i % 8], "markersize": 5}
        ax.plot(np.arange(1, stop + 1), curve[:stop], linewidth=2.4 if stop == last else 1.1, markevery=[-1], **look)
    for i, level in enumerate(levels):
        n = int((stops == level).sum())
        name = f"{n} trained to the end" if level == last else f"{n} stopped after {level}"
        look = {"color": COLORS[i % 8], "linestyle": LINES[i % 4], "marker": MARKERS[i % 8]}
        ax.plot([], [], label=name, linewidth=2.4 if level == last else 1.1, **look)
    if stops[best] < last:
        ax.plot(np.arange(stops[best], last + 1), curves[best, stops[best] - 1 :], color=GRAY, linewidth=1.5)
        ax.plot([], [], color=GRAY, label="the best of all, as it would have gone on")
    ax.set(xlabel="epoch", ylabel="validation accuracy", xticks=sorted({1, *levels}))
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    counts = ", ".join(f"{int((stops == level).sum())} end after epoch {level}" for level in levels)
    fate = "is one of those trained to the end" if stops[best] == last else f"was stopped after epoch {stops[best]}"
    finish(f"{len(curves)} trials: {counts}. The trial that would be the best after {last} epochs {fate}.")


def surrogate(x, mean, deviation, seen, values, bound, x_label, y_label):
    """Draw what a model of the settings expects over x, where it was measured, and where the next trial goes.

    x, mean, deviation, bound: (n,); bound is the number whose highest place is tried next. seen: places in x that were
    measured, with their `values`. x has a logarithmic scale. Raises ValueError where shapes differ.
    """
    x, mean, deviation, bound = (np.asarray(one, dtype=float) for one in (x, mean, deviation, bound))
    if not x.shape == mean.shape == deviation.shape == bound.shape or len(seen) != len(values):
        raise ValueError("give one mean, deviation and bound for each x, and one value for each place that was seen")
    _, ax = figure(6.8, 3.2)
    ax.fill_between(x, mean - deviation, mean + deviation, color=COLORS[4], alpha=0.3, label="± one standard deviation")
    ax.plot(x, mean, color=COLORS[0], label="expected")
    ax.plot(x, bound, color=COLORS[1], linestyle="--", label="upper bound")
    ax.plot(x[seen], values, "o", color=COLORS[7], label="measured")
    place = int(np.argmax(bound))
    ax.plot(x[place], bound[place], "v", color=COLORS[5], markersize=9, label="next trial")
    ax.set(xscale="log", xlabel=x_label, ylabel=y_label)
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    widest = int(np.argmax(deviation))
    finish(
        f"{len(values)} measured {x_label}s. The model is least certain at {x[widest]:.2g}. "
        f"The upper bound is highest at {x[place]:.2g}, so this is tried next."
    )


def parallel(settings, scores, best=5, colored_by=None):
    """Draw each trial as a line over one axis for each hyperparameter and a last one for its score.

    settings: a list of dictionaries with numbers or words; scores: (n,), the larger the better. The lines of the `best`
    trials are thick and colored: where `colored_by` names a hyperparameter, each of its values has a color, and the
    caption says how the numbers of each group range. Where a trial lacks a hyperparameter, its line passes below the
    axis. Raises ValueError where lengths differ, or there is nothing to draw.
    """
    scores = np.asarray(scores, dtype=float)
    if not len(settings) or len(settings) != len(scores):
        raise ValueError(f"{len(settings)} settings and {len(scores)} scores; give one score for each of one or more")
    names = list(dict.fromkeys(name for setting in settings for name in setting))
    places, ticks = [], []
    for name in names:
        values = sorted({setting[name] for setting in settings if name in setting})
        step = 1 / max(len(values) - 1, 1)
        where = {value: 0.5 if len(values) == 1 else i * step for i, value in enumerate(values)}
        places.append([where.get(setting.get(name), -0.2) for setting in settings])
        ticks.append([(where[v], _short(v)) for v in values])
    low, high = scores.min(), scores.max()
    places.append((scores - low) / max(high - low, 1e-12))
    ticks.append([(0, f"{low:.2f}"), (0.5, f"{(low + high) / 2:.2f}"), (1, f"{high:.2f}")])
    rows, order = np.array(places).T, np.argsort(scores, kind="stable")
    groups = {}  # value of `colored_by`: the best trials that have it, all of them where no name is given
    for row in order[-best:]:
        groups.setdefault(settings[row].get(colored_by), []).append(row)
    _, ax = figure(8.0, 3.4)
    shift = [(row % 7 - 3) * 0.008 for row in range(len(rows))]  # so that equal lines don't hide each other
    across = range(len(names) + 1)
    for row in order[:-best]:
        ax.plot(across, rows[row] + shift[row], color=GRAY, linewidth=0.6, alpha=0.5 if len(rows) < 100 else 0.12)
    for (value, members), color in zip(
        sorted(groups.items(), key=str), (COLORS[5], COLORS[0], COLORS[2]), strict=False
    ):
        for row in members:
            line = ax.plot(across, rows[row] + shift[row], color=color, linewidth=2.2 if best < 10 else 1.4, alpha=0.9)
        line[0].set_label(str(value))
    for i, column in enumerate(ticks):
        ax.axvline(i, color="black", linewidth=0.8)
        for place, text in column:
            ax.text(i + 0.03, place, text, fontsize=8, va="center", bbox={"color": "white", "alpha": 0.7, "pad": 0.5})
    if any(name not in setting for name in names for setting in settings):
        ax.text(-0.1, -0.2, "has none", fontsize=8, va="center", ha="right", color=GRAY)
    ax.set(xticks=across, xticklabels=[*names, "score"], yticks=[])
    ax.spines[:].set_visible(False)
    if colored_by:
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(groups))
    finish(
        f"{len(settings)} trials as lines, scores from {low:.2f} to {high:.2f}. "
        f"Thick: the best {min(best, len(rows))}, with {scores[order[-best:]].min():.3f} or more; "
        + (_of_groups(settings, groups, names) if colored_by else _in_common([settings[row] for row in order[-best:]]))
    )


def _short(value):
    return f"{value:.2g}" if isinstance(value, float) else str(value)


def _in_common(settings):
    """What all these settings share, in words."""
    shared = [
        f"{name} {_short(value)}"
        for name, value in settings[0].items()
        if all(setting.get(name) == value for setting in settings)
    ]
    return f"they share {', '.join(shared)}." if shared else "they share no value."


def _of_groups(settings, groups, names):
    """How the numbers of each group range, in words."""
    words = []
    for value, members in sorted(groups.items(), key=str):
        ranges = []
        for name in names:
            numbers = [settings[row][name] for row in members if not isinstance(settings[row].get(name, ""), str)]
            if numbers:
                ranges.append(f"{name} {_short(min(numbers))} to {_short(max(numbers))}")
        words.append(f"{len(members)} with {value}: {', '.join(ranges)}")
    return f"{'; '.join(words)}."


def found_by(results, label, floor):
    """Draw what several searches found: every repeat as a dot, the mean with twice its standard error as a bar.

    results: {name: values of the repeats}, of any lengths; values below `floor` are counted on the left, not drawn.
    Raises ValueError where there is nothing to draw.
    """
    if not results or any(len(values) < 2 for values in results.values()):
        raise ValueError("give each search two values or more")
    _, ax = figure(7.2, 0.9 + 0.32 * len(results))
    words = []
    for i, (name, values) in enumerate(results.items()):
        values = np.asarray(values, dtype=float)
        mean, error = values.mean(), 2 * values.std(ddof=1) / len(values) ** 0.5
        ax.plot(values[values >= floor], np.full(int((values >= floor).sum()), i), ".", color=GRAY, markersize=5)
        if mean >= floor:
            ax.errorbar(mean, i, xerr=error, fmt=MARKERS[i % 8], color=COLORS[i % 6], capsize=4, markersize=7)
        below = int((values < floor).sum())
        if below:
            ax.text(floor, i, f"◂ {below}", fontsize=9, va="center", ha="left")
        words.append(f"{name} {mean:.3f} ({len(values)} repeats, {below} below {floor})")
    ax.set(xlabel=label, yticks=range(len(results)), yticklabels=list(results), xlim=(floor - 0.002, None))
    ax.invert_yaxis()
    finish(f"{label}, means with twice their standard errors: {'; '.join(words)}.")
