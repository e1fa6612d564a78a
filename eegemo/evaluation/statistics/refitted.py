"""The null distribution of a score, from models trained again on labels that mean nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from eegemo.evaluation.statistics.trials import TIE

__all__ = ["POWER", "RefittedNull"]

#: Standard normal quantiles of 0.95 and 0.8: an effect of their sum, in standard deviations of the
#: null, is found in four of five experiments.
POWER = 1.645 + 0.842
# With fewer refits, a p-value by rank says little, and one by t is shown beside it.
_MANY = 99


@dataclass(frozen=True)
class RefittedNull:
    """Scores of the same pipeline on exchanged labels, and what follows for a score.

    Attributes
    ----------
    observed : float
        The score on the true labels.
    scores : tuple of float
        The scores on exchanged labels.
    smallest_p : float
        The smallest p-value that the design allows.
    stopped : bool
        Whether drawing stopped at the first score that was as high as the one observed.

    Examples
    --------
    >>> null = RefittedNull(0.71, tuple(0.5 + 0.01 * np.arange(-9, 10)), smallest_p=0.001)
    >>> null.p_value, round(null.mean, 2), round(null.effect, 2)
    (0.05, 0.5, 0.21)
    """

    observed: float
    scores: tuple[float, ...]
    smallest_p: float
    stopped: bool = False

    @property
    def mean(self) -> float:
        """What the pipeline scores when labels mean nothing: the chance to compare with."""
        return float(np.mean(self.scores))

    @property
    def sd(self) -> float:
        """Standard deviation of the scores on exchanged labels; 0 of a single one."""
        return float(np.std(self.scores, ddof=1)) if len(self.scores) > 1 else 0.0

    @property
    def effect(self) -> float:
        """The score minus the mean of the null."""
        return self.observed - self.mean

    @property
    def detectable(self) -> float | None:
        """The score that would be found in four of five such experiments."""
        return min(self.mean + POWER * self.sd, 1.0) if len(self.scores) > 1 else None

    @cached_property
    def p_exact(self) -> float:
        """``(1 + b) / (1 + m)``: of m scores, b are at least as high as the one observed."""
        values: NDArray[np.float64] = np.asarray(self.scores)
        at_least = int((values >= self.observed - TIE).sum())
        return max((1 + at_least) / (1 + len(values)), self.smallest_p)

    @property
    def p_t(self) -> float | None:
        """One-sided p-value by Student's t, from mean and SD of few refits; None of fewer than 3.

        ``t = (observed - mean) / (sd * sqrt(1 + 1 / m))`` with ``m - 1`` degrees of freedom is that
        of a further draw from the same normal distribution.
        """
        m = len(self.scores)
        if m < 3 or self.sd == 0 or self.stopped:
            return None
        t = (self.observed - self.mean) / (self.sd * np.sqrt(1 + 1 / m))
        return max(float(student.sf(t, m - 1)), self.smallest_p)

    @property
    def p_value(self) -> float:
        """The exact p-value, which decides."""
        return self.p_exact

    def as_dict(self) -> dict[str, Any]:
        """Return what a report needs, ready for JSON."""
        low, high = np.quantile(self.scores, [0.025, 0.975])
        few = len(self.scores) < _MANY
        return {
            "n": len(self.scores),
            "stopped": self.stopped,
            "mean": self.mean,
            "sd": self.sd,
            "interval": [float(low), float(high)],
            "effect": self.effect,
            "p": self.p_exact,
            "p_t": self.p_t if few else None,
            "degrees_of_freedom": len(self.scores) - 1 if few else None,
            "detectable": self.detectable,
        }


def null_of(
    observed: float, scores: Sequence[float], *, smallest_p: float, stopped: bool = False
) -> RefittedNull | None:
    """Return the null of some scores, or None without any."""
    return RefittedNull(observed, tuple(scores), smallest_p, stopped) if scores else None
