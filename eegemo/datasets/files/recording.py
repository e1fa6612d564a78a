"""Recordings of a person: runs, their trials, and the function that cuts each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import mne
import pandas as pd

from eegemo.datasets.base import Outline, Recording, Run
from eegemo.datasets.continuous import load_signals, read_continuous, select_channels
from eegemo.datasets.cutting import CutTrials
from eegemo.datasets.files.events import Found, find_trials
from eegemo.datasets.files.options import Options
from eegemo.datasets.files.places import Place
from eegemo.datasets.files.stimulus import name_types
from eegemo.datasets.fixed import Numbering
from eegemo.errors import DataError

__all__ = ["FilesRecording", "open_raw"]


@dataclass(frozen=True, eq=False, kw_only=True)
class FilesRecording(Recording):
    """All recordings of a person, in the order of their sessions and runs.

    Attributes
    ----------
    places : tuple of Place
    chosen : Options
    table : pathlib.Path
        The table of the recordings, for messages.
    root : pathlib.Path
    """

    places: tuple[Place, ...]
    chosen: Options
    table: Path
    root: Path

    @classmethod
    def of(
        cls, places: Sequence[Place], chosen: Options, table: Path, root: Path
    ) -> FilesRecording:
        """Return the recording of a person from the files of the rows of the table."""
        files = {file for place in places for file in place.parts}
        files |= {place.events for place in places if place.events is not None}
        settings = {
            key: [list(item) if isinstance(item, tuple) else item for item in value]
            if isinstance(value, tuple)
            else value
            for key, value in asdict(chosen).items()
        }
        rows = [asdict(place.row) for place in places]
        for row, place in zip(rows, places, strict=True):
            del row["line"]
            row["exclude"] = sorted(exclusion.text for exclusion in place.exclusions)
        return cls(
            subject=places[0].row.subject,
            files=tuple(sorted(files)),
            reader="files-1",
            options={"rows": rows, **settings},
            places=tuple(places),
            chosen=chosen,
            table=table,
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
        numbering = Numbering()
        for place in self.places:
            raw, found = self._look(place, numbering)
            notes += found.notes
            if not found.trials.empty:
                notes += self._load(place, raw, eeg_only=eeg_only)
                yield Run(raw, CutTrials(found.trials, found.tmin, None), tuple(notes))
                n_runs, notes = n_runs + 1, []  # else the notes go with the next run
            del raw  # before the next one is read
        self._check_excluded(numbering)
        if not n_runs:
            raise DataError(f"No trial of subject {self.subject} can be cut: {'; '.join(notes)}.")

    def outline(self, *, full: bool = False) -> Outline:
        """Outline the recordings from their headers and events, or from all signals if `full`."""
        tables, seconds, sfreq, names = [], [], 0.0, ()
        numbering = Numbering()
        notes: list[str] = []
        for place in self.places:
            raw, found = self._look(place, numbering)
            notes += found.notes
            if full:
                self._load(place, raw, eeg_only=False)
            if found.trials.empty:
                continue
            sfreq = float(raw.info["sfreq"])
            kinds = zip(raw.ch_names, raw.get_channel_types(), strict=True)
            names = tuple(name for name, kind in kinds if kind == "eeg")
            tables.append(found.trials.drop(columns=["onset", "duration"]))
            seconds += [float(end) - max(found.tmin, 0.0) for end in found.trials["duration"]]
        self._check_excluded(numbering)
        if not tables:
            raise DataError(f"No trial of subject {self.subject} can be cut: {'; '.join(notes)}.")
        return Outline(pd.concat(tables, ignore_index=True), tuple(seconds), sfreq, names)

    def least_bytes(self, steps: Mapping[str, Any]) -> int:
        """Return a lower bound of the size of the stored trials (see `Recording.least_bytes`)."""
        # only reading tells how much of a recording the events of interest cover
        whole = self.chosen.trials == "fixed" and self.chosen.trial_types is None
        return super().least_bytes(steps) // 2 if whole else 0

    def _check_excluded(self, numbering: Numbering) -> None:
        numbering.check(found for place in self.places for found in place.exclusions)

    @contextmanager
    def _named(self, place: Place) -> Iterator[None]:
        """Name the row of the table in a message."""
        try:
            yield
        except DataError as error:
            raise DataError(f"{self.table}, line {place.row.line}: {error}") from error

    def _load(self, place: Place, raw: mne.io.BaseRaw, *, eeg_only: bool) -> list[str]:
        """Read the signals of a recording, and return notes on them."""
        with self._named(place):
            select_channels(raw, {}, place.path, eeg_only=eeg_only)
            return [f"{place.row.name}: {note}" for note in load_signals(raw, place.path)]

    def _look(self, place: Place, numbering: Numbering) -> tuple[mne.io.BaseRaw, Found]:
        """Open a recording and find its trials."""
        with self._named(place):
            raw, told = open_raw(place, self.root)
            found = find_trials(raw, place, self.chosen, numbering)
        notes = [f"{place.row.name}: {note}" for note in (*told, *found.notes)]
        return raw, replace(found, notes=tuple(notes))


def open_raw(place: Place, root: Path) -> tuple[mne.io.BaseRaw, list[str]]:
    """Open a recording without reading its signals.

    Parameters
    ----------
    place : Place
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
        raw, notes = read_continuous(place.path, root=root, load=False, marks=True)
    except DataError as error:
        raise DataError(str(error).replace(" as a continuous recording", "")) from error
    known = {part.resolve() for part in place.parts}
    for file in filter(None, raw.filenames):
        if not place.path.is_dir() and Path(file).resolve() not in known:
            raise DataError(
                f"{place.path} reads {file}, which is not part of it by its name. Give both one."
            )
    types = name_types(raw.ch_names, raw.get_channel_types())
    if types:
        select_channels(raw, types, place.path, eeg_only=False)
        notes.append(f"not taken for EEG, by their names: {', '.join(types)}")
    if raw.info["bads"]:
        notes.append(
            f"marked bad: {', '.join(raw.info['bads'])} (not part of an average reference unless "
            "replaced, so it may differ from that of other runs)"
        )
    return raw, notes
