"""Trials stored once on disk, as float32 in volts.

Each trial is stored as (time, channel), so a window is a contiguous block of memory. Trials of
unequal length within a recording are concatenated in a flat array::

    equal      (n_trials, n_times, n_channels)
    unequal    (n_samples, n_channels), and a column ``n_times`` in the metadata
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from eegemo.errors import DataError
from eegemo.store import atomic_folder

if TYPE_CHECKING:
    import mne
    import pandas as pd

__all__ = [
    "KEYS",
    "Trials",
    "TrialsOutline",
    "join_outlines",
    "load_trials",
    "make_trials",
    "outline_stored",
    "outline_trials",
    "reorder_channels",
    "same_channels",
    "store_trials",
    "trial_lengths",
]

#: Samples that are reordered at a time.
_AT_ONCE = 2**17

#: What identifies a trial: columns of the metadata.
KEYS = ("subject", "session", "trial", "stimulus")


@dataclass(frozen=True)
class Trials:
    """Trials of one or more recordings.

    Attributes
    ----------
    arrays : tuple of ndarray, each of shape (n_trials, n_times, n_channels)
        One per recording (subject), float32, in volts; memory-mapped when loaded from disk. The
        first sample is at stimulus onset, or at `tmin`. If the trials of a recording differ in
        length, they are concatenated and the shape is (n_samples, n_channels).
    metadata : DataFrame
        One row per trial over all recordings, in order: subject, session, trial, stimulus, ratings
        or trial_type. If an array is flat, also ``n_times``, the samples of each trial. ``run``
        names the recording within a session. Trials with the same ``bundle`` (text, ``""`` for
        none) belong together, and no split divides them.
    sfreq : float
        Sampling frequency in Hz.
    ch_names : tuple of str
    tmin : float
        Time of the first sample, in seconds from stimulus onset: 0, or later if the epochs begin
        later.
    folders : tuple of Path
        Folders of the arrays; empty if they are only in memory.
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
        sizes = self._sizes
        recording = np.repeat(np.arange(len(sizes)), sizes)
        row = np.concatenate([np.arange(size) for size in sizes])
        return recording, row

    @cached_property
    def n_times(self) -> np.ndarray:
        """Samples of each trial, shape (n_trials,)."""
        if all(array.ndim == 3 for array in self.arrays):
            return np.repeat([array.shape[1] for array in self.arrays], self._sizes)
        n_times: np.ndarray = self.metadata["n_times"].to_numpy(np.int64)
        return n_times

    @cached_property
    def begin(self) -> np.ndarray:
        """First sample of each trial within `flat`, shape (n_trials,)."""
        recording, _ = self.position
        samples = np.array([len(array) for array in self.flat])
        starts = np.cumsum(self.n_times) - self.n_times
        begin: np.ndarray = starts - (np.cumsum(samples) - samples)[recording]
        return begin

    @cached_property
    def flat(self) -> tuple[np.ndarray, ...]:
        """The arrays as (n_samples, n_channels); nothing is copied."""
        return tuple(array.reshape(-1, array.shape[-1]) for array in self.arrays)

    @cached_property
    def _sizes(self) -> list[int]:
        """Number of trials of each recording."""
        if all(array.ndim == 3 for array in self.arrays):
            return [len(array) for array in self.arrays]
        ends = np.cumsum(self.metadata["n_times"].to_numpy(np.int64))
        samples = np.cumsum([len(array) for array in self.flat])
        sizes: list[int] = np.diff(np.searchsorted(ends, samples, side="right"), prepend=0).tolist()
        return sizes

    def array(self, trial: int) -> np.ndarray:
        """Return one trial, shape (n_times, n_channels), without copying it."""
        recording, row = self.position
        view: np.ndarray = self.arrays[recording[trial]]
        if view.ndim == 3:
            view = view[row[trial]]
        else:
            view = view[self.begin[trial] : self.begin[trial] + self.n_times[trial]]
        return view

    def bundled(self, bundle: Sequence[str]) -> Trials:
        """Return the same trials with these bundles, in place of those they have."""
        return replace(self, metadata=self.metadata.assign(bundle=list(bundle)))

    def __reduce__(self) -> Any:
        # a process that is sent stored trials maps the same files instead of receiving their bytes
        if self.folders:
            bundle = self.metadata["bundle"].tolist() if "bundle" in self.metadata else None
            return load_trials, (self.folders, bundle)
        return Trials, (self.arrays, self.metadata, self.sfreq, self.ch_names, self.tmin)


