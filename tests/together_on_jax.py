"""All folds at once must learn what each fold learns alone; needs Keras on JAX.

`test_together.py` runs this file, in a process with KERAS_BACKEND=jax. Whole runs are compared with
those of other engines in `test_engines.py`.
"""

from dataclasses import replace

import keras
import numpy as np
import pandas as pd
import pytest
from fitting import fit_fold, fit_folds_jointly
from test_engines import LOSS, WEIGHT
from test_training import rhythms

from eegemo.errors import ConfigError, DataError
from eegemo.models import build_model, make_model
from eegemo.models.keras.together import program as together_program
from eegemo.models.keras.together.fitting import _count_at_once
from eegemo.models.keras.together.program import make_twin
from eegemo.models.shapes import shape_of
from eegemo.scaling import fit_scaling
from eegemo.splits import make_folds
from eegemo.trials import Trials
from eegemo.windows import make_windows

MODEL = {"name": "cnn_lstm", "filters": [4], "units": 4, "dense": [], "dropout": 0.3}
GRU = MODEL | {"name": "cnn_gru", "dropout": 0.0}
FAST = {"epochs": 5, "batch_size": 16, "learning_rate": 0.03, "patience": 2}

jax = pytest.importorskip("jax")
# not reduced precision, where a GPU has it
jax.config.update("jax_default_matmul_precision", "float32")


@pytest.fixture(scope="module")
def windows():
    """Two subjects, trials of two lengths."""
    short, long = rhythms(n_trials=6, seconds=3.0), rhythms(n_trials=6, seconds=3.5, seed=1)
    about = pd.concat([one.trials.metadata for one in (short, long)], ignore_index=True)
    about["subject"] = ["a"] * 6 + ["b"] * 6
    arrays = (short.trials.arrays[0], 30 * long.trials.arrays[0])
    codes = np.concatenate([short.labels.codes, long.labels.codes])
    trials = Trials(arrays, about, short.trials.sfreq, short.trials.ch_names)
    return make_windows(trials, replace(short.labels, codes=codes), duration=0.5, stride=0.5)


@pytest.fixture
def quick(monkeypatch):
    """Compile one step of a recurrent layer rather than eight; only speed depends on it."""
    monkeypatch.setattr(together_program, "_UNROLL", 1)


def folds_of(windows, n_splits=2):
    """Folds whose last batch is half full, the second with a batch less, so that all is padded."""
    folds = make_folds(windows.table, n_splits=n_splits, validation=0.25)
    size = (min(len(fold.train) for fold in folds) - 8) // 16 * 16 + 8
    sizes = [size, size - 16, size]
    return [
        replace(fold, train=np.sort(np.random.default_rng(0).permutation(fold.train)[:n]))
        for fold, n in zip(folds, sizes, strict=False)
    ]


def fit_both(windows, folds, *, steps=("zscore",), fit="training", together=None, **options):
    """Fit folds one by one and at once."""
    options = {"model": MODEL} | FAST | options
    scalings = [fit_scaling(windows, fold.train, steps=steps, fit=fit) for fold in folds]
    numbers, seeds = list(range(len(folds))), [7 * k + 3 for k in range(len(folds))]
    alone = [
        fit_fold(windows, *one[:1], scaling=one[1], number=one[2], seed=one[3], **options)
        for one in zip(folds, scalings, numbers, seeds, strict=True)
    ]
    at_once = fit_folds_jointly(
        windows, folds, scalings=scalings, numbers=numbers, seeds=seeds, **options,
        **(together or {}),
    )  # fmt: skip
    return alone, at_once


def assert_alike(alone, at_once, loss=LOSS, weight=WEIGHT):
    for one, other in zip(alone, at_once, strict=True):
        assert one.best_epoch == other.best_epoch
        columns = list(one.history.columns.drop("seconds"))
        pd.testing.assert_frame_equal(
            one.history[columns], other.history[columns], rtol=0, atol=loss
        )
        networks = [fit.model.network for fit in (one, other)]
        for a, b in zip(*(network.get_weights() for network in networks), strict=True):
            np.testing.assert_allclose(b, a, rtol=0, atol=weight)
        # and the state of the optimizer and of dropout
        states = zip(*(network.variables for network in networks), strict=True)
        for a, b in [(a, b) for a, b in states if "seed" in a.path]:
            np.testing.assert_array_equal(a.value, b.value)
        steps = [int(fit.model.network.optimizer.iterations) for fit in (one, other)]
        assert steps[0] == steps[1] > 0
        for name in ("predictions", "validation"):
            a, b = getattr(one, name), getattr(other, name)
            pd.testing.assert_frame_equal(a, b, rtol=0, atol=weight)


