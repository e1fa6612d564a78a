"""Sliding windows over trials, stored as indices so that no signal is copied.

With windows of 256 samples every 16 samples, each sample is in sixteen windows. All of DEAP would
take 19.5 GB as windows; as trials plus two integers per window it takes 1.3 GB::

    trial   |----------------------------------------------|   (n_times, n_channels), float32, volts
    window   [======]                                          first = 0
               [======]                                        first = stride
                 [======]                                      first = 2 * stride ...
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from eegemo.datasets.breaks import parse_spans
from eegemo.errors import DataError
from eegemo.labels import Labels
from eegemo.registry.options import Positive
from eegemo.trials import KEYS, Trials

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Windows", "break_notes", "count_breaks", "make_windows", "short_notes"]

# Fraction of a sample that may be due to rounding of times.
_SLACK = 0.01


@dataclass(frozen=True)
class Windows:
    """Sliding windows over trials, stored as indices; only `gather` copies samples.

    Attributes
    ----------
    trials : Trials
    labels : Labels
        The class of each trial.
    trial : ndarray of int32, shape (n_windows,)
        Trial of each window, a row of ``trials.metadata``.
    first : ndarray of int32, shape (n_windows,)
        First sample of each window, counted from the start of its trial.
    n_times : int
        Samples per window.
    """

    trials: Trials
    labels: Labels
    trial: np.ndarray
    first: np.ndarray
    n_times: int

    def __len__(self) -> int:
        return len(self.trial)

    def __reduce__(self) -> Any:
        # what is cached (the table, moments of trials) is cheaper to make again than to send
        return Windows, (self.trials, self.labels, self.trial, self.first, self.n_times)

    @property
    def n_channels(self) -> int:
        """Number of channels."""
        return len(self.trials.ch_names)

    @cached_property
    def codes(self) -> np.ndarray:
        """Class of each window, an index into ``labels.classes``."""
        codes: np.ndarray = self.labels.codes[self.trial]
        return codes

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per window: subject, session, run, trial, stimulus, bundle, times, code.

        ``start`` and ``stop`` are in seconds. Without runs in the metadata, a session is run "1";
        without bundles, every trial stands alone ("").
        """
        metadata = self.trials.metadata
        keys = metadata[list(KEYS)].copy()
        keys.insert(2, "run", metadata["run"].fillna("1") if "run" in metadata else "1")
        keys["bundle"] = metadata["bundle"].fillna("") if "bundle" in metadata else ""
        # strings once per trial, not per window
        for name in ("subject", "session", "run", "stimulus", "bundle"):
            keys[name] = keys[name].astype(str).astype("category")
        table = keys.iloc[self.trial].reset_index(drop=True)
        table["start"] = self.trials.tmin + self.first / self.trials.sfreq
        table["stop"] = table["start"] + self.n_times / self.trials.sfreq
        table["code"] = self.codes
        return table

    @cached_property
    def unlabelled(self) -> Windows:
        """The same windows without classes, ratings and stimuli, for code that must not see them.

        Every class is 0, every stimulus is unknown, and the folders with the ratings are not known.
        """
        known = (*KEYS, "run", "bundle", "n_times")
        kept = [name for name in self.trials.metadata if name in known]
        metadata = self.trials.metadata[kept].assign(stimulus="")
        trials = replace(self.trials, metadata=metadata, folders=())
        labels = Labels(np.zeros(len(trials), np.int64), self.labels.classes, {})
        return Windows(trials, labels, self.trial, self.first, self.n_times)

    def gather(self, rows: np.ndarray) -> np.ndarray:
        """Copy the signals of windows.

        Parameters
        ----------
        rows : ndarray of int, shape (n,)
            Numbers of windows.

        Returns
        -------
        x : ndarray of float32, shape (n, n_times, n_channels)
            Volts.
        """
        x = np.empty((len(rows), self.n_times, self.n_channels), np.float32)
        flat, n_times = self.trials.flat, self.n_times
        recording, _ = self.trials.position
        trial = self.trial[rows]
        starts = self.trials.begin[trial] + self.first[rows]
        for k, (which, start) in enumerate(
            zip(recording[trial].tolist(), starts.tolist(), strict=True)
        ):
            x[k] = flat[which][start : start + n_times]
        return x


