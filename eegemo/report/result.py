"""A result folder, read and checked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray

from ..errors import ResultError
from ..metrics import LEVELS, evaluate
from ..predictions import class_names, read_predictions, vote
from ..statistics import assess

_HISTORY = ("epoch", "loss", "accuracy")


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
        return str(self.experiment.get("name", self.path.name))

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
        It is no result folder, a fold is missing or unfinished, a fold has no training history,
        or its files contradict each other.
    """
    path = Path(path)
    if not path.is_dir():
        raise ResultError(f"{path}: expected a result folder, found no such folder.")
    for name in ("provenance.json", "experiment.yaml", "predictions.parquet"):
        if not (path / name).is_file():
            raise ResultError(
                f"{path}: expected a finished result, but {name} is missing. Run the experiment "
                "again: what is finished is kept."
            )
    provenance = _read_json(path / "provenance.json")
    text = (path / "experiment.yaml").read_text(encoding="utf-8")
    try:
        experiment = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ResultError(f"{path / 'experiment.yaml'}: cannot be read as YAML.") from error
    if not isinstance(experiment, dict):
        raise ResultError(f"{path / 'experiment.yaml'}: expected sections, found none.")
    predictions = read_predictions(path / "predictions.parquet")
    try:
        n_folds, classes = int(provenance["split"]["n_folds"]), provenance["labels"]["classes"]
    except (KeyError, TypeError) as error:
        raise ResultError(f"{path / 'provenance.json'}: the entry {error} is missing.") from error
    if list(classes) != class_names(predictions):
        raise ResultError(
            f"{path}: provenance.json names the classes {', '.join(classes)}, predictions.parquet "
            f"{', '.join(class_names(predictions))}."
        )
    numbers = _fold_numbers(path, n_folds, predictions["fold"].unique().tolist())
    return Result(
        path=path,
        experiment=experiment,
        experiment_text=text,
        provenance=provenance,
        predictions=predictions,
        folds=tuple(_read_json(path / "folds" / str(k) / "fold.json") for k in numbers),
        histories=tuple(_read_history(path / "folds" / str(k) / "history.csv") for k in numbers),
    )


def _fold_numbers(path: Path, n_folds: int, predicted: Sequence[int]) -> list[int]:
    """Return the numbers of all folds; raise if one is missing, unfinished or not predicted."""
    found = {int(p.name): p for p in (path / "folds").glob("*") if p.name.isdigit()}
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


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ResultError(f"{path}: expected a file of the result, found none.") from error
    except ValueError as error:
        raise ResultError(f"{path}: cannot be read as JSON.") from error
    if not isinstance(content, dict):
        raise ResultError(f"{path}: expected a JSON object.")
    return content


def _read_history(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise ResultError(f"{path}: fold {path.parent.name} has no training history.")
    try:
        history = pd.read_csv(path)
    except ValueError as error:
        raise ResultError(f"{path}: cannot be read as a CSV table.") from error
    lost = [name for name in _HISTORY if name not in history or history[name].isna().all()]
    if lost or history.empty:
        raise ResultError(
            f"{path}: fold {path.parent.name} has no complete training history "
            f"(missing: {', '.join(lost) or 'every epoch'})."
        )
    return history
