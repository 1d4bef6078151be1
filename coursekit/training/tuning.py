"""Searching for hyperparameters in a table that knows every answer, and what makes such searches comparable.

The table, `data/tuning_table.npz`, was made by `coursekit.experiments.tuning_table`: 864 settings of a small
network for digits, each trained on three splits. A search that reads its
trials off it costs milliseconds instead of minutes.
Keras Tuner and Optuna are imported where they are used.

Born in notebook 17.
"""

import contextlib
import io
import itertools
import json
import tempfile
from functools import cache
from pathlib import Path

import numpy as np

from coursekit.errors import DataRefused, TuningError
from coursekit.paths import data_dir, write_whole

EPOCHS, SPLITS, VALIDATION_IMAGES, TEST_IMAGES = 27, 3, 300, 997
LAYERS, UNITS, DROPOUTS = (1, 2, 3), (8, 16, 32, 64), (0.0, 0.25, 0.5)
OPTIMIZERS = (("adam", None), ("sgd", 0.0), ("sgd", 0.9))  # and the momentum, which only SGD has
RATES = tuple(10 ** (k / 2) for k in range(-7, 1))  # from 0.00032 to 1, each √10 times the one before


class TuningTable:
    """Every setting of the space, and how well the network did with it.

    settings:    864 dictionaries: layers, units, learning_rate, dropout, optimizer, and momentum if that is "sgd"
    validation:  (864, 3, 27) accuracy on the 300 validation images: setting, split, epoch
    test:        the same on the 997 test images
    """

    def __init__(self, right):
        """right: (3, 4, 3, 8, 3, 3, 27, 2), as `coursekit.experiments.tuning_table` makes it."""
        self.settings = []
        for layers, units, (optimizer, momentum), rate, dropout in itertools.product(
            LAYERS, UNITS, OPTIMIZERS, RATES, DROPOUTS
        ):
            setting = {"layers": layers, "units": units, "learning_rate": rate, "dropout": dropout}
            setting["optimizer"] = optimizer
            if momentum is not None:
                setting["momentum"] = momentum
            self.settings.append(setting)
        curves = right.reshape(len(self.settings), SPLITS, EPOCHS, 2)
        self.validation = curves[..., 0] / VALIDATION_IMAGES
        self.test = curves[..., 1] / TEST_IMAGES

    def number(self, values):
        """The row of a setting: its place in `settings`. Rates may be rounded; other names in `values` don't count.

        Raises TuningError for a setting that the table doesn't have.
        """
        try:
            sgd = values["optimizer"] == "sgd"
            pair = (values["optimizer"], float(values["momentum"]) if sgd else None)
            rate = 2 * np.log10(float(values["learning_rate"])) + 7
            if abs(rate - round(rate)) > 0.05 or not 0 <= round(rate) < len(RATES):
                raise ValueError(f"learning_rate {values['learning_rate']}")
            place = (
                LAYERS.index(values["layers"]), UNITS.index(values["units"]), OPTIMIZERS.index(pair), round(rate),
                DROPOUTS.index(values["dropout"]),
            )  # fmt: skip
        except (KeyError, ValueError, TypeError) as error:
            raise TuningError(f"the table has no such setting ({error}); its space is that of `tuning.space`") from None
        sizes = (len(LAYERS), len(UNITS), len(OPTIMIZERS), len(RATES), len(DROPOUTS))
        return int(np.ravel_multi_index(place, sizes))

    def coordinates(self):
        """(864, 6): each setting as numbers from 0 to 1, for models of the space; without momentum, 0 stands there."""
        rows = [
            [
                LAYERS.index(one["layers"]) / 2, UNITS.index(one["units"]) / 3,
                round(2 * np.log10(one["learning_rate"]) + 7) / 7, one["dropout"] / 0.5,
                float(one["optimizer"] == "sgd"), one.get("momentum", 0) / 0.9,
            ]
            for one in self.settings
        ]  # fmt: skip
        return np.array(rows)


@cache
def table():
    """The table of this course. Raises DataRefused where its file is cut or altered."""
    file = data_dir() / "tuning_table.npz"
    try:
        with np.load(file, allow_pickle=False) as kept:
            right = kept["right"]
        shape = (len(LAYERS), len(UNITS), len(OPTIMIZERS), len(RATES), len(DROPOUTS), SPLITS, EPOCHS, 2)
        if right.shape != shape or right[..., 0].max() > VALIDATION_IMAGES or right[..., 1].max() > TEST_IMAGES:
            raise ValueError("it holds something else")
    except Exception as error:
        raise DataRefused(f"{file.name} is refused ({error}); take it from the course's repository again") from error
    return TuningTable(right)


