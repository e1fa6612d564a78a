"""Sliding windows over trials, stored as indices so that no signal is copied.

With windows of 256 samples every 16 samples, each sample is in sixteen windows. All of DEAP would
take 19.5 GB as windows; as trials plus two integers per window it takes 1.3 GB::

    trial   |----------------------------------------------|   (n_times, n_channels), float32, volts
    window   [======]                                          first = 0
               [======]                                        first = stride
                 [======]                                      first = 2 * stride ...
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from eegemo.errors import DataError
from eegemo.labels import Labels
from eegemo.registry.options import Positive
from eegemo.trials import KEYS, Trials

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Windows", "make_windows"]


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
        keys.insert(2, "run", metadata.get("run", "1"))
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
    dropped.

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
    return Windows(trials, labels, trial, (within * step).astype(np.int32), n_times)


def _samples(name: str, seconds: float, sfreq: float) -> int:
    samples = round(seconds * sfreq)
    if samples < 1 or abs(samples - seconds * sfreq) > 1e-6 * sfreq:
        raise DataError(
            f"windows: {name} must be a whole number of samples, at least one; "
            f"{seconds:g} s is {seconds * sfreq:g} samples at {sfreq:g} Hz."
        )
    return samples