@pytest.mark.parametrize("name", ["cnn_lstm", "cnn_gru"])
def test_layers_give_what_keras_gives_and_the_same_gradients(name):
    sizes = {"n_times": 22, "n_channels": 3, "n_classes": 3}
    network = build_model(**MODEL | {"name": name, "filters": [4, 5], "kernel_size": 4}, **sizes)
    rng = np.random.default_rng(0)
    weights = [
        np.float32(v.value + 0.3 * rng.normal(size=v.shape)) for v in network.trainable_variables
    ]
    others = [v.value for v in network.non_trainable_variables]
    x, y = np.float32(rng.normal(size=(6, 22, 3))), rng.integers(3, size=6)

    def compute(model):
        def loss(weights):
            p = model.stateless_call(weights, others, x, training=True)[0]
            return keras.losses.sparse_categorical_crossentropy(y, p).sum(), p

        (_, p), slopes = jax.jit(jax.value_and_grad(loss, has_aux=True))(weights)
        return p, slopes

    (p, slopes), (p_twin, slopes_twin) = compute(network), compute(make_twin(network))
    np.testing.assert_allclose(p_twin, p, atol=1e-6)
    for one, twin in zip(slopes, slopes_twin, strict=True):
        np.testing.assert_allclose(twin, one, atol=1e-5 * np.abs(one).max())


def test_folds_of_unequal_size_that_stop_when_they_like(windows, tmp_path, quick):
    folds = folds_of(windows, n_splits=3)
    folds[2] = replace(folds[2], validation=folds[2].validation[:0])  # never stops
    files = [tmp_path / f"{k}.csv" for k in range(3)]
    options = {"epochs": 8, "patience": 1, "learning_rate": 0.1, "fit": "subject"}
    alone, at_once = fit_both(windows, folds, together={"history_paths": files}, **options)
    assert len({-(-len(fold.train) // FAST["batch_size"]) for fold in folds}) > 1
    lengths = [len(one.history) for one in alone]
    assert min(lengths) < lengths[2] == options["epochs"]  # they stop at different times
    assert at_once[2].history["val_loss"].isna().all()
    assert_alike(alone, at_once, loss=1e-5, weight=1e-3)
    for file, fitted in zip(files, at_once, strict=True):
        pd.testing.assert_frame_equal(pd.read_csv(file), fitted.history, check_dtype=False)
    at_once[1].model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    x = at_once[1].scaling.transform(windows.gather(folds[1].test), np.zeros(1, int))
    expected = at_once[1].model.network.predict(x, verbose=0)
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), expected)


def test_gru_with_halved_rates_repeats_and_few_at_a_time(windows, quick):
    folds = [replace(one, repeat=k) for k, one in enumerate(folds_of(windows))]
    arrays = tuple(1e5 * one for one in windows.trials.arrays)
    loud = replace(windows, trials=replace(windows.trials, arrays=arrays))
    options = {"schedule": "plateau", "learning_rate": 0.02, "clip_norm": None, "steps": ()}
    options |= {"class_weight": "none"}
    alone, at_once = fit_both(loud, folds, model=GRU, together={"at_once": 1}, **options)
    assert any(one.history["learning_rate"].min() < 0.015 for one in alone)
    assert [one.predictions["repeat"].unique().tolist() for one in at_once] == [[0], [1]]
    assert_alike(alone, at_once)


def test_what_cannot_be_done_at_once_is_said(windows, quick):
    folds = folds_of(windows)
    fits = zip(folds, ("window", "training"), strict=True)
    scalings = [fit_scaling(windows, fold.train, fit=fit) for fold, fit in fits]
    assert "different ways" in make_model(**MODEL).cannot_fit_many(scalings)
    common = {"model": MODEL, "numbers": [0, 1], "seeds": [0, 1]}
    with pytest.raises(ConfigError, match="different ways"):
        fit_folds_jointly(windows, folds, scalings=scalings, **common)
    scalings = [fit_scaling(windows, fold.train) for fold in folds]
    array = windows.trials.arrays[0].copy()
    array[windows.trial[folds[0].train].min()] = np.nan
    arrays = (array, windows.trials.arrays[1])
    broken = replace(windows, trials=replace(windows.trials, arrays=arrays))
    common |= {"model": GRU, "clip_norm": None, "at_once": 1}  # compiled before
    with pytest.raises(DataError, match="loss of fold"):
        fit_folds_jointly(broken, folds, scalings=scalings, **common, **FAST)


def test_folds_at_once_follow_the_memory(windows):
    model, shape = make_model(**MODEL), shape_of(windows)
    alone = _count_at_once(0, 0, model, shape, 64)
    counts = [_count_at_once(free, 10**6, model, shape, 64) for free in (10**7, 10**8, 10**9)]
    assert alone == 1 <= counts[0] < counts[1] < counts[2]
    assert counts[2] == pytest.approx(10 * counts[1], rel=0.1)
