"""DEAP's preprocessed files for Python and for MATLAB (Koelstra et al., 2012).

Thirty-two participants watched forty music videos of one minute each and rated them from 1 to 9.
Users get the files under their own licence.

A trial, at 128 Hz::

    time (s)  -3.0          0.0                                        60.0
               |  baseline   |               music video                |
    sample     0            384                                       8064

Time zero is the onset of the video. The authors resampled the EEG, removed eye movements, filtered
it to 4-45 Hz, referenced it to the common average, and put trials in the order of the videos. So
trial k of every file is the same video.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mne
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from eegemo.datasets.base import RATINGS, Recording, Run
from eegemo.datasets.deap.constants import (
    BASELINE_DURATION,
    DEAP_CHANNELS,
    DEAP_EEG_CHANNELS,
    MARKER,
    PERIPHERAL,
    SFREQ,
)
from eegemo.errors import DataError
from eegemo.formats.mat import load_mat_arrays
from eegemo.formats.pickles import load_pickled_arrays

__all__ = [
    "DeapRecording",
    "load_deap_arrays",
    "read_epochs_deap",
]


_BASELINE_SAMPLES = round(SFREQ * BASELINE_DURATION)
_VIDEO_SAMPLES = round(SFREQ * 60.0)
_N_TIMES = _BASELINE_SAMPLES + _VIDEO_SAMPLES


# In the file's units. The amplifier that recorded DEAP ends at 262,144 microvolts.
_MAX_EEG, _MAX_OTHER = 1e6, 1e9


@dataclass(frozen=True, eq=False)
class DeapRecording(Recording):
    """The forty trials of a participant: a single run of Epochs."""

    def read(self, *, eeg_only: bool = False) -> Iterator[Run]:
        """Yield the trials as a single run of Epochs (see `Recording.read`)."""
        epochs = read_epochs_deap(self.files[0], eeg_only=eeg_only)
        yield Run(epochs, None, _note_length(self.files[0], len(epochs.times)))

    def least_bytes(self, steps: Mapping[str, Any]) -> int:
        """Return a lower bound of the size of the stored trials (see `Recording.least_bytes`)."""
        size = sum(file.stat().st_size for file in self.files)
        chosen = steps["channels"]
        named = isinstance(chosen, str)
        n_channels = {"eeg": 32, "emotiv": 14}.get(chosen) if named else len(chosen)
        # 40 channels in double precision become these in single precision, without the baseline
        return int(size * (n_channels or 1) / 40 / 2 * 0.4 * (steps["sfreq"] or 128) / 128)


def load_deap_arrays(path: str | Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Read the arrays in the file of a participant, and check them.

    Parameters
    ----------
    path : str | pathlib.Path
        ``sNN.dat`` (a pickle, read without executing it) or ``sNN.mat`` (MATLAB 5).

    Returns
    -------
    data : ndarray, shape (n_trials, 40, n_times)
        The signals in the file's units: microvolts for EEG, EOG and EMG. Channels are in the order
        of `DEAP_CHANNELS`; the first 384 samples are the baseline before the video.
    labels : ndarray, shape (n_trials, 4)
        Valence, arousal, dominance and liking, from 1 to 9; NaN where a rating is missing.

    Raises
    ------
    DataError
        If the file is missing or corrupt, or has other shapes, a sample that is not finite or
        beyond the range of an amplifier, only flat EEG, or a rating outside 1 to 9.

    Examples
    --------
    >>> import pickle, tempfile
    >>> file = Path(tempfile.mkdtemp()) / "s01.dat"
    >>> signals = np.random.default_rng(0).normal(size=(2, 40, 512))
    >>> arrays = {"data": signals, "labels": np.full((2, 4), 5.0)}
    >>> _ = file.write_bytes(pickle.dumps(arrays, protocol=2))
    >>> data, labels = load_deap_arrays(file)
    >>> data.shape, labels.shape
    ((2, 40, 512), (2, 4))
    """
    path = Path(path)
    signals, labels = _load_checked(path)
    # a copy: the pickle reader returns a view of the file, which may be unaligned
    data = np.array(signals, dtype=np.float64, order="C")
    _check_signals(data, DEAP_CHANNELS, path)
    return data, labels


