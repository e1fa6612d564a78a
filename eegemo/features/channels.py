"""Selection and scaling of channels."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from eegemo.errors import DataError
from eegemo.scaling import Moments

__all__ = [
    "ChannelPicker",
    "ChannelScaler",
    "check_input_features",
]


class ChannelPicker(TransformerMixin, BaseEstimator):
    """Keep some channels, in a given order.

    Parameters
    ----------
    channels : sequence of str or int, optional
        Names or positions; by default all.
    ch_names : sequence of str, optional
        Names of the channels of an array; a data frame has its own.

    Attributes
    ----------
    n_features_in_ : int
        Number of channels of the input.
    picks_ : ndarray of int
        Positions of the channels kept.

    Raises
    ------
    DataError
        From `fit`, if a channel is missing or named twice.

    Examples
    --------
    >>> windows = np.arange(6.0).reshape(1, 2, 3)
    >>> ChannelPicker(["Pz", "Fz"], ch_names=["Fz", "Cz", "Pz"]).fit_transform(windows).tolist()
    [[[2.0, 0.0], [5.0, 3.0]]]
    """

    def __init__(
        self,
        channels: Sequence[str | int] | None = None,
        ch_names: Sequence[str] | None = None,
    ) -> None:
        self.channels = channels
        self.ch_names = ch_names

    def fit(self, X: np.ndarray, y: object = None) -> "ChannelPicker":
        """Find the positions of the channels.

        Parameters
        ----------
        X : ndarray, shape (..., n_channels)
        y : ignored
        """
        _check_channels(self, X, reset=True)
        if self.ch_names is not None and len(self.ch_names) != self.n_features_in_:
            raise DataError(
                f"channels: {len(self.ch_names)} names for {self.n_features_in_} channels."
            )
        names = _names_in(self)
        asked = range(self.n_features_in_) if self.channels is None else self.channels
        picks = []
        for channel in asked:
            if isinstance(channel, str) and channel in names:
                picks.append(names.index(channel))
            elif not isinstance(channel, str) and 0 <= channel < len(names):
                picks.append(int(channel))
            else:
                raise DataError(f"channels: {channel!r} is not there; found {', '.join(names)}.")
        if not picks or len(set(picks)) < len(picks):
            raise DataError(f"channels: expected some, each once; found {list(asked)}.")
        self.picks_ = np.array(picks)
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Return a copy with the chosen channels, shape (..., n_picks)."""
        check_is_fitted(self)
        picked: np.ndarray = _check_channels(self, X, reset=False)[..., self.picks_]
        return picked

    def get_feature_names_out(self, input_features: Sequence[str] | None = None) -> np.ndarray:
        """Return the names of the channels kept, shape (n_picks,)."""
        check_is_fitted(self)
        check_input_features(self, input_features)
        names = _names_in(self) if input_features is None else list(input_features)
        kept: np.ndarray = np.array(names, object)[self.picks_]
        return kept


class ChannelScaler(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Z-score and min-max scaling of each channel, as `eegemo.scaling.affine` does it.

    A sample in several windows counts several times. A constant channel is centred but not scaled.

    Parameters
    ----------
    steps : sequence of {"zscore", "minmax"}
        Steps in this order; empty for none.

    Attributes
    ----------
    n_features_in_ : int
        Number of channels.
    gain_, offset_ : ndarray, shape (n_channels,)
        The scaled signal is ``x * gain_ + offset_``.

    Raises
    ------
    DataError
        From `fit`, if a step is unknown.

    Examples
    --------
    >>> ChannelScaler(["minmax"]).fit_transform([[1.0, 5.0], [3.0, 9.0], [2.0, 6.0]]).tolist()
    [[0.0, 0.0], [1.0, 1.0], [0.5, 0.25]]
    """

    def __init__(self, steps: Sequence[str] = ("zscore", "minmax")) -> None:
        self.steps = steps

    def fit(self, X: np.ndarray, y: object = None) -> "ChannelScaler":
        """Compute mean, standard deviation and range of each channel.

        Parameters
        ----------
        X : ndarray, shape (n_windows, n_times, n_channels) or (n_samples, n_channels)
        y : ignored
        """
        flat = _check_channels(self, X, reset=True).reshape(-1, self.n_features_in_)
        parts = [_moments(flat[start : start + 2**16]) for start in range(0, len(flat), 2**16)]
        n, total, squares, low, high = (np.array(values) for values in zip(*parts, strict=True))
        moments = Moments(n, total, squares, low, high).pooled(np.zeros(len(n), int), 1)
        gain, offset = moments.affine(self.steps)  # type: ignore[arg-type]  # it checks the steps
        self.gain_, self.offset_ = gain[0], offset[0]
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Return the scaled signals, in the shape and precision of `X`."""
        check_is_fitted(self)
        X = _check_channels(self, X, reset=False)
        scaled: np.ndarray = X * self.gain_.astype(X.dtype) + self.offset_.astype(X.dtype)
        return scaled

    def __sklearn_tags__(self) -> Any:
        """Declare that single precision is kept."""
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _moments(x: np.ndarray) -> tuple[np.ndarray, ...]:
    wide = x.astype(np.float64)
    n = np.float64(len(x))
    return n, wide.sum(axis=0), (wide**2).sum(axis=0), x.min(axis=0), x.max(axis=0)  # type: ignore[return-value]


def _check_channels(estimator: Any, X: Any, *, reset: bool) -> np.ndarray:
    """Return a checked array; scikit-learn's features are the channels, its last dimension."""
    before = X.shape[:-1] if isinstance(X, np.ndarray) and X.ndim == 3 else None
    flat: np.ndarray = validate_data(
        estimator,
        X if before is None else X.reshape(-1, X.shape[-1]),
        reset=reset,
        dtype=[np.float64, np.float32],
    )
    return flat if before is None else flat.reshape(*before, -1)


def _names_in(estimator: Any) -> list[str]:
    """Return the column names: as given, of a data frame, or as scikit-learn numbers them."""
    given = getattr(estimator, "ch_names", None)
    if given is None:
        given = getattr(estimator, "feature_names_in_", None)
    if given is None:
        given = [f"x{k}" for k in range(estimator.n_features_in_)]
    return [str(name) for name in given]


def check_input_features(estimator: Any, names: Sequence[str] | None) -> None:
    """Check column names by scikit-learn's rule: the right number, and those of `fit`."""
    if names is None:
        return
    known = getattr(estimator, "feature_names_in_", None)
    if known is not None and list(names) != list(known):
        raise DataError("input_features is not equal to feature_names_in_")
    if len(names) != estimator.n_features_in_:
        raise DataError(
            "input_features should have length equal to number of features "
            f"({estimator.n_features_in_}), got {len(names)}"
        )
