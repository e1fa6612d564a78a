"""Signals to signals: choose channels, resample, filter, re-reference, correct the baseline.

Functions take a Raw or Epochs in volts and return a new one; the input is never changed. Times are
in seconds and count from the onset of the stimulus.

`preprocess` runs the steps in one fixed order: channels, resampling, band-pass, reference, then
(for continuous signals) cutting into trials, then baseline. Filtering comes before cutting, since a
filter needs signal around each trial.
"""

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, TypeVar

import mne
import numpy as np
import scipy.signal

from eegemo.errors import DataError
from eegemo.recordings.channels import resolve_channels

__all__ = [
    "band_pass",
    "correct_baseline",
    "pick_channels",
    "preprocess",
    "resample",
    "set_reference",
]

Instance = TypeVar("Instance", mne.io.BaseRaw, mne.BaseEpochs)

# Channels whose voltage a band-pass is meant for; temperature or a trigger is left as it is.
_FILTERED = ("eeg", "eog", "emg", "ecg")


def preprocess(
    inst: mne.io.BaseRaw | mne.BaseEpochs,
    *,
    channels: str | Sequence[str] = "eeg",
    sfreq: float | None = None,
    l_freq: float | None = None,
    h_freq: float | None = None,
    eog: str = "none",
    reference: str | None = None,
    baseline: Sequence[float] | None = None,
    cut: Callable[[mne.io.BaseRaw], mne.BaseEpochs] | None = None,
) -> mne.io.BaseRaw | mne.BaseEpochs:
    """Run all steps on a copy.

    Parameters
    ----------
    inst : mne.io.BaseRaw | mne.BaseEpochs
        Signals in volts.
    channels : "eeg" | "emotiv" | sequence of str
        See `pick_channels`.
    sfreq : float | None
        New sampling rate in Hz; None keeps it.
    l_freq, h_freq : float | None
        Edges of the pass band in Hz; None leaves that side open.
    eog : "none"
        How to remove eye movements.
    reference : "average" | None
        See `set_reference`.
    baseline : (float, float) | None
        First and last time of the baseline in seconds from stimulus onset; None corrects nothing.
    cut : callable | None
        Takes a Raw and returns Epochs; called on continuous signals before the baseline step.

    Returns
    -------
    mne.io.BaseRaw | mne.BaseEpochs
        New Epochs, or a new Raw if `inst` is one and `cut` is None.

    Raises
    ------
    DataError
        If a step cannot be done on these signals; see each step.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> info = mne.create_info(["Fz", "Cz", "Pz", "Trigger"], 256.0, ["eeg"] * 3 + ["stim"])
    >>> raw = mne.io.RawArray(rng.normal(size=(4, 2560)) * 1e-5, info, verbose="ERROR")
    >>> new = preprocess(raw, sfreq=128.0, l_freq=4.0, h_freq=45.0, reference="average")
    >>> new.ch_names, new.get_data().shape
    (['Fz', 'Cz', 'Pz'], (3, 1280))
    """
    if eog != "none":
        raise DataError(
            f"eog={eog!r}: removing eye movements is not available yet; expected 'none'. "
            "DEAP's preprocessed release already had them removed."
        )
    # One copy is made here; the steps after it work on that copy in place.
    new = pick_channels(inst, channels)
    if sfreq is not None:
        new = _resample(new, sfreq)
    _band_pass(new, l_freq, h_freq)
    _set_reference(new, reference)
    if isinstance(new, mne.io.BaseRaw) and cut is not None:
        new = cut(new)
    if baseline is not None:
        _correct_baseline(new, baseline)
    return new


def pick_channels(inst: Instance, channels: str | Sequence[str] = "eeg") -> Instance:
    """Keep some channels, found by name.

    Parameters
    ----------
    inst : mne.io.BaseRaw | mne.BaseEpochs
        The signals.
    channels : "eeg" | "emotiv" | sequence of str
        All EEG channels (those marked bad too, so that every recording has the same ones), the
        fourteen positions of the Emotiv EPOC headset, or names.

    Returns
    -------
    mne.io.BaseRaw | mne.BaseEpochs
        A loaded copy, its channels in the order of the list (for "eeg": of the recording).

    Raises
    ------
    DataError
        If a channel is not there or is named twice.

    Examples
    --------
    >>> info = mne.create_info(["Fz", "Cz", "Pz"], 128.0, "eeg")
    >>> raw = mne.io.RawArray(np.zeros((3, 128)), info, verbose="ERROR")
    >>> pick_channels(raw, ["Pz", "Fz"]).ch_names
    ['Pz', 'Fz']
    """
    names = resolve_channels(inst, channels)
    new = _copy(inst)
    if names != new.ch_names:
        new.pick(names, exclude=(), verbose="ERROR")
        new.reorder_channels(names)
    return new


