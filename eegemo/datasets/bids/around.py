"""Columns of participants.tsv, sessions.tsv and scans.tsv for the metadata of trials."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pandas as pd

from eegemo.datasets.bids.files import list_tables_around
from eegemo.datasets.bids.paths import RunPath
from eegemo.datasets.exclude import same_label
from eegemo.datasets.tables import is_missing, read_table
from eegemo.errors import DataError
from eegemo.formats.files import check_inside

__all__ = ["TablesAround"]

# Suffix of a table -> the column that says what a row is about, and the prefix of the others.
_KEYS = {
    "participants": "participant_id",
    "sessions": "session_id",
    "scans": "filename",
}


class TablesAround:
    """The tables of a data set that say something about whole participants and recordings.

    Parameters
    ----------
    root : pathlib.Path
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._read: Callable[[Path, str], pd.DataFrame] = cache(_read)
        #: What is in no table although there is one: (table, what), in order.
        self.missing: list[tuple[str, str]] = []

    def describe(self, path: RunPath) -> dict[str, str]:
        """Return what the tables say about a recording.

        Parameters
        ----------
        path : RunPath

        Returns
        -------
        columns : dict of str to str
            By name of table and column (``participants.age``), empty where missing.

        Raises
        ------
        DataError
            If a table cannot be read, leads out of the data set, or has two different rows about
            the same.
        """
        found: dict[str, str] = {}
        for file in list_tables_around(path, self._root):
            kind = file.stem.rpartition("_")[2]
            if file.suffix != ".tsv" or kind not in _KEYS:
                continue
            check_inside(file, self._root)
            table = self._read(file, _KEYS[kind])
            rows = _rows_about(table, kind, path)
            columns = [str(name) for name in table.columns if name != _KEYS[kind]]
            if rows.empty:
                wanted = {"participants": f"sub-{path.subject}", "sessions": f"ses-{path.session}"}
                told = (file.name, wanted.get(kind, path.fpath.name))
                if told not in self.missing:
                    self.missing.append(told)
            elif len(rows.drop_duplicates()) > 1:
                first, second = rows.index[:2]
                raise DataError(
                    f"{file}, lines {first} and {second}: two rows about "
                    f"{rows.loc[first, _KEYS[kind]]!r} that differ; expected one."
                )
            for name in columns:
                text = "" if rows.empty else str(rows[name].iloc[0])
                found[f"{kind}.{name}"] = "" if is_missing(text) else text
        return found


def _read(file: Path, key: str) -> pd.DataFrame:
    table = read_table(file)
    # a table without its key says nothing about anybody; BIDS examples have such
    return table if key in table else pd.DataFrame({key: []}, dtype="str")


def _rows_about(table: pd.DataFrame, kind: str, path: RunPath) -> pd.DataFrame:
    """Return the rows about a recording, its participant or its session."""
    cells = table[_KEYS[kind]]
    if kind == "scans":
        stems = cells.map(lambda text: text.replace("\\", "/").rpartition("/")[2].casefold())
        names = (path.fpath.name.casefold(), path.fpath.with_suffix("").name.casefold())
        return table[stems.isin(names).to_numpy(dtype=bool)]
    prefix, label = ("sub-", path.subject) if kind == "participants" else ("ses-", path.session)
    labels = cells.map(lambda text: text.removeprefix(prefix))
    exact = table[(labels == label).to_numpy(dtype=bool)]
    if not exact.empty:
        return exact
    return table[[same_label(text, label) for text in labels]]