def make_trials(epochs: Sequence[mne.BaseEpochs | Sequence[mne.BaseEpochs]]) -> Trials:
    """Collect epochs in memory as trials.

    Parameters
    ----------
    epochs : sequence of mne.Epochs or of sequences of them
        One per recording, or one per run of each recording, with ``metadata`` (subject, session,
        trial, stimulus, ...). Samples before time zero are dropped. Trials of a run have the same
        length; runs may differ.

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
    arrays, about = [], []
    for recording in epochs:
        runs = _loaded(recording if isinstance(recording, Sequence) else [recording])
        _check_runs(runs)
        array = np.empty(_shape(runs), np.float32)
        if array.ndim == 3:
            targets: Iterator[np.ndarray] = iter(array)
        else:
            targets = iter(np.split(array, np.cumsum(_n_times(runs))[:-1]))
        for run in runs:
            order = _order(run, runs[0])
            for trial in _arrays(run):
                next(targets)[:] = trial if order is None else trial[:, order]
        arrays.append(array)
        about.append(_about(runs))
    return _collect(tuple(arrays), about, ())


class TrialsOutline(NamedTuple):
    """The trials of one recording without their signals.

    Attributes
    ----------
    shape : tuple of int
        Of the array, as in `Trials`.
    metadata : DataFrame
    sfreq : float
    ch_names : tuple of str
    tmin : float
    """

    shape: tuple[int, ...]
    metadata: pd.DataFrame
    sfreq: float
    ch_names: tuple[str, ...]
    tmin: float


def _about(runs: Sequence[mne.BaseEpochs]) -> TrialsOutline:
    import pandas as pd

    first, shape = runs[0], _shape(runs)
    metadata = pd.concat([run.metadata for run in runs], ignore_index=True)
    if len(shape) == 2:
        metadata["n_times"] = _n_times(runs)
    sfreq, names = float(first.info["sfreq"]), tuple(first.ch_names)
    return TrialsOutline(shape, metadata, sfreq, names, _first_time(first))


def outline_trials(
    epochs: Sequence[mne.BaseEpochs], look: Callable[[np.ndarray], None] | None = None
) -> TrialsOutline:
    """Outline the trials of one recording, after the checks that `store_trials` makes.

    `look`, if given, is called with the signals of each trial, shape (n_times, n_channels).

    Raises
    ------
    DataError
        As `store_trials`.
    """
    runs = _loaded(epochs)
    _check_runs(runs)
    for run in runs:
        for signals in _arrays(run):  # which refuses what is not a number
            if look is not None:
                look(signals)
    return _about(runs)


def outline_stored(folder: str | Path) -> TrialsOutline:
    """Outline the stored trials of one recording.

    Raises
    ------
    DataError
        If the folder is corrupt.
    """
    return _open(Path(folder))[1]


def join_outlines(outlines: Sequence[TrialsOutline]) -> Trials:
    """Join recordings as `load_trials` does, with zeros as signals that use no memory.

    Raises
    ------
    DataError
        If the recordings differ in channels or sampling frequency, or there are none.
    """
    if not outlines:
        raise DataError("trials: no recording was given.")
    first = outlines[0].ch_names
    ordered = [
        outline._replace(ch_names=first) if same_channels(outline.ch_names, first) else outline
        for outline in outlines
    ]
    arrays = tuple(np.broadcast_to(np.float32(0), outline.shape) for outline in ordered)
    return _collect(arrays, ordered, ())


def same_channels(names: Sequence[str], others: Sequence[str]) -> list[int] | None:
    """Return where each of the other channels is among these, whatever the case of their names.

    Returns
    -------
    order : list of int or None
        None if they are not the same channels.

    Examples
    --------
    >>> same_channels(["CZ", "Fz"], ["Fz", "Cz"])
    [1, 0]
    >>> same_channels(["Cz"], ["Fz"]) is None
    True
    """
    place = {name.casefold(): k for k, name in enumerate(names)}
    wanted = [name.casefold() for name in others]
    if len(place) != len(names) or sorted(place) != sorted(wanted):
        return None
    return [place[name] for name in wanted]


def reorder_channels(folder: Path, names: Sequence[str], target: Path) -> Path:
    """Copy stored trials with their channels in another order.

    Parameters
    ----------
    folder : Path
        Created by `store_trials`.
    names : sequence of str
        The same channels, in the order wanted; they may differ in case.
    target : Path
        Created by this function, with the other files of `folder`. An existing one is left as it
        is.

    Returns
    -------
    target : Path
    """
    import pandas as pd

    array, about = _open(folder)
    order = same_channels(about.ch_names, names)
    if order is None:
        raise DataError(f"{folder}: expected the channels {', '.join(names)}.")
    with atomic_folder(target) as temporary:
        for file in folder.iterdir():
            if file.name not in ("trials.npy", "signal.parquet", "manifest.json"):
                shutil.copy(file, temporary / file.name)
        header = {"descr": "<f4", "fortran_order": False, "shape": array.shape}
        with (temporary / "trials.npy").open("wb") as stream:
            np.lib.format.write_array_header_1_0(stream, header)
            flat = array.reshape(-1, array.shape[-1])
            for begin in range(0, len(flat), _AT_ONCE):  # to save memory
                block = flat[begin : begin + _AT_ONCE, order]
                stream.write(np.ascontiguousarray(block, "<f4").data)
        signal = pd.DataFrame({"channel": list(names), "sfreq": about.sfreq})
        signal["tmin"] = about.tmin
        signal.to_parquet(temporary / "signal.parquet")
    return target


def _onset(epochs: mne.BaseEpochs) -> int:
    return int(np.searchsorted(epochs.times, -0.5 / epochs.info["sfreq"]))


def _first_time(epochs: mne.BaseEpochs) -> float:
    return float(epochs.times[_onset(epochs)]) + 0.0  # no negative zero


def _check(epochs: mne.BaseEpochs) -> None:
    if epochs.metadata is None or not set(KEYS) <= set(epochs.metadata.columns):
        raise DataError(f"trials: epochs need metadata with the columns {', '.join(KEYS)}.")
    if epochs.times[-1] < -0.5 / epochs.info["sfreq"]:
        raise DataError("trials: the epochs end before the onset of the stimulus.")


def _loaded(epochs: Sequence[mne.BaseEpochs]) -> list[mne.BaseEpochs]:
    """Load epochs that are not in memory, in a copy: only then are their trials known."""
    return [run if run.preload else run.copy().load_data() for run in epochs]


def _shape(runs: Sequence[mne.BaseEpochs]) -> tuple[int, ...]:
    """Return the shape of a recording's array: flat if its trials differ in length."""
    lengths, n_channels = {len(run.times) - _onset(run) for run in runs}, len(runs[0].ch_names)
    if len(lengths) == 1:
        return sum(len(run) for run in runs), lengths.pop(), n_channels
    return sum(_n_times(runs)), n_channels


