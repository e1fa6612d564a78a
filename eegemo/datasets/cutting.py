"""Cutting the trials of a continuous recording out of its signals, around its breaks."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import mne
import numpy as np
import pandas as pd

from eegemo.datasets.breaks import (
    Break,
    break_samples,
    find_breaks,
    is_break,
    make_break,
    sample_times,
    write_spans,
)
from eegemo.errors import DataError

__all__ = ["CutTrials", "find_bad_spans", "leave_out", "place_trials"]

# Fraction of a sample by which a trial may be longer than asked for.
_SLACK = 0.05
# In seconds: onsets are written with six digits or so.
_ROUNDING = 1e-6
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_MISSING = ("", "n/a", "nan")


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

    Notes
    -----
    Where the run has breaks (`eegemo.datasets.breaks`), the metadata gets a column ``breaks``:
    those inside each trial, in seconds from its onset.
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
        # Which trials fit, and which overlap, was decided in seconds. Rounding may push one over an
        # edge or a neighbour by a sample; it is moved back.
        moments = self.trials["onset"].to_numpy(dtype=float)
        ends = moments + np.asarray(seconds, dtype=float)
        onsets = _keep_apart(
            onsets, stops, start, moments + max(self.tmin, 0.0), ends, len(raw.times)
        )
        about = self.trials.drop(columns=["onset", "duration"], errors="ignore")
        spans = _spans_of_trials(raw, onsets, onsets + start, onsets + stops)
        if any(spans):
            given = about["breaks"] if "breaks" in about else [""] * len(about)
            about = about.assign(
                breaks=[
                    "; ".join(filter(None, (str(old), new)))
                    for old, new in zip(given, spans, strict=True)
                ]
            )
        parts = []
        # MNE wants no two events at one sample in an Epochs
        part = np.cumsum(np.diff(onsets, prepend=onsets[:1] - 1) < 1)
        for (stop, _), group in groupby(
            range(len(onsets)), key=lambda row: (int(stops[row]), int(part[row]))
        ):
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


def _keep_apart(
    onsets: np.ndarray,
    stops: np.ndarray,
    start: int,
    begins: np.ndarray,
    ends: np.ndarray,
    n_times: int,
) -> np.ndarray:
    """Return onsets in samples, such that trials share samples only if they overlap in seconds.

    Parameters
    ----------
    onsets, stops : ndarray of int
        Rounded onset of each trial, and its end from the onset; in the order of onsets.
    start : int
        Where a trial starts, from its onset.
    begins, ends : ndarray of float
        The part of each trial that no other may have, in seconds.
    n_times : int
        Samples of the recording.
    """
    onsets = np.maximum(onsets, -start)
    latest = np.maximum.accumulate(ends)
    apart = np.concatenate([[True], begins[1:] > latest[:-1] - 2 * _ROUNDING])
    first = max(start, 0)
    floor, reached = -first, -first
    for trial in range(len(onsets)):
        if apart[trial]:  # all trials before have ended
            floor = reached
        onsets[trial] = max(onsets[trial], floor - first)
        reached = max(reached, onsets[trial] + stops[trial])
    ceiling = limit = n_times
    for trial in range(len(onsets) - 1, -1, -1):
        onsets[trial] = min(onsets[trial], ceiling - stops[trial])
        limit = min(limit, onsets[trial] + first)
        if apart[trial]:  # all trials after begin later
            ceiling = limit
    return onsets


def _spans_of_trials(
    raw: mne.io.BaseRaw, onsets: np.ndarray, starts: np.ndarray, stops: np.ndarray
) -> list[str]:
    """Return the breaks inside each trial as text; arguments are samples."""
    sfreq, breaks = float(raw.info["sfreq"]), find_breaks(raw)
    if not breaks:
        return [""] * len(onsets)
    samples = np.array([break_samples(found.start, found.end, sfreq) for found in breaks])
    texts = []
    for onset, start, stop in zip(onsets / sfreq, starts, stops, strict=True):
        inside = np.flatnonzero((samples[:, 0] < stop) & (samples[:, 1] > start))
        spans = [(breaks[k].start - onset, breaks[k].end - onset) for k in inside]
        texts.append(write_spans((round(begin, 9), round(end, 9)) for begin, end in spans))
    return texts


def place_trials(
    trials: pd.DataFrame, raw: mne.io.BaseRaw, tmin: float, tmax: float | None
) -> tuple[pd.DataFrame, list[str]]:
    """Find where the trials of a table lie in the signals.

    Onsets in a table are times since the start of the recording. Where it has gaps in which nothing
    was recorded, signals after a gap are nearer to the start than that.

    Parameters
    ----------
    trials : DataFrame
        A row per trial, with ``trial``, ``onset`` and, if `tmax` is None, ``duration``.
    raw : mne.io.BaseRaw
        With its breaks as annotations.
    tmin, tmax : float or None
        As in `CutTrials`.

    Returns
    -------
    placed : DataFrame
        The trials that can be cut by ``CutTrials(placed, tmin, None)``: ``onset`` and ``duration``
        count recorded signal only.
    notes : list of str
        On the trials left out: outside the recording, in a gap, without a part that is not bad.
    """
    onsets = trials["onset"].to_numpy(dtype=float)
    lengths = (
        trials["duration"].to_numpy(dtype=float) if tmax is None else np.full(len(trials), tmax)
    )
    begins, lost = sample_times(raw, onsets)
    ends, _ = sample_times(raw, onsets + lengths)
    shortened = np.abs(ends - begins - lengths) > _ROUNDING
    placed = trials.assign(onset=begins, duration=np.where(shortened, ends - begins, lengths))
    notes = _say_left_out(trials, lost, "their onset lies in a gap of the recording")
    gone = ~lost & (placed["duration"].to_numpy() <= max(tmin, 0.0))
    notes += _say_left_out(trials, gone, "nothing of them was recorded")
    placed = placed[~(lost | gone)]
    end = len(raw.times) / float(raw.info["sfreq"])
    kept, more = leave_out(placed, tmin, None, end, find_breaks(raw))
    return kept.assign(duration=placed.loc[kept.index, "duration"]), notes + more


def find_bad_spans(
    table: pd.DataFrame, file: Path, trial_types: Sequence[str] | None = None
) -> tuple[Break, ...]:
    """Return the breaks that the events of a table mark.

    Parameters
    ----------
    table : DataFrame
        Text, with ``onset`` and ``trial_type``, and ``duration`` if there is one.
    file : pathlib.Path
        For messages.
    trial_types : sequence of str, optional
        Events that are trials, whatever they are called.

    Raises
    ------
    DataError
        If a break has no onset, or a time is not a number.
    """
    if "trial_type" not in table:
        return ()
    breaks = []
    for row, name in zip(table.index, table["trial_type"], strict=True):
        if not is_break(name) or name in (trial_types or ()):
            continue
        onset = _number(table, row, "onset", file)
        if math.isnan(onset):
            raise DataError(f"{file}, line {row}: a segment marked as bad has no onset.")
        duration = _number(table, row, "duration", file) if "duration" in table else math.nan
        broken = make_break(name, onset, duration, math.inf)  # a moment has no length yet
        breaks.append(broken)
    return tuple(breaks)


def _number(table: pd.DataFrame, row: int, column: str, file: Path) -> float:
    word = str(table.loc[row, column]).strip()
    if word.lower() in _MISSING:
        return math.nan
    number = float(word) if _NUMBER.fullmatch(word) else math.inf
    if abs(number) > 1e9:
        raise DataError(f"{file}, line {row}: {column} is {word[:60]!r}; expected seconds.")
    if column == "duration" and number < 0:
        raise DataError(f"{file}, line {row}: the duration {word} is negative.")
    return number


def leave_out(
    trials: pd.DataFrame,
    tmin: float,
    tmax: float | None,
    end: float,
    bad: Sequence[tuple[float, float] | Break],
) -> tuple[pd.DataFrame, list[str]]:
    """Return the trials that lie inside a recording and are not bad as a whole, and notes.

    Parameters
    ----------
    trials : DataFrame
        A row per trial, with ``trial``, ``onset`` and, if `tmax` is None, ``duration``.
    tmin, tmax : float or None
        As in `CutTrials`.
    end : float
        Length of the recording in seconds.
    bad : sequence of Break
        A trial without a moment outside these is left out; others are kept, without the windows
        that meet them.
    """
    start = trials["onset"] + tmin
    stop = trials["onset"] + (trials["duration"] if tmax is None else tmax)
    outside = ((start < -_ROUNDING) | (stop > end + _ROUNDING)).to_numpy(dtype=bool)
    first = (trials["onset"] + max(tmin, 0.0)).to_numpy(dtype=float)
    in_bad = np.array(
        [_covered(begin, last, bad) for begin, last in zip(first, stop, strict=True)], dtype=bool
    )
    notes = _say_left_out(trials, outside, "outside the recording")
    notes += _say_left_out(trials, in_bad & ~outside, "marked bad")
    return trials[~(outside | in_bad)].drop(columns="duration", errors="ignore"), notes


def _covered(start: float, stop: float, spans: Sequence[tuple[float, ...] | Break]) -> bool:
    """Return whether spans leave nothing of an interval."""
    for span in sorted(spans):
        if span[0] <= start + _ROUNDING:
            start = max(start, span[1])
    return start >= stop - _ROUNDING


def _say_left_out(trials: pd.DataFrame, which: np.ndarray, reason: str) -> list[str]:
    number = int(which.sum())
    if not number:
        return []
    names = ", ".join(str(name) for name in trials.loc[which, "trial"])
    return [f"{number} trial{'s' * (number > 1)} left out, {reason}: {names}"]
