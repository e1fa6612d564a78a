"""Trials from the ``events.tsv`` of a BIDS recording."""

import difflib
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from eegemo.datasets.base import RATINGS
from eegemo.datasets.breaks import Break
from eegemo.datasets.cutting import leave_out
from eegemo.datasets.tables import show_names
from eegemo.errors import DataError

__all__ = [
    "check_overlap",
    "check_trial_types",
    "number_trials",
    "read_events",
    "shortest_duration",
]

# In seconds: onsets are written with six digits or so.
_ROUNDING = 1e-6
_MISSING = ("", "n/a", "nan")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
# In seconds, some thirty years: larger numbers are neither times in a recording nor ratings.
_LARGEST = 1e9
# Events that mark a segment rather than a trial, in MNE's and EEGLAB's spelling.
_NOT_TRIALS = ("bad", "boundary", "edge", "new segment")


def _is_mark(trial_type: str) -> bool:
    return trial_type.lower().startswith(_NOT_TRIALS)


def _numbers(table: pd.DataFrame, column: str, file: Path | str) -> list[float]:
    """Return a column as numbers, with NaN for missing values."""
    numbers = []
    for row, text in zip(table.index, table[column], strict=True):
        word = text.strip()
        missing = word.lower() in _MISSING
        # float() alone takes 1_0 for 10 and knows digits of other scripts
        number = float(word) if _NUMBER.fullmatch(word) else math.nan
        if not missing and not abs(number) <= _LARGEST:
            found = repr(text if len(text) <= 60 else f"{text[:60]}...")
            raise DataError(f"{file}, line {row}: {column} is {found}; expected a number or n/a.")
        if column == "duration" and number < 0:
            raise DataError(f"{file}, line {row}: the duration {text} is negative.")
        numbers.append(number)
    return numbers


def check_trial_types(
    tables: list[pd.DataFrame], trial_types: Sequence[str] | None, root: Path
) -> None:
    """Refuse a trial type that no event of the data set has."""
    if trial_types is None:
        return
    present = sorted(
        {kind for table in tables if "trial_type" in table for kind in table["trial_type"]}
    )
    for kind in trial_types:
        if kind not in present:
            close = difflib.get_close_matches(kind, present, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise DataError(
                f"{root}: no event has the trial_type {kind!r}.{hint} Found: {show_names(present)}."
            )


def read_events(
    path: Any, file: Path, table: pd.DataFrame, trial_types: Sequence[str] | None
) -> pd.DataFrame:
    """Return the trials of a run: metadata, and onset and duration in seconds."""
    kinds = table["trial_type"] if "trial_type" in table else pd.Series("", index=table.index)
    columns = {str(name).lower(): str(name) for name in table.columns}
    stimulus = next((columns[name] for name in ("stimulus", "stim_file") if name in columns), None)
    trials = pd.DataFrame(
        {
            "subject": path.subject,
            "session": path.session or "1",
            "trial": 0,
            "stimulus": table[stimulus] if stimulus else "",
            "run": path.run or "1",
            "trial_type": kinds,
            "onset": _numbers(table, "onset", file),
            "duration": _numbers(table, "duration", file) if "duration" in table else math.nan,
        },
        index=table.index,
    )
    trials = trials.replace({"stimulus": "n/a", "trial_type": "n/a"}, "")
    for rating in RATINGS:
        if rating in columns:
            trials[rating] = _numbers(table, columns[rating], file)
    wanted = ~kinds.map(_is_mark) if trial_types is None else kinds.isin(trial_types)
    trials = trials[wanted.to_numpy(dtype=bool)].sort_values("onset", kind="stable")
    if trials["onset"].isna().any():
        raise DataError(f"{file}: a trial has no onset.")
    if trials["onset"].duplicated().any():
        twice = trials.loc[trials["onset"].duplicated(), "onset"].iloc[0]
        raise DataError(
            f"{file}: several events at {twice:g} s. Say by trial_types which of them are trials."
        )
    return trials.reset_index(drop=True)


def number_trials(runs: list[pd.DataFrame]) -> list[pd.DataFrame]:
    """Give the trials of a subject numbers from 1 on, across the runs of each session."""
    count: dict[str, int] = {}
    for trials in runs:
        for session in trials["session"].unique():
            first = count.get(session, 0) + 1
            trials["trial"] = np.arange(first, first + len(trials))
            count[session] = first + len(trials) - 1
    return runs


def shortest_duration(tables: list[pd.DataFrame], root: Path) -> float:
    """Return the shortest duration of all trials in seconds; every trial must have a duration."""
    durations = np.concatenate([table["duration"].to_numpy(dtype=float) for table in tables])
    if not (durations > 0).all():
        raise DataError(
            f"{root}: not every trial has a duration in its events.tsv. Say how long a trial lasts "
            "with tmax, in seconds from its onset."
        )
    return float(durations.min())


def check_overlap(
    trials: pd.DataFrame, tmin: float, tmax: float, file: Path, bad: Sequence[Break]
) -> None:
    """Refuse trials that share samples after their onsets, which could leak into a test set.

    They may overlap before the onset: that part serves as a baseline and is not learned from.
    """
    kept, _ = leave_out(trials, tmin, tmax, math.inf, bad)
    first = max(tmin, 0.0)
    close = np.flatnonzero(np.diff(kept["onset"]) < tmax - first - 2 * _ROUNDING)
    if close.size:
        (trial, onset), (following, later) = (
            kept[["trial", "onset"]].iloc[close[0] : close[0] + 2].to_numpy()
        )
        raise DataError(
            f"{file}: trials {trial:g} and {following:g} overlap. Their onsets are {onset:.10g} "
            f"and {later:.10g} s, and a trial lasts from {first:g} to {tmax:g} s after its onset, "
            f"so both would hold the same signal ({close.size} of {len(kept)} trials reach into "
            "the next). Choose a smaller tmax, or say by trial_types which events are trials."
        )
