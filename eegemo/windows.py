"""Trials once on disk, and an index of windows into them.

A minute of EEG cut into 256-sample windows every 16 samples holds each sample sixteen times. All of
DEAP would be 19.5 GB as windows; it is 1.3 GB as trials plus an index of two integers per window::

    trial   |----------------------------------------------|   (n_times, n_channels), float32, volts
    window   [======]                                          first = 0
               [======]                                        first = stride
                 [======]                                      first = 2 * stride ...

Trials are stored time by channel, so that a window is one contiguous block of memory.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from eegemo.errors import DataError
from eegemo.labels import Labels
from eegemo.store import atomic_folder

if TYPE_CHECKING:
    import mne

__all__ = ["Trials", "Windows", "load_trials", "make_trials", "make_windows", "store_trials"]

_KEYS = ("subject", "session", "trial", "stimulus")


@dataclass(frozen=True)
class Trials:
    """The trials of any number of recordings.

    Attributes
    ----------
    arrays : tuple of ndarray, each of shape (n_trials, n_times, n_channels)
        One per recording (subject), float32, volts; memory-mapped when loaded from disk. The first
        sample is at the onset of the stimulus, or at `tmin`.
    metadata : DataFrame
        One row per trial over all recordings, in order: subject, session, trial, stimulus, ratings
        or trial_type.
    sfreq : float
        Sampling frequency in Hz.
    ch_names : tuple of str
    tmin : float
        Time of the first sample, in seconds from the onset of the stimulus: 0, or later where
        the epochs begin later.
    folders : tuple of Path
        Where the arrays lie; empty if they are only in memory.
    """

    arrays: tuple[np.ndarray, ...]
    metadata: pd.DataFrame
    sfreq: float
    ch_names: tuple[str, ...]
    tmin: float = 0.0
    folders: tuple[Path, ...] = ()

    def __len__(self) -> int:
        return len(self.metadata)

    @cached_property
    def position(self) -> tuple[np.ndarray, np.ndarray]:
        """Recording number and row within the recording, of each trial."""
        sizes = [len(array) for array in self.arrays]
        recording = np.repeat(np.arange(len(sizes)), sizes)
        row = np.concatenate([np.arange(size) for size in sizes])
        return recording, row

    def array(self, trial: int) -> np.ndarray:
        """Return one trial, shape (n_times, n_channels), without copying it."""
        recording, row = self.position
        view: np.ndarray = self.arrays[recording[trial]][row[trial]]
        return view

    def __reduce__(self) -> Any:
        # a process that is sent stored trials maps the same files instead of receiving their bytes
        if self.folders:
            return load_trials, (self.folders,)
        return Trials, (self.arrays, self.metadata, self.sfreq, self.ch_names, self.tmin)


def make_trials(epochs: "Sequence[mne.BaseEpochs]") -> Trials:
    """Collect epochs in memory as trials.

    Parameters
    ----------
    epochs : sequence of mne.Epochs
        One per recording, with ``metadata`` (subject, session, trial, stimulus, ...). Samples
        before time zero are left out.

    Returns
    -------
    trials : Trials

    Raises
    ------
    DataError
        If the recordings differ in channels or sampling frequency, or there are none.
    """
    if not epochs:
        raise DataError("trials: no recording was given.")
    arrays = tuple(_array(one) for one in epochs)
    about = [
        _About(one.metadata, float(one.info["sfreq"]), tuple(one.ch_names), _first_time(one))
        for one in epochs
    ]
    return _collect(arrays, about, ())


class _About(NamedTuple):
    """What belongs to one recording's array."""

    metadata: pd.DataFrame
    sfreq: float
    ch_names: tuple[str, ...]
    tmin: float


def _onset(epochs: "mne.BaseEpochs") -> int:
    return int(np.searchsorted(epochs.times, -0.5 / epochs.info["sfreq"]))


def _first_time(epochs: "mne.BaseEpochs") -> float:
    return float(epochs.times[_onset(epochs)]) + 0.0  # no negative zero


