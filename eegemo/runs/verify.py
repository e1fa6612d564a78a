"""Repeat a stored result, and say whether it agrees.

With the same software on the same machine's CPU, a repeated run gives the same predictions to the
bit. The back ends of Keras draw their random numbers differently, so on another one nothing is
trained: the stored models predict again, which has to agree within `TOLERANCE`.
"""

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from eegemo.config import Experiment, load_experiment
from eegemo.errors import InputError, ResultError
from eegemo.evaluation import class_names, predicted_classes, read_predictions
from eegemo.evaluation.predictions import probabilities
from eegemo.execution import Engine, Progress, Runner, run_tasks
from eegemo.models.base import shape_of
from eegemo.results.fold import load_fitted
from eegemo.results.plan import Prepared
from eegemo.results.provenance import describe_software
from eegemo.runs.prepare import prepare_experiment
from eegemo.runs.run import run_experiments
from eegemo.scaling import load_scaling
from eegemo.splits import Fold
from eegemo.store import changed_files, remove_leftovers, temporary_prefix
from eegemo.training import predict_windows, tabulate
from eegemo.windows import Windows

__all__ = ["TOLERANCE", "Verification", "compare_predictions", "verify_result"]

#: The largest difference between two probabilities that still counts as agreement.
TOLERANCE = 1e-4
_DIGESTS = ("data", "labels", "folds")
_WAYS = {False: "one by one", True: "all at once"}
_TRIAL = ["repeat", "fold", "subject", "session", "trial", "stimulus", "start", "y_true"]


@dataclass(frozen=True)
class Verification:
    """What came of repeating a result.

    Attributes
    ----------
    agrees : bool
        Whether nothing differs but, at most, probabilities by `TOLERANCE`.
    sentences : tuple of str
        What was found, for people.
    damaged : tuple of str
        Files of the result that are not what was written.
    different : tuple of str
        Which of data, labels and folds differ; then nothing was fitted.
    versions : dict of str to (str, str)
        Software that differs: then, and now.
    max_difference : float or None
        Between two probabilities; 0 if all are equal to the bit, None if nothing was fitted.
    same_classes : float or None
        Share of windows whose predicted class is the same.
    """

    agrees: bool
    sentences: tuple[str, ...]
    damaged: tuple[str, ...] = ()
    different: tuple[str, ...] = ()
    versions: Mapping[str, tuple[str, str]] | None = None
    max_difference: float | None = None
    same_classes: float | None = None


def verify_result(
    result: str | Path,
    *,
    results: str | Path | None = None,
    store: str | Path | None = None,
    jobs: int = 0,
    progress: Progress | None = None,
    runner: Runner = run_tasks,
    engine: Engine = "auto",
    trust: bool = False,
) -> Verification:
    """Repeat a result from its own ``experiment.yaml``, and compare; the result is not changed.

    Parameters
    ----------
    result : path
        A result folder.
    results : path, optional
        Folder to repeat it in, for a while; the one the result lies in if not given.
    store : path, optional
        Where trials are stored; ``.store`` in that folder if not given.
    jobs : int
        Number of processes; 0 runs everything in this one.
    progress : Progress, optional
        Told what happens.
    runner : callable, optional
        Does the work of each subject and fold, as `eegemo.execution.run_tasks`.
    engine : {"auto", "local", "together", "dask"}
        How folds are fitted, as in `eegemo.runs.run.run_experiments`, but that ``"auto"`` is the
        way in which those of the result were: fitting them in another way rounds differently.
    trust : bool
        Whether a model or data set that the result names by an import path may be imported, which
        runs its code.

    Returns
    -------
    verification : Verification

    Raises
    ------
    ResultError
        If this is no result folder, or its predictions cannot be read.
    InputError
        If its data is not there any more.
    """
    result, progress = Path(result), progress or Progress()
    experiment, provenance = _read(result, trust)
    stored = read_predictions(result / "predictions.parquet")
    damaged = changed_files(result)
    said = [f"Not what was written, or not to be checked: {', '.join(damaged)}."] if damaged else []
    versions = _different_versions(provenance)
    if versions:
        listed = ", ".join(f"{name} {a} then, {b} now" for name, (a, b) in versions.items())
        said.append(f"Other software: {listed}.")
    results = result.parent if results is None else Path(results)
    try:
        results.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{results}: expected a folder to repeat the result in ({error})."
        ) from error
    store = results / ".store" if store is None else Path(store)
    remove_leftovers(results)
    with tempfile.TemporaryDirectory(
        prefix=temporary_prefix("verify"),
        dir=results,
        ignore_cleanup_errors=True,  # after Ctrl-C, a worker elsewhere may write a moment longer
    ) as folder:
        again: dict[str, Any] = {
            # a relative path stays one: workers may know the folder by another name
            "results": results / Path(folder).name,
            "store": store,
            "jobs": jobs,
            "progress": progress,
            "runner": runner,
        }
        prepared = prepare_experiment(experiment, **again)
        before = provenance["digests"]
        different = tuple(one for one in _DIGESTS if before[one] != prepared.digests[one])
        if different:
            said.append(f"Not the same: {', '.join(different)}. So nothing was fitted.")
            return Verification(False, tuple(said), tuple(damaged), different, versions)
        said.append("Data, labels and folds are the same.")
        if experiment.make_model().framework == "keras" and "backend" in versions:
            said.append("On another back end, the stored models were asked again.")
            if engine == "together":
                said.append("Nothing was trained, so --engine together had nothing to do.")
            repeated = _ask_again(result, prepared, runner, jobs, progress)
        else:
            then = _fitted_at_once(result)
            if engine == "auto":
                engine = "together" if then else "local"
            (folder_again,) = run_experiments([experiment], report=False, engine=engine, **again)
            ways = [_WAYS[then], _WAYS[_fitted_at_once(folder_again)]]
            if ways[0] != ways[1]:
                said.append(f"Folds were fitted {ways[0]} then, {ways[1]} now.")
            repeated = read_predictions(folder_again / "predictions.parquet")
    difference, same = compare_predictions(stored, repeated)
    said.append(_describe(difference, same))
    agrees = not damaged and difference is not None and difference <= TOLERANCE
    return Verification(agrees, tuple(said), tuple(damaged), different, versions, difference, same)


