"""Run experiments: prepare, fit and finish.

prepare   recordings -> trials on disk -> labels -> windows -> folds        one process each subject
fit       every fold of every experiment, and its baseline                   one process each fold
finish    predictions of all folds -> provenance -> report
"""

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from eegemo.config import Experiment
from eegemo.datasets import Dataset
from eegemo.errors import InputError
from eegemo.execution import Engine, Progress, RunContext, Runner, run_tasks, watching
from eegemo.features.stored import store_features
from eegemo.models.band_power import baseline_for
from eegemo.models.keras.device import runs_together
from eegemo.report import write_report
from eegemo.results import layout
from eegemo.results.assemble import assemble, is_assembled, seal
from eegemo.results.layout import is_complete
from eegemo.results.plan import Plan
from eegemo.results.provenance import now
from eegemo.runs.dataset import with_dataset
from eegemo.runs.fit import (
    AllFoldsTask,
    FitTask,
    fit_all_and_save,
    fit_and_save,
    gather_folds,
    make_fit_tasks,
    prepare_device_of,
)
from eegemo.runs.prepare import prepare_experiment
from eegemo.runs.refitting import has_refits, run_refits
from eegemo.runs.resources import check_resources
from eegemo.store import lock, naming_full_disk, remove_leftovers

__all__ = [
    "finish",
    "run_all",
    "run_experiment",
    "run_experiments",
]


@dataclass
class _Run:
    """A run in progress."""

    plan: Plan
    context: RunContext
    began: float
    started: str
    report: bool
    refitted: bool = False


def finish(run: _Run) -> None:
    """Assemble the folds: predictions, provenance, report.

    Complete files of an earlier run are kept, unless a fold was fitted since.
    """
    if run.refitted or not is_assembled(run.plan.folder):
        seconds = time.perf_counter() - run.began
        assemble(run.plan, jobs=run.context.jobs, started=run.started, seconds=seconds)
    if run.report:
        write_report(run.plan.folder)
    seal(run.plan.folder)


def run_experiment(
    experiment: Experiment,
    *,
    data: Dataset | None = None,
    results: str | Path = "results",
    jobs: int = 0,
    progress: Progress | None = None,
) -> Path:
    """Run an experiment, resuming it if it was interrupted, and write its report.

    Parameters
    ----------
    experiment : Experiment
    data : Dataset, optional
        Replaces the experiment's section ``data``: recordings as objects
        (`eegemo.datasets.memory.Memory.of`), or any other data set.
    results, jobs, progress
        See `run_experiments`.

    Returns
    -------
    folder : Path
        The result folder.

    Raises
    ------
    InputError
        If the experiment or its data is wrong.
    EegemoError
        If the result folder is in use by another process.
    """
    given: dict[int, Dataset] = {}
    if data is not None:
        experiment, given = with_dataset(experiment, data), {0: data}
    folders = run_experiments(
        [experiment], results=results, jobs=jobs, progress=progress, given=given
    )
    return folders[0]


def run_experiments(
    experiments: Sequence[Experiment],
    *,
    results: str | Path = "results",
    store: str | Path | None = None,
    jobs: int = 0,
    report: bool = True,
    progress: Progress | None = None,
    runner: Runner = run_tasks,
    engine: Engine = "local",
    given: Mapping[int, Dataset] | None = None,
) -> list[Path]:
    """Run experiments and write their reports.

    All experiments are prepared and checked before training. Their folds are then fitted by one set
    of processes. After an interruption, finished folds are kept, and a fold in progress resumes
    from its last checkpoint. An experiment with a complete result is not run again.

    Parameters
    ----------
    experiments : sequence of Experiment
    results : path
        Folder of results.
    store : path, optional
        Where trials are stored; ``.store`` in the folder of results if not given.
    jobs : int
        Number of processes; 0 runs everything in the current process.
    report : bool
        Fit the baseline on the same folds and write a report. Otherwise the result has predictions
        and provenance only; `eegemo.report.write_report` can write a report later.
    progress : Progress, optional
        Receives messages and progress.
    runner : callable, optional
        Runs the tasks of subjects and folds, as `eegemo.execution.run_tasks` does.
    engine : {"auto", "local", "together", "dask"}
        With ``"together"``, one process fits the remaining folds of an experiment jointly, where
        its model allows it (`eegemo.training.fit_folds_jointly`). ``"auto"`` does so on a GPU with
        Keras's JAX back end. All other tasks are run by `runner`.
    given : mapping of int to Dataset, optional
        Data sets that a file cannot name, by the position of the experiment.

    Returns
    -------
    folders : list of Path
        One result folder per experiment.

    Raises
    ------
    InputError
        If an experiment or its data is wrong.
    EegemoError
        If a result folder is in use by another process.
    """
    context = RunContext.of(
        results=results, store=store, jobs=jobs, progress=progress, runner=runner, engine=engine
    )
    return run_all(experiments, context, report=report, given=given)


