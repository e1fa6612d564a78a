"""The two pieces of work that processes do: store one subject's trials, and fit one fold.

This module is what a worker process imports, so it leaves out all that only the main process needs.
"""

import json
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from eegemo.errors import DataError, InputError
from eegemo.execution import configure, peak_memory, quiet_stderr
from eegemo.folds import Fold, group_numbers, shared_groups
from eegemo.predictions import read_predictions, write_predictions
from eegemo.preprocessing import preprocess
from eegemo.provenance import describe_software, now
from eegemo.recordings import Recording
from eegemo.scaling import Scaling
from eegemo.store import write_json, write_text
from eegemo.windows import Windows, store_trials

__all__ = ["FitTask", "TrialsTask", "fit_and_save", "is_fitted", "store_subject"]


@dataclass(frozen=True)
class TrialsTask:
    """Read, preprocess and store one subject.

    Attributes
    ----------
    recording : Recording
    folder : Path
        Where its trials go.
    preprocessing : dict
        Arguments of `eegemo.preprocessing.preprocess`.
    """

    recording: Recording
    folder: Path
    preprocessing: dict[str, Any]


def store_subject(task: TrialsTask) -> str:
    """Read, preprocess and store one subject, run by run."""
    import mne

    epochs, notes = [], []
    for run in task.recording.read(eeg_only=isinstance(task.preprocessing["channels"], str)):
        epochs.append(preprocess(run.inst, **task.preprocessing, cut=run.cut))
        notes += [f"Subject {task.recording.subject}: {note}" for note in run.notes]
    if not epochs:
        raise DataError(f"subject {task.recording.subject}: there is no recording with trials.")
    whole = mne.concatenate_epochs(epochs, verbose="ERROR") if len(epochs) > 1 else epochs[0]
    store_trials(whole, task.folder, notes=notes)
    return task.recording.subject


@dataclass(frozen=True)
class FitTask:
    """All that a process needs to fit one fold; signals are found on disk."""

    folder: Path
    number: int
    windows: Windows
    fold: Fold
    scaling: Scaling
    model: dict[str, Any]
    training: dict[str, Any]
    seed: int


def fit_and_save(task: FitTask) -> None:
    """Fit one fold and write its folder; the marker ``done`` comes last."""
    configure(device=os.environ.get("EEGEMO_DEVICE", "auto"))  # type: ignore[arg-type]
    with quiet_stderr():
        import keras

        from eegemo.training import fit_fold, save_model

    # TensorFlow warns that every fold traces a new model, which is what folds are
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    device = _device(keras.ops.zeros(1))
    if os.environ.get("EEGEMO_DEVICE") == "gpu" and not device.startswith(("gpu", "cuda")):
        raise InputError(
            f"--device gpu: Keras's {keras.backend.backend()} back end sees no GPU here, only "
            f"{device}. Use --device auto, or install a back end that supports this GPU."
        )
    fitted = fit_fold(
        task.windows,
        task.fold,
        model=task.model,
        scaling=task.scaling,
        number=task.number,
        seed=task.seed,
        history_path=task.folder / "history.csv",
        **task.training,
    )
    save_model(fitted.model, task.folder / "model.keras")
    task.scaling.save(task.folder / "scaling.npz")
    write_predictions(fitted.predictions, task.folder / "predictions.parquet")
    record = _describe_fold(task) | {
        "epochs": len(fitted.history),
        "best_epoch": fitted.best_epoch,
        "seconds": fitted.seconds,
        "n_parameters": int(fitted.model.count_params()),
        "made_with": {
            **describe_software(),
            "device": device,
            "process": os.getpid(),
            "peak_memory_bytes": peak_memory(),
        },
    }
    write_json(task.folder / "fold.json", record)
    write_text(task.folder / "done", now() + "\n")
    keras.utils.clear_session()


def is_fitted(task: FitTask) -> bool:
    """Tell whether the task's folder holds the whole result of this very task."""
    try:
        record = json.loads((task.folder / "fold.json").read_text(encoding="utf-8"))
        tested = len(read_predictions(task.folder / "predictions.parquet"))
        same = (record["name"], record["seed"]) == (task.fold.name, task.seed)
    except (OSError, ValueError, KeyError, TypeError):
        return False
    names = ("done", "model.keras", "scaling.npz", "history.csv")
    there = all((task.folder / name).is_file() for name in names)
    return same and there and tested == len(task.fold.test)


def _device(tensor: Any) -> str:
    """Say where a tensor is, as ``cpu:0`` or ``gpu:0``; each back end says it in its own way."""
    return str(getattr(tensor, "device", "cpu")).lower().rpartition("device:")[2]


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
        "seed": task.seed,
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
