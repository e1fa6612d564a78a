"""The first half of the path: recordings to folds, with nothing trained.

Everything that can be wrong with an experiment or its data is found out here.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eegemo.config import DeapData, Experiment, SimulatedData
from eegemo.errors import DataError
from eegemo.execution import Progress, run_tasks
from eegemo.folds import Fold
from eegemo.labels import Labels, make_labels
from eegemo.recordings import (
    Recording,
    SimulatedRelease,
    find_recordings,
    is_simulated,
    read_simulation,
    simulate_deap,
)
from eegemo.splits import make_folds
from eegemo.store import FileDigests, digest_bytes, digest_json, is_whole, lock
from eegemo.tasks import TrialsTask, store_subject
from eegemo.windows import Trials, Windows, load_trials, make_windows

__all__ = ["Prepared", "prepare_experiment"]

#: Raised when stored trials, or results, would come out differently for the same input.
_TRIALS_VERSION = 2
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
    recordings = _find(experiment, root)
    folders, notes = _prepare_trials(experiment, recordings, store, jobs, progress)
    trials = load_trials(folders)
    labels = make_labels(trials.metadata, **experiment.labels.model_dump())
    windows = make_windows(trials, labels, **experiment.windows.model_dump())
    folds = make_folds(windows.table, **experiment.split.model_dump(), seed=experiment.seed)
    notes += _length_notes(trials) + _label_notes(experiment, labels) + _fold_notes(folds, windows)
    digests = _digests(experiment, folders, windows, folds)
    folder = Path(results) / f"{experiment.name}-{digests['experiment'][:8]}"
    simulated = experiment.data.source != "bids" and any(
        is_simulated(file) for recording in recordings for file in recording.files
    )
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
        if not _is_simulated(root):
            progress.say(f"Simulating a DEAP release of {data.n_subjects} subjects in {root}.")
            simulate_deap(
                root,
                **arguments,
                on_subject=lambda subject, i, n: progress.update(
                    "simulate", i, n, "simulate", subject
                ),
            )
    return str(root)


def _is_simulated(root: Path) -> bool:
    """Tell whether a whole simulated release is there, made by this version of the simulation."""
    release = read_simulation(root)
    if release is None or not release.complete or release.version != SimulatedRelease.version:
        return False
    files = [file for file in root.glob("data_preprocessed_*/s*.*") if file.is_file()]
    return len(files) == len(release.subjects) * len(release.formats)


def _find(experiment: Experiment, root: str) -> list[Recording]:
    data = experiment.data
    simulation = set(SimulatedData.model_fields) - set(DeapData.model_fields)
    options = data.model_dump(exclude={"source", "root", "channels"} | simulation)
    return find_recordings("deap" if data.source == "simulated" else data.source, root, **options)


def _prepare_trials(
    experiment: Experiment,
    recordings: Sequence[Recording],
    store: Path,
    jobs: int,
    progress: Progress,
) -> tuple[list[Path], list[str]]:
    """Store the trials of each subject unless the very same are there; return folders and notes."""
    steps = experiment.preprocessing.model_dump() | {"channels": experiment.data.channels}
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
        if not is_whole(folder, files):
            if folder.exists():
                progress.say(f"{folder} is damaged: making it again.")
                shutil.rmtree(folder)
            tasks.append(TrialsTask(recording, folder, steps))
    files.save()
    label, done = f"{experiment.name}: trials", len(folders) - len(tasks)
    progress.update(label, done, len(folders), label)
    for subject in run_tasks(store_subject, tasks, jobs=jobs):
        done += 1
        progress.update(label, done, len(folders), label, subject)
    notes = [(folder / "notes.txt").read_text(encoding="utf-8").splitlines() for folder in folders]
    return folders, [note for lines in notes for note in lines]


def _length_notes(trials: Trials) -> list[str]:
    seconds = {array.shape[1] / trials.sfreq for array in trials.arrays}
    if len(seconds) == 1:
        return []
    return [f"Trials differ in length between subjects: {min(seconds):g} to {max(seconds):g} s."]


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
    """Say in which folds the test part has a class that training does not.

    Raises
    ------
    DataError
        If a training part has a single class.
    """
    notes = []
    for fold in folds:
        learnt = np.unique(windows.codes[fold.train])
        if len(learnt) < 2:
            name = windows.labels.classes[learnt[0]]
            raise DataError(
                f"split: all training trials of fold {fold.name} are {name}, so there is nothing "
                "to tell apart. Leave that subject out, or change the labels or the split."
            )
        watched = np.unique(windows.codes[fold.validation])
        if watched.size and not np.isin(watched, learnt).any():
            notes.append(
                f"Fold {fold.name}: its validation part has no class of its training part, so "
                "nothing stops it early."
            )
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
