"""Scores of a classifier, all read off its confusion matrix.

Conventions are those of scikit-learn with ``zero_division=numpy.nan``: a number that is not
defined (the recall of a class that never occurs, the precision of one never predicted) is ``None``
here, and is left out of averages over classes rather than counted as zero.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from .errors import ResultError
from .predictions import class_names, predicted_classes, vote

__all__ = [
    "LEVELS",
    "SUMMARY_SCORES",
    "confusion_matrix",
    "evaluate",
    "normalise_confusion",
    "score",
    "score_confusion",
]

Matrix = NDArray[np.float64]

LEVELS = ("window", "trial")
"""What one prediction is about: a window, or a trial after its windows have voted."""

SUMMARY_SCORES = ("accuracy", "balanced_accuracy", "macro_f1", "weighted_f1", "kappa")
"""The scores that are summarised over folds and over subjects."""


def _codes(values: ArrayLike, classes: Sequence[str], what: str) -> NDArray[np.intp]:
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
    """Count how often each class was taken for each class.

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
    true = _codes(y_true, classes, "y_true")
    predicted = _codes(y_pred, classes, "y_pred")
    if len(true) != len(predicted):
        raise ResultError(
            f"Expected as many predictions as truths, found {len(predicted)} and {len(true)}."
        )
    groups = np.zeros_like(true)
    matrix: NDArray[np.int64] = _grouped_confusions(groups, 1, true, predicted, len(classes))[0]
    return matrix


