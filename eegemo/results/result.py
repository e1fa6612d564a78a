"""A result folder, read and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from eegemo.config import Experiment, parse_experiment
from eegemo.errors import ResultError
from eegemo.evaluation import TRIAL_KEYS, class_names, read_predictions
from eegemo.evaluation.assess import Assessment, assess_predictions
from eegemo.evaluation.design import Known, read_known
from eegemo.models import FittedModel, InputShape, Model
from eegemo.results import layout
from eegemo.results.fold import FoldFolder
from eegemo.results.records import (
    PROVENANCE,
    read_experiment,
    read_json,
    read_roles,
    read_units,
)
from eegemo.results.refits import read_refits
from eegemo.results.signals import read_signals
from eegemo.scaling import Scaling
from eegemo.store import changed_files

__all__ = ["Result", "open_result"]

_MODELS = {"band_power_logreg": "band-power logistic regression"}


@dataclass(frozen=True)
class Result:
    """A finished run, read and checked by `open_result`.

    Attributes
    ----------
    path : Path
        The result folder.
    settings : dict
        The plain entries of ``experiment.yaml``. Reports and comparisons use only these, so results
        of another version, or of a model whose code is not available, can still be shown.
    experiment_text : str
        The same as text.
    provenance : dict
        The content of ``provenance.json``.
    predictions : DataFrame
        One row per test window.
    folds : tuple of FoldFolder
        Sorted by number.
    validation : DataFrame or None
        One row per validation window of each fold, predicted by its model; None without a
        validation set, or if the run is older than this table.
    baseline : DataFrame or None
        Predictions of the test windows by the baseline; None if the model is the baseline itself,
        or if the run is older than this table.
    trust : bool
        Whether code that the result names by an import path may be imported.
    refits : dict or None
        Scores of the same pipeline on exchanged labels, the content of ``refits.json``.
    """

    path: Path
    settings: dict[str, Any]
    experiment_text: str
    provenance: dict[str, Any]
    predictions: pd.DataFrame
    folds: tuple[FoldFolder, ...]
    validation: pd.DataFrame | None = None
    baseline: pd.DataFrame | None = None
    trust: bool = False
    refits: dict[str, Any] | None = None

    @property
    def name(self) -> str:
        """The name of the experiment."""
        return str(self.settings.get("name") or self.path.name)

    @property
    def model(self) -> str:
        """The name of the model, as used in the field."""
        model = self.provenance["model"]
        if model.get("title"):
            return str(model["title"])
        # older results do not say it
        name = str(model["name"])
        return _MODELS.get(name, name.upper().replace("_", "-"))

    @cached_property
    def experiment(self) -> Experiment:
        """The experiment, to run it again or to process a recording in the same way.

        Raises
        ------
        ConfigError
            If this version of eegemo does not support the file.
        """
        source = str(self.path / layout.EXPERIMENT)
        return parse_experiment(self.experiment_text, source=source, trust=self.trust)

    @cached_property
    def records(self) -> tuple[dict[str, Any], ...]:
        """The record of each fold, its ``fold.json``."""
        return tuple(fold.record for fold in self.folds)

    @cached_property
    def histories(self) -> tuple[pd.DataFrame, ...]:
        """The training history of each fold."""
        return tuple(fold.history for fold in self.folds)

    @cached_property
    def signals(self) -> dict[str, Any] | None:
        """What its windows look like (`eegemo.results.signals`); None for older results.

        Raises
        ------
        ResultError
            If ``signals.json`` is corrupt.
        """
        return read_signals(self.path / layout.SIGNALS)

    @cached_property
    def roles(self) -> pd.DataFrame | None:
        """The role of each trial in each fold, from ``folds.csv``; None if that is not known.

        Columns ``subject``, ``stimulus`` and one per fold, as text. It is not known for a result
        whose split divides trials, or that lacks the table or a fold in it.
        """
        try:
            return read_roles(self.path / layout.SPLIT, [fold.number for fold in self.folds])
        except ResultError:  # what is reported needs it for a few words only
            return None

    @cached_property
    def assessment(self) -> Assessment:
        """Scores, intervals, tests and calibration."""
        return assess_predictions(
            self.predictions, self.records, self.validation, self.baseline, known=self.known
        )

    @cached_property
    def known(self) -> Known:
        """What is known of the design, with the scores of refits."""
        found = read_known(self.predictions, self.records)
        design, units = self.provenance.get("design"), read_units(self.path / layout.DESIGN)
        if design is not None and units is not None:
            found = replace(found, design=design, units=units)
        refits = self.refits or {"draws": [], "stopped": False}
        if self.refits is not None and self.refits["unit"] != found.design["unit"]:
            refits = {"draws": [], "stopped": False}
        return replace(
            found, leaks=self.leaks, refits=tuple(refits["draws"]), stopped=refits["stopped"]
        )

    @property
    def classes(self) -> list[str]:
        """The classes, in order."""
        return self.assessment.classes

    @property
    def trials(self) -> pd.DataFrame:
        """The trial-level predictions, one row per fold and trial."""
        return self.assessment.trials

    @property
    def channels(self) -> list[str]:
        """The channels, in the order in which the model takes them.

        Raises
        ------
        ResultError
            If they are not known.
        """
        names = list(self.provenance["data"].get("channels") or ())
        if not names or len(set(names)) < len(names):
            raise ResultError(f"{self.path / layout.PROVENANCE}: expected names in data.channels.")
        return names

    @property
    def n_repeats(self) -> int:
        """Number of repeats of the cross-validation."""
        return int(self.predictions["repeat"].nunique())

    @property
    def simulated(self) -> bool:
        """Whether the data are simulated."""
        return bool(self.provenance["data"]["simulated"])

    @property
    def leaks(self) -> bool:
        """Whether test and training share trials, or what the class is constant over.

        As declared by the run, or as counted.
        """
        shared = [record["shared"] for record in self.records]
        counted = any(groups["window"] or groups["trial"] for groups in shared)
        return bool(self.provenance["split"]["leaks"]) or counted

    @property
    def fitted_jointly(self) -> bool:
        """Whether folds were fitted jointly."""
        made_with = [record.get("made_with") for record in self.records]
        numbers = [entry.get("folds_at_once") for entry in made_with if isinstance(entry, Mapping)]
        return any(isinstance(number, int) and number > 1 for number in numbers)

    def check_folds(self) -> None:
        """Check that the files of all folds, models included, are as the run wrote them.

        Raises
        ------
        ResultError
            If not; the message names the folds.
        """
        damaged = [fold.path.name for fold in self.folds if not fold.is_whole()]
        if damaged:
            raise ResultError(
                f"{self.path}: fold {', '.join(damaged)} is corrupt or not finished. Run the "
                "experiment again: intact files are kept."
            )

    @property
    def shape(self) -> InputShape:
        """The input shape of its models."""
        data = self.provenance["data"]
        n_times = round(float(data["window_duration"]) * float(data["sfreq"]))
        channels = tuple(self.channels)
        return InputShape(n_times, len(channels), len(self.classes), data["sfreq"], channels)

    def model_of(self, fold: FoldFolder) -> Model:
        """Return the untrained model of the candidate that a fold selected."""
        choice = fold.record.get("choice")
        return self.experiment.candidates()[choice["chosen"] if choice else 0][1].make_model()

    def load_model(self, fold: int) -> tuple[FittedModel, Scaling]:
        """Load the model of a fold, and the scaling it was trained with.

        Parameters
        ----------
        fold : int
            The fold's number.

        Raises
        ------
        InputError
            If there is no such fold, or a file is missing or corrupt.
        """
        numbers = [folder.number for folder in self.folds]
        if fold not in numbers:
            raise ResultError(
                f"{self.path}: expected a fold from {numbers[0]} to {numbers[-1]}, found {fold}."
            )
        folder = self.folds[numbers.index(fold)]
        return folder.load_model(self.model_of(folder), self.shape)


def open_result(path: str | Path, *, trust: bool = False) -> Result:
    """Read a result folder, after checking it.

    First the digests of the manifest are checked, then the type of every used entry, then the
    consistency of the files.

    Parameters
    ----------
    path : str or Path
        The folder of a finished run.
    trust : bool
        Whether code that the result names by an import path may be imported, which runs it, when
        its experiment or a model is used. Opening a result imports nothing.

    Returns
    -------
    result : Result

    Raises
    ------
    ResultError
        It is not a result folder, a file cannot be read or lacks a used entry, a fold is missing or
        unfinished, or files contradict each other.

    Examples
    --------
    >>> open_result("no-such-folder")
    Traceback (most recent call last):
    eegemo.errors.ResultError: no-such-folder: expected a result folder, found no such folder.
    """
    path = Path(path)
    if not path.is_dir():
        found = "a file" if path.exists() else "no such folder"
        raise ResultError(f"{path}: expected a result folder, found {found}.")
    tables = [path / layout.predictions_file(table) for table in layout.TABLES]
    for file in (path / layout.PROVENANCE, path / layout.EXPERIMENT, tables[0]):
        if not file.is_file():
            raise ResultError(
                f"{path}: expected a finished result, but {file.name} is missing. Run the "
                "experiment again: finished folds are kept."
            )
    _check_files(path)
    provenance = read_json(path / layout.PROVENANCE, PROVENANCE)
    settings, text = read_experiment(path / layout.EXPERIMENT)
    predictions = read_predictions(tables[0])
    classes = provenance["labels"]["classes"]
    if classes != class_names(predictions):
        raise ResultError(
            f"{path}: provenance.json names the classes {', '.join(classes)}, predictions.parquet "
            f"{', '.join(class_names(predictions))}."
        )
    numbers = _fold_numbers(
        path, provenance["split"]["n_folds"], predictions["fold"].unique().tolist()
    )
    folds = tuple(FoldFolder(layout.fold_folder(path, number)) for number in numbers)
    validation, baseline = (_read_optional(file, predictions) for file in tables[1:])
    _check_same_windows(path, predictions, baseline)
    result = Result(
        path,
        settings,
        text,
        provenance,
        predictions,
        folds,
        validation,
        baseline,
        trust,
        read_refits(path),
    )
    # read now, to report problems with a fold before any computation
    _ = result.records, result.histories
    return result


def _check_files(path: Path) -> None:
    """Check that the files of a result are as the run wrote them, except derived files.

    A result without a manifest is of an older version, or is being assembled.
    """
    if not (path / layout.MANIFEST).is_file():
        return
    changed = [name for name in changed_files(path) if name not in layout.DERIVED]
    if changed:
        raise ResultError(
            f"{path}: {', '.join(changed)} {'is' if len(changed) == 1 else 'are'} not what the run "
            "wrote, but corrupted or changed since. Run the experiment again: intact files are "
            "kept."
        )


def _read_optional(file: Path, predictions: pd.DataFrame) -> pd.DataFrame | None:
    """Read another table of predictions of the same folds and classes, if it exists."""
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
    """Check that the baseline predicts the same windows as the model."""
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


def _fold_numbers(path: Path, n_folds: int, predicted: Sequence[int]) -> list[int]:
    """Return the numbers of all folds; raise if one is missing, unfinished or not predicted."""
    found = layout.numbered_folders(path)
    first = 0 if 0 in found or 0 in predicted else 1
    for number in range(first, first + n_folds):
        lack = None
        if number not in found:
            lack = "is missing"
        elif not (found[number] / layout.DONE).is_file():
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
