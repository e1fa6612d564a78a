"""Breaks: places in a continuous recording that no filter and no window may cross.

Formats and people write them in many ways: gaps between the records of an EDF+D, ``boundary`` of
EEGLAB, ``New Segment`` of BrainVision, ``EDGE boundary`` and ``BAD boundary`` of MNE's ``append``,
``BAD_ACQ_SKIP``, and ``BAD_...`` marks with or without a duration. On a Raw they are annotations;
`find_breaks` reads all of them as one thing, a `Break`::

    jump    |~~~~~~~|~~~~~~~|    between two samples: start = end
    span    |~~~~xxxxx~~~~~~|    these samples are not to be used

Times are in seconds from the first sample, on the clock of the samples. In a recording with gaps
(`gap_name`) this clock stands still in a gap; `sample_times` maps the time of day onto it.
"""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:  # this module is imported to read an experiment file
    import mne

__all__ = [
    "Break",
    "add_breaks",
    "break_samples",
    "find_breaks",
    "gap_name",
    "gaps_before",
    "is_break",
    "make_break",
    "parse_spans",
    "place_breaks",
    "sample_times",
    "snap_breaks",
    "write_spans",
]

# What the descriptions of breaks begin with, in MNE's, EEGLAB's and BrainVision's spelling.
_JUMPS = ("boundary", "edge", "new segment", "bad boundary", "discontinuity")
_BREAKS = (*_JUMPS, "bad")
_GAP = re.compile(r"EDGE gap of ([0-9.e+-]+) s")
# Fraction of a sample that may be due to rounding of times.
_SLACK = 0.01


class Break(NamedTuple):
    """A break in a recording.

    Attributes
    ----------
    start, end : float
        In seconds from the first sample; equal for a jump, which is before the sample at `start`.
    name : str
        As it is called in the recording.
    """

    start: float
    end: float
    name: str


def is_break(name: str) -> bool:
    """Return whether an annotation or event of this name is a break.

    Examples
    --------
    >>> [is_break(name) for name in ("boundary", "BAD_blink", "New Segment/", "happy")]
    [True, True, True, False]
    """
    return name.strip().lower().startswith(_BREAKS)


def make_break(name: str, start: float, duration: float, sfreq: float) -> Break:
    """Return the break of an annotation or event.

    Parameters
    ----------
    name : str
    start, duration : float
        In seconds; the duration may be NaN. That of a jump is the time that was cut out, and does
        not count. A bad moment lasts for one sample.
    sfreq : float
        Sampling rate in Hz.
    """
    name = name.strip()
    if name.lower().startswith(_JUMPS):
        return Break(start, start, name)
    length = duration if duration > 0 else 1 / sfreq  # also where it is NaN
    return Break(start, start + length, name)


def gap_name(seconds: float) -> str:
    """Return the name of a gap in which nothing was recorded; MNE takes it for an edge, too.

    Examples
    --------
    >>> gap_name(20.0)
    'EDGE gap of 20 s'
    """
    return f"EDGE gap of {seconds:.10g} s"


def find_breaks(raw: mne.io.BaseRaw) -> list[Break]:
    """Return the breaks inside a recording, from its annotations.

    Parameters
    ----------
    raw : mne.io.BaseRaw

    Returns
    -------
    list of Break
        In order of time; a jump that is marked twice is named once. A jump before the first or
        after the last sample is none.

    Examples
    --------
    >>> import mne
    >>> raw = mne.io.RawArray(np.zeros((1, 512)), mne.create_info(1, 128.0, "eeg"), verbose="ERROR")
    >>> marks = mne.Annotations([1.0, 2.0], [1.5, 0.5], ["boundary", "BAD_blink"])
    >>> [(found.start, found.end) for found in find_breaks(raw.set_annotations(marks))]
    [(1.0, 1.0), (2.0, 2.5)]
    """
    sfreq, n_times = float(raw.info["sfreq"]), len(raw.times)
    found: dict[tuple[int, int], Break] = {}
    for onset, duration, name in zip(
        raw.annotations.onset, raw.annotations.duration, raw.annotations.description, strict=True
    ):
        if not is_break(name) or not math.isfinite(onset):
            continue
        broken = make_break(name, float(onset) - raw.first_time, float(duration), sfreq)
        start, stop = break_samples(broken.start, broken.end, sfreq)
        if stop <= 0 or start >= n_times:
            continue
        known = found.get((start, stop))
        if known is None or _rank(broken.name) < _rank(known.name):
            found[start, stop] = broken
    return sorted(found.values())


def _rank(name: str) -> int:
    """Order the names of one break: MNE calls a jump ``BAD boundary`` and ``EDGE boundary``."""
    return 0 if _GAP.fullmatch(name) else 2 if name.lower().startswith("bad boundary") else 1


def break_samples(start: float, end: float, sfreq: float) -> tuple[int, int]:
    """Return the first sample of a break and the first one after it; equal for a jump.

    A jump that lies between two samples, as after resampling, is before the later one.
    """
    if start == end:
        sample = math.ceil(start * sfreq - _SLACK)
        return sample, sample
    return math.floor(start * sfreq + _SLACK), math.ceil(end * sfreq - _SLACK)


