"""Walk the path for experiment files: the only module, with the command line, that sees the config.

prepare   recordings -> trials on disk -> labels -> windows -> folds        one process each subject
fit       every fold of every experiment, and the baseline's                 one process each fold
finish    predictions of all folds -> provenance -> report
"""

import os
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pandas as pd

from eegemo.config import Experiment
from eegemo.errors import InputError
from eegemo.evaluation import read_predictions, write_predictions
from eegemo.execution import Engine, Progress, Runner, run_tasks, watching
from eegemo.features.stored import store_features
from eegemo.models.band_power import baseline_for
from eegemo.models.keras.device import runs_together
from eegemo.report import write_report
from eegemo.results.assemble import _describe_run, write_folds
from eegemo.results.fold import FitTask, is_fitted, remove_checkpoints
from eegemo.results.layout import _DERIVED, _MANIFEST, _TABLES, is_complete
from eegemo.results.plan import Run
from eegemo.results.provenance import now
from eegemo.runs.fit import (
    AllFoldsTask,
    fit_all_and_save,
    fit_and_save,
    gather_folds,
    prepare_device_of,
)
from eegemo.runs.prepare import prepare_experiment
from eegemo.runs.resources import check_needs
from eegemo.scaling import fit_scaling
from eegemo.splits import split_seed
from eegemo.store import (
    changed_files,
    lock,
    manifest,
    naming_full_disk,
    remove_leftovers,
    write_json,
    write_text,
)
from eegemo.training import Candidate

__all__ = [
    "finish",
    "run_experiment",
    "run_experiments",
]


def finish(run: Run) -> None:
    """Put the folds together: predictions, provenance, report.

    What is there and whole from an earlier run stays, unless a fold was fitted since.
    """
    prepared = run.prepared
    folder = prepared.folder
    changed = set(changed_files(folder))
    if run.refitted or changed - set(_DERIVED):
        (folder / _MANIFEST).unlink(missing_ok=True)
        for name in _TABLES:
            files = [run.fold_folder(k) / f"{name}.parquet" for k in range(len(prepared.folds))]
            parts = [read_predictions(file) for file in files if file.is_file()]
            # folds without a validation part have no such file
            if parts:
                whole = pd.concat(parts, ignore_index=True)
                write_predictions(whole, folder / f"{name}.parquet")
        write_json(folder / "provenance.json", _describe_run(run))
    if run.report:
        write_report(folder)
    names = ["experiment.yaml", "folds.csv", "provenance.json", *_DERIVED]
    names += [f"{name}.parquet" for name in _TABLES]
    there = [name for name in names if (folder / name).is_file()]
    write_json(folder / _MANIFEST, manifest(folder, there))


def run_experiment(
    experiment: Experiment,
    *,
    results: str | Path = "results",
    jobs: int = 0,
    progress: Progress | None = None,
) -> Path:
    """Run one experiment, or what is left of it, and write its report.

    See `run_experiments`.
    """
    return run_experiments([experiment], results=results, jobs=jobs, progress=progress)[0]


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
        process, all at once, where its model can be (`eegemo.training.fit_folds_together`).
        ``"auto"`` does so on a GPU with Keras's JAX back end. The rest is done by `runner`.

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
    progress = progress or Progress()
    results = Path(results)
    store = results / ".store" if store is None else Path(store)
    try:
        with naming_full_disk(results):
            results.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{results}: expected a folder for results, or a place where one can be made ({error})."
        ) from error
    with naming_full_disk(results):
        return _run_experiments(experiments, results, store, jobs, report, progress, runner, engine)


