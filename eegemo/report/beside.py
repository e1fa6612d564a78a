"""The model beside a simple one: logistic regression on band power, same folds, same windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import pandas as pd

from ..metrics import evaluate
from ..predictions import vote
from ..statistics import bootstrap_interval, count_trials, paired_bootstrap

__all__ = ["beside_baseline"]


def beside_baseline(
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
        `eegemo.statistics.assess`) and ``difference``: model minus baseline in balanced accuracy,
        its intervals over "trials" and "subjects" (`eegemo.statistics.paired_bootstrap`), and
        ``verdict``: "better" or "worse" if the interval over trials lies on one side of 0, else
        "open". Ready for JSON.
    """
    scores = evaluate(baseline, folds)["levels"]
    outcome: dict[str, Any] = {}
    tables = {"window": (predictions, baseline), "trial": (vote(predictions), vote(baseline))}
    kinds: tuple[Literal["trials", "subjects"], ...] = ("trials", "subjects")
    for level, (own, other) in tables.items():
        model, simple = count_trials(own), count_trials(other)
        alone = {kind: bootstrap_interval(simple, resample=kind) for kind in kinds}
        paired = {kind: paired_bootstrap(simple, model, resample=kind) for kind in kinds}
        difference = model.score - simple.score
        outcome[level] = {
            **{part: scores[level][part] for part in ("total", "folds", "subjects")},
            "bootstrap": {kind: _pair(interval) for kind, interval in alone.items()},
            "difference": {
                "balanced_accuracy": difference,
                **{kind: _pair(interval) for kind, interval in paired.items()},
                "verdict": _verdict(difference, paired["trials"]),
            },
        }
    return outcome


def _pair(interval: tuple[float, float] | None) -> list[float] | None:
    return None if interval is None else list(interval)


def _verdict(difference: float, interval: tuple[float, float] | None) -> str:
    low, high = interval or (0.0, 0.0)
    if low > 0:
        return "better"
    return "worse" if high < 0 and difference < 0 else "open"
