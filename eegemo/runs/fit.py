"""The tasks of worker processes: fit one fold, or all folds as one program."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from eegemo.execution import Progress, span
from eegemo.models import FitFiles, Model, TrainingOptions
from eegemo.results import layout
from eegemo.results.fold import FoldFolder
from eegemo.results.provenance import describe_fit, describe_fold
from eegemo.scaling import Scaling
from eegemo.splits import Fold
from eegemo.training import (
    Candidate,
    FittedFold,
    fit_candidates,
    fit_candidates_jointly,
    fit_fold,
    measure_latency,
)
from eegemo.windows import Windows

__all__ = [
    "AllFoldsTask",
    "FitTask",
    "fit_all_and_save",
    "fit_and_save",
    "gather_folds",
    "prepare_device_of",
]


@dataclass(frozen=True)
class FitTask:
    """All that a process needs to fit one fold; signals are found on disk.

    Attributes
    ----------
    folder : Path
        The fold's folder.
    number : int
    windows : Windows
    fold : Fold
    scaling : Scaling
    candidates : tuple of Candidate
        What to fit; several to choose among.
    metric : {"loss", "balanced_accuracy"}
        What to choose by.
    seeds : dict of str to int
        ``split`` and ``model``.
    features : Path, optional
        File of the windows' band power, for the baseline.
    baseline : Model, optional
        The baseline, to fit it on the same fold.
    trace : Path, optional
        Folder that records when it was fitted.
    """

    folder: Path
    number: int
    windows: Windows
    fold: Fold
    scaling: Scaling
    candidates: tuple[Candidate, ...]
    metric: Literal["loss", "balanced_accuracy"]
    seeds: dict[str, int]
    features: Path | None = None
    baseline: Model | None = None
    trace: Path | None = None

    def __str__(self) -> str:
        return f"fold {self.fold.name} of {self.folder.parent.parent.name}"

    @property
    def outcome(self) -> Path:
        """A file that is there once the task has been done."""
        return self.folder / layout.DONE

    @property
    def fold_folder(self) -> FoldFolder:
        """The fold's folder, to be read and written."""
        return FoldFolder(self.folder)

    @property
    def model_file(self) -> str | None:
        """Name of the file of the fold's model; None if it cannot be stored."""
        return self.candidates[0].model.file

    @property
    def files(self) -> FitFiles:
        """Where the fit reports its epochs, and keeps its checkpoint."""
        return FitFiles(self.fold_folder.history_path, self.fold_folder.checkpoint)

    def open(self) -> AbstractContextManager[bool]:
        """Keep the folder for this process; gives False if the fold is fitted by now."""
        return self.fold_folder.open(*self.content)

    @property
    def content(self) -> tuple[str, dict[str, int], dict[str, int], str | None]:
        """What the folder has to hold when the task is done, as `FoldFolder.holds` takes it."""
        lengths = {"predictions": len(self.fold.test)}
        if len(self.fold.validation):
            lengths["validation"] = len(self.fold.validation)
        if self.baseline is not None:
            lengths["baseline"] = len(self.fold.test)
        return self.fold.name, self.seeds, lengths, self.model_file


@dataclass(frozen=True)
class AllFoldsTask:
    """Folds of one experiment to fit at once: they differ in windows, scaling and seeds only."""

    folds: tuple[FitTask, ...]

    def __str__(self) -> str:
        return f"all folds of {self.folds[0].folder.parent.parent.name}"

    @property
    def outcome(self) -> Path:
        """A file that is there once the task has been done."""
        return self.folds[-1].outcome


