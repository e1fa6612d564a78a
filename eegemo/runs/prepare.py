"""Prepare an experiment: from recordings to cross-validation folds.

All mistakes in an experiment or its data are found here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from eegemo.config import Experiment, code_for_digest, section_for_digest
from eegemo.datasets import Dataset, Recording, open_dataset
from eegemo.errors import ConfigError, DataError
from eegemo.evaluation.statistics import shuffle_labels
from eegemo.execution import RunContext, span
from eegemo.labels import Labels, make_labels
from eegemo.preprocessing import NoTrialLeftError, Record, preprocess, save_records
from eegemo.registry import DATASETS, options_of
from eegemo.results import Result
from eegemo.results.plan import Plan, make_digests
from eegemo.simulation import is_simulated
from eegemo.splits import Fold, make_repeats
from eegemo.store import (
    FileDigests,
    digest_json,
    is_whole,
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
    "list_recordings",
    "make_dataset",
    "prepare_experiment",
    "prepare_result",
    "prepare_trials",
    "store_subject",
    "with_dataset",
]


#: Increased when stored trials would differ for the same input.
_TRIALS_VERSION = 3


@dataclass(frozen=True)
class StoredTrials:
    """The trials of an experiment's recordings, preprocessed and on disk.

    Attributes
    ----------
    experiment : Experiment
    subjects : tuple of str
    folders : tuple of Path
        One per subject, named by everything that determines its content; see `load_trials`
        and `load_records`.
    made : tuple of str
        The subjects that were not stored before.
    notes : tuple of str
        Caveats for the report.
    simulated : bool
        Whether the data was simulated.
    """

    experiment: Experiment
    subjects: tuple[str, ...]
    folders: tuple[Path, ...]
    made: tuple[str, ...]
    notes: tuple[str, ...]
    simulated: bool


def make_dataset(experiment: Experiment, *, trust: bool = True) -> Dataset:
    """Return the data set of an experiment, with the options of its section ``data``.

    Parameters
    ----------
    experiment : Experiment
    trust : bool
        Whether a data set by import path may be imported, which runs its code.

    Raises
    ------
    ConfigError
        If there is no such data set.
    """
    options = experiment.data.model_dump()
    return open_dataset(options.pop("source"), trust=trust, **options)


def list_recordings(dataset: Dataset) -> list[Recording]:
    """Return the recordings of a data set, of which there has to be at least one.

    Raises
    ------
    DataError
        If the data set finds none, or refuses the data.
    """
    recordings = dataset.find()
    if not recordings:
        place = f" in {dataset.place}" if dataset.place else ""
        raise DataError(f"data: {dataset.title}: no recordings found{place}.")
    return recordings


def with_dataset(experiment: Experiment, dataset: Dataset) -> Experiment:
    """Return the experiment with a section ``data`` that describes a given data set.

    Raises
    ------
    ConfigError
        If the class of the data set is defined inside a function and cannot be named in a file.
    """
    kind = type(dataset)
    path = f"{kind.__module__}:{kind.__qualname__}"
    source = next((name for name, where in DATASETS.built_in.items() if where == path), path)
    options = {name: getattr(dataset, name) for name in options_of(kind)}
    plain = {name: list(v) if isinstance(v, tuple) else v for name, v in options.items()}
    content = experiment.model_dump() | {"data": {"source": source, **plain}}
    try:
        return Experiment.model_validate(content)
    except ValueError as error:
        problem = " ".join(str(error).split())[:300]
        raise ConfigError(f"data: {path} cannot be written to a file: {problem}") from error


def prepare_experiment(
    experiment: Experiment, context: RunContext, *, dataset: Dataset | None = None
) -> Plan:
    """Read, preprocess and store trials, and make labels, windows and folds.

    Parameters
    ----------
    experiment : Experiment
    context : RunContext
        Where trials are stored, and how tasks are run.
    dataset : Dataset, optional
        The data; that of the experiment if not given.

    Returns
    -------
    plan : Plan

    Raises
    ------
    InputError
        If the data is wrong, or cannot be divided as the experiment asks.
    """
    dataset = make_dataset(experiment) if dataset is None else dataset
    stored = prepare_trials(experiment, context, dataset=dataset)
    folders, notes = stored.folders, list(stored.notes)
    trials = load_trials(folders)
    windows, folds, divided = divide_trials(experiment, trials, dataset)
    notes += divided
    digests = make_digests(experiment, folders, windows, folds)
    folder = context.results / f"{experiment.name}-{digests['experiment'][:8]}"
    return Plan(
        experiment,
        windows,
        folds,
        folder,
        digests,
        stored.simulated,
        tuple(notes),
        title=dataset.title,
        citation=dataset.citation,
    )


def prepare_result(result: Result, context: RunContext) -> Plan:
    """Make the windows and folds of a result again, from its own ``experiment.yaml``.

    This is not a method of `Result`: preparing is a layer above the files on disk.

    Parameters
    ----------
    result : Result
    context : RunContext
        Where trials are stored, and how tasks are run.

    Returns
    -------
    plan : Plan
        Its digests say whether data, labels and folds are those of the result.

    Raises
    ------
    InputError
        If the data no longer exists, or this version does not support the file.
    """
    return prepare_experiment(result.experiment, context)


def divide_trials(
    experiment: Experiment, trials: Trials, dataset: Dataset
) -> tuple[Windows, list[Fold], list[str]]:
    """Label trials, divide them into windows and these into folds; also return notes."""
    labels = make_labels(
        trials.metadata, **experiment.labels.model_dump(), rating_range=dataset.rating_range
    )
    notes = []
    if experiment.shuffle_labels is not None:
        labels = _permuted(labels, trials, experiment.shuffle_labels)
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


def prepare_trials(
    experiment: Experiment, context: RunContext, *, dataset: Dataset | None = None
) -> StoredTrials:
    """Read, preprocess and store the trials of each subject, unless they are stored already.

    A subject's trials are stored as soon as they are made. They depend only on the subject's files,
    the reader and the preprocessing.

    Parameters
    ----------
    experiment, context, dataset
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
    dataset = make_dataset(experiment) if dataset is None else dataset
    dataset.prepare(context)
    recordings = list_recordings(dataset)
    steps = experiment.preprocessing.model_dump() | {"channels": dataset.kept_channels}
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
                progress.message(f"{folder} is corrupt: making it again.")
            tasks.append(TrialsTask(recording, folder, steps, context.trace))
    files.save()
    least = sum(task.recording.least_bytes(steps) for task in tasks)
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
        notes=(*dataset.notes(recordings, steps), *(note for lines in notes for note in lines)),
        simulated=any(is_simulated(file) for recording in recordings for file in recording.files),
    )


