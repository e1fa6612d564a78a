"""PyTorch modules as models: a builder gets the training loop, files, costs and the device.

A module takes windows as ``(n, n_channels, n_times)``, as most modules for EEG do, and gives logits
``(n, n_classes)``: the softmax is ours. It is stored as plain arrays, and made again by its
builder, so that nothing of a file is executed.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from eegemo.errors import ConfigError, DataError
from eegemo.formats.archives import load_arrays
from eegemo.models.base import FittedModel
from eegemo.models.builders import BuilderModel, Facts, where_is
from eegemo.models.fit_data import FitData
from eegemo.models.options import TrainingOptions
from eegemo.models.shapes import HISTORY, Cost, FitFiles, InputShape, empty_history
from eegemo.scaling import Scaling
from eegemo.store import atomic_file

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FittedTorch", "TorchModel"]

_FORMAT = "eegemo torch 1"
# Steps of training that are timed, after some that are not.
_TIMED, _WARM = 4, 2
# What an archive of arrays may hold, less the format.
_MOST_TENSORS = 999


@dataclass
class FittedTorch(FittedModel):
    """A module with the weights of the best epoch.

    Attributes
    ----------
    module : torch.nn.Module
    """

    module: Any
    shape: InputShape
    history: "pd.DataFrame"
    best_epoch: int

    def classify(self, x: np.ndarray) -> np.ndarray:
        """See `eegemo.models.base.FittedModel.classify`."""
        from eegemo.models.torch.module import probabilities_of

        return probabilities_of(self.module, x)

    def save(self, path: Path) -> None:
        """Write the weights as plain arrays, by their names in the module."""
        from eegemo.models.torch.module import arrays_of

        arrays = {f"state.{name}": array for name, array in arrays_of(self.module).items()}
        with atomic_file(path) as temporary, temporary.open("wb") as stream:
            np.savez(stream, allow_pickle=False, format=np.array(_FORMAT), **arrays)

    def cost(self) -> Cost:
        """Count what was learned; multiply-adds are not known."""
        learned = sum(p.numel() for p in self.module.parameters() if p.requires_grad)
        return Cost(learned, None)


@dataclass(frozen=True)
class TorchModel(BuilderModel):
    """A PyTorch module, from a builder or from a module that is copied for each fold."""

    framework = "torch"
    in_epochs = True
    file = "model.npz"

    @classmethod
    def of(cls, module: Any) -> "TorchModel":
        """Make a model of a module that is there; each fold trains a copy from its weights."""
        return cls(type(module).__name__, _Copied(module), {}, Facts("torch"))

    @property
    def identity(self) -> Mapping[str, Any] | None:
        """See `eegemo.models.base.Model.identity`; an object has none."""
        return None if isinstance(self.builder, _Copied) else super().identity

    def build(self, shape: InputShape) -> Any:
        """Build the module, and check that it gives logits of the classes.

        Raises
        ------
        ConfigError
            If the builder fails, or gives something else.
        """
        self.prepare_device()
        module = super().build(shape)
        self._check(module, shape)
        return module

    def _check(self, module: Any, shape: InputShape) -> None:
        from eegemo.models.torch.module import arrays_of, is_module, try_module

        where = f"model: {where_is(self.builder)} returned"
        if not is_module(module):
            raise ConfigError(f"{where} {type(module).__name__}; expected a torch.nn.Module.")
        taken = ("n", shape.n_channels, shape.n_times)
        wanted = f"(n, n_channels, n_times) = ({', '.join(map(str, taken))})"
        x = np.random.default_rng(0).standard_normal((4, shape.n_times, shape.n_channels))
        try:
            # this also makes layers that learn their sizes from what they are given
            found = try_module(module, x.astype(np.float32))
        except Exception as error:  # a stranger's module raises many types
            problem = " ".join(str(error).split()) or "no message"
            raise ConfigError(
                f"{where} a module that cannot take windows of {wanted}: {type(error).__name__}: "
                f"{problem}"
            ) from error
        if found is None or found.shape != (4, shape.n_classes):
            got = "something else" if found is None else f"shape {found.shape}"
            raise ConfigError(
                f"{where} a module that gives {got} for four windows of {wanted}; expected "
                f"logits, (n, n_classes) = (4, {shape.n_classes})."
            )
        if (found >= 0).all() and np.allclose(found.sum(axis=1), 1, atol=1e-3):
            raise ConfigError(
                f"{where} a module that gives probabilities; expected logits. Leave out its last "
                "softmax: it would be applied twice."
            )
        try:
            n_tensors = len(arrays_of(module))
        except TypeError as error:
            raise ConfigError(f"{where} a module that cannot be stored: {error}.") from error
        if n_tensors > _MOST_TENSORS:
            raise ConfigError(
                f"{where} a module of {n_tensors} tensors; at most {_MOST_TENSORS} can be stored."
            )

    def fit(
        self, data: FitData, options: TrainingOptions, *, seed: int, files: FitFiles
    ) -> FittedTorch:
        """Train in epochs; see `eegemo.models.base.Model.fit`."""
        import pandas as pd

        from eegemo.models.torch.loop import train_module

        self.prepare_device()
        module, history, best_epoch = train_module(self, data, options, seed=seed, files=files)
        table = pd.DataFrame(list(history), columns=list(HISTORY))
        return FittedTorch(module, data.shape, table, best_epoch)

    def cannot_fit_many(self, scalings: Sequence[Scaling]) -> str:
        """See `eegemo.models.base.Model.cannot_fit_many`."""
        return f"{self.name} is a PyTorch module, and JAX trains all folds at once"

    def load(self, path: Path, shape: InputShape) -> FittedTorch:
        """Build the module, and give it stored weights; see `eegemo.models.base.Model.load`."""
        from eegemo.models.torch.module import arrays_of, set_arrays

        module = self.build(shape)
        own = arrays_of(module)
        kinds = {f"state.{name}": array.dtype.kind for name, array in own.items()}
        stored = load_arrays(path, {"format": "U", **kinds})
        if stored["format"].ndim or stored["format"].item() != _FORMAT:
            raise DataError(
                f"{path}: expected {_FORMAT!r} as its format, found {stored['format']!r}."
            )
        arrays = {name: stored[f"state.{name}"] for name in own}
        for name, array in own.items():
            if arrays[name].shape != array.shape:
                raise DataError(
                    f"{path}: {name!r} has the shape {arrays[name].shape}; expected {array.shape}. "
                    "The model is not that of its experiment."
                )
        set_arrays(module, arrays)
        return FittedTorch(module, shape, empty_history(), 0)

    def prepare_device(self) -> str:
        """Load PyTorch, and name its device."""
        from eegemo.models.torch.module import device_name

        return device_name()

    def tidy(self) -> None:
        """Give back the memory that PyTorch keeps on a GPU."""
        from eegemo.models.torch.module import free_memory

        free_memory()

    def seconds_per_batch(self, shape: InputShape, batch_size: int) -> float:
        """Measure a step of training by a batch of random numbers."""
        from eegemo.models.torch.loop import time_steps

        rng = np.random.default_rng(0)
        x = rng.standard_normal((batch_size, shape.n_times, shape.n_channels)).astype(np.float32)
        y = rng.integers(shape.n_classes, size=batch_size)
        return time_steps(self.build(shape), x, y, warm=_WARM, timed=_TIMED)


class _Copied:
    """A builder that copies a module with its weights."""

    def __init__(self, module: Any) -> None:
        self.module = module
        self.__name__ = self.__qualname__ = type(module).__name__

    def __call__(self) -> Any:
        return copy.deepcopy(self.module)
