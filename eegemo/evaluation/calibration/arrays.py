"""Shared by this folder: checked arrays, and the confidence of rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eegemo.errors import ResultError

Floats = NDArray[np.float64]
Codes = NDArray[np.intp]

# Probabilities are stored as float32, whose softmax can underflow to 0: below its smallest normal
# number they are taken as that number, so that a logarithm is never infinite.
LEAST = float(np.finfo(np.float32).tiny)


def check_rows(probabilities: ArrayLike, true: ArrayLike) -> tuple[Floats, Codes]:
    """Return probabilities and classes as arrays; ResultError if they do not fit."""
    values, codes = np.asarray(probabilities, dtype=np.float64), np.asarray(true, dtype=np.intp)
    if values.ndim != 2 or codes.shape != values.shape[:1] or not len(values):
        raise ResultError(
            f"Expected one true class for each of one or more rows of probabilities, found shapes "
            f"{codes.shape} and {values.shape}."
        )
    if codes.min() < 0 or codes.max() >= values.shape[1]:
        raise ResultError(
            f"Expected true classes from 0 to {values.shape[1] - 1}, found {codes.min()} to "
            f"{codes.max()}."
        )
    return values, codes


def confidence_of(probabilities: Floats, codes: Codes) -> tuple[Floats, Floats]:
    """Return each row's confidence, and 1.0 where it names the true class."""
    named = probabilities.argmax(axis=1)
    rows = np.arange(len(probabilities))
    return probabilities[rows, named], (named == codes).astype(np.float64)
