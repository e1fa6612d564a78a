"""All tests of one level of predictions at once: in total, per fold and per subject."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd

from eegemo.evaluation.statistics import (
    bootstrap_interval,
    count_trials,
    permutation_test,
    split_trials,
)
from eegemo.evaluation.statistics.trials import Floats

__all__ = ["assess"]


def assess(
    rows: pd.DataFrame, *, n_permutations: int = 4999, n_group: int = 999, seed: int = 0
) -> tuple[dict[str, Any], Floats]:
    """Run the tests above on one level of predictions: in total, per fold and per subject.

    Parameters
    ----------
    rows : DataFrame
        Predictions per window, or per trial. Several repeats of a trial are added up: they
        are further predictions of the same trial, not further trials.
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
