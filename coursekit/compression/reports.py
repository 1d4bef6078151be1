"""What a model weighs and what its weights say: `size_report`.

Entropy is Shannon's (1948): no code that takes the weights of a tensor one by one, as independent draws from the
tensor's own shares, needs fewer bits on average. A code that sees more (that whole rows are zero, say) can get below
this bound, and one that has to send a codebook first stays above it. Notebook 18 introduces entropy.

Born in notebook 18.
"""

import math
from dataclasses import dataclass

import numpy as np

from coursekit.console import table


# --- sizes ------------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class SizeReport:
    """A row for each weight tensor of a model; `print(report)` shows them as a table, and iterating gives them.

    rows: dictionaries with path, layer, shape, dtype, weights, unique (different values; -0.0 and 0.0 are one), zeros
          (how many are zero), sparsity (their share), entropy (bits a weight), raw (bytes as stored in memory) and
          bound (bytes of all weights at `entropy` bits each)
    """

    name: str
    rows: list

    def __iter__(self):
        return iter(self.rows)

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, path):
        """The row with this path, or the one at this place."""
        if isinstance(path, int):
            return self.rows[path]
        by_path = {row["path"]: row for row in self.rows}
        if path not in by_path:
            raise KeyError(f"there is no weight {path!r}; there are {', '.join(by_path)}")
        return by_path[path]

    def layers(self):
        """[{layer, weights, zeros, raw, bound}], the tensors of each layer added up, in the order of the model."""
        sums = {}
        for row in self.rows:
            layer = sums.setdefault(
                row["layer"], {"layer": row["layer"], "weights": 0, "zeros": 0, "raw": 0, "bound": 0.0}
            )
            for key in ("weights", "zeros", "raw", "bound"):
                layer[key] += row[key]
        return list(sums.values())

    @property
    def total(self):
        """{weights, zeros, sparsity, raw, bound, entropy} of the whole model; entropy is the mean over all weights."""
        sums = {key: sum(row[key] for row in self.rows) for key in ("weights", "zeros", "raw", "bound")}
        n = max(sums["weights"], 1)
        return sums | {"sparsity": sums["zeros"] / n, "entropy": 8 * sums["bound"] / n}

    def __str__(self):
        heads = ["", "weights", "unique", "zeros", "bits each", "raw bytes", "bound"]
        shown = []
        for row in [*self.rows, self.total | {"path": "all weights"}]:
            unique = f"{row['unique']:,}" if "unique" in row else ""
            sizes = [f"{row['raw']:,}", f"{math.ceil(row['bound']):,}"]
            shares = [f"{row['sparsity']:.1%}", f"{row['entropy']:.3f}"]
            shown.append([row["path"], f"{row['weights']:,}", unique, *shares, *sizes])
        return table(heads, shown)


def size_report(model):
    """Weights, different values, zeros, entropy and bytes of every weight tensor of a Keras 3 model: a `SizeReport`.

    Raises ValueError if the model has no weights yet.
    """
    from keras import ops

    if not getattr(model, "built", False):
        raise ValueError(f"{getattr(model, 'name', model)!r} has no weights yet: call it on data or give it an Input")
    rows = [_row(weight.path, str(weight.dtype), np.asarray(ops.convert_to_numpy(weight))) for weight in model.weights]
    return SizeReport(model.name, rows)


def _row(path, dtype, array):
    # Some processors sort halves wrongly in NumPy (2.4, AVX-512), where few values stand there many times.
    comparable = array.astype(np.float32) if array.dtype == np.float16 else array
    values, counts = np.unique(comparable.reshape(-1), return_counts=True)  # takes -0.0 for 0.0, all NaN for one value
    layer, _, _ = path.rpartition("/")
    zeros = int(counts[values == 0].sum())
    entropy = entropy_of(counts)
    return {
        "path": path,
        "layer": layer or path,
        "shape": tuple(array.shape),
        "dtype": dtype,
        "weights": array.size,
        "unique": len(values),
        "zeros": zeros,
        "sparsity": zeros / max(array.size, 1),
        "entropy": entropy,
        "raw": array.nbytes,
        "bound": entropy * array.size / 8,
    }


def entropy_of(counts):
    """Shannon's entropy in bits of what was counted, (n,) numbers above 0; 0 for nothing and for one thing."""
    counts = np.asarray(counts, dtype=float)
    shares = counts[counts > 0] / max(counts.sum(), 1)
    return float(-(shares * np.log2(shares)).sum()) + 0.0


# --- accuracies -------------------------------------------------------------------------------------------------------
