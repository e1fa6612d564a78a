"""What an audit found: numbers from stored predictions, and what they allow one to say."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from eegemo.audit.protocols import PROTOCOLS, Protocol
from eegemo.errors import ResultError
from eegemo.evaluation import class_names, predicted_classes, score
from eegemo.evaluation.baseline import LEVEL
from eegemo.evaluation.statistics import count_trials, holm, paired_bootstrap
from eegemo.pages.words import listed
from eegemo.results import Result, open_result

__all__ = ["INDEX", "Audit", "Row", "read_audit", "sentences"]

#: The file that says which run is which.
INDEX = "audit.json"


@dataclass(frozen=True)
class Row:
    """One protocol.

    Scores are balanced accuracies.

    Attributes
    ----------
    name, title : str
        Of the protocol.
    leaks : bool
    n_folds, n_trials, n_windows : int
    window, trial : float
        Score of windows, and of the votes of trials.
    accuracy : float
        Accuracy of windows.
    interval : tuple of float, or None
        95 % of resampled trials; none for a protocol that leaks.
    null : tuple of float
        Central 95 % when labels of whole trials are shuffled against the stored predictions.
    p_value : float
        Of that.
    shuffled : tuple of float
        Scores of models trained on shuffled labels, tested on these.
    p_retrained : float or None
        How often those score as high, counting the run itself; none without draws.
    majority, majority_accuracy, subject_majority : float or None
        Scores of always answering the commonest training class (balanced accuracy and accuracy),
        and that of the subject's own training windows.
    chance : float
        One over the number of classes.
    inflation : float
        What the score has more than that of whole trials.
    inflation_interval : tuple of float, or None
        95 % of resampled trials, the same for both.
    leak_shown : bool
        Whether the inflation of a leaking protocol is more than chance and the division of trials
        explain: its interval is above 0, and trained on shuffled labels every score is above every
        one of whole trials, where there are such.
    p_adjusted : float
        ``p_value``, adjusted for the number of protocols without leak (Holm 1979).
    shares_stimuli : bool
        Whether test stimuli were met in training, with other people or in other trials.
    folder : str
        Of the run.
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
    leak_shown: bool = False
    p_adjusted: float = 1.0
    shares_stimuli: bool = False
    folder: str = ""

    @property
    def above(self) -> bool:
        """Whether the score is above what shuffled labels give, for a protocol without leak."""
        more = self.window > max((self.chance, *self.shuffled))
        return not self.leaks and self.p_adjusted <= LEVEL and more

    def as_dict(self) -> dict[str, Any]:
        """Return everything, ready for a table."""
        return asdict(self)


@dataclass(frozen=True)
class Audit:
    """An audit.

    Attributes
    ----------
    path : Path
    about : dict
        What was audited and how: the content of ``audit.json``.
    rows : dict of str to Row
    model : str
        As the field writes it.
    simulated : bool
    provenance : dict
        Of the run with whole trials.
    """

    path: Path
    about: dict[str, Any]
    rows: dict[str, Row]
    model: str
    simulated: bool
    provenance: dict[str, Any]


