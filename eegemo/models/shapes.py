"""Shapes and sizes of models, files of a fit, and checks of what a model gives."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from eegemo.errors import DataError
from eegemo.windows import Windows

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "HISTORY",
    "NO_FILES",
    "Cost",
    "FitFiles",
    "InputShape",
    "Size",
    "check_losses",
    "check_probabilities",
    "empty_history",
    "shape_of",
    "wrong_shape",
]

#: Columns of a training history, one row per epoch.
HISTORY = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "seconds")


class InputShape(NamedTuple):
    """What a model is built for.

    Attributes
    ----------
    n_times, n_channels : int
        Samples and channels of a window.
    n_classes : int
    sfreq : float
        Sampling frequency in Hz.
    ch_names : tuple of str
        Names of the channels, in order.
    """

    n_times: int
    n_channels: int
    n_classes: int
    sfreq: float
    ch_names: tuple[str, ...]


class Size(NamedTuple):
    """The size of a network.

    Attributes
    ----------
    parameters : int
        Numbers that are learned.
    activations : int
        Numbers that its layers give for one window; training keeps them all.
    """

    parameters: int
    activations: int


class Cost(NamedTuple):
    """What a fitted model costs; None where it is not known.

    Attributes
    ----------
    parameters : int or None
        Numbers that were learned.
    multiply_adds : int or None
        Per window.
    """

    parameters: int | None
    multiply_adds: int | None


class FitFiles(NamedTuple):
    """Where a fit reports its epochs and keeps its checkpoint; None for nowhere."""

    history: Path | None = None
    checkpoint: Path | None = None


#: Nowhere.
NO_FILES = FitFiles()


def shape_of(windows: Windows) -> InputShape:
    """Return what a model of these windows is built for."""
    trials = windows.trials
    n_classes = len(windows.labels.classes)
    return InputShape(
        windows.n_times, windows.n_channels, n_classes, trials.sfreq, tuple(trials.ch_names)
    )


def empty_history() -> "pd.DataFrame":
    """Return the history of a model that was not fitted here."""
    import pandas as pd

    return pd.DataFrame(columns=list(HISTORY))


def wrong_shape(taken: tuple[int, ...], shape: InputShape) -> str:
    """Say that a stored model takes other windows or classes than those of its experiment."""
    return (
        f"the model takes windows of shape {taken}; these have {(shape.n_times, shape.n_channels)} "
        f"(samples, channels), for {shape.n_classes} classes. The model is not that of its "
        "experiment."
    )


# How far from 1 probabilities may sum, as tables of predictions have it; half precision is so far.
_SUM_TOLERANCE = 5e-3


def check_probabilities(found: Any, n: int, n_classes: int, where: str) -> np.ndarray:
    """Return class probabilities as float32, or say what is wrong with them.

    Parameters
    ----------
    found : array-like
        What a model gave.
    n, n_classes : int
        Windows and classes that it was asked for.
    where : str
        Name and file of the model, for the message.

    Raises
    ------
    DataError
        If they are not finite numbers from 0 to 1, of shape ``(n, n_classes)``, that sum to 1.
    """
    try:
        values = np.asarray(found, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise DataError(f"model: {where} gives probabilities that are no numbers.") from error
    if values.shape != (n, n_classes):
        raise DataError(
            f"model: {where} gives probabilities of shape {values.shape}; expected (n, n_classes) "
            f"= {(n, n_classes)}."
        )
    if not np.isfinite(values).all():
        raise DataError(f"model: {where} gives probabilities that are not finite (NaN).")
    if n and (values.min() < 0 or np.abs(values.sum(axis=1) - 1).max() > _SUM_TOLERANCE):
        row = int(np.argmax(np.abs(values.sum(axis=1) - 1) + (values < 0).any(axis=1)))
        raise DataError(
            f"model: {where} gives {values[row].tolist()} for a window; expected probabilities, "
            "which are not negative and sum to 1. A network ends with a softmax."
        )
    return values


def check_losses(fold: str, history: Sequence[Mapping[str, float]]) -> None:
    """Raise DataError if a loss is not a number."""
    if not np.isfinite([row["loss"] for row in history]).all():
        raise DataError(
            f"training: the loss of fold {fold} is not a number after {len(history)} "
            "epochs. Lower training.learning_rate, set clip_norm, or look for broken recordings."
        )
