"""Tasks of worker processes: fit a fold, or all folds jointly."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from eegemo.config import Experiment
from eegemo.execution import Progress, span
from eegemo.models import FitFiles, Model, TrainingOptions
from eegemo.results import layout
from eegemo.results.fold import FoldFolder
from eegemo.results.plan import Plan
from eegemo.results.provenance import describe_fit, describe_fold
from eegemo.runs.refits import Relabelled
from eegemo.scaling import Scaling, fit_scaling
from eegemo.splits import Fold, split_seed
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
    "make_candidates",
    "make_fit_tasks",
    "model_seed",
    "prepare_device_of",
]


@dataclass(frozen=True)
class FitTask:
    """Task of a process: fit a fold. Signals are read from disk.

    Attributes
    ----------
    folder : Path
        The fold's folder.
    number : int
    windows : Windows
    fold : Fold
    scaling : Scaling
    candidates : tuple of Candidate
        The candidates; several for hyperparameter selection.
    metric : {"loss", "balanced_accuracy"}
        Criterion of the selection.
    seeds : dict of str to int
        ``split`` and ``model``.
    features : Path, optional
        File of the windows' band power, for the baseline.
    baseline : Model, optional
        The baseline, which is fitted on the same fold.
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
        """A file that exists once the task is done."""
        return self.folder / layout.DONE

    @property
    def fold_folder(self) -> FoldFolder:
        """The fold's folder."""
        return FoldFolder(self.folder)

    @property
    def model_file(self) -> str | None:
        """Name of the file of the fold's model; None if it cannot be stored."""
        return self.candidates[0].model.file

    @property
    def files(self) -> FitFiles:
        """Files of the training history and the checkpoint."""
        return FitFiles(self.fold_folder.history_path, self.fold_folder.checkpoint)

    def open(self) -> AbstractContextManager[bool]:
        """Lock the folder for this process; gives False if the fold is already fitted."""
        return self.fold_folder.open(*self.content)

    @property
    def content(self) -> tuple[str, dict[str, int], dict[str, int], str | None]:
        """The expected content of the finished folder, as `FoldFolder.holds` takes it."""
        lengths = {"predictions": len(self.fold.test)}
        if len(self.fold.validation):
            lengths["validation"] = len(self.fold.validation)
        if self.baseline is not None:
            lengths["baseline"] = len(self.fold.test)
        return self.fold.name, self.seeds, lengths, self.model_file


@dataclass(frozen=True)
class AllFoldsTask:
    """Task of a process: fit folds of one experiment jointly."""

    folds: tuple[FitTask, ...]

    def __str__(self) -> str:
        return f"all folds of {self.folds[0].folder.parent.parent.name}"

    @property
    def outcome(self) -> Path:
        """A file that exists once the task is done."""
        return self.folds[-1].outcome


def make_fit_tasks(
    plan: Plan,
    *,
    features: Path | None = None,
    baseline: Model | None = None,
    trace: Path | None = None,
    relabelled: Relabelled | None = None,
    number: int = 0,
) -> list[FitTask]:
    """Return a task for each fold of an experiment.

    Parameters
    ----------
    plan : Plan
    features : Path, optional
        File of the windows' band power.
    baseline : Model, optional
        Fitted on the same folds.
    trace : Path, optional
    relabelled : Relabelled, optional
        Windows and folds with exchanged labels, of a refit.
    number : int
        Of the refit, from 1; 0 for the true labels.
    """
    experiment = plan.experiment
    windows = plan.windows if relabelled is None else relabelled.windows
    folds = plan.folds if relabelled is None else relabelled.folds
    place = plan.folder if not number else plan.folder / layout.REFIT_FOLDER / str(number - 1)
    stream = (number,) if number else ()
    candidates = make_candidates(experiment)
    return [
        FitTask(
            folder=layout.fold_folder(place, k),
            number=k,
            windows=windows,
            fold=fold,
            scaling=fit_scaling(plan.windows, fold.train, **experiment.scaling.model_dump()),
            candidates=candidates,
            metric=experiment.choice.metric if experiment.choice is not None else "loss",
            seeds={
                "split": split_seed(experiment.seed, fold.repeat),
                "model": model_seed(experiment.seed, k, *stream),
            },
            features=features,
            baseline=baseline,
            trace=trace,
        )
        for k, fold in enumerate(folds)
    ]


