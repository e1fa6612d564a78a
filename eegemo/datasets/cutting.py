"""Cutting the trials of a continuous recording out of its signals."""

import math
from dataclasses import dataclass
from itertools import groupby

import mne
import numpy as np
import pandas as pd

from eegemo.errors import DataError

__all__ = ["CutTrials"]

# Fraction of a sample by which a trial may be longer than asked for.
_SLACK = 0.05


@dataclass(frozen=True)
class CutTrials:
    """Cuts trials out of a run, at any sampling rate.

    Attributes
    ----------
    trials : DataFrame
        A row per trial, in the order of their onsets: the columns of the metadata, and ``onset``,
        in seconds from the first sample. With `tmax` None also ``duration``, in seconds from the
        onset.
    tmin : float
        Start of a trial, in seconds from its onset.
    tmax : float or None
        End of every trial in seconds from its onset, exclusive; None for each to its own duration.
    """

    trials: pd.DataFrame
    tmin: float
    tmax: float | None

    def __call__(self, raw: mne.io.BaseRaw) -> mne.BaseEpochs | list[mne.BaseEpochs]:
        """Return the trials of the run; consecutive ones of the same length together.

        Parameters
        ----------
        raw : mne.io.BaseRaw
            The run's signals, preprocessed, from the same first moment on.

        Returns
        -------
        mne.Epochs or list of mne.Epochs
            Loaded, from `tmin` to just before the end of the trial; several where lengths differ.

        Raises
        ------
        DataError
            If a trial has no sample from its onset on.
        """
        sfreq = float(raw.info["sfreq"])
        # Whole samples inside the interval, so that a trial is never longer than it should be and
        # neighbours stay apart. A rate that is rounded in its file (511.9987 Hz) costs no sample.
        start = math.ceil(self.tmin * sfreq - _SLACK)
        seconds = self.trials["duration"] if self.tmax is None else [self.tmax] * len(self.trials)
        stops = np.floor(np.asarray(seconds, dtype=float) * sfreq + _SLACK).astype(int)
        lengths = stops - max(start, 0)  # samples that no other trial may have
        if lengths.min(initial=1) < 1:
            end = float(np.asarray(seconds, dtype=float)[int(lengths.argmin())])
            raise DataError(
                f"A trial from tmin={self.tmin:g} to tmax={end:g} s has no sample after its "
                f"onset at {sfreq:g} Hz."
            )
        onsets = np.round(self.trials["onset"].to_numpy() * sfreq).astype(int)
        # Which trials fit, and that none overlap, was decided in seconds. Rounding may push one
        # over an edge or a neighbour by a sample; it is moved back.
        packed = np.cumsum(lengths) - lengths
        onsets = np.maximum.accumulate(np.maximum(onsets, -start) - packed) + packed
        room = np.cumsum(lengths[::-1])[::-1] - lengths  # samples of the trials after each
        onsets = np.minimum(onsets, len(raw.times) - stops - room)
        about = self.trials.drop(columns=["onset", "duration"], errors="ignore")
        parts = []
        for stop, group in groupby(range(len(onsets)), key=lambda row: int(stops[row])):
            rows = list(group)
            events = np.column_stack(
                [onsets[rows] + raw.first_samp, np.zeros_like(rows), np.ones_like(rows)]
            )
            parts.append(
                mne.Epochs(
                    raw,
                    events,
                    event_id={"trial": 1},
                    tmin=start / sfreq,
                    tmax=(stop - 1) / sfreq,
                    baseline=None,
                    picks="all",
                    preload=True,
                    reject_by_annotation=False,  # which trials are used was decided before
                    metadata=about.iloc[rows].reset_index(drop=True),
                    verbose="ERROR",
                )
            )
        return parts[0] if len(parts) == 1 else parts
