"""Band power of windows, per channel."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.fft
import scipy.signal
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from eegemo.errors import DataError
from eegemo.features.bands import BANDS, Band, check_bands
from eegemo.features.channels import check_input_features
from eegemo.windows import Windows

__all__ = ["BandPower", "compute_band_powers"]

# Windows transformed at a time: the intermediate arrays are several times larger than the windows.
_BATCH = 512
# Lower bound of the power before its logarithm is taken, for flat channels. In squared volts it is
# far below the noise of any amplifier.
_FLOOR = float(np.finfo(np.float32).tiny)


class BandPower(TransformerMixin, BaseEstimator):
    """Power of each channel in frequency bands, from the periodogram of each window.

    The mean is removed, a Hann window applied, and the one-sided power spectral density summed over
    the frequencies ``low <= f < high``, times their distance: the periodogram of Welch (1967), IEEE
    Trans. Audio Electroacoust. 15(2), 70-73, with a single segment, as `scipy.signal.periodogram`
    computes it.

    Parameters
    ----------
    sfreq : float
        Sampling frequency in Hz.
    bands : sequence of (float, float)
        Lower edge (inclusive) and upper edge (exclusive) of each band in Hz.
    log : bool
        Return the natural logarithm of the power, at least that of 1.2e-38. Power is skewed, its
        logarithm is nearly normal.
    ch_names : sequence of str, optional
        Names of the channels, for `get_feature_names_out` only.

    Attributes
    ----------
    n_features_in_ : int
        Samples of a window.
    n_channels_ : int

    Raises
    ------
    ConfigError
        From `fit`, if the windows cannot resolve the bands: see `check_bands`.
    DataError
        If the number of channels is not that of `fit`.

    Examples
    --------
    >>> seconds = np.arange(256) / 128
    >>> alpha = np.sin(2 * np.pi * 10 * seconds)[np.newaxis, :, np.newaxis]
    >>> power = BandPower(128.0, bands=[(4, 8), (8, 13)], log=False).fit_transform(alpha)
    >>> power.round(3).tolist()  # that of a sine is half its squared amplitude
    [[0.0, 0.5]]
    """

    def __init__(
        self,
        sfreq: float,
        bands: Sequence[Band] = BANDS,
        log: bool = True,
        ch_names: Sequence[str] | None = None,
    ) -> None:
        self.sfreq = sfreq
        self.bands = bands
        self.log = log
        self.ch_names = ch_names

    def fit(self, X: np.ndarray, y: object = None) -> "BandPower":
        """Store the shape of windows and check the bands; no value is used.

        Parameters
        ----------
        X : ndarray, shape (n_windows, n_times, n_channels) or (n_windows, n_times)
        y : ignored
        """
        X = _check_windows(self, X, reset=True)
        check_bands(self.bands, self.sfreq, X.shape[1])
        if self.ch_names is not None and len(self.ch_names) != X.shape[2]:
            raise DataError(
                f"band power: {len(self.ch_names)} names for windows of {X.shape[2]} channels."
            )
        self.n_channels_ = X.shape[2]
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Compute the power of each channel in each band.

        Parameters
        ----------
        X : ndarray, shape (n_windows, n_times, n_channels) or (n_windows, n_times)
            In volts, or in any unit; spectra are computed in the precision of the array.

        Returns
        -------
        features : ndarray of float64, shape (n_windows, n_channels * n_bands)
            In squared units, or their logarithm; the bands of the first channel come first.
        """
        check_is_fitted(self)
        X = _check_windows(self, X, reset=False)
        n_windows, n_times, n_channels = X.shape
        if n_channels != self.n_channels_:
            raise DataError(
                f"band power: expected windows of {self.n_channels_} channels, found {n_channels}."
            )
        taper = scipy.signal.get_window("hann", n_times).astype(X.dtype)
        frequencies = np.fft.rfftfreq(n_times, 1 / self.sfreq)
        # one-sided: what lies at negative frequencies counts too, and 0 and Nyquist have no twin
        weight = np.where((frequencies == 0) | (2 * np.arange(len(frequencies)) == n_times), 1, 2)
        weight = weight / (n_times * float((taper.astype(float) ** 2).sum()))
        edges = [np.searchsorted(frequencies, (1 - 1e-12) * np.array(band)) for band in self.bands]
        power = np.empty((n_windows, n_channels, len(self.bands)))
        for start in range(0, n_windows, _BATCH):
            x = X[start : start + _BATCH]
            x = (x - x.mean(axis=1, keepdims=True)) * taper[:, np.newaxis]
            spectrum = scipy.fft.rfft(x, axis=1, overwrite_x=True)
            squared = spectrum.real.astype(float) ** 2 + spectrum.imag.astype(float) ** 2
            for k, (low, high) in enumerate(edges):
                part = np.einsum("wfc,f->wc", squared[:, low:high], weight[low:high])
                power[start : start + _BATCH, :, k] = part
        if self.log:
            power = np.log(np.maximum(power, _FLOOR, out=power), out=power)
        return power.reshape(n_windows, -1)

    def get_feature_names_out(self, input_features: Sequence[str] | None = None) -> np.ndarray:
        """Return names such as ``Fz_8-13Hz``, shape (n_channels * n_bands,).

        Parameters
        ----------
        input_features : sequence of str, optional
            Names of the columns of a 2-D array, that is of a window's samples; not used.
        """
        check_is_fitted(self)
        check_input_features(self, input_features)
        channels = self.ch_names or [f"channel{k}" for k in range(self.n_channels_)]
        bands = [f"{low:g}-{high:g}Hz" for low, high in self.bands]
        return np.array([f"{channel}_{band}" for channel in channels for band in bands], object)


def compute_band_powers(
    windows: Windows, rows: np.ndarray, transformer: BandPower, *, batch_size: int = 2048
) -> np.ndarray:
    """Compute the band power of windows, with one batch of them in memory at a time.

    Parameters
    ----------
    windows : Windows
    rows : ndarray of int, shape (n,)
        Numbers of windows.
    transformer : BandPower
        Fitted by this function, from the shape of windows only.
    batch_size : int
        Windows in memory at a time.

    Returns
    -------
    features : ndarray of float64, shape (n, n_channels * n_bands)

    Raises
    ------
    ConfigError
        If the windows cannot resolve the bands.
    """
    transformer.fit(np.zeros((1, windows.n_times, windows.n_channels), np.float32))
    features = np.empty((len(rows), windows.n_channels * len(transformer.bands)))
    for start in range(0, len(rows), batch_size):
        x = windows.gather(rows[start : start + batch_size])
        features[start : start + batch_size] = transformer.transform(x)
    return features


def _check_windows(estimator: Any, X: Any, *, reset: bool) -> np.ndarray:
    """Return windows as a 3-D array; scikit-learn's features are the samples of a window."""
    X = validate_data(
        estimator,
        X,
        reset=reset,
        dtype=[np.float64, np.float32],
        allow_nd=True,
        ensure_min_features=2 if reset else 1,  # else the number is compared with that of `fit`
    )
    if X.ndim > 3 or X.shape[1] < 2:
        raise DataError(
            "band power: expected windows of shape (n_windows, n_times, n_channels), with at least "
            f"two samples; found the shape {X.shape}."
        )
    windows: np.ndarray = X[:, :, np.newaxis] if X.ndim == 2 else X
    return windows
