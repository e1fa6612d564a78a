"""Subjects of a BIDS data set, with trials from ``events.tsv``.

Every row of ``events.tsv`` with one of the chosen values of ``trial_type`` is a trial. Its class is
``trial_type``, its ratings are the columns valence, arousal, dominance and liking, its stimulus is
the column ``stimulus`` or ``stim_file``::

    onset   duration  trial_type  stim_file   valence  arousal
    12.0    60.0      music       clip03.mp4  7.1      n/a

`tmin` and `tmax` are relative to the onset of an event (time zero)::

    time (s)   tmin <= 0            0.0                    tmax
                |     baseline       |       stimulus       |

The interval is half-open: a trial of 3 s at 128 Hz has 384 samples. Trials may overlap only before
their onsets: a sample in two trials could be both in the training and in the test set.
"""

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mne_bids
import pandas as pd

from eegemo.datasets.bids.events import (
    check_overlap,
    check_trial_types,
    number_trials,
    read_events,
    shortest_duration,
)
from eegemo.datasets.bids.files import find_paths, list_files, name_signal_files
from eegemo.datasets.bids.recording import BidsRecording
from eegemo.datasets.bids.sidecars import check_sidecars
from eegemo.datasets.cutting import find_bad_spans
from eegemo.datasets.tables import read_table
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
) -> list[BidsRecording]:
    """List the subjects of a BIDS data set with EEG, with all their sessions and runs.

    Parameters
    ----------
    root : str | pathlib.Path
        Folder with ``dataset_description.json``.
    task : str | None
        Label of the task; not needed if there is only one.
    subjects : "all" | sequence of str or int
        Labels of the subjects to include, with or without ``sub-``.
    tmin, tmax : float | None
        Start and end of a trial, in seconds from the onset of its event; `tmax` is not included.
        For `tmax`, None takes the shortest duration of all trials of the chosen subjects.
    trial_types : sequence of str | None
        Events that are trials, by ``trial_type``. None takes all but marks of bad segments.

    Returns
    -------
    list of BidsRecording
        One per subject, sorted by label, without reading signals. Trials are numbered within a
        session across its runs. Dropped trials keep their numbers.

    Raises
    ------
    DataError
        If the folder is not a BIDS data set; if it lacks EEG, events, the task, a chosen subject or
        a trial type; if events overlap; or if a file or folder cannot be read.
    """
    root = Path(root)
    with named_errors(root):
        if not (root / "dataset_description.json").is_file():
            raise DataError(
                f"{root} is not a BIDS data set: expected a folder with dataset_description.json, "
                f"found {'no such file in it' if root.is_dir() else 'no such folder'}."
            )
    paths = find_paths(root)
    if not paths:
        raise DataError(f"{root} holds no EEG; expected files such as sub-01/eeg/*_eeg.vhdr.")
    task = _choose_task(paths, task, root)
    paths = _choose_subjects([path for path in paths if str(path.task) == task], subjects, root)
    _check_formats(paths)
    for path in paths:
        check_file(Path(path.fpath))
        check_inside(Path(path.fpath), root)
    _check_signals_apart(paths, root)
    runs: dict[str, list[tuple[mne_bids.BIDSPath, Path, pd.DataFrame]]] = {}
    for path in sorted(paths, key=lambda path: (path.subject, path.session or "", str(path.fpath))):
        events_file = _find_events_file(path)
        check_inside(events_file, root)
        check_sidecars([events_file])
        runs.setdefault(path.subject, []).append(
            (path, events_file, read_table(events_file, required=["onset"]))
        )
    check_trial_types(
        [table for found in runs.values() for _, _, table in found], trial_types, root
    )

    trials = {
        subject: number_trials([read_events(*run, trial_types) for run in found])
        for subject, found in runs.items()
    }
    for subject, tables in trials.items():
        if not any(len(table) for table in tables):
            raise DataError(
                f"{root}: subject {subject} has no trial in the events of task {task!r}. Choose "
                "other trial_types, or leave the subject out by listing the others in subjects."
            )
    if tmax is None:
        tmax = shortest_duration([t for tables in trials.values() for t in tables], root)
    if not max(tmin, 0.0) < tmax:
        raise DataError(
            f"A trial from tmin={tmin:g} to tmax={tmax:g} s has no samples after its onset."
        )
    for subject, found in runs.items():
        for (_, file, table), run in zip(found, trials[subject], strict=True):
            check_overlap(run, tmin, tmax, file, find_bad_spans(table, file))
    options: dict[str, object] = {
        "task": task,
        "tmin": tmin,
        "tmax": tmax,
        "trial_types": None if trial_types is None else sorted(trial_types),
    }
    return [
        BidsRecording(
            subject=subject,
            files=tuple(sorted({f for path, *_ in found for f in list_files(path, root)})),
            reader="bids-2",
            options=options,
            paths=tuple(path for path, *_ in found),
            events=tuple(trials[subject]),
            bad_spans=tuple(find_bad_spans(table, file) for _, file, table in found),
            root=root,
            tmin=tmin,
            tmax=tmax,
        )
        for subject, found in runs.items()
    ]


