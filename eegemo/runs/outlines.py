"""Trials without signals, for `eegemo check`: prepared as a run prepares them, and not stored."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eegemo.config import Experiment
from eegemo.datasets import EMOTIV_CHANNELS, Dataset, Outline, Recording
from eegemo.errors import DataError
from eegemo.execution import RunContext
from eegemo.fingerprints import make_fingerprints
from eegemo.runs.prints import stored_prints
from eegemo.runs.trials import TrialsTask, plan_trials, prepare_subject
from eegemo.store import FileDigests, is_whole
from eegemo.trials import Trials, TrialsOutline, join_outlines, outline_stored, outline_trials

__all__ = ["PreparedSubject", "join_expected", "prepare_outlines"]

# With fewer recordings, starting processes takes longer than it saves.
_IN_THIS_PROCESS = 4


@dataclass(frozen=True)
class PreparedSubject:
    """A subject as a run would store it, without the signals.

    Attributes
    ----------
    subject : str
    outline : TrialsOutline or None
        None if the subject cannot be used.
    prints : ndarray or None
        The fingerprints of its trials.
    notes : tuple of str
        What the run would note about it.
    error : DataError or None
        Why it cannot be used.
    """

    subject: str
    outline: TrialsOutline | None = None
    prints: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    error: DataError | None = None


def prepare_outlines(
    experiment: Experiment,
    dataset: Dataset,
    recordings: Sequence[Recording],
    context: RunContext,
    *,
    on_subject: Callable[[str, int, int], None] | None = None,
) -> list[PreparedSubject]:
    """Prepare all subjects as a run does, by the same functions, but store nothing.

    Parameters
    ----------
    experiment : Experiment
    dataset : Dataset
    recordings : sequence of Recording
    context : RunContext
        Trials that are stored already are not prepared again.
    on_subject : callable, optional
        Called with the name of a subject that is done, the number done, and the number of subjects.

    Returns
    -------
    prepared : list of PreparedSubject
        In the order of the recordings.
    """
    files = FileDigests(context.store / "files.json")
    tasks = plan_trials(experiment, dataset, recordings, context, files)
    done: dict[str, PreparedSubject] = {}
    left = []
    for task in tasks:
        if is_whole(task.folder, files):
            lines = (task.folder / "notes.txt").read_text(encoding="utf-8").splitlines()
            subject = task.recording.subject
            done[subject] = PreparedSubject(
                subject, outline_stored(task.folder), stored_prints(task.folder), tuple(lines)
            )
        else:
            left.append(task)
    few = len(left) < _IN_THIS_PROCESS
    for prepared in context.map(outline_subject, left, jobs=0 if few else context.jobs):
        done[prepared.subject] = prepared
        if on_subject is not None:
            on_subject(prepared.subject, len(done), len(tasks))
    return [done[task.recording.subject] for task in tasks]


def outline_subject(task: TrialsTask) -> PreparedSubject:
    """Prepare a subject, and keep everything but its signals."""
    subject = task.recording.subject
    try:
        epochs, _, notes = prepare_subject(task.recording, task.preprocessing)
        prints: list[np.ndarray] = []
        sfreq = float(epochs[0].info["sfreq"])
        outline = outline_trials(
            epochs, lambda signals: prints.append(make_fingerprints([signals], sfreq))
        )
    except DataError as error:
        return PreparedSubject(subject, error=error)
    said = tuple(f"Subject {subject}: {note}" for note in notes)
    return PreparedSubject(subject, outline, np.concatenate(prints), said)


def join_expected(outlines: Mapping[str, Outline], *, sfreq: float | None, channels: Any) -> Trials:
    """Return the trials of recordings that are yet to be made, as preprocessing would give them.

    Raises
    ------
    DataError
        If the recordings differ, or lack a channel that was asked for.
    """
    first = next(iter(outlines.values()))
    rates = {outline.sfreq for outline in outlines.values()}
    if sfreq is None and len(rates) > 1:
        raise DataError("recordings differ in sampling frequency; set preprocessing.sfreq.")
    rate = sfreq or first.sfreq
    wanted = {"eeg": first.ch_names, "emotiv": EMOTIV_CHANNELS}
    names = tuple(wanted[channels] if isinstance(channels, str) else channels)
    for subject, outline in outlines.items():
        absent = [name for name in names if name not in outline.ch_names]
        if absent:
            raise DataError(f"subject {subject} has no EEG channel {', '.join(absent)}.")
    joined = []
    for outline in outlines.values():
        n_times = [int(seconds * rate + 1e-6) for seconds in outline.durations]
        uneven = len(set(n_times)) > 1
        size = (sum(n_times),) if uneven else (len(n_times), n_times[0])
        table = outline.metadata.assign(n_times=n_times) if uneven else outline.metadata
        joined.append(TrialsOutline((*size, len(names)), table, rate, names, 0.0))
    return join_outlines(joined)
