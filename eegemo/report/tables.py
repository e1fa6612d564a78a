"""The tables of a result: all numbers of the report, as CSV files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from eegemo.evaluation import LEVELS, SUMMARY_SCORES, predicted_classes
from eegemo.report.choices import choice_table
from eegemo.results import Result

BASELINES = {
    "majority": "majority class",
    "subject_majority": "subject's majority class",
    "class_shares": "class frequencies",
    "chance": "chance (uniform guessing)",
}


_MAJORITY = ("majority_accuracy", "majority_balanced_accuracy", "commonest_share", "own_training")


def make_tables(result: Result) -> dict[str, pd.DataFrame]:
    """Return every table of a result, by name.

    Parameters
    ----------
    result : Result
        A result.

    Returns
    -------
    dict of str to DataFrame
        ``scores`` (total and baselines), ``folds``, ``subjects``, ``classes`` (per class),
        ``confusion`` (long: level, part, true and predicted class, count, share), ``spread``
        (of balanced accuracy over folds, subjects and repeats), ``counts`` (trials per subject and
        class), ``trials`` (trial-level predictions), ``curves`` (histories), ``calibration``,
        ``calibration_bins`` and ``coverage``; where there is one, ``repeats``, ``temperature`` (per
        fold), ``baseline`` (logistic regression on band power) and ``choice`` (candidates of each
        fold).
    """
    levels: Mapping[str, Any] = result.assessment.levels
    scores, confusion = [], []
    for level in LEVELS:
        scored = levels[level]
        for name, values in {"result": scored["total"], **scored["baselines"]}.items():
            if values is not None:
                scores.append({"level": level, "what": name, **summary(values)})
        for part, values in _parts(scored):
            confusion += _cells(values, result.classes, level=level, part=part)
    tables = {
        "scores": pd.DataFrame(scores),
        "folds": _folds(result),
        "subjects": _subjects(result),
        "classes": pd.DataFrame(
            [
                {"level": level, "class": name, **values}
                for level in LEVELS
                for name, values in levels[level]["total"]["per_class"].items()
            ]
        ),
        "confusion": pd.DataFrame(confusion),
        "spread": _spread(levels),
        "counts": pd.DataFrame(
            [
                {"subject": subject, **{name: counts.get(name, 0) for name in result.classes}}
                for subject, counts in result.provenance["labels"]["by_subject"].items()
            ]
        ),
        "trials": result.trials.assign(y_pred=predicted_classes(result.trials)),
        "curves": pd.concat(
            [
                history.assign(fold=fold["fold"], name=fold["name"])
                for fold, history in zip(result.records, result.histories, strict=True)
            ],
            ignore_index=True,
        ),
        **_calibration(result),
    }
    if result.n_repeats > 1:
        tables["repeats"] = pd.DataFrame(
            [
                {"level": level, "repeat": part["repeat"], **summary(part)}
                for level in LEVELS
                for part in levels[level]["repeats"]
            ]
        )
    if result.assessment.baseline_comparison is not None:
        tables["baseline"] = _baseline(result, result.assessment.baseline_comparison)
    choices = choice_table(result.records)
    if len(choices):
        tables["choice"] = choices
    return tables


def _parts(level: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the scores of a level with the name of their fold, subject or repeat."""
    yield "total", level["total"]
    for unit, key in (("fold", "name"), ("subject", "subject"), ("repeat", "repeat")):
        if unit == "repeat" and len(level["repeats"]) == 1:
            continue
        for scores in level[f"{unit}s"]:
            yield f"{unit} {scores[key]}", scores


def _null(test: Mapping[str, Any]) -> dict[str, Any]:
    return {f"null_{what}": test[f"null_{what}"] for what in ("mean", "q05", "q95")}


