"""The outcome of an audit: numbers from stored predictions, and the conclusions they allow."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from eegemo.audit.protocols import PROTOCOLS, Protocol
from eegemo.errors import ResultError
from eegemo.evaluation import class_names, predicted_classes, score
from eegemo.evaluation.baseline import LEVEL
from eegemo.evaluation.statistics import (
    TrialCounts,
    count_trials,
    holm,
    paired_bootstrap,
    unpaired_bootstrap,
)
from eegemo.pages.words import join_names
from eegemo.results import Result, open_result

__all__ = ["INDEX", "Audit", "Row", "read_audit", "sentences"]

#: The file that assigns runs to protocols.
INDEX = "audit.json"


#: Refits with which a score above all of them has p = 0.05.
_ENOUGH = 19


@dataclass(frozen=True)
class Row:
    """The scores of one protocol.

    Scores are balanced accuracies.

    Attributes
    ----------
    name, title : str
        Name and title of the protocol.
    leaks : bool
    n_folds, n_trials, n_windows : int
    window, trial : float
        Scores of windows, and at trial level.
    accuracy : float
        Accuracy of windows.
    interval : tuple of float, or None
        95 % bootstrap interval over trials; None for a protocol that leaks.
    null : tuple of float
        Central 95 % of the scores of stored predictions when trial labels are permuted.
    p_value : float
        Of the permutation test.
    shuffled : tuple of float
        Scores of models trained and tested on permuted labels.
    p_retrained : float or None
        Fraction of those that score at least as high, counting the run itself; None without draws.
    majority, majority_accuracy, subject_majority : float or None
        Scores of always predicting the majority training class (balanced accuracy and accuracy),
        and the majority class of the subject's own training windows.
    chance : float
        1 / number of classes.
    inflation : float
        Difference from the score of the split by trial.
    inflation_interval : tuple of float, or None
        95 % bootstrap interval over trials, resampled jointly where both test the same trials.
    paired : bool
        Whether they do.
    leak_shown : bool
        Whether the inflation of a leaking protocol exceeds what chance and the division of trials
        explain: its interval is above 0, and with permuted labels every score is above every score
        of the split by trial, where there are draws.
    p_adjusted : float
        ``p_value``, adjusted for the number of protocols without leak (Holm 1979).
    shares_stimuli : bool
        Whether test stimuli occur in training, with other participants or in other trials.
    folder : str
        Name of the folder of the run.
    """

    name: str
    title: str
    leaks: bool
    n_folds: int
    n_trials: int
    n_windows: int
    window: float
    trial: float
    accuracy: float
    interval: tuple[float, float] | None
    null: tuple[float, float]
    p_value: float
    shuffled: tuple[float, ...]
    p_retrained: float | None
    majority: float
    majority_accuracy: float
    subject_majority: float | None
    chance: float
    inflation: float
    inflation_interval: tuple[float, float] | None = None
    paired: bool = True
    leak_shown: bool = False
    p_adjusted: float = 1.0
    shares_stimuli: bool = False
    folder: str = ""

    @property
    def above(self) -> bool:
        """Whether the score is above chance, for a protocol without leak."""
        highest = self.window > max((self.chance, *self.shuffled))
        return not self.leaks and self.p_adjusted <= LEVEL and highest

    def as_dict(self) -> dict[str, Any]:
        """Return all attributes, ready for a table."""
        return asdict(self)


@dataclass(frozen=True)
class Audit:
    """The outcome of an audit.

    Attributes
    ----------
    path : Path
    about : dict
        What was audited and how: the content of ``audit.json``.
    rows : dict of str to Row
    model : str
        Its name, as used in the field.
    simulated : bool
    provenance : dict
        Of the run that splits by trial.
    """

    path: Path
    about: dict[str, Any]
    rows: dict[str, Row]
    model: str
    simulated: bool
    provenance: dict[str, Any]


def read_audit(folder: str | Path) -> Audit:
    """Read an audit from its runs.

    Parameters
    ----------
    folder : path
        The audit's folder.

    Returns
    -------
    audit : Audit

    Raises
    ------
    ResultError
        If the folder is not a finished audit.
    """
    folder = Path(folder)
    try:
        about = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        plan: Mapping[str, Any] = about["protocols"]
        names = {name: (runs["run"], runs["shuffled"]) for name, runs in plan.items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ResultError(f"{folder}: expected a finished audit ({INDEX} in it).") from error
    known = {protocol.name: protocol for protocol in PROTOCOLS}
    if "trial" not in names or not set(names) <= set(known):
        raise ResultError(f"{folder / INDEX}: expected protocols, the split by trial among them.")
    results = {name: open_result(folder / "runs" / run) for name, (run, _) in names.items()}
    reference = results["trial"]
    by_trial = float(reference.assessment.levels["window"]["total"]["balanced_accuracy"])
    honest = {
        name: result.assessment.levels["window"]["significance"]["permutation"]["p_value"]
        for name, result in results.items()
        if not result.leaks
    }
    adjusted = holm(honest)
    nulls = {
        name: tuple(_score(folder / "runs" / run) for run in shuffled)
        for name, (_, shuffled) in names.items()
    }
    rows = {}
    for name, (run, _) in names.items():
        row = _row(known[name], results[name], nulls[name], by_trial, run)
        if row.leaks:
            trials = [count_trials(result.predictions) for result in (reference, results[name])]
            # a ratio tests other trials under each protocol, which cannot be paired
            paired = _same_trials(*trials)
            interval = (paired_bootstrap if paired else unpaired_bootstrap)(*trials)
            # models trained on permuted labels have to show the leak as well
            separate = not row.shuffled or min(row.shuffled) > max(nulls["trial"], default=-1.0)
            row = replace(
                row,
                inflation_interval=interval,
                paired=paired,
                leak_shown=interval is not None and interval[0] > 0 and separate,
            )
        else:
            row = replace(row, p_adjusted=float(adjusted[name] or 1.0))
        rows[name] = row
    return Audit(folder, about, rows, reference.model, reference.simulated, reference.provenance)


def _same_trials(first: TrialCounts, second: TrialCounts) -> bool:
    names = ("subject", "label", "blocks")
    return all(np.array_equal(getattr(first, name), getattr(second, name)) for name in names)


def _score(run: Path) -> float:
    predictions = open_result(run).predictions
    names = class_names(predictions)
    scores = score(predictions["y_true"], predicted_classes(predictions), names)
    return float(scores["balanced_accuracy"])


def _row(
    protocol: Protocol, result: Result, nulls: tuple[float, ...], by_trial: float, run: str
) -> Row:
    metrics = result.assessment.metrics
    window, trial = (metrics["levels"][level] for level in ("window", "trial"))
    total, baselines = window["total"], window["baselines"]
    test = window["significance"]["permutation"]
    observed = float(total["balanced_accuracy"])
    interval = window["significance"]["bootstrap"]["trials"]
    subject_majority = baselines["subject_majority"]
    at_least = sum(null >= observed - 1e-12 for null in nulls)
    return Row(
        name=protocol.name,
        title=protocol.title,
        leaks=result.leaks,
        n_folds=len(window["folds"]),
        n_trials=int(trial["total"]["n"]),
        n_windows=int(total["n"]),
        window=observed,
        trial=float(trial["total"]["balanced_accuracy"]),
        accuracy=float(total["accuracy"]),
        interval=None if result.leaks or interval is None else (interval[0], interval[1]),
        null=(test["null_interval"][0], test["null_interval"][1]),
        p_value=float(test["p_value"]),
        shuffled=nulls,
        p_retrained=(1 + at_least) / (1 + len(nulls)) if nulls else None,
        majority=float(baselines["majority"]["balanced_accuracy"]),
        majority_accuracy=float(baselines["majority"]["accuracy"]),
        subject_majority=None
        if subject_majority is None
        else float(subject_majority["balanced_accuracy"]),
        chance=float(baselines["chance"]["balanced_accuracy"]),
        inflation=observed - by_trial,
        shares_stimuli=any(fold["shared"]["stimulus"] for fold in result.records),
        folder=run,
    )


def sentences(audit: Audit) -> list[str]:
    """Summarise an audit: what is leakage, what can be evidence, and which the file's own split is.

    The rules are fixed in advance. A protocol that divides trials is never evidence. Any other
    score is above chance if three conditions hold: at most 5 % of permuted trial labels reach it
    (adjusted by Holm's method for the number of such protocols), it exceeds 1 / number of classes,
    and no model trained on permuted labels scored as high. The score of a protocol that divides
    trials, minus that of the split by trial, is called leakage if `Row.leak_shown`.

    Returns
    -------
    texts : list of str
        A few sentences.
    """
    rows, by_trial = audit.rows, audit.rows["trial"]
    start = "On simulated data, " if audit.simulated else ""
    verdict = _verdict(by_trial)
    leaky = rows.get("window")
    if leaky is None:
        found = [
            f"{start}{audit.model} scored a balanced accuracy of {by_trial.window:.2f} on windows "
            f"when split by trial, {verdict}."
        ]
    else:
        found = [
            f"{start}{audit.model} scored a balanced accuracy of {leaky.window:.2f} with "
            f"random windows held out, and {by_trial.window:.2f} when split by trial, {verdict}; "
            f"{_gap(leaky)}."
        ]
        if leaky.shuffled:
            found.append(
                "Trained and tested on permuted labels, which carry no information about emotion, "
                f"it scored {np.mean(leaky.shuffled):.2f} with random windows and "
                f"{np.mean(by_trial.shuffled):.2f} when split by trial."
            )
    honest = [row for row in rows.values() if not row.leaks]
    above = [row.title for row in honest if row.above]
    below = [row.title for row in honest if not row.above]
    text = f"Only {_splits([row.title for row in honest])} can be evidence; " if honest else ""
    if not honest:
        found.append("None of these splits can be evidence.")
    elif not below:
        where = " in all of them" if len(above) > 1 else ""
        found.append(f"{text}the score is above chance{where}.")
    elif not above:
        where = "is above chance in none of them" if len(below) > 1 else "is not above chance"
        found.append(f"{text}the score {where}.")
    else:
        found.append(
            f"{text}the score is above chance when split {join_names(above, 'or')}, but not when "
            f"split {join_names(below, 'or')}."
        )
    by_video = rows.get("stimulus")
    shared = [row.title for row in honest if row.above and row.shares_stimuli]
    if shared and by_video is not None and not by_video.above:
        found.append(
            f"When split {join_names(shared)}, test videos occur in training with other "
            "participants, and split by video the score is not above chance: the model may "
            "recognise the video and not the emotion."
        )
    fewest = min(len(row.shuffled) for row in rows.values())
    if fewest < _ENOUGH:
        found.append(
            f"With {fewest} refits on permuted labels in place of {_ENOUGH}, this is a first look: "
            "up to three in ten scores without an effect would be called above chance."
        )
    found.append(_asked(audit))
    return [sentence[0].upper() + sentence[1:] for sentence in found]


# Of a split of whole trials that leaks: the class is constant over what it divides.
_DIVIDED = (
    "the class never changes within what both training and test have trials of (a recording, a "
    "session or a person)"
)


def _splits(titles: Sequence[str]) -> str:
    return f"the split{'s' if len(titles) > 1 else ''} {join_names(titles)}"


def _verdict(row: Row) -> str:
    low, high = row.null
    null = f"({low:.2f} to {high:.2f})"
    if row.leaks:
        return f"which is no evidence either, since {_DIVIDED}"
    if row.above:
        return f"above permuted labels {null}"
    if row.window < low:
        return f"below permuted labels {null}, which cross-validation alone can cause"
    if row.shuffled and row.window > high:
        return f"above permuted labels {null}, but not above models trained on permuted labels"
    return f"no better than permuted labels {null}"


def _gap(row: Row) -> str:
    if not row.leak_shown:
        return "these scores do not show that random windows leak"
    interval = row.inflation_interval
    limits = "" if interval is None else f" (95 % interval {interval[0]:.2f} to {interval[1]:.2f})"
    if interval is not None and not row.paired:
        limits = f"{limits[:-1]}; each protocol tests other trials)"
    return f"the difference of {row.inflation:.2f}{limits} is leakage"


def _asked(audit: Audit) -> str:
    """Judge the split of the experiment file."""
    name = audit.about["asked"]
    known = {protocol.name: protocol for protocol in PROTOCOLS}
    row = audit.rows.get(name)
    if name not in known or (row is None and name in ("run", "session")):  # not compared here
        noun = "recording" if name == "run" else name
        return f"The file splits by {noun}, which does not divide trials and can be evidence."
    protocol = known[name]
    if protocol.leaks or (row is not None and row.leaks):
        why = protocol.about if protocol.leaks else _DIVIDED
        how = "uses" if protocol.leaks else "splits"
        return f"The file {how} {protocol.title}, which cannot be evidence, since {why}."
    text = f"The file splits {protocol.title}, which can be evidence about {protocol.about}"
    if row is None:
        return f"{text}."
    return f"{text}; the score here is {'' if row.above else 'not '}above chance."
