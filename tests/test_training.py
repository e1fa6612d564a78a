"""Training: what it learns, what it must not look at, and that it repeats itself."""

from dataclasses import replace

import keras
import numpy as np
import pandas as pd
import pytest
from fitting import fit_fold

from eegemo.errors import ConfigError, DataError
from eegemo.labels import Labels
from eegemo.models import make_model
from eegemo.models.base import make_fit_data
from eegemo.models.fit_data import class_weights
from eegemo.models.keras import fitting as network
from eegemo.models.keras.batches import Batches
from eegemo.models.shapes import shape_of
from eegemo.scaling import ScaledWindows, fit_scaling, load_scaling
from eegemo.splits import make_folds
from eegemo.training import predict_windows
from eegemo.trials import Trials
from eegemo.windows import make_windows

MODEL = {"name": "cnn_lstm", "filters": [6], "units": 6, "dense": [8], "dropout": 0.2}
FAST = {"epochs": 3, "batch_size": 16, "learning_rate": 0.01, "patience": 3}


def rhythms(n_trials=24, sfreq=64.0, seconds=3.0, seed=0):
    """Make trials whose class is the frequency of a rhythm: 6 or 14 Hz in noise."""
    rng = np.random.default_rng(seed)
    codes = np.arange(n_trials) % 2
    time = np.arange(int(seconds * sfreq)) / sfreq
    frequency = np.where(codes == 0, 6.0, 14.0)
    phase = rng.uniform(0, 2 * np.pi, (n_trials, 1, 2))
    x = np.sin(2 * np.pi * frequency[:, None, None] * time[:, None] + phase)
    x = (x + rng.normal(size=x.shape)) * 1e-5
    metadata = pd.DataFrame(
        {"subject": "s01", "session": "1", "trial": np.arange(1, n_trials + 1), "stimulus": ""}
    )
    trials = Trials((x.astype(np.float32),), metadata, sfreq, ("a", "b"))
    return make_windows(trials, Labels(codes, ("slow", "fast"), {}), duration=1.0, stride=0.5)


@pytest.fixture(scope="module")
def windows():
    return rhythms()


@pytest.fixture(scope="module")
def fold(windows):
    return make_folds(windows.table, n_splits=3, validation=0.25)[0]


def test_learns_rhythms_it_can_tell_apart():
    windows = rhythms(n_trials=48)  # with half of them, some first weights lead nowhere
    fold = make_folds(windows.table, n_splits=3, validation=0.25)[0]
    scaling = fit_scaling(windows, fold.train, steps=["zscore"])
    options = FAST | {"epochs": 15, "patience": 15}
    fitted = fit_fold(windows, fold, model=MODEL, scaling=scaling, **options)
    predicted = fitted.predictions[["p_slow", "p_fast"]].to_numpy().argmax(axis=1)
    assert (np.array(["slow", "fast"])[predicted] == fitted.predictions["y_true"]).mean() > 0.9


def test_same_seed_same_numbers_and_other_seed_others(windows, fold):
    runs = [fit_fold(windows, fold, model=MODEL, seed=seed, **FAST) for seed in (1, 1, 2)]
    p = [run.predictions[["p_slow", "p_fast"]].to_numpy() for run in runs]
    np.testing.assert_array_equal(p[0], p[1])
    assert np.abs(p[0] - p[2]).max() > 1e-3


@pytest.mark.slow
def test_fits_before_it_and_after_it_change_nothing(windows, fold):
    """A network compiled for one fold trains the next; nothing learned may stay in it."""
    network._idle.clear()
    first = fit_fold(windows, fold, model=MODEL, seed=1, **FAST)
    weights = first.model.network.get_weights()
    compiled = list(network._idle.values())
    other = make_folds(windows.table, n_splits=3, validation=0.25)[1]
    options = FAST | {"schedule": "plateau", "learning_rate": 0.1, "patience": 1}
    fit_fold(windows, other, model=MODEL, seed=2, **options)
    again = fit_fold(windows, fold, model=MODEL, seed=1, **FAST)
    assert list(network._idle.values()) == compiled
    for a, b, c in zip(
        weights, first.model.network.get_weights(), again.model.network.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)


@pytest.mark.slow
def test_a_network_predicts_by_its_own_weights_whatever_was_fitted_since(windows, fold):
    """Prediction, too, uses the network that is compiled, which holds the other fold's weights."""
    scaling = fit_scaling(windows, fold.train)
    first = fit_fold(windows, fold, model=MODEL, scaling=scaling, seed=1, **FAST)
    second = fit_fold(windows, fold, model=MODEL, scaling=scaling, seed=2, **FAST)
    assert network._idle or keras.backend.backend() == "torch"  # there nothing is compiled
    x = scaling.transform(windows.gather(fold.test))
    for fitted in (first, second, first):
        p = predict_windows(fitted.model, windows, fold.test, scaling)
        np.testing.assert_array_equal(p, fitted.predictions[["p_slow", "p_fast"]])
        # its own call, compiled apart: the same but for rounding
        own = keras.ops.convert_to_numpy(fitted.model.network(x))
        np.testing.assert_allclose(p, own, atol=1e-6)


