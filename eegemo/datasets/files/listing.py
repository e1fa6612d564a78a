"""Events of a recording: from a table, its annotations or its stimulus channel."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from eegemo.datasets.bids.events import RunEvents, read_events
from eegemo.datasets.bids.paths import RunPath
from eegemo.datasets.breaks import is_break
from eegemo.datasets.files.options import Options
from eegemo.datasets.files.places import Place
from eegemo.datasets.files.stimulus import choose_stim, find_codes
from eegemo.datasets.tables import show_names
from eegemo.errors import DataError

__all__ = ["list_annotations", "list_codes", "read_listed"]

# Channels that join several others, or are the one of their format.
_USUAL = ("STI101", "STI 101", "STI 014", "Status", "STATUS")
_STATUS_BITS = 16  # of a BDF's Status that are codes; those above tell the amplifier's state


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


def list_codes(
    raw: Any, path: Path, stim_channel: str | None, *, asked: bool = False
) -> tuple[pd.DataFrame, str]:
    """Return the events of the stimulus channel as a table of text, and the channel's name.

    Raises
    ------
    DataError
        If several channels have events, or the one that was asked for is missing or has no codes.
    """
    bits = _STATUS_BITS if path.suffix.lower() == ".bdf" else None
    filled: dict[str, pd.DataFrame] = {}
    for name in choose_stim(raw, stim_channel, str(path)):
        try:
            table = find_codes(raw, name, str(path), bits=bits)
        except DataError:
            if asked:
                raise
            continue  # a channel of another kind
        if len(table):
            filled[name] = table
    usual = [name for name in filled if name in _USUAL]
    if len(filled) > 1 and len(usual) == 1:
        filled = {usual[0]: filled[usual[0]]}
    if len(filled) > 1:
        raise DataError(
            f"{path} has events in several stimulus channels: {', '.join(filled)}. Name one of "
            "them in data.stim_channel."
        )
    if not filled:
        return pd.DataFrame({"onset": [], "duration": [], "trial_type": []}, dtype="str"), ""
    name, table = filled.popitem()
    return table.set_axis(pd.RangeIndex(1, len(table) + 1)), name


def read_listed(raw: Any, place: Place, chosen: Options) -> RunEvents | None:
    """Read the events of a recording that are trials.

    Parameters
    ----------
    raw : mne.io.BaseRaw
    place : Place
    chosen : Options

    Returns
    -------
    events : RunEvents or None
        None if the recording is one trial.

    Raises
    ------
    DataError
        If there is no event where they are to be, or none of the chosen types.
    """
    path = place.path
    if place.trials is not None and place.events is not None:
        return _read(place, place.events, place.trials, chosen.trial_types)
    way = chosen.events if place.way == "auto" else place.way
    listings: list[tuple[str, pd.DataFrame]] = []
    if way in ("auto", "annotations"):
        listings.append(("its annotations", list_annotations(raw)))
    if way == "stim" or (way == "auto" and not any(_some(t) for _, t in listings)):
        codes, name = list_codes(
            raw, path, chosen.stim_channel, asked=way == "stim" or bool(chosen.stim_channel)
        )
        listings.append((f"its channel {name}", codes))
    for where, listed in listings:
        if _some(listed):
            # without the double blanks of BrainVision
            wanted = chosen.trial_types and [" ".join(kind.split()) for kind in chosen.trial_types]
            found = _read(place, path, listed, wanted)
            # what is left of one that goes on beyond a recording that is cut off
            last = (len(raw.times) - 1) / float(raw.info["sfreq"])
            late = (found.trials["onset"] >= last).to_numpy(dtype=bool)
            found = found.without(late, "at the end of the signals")
            if found.trials.empty:
                raise DataError(_no_such_type(path, where, listed, wanted or ()))
            return found
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
    return None


def _read(place: Place, file: Path, table: pd.DataFrame, types: Any) -> RunEvents:
    row = place.row
    labels = {"sub": row.subject, "ses": row.session, "run": row.run}
    return read_events(RunPath(place.path, labels, row.run), file, table, types)


def _some(listed: pd.DataFrame) -> bool:
    """Return whether there is an event that is no mark of a break."""
    return not listed.empty and any(not is_break(kind) for kind in listed["trial_type"])


def _no_such_type(path: Path, where: str, listed: pd.DataFrame, wanted: Any) -> str:
    types = list(dict.fromkeys(listed["trial_type"]))
    close = difflib.get_close_matches(wanted[0], types, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return (
        f"{path}: no event of {where} is of the type {' or '.join(map(repr, wanted))}.{hint} "
        f"Found: {show_names(types)}."
    )
