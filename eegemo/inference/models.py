"""Predict the windows of a recording: scaling, and the mean over models."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from eegemo.errors import DataError
from eegemo.models import FittedModel
from eegemo.scaling import Scaling, fit_scaling
from eegemo.training import predict_windows
from eegemo.windows import Windows

__all__ = [
    "choose_scaling",
    "mean_probabilities",
    "tabulate_windows",
]


def choose_scaling(
    stored: Scaling, windows: Windows, *, subject: str | None = None
) -> tuple[Scaling, str]:
    """Choose the scaling for a new recording.

    Parameters
    ----------
    stored : Scaling
        The scaling of the model's training.
    windows : Windows
        Windows of the recording.
    subject : str, optional
        The participant, if known; the stored scaling is used for a subject of the training set.

    Returns
    -------
    scaling : Scaling
        The stored scaling, if it was fitted on all training windows. Otherwise each subject, trial
        or window was scaled by itself in training, and the recording is scaled by its own windows.
        That is transductive: the probabilities of a window then depend on later windows.
    sentence : str
        Description of the scaling.

    Raises
    ------
    DataError
        If the scaling has another number of channels.
    """
    if stored.gain.shape[1] != windows.n_channels:
        raise DataError(
            f"the stored scaling has {stored.gain.shape[1]} channels; the recording has "
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
        index = [stored.units.index(subject)]
        known = Scaling(stored.steps, "training", ("",), stored.gain[index], stored.offset[index])
        return known, f"Scaled as {subject}'s windows were in training."
    fit = "training" if stored.fit == "subject" else "trial"
    scaling = fit_scaling(windows, rows, steps=stored.steps, fit=fit)  # type: ignore[arg-type]
    unit = "recording" if stored.fit == "subject" else "trial"
    return scaling, (
        f"Scaled by all windows of the {unit} itself, as each {stored.fit} was in training: the "
        "probabilities of a window depend on later windows (transductive)."
    )


def mean_probabilities(
    models: Iterable[tuple[FittedModel, Scaling]], windows: Windows
) -> np.ndarray:
    """Return class probabilities, averaged over models.

    Parameters
    ----------
    models : iterable of (FittedModel, Scaling)
        A generator keeps only one model in memory.
    windows : Windows

    Returns
    -------
    probabilities : ndarray of float64, shape (n_windows, n_classes)
    """
    rows, n_classes = np.arange(len(windows)), len(windows.labels.classes)
    total, n_models = np.zeros((len(windows), n_classes)), 0
    for model, scaling in models:
        total += predict_windows(model, windows, rows, scaling)
        n_models += 1
    mean: np.ndarray = total / max(n_models, 1)
    return mean


def tabulate_windows(
    windows: Windows, probabilities: np.ndarray, *, trials: bool = True
) -> pd.DataFrame:
    """Put the probabilities of windows into a table.

    Parameters
    ----------
    windows : Windows
    probabilities : ndarray, shape (n_windows, n_classes)
    trials : bool
        Whether to include the subject, session and trial of each window.

    Returns
    -------
    table : DataFrame
        A row per window: ``start`` and ``stop`` (s, from stimulus onset or the first sample),
        ``p_<class>`` and ``predicted``, the most probable class (the first of equals).
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
