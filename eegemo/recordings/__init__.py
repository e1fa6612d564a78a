"""From files to signals: one finder per source, all giving `Recording` objects.

A further data set is a further file here and a line in `SOURCES`.
"""

from collections.abc import Callable
from typing import Any

from eegemo.errors import ConfigError
from eegemo.recordings.base import RATINGS, Recording, Run
from eegemo.recordings.bids import find_recordings_bids
from eegemo.recordings.deap import (
    DEAP_CHANNELS,
    DEAP_EEG_CHANNELS,
    EMOTIV_CHANNELS,
    load_deap_arrays,
    read_epochs_deap,
)
from eegemo.recordings.deap_channels import RawDeap
from eegemo.recordings.deap_raw import read_raw_deap
from eegemo.recordings.deap_release import find_recordings_deap
from eegemo.recordings.deap_trials import DeapCut, find_trials_deap
from eegemo.recordings.simulated import (
    SimulatedRelease,
    is_simulated,
    read_simulation,
    simulate_deap,
)

__all__ = [
    "DEAP_CHANNELS",
    "DEAP_EEG_CHANNELS",
    "EMOTIV_CHANNELS",
    "RATINGS",
    "SOURCES",
    "DeapCut",
    "RawDeap",
    "Recording",
    "Run",
    "SimulatedRelease",
    "find_recordings",
    "find_recordings_bids",
    "find_recordings_deap",
    "find_trials_deap",
    "is_simulated",
    "load_deap_arrays",
    "read_epochs_deap",
    "read_raw_deap",
    "read_simulation",
    "simulate_deap",
]

#: Name of a source -> function ``(root, **options) -> list of Recording``.
SOURCES: dict[str, Callable[..., Any]] = {
    "deap": find_recordings_deap,
    "bids": find_recordings_bids,
}


def find_recordings(source: str, root: str, **options: Any) -> list[Recording]:
    """Find the recordings of a data set, one per subject, without opening the signals.

    Parameters
    ----------
    source : {"deap", "bids"}
    root : str
        The data set's folder.
    **options
        As the source's own finder takes them: `find_recordings_deap`, `find_recordings_bids`.

    Returns
    -------
    recordings : list of Recording
        Sorted by subject.

    Raises
    ------
    ConfigError
        If there is no such source.
    DataError
        If the folder is not such a data set, or a subject is not in it.
    """
    if source not in SOURCES:
        raise ConfigError(f"data: source {source!r} is not known; there are {', '.join(SOURCES)}.")
    found: list[Recording] = list(SOURCES[source](root, **options))
    return found