def read_epochs_deap(path: str | Path, *, eeg_only: bool = False) -> mne.EpochsArray:
    """Read the file of a participant as Epochs, with time zero at the onset of the video.

    Parameters
    ----------
    path : str | pathlib.Path
        ``sNN.dat`` or ``sNN.mat``, where ``sNN`` is the name of the subject.
    eeg_only : bool
        Read only the 32 EEG channels.

    Returns
    -------
    mne.EpochsArray
        Trials from -3.0 s (baseline) to the end of the video, at 128 Hz. EEG, EOG and EMG are in
        volts. GSR (ohm), respiration, plethysmograph and temperature keep the unit of the file. The
        metadata has subject, session, trial, stimulus and the four ratings.

    Raises
    ------
    DataError
        See `load_deap_arrays`.

    Examples
    --------
    >>> import pickle, tempfile
    >>> file = Path(tempfile.mkdtemp()) / "s01.dat"
    >>> signals = np.random.default_rng(0).normal(size=(2, 40, 512))
    >>> arrays = {"data": signals, "labels": np.full((2, 4), 5.0)}
    >>> _ = file.write_bytes(pickle.dumps(arrays, protocol=2))
    >>> epochs = read_epochs_deap(file)
    >>> float(epochs.tmin), epochs.metadata.loc[0, "stimulus"]
    (-3.0, 'video01')
    """
    path = Path(path)
    names = DEAP_EEG_CHANNELS if eeg_only else DEAP_CHANNELS
    signals, labels = _load_checked(path)
    n_trials, _, n_times = signals.shape
    data = np.empty((n_trials, len(names), n_times))
    scale = [1e-6] * len(DEAP_EEG_CHANNELS) + [factor for _, factor in PERIPHERAL.values()]
    np.multiply(signals[:, : len(names)], np.array(scale[: len(names)])[:, np.newaxis], out=data)
    del signals  # the file's bytes
    _check_signals(data, names, path)

    types = ["eeg"] * len(DEAP_EEG_CHANNELS) + [kind for kind, _ in PERIPHERAL.values()]
    info = mne.create_info(list(names), SFREQ, types[: len(names)], verbose="ERROR")
    info.set_montage("biosemi32", verbose="ERROR")
    order = np.arange(n_trials)
    events = np.column_stack([order * n_times, np.zeros_like(order), np.ones_like(order)])
    return mne.EpochsArray(
        data,
        info,
        events=events,
        tmin=-BASELINE_DURATION,
        event_id={"video": 1},
        metadata=_make_metadata(path.stem, labels),
        verbose="ERROR",
    )


def _is_marked(path: Path) -> bool:
    """Return whether a file lies in a simulated release, whose videos may have any length."""
    return any((folder / MARKER).is_file() for folder in path.parents[:2])


def _note_length(path: Path, n_times: int) -> tuple[str, ...]:
    """Say what is missing of trials that are not those of the release."""
    if n_times == _N_TIMES or _is_marked(path):
        return ()
    seconds = n_times / SFREQ
    lacking = (_N_TIMES - n_times) / SFREQ
    missing = (
        f"so {lacking:g} s are missing; it is taken that they are the end of each video"
        if lacking > 0
        else f"so there are {-lacking:g} s more than were released"
    )
    return (
        f"{path.name}: its trials have {n_times} samples, {seconds:g} s; those of the release "
        f"have {_N_TIMES}, 3 s of baseline and 60 s of video, {missing}.",
    )


def _make_metadata(subject: str, labels: NDArray[np.float64]) -> pd.DataFrame:
    trials = np.arange(1, len(labels) + 1)
    table: dict[str, Any] = {
        "subject": subject,
        "session": "1",
        "trial": trials,
        "stimulus": [f"video{trial:02d}" for trial in trials],
    }
    return pd.DataFrame(table | dict(zip(RATINGS, labels.T, strict=True)))


