"""All folds of an experiment as one piece of work, for a device that one fold leaves idle."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from eegemo.errors import InputError
from eegemo.execution import Engine, Progress, may_use_gpu, run_tasks
from eegemo.tasks import FitTask, open_fold, prepare_device, save_fold
from eegemo.training import can_fit_together, fit_candidates_together

__all__ = ["AllFoldsTask", "fit_all_and_save", "gather_folds", "runs_together"]


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
    """Fit folds at once, and write the folder of each as `eegemo.tasks.fit_and_save` does."""
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


def find_back_end(_: object = None) -> tuple[str, str]:
    """Load Keras, and return its back end and the device it uses."""
    device = prepare_device()
    import keras

    return keras.backend.backend(), device


def runs_together(engine: Engine, *, jobs: int = 0) -> bool:
    """Tell whether folds are to be fitted at once.

    Parameters
    ----------
    engine : {"auto", "local", "together", "dask"}
    jobs : int
        With 0 Keras is loaded in this process, where it has to be asked.

    Raises
    ------
    InputError
        If that was asked for and Keras's back end cannot do it.

    Examples
    --------
    >>> runs_together("local")
    False
    """
    # without a driver there is no GPU, and Keras need not be loaded to know it
    if engine not in ("auto", "together") or (engine == "auto" and not may_use_gpu()):
        return False
    ((back_end, device),) = run_tasks(find_back_end, [None], jobs=min(jobs, 1))
    if engine == "together" and back_end != "jax":
        raise InputError(
            f"--engine together: it needs Keras's JAX back end, and this is {back_end}. Install "
            "it (pip install eegemo[jax]) and set the environment variable KERAS_BACKEND=jax."
        )
    return engine == "together" or (back_end == "jax" and device.startswith(("gpu", "cuda")))
