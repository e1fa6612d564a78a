"""Differences by class and between confusion matrices, with intervals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from eegemo.comparison.paired import rows_of
from eegemo.evaluation import LEVELS, normalise_confusion
from eegemo.evaluation.statistics import TrialCounts, count_trials
from eegemo.results import Result

Floats = NDArray[np.float64]

CLASS_SCORES = ("recall", "f1")


def class_differences(
    first: Result, second: Result, *, level: float = 0.95, n_draws: int = 4999, seed: int = 0
) -> pd.DataFrame:
    """Compare recall and F1 of each class: second minus first, with bootstrap intervals.

    Parameters
    ----------
    first, second : Result
        Comparable results.
    level : float
        Fraction of the draws inside an interval.
    n_draws : int
        Resamples of trials, drawn within each subject; the same for both results.
    seed : int
        Seed of the draws.

    Returns
    -------
    DataFrame
        ``level``, ``class``, ``score``, ``first``, ``second``, ``difference``, ``low``, ``high``:
        percentile intervals (Efron & Tibshirani 1993, ch. 13), NaN where a score is not defined.
        They are not widened for the number of classes.
    """
    rows: list[dict[str, Any]] = []
    for level_name in LEVELS:
        pair = [count_trials(rows_of(result, level_name)) for result in (first, second)]
        weights = draw_trials(pair[0].subject, n_draws=n_draws, seed=seed)
        drawn = [resampled_scores(trials, weights) for trials in pair]
        totals = [
            result.assessment.levels[level_name]["total"]["per_class"] for result in (first, second)
        ]
        for index, name in enumerate(first.classes):
            for score in CLASS_SCORES:
                first_score, second_score = (_float(total[name][score]) for total in totals)
                gaps = drawn[1][score][:, index] - drawn[0][score][:, index]
                gaps = gaps[np.isfinite(gaps)]
                low, high = np.nan, np.nan
                if gaps.size and np.isfinite(second_score - first_score):
                    low, high = np.quantile(gaps, [(1 - level) / 2, (1 + level) / 2])
                rows.append(
                    {
                        "level": level_name, "class": name, "score": score,
                        "first": first_score, "second": second_score,
                        "difference": second_score - first_score,
                        "low": float(low), "high": float(high),
                    }
                )  # fmt: skip
    return pd.DataFrame(rows)


def _float(value: float | None) -> float:
    return np.nan if value is None else float(value)


def draw_trials(subject: NDArray[np.intp], *, n_draws: int, seed: int) -> Floats:
    """Draw how often each trial counts when trials are resampled within their subject.

    Parameters
    ----------
    subject : ndarray of int, shape (n_trials,)
        The subject of each trial.
    n_draws, seed : int
        Number of resamples, and their seed.

    Returns
    -------
    ndarray, shape (n_draws, n_trials)
        Each subject keeps its number of trials in every row.
    """
    rng = np.random.default_rng(seed)
    weights = np.zeros((n_draws, len(subject)))
    for number in np.unique(subject):
        trials = np.flatnonzero(subject == number)
        n = len(trials)
        weights[:, trials] = rng.multinomial(n, [1 / n] * n, size=n_draws)
    return weights


def resampled_scores(trials: TrialCounts, weights: Floats) -> dict[str, Floats]:
    """Compute recall and F1 of every class for many weightings of the same trials.

    Parameters
    ----------
    trials : TrialCounts
        As `eegemo.evaluation.statistics.count_trials` returns them.
    weights : ndarray, shape (n_draws, n_trials)
        How often each trial counts.

    Returns
    -------
    dict of str to ndarray, shape (n_draws, n_classes)
        NaN where a score is not defined.
    """
    n_classes = trials.counts.shape[1]
    true = np.eye(n_classes)[trials.label]
    hits = weights @ (true * trials.counts)
    support = weights @ (true * trials.counts.sum(axis=1, keepdims=True))
    predicted = weights @ trials.counts
    with np.errstate(invalid="ignore"):
        return {"recall": hits / support, "f1": 2 * hits / (support + predicted)}


def confusion_difference(first: Result, second: Result, level: str) -> Floats:
    """Subtract normalised confusion matrices: second minus first.

    Parameters
    ----------
    first, second : Result
        Comparable results.
    level : {"window", "trial"}
        Level of the predictions.

    Returns
    -------
    ndarray, shape (n_classes, n_classes)
        Row: true class; NaN for a class that never occurs.
    """
    first_matrix, second_matrix = (
        normalise_confusion(result.assessment.levels[level]["total"]["confusion"])
        for result in (first, second)
    )
    return second_matrix - first_matrix
