"""The baseline: what it learns, and how it is stored without a pickle."""

import zipfile

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from eegemo.errors import ConfigError, DataError
from eegemo.features import BandPower, compute_band_powers
from eegemo.models.band_power import (
    build_band_power_logreg,
    fit_band_power_logreg,
    load_band_power_logreg,
    predict_band_power_logreg,
    save_band_power_logreg,
)
from eegemo.windows import make_windows
from helpers import CHANNELS, SFREQ, make_labels_of, make_trials

BANDS = ((2.0, 6.0), (6.0, 10.0), (10.0, 15.0))


def waves(codes, *, noise=4e-6):
    """Windows of noise, with a sine at 4, 8 or 12 Hz in Cz that tells the class."""
    trials = make_trials((len(codes),), n_times=160, scale=noise)
    seconds = np.arange(160) / SFREQ
    for trial, code in zip(trials.arrays[0], codes, strict=True):
        trial[:, 1] += (1e-5 * np.sin(2 * np.pi * (4 + 4 * code) * seconds)).astype(np.float32)
    labels = make_labels_of(codes, ("theta", "alpha", "beta", "absent")[: max(3, max(codes) + 1)])
    return make_windows(trials, labels, duration=1.0, stride=0.5)


@pytest.fixture
def windows():
    return waves([0, 1, 2] * 6)


@pytest.fixture
def fitted(windows):
    pipeline = build_band_power_logreg(sfreq=SFREQ, bands=BANDS, ch_names=CHANNELS)
    return fit_band_power_logreg(pipeline, windows, np.arange(0, len(windows), 2))


def test_learns_what_band_power_tells(windows, fitted):
    test = np.arange(1, len(windows), 2)
    p = predict_band_power_logreg(fitted, windows, test)
    assert p.dtype == np.float32
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-6)
    assert (p.argmax(axis=1) == windows.codes[test]).mean() > 0.9


def test_steps_by_hand(windows, fitted):
    """z-score and regression written out, with scikit-learn's regression on its own."""
    train, test = np.arange(0, len(windows), 2), np.arange(1, len(windows), 2)
    power = BandPower(SFREQ, bands=BANDS)
    x = power.fit_transform(windows.gather(np.arange(len(windows))))
    z = (x - x[train].mean(axis=0)) / x[train].std(axis=0)
    alone = LogisticRegression(class_weight="balanced", max_iter=1000)
    expected = alone.fit(z[train], windows.codes[train]).predict_proba(z[test])
    np.testing.assert_allclose(
        predict_band_power_logreg(fitted, windows, test), expected, atol=1e-5
    )
    # the whole pipeline on an array gives the same
    np.testing.assert_allclose(fitted.predict_proba(windows.gather(test)), expected, atol=1e-5)


def test_features_made_once_give_the_same_bits(windows, fitted):
    train = np.arange(0, len(windows), 2)
    features = compute_band_powers(windows, np.arange(len(windows)), fitted[0])
    other = build_band_power_logreg(sfreq=SFREQ, bands=BANDS)
    fit_band_power_logreg(other, windows, train, features=features)
    np.testing.assert_allclose(other[-1].coef_, fitted[-1].coef_, rtol=1e-4)
    with threadpool_limits(2):
        again = build_band_power_logreg(sfreq=SFREQ, bands=BANDS)
        fit_band_power_logreg(again, windows, train, features=features)
    np.testing.assert_array_equal(again[-1].coef_, other[-1].coef_)


def test_classes_missing_in_training_get_zero():
    windows = waves([1, 3, 3, 1, 1, 3])
    pipeline = build_band_power_logreg(sfreq=SFREQ, bands=BANDS)
    fit_band_power_logreg(pipeline, windows, np.arange(len(windows)))
    p = predict_band_power_logreg(pipeline, windows, np.arange(3))
    assert p.shape == (3, 4)
    assert (p[:, [0, 2]] == 0).all()
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-6)
    assert predict_band_power_logreg(pipeline, windows, np.arange(0)).shape == (0, 4)


