"""Calibration of a result: reliability, temperature scaling per fold, and abstention."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from eegemo.evaluation.calibration import (
    COVERAGES,
    N_BINS,
    TEMPERATURE_BOUNDS,
    apply_temperature,
    brier_score,
    calibration_scores,
    coverage_band,
    expected_calibration_error,
    fit_temperature,
    negative_log_likelihood,
    reliability_table,
    selective_accuracy,
    trial_intervals,
)
from eegemo.evaluation.predictions import TRIAL_KEYS, class_names, probabilities

__all__ = ["describe_calibration"]

Floats = NDArray[np.float64]


def describe_calibration(
    predictions: pd.DataFrame,
    trials: pd.DataFrame,
    validation: pd.DataFrame | None,
    folds: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Describe the calibration of probabilities, before and after temperature scaling per fold.

    Parameters
    ----------
    predictions, trials : DataFrame
        One row per test window, and per trial.
    validation : DataFrame or None
        One row per validation window of each fold, predicted by that fold's model.
    folds : sequence of mappings
        The record of each fold: ``fold`` and ``name``.

    Returns
    -------
    dict
        ``n_bins``; ``temperature``: None, or the ``folds`` (temperature, rows it was fitted on,
        losses before and after there and on the test set), ``median``, ``min``, ``max``, and
        ``n_at_bound``; ``without``: why there is no temperature, or None; ``levels``: for "window"
        and "trial", ``as_predicted`` and ``after_temperature`` (None where there is none, and for
        trials, whose votes are taken before). Each of them has all of
        `eegemo.evaluation.calibration.calibration_scores`, ``intervals`` of the means, which
        resample trials, ``bins`` (of equal "width" and "mass") and ``coverage``. ``change`` has the
        mean change of ``nll`` and ``brier`` by the temperatures, each with its interval. Ready for
        JSON.
    """
    temperatures, why = _fit(validation, [int(fold["fold"]) for fold in folds])
    outcome: dict[str, Any] = {
        "n_bins": N_BINS,
        "temperature": None,
        "without": why,
        "change": None,
    }
    window, trial = _Rows(predictions), _Rows(trials)
    after = None
    if temperatures:
        temperature = predictions["fold"].map(temperatures).to_numpy()
        scaled = apply_temperature(window.probabilities, temperature)
        after = window.describe(scaled)
        outcome["temperature"] = _by_fold(predictions, validation, folds, temperatures)
        outcome["change"] = window.change(scaled)
    outcome["levels"] = {
        "window": {
            "as_predicted": window.describe(window.probabilities),
            "after_temperature": after,
        },
        "trial": {"as_predicted": trial.describe(trial.probabilities), "after_temperature": None},
    }
    return outcome


def _fit(
    validation: pd.DataFrame | None, folds: Sequence[int]
) -> tuple[dict[int, float], str | None]:
    """Return a temperature per fold, or why there are none."""
    if validation is None:
        return {}, "No predictions of validation windows are stored"
    lacking = sorted(set(folds) - set(validation["fold"].unique()))
    if lacking:
        return {}, f"{len(lacking)} of {len(folds)} folds have no validation set"
    return {
        fold: fit_temperature(*_arrays(validation[validation["fold"] == fold])) for fold in folds
    }, None


def _by_fold(
    predictions: pd.DataFrame,
    validation: pd.DataFrame | None,
    folds: Sequence[Mapping[str, Any]],
    temperatures: Mapping[int, float],
) -> dict[str, Any]:
    assert validation is not None
    tables = {"validation": validation, "test": predictions}
    parts = {role: dict(list(table.groupby("fold"))) for role, table in tables.items()}
    rows = []
    for fold in folds:
        number = int(fold["fold"])
        temperature = temperatures[number]
        row: dict[str, Any] = {
            "fold": number,
            "name": str(fold["name"]),
            "temperature": temperature,
        }
        row["at_bound"] = temperature in TEMPERATURE_BOUNDS
        for role, by_fold in parts.items():
            part = by_fold[number]
            predicted, true = _arrays(part)
            row[f"n_{role}"] = len(part)
            row[f"n_{role}_trials"] = len(part[TRIAL_KEYS].drop_duplicates())
            scaled = apply_temperature(predicted, temperature)
            for when, values in (("before", predicted), ("after", scaled)):
                row[f"{role}_nll_{when}"] = negative_log_likelihood(values, true)
                row[f"{role}_brier_{when}"] = brier_score(values, true)
                row[f"{role}_ece_{when}"] = expected_calibration_error(
                    values.max(axis=1), values.argmax(axis=1) == true
                )
        rows.append(row)
    fitted = np.array([row["temperature"] for row in rows])
    return {
        "folds": rows,
        "median": float(np.median(fitted)),
        "min": float(fitted.min()),
        "max": float(fitted.max()),
        "n_at_bound": sum(row["at_bound"] for row in rows),
    }


