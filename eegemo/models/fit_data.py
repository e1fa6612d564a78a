"""All that a model may see of a fold; classes of the test set are not in it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from eegemo.errors import ConfigError, LeakageError
from eegemo.models.options import TrainingOptions
from eegemo.models.shapes import InputShape
from eegemo.scaling import ScaledWindows

__all__ = ["FitData", "class_weights", "is_validated"]


def class_weights(codes: np.ndarray, n_classes: int) -> np.ndarray:
    """Return weights that give every class present the same say, averaging 1 over the windows.

    Examples
    --------
    >>> [round(float(w), 3) for w in class_weights(np.array([0, 0, 0, 1]), 2)]
    [0.667, 2.0]
    """
    n = np.bincount(codes, minlength=n_classes)
    weights = np.where(n > 0, len(codes) / (np.count_nonzero(n) * np.maximum(n, 1)), 0.0)
    return weights.astype(np.float32)


class FitData:
    """All that a model may see of a fold, made by `make_fit_data`.

    Attributes
    ----------
    scaled : ScaledWindows
        The windows, without classes and ratings.
    shape : InputShape
    train, validation : ndarray of int
        Numbers of the training and validation windows; `validation` may be empty.
    target : ndarray of int
        The test windows, for a transductive model; empty for any other.
    class_weight : ndarray of float32, shape (n_classes,)
        Weight of each class in the loss, from the training set; averages 1 over its windows.
    domain : ndarray of int, shape (n_windows,)
        Number of the subject of each window.
    name : str
        What messages call the fold.
    """

    def __init__(
        self,
        scaled: ScaledWindows,
        shape: InputShape,
        *,
        train: np.ndarray,
        validation: np.ndarray,
        codes: np.ndarray,
        target: np.ndarray,
        class_weight: np.ndarray,
        name: str,
        digest: Callable[[Any], str],
        bands: Sequence[tuple[float, float]] | None = None,
    ) -> None:
        self.scaled, self.shape, self.name = scaled, shape, name
        self.train, self.validation, self.target = train, validation, target
        self.class_weight = class_weight
        self._digest, self._bands = digest, bands
        # what is not learned from is not even here
        self._codes = np.full(len(scaled), -1, np.int64)
        self._is_shown = np.zeros(len(scaled), bool)
        for rows in (train, validation):
            self._codes[rows] = codes[rows]
        for rows in (train, validation, target):
            self._is_shown[rows] = True

    @property
    def domain(self) -> np.ndarray:
        """Number of the subject of each window."""
        subject = self.scaled.windows.trials.metadata["subject"].astype(str)
        numbers: np.ndarray = np.unique(subject, return_inverse=True)[1]
        domain: np.ndarray = numbers[self.scaled.windows.trial]
        return domain

    def x(self, rows: np.ndarray) -> np.ndarray:
        """Return scaled windows.

        Parameters
        ----------
        rows : ndarray of int, shape (n,)
            Training or validation windows, or, for a transductive model, those of `target`.

        Returns
        -------
        x : ndarray of float32, shape (n, n_times, n_channels)

        Raises
        ------
        LeakageError
            If a row is of none of them.
        """
        self._check_shown(rows)
        return self.scaled.x(rows)

    def _check_shown(self, rows: np.ndarray) -> None:
        if not self._is_shown[rows].all():
            raise LeakageError(
                f"fold {self.name}: a model asked for the signals of windows that are neither in "
                "its training nor in its validation set. One that learns from signals of the test "
                "set has to be declared transductive."
            )

    def y(self, rows: np.ndarray) -> np.ndarray:
        """Return classes.

        Parameters
        ----------
        rows : ndarray of int, shape (n,)
            Training or validation windows.

        Returns
        -------
        y : ndarray of int, shape (n,)

        Raises
        ------
        LeakageError
            If a row is of neither set.
        """
        codes: np.ndarray = self._codes[rows]
        if (codes < 0).any():
            raise LeakageError(
                f"fold {self.name}: a model asked for the classes of windows that are neither in "
                "its training nor in its validation set."
            )
        return codes

    def features(self, rows: np.ndarray) -> np.ndarray:
        """Return the stored log band power of scaled windows, (n, n_channels * n_bands).

        The windows are those that `x` gives.

        Raises
        ------
        LeakageError
            As for `x`.
        ConfigError
            If the model names no bands, so that none is stored.
        """
        from eegemo.features import BandPower
        from eegemo.features.stored import scaled_band_power

        if self._bands is None:
            raise ConfigError("model: it asks for band power, but names no bands.")
        self._check_shown(rows)
        power = BandPower(self.shape.sfreq, bands=[(low, high) for low, high in self._bands])
        power.fit(np.zeros((1, self.shape.n_times, self.shape.n_channels), np.float32))
        return scaled_band_power(self.scaled, rows, power)

    def key(
        self, model: Mapping[str, Any], options: TrainingOptions, seed: int, *software: str
    ) -> str:
        """Return a digest of all that decides a training but the signals, to name its checkpoint.

        Parameters
        ----------
        model : mapping
            What tells the model from others, as JSON can hold it.
        options : TrainingOptions
        seed : int
        software : str
            Framework, back end, version: where another one draws other numbers.
        """
        given = asdict(options)
        del given["class_weight"]  # the weights themselves are in the digest
        settings = {"model": dict(model), **given, "seed": seed}
        scaling = self.scaled.scaling
        return self._digest([settings, scaling.steps, scaling.fit, *software])


def is_validated(data: FitData) -> bool:
    """Tell whether a fold has validation windows whose loss says something."""
    # classes that training lacks have no weight
    return bool(data.class_weight[data.y(data.validation)].any())
