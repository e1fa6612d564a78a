"""Fingerprints of stored trials, made once and kept beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np

from eegemo.fingerprints import FINGERPRINT_VERSION, make_fingerprints
from eegemo.store import FileDigests, atomic_folder, is_whole, remove_damaged
from eegemo.trials import Trials, load_trials

__all__ = ["load_prints", "store_prints", "stored_prints"]

_NAME = "fingerprints.npy"
_BATCH = 1 << 22  # bytes that are read at a time


def load_prints(trials: Trials) -> np.ndarray:
    """Return the fingerprint of each trial; those of stored trials are stored, too.

    Parameters
    ----------
    trials : Trials

    Returns
    -------
    prints : ndarray of `eegemo.fingerprints.FINGERPRINT`, shape (n_trials,)
    """
    if not trials.folders:
        arrays = (trials.array(number) for number in range(len(trials)))
        return make_fingerprints(arrays, trials.sfreq)
    recording, _ = trials.position
    parts = []
    for number, folder in enumerate(trials.folders):
        lengths = trials.n_times[recording == number].tolist()
        file = store_prints(folder, lengths, len(trials.ch_names), trials.sfreq)
        parts.append(np.load(file))
    return np.concatenate(parts)


def store_prints(folder: Path, lengths: Sequence[int], n_channels: int, sfreq: float) -> Path:
    """Store the fingerprints of a recording's stored trials, unless they are stored already.

    Parameters
    ----------
    folder : Path
        Of the stored trials.
    lengths : sequence of int
        Samples of each trial.
    n_channels : int
    sfreq : float
        In Hz.

    Returns
    -------
    file : Path
        With an array of `eegemo.fingerprints.FINGERPRINT`.
    """
    kept, digests = _place(folder), FileDigests()
    if not is_whole(kept, digests):
        remove_damaged(kept, digests)
        prints = make_fingerprints(_read(folder / "trials.npy", lengths, n_channels), sfreq)
        with atomic_folder(kept) as temporary:
            np.save(temporary / _NAME, prints)
    return kept / _NAME


def stored_prints(folder: Path) -> np.ndarray:
    """Return the fingerprints of stored trials, and store nothing; those kept if there are any."""
    kept = _place(folder)
    if is_whole(kept, FileDigests()):
        prints: np.ndarray = np.load(kept / _NAME)
        return prints
    return load_prints(replace(load_trials([folder]), folders=()))


def _place(folder: Path) -> Path:
    return folder.parent.parent / "fingerprints" / f"{folder.name}-{FINGERPRINT_VERSION}"


def _read(file: Path, lengths: Sequence[int], n_channels: int) -> Iterator[np.ndarray]:
    """Yield stored trials, a few of one length at a time; reading is faster than mapping here."""
    with file.open("rb") as stream:
        np.lib.format.read_magic(stream)
        np.lib.format.read_array_header_1_0(stream)
        for length, same in groupby(lengths):
            left = len(list(same))
            # one piece of memory for all: the next part is read when the last one has been used
            most = max(1, _BATCH // (4 * length * n_channels))
            part = np.empty((min(most, left), length, n_channels), "<f4")
            while left:
                part = part[:left]
                stream.readinto(part.data.cast("B"))
                left -= len(part)
                yield part
