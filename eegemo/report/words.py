"""What a result says in words: one sentence first, then what to keep in mind."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .result import Result, read_result

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
# The usual level; the p-value itself is always shown beside the words that rest on it.
LEVEL = 0.05
# "Far better than chance" is kept for scores that cover this share of the way from chance to 1.
_FAR = 0.7
# Where the mean of shuffled labels is further than this from 1 / n_classes, it is quoted as well.
_SHIFT = 0.02


def number_word(n: int) -> str:
    """Spell small numbers.

    Examples
    --------
    >>> number_word(4), number_word(32)
    ('four', '32')
    """
    return _NUMBERS[n] if 0 <= n < len(_NUMBERS) else str(n)


def some(n: int, unit: str) -> str:
    """Count things, in the singular if there is one.

    Examples
    --------
    >>> some(1, "fold"), some(2000, "trial")
    ('1 fold', '2,000 trials')
    """
    return f"{n:,} {unit}{'s' if n != 1 else ''}"


def listed(names: Iterable[str], last: str = "and") -> str:
    """Join names to a phrase.

    Examples
    --------
    >>> listed("abc"), listed("ab", "or")
    ('a, b and c', 'a or b')
    """
    *first, final = names
    return f"{', '.join(first)} {last} {final}" if first else final


def p_words(test: Mapping[str, Any]) -> str:
    """Write a p-value with the digits that matter.

    Parameters
    ----------
    test : mapping
        Its ``p_value`` and ``n_permutations``: the smallest value that so many can give is a bound.

    Examples
    --------
    >>> [p_words({"p_value": p, "n_permutations": 4999}) for p in (0.342, 0.0123, 0.0002)]
    ['p = 0.34', 'p = 0.012', 'p ≤ 0.0002']
    """
    p = test["p_value"]
    if p < 1.5 / (1 + test["n_permutations"]):
        return f"p ≤ {p:.1g}"
    digits = 2 if p >= 0.1 else 3 if p >= 0.01 else 4
    return f"p = {p:.{digits}f}"


def interval_words(level: Mapping[str, Any], kind: str, digits: int = 2) -> str:
    """Write a bootstrap interval, or why there is none."""
    interval = level["significance"]["bootstrap"][kind]
    if interval is not None:
        return f"{interval[0]:.{digits}f} – {interval[1]:.{digits}f}"
    one_subject = kind == "subjects" and len(level["subjects"]) == 1
    if level["total"]["accuracy"] == 1 and not one_subject:
        return "not estimable: no error"
    return "–"


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
    start = f"{'On simulated data, ' if result.simulated else ''}{result.model}"
    if result.leaks:
        return (
            f"{start} reached a balanced accuracy of {observed:.2f} ({_chance(level)}), but this "
            "number is not evidence: the split leaks, windows of the same trials are in training "
            "and test, so that recognising a trial is enough."
        )
    duration = result.provenance["data"]["window_duration"]
    windows = f"{duration:g} s windows from {_unseen(result)}"
    classes = f"{number_word(len(result.classes))} classes"
    clean = f"no {kept_apart(result)} is in both training and test"
    if level["significance"]["permutation"]["p_value"] > LEVEL:
        told = f"{start} gave no evidence of telling {classes} apart in {windows}"
    else:
        told = f"{start} classified {windows} into {classes}"
    return f"{told}{_findings(level)}; {clean}."


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
    level = result.metrics["levels"]["trial"]
    n = some(level["total"]["n"], "trial")
    if level["significance"]["permutation"]["p_value"] > LEVEL:
        classes = number_word(len(result.classes))
        told = f"gave no evidence of telling {classes} classes apart in {n}"
    else:
        told = f"classified {n}"
    return f"The vote of each trial's windows {told}{_findings(level)}."


def _findings(level: Mapping[str, Any]) -> str:
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


def _shared(result: Result, unit: str) -> int:
    """Return the most test groups of a kind that any fold shares with training or validation."""
    return max(int(fold.get("shared", {}).get(unit, 0)) for fold in result.folds)


def _unseen(result: Result) -> str:
    group = str(result.provenance["split"]["group"])
    if group == "subject" or not _shared(result, "subject"):
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
    return "trial" if group == "window" or _shared(result, group) else group


def shuffling(test: Mapping[str, Any]) -> str:
    """Say how labels were shuffled.

    Parameters
    ----------
    test : mapping
        Its ``n_blocks`` and ``n_joint``.

    Returns
    -------
    str
        A sentence or two.
    """
    blocks, joint = test["n_blocks"], test["n_joint"]
    within = "the labels of whole trials are shuffled within each subject and session"
    if not joint:
        return f"In each draw {within}, each on its own."
    text = (
        f"In each draw {within}, in the same order of stimuli for all: subjects who saw the same "
        "stimuli do not have independent labels."
    )
    if joint < blocks:
        text += (
            f" {blocks - joint} of {some(blocks, 'block')} (a subject's session) share no stimuli "
            "with others, have one twice, or do not know them, and are shuffled on their own."
        )
    return text


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
    found = merge_notes([str(note) for note in result.provenance.get("notes") or []])
    if result.leaks and not result.provenance["split"]["leaks"]:
        found.append("The split was declared free of leaks, but its folds share trials.")
    if _stimuli_known_from_others(result):
        found.append(
            "The test stimuli were seen in training with other subjects: recognising the stimulus "
            "may be enough."
        )
    for name, one in level["total"]["per_class"].items():
        if not one["support"]:
            found.append(f"Class {name} never occurs in the test part.")
    lacking = []
    for unit in ("fold", "subject"):
        parts = level[f"{unit}s"]
        n = sum(any(not c["support"] for c in part["per_class"].values()) for part in parts)
        if n:
            lacking.append(f"{n} of {some(len(parts), unit)}")
    if lacking:
        found.append(
            f"In {listed(lacking)} a class does not occur in the test part: balanced accuracy "
            "there is over the classes that do."
        )
    late = sum(fold["best_epoch"] >= fold["epochs"] for fold in result.folds)
    if late > len(result.folds) / 2:
        found.append(
            f"{late} of {some(len(result.folds), 'fold')} {'was' if late == 1 else 'were'} best in "
            "the last epoch: longer training may change the scores."
        )
    subjects = result.metrics["n_subjects"]
    if subjects == 1:
        found.append("With 1 subject, nothing can be said about other people.")
    elif subjects < 10:
        found.append(
            f"With {subjects} subjects, little can be said about other people; the interval over "
            "subjects is unreliable."
        )
    return found


def _stimuli_known_from_others(result: Result) -> bool:
    within = result.provenance["split"]["within"]
    if result.leaks or within or not _shared(result, "stimulus"):
        return False
    trials = result.trials[result.trials["stimulus"] != ""]
    # Where the stimulus is the class, as in a paradigm with one stimulus each, this is the task.
    classes_of = trials.groupby("y_true")["stimulus"].nunique()
    return bool(
        (trials.groupby("stimulus")["subject"].nunique() > 1).any() and classes_of.max() > 1
    )


_OF = re.compile(r"(?P<unit>Subject|Fold) [^:]+: (?P<file>\S+\.\w+: )?(?P<rest>.+)")


def merge_notes(notes: Sequence[str]) -> list[str]:
    """Say once what several runs, subjects or folds have in common; single notes stay as they are.

    Parameters
    ----------
    notes : sequence of str
        As the run stored them.

    Returns
    -------
    list of str
        In the order of first appearance.

    Examples
    --------
    >>> merge_notes([f"Subject 01: run-{n}.vhdr: 1 trials left out, marked bad: {n}" for n in "23"])
    ['2 runs: 1 trial each left out, marked bad']
    """
    groups: dict[str, list[str]] = {}
    for note in notes:
        note = re.sub(r"\b1 trials have\b", "1 trial has", note)
        note = re.sub(r"\b1 (trial|subject)s\b", r"1 \1", note)
        match, key = _OF.fullmatch(note), note
        if match:
            unit = "run" if match["file"] else match["unit"].lower()
            rest = re.sub(r"(left out, [^:]+): [\d, ]+$", r"\1", match["rest"])
            key = f"{unit}s: {rest}"
        groups.setdefault(key, []).append(note)
    merged = []
    for key, same in groups.items():
        together = re.sub(r"(trials?) left", r"\1 each left", key)
        merged.append(same[0] if len(same) == 1 else f"{len(same)} {together}")
    return merged
