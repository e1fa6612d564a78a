"""Frequency bands and their check, free of scientific libraries but NumPy."""

from collections.abc import Sequence

import numpy as np

from eegemo.errors import ConfigError

__all__ = ["BANDS", "Band", "check_bands"]

Band = tuple[float, float]

#: Theta, alpha, beta and gamma in Hz, within the pass band of DEAP's preprocessing (4-45 Hz).
BANDS: tuple[Band, ...] = ((4.0, 8.0), (8.0, 13.0), (13.0, 30.0), (30.0, 45.0))


def check_bands(bands: Sequence[Sequence[float]], sfreq: float, n_times: int | None = None) -> None:
    """Refuse bands that windows of a given length and sampling frequency cannot resolve.

    Parameters
    ----------
    bands : sequence of (float, float)
        Lower and upper edge of each, in Hz.
    sfreq : float
        Sampling frequency in Hz.
    n_times : int, optional
        Samples per window; the frequency resolution is ``sfreq / n_times``.

    Raises
    ------
    ConfigError
        If there is no band, an edge is negative or not a number, the upper edge is not above the
        lower one or is above half the sampling frequency, or the band is narrower than the
        resolution.

    Examples
    --------
    >>> check_bands([(8, 13)], 128.0, 256)
    >>> check_bands([(8, 13)], 128.0, 16)
    Traceback (most recent call last):
    eegemo.errors.ConfigError: bands: 8-13 Hz is narrower than what windows of 0.125 s resolve, 8
    Hz. Use longer windows or a wider band.
    """
    if not 0 < sfreq < np.inf:
        raise ConfigError(f"bands: the sampling frequency must be positive; found {sfreq!r}.")
    if not len(bands):
        raise ConfigError("bands: expected at least one, such as (8, 13) Hz; found none.")
    for band in bands:
        if len(band) != 2 or not 0 <= band[0] < band[1] < np.inf:
            raise ConfigError(
                "bands: expected a lower edge of at least 0 Hz and an upper edge above it, such as "
                f"(8, 13); found {tuple(band)}."
            )
        name = f"{band[0]:g}-{band[1]:g} Hz"
        if band[1] > sfreq / 2:
            raise ConfigError(
                f"bands: {name} reaches above {sfreq / 2:g} Hz, half the sampling frequency, where "
                "nothing is measured. Use a lower band or a higher preprocessing.sfreq."
            )
        if n_times is not None and band[1] - band[0] < (1 - 1e-9) * sfreq / n_times:
            raise ConfigError(
                f"bands: {name} is narrower than what windows of {n_times / sfreq:g} s resolve, "
                f"{sfreq / n_times:g} Hz. Use longer windows or a wider band."
            )