# --- Keras Tuner and Optuna on the table ------------------------------------------------------------------------------
def space(hp):
    """The table's space, declared to Keras Tuner; `hp` collects it, or holds the values of a trial."""
    hp.Int("layers", 1, 3)
    hp.Int("units", 8, 64, step=2, sampling="log")
    hp.Float("learning_rate", RATES[0], RATES[-1], step=10**0.5, sampling="log")
    hp.Float("dropout", 0.0, 0.5, step=0.25)
    hp.Choice("optimizer", ["adam", "sgd"])
    with hp.conditional_scope("optimizer", ["sgd"]):
        hp.Float("momentum", 0.0, 0.9, step=0.9)


def spread_grid(seed):
    """A coarse grid of 12 settings, {name: its values}: 3 spread rates by 2 widths by 2 optimizers, drawn by `seed`."""
    rng = np.random.default_rng(seed)
    grid = {"layers": [LAYERS[rng.integers(3)]], "units": list(UNITS[rng.integers(2) :: 2])}
    grid |= {"learning_rate": list(RATES[rng.integers(2) :: 3])[:3], "dropout": [DROPOUTS[rng.integers(3)]]}
    optimizers = [OPTIMIZERS[i] for i in sorted(rng.choice(3, 2, replace=False))]
    grid["optimizer"] = sorted({name for name, _ in optimizers})
    grid["momentum"] = [momentum for _, momentum in optimizers if momentum is not None]
    return grid


def settings_of(grid):
    """All settings of a grid such as `spread_grid` gives it: a list of dictionaries; only SGD has a momentum."""
    names = [name for name in grid if name != "momentum"]
    found = []
    for values in itertools.product(*(grid[name] for name in names)):
        setting = dict(zip(names, values, strict=True))
        momenta = grid.get("momentum", []) if setting.get("optimizer") == "sgd" else [None]
        found += [setting if momentum is None else setting | {"momentum": momentum} for momentum in momenta]
    return found


def rounded(setting):
    """A setting with its learning rate rounded to two digits, to be shown."""
    return {name: float(f"{value:.2g}") if name == "learning_rate" else value for name, value in setting.items()}


def table_tuner(kind):
    """A class of Keras Tuner ("RandomSearch", "Hyperband", ...) whose trials read the table instead of training.

    An object of it has `split`, whose results it reads (0 unless set), and `spent`, the epochs that its trials took.
    """
    import keras_tuner

    class TableTuner(getattr(keras_tuner, kind)):
        split, spent = 0, 0

        def run_trial(self, trial, **fit_arguments):
            values = trial.hyperparameters.values
            last, first = values.get("tuner/epochs", EPOCHS), values.get("tuner/initial_epoch", 0)
            self.spent += last - first
            return {"val_accuracy": float(table().validation[table().number(values), self.split, last - 1])}

    return TableTuner


def keras_tuner_search(kind, split, seed, trials=14, folder=None, **settings):
    """One search by Keras Tuner in the table: a dictionary with `chosen`, the row of the best trial, and `epochs`.

    kind:    "RandomSearch", "Hyperband" (one iteration, with its own number of trials), "BayesianOptimization" (6
             random trials first) or "GridSearch" (over `spread_grid`)
    folder:  where the search keeps its files; else a folder that is removed
    """
    import keras_tuner

    space_of_search = keras_tuner.HyperParameters()
    if kind == "GridSearch":
        for name, values in spread_grid(seed).items():
            conditional = [("optimizer", ["sgd"])] if name == "momentum" else []
            with contextlib.ExitStack() as scopes:
                for condition in conditional:
                    scopes.enter_context(space_of_search.conditional_scope(*condition))
                space_of_search.Choice(name, values)
    else:
        space(space_of_search)
    settings = {
        "Hyperband": {"max_epochs": EPOCHS, "factor": 3},
        "BayesianOptimization": {"max_trials": trials, "num_initial_points": 6},
    }.get(kind, {"max_trials": trials}) | settings
    with tempfile.TemporaryDirectory() as temporary:
        tuner = table_tuner(kind)(
            objective=keras_tuner.Objective("val_accuracy", "max"), hyperparameters=space_of_search, seed=seed + 1,
            directory=folder or temporary, project_name="search", **settings,
        )  # fmt: skip
        tuner.split = split
        tuner.search(verbose=0)
        best = tuner.oracle.get_best_trials()[0].hyperparameters.values
    return {"chosen": table().number(best), "epochs": tuner.spent}


