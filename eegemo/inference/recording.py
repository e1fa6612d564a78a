"""Read a recording of any format, name its channels as in training, and divide it into windows."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mne
import numpy as np
import pandas as pd

from eegemo.datasets import Dataset, Run
from eegemo.datasets.breaks import write_spans
from eegemo.datasets.continuous import read_continuous
from eegemo.datasets.deap import read_epochs_deap
from eegemo.errors import DataError
from eegemo.formats.files import check_file
from eegemo.inference.events import read_bids_run
from eegemo.labels import Labels
from eegemo.preprocessing.breaks import break_spans
from eegemo.trials import Trials, make_trials
from eegemo.windows import Windows, make_windows

__all__ = [
    "match_channels",
    "read_recording",
    "window_recording",
]


_DEAP = (".dat", ".mat")


_CONTINUOUS = (".fif", ".vhdr", ".edf", ".bdf", ".set")


def read_recording(
    path: str | Path,
    *,
    dataset: Dataset | None = None,
    eeg_only: bool = False,
    subject: str | None = None,
) -> tuple[Run, ...]:
    """Read a recording of any supported format.

    Parameters
    ----------
    path : path
        ``.dat`` or ``.mat`` of DEAP, or a continuous recording: ``.fif``, ``.vhdr``, ``.edf``,
        ``.bdf`` or ``.set``; or any format that `dataset` can read. A file of a BIDS data set with
        events is read in trials (`eegemo.inference.events`).
    dataset : Dataset, optional
        Tried first (`eegemo.datasets.Dataset.read_file`): for DEAP, a ``sNN.bdf`` is an original
        recording.
    eeg_only : bool
        Read only the EEG of files in trials.
    subject : str, optional
        The participant to read from a file with several.

    Returns
    -------
    runs : tuple of Run
        Signals in volts: Epochs, or a Raw with or without a function to epoch it. There are several
        runs where trials differ in length.

    Raises
    ------
    DataError
        If the file is missing, corrupt, of another format, or has a sample that is not a number.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    check_file(path)
    runs = None
    if dataset is not None:
        runs = dataset.read_file(path, eeg_only=eeg_only, subject=subject)
    if runs is None:
        runs = read_bids_run(path, dataset=dataset, eeg_only=eeg_only)
    if runs is not None:
        return tuple(runs)
    if suffix not in (*_DEAP, *_CONTINUOUS):
        raise DataError(
            f"{path}: expected a recording ({', '.join((*_DEAP, *_CONTINUOUS))}), found "
            f"{suffix or 'a file without an extension'}."
        )
    if suffix in _DEAP:
        return (Run(read_epochs_deap(path, eeg_only=eeg_only)),)
    raw, notes = read_continuous(path)
    return (Run(raw, None, tuple(f"{path.name}: {note}" for note in notes)),)


def match_channels(inst: Any, wanted: Sequence[str]) -> tuple[Any, tuple[str, ...]]:
    """Rename channels that differ from those of training in case only.

    Parameters
    ----------
    inst : mne.io.BaseRaw or mne.BaseEpochs
    wanted : sequence of str
        The channels that the model was trained on.

    Returns
    -------
    inst : mne.io.BaseRaw or mne.BaseEpochs
        The input, or a renamed copy.
    notes : tuple of str
        Renamed channels.

    Raises
    ------
    DataError
        If a channel is missing.

    Examples
    --------
    >>> info = mne.create_info(["FP1", "Cz"], 128.0, "eeg")
    >>> raw = mne.io.RawArray(np.zeros((2, 8)), info, verbose="ERROR")
    >>> match_channels(raw, ["Cz", "Fp1"])[0].ch_names
    ['Fp1', 'Cz']
    >>> match_channels(raw, ["Cz", "Pz", "Oz"])
    Traceback (most recent call last):
    eegemo.errors.DataError: the recording lacks Pz, Oz, 2 of the 3 channels that the model was
    trained on. Its channels are FP1, Cz.
    """
    present: list[str] = inst.ch_names
    alike: dict[str, list[str]] = {}
    for name in present:
        alike.setdefault(name.casefold(), []).append(name)
    found = {name: [name] if name in present else alike.get(name.casefold(), []) for name in wanted}
    missing = [name for name, names in found.items() if len(names) != 1]
    if missing:
        raise DataError(
            f"the recording lacks {', '.join(missing)}, {len(missing)} of the {len(wanted)} "
            f"channels that the model was trained on. Its channels are {', '.join(present)}."
        )
    renamed = {names[0]: name for name, names in found.items() if names[0] != name}
    if not renamed:
        return inst, ()
    pairs = ", ".join(f"{old} as {new}" for old, new in renamed.items())
    return inst.copy().rename_channels(renamed, verbose="ERROR"), (f"Channels taken: {pairs}.",)


def window_recording(
    inst: Any, *, subject: str, classes: Sequence[str], duration: float, stride: float
) -> Windows:
    """Index all windows of preprocessed signals.

    Parameters
    ----------
    inst : mne.io.BaseRaw, mne.BaseEpochs or sequence of mne.BaseEpochs
        Trials keep their numbers; continuous signals count as one trial from their first sample.
        Windows that hold a break are left out.
    subject : str
    classes : sequence of str
        Classes of the model, in order; the classes of the windows are unknown.
    duration, stride : float
        As in `eegemo.windows.make_windows`.

    Returns
    -------
    windows : Windows

    Raises
    ------
    DataError
        If no trial is as long as a window, every window holds a break, or a sample is not a number.
    """
    if isinstance(inst, mne.io.BaseRaw):
        signals = np.ascontiguousarray(inst.get_data().T[np.newaxis], dtype=np.float32)
        about = {"subject": [subject], "session": ["1"], "trial": [1], "stimulus": [""]}
        about["breaks"] = [write_spans(break_spans(inst))]
        trials = Trials(
            (signals,), pd.DataFrame(about), float(inst.info["sfreq"]), tuple(inst.ch_names)
        )
    else:
        trials = make_trials([inst])  # one recording, in one or several runs
        trials.metadata["subject"] = subject
    unknown = Labels(np.zeros(len(trials), np.int64), tuple(classes), {})
    return make_windows(trials, unknown, duration=duration, stride=stride)
