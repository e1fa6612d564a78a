"""What a comparison found, as one JSON file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..errors import ResultError
from .contents import Comparison
from .paired import Pair
from .rule import RULE, judge

RECORD = "comparison.json"


def make_record(comparison: Comparison) -> dict[str, Any]:
    """Return the sentence of a comparison and everything it rests on, ready for JSON.

    Parameters
    ----------
    comparison : Comparison
        What was found.

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
    """Read what a written comparison says first, with what it rests on.

    Parameters
    ----------
    folder : str or Path
        The folder that `eegemo.comparison.compare` has written, or its page.

    Returns
    -------
    str
        The first sentence of the page, and what decided.

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
