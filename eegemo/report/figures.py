"""The figures of a report, by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from eegemo.evaluation import LEVELS
from eegemo.pages import figures
from eegemo.results import Result


def draw(result: Result) -> Iterator[tuple[str, Figure]]:
    """Draw the figures of a report one at a time, to save memory."""
    levels, classes = result.assessment.levels, result.classes
    window = levels["window"]
    titles = {"window": "Windows", "trial": trial_level(result).capitalize()}
    yield (
        "confusion",
        figures.confusion_matrices(
            {titles[name]: levels[name]["total"]["confusion"] for name in LEVELS}, classes
        ),
    )
    for name in LEVELS if len(window["folds"]) > 1 else ():
        yield (
            f"confusion_folds_{name}s",
            figures.fold_confusions(
                [scores["confusion"] for scores in levels[name]["folds"]],
                [scores["name"] for scores in window["folds"]],
                classes,
            ),
        )
    yield (
        "classes",
        figures.class_scores(
            {titles[name].lower(): levels[name]["total"]["per_class"] for name in LEVELS}, classes
        ),
    )
    yield (
        "null",
        figures.null_distributions(
            {
                titles[name]: (
                    levels[name]["total"]["balanced_accuracy"],
                    _null_scores(result, name),
                )
                for name in LEVELS
            }
        ),
    )
    yield "subjects", _subjects(result)
    total, label = window["total"]["balanced_accuracy"], "balanced accuracy (windows)"
    if result.n_repeats > 1:
        parts = {
            unit: [scores["balanced_accuracy"] for scores in window[unit]]
            for unit in ("folds", "subjects", "repeats")
        }
        spread = window["spread"]
        yield "spread", figures.score_spread(parts, spread, total=total, label=label)
    yield (
        "folds",
        figures.score_dots(
            [scores["name"] for scores in window["folds"]],
            [scores["balanced_accuracy"] for scores in window["folds"]],
            unit="fold",
            nulls=_nulls(window["significance"]["folds"]),
            total=total,
            label=label,
        ),
    )
    yield from _probabilities(result)
    if max(map(len, result.histories)) > 1:
        best = [int(fold["best_epoch"]) for fold in result.records]
        yield "curves", figures.learning_curves(result.histories, best)
    yield "counts", figures.class_counts(result.provenance["labels"]["by_subject"], classes)


def _null_scores(result: Result, level: str) -> np.ndarray:
    """Return the scores of refits, or without any those of stored predictions."""
    scores = result.known.refit_scores(level)
    return np.array(scores) if scores else result.assessment.nulls[level]


def _nulls(tests: Sequence[Mapping[str, Any]]) -> list[list[float]]:
    return [[test[f"null_{what}"] for what in ("q05", "mean", "q95")] for test in tests]


def _subjects(result: Result) -> Figure:
    levels = result.assessment.levels
    window, trial = levels["window"], levels["trial"]
    scores = {
        title: {
            "windows": [scored[key] for scored in window["subjects"]],
            "trials": [scored[key] for scored in trial["subjects"]],
            "majority": [scored[f"majority_{key}"] for scored in window["subjects"]],
        }
        for key, title in (("balanced_accuracy", "balanced accuracy"), ("accuracy", "accuracy"))
    }
    scores["accuracy"]["hindsight"] = [scored["commonest_share"] for scored in window["subjects"]]
    return figures.subject_scores(
        [scored["subject"] for scored in window["subjects"]],
        scores,
        nulls=_nulls(window["significance"]["subjects"]),
        decodable=[row["decodable"] for row in result.assessment.metrics["decodable"]["window"]],
    )


def _probabilities(result: Result) -> Iterator[tuple[str, Figure]]:
    levels = result.assessment.calibration["levels"]
    stages = {"As predicted": levels["window"]["as_predicted"]}
    if levels["window"]["after_temperature"] is not None:
        stages["After temperature scaling"] = levels["window"]["after_temperature"]
    chance = 1 / len(result.classes)
    titles = {
        f"{title}: calibration error {stage['ece']:.2f}": stage["bins"]["width"]
        for title, stage in stages.items()
    }
    yield "reliability", figures.reliability_diagram(titles, chance=chance)
    curves = {
        "Windows": {title.lower(): stage["coverage"] for title, stage in stages.items()},
        trial_level(result).capitalize(): {
            "as predicted": levels["trial"]["as_predicted"]["coverage"]
        },
    }
    majority = {
        title: result.assessment.levels[level]["baselines"]["majority"]["accuracy"]
        for title, level in zip(curves, LEVELS, strict=True)
    }
    yield "coverage", figures.coverage_curves(curves, chance=chance, majority=majority)


def trial_level(result: Result) -> str:
    """Name the trial level: a divided trial is predicted in every fold that tests part of it."""
    return "trials per fold" if result.leaks else "trials"