def _load_checked(path: Path) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Return the signals as stored in the file, and the ratings, after checking both."""
    if path.suffix == ".dat":
        arrays = load_pickled_arrays(path)
    elif path.suffix == ".mat":
        arrays = load_mat_arrays(path, ["data", "labels"])
    else:
        raise DataError(f"{path} is not a file of DEAP; expected a name like s01.dat or s01.mat.")
    for name in ("data", "labels"):
        if name not in arrays:
            raise DataError(
                f"{path} holds no array '{name}'; expected 'data' and 'labels', "
                f"found {', '.join(map(repr, list(arrays)[:5])) or 'nothing'}."
            )
        if arrays[name].dtype.kind not in "iuf":
            raise DataError(f"{path}: '{name}' is {arrays[name].dtype}; expected numbers.")
    data, labels = arrays["data"], np.array(arrays["labels"], dtype=np.float64)
    n_channels = len(DEAP_CHANNELS)
    if (
        data.ndim != 3
        or data.shape[0] == 0
        or data.shape[1] != n_channels
        or data.shape[2] <= _BASELINE_SAMPLES
    ):
        raise DataError(
            f"{path}: 'data' has shape {data.shape}; expected (trials, {n_channels}, samples) with "
            f"more than the {_BASELINE_SAMPLES} samples of the baseline ((40, 40, 8064) in DEAP)."
        )
    if data.shape[2] == _VIDEO_SAMPLES and not _is_marked(path):
        raise DataError(
            f"{path}: its trials have {_VIDEO_SAMPLES} samples, 60 s exactly; those of DEAP have "
            f"{_N_TIMES}: the 3 s of baseline before each video seem to have been cut off, and the "
            "first 3 s of the video would be taken for them. Use the file as it was released."
        )
    if labels.shape != (len(data), len(RATINGS)):
        raise DataError(
            f"{path}: 'labels' has shape {labels.shape}; expected {(len(data), len(RATINGS))}, "
            f"one row for each of the {len(data)} trials."
        )
    # a missing rating (NaN) is neither below 1 nor above 9
    wrong = np.argwhere((labels < 1) | (labels > 9))
    if len(wrong):
        trial, rating = wrong[0]
        raise DataError(
            f"{path}: the {RATINGS[rating]} of trial {trial + 1} is {labels[trial, rating]:g}; "
            f"expected 1 to 9. {len(wrong)} of {labels.size} ratings are outside: broken copies of "
            "DEAP circulate."
        )
    _check_range(data, path)
    return data, labels


def _check_range(data: NDArray[Any], path: Path) -> None:
    """Refuse numbers beyond the range of an amplifier: corrupt, or bytes in the wrong order."""
    n_eeg = len(DEAP_EEG_CHANNELS)
    for trial, signals in enumerate(data, start=1):
        for part, limit in ((signals[:n_eeg], _MAX_EEG), (signals[n_eeg:], _MAX_OTHER)):
            low, high = float(part.min()), float(part.max())
            # NaN is neither, and is reported later, with its channel
            if (low < -limit or high > limit) and np.isfinite([low, high]).all():
                raise DataError(
                    f"{path}: trial {trial} reaches from {low:g} to {high:g}; expected numbers up "
                    f"to {limit:g} (microvolts, for EEG). The file is corrupt."
                )


def _check_signals(data: NDArray[np.float64], names: Sequence[str], path: Path) -> None:
    """Refuse samples that are not finite, and flat files; trial by trial, to save memory."""
    for trial, signals in enumerate(data, start=1):
        with np.errstate(over="ignore", invalid="ignore"):
            total = signals.sum()  # finite only if every sample is, and costs no array of booleans
        if not np.isfinite(total) and not (finite := np.isfinite(signals)).all():
            channel = names[int(np.argmin(finite.all(axis=1)))]
            raise DataError(
                f"{path}: trial {trial}, channel {channel} holds NaN or infinity "
                f"({(~finite).sum()} samples of this trial); subject {path.stem} cannot be used."
            )
    n_eeg = len(DEAP_EEG_CHANNELS)
    if all(np.ptp(signals[:n_eeg], axis=1).max() == 0 for signals in data):
        raise DataError(f"{path}: every EEG channel is flat in every trial; there is no signal.")
