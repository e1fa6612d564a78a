"""Resampling, band-pass and notch filters."""

import math
from collections.abc import Sequence
from fractions import Fraction
from functools import partial
from itertools import pairwise
from typing import Any

import mne
import numpy as np
import scipy.signal

from eegemo.datasets.breaks import break_samples, snap_breaks
from eegemo.errors import DataError
from eegemo.preprocessing.breaks import blocks, check_remains, filter_pieces, is_broken, with_breaks
from eegemo.preprocessing.channels import Instance, copy_loaded

__all__ = ["apply_band_pass", "apply_notch", "band_pass", "filter_length", "notch", "resample"]

# Types of channels to filter; temperature or a trigger is left as it is.
_FILTERED = ("eeg", "eog", "emg", "ecg")
# Hz; transition on either side of a notch, MNE's default. A Hamming filter lasts 3.3 / this.
_NOTCH_TRANSITION = 0.5


def resample(inst: Instance, sfreq: float, *, channels: Sequence[str] | None = None) -> Instance:
    """Lower the sampling rate, without aliasing or delay.

    Uses a zero-phase polyphase FIR filter at the exact ratio of the two rates, as in
    `scipy.signal.resample_poly` (Kaiser window, beta 5). Resampling before the band-pass gives the
    same signals as after it, up to the ripple of the two filters, in a fraction of the time.
    Signals between breaks are resampled by themselves.

    Parameters
    ----------
    inst : mne.io.BaseRaw | mne.BaseEpochs
        The signals.
    sfreq : float
        New sampling rate in Hz, not above the old rate.
    channels : sequence of str | None
        Keep only these channels, in this order, without copying the others; None keeps all.

    Returns
    -------
    mne.io.BaseRaw | mne.BaseEpochs
        New signals at `sfreq`; the last sample may be up to one new sample after the old end.

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
    names = list(inst.ch_names if channels is None else channels)
    ratio = _ratio(float(inst.info["sfreq"]), sfreq)
    if ratio == 1:
        new = copy_loaded(inst)
        return new if names == new.ch_names else new.pick(names, verbose="ERROR")
    rows = [inst.ch_names.index(name) for name in names]
    # a channel at a time: an hour at 512 Hz is 16 MB per channel, and nearly 1 GB in all
    groups = [[row] for row in rows] if inst.preload else [rows]
    cuts = _cuts(inst)
    parts = [
        _resample(inst.get_data(picks=group, verbose="ERROR"), ratio, cuts) for group in groups
    ]
    data = np.concatenate(parts, axis=-2) if len(parts) > 1 else parts[0]
    del parts
    # `sfreq` of an Info is locked; resampling a short silence gives an Info with the new rate
    silence = np.zeros((len(rows), max(ratio.denominator, 100)))
    picked = mne.pick_info(inst.info, rows, verbose="ERROR")
    info = mne.io.RawArray(silence, picked, verbose="ERROR").resample(sfreq, verbose="ERROR").info
    if isinstance(inst, mne.BaseEpochs):
        return mne.EpochsArray(
            data,
            info,
            events=inst.events,
            tmin=inst.tmin,
            event_id=inst.event_id,
            metadata=with_breaks(inst),
            selection=inst.selection,
            drop_log=inst.drop_log,
            verbose="ERROR",
        )
    new = mne.io.RawArray(data, info, first_samp=round(inst.first_samp * ratio), verbose="ERROR")
    annotations = snap_breaks(inst)
    if annotations.orig_time is None:  # then MNE adds the time of the first sample on setting them
        annotations.onset -= inst.first_time
    else:  # the number of the first sample was rounded
        annotations.onset += new.first_time - inst.first_time
    return new.set_annotations(annotations, verbose="ERROR")


def _cuts(inst: Any) -> list[tuple[int, list[int]]]:
    """Return the trials with breaks and the samples at which their pieces begin.

    Of continuous signals the only one is 0; other trials are resampled as a whole.
    """
    return [
        (block or 0, [start for start, _, _ in found])
        for block, found in (blocks(inst) if is_broken(inst) else ())
        if len(found) > 1
    ]


def _resample(data: np.ndarray, ratio: Fraction, cuts: list[tuple[int, list[int]]]) -> np.ndarray:
    """Resample along the last axis, each uninterrupted piece by itself."""
    new: np.ndarray = _polyphase(data, ratio)
    for trial, starts in cuts:
        old = data[trial] if data.ndim == 3 else data
        target = new[trial] if data.ndim == 3 else new
        for start, stop in pairwise([*starts, old.shape[-1]]):
            # A piece may begin between two new samples. It is continued backwards to an old sample
            # that is also a new one, so that all of its samples keep their times.
            grid = start - start % ratio.denominator
            part = old[..., start:stop]
            if grid < start:
                part = np.concatenate([np.repeat(part[..., :1], start - grid, axis=-1), part], -1)
            made = _polyphase(part, ratio)
            offset = grid // ratio.denominator * ratio.numerator
            # rounded as the times of breaks are
            first, last = (
                break_samples(float(edge * ratio), float(edge * ratio), 1.0)[0]
                for edge in (start, stop)
            )
            last = target.shape[-1] if stop == old.shape[-1] else last
            target[..., first:last] = made[..., first - offset : last - offset]
    return new


def _polyphase(data: np.ndarray, ratio: Fraction) -> np.ndarray:
    # "line" joins first and last sample for padding: an offset must not ring at the edges
    new: np.ndarray = scipy.signal.resample_poly(
        data, ratio.numerator, ratio.denominator, axis=-1, padtype="line"
    )
    return new


def _ratio(old: float, sfreq: float) -> Fraction:
    """Return the exact ratio of the new to the old rate."""
    if not math.isfinite(sfreq) or sfreq <= 0:
        raise DataError(f"sfreq={sfreq} is not a sampling rate; expected a positive number of Hz.")
    if math.isclose(sfreq, old, rel_tol=1e-9):
        return Fraction(1)
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
    return ratio


def band_pass(inst: Instance, l_freq: float | None = None, h_freq: float | None = None) -> Instance:
    """Band-pass filter with MNE's default, a zero-phase FIR filter (Hamming window).

    EEG, EOG, EMG and ECG channels are filtered, others are left as they are. The transition band
    above `h_freq` is a quarter of it wide: with 45 Hz, line noise at 50 Hz is only halved. See
    `notch`.

    Parameters
    ----------
    inst : mne.io.BaseRaw | mne.BaseEpochs
        The signals.
    l_freq, h_freq : float | None
        Edges of the pass band in Hz. None leaves this side open; with both None nothing is done.

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
    new = copy_loaded(inst)
    apply_band_pass(new, l_freq, h_freq)
    return new


