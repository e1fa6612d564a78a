"""Recordings of a participant of DREAMER: clips as Epochs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import mne
import numpy as np
import pandas as pd

from eegemo.datasets.base import Outline, Recording, Run
from eegemo.datasets.dreamer.contents import CHANNELS, SFREQ, Person, look_into, read_clips
from eegemo.errors import DataError

__all__ = ["DreamerRecording"]

_VOLTS = 1e-6  # of one unit of the file, if that is a microvolt
_MAX_EEG = 1e6  # in the file's unit; the headset ends below 10,000


@dataclass(frozen=True, eq=False, kw_only=True)
class DreamerRecording(Recording):
    """The clips of a participant.

    Attributes
    ----------
    number : int
        Position in the file, from 0.
    last : float or None
        Seconds before the end of each clip that are used; None for the complete clip.
    rest : float
        Seconds of the neutral clip, from its end, that come before time zero.
    """

    number: int
    last: float | None
    rest: float

    def read(self, *, eeg_only: bool = False) -> Iterator[Run]:
        """Yield a run of Epochs for each sequence of clips of equal length."""
        path = self.files[0]
        about = self.describe()
        clips = read_clips(path, self.number)
        lengths = self._n_times(look_into(path).people[self.number])
        n_rest = round(self.rest * SFREQ)
        flat = True
        for n_times, clip_rows in groupby(range(len(lengths)), key=lambda row: lengths[row]):
            rows = list(clip_rows)
            signals = np.empty((len(rows), len(CHANNELS), n_rest + n_times))
            for target, row in zip(signals, rows, strict=True):
                neutral, film = clips["baseline"][row], clips["stimuli"][row]
                joined = np.concatenate([neutral[len(neutral) - n_rest :], film[-n_times:]])
                self._check(joined, row + 1)
                flat &= not np.ptp(joined, axis=0).any()
                np.multiply(joined.T, _VOLTS, out=target)
            info = mne.create_info(list(CHANNELS), SFREQ, "eeg", verbose="ERROR")
            info.set_montage("biosemi32", verbose="ERROR")
            order = np.arange(len(rows))
            yield Run(
                mne.EpochsArray(
                    signals,
                    info,
                    np.column_stack([order * signals.shape[2], 0 * order, 0 * order + 1]),
                    tmin=-n_rest / SFREQ,
                    event_id={"clip": 1},
                    metadata=about.iloc[rows].reset_index(drop=True),
                    verbose="ERROR",
                )
            )
        if flat:
            raise DataError(f"{path}: every channel of {self.subject} is flat in every clip.")

    def describe(self) -> pd.DataFrame:
        """Return the metadata: a row per clip."""
        ratings = look_into(self.files[0]).people[self.number].ratings
        trials = np.arange(1, len(ratings["valence"]) + 1)
        table: dict[str, Any] = {
            "subject": self.subject,
            "session": "1",
            "trial": trials,
            "stimulus": [f"clip{trial:02d}" for trial in trials],
        }
        return pd.DataFrame(table | ratings)

    def outline(self) -> Outline:
        """Outline the clips without reading signals."""
        lengths = self._n_times(look_into(self.files[0]).people[self.number])
        seconds = tuple(n_times / SFREQ for n_times in lengths)
        return Outline(self.describe(), seconds, SFREQ, CHANNELS)

    def least_bytes(self, steps: Mapping[str, Any]) -> int:
        """Return a lower bound of the size of the stored trials (see `Recording.least_bytes`)."""
        return 0  # the file holds all participants; only reading tells the part of each

    def _n_times(self, person: Person) -> list[int]:
        """Return the number of samples of each trial, from time zero on."""
        n_rest = round(self.rest * SFREQ)
        n_last = None if self.last is None else round(self.last * SFREQ)
        for trial, (neutral, film) in enumerate(
            zip(person.n_times["baseline"], person.n_times["stimuli"], strict=True), start=1
        ):
            for what, found, needed in (("clip", film, n_last or 1), ("rest", neutral, n_rest)):
                if found < needed:
                    raise DataError(
                        f"{self.files[0]}: the {what} of trial {trial} of {self.subject} has "
                        f"{found / SFREQ:g} s; expected at least {needed / SFREQ:g} s. Use a "
                        f"smaller data.{'rest' if what == 'rest' else 'last'}."
                    )
        return [n if n_last is None else n_last for n in person.n_times["stimuli"]]

    def _check(self, signals: np.ndarray, trial: int) -> None:
        """Refuse samples beyond the range of the headset."""
        # NaN is not below the limit either
        wrong = ~(np.abs(signals) <= _MAX_EEG)
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            raise DataError(
                f"{self.files[0]}: {self.subject}, trial {trial}, channel {CHANNELS[column]} holds "
                f"{signals[row, column]:g}; expected numbers up to {_MAX_EEG:g} (microvolts)."
            )
