"""DEAP (Koelstra et al., 2012): the preprocessed releases for Python and for MATLAB.

Thirty-two people watched forty music videos of one minute each and rated them from 1 to 9. Users
get the files under a licence of their own; eegemo reads what they point it at.

One trial, at 128 Hz::

    time (s)  -3.0          0.0                                        60.0
               |  baseline   |               music video                |
    sample     0            384                                       8064

Time zero is the onset of the video. The authors already resampled the EEG, removed eye movements,
filtered it to 4-45 Hz, referenced it to the common average, and put trials in the order of the
videos. So trial k of every file is the same video.
"""

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import mne
import numpy as np
import pandas as pd
import scipy.io
from numpy.typing import NDArray

from eegemo.errors import DataError
from eegemo.recordings.base import RATINGS, Recording, Run
from eegemo.recordings.channels import EMOTIV_CHANNELS
from eegemo.recordings.files import check_file, list_folder, named_errors
from eegemo.recordings.pickles import load_pickled_arrays

__all__ = [
    "BASELINE_DURATION",
    "DEAP_CHANNELS",
    "DEAP_EEG_CHANNELS",
    "EMOTIV_CHANNELS",
    "SFREQ",
    "DeapRecording",
    "find_recordings_deap",
    "load_deap_arrays",
    "read_epochs_deap",
]

SFREQ = 128.0
BASELINE_DURATION = 3.0
_BASELINE_SAMPLES = round(SFREQ * BASELINE_DURATION)

# fmt: off
DEAP_EEG_CHANNELS: tuple[str, ...] = (
    "Fp1", "AF3", "F3", "F7", "FC5", "FC1", "C3", "T7",
    "CP5", "CP1", "P3", "P7", "PO3", "O1", "Oz", "Pz",
    "Fp2", "AF4", "Fz", "F4", "F8", "FC6", "FC2", "Cz",
    "C4", "T8", "CP6", "CP2", "P4", "P8", "PO4", "O2",
)
# fmt: on
# MNE's type of each peripheral channel, and the factor from the file's unit to the one in memory.
# Only EOG and EMG are known to be in microvolts. Skin response is a resistance in ohm, of which MNE
# has no type (its `gsr` is a conductance in siemens, and 1/x of a channel that crosses zero is
# meaningless); the others are in units that the release does not state. Those keep the file's unit.
_PERIPHERAL = {
    "hEOG": ("eog", 1e-6),
    "vEOG": ("eog", 1e-6),
    "zEMG": ("emg", 1e-6),
    "tEMG": ("emg", 1e-6),
    "GSR": ("misc", 1.0),
    "Respiration": ("resp", 1.0),
    "Plethysmograph": ("misc", 1.0),
    "Temperature": ("temperature", 1.0),
}
DEAP_CHANNELS: tuple[str, ...] = (*DEAP_EEG_CHANNELS, *_PERIPHERAL)


class _Variant(NamedTuple):
    """One form in which DEAP is distributed; a further form is one more entry."""

    folder: str
    suffix: str


_VARIANTS = {
    "python": _Variant("data_preprocessed_python", ".dat"),
    "matlab": _Variant("data_preprocessed_matlab", ".mat"),
}


@dataclass(frozen=True, eq=False)
class DeapRecording(Recording):
    """The forty trials of one participant: a single run of Epochs."""

    def read(self, *, eeg_only: bool = False) -> Iterator[Run]:
        """Yield the participant's trials as one run of Epochs (see `Recording.read`)."""
        yield Run(read_epochs_deap(self.files[0], eeg_only=eeg_only))


def find_recordings_deap(
    root: str | Path,
    *,
    variant: str = "python",
    subjects: str | Sequence[str | int] = "all",
) -> list[DeapRecording]:
    """List the participants in a DEAP folder, sorted by name.

    Parameters
    ----------
    root : str | pathlib.Path
        The release (which holds ``data_preprocessed_python`` or ``data_preprocessed_matlab``), or
        one of these folders itself. Only files named like ``s01.dat`` count; others are ignored.
    variant : "python" | "matlab"
        Which form of the release to read.
    subjects : "all" | sequence of str or int
        Participants to keep, as ``"s01"``, ``"01"`` or ``1``.

    Returns
    -------
    list of DeapRecording
        One per participant; no signal is read yet.

    Raises
    ------
    DataError
        If the folder is missing or cannot be read, holds no such file, lacks a participant that was
        asked for, or has something else than a file under the name of one.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> for name in ["s02.dat", "s01.dat", ".DS_Store", "._s01.dat"]:
    ...     _ = (folder / name).write_bytes(b"")
    >>> [recording.subject for recording in find_recordings_deap(folder)]
    ['s01', 's02']
    """
    root = Path(root)
    if variant not in _VARIANTS:
        raise DataError(
            f"Unknown variant of DEAP {variant!r}; expected one of {', '.join(_VARIANTS)}. "
            "The original recordings (BDF) cannot be read yet."
        )
    with named_errors(root):
        if not root.is_dir():
            kind = "is a file, not a folder" if root.exists() else "does not exist"
            raise DataError(f"The DEAP folder {root} {kind}; expected the folder of the release.")
    found = _list_files(root, variant)
    if not found:
        others = [name for name in _VARIANTS if name != variant and _list_files(root, name)]
        hint = f" It does hold variant '{others[0]}': choose that." if others else ""
        raise DataError(
            f"No file named like s01{_VARIANTS[variant].suffix} in {root} or in "
            f"{root / _VARIANTS[variant].folder}.{hint}"
        )
    chosen = _choose_subjects(list(found), subjects, root)
    for name in chosen:
        check_file(found[name])
    return [DeapRecording(subject=name, files=(found[name],), reader="deap-1") for name in chosen]


