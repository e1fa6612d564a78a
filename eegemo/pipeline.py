"""Walk the path for experiment files: the only module, with the command line, that sees the config.

prepare   recordings -> trials on disk -> labels -> windows -> folds        one process each subject
fit       every fold of every experiment                                     one process each fold
finish    predictions of all folds -> provenance -> report
"""

import os
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from eegemo.comparison import compare
from eegemo.config import DeapData, Experiment, SimulatedData
from eegemo.errors import ResultError
from eegemo.execution import Progress, peak_memory, run_tasks, watching
from eegemo.labels import Labels, make_labels
from eegemo.predictions import read_predictions, write_predictions
from eegemo.provenance import describe_environment, now
from eegemo.recordings import find_recordings, read_simulation, simulate_deap
from eegemo.report import write_report
from eegemo.scaling import fit_scaling
from eegemo.splits import Fold, describe_split, make_folds
from eegemo.store import (
    FileDigests,
    atomic_file,
    digest_bytes,
    digest_json,
    lock,
    write_json,
    write_text,
)
from eegemo.tasks import FitTask, TrialsTask, fit_and_save, store_subject
from eegemo.windows import Windows, load_trials, make_windows

__all__ = [
    "Prepared",
    "compare_if_alike",
    "comparison_folder",
    "is_complete",
    "prepare_experiment",
    "run_experiment",
    "run_experiments",
]

#: Raised when stored trials, or results, would come out differently for the same input.
_TRIALS_VERSION = 1
_RESULT_VERSION = 1


@dataclass(frozen=True)
class Prepared:
    """An experiment up to its folds, with nothing trained.

    Attributes
    ----------
    experiment : Experiment
    windows : Windows
    folds : list of Fold
    folder : Path
        Where its result goes.
    digests : dict of str to str
        Of the experiment, the data (trials as stored), the labels and the folds.
    simulated : bool
        Whether the data was simulated.
    notes : tuple of str
        What the reader of the report should know.
    """

    experiment: Experiment
    windows: Windows
    folds: list[Fold]
    folder: Path
    digests: dict[str, str]
    simulated: bool
    notes: tuple[str, ...]


