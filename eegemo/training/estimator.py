"""Fit the baseline, logistic regression on band power, and say how well it fits."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from eegemo.models.band_power import (
    build_band_power_logreg,
    fit_band_power_logreg,
    predict_band_power_logreg,
)
from eegemo.scaling import Scaling
from eegemo.windows import Windows

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

__all__ = ["fit_estimator"]


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
    began = time.perf_counter()
    options = {name: value for name, value in model.items() if name != "name"}
    pipeline = build_band_power_logreg(
        **options,
        sfreq=windows.trials.sfreq,
        class_weight=class_weight,  # type: ignore[arg-type]
        ch_names=windows.trials.ch_names,
    )
    known: dict[str, Any] = {"scaling": scaling, "features": features}
    fit_band_power_logreg(pipeline, windows, rows, **known)
    p = predict_band_power_logreg(pipeline, windows, rows, **known)
    codes = windows.codes[rows]
    weight = np.ones(len(codes))
    if class_weight == "balanced":
        weight = 1 / np.bincount(codes)[codes]
    own = np.clip(p[np.arange(len(codes)), codes], 1e-7, 1)
    return pipeline, {
        "loss": float(np.average(-np.log(own), weights=weight)),
        "accuracy": float(np.average(p.argmax(axis=1) == codes, weights=weight)),
        "seconds": time.perf_counter() - began,
    }
