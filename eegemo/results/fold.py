"""The folder of one fold: written, locked, checked, read."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from eegemo.config import Experiment
from eegemo.errors import DataError
from eegemo.evaluation import read_predictions, write_predictions
from eegemo.execution import peak_memory
from eegemo.models import FittedModel, InputShape, Model, TrainingOptions
from eegemo.results.provenance import describe_software, now
from eegemo.scaling import Scaling
from eegemo.splits import Fold, group_numbers, shared_groups
from eegemo.store import changed_files, lock, manifest, naming_full_disk, write_json
from eegemo.training import Candidate, FittedFold, fit_fold, measure_latency
from eegemo.windows import Windows

__all__ = [
    "FitTask",
    "is_fitted",
    "is_fold_whole",
    "open_fold",
    "remove_checkpoints",
    "save_fold",
]


def _read_fold(folder: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((folder / "fold.json").read_text(encoding="utf-8"))
    return record


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

    def __str__(self) -> str:
        return f"fold {self.fold.name} of {self.folder.parent.parent.name}"

    @property
    def outcome(self) -> Path:
        """A file that is there once the task has been done."""
        return self.folder / "done"


@contextmanager
def open_fold(task: FitTask) -> Iterator[bool]:
    """Keep a fold's folder for this process, cleared; give False if it is fitted by now."""
    # a worker whose run was killed may live for a moment longer
    with naming_full_disk(task.folder), lock(task.folder / ".lock", wait=True):
        wanted = not is_fitted(task)  # by another worker, given up for lost too soon
        if wanted:
            _clear(task.folder)
        yield wanted


def _clear(folder: Path) -> None:
    """Remove what an interrupted or damaged fold has left, but for checkpoints to go on from."""
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry.name != ".lock" and not entry.match("checkpoint*.npz"):
            entry.unlink()


def load_features(task: FitTask) -> np.ndarray | None:
    """Map the windows' band power, if the task has any."""
    return None if task.features is None else np.load(task.features, mmap_mode="r")


def save_fold(
    task: FitTask,
    fitted: FittedFold,
    choice: dict[str, Any] | None,
    device: str,
    *,
    at_once: int = 1,
) -> None:
    """Fit the baseline, and write the fold's folder; `at_once` folds were fitted as one program."""
    stored = model_file(task)
    if stored is not None:
        fitted.model.save(task.folder / stored)
    task.scaling.save(task.folder / "scaling.npz")
    write_predictions(fitted.predictions, task.folder / "predictions.parquet")
    if len(fitted.validation):
        write_predictions(fitted.validation, task.folder / "validation.parquet")
    if task.baseline is not None:
        baseline = fit_fold(
            task.windows,
            task.fold,
            model=task.baseline,
            scaling=task.scaling,
            number=task.number,
            training=TrainingOptions(class_weight=task.candidates[0].training.class_weight),
            features=load_features(task),
        )
        write_predictions(baseline.predictions, task.folder / "baseline.parquet")
    record = _describe_fold(task) | {
        "choice": choice,
        "baseline": None if task.baseline is None else task.baseline.identity,
        "epochs": len(fitted.history),
        "best_epoch": fitted.best_epoch,
        "seconds": fitted.seconds,
        **_describe_cost(task, fitted),
        "made_with": {
            **describe_software(),
            "device": device,
            "folds_at_once": at_once,
            "process": os.getpid(),
            "peak_memory_bytes": peak_memory(),
        },
    }
    write_json(task.folder / "fold.json", record)
    names = ["history.csv", "scaling.npz", "fold.json", *filter(None, [stored])]
    names += [f"{name}.parquet" for name in _predicted(task)]
    content = {"finished": now(), "files": manifest(task.folder, sorted(names))}
    write_json(task.folder / "done", content)
    remove_checkpoints(task.folder)


def _describe_cost(task: FitTask, fitted: FittedFold) -> dict[str, Any]:
    """Count what the model costs; latency is measured in the first fold only."""
    counted = fitted.model.cost()
    latency = None
    if task.number == 0:
        row = int(task.fold.test[0])
        latency = measure_latency(fitted.model, task.windows, row, fitted.scaling)
    cost = {"multiply_adds": counted.multiply_adds, "latency_seconds": latency}
    return {"n_parameters": counted.parameters, "cost": cost}


