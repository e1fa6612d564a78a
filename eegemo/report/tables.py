"""The tables of a result: everything in the report, as CSV files that a reviewer can open."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from eegemo.evaluation import LEVELS, SUMMARY_SCORES, predicted_classes
from eegemo.report.choices import choice_table
from eegemo.results import Result

BASELINES = {
    "majority": "commonest class",
    "subject_majority": "subject's commonest class",
    "class_shares": "guess by class shares",
    "chance": "chance: guess evenly",
}


_OWN = ("majority_accuracy", "majority_balanced_accuracy", "commonest_share", "own_training")


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
        (what balanced accuracy varies over), ``counts`` (trials per subject and class), ``trials``
        (voted predictions), ``curves`` (histories), ``calibration``, ``calibration_bins`` and
        ``coverage``; where there is one, ``repeats``, ``temperature`` (per fold), ``baseline``
        (logistic regression on band power) and ``choice`` (candidates of each fold).
    """
    levels: Mapping[str, Any] = result.assessment.levels
    scores, confusion = [], []
    for level in LEVELS:
        one = levels[level]
        for name, values in {"result": one["total"], **one["baselines"]}.items():
            if values is not None:
                scores.append({"level": level, "what": name, **summary(values)})
        for part, values in _parts(one):
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
    if result.assessment.beside_baseline is not None:
        tables["baseline"] = _baseline(result, result.assessment.beside_baseline)
    choices = choice_table(result.records)
    if len(choices):
        tables["choice"] = choices
    return tables


def _parts(level: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the scores of a level with the name of what they are about."""
    yield "total", level["total"]
    for unit, key in (("fold", "name"), ("subject", "subject"), ("repeat", "repeat")):
        if unit == "repeat" and len(level["repeats"]) == 1:
            continue
        for scores in level[f"{unit}s"]:
            yield f"{unit} {scores[key]}", scores


def _null(test: Mapping[str, Any]) -> dict[str, Any]:
    return {f"null_{what}": test[f"null_{what}"] for what in ("mean", "q05", "q95")}


def _folds(result: Result) -> pd.DataFrame:
    """List folds; the training counts are what the majority baselines know."""
    records = {fold["fold"]: fold for fold in result.records}
    rows = []
    for level in LEVELS:
        one = result.assessment.levels[level]
        for scores, test in zip(one["folds"], one["significance"]["folds"], strict=True):
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
        one = result.assessment.levels[level]
        parts = zip(
            one["subjects"],
            one["significance"]["subjects"],
            result.assessment.metrics["decodable"][level],
            strict=True,
        )
        for scores, test, able in parts:
            rows.append(
                {
                    "level": level,
                    "subject": scores["subject"],
                    **summary(scores),
                    **{name: scores[name] for name in _OWN},
                    **_null(test),
                    "p_uncorrected": test["p_value"],
                    "p_holm": able["p_holm"],
                    "decodable": able["decodable"],
                }
            )
    return pd.DataFrame(rows)


def _spread(levels: Mapping[str, Any]) -> pd.DataFrame:
    rows = []
    for level in LEVELS:
        for over, one in levels[level]["spread"].items():
            numbers = {name: one[name] for name in ("n", "mean", "sd", "min", "max")}
            low, high = one["interval"] or (None, None)
            row = {"level": level, "over": over, **numbers, "low": low, "high": high}
            rows.append({**row, "what": one["what"]})
    return pd.DataFrame(rows)


def _calibration(result: Result) -> dict[str, pd.DataFrame]:
    names = ("calibration", "calibration_bins", "coverage")
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for level, stages in result.assessment.calibration["levels"].items():
        for stage, one in stages.items():
            if one is None:
                continue
            where = {"level": level, "probabilities": stage.replace("_", " ")}
            limits = {
                f"{name}_{end}": None if pair is None else pair[at]
                for name, pair in one["intervals"].items()
                for at, end in enumerate(("low", "high"))
            }
            numbers = {k: v for k, v in one.items() if isinstance(v, int | float)}
            rows["calibration"].append({**where, **numbers, **limits})
            for bins, entries in one["bins"].items():
                rows["calibration_bins"] += [{**where, "bins": bins, **entry} for entry in entries]
            rows["coverage"] += [{**where, **entry} for entry in one["coverage"]]
    tables = {name: pd.DataFrame(entries) for name, entries in rows.items()}
    if result.assessment.calibration["temperature"] is not None:
        tables["temperature"] = pd.DataFrame(result.assessment.calibration["temperature"]["folds"])
    return tables


def _baseline(result: Result, beside: Mapping[str, Any]) -> pd.DataFrame:
    rows = []
    for level in LEVELS:
        simple, gap = beside[level], beside[level]["difference"]
        own = dict(_parts(result.assessment.levels[level]))
        for part, scores in _parts({**simple, "repeats": [None]}):
            model = own[part]["balanced_accuracy"]
            row = {"level": level, "part": part, **summary(scores), "model": model}
            if None not in (model, scores["balanced_accuracy"]):
                row["difference"] = model - scores["balanced_accuracy"]
            if part == "total":
                for kind in ("trials", "subjects"):
                    row[f"low_{kind}"], row[f"high_{kind}"] = gap[kind] or (None, None)
            rows.append(row)
    return pd.DataFrame(rows)


def summary(scores: Mapping[str, Any]) -> dict[str, Any]:
    """Return the single numbers of a set of scores."""
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
