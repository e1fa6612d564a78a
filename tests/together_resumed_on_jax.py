"""A training of all folds at once that was stopped goes on as if it had not been; needs JAX.

`test_together.py` runs this file, in a process with KERAS_BACKEND=jax.
"""

from dataclasses import replace

import pytest
from fitting import fit_fold, fit_folds_jointly
from together_on_jax import GRU, MODEL, assert_alike, fit_both, folds_of, quick, windows

from eegemo.models.keras import callbacks
from eegemo.models.keras.together import group as together_group
from eegemo.models.keras.together.part import Part
from eegemo.scaling import fit_scaling

__all__ = ["quick", "windows"]  # fixtures

SETTINGS = {
    "plateau": {"schedule": "plateau", "learning_rate": 0.05, "patience": 2},
    "cosine": {"schedule": "cosine"},
    "stops early": {"patience": 1, "learning_rate": 0.1},
    "half precision": {"precision": "mixed_float16"},
}


class Stopped(BaseException):
    """Stands for a kill: nothing that handles errors may handle it."""


@pytest.fixture
def stop_after(monkeypatch):
    """Return a function that makes the next training die when so many checkpoints are written."""
    monkeypatch.setattr(callbacks.Checkpoint, "wait", 0)
    write = Part.write_checkpoint

    def choose(n):
        written = []

        def die(self, *state):
            write(self, *state)
            written.append(self)
            if len(written) == n:
                raise Stopped

        monkeypatch.setattr(Part, "write_checkpoint", die)

    return choose


def common_of(windows, folds, **options):
    scalings = [fit_scaling(windows, fold.train) for fold in folds]
    options = {"model": MODEL, "epochs": 5, "batch_size": 16, "learning_rate": 0.02} | options
    return scalings, options


def fit(windows, folds, *, files=None, **options):
    scalings, options = common_of(windows, folds, **options)
    numbers = list(range(len(folds)))
    return fit_folds_jointly(
        windows, folds, scalings=scalings, numbers=numbers, seeds=numbers, checkpoints=files,
        **options,
    )  # fmt: skip


@pytest.mark.parametrize("name", SETTINGS)
def test_it_goes_on_to_the_same_numbers(windows, tmp_path, stop_after, quick, name):
    """Killed between the checkpoints of two folds, so that they go on from different epochs."""
    folds = folds_of(windows)
    whole = fit(windows, folds, **SETTINGS[name])
    files = [tmp_path / f"{k}.npz" for k in range(2)]
    stop_after(3)
    with pytest.raises(Stopped):
        fit(windows, folds, files=files, **SETTINGS[name])
    stop_after(None)
    resumed = fit(windows, folds, files=files, **SETTINGS[name])
    assert_alike(whole, resumed, loss=0, weight=0)
    again = fit(windows, folds, files=files, **SETTINGS[name])  # stopped after its last epoch
    assert_alike(whole, again, loss=0, weight=0)


def test_the_other_engine_goes_on_and_the_other_way_round(
    windows, tmp_path, stop_after, quick, monkeypatch
):
    folds = folds_of(windows)
    settings = SETTINGS["plateau"] | {"model": GRU}
    whole = fit(windows, folds, **settings)
    epochs = [len(one.history) for one in whole]
    scalings, options = common_of(windows, folds, **settings)
    began, begin = [], callbacks.History.on_epoch_begin
    monkeypatch.setattr(
        callbacks.History,
        "on_epoch_begin",
        lambda self, epoch, logs=None: (began.append(epoch), begin(self, epoch, logs))[1],
    )

    def fit_alone(k, file):
        return fit_fold(
            windows, folds[k], scaling=scalings[k], number=k, seed=k, checkpoint=file, **options
        )

    files = [tmp_path / f"{k}.npz" for k in range(2)]
    stop_after(4)  # two epochs of both folds
    with pytest.raises(Stopped):
        fit(windows, folds, files=files, **settings)
    stop_after(None)
    began.clear()
    assert_alike(whole, [fit_alone(k, files[k]) for k in range(2)])
    assert began == [*range(2, epochs[0]), *range(2, epochs[1])]

    ends = callbacks.Checkpoint.on_epoch_end

    def die(self, epoch, logs=None):
        ends(self, epoch, logs)
        if epoch + 1 == 2:
            raise Stopped

    files = [tmp_path / f"other-{k}.npz" for k in range(2)]
    monkeypatch.setattr(callbacks.Checkpoint, "on_epoch_end", die)
    with pytest.raises(Stopped):
        fit_alone(0, files[0])
    monkeypatch.setattr(callbacks.Checkpoint, "on_epoch_end", ends)
    began.clear()
    assert_alike(whole, fit(windows, folds, files=files, **settings))
    assert sorted(began) == sorted([*range(2, epochs[0]), *range(epochs[1])])


def test_windows_scaled_each_by_itself(windows, quick):
    for steps in (("zscore", "minmax"), ("minmax", "zscore")):
        alone, at_once = fit_both(windows, folds_of(windows), steps=steps, fit="window")
        assert_alike(alone, at_once)


def test_what_goes_on_alone_learns_the_same(windows, quick, monkeypatch):
    """The folds that are left when half of them are over are compiled anew, by themselves."""
    folds = folds_of(windows, n_splits=3)
    folds[1] = replace(folds[1], validation=folds[1].validation[:0])  # never stops
    options = {"epochs": 6, "patience": 1, "learning_rate": 0.1}
    whole = fit(windows, folds, **options)
    assert max(len(whole[k].history) for k in (0, 2)) < len(whole[1].history) == 6
    widths, train = [], together_group.Group.train

    def look(self):
        widths.append(len(self.parts))
        train(self)

    monkeypatch.setattr(together_group, "_WORTH", 0)
    monkeypatch.setattr(together_group.Group, "train", look)
    # in another program sums may be rounded in another way
    assert_alike(whole, fit(windows, folds, **options), loss=1e-5, weight=1e-3)
    assert widths == [3, 1]
