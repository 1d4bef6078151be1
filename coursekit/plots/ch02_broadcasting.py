"""The broadcasting visualizer of notebook 02: two shapes, the rule applied to them axis by axis, and what comes out.

Everything that is drawn follows from `_align`, which pairs the sizes from the right; the caption is written from the
same pairs. Axes are numbered from the right as NumPy does it: −1 is the last.
"""

from dataclasses import dataclass, replace
from itertools import product, zip_longest
from math import prod

from coursekit.plots.style import COLORS, GRAY, figure, finish

LARGEST_DRAWN = 8  # an axis longer than this is not drawn as cells
SMALLEST_TEXT = 6  # points; values that would have to be smaller are left out
_BLUE, _ORANGE, _GREEN, _RED = COLORS[0], COLORS[1], COLORS[2], COLORS[5]
_DASHED = (0, (2, 2))
_WIDTH = 7.4  # of the figure, in inches
_OPERATIONS = {"+": ("+", "add"), "-": ("−", "subtract"), "*": ("×", "multiply"), "==": ("==", "equal")}


def broadcasting(a, b, operation="+"):
    """Draw how `a` and `b` are broadcast against each other, or mark the axes in which they can't be.

    a, b:      each a shape (a tuple of whole numbers, such as (3, 1)) or values (a number, a list, an array or any
               backend's tensor).
    operation: "+", "-", "*" or "==": the sign between them, and what makes the values of the result.

    A table lines the two shapes up from the right and says in words what happens in each axis. Below it stand the
    operands as blocks of cells, their own cells filled and the ghost cells of stretching dashed, and then the result;
    values are written into the cells where they were given and can be read. Shapes with more than three axes, with an
    axis of more than eight entries, or with an empty one, are shown as the table alone. The caption says it in words.
    Raises `TypeError` or `ValueError`, saying what to do, for anything else.
    """
    if operation not in _OPERATIONS:
        raise ValueError(f"operation is {operation!r}; choose one of {', '.join(map(repr, _OPERATIONS))}")
    a, b = _operand(a, "a", _BLUE), _operand(b, "b", _ORANGE)
    axes = _align(a.shape, b.shape)
    note = ""
    table_height = 0.34 * (3 + len(axes) if _words_below(axes) else max(3, len(axes))) + 0.45
    if len(axes) <= 3 and all(1 <= size <= LARGEST_DRAWN for size in a.shape + b.shape):
        plan = _Plan(*_blocks(a, b, axes, operation), _OPERATIONS[operation][0])
        if plan.text_size < SMALLEST_TEXT:
            a, b, note = replace(a, values=None), replace(b, values=None), " The values are too long for their cells."
            plan = _Plan(*_blocks(a, b, axes, operation), _OPERATIONS[operation][0])
        heights = [table_height, plan.height * plan.unit]
        _, (top, bottom) = figure(_WIDTH, sum(heights) + 0.1, rows=2, gridspec_kw={"height_ratios": heights})
        _draw_blocks(bottom, plan)
    else:
        _, top = figure(_WIDTH, table_height)
    _draw_table(top, a, b, axes, table_height)
    finish(_caption(a, b, axes, _OPERATIONS[operation][0]) + note)


# --- the rule ---------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Axis:
    """One axis of the aligned pair of shapes. A size is None where the shape has no such axis."""

    number: int
    a: int | None
    b: int | None

    @property
    def size(self):
        """The size of the result in this axis, or None if the two can't be broadcast."""
        a, b = 1 if self.a is None else self.a, 1 if self.b is None else self.b
        return a if b in (1, a) else b if a == 1 else None

    def words(self):
        name = f"axis −{-self.number}"
        if self.size is None:
            return f"{name}: {self.a} and {self.b} differ, and neither is 1"
        for who, mine, other in (("a", self.a, self.b), ("b", self.b, self.a)):
            if mine is None:
                then = "1 and 1 match" if other == 1 else f"stretched to {other}"
                return f"{name}: {who} has no such axis, it counts as 1, {then}"
            if mine == 1 and other not in (1, None):
                return f"{name}: the 1 of {who} is stretched to {other}"
        return f"{name}: {self.a} and {self.b} match"


def _align(a, b):
    """The aligned axes of two shapes, leftmost first."""
    pairs = zip_longest(reversed(a), reversed(b))
    return [_Axis(-1 - step, *pair) for step, pair in enumerate(pairs)][::-1]


# --- the operands -----------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Operand:
    name: str
    shape: tuple
    values: object  # a NumPy array, or None where only a shape was given
    color: str


