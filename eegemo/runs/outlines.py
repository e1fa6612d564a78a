"""The outline of a recording: its trials, their length and channels, without keeping a signal."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from eegemo.datasets import EMOTIV_CHANNELS, RATINGS, Recording
from eegemo.datasets.bids import BidsRecording
from eegemo.datasets.deap import DEAP_EEG_CHANNELS, load_deap_arrays
from eegemo.datasets.deap.constants import BASELINE_DURATION, SFREQ
from eegemo.datasets.deap.ratings import read_ratings_table
from eegemo.datasets.deap.raw import RawDeapRecording
from eegemo.datasets.deap.trials import participant_number
from eegemo.errors import DataError
from eegemo.simulation.ratings import simulate_ratings
from eegemo.trials import Trials

__all__ = ["Outline", "join_outlines", "outline_recording", "outline_simulated"]

_VIDEO = 60.0  # seconds of a video of DEAP
_RAW_SFREQ = 512.0


@dataclass(frozen=True)
class Outline:
    """What a recording holds.

    Attributes
    ----------
    metadata : DataFrame
        A row per trial, as in `eegemo.trials.Trials`.
    duration : float
        Of a trial, in seconds from the onset of the stimulus.
    sfreq : float
        In Hz, as recorded.
    ch_names : tuple of str
        The EEG channels.
    """

    metadata: pd.DataFrame
    duration: float
    sfreq: float
    ch_names: tuple[str, ...]


def outline_recording(
    recording: Recording, *, full: bool = False, duration: float = _VIDEO
) -> Outline:
    """Outline a recording.

    Parameters
    ----------
    recording : Recording
    full : bool
        Read every signal; otherwise DEAP's preprocessed files are read whole, and of others the
        headers and tables, and the first run of a BIDS subject.
    duration : float
        Of a video, in seconds, where only the signals tell.

    Returns
    -------
    outline : Outline

    Raises
    ------
    DataError
        If a file is missing, damaged, or does not hold what it should.
    """
    if isinstance(recording, RawDeapRecording):
        if full:
            _read_whole(recording)
        table = read_ratings_table(recording.ratings, participant_number(recording.files[0]))
        about = _describe(recording.subject, table.sort_values("experiment_id"))
        return Outline(about, duration, _RAW_SFREQ, DEAP_EEG_CHANNELS)
    if isinstance(recording, BidsRecording):
        runs = _read_whole(recording) if full else [next(iter(recording.read(eeg_only=True)))]
        inst = runs[0].inst
        kinds = zip(inst.ch_names, inst.get_channel_types(), strict=True)
        names = tuple(name for name, kind in kinds if kind == "eeg")
        events = pd.concat(recording.events, ignore_index=True).drop(columns="onset")
        seconds = recording.tmax - max(recording.tmin, 0.0)
        return Outline(events, seconds, float(inst.info["sfreq"]), names)
    data, ratings = load_deap_arrays(recording.files[0])
    about = _describe(recording.subject, pd.DataFrame(ratings, columns=list(RATINGS)))
    return Outline(about, data.shape[2] / SFREQ - BASELINE_DURATION, SFREQ, DEAP_EEG_CHANNELS)


def outline_simulated(number: int, *, n_trials: int, duration: float, seed: int) -> Outline:
    """Outline a subject that is yet to be simulated."""
    ratings = simulate_ratings(number, n_trials, seed, duration).labels
    about = _describe(f"s{number:02d}", pd.DataFrame(ratings, columns=list(RATINGS)))
    return Outline(about, duration, SFREQ, DEAP_EEG_CHANNELS)


def _read_whole(recording: Recording) -> list[Any]:
    runs = list(recording.read())
    if not runs:
        raise DataError(f"subject {recording.subject} has no run with trials.")
    return runs


def _describe(subject: str, ratings: pd.DataFrame) -> pd.DataFrame:
    n = len(ratings)
    names = {"subject": [subject] * n, "session": ["1"] * n, "trial": np.arange(1, n + 1)}
    names["stimulus"] = [f"video{k:02d}" for k in range(1, n + 1)]
    return pd.DataFrame(names).assign(**{name: ratings[name].to_numpy() for name in RATINGS})


def join_outlines(outlines: Mapping[str, Outline], *, sfreq: float | None, channels: Any) -> Trials:
    """Return the trials that preprocessing would give, with zeros that take no memory as signals.

    Raises
    ------
    DataError
        If the recordings differ, or lack a channel that was asked for.
    """
    first = next(iter(outlines.values()))
    rates = {one.sfreq for one in outlines.values()}
    if sfreq is None and len(rates) > 1:
        raise DataError("recordings differ in sampling frequency; set preprocessing.sfreq.")
    rate = sfreq or first.sfreq
    wanted = {"eeg": first.ch_names, "emotiv": EMOTIV_CHANNELS}
    names = tuple(wanted[channels] if isinstance(channels, str) else channels)
    for subject, one in outlines.items():
        absent = [name for name in names if name not in one.ch_names]
        if absent:
            raise DataError(f"subject {subject} has no EEG channel {', '.join(absent)}.")
    arrays = tuple(
        np.broadcast_to(
            np.float32(0), (len(one.metadata), int(one.duration * rate + 1e-6), len(names))
        )
        for one in outlines.values()
    )
    about = pd.concat([one.metadata for one in outlines.values()], ignore_index=True)
    return Trials(arrays, about, rate, names)
