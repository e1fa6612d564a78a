"""A trained model on a new recording: the same steps as in training, with nothing fitted anew.

::

    file -> signals, in volts -> channels by name -> preprocessing -> windows -> scaling -> model
         -> a row per window: start, stop, probability of each class

A recording that is made of trials keeps them. Over a continuous one windows slide from its first
sample to its last; times then count from the first sample.
"""

import re
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import mne
import numpy as np
import pandas as pd

from eegemo.errors import DataError
from eegemo.labels import Labels
from eegemo.recordings import Run, find_trials_deap, read_epochs_deap
from eegemo.recordings.bids_files import name_signal_files
from eegemo.recordings.deap_channels import open_raw_deap
from eegemo.recordings.deap_ratings import find_ratings_table
from eegemo.recordings.files import check_file
from eegemo.scaling import Scaling, fit_scaling
from eegemo.training import predict_windows
from eegemo.trials import Trials, make_trials
from eegemo.windows import Windows, make_windows

__all__ = [
    "choose_scaling",
    "match_channels",
    "mean_probabilities",
    "read_recording",
    "tabulate_windows",
    "window_recording",
]

_DEAP = (".dat", ".mat")
_CONTINUOUS = (".fif", ".vhdr", ".edf", ".bdf", ".set")
_MAX_EEG = 1.0  # volts


def read_recording(path: str | Path, *, deap: bool = False, eeg_only: bool = False) -> Run:
    """Open one recording of any kind.

    Parameters
    ----------
    path : path
        ``.dat`` or ``.mat`` of DEAP, or a continuous recording: ``.fif``, ``.vhdr``, ``.edf``,
        ``.bdf`` or ``.set``.
    deap : bool
        Read a ``sNN.bdf`` as an original recording of DEAP: with its channels as eegemo names them,
        and cut into trials where ``participant_ratings`` is in its folder or the one above.
    eeg_only : bool
        Of ``.dat`` and ``.mat``, read only the EEG.

    Returns
    -------
    run : Run
        Signals in volts; Epochs, or a Raw with or without a way to cut it.

    Raises
    ------
    DataError
        If the file is missing, damaged, of another kind, or holds a sample that is not a number.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    check_file(path)
    if suffix not in (*_DEAP, *_CONTINUOUS):
        raise DataError(
            f"{path}: expected a recording ({', '.join((*_DEAP, *_CONTINUOUS))}), found "
            f"{suffix or 'a file without an extension'}."
        )
    if suffix in _DEAP:
        return Run(read_epochs_deap(path, eeg_only=eeg_only))
    if deap and re.fullmatch(r"s\d\d+\.bdf", path.name):
        raw, notes = open_raw_deap(path)
        try:
            table = find_ratings_table(path.parent)
        except DataError:
            return Run(raw, None, tuple(notes))
        cut, more = find_trials_deap(raw, table)
        return Run(raw, cut, (*notes, *more))
    return _read_continuous(path)


def _read_continuous(path: Path) -> Run:
    name_signal_files(path, path.parent)  # a BrainVision header may name any file
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            raw = mne.io.read_raw(path, preload=True, verbose="WARNING")
        except Exception as error:  # MNE's readers raise many types
            reason = " ".join(str(error).split())[:300].rstrip(".") or type(error).__name__
            raise DataError(
                f"{path} cannot be read as a continuous recording: {reason}."
            ) from error
    notes = list(dict.fromkeys(" ".join(str(one.message).split()) for one in caught))
    for name, kind in zip(raw.ch_names, raw.get_channel_types(), strict=True):
        signal = raw.get_data([name])
        if not np.isfinite(signal).all():
            raise DataError(f"{path}, channel {name} holds NaN or infinity.")
        peak = float(np.abs(signal).max(initial=0))
        if kind == "eeg" and peak > _MAX_EEG:
            notes.append(
                f"channel {name} reaches {peak:g} V, more than any EEG: is its unit right?"
            )
    return Run(raw, None, tuple(f"{path.name}: {note}" for note in notes))


def match_channels(inst: Any, wanted: Sequence[str]) -> tuple[Any, tuple[str, ...]]:
    """Name channels as in training, where they differ in case only.

    Parameters
    ----------
    inst : mne.io.BaseRaw or mne.BaseEpochs
    wanted : sequence of str
        The channels that the model was trained on.

    Returns
    -------
    inst : mne.io.BaseRaw or mne.BaseEpochs
        The one given, or a copy with other names.
    notes : tuple of str
        What was renamed.

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
    """Index the windows of preprocessed signals, all of which may be classified.

    Parameters
    ----------
    inst : mne.io.BaseRaw or mne.BaseEpochs
        Trials keep their numbers; continuous signals count as one trial from their first sample.
    subject : str
    classes : sequence of str
        Those of the model, in order; the classes of the windows are not known.
    duration, stride : float
        As in `eegemo.windows.make_windows`.

    Returns
    -------
    windows : Windows

    Raises
    ------
    DataError
        If nothing is as long as a window, or a sample is not a number.
    """
    if isinstance(inst, mne.io.BaseRaw):
        signals = np.ascontiguousarray(inst.get_data().T[np.newaxis], dtype=np.float32)
        about = {"subject": [subject], "session": ["1"], "trial": [1], "stimulus": [""]}
        trials = Trials(
            (signals,), pd.DataFrame(about), float(inst.info["sfreq"]), tuple(inst.ch_names)
        )
    else:
        trials = make_trials([inst])
        trials.metadata["subject"] = subject
    unknown = Labels(np.zeros(len(trials), np.int64), tuple(classes), {})
    return make_windows(trials, unknown, duration=duration, stride=stride)


