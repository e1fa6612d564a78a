"""What the windows of a result typically look like, to tell signals that are unlike them.

A few kilobytes for each result: the power of every channel in frequency bands, in decibels, as
median and robust standard deviation over some hundred windows, and how strong the mean of all
channels is, which tells an average reference from any other. No label is used.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from eegemo.errors import ResultError
from eegemo.features import BandPower, compute_band_powers
from eegemo.results.records import Kind, check_record, read_json
from eegemo.windows import Windows

__all__ = ["read_signals", "summarise_signals"]

#: In Hz; those that the windows resolve are used.
_BANDS = ((1.0, 4.0), (4.0, 8.0), (8.0, 13.0), (13.0, 30.0), (30.0, 45.0))
#: Windows that are looked at, spread evenly over all.
_MOST = 400
#: Decibels of one squared microvolt, in squared volts: the unit of the numbers.
_MICRO = -120.0
#: Of a normal distribution, the standard deviation over the median absolute deviation.
_MAD = 1.4826
#: What is left of a mean that vanishes but for rounding, in decibels.
_SILENT = -200.0


def summarise_signals(windows: Windows) -> dict[str, Any]:
    """Summarise the spectra of windows, from up to 400 of them.

    Parameters
    ----------
    windows : Windows
        Preprocessed, not scaled.

    Returns
    -------
    summary : dict
        ``channels``; ``bands`` in Hz; ``median`` and ``sd`` (robust) of the band power over
        windows, in decibels of one squared microvolt, one list per channel; ``common``, the median
        power of the mean over channels relative to that of single channels, in decibels (null for a
        single channel); ``n_windows``. Rounded, so that they are the same on any machine.
    """
    rows = np.unique(np.linspace(0, len(windows) - 1, min(_MOST, len(windows))).astype(int))
    resolution = windows.trials.sfreq / windows.n_times
    bands = [
        band
        for band in _BANDS
        if band[0] >= (1 - 1e-9) * resolution
        and band[1] - band[0] >= (1 - 1e-9) * resolution
        and band[1] <= windows.trials.sfreq / 2
    ] or [(0.0, windows.trials.sfreq / 2)]
    power = compute_band_powers(windows, rows, BandPower(windows.trials.sfreq, bands))
    decibels = 10 / np.log(10) * power.reshape(len(rows), windows.n_channels, len(bands)) - _MICRO
    median = np.median(decibels, axis=0)
    sd = _MAD * np.median(np.abs(decibels - median), axis=0)
    return {
        "n_windows": len(rows),
        "channels": list(windows.trials.ch_names),
        "bands": [list(band) for band in bands],
        "median": median.round(2).tolist(),
        "sd": sd.round(2).tolist(),
        "common": _common(windows, rows),
    }


def _common(windows: Windows, rows: np.ndarray) -> float | None:
    if windows.n_channels < 2:
        return None
    x = windows.gather(rows).astype(float)
    x -= x.mean(axis=1, keepdims=True)
    single = x.var(axis=1).mean(axis=1)
    mean = x.mean(axis=2).var(axis=1)
    ratio = np.median(mean / np.maximum(single, np.finfo(float).tiny))
    return round(float(10 * np.log10(max(ratio, 10 ** (_SILENT / 10)))), 1)


def _are_rows(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(row, list) and all(isinstance(x, int | float) for x in row) for row in value
    )


def _is_name(value: Any) -> bool:
    return isinstance(value, str)


_ROWS = Kind("lists of numbers", _are_rows)
_SIGNALS = {
    "references": Kind("a list of text", lambda v: isinstance(v, list) and all(map(_is_name, v))),
    "n_windows": Kind("a count", lambda value: isinstance(value, int)),
    "channels": Kind("a list of text", lambda v: isinstance(v, list) and all(map(_is_name, v))),
    "bands": _ROWS,
    "median": _ROWS,
    "sd": _ROWS,
    "common": Kind("a number or null", lambda v: v is None or isinstance(v, int | float)),
}


def read_signals(path: Path) -> dict[str, Any] | None:
    """Read a summary; None for a result that is older than it.

    Raises
    ------
    ResultError
        If it is corrupt.
    """
    if not path.is_file():
        return None
    found = read_json(path, {})
    check_record(found, _SIGNALS, path)
    shape = (len(found["channels"]), len(found["bands"]))
    sizes = {tuple(map(len, found[name])) for name in ("median", "sd")}
    if sizes != {(shape[1],) * shape[0]} or {len(band) for band in found["bands"]} != {2}:
        raise ResultError(
            f"{path}: expected a median and an sd for each of {shape[0]} channels and {shape[1]} "
            "bands."
        )
    return found