def trial_lengths(epochs: Sequence[mne.BaseEpochs]) -> list[int]:
    """Return the samples of each trial that `store_trials` keeps."""
    return _n_times(_loaded(epochs))


def _n_times(runs: Sequence[mne.BaseEpochs]) -> list[int]:
    """Return the samples of each trial, from time zero on."""
    return [n for run in runs for n in [len(run.times) - _onset(run)] * len(run)]


def _order(run: mne.BaseEpochs, first: mne.BaseEpochs) -> list[int] | None:
    """Return the positions in a run of the first run's channels; None if they are in order."""
    order = [run.ch_names.index(name) for name in first.ch_names]
    return None if order == sorted(order) else order


def _arrays(epochs: mne.BaseEpochs) -> Iterator[np.ndarray]:
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


def _check_runs(runs: Sequence[mne.BaseEpochs]) -> None:
    """Refuse runs of one recording that cannot be put together."""
    first = runs[0]
    for number, run in enumerate(runs, start=1):
        _check(run)
        subject = run.metadata["subject"].iloc[0] if len(run) else "?"
        where = f"subject {subject}, run {number} of {len(runs)}"
        if set(run.ch_names) != set(first.ch_names):
            odd = ", ".join(sorted(set(run.ch_names) ^ set(first.ch_names)))
            raise DataError(
                f"{where}: its channels differ from the first run's ({odd}). "
                "Choose channels that all runs have."
            )
        if run.info["sfreq"] != first.info["sfreq"]:
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


