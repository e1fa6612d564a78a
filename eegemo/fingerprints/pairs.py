"""Pairs of trials with the same signals: candidates, each compared along its whole length.

The sketches of two trials are moved along each other, in quarters of a sample, and correlated over
what overlaps. Chance correlates short stretches better than long ones, so less of a correlation is
asked for where there is more to compare.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from eegemo.fingerprints.candidates import find_candidates, lowered, moved_by

__all__ = ["Near", "compare", "find_identical", "find_near"]

#: Least correlation of sketches, whatever their length, and least z: how far artanh of it is from
#: that of different trials. What different trials reach is measured by ``benchmarks/copies.py``.
_LEAST, _CERTAIN = 0.6, 6.0
_RATE = 32.0  # Hz
_TELLING = 4  # series of a band
_SHARED = 0.3  # of the shorter trial: least overlap of two trials
_FEWEST = 8  # values of a series: least overlap
_MOST_OF, _HALF_WAY = 0.75, 0.8  # with less than this overlap, z counts less
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
        What the second shows at 0 s, the first shows at `delay`, in seconds.
    """

    first: int
    second: int
    similarity: float
    delay: float


def find_identical(prints: np.ndarray) -> list[list[int]]:
    """Return groups of two or more trials with the same samples, in order; flat ones aside.

    Digests are of some samples; sketches, which are drawn from all, must agree too.
    """
    groups: dict[bytes, list[int]] = {}
    for row in np.flatnonzero(~prints["flat"]).tolist():
        groups.setdefault(prints["digest"][row].tobytes(), []).append(row)
    found = []
    for rows in groups.values():
        if len(rows) > 1:
            sketches = prints["sketch"][rows].astype(np.int16)
            same = np.abs(sketches - sketches[0]).max(axis=1) <= 1  # sums in another order
            found.append([row for row, alike in zip(rows, same, strict=True) if alike])
    return sorted(group for group in found if len(group) > 1)


def find_near(prints: np.ndarray) -> list[Near]:
    """Find pairs of trials with nearly, or exactly, the same signals.

    Parameters
    ----------
    prints : ndarray of `FINGERPRINT`, shape (n_trials,)

    Returns
    -------
    pairs : list of Near
        By number.

    Examples
    --------
    >>> from eegemo.fingerprints import make_fingerprints
    >>> signals = np.random.default_rng(0).standard_normal((3, 640, 4)).astype(np.float32)
    >>> cut = -2 * signals[1, 64:-64]  # another unit, another sign, half a second less
    >>> prints = make_fingerprints([*signals, cut], 128.0)
    >>> [(pair.first, pair.second, pair.delay) for pair in find_near(prints)]
    [(1, 3, 0.5)]
    """
    left = find_candidates(prints)
    known, found = set(left), []
    while left:
        first, second = left.pop()
        similarity, delay = compare(prints[first], prints[second])
        if similarity > 0:
            found.append(Near(first, second, similarity, delay))
            # copies of a recording are copies trial by trial
            for pair in ((first - 1, second - 1), (first + 1, second + 1)):
                if 0 <= pair[0] < pair[1] < len(prints) and pair not in known:
                    known.add(pair)
                    left.append(pair)
    return sorted(found)


def compare(first: np.void, second: np.void) -> tuple[float, float]:
    """Return how similar two trials are, and the delay of one against the other.

    Parameters
    ----------
    first, second : void of `FINGERPRINT`

    Returns
    -------
    similarity : float
        Correlation of the sketches where they agree best; 0 if chance could have made it.
    delay : float
        As in `Near`.
    """
    similarity, z, delay = best_agreement(first, second)
    return (similarity if similarity >= _LEAST and z >= _CERTAIN else 0.0), delay


def best_agreement(first: np.void, second: np.void) -> tuple[float, float, float]:
    """Return the correlation where two sketches agree best, its z, and the delay.

    With no overlap to speak of, all are 0.
    """
    rate = float(min(first["rate"], second["rate"]))
    low, high = (int(min(first[band], second[band])) for band in ("low", "high"))
    a, b = (lowered(each, rate, low, high) for each in (first, second))
    n_a, n_b = a.shape[1], b.shape[1]
    least = max(_FEWEST, int(np.ceil(_SHARED * min(n_a, n_b))))
    shifts = np.arange(least - n_b, n_a - least + 1)
    if not shifts.size:
        return 0.0, 0.0, 0.0
    begin, end = np.maximum(shifts, 0), np.minimum(n_a, n_b + shifts)
    n = end - begin
    size = 1 << int(np.ceil(np.log2(n_a + n_b)))
    spectrum, of_a = np.fft.rfft(a, size), _moments(a, begin, end)
    found = np.empty((_PARTS, len(shifts)))
    for quarter in range(_PARTS):
        moved = moved_by(b, quarter / _PARTS)
        of_b = _moments(moved, begin - shifts, end - shifts)
        product = np.fft.irfft(spectrum * np.conj(np.fft.rfft(moved, size)), size).sum(axis=0)
        shared = product[shifts % size] - (of_a[0] * of_b[0]).sum(axis=0) / n
        spread = (of_a[1] - (of_a[0] ** 2).sum(axis=0) / n) * (
            of_b[1] - (of_b[0] ** 2).sum(axis=0) / n
        )
        found[quarter] = shared / np.sqrt(np.maximum(spread, 1e-9))
    # the many series of a band repeat each other, and so do values at more than 32 Hz
    series = min(low, _TELLING) + min(high, _TELLING)
    values = n * min(1.0, (2 * _RATE if rate >= 2 * _RATE else _RATE) / rate) * series / 8
    z = np.arctanh(np.clip(found, -1, 1 - 1e-9)) * np.sqrt(values)
    # there are many ways to lay two trials half across each other, so each has to say more
    z *= np.where(n < _MOST_OF * min(n_a, n_b), _HALF_WAY, 1.0)
    part, where = divmod(int(z.argmax()), z.shape[1])
    delay = float((shifts[where] - part / _PARTS) / rate)
    return float(found[part, where]), float(z[part, where]), delay


def _moments(
    series: np.ndarray, begin: np.ndarray, end: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the sum of each series, and of the squares of all, from `begin` to `end`."""
    sums = np.concatenate([np.zeros((len(series), 1)), series.cumsum(axis=1)], axis=1)
    squares = np.concatenate([[0.0], (series**2).sum(axis=0).cumsum()])
    return sums[:, end] - sums[:, begin], squares[end] - squares[begin]
