"""Comparison of two models on the same folds, with respect to other training sets of this size.

Folds of a cross-validation, and repeats of it, train on much the same data, so their scores depend
on each other, and the usual t-test finds differences where there are none. The two methods here
correct for it in the same way: one is a test, the other a posterior, which can also show that two
models are practically equivalent. A difference is always second minus first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from eegemo.errors import ResultError
from eegemo.evaluation.statistics.paired import PairedTest, as_numbers
from eegemo.evaluation.statistics.trials import TIE

__all__ = ["Practical", "corrected_resampled_t_test", "correlated_t_test"]


@dataclass(frozen=True)
class Practical:
    """Outcome of `correlated_t_test`.

    Attributes
    ----------
    name : str
        The method.
    p_second_better, p_equivalent, p_first_better : float or None
        Posterior probabilities that the mean difference is above, within and below the region of
        practical equivalence; they sum to 1. None where the posterior is not defined.
    rope : float
        Half the width of that region, in units of the score.
    mean : float or None
        Mean of the differences, which is also that of the posterior.
    interval : tuple of float, or None
        Central 95 % of the posterior, which is also its highest-density interval.
    correlation : float
        Of the scores of two folds.
    n : int
        Number of differences.
    effect : float or None
        Cohen's d of the differences: their mean in units of their SD.
    effect_name : str
        What `effect` is.
    statistic, p_value : None
        It is no test, and has neither.
    note : str
        Why a value is None or set by rule; else empty.
    """

    name: str
    p_second_better: float | None
    p_equivalent: float | None
    p_first_better: float | None
    rope: float
    mean: float | None
    interval: tuple[float, float] | None
    correlation: float
    n: int
    effect: float | None
    effect_name: str = "Cohen's d of the differences"
    note: str = ""
    statistic: None = field(default=None, init=False)
    p_value: None = field(default=None, init=False)

    def as_dict(self) -> dict[str, Any]:
        """Return every value by name, ready for JSON."""
        return {
            "name": self.name,
            "n": self.n,
            "mean": self.mean,
            "interval": None if self.interval is None else list(self.interval),
            "rope": self.rope,
            "correlation": self.correlation,
            "p_second_better": self.p_second_better,
            "p_equivalent": self.p_equivalent,
            "p_first_better": self.p_first_better,
            "statistic": self.statistic,
            "p_value": self.p_value,
            "effect": self.effect,
            "effect_name": self.effect_name,
            "note": self.note,
        }


def corrected_resampled_t_test(differences: ArrayLike, *, test_share: float) -> PairedTest:
    """Test the mean difference over folds that share training data (corrected resampled t-test).

    Nadeau and Bengio multiply the variance by ``1 / n + n_test / n_train`` instead of ``1 / n``.

    Parameters
    ----------
    differences : array-like, shape (n_fits,)
        Score of the second model minus that of the first, one for each fold (of each repeat).
    test_share : float
        ``n_test / n_train`` of one fold: 1 / (k - 1) for k folds. Count trials, not
        windows.

    Returns
    -------
    PairedTest
        Student's t with ``n - 1`` degrees of freedom; the effect is Cohen's d of the differences,
        their mean in units of their SD. `details` has ``degrees_of_freedom``, ``test_share`` and
        ``interval``, the 95 % interval of the mean difference with the same correction. Where all
        differences are the same number other than zero, their variance is unknown and p is
        None; all zero give p = 1.

    Raises
    ------
    ResultError
        A difference is not a finite number, or `test_share` is below 0.

    Notes
    -----
    Nadeau & Bengio 2003, "Inference for the generalization error", Machine Learning 52:239-281,
    sec. 3 and 4; for repeated k-fold cross-validation: Bouckaert & Frank 2004, PAKDD, LNCS
    3056:3-12. The correction approximates the dependence between folds and is no bound: with few
    trials, and most where neither model learns anything, the rate of false alarms is somewhat above
    the nominal level.

    Examples
    --------
    >>> test = corrected_resampled_t_test([0.05, 0.02, 0.04, 0.01, 0.03], test_share=1 / 4)
    >>> round(test.statistic, 3), round(test.p_value, 3), round(test.effect, 2)
    (2.828, 0.047, 1.9)
    """
    values = as_numbers(differences)
    if not (np.isfinite(test_share) and test_share >= 0):
        raise ResultError(f"test_share: expected n_test / n_train, 0 or more, found {test_share}.")
    n = len(values)
    mean = float(values.mean()) if n else None
    result: dict[str, Any] = {
        "name": "corrected resampled t-test",
        "effect_name": "Cohen's d of the differences",
        "n": n,
        "difference": mean,
    }
    details: dict[str, Any] = {
        "degrees_of_freedom": max(n - 1, 0),
        "test_share": float(test_share),
        "interval": None,
    }
    if mean is None or n < 2:
        note = "Fewer than two differences: not defined."
        return PairedTest(
            **result, statistic=None, p_value=None, effect=None, details=details, note=note
        )
    if np.ptp(values) < TIE:
        if abs(mean) < TIE:
            note = "No difference at all: p is set to 1."
            return PairedTest(
                **result, statistic=0.0, p_value=1.0, effect=0.0, details=details, note=note
            )
        note = "All differences are the same: their variance, and so p, is not known."
        return PairedTest(
            **result, statistic=None, p_value=None, effect=None, details=details, note=note
        )
    sd = float(values.std(ddof=1))
    error = sd * np.sqrt(1 / n + test_share)
    statistic = mean / error
    half = stats.t.ppf(0.975, n - 1) * error
    details["interval"] = [float(mean - half), float(mean + half)]
    return PairedTest(
        **result,
        statistic=float(statistic),
        p_value=float(2 * stats.t.sf(abs(statistic), n - 1)),
        effect=mean / sd,
        details=details,
    )


def correlated_t_test(
    differences: ArrayLike, *, correlation: float, rope: float = 0.01
) -> Practical:
    """Compute the probability that each model is better by more than `rope`.

    The posterior of the mean difference is Student's t with ``n - 1`` degrees of freedom, centred
    at the mean, with the squared scale ``(1 / n + correlation / (1 - correlation)) * variance``:
    that of the corrected resampled t-test, as a posterior.

    Parameters
    ----------
    differences : array-like, shape (n_fits,)
        Score of the second model minus that of the first, one for each fold (of each repeat).
    correlation : float
        Of the scores of two folds: ``n_test / (n_test + n_train)``, which is 1 / k for k folds.
    rope : float
        Region of practical equivalence: means from ``-rope`` to ``rope`` count as no difference.
        Choose it before seeing results; 0.01 is one point of accuracy.

    Returns
    -------
    Practical
        With fewer than two differences, or where all are the same number other than zero, the
        posterior is not defined: None. Where all are zero, equivalence is set to 1.

    Raises
    ------
    ResultError
        A difference is not a finite number, `correlation` is not in [0, 1), or `rope` is below 0.

    Notes
    -----
    Corani & Benavoli 2015, "A Bayesian approach for comparing cross-validated algorithms on
    multiple data sets", Machine Learning 100:285-304, sec. 3; the region: Benavoli, Corani, Demšar
    & Zaffalon 2017, "Time for a change", JMLR 18(77):1-36, sec. 4. The prior is flat
    (matching): the probability of a mean below zero is the one-sided p-value of
    `corrected_resampled_t_test`.

    Examples
    --------
    >>> found = correlated_t_test([0.05, 0.02, 0.04, 0.01, 0.03], correlation=1 / 5)
    >>> [round(p, 3) for p in (found.p_second_better, found.p_equivalent, found.p_first_better)]
    [0.934, 0.056, 0.01]
    """
    values = as_numbers(differences)
    if not 0 <= correlation < 1:
        raise ResultError(f"correlation: expected 0 or more and below 1, found {correlation}.")
    if not (np.isfinite(rope) and rope >= 0):
        raise ResultError(f"rope: expected 0 or more, in units of the score, found {rope}.")
    n = len(values)
    mean = float(values.mean()) if n else None
    result: dict[str, Any] = {
        "name": "Bayesian correlated t-test",
        "rope": float(rope),
        "mean": mean,
        "correlation": float(correlation),
        "n": n,
    }
    undefined: dict[str, Any] = {
        "p_second_better": None,
        "p_equivalent": None,
        "p_first_better": None,
        "interval": None,
        "effect": None,
    }
    if mean is None or n < 2:
        return Practical(**result, **undefined, note="Fewer than two differences: not defined.")
    if np.ptp(values) < TIE:
        if abs(mean) >= TIE:
            note = "All differences are the same: their variance is not known."
            return Practical(**result, **undefined, note=note)
        undefined |= {"p_second_better": 0.0, "p_equivalent": 1.0, "p_first_better": 0.0}
        note = "No difference at all: equivalence is set to 1."
        return Practical(**result, **undefined | {"effect": 0.0}, note=note)
    sd = float(values.std(ddof=1))
    scale = sd * np.sqrt(1 / n + correlation / (1 - correlation))
    posterior = stats.t(n - 1, loc=mean, scale=scale)
    second, first = float(posterior.sf(rope)), float(posterior.cdf(-rope))
    low, high = posterior.interval(0.95)
    return Practical(
        **result,
        p_second_better=second,
        p_equivalent=max(0.0, 1 - second - first),
        p_first_better=first,
        interval=(float(low), float(high)),
        effect=mean / sd,
    )
