"""The files that the rows of a table name: each is there, readable, and named once."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from eegemo.datasets.exclude import Exclusion
from eegemo.datasets.files.formats import check_content, format_of, list_parts
from eegemo.datasets.files.table import Row
from eegemo.datasets.tables import fold, is_missing, read_table
from eegemo.errors import DataError
from eegemo.formats.files import check_file, check_inside, list_folder, named_errors

__all__ = ["Place", "find_places"]

_WAYS = ("annotations", "stim", "none")


@dataclass(frozen=True, eq=False)
class Place:
    """A recording on disk.

    Attributes
    ----------
    row : Row
    path : pathlib.Path
    parts : tuple of pathlib.Path
        All files that it consists of.
    way : str
        Where its events are, as its row says: ``table``, ``annotations``, ``stim``, ``none``, or
        ``auto``.
    events : pathlib.Path or None
        The table of its trials.
    trials : DataFrame or None
        The content of that table.
    exclusions : tuple of Exclusion
        Of its trials.
    """

    row: Row
    path: Path
    parts: tuple[Path, ...] = ()
    way: str = "auto"
    events: Path | None = None
    trials: pd.DataFrame | None = None
    exclusions: tuple[Exclusion, ...] = ()


def find_places(rows: Sequence[Row], table: Path, root: Path) -> list[Place]:
    """Find the files of recordings.

    Parameters
    ----------
    rows : sequence of Row
        The recordings that are used.
    table : pathlib.Path
    root : pathlib.Path
        Folder that holds the recordings. Paths in the table are relative to it, or to the folder of
        the table.

    Returns
    -------
    places : list of Place

    Raises
    ------
    DataError
        If a recording is missing, leads out of `root`, is of a format that cannot be read, or is
        named twice; or if a table of trials is missing or cannot be read. The message names the
        line.
    """
    _check_labels(rows, table)
    paths = [_find(row.name, row, table, root) for row in rows]
    _check_present(paths, rows, table, root)
    _check_apart(paths, rows, table)
    places = []
    for row, path in zip(rows, paths, strict=True):
        try:
            format_of(path)
            parts = list_parts(path, root)
            check_content(path)
        except DataError as error:
            raise DataError(f"{table}, line {row.line}: {error}") from error
        way, events = _find_events(row, table, root)
        trials = None
        if events is not None:
            try:
                trials = read_table(events, required=("onset",))
            except DataError as error:
                raise DataError(f"{table}, line {row.line}: {error}") from error
        places.append(Place(row, path, tuple(parts), way, events, trials))
    return places


def _check_labels(rows: Sequence[Row], table: Path) -> None:
    empty = [row for row in rows if not row.label]
    if empty and len(empty) < len(rows):
        raise DataError(
            f"{table}, line {empty[0].line}: label is empty, as in {len(empty)} of {len(rows)} "
            "rows; expected the class of each recording, or n/a where one has none."
        )


def _find(name: str, row: Row, table: Path, root: Path) -> Path:
    """Return the path of a file that the table names, which need not be there."""
    where = f"{table}, line {row.line}"
    if "\0" in name or len(name) > 1000:
        raise DataError(f"{where}: {name[:60]!r} is no path.")
    with named_errors(table):
        given = name.replace("\\", "/") if not (root / name).exists() else name
        if given.startswith(("/", "~")) or re.match(r"[A-Za-z]:", given):
            raise DataError(
                f"{where}: {name} is an absolute path; expected one relative to {root}."
            )
        near, beside = root / given, table.parent / given
        here, there = (path.exists() or path.is_symlink() for path in (near, beside))
        if here and there and near.resolve() != beside.resolve():
            raise DataError(
                f"{where}: {name} is there twice, as {near} and as {beside}. Move the table into "
                "the folder of the recordings."
            )
    path = beside if there and not here else near
    try:
        check_inside(path, root)
    except DataError as error:
        raise DataError(f"{where}: {error}") from error
    return path


def _check_present(paths: Sequence[Path], rows: Sequence[Row], table: Path, root: Path) -> None:
    absent = [
        (row, path)
        for row, path in zip(rows, paths, strict=True)
        if not path.exists() and not path.is_symlink()
    ]
    if not absent:
        return
    row, path = absent[0]
    hint = ""
    if path.parent.is_dir():
        near = {fold(entry.name): entry.name for entry in list_folder(path.parent)}
        close = difflib.get_close_matches(fold(path.name), near, n=1, cutoff=0.85)
        hint = f" Did you mean {near[close[0]]}?" if close else ""
    more = f" {len(absent)} of {len(rows)} rows name files that are not there."
    raise DataError(
        f"{table}, line {row.line}: {row.name}: no such file in {root}.{hint}"
        f"{more if len(absent) > 1 else ''}"
    )


def _check_apart(paths: Sequence[Path], rows: Sequence[Row], table: Path) -> None:
    """Refuse two rows of one file."""
    seen: dict[Path, Row] = {}
    for row, path in zip(rows, paths, strict=True):
        other = seen.setdefault(path.resolve(), row)
        if other is not row:
            raise DataError(
                f"{table}, lines {other.line} and {row.line}: {other.name} and {row.name} are one "
                "file; expected each recording once. For several trials in it, name a table of "
                "them in the column events."
            )


def _find_events(row: Row, table: Path, root: Path) -> tuple[str, Path | None]:
    if is_missing(row.events):
        return "auto", None
    if row.events in _WAYS:
        return row.events, None
    path = _find(row.events, row, table, root)
    try:
        check_file(path)
    except DataError as error:
        raise DataError(
            f"{table}, line {row.line}: events is {row.events}: {error} Expected a table of "
            f"trials, or one of the words {', '.join(_WAYS)}."
        ) from error
    return "table", path