def optuna_search(setting_of, split, seed, trials=14):
    """One search by Optuna's TPE in the table, 6 of its trials at random: {"chosen": a row, "epochs": spent}.

    setting_of: a function that asks a trial of Optuna for a setting.
    """
    import optuna

    def objective(trial):
        trial.set_user_attr("row", table().number(setting_of(trial)))
        return table().validation[trial.user_attrs["row"], split, -1]

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=6)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.optimize(objective, n_trials=trials)
    return {"chosen": study.best_trial.user_attrs["row"], "epochs": trials * EPOCHS}


def bayesian_record():
    """{"chosen": rows, "test": their accuracies, "cpu_seconds": each search's}: Keras Tuner's BayesianOptimization.

    Made by `coursekit.experiments.tuning_searches`, with the splits and seeds of the page: search i has split i mod 3.
    """
    lines = (data_dir() / "results" / "tuning.jsonl").read_text(encoding="utf-8").splitlines()
    lines = sorted((json.loads(line) for line in lines if line.strip()), key=lambda line: line["repeat"])
    chosen = [line["chosen"] for line in lines]
    test = np.array([table().test[row, i % SPLITS, -1] for i, row in enumerate(chosen)])
    return {"chosen": chosen, "test": test, "cpu_seconds": [line["cpu_seconds"] for line in lines]}


# --- searches that are interrupted, and that several processes share --------------------------------------------------
def declared(space):
    """The `keras_tuner.HyperParameters` that the function `space` declares.

    Raises TuningError where there is nothing to choose: no value at all, a choice without values, an empty range.
    """
    import keras_tuner

    class Declared(keras_tuner.HyperParameters):
        def Choice(self, name, values, *rest, **more):
            if not len(values):
                raise TuningError(f"{name!r} has no value to choose from; give its Choice one value or more")
            return super().Choice(name, values, *rest, **more)

    found = Declared()
    try:
        space(found)
    except (TypeError, ValueError) as error:
        if isinstance(error, TuningError):
            raise
        raise TuningError(f"the space can't be declared: {' '.join(str(error).split())}") from error
    if not found.space:
        raise TuningError("the space has no hyperparameter; declare one with hp.Int, hp.Float or hp.Choice")
    plain = keras_tuner.HyperParameters()
    plain.merge(found)
    return plain


def open_search(kind, space, folder, *, trials=14, seed=1):
    """A search in the table that can be left and taken up: a tuner of Keras Tuner that keeps its files in `folder`.

    kind:    "RandomSearch", "BayesianOptimization" or "GridSearch", or a class made from `table_tuner` of one of them
    space:   a function that declares the space
    trials:  how many trials it has in all; seed: a whole number above 0
    Raises TuningError where the folder holds another search; nothing in it is changed then.
    """
    import keras_tuner

    tuner_class = table_tuner(kind) if isinstance(kind, str) else kind
    hyperparameters = declared(space)
    kinds = [one.__name__ for one in tuner_class.__mro__ if one.__module__.startswith("keras_tuner")]
    mark = {"kind": kinds[0], "space": hyperparameters.get_config()["space"], "trials": trials, "seed": seed}
    mark = json.loads(json.dumps(mark))
    folder = Path(folder)
    file = folder / "search.json"
    # Listed first: whoever else opens this search writes its mark before all the rest.
    rest = [one for one in folder.glob("*") if not one.name.startswith((".", "search.json"))]
    if file.is_file():
        there = json.loads(file.read_text(encoding="utf-8"))
        other = [name for name in mark if there.get(name) != mark[name]]
        if other:
            what = f"{' and '.join(other)} {'differ' if len(other) > 1 else 'differs'}"
            raise TuningError(f"the folder {folder} holds another search (its {what}); take another folder")
    elif rest:
        raise TuningError(f"the folder {folder} holds something else than a search of `open_search`; take another one")
    write_whole(file, json.dumps(mark))
    with contextlib.redirect_stdout(io.StringIO()):  # "Reloading Tuner from ..."
        return tuner_class(
            objective=keras_tuner.Objective("val_accuracy", "max"), hyperparameters=hyperparameters, seed=seed,
            max_trials=trials, directory=str(folder), project_name="trials",
        )  # fmt: skip


def trials_in(folder):
    """{number of a trial: {"status", "setting", "score"}} of a search, as its files have it, in the trials' order."""
    found = {}
    for file in sorted(Path(folder).glob("trials/trial_*/trial.json")):
        with contextlib.suppress(json.JSONDecodeError):  # just being written
            trial = json.loads(file.read_text(encoding="utf-8"))
            values = trial["hyperparameters"]["values"]
            found[int(trial["trial_id"])] = {"status": trial["status"], "setting": values, "score": trial["score"]}
    return found