def load_deap_arrays(path: str | Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Read one participant's file as arrays, checked.

    Parameters
    ----------
    path : str | pathlib.Path
        ``sNN.dat`` (a pickle, read without running anything in it) or ``sNN.mat`` (MATLAB 5).

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
        If the file is missing or damaged, has other shapes than these, a sample that is not finite,
        no signal at all, or a rating outside 1 to 9.

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
    # a copy: what the pickle reader returns is a view of the file's bytes and may be unaligned
    data = np.array(signals, dtype=np.float64, order="C")
    _check_signals(data, DEAP_CHANNELS, path)
    return data, labels


def read_epochs_deap(path: str | Path, *, eeg_only: bool = False) -> mne.EpochsArray:
    """Read one participant's file as Epochs, time zero being the onset of the video.

    Parameters
    ----------
    path : str | pathlib.Path
        ``sNN.dat`` or ``sNN.mat``; the name of the file is the name of the subject.
    eeg_only : bool
        Read only the 32 EEG channels.

    Returns
    -------
    mne.EpochsArray
        Trials from -3.0 s (baseline) to the end of the video, at 128 Hz. EEG, EOG and EMG are in
        volts. GSR (ohm), respiration, plethysmograph and temperature keep the file's numbers. The
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
    scale = [1e-6] * len(DEAP_EEG_CHANNELS) + [factor for _, factor in _PERIPHERAL.values()]
    np.multiply(signals[:, : len(names)], np.array(scale[: len(names)])[:, np.newaxis], out=data)
    del signals  # the file's bytes
    _check_signals(data, names, path)

    types = ["eeg"] * len(DEAP_EEG_CHANNELS) + [kind for kind, _ in _PERIPHERAL.values()]
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
    """Return the signals as they are in the file, and the ratings; both checked."""
    if path.suffix == ".dat":
        arrays = load_pickled_arrays(path)
    elif path.suffix == ".mat":
        arrays = _load_mat(path)
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
    return data, labels


def _load_mat(path: Path) -> dict[str, NDArray[Any]]:
    if not path.is_file():
        raise DataError(f"{path} does not exist; expected a MATLAB file of DEAP.")
    try:
        content = scipy.io.loadmat(path, variable_names=["data", "labels"])
    except NotImplementedError as error:
        raise DataError(
            f"{path} is a MATLAB 7.3 file; expected MATLAB 5, as DEAP is distributed (save -v6)."
        ) from error
    except Exception as error:  # SciPy raises many types on damaged files, none of them its own
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path} is damaged or is not a MATLAB file: {reason}.") from error
    return {
        name: value
        for name, value in content.items()
        if isinstance(value, np.ndarray) and not name.startswith("__")
    }


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


def _list_files(root: Path, variant: str) -> dict[str, Path]:
    """Return what is named like the subjects' files, from the release or the folder itself."""
    folder, suffix = _VARIANTS[variant]
    inner = root / folder
    pattern = re.compile(rf"(s\d\d+){re.escape(suffix)}")
    with named_errors(inner):
        files = list_folder(inner if inner.is_dir() else root)
    matches = ((pattern.fullmatch(file.name), file) for file in files)
    return {match[1]: file for match, file in matches if match}


def _choose_subjects(
    present: list[str], subjects: str | Sequence[str | int], root: Path
) -> list[str]:
    if isinstance(subjects, str):
        if subjects == "all":
            return present
        subjects = [subjects]
    wanted = set()
    for subject in subjects:
        digits = re.fullmatch(r"[sS]?(\d+)", str(subject).strip())
        name = f"s{int(digits[1]):02d}" if digits else str(subject)
        if name not in present:
            close = difflib.get_close_matches(name, present, n=3)
            hint = f" Did you mean {', '.join(close)}?" if close else ""
            raise DataError(
                f"Subject {subject!r} is not in {root}.{hint} "
                f"It holds {len(present)}: {', '.join(present)}."
            )
        wanted.add(name)
    if not wanted:
        raise DataError(f"No subject was chosen; {root} holds {', '.join(present)}.")
    return sorted(wanted)
