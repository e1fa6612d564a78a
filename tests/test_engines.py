"""Every engine learns the same from the same experiment file.

One after the other in this process, in processes, and on Dask's workers: to the bit. All folds at
once, which needs Keras on JAX: but for rounding. A process has one back end of Keras, so what needs
another one than this runs in a process of its own (`test_backends.py`).
"""

from functools import partial

import keras
import numpy as np
import pandas as pd
import pytest

from eegemo.evaluation import read_predictions
from eegemo.execution.dask import open_runner
from eegemo.models.keras.loading import load_model
from eegemo.runs.run import run_experiments
from experiments import tiny

# What all folds at once may differ by. Sums of single precision in another order, carried through
# some dozen steps of Adam, whose first steps divide small gradients by themselves.
LOSS, WEIGHT = 5e-6, 2e-4
SMALL = ["data.n_subjects=2", "data.n_trials=8"]
CHOICE = ["training.schedule=cosine", "choice={grid: {training.learning_rate: [0.001, 0.02]}}"]
slow, on_jax = pytest.mark.slow, keras.backend.backend() == "jax"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Give a function that runs an experiment by an engine, and returns the result's folder."""
    root, done = tmp_path_factory.mktemp("engines"), {}

    def run(engine, jobs, *overrides):
        experiment = tiny(root / "data", *SMALL, *overrides)
        place = root / f"{engine}-{jobs}-{len(overrides)}"
        if place not in done:
            with open_runner(engine, jobs=jobs) as (runner, n):
                (done[place],) = run_experiments(
                    [experiment],
                    results=place,
                    store=root / "store",
                    jobs=n,
                    report=False,
                    runner=runner,
                    engine="together" if engine == "together" else "local",
                )
        return done[place]

    return run


def read_predicted(folder):
    return {file.name: read_predictions(file) for file in folder.glob("*.parquet")}


def read_learned(folder):
    """Return the histories of folds, without times, and the weights."""
    histories, weights = [], []
    for fold in sorted(folder.glob("folds/*")):
        histories.append(pd.read_csv(fold / "history.csv").drop(columns="seconds"))
        weights.append(load_model(fold / "model.keras").get_weights())
    return histories, weights


def assert_same(one, other, loss, weight):
    """Compare two result folders; a tolerance of 0 means to the bit."""
    predicted = [read_predicted(folder) for folder in (one, other)]
    assert set(predicted[0]) == set(predicted[1]) == {"predictions.parquet", "validation.parquet"}
    compare = partial(pd.testing.assert_frame_equal, rtol=0)
    for name, table in predicted[0].items():
        compare(predicted[1][name], table, atol=weight, check_exact=not weight)
    for history, found in zip(*(read_learned(folder)[0] for folder in (one, other)), strict=True):
        compare(found, history, atol=loss, check_exact=not loss)
    for weights, found in zip(*(read_learned(folder)[1] for folder in (one, other)), strict=True):
        assert len(weights) > 0
        for a, b in zip(weights, found, strict=True):
            np.testing.assert_allclose(b, a, rtol=0, atol=weight)


# every process loads TensorFlow, which takes most of the time
@slow
@pytest.mark.parametrize(("engine", "jobs"), [("local", 1), ("local", 2), ("dask", 2)])
def test_processes_and_workers_learn_what_this_process_learns_to_the_bit(run, engine, jobs):
    assert_same(run("local", 0), run(engine, jobs), loss=0, weight=0)


@slow
@pytest.mark.skipif(not on_jax, reason="all folds at once needs Keras on JAX")
@pytest.mark.parametrize("overrides", [[], CHOICE], ids=["plain", "choice and cosine"])
def test_all_folds_at_once_learn_what_one_after_the_other_learns(run, overrides):
    folders = [run(engine, 0, *overrides) for engine in ("local", "together")]
    assert_same(*folders, loss=LOSS, weight=WEIGHT)
    records = [
        [pd.read_json(folder / f"folds/{k}/fold.json", typ="series") for k in (0, 1)]
        for folder in folders
    ]
    for alone, at_once in zip(*records, strict=True):
        assert alone["made_with"]["folds_at_once"] == 1
        assert at_once["made_with"]["folds_at_once"] == 2
        if overrides:
            assert alone["choice"]["chosen"] == at_once["choice"]["chosen"]
