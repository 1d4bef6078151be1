"""The rules of practice about accuracy, tried on true MNIST at full size: the record that notebook 19 shows.

From one dense network (seed 0) both ways of each rule were tried four times, with other random orders of 12,000 images
or other draws of the centroids (rules 5 and 6, where nothing is trained: ten draws). What is kept are differences of
test accuracies in points, in favor of the rule. The first edition of the notebook made the record, at `full`.

Born in notebook 19.
"""

from coursekit import console
from coursekit.paths import data_dir
from coursekit.records import read_lines


def gains(results=None):
    """{rule: (mean, half of Student's 95 % interval)} in points of accuracy, those in favor of the rule above 0."""
    lines = read_lines(results or data_dir() / "results" / "rules.jsonl")
    return {name: tuple(of) for name, of in lines[-1]["gains"].items()} if lines else {}


def verdict(mean, half):
    """ "for it", "against it", or "open" where the interval holds 0."""
    return "for it" if mean > half else "against it" if mean < -half else "open"


def table(results=None):
    """The record as text: of each rule the gain in points, its interval, and what follows."""
    rows = [[name, f"{mean:+.2f} ± {half:.2f}", verdict(mean, half)] for name, (mean, half) in gains(results).items()]
    return console.table(["rule", "points", "so it is"], rows) if rows else "no record: data/results/rules.jsonl"
