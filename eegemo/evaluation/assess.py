"""Everything derived from tables of predictions: scores, tests, calibration, the baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd

from eegemo.evaluation.baseline import compare_with_baseline
from eegemo.evaluation.design import Known, read_known
from eegemo.evaluation.evaluate import LEVELS, evaluate
from eegemo.evaluation.predictions import class_names, vote
from eegemo.evaluation.probabilities import describe_calibration
from eegemo.evaluation.statistics import (
    bootstrap_interval,
    count_trials,
    permutation_test,
    split_trials,
    spread_of,
)
from eegemo.evaluation.statistics.refitted import RefittedNull
from eegemo.evaluation.statistics.trials import Floats
from eegemo.evaluation.subjects import decodable_subjects
from eegemo.evaluation.verdict import judge, people_p_value

__all__ = ["Assessment", "assess", "assess_predictions"]


@dataclass(frozen=True)
class Assessment:
    """The assessment of tables of predictions; each number is computed when first used.

    Attributes
    ----------
    predictions : DataFrame
        One row per test window.
    folds : tuple of mapping
        The record of each fold.
    validation : DataFrame or None
        One row per validation window of each fold, predicted by its model.
    baseline : DataFrame or None
        Predictions of the same test windows by the baseline.
    known : Known or None
        What the run knew of its design, and the scores of its refits.
    """

    predictions: pd.DataFrame
    folds: tuple[Mapping[str, Any], ...]
    validation: pd.DataFrame | None = None
    baseline: pd.DataFrame | None = None
    known: Known | None = None

    @cached_property
    def known_design(self) -> Known:
        """The design, as the run knew it, or as far as the predictions tell."""
        return self.known or read_known(self.predictions, self.folds)

    @cached_property
    def classes(self) -> list[str]:
        """The classes, in order."""
        return class_names(self.predictions)

    @cached_property
    def trials(self) -> pd.DataFrame:
        """The trial-level predictions, one row per fold and trial."""
        return vote(self.predictions)

    @cached_property
    def _tested(self) -> tuple[dict[str, Any], dict[str, Floats]]:
        metrics = evaluate(self.predictions, self.folds)
        nulls: dict[str, Floats] = {}
        known = self.known_design
        for level, rows in zip(LEVELS, (self.predictions, self.trials), strict=True):
            metrics["levels"][level]["significance"], nulls[level] = assess(
                rows, n_group=_draws_per_subject(metrics["n_subjects"]), known=known
            )
            metrics["levels"][level]["spread"] = spread_of(rows)
            metrics["levels"][level]["verdict"] = _judge(metrics["levels"][level], level, known)
        metrics["design"] = dict(known.design)
        metrics["verdict"] = metrics["levels"]["window"]["verdict"]
        metrics["decodable"] = decodable_subjects(metrics)
        return metrics, nulls

    @property
    def metrics(self) -> dict[str, Any]:
        """All of `eegemo.evaluation.evaluate`; each level also has ``significance`` and ``spread``.

        ``decodable`` says for each subject whether its score is above chance after correction.
        """
        return self._tested[0]

    @property
    def levels(self) -> dict[str, Any]:
        """The entries of `metrics` for the levels "window" and "trial"."""
        levels: dict[str, Any] = self.metrics["levels"]
        return levels

    @property
    def refitted(self) -> dict[str, Any] | None:
        """What refits say of windows, as `RefittedNull.as_dict`; None without refits."""
        null = _refitted(self.levels["window"], "window", self.known_design)
        return None if null is None else null.as_dict()

    @property
    def nulls(self) -> dict[str, Floats]:
        """Balanced accuracies of permuted labels, by level."""
        return self._tested[1]

    @cached_property
    def calibration(self) -> dict[str, Any]:
        """The calibration, as `eegemo.evaluation.probabilities.describe_calibration` gives it."""
        return describe_calibration(self.predictions, self.trials, self.validation, self.folds)

    @cached_property
    def baseline_comparison(self) -> dict[str, Any] | None:
        """The scores of the baseline on the same folds, and the paired difference."""
        if self.baseline is None:
            return None
        return compare_with_baseline(self.predictions, self.baseline, self.folds)


def _judge(level: Mapping[str, Any], name: str, known: Known) -> dict[str, Any]:
    """Judge the score of one level of predictions."""
    refitted = _refitted(level, name, known)
    chance = 1 / len(level["total"]["per_class"])
    people = [part["balanced_accuracy"] for part in level["subjects"]]
    return judge(
        known.design,
        observed=float(level["total"]["balanced_accuracy"]),
        stored=level["significance"]["permutation"],
        refitted=refitted,
        shared=known.shared,
        leaks=known.leaks,
        people_p=people_p_value(people, chance),
    ).as_dict()


def _refitted(level: Mapping[str, Any], name: str, known: Known) -> RefittedNull | None:
    scores = known.refit_scores(name)
    if not scores:
        return None
    observed = float(level["total"]["balanced_accuracy"])
    return RefittedNull(observed, scores, float(known.design["smallest_p"]), known.stopped)


def _draws_per_subject(n_subjects: int) -> int:
    """Return enough draws for a smallest p-value below 0.05 after Holm's correction."""
    return max(999, 50 * n_subjects - 1)


