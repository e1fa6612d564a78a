"""A result's models on the windows of a recording: scaling, and the mean over models."""

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


def mean_probabilities(
    models: Iterable[tuple[FittedModel, Scaling]], windows: Windows
) -> np.ndarray:
    """Return class probabilities, averaged over models.

    Parameters
    ----------
    models : iterable of (FittedModel, Scaling)
        One in memory at a time, if it is a generator.
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
