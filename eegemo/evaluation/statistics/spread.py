"""Variation of a score over folds, over subjects and over repeats.

These are three different things: "mean plus or minus SD" needs to say over what.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy import stats

from eegemo.evaluation.statistics.trials import Floats, split_trials

__all__ = ["spread_of"]


def spread_of(predictions: pd.DataFrame, *, level: float = 0.95) -> dict[str, dict[str, Any]]:
    """Compute how balanced accuracy varies over folds, over subjects, and over repeats.

    Parameters
    ----------
    predictions : DataFrame
        Predictions per window, or per trial as `eegemo.evaluation.vote` makes them. Without a
        column ``repeat`` it is a single repeat.
    level : float
        Confidence level of the intervals.

    Returns
    -------
    dict
        ``folds``, ``subjects`` and ``repeats``, each with ``mean``, ``sd``, ``n``, ``min`` and
        ``max`` of the scores, ``interval`` (a list of two, or None), and ``what``: a sentence that
        says what the spread is over, and what the interval is or why there is none. Ready for JSON.

        folds
            The score of each fold. ``sd`` is within repeats: squared deviations from the mean
            of the same repeat, pooled. There is no interval: folds share training data, and no
            unbiased estimate of the variance of their mean exists (Bengio & Grandvalet 2004, JMLR
            5:1089-1105).
        subjects
            The score of each subject, over all folds and repeats. The interval is Student's t for
            the mean over participants, and only given where no fold tests two subjects.
        repeats
            The score of each repeat over all its folds. The interval is Student's t for the
            mean over seeds, on these very data. It does not extend to other trials or participants,
            and shrinks with every further repeat.

        An SD of fewer than two values is None, and so is its interval. Where all values are equal
        there is no interval either. Intervals are clipped to scores from 0 to 1.

    Examples
    --------
    >>> rows = pd.DataFrame({"repeat": 0, "fold": [0, 0, 1, 1], "subject": list("aabb"),
    ...     "session": "1", "trial": [1, 2, 1, 2], "stimulus": "", "y_true": list("xyxy"),
    ...     "p_x": [0.9, 0.2, 0.6, 0.7], "p_y": [0.1, 0.8, 0.4, 0.3]})
    >>> spread = spread_of(rows)
    >>> spread["subjects"]["mean"], spread["subjects"]["n"], spread["repeats"]["sd"]
    (0.75, 2, None)
    """
    if "repeat" not in predictions.columns:
        predictions = predictions.assign(repeat=0)
    folds, subjects, repeats = (
        _scores(predictions, unit) for unit in ("fold", "subject", "repeat")
    )
    of_fold = predictions.groupby("fold", sort=True)["repeat"].first().to_numpy()
    tested = predictions[["fold", "subject"]].drop_duplicates()
    alone = not tested["fold"].duplicated().any()
    return {
        "folds": _summary(folds, _pooled_sd(folds, of_fold), None)
        | {"what": _over_folds(len(folds), len(repeats), alone)},
        "subjects": _summary(subjects, _sd(subjects), level if alone else None)
        | {"what": _over_subjects(len(subjects), alone)},
        "repeats": _summary(repeats, _sd(repeats), level) | {"what": _over_repeats(len(repeats))},
    }


def _scores(rows: pd.DataFrame, by: Literal["fold", "subject", "repeat"]) -> Floats:
    return np.array([trials.score for trials in split_trials(rows, by)])


def _sd(values: Floats) -> float | None:
    return float(values.std(ddof=1)) if len(values) > 1 else None


def _pooled_sd(values: Floats, group: Floats) -> float | None:
    """Return the SD within groups; None where no group has two values."""
    freedom = len(values) - len(np.unique(group))
    if freedom == 0:
        return None
    means = pd.Series(values).groupby(group).transform("mean").to_numpy()
    return float(np.sqrt(((values - means) ** 2).sum() / freedom))


def _summary(values: Floats, sd: float | None, level: float | None) -> dict[str, Any]:
    mean = float(values.mean())
    interval = None
    if level is not None and sd is not None and sd > 0:
        half = stats.t.ppf((1 + level) / 2, len(values) - 1) * sd / np.sqrt(len(values))
        interval = [max(0.0, float(mean - half)), min(1.0, float(mean + half))]
    return {
        "mean": mean,
        "sd": sd,
        "n": len(values),
        "min": float(values.min()),
        "max": float(values.max()),
        "interval": interval,
    }


def _over_folds(n: int, n_repeats: int, alone: bool) -> str:
    within = "" if n_repeats == 1 else f" within each of {n_repeats} repeats"
    subjects = "; each tests one subject, so subjects differ as well" if alone else ""
    return (
        f"Spread over {n} folds{within}: other test trials and other training data{subjects}. "
        "Folds share training data, so their SD gives no interval of the mean."
    )


def _over_subjects(n: int, alone: bool) -> str:
    text = f"Spread over {n} subjects, each scored on all of their trials. "
    if n < 2:
        return text + "One subject gives neither an SD nor an interval."
    if not alone:
        return text + (
            "One model tests several subjects, so their scores depend on each other and give no "
            "interval of the mean."
        )
    return text + (
        "The interval is Student's t for the mean over participants like these, each with models "
        "of their own; where these share training data, it is somewhat too narrow."
    )


def _over_repeats(n: int) -> str:
    if n < 2:
        return "One repeat: the spread over seeds is unknown."
    return (
        f"Spread over {n} repeats, which differ in the seeds of the split and of the model, on the "
        "same trials. The interval is Student's t for the mean over seeds; it does not "
        "extend to other trials or participants."
    )
