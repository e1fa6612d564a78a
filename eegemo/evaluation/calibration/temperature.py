"""Temperature scaling: one number per model that lowers or raises its confidence."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar

from eegemo.evaluation.calibration.arrays import LEAST, Floats, check_rows

TEMPERATURE_BOUNDS = (0.05, 20.0)
"""Where a temperature is searched. Networks are usually found between 1 and 5. A model
without any information has no best temperature (the higher, the better), and gets the upper
bound."""


def fit_temperature(
    probabilities: ArrayLike,
    true: ArrayLike,
    *,
    bounds: tuple[float, float] = TEMPERATURE_BOUNDS,
) -> float:
    """Fit the temperature with the highest likelihood on held-out data.

    Logits are known from probabilities up to a constant per row, which a softmax ignores, so
    logarithms of probabilities take their place.

    Parameters
    ----------
    probabilities, true
        As in `classwise_calibration_error`; of validation rows, never of test rows.
    bounds : (float, float)
        Range of the search.

    Returns
    -------
    float
        The temperature with the least negative log likelihood (Guo et al. 2017, sec. 4.2). Above 1
        the model was overconfident, below 1 underconfident. The likelihood has one optimum, since
        it is concave in ``1 / temperature``; it is searched in the logarithm of the temperature to
        1e-6. One within 0.1 % of a bound is the bound: more would have been better.

    Examples
    --------
    >>> probabilities = np.tile([[0.9, 0.1]], (10, 1))
    >>> round(fit_temperature(probabilities, [0] * 8 + [1] * 2), 3)  # log 9 / log 4
    1.585
    """
    values, codes = check_rows(probabilities, true)
    low, high = bounds
    if not 0 < low < high:
        raise ValueError(f"bounds: expected two rising positive numbers, found {bounds}.")
    logits = np.log(np.maximum(values, LEAST))
    rows = np.arange(len(values))

    def loss(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        top = scaled.max(axis=1)
        sums = top + np.log(np.exp(scaled - top[:, np.newaxis]).sum(axis=1))
        return float((sums - scaled[rows, codes]).mean())

    limits = (float(np.log(low)), float(np.log(high)))
    found = minimize_scalar(loss, bounds=limits, method="bounded", options={"xatol": 1e-6})
    # where nothing changes, as for probabilities that are all alike, there is nothing to scale
    if low <= 1 <= high and loss(0.0) <= found.fun:
        return 1.0
    for bound, limit in zip(bounds, limits, strict=True):
        if abs(found.x - limit) < 1e-3 or loss(limit) <= found.fun:
            return float(bound)
    return float(np.exp(found.x))


def apply_temperature(probabilities: ArrayLike, temperature: float | ArrayLike) -> Floats:
    """Divide the logits behind probabilities by a temperature.

    Parameters
    ----------
    probabilities : array-like, shape (n_rows, n_classes)
        Predicted probabilities.
    temperature : float or array-like, shape (n_rows,)
        One for all rows, or one for each.

    Returns
    -------
    ndarray, shape (n_rows, n_classes)
        Rows sum to 1. The order of classes within a row, and so the predicted class, stays.

    Examples
    --------
    >>> apply_temperature([[0.9, 0.1]], 2.0).round(2).tolist()
    [[0.75, 0.25]]
    """
    values = np.asarray(probabilities, dtype=np.float64)
    divisors = np.broadcast_to(np.asarray(temperature, dtype=np.float64), values.shape[:1])
    scaled = np.log(np.maximum(values, LEAST)) / divisors[:, np.newaxis]
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    cooled: Floats = powers / powers.sum(axis=1, keepdims=True)
    return cooled
