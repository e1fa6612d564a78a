"""Each part of a fold has one role: what is learned, watched and tested comes from its own windows.

Every number of a fit is held against windows that are picked here, by hand, from the fold.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from fitting import candidate, files_of, fit_fold
from sklearn.metrics import accuracy_score, log_loss
from test_training import rhythms

from eegemo.errors import DataError, LeakageError
from eegemo.scaling import fit_scaling
from eegemo.splits import Fold, make_folds
from eegemo.training import fit_candidates, predict_windows
from eegemo.windows import make_windows

NETWORK = {"name": "cnn_gru", "filters": [4], "units": 4, "dense": [], "dropout": 0.0}
BASELINE = {"name": "band_power_logreg", "bands": [[4.0, 10.0], [10.0, 20.0]]}
MODELS = pytest.mark.parametrize("model", [NETWORK, BASELINE], ids=["network", "baseline"])
P = ["p_slow", "p_fast"]
ROWS = ["subject", "session", "trial", "start", "y_true"]


def make_uneven():
    """Make trials of which two in three are fast, so that weights of classes differ."""
    windows = rhythms()
    codes = np.array([0, 1, 1] * 8)
    return replace(windows, labels=replace(windows.labels, codes=codes))


def divide(windows):
    """Make parts of different sizes, training and validation with different shares of classes."""
    trial = windows.trial
    train, held = np.flatnonzero(trial < 13), np.flatnonzero((trial >= 13) & (trial < 18))
    return Fold("by hand", train, held, np.flatnonzero(trial >= 18), repeat=2)


@pytest.fixture(scope="module")
def windows():
    return make_uneven()


@pytest.fixture(scope="module")
def fold(windows):
    return divide(windows)


def spoiled(windows, rows, code):
    """Return the same windows, with other signals and one class in the trials of `rows`."""
    array, codes = windows.trials.arrays[0].copy(), windows.labels.codes.copy()
    trials = np.unique(windows.trial[rows])
    array[trials] = 1e-5 * np.random.default_rng(1).normal(size=array[trials].shape)
    codes[trials] = code
    return replace(
        windows,
        trials=replace(windows.trials, arrays=(array,)),
        labels=replace(windows.labels, codes=codes),
    )


def relabelled(windows, fold):
    """Return the same windows, with the other class in each validation trial."""
    codes = windows.labels.codes.copy()
    trials = np.unique(windows.trial[fold.validation])
    codes[trials] = 1 - codes[trials]
    return replace(windows, labels=replace(windows.labels, codes=codes))


def fit(windows, fold, model, **options):
    return fit_fold(windows, fold, model=model, **({"epochs": 1, "batch_size": 16} | options))


def learned(fitted):
    if hasattr(fitted.model, "network"):
        return fitted.model.network.get_weights()
    return [fitted.model.pipeline[-1].coef_, fitted.model.pipeline[-1].intercept_]


def assert_same(first, second):
    for a, b in zip(learned(first), learned(second), strict=True):
        np.testing.assert_array_equal(a, b)
    for name in ("loss", "accuracy"):
        assert first.history[name].tolist() == second.history[name].tolist()


def balanced(codes):
    """Weights that give each class the same sum, averaging 1."""
    return len(codes) / (2 * np.bincount(codes, minlength=2))


# --- what is learned from ------------------------------------------------------------------------


@MODELS
@pytest.mark.parametrize("code", [0, 1])
def test_one_epoch_learns_nothing_from_validation_and_test(windows, fold, model, code):
    """All classes there are made one, so that weights of classes would change if they counted."""
    rows = np.concatenate([fold.validation, fold.test])
    assert_same(fit(windows, fold, model), fit(spoiled(windows, rows, code), fold, model))


@MODELS
def test_a_single_training_trial_of_another_class_is_noticed(windows, fold, model):
    """The other way round: the last training trial, too, is learned from."""
    last = fold.train[windows.trial[fold.train] == windows.trial[fold.train].max()]
    # neither scaling nor weights of classes may be what tells them apart
    options = {"scaling": fit_scaling(windows, fold.validation), "class_weight": "none"}
    first, second = (fit(spoiled(windows, last, code), fold, model, **options) for code in (0, 1))
    assert any((a != b).any() for a, b in zip(learned(first), learned(second), strict=True))


@MODELS
def test_scaling_that_is_not_given_is_that_of_the_training_windows(windows, fold, model):
    scaling = fit(windows, fold, model).scaling
    expected = fit_scaling(windows, fold.train, steps=["zscore", "minmax"], fit="training")
    np.testing.assert_array_equal(scaling.gain, expected.gain)
    np.testing.assert_array_equal(scaling.offset, expected.offset)
    assert (scaling.steps, scaling.fit) == (expected.steps, expected.fit)


@MODELS
@pytest.mark.parametrize("class_weight", ["balanced", "none"])
def test_losses_are_those_of_each_part(windows, fold, model, class_weight):
    """A network that does not learn has the losses of its first weights, window by window."""
    scaling = fit_scaling(windows, fold.train, steps=["zscore"], fit="trial")
    options = {"scaling": scaling, "learning_rate": 0.0, "class_weight": class_weight}
    fitted = fit(windows, fold, model, **options)
    weights = np.ones(2)
    if class_weight == "balanced":
        weights = balanced(windows.codes[fold.train])
    known = {"": fold.train, "val_": fold.validation}
    for prefix, rows in known.items() if model is NETWORK else [("", fold.train)]:
        # not by the function that is used within: each window with the scaling of its trial
        x = scaling.transform(windows.gather(rows), scaling.unit_of(windows)[rows])
        network = model is NETWORK
        own = fitted.model.network if network else fitted.model.pipeline
        p = (own.predict_on_batch(x) if network else own.predict_proba(x)).astype(float)
        np.testing.assert_allclose(
            predict_windows(fitted.model, windows, rows, scaling), p, atol=1e-4
        )
        code = windows.codes[rows]
        weight = weights[code]
        loss = log_loss(code, p / p.sum(axis=1, keepdims=True), sample_weight=weight)
        # Keras divides by the number of windows, not by their weight; in single precision
        if model is NETWORK:
            loss *= weight.mean()
        row = fitted.history.iloc[0]
        assert row[f"{prefix}loss"] == pytest.approx(loss, rel=1e-4)
        right = accuracy_score(code, p.argmax(axis=1), sample_weight=weight)
        assert row[f"{prefix}accuracy"] == pytest.approx(right, rel=1e-4)


def test_the_optimizer_makes_a_step_for_each_batch_of_training_windows(windows, fold):
    fitted = fit(windows, fold, NETWORK, epochs=2)
    steps = int(fitted.model.network.optimizer.iterations.numpy())
    assert steps == 2 * int(np.ceil(len(fold.train) / 16))


# --- what is watched -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def contrary(windows, fold):
    """Give validation trials the other class: its loss rises while that of training falls."""
    return relabelled(windows, fold)


# of such a training the rate is halved after three epochs, and it ends after six
PLATEAU = {"schedule": "plateau", "learning_rate": 0.02, "patience": 6, "epochs": 8}


def halved_rates(losses):
    """Follow the rule by hand: the rate of each epoch if these losses are watched."""
    best, waited, rate, rates = np.inf, 0, PLATEAU["learning_rate"], []
    for loss in losses:
        rates.append(rate)
        best, waited = (loss, 0) if loss < best else (best, waited + 1)
        if waited == PLATEAU["patience"] // 2:
            rate, waited = rate / 2, 0
    return rates


def test_the_plateau_schedule_and_the_best_epoch_watch_the_validation_loss(contrary, fold):
    fitted = fit(contrary, fold, NETWORK, **PLATEAU)
    history = fitted.history
    assert fitted.best_epoch == history["val_loss"].argmin() + 1
    assert len(history) == min(fitted.best_epoch + PLATEAU["patience"], PLATEAU["epochs"])
    rates = halved_rates(history["val_loss"])
    np.testing.assert_allclose(history["learning_rate"], rates, rtol=1e-6)
    assert rates != halved_rates(history["loss"])  # so that it says which loss is watched


# --- what is predicted ---------------------------------------------------------------------------


@MODELS
def test_predictions_are_of_the_windows_of_their_part(windows, fold, model):
    fitted = fit(windows, fold, model, number=7)
    for table, rows in ((fitted.predictions, fold.test), (fitted.validation, fold.validation)):
        expected = windows.table.iloc[rows].reset_index(drop=True)
        expected["y_true"] = np.array(["slow", "fast"])[windows.codes[rows]]
        pd.testing.assert_frame_equal(
            table[ROWS], expected[ROWS], check_dtype=False, check_categorical=False
        )
        assert table["fold"].unique().tolist() == [7]
        assert table["repeat"].unique().tolist() == [fold.repeat]
        p = predict_windows(fitted.model, windows, rows, fitted.scaling)
        np.testing.assert_array_equal(table[P].to_numpy(np.float32), p)


def test_a_choice_goes_by_validation_windows_as_scikit_learn_scores_them(
    windows, contrary, fold, tmp_path
):
    """Held against windows picked here, not against another fit by the same code."""
    strengths = (1e-4, 1e-2, 1.0)
    tried = [candidate({"model.C": c}, BASELINE | {"C": c}, {"epochs": 1}) for c in strengths]
    scaling = fit_scaling(windows, fold.train)
    chosen = []
    for those in (windows, contrary):
        options = {"scaling": scaling, "number": 3, "files": files_of(tmp_path / "history.csv")}
        fitted, choice = fit_candidates(those, fold, candidates=tried, **options)
        codes = those.codes[fold.validation]
        alone = [fit(those, fold, attempt.model, scaling=scaling) for attempt in tried]
        losses = []
        for fitted_alone, record in zip(alone, choice["candidates"], strict=True):
            p = predict_windows(fitted_alone.model, those, fold.validation, scaling).astype(float)
            p /= p.sum(axis=1, keepdims=True)
            losses.append(log_loss(codes, p, sample_weight=balanced(codes)[codes]))
            assert record["loss"] == pytest.approx(losses[-1], rel=1e-5)
            assert (record["epochs"], record["best_epoch"]) == (1, 1)
        assert choice["chosen"] == int(np.argmin(losses))
        chosen.append(choice["chosen"])
        best = alone[choice["chosen"]]
        assert_same(fitted, best)
        p = predict_windows(best.model, those, fold.test, scaling)
        np.testing.assert_array_equal(fitted.predictions[P].to_numpy(np.float32), p)
        assert fitted.predictions["fold"].unique().tolist() == [3]
        written = pd.read_csv(tmp_path / "history.csv")
        assert written["loss"].tolist() == pytest.approx(best.history["loss"].tolist())
    # where validation says the opposite, the opposite is chosen
    assert chosen == [2, 0]


# --- folds that leak -----------------------------------------------------------------------------


def moved(fold, source, target, n=1):
    """Take the first windows of a part into another one as well, or instead."""
    parts = fold.parts()
    rows, parts[source] = parts[source][:n], parts[source][n:]
    parts[target] = np.sort(np.concatenate([parts[target], rows]))
    return replace(fold, **parts)


PAIRS = pytest.mark.parametrize(
    ("first", "second"), [("train", "test"), ("validation", "test"), ("train", "validation")]
)


@PAIRS
@pytest.mark.parametrize("model", [BASELINE, NETWORK], ids=["baseline", "network"])
def test_a_fold_that_divides_a_trial_is_not_fitted(windows, fold, model, first, second):
    leaky = moved(fold, second, first)
    with pytest.raises(LeakageError, match=f"fold by hand has the same trial in {first} and"):
        fit(windows, leaky, model)


@PAIRS
@pytest.mark.parametrize("group", ["trial", "window", "segment"])
def test_a_window_in_two_parts_is_never_fitted(windows, fold, group, first, second):
    parts = fold.parts()
    parts[first] = np.sort(np.concatenate([parts[first], parts[second][:1]]))
    with pytest.raises(LeakageError, match="has the same window in"):
        fit(windows, replace(fold, group=group, **parts), BASELINE)


def test_a_fold_has_to_keep_what_it_promises(windows, fold):
    with pytest.raises(LeakageError, match="the same subject in train and test"):
        fit(windows, replace(fold, group="subject"), BASELINE)
    with pytest.raises(DataError, match="says group 'trials', which is none"):
        fit(windows, replace(fold, group="trials"), BASELINE)
    # windows overlap by half: the same samples are in two parts
    with pytest.raises(LeakageError, match="same samples in two sets"):
        fit(windows, moved(replace(fold, group="segment"), "test", "train"), BASELINE)


def test_candidates_are_held_to_it_as_well(windows, fold):
    tried = [candidate({}, BASELINE | {"C": c}, {}) for c in (0.1, 1.0)]
    leaky = moved(fold, "test", "train")
    scaling = fit_scaling(windows, fold.train)
    for some in (tried, tried[:1]):
        with pytest.raises(LeakageError, match="same trial in train and test"):
            fit_candidates(windows, leaky, candidates=some, scaling=scaling)


@pytest.mark.parametrize("group", ["window", "segment"])
def test_splits_that_leak_by_their_name_are_fitted(windows, group):
    windows = make_windows(windows.trials, windows.labels, duration=0.5, stride=0.25)
    folds = make_folds(windows.table, group=group, n_splits=2, validation=0.4, allow_leakage=True)
    assert [fold.group for fold in folds] == [group] * 2
    assert len(fit(windows, folds[0], BASELINE).predictions) == len(folds[0].test)
    with pytest.raises(LeakageError, match="same trial"):
        fit(windows, replace(folds[0], group="trial"), BASELINE)


@pytest.mark.parametrize("group", ["trial", "stimulus", "session", "subject"])
def test_folds_say_what_they_hold_out(group):
    row = {"code": [0, 1] * 12, "trial": np.tile(np.arange(6), 4), "session": ["1", "2"] * 12}
    subject = np.repeat(["a", "b", "c", "d"], 6)
    table = pd.DataFrame(row).assign(subject=subject, stimulus=lambda t: t["trial"].astype(str))
    folds = make_folds(table, group=group, n_splits=2, validation=0)
    assert {fold.group for fold in folds} == {group}