def compare_predictions(
    first: pd.DataFrame, second: pd.DataFrame
) -> tuple[float | None, float | None]:
    """Compare two tables of predictions of the same windows, in the same order.

    Returns
    -------
    max_difference : float or None
        Between two probabilities; exactly 0 only if all are equal to the bit. None if the tables
        are not of the same windows and classes.
    same_classes : float or None
        Share of windows whose predicted class is the same.
    """
    alike = len(first) == len(second) and class_names(first) == class_names(second)
    if not alike or not (first[_TRIAL].to_numpy() == second[_TRIAL].to_numpy()).all():
        return None, None
    if not len(first):
        return 0.0, 1.0
    gap = np.abs(probabilities(first).astype(float) - probabilities(second).astype(float))
    return float(gap.max()), float(np.mean(predicted_classes(first) == predicted_classes(second)))


def _describe(difference: float | None, same: float | None) -> str:
    if difference is None or same is None:
        return "The predictions are of other windows or classes."
    if difference == 0:
        return "All predictions are the same, to the bit."
    return (
        f"Predicted probabilities differ by up to {difference:.2g} ({TOLERANCE:g} counts as "
        f"agreement); {100 * same:.1f} % of the windows have the same predicted class."
    )


def _read(result: Path, trust: bool) -> tuple[Experiment, dict[str, Any]]:
    file = result / "experiment.yaml"
    if not file.is_file():
        raise ResultError(f"{result}: expected a result folder, found no experiment.yaml in it.")
    try:
        provenance = json.loads((result / "provenance.json").read_text(encoding="utf-8"))
        if not all(isinstance(provenance["digests"][name], str) for name in _DIGESTS):
            raise TypeError("a digest that is no text")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ResultError(
            f"{result / 'provenance.json'}: cannot be read, or has no digests of data, labels and "
            f"folds ({type(error).__name__}). Run the experiment again to have it made anew."
        ) from error
    return load_experiment(file, trust=trust), provenance


def _different_versions(provenance: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    def flat(software: Mapping[str, Any]) -> dict[str, str]:
        packages = software.get("versions")
        packages = packages if isinstance(packages, Mapping) else {}
        own = {name: software.get(name) for name in ("eegemo", "python", "backend", "platform")}
        return {name: str(value) for name, value in {**own, **packages}.items()}

    then, now = flat(provenance), flat(describe_software())
    return {
        name: (then.get(name, "none"), now.get(name, "none"))
        for name in sorted({*then, *now})
        if then.get(name) != now.get(name)
    }


def _fitted_at_once(result: Path) -> bool:
    """Tell whether folds of a result were fitted as one program."""
    for file in result.glob("folds/*/fold.json"):
        try:
            if json.loads(file.read_text(encoding="utf-8"))["made_with"]["folds_at_once"] > 1:
                return True
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            continue  # it does not say
    return False


@dataclass(frozen=True)
class _AskTask:
    """A stored fold, to predict its test windows again."""

    folder: Path
    number: int
    windows: Windows
    fold: Fold
    experiment: Experiment

    def __str__(self) -> str:
        return f"fold {self.fold.name} of {self.folder.parent.parent.name}"


def ask_model(task: _AskTask) -> tuple[int, np.ndarray]:
    """Let a stored model predict on the back end in use; return the fold's number as well."""
    model = load_fitted(task.folder, task.experiment, shape_of(task.windows))
    scaling = load_scaling(task.folder / "scaling.npz")
    return task.number, predict_windows(model, task.windows, task.fold.test, scaling)


def _ask_again(
    result: Path,
    prepared: Prepared,
    runner: Runner,
    jobs: int,
    progress: Progress,
) -> pd.DataFrame:
    """Let the stored models predict their test windows."""
    tasks = [
        _AskTask(
            result / "folds" / str(number), number, prepared.windows, fold, prepared.experiment
        )
        for number, fold in enumerate(prepared.folds)
    ]
    parts = dict(runner(ask_model, tasks, jobs=jobs, say=progress.say))
    # the windows are those of the folds, whatever the stored table says that they are
    tables = [
        tabulate(task.windows, task.fold, task.fold.test, task.number, parts[task.number])
        for task in tasks
    ]
    return pd.concat(tables, ignore_index=True)
