"""The table of a folder of recordings: a row per recording, checked before any signal is read."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from eegemo.datasets.tables import fold, is_missing, read_table, show_names
from eegemo.errors import DataError

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


@dataclass(frozen=True)
class Row:
    """A recording of the table.

    Attributes
    ----------
    line : int
        Of the table, from 1.
    name : str
        The path as in the table.
    subject, session, run : str
    label : str
        Class of the whole recording; empty if it has none.
    events : str
        As in the table: a path, ``annotations``, ``stim``, ``none``, or empty.
    stimulus : str
    further : dict of str to str
        The other columns.
    """

    line: int
    name: str
    subject: str
    session: str = "1"
    run: str = "1"
    label: str = ""
    events: str = ""
    stimulus: str = ""
    further: dict[str, str] = field(default_factory=dict)


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


def read_rows(table: Path) -> list[Row]:
    """Read the table of recordings, without a look at the files that it names.

    Parameters
    ----------
    table : pathlib.Path

    Returns
    -------
    rows : list of Row
        In the order of the table.

    Raises
    ------
    DataError
        If the table has no row, an unclear column or a cell that is missing, or two rows of the
        same name. The message names the line.
    """
    frame = read_table(table)
    frame = frame.rename(columns=_name_columns(list(frame.columns), table))
    if frame.empty:
        raise DataError(f"{table} has no row; expected one for each recording.")
    for name in ("path", "subject"):
        _check_filled(frame[name], name, table)
    rows = []
    others = [name for name in frame.columns if name not in COLUMNS]
    for line, cells in zip(frame.index, frame.to_dict("records"), strict=True):
        session = cells.get("session", "")
        row = Row(
            line=int(line),
            name=cells["path"],
            subject=cells["subject"],
            session="1" if is_missing(session) else session,
            run="" if is_missing(cells.get("run", "")) else cells["run"],
            label=cells.get("label", ""),
            events=cells.get("events", ""),
            stimulus="" if is_missing(cells.get("stimulus", "")) else cells["stimulus"],
            further={str(name): cells[name] for name in others},
        )
        for column in ("subject", "session", "run"):
            text = getattr(row, column)
            if text and not _NAME.fullmatch(text):
                raise DataError(
                    f"{table}, line {line}: {column} is {text[:60]!r}; expected letters, digits, "
                    "'_', '-', '.', '+' or blanks, at most 40, a letter or digit first."
                )
        rows.append(row)
    _check_alike(rows, table)
    rows = _number_runs(rows, table)
    _check_names(rows, table)
    return rows


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


def _check_filled(cells: pd.Series, name: str, table: Path) -> None:
    empty = [line for line, text in cells.items() if is_missing(text)]
    if empty:
        raise DataError(
            f"{table}, line {empty[0]}: {name} is empty, as in {len(empty)} of {len(cells)} rows; "
            "expected one for each recording."
        )


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
        unnamed = [row for row in group if not row.run]
        if unnamed and len(unnamed) < len(group):
            raise DataError(
                f"{table}, line {unnamed[0].line}: run is empty, and not for other recordings of "
                f"subject {unnamed[0].subject}, session {unnamed[0].session}; expected it for all "
                "of them or for none."
            )
        for number, row in enumerate(group, start=1):
            numbered[row.line] = replace(row, run=str(number)) if unnamed else row
    return [numbered[row.line] for row in rows]


def _check_names(rows: Iterable[Row], table: Path) -> None:
    """Refuse two recordings of one name."""
    names: dict[tuple[str, str, str], Row] = {}
    for row in rows:
        other = names.setdefault((row.subject, row.session, row.run.casefold()), row)
        if other is not row:
            raise DataError(
                f"{table}, lines {other.line} and {row.line}: both are subject {row.subject}, "
                f"session {row.session}, run {row.run}; expected another run for each recording."
            )
