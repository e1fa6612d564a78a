"""Pairs of trials worth a comparison: neighbours in what they show around peaks of power.

A peak is where it is in the signal, not in the trial, so a cut moves it and does not change what is
around it. A stretch around each of the highest peaks of a trial becomes a point: random projections
of the sketch. Points are compared in blocks by products of matrices, and pairs of near points along
their trials, at the shift that brings the peaks together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from eegemo.fingerprints.sketches import sketch_of

__all__ = ["find_candidates", "lowered", "moved_by"]

_FEWEST, _LONGEST = 8, 96  # values of a series around a peak: a quarter of a trial, within these
_PEAKS, _PEAKS_LONG, _LONG = 8, 6, 64  # of a trial; fewer where that much is around each
_DIMENSIONS = 48  # random projections of a stretch
_NEAR = 0.65  # least cosine of projections
_STRETCH = 0.65  # least correlation of stretches
_ROUGHLY = 0.5  # least correlation of the sketches, before parts of a sample are tried
_AT_ONCE = 1 << 22  # cosines
_PAIRS_AT_ONCE = 512


def find_candidates(prints: np.ndarray) -> list[tuple[int, int]]:
    """Return the pairs of trials that may have the same signals.

    Parameters
    ----------
    prints : ndarray of `eegemo.fingerprints.FINGERPRINT`, shape (n_trials,)

    Returns
    -------
    pairs : list of (int, int)
        Numbers of trials, the smaller first; in order.
    """
    telling = (prints["size"] >= _FEWEST) & prints["sketch"].any(axis=1)
    rates = prints["rate"]
    found: set[tuple[int, int]] = set()
    for rate in np.unique(rates[telling]):
        # two trials are compared at the lower of their rates
        enough = prints["size"] * rate >= _FEWEST * rates
        rows = np.flatnonzero(telling & (rates >= rate) & enough)
        slow = rates[rows] == rate
        low, high = (int(prints[band][rows].min()) for band in ("low", "high"))
        sketches = [lowered(prints[row], float(rate), low, high) for row in rows]
        for a, b in _neighbours(sketches):
            if slow[a] or slow[b]:
                found.add((int(min(rows[a], rows[b])), int(max(rows[a], rows[b]))))
    return sorted(found)


def lowered(fingerprint: np.void, rate: float, low: int, high: int) -> np.ndarray:
    """Return some series of both bands, at a half, a quarter, ... of their rate, as float32."""
    first, second = sketch_of(fingerprint)
    pool = max(1, round(float(fingerprint["rate"]) / rate))
    size = first.shape[1] // pool
    whole = np.concatenate([first[:low], second[:high]])[:, : size * pool].astype(np.float32)
    mean: np.ndarray = whole.reshape(low + high, size, pool).mean(axis=2)
    return mean


def moved_by(series: np.ndarray, part: float) -> np.ndarray:
    """Return series as they are a part of a sample later, by cubic interpolation.

    Parameters
    ----------
    series : ndarray, shape (..., n)
    part : float
        From 0 to 1.
    """
    if not part:
        return series
    t = part
    weights = (
        -0.5 * t + t**2 - 0.5 * t**3,
        1 - 2.5 * t**2 + 1.5 * t**3,
        0.5 * t + 2 * t**2 - 1.5 * t**3,
        -0.5 * t**2 + 0.5 * t**3,
    )
    n = series.shape[-1]
    edged = np.concatenate([series[..., :1], series, series[..., -1:], series[..., -1:]], axis=-1)
    moved = weights[0] * edged[..., :n]
    for k in (1, 2, 3):
        moved += weights[k] * edged[..., k : k + n]
    return moved


def _neighbours(sketches: Sequence[np.ndarray]) -> Iterator[tuple[int, int]]:
    """Yield pairs of sketches of one rate that agree around a peak, and beyond."""
    lags = len(sketches[0])
    sizes = np.array([sketch.shape[1] for sketch in sketches])
    window = min(_LONGEST, max(_FEWEST, int(sizes.min()) // 4))
    axes = np.random.default_rng(0).standard_normal((lags * window, _DIMENSIONS), np.float32)
    axes -= axes.mean(axis=0)  # levels do not count
    series = np.zeros((len(sketches), lags, sizes.max()), np.int8)
    for number, sketch in enumerate(sketches):
        series[number, :, : sizes[number]] = np.rint(sketch)
    owner, place = _peaks(series[:, 0], sizes, window, _PEAKS if window < _LONG else _PEAKS_LONG)
    points = np.empty((2, len(owner), _DIMENSIONS), np.float32)
    for first in range(0, len(owner), _PAIRS_AT_ONCE):
        part = slice(first, first + _PAIRS_AT_ONCE)
        for half in (0, 1):  # a copy may be cut by half a sample of its sketch
            around = _around(series, owner[part], place[part], window, half / 2)
            points[half, part] = _unit(around @ axes)
    block = max(1, _AT_ONCE // len(owner))
    for first in range(0, len(owner), block):
        for half in (0, 1):
            near = points[half, first : first + block] @ points[0].T >= _NEAR
            a, b = np.divmod(np.flatnonzero(near), len(owner))
            a += first
            other = owner[a] != owner[b]
            a, b = a[other], b[other]
            like = np.einsum(
                "pv,pv->p",
                _unit(_around(series, owner[a], place[a], window, half / 2)),
                _unit(_around(series, owner[b], place[b], window)),
            )
            a, b = a[like >= _STRETCH], b[like >= _STRETCH]
            shift = place[a] - place[b]
            for some in range(0, len(shift), _PAIRS_AT_ONCE):
                part = slice(some, some + _PAIRS_AT_ONCE)
                pair = owner[a[part]], owner[b[part]]
                agree = _correlation(series, sizes, pair, shift[part], half / 2) >= _ROUGHLY
                yield from zip(pair[0][agree].tolist(), pair[1][agree].tolist(), strict=True)


def _around(
    series: np.ndarray, who: np.ndarray, begin: np.ndarray, window: int, part: float = 0.0
) -> np.ndarray:
    """Return stretches of sketches, shape (n, lags * window)."""
    lags = series.shape[1]
    at = np.clip(begin[:, None] + np.arange(-1, window + 2), 0, series.shape[2] - 1)
    values = series[who[:, None], :, at].transpose(0, 2, 1).astype(np.float32)
    stretches = moved_by(values, part)[:, :, 1:-2]
    return stretches.reshape(len(who), lags * window)


def _correlation(
    series: np.ndarray,
    sizes: np.ndarray,
    pair: tuple[np.ndarray, np.ndarray],
    shift: np.ndarray,
    part: float,
) -> np.ndarray:
    """Return the correlation of pairs of sketches, the first a part of a sample later.

    What the second has at 0 is compared with what the first has at `shift`.
    """
    at = np.arange(series.shape[2]) + np.maximum(shift, 0)[:, None]
    both = at, at - shift[:, None]
    inside = (both[0] < sizes[pair[0]][:, None]) & (both[1] < sizes[pair[1]][:, None])
    n = np.maximum(inside.sum(axis=1), 1)[:, None, None]
    taken = []
    for who, where, later in ((pair[0], both[0], part), (pair[1], both[1], 0.0)):
        values = moved_by(series[who].astype(np.float32), later)
        where = np.minimum(where, series.shape[2] - 1)[:, None]
        values = np.where(inside[:, None], np.take_along_axis(values, where, axis=2), 0)
        values -= values.sum(axis=2, keepdims=True) / n
        taken.append(np.where(inside[:, None], values, 0))
    x, y = taken
    product, x2, y2 = (np.einsum("plt,plt->p", *two) for two in ((x, y), (x, x), (y, y)))
    correlation: np.ndarray = product / np.sqrt(np.maximum(x2 * y2, 1e-9))
    return correlation


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Return vectors less their mean, of length 1, as float32."""
    vectors = vectors - vectors.mean(axis=-1, keepdims=True)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
    return vectors.astype(np.float32)


def _peaks(
    power: np.ndarray, sizes: np.ndarray, window: int, most: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return where stretches around the highest peaks of each series begin.

    Parameters
    ----------
    power : ndarray of int8, shape (n_trials, longest)
    sizes : ndarray of int, shape (n_trials,)
        What of each row counts.
    window, most : int

    Returns
    -------
    owner, place : ndarray of int
        The row of each stretch, in order, and its first value.
    """
    half = window // 2
    middle = np.arange(half, power.shape[1] - (window - half) + 1)
    inner = power[:, middle]
    after = power[:, np.minimum(middle + 1, power.shape[1] - 1)]
    peak = (inner >= power[:, middle - 1]) & (inner > after)
    inside = middle <= sizes[:, None] - (window - half)
    # the highest value of a row that has no peak
    height = np.where(inside, np.where(peak, 256, 0) + inner.astype(np.int16), -1000)
    order = np.argsort(-height, axis=1, kind="stable")[:, :most]
    chosen = np.take_along_axis(height, order, axis=1) > 127
    chosen[:, 0] = True
    owner, rank = np.nonzero(chosen)
    place: np.ndarray = middle[order[owner, rank]] - half
    return owner, place
