"""Classes from ratings: thresholds, ties and missing ratings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from eegemo.errors import DataError
from eegemo.labels.columns import (
    as_numbers,
    describe_columns,
    find_column,
    name_trial,
    quote,
    suggest_ratings,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TASKS", "Ratings", "Ties", "find_ratings", "rated_codes"]

Ties = Literal["low", "high", "drop"]

#: The rating dimensions each task needs, and its classes from all-high to all-low.
TASKS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "quadrant": (("valence", "arousal"), ("HVHA", "HVLA", "LVHA", "LVLA")),
    "valence": (("valence",), ("HV", "LV")),
    "arousal": (("arousal",), ("HA", "LA")),
    "given": ((), ()),
}


@dataclass(frozen=True)
class Ratings:
    """Ratings of the dimensions of a task.

    Attributes
    ----------
    metadata : DataFrame, one row per trial
    columns : dict of str to str
        Column of each dimension.
    numbers : dict of str to ndarray, shape (n_trials,)
        Ratings of each dimension, NaN where missing.
    """

    metadata: pd.DataFrame
    columns: dict[str, str]
    numbers: dict[str, np.ndarray]


def find_ratings(
    metadata: pd.DataFrame, task: str, names: Mapping[str, str], limits: tuple[float, float]
) -> Ratings:
    """Find the rating columns of a task.

    Parameters
    ----------
    metadata : DataFrame, one row per trial
    task : str
    names : mapping of str to str
        Name of the column of each dimension.
    limits : (float, float)
        Lowest and highest possible rating.

    Returns
    -------
    ratings : Ratings

    Raises
    ------
    DataError
        If there is no such column, or a rating is no number.
    """
    found = {dimension: find_column(metadata, names[dimension]) for dimension in TASKS[task][0]}
    absent = [dimension for dimension, column in found.items() if column is None]
    if absent:
        raise _no_ratings(metadata, task, {name: names[name] for name in absent}, limits)
    columns = {name: column for name, column in found.items() if column is not None}
    numbers = {name: as_numbers(metadata, column, name) for name, column in columns.items()}
    return Ratings(metadata, columns, numbers)


def _no_ratings(
    metadata: pd.DataFrame, task: str, absent: Mapping[str, str], limits: tuple[float, float]
) -> DataError:
    """Return an error that says where the ratings may be."""
    likely = {name: suggest_ratings(metadata, name) for name in absent}
    listed = describe_columns(metadata, first=[name for found in likely.values() for name in found])
    columns = ", ".join(map(quote, absent.values()))
    text = (
        f"labels: task {task!r} needs the rating(s) {', '.join(absent)}; no column is called "
        f"{columns}. The columns are {listed}."
    )
    written = {name: found[0] for name, found in likely.items() if found}
    if written:
        keys = ", ".join(f"{name}: {quote(column)}" for name, column in written.items())
        text += f" Write labels: {{{keys}}}"
        values = np.concatenate([as_numbers(metadata, c, n) for n, c in written.items()])
        low, high = limits
        if (values < low).any() or (values > high).any():
            text += (
                f", and scale: [lowest, highest], since these ratings are not from {low:g} to "
                f"{high:g}"
            )
        text += "."
    else:
        text += (
            " Write labels: {valence: COLUMN, arousal: COLUMN} if they have other names, or "
            "labels: {table: ratings.csv} if they are in a table of their own."
        )
    return DataError(text)


def rated_codes(
    ratings: Ratings,
    task: str,
    threshold: float | Literal["median"],
    ties: Ties,
    ambiguous_band: float,
    limits: tuple[float, float],
    *,
    own: bool,
) -> tuple[np.ndarray, tuple[str, ...], dict[str, int]]:
    """Return the code of each trial, the classes, and the number of trials without one.

    Parameters
    ----------
    ratings : Ratings
    task, threshold, ties, ambiguous_band
        See `eegemo.labels.make_labels`.
    limits : (float, float)
        Lowest and highest possible rating.
    own : bool
        Whether the user named these limits.

    Raises
    ------
    DataError
        If a rating lies outside the limits.
    """
    dimensions, names = TASKS[task]
    n_trials = len(ratings.metadata)
    missing = np.zeros(n_trials, bool)
    tie = np.zeros(n_trials, bool)
    ambiguous = np.zeros(n_trials, bool)
    codes = np.zeros(n_trials, np.int64)
    for dimension in dimensions:
        rating = ratings.numbers[dimension]
        _check_range(ratings, dimension, limits, own=own)
        limit = _limit(ratings.metadata, rating, threshold)
        missing |= np.isnan(rating)
        distance = np.abs(rating - limit)
        # without the margin, rounding would decide whether 5.3 is closer to 5 than 0.3
        ambiguous |= (distance < ambiguous_band - 1e-9) & (distance > 0)
        on_limit = rating == limit
        # inside a band, a tie is the most ambiguous rating of all
        if ties == "drop" or ambiguous_band > 0:
            tie |= on_limit
        high = rating > limit
        if ties == "high":
            high |= on_limit
        codes = 2 * codes + ~high
    ambiguous &= ~tie & ~missing
    tie &= ~missing
    codes[missing | tie | ambiguous] = -1
    dropped = {
        "missing": int(missing.sum()),
        "tie": int(tie.sum()),
        "ambiguous": int(ambiguous.sum()),
        "excluded": 0,
    }
    return codes, names, dropped


def _limit(
    metadata: pd.DataFrame, rating: np.ndarray, threshold: float | Literal["median"]
) -> np.ndarray:
    if threshold == "median":
        if "subject" not in metadata:
            raise DataError("labels: the median of each subject needs the column 'subject'.")
        import pandas as pd

        by_subject = pd.Series(rating).groupby(metadata["subject"].to_numpy())
        return by_subject.transform("median").to_numpy(float)
    return np.full(len(metadata), float(threshold))


def _check_range(
    ratings: Ratings, dimension: str, limits: tuple[float, float], *, own: bool
) -> None:
    low, high = limits
    rating = ratings.numbers[dimension]
    wrong = np.flatnonzero((rating < low) | (rating > high))
    if wrong.size:
        column = ratings.columns[dimension]
        named = "" if column == dimension else f" (column {column})"
        hint = (
            ""
            if own
            else " If they are on another scale, write it: labels: {scale: [lowest, highest]}."
        )
        raise DataError(
            f"labels: {dimension}{named} must lie between {low:g} and {high:g}; "
            f"found {rating[wrong[0]]:g} ({name_trial(ratings.metadata, int(wrong[0]))}; "
            f"{wrong.size} such ratings).{hint}"
        )
