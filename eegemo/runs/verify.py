"""Repeat a stored result, and check that it agrees.

With the same software on the same machine's CPU, a repeated run gives the same predictions to the
bit. The back ends of Keras draw different random numbers. On another back end, the stored models
predict again without training, and have to agree within `TOLERANCE`.
"""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from eegemo.errors import InputError
from eegemo.evaluation import class_names, predicted_classes
from eegemo.evaluation.predictions import probabilities
from eegemo.execution import Engine, Progress, RunContext, Runner, run_tasks, span
from eegemo.models import InputShape, Model
from eegemo.results import Result, open_result
from eegemo.results.fold import FoldFolder
from eegemo.results.plan import Plan
from eegemo.results.provenance import describe_software
from eegemo.runs.prepare import prepare_experiment
from eegemo.runs.run import run_all
from eegemo.splits import Fold
from eegemo.store import changed_files, remove_leftovers, temporary_prefix
from eegemo.training import predict_windows, tabulate
from eegemo.windows import Windows

__all__ = ["TOLERANCE", "Verification", "compare_predictions", "verify_result"]

#: The largest difference between two probabilities that still counts as agreement.
TOLERANCE = 1e-4
_DIGESTS = ("data", "labels", "folds")
_MODES = {False: "separately", True: "jointly"}
_TRIAL = ["repeat", "fold", "subject", "session", "trial", "stimulus", "start", "y_true"]


@dataclass(frozen=True)
class Verification:
    """The outcome of repeating a result.

    Attributes
    ----------
    agrees : bool
        Whether nothing differs but, at most, probabilities by `TOLERANCE`.
    sentences : tuple of str
        The findings, for readers.
    damaged : tuple of str
        Files of the result that are not as they were written.
    different : tuple of str
        Which of data, labels and folds differ; then nothing was fitted.
    versions : dict of str to (str, str)
        Software that differs: then, and now.
    max_difference : float or None
        Between two probabilities; 0 if all are equal to the bit, None if nothing was fitted.
    same_classes : float or None
        Fraction of windows whose predicted class is the same.
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
    """Repeat a result from its own ``experiment.yaml`` and compare, without changing it.

    Parameters
    ----------
    result : path
        A result folder.
    results : path, optional
        Temporary location of the repetition; the folder that contains the result if not given.
    store : path, optional
        Where trials are stored; ``.store`` in that folder if not given.
    jobs : int
        Number of processes; 0 runs everything in the current process.
    progress : Progress, optional
        Receives messages and progress.
    runner : callable, optional
        Runs the tasks of subjects and folds, as `eegemo.execution.run_tasks` does.
    engine : {"auto", "local", "together", "dask"}
        How folds are fitted, as in `eegemo.runs.run.run_experiments`, except that ``"auto"`` is
        the engine of the result: another engine rounds differently.
    trust : bool
        Whether a model or data set that the result names by an import path may be imported, which
        runs its code.

    Returns
    -------
    verification : Verification

    Raises
    ------
    ResultError
        If `eegemo.open_result` refuses the folder: the result is not finished, or its files are not
        as the run wrote them.
    InputError
        If its data no longer exists.
    """
    stored = open_result(result, trust=trust)
    damaged = changed_files(stored.path)
    sentences = [f"Changed or unreadable files: {', '.join(damaged)}."] if damaged else []
    versions = _different_versions(stored.provenance)
    if versions:
        changes = ", ".join(f"{name} {a} then, {b} now" for name, (a, b) in versions.items())
        sentences.append(f"Different software: {changes}.")
    context = RunContext.of(
        results=stored.path.parent if results is None else results,
        store=store,
        jobs=jobs,
        progress=progress,
        runner=runner,
        engine=engine,
    )
    with temporary_results(context) as temporary:
        plan = prepare_experiment(stored.experiment, temporary)
        before = stored.provenance["digests"]
        different = tuple(name for name in _DIGESTS if before[name] != plan.digests[name])
        if different:
            sentences.append(f"Different: {', '.join(different)}. Nothing was fitted.")
            return Verification(False, tuple(sentences), tuple(damaged), different, versions)
        sentences.append("Data, labels and folds are the same.")
        elsewhere = plan.experiment.make_model().framework == "keras" and "backend" in versions
        if not elsewhere:
            jointly = stored.fitted_jointly
            if engine == "auto":
                temporary = replace(temporary, engine="together" if jointly else "local")
            (folder_again,) = run_all([plan.experiment], temporary, report=False)
            again = open_result(folder_again)
            modes = [_MODES[jointly], _MODES[again.fitted_jointly]]
            if modes[0] != modes[1]:
                sentences.append(f"Folds were fitted {modes[0]} then, {modes[1]} now.")
            repeated = again.predictions
        else:
            sentences.append(
                "On another back end, the stored models predicted again, without training."
            )
            if engine == "together":
                sentences.append("Nothing was trained, so --engine together had no effect.")
            repeated = predict_again(stored, plan, context)
    difference, same = compare_predictions(stored.predictions, repeated)
    sentences.append(_describe(difference, same))
    agrees = not damaged and difference is not None and difference <= TOLERANCE
    return Verification(
        agrees, tuple(sentences), tuple(damaged), different, versions, difference, same
    )


@contextmanager
def temporary_results(context: RunContext) -> Iterator[RunContext]:
    """Yield the context with a temporary folder of results, next to the others."""
    results = context.results
    try:
        results.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{results}: expected a folder to repeat the result in ({error})."
        ) from error
    remove_leftovers(results)
    with tempfile.TemporaryDirectory(
        prefix=temporary_prefix("verify"),
        dir=results,
        ignore_cleanup_errors=True,  # after Ctrl-C, a remote worker may write for a moment longer
    ) as folder:
        # keep a relative path: workers may mount the folder elsewhere
        yield replace(context, results=results / Path(folder).name)


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
        Fraction of windows whose predicted class is the same.
    """
    comparable = len(first) == len(second) and class_names(first) == class_names(second)
    if not comparable or not (first[_TRIAL].to_numpy() == second[_TRIAL].to_numpy()).all():
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


