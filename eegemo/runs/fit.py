"""The tasks of worker processes: fit one fold, or all folds as one program."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from eegemo.execution import Progress
from eegemo.models import is_network
from eegemo.models.keras.device import prepare_device
from eegemo.results.fold import FitTask, load_features, open_fold, save_fold
from eegemo.training import can_fit_together, fit_candidates, fit_candidates_together

__all__ = [
    "AllFoldsTask",
    "fit_all_and_save",
    "fit_and_save",
    "gather_folds",
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
        device = prepare_device()
        fits = fit_candidates_together(
            folds[0].windows,
            [one.fold for one in folds],
            candidates=folds[0].candidates,
            metric=folds[0].metric,
            scalings=[one.scaling for one in folds],
            numbers=[one.number for one in folds],
            seeds=[one.seeds["model"] for one in folds],
            history_paths=[one.folder / "history.csv" for one in folds],
            checkpoints=[one.folder / "checkpoint.npz" for one in folds],
        )
        for one, (fitted, choice) in zip(folds, fits, strict=True):
            save_fold(one, fitted, choice, device, at_once=len(folds))
    import keras

    keras.utils.clear_session()


def gather_folds(
    tasks: Sequence[FitTask], at_once: list[AllFoldsTask], progress: Progress
) -> list[FitTask]:
    """Add the folds of an experiment to what is fitted at once; return them if that cannot be."""
    if not tasks:
        return []
    scalings = [one.scaling for one in tasks]
    for candidate in tasks[0].candidates:
        reason = can_fit_together(candidate.model, scalings)
        if reason is not None:
            experiment = tasks[0].folder.parent.parent.name
            progress.say(f"{experiment}: folds are fitted one by one, since {reason}.")
            return list(tasks)
    at_once.append(AllFoldsTask(tuple(tasks)))
    return []


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
    network = is_network(task.candidates[0].model["name"])
    device = prepare_device() if network else "cpu"
    features = load_features(task)
    fitted, choice = fit_candidates(
        task.windows,
        task.fold,
        candidates=task.candidates,
        metric=task.metric,
        scaling=task.scaling,
        number=task.number,
        seed=task.seeds["model"],
        history_path=task.folder / "history.csv",
        checkpoint=task.folder / "checkpoint.npz",
        features=features,
    )
    save_fold(task, fitted, choice, device)
    if network:
        import keras

        keras.utils.clear_session()
