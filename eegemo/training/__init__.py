"""Fit one fold, and keep what was learned.

`fit_fold` fits a model on the fold's training set, with early stopping on its validation set, and
predicts its test set once, after everything else. `fit_candidates` does the same with several
settings and keeps those that do best on the validation set. `fit_folds_jointly` and
`fit_candidates_jointly` fit many folds as one program.
"""

from eegemo.models.fit_data import class_weights
from eegemo.models.options import TrainingOptions
from eegemo.models.shapes import HISTORY
from eegemo.training.candidates import (
    Candidate,
    choose,
    fit_candidates,
    fit_candidates_jointly,
)
from eegemo.training.fold import (
    FittedFold,
    as_options,
    fit_fold,
    fit_folds_jointly,
    measure_latency,
    predict_windows,
    tabulate,
)

__all__ = [
    "HISTORY",
    "Candidate",
    "FittedFold",
    "TrainingOptions",
    "as_options",
    "choose",
    "class_weights",
    "fit_candidates",
    "fit_candidates_jointly",
    "fit_fold",
    "fit_folds_jointly",
    "measure_latency",
    "predict_windows",
    "tabulate",
]
