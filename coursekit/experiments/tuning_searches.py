"""`python -m coursekit.experiments.tuning_searches` searches the table of notebook 17 with Keras Tuner's
BayesianOptimization, fifteen times, and appends a line for each search to `data/results/tuning.jsonl`.

A search of 14 trials took this tuner up to half a minute, nearly all of it spent on choosing the next setting, so the
page shows this record beside the searches that it makes itself. Search i has split i mod 3 and seed i. What is there
already is not made again. Born in notebook 17.
"""

import json
import time
from datetime import UTC, datetime

from coursekit.paths import data_dir
from coursekit.records import machine, read_lines, versions
from coursekit.training import tuning

REPEATS = 15
VERSIONS = ("keras-tuner", "scikit-learn", "scipy", "numpy")


def make(repeat):
    """One search: which row it chose, how many epochs its trials had, and the CPU seconds it took."""
    begin = time.process_time()
    found = tuning.keras_tuner_search("BayesianOptimization", repeat % tuning.SPLITS, repeat)
    return found | {"cpu_seconds": round(time.process_time() - begin, 1)}


def main(results=None, repeats=REPEATS):
    """Run the searches that the record lacks, and add a line for each; what was broken off goes on from there."""
    results = results or data_dir() / "results" / "tuning.jsonl"
    there = {line["repeat"] for line in read_lines(results)}
    for repeat in sorted(set(range(repeats)) - there):
        line = {"status": "experiment", "method": "BayesianOptimization", "repeat": repeat} | make(repeat)
        line |= {"date": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine()}
        with open(results, "a", encoding="utf-8") as lines:
            lines.write(json.dumps(line | {"versions": versions(VERSIONS)}) + "\n")
        print(f"search {repeat}: row {line['chosen']}, {line['cpu_seconds']} s", flush=True)


if __name__ == "__main__":
    main()
