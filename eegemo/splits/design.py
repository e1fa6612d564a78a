"""What the class of a data set is constant over: its recordings, sessions or people.

Where every recording holds trials of one class, whatever is peculiar to a recording (the cap, the
time of day, a slow drift) tells the class as well as an emotion does::

    recording 1   happy happy happy happy      a model that knows recording 1 from its training
    recording 2   sad   sad   sad   sad        trials names the class of its test trials

Trials of such a recording are therefore not held out from one another: the recording is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from eegemo.splits.fold import Fold

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "UNITS",
    "UNIT_NOUNS",
    "Unit",
    "constant_over",
    "default_group",
    "describe_constant",
    "divides_unit",
    "nearly_constant",
    "unit_numbers",
]

Unit = Literal["run", "session", "subject"]

#: Columns that identify a unit, each unit inside the next.
UNITS: dict[Unit, tuple[str, ...]] = {
    "run": ("subject", "session", "run"),
    "session": ("subject", "session"),
    "subject": ("subject",),
}
#: How a reader calls a unit, and several.
UNIT_NOUNS: dict[Unit, tuple[str, str]] = {
    "run": ("recording", "recordings"),
    "session": ("session", "sessions"),
    "subject": ("person", "people"),
}

# When most units have a single class (`nearly_constant`).
_ENOUGH_TRIALS, _ENOUGH_UNITS, _NEARLY = 3, 4, 0.8


def unit_numbers(table: pd.DataFrame, unit: Unit) -> np.ndarray:
    """Return the number of the unit that each row belongs to.

    Parameters
    ----------
    table : DataFrame
        With the columns ``subject`` and ``session``, and ``run`` where recordings have labels; a
        table without it has one recording per session.
    unit : {"run", "session", "subject"}

    Returns
    -------
    numbers : ndarray of int, shape (n_rows,)
    """
    columns = [name for name in UNITS[unit] if name in table]
    keys = table[columns].astype(object)
    keys = keys.where(keys.notna(), "1").astype(str)  # stored before recordings had labels
    numbers: np.ndarray = keys.groupby(columns, sort=True).ngroup().to_numpy()
    return numbers


def constant_over(table: pd.DataFrame) -> tuple[Unit, ...]:
    """Return the units within which the class never changes.

    A unit counts where there are several of it, each has trials of a single class, and at least one
    has several trials: otherwise the trial is the unit.

    Parameters
    ----------
    table : DataFrame
        One row per trial, or per window: ``subject``, ``session``, ``run`` (optional), ``trial``
        and ``code``, the class, below 0 where a trial has none.

    Returns
    -------
    units : tuple of {"run", "session", "subject"}
        From the smallest to the largest; empty where the class changes within recordings.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"subject": "s01", "session": "1", "run": list("112233")})
    >>> table["trial"] = np.arange(6)
    >>> constant_over(table.assign(code=[0, 0, 1, 1, 0, 0]))
    ('run',)
    >>> constant_over(table.assign(code=[0, 1, 0, 1, 0, 1]))
    ()
    """
    columns = [name for name in ("subject", "session", "run", "trial", "code") if name in table]
    trials = table.loc[table["code"].to_numpy() >= 0, columns].drop_duplicates()
    if trials["code"].nunique() < 2:
        return ()
    found: list[Unit] = []
    for unit in UNITS:
        numbers = unit_numbers(trials, unit)
        sizes = np.bincount(numbers)
        classes = trials["code"].groupby(numbers).nunique()
        if len(sizes) > 1 and sizes.max() > 1 and classes.max() == 1:
            found.append(unit)
    return tuple(found)


def nearly_constant(table: pd.DataFrame) -> tuple[Unit, int, int] | None:
    """Return the largest unit within which the class hardly ever changes, without being constant.

    Of at least four units of three trials or more, four in five have a single class. By chance
    that is rare: three trials of two equally frequent classes are of one class once in four times.

    Parameters
    ----------
    table : DataFrame
        As for `constant_over`.

    Returns
    -------
    found : (str, int, int) or None
        The unit, how many of them have a single class, and how many there are.
    """
    columns = [name for name in ("subject", "session", "run", "trial", "code") if name in table]
    trials = table.loc[table["code"].to_numpy() >= 0, columns].drop_duplicates()
    if trials["code"].nunique() < 2:
        return None
    for unit in reversed(UNITS):
        grouped = trials["code"].groupby(unit_numbers(trials, unit))
        classes = grouped.nunique()[grouped.size() >= _ENOUGH_TRIALS]
        n, single = len(classes), int((classes == 1).sum())
        if n >= _ENOUGH_UNITS and _NEARLY * n <= single < n:
            return unit, single, n
    return None


def default_group(table: pd.DataFrame) -> Literal["trial", "run", "session", "subject"]:
    """Return what is held out where nobody says it: the largest unit of a single class, or trials.

    Parameters
    ----------
    table : DataFrame
        As for `constant_over`.
    """
    units = constant_over(table)
    return units[-1] if units else "trial"


def describe_constant(units: Sequence[Unit]) -> str:
    """Say in a sentence what follows from a class that never changes within the largest unit.

    Examples
    --------
    >>> describe_constant(["run"])
    'The class never changes within a recording, so a drift of the recording is as good as the
    class.'
    """
    unit = units[-1]
    noun = UNIT_NOUNS[unit][0]
    what = {
        "run": "a drift of the recording is",
        "session": "whatever changes from session to session is",
        "subject": "whatever tells people apart is",
    }[unit]
    return f"The class never changes within a {noun}, so {what} as good as the class."


def divides_unit(folds: Sequence[Fold], numbers: np.ndarray) -> bool:
    """Return whether a unit of a test set is also in the training or validation set of its fold.

    Parameters
    ----------
    folds : sequence of Fold
    numbers : ndarray of int, shape (n_windows,)
        The unit of each window.

    Examples
    --------
    >>> fold = Fold("1", np.array([0, 1]), np.array([], int), np.array([2]))
    >>> divides_unit([fold], np.array([0, 0, 0])), divides_unit([fold], np.array([0, 0, 1]))
    (True, False)
    """
    n = int(numbers.max(initial=-1)) + 1
    for fold in folds:
        learnt = np.zeros(n, bool)
        learnt[numbers[fold.train]] = learnt[numbers[fold.validation]] = True
        if learnt[numbers[fold.test]].any():
            return True
    return False
