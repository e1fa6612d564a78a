"""Tests between results, and which of them decides.

Two results have predicted the same windows, so all tests are paired. The score is the balanced
accuracy of windows, except for McNemar's test, which is about trials.

======================== ============================ ========================================
test                     pairs                        refers to
======================== ============================ ========================================
corrected resampled t    folds of all repeats         other training sets and seeds
Wilcoxon signed-rank     subjects                     other participants
McNemar                  trials                       other trials; takes the models as trained
Bayesian correlated t    as the deciding test         probability of a relevant difference
======================== ============================ ========================================

**The deciding test** is fixed by the split, before any score is known. Where every subject has
models of its own (``within: subject``) and there are at least six subjects, subjects are the
independent units: Wilcoxon's test over subjects decides. (With five, its smallest two-sided p-value
is 2 / 2 ** 5 = 0.0625.) In any other case models of different folds share training data, and scores
of subjects share models: the corrected resampled t-test over folds decides, since it allows for
that; for fewer than six subjects with models of their own it is conservative. All other tests are
shown and decide nothing.

With more than two results, every p-value of a pair is adjusted for the number of pairs by Holm's
method, test by test. Friedman's test over all results is also shown; Holm's method controls false
alarms by itself and requires no preceding test.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from eegemo.evaluation import LEVELS, predicted_classes, vote
from eegemo.evaluation.baseline import LEVEL, share_of_test
from eegemo.evaluation.statistics import (
    PairedTest,
    Practical,
    SeveralTest,
    corrected_resampled_t_test,
    correlated_t_test,
    count_trials,
    friedman,
    holm,
    mcnemar,
    paired_bootstrap,
    wilcoxon_signed_rank,
)
from eegemo.results import Result

Unit = Literal["fold", "subject"]

KEYS: dict[Unit, str] = {"fold": "name", "subject": "subject"}
MIN_SUBJECTS = 6
"""Smallest number of subjects for which Wilcoxon's test of a pair can give p below 0.05."""
ROPE = 0.01
"""Differences of balanced accuracy up to this size are practically equivalent (one point)."""


@dataclass(frozen=True)
class Pair:
    """Two results, tested against each other; differences are second minus first.

    Attributes
    ----------
    first, second : str
        Names of the results: first the one with the lower balanced accuracy of windows.
    unit : {"fold", "subject"}
        The unit of the deciding test.
    scores : dict of str to (float, float)
        Balanced accuracy of all predictions together, first and second, by level.
    intervals : dict
        By level and by what is resampled ("trials", "subjects"): the 95 % bootstrap interval of
        the difference of ``scores``, or None.
    units : dict
        By unit: the output of `difference` for windows.
    tests : dict of str to PairedTest
        "folds", "subjects" and "trials".
    practical : Practical
        The Bayesian test on the deciding unit.
    above_chance : tuple of bool
        Whether the first and the second are not at chance, as far as was tested.
    adjusted : dict of str to float or None
        The p-values of ``tests``, adjusted for the number of pairs.
    """

    first: str
    second: str
    unit: Unit
    scores: dict[str, tuple[float, float]]
    intervals: dict[str, dict[str, tuple[float, float] | None]]
    units: dict[Unit, dict[str, Any]]
    tests: dict[str, PairedTest]
    practical: Practical
    above_chance: tuple[bool, bool]
    adjusted: dict[str, float | None] = field(default_factory=dict)

    @property
    def deciding(self) -> PairedTest:
        """The test that decides."""
        return self.tests[f"{self.unit}s"]

    @property
    def p_value(self) -> float | None:
        """The adjusted p-value of the test that decides."""
        return self.adjusted[f"{self.unit}s"]

    @property
    def gap(self) -> float:
        """The difference in balanced accuracy of all windows together."""
        low, high = self.scores["window"]
        return high - low

    @property
    def interval(self) -> tuple[str, tuple[float, float] | None]:
        """The widest available interval of ``gap``, and what it resamples."""
        made = self.intervals["window"]
        kind = "subjects" if made["subjects"] is not None else "trials"
        return kind, made[kind]


