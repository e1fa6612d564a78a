"""Read, preprocess and store the trials of each subject."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eegemo.config import Experiment, code_for_digest, section_for_digest
from eegemo.datasets import Dataset, Recording
from eegemo.datasets.references import read_references
from eegemo.errors import DataError
from eegemo.execution import RunContext, span
from eegemo.pages.notes import merge_notes
from eegemo.preprocessing import (
    NoTrialLeftError,
    Record,
    check_montage,
    preprocess,
    save_records,
)
from eegemo.runs.dataset import list_recordings, make_dataset
from eegemo.runs.prints import store_prints
from eegemo.simulation import is_simulated
from eegemo.store import (
    FileDigests,
    digest_json,
    is_whole,
    remove_damaged,
    remove_leftovers,
)
from eegemo.store.space import check_space
from eegemo.trials import (
    outline_stored,
    reorder_channels,
    same_channels,
    store_trials,
    trial_lengths,
)

if TYPE_CHECKING:
    import mne

__all__ = [
    "StoredTrials",
    "TrialsTask",
    "plan_trials",
    "prepare_subject",
    "prepare_trials",
    "store_subject",
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
    references : tuple of str
        References that the recordings state.
    """

    experiment: Experiment
    subjects: tuple[str, ...]
    folders: tuple[Path, ...]
    made: tuple[str, ...]
    notes: tuple[str, ...]
    simulated: bool
    references: tuple[str, ...] = ()


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
    remove_leftovers(store, *(store / name for name in ("trials", "features", "fingerprints")))
    dataset = make_dataset(experiment) if dataset is None else dataset
    dataset.prepare(context)
    recordings = list_recordings(dataset)
    files = FileDigests(store / "files.json")
    planned = plan_trials(experiment, dataset, recordings, context, files)
    tasks = []
    for task in planned:
        if not is_whole(task.folder, files):
            if remove_damaged(task.folder, files):
                progress.message(f"{task.folder} is corrupt: making it again.")
            tasks.append(task)
    files.save()
    steps = planned[0].preprocessing
    least = sum(task.recording.least_bytes(steps) for task in tasks)
    check_space(store, least, f"the trials of {len(tasks)} subjects")
    label, done = f"{experiment.name}: trials", len(planned) - len(tasks)
    progress.update(label, done, len(planned), label)
    for subject in context.map(store_subject, tasks):
        done += 1
        progress.update(label, done, len(planned), label, subject)
    folders = _in_one_order([task.folder for task in planned], files)
    files.save()
    notes = [(folder / "notes.txt").read_text(encoding="utf-8").splitlines() for folder in folders]
    return StoredTrials(
        experiment,
        subjects=tuple(recording.subject for recording in recordings),
        folders=tuple(folders),
        made=tuple(task.recording.subject for task in tasks),
        notes=tuple(
            merge_notes(
                [*dataset.notes(recordings, steps), *(note for lines in notes for note in lines)]
            )
        ),
        simulated=any(is_simulated(file) for recording in recordings for file in recording.files),
        references=tuple(read_references(file for found in recordings for file in found.files)),
    )


def plan_trials(
    experiment: Experiment,
    dataset: Dataset,
    recordings: Sequence[Recording],
    context: RunContext,
    files: FileDigests,
) -> list[TrialsTask]:
    """Return the task of each recording; its folder may be stored already."""
    steps = experiment.preprocessing.model_dump() | {"channels": dataset.kept_channels}
    if steps["montage"] is not None:  # a mistake in the experiment, not in a subject's files
        check_montage(steps["montage"])
    decisive = section_for_digest(experiment.preprocessing) | {"channels": steps["channels"]}
    code = code_for_digest(experiment, "data")
    tasks = []
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
        folder = context.store / "trials" / f"{recording.subject}-{key[:32]}"
        tasks.append(TrialsTask(recording, folder, steps, context.trace))
    return tasks


def _in_one_order(folders: list[Path], files: FileDigests) -> list[Path]:
    """Return the folders with their channels in the order of the first.

    Where a recording has the same channels in another order, a reordered copy is stored beside it.
    """
    outlines = [outline_stored(folder) for folder in folders]
    names = outlines[0].ch_names
    ordered = []
    for folder, outline in zip(folders, outlines, strict=True):
        other = outline.ch_names != names and same_channels(outline.ch_names, names) is not None
        if other:
            target = folder.with_name(f"{folder.name}-{digest_json(list(names))[:16]}")
            if not is_whole(target, files):
                remove_damaged(target, files)
                reorder_channels(folder, names, target)
            ordered.append(target)
        else:
            ordered.append(folder)
    return ordered


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
    subject = task.recording.subject
    epochs, records, notes = prepare_subject(task.recording, task.preprocessing)
    store_trials(
        epochs,
        task.folder,
        notes=[f"Subject {subject}: {note}" for note in notes],
        extra=lambda folder: save_records(records, folder),
    )
    first = epochs[0]
    store_prints(task.folder, trial_lengths(epochs), len(first.ch_names), first.info["sfreq"])
    return subject


def prepare_subject(
    recording: Recording, steps: dict[str, Any]
) -> tuple[list[mne.BaseEpochs], list[Record], list[str]]:
    """Read and preprocess a subject, run by run.

    Parameters
    ----------
    recording : Recording
    steps : dict
        Arguments of `eegemo.preprocessing.preprocess`.

    Returns
    -------
    epochs : list of mne.Epochs
        The trials; those of an Epochs have the same length.
    records : list of Record
        One per run.
    notes : list of str
        What a reader of the results should know.

    Raises
    ------
    DataError
        If a step cannot be done on this subject's signals, or no trial is left.
    """
    subject = recording.subject
    epochs: list[mne.BaseEpochs] = []
    records, notes = [], []
    failure = "there is no recording with trials."
    # EOG may be of any type, and is used until it has been removed
    eeg_only = isinstance(steps["channels"], str) and steps["eog"] == "none"
    for run in recording.read(eeg_only=eeg_only):
        record = Record()
        try:
            done: Any = preprocess(
                run.inst, **steps, make_epochs=run.make_epochs, record=record, copy=False
            )
            epochs += done if isinstance(done, list) else [done]
        except NoTrialLeftError as error:  # another run may have some
            failure = str(error)
            record.notes.append(failure)
        except DataError as error:
            raise DataError(f"subject {subject}: {error}") from error
        records.append(record)
        notes += [*run.notes, *record.notes]
    if not epochs:
        raise DataError(f"subject {subject}: {failure}")
    return epochs, records, notes
