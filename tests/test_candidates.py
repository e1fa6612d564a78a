"""Repeats, choices inside the training part, and the baseline beside a network.

All with the baseline as the model: it takes no Keras and milliseconds.
"""

import json
import re
from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest
from fitting import candidate, fit_fold
from test_training import rhythms

from eegemo.config import parse_experiment
from eegemo.errors import ConfigError, DataError
from eegemo.evaluation import read_predictions
from eegemo.features import BandPower, compute_band_powers
from eegemo.features.stored import store_features
from eegemo.models.band_power import baseline_for
from eegemo.runs.run import run_experiment
from eegemo.scaling import fit_scaling
from eegemo.splits import make_folds, make_repeats, split_seed
from eegemo.training import choose, fit_candidates
from eegemo.training.candidates import score_validation
from eegemo.windows import make_windows
from experiments import tiny

MODEL = {"name": "band_power_logreg", "bands": [[4.0, 10.0], [10.0, 20.0]]}
CHEAP = "model={name: band_power_logreg, bands: [[4.0, 8.0], [8.0, 13.0]]}"


@pytest.fixture(scope="module")
def windows():
    return rhythms()


@pytest.fixture(scope="module")
def fold(windows):
    return make_folds(windows.table, n_splits=3, validation=0.25)[0]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


def candidates(*strengths):
    return [candidate({"model.C": c}, MODEL | {"C": c}, {"epochs": 1}) for c in strengths]


def test_the_baseline_tells_rhythms_apart(windows, fold):
    fitted = fit_fold(windows, fold, model=MODEL)
    answer = fitted.predictions[["p_slow", "p_fast"]].to_numpy().argmax(axis=1)
    assert (np.array(["slow", "fast"])[answer] == fitted.predictions["y_true"]).mean() > 0.95
    assert len(fitted.history) == fitted.best_epoch == 1


@pytest.mark.parametrize("fit", ["training", "subject", "trial", "window"])
def test_features_made_once_are_those_of_scaled_windows(windows, fold, fit):
    """Scaling adds the logarithm of a gain to log power; float32 features round at 1e-6."""
    scaling = fit_scaling(windows, fold.train, steps=["zscore", "minmax"], fit=fit)
    power = BandPower(windows.trials.sfreq, bands=MODEL["bands"])
    features = compute_band_powers(windows, np.arange(len(windows)), power).astype(np.float32)
    once, anew = (
        fit_fold(windows, fold, model=MODEL, scaling=scaling, features=given)
        for given in (features, None)
    )
    np.testing.assert_allclose(
        once.predictions.filter(like="p_"), anew.predictions.filter(like="p_"), atol=1e-4
    )


def test_the_choice_is_the_best_on_validation_and_has_not_seen_the_test_part(windows, fold):
    tried = candidates(1e-6, 1e-2, 1.0)
    scaling = fit_scaling(windows, fold.train)
    fitted, choice = fit_candidates(windows, fold, candidates=tried, scaling=scaling)
    alone = [
        fit_fold(windows, fold, model=one.model, scaling=scaling, **asdict(one.training))
        for one in tried
    ]
    scores = [score_validation(one.validation) for one in alone]
    assert [{name: one[name] for name in scores[0]} for one in choice["candidates"]] == scores
    assert choice["chosen"] == int(np.argmin([one["loss"] for one in scores]))
    pd.testing.assert_frame_equal(fitted.predictions, alone[choice["chosen"]].predictions)
    # the same choice, to the last digit, where the test trials are another's
    array, tested = windows.trials.arrays[0].copy(), np.unique(windows.trial[fold.test])
    array[tested] = 1e3
    codes = windows.labels.codes.copy()
    codes[tested] = 0  # one class, so that weights of classes would change if these counted
    spoiled = replace(
        windows,
        trials=replace(windows.trials, arrays=(array,)),
        labels=replace(windows.labels, codes=codes),
    )
    blind = fit_candidates(spoiled, fold, candidates=tried, scaling=scaling)[1]
    for one in (*blind["candidates"], *choice["candidates"]):
        del one["seconds"]
    assert blind == choice


def test_scores_of_validation_agree_with_scikit_learn(windows, fold):
    from sklearn.metrics import balanced_accuracy_score, log_loss

    table = fit_fold(windows, fold, model=MODEL | {"C": 1e-3}).validation
    p = table[["p_slow", "p_fast"]].to_numpy(float)
    p /= p.sum(axis=1, keepdims=True)  # stored in float32
    code = (table["y_true"] == "fast").to_numpy().astype(int)
    weight = 1 / np.bincount(code)[code]
    scores = score_validation(table)
    assert scores["loss"] == pytest.approx(log_loss(code, p, sample_weight=weight), rel=1e-6)
    assert scores["balanced_accuracy"] == balanced_accuracy_score(code, p.argmax(axis=1))


