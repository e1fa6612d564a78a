"""Trials of a recording: its events, the whole of it, or pieces of either."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from eegemo.datasets.base import RATINGS
from eegemo.datasets.bids.bundles import bundle_trials
from eegemo.datasets.bids.events import RESERVED, RunEvents
from eegemo.datasets.bids.times import explain_onsets, is_other_unit
from eegemo.datasets.breaks import find_breaks, place_breaks
from eegemo.datasets.cutting import find_bad_spans, leave_out, place_trials
from eegemo.datasets.files.listing import read_listed
from eegemo.datasets.files.options import Options
from eegemo.datasets.files.places import Place
from eegemo.datasets.files.table import Row
from eegemo.datasets.fixed import Numbering, cut_run, whole_span
from eegemo.datasets.tables import is_missing, show_names
from eegemo.errors import DataError

__all__ = ["Found", "find_trials"]


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


def find_trials(raw: Any, place: Place, chosen: Options, numbering: Numbering) -> Found:
    """Return the trials of a recording, numbered from where those of its session ended.

    Parameters
    ----------
    raw : mne.io.BaseRaw
        The recording; its signals are not read, except for a stimulus channel. Breaks that a table
        of its events marks are added to its annotations.
    place : Place
    chosen : Options
    numbering : Numbering

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
    if place.trials is not None and place.events is not None:
        place_breaks(raw, find_bad_spans(place.trials, place.events, chosen.trial_types))
    events = None
    if not fixed or chosen.trial_types is not None:
        events = read_listed(raw, place, chosen)
    # onsets in a table count the gaps of a recording, others do not
    from_table = events is not None and place.trials is not None
    if events is None:
        spans = _last_to(_describe(_whole(row), row, chosen), place.path, chosen, raw)
    else:
        notes += _tell_events(events, chosen)
        if from_table:
            notes += _check_onsets(events, raw)
        spans = _last_to(_describe(events.trials, row, chosen), place.path, chosen, raw)
        if not fixed:
            spans = bundle_trials(_with(events, spans), chosen.tmin, None)[0].trials
    if fixed:
        assert chosen.length is not None  # see `check_fixed`
        spans, told = cut_run(
            spans,
            raw,
            chosen.length,
            tmin=chosen.tmin,
            # of a whole recording without a stimulus, pieces are not of one thing
            bundled=chosen.trial_types is not None or bool(row.stimulus),
            with_gaps=from_table,
        )
        notes += told
    trials = numbering.number(spans, row.session)
    trials, told = numbering.leave_out(trials, place.exclusions)
    notes += told
    tmin = 0.0 if fixed else chosen.tmin
    if from_table and not fixed:
        kept, told = place_trials(trials, raw, tmin, None)
    else:  # these times are on the clock of the samples already
        end = len(raw.times) / float(raw.info["sfreq"])
        kept, told = leave_out(trials, tmin, None, end, find_breaks(raw))
        kept = kept.assign(duration=trials.loc[kept.index, "duration"])
    return Found(kept.reset_index(drop=True), tmin, (*notes, *told))


def _with(events: RunEvents, trials: pd.DataFrame) -> RunEvents:
    return replace(events, trials=trials)


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


def _tell_events(events: RunEvents, chosen: Options) -> list[str]:
    notes = []
    if events.left_out:
        reasons = ", ".join(f"{n} {reason}" for reason, n in events.left_out.items())
        notes.append(
            f"of {len(events.table)} events, {len(events.trials)} are trials; left out: {reasons}"
        )
    present = set(events.trials["trial_type"])
    wanted = [" ".join(kind.split()) for kind in chosen.trial_types or ()]
    absent = [kind for kind in wanted if kind not in present]
    if absent:
        notes.append(f"no event of the type {', '.join(absent)}")
    return notes


def _check_onsets(events: RunEvents, raw: Any) -> list[str]:
    """Return a note on onsets beyond the recording; refuse those in another unit."""
    sfreq = float(raw.info["sfreq"])
    trials = events.trials
    times = trials["onset"].tolist(), trials["duration"].tolist(), len(raw.times) / sfreq, sfreq
    words = explain_onsets(*times)
    if words and is_other_unit(*times):
        raise DataError(
            f"{events.file}: most trials begin after the end of {events.path.fpath.name}: {words}. "
            "Expected seconds: correct onset and duration."
        )
    return [words] if words else []


def _describe(spans: pd.DataFrame, row: Row, chosen: Options) -> pd.DataFrame:
    """Add what the table of recordings says: class, stimulus and further columns."""
    added: dict[str, Any] = {}
    if row.label:
        label = "" if is_missing(row.label) else row.label
        own = spans["trial_type"]
        added |= {"events.trial_type": own, "trial_type": label, "recordings.label": label}
    stimuli = spans["stimulus"].replace("", row.stimulus)
    added["stimulus"] = stimuli.replace(dict(chosen.renamed)) if chosen.renamed else stimuli
    for name, text in row.further.items():
        plain = name.lower()
        value: object = "" if is_missing(text) else text
        if plain in RATINGS:
            if plain not in spans:
                added[plain] = _rating(text, name, row)
        elif name in chosen.own and plain not in RESERVED and not plain.startswith("events."):
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
        raise DataError(f"{name} is {text[:60]!r}; expected a number or n/a.")
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