def test_the_test_part_has_no_influence_on_training(windows, fold):
    """Spoil the signals and labels of the test trials: the fitted weights stay the same.

    All test trials get one class: the classes are balanced, so that turning each over would leave
    their numbers, and with these the weights of classes, as they are.
    """
    spoiled_array = windows.trials.arrays[0].copy()
    tested = np.unique(windows.trial[fold.test])
    spoiled_array[tested] = 1e3
    codes = windows.labels.codes.copy()
    codes[tested] = 0
    spoiled = replace(
        windows,
        trials=replace(windows.trials, arrays=(spoiled_array,)),
        labels=replace(windows.labels, codes=codes),
    )
    honest, other = (
        fit_fold(w, fold, model=MODEL, **FAST).model.network for w in (windows, spoiled)
    )
    for a, b in zip(honest.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_weights_kept_are_those_of_the_best_epoch(windows, fold):
    options = FAST | {"epochs": 15, "patience": 4, "learning_rate": 0.05}
    fitted = fit_fold(windows, fold, model=MODEL, **options)
    history = fitted.history
    assert fitted.best_epoch == history["val_loss"].argmin() + 1
    assert len(history) <= fitted.best_epoch + 4
    p = predict_windows(fitted.model, windows, fold.validation, fitted.scaling)
    codes = windows.codes[fold.validation]
    weights = class_weights(windows.codes[fold.train], 2)[codes]
    loss = -np.log(p[np.arange(len(p)), codes])
    # Keras averages the loss in float32, batch by batch
    assert np.average(loss, weights=weights) == pytest.approx(history["val_loss"].min(), rel=1e-4)


def test_without_validation_every_epoch_runs(windows):
    fold = make_folds(windows.table, n_splits=3, validation=0)[0]
    fitted = fit_fold(windows, fold, model=MODEL, **FAST)
    assert len(fitted.history) == fitted.best_epoch == FAST["epochs"]
    assert fitted.history["val_loss"].isna().all()
    with pytest.raises(ConfigError, match="plateau"):
        fit_fold(windows, fold, model=MODEL, schedule="plateau", **FAST)


def test_history_is_written_epoch_by_epoch(windows, fold, tmp_path):
    path = tmp_path / "deep" / "history.csv"
    fitted = fit_fold(windows, fold, model=MODEL, history_path=path, **FAST)
    pd.testing.assert_frame_equal(pd.read_csv(path), fitted.history, check_dtype=False)


def test_a_cosine_schedule_lowers_the_learning_rate(windows, fold):
    """To zero with the last training batch of the last epoch, no sooner and no later."""
    rate = fit_fold(windows, fold, model=MODEL, schedule="cosine", **FAST).history["learning_rate"]
    done = np.arange(1, FAST["epochs"] + 1) / FAST["epochs"]
    expected = FAST["learning_rate"] * (1 + np.cos(np.pi * done)) / 2
    np.testing.assert_allclose(rate, expected, rtol=0, atol=1e-6 * FAST["learning_rate"])


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_still_gives_single_precision_probabilities(windows, fold, precision):
    fitted = fit_fold(windows, fold, model=MODEL, precision=precision, **(FAST | {"epochs": 1}))
    assert keras.config.dtype_policy().name == "float32"  # and the policy is put back
    p = fitted.predictions[["p_slow", "p_fast"]].to_numpy()
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-6)  # float32 rounding


def test_what_was_learned_can_be_loaded_and_used(windows, fold, tmp_path):
    fitted = fit_fold(windows, fold, model=MODEL, **FAST)
    fitted.model.save(tmp_path / "model.keras")
    fitted.scaling.save(tmp_path / "scaling.npz")
    model = make_model(**MODEL).load(tmp_path / "model.keras", shape_of(windows))
    scaling = load_scaling(tmp_path / "scaling.npz")
    again = predict_windows(model, windows, fold.test, scaling)
    np.testing.assert_array_equal(
        again, fitted.predictions[["p_slow", "p_fast"]].to_numpy(np.float32)
    )


def test_batches_deliver_every_window_once_an_epoch_in_a_new_order(windows, fold):
    scaling = fit_scaling(windows, fold.train)
    scaled = ScaledWindows(windows, scaling)
    data = make_fit_data(windows, fold, scaled, model=make_model(**MODEL))
    batches = Batches(data, fold.train, batch_size=7, weights=np.ones(2), seed=3)
    expected = scaling.transform(windows.gather(np.sort(fold.train)))

    def epoch():
        x = np.concatenate([batches[k][0] for k in range(len(batches))])
        batches.on_epoch_end()
        return x

    first, second = epoch(), epoch()
    for x in (first, second):
        order = np.lexsort(x.reshape(len(x), -1).T)
        reference = np.lexsort(expected.reshape(len(expected), -1).T)
        np.testing.assert_array_equal(x[order], expected[reference])
    assert not np.array_equal(first, second)


def test_balanced_weights_give_each_class_the_same_total():
    codes = np.repeat([0, 1, 3], [50, 30, 20])
    weights = class_weights(codes, 4)
    np.testing.assert_allclose(np.bincount(codes, weights[codes]), [100 / 3, 100 / 3, 0, 100 / 3])


def test_a_loss_that_is_no_number_is_reported(windows, fold):
    array = windows.trials.arrays[0].copy()
    array[windows.trial[fold.train[0]]] = np.nan
    broken = replace(windows, trials=replace(windows.trials, arrays=(array,)))
    scaling = fit_scaling(windows, fold.train)
    with pytest.raises(DataError, match="loss of fold"):
        fit_fold(broken, fold, model=MODEL, scaling=scaling, **FAST)