def make_candidates(experiment: Experiment) -> tuple[Candidate, ...]:
    """Return the candidates of an experiment; one if nothing is to be chosen."""
    return tuple(
        Candidate(settings, candidate.make_model(), candidate.make_training())
        for settings, candidate in experiment.candidates()
    )


def model_seed(*numbers: int) -> int:
    """Return the seed of a model: of the experiment's seed, the fold, and the refit if it is one.

    Examples
    --------
    >>> model_seed(0, 1) == model_seed(0, 1, 1)
    False
    """
    return int(np.random.SeedSequence(list(numbers)).generate_state(1)[0] >> 1)


def fit_all_and_save(task: AllFoldsTask) -> None:
    """Fit folds jointly, and write the folder of each as `eegemo.runs.fit.fit_and_save` does."""
    with ExitStack() as stack:
        stack.enter_context(span(str(task), task.folds[0].trace))
        fold_tasks = [
            fold_task for fold_task in task.folds if stack.enter_context(fold_task.open())
        ]
        if not fold_tasks:
            return
        model = fold_tasks[0].candidates[0].model
        device = model.prepare_device()
        fits = fit_candidates_jointly(
            fold_tasks[0].windows,
            [fold_task.fold for fold_task in fold_tasks],
            candidates=fold_tasks[0].candidates,
            metric=fold_tasks[0].metric,
            scalings=[fold_task.scaling for fold_task in fold_tasks],
            numbers=[fold_task.number for fold_task in fold_tasks],
            seeds=[fold_task.seeds["model"] for fold_task in fold_tasks],
            files=[fold_task.files for fold_task in fold_tasks],
        )
        for fold_task, (fitted, choice) in zip(fold_tasks, fits, strict=True):
            _save(fold_task, fitted, choice, device, n_joint=len(fold_tasks))
    model.tidy()


def gather_folds(
    tasks: Sequence[FitTask], joint_tasks: list[AllFoldsTask], progress: Progress
) -> list[FitTask]:
    """Add the folds of an experiment to the joint tasks; return them if that is not possible."""
    if not tasks:
        return []
    scalings = [task.scaling for task in tasks]
    for candidate in tasks[0].candidates:
        reason = candidate.model.cannot_fit_many(scalings)
        if reason is not None:
            experiment = tasks[0].folder.parent.parent.name
            progress.message(f"{experiment}: folds are fitted separately, since {reason}.")
            return list(tasks)
    joint_tasks.append(AllFoldsTask(tuple(tasks)))
    return []


def prepare_device_of(model: Model) -> str:
    """Load the back end of a model, and name the device."""
    return model.prepare_device()


def fit_and_save(task: FitTask) -> None:
    """Fit a fold and write its folder; the marker ``done``, with all digests, comes last.

    Raises
    ------
    DiskFullError
        If the disk is full.
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
    n_joint: int = 1,
) -> None:
    """Fit the baseline, and write the fold's folder; `n_joint` folds were fitted jointly."""
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
        n_joint=n_joint,
    )
    task.fold_folder.write(fitted, before | after, model=task.model_file, baseline=baseline)


def _describe_cost(task: FitTask, fitted: FittedFold) -> dict[str, Any]:
    """Return the costs of a model; latency is measured in the first fold only."""
    counted = fitted.model.cost()
    latency = None
    if task.number == 0:
        row = int(task.fold.test[0])
        latency = measure_latency(fitted.model, task.windows, row, fitted.scaling)
    cost = {"multiply_adds": counted.multiply_adds, "latency_seconds": latency}
    return {"n_parameters": counted.parameters, "cost": cost}