def _folds(result: Result) -> pd.DataFrame:
    """List folds, with the training counts from which the majority baselines follow."""
    records = {fold["fold"]: fold for fold in result.records}
    rows = []
    for level in LEVELS:
        scored = result.assessment.levels[level]
        for scores, test in zip(scored["folds"], scored["significance"]["folds"], strict=True):
            counts = records[scores["fold"]]["windows"]["train"]
            rows.append(
                {
                    "level": level,
                    **{key: scores[key] for key in ("fold", "name", "repeat")},
                    **summary(scores),
                    **_null(test),
                    "p_uncorrected": test["p_value"],
                    **{f"train_{name}": counts.get(name, 0) for name in result.classes},
                }
            )
    return pd.DataFrame(rows)


def _subjects(result: Result) -> pd.DataFrame:
    rows = []
    for level in LEVELS:
        scored = result.assessment.levels[level]
        parts = zip(
            scored["subjects"],
            scored["significance"]["subjects"],
            result.assessment.metrics["decodable"][level],
            strict=True,
        )
        for scores, test, decoded in parts:
            rows.append(
                {
                    "level": level,
                    "subject": scores["subject"],
                    **summary(scores),
                    **{name: scores[name] for name in _MAJORITY},
                    **_null(test),
                    "p_uncorrected": test["p_value"],
                    "p_holm": decoded["p_holm"],
                    "decodable": decoded["decodable"],
                }
            )
    return pd.DataFrame(rows)


def _spread(levels: Mapping[str, Any]) -> pd.DataFrame:
    rows = []
    for level in LEVELS:
        for over, spread in levels[level]["spread"].items():
            numbers = {name: spread[name] for name in ("n", "mean", "sd", "min", "max")}
            low, high = spread["interval"] or (None, None)
            row = {"level": level, "over": over, **numbers, "low": low, "high": high}
            rows.append({**row, "what": spread["what"]})
    return pd.DataFrame(rows)


def _calibration(result: Result) -> dict[str, pd.DataFrame]:
    names = ("calibration", "calibration_bins", "coverage")
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for level, stages in result.assessment.calibration["levels"].items():
        for stage, scored in stages.items():
            if scored is None:
                continue
            where = {"level": level, "probabilities": stage.replace("_", " ")}
            limits = {
                f"{name}_{end}": None if pair is None else pair[at]
                for name, pair in scored["intervals"].items()
                for at, end in enumerate(("low", "high"))
            }
            numbers = {k: v for k, v in scored.items() if isinstance(v, int | float)}
            rows["calibration"].append({**where, **numbers, **limits})
            for bins, entries in scored["bins"].items():
                rows["calibration_bins"] += [{**where, "bins": bins, **entry} for entry in entries]
            rows["coverage"] += [{**where, **entry} for entry in scored["coverage"]]
    tables = {name: pd.DataFrame(entries) for name, entries in rows.items()}
    if result.assessment.calibration["temperature"] is not None:
        tables["temperature"] = pd.DataFrame(result.assessment.calibration["temperature"]["folds"])
    return tables


def _baseline(result: Result, comparison: Mapping[str, Any]) -> pd.DataFrame:
    rows = []
    for level in LEVELS:
        simple, gap = comparison[level], comparison[level]["difference"]
        model_parts = dict(_parts(result.assessment.levels[level]))
        for part, scores in _parts({**simple, "repeats": [None]}):
            model = model_parts[part]["balanced_accuracy"]
            row = {"level": level, "part": part, **summary(scores), "model": model}
            if None not in (model, scores["balanced_accuracy"]):
                row["difference"] = model - scores["balanced_accuracy"]
            if part == "total":
                for kind in ("trials", "subjects"):
                    row[f"low_{kind}"], row[f"high_{kind}"] = gap[kind] or (None, None)
            rows.append(row)
    return pd.DataFrame(rows)


def summary(scores: Mapping[str, Any]) -> dict[str, Any]:
    """Return the scores that are single numbers."""
    return {name: scores[name] for name in ("n", *SUMMARY_SCORES)}


def _cells(scores: Mapping[str, Any], classes: list[str], **where: str) -> list[dict[str, Any]]:
    return [
        {
            **where,
            "y_true": true,
            "y_pred": predicted,
            "count": scores["confusion"][row][column],
            "share": scores["confusion_normalised"][row][column],
        }
        for row, true in enumerate(classes)
        for column, predicted in enumerate(classes)
    ]