def _array(epochs: "mne.BaseEpochs") -> np.ndarray:
    if epochs.metadata is None or not set(_KEYS) <= set(epochs.metadata.columns):
        raise DataError(f"trials: epochs need metadata with the columns {', '.join(_KEYS)}.")
    if epochs.times[-1] < -0.5 / epochs.info["sfreq"]:
        raise DataError("trials: the epochs end before the onset of the stimulus.")
    data = epochs.get_data(copy=False)[:, :, _onset(epochs) :]
    with np.errstate(over="ignore"):
        array = np.ascontiguousarray(np.swapaxes(data, 1, 2), dtype=np.float32)
    if not np.isfinite(array).all():
        trial, _, channel = np.argwhere(~np.isfinite(array))[0]
        row = epochs.metadata.iloc[trial]
        raise DataError(
            f"subject {row['subject']}, trial {row['trial']}, channel {epochs.ch_names[channel]}: "
            "a sample is not a number, or too large for one (1e38 V)."
        )
    return array


def _join_runs(runs: "Sequence[mne.BaseEpochs]") -> tuple[np.ndarray, pd.DataFrame]:
    """Put the runs of one recording together, with channels in the order of the first."""
    first = runs[0]
    arrays = []
    for number, run in enumerate(runs, start=1):
        array = _array(run)
        where = f"subject {run.metadata['subject'].iloc[0]}, run {number} of {len(runs)}"
        if set(run.ch_names) != set(first.ch_names):
            odd = ", ".join(sorted(set(run.ch_names) ^ set(first.ch_names)))
            raise DataError(
                f"{where}: its channels differ from the first run's ({odd}). "
                "Choose channels that all runs have."
            )
        if run.info["sfreq"] != first.info["sfreq"] or len(run.times) != len(first.times):
            raise DataError(
                f"{where}: {len(run.times)} samples at {run.info['sfreq']:g} Hz a trial, "
                f"{len(first.times)} at {first.info['sfreq']:g} Hz in the first run. "
                "Set preprocessing.sfreq."
            )
        order = [run.ch_names.index(name) for name in first.ch_names]
        arrays.append(array if order == sorted(order) else array[:, :, order])
    whole = arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
    return whole, pd.concat([run.metadata for run in runs], ignore_index=True)


def store_trials(
    epochs: "mne.BaseEpochs | Sequence[mne.BaseEpochs]",
    folder: str | Path,
    *,
    notes: Sequence[str] = (),
    extra: Callable[[Path], None] | None = None,
) -> Path:
    """Store the trials of one recording in a folder that exists only when it is complete.

    Parameters
    ----------
    epochs : mne.Epochs or sequence of mne.Epochs
        Of one recording, or of each of its runs, with ``metadata``; samples before time zero are
        left out. Channels are put in the order of the first run.
    folder : path
        Made by this function. If it exists it is left as it is.
    notes : sequence of str
        What happened on the way here, a line each: trials left out, channels repaired.
    extra : callable, optional
        Called with the folder before it gets its name, to put files of its own into it.

    Returns
    -------
    folder : Path
        Holding ``trials.npy`` (n_trials, n_times, n_channels; float32, volts),
        ``metadata.parquet``, ``signal.parquet`` (channel names, sampling frequency, time of the
        first sample) and ``notes.txt``.

    Raises
    ------
    DataError
        If runs differ in channels, sampling frequency or length, or a sample is not a number.
    """
    folder = Path(folder)
    runs = list(epochs) if isinstance(epochs, Sequence) else [epochs]
    first = runs[0]
    array, metadata = _join_runs(runs)
    with atomic_folder(folder) as temporary:
        np.save(temporary / "trials.npy", array)
        metadata.to_parquet(temporary / "metadata.parquet")
        signal = pd.DataFrame({"channel": first.ch_names, "sfreq": float(first.info["sfreq"])})
        signal["tmin"] = _first_time(first)
        signal.to_parquet(temporary / "signal.parquet")
        lines = "".join(f"{' '.join(note.split())}\n" for note in notes)
        (temporary / "notes.txt").write_text(lines, encoding="utf-8")
        if extra is not None:
            extra(temporary)
    return folder


