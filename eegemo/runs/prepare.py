"""Prepare an experiment: from recordings to cross-validation folds.

Everything that can be wrong with an experiment or its data is found out here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from eegemo.config import Experiment, Section, code_for_digest, section_for_digest
from eegemo.config.data_options import dataset_class
from eegemo.datasets import Recording, find_recordings
from eegemo.datasets.deap.dataset import _repeat_notes
from eegemo.errors import DataError
from eegemo.evaluation.statistics import shuffle_labels
from eegemo.execution import Progress, RunContext, span
from eegemo.labels import Labels, make_labels
from eegemo.preprocessing import NoTrialLeftError, Record, preprocess, save_records
from eegemo.registry import options_of
from eegemo.results import Result
from eegemo.results.plan import Plan, make_digests
from eegemo.runs.resources import least_trial_bytes, simulated_bytes
from eegemo.simulation import SimulatedRelease, is_simulated, read_simulation, simulate_deap
from eegemo.splits import Fold, make_repeats
from eegemo.store import (
    FileDigests,
    digest_json,
    is_whole,
    lock,
    remove_damaged,
    remove_leftovers,
)
from eegemo.store.space import check_space
from eegemo.trials import Trials, load_trials, store_trials
from eegemo.windows import Windows, make_windows

__all__ = [
    "StoredTrials",
    "TrialsTask",
    "divide_trials",
    "prepare_experiment",
    "prepare_result",
    "prepare_trials",
    "store_subject",
]


#: Raised when stored trials, or results, would come out differently for the same input.
_TRIALS_VERSION = 3


@dataclass(frozen=True)
class StoredTrials:
    """The trials of an experiment's recordings, preprocessed and on disk.

    Attributes
    ----------
    experiment : Experiment
    subjects : tuple of str
    folders : tuple of Path
        One for each subject, named by all that decides its content; see `load_trials`
        and `load_records`.
    made : tuple of str
        The subjects that were not there before.
    notes : tuple of str
        What the reader of the report should know.
    simulated : bool
        Whether the data was simulated.
    """

    experiment: Experiment
    subjects: tuple[str, ...]
    folders: tuple[Path, ...]
    made: tuple[str, ...]
    notes: tuple[str, ...]
    simulated: bool


def prepare_experiment(experiment: Experiment, context: RunContext) -> Plan:
    """Read, preprocess and store trials, and make labels, windows and folds.

    Parameters
    ----------
    experiment : Experiment
    context : RunContext
        Where trials are stored, and who does the work.

    Returns
    -------
    plan : Plan

    Raises
    ------
    InputError
        If the data is wrong, or cannot be divided as the experiment asks.
    """
    stored = prepare_trials(experiment, context)
    folders, notes = stored.folders, list(stored.notes)
    trials = load_trials(folders)
    windows, folds, divided = divide_trials(experiment, trials)
    notes += divided
    digests = make_digests(experiment, folders, windows, folds)
    folder = context.results / f"{experiment.name}-{digests['experiment'][:8]}"
    return Plan(experiment, windows, folds, folder, digests, stored.simulated, tuple(notes))


def prepare_result(result: Result, context: RunContext) -> Plan:
    """Make the windows and folds of a result again, from its own ``experiment.yaml``.

    This is no method of `Result`, since preparing stands above what lies on disk.

    Parameters
    ----------
    result : Result
    context : RunContext
        Where trials are stored, and who does the work.

    Returns
    -------
    plan : Plan
        Its digests say whether data, labels and folds are those of the result.

    Raises
    ------
    InputError
        If the data is not there any more, or this version does not know what the file asks for.
    """
    return prepare_experiment(result.experiment, context)


def divide_trials(experiment: Experiment, trials: Trials) -> tuple[Windows, list[Fold], list[str]]:
    """Label trials, cut them into windows, and divide these into folds; return notes, too."""
    labels = make_labels(trials.metadata, **experiment.labels.model_dump())
    notes = []
    if experiment.shuffle_labels is not None:
        labels = _shuffled(labels, trials, experiment.shuffle_labels)
        notes.append(
            "Trial labels were shuffled within each subject and session: there is nothing to learn."
        )
    windows = make_windows(trials, labels, **experiment.windows.model_dump())
    folds = make_repeats(
        windows.table,
        repeats=experiment.repeats,
        seed=experiment.seed,
        **experiment.split.model_dump(),
    )
    notes += _length_notes(trials) + _label_notes(experiment, labels) + _fold_notes(folds, windows)
    return windows, folds, notes


def prepare_trials(experiment: Experiment, context: RunContext) -> StoredTrials:
    """Read, preprocess and store the trials of each subject unless the very same are there.

    A subject's trials are stored as soon as they are made, and depend on the subject's files, the
    reader and the preprocessing: nothing else makes them anew.

    Parameters
    ----------
    experiment, context
        As in `prepare_experiment`.

    Returns
    -------
    stored : StoredTrials

    Raises
    ------
    InputError
        If the data is wrong, or a step cannot be done on it.
    """
    progress, store = context.progress, context.store
    remove_leftovers(store, store / "trials", store / "features")
    recordings = _find(experiment, _make_data(experiment, progress))
    steps = experiment.preprocessing.model_dump() | {"channels": experiment.data.channels}
    decisive = section_for_digest(experiment.preprocessing) | {"channels": steps["channels"]}
    code = code_for_digest(experiment, "data")
    files = FileDigests(store / "files.json")
    tasks, folders = [], []
    for recording in recordings:
        key = digest_json(
            {
                "version": _TRIALS_VERSION,
                "reader": recording.reader,
                "options": dict(recording.options),
                "files": files.digest_all(recording.files),
                "preprocessing": decisive,
                **code,
            }
        )
        folder = store / "trials" / f"{recording.subject}-{key[:32]}"
        folders.append(folder)
        if not is_whole(folder, files):
            if remove_damaged(folder, files):
                progress.say(f"{folder} is damaged: making it again.")
            tasks.append(TrialsTask(recording, folder, steps, context.trace))
    files.save()
    least = sum(least_trial_bytes(task.recording, steps) for task in tasks)
    check_space(store, least, f"the trials of {len(tasks)} subjects")
    label, done = f"{experiment.name}: trials", len(folders) - len(tasks)
    progress.update(label, done, len(folders), label)
    for subject in context.map(store_subject, tasks):
        done += 1
        progress.update(label, done, len(folders), label, subject)
    notes = [(folder / "notes.txt").read_text(encoding="utf-8").splitlines() for folder in folders]
    return StoredTrials(
        experiment,
        subjects=tuple(recording.subject for recording in recordings),
        folders=tuple(folders),
        made=tuple(task.recording.subject for task in tasks),
        notes=(*_repeat_notes(recordings, steps), *(note for lines in notes for note in lines)),
        simulated=experiment.data.source != "bids"
        and any(is_simulated(file) for recording in recordings for file in recording.files),
    )


def _make_data(experiment: Experiment, progress: Progress) -> str:
    """Return the data set's folder, simulating it first where the experiment says so."""
    data = experiment.data
    if data.source != "simulated":
        return str(data.root)
    root, arguments = simulated_root(data), _simulation(data)
    with lock(root.with_suffix(".lock"), wait=True, say=progress.say):
        if not _is_simulated(root):
            remove_leftovers(root, *root.glob("data_*"))
            check_space(root, simulated_bytes(**_simulation(data)), "simulating this release")
            progress.say(f"Simulating a DEAP release of {data.n_subjects} subjects in {root}.")
            simulate_deap(
                root,
                **arguments,
                on_subject=lambda subject, i, n: progress.update(
                    "simulate", i, n, "simulate", subject
                ),
            )
    return str(root)


