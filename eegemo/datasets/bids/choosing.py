"""Which recordings of a BIDS data set an experiment asks for, by the labels in their names."""

import difflib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from eegemo.datasets.bids.files import name_signal_files
from eegemo.datasets.bids.paths import RunPath, natural
from eegemo.datasets.exclude import Exclusion, exclude_recordings, same_label, shorten
from eegemo.datasets.tables import show_names
from eegemo.errors import DataError

__all__ = [
    "ask_which",
    "check_signals_apart",
    "choose_labels",
    "choose_subjects",
    "choose_task",
    "leave_out_excluded",
    "name_runs",
]

# Options that choose by a label: key, option, and what the label is where a name has none.
_OPTIONS = {
    "ses": ("sessions", "1"),
    "run": ("runs", "1"),
    "acq": ("acquisition", "n/a"),
    "proc": ("processing", "n/a"),
}


def choose_task(paths: list[RunPath], task: str | None, root: Path) -> tuple[str, list[RunPath]]:
    """Choose the recordings of a task, whatever the case of its label.

    Returns
    -------
    task : str
        Its label, in the spelling that comes first.
    paths : list of RunPath

    Raises
    ------
    DataError
        If there are several tasks and none was asked for, or the task is not among them.
    """
    present: dict[str, str] = {}
    for path in sorted(paths, key=lambda path: path.task):
        present.setdefault(path.task.casefold(), path.task)
    labels = ", ".join(present.values())
    if task is None:
        if len(present) > 1:
            raise DataError(f"{root} holds several tasks, choose one: {labels}.")
        task = next(iter(present.values()))
    if task.casefold() not in present:
        close = difflib.get_close_matches(task, present.values(), n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise DataError(f"{root} holds no EEG of task {task!r}.{hint} Tasks: {labels}.")
    chosen = [path for path in paths if path.task.casefold() == task.casefold()]
    return present[task.casefold()], chosen


def choose_subjects(
    paths: list[RunPath], subjects: str | Sequence[str | int], root: Path
) -> list[RunPath]:
    """Choose the recordings of subjects, by label, with or without ``sub-``."""
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
            name for name in present if same_label(name, label)
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


def choose_labels(
    paths: list[RunPath], key: str, wanted: str | int | Sequence[str | int], root: Path
) -> list[RunPath]:
    """Choose recordings by the label of a key.

    Parameters
    ----------
    paths : list of RunPath
    key : {"ses", "run", "acq", "proc"}
    wanted : "all", str, int or sequence of them
        ``n/a`` for recordings without such a label.
    root : pathlib.Path
        For messages.

    Raises
    ------
    DataError
        If no recording has one of the labels.
    """
    if wanted == "all":
        return paths
    option, usual = _OPTIONS[key]
    labels = {path: path.labels.get(key, usual) for path in paths}
    present = sorted(set(labels.values()), key=natural)
    chosen: set[str] = set()
    for name in [wanted] if isinstance(wanted, str | int) else wanted:
        label = str(name).strip().removeprefix(f"{key}-")
        same = [other for other in present if other == label] or [
            other for other in present if same_label(other, label)
        ]
        if not same:
            close = difflib.get_close_matches(label, present, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            none = not any(key in path.labels for path in paths)
            there = f"no recording has a label {key}-" if none else f"there: {show_names(present)}"
            raise DataError(
                f"data.{option}: no recording of {root} has the label {key}-{label}.{hint} "
                f"{there[0].upper()}{there[1:]}."
            )
        chosen |= set(same)
    return [path for path in paths if labels[path] in chosen]


def leave_out_excluded(
    paths: list[RunPath], exclude: Sequence[str | int] | None, everything: list[RunPath], root: Path
) -> tuple[list[RunPath], dict[Path, list[Exclusion]]]:
    """Leave out recordings by the option ``exclude``.

    Parameters
    ----------
    paths : list of RunPath
        The chosen ones.
    exclude : sequence of str or int, or None
    everything : list of RunPath
        All recordings of the data set, one of which each name has to fit.
    root : pathlib.Path

    Returns
    -------
    kept : list of RunPath
    trials : dict of Path to list of Exclusion
        The exclusions of trials of each recording, by its file.

    Raises
    ------
    DataError
        If a name fits nothing, or nothing is left.
    """
    found = exclude_recordings(exclude, [path.labels for path in everything], root)
    trials = {
        path.fpath: exclusions
        for path, exclusions in zip(everything, found, strict=True)
        if exclusions is not None
    }
    kept = [path for path in paths if path.fpath in trials]
    if paths and not kept:
        raise DataError(f"data.exclude leaves no recording of those chosen in {root}.")
    return kept, {path.fpath: trials[path.fpath] for path in kept}


def name_runs(paths: list[RunPath]) -> list[RunPath]:
    """Give recordings of a session labels that differ, where ``run-`` does not tell them apart."""
    named = []
    together: dict[tuple[str, str], list[RunPath]] = {}
    for path in paths:
        together.setdefault((path.subject, path.session), []).append(path)
    for path in paths:
        others = [
            other
            for other in together[path.subject, path.session]
            if other is not path
            and same_label(other.labels.get("run", "1"), path.labels.get("run", "1"))
        ]
        keys = [
            key
            for key in path.labels
            if key not in ("sub", "ses", "run")
            and any(other.labels.get(key) != path.labels[key] for other in others)
        ]
        label = "_".join(f"{key}-{path.labels[key]}" for key in keys)
        run = path.labels.get("run")
        if label and run is not None:
            label += f"_run-{run}"
        named.append(replace(path, run_label=label or path.run_label))
    return named


def check_signals_apart(paths: list[RunPath], root: Path) -> None:
    """Refuse runs whose headers name the same signals, and runs in two formats: they would leak."""
    stems: dict[Path, Path] = {}
    seen: dict[Path, Path] = {}
    for path in paths:
        file = path.fpath
        stem = file.with_name(file.stem.casefold())
        other = stems.setdefault(stem, file)
        if other != file:
            raise DataError(f"{file} and {other.name} are the same run; expected only one of them.")
        for signals in {named.resolve() for named in name_signal_files(file, root)}:
            other = seen.setdefault(signals, file)
            if other != file:
                raise DataError(
                    f"{file} and {other} name the same file as their signals, {signals.name}: one "
                    "of them was renamed. Correct DataFile in its header."
                )


def ask_which(paths: Sequence[RunPath]) -> str:
    """Return a message on recordings that are one run stored several times.

    Parameters
    ----------
    paths : sequence of RunPath
        Of one subject and session, with the same events.
    """
    first = paths[0]
    names = shorten([path.fpath.name for path in paths])
    for key, option in (("acq", "acquisition"), ("proc", "processing")):
        labels = [path.labels.get(key, "n/a") for path in paths]
        if len(set(labels)) == len(paths):
            choices = " or ".join(f"{option}: {label}" for label in labels)
            return _same_run(first, names, f"Choose one of them: {choices}")
    return _same_run(first, names, f"Leave out all but one, as in exclude: [{paths[-1].name}]")


def _same_run(path: RunPath, names: str, advice: str) -> str:
    return (
        f"{path.directory}: {names} have the same events and the same run, so they are one "
        f"recording stored several times, and its trials would be in training and in the test. "
        f"{advice} (in data)."
    )
