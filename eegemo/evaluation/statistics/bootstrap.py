"""Bootstrap intervals of a score: trials, or subjects and trials, are resampled, never windows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np

from eegemo.errors import ResultError
from eegemo.evaluation.statistics.permutation import STRETCH
from eegemo.evaluation.statistics.trials import TIE, Floats, TrialCounts, balanced_accuracy, batches

__all__ = ["bootstrap_interval", "paired_bootstrap", "unpaired_bootstrap"]

#: Of differences of scores.
_SPAN = (-1.0, 1.0)


def bootstrap_interval(
    trials: TrialCounts,
    *,
    resample: Literal["trials", "subjects"] = "trials",
    level: float = 0.95,
    n_draws: int = 4999,
    seed: int = 0,
    stretch: float = STRETCH,
) -> tuple[float, float] | None:
    """Compute an interval for balanced accuracy by resampling trials, or subjects and trials.

    Parameters
    ----------
    trials : TrialCounts
        As `count_trials` makes them.
    resample : {"trials", "subjects"}
        "trials" draws trials within each subject: other trials of these subjects. Where subjects
        share stimuli, these are other trials of the same stimuli, and the interval is too narrow
        for others: the trials of one stimulus are right or wrong together.
        "subjects" draws subjects, then trials within each: other participants, too. The scatter of
        trials enters twice, which makes this interval wide where subjects are alike.
    level : float
        Fraction of the draws inside the interval.
    n_draws : int
        Resamples.
    seed : int
        Seed of the draws.
    stretch : float
        How much further from the score the ends of the interval over trials are put: models that
        were trained on other trials answer differently, too, by as much again in variance
        (docs/statistics.md has the coverage with and without). Over subjects nothing is stretched.

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
    scores = [
        balanced_accuracy(trials.label[np.newaxis], trials.counts, weights)
        for weights in _resamples(trials, resample, n_draws, seed)
    ]
    found = _percentiles(scores, level)
    if found is None or resample == "subjects":
        return found
    return _stretched(found, trials.score, stretch, (0.0, 1.0))


def paired_bootstrap(
    first: TrialCounts,
    second: TrialCounts,
    *,
    resample: Literal["trials", "subjects"] = "trials",
    level: float = 0.95,
    n_draws: int = 4999,
    seed: int = 0,
    stretch: float = STRETCH,
) -> tuple[float, float] | None:
    """Compute an interval for the difference of two models' balanced accuracies.

    Each draw resamples the same trials for both models. What makes a trial or a subject easy for
    both cancels, so the interval is narrower than that of two separate scores.

    Parameters
    ----------
    first, second : TrialCounts
        Two models' predictions of the same trials in the same order.
    resample : {"trials", "subjects"}
        What is drawn, as in `bootstrap_interval`.
    level : float
        Fraction of the draws inside the interval.
    n_draws : int
        Resamples.
    seed : int
        Seed of the draws.
    stretch : float
        As in `bootstrap_interval`.

    Returns
    -------
    (low, high) : tuple of float, or None
        Percentile interval of second minus first (Efron & Tibshirani 1993, ch. 13; the pair is the
        unit drawn, ch. 8). The trained models are taken as given. With few trials or subjects it
        is too narrow. None over a single subject, or where every draw differs by the same, as
        for two models with the same answers.

    Raises
    ------
    ResultError
        The two are not of the same trials, with the same labels and classes.

    Examples
    --------
    >>> label = np.arange(40) % 2
    >>> good, poor = label.copy(), label.copy()
    >>> good[:4], poor[:16] = 1 - label[:4], 1 - label[:16]
    >>> first, second = (
    ...     TrialCounts(subject=np.zeros(40, int), label=label, counts=np.eye(2)[answer])
    ...     for answer in (poor, good)
    ... )
    >>> low, high = paired_bootstrap(first, second)
    >>> bool(0 < low < second.score - first.score < high)
    True
    """
    for name in ("subject", "label", "blocks"):
        if not np.array_equal(getattr(first, name), getattr(second, name)):
            raise ResultError(
                f"Two models can only be compared on the same trials in the same order; found "
                f"{len(first.label)} and {len(second.label)} trials that differ in their {name}."
            )
    if first.counts.shape != second.counts.shape:
        raise ResultError(
            f"Two models can only be compared on the same classes, found {first.counts.shape[1]} "
            f"and {second.counts.shape[1]}."
        )
    label = first.label[np.newaxis]
    differences = [
        balanced_accuracy(label, second.counts, weights)
        - balanced_accuracy(label, first.counts, weights)
        for weights in _resamples(first, resample, n_draws, seed)
    ]
    found = _percentiles(differences, level)
    if found is None or resample == "subjects":
        return found
    return _stretched(found, second.score - first.score, stretch, _SPAN)


def unpaired_bootstrap(
    first: TrialCounts,
    second: TrialCounts,
    *,
    level: float = 0.95,
    n_draws: int = 4999,
    seed: int = 0,
    stretch: float = STRETCH,
) -> tuple[float, float] | None:
    """Compute an interval for the difference of two scores on other trials.

    As `paired_bootstrap` over trials, but each score is resampled by itself, since the two have no
    trials in common that could cancel.

    Parameters
    ----------
    first, second : TrialCounts
    level, n_draws, seed, stretch
        As in `paired_bootstrap`.

    Returns
    -------
    (low, high) : tuple of float, or None
        Of second minus first.

    Examples
    --------
    >>> label = np.arange(40) % 2
    >>> first = TrialCounts(np.zeros(40, int), label, np.eye(2)[label ^ (np.arange(40) < 16)])
    >>> second = TrialCounts(np.zeros(20, int), label[:20], np.eye(2)[label[:20]])
    >>> low, high = unpaired_bootstrap(first, second)
    >>> bool(0 < low < second.score - first.score < high)
    True
    """
    draws = [
        np.concatenate(
            [
                balanced_accuracy(trials.label[np.newaxis], trials.counts, weights)
                for weights in _resamples(trials, "trials", n_draws, seed + number)
            ]
        )
        for number, trials in enumerate((first, second))
    ]
    found = _percentiles([draws[1] - draws[0]], level)
    return None if found is None else _stretched(found, second.score - first.score, stretch, _SPAN)


def _stretched(
    interval: tuple[float, float], centre: float, stretch: float, bounds: tuple[float, float]
) -> tuple[float, float]:
    """Move the ends of an interval away from its centre, as far as scores go."""
    low, high = (centre + stretch * (end - centre) for end in interval)
    return max(low, bounds[0]), min(high, bounds[1])


def _resamples(trials: TrialCounts, resample: str, n_draws: int, seed: int) -> Iterator[Floats]:
    """Yield how often each trial is drawn, (n_draws of a batch, n_trials); none for one subject."""
    if resample not in ("trials", "subjects"):
        raise ValueError(f"resample: expected 'trials' or 'subjects', found {resample!r}.")
    rng = np.random.default_rng(seed)
    blocks = [np.flatnonzero(trials.subject == who) for who in np.unique(trials.subject)]
    if resample == "subjects" and len(blocks) == 1:
        return
    for first, last in batches(n_draws, len(trials.label)):
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
        yield weights


def _percentiles(draws: list[Floats], level: float) -> tuple[float, float] | None:
    values = np.concatenate(draws) if draws else np.zeros(1)
    if np.ptp(values) < TIE:
        return None
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
