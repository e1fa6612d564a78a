"""Steps around breaks: filters between them, trials and windows without them.

What a break is, is said in `eegemo.datasets.breaks`. On continuous signals breaks are annotations;
on trials they are text in the column ``breaks`` of the metadata. Both are divided into
uninterrupted pieces here, and every filter is applied to each piece by itself::

    |~~~~~~~~~~~~~~|~~~~~~~~|xxxxx|~|~~~~~~~~~~~~~|
      filtered       filtered bad  too short for the filter: set to zero, and a break from now on
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import mne
import numpy as np

from eegemo.datasets.breaks import (
    Break,
    add_breaks,
    break_samples,
    find_breaks,
    is_break,
    make_break,
    parse_spans,
    write_spans,
)
from eegemo.errors import DataError

__all__ = [
    "blocks",
    "break_names",
    "break_spans",
    "check_remains",
    "drop_broken",
    "filter_pieces",
    "is_broken",
    "longest_piece",
    "pieces",
    "say_breaks",
    "whole_segments",
    "with_breaks",
]

#: Name of the breaks that samples become which a filter cannot reach.
UNFILTERED = "BAD_unfiltered"


def break_spans(raw: mne.io.BaseRaw) -> list[tuple[float, float]]:
    """Return the breaks of a recording as intervals in seconds from its first sample.

    Parameters
    ----------
    raw : mne.io.BaseRaw

    Returns
    -------
    list of (float, float)
        Start and end, in order; equal for a jump, which is before the sample at that time.

    Examples
    --------
    >>> raw = mne.io.RawArray(np.zeros((1, 512)), mne.create_info(1, 128.0, "eeg"), verbose="ERROR")
    >>> marks = mne.Annotations([1.0, 2.0], [0.0, 0.5], ["boundary", "BAD_blink"])
    >>> break_spans(raw.set_annotations(marks))
    [(1.0, 1.0), (2.0, 2.5)]
    """
    return [(found.start, found.end) for found in find_breaks(raw)]


def pieces(n_times: int, samples: Sequence[tuple[int, int]]) -> list[tuple[int, int, bool]]:
    """Divide signals at breaks.

    Parameters
    ----------
    n_times : int
    samples : sequence of (int, int)
        First sample of each break and the first one after it, as of `break_samples`.

    Returns
    -------
    list of (int, int, bool)
        First sample, the one after the last, and whether the piece may be used. Together they are
        all samples.

    Examples
    --------
    >>> pieces(100, [(20, 20), (50, 60)])
    [(0, 20, True), (20, 50, True), (50, 60, False), (60, 100, True)]
    """
    inside = [(max(first, 0), min(last, n_times)) for first, last in samples]
    edges = sorted({0, n_times, *(edge for span in inside for edge in span if 0 < edge < n_times)})
    return [
        (start, stop, not any(first <= start and stop <= last for first, last in inside))
        for start, stop in pairwise(edges)
    ]


def longest_piece(inst: Any) -> int:
    """Return the samples of the longest uninterrupted piece of signals."""
    lengths = [stop - start for _, found in blocks(inst) for start, stop, good in found if good]
    return max(lengths, default=0)


def filter_pieces(
    inst: Any, function: Callable[[np.ndarray], np.ndarray], picks: Sequence[int], length: int
) -> float:
    """Filter each uninterrupted piece of signals by itself, in place.

    Parameters
    ----------
    inst : mne.io.BaseRaw or mne.BaseEpochs
        Loaded signals with breaks.
    function : callable
        Filters an array of shape (n_channels, n_times).
    picks : sequence of int
        Channels.
    length : int
        Samples of the filter. Pieces that are shorter are set to zero and become breaks.

    Returns
    -------
    seconds : float
        Length of usable signal that was lost.
    """
    sfreq = float(inst.info["sfreq"])
    lost = 0
    for block, found in blocks(inst):
        data = inst._data if block is None else inst._data[block]
        short = [(start, stop) for start, stop, good in found if stop - start < length and good]
        for start, stop, _ in found:
            if stop - start < length:
                data[picks, start:stop] = 0.0
                continue
            for pick in picks:  # a channel at a time, to save memory
                data[pick, start:stop] = function(data[pick : pick + 1, start:stop])[0]
        lost += sum(stop - start for start, stop in short)
        spans = [(start / sfreq, stop / sfreq) for start, stop in short]
        if block is None:
            add_breaks(inst, [Break(start, stop, UNFILTERED) for start, stop in spans])
        elif spans:
            _append_spans(inst, block, spans)
    return lost / sfreq


def is_broken(inst: Any) -> bool:
    """Return whether signals have a break."""
    if isinstance(inst, mne.io.BaseRaw):
        return bool(find_breaks(inst))
    return any(map(parse_spans, _texts(inst)))


def break_names(raw: mne.io.BaseRaw, parts: Sequence[Any]) -> list[str]:
    """Return what a recording calls the breaks inside its trials, each name once."""
    sfreq = float(raw.info["sfreq"])
    found = [(*break_samples(b.start, b.end, sfreq), b.name) for b in find_breaks(raw)]
    names: dict[str, None] = {}
    for part in parts:
        starts = part.events[:, 0] - raw.first_samp + round(float(part.tmin) * sfreq)
        for first, last, name in found:
            if ((first < starts + len(part.times)) & (last > starts)).any():
                names[name] = None
    return list(names)


def blocks(inst: Any) -> Iterator[tuple[int | None, list[tuple[int, int, bool]]]]:
    """Yield the pieces of each trial, or those of continuous signals under None."""
    sfreq, n_times = float(inst.info["sfreq"]), len(inst.times)
    if isinstance(inst, mne.io.BaseRaw):
        breaks = find_breaks(inst)
        yield None, pieces(n_times, [break_samples(b.start, b.end, sfreq) for b in breaks])
        return
    for trial, text in enumerate(_texts(inst)):
        spans = [(start - inst.tmin, end - inst.tmin) for start, end in parse_spans(text)]
        yield trial, pieces(n_times, [break_samples(start, end, sfreq) for start, end in spans])


def _append_spans(epochs: Any, trial: int, spans: Sequence[tuple[float, float]]) -> None:
    """Add breaks, in seconds from the first sample, to a trial."""
    metadata = epochs.metadata
    if metadata is None or "breaks" not in metadata:
        return
    old = parse_spans(metadata["breaks"].iloc[trial])
    new = [(round(start + epochs.tmin, 9), round(end + epochs.tmin, 9)) for start, end in spans]
    metadata.iloc[trial, metadata.columns.get_loc("breaks")] = write_spans(sorted([*old, *new]))


def _texts(epochs: Any) -> list[str]:
    """Return the breaks of each trial as text: of its metadata, else of the annotations."""
    metadata = epochs.metadata
    if metadata is not None and "breaks" in metadata:
        return [text if isinstance(text, str) else "" for text in metadata["breaks"]]
    if not any(map(is_break, getattr(epochs.annotations, "description", ()))):
        return [""] * len(epochs)
    sfreq = float(epochs.info["sfreq"])
    tmin, n_times = float(epochs.tmin), len(epochs.times)
    texts = []
    for found in epochs.get_annotations_per_epoch():
        spans = set()
        for onset, duration, name in (mark[:3] for mark in found if is_break(str(mark[2]))):
            start, end, _ = make_break(str(name), float(onset), float(duration), sfreq)
            first, last = break_samples(start - tmin, end - tmin, sfreq)
            if first < n_times and last > 0:
                spans.add((round(start, 9), round(end, 9)))
        texts.append(write_spans(sorted(spans)))
    return texts


def with_breaks(epochs: Any) -> Any:
    """Return the metadata of trials, with the breaks that their annotations mark.

    `eegemo.datasets.cutting.CutTrials` writes the column ``breaks``; Epochs that were made
    otherwise have annotations only.
    """
    metadata = epochs.metadata
    if metadata is None or "breaks" in metadata or not is_broken(epochs):
        return metadata
    return metadata.assign(breaks=_texts(epochs))


def drop_broken(
    parts: Sequence[Any], baseline: Sequence[float] | None = None
) -> tuple[list[Any], list[str]]:
    """Leave out trials that hold a break.

    Parameters
    ----------
    parts : sequence of mne.BaseEpochs
        Trials of a run.
    baseline : (float, float), optional
        Only those whose baseline, in seconds from onset, holds one or is cut off from the onset by
        a jump: the mean before a jump is none of the signal after it.

    Returns
    -------
    kept : list of mne.BaseEpochs
    names : list of str
        Numbers of the trials left out.
    """
    kept, names = [], []
    for part in parts:
        if not is_broken(part):
            kept.append(part)
            continue
        sfreq = float(part.info["sfreq"])
        stays = np.array(
            [
                not any(
                    baseline is None or _meets(span, baseline, sfreq) for span in parse_spans(text)
                )
                for text in _texts(part)
            ]
        )
        names += _numbers(part, ~stays)
        if stays.any():
            kept.append(part if stays.all() else part[np.flatnonzero(stays)])
    return kept, names


def _meets(span: tuple[float, float], baseline: Sequence[float], sfreq: float) -> bool:
    """Return whether a break is inside a baseline, or a jump between its start and the onset."""
    start, stop = (round(float(time) * sfreq) for time in baseline)
    first, last = break_samples(*span, sfreq)
    if first == last:
        return start < first <= max(stop, 0)
    return start < last and stop >= first


def _numbers(part: Any, which: np.ndarray) -> list[str]:
    rows = np.flatnonzero(which)
    if part.metadata is None or "trial" not in part.metadata:
        return [str(row + 1) for row in rows]
    return [str(part.metadata["trial"].iloc[row]) for row in rows]


def say_breaks(parts: Sequence[Any], names: Sequence[str]) -> list[str]:
    """Return a note on the trials that hold breaks.

    Parameters
    ----------
    parts : sequence of mne.BaseEpochs
        Trials of a run.
    names : sequence of str
        What the recording calls its breaks.
    """
    numbers: list[str] = []
    for part in parts:
        if is_broken(part):
            which = np.array([bool(parse_spans(text)) for text in _texts(part)])
            numbers += _numbers(part, which)
    if not numbers:
        return []
    several = len(numbers) > 1
    kinds = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    return [
        f"{len(numbers)} trial{'s' * several} hold{'s' * (not several)} a break"
        f"{f' ({kinds})' if kinds else ''}: {', '.join(numbers)}. No filter crosses it, and "
        "windows that hold it are left out"
    ]


def whole_segments(inst: Any, trial: np.ndarray, first: np.ndarray, length: int) -> np.ndarray:
    """Return which segments of signals hold no break.

    Parameters
    ----------
    inst : mne.io.BaseRaw or mne.BaseEpochs
    trial, first : ndarray of int, shape (n,)
        Trial of each segment (0 for continuous signals) and its first sample.
    length : int
        Samples of a segment.

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    whole = np.ones(len(first), bool)
    if not is_broken(inst):
        return whole
    for block, found in blocks(inst):
        inside = np.zeros(len(first), bool)
        for start, stop, good in found:
            if good:
                inside |= (first >= start) & (first + length <= stop)
        whole &= inside | (trial != (block or 0))
    return whole


def check_remains(inst: Any, length: int, what: str) -> None:
    """Refuse a filter that is longer than every uninterrupted piece of the signals.

    Raises
    ------
    DataError
        With the length of both.
    """
    longest, sfreq = longest_piece(inst), float(inst.info["sfreq"])
    if length > longest:
        raise DataError(
            f"{what} lasts {length / sfreq:.2f} s, and the longest part of the signals without a "
            f"break {longest / sfreq:.2f} s. Choose a shorter filter (a higher l_freq, no notch), "
            "or leave this recording out."
        )