def _grouped_confusions(
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
    """Divide each row of a confusion matrix by its sum: the recall and what it was lost to.

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
    """Divide; nothing by nothing is NaN, without a warning."""
    shape = np.broadcast_shapes(numerator.shape, denominator.shape)
    undefined = np.full(shape, np.nan)
    quotient: Matrix = np.divide(numerator, denominator, out=undefined, where=denominator > 0)
    return quotient


def _number(value: float) -> float | None:
    """Make a float that JSON can hold."""
    return float(value) if math.isfinite(value) else None


def _mean(values: Matrix, weights: Matrix | None = None) -> float | None:
    """Average what is defined; None if nothing is."""
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
    whole = bool(np.all(counts == np.round(counts)))

    def count(value: float) -> int | float:
        return int(value) if whole else float(value)

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


def evaluate(predictions: pd.DataFrame, folds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Score stored predictions in total, per fold and per subject, beside their baselines.

    Parameters
    ----------
    predictions : DataFrame
        One row per test window (see `eegemo.predictions`).
    folds : sequence of mappings
        Each fold's record (``fold.json``): ``fold``, ``name``, ``windows["train"]`` (class counts)
        and ``train_windows_by_subject`` (class counts per subject).

    Returns
    -------
    dict
        ``classes``, ``n_folds``, ``n_subjects`` and ``levels``; each of the levels "window" and
        "trial" has ``total``, ``folds``, ``subjects`` (scores, see `score`), ``over_folds`` and
        ``over_subjects`` (mean, SD and range, saying over what, and of how many a score is
        defined) and ``baselines``:

        - ``majority``: always the commonest class of the fold's training windows;
        - ``subject_majority``: the commonest class of the subject's own training windows, the
          fold's where the subject has none; None where no subject has any;
        - ``class_shares``: guessing with the class shares of the training windows, in expectation;
        - ``chance``: every class equally likely, in expectation.

        Expected scores are those of the expected confusion matrix: exact for accuracy, recall and
        balanced accuracy, which are linear in it, and an approximation for F1 and kappa.

    Raises
    ------
    ResultError
        A fold of the predictions has no record, or its record has no training windows.
    """
    classes = class_names(predictions)
    records = {int(record["fold"]): record for record in folds}
    lost = sorted(set(predictions["fold"].unique()) - set(records))
    if lost:
        raise ResultError(f"Predictions name fold {lost[0]}, which has no record (fold.json).")
    levels = {"window": predictions, "trial": vote(predictions)}
    return {
        "classes": classes,
        "n_folds": int(predictions["fold"].nunique()),
        "n_subjects": int(predictions["subject"].nunique()),
        "levels": {name: _evaluate_level(rows, classes, records) for name, rows in levels.items()},
    }


def _evaluate_level(
    rows: pd.DataFrame, classes: list[str], records: Mapping[int, Mapping[str, Any]]
) -> dict[str, Any]:
    n_classes = len(classes)
    true = _codes(rows["y_true"].to_numpy(), classes, "y_true")
    predicted = _codes(predicted_classes(rows), classes, "y_pred")
    fold_codes, fold_ids = pd.factorize(rows["fold"], sort=True)
    subject_codes, subject_ids = pd.factorize(rows["subject"], sort=True)

    # Baselines depend on a row only through its fold and subject: tabulate those, then look up.
    shares = np.stack([_training_shares(records[int(fold)], classes) for fold in fold_ids])
    majority = shares.argmax(axis=1)
    own, has_own = _own_majorities(list(fold_ids), list(subject_ids), records, classes, majority)
    known = has_own[fold_codes, subject_codes]
    answers = own[fold_codes, subject_codes]

    def matrices(groups: NDArray[np.intp], n: int, answer: NDArray[np.intp]) -> NDArray[np.int64]:
        return _grouped_confusions(groups, n, true, answer, n_classes)

    by_fold = matrices(fold_codes, len(fold_ids), predicted)
    by_subject = matrices(subject_codes, len(subject_ids), predicted)
    guessed = matrices(subject_codes, len(subject_ids), answers)
    occurring = by_fold.sum(axis=2).astype(np.float64)  # (n_folds, n_classes): true class counts
    support = occurring.sum(axis=0)

    fold_scores = [
        {"fold": int(fold), "name": str(records[int(fold)]["name"]), **score_confusion(m, classes)}
        for fold, m in zip(fold_ids, by_fold, strict=True)
    ]
    subject_scores = [
        {
            "subject": str(subject),
            "majority_accuracy": score_confusion(guess, classes)["accuracy"],
            **score_confusion(m, classes),
        }
        for subject, m, guess in zip(subject_ids, by_subject, guessed, strict=True)
    ]
    total = by_fold.sum(axis=0)
    constant = matrices(fold_codes, len(fold_ids), majority[fold_codes]).sum(axis=0)
    baselines: dict[str, Any] = {
        "majority": score_confusion(constant, classes),
        "subject_majority": None,
        "class_shares": score_confusion(occurring.T @ shares, classes),
        "chance": score_confusion(np.outer(support, np.full(n_classes, 1 / n_classes)), classes),
    }
    if known.any():
        baselines["subject_majority"] = {
            "share_with_own_training": float(known.mean()),
            **score_confusion(guessed.sum(axis=0), classes),
        }
    return {
        "total": score_confusion(total, classes),
        "folds": fold_scores,
        "subjects": subject_scores,
        "over_folds": _spread(fold_scores, "fold"),
        "over_subjects": _spread(subject_scores, "subject"),
        "baselines": baselines,
    }


def _training_shares(record: Mapping[str, Any], classes: Sequence[str]) -> Matrix:
    counts = np.array([record["windows"]["train"].get(name, 0) for name in classes], dtype=float)
    if counts.sum() <= 0:
        raise ResultError(f"The record of fold {record['fold']} counts no training windows.")
    shares: Matrix = counts / counts.sum()
    return shares


def _own_majorities(
    fold_ids: Sequence[int],
    subject_ids: Sequence[str],
    records: Mapping[int, Mapping[str, Any]],
    classes: Sequence[str],
    majority: NDArray[np.intp],
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return, per fold and subject, the subject's commonest training class and if it has one."""
    answers = np.repeat(majority[:, np.newaxis], len(subject_ids), axis=1)
    known = np.zeros(answers.shape, dtype=bool)
    for row, fold in enumerate(fold_ids):
        by_subject = records[int(fold)].get("train_windows_by_subject") or {}
        for column, subject in enumerate(subject_ids):
            counts = [by_subject.get(str(subject), {}).get(name, 0) for name in classes]
            if sum(counts):
                answers[row, column] = int(np.argmax(counts))
                known[row, column] = True
    return answers, known


def _spread(scores: Sequence[Mapping[str, Any]], unit: str) -> dict[str, Any]:
    """Summarise scores over folds or subjects, saying so."""
    n = len(scores)
    summary: dict[str, Any] = {"n": n, "over": f"over {n} {unit}{'s' if n != 1 else ''}"}
    for name in SUMMARY_SCORES:
        values = np.array([s[name] for s in scores if s[name] is not None], dtype=np.float64)
        some = len(values) > 0
        summary[name] = {
            "n": len(values),
            "mean": float(values.mean()) if some else None,
            "sd": float(values.std(ddof=1)) if len(values) > 1 else None,
            "min": float(values.min()) if some else None,
            "median": float(np.median(values)) if some else None,
            "max": float(values.max()) if some else None,
        }
    return summary
