"""Trials, once on disk, as float32 in volts.

Trials are stored time by channel, so that a window of one is a contiguous block of memory.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from eegemo.errors import DataError
from eegemo.store import atomic_folder

if TYPE_CHECKING:
    import mne
    import pandas as pd

__all__ = ["KEYS", "Trials", "load_trials", "make_trials", "store_trials"]

#: What identifies a trial: columns of the metadata.
KEYS = ("subject", "session", "trial", "stimulus")


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
    metadata: "pd.DataFrame"
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
    epochs = _loaded(epochs)
    for one in epochs:
        _check(one)
    arrays = []
    for one in epochs:
        array = np.empty(_shape([one]), np.float32)
        for place, trial in zip(array, _arrays(one), strict=True):
            place[:] = trial
        arrays.append(array)
    about = [
        _About(one.metadata, float(one.info["sfreq"]), tuple(one.ch_names), _first_time(one))
        for one in epochs
    ]
    return _collect(tuple(arrays), about, ())


class _About(NamedTuple):
    """What belongs to one recording's array."""

    metadata: "pd.DataFrame"
    sfreq: float
    ch_names: tuple[str, ...]
    tmin: float


def _onset(epochs: "mne.BaseEpochs") -> int:
    return int(np.searchsorted(epochs.times, -0.5 / epochs.info["sfreq"]))


def _first_time(epochs: "mne.BaseEpochs") -> float:
    return float(epochs.times[_onset(epochs)]) + 0.0  # no negative zero


def _check(epochs: "mne.BaseEpochs") -> None:
    if epochs.metadata is None or not set(KEYS) <= set(epochs.metadata.columns):
        raise DataError(f"trials: epochs need metadata with the columns {', '.join(KEYS)}.")
    if epochs.times[-1] < -0.5 / epochs.info["sfreq"]:
        raise DataError("trials: the epochs end before the onset of the stimulus.")


def _loaded(epochs: "Sequence[mne.BaseEpochs]") -> "list[mne.BaseEpochs]":
    """Load what is not in memory, in a copy; only then is it known which trials there are."""
    return [one if one.preload else one.copy().load_data() for one in epochs]


def _shape(runs: "Sequence[mne.BaseEpochs]") -> tuple[int, int, int]:
    """Return the number of trials of all runs, and of samples and channels."""
    first = runs[0]
    n_times = len(first.times) - _onset(first)
    return sum(len(run) for run in runs), n_times, len(first.ch_names)


def _arrays(epochs: "mne.BaseEpochs") -> Iterator[np.ndarray]:
    """Yield each trial from time zero on, shape (n_times, n_channels), float32."""
    data = epochs.get_data(copy=False)[:, :, _onset(epochs) :]
    for trial, signals in enumerate(data):
        with np.errstate(over="ignore"):
            array = signals.T.astype("<f4", order="C")
        if not np.isfinite(array).all():
            channel = int(np.argmin(np.isfinite(array).all(axis=0)))
            row = epochs.metadata.iloc[trial]
            raise DataError(
                f"subject {row['subject']}, trial {row['trial']}, channel "
                f"{epochs.ch_names[channel]}: a sample is not a number, or too large for one "
                "(1e38 V)."
            )
        yield array


def _check_runs(runs: "Sequence[mne.BaseEpochs]") -> None:
    """Refuse runs of one recording that cannot be put together."""
    first = runs[0]
    for number, run in enumerate(runs, start=1):
        _check(run)
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
        apart = abs(_first_time(run) - _first_time(first))
        if _onset(run) != _onset(first) or apart > 0.5 / first.info["sfreq"]:
            raise DataError(
                f"{where}: its trials begin at {run.tmin:g} s, those of the first run at "
                f"{first.tmin:g} s."
            )


def _write_arrays(path: Path, runs: "Sequence[mne.BaseEpochs]") -> None:
    """Write the trials of all runs as one array, trial by trial, to save memory."""
    names = runs[0].ch_names
    about = {"descr": "<f4", "fortran_order": False, "shape": _shape(runs)}
    with path.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, about)
        for run in runs:
            order = [run.ch_names.index(name) for name in names]
            for array in _arrays(run):
                stream.write((array if order == sorted(order) else array[:, order].copy()).data)


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
    import pandas as pd

    folder = Path(folder)
    runs = _loaded(epochs if isinstance(epochs, Sequence) else [epochs])
    first = runs[0]
    _check_runs(runs)
    with atomic_folder(folder) as temporary:
        _write_arrays(temporary / "trials.npy", runs)
        metadata = pd.concat([run.metadata for run in runs], ignore_index=True)
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
    import pandas as pd

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
    import pandas as pd

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