def read_audit(folder: str | Path) -> Audit:
    """Put an audit together from its runs.

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
        If the folder is no finished audit.
    """
    folder = Path(folder)
    try:
        about = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        plan: Mapping[str, Any] = about["protocols"]
        names = {name: (one["run"], one["shuffled"]) for name, one in plan.items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ResultError(f"{folder}: expected a finished audit ({INDEX} in it).") from error
    known = {protocol.name: protocol for protocol in PROTOCOLS}
    if "trial" not in names or not set(names) <= set(known):
        raise ResultError(f"{folder / INDEX}: expected protocols, whole trials among them.")
    results = {name: open_result(folder / "runs" / run) for name, (run, _) in names.items()}
    reference = results["trial"]
    whole = float(reference.assessment.levels["window"]["total"]["balanced_accuracy"])
    honest = {
        name: result.assessment.levels["window"]["significance"]["permutation"]["p_value"]
        for name, result in results.items()
        if not known[name].leaks
    }
    adjusted = holm(honest)
    nulls = {
        name: tuple(_score(folder / "runs" / one) for one in shuffled)
        for name, (_, shuffled) in names.items()
    }
    rows = {}
    for name, (run, _) in names.items():
        row = _row(known[name], results[name], nulls[name], whole, run)
        if row.leaks:
            trials = [count_trials(one.predictions) for one in (reference, results[name])]
            interval = paired_bootstrap(*trials, resample="trials")
            apart = not row.shuffled or min(row.shuffled) > max(nulls["trial"], default=-1.0)
            row = replace(
                row,
                inflation_interval=interval,
                leak_shown=interval is not None and interval[0] > 0 and apart,
            )
        else:
            row = replace(row, p_adjusted=float(adjusted[name] or 1.0))
        rows[name] = row
    return Audit(folder, about, rows, reference.model, reference.simulated, reference.provenance)


def _score(run: Path) -> float:
    predictions = open_result(run).predictions
    names = class_names(predictions)
    scores = score(predictions["y_true"], predicted_classes(predictions), names)
    return float(scores["balanced_accuracy"])


def _row(
    protocol: Protocol, result: Result, nulls: tuple[float, ...], whole: float, run: str
) -> Row:
    metrics = result.assessment.metrics
    window, trial = (metrics["levels"][level] for level in ("window", "trial"))
    total, baselines = window["total"], window["baselines"]
    test = window["significance"]["permutation"]
    observed = float(total["balanced_accuracy"])
    interval = window["significance"]["bootstrap"]["trials"]
    own = baselines["subject_majority"]
    at_least = sum(one >= observed - 1e-12 for one in nulls)
    return Row(
        name=protocol.name,
        title=protocol.title,
        leaks=protocol.leaks,
        n_folds=len(window["folds"]),
        n_trials=int(trial["total"]["n"]),
        n_windows=int(total["n"]),
        window=observed,
        trial=float(trial["total"]["balanced_accuracy"]),
        accuracy=float(total["accuracy"]),
        interval=None if protocol.leaks or interval is None else (interval[0], interval[1]),
        null=(test["null_interval"][0], test["null_interval"][1]),
        p_value=float(test["p_value"]),
        shuffled=nulls,
        p_retrained=(1 + at_least) / (1 + len(nulls)) if nulls else None,
        majority=float(baselines["majority"]["balanced_accuracy"]),
        majority_accuracy=float(baselines["majority"]["accuracy"]),
        subject_majority=None if own is None else float(own["balanced_accuracy"]),
        chance=float(baselines["chance"]["balanced_accuracy"]),
        inflation=observed - whole,
        shares_stimuli=any(fold["shared"]["stimulus"] for fold in result.records),
        folder=run,
    )


def sentences(audit: Audit) -> list[str]:
    """Say what was found: what is leak, what can be evidence, and what the user's own split is.

    The rules, fixed before any number is seen: a protocol that cuts trials is never evidence. Of
    the others, a score is above chance if at most 5 % of shuffled labels of whole trials reach it,
    adjusted by Holm's method for the number of such protocols, if it exceeds one over the number of
    classes, and if no model trained on shuffled labels scored as high. What a protocol that cuts
    trials scores above whole trials is called leak if `Row.leak_shown`.

    Returns
    -------
    texts : list of str
        A few sentences.
    """
    rows, whole = audit.rows, audit.rows["trial"]
    start = "On simulated data, " if audit.simulated else ""
    verdict = _verdict(whole)
    leaky = rows.get("window")
    if leaky is None:
        found = [
            f"{start}{audit.model} told windows apart with a balanced accuracy of "
            f"{whole.window:.2f} with whole trials held out, {verdict}."
        ]
    else:
        found = [
            f"{start}{audit.model} scored a balanced accuracy of {leaky.window:.2f} with random "
            f"windows held out, and {whole.window:.2f} with whole trials held out, {verdict}; "
            f"{_gap(leaky)}."
        ]
        if leaky.shuffled:
            found.append(
                "Trained and tested on shuffled labels, which say nothing about emotion, it "
                f"scored {np.mean(leaky.shuffled):.2f} with random windows and "
                f"{np.mean(whole.shuffled):.2f} with whole trials."
            )
    honest = [row for row in rows.values() if not row.leaks]
    above = [row.title for row in honest if row.above]
    below = [row.title for row in honest if not row.above]
    text = f"Evidence can come from {listed([row.title for row in honest])} only; "
    if not below:
        found.append(f"{text}{'all of them are' if len(above) > 1 else 'it is'} above chance.")
    elif not above:
        found.append(f"{text}{'none of them is' if len(below) > 1 else 'it is not'} above chance.")
    else:
        found.append(f"{text}{listed(above)} are above chance, {listed(below)} are not.")
    videos = rows.get("stimulus")
    shared = [row.title for row in honest if row.above and row.shares_stimuli]
    if shared and videos is not None and not videos.above:
        found.append(
            f"With {listed(shared)}, test videos were met in training with other people, and whole "
            "videos are not above chance: the model may recognise the video and not the emotion."
        )
    found.append(_asked(audit))
    return [one[0].upper() + one[1:] for one in found]


def _verdict(row: Row) -> str:
    low, high = row.null
    null = f"({low:.2f} to {high:.2f})"
    if row.above:
        return f"above shuffled labels {null}"
    if row.window < low:
        return f"below shuffled labels {null}, which cross-validation by itself can cause"
    if row.shuffled and row.window > high:
        return f"above shuffled labels {null}, but not above models trained on shuffled labels"
    return f"no better than shuffled labels {null}"


def _gap(row: Row) -> str:
    if not row.leak_shown:
        return "that random windows leak does not show in these scores"
    interval = row.inflation_interval
    sure = "" if interval is None else f" (95 % interval {interval[0]:.2f} to {interval[1]:.2f})"
    return f"the difference of {row.inflation:.2f}{sure} is leak"


def _asked(audit: Audit) -> str:
    """Judge the split that the experiment file asks for."""
    name = audit.about["asked"]
    known = {protocol.name: protocol for protocol in PROTOCOLS}
    if name not in known:  # whole sessions, which are not compared here
        return f"The file holds out whole {name}s, which keeps trials whole and can be evidence."
    protocol = known[name]
    if protocol.leaks:
        return (
            f"The file asks for {protocol.title}, which cannot be evidence, since {protocol.about}."
        )
    row = audit.rows.get(name)
    told = f"The file asks for {protocol.title}, which can be evidence about {protocol.about}"
    if row is None:
        return f"{told}."
    return f"{told}; the score here is {'' if row.above else 'not '}above chance."
