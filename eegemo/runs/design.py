"""What a split has to hold out, given what the class is constant over in the data."""

from collections.abc import Sequence

import pandas as pd

from eegemo.config import Experiment
from eegemo.errors import DataError, DesignError
from eegemo.labels import Labels
from eegemo.splits import (
    LEAKING,
    UNIT_NOUNS,
    Fold,
    Unit,
    constant_over,
    describe_constant,
    divides_unit,
    nearly_constant,
    unit_numbers,
)
from eegemo.trials import Trials
from eegemo.windows import Windows

__all__ = ["check_design", "note_design", "resolve_design"]


def resolve_design(
    experiment: Experiment, trials: Trials, labels: Labels
) -> tuple[Experiment, tuple[Unit, ...]]:
    """Decide what a split holds out that does not say it.

    Parameters
    ----------
    experiment : Experiment
    trials : Trials
    labels : Labels
        The class of each trial, before any permutation.

    Returns
    -------
    experiment : Experiment
        With an explicit ``split.group``, so that it is the same experiment wherever it is named.
    units : tuple of str
        What the class is constant over, from `eegemo.splits.constant_over`.

    Raises
    ------
    DataError
        If there are too few recordings (sessions, people) of a class to hold one out.
    """
    table = trials.metadata.assign(code=labels.codes)
    units = constant_over(table)
    split = experiment.split
    if split.group is None:
        group = units[-1] if units else "trial"
        if group == "subject" and split.within == "subject":
            raise DataError(
                f"split: {describe_constant(units)} within: subject would train a model per "
                "person, which has nothing to classify. Leave out within: whole people are then "
                "held out."
            )
        split = split.model_copy(update={"group": group})
        experiment = experiment.model_copy(update={"split": split})
    if units and split.group == units[-1]:
        _check_enough(experiment, table[table["code"] >= 0], units, labels.classes)
    return experiment, units


def _check_enough(
    experiment: Experiment, table: pd.DataFrame, units: Sequence[Unit], classes: Sequence[str]
) -> None:
    """Refuse a split that cannot test a unit of every class and learn from another."""
    unit, split = units[-1], experiment.split
    several = UNIT_NOUNS[unit][1]
    scopes = table.groupby(table["subject"].astype(str)) if split.within else [("", table)]
    for subject, rows in scopes:
        counts = {
            name: len(set(unit_numbers(rows[rows["code"] == code], unit).tolist()))
            for code, name in enumerate(classes)
            if (rows["code"] == code).any()
        }
        if len(counts) < 2:
            continue  # the folds say so
        listed = ", ".join(f"{name} {n}" for name, n in counts.items())
        where = f" of subject {subject}" if subject else ""
        advice = "Record more, pool people (leave out within)" if subject else "Record more"
        start = f"split: {describe_constant(units)} Whole {several} are therefore held out"
        leaky = "or, with allow_leakage: true and group: trial, hold out trials (marked as a leak)"
        if min(counts.values()) < 2:
            raise DataError(
                f"{start}, and every class needs at least 2 of them{where}, one to learn from and "
                f"one to test; found {listed}. {advice}, {leaky}."
            )
        n_parts = split.n_splits if split.method == "stratified_group_k_fold" else 2
        if sum(counts.values()) < n_parts:
            fewer = min(counts.values())
            raise DataError(
                f"{start}: {n_parts} folds need at least {n_parts} {several}{where}, and there are "
                f"{sum(counts.values())} ({listed}). Write split.n_splits: {fewer}, {leaky}."
            )


def note_design(
    experiment: Experiment, units: Sequence[Unit], trials: Trials, labels: Labels
) -> list[str]:
    """Note for check, run and report what the class is constant over, and what the split does.

    Parameters
    ----------
    experiment, units
        From `resolve_design`.
    trials, labels
        As for `resolve_design`.
    """
    group = experiment.split.group
    if not units:
        nearly = nearly_constant(trials.metadata.assign(code=labels.codes))
        if nearly is None or group == nearly[0]:
            return []
        unit, single, n = nearly
        return [
            f"In {single} of {n} {UNIT_NOUNS[unit][1]} with three trials or more the class never "
            f"changes, so recognising one goes far. split.group: {unit} would hold out whole "
            f"{UNIT_NOUNS[unit][1]}."
        ]
    several = UNIT_NOUNS[units[-1]][1]
    if group == units[-1]:
        return [f"{describe_constant(units)} Whole {several} are held out."]
    return [f"{describe_constant(units)} This split does not hold out whole {several}."]


def check_design(
    experiment: Experiment, windows: Windows, folds: Sequence[Fold], units: Sequence[Unit]
) -> None:
    """Refuse folds that divide what the class is constant over, unless a leak is allowed.

    Raises
    ------
    DesignError
        With what to write instead.
    """
    split = experiment.split
    if not units or split.allow_leakage or split.group in LEAKING:
        return
    unit = units[-1]
    numbers = unit_numbers(windows.trials.metadata, unit)[windows.trial]
    if not divides_unit(folds, numbers):
        return
    one, several = UNIT_NOUNS[unit]
    n = len(set(numbers.tolist()))
    within = " and leave out within" if unit == "subject" and split.within else ""
    raise DesignError(
        f"split: {describe_constant(units)} There are {n} {several} of one class each, and group "
        f"{split.group!r} puts trials of one {one} into both training and test. Write group: "
        f"{unit}{within}, which is what is held out if group is not given; or allow_leakage: true, "
        "to run it all the same: its report is marked."
    )