def model_file(task: FitTask) -> str | None:
    """Name the file of the fold's model; None if it cannot be stored."""
    return task.candidates[0].model.file


def _predicted(task: FitTask) -> dict[str, int]:
    """Return the tables of predictions that the fold's folder holds, and their lengths."""
    wanted = {"predictions": len(task.fold.test)}
    if len(task.fold.validation):
        wanted["validation"] = len(task.fold.validation)
    if task.baseline is not None:
        wanted["baseline"] = len(task.fold.test)
    return wanted


def is_fitted(task: FitTask) -> bool:
    """Tell whether the task's folder holds the whole result of this very task, undamaged."""
    if not is_fold_whole(task.folder):
        return False
    wanted = _predicted(task)
    names = ["scaling.npz", "history.csv", *(f"{one}.parquet" for one in wanted)]
    names += filter(None, [model_file(task)])
    if not all((task.folder / name).is_file() for name in names):
        return False
    try:
        record = json.loads((task.folder / "fold.json").read_text(encoding="utf-8"))
        return (record["name"], record["seeds"]) == (task.fold.name, task.seeds) and all(
            len(read_predictions(task.folder / f"{name}.parquet")) == n
            for name, n in wanted.items()
        )
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def is_fold_whole(folder: Path) -> bool:
    """Tell whether a fold is finished and each of its files what it was then.

    ``done`` holds their digests, so that a single flipped byte is noticed.
    """
    try:
        files = dict(json.loads((folder / "done").read_text(encoding="utf-8"))["files"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False
    return bool(files) and not changed_files(folder, files)


def remove_checkpoints(folder: Path) -> None:
    """Remove the checkpoints of a finished fold."""
    for checkpoint in folder.glob("checkpoint*.npz"):
        checkpoint.unlink(missing_ok=True)


def _describe_fold(task: FitTask) -> dict[str, Any]:
    """Return the part of fold.json that does not depend on training."""
    windows, fold = task.windows, task.fold
    classes = windows.labels.classes
    table = windows.table

    def count(rows: np.ndarray, codes: np.ndarray) -> dict[str, int]:
        n = np.bincount(codes[rows], minlength=len(classes))
        return {name: int(k) for name, k in zip(classes, n, strict=True)}

    own = table["subject"].iloc[fold.train].astype(str).to_numpy()
    codes = windows.codes
    return {
        "fold": task.number,
        "name": fold.name,
        "repeat": fold.repeat,
        "seed": task.seeds["model"],
        "seeds": task.seeds,
        "n_windows": {role: len(rows) for role, rows in fold.parts().items()},
        "windows": {role: count(rows, codes) for role, rows in fold.parts().items()},
        "trials": {
            role: count(np.unique(windows.trial[rows]), windows.labels.codes)
            for role, rows in fold.parts().items()
        },
        "train_windows_by_subject": {
            str(subject): count(fold.train[own == subject], codes) for subject in np.unique(own)
        },
        "shared": shared_groups(fold, group_numbers(table)),
        "scaled_by_own_windows": list(task.scaling.own),
    }


def load_fitted(folder: Path, experiment: Experiment, shape: InputShape) -> FittedModel:
    """Load the model of a finished fold: that of the candidate which the fold chose.

    Parameters
    ----------
    folder : Path
    experiment : Experiment
    shape : InputShape
        Of the windows to classify.

    Raises
    ------
    DataError
        If the file is missing or damaged, or its model is for other windows or classes.
    """
    choice = _read_fold(folder).get("choice")
    candidates = experiment.candidates()
    model = candidates[choice["chosen"] if choice else 0][1].make_model()
    if model.file is None or not (folder / model.file).is_file():
        raise DataError(
            f"{folder}: the fold's model was not stored. An estimator of your own is stored where "
            "the package skops is installed (pip install eegemo[skops])."
        )
    return model.load(folder / model.file, shape)
