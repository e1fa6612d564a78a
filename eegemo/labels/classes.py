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
from eegemo.labels.given import given_codes
from eegemo.labels.join import join_ratings
from eegemo.labels.options import complete_options, find_contradiction, middle_of
from eegemo.labels.rated import TASKS, Ties, find_ratings, rated_codes
from eegemo.registry import NOT_IN_FILE, NotNegative
from eegemo.registry.options import Since

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TASKS", "Labels", "label_trials", "make_labels"]

Task = Literal["quadrant", "valence", "arousal", "given"]
#: A value of a column, as a file may write it.
Value = str | int | float


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
        codes, names, dropped = rated_codes(
            find_ratings(metadata, task, {"valence": valence, "arousal": arousal}, limits),
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
