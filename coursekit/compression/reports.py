"""What a model weighs and what its weights say: `size_report`. Whether two models differ: `accuracy_report`.

Entropy is Shannon's (1948): no code that takes the weights of a tensor one by one, as independent draws from the
tensor's own shares, needs fewer bits on average. A code that sees more (that whole rows are zero, say) can get below
this bound, and one that has to send a codebook first stays above it. Notebook 18 introduces entropy and the two tests.
"""

import math
from dataclasses import dataclass

import numpy as np


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
        found = {row["path"]: row for row in self.rows}
        if path not in found:
            raise KeyError(f"there is no weight {path!r}; there are {', '.join(found)}")
        return found[path]

    def layers(self):
        """[{layer, weights, zeros, raw, bound}], the tensors of each layer added up, in the order of the model."""
        sums = {}
        for row in self.rows:
            one = sums.setdefault(
                row["layer"], {"layer": row["layer"], "weights": 0, "zeros": 0, "raw": 0, "bound": 0.0}
            )
            for key in ("weights", "zeros", "raw", "bound"):
                one[key] += row[key]
        return list(sums.values())

    @property
    def total(self):
        """{weights, zeros, sparsity, raw, bound, entropy} of the whole model; entropy is the mean over all weights."""
        sums = {key: sum(row[key] for row in self.rows) for key in ("weights", "zeros", "raw", "bound")}
        n = max(sums["weights"], 1)
        return sums | {"sparsity": sums["zeros"] / n, "entropy": 8 * sums["bound"] / n}

    def __str__(self):
        wide = max([len(row["path"]) for row in self.rows] + [len("all weights")])
        heads = f"{'weights':>11} {'unique':>9} {'zeros':>7} {'bits each':>9} {'raw bytes':>12} {'bound':>12}"
        lines = []
        for row in [*self.rows, self.total | {"path": "all weights"}]:
            unique = f"{row['unique']:,}" if "unique" in row else ""
            lines.append(
                f"{row['path']:<{wide}} {row['weights']:>11,} {unique:>9} {row['sparsity']:>7.1%} "
                f"{row['entropy']:>9.3f} {row['raw']:>12,} {math.ceil(row['bound']):>12,}"
            )
        return "\n".join([" " * (wide + 1) + heads, *lines])


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
    values, counts = np.unique(array.reshape(-1), return_counts=True)  # takes -0.0 for 0.0, and all NaN for one value
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
@dataclass(frozen=True)
class AccuracyReport:
    """Two classifiers on the same test set.

    n:           images or other examples
    first, second: accuracies; intervals: (low, high) of each, Wilson's
    only_first, only_second: examples that one has right and the other wrong; both, neither: the others
    agreement:   share of examples with the same answer, right or wrong
    difference:  second - first; difference_interval: of it, for the same examples (Wald's, with the paired variance)
    p_value:     of McNemar's exact test: how often two equally good models would differ as much, or more
    confidence:  of the intervals
    """

    n: int
    first: float
    second: float
    intervals: tuple
    only_first: int
    only_second: int
    both: int
    neither: int
    agreement: float
    difference: float
    difference_interval: tuple
    p_value: float
    confidence: float

    def __str__(self):
        low, high = self.difference_interval
        lines = [
            f"{name:<7} {accuracy:.4f}, with {self.confidence:.0%} confidence from {one[0]:.4f} to {one[1]:.4f}"
            for name, accuracy, one in zip(("first", "second"), (self.first, self.second), self.intervals, strict=True)
        ]
        lines += [
            f"second - first {self.difference:+.4f}, from {low:+.4f} to {high:+.4f}",
            f"right: both {self.both:,}, only the first {self.only_first:,}, only the second {self.only_second:,}, "
            f"neither {self.neither:,}; same answer {self.agreement:.2%}",
            f"McNemar's exact test: p = {self.p_value:.3g}",
        ]
        return "\n".join(lines)


