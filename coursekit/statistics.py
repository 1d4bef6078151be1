"""How sure one can be of a number: intervals for accuracies and means, and whether two classifiers differ.

Born in notebook 18.
"""

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class AccuracyReport:
    """Two classifiers on the same test set.

    n:           images or other examples
    first, second: accuracies; intervals: (low, high) of each, Wilson's
    only_first, only_second: examples that one has right and the other wrong; both, neither: the others
    agreement:   share of examples with the same answer, right or wrong
    difference:  second - first; difference_interval: of it, for the same examples (Bonett and Price's, which has
                 a width where the two never differ, too)
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
    sampling error of the difference between correlated proportions", with the binomial distribution for its p-value;
    Bonett and Price (2012), "Adjusted Wald confidence interval for a difference of binomial proportions based on paired
    data", *Journal of Educational and Behavioral Statistics* 37, 479–488.
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
    middle = (c - b) / (n + 2)  # one example more on each side: Wald's interval would have no width at b = c = 0
    margin = z * math.sqrt(b + c + 2 - (c - b) ** 2 / (n + 2)) / (n + 2)
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
        difference_interval=(middle - margin, middle + margin),
        p_value=mcnemar(b, c),
        confidence=confidence,
    )


def wilson(right, n, confidence=0.95):
    """(low, high): Wilson's (1927) interval, by statsmodels, for a share of which `right` of `n` were seen."""
    from statsmodels.stats.proportion import proportion_confint

    low, high = proportion_confint(right, n, alpha=1 - confidence, method="wilson")
    return float(low), float(high)


def mcnemar(only_first, only_second):
    """The two-sided p-value of McNemar's (1947) exact test, by statsmodels.

    It is the probability that a fair coin, tossed for each example that one model alone has right, falls as unevenly.
    """
    from statsmodels.stats.contingency_tables import mcnemar

    return float(mcnemar([[0, only_first], [only_second, 0]], exact=True).pvalue)


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
