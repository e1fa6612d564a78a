"""Pieces of fixed length: trials of recordings, or of long events, in which the class is constant.

A span is a stretch of a recording: all of it, or an event. It is cut from its start into pieces of
the same length; what is left at its end is no piece::

    span    |----------|----------|----------|~~~~|
    pieces  |    1     |    2     |    3     | left out
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import mne
import numpy as np
import pandas as pd

from eegemo.datasets.breaks import sample_times
from eegemo.datasets.exclude import Exclusion, same_label
from eegemo.errors import DataError

__all__ = [
    "WHOLE",
    "Numbering",
    "check_fixed",
    "cut_pieces",
    "cut_run",
    "name_bundles",
    "place_spans",
    "whole_span",
]

#: The duration of a span that goes on to the end of its recording.
WHOLE = math.inf
# In seconds: times in tables have six digits or so.
_ROUNDING = 1e-6


def check_fixed(trials: str, length: float | None, tmin: float) -> None:
    """Refuse options that do not go together.

    Parameters
    ----------
    trials : {"events", "fixed"}
    length : float or None
        Of a piece in seconds.
    tmin : float
        Start of each span, in seconds from its onset.

    Raises
    ------
    DataError
        If a length is missing, or is given where no pieces are cut, or `tmin` is negative.

    Examples
    --------
    >>> check_fixed("fixed", None, 0.0)
    Traceback (most recent call last):
    eegemo.errors.DataError: data.trials is fixed, and data.length is missing; expected the length
    of a piece in seconds, as in length: 10.0.
    """
    if trials == "fixed" and length is None:
        raise DataError(
            "data.trials is fixed, and data.length is missing; expected the length of a piece in "
            "seconds, as in length: 10.0."
        )
    if trials != "fixed" and length is not None:
        raise DataError(
            f"data.length is {length:g}, and data.trials is {trials}; a length is that of pieces: "
            "set trials: fixed, or use tmax for the end of each trial."
        )
    if trials == "fixed" and tmin < 0:
        raise DataError(
            f"data.tmin is {tmin:g}; with trials: fixed it is where the first piece starts, in "
            "seconds from 0 on. Pieces have no baseline before them."
        )


def whole_span(about: dict[str, object]) -> pd.DataFrame:
    """Return a whole recording as a span.

    Parameters
    ----------
    about : dict
        Metadata of the recording.

    Returns
    -------
    span : DataFrame
        One row, with onset 0 and the duration `WHOLE`.
    """
    return pd.DataFrame({**about, "onset": [0.0], "duration": [WHOLE]})


def name_bundles(spans: pd.DataFrame) -> pd.DataFrame:
    """Return spans with a `bundle`, so that the pieces of one event are never divided.

    Parameters
    ----------
    spans : DataFrame
        Events of a run, with subject, session, run, stimulus and trial_type.

    Returns
    -------
    spans : DataFrame
        With the column ``bundle``; one that is there already is kept where it is not empty.

    Examples
    --------
    >>> about = {"subject": "01", "session": "1", "run": "2", "stimulus": "", "trial_type": "calm"}
    >>> name_bundles(pd.DataFrame([about, about]))["bundle"].tolist()
    ['01/1/2/calm#1', '01/1/2/calm#2']
    """
    made = []
    given = spans["bundle"] if "bundle" in spans else [""] * len(spans)
    for number, (row, bundle) in enumerate(
        zip(spans.to_dict("records"), given, strict=True), start=1
    ):
        what = row["stimulus"] or row["trial_type"] or "event"
        name = f"{row['subject']}/{row['session']}/{row['run']}/{what}#{number}"
        made.append(bundle or name)
    return spans.assign(bundle=made)


def place_spans(spans: pd.DataFrame, raw: mne.io.BaseRaw) -> tuple[pd.DataFrame, list[str]]:
    """Find where the spans of a table lie in the signals of a recording with gaps.

    Parameters
    ----------
    spans : DataFrame
        With ``trial``, ``onset`` and ``duration``; these times count the gaps.
    raw : mne.io.BaseRaw
        With its breaks as annotations.

    Returns
    -------
    placed : DataFrame
        Times count recorded signal only.
    notes : list of str
        On spans of which nothing was recorded.
    """
    onsets = spans["onset"].to_numpy(dtype=float)
    begins, _ = sample_times(raw, onsets)
    ends, _ = sample_times(raw, onsets + spans["duration"].to_numpy(dtype=float))
    placed = spans.assign(onset=begins, duration=ends - begins)
    empty = placed["duration"] <= _ROUNDING
    notes = [f"nothing was recorded of {empty.sum()} of {len(spans)} events"] if empty.any() else []
    return placed[~empty].reset_index(drop=True), notes


def cut_run(
    spans: pd.DataFrame,
    raw: mne.io.BaseRaw,
    length: float,
    *,
    tmin: float,
    bundled: bool,
    with_gaps: bool,
) -> tuple[pd.DataFrame, list[str]]:
    """Cut the spans of a run into pieces.

    Parameters
    ----------
    spans : DataFrame
        A row per span: metadata, and ``onset`` and ``duration`` in seconds.
    raw : mne.io.BaseRaw
        With its breaks as annotations.
    length : float
        Of a piece in seconds.
    tmin : float
        Start of the first piece, in seconds from the onset of its span.
    bundled : bool
        Whether the pieces of a span get the same ``bundle``.
    with_gaps : bool
        Whether the times of the spans count gaps in which nothing was recorded.

    Returns
    -------
    pieces : DataFrame
        As of `cut_pieces`.
    notes : list of str
        What was left out.
    """
    notes: list[str] = []
    if bundled:
        spans = name_bundles(spans)
    if with_gaps:
        spans, notes = place_spans(spans, raw)
    pieces, told = cut_pieces(spans, length, tmin=tmin)
    return pieces, [*notes, *told]


def cut_pieces(
    spans: pd.DataFrame,
    length: float,
    *,
    tmin: float = 0.0,
) -> tuple[pd.DataFrame, list[str]]:
    """Cut spans of a recording into pieces of the same length.

    Parameters
    ----------
    spans : DataFrame
        A row per span: metadata, and ``onset`` and ``duration`` in seconds.
    length : float
        Of a piece in seconds.
    tmin : float
        Start of the first piece, in seconds from the onset of its span.

    Returns
    -------
    pieces : DataFrame
        A row per piece: the metadata of its span, ``onset`` and ``duration``, and
        ``fixed.onset``, the onset within the recording, which stays in the metadata.
    notes : list of str
        What was left out.

    Examples
    --------
    >>> spans = pd.DataFrame({"onset": [0.0, 30.0], "duration": [25.0, 4.0], "label": ["a", "b"]})
    >>> pieces, notes = cut_pieces(spans, 10.0)
    >>> pieces["onset"].tolist(), pieces["label"].tolist()
    ([0.0, 10.0], ['a', 'a'])
    >>> notes
    ['9 s left out at the ends of 2 stretches, less than a piece of 10 s; no piece at 30 s']
    """
    rows: list[int] = []
    onsets: list[float] = []
    left: list[float] = []
    none: list[float] = []
    for row, (onset, duration) in enumerate(
        zip(spans["onset"].astype(float), spans["duration"].astype(float), strict=True)
    ):
        first = onset + tmin
        seconds = max(onset + duration - first, 0.0)
        n_pieces = int((seconds + _ROUNDING) // length)
        rows += [row] * n_pieces
        onsets += [first + number * length for number in range(n_pieces)]
        rest = seconds - n_pieces * length
        if rest > _ROUNDING:
            left.append(rest)
        if not n_pieces:
            none.append(onset)
    pieces = spans.iloc[rows].reset_index(drop=True)
    pieces["onset"], pieces["duration"] = onsets, length
    pieces["fixed.onset"] = onsets
    return pieces, _describe_rest(left, none, len(spans), length)


def _describe_rest(
    left: Sequence[float], none: Sequence[float], n_spans: int, length: float
) -> list[str]:
    if not left and not none:
        return []
    where = "end" if n_spans == 1 else f"ends of {len(left)} stretches"
    text = f"{sum(left):.4g} s left out at the {where}, less than a piece of {length:g} s"
    if none:
        shown = ", ".join(f"{onset:g}" for onset in none[:3]) + (", ..." if len(none) > 3 else "")
        text += f"; no piece at {shown} s"
    return [text]


class Numbering:
    """Gives trials numbers from 1 on, within each session, from one recording to the next.

    Attributes
    ----------
    counts : dict of str to int
        Number of trials of each session so far.
    fitting : set of str
        Names of trials that are left out, as far as there are such trials.
    """

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.fitting: set[str] = set()

    def number(self, trials: pd.DataFrame, session: str) -> pd.DataFrame:
        """Return trials with their numbers."""
        first = self.counts.get(session, 0) + 1
        self.counts[session] = first + len(trials) - 1
        return trials.assign(trial=np.arange(first, first + len(trials)))

    def leave_out(
        self, trials: pd.DataFrame, exclusions: Iterable[Exclusion]
    ) -> tuple[pd.DataFrame, list[str]]:
        """Return trials without those that are excluded, and a note."""
        gone = pd.Series(False, index=trials.index)
        for exclusion in exclusions:
            fits = [same_label(str(trial), str(exclusion.trial)) for trial in trials["trial"]]
            if any(fits):
                self.fitting.add(exclusion.text)
                gone |= pd.Series(fits, index=trials.index)
        names = ", ".join(map(str, trials.loc[gone, "trial"]))
        n = int(gone.sum())
        notes = [f"{n} trial{'s' * (n > 1)} left out, excluded: {names}"] if n else []
        return trials[~gone], notes

    def check(self, exclusions: Iterable[Exclusion]) -> None:
        """Refuse names of trials that there are not."""
        for exclusion in exclusions:
            if exclusion.text not in self.fitting:
                raise DataError(
                    f"data.exclude: {exclusion.text!r} fits no trial; trials are numbered from 1 "
                    "within a session, in the order of their onsets."
                )