def add_breaks(raw: mne.io.BaseRaw, breaks: Iterable[Break]) -> None:
    """Annotate breaks, in place; those outside the recording are ignored."""
    last = len(raw.times) / float(raw.info["sfreq"])
    inside = [broken for broken in breaks if broken.start < last and broken.end >= 0]
    if not inside:
        return
    annotations = raw.annotations.copy()
    annotations.append(
        [max(broken.start, 0.0) + raw.first_time for broken in inside],
        [broken.end - max(broken.start, 0.0) for broken in inside],
        [broken.name for broken in inside],
    )
    if annotations.orig_time is None:  # then MNE adds the time of the first sample on setting them
        annotations.onset -= raw.first_time
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        raw.set_annotations(annotations, verbose="ERROR")


def snap_breaks(raw: mne.io.BaseRaw) -> mne.Annotations:
    """Return the annotations of a recording, with breaks moved to where its pieces are divided.

    EEGLAB marks a cut between two samples. At a lower sampling rate that moment would not be on the
    same side of the samples next to it.
    """
    sfreq = float(raw.info["sfreq"])
    annotations = raw.annotations.copy()
    for number, name in enumerate(annotations.description):
        if not is_break(name) or not math.isfinite(annotations.onset[number]):
            continue
        onset = float(annotations.onset[number]) - raw.first_time
        broken = make_break(name, onset, float(annotations.duration[number]), sfreq)
        first, last = break_samples(broken.start, broken.end, sfreq)
        annotations.onset[number] = first / sfreq + raw.first_time
        if last > first:
            annotations.duration[number] = (last - first) / sfreq
    return annotations


def place_breaks(raw: mne.io.BaseRaw, breaks: Sequence[Break]) -> None:
    """Annotate breaks whose times count the gaps of a recording, as those of a table do."""
    starts, _ = sample_times(raw, [broken.start for broken in breaks])
    ends, _ = sample_times(raw, [broken.end for broken in breaks])
    add_breaks(
        raw,
        [
            Break(float(start), float(end), broken.name)
            for start, end, broken in zip(starts, ends, breaks, strict=True)
        ],
    )


def sample_times(
    raw: mne.io.BaseRaw, times: Sequence[float] | np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Map times since the start of a recording with gaps onto the clock of its samples.

    Parameters
    ----------
    raw : mne.io.BaseRaw
        With gaps annotated by `gap_name`; without any, times stay as they are.
    times : array_like of float, shape (n_times,)
        Seconds since the first sample, the gaps included.

    Returns
    -------
    samples : ndarray of float, shape (n_times,)
        Seconds of recorded signal before each time.
    lost : ndarray of bool, shape (n_times,)
        Whether the time lies in a gap.

    Examples
    --------
    >>> import mne
    >>> raw = mne.io.RawArray(np.zeros((1, 512)), mne.create_info(1, 128.0, "eeg"), verbose="ERROR")
    >>> add_breaks(raw, [Break(2.0, 2.0, gap_name(10.0))])
    >>> [found.tolist() for found in sample_times(raw, [1.0, 5.0, 13.0])]
    [[1.0, 2.0, 3.0], [False, True, False]]
    """
    given = np.asarray(times, dtype=float)
    mapped, lost = given.copy(), np.zeros(given.shape, bool)
    before = 0.0
    for broken in find_breaks(raw):
        match = _GAP.fullmatch(broken.name)
        if match is None:
            continue
        missing = float(match[1])
        first = broken.start + before  # time at which the gap begins
        inside = (given >= first - 1e-9) & (given < first + missing - 1e-9)
        mapped[inside], lost = broken.start, lost | inside
        later = given >= first + missing - 1e-9
        before += missing
        mapped[later] = given[later] - before
    return mapped, lost


def gaps_before(raw: mne.io.BaseRaw, times: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return how much time of gaps lies before moments of recorded signal.

    Parameters
    ----------
    raw : mne.io.BaseRaw
        With gaps annotated by `gap_name`.
    times : array_like of float, shape (n_times,)
        Seconds of recorded signal before each moment, as in ``raw.times``.

    Returns
    -------
    missing : ndarray of float, shape (n_times,)
        Seconds; ``times + missing`` counts the gaps, as the times of a table of events do.

    Examples
    --------
    >>> import mne
    >>> raw = mne.io.RawArray(np.zeros((1, 512)), mne.create_info(1, 128.0, "eeg"), verbose="ERROR")
    >>> add_breaks(raw, [Break(2.0, 2.0, gap_name(10.0))])
    >>> gaps_before(raw, [1.0, 3.0]).tolist()
    [0.0, 10.0]
    """
    moments = np.asarray(times, dtype=float)
    missing = np.zeros(moments.shape)
    for broken in find_breaks(raw):
        match = _GAP.fullmatch(broken.name)
        if match is not None:
            missing[moments > broken.start] += float(match[1])
    return missing


def write_spans(spans: Iterable[tuple[float, float]]) -> str:
    """Write breaks of a trial as text: seconds from its onset, for the column ``breaks``.

    Examples
    --------
    >>> write_spans([(12.5, 12.5), (30.0, 31.25)])
    '12.5 12.5; 30 31.25'
    """
    return "; ".join(f"{start:.10g} {end:.10g}" for start, end in spans)


def parse_spans(text: object) -> list[tuple[float, float]]:
    """Read the breaks of a trial from its text; anything but text means none.

    Raises
    ------
    ValueError
        If it is no such text.

    Examples
    --------
    >>> parse_spans("12.5 12.5; 30 31.25"), parse_spans(""), parse_spans(None)
    ([(12.5, 12.5), (30.0, 31.25)], [], [])
    """
    if not isinstance(text, str) or not text.strip():
        return []
    pairs = [part.split() for part in text.split(";")]
    return [(float(start), float(end)) for start, end in pairs]
