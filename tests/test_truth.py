"""What the whole pipeline must find, and must not find, where the truth is known."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from fitting import fit_fold
from scipy.stats import binom
from sklearn.metrics import balanced_accuracy_score

from eegemo.config import find_experiments, load_experiment
from eegemo.datasets import find_recordings
from eegemo.evaluation import predicted_classes
from eegemo.evaluation.statistics import shuffle_labels
from eegemo.execution import available_cpus
from eegemo.labels import make_labels
from eegemo.preprocessing import preprocess
from eegemo.runs.run import run_experiments
from eegemo.simulation import simulate_deap
from eegemo.splits import make_folds
from eegemo.trials import make_trials
from eegemo.windows import make_windows
from experiments import REPOSITORY, SHARED

QUICKSTART = REPOSITORY / "experiments" / "quickstart"
SSVEP = REPOSITORY / "experiments" / "bids" / "ssvep"


# both networks in the long run; the quicker one in the default run
MODELS = [("cnn_gru",), pytest.param(("cnn_lstm",), marks=pytest.mark.slow)]


def scores(folder, results, *overrides, models=("cnn_gru", "cnn_lstm")):
    """Run the models of a folder of experiments; return each one's metrics by level."""
    files = find_experiments([folder])
    found = [load_experiment(file, overrides=overrides) for file in files]
    experiments = [one for one in found if one.model.name in models]
    assert {one.model.name for one in experiments} == set(models)
    done = run_experiments(experiments, results=results, jobs=available_cpus())
    return [json.loads((one / "metrics.json").read_text())["levels"] for one in done]


def assert_at_chance(levels):
    """The score lies in the central 95 % of what whole-trial label permutations give."""
    for level in ("window", "trial"):
        test = levels[level]["significance"]["permutation"]
        low, high = test["null_interval"]
        assert low <= levels[level]["total"]["balanced_accuracy"] <= high, (level, test)


@pytest.mark.slow
@pytest.mark.parametrize("models", MODELS)
def test_with_nothing_to_learn_whole_trials_are_at_chance(tmp_path, models):
    """Simulated data whose signals do not depend on the labels, with strong trial fingerprints."""
    small = ("data.effect=0.0", "data.fingerprint=0.9", "windows.stride=0.5", "training.epochs=3")
    small += (f"data.root={tmp_path}",)
    for levels in scores(QUICKSTART, tmp_path, *small, models=models):
        assert_at_chance(levels)


@pytest.mark.parametrize("models", MODELS)
def test_real_eeg_with_a_label_in_it_is_classified(tmp_path, models):
    """Six runs of real SSVEP recordings, whole trials held out."""
    root = SHARED / "real-eeg" / "ssvep"
    if not root.is_dir():
        pytest.skip(f"the real SSVEP recordings are not there ({root})")
    short = (f"data.root={root}", "training.epochs=6", "split.n_splits=3")
    for levels in scores(SSVEP, tmp_path, *short, models=models):
        assert levels["window"]["total"]["balanced_accuracy"] >= 0.90


@pytest.mark.slow
def test_with_nothing_to_learn_the_full_quickstart_is_at_chance(tmp_path):
    nothing = ("data.effect=0.0", "data.fingerprint=0.9", f"data.root={tmp_path}")
    for levels in scores(QUICKSTART, tmp_path, *nothing):
        assert_at_chance(levels)


@pytest.mark.slow
def test_a_strong_effect_is_found(tmp_path):
    """The quickstart's simulated effect, with more epochs than the quickstart takes time for."""
    strong = ("data.effect=2.0", "training.epochs=15", f"data.root={tmp_path}")
    for levels in scores(QUICKSTART, tmp_path, *strong):
        assert levels["window"]["total"]["balanced_accuracy"] > 0.85
        assert levels["trial"]["total"]["balanced_accuracy"] > 0.85


@pytest.mark.slow
def test_the_shuffled_label_null_covers_chance_as_often_as_it_says(tmp_path):
    """Twenty simulated data sets without an effect; a model trained again on 19 shuffles of each.

    The run is one of twenty exchangeable scores, so it is the highest in 5 % of data sets, and in
    one of the extreme four (two on either side) in 20 %.
    """
    highest = extreme = 0
    n_sets, draws = 20, 19
    for seed in range(n_sets):
        release = tmp_path / str(seed)
        simulate_deap(
            release, n_subjects=4, n_trials=16, duration=4.0, effect=0.0, fingerprint=0.9, seed=seed
        )
        trials = make_trials(
            [
                preprocess(run.inst, baseline=(-3.0, 0.0))
                for recording in find_recordings("deap", release)
                for run in recording.read(eeg_only=True)
            ]
        )
        labels = make_labels(trials.metadata)
        rng = np.random.default_rng(seed)
        about = trials.metadata
        scores = []
        for draw in range(1 + draws):
            codes = labels.codes
            if draw:
                keys = about[["subject", "session"]]
                codes = shuffle_labels(codes, keys, about["stimulus"], rng)
            windows = make_windows(trials, replace(labels, codes=codes), duration=1.0, stride=1.0)
            folds = make_folds(windows.table, n_splits=3, validation=0, seed=seed)
            answers = pd.concat(
                fit_fold(windows, fold, model={"name": "band_power_logreg"}, number=k).predictions
                for k, fold in enumerate(folds)
            )
            scores.append(balanced_accuracy_score(answers["y_true"], predicted_classes(answers)))
        rank = int((np.array(scores[1:]) >= scores[0]).sum())
        highest += rank == 0
        extreme += rank in (0, 1, draws - 1, draws)
    # 99 % of binomial draws lie within
    assert highest <= binom.ppf(0.995, n_sets, 1 / (1 + draws))
    assert extreme <= binom.ppf(0.995, n_sets, 4 / (1 + draws))
