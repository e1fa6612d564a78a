"""Trials of DEAP's original recordings: onsets of the videos, and their ratings.

A recording has its trials in the order of presentation, which was random. ``participant_ratings``
has the video of each presentation (`eegemo.datasets.deap.ratings`). Without it, the labels of the
preprocessed files, which are in the order of the videos, would go to the wrong trials::

    presentation     1        2        3     ...
    Experiment_id    23       7        40    ...
    trial            23       7        40         the video's number, as in the preprocessed files
"""

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import mne
import numpy as np
import numpy.typing as npt
import pandas as pd

from eegemo.datasets.base import RATINGS
from eegemo.datasets.deap.channels import RawDeap
from eegemo.datasets.deap.constants import BASELINE_DURATION
from eegemo.datasets.deap.ratings import read_ratings_table
from eegemo.errors import DataError

__all__ = ["DeapCut", "annotate_videos", "find_trials_deap", "participant_number"]

_VIDEO = 4  # the code at the start of a video
_DURATION = 60.0  # of DEAP's videos, in seconds
_NEARLY = 5.0  # seconds; the codes of a video of 60 s are not exact
_DRIFT = 5.0  # seconds by which the onset of a video may differ from the table
_SLACK = 0.05  # of a sample
Order = Literal["video", "presentation"]


@dataclass(frozen=True)
class DeapCut:
    """Epochs a recording into its trials, at any sampling rate.

    Attributes
    ----------
    trials : DataFrame
        One row per trial, in the order of the Epochs: subject, session, trial (number of the
        video), stimulus (``video07``), the four ratings, presentation (from 1), familiarity,
        start_time (in seconds, from the table), and onset (in seconds from the first sample, from
        the recording; not in the metadata).
    duration : float
        Duration of a video in seconds.
    """

    trials: pd.DataFrame
    duration: float

    def __call__(self, raw: mne.io.BaseRaw) -> mne.BaseEpochs:
        """Return the trials.

        Parameters
        ----------
        raw : mne.io.BaseRaw
            The recording in which the trials were found, preprocessed or not.

        Returns
        -------
        mne.BaseEpochs
            From -3 s to one sample before the end of the video; time zero is the sample nearest to
            the onset of the video.

        Raises
        ------
        DataError
            If a trial is not inside `raw`.
        """
        sfreq = float(raw.info["sfreq"])
        start = math.ceil(-BASELINE_DURATION * sfreq - _SLACK)
        stop = math.floor(self.duration * sfreq + _SLACK)
        # from the start of the recording, which is how MNE counts even after cropping
        onsets = np.round(self.trials["onset"].to_numpy() * sfreq).astype(int)
        first, last = raw.first_samp, raw.first_samp + len(raw.times)
        outside = (onsets + start < first) | (onsets + stop > last)
        if outside.any():
            numbers = ", ".join(str(k) for k in self.trials["presentation"][outside])
            raise DataError(
                f"Subject {self.trials['subject'].iloc[0]}: these signals last from "
                f"{raw.first_time:g} to {last / sfreq:g} s and do not hold all of the trials "
                f"presented as number {numbers}."
            )
        # MNE wants events in the order of time; the order asked for is made afterwards
        order = np.argsort(onsets)
        epochs = mne.Epochs(
            raw,
            np.column_stack([onsets[order], np.zeros_like(onsets), np.ones_like(onsets)]),
            event_id={"video": 1},
            tmin=start / sfreq,
            tmax=(stop - 1) / sfreq,
            baseline=None,
            picks="all",
            preload=True,
            reject_by_annotation=False,
            metadata=self.trials.drop(columns="onset").iloc[order].reset_index(drop=True),
            verbose="ERROR",
        )
        if np.array_equal(order, np.arange(len(order))):
            return epochs
        return epochs[np.argsort(order)]