def _write_arrays(path: Path, runs: Sequence[mne.BaseEpochs]) -> None:
    """Write the trials of all runs as one array, trial by trial to save memory."""
    about = {"descr": "<f4", "fortran_order": False, "shape": _shape(runs)}
    with path.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, about)
        for run in runs:
            order = _order(run, runs[0])
            for array in _arrays(run):
                stream.write((array if order is None else array[:, order].copy()).data)


def store_trials(
    epochs: mne.BaseEpochs | Sequence[mne.BaseEpochs],
    folder: str | Path,
    *,
    notes: Sequence[str] = (),
    extra: Callable[[Path], None] | None = None,
) -> Path:
    """Store the trials of one recording in a folder that exists only when it is complete.

    Parameters
    ----------
    epochs : mne.Epochs or sequence of mne.Epochs
        One recording, or its runs, with ``metadata``. Samples before time zero are dropped.
        Channels are put in the order of the first run. Trials of a run have the same length; runs
        may differ.
    folder : path
        Created by this function. An existing folder is left as it is.
    notes : sequence of str
        What happened during reading and preprocessing, one line each: trials dropped, channels
        repaired.
    extra : callable, optional
        Called with the temporary folder, to write further files into it.

    Returns
    -------
    folder : Path
        With ``trials.npy`` (n_trials, n_times, n_channels; float32, volts; flat as (n_samples,
        n_channels) if trials differ in length), ``metadata.parquet`` (then with a column
        ``n_times``), ``signal.parquet`` (channel names, sampling frequency, time of the first
        sample) and ``notes.txt``.

    Raises
    ------
    DataError
        If runs differ in channels, sampling frequency or time of the first sample, or a sample is
        not a number.
    """
    import pandas as pd

    folder = Path(folder)
    runs = _loaded(epochs if isinstance(epochs, Sequence) else [epochs])
    _check_runs(runs)
    with atomic_folder(folder) as temporary:
        _write_arrays(temporary / "trials.npy", runs)
        about = _about(runs)
        about.metadata.to_parquet(temporary / "metadata.parquet")
        signal = pd.DataFrame({"channel": list(about.ch_names), "sfreq": about.sfreq})
        signal["tmin"] = about.tmin
        signal.to_parquet(temporary / "signal.parquet")
        lines = "".join(f"{' '.join(note.split())}\n" for note in notes)
        (temporary / "notes.txt").write_text(lines, encoding="utf-8")
        if extra is not None:
            extra(temporary)
    return folder


