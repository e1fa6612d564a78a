"""Paired comparison of a model with the baseline on the same folds.

The baseline is logistic regression on band power.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import pandas as pd

from eegemo.evaluation.evaluate import evaluate
from eegemo.evaluation.predictions import vote
from eegemo.evaluation.statistics import (
    bootstrap_interval,
    corrected_resampled_t_test,
    count_trials,
    paired_bootstrap,
)

__all__ = ["LEVEL", "compare_with_baseline", "share_of_test"]

# The usual level; p and the interval are shown next to the words that rest on them.
LEVEL = 0.05


def compare_with_baseline(
    predictions: pd.DataFrame, baseline: pd.DataFrame, folds: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Score the baseline and its paired difference from the model.

    Parameters
    ----------
    predictions, baseline : DataFrame
        Both models' predictions of the same windows.
    folds : sequence of mappings
        The record of each fold.

    Returns
    -------
    dict
        For each level ("window", "trial"): ``total``, ``folds`` and ``subjects`` (scores of the
        baseline), ``bootstrap`` (its intervals of balanced accuracy, as in
        `eegemo.evaluation.assess.assess`) and ``difference``: model minus baseline in balanced
        accuracy, its intervals over "trials" and "subjects"
        (`eegemo.evaluation.statistics.paired_bootstrap`), ``p_value`` (corrected resampled t-test
        over folds) and ``verdict``: "better" or "worse" if the interval over trials lies on one
        side of 0 and p is at most 0.05, else "open". The interval alone takes the trained models
        as given, and would mistake seed variance for a difference. Ready for JSON.
    """
    scores = evaluate(baseline, folds)["levels"]
    model_scores = evaluate(predictions, folds)["levels"]
    test_share = share_of_test(folds)
    outcome: dict[str, Any] = {}
    tables = {"window": (predictions, baseline), "trial": (vote(predictions), vote(baseline))}
    kinds: tuple[Literal["trials", "subjects"], ...] = ("trials", "subjects")
    for level, (model_rows, baseline_rows) in tables.items():
        model, simple = count_trials(model_rows), count_trials(baseline_rows)
        alone = {kind: bootstrap_interval(simple, resample=kind) for kind in kinds}
        paired = {kind: paired_bootstrap(simple, model, resample=kind) for kind in kinds}
        difference = model.score - simple.score
        gaps = [
            model_fold["balanced_accuracy"] - baseline_fold["balanced_accuracy"]
            for model_fold, baseline_fold in zip(
                model_scores[level]["folds"], scores[level]["folds"], strict=True
            )
        ]
        p_value = corrected_resampled_t_test(gaps, test_share=test_share).p_value
        outcome[level] = {
            **{part: scores[level][part] for part in ("total", "folds", "subjects")},
            "bootstrap": {kind: _pair(interval) for kind, interval in alone.items()},
            "difference": {
                "balanced_accuracy": difference,
                **{kind: _pair(interval) for kind, interval in paired.items()},
                "p_value": p_value,
                "verdict": _verdict(difference, paired["trials"], p_value),
            },
        }
    return outcome


def _pair(interval: tuple[float, float] | None) -> list[float] | None:
    return None if interval is None else list(interval)


def share_of_test(folds: Sequence[Mapping[str, Any]]) -> float:
    """Return how much two folds have in common: test trials per trial that was not tested.

    Validation trials count as training: they decide when training stops. Where trials were not
    counted, windows are used instead. Where each subject has models of their own, only the folds of
    one subject share training data, so the mean is divided by the number of subjects: with five of
    them, the power for a difference of 0.08 rises from .06 to .55, at false alarms of .04 to .05.

    Examples
    --------
    >>> fold = {"n_windows": {"train": 60, "validation": 20, "test": 20}}
    >>> share_of_test([fold] * 5)
    0.25
    >>> own = [fold | {"train_windows_by_subject": {name: {}}} for name in "aabb"]
    >>> share_of_test(own)
    0.125
    """
    ratios = []
    for fold in folds:
        trials = fold.get("trials") or {}
        n = {
            role: sum(trials[role].values()) if role in trials else fold["n_windows"][role]
            for role in ("train", "validation", "test")
        }
        ratios.append(n["test"] / max(n["train"] + n["validation"], 1))
    trained = [tuple(fold.get("train_windows_by_subject") or ()) for fold in folds]
    n_subjects = len(set(trained)) if all(len(names) == 1 for names in trained) else 1
    return float(sum(ratios) / len(ratios)) / n_subjects


def _verdict(difference: float, interval: tuple[float, float] | None, p_value: float | None) -> str:
    low, high = interval or (0.0, 0.0)
    if p_value is None or p_value > LEVEL:
        return "open"
    if low > 0 and difference > 0:
        return "better"
    return "worse" if high < 0 and difference < 0 else "open"