def _operand(given, name, color):
    """The operand from a shape or from values."""
    import numpy as np

    from coursekit.arrays import as_array

    if isinstance(given, tuple) or type(given).__name__ == "TensorShape":
        shape = tuple(given)
        if not all(isinstance(size, (int, np.integer)) and not isinstance(size, bool) for size in shape):
            raise TypeError(
                f"{name} is the tuple {given!r}, and a tuple is read as a shape, made of whole numbers such as (3, 1); "
                "give values as a list or an array"
            )
        if any(size < 0 for size in shape):
            raise ValueError(f"{name} is the shape {shape}, but the size of an axis can't be negative")
        return _Operand(name, tuple(int(size) for size in shape), None, color)
    try:
        values = as_array(given)
    except ValueError:
        raise ValueError(f"{name} is not an array: its rows have different lengths") from None
    if values.dtype.kind not in "biuf":
        raise TypeError(
            f"{name} is {given!r}, neither a shape nor numbers; give a shape such as (3, 1), or numbers as a list, an "
            "array or a tensor"
        )
    return _Operand(name, values.shape, values, color)


# --- the table of sizes -----------------------------------------------------------------------------------------------
def _words_below(axes):
    """Whether the table is too wide for the words to stand beside it."""
    return len(axes) > 4


def _draw_table(ax, a, b, axes, height):
    """Sizes aligned from the right, a column for each axis, and a line in words for each. Units are inches."""
    _canvas(ax, _WIDTH, height)
    left, wide = 0.70, min(0.50, (_WIDTH - 0.8) / max(1, len(axes)))
    row_at = lambda row: height - 0.20 - 0.32 * (row + 1)
    rows = [("a", _BLUE, a), ("b", _ORANGE, b), ("result", _GREEN, None)] if axes else []
    for row, (name, color, _) in enumerate(rows):
        ax.text(left - 0.12, row_at(row), name, ha="right", va="center_baseline")
        for column, axis in enumerate(axes):
            size = (axis.a, axis.b, axis.size)[row]
            _draw_size(ax, left + column * wide, row_at(row), wide, size, color, axis.size is None, row == 2)
    for column, axis in enumerate(axes):
        color = _RED if axis.size is None else GRAY
        ax.text(left + (column + 0.5) * wide, height - 0.20, f"−{-axis.number}", color=color, ha="center", fontsize=9)
    if axes:
        ax.text(left - 0.12, height - 0.20, "axis", ha="right", color=GRAY, fontsize=9)
    else:
        ax.text(left, row_at(0), "neither has an axis: one number meets one number", va="center", fontsize=9)
    x, first = (left, 3) if _words_below(axes) else (left + len(axes) * wide + 0.3, 0)
    for row, axis in enumerate(reversed(axes)):
        color = _RED if axis.size is None else "black"
        ax.text(x, row_at(first + row), axis.words(), va="center_baseline", fontsize=9, color=color)


def _draw_size(ax, x, y, wide, size, color, failed, result):
    """One size in its box: filled; dashed where the shape has no such axis; red where the sizes don't fit."""
    from matplotlib.patches import Rectangle

    missing = size is None and not result
    look = {"facecolor": _tint(color), "edgecolor": color}
    if missing:
        look = {"facecolor": "white", "edgecolor": color, "linestyle": _DASHED}
    if failed:
        look = {"facecolor": "white", "edgecolor": _RED, "linewidth": 2, "hatch": "////" if result else None}
    ax.add_patch(Rectangle((x + 0.02, y - 0.15), wide - 0.04, 0.30, **look))
    label = "1" if missing else "✗" if size is None else str(size)
    text = {"ha": "center", "va": "center_baseline", "fontsize": min(10, 90 * wide / len(label))}
    text["color"] = _RED if failed else GRAY if missing else "black"
    if label == "✗":
        text["bbox"] = {"facecolor": "white", "edgecolor": "none", "pad": 1}
    ax.text(x + wide / 2, y, label, **text)


# --- the blocks of cells ----------------------------------------------------------------------------------------------
_SLANT = 0.42  # how far one step along the third axis goes to the right and up, in cells