def accuracy_report(first, second, x, y, *, confidence=0.95, batch_size=256):
    """Compare two classifiers on one test set: an `AccuracyReport`.

    first, second: models, or what they predicted: (n,) classes, or (n, classes) scores of which the largest counts
    x: (n, ...) the test set, used by models alone; may be None for predictions. y: (n,) true classes, or one-hot.
    A model with a single output is taken for a binary one: class 1 above 0.5 (give predictions if it gives logits).

    Wilson (1927), "Probable inference, the law of succession, and statistical inference"; McNemar (1947), "Note on the
    sampling error of the difference between correlated proportions", with the binomial distribution for its p-value.
    Raises ValueError where lengths differ, or if there is no example.
    """
    y = np.asarray(y)
    y = y.argmax(axis=-1) if y.ndim == 2 and y.shape[1] > 1 else y.reshape(-1)
    answers = [_answers(one, x, batch_size) for one in (first, second)]
    if not len(y) or any(len(one) != len(y) for one in answers):
        lengths = ", ".join(f"{len(one):,}" for one in answers)
        raise ValueError(f"{lengths} predictions and {len(y):,} true classes; give as many, and one at least")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}; give a share between 0 and 1, such as 0.95")
    right = [one == y for one in answers]
    n, b, c = len(y), int((right[0] & ~right[1]).sum()), int((~right[0] & right[1]).sum())
    z, difference = _normal_quantile(0.5 + confidence / 2), (c - b) / n
    margin = z * math.sqrt(max(b + c - (c - b) ** 2 / n, 0)) / n
    return AccuracyReport(
        n=n,
        first=float(right[0].mean()),
        second=float(right[1].mean()),
        intervals=tuple(wilson(int(one.sum()), n, confidence) for one in right),
        only_first=b,
        only_second=c,
        both=int((right[0] & right[1]).sum()),
        neither=int((~right[0] & ~right[1]).sum()),
        agreement=float((answers[0] == answers[1]).mean()),
        difference=difference,
        difference_interval=(difference - margin, difference + margin),
        p_value=mcnemar(b, c),
        confidence=confidence,
    )


def wilson(right, n, confidence=0.95):
    """(low, high): Wilson's interval for a share of which `right` of `n` were seen."""
    z = _normal_quantile(0.5 + confidence / 2)
    share, z2 = right / n, z * z / n
    middle = (share + z2 / 2) / (1 + z2)
    margin = z * math.sqrt(share * (1 - share) / n + z2 / (4 * n)) / (1 + z2)
    return max(0.0, middle - margin) if right else 0.0, min(1.0, middle + margin) if right < n else 1.0


def mcnemar(only_first, only_second):
    """The two-sided p-value of McNemar's exact test.

    It is the probability that a fair coin, tossed for each example that one model alone has right, falls as unevenly.
    """
    n, less = only_first + only_second, min(only_first, only_second)
    tail = sum(math.comb(n, k) for k in range(less + 1))
    return min(1.0, 2 * tail / 2**n)


def mean_and_half(values):
    """(mean, half the width of Student's 95 % interval for it) of two numbers or more; ValueError for fewer."""
    from scipy.stats import t

    values = np.asarray(values, dtype=float).ravel()
    if values.size < 2:
        raise ValueError(f"{values.size} values; an interval needs two or more")
    return float(values.mean()), float(t.ppf(0.975, values.size - 1) * values.std(ddof=1) / math.sqrt(values.size))


def _normal_quantile(p):
    from statistics import NormalDist

    return NormalDist().inv_cdf(p)


def _answers(one, x, batch_size):
    """(n,) classes from a model or from predictions."""
    if hasattr(one, "predict"):
        scores = np.asarray(one.predict(x, batch_size=batch_size, verbose=0))
        if scores.ndim == 2 and scores.shape[1] == 1:
            return (scores[:, 0] > 0.5).astype(int)
    else:
        scores = np.asarray(one)
    if scores.ndim > 2:
        raise ValueError(f"predictions have shape {scores.shape}; give classes (n,) or scores (n, classes)")
    return scores.argmax(axis=-1) if scores.ndim == 2 and scores.shape[1] > 1 else scores.reshape(-1)
