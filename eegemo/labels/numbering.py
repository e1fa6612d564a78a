"""Numbers of trials where a table has none, or others than the trials."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from eegemo.errors import DataError
from eegemo.labels.ratings_table import RatingsTable

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["number_by_order", "number_within_runs"]


def number_by_order(
    metadata: pd.DataFrame,
    about: Mapping[str, Sequence[str]],
    rows: Mapping[str, Sequence[str]],
    ratings: RatingsTable,
) -> list[str]:
    """Return the number of the trial of each row, of files with a row per trial in order.

    Parameters
    ----------
    metadata : DataFrame, one row per trial
    about, rows : mapping of str to sequence of str
        Subject, session and run of each trial, and of each row.
    ratings : RatingsTable

    Returns
    -------
    numbers : list of str
        Of each row; "" for those of people who have no trials here.

    Raises
    ------
    DataError
        If a file has more or fewer rows than the recording has trials, so that the order says
        nothing.
    """
    of_trials: dict[tuple[str, ...], list[int]] = defaultdict(list)
    followed = {0}  # numbers after which a recording may begin
    whose = zip(*about.values(), strict=True)
    for number, key in zip(metadata["trial"], whose, strict=True):
        of_trials[key].append(int(number))
        followed |= {int(number)} if "run" in rows else set()
    of_file: dict[Path, list[int]] = defaultdict(list)
    for row, file in enumerate(ratings.files):
        of_file[file].append(row)
    numbers = [""] * len(ratings.rows)
    for file, own in of_file.items():
        trials = sorted(set(of_trials.get(tuple(column[own[0]] for column in rows.values()), [])))
        if not trials:
            continue
        first, last = trials[0], trials[-1]
        whole = last - first + 1 == len(trials) == len(own) and first - 1 in followed
        # trials that were left out keep their numbers, except at the end, where nobody can tell
        if not whole and not ("run" not in rows and last == len(own)):
            raise DataError(
                f"labels.table: {file} has {len(own)} rows, but its recording has {len(trials)} "
                f"trials, numbered {first} to {last}. It does not name trials, so its order must; "
                "add a column trial."
            )
        begin = first if whole else 1
        for place, row in enumerate(own):
            numbers[row] = str(begin + place)
    return numbers


def number_within_runs(
    about: Mapping[str, Sequence[str]], rows: Mapping[str, Sequence[str]]
) -> list[str] | None:
    """Return numbers of trials that begin with 1 in each run, if the table counts that way.

    Parameters
    ----------
    about, rows : mapping of str to sequence of str
        Keys of each trial and of each row, ``run`` and ``trial`` among them.

    Returns
    -------
    numbers : list of str or None
        Of each trial. None if the numbers of the trials fit as they are, or if these would not fit
        without a gap: every run has as many rows as trials.
    """
    outer = [key for key in about if key not in ("trial", "stimulus")]
    runs = list(zip(*(about[key] for key in outer), strict=True))
    of_trials: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for run, number in zip(runs, about["trial"], strict=True):
        if not number.isdecimal():
            return None
        of_trials[run].append(int(number))
    of_rows: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for run, number in zip(
        zip(*(rows[key] for key in outer), strict=True), rows["trial"], strict=True
    ):
        of_rows[run].append(number)
    if all(set(map(str, found)) <= set(of_rows[run]) for run, found in of_trials.items()):
        return None
    for run, found in of_trials.items():
        counted = [str(number) for number in range(1, len(found) + 1)]
        whole = sorted(found) == list(range(min(found), min(found) + len(found)))
        if not whole or sorted(of_rows[run], key=lambda text: (len(text), text)) != counted:
            return None
    return [
        str(int(number) - min(of_trials[run]) + 1)
        for run, number in zip(runs, about["trial"], strict=True)
    ]
