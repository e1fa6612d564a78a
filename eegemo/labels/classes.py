"""Conversion of ratings to class labels.

Published code disagrees on ratings equal to the threshold, and some of it turns a missing rating
into an arbitrary class. Here the threshold, the rule for ties and the ambiguous band are arguments,
and a trial with a missing rating never gets a class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from annotated_types import MinLen

from eegemo.errors import DataError
from eegemo.labels.columns import (
    as_numbers,
    describe_columns,
    find_column,
    name_trial,
    quote,
    suggest_ratings,
)
from eegemo.labels.given import given_codes
from eegemo.labels.join import join_ratings
from eegemo.labels.options import complete_options, find_contradiction, middle_of
from eegemo.registry import NOT_IN_FILE, NotNegative
from eegemo.registry.options import Since

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TASKS", "Labels", "label_trials", "make_labels"]

Task = Literal["quadrant", "valence", "arousal", "given"]
Ties = Literal["low", "high", "drop"]
#: A value of a column, as a file may write it.
Value = str | int | float

#: The rating dimensions each task needs, and its classes from all-high to all-low.
TASKS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "quadrant": (("valence", "arousal"), ("HVHA", "HVLA", "LVHA", "LVLA")),
    "valence": (("valence",), ("HV", "LV")),
    "arousal": (("arousal",), ("HA", "LA")),
    "given": ((), ()),
}


@dataclass(frozen=True)
class Labels:
    """Class labels of trials, and the number of trials without a class.

    Attributes
    ----------
    codes : ndarray of int, shape (n_trials,)
        Index into `classes`; -1 where the trial has no class.
    classes : tuple of str
        Class names, in the order of the model's outputs.
    dropped : dict of str to int
        Number of trials without a class because a rating or the class is ``missing``, the rating is
        equal to the threshold (``tie``) or within the ambiguous band (``ambiguous``), or because
        the class was not asked for (``excluded``). A trial counts once, in this order of
        precedence.
    """

    codes: np.ndarray
    classes: tuple[str, ...]
    dropped: dict[str, int]

    def counts(self, where: np.ndarray | slice = slice(None)) -> dict[str, int]:
        """Return the number of trials per class, of all trials or those that `where` selects."""
        codes = self.codes[where]
        return {name: int((codes == code).sum()) for code, name in enumerate(self.classes)}


def make_labels(
    metadata: pd.DataFrame,
    *,
    task: Task = "quadrant",
    threshold: float | Literal["median"] | None = None,
    ties: Ties = "low",
    ambiguous_band: NotNegative = 0.0,
    classes: Annotated[Sequence[str], MinLen(2)] | None = None,
    column: Annotated[str | None, Since("0.2")] = None,
    rename: Annotated[dict[str, Value | list[Value]] | None, Since("0.2")] = None,
    valence: Annotated[str, Since("0.2")] = "valence",
    arousal: Annotated[str, Since("0.2")] = "arousal",
    scale: Annotated[tuple[float, float] | None, Since("0.2")] = None,
    table: Annotated[str | None, Since("0.2")] = None,
    rating_range: Annotated[tuple[float, float], NOT_IN_FILE] = (1.0, 9.0),
) -> Labels:
    """Convert ratings to class labels, or take the classes that a column names.

    Parameters
    ----------
    metadata : DataFrame, one row per trial
        With the rating columns (numbers, or text that spells them; NaN, "" or n/a where missing)
        as the task needs them, the column of classes for ``task="given"``, and ``subject`` for
        ``threshold="median"``.
    task : {"quadrant", "valence", "arousal", "given"}
        The four quadrants of valence and arousal (HVHA, HVLA, LVHA, LVLA); two classes of valence
        (HV, LV) or of arousal (HA, LA); or the classes that a column names (`given`, implied by
        `column` and `rename`).
    threshold : float or "median", optional
        Ratings above it are high, ratings below it are low. `median` is each subject's own median
        of that rating, over all of the subject's trials. Without it, it is the middle of `scale`,
        or else that of the data set (5 of 1 to 9).
    ties : {"low", "high", "drop"}
        How to treat a rating equal to the threshold.
    ambiguous_band : float
        Drop trials with a rating closer to the threshold than this, on either side. Above 0,
        ratings equal to the threshold are dropped as well, whatever `ties` says.
    classes : sequence of str, optional
        Only for `given`: the classes to keep, in the order of the model's outputs. `null` keeps
        all, sorted by name.
    column : str, optional
        The column that names the classes: of events.tsv (`emotion`, `value`), of the table, or of
        another table of BIDS (`participants.group`, `sessions.x`, `scans.x`). The part after the
        point is enough, in any case. `null`: `trial_type`.
    rename : dict of str to list, optional
        Only for `given`: new names of values, such as `{positive: [joy, amusement], negative:
        [fear, disgust]}`. Values of one name are one class. A value that is not listed keeps its
        name; `classes` leaves classes out.
    valence : str
        The column of valence ratings.
    arousal : str
        The column of arousal ratings.
    scale : (float, float), optional
        Lowest and highest possible rating, such as `[0, 100]`; ratings outside are refused. `null`:
        as the data set defines them (1 to 9).
    table : str, optional
        A table beside the data (CSV or TSV) that holds labels or ratings, or several (`*` in the
        name). Its rows belong to trials by the columns it shares out of subject, session, run,
        trial and stimulus. `make_labels` itself does not read it; `label_trials` does.
    rating_range : (float, float)
        Lowest and highest possible rating; the data set defines them.

    Returns
    -------
    labels : Labels

    Raises
    ------
    DataError
        If a column is missing, a rating is no number or outside the scale, or a class has no trial.

    Examples
    --------
    >>> import pandas as pd
    >>> ratings = pd.DataFrame({"valence": [7.0, 5.0, 2.0, 6.0, np.nan]})
    >>> labels = make_labels(ratings, task="valence")
    >>> [labels.classes[code] if code >= 0 else None for code in labels.codes]
    ['HV', 'LV', 'LV', 'HV', None]
    >>> labels.dropped["missing"]
    1
    >>> words = pd.DataFrame({"emotion": ["joy", "fear", "amusement", "disgust"]})
    >>> merged = {"good": ["joy", "amusement"], "bad": ["fear", "disgust"]}
    >>> make_labels(words, column="emotion", rename=merged).counts()
    {'bad': 2, 'good': 2}
    """
    if task not in TASKS:
        raise DataError(f"labels: task must be one of {', '.join(TASKS)}; found {task!r}.")
    if ties not in ("low", "high", "drop"):
        raise DataError(f"labels: ties must be low, high or drop; found {ties!r}.")
    if isinstance(threshold, str) and threshold != "median":
        raise DataError(f"labels: threshold must be a number or 'median'; found {threshold!r}.")
    if task == "quadrant" and (column is not None or rename is not None):
        task = "given"  # as in a file that does not write the task
    options = {"column": column, "rename": rename, "scale": scale, "threshold": threshold}
    problem = find_contradiction({"task": task, **options})
    if problem is not None:
        raise DataError(f"labels: {problem}.")
    if task == "given":
        codes, names, dropped = given_codes(metadata, column=column, rename=rename, classes=classes)
    else:
        own_scale = None if scale is None else (float(scale[0]), float(scale[1]))
        limits = rating_range if own_scale is None else own_scale
        codes, names, dropped = _from_ratings(
            _ratings_of(metadata, task, {"valence": valence, "arousal": arousal}, limits),
            task,
            middle_of(limits) if threshold is None else threshold,
            ties,
            ambiguous_band,
            limits,
            own=own_scale is not None,
        )
    labels = Labels(codes, names, dropped)
    empty = [name for name, n in labels.counts().items() if n == 0]
    if empty:
        counts = ", ".join(f"{name} {n}" for name, n in labels.counts().items())
        raise DataError(
            f"labels: no trial has the class {' or '.join(empty)} (task {task}; trials per class: "
            f"{counts}; without a class: {sum(dropped.values())}). Change the threshold or the "
            "task, or add subjects."
        )
    return labels


def label_trials(
    metadata: pd.DataFrame,
    options: Mapping[str, Any],
    *,
    rating_range: tuple[float, float] = (1.0, 9.0),
) -> tuple[Labels, list[str]]:
    """Join the table of ratings, if there is one, and make labels.

    Parameters
    ----------
    metadata : DataFrame, one row per trial
    options : mapping
        Options of `make_labels`: the section ``labels`` of an experiment.
    rating_range : (float, float)
        Lowest and highest possible rating of the data set.

    Returns
    -------
    labels : Labels
    notes : list of str
        What the table lacks or has too much, in sentences.

    Raises
    ------
    DataError
        If the table cannot be joined, or for what `make_labels` refuses.
    """
    options = complete_options(options)
    notes: list[str] = []
    if options.get("table") is not None:
        metadata, notes = join_ratings(metadata, options["table"])
    return make_labels(metadata, **options, rating_range=rating_range), notes


@dataclass(frozen=True)
class _Ratings:
    """Ratings of a task: by dimension, the column and its numbers."""

    metadata: pd.DataFrame
    columns: dict[str, str]
    numbers: dict[str, np.ndarray]


def _ratings_of(
    metadata: pd.DataFrame, task: str, names: Mapping[str, str], limits: tuple[float, float]
) -> _Ratings:
    """Find the rating columns of a task."""
    found = {dimension: find_column(metadata, names[dimension]) for dimension in TASKS[task][0]}
    absent = [dimension for dimension, column in found.items() if column is None]
    if absent:
        raise _no_ratings(metadata, task, {name: names[name] for name in absent}, limits)
    columns = {name: column for name, column in found.items() if column is not None}
    numbers = {name: as_numbers(metadata, column, name) for name, column in columns.items()}
    return _Ratings(metadata, columns, numbers)


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


def _from_ratings(
    ratings: _Ratings,
    task: str,
    threshold: float | Literal["median"],
    ties: Ties,
    ambiguous_band: float,
    limits: tuple[float, float],
    *,
    own: bool,
) -> tuple[np.ndarray, tuple[str, ...], dict[str, int]]:
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
    ratings: _Ratings, dimension: str, limits: tuple[float, float], *, own: bool
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
