"""The design of an experiment: what its labels could have been, before any score is looked at.

A test of a score asks how often labels that mean nothing would score as high. Which labels could
just as well have been depends on what was randomised: trials one by one, clips, recordings, blocks.
`read_design` finds that unit from the table of trials. It is the largest thing of which all trials
had to have the same class, or that comes with a signal of its own to several trials:

=========  =========================================================  ==========================
unit       where                                                      labels are exchanged
=========  =========================================================  ==========================
trial      the class changes from trial to trial, in random order     within subject and session
stimulus   people share clips, or a person sees a clip again          one order of clips for all
stretch    the classes come in stretches of time                      within session
run        the class never changes within a recording                 within subject
session    the class never changes within a session                   within subject
subject    the class never changes within a person                    between people
=========  =========================================================  ==========================
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import chi2

from eegemo.errors import ResultError

__all__ = [
    "CONSTANT",
    "LEVEL",
    "Design",
    "Unit",
    "order_test",
    "read_design",
    "smallest_p",
    "unit_table",
]

Unit = Literal["trial", "stimulus", "stretch", "run", "session", "subject"]
Integers = NDArray[np.intp]

#: Units all of whose trials have one class.
CONSTANT: tuple[Unit, ...] = ("stretch", "run", "session", "subject")
#: A p-value at or below this counts.
LEVEL = 0.05
# Random orders that the number of stretches of a session is compared with.
_ORDERS = 1999
# If this fraction of somebody's recordings have one class each, recordings are the unit.
_MOST = 0.5
_COLUMNS: dict[str, list[str]] = {
    "run": ["subject", "session", "run"],
    "session": ["subject", "session"],
    "subject": ["subject"],
}


@dataclass(frozen=True)
class Design:
    """What may be exchanged if labels mean nothing.

    Attributes
    ----------
    unit : {"trial", "stimulus", "stretch", "run", "session", "subject"}
    reason : str
        Why, in a sentence.
    units : ndarray of int, shape (n_trials,)
        The unit of each trial, numbered from 0; negative for trials without a class.
    blocks : ndarray of int, shape (n_trials,)
        Units are exchanged within their block; for stimuli, one order holds for all blocks.
    codes : ndarray of int, shape (n_trials,)
        Class of each trial; negative where it has none.
    owners : ndarray of int, shape (n_trials,)
        The subject of each trial.
    order_p : float or None
        p-value of the order of classes in time; None where the order is not known.
    own_models : bool
        Whether each subject has models of their own.
    n_subjects, n_sessions, n_runs, n_stimuli : int
        Stimuli are 0 where they are not known.
    """

    unit: Unit
    reason: str
    units: Integers
    blocks: Integers
    codes: Integers
    owners: Integers
    order_p: float | None
    own_models: bool
    n_subjects: int
    n_sessions: int
    n_runs: int
    n_stimuli: int

    @property
    def joint(self) -> bool:
        """Whether one order of units holds for all subjects."""
        return self.unit == "stimulus"

    @property
    def n_units(self) -> int:
        """Number of units that have a class."""
        return len(np.unique(self.units[self.codes >= 0]))

    @cached_property
    def smallest_p(self) -> float:
        """The smallest p-value that any score can have; see `smallest_p`."""
        return smallest_p(self)

    @property
    def testable(self) -> bool:
        """Whether a score can be significant at all."""
        return self.smallest_p <= LEVEL

    def as_dict(self) -> dict[str, Any]:
        """Return everything but the arrays, ready for JSON."""
        kept = {
            name: value
            for name, value in asdict(self).items()
            if name not in ("units", "blocks", "codes", "owners")
        }
        return kept | {
            "n_units": self.n_units,
            "n_trials": int((self.codes >= 0).sum()),
            "smallest_p": self.smallest_p,
            "testable": self.testable,
        }


def read_design(
    trials: pd.DataFrame, *, within_subject: bool, order: Sequence[float] | None = None
) -> Design:
    """Find the unit whose labels may be exchanged under the null hypothesis.

    Parameters
    ----------
    trials : DataFrame
        One row per trial: ``subject``, ``session``, ``trial``, ``stimulus`` ("" where it is not
        known) and ``code``, the class, negative where a trial has none; ``run`` and ``bundle``
        where they are known.
    within_subject : bool
        Whether each subject has models of their own.
    order : sequence of float, optional
        Place of each trial in time within its session; not known if not given.

    Returns
    -------
    design : Design

    Raises
    ------
    ResultError
        If no trial has a class, or a column is missing.

    Notes
    -----
    What was randomised decides (Good 2005, "Permutation, parametric and bootstrap tests of
    hypotheses"); the rules were simulated for false alarms (docs/statistics.md).

    Examples
    --------
    >>> table = pd.DataFrame({"subject": "s1", "session": "1", "run": list("11223344")})
    >>> table = table.assign(trial=np.arange(8), stimulus="", code=[0, 0, 1, 1, 0, 0, 1, 1])
    >>> design = read_design(table, within_subject=True)
    >>> design.unit, design.n_units, round(design.smallest_p, 2)
    ('run', 4, 0.33)
    """
    lacking = [
        name for name in ("subject", "session", "trial", "stimulus", "code") if name not in trials
    ]
    if lacking:
        raise ResultError(f"A design needs the columns {', '.join(lacking)} of its trials.")
    table = trials.reset_index(drop=True)
    table = table.assign(
        subject=table["subject"].astype(str),
        session=table["session"].astype(str),
        run=table["run"].astype(str) if "run" in table else "1",
        stimulus=table["stimulus"].astype(str),
        bundle=table["bundle"].fillna("").astype(str) if "bundle" in table else "",
    )
    codes = table["code"].to_numpy(np.intp)
    used = np.flatnonzero(codes >= 0)
    if not used.size:
        raise ResultError("No trial has a class: there is no design.")
    part = table.iloc[used].reset_index(drop=True)
    order_p = None
    if order is not None:
        order_p = order_test(part, np.asarray(order, dtype=float)[used])
    unit, reason = _choose_unit(part, order_p)
    units, blocks = _number_units(part, unit, order, used)
    every_unit = np.full(len(table), -1, np.intp)
    every_block = np.full(len(table), -1, np.intp)
    every_unit[used], every_block[used] = units, blocks
    known = part["stimulus"] != ""
    return Design(
        unit=unit,
        reason=reason,
        units=every_unit,
        blocks=every_block,
        codes=codes,
        owners=pd.factorize(table["subject"], sort=True)[0].astype(np.intp),
        order_p=order_p,
        own_models=within_subject,
        n_subjects=int(part["subject"].nunique()),
        n_sessions=int(part.groupby(_COLUMNS["session"]).ngroups),
        n_runs=int(part.groupby(_COLUMNS["run"]).ngroups),
        n_stimuli=int(part["stimulus"].nunique()) if known.all() else 0,
    )


def _choose_unit(part: pd.DataFrame, order_p: float | None) -> tuple[Unit, str]:
    constant: tuple[Unit, str] | None = None
    names: dict[Unit, str] = {"run": "recording", "session": "session", "subject": "person"}
    for unit, noun in names.items():
        groups = part.groupby(_COLUMNS[unit])["code"]
        several = groups.size() > 1
        single = groups.min() == groups.max()
        if len(several) < 2 or not several.any():
            continue
        # one exception does not make the rest exchangeable by trial
        found = single & several
        share = found.mean() if unit == "subject" else found.groupby(level="subject").mean().max()
        if share > _MOST and part["code"].min() < part["code"].max():
            constant = unit, f"The class never changes within a {noun}."
    if constant is not None:
        return constant
    if order_p is not None and order_p < LEVEL:
        return "stretch", (
            "The classes come in stretches of time, in fewer than random orders have "
            f"(p = {order_p:.2g})."
        )
    known = part["stimulus"] != ""
    if known.all():
        people = part.groupby("stimulus")["subject"].nunique()
        if (people > 1).any():
            return "stimulus", "People share stimuli, and each stimulus may be recognised."
        if part.duplicated(["subject", "stimulus"]).any():
            return "stimulus", "Stimuli are shown again, and each may be recognised."
    return "trial", "The class changes from trial to trial."


def _number_units(
    part: pd.DataFrame, unit: Unit, order: Sequence[float] | None, used: Integers
) -> tuple[Integers, Integers]:
    """Return the unit and the block of each trial."""
    subject = pd.factorize(part["subject"], sort=True)[0].astype(np.intp)
    session = part.groupby(_COLUMNS["session"]).ngroup().to_numpy()
    if unit == "stimulus":
        return pd.factorize(part["stimulus"], sort=True)[0].astype(np.intp), subject.astype(np.intp)
    if unit in ("run", "session"):
        number = part.groupby(_COLUMNS[unit]).ngroup().to_numpy()
        return number.astype(np.intp), subject.astype(np.intp)
    if unit == "subject":
        return subject.astype(np.intp), np.zeros(len(part), np.intp)
    if unit == "stretch":
        time = np.asarray(order, dtype=float)[used]
        return _stretches(part, time), session.astype(np.intp)
    alone = "trial " + part.index.astype(str)
    names = part["bundle"].where(part["bundle"] != "", alone)
    return pd.factorize(names)[0].astype(np.intp), session.astype(np.intp)


def _stretches(part: pd.DataFrame, time: NDArray[np.float64]) -> Integers:
    """Give each stretch of equal class within a session its number."""
    session = part.groupby(_COLUMNS["session"]).ngroup().to_numpy()
    code = part["code"].to_numpy()
    rows = np.lexsort((time, session))
    changes = (np.diff(session[rows]) != 0) | (np.diff(code[rows]) != 0)
    numbers = np.empty(len(part), np.intp)
    numbers[rows] = np.concatenate([[0], np.cumsum(changes)])
    return numbers


def unit_table(design: Design, trials: pd.DataFrame) -> pd.DataFrame:
    """Return the unit and the block of each trial that has a class, as results keep them.

    Parameters
    ----------
    design : Design
    trials : DataFrame
        Of the same trials: ``subject``, ``session`` and ``trial``.

    Returns
    -------
    table : DataFrame
        ``subject``, ``session``, ``trial`` (text), ``unit`` and ``block``.
    """
    keys = trials[["subject", "session", "trial"]].astype(str)
    table = keys.assign(unit=design.units, block=design.blocks)
    return table[design.codes >= 0].reset_index(drop=True)


def order_test(part: pd.DataFrame, time: NDArray[np.float64], *, seed: int = 0) -> float:
    """Test whether classes come in fewer stretches of time than in random orders.

    Parameters
    ----------
    part : DataFrame
        One row per trial: ``subject``, ``session`` and ``code``.
    time : ndarray, shape (n_trials,)
        Place of each trial within its session.
    seed : int
        Seed of the random orders.

    Returns
    -------
    p : float
        The number of stretches of each session is compared with random orders of its classes
        (Wald & Wolfowitz 1940, Ann. Math. Stat. 11:147-162, for any number of classes), and
        sessions are combined by Fisher's method. 1 where no session has two classes.

    Examples
    --------
    >>> table = pd.DataFrame({"subject": "s", "session": "1", "code": np.repeat([0, 1], 10)})
    >>> order_test(table, np.arange(20.0)) < 0.01
    True
    >>> order_test(table.assign(code=[0, 1, 1, 0, 1, 0, 0, 1, 1, 0] * 2), np.arange(20.0)) > 0.2
    True
    """
    rng = np.random.default_rng(seed)
    statistic, n_sessions = 0.0, 0
    table = part.assign(time=time)
    for _, session in table.groupby(_COLUMNS["session"], sort=True):
        code = session.sort_values("time", kind="stable")["code"].to_numpy()
        if len(np.unique(code)) < 2:
            continue
        observed = 1 + int((np.diff(code) != 0).sum())
        orders = rng.permuted(np.tile(code, (_ORDERS, 1)), axis=1)
        stretches = 1 + (np.diff(orders, axis=1) != 0).sum(axis=1)
        p = (1 + int((stretches <= observed).sum())) / (1 + _ORDERS)
        statistic, n_sessions = statistic - 2 * math.log(p), n_sessions + 1
    return float(chi2.sf(statistic, 2 * n_sessions)) if n_sessions else 1.0


def smallest_p(design: Design) -> float:
    """Return the smallest p-value that a refitted score can have in a design.

    Parameters
    ----------
    design : Design

    Returns
    -------
    p : float
        Of ``N`` distinct ways to place the labels, those that only swap the names of classes with
        equal counts score the same, since the model is trained on them: ``p = swaps / N``.

    Notes
    -----
    With eight recordings of one person, four of each of two classes, 2 of 70 placements score the
    same at best, so p is at least 0.029; with six, 2 of 20, so p is at least 0.1.

    Examples
    --------
    >>> table = pd.DataFrame({"subject": "s1", "session": "1", "stimulus": ""}, index=range(16))
    >>> table = table.assign(run=np.repeat(np.arange(8), 2), trial=range(16))
    >>> design = read_design(table.assign(code=table["run"] % 2), within_subject=True)
    >>> round(design.smallest_p * 70, 6)
    2.0
    """
    used = design.codes >= 0
    units, blocks, codes = design.units[used], design.blocks[used], design.codes[used]
    owners = design.owners[used] if design.own_models and not design.joint else 0 * units
    n_classes = int(codes.max()) + 1
    if design.joint:
        return min(1.0, math.exp(-_log_columns(units, blocks, codes, n_classes)))
    log_p = 0.0
    for owner in np.unique(owners):
        of_model = owners == owner
        rows = [
            _unit_counts(units[inside], codes[inside], n_classes)
            for inside in (np.flatnonzero(of_model & (blocks == b)) for b in np.unique(blocks))
            if inside.size
        ]
        counts = np.array(rows)
        log_p += _log_swaps(counts) - sum(_log_multinomial(row) for row in counts)
    return min(1.0, math.exp(log_p))


def _unit_counts(units: Integers, codes: Integers, n_classes: int) -> Integers:
    """Count the units of each class; a unit of several classes is of its first trial's."""
    first = np.unique(units, return_index=True)[1]
    return np.bincount(codes[first], minlength=n_classes).astype(np.intp)


def _log_multinomial(counts: Integers) -> float:
    return math.lgamma(counts.sum() + 1) - sum(math.lgamma(n + 1) for n in counts)


def _log_swaps(counts: NDArray[np.intp]) -> float:
    """Return the log of how many renamings of classes keep the counts of every block."""
    alike = np.unique(counts[:, counts.any(axis=0)], axis=1, return_counts=True)[1]
    return sum(math.lgamma(n + 1) for n in alike)


def _log_columns(units: Integers, blocks: Integers, codes: Integers, n_classes: int) -> float:
    """Return the log of how many different labellings one order of stimuli for all can give.

    A stimulus is a column: the classes that each subject gave it. Columns that are alike can be
    exchanged without effect.
    """
    table = pd.DataFrame({"unit": units, "block": blocks, "code": codes})
    columns = table.pivot_table(
        index="unit", columns="block", values="code", aggfunc="first", fill_value=-1
    ).to_numpy()
    alike = np.unique(columns, axis=0, return_counts=True)[1]
    log_n = math.lgamma(len(columns) + 1) - sum(math.lgamma(n + 1) for n in alike)
    present = np.where(columns < 0, np.nan, columns)
    fixed = all(len(np.unique(row[~np.isnan(row)])) == 1 for row in present)
    if not fixed:  # of own ratings hardly a renaming is also an order of the stimuli
        return log_n
    classes = np.nanmax(present, axis=1).astype(np.intp)
    return log_n - _log_swaps(np.bincount(classes, minlength=n_classes)[np.newaxis])