def load_trials(folders: Sequence[str | Path], bundle: Sequence[str] | None = None) -> Trials:
    """Memory-map stored trials.

    Parameters
    ----------
    folders : sequence of path
        Created by `store_trials`.
    bundle : sequence of str, optional
        The bundle of each trial, in place of what is stored; see `Trials`.

    Returns
    -------
    trials : Trials

    Raises
    ------
    DataError
        If a folder is corrupt, or recordings differ in channels or sampling frequency.
    """
    if not folders:
        raise DataError("trials: no recording was given.")
    paths = tuple(Path(folder) for folder in folders)
    opened = [_open(path) for path in paths]
    trials = _collect(tuple(array for array, _ in opened), [about for _, about in opened], paths)
    return trials if bundle is None else trials.bundled(bundle)


def _open(path: Path) -> tuple[np.ndarray, TrialsOutline]:
    """Memory-map the stored trials of a recording."""
    import pandas as pd

    try:
        # asarray: indexing the memmap class itself costs several times more per window
        array = np.asarray(np.load(path / "trials.npy", mmap_mode="r"))
        metadata = pd.read_parquet(path / "metadata.parquet")
        signal = pd.read_parquet(path / "signal.parquet")
        sfreq, tmin = float(signal["sfreq"].iloc[0]), float(signal["tmin"].iloc[0])
        return array, TrialsOutline(array.shape, metadata, sfreq, tuple(signal["channel"]), tmin)
    except (OSError, ValueError, EOFError, KeyError, IndexError) as error:
        raise DataError(
            f"{path}: not a complete folder of stored trials ({error}). If eegemo stored "
            "it, delete it and run again: it will be created again."
        ) from error


def _collect(
    arrays: tuple[np.ndarray, ...], about: Sequence[TrialsOutline], folders: tuple[Path, ...]
) -> Trials:
    import pandas as pd

    first = about[0]
    for array, recording in zip(arrays, about, strict=True):
        subject = recording.metadata["subject"].iloc[0] if len(recording.metadata) else "?"
        if recording.ch_names != first.ch_names:
            odd = sorted(set(recording.ch_names) ^ set(first.ch_names)) or ["in another order"]
            raise DataError(
                f"subject {subject}: its channels differ from the first recording's "
                f"({', '.join(odd)}). Choose channels that all recordings have."
            )
        if recording.sfreq != first.sfreq:
            raise DataError(
                f"subject {subject}: sampled at {recording.sfreq:g} Hz, the first recording at "
                f"{first.sfreq:g} Hz. Set preprocessing.sfreq."
            )
        if abs(recording.tmin - first.tmin) > 0.5 / first.sfreq:
            raise DataError(
                f"subject {subject}: its trials begin {recording.tmin:g} s after stimulus onset, "
                f"those of the first recording {first.tmin:g} s."
            )
        if array.ndim == 2:
            _check_flat(array, recording.metadata, subject)
        elif len(array) != len(recording.metadata):
            raise DataError(
                f"subject {subject}: {len(array)} trials but {len(recording.metadata)} "
                "metadata rows."
            )
    metadata = pd.concat([recording.metadata for recording in about], ignore_index=True)
    if any(array.ndim == 2 for array in arrays):
        metadata["n_times"] = np.concatenate(
            [
                np.full(len(array), array.shape[1])
                if array.ndim == 3
                else recording.metadata["n_times"].to_numpy(np.int64)
                for array, recording in zip(arrays, about, strict=True)
            ]
        )
    return Trials(arrays, metadata, first.sfreq, first.ch_names, first.tmin, folders)


def _check_flat(array: np.ndarray, metadata: pd.DataFrame, subject: str) -> None:
    """Refuse a flat array whose length is not the sum of its trials' lengths."""
    import pandas as pd

    lengths = metadata["n_times"] if "n_times" in metadata else pd.Series(dtype=float)
    whole = pd.api.types.is_integer_dtype(lengths) and bool((lengths > 0).all())
    if not whole or int(lengths.sum()) != len(array):
        raise DataError(
            f"subject {subject}: {len(array)} samples, but trials of "
            f"{int(lengths.sum()) if whole else 'unknown'} samples by the column n_times of the "
            "metadata."
        )
