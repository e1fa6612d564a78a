"""Pairs of trials with the same signals: candidates by nearest neighbours, then a comparison.

A candidate is a pair with a stretch around a peak of power in common, wherever the peak is in its
trial. The sketches of candidates are then moved along each other, in quarters of a sample, and
correlated over what overlaps. Chance correlates short stretches better than long ones, so less of a
correlation is asked for where there is more to compare.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from eegemo.fingerprints.sketches import sketch_of

__all__ = ["Near", "compare", "find_identical", "find_near"]

#: Least correlation of sketches, whatever their length.
_LEAST = 0.6
#: Least z: artanh of a correlation, times the root of how many values it is of (an eighth of
#: each series, a value of which is 1/32 s or more). See docs/copies.md.
_CERTAIN = 6.0
_RATE = 32.0  # Hz: faster sketches say no more
_SHARED = 0.3  # of the shorter trial: least overlap of two trials
_FEWEST = 8  # values of a series: least overlap
_LONGEST = 96  # values of a series around a peak; a quarter of the trial if that is less
_PEAKS = 6  # of a trial
_DIMENSIONS = 32  # random projections of a stretch
_NEAR = 0.6  # least cosine of projections
_STRETCH = 0.65  # least correlation of stretches
_ROUGHLY = 0.5  # least correlation of sketches before they are moved in parts of a sample
_BLOCK = 512  # stretches compared with all others at a time
_PARTS = 4  # of a sample, by which sketches are moved


class Near(NamedTuple):
    """Two trials with nearly the same signals.

    Attributes
    ----------
    first, second : int
        Numbers of the trials, the smaller first.
    similarity : float
        Correlation of the sketches, up to 1.
    delay : float
        Seconds by which the first is ahead: what the second shows at 0 s, the first shows at
        `delay`.
    """

    first: int
    second: int
    similarity: float
    delay: float


def find_identical(prints: np.ndarray) -> list[list[int]]:
    """Return groups of two or more trials with the same digest, in order; flat ones aside."""
    rows = np.flatnonzero(~prints["flat"])
    keys = prints["digest"][rows].view("V16").ravel()
    _, group = np.unique(keys, return_inverse=True)
    order = np.argsort(group, kind="stable")
    parts = np.split(rows[order], np.flatnonzero(np.diff(group[order])) + 1)
    return sorted(part.tolist() for part in parts if len(part) > 1)


def find_near(prints: np.ndarray) -> list[Near]:
    """Find pairs of trials with nearly, or exactly, the same signals.

    Parameters
    ----------
    prints : ndarray of `FINGERPRINT`, shape (n_trials,)

    Returns
    -------
    pairs : list of Near
        By number. Of many trials that are all alike, some pairs that connect them.
    """
    found = []
    for first, second in _candidates(prints):
        similarity, delay = compare(prints[first], prints[second])
        if similarity > 0:
            found.append(Near(first, second, similarity, delay))
    return found


def _candidates(prints: np.ndarray) -> list[tuple[int, int]]:
    """Return pairs of trials that have a stretch around a peak in common, or nearly so."""
    told = np.flatnonzero((prints["size"] >= _FEWEST) & prints["sketch"].any(axis=1))
    found: set[tuple[int, int]] = set()
    for rate in np.unique(prints["rate"][told]):
        # trials are compared at the lower rate of the two, so each with those of its rate or more
        rows = told[prints["rate"][told] >= rate]
        sketches = [
            _lowered(sketch_of(prints[row]), float(prints["rate"][row]), float(rate))
            for row in rows
        ]
        for a, b in _neighbours(sketches):
            if rate in (prints["rate"][rows[a]], prints["rate"][rows[b]]):
                found.add((int(min(rows[a], rows[b])), int(max(rows[a], rows[b]))))
    return sorted(found)


def _neighbours(sketches: list[np.ndarray]) -> Iterator[tuple[int, int]]:
    """Yield pairs of sketches of one rate that agree around a peak, and beyond."""
    lags = min(len(sketch) for sketch in sketches)
    sizes = np.array([sketch.shape[1] for sketch in sketches])
    window = min(_LONGEST, max(_FEWEST, int(sizes.min()) // 4))
    axes = np.random.default_rng(0).standard_normal((lags * window, _DIMENSIONS), np.float32)
    series = np.zeros((2, len(sketches), lags, sizes.max()), np.float32)
    parts, owners, places = [], [], []
    for number, sketch in enumerate(sketches):
        # a copy may be cut by half a sample of its sketch
        for half in (0, 1):
            series[half, number, :, : sizes[number]] = _moved(sketch[:lags], half / 2)
        places.append(_peaks(sketch[0], window))
        owners.append(np.full(len(places[-1]), number))
        within = places[-1][:, None] + np.arange(window)
        parts.append(series[:, number][:, :, within].transpose(0, 2, 1, 3))
    owner, place = np.concatenate(owners), np.concatenate(places)
    stretches = _unit(np.concatenate(parts, axis=1).reshape(2, len(owner), -1))
    points = _unit(stretches @ axes)
    for first in range(0, len(owner), _BLOCK):
        for half in (0, 1):
            near = points[half, first : first + _BLOCK] @ points[0].T >= _NEAR
            a, b = np.divmod(np.flatnonzero(near), len(owner))
            a += first
            known = owner[a] != owner[b]
            a, b = a[known], b[known]
            like = np.einsum("pv,pv->p", stretches[half, a], stretches[0, b]) >= _STRETCH
            a, b = a[like], b[like]
            pair = np.stack([owner[a], owner[b]])
            moved = series[half], series[0]
            pair = pair[:, _agree(moved, sizes, pair, place[a] - place[b])]
            yield from zip(*pair.tolist(), strict=True)


def _agree(
    series: tuple[np.ndarray, np.ndarray], sizes: np.ndarray, pair: np.ndarray, shift: np.ndarray
) -> np.ndarray:
    """Mark the pairs that correlate where both have values, at a shift of the second."""
    agrees = np.zeros(len(shift), bool)
    lags, longest = series[0].shape[1:]
    for first in range(0, len(shift), _BLOCK):
        part = slice(first, first + _BLOCK)
        (a, b), moved = pair[:, part], shift[part, None]
        at = np.arange(longest) + np.maximum(moved, 0)
        inside = (at < sizes[a][:, None]) & (at - moved < sizes[b][:, None])
        n = inside.sum(axis=1)
        x, y = (
            np.where(
                inside[:, None],
                np.take_along_axis(values[who], np.minimum(where, longest - 1)[:, None], axis=2),
                0,
            )
            for values, who, where in ((series[0], a, at), (series[1], b, at - moved))
        )
        x, y = (
            np.where(
                inside[:, None],
                values - values.sum(axis=2, keepdims=True) / np.maximum(n, 1)[:, None, None],
                0,
            )
            for values in (x, y)
        )
        product, x2, y2 = (
            np.einsum("plt,plt->p", *both) for both in ((x, y), (x, x), (y, y))
        )
        agrees[part] = product >= _ROUGHLY * np.sqrt(x2 * y2)
    return agrees


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Return vectors less their mean, of length 1, as float32."""
    vectors = vectors - vectors.mean(axis=-1, keepdims=True)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
    return vectors.astype(np.float32)


