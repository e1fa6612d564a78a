"""Permutation test of a score: the labels of trials are permuted, never those of windows.

`Shuffling` is the scheme: `permutation_test` scores stored predictions against its draws, and
`shuffle_labels` returns one draw to train a model on, as an audit does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from eegemo.errors import ResultError
from eegemo.evaluation.statistics.trials import (
    TIE,
    Floats,
    TrialCounts,
    balanced_accuracy,
    batches,
    joint_blocks,
)

#: How much wider scores without an effect are than labels permuted against stored predictions.
STRETCH = 2**0.5

__all__ = ["STRETCH", "PermutationTest", "Shuffling", "permutation_test", "shuffle_labels"]


@dataclass(frozen=True)
class PermutationTest:
    """Outcome of `permutation_test`.

    Attributes
    ----------
    observed : float
        Balanced accuracy of the true labels.
    null : ndarray, shape (n_permutations,)
        Balanced accuracies of permuted labels, stretched; `interval` is their central 95 %.
    interval : tuple of float
    p_value : float
        One-sided: how likely permuted labels score at least as high.
    n_blocks, n_joint : int
        Within how many blocks labels were permuted, and how many of these jointly.
    """

    observed: float
    null: Floats
    interval: tuple[float, float]
    p_value: float
    n_blocks: int
    n_joint: int

    @property
    def effect(self) -> float:
        """The score minus the mean of its null: the gain over chance."""
        return self.observed - float(self.null.mean())

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
            "effect": self.effect,
            "effect_name": "balanced accuracy above the mean of permuted labels",
            "p_value": self.p_value,
            "n_blocks": self.n_blocks,
            "n_joint": self.n_joint,
            "n_permutations": len(self.null),
        }


class Shuffling:
    """The scheme by which labels are permuted; see `permutation_test` for why.

    Parameters
    ----------
    blocks : ndarray of int, shape (n_trials,)
        The block of each trial, numbered from 0.
    stimulus : ndarray of int, shape (n_trials,), or None
        Number of each trial's stimulus; negative where it is not known.

    Attributes
    ----------
    order : ndarray of int, shape (n_trials,)
        The trials sorted by block and stimulus; draws are positions in this order.
    joint : ndarray of bool, shape (n_blocks,)
        Which blocks are permuted alike.
    """

    def __init__(self, blocks: NDArray[np.intp], stimulus: NDArray[np.intp] | None) -> None:
        self.joint = joint_blocks(blocks, stimulus)
        stimulus = np.full(len(blocks), -1) if stimulus is None else stimulus
        # In this order, sorting "number of the block + a random key below 1" permutes every block
        # at once; blocks with the same keys for the same stimuli are permuted alike.
        self.order: NDArray[np.intp] = np.lexsort((stimulus, blocks))
        self._blocks = blocks[self.order]
        self._together = self.joint[self._blocks]
        codes, self._key_of = np.unique(stimulus[self.order][self._together], return_inverse=True)
        self._n_codes = len(codes)

    def draw(self, rng: np.random.Generator, n: int) -> NDArray[np.intp]:
        """Draw orders: ``values[order][draw(rng, n)]`` are ``values[order]`` permuted n times."""
        keys = rng.random((n, len(self.order)))
        common = rng.random((n, self._n_codes))
        keys[:, self._together] = common[:, self._key_of]
        permuted: NDArray[np.intp] = np.argsort(keys + self._blocks, axis=1)
        self._lend(permuted, np.argsort(common, axis=1), rng)
        return permuted

    def _lend(
        self, permuted: NDArray[np.intp], moves: NDArray[np.intp], rng: np.random.Generator
    ) -> None:
        """Give blocks that lack some of the common stimuli the labels of others for these.

        Stimulus s takes over the label of stimulus ``moves[s]``, in every block, so that the map
        from stimulus to class stays. A block that lacks that one takes over the label that a random
        other block gave it.
        """
        number = np.full(len(self.order), -1)
        number[self._together] = self._key_of
        everyone = [np.flatnonzero(number == code) for code in range(self._n_codes)]
        for block in np.flatnonzero(self.joint):
            places = np.flatnonzero(self._blocks == block)
            codes = number[places]
            if len(codes) == self._n_codes:
                continue
            place = np.full(self._n_codes, -1)
            place[codes] = places
            given = moves[:, codes]
            own = place[given]
            for code in np.setdiff1d(np.arange(self._n_codes), codes):
                lacking = given == code
                own[lacking] = rng.choice(everyone[code], size=int(lacking.sum()))
            permuted[:, places] = own


def permutation_test(
    trials: TrialCounts, *, n_permutations: int = 4999, seed: int = 0, stretch: float = STRETCH
) -> PermutationTest:
    """Compare balanced accuracy with its distribution under permuted trial labels.

    Labels are permuted within each subject and session (block). Under the null hypothesis a
    block's trials are exchangeable: which of them carries which label is unrelated to the
    predictions. Permuting keeps the class counts of each block and whatever the model predicts for
    it, so predicting each block's own majority class gains nothing. Windows follow their
    trial.

    Where subjects share stimuli, their labels depend on each other, and so do their signals;
    permuting each block by itself would call too much significant. One order of stimuli is then
    drawn for all blocks, and each stimulus takes over the labels of another, in every block; where
    a block lacks that one, it takes over the label that another block gave it. A block with a
    stimulus twice, or trials of unknown stimuli, is permuted by itself (`TrialCounts.joint`).

    The models are not trained again on permuted labels, so the test is approximate. A stored
    prediction was made from the labels of the other trials: every pair of trials counts twice in a
    cross-validated score, once with either of them in training, and permuting labels afterwards
    moves one of the two. The draws then have half the variance of the score without an effect,
    which `stretch` makes up for (docs/statistics.md has the false alarms of both). Where clips,
    recordings or copies of a test trial are in training no such test is right, nor with a leaking
    split: only training again is (`eegemo.evaluation.statistics.refitted`).

    Parameters
    ----------
    trials : TrialCounts
        As `count_trials` makes them.
    n_permutations : int
        Random draws. The smallest possible p-value is ``1 / (1 + n_permutations)``.
    seed : int
        Seed of the draws.
    stretch : float
        Factor by which the draws are moved away from their mean; 1 leaves them as they are.

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
    scheme = Shuffling(trials.blocks, trials.stimulus)
    label, counts = trials.label[scheme.order], trials.counts[scheme.order]
    null = np.empty(n_permutations)
    for first, last in batches(n_permutations, len(label)):
        null[first:last] = balanced_accuracy(label[scheme.draw(rng, last - first)], counts)
    null = null.mean() + stretch * (null - null.mean())
    observed = trials.score
    at_least = int((null >= observed - TIE).sum())
    low, high = np.quantile(null, [0.025, 0.975])
    return PermutationTest(
        observed=observed,
        null=null,
        interval=(float(low), float(high)),
        p_value=(1 + at_least) / (1 + n_permutations),
        n_blocks=len(scheme.joint),
        n_joint=int(scheme.joint.sum()),
    )


