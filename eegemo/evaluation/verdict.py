"""What a score is evidence of: the one place that decides it.

A claim is no wider than its design. It is made for new trials, people, clips and recordings one by
one, only where these were held out and where the test exchanged the labels of what was randomised.
Headline, cards, lists and comparisons show views of the `Verdict` made here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from scipy.stats import t as student

from eegemo.evaluation.statistics.design import LEVEL
from eegemo.evaluation.statistics.permutation import STRETCH
from eegemo.evaluation.statistics.refitted import POWER, RefittedNull

__all__ = ["Verdict", "judge", "people_p_value"]

Evidence = Literal["yes", "limited", "none", "not tested"]

#: With fewer people, nothing is claimed about people.
_FEWEST_PEOPLE = 6
#: Unit -> what comes back in training if its group is shared, for the confound.
_BACK = {
    "stimulus": "the clips of the test trials are in training",
    "stretch": "the stretches of time of the test trials are in training",
    "run": "the recordings of the test trials are in training",
    "session": "the sessions of the test trials are in training",
    "subject": "the people of the test trials are in training",
}
#: Everything that a claim may be about, in the order of words.
THINGS = ("new trials", "new recordings", "new sessions", "new clips", "new people")


@dataclass(frozen=True)
class Verdict:
    """What a score is evidence of.

    Attributes
    ----------
    evidence : {"yes", "limited", "none", "not tested"}
        "yes" only without an open confound.
    reason : str
        Why it is not "yes"; empty if it is.
    holds_for, not_for : tuple of str
        Of "new trials", "new recordings", "new sessions", "new clips" and "new people".
    confounds : tuple of str
        What else could explain the score.
    p : float or None
    p_kind : {"refitted", "approximate"} or None
        From models trained again on exchanged labels, or from stored predictions.
    n_refits : int
    unit : str
        Whose labels were exchanged.
    n_units : int
    smallest_p : float
        The smallest p-value that the design allows.
    chance : float
        What the score would be if labels meant nothing.
    effect : float
        The score minus that.
    detectable : float or None
        The score that four of five such experiments would have found.
    """

    evidence: Evidence
    reason: str
    holds_for: tuple[str, ...]
    not_for: tuple[str, ...]
    confounds: tuple[str, ...]
    p: float | None
    p_kind: Literal["refitted", "approximate"] | None
    n_refits: int
    unit: str
    n_units: int
    smallest_p: float
    chance: float
    effect: float
    detectable: float | None

    def as_dict(self) -> dict[str, Any]:
        """Return all of it, ready for JSON."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
        }


def people_p_value(scores: Sequence[float | None], chance: float) -> float | None:
    """Return the p-value of a score over people: whether people like these are above chance.

    Parameters
    ----------
    scores : sequence of float or None
        Balanced accuracy of each person.
    chance : float
        What to expect of a person without an effect.

    Returns
    -------
    p : float or None
        One-sided, by Student's t divided by the square root of 2: people are tested with models
        that learned from one another, which makes their scores go together (false alarms .018 to
        .052 in simulations; .09 to .18 without). None for fewer than six people.

    Examples
    --------
    >>> people_p_value([0.6, 0.62, 0.58, 0.61, 0.63, 0.6, 0.57], 0.5) < 0.01
    True
    >>> people_p_value([0.6, 0.4, 0.55], 0.5) is None
    True
    """
    values = np.array([score for score in scores if score is not None])
    if len(values) < _FEWEST_PEOPLE:
        return None
    sd = float(values.std(ddof=1))
    if sd == 0:
        return 0.0 if values[0] > chance else 1.0
    t = (float(values.mean()) - chance) / (sd / np.sqrt(len(values))) / STRETCH
    return float(student.sf(t, len(values) - 1))