def difference(
    first: Result,
    second: Result,
    *,
    unit: Unit = "fold",
    level: str = "window",
    score: str = "balanced_accuracy",
) -> dict[str, Any]:
    """Compare two results pairwise: second minus first, on each fold or subject.

    Parameters
    ----------
    first, second : Result
        Comparable results.
    unit : {"fold", "subject"}
        The unit of pairs: folds of all repeats, or subjects.
    level : {"window", "trial"}
        Level of the predictions.
    score : str
        Name of the score.

    Returns
    -------
    dict
        ``names``, ``first``, ``second`` and ``difference`` (lists), their ``means`` (first,
        second), ``mean`` and ``sd`` of the differences (None for fewer than two), ``n``, and how
        many are ``higher``, ``lower`` and ``equal``. Pairs where a score is not defined are
        dropped.
    """
    pairs = [
        (str(first_part[KEYS[unit]]), first_part[score], second_part[score])
        for first_part, second_part in zip(
            first.assessment.levels[level][f"{unit}s"],
            second.assessment.levels[level][f"{unit}s"],
            strict=True,
        )
        if first_part[score] is not None and second_part[score] is not None
    ]
    values = np.array([pair[1:] for pair in pairs], dtype=float).reshape(-1, 2)
    gaps = values[:, 1] - values[:, 0]
    # Scores are ratios of whole numbers; rounding in float64 must not decide which is higher.
    gaps[np.abs(gaps) < 1e-12] = 0
    n = len(gaps)
    return {
        "names": [pair[0] for pair in pairs],
        "first": values[:, 0].tolist(),
        "second": values[:, 1].tolist(),
        "difference": gaps.tolist(),
        "means": values.mean(axis=0).tolist() if n else [None, None],
        "mean": float(gaps.mean()) if n else None,
        "sd": float(gaps.std(ddof=1)) if n > 1 else None,
        "n": n,
        "higher": int((gaps > 0).sum()),
        "lower": int((gaps < 0).sum()),
        "equal": int((gaps == 0).sum()),
    }


def deciding_unit(result: Result, n_pairs: int = 1) -> Unit:
    """Return the unit of the deciding test; see the rule above.

    Wilcoxon's smallest p-value is ``2 ** (1 - n_subjects)``, and Holm's method multiplies it by the
    number of pairs: with too few subjects the test could not reject whatever the scores.
    """
    own_models = result.provenance["split"]["within"] == "subject"
    n_subjects = result.assessment.metrics["n_subjects"]
    enough = n_subjects >= MIN_SUBJECTS and 2.0 ** (1 - n_subjects) * n_pairs <= LEVEL
    return "subject" if own_models and enough else "fold"


def rows_of(result: Result, level: str) -> pd.DataFrame:
    """Return the predictions at a level: of windows, or of trials."""
    return result.predictions if level == "window" else result.trials


def predict_trials(result: Result) -> pd.DataFrame:
    """Predict trials by soft voting over their windows in all repeats: one row per trial."""
    return vote(result.predictions.assign(repeat=0, fold=0))


def _correct(trials: pd.DataFrame) -> NDArray[np.bool_]:
    correct: NDArray[np.bool_] = predicted_classes(trials) == trials["y_true"].to_numpy()
    return correct