def notch(inst: Instance, freqs: float | Sequence[float]) -> Instance:
    """Remove single frequencies, such as that of the power line, with MNE's zero-phase FIR notch.

    Each notch is `freq` / 200 wide, with a transition of half a hertz on either side. The same
    channels are filtered as in `band_pass`.

    Parameters
    ----------
    inst : mne.io.BaseRaw | mne.BaseEpochs
        The signals, longer than the filter's 6.6 s.
    freqs : float | sequence of float
        Frequencies in Hz; harmonics have to be listed.

    Returns
    -------
    mne.io.BaseRaw | mne.BaseEpochs
        A filtered copy.

    Raises
    ------
    DataError
        If a frequency is not between 0 and half the sampling rate, or the signals are too short.

    Examples
    --------
    >>> info = mne.create_info(["Fz"], 256.0, "eeg")
    >>> line = np.sin(2 * np.pi * 50 * np.arange(5120) / 256)[np.newaxis]
    >>> raw = mne.io.RawArray(line, info, verbose="ERROR")
    >>> bool(abs(notch(raw, 50.0).get_data()[0, 1024:-1024]).max() < 0.01)
    True
    """
    new = copy_loaded(inst)
    apply_notch(new, freqs)
    return new


def filter_length(sfreq: float, l_freq: float | None, h_freq: float | None) -> int:
    """Return the length in samples of the filter that `band_pass` uses."""
    return len(mne.filter.create_filter(None, sfreq, l_freq, h_freq, verbose="ERROR"))


