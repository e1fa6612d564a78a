"""Recordings of a BIDS subject: runs, and the function that epochs each."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mne
import mne_bids
import numpy as np
import pandas as pd

from eegemo.datasets.base import Recording, Run
from eegemo.datasets.bids.events import leave_out
from eegemo.datasets.bids.files import list_files, list_tables_around
from eegemo.datasets.bids.sidecars import check_header, check_sampling, check_sidecars
from eegemo.datasets.cutting import CutTrials
from eegemo.errors import DataError
from eegemo.formats.files import check_inside

__all__ = [
    "BidsRecording",
]


_MAX_EEG = 1.0  # volts


# Parts of MNE-BIDS's warnings about files that this reader does not use.
_IRRELEVANT_WARNINGS = ("participants.tsv", "participants.json", "scans.tsv", "HED", "acq_time")


@dataclass(frozen=True, eq=False, kw_only=True)
class BidsRecording(Recording):
    """All runs of a subject, in the order of their sessions and runs."""

    paths: tuple[mne_bids.BIDSPath, ...]
    events: tuple[pd.DataFrame, ...]  # per run: the rows of its trials, see `read_events`
    bad_spans: tuple[tuple[tuple[float, float], ...], ...]
    root: Path
    tmin: float
    tmax: float

    def read(self, *, eeg_only: bool = False) -> Iterator[Run]:
        """Yield each run as a Raw in volts, with its `make_epochs` (see `Recording.read`).

        Raises
        ------
        DataError
            If MNE-BIDS cannot read a run; the message has the reason.
        """
        notes: list[str] = []
        n_runs = 0
        for path, events, bad in zip(self.paths, self.events, self.bad_spans, strict=True):
            if events.empty:
                continue
            raw, warned = _read_raw(path, self.root, eeg_only=eeg_only)
            notes += warned
            data_file = Path(path.fpath).name
            if raw.info["bads"]:
                notes.append(
                    f"{data_file}: marked bad: {', '.join(raw.info['bads'])} (not part of an "
                    "average reference unless replaced, so it may differ from that of other runs)"
                )
            for name, kind in zip(raw.ch_names, raw.get_channel_types(), strict=True):
                signal = raw.get_data([name])
                if not np.isfinite(signal).all():
                    raise DataError(f"{path.fpath}, channel {name} holds NaN or infinity.")
                peak = max(-signal.min(), signal.max())
                if kind == "eeg" and peak > _MAX_EEG:
                    notes.append(
                        f"{data_file}: channel {name} reaches {peak:g} V, more than any EEG; is "
                        "its unit right, or the file corrupt?"
                    )
            end = len(raw.times) / float(raw.info["sfreq"])
            kept, left_out = leave_out(events, self.tmin, self.tmax, end, bad)
            notes += [f"{data_file}: {reason}" for reason in left_out]
            if not kept.empty:
                yield Run(raw, CutTrials(kept, self.tmin, self.tmax), tuple(notes))
                n_runs, notes = n_runs + 1, []  # else the notes go with the next run
            del raw  # before the next run is read
        if not n_runs:
            raise DataError(f"No trial of subject {self.subject} can be cut: {'; '.join(notes)}.")


def _read_raw(path: Any, root: Path, *, eeg_only: bool) -> tuple[mne.io.BaseRaw, list[str]]:
    """Read a run; return the warnings of MNE-BIDS as notes."""
    sidecars = list_files(path, root)
    check_sidecars([*sidecars, *list_tables_around(path, root)])
    check_header(Path(path.fpath))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            # at a lower level of verbosity MNE would not warn at all
            raw = mne_bids.read_raw_bids(path, verbose="WARNING")
            # some formats name the file with their signals where only their own reader finds it
            for file in filter(None, raw.filenames):
                check_inside(Path(file), root)
            if eeg_only:
                raw.pick("eeg", exclude=(), verbose="ERROR")
            raw.load_data(verbose="ERROR")
        except DataError:
            raise
        except Exception as error:  # readers of five formats and of the sidecars raise many types
            reason = " ".join(str(error).split()) or type(error).__name__
            raise DataError(f"{path.fpath} cannot be read: {reason}") from error
    sfreq = float(raw.info["sfreq"])
    noted = check_sampling(Path(path.fpath), sfreq, len(raw.times) / sfreq, sidecars)
    messages = dict.fromkeys(" ".join(str(warning.message).split()) for warning in caught)
    return raw, noted + [
        f"{Path(path.fpath).name}: {message}"
        for message in messages
        if not any(word in message for word in _IRRELEVANT_WARNINGS)
    ]
