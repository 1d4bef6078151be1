"""Tensors drawn: their shapes, where reshape and transpose put each element, reductions, tables and series."""

import numpy as np

from coursekit.arrays import as_array
from coursekit.plots.style import COLORS, GRAY, figure, finish

_MOST_CELLS = 6  # cells drawn along an axis; a longer axis is cut, and its label still gives the size
_CELL = 0.26  # inches, the side of a cell in `shapes`
_SLANT = 0.42  # how far one sheet stands off the next, in cells


# --- shapes -----------------------------------------------------------------------------------------------------------
def shapes(tensors):
    """Draw tensors of rank 0 to 4 as cells: a cell, a row, a table, a stack of tables, a row of stacks.

    tensors: a dictionary from a name to a shape, such as {"vector": (5,)}. An axis longer than six is drawn with six
    cells; the numbers beside the block are the true sizes, in the order of the axes.

    Raises ValueError for a shape with more than four axes or with a size below 1.
    """
    blocks = {name: tuple(int(size) for size in shape) for name, shape in tensors.items()}
    for name, shape in blocks.items():
        if len(shape) > 4 or any(size < 1 for size in shape):
            raise ValueError(f"{name!r} has shape {shape}; shapes() draws up to four axes, each of size 1 or more")
    extents = {name: _extent(shape) for name, shape in blocks.items()}
    widths = {name: max(extents[name][0] + 1.6, 0.33 * max(len(name), len(str(blocks[name]))) + 0.6) for name in blocks}
    total, tall = sum(widths.values()), max(height for _, height in extents.values()) + 3.0
    _, ax = figure(total * _CELL, tall * _CELL)
    left = 0.0
    for i, (name, shape) in enumerate(blocks.items()):
        middle = left + widths[name] / 2
        _draw_block(ax, shape, middle - extents[name][0] / 2, COLORS[i % len(COLORS)])
        ax.text(middle, -1.75, f"{name}\n{shape}", ha="center", va="center", fontsize=9)
        left += widths[name]
    ax.set(xlim=(0, total), ylim=(-2.6, tall - 2.6), aspect="equal")
    ax.axis("off")
    words = [
        f"{name} {shape}, rank {len(shape)}, {_plural(int(np.prod(shape)), 'number')}" for name, shape in blocks.items()
    ]
    finish(f"From left to right: {'; '.join(words)}.")


def _plural(n, noun):
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def _drawn(shape):
    """(stacks, sheets, rows, columns) that are drawn for a shape."""
    return tuple(min(size, _MOST_CELLS) for size in (1,) * (4 - len(shape)) + shape)


def _extent(shape):
    """Width and height of the drawing of a shape, in cells."""
    stacks, sheets, rows, columns = _drawn(shape)
    one = columns + _SLANT * (sheets - 1)
    return stacks * one + (stacks - 1) * 0.8, rows + _SLANT * (sheets - 1)


def _draw_block(ax, shape, left, color):
    """Draw a shape with its lower left corner at (left, 0), and the size of each axis beside it."""
    from matplotlib.patches import Rectangle

    stacks, sheets, rows, columns = _drawn(shape)
    step = columns + _SLANT * (sheets - 1) + 0.8
    for stack in range(stacks):
        for sheet in reversed(range(sheets)):  # the first sheet is in front
            x0, y0 = left + stack * step + _SLANT * sheet, _SLANT * sheet
            for row in range(rows):
                for column in range(columns):
                    ax.add_patch(Rectangle((x0 + column, y0 + row), 1, 1, facecolor=color, edgecolor="white", lw=1))
            ax.add_patch(Rectangle((x0, y0), columns, rows, fill=False, edgecolor="black", lw=0.7))
    style = {"fontsize": 8, "ha": "center", "va": "center"}
    if len(shape) >= 1:
        ax.text(left + columns / 2, -0.5, str(shape[-1]), **style)
    if len(shape) >= 2:
        ax.text(left - 0.5, rows / 2, str(shape[-2]), **style)
    if len(shape) >= 3:
        depth = _SLANT * (sheets - 1)
        ax.text(left + depth / 2 - 0.45, rows + depth / 2 + 0.4, str(shape[-3]), **style)
    if len(shape) == 4:
        ax.text(left + _extent(shape)[0] / 2, rows + _SLANT * (sheets - 1) + 0.5, f"{shape[-4]} stacks", **style)


