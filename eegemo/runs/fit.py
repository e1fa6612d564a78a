"""The tasks of worker processes: fit one fold, or all folds as one program."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from eegemo.execution import Progress
from eegemo.models import FitFiles, Model
from eegemo.results.fold import FitTask, load_features, open_fold, save_fold
from eegemo.training import fit_candidates, fit_candidates_jointly

__all__ = [
    "AllFoldsTask",
    "fit_all_and_save",
    "fit_and_save",
    "gather_folds",
    "prepare_device_of",
]


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
        folds = [one for one in task.folds if stack.enter_context(open_fold(one))]
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
            files=[_files_of(one) for one in folds],
        )
        for one, (fitted, choice) in zip(folds, fits, strict=True):
            save_fold(one, fitted, choice, device, at_once=len(folds))
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
            progress.say(f"{experiment}: folds are fitted one by one, since {reason}.")
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
    with open_fold(task) as wanted:
        if wanted:
            _fit_and_save(task)


def _fit_and_save(task: FitTask) -> None:
    model = task.candidates[0].model
    device = model.prepare_device()
    features = load_features(task)
    fitted, choice = fit_candidates(
        task.windows,
        task.fold,
        candidates=task.candidates,
        metric=task.metric,
        scaling=task.scaling,
        number=task.number,
        seed=task.seeds["model"],
        files=_files_of(task),
        features=features,
    )
    save_fold(task, fitted, choice, device)
    model.tidy()


def _files_of(task: FitTask) -> FitFiles:
    return FitFiles(task.folder / "history.csv", task.folder / "checkpoint.npz")