def choose_scaling(
    stored: Scaling, windows: Windows, *, subject: str | None = None
) -> tuple[Scaling, str]:
    """Return the scaling for a new recording, and say which one that is.

    Parameters
    ----------
    stored : Scaling
        With which the model was trained.
    windows : Windows
        Of the recording.
    subject : str, optional
        Who it is known to be; of someone with training windows the stored scaling is used.

    Returns
    -------
    scaling : Scaling
        The stored one, if it was fitted on all training windows. Else each subject, trial or window
        was scaled by itself in training, and the recording is scaled by its own windows: that is
        transductive, since a window's probabilities then depend on later ones.
    sentence : str

    Raises
    ------
    DataError
        If the scaling is one for another number of channels.
    """
    if stored.gain.shape[1] != windows.n_channels:
        raise DataError(
            f"the stored scaling is one of {stored.gain.shape[1]} channels; these are "
            f"{windows.n_channels}."
        )
    if not stored.steps:
        return stored, "Signals are not scaled."
    if stored.fit == "training":
        return stored, "Scaled as the training windows were."
    if stored.fit == "window":
        return stored, "Each window is scaled by itself, as in training."
    rows = np.arange(len(windows))
    if stored.fit == "subject" and subject in stored.units:
        unit = [stored.units.index(subject)]
        known = Scaling(stored.steps, "training", ("",), stored.gain[unit], stored.offset[unit])
        return known, f"Scaled as {subject}'s windows were in training."
    whole = "training" if stored.fit == "subject" else "trial"
    own = fit_scaling(windows, rows, steps=stored.steps, fit=whole)  # type: ignore[arg-type]
    what = "recording" if stored.fit == "subject" else "trial"
    return own, (
        f"Scaled by all windows of the {what} itself, as each {stored.fit} was in training: a "
        "window's probabilities depend on later ones (transductive)."
    )


def mean_probabilities(models: Iterable[tuple[Any, Scaling]], windows: Windows) -> np.ndarray:
    """Return class probabilities, averaged over models.

    Parameters
    ----------
    models : iterable of (model, Scaling)
        One in memory at a time, if it is a generator.
    windows : Windows

    Returns
    -------
    probabilities : ndarray of float64, shape (n_windows, n_classes)

    Raises
    ------
    DataError
        If a model is not one for such windows and classes.
    """
    rows, n_classes = np.arange(len(windows)), len(windows.labels.classes)
    total, n_models = np.zeros((len(windows), n_classes)), 0
    for model, scaling in models:
        _check_fits(model, windows, n_classes)
        total += predict_windows(model, windows, rows, scaling)
        n_models += 1
    mean: np.ndarray = total / max(n_models, 1)
    return mean


def _check_fits(model: Any, windows: Windows, n_classes: int) -> None:
    given = (windows.n_times, windows.n_channels)
    if hasattr(model, "predict_proba"):
        taken: Any = (model[0].n_features_in_, model[0].n_channels_)
        fits = taken == given and int(model[-1].classes_.max()) < n_classes
    else:
        taken = tuple(model.input_shape[1:])
        fits = taken == given and tuple(model.output_shape[1:]) == (n_classes,)
    if not fits:
        raise DataError(
            f"the model takes windows of shape {taken}; these have {given} (samples, channels), "
            f"for {n_classes} classes. The model is not that of its experiment."
        )


def tabulate_windows(
    windows: Windows, probabilities: np.ndarray, *, trials: bool = True
) -> pd.DataFrame:
    """Put the probabilities of windows into a table.

    Parameters
    ----------
    windows : Windows
    probabilities : ndarray, shape (n_windows, n_classes)
    trials : bool
        Whether to say of which subject, session and trial a window is.

    Returns
    -------
    table : DataFrame
        A row per window: ``start`` and ``stop`` (s, from stimulus onset or the first sample),
        ``p_<class>`` and ``predicted``, the most probable class (of equals, the first).
    """
    classes = windows.labels.classes
    columns = ["subject", "session", "trial"] if trials else []
    table = windows.table[[*columns, "start", "stop"]].copy()
    for name in columns[:2]:
        table[name] = table[name].astype(str)
    for k, name in enumerate(classes):
        table[f"p_{name}"] = probabilities[:, k].astype(np.float32)
    table["predicted"] = np.array(classes, dtype=object)[probabilities.argmax(axis=1)]
    return table
