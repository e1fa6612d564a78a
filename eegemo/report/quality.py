"""The pages of the quality report: one per subject, and an overview."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import mne
import numpy as np

from eegemo.errors import ResultError
from eegemo.pages.figures.quality import (
    draw_bad_counts,
    draw_blinks,
    draw_removed,
    draw_spectra,
    positions_of,
)
from eegemo.preprocessing import EogRemoval, Record, load_records
from eegemo.store import atomic_file

__all__ = ["PAGE_VERSION", "PageTask", "draw_overview", "draw_subject", "save"]

#: Increased when the page of a subject changes for the same record.
PAGE_VERSION = 1


@dataclass(frozen=True)
class PageTask:
    """Task of a worker process: draw the page of a subject from the files in a folder."""

    title: str
    subject: str
    trials: Path
    page: Path

    def __str__(self) -> str:
        return f"the page of subject {self.subject}"

    @property
    def outcome(self) -> Path:
        """A file that exists once the task is done."""
        return self.page


def draw_subject(task: PageTask) -> str:
    """Draw and save the page of a subject."""
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
    save(report, task.page)
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


def draw_overview(
    title: str, records: dict[str, list[Record]], *, notes: Sequence[str] = (), simulated: bool
) -> Any:
    """Draw the overview of all subjects.

    Parameters
    ----------
    title : str
        What was preprocessed: the name of an experiment.
    records : dict of str to list of Record
        By subject, one record per run.
    notes : sequence of str
        Notes for the reader.
    simulated : bool
        Whether the data was simulated.
    """
    report = mne.Report(title=f"Preprocessing of {title}", verbose="ERROR")
    report.add_html(_table_of_subjects(records), title="Subjects")
    notes = [*(["The data is simulated."] if simulated else []), *notes]
    if notes:
        items = "".join(f"<li>{escape(note)}</li>" for note in notes)
        report.add_html(f"<ul>{items}</ul>", title="Notes")
    _add_mean_spectra(report, records)
    removals = [(run, run.eog) for runs in records.values() for run in runs if run.eog is not None]
    layouts = {tuple(removal.eeg_channels) for _, removal in removals}
    if len(layouts) == 1:
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
    if removals[0].method != "regression" or any(removal.labels != names for removal in removals):
        return [], np.empty((len(removals[0].eeg_channels), 0))
    return names, np.mean([removal.topographies for removal in removals], axis=0)


def _add_mean_spectra(report: Any, records: dict[str, list[Record]]) -> None:
    """Add the spectra of all subjects, the median over the channels of each."""
    runs = [
        run
        for subject_runs in records.values()
        for run in subject_runs
        if run.freqs.size and run.after.size
    ]
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
            f"<tr><td>{escape(trial.session)}</td><td>{trial.trial}</td>"
            f"<td>{escape(trial.channel)}</td><td>{trial.amplitude * 1e6:.0f}</td></tr>"
            for trial in record.rejected
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
    titles = "".join(f"<th>{escape(title)}</th>" for title in head)
    body = f"<thead><tr>{titles}</tr></thead><tbody>{''.join(rows)}</tbody>"
    return f"<table class='table'>{body}</table>"


def save(report: Any, path: Path) -> None:
    """Save a page, completely or not at all.

    Raises
    ------
    ResultError
        If it cannot be written.
    """
    try:
        with atomic_file(path) as temporary:
            report.save(temporary, open_browser=False, overwrite=True, verbose="ERROR")
    except OSError as error:
        raise ResultError(f"{path}: the quality report cannot be written ({error}).") from error
