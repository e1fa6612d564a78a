"""One sentence or two for each part of a report, from its numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eegemo.evaluation.subjects import ALPHA
from eegemo.pages.words import listed, number_word, some
from eegemo.report.choices import describe_choice
from eegemo.report.words import BASELINE
from eegemo.results import Result

__all__ = [
    "baseline_sentence",
    "calibration_sentence",
    "choice_sentence",
    "coverage_sentence",
    "make_sentences",
    "repeats_sentence",
    "subject_sentence",
    "temperature_sentence",
]

_FEW_SUBJECTS = 10
_MOST_NAMES = 12
_FEW_TRIALS = 10


def make_sentences(result: Result) -> dict[str, str]:
    """Return every sentence below by the part it is about; empty where a part has nothing."""
    return {
        "baseline": baseline_sentence(result),
        "repeats": repeats_sentence(result),
        "subjects": subject_sentence(result),
        "calibration": calibration_sentence(result),
        "temperature": temperature_sentence(result),
        "coverage": coverage_sentence(result),
        "choice": choice_sentence(result),
    }


def _range(interval: Sequence[float] | None) -> str:
    if interval is None:
        return ""
    return "95 % interval " + " to ".join(_signed(value) for value in interval)


def _signed(value: float, sign: str = "") -> str:
    value = round(value, 2) + 0.0  # + 0.0 turns -0.0 into 0.0
    return f"{value:{sign if value else ''}.2f}".replace("-", "−")


def baseline_sentence(result: Result) -> str:
    """Say how the model compares with logistic regression on band power."""
    beside = result.assessment.beside_baseline
    if beside is None:
        return ""
    simple, gap = beside["window"], beside["window"]["difference"]
    start = BASELINE[0].upper() + BASELINE[1:]
    score = simple["total"]["balanced_accuracy"]
    text = f"{start}, trained on the same folds, scores {score:.2f} on the same windows. "
    if result.leaks:
        return f"{text}Both saw the test trials in training, so neither score is evidence."
    over = f"{_range(gap['trials'])}, drawing trials; " if gap["trials"] else ""
    if gap["p_value"] is not None:
        over += f"p = {gap['p_value']:.2g} over folds, corrected resampled t-test; "
    verdict = {
        "better": f"{result.model} beats it",
        "worse": f"{result.model} is worse",
        "open": "the two cannot be told apart",
    }[gap["verdict"]]
    difference = _signed(gap["balanced_accuracy"], "+")
    text += f"Difference in balanced accuracy {difference} ({over}{verdict})."
    return text


def repeats_sentence(result: Result) -> str:
    """Say what repeats mean for counts, votes and intervals."""
    n = result.n_repeats
    if n == 1:
        return ""
    return (
        f"The cross-validation was done {number_word(n)} times, each with seeds of its own for "
        "the split and the model. Counts and confusion matrices are sums over repeats: each window "
        f"is predicted {n} times, and each trial votes once in each. Intervals and p-values "
        "draw or shuffle whole trials with all their repeats, so that repeats do not pass for "
        "further trials."
    )


def subject_sentence(result: Result) -> str:
    """Say who is decodable and who is not, with what that rests on."""
    if result.leaks:
        return "The split leaks: no subject's score is evidence that the subject is decodable."
    rows = result.assessment.metrics["decodable"]["window"]
    able = [row["subject"] for row in rows if row["decodable"]]
    others = [row["subject"] for row in rows if not row["decodable"]]
    n, votes = (
        len(rows),
        sum(row["decodable"] for row in result.assessment.metrics["decodable"]["trial"]),
    )
    correction = f" after Holm's correction over {n} subjects" if n > 1 else ""
    rule = (
        "above its own commonest class and above its own shuffled labels (balanced accuracy of "
        f"windows, p ≤ {ALPHA:g}{correction})"
    )
    least = int(result.trials.groupby("subject")["trial"].nunique().min())
    absent = f"with {least} trials each, that is no proof of absence" if n > 1 else ""
    if n == 1:
        shown = "is decodable" if able else "is not shown to be decodable"
        text = f"The only subject, {rows[0]['subject']}, {shown}: a score {rule} is what counts."
    elif not able:
        text = f"No subject is shown to be decodable, that is {rule}; {absent}."
    elif not others:
        text = f"All {n} subjects are decodable: each is {rule}."
    else:
        verb = "is" if len(able) == 1 else "are"
        who = f": {listed(able)}" if len(able) <= _MOST_NAMES else ""
        text = f"{len(able)} of {n} subjects {verb} decodable, each {rule}{who}. "
        rest = listed(others) if len(others) <= _MOST_NAMES else f"the other {len(others)}"
        text += f"It is not shown for {rest}; {absent}."
    text += f" By trial votes it is {votes} of {n}." if n > 1 else ""
    if 1 < n < _FEW_SUBJECTS:
        text += f" How common decodable people are cannot be told from {number_word(n)}."
    return text


def calibration_sentence(result: Result) -> str:
    """Say whether probabilities are too high or too low."""
    one = result.assessment.calibration["levels"]["window"]["as_predicted"]
    interval = one["intervals"]["overconfidence"]
    over, ece = one["overconfidence"], f"expected calibration error {one['ece']:.2f}"
    low, high = interval or (0.0, 0.0)
    sizes = sorted(abs(end) for end in (low, high))
    size = f"by {abs(over):.2f} on average ({_range(sizes)}; {ece})"
    if low > 0:
        verdict = f"the probabilities are too high, {size}"
    elif high < 0:
        verdict = f"the probabilities are too low, {size}"
    else:
        gap = f"{_signed(over, '+')}{', ' if interval else ''}{_range(interval)}"
        verdict = f"on average they are neither clearly too high nor too low ({gap}; {ece})"
    leaked = " On leaked windows, this says nothing about new trials." if result.leaks else ""
    return (
        f"Windows are classified with a mean confidence of {one['confidence']:.2f} and an accuracy "
        f"of {one['accuracy']:.2f}: {verdict}.{leaked}"
    )


def temperature_sentence(result: Result) -> str:
    """Say what one temperature per fold changes, or why there is none."""
    calibration = result.assessment.calibration
    heat = calibration["temperature"]
    if heat is None:
        why = calibration["without"]
        return f"{why}: no temperature is fitted, and probabilities stay as they are."
    before, after = (
        calibration["levels"]["window"][stage] for stage in ("as_predicted", "after_temperature")
    )
    folds = heat["folds"]
    if len(folds) > 1:
        spread = f"median {heat['median']:.2f}, {heat['min']:.2f} to {heat['max']:.2f}"
        start = f"One temperature per fold ({spread}), fitted on validation windows"
    else:
        start = f"A temperature of {heat['median']:.2f}, fitted on validation windows"
    least = min(fold["n_validation_trials"] for fold in folds)
    if least < _FEW_TRIALS:
        start += f" of as few as {some(least, 'trial')} and so uncertain itself"
    way = _way(before["ece"], after["ece"])
    change = calibration["change"]["nll"]
    text = (
        f"{start}, {way} the expected calibration error {_from_to(before['ece'], after['ece'])}; "
        f"the negative log likelihood changes by {_signed(change['mean'], '+')} "
        f"({_range(change['interval']) or 'no interval'}). No predicted class changes."
    )
    if heat["n_at_bound"]:
        text += (
            f" In {heat['n_at_bound']} of {some(len(folds), 'fold')} the temperature ends at its "
            "bound: validation windows that are all right, or no better than chance, have no best "
            "one."
        )
    return text


def _from_to(before: float, after: float) -> str:
    first, second = f"{before:.2f}", f"{after:.2f}"
    return f"at {first}" if first == second else f"from {first} to {second}"


def _way(before: float, after: float) -> str:
    if round(before, 2) == round(after, 2):
        return "leaves"
    return "lowers" if after < before else "raises"


def coverage_sentence(result: Result) -> str:
    """Say what is gained by answering only the surest half."""
    levels = result.assessment.calibration["levels"]
    parts = []
    for level, name in (("window", "windows"), ("trial", "trial votes")):
        curve = {row["coverage"]: row for row in levels[level]["as_predicted"]["coverage"]}
        half, whole = curve[0.5], curve[1.0]
        limits = f"{half['low']:.2f}–{half['high']:.2f}"
        parts.append(
            f"{half['accuracy']:.2f} of {name} are right (95 % interval {limits}) instead of "
            f"{whole['accuracy']:.2f}"
        )
    return f"Answering only the surest half, {listed(parts)}."


def choice_sentence(result: Result) -> str:
    """Say how settings were chosen, and that the test part had no say."""
    choice = describe_choice(result.records)
    if choice is None:
        return ""
    folds: list[Mapping[str, Any]] = choice["folds"]
    counts = sorted({fold["n_candidates"] for fold in folds})
    tried = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    best = {
        "loss": "least loss (each class counts the same)",
        "balanced_accuracy": "highest balanced accuracy",
    }[choice["metric"]]
    most = max(choice["candidates"], key=lambda one: one["won"])
    return (
        f"In {some(len(folds), 'fold')}, {tried} settings were tried and the one with the {best} "
        f"on that fold's validation windows was kept; most often {most['text']} ({most['won']} of "
        f"{len(folds)}). The choice saw validation windows only, never the test part, which the "
        "kept model predicted once."
    )