def compare_pair(
    names: tuple[str, str],
    results: tuple[Result, Result],
    *,
    n_pairs: int = 1,
    seed: int = 0,
) -> Pair:
    """Make all tests between two comparable results.

    Parameters
    ----------
    names : tuple of str
        Names of the two results.
    results : tuple of Result
        The first and the second.
    n_pairs : int
        Total number of pairs, for which p-values will be adjusted.
    seed : int
        Seed of the bootstrap.

    Returns
    -------
    Pair
        Its p-values are not adjusted.
    """
    first, second = results
    kinds: tuple[Literal["trials", "subjects"], ...] = ("trials", "subjects")
    intervals: dict[str, dict[str, tuple[float, float] | None]] = {}
    for level in LEVELS:
        counts = [count_trials(rows_of(result, level)) for result in results]
        intervals[level] = {
            kind: paired_bootstrap(*counts, resample=kind, seed=seed) for kind in kinds
        }
    folds = difference(first, second, unit="fold")
    subjects = difference(first, second, unit="subject")
    unit, test_share = deciding_unit(first, n_pairs), share_of_test(first.records)
    tests = {
        "folds": corrected_resampled_t_test(folds["difference"], test_share=test_share),
        "subjects": wilcoxon_signed_rank(subjects["first"], subjects["second"]),
        "trials": mcnemar(*(_correct(predict_trials(result)) for result in results)),
    }
    units: dict[Unit, dict[str, Any]] = {"fold": folds, "subject": subjects}
    # models of different subjects share no training data; those of folds share all but test sets
    correlation = 0.0 if unit == "subject" else test_share / (1 + test_share)
    return Pair(
        first=names[0],
        second=names[1],
        unit=unit,
        scores={
            level: (
                first.assessment.levels[level]["total"]["balanced_accuracy"],
                second.assessment.levels[level]["total"]["balanced_accuracy"],
            )
            for level in LEVELS
        },
        intervals=intervals,
        units=units,
        tests=tests,
        practical=correlated_t_test(units[unit]["difference"], correlation=correlation, rope=ROPE),
        above_chance=(_above(first), _above(second)),
        adjusted={name: test.p_value for name, test in tests.items()},
    )


def _above(result: Result) -> bool:
    """Return whether a result is not at chance, as far as was tested."""
    return bool(result.assessment.metrics["verdict"]["evidence"] != "none")


def compare_pairs(results: Mapping[str, Result]) -> list[Pair]:
    """Test every pair of results, and adjust p-values for the number of pairs.

    Parameters
    ----------
    results : mapping of str to Result
        Comparable results by name.

    Returns
    -------
    list of Pair
        The result with the highest score paired with each of the others, then the next, and so on;
        the higher result is the second of its pair.
    """
    pairs = [
        compare_pair(
            (lower, higher),
            (results[lower], results[higher]),
            n_pairs=len(results) * (len(results) - 1) // 2,
        )
        for higher, lower in combinations(ranked(results), 2)
    ]
    return adjust(pairs)


def ranked(results: Mapping[str, Result]) -> list[str]:
    """Order names by balanced accuracy of windows, highest first, then by name."""
    totals = {name: result.assessment.levels["window"]["total"] for name, result in results.items()}
    return sorted(totals, key=lambda name: (-totals[name]["balanced_accuracy"], name))


def adjust(pairs: Sequence[Pair]) -> list[Pair]:
    """Adjust the p-values of each test for the number of pairs (Holm 1979)."""
    by_test = {
        name: holm({i: pair.tests[name].p_value for i, pair in enumerate(pairs)})
        for name in pairs[0].tests
    }
    return [
        replace(pair, adjusted={name: values[i] for name, values in by_test.items()})
        for i, pair in enumerate(pairs)
    ]


def compare_several(results: Mapping[str, Result]) -> tuple[Unit, SeveralTest] | None:
    """Make Friedman's test of three or more results; None for two.

    Parameters
    ----------
    results : mapping of str to Result
        Comparable results by name.

    Returns
    -------
    (unit, test) or None
        Over subjects; None for one subject, since folds share training data and are no units.
    """
    first, *_ = results.values()
    if len(results) < 3 or first.assessment.metrics["n_subjects"] < 2:
        return None
    unit: Unit = "subject"
    table = np.array(
        [
            [part["balanced_accuracy"] for part in result.assessment.levels["window"][f"{unit}s"]]
            for result in results.values()
        ],
        dtype=float,
    ).T
    return unit, friedman(table[np.isfinite(table).all(axis=1)])
