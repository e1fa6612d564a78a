"""What a result says in words: one sentence first, then what to keep in mind."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eegemo.evaluation.baseline import LEVEL
from eegemo.pages.words import listed, number_word, p_words, some
from eegemo.results import Result, open_result

BASELINE = "logistic regression on band power"


# "Far better than chance" is kept for scores that cover this share of the way from chance to 1.
_FAR = 0.7


# Where the mean of shuffled labels is further than this from 1 / n_classes, it is quoted as well.
_SHIFT = 0.02


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
        result = open_result(result)
    level = result.assessment.levels["window"]
    observed = level["total"]["balanced_accuracy"]
    start = f"{'On simulated data, ' if result.simulated else ''}{result.model}"
    start = start[0].upper() + start[1:]
    if result.leaks:
        return (
            f"{start} reached a balanced accuracy of {observed:.2f} ({_chance(level)}), but this "
            f"number is not evidence: the split leaks, {leak(result)}, so that recognising a trial "
            "is enough."
        )
    duration = result.provenance["data"]["window_duration"]
    windows = f"{duration:g} s windows from {_unseen(result)}"
    classes = f"{number_word(len(result.classes))} classes"
    clean = f"no {kept_apart(result)} is in both training and test"
    if level["significance"]["permutation"]["p_value"] > LEVEL:
        told = f"{start} gave no evidence of telling {classes} apart in {windows}"
    else:
        told = f"{start} classified {windows} into {classes}"
    return f"{told}{_findings(level, _beaten(result, 'window'))}; {clean}."


def leak(result: Result) -> str:
    """Say how a split leaks."""
    if result.provenance["split"]["group"] == "segment":
        return "each trial is cut in time with pieces of it in training and in test"
    return "windows of the same trials are in training and test"


def _beaten(result: Result, level: str) -> str:
    """Say that a model does not beat the simple one; nothing if it does, or there is none."""
    beside = result.assessment.beside_baseline
    if beside is None or beside[level]["difference"]["verdict"] == "better":
        return ""
    difference = beside[level]["difference"]
    simple = f"{BASELINE} ({beside[level]['total']['balanced_accuracy']:.2f})"
    if difference["verdict"] == "worse":
        return f"it is worse than {simple}"
    clearly = " clearly" if difference["balanced_accuracy"] > 0 else ""
    return f"it does not{clearly} beat {simple}"


def trial_sentence(result: Result) -> str:
    """Say the same of trial votes, as briefly; a leaking split has no such sentence.

    Parameters
    ----------
    result : Result
        A result.

    Returns
    -------
    str
        One sentence of plain text.
    """
    level = result.assessment.levels["trial"]
    n = some(level["total"]["n"] // result.n_repeats, "trial")
    if result.n_repeats > 1:
        n += f" in each of {number_word(result.n_repeats)} repeats"
    if level["significance"]["permutation"]["p_value"] > LEVEL:
        classes = number_word(len(result.classes))
        told = f"gave no evidence of telling {classes} classes apart in {n}"
    else:
        told = f"classified {n}"
    return f"The vote of each trial's windows {told}{_findings(level, _beaten(result, 'trial'))}."


def _findings(level: Mapping[str, Any], beaten: str = "") -> str:
    """Return score, what it is compared with, and the verdict, to follow what was classified."""
    test = level["significance"]["permutation"]
    observed = test["observed"]
    extras = []
    accuracy, majority = level["total"]["accuracy"], level["baselines"]["majority"]["accuracy"]
    if accuracy <= majority:
        extras.append(
            f"its accuracy of {accuracy:.2f} does not beat always answering the commonest class "
            f"({majority:.2f})"
        )
    never = [name for name, one in level["total"]["per_class"].items() if one["precision"] is None]
    if never:
        extras.append(f"it never answered {listed(never, 'or')}")
    if beaten:
        extras.append(beaten)
    after = "".join(f"; {extra}" for extra in extras)
    if test["p_value"] > LEVEL:
        interval = level["significance"]["bootstrap"]["trials"]
        sure = "" if interval is None else f"95 % interval {interval[0]:.2f}–{interval[1]:.2f}, "
        text = f": balanced accuracy {observed:.2f} ({sure}{_chance(level)}), {p_words(test)}"
        if observed < test["null_interval"][0]:
            text += (
                ", no better than chance (it lies below what shuffled labels give, which "
                "cross-validation by itself can cause)"
            )
        return text + after
    return (
        f" with a balanced accuracy of {observed:.2f} ({_chance(level)}; 95 % of shuffled labels "
        f"score below {test['null_q95']:.2f}): {_verdict(level)}{after}"
    )


def _chance(level: Mapping[str, Any]) -> str:
    """Name the one value of chance, and the mean of shuffled labels where that is another."""
    chance = level["baselines"]["chance"]["balanced_accuracy"]
    mean = level["significance"]["permutation"]["null_mean"]
    text = f"chance {chance:.2f}"
    return f"{text}, shuffled labels {mean:.2f} on average" if abs(mean - chance) > _SHIFT else text


def _verdict(level: Mapping[str, Any]) -> str:
    """Judge a score whose p-value is small."""
    test = level["significance"]["permutation"]
    observed, p = test["observed"], p_words(test)
    chance = level["baselines"]["chance"]["balanced_accuracy"]
    own = level["baselines"]["subject_majority"]
    if observed <= chance:
        return f"better than shuffled labels ({p}), but not than guessing evenly"
    if own is not None and observed <= own["balanced_accuracy"]:
        return (
            f"better than shuffled labels ({p}), but no better than each subject's "
            f"commonest class ({own['balanced_accuracy']:.2f})"
        )
    interval = level["significance"]["bootstrap"]["trials"]
    clear = interval is None or interval[0] > test["null_q95"]
    if clear and observed - chance >= _FAR * (1 - chance):
        return f"far better than chance ({p})"
    wrong = round(100 * (1 - observed))
    link = "but" if wrong >= 50 else "and"
    return f"better than chance ({p}), {link}, on average over classes, wrong for {wrong} in 100"


def shared_most(result: Result, unit: str) -> int:
    """Return the most test groups of a kind that any fold shares with training or validation."""
    return max(int(fold.get("shared", {}).get(unit, 0)) for fold in result.records)


def _unseen(result: Result) -> str:
    group = str(result.provenance["split"]["group"])
    if group == "subject" or not shared_most(result, "subject"):
        people = "people it had never seen"
    else:
        people = "people it was trained on"
    if group == "subject":
        return people
    if group == "stimulus":
        return f"trials with unseen stimuli of {people}"
    return f"unseen {group}s of {people}"


def kept_apart(result: Result) -> str:
    """Name the largest unit that is never in both training and test of a split without a leak."""
    group = str(result.provenance["split"]["group"])
    return "trial" if group in ("window", "segment") or shared_most(result, group) else group
