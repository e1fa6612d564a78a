"""Store an experiment's trials, and write the pages on them; a reader of the config."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eegemo.config import Experiment, code_for_digest, section_for_digest
from eegemo.execution import Progress, Runner, run_tasks
from eegemo.preprocessing import Record, load_records
from eegemo.report.quality import PAGE_VERSION, PageTask, draw_overview, draw_subject, save
from eegemo.results.plan import StoredTrials
from eegemo.runs.prepare import prepare_trials
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
    """Store the trials of an experiment as `run_experiment` would, and report on their quality.

    Parameters
    ----------
    experiment, results, jobs, progress, runner
        As in `eegemo.runs.prepare.prepare_trials`.

    Returns
    -------
    path : Path
        The report over all subjects.

    Raises
    ------
    InputError
        If the data is wrong, or a step cannot be done on it. Subjects done before are kept.
    """
    stored = prepare_trials(
        experiment, results=results, jobs=jobs, progress=progress, runner=runner
    )
    settings = {
        "data": section_for_digest(experiment.data),
        "preprocessing": section_for_digest(experiment.preprocessing),
        **code_for_digest(experiment, "data"),
    }
    folder = Path(results) / f"{experiment.name}-preprocessing-{digest_json(settings)[:8]}"
    return write_quality_report(stored, folder, jobs=jobs, progress=progress, runner=runner)


def write_quality_report(
    stored: StoredTrials,
    folder: str | Path,
    *,
    jobs: int = 0,
    progress: Progress | None = None,
    runner: Runner = run_tasks,
) -> Path:
    """Write pages that show what preprocessing did, per subject and overall.

    Pages of subjects whose trials have not changed are kept. The pages are `mne.Report`s and load
    nothing from elsewhere.

    Parameters
    ----------
    stored : StoredTrials
        What `eegemo.runs.prepare.prepare_trials` returned.
    folder : path
        Made if it is not there. It gets ``quality.html``, ``quality.json`` (the same in numbers,
        volts) and ``subjects/<subject>.html``.
    jobs : int
        Number of processes; 0 draws in this one.
    progress : Progress, optional
        Told what happens.
    runner : callable, optional
        Draws the page of each subject, as `eegemo.execution.run_tasks`.

    Returns
    -------
    path : Path
        ``quality.html``.

    Raises
    ------
    ResultError
        If the record of a subject cannot be read.
    """
    progress, folder = progress or Progress(), Path(folder)
    name = stored.experiment.name
    earlier = _drawn_earlier(folder)
    tasks, drawn = [], {}
    for subject, trials in zip(stored.subjects, stored.folders, strict=True):
        drawn[subject] = f"{PAGE_VERSION}-{trials.name}"
        page = folder / "subjects" / f"{subject}.html"
        if earlier.get(subject) != drawn[subject] or not page.is_file():
            tasks.append(PageTask(f"{name}: subject {subject}", subject, trials, page))
    label, done = f"{name}: quality report", len(stored.subjects) - len(tasks)
    progress.update(label, done, len(stored.subjects), label)
    for subject in runner(draw_subject, tasks, jobs=jobs, say=progress.say):
        done += 1
        progress.update(label, done, len(stored.subjects), label, subject)
    records = {
        subject: load_records(trials)
        for subject, trials in zip(stored.subjects, stored.folders, strict=True)
    }
    path = folder / "quality.html"
    save(draw_overview(stored, records), path)
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
            "rejected": [vars(one) for one in run.rejected],
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
    """Return which pages an earlier report has, and of what."""
    try:
        pages = json.loads((folder / _NUMBERS).read_text(encoding="utf-8"))["pages"]
        return {str(subject): str(key) for subject, key in pages.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