# --- parts of a matrix ------------------------------------------------------------------------------------------------
def picked(parts, **named):
    """Draw a matrix once for each way to take a part of it, with the cells that this way takes in color.

    parts: expressions such as "x[:, 2]" or "x[x > 15]"; named: the matrix they speak of, as x=…, at most 60 numbers.
    Raises ValueError if that is not one matrix that can be read, or an expression is not a part of it.
    """
    (name, values), *more = named.items() or [("", 0)]
    values = as_array(values)
    if more or values.ndim != 2 or not 1 <= values.size <= 60:
        raise ValueError("picked() draws the parts of one matrix of at most 60 numbers, given by its name: x=…")
    rows, columns = values.shape
    across = max(1, min(len(parts), int(19 // (columns + 1))))
    down = -(-len(parts) // across)
    _, ax = figure(across * (columns + 1) * 0.37, down * (rows + 1.6) * 0.37)
    words = []
    for k, part in enumerate(parts):
        taken = _positions(part, name, values)
        left, top = (k % across) * (columns + 1), -(k // across) * (rows + 1.6)
        chosen = np.isin(np.arange(values.size), taken).reshape(values.shape)
        _grid(ax, values, np.where(chosen, 1, -1), left, top, side=1)
        ax.text(left, top + 0.25, part, fontsize=9, family="monospace", va="bottom")
        said = " ".join(f"{value:g}" for value in values.ravel()[taken].ravel())
        words.append(f"{part} takes {said}, shape {taken.shape}")
    ax.set(xlim=(-0.1, across * (columns + 1) - 0.5), ylim=(-down * (rows + 1.6) + 1.4, 1.1), aspect="equal")
    ax.axis("off")
    finish(f"{'; '.join(words)}.")


def _positions(part, name, values):
    """Where the numbers that a part takes stand in the matrix, counted row by row; in the shape of the part."""
    if not (part.startswith(f"{name}[") and part.endswith("]")):
        raise ValueError(f"{part!r} is not a part of {name}; write it like {name}[0]")
    positions = np.arange(values.size).reshape(values.shape)
    return eval(f"positions{part[len(name) :]}", {"np": np}, {"positions": positions, name: values})


# --- reshape and transpose --------------------------------------------------------------------------------------------
def reshape_and_transpose(a):
    """Draw a matrix, the same numbers reshaped to the transposed shape, and the matrix transposed.

    a: (rows, columns) numbers, at most 30. Each cell keeps the color and hatching of the row of `a` it came from;
    below each matrix stand its numbers in the order in which memory holds them, row by row.

    Raises ValueError if `a` is not a matrix or too large to be read.
    """
    a = as_array(a)
    if a.ndim != 2 or not 1 <= a.size <= 30:
        raise ValueError(f"reshape_and_transpose() draws a matrix of at most 30 numbers; this has shape {a.shape}")
    rows, columns = a.shape
    origin = np.repeat(np.arange(rows)[:, np.newaxis], columns, axis=1)  # (rows, columns), the row each came from
    panels = {
        f"a {a.shape}": (a, origin),
        f"a reshaped to {(columns, rows)}": (a.reshape(columns, rows), origin.reshape(columns, rows)),
        f"a transposed {(columns, rows)}": (a.T, origin.T),
    }
    wide = [max(panel.shape[1], 0.62 * panel.size, 0.36 * len(title)) + 1.2 for title, (panel, _) in panels.items()]
    tall = max(rows, columns) + 2.6
    _, ax = figure(sum(wide) * 0.33, tall * 0.33)
    left, words = 0.0, []
    for (title, (panel, source)), width in zip(panels.items(), wide, strict=True):
        middle, top = left + width / 2, max(rows, columns)
        ax.text(middle, top + 0.7, title, ha="center", va="center", fontsize=10)
        _grid(ax, panel, source, middle - panel.shape[1] / 2, top, side=1)
        _grid(ax, panel.reshape(1, -1), source.reshape(1, -1), middle - 0.31 * panel.size, -0.35, side=0.62)
        ax.text(middle, -1.3, "as read row by row", ha="center", va="center", fontsize=8, color="#444444")
        words.append(f"{title} reads {' '.join(f'{value:g}' for value in panel.ravel())}")
        left += width
    ax.set(xlim=(0, left), ylim=(-1.7, max(rows, columns) + 1.2), aspect="equal")
    ax.axis("off")
    finish(f"Row by row, {'; '.join(words)}.")


_HATCHES = ("", "///", "...", "\\\\\\", "xx", "--")


def _grid(ax, values, source, left, top, side):
    """Cells of a matrix, colored and hatched by `source`, with the values written in; (left, top) is its corner.

    A source below 0 leaves a cell white.
    """
    from matplotlib.patches import Rectangle

    for (row, column), value in np.ndenumerate(values):
        x, y, kind = left + column * side, top - (row + 1) * side, int(source[row, column])
        face = _pale(COLORS[kind % len(COLORS)]) if kind >= 0 else "white"
        hatch = _HATCHES[kind % len(_HATCHES)] if kind >= 0 else ""
        ax.add_patch(Rectangle((x, y), side, side, facecolor=face, edgecolor="white", hatch=hatch, lw=0.8))
        ax.add_patch(Rectangle((x, y), side, side, fill=False, edgecolor="black", lw=0.8))
        backing = {"facecolor": face, "edgecolor": "none", "pad": 0.6}
        ax.text(
            x + side / 2,
            y + side / 2,
            f"{value:g}",
            ha="center",
            va="center_baseline",
            fontsize=11 if side == 1 else 8,
            bbox=backing,
        )


def _pale(color, share=0.55):
    """A color mixed with white, so that black text on it can be read."""
    from matplotlib.colors import to_rgb

    return tuple(1 - share * (1 - part) for part in to_rgb(color))


# --- reductions -------------------------------------------------------------------------------------------------------
def reduction(a, operation="sum"):
    """Draw a matrix with its reduction over axis 0 below it, over axis 1 beside it, and over both in the corner.

    a: (rows, columns) numbers, at most 8 × 8. operation: "sum", "max" or "mean".
    Raises ValueError for another operation, or if `a` is not a matrix or too large to be read.
    """
    operations = {"sum": np.sum, "max": np.max, "mean": np.mean}
    if operation not in operations:
        raise ValueError(f"operation is {operation!r}; choose one of {', '.join(operations)}")
    a, reduce = as_array(a), operations[operation]
    if a.ndim != 2 or not 1 <= a.size <= 64 or max(a.shape) > 8:
        raise ValueError(f"reduction() draws a matrix of at most 8 × 8 numbers; this has shape {a.shape}")
    rows, columns = a.shape
    over_rows, over_columns, over_all = reduce(a, axis=0), reduce(a, axis=1), reduce(a)
    _, ax = figure((columns + 7.2) * 0.4, (rows + 3.6) * 0.4)
    _grid(ax, a, np.zeros(a.shape), 0, rows, side=1)
    _grid(ax, over_rows[np.newaxis, :], np.full((1, columns), 1), 0, -0.9, side=1)
    _grid(ax, over_columns[:, np.newaxis], np.full((rows, 1), 2), columns + 0.9, rows, side=1)
    _grid(ax, np.array([[over_all]]), np.array([[3]]), columns + 0.9, -0.9, side=1)
    arrow = {"arrowstyle": "->", "color": GRAY, "lw": 1.4}
    ax.annotate("", (columns / 2, -0.85), (columns / 2, -0.05), arrowprops=arrow)
    ax.annotate("", (columns + 0.85, rows / 2), (columns + 0.05, rows / 2), arrowprops=arrow)
    small = {"fontsize": 9, "va": "center"}
    ax.text(columns / 2, -2.3, f"axis=0: {over_rows.shape}", ha="center", **small)
    ax.text(columns + 2.1, rows / 2, f"axis=1: {over_columns.shape}", ha="left", **small)
    ax.text(columns + 2.1, -1.4, "both axes: ()", ha="left", **small)
    ax.text(0, rows + 0.5, f"{operation} of a {a.shape}", fontsize=10, va="center")
    ax.set(xlim=(-0.2, columns + 7), ylim=(-2.7, rows + 0.9), aspect="equal")
    ax.axis("off")
    told = [" ".join(f"{value:g}" for value in np.atleast_1d(part)) for part in (over_rows, over_columns, over_all)]
    finish(f"The {operation} over axis 0 is {told[0]}, over axis 1 {told[1]}, over both {told[2]}.")


# --- memory -----------------------------------------------------------------------------------------------------------
def sharing(routes):
    """Draw which of two names mean the same memory.

    routes: a dictionary from the name of a way to get from one to the other to True (one block of memory with two
    names) or False (a second block). Raises TypeError if a value is neither, ValueError if there is none.
    """
    if not routes:
        raise ValueError("there is nothing to draw; give at least one route")
    for name, shared in routes.items():
        if not isinstance(shared, bool | np.bool_):
            raise TypeError(f"{name!r} is {shared!r}; give True for shared memory, False for a copy")
    n, left = len(routes), 0.28 * max(map(len, routes)) + 0.6
    _, ax = figure((left + 9.8) * 0.33, (n * 1.25 + 0.2) * 0.33)
    for i, (name, shared) in enumerate(routes.items()):
        y = (n - 1 - i) * 1.25
        ax.text(left - 0.6, y + 0.5, name, ha="right", va="center", fontsize=9, family="monospace")
        _memory(ax, left, y, COLORS[0], "one block, two names" if shared else "source", width=9.5 if shared else 4.5)
        if not shared:
            _memory(ax, left + 5, y, COLORS[1], "a copy", width=4.5, hatch="///")
    ax.set(xlim=(0, left + 9.8), ylim=(-0.2, n * 1.25), aspect="equal")
    ax.axis("off")
    shared = [name for name, same in routes.items() if same] or ["none"]
    copied = [name for name, same in routes.items() if not same] or ["none"]
    finish(f"Same memory: {', '.join(shared)}. A copy: {', '.join(copied)}.")


def _memory(ax, left, bottom, color, text, width, hatch=""):
    """A block of memory with a word on it."""
    from matplotlib.patches import Rectangle

    face = _pale(color)
    ax.add_patch(Rectangle((left, bottom), width, 1, facecolor=face, edgecolor="white", hatch=hatch, lw=0.8))
    ax.add_patch(Rectangle((left, bottom), width, 1, fill=False, edgecolor="black", lw=0.7))
    backing = {"facecolor": face, "edgecolor": "none", "pad": 1.5}
    ax.text(left + width / 2, bottom + 0.5, text, ha="center", va="center", fontsize=9, bbox=backing)


# --- data -------------------------------------------------------------------------------------------------------------
def table(values, columns, *, rows=6, title=""):
    """Draw the first rows of a table of numbers: one row a sample, one column a feature, darker where larger.

    values: (samples, features) numbers; columns: the name of each feature. Each column has a scale of its own.
    Raises ValueError if `values` is not a table or the names don't fit it.
    """
    values = as_array(values)
    if values.ndim != 2 or len(columns) != values.shape[1]:
        raise ValueError(f"a table is (samples, features) with a name for each feature; got {values.shape}, {columns}")
    shown = values[:rows].astype("float64")
    span = np.ptp(shown, axis=0)
    shade = (shown - shown.min(axis=0)) / np.where(span > 0, span, 1)
    _, ax = figure(1.25 * values.shape[1] + 0.9, 0.3 * len(shown) + 0.75)
    ax.imshow(0.6 * shade, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(shown):
        ax.text(column, row, f"{value:g}", ha="center", va="center", fontsize=9)
    ax.set_xticks(range(len(columns)), [str(name).replace(" (", "\n(") for name in columns], fontsize=8)
    ax.set_yticks(range(len(shown)), [f"sample {i}" for i in range(len(shown))], fontsize=8)
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_title(title)
    ranges = [
        f"{name} {low:g} to {high:g}" for name, low, high in zip(columns, values.min(0), values.max(0), strict=True)
    ]
    finish(
        f"The first {len(shown)} of {len(values)} samples with {values.shape[1]} features, darker where larger. "
        f"In all samples: {', '.join(map(str, ranges))}."
    )


def series(values, times=None, *, windows=(), x_label="step", y_label="value"):
    """Draw one series over time, and mark windows cut from it.

    values:  (time,) numbers. times: (time,) numbers or dates, by default 0, 1, 2, …
    windows: (start, length) pairs, counted in steps; each is drawn as a bar above the curve, and numbered.
    Raises ValueError if `values` is not one series, if the times don't fit it, or a window reaches outside it.
    """
    values = as_array(values)
    times = np.arange(len(values)) if times is None else np.asarray(times)
    if values.ndim != 1 or times.shape != values.shape:
        raise ValueError(f"a series is (time,), with as many times; got values {values.shape} and times {times.shape}")
    for start, length in windows:
        if start < 0 or length < 1 or start + length > len(values):
            raise ValueError(f"the window from {start} over {length} steps reaches outside a series of {len(values)}")
    _, ax = figure(7.2, 2.5 + 0.12 * len(windows))
    ax.plot(times, values, linewidth=1)
    top, low = float(values.max()), float(values.min())
    step = (top - low or 1) * 0.09
    for i, (start, length) in enumerate(windows):
        y = top + step * (i + 1)
        ends = times[start], times[start + length - 1]
        ax.plot(ends, [y, y], color=COLORS[5], linewidth=4, solid_capstyle="butt")
        ax.text(ends[1], y, f"  window {i}", ha="left", va="center", fontsize=8)
    ax.set(xlabel=x_label, ylabel=y_label)
    told = [f"window {i} from {times[s]} to {times[s + n - 1]}" for i, (s, n) in enumerate(windows)]
    finish(
        f"{len(values)} values of {y_label} from {times[0]} to {times[-1]}, between {low:g} and {top:g}; the highest "
        f"in {times[int(values.argmax())]}" + (f". Marked: {'; '.join(told)}." if told else ".")
    )


def likeness(ratios, *, title="neighbors against strangers"):
    """Draw, for each axis of each tensor, how much neighbors along it differ compared with strangers.

    ratios: a dictionary from a tensor's name to a dictionary from an axis's name to the ratio (1: neighbors differ as
    much as any two; near 0: neighbors are alike). Raises ValueError where there is none or a ratio is below 0.
    """
    lines = [(name, axis, float(value)) for name, axes in ratios.items() for axis, value in axes.items()]
    if not lines or not all(value >= 0 for _, _, value in lines):
        raise ValueError("likeness() draws ratios of 0 or more; give at least one")
    _, ax = figure(6.8, 0.27 * len(lines) + 0.9)
    names = list(ratios)
    for i, (name, _, value) in enumerate(lines):
        style = names.index(name)
        ax.plot([1, value], [i, i], color=GRAY, linewidth=1)
        ax.plot(value, i, marker="osD^vP*X"[style % 8], markersize=8, color=COLORS[style % 8])
    ax.axvline(1, color="black", linewidth=1, linestyle="--")
    ax.set_yticks(range(len(lines)), [f"{name}: {axis}" for name, axis, _ in lines])
    ax.set(
        xlim=(0, max(1.2, 1.08 * max(value for *_, value in lines))),
        xlabel="difference of neighbors / difference of strangers",
    )
    ax.invert_yaxis()
    ax.set_title(title)
    finish(f"{'; '.join(f'{name}, along {axis}: {value:.2f}' for name, axis, value in lines)}.")
