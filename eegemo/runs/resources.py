"""Estimate the disk space and memory of a run, and check that they are available.

Estimates are computed from sizes alone and are accurate to about a factor of two. A run is refused
only if even its minimum is not available.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from eegemo.errors import ConfigError
from eegemo.execution import available_memory, may_use_gpu
from eegemo.models import Model
from eegemo.models.shapes import shape_of
from eegemo.results.plan import Plan
from eegemo.splits import Fold
from eegemo.store import format_bytes
from eegemo.store.space import check_space
from eegemo.windows import Windows

__all__ = [
    "Resources",
    "check_memory",
    "estimate_resources",
]


# A process with Keras and its back end, and the main process; as measured on Linux with TensorFlow.
_NETWORK_PROCESS, _PLAIN_PROCESS = 700_000_000, 350_000_000


# Index, table and labels of a window, in each process.
_WINDOW_INDEX = 150


# A row of a table of predictions, compressed.
_ROW = 40


_REPORT = 2_000_000


# A weight, its gradient, Adam's two moments, and the best weight so far, in single precision.
_TRAINED = 5 * 4


# Windows predicted at a time.
_PREDICTED = 256


@dataclass(frozen=True)
class Resources:
    """The resources for fitting all folds, in bytes.

    Attributes
    ----------
    disk : int
        Space in the result folder and, for features, in the store.
    memory : int
        Memory of each process that fits folds.
    least_memory : int
        Memory of each process for the numbers of the model alone.
    parameters : int or None
        Parameters of the largest network among the candidates.
    """

    disk: int
    memory: int
    least_memory: int
    parameters: int | None


def estimate_resources(
    windows: Windows,
    folds: Sequence[Fold],
    *,
    models: Sequence[Model],
    batch_size: int,
    n_bands: int = 5,
) -> Resources:
    """Estimate the resources for fitting all folds.

    Parameters
    ----------
    windows : Windows
    folds : sequence of Fold
    models : sequence of Model
        The model of each candidate.
    batch_size : int
    n_bands : int
        Bands whose power is stored for each window and channel.

    Returns
    -------
    resources : Resources

    Raises
    ------
    ConfigError
        If the sizes of a model do not fit the windows.
    """
    shape = shape_of(windows)
    sizes = [size for size in (model.size(shape) for model in models) if size is not None]
    parameters = max((size.parameters for size in sizes), default=0)
    activations = max((size.activations for size in sizes), default=0)
    rows = sum(2 * len(fold.test) + len(fold.validation) for fold in folds)
    # Keras writes the weights and Adam's moments; a checkpoint holds the best weights as well
    written = len(folds) * 3 * 4 * parameters + len(models) * 4 * 4 * parameters
    disk = written + 2 * _ROW * rows + 4 * len(windows) * windows.n_channels * n_bands + _REPORT
    n_train = max((len(fold.train) for fold in folds), default=0)
    batch = min(batch_size, n_train)
    least = max((model.fit_memory(shape, n_train, batch_size) for model in models), default=0)
    signals = 4 * windows.n_times * windows.n_channels * max(batch, _PREDICTED)
    trained = any(model.in_epochs for model in models)
    process = _NETWORK_PROCESS if trained else _PLAIN_PROCESS + least
    passes = 4 * activations * (2 * batch + _PREDICTED)
    memory = process + _TRAINED * parameters + passes + 2 * signals + _WINDOW_INDEX * len(windows)
    return Resources(disk, memory, least, parameters if sizes else None)


def check_memory(resources: Resources, *, on_gpu: bool = False) -> None:
    """Refuse a model that does not fit into memory.

    Raises
    ------
    ConfigError
        If its numbers alone exceed the free memory; for a GPU, eight times the free memory.
    """
    free = available_memory()
    if free is None or resources.least_memory <= free * (8 if on_gpu else 1):
        return
    if resources.parameters is None:
        raise ConfigError(
            "model: it is fitted on a whole training set in memory, which takes at least "
            f"{format_bytes(resources.least_memory)}; {format_bytes(free)} are free. Use fewer "
            "subjects or channels, a longer windows.stride, or a network."
        )
    raise ConfigError(
        f"model: it has {resources.parameters:,} parameters, and training it takes at least "
        f"{format_bytes(resources.least_memory)} of memory; {format_bytes(free)} are free. Use "
        "smaller layers, shorter windows, or a smaller training.batch_size."
    )


def resources_of(plan: Plan) -> Resources:
    """Estimate what fitting the folds of an experiment takes."""
    candidates = [candidate for _, candidate in plan.experiment.candidates()]
    return estimate_resources(
        plan.windows,
        plan.folds,
        models=[candidate.make_model() for candidate in candidates],
        batch_size=max(candidate.training.batch_size for candidate in candidates),
    )


def check_resources(plans: Sequence[Plan]) -> None:
    """Check memory and disk space for all experiments, before training.

    Raises
    ------
    ConfigError
        If the sizes of a model do not fit its windows, or its numbers exceed the memory.
    EegemoError
        If the disk has too little space for the results.
    """
    total = 0
    for plan in plans:
        resources = resources_of(plan)
        check_memory(resources, on_gpu=may_use_gpu())
        total += resources.disk
        check_space(plan.folder, total, "the results")
