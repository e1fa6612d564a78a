"""Cross-validation folds, and the check that they do not leak.

The check trusts no method that makes folds: it uses only the folds and the table of windows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from eegemo.errors import DataError, LeakageError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "GROUPS",
    "LEAKING",
    "Fold",
    "Group",
    "check_folds",
    "check_leaks",
    "columns_of",
    "describe_split",
    "group_numbers",
    "shared_groups",
]

Group = Literal["trial", "stimulus", "run", "session", "subject", "window", "segment"]

#: Groups that split trials between training and test set: windows, or pieces of trials.
LEAKING = ("window", "segment")

#: Columns that identify a group; a stimulus is the same for every subject.
GROUPS: dict[str, tuple[str, ...]] = {
    "trial": ("subject", "session", "trial"),
    "stimulus": ("stimulus",),
    "run": ("subject", "session", "run"),
    "session": ("subject", "session"),
    "subject": ("subject",),
}


@dataclass(frozen=True)
class Fold:
    """A division of windows into training, validation and test set.

    Attributes
    ----------
    name : str
        Unique within a split, such as ``"3"``, ``"s07"`` or ``"s07-3"``.
    train, validation, test : ndarray of int
        Rows of the table of windows, sorted.
    repeat : int
        Repeat of the cross-validation that the fold belongs to.
    group : str
        What the fold never divides, as in `eegemo.splits.make_folds`. A fold may divide trials only
        if it says so here (`LEAKING`).
    """

    name: str
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    repeat: int = 0
    group: Group = "trial"

    def parts(self) -> dict[str, np.ndarray]:
        """Return the rows of each set by its name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}


def group_numbers(
    table: pd.DataFrame, kinds: Sequence[str] = tuple(GROUPS)
) -> dict[str, np.ndarray]:
    """Return the group number of each row, for each type of group; -1 for an unknown stimulus.

    Parameters
    ----------
    table : DataFrame, one row per window
    kinds : sequence of str
        Keys of `GROUPS`, or ``bundle``.

    Returns
    -------
    numbers : dict of str to ndarray of int, shape (n_windows,)
        For ``window`` and each of `kinds`; -1 also for trials that are in no bundle.
    """
    numbers: dict[str, np.ndarray] = {"window": np.arange(len(table))}
    for kind in kinds:
        grouped = table.groupby(columns_of(kind, table), sort=True, observed=True)
        numbers[kind] = grouped.ngroup().to_numpy()
    for kind in ("stimulus", "bundle"):
        if kind in numbers:
            numbers[kind] = np.where(table[kind] == "", -1, numbers[kind])
    return numbers


def columns_of(kind: str, table: pd.DataFrame) -> list[str]:
    """Return the columns of a table that identify a group; one without runs has one a session."""
    columns = GROUPS.get(kind, (kind,))
    return [name for name in columns if name != "run" or name in table]


