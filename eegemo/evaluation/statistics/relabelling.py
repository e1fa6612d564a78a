"""Labels as they could have been: units exchange their labels together with their folds.

A classifier that is trained again on exchanged labels needs folds for them. Folds are made from
the labels (stratified), so labels that move without their folds would leave folds that no longer
suit them, and the null would be wrong (false alarms .07 to .79 in simulations). So a trial takes
over the label and the place in all folds of another trial: what moves, in effect, are the signals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from eegemo.evaluation.statistics.design import Design, Integers

__all__ = ["Relabelling", "draw_relabelling"]


@dataclass(frozen=True)
class Relabelling:
    """One draw of exchanged labels.

    Attributes
    ----------
    codes : ndarray of int, shape (n_trials,)
        The new class of each trial.
    places : ndarray of int, shape (n_trials,)
        For each trial, the trial whose place in the folds it takes over.
    """

    codes: Integers
    places: Integers


def draw_relabelling(design: Design, rng: np.random.Generator) -> Relabelling:
    """Draw labels as they could have been if they meant nothing.

    Parameters
    ----------
    design : Design
    rng : numpy.random.Generator

    Returns
    -------
    relabelling : Relabelling
        Trials without a class keep their place.

    Examples
    --------
    >>> from eegemo.evaluation.statistics.design import read_design
    >>> table = pd.DataFrame({"subject": "s1", "session": "1", "trial": range(6), "stimulus": ""})
    >>> design = read_design(table.assign(code=[0, 1, 1, 0, 0, 1]), within_subject=True)
    >>> new = draw_relabelling(design, np.random.default_rng(0))
    >>> sorted(new.codes.tolist()), sorted(new.places.tolist())
    ([0, 0, 0, 1, 1, 1], [0, 1, 2, 3, 4, 5])
    """
    used = np.flatnonzero(design.codes >= 0)
    units, blocks = design.units[used], design.blocks[used]
    places = np.arange(len(design.codes))
    codes = design.codes.copy()
    if design.joint:
        source, lent = _joint(units, blocks, design.codes[used], rng)
        places[used] = used[source]
        codes[used] = lent
    else:
        places[used] = used[_within(units, blocks, rng)]
        codes[used] = design.codes[places[used]]
    return Relabelling(codes, places)


def _within(units: Integers, blocks: Integers, rng: np.random.Generator) -> Integers:
    """Return for each trial the trial that it takes over from: units change within their block."""
    source = np.empty(len(units), np.intp)
    members = {unit: np.flatnonzero(units == unit) for unit in np.unique(units)}
    for block in np.unique(blocks):
        inside = np.unique(units[blocks == block])
        for unit, other in zip(inside, rng.permutation(inside), strict=True):
            to, of = members[unit], members[other]
            source[to] = of[np.arange(len(to)) % len(of)]  # units may differ in size
    return source


def _joint(
    units: Integers, blocks: Integers, codes: Integers, rng: np.random.Generator
) -> tuple[Integers, Integers]:
    """Exchange whole stimuli, in one order for all subjects.

    A subject who lacks the stimulus that lends its labels gets one that another subject gave it, so
    that the map from stimulus to class stays; places in folds that are left over go to those
    trials.
    """
    stimuli = np.unique(units)
    lender = dict(zip(stimuli.tolist(), rng.permutation(stimuli).tolist(), strict=True))
    table = pd.DataFrame({"unit": units, "block": blocks}).reset_index()
    own = {key: rows.to_numpy() for key, rows in table.groupby(["block", "unit"])["index"]}
    anyone = {unit: rows.to_numpy() for unit, rows in table.groupby("unit")["index"]}
    source = np.full(len(units), -1, np.intp)
    lent = np.full(len(units), -1, np.intp)
    for (block, unit), rows in own.items():
        other = lender[unit]
        of = own.get((block, other))
        if of is not None:
            chosen = of[np.arange(len(rows)) % len(of)]
            source[rows], lent[rows] = chosen, codes[chosen]
        else:
            lent[rows] = codes[rng.choice(anyone[other], size=len(rows))]
    for block in np.unique(blocks):
        inside = np.flatnonzero(blocks == block)
        homeless = inside[source[inside] < 0]
        taken = source[inside][source[inside] >= 0]
        free = np.setdiff1d(inside, taken)
        if len(free) < len(homeless):  # repeats of a stimulus were lent several times
            free = np.concatenate([free, rng.choice(inside, len(homeless) - len(free))])
        source[homeless] = rng.permutation(free)[: len(homeless)]
    return source, lent