def find_trials_deap(
    raw: RawDeap,
    ratings: str | Path,
    *,
    participant: int | None = None,
    order: Order = "video",
) -> tuple[DeapCut, tuple[str, ...]]:
    """Find the trials of an original recording and their ratings.

    Parameters
    ----------
    raw : RawDeap
        A recording of `read_raw_deap`.
    ratings : str | pathlib.Path
        The table ``participant_ratings``.
    participant : int | None
        Number of the participant in the table; None takes it from the name of the file.
    order : "video" | "presentation"
        Order of the trials: by video, as in the preprocessed files, or by presentation.

    Returns
    -------
    make_epochs : DeapCut
        Function that takes the recording, preprocessed or not, and returns its trials.
    notes : tuple of str
        What the user should know: trials dropped, videos that ended early.

    Raises
    ------
    DataError
        If the table is invalid or lacks the participant, or the number of videos in the recording
        is not that of its rows.

    Examples
    --------
    >>> import tempfile
    >>> from eegemo.datasets.deap import read_raw_deap
    >>> from eegemo.simulation import simulate_deap
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = simulate_deap(folder, n_subjects=1, n_trials=2, duration=1, formats="bdf")
    >>> raw = read_raw_deap(folder / "data_original" / "s01.bdf")
    >>> make_epochs, notes = find_trials_deap(raw, folder / "participant_ratings.csv")
    >>> epochs = make_epochs(raw)
    >>> epochs.get_data(picks="eeg").shape, epochs.metadata["trial"].tolist()
    ((2, 32, 2048), [1, 2])
    """
    if order not in ("video", "presentation"):
        raise DataError(f"order={order!r}; expected 'video' or 'presentation'.")
    path = Path(raw.filenames[0])
    participant = participant_number(path) if participant is None else participant
    table = read_ratings_table(ratings, participant)
    sfreq = raw.recorded_sfreq
    onsets, lengths = _find_videos(raw.codes)
    if len(onsets) != len(table):
        times = ", ".join(f"{onset / sfreq:.1f}" for onset in onsets[:50])
        raise DataError(
            f"{path}: {len(onsets)} videos start in the recording (code {_VIDEO} at {times or '-'} "
            f"s), and {ratings} has {len(table)} trials of participant {participant}; expected as "
            "many. They cannot be matched."
        )
    duration = _choose_duration(lengths / sfreq)
    close = np.flatnonzero(np.diff(onsets) / sfreq < duration)
    if close.size:
        k = int(close[0])
        raise DataError(
            f"{path}: videos {k + 1} and {k + 2} start at {onsets[k] / sfreq:.2f} and "
            f"{onsets[k + 1] / sfreq:.2f} s; expected at least {duration:g} s between them."
        )
    trials = pd.DataFrame(
        {
            "subject": path.stem,
            "session": "1",
            "trial": table["experiment_id"],
            "stimulus": [f"video{k:02d}" for k in table["experiment_id"]],
            **{name: table[name] for name in RATINGS},
            "presentation": table["trial"],
            "familiarity": table["familiarity"],
            "start_time": table["start_time"] * 1e-6,
            "onset": onsets / sfreq,
        }
    )
    notes = [
        f"{path.name}: the codes end presentation {k + 1} after {lengths[k] / sfreq:.1f} of "
        f"{duration:g} s"
        for k in np.flatnonzero(lengths / sfreq < duration - 1)
    ]
    notes += _compare_times(trials, path)
    end = len(raw.codes) / sfreq
    inside = (trials["onset"] >= BASELINE_DURATION) & (trials["onset"] + duration <= end)
    if not inside.all():
        numbers = ", ".join(str(k) for k in trials["presentation"][~inside])
        notes.append(
            f"{path.name}: left out, since the recording does not hold all of them: "
            f"presentation {numbers}"
        )
    if not inside.any():
        raise DataError(f"{path} does not hold a complete trial.")
    trials = trials[inside]
    if order == "video":
        trials = trials.sort_values("trial")
    return DeapCut(trials.reset_index(drop=True), duration), tuple(notes)


def _compare_times(trials: pd.DataFrame, path: Path) -> list[str]:
    """Note videos whose onsets differ from the table, which may be that of another session."""
    late = (trials["onset"] - trials["start_time"]).dropna()
    late -= late.median()  # the recording began before the experiment
    far = late[late.abs() > _DRIFT]
    if far.empty:
        return []
    row = far.index[int(np.argmax(far.abs()))]
    return [
        f"{path.name}: {len(far)} videos start at other times than Start_time in the table of "
        f"ratings says, presentation {trials['presentation'][row]} by {far[row]:.0f} s; check that "
        "the table and the recording are of the same session"
    ]


def annotate_videos(raw: RawDeap, ratings: str | Path | None = None) -> None:
    """Annotate the videos of a recording in place, by name if a table of ratings is given.

    Parameters
    ----------
    raw : RawDeap
        The recording.
    ratings : str | pathlib.Path | None
        The table ``participant_ratings``.

    Raises
    ------
    DataError
        See `find_trials_deap`.
    """
    if ratings is None:
        sfreq = raw.recorded_sfreq
        onsets, lengths = _find_videos(raw.codes)
        times, names = onsets / sfreq, ["video"] * len(onsets)
        duration = _choose_duration(lengths / sfreq)
    else:
        make_epochs, _ = find_trials_deap(raw, ratings, order="presentation")
        times, names = make_epochs.trials["onset"].to_numpy(), list(make_epochs.trials["stimulus"])
        duration = make_epochs.duration
    durations = np.minimum(duration, len(raw.times) / float(raw.info["sfreq"]) - times)
    raw.set_annotations(mne.Annotations(times, durations, names), verbose="ERROR")


def participant_number(path: Path) -> int:
    """Return the number of a participant from the name of the file.

    Parameters
    ----------
    path : pathlib.Path
        Such as ``s07.bdf``.

    Returns
    -------
    int

    Raises
    ------
    DataError
        If the name has another form.

    Examples
    --------
    >>> participant_number(Path("s07.bdf"))
    7
    """
    digits = re.fullmatch(r"s(\d{1,6})", path.stem, re.IGNORECASE | re.ASCII)
    if not digits:
        raise DataError(f"{path} does not name its participant; expected a name like s07.bdf.")
    return int(digits[1])


def _find_videos(
    codes: npt.NDArray[np.uint8],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return the samples at which videos start, and the number of samples until the next code."""
    events = np.flatnonzero(codes[1:] != codes[:-1]) + 1
    events = events[codes[events] != 0]  # back to rest
    after = np.append(events[1:], -1).astype(float)
    after[-1:] = np.inf
    videos = codes[events] == _VIDEO
    return events[videos], (after - events)[videos]


def _choose_duration(seconds: npt.NDArray[np.float64]) -> float:
    """Return the duration of a video in seconds: DEAP's 60, or in simulations that of the codes."""
    known = seconds[np.isfinite(seconds)]
    typical = float(np.median(known)) if known.size else _DURATION
    return _DURATION if abs(typical - _DURATION) < _NEARLY else typical
