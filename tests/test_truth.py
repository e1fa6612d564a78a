"""What the whole pipeline must find, and must not find, where the truth is known."""

import json

import pytest

from eegemo.config import find_experiments, load_experiment
from eegemo.execution import available_cpus
from eegemo.pipeline import run_experiments
from experiments import REPOSITORY, SHARED

QUICKSTART = REPOSITORY / "experiments" / "quickstart"
SSVEP = REPOSITORY / "experiments" / "bids" / "ssvep"


def scores(folder, results, *overrides):
    """Run both models of a folder of experiments; return each one's metrics by level."""
    files = find_experiments([folder])
    experiments = [load_experiment(file, overrides=overrides) for file in files]
    assert {one.model.name for one in experiments} == {"cnn_lstm", "cnn_gru"}
    done = run_experiments(experiments, results=results, jobs=available_cpus())
    return [json.loads((one / "metrics.json").read_text())["levels"] for one in done]


def assert_at_chance(levels):
    """The score lies in the central 95 % of what whole-trial label permutations give."""
    for level in ("window", "trial"):
        test = levels[level]["significance"]["permutation"]
        low, high = test["null_interval"]
        assert low <= levels[level]["total"]["balanced_accuracy"] <= high, (level, test)


def test_with_nothing_to_learn_whole_trials_are_at_chance(tmp_path):
    """Simulated data whose signals do not depend on the labels, with strong trial fingerprints."""
    small = ("data.effect=0.0", "data.fingerprint=0.9", "windows.stride=0.5", "training.epochs=3")
    small += (f"data.root={tmp_path}",)
    for levels in scores(QUICKSTART, tmp_path, *small):
        assert_at_chance(levels)


def test_real_eeg_with_a_label_in_it_is_classified(tmp_path):
    """Six runs of real SSVEP recordings, whole trials held out."""
    root = SHARED / "real-eeg" / "ssvep"
    if not root.is_dir():
        pytest.skip(f"the real SSVEP recordings are not there ({root})")
    short = (f"data.root={root}", "training.epochs=6", "split.n_splits=3")
    for levels in scores(SSVEP, tmp_path, *short):
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
