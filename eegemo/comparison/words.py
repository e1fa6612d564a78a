"""The sentences of a comparison; the verdicts are those of `eegemo.comparison.rule`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from eegemo.comparison.comparable import n_repeats, other_settings
from eegemo.comparison.paired import ROPE, Pair, Unit, compare_pairs, ranked
from eegemo.comparison.rule import Verdict, above_chance, judge
from eegemo.evaluation.baseline import LEVEL
from eegemo.evaluation.statistics import SeveralTest
from eegemo.pages.words import count_of, join_names, number_word
from eegemo.report.verdicts import p_text as verdict_p
from eegemo.results import Result

_FEW_SUBJECTS = 10
_MOST_LISTED = 4  # results; with more, pairs are counted instead
_ABOUT = "in balanced accuracy of windows"

TEST_NAMES = {
    "folds": "corrected resampled t-test",
    "subjects": "Wilcoxon signed-rank test",
    "trials": "McNemar's test",
}
_SCOPE = {
    "folds": "over folds, which share training data",
    "subjects": "over subjects, who share trained models",
    "trials": "over trials, which takes the trained models as given",
}


def first_sentence(results: Mapping[str, Result], pairs: Sequence[Pair] | None = None) -> str:
    """State the conclusion that the tests allow, by the rule of `eegemo.comparison.rule`.

    Parameters
    ----------
    results : mapping of str to Result
        Comparable results by name.
    pairs : sequence of Pair, optional
        Their tests, if already made (`eegemo.comparison.compare_pairs`).

    Returns
    -------
    str
        One or two sentences of plain text about the balanced accuracy of windows, independent of
        the order of the results.
    """
    start = "On simulated data, " if any(r.simulated for r in results.values()) else ""
    order = ranked(results)
    if any(result.leaks for result in results.values()):
        return (
            f"{start}{order[0]} scored {_score(results[order[0]]):.3f}, "
            f"{_numbers(results, order[1:])} {_ABOUT}. The split leaks, so none of these numbers "
            "is evidence."
        )
    above = above_chance(results)
    if not above:
        return _capital(f"{start}{_at_chance(results, order)}.")
    pairs = compare_pairs(results) if pairs is None else pairs
    text = _two(pairs[0]) if len(results) == 2 else _several(results, order, pairs)
    if len(above) < len(results):
        others = join_names(
            f"{name} {_chance_p(results[name])}" for name in order if name not in above
        )
        text += (
            f" Only {join_names(name for name in order if name in above)} "
            f"{'is' if len(above) == 1 else 'are'} distinguishable from chance ({others})."
        )
    return _capital(f"{start}{text}{_untested(results, order)}")


def _score(result: Result) -> float:
    return float(result.assessment.levels["window"]["total"]["balanced_accuracy"])


def _chance_p(result: Result) -> str:
    return verdict_p(result.assessment.metrics["verdict"])


def _untested(results: Mapping[str, Result], order: Sequence[str]) -> str:
    """Say which scores were not tested against exchanged labels; empty if all were."""
    names = [
        name
        for name in order
        if results[name].assessment.metrics["verdict"]["evidence"] == "not tested"
    ]
    if not names:
        return ""
    verb = "was" if len(names) == 1 else "were"
    return f" {join_names(names)} {verb} not tested against chance."


def _numbers(results: Mapping[str, Result], order: Sequence[str]) -> str:
    return join_names(f"{name} {_score(results[name]):.3f}" for name in order)


_STARTS = {"no", "neither", "none", "nothing", "of", "the"}


def _capital(text: str) -> str:
    """Capitalise a sentence, unless it begins with a name."""
    return text[0].upper() + text[1:] if text.split(" ", 1)[0] in _STARTS else text


def _at_chance(results: Mapping[str, Result], order: Sequence[str]) -> str:
    who = "neither is" if len(results) == 2 else f"none of {number_word(len(results))} is"
    level = results[order[0]].assessment.levels["window"]
    chance = level["baselines"]["chance"]["balanced_accuracy"]
    scores = [f"{name} {_score(results[name]):.3f} ({_chance_p(results[name])})" for name in order]
    return (
        f"{who} distinguishable from chance ({chance:.2f}), so they are not ranked: balanced "
        f"accuracy of windows {join_names(scores)}"
    )


def p_text(p: float | None) -> str:
    """Format a p-value of a test between results with its relevant digits.

    Parameters
    ----------
    p : float or None
        None where a test is not defined.

    Examples
    --------
    >>> [p_text(p) for p in (0.342, 0.0123, 0.00432, 0.00001, None)]
    ['p = 0.34', 'p = 0.012', 'p = 0.0043', 'p < 0.0001', 'no p-value']
    """
    if p is None:
        return "no p-value"
    if p < 0.0001:
        return "p < 0.0001"
    return f"p = {p:.{2 if p >= 0.1 else 3 if p >= 0.01 else 4}f}"


def probability_text(p: float | None) -> str:
    """Format a probability with two digits, never as 0 or 1.

    Parameters
    ----------
    p : float or None
        None where it is not defined.

    Examples
    --------
    >>> [probability_text(p) for p in (0.704, 0.9999, 0.001)]
    ['0.70', 'above 0.99', 'below 0.01']
    """
    if p is None:
        return "unknown"
    return "above 0.99" if p > 0.995 else "below 0.01" if p < 0.005 else f"{p:.2f}"


def _signed(value: float) -> str:
    """Format a difference with its sign, a true minus, and no "-0"."""
    return f"{round(value, 2) + 0.0:+.2f}".replace("-", "−")


def _units(pair: Pair) -> str:
    return count_of(pair.units[pair.unit]["n"], pair.unit)


def _within(pair: Pair) -> str:
    """State the probability of practical equivalence."""
    probability = probability_text(pair.practical.p_equivalent)
    return (
        f"they differ by {pair.gap:.3f}, and the true difference lies within ±{ROPE:g}, the region "
        f"of practical equivalence, with probability {probability}"
    )


def _larger(pair: Pair) -> str:
    """State the probability that the higher result is better by more than that."""
    return f"{pair.second} is better by more with probability {_p_better(pair)}"


def _p_better(pair: Pair) -> str:
    return probability_text(pair.practical.p_second_better)


def _two(pair: Pair) -> str:
    """State the verdict on two results."""
    lower, higher = pair.first, pair.second
    low, high = pair.scores["window"]
    both = f"{higher} ({high:.3f}) and {lower} ({low:.3f})"
    verdict = judge(pair)
    if verdict == "same":
        return f"{both} scored the same {_ABOUT} in {_units(pair)}."
    if verdict == "untested":
        return f"no conclusion is possible about {both} {_ABOUT}: the deciding test is not defined."
    if verdict in ("better", "too little"):
        text = f"{higher} is better than {lower} {_ABOUT}, {high:.3f} against {low:.3f}"
        if verdict == "too little":
            return f"{text}, but by too little to matter: {_within(pair)}."
        return (
            f"{text}: they differ by {pair.gap:.3f}, and the true difference exceeds {ROPE:g} with "
            f"probability {_p_better(pair)}."
        )
    if verdict == "equivalent":
        return f"{both} are practically equivalent {_ABOUT}: {_within(pair)}."
    agree = pair.p_value is not None and pair.p_value > LEVEL and not others_that_find(pair)
    start = "no test finds" if agree else "the tests disagree on"
    return f"{start} a difference between {both} {_ABOUT}: {_within(pair)}; {_larger(pair)}."


def others_that_find(pair: Pair) -> list[str]:
    """Name the tests with a small p-value that do not decide.

    Parameters
    ----------
    pair : Pair
        Two results.

    Returns
    -------
    list of str
        Keys of its ``tests``.
    """
    return [
        name
        for name, p in pair.adjusted.items()
        if name != f"{pair.unit}s" and p is not None and p <= LEVEL
    ]


def _several(results: Mapping[str, Result], order: Sequence[str], pairs: Sequence[Pair]) -> str:
    """State the verdicts on three or more results."""
    verdicts = {frozenset((pair.first, pair.second)): (judge(pair), pair) for pair in pairs}
    start = f"of {number_word(len(order))} ({_numbers(results, order)} {_ABOUT}), "
    if len(order) <= _MOST_LISTED:
        return f"{start}{'; '.join(_listed_verdicts(order, verdicts))}."
    n = sum(verdict in ("better", "too little") for verdict, _ in verdicts.values())
    text = f"{start}{n} of {count_of(len(pairs), 'pair')} {'differs' if n == 1 else 'differ'}"
    if verdicts[frozenset(order[:2])][0] not in ("better", "too little"):
        text += f"; {order[0]} and {order[1]}, the highest two, do not"
    return f"{text}."


def _listed_verdicts(
    order: Sequence[str], verdicts: Mapping[frozenset[str], tuple[Verdict, Pair]]
) -> list[str]:
    parts = []
    for name in order:
        for wanted, words in (
            ("better", f"{name} is better than"),
            ("too little", f"{name} is better, by too little to matter, than"),
        ):
            beaten = [
                pair.first
                for verdict, pair in verdicts.values()
                if verdict == wanted and pair.second == name
            ]
            if beaten:
                parts.append(f"{words} {join_names(sorted(beaten, key=order.index))}")
    left: dict[str, list[str]] = {}
    for verdict, pair in verdicts.values():
        both = f"{pair.second} and {pair.first}"
        if verdict == "equivalent":
            left.setdefault("practically equivalent are", []).append(both)
        elif verdict == "chance":
            left.setdefault("not ranked are", []).append(both)
        elif verdict not in ("better", "too little"):
            agree = not others_that_find(pair)
            words = "no test finds a difference between" if agree else "the tests disagree on"
            left.setdefault(words, []).append(both)
    return parts + [f"{words} {', '.join(names)}" for words, names in left.items()]


def grounds(pairs: Sequence[Pair], several: tuple[Unit, SeveralTest] | None = None) -> list[str]:
    """State the deciding test, and tests that disagree with it.

    Parameters
    ----------
    pairs : sequence of Pair
        Tests of every two results; empty if the split leaks, and so is the list.
    several : tuple, optional
        Friedman's test of them (`eegemo.comparison.compare_several`).

    Returns
    -------
    list of str
        Sentences.
    """
    if not pairs or all(judge(pair) == "chance" for pair in pairs):
        return []
    name = TEST_NAMES[f"{pairs[0].unit}s"]
    start = f"The {name} over {_units(pairs[0])} decides"
    if len(pairs) == 1:
        pair = pairs[0]
        found = [f"{start}: {p_text(pair.p_value)}{_format_interval(pair)}."]
    else:
        known = [pair.p_value for pair in pairs if pair.p_value is not None]
        low = f"; smallest {p_text(min(known))}" if known else ""
        found = [f"{start}, adjusted by Holm's method for {count_of(len(pairs), 'pair')}{low}."]
    for pair in pairs:
        which = "" if len(pairs) == 1 else f" for {pair.second} and {pair.first}"
        small = pair.p_value is not None and pair.p_value <= LEVEL
        if judge(pair) == "open" and small:
            found.append(
                f"The differences of single {pair.unit}s{which} have another sign than that of all "
                "predictions together."
            )
        elif judge(pair) not in ("better", "too little", "chance"):
            found += [
                f"{_first_up(TEST_NAMES[test])} {_SCOPE[test]}, has {p_text(pair.adjusted[test])}"
                f"{which}, but does not decide."
                for test in others_that_find(pair)
            ]
    if several is not None and several[1].p_value is not None:
        unit, test = several
        shared = "" if pairs[0].unit == "subject" else ", who share trained models"
        found.append(
            f"Friedman's test over {count_of(test.n, unit)}{shared}: {p_text(test.p_value)}."
        )
    return found


def _first_up(text: str) -> str:
    return text if text[0].isupper() else f"The {text}"


def _format_interval(pair: Pair) -> str:
    kind, interval = pair.interval
    if interval is None:
        return ""
    drawn = "subjects and their trials" if kind == "subjects" else "trials"
    low, high = map(_signed, interval)
    return f"; 95 % interval of the difference over {drawn}: {low} to {high}"


def limits(results: Mapping[str, Result], pairs: Sequence[Pair]) -> list[str]:
    """State the limits of the conclusion.

    Parameters
    ----------
    results : mapping of str to Result
        Comparable results by name.
    pairs : sequence of Pair
        Their tests; empty if the split leaks, and so is the list.

    Returns
    -------
    list of str
        Sentences.
    """
    if not pairs:
        return []
    first, *_ = results.values()
    n_subjects, repeats = first.assessment.metrics["n_subjects"], n_repeats(first)
    subjects = count_of(n_subjects, "subject")
    found = []
    others = other_settings(results)
    if others:
        found.append(f"They differ in more than the model: {'; '.join(others)}.")
    if any(judge(pair) == "open" for pair in pairs):
        found.append("A difference that no test finds may still exist.")
    if pairs[0].unit == "subject":
        found.append(f"The test refers to other participants like these {n_subjects}.")
    else:
        found.append(
            f"The test refers to other training sets of this size from the same {subjects}."
        )
    if n_subjects < _FEW_SUBJECTS:
        found.append(f"With {subjects}, the results say little about other participants.")
    if repeats == 1:
        found.append("With one repeat, part of a difference may be seed variance.")
    else:
        found.append(f"It covers {repeats} repeats, each with its own seeds.")
    found.append("Intervals take the trained models as given.")
    return found