def _different_versions(provenance: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    def flat(software: Mapping[str, Any]) -> dict[str, str]:
        packages = software.get("versions")
        packages = packages if isinstance(packages, Mapping) else {}
        named = {name: software.get(name) for name in ("eegemo", "python", "backend", "platform")}
        return {name: str(value) for name, value in {**named, **packages}.items()}

    then, now = flat(provenance), flat(describe_software())
    return {
        name: (then.get(name, "none"), now.get(name, "none"))
        for name in sorted({*then, *now})
        if then.get(name) != now.get(name)
    }


@dataclass(frozen=True)
class _PredictTask:
    """Task of a process: predict the test windows of a stored fold again."""

    folder: FoldFolder
    model: Model
    shape: InputShape
    windows: Windows
    fold: Fold
    trace: Path | None = None

    def __str__(self) -> str:
        return f"fold {self.fold.name} of {self.folder.path.parent.parent.name}"


def predict_fold_again(task: _PredictTask) -> tuple[int, np.ndarray]:
    """Predict with a stored model; return the number of the fold and the probabilities."""
    with span(f"predict {task}", task.trace):
        model, scaling = task.folder.load_model(task.model, task.shape)
        predicted = predict_windows(model, task.windows, task.fold.test, scaling)
    return task.folder.number, predicted


def predict_again(result: Result, plan: Plan, context: RunContext) -> pd.DataFrame:
    """Predict all test windows with the stored models."""
    result.check_folds()
    tasks = [
        _PredictTask(
            folder, result.model_of(folder), result.shape, plan.windows, fold, context.trace
        )
        for folder, fold in zip(result.folds, plan.folds, strict=True)
    ]
    parts = dict(context.map(predict_fold_again, tasks))
    # the windows are those of the folds, not those that the stored table claims
    tables = [
        tabulate(plan.windows, fold, fold.test, folder.number, parts[folder.number])
        for folder, fold in zip(result.folds, plan.folds, strict=True)
    ]
    return pd.concat(tables, ignore_index=True)
