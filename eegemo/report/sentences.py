"""The sentences of a report, generated from its numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eegemo.evaluation.subjects import ALPHA
from eegemo.pages.words import count_of, join_names, number_word
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
    """Return the sentence of each section of a report; empty where it does not apply."""
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
    """Compare the model with logistic regression on band power."""
    comparison = result.assessment.baseline_comparison
    if comparison is None:
        return ""
    simple, gap = comparison["window"], comparison["window"]["difference"]
    start = BASELINE[0].upper() + BASELINE[1:]
    score = simple["total"]["balanced_accuracy"]
    text = f"{start}, trained on the same folds, scores {score:.2f} on the same windows. "
    if result.leaks:
        return (
            f"{text}Both were trained on windows of the test trials, so neither score is evidence."
        )
    over = f"{_range(gap['trials'])} over trials; " if gap["trials"] else ""
    if gap["p_value"] is not None:
        over += f"p = {gap['p_value']:.2g} over folds, corrected resampled t-test; "
    verdict = {
        "better": f"{result.model} beats it",
        "worse": f"{result.model} is worse",
        "open": "no clear difference",
    }[gap["verdict"]]
    difference = _signed(gap["balanced_accuracy"], "+")
    text += f"Difference in balanced accuracy {difference} ({over}{verdict})."
    return text


def repeats_sentence(result: Result) -> str:
    """Explain what repeats mean for counts, trial-level predictions and intervals."""
    n = result.n_repeats
    if n == 1:
        return ""
    return (
        f"The cross-validation was run {number_word(n)} times, each with its own seeds for the "
        "split and the model. Counts and confusion matrices are sums over repeats: each window and "
        f"each trial is predicted {n} times. Intervals and p-values resample or permute trials "
        "together with all their repeats, so repeats do not count as further trials."
    )


def subject_sentence(result: Result) -> str:
    """State which subjects are decodable, and by which criterion."""
    if result.leaks:
        return "The split leaks: no subject's score is evidence that the subject is decodable."
    verdict = result.assessment.metrics["verdict"]
    if not result.assessment.metrics["decodable"]["claimed"]:
        return (
            f"No subject is called decodable: {verdict['reason'] or 'the score was not tested'}, "
            "so nothing about single subjects follows."
        )
    rows = result.assessment.metrics["decodable"]["window"]
    decodable = [row["subject"] for row in rows if row["decodable"]]
    others = [row["subject"] for row in rows if not row["decodable"]]
    n = len(rows)
    n_by_trial = sum(row["decodable"] for row in result.assessment.metrics["decodable"]["trial"])
    correction = f" after Holm's correction over {n} subjects" if n > 1 else ""
    rule = (
        "above its own majority class and above its own permuted labels (balanced accuracy of "
        f"windows, p ≤ {ALPHA:g}{correction})"
    )
    least = int(result.trials.groupby("subject")["trial"].nunique().min())
    absence = f"with {least} trials each, this is no evidence of absence" if n > 1 else ""
    if n == 1:
        shown = "is decodable" if decodable else "is not shown to be decodable"
        text = f"The only subject, {rows[0]['subject']}, {shown}: the criterion is a score {rule}."
    elif not decodable:
        text = f"No subject is shown to be decodable, that is {rule}; {absence}."
    elif not others:
        text = f"All {n} subjects are decodable: each is {rule}."
    else:
        verb = "is" if len(decodable) == 1 else "are"
        who = f": {join_names(decodable)}" if len(decodable) <= _MOST_NAMES else ""
        text = f"{len(decodable)} of {n} subjects {verb} decodable, each {rule}{who}. "
        rest = join_names(others) if len(others) <= _MOST_NAMES else f"the other {len(others)}"
        text += f"It is not shown for {rest}; {absence}."
    text += f" At trial level, {n_by_trial} of {n} are." if n > 1 else ""
    if 1 < n < _FEW_SUBJECTS:
        few = number_word(n).capitalize()
        text += f" {few} subjects are too few to estimate how common decodable participants are."
    return text


def calibration_sentence(result: Result) -> str:
    """State whether probabilities are too high or too low."""
    stage = result.assessment.calibration["levels"]["window"]["as_predicted"]
    interval = stage["intervals"]["overconfidence"]
    over, ece = stage["overconfidence"], f"expected calibration error {stage['ece']:.2f}"
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
    leaked = (
        " With a leaking split, this does not carry over to new trials." if result.leaks else ""
    )
    return (
        f"Windows are classified with a mean confidence of {stage['confidence']:.2f} and an "
        f"accuracy of {stage['accuracy']:.2f}: {verdict}.{leaked}"
    )


def temperature_sentence(result: Result) -> str:
    """State what temperature scaling changes, or why no temperature is fitted."""
    calibration = result.assessment.calibration
    temperature = calibration["temperature"]
    if temperature is None:
        reason = calibration["without"]
        return f"{reason}: no temperature is fitted, and probabilities stay unchanged."
    before, after = (
        calibration["levels"]["window"][stage] for stage in ("as_predicted", "after_temperature")
    )
    folds = temperature["folds"]
    if len(folds) > 1:
        low, high = temperature["min"], temperature["max"]
        spread = f"median {temperature['median']:.2f}, {low:.2f} to {high:.2f}"
        start = f"One temperature per fold ({spread}), fitted on validation windows"
    else:
        start = f"A temperature of {temperature['median']:.2f}, fitted on validation windows"
    least = min(fold["n_validation_trials"] for fold in folds)
    if least < _FEW_TRIALS:
        start += f" of as few as {count_of(least, 'trial')} and therefore uncertain"
    direction = _direction(before["ece"], after["ece"])
    change = calibration["change"]["nll"]
    text = (
        f"{start}, {direction} the expected calibration error "
        f"{_from_to(before['ece'], after['ece'])}; the negative log likelihood changes by "
        f"{_signed(change['mean'], '+')} ({_range(change['interval']) or 'no interval'}). No "
        "predicted class changes."
    )
    if temperature["n_at_bound"]:
        text += (
            f" In {temperature['n_at_bound']} of {count_of(len(folds), 'fold')} the temperature "
            "reaches its bound: there is no optimum where validation windows are all right, or no "
            "better than chance."
        )
    return text


def _from_to(before: float, after: float) -> str:
    first, second = f"{before:.2f}", f"{after:.2f}"
    return f"at {first}" if first == second else f"from {first} to {second}"


def _direction(before: float, after: float) -> str:
    if round(before, 2) == round(after, 2):
        return "leaves"
    return "lowers" if after < before else "raises"


def coverage_sentence(result: Result) -> str:
    """State the accuracy of the most confident half of the predictions."""
    levels = result.assessment.calibration["levels"]
    parts = []
    for level, name in (("window", "windows"), ("trial", "trials")):
        curve = {row["coverage"]: row for row in levels[level]["as_predicted"]["coverage"]}
        half, full = curve[0.5], curve[1.0]
        limits = f"{half['low']:.2f}–{half['high']:.2f}"
        parts.append(
            f"{half['accuracy']:.2f} for {name} (95 % interval {limits}; "
            f"{full['accuracy']:.2f} for all)"
        )
    return f"For the most confident half, accuracy is {join_names(parts)}."


def choice_sentence(result: Result) -> str:
    """Describe hyperparameter selection, which uses validation sets only."""
    choice = describe_choice(result.records)
    if choice is None:
        return ""
    folds: list[Mapping[str, Any]] = choice["folds"]
    counts = sorted({fold["n_candidates"] for fold in folds})
    tried = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    best = {
        "loss": "lowest loss (all classes weighted equally)",
        "balanced_accuracy": "highest balanced accuracy",
    }[choice["metric"]]
    most = max(choice["candidates"], key=lambda candidate: candidate["won"])
    return (
        f"In {count_of(len(folds), 'fold')}, {tried} candidates were tried, and the one with the "
        f"{best} on the validation windows of the fold was kept; most often {most['text']} "
        f"({most['won']} of {len(folds)}). Selection used validation windows only; the test set "
        "was predicted once, by the selected model."
    )
