"""What a run needs, and whether it is there: room on the disk, and memory.

The figures are estimates from sizes alone, good to about a factor of two. A run is refused only if
even the least that it needs is missing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from eegemo.errors import ConfigError
from eegemo.execution import available_memory, may_use_gpu
from eegemo.models import Model
from eegemo.models.base import shape_of
from eegemo.results.plan import Plan
from eegemo.splits import Fold
from eegemo.store import format_bytes
from eegemo.store.space import check_space
from eegemo.windows import Windows

__all__ = [
    "Needs",
    "check_memory",
    "estimate_needs",
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
class Needs:
    """What fitting all folds needs, in bytes.

    Attributes
    ----------
    disk : int
        Written to the result folder and, for features, to the store.
    memory : int
        Of each process that fits folds.
    least_memory : int
        Of each process, what the network's numbers alone take.
    parameters : int or None
        Of the largest network among the candidates.
    """

    disk: int
    memory: int
    least_memory: int
    parameters: int | None


def estimate_needs(
    windows: Windows,
    folds: Sequence[Fold],
    *,
    models: Sequence[Model],
    batch_size: int,
    n_bands: int = 5,
) -> Needs:
    """Estimate what fitting all folds needs.

    Parameters
    ----------
    windows : Windows
    folds : sequence of Fold
    models : sequence of Model
        Of each candidate.
    batch_size : int
    n_bands : int
        Bands whose power is stored for each window and channel.

    Returns
    -------
    needs : Needs

    Raises
    ------
    ConfigError
        If the sizes of a model do not fit the window.
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
    return Needs(disk, memory, least, parameters if sizes else None)


def check_memory(needs: Needs, *, on_gpu: bool = False) -> None:
    """Refuse a network that cannot be in memory.

    Raises
    ------
    ConfigError
        If its numbers alone take more than there is. On a GPU, only what is beyond any is refused.
    """
    free = available_memory()
    if free is None or needs.least_memory <= free * (8 if on_gpu else 1):
        return
    if needs.parameters is None:
        raise ConfigError(
            "model: it is fitted on a whole training set in memory, which takes at least "
            f"{format_bytes(needs.least_memory)}; {format_bytes(free)} are free. Use fewer "
            "subjects or channels, a longer windows.stride, or a network."
        )
    raise ConfigError(
        f"model: it has {needs.parameters:,} parameters, and training it takes at least "
        f"{format_bytes(needs.least_memory)} of memory; {format_bytes(free)} are free. Use smaller "
        "layers, shorter windows, or a smaller training.batch_size."
    )


def needs_of(plan: Plan) -> Needs:
    """Estimate what fitting the folds of an experiment needs."""
    candidates = [one for _, one in plan.experiment.candidates()]
    return estimate_needs(
        plan.windows,
        plan.folds,
        models=[one.make_model() for one in candidates],
        batch_size=max(one.training.batch_size for one in candidates),
    )


def check_needs(plans: Sequence[Plan]) -> None:
    """Refuse what would not fit the memory or the disk, before anything is trained.

    Raises
    ------
    ConfigError
        If the sizes of a model do not fit its windows, or its numbers the memory.
    EegemoError
        If the disk has no room for the results.
    """
    total = 0
    for plan in plans:
        needs = needs_of(plan)
        check_memory(needs, on_gpu=may_use_gpu())
        total += needs.disk
        check_space(plan.folder, total, "the results")
