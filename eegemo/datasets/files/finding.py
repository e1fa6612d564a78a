"""People of a folder of recordings, from its table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from eegemo.datasets.bids.events import check_trial_types
from eegemo.datasets.exclude import exclude_recordings
from eegemo.datasets.files.options import Options
from eegemo.datasets.files.places import Place, find_places
from eegemo.datasets.files.recording import FilesRecording
from eegemo.datasets.files.table import Row, natural_key, read_rows
from eegemo.datasets.fixed import check_fixed
from eegemo.datasets.subjects import choose_named
from eegemo.datasets.tables import find_near_misses
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
    exclude: Sequence[str | int] | None = None,
) -> list[FilesRecording]:
    """List the people of a folder of recordings, with all their recordings.

    Parameters
    ----------
    root : str or pathlib.Path
    table, subjects, events, stim_channel, trial_types, trials, length, tmin, tmax, exclude
        As in `eegemo.datasets.files.Files`.

    Returns
    -------
    list of FilesRecording
        One per person, sorted by name, without opening the recordings. Those of a person are sorted
        by session and run, with numbers in their order.

    Raises
    ------
    DataError
        If the table is wrong (see `read_rows` and `find_places`); if options do not go together; if
        `exclude` names what is not there; or if tables of trials have none of a trial type.
    """
    root = Path(root)
    check_fixed(trials, length, tmin)
    rows = list_rows(root, table)
    wanted = choose_named(sorted({row.subject for row in rows}), subjects, root)
    rows = [row for row in rows if row.subject in wanted]
    labels = [{"sub": row.subject, "ses": row.session, "run": row.run} for row in rows]
    excluded = exclude_recordings(exclude, labels, root / table)
    kept = [(row, found) for row, found in zip(rows, excluded, strict=True) if found is not None]
    if not kept:
        raise DataError(f"data.exclude leaves no recording of {root / table}.")
    places = [
        replace(place, exclusions=tuple(found))
        for place, (_, found) in zip(
            find_places([row for row, _ in kept], root / table, root), kept, strict=True
        )
    ]
    _check_way(places, events, root / table)
    if all(place.trials is not None for place in places):
        listed = [place.trials for place in places if place.trials is not None]
        check_trial_types(listed, trial_types, root)
    options = Options(
        events=events,
        stim_channel=stim_channel,
        trial_types=None if trial_types is None else tuple(sorted(map(str, trial_types))),
        trials=trials,
        length=None if length is None else float(length),
        tmin=float(tmin),
        tmax=None if tmax is None else float(tmax),
        own=_free_columns(places),
        renamed=_spell_stimuli(places),
    )
    return [
        FilesRecording.of(
            sorted(
                (place for place in places if place.row.subject == subject),
                key=lambda place: (natural_key(place.row.session), natural_key(place.row.run)),
            ),
            options,
            root / table,
            root,
        )
        for subject in sorted({row.subject for row, _ in kept})
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
    return read_rows(file)


def _check_way(places: Sequence[Place], events: str, table: Path) -> None:
    lacking = [place.row for place in places if place.way in ("auto", "none")]
    if events == "table" and lacking:
        raise DataError(
            f"{table}, line {lacking[0].line}: events is {lacking[0].events or 'empty'}, and "
            "data.events is table; expected the path of a table of trials."
        )


def _free_columns(places: Sequence[Place]) -> tuple[str, ...]:
    """Return the further columns that keep their names, since no table of trials has them."""
    tables = [place.trials for place in places if place.trials is not None]
    taken = {str(name).lower() for table in tables for name in table.columns}
    names = dict.fromkeys(name for place in places for name in place.row.further)
    return tuple(name for name in names if name.lower() not in taken)


def _spell_stimuli(places: Sequence[Place]) -> tuple[tuple[str, str], ...]:
    """Return stimuli that differ only in case or blanks, with the most frequent of each.

    Otherwise one film would count as two, and be in training and in the test of unseen stimuli.
    """
    counts = Counter(place.row.stimulus for place in places)
    for place in places:
        table = pd.DataFrame() if place.trials is None else place.trials
        for name in table.columns:
            if str(name).lower() in ("stimulus", "stim_file"):
                counts.update(table[name])
    renamed = []
    for group in find_near_misses(counts):
        usual = max(group, key=lambda name: counts[name])
        renamed += [(name, usual) for name in group if name != usual]
    return tuple(renamed)
