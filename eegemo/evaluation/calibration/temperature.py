"""Temperature scaling: one number per model that makes it less sure, or more."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize_scalar

from eegemo.evaluation.calibration.arrays import LEAST, Floats, check_rows

TEMPERATURE_BOUNDS = (0.05, 20.0)
"""Where a temperature is searched. Networks are usually found between 1 and 5. A model that knows
nothing has no best temperature (the higher, the better), and is then given the upper bound."""


def fit_temperature(
    probabilities: ArrayLike,
    true: ArrayLike,
    *,
    bounds: tuple[float, float] = TEMPERATURE_BOUNDS,
) -> float:
    """Find the temperature that makes probabilities most likely on data set aside for it.

    Logits are known from probabilities up to a constant per row, which a softmax ignores, so
    logarithms of probabilities take their place.

    Parameters
    ----------
    probabilities, true
        As in `classwise_calibration_error`; of validation rows, never of those to be judged.
    bounds : (float, float)
        Where to look.

    Returns
    -------
    float
        The temperature with the least negative log likelihood (Guo et al. 2017, sec. 4.2). Above 1
        the model was too sure, below 1 not sure enough. The likelihood has one optimum, since it
        is concave in ``1 / temperature``; it is searched in the logarithm of the temperature to
        1e-6. One within 0.1 % of a bound is the bound: more would have been better.

    Examples
    --------
    >>> p = np.tile([[0.9, 0.1]], (10, 1))
    >>> round(fit_temperature(p, [0] * 8 + [1] * 2), 3)  # log 9 / log 4
    1.585
    """
    p, codes = check_rows(probabilities, true)
    low, high = bounds
    if not 0 < low < high:
        raise ValueError(f"bounds: expected two rising positive numbers, found {bounds}.")
    logits = np.log(np.maximum(p, LEAST))
    rows = np.arange(len(p))

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
        Rows sum to 1. The order of classes within a row stays, and with it what is predicted.

    Examples
    --------
    >>> apply_temperature([[0.9, 0.1]], 2.0).round(2).tolist()
    [[0.75, 0.25]]
    """
    p = np.asarray(probabilities, dtype=np.float64)
    heat = np.broadcast_to(np.asarray(temperature, dtype=np.float64), p.shape[:1])
    scaled = np.log(np.maximum(p, LEAST)) / heat[:, np.newaxis]
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    cooled: Floats = powers / powers.sum(axis=1, keepdims=True)
    return cooled