def _run_experiments(
    experiments: Sequence[Experiment],
    results: Path,
    store: Path,
    jobs: int,
    report: bool,
    progress: Progress,
    runner: Runner,
    engine: Engine,
) -> list[Path]:
    models = [one.make_model() for one in experiments]
    keras = any(model.framework == "keras" for model in models)
    # without a network nobody need be asked: `gather_folds` says that it cannot be
    together = runs_together(engine, jobs=jobs) if keras else engine == "together"
    if os.environ.get("EEGEMO_DEVICE") == "gpu":
        # whether there is one is known only to the back end, so it is asked before all else
        for _ in runner(
            prepare_device_of,
            list({model.framework: model for model in models}.values()),
            jobs=min(jobs, 1),
        ):
            pass
    prepared = [
        prepare_experiment(
            one, results=results, store=store, jobs=jobs, progress=progress, runner=runner
        )
        for one in experiments
    ]
    with ExitStack() as stack:
        open_runs, tasks = [], []
        at_once: list[AllFoldsTask] = []
        unlike = {one.folder: one for one in prepared}.values()
        check_needs([one for one in unlike if not is_complete(one.folder, report=report)])
        for one in unlike:
            if is_complete(one.folder, report=report):
                if report:
                    progress.say(
                        f"{one.experiment.name}: already complete, nothing to train "
                        "(delete its folder to run it again)."
                    )
                continue
            stack.enter_context(lock(one.folder / ".lock"))
            remove_leftovers(one.folder, *(one.folder / name for name in ("figures", "tables")))
            run = Run(one, time.perf_counter(), now(), jobs, store, report)
            open_runs.append(run)
            own = _begin(run, progress)
            run.refitted = bool(own)
            if together:
                own = gather_folds(own, at_once, progress)
            tasks += own
        with watching(lambda: _look(open_runs, progress)):
            # one after another, since each fills the device
            for _ in run_tasks(fit_all_and_save, at_once, jobs=min(jobs, 1), say=progress.say):
                pass
            for _ in runner(fit_and_save, tasks, jobs=jobs, say=progress.say):
                pass  # what a fold has to say lies in its folder
        for run in open_runs:
            if report:
                progress.say(f"{run.prepared.experiment.name}: writing the report.")
            finish(run)
    return [one.folder for one in prepared]


def _begin(run: Run, progress: Progress) -> list[FitTask]:
    """Write what is known before training, and list the folds still to be fitted."""
    prepared = run.prepared
    experiment, windows = prepared.experiment, prepared.windows
    write_text(prepared.folder / "experiment.yaml", experiment.to_yaml())
    write_folds(prepared)
    model = experiment.make_model()
    baseline = baseline_for(windows) if run.report and not model.is_baseline else None
    bands = model.bands if baseline is None else baseline.bands
    features = None
    if bands is not None:
        features = store_features(windows, prepared.digests["data"], bands, run.store)
    candidates = tuple(
        Candidate(settings, one.make_model(), one.make_training())
        for settings, one in experiment.candidates()
    )
    tasks = []
    for number, fold in enumerate(prepared.folds):
        task = FitTask(
            folder=run.fold_folder(number),
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
        )
        if is_fitted(task):
            remove_checkpoints(task.folder)  # it may have been stopped just before
        else:
            tasks.append(task)
    kept = len(prepared.folds) - len(tasks)
    if kept:
        progress.say(f"{experiment.name}: going on after {kept} of {len(prepared.folds)} folds.")
    return tasks


def _look(runs: Sequence[Run], progress: Progress) -> None:
    """Report how many epochs of each experiment are done, from the histories on disk."""
    for run in runs:
        experiment, folds = run.prepared.experiment, run.prepared.folds
        epochs, finished, note = 0, 0, ""
        for number, fold in enumerate(folds):
            folder = run.fold_folder(number)
            if (folder / "done").is_file():
                epochs, finished = epochs + experiment.training.epochs, finished + 1
            elif (folder / "history.csv").is_file():
                lines = (folder / "history.csv").read_text(encoding="utf-8").splitlines()
                epoch = max(len(lines) - 1, 0)
                epochs += epoch
                note = f"fold {fold.name} epoch {epoch}"
        progress.update(
            str(run.prepared.folder),
            epochs,
            experiment.training.epochs * len(folds),
            f"{experiment.name}: {finished} of {len(folds)} folds",
            note,
        )
