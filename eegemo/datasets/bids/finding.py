"""Subjects of a BIDS data set, with trials from ``events.tsv``.

Every row of ``events.tsv`` with one of the chosen values of ``trial_type`` is a trial. Its class is
``trial_type``, its ratings are the columns valence, arousal, dominance and liking, its stimulus is
the column ``stimulus`` or ``stim_file``::

    onset   duration  trial_type  stim_file   valence  arousal
    12.0    60.0      music       clip03.mp4  7.1      n/a

`tmin` and `tmax` are relative to the onset of an event (time zero)::

    time (s)   tmin <= 0            0.0                    tmax
                |     baseline       |       stimulus       |

The interval is half-open: a trial of 3 s at 128 Hz has 384 samples. Trials that overlap after their
onsets are bundled (`eegemo.datasets.bids.bundles`): a sample in two trials could be both in the
training and in the test set.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from eegemo.datasets.bids.around import TablesAround
from eegemo.datasets.bids.bundles import bundle_trials
from eegemo.datasets.bids.choosing import (
    check_signals_apart,
    choose_labels,
    choose_subjects,
    choose_task,
    leave_out_excluded,
    name_runs,
)
from eegemo.datasets.bids.events import (
    RunEvents,
    check_durations,
    exclude_trials,
    number_trials,
)
from eegemo.datasets.bids.files import list_files
from eegemo.datasets.bids.paths import find_paths, find_unread, list_subjects
from eegemo.datasets.bids.recording import BidsRecording
from eegemo.datasets.bids.tables import (
    check_stored_once,
    find_whole,
    read_all,
    unify_stimuli,
)
from eegemo.datasets.cutting import find_bad_spans
from eegemo.datasets.exclude import Exclusion, find_alike
from eegemo.datasets.fixed import check_fixed
from eegemo.errors import DataError
from eegemo.formats.files import check_file, check_inside, named_errors

__all__ = [
    "find_recordings_bids",
]


def find_recordings_bids(
    root: str | Path,
    *,
    task: str | None = None,
    subjects: str | Sequence[str | int] = "all",
    tmin: float = 0.0,
    tmax: float | None = None,
    trial_types: Sequence[str] | None = None,
    trials: str = "events",
    length: float | None = None,
    sessions: str | int | Sequence[str | int] = "all",
    runs: str | int | Sequence[str | int] = "all",
    acquisition: str | int | Sequence[str | int] = "all",
    processing: str | int | Sequence[str | int] = "all",
    exclude: Sequence[str | int] | None = None,
    times: Literal["seconds", "milliseconds"] = "seconds",
) -> list[BidsRecording]:
    """List the subjects of a BIDS data set with EEG, with all their sessions and runs.

    Parameters
    ----------
    root : str | pathlib.Path
        Folder with ``dataset_description.json``. Only its folders ``sub-*`` are read.
    task : str | None
        Label of the task, in any case; not needed if there is only one.
    subjects : "all" | sequence of str or int
        Labels of the subjects to include, with or without ``sub-``.
    tmin, tmax : float | None
        Start and end of a trial, in seconds from the onset of its event; `tmax` is not included.
        For `tmax`, None ends each trial after its own duration.
    trial_types : sequence of str | None
        Events that are trials, by ``trial_type``. None takes all but marks of breaks.
    trials : "events" | "fixed"
        Whether recordings, or events of `trial_types`, are cut into pieces.
    length : float | None
        Of a piece, in seconds.
    sessions, runs, acquisition, processing : "all" | str | int | sequence of them
        Labels of the recordings to include (``ses-``, ``run-``, ``acq-``, ``proc-``), with or
        without zeros before numbers; ``n/a`` for recordings without such a label.
    exclude : sequence of str or int | None
        What to leave out: subjects, recordings and trials, such as ``sub-03``, ``sub-04_run-2`` or
        ``sub-01_trial-3`` (see `eegemo.datasets.exclude`).
    times : {"seconds", "milliseconds"}
        Unit of ``onset`` and ``duration`` in the tables of events.

    Returns
    -------
    list of BidsRecording
        One per subject, sorted by label, without reading signals. Trials are numbered within a
        session across its runs. Dropped trials keep their numbers. Trials that overlap, and
        consecutive ones of one stimulus, have the same text in the column ``bundle``. Besides,
        the metadata holds the columns of ``events.tsv``, and those of ``participants.tsv``,
        ``sessions.tsv`` and ``scans.tsv`` as ``participants.age``.

    Raises
    ------
    DataError
        If the folder is not a BIDS data set; if it lacks EEG, events, the task, a chosen subject or
        label, or a trial type; if several files are one recording; or if a file or folder cannot be
        read.
    """
    root = Path(root)
    check_fixed(trials, length, tmin)
    with named_errors(root):
        if not (root / "dataset_description.json").is_file():
            raise DataError(
                f"{root} is not a BIDS data set: expected a folder with dataset_description.json, "
                f"found {'no such file in it' if root.is_dir() else 'no such folder'}."
            )
    everything = find_paths(root)
    if not everything:
        raise DataError(f"{root} holds no EEG; expected files such as sub-01/eeg/*_eeg.vhdr.")
    task, paths = choose_task(everything, task, root)
    paths = choose_subjects(paths, subjects, root)
    wanted = {path.subject for path in paths}
    for key, labels in (
        ("ses", sessions),
        ("run", runs),
        ("acq", acquisition),
        ("proc", processing),
    ):
        paths = choose_labels(paths, key, labels, root)
    unchosen = sorted(wanted - {path.subject for path in paths})
    if unchosen and subjects != "all":
        raise DataError(
            f"Subject {unchosen[0]!r} has no recording in {root} with the chosen sessions, runs, "
            "acquisition and processing."
        )
    chosen = paths
    paths, exclusions = leave_out_excluded(paths, exclude, everything, root)
    for path in paths:
        check_file(path.fpath)
        check_inside(path.fpath, root)
    check_signals_apart(paths, root)
    if trials == "fixed" and trial_types is None:
        found, marks = find_whole(name_runs(paths), root, times=times)
        told: list[tuple[str, str]] = []
    else:
        found, told = read_all(name_runs(paths), trial_types, root, times=times)
        marks = [find_bad_spans(run.table, run.file, trial_types) for run in found]
    marks_of = {run.path.fpath: spans for run, spans in zip(found, marks, strict=True)}
    check_stored_once(found)
    subjects_of = _by_subject(found)
    _check_some(subjects_of, task, root)
    if tmax is not None and not max(tmin, 0.0) < tmax:
        raise DataError(
            f"A trial from tmin={tmin:g} to tmax={tmax:g} s has no samples after its onset."
        )
    if trials == "events":  # pieces are numbered when they are cut
        subjects_of = _leave_out_trials(subjects_of, exclusions)
    if tmax is None:
        everywhere = [run for group in subjects_of.values() for run in group]
        check_durations(everywhere, root)
        _check_lengths(everywhere, tmin)
    subjects_of, renamed = unify_stimuli(subjects_of, told)
    told += [("subjects without a recording of those chosen", f"sub-{name}") for name in unchosen]
    told += [
        (
            "subjects of nearly the same label, taken for different people",
            " and ".join(f"sub-{name}" for name in group),
        )
        for group in find_alike(subjects_of)
    ]
    told += [("left out by data.exclude", path.name) for path in chosen if path not in paths]
    if subjects == "all":
        folders = {folder.name.removeprefix("sub-") for folder in list_subjects(root)}
        without = sorted(folders - wanted)
        told += [(f"subjects without EEG of task {task}", f"sub-{name}") for name in without]
    told += [("files of a format that is not read", file.name) for file in find_unread(root)]
    around = TablesAround(root)
    settings: dict[str, object] = {
        "task": task,
        "tmin": tmin,
        "tmax": tmax,
        "trial_types": None if trial_types is None else sorted(trial_types),
    }
    recordings: list[BidsRecording] = []
    for subject, group in subjects_of.items():
        columns = [around.describe(run.path) for run in group]
        bundled = [bundle_trials(run, tmin, tmax) for run in group]
        events = [
            run.trials.assign(**about) if about else run.trials
            for (run, _), about in zip(bundled, columns, strict=True)
        ]
        options = settings | {
            key: value
            for key, value in {
                "around": columns if any(columns) else None,
                "times": None if times == "seconds" else times,
                "exclude": sorted({e.text for run in group for e in exclusions[run.path.fpath]}),
                "stimuli": renamed.get(subject),
                "runs": _odd_labels(group),
                "length": length,
            }.items()
            if value
        }
        recordings.append(
            BidsRecording(
                subject=subject,
                files=tuple(sorted({f for run in group for f in list_files(run.path, root)})),
                reader="bids-3",
                options=options,
                paths=tuple(run.path for run in group),
                events=tuple(events),
                bad_spans=tuple(marks_of[run.path.fpath] for run in group),
                root=root,
                tmin=tmin,
                tmax=tmax,
                length=None if trials == "events" else length,
                bundle_pieces=trial_types is not None,
                exclusions=tuple(tuple(exclusions[run.path.fpath]) for run in group),
                left_out=tuple(run.left_out for run in group),
                bundled=tuple(each for _, each in bundled),
                told=tuple(told) if not recordings else (),
            )
        )
    if around.missing:
        more = [(f"not listed in {file}", what) for file, what in around.missing]
        recordings[0] = replace(recordings[0], told=(*recordings[0].told, *more))
    return recordings


def _odd_labels(group: Sequence[RunEvents]) -> list[str] | None:
    """Return the labels of runs where they are not those of the files' names."""
    labels = [run.path.run_label for run in group]
    usual = [run.path.labels.get("run", "1") for run in group]
    return None if labels == usual else labels