def make_windows(
    trials: Trials, labels: Labels, *, duration: Positive = 2.0, stride: Positive = 1.0
) -> Windows:
    """Split every labelled trial into windows.

    The first window starts at stimulus onset. An incomplete window at the end of a trial is
    dropped, and so are windows that hold a break (`count_breaks`).

    Parameters
    ----------
    trials : Trials
    labels : Labels
        One class per trial, from `eegemo.labels.make_labels` on ``trials.metadata``.
    duration : float
        Length of a window in seconds; a whole number of samples.
    stride : float
        Time from the start of one window to the start of the next, in seconds; a whole number of
        samples. Windows overlap if it is shorter than `duration`.

    Returns
    -------
    windows : Windows

    Raises
    ------
    DataError
        If duration or stride is not a positive whole number of samples, or no trial is long enough.

    Examples
    --------
    >>> import pandas as pd
    >>> trial = {"subject": "s01", "session": "1", "trial": 1, "stimulus": "1"}
    >>> signals = np.zeros((1, 512, 2), np.float32)
    >>> trials = Trials((signals,), pd.DataFrame([trial]), 128.0, ("Fz", "Cz"))
    >>> labels = Labels(np.zeros(1, int), ("low", "high"), {})
    >>> windows = make_windows(trials, labels, duration=2.0, stride=1.0)
    >>> windows.first.tolist(), windows.gather(np.array([0, 2])).shape
    ([0, 128, 256], (2, 256, 2))
    """
    n_times = _samples("duration", duration, trials.sfreq)
    step = _samples("stride", stride, trials.sfreq)
    length = trials.n_times
    usable = labels.codes >= 0
    number = np.where(usable, np.maximum((length - n_times) // step + 1, 0), 0)
    if not number.any():
        longest = length[usable].max(initial=0) / trials.sfreq
        raise DataError(
            f"windows: duration {duration:g} s is longer than every usable trial "
            f"(the longest has {longest:g} s after stimulus onset)."
        )
    trial = np.repeat(np.arange(len(trials), dtype=np.int32), number)
    ends = np.cumsum(number)
    within = np.arange(ends[-1]) - np.repeat(ends - number, number)
    first = (within * step).astype(np.int32)
    whole = np.ones(len(first), bool)
    for row, spans in _spans(trials).items():
        part = slice(ends[row] - number[row], ends[row])
        for start, stop in spans:
            whole[part] &= (first[part] >= stop) | (first[part] + n_times <= start)
    if not whole.any():
        raise DataError(
            f"windows: every window of {duration:g} s holds a break of its recording. Choose a "
            "shorter duration."
        )
    if whole.all():
        return Windows(trials, labels, trial, first, n_times)
    return Windows(trials, labels, trial[whole], first[whole], n_times)


def _spans(trials: Trials) -> dict[int, list[tuple[int, int]]]:
    """Return the breaks of each trial that has some, as samples.

    A window holds one if it begins before the second sample and ends after the first. For a jump
    both are the first sample after it. Where a jump lies between samples, as after resampling, the
    two next to it are both kept out of windows.
    """
    if "breaks" not in trials.metadata:
        return {}
    found = {}
    for row, text in enumerate(trials.metadata["breaks"]):
        spans = [
            tuple((time - trials.tmin) * trials.sfreq for time in span)
            for span in parse_spans(text)
        ]
        if spans:
            found[row] = [
                (math.floor(start + _SLACK), math.ceil(stop - _SLACK)) for start, stop in spans
            ]
    return found


def count_breaks(
    trials: Trials, labels: Labels, *, duration: float = 2.0, stride: float = 1.0
) -> dict[int, tuple[int, int]]:
    """Count the windows that `make_windows` leaves out for breaks.

    Parameters
    ----------
    trials, labels, duration, stride
        As for `make_windows`.

    Returns
    -------
    dict of int to (int, int)
        For each trial (a row of ``trials.metadata``) that loses windows: how many of how many.

    Examples
    --------
    >>> import pandas as pd
    >>> trial = {"subject": "s01", "session": "1", "trial": 1, "stimulus": "1", "breaks": "1.5 1.5"}
    >>> signals = np.zeros((1, 512, 2), np.float32)
    >>> trials = Trials((signals,), pd.DataFrame([trial]), 128.0, ("Fz", "Cz"))
    >>> count_breaks(trials, Labels(np.zeros(1, int), ("low", "high"), {}), duration=1.0)
    {0: (1, 4)}
    """
    n_times, step = (
        _samples("duration", duration, trials.sfreq),
        _samples("stride", stride, trials.sfreq),
    )
    counts = {}
    for row, spans in _spans(trials).items():
        first = np.arange(0, int(trials.n_times[row]) - n_times + 1, step)
        held = np.zeros(len(first), bool)
        for start, stop in spans:
            held |= (first < stop) & (first + n_times > start)
        if labels.codes[row] >= 0 and held.any():
            counts[row] = int(held.sum()), len(first)
    return counts


def break_notes(
    trials: Trials, labels: Labels, *, duration: float = 2.0, stride: float = 1.0
) -> list[str]:
    """Return a sentence on the windows left out for breaks, with the trials they are of.

    Parameters
    ----------
    trials, labels, duration, stride
        As for `make_windows`.

    Returns
    -------
    list of str
        Empty if there are none; else one or two sentences.
    """
    counts = count_breaks(trials, labels, duration=duration, stride=stride)
    if not counts:
        return []
    total = sum(held for held, _ in counts.values())
    lossy = [f"{_name(trials, row)} ({held} of {number})" for row, (held, number) in counts.items()]
    notes = [
        f"{_number(total, 'window')} of {_number(len(counts), 'trial')} left out for breaks of the "
        f"recording: {_first_names(lossy)}."
    ]
    empty = [_name(trials, row) for row, (held, number) in counts.items() if held == number]
    if empty:
        notes.append(
            f"{_number(len(empty), 'trial')} left out, without a window between breaks: "
            f"{_first_names(empty)}."
        )
    return notes


def short_notes(trials: Trials, labels: Labels, *, duration: float = 2.0) -> list[str]:
    """Return a sentence on the trials that are too short for a window.

    Parameters
    ----------
    trials, labels, duration
        As for `make_windows`.

    Returns
    -------
    list of str
        Empty if there are none; else a sentence.
    """
    short = (labels.codes >= 0) & (trials.n_times < _samples("duration", duration, trials.sfreq))
    rows = np.flatnonzero(short).tolist()
    if not rows:
        return []
    return [
        f"{_number(len(rows), 'trial')} left out, shorter than a window of {duration:g} s: "
        f"{_first_names([_name(trials, row) for row in rows])}."
    ]


def _name(trials: Trials, row: int) -> str:
    subject, session, trial = trials.metadata[["subject", "session", "trial"]].iloc[row]
    return f"subject {subject}, session {session}, trial {trial}"


def _number(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def _first_names(names: list[str]) -> str:
    return "; ".join(names[:3]) + (f"; and {len(names) - 3} more" if len(names) > 3 else "")


def _samples(name: str, seconds: float, sfreq: float) -> int:
    samples = round(seconds * sfreq)
    if samples < 1 or abs(samples - seconds * sfreq) > 1e-6 * sfreq:
        raise DataError(
            f"windows: {name} must be a whole number of samples, at least one; "
            f"{seconds:g} s is {seconds * sfreq:g} samples at {sfreq:g} Hz."
        )
    return samples
