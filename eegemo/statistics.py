"""Is a score better than chance, and how sure is it? Whole trials are shuffled, never windows.

Windows of one trial look alike and share one label, so they are not independent: a binomial
interval over windows is several times too narrow. Everything here moves whole trials. What matters
of a trial is its label and how often each class was predicted in it, so the cost does not grow with
the number of windows.

These are statements about *stored* predictions: nothing is trained again, so what another training
set or seed would change is not in them, and a leaking split keeps its score and a small p-value.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .errors import ResultError
from .predictions import TRIAL_KEYS, class_names, predicted_classes

__all__ = [
    "PermutationTest",
    "TrialCounts",
    "assess",
    "bootstrap_interval",
    "count_trials",
    "permutation_test",
    "split_trials",
]

Floats = NDArray[np.float64]

# Memory of one batch of permutations: at most this many labels (int8 to int64) at once.
_BATCH_LABELS = 2_000_000
# Scores are ratios of sums of whole numbers; equal ones may differ by rounding in float64.
_TIE = 1e-12


@dataclass(frozen=True)
class TrialCounts:
    """What the tests need to know of each trial.

    Attributes
    ----------
    subject : ndarray of int, shape (n_trials,)
        Number of the subject.
    label : ndarray of int, shape (n_trials,)
        Number of the true class.
    counts : ndarray, shape (n_trials, n_classes)
        How many of the trial's predictions name each class.
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
        blocks = self.blocks
        found = np.zeros(blocks.max() + 1, dtype=bool)
        if self.stimulus is None:
            return found
        table = pd.DataFrame({"block": blocks, "stimulus": self.stimulus})
        unfit = (table["stimulus"] < 0) | table.duplicated(keep=False)
        table = table[~table["block"].isin(table.loc[unfit, "block"])]
        shared = table.duplicated("stimulus", keep=False)
        found[table.loc[shared, "block"]] = True
        return found

    @property
    def score(self) -> float:
        """The observed balanced accuracy."""
        return float(_balanced_accuracy(self.label[np.newaxis], self.counts)[0])


@dataclass(frozen=True)
class PermutationTest:
    """Outcome of `permutation_test`.

    Attributes
    ----------
    observed : float
        Balanced accuracy of the true labels.
    null : ndarray, shape (n_permutations,)
        Balanced accuracies of shuffled labels; `interval` is their central 95 %.
    interval : tuple of float
    p_value : float
        One-sided: how likely shuffled labels score at least as high.
    n_blocks, n_joint : int
        Within how many blocks labels were shuffled, and how many of these jointly.
    """

    observed: float
    null: Floats
    interval: tuple[float, float]
    p_value: float
    n_blocks: int
    n_joint: int

    def as_dict(self) -> dict[str, Any]:
        """Return everything but the single draws, ready for JSON."""
        low, high = np.quantile(self.null, [0.05, 0.95])
        return {
            "observed": self.observed,
            "null_mean": float(self.null.mean()),
            "null_sd": float(self.null.std()),
            "null_interval": list(self.interval),
            "null_q05": float(low),
            "null_q95": float(high),
            "p_value": self.p_value,
            "n_blocks": self.n_blocks,
            "n_joint": self.n_joint,
            "n_permutations": len(self.null),
        }


def count_trials(rows: pd.DataFrame) -> TrialCounts:
    """Count each trial's predicted classes.

    Parameters
    ----------
    rows : DataFrame
        Predictions per window, or per trial as `eegemo.predictions.vote` makes them. A trial that
        was predicted in several folds is still one trial.

    Returns
    -------
    TrialCounts
        Trials sorted by subject, session and number.
    """
    return _trial_counts(*_count(rows, TRIAL_KEYS))


def split_trials(rows: pd.DataFrame, by: Literal["fold", "subject"]) -> Iterator[TrialCounts]:
    """Count trials apart for each fold or each subject, in sorted order."""
    keys = [by, *(key for key in TRIAL_KEYS if key != by)]
    first, counts, label = _count(rows, keys)
    for index in first.groupby(by, sort=True, observed=True).indices.values():
        yield _trial_counts(first.iloc[index], counts[index], label[index])


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