def _permuted(labels: Labels, trials: Trials, seed: int) -> Labels:
    """Permute labels, as `eegemo.evaluation.statistics.permutation_test` does."""
    about = trials.metadata
    codes = shuffle_labels(
        labels.codes,
        about[["subject", "session"]],
        about["stimulus"],
        np.random.default_rng([seed, 2**31]),  # distinct from all other uses of small seeds
    )
    return replace(labels, codes=codes)


def _length_notes(trials: Trials) -> list[str]:
    low, high = trials.n_times.min() / trials.sfreq, trials.n_times.max() / trials.sfreq
    if low == high:
        return []
    between = "" if any(array.ndim == 2 for array in trials.arrays) else " between subjects"
    return [f"Trials differ in length{between}: {low:g} to {high:g} s."]


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
    """Note the folds whose test set has a class that training lacks.

    Raises
    ------
    DataError
        If a training set has a single class.
    """
    notes = []
    for fold in folds:
        training_classes = np.unique(windows.codes[fold.train])
        if len(training_classes) < 2:
            name = windows.labels.classes[training_classes[0]]
            raise DataError(
                f"split: all training trials of fold {fold.name} are {name}, so there is nothing "
                "to classify. Exclude that subject, or change the labels or the split."
            )
        validation_classes = np.unique(windows.codes[fold.validation])
        if validation_classes.size and not np.isin(validation_classes, training_classes).any():
            notes.append(
                f"Fold {fold.name}: its validation set has no class of its training set, so "
                "early stopping is ineffective."
            )
        absent = np.setdiff1d(windows.codes[fold.test], windows.codes[fold.train])
        if absent.size:
            names = ", ".join(windows.labels.classes[code] for code in absent)
            notes.append(f"Fold {fold.name}: no training trial of {names}, which the test set has.")
    return notes


@dataclass(frozen=True)
class TrialsTask:
    """Task of a process: read, preprocess and store a subject.

    Attributes
    ----------
    recording : Recording
    folder : Path
        Where its trials are stored.
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
        """A file that exists once the task is done."""
        return self.folder / "manifest.json"


def store_subject(task: TrialsTask) -> str:
    """Read, preprocess and store a subject, run by run, with a record of what was done.

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
    # EOG may be of any type, and is used until it has been removed
    eeg_only = isinstance(steps["channels"], str) and steps["eog"] == "none"
    for run in task.recording.read(eeg_only=eeg_only):
        record = Record()
        try:
            epochs.append(
                preprocess(
                    run.inst, **steps, make_epochs=run.make_epochs, record=record, copy=False
                )
            )
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
