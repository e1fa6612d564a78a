"""Folds that cut every trial in time: a leak, kept for the audit of scores that rest on it.

Much code that promises a "split by trial" cuts each trial into an earlier and a later piece. No
sample is shared then, but every trial is in training and in test, so recognising the trial is
enough. The folds made here share no sample either, whatever the overlap of windows, so that what
they inflate is the trial's own mark and nothing else.
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
    """Cut each trial into consecutive pieces and deal these to training, validation and test.

    ::

        one trial      |-------------- time ---------------|
        rotate, fold 2 | train  | TEST   | train | valid.  |
        not rotate     | train                | val. | TEST|

    Windows of training or validation that share a sample with the test piece are left out, and so
    are those of training that share one with validation.

    Parameters
    ----------
    table : DataFrame, one row per window
        With the columns ``subject``, ``session``, ``trial``, ``start`` and ``stop`` (seconds).
    shares : sequence of float
        Share of each piece. With `rotate` each piece is the test part of one fold; else the pieces
        are training, validation and test.
    rotate : bool
        Make a fold for each piece, or a single one.
    validation : float
        With `rotate`, share of what is not tested that is set aside, from its end.

    Returns
    -------
    folds : list of Fold
        Named by number; rows are numbers of the table's rows.

    Raises
    ------
    DataError
        If ``start`` or ``stop`` is missing, or a part has no window left.
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
    """Return the piece that each window lies in, by its place among the chosen of its trial."""
    piece = np.full(len(trial), -1)
    rows = np.flatnonzero(among)
    order = rows[np.lexsort((start[rows], trial[rows]))]
    n = np.bincount(trial[order])
    place = np.arange(len(order)) - (np.cumsum(n) - n)[trial[order]]
    bounds = np.cumsum(shares)[:-1]
    # a share of a whole number of windows is that number, whatever its last binary digit
    piece[order] = np.searchsorted(bounds, place / n[trial[order]] + 1e-9, side="right")
    return piece


def _touch(
    trial: np.ndarray, start: np.ndarray, stop: np.ndarray, ours: np.ndarray, theirs: np.ndarray
) -> np.ndarray:
    """Mark the windows among `ours` that share a sample with one among `theirs`."""
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