def resample(inst: Instance, sfreq: float) -> Instance:
    """Lower the sampling rate, without aliasing and without shifting anything in time.

    A polyphase FIR filter of zero phase at the exact ratio of the two rates, as in
    `scipy.signal.resample_poly` (Kaiser window, beta 5).

    Parameters
    ----------
    inst : mne.io.BaseRaw | mne.BaseEpochs
        The signals.
    sfreq : float
        The new rate in Hz, not above the old one.

    Returns
    -------
    mne.io.BaseRaw | mne.BaseEpochs
        New signals at `sfreq`; the last sample may lie up to one new sample after the old end.

    Raises
    ------
    DataError
        If `sfreq` is above the rate of the recording, not positive, or too far below it.

    Examples
    --------
    >>> info = mne.create_info(["Fz"], 512.0, "eeg")
    >>> raw = mne.io.RawArray(np.zeros((1, 1024)), info, verbose="ERROR")
    >>> resample(raw, 128.0).get_data().shape
    (1, 256)
    """
    new = _copy(inst)
    return _resample(new, sfreq)


def band_pass(inst: Instance, l_freq: float | None = None, h_freq: float | None = None) -> Instance:
    """Filter with MNE's default: a zero-phase FIR filter (Hamming window).

    EEG, EOG, EMG and ECG channels are filtered, others are left as they are.

    Parameters
    ----------
    inst : mne.io.BaseRaw | mne.BaseEpochs
        The signals.
    l_freq, h_freq : float | None
        Edges of the pass band in Hz. None leaves that side open; both None filters nothing.

    Returns
    -------
    mne.io.BaseRaw | mne.BaseEpochs
        A filtered copy.

    Raises
    ------
    DataError
        If the edges are out of order, `h_freq` is not below half the sampling rate, or the filter
        is longer than the signals.

    Examples
    --------
    >>> info = mne.create_info(["Fz"], 128.0, "eeg")
    >>> drift = mne.io.RawArray(np.full((1, 1280), 1e-5), info, verbose="ERROR")
    >>> bool(abs(band_pass(drift, 4.0, 45.0).get_data()).max() < 1e-7)
    True
    """
    new = _copy(inst)
    _band_pass(new, l_freq, h_freq)
    return new


def set_reference(inst: Instance, reference: str | None = "average") -> Instance:
    """Subtract the mean of the EEG channels at every moment.

    Channels marked bad do not enter the mean. The mean is that of the channels that are there: take
    the channels of interest first to reference to their own mean, as `preprocess` does.

    Parameters
    ----------
    inst : mne.io.BaseRaw | mne.BaseEpochs
        The signals.
    reference : "average" | None
        None changes nothing.

    Returns
    -------
    mne.io.BaseRaw | mne.BaseEpochs
        A copy with the new reference.

    Raises
    ------
    DataError
        If the reference has another name, or fewer than two good EEG channels are there.

    Examples
    --------
    >>> info = mne.create_info(["Fz", "Cz"], 128.0, "eeg")
    >>> raw = mne.io.RawArray([[1e-6, 5e-6], [3e-6, 9e-6]], info, verbose="ERROR")
    >>> (set_reference(raw).get_data() * 1e6).round(3).tolist()
    [[-1.0, -2.0], [1.0, 2.0]]
    """
    new = _copy(inst)
    _set_reference(new, reference)
    return new


