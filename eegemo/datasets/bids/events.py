"""Trials from the ``events.tsv`` of a BIDS recording; every row is a trial, or counted."""

import difflib
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from eegemo.datasets.base import RATINGS
from eegemo.datasets.bids.paths import RunPath
from eegemo.datasets.breaks import is_break
from eegemo.datasets.exclude import Exclusion, same_label, shorten
from eegemo.datasets.tables import fold, is_missing, show_names
from eegemo.errors import DataError

__all__ = [
    "RESERVED",
    "RunEvents",
    "check_durations",
    "check_trial_types",
    "column_name",
    "exclude_trials",
    "number_trials",
    "read_events",
]

#: Columns of the metadata that other columns are not called.
RESERVED = (
    "subject", "session", "trial", "stimulus", "run", "trial_type", "onset", "duration", "bundle",
    "breaks", "n_times", "presentation",
)  # fmt: skip
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
# In seconds, some thirty years: larger numbers are neither times in a recording nor ratings.
_LARGEST = 1e9


@dataclass(frozen=True)
class RunEvents:
    """The events of a run: its trials, and how many rows are none.

    Attributes
    ----------
    path : RunPath
    file : pathlib.Path
        The table.
    table : DataFrame of str
        All rows; the index is the line in the file.
    trials : DataFrame
        A row per trial in the order of their onsets: the metadata, and ``onset`` and ``duration``
        in seconds.
    lines : tuple of int
        Of each trial, in the file.
    left_out : dict of str to int
        Number of rows that are no trial, by reason.
    """

    path: RunPath
    file: Path
    table: pd.DataFrame
    trials: pd.DataFrame
    lines: tuple[int, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rows, out = len(self.table), sum(self.left_out.values())
        if not rows == len(self.trials) + out or len(self.lines) != len(self.trials):
            raise DataError(
                f"{self.file}: {rows} rows, of which {len(self.trials)} are trials and {out} are "
                "not. This is an error of eegemo: please report it with this table."
            )

    def without(self, which: np.ndarray, reason: str) -> "RunEvents":
        """Return the events without some trials, which are counted."""
        if not which.any():
            return self
        lines = tuple(line for line, gone in zip(self.lines, which, strict=True) if not gone)
        trials = self.trials[~which].reset_index(drop=True)
        left_out = dict(Counter(self.left_out) + Counter({reason: int(which.sum())}))
        return replace(self, trials=trials, lines=lines, left_out=left_out)


def _is_mark(trial_type: str) -> bool:
    return is_break(trial_type)


def _numbers(table: pd.DataFrame, column: str, file: Path) -> list[float]:
    """Return a column as numbers, with NaN for missing values."""
    numbers = []
    for line, text in zip(table.index, table[column], strict=True):
        # float() alone takes 1_0 for 10 and knows digits of other scripts
        number = float(text) if _NUMBER.fullmatch(text) else math.nan
        if not is_missing(text) and not abs(number) <= _LARGEST:
            found = repr(text if len(text) <= 60 else f"{text[:60]}...")
            comma = re.fullmatch(r"[+-]?\d+,\d+", text)
            hint = f" Write {text.replace(',', '.')}." if comma else ""
            raise DataError(
                f"{file}, line {line}: {column} is {found}; expected a number or n/a.{hint}"
            )
        if column == "duration" and number < 0:
            raise DataError(f"{file}, line {line}: the duration {text} is negative.")
        numbers.append(number)
    return numbers


def check_trial_types(
    tables: Sequence[pd.DataFrame], trial_types: Sequence[str] | None, root: Path
) -> None:
    """Refuse a trial type that no event of the data set has."""
    if trial_types is None:
        return
    named = [table for table in tables if {"trial_type", "value"} & set(table.columns)]
    present = sorted({kind for table in named for kind in _kinds(table)})
    for kind in trial_types:
        if kind not in present:
            alike = [other for other in present if fold(other) == fold(kind)]
            close = alike or difflib.get_close_matches(kind, present, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            found = show_names(name or "n/a" for name in present) or "no column trial_type"
            elsewhere = dict.fromkeys(
                str(name)
                for table in tables
                for name in table.columns
                if name != "trial_type" and kind in set(table[name])
            )
            if elsewhere and not alike:
                hint = (
                    f" It stands in the column {show_names(elsewhere)}: write labels.column: "
                    f"{next(iter(elsewhere))}, without trial_types."
                )
            raise DataError(f"{root}: no event has the trial_type {kind!r}.{hint} Found: {found}.")


def _kinds(table: pd.DataFrame) -> pd.Series:
    """Return the trial_type of each row, or its `value` where it has none."""
    kinds = table["trial_type"] if "trial_type" in table else pd.Series("", index=table.index)
    return kinds.where(~kinds.map(is_missing), table["value"]) if "value" in table else kinds


def column_name(name: str, table: str, used: Sequence[str]) -> str:
    """Return the name of a column of a table among the metadata.

    Parameters
    ----------
    name : str
    table : str
        Such as ``events``.
    used : sequence of str
        Names that are taken.

    Examples
    --------
    >>> column_name("emotion", "events", ["subject"]), column_name("trial", "events", ["trial"])
    ('emotion', 'events.trial')
    """
    while name in used:
        name = f"{table}.{name}"
    return name


def read_events(
    path: RunPath, file: Path, table: pd.DataFrame, trial_types: Sequence[str] | None
) -> RunEvents:
    """Read the trials of a run.

    Parameters
    ----------
    path : RunPath
    file : pathlib.Path
        For messages.
    table : DataFrame of str
        Of `eegemo.datasets.tables.read_table`.
    trial_types : sequence of str, optional
        Events that are trials, by their `trial_type`, or by their `value` where they have none;
        None takes all but marks of breaks.

    Returns
    -------
    events : RunEvents
        With all columns of the table as text, but for the ratings, which are numbers. Trials have
        no number yet.

    Raises
    ------
    DataError
        If an onset, a duration or a rating is not a number, or different events that are trials
        begin at the same moment.
    """
    kinds = _kinds(table)
    onsets = pd.Series(_numbers(table, "onset", file), index=table.index, dtype=float)
    _check_not_samples(table, onsets, file)
    if trial_types is not None:
        chosen, other = kinds.isin(trial_types), "of another trial_type"
    else:
        chosen, other = ~kinds.map(_is_mark).astype(bool), "marks of a break"
    absent = chosen & onsets.isna()
    kept = chosen & ~absent
    left_out = {other: int((~chosen).sum()), "without an onset": int(absent.sum())}
    rows = table[kept.to_numpy(dtype=bool)]
    rows = rows.loc[onsets[rows.index].sort_values(kind="stable").index]
    copies = rows.duplicated()
    left_out["the same as another row"] = int(copies.sum())
    rows = rows[~copies.to_numpy(dtype=bool)]
    trials = _make_trials(path, rows, onsets[rows.index], file)
    twice = trials["onset"].duplicated(keep=False)
    # without a trial_type nothing says which is the trial; labels.column can, and they are bundled
    if twice.any() and trials["trial_type"].any():
        moment = trials.loc[twice, "onset"].iloc[0]
        same = trials["onset"] == moment
        what = show_names(dict.fromkeys(kind or "n/a" for kind in trials.loc[same, "trial_type"]))
        lines = ", ".join(str(line) for line in rows.index[same.to_numpy(dtype=bool)][:3])
        raise DataError(
            f"{file}: several events at {moment:g} s ({what}; lines {lines}). Say by trial_types "
            "which of them are trials."
        )
    return RunEvents(
        path,
        file,
        table,
        trials,
        tuple(int(line) for line in rows.index),
        {reason: n for reason, n in left_out.items() if n},
    )


def _make_trials(path: RunPath, rows: pd.DataFrame, onsets: pd.Series, file: Path) -> pd.DataFrame:
    columns = {str(name).lower(): str(name) for name in rows.columns}
    source = next((columns[name] for name in ("stimulus", "stim_file") if name in columns), None)
    values: dict[str, object] = {
        "subject": path.subject,
        "session": path.session,
        "trial": 0,
        "stimulus": _text(rows[source]) if source else "",
        "run": path.run_label,
        "trial_type": _text(rows["trial_type"]) if "trial_type" in rows else "",
        "onset": onsets,
        "duration": _numbers(rows, "duration", file) if "duration" in rows else math.nan,
    }
    rated = [name for name in RATINGS if name in columns and not _are_words(rows[columns[name]])]
    for rating in rated:
        values[rating] = _numbers(rows, columns[rating], file)
    done = {"onset", "duration", "trial_type", *(columns[rating] for rating in rated)}
    done |= {source} if source == "stimulus" else set()
    for name in map(str, rows.columns):
        if name not in done:
            used = [*RESERVED, *values]
            values[column_name(name, "events", used)] = _text(rows[name])
    return pd.DataFrame(values, index=rows.index).reset_index(drop=True)


def _are_words(column: pd.Series) -> bool:
    """Return whether a column names classes: it has values, and no number among them."""
    values = [text for text in column if not is_missing(text)]
    return bool(values) and not any(re.search(r"\d|^[+-]?inf", text.lower()) for text in values)


def _text(column: pd.Series) -> list[str]:
    return ["" if is_missing(text) else text for text in column]


def _check_not_samples(table: pd.DataFrame, onsets: pd.Series, file: Path) -> None:
    """Refuse a table whose onsets are the numbers of samples, by its own column of them."""
    name = next((name for name in table.columns if str(name).lower() == "sample"), None)
    if name is None:
        return
    samples = pd.to_numeric(table[name], errors="coerce")
    both = onsets.notna() & samples.notna() & (onsets > 0)
    if both.any() and (onsets[both] == samples[both]).all():
        line = int(table.index[both.to_numpy(dtype=bool)][0])
        raise DataError(
            f"{file}: onset equals the column {name} in every row (line {line}: "
            f"{onsets[line]:.10g}), so onsets are numbers of samples; expected seconds. Divide "
            "them by the sampling rate."
        )


def number_trials(runs: Sequence[RunEvents]) -> list[RunEvents]:
    """Give the trials of a subject numbers from 1 on, across the runs of each session."""
    count: Counter[str] = Counter()
    numbered = []
    for run in runs:
        first = count[run.path.session] + 1
        trials = run.trials.assign(trial=np.arange(first, first + len(run.trials)))
        count[run.path.session] += len(trials)
        numbered.append(replace(run, trials=trials))
    return numbered


def exclude_trials(run: RunEvents, exclusions: Sequence[Exclusion]) -> tuple[RunEvents, set[str]]:
    """Return the events without the trials that are excluded, and the exclusions that fit one."""
    gone = np.zeros(len(run.trials), dtype=bool)
    fitting = set()
    for exclusion in exclusions:
        found = [same_label(str(trial), str(exclusion.trial)) for trial in run.trials["trial"]]
        gone |= np.array(found, dtype=bool)
        fitting |= {exclusion.text} if any(found) else set()
    return run.without(gone, "excluded"), fitting


def check_durations(runs: Sequence[RunEvents], root: Path) -> None:
    """Refuse trials without a duration, where each lasts as long as its own."""
    without = [
        (run, line)
        for run in runs
        for line, seconds in zip(run.lines, run.trials["duration"], strict=True)
        if not seconds > 0
    ]
    if not without:
        return
    total = sum(len(run.trials) for run in runs)
    places = [f"{run.file.name}, line {line}" for run, line in without]
    where = f" ({shorten(places)})" if len(without) < total else ""
    raise DataError(
        f"{root}: not every trial has a duration in its events.tsv: {len(without)} of {total} have "
        f"none or 0{where}. Say how long a trial lasts with tmax, in seconds from its onset, or by "
        "trial_types which events are trials."
    )