def _members(numbers: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Mark the groups that have a row in `rows`; rows without a group number do not count."""
    mark = np.zeros(int(numbers.max(initial=-1)) + 2, bool)
    mark[numbers[rows]] = True
    mark[-1] = False
    return mark


def shared_groups(fold: Fold, numbers: Mapping[str, np.ndarray]) -> dict[str, int]:
    """Count the groups of the test set that are also in the training or validation set.

    Parameters
    ----------
    fold : Fold
    numbers : dict of str to ndarray
        From `group_numbers`.

    Returns
    -------
    shared : dict of str to int
        For ``window``, ``trial``, ``session``, ``subject`` and ``stimulus``.
    """
    learnt = np.concatenate([fold.train, fold.validation])
    return {
        kind: int((_members(number, learnt) & _members(number, fold.test)).sum())
        for kind, number in numbers.items()
    }


def check_folds(folds: Sequence[Fold], table: pd.DataFrame, *, group: Group) -> None:
    """Check that folds do not leak.

    Training, validation and test sets share no window and no group. Unless `group` is one of
    `LEAKING`, they share no trial and no bundle of trials either. With ``"segment"``, which splits
    trials in time, they share no sample.

    Parameters
    ----------
    folds : sequence of Fold
    table : DataFrame, one row per window
    group : str
        What the folds must not divide.

    Raises
    ------
    DataError
        If the training or test set of a fold is empty.
    LeakageError
        Naming the fold, the two sets and the first shared group.
    """
    for fold in folds:
        if not len(fold.train) or not len(fold.test):
            raise DataError(f"split: fold {fold.name} has an empty training or test set.")
    check_leaks(folds, table, group=group)


def check_leaks(folds: Sequence[Fold], table: pd.DataFrame, *, group: Group | None = None) -> None:
    """Check the same as `check_folds`, for folds whose sets may be empty.

    Parameters
    ----------
    folds : sequence of Fold
    table : DataFrame, one row per window
    group : str, optional
        What the folds must not divide; by default the `group` of each fold.

    Raises
    ------
    DataError
        If the group of a fold is unknown.
    LeakageError
        Naming the fold, the two sets and the first shared group.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"subject": "s01", "session": "1", "trial": [1, 1, 2]})
    >>> train, test, none = np.array([0]), np.array([1, 2]), np.array([], int)
    >>> check_leaks([Fold("1", train, none, test)], table)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    eegemo.errors.LeakageError: split: fold 1 has the same trial in train and test (subject ...
    >>> check_leaks([Fold("1", train, none, test, group="window")], table)
    """
    numbers: dict[str, np.ndarray] = {}
    for fold in folds:
        promise = fold.group if group is None else group
        if promise not in get_args(Group):
            raise DataError(f"split: fold {fold.name} says group {promise!r}, which is none.")
        honest = ("trial", promise, *(["bundle"] if "bundle" in table else []))
        kinds = () if promise in LEAKING else tuple(dict.fromkeys(honest))
        needed = ("trial",) if promise == "segment" else kinds
        numbers |= group_numbers(table, [kind for kind in needed if kind not in numbers])
        parts = fold.parts()
        for kind in ("window", *kinds):
            marks = {role: _members(numbers[kind], rows) for role, rows in parts.items()}
            for first, second in (
                ("train", "test"),
                ("validation", "test"),
                ("train", "validation"),
            ):
                both = np.flatnonzero(marks[first] & marks[second])
                if both.size:
                    row = table.iloc[int(np.argmax(numbers[kind] == both[0]))]
                    raise LeakageError(
                        f"split: fold {fold.name} has the same {kind} in {first} and {second} "
                        f"(subject {row['subject']}, trial {row['trial']}; {both.size} in all)."
                    )
        if promise == "segment":
            _check_samples(fold, table, numbers["trial"])


def _check_samples(fold: Fold, table: pd.DataFrame, trial: np.ndarray) -> None:
    """Check that no two sets share a sample of a trial.

    All windows have the same length. If two windows of different sets overlap, then so do two
    windows of different sets that are neighbours in time. It is enough to check neighbours.
    """
    rows = np.concatenate(list(fold.parts().values()))
    role = np.repeat(np.arange(3), [len(part) for part in fold.parts().values()])
    start, stop = table["start"].to_numpy(float)[rows], table["stop"].to_numpy(float)[rows]
    order = np.lexsort((start, trial[rows]))
    same = np.diff(trial[rows][order]) == 0
    meets = start[order][1:] < stop[order][:-1] - 1e-6
    both = np.flatnonzero(same & meets & (np.diff(role[order]) != 0))
    if both.size:
        row = table.iloc[rows[order][both[0]]]
        raise LeakageError(
            f"split: fold {fold.name} has the same samples in two sets (subject "
            f"{row['subject']}, trial {row['trial']}, at {row['start']:g} s)."
        )


def describe_split(
    folds: Sequence[Fold], table: pd.DataFrame, *, group: Group, within: str | None
) -> str:
    """Describe in a sentence what is held out and what the test set shares with training.

    Returns
    -------
    sentence : str
    """
    one_each = "One model per subject and fold. " if within == "subject" else ""
    if group == "window":
        return (
            f"{one_each}Windows are split at random: windows of the same trial are in training and "
            "in test, so the score tells how well a trial is recognised, not an emotion."
        )
    if group == "segment":
        return (
            f"{one_each}Each trial is cut in time: pieces of the same trial are in training and in "
            "test, so the score tells how well a trial is recognised, not an emotion."
        )
    held_out = {
        "trial": "Windows are split by trial",
        "run": "Windows are split by recording: none is in both training and test",
        "session": "Windows are split by session",
        "stimulus": "Windows are split by stimulus: no test video is in training, for any subject",
        "subject": "Windows are split by subject: no test subject is in training",
    }[group]
    numbers = group_numbers(table)
    nouns = {"subject": "subjects", "stimulus": "stimuli"}
    shared = [shared_groups(fold, numbers) for fold in folds]
    known = [noun for kind, noun in nouns.items() if any(counts[kind] for counts in shared)]
    rest = f"; test and training share {' and '.join(known)}, never a trial" if known else ""
    return f"{one_each}{held_out}{rest}."
