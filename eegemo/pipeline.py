"""Walk the path for experiment files: the only module, with the command line, that sees the config.

prepare   recordings -> trials on disk -> labels -> windows -> folds        one process each subject
fit       every fold of every experiment                                     one process each fold
finish    predictions of all folds -> provenance -> report
"""

import json
import os
import shutil
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from eegemo.comparison import compare
from eegemo.config import Experiment
from eegemo.errors import InputError, ResultError
from eegemo.execution import Progress, peak_memory, run_tasks, watching
from eegemo.folds import describe_split
from eegemo.predictions import read_predictions, write_predictions
from eegemo.preparation import Prepared, prepare_experiment
from eegemo.provenance import describe_software, git_commit, now
from eegemo.report import write_report
from eegemo.scaling import fit_scaling
from eegemo.store import (
    atomic_file,
    digest_json,
    lock,
    write_json,
    write_text,
)
from eegemo.tasks import FitTask, fit_and_save, is_fitted

__all__ = [
    "compare_if_alike",
    "comparison_folder",
    "is_complete",
    "run_experiment",
    "run_experiments",
]


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
    jobs: int = 0,
    progress: Progress | None = None,
) -> list[Path]:
    """Run experiments and write their reports.

    Everything is prepared and checked before anything is trained. The folds of all experiments are
    then fitted by one set of processes. Folds that an earlier, interrupted run finished are kept,
    and an experiment whose result is complete is not run again.

    Parameters
    ----------
    experiments : sequence of Experiment
    results : path
        Folder of results; stored trials lie in its ``.store``.
    jobs : int
        Number of processes; 0 runs everything in this one.
    progress : Progress, optional
        Told what happens.

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
    try:
        results.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{results}: expected a folder for results, or a place where one can be made ({error})."
        ) from error
    prepared = [
        prepare_experiment(one, results=results, jobs=jobs, progress=progress)
        for one in experiments
    ]
    with ExitStack() as stack:
        open_runs, tasks = [], []
        for one in {one.folder: one for one in prepared}.values():
            if is_complete(one.folder):
                progress.say(
                    f"{one.experiment.name}: already complete, nothing to train "
                    "(delete its folder to run it again)."
                )
                continue
            stack.enter_context(lock(one.folder / ".lock"))
            run = _Run(one, time.perf_counter(), now(), jobs)
            open_runs.append(run)
            tasks += _begin(run, progress)
        with watching(lambda: _look(open_runs, progress)):
            for _ in run_tasks(fit_and_save, tasks, jobs=jobs):
                pass  # what a fold has to say lies in its folder
        for run in open_runs:
            progress.say(f"{run.prepared.experiment.name}: writing the report.")
            _finish(run)
    return [one.folder for one in prepared]


def is_complete(folder: Path) -> bool:
    """Tell whether a result folder holds a whole result; its parts are written in this order."""
    try:
        read_predictions(folder / "predictions.parquet")
    except ResultError:
        return False
    names = ("provenance.json", "metrics.json", "report.html")
    return all((folder / name).is_file() for name in names)


# --- fit ----------------------------------------------------------------------------------------


@dataclass
class _Run:
    """A run under way."""

    prepared: Prepared
    began: float
    started: str
    jobs: int

    def fold_folder(self, number: int) -> Path:
        return self.prepared.folder / "folds" / str(number)


def _begin(run: _Run, progress: Progress) -> list[FitTask]:
    """Write what is known before training, and list the folds still to be fitted."""
    prepared = run.prepared
    experiment, windows = prepared.experiment, prepared.windows
    write_text(prepared.folder / "experiment.yaml", experiment.to_yaml())
    _write_folds(prepared)
    tasks = []
    for number, fold in enumerate(prepared.folds):
        task = FitTask(
            folder=run.fold_folder(number),
            number=number,
            windows=windows,
            fold=fold,
            scaling=fit_scaling(windows, fold.train, **experiment.scaling.model_dump()),
            model=experiment.model.model_dump(),
            training=experiment.training.model_dump(),
            seed=int(np.random.SeedSequence([experiment.seed, number]).generate_state(1)[0] >> 1),
        )
        if is_fitted(task):
            continue
        _remove(task.folder)
        tasks.append(task)
    kept = len(prepared.folds) - len(tasks)
    if kept:
        progress.say(f"{experiment.name}: going on after {kept} of {len(prepared.folds)} folds.")
    return tasks


def _remove(folder: Path) -> None:
    """Remove what an interrupted or damaged fold has left."""
    if folder.is_dir():
        shutil.rmtree(folder)
    else:
        folder.unlink(missing_ok=True)


def _write_folds(prepared: Prepared) -> None:
    """Write folds.csv: a column per fold with the role of each row in it.

    There is a row per trial, all of whose windows have the same role; or per window, where a split
    divides trials.
    """
    windows = prepared.windows
    table = windows.table.drop(columns="code")
    table["y_true"] = pd.Categorical.from_codes(
        windows.codes, categories=pd.Index(windows.labels.classes)
    )
    roles, names = {}, pd.Index(["train", "validation", "test"])
    for number, fold in enumerate(prepared.folds):
        role = np.full(len(table), -1, np.int8)
        for code, rows in enumerate(fold.parts().values()):
            role[rows] = code
        roles[f"fold_{number}"] = pd.Categorical.from_codes(role, names)
    table = pd.concat([table, pd.DataFrame(roles)], axis=1)
    if prepared.experiment.split.group != "window":
        first = np.unique(windows.trial, return_index=True)[1]
        table = table.iloc[first].drop(columns="start")
    with atomic_file(prepared.folder / "folds.csv") as temporary:
        table.to_csv(temporary, index=False)


def _look(runs: Sequence[_Run], progress: Progress) -> None:
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


# --- finish -------------------------------------------------------------------------------------


def _finish(run: _Run) -> None:
    """Put the folds together: predictions, provenance, report."""
    prepared = run.prepared
    numbers = range(len(prepared.folds))
    predictions = [read_predictions(run.fold_folder(k) / "predictions.parquet") for k in numbers]
    write_predictions(
        pd.concat(predictions, ignore_index=True), prepared.folder / "predictions.parquet"
    )
    write_json(prepared.folder / "provenance.json", _describe_run(run))
    write_report(prepared.folder)


def _describe_run(run: _Run) -> dict[str, Any]:
    prepared = run.prepared
    experiment, windows = prepared.experiment, prepared.windows
    trials, labels = windows.trials, windows.labels
    subject = trials.metadata["subject"].to_numpy()
    names = sorted(set(subject.tolist()))
    window_counts = np.bincount(windows.codes, minlength=len(labels.classes))
    records = [_read_fold(run.fold_folder(k)) for k in range(len(prepared.folds))]
    notes = list(prepared.notes)
    own = {unit for record in records for unit in record["scaled_by_own_windows"]}
    if own:
        notes.append(
            f"{len(own)} held-out subjects are scaled by their own windows, without their labels, "
            "because scaling per subject was asked for."
        )
    made_with = [record["made_with"] for record in records]
    software = [{name: one[name] for name in describe_software()} for one in made_with]
    if any(one != software[0] for one in software):
        notes.append("Folds were fitted with different software: see made_with in each fold.json.")
    split = experiment.split
    return {
        **software[0],
        "git_commit": git_commit(),
        "device": ", ".join(sorted({one["device"] for one in made_with})),
        "jobs": run.jobs,
        "started": run.started,
        "finished": now(),
        "wall_seconds": time.perf_counter() - run.began,
        "peak_memory_bytes": _peak_memory(made_with, run.jobs),
        "seed": experiment.seed,
        "digests": prepared.digests,
        "data": {
            "source": experiment.data.source,
            "simulated": prepared.simulated,
            "subjects": names,
            "n_trials": int((labels.codes >= 0).sum()),
            "n_windows": len(windows),
            "n_channels": windows.n_channels,
            "channels": list(trials.ch_names),
            "sfreq": trials.sfreq,
            "window_duration": experiment.windows.duration,
            "window_stride": experiment.windows.stride,
        },
        "labels": {
            "task": experiment.labels.task,
            "classes": list(labels.classes),
            "trials": labels.counts(),
            "windows": {
                name: int(n) for name, n in zip(labels.classes, window_counts, strict=True)
            },
            "dropped": labels.dropped,
            "by_subject": {name: labels.counts(subject == name) for name in names},
        },
        "split": {
            "method": split.method,
            "group": split.group,
            "within": split.within,
            "n_folds": len(prepared.folds),
            "leaks": split.group == "window",
            "sentence": describe_split(
                prepared.folds, windows.table, group=split.group, within=split.within
            ),
        },
        "model": {
            "name": experiment.model.name,
            "n_parameters": records[0]["n_parameters"],
        },
        "notes": notes,
    }


def _peak_memory(made_with: Sequence[dict[str, Any]], jobs: int) -> int:
    """Return this process's peak and those of the largest workers that ran beside each other."""
    peaks: dict[int, int] = {}
    for one in made_with:
        peaks[one["process"]] = max(peaks.get(one["process"], 0), one["peak_memory_bytes"])
    peaks.pop(os.getpid(), None)
    return peak_memory() + sum(sorted(peaks.values())[::-1][:jobs])


def _read_fold(folder: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((folder / "fold.json").read_text(encoding="utf-8"))
    return record


def comparison_folder(results: Sequence[str | Path], parent: str | Path) -> Path:
    """Name the folder of a comparison after the results it compares."""
    names = [Path(result).resolve().name for result in results]
    return Path(parent) / f"compare-{digest_json(names)[:8]}"


def compare_if_alike(
    results: Sequence[Path], parent: str | Path, progress: Progress | None = None
) -> Path | None:
    """Compare results, or say why they cannot be compared."""
    try:
        return compare(list(results), comparison_folder(results, parent))
    except ResultError as error:
        (progress or Progress()).say(f"No comparison: {error}")
        return None
