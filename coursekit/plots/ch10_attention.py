"""Who looks at whom: attention weights as a map. Born in notebook 10."""

import numpy as np

from coursekit.arrays import as_array
from coursekit.plots.style import figure, finish


def attention_map(weights, queries, keys, *, numbers=None):
    """Draw a square for each query (row) and key (column), the darker the larger its weight.

    weights: (n, m), at least 0; queries: n names; keys: m names; numbers: whether each weight is written into its
    square; by default where there are 40 squares or fewer. Raises ValueError where the names don't fit the weights.
    """
    weights, queries, keys = as_array(weights).astype(float), list(queries), list(keys)
    if weights.shape != (len(queries), len(keys)):
        raise ValueError(
            f"the weights have shape {weights.shape}; {len(queries)} queries and {len(keys)} keys need "
            f"({len(queries)}, {len(keys)})"
        )
    numbers = weights.size <= 40 if numbers is None else numbers
    wide, high = (0.85, 0.5) if numbers else (0.3, 0.27)
    _, ax = figure(min(7.4, 1.6 + wide * len(keys)), min(7.0, 0.9 + high * len(queries)))
    ax.imshow(weights, cmap="Blues", vmin=0, vmax=1 if numbers else weights.max(), aspect="auto")
    ax.set_xticks(range(len(keys)), [_seen(key) for key in keys])
    ax.set_yticks(range(len(queries)), [_seen(query) for query in queries])
    ax.set(xlabel="key: who is looked at", ylabel="query: who looks")
    if numbers:
        for (i, j), weight in np.ndenumerate(weights):
            ax.text(j, i, f"{weight:.2f}", ha="center", va="center", color="white" if weight > 0.6 else "black")
    finish(f"Who looks most at whom. {'; '.join(map(_most, queries, weights, [keys] * len(queries)))}.")


def _seen(name):
    """A space can't be seen under an axis."""
    return "␣" if name == " " else str(name)


def _most(query, row, keys):
    places = np.flatnonzero(row > row.max() - 0.005)
    share = f"{row.max():.2f}" + (" each" if len(places) > 1 else "")
    if len(places) == len(keys) > 1:
        return f"{_seen(query)}: all alike ({share})"
    return f"{_seen(query)}: {' and '.join(f'{_seen(keys[place])}' for place in places)} ({share})"
