"""Predictions: one row per test window, the source of every score, figure and report.

A table of predictions is a data frame with the columns

========== ======= ==================================================================
column     type    meaning
========== ======= ==================================================================
repeat     int     the repeat of the cross-validation, from 0; each has its own seeds
fold       int     the fold whose model made the prediction; unique over all repeats
subject    str     the participant
session    str     the session
trial      int     the trial, numbered from 1 within subject and session
stimulus   str     what was shown or played in the trial; empty if unknown
start      float   start of the window, in seconds from stimulus onset
y_true     str     the class of the trial
p_<class>  float32 predicted probability of each class; a row sums to 1
========== ======= ==================================================================

A table without the column ``repeat`` has a single repeat.
The order of the probability columns is the order of the classes everywhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from numpy.typing import ArrayLike, NDArray

from eegemo.errors import ResultError
from eegemo.store import atomic_file

__all__ = [
    "TRIAL_KEYS",
    "check_predictions",
    "class_names",
    "make_predictions",
    "predicted_classes",
    "probabilities",
    "read_predictions",
    "vote",
    "write_predictions",
]

TRIAL_KEYS = ["subject", "session", "trial"]
"""The columns that identify a trial."""

_TYPES = {"repeat": "int64", "fold": "int64", "subject": "str", "session": "str", "trial": "int64"}
_TYPES |= {"stimulus": "str", "start": "float64", "y_true": "str"}
_PREFIX = "p_"

# Softmax in float32 sums to 1 within 1e-6; probabilities rounded to half precision on the way
# here may miss it by a few 1e-3. More than that is no softmax (logits, or softmax applied twice).
_SUM_TOLERANCE = 5e-3
# What repeats takes no space in a file: one of a few kilobytes could claim any number of rows. A
# table of this size is read whatever its file has.
_MOST_BYTES = 2**30


def make_predictions(
    *,
    fold: int,
    subject: Sequence[str] | ArrayLike,
    session: Sequence[str] | ArrayLike,
    trial: ArrayLike,
    start: ArrayLike,
    y_true: Sequence[str] | ArrayLike,
    probabilities: ArrayLike,
    classes: Sequence[str],
    stimulus: Sequence[str] | ArrayLike | None = None,
    repeat: int = 0,
) -> pd.DataFrame:
    """Put the predictions of one fold into a table.

    Parameters
    ----------
    fold : int
        The number of the fold.
    subject, session, trial, start, y_true : array-like, shape (n_windows,)
        What identifies each window (``start`` in seconds from stimulus onset), and its class.
    probabilities : array-like, shape (n_windows, n_classes)
        Predicted probabilities; each row sums to 1.
    classes : sequence of str
        The class of each probability column.
    stimulus : array-like of str, shape (n_windows,), optional
        What was shown or played; unknown if not given. Give it where subjects share
        stimuli: their labels then depend on each other, and `eegemo.evaluation.statistics` takes
        that into account.
    repeat : int
        The repeat that the fold belongs to.

    Returns
    -------
    DataFrame
        A checked table of predictions.

    Raises
    ------
    ResultError
        The shapes do not fit, or the values are no predictions.

    Examples
    --------
    >>> predictions = make_predictions(
    ...     fold=0, subject=["s01"] * 2, session=["1"] * 2, trial=[1, 1], start=[0.0, 1.0],
    ...     y_true=["low", "low"], probabilities=[[0.9, 0.1], [0.4, 0.6]], classes=["low", "high"])
    >>> predicted_classes(predictions).tolist()
    ['low', 'high']
    """
    values = np.asarray(probabilities, dtype=np.float32)
    if values.ndim != 2 or values.shape[1] != len(classes):
        raise ResultError(
            f"Predictions of fold {fold}: expected probabilities of shape "
            f"(n_windows, {len(classes)}), found {values.shape}."
        )
    columns: dict[str, Any] = {
        "subject": np.asarray(subject, dtype=object),
        "session": np.asarray(session, dtype=object),
        "trial": np.asarray(trial),
        "stimulus": np.asarray([""] * len(values) if stimulus is None else stimulus, dtype=object),
        "start": np.asarray(start),
        "y_true": np.asarray(y_true, dtype=object),
    }
    for name, column in columns.items():
        if column.shape != (len(values),):
            raise ResultError(
                f"Predictions of fold {fold}: expected {len(values)} values of '{name}', "
                f"found shape {column.shape}."
            )
    constant = {name: np.full(len(values), n) for name, n in (("repeat", repeat), ("fold", fold))}
    frame = pd.DataFrame({**constant, **columns})
    for index, name in enumerate(classes):
        frame[_PREFIX + str(name)] = values[:, index]
    return check_predictions(frame, source=f"Predictions of fold {fold}")


def check_predictions(frame: pd.DataFrame, *, source: str | Path = "Predictions") -> pd.DataFrame:
    """Check a table of predictions and return it with the documented types and column order.

    Parameters
    ----------
    frame : DataFrame
        The table; it is not changed.
    source : str or Path
        Its name in error messages.

    Returns
    -------
    DataFrame
        The table with columns in the documented order, indexed from 0.

    Raises
    ------
    ResultError
        A column is missing, a value is missing, a class is unknown, probabilities do not sum
        to 1, a window occurs twice in a fold, a fold belongs to two repeats, or a trial has two
        labels or stimuli.
    """
    if "repeat" not in frame.columns:
        frame = frame.assign(repeat=0)
    missing = [name for name in _TYPES if name not in frame.columns]
    if missing:
        raise ResultError(
            f"{source}: expected the columns {', '.join(_TYPES)} and p_<class>; "
            f"missing {', '.join(missing)}."
        )
    classes = [str(name)[len(_PREFIX) :] for name in frame.columns if _is_probability(name)]
    if len(classes) < 2 or len(set(classes)) < len(classes):
        raise ResultError(
            f"{source}: expected one probability column p_<class> for each of two or more "
            f"classes, found {classes}."
        )
    if frame.empty:
        raise ResultError(f"{source}: expected at least one window, found none.")
    columns = [*_TYPES, *(_PREFIX + name for name in classes)]
    frame = frame[columns].reset_index(drop=True)
    if frame.isna().any(axis=None):
        holes = frame.columns[frame.isna().any(axis=0)].tolist()
        raise ResultError(f"{source}: values are missing in the column(s) {', '.join(holes)}.")
    try:
        frame = frame.astype({**_TYPES, **dict.fromkeys(columns[len(_TYPES) :], "float32")})
    except (TypeError, ValueError) as error:
        raise ResultError(f"{source}: a column has values of the wrong type ({error}).") from error
    unknown = sorted(set(frame["y_true"].unique()) - set(classes))
    if unknown:
        raise ResultError(
            f"{source}: true class {unknown[0]!r} has no probability column; found {classes}."
        )
    values = probabilities(frame)
    wrong = np.flatnonzero(
        (np.abs(values.sum(axis=1) - 1) > _SUM_TOLERANCE)
        | (values < 0).any(axis=1)
        | (values > 1 + _SUM_TOLERANCE).any(axis=1)
    )
    if wrong.size:
        raise ResultError(
            f"{source}: expected probabilities between 0 and 1 that sum to 1, found "
            f"{values[wrong[0]].tolist()} in row {wrong[0]} (and {wrong.size - 1} more)."
        )
    doubled = frame.duplicated(["fold", *TRIAL_KEYS, "start"])
    if doubled.any():
        row = frame[doubled].iloc[0]
        raise ResultError(
            f"{source}: the window of subject {row['subject']}, trial {row['trial']} at "
            f"{row['start']:g} s is predicted twice in fold {row['fold']}."
        )
    torn_folds = frame[["repeat", "fold"]].drop_duplicates()["fold"].duplicated()
    if torn_folds.any():
        raise ResultError(f"{source}: a fold belongs to two repeats; expected one.")
    for name, words in (("y_true", "true classes"), ("stimulus", "stimuli")):
        trials = frame[[*TRIAL_KEYS, name]].drop_duplicates()
        torn = trials.duplicated(TRIAL_KEYS)
        if torn.any():
            row = trials[torn].iloc[0]
            raise ResultError(
                f"{source}: trial {row['trial']} of subject {row['subject']} has two {words}; "
                "a trial has one."
            )
    return frame


def _is_probability(name: object) -> bool:
    return isinstance(name, str) and name.startswith(_PREFIX) and len(name) > len(_PREFIX)


def class_names(predictions: pd.DataFrame) -> list[str]:
    """Return the classes, in the order of the probability columns.

    Examples
    --------
    >>> class_names(pd.DataFrame(columns=["fold", "p_low", "p_high"]))
    ['low', 'high']
    """
    return [name[len(_PREFIX) :] for name in predictions.columns if _is_probability(name)]


def probabilities(predictions: pd.DataFrame) -> NDArray[np.float64]:
    """Return the predicted probabilities.

    Returns
    -------
    ndarray, shape (n_rows, n_classes)
        One column per class, in the order of `class_names`.
    """
    columns = [_PREFIX + name for name in class_names(predictions)]
    return predictions[columns].to_numpy(dtype=np.float64)


def predicted_classes(predictions: pd.DataFrame) -> NDArray[np.str_]:
    """Return the most probable class of each row; of equals, the first.

    Returns
    -------
    ndarray of str, shape (n_rows,)
        The predicted classes.
    """
    names = np.asarray(class_names(predictions), dtype=np.str_)
    chosen: NDArray[np.str_] = names[probabilities(predictions).argmax(axis=1)]
    return chosen


def vote(predictions: pd.DataFrame) -> pd.DataFrame:
    """Predict trials by soft voting: the mean probabilities of their windows, fold by fold.

    Averaging probabilities uses the confidence of each window, and has no ties to break
    (Kittler et al. 1998, "On combining classifiers", IEEE TPAMI 20(3), the sum rule).

    Parameters
    ----------
    predictions : DataFrame
        One row per window.

    Returns
    -------
    DataFrame
        One row per fold and trial, sorted: ``repeat``, ``fold``, ``subject``, ``session``,
        ``trial``, ``stimulus``, ``n_windows``, ``y_true`` and one ``p_<class>`` column per class
        (float64).

    Examples
    --------
    >>> windows = make_predictions(
    ...     fold=0, subject=["s01"] * 2, session=["1"] * 2, trial=[1, 1], start=[0.0, 1.0],
    ...     y_true=["low", "low"], probabilities=[[0.9, 0.1], [0.4, 0.6]], classes=["low", "high"])
    >>> vote(windows).round(3)[["trial", "n_windows", "y_true", "p_low"]].values.tolist()
    [[1, 2, 'low', 0.65]]
    """
    columns = [_PREFIX + name for name in class_names(predictions)]
    # float64 while averaging: the order of the windows must not decide a close vote
    frame = predictions.astype(dict.fromkeys(columns, "float64"))
    grouped = frame.groupby(["repeat", "fold", *TRIAL_KEYS], sort=True, observed=True)
    voted = grouped[columns].mean()
    voted.insert(0, "stimulus", grouped["stimulus"].first())
    voted.insert(1, "n_windows", grouped.size())
    voted.insert(2, "y_true", grouped["y_true"].first())
    return voted.reset_index()


def read_predictions(path: str | Path) -> pd.DataFrame:
    """Read and check a table of predictions.

    Parameters
    ----------
    path : str or Path
        A parquet file, as `write_predictions` makes it.

    Returns
    -------
    DataFrame
        One row per test window.

    Raises
    ------
    ResultError
        The file is missing, is no parquet file, or holds no predictions.
    """
    path = Path(path)
    if not path.is_file():
        raise ResultError(f"{path}: expected a table of predictions, found no such file.")
    try:
        about = pq.read_metadata(path)
        n_bytes = about.num_rows * about.num_columns * 8
        if n_bytes > max(_MOST_BYTES, 100 * path.stat().st_size):
            raise ValueError(f"it claims {about.num_rows} rows")
        frame = pd.read_parquet(path, page_checksum_verification=True)
    except Exception as error:  # pyarrow and pandas raise many types for corrupt files
        raise ResultError(f"{path}: expected a parquet file, but it cannot be read as one.") from (
            error
        )
    return check_predictions(frame, source=path)


def write_predictions(frame: pd.DataFrame, path: str | Path) -> Path:
    """Check a table of predictions and write it, completely or not at all.

    Parameters
    ----------
    frame : DataFrame
        One row per test window.
    path : str or Path
        Where to; its folder is made where needed.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    ResultError
        The table is no table of predictions; nothing is written.
    """
    path = Path(path)
    frame = check_predictions(frame, source=path)
    with atomic_file(path) as temporary:
        frame.to_parquet(temporary, index=False, write_page_checksum=True)
    return path
