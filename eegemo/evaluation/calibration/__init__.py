"""Calibration of probabilities: reliability, temperature scaling, and abstention.

A prediction's confidence is the probability of the class it names. A model is calibrated if, of all
predictions made with confidence 0.7, 70 % are right; it is useful for abstention if predictions
of higher confidence are right more often. Everything here takes arrays: probabilities of shape
``(n_rows, n_classes)`` and the number of each row's true class.

Rows (windows) of one trial are not independent, so `trial_intervals` and `coverage_band`
resample trials, as `eegemo.evaluation.statistics.bootstrap_interval` does.
"""

from eegemo.evaluation.calibration.abstention import (
    COVERAGES,
    area_under_risk_coverage,
    selective_accuracy,
)
from eegemo.evaluation.calibration.reliability import (
    N_BINS,
    brier_score,
    calibration_scores,
    classwise_calibration_error,
    expected_calibration_error,
    negative_log_likelihood,
    reliability_table,
)
from eegemo.evaluation.calibration.resampling import coverage_band, trial_intervals
from eegemo.evaluation.calibration.temperature import (
    TEMPERATURE_BOUNDS,
    apply_temperature,
    fit_temperature,
)

__all__ = [
    "COVERAGES",
    "N_BINS",
    "TEMPERATURE_BOUNDS",
    "apply_temperature",
    "area_under_risk_coverage",
    "brier_score",
    "calibration_scores",
    "classwise_calibration_error",
    "coverage_band",
    "expected_calibration_error",
    "fit_temperature",
    "negative_log_likelihood",
    "reliability_table",
    "selective_accuracy",
    "trial_intervals",
]
