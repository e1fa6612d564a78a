"""People of a folder of recordings, from its table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from eegemo.datasets.bids.events import check_trial_types
from eegemo.datasets.files.recording import FilesRecording, Options
from eegemo.datasets.files.table import Row, natural_key, read_rows
from eegemo.datasets.fixed import check_fixed
from eegemo.datasets.subjects import choose_named
from eegemo.datasets.tables import read_table
from eegemo.errors import DataError
from eegemo.formats.files import check_inside, named_errors

__all__ = ["find_recordings_files", "list_rows"]


def find_recordings_files(
    root: str | Path,
    *,
    table: str = "recordings.csv",
    subjects: str | Sequence[str | int] = "all",
    events: str = "auto",
    stim_channel: str | None = None,
    trial_types: Sequence[str] | None = None,
    trials: str = "events",
    length: float | None = None,
    tmin: float = 0.0,
    tmax: float | None = None,
) -> list[FilesRecording]:
    """List the people of a folder of recordings, with all their recordings.

    Parameters
    ----------
    root : str or pathlib.Path
    table, subjects, events, stim_channel, trial_types, trials, length, tmin, tmax
        As in `eegemo.datasets.files.Files`.

    Returns
    -------
    list of FilesRecording
        One per person, sorted by name, without opening the recordings. Those of a person are sorted
        by session and run, with numbers in their order.

    Raises
    ------
    DataError
        If the table is wrong (see `read_rows`); if options do not go together; or if a table of
        trials cannot be read or has none of the trial types.
    """
    root = Path(root)
    check_fixed(trials, length, tmin)
    rows = list_rows(root, table)
    present = sorted({row.subject for row in rows})
    wanted = choose_named(present, subjects, root)
    rows = [row for row in rows if row.subject in wanted]
    if events == "table":
        without = [row for row in rows if not isinstance(row.events, Path)]
        if without:
            raise DataError(
                f"{root / table}, line {without[0].line}: events is "
                f"{'empty' if without[0].events == 'auto' else without[0].events}, and data.events "
                "is table; expected the path of a table of trials."
            )
    tables = {row.line: _read_events(row, root / table) for row in rows}
    listed = [found for found in tables.values() if found is not None]
    if listed and all(found is not None for found in tables.values()):
        check_trial_types(listed, trial_types, root)
    options = Options(
        events=events,
        stim_channel=stim_channel,
        trial_types=None if trial_types is None else tuple(sorted(map(str, trial_types))),
        trials=trials,
        length=None if length is None else float(length),
        tmin=float(tmin),
        tmax=None if tmax is None else float(tmax),
        own=_free_columns(rows, listed),
    )
    return [
        FilesRecording.of(
            sorted(
                (row for row in rows if row.subject == subject),
                key=lambda row: (natural_key(row.session), natural_key(row.run)),
            ),
            tables,
            options,
            root,
        )
        for subject in wanted
    ]


def list_rows(root: Path, table: str) -> list[Row]:
    """Return the rows of the table of a folder.

    Raises
    ------
    DataError
        If there is no such folder or table, or it is wrong.
    """
    with named_errors(root):
        if not root.is_dir():
            raise DataError(f"{root}: expected a folder of recordings, found no such folder.")
    file = root / table
    if not Path(table).is_absolute() and ".." not in Path(table).parts:
        check_inside(file, root)  # a link; a path elsewhere is the user's own word
    with named_errors(file):
        if not file.is_file() and not file.is_symlink():
            raise DataError(
                f"{file}: no such file; expected the table of the recordings. `eegemo check "
                f"{root} --write` proposes one."
            )
    return read_rows(file, root)


def _read_events(row: Row, table: Path) -> pd.DataFrame | None:
    if not isinstance(row.events, Path):
        return None
    try:
        return read_table(row.events, required=("onset",))
    except DataError as error:
        raise DataError(f"{table}, line {row.line}: {error}") from error


def _free_columns(rows: Sequence[Row], tables: Sequence[pd.DataFrame]) -> tuple[str, ...]:
    """Return the further columns that keep their names, since no table of trials has them."""
    taken = {str(name).lower() for found in tables for name in found.columns}
    names = dict.fromkeys(name for row in rows for name in row.further)
    return tuple(name for name in names if name.lower() not in taken)
