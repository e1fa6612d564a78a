"""Scores in total, per fold, subject and repeat, with baselines that ignore the signal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from eegemo.errors import ResultError
from eegemo.evaluation.predictions import class_names, predicted_classes, vote
from eegemo.evaluation.scores import Matrix, class_codes, grouped_confusions, score_confusion

LEVELS = ("window", "trial")
"""The levels of predictions: single windows, and trials (soft voting over their windows)."""

SUMMARY_SCORES = ("accuracy", "balanced_accuracy", "macro_f1", "weighted_f1", "kappa")
"""The scores that are summarised over folds, subjects and repeats."""


def evaluate(predictions: pd.DataFrame, folds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Score stored predictions in total, per fold, subject and repeat, with their baselines.

    Parameters
    ----------
    predictions : DataFrame
        One row per test window (see `eegemo.evaluation.predictions`).
    folds : sequence of mappings
        Each fold's record (``fold.json``): ``fold``, ``name``, ``windows["train"]`` (class counts)
        and ``train_windows_by_subject`` (class counts per subject).

    Returns
    -------
    dict
        ``classes``, ``n_folds``, ``n_subjects``, ``n_repeats`` and ``levels``; each of the levels
        "window" and "trial" has ``total``, ``folds``, ``subjects``, ``repeats`` (scores, see
        `score`), ``over_folds``, ``over_subjects``, ``over_repeats`` (mean, SD and range, with what
        they are over, and for how many the score is defined) and ``baselines`` (below). Repeats are
        added up: the confusion matrix of ``total`` and of a subject is the sum over repeats, and a
        trial has one prediction in each. Per subject there are also ``majority_accuracy`` and
        ``majority_balanced_accuracy``, what ``subject_majority`` scores on its rows,
        ``own_training`` (the fraction of these rows for which it is the subject's own), and
        ``commonest_share``: how often its most frequent true class occurs, which is the accuracy of
        the best constant answer in hindsight.

        - ``majority``: always the majority class of the fold's training windows;
        - ``subject_majority``: the majority class of the subject's own training windows, the
          fold's where the subject has none; None where no subject has any;
        - ``class_shares``: guessing with the class frequencies of the training windows, in
        expectation;
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
        "n_repeats": int(_repeats(predictions).nunique()),
        "levels": {name: _evaluate_level(rows, classes, records) for name, rows in levels.items()},
    }


def _evaluate_level(
    rows: pd.DataFrame, classes: list[str], records: Mapping[int, Mapping[str, Any]]
) -> dict[str, Any]:
    n_classes = len(classes)
    true = class_codes(rows["y_true"].to_numpy(), classes, "y_true")
    predicted = class_codes(predicted_classes(rows), classes, "y_pred")
    fold_codes, fold_ids = pd.factorize(rows["fold"], sort=True)
    subject_codes, subject_ids = pd.factorize(rows["subject"], sort=True)

    # Baselines depend on a row only through its fold and subject: tabulate those, then look up.
    frequencies = np.stack(
        [_training_frequencies(records[int(fold)], classes) for fold in fold_ids]
    )
    majority = frequencies.argmax(axis=1)
    majorities, has_training = _subject_majorities(
        list(fold_ids), list(subject_ids), records, classes, majority
    )
    known = has_training[fold_codes, subject_codes]
    answers = majorities[fold_codes, subject_codes]

    def matrices(groups: NDArray[np.intp], n: int, answer: NDArray[np.intp]) -> NDArray[np.int64]:
        return grouped_confusions(groups, n, true, answer, n_classes)

    repeat_codes, repeat_ids = pd.factorize(_repeats(rows), sort=True)
    by_fold = matrices(fold_codes, len(fold_ids), predicted)
    by_repeat = matrices(repeat_codes, len(repeat_ids), predicted)
    by_subject = matrices(subject_codes, len(subject_ids), predicted)
    guessed = matrices(subject_codes, len(subject_ids), answers)
    occurring = by_fold.sum(axis=2).astype(np.float64)  # (n_folds, n_classes): true class counts
    support = occurring.sum(axis=0)

    repeat_of = dict(zip(fold_codes, repeat_ids[repeat_codes], strict=True))
    fold_scores = [
        {
            "fold": int(fold),
            "name": str(records[int(fold)]["name"]),
            "repeat": int(repeat_of[code]),
            **score_confusion(m, classes),
        }
        for code, (fold, m) in enumerate(zip(fold_ids, by_fold, strict=True))
    ]
    own_training = np.bincount(subject_codes, known) / np.bincount(subject_codes)
    subject_scores = [
        {"subject": str(subject), **_majority_scores(guess, classes, fraction)}
        | score_confusion(m, classes)
        for subject, m, guess, fraction in zip(
            subject_ids, by_subject, guessed, own_training, strict=True
        )
    ]
    repeat_scores = [
        {"repeat": int(repeat), **score_confusion(m, classes)}
        for repeat, m in zip(repeat_ids, by_repeat, strict=True)
    ]
    total = by_fold.sum(axis=0)
    constant = matrices(fold_codes, len(fold_ids), majority[fold_codes]).sum(axis=0)
    baselines: dict[str, Any] = {
        "majority": score_confusion(constant, classes),
        "subject_majority": None,
        "class_shares": score_confusion(occurring.T @ frequencies, classes),
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
        "repeats": repeat_scores,
        "over_folds": _spread(fold_scores, "fold"),
        "over_subjects": _spread(subject_scores, "subject"),
        "over_repeats": _spread(repeat_scores, "repeat"),
        "baselines": baselines,
    }


def _repeats(rows: pd.DataFrame) -> pd.Series[int]:
    """Return the repeat of each row; tables of one repeat may lack the column."""
    return rows["repeat"] if "repeat" in rows else pd.Series(0, index=rows.index)


def _majority_scores(
    guess: NDArray[np.int64], classes: Sequence[str], own_training: float
) -> dict[str, Any]:
    """Return the scores of always answering a majority class, from its confusion matrix."""
    scores = score_confusion(guess, classes)
    return {
        "majority_accuracy": scores["accuracy"],
        "majority_balanced_accuracy": scores["balanced_accuracy"],
        "commonest_share": float(guess.sum(axis=1).max() / guess.sum()),
        "own_training": float(own_training),
    }


def _training_frequencies(record: Mapping[str, Any], classes: Sequence[str]) -> Matrix:
    counts = np.array([record["windows"]["train"].get(name, 0) for name in classes], dtype=float)
    if counts.sum() <= 0:
        raise ResultError(f"The record of fold {record['fold']} counts no training windows.")
    frequencies: Matrix = counts / counts.sum()
    return frequencies


def _subject_majorities(
    fold_ids: Sequence[int],
    subject_ids: Sequence[str],
    records: Mapping[int, Mapping[str, Any]],
    classes: Sequence[str],
    majority: NDArray[np.intp],
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Return the majority training class per fold and subject, and whether there is one."""
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
    """Summarise scores over folds, subjects or repeats."""
    n = len(scores)
    summary: dict[str, Any] = {"n": n, "over": f"over {n} {unit}{'s' if n != 1 else ''}"}
    for name in SUMMARY_SCORES:
        values = np.array([s[name] for s in scores if s[name] is not None], dtype=np.float64)
        defined = len(values) > 0
        summary[name] = {
            "n": len(values),
            "mean": float(values.mean()) if defined else None,
            "sd": float(values.std(ddof=1)) if len(values) > 1 else None,
            "min": float(values.min()) if defined else None,
            "median": float(np.median(values)) if defined else None,
            "max": float(values.max()) if defined else None,
        }
    return summary