def _by_subject(found: Sequence[RunEvents]) -> dict[str, list[RunEvents]]:
    groups: dict[str, list[RunEvents]] = {}
    for run in found:
        groups.setdefault(run.path.subject, []).append(run)
    return {subject: number_trials(group) for subject, group in groups.items()}


def _check_some(subjects: dict[str, list[RunEvents]], task: str, root: Path) -> None:
    """Refuse subjects without a trial."""
    for subject, group in subjects.items():
        if any(len(run.trials) for run in group):
            continue
        counts = sum((Counter(run.left_out) for run in group), Counter())
        why = ", ".join(f"{n} {reason}" for reason, n in counts.items())
        raise DataError(
            f"{root}: subject {subject} has no trial in the events of task {task!r}"
            f"{f' (rows: {why})' if why else ''}. Choose other trial_types, or leave the subject "
            f"out, as in exclude: [sub-{subject}]."
        )


def _leave_out_trials(
    subjects: dict[str, list[RunEvents]], exclusions: dict[Path, list[Exclusion]]
) -> dict[str, list[RunEvents]]:
    """Leave out the trials that are excluded; refuse names that fit none."""
    wanted: dict[str, None] = {}
    fitting: set[str] = set()
    kept = {}
    for subject, group in subjects.items():
        runs = []
        for run in group:
            for exclusion in exclusions[run.path.fpath]:
                wanted[exclusion.text] = None
            left, fit = exclude_trials(run, exclusions[run.path.fpath])
            fitting |= fit
            runs.append(left)
        kept[subject] = runs
    for text in wanted:
        if text not in fitting:
            raise DataError(
                f"data.exclude: {text!r} fits no trial; trials are numbered from 1 within a "
                "session, in the order of their onsets."
            )
    for subject, group in kept.items():
        if not any(len(run.trials) for run in group):
            raise DataError(
                f"data.exclude leaves no trial of subject {subject}; write sub-{subject}."
            )
    return kept


def _check_lengths(runs: Sequence[RunEvents], tmin: float) -> None:
    """Refuse trials that end before they begin."""
    for run in runs:
        for line, seconds in zip(run.lines, run.trials["duration"], strict=True):
            if not seconds > max(tmin, 0.0):
                raise DataError(
                    f"{run.file}, line {line}: a trial of {seconds:g} s has no samples after its "
                    f"onset from tmin={tmin:g} s on."
                )
