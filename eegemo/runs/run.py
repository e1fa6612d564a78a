"""Walk the path for experiment files: the only module, with the command line, that sees the config.

prepare   recordings -> trials on disk -> labels -> windows -> folds        one process each subject
fit       every fold of every experiment, and the baseline's                 one process each fold
finish    predictions of all folds -> provenance -> report
"""

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

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
from eegemo.runs.fit import (
    AllFoldsTask,
    FitTask,
    fit_all_and_save,
    fit_and_save,
    gather_folds,
    prepare_device_of,
)
from eegemo.runs.prepare import prepare_experiment, with_dataset
from eegemo.runs.resources import check_needs
from eegemo.scaling import fit_scaling
from eegemo.splits import split_seed
from eegemo.store import lock, naming_full_disk, remove_leftovers
from eegemo.training import Candidate

__all__ = [
    "finish",
    "run_all",
    "run_experiment",
    "run_experiments",
]


@dataclass
class _Run:
    """A run under way."""

    plan: Plan
    context: RunContext
    began: float
    started: str
    report: bool
    refitted: bool = False


def finish(run: _Run) -> None:
    """Put the folds together: predictions, provenance, report.

    What is there and whole from an earlier run stays, unless a fold was fitted since.
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
    """Run one experiment, or what is left of it, and write its report.

    Parameters
    ----------
    experiment : Experiment
    data : Dataset, optional
        Takes the place of the experiment's section ``data``, which is written anew: recordings as
        objects (`eegemo.datasets.memory.Memory.of`), or any other data set.
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

    Everything is prepared and checked before anything is trained. The folds of all experiments are
    then fitted by one set of processes. Folds that an earlier, interrupted run finished are kept,
    a fold in work goes on after its last checkpoint, and an experiment whose result is complete is
    not run again.

    Parameters
    ----------
    experiments : sequence of Experiment
    results : path
        Folder of results.
    store : path, optional
        Where trials are stored; ``.store`` in the folder of results if not given.
    jobs : int
        Number of processes; 0 runs everything in this one.
    report : bool
        Fit the baseline on the same folds and write a report; without, a result has predictions
        and provenance only, and `eegemo.report.write_report` can draw it later.
    progress : Progress, optional
        Told what happens.
    runner : callable, optional
        Does the work of each subject and fold, as `eegemo.execution.run_tasks`.
    engine : {"auto", "local", "together", "dask"}
        With ``"together"`` the folds of an experiment that are still to be fitted are fitted by one
        process, all at once, where its model can be (`eegemo.training.fit_folds_jointly`).
        ``"auto"`` does so on a GPU with Keras's JAX back end. The rest is done by `runner`.
    given : mapping of int to Dataset, optional
        By the place of an experiment: its data set, where a file cannot name it.

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
    """Run experiments as `run_experiments` does, in a context that is there already."""
    results = context.results
    try:
        with naming_full_disk(results):
            results.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{results}: expected a folder for results, or a place where one can be made ({error})."
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
    together = _ask_back_end(experiments, context)
    with context.span("prepare"):
        plans = [
            prepare_experiment(one, context, dataset=given.get(number))
            for number, one in enumerate(experiments)
        ]
    with ExitStack() as stack:
        open_runs, tasks = [], []
        at_once: list[AllFoldsTask] = []
        unlike = {plan.folder: plan for plan in plans}.values()
        check_needs([plan for plan in unlike if not is_complete(plan.folder, report=report)])
        for plan in unlike:
            if is_complete(plan.folder, report=report):
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
            own = _begin(run)
            run.refitted = bool(own)
            if together:
                own = gather_folds(own, at_once, progress)
            tasks += own
        with watching(lambda: _look(open_runs, progress)):
            # one after another, since each fills the device
            for _ in run_tasks(
                fit_all_and_save, at_once, jobs=min(jobs, 1), message=progress.message
            ):
                pass
            for _ in context.map(fit_and_save, tasks):
                pass  # what a fold has to say lies in its folder
        for run in open_runs:
            if report:
                progress.message(f"{run.plan.experiment.name}: writing the report.")
            with context.span(f"finish {run.plan.experiment.name}"):
                finish(run)
    return [plan.folder for plan in plans]


def _ask_back_end(experiments: Sequence[Experiment], context: RunContext) -> bool:
    """Tell whether folds are to be fitted at once, and have a GPU looked for if one was asked for.

    What there is, is known only to the back end, so it is asked before all else.
    """
    models = {model.framework: model for model in (one.make_model() for one in experiments)}
    together = context.engine == "together"
    if "keras" in models:
        # without a network nobody need be asked: `gather_folds` says that it cannot be
        together = runs_together(context.engine, jobs=context.jobs)
    if os.environ.get("EEGEMO_DEVICE") == "gpu":
        for _ in context.runner(
            prepare_device_of, list(models.values()), jobs=min(context.jobs, 1)
        ):
            pass
    return together


def _begin(run: _Run) -> list[FitTask]:
    """Write what is known before training, and list the folds still to be fitted."""
    plan = run.plan
    experiment, windows = plan.experiment, plan.windows
    plan.write()
    model = experiment.make_model()
    baseline = baseline_for(windows) if run.report and not model.is_baseline else None
    bands = model.bands if baseline is None else baseline.bands
    features = None
    if bands is not None:
        features = store_features(windows, plan.digests["data"], bands, run.context.store)
    candidates = tuple(
        Candidate(settings, one.make_model(), one.make_training())
        for settings, one in experiment.candidates()
    )
    tasks = []
    for number, fold in enumerate(plan.folds):
        task = FitTask(
            folder=plan.fold_folder(number).path,
            number=number,
            windows=windows,
            fold=fold,
            scaling=fit_scaling(windows, fold.train, **experiment.scaling.model_dump()),
            candidates=candidates,
            metric=experiment.choice.metric if experiment.choice is not None else "loss",
            seeds={
                "split": split_seed(experiment.seed, fold.repeat),
                "model": int(
                    np.random.SeedSequence([experiment.seed, number]).generate_state(1)[0] >> 1
                ),
            },
            features=features,
            baseline=baseline,
            trace=run.context.trace,
        )
        if task.fold_folder.holds(*task.content):
            task.fold_folder.remove_checkpoints()  # it may have been stopped just before
        else:
            tasks.append(task)
    kept = len(plan.folds) - len(tasks)
    if kept:
        run.context.progress.message(
            f"{experiment.name}: going on after {kept} of {len(plan.folds)} folds."
        )
    return tasks


def _look(runs: Sequence[_Run], progress: Progress) -> None:
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
