"""What will happen, and what is wrong, in plain words and before anything starts.

`check_experiment` reads the data an experiment names and works out its folds, windows, bytes and
about how long it takes; `check_data` looks at a data folder by itself. Neither writes anything.
"""

from .experiment import CheckedExperiment, check_experiment
from .files import CheckedData, FileState, check_data, is_data_folder
from .words import show_data, show_experiment

__all__ = [
    "CheckedData",
    "CheckedExperiment",
    "FileState",
    "check_data",
    "check_experiment",
    "is_data_folder",
    "show_data",
    "show_experiment",
]