def shuffle_labels(
    labels: ArrayLike,
    blocks: ArrayLike | pd.DataFrame,
    stimuli: ArrayLike | None,
    rng: np.random.Generator,
) -> NDArray[np.intp]:
    """Draw permuted labels, by the scheme of `permutation_test`, to train a model on.

    Labels are exchanged within their block, and jointly by stimulus over blocks that share
    stimuli. So each block keeps its class counts, and labels of subjects who share stimuli stay as
    dependent on each other as they are.

    Parameters
    ----------
    labels : array-like of int, shape (n_trials,)
        Number of each trial's class. A trial without a class, with a number below 0, keeps it:
        it is not part of the experiment.
    blocks : array-like or DataFrame, shape (n_trials,) or (n_trials, n_columns)
        The block of each trial: its subject, or the columns subject and session.
    stimuli : array-like of int or str, shape (n_trials,), or None
        The stimulus of each trial. Unknown where empty, missing or below 0, or if None.
    rng : numpy.random.Generator
        Source of the draw.

    Returns
    -------
    ndarray of int, shape (n_trials,)
        The labels in their new positions.

    Raises
    ------
    ResultError
        Labels, blocks and stimuli differ in length, or labels are no whole numbers.

    Examples
    --------
    >>> trials = pd.DataFrame({"subject": ["s1"] * 4 + ["s2"] * 4, "session": "1",
    ...                        "stimulus": list("abcdbcda"), "code": [0, 1, 1, -1, 1, 0, 1, 0]})
    >>> codes = shuffle_labels(trials["code"], trials[["subject", "session"]], trials["stimulus"],
    ...                        np.random.default_rng(0))
    >>> codes[3], sorted(codes[:4].tolist()), sorted(codes[4:].tolist())
    (np.int64(-1), [-1, 0, 1, 1], [0, 0, 1, 1])
    """
    found = np.asarray(labels)
    if found.dtype.kind not in "iu":
        raise ResultError(f"Expected numbers of classes as labels, found type {found.dtype}.")
    new = found.astype(np.intp)
    table = pd.DataFrame(np.asarray(blocks)).reset_index(drop=True)
    known = _stimulus_numbers(stimuli, len(new))
    if new.ndim != 1 or len(table) != len(new) or len(known) != len(new):
        raise ResultError(
            f"Expected a label, block and stimulus for each trial, found {new.shape} labels, "
            f"{len(table)} blocks and {len(known)} stimuli."
        )
    part = np.flatnonzero(new >= 0)
    if part.size == 0:
        return new
    number = table.iloc[part].groupby(list(table.columns), dropna=False).ngroup().to_numpy()
    scheme = Shuffling(number.astype(np.intp), known[part])
    places = part[scheme.order]
    new[places] = new[places][scheme.draw(rng, 1)[0]]
    return new


def _stimulus_numbers(stimuli: ArrayLike | None, n_trials: int) -> NDArray[np.intp]:
    """Give each stimulus its number in sorted order, or -1 where it is not known."""
    if stimuli is None:
        return np.full(n_trials, -1, dtype=np.intp)
    names = pd.Series(np.asarray(stimuli))
    # factorize numbers what is missing -1
    unknown = names == "" if names.dtype.kind not in "iuf" else names < 0
    numbers = pd.factorize(names.mask(unknown), sort=True)[0]
    return numbers.astype(np.intp)
