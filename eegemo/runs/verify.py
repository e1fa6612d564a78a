"""Repeat a stored result, and say whether it agrees.

With the same software on the same machine's CPU, a repeated run gives the same predictions to the
bit. The back ends of Keras draw their random numbers differently, so on another one nothing is
trained: the stored models predict again, which has to agree within `TOLERANCE`.
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
from eegemo.runs.prepare import prepare_result
from eegemo.runs.run import run_all
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
        If `eegemo.open_result` refuses the folder: it is no finished result, or its files are not
        what the run wrote.
    InputError
        If its data is not there any more.
    """
    stored = open_result(result, trust=trust)
    damaged = changed_files(stored.path)
    said = [f"Not what was written, or not to be checked: {', '.join(damaged)}."] if damaged else []
    versions = _different_versions(stored.provenance)
    if versions:
        listed = ", ".join(f"{name} {a} then, {b} now" for name, (a, b) in versions.items())
        said.append(f"Other software: {listed}.")
    context = RunContext.of(
        results=stored.path.parent if results is None else results,
        store=store,
        jobs=jobs,
        progress=progress,
        runner=runner,
        engine=engine,
    )
    with _place_beside(context) as elsewhere:
        plan = prepare_result(stored, elsewhere)
        before = stored.provenance["digests"]
        different = tuple(one for one in _DIGESTS if before[one] != plan.digests[one])
        if different:
            said.append(f"Not the same: {', '.join(different)}. So nothing was fitted.")
            return Verification(False, tuple(said), tuple(damaged), different, versions)
        said.append("Data, labels and folds are the same.")
        if plan.experiment.make_model().framework == "keras" and "backend" in versions:
            said.append("On another back end, the stored models were asked again.")
            if engine == "together":
                said.append("Nothing was trained, so --engine together had nothing to do.")
            repeated = _ask_again(stored, plan, context)
        else:
            then = stored.fitted_at_once
            if engine == "auto":
                elsewhere = replace(elsewhere, engine="together" if then else "local")
            (folder_again,) = run_all([plan.experiment], elsewhere, report=False)
            again = open_result(folder_again)
            ways = [_WAYS[then], _WAYS[again.fitted_at_once]]
            if ways[0] != ways[1]:
                said.append(f"Folds were fitted {ways[0]} then, {ways[1]} now.")
            repeated = again.predictions
    difference, same = compare_predictions(stored.predictions, repeated)
    said.append(_describe(difference, same))
    agrees = not damaged and difference is not None and difference <= TOLERANCE
    return Verification(agrees, tuple(said), tuple(damaged), different, versions, difference, same)


@contextmanager
def _place_beside(context: RunContext) -> Iterator[RunContext]:
    """Give the context a folder of results of its own for a while, beside the others."""
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
        ignore_cleanup_errors=True,  # after Ctrl-C, a worker elsewhere may write a moment longer
    ) as folder:
        # a relative path stays one: workers may know the folder by another name
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


@dataclass(frozen=True)
class _AskTask:
    """A stored fold, to predict its test windows again."""

    folder: FoldFolder
    model: Model
    shape: InputShape
    windows: Windows
    fold: Fold
    trace: Path | None = None

    def __str__(self) -> str:
        return f"fold {self.fold.name} of {self.folder.path.parent.parent.name}"


def ask_model(task: _AskTask) -> tuple[int, np.ndarray]:
    """Let a stored model predict on the back end in use; return the fold's number as well."""
    with span(f"predict {task}", task.trace):
        model, scaling = task.folder.load_model(task.model, task.shape)
        p = predict_windows(model, task.windows, task.fold.test, scaling)
    return task.folder.number, p


def _ask_again(result: Result, plan: Plan, context: RunContext) -> pd.DataFrame:
    """Let the stored models predict their test windows."""
    result.check_folds()
    tasks = [
        _AskTask(folder, result.model_of(folder), result.shape, plan.windows, fold, context.trace)
        for folder, fold in zip(result.folds, plan.folds, strict=True)
    ]
    parts = dict(context.map(ask_model, tasks))
    # the windows are those of the folds, whatever the stored table says that they are
    tables = [
        tabulate(plan.windows, fold, fold.test, folder.number, parts[folder.number])
        for folder, fold in zip(result.folds, plan.folds, strict=True)
    ]
    return pd.concat(tables, ignore_index=True)
