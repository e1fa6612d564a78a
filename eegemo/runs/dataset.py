"""The data set of an experiment: made from its section ``data``, or given as an object."""

from eegemo.config import Experiment
from eegemo.datasets import Dataset, Recording, open_dataset
from eegemo.errors import ConfigError, DataError
from eegemo.registry import DATASETS, options_of

__all__ = ["list_recordings", "make_dataset", "with_dataset"]


def make_dataset(experiment: Experiment, *, trust: bool = True) -> Dataset:
    """Return the data set of an experiment, with the options of its section ``data``.

    Parameters
    ----------
    experiment : Experiment
    trust : bool
        Whether a data set by import path may be imported, which runs its code.

    Raises
    ------
    ConfigError
        If there is no such data set.
    """
    options = experiment.data.model_dump()
    options.pop("copies", None)  # about the trials of a data set, not one of its options
    return open_dataset(options.pop("source"), trust=trust, **options)


def list_recordings(dataset: Dataset) -> list[Recording]:
    """Return the recordings of a data set, of which there has to be at least one.

    Raises
    ------
    DataError
        If the data set finds none, or refuses the data.
    """
    recordings = dataset.find()
    if not recordings:
        place = f" in {dataset.place}" if dataset.place else ""
        raise DataError(f"data: {dataset.title}: no recordings found{place}.")
    return recordings


def with_dataset(experiment: Experiment, dataset: Dataset) -> Experiment:
    """Return the experiment with a section ``data`` that describes a given data set.

    Raises
    ------
    ConfigError
        If the class of the data set is defined inside a function and cannot be named in a file.
    """
    kind = type(dataset)
    path = f"{kind.__module__}:{kind.__qualname__}"
    source = next((name for name, where in DATASETS.built_in.items() if where == path), path)
    options = {name: getattr(dataset, name) for name in options_of(kind)}
    plain = {name: list(v) if isinstance(v, tuple) else v for name, v in options.items()}
    kept = {"copies": experiment.data.copies}
    content = experiment.model_dump() | {"data": {"source": source, **plain, **kept}}
    try:
        return Experiment.model_validate(content)
    except ValueError as error:
        problem = " ".join(str(error).split())[:300]
        raise ConfigError(f"data: {path} cannot be written to a file: {problem}") from error
