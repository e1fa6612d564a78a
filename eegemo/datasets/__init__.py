"""Data sets, and the recordings they consist of: a folder and a `Dataset` class for each.

A data set is added by a folder here and a line in `eegemo.registry`, or by a class in your own
package, which the experiment file names as ``source: "mypkg.mydata:MyData"``.
"""

from typing import Any

from eegemo.datasets.base import (
    RATINGS,
    Channels,
    Context,
    Dataset,
    FileState,
    Outline,
    Recording,
    Run,
    Subjects,
    Survey,
)
from eegemo.datasets.channels import EMOTIV_CHANNELS
from eegemo.errors import ConfigError
from eegemo.registry import DATASETS, REQUIRED, options_of

__all__ = [
    "EMOTIV_CHANNELS",
    "RATINGS",
    "Channels",
    "Context",
    "Dataset",
    "FileState",
    "Outline",
    "Recording",
    "Run",
    "Subjects",
    "Survey",
    "dataset_class",
    "find_recordings",
    "open_dataset",
]


def dataset_class(source: str, *, trust: bool = True) -> type[Dataset]:
    """Return the class of a data set by its name.

    Parameters
    ----------
    source, trust
        As for `open_dataset`.

    Raises
    ------
    ConfigError
        If the data set is unknown, or is no `Dataset`.
    """
    kind = DATASETS.resolve(source, trust=trust)
    if not (isinstance(kind, type) and issubclass(kind, Dataset)):
        raise ConfigError(
            f"data.source: {source} is {kind!r}; expected a subclass of eegemo.datasets.Dataset."
        )
    return kind


def open_dataset(source: str, *, trust: bool = True, **options: Any) -> Dataset:
    """Create a data set from its name and options.

    Parameters
    ----------
    source : str
        ``"deap"``, ``"bids"``, ..., the name of a plug-in or an import path.
    trust : bool
        Whether an import path may be imported, which runs its code.
    **options
        Fields of its class, for example those of `eegemo.datasets.deap.Deap`.

    Returns
    -------
    dataset : Dataset

    Raises
    ------
    ConfigError
        If the data set is unknown, is no `Dataset`, or does not have an option.

    Examples
    --------
    >>> open_dataset("deap", root="data/deap").title
    'DEAP'
    >>> open_dataset("deap", root="data/deap", subject="s01")
    Traceback (most recent call last):
    eegemo.errors.ConfigError: data: 'deap' has no option 'subject'; there are root, variant,
    subjects, channels, exclude.
    """
    kind = dataset_class(source, trust=trust)
    known = options_of(kind)
    for name in options:
        if name not in known:
            raise ConfigError(
                f"data: {source!r} has no option {name!r}; there are {', '.join(known)}."
            )
    for name, option in known.items():
        if option.default is REQUIRED and name not in options:
            raise ConfigError(f"data: {source!r} needs the option {name!r}.")
    made: Dataset = kind(**options)
    return made


def find_recordings(source: str, root: str, **options: Any) -> list[Recording]:
    """Find the recordings of a data set, one per subject, without opening the signals.

    Parameters
    ----------
    source : {"deap", "bids", "dreamer", ...}
        As in `data.source`.
    root : str
        Folder of the data set.
    **options
        Other options of the data set.

    Returns
    -------
    recordings : list of Recording
        Sorted by subject.

    Raises
    ------
    ConfigError
        If the data set is unknown, or does not have an option.
    DataError
        If the folder does not hold the data set, or lacks a subject.
    """
    return open_dataset(source, root=str(root), **options).find()
