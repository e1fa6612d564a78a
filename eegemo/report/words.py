"""What a result says in words: one sentence first, then what to keep in mind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .result import Result, read_result

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_UNSEEN = {
    "trial": "trials it had never seen",
    "session": "sessions it had never seen",
    "subject": "people it had never seen",
    "stimulus": "stimuli it had never seen",
}
# The usual level; the p-value itself is always shown beside the words that rest on it.
_LEVEL = 0.05


def number_word(n: int) -> str:
    """Spell small numbers.

    Examples
    --------
    >>> number_word(4), number_word(32)
    ('four', '32')
    """
    return _NUMBERS[n] if 0 <= n < len(_NUMBERS) else str(n)


def p_words(p: float) -> str:
    """Write a p-value with the digits that matter.

    Examples
    --------
    >>> p_words(0.342), p_words(0.0123), p_words(0.0002)
    ('p = 0.34', 'p = 0.012', 'p = 0.0002')
    """
    digits = 2 if p >= 0.1 else 3 if p >= 0.01 else 4
    return f"p = {p:.{digits}f}"


def headline(result: Result | str | Path) -> str:
    """Say in one sentence what was found, and whether the split leaks.

    Parameters
    ----------
    result : Result, str or Path
        A result, or its folder.

    Returns
    -------
    str
        One sentence of plain text, about single windows.

    Raises
    ------
    ResultError
        The folder is no finished result.
    """
    if not isinstance(result, Result):
        result = read_result(result)
    level = result.metrics["levels"]["window"]
    observed = level["total"]["balanced_accuracy"]
    chance = 1 / sum(1 for one in level["total"]["per_class"].values() if one["support"])
    where = "On simulated data, " if result.simulated else ""
    if result.leaks:
        return (
            f"{where}{result.model} reached a balanced accuracy of {observed:.2f} (chance "
            f"{chance:.2f}), but this number is not evidence: the split leaks, windows of the same "
            "trials are in training and test, so that recognising a trial is enough."
        )
    duration = result.provenance["data"]["window_duration"]
    group = str(result.provenance["split"]["group"])
    unseen = _UNSEEN.get(group, f"{group} groups it had never seen")
    test = level["significance"]["permutation"]
    low, high = test["null_interval"]
    classes = f"{number_word(len(result.classes))} classes apart"
    windows = f"{duration:g} s windows from {unseen}"
    null = f"chance {chance:.2f}, 95 % of shuffled labels between {low:.2f} and {high:.2f}"
    if test["p_value"] > _LEVEL:
        return (
            f"{where}{result.model} did not tell {classes} in {windows}: its balanced accuracy of "
            f"{observed:.2f} ({null}) is {_verdict(level)}."
        )
    return (
        f"{where}{result.model} told {classes} with a balanced accuracy of {observed:.2f} in "
        f"{windows} ({null}): {_verdict(level)}."
    )


def _verdict(level: dict[str, Any]) -> str:
    test = level["significance"]["permutation"]
    observed, p = test["observed"], test["p_value"]
    if p > _LEVEL:
        below = observed < test["null_interval"][0]
        return f"{'below' if below else 'not distinguishable from'} chance ({p_words(p)})"
    wrong = round(100 * (1 - level["total"]["accuracy"]))
    own = level["baselines"]["subject_majority"]
    if own is not None and observed <= own["balanced_accuracy"]:
        return (
            f"better than shuffled labels ({p_words(p)}), but no better than each subject's "
            f"commonest class ({own['balanced_accuracy']:.2f})"
        )
    if wrong >= 50:
        return f"better than chance ({p_words(p)}), but wrong for {wrong} windows in 100"
    if wrong >= 15:
        return f"better than chance ({p_words(p)}), and wrong for {wrong} windows in 100"
    return f"far better than chance ({p_words(p)})"


def remarks(result: Result) -> list[str]:
    """List what a careful reader should know about a result.

    Parameters
    ----------
    result : Result
        A result.

    Returns
    -------
    list of str
        The notes of the run, then what the numbers themselves give away.
    """
    level = result.metrics["levels"]["window"]
    found = [str(note) for note in result.provenance.get("notes", [])]
    declared = bool(result.provenance["split"]["leaks"])
    if result.leaks and not declared:
        found.append("The split was declared free of leaks, but its folds share trials.")
    accuracy, majority = level["total"]["accuracy"], level["baselines"]["majority"]["accuracy"]
    if accuracy is not None and accuracy <= majority:
        found.append(
            f"Plain accuracy ({accuracy:.2f}) does not beat always answering the commonest class "
            f"({majority:.2f})."
        )
    for name, one in level["total"]["per_class"].items():
        if one["precision"] is None:
            found.append(f"Class {name} was never predicted.")
        if not one["support"]:
            found.append(f"Class {name} never occurs in the test part.")
    for unit in ("fold", "subject"):
        parts = level[f"{unit}s"]
        lacking = sum(any(not c["support"] for c in s["per_class"].values()) for s in parts)
        if lacking:
            found.append(
                f"In {lacking} of {len(parts)} {unit}s a class does not occur in the test part: "
                "balanced accuracy there is over the classes that do."
            )
    late = sum(fold["best_epoch"] >= fold["epochs"] for fold in result.folds)
    if late > len(result.folds) / 2:
        found.append(
            f"{late} of {len(result.folds)} folds were best in their last epoch: longer training "
            "may change the scores."
        )
    subjects = result.metrics["n_subjects"]
    if subjects < 10:
        found.append(
            f"With {subjects} subject{'s' if subjects > 1 else ''}, nothing here speaks for other "
            "people: intervals that resample subjects are too narrow."
        )
    return found
