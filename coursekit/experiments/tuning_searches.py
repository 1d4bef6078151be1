"""`python -m coursekit.experiments.tuning_searches` searches the table of notebook 17 with Keras Tuner's
BayesianOptimization, fifteen times, and appends a line for each search to `data/results/tuning.jsonl`.

A search of 14 trials took this tuner most of a minute, all of it spent on choosing the next setting, so the page shows
this record beside the searches that it makes itself. The searches have their splits and seeds as on the page.
Born in notebook 17.
"""

from coursekit.experiments.common import add_missing, places

REPEATS = 15


def make(key):
    """One search: which setting it chose, how many epochs its trials had, and the CPU seconds it took."""
    import time

    from coursekit.training import tuning

    begin = time.process_time()
    found = tuning.keras_tuner_search(key["method"], key["repeat"] % tuning.SPLITS, key["repeat"])
    return found | {"cpu_seconds": round(time.process_time() - begin, 1)}


def main():
    _, results, _ = places("tuning")
    wanted = [{"method": "BayesianOptimization", "repeat": repeat} for repeat in range(REPEATS)]
    add_missing(results, wanted, make, lambda line: f"{line['repeat']}: {line['chosen']}, {line['cpu_seconds']} s")


if __name__ == "__main__":
    main()
