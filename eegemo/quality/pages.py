"""The pages of the quality report: one for each subject, and one over all."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import mne
import numpy as np

from eegemo.config import Experiment
from eegemo.errors import ResultError
from eegemo.execution import Progress, run_tasks
from eegemo.preparation import StoredTrials, prepare_trials
from eegemo.preprocessing import EogRemoval, Record, load_records
from eegemo.quality.drawings import (
    draw_bad_counts,
    draw_blinks,
    draw_removed,
    draw_spectra,
    positions_of,
)
from eegemo.store import atomic_file, digest_json, write_json

__all__ = ["preprocess_experiment", "write_quality_report"]

_NUMBERS = "quality.json"
#: Raised when a subject's page would come out differently for the same record.
_PAGE_VERSION = 1


@dataclass(frozen=True)
class _PageTask:
    """A subject's page, drawn by a process from the files in a folder."""

    title: str
    subject: str
    trials: Path
    page: Path


def preprocess_experiment(
    experiment: Experiment,
    *,
    results: str | Path = "results",
    jobs: int = 0,
    progress: Progress | None = None,
) -> Path:
    """Store the trials of an experiment as `run_experiment` would, and report on their quality.

    Parameters
    ----------
    experiment, results, jobs, progress
        As in `eegemo.preparation.prepare_trials`.

    Returns
    -------
    path : Path
        The report over all subjects.

    Raises
    ------
    InputError
        If the data is wrong, or a step cannot be done on it. Subjects done before are kept.
    """
    stored = prepare_trials(experiment, results=results, jobs=jobs, progress=progress)
    settings = experiment.model_dump(include={"data", "preprocessing"})
    folder = Path(results) / f"{experiment.name}-preprocessing-{digest_json(settings)[:8]}"
    return write_quality_report(stored, folder, jobs=jobs, progress=progress)


def write_quality_report(
    stored: StoredTrials,
    folder: str | Path,
    *,
    jobs: int = 0,
    progress: Progress | None = None,
) -> Path:
    """Write pages that show what preprocessing did, per subject and overall.

    Pages of subjects whose trials have not changed are kept. The pages are `mne.Report`s and load
    nothing from elsewhere.

    Parameters
    ----------
    stored : StoredTrials
        What `eegemo.preparation.prepare_trials` returned.
    folder : path
        Made if it is not there. It gets ``quality.html``, ``quality.json`` (the same in numbers,
        volts) and ``subjects/<subject>.html``.
    jobs : int
        Number of processes; 0 draws in this one.
    progress : Progress, optional
        Told what happens.

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
        drawn[subject] = f"{_PAGE_VERSION}-{trials.name}"
        page = folder / "subjects" / f"{subject}.html"
        if earlier.get(subject) != drawn[subject] or not page.is_file():
            tasks.append(_PageTask(f"{name}: subject {subject}", subject, trials, page))
    label, done = f"{name}: quality report", len(stored.subjects) - len(tasks)
    progress.update(label, done, len(stored.subjects), label)
    for subject in run_tasks(draw_subject, tasks, jobs=jobs):
        done += 1
        progress.update(label, done, len(stored.subjects), label, subject)
    records = {
        subject: load_records(trials)
        for subject, trials in zip(stored.subjects, stored.folders, strict=True)
    }
    path = folder / "quality.html"
    _save(_draw_overview(stored, records), path)
    numbers = {subject: _describe(runs) for subject, runs in records.items()}
    write_json(folder / _NUMBERS, {"pages": drawn, "subjects": numbers})
    return path


def draw_subject(task: _PageTask) -> str:
    """Draw and save one subject's page."""
    report = mne.Report(title=task.title, verbose="ERROR")
    records = load_records(task.trials)
    for number, record in enumerate(records, start=1):
        run = f", run {number}" if len(records) > 1 else ""
        report.add_html(_summary(record), title=f"What was done{run}")
        if record.freqs.size and record.after.size:
            figure = draw_spectra(record.freqs, record.before, record.after)
            report.add_figure(figure, title=f"Spectra before and after{run}")
        if record.eog is not None:
            _add_eog(report, record, record.eog, run)
    _save(report, task.page)
    return task.subject


def _add_eog(report: Any, record: Record, removal: EogRemoval, run: str) -> None:
    figure = draw_removed(removal, positions_of(record, removal.eeg_channels))
    report.add_figure(
        figure,
        title=f"Eye movements: what was removed{run}",
        caption=_explain_maps(removal),
    )
    if removal.n_blinks:
        report.add_figure(draw_blinks(removal), title=f"Blinks before and after{run}")


def _explain_maps(removal: EogRemoval) -> str:
    if removal.method == "regression":
        return "Weight of each EOG channel at each electrode, in volts per volt."
    scores = ", ".join(
        f"{label} {score:.2f}" for label, score in zip(removal.labels, removal.scores, strict=True)
    )
    return f"Components removed, with their largest correlation with the EOG: {scores or 'none'}."