def fit_all_and_save(task: AllFoldsTask) -> None:
    """Fit folds at once, and write the folder of each as `eegemo.runs.fit.fit_and_save` does."""
    with ExitStack() as stack:
        stack.enter_context(span(str(task), task.folds[0].trace))
        folds = [fold for fold in task.folds if stack.enter_context(fold.open())]
        if not folds:
            return
        model = folds[0].candidates[0].model
        device = model.prepare_device()
        fits = fit_candidates_jointly(
            folds[0].windows,
            [one.fold for one in folds],
            candidates=folds[0].candidates,
            metric=folds[0].metric,
            scalings=[one.scaling for one in folds],
            numbers=[one.number for one in folds],
            seeds=[one.seeds["model"] for one in folds],
            files=[one.files for one in folds],
        )
        for one, (fitted, choice) in zip(folds, fits, strict=True):
            _save(one, fitted, choice, device, at_once=len(folds))
    model.tidy()


def gather_folds(
    tasks: Sequence[FitTask], at_once: list[AllFoldsTask], progress: Progress
) -> list[FitTask]:
    """Add the folds of an experiment to what is fitted at once; return them if that cannot be."""
    if not tasks:
        return []
    scalings = [one.scaling for one in tasks]
    for candidate in tasks[0].candidates:
        reason = candidate.model.cannot_fit_many(scalings)
        if reason is not None:
            experiment = tasks[0].folder.parent.parent.name
            progress.message(f"{experiment}: folds are fitted one by one, since {reason}.")
            return list(tasks)
    at_once.append(AllFoldsTask(tuple(tasks)))
    return []


def prepare_device_of(model: Model) -> str:
    """Load what a model runs on, and name the device."""
    return model.prepare_device()


def fit_and_save(task: FitTask) -> None:
    """Fit one fold and write its folder; the marker ``done``, with digests of it all, comes last.

    Raises
    ------
    DiskFullError
        If there is no space for what is written.
    """
    with task.open() as wanted, span(str(task), task.trace):
        if wanted:
            _fit_and_save(task)


def _fit_and_save(task: FitTask) -> None:
    model = task.candidates[0].model
    device = model.prepare_device()
    fitted, choice = fit_candidates(
        task.windows,
        task.fold,
        candidates=task.candidates,
        metric=task.metric,
        scaling=task.scaling,
        number=task.number,
        seed=task.seeds["model"],
        files=task.files,
        features=_load_features(task),
    )
    _save(task, fitted, choice, device)
    model.tidy()


def _load_features(task: FitTask) -> np.ndarray | None:
    """Map the windows' band power, if the task has any."""
    return None if task.features is None else np.load(task.features, mmap_mode="r")


def _save(
    task: FitTask,
    fitted: FittedFold,
    choice: dict[str, Any] | None,
    device: str,
    *,
    at_once: int = 1,
) -> None:
    """Fit the baseline, and write the fold's folder; `at_once` folds were fitted as one program."""
    baseline = None
    if task.baseline is not None:
        baseline = fit_fold(
            task.windows,
            task.fold,
            model=task.baseline,
            scaling=task.scaling,
            number=task.number,
            training=TrainingOptions(class_weight=task.candidates[0].training.class_weight),
            features=_load_features(task),
        ).predictions
    before = describe_fold(
        task.windows, task.fold, number=task.number, seeds=task.seeds, scaling=task.scaling
    )
    after = describe_fit(
        fitted,
        choice=choice,
        baseline=None if task.baseline is None else task.baseline.identity,
        cost=_describe_cost(task, fitted),
        device=device,
        at_once=at_once,
    )
    task.fold_folder.write(fitted, before | after, model=task.model_file, baseline=baseline)


def _describe_cost(task: FitTask, fitted: FittedFold) -> dict[str, Any]:
    """Count what the model costs; latency is measured in the first fold only."""
    counted = fitted.model.cost()
    latency = None
    if task.number == 0:
        row = int(task.fold.test[0])
        latency = measure_latency(fitted.model, task.windows, row, fitted.scaling)
    cost = {"multiply_adds": counted.multiply_adds, "latency_seconds": latency}
    return {"n_parameters": counted.parameters, "cost": cost}
