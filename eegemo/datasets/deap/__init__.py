"""DEAP: preprocessed files (for Python or MATLAB) and original recordings."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from eegemo.datasets.deap.constants import DEAP_CHANNELS, DEAP_EEG_CHANNELS
from eegemo.datasets.deap.dataset import Deap

if TYPE_CHECKING:
    from eegemo.datasets.deap.channels import RawDeap as RawDeap
    from eegemo.datasets.deap.finding import find_recordings_deap as find_recordings_deap
    from eegemo.datasets.deap.preprocessed import load_deap_arrays as load_deap_arrays
    from eegemo.datasets.deap.preprocessed import read_epochs_deap as read_epochs_deap
    from eegemo.datasets.deap.raw import read_raw_deap as read_raw_deap
    from eegemo.datasets.deap.trials import DeapCut as DeapCut
    from eegemo.datasets.deap.trials import find_trials_deap as find_trials_deap

__all__ = [
    "DEAP_CHANNELS",
    "DEAP_EEG_CHANNELS",
    "Deap",
    "DeapCut",
    "RawDeap",
    "find_recordings_deap",
    "find_trials_deap",
    "load_deap_arrays",
    "read_epochs_deap",
    "read_raw_deap",
]

#: Name -> module of this folder that defines it; MNE is imported when one is used.
_HOMES = {
    "DeapCut": "trials",
    "RawDeap": "channels",
    "find_recordings_deap": "finding",
    "find_trials_deap": "trials",
    "load_deap_arrays": "preprocessed",
    "read_epochs_deap": "preprocessed",
    "read_raw_deap": "raw",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
