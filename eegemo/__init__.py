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
    "find_recordings": "datasets",
    "Dataset": "datasets",
    "Memory": "datasets.memory",
    "simulate_dreamer": "simulation",
    "read_epochs_deap": "datasets.deap",
    "read_raw_deap": "datasets.deap",
    "find_trials_deap": "datasets.deap",
    "simulate_deap": "simulation",
    "preprocess": "preprocessing",
    "preprocess_experiment": "runs.signals",
    "make_labels": "labels",
    "make_trials": "trials",
    "store_trials": "trials",
    "load_trials": "trials",
    "make_windows": "windows",
    "fit_scaling": "scaling",
    "make_folds": "splits",
    "check_folds": "splits",
    "build_model": "models",
    "fit_fold": "training",
    "predict_windows": "training",
    "predict_recording": "inference",
    "read_predictions": "evaluation",
    "predicted_classes": "evaluation",
    "vote": "evaluation",
    "evaluate": "evaluation",
    "score": "evaluation",
    "confusion_matrix": "evaluation",
    "open_result": "results",
    "write_report": "report",
    "compare": "comparison",
    "run_experiment": "runs.run",
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
    from eegemo.audit import audit_experiment as audit_experiment
    from eegemo.audit import read_audit as read_audit
    from eegemo.comparison import compare as compare
    from eegemo.config import load_experiment as load_experiment
    from eegemo.config import parse_experiment as parse_experiment
    from eegemo.datasets import Dataset as Dataset
    from eegemo.datasets import find_recordings as find_recordings
    from eegemo.datasets.deap import find_trials_deap as find_trials_deap
    from eegemo.datasets.deap import read_epochs_deap as read_epochs_deap
    from eegemo.datasets.deap import read_raw_deap as read_raw_deap
    from eegemo.datasets.memory import Memory as Memory
    from eegemo.errors import EegemoError as EegemoError
    from eegemo.evaluation import confusion_matrix as confusion_matrix
    from eegemo.evaluation import evaluate as evaluate
    from eegemo.evaluation import predicted_classes as predicted_classes
    from eegemo.evaluation import read_predictions as read_predictions
    from eegemo.evaluation import score as score
    from eegemo.evaluation import vote as vote
    from eegemo.inference import predict_recording as predict_recording
    from eegemo.labels import make_labels as make_labels
    from eegemo.models import build_model as build_model
    from eegemo.preprocessing import preprocess as preprocess
    from eegemo.report import write_report as write_report
    from eegemo.results import open_result as open_result
    from eegemo.runs.run import run_experiment as run_experiment
    from eegemo.runs.signals import preprocess_experiment as preprocess_experiment
    from eegemo.scaling import fit_scaling as fit_scaling
    from eegemo.simulation import simulate_deap as simulate_deap
    from eegemo.simulation import simulate_dreamer as simulate_dreamer
    from eegemo.splits import check_folds as check_folds
    from eegemo.splits import make_folds as make_folds
    from eegemo.training import fit_fold as fit_fold
    from eegemo.training import predict_windows as predict_windows
    from eegemo.trials import load_trials as load_trials
    from eegemo.trials import make_trials as make_trials
    from eegemo.trials import store_trials as store_trials
    from eegemo.windows import make_windows as make_windows