def run_experiment(
    experiment: Experiment,
    *,
    results: str | Path = "results",
    jobs: int = 1,
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
    jobs: int = 1,
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
    prepared = [
        prepare_experiment(one, results=results, jobs=jobs, progress=progress)
        for one in experiments
    ]
    with ExitStack() as stack:
        open_runs, tasks = [], []
        for one in {one.folder: one for one in prepared}.values():
            if is_complete(one.folder):
                progress.say(f"{one.experiment.name}: already complete, nothing to train.")
                continue
            stack.enter_context(lock(one.folder / ".lock"))
            run = _Run(one, time.perf_counter(), now(), jobs)
            open_runs.append(run)
            tasks += _begin(run, progress)
        with watching(lambda: _look(open_runs, progress)):
            for fitted in run_tasks(fit_and_save, tasks, jobs=jobs):
                run = next(run for run in open_runs if run.prepared.folder == fitted.result)
                run.peaks[fitted.process] = fitted.peak_memory
                run.devices.append(fitted.device)
        for run in open_runs:
            progress.say(f"{run.prepared.experiment.name}: writing the report.")
            _finish(run)
    return [one.folder for one in prepared]


def is_complete(folder: Path) -> bool:
    """Tell whether a result folder holds a whole result; its parts are written in this order."""
    names = ("predictions.parquet", "provenance.json", "metrics.json", "report.html")
    return all((folder / name).is_file() for name in names)


# --- prepare ------------------------------------------------------------------------------------


def prepare_experiment(
    experiment: Experiment,
    *,
    results: str | Path = "results",
    jobs: int = 0,
    progress: Progress | None = None,
) -> Prepared:
    """Read, preprocess and store trials, and make labels, windows and folds.

    Parameters
    ----------
    experiment : Experiment
    results : path
        Folder of results; trials are stored in its ``.store``.
    jobs : int
        Number of processes; 0 does everything in this one.
    progress : Progress, optional
        Told what happens.

    Returns
    -------
    prepared : Prepared

    Raises
    ------
    InputError
        If the data is wrong, or cannot be divided as the experiment asks.
    """
    progress = progress or Progress()
    store = Path(results) / ".store"
    root = _make_data(experiment, progress)
    folders, notes = _prepare_trials(experiment, root, store, jobs, progress)
    trials = load_trials(folders)
    labels = make_labels(trials.metadata, **experiment.labels.model_dump())
    windows = make_windows(trials, labels, **experiment.windows.model_dump())
    folds = make_folds(windows.table, **experiment.split.model_dump(), seed=experiment.seed)
    notes += _label_notes(experiment, labels) + _fold_notes(folds, windows)
    digests = _digests(experiment, folders, windows, folds)
    folder = Path(results) / f"{experiment.name}-{digests['experiment'][:8]}"
    simulated = experiment.data.source == "simulated" or read_simulation(root) is not None
    return Prepared(experiment, windows, folds, folder, digests, simulated, tuple(notes))


def _make_data(experiment: Experiment, progress: Progress) -> str:
    """Return the data set's folder, simulating it first where the experiment says so."""
    data = experiment.data
    if not isinstance(data, SimulatedData):
        return data.root
    arguments = data.model_dump(
        include={"n_subjects", "n_trials", "duration", "effect", "fingerprint", "seed"}
    ) | {"formats": [data.variant]}
    root = Path(data.root) / digest_json(arguments)[:8]
    with lock(root.with_suffix(".lock"), wait=True):
        release = read_simulation(root)
        if release is None or not release.complete:
            progress.say(f"Simulating a DEAP release of {data.n_subjects} subjects in {root}.")
            simulate_deap(
                root,
                **arguments,
                on_subject=lambda subject, i, n: progress.update(
                    "simulate", i, n, "simulate", subject
                ),
            )
    return str(root)


def _prepare_trials(
    experiment: Experiment, root: str, store: Path, jobs: int, progress: Progress
) -> tuple[list[Path], list[str]]:
    """Store the trials of each subject unless the very same are there; return folders and notes."""
    data = experiment.data
    simulation = set(SimulatedData.model_fields) - set(DeapData.model_fields)
    options = data.model_dump(exclude={"source", "root", "channels"} | simulation)
    source = "deap" if data.source == "simulated" else data.source
    recordings = find_recordings(source, root, **options)
    steps = experiment.preprocessing.model_dump() | {"channels": data.channels}
    files = FileDigests(store / "files.json")
    tasks, folders = [], []
    for recording in recordings:
        key = digest_json(
            {
                "version": _TRIALS_VERSION,
                "reader": recording.reader,
                "options": dict(recording.options),
                "files": files.digest_all(recording.files),
                "preprocessing": steps,
            }
        )
        folder = store / "trials" / f"{recording.subject}-{key[:32]}"
        folders.append(folder)
        if not folder.is_dir():
            tasks.append(TrialsTask(recording, folder, steps))
    files.save()
    label, done = f"{experiment.name}: trials", len(folders) - len(tasks)
    progress.update(label, done, len(folders), label)
    for subject in run_tasks(store_subject, tasks, jobs=jobs):
        done += 1
        progress.update(label, done, len(folders), label, subject)
    notes = [(folder / "notes.txt").read_text(encoding="utf-8").splitlines() for folder in folders]
    return folders, [note for lines in notes for note in lines]


def _label_notes(experiment: Experiment, labels: Labels) -> list[str]:
    reasons = {
        "missing": "because a rating is missing",
        "tie": "because a rating is exactly the threshold",
        "ambiguous": "because a rating is too close to the threshold",
        "excluded": "because their class was not asked for",
    }
    notes = [f"{n} trials have no class {reasons[why]}." for why, n in labels.dropped.items() if n]
    if experiment.labels.threshold == "median":
        notes.append(
            "Ratings are high or low with respect to each subject's own median of all trials."
        )
    return notes


def _fold_notes(folds: Sequence[Fold], windows: Windows) -> list[str]:
    """Say in which folds the test part has a class that training does not."""
    notes = []
    for fold in folds:
        absent = np.setdiff1d(windows.codes[fold.test], windows.codes[fold.train])
        if absent.size:
            names = ", ".join(windows.labels.classes[code] for code in absent)
            notes.append(
                f"Fold {fold.name}: no training trial of {names}, which the test part has."
            )
    return notes


def _digests(
    experiment: Experiment, folders: Sequence[Path], windows: Windows, folds: Sequence[Fold]
) -> dict[str, str]:
    digests = {
        "data": digest_json([folder.name for folder in folders]),
        "labels": digest_bytes(
            windows.labels.codes.astype("<i8").tobytes(), "\0".join(windows.labels.classes).encode()
        ),
        "folds": digest_bytes(
            np.stack([windows.trial, windows.first]).astype("<i8").tobytes(),
            np.int64(windows.n_times).tobytes(),
            *(part.astype("<i8").tobytes() for fold in folds for part in fold.parts().values()),
        ),
    }
    settings = experiment.model_dump(mode="json", exclude={"name": True, "data": {"root"}})
    whole = {"version": _RESULT_VERSION, "experiment": settings, "data": digests["data"]}
    return {"experiment": digest_json(whole), **digests}


# --- fit ----------------------------------------------------------------------------------------


@dataclass
class _Run:
    """A run under way."""

    prepared: Prepared
    began: float
    started: str
    jobs: int
    peaks: dict[int, int] = field(default_factory=dict)
    devices: list[str] = field(default_factory=list)

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
        folder = run.fold_folder(number)
        if (folder / "done").is_file():
            continue
        scaling = fit_scaling(windows, fold.train, **experiment.scaling.model_dump())
        tasks.append(
            FitTask(
                result=prepared.folder,
                folder=folder,
                number=number,
                windows=windows,
                fold=fold,
                scaling=scaling,
                model=experiment.model.model_dump(),
                training=experiment.training.model_dump(),
                seed=int(
                    np.random.SeedSequence([experiment.seed, number]).generate_state(1)[0] >> 1
                ),
            )
        )
    kept = len(prepared.folds) - len(tasks)
    if kept:
        progress.say(f"{experiment.name}: going on after {kept} of {len(prepared.folds)} folds.")
    return tasks


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
                epochs += len(lines) - 1
                note = f"fold {fold.name} epoch {len(lines) - 1}"
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
    notes = list(prepared.notes)
    own = sorted(
        {unit for k in range(len(prepared.folds)) for unit in _own_units(run.fold_folder(k))}
    )
    if own:
        notes.append(
            f"{len(own)} held-out subjects are scaled by their own windows, without their labels, "
            "because scaling per subject was asked for."
        )
    split = experiment.split
    return {
        **describe_environment(run.devices, run.jobs),
        "started": run.started,
        "finished": now(),
        "wall_seconds": time.perf_counter() - run.began,
        "peak_memory_bytes": peak_memory()
        + sum(v for k, v in run.peaks.items() if k != os.getpid()),
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
            "n_parameters": _read_fold(run.fold_folder(0))["n_parameters"],
        },
        "notes": notes,
    }


def _read_fold(folder: Path) -> dict[str, Any]:
    import json

    record: dict[str, Any] = json.loads((folder / "fold.json").read_text(encoding="utf-8"))
    return record


def _own_units(folder: Path) -> list[str]:
    units: list[str] = _read_fold(folder)["scaled_by_own_windows"]
    return units


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
