"""Trials of a recording: from a table, its annotations or its stimulus channel, or all of it."""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from eegemo.datasets.base import RATINGS
from eegemo.datasets.bids.events import read_events
from eegemo.datasets.breaks import find_breaks, place_breaks
from eegemo.datasets.cutting import find_bad_spans, leave_out, place_trials
from eegemo.datasets.files.places import Place
from eegemo.datasets.files.stimulus import choose_stim, find_codes
from eegemo.datasets.files.table import Row
from eegemo.datasets.fixed import cut_pieces, name_bundles, place_spans, whole_span
from eegemo.datasets.tables import is_missing, show_names
from eegemo.errors import DataError

__all__ = ["Found", "Options", "find_trials", "list_annotations", "list_codes"]

_STATUS_BITS = 16  # of a BDF's Status that are codes; those above tell the amplifier's state
_RESERVED = ("subject", "session", "trial", "stimulus", "run", "trial_type", "onset", "duration",
             "bundle", "breaks", "n_times", "presentation")  # fmt: skip


@dataclass(frozen=True)
class Options:
    """Options of `eegemo.datasets.files.Files` that trials depend on.

    Attributes
    ----------
    events : {"auto", "table", "annotations", "stim", "none"}
    stim_channel : str or None
    trial_types : tuple of str or None
    trials : {"events", "fixed"}
    length : float or None
    tmin : float
    tmax : float or None
    own : tuple of str
        Further columns of the table of recordings that keep their names in the metadata.
    """

    events: str = "auto"
    stim_channel: str | None = None
    trial_types: tuple[str, ...] | None = None
    trials: str = "events"
    length: float | None = None
    tmin: float = 0.0
    tmax: float | None = None
    own: tuple[str, ...] = ()


@dataclass(frozen=True)
class Found:
    """The trials of a recording.

    Attributes
    ----------
    trials : DataFrame
        A row per trial that can be cut: metadata, and ``onset`` and ``duration`` in seconds of
        recorded signal, for ``CutTrials(trials, tmin, None)``.
    tmin : float
    notes : tuple of str
        What was left out.
    """

    trials: pd.DataFrame
    tmin: float
    notes: tuple[str, ...] = ()


def list_annotations(raw: Any) -> pd.DataFrame:
    """Return the annotations of a recording as a table of text, with onsets from its first sample.

    Parameters
    ----------
    raw : mne.io.BaseRaw
    """
    marks = raw.annotations
    onsets = np.asarray(marks.onset, dtype=float) - raw.first_time
    return pd.DataFrame(
        {
            "onset": [f"{onset:.9g}" for onset in onsets],
            "duration": [f"{length:.9g}" if length > 0 else "n/a" for length in marks.duration],
            "trial_type": [" ".join(str(name).split()) for name in marks.description],
        },
        index=pd.RangeIndex(1, len(onsets) + 1),
        dtype="str",
    )


def list_codes(raw: Any, path: Path, stim_channel: str | None) -> tuple[pd.DataFrame, str]:
    """Return the events of the stimulus channel as a table of text, and the channel's name.

    Raises
    ------
    DataError
        If several channels have events, or the one that was asked for is missing or has no codes.
    """
    bits = _STATUS_BITS if path.suffix.lower() == ".bdf" else None
    names = choose_stim(raw, stim_channel, str(path))
    found = {name: find_codes(raw, name, str(path), bits=bits) for name in names}
    filled = {name: table for name, table in found.items() if len(table)}
    if len(filled) > 1:
        raise DataError(
            f"{path} has events in several stimulus channels: {', '.join(filled)}. Name one of "
            "them in data.stim_channel."
        )
    if not filled:
        return pd.DataFrame({"onset": [], "duration": [], "trial_type": []}, dtype="str"), ""
    name, table = filled.popitem()
    return table.set_axis(pd.RangeIndex(1, len(table) + 1)), name


def find_trials(raw: Any, place: Place, chosen: Options, counts: dict[str, int]) -> Found:
    """Return the trials of a recording, numbered from where those of its session ended.

    Parameters
    ----------
    raw : mne.io.BaseRaw
        The recording; its signals are not read, except for a stimulus channel.
    place : Place
    chosen : Options
    counts : dict of str to int
        Number of trials of each session so far; changed in place.

    Returns
    -------
    found : Found

    Raises
    ------
    DataError
        If an event has no time or no duration, or there is none of the chosen types.
    """
    notes: list[str] = []
    fixed = chosen.trials == "fixed"
    row = place.row
    from_table = place.way == "table"
    if place.trials is not None and place.events is not None:
        place_breaks(raw, find_bad_spans(place.trials, place.events, chosen.trial_types))
    if fixed and chosen.trial_types is None:
        spans, from_table = _whole(row), False
    else:
        spans = _read_spans(raw, place, chosen)
        if chosen.trial_types is not None:
            notes += _tell_absent(spans, chosen.trial_types)
    spans = _last_to(_describe(spans, row, chosen.own), place.path, chosen, raw)
    if fixed:
        spans = spans.assign(trial=np.arange(1, len(spans) + 1))
        if from_table:
            spans, told = place_spans(spans, raw)
            notes += told
        trials, told = _cut_fixed(spans, row, chosen, raw)
        notes += told
    else:
        trials = spans
    first = counts.get(row.session, 0) + 1
    trials = trials.assign(trial=np.arange(first, first + len(trials)))
    counts[row.session] = first + len(trials) - 1
    tmin = 0.0 if fixed else chosen.tmin
    if from_table and not fixed:
        kept, told = place_trials(trials, raw, tmin, None)
    else:  # these times are on the clock of the samples already
        end = len(raw.times) / float(raw.info["sfreq"])
        kept, told = leave_out(trials, tmin, None, end, find_breaks(raw))
        kept = kept.assign(duration=trials.loc[kept.index, "duration"])
    return Found(kept.reset_index(drop=True), tmin, (*notes, *told))


