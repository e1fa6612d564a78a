"""Dry run: report what an experiment would do and what is wrong with it or its data."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from eegemo.config import Experiment
from eegemo.datasets import Dataset, FileState, Recording
from eegemo.errors import EegemoError, InputError
from eegemo.execution import RunContext, available_memory, may_use_gpu
from eegemo.models.shapes import shape_of
from eegemo.pages.notes import merge_notes
from eegemo.report.verdicts import unit_text
from eegemo.results.plan import design_of
from eegemo.runs.check_data import OnFile, broken_file
from eegemo.runs.dataset import list_recordings, make_dataset
from eegemo.runs.describe import describe_trials, format_range
from eegemo.runs.outlines import PreparedSubject, join_expected, prepare_outlines
from eegemo.runs.prepare import divide_trials, settle
from eegemo.runs.resources import Resources, check_memory, estimate_resources
from eegemo.splits import Fold
from eegemo.store import format_bytes, free_bytes
from eegemo.store.space import check_space
from eegemo.trials import Trials, join_outlines
from eegemo.windows import Windows

__all__ = ["CheckedExperiment", "check_experiment"]

# Batches of random numbers to time; the first ones compile the network.
_EVALUATED = 3  # predicting a window is about this many times faster than training on it
# Seconds apart from training: to read, preprocess and store a subject; to start a process.
_SUBJECT, _START = 2.0, 8.0
# Windows whose band power is computed in a second, and windows times features of one regression.
_POWER, _REGRESSED = 8000.0, 5e5


@dataclass
class CheckedExperiment:
    """The outcome of checking an experiment.

    Attributes
    ----------
    name : str
    files : list of FileState
        State of the files of each subject.
    facts : list of (str, str)
        What a run would do, by topic: data, labels, windows, folds, disk, memory, time.
    problems : list of str
        Why it cannot run as given.
    shortages : list of str
        Why it cannot run on this machine: disk space.
    notes : list of str
        Caveats that the report would list.
    """

    name: str
    files: list[FileState] = field(default_factory=list)
    facts: list[tuple[str, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    shortages: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0 if it can run, 2 if the input is wrong, 1 if only disk space is missing."""
        return 2 if self.problems else 1 if self.shortages else 0


def check_experiment(
    experiment: Experiment,
    *,
    results: str | Path = "results",
    jobs: int = 1,
    calibrate: bool = True,
    on_file: OnFile | None = None,
) -> CheckedExperiment:
    """Determine what a run of an experiment would do, without writing anything.

    Subjects are read and preprocessed by the functions of a run, so the two cannot disagree; trials
    that are stored already are not made again.

    Parameters
    ----------
    experiment : Experiment
    results : path
        Where results would go.
    jobs : int
        Number of processes.
    calibrate : bool
        Train the network on a few batches of random numbers, to estimate the time of a run.
    on_file : callable, optional
        Called for each subject that was prepared, with its name, the number of those that are, and
        the number of subjects.

    Returns
    -------
    checked : CheckedExperiment
        Problems of the data or the experiment are listed in it, not raised.
    """
    checked = CheckedExperiment(experiment.name)
    context = RunContext.of(results=results, jobs=jobs)
    try:
        dataset = make_dataset(experiment)
        trials, notes = _prepare(experiment, dataset, context, checked, on_file)
        if trials is None:
            return checked
        checked.facts += _describe_trials(trials)
        windows, folds, divided = divide_trials(experiment, trials, dataset)
        checked.notes = merge_notes([*notes, *divided])
        _describe(checked, windows, folds)
        within = experiment.split.within == "subject"
        design = design_of(windows, within_subject=within).as_dict()
        checked.facts.append(("test", unit_text(design)))
        candidates = [candidate for _, candidate in experiment.candidates()]
        resources = estimate_resources(
            windows,
            folds,
            models=[candidate.make_model() for candidate in candidates],
            batch_size=max(candidate.training.batch_size for candidate in candidates),
        )
        check_memory(resources, on_gpu=may_use_gpu())
        _describe_room(checked, experiment, windows, resources, context)
        seconds = _seconds(experiment, windows, folds, context, calibrate)
        if seconds is not None:
            early = ", less if training stops early" if experiment.make_model().in_epochs else ""
            text = f"about {format_seconds(seconds)} with {max(jobs, 1)} jobs{early}"
            checked.facts.append(("time", text))
    except InputError as error:
        # what the other subjects lack may be in the files that cannot be used
        without = [file.name for file in checked.files if not file.ok]
        prefix = f"without {', '.join(without)}: " if without else ""
        checked.problems.append(f"{prefix}{error}")
    return checked


def _prepare(
    experiment: Experiment,
    dataset: Dataset,
    context: RunContext,
    checked: CheckedExperiment,
    on_file: OnFile | None,
) -> tuple[Trials | None, list[str]]:
    """Return the trials of a run without their signals, and its notes; None if there are none."""
    planned = dataset.to_be_made()
    if planned is not None:
        checked.facts.append(("data", planned))
        steps = experiment.preprocessing
        expected = dataset.expected()
        return join_expected(expected, sfreq=steps.sfreq, channels=dataset.kept_channels), []
    recordings = list_recordings(dataset)
    noun = "subject" if len(recordings) == 1 else "subjects"
    checked.facts.append(("data", f"{len(recordings)} {noun} in {dataset.place}"))
    prepared = prepare_outlines(experiment, dataset, recordings, context, on_subject=on_file)
    for subject, recording in zip(prepared, recordings, strict=True):
        checked.files.append(_state(subject, recording))
    broken = [subject.subject for subject in prepared if subject.error is not None]
    if broken:
        checked.problems.append(
            f"{', '.join(broken)}: cannot be used. Repair the files, or leave them out by "
            "data.exclude, or name the other subjects in data.subjects."
        )
    outlines = [subject.outline for subject in prepared if subject.outline is not None]
    if not outlines:
        return None, []
    options = experiment.preprocessing.model_dump() | {"channels": dataset.kept_channels}
    notes = dataset.notes(recordings, options)
    prints = np.concatenate([subject.prints for subject in prepared if subject.prints is not None])
    trials, copied = settle(experiment, join_outlines(outlines), dataset, prints)
    return trials, [*notes, *(note for s in prepared for note in s.notes), *copied]


