"""Steps on trials: baseline correction, and rejection by amplitude."""

from collections.abc import Sequence
from typing import Any

import mne
import numpy as np

from eegemo.errors import DataError
from eegemo.preprocessing.breaks import blocks, is_broken
from eegemo.preprocessing.channels import copy_loaded, eeg_names
from eegemo.preprocessing.record import Record, RejectedTrial

__all__ = [
    "NoTrialLeftError",
    "apply_baseline",
    "apply_rejection",
    "correct_baseline",
    "reject_trials",
]


class NoTrialLeftError(DataError):
    """All trials of a recording or run were rejected."""


def correct_baseline(epochs: mne.BaseEpochs, baseline: Sequence[float]) -> mne.BaseEpochs:
    """Subtract the mean of a baseline from each trial and channel.

    Parameters
    ----------
    epochs : mne.BaseEpochs
        Trials, with time zero at stimulus onset.
    baseline : (float, float)
        First and last time in seconds, both included, neither above 0.

    Returns
    -------
    mne.BaseEpochs
        A corrected copy.

    Raises
    ------
    DataError
        If the interval is not inside the trials, or reaches into the stimulus.

    Examples
    --------
    >>> info = mne.create_info(["Fz"], 128.0, "eeg")
    >>> epochs = mne.EpochsArray(np.full((1, 1, 256), 2e-6), info, tmin=-1.0, verbose="ERROR")
    >>> float(correct_baseline(epochs, (-1.0, 0.0)).get_data().max())
    0.0
    """
    new = copy_loaded(epochs)
    apply_baseline(new, baseline)
    return new


def reject_trials(
    epochs: mne.BaseEpochs, reject: float, *, record: Record | None = None
) -> mne.BaseEpochs:
    """Drop trials in which the amplitude of an EEG channel is too large.

    Parameters
    ----------
    epochs : mne.BaseEpochs
        Trials in volts; channels marked bad are ignored.
    reject : float
        Maximum peak-to-peak amplitude of any EEG channel over the complete trial (between its
        breaks, if it has any), in volts (150e-6 is 150 µV).
    record : Record | None
        Filled with the dropped trials, their channels and amplitudes.

    Returns
    -------
    mne.BaseEpochs
        The other trials, with their metadata, including trial numbers, unchanged.

    Raises
    ------
    NoTrialLeftError
        If no trial is left (a `DataError`).
    DataError
        If `reject` is not positive, or the signals are not trials.

    Examples
    --------
    >>> info = mne.create_info(["Fz", "Cz"], 128.0, "eeg")
    >>> data = np.random.default_rng(0).normal(size=(3, 2, 256)) * 1e-5
    >>> data[1, 0, 100] = 1e-3
    >>> record = Record()
    >>> len(reject_trials(mne.EpochsArray(data, info, verbose="ERROR"), 150e-6, record=record))
    2
    >>> record.rejected[0].trial, record.rejected[0].channel
    (2, 'Fz')
    """
    new = copy_loaded(epochs)
    return apply_rejection([new], reject, record)[0]


# The same in place.


def apply_baseline(inst: Any, baseline: Sequence[float]) -> None:
    """Correct the baseline in place; see `correct_baseline`."""
    if isinstance(inst, mne.io.BaseRaw):
        raise DataError("A baseline needs trials; these signals are continuous.")
    start, stop = (float(time) for time in baseline)
    first, last = float(inst.tmin), float(inst.tmax)
    given = f"baseline=[{start:g}, {stop:g}] s"
    if not start < stop:
        raise DataError(f"{given} is not an interval; expected its start before its end.")
    if stop > 0:
        raise DataError(
            f"{given} reaches into the stimulus. Times count from stimulus onset, so a baseline "
            "ends at 0 or before: that of DEAP is [-3, 0]."
        )
    # an interval may miss the grid of samples by less than one of them
    tolerance = 1 / float(inst.info["sfreq"])
    if start < first - tolerance or stop > last + tolerance:
        raise DataError(
            f"{given} is not inside the trials, which last from {first:g} to {last:g} s "
            "(0 is stimulus onset)."
        )
    inst.apply_baseline((max(start, first), min(stop, last)), verbose="ERROR")


def apply_rejection(parts: Sequence[Any], reject: float, record: Record | None = None) -> list[Any]:
    """Return the trials that stay, of each part of a run; see `reject_trials`."""
    if any(isinstance(part, mne.io.BaseRaw) for part in parts):
        raise DataError("reject needs trials; these signals are continuous.")
    if not reject > 0:
        raise DataError(f"reject={reject:g} V; expected a positive amplitude, or null for none.")
    names = eeg_names(parts[0], good=True)
    if not names:
        raise DataError("reject looks at good EEG channels, and there is none.")
    kept: list[Any] = []
    worst: list[float] = []
    rejected: list[RejectedTrial] = []
    for part in parts:
        # per trial and channel, one channel at a time, to save memory
        amplitude = np.stack(
            [np.ptp(part.get_data(picks=[name])[:, 0], axis=-1) for name in names], axis=1
        )
        for row, found in blocks(part) if is_broken(part) else ():
            amplitude[row] = _largest_piece(part, row, names, found)
        largest = amplitude.max(axis=1)
        worst += largest.tolist()
        rejected += [
            RejectedTrial(
                *_name(part, row), names[int(amplitude[row].argmax())], float(largest[row])
            )
            for row in np.flatnonzero(largest > reject).tolist()
        ]
        stays = np.flatnonzero(largest <= reject)
        if len(stays):
            kept.append(part if len(stays) == len(part) else part[stays])
    if record is not None:
        record.rejected += rejected
    if not kept:
        raise NoTrialLeftError(
            f"reject={reject:g} V leaves none of {len(worst)} trials: their largest peak-to-peak "
            f"amplitudes are {min(worst):.3g} to {max(worst):.3g} V, {rejected[0].channel} in "
            f"trial {rejected[0].trial}. Allow more, or repair the channels first."
        )
    if record is not None and rejected:
        numbers = ", ".join(str(rejection.trial) for rejection in rejected)
        record.notes.append(
            f"{len(rejected)} of {len(worst)} trials left out, peak-to-peak amplitude above "
            f"{reject * 1e6:g} µV: {numbers}"
        )
    return kept


def _largest_piece(
    part: Any, row: int | None, names: Sequence[str], found: Sequence[tuple[int, int, bool]]
) -> np.ndarray:
    """Return the largest amplitude of each channel between the breaks of a trial."""
    data = part.get_data(item=[row], picks=list(names), verbose="ERROR")[0]
    ranges = [np.ptp(data[:, start:stop], axis=-1) for start, stop, good in found if good]
    largest: np.ndarray = np.max(ranges, axis=0) if ranges else np.zeros(len(names))
    return largest


def _name(inst: Any, row: int) -> tuple[str, int]:
    """Return session and number of a trial; without metadata, its position from 1 on."""
    metadata = inst.metadata
    if metadata is None or not {"session", "trial"} <= set(metadata.columns):
        return "1", row + 1
    return str(metadata["session"].iloc[row]), int(metadata["trial"].iloc[row])
