"""Scores of a set of predictions, all computed from its confusion matrix."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from eegemo.errors import ResultError

Matrix = NDArray[np.float64]


def class_codes(values: ArrayLike, classes: Sequence[str], what: str) -> NDArray[np.intp]:
    """Return the number of each value among the classes; ResultError for any other value."""
    values = np.asarray(values)
    if values.ndim != 1:
        raise ResultError(f"{what}: expected one class per row, found shape {values.shape}.")
    if len(set(classes)) != len(classes):
        raise ResultError(f"Expected every class once, found {list(classes)}.")
    codes = pd.Index(np.asarray(classes, dtype=object)).get_indexer(pd.Index(values.astype(object)))
    if (codes < 0).any():
        unknown = values[codes < 0][0]
        raise ResultError(
            f"{what}: class {unknown!s} is not one of {', '.join(map(str, classes))}."
        )
    found: NDArray[np.intp] = codes.astype(np.intp)
    return found


def confusion_matrix(
    y_true: ArrayLike, y_pred: ArrayLike, classes: Sequence[str]
) -> NDArray[np.int64]:
    """Count how often each true class was predicted as each class.

    Parameters
    ----------
    y_true, y_pred : array-like, shape (n_rows,)
        True and predicted classes.
    classes : sequence of str
        All classes, in the order of rows and columns; some may be absent from the data.

    Returns
    -------
    ndarray of int, shape (n_classes, n_classes)
        Row: true class. Column: predicted class.

    Raises
    ------
    ResultError
        The lengths differ or a value is not among the classes.

    Examples
    --------
    >>> confusion_matrix(["a", "a", "b"], ["a", "b", "b"], ["a", "b"]).tolist()
    [[1, 1], [0, 1]]
    """
    true = class_codes(y_true, classes, "y_true")
    predicted = class_codes(y_pred, classes, "y_pred")
    if len(true) != len(predicted):
        raise ResultError(
            f"Expected as many predictions as truths, found {len(predicted)} and {len(true)}."
        )
    groups = np.zeros_like(true)
    matrix: NDArray[np.int64] = grouped_confusions(groups, 1, true, predicted, len(classes))[0]
    return matrix


def grouped_confusions(
    groups: NDArray[np.intp],
    n_groups: int,
    true: NDArray[np.intp],
    predicted: NDArray[np.intp],
    n_classes: int,
) -> NDArray[np.int64]:
    """Return one confusion matrix per group, shape (n_groups, n_classes, n_classes)."""
    cell = (groups * n_classes + true) * n_classes + predicted
    counts = np.bincount(cell, minlength=n_groups * n_classes**2)
    return counts.reshape(n_groups, n_classes, n_classes).astype(np.int64)


def normalise_confusion(matrix: ArrayLike) -> Matrix:
    """Normalise each row of a confusion matrix by its sum.

    Parameters
    ----------
    matrix : array-like, shape (n_classes, n_classes)
        Counts; row: true class.

    Returns
    -------
    ndarray, shape (n_classes, n_classes)
        Rows sum to 1; the row of a class that never occurs is NaN.

    Examples
    --------
    >>> normalise_confusion([[1, 3], [0, 0]]).tolist()
    [[0.25, 0.75], [nan, nan]]
    """
    counts = np.asarray(matrix, dtype=np.float64)
    return _divide(counts, counts.sum(axis=1, keepdims=True))


def _divide(numerator: Matrix, denominator: Matrix) -> Matrix:
    """Divide; 0 / 0 is NaN, without a warning."""
    shape = np.broadcast_shapes(numerator.shape, denominator.shape)
    undefined = np.full(shape, np.nan)
    quotient: Matrix = np.divide(numerator, denominator, out=undefined, where=denominator > 0)
    return quotient


def _number(value: float) -> float | None:
    """Make a float that JSON can hold."""
    return float(value) if math.isfinite(value) else None


def _mean(values: Matrix, weights: Matrix | None = None) -> float | None:
    """Average the defined values; None if there are none."""
    known = np.isfinite(values)
    if not known.any() or (weights is not None and weights[known].sum() == 0):
        return None
    return float(np.average(values[known], weights=None if weights is None else weights[known]))


def score_confusion(matrix: ArrayLike, classes: Sequence[str]) -> dict[str, Any]:
    """Compute every score from a confusion matrix.

    Parameters
    ----------
    matrix : array-like, shape (n_classes, n_classes)
        Counts (or expected counts, which need not be whole); row: true class.
    classes : sequence of str
        The classes, in the order of the rows.

    Returns
    -------
    dict
        As `score` returns it.
    """
    counts = np.asarray(matrix, dtype=np.float64)
    n = counts.sum()
    hits = np.diag(counts)
    support, predicted = counts.sum(axis=1), counts.sum(axis=0)
    recall, precision = _divide(hits, support), _divide(hits, predicted)
    f1 = _divide(2 * hits, support + predicted)
    accuracy = hits.sum() / n if n else math.nan
    # Cohen 1960: how far agreement exceeds that of independent raters with the same margins
    by_chance = support @ predicted / n**2 if n else math.nan
    kappa = (accuracy - by_chance) / (1 - by_chance) if n and by_chance < 1 else math.nan
    are_counts = bool(np.all(counts == np.round(counts)))

    def count(value: float) -> int | float:
        return int(value) if are_counts else float(value)

    return {
        "n": count(n),
        "accuracy": _number(accuracy),
        "balanced_accuracy": _mean(recall),
        "macro_f1": _mean(f1),
        "weighted_f1": _mean(f1, support),
        "kappa": _number(kappa),
        "per_class": {
            str(name): {
                "precision": _number(precision[index]),
                "recall": _number(recall[index]),
                "f1": _number(f1[index]),
                "support": count(support[index]),
            }
            for index, name in enumerate(classes)
        },
        "confusion": [[count(value) for value in row] for row in counts],
        "confusion_normalised": [
            [_number(value) for value in row] for row in normalise_confusion(counts)
        ],
    }


def score(y_true: ArrayLike, y_pred: ArrayLike, classes: Sequence[str]) -> dict[str, Any]:
    """Compute every score of a set of predictions.

    Parameters
    ----------
    y_true, y_pred : array-like, shape (n_rows,)
        True and predicted classes.
    classes : sequence of str
        All classes.

    Returns
    -------
    dict
        ``n``, ``accuracy``, ``balanced_accuracy`` (the mean recall of the classes that occur),
        ``macro_f1`` (the mean F1 of the classes that occur or are predicted), ``weighted_f1``
        (weighted by how often each class occurs), ``kappa`` (Cohen 1960, "A coefficient of
        agreement for nominal scales"), ``per_class`` (precision, recall, f1, support),
        ``confusion`` and ``confusion_normalised`` (rows: true classes). Ready for JSON: what is
        not defined is None.

    Raises
    ------
    ResultError
        The lengths differ or a value is not among the classes.

    Examples
    --------
    >>> result = score(["a", "a", "b"], ["a", "b", "b"], ["a", "b"])
    >>> result["balanced_accuracy"], result["per_class"]["b"]["precision"]
    (0.75, 0.5)
    """
    return score_confusion(confusion_matrix(y_true, y_pred, classes), classes)
