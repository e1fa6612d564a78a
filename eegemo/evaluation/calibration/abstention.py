"""Accuracy against coverage: what is gained by answering only where a model is sure."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from eegemo.evaluation.calibration.arrays import Floats

COVERAGES = tuple(round(0.05 * k, 2) for k in range(1, 21))
"""Shares of rows that are answered, at which accuracy is reported."""


def _ranked(confidence: Floats, correct: Floats) -> tuple[Floats, Floats]:
    """Sort rows from sure to unsure; of equally sure ones each counts as their average."""
    order = np.argsort(-confidence, kind="stable")
    confidence, correct = confidence[order], correct[order]
    first = np.r_[True, np.diff(confidence) != 0]
    group = np.cumsum(first) - 1
    means = np.bincount(group, correct) / np.bincount(group)
    return confidence, means[group]


def selective_accuracy(
    confidence: ArrayLike, correct: ArrayLike, coverages: ArrayLike = COVERAGES
) -> pd.DataFrame:
    """Compute accuracy when only the surest predictions are answered.

    Parameters
    ----------
    confidence : array-like, shape (n_rows,)
        How sure each prediction is.
    correct : array-like of bool, shape (n_rows,)
        Whether it is right.
    coverages : array-like
        Shares of rows to answer, above 0 and up to 1.

    Returns
    -------
    DataFrame
        Per coverage: ``coverage``, ``n`` (rows answered, at least one), ``threshold`` (the least
        confidence among them) and ``accuracy``. Geifman & El-Yaniv 2017, "Selective classification
        for deep neural networks", NeurIPS: accuracy is one minus the selective risk. Which of
        equally sure rows are answered is left to chance, in expectation.

    Examples
    --------
    >>> selective_accuracy([0.9, 0.8, 0.7, 0.6], [1, 1, 0, 0], [0.5, 1.0])["accuracy"].tolist()
    [1.0, 0.5]
    """
    sure, hits = _ranked(np.asarray(confidence, np.float64), np.asarray(correct, np.float64))
    shares = np.asarray(coverages, dtype=np.float64)
    n = np.maximum(np.round(shares * len(sure)), 1).astype(np.intp)
    return pd.DataFrame(
        {
            "coverage": shares,
            "n": n.astype(np.int64),
            "threshold": sure[n - 1],
            "accuracy": np.cumsum(hits)[n - 1] / n,
        }
    )


def area_under_risk_coverage(confidence: ArrayLike, correct: ArrayLike) -> float:
    """Average the error over all coverages, from the surest row alone to all rows.

    Parameters
    ----------
    confidence, correct
        As in `selective_accuracy`.

    Returns
    -------
    float
        AURC (Geifman, Uziel & El-Yaniv 2019, "Bias-reduced uncertainty estimation for deep neural
        classifiers", ICLR). Confidence that says nothing gives the error of all rows, in
        expectation; less is better.

    Examples
    --------
    >>> round(area_under_risk_coverage([0.9, 0.8, 0.7], [1, 1, 0]), 3)
    0.111
    """
    _, hits = _ranked(np.asarray(confidence, np.float64), np.asarray(correct, np.float64))
    return float((1 - np.cumsum(hits) / np.arange(1, len(hits) + 1)).mean())