def _state(prepared: PreparedSubject, recording: Recording) -> FileState:
    if prepared.error is not None:
        return broken_file(prepared.subject, recording.files, prepared.error)
    outline = prepared.outline
    assert outline is not None  # a subject has an outline or an error
    trials = join_outlines([outline])
    n_bytes = sum(file.stat().st_size for file in recording.files)
    seconds = format_range(trials.n_times / trials.sfreq)
    detail = f"{len(trials)} trials of {seconds} s, {trials.sfreq:g} Hz"
    return FileState(prepared.subject, n_bytes, "ok", detail)


def _describe_trials(trials: Trials) -> list[tuple[str, str]]:
    return describe_trials(trials.metadata, (trials.n_times / trials.sfreq).tolist())


def _describe(checked: CheckedExperiment, windows: Windows, folds: list[Fold]) -> None:
    labels = windows.labels
    counts = ", ".join(f"{name} {n}" for name, n in labels.counts().items())
    dropped = sum(labels.dropped.values())
    checked.facts.append(("trials", counts + (f"; {dropped} without a class" if dropped else "")))
    sfreq = windows.trials.sfreq
    checked.facts.append(
        (
            "windows",
            f"{len(windows):,} of {windows.n_times / sfreq:g} s: {windows.n_times} samples at "
            f"{sfreq:g} Hz, {windows.n_channels} channels",
        )
    )
    parts = {name: [len(fold.parts()[name]) for fold in folds] for name in folds[0].parts()}
    sizes = "; ".join(f"{name} {_range(sizes)}" for name, sizes in parts.items())
    checked.facts.append(("folds", f"{len(folds)}, of windows each: {sizes}"))


def _range(sizes: list[int]) -> str:
    low, high = min(sizes), max(sizes)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _describe_room(
    checked: CheckedExperiment,
    experiment: Experiment,
    windows: Windows,
    resources: Resources,
    context: RunContext,
) -> None:
    stored = sum(4 * array.size for array in windows.trials.arrays)
    total = int(1.05 * stored) + resources.disk
    checked.facts.append(
        (
            "disk",
            f"about {format_bytes(total)} to be written, {format_bytes(stored)} of it for trials "
            f"unless they are stored already; {format_bytes(free_bytes(context.results))} free",
        )
    )
    try:
        check_space(context.results, total, "this run")
    except EegemoError as error:
        checked.shortages.append(str(error))
    free = available_memory()
    workers = max(context.jobs, 1)
    text = f"about {format_bytes(resources.memory)} for each of {workers} jobs"
    if free is not None:
        text += f"; {format_bytes(free)} free"
        if resources.memory * workers > free:
            checked.notes.append(_advise(resources.memory, free, workers))
    if resources.parameters is not None:
        text += f" (network of {resources.parameters:,} parameters)"
    elif experiment.make_model().in_epochs:
        text += " (the model does not tell its size beforehand)"
    checked.facts.append(("memory", text))


def _advise(memory: int, free: int, workers: int) -> str:
    """Advise a number of jobs that fits, or a smaller model where none does."""
    fit = int(free // memory)
    if fit:
        return f"Memory may not suffice for {workers} jobs; try --jobs {fit}."
    return (
        f"Memory may not suffice even for one job: about {format_bytes(memory)}, and "
        f"{format_bytes(free)} are free. Use smaller layers, a smaller training.batch_size, "
        "shorter windows or a lower preprocessing.sfreq."
    )


def _seconds(
    experiment: Experiment,
    windows: Windows,
    folds: list[Fold],
    context: RunContext,
    calibrate: bool,
) -> float | None:
    """Estimate the longest time of a run, in seconds."""
    jobs = max(context.jobs, 1)
    workers = min(jobs, len(folds))
    n_subjects = len(windows.trials.arrays)
    total = _START + _SUBJECT * n_subjects / jobs + len(windows) / _POWER
    regression = sum(len(fold.train) for fold in folds) * windows.n_channels * 4 / _REGRESSED
    if not experiment.make_model().in_epochs:
        return total + regression * len(experiment.candidates()) / workers
    if not calibrate:
        return None
    fitted = 0.0
    for _, candidate in experiment.candidates():
        size = candidate.training.batch_size
        batch = min(size, len(windows))
        step = candidate.make_model().seconds_per_batch(shape_of(windows), batch) or 0.0
        for fold in folds:
            steps = -(-len(fold.train) // size) + len(fold.validation) / size / _EVALUATED
            fitted += step * candidate.training.epochs * steps
            fitted += step * len(fold.test) / size / _EVALUATED
    return total + (fitted + regression + _START * len(folds)) / workers


def format_seconds(seconds: float) -> str:
    """Format a duration for readers.

    Examples
    --------
    >>> format_seconds(20), format_seconds(200), format_seconds(9000)
    ('20 s', '3 min', '2.5 h')
    """
    if seconds < 90:
        return f"{max(round(seconds, -1), 10):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