def judge(
    design: Mapping[str, Any],
    *,
    observed: float,
    stored: Mapping[str, Any],
    refitted: RefittedNull | None,
    shared: Mapping[str, bool],
    leaks: bool,
    people_p: float | None = None,
) -> Verdict:
    """Judge a score.

    Parameters
    ----------
    design : mapping
        `eegemo.evaluation.statistics.design.Design.as_dict`.
    observed : float
        Balanced accuracy of windows.
    stored : mapping
        `eegemo.evaluation.statistics.PermutationTest.as_dict`, of labels exchanged against stored
        predictions.
    refitted : RefittedNull or None
    shared : mapping of str to bool
        For "stimulus", "run", "session" and "subject": whether some of those in the test set of a
        fold are also in its training or validation set.
    leaks : bool
        Whether windows of a test trial are in training.
    people_p : float or None
        Of `people_p_value`.

    Returns
    -------
    verdict : Verdict
    """
    unit = str(design["unit"])
    known = {"clips": design["n_stimuli"] > 0, "people": design["n_subjects"] > 1}
    held = {
        "new trials": True,
        "new recordings": design["n_runs"] > 1 and not shared.get("run", True),
        "new sessions": design["n_sessions"] > 1 and not shared.get("session", True),
        "new clips": known["clips"] and not shared.get("stimulus", True),
        "new people": known["people"] and not shared.get("subject", True),
    }
    comes_back = unit in _BACK and shared.get(unit, unit == "stretch")
    null: Mapping[str, Any] = {
        "mean": stored["null_mean"],
        "sd": stored["null_sd"],
        "p": stored["p_value"],
        "n": 0,
    }
    kind: Literal["refitted", "approximate"] | None = "approximate"
    if refitted is not None and refitted.scores:
        kind, null = "refitted", refitted.as_dict()
    chance = float(null["mean"])
    common: dict[str, Any] = {
        "n_refits": int(null["n"]),
        "unit": unit,
        "n_units": int(design["n_units"]),
        "smallest_p": float(design["smallest_p"]),
    }
    nothing: dict[str, Any] = {"holds_for": (), "not_for": THINGS, "p": None, "p_kind": None}
    if leaks:
        return Verdict(
            evidence="none",
            reason="windows of the test trials are in training",
            confounds=("windows of the test trials are in training",),
            chance=chance,
            effect=observed - chance,
            detectable=None,
            **nothing,
            **common,
        )
    detectable = min(chance + POWER * float(null["sd"]), 1.0) if kind else None
    if not design["testable"]:
        return Verdict(
            evidence="not tested",
            reason=_too_few(design),
            confounds=(),
            chance=chance,
            effect=observed - chance,
            detectable=None,
            **nothing,
            **common,
        )
    confounds = (_BACK[unit],) if comes_back else ()
    if kind == "approximate" and comes_back:
        return Verdict(
            evidence="not tested",
            reason=f"{_BACK[unit]}, and only training again on exchanged labels could tell",
            confounds=confounds,
            chance=chance,
            effect=observed - chance,
            detectable=None,
            **nothing,
            **common,
        )
    p = max(float(null["p"]), common["smallest_p"])
    found = {**common, "p": p, "p_kind": kind, "chance": chance, "effect": observed - chance}
    if p > LEVEL:
        return Verdict(
            evidence="none",
            reason="exchanged labels score as high too often",
            holds_for=(),
            not_for=THINGS,
            confounds=confounds,
            detectable=detectable,
            **found,
        )
    holds = _holds_for(unit, held, people_p)
    reason = confounds[0] if confounds else ""
    return Verdict(
        evidence="limited" if confounds else "yes",
        reason=reason,
        holds_for=holds,
        not_for=tuple(thing for thing in THINGS if thing not in holds),
        confounds=confounds,
        detectable=detectable,
        **found,
    )


def _holds_for(unit: str, held: Mapping[str, bool], people_p: float | None) -> tuple[str, ...]:
    """Return what was held out and tested at a unit that allows the claim."""
    tested = {
        "trial": {"new trials"},
        "stimulus": {"new trials", "new clips"},
        "stretch": {"new trials"},
        "run": {"new trials", "new recordings"},
        "session": {"new trials", "new recordings", "new sessions"},
        "subject": {"new trials", "new recordings", "new sessions", "new people"},
    }[unit]
    if people_p is not None and people_p <= LEVEL:
        tested.add("new people")
    return tuple(thing for thing in THINGS if held[thing] and thing in tested)


def _too_few(design: Mapping[str, Any]) -> str:
    nouns = {
        "trial": "trials",
        "stimulus": "clips",
        "stretch": "stretches of time",
        "run": "recordings of constant class",
        "session": "sessions of constant class",
        "subject": "people of constant class",
    }
    return (
        f"with {design['n_units']} {nouns[design['unit']]} the smallest possible p-value is "
        f"{design['smallest_p']:.2g}"
    )
