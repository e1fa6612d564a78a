"""The events of all chosen recordings, and what is to be said about them together."""

import difflib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from eegemo.datasets.bids.choosing import ask_which
from eegemo.datasets.bids.events import RunEvents, check_trial_types, read_events
from eegemo.datasets.bids.files import find_sidecar
from eegemo.datasets.bids.paths import RunPath, find_paths
from eegemo.datasets.bids.times import in_seconds
from eegemo.datasets.breaks import Break
from eegemo.datasets.cutting import find_bad_spans
from eegemo.datasets.exclude import same_label
from eegemo.datasets.fixed import whole_span
from eegemo.datasets.tables import find_near_misses, read_table
from eegemo.errors import DataError
from eegemo.formats.files import check_inside, list_folder

__all__ = ["check_stored_once", "find_whole", "list_events", "read_all", "unify_stimuli"]


def read_all(
    paths: Sequence[RunPath],
    trial_types: Sequence[str] | None,
    root: Path,
    *,
    times: str = "seconds",
) -> tuple[list[RunEvents], list[tuple[str, str]]]:
    """Read the events of all recordings; return them, and what the user should know."""
    tables: dict[Path, pd.DataFrame] = {}
    files: dict[RunPath, Path] = {}
    without, told = [], []
    for path in paths:
        file = find_sidecar(path, root, "events", ".tsv")
        if file is None:
            without.append(path)
            continue
        check_inside(file, root)
        if file not in tables:
            tables[file] = in_seconds(read_table(file, required=["onset"]), times)
        files[path] = file
        labels = dict(part.split("-", 1) for part in file.stem.split("_")[:-1])
        if not labels.items() <= path.labels.items():
            told.append(
                ("used with an events.tsv of another spelling", f"{path.fpath.name} ({file.name})")
            )
    if without:
        raise DataError(_explain_missing(without, root))
    check_trial_types(list(tables.values()), trial_types, root)
    found = [read_events(path, files[path], tables[files[path]], trial_types) for path in paths]
    kinds = find_near_misses(kind for run in found for kind in run.trials["trial_type"])
    told += [
        (
            "trial_type differs only in case or blanks (write labels.rename, or correct the table)",
            " and ".join(map(repr, group)),
        )
        for group in kinds
    ]
    return found, told


def find_whole(
    paths: Sequence[RunPath], root: Path, *, times: str = "seconds"
) -> tuple[list[RunEvents], list[tuple[Break, ...]]]:
    """Return whole recordings as if each were one event, and the breaks that their tables mark."""
    found, marks = [], []
    for path in paths:
        about = {
            "subject": path.subject,
            "session": path.session,
            "trial": 0,
            "stimulus": "",
            "run": path.run_label,
            "trial_type": "",
        }
        table = pd.DataFrame({"onset": ["0"]}, index=[1], dtype="str")
        found.append(RunEvents(path, path.fpath, table, whole_span(about), (1,)))
        file = find_sidecar(path, root, "events", ".tsv")
        if file is not None:
            check_inside(file, root)
            table = in_seconds(read_table(file, required=["onset"]), times)
            marks.append(find_bad_spans(table, file))
        else:
            marks.append(())
    return found, marks


def list_events(paths: Sequence[RunPath], root: Path) -> pd.DataFrame | None:
    """Return the rows of all tables of events as they stand, to be looked at; None without any.

    Tables that cannot be read are left to whoever reads the recordings.
    """
    files = dict.fromkeys(find_sidecar(path, root, "events", ".tsv") for path in paths)
    tables = []
    for file in filter(None, files):
        try:
            check_inside(file, root)
            tables.append(read_table(file, required=["onset"]))
        except DataError:
            continue
    return pd.concat(tables, ignore_index=True).fillna("") if tables else None


def _explain_missing(without: Sequence[RunPath], root: Path) -> str:
    """Name the recordings without events, what lies beside them, and how to leave them out."""
    first = without[0]
    tables = [
        file.name
        for file in list_folder(first.directory)
        if file.suffix.lower() == ".tsv" and not file.name.startswith(".")
    ]
    expected = f"{first.fpath.stem.rpartition('_')[0]}_events.tsv"
    events = [name for name in tables if "event" in name.lower()]
    close = difflib.get_close_matches(expected, events, n=2, cutoff=0.7)
    beside = f" Beside it is {' and '.join(close)}: does it belong to it?" if close else ""
    subjects = Counter(path.subject for path in find_paths(root))
    gone = Counter(path.subject for path in without)
    names = [
        f"sub-{path.subject}" if gone[path.subject] == subjects[path.subject] else path.name
        for path in without
    ]
    leave = f"exclude: [{', '.join(dict.fromkeys(names))}]"
    if len(without) == 1:
        return (
            f"{first.fpath} has no events.tsv; expected one that lists its trials.{beside} To "
            f"leave it out, write {leave} in data; to cut it into pieces, trials: fixed and a "
            "length."
        )
    return (
        f"{root}: {len(without)} recordings have no events.tsv, expected to list their trials: "
        f"{', '.join(path.fpath.name for path in without)}.{beside} To leave them out, write "
        f"{leave} in data; to cut recordings into pieces, trials: fixed and a length."
    )


def check_stored_once(found: Sequence[RunEvents]) -> None:
    """Refuse recordings of one run with the same events: one recording, stored several times."""
    together: dict[tuple[str, str], list[RunEvents]] = {}
    for run in found:
        together.setdefault((run.path.subject, run.path.session), []).append(run)
    for run in found:
        same = [
            other.path
            for other in together[run.path.subject, run.path.session]
            if same_label(other.path.labels.get("run", "1"), run.path.labels.get("run", "1"))
            and _moments(other) == _moments(run)
        ]
        if len(same) > 1 and len(run.trials):
            raise DataError(ask_which(same))


def _moments(run: RunEvents) -> list[tuple[float, str]]:
    rounded = run.trials["onset"].round(3)
    return list(zip(rounded, run.trials["trial_type"], strict=True))


def unify_stimuli(
    subjects: dict[str, list[RunEvents]], told: list[tuple[str, str]]
) -> tuple[dict[str, list[RunEvents]], dict[str, dict[str, str]]]:
    """Give stimuli that differ only in case or blanks the name that is most frequent.

    Otherwise one film would count as two, and be in training and in the test of unseen stimuli.
    """
    runs = [run for group in subjects.values() for run in group]
    counts = Counter(name for run in runs for name in run.trials["stimulus"] if name)
    names: dict[str, str] = {}
    for alike in find_near_misses(counts):
        usual = max(alike, key=lambda name: counts[name])
        names |= {name: usual for name in alike if name != usual}
        told.append(
            (
                "stimuli that differ only in case or blanks, taken for one",
                " and ".join(map(repr, alike)),
            )
        )
    if not names:
        return subjects, {}
    renamed: dict[str, list[RunEvents]] = {}
    changed: dict[str, dict[str, str]] = {}
    for subject, group in subjects.items():
        here = {
            name: names[name] for run in group for name in run.trials["stimulus"] if name in names
        }
        renamed[subject] = [
            replace(run, trials=run.trials.replace({"stimulus": here})) if here else run
            for run in group
        ]
        changed[subject] = here
    return renamed, changed
