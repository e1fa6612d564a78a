"""Accuracy against coverage: selective prediction by confidence."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from eegemo.evaluation.calibration.arrays import Floats

COVERAGES = tuple(round(0.05 * k, 2) for k in range(1, 21))
"""Fractions of rows that are answered, at which accuracy is reported."""


def _ranked(confidence: Floats, correct: Floats) -> tuple[Floats, Floats]:
    """Sort rows by confidence, highest first; rows of equal confidence count as their average."""
    order = np.argsort(-confidence, kind="stable")
    confidence, correct = confidence[order], correct[order]
    first = np.r_[True, np.diff(confidence) != 0]
    group = np.cumsum(first) - 1
    means = np.bincount(group, correct) / np.bincount(group)
    return confidence, means[group]


def selective_accuracy(
    confidence: ArrayLike, correct: ArrayLike, coverages: ArrayLike = COVERAGES
) -> pd.DataFrame:
    """Compute the accuracy of the most confident predictions at each coverage.

    Parameters
    ----------
    confidence : array-like, shape (n_rows,)
        Confidence of each prediction.
    correct : array-like of bool, shape (n_rows,)
        Whether it is right.
    coverages : array-like
        Fractions of rows to answer, above 0 and up to 1.

    Returns
    -------
    DataFrame
        Per coverage: ``coverage``, ``n`` (rows answered, at least one), ``threshold`` (the least
        confidence among them) and ``accuracy``. Geifman & El-Yaniv 2017, "Selective classification
        for deep neural networks", NeurIPS: accuracy is one minus the selective risk. Among rows of
        equal confidence, those answered are drawn at random, in expectation.

    Examples
    --------
    >>> selective_accuracy([0.9, 0.8, 0.7, 0.6], [1, 1, 0, 0], [0.5, 1.0])["accuracy"].tolist()
    [1.0, 0.5]
    """
    ranked, hits = _ranked(np.asarray(confidence, np.float64), np.asarray(correct, np.float64))
    fractions = np.asarray(coverages, dtype=np.float64)
    n = np.maximum(np.round(fractions * len(ranked)), 1).astype(np.intp)
    return pd.DataFrame(
        {
            "coverage": fractions,
            "n": n.astype(np.int64),
            "threshold": ranked[n - 1],
            "accuracy": np.cumsum(hits)[n - 1] / n,
        }
    )


def area_under_risk_coverage(confidence: ArrayLike, correct: ArrayLike) -> float:
    """Average the error over all coverages, from the most confident row to all rows.

    Parameters
    ----------
    confidence, correct
        As in `selective_accuracy`.

    Returns
    -------
    float
        AURC (Geifman, Uziel & El-Yaniv 2019, "Bias-reduced uncertainty estimation for deep neural
        classifiers", ICLR). Uninformative confidence gives the error of all rows, in
        expectation; less is better.

    Examples
    --------
    >>> round(area_under_risk_coverage([0.9, 0.8, 0.7], [1, 1, 0]), 3)
    0.111
    """
    _, hits = _ranked(np.asarray(confidence, np.float64), np.asarray(correct, np.float64))
    return float((1 - np.cumsum(hits) / np.arange(1, len(hits) + 1)).mean())