def _simulation(data: Section) -> dict[str, Any]:
    """Return the arguments of `simulate_deap`."""
    names = {"n_subjects", "n_trials", "duration", "effect", "fingerprint", "seed"}
    return data.model_dump(include=names) | {"formats": [data.variant]}


def simulated_root(data: Section) -> Path:
    """Return the folder of a simulated release, named by all that decides what is in it."""
    return Path(data.root) / digest_json(_simulation(data))[:8]


def simulation_options() -> set[str]:
    """Return the options of simulated data that say how to simulate, not how to read."""
    return set(options_of(dataset_class("simulated"))) - set(options_of(dataset_class("deap")))


def _is_simulated(root: Path) -> bool:
    """Tell whether a whole simulated release is there, made by this version of the simulation."""
    release = read_simulation(root)
    if release is None or not release.complete or release.version != SimulatedRelease.version:
        return False
    files = [file for file in root.glob("data_*/s*.*") if file.is_file()]
    return len(files) == len(release.subjects) * len(release.formats)


def _find(experiment: Experiment, root: str) -> list[Recording]:
    data = experiment.data
    options = data.model_dump(exclude={"source", "root", "channels"} | simulation_options())
    return find_recordings("deap" if data.source == "simulated" else data.source, root, **options)


def _shuffled(labels: Labels, trials: Trials, seed: int) -> Labels:
    """Give the labels to other trials, as `eegemo.evaluation.statistics.permutation_test` does."""
    about = trials.metadata
    codes = shuffle_labels(
        labels.codes,
        about[["subject", "session"]],
        about["stimulus"],
        np.random.default_rng([seed, 2**31]),  # apart from all other uses of small seeds
    )
    return replace(labels, codes=codes)


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


@dataclass(frozen=True)
class TrialsTask:
    """Read, preprocess and store one subject.

    Attributes
    ----------
    recording : Recording
    folder : Path
        Where its trials go.
    preprocessing : dict
        Arguments of `eegemo.preprocessing.preprocess`.
    trace : Path, optional
        Folder that records when it was done.
    """

    recording: Recording
    folder: Path
    preprocessing: dict[str, Any]
    trace: Path | None = None

    def __str__(self) -> str:
        return f"subject {self.recording.subject}"

    @property
    def outcome(self) -> Path:
        """A file that is there once the task has been done."""
        return self.folder / "manifest.json"


def store_subject(task: TrialsTask) -> str:
    """Read, preprocess and store one subject, run by run, with a record of what was done.

    Raises
    ------
    DataError
        If a step cannot be done on this subject's signals, or no trial is left.
    """
    with span(str(task), task.trace):
        return _store_subject(task)


def _store_subject(task: TrialsTask) -> str:
    subject, steps = task.recording.subject, task.preprocessing
    epochs, records, notes = [], [], []
    failure = "there is no recording with trials."
    # EOG may be of any type, and is needed until it has been removed
    eeg_only = isinstance(steps["channels"], str) and steps["eog"] == "none"
    for run in task.recording.read(eeg_only=eeg_only):
        record = Record()
        try:
            epochs.append(preprocess(run.inst, **steps, cut=run.cut, record=record, copy=False))
        except NoTrialLeftError as error:  # another run may have some
            failure = str(error)
            record.notes.append(failure)
        except DataError as error:
            raise DataError(f"subject {subject}: {error}") from error
        records.append(record)
        notes += [*run.notes, *record.notes]
    if not epochs:
        raise DataError(f"subject {subject}: {failure}")
    store_trials(
        epochs,
        task.folder,
        notes=[f"Subject {subject}: {note}" for note in notes],
        extra=lambda folder: save_records(records, folder),
    )
    return subject