def _choose_subjects(
    paths: list[Any], subjects: str | Sequence[str | int], root: Path
) -> list[Any]:
    present = sorted({path.subject for path in paths})
    if isinstance(subjects, str):
        if subjects == "all":
            return paths
        subjects = [subjects]
    wanted = set()
    for subject in subjects:
        label = str(subject).strip().removeprefix("sub-")
        # 1 and "1" may be written 01 or 001 in the data set
        same = [name for name in present if name == label] or [
            name for name in present if name.isdecimal() and name.lstrip("0") == label.lstrip("0")
        ]
        if len(same) != 1:
            close = difflib.get_close_matches(label, present, n=3)
            hint = f" Did you mean {', '.join(close)}?" if close else ""
            raise DataError(
                f"Subject {subject!r} has no EEG in {root}.{hint} It is there for "
                f"{', '.join(present)}."
            )
        wanted.add(same[0])
    if not wanted:
        raise DataError(f"No subject was chosen; {root} holds {', '.join(present)}.")
    return [path for path in paths if path.subject in wanted]


def _choose_task(paths: list[Any], task: str | None, root: Path) -> str:
    present = sorted({str(path.task) for path in paths})
    if task is None and len(present) > 1:
        raise DataError(f"{root} holds several tasks, choose one: {', '.join(present)}.")
    if task is not None and task not in present:
        close = difflib.get_close_matches(task, present, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise DataError(f"{root} holds no EEG of task {task!r}.{hint} Tasks: {', '.join(present)}.")
    return task or present[0]


def _check_formats(paths: list[Any]) -> None:
    """Refuse a run that exists in two formats: its trials would count twice, and leak."""
    seen: dict[Path, Path] = {}
    for path in paths:
        file = Path(path.fpath)
        other = seen.setdefault(file.with_suffix(""), file)
        if other != file:
            raise DataError(f"{file} and {other.name} are the same run; expected only one of them.")


def _check_signals_apart(paths: list[Any], root: Path) -> None:
    """Refuse runs whose headers name the same signals, as renamed copies do: they would leak."""
    seen: dict[Path, Path] = {}
    for path in paths:
        file = Path(path.fpath)
        for signals in {named.resolve() for named in name_signal_files(file, root)}:
            other = seen.setdefault(signals, file)
            if other != file:
                raise DataError(
                    f"{file} and {other} name the same file as their signals, {signals.name}: one "
                    "of them was renamed. Correct DataFile in its header."
                )


def _find_events_file(path: Any) -> Path:
    found = path.find_matching_sidecar(suffix="events", extension=".tsv", on_error="ignore")
    if found is None:
        raise DataError(f"{path.fpath} has no events.tsv; expected one that lists its trials.")
    return Path(found)