def correct_baseline(epochs: mne.BaseEpochs, baseline: Sequence[float]) -> mne.BaseEpochs:
    """Subtract from each trial and channel its mean before the stimulus.

    Parameters
    ----------
    epochs : mne.BaseEpochs
        Trials; time zero is the onset of the stimulus.
    baseline : (float, float)
        First and last time in seconds, both included, neither after 0.

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
    new = _copy(epochs)
    _correct_baseline(new, baseline)
    return new


# The steps themselves, on an object that nobody else holds.
def _copy(inst: Instance) -> Instance:
    new = inst.copy()
    if not new.preload:
        new.load_data()
    return new


def _resample(inst: Instance, sfreq: float) -> Instance:
    old = float(inst.info["sfreq"])
    if not math.isfinite(sfreq) or sfreq <= 0:
        raise DataError(f"sfreq={sfreq} is not a sampling rate; expected a positive number of Hz.")
    if math.isclose(sfreq, old, rel_tol=1e-9):
        return inst
    if sfreq > old:
        raise DataError(
            f"sfreq={sfreq:g} Hz is above the {old:g} Hz of the recording; resampling cannot add "
            "what was not recorded. Choose a rate that is not higher."
        )
    # MNE's own polyphase method takes the ratio of the lengths, which is only about right, and slow
    ratio = Fraction(sfreq / old).limit_denominator(10_000)
    if not math.isclose(ratio, sfreq / old, rel_tol=1e-5):  # else times would drift
        raise DataError(
            f"sfreq={sfreq:g} Hz cannot be reached from the {old:g} Hz of the recording: their "
            "ratio needs whole numbers above 10000. Choose another rate."
        )
    # "line" joins first and last sample for padding: an offset must not ring at the edges
    data = scipy.signal.resample_poly(
        inst.get_data(copy=False) if isinstance(inst, mne.BaseEpochs) else inst.get_data(),
        ratio.numerator,
        ratio.denominator,
        axis=-1,
        padtype="line",
    )
    # `sfreq` of an Info is locked; resampling a moment of silence gives one that says the new rate
    silence = np.zeros((len(inst.ch_names), max(ratio.denominator, 100)))
    moment = mne.io.RawArray(silence, inst.info.copy(), verbose="ERROR")
    info = moment.resample(sfreq, verbose="ERROR").info
    if isinstance(inst, mne.BaseEpochs):
        return mne.EpochsArray(
            data,
            info,
            events=inst.events,
            tmin=inst.tmin,
            event_id=inst.event_id,
            metadata=inst.metadata,
            selection=inst.selection,
            drop_log=inst.drop_log,
            verbose="ERROR",
        )
    new = mne.io.RawArray(data, info, first_samp=round(inst.first_samp * ratio), verbose="ERROR")
    annotations = inst.annotations.copy()
    if annotations.orig_time is None:  # then MNE adds the time of the first sample on setting them
        annotations.onset -= inst.first_time
    return new.set_annotations(annotations, verbose="ERROR")


def _band_pass(inst: Any, l_freq: float | None, h_freq: float | None) -> None:
    if l_freq is None and h_freq is None:
        return
    sfreq = float(inst.info["sfreq"])
    if l_freq is not None and l_freq <= 0:
        raise DataError(f"l_freq={l_freq:g} Hz; expected a positive frequency, or null for none.")
    if h_freq is not None and not 0 < h_freq < sfreq / 2:
        raise DataError(
            f"h_freq={h_freq:g} Hz; expected less than {sfreq / 2:g} Hz, half of the sampling rate "
            f"of {sfreq:g} Hz."
        )
    if l_freq is not None and h_freq is not None and l_freq >= h_freq:
        raise DataError(f"l_freq={l_freq:g} Hz is not below h_freq={h_freq:g} Hz.")
    length = len(mne.filter.create_filter(None, sfreq, l_freq, h_freq, verbose="ERROR"))
    n_times = len(inst.times)
    if length > n_times:
        raise DataError(
            f"The filter for l_freq={l_freq}, h_freq={h_freq} Hz lasts {length / sfreq:.2f} s, "
            f"the signals only {n_times / sfreq:.2f} s. Choose a higher l_freq or longer trials."
        )
    types = inst.get_channel_types()
    picks = [i for i, kind in enumerate(types) if kind in _FILTERED]
    if picks:
        inst.filter(l_freq, h_freq, picks=picks, verbose="ERROR")


def _set_reference(inst: Any, reference: str | None) -> None:
    if reference is None:
        return
    if reference != "average":
        raise DataError(f"reference={reference!r} is not known; expected 'average' or null.")
    good = [
        name
        for name, kind in zip(inst.ch_names, inst.get_channel_types(), strict=True)
        if kind == "eeg" and name not in inst.info["bads"]
    ]
    if len(good) < 2:
        raise DataError(
            f"The average reference needs two good EEG channels or more; there are {len(good)}."
        )
    inst.set_eeg_reference("average", projection=False, verbose="ERROR")


def _correct_baseline(inst: Any, baseline: Sequence[float]) -> None:
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