@dataclass(frozen=True)
class _Block:
    """One operand, or the result, as cells. All shapes here have as many axes as the longer of the two operands."""

    shape: tuple  # as drawn
    own: tuple  # the operand's own: cells beyond it are ghosts
    values: object
    color: str
    label: str
    failing: tuple = ()  # axes (0 is the first) in which the operands don't fit

    @property
    def solid(self):
        """Three axes are a solid; with values they are sheets, one below the other, so that none hides another."""
        return len(self.shape) == 3 and self.values is None

    def texts(self):
        """The values as they are written, in order; none where there are no values."""
        return [] if self.values is None else [_short(value) for value in self.values.reshape(-1)]

    def extent(self):
        """Width and height in cells."""
        depth, rows, columns = _three(self.shape)
        if self.solid:
            return columns + _SLANT * depth, rows + _SLANT * depth
        return columns, depth * rows + (depth - 1) * 0.5

    def corner(self, k, i, j):
        """Lower left corner of a cell's front, seen from the block's lower left corner."""
        depth, rows, _ = _three(self.shape)
        if self.solid:
            return j + _SLANT * k, rows - 1 - i + _SLANT * k
        return j, (depth - 1 - k) * (rows + 0.5) + rows - 1 - i


@dataclass(frozen=True)
class _Plan:
    """Where the blocks go, from left to right, in cells. A place is at least wide enough for its label."""

    blocks: list
    failed: bool
    sign: str

    @property
    def gap(self):
        return 2.1 if self.failed else 1.6  # for the sign, and for the marks of the axes that fail

    def place(self, block):
        return max(block.extent()[0], 2.4)

    @property
    def unit(self):
        """Inches a cell."""
        return min(0.40, _WIDTH / (1.4 + 2 * self.gap + sum(map(self.place, self.blocks))))

    @property
    def text_size(self):
        """Of the values, in points: one size for all blocks, so that the longest value fits into its cell."""
        longest = max((len(text) for block in self.blocks for text in block.texts()), default=1)
        return min(10, 26 * self.unit, 95 * self.unit / longest)

    @property
    def tallest(self):
        return max(block.extent()[1] for block in self.blocks)

    @property
    def height(self):
        return self.tallest + (0.55 + 0.32 * self.failed) / self.unit  # labels below, marks above


def _blocks(a, b, axes, operation):
    """The three blocks, and whether the operands fail to fit."""
    import numpy as np

    sizes = tuple(axis.size for axis in axes)
    failing = tuple(place for place, size in enumerate(sizes) if size is None)
    blocks = []
    for operand in (a, b):
        own = (1,) * (len(axes) - len(operand.shape)) + operand.shape
        shape = own if failing else sizes
        values = None if operand.values is None else np.broadcast_to(operand.values.reshape(own), shape)
        label = f"{operand.name}  {operand.shape}" + ("" if failing or operand.shape == shape else f"\nas {shape}")
        blocks.append(_Block(shape, own, values, operand.color, label, failing))
    if failing:
        return [*blocks, _Block((2, 2), (0, 0), None, _RED, "no result")], True
    values = None
    if a.values is not None and b.values is not None:
        values = getattr(np, _OPERATIONS[operation][1])(a.values, b.values)
    return [*blocks, _Block(sizes, sizes, values, _GREEN, f"result  {sizes}")], False


def _draw_blocks(ax, plan):
    _canvas(ax, _WIDTH / plan.unit, plan.height)
    floor, x = 0.45 / plan.unit, 0.9
    for block, sign in zip(plan.blocks, (plan.sign, "=", ""), strict=True):
        width, height = block.extent()
        left = x + (plan.place(block) - width) / 2
        bottom = floor + (plan.tallest - height) / 2
        if block.own == (0, 0):
            _draw_no_result(ax, left, bottom)
        else:
            _draw_cells(ax, block, left, bottom, plan.text_size)
            _mark_failing_axes(ax, block, left, bottom)
        ax.text(left + width / 2, bottom - 0.08 / plan.unit, block.label, ha="center", va="top", fontsize=9)
        x += plan.place(block)
        if sign:
            middle = floor + plan.tallest / 2
            ax.text(x + 0.8, middle, sign, ha="center", va="center", fontsize=13 if len(sign) == 1 else 10)
        x += plan.gap


def _draw_cells(ax, block, left, bottom, text_size):
    from matplotlib.patches import Polygon

    texts = block.texts()
    for number, cell in enumerate(product(*map(range, _three(block.shape)))):
        ghost = any(index >= size_of for index, size_of in zip(cell, _three(block.own), strict=True))
        look = {"facecolor": _tint(block.color), "edgecolor": block.color, "linewidth": 1.1, "zorder": 2}
        if ghost:
            look |= {"facecolor": "white", "linestyle": _DASHED, "linewidth": 0.8, "zorder": 1}
        x, y = block.corner(*cell)
        for face in _faces(block, cell, x + left, y + bottom):
            ax.add_patch(Polygon(face, closed=True, **look))
        if texts:
            style = {"color": GRAY, "style": "italic"} if ghost else {}
            at = (x + left + 0.5, y + bottom + 0.5)
            ax.text(*at, texts[number], ha="center", va="center_baseline", fontsize=text_size, zorder=3, **style)


