"""Emotion classification from EEG that can be believed.

The path the data takes is the order of the modules: recordings, preprocessing, labels, trials,
windows, splits, models, training, predictions, metrics, statistics, figures, report, comparison,
audit. Everything public is also reachable from here, and is imported only when it is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

#: Public name -> module that defines it.
_PUBLIC = {
    "EegemoError": "errors",
    "load_experiment": "config",
    "parse_experiment": "config",
    "find_recordings": "recordings",
    "read_epochs_deap": "recordings",
    "read_raw_deap": "recordings",
    "find_trials_deap": "recordings",
    "simulate_deap": "recordings",
    "preprocess": "preprocessing",
    "preprocess_experiment": "quality",
    "make_labels": "labels",
    "make_trials": "trials",
    "store_trials": "trials",
    "load_trials": "trials",
    "make_windows": "windows",
    "fit_scaling": "scaling",
    "make_folds": "splits",
    "check_folds": "folds",
    "build_model": "models",
    "fit_fold": "training",
    "predict_windows": "training",
    "predict_recording": "applying",
    "read_predictions": "predictions",
    "predicted_classes": "predictions",
    "vote": "predictions",
    "evaluate": "metrics",
    "score": "metrics",
    "confusion_matrix": "metrics",
    "write_report": "report",
    "compare": "comparison",
    "run_experiment": "pipeline",
    "audit_experiment": "audit",
    "read_audit": "audit",
}

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(import_module(f".{_PUBLIC[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))


if TYPE_CHECKING:
    from .applying import predict_recording as predict_recording
    from .audit import audit_experiment as audit_experiment
    from .audit import read_audit as read_audit
    from .comparison import compare as compare
    from .config import load_experiment as load_experiment
    from .config import parse_experiment as parse_experiment
    from .errors import EegemoError as EegemoError
    from .folds import check_folds as check_folds
    from .labels import make_labels as make_labels
    from .metrics import confusion_matrix as confusion_matrix
    from .metrics import evaluate as evaluate
    from .metrics import score as score
    from .models import build_model as build_model
    from .pipeline import run_experiment as run_experiment
    from .predictions import predicted_classes as predicted_classes
    from .predictions import read_predictions as read_predictions
    from .predictions import vote as vote
    from .preprocessing import preprocess as preprocess
    from .quality import preprocess_experiment as preprocess_experiment
    from .recordings import find_recordings as find_recordings
    from .recordings import find_trials_deap as find_trials_deap
    from .recordings import read_epochs_deap as read_epochs_deap
    from .recordings import read_raw_deap as read_raw_deap
    from .recordings import simulate_deap as simulate_deap
    from .report import write_report as write_report
    from .scaling import fit_scaling as fit_scaling
    from .splits import make_folds as make_folds
    from .training import fit_fold as fit_fold
    from .training import predict_windows as predict_windows
    from .trials import load_trials as load_trials
    from .trials import make_trials as make_trials
    from .trials import store_trials as store_trials
    from .windows import make_windows as make_windows