def test_choosing_needs_a_validation_part_and_takes_the_first_of_equals(windows):
    bare = make_folds(windows.table, n_splits=3, validation=0)[0]
    scaling = fit_scaling(windows, bare.train)
    with pytest.raises(DataError, match="no validation set to choose by"):
        fit_candidates(windows, bare, candidates=candidates(0.1, 1.0), scaling=scaling)
    fitted, choice = fit_candidates(windows, bare, candidates=candidates(0.1), scaling=scaling)
    assert choice is None
    assert fitted.validation.empty
    scores = [{"loss": 1.0, "balanced_accuracy": 0.5}, {"loss": 1.0, "balanced_accuracy": 0.5}]
    assert choose(scores) == choose(scores, metric="balanced_accuracy") == 0


@pytest.mark.slow
def test_a_run_with_repeats_and_a_choice_stores_both(root, tmp_path):
    experiment = tiny(
        root, CHEAP, "repeats=2", "choice={grid: {model.C: [0.01, 1.0]}, metric: balanced_accuracy}"
    )
    result = run_experiment(experiment, results=tmp_path)
    predictions = read_predictions(result / "predictions.parquet")
    assert not predictions.duplicated(["repeat", "subject", "trial", "start"]).any()
    first, second = predictions.groupby("repeat").size()
    assert first == second
    assert predictions.groupby("fold")["repeat"].first().tolist() == [0, 0, 1, 1]
    records = [json.loads((result / "folds" / str(k) / "fold.json").read_text()) for k in range(4)]
    assert [one["repeat"] for one in records] == [0, 0, 1, 1]
    assert len({one["seeds"]["model"] for one in records}) == 4
    seeds = [one["seeds"]["split"] for one in records]
    assert seeds == [0, 0, split_seed(0, 1), split_seed(0, 1)]
    for one in records:
        choice = one["choice"]
        assert [c["settings"] for c in choice["candidates"]] == [
            {"model.C": 0.01},
            {"model.C": 1.0},
        ]
        best = max(c["balanced_accuracy"] for c in choice["candidates"])
        assert choice["candidates"][choice["chosen"]]["balanced_accuracy"] == best
    assert not list(result.rglob("checkpoint*"))
    # a run without repeats is the first repeat
    single = run_experiment(experiment.model_copy(update={"repeats": 1}), results=tmp_path)
    first = predictions[predictions["repeat"] == 0].reset_index(drop=True)
    pd.testing.assert_frame_equal(read_predictions(single / "predictions.parquet"), first)


@pytest.mark.slow
def test_the_baseline_of_a_run_is_the_run_of_the_baseline(root, tmp_path):
    network = run_experiment(tiny(root, "training.epochs=1"), results=tmp_path)
    bands = json.loads((network / "provenance.json").read_text())["baseline"]["bands"]
    experiment = tiny(root, f"model={{name: band_power_logreg, bands: {bands}}}")
    alone = run_experiment(experiment, results=tmp_path)
    assert not (alone / "baseline.parquet").exists()
    pd.testing.assert_frame_equal(
        read_predictions(network / "baseline.parquet"),
        read_predictions(alone / "predictions.parquet"),
    )
    assert read_predictions(network / "validation.parquet")["fold"].unique().tolist() == [0, 1]


def test_every_repeat_deals_trials_anew_and_the_first_is_the_plain_split(windows):
    folds = make_repeats(windows.table, repeats=3, seed=5, n_splits=2)
    plain = make_folds(windows.table, seed=5, n_splits=2)
    for one, other in zip(folds, plain, strict=False):
        np.testing.assert_array_equal(one.test, other.test)
    assert [fold.name for fold in folds] == ["1", "2", "r2-1", "r2-2", "r3-1", "r3-2"]
    tests = {fold.test.tobytes() for fold in folds}
    assert len(tests) == 6
    with pytest.raises(DataError, match="repeats must be at least 1"):
        make_repeats(windows.table, repeats=0)