def _draw_overview(stored: StoredTrials, records: dict[str, list[Record]]) -> Any:
    report = mne.Report(title=f"Preprocessing of {stored.experiment.name}", verbose="ERROR")
    report.add_html(_table_of_subjects(records), title="Subjects")
    notes = [*(["The data is simulated."] if stored.simulated else []), *stored.notes]
    if notes:
        items = "".join(f"<li>{escape(note)}</li>" for note in notes)
        report.add_html(f"<ul>{items}</ul>", title="Notes")
    _add_mean_spectra(report, records)
    removals = [(run, run.eog) for runs in records.values() for run in runs if run.eog is not None]
    alike = {tuple(removal.eeg_channels) for _, removal in removals}
    if len(alike) == 1:
        record, first = removals[0]
        mean = EogRemoval(
            first.method,
            first.eog_channels,
            first.eeg_channels,
            *_mean_maps([removal for _, removal in removals]),
            removed=np.mean([removal.removed for _, removal in removals], axis=0),
        )
        report.add_figure(
            draw_removed(mean, positions_of(record, mean.eeg_channels)),
            title="Eye movements: what was removed",
            caption=f"Mean over {len(removals)} recordings.",
        )
    bads: dict[str, list[str]] = {}
    for subject, runs in records.items():
        for run in runs:
            for channel in run.bads:
                bads.setdefault(channel, []).append(subject)
    if bads:
        report.add_figure(draw_bad_counts(bads, len(records)), title="Bad channels")
    return report


def _mean_maps(removals: Sequence[EogRemoval]) -> tuple[list[str], np.ndarray]:
    """Mean weights of each EOG channel; components of different recordings have no mean."""
    names = removals[0].labels
    if removals[0].method != "regression" or any(one.labels != names for one in removals):
        return [], np.empty((len(removals[0].eeg_channels), 0))
    return names, np.mean([one.topographies for one in removals], axis=0)


def _add_mean_spectra(report: Any, records: dict[str, list[Record]]) -> None:
    """Add the spectra of all subjects, the median over the channels of each."""
    runs = [run for one in records.values() for run in one if run.freqs.size and run.after.size]
    if not runs or any(run.freqs.shape != runs[0].freqs.shape for run in runs):
        return
    before, after = (
        np.array([np.median(spectrum, axis=0) for spectrum in spectra])
        for spectra in ([run.before for run in runs], [run.after for run in runs])
    )
    report.add_figure(
        draw_spectra(runs[0].freqs, before, after, of="recordings"),
        title="Spectra before and after",
    )


def _summary(record: Record) -> str:
    parts = [_list("Steps", record.steps, "ol"), _list("Notes", record.notes, "ul")]
    bads = [f"{name}: {why}" for name, why in record.bads.items()]
    parts.append(_list("Bad channels", bads, "ul") if bads else "<p>No bad channels.</p>")
    if record.rejected:
        rows = "".join(
            f"<tr><td>{escape(one.session)}</td><td>{one.trial}</td><td>{escape(one.channel)}</td>"
            f"<td>{one.amplitude * 1e6:.0f}</td></tr>"
            for one in record.rejected
        )
        parts.append(
            "<h4>Rejected trials</h4><table class='table'><thead><tr><th>session</th><th>trial</th>"
            f"<th>channel</th><th>peak to peak, µV</th></tr></thead><tbody>{rows}</tbody></table>"
        )
    elif record.n_trials is not None:
        parts.append(f"<p>No trial of {record.n_trials} was rejected.</p>")
    return "".join(parts)


def _list(heading: str, lines: Sequence[str], kind: str) -> str:
    if not lines:
        return ""
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<h4>{heading}</h4><{kind}>{items}</{kind}>"


def _table_of_subjects(records: dict[str, list[Record]]) -> str:
    head = ("subject", "trials", "rejected", "bad channels", "eye movements, µV rms at most")
    rows = []
    for subject, runs in records.items():
        bads = list(dict.fromkeys(name for run in runs for name in run.bads))
        taken = [float(run.eog.removed.max()) * 1e6 for run in runs if run.eog is not None]
        link = f"<a href='subjects/{escape(subject)}.html'>{escape(subject)}</a>"
        cells = (
            link,
            str(sum(run.n_trials or 0 for run in runs)),
            str(sum(len(run.rejected) for run in runs)),
            escape(", ".join(bads)) or "none",
            f"{max(taken):.1f}" if taken else "not removed",
        )
        rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    titles = "".join(f"<th>{escape(one)}</th>" for one in head)
    body = f"<thead><tr>{titles}</tr></thead><tbody>{''.join(rows)}</tbody>"
    return f"<table class='table'>{body}</table>"


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


def _save(report: Any, path: Path) -> None:
    try:
        with atomic_file(path) as temporary:
            report.save(temporary, open_browser=False, overwrite=True, verbose="ERROR")
    except OSError as error:
        raise ResultError(f"{path}: the quality report cannot be written ({error}).") from error
