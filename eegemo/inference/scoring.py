"""Score the predictions of trials whose classes the recording tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from eegemo.datasets import Dataset
from eegemo.errors import DataError
from eegemo.evaluation import make_predictions, predicted_classes, score, vote
from eegemo.labels import TASKS, join_ratings, make_labels
from eegemo.labels.columns import find_column
from eegemo.pages.words import join_names
from eegemo.results import Result
from eegemo.windows import Windows

__all__ = ["Scored", "find_classes", "score_windows"]


@dataclass(frozen=True)
class Scored:
    """Scores of a recording whose trials have classes.

    Attributes
    ----------
    classes : list of str
    window, trial : dict
        `eegemo.evaluation.score` of windows, and of trials by soft voting.
    """

    classes: list[str]
    window: dict[str, Any]
    trial: dict[str, Any]

    def confusion(self) -> pd.DataFrame:
        """Return the confusion matrices as a table.

        Columns ``level``, ``y_true``, ``y_pred``, ``count`` and ``share`` (of the true class).
        """
        return pd.DataFrame(
            [
                {
                    "level": level,
                    "y_true": true,
                    "y_pred": predicted,
                    "count": scores["confusion"][row][column],
                    "share": scores["confusion_normalised"][row][column],
                }
                for level, scores in (("window", self.window), ("trial", self.trial))
                for row, true in enumerate(self.classes)
                for column, predicted in enumerate(self.classes)
            ]
        )

    @property
    def sentence(self) -> str:
        """The scores in a sentence."""
        n = self.trial["n"]
        right = int(np.trace(np.array(self.trial["confusion"])))
        per_class = self.trial["per_class"]
        absent = [name for name in self.classes if not per_class[name]["support"]]
        over = f"; no trial is {join_names(absent, 'or')}" if absent else ""
        return (
            f"{right} of {n} trials with a class are right: balanced accuracy "
            f"{self.trial['balanced_accuracy']:.2f} by trial and "
            f"{self.window['balanced_accuracy']:.2f} by window (chance "
            f"{1 / len(self.classes):.2f}{over})."
        )


def find_classes(
    stored: Result, metadata: pd.DataFrame, dataset: Dataset
) -> tuple[np.ndarray | None, list[str]]:
    """Return the class of each trial by the rules of the experiment, and notes.

    Parameters
    ----------
    stored : Result
    metadata : DataFrame, one row per trial
    dataset : Dataset
        Defines the range of ratings.

    Returns
    -------
    codes : ndarray of int, shape (n_trials,), or None
        Index into the classes of the result, -1 where a trial has none of them; None if the
        recording tells no class.
    notes : list of str
    """
    options = stored.experiment.labels.model_dump()
    if options["task"] == "given" and not options["classes"]:
        options["classes"] = list(stored.classes)  # in the order of the model's outputs
    try:
        if options["table"] is not None:
            metadata, _ = join_ratings(metadata, options["table"])
        anchored = pd.concat(
            [metadata, _anchors(metadata, options, dataset.rating_range)], ignore_index=True
        )
        labels = make_labels(anchored, **options, rating_range=dataset.rating_range)
    except DataError as error:
        reason = str(error).removeprefix("labels: ").rstrip(".")
        return None, [f"Not scored, since the recording does not tell the classes: {reason}."]
    if list(labels.classes) != stored.classes:
        return None, ["Not scored: the classes of the experiment are not those of its result."]
    codes: np.ndarray = labels.codes[: len(metadata)]
    if not (codes >= 0).any():
        return None, [
            "Not scored: no trial of the recording has a class of the models "
            f"({', '.join(stored.classes)})."
        ]
    notes = []
    if (codes < 0).any():
        n, said = int((codes < 0).sum()), {why: n for why, n in labels.dropped.items() if n}
        listed = ", ".join(f"{n} {why}" for why, n in said.items())
        notes.append(f"{n} of {len(codes)} trials have no class, and are not scored ({listed}).")
    if options.get("threshold") == "median" and options["task"] != "given":
        notes.append("High and low ratings are by the median of this recording's own trials.")
    return codes, notes


def _anchors(
    metadata: pd.DataFrame, options: Mapping[str, Any], rating_range: tuple[float, float]
) -> pd.DataFrame:
    """Return made-up trials of every class, since a single recording may lack some.

    They belong to a person of their own, and are left out again.
    """
    rows: list[dict[str, Any]] = []
    if options["task"] == "given":
        column = find_column(metadata, options["column"] or "trial_type")
        values = [*options["classes"]]
        for renamed in (options["rename"] or {}).values():
            values += renamed if isinstance(renamed, list | tuple) else [renamed]
        rows = [{column: str(value)} for value in values] if column else []
    else:
        ends = options["scale"] or rating_range
        columns = [find_column(metadata, options[name]) for name in TASKS[options["task"]][0]]
        known = [name for name in columns if name is not None]
        if len(known) == len(columns):
            rows = [
                dict(zip(known, values, strict=True))
                for values in product(ends, repeat=len(columns))
            ]
    return pd.DataFrame(rows).assign(subject="", session="", trial=0)


def score_windows(
    windows: Windows, probabilities: np.ndarray, codes: np.ndarray, classes: Sequence[str]
) -> Scored | None:
    """Score windows, and trials by soft voting; None if no window has a class.

    Parameters
    ----------
    windows : Windows
    probabilities : ndarray, shape (n_windows, n_classes)
    codes : ndarray of int, shape (n_trials,)
        From `find_classes`.
    classes : sequence of str
    """
    rows = np.flatnonzero(codes[windows.trial] >= 0)
    if not rows.size:
        return None
    names = np.array(classes, object)
    table = windows.table.iloc[rows]
    predictions = make_predictions(
        fold=0,
        subject=table["subject"].astype(str),
        session=table["session"].astype(str),
        trial=table["trial"],
        start=table["start"],
        y_true=names[codes[windows.trial[rows]]],
        probabilities=probabilities[rows],
        classes=classes,
    )
    scores = [
        score(part["y_true"], predicted_classes(part), list(classes))
        for part in (predictions, vote(predictions))
    ]
    return Scored(list(classes), *scores)
