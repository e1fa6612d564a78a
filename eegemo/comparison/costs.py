"""Costs of results: size, arithmetic, time and memory, as recorded by their folds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from eegemo.results import Result


def costs(result: Result) -> dict[str, Any]:
    """Collect the costs of a result; costs that were not recorded are None.

    Parameters
    ----------
    result : Result
        A result; older results have recorded less.

    Returns
    -------
    dict
        ``n_parameters`` and ``multiply_adds`` (of one window; median over folds, which differ only
        with hyperparameter selection in each fold, and ``..._min``, ``..._max``), ``fit_seconds``
        (all folds), ``fit_seconds_per_fold`` (mean), ``epochs_per_fold`` (mean), ``latency_ms``
        (one window at a time; median over folds), ``predict_ms_per_window`` (in batches),
        ``wall_seconds`` and ``peak_memory_bytes`` (of the whole run), ``fit_memory_bytes``
        (largest process that fitted a fold) and ``device``.
    """
    folds = result.records
    fit = [float(fold["seconds"]["fit"]) for fold in folds]
    predict = sum(float(fold["seconds"]["predict"]) for fold in folds)
    windows = sum(int(fold["n_windows"]["test"]) for fold in folds)
    latency = _known(_entry(fold, "cost", "latency_seconds") for fold in folds)
    memory = _known(_entry(fold, "made_with", "peak_memory_bytes") for fold in folds)
    # older folds have no parameter counts, but the run has
    sizes = _known(fold.get("n_parameters") for fold in folds)
    sizes = sizes or _known([result.provenance["model"]["n_parameters"]])
    return {
        **_range("n_parameters", sizes),
        **_range("multiply_adds", _known(_entry(fold, "cost", "multiply_adds") for fold in folds)),
        "fit_seconds": sum(fit),
        "fit_seconds_per_fold": float(np.mean(fit)),
        "epochs_per_fold": float(np.mean([fold["epochs"] for fold in folds])),
        "latency_ms": 1000 * float(np.median(latency)) if latency else None,
        "predict_ms_per_window": 1000 * predict / max(windows, 1),
        "wall_seconds": float(result.provenance["wall_seconds"]),
        "peak_memory_bytes": int(result.provenance["peak_memory_bytes"]),
        "fit_memory_bytes": int(max(memory)) if memory else None,
        "device": str(result.provenance["device"]),
    }


def _entry(fold: Mapping[str, Any], section: str, key: str) -> Any:
    found = fold.get(section)
    return found.get(key) if isinstance(found, Mapping) else None


def _known(values: Iterable[Any]) -> list[float]:
    """Keep numbers; older folds, and models that do not report their costs, have none."""
    return [
        float(value)
        for value in values
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    ]


def _range(name: str, values: list[float]) -> dict[str, int | None]:
    if not values:
        return {name: None, f"{name}_min": None, f"{name}_max": None}
    return {
        name: round(float(np.median(values))),
        f"{name}_min": int(min(values)),
        f"{name}_max": int(max(values)),
    }
