"""Folds that split every trial in time: a leak, kept to audit scores that rest on it.

Much published code with a "split by trial" splits each trial into an earlier and a later piece. No
sample is shared then, but every trial is both in the training and in the test set, so it is enough
to recognise the trial. The folds made here share no sample either, even if windows overlap. Their
scores are inflated by the trial-specific signature alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from eegemo.errors import DataError
from eegemo.splits.fold import GROUPS, Fold

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["cut_trials"]


def cut_trials(
    table: pd.DataFrame, shares: Sequence[float], *, rotate: bool, validation: float
) -> list[Fold]:
    """Split each trial into consecutive pieces, and assign them to training, validation and test.

    ::

        one trial      |-------------- time ---------------|
        rotate, fold 2 | train  | TEST   | train | valid.  |
        not rotate     | train                | val. | TEST|

    Windows of the training or validation set that share a sample with the test set are dropped, and
    so are training windows that share a sample with the validation set.

    Parameters
    ----------
    table : DataFrame, one row per window
        With the columns ``subject``, ``session``, ``trial``, ``start`` and ``stop`` (seconds).
    shares : sequence of float
        Fraction of each piece. With `rotate`, each piece is the test set of one fold; otherwise the
        pieces are the training, validation and test set.
    rotate : bool
        Make a fold for each piece instead of a single fold.
    validation : float
        With `rotate`, fraction of the training set, from its end, held out for validation.

    Returns
    -------
    folds : list of Fold
        Named by number; with positions of rows of the table.

    Raises
    ------
    DataError
        If ``start`` or ``stop`` is missing, or a set has no window left.
    """
    if not {"start", "stop"} <= set(table):
        raise DataError(
            "split: group 'segment' cuts trials in time, so the table needs the columns 'start' "
            "and 'stop' of each window."
        )
    trial = table.groupby(list(GROUPS["trial"]), sort=True, observed=True).ngroup().to_numpy()
    start, stop = table["start"].to_numpy(float), table["stop"].to_numpy(float)
    piece = _piece_of(trial, start, np.ones(len(table), bool), shares)
    every = np.arange(len(table))
    folds = []
    for k in range(len(shares)) if rotate else [len(shares) - 1]:
        test = piece == k
        if rotate:
            rest = _piece_of(trial, start, ~test, (1 - validation, validation))
            held = (rest == 1) & ~test
        else:
            held = piece == 1
        train = ~test & ~held
        held &= ~_touch(trial, start, stop, held, test)
        train &= ~_touch(trial, start, stop, train, test) & ~_touch(trial, start, stop, train, held)
        parts = every[train], every[held], every[test]
        wanted = (True, validation > 0 if rotate else shares[1] > 0, True)
        if any(need and not len(part) for need, part in zip(wanted, parts, strict=True)):
            raise DataError(
                f"split: trials are too short to be cut into {len(shares)} pieces of windows that "
                "share no sample. Use shorter windows, or fewer pieces."
            )
        folds.append(Fold(str(k + 1 if rotate else 1), *parts, group="segment"))
    return folds


def _piece_of(
    trial: np.ndarray, start: np.ndarray, among: np.ndarray, shares: Sequence[float]
) -> np.ndarray:
    """Return the piece of each window, by its position among the chosen windows of its trial."""
    piece = np.full(len(trial), -1)
    rows = np.flatnonzero(among)
    order = rows[np.lexsort((start[rows], trial[rows]))]
    n = np.bincount(trial[order])
    position = np.arange(len(order)) - (np.cumsum(n) - n)[trial[order]]
    bounds = np.cumsum(shares)[:-1]
    # a fraction that is a whole number of windows stays that number, whatever the rounding
    piece[order] = np.searchsorted(bounds, position / n[trial[order]] + 1e-9, side="right")
    return piece


def _touch(
    trial: np.ndarray, start: np.ndarray, stop: np.ndarray, ours: np.ndarray, theirs: np.ndarray
) -> np.ndarray:
    """Mark the windows of `ours` that share a sample with a window of `theirs`."""
    found = np.zeros(len(trial), bool)
    if not theirs.any():
        return found
    # one axis of time for all trials, on which no two trials meet
    span = stop.max() - start.min() + 1.0
    begin = trial * span + start
    end = trial * span + stop
    starts, ends = np.sort(begin[theirs]), np.sort(end[theirs])
    rows = np.flatnonzero(ours)
    tiny = 1e-6  # seconds: far less than a sample, far more than rounding
    begun = np.searchsorted(starts, end[rows] - tiny, side="left")
    ended = np.searchsorted(ends, begin[rows] + tiny, side="right")
    found[rows] = begun > ended
    return found
