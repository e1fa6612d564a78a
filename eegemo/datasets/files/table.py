"""The table of a folder of recordings: a row per recording, checked before any signal is read."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from eegemo.datasets.files.formats import check_content, format_of, list_parts
from eegemo.datasets.tables import fold, is_missing, read_table, show_names
from eegemo.errors import DataError
from eegemo.formats.files import check_file, check_inside, list_folder, named_errors

__all__ = ["COLUMNS", "Row", "natural_key", "read_rows"]

#: Columns with a meaning of their own; `path` and `subject` are required.
COLUMNS = ("path", "subject", "session", "run", "label", "events", "stimulus")
# Other names that people and programs give to these columns.
_ALIASES = {
    "file": "path", "filename": "path", "filepath": "path", "recording": "path", "edf": "path",
    "participant": "subject", "participantid": "subject", "sub": "subject", "id": "subject",
    "person": "subject", "subjectid": "subject", "ses": "session", "class": "label",
    "emotion": "label", "eventsfile": "events", "stimfile": "stimulus", "clip": "stimulus",
}  # fmt: skip
# Names of folders are made of it; letters of all scripts are fine.
_NAME = re.compile(r"\w[\w.+ -]{0,39}")
_WAYS = ("annotations", "stim", "none")


@dataclass(frozen=True)
class Row:
    """A recording of the table.

    Attributes
    ----------
    line : int
        Of the table, from 1.
    path : pathlib.Path
    name : str
        The path as in the table.
    subject, session, run : str
    label : str
        Class of the whole recording; empty if it has none.
    events : str or pathlib.Path
        ``"auto"``, ``"annotations"``, ``"stim"``, ``"none"``, or a table of trials.
    stimulus : str
    further : dict of str to str
        The other columns.
    parts : tuple of pathlib.Path
        All files that the recording consists of.
    """

    line: int
    path: Path
    name: str
    subject: str
    session: str
    run: str
    label: str
    events: str | Path
    stimulus: str
    further: dict[str, str] = field(default_factory=dict)
    parts: tuple[Path, ...] = ()


def natural_key(text: str) -> tuple[tuple[int, str, int], ...]:
    """Return a key that sorts numbers in a text by value: 9 before 10.

    Parameters
    ----------
    text : str

    Examples
    --------
    >>> sorted(["run10", "run9", "run1"], key=natural_key)
    ['run1', 'run9', 'run10']
    """
    parts = re.findall(r"[0-9]+|[^0-9]+", text)
    return tuple((0, "", int(p)) if p.isascii() and p.isdecimal() else (1, p, 0) for p in parts)


def read_rows(table: Path, root: Path) -> list[Row]:
    """Read the table of recordings, and check that each row names a recording that is there.

    Parameters
    ----------
    table : pathlib.Path
    root : pathlib.Path
        Folder that holds the recordings. Paths in the table are relative to it, or to the folder of
        the table.

    Returns
    -------
    rows : list of Row
        In the order of the table.

    Raises
    ------
    DataError
        If the table has no row, an unclear column or a cell that is missing; if a recording is
        missing, leads out of `root` or is of a format that cannot be read; or if two rows are the
        same recording. The message names the line.
    """
    frame = read_table(table)
    frame = frame.rename(columns=_name_columns(list(frame.columns), table))
    if frame.empty:
        raise DataError(f"{table} has no row; expected one for each recording.")
    cells = {name: frame[name] if name in frame else _empty(frame) for name in COLUMNS}
    for name in ("path", "subject"):
        _check_filled(cells[name], name, table, frame)
    if "label" in frame and (cells["label"] != "").any():
        _check_filled(cells["label"], "label", table, frame)
    others = [name for name in frame.columns if name not in COLUMNS]
    paths = [_find(name, line, table, root) for line, name in cells["path"].items()]  # type: ignore[arg-type]
    _check_present(paths, cells["path"], table, root)
    sessions = ["1" if is_missing(text) else text for text in cells["session"]]
    rows = []
    for number, line in enumerate(frame.index):
        path = paths[number]
        name = cells["path"].iloc[number]
        for column, text in (
            ("subject", cells["subject"].iloc[number]),
            ("session", sessions[number]),
            ("run", cells["run"].iloc[number]),
        ):
            if text and not _NAME.fullmatch(text):
                raise DataError(
                    f"{table}, line {line}: {column} is {text[:60]!r}; expected letters, digits, "
                    "'_', '-', '.', '+' or blanks, at most 40, a letter or digit first."
                )
        try:
            format_of(path)
            parts = list_parts(path, root)
            check_content(path)
        except DataError as error:
            raise DataError(f"{table}, line {line}: {error}") from error
        rows.append(
            Row(
                line=int(line),
                path=path,
                name=name,
                subject=cells["subject"].iloc[number],
                session=sessions[number],
                run=cells["run"].iloc[number],
                label=_text(cells["label"].iloc[number]),
                events=_find_events(cells["events"].iloc[number], int(line), table, root),
                stimulus=_text(cells["stimulus"].iloc[number]),
                further={other: frame[other].iloc[number] for other in others},
                parts=tuple(parts),
            )
        )
    _check_alike(rows, table)
    rows = _number_runs(rows, table)
    _check_apart(rows, table)
    return rows


def _empty(frame: pd.DataFrame) -> pd.Series:
    return pd.Series("", index=frame.index, dtype="str")


def _text(cell: str) -> str:
    return "" if is_missing(cell) else cell


def _name_columns(header: list[str], table: Path) -> dict[str, str]:
    """Return the new names of columns in another case; refuse what may be meant for another."""
    folded = {name: re.sub(r"[\W_]", "", fold(name)) for name in header}
    renamed = {name: word for name, word in folded.items() if word in COLUMNS}
    for name, word in folded.items():
        if name in renamed:
            continue
        meant = _ALIASES.get(word) or next(
            iter(difflib.get_close_matches(word, COLUMNS, n=1, cutoff=0.8)), None
        )
        needed = meant in ("path", "subject") or word not in _ALIASES
        if meant and needed and meant not in renamed.values():
            raise DataError(
                f"{table}: the column {show_names([name])!r} is not known; did you mean {meant!r}? "
                f"The columns are {', '.join(COLUMNS)}; others are kept as they are."
            )
    for name in ("path", "subject"):
        if name not in renamed.values():
            raise DataError(
                f"{table} has no column {name!r}; it has {show_names(header) or 'no text'}. "
                "Expected path (of the recording) and subject, and if you like session, run, "
                "label, events and stimulus."
            )
    return renamed


def _check_filled(cells: pd.Series, name: str, table: Path, frame: pd.DataFrame) -> None:
    empty = [line for line, text in cells.items() if text == ""]
    if name == "path" or name == "subject":
        empty = [line for line, text in cells.items() if is_missing(text)]
    if empty:
        advice = "; write n/a where a recording has none" if name == "label" else ""
        raise DataError(
            f"{table}, line {empty[0]}: {name} is empty, as in {len(empty)} of {len(frame)} rows; "
            f"expected one for each recording{advice}."
        )


def _find(name: str, line: int, table: Path, root: Path) -> Path:
    """Return the path of a file that the table names, which need not be there."""
    given = name.replace("\\", "/") if "\\" in name and not (root / name).exists() else name
    if "\0" in given or len(given) > 1000:
        raise DataError(f"{table}, line {line}: {name[:60]!r} is no path.")
    if given.startswith(("/", "~")) or re.match(r"[A-Za-z]:", given):
        raise DataError(
            f"{table}, line {line}: {name} is an absolute path; expected one relative to {root}."
        )
    near, beside = root / given, table.parent / given
    with named_errors(table):
        here, there = (path.exists() or path.is_symlink() for path in (near, beside))
        if here and there and near.resolve() != beside.resolve():
            raise DataError(
                f"{table}, line {line}: {name} is there twice, as {near} and as {beside}. Move the "
                "table into the folder of the recordings."
            )
    path = beside if there and not here else near
    try:
        check_inside(path, root)
    except DataError as error:
        raise DataError(f"{table}, line {line}: {error}") from error
    return path


def _check_present(paths: Sequence[Path], names: pd.Series, table: Path, root: Path) -> None:
    absent = [
        (line, path)
        for path, line in zip(paths, names.index, strict=True)
        if not path.exists() and not path.is_symlink()
    ]
    if not absent:
        return
    line, path = absent[0]
    hint = ""
    if path.parent.is_dir():
        near = {fold(entry.name): entry.name for entry in list_folder(path.parent)}
        close = difflib.get_close_matches(fold(path.name), near, n=1, cutoff=0.85)
        hint = f" Did you mean {near[close[0]]}?" if close else ""
    more = (
        f" {len(absent)} of {len(paths)} rows name files that are not there."
        if len(absent) > 1
        else ""
    )
    raise DataError(f"{table}, line {line}: {names[line]}: no such file in {root}.{hint}{more}")


def _find_events(cell: str, line: int, table: Path, root: Path) -> str | Path:
    if is_missing(cell):
        return "auto"
    if cell in _WAYS:
        return cell
    path = _find(cell, line, table, root)
    try:
        check_file(path)
    except DataError as error:
        raise DataError(
            f"{table}, line {line}: events is {cell}: {error} Expected a table of trials, or one "
            f"of the words {', '.join(_WAYS)}."
        ) from error
    return path


def _check_alike(rows: Iterable[Row], table: Path) -> None:
    """Refuse names of people and sessions that differ only in their spelling."""
    for what in ("subject", "session"):
        seen: dict[str, Row] = {}
        for row in rows:
            name = getattr(row, what)
            # spreadsheets turn 01 into 1
            key = re.sub(r"(?<![0-9])0+(?=[0-9])", "", re.sub(r"[\W_]", "", fold(name)))
            other = seen.setdefault(key, row)
            if getattr(other, what) != name:
                raise DataError(
                    f"{table}, lines {other.line} and {row.line}: the {what}s "
                    f"{getattr(other, what)!r} and {name!r} differ only in their spelling, so they "
                    "would count as two. Write one of them, or other names if they are two."
                )


def _number_runs(rows: Sequence[Row], table: Path) -> list[Row]:
    """Give the recordings of a session numbers where the table does not."""
    together: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        together.setdefault((row.subject, row.session), []).append(row)
    numbered: dict[int, Row] = {}
    for group in together.values():
        unnamed = [row for row in group if is_missing(row.run)]
        if unnamed and len(unnamed) < len(group):
            raise DataError(
                f"{table}, line {unnamed[0].line}: run is empty, and not for other recordings of "
                f"subject {unnamed[0].subject}, session {unnamed[0].session}; expected it for all "
                "of them or for none."
            )
        for number, row in enumerate(group, start=1):
            numbered[row.line] = replace(row, run=str(number)) if unnamed else row
    return [numbered[row.line] for row in rows]


def _check_apart(rows: Iterable[Row], table: Path) -> None:
    """Refuse two rows of one file, and two recordings of one name."""
    files: dict[Path, Row] = {}
    names: dict[tuple[str, str, str], Row] = {}
    for row in rows:
        other = files.setdefault(row.path.resolve(), row)
        if other is not row:
            raise DataError(
                f"{table}, lines {other.line} and {row.line}: {other.name} and {row.name} are one "
                "file; expected each recording once. For several trials in it, name a table of "
                "them in the column events."
            )
        key = (row.subject, row.session, row.run.casefold())
        other = names.setdefault(key, row)
        if other is not row:
            raise DataError(
                f"{table}, lines {other.line} and {row.line}: both are subject {row.subject}, "
                f"session {row.session}, run {row.run}; expected another run for each recording."
            )
