"""The tables of a comparison: all numbers of its page, as CSV files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from eegemo.comparison.classes import confusion_difference
from eegemo.comparison.contents import Comparison
from eegemo.comparison.paired import KEYS, Unit, difference
from eegemo.comparison.rule import judge
from eegemo.evaluation import LEVELS
from eegemo.report.page import SCORES
from eegemo.report.tables import summary

Rows = list[dict[str, Any]]

_UNITS: dict[str, Unit | None] = {"folds": "fold", "subjects": "subject", "trials": None}


def make_tables(comparison: Comparison) -> dict[str, pd.DataFrame]:
    """Return every table of a comparison, by name.

    Parameters
    ----------
    comparison : Comparison
        The comparison.

    Returns
    -------
    dict of str to DataFrame
        ``scores`` (total, and mean, SD and range over folds, subjects and repeats), ``intervals``
        (of each result's balanced accuracy, and its p-value against permuted labels), ``spread``
        (of balanced accuracy over folds, subjects and repeats, with explanations), ``folds``,
        ``subjects``, ``repeats``, ``classes``, ``costs``, ``differences`` (of each fold and
        subject from the first result), ``class_differences``, ``confusion_differences``; if the
        split does not leak, ``pairs`` (verdict, difference, intervals, probabilities), ``tests``
        (each test of each pair) and, of three results or more, ``several``.
    """
    rows: dict[str, Rows] = {
        name: []
        for name in ("scores", "intervals", "folds", "subjects", "repeats", "classes", "spread")
    }
    for name, result in comparison.results.items():
        for level in LEVELS:
            scored = result.assessment.levels[level]
            head = {"result": name, "level": level}
            rows["scores"] += _scores(scored, head)
            rows["intervals"] += _intervals(scored["significance"], head)
            for unit in KEYS:
                rows[f"{unit}s"] += [
                    {**head, unit: str(part[KEYS[unit]]), **summary(part)}
                    for part in scored[f"{unit}s"]
                ]
            rows["repeats"] += [
                {**head, "repeat": part["repeat"], **summary(part)} for part in scored["repeats"]
            ]
            for over, spread in scored["spread"].items():
                low, high = spread["interval"] or (np.nan, np.nan)
                numbers = {key: spread[key] for key in ("n", "mean", "sd", "min", "max", "what")}
                rows["spread"].append({**head, "over": over, **numbers, "low": low, "high": high})
            for label, scores in scored["total"]["per_class"].items():
                rows["classes"].append({**head, "class": label, **scores})
    frames = {name: pd.DataFrame(entries) for name, entries in rows.items()}
    frames["costs"] = pd.DataFrame([{"result": n, **c} for n, c in comparison.costs.items()])
    frames["differences"] = pd.DataFrame(list(_differences(comparison)))
    first, *others = comparison.results
    frames["class_differences"] = pd.concat(
        [
            comparison.class_differences[other].assign(first_result=first, second_result=other)
            for other in others
        ],
        ignore_index=True,
    )
    frames["confusion_differences"] = pd.DataFrame(list(_confusions(comparison)))
    if comparison.pairs:
        frames["pairs"] = pd.DataFrame(list(_pairs(comparison)))
        frames["tests"] = pd.DataFrame(list(_tests(comparison)))
    if comparison.several is not None:
        unit, test = comparison.several
        record = test.as_dict()
        ranks = dict(zip(comparison.results, record.pop("mean_ranks"), strict=True))
        frames["several"] = pd.DataFrame(
            [
                {"result": name, "mean_rank": rank, "unit": unit, **record}
                for name, rank in ranks.items()
            ]
        )
    return frames


def _scores(level: dict[str, Any], head: dict[str, str]) -> Iterator[dict[str, Any]]:
    yield {**head, "what": "total", **summary(level["total"])}
    for unit in ("fold", "subject", "repeat"):
        spread = level[f"over_{unit}s"]
        for part in ("mean", "sd", "min", "median", "max"):
            values = {score: spread[score][part] for score in SCORES}
            yield {**head, "what": f"{part} {spread['over']}", "n": spread["n"], **values}
        if unit in KEYS:
            null = {"balanced_accuracy": level["significance"][f"over_{unit}s"]["null_mean"]}
            what = f"mean {spread['over']}, shuffled labels"
            yield {**head, "what": what, "n": spread["n"], **null}
    majority = {score: level["baselines"]["majority"][score] for score in SCORES}
    yield {**head, "what": "commonest class", "n": level["total"]["n"], **majority}
    chance = {score: level["baselines"]["chance"][score] for score in SCORES}
    yield {**head, "what": "chance", "n": level["total"]["n"], **chance}


def _intervals(significance: dict[str, Any], head: dict[str, str]) -> Iterator[dict[str, Any]]:
    test = significance["permutation"]
    for kind, interval in significance["bootstrap"].items():
        low, high = interval or (np.nan, np.nan)
        yield {
            **head, "balanced_accuracy": test["observed"], "resampled": kind, "low": low,
            "high": high, "p_shuffled": test["p_value"], "null_mean": test["null_mean"],
            "null_q05": test["null_q05"], "null_q95": test["null_q95"],
        }  # fmt: skip


def _differences(comparison: Comparison) -> Iterator[dict[str, Any]]:
    first, *others = comparison.results
    for other in others:
        for level in LEVELS:
            for unit in KEYS:
                part = difference(
                    comparison.first, comparison.results[other], unit=unit, level=level
                )
                for name, first_score, second_score, gap in zip(
                    part["names"], part["first"], part["second"], part["difference"], strict=True
                ):
                    yield {
                        "first": first, "second": other, "level": level, "unit": unit,
                        "name": name, "first_score": first_score, "second_score": second_score,
                        "difference": gap,
                    }  # fmt: skip


def _confusions(comparison: Comparison) -> Iterator[dict[str, Any]]:
    first, *others = comparison.results
    classes = comparison.first.classes
    for other in others:
        for level in LEVELS:
            matrix = confusion_difference(comparison.first, comparison.results[other], level)
            for (row, column), value in np.ndenumerate(matrix):
                yield {
                    "first": first, "second": other, "level": level, "y_true": classes[row],
                    "y_pred": classes[column], "difference": value,
                }  # fmt: skip


def _pairs(comparison: Comparison) -> Iterator[dict[str, Any]]:
    for pair in comparison.pairs:
        practical = pair.practical
        for level in LEVELS:
            first_score, second_score = pair.scores[level]
            for kind, interval in pair.intervals[level].items():
                low, high = interval or (np.nan, np.nan)
                row = {
                    "first": pair.first, "second": pair.second, "level": level,
                    "first_score": first_score, "second_score": second_score,
                    "difference": second_score - first_score, "resampled": kind,
                    "low": low, "high": high,
                }  # fmt: skip
                if level == "window":
                    row |= {
                        "verdict": judge(pair), "deciding_test": f"{pair.unit}s",
                        "p_first_better": practical.p_first_better,
                        "p_equivalent": practical.p_equivalent,
                        "p_second_better": practical.p_second_better, "rope": practical.rope,
                    }  # fmt: skip
                yield row


def _tests(comparison: Comparison) -> Iterator[dict[str, Any]]:
    for pair in comparison.pairs:
        for name, test in pair.tests.items():
            unit = _UNITS[name]
            counts = ("higher", "equal", "lower")
            yield {
                "first": pair.first, "second": pair.second, "test": test.name, "over": name,
                "decides": name == f"{pair.unit}s", "n": test.n,
                "mean_difference": test.difference,
                "sd": pair.units[unit]["sd"] if unit else None,
                **{key: pair.units[unit][key] if unit else None for key in counts},
                "statistic": test.statistic, "p_value": test.p_value,
                "p_holm": pair.adjusted[name], "effect": test.effect,
                "effect_name": test.effect_name, "note": test.note,
            }  # fmt: skip