def _balanced_accuracy(labels: NDArray[np.intp], counts: Floats, weights: Any = 1.0) -> Floats:
    """Score many labellings (or weightings) of the same trials at once.

    Labels (1 or n_draws, n_trials), counts (n_trials, n_classes), and weights (n_draws, n_trials),
    how often each trial is drawn, give (n_draws,): the mean recall of the classes that occur.
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


def permutation_test(
    trials: TrialCounts, *, n_permutations: int = 4999, seed: int = 0
) -> PermutationTest:
    """Compare balanced accuracy with what it is when trial labels are shuffled.

    Labels are shuffled within each subject and session (block). Under the null hypothesis a
    block's trials are exchangeable: which of them carries which label says nothing about the
    predictions. Shuffling keeps the class counts of each block and whatever the model predicts for
    it, so answering with each block's own commonest class gains nothing. Windows follow their
    trial.

    Where subjects share stimuli, their labels depend on each other, and so do their signals;
    shuffling each block by itself would call too much significant. One order of stimuli is then
    drawn for all blocks, and each block's labels are put into it: the same permutation wherever
    blocks are complete. A block with a stimulus twice, or trials of unknown stimuli, is shuffled
    by itself (`TrialCounts.joint`).

    The models are not trained again on shuffled labels. A leaking split keeps its inflated score
    and its small p-value. Holding trials out makes training counts lean away from test labels, so
    that a model without signal tends to score below these draws; p is then cautious. Slow drift
    of the signals together with labels in blocks makes p small as well.

    Parameters
    ----------
    trials : TrialCounts
        As `count_trials` makes them.
    n_permutations : int
        Random draws. The smallest possible p-value is ``1 / (1 + n_permutations)``.
    seed : int
        Of the draws.

    Returns
    -------
    PermutationTest
        The p-value is ``(1 + b) / (1 + m)``, with ``b`` of ``m`` draws scoring at least as high as
        observed: it counts the observed labelling itself, so it is never zero and valid at every
        level (Phipson & Smyth 2010, "Permutation p-values should never be zero", Stat. Appl.
        Genet. Mol. Biol. 9(1):39). On permuting labels to test classifiers: Ojala & Garriga 2010,
        JMLR 11:1833-1863; within blocks: Good 2005, "Permutation, parametric and bootstrap tests".

    Examples
    --------
    >>> trials = TrialCounts(subject=np.zeros(8, int), label=np.arange(8) % 2,
    ...                      counts=np.eye(2)[np.arange(8) % 2])
    >>> outcome = permutation_test(trials, n_permutations=999)
    >>> outcome.observed, outcome.p_value < 0.05
    (1.0, True)
    """
    rng = np.random.default_rng(seed)
    blocks, joint = trials.blocks, trials.joint
    stimulus = np.full(len(blocks), -1) if trials.stimulus is None else trials.stimulus
    # In this order, sorting "number of the block + a random key below 1" shuffles every block at
    # once; blocks with the same keys for the same stimuli are shuffled alike.
    order = np.lexsort((stimulus, blocks))
    together = joint[blocks[order]]
    codes, key_of = np.unique(stimulus[order][together], return_inverse=True)
    null = np.empty(n_permutations)
    for first, last in _batches(n_permutations, len(order)):
        keys = rng.random((last - first, len(order)))
        keys[:, together] = rng.random((last - first, len(codes)))[:, key_of]
        shuffled = np.argsort(keys + blocks[order], axis=1)
        null[first:last] = _balanced_accuracy(trials.label[order][shuffled], trials.counts[order])
    observed = trials.score
    at_least = int((null >= observed - _TIE).sum())
    low, high = np.quantile(null, [0.025, 0.975])
    return PermutationTest(
        observed=observed,
        null=null,
        interval=(float(low), float(high)),
        p_value=(1 + at_least) / (1 + n_permutations),
        n_blocks=len(joint),
        n_joint=int(joint.sum()),
    )


def bootstrap_interval(
    trials: TrialCounts,
    *,
    resample: Literal["trials", "subjects"] = "trials",
    level: float = 0.95,
    n_draws: int = 4999,
    seed: int = 0,
) -> tuple[float, float] | None:
    """Compute an interval for balanced accuracy by resampling trials, or subjects and trials.

    Parameters
    ----------
    trials : TrialCounts
        As `count_trials` makes them.
    resample : {"trials", "subjects"}
        "trials" draws trials within each subject: other trials of these subjects.
        "subjects" draws subjects, then trials within each: other people, too.
    level : float
        Share of the draws inside the interval.
    n_draws : int
        Resamples.
    seed : int
        Of the draws.

    Returns
    -------
    (low, high) : tuple of float, or None
        Percentile interval (Efron & Tibshirani 1993, "An introduction to the bootstrap", ch. 13;
        two stages: Davison & Hinkley 1997, "Bootstrap methods and their application", sec. 3.8).
        The trained models are taken as given. With few trials or subjects it is too narrow. None
        over a single subject, or where every draw scores the same, as without a single error.

    Examples
    --------
    >>> trials = TrialCounts(subject=np.zeros(8, int), label=np.arange(8) % 2,
    ...                      counts=np.eye(2)[[0, 1, 0, 1, 0, 1, 1, 0]])
    >>> low, high = bootstrap_interval(trials)
    >>> low < trials.score < high
    True
    """
    if resample not in ("trials", "subjects"):
        raise ValueError(f"resample: expected 'trials' or 'subjects', found {resample!r}.")
    rng = np.random.default_rng(seed)
    blocks = [np.flatnonzero(trials.subject == one) for one in np.unique(trials.subject)]
    if resample == "subjects" and len(blocks) == 1:
        return None
    scores = np.empty(n_draws)
    for first, last in _batches(n_draws, len(trials.label)):
        size = last - first
        times = np.ones((size, len(blocks)), dtype=np.int64)
        if resample == "subjects":
            times = rng.multinomial(len(blocks), [1 / len(blocks)] * len(blocks), size=size)
        weights = np.zeros((size, len(trials.label)))
        for index, block in enumerate(blocks):
            # a subject drawn r times gives r resamples; their sum is one draw of r times the size
            weights[:, block] = rng.multinomial(
                times[:, index] * len(block), [1 / len(block)] * len(block)
            )
        scores[first:last] = _balanced_accuracy(trials.label[np.newaxis], trials.counts, weights)
    if np.ptp(scores) < _TIE:
        return None
    low, high = np.quantile(scores, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def assess(
    rows: pd.DataFrame, *, n_permutations: int = 4999, n_group: int = 999, seed: int = 0
) -> tuple[dict[str, Any], Floats]:
    """Run the tests above on one level of predictions: in total, per fold and per subject.

    Parameters
    ----------
    rows : DataFrame
        Predictions per window, or per trial.
    n_permutations, n_group : int
        Draws for the total (and for the bootstrap), and for each fold and subject.
    seed : int
        Of all draws.

    Returns
    -------
    outcome : dict
        ``permutation`` (see `PermutationTest`; null_q05 and null_q95 are percentiles of the
        draws), ``bootstrap`` (intervals "trials" and "subjects", or None), ``folds`` and
        ``subjects``: the permutation outcome within each, in sorted order, and ``over_folds`` and
        ``over_subjects``: the mean of their null_mean. The p-values of single folds and subjects
        are not corrected for their number. Ready for JSON.
    null : ndarray, shape (n_permutations,)
        The draws of the total.
    """
    trials = count_trials(rows)
    total = permutation_test(trials, n_permutations=n_permutations, seed=seed)
    outcome: dict[str, Any] = {"permutation": total.as_dict(), "bootstrap": {}, "seed": seed}
    kinds: tuple[Literal["trials", "subjects"], ...] = ("trials", "subjects")
    for kind in kinds:
        interval = bootstrap_interval(trials, resample=kind, n_draws=n_permutations, seed=seed)
        outcome["bootstrap"][kind] = None if interval is None else list(interval)
    groups: tuple[Literal["fold", "subject"], ...] = ("fold", "subject")
    for unit in groups:
        outcome[f"{unit}s"] = [
            permutation_test(part, n_permutations=n_group, seed=seed).as_dict()
            for part in split_trials(rows, unit)
        ]
        means = [part["null_mean"] for part in outcome[f"{unit}s"]]
        outcome[f"over_{unit}s"] = {"n": len(means), "null_mean": float(np.mean(means))}
    return outcome, total.null


def _batches(n_draws: int, n_trials: int) -> Iterator[tuple[int, int]]:
    step = max(1, _BATCH_LABELS // max(n_trials, 1))
    for first in range(0, n_draws, step):
        yield first, min(first + step, n_draws)
