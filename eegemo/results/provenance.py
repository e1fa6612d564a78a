"""Provenance of a result: versions, machine, commit, memory; and the record of each fold."""

import datetime
import os
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

import eegemo
from eegemo.config import Experiment
from eegemo.execution import peak_memory
from eegemo.registry import MODELS
from eegemo.scaling import Scaling
from eegemo.splits import GROUPS, Fold, group_numbers, shared_groups
from eegemo.training import FittedFold
from eegemo.windows import Windows

__all__ = [
    "describe_fit",
    "describe_fold",
    "describe_model",
    "describe_software",
    "git_commit",
    "now",
]

_PACKAGES = "keras tensorflow jax torch mne numpy scipy scikit-learn pandas pyarrow skops"


def now() -> str:
    """Return the time, in UTC, to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def git_commit() -> str | None:
    """Return the commit of eegemo's checkout, and whether files differ from it."""
    folder = Path(eegemo.__file__).parent
    try:
        _git(
            folder, "ls-files", "--error-unmatch", "__init__.py"
        )  # fails in a repository that merely contains it
        answers = [
            _git(folder, "rev-parse", "HEAD"),
            _git(folder, "status", "--porcelain", "--", "."),
        ]
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{answers[0]}{' with changes' if answers[1] else ''}"


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    return done.stdout.strip()


def describe_software() -> dict[str, Any]:
    """Describe the software: eegemo, Python, the back end and the versions of packages."""
    versions = {}
    for name in _PACKAGES.split():
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "eegemo": eegemo.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "backend": os.environ.get("KERAS_BACKEND", "tensorflow"),
        "versions": versions,
    }


def describe_model(experiment: Experiment) -> dict[str, Any]:
    """Describe the model: its name, how reports write it, and whose code it is.

    Of the file that holds code which eegemo does not come with, only the name is told: the folder
    may tell who somebody is.
    """
    model, name = experiment.make_model(), experiment.model.name
    described = {"name": name, "title": model.title, "framework": model.framework}
    if not MODELS.is_foreign(name):
        return described
    code = MODELS.describe_code(name)
    own = asdict(code) | {"file": None if code.file is None else Path(code.file).name}
    return described | {"code": own}


def describe_fold(
    windows: Windows, fold: Fold, *, number: int, seeds: Mapping[str, int], scaling: Scaling
) -> dict[str, Any]:
    """Return the part of ``fold.json`` that does not depend on training."""
    classes = windows.labels.classes
    table = windows.table

    def count(rows: np.ndarray, codes: np.ndarray) -> dict[str, int]:
        n = np.bincount(codes[rows], minlength=len(classes))
        return {name: int(k) for name, k in zip(classes, n, strict=True)}

    subjects = table["subject"].iloc[fold.train].astype(str).to_numpy()
    codes = windows.codes
    return {
        "fold": number,
        "name": fold.name,
        "repeat": fold.repeat,
        "seed": seeds["model"],
        "seeds": dict(seeds),
        "n_windows": {role: len(rows) for role, rows in fold.parts().items()},
        "windows": {role: count(rows, codes) for role, rows in fold.parts().items()},
        "trials": {
            role: count(np.unique(windows.trial[rows]), windows.labels.codes)
            for role, rows in fold.parts().items()
        },
        "train_windows_by_subject": {
            str(subject): count(fold.train[subjects == subject], codes)
            for subject in np.unique(subjects)
        },
        "shared": shared_groups(fold, group_numbers(table, _kinds(fold, windows))),
        "scaled_by_own_windows": list(scaling.own),
    }


def _kinds(fold: Fold, windows: Windows) -> list[str]:
    """Return the types of groups to count: recordings where a session may have several."""
    tells = fold.group == "run" or bool((windows.table["run"] != "1").any())
    return [kind for kind in GROUPS if kind != "run" or tells]


def describe_fit(
    fitted: FittedFold,
    *,
    choice: Mapping[str, Any] | None,
    baseline: Mapping[str, Any] | None,
    cost: Mapping[str, Any],
    device: str,
    n_joint: int = 1,
) -> dict[str, Any]:
    """Return the part of ``fold.json`` that depends on training.

    Parameters
    ----------
    fitted : FittedFold
    choice : mapping, optional
        The candidates, and the selected one.
    baseline : mapping, optional
        The arguments of the baseline.
    cost : mapping
        ``n_parameters``, and ``cost`` of a prediction.
    device : str
        The device of the fit.
    n_joint : int
        Number of folds that were fitted jointly.
    """
    return {
        "choice": choice,
        "baseline": baseline,
        "epochs": len(fitted.history),
        "best_epoch": fitted.best_epoch,
        "seconds": fitted.seconds,
        **cost,
        "made_with": {
            **describe_software(),
            "device": device,
            "folds_at_once": n_joint,
            "process": os.getpid(),
            "peak_memory_bytes": peak_memory(),
        },
    }