def test_bands_of_the_baseline_are_those_that_windows_resolve(windows, tmp_path):
    # 64 Hz: nothing above 32 Hz is measured; windows of one second resolve 1 Hz
    assert baseline_for(windows).bands == [[4.0, 8.0], [8.0, 13.0], [13.0, 30.0], [30.0, 32.0]]
    brief = replace(windows, n_times=10)  # 0.16 s resolve 6.4 Hz
    assert baseline_for(brief).bands == [[13.0, 30.0]]
    assert baseline_for(replace(windows, n_times=3)) is None
    file = store_features(windows, "data", [[4.0, 8.0]], tmp_path)
    again = store_features(windows, "data", [[4.0, 8.0]], tmp_path)
    assert file == again
    assert np.load(file).shape == (len(windows), 2)
    assert store_features(windows, "other", [[4.0, 8.0]], tmp_path) != file
    others = {
        "bands": (windows, [[4.0, 9.0]]),
        "first": (replace(windows, first=windows.first[::-1]), [[4.0, 8.0]]),
        "trial": (replace(windows, trial=windows.trial[::-1]), [[4.0, 8.0]]),
        "n_times": (replace(windows, n_times=32), [[4.0, 8.0]]),
    }
    files = {store_features(*other[:1], "data", *other[1:], tmp_path) for other in others.values()}
    assert len(files | {file}) == 5
    whole = np.load(file)
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    np.testing.assert_array_equal(
        np.load(store_features(windows, "data", [[4.0, 8.0]], tmp_path)), whole
    )


def test_stored_features_are_those_of_each_window_in_its_place(tmp_path):
    """More windows than are computed at a time."""
    windows = make_windows(rhythms().trials, rhythms().labels, duration=0.5, stride=1 / 64)
    assert len(windows) > 3000
    file = store_features(windows, "data", [[4.0, 8.0], [8.0, 16.0]], tmp_path)
    power = BandPower(windows.trials.sfreq, bands=[(4.0, 8.0), (8.0, 16.0)])
    expected = compute_band_powers(windows, np.arange(len(windows)), power)
    np.testing.assert_allclose(np.load(file), expected, rtol=1e-5, atol=1e-5)


TEN = list(range(1, 11))
BASE = """
name: a
data: {source: deap, root: data/deap}
model: {name: cnn_lstm, filters: [8]}
"""


@pytest.mark.parametrize(
    ("choice", "says"),
    [
        ("{}", "give either grid"),
        ("{grid: {model.units: [1]}, settings: [{model.units: 1}, {}]}", "give either grid"),
        ("{grid: {model.units: [4]}}", "expected 2 to 64 settings to choose among, found 1"),
        ("{grid: {model.units: [4, 4]}}", "the same settings occur twice"),
        ("{grid: {split.n_splits: [4, 5]}}", "only keys of model and training"),
        ("{grid: {units: [4, 5]}}", "only keys of model and training"),
        ("{grid: {model.unitz: [4, 5]}}", "choice: {'model.unitz': 4}: model.unitz"),
        ("{grid: {model.units: [4, many]}}", "choice: {'model.units': 'many'}: model.units"),
        ("{settings: [{training.epochs: 1}]}", "expected a list of at least 2"),
        ("{gird: {model.units: [4, 5]}}", "did you mean 'grid'"),
        (f"{{grid: {{model.units: {TEN}, model.kernel_size: {TEN}}}}}", "more than 64"),
    ],
)  # fmt: skip
def test_a_choice_that_cannot_be_made_is_refused(choice, says):
    with pytest.raises(ConfigError, match=re.escape(says)):
        parse_experiment(f"{BASE}choice: {choice}\n")


def test_a_choice_needs_validation_and_reads_back_from_its_own_file():
    with pytest.raises(ConfigError, match="choice needs a validation set"):
        parse_experiment(
            f"{BASE}choice: {{grid: {{model.units: [4, 8]}}}}\nsplit: {{validation: 0.0}}\n"
        )
    grid = "{grid: {model.units: [4, 8], training.epochs: [1, 2]}}"
    experiment = parse_experiment(f"{BASE}choice: {grid}\n")
    settings = [settings for settings, _ in experiment.candidates()]
    assert settings == [{"model.units": u, "training.epochs": e} for u in (4, 8) for e in (1, 2)]
    assert parse_experiment(experiment.to_yaml()) == experiment


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("{name: band_power_logreg, units: 3}", "no such key; there are name, bands"),
        ("{name: cnn_lstm, C: 1.0}", "model.C: there is no such key"),
        ("{name: band_power_logreg, bands: []}", "model.bands: expected a list of at least 1"),
        ("{name: band_power_logrec}", "did you mean 'band_power_logreg'?"),
        ("{units: 3}", "model.name: this key is missing"),
        ("cnn_lstm", "model: expected a section of keys, found the text 'cnn_lstm'"),
    ],
)  # fmt: skip
def test_each_kind_of_model_has_its_own_keys(model, says):
    with pytest.raises(ConfigError, match=re.escape(says)):
        parse_experiment(f"name: a\ndata: {{source: deap, root: d}}\nmodel: {model}\n")
