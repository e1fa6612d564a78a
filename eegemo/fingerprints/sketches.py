"""Fingerprints of trials: the same signals are recognised under another name, unit or reference.

A fingerprint has a checksum of all samples, and a sketch of at most 960 bytes. The sketch rests on
products of topographies. With ``y(t)`` the channels between 3 and 10 Hz, less their mean::

    power       p(t)    = y(t) . y(t)
    likeness    q(t, k) = y(t) . y(t + k)      k = 1, 2, ... steps of 1/32 s

Neither depends on sign, reference or order of the channels, and ``log p`` and ``q / p`` not on the
unit. The band leaves out offsets, drifts and line noise; products of the whole spectrum and of the
filtered one are alike in it. A cut moves a sketch in time and leaves it as it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import as_strided

__all__ = ["FINGERPRINT", "FINGERPRINT_VERSION", "make_fingerprints", "sketch_of"]

#: Increased when the same signals would get another fingerprint.
FINGERPRINT_VERSION = 1

_SIZE = 960  # bytes of a sketch
_LAGS = 8  # most series of a band
_RATE = 32.0  # Hz, of a sketch, or nearly; of a long trial a whole fraction of it
_CENTRE, _SECOND = 6.0, 14.0  # Hz, of the band, and of another for short trials
_FLOOR = 0.1  # of the mean power: what is added where power is divided by, or its log taken
_STEPS = 32  # of an int8 in a standard deviation
_BLOCK = 8  # samples that one product of matrices gives
_EVERY = 32  # samples whose bytes enter the digest
_BATCH = 1 << 22  # bytes of signals at a time, which stay in the cache
_SHORT = 120  # values of a series of a trial that has room for a second band: 4 s
_LEAST = 8  # samples of a sketch; a shorter one says nothing

#: A fingerprint of less than 1 kB. ``sketch`` has `low` series of the first band, then `high`
#: series of the second, of `size` values each.
FINGERPRINT = np.dtype(
    [
        ("digest", "u1", 16),
        ("rate", "<f4"),
        ("size", "<u2"),
        ("low", "u1"),
        ("high", "u1"),
        ("flat", "?"),
        ("sketch", "i1", _SIZE),
    ]
)


def make_fingerprints(trials: Iterable[np.ndarray] | np.ndarray, sfreq: float) -> np.ndarray:
    """Return the fingerprint of each trial.

    Parameters
    ----------
    trials : iterable of ndarray of float32
        Each of a trial, shape (n_times, n_channels), or of several of one length, shape (n,
        n_times, n_channels); in any unit. An array of all trials is gone through in parts.
    sfreq : float
        Sampling frequency in Hz.

    Returns
    -------
    prints : ndarray of `FINGERPRINT`, shape (n_trials,)
        ``digest`` of shape and every 32nd sample, in any order of channels; ``rate`` of the
        sketch in Hz; ``flat`` where no channel changes.

    Examples
    --------
    >>> signals = np.random.default_rng(0).standard_normal((2, 384, 4)).astype(np.float32)
    >>> prints = make_fingerprints([signals[0], -50 * signals[0] + 3, signals[1]], 128.0)
    >>> sketch = prints["sketch"].astype(float)
    >>> bool(abs(sketch[0] - sketch[1]).max() <= 1), bool(abs(sketch[0] - sketch[2]).max() <= 1)
    (True, False)
    """
    made = [_fingerprints(part, sfreq) for part in _batches(trials)]
    return np.concatenate([np.empty(0, FINGERPRINT), *made])


def _batches(trials: Iterable[np.ndarray] | np.ndarray) -> Iterator[np.ndarray]:
    """Yield copies of trials of equal length, shape (n, n_times, n_channels), of about 1 MB."""
    if isinstance(trials, np.ndarray):
        each = max(1, _BATCH // max(trials[:1].nbytes, 1))
        for first in range(0, len(trials), each):
            yield np.ascontiguousarray(trials[first : first + each], "<f4")
    else:
        for signals in trials:
            yield np.ascontiguousarray(signals if signals.ndim == 3 else signals[None], "<f4")


def _fingerprints(trials: np.ndarray, sfreq: float) -> np.ndarray:
    series, low, rate = _sketch(trials, sfreq)
    n, lags, size = series.shape
    made = np.zeros(n, FINGERPRINT)
    made["rate"], made["size"], made["low"], made["high"] = rate, size, low, lags - low
    made["sketch"][:, : lags * size] = series.reshape(n, -1)
    silent = ~series.any(axis=(1, 2))
    made["flat"][silent] = ~np.ptp(trials[silent], axis=1).any(axis=1)
    # the bits of some samples, since those of all would cost as much as all else; the sketch is
    # drawn from every sample. Channels are sorted, since two files may have them in any order
    some = trials[:, ::_EVERY].view("<u4")
    sums = np.sort(np.einsum("t,btc->bc", _factors(some.shape[1]), some, dtype=np.uint64), axis=1)
    about = f"{trials.shape[1:]} {sfreq}".encode()
    for k, row in enumerate(sums):
        digest = hashlib.blake2b(about + row.tobytes(), digest_size=16).digest()
        made["digest"][k] = np.frombuffer(digest, "u1")
    return made


def sketch_of(fingerprint: np.void) -> tuple[np.ndarray, np.ndarray]:
    """Return the sketch of a fingerprint: the series of both bands, shapes (lags, size), int8."""
    low, size = int(fingerprint["low"]), int(fingerprint["size"])
    lags = low + int(fingerprint["high"])
    sketch: np.ndarray = fingerprint["sketch"][: lags * size].reshape(lags, size)
    return sketch[:low], sketch[low:]


def _sketch(trials: np.ndarray, sfreq: float) -> tuple[np.ndarray, int, float]:
    """Return the series of each trial, how many are of the first band, and their rate.

    Shape (n_trials, lags, size), int8; of mean 0 and standard deviation `_STEPS`.
    """
    first = max(1, int(sfreq // 128))
    lowered, fast = _lower(trials, first), sfreq / first
    step = max(1, 2 * int(fast // (2 * _RATE)))
    narrow, rate = _filter(lowered, fast, step, _CENTRE), fast / step
    n_trials, n, _ = narrow.shape
    if n < _LEAST:
        return np.zeros((n_trials, 1, 0), np.int8), 1, rate
    pool = 1
    while 2 * (n // pool) > _SIZE:  # a long trial: two series, at a lower rate
        pool *= 2
    if n <= _SHORT and step > 1:  # a short trial: a second band, and perhaps twice the rate
        twice = 2 if n <= _SHORT // 4 else 1
        low = min(_LAGS, _SIZE // (2 * n))
        second = _filter(lowered, fast, step // 2, _SECOND)
        if twice == 2:
            narrow = _filter(lowered, fast, step // 2, _CENTRE)
        parts = _series(narrow, low, 1, twice), _series(second, low, 2 // twice, 1)
        size = min(part.shape[2] for part in parts)
        made, rate = np.concatenate([part[:, :, :size] for part in parts], axis=1), rate * twice
    else:
        low = min(_LAGS, _SIZE // (n // pool))
        made, rate = _series(narrow, low, pool, 1), rate / pool
    made -= made.mean(axis=2, keepdims=True)
    spread = made.std(axis=2, keepdims=True)
    made *= _STEPS / np.where(spread > 1e-6, spread, np.inf)
    return np.clip(np.rint(made), -127, 127).astype(np.int8), low, rate


def _series(narrow: np.ndarray, lags: int, pool: int, apart: int) -> np.ndarray:
    """Return log power and likenesses of each trial, shape (n_trials, lags, size).

    The mean over channels is taken from `narrow` itself.
    """
    n_channels = narrow.shape[2]
    if n_channels > 1:
        narrow -= narrow @ np.full((n_channels, 1), 1 / n_channels, np.float32)
    n = narrow.shape[1] - (lags - 1) * apart
    power = np.einsum("btc,btc->bt", narrow, narrow)
    mean = power.mean(axis=1, keepdims=True)
    mean[~(mean > 0) | ~np.isfinite(mean)] = np.inf
    power /= mean
    like = np.empty((len(narrow), lags, n), np.float32)
    both = np.empty_like(like)
    like[:, 0], both[:, 0] = power[:, :n], 1
    for k in range(1, lags):
        lag = k * apart
        np.einsum("btc,btc->bt", narrow[:, :n], narrow[:, lag : lag + n], out=like[:, k])
        np.add(power[:, :n], power[:, lag : lag + n], out=both[:, k])
    like[:, 1:] /= mean[:, None]
    made, both = _smooth(like, pool), _smooth(both, pool)
    made[:, 0] = np.log(made[:, 0] + _FLOOR)
    made[:, 1:] /= both[:, 1:] / 2 + _FLOOR
    return made


def _smooth(series: np.ndarray, pool: int) -> np.ndarray:
    """Return series without their fastest changes, at a rate `pool` times lower (a power of 2)."""
    series = series[:, :, : series.shape[2] // pool * pool]
    for _ in range(pool.bit_length() - 1):  # by halves, which is much faster than a mean of each
        series = 0.5 * (series[:, :, ::2] + series[:, :, 1::2])
    smooth = 0.5 * series
    smooth[:, :, 1:] += 0.25 * series[:, :, :-1]
    smooth[:, :, :-1] += 0.25 * series[:, :, 1:]
    smooth[:, :, [0, -1]] += 0.25 * series[:, :, [0, -1]]
    return smooth


def _lower(trials: np.ndarray, factor: int) -> np.ndarray:
    """Return sums of `factor` samples: line noise does not fold into the band at 100 to 200 Hz."""
    if factor == 1:
        return trials
    n, n_times, n_channels = trials.shape
    whole = n_times // factor
    parts = trials[:, : whole * factor].reshape(n, whole, factor, n_channels)
    summed: np.ndarray = parts[:, :, 0] + parts[:, :, 1]
    for k in range(2, factor):
        summed += parts[:, :, k]
    return summed


def _filter(trials: np.ndarray, rate: float, step: int, centre: float) -> np.ndarray:
    """Return a band of each trial at a low rate, shape (n_trials, n, n_channels)."""
    weights, length = _weights(rate, step, min(centre, rate / 4))
    n_trials, n_times, n_channels = trials.shape
    n = (n_times - length) // step + 1
    if n < _BLOCK:
        return np.empty((n_trials, 0, n_channels), np.float32)
    blocks, over = divmod(n, _BLOCK)
    trial, row, column = trials.strides
    view = as_strided(
        trials,
        (n_trials, blocks, weights.shape[1], n_channels),
        (trial, _BLOCK * step * row, row, column),
        writeable=False,
    )
    whole = np.empty((n_trials, blocks + 1, _BLOCK, n_channels), np.float32)
    np.matmul(weights, view, out=whole[:, :blocks])
    if over:  # the last block overlaps the one before
        begin = (n - _BLOCK) * step
        last = weights @ trials[:, begin : begin + weights.shape[1]]
        whole[:, blocks, :over] = last[:, -over:]
    narrow: np.ndarray = whole.reshape(n_trials, -1, n_channels)[:, :n]
    return narrow


@lru_cache(maxsize=16)
def _factors(n: int) -> np.ndarray:
    """Return odd numbers, by which samples are multiplied to be told apart by a sum."""
    return np.random.default_rng(0).integers(2**63, size=n, dtype=np.uint64) | np.uint64(1)


@lru_cache(maxsize=16)
def _weights(rate: float, step: int, centre: float) -> tuple[np.ndarray, int]:
    """Return the filter for a block of outputs, shape (_BLOCK, inputs), and its length.

    The second derivative of a Gaussian: it has one lobe in frequency, and no memory of offsets.
    """
    sigma = 1 / (np.sqrt(2) * np.pi * centre)
    half = int(np.ceil(3 * sigma * rate))
    time = np.arange(-half, half + 1) / (rate * sigma)
    taps = (1 - time**2) * np.exp(-(time**2) / 2)
    taps -= taps.mean()
    weights = np.zeros((_BLOCK, (_BLOCK - 1) * step + len(taps)), np.float32)
    for k in range(_BLOCK):
        weights[k, k * step : k * step + len(taps)] = taps
    return weights, len(taps)
