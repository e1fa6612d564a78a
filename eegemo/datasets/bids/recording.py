"""Recordings of a BIDS subject: runs, and the function that epochs each."""

import math
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
from eegemo.errors import DataError
from eegemo.formats.files import check_inside

__all__ = [
    "BidsRecording",
]


# Fraction of a sample by which a trial may be longer than asked for.
_SLACK = 0.05


_MAX_EEG = 1.0  # volts


# Parts of MNE-BIDS's warnings about files that this reader does not use.
_IRRELEVANT_WARNINGS = ("participants.tsv", "participants.json", "scans.tsv", "HED", "acq_time")


@dataclass(frozen=True)
class _MakeEpochs:
    """Epochs a run, at any sampling rate."""

    trials: pd.DataFrame  # columns of the metadata, and onset in seconds from the first sample
    tmin: float
    tmax: float

    def __call__(self, raw: mne.io.BaseRaw) -> mne.Epochs:
        """Return the trials of the run.

        Parameters
        ----------
        raw : mne.io.BaseRaw
            The run's signals, preprocessed, from the same first moment on.

        Returns
        -------
        mne.Epochs
            One per trial, loaded, from `tmin` to just before `tmax`.

        Raises
        ------
        DataError
            If a trial has no sample from its onset on.
        """
        sfreq = float(raw.info["sfreq"])
        # Whole samples inside the interval, so that a trial is never longer than it should be and
        # neighbours stay apart. A rate that is rounded in its file (511.9987 Hz) costs no sample.
        start = math.ceil(self.tmin * sfreq - _SLACK)
        stop = math.floor(self.tmax * sfreq + _SLACK)
        length = stop - max(start, 0)  # samples that no other trial may have
        if length < 1:
            raise DataError(
                f"A trial from tmin={self.tmin:g} to tmax={self.tmax:g} s has no sample after its "
                f"onset at {sfreq:g} Hz."
            )
        onsets = np.round(self.trials["onset"].to_numpy() * sfreq).astype(int)
        # Which trials fit, and that none overlap, was decided in seconds (`leave_out`,
        # `check_overlap`). Rounding may push one over an edge or a neighbour by a sample; it is
        # moved back.
        packed = length * np.arange(len(onsets))
        onsets = np.maximum.accumulate(np.maximum(onsets, -start) - packed) + packed
        onsets = np.minimum(onsets, len(raw.times) - stop - packed[::-1])
        codes = np.ones_like(onsets)
        return mne.Epochs(
            raw,
            np.column_stack([onsets + raw.first_samp, np.zeros_like(onsets), codes]),
            event_id={"trial": 1},
            tmin=start / sfreq,
            tmax=(stop - 1) / sfreq,
            baseline=None,
            picks="all",
            preload=True,
            reject_by_annotation=False,  # bad segments are handled in `leave_out`, and reported
            metadata=self.trials.drop(columns="onset").reset_index(drop=True),
            verbose="ERROR",
        )


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
                yield Run(raw, _MakeEpochs(kept, self.tmin, self.tmax), tuple(notes))
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
