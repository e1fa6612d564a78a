"""Recordings of a BIDS subject: runs, and the function that epochs each."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mne
import pandas as pd

from eegemo.datasets.base import Outline, Recording, Run
from eegemo.datasets.bids.bundles import Bundled
from eegemo.datasets.bids.channels import (
    ChannelTable,
    apply_channels,
    apply_line_freq,
    apply_positions,
    match_names,
    read_channels,
)
from eegemo.datasets.bids.files import find_sidecar, list_files, list_tables_around
from eegemo.datasets.bids.paths import RunPath
from eegemo.datasets.bids.sidecars import check_header, check_sampling, check_sidecars
from eegemo.datasets.bids.times import explain_onsets, is_other_unit
from eegemo.datasets.breaks import Break, find_breaks, place_breaks
from eegemo.datasets.continuous import load_signals, read_continuous, select_channels
from eegemo.datasets.cutting import CutTrials, leave_out, place_trials
from eegemo.datasets.edf import read_edf_header
from eegemo.datasets.exclude import Exclusion
from eegemo.datasets.fixed import Numbering, cut_run
from eegemo.errors import DataError

__all__ = [
    "BidsRecording",
]


@dataclass(frozen=True, eq=False, kw_only=True)
class BidsRecording(Recording):
    """All runs of a subject, in the order of their sessions and runs.

    Attributes
    ----------
    left_out : tuple of dict of str to int
        Per run: rows of its events that are no trial, by reason.
    bundled : tuple of Bundled
        Per run.
    told : tuple of (str, str)
        What the user should know about the files: what, and where.
    """

    paths: tuple[RunPath, ...]
    events: tuple[pd.DataFrame, ...]  # per run: the rows of its trials, see `read_events`
    bad_spans: tuple[tuple[Break, ...], ...]  # per run: breaks that its events mark
    root: Path
    tmin: float
    tmax: float | None
    left_out: tuple[Mapping[str, int], ...] = ()
    bundled: tuple[Bundled, ...] = ()
    told: tuple[tuple[str, str], ...] = ()
    length: float | None = None  # of pieces, in seconds; the events are cut into them
    bundle_pieces: bool = False  # whether the pieces of an event are bundled
    exclusions: tuple[tuple[Exclusion, ...], ...] = ()  # per run: of pieces

    def read(self, *, eeg_only: bool = False) -> Iterator[Run]:
        """Yield each run as a Raw in volts, with its `make_epochs` (see `Recording.read`).

        Raises
        ------
        DataError
            If a run cannot be read; the message has the reason.
        """
        notes: list[str] = []
        n_runs = 0
        numbering = Numbering()
        for number, (path, events, marks) in enumerate(
            zip(self.paths, self.events, self.bad_spans, strict=True)
        ):
            if events.empty:
                continue
            raw, said = read_run(path, self.root, eeg_only=eeg_only)
            data_file = path.fpath.name
            if raw.info["bads"]:
                said.append(
                    f"marked bad: {', '.join(raw.info['bads'])} (not part of an average reference "
                    "unless replaced, so it may differ from that of other runs)"
                )
            place_breaks(raw, marks)
            if self.length is None:
                kept, left_out = place_trials(events, raw, self.tmin, self.tmax)
            else:
                kept, left_out = self._cut_pieces(number, raw, numbering)
            said += self._check_onsets(path, events, raw)
            notes += [f"{data_file}: {note}" for note in [*said, *left_out]]
            if not kept.empty:
                tmin = self.tmin if self.length is None else 0.0
                yield Run(raw, CutTrials(kept, tmin, None), tuple(notes))
                n_runs, notes = n_runs + 1, []  # else the notes go with the next run
            del raw  # before the next run is read
        if self.length is not None:
            numbering.check(found for group in self.exclusions for found in group)
        if not n_runs:
            raise DataError(f"No trial of subject {self.subject} can be cut: {'; '.join(notes)}.")

    def least_bytes(self, steps: Mapping[str, Any]) -> int:
        """Return a lower bound of the size of the stored trials (see `Recording.least_bytes`)."""
        # only reading tells how much of a recording the events of interest cover
        spans = [events["duration"] for events in self.events]
        whole = self.length is not None and all((span == math.inf).all() for span in spans)
        return super().least_bytes(steps) // 2 if whole else 0

    def _cut_pieces(
        self, number: int, raw: mne.io.BaseRaw, numbering: Numbering
    ) -> tuple[pd.DataFrame, list[str]]:
        """Cut the events of a run into pieces of one length."""
        assert self.length is not None
        path, spans = self.paths[number], self.events[number]
        end = len(raw.times) / float(raw.info["sfreq"])
        whole = spans["duration"] == math.inf
        with_gaps = not whole.any()
        if self.tmax is not None:
            spans = spans.assign(duration=self.tmax)
        elif whole.any():
            spans = spans.assign(duration=end)
        spans, notes = cut_run(
            spans,
            raw,
            self.length,
            tmin=self.tmin,
            bundled=self.bundle_pieces,
            with_gaps=with_gaps,
        )
        pieces = numbering.number(spans, path.session)
        pieces, told = numbering.leave_out(pieces, self.exclusions[number])
        kept, more = leave_out(pieces, 0.0, None, end, find_breaks(raw))
        return kept.assign(duration=self.length), [*notes, *told, *more]

    def outline_pieces(self) -> Outline:
        """Outline a recording that is cut into pieces, from the headers of its runs."""
        tables, sfreq, names, numbering = [], 0.0, (), Numbering()
        for number, (path, marks) in enumerate(zip(self.paths, self.bad_spans, strict=True)):
            raw, _ = read_run(path, self.root, load=False)
            place_breaks(raw, marks)
            sfreq = float(raw.info["sfreq"])
            kinds = zip(raw.ch_names, raw.get_channel_types(), strict=True)
            names = tuple(name for name, kind in kinds if kind == "eeg")
            tables.append(self._cut_pieces(number, raw, numbering)[0])
        pieces = pd.concat(tables, ignore_index=True)
        if pieces.empty:
            raise DataError(
                f"No trial of subject {self.subject} can be cut: no recording has a piece of "
                f"{self.length:g} s."
            )
        about = pieces.drop(columns=["onset", "duration"])
        return Outline(about, (float(self.length or 0),) * len(pieces), sfreq, names)

    def _check_onsets(self, path: RunPath, events: pd.DataFrame, raw: mne.io.BaseRaw) -> list[str]:
        """Return a note on onsets beyond the recording; refuse those in another unit."""
        sfreq = float(raw.info["sfreq"])
        times = events["onset"].tolist(), events["duration"].tolist(), len(raw.times) / sfreq, sfreq
        words = explain_onsets(*times)
        if words and is_other_unit(*times):
            way_out = "correct onset and duration"
            if words.endswith("milliseconds"):
                way_out += ", or write data: {times: milliseconds}"
            raise DataError(
                f"{path.fpath}: most trials of its events.tsv begin after its end: {words}. BIDS "
                f"has seconds: {way_out}."
            )
        return [words] if words else []


def read_run(
    path: RunPath, root: Path, *, eeg_only: bool = False, load: bool = True
) -> tuple[mne.io.BaseRaw, list[str]]:
    """Read the signals of a run, with what its sidecars say about them.

    Parameters
    ----------
    path : RunPath
    root : pathlib.Path
        The data set, which no file of the run may lie outside of.
    eeg_only : bool
        Keep channels of type EEG only.
    load : bool
        Load the signals and check them.

    Returns
    -------
    raw : mne.io.BaseRaw
    notes : list of str
        Without the name of the file.

    Raises
    ------
    DataError
        If the file or a sidecar cannot be read, or they contradict each other.
    """
    file = path.fpath
    sidecars = list_files(path, root)
    check_sidecars([*sidecars, *list_tables_around(path, root)])
    check_header(file)
    channels = find_sidecar(path, root, "channels", ".tsv")
    table = read_channels(channels) if channels is not None else ChannelTable(file)
    types: dict[str, str] = {}
    units: dict[str, str] = {}
    if file.suffix.lower() in (".edf", ".bdf"):  # what is read depends on the types
        found = match_names(table, read_edf_header(file).names, file)
        types, units = _by_name(table.types, found), _by_name(table.units, found)
    raw, notes = read_continuous(
        file, eeg_only=eeg_only and bool(types), types=types, units=units, root=root, load=False
    )
    if not types:
        found = match_names(table, raw.ch_names, file)
        types = _by_name(table.types, found)
    select_channels(raw, types, file, eeg_only=eeg_only)
    notes += apply_channels(raw, table, found)
    sfreq = float(raw.info["sfreq"])
    for note in check_sampling(file, sfreq, len(raw.times) / sfreq, sidecars):
        notes.append(note.removeprefix(f"{file.name}: "))
    electrodes = find_sidecar(path, root, "electrodes", ".tsv")
    if electrodes is not None:
        notes += apply_positions(raw, electrodes, find_sidecar(path, root, "coordsystem", ".json"))
    sidecar = find_sidecar(path, root, "eeg", ".json")
    if sidecar is not None:
        apply_line_freq(raw, sidecar)
    if load:
        notes += load_signals(raw, file)
    return raw, notes


def _by_name(values: Any, found: dict[str, str]) -> dict[str, str]:
    """Return what the table says by the names of the file."""
    return {name: values[listed] for name, listed in found.items() if listed in values}
