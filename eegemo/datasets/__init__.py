"""From files to recordings: one finder per data set, all giving `Recording` objects."""

from collections.abc import Callable
from typing import Any

from eegemo.datasets.base import RATINGS, Recording, Run
from eegemo.datasets.bids.dataset import find_recordings_bids
from eegemo.datasets.channels import EMOTIV_CHANNELS
from eegemo.datasets.deap.dataset import find_recordings_deap
from eegemo.errors import ConfigError

__all__ = [
    "EMOTIV_CHANNELS",
    "RATINGS",
    "SOURCES",
    "Recording",
    "Run",
    "find_recordings",
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
