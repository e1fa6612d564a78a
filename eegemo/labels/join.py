"""Rows of a table of labels or ratings, joined to trials by the columns that both have."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eegemo.errors import DataError
from eegemo.labels.columns import as_texts, name_trial
from eegemo.labels.numbering import number_by_order, number_within_runs
from eegemo.labels.ratings_table import RatingsTable, read_ratings

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["JOINED_ON", "join_ratings"]

#: What a table may be joined on, and the names of columns that mean it, without case and marks.
JOINED_ON: dict[str, tuple[str, ...]] = {
    "subject": ("subject", "subjectid", "sub", "subj", "participant", "participantid", "person"),
    "session": ("session", "sessionid", "ses"),
    "run": ("run", "runid"),
    "trial": ("trial", "trialid", "trialno", "trialnr", "trialnumber", "trialindex"),
    "stimulus": (
        *("stimulus", "stimulusid", "stimulusname", "stimulusfile", "stimfile", "stim"),
        *("stimuliname", "stimid", "video", "videoid", "videoname", "clip", "clipid", "clipname"),
        "experimentid",
    ),
}
#: In the name of a file, what says whose the rows are.
_ENTITIES = {"subject": "sub", "session": "ses", "run": "run"}
_PREFIXES = {"subject": "sub-", "session": "ses-", "run": "run-", "trial": "trial-"}
_MOST_SHOWN = 3

_Key = tuple[str, ...]


def join_ratings(metadata: pd.DataFrame, table: str | Path) -> tuple[pd.DataFrame, list[str]]:
    r"""Join a table of labels or ratings to the metadata of trials.

    The columns that both have, out of subject, session, run, trial and stimulus, say which row
    belongs to which trial. 01 and 1 are the same, and so are sub-01 and 01. Where a table names
    trials, a row belongs to one trial; where it names stimuli (or only people, sessions or runs), a
    row may belong to many. A trial never has two rows.

    Parameters
    ----------
    metadata : DataFrame, one row per trial
    table : str or path
        See `eegemo.labels.read_ratings`.

    Returns
    -------
    joined : DataFrame, one row per trial
        With the columns of the table as text, "" where a trial has no row. A column of the metadata
        that has the name of one of them is called ``recordings.NAME``.
    notes : list of str
        The keys, and the number of trials without a row and of rows without a trial, in sentences.

    Raises
    ------
    DataError
        If the table cannot be read, shares no column, fits no trial, or has several rows for a
        trial, or several trials for a row of a trial; the message names lines.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> file = Path(tempfile.mkdtemp()) / "ratings.csv"
    >>> _ = file.write_text("participant_id,trial,mood\nsub-01,1,high\nsub-01,2,low\n")
    >>> trials = pd.DataFrame({"subject": ["01"] * 3, "trial": [1, 2, 3]})
    >>> joined, notes = join_ratings(trials, file)
    >>> joined["mood"].tolist(), notes[1]
    (['high', 'low', ''], '1 trial has no row in ratings.csv: subject 01, trial 3.')
    """
    ratings = read_ratings(table)
    rows, used, notes = _shared(metadata, ratings)
    keys = tuple(rows)
    about = {key: _normal(key, metadata[key]) for key in keys}
    if {"run", "trial"} <= set(keys):
        numbered = number_within_runs(about, rows)
        if numbered is not None:
            about["trial"] = numbered
            notes.append(f"Trials of {ratings.name} are numbered within each run.")
    of_trials: list[_Key] = list(zip(*about.values(), strict=True))
    of_rows: list[_Key] = list(zip(*rows.values(), strict=True))
    found: dict[_Key, list[int]] = defaultdict(list)
    for row, key in enumerate(of_rows):
        if all(key):  # else the row does not say whose it is
            found[key].append(row)
    trials: dict[_Key, list[int]] = defaultdict(list)
    for trial, key in enumerate(of_trials):
        if key in found:
            trials[key].append(trial)
    if not trials:
        raise _nothing_fits(metadata, ratings, keys, of_rows)
    _refuse_doubled(ratings, keys, {key: found[key] for key in trials})
    if "trial" in keys:
        _refuse_shared(
            metadata, ratings, keys, {key: (found[key][0], trials[key]) for key in trials}
        )
    matched = [found[key][0] if key in trials else -1 for key in of_trials]
    notes.insert(0, _summary(ratings, keys, used, sum(row >= 0 for row in matched)))
    notes += _missing(metadata, ratings, keys, matched)
    notes += _left_over(metadata, ratings, rows, set(matched))
    return _with_columns(metadata, ratings, matched), notes


def _shared(
    metadata: pd.DataFrame, ratings: RatingsTable
) -> tuple[dict[str, list[str]], dict[str, str], list[str]]:
    """Return the keys of each row by which it can be joined, their columns, and notes."""
    rows: dict[str, list[str]] = {}
    used: dict[str, str] = {}
    notes: list[str] = []
    for key, synonyms in JOINED_ON.items():
        values = set(_normal(key, metadata[key])) - {""} if key in metadata else set()
        candidates = {
            str(name): _normal(key, ratings.rows[name])
            for name in ratings.rows
            if _plain(name) in synonyms
        }
        entity = _ENTITIES.get(key)
        if not candidates and entity is not None:
            named = [_normal_text(key, found.get(entity, "")) for found in ratings.entities]
            candidates = {"": named}
        candidates = {name: texts for name, texts in candidates.items() if any(texts)}
        if not values or not candidates:
            continue  # nothing to compare
        best = max(candidates, key=lambda name: len(values & set(candidates[name])))
        theirs = set(candidates[best]) - {""}
        if len(values) == len(theirs) == 1 and values != theirs:
            continue  # the same for all trials and for all rows: only its name differs
        rows[key], used[key] = candidates[best], best
    by_order = not {"trial", "stimulus"} & set(rows) and used.get("subject") == ""
    if by_order and len(set(ratings.files)) < len(ratings.rows) and "trial" in metadata:
        about = {key: _normal(key, metadata[key]) for key in rows}
        rows["trial"] = number_by_order(metadata, about, rows, ratings)
        used["trial"] = "order of rows"
        notes.append(
            f"{ratings.name} does not name trials: row 1 of a file was taken for trial 1, row 2 "
            "for trial 2, and so on."
        )
    if not rows:
        listed = ", ".join(map(str, ratings.rows.columns))
        raise DataError(
            f"labels.table: {ratings.name} shares no column with the trials, which have "
            f"{_joined([key for key in JOINED_ON if key in metadata])}; it has {listed}. Add such "
            "a column to it."
        )
    return rows, used, notes


def _plain(name: Any) -> str:
    return re.sub(r"[\W_]+", "", str(name)).casefold()


def _normal(key: str, column: pd.Series) -> list[str]:
    return [_normal_text(key, text) for text in as_texts(column)]


def _normal_text(key: str, text: str) -> str:
    """Return a key such that sub-01, 01, 1 and 1.0 are the same."""
    plain = text.casefold().removeprefix(_PREFIXES.get(key, ""))
    number = re.fullmatch(r"0*(\d+?)(\.0*)?", plain, re.ASCII)
    return number[1] if number else plain


def _refuse_doubled(
    ratings: RatingsTable, keys: Sequence[str], found: dict[_Key, list[int]]
) -> None:
    doubled = {key: rows for key, rows in found.items() if len(rows) > 1}
    if not doubled:
        return
    shown = "; ".join(
        f"{_words(keys, key)} in {_joined([ratings.where(row) for row in rows[:_MOST_SHOWN]])}"
        + (f" and {len(rows) - _MOST_SHOWN} more" if len(rows) > _MOST_SHOWN else "")
        for key, rows in list(doubled.items())[:_MOST_SHOWN]
    )
    more = "" if len(doubled) <= _MOST_SHOWN else f" ({len(doubled)} such)"
    hint = (
        "Leave one row for each."
        if "trial" in keys
        else f"It was joined on {_joined(keys)}: leave one row for each, or add a column trial."
    )
    raise DataError(f"labels.table: {ratings.name} has several rows for {shown}{more}. {hint}")


def _refuse_shared(
    metadata: pd.DataFrame,
    ratings: RatingsTable,
    keys: Sequence[str],
    found: dict[_Key, tuple[int, list[int]]],
) -> None:
    """Refuse a row that belongs to several trials although it names one."""
    shared = {key: pair for key, pair in found.items() if len(pair[1]) > 1}
    if not shared:
        return
    key, (row, trials) = next(iter(shared.items()))
    several = metadata.iloc[trials]
    absent = [
        name
        for name in ("subject", "session", "run")
        if name in metadata and name not in keys and len(set(several[name])) > 1
    ]
    columns = "column" if len(absent) == 1 else "columns"
    add = f" Add the {columns} {_joined(absent)}." if absent else ""
    raise DataError(
        f"labels.table: {ratings.where(row)} of {ratings.name} ({_words(keys, key)}) belongs to "
        f"{len(trials)} trials: {_named(metadata, trials)}. "
        f"{len(shared)} such row{'s' if len(shared) > 1 else ''}.{add}"
    )


def _nothing_fits(
    metadata: pd.DataFrame, ratings: RatingsTable, keys: Sequence[str], of_rows: list[_Key]
) -> DataError:
    first = metadata.iloc[0]
    trial = ", ".join(f"{key} {first[key]}" for key in keys)
    return DataError(
        f"labels.table: no row of {ratings.name} belongs to a trial. It was joined on "
        f"{_joined(keys)}; the first trial has {trial}, the first row (line {ratings.lines[0]}) "
        f"has {_words(keys, of_rows[0])}. Write them alike, or remove the columns that differ."
    )


def _summary(
    ratings: RatingsTable, keys: Sequence[str], used: dict[str, str], n_trials: int
) -> str:
    sources = {"": "the name of the file"}
    words = [
        key if used[key] == key else f"{key} ({sources.get(used[key], used[key])})" for key in keys
    ]
    trials = "1 trial" if n_trials == 1 else f"{n_trials} trials"
    return f"Labels are taken from {ratings.name} for {trials}, joined on {_joined(words)}."


def _missing(
    metadata: pd.DataFrame, ratings: RatingsTable, keys: Sequence[str], matched: list[int]
) -> list[str]:
    without = [trial for trial, row in enumerate(matched) if row < 0]
    if not without:
        return []
    have = "1 trial has" if len(without) == 1 else f"{len(without)} trials have"
    return [f"{have} no row in {ratings.name}: {_named(metadata, without)}."]


def _left_over(
    metadata: pd.DataFrame, ratings: RatingsTable, rows: dict[str, list[str]], matched: set[int]
) -> list[str]:
    """Say which rows belong to no trial, those of people who are not used apart."""
    keys = tuple(rows)
    left = [row for row in range(len(ratings.rows)) if row not in matched]
    notes = []
    if "subject" in rows:
        here = set(_normal("subject", metadata["subject"]))
        absent = [row for row in left if rows["subject"][row] not in {*here, ""}]
        people = list(dict.fromkeys(rows["subject"][row] for row in absent))
        left = [row for row in left if row not in set(absent)]
        if absent:
            n = "1 row" if len(absent) == 1 else f"{len(absent)} rows"
            shown = ", ".join(people[:_MOST_SHOWN]) + ("..." if len(people) > _MOST_SHOWN else "")
            verb = "is" if len(absent) == 1 else "are"
            notes.append(f"{n} of {ratings.name} {verb} of subjects that are not used: {shown}.")
    if left:
        have = "1 row of {} has" if len(left) == 1 else f"{len(left)} rows of {{}} have"
        shown = _first(
            f"{ratings.where(row)} ({_words(keys, tuple(rows[key][row] for key in keys))})"
            for row in left
        )
        notes.append(f"{have.format(ratings.name)} no trial: {shown}.")
    return notes


def _with_columns(
    metadata: pd.DataFrame, ratings: RatingsTable, matched: list[int]
) -> pd.DataFrame:
    kept = [str(name) for name in ratings.rows if str(name).casefold() not in JOINED_ON]
    taken = {name.casefold() for name in kept}
    joined = metadata.rename(
        columns={name: f"recordings.{name}" for name in metadata if str(name).casefold() in taken}
    )
    for name in kept:
        values = ratings.rows[name].tolist()
        joined[name] = [values[row] if row >= 0 else "" for row in matched]
    return joined


def _words(keys: Sequence[str], values: _Key) -> str:
    return ", ".join(f"{key} {value or 'n/a'}" for key, value in zip(keys, values, strict=True))


def _named(metadata: pd.DataFrame, trials: Sequence[int]) -> str:
    return _first(name_trial(metadata, trial) for trial in trials)


def _first(words: Iterable[str]) -> str:
    """Join the first words, and count the others."""
    listed = list(words)
    more = len(listed) - _MOST_SHOWN
    return "; ".join(listed[:_MOST_SHOWN]) + (f"; and {more} more" if more > 0 else "")


def _joined(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
