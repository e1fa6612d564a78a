"""A result folder, read and checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from eegemo.config import Experiment, parse_experiment
from eegemo.errors import ResultError
from eegemo.evaluation import TRIAL_KEYS, class_names, read_predictions
from eegemo.evaluation.assess import Assessment, assess_predictions
from eegemo.models import FittedModel, InputShape, Model
from eegemo.results import layout
from eegemo.results.fold import FoldFolder
from eegemo.results.records import PROVENANCE, read_experiment, read_json
from eegemo.scaling import Scaling
from eegemo.store import changed_files

__all__ = ["Result", "open_result"]

_MODELS = {"band_power_logreg": "band-power logistic regression"}


@dataclass(frozen=True)
class Result:
    """What a finished run has stored, checked by `open_result`, and what follows from it.

    Attributes
    ----------
    path : Path
        The result folder.
    settings : dict
        The plain entries of ``experiment.yaml``: reports and comparisons need no more, so that a
        result of another version, or of a model whose code is not here, can still be shown.
    experiment_text : str
        The same as text.
    provenance : dict
        Where the result comes from.
    predictions : DataFrame
        One row per test window.
    folds : tuple of FoldFolder
        Sorted by number.
    validation : DataFrame or None
        One row per validation window of each fold, predicted by its model; None where no
        validation part was set aside, or the run is older than this table.
    baseline : DataFrame or None
        What logistic regression on band power predicts for the test windows; None where this
        is the model itself, or the run is older than this table.
    trust : bool
        Whether code that the result names by an import path may be imported.
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

    @property
    def name(self) -> str:
        """The name of the experiment."""
        return str(self.settings.get("name") or self.path.name)

    @property
    def model(self) -> str:
        """The name of the model, as the field writes it."""
        model = self.provenance["model"]
        if model.get("title"):
            return str(model["title"])
        # older results do not say it
        name = str(model["name"])
        return _MODELS.get(name, name.upper().replace("_", "-"))

    @cached_property
    def experiment(self) -> Experiment:
        """The experiment, to run it again or to treat a recording in the same way.

        Raises
        ------
        ConfigError
            If this version of eegemo does not know what the file asks for.
        """
        source = str(self.path / layout.EXPERIMENT)
        return parse_experiment(self.experiment_text, source=source, trust=self.trust)

    @cached_property
    def records(self) -> tuple[dict[str, Any], ...]:
        """What is known of each fold: its ``fold.json``."""
        return tuple(fold.record for fold in self.folds)

    @cached_property
    def histories(self) -> tuple[pd.DataFrame, ...]:
        """The training history of each fold."""
        return tuple(fold.history for fold in self.folds)

    @cached_property
    def assessment(self) -> Assessment:
        """Scores, intervals, tests and calibration."""
        return assess_predictions(self.predictions, self.records, self.validation, self.baseline)

    @property
    def classes(self) -> list[str]:
        """The classes, in order."""
        return self.assessment.classes

    @property
    def trials(self) -> pd.DataFrame:
        """The voted predictions, one row per fold and trial."""
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
        """How often the cross-validation was repeated with other seeds."""
        return int(self.predictions["repeat"].nunique())

    @property
    def simulated(self) -> bool:
        """Whether the data are simulated."""
        return bool(self.provenance["data"]["simulated"])

    @property
    def leaks(self) -> bool:
        """Whether test windows share trials with training: as declared, or as counted."""
        shared = [record["shared"] for record in self.records]
        counted = any(groups["window"] or groups["trial"] for groups in shared)
        return bool(self.provenance["split"]["leaks"]) or counted

    @property
    def fitted_at_once(self) -> bool:
        """Whether folds were fitted as one program."""
        made_with = [record.get("made_with") for record in self.records]
        numbers = [one.get("folds_at_once") for one in made_with if isinstance(one, Mapping)]
        return any(isinstance(number, int) and number > 1 for number in numbers)

    def check_folds(self) -> None:
        """Refuse folds whose files, models among them, are not what the run wrote.

        Raises
        ------
        ResultError
            It names the folds.
        """
        damaged = [fold.path.name for fold in self.folds if not fold.is_whole()]
        if damaged:
            raise ResultError(
                f"{self.path}: fold {', '.join(damaged)} is damaged or not finished. Run the "
                "experiment again: what is whole is kept."
            )

    @property
    def shape(self) -> InputShape:
        """What its models were built for."""
        data = self.provenance["data"]
        n_times = round(float(data["window_duration"]) * float(data["sfreq"]))
        channels = tuple(self.channels)
        return InputShape(n_times, len(channels), len(self.classes), data["sfreq"], channels)

    def model_of(self, fold: FoldFolder) -> Model:
        """Return the model of a fold, with nothing learned: that of the candidate it chose."""
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
            If there is no such fold, or a file is missing or damaged.
        """
        numbers = [one.number for one in self.folds]
        if fold not in numbers:
            raise ResultError(
                f"{self.path}: expected a fold from {numbers[0]} to {numbers[-1]}, found {fold}."
            )
        folder = self.folds[numbers.index(fold)]
        return folder.load_model(self.model_of(folder), self.shape)


def open_result(path: str | Path, *, trust: bool = False) -> Result:
    """Read a result folder, and check it before anything is taken from it.

    Digests come first (the manifest), then the type of every entry that is used, then whether the
    files agree with each other.

    Parameters
    ----------
    path : str or Path
        The folder of a finished run.
    trust : bool
        Whether code that it names by an import path may be imported when its experiment or a model
        is asked for, which runs that code. Nothing is imported by opening it.

    Returns
    -------
    result : Result

    Raises
    ------
    ResultError
        It is no result folder, a file cannot be read or lacks what is used of it, a fold is missing
        or unfinished, or files contradict each other.

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
                "experiment again: what is finished is kept."
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
    validation, baseline = (_read_beside(file, predictions) for file in tables[1:])
    _check_same_windows(path, predictions, baseline)
    result = Result(
        path, settings, text, provenance, predictions, folds, validation, baseline, trust
    )
    # read now, so that what is wrong with a fold is said before anything is computed
    _ = result.records, result.histories
    return result


def _check_files(path: Path) -> None:
    """Refuse a result whose files are not what the run wrote; those drawn from them do not count.

    A result without a manifest is of an older version, or is being put together.
    """
    if not (path / layout.MANIFEST).is_file():
        return
    changed = [name for name in changed_files(path) if name not in layout.DERIVED]
    if changed:
        raise ResultError(
            f"{path}: {', '.join(changed)} {'is' if len(changed) == 1 else 'are'} not what the run "
            "wrote, but damaged or changed since. Run the experiment again: what is whole is kept."
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
