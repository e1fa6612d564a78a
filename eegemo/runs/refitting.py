"""Do the refits that an experiment asks for, and keep their scores with its result."""

from __future__ import annotations

import shutil
from typing import Any

import numpy as np

from eegemo.errors import ResultError
from eegemo.evaluation import class_names, read_predictions
from eegemo.evaluation.predictions import probabilities
from eegemo.evaluation.statistics.trials import TIE
from eegemo.execution import RunContext, run_tasks
from eegemo.features.stored import store_features
from eegemo.results import layout
from eegemo.results.plan import Plan
from eegemo.results.refits import VERSION, refits_of, write_refits
from eegemo.runs.fit import (
    AllFoldsTask,
    FitTask,
    fit_all_and_save,
    fit_and_save,
    gather_folds,
    make_candidates,
    make_fit_tasks,
)
from eegemo.runs.refits import RefitTask, Relabelled, refit_chunk, relabel, score_folds
from eegemo.store import digest_json

__all__ = ["has_refits", "n_refits", "run_refits"]

# Tasks for each process, so that progress shows and an interruption costs little.
_CHUNKS = 8


def n_refits(plan: Plan) -> int:
    """Return how many refits an experiment gets; none where no p-value could be believed."""
    experiment = plan.experiment
    leaks = experiment.split.group in ("window", "segment")
    if experiment.shuffle_labels is not None or leaks or not plan.design.testable:
        return 0
    return experiment.n_refits()


def has_refits(plan: Plan) -> bool:
    """Return whether the refits that an experiment asks for are done."""
    wanted = n_refits(plan)
    if not wanted:
        return True
    try:
        draws, stopped = refits_of(plan.folder, _key(plan))
    except ResultError:
        return False
    return stopped or {draw["number"] for draw in draws} >= set(range(wanted))


def _key(plan: Plan) -> str:
    """Return a digest of all that the refits of a result depend on."""
    return digest_json({"version": VERSION, "unit": plan.design.unit, **plan.digests})


def run_refits(plan: Plan, context: RunContext, *, together: bool = False) -> None:
    """Do the refits that are missing; those that are done are kept.

    Parameters
    ----------
    plan : Plan
        All its folds are fitted.
    context : RunContext
    together : bool
        Whether the folds of a network are fitted jointly.
    """
    if has_refits(plan):
        return
    try:
        draws, _ = refits_of(plan.folder, _key(plan))
    except ResultError:  # damaged; nothing else depends on it
        draws = []
    done = {int(draw["number"]): draw for draw in draws}
    missing = [number for number in range(n_refits(plan)) if number not in done]
    if plan.experiment.make_model().in_epochs:
        _one_by_one(plan, context, done, missing, together)
    else:
        _in_chunks(plan, context, done, missing)


def _save(plan: Plan, done: dict[int, dict[str, Any]], *, stopped: bool = False) -> None:
    write_refits(plan.folder, _key(plan), plan.design.unit, list(done.values()), stopped=stopped)


def _tell(plan: Plan, context: RunContext, done: int, total: int) -> None:
    name = plan.experiment.name
    context.progress.update(f"{plan.folder} refits", done, total, f"{name}: refits")


def _in_chunks(
    plan: Plan, context: RunContext, done: dict[int, dict[str, Any]], missing: list[int]
) -> None:
    """Refit a model that takes a moment: many times in each task, and all of them."""
    experiment = plan.experiment
    candidates = make_candidates(experiment)
    bands = candidates[0].model.bands
    features = None
    if bands is not None:
        features = store_features(plan.windows, plan.digests["data"], bands, context.store)
    n_tasks = min(len(missing), _CHUNKS * max(context.jobs, 1))
    tasks = [
        RefitTask(
            windows=plan.windows,
            folds=tuple(plan.folds),
            design=plan.design,
            candidates=candidates,
            metric=experiment.choice.metric if experiment.choice is not None else "loss",
            scaling=experiment.scaling.model_dump(),
            split=_split_of(plan),
            seed=experiment.seed,
            features=features,
            draws=tuple(int(number) for number in part),
        )
        for part in np.array_split(missing, n_tasks)
    ]
    total = len(done) + len(missing)
    _tell(plan, context, len(done), total)
    for found in context.map(refit_chunk, tasks):
        done |= {refit.number: vars(refit) for refit in found}
        _save(plan, done)
        _tell(plan, context, len(done), total)


def _split_of(plan: Plan) -> dict[str, Any]:
    experiment = plan.experiment
    split: dict[str, Any] = experiment.split.model_dump()
    return split | {"seed": experiment.seed, "repeats": experiment.repeats}


def _one_by_one(
    plan: Plan,
    context: RunContext,
    done: dict[int, dict[str, Any]],
    missing: list[int],
    together: bool,
) -> None:
    """Refit a network, until one refit scores as high as the true labels do."""
    observed = _observed(plan)
    total = len(done) + len(missing)
    for number in missing:
        _tell(plan, context, len(done), total)
        new = relabel(
            plan.windows,
            plan.folds,
            plan.design,
            number,
            split=_split_of(plan),
            seed=plan.experiment.seed,
        )
        tasks = make_fit_tasks(plan, relabelled=new, number=number + 1, trace=context.trace)
        _fit(tasks, context, together)
        window, trial = _scores(tasks, new)
        done[number] = {"number": number, "window": window, "trial": trial}
        stopped = window >= observed - TIE
        _save(plan, done, stopped=stopped)
        shutil.rmtree(plan.folder / layout.REFIT_FOLDER, ignore_errors=True)
        if stopped:
            context.progress.message(
                f"{plan.experiment.name}: a model trained on exchanged labels scored {window:.2f}, "
                f"as high as on the true ones ({observed:.2f}): no further refits."
            )
            return


def _fit(tasks: list[FitTask], context: RunContext, together: bool) -> None:
    """Fit the folds of a refit that are not fitted yet, as those of the true labels were."""
    left = [task for task in tasks if not task.fold_folder.holds(*task.content)]
    joint_tasks: list[AllFoldsTask] = []
    if together:
        left = gather_folds(left, joint_tasks, context.progress)
    for _ in run_tasks(fit_all_and_save, joint_tasks, jobs=min(context.jobs, 1)):
        pass
    for _ in context.map(fit_and_save, left):
        pass


def _scores(tasks: list[FitTask], new: Relabelled) -> tuple[float, float]:
    tables = []
    for task in tasks:
        table = read_predictions(task.folder / layout.predictions_file("predictions"))
        tables.append(probabilities(table))
    return score_folds(new.windows, [fold.test for fold in new.folds], tables)


def _observed(plan: Plan) -> float:
    """Return the balanced accuracy of windows on the true labels."""
    tables = []
    for number in range(len(plan.folds)):
        file = plan.fold_folder(number).path / layout.predictions_file("predictions")
        table = read_predictions(file)
        assert class_names(table) == list(plan.windows.labels.classes)
        tables.append(probabilities(table))
    return score_folds(plan.windows, [fold.test for fold in plan.folds], tables)[0]
