"""Fit one fold, and keep what was learned.

`fit_fold` trains by the fold's training windows, stops by its validation windows, and predicts its
test windows once, after everything else. `fit_candidates` does the same with several settings and
keeps those that do best on the validation windows. `fit_folds_together` and
`fit_candidates_together` do so for many folds at once. Keras is imported only for networks.
"""

from typing import TYPE_CHECKING, Any

from eegemo.models.base import HISTORY, class_weights
from eegemo.training.candidates import Candidate, choose, fit_candidates
from eegemo.training.fold import (
    FittedFold,
    fit_fold,
    measure_latency,
    predict_windows,
    save_model,
    tabulate,
)
from eegemo.training.together import can_fit_together, fit_candidates_together, fit_folds_together

if TYPE_CHECKING:
    from eegemo.models.keras.batches import Batches

__all__ = [
    "HISTORY",
    "Batches",
    "Candidate",
    "FittedFold",
    "can_fit_together",
    "choose",
    "class_weights",
    "fit_candidates",
    "fit_candidates_together",
    "fit_fold",
    "fit_folds_together",
    "measure_latency",
    "predict_windows",
    "save_model",
    "tabulate",
]


def __getattr__(name: str) -> Any:
    if name == "Batches":  # a Keras class, so it comes with Keras
        from eegemo.models.keras.batches import Batches

        return Batches
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
