"""Who is decodable: each subject against its own commonest class and its own shuffled labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from eegemo.evaluation.evaluate import LEVELS
from eegemo.evaluation.statistics import holm

__all__ = ["ALPHA", "decodable_subjects"]

ALPHA = 0.05
"""Of the whole family of subjects: the probability of calling anyone decodable who is not."""


def decodable_subjects(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Tell for each subject whether its score is better than what needs no signal.

    Parameters
    ----------
    metrics : mapping
        As `eegemo.evaluation.evaluate` gives it, each level with its ``significance``.

    Returns
    -------
    dict
        ``alpha``, ``correction`` ("holm") and, by level, a list with ``subject``, ``p_value``
        (permutation within the subject), ``p_holm`` (adjusted over subjects, see
        `eegemo.evaluation.statistics.holm`), ``above_majority`` (whether balanced accuracy, and
        accuracy, are above what the subject's own commonest training class scores) and
        ``decodable``: p_holm at most alpha, and balanced accuracy above the majority's. In the
        order of the subjects.
    """
    outcome: dict[str, Any] = {"alpha": ALPHA, "correction": "holm"}
    for level in LEVELS:
        one = metrics["levels"][level]
        p_values = [test["p_value"] for test in one["significance"]["subjects"]]
        adjusted = holm(np.array(p_values)).tolist()
        rows = []
        for part, p, p_holm in zip(one["subjects"], p_values, adjusted, strict=True):
            above = {
                score: part[score] > part[f"majority_{score}"]
                for score in ("balanced_accuracy", "accuracy")
            }
            rows.append(
                {
                    "subject": part["subject"],
                    "p_value": p,
                    "p_holm": p_holm,
                    "above_majority": above,
                    "decodable": bool(p_holm <= ALPHA and above["balanced_accuracy"]),
                }
            )
        outcome[level] = rows
    return outcome
