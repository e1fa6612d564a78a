"""Transformers on arrays: against SciPy, eegemo's own scaling, and scikit-learn's checks."""

import numpy as np
import pytest
import scipy.signal
from sklearn.utils.estimator_checks import parametrize_with_checks

from eegemo.errors import ConfigError, DataError
from eegemo.features import BandPower, ChannelPicker, ChannelScaler, compute_band_powers
from eegemo.scaling import fit_scaling
from helpers import make_test_windows

SFREQ = 128.0
BANDS = ((4.0, 8.0), (8.0, 13.0), (13.0, 30.0), (30.0, 45.0))


@pytest.fixture
def noise():
    return np.random.default_rng(0).normal(1.0, 2.0, size=(7, 200, 3))


# the checks' windows have three samples or so: a band as wide as there is
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks([BandPower(2.0, bands=((0.0, 1.0),)), ChannelPicker(), ChannelScaler()])
def test_scikit_learn_accepts(estimator, check):
    check(estimator)


@pytest.mark.parametrize(("hertz", "band"), [(6, 0), (10, 1), (20, 2), (40, 3)])
def test_sinusoid_lands_in_its_band(hertz, band):
    seconds = np.arange(256) / SFREQ
    x = 3e-5 * np.sin(2 * np.pi * hertz * seconds + 0.4)[np.newaxis, :, np.newaxis]
    power = BandPower(SFREQ, log=False).fit_transform(x)[0]
    assert power[band] == pytest.approx((3e-5) ** 2 / 2, rel=1e-3)
    assert np.delete(power, band).max() < 1e-3 * power[band]


@pytest.mark.parametrize("n_times", [199, 200])
def test_periodogram_of_scipy(noise, n_times):
    """Bands that share no frequency, summed from SciPy's density; odd and even lengths."""
    x = noise[:, :n_times]
    frequencies, density = scipy.signal.periodogram(x, SFREQ, window="hann", axis=1)
    power = BandPower(SFREQ, log=False).fit_transform(x).reshape(len(x), 3, len(BANDS))
    for k, (low, high) in enumerate(BANDS):
        inside = (frequencies >= low) & (frequencies < high)
        expected = density[:, inside].sum(axis=1) * SFREQ / n_times
        np.testing.assert_allclose(power[:, :, k], expected, rtol=1e-12)


def test_parseval(noise):
    """Over all frequencies (an odd length has none at Nyquist) the power is the variance."""
    x = noise[:, :199]
    power = BandPower(SFREQ, bands=[(0, 64)], log=False).fit_transform(x)
    hann = scipy.signal.get_window("hann", 199)[:, np.newaxis]
    centred = x - x.mean(axis=1, keepdims=True)
    expected = ((centred * hann) ** 2).sum(axis=1) / (hann**2).sum()
    np.testing.assert_allclose(power, expected, rtol=1e-12)


def test_logarithm_single_precision_and_batches(noise):
    """More windows than are worked on at a time, in volts and single precision."""
    x = np.tile(1e-6 * noise, (100, 1, 1))
    wide = BandPower(SFREQ, log=False).fit_transform(x)
    np.testing.assert_allclose(wide, np.tile(wide[:7], (100, 1)), rtol=1e-12)
    single = BandPower(SFREQ).fit_transform(x.astype(np.float32))
    np.testing.assert_allclose(single, np.log(wide), atol=1e-5)


def test_flat_channel_has_a_number():
    assert np.isfinite(BandPower(SFREQ).fit_transform(np.ones((2, 256, 1)))).all()


def test_names_of_features(noise):
    power = BandPower(SFREQ, bands=[(4, 8), (8, 13.5)], ch_names=["Fz", "Cz", "Pz"]).fit(noise)
    names = power.get_feature_names_out().tolist()
    assert names[:3] == ["Fz_4-8Hz", "Fz_8-13.5Hz", "Cz_4-8Hz"]
    assert len(names) == power.transform(noise).shape[1]


@pytest.mark.parametrize(
    ("bands", "says"),
    [
        ([(30, 65)], "30-65 Hz reaches above 64 Hz"),
        ([(8, 8.2)], "narrower than what windows of 1.5625 s resolve, 0.64 Hz"),
        ([(8, 4)], "upper edge above it"),
        ([(-1, 4)], "lower edge of at least 0"),
        ([(8, float("nan"))], "upper edge above it"),
        ([(8,)], "expected a lower edge"),
        ([], "at least one"),
    ],
)
def test_bands_that_cannot_be(noise, bands, says):
    with pytest.raises(ConfigError, match=says):
        BandPower(SFREQ, bands=bands).fit(noise)


def test_other_windows_than_fitted(noise):
    power = BandPower(SFREQ).fit(noise)
    with pytest.raises(DataError, match="3 channels, found 2"):
        power.transform(noise[:, :, :2])
    with pytest.raises(ValueError, match="expecting 200 features"):
        power.transform(noise[:, :100])
    with pytest.raises(DataError, match="2 names for windows of 3"):
        BandPower(SFREQ, ch_names=["Fz", "Cz"]).fit(noise)


def test_indexed_windows_are_those_gathered():
    windows = make_test_windows()
    rows = np.array([5, 0, 7, 3])
    power = BandPower(32.0, bands=[(4, 8), (8, 13)])
    expected = power.fit_transform(windows.gather(rows))
    np.testing.assert_allclose(
        compute_band_powers(windows, rows, power, batch_size=3), expected, rtol=1e-6
    )


def test_scaling_as_eegemo_does_it():
    """On the same windows, the transformer and `fit_scaling` give the same numbers."""
    windows = make_test_windows()
    rows = np.arange(0, len(windows), 2)
    for steps in ((), ("zscore",), ("minmax",), ("zscore", "minmax")):
        scaling = fit_scaling(windows, rows, steps=steps)
        x = windows.gather(rows)
        scaled = ChannelScaler(steps).fit_transform(x)
        assert scaled.dtype == np.float32
        # single precision
        np.testing.assert_allclose(scaled, scaling.transform(x), atol=1e-5)


def test_scaling_of_large_arrays():
    """Statistics put together from parts are those of the whole."""
    x = np.random.default_rng(1).normal(5, 3, size=(100_000, 2))
    scaled = ChannelScaler(["zscore"]).fit_transform(x)
    np.testing.assert_allclose(scaled, (x - x.mean(axis=0)) / x.std(axis=0), atol=1e-9)


def test_unknown_scaling_step(noise):
    with pytest.raises(DataError, match="found 'whiten'"):
        ChannelScaler(["whiten"]).fit(noise)


def test_picks_channels_in_the_order_asked_for(noise):
    names = ["Fz", "Cz", "Pz"]
    by_name = ChannelPicker(["Pz", "Fz"], ch_names=names).fit(noise)
    np.testing.assert_array_equal(by_name.transform(noise), noise[:, :, [2, 0]])
    assert by_name.get_feature_names_out().tolist() == ["Pz", "Fz"]
    np.testing.assert_array_equal(ChannelPicker([1]).fit_transform(noise[0]), noise[0, :, [1]].T)


@pytest.mark.parametrize(
    ("channels", "says"),
    [(["Oz"], "'Oz' is not there"), ([3], "3 is not there"), ([-1], "-1"), ([0, "Fz"], "once")],
)
def test_channels_that_cannot_be_picked(noise, channels, says):
    with pytest.raises(DataError, match=says):
        ChannelPicker(channels, ch_names=["Fz", "Cz", "Pz"]).fit(noise)