def load_trials(folders: Sequence[str | Path]) -> Trials:
    """Map stored trials into memory.

    Parameters
    ----------
    folders : sequence of path
        As made by `store_trials`.

    Returns
    -------
    trials : Trials

    Raises
    ------
    DataError
        If a folder is damaged, or recordings differ in channels or sampling frequency.
    """
    if not folders:
        raise DataError("trials: no recording was given.")
    arrays, about = [], []
    paths = tuple(Path(folder) for folder in folders)
    for path in paths:
        try:
            # asarray: indexing the memmap class itself costs several times more per window
            arrays.append(np.asarray(np.load(path / "trials.npy", mmap_mode="r")))
            metadata = pd.read_parquet(path / "metadata.parquet")
            signal = pd.read_parquet(path / "signal.parquet")
            sfreq, tmin = float(signal["sfreq"].iloc[0]), float(signal["tmin"].iloc[0])
        except (OSError, ValueError, EOFError, KeyError, IndexError) as error:
            raise DataError(
                f"{path}: not a whole folder of stored trials ({error}). If it is one that eegemo "
                "stored, delete it and run again: it will be made anew."
            ) from error
        about.append(_About(metadata, sfreq, tuple(signal["channel"]), tmin))
    return _collect(tuple(arrays), about, paths)


def _collect(
    arrays: tuple[np.ndarray, ...], about: Sequence[_About], folders: tuple[Path, ...]
) -> Trials:
    first = about[0]
    for array, one in zip(arrays, about, strict=True):
        subject = one.metadata["subject"].iloc[0] if len(one.metadata) else "?"
        if one.ch_names != first.ch_names:
            odd = sorted(set(one.ch_names) ^ set(first.ch_names)) or ["in another order"]
            raise DataError(
                f"subject {subject}: its channels differ from the first recording's "
                f"({', '.join(odd)}). Choose channels that all recordings have."
            )
        if one.sfreq != first.sfreq:
            raise DataError(
                f"subject {subject}: sampled at {one.sfreq:g} Hz, the first recording at "
                f"{first.sfreq:g} Hz. Set preprocessing.sfreq."
            )
        if abs(one.tmin - first.tmin) > 0.5 / first.sfreq:
            raise DataError(
                f"subject {subject}: its trials begin {one.tmin:g} s after stimulus onset, those "
                f"of the first recording {first.tmin:g} s."
            )
        if len(array) != len(one.metadata):
            raise DataError(
                f"subject {subject}: {len(array)} trials but {len(one.metadata)} metadata rows."
            )
    metadata = pd.concat([one.metadata for one in about], ignore_index=True)
    return Trials(arrays, metadata, first.sfreq, first.ch_names, first.tmin, folders)


