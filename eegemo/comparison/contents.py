"""The content of a comparison, which its page, tables and LaTeX table show."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from eegemo.comparison.classes import class_differences
from eegemo.comparison.comparable import check_comparable, n_repeats
from eegemo.comparison.costs import costs
from eegemo.comparison.paired import Pair, Unit, compare_pairs, compare_several
from eegemo.comparison.rule import RULE, above_chance, judge
from eegemo.comparison.words import first_sentence, grounds, limits
from eegemo.errors import ResultError
from eegemo.evaluation.statistics import SeveralTest
from eegemo.results import Result

Interval = tuple[float, float]


@dataclass(frozen=True)
class Comparison:
    """Results and the tests between them.

    Attributes
    ----------
    results : dict of str to Result
        Comparable results by name.
    pairs : tuple of Pair
        All pairs of results; empty if the split leaks, since tests are then meaningless.
    several : tuple or None
        The unit and outcome of Friedman's test, for three results or more.
    """

    results: dict[str, Result]
    pairs: tuple[Pair, ...]
    several: tuple[Unit, SeveralTest] | None

    @property
    def first(self) -> Result:
        """The first result, from which common properties are read."""
        return next(iter(self.results.values()))

    @property
    def leaks(self) -> bool:
        """Whether test windows of any result share trials with training."""
        return any(result.leaks for result in self.results.values())

    @property
    def simulated(self) -> bool:
        """Whether the data are simulated."""
        return any(result.simulated for result in self.results.values())

    @property
    def repeats(self) -> int:
        """Number of repeats of the cross-validation."""
        return n_repeats(self.first)

    @cached_property
    def sentence(self) -> str:
        """The conclusion that the tests allow."""
        return first_sentence(self.results, self.pairs)

    @cached_property
    def grounds(self) -> list[str]:
        """The tests that the conclusion is based on."""
        return grounds(self.pairs, self.several)

    @cached_property
    def limits(self) -> list[str]:
        """The limits of the conclusion."""
        return limits(self.results, self.pairs)

    @cached_property
    def above_chance(self) -> list[str]:
        """Which results score better than permuted labels."""
        return above_chance(self.results)

    @cached_property
    def best(self) -> str | None:
        """The result that is better than every other by more than equivalence; often None."""
        for name in () if self.leaks else self.above_chance:
            pairs = [pair for pair in self.pairs if name in (pair.first, pair.second)]
            if all(judge(pair) == "better" and pair.second == name for pair in pairs):
                return name
        return None

    @cached_property
    def costs(self) -> dict[str, dict[str, Any]]:
        """The costs of each result."""
        return {name: costs(result) for name, result in self.results.items()}

    @cached_property
    def class_differences(self) -> dict[str, pd.DataFrame]:
        """Differences by class from the first result; without intervals if the split leaks."""
        tables = {
            name: class_differences(self.first, result)
            for name, result in list(self.results.items())[1:]
        }
        if self.leaks:
            return {name: table.assign(low=np.nan, high=np.nan) for name, table in tables.items()}
        return tables

    @property
    def resampled(self) -> str:
        """The unit of resampling: "subjects" (and their trials), or only "trials"."""
        return "subjects" if self.first.assessment.metrics["n_subjects"] > 1 else "trials"

    def interval(self, name: str, level: str) -> Interval | None:
        """Return the 95 % bootstrap interval of a balanced accuracy; None if there is none."""
        significance = self.results[name].assessment.levels[level]["significance"]
        found = significance["bootstrap"][self.resampled]
        return None if found is None else (found[0], found[1])


def gather(results: Mapping[str, Result]) -> Comparison:
    """Check that results can be compared, and make all tests between them.

    Parameters
    ----------
    results : mapping of str to Result
        Two or more results by name.

    Returns
    -------
    Comparison

    Raises
    ------
    ResultError
        Their data, labels, classes, repeats or folds differ.
    """
    check_comparable(results)
    if any(result.leaks for result in results.values()):
        return Comparison(dict(results), (), None)
    return Comparison(dict(results), tuple(compare_pairs(results)), compare_several(results))


RECORD = "comparison.json"


def make_record(comparison: Comparison) -> dict[str, Any]:
    """Return a comparison with all its tests, ready for JSON.

    Parameters
    ----------
    comparison : Comparison
        The comparison.

    Returns
    -------
    dict
        ``sentence``, ``grounds``, ``limits``, ``rule``, ``leaks``, ``simulated``,
        ``above_chance``, ``best``, ``results`` (folders by name), ``pairs`` (every test),
        ``several`` and ``costs``.
    """
    several = comparison.several
    return {
        "sentence": comparison.sentence,
        "grounds": comparison.grounds,
        "limits": comparison.limits,
        "rule": list(RULE),
        "leaks": comparison.leaks,
        "simulated": comparison.simulated,
        "above_chance": comparison.above_chance,
        "best": comparison.best,
        "results": {name: result.path.name for name, result in comparison.results.items()},
        "pairs": [_pair(pair) for pair in comparison.pairs],
        "several": None if several is None else {"unit": several[0], **several[1].as_dict()},
        "costs": comparison.costs,
    }


def _pair(pair: Pair) -> dict[str, Any]:
    return {
        "first": pair.first,
        "second": pair.second,
        "verdict": judge(pair),
        "deciding_test": f"{pair.unit}s",
        "scores": {level: list(scores) for level, scores in pair.scores.items()},
        "intervals": pair.intervals,
        "tests": {
            name: {**test.as_dict(), "p_holm": pair.adjusted[name]}
            for name, test in pair.tests.items()
        },
        "practical": pair.practical.as_dict(),
    }


def read_sentence(folder: str | Path) -> str:
    """Read the conclusion of a stored comparison, and the tests it is based on.

    Parameters
    ----------
    folder : str or Path
        The folder that `eegemo.comparison.compare` has written, or its page.

    Returns
    -------
    str
        The first sentence of the page, and the deciding tests.

    Raises
    ------
    ResultError
        There is no comparison.
    """
    path = Path(folder)
    path = (path.parent if path.suffix == ".html" else path) / RECORD
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return " ".join([content["sentence"], *content["grounds"]])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ResultError(f"{path}: expected the record of a comparison, found none.") from error
