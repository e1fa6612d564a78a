"""Counts of predicted classes per trial, from which every test here is computed.

Windows of one trial look alike and share one label, so they are not independent: a binomial
interval over windows is several times too narrow. Everything here permutes or resamples trials.
Of a trial only its label and its counts of predicted classes matter, so the cost does not grow with
the number of windows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from eegemo.errors import ResultError
from eegemo.evaluation.predictions import TRIAL_KEYS, class_names, predicted_classes

__all__ = [
    "TIE",
    "Floats",
    "TrialCounts",
    "balanced_accuracy",
    "batches",
    "count_trials",
    "gather_units",
    "joint_blocks",
    "split_trials",
]

Floats = NDArray[np.float64]

# Memory of one batch of permutations: at most this many labels (int8 to int64) at once.
_BATCH_LABELS = 2_000_000
# Scores are ratios of sums of whole numbers; equal ones may differ by rounding in float64.
TIE = 1e-12


@dataclass(frozen=True)
class TrialCounts:
    """Label and predictions of each trial.

    Attributes
    ----------
    subject : ndarray of int, shape (n_trials,)
        Number of the subject.
    label : ndarray of int, shape (n_trials,)
        Number of the true class.
    counts : ndarray, shape (n_trials, n_classes)
        How many predictions of the trial name each class.
    block : ndarray of int, shape (n_trials,), optional
        Number of the subject and session: labels are exchanged within it only. Sessions have base
        rates of their own. The subject, if not given.
    stimulus : ndarray of int, shape (n_trials,), optional
        Number of the stimulus; negative where it is not known, as it is if not given.
    """

    subject: NDArray[np.intp]
    label: NDArray[np.intp]
    counts: Floats
    block: NDArray[np.intp] | None = None
    stimulus: NDArray[np.intp] | None = None

    def __post_init__(self) -> None:
        n = len(self.label)
        if self.counts.ndim != 2 or len(self.counts) != n or len(self.subject) != n or n == 0:
            raise ResultError(
                f"Expected one subject, label and row of counts for each of one or more trials, "
                f"found {len(self.subject)}, {n} and {self.counts.shape}."
            )

    @property
    def blocks(self) -> NDArray[np.intp]:
        """The block of each trial, numbered from 0."""
        chosen = self.subject if self.block is None else self.block
        return np.unique(chosen, return_inverse=True)[1].astype(np.intp)

    @property
    def joint(self) -> NDArray[np.bool_]:
        """Which blocks share stimuli with others, have none twice, and know all; (n_blocks,)."""
        return joint_blocks(self.blocks, self.stimulus)

    @property
    def score(self) -> float:
        """The observed balanced accuracy."""
        return float(balanced_accuracy(self.label[np.newaxis], self.counts)[0])


def joint_blocks(blocks: NDArray[np.intp], stimulus: NDArray[np.intp] | None) -> NDArray[np.bool_]:
    """Return which blocks share stimuli with others, have none twice, and know all.

    Parameters
    ----------
    blocks : ndarray of int, shape (n_trials,)
        The block of each trial, numbered from 0.
    stimulus : ndarray of int, shape (n_trials,), or None
        Number of each trial's stimulus; negative where it is not known.

    Returns
    -------
    ndarray of bool, shape (n_blocks,)
        The labels of these blocks are permuted jointly, by stimulus.

    Examples
    --------
    >>> joint_blocks(np.array([0, 0, 1, 1, 2]), np.array([5, 6, 6, 5, 8])).tolist()
    [True, True, False]
    """
    found = np.zeros(blocks.max() + 1, dtype=bool)
    if stimulus is None:
        return found
    table = pd.DataFrame({"block": blocks, "stimulus": stimulus})
    unfit = (table["stimulus"] < 0) | table.duplicated(keep=False)
    table = table[~table["block"].isin(table.loc[unfit, "block"])]
    shared = table.duplicated("stimulus", keep=False)
    found[table.loc[shared, "block"]] = True
    return found


def count_trials(rows: pd.DataFrame) -> TrialCounts:
    """Count each trial's predicted classes.

    Parameters
    ----------
    rows : DataFrame
        Predictions per window, or per trial as `eegemo.evaluation.vote` makes them. A trial that
        was predicted in several folds or repeats is still one trial.

    Returns
    -------
    TrialCounts
        Trials sorted by subject, session and number.
    """
    return _trial_counts(*_count(rows, TRIAL_KEYS))


def split_trials(
    rows: pd.DataFrame, by: Literal["fold", "subject", "repeat"]
) -> Iterator[TrialCounts]:
    """Count the trials of each fold, subject or repeat separately, in sorted order."""
    if by == "repeat" and "repeat" not in rows.columns:
        rows = rows.assign(repeat=0)
    keys = [by, *(key for key in TRIAL_KEYS if key != by)]
    first, counts, label = _count(rows, keys)
    for index in first.groupby(by, sort=True, observed=True).indices.values():
        yield _trial_counts(first.iloc[index], counts[index], label[index])


def gather_units(
    trials: TrialCounts, unit: NDArray[np.intp], block: NDArray[np.intp]
) -> TrialCounts:
    """Return units of constant class in place of their trials, as if each were one trial.

    Parameters
    ----------
    trials : TrialCounts
    unit, block : ndarray of int, shape (n_trials,)
        The unit of each trial, and the block within which units are exchanged.

    Returns
    -------
    units : TrialCounts
        With the sums of the counts; the score stays the same where units have one class each.

    Examples
    --------
    >>> trials = TrialCounts(np.zeros(4, int), np.array([0, 0, 1, 1]), np.eye(2)[[0, 1, 1, 1]])
    >>> units = gather_units(trials, np.array([3, 3, 5, 5]), np.zeros(4, int))
    >>> units.counts.tolist(), units.score == trials.score
    ([[1.0, 1.0], [0.0, 2.0]], True)
    """
    _, first, number = np.unique(unit, return_index=True, return_inverse=True)
    counts = np.zeros((len(first), trials.counts.shape[1]))
    np.add.at(counts, number, trials.counts)
    return TrialCounts(trials.subject[first], trials.label[first], counts, block[first])


def _trial_counts(first: pd.DataFrame, counts: Floats, label: NDArray[np.intp]) -> TrialCounts:
    stimulus = pd.factorize(first["stimulus"], sort=True)[0]
    block = first.groupby(["subject", "session"], observed=True).ngroup().to_numpy()
    return TrialCounts(
        subject=pd.factorize(first["subject"])[0].astype(np.intp),
        label=label,
        counts=counts,
        block=block.astype(np.intp),
        stimulus=np.where(first["stimulus"] == "", -1, stimulus).astype(np.intp),
    )


def _count(rows: pd.DataFrame, keys: list[str]) -> tuple[pd.DataFrame, Floats, NDArray[np.intp]]:
    """Return the keys of each group of rows, its counts of predicted classes, and its class."""
    names = pd.Index(class_names(rows))
    n_classes = len(names)
    predicted = names.get_indexer(pd.Index(predicted_classes(rows)))
    groups = rows.groupby(keys, sort=True, observed=True)
    first = groups[["y_true", "stimulus"]].first().reset_index()
    cell = groups.ngroup().to_numpy() * n_classes + predicted
    counts = np.bincount(cell, minlength=len(first) * n_classes).reshape(len(first), n_classes)
    label = names.get_indexer(pd.Index(first["y_true"])).astype(np.intp)
    return first, counts.astype(np.float64), label


def balanced_accuracy(labels: NDArray[np.intp], counts: Floats, weights: Any = 1.0) -> Floats:
    """Score many labellings (or weightings) of the same trials jointly.

    Parameters
    ----------
    labels : ndarray of int, shape (1 or n_draws, n_trials)
        Numbers of classes.
    counts : ndarray, shape (n_trials, n_classes)
        How many of each trial's predictions name each class.
    weights : ndarray, shape (n_draws, n_trials), optional
        How often each trial is drawn.

    Returns
    -------
    ndarray, shape (n_draws,)
        Balanced accuracies: the mean recall of the classes that occur.

    Examples
    --------
    >>> balanced_accuracy(np.array([[0, 1], [1, 1]]), np.array([[3.0, 1.0], [0.0, 4.0]])).tolist()
    [0.875, 0.625]
    """
    total = counts.sum(axis=1)
    recalls, occurring = [], []
    for index in range(counts.shape[1]):
        chosen = (labels == index) * weights
        support = chosen @ total
        hits = chosen @ counts[:, index]
        recalls.append(np.divide(hits, support, out=np.zeros_like(support), where=support > 0))
        occurring.append(support > 0)
    scores: Floats = np.sum(recalls, axis=0) / np.maximum(np.sum(occurring, axis=0), 1)
    return scores


def batches(n_draws: int, n_trials: int) -> Iterator[tuple[int, int]]:
    """Divide draws into batches that fit into memory: (first, last) of each."""
    step = max(1, _BATCH_LABELS // max(n_trials, 1))
    for first in range(0, n_draws, step):
        yield first, min(first + step, n_draws)
