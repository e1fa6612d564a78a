"""Store the trials of an experiment, and report on the quality of its signals."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eegemo.config import Experiment
from eegemo.execution import Progress, RunContext, Runner, run_tasks
from eegemo.preprocessing import Record, load_records
from eegemo.report.quality import PAGE_VERSION, PageTask, draw_overview, draw_subject, save
from eegemo.runs.trials import StoredTrials, prepare_trials
from eegemo.store import digest_json, write_json

__all__ = ["preprocess_experiment", "write_quality_report"]

_NUMBERS = "quality.json"


def preprocess_experiment(
    experiment: Experiment,
    *,
    results: str | Path = "results",
    jobs: int = 0,
    progress: Progress | None = None,
    runner: Runner = run_tasks,
) -> Path:
    """Store the trials of an experiment for `run_experiment`, and report on their quality.

    Parameters
    ----------
    experiment : Experiment
    results : path
        Folder of results.
    jobs : int
        Number of processes; 0 runs everything in the current process.
    progress : Progress, optional
        Receives messages and progress.
    runner : callable, optional
        Runs the tasks of subjects, as `eegemo.execution.run_tasks` does.

    Returns
    -------
    path : Path
        The overview of all subjects.

    Raises
    ------
    InputError
        If the data is wrong, or a step cannot be done on it. Subjects done before are kept.
    """
    context = RunContext.of(results=results, jobs=jobs, progress=progress, runner=runner)
    with context.span("prepare"):
        stored = prepare_trials(experiment, context)
    settings = experiment.model_dump(include={"data", "preprocessing"})
    folder = context.results / f"{experiment.name}-preprocessing-{digest_json(settings)[:8]}"
    with context.span("finish"):
        return write_quality_report(stored, folder, context)


def write_quality_report(
    stored: StoredTrials, folder: str | Path, context: RunContext | None = None
) -> Path:
    """Write pages that show the effect of preprocessing, per subject and overall.

    Pages of subjects whose trials have not changed are kept. The pages are self-contained
    `mne.Report`s.

    Parameters
    ----------
    stored : StoredTrials
        What `eegemo.runs.trials.prepare_trials` returned.
    folder : path
        Created if it does not exist. It gets ``quality.html``, ``quality.json`` (the numbers, in
        volts) and ``subjects/<subject>.html``.
    context : RunContext, optional
        How the pages of subjects are drawn; in the current process if not given.

    Returns
    -------
    path : Path
        ``quality.html``.

    Raises
    ------
    ResultError
        If the record of a subject cannot be read.
    """
    context, folder = context or RunContext(), Path(folder)
    name = stored.experiment.name
    earlier = _drawn_earlier(folder)
    tasks, drawn = [], {}
    for subject, trials in zip(stored.subjects, stored.folders, strict=True):
        drawn[subject] = f"{PAGE_VERSION}-{trials.name}"
        page = folder / "subjects" / f"{subject}.html"
        if earlier.get(subject) != drawn[subject] or not page.is_file():
            tasks.append(PageTask(f"{name}: subject {subject}", subject, trials, page))
    label, done = f"{name}: quality report", len(stored.subjects) - len(tasks)
    context.progress.update(label, done, len(stored.subjects), label)
    for subject in context.map(draw_subject, tasks):
        done += 1
        context.progress.update(label, done, len(stored.subjects), label, subject)
    records = {
        subject: load_records(trials)
        for subject, trials in zip(stored.subjects, stored.folders, strict=True)
    }
    path = folder / "quality.html"
    overview = draw_overview(name, records, notes=stored.notes, simulated=stored.simulated)
    save(overview, path)
    numbers = {subject: _describe(runs) for subject, runs in records.items()}
    write_json(folder / _NUMBERS, {"pages": drawn, "subjects": numbers})
    return path


def _describe(runs: Sequence[Record]) -> list[dict[str, Any]]:
    """Return the numbers of a subject's runs, for programs."""
    return [
        {
            "steps": run.steps,
            "notes": run.notes,
            "n_trials": run.n_trials,
            "rejected": [vars(trial) for trial in run.rejected],
            "bads": run.bads,
            "interpolated": run.interpolated,
            "eog": None
            if run.eog is None
            else {
                "method": run.eog.method,
                "channels": run.eog.eog_channels,
                "removed": run.eog.labels,
                "scores": run.eog.scores,
                "n_blinks": run.eog.n_blinks,
                "rms": dict(zip(run.eog.eeg_channels, map(float, run.eog.removed), strict=True)),
            },
        }
        for run in runs
    ]


def _drawn_earlier(folder: Path) -> dict[str, str]:
    """Return the pages of an earlier report, with the key of their content."""
    try:
        pages = json.loads((folder / _NUMBERS).read_text(encoding="utf-8"))["pages"]
        return {str(subject): str(key) for subject, key in pages.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
