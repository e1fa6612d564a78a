"""Fit the baseline: logistic regression on the log band power of windows.

Power does not depend on a window's mean, and scaling a channel by a gain adds ``2 log(gain)`` to
its log power. So features are computed once, from volts, and every fold's scaling is added to them:
the result is that of scaled windows, and no fold reads a signal.
"""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from eegemo.models.band_power import build_band_power_logreg, predict_all_classes
from eegemo.scaling import Scaling
from eegemo.windows import Windows

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

__all__ = ["fit_estimator", "predict_estimator"]

# Windows in memory at a time, where features have to be computed.
_BATCH = 2048


def fit_estimator(
    windows: Windows,
    rows: np.ndarray,
    *,
    model: Mapping[str, Any],
    scaling: Scaling,
    class_weight: str,
    features: np.ndarray | None,
) -> "tuple[Pipeline, dict[str, float]]":
    """Fit by the windows `rows`; return the pipeline, and loss, accuracy and seconds of the fit."""
    from threadpoolctl import threadpool_limits

    began = time.perf_counter()
    options = {name: value for name, value in model.items() if name != "name"}
    pipeline = build_band_power_logreg(
        **options,
        sfreq=windows.trials.sfreq,
        class_weight=class_weight,  # type: ignore[arg-type]
        ch_names=windows.trials.ch_names,
    )
    codes = windows.codes[rows]
    x = _scaled_features(pipeline, windows, rows, scaling, features)
    # sums taken over several threads are rounded differently than over one
    with threadpool_limits(1):
        pipeline[1:].fit(x, codes)
    n_classes = len(windows.labels.classes)
    p = predict_all_classes(pipeline[1:], x, n_classes)
    present, weight = np.bincount(codes, minlength=n_classes), np.ones(len(codes))
    if class_weight == "balanced":
        weight = 1 / present[codes]
    own = np.clip(p[np.arange(len(codes)), codes], 1e-7, 1)
    return pipeline, {
        "loss": float(np.average(-np.log(own), weights=weight)),
        "accuracy": float(np.average(p.argmax(axis=1) == codes, weights=weight)),
        "seconds": time.perf_counter() - began,
    }


def predict_estimator(
    pipeline: "Pipeline",
    windows: Windows,
    rows: np.ndarray,
    scaling: Scaling,
    features: np.ndarray | None = None,
) -> np.ndarray:
    """Return class probabilities, shape (n, n_classes); 0 for classes that training lacked."""
    from threadpoolctl import threadpool_limits

    x = _scaled_features(pipeline, windows, rows, scaling, features)
    with threadpool_limits(1):
        return predict_all_classes(pipeline[1:], x, len(windows.labels.classes))


def _scaled_features(
    pipeline: "Pipeline",
    windows: Windows,
    rows: np.ndarray,
    scaling: Scaling,
    features: np.ndarray | None,
) -> np.ndarray:
    """Return the features of scaled windows, shape (n, n_channels * n_bands)."""
    power = pipeline[0]
    power.fit(np.zeros((1, windows.n_times, windows.n_channels), np.float32))
    unit = scaling.unit_of(windows)
    own = None if unit is None else unit[rows]
    if features is not None and scaling.fit != "window":
        x: np.ndarray = np.asarray(features[rows], float)
        if scaling.steps:
            gain = scaling.gain.astype(float)[np.zeros(len(rows), int) if own is None else own]
            shift = 2 * np.log(np.maximum(np.abs(gain), np.finfo(np.float32).tiny))
            x += np.repeat(shift, len(power.bands), axis=1)
        return x
    found = np.empty((len(rows), windows.n_channels * len(power.bands)))
    for first in range(0, len(rows), _BATCH):
        part = slice(first, first + _BATCH)
        scaled = scaling.transform(windows.gather(rows[part]), None if own is None else own[part])
        found[part] = power.transform(scaled)
    return found
