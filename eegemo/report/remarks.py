"""What a careful reader should know about a result, beside its scores."""

from __future__ import annotations

import re
from collections.abc import Sequence

from eegemo.pages.words import listed, some
from eegemo.report.words import shared_most
from eegemo.results import Result


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
    level = result.assessment.levels["window"]
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
    folds = result.records
    late = sum(fold["epochs"] > 1 and fold["best_epoch"] >= fold["epochs"] for fold in folds)
    if late > len(folds) / 2:
        found.append(
            f"{late} of {some(len(folds), 'fold')} {'was' if late == 1 else 'were'} best in "
            "the last epoch: longer training may change the scores."
        )
    subjects = result.assessment.metrics["n_subjects"]
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
    if result.leaks or within or not shared_most(result, "stimulus"):
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
