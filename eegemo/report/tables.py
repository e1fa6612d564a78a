"""The tables of a result: everything in the report, as CSV files that a reviewer can open."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ..metrics import LEVELS, SUMMARY_SCORES
from ..predictions import predicted_classes
from ..store import atomic_file
from .result import Result

BASELINES = {
    "majority": "commonest class",
    "subject_majority": "subject's commonest class",
    "class_shares": "guess by class shares",
    "chance": "chance: guess evenly",
}


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV, whole or not at all."""
    with atomic_file(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")


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
        ``confusion`` (long: level, part, true and predicted class, count, share), ``counts``
        (trials per subject and class), ``trials`` (voted predictions) and ``curves`` (histories).
    """
    levels: Mapping[str, Any] = result.metrics["levels"]
    tables: dict[str, list[dict[str, Any]]] = {
        name: [] for name in ("scores", "folds", "subjects", "classes", "confusion")
    }
    for level in LEVELS:
        one = levels[level]
        parts = {"result": one["total"], **one["baselines"]}
        for name, scores in parts.items():
            if scores is not None:
                tables["scores"].append({"level": level, "what": name, **summary(scores)})
        for name, scores in one["total"]["per_class"].items():
            tables["classes"].append({"level": level, "class": name, **scores})
        tables["confusion"] += _cells(one["total"], result.classes, level=level, part="total")
        for unit, key in (("folds", "name"), ("subjects", "subject")):
            for scores, null in zip(one[unit], one["significance"][unit], strict=True):
                row = {"level": level, key: scores[key], **summary(scores)}
                if unit == "folds":
                    row = {"level": level, "fold": scores["fold"], **row}
                else:
                    row["majority_accuracy"] = scores["majority_accuracy"]
                row |= {f"null_{what}": null[f"null_{what}"] for what in ("mean", "q05", "q95")}
                tables[unit].append({**row, "p_uncorrected": null["p_value"]})
                part = f"{key if key == 'subject' else 'fold'} {scores[key]}"
                tables["confusion"] += _cells(scores, result.classes, level=level, part=part)
    frames = {name: pd.DataFrame(rows) for name, rows in tables.items()}
    frames["counts"] = pd.DataFrame(
        [
            {"subject": subject, **{name: counts.get(name, 0) for name in result.classes}}
            for subject, counts in result.provenance["labels"]["by_subject"].items()
        ]
    )
    frames["trials"] = result.trials.assign(y_pred=predicted_classes(result.trials))
    frames["curves"] = pd.concat(
        [
            history.assign(fold=fold["fold"], name=fold["name"])
            for fold, history in zip(result.folds, result.histories, strict=True)
        ],
        ignore_index=True,
    )
    return frames


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