@dataclass(frozen=True)
class Windows:
    """An index of windows into trials; `gather` is the only thing that copies samples.

    Attributes
    ----------
    trials : Trials
    labels : Labels
        The class of each trial.
    trial : ndarray of int32, shape (n_windows,)
        Which trial (row of ``trials.metadata``) a window lies in.
    first : ndarray of int32, shape (n_windows,)
        Its first sample, counted from the start of the trial's array.
    n_times : int
        Samples per window.
    """

    trials: Trials
    labels: Labels
    trial: np.ndarray
    first: np.ndarray
    n_times: int

    def __len__(self) -> int:
        return len(self.trial)

    def __reduce__(self) -> Any:
        # what is cached (the table, moments of trials) is cheaper to make again than to send
        return Windows, (self.trials, self.labels, self.trial, self.first, self.n_times)

    @property
    def n_channels(self) -> int:
        """Number of channels."""
        return len(self.trials.ch_names)

    @property
    def codes(self) -> np.ndarray:
        """Class of each window, an index into ``labels.classes``."""
        codes: np.ndarray = self.labels.codes[self.trial]
        return codes

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per window: subject, session, trial, stimulus, start and stop (s), code."""
        keys = self.trials.metadata[list(_KEYS)].copy()
        for name in ("subject", "session", "stimulus"):  # strings once per trial, not per window
            keys[name] = keys[name].astype(str).astype("category")
        table = keys.iloc[self.trial].reset_index(drop=True)
        table["start"] = self.trials.tmin + self.first / self.trials.sfreq
        table["stop"] = table["start"] + self.n_times / self.trials.sfreq
        table["code"] = self.codes
        return table

    def gather(self, rows: np.ndarray) -> np.ndarray:
        """Copy windows out of their trials.

        Parameters
        ----------
        rows : ndarray of int, shape (n,)
            Window numbers.

        Returns
        -------
        x : ndarray of float32, shape (n, n_times, n_channels)
            Volts.
        """
        x = np.empty((len(rows), self.n_times, self.n_channels), np.float32)
        arrays, n_times = self.trials.arrays, self.n_times
        recording, row = self.trials.position
        trial = self.trial[rows]
        places = zip(
            recording[trial].tolist(), row[trial].tolist(), self.first[rows].tolist(), strict=True
        )
        for k, (which, where, start) in enumerate(places):
            x[k] = arrays[which][where, start : start + n_times]
        return x


def make_windows(
    trials: Trials, labels: Labels, *, duration: float = 2.0, stride: float = 1.0
) -> Windows:
    """Index the windows of every trial that has a class.

    Parameters
    ----------
    trials : Trials
    labels : Labels
        From `eegemo.labels.make_labels` on ``trials.metadata``.
    duration, stride : float
        Length of a window and distance between the starts of two, in seconds. Only whole windows
        count: the first starts at stimulus onset, and the rest of a trial that fills no window is
        left out.

    Returns
    -------
    windows : Windows

    Raises
    ------
    DataError
        If duration or stride are not whole samples or not positive, or no trial is long enough.

    Examples
    --------
    >>> trial = {"subject": "s01", "session": "1", "trial": 1, "stimulus": "1"}
    >>> signals = np.zeros((1, 512, 2), np.float32)
    >>> trials = Trials((signals,), pd.DataFrame([trial]), 128.0, ("Fz", "Cz"))
    >>> labels = Labels(np.zeros(1, int), ("low", "high"), {})
    >>> windows = make_windows(trials, labels, duration=2.0, stride=1.0)
    >>> windows.first.tolist(), windows.gather(np.array([0, 2])).shape
    ([0, 128, 256], (2, 256, 2))
    """
    n_times = _samples("duration", duration, trials.sfreq)
    step = _samples("stride", stride, trials.sfreq)
    recording, _ = trials.position
    length = np.array([array.shape[1] for array in trials.arrays])[recording]
    usable = labels.codes >= 0
    number = np.where(usable, np.maximum((length - n_times) // step + 1, 0), 0)
    if not number.any():
        longest = length[usable].max(initial=0) / trials.sfreq
        raise DataError(
            f"windows: duration {duration:g} s is longer than every usable trial "
            f"(the longest has {longest:g} s after stimulus onset)."
        )
    trial = np.repeat(np.arange(len(trials), dtype=np.int32), number)
    ends = np.cumsum(number)
    within = np.arange(ends[-1]) - np.repeat(ends - number, number)
    return Windows(trials, labels, trial, (within * step).astype(np.int32), n_times)


def _samples(name: str, seconds: float, sfreq: float) -> int:
    samples = round(seconds * sfreq)
    if samples < 1 or abs(samples - seconds * sfreq) > 1e-6 * sfreq:
        raise DataError(
            f"windows: {name} must be a whole number of samples, at least one; "
            f"{seconds:g} s is {seconds * sfreq:g} samples at {sfreq:g} Hz."
        )
    return samples
