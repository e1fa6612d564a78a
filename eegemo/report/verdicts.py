"""The words of a verdict: every claim of a headline, from `eegemo.evaluation.verdict`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eegemo.pages.words import count_of, join_names
from eegemo.results import Result

__all__ = [
    "card_texts",
    "chance_text",
    "design_rows",
    "detectable_sentence",
    "interval_text",
    "p_text",
    "refit_advice",
    "unit_text",
    "verdict_text",
]

#: From this many people on, the interval is over people.
FEWEST_PEOPLE = 5
_UNITS = {
    "trial": ("trial", "labels of trials are exchanged within each subject and session"),
    "stimulus": ("clip", "labels of clips are exchanged, in one order for all"),
    "stretch": ("stretch of time", "stretches of equal class are exchanged within each session"),
    "run": ("recording", "labels of recordings are exchanged within each subject"),
    "session": ("session", "labels of sessions are exchanged within each subject"),
    "subject": ("person", "labels are exchanged between people"),
}


def p_text(verdict: Mapping[str, Any]) -> str:
    """Format the p-value of a verdict, or say that there is none.

    Examples
    --------
    >>> p_text({"p": 0.005, "p_kind": "refitted", "n_refits": 199})
    'p = 0.005, 199 refits'
    >>> p_text({"p": 0.0312, "p_kind": "approximate", "n_refits": 0})
    'p ≈ 0.031, without refits'
    >>> p_text({"p": None, "p_kind": None, "n_refits": 0})
    'not tested'
    """
    p = verdict["p"]
    if p is None:
        return "not tested"
    digits = 2 if p >= 0.1 else 3
    value = f"{p:.{digits}f}" if p >= 0.001 else f"{p:.1g}"
    if verdict["p_kind"] == "refitted":
        return f"p = {value}, {count_of(verdict['n_refits'], 'refit')}"
    return f"p ≈ {value}, without refits"


def chance_text(verdict: Mapping[str, Any], uniform: float) -> str:
    """State what to compare a score with.

    Examples
    --------
    >>> chance_text({"p_kind": "refitted", "chance": 0.588}, 0.5)
    'chance 0.59 by refits, 0.50 by guessing'
    >>> chance_text({"p_kind": "approximate", "chance": 0.5}, 0.5)
    'chance 0.50'
    """
    if verdict["p_kind"] == "refitted" and f"{verdict['chance']:.2f}" != f"{uniform:.2f}":
        return f"chance {verdict['chance']:.2f} by refits, {uniform:.2f} by guessing"
    return f"chance {uniform:.2f}"


def interval_text(level: Mapping[str, Any]) -> str:
    """State the interval that a reader needs: over people from five on, else over trials."""
    n = len(level["subjects"])
    bootstrap = level["significance"]["bootstrap"]
    people, trials = bootstrap["subjects"], bootstrap["trials"]
    if n >= FEWEST_PEOPLE and people is not None:
        return f"95 % interval over people {people[0]:.2f} to {people[1]:.2f}"
    if trials is None or f"{trials[0]:.2f}" == f"{trials[1]:.2f}":
        return ""  # where every draw scores the same there is nothing to estimate it from
    whose = "this person" if n == 1 else f"these {n} people"
    return f"95 % interval {trials[0]:.2f} to {trials[1]:.2f} for other trials of {whose}"


def card_texts(level: Mapping[str, Any]) -> dict[str, str]:
    """Return p and interval of a level, short enough for a card, and what they are.

    Returns
    -------
    texts : dict of str to str
        ``p``, ``p_name``, ``interval`` and ``interval_name``.
    """
    verdict = level["verdict"]
    about = p_text(verdict)
    kinds = {"refitted": "p, refitted", "approximate": "p, approximate"}
    value = about.partition(",")[0].removeprefix("p ").removeprefix("= ")
    interval = interval_text(level).removeprefix("95 % interval ")
    over_people = interval.startswith("over people ")
    ends = interval.removeprefix("over people ").partition(" for ")[0].replace(" to ", "–")
    return {
        "p": value,
        "p_name": kinds.get(verdict["p_kind"], "p"),
        "interval": ends or "–",
        "interval_name": "95 %, people" if over_people else "95 %, trials",
    }


def verdict_text(verdict: Mapping[str, Any]) -> str:
    """Say what a score is evidence of, to end a sentence.

    Examples
    --------
    >>> about = {"evidence": "yes", "holds_for": ["new trials", "new people"],
    ...     "not_for": ["new clips"], "confounds": [], "reason": ""}
    >>> verdict_text(about)
    'evidence for new trials and new people, none for new clips'
    >>> verdict_text(about | {"evidence": "limited",
    ...     "confounds": ["the clips of the test trials are in training"]})
    'limited evidence for new trials and new people, none for new clips: the clips of the test
    trials are in training'
    >>> verdict_text(about | {"evidence": "not tested", "reason": "with 4 clips p is at least 0.3"})
    'not tested: with 4 clips p is at least 0.3'
    """
    evidence = verdict["evidence"]
    if evidence == "not tested":
        return f"not tested: {verdict['reason']}"
    if evidence == "none":
        return "no evidence"
    which = "evidence" if evidence == "yes" else "limited evidence"
    text = f"{which} for {join_names(verdict['holds_for'])}"
    others = [thing for thing in verdict["not_for"] if thing in ("new clips", "new people")]
    if others:
        text += f", none for {join_names(others, 'or')}"
    if verdict["confounds"]:
        text += f": {join_names(verdict['confounds'])}"
    return text


def detectable_sentence(verdict: Mapping[str, Any]) -> str:
    """Say what the design would have found; empty where that is not known.

    Examples
    --------
    >>> detectable_sentence({"detectable": 0.612, "p_kind": "refitted"})
    'A true balanced accuracy of 0.61 or more would have been found in four of five such
    experiments; smaller effects are not ruled out.'
    """
    if verdict["detectable"] is None:
        return ""
    about = "about " if verdict["p_kind"] == "approximate" else ""
    return (
        f"A true balanced accuracy of {about}{verdict['detectable']:.2f} or more would have been "
        "found in four of five such experiments; smaller effects are not ruled out."
    )


def refit_advice(result: Result) -> str:
    """Say what 19 refits would take, where they are missing; empty where they are not."""
    verdict = result.assessment.metrics["verdict"]
    wanted = verdict["p_kind"] != "refitted" and verdict["smallest_p"] <= 0.05
    if result.leaks or not wanted or result.provenance.get("shuffle_labels") is not None:
        return ""
    minutes = 19 * float(sum(record["seconds"]["fit"] for record in result.records)) / 60
    time = f"{minutes:.0f} minutes" if minutes < 90 else f"{minutes / 60:.1f} hours"
    time = time if minutes >= 2 else "a minute or two"
    return (
        f"19 refits would tell exactly, in at most about {time} of one process: run the experiment "
        "again with --set significance.refits=19; its folds are kept."
    )


def unit_text(design: Mapping[str, Any]) -> str:
    """Say what may exchange labels in a design, and what that allows at best.

    Examples
    --------
    >>> unit_text({"unit": "run", "n_units": 6, "smallest_p": 0.1, "testable": False})
    '6 × recording: labels of recordings are exchanged within each subject; smallest p 0.1: too few
    to show anything'
    """
    noun, how = _UNITS[design["unit"]]
    few = "" if design["testable"] else ": too few to show anything"
    return f"{design['n_units']} × {noun}: {how}; smallest p {design['smallest_p']:.1g}{few}"


def design_rows(result: Result) -> list[tuple[str, str]]:
    """Return the design in six rows, each a question and its answer."""
    metrics = result.assessment.metrics
    design, verdict, known = metrics["design"], metrics["verdict"], result.known
    noun, how = _UNITS[design["unit"]]
    nouns = {"stimulus": "clips", "run": "recordings", "session": "sessions", "subject": "people"}
    back = [nouns[kind] for kind in nouns if known.shared[kind]]
    if result.leaks:
        back.insert(0, "trials")
    if not design["n_stimuli"] and "clips" in back:
        back.remove("clips")
    order = design.get("order_p")
    in_time = "not known" if order is None else f"p = {order:.2g} for stretches of equal class"
    clips = f", {count_of(design['n_stimuli'], 'clip')}" if design["n_stimuli"] else ""
    smallest = f"{verdict['smallest_p']:.2g}"
    people = f"{design['n_subjects']} people" if design["n_subjects"] != 1 else "1 person"
    held = count_of(design["n_runs"], "recording")
    return [
        ("What there is", f"{people}, {held}{clips}, {design['n_trials']} trials"),
        ("What may exchange labels", f"{verdict['n_units']} × {noun}: {how}"),
        ("Why", design["reason"]),
        ("What comes back in training", join_names(back) if back else "nothing"),
        ("Order of the classes in time", in_time),
        ("Smallest p-value", f"{smallest}{'' if design['testable'] else ': too large to test'}"),
    ]
