"""Features of all windows, computed once per experiment and stored."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from eegemo.store import FileDigests, atomic_folder, digest_bytes, digest_json, remove_damaged
from eegemo.windows import Windows

__all__ = [
    "store_features",
]


_BATCH = 2048


def store_features(
    windows: Windows, data: str, bands: Sequence[Sequence[float]], store: Path
) -> Path:
    """Compute the log band power of all windows in volts, unless it is there; return its file.

    Parameters
    ----------
    windows : Windows
    data : str
        Digest of the stored trials.
    bands : sequence of (float, float)
        In Hz.
    store : Path

    Returns
    -------
    file : Path
        A float32 array of shape (n_windows, n_channels * n_bands).
    """
    from eegemo.features import BandPower

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
