"""Who does what at which time, and how much faster several workers are. Born in notebook 20."""

import numpy as np

from coursekit.plots.style import COLORS, GRAY, HATCHES, LINES, figure, finish


def timeline(plans, unit="seconds", numbers=False):
    """Draw what happens when: one panel for each plan, a row for each lane, a bar for each piece of work.

    plans:   {title: [(lane, batch, start, end), …]}; lanes stand in the order in which their first words first come
    numbers: whether the number of the batch stands in each bar, which needs room
    All panels share one axis of time. Raises ValueError where there is nothing to draw.
    """
    if not plans or not all(plans.values()):
        raise ValueError("give at least one plan, with at least one piece of work (lane, batch, start, end)")
    kinds = list(dict.fromkeys(lane.split()[0] for plan in plans.values() for lane, *_ in plan))
    in_order = lambda lane: (kinds.index(lane.split()[0]), lane)
    lanes = {title: sorted({lane for lane, *_ in plan}, key=in_order) for title, plan in plans.items()}
    heights = [len(names) for names in lanes.values()]
    _, axes = figure(
        7.6, 0.9 * len(plans) + 0.36 * sum(heights), len(plans), 1, squeeze=False, sharex=True,
        gridspec_kw={"height_ratios": heights},
    )  # fmt: skip
    words = []
    for ax, (title, plan) in zip(axes.flat, plans.items(), strict=True):
        zero = min(start for _, _, start, _ in plan)
        total, names = max(end for *_, end in plan) - zero, lanes[title]
        for lane, batch, start, end in plan:
            look = kinds.index(lane.split()[0])
            ax.barh(
                names.index(lane), end - start, left=start - zero, height=0.7, color=COLORS[look % 8],
                hatch=HATCHES[look % 5], edgecolor="white", linewidth=0.8,
            )  # fmt: skip
            if numbers:
                box = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
                at = ((start + end) / 2 - zero, names.index(lane))
                ax.text(*at, str(batch + 1), ha="center", va="center", fontsize=8, bbox=box)
        ax.set_yticks(range(len(names)), names)
        ax.invert_yaxis()
        ax.set_title(f"{title}: {total:.3g} {unit}")
        spent = {name: sum(end - start for lane, _, start, end in plan if lane == name) for name in names}
        busy = ", ".join(f"{name} {seconds / total:.0%}" for name, seconds in spent.items())
        words.append(f"{title} takes {total:.3g} {unit} (busy: {busy})")
    axes.flat[-1].set_xlabel(unit)
    finish(f"Who works when: {'; '.join(words)}.")


def speedups(workers, fits, measured, batch_size):
    """Draw the speed-up that the fits of a step's time give for more and more workers, with a band for their spread.

    workers: (n,) numbers; fits: StepTimes of resamples; measured: {workers: speed-up}; batch_size: of all together.
    The band goes from the 5th to the 95th percentile.
    """
    workers = np.asarray(workers, dtype=float)
    found = np.array([[float(fit.speedup(batch_size, n)) for n in workers] for fit in fits])  # (fits, n)
    low, middle, high = np.percentile(found, [5, 50, 95], axis=0)
    _, ax = figure(6.8, 3.6)
    ax.plot(workers, workers, color=GRAY, linestyle=LINES[3], label="ideal: as many times as workers")
    ax.fill_between(workers, low, high, color=COLORS[0], alpha=0.25, linewidth=0, label="90 % of the refits")
    ax.plot(workers, middle, color=COLORS[0], label="fitted and continued")
    ax.plot(list(measured), list(measured.values()), "o", color=COLORS[5], markersize=8, label="measured")
    ax.set(xlabel="workers", ylabel="speed-up", xscale="log", yscale="log")
    ax.set_xticks(workers, [f"{n:g}" for n in workers])
    ax.set_xticks([], minor=True)
    ticks = 2.0 ** np.arange(min(0, np.floor(np.log2(low.min()))), np.ceil(np.log2(workers.max())) + 1)
    ax.set_yticks(ticks, [f"{n:g}" for n in ticks])
    ax.set_yticks([], minor=True)
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    said = ", ".join(f"{n:g}: {value:.2f}" for n, value in measured.items())
    last = f"{workers[-1]:g} workers: {middle[-1]:.3g} (90 % of the refits from {low[-1]:.3g} to {high[-1]:.3g})"
    finish(f"Speed-up of a step on {batch_size} examples; measured {said}; continued to {last}.")