# The same in place.


def apply_band_pass(inst: Any, l_freq: float | None, h_freq: float | None) -> float:
    """Filter in place (see `band_pass`); return the seconds of pieces too short for the filter."""
    if l_freq is None and h_freq is None:
        return 0.0
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
    length, n_times = filter_length(sfreq, l_freq, h_freq), len(inst.times)
    if is_broken(inst):
        return _band_pass_pieces(inst, l_freq, h_freq, length)
    if length > n_times:
        raise DataError(
            f"The filter for l_freq={l_freq}, h_freq={h_freq} Hz lasts {length / sfreq:.2f} s, "
            f"the signals only {n_times / sfreq:.2f} s. Choose a higher l_freq or longer trials."
        )
    picks = _filtered(inst)
    if picks:
        inst.filter(l_freq, h_freq, picks=picks, verbose="ERROR")
    return 0.0


def _band_pass_pieces(inst: Any, l_freq: float | None, h_freq: float | None, length: int) -> float:
    check_remains(inst, length, f"The filter for l_freq={l_freq}, h_freq={h_freq} Hz")
    sfreq = float(inst.info["sfreq"])

    def apply(data: np.ndarray) -> np.ndarray:
        filtered: np.ndarray = mne.filter.filter_data(data, sfreq, l_freq, h_freq, verbose="ERROR")
        return filtered

    lost = filter_pieces(inst, apply, _filtered(inst), length)
    with inst.info._unlock():  # as MNE does for a filter of the whole
        if l_freq is not None:
            inst.info["highpass"] = max(l_freq, inst.info["highpass"])
        if h_freq is not None:
            inst.info["lowpass"] = min(h_freq, inst.info["lowpass"])
    return lost


def apply_notch(inst: Any, freqs: float | Sequence[float]) -> float:
    """Filter in place (see `notch`); return the seconds of pieces too short for the filter."""
    wanted = [float(freq) for freq in np.atleast_1d(np.asarray(freqs, dtype=float))]
    sfreq = float(inst.info["sfreq"])
    if not wanted:
        return 0.0
    for freq in wanted:
        # the stop band and its upper transition must fit below half the rate
        if not 1 < freq < sfreq / 2 - 1:
            raise DataError(
                f"notch={freq:g} Hz; expected more than 1 Hz, and less than {sfreq / 2 - 1:g} Hz "
                f"at the sampling rate of {sfreq:g} Hz."
            )
    length = 3.3 / _NOTCH_TRANSITION
    options = {
        "Fs": sfreq,
        "freqs": wanted,
        "trans_bandwidth": 2 * _NOTCH_TRANSITION,
        "verbose": "ERROR",
    }
    if is_broken(inst):
        samples = math.ceil(length * sfreq)
        check_remains(inst, samples, "The notch filter")
        return filter_pieces(
            inst, partial(mne.filter.notch_filter, **options), _filtered(inst), samples
        )
    if length * sfreq > len(inst.times):
        raise DataError(
            f"The notch filter lasts {length:.1f} s, the signals only "
            f"{len(inst.times) / sfreq:.2f} s. Remove notch, or use longer trials."
        )
    inst.apply_function(mne.filter.notch_filter, picks=_filtered(inst), **options)
    return 0.0


def _filtered(inst: Any) -> list[int]:
    return [i for i, kind in enumerate(inst.get_channel_types()) if kind in _FILTERED]
