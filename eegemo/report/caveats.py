"""Caveats of a result."""

from __future__ import annotations

from eegemo.pages.notes import merge_notes
from eegemo.pages.words import count_of, join_names
from eegemo.report.promises import make_promise, stimulus_caveat
from eegemo.results import Result


def list_caveats(result: Result) -> list[str]:
    """List the caveats of a result.

    Parameters
    ----------
    result : Result
        A result.

    Returns
    -------
    list of str
        The notes of the run, then what follows from its numbers.
    """
    level = result.assessment.levels["window"]
    found = merge_notes([str(note) for note in result.provenance.get("notes") or []])
    if result.leaks and not result.provenance["split"]["leaks"]:
        found.append("The split was declared free of leaks, but its folds share trials.")
    if not result.leaks and not _is_stimulus_the_class(result):
        found += filter(None, [stimulus_caveat(make_promise(result))])
    for name, scores in level["total"]["per_class"].items():
        if not scores["support"]:
            found.append(f"Class {name} never occurs in the test set.")
    lacking = []
    for unit in ("fold", "subject"):
        parts = level[f"{unit}s"]
        n = sum(any(not c["support"] for c in part["per_class"].values()) for part in parts)
        if n:
            lacking.append(f"{n} of {count_of(len(parts), unit)}")
    if lacking:
        found.append(
            f"In {join_names(lacking)} a class does not occur in the test set: balanced accuracy "
            "there is over the classes that do."
        )
    folds = result.records
    late = sum(fold["epochs"] > 1 and fold["best_epoch"] >= fold["epochs"] for fold in folds)
    if late > len(folds) / 2:
        found.append(
            f"{late} of {count_of(len(folds), 'fold')} {'was' if late == 1 else 'were'} best in "
            "the last epoch: longer training may change the scores."
        )
    subjects = result.assessment.metrics["n_subjects"]
    if subjects == 1:
        found.append("With 1 subject, the result does not generalise to other participants.")
    elif subjects < 10:
        found.append(
            f"With {subjects} subjects, the result says little about other participants; the "
            "interval over subjects is unreliable."
        )
    return found


def _is_stimulus_the_class(result: Result) -> bool:
    """Return whether each class has one stimulus, so that recognising it is the task."""
    trials = result.trials[result.trials["stimulus"] != ""]
    return trials.empty or bool(trials.groupby("y_true")["stimulus"].nunique().max() <= 1)
