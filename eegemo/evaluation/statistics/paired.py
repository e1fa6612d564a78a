"""Comparison of two models on the same subjects or trials.

Each test answers another question. Over subjects (`wilcoxon_signed_rank`): would other
participants give the same order? Over trials (`mcnemar`): would other trials, with the same trained
models? Over folds and repeats (`resampled`): would other training sets? A difference is always
second minus first; above zero, the second model is better.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from eegemo.errors import ResultError
from eegemo.evaluation.statistics.trials import Floats

__all__ = [
    "PairedTest",
    "as_numbers",
    "mcnemar",
    "wilcoxon_signed_rank",
]


@dataclass(frozen=True)
class PairedTest:
    """Outcome of a test of two models.

    Attributes
    ----------
    name : str
        The test.
    statistic : float or None
        Its statistic; None where it is not defined.
    p_value : float or None
        Two-sided; None where it is not defined.
    effect : float or None
        How large the difference is, above zero where the second model is better; None where it is
        not defined.
    effect_name : str
        What `effect` is.
    n : int
        Number of differences, or of trials.
    difference : float or None
        The mean of second minus first; None without any values.
    details : mapping
        What else belongs to this test, by name.
    note : str
        Why a value is None or set by rule; else empty.
    """

    name: str
    statistic: float | None
    p_value: float | None
    effect: float | None
    effect_name: str
    n: int
    difference: float | None
    details: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return every value by name, ready for JSON."""
        return {
            "name": self.name,
            "n": self.n,
            "difference": self.difference,
            "statistic": self.statistic,
            "p_value": self.p_value,
            "effect": self.effect,
            "effect_name": self.effect_name,
            **self.details,
            "note": self.note,
        }


