"""Dry run: report what an experiment would do and what is wrong with it or its data."""

from dataclasses import dataclass, field
from pathlib import Path

from eegemo.config import Experiment
from eegemo.datasets import Dataset, FileState, Outline
from eegemo.errors import EegemoError, InputError
from eegemo.execution import RunContext, available_memory, may_use_gpu
from eegemo.models.shapes import shape_of
from eegemo.runs.check_data import OnFile, check_recordings
from eegemo.runs.dataset import list_recordings, make_dataset
from eegemo.runs.outlines import join_outlines
from eegemo.runs.prepare import divide_trials
from eegemo.runs.resources import Resources, check_memory, estimate_resources
from eegemo.splits import Fold
from eegemo.store import format_bytes, free_bytes
from eegemo.store.space import check_space
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
    full: bool = False,
    calibrate: bool = True,
    on_file: OnFile | None = None,
) -> CheckedExperiment:
    """Determine what a run of an experiment would do, without writing anything.

    Parameters
    ----------
    experiment : Experiment
    results : path
        Where results would go.
    jobs : int
        Number of processes.
    full : bool
        Read all signals, also where headers suffice.
    calibrate : bool
        Train the network on a few batches of random numbers, to estimate the time of a run.
    on_file : callable, optional
        Called before each subject is read, with its name, its number and the number of subjects.

    Returns
    -------
    checked : CheckedExperiment
        Problems of the data or the experiment are listed in it, not raised.
    """
    checked = CheckedExperiment(experiment.name)
    context = RunContext.of(results=results, jobs=jobs)
    try:
        dataset = make_dataset(experiment)
        outlines = _outline(dataset, checked, full, on_file)
        if any(not file.ok for file in checked.files):
            broken = ", ".join(file.name for file in checked.files if not file.ok)
            checked.problems.append(
                f"{broken}: cannot be used. Repair, or name the other subjects in data.subjects."
            )
        if not outlines:
            return checked
        steps = experiment.preprocessing
        trials = join_outlines(outlines, sfreq=steps.sfreq, channels=dataset.kept_channels)
        windows, folds, checked.notes = divide_trials(experiment, trials, dataset)
        _describe(checked, windows, folds)
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
        checked.problems.append(str(error))
    return checked


def _outline(
    dataset: Dataset, checked: CheckedExperiment, full: bool, on_file: OnFile | None
) -> dict[str, Outline]:
    """Find and read the data, and record the state of each file."""
    planned = dataset.to_be_made()
    if planned is not None:
        checked.facts.append(("data", planned))
        return dataset.expected()
    recordings = {recording.subject: recording for recording in list_recordings(dataset)}
    checked.facts.append(("data", f"{len(recordings)} subjects in {dataset.place}"))
    checked.files, outlines = check_recordings(dataset, recordings, full=full, on_file=on_file)
    return outlines


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
            fit = max(int(free // resources.memory), 1)
            checked.notes.append(f"Memory may not suffice for {workers} jobs; try --jobs {fit}.")
    if resources.parameters is not None:
        text += f" (network of {resources.parameters:,} parameters)"
    elif experiment.make_model().in_epochs:
        text += " (the model does not tell its size beforehand)"
    checked.facts.append(("memory", text))


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
