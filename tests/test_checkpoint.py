"""A training that was stopped goes on to the same numbers as one that never was."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from fitting import fit_fold
from test_roles import NETWORK, PLATEAU, divide, make_uneven, relabelled
from test_training import MODEL, rhythms

from eegemo.models.keras import callbacks
from eegemo.scaling import fit_scaling
from eegemo.splits import make_folds

EPOCHS = 5
SETTINGS = {
    "dropout": {},
    "plateau": {"schedule": "plateau", "patience": 2, "learning_rate": 0.03},
    "cosine": {"schedule": "cosine"},
    "stops early": {"patience": 1, "learning_rate": 0.1},
    "half precision": {"precision": "mixed_float16"},
}


class Stopped(BaseException):
    """Stands for a kill: nothing that handles errors may handle it."""


@pytest.fixture(scope="module")
def windows():
    return rhythms()


@pytest.fixture(scope="module")
def fold(windows):
    return make_folds(windows.table, n_splits=3, validation=0.25)[0]


@pytest.fixture
def stop_after(monkeypatch):
    """Return a function that makes the next training die after an epoch, checkpoint written."""
    monkeypatch.setattr(callbacks.Checkpoint, "wait", 0)
    write = callbacks.Checkpoint.on_epoch_end

    def choose(last):
        def die(self, epoch, logs=None):
            write(self, epoch, logs)
            if epoch + 1 == last:
                raise Stopped

        monkeypatch.setattr(callbacks.Checkpoint, "on_epoch_end", die)

    return choose


def fit(windows, fold, *, model=MODEL, **options):
    options = {"epochs": EPOCHS, "batch_size": 16, "learning_rate": 0.01, "seed": 3} | options
    return fit_fold(windows, fold, model=model, **options)


@pytest.mark.parametrize(
    "name",
    [
        name if name == "plateau" else pytest.param(name, marks=pytest.mark.slow)
        for name in SETTINGS
    ],
)
def test_a_stopped_training_goes_on_to_the_same_numbers(windows, fold, tmp_path, stop_after, name):
    whole = fit(windows, fold, **SETTINGS[name])
    files = {"checkpoint": tmp_path / "c.npz", "history_path": tmp_path / "history.csv"}
    stopped_at = min(2, len(whole.history))
    stop_after(stopped_at)
    with pytest.raises(Stopped):
        fit(windows, fold, **files, **SETTINGS[name])
    stop_after(None)
    assert len(pd.read_csv(files["history_path"])) == stopped_at
    resumed = fit(windows, fold, **files, **SETTINGS[name])
    pd.testing.assert_frame_equal(resumed.predictions, whole.predictions)
    pd.testing.assert_frame_equal(resumed.validation, whole.validation)
    assert resumed.best_epoch == whole.best_epoch
    untimed = [one.history.drop(columns="seconds") for one in (resumed, whole)]
    pd.testing.assert_frame_equal(*untimed)
    written = pd.read_csv(files["history_path"]).drop(columns="seconds")
    pd.testing.assert_frame_equal(written, untimed[0], check_dtype=False)


@pytest.mark.slow
def test_how_long_the_plateau_schedule_has_waited_is_known_after_a_stop(tmp_path, stop_after):
    """Where each validation trial has the other class, its loss soon only rises."""
    windows = make_uneven()
    fold = divide(windows)
    contrary = relabelled(windows, fold)
    options = {"model": NETWORK, "seed": 0} | PLATEAU
    whole = fit(contrary, fold, **options)
    last = whole.best_epoch + PLATEAU["patience"] // 2 - 1  # one more, and the rate is halved
    assert whole.history["learning_rate"].iloc[last + 1] < whole.history["learning_rate"].iloc[last]
    stop_after(last)
    with pytest.raises(Stopped):
        fit(contrary, fold, checkpoint=tmp_path / "c.npz", **options)
    stop_after(None)
    resumed = fit(contrary, fold, checkpoint=tmp_path / "c.npz", **options)
    untimed = [fitted.history.drop(columns="seconds") for fitted in (resumed, whole)]
    pd.testing.assert_frame_equal(*untimed)
    assert resumed.best_epoch == whole.best_epoch
    pd.testing.assert_frame_equal(resumed.predictions, whole.predictions)


CHANGES = {
    "seed": {"seed": 4},
    "learning rate": {"learning_rate": 0.02},
    "batch size": {"batch_size": 17},
    "epochs": {"epochs": 2},
    "patience": {"patience": 3},
    "schedule": {"schedule": "plateau"},
    "weights of classes": {"class_weight": "none"},
    "dropout": {"model": MODEL | {"dropout": 0.3}},
    "gradient norm": {"clip_norm": 0.5},
}


@pytest.fixture(scope="module")
def uneven():
    return make_uneven()


@pytest.fixture(scope="module")
def finished(uneven, fold, tmp_path_factory):
    """Train for one epoch, and keep its checkpoint."""
    path = tmp_path_factory.mktemp("finished") / "c.npz"
    return path, fit(uneven, fold, checkpoint=path, epochs=1)


def is_taken_up(finished, tmp_path, windows, fold, **options):
    """Tell whether a training begins with the epoch of the checkpoint, down to its seconds."""
    path, first = finished
    copy = tmp_path / "copy.npz"
    copy.write_bytes(path.read_bytes())
    fitted = fit(windows, fold, checkpoint=copy, **({"epochs": 1} | options))
    seconds = [history["seconds"].iloc[0] for history in (first.history, fitted.history)]
    return seconds[0] == seconds[1]


def test_a_checkpoint_of_the_very_same_training_is_taken_up(finished, tmp_path, uneven, fold):
    assert is_taken_up(finished, tmp_path, uneven, fold)


@pytest.mark.parametrize("name", CHANGES)
def test_a_checkpoint_of_other_settings_is_not(finished, tmp_path, uneven, fold, name):
    assert not is_taken_up(finished, tmp_path, uneven, fold, **CHANGES[name])


@pytest.mark.slow
def test_a_checkpoint_of_other_windows_labels_or_scaling_is_not(finished, tmp_path, uneven, fold):
    scaling = fit_scaling(uneven, fold.train)
    own = {"scaling": scaling}
    assert is_taken_up(finished, tmp_path, uneven, fold, **own)
    less = replace(fold, validation=fold.validation[:-1])
    assert not is_taken_up(finished, tmp_path, uneven, less, **own)
    # another trial of the same class and length, so that weights and steps stay the same
    codes, learnt = uneven.labels.codes, np.unique(uneven.trial[fold.train])
    spare = next(k for k in np.unique(uneven.trial[fold.test]) if codes[k] == codes[learnt[0]])
    kept = np.isin(uneven.trial, [*learnt[1:], spare])
    other = replace(
        fold, train=np.flatnonzero(kept), test=fold.test[uneven.trial[fold.test] != spare]
    )
    assert len(other.train) == len(fold.train)
    assert not is_taken_up(finished, tmp_path, uneven, other, **own)
    # as many of each class, so that weights stay the same
    for rows in (fold.train, fold.validation):
        trials, codes = np.unique(uneven.trial[rows]), uneven.labels.codes.copy()
        codes[trials] = np.roll(codes[trials], 1)
        other = replace(uneven, labels=replace(uneven.labels, codes=codes))
        assert (codes != uneven.labels.codes).any()
        assert not is_taken_up(finished, tmp_path, other, fold, **own)
    for name in ("gain", "offset"):
        changed = replace(scaling, **{name: getattr(scaling, name) * np.float32(1.01)})
        assert not is_taken_up(finished, tmp_path, uneven, fold, scaling=changed), name


def test_finished_epochs_are_not_trained_again(windows, fold, tmp_path, stop_after, monkeypatch):
    path = tmp_path / "c.npz"
    stop_after(3)
    with pytest.raises(Stopped):
        fit(windows, fold, checkpoint=path)
    stop_after(None)
    began = []
    start = callbacks.History.on_epoch_begin
    monkeypatch.setattr(
        callbacks.History,
        "on_epoch_begin",
        lambda self, epoch, logs=None: (began.append(epoch), start(self, epoch, logs))[1],
    )
    fit(windows, fold, checkpoint=path)
    assert began == [3, 4]
    fit(windows, fold, checkpoint=path)  # it was stopped after its last epoch
    assert began == [3, 4]


@pytest.mark.slow
def test_a_checkpoint_of_other_settings_is_not_taken_up(windows, fold, tmp_path, stop_after):
    change = {"learning_rate": 0.02}
    path = tmp_path / "c.npz"
    stop_after(2)
    with pytest.raises(Stopped):
        fit(windows, fold, checkpoint=path)
    stop_after(None)
    other = fit(windows, fold, checkpoint=path, **change)
    pd.testing.assert_frame_equal(other.predictions, fit(windows, fold, **change).predictions)


@pytest.mark.parametrize("damage", ["flip", pytest.param("cut", marks=pytest.mark.slow)])
def test_a_damaged_checkpoint_is_not_believed(windows, fold, tmp_path, stop_after, damage):
    path = tmp_path / "c.npz"
    stop_after(2)
    with pytest.raises(Stopped):
        fit(windows, fold, checkpoint=path)
    stop_after(None)
    content = bytearray(path.read_bytes())
    if damage == "flip":
        # in the middle of an array: the archive's checksum notices
        content[len(content) // 2] ^= 1
    path.write_bytes(content if damage == "flip" else content[: len(content) // 2])
    resumed = fit(windows, fold, checkpoint=path)
    np.testing.assert_array_equal(
        resumed.predictions.filter(like="p_"), fit(windows, fold).predictions.filter(like="p_")
    )
