"""Subjects decoded above chance.

Each subject is tested against its own majority class and its own permuted labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from eegemo.evaluation.evaluate import LEVELS
from eegemo.evaluation.statistics import holm

__all__ = ["ALPHA", "decodable_subjects"]

ALPHA = 0.05
"""Familywise error rate: the probability of calling any subject decodable who is not."""


def decodable_subjects(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return for each subject whether it is decoded above chance.

    Parameters
    ----------
    metrics : mapping
        As `eegemo.evaluation.evaluate` gives it, each level with its ``significance``, and with
        the ``verdict`` of the result.

    Returns
    -------
    dict
        ``alpha``, ``correction`` ("holm"), ``claimed`` (False where what comes back in training, or
        a test that could not be made, leaves nothing to claim of anybody) and, by level, a list
        with ``subject``, ``p_value``
        (permutation within the subject), ``p_holm`` (adjusted over subjects, see
        `eegemo.evaluation.statistics.holm`), ``above_majority`` (whether balanced accuracy, and
        accuracy, are above what the subject's own majority training class scores) and
        ``decodable``: p_holm at most alpha, and balanced accuracy above the majority's. In the
        order of the subjects.
    """
    verdict = metrics.get("verdict") or {}
    # what a model recognises (a clip, a recording) it recognises in single people, too
    claimed = not verdict.get("confounds") and verdict.get("evidence") != "not tested"
    outcome: dict[str, Any] = {"alpha": ALPHA, "correction": "holm", "claimed": claimed}
    for level in LEVELS:
        scored = metrics["levels"][level]
        p_values = [test["p_value"] for test in scored["significance"]["subjects"]]
        adjusted = holm(np.array(p_values)).tolist()
        rows = []
        for part, p_value, p_holm in zip(scored["subjects"], p_values, adjusted, strict=True):
            above = {
                score: part[score] > part[f"majority_{score}"]
                for score in ("balanced_accuracy", "accuracy")
            }
            rows.append(
                {
                    "subject": part["subject"],
                    "p_value": p_value,
                    "p_holm": p_holm,
                    "above_majority": above,
                    "decodable": bool(claimed and p_holm <= ALPHA and above["balanced_accuracy"]),
                }
            )
        outcome[level] = rows
    return outcome