def assess_predictions(
    predictions: pd.DataFrame,
    folds: Sequence[Mapping[str, Any]],
    validation: pd.DataFrame | None = None,
    baseline: pd.DataFrame | None = None,
    *,
    known: Known | None = None,
) -> Assessment:
    """Assess tables of predictions from any source.

    Parameters
    ----------
    predictions : DataFrame
        One row per test window, as `eegemo.evaluation.make_predictions` gives them.
    folds : sequence of mappings
        Of each fold, as in ``fold.json``: ``fold`` (its number in the predictions), ``name``,
        ``windows["train"]`` (training windows of each class) and, where known,
        ``train_windows_by_subject``; ``n_windows`` of each set if there is a baseline.
    validation : DataFrame, optional
        One row per validation window of each fold, predicted by its model.
    baseline : DataFrame, optional
        Predictions of the same test windows by the baseline.
    known : Known, optional
        What is known of the design beyond the predictions.

    Returns
    -------
    assessment : Assessment

    Examples
    --------
    >>> import numpy as np
    >>> from eegemo.evaluation import make_predictions
    >>> true = np.repeat(["calm", "tense"], 20)
    >>> table = make_predictions(
    ...     fold=0,
    ...     subject=["s01"] * 40,
    ...     session=["1"] * 40,
    ...     trial=np.arange(40),
    ...     stimulus=[""] * 40,
    ...     start=np.zeros(40),
    ...     y_true=true,
    ...     probabilities=np.where((true == "calm")[:, None], [0.8, 0.2], [0.3, 0.7]),
    ...     classes=["calm", "tense"],
    ... )
    >>> fold = {"fold": 0, "name": "1", "windows": {"train": {"calm": 30, "tense": 30}}}
    >>> assess_predictions(table, [fold]).levels["window"]["total"]["accuracy"]
    1.0
    """
    return Assessment(predictions, tuple(folds), validation, baseline, known)


def assess(
    rows: pd.DataFrame,
    *,
    n_permutations: int = 4999,
    n_group: int = 999,
    seed: int = 0,
    known: Known | None = None,
) -> tuple[dict[str, Any], Floats]:
    """Run all tests on one level of predictions: in total, per fold and per subject.

    Parameters
    ----------
    rows : DataFrame
        Predictions per window, or per trial. Repeats of a trial are added up: they
        are further predictions of the same trial, not further trials.
    n_permutations, n_group : int
        Draws for the total (and for the bootstrap), and for each fold and subject.
    seed : int
        Seed of all draws.
    known : Known, optional
        The design: whose labels are exchanged in the total. Trials, if not given.

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
    units = trials if known is None else known.units_of(trials, rows)
    total = permutation_test(units, n_permutations=n_permutations, seed=seed)
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
