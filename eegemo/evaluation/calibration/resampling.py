"""Intervals by resampling trials, since windows of one trial are not independent."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eegemo.evaluation.calibration.abstention import COVERAGES
from eegemo.evaluation.calibration.arrays import Codes, Floats

# Memory of one batch of draws: at most this many weights at once.
_BATCH = 2_000_000


def _number(values: ArrayLike) -> Codes:
    return np.unique(np.asarray(values), return_inverse=True)[1].astype(np.intp)


def _draws(trial: Codes, subject: Codes, n_draws: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Yield draws of trials within each subject, as counts (n_draws of a batch, n_trials)."""
    rng = np.random.default_rng(seed)
    n_trials = int(trial.max()) + 1
    owner = np.zeros(n_trials, dtype=np.intp)
    owner[trial] = subject
    blocks = [np.flatnonzero(owner == who) for who in range(int(subject.max()) + 1)]
    step = max(1, _BATCH // n_trials)
    for first in range(0, n_draws, step):
        size = min(step, n_draws - first)
        times = np.zeros((size, n_trials), dtype=np.int64)
        for block in blocks:
            times[:, block] = rng.multinomial(len(block), [1 / len(block)] * len(block), size=size)
        yield times


def trial_intervals(
    values: ArrayLike,
    trial: ArrayLike,
    subject: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    level: float = 0.95,
    n_draws: int = 999,
    seed: int = 0,
) -> Floats:
    """Compute intervals of means over rows, resampling trials within each subject.

    Parameters
    ----------
    values : array-like, shape (n_rows, n_values)
        What is averaged, such as the Brier score of each row.
    trial, subject : array-like, shape (n_rows,)
        The trial (unique over subjects) and the subject of each row.
    weights : array-like, shape (n_rows, n_values), optional
        Weight of a row in each mean; 0 excludes it. 1 if not given.
    level : float
        Fraction of the draws inside each interval.
    n_draws, seed : int
        Resamples, and their seed.

    Returns
    -------
    ndarray, shape (n_values, 2)
        Percentile intervals, as in `eegemo.evaluation.statistics.bootstrap_interval`; the trained
        models are taken as given. NaN where fewer than two trials count, or where a tenth of the
        draws have no row that does.

    Examples
    --------
    >>> trial = np.repeat(np.arange(20), 5)
    >>> values = np.repeat(np.arange(20) % 2, 5)[:, np.newaxis]
    >>> low, high = trial_intervals(values, trial, np.zeros(100))[0]
    >>> bool(low < 0.5 < high)
    True
    """
    rows = np.asarray(values, dtype=np.float64)
    counted = np.ones_like(rows) if weights is None else np.asarray(weights, dtype=np.float64)
    trials = _number(trial)
    n_trials = int(trials.max()) + 1
    sums, totals = (
        np.stack([np.bincount(trials, column, n_trials) for column in table.T], axis=1)
        for table in (rows * counted, counted)
    )
    parts = []
    for times in _draws(trials, _number(subject), n_draws, seed):
        drawn, n = times @ sums, times @ totals
        parts.append(np.divide(drawn, n, out=np.full(n.shape, np.nan), where=n > 0))
    means = np.concatenate(parts)
    intervals = np.full((rows.shape[1], 2), np.nan)
    ends = [(1 - level) / 2, (1 + level) / 2]
    for k, column in enumerate(means.T):
        known = column[np.isfinite(column)]
        if (totals[:, k] > 0).sum() > 1 and len(known) >= 0.9 * n_draws:
            intervals[k] = np.quantile(known, ends)
    return intervals


def coverage_band(
    confidence: ArrayLike,
    correct: ArrayLike,
    trial: ArrayLike,
    subject: ArrayLike,
    *,
    coverages: ArrayLike = COVERAGES,
    level: float = 0.95,
    n_draws: int = 199,
    seed: int = 0,
) -> Floats:
    """Compute intervals of the accuracy at each coverage, resampling trials.

    Parameters
    ----------
    confidence, correct, coverages
        As in `eegemo.evaluation.calibration.selective_accuracy`.
    trial, subject, level, n_draws, seed
        As in `trial_intervals`.

    Returns
    -------
    ndarray, shape (n_coverages, 2)
        Percentile intervals; in each draw rows are ranked again.

    Examples
    --------
    >>> band = coverage_band([0.9, 0.8, 0.7, 0.6], [1, 1, 0, 0], [1, 2, 3, 4], [0] * 4)
    >>> band.shape, bool((band[:, 0] <= band[:, 1]).all())
    ((20, 2), True)
    """
    values = np.asarray(confidence, dtype=np.float64)
    order = np.argsort(-values, kind="stable")
    hits = np.asarray(correct, dtype=np.float64)[order]
    last = np.flatnonzero(np.r_[np.diff(values[order]) != 0, True])  # of rows of equal confidence
    trials, fractions = _number(trial), np.asarray(coverages, dtype=np.float64)
    curves = []
    for times in _draws(trials, _number(subject), n_draws, seed):
        for draw in times:
            drawn = draw[trials[order]]
            answered = np.r_[0, np.cumsum(drawn)[last]]
            correct_so_far = np.r_[0, np.cumsum(drawn * hits)[last]]
            n = np.maximum(np.round(fractions * answered[-1]), 1)
            curves.append(np.interp(n, answered, correct_so_far) / n)
    limits: Floats = np.quantile(curves, [(1 - level) / 2, (1 + level) / 2], axis=0).T
    return limits