def as_numbers(values: ArrayLike, what: str = "differences") -> Floats:
    """Check a list of numbers.

    Parameters
    ----------
    values : array-like, shape (n,)
        Finite numbers; may be empty.
    what : str
        Their name in error messages.

    Returns
    -------
    ndarray, shape (n,)

    Raises
    ------
    ResultError
        Not one-dimensional, or a value is not a finite number.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not np.isfinite(array).all():
        raise ResultError(
            f"Expected a list of finite numbers as {what}, found shape {array.shape} with "
            f"{int((~np.isfinite(array)).sum())} that are not finite."
        )
    return array


def wilcoxon_signed_rank(first: ArrayLike, second: ArrayLike) -> PairedTest:
    """Test whether two models' scores differ over subjects (Wilcoxon signed-rank test).

    Parameters
    ----------
    first, second : array-like, shape (n_subjects,)
        Scores of the two models for each subject, in the same order.

    Returns
    -------
    PairedTest
        The statistic is the smaller of the two rank sums. Subjects with the same score under both
        models are ranked with the others, and then their ranks are dropped (Pratt 1959): dropping
        such subjects before ranking may reverse a difference. p is exact given the ranks, with or
        without ties. The effect is the matched-pairs rank-biserial correlation, the fraction of the
        rank sum in favour of the second model minus that in favour of the first: from -1 to 1.
        `details` has ``rank_sum_second``, ``rank_sum_first`` and ``n_zero``. Where no subject
        differs, p is 1.

    Raises
    ------
    ResultError
        The two differ in length, or a score is not a finite number.

    Notes
    -----
    Wilcoxon 1945, Biometrics Bulletin 1:80-83; for comparing classifiers: Demšar 2006, JMLR
    7:1-30, sec. 3.1.3; zeros: Pratt 1959, JASA 54:655-667; the exact distribution with ties:
    Streitberg & Röhmel 1986, Statistical Software Newsletter 12:10-17; effect: Kerby 2014,
    Comprehensive Psychology 3:11.IT.3.1.

    Examples
    --------
    >>> test = wilcoxon_signed_rank([0.30, 0.28, 0.35, 0.25, 0.31], [0.41, 0.33, 0.35, 0.38, 0.30])
    >>> test.statistic, test.p_value, round(test.effect, 3)
    (2.0, 0.25, 0.714)
    """
    first_scores, second_scores = as_numbers(first, "scores"), as_numbers(second, "scores")
    if first_scores.shape != second_scores.shape:
        raise ResultError(
            f"Expected two models' scores of the same subjects, found {len(first_scores)} and "
            f"{len(second_scores)}."
        )
    # equal differences of scores may differ by rounding, and would not be ranked as tied
    gaps = np.round(second_scores - first_scores, 12)
    n = len(gaps)
    ranks = stats.rankdata(np.abs(gaps))
    up, down = float(ranks[gaps > 0].sum()), float(ranks[gaps < 0].sum())
    result: dict[str, Any] = {
        "name": "Wilcoxon signed-rank test",
        "effect_name": "matched-pairs rank-biserial correlation",
        "n": n,
        "difference": float((second_scores - first_scores).mean()) if n else None,
        "details": {
            "rank_sum_second": up,
            "rank_sum_first": down,
            "n_zero": int((gaps == 0).sum()),
        },
    }
    if n < 2:
        note = "Fewer than two subjects: not defined."
        return PairedTest(**result, statistic=None, p_value=None, effect=None, note=note)
    if not gaps.any():
        note = "No difference at all: p is set to 1."
        return PairedTest(**result, statistic=0.0, p_value=1.0, effect=0.0, note=note)
    p_value = _exact_signed_rank(ranks[gaps != 0], min(up, down))
    return PairedTest(
        **result, statistic=min(up, down), p_value=p_value, effect=(up - down) / (up + down)
    )


def _exact_signed_rank(ranks: Floats, smaller: float) -> float:
    """Return the two-sided p of a rank sum, every sign of each rank being equally likely.

    scipy has this for ranks without ties, and with ties for up to 13 subjects only; subjects with
    few trials have tied scores. Ranks of ties end in 0.5, so twice the ranks are whole numbers.
    """
    doubled = np.round(2 * ranks).astype(np.int64)
    probability = np.zeros(int(doubled.sum()) + 1)
    probability[0] = 1.0
    for rank in doubled:
        moved = np.zeros_like(probability)
        moved[rank:] = probability[: len(probability) - rank]
        probability = (probability + moved) / 2
    return float(min(1.0, 2 * probability[: round(2 * smaller) + 1].sum()))


def mcnemar(first_correct: ArrayLike, second_correct: ArrayLike) -> PairedTest:
    """Test whether two models are right on different numbers of trials (exact McNemar test).

    Only trials that one model gets right and the other wrong are informative. Without a
    difference, either model gets each of them right with probability 0.5.

    Parameters
    ----------
    first_correct, second_correct : array-like of bool, shape (n_trials,)
        Whether each model is right on each trial, in the same order. One answer per trial: average
        windows and repeats first (soft voting). Windows of a trial are not independent.

    Returns
    -------
    PairedTest
        The statistic is the number of trials only the second model gets right, and p that of the
        exact two-sided binomial test. The effect is Cohen's g, the fraction of trials only the
        second model gets right among those only one gets right, minus one half: from -0.5 to 0.5.
        `details` has ``only_first``, ``only_second``, ``odds_ratio`` (None where it divides by
        zero), and ``mid_p_value``, which is less conservative. With no such trial, p is 1; without
        trials, None.

    Raises
    ------
    ResultError
        The two differ in length, or hold anything but true and false.

    Notes
    -----
    McNemar 1947, Psychometrika 12:153-157; the exact test of the pairs that differ: Edwards 1948,
    Psychometrika 13:185-187; exact and mid-p versions: Fagerland, Lydersen & Laake 2013, BMC
    Medical Research Methodology 13:91; Cohen's g: Cohen 1988, "Statistical power analysis", ch. 5.
    It takes the trained models as given: another training set or seed may reverse the result
    (Dietterich 1998, Neural Computation 10:1895-1923), and trials as independent: subjects who
    share stimuli have fewer independent trials than it counts.

    Examples
    --------
    >>> first = [True] * 2 + [False] * 8 + [True] * 30
    >>> second = [False] * 2 + [True] * 8 + [True] * 30
    >>> test = mcnemar(first, second)
    >>> round(test.p_value, 4), test.effect, test.details["odds_ratio"]
    (0.1094, 0.3, 4.0)
    """
    first_right, second_right = (_as_flags(values) for values in (first_correct, second_correct))
    if first_right.shape != second_right.shape:
        raise ResultError(
            f"Expected two models' answers to the same trials, found {len(first_right)} and "
            f"{len(second_right)}."
        )
    only_first = int((first_right & ~second_right).sum())
    only_second = int((second_right & ~first_right).sum())
    differing = only_first + only_second
    result: dict[str, Any] = {
        "name": "exact McNemar test",
        "effect_name": "Cohen's g",
        "n": len(first_right),
        "difference": (only_second - only_first) / len(first_right) if len(first_right) else None,
    }
    details: dict[str, Any] = {
        "only_first": only_first,
        "only_second": only_second,
        "odds_ratio": only_second / only_first if only_first else None,
        "mid_p_value": None,
    }
    if len(first_right) == 0:
        note = "No trials: not defined."
        return PairedTest(
            **result, statistic=None, p_value=None, effect=None, details=details, note=note
        )
    if differing == 0:
        details["mid_p_value"] = 1.0
        note = "Both models are right on the same trials: p is set to 1."
        return PairedTest(
            **result, statistic=0.0, p_value=1.0, effect=0.0, details=details, note=note
        )
    p_value = float(stats.binomtest(only_second, differing, 0.5).pvalue)
    # half of the probability of what was seen is taken off each tail it is in
    observed = float(stats.binom.pmf(only_second, differing, 0.5))
    details["mid_p_value"] = 1.0 if only_first == only_second else p_value - observed
    return PairedTest(
        **result,
        statistic=float(only_second),
        p_value=p_value,
        effect=(only_second - only_first) / (2 * differing),
        details=details,
    )


def _as_flags(values: ArrayLike) -> np.ndarray[Any, np.dtype[np.bool_]]:
    array = np.asarray(values)
    if array.ndim != 1 or not np.isin(array, [0, 1]).all():
        raise ResultError(
            "Expected for each trial whether the model is right, true or false; found an array of "
            f"shape {array.shape} with values of type {array.dtype}."
        )
    return array.astype(bool)
