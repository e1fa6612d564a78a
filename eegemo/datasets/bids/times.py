"""What onsets beyond the end of a recording probably are: milliseconds, or numbers of samples."""

from collections.abc import Sequence

import numpy as np

__all__ = ["explain_onsets", "is_other_unit"]

# Fraction of the recording that onsets reach into at least, in the unit that they are in.
_REACH = 0.3


def explain_onsets(
    onsets: Sequence[float], durations: Sequence[float], length_s: float, sfreq: float
) -> str:
    """Say what onsets are that do not fit into a recording.

    Parameters
    ----------
    onsets : sequence of float
        As they are in the table.
    durations : sequence of float
        NaN where there is none.
    length_s : float
        Length of the recording in seconds.
    sfreq : float
        Sampling rate in Hz.

    Returns
    -------
    words : str
        The largest onset, the length of the recording, and what the onsets look like; empty if all
        trials begin inside the recording.

    Examples
    --------
    >>> explain_onsets([1000, 6000, 56000], [4000] * 3, 70.0, 128.0)
    'the largest onset is 56000, the recording lasts 70 s; the onsets look like milliseconds'
    >>> explain_onsets([128, 768, 7168], [4] * 3, 70.0, 128.0)
    'the largest onset is 7168, the recording lasts 70 s; the onsets look like samples at 128 Hz'
    >>> explain_onsets([1, 6, 80], [4] * 3, 70.0, 128.0)
    'the largest onset is 80, the recording lasts 70 s; is the recording complete?'
    """
    largest = float(np.nanmax(np.asarray(onsets, dtype=float), initial=0.0))
    if largest < length_s:
        return ""
    words = f"the largest onset is {largest:.10g}, the recording lasts {length_s:.6g} s"
    unit = _other_unit(onsets, durations, length_s, sfreq)
    if unit:
        return f"{words}; the onsets look like {unit}"
    return f"{words}; is the recording complete?"


def is_other_unit(
    onsets: Sequence[float], durations: Sequence[float], length_s: float, sfreq: float
) -> bool:
    """Return whether onsets are in another unit than seconds, beyond doubt.

    Most of them lie beyond the recording, by far, and all fit into it in another unit.
    """
    times = np.asarray(onsets, dtype=float)
    times = times[~np.isnan(times)]
    far = times.size > 1 and (times > length_s).mean() > 0.5 and times.max() > 2 * length_s
    return bool(far and _other_unit(onsets, durations, length_s, sfreq))


def _other_unit(
    onsets: Sequence[float], durations: Sequence[float], length_s: float, sfreq: float
) -> str:
    """Return the unit in which onsets fit into a recording; empty if they do in none."""
    times = np.asarray(onsets, dtype=float)
    times = times[~np.isnan(times)]
    lengths = np.asarray(durations, dtype=float)
    # durations are in the unit of the onsets, or in seconds
    longest = float(np.nanmax(lengths, initial=0.0))
    reach = {}
    for unit, per_second in (("milliseconds", 1000.0), (f"samples at {sfreq:g} Hz", sfreq)):
        scaled = times.max() / per_second
        last = longest / per_second if longest > length_s else longest
        if scaled + min(last, length_s) <= 1.05 * length_s:
            reach[unit] = scaled / length_s
    plausible = {unit: part for unit, part in reach.items() if part >= _REACH}
    if plausible:
        # in whole numbers, where both fit: samples have no fractions
        whole = bool((times == np.round(times)).all())
        names = [unit for unit in plausible if whole or unit == "milliseconds"]
        return " or ".join(names or plausible)
    if reach and times.max() > 10 * length_s:
        return max(reach, key=lambda unit: reach[unit])
    return ""
