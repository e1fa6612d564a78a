"""Whether signals can be EEG: numbers, of a plausible size, neither clipped nor without a unit."""

from pathlib import Path

import mne
import numpy as np

from eegemo.errors import DataError

__all__ = ["PLAUSIBLE", "check_signals", "typical_amplitude"]

#: Volts rms: the typical amplitude of EEG after removing offset and drift, with a wide margin.
PLAUSIBLE = (0.5e-6, 500e-6)
# Factors that a unit explains, and what would have happened.
_FACTORS = {
    1e6: "1e6 times too large: as if microvolts were read as volts",
    1e3: "1e3 times too large: as if microvolts were read as millivolts",
    1e9: "1e9 times too large: as if nanovolts were read as volts",
    1e-3: "1e3 times too small: as if millivolts were read as microvolts",
    1e-6: "1e6 times too small: as if volts were read as microvolts",
}
_MOST = 1.0  # V; no electrode has an offset of this size
_WINDOWS = 60  # of a second, in which the amplitude is measured
_CLIPPED = 1e-3  # fraction of samples at the extreme values
_FEWEST = 20


def check_signals(raw: mne.io.BaseRaw, path: Path) -> list[str]:
    """Refuse samples that are no numbers; return notes on EEG that is implausible.

    Parameters
    ----------
    raw : mne.io.BaseRaw
        Loaded signals, in volts.
    path : pathlib.Path
        For messages.

    Returns
    -------
    list of str
        On the typical amplitude of the EEG, and on clipped channels.

    Raises
    ------
    DataError
        If a channel holds NaN or infinity.
    """
    clipped, constant, amplitudes = [], [], []
    # the array itself: `get_data` would copy each channel
    for name, kind, signal in zip(raw.ch_names, raw.get_channel_types(), raw._data, strict=True):
        with np.errstate(all="ignore"):
            total = signal.sum()
        if not np.isfinite(total) and not np.isfinite(signal).all():
            raise DataError(f"{path}, channel {name} holds NaN or infinity.")
        if kind != "eeg":
            continue
        low, high = float(signal.min()), float(signal.max())
        if _is_clipped(signal, low, high):
            clipped.append(name)
        amplitude = typical_amplitude(signal, float(raw.info["sfreq"]))
        # what is left of a mere drift is the rounding of its numbers
        amplitudes.append(amplitude if low < high and amplitude > 1e-5 * (high - low) else 0.0)
        if amplitudes[-1] == 0 and abs(signal[0]) > _MOST:
            constant.append(name)
    notes = []
    if constant:
        shown = ", ".join(constant[:3]) + (", ..." if len(constant) > 3 else "")
        notes.append(f"{len(constant)} EEG channels are constant at more than 1 V: {shown}")
    known = [amplitude for amplitude in amplitudes if amplitude > 0]
    if known:
        note = _amplitude_note(float(np.median(known)))
        notes += [note] if note else []
    if clipped:
        notes.append(
            f"clipped, many samples are at the largest or smallest value: {', '.join(clipped)}"
        )
    return notes


def typical_amplitude(signal: np.ndarray, sfreq: float) -> float:
    """Return the typical amplitude of a channel without offset and drift.

    Parameters
    ----------
    signal : ndarray, shape (n_times,)
    sfreq : float
        In Hz.

    Returns
    -------
    float
        The median, over seconds, of the root mean square around a straight line, in the unit of
        the signal.

    Examples
    --------
    >>> time = np.arange(2560) / 256
    >>> round(typical_amplitude(5e-3 + 1e-4 * time + 2e-5 * np.sin(63 * time), 256.0) * 1e6, 1)
    14.1
    """
    length = min(max(round(sfreq), 2), signal.size)
    n_windows = signal.size // length if length else 0
    if n_windows == 0 or length < 3:
        return 0.0
    chosen = np.unique(np.linspace(0, n_windows - 1, _WINDOWS).astype(int))
    windows = signal[: n_windows * length].reshape(n_windows, length)[chosen]
    windows = windows - windows.mean(axis=1, keepdims=True)
    ramp = np.arange(length) - (length - 1) / 2
    residual = windows - np.outer(windows @ ramp / (ramp @ ramp), ramp)
    return float(np.median(np.sqrt(np.square(residual).mean(axis=1))))


def _amplitude_note(amplitude: float) -> str | None:
    low, high = PLAUSIBLE
    if low <= amplitude <= high:
        return None
    why = next(
        (
            text
            for factor, text in _FACTORS.items()
            if 2 * low <= amplitude / factor <= high / 2 and (factor > 1) == (amplitude > high)
        ),
        "no unit explains it",
    )
    size = "above 500" if amplitude > high else "below 0.5"
    return (
        f"the typical amplitude of the EEG is {size} µV rms, {why}. Is the unit in the file or in "
        "channels.tsv right?"
    )


def _is_clipped(signal: np.ndarray, low: float, high: float) -> bool:
    if not low < high:  # constant
        return False
    fewest = max(_FEWEST, _CLIPPED * signal.size)
    some = signal[:: max(1, signal.size // 20_000)]  # enough to see where to look more closely
    for extreme in (low, high):
        if np.count_nonzero(some == extreme) < 0.25 * fewest * some.size / signal.size:
            continue
        number = int(np.count_nonzero(signal == extreme))
        if number < fewest:
            continue
        # a signal of few levels, as of a trigger, has many samples at any of them
        levels = np.unique(some)
        near = np.abs(signal - extreme) <= 0.02 * (high - low)
        if levels.size > 50 and number > 2 * (int(np.count_nonzero(near)) - number):
            return True
    return False
