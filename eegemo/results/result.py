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

from eegemo.errors import ResultError
from eegemo.evaluation import LEVELS, TRIAL_KEYS, class_names, evaluate, read_predictions, vote
from eegemo.evaluation.assess import assess
from eegemo.evaluation.baseline import beside_baseline
from eegemo.evaluation.probabilities import describe_calibration
from eegemo.evaluation.statistics import spread_of
from eegemo.evaluation.subjects import decodable_subjects
from eegemo.results.records import FOLD, PROVENANCE, read_experiment, read_history, read_json
from eegemo.store import changed_files

_MODELS = {"band_power_logreg": "band-power logistic regression"}


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
    validation : DataFrame or None
        One row per validation window of each fold, predicted by its model; None where no
        validation part was set aside, or the run is older than this table.
    baseline : DataFrame or None
        What logistic regression on band power predicts for the test windows; None where this
        is the model itself, or the run is older than this table.
    """

    path: Path
    experiment: dict[str, Any]
    experiment_text: str
    provenance: dict[str, Any]
    predictions: pd.DataFrame
    folds: tuple[dict[str, Any], ...]
    histories: tuple[pd.DataFrame, ...]
    validation: pd.DataFrame | None = None
    baseline: pd.DataFrame | None = None

    @property
    def name(self) -> str:
        """The name of the experiment."""
        return str(self.experiment.get("name") or self.path.name)

    @property
    def model(self) -> str:
        """The name of the model, as the field writes it."""
        name = str(self.provenance["model"]["name"])
        return _MODELS.get(name, name.upper().replace("_", "-"))

    @cached_property
    def classes(self) -> list[str]:
        """The classes, in order."""
        return class_names(self.predictions)

    @cached_property
    def trials(self) -> pd.DataFrame:
        """The voted predictions, one row per fold and trial."""
        return vote(self.predictions)

    @property
    def n_repeats(self) -> int:
        """How often the cross-validation was repeated with other seeds."""
        return int(self.predictions["repeat"].nunique())

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
            metrics["levels"][level]["significance"], nulls[level] = assess(
                rows, n_group=_draws_per_subject(metrics["n_subjects"])
            )
            metrics["levels"][level]["spread"] = spread_of(rows)
        metrics["decodable"] = decodable_subjects(metrics)
        return metrics, nulls

    @property
    def metrics(self) -> dict[str, Any]:
        """All of `eegemo.evaluation.evaluate`; each level also has ``significance`` and ``spread``.

        ``decodable`` says of each subject whether its score is above chance after correction.
        """
        return self._assessed[0]

    @property
    def nulls(self) -> dict[str, NDArray[np.float64]]:
        """Balanced accuracies of shuffled labels, by level."""
        return self._assessed[1]

    @cached_property
    def calibration(self) -> dict[str, Any]:
        """What `eegemo.evaluation.probabilities.describe_calibration` says of the probabilities."""
        return describe_calibration(self.predictions, self.trials, self.validation, self.folds)

    @cached_property
    def beside_baseline(self) -> dict[str, Any] | None:
        """The same folds by logistic regression on band power, and the paired difference."""
        if self.baseline is None:
            return None
        return beside_baseline(self.predictions, self.baseline, self.folds)


def _draws_per_subject(n_subjects: int) -> int:
    """Return so many draws that the least p-value is below 0.05 after Holm's correction."""
    return max(999, 50 * n_subjects - 1)


def _check_files(path: Path) -> None:
    """Refuse a result whose files are not what the run wrote; those drawn from them do not count.

    A result without a manifest is of an older version, or is being put together.
    """
    if not (path / "manifest.json").is_file():
        return
    changed = [one for one in changed_files(path) if one not in ("metrics.json", "report.html")]
    if changed:
        raise ResultError(
            f"{path}: {', '.join(changed)} {'is' if len(changed) == 1 else 'are'} not what the run "
            "wrote, but damaged or changed since. Run the experiment again: what is whole is kept."
        )


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
    _check_files(path)
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
    validation, baseline = (
        _read_beside(path / name, predictions)
        for name in ("validation.parquet", "baseline.parquet")
    )
    _check_same_windows(path, predictions, baseline)
    return Result(
        path=path,
        experiment=experiment,
        experiment_text=text,
        provenance=provenance,
        predictions=predictions,
        folds=folds,
        histories=histories,
        validation=validation,
        baseline=baseline,
    )


def _read_beside(file: Path, predictions: pd.DataFrame) -> pd.DataFrame | None:
    """Read a further table of predictions of the same folds and classes, where there is one."""
    if not file.exists():
        return None
    table = read_predictions(file)
    if class_names(table) != class_names(predictions):
        raise ResultError(
            f"{file}: expected the classes {', '.join(class_names(predictions))}, found "
            f"{', '.join(class_names(table))}."
        )
    unknown = sorted(set(table["fold"].unique()) - set(predictions["fold"].unique()))
    if unknown:
        raise ResultError(f"{file}: expected the folds of predictions.parquet, found {unknown[0]}.")
    return table


def _check_same_windows(
    path: Path, predictions: pd.DataFrame, baseline: pd.DataFrame | None
) -> None:
    """Raise unless the baseline predicts just the windows that the model predicts."""
    if baseline is None:
        return
    keys = ["fold", *TRIAL_KEYS, "start"]
    first, second = (
        table[[*keys, "y_true"]].sort_values(keys, ignore_index=True)
        for table in (predictions, baseline)
    )
    if not first.equals(second):
        raise ResultError(
            f"{path / 'baseline.parquet'}: expected the same folds, windows and true classes as in "
            f"predictions.parquet ({len(first)} rows), found others ({len(second)} rows)."
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
