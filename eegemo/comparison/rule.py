"""The rule, fixed in advance, that turns the tests of two results into a verdict.

For each pair of results, in this order:

1. **A split that leaks** allows no conclusion: scores are listed and no test is made.
2. **At chance**: scores that exchanged labels reach as well (p > 0.05 in the verdict of the report)
   are not ranked. That holds for a pair if it holds for both of its results. A score that was not
   tested is ranked, and it is said that it was not.
3. One result is **better** if the deciding test (see `eegemo.comparison.paired`) has p <= 0.05,
   adjusted by Holm's method where there are more than two results, and if its effect, the mean
   difference and the difference of all predictions together have the same sign.
4. If that difference also lies within ±0.01, the region of practical equivalence, with a
   probability of at least 0.95, the result is better **by too little to matter**.
5. If p > 0.05 and that probability is at least 0.95, the two are **practically equivalent**.
6. Otherwise it is **open**: no test finds a difference, or only tests that do not decide.

No other number changes the verdict. The region and the probability are those of Benavoli et al.
2017, "Time for a change", JMLR 18(77):1-36, who use one point of accuracy and 0.95.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np

from eegemo.comparison.paired import MIN_SUBJECTS, ROPE, Pair
from eegemo.evaluation.baseline import LEVEL
from eegemo.results import Result

Verdict = Literal["chance", "better", "too little", "equivalent", "open", "same", "untested"]

CONFIDENT = 0.95
"""The smallest posterior probability that is stated as a finding."""

RULE = (
    "The deciding test is fixed by the split, before any score is known: where every subject has "
    f"models of its own and there are at least {MIN_SUBJECTS} subjects (more for many results, "
    "since the test could not reject otherwise), the Wilcoxon signed-rank test over subjects; "
    "otherwise the corrected resampled t-test over folds, since models of different folds share "
    "training data.",
    f"Scores that exchanged labels reach as well (p > {LEVEL:g}) are not ranked. Scores that were "
    "not tested against exchanged labels are.",
    f"One result is called better if the deciding test has p ≤ {LEVEL:g}, adjusted by Holm's "
    "method for the number of pairs, and its effect, the mean difference and the difference of all "
    "predictions together point the same way.",
    f"Two are called practically equivalent if their difference lies within ±{ROPE:g} with a "
    f"probability of at least {CONFIDENT:g} (Bayesian correlated t-test on the same pairs). A "
    "result that is both better and equivalent is called better by too little to matter.",
    "Anything else is left open. No other number changes the verdict.",
)

VERDICTS: dict[Verdict, str] = {
    "chance": "both at chance",
    "better": "different",
    "too little": "different, by too little to matter",
    "equivalent": "practically equivalent",
    "open": "open",
    "same": "same scores",
    "untested": "cannot be tested",
}


def judge(pair: Pair) -> Verdict:
    """Apply the rule above to the tests of one pair.

    Parameters
    ----------
    pair : Pair
        Two results whose split does not leak.

    Returns
    -------
    {"chance", "better", "too little", "equivalent", "open", "same", "untested"}
        "same": no unit differs. "untested": there are too few units for the deciding test, or all
        differ by the same amount.
    """
    units = pair.units[pair.unit]
    if not any(pair.above_chance):
        return "chance"
    if units["n"] and units["equal"] == units["n"] and abs(pair.gap) < 1e-12:
        return "same"
    if pair.p_value is None:
        return "untested"
    signs = {np.sign(pair.deciding.effect or 0), np.sign(units["mean"]), np.sign(pair.gap)}
    # without a spread of the differences there is no posterior, and no equivalence
    equivalent = (pair.practical.p_equivalent or 0) >= CONFIDENT
    if pair.p_value <= LEVEL and len(signs) == 1:
        return "too little" if equivalent else "better"
    return "equivalent" if equivalent and pair.p_value > LEVEL else "open"


def above_chance(results: Mapping[str, Result]) -> list[str]:
    """Name the results whose windows are not at chance, as far as was tested.

    Parameters
    ----------
    results : mapping of str to Result
        Results by name.

    Returns
    -------
    list of str
        All but those whose test against exchanged labels has a p-value above 0.05.
    """
    return [
        name
        for name, result in results.items()
        if result.assessment.metrics["verdict"]["evidence"] != "none"
    ]
