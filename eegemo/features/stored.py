"""Band power of all windows, computed once per experiment and stored."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from eegemo.features.band_power import BandPower, compute_band_powers
from eegemo.scaling import ScaledWindows
from eegemo.store import FileDigests, atomic_folder, digest_bytes, digest_json, remove_damaged
from eegemo.windows import Windows

__all__ = ["scaled_band_power", "store_features"]


_BATCH = 2048


def store_features(
    windows: Windows, data: str, bands: Sequence[Sequence[float]], store: Path
) -> Path:
    """Store the log band power of all windows in volts, unless it is stored already.

    Parameters
    ----------
    windows : Windows
    data : str
        Digest of the stored trials.
    bands : sequence of (float, float)
        In Hz.
    store : Path
        Folder of stored artefacts.

    Returns
    -------
    file : Path
        With a float32 array of shape (n_windows, n_channels * n_bands).
    """
    index = digest_bytes(np.stack([windows.trial, windows.first]).astype("<i8").tobytes())
    key = digest_json(
        {"version": 1, "data": data, "index": index, "n": windows.n_times, "bands": bands}
    )
    folder = store / "features" / key[:32]
    remove_damaged(folder, FileDigests())
    if not folder.exists():
        power = BandPower(windows.trials.sfreq, bands=[(low, high) for low, high in bands])
        power.fit(np.zeros((1, windows.n_times, windows.n_channels), np.float32))
        shape = (len(windows), windows.n_channels * len(bands))
        with atomic_folder(folder) as temporary:
            # not through a memory map: on a full disk, writing to one ends the process
            head = {"descr": "<f4", "fortran_order": False, "shape": shape}
            with (temporary / "band_power.npy").open("wb") as stream:
                np.lib.format.write_array_header_1_0(stream, head)
                for first in range(0, len(windows), _BATCH):
                    rows = np.arange(first, min(first + _BATCH, len(windows)))
                    part = power.transform(windows.gather(rows))
                    stream.write(np.ascontiguousarray(part, dtype="<f4").tobytes())
    return folder / "band_power.npy"


def scaled_band_power(data: ScaledWindows, rows: np.ndarray, power: BandPower) -> np.ndarray:
    """Return the log band power of scaled windows, from stored values if possible.

    Band power does not depend on the mean of a window, and scaling a channel by a gain adds
    ``2 log(gain)`` to its log power. So the stored values of windows in volts serve every scaling
    except ``fit="window"``.

    Parameters
    ----------
    data : ScaledWindows
    rows : ndarray of int, shape (n,)
    power : BandPower
        Fitted here, as part of a pipeline.

    Returns
    -------
    features : ndarray, shape (n, n_channels * n_bands)

    Raises
    ------
    ConfigError
        If the windows cannot resolve the bands.
    """
    windows, scaling, stored = data.windows, data.scaling, data.band_power
    if stored is None and not scaling.steps:
        return compute_band_powers(windows, rows, power)
    compute_band_powers(windows, rows[:0], power)
    if stored is not None and not scaling.steps:
        plain: np.ndarray = np.asarray(stored)[rows]
        return plain
    unit = None if data.unit is None else data.unit[rows]
    if stored is not None and scaling.fit != "window":
        x: np.ndarray = np.asarray(stored[rows], float)
        gain = scaling.gain.astype(float)[np.zeros(len(rows), int) if unit is None else unit]
        shift = 2 * np.log(np.maximum(np.abs(gain), np.finfo(np.float32).tiny))
        x += np.repeat(shift, len(power.bands), axis=1)
        return x
    found = np.empty((len(rows), windows.n_channels * len(power.bands)))
    for first in range(0, len(rows), _BATCH):
        part = slice(first, first + _BATCH)
        found[part] = power.transform(data.x(rows[part]))
    return found
