"""Recordings of a person: runs, their trials, and the function that cuts each."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import mne
import pandas as pd

from eegemo.datasets.base import Outline, Recording, Run
from eegemo.datasets.continuous import load_signals, read_continuous, select_channels
from eegemo.datasets.cutting import CutTrials
from eegemo.datasets.files.events import Found, Options, find_trials
from eegemo.datasets.files.stimulus import name_types
from eegemo.datasets.files.table import Row
from eegemo.errors import DataError

__all__ = ["FilesRecording", "Options", "open_raw"]


@dataclass(frozen=True, eq=False, kw_only=True)
class FilesRecording(Recording):
    """All recordings of a person, in the order of their sessions and runs.

    Attributes
    ----------
    rows : tuple of Row
    tables : dict of int to DataFrame
        The tables of trials, by the line of their row.
    chosen : Options
    root : pathlib.Path
    """

    rows: tuple[Row, ...]
    tables: Mapping[int, pd.DataFrame]
    chosen: Options
    root: Path

    @classmethod
    def of(
        cls,
        rows: Sequence[Row],
        tables: Mapping[int, pd.DataFrame | None],
        chosen: Options,
        root: Path,
    ) -> FilesRecording:
        """Return the recording of a person from the rows of the table."""
        own = {row.line: tables[row.line] for row in rows}
        files = {file for row in rows for file in row.parts}
        files |= {row.events for row in rows if isinstance(row.events, Path)}
        cells = [
            {
                "path": row.name,
                "session": row.session,
                "run": row.run,
                "label": row.label,
                "events": os.path.relpath(row.events, root)
                if isinstance(row.events, Path)
                else row.events,
                "stimulus": row.stimulus,
                "further": dict(row.further),
            }
            for row in rows
        ]
        settings = {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in asdict(chosen).items()
        }
        return cls(
            subject=rows[0].subject,
            files=tuple(sorted(files)),
            reader="files-1",
            options={"rows": cells, **settings},
            rows=tuple(rows),
            tables={line: table for line, table in own.items() if table is not None},
            chosen=chosen,
            root=root,
        )

    def read(self, *, eeg_only: bool = False) -> Iterator[Run]:
        """Yield each recording as a Raw in volts, with its `make_epochs` (see `Recording.read`).

        Raises
        ------
        DataError
            If a recording cannot be read, or no trial of the person can be cut.
        """
        notes: list[str] = []
        n_runs = 0
        counts: dict[str, int] = {}
        for row in self.rows:
            raw, found = self._look(row, counts)
            notes += found.notes
            if not found.trials.empty:
                select_channels(raw, {}, row.path, eeg_only=eeg_only)
                notes += [f"{row.name}: {note}" for note in load_signals(raw, row.path)]
                yield Run(raw, CutTrials(found.trials, found.tmin, None), tuple(notes))
                n_runs, notes = n_runs + 1, []  # else the notes go with the next run
            del raw  # before the next one is read
        if not n_runs:
            raise DataError(f"No trial of subject {self.subject} can be cut: {'; '.join(notes)}.")

    def outline(self, *, full: bool = False) -> Outline:
        """Outline the recordings from their headers and events, or from all signals if `full`."""
        tables, seconds, sfreq, names = [], [], 0.0, ()
        counts: dict[str, int] = {}
        notes: list[str] = []
        for row in self.rows:
            raw, found = self._look(row, counts)
            notes += found.notes
            if full:
                load_signals(raw, row.path)
            if found.trials.empty:
                continue
            sfreq = float(raw.info["sfreq"])
            kinds = zip(raw.ch_names, raw.get_channel_types(), strict=True)
            names = tuple(name for name, kind in kinds if kind == "eeg")
            tables.append(found.trials.drop(columns=["onset", "duration"]))
            seconds += [float(end) - max(found.tmin, 0.0) for end in found.trials["duration"]]
        if not tables:
            raise DataError(f"No trial of subject {self.subject} can be cut: {'; '.join(notes)}.")
        return Outline(pd.concat(tables, ignore_index=True), tuple(seconds), sfreq, names)

    def least_bytes(self, steps: Mapping[str, Any]) -> int:
        """Return a lower bound of the size of the stored trials (see `Recording.least_bytes`)."""
        # only reading tells how much of a recording the events of interest cover
        whole = self.chosen.trials == "fixed" and self.chosen.trial_types is None
        return super().least_bytes(steps) // 2 if whole else 0

    def _look(self, row: Row, counts: dict[str, int]) -> tuple[mne.io.BaseRaw, Found]:
        """Open a recording and number its trials; `counts` goes on with the session's."""
        raw, told = open_raw(row, self.root)
        found = find_trials(raw, row, self.tables.get(row.line), self.chosen, counts)
        notes = [f"{row.name}: {note}" for note in (*told, *found.notes)]
        return raw, replace(found, notes=tuple(notes))


def open_raw(row: Row, root: Path) -> tuple[mne.io.BaseRaw, list[str]]:
    """Open a recording without reading its signals.

    Parameters
    ----------
    row : Row
    root : pathlib.Path
        Folder that no file may lead out of.

    Returns
    -------
    raw : mne.io.BaseRaw
        Channels that are no EEG by their names have other types.
    notes : list of str
        What its reader warned of, and the channels whose type was changed; without its name.

    Raises
    ------
    DataError
        If it cannot be read.
    """
    try:
        raw, notes = read_continuous(row.path, root=root, load=False)
    except DataError as error:
        raise DataError(str(error).replace(" as a continuous recording", "")) from error
    known = {part.resolve() for part in row.parts}
    for file in filter(None, raw.filenames):
        if not row.path.is_dir() and Path(file).resolve() not in known:
            raise DataError(
                f"{row.path} reads {file}, which is not known to belong to it. Give them one name."
            )
    types = name_types(raw.ch_names, raw.get_channel_types())
    if types:
        select_channels(raw, types, row.path, eeg_only=False)
        notes.append(f"not taken for EEG, by their names: {', '.join(types)}")
    if raw.info["bads"]:
        notes.append(
            f"marked bad: {', '.join(raw.info['bads'])} (not part of an average reference unless "
            "replaced, so it may differ from that of other runs)"
        )
    return raw, notes
