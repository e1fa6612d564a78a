"""The headline of a result, and the sentence about its trials."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eegemo.evaluation.baseline import LEVEL
from eegemo.pages.words import count_of, format_p_value, join_names, number_word
from eegemo.report.promises import make_promise, promise_clause
from eegemo.results import Result, open_result
from eegemo.splits import LEAKING

BASELINE = "logistic regression on band power"


# "Far better than chance" is reserved for scores this fraction of the way from chance to 1.
_FAR = 0.7


# Where the mean of permuted labels is further than this from 1 / n_classes, it is quoted as well.
_SHIFT = 0.02


def headline(result: Result | str | Path) -> str:
    """Summarise a result in one sentence, which says if the split leaks.

    Parameters
    ----------
    result : Result, str or Path
        A result, or its folder.

    Returns
    -------
    str
        One sentence of plain text, about windows.

    Raises
    ------
    ResultError
        The folder is not a finished result.
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
            f"number is not evidence: the split leaks, {leak(result)}, so recognising a "
            f"{divided_unit(result) or 'trial'} is enough."
        )
    duration = result.provenance["data"]["window_duration"]
    windows = f"{duration:g} s windows from {_unseen(result)}"
    classes = f"{number_word(len(result.classes))} classes"
    clean = f"no {kept_apart(result)} is in both training and test"
    if level["significance"]["permutation"]["p_value"] > LEVEL:
        finding = f"{start} gave no evidence of discriminating {classes} in {windows}"
    else:
        finding = f"{start} classified {windows} into {classes}"
    tested = promise_clause(make_promise(result))
    return f"{finding}{_findings(level, _beaten(result, 'window'))}; {clean}; {tested}."


def leak(result: Result) -> str:
    """Describe how a split leaks."""
    unit = divided_unit(result)
    if unit:
        return (
            f"trials of the same {unit} are in both training and test, and the class never "
            "changes within one"
        )
    if result.provenance["split"]["group"] == "segment":
        return "each trial is split in time, with segments of it in both training and test"
    return "windows of the same trials are in both training and test"


def divided_unit(result: Result) -> str:
    """Name what the class is constant over, where a split of whole trials leaks; else nothing."""
    split = result.provenance["split"]
    units = split.get("constant_over") or []
    if not split["leaks"] or split["group"] in LEAKING or not units:
        return ""
    return {"run": "recording", "session": "session"}.get(str(units[-1]), "person")


def _beaten(result: Result, level: str) -> str:
    """State that a model does not beat the baseline; empty if it does, or without a baseline."""
    comparison = result.assessment.baseline_comparison
    if comparison is None or comparison[level]["difference"]["verdict"] == "better":
        return ""
    difference = comparison[level]["difference"]
    simple = f"{BASELINE} ({comparison[level]['total']['balanced_accuracy']:.2f})"
    if difference["verdict"] == "worse":
        return f"it is worse than {simple}"
    clearly = " clearly" if difference["balanced_accuracy"] > 0 else ""
    return f"it does not{clearly} beat {simple}"


def trial_sentence(result: Result) -> str:
    """Summarise the trial-level predictions; a leaking split has no such sentence.

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
    n = count_of(level["total"]["n"] // result.n_repeats, "trial")
    if result.n_repeats > 1:
        n += f" in each of {number_word(result.n_repeats)} repeats"
    if level["significance"]["permutation"]["p_value"] > LEVEL:
        classes = number_word(len(result.classes))
        finding = f"gave no evidence of discriminating {classes} classes in {n}"
    else:
        finding = f"classified {n}"
    findings = _findings(level, _beaten(result, "trial"))
    return f"At trial level (soft voting over windows), the model {finding}{findings}."


def _findings(level: Mapping[str, Any], beaten: str = "") -> str:
    """Return the score, its comparisons and the verdict, to end a sentence."""
    test = level["significance"]["permutation"]
    observed = test["observed"]
    extras = []
    accuracy, majority = level["total"]["accuracy"], level["baselines"]["majority"]["accuracy"]
    if accuracy <= majority:
        extras.append(
            f"its accuracy of {accuracy:.2f} does not beat always predicting the majority class "
            f"({majority:.2f})"
        )
    per_class = level["total"]["per_class"]
    never = [name for name, scores in per_class.items() if scores["precision"] is None]
    if never:
        extras.append(f"it never predicted {join_names(never, 'or')}")
    if beaten:
        extras.append(beaten)
    after = "".join(f"; {extra}" for extra in extras)
    if test["p_value"] > LEVEL:
        interval = level["significance"]["bootstrap"]["trials"]
        limits = "" if interval is None else f"95 % interval {interval[0]:.2f}–{interval[1]:.2f}, "
        text = (
            f": balanced accuracy {observed:.2f} ({limits}{_chance(level)}), {format_p_value(test)}"
        )
        if observed < test["null_interval"][0]:
            text += (
                ", no better than chance (below the scores of permuted labels, which "
                "cross-validation alone can cause)"
            )
        return text + after
    return (
        f" with a balanced accuracy of {observed:.2f} ({_chance(level)}; 95 % of permuted labels "
        f"score below {test['null_q95']:.2f}): {_verdict(level)}{after}"
    )


def _chance(level: Mapping[str, Any]) -> str:
    """State the chance level, and the mean of permuted labels where it differs."""
    chance = level["baselines"]["chance"]["balanced_accuracy"]
    mean = level["significance"]["permutation"]["null_mean"]
    text = f"chance {chance:.2f}"
    return f"{text}, permuted labels {mean:.2f} on average" if abs(mean - chance) > _SHIFT else text


def _verdict(level: Mapping[str, Any]) -> str:
    """Describe a score whose p-value is small."""
    test = level["significance"]["permutation"]
    observed, p_value = test["observed"], format_p_value(test)
    chance = level["baselines"]["chance"]["balanced_accuracy"]
    majority = level["baselines"]["subject_majority"]
    if observed <= chance:
        return f"better than permuted labels ({p_value}), but no better than uniform guessing"
    if majority is not None and observed <= majority["balanced_accuracy"]:
        return (
            f"better than permuted labels ({p_value}), but no better than each subject's "
            f"majority class ({majority['balanced_accuracy']:.2f})"
        )
    interval = level["significance"]["bootstrap"]["trials"]
    clear = interval is None or interval[0] > test["null_q95"]
    if clear and observed - chance >= _FAR * (1 - chance):
        return f"far better than chance ({p_value})"
    wrong = round(100 * (1 - observed))
    link = "but" if wrong >= 50 else "and"
    return (
        f"better than chance ({p_value}), {link}, on average over classes, wrong for {wrong} in 100"
    )


def shared_most(result: Result, unit: str) -> int:
    """Return the largest number of test groups that a fold shares with training or validation."""
    return max(int(fold.get("shared", {}).get(unit, 0)) for fold in result.records)


def _unseen(result: Result) -> str:
    group = str(result.provenance["split"]["group"])
    if group == "subject" or not shared_most(result, "subject"):
        participants = "unseen participants"
    else:
        participants = "participants seen in training"
    if group == "subject":
        return participants
    if group == "stimulus":
        return f"trials with unseen stimuli of {participants}"
    return f"unseen {'recording' if group == 'run' else group}s of {participants}"


def kept_apart(result: Result) -> str:
    """Name the largest unit that is never in both training and test of a split without a leak."""
    group = str(result.provenance["split"]["group"])
    if group in LEAKING or shared_most(result, group):
        return "trial"
    return "recording" if group == "run" else group
