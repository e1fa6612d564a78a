"""Multinomial logistic regression, fitted fast: for the many fits of a null distribution.

The objective is scikit-learn's, so the solution is, too, up to the tolerance of either. What makes
it fast is a change of variables by a bound on the curvature (Böhning 1992, "Multinomial logistic
regression algorithm", Ann. Inst. Statist. Math. 44:197-200): features that go together no longer
slow L-BFGS down.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg
import scipy.optimize
from numpy.typing import NDArray

__all__ = ["fit_logistic", "logistic_probabilities"]

Floats = NDArray[np.float64]


def fit_logistic(
    x: Floats,
    codes: NDArray[np.integer[Any]],
    *,
    n_classes: int,
    C: float = 1.0,
    sample_weight: Floats | None = None,
    max_iter: int = 200,
) -> Floats:
    """Fit multinomial logistic regression with an L2 penalty on the weights.

    Parameters
    ----------
    x : ndarray, shape (n, n_features)
        Features of about the same scale.
    codes : ndarray of int, shape (n,)
        Classes from 0; some may be missing.
    n_classes : int
    C : float
        Inverse strength of the penalty, as in scikit-learn.
    sample_weight : ndarray, shape (n,), optional
    max_iter : int

    Returns
    -------
    weights : ndarray, shape (n_features + 1, n_classes)
        The last row are the intercepts. Classes that are missing have an intercept of minus
        infinity.

    Examples
    --------
    >>> x = np.array([[-2.0], [-1.0], [1.0], [2.0]])
    >>> weights = fit_logistic(x, np.array([0, 0, 1, 1]), n_classes=2)
    >>> logistic_probabilities(x, weights).argmax(axis=1).tolist()
    [0, 0, 1, 1]
    """
    present, y = np.unique(codes, return_inverse=True)
    k, (n, d) = len(present), x.shape
    full = np.zeros((d + 1, n_classes))
    full[d] = -np.inf
    if k == 1:
        full[d, present] = 0.0
        return full
    w = np.ones(n) if sample_weight is None else np.asarray(sample_weight, float)
    # two classes: scikit-learn has one vector of weights, the difference of these two
    penalty = (2.0 if k == 2 else 1.0) / C
    # single precision halves the time, and its rounding is far below the tolerance
    ones = np.ones((n, d + 1), np.float32)
    ones[:, :d] = x
    w32 = w.astype(np.float32)[:, np.newaxis]
    penalised = np.append(np.full(d, penalty), 0.0)
    # the curvature is at most half of this for any probabilities
    bound = 0.5 * ((ones * w32).T @ ones).astype(float) + np.diag(penalised)
    bound[d, d] += 1e-9 * w.sum()
    root = scipy.linalg.cholesky(bound, lower=False)
    target = np.zeros((n, k), np.float32)
    target[np.arange(n), y] = 1.0

    def loss(flat: Floats) -> tuple[float, Floats]:
        weights = scipy.linalg.solve_triangular(root, flat.reshape(d + 1, k))
        scores = ones @ weights.astype(np.float32)
        scores -= scores.max(axis=1, keepdims=True)
        own = (scores * target).sum(axis=1)
        np.exp(scores, out=scores)
        total = scores.sum(axis=1, keepdims=True)
        value = float(w @ (np.log(total[:, 0]) - own)) + 0.5 * float(
            (penalised[:, np.newaxis] * weights**2).sum()
        )
        scores /= total
        scores -= target
        scores *= w32
        slope = (ones.T @ scores).astype(float) + penalised[:, np.newaxis] * weights
        return value, scipy.linalg.solve_triangular(root, slope, trans="T").ravel()

    found = scipy.optimize.minimize(
        loss,
        np.zeros((d + 1) * k),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": max_iter, "gtol": 1e-3 * np.sqrt(w.sum()), "ftol": 1e-6},
    )
    full[:, present] = scipy.linalg.solve_triangular(root, found.x.reshape(d + 1, k))
    return full


def logistic_probabilities(x: Floats, weights: Floats) -> Floats:
    """Return class probabilities, shape (n, n_classes).

    Parameters
    ----------
    x : ndarray, shape (n, n_features)
    weights : ndarray, shape (n_features + 1, n_classes)
        Of `fit_logistic`.
    """
    scores = np.asarray(x, float) @ weights[:-1] + weights[-1]
    scores -= scores.max(axis=1, keepdims=True)
    exponentials = np.exp(scores)
    probabilities: Floats = exponentials / exponentials.sum(axis=1, keepdims=True)
    return probabilities
