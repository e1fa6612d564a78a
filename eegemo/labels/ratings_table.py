"""Tables of labels or ratings beside the data: one table, or one for each recording."""

from __future__ import annotations

import difflib
import glob
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from eegemo.errors import DataError
from eegemo.store import digest_json

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["RatingsTable", "digest_ratings", "read_ratings"]

_SPREADSHEETS = (".xlsx", ".xls", ".ods")
_ENTITIES = re.compile(r"(?:^|_)(sub|ses|run)-([^_.]+)")
_PATTERN = re.compile(r"[*?\[]")
_MOST_SHOWN = 5


@dataclass(frozen=True)
class RatingsTable:
    """Rows of one or several tables.

    Attributes
    ----------
    name : str
        What messages call it: the name of the file, or the pattern.
    rows : DataFrame of str
        All rows, in the order of files and lines; "" where a file lacks a column.
    files : list of Path
        The file of each row.
    lines : list of int
        The line of each row in its file.
    entities : list of dict of str to str
        Of each row: ``sub``, ``ses`` and ``run`` in the name of its file.
    """

    name: str
    rows: pd.DataFrame
    files: list[Path]
    lines: list[int]
    entities: list[dict[str, str]]

    def where(self, row: int) -> str:
        """Return the words for a row: its line, and its file where there are several."""
        several = len(set(self.files)) > 1
        return (
            f"{self.files[row].name}, line {self.lines[row]}"
            if several
            else (f"line {self.lines[row]}")
        )


def read_ratings(table: str | Path) -> RatingsTable:
    """Read a table of ratings, or all that fit a pattern.

    Parameters
    ----------
    table : str or path
        A CSV or TSV file, or a spreadsheet if pandas can read one here; with ``*`` a pattern, such
        as ``data/sub-*/beh/*_beh.tsv``.

    Returns
    -------
    ratings : RatingsTable

    Raises
    ------
    DataError
        If there is no such file, or it is no table.
    """
    import pandas as pd

    from eegemo.datasets.tables import read_table

    files = _find(str(table))
    parts = [
        _read_spreadsheet(file)
        if file.suffix.lower() in _SPREADSHEETS
        else read_table(file, row_numbers=True)
        for file in files
    ]
    rows = pd.concat(parts, ignore_index=True).fillna("").astype(object)
    if rows.empty:
        raise DataError(f"{table}: the table has no rows (labels.table).")
    return RatingsTable(
        name=files[0].name if len(files) == 1 else str(table),
        rows=rows,
        files=[file for file, part in zip(files, parts, strict=True) for _ in range(len(part))],
        lines=[int(line) for part in parts for line in part.index],
        entities=[
            dict(_ENTITIES.findall(file.name))
            for file, part in zip(files, parts, strict=True)
            for _ in range(len(part))
        ],
    )


def digest_ratings(table: str | Path) -> str:
    """Return a digest of the content of a table of ratings; the place of the file has no part.

    Line ends, encodings and blanks around cells have none either.
    """
    ratings = read_ratings(table)
    columns = {str(name): ratings.rows[name].tolist() for name in ratings.rows}
    return digest_json([columns, ratings.entities])


def _find(table: str) -> list[Path]:
    path = Path(table).expanduser()
    if path.is_file():
        return [path]
    if path.is_dir():
        raise DataError(f"{table} is a folder; expected a table, CSV or TSV (labels.table).")
    if _PATTERN.search(table):
        found = [Path(name) for name in glob.glob(str(path), recursive=True)]
        files = sorted((file for file in found if file.is_file()), key=_natural)
        if not files:
            raise DataError(f"{table}: no table fits this pattern (labels.table).")
        return files
    tables = (
        sorted(
            file.name
            for file in path.parent.iterdir()
            if file.suffix.lower() in (".csv", ".tsv", ".txt", *_SPREADSHEETS)
        )
        if path.parent.is_dir()
        else []
    )
    near = difflib.get_close_matches(path.name, tables, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    if tables and not near:
        hint = f" Tables in that folder: {', '.join(tables[:_MOST_SHOWN])}."
    raise DataError(f"{table}: there is no such table (labels.table).{hint}")


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sort numbers in names by value: 10 after 9."""
    parts = re.split(r"(\d+)", str(path))
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def _read_spreadsheet(file: Path) -> pd.DataFrame:
    import pandas as pd

    from eegemo.datasets.tables import strip_invisible

    try:
        table = pd.read_excel(file, dtype=str, keep_default_na=False)
    except ImportError as error:
        raise DataError(
            f"{file} is a spreadsheet, for which pandas needs another package here ({error.name}). "
            "Save it as CSV (UTF-8)."
        ) from error
    except Exception as error:  # each engine has errors of its own
        raise DataError(
            f"{file} cannot be read as a spreadsheet. Save it as CSV (UTF-8)."
        ) from error
    table.columns = [strip_invisible(str(name)) for name in table.columns]
    table = table.map(lambda cell: strip_invisible(str(cell)))
    table.index = table.index + 2
    return table[(table != "").any(axis=1)]