def _cut_fixed(
    spans: pd.DataFrame, row: Row, chosen: Options, raw: Any
) -> tuple[pd.DataFrame, list[str]]:
    assert chosen.length is not None  # see `check_fixed`
    # of a whole recording without a stimulus, pieces are not of one thing
    if chosen.trial_types is not None or row.stimulus:
        spans = name_bundles(spans)
    end = len(raw.times) / float(raw.info["sfreq"])
    return cut_pieces(spans, chosen.length, tmin=chosen.tmin, end=end)


def _whole(row: Row) -> pd.DataFrame:
    return whole_span(
        {
            "subject": row.subject,
            "session": row.session,
            "trial": 0,
            "stimulus": row.stimulus,
            "run": row.run,
            "trial_type": "",
        }
    )


def _read_spans(raw: Any, place: Place, chosen: Options) -> pd.DataFrame:
    """Return the events of a recording that are asked for."""
    row, path = place.row, place.path
    if place.trials is not None and place.events is not None:
        return read_events(row, place.events, place.trials, chosen.trial_types)
    way = chosen.events if place.way == "auto" else place.way
    listings: list[tuple[str, pd.DataFrame]] = []
    if way in ("auto", "annotations"):
        listings.append(("its annotations", list_annotations(raw)))
    if way == "stim" or (way == "auto" and not _some(listings, place)):
        codes, name = list_codes(raw, path, chosen.stim_channel)
        listings.append((f"its channel {name}", codes))
    for where, listed in listings:
        spans = read_events(row, path, listed, None)
        if not spans.empty:
            if chosen.trial_types is not None:
                present = spans["trial_type"]  # without the double blanks of BrainVision
                wanted = [" ".join(kind.split()) for kind in chosen.trial_types]
                spans = spans[present.isin(wanted)].reset_index(drop=True)
                if spans.empty:
                    raise DataError(_no_such_type(path, where, present, chosen.trial_types))
            return spans
    if way in ("annotations", "stim"):
        what = "annotation that could be a trial" if way == "annotations" else "event"
        inside = "" if way == "annotations" else " in its stimulus channel"
        raise DataError(
            f"{path} has no {what}{inside}; expected trials there, since events is {way}. For a "
            "recording that is one trial, write none in the column events."
        )
    if chosen.trial_types is not None:
        raise DataError(
            f"{path} has no event, neither in a table nor as annotation or in a stimulus "
            f"channel; expected some of the types {show_names(chosen.trial_types)}."
        )
    return _whole(row)


def _some(listings: list[tuple[str, pd.DataFrame]], place: Place) -> bool:
    """Return whether one of the places has an event that is no mark of a bad segment."""
    return any(not read_events(place.row, place.path, listed, None).empty for _, listed in listings)


def _no_such_type(path: Path, where: str, present: pd.Series, wanted: tuple[str, ...]) -> str:
    types = list(dict.fromkeys(present))
    close = difflib.get_close_matches(wanted[0], types, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return (
        f"{path}: no event of {where} is of the type {' or '.join(map(repr, wanted))}.{hint} "
        f"Found: {show_names(types)}."
    )


def _tell_absent(spans: pd.DataFrame, wanted: tuple[str, ...]) -> list[str]:
    absent = [kind for kind in wanted if kind not in set(spans["trial_type"])]
    return [f"no event of the type {', '.join(absent)}"] if absent else []


def _describe(spans: pd.DataFrame, row: Row, own: tuple[str, ...]) -> pd.DataFrame:
    """Add what the table of recordings says: class, stimulus and further columns."""
    added: dict[str, Any] = {}
    if row.label:
        label = "" if is_missing(row.label) else row.label
        added |= {"events.trial_type": spans["trial_type"], "trial_type": label}
    if row.stimulus:
        added["stimulus"] = spans["stimulus"].replace("", row.stimulus)
    for name, text in row.further.items():
        plain = name.lower()
        value: object = "" if is_missing(text) else text
        if plain in RATINGS:
            if plain not in spans:
                added[plain] = _rating(text, name, row)
        elif name in own and plain not in _RESERVED and not plain.startswith("events."):
            added[name] = value
        else:
            added[f"recordings.{name}"] = value
    return spans.assign(**added)


def _rating(text: str, name: str, row: Row) -> float:
    if is_missing(text):
        return math.nan
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise DataError(
            f"the table of recordings, line {row.line}: {name} is {text[:60]!r}; expected a number "
            "or n/a."
        )
    return number


def _last_to(spans: pd.DataFrame, path: Path, chosen: Options, raw: Any) -> pd.DataFrame:
    """Return events with the duration to which they are cut."""
    if chosen.tmax is not None and not (spans["duration"] == math.inf).any():
        return spans.assign(duration=chosen.tmax)
    spans = spans.assign(duration=spans["duration"].astype(float))
    whole = spans["duration"] == math.inf
    end = len(raw.times) / float(raw.info["sfreq"])
    spans.loc[whole, "duration"] = end if chosen.tmax is None else min(end, chosen.tmax)
    if not (spans["duration"] > 0).all():
        lacking = spans[~(spans["duration"] > 0)]
        kinds = show_names(dict.fromkeys(lacking["trial_type"]))
        raise DataError(
            f"{path}: {len(lacking)} of {len(spans)} events have no duration "
            f"({kinds or 'no type'}), so it is not known how long a trial lasts. Set tmax, in "
            "seconds from the onset; or choose events with a duration by trial_types; or, for "
            "recordings that are one trial each, set events: none, or cut them into pieces with "
            "trials: fixed."
        )
    return spans