def _peaks(power: np.ndarray, window: int) -> np.ndarray:
    """Return where stretches around the highest peaks of a series begin."""
    half = window // 2
    middle = np.arange(half, len(power) - (window - half) + 1)
    inner = power[middle]
    before, after = power[middle - 1], power[np.minimum(middle + 1, len(power) - 1)]
    peaks = middle[(inner >= before) & (inner > after)]
    if not len(peaks):
        peaks = middle[[int(inner.argmax())]]
    highest = peaks[np.argsort(-power[peaks], kind="stable")[:_PEAKS]]
    begins: np.ndarray = np.sort(highest) - half
    return begins


def compare(first: np.void, second: np.void) -> tuple[float, float]:
    """Return the similarity of two fingerprints, 0 if they are of different signals, and the delay.

    Parameters
    ----------
    first, second : void of `FINGERPRINT`

    Returns
    -------
    similarity : float
        Correlation of the sketches where they agree best.
    delay : float
        As in `Near`.
    """
    similarity, score, delay = _best(first, second)
    certain = similarity >= _LEAST and score >= _CERTAIN
    return (similarity if certain else 0.0), delay


def _best(first: np.void, second: np.void) -> tuple[float, float, float]:
    """Return the correlation where two sketches agree best, how certain it is, and the delay."""
    a, b, rate = _alike(first, second)
    lags, n_a, n_b = len(a), a.shape[1], b.shape[1]
    least = max(_FEWEST, int(np.ceil(_SHARED * min(n_a, n_b))))
    shifts = np.arange(least - n_b, n_a - least + 1)
    if not lags or not shifts.size:
        return 0.0, 0.0, 0.0
    begin, end = np.maximum(shifts, 0), np.minimum(n_a, n_b + shifts)
    n = end - begin
    size = 1 << int(np.ceil(np.log2(n_a + n_b)))
    spectrum = np.fft.rfft(a, size)
    moments_a = _moments(a, begin, end)
    found = np.empty((_PARTS, len(shifts)))
    for part in range(_PARTS):
        moved = _moved(b, part / _PARTS)
        product = np.fft.irfft(spectrum * np.conj(np.fft.rfft(moved, size)), size).sum(axis=0)
        moments_b = _moments(moved, begin - shifts, end - shifts)
        shared = product[shifts % size] - (moments_a[0] * moments_b[0]).sum(axis=0) / n
        spread = (moments_a[1] - (moments_a[0] ** 2).sum(axis=0) / n) * (
            moments_b[1] - (moments_b[0] ** 2).sum(axis=0) / n
        )
        found[part] = shared / np.sqrt(np.maximum(spread, 1e-9))
    score = np.arctanh(np.clip(found, -1, 1 - 1e-9)) * np.sqrt(
        n * min(1.0, _RATE / rate) * (lags if lags > 8 else min(lags, 4)) / 8
    )
    part, where = np.unravel_index(int(score.argmax()), score.shape)
    delay = float((shifts[where] - part / _PARTS) / rate)
    return float(found[part, where]), float(score[part, where]), delay


