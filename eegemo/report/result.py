"""A result folder, read and checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import ResultError
from ..metrics import LEVELS, evaluate
from ..predictions import class_names, read_predictions, vote
from ..statistics import assess
from .records import FOLD, PROVENANCE, read_experiment, read_history, read_json


@dataclass(frozen=True)
class Result:
    """What a finished run has stored, and what follows from it.

    Attributes
    ----------
    path : Path
        The result folder.
    experiment, provenance : dict
        The experiment file, resolved, and where the result comes from.
    experiment_text : str
        The experiment file as it is on disk.
    predictions : DataFrame
        One row per test window.
    folds : tuple of dict
        The record of each fold, sorted.
    histories : tuple of DataFrame
        The training history of each fold, in the same order.
    """

    path: Path
    experiment: dict[str, Any]
    experiment_text: str
    provenance: dict[str, Any]
    predictions: pd.DataFrame
    folds: tuple[dict[str, Any], ...]
    histories: tuple[pd.DataFrame, ...]

    @property
    def name(self) -> str:
        """The name of the experiment."""
        return str(self.experiment.get("name") or self.path.name)

    @property
    def model(self) -> str:
        """The name of the model, as the field writes it."""
        return str(self.provenance["model"]["name"]).upper().replace("_", "-")

    @cached_property
    def classes(self) -> list[str]:
        """The classes, in order."""
        return class_names(self.predictions)

    @cached_property
    def trials(self) -> pd.DataFrame:
        """The voted predictions, one row per fold and trial."""
        return vote(self.predictions)

    @property
    def simulated(self) -> bool:
        """Whether the data are simulated."""
        return bool(self.provenance["data"]["simulated"])

    @property
    def leaks(self) -> bool:
        """Whether test windows share trials with training: as declared, or as counted."""
        shared = (fold.get("shared", {}) for fold in self.folds)
        counted = any(one.get("window", 0) or one.get("trial", 0) for one in shared)
        return bool(self.provenance["split"]["leaks"]) or counted

    @cached_property
    def _assessed(self) -> tuple[dict[str, Any], dict[str, NDArray[np.float64]]]:
        metrics = evaluate(self.predictions, self.folds)
        nulls: dict[str, NDArray[np.float64]] = {}
        for level, rows in zip(LEVELS, (self.predictions, self.trials), strict=True):
            metrics["levels"][level]["significance"], nulls[level] = assess(rows)
        return metrics, nulls

    @property
    def metrics(self) -> dict[str, Any]:
        """All of `eegemo.metrics.evaluate`, with the ``significance`` of each level."""
        return self._assessed[0]

    @property
    def nulls(self) -> dict[str, NDArray[np.float64]]:
        """Balanced accuracies of shuffled labels, by level."""
        return self._assessed[1]


def read_result(path: str | Path) -> Result:
    """Read a result folder.

    Parameters
    ----------
    path : str or Path
        The folder of a finished run.

    Returns
    -------
    Result
        Checked for completeness.

    Raises
    ------
    ResultError
        It is no result folder, a file cannot be read or lacks what is used of it, a fold is missing
        or unfinished, or files contradict each other.
    """
    path = Path(path)
    if not path.is_dir():
        found = "a file" if path.exists() else "no such folder"
        raise ResultError(f"{path}: expected a result folder, found {found}.")
    for name in ("provenance.json", "experiment.yaml", "predictions.parquet"):
        if not (path / name).is_file():
            raise ResultError(
                f"{path}: expected a finished result, but {name} is missing. Run the experiment "
                "again: what is finished is kept."
            )
    provenance = read_json(path / "provenance.json", PROVENANCE)
    experiment, text = read_experiment(path / "experiment.yaml")
    predictions = read_predictions(path / "predictions.parquet")
    classes = provenance["labels"]["classes"]
    if classes != class_names(predictions):
        raise ResultError(
            f"{path}: provenance.json names the classes {', '.join(classes)}, predictions.parquet "
            f"{', '.join(class_names(predictions))}."
        )
    numbers = _fold_numbers(
        path, provenance["split"]["n_folds"], predictions["fold"].unique().tolist()
    )
    folds, histories = zip(*(_read_fold(path / "folds" / str(k), k) for k in numbers), strict=True)
    return Result(
        path=path,
        experiment=experiment,
        experiment_text=text,
        provenance=provenance,
        predictions=predictions,
        folds=folds,
        histories=histories,
    )


def _read_fold(folder: Path, number: int) -> tuple[dict[str, Any], pd.DataFrame]:
    """Return the record and the training history of a fold; raise if they contradict each other."""
    record = read_json(folder / "fold.json", FOLD)
    history = read_history(folder / "history.csv")
    if record["fold"] != number:
        raise ResultError(
            f"{folder / 'fold.json'}: expected the record of fold {number}, found that of fold "
            f"{record['fold']}."
        )
    if not 1 <= record["best_epoch"] <= len(history):
        raise ResultError(
            f"{folder / 'fold.json'}: expected a 'best_epoch' from 1 to {len(history)}, the epochs "
            f"in history.csv, found {record['best_epoch']}."
        )
    return record, history


def _fold_numbers(path: Path, n_folds: int, predicted: Sequence[int]) -> list[int]:
    """Return the numbers of all folds; raise if one is missing, unfinished or not predicted."""
    found = {int(p.name): p for p in (path / "folds").glob("*") if p.name.isdecimal()}
    first = 0 if 0 in found or 0 in predicted else 1
    for number in range(first, first + n_folds):
        lack = None
        if number not in found:
            lack = "is missing"
        elif not (found[number] / "done").is_file():
            lack = "is not finished (it has no done marker)"
        elif number not in predicted:
            lack = "has no predictions"
        if lack:
            raise ResultError(
                f"{path}: expected {n_folds} folds, but fold {number} {lack}. Run the experiment "
                "again: finished folds are kept."
            )
    extra = sorted((set(found) | set(predicted)) - set(range(first, first + n_folds)))
    if extra:
        raise ResultError(f"{path}: expected {n_folds} folds, but there is also a fold {extra[0]}.")
    return sorted(found)
