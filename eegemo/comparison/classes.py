"""Differences class by class, and between confusion matrices, with their intervals."""

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
        Share of the draws inside an interval.
    n_draws : int
        Resamples of trials, drawn within each subject; the same for both results.
    seed : int
        Of the draws.

    Returns
    -------
    DataFrame
        ``level``, ``class``, ``score``, ``first``, ``second``, ``difference``, ``low``, ``high``:
        percentile intervals (Efron & Tibshirani 1993, ch. 13), NaN where a score is not defined.
        They are not widened for the number of classes.
    """
    rows: list[dict[str, Any]] = []
    for kind in LEVELS:
        pair = [count_trials(rows_of(result, kind)) for result in (first, second)]
        weights = draw_trials(pair[0].subject, n_draws=n_draws, seed=seed)
        drawn = [resampled_scores(trials, weights) for trials in pair]
        totals = [
            result.assessment.levels[kind]["total"]["per_class"] for result in (first, second)
        ]
        for index, name in enumerate(first.classes):
            for score in CLASS_SCORES:
                one, two = (_float(total[name][score]) for total in totals)
                gaps = drawn[1][score][:, index] - drawn[0][score][:, index]
                gaps = gaps[np.isfinite(gaps)]
                low, high = np.nan, np.nan
                if gaps.size and np.isfinite(two - one):
                    low, high = np.quantile(gaps, [(1 - level) / 2, (1 + level) / 2])
                rows.append(
                    {
                        "level": kind, "class": name, "score": score, "first": one, "second": two,
                        "difference": two - one, "low": float(low), "high": float(high),
                    }
                )  # fmt: skip
    return pd.DataFrame(rows)


def _float(value: float | None) -> float:
    return np.nan if value is None else float(value)


def draw_trials(subject: NDArray[np.intp], *, n_draws: int, seed: int) -> Floats:
    """Say how often each trial is drawn when trials are resampled within their subject.

    Parameters
    ----------
    subject : ndarray of int, shape (n_trials,)
        The subject of each trial.
    n_draws, seed : int
        How many resamples, and of which random numbers.

    Returns
    -------
    ndarray, shape (n_draws, n_trials)
        Each subject keeps its number of trials in every row.
    """
    rng = np.random.default_rng(seed)
    weights = np.zeros((n_draws, len(subject)))
    for one in np.unique(subject):
        own = np.flatnonzero(subject == one)
        weights[:, own] = rng.multinomial(len(own), [1 / len(own)] * len(own), size=n_draws)
    return weights


def resampled_scores(trials: TrialCounts, weights: Floats) -> dict[str, Floats]:
    """Compute recall and F1 of every class for many weightings of the same trials.

    Parameters
    ----------
    trials : TrialCounts
        As `eegemo.evaluation.statistics.count_trials` makes them.
    weights : ndarray, shape (n_draws, n_trials)
        How often each trial counts.

    Returns
    -------
    dict of str to ndarray, shape (n_draws, n_classes)
        NaN where a score is not defined.
    """
    n_classes = trials.counts.shape[1]
    own = np.eye(n_classes)[trials.label]
    hits = weights @ (own * trials.counts)
    support = weights @ (own * trials.counts.sum(axis=1, keepdims=True))
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
        What one prediction is about.

    Returns
    -------
    ndarray, shape (n_classes, n_classes)
        Row: true class; NaN for a class that never occurs.
    """
    one, two = (
        normalise_confusion(result.assessment.levels[level]["total"]["confusion"])
        for result in (first, second)
    )
    return two - one