def _alike(first: np.void, second: np.void) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the series that two sketches have in common, at the lower of their rates."""
    rate = float(min(first["rate"], second["rate"]))
    a, b = (_lowered(sketch_of(one), float(one["rate"]), rate) for one in (first, second))
    lags = min(len(a), len(b))
    return a[:lags], b[:lags], rate


def _lowered(sketch: np.ndarray, rate: float, wanted: float) -> np.ndarray:
    """Return a sketch at a rate that is a half, a quarter, ... of its own."""
    pool = max(1, round(rate / wanted))
    size = sketch.shape[1] // pool
    lowered: np.ndarray = sketch[:, : size * pool].reshape(len(sketch), size, pool).mean(axis=2)
    return lowered


def _moments(series: np.ndarray, begin: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return the sum of each series, and of the squares of all, from `begin` to `end`."""
    sums = np.concatenate([np.zeros((len(series), 1)), series.cumsum(axis=1)], axis=1)
    squares = np.concatenate([[0.0], (series**2).sum(axis=0).cumsum()])
    return sums[:, end] - sums[:, begin], squares[end] - squares[begin]


def _moved(series: np.ndarray, part: float) -> np.ndarray:
    """Return series a part of a sample later, by cubic interpolation."""
    if not part:
        return series
    t = part
    weights = (
        -0.5 * t + t**2 - 0.5 * t**3,
        1 - 2.5 * t**2 + 1.5 * t**3,
        0.5 * t + 2 * t**2 - 1.5 * t**3,
        -0.5 * t**2 + 0.5 * t**3,
    )
    edged = np.concatenate([series[:, :1], series, series[:, -1:], series[:, -1:]], axis=1)
    n = series.shape[1]
    moved: np.ndarray = sum(w * edged[:, k : k + n] for k, w in enumerate(weights))
    return moved
