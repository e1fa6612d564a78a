"""A training that was stopped goes on to the same numbers as one that never was."""

import numpy as np
import pandas as pd
import pytest
from test_training import MODEL, rhythms

from eegemo.splits import make_folds
from eegemo.training import callbacks, fit_fold

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


def fit(windows, fold, **options):
    options = {"epochs": EPOCHS, "batch_size": 16, "learning_rate": 0.01, "seed": 3} | options
    return fit_fold(windows, fold, model=MODEL, **options)


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