def _codes(rows: pd.DataFrame) -> NDArray[np.intp]:
    return pd.Index(class_names(rows)).get_indexer(pd.Index(rows["y_true"])).astype(np.intp)


def _arrays(rows: pd.DataFrame) -> tuple[Floats, NDArray[np.intp]]:
    return probabilities(rows), _codes(rows)


class _Rows:
    """Rows of predictions, with the trial and the subject that each belongs to."""

    def __init__(self, rows: pd.DataFrame) -> None:
        self.probabilities, self.true = _arrays(rows)
        self.trial = rows.groupby(TRIAL_KEYS, sort=True).ngroup().to_numpy()
        self.subject = pd.factorize(rows["subject"], sort=True)[0]

    def _losses(self, predicted: Floats) -> dict[str, Floats]:
        rows = np.arange(len(predicted))
        true_class_probability = np.maximum(predicted[rows, self.true], np.finfo(np.float32).tiny)
        return {
            "nll": -np.log(true_class_probability),
            "brier": ((predicted - np.eye(predicted.shape[1])[self.true]) ** 2).sum(axis=1),
        }

    def change(self, scaled: Floats) -> dict[str, Any]:
        """Return the mean change of each loss, with intervals."""
        before, after = self._losses(self.probabilities), self._losses(scaled)
        gaps = {name: after[name] - before[name] for name in before}
        limits = trial_intervals(np.stack(list(gaps.values()), axis=1), self.trial, self.subject)
        return {
            name: {"mean": float(gap.mean()), "interval": _pair(interval)}
            for (name, gap), interval in zip(gaps.items(), limits, strict=True)
        }

    def describe(self, predicted: Floats) -> dict[str, Any]:
        """Return all scores, intervals, bins and the curve of coverage."""
        confidence = predicted.max(axis=1)
        correct = (predicted.argmax(axis=1) == self.true).astype(np.float64)
        means = {"overconfidence": confidence - correct, **self._losses(predicted)}
        limits = trial_intervals(np.stack(list(means.values()), axis=1), self.trial, self.subject)
        curve = selective_accuracy(confidence, correct, COVERAGES)
        band = coverage_band(confidence, correct, self.trial, self.subject, coverages=COVERAGES)
        return {
            **calibration_scores(predicted, self.true),
            "intervals": dict(zip(means, map(_pair, limits), strict=True)),
            "bins": {
                strategy: self._bins(confidence, correct, strategy)
                for strategy in ("width", "mass")
            },
            "coverage": _records(curve.assign(low=band[:, 0], high=band[:, 1])),
        }

    def _bins(self, confidence: Floats, correct: Floats, strategy: Any) -> list[dict[str, Any]]:
        table = reliability_table(confidence, correct, strategy=strategy)
        inner = table["high"].to_numpy()[:-1]
        member = np.eye(len(table))[np.searchsorted(inner, confidence, side="left")]
        values = np.broadcast_to(correct[:, np.newaxis], member.shape)
        limits = trial_intervals(values, self.trial, self.subject, weights=member)
        return _records(table.assign(accuracy_low=limits[:, 0], accuracy_high=limits[:, 1]))


def _pair(interval: Floats) -> list[float] | None:
    return interval.tolist() if np.isfinite(interval).all() else None


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table, ready for JSON: None for what is not known."""
    return [
        {str(k): None if isinstance(v, float) and math.isnan(v) else v for k, v in row.items()}
        for row in table.to_dict("records")
    ]
