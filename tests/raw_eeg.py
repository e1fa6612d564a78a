"""A small simulated recording with everything in it that preprocessing is there to remove."""

from functools import cache

import mne
import numpy as np
import scipy.signal

from eegemo.datasets.deap import DEAP_EEG_CHANNELS
from eegemo.simulation.head import electrode_directions, lead_field

SFREQ = 256.0


def simulate(seed=0, seconds=90):
    """Return a Raw (EEG, hEOG, vEOG), the clean EEG (32, n_times), and the samples of blinks."""
    raw, clean, blinks = _simulate(seed, seconds)
    return raw.copy(), clean.copy(), blinks.copy()


@cache
def _simulate(seed, seconds):
    """Make what `simulate` returns.

    Pink and alpha sources in a spherical head; blinks and saccades with topographies of their own;
    drift, line noise and sensor noise. Potentials are against an electrode that is itself active.
    """
    rng = np.random.default_rng(seed)
    n = round(seconds * SFREQ)
    gain, at = lead_field(), electrode_directions()
    picks = rng.choice(gain.shape[1], 30, replace=False)
    mixing = np.einsum("csk,sk->cs", gain[:, picks], rng.normal(size=(30, 3)))
    freqs = np.fft.rfftfreq(n, 1 / SFREQ)
    shape = 1 / np.maximum(freqs, 0.5) ** 0.5
    shape[freqs < 0.5] = 0
    shape = shape * np.ones((30, 1)) + 1.5 * (np.arange(30)[:, None] < 8) * (abs(freqs - 10) < 1)
    white = rng.normal(size=(30, len(freqs))) + 1j * rng.normal(size=(30, len(freqs)))
    waxing = rng.normal(size=(30, seconds + 2)).repeat(round(SFREQ), axis=1)[:, :n]  # each second
    clean = mixing @ (np.fft.irfft(white * shape, n) * np.exp(0.6 * waxing))
    clean *= 15e-6 / clean.std()

    t = np.arange(n) / SFREQ
    onsets = np.cumsum(rng.uniform(2, 6, 100))
    onsets = onsets[onsets < seconds - 1]
    height = rng.normal(320e-6, 50e-6, len(onsets))
    blink = height @ np.exp(-0.5 * ((t - onsets[:, None]) / 0.08) ** 2)
    jumps = np.zeros(n)
    jumps[rng.choice(n, seconds // 2, replace=False)] = rng.normal(0, 60e-6, seconds // 2)
    gaze = scipy.signal.lfilter([1.0], [1.0, -0.995], jumps)
    front = np.exp(4 * (at[:, 1] - at[:, 1].max()))
    eeg = clean + np.outer(0.45 * front, blink) + np.outer(0.6 * front * np.sign(at[:, 0]), gaze)
    eeg += np.cumsum(rng.normal(size=(32, n)), axis=1) * 3e-7 + rng.normal(0, 5e-3, (32, 1))
    eeg += 5e-6 * np.sin(2 * np.pi * 50 * t) + rng.normal(0, 3e-7, (32, n))
    eeg += 10e-6 * np.sin(2 * np.pi * 7 * t + 1)  # what the reference electrode sees
    heog = gaze + 0.02 * blink + 0.05 * clean[0] + rng.normal(0, 3e-6, n)
    veog = blink + 0.1 * gaze + 0.05 * clean[0] + rng.normal(0, 5e-6, n)

    types = ["eeg"] * 32 + ["eog"] * 2
    info = mne.create_info([*DEAP_EEG_CHANNELS, "hEOG", "vEOG"], SFREQ, types, verbose="ERROR")
    info.set_montage("biosemi32")
    raw = mne.io.RawArray(np.vstack([eeg, heog, veog]), info, verbose="ERROR")
    return raw, clean, (onsets * SFREQ).astype(int)
