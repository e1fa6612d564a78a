"""Comparison of more than two models on the same subjects or data sets; adjusted p-values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import factorial
from typing import Any, TypeVar, overload

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from eegemo.errors import ResultError
from eegemo.evaluation.statistics.trials import TIE, Floats

__all__ = ["SeveralTest", "friedman", "holm"]

Key = TypeVar("Key")


@dataclass(frozen=True)
class SeveralTest:
    """Outcome of a test of several models.

    Attributes
    ----------
    name : str
        The test.
    statistic : float or None
        Its statistic; None where it is not defined.
    p_value : float or None
        None where it is not defined.
    effect : float or None
        How large the differences are; None where that is not defined.
    effect_name : str
        What `effect` is.
    n, n_models : int
        Number of units (subjects), and of models.
    mean_ranks : tuple of float, length n_models
        Mean rank of each model over the units; 1 is the best. Empty without units.
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
    n_models: int
    mean_ranks: tuple[float, ...]
    details: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return every value by name, ready for JSON."""
        return {
            "name": self.name,
            "n": self.n,
            "n_models": self.n_models,
            "mean_ranks": list(self.mean_ranks),
            "statistic": self.statistic,
            "p_value": self.p_value,
            "effect": self.effect,
            "effect_name": self.effect_name,
            **self.details,
            "note": self.note,
        }


def friedman(scores: ArrayLike) -> SeveralTest:
    """Test whether the scores of several models differ (Friedman test).

    Models are ranked within each unit. Where it finds a difference, compare pairs by
    `wilcoxon_signed_rank` and correct their p-values by `holm`.

    Parameters
    ----------
    scores : array-like, shape (n_units, n_models)
        Scores of each model, higher being better; a unit is a subject or a data set. Folds that
        share training data are no units: they depend on each other.

    Returns
    -------
    SeveralTest
        The statistic is that of Iman and Davenport, an F with ``k - 1`` and ``(k - 1) * (n - 1)``
        degrees of freedom, as Friedman's own chi-squared is too conservative. The effect is
        Kendall's W, from 0 (ranks at random) to 1 (the same order for every unit). `details` has
        ``chi_squared``, ``p_chi_squared`` and ``degrees_of_freedom``, all corrected for ties. With
        fewer than two units or three models nothing is defined. Where all models tie in every
        unit, p is 1. Where every unit has the same order, F is infinite: the statistic is None
        and p exact, one over the number of orders to the power ``n - 1``.

    Raises
    ------
    ResultError
        Not a table, or a score is not a finite number.

    Notes
    -----
    Friedman 1937, JASA 32:675-701; Iman & Davenport 1980, Communications in Statistics A9:571-595;
    for comparing classifiers: Demšar 2006, JMLR 7:1-30, sec. 3.2.2; pairs by signed ranks rather
    than mean ranks: Benavoli, Corani & Mangili 2016, JMLR 17(5):1-10.

    Examples
    --------
    >>> test = friedman([[0.3, 0.4, 0.5], [0.2, 0.5, 0.4], [0.3, 0.4, 0.6], [0.4, 0.5, 0.7]])
    >>> [float(round(rank, 2)) for rank in test.mean_ranks], test.details["chi_squared"]
    ([3.0, 1.75, 1.25], 6.5)
    >>> round(test.statistic, 2), round(test.p_value, 4), round(test.effect, 4)
    (13.0, 0.0066, 0.8125)
    """
    table = np.asarray(scores, dtype=np.float64)
    if table.ndim != 2 or not np.isfinite(table).all():
        raise ResultError(
            "Expected a table of finite scores with a row per unit and a column per model, found "
            f"shape {table.shape} with {int((~np.isfinite(table)).sum())} that are not finite."
        )
    n, k = table.shape
    # equal scores may differ by rounding; the best, highest score has rank 1
    ranks = stats.rankdata(-np.round(table, 12), axis=1)
    result: dict[str, Any] = {
        "name": "Friedman test (Iman-Davenport)",
        "effect_name": "Kendall's W",
        "n": n,
        "n_models": k,
        "mean_ranks": tuple(float(rank) for rank in ranks.mean(axis=0)) if n else (),
    }
    details: dict[str, Any] = {
        "chi_squared": None,
        "p_chi_squared": None,
        "degrees_of_freedom": [max(k - 1, 0), max((k - 1) * (n - 1), 0)],
    }
    if n < 2 or k < 3:
        note = "Fewer than two units or three models: not defined."
        return SeveralTest(
            **result, statistic=None, p_value=None, effect=None, details=details, note=note
        )
    if np.ptp(ranks) < TIE:
        details |= {"chi_squared": 0.0, "p_chi_squared": 1.0}
        note = "All models tie in every unit: p is set to 1."
        return SeveralTest(
            **result, statistic=0.0, p_value=1.0, effect=0.0, details=details, note=note
        )
    chi_squared, p_chi_squared = stats.friedmanchisquare(*ranks.T)
    details |= {"chi_squared": float(chi_squared), "p_chi_squared": float(p_chi_squared)}
    most = n * (k - 1)
    agreement = float(chi_squared / most)
    if (ranks == ranks[0]).all():
        note = "Every unit has the same order: F is infinite, and p exact."
        return SeveralTest(
            **result,
            statistic=None,
            p_value=_orders(ranks[0]) ** -(n - 1.0),
            effect=agreement,
            details=details,
            note=note,
        )
    statistic = (n - 1) * chi_squared / (most - chi_squared)
    return SeveralTest(
        **result,
        statistic=float(statistic),
        p_value=float(stats.f.sf(statistic, k - 1, (k - 1) * (n - 1))),
        effect=agreement,
        details=details,
    )


def _orders(ranks: Floats) -> int:
    """Count the different orders of ranks, some of which may be tied."""
    orders = factorial(len(ranks))
    for times in np.unique(ranks, return_counts=True)[1]:
        orders //= factorial(int(times))
    return orders


@overload
def holm(p_values: Mapping[Key, float | None]) -> dict[Key, float | None]: ...
@overload
def holm(p_values: ArrayLike) -> Floats: ...
def holm(p_values: Any) -> Any:
    """Adjust the p-values of several tests for their number (Holm's step-down method).

    Below 0.05 after adjustment, none of the tests is a false alarm with a probability of at least
    95 %, however the tests depend on each other.

    Parameters
    ----------
    p_values : mapping, or array-like of shape (n_tests,)
        The p-value of each test. In a mapping, a test without one (None) keeps None, and does not
        count.

    Returns
    -------
    dict or ndarray, shape (n_tests,)
        Adjusted p-values, by the same names or in the same order.

    Raises
    ------
    ResultError
        Not one-dimensional, or a p-value is not between 0 and 1.

    Notes
    -----
    Holm 1979, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
    Statistics 6:65-70; adjusted p-values: Wright 1992, Biometrics 48:1005-1013.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    >>> holm({"a-b": 0.01, "a-c": None, "b-c": 0.04})
    {'a-b': 0.02, 'a-c': None, 'b-c': 0.04}
    """
    if isinstance(p_values, Mapping):
        known = [name for name, value in p_values.items() if value is not None]
        adjusted = dict(zip(known, holm([p_values[name] for name in known]).tolist(), strict=True))
        return {name: adjusted.get(name) for name in p_values}
    values = np.asarray(p_values, dtype=np.float64)
    if values.ndim != 1 or not ((values >= 0) & (values <= 1)).all():
        raise ResultError("Expected a list of p-values between 0 and 1.")
    order = np.argsort(values, kind="stable")
    raised = values[order] * np.arange(len(values), 0, -1)
    result = np.empty_like(values)
    result[order] = np.minimum(np.maximum.accumulate(raised), 1)
    return result
