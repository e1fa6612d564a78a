"""Conversion of ratings to class labels.

Published code disagrees on ratings equal to the threshold, and some of it turns a missing rating
into an arbitrary class. Here the threshold, the rule for ties and the ambiguous band are arguments,
and a trial with a missing rating never gets a class.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from annotated_types import MinLen

from eegemo.errors import DataError
from eegemo.registry import NOT_IN_FILE, NotNegative

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TASKS", "Labels", "make_labels"]

Task = Literal["quadrant", "valence", "arousal", "given"]
Ties = Literal["low", "high", "drop"]

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
        Number of trials without a class because a rating is ``missing``, equal to the threshold
        (``tie``) or within the ambiguous band (``ambiguous``), or because the class was not asked
        for (``excluded``). A trial counts once, in this order of precedence.
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
    threshold: float | Literal["median"] = 5.0,
    ties: Ties = "low",
    ambiguous_band: NotNegative = 0.0,
    classes: Annotated[Sequence[str], MinLen(2)] | None = None,
    rating_range: Annotated[tuple[float, float], NOT_IN_FILE] = (1.0, 9.0),
) -> Labels:
    """Convert ratings to class labels.

    Parameters
    ----------
    metadata : DataFrame, one row per trial
        With the columns ``valence`` and ``arousal`` (NaN where missing) as the task needs them,
        ``trial_type`` for ``task="given"``, and ``subject`` for ``threshold="median"``.
    task : {"quadrant", "valence", "arousal", "given"}
        The four quadrants of valence and arousal (HVHA, HVLA, LVHA, LVLA); two classes of valence
        (HV, LV) or of arousal (HA, LA); or the recording's own `trial_type`.
    threshold : float or "median"
        Ratings above it are high, ratings below it are low. `median` is each subject's own median
        of that rating, over all of the subject's trials.
    ties : {"low", "high", "drop"}
        How to treat a rating equal to the threshold.
    ambiguous_band : float
        Drop trials with a rating closer to the threshold than this, on either side. Above 0,
        ratings equal to the threshold are dropped as well, whatever `ties` says.
    classes : sequence of str, optional
        Only for `given`: the classes to keep, in the order of the model's outputs. `null` keeps
        all, sorted by name.
    rating_range : (float, float)
        Lowest and highest possible rating; the data set defines them.

    Returns
    -------
    labels : Labels

    Raises
    ------
    DataError
        If a column is missing, a rating is outside `rating_range`, or a class has no trial.

    Examples
    --------
    >>> import pandas as pd
    >>> ratings = pd.DataFrame({"valence": [7.0, 5.0, 2.0, 6.0, np.nan]})
    >>> labels = make_labels(ratings, task="valence")
    >>> [labels.classes[code] if code >= 0 else None for code in labels.codes]
    ['HV', 'LV', 'LV', 'HV', None]
    >>> labels.dropped["missing"]
    1
    """
    if task not in TASKS:
        raise DataError(f"labels: task must be one of {', '.join(TASKS)}; found {task!r}.")
    if ties not in ("low", "high", "drop"):
        raise DataError(f"labels: ties must be low, high or drop; found {ties!r}.")
    if isinstance(threshold, str) and threshold != "median":
        raise DataError(f"labels: threshold must be a number or 'median'; found {threshold!r}.")
    if task == "given":
        codes, names, dropped = _given(metadata, classes)
    else:
        codes, names, dropped = _from_ratings(
            metadata, task, threshold, ties, ambiguous_band, rating_range
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


def _given(
    metadata: pd.DataFrame, classes: Sequence[str] | None
) -> tuple[np.ndarray, tuple[str, ...], dict[str, int]]:
    if "trial_type" not in metadata:
        raise DataError(
            "labels: task 'given' needs classes named by the recording (trial_type in events.tsv); "
            f"this data has only {', '.join(metadata.columns)}."
        )
    import pandas as pd

    given = metadata["trial_type"].replace("", None)  # a reader's word for "n/a"
    missing = given.isna().to_numpy()
    names = tuple(classes) if classes is not None else tuple(sorted(given.dropna().unique()))
    if len(set(names)) != len(names) or len(names) < 2:
        raise DataError(f"labels: at least two different classes are needed; found {list(names)}.")
    codes = pd.Index(names).get_indexer(pd.Index(given)).astype(np.int64)  # -1: none of them
    dropped = {
        "missing": int(missing.sum()),
        "tie": 0,
        "ambiguous": 0,
        "excluded": int(((codes < 0) & ~missing).sum()),
    }
    return codes, names, dropped


def _from_ratings(
    metadata: pd.DataFrame,
    task: str,
    threshold: float | Literal["median"],
    ties: Ties,
    ambiguous_band: float,
    rating_range: tuple[float, float],
) -> tuple[np.ndarray, tuple[str, ...], dict[str, int]]:
    dimensions, names = TASKS[task]
    absent = [name for name in dimensions if name not in metadata]
    if absent:
        raise DataError(
            f"labels: task {task!r} needs the rating(s) {', '.join(absent)}; "
            f"this data has only {', '.join(metadata.columns)}."
        )
    n_trials = len(metadata)
    missing = np.zeros(n_trials, bool)
    tie = np.zeros(n_trials, bool)
    ambiguous = np.zeros(n_trials, bool)
    codes = np.zeros(n_trials, np.int64)
    for dimension in dimensions:
        rating = metadata[dimension].to_numpy(float)
        _check_range(metadata, dimension, rating, rating_range)
        limit = _limit(metadata, dimension, threshold)
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
    metadata: pd.DataFrame, dimension: str, threshold: float | Literal["median"]
) -> np.ndarray:
    if threshold == "median":
        if "subject" not in metadata:
            raise DataError("labels: the median of each subject needs the column 'subject'.")
        by_subject = metadata[dimension].astype(float).groupby(metadata["subject"])
        return by_subject.transform("median").to_numpy(float)
    return np.full(len(metadata), float(threshold))


def _check_range(
    metadata: pd.DataFrame, dimension: str, rating: np.ndarray, rating_range: tuple[float, float]
) -> None:
    low, high = rating_range
    wrong = np.flatnonzero((rating < low) | (rating > high))
    if wrong.size:
        row = metadata.iloc[wrong[0]]
        where = (
            f"subject {row['subject']}, trial {row['trial']}"
            if "trial" in row
            else f"row {wrong[0]}"
        )
        raise DataError(
            f"labels: {dimension} must lie between {low:g} and {high:g}; "
            f"found {rating[wrong[0]]:g} ({where}; {wrong.size} such ratings)."
        )
