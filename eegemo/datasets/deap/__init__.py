"""DEAP, preprocessed (for Python or MATLAB) or as it was recorded."""

from eegemo.datasets.deap.channels import RawDeap
from eegemo.datasets.deap.constants import DEAP_CHANNELS, DEAP_EEG_CHANNELS
from eegemo.datasets.deap.dataset import find_recordings_deap
from eegemo.datasets.deap.preprocessed import load_deap_arrays, read_epochs_deap
from eegemo.datasets.deap.raw import read_raw_deap
from eegemo.datasets.deap.trials import DeapCut, find_trials_deap

__all__ = [
    "DEAP_CHANNELS",
    "DEAP_EEG_CHANNELS",
    "DeapCut",
    "RawDeap",
    "find_recordings_deap",
    "find_trials_deap",
    "load_deap_arrays",
    "read_epochs_deap",
    "read_raw_deap",
]