def _faces(block, cell, x, y):
    """The faces of a cell that can be seen: its front, and in a solid its top and its right side."""
    front = [(x, y), (x + 1, y), (x + 1, y + 1), (x, y + 1)]
    if not block.solid:
        return [front]
    (k, i, j), s = cell, _SLANT
    top = [(x, y + 1), (x + 1, y + 1), (x + 1 + s, y + 1 + s), (x + s, y + 1 + s)]
    side = [(x + 1, y), (x + 1, y + 1), (x + 1 + s, y + 1 + s), (x + 1 + s, y + s)]
    last = block.shape[2] - 1
    return [face for face, seen in ((front, k == 0), (top, i == 0), (side, j == last)) if seen]


def _mark_failing_axes(ax, block, left, bottom):
    """A red line along each axis that fails, with its size."""
    (depth, rows, columns), (_, height) = _three(block.shape), block.extent()
    top_left = (left, bottom + (rows if block.solid else height))
    marks = {
        "column": ((left, bottom + height + 0.2), (columns, 0), (0, 0.12), {"ha": "center", "va": "bottom"}),
        "row": ((left - 0.2, top_left[1] - rows), (0, rows), (-0.12, 0), {"ha": "right", "va": "center"}),
        "solid": ((left - 0.2, top_left[1] + 0.2), (_SLANT * depth,) * 2, (-0.2, 0.1), {"ha": "right", "va": "bottom"}),
        "sheets": ((left - 0.2, bottom), (0, height), (-0.12, 0), {"ha": "right", "va": "center"}),
    }
    names = ("solid" if block.solid else "sheets", "row", "column")[3 - len(block.shape) :]
    for place in block.failing:
        (x, y), (right, up), (aside, above), style = marks[names[place]]
        ax.plot([x, x + right], [y, y + up], color=_RED, linewidth=2.5, zorder=4)
        at = (x + right / 2 + aside, y + up / 2 + above)
        ax.text(*at, str(block.shape[place]), color=_RED, weight="bold", **style)


def _draw_no_result(ax, left, bottom):
    from matplotlib.patches import Rectangle

    look = {"facecolor": "white", "edgecolor": _RED, "hatch": "////", "linewidth": 1.2}
    ax.add_patch(Rectangle((left, bottom), 2, 2, **look))
    box = {"facecolor": "white", "edgecolor": "none", "pad": 2}
    ax.text(left + 1, bottom + 1, "✗", ha="center", va="center", color=_RED, fontsize=16, bbox=box)


# --- small things -----------------------------------------------------------------------------------------------------
def _caption(a, b, axes, sign):
    """The picture in words."""
    reasons = [f"{axis.words()[0].upper()}{axis.words()[1:]}." for axis in reversed(axes)]
    if any(axis.size is None for axis in axes):
        return " ".join([f"a {a.shape} {sign} b {b.shape} cannot be broadcast.", *reasons])
    sizes = tuple(axis.size for axis in axes)
    read = [
        f"{prod(x.shape):,} value{'s' * (prod(x.shape) != 1)} of {x.name} read as {prod(sizes):,}"
        for x in (a, b)
        if prod(x.shape) != prod(sizes)
    ]
    stretched = f"Stretched: {' and '.join(read)}." if read else "Nothing is stretched."
    return " ".join([f"a {a.shape} {sign} b {b.shape} gives {sizes}.", *reasons, stretched])


def _canvas(ax, width, height):
    ax.set_xlim(0, width)
    ax.set_ylim(0, height)
    ax.set_aspect("equal", anchor="W")
    ax.set_axis_off()


def _three(shape):
    """A shape of at most three axes as (depth, rows, columns)."""
    return (1,) * (3 - len(shape)) + tuple(shape)


def _tint(color):
    """The color mixed with two parts of white."""
    from matplotlib.colors import to_rgb

    return tuple((channel + 2) / 3 for channel in to_rgb(color))


def _short(value):
    """A value in as few characters as a cell holds."""
    if value.dtype.kind == "b":
        return "T" if value else "F"
    return (f"{value:.0f}" if 100 <= abs(value) < 1e6 else f"{value:.3g}").replace("-", "−")
