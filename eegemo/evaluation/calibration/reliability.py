"""Confidence compared with accuracy: bins, calibration errors and proper scores."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from eegemo.evaluation.calibration.abstention import area_under_risk_coverage
from eegemo.evaluation.calibration.arrays import LEAST, Codes, Floats, check_rows, confidence_of

Strategy = Literal["width", "mass"]

N_BINS = 15
"""Bins of confidence, as in Guo et al. 2017."""

_STRATEGIES: dict[str, Strategy] = {"ece": "width", "ece_mass": "mass"}


def bin_edges(values: Floats, n_bins: int, strategy: Strategy) -> Floats:
    """Return the edges of the bins, lowest first."""
    if strategy not in ("width", "mass"):
        raise ValueError(f"strategy: expected 'width' or 'mass', found {strategy!r}.")
    fractions = np.linspace(0, 1, n_bins + 1)
    edges: Floats = fractions if strategy == "width" else np.quantile(values, fractions)
    return edges


def bin_of(values: Floats, edges: Floats) -> Codes:
    """Return the bin of each value; it holds its upper edge, not its lower (Guo et al. 2017)."""
    return np.searchsorted(edges[1:-1], values, side="left").astype(np.intp)


def reliability_table(
    confidence: ArrayLike,
    correct: ArrayLike,
    *,
    n_bins: int = N_BINS,
    strategy: Strategy = "width",
) -> pd.DataFrame:
    """Compare mean confidence with accuracy in bins of confidence.

    Parameters
    ----------
    confidence : array-like, shape (n_rows,)
        Probability of the predicted class of each row.
    correct : array-like of bool, shape (n_rows,)
        Whether the prediction is right.
    n_bins : int
        Number of bins.
    strategy : {"width", "mass"}
        Bins of equal width, or of about equally many rows; equal values share a bin.

    Returns
    -------
    DataFrame
        One row per bin, from low to high: ``bin`` (from 1), ``low`` and ``high`` (its edges),
        ``n``, ``confidence`` and ``accuracy`` (means; NaN in an empty bin).

    Examples
    --------
    >>> table = reliability_table([0.6, 0.7, 0.95, 0.9], [1, 0, 1, 1], n_bins=2)
    >>> table[["n", "confidence", "accuracy"]].round(4).values.tolist()
    [[0.0, nan, nan], [4.0, 0.7875, 0.75]]
    """
    values, hits = np.asarray(confidence, np.float64), np.asarray(correct, np.float64)
    edges = bin_edges(values, n_bins, strategy)
    bins = bin_of(values, edges)
    n = np.bincount(bins, minlength=n_bins).astype(np.float64)
    sums = {
        "confidence": np.bincount(bins, values, minlength=n_bins),
        "accuracy": np.bincount(bins, hits, minlength=n_bins),
    }
    means = {
        name: np.divide(total, n, out=np.full(n_bins, np.nan), where=n > 0)
        for name, total in sums.items()
    }
    positions = {"bin": np.arange(1, n_bins + 1), "low": edges[:-1], "high": edges[1:]}
    return pd.DataFrame({**positions, "n": n.astype(np.int64), **means})


def expected_calibration_error(
    confidence: ArrayLike,
    correct: ArrayLike,
    *,
    n_bins: int = N_BINS,
    strategy: Strategy = "width",
) -> float:
    """Average the gap between confidence and accuracy over bins, weighted by their rows.

    Parameters
    ----------
    confidence, correct, n_bins, strategy
        As in `reliability_table`.

    Returns
    -------
    float
        Between 0 and 1 (Guo et al. 2017, "On calibration of modern neural networks", ICML, eq. 3).
        It is biased upwards: with few rows even a calibrated model has an error above 0.

    Examples
    --------
    >>> round(expected_calibration_error([0.8, 0.8, 0.6, 0.6], [1, 1, 1, 0]), 3)
    0.15
    """
    table = reliability_table(confidence, correct, n_bins=n_bins, strategy=strategy)
    filled = table[table["n"] > 0]
    gaps = (filled["accuracy"] - filled["confidence"]).abs()
    return float((filled["n"] * gaps).sum() / filled["n"].sum())


def classwise_calibration_error(
    probabilities: ArrayLike, true: ArrayLike, *, n_bins: int = N_BINS, strategy: Strategy = "width"
) -> float:
    """Average over classes the calibration error of each class's own probability.

    Parameters
    ----------
    probabilities : array-like, shape (n_rows, n_classes)
        Predicted probabilities.
    true : array-like of int, shape (n_rows,)
        Number of the true class.
    n_bins, strategy
        As in `reliability_table`.

    Returns
    -------
    float
        Kull et al. 2019, "Beyond temperature scaling", NeurIPS, eq. 2: unlike the error of
        confidence, it includes the probabilities of classes that are not predicted.

    Examples
    --------
    >>> round(classwise_calibration_error([[0.8, 0.2], [0.8, 0.2]], [0, 0]), 3)
    0.2
    """
    values, codes = check_rows(probabilities, true)
    errors = [
        expected_calibration_error(values[:, k], codes == k, n_bins=n_bins, strategy=strategy)
        for k in range(values.shape[1])
    ]
    return float(np.mean(errors))


def brier_score(probabilities: ArrayLike, true: ArrayLike) -> float:
    """Average the squared distance between probabilities and the true class.

    Parameters
    ----------
    probabilities, true
        As in `classwise_calibration_error`.

    Returns
    -------
    float
        From 0 (certain and right) to 2 (certain and wrong), summed over classes as in Brier 1950,
        "Verification of forecasts expressed in terms of probability", Mon. Weather Rev. 78(1).
        Uniform guessing scores ``1 - 1 / n_classes``.

    Examples
    --------
    >>> brier_score([[1.0, 0.0], [0.5, 0.5]], [0, 0])
    0.25
    """
    return float(row_brier(*check_rows(probabilities, true)).mean())


def negative_log_likelihood(probabilities: ArrayLike, true: ArrayLike) -> float:
    """Average minus the natural logarithm of the true class's probability.

    Parameters
    ----------
    probabilities, true
        As in `classwise_calibration_error`.

    Returns
    -------
    float
        In nats; uniform guessing scores ``log(n_classes)``. A probability of 0, which float32 can
        round to, counts as its smallest normal number, 1.2e-38.

    Examples
    --------
    >>> round(negative_log_likelihood([[0.5, 0.5]], [0]), 3)
    0.693
    """
    return float(row_log_loss(*check_rows(probabilities, true)).mean())


def row_brier(probabilities: Floats, codes: Codes) -> Floats:
    """Return the Brier score of each row."""
    outcomes = np.eye(probabilities.shape[1])[codes]
    squares: Floats = ((probabilities - outcomes) ** 2).sum(axis=1)
    return squares


def row_log_loss(probabilities: Floats, codes: Codes) -> Floats:
    """Return the negative log likelihood of each row."""
    true_class_probability = probabilities[np.arange(len(probabilities)), codes]
    loss: Floats = -np.log(np.maximum(true_class_probability, LEAST))
    return loss


def calibration_scores(
    probabilities: ArrayLike, true: ArrayLike, *, n_bins: int = N_BINS
) -> dict[str, Any]:
    """Compute every score of this module.

    Parameters
    ----------
    probabilities, true
        As in `classwise_calibration_error`.
    n_bins : int
        Number of bins.

    Returns
    -------
    dict
        ``n``, ``accuracy``, ``confidence`` (the mean), ``overconfidence`` (confidence minus
        accuracy), ``ece`` and ``ece_mass`` (bins of equal width, of equal mass),
        ``classwise_ece``, ``brier``, ``nll`` and ``aurc``.

    Examples
    --------
    >>> scores = calibration_scores([[0.8, 0.2], [0.4, 0.6]], [0, 0])
    >>> round(scores["overconfidence"], 2), round(scores["brier"], 2)
    (0.2, 0.4)
    """
    values, codes = check_rows(probabilities, true)
    confidence, correct = confidence_of(values, codes)
    ece = {
        name: expected_calibration_error(confidence, correct, n_bins=n_bins, strategy=strategy)
        for name, strategy in _STRATEGIES.items()
    }
    return {
        "n": len(values),
        "accuracy": float(correct.mean()),
        "confidence": float(confidence.mean()),
        "overconfidence": float(confidence.mean() - correct.mean()),
        **ece,
        "classwise_ece": classwise_calibration_error(values, codes, n_bins=n_bins),
        "brier": brier_score(values, codes),
        "nll": negative_log_likelihood(values, codes),
        "aurc": area_under_risk_coverage(confidence, correct),
    }
