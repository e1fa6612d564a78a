"""Simulated peripheral channels: eyes, muscles, skin, breath, pulse, temperature."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.signal

from eegemo.datasets.deap import DEAP_CHANNELS, DEAP_EEG_CHANNELS
from eegemo.simulation.spectra import SFREQ

__all__ = ["Peripheral", "blink_bumps", "draw_peripheral"]

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Peripheral:
    """Simulated peripheral channels.

    Attributes
    ----------
    signals : ndarray, shape (8, n_times)
        Channels 33 to 40 at 128 Hz: hEOG, vEOG, zEMG, tEMG (microvolts), GSR (ohm), respiration,
        plethysmograph (arbitrary units), temperature (degrees Celsius).
    gaze, lids : ndarray, shape (n_times,)
        What saccades and blinks alone give in hEOG and vEOG, in microvolts.
    saccades, blinks : ndarray
        When they happen, in seconds from the first sample, sorted; of a blink it is the middle.
    heights : ndarray
        Of the blinks, in microvolts.
    """

    signals: Float32
    gaze: Float64
    lids: Float64
    saccades: Float64
    blinks: Float64
    heights: Float64


def draw_peripheral(
    rng: np.random.Generator,
    n_times: int,
    *,
    pulse: float,
    breath: float,
    skin: float,
    warmth: float,
) -> Peripheral:
    """Draw peripheral channels for any duration.

    Parameters
    ----------
    rng : Generator
        Source of everything random.
    n_times : int
        Samples at 128 Hz.
    pulse, breath, skin, warmth : float
        Heart rate and breathing rate in Hz, skin resistance in ohm, skin temperature in degrees
        Celsius.

    Returns
    -------
    Peripheral
        The channels, and what the eyes did.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> drawn = draw_peripheral(rng, 640, pulse=1.1, breath=0.25, skin=2e5, warmth=33.0)
    >>> drawn.signals.shape
    (8, 640)
    """
    t = np.arange(n_times) / SFREQ
    total = n_times / SFREQ
    out = np.empty((len(DEAP_CHANNELS) - len(DEAP_EEG_CHANNELS), n_times))

    # saccades are steps of horizontal gaze, blinks bumps of 0.3 s about every 4 s
    jumps = rng.uniform(0, total, rng.poisson(0.8 * total))
    steps = np.zeros(n_times)
    steps[(jumps * SFREQ).astype(int)] = rng.normal(0, 60, len(jumps))
    gaze = scipy.signal.lfilter([1.0], [1.0, -0.99], steps)
    out[0] = gaze + rng.normal(0, 6, n_times)
    blinks = rng.uniform(0, total, rng.poisson(0.25 * total))
    height = rng.normal(320, 50, len(blinks))
    lids = blink_bumps(t, blinks, height)
    out[1] = lids + rng.normal(0, 8, n_times)

    # muscles: noise with bursts of tension
    for row, level in ((2, 8.0), (3, 14.0)):
        tension = 1 + 2 * np.exp(-0.5 * ((t - rng.uniform(0, total)) / 1.5) ** 2)
        out[row] = level * tension * np.diff(rng.standard_normal(n_times + 1))

    # skin resistance drifts and falls by a few per cent, with slow recovery, per response
    events = rng.uniform(0, total, rng.poisson(0.08 * total))
    since = t - events[:, None]
    falls = np.where(since > 0, (1 - np.exp(-since / 0.7)) * np.exp(-since / 8), 0)
    drift = rng.normal(0, 0.02) * t / total + 1 + rng.normal(0, 0.03)
    out[4] = skin * (drift - 0.03 * falls.sum(axis=0)) + rng.normal(0, 20, n_times)

    phase = 2 * np.pi * (breath * rng.normal(1, 0.05) * t + rng.uniform())
    out[5] = 400 * np.sin(phase) + rng.normal(0, 8, n_times)
    beat = 2 * np.pi * (pulse * rng.normal(1, 0.03) * t + rng.uniform())
    beat += 0.15 * np.sin(phase)  # the heart beats faster while breathing in
    out[6] = 900 * np.sin(beat) + 350 * np.sin(2 * beat + 0.8) + rng.normal(0, 15, n_times)
    out[7] = warmth + rng.normal(0, 0.1) + rng.normal(0, 0.05) * t / total
    out[7] += rng.normal(0, 0.003, n_times)
    signals = out.astype(np.float32)
    order = np.argsort(blinks)
    return Peripheral(signals, gaze, lids, np.sort(jumps), blinks[order], height[order])


def blink_bumps(t: Float64, blinks: Float64, heights: Float64) -> Float64:
    """Return the blinks in the vertical EOG: bumps of about 0.3 s.

    Parameters
    ----------
    t : ndarray, shape (n_times,)
        Times in seconds.
    blinks, heights : ndarray, shape (n_blinks,)
        Middle of each blink in seconds, and its height.

    Returns
    -------
    ndarray, shape (n_times,)

    Examples
    --------
    >>> blink_bumps(np.array([0.0, 1.0]), np.array([1.0]), np.array([320.0])).round().tolist()
    [0.0, 320.0]
    """
    bumps: Float64 = np.exp(-0.5 * ((t - blinks[:, None]) / 0.08) ** 2)
    return heights @ bumps
