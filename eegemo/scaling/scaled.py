"""Windows together with their scaling: the input from which a model predicts."""

from functools import cached_property

import numpy as np

from eegemo.scaling.affine import Scaling
from eegemo.windows import Windows

__all__ = ["ScaledWindows"]


class ScaledWindows:
    """Scaled windows, by number, without classes and ratings.

    Parameters
    ----------
    windows : Windows
        Their classes and ratings are dropped.
    scaling : Scaling
    band_power : ndarray, shape (n_windows, n_channels * n_bands), optional
        Log band power of all windows in volts, stored for models that declare bands.

    Attributes
    ----------
    windows : Windows
        Without classes and ratings.
    scaling : Scaling
    band_power : ndarray or None
    """

    def __init__(
        self, windows: Windows, scaling: Scaling, band_power: np.ndarray | None = None
    ) -> None:
        self.windows = windows.unlabelled
        self.scaling, self.band_power = scaling, band_power

    def __len__(self) -> int:
        return len(self.windows)

    @cached_property
    def unit(self) -> np.ndarray | None:
        """Row of the scaling for each window, shape (n_windows,); None for a single row."""
        return self.scaling.unit_of(self.windows)

    def x(self, rows: np.ndarray) -> np.ndarray:
        """Return scaled windows.

        Parameters
        ----------
        rows : ndarray of int, shape (n,)

        Returns
        -------
        x : ndarray of float32, shape (n, n_times, n_channels)
        """
        unit = None if self.unit is None else self.unit[rows]
        return self.scaling.transform(self.windows.gather(rows), unit, overwrite=True)