def run_all(
    experiments: Sequence[Experiment],
    context: RunContext,
    *,
    report: bool = True,
    given: Mapping[int, Dataset] | None = None,
) -> list[Path]:
    """Run experiments as `run_experiments` does, in a given context."""
    results = context.results
    try:
        with naming_full_disk(results):
            results.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{results}: expected a folder for results, or a path where one can be created "
            f"({error})."
        ) from error
    with naming_full_disk(results):
        return _run_all(experiments, context, report, given or {})


def _run_all(
    experiments: Sequence[Experiment],
    context: RunContext,
    report: bool,
    given: Mapping[int, Dataset],
) -> list[Path]:
    progress, jobs = context.progress, context.jobs
    together = _query_back_end(experiments, context)
    with context.span("prepare"):
        plans = [
            prepare_experiment(experiment, context, dataset=given.get(number))
            for number, experiment in enumerate(experiments)
        ]
    with ExitStack() as stack:
        open_runs, tasks = [], []
        joint_tasks: list[AllFoldsTask] = []
        distinct = {plan.folder: plan for plan in plans}.values()
        check_resources([plan for plan in distinct if not is_complete(plan.folder, report=report)])
        for plan in distinct:
            if is_complete(plan.folder, report=report) and (not report or has_refits(plan)):
                if report:
                    progress.message(
                        f"{plan.experiment.name}: already complete, nothing to train "
                        "(delete its folder to run it again)."
                    )
                continue
            stack.enter_context(lock(plan.folder / layout.LOCK))
            drawn = (plan.folder / name for name in (layout.FIGURES, layout.TABLE_FOLDER))
            remove_leftovers(plan.folder, *drawn)
            run = _Run(plan, context, time.perf_counter(), now(), report)
            open_runs.append(run)
            fold_tasks = _begin(run)
            run.refitted = bool(fold_tasks)
            if together:
                fold_tasks = gather_folds(fold_tasks, joint_tasks, progress)
            tasks += fold_tasks
        with watching(lambda: report_progress(open_runs, progress)):
            # one at a time, since each fills the device
            for _ in run_tasks(
                fit_all_and_save, joint_tasks, jobs=min(jobs, 1), message=progress.message
            ):
                pass
            for _ in context.map(fit_and_save, tasks):
                pass  # the outcome of a fold is in its folder
        for run in open_runs:
            if report:
                with context.span(f"refits {run.plan.experiment.name}"):
                    run_refits(run.plan, context, together=together)
                progress.message(f"{run.plan.experiment.name}: writing the report.")
            with context.span(f"finish {run.plan.experiment.name}"):
                finish(run)
    return [plan.folder for plan in plans]


def _query_back_end(experiments: Sequence[Experiment], context: RunContext) -> bool:
    """Return whether folds are fitted jointly, and check for a GPU if it was requested.

    Only the back end knows the devices, so it is queried first.
    """
    models = {
        model.framework: model for model in (experiment.make_model() for experiment in experiments)
    }
    together = context.engine == "together"
    if "keras" in models:
        # without a network there is no back end; `gather_folds` reports that it is not possible
        together = runs_together(context.engine, jobs=context.jobs)
    if os.environ.get("EEGEMO_DEVICE") == "gpu":
        for _ in context.runner(
            prepare_device_of, list(models.values()), jobs=min(context.jobs, 1)
        ):
            pass
    return together


def _begin(run: _Run) -> list[FitTask]:
    """Write the files that precede training, and return the tasks of the remaining folds."""
    plan = run.plan
    experiment, windows = plan.experiment, plan.windows
    plan.write()
    model = experiment.make_model()
    baseline = baseline_for(windows) if run.report and not model.is_baseline else None
    bands = model.bands if baseline is None else baseline.bands
    features = None
    if bands is not None:
        features = store_features(windows, plan.digests["data"], bands, run.context.store)
    tasks = []
    for task in make_fit_tasks(plan, features=features, baseline=baseline, trace=run.context.trace):
        if task.fold_folder.holds(*task.content):
            task.fold_folder.remove_checkpoints()  # the run may have stopped just before this
        else:
            tasks.append(task)
    kept = len(plan.folds) - len(tasks)
    if kept:
        run.context.progress.message(
            f"{experiment.name}: resuming after {kept} of {len(plan.folds)} folds."
        )
    return tasks


def report_progress(runs: Sequence[_Run], progress: Progress) -> None:
    """Report how many epochs of each experiment are done, from the histories on disk."""
    for run in runs:
        experiment, folds = run.plan.experiment, run.plan.folds
        epochs, finished, note = 0, 0, ""
        for number, fold in enumerate(folds):
            done = run.plan.fold_folder(number).epochs_done()
            if done is None:
                epochs, finished = epochs + experiment.training.epochs, finished + 1
            elif done:
                epochs += done
                note = f"fold {fold.name} epoch {done}"
        progress.update(
            str(run.plan.folder),
            epochs,
            experiment.training.epochs * len(folds),
            f"{experiment.name}: {finished} of {len(folds)} folds",
            note,
        )