def test_balanced_classes_count_the_same():
    windows = waves([0, 1, 1, 1, 1, 1], noise=1e-4)
    rows = np.arange(len(windows))
    means = []
    for weight in ("balanced", "none"):
        pipeline = build_band_power_logreg(
            sfreq=SFREQ, bands=BANDS, C=1e-3, max_iter=500, class_weight=weight
        )
        fit_band_power_logreg(pipeline, windows, rows)
        means.append(predict_band_power_logreg(pipeline, windows, rows)[:, 0].mean())
    # the intercept carries no penalty: without weights the mean is the share of the class
    assert means[1] == pytest.approx(1 / 6, abs=0.01)
    assert means[0] == pytest.approx(1 / 2, abs=0.05)


def test_a_single_class_is_refused(windows):
    pipeline = build_band_power_logreg(sfreq=SFREQ, bands=BANDS)
    with pytest.raises(DataError, match="at least two classes, found 1"):
        fit_band_power_logreg(pipeline, windows, np.flatnonzero(windows.codes == 1))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"sfreq": 32.0, "bands": [(4, 20)]}, "reaches above 16 Hz"),
        ({"C": 0.0}, "C and max_iter must be positive"),
        ({"max_iter": 0}, "C and max_iter must be positive"),
        ({"class_weight": "equal"}, "found 'equal'"),
    ],
)
def test_options_that_cannot_be(options, says):
    with pytest.raises(ConfigError, match=says):
        build_band_power_logreg(**{"sfreq": 128.0} | options)


@pytest.mark.parametrize("codes", [[0, 1, 2], [0, 2, 2], [1, 3, 0]])
def test_stored_and_read_back(tmp_path, codes):
    """The same probabilities to the bit, for two classes (one row of weights) and more."""
    windows = waves(codes * 4)
    rows = np.arange(len(windows))
    pipeline = build_band_power_logreg(
        sfreq=SFREQ, bands=BANDS, C=0.5, class_weight="none", ch_names=CHANNELS
    )
    fit_band_power_logreg(pipeline, windows, rows)
    save_band_power_logreg(pipeline, tmp_path / "model.npz")
    again = load_band_power_logreg(tmp_path / "model.npz")
    np.testing.assert_array_equal(
        predict_band_power_logreg(again, windows, rows),
        predict_band_power_logreg(pipeline, windows, rows),
    )
    assert again[0].get_feature_names_out()[0] == f"{CHANNELS[0]}_2-6Hz"
    assert repr(again.get_params()) == repr(pipeline.get_params())


def rewrite(path, **changes):
    """Write an archive again, with some of its arrays replaced; None leaves one out."""
    with np.load(path) as stored:
        arrays = dict(stored) | changes
    np.savez(path, **{name: value for name, value in arrays.items() if value is not None})


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"coef": None}, "expected the arrays"),
        ({"coef": np.zeros((3, 4))}, r"'coef' has the shape \(3, 4\); expected \(3, 9\)"),
        ({"coef": np.full((3, 9), np.nan)}, "NaN or infinity"),
        ({"coef": np.zeros((3, 9), int)}, "expected the kind 'f'"),
        ({"scale": np.zeros(9)}, "cannot be"),
        ({"classes": np.array([2, 1, 0])}, "class numbers in order"),
        ({"shape": np.array([], int)}, "has the shape"),
        ({"bands": np.array([[2.0, 60.0]] * 3)}, "above 16 Hz"),
        ({"class_weight": np.array("code")}, "found 'code'"),
        ({"format": np.array("other")}, "as its format"),
        ({"ch_names": np.array(["Fz"])}, "'ch_names' has the shape"),
        ({"extra": np.zeros(1)}, "expected the arrays"),
    ],
)  # fmt: skip
def test_stored_pipelines_are_checked(tmp_path, fitted, changes, says):
    path = tmp_path / "model.npz"
    save_band_power_logreg(fitted, path)
    rewrite(path, **changes)
    with pytest.raises(DataError, match=says):
        load_band_power_logreg(path)


def test_pickled_objects_are_never_loaded(tmp_path, fitted):
    path = tmp_path / "model.npz"
    save_band_power_logreg(fitted, path)
    rewrite(path, coef=np.array([{"a": 1}], dtype=object))
    with pytest.raises(DataError, match="expected numbers or text, found object"):
        load_band_power_logreg(path)


def test_compressed_archives_are_refused(tmp_path, fitted):
    """A few bytes could stand for gigabytes."""
    path, bomb = tmp_path / "model.npz", tmp_path / "bomb.npz"
    save_band_power_logreg(fitted, path)
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    with pytest.raises(DataError, match="is compressed"):
        load_band_power_logreg(bomb)
