"""Keras networks as models: a builder gets the training loop, files, costs and the device."""

import math
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from eegemo.errors import ConfigError, DataError
from eegemo.models.base import FittedModel
from eegemo.models.builders import BuilderModel, Facts, where_is
from eegemo.models.fit_data import FitData
from eegemo.models.options import TrainingOptions
from eegemo.models.shapes import HISTORY, Cost, FitFiles, InputShape, empty_history, wrong_shape
from eegemo.scaling import ScaledWindows, Scaling
from eegemo.store import atomic_file

if TYPE_CHECKING:
    import keras
    import pandas as pd

__all__ = ["FittedKeras", "KerasModel"]

# Steps of training that are timed, after some that are not.
_TIMED, _WARM = 4, 2
# A weight, its gradient, Adam's two moments, and the best weight so far, in single precision.
_TRAINED = 5 * 4


@dataclass
class FittedKeras(FittedModel):
    """A network with the weights of the best epoch.

    Attributes
    ----------
    network : keras.Model
    """

    network: "keras.Model"
    shape: InputShape
    history: "pd.DataFrame"
    best_epoch: int
    safe_layers: bool = False

    def classify(self, x: np.ndarray) -> np.ndarray:
        """See `eegemo.models.base.FittedModel.classify`."""
        probabilities: np.ndarray = np.asarray(self.network.predict_on_batch(x))
        return probabilities

    def predict_proba(self, data: ScaledWindows, rows: np.ndarray) -> np.ndarray:
        """See `eegemo.models.base.FittedModel.predict_proba`."""
        from eegemo.models.keras.fitting import predict_network

        if not len(rows):  # Keras refuses to predict nothing
            return np.zeros((0, self.shape.n_classes), np.float32)
        return predict_network(self.network, data, rows)

    def save(self, path: Path) -> None:
        """Write the network in Keras's format, or its weights alone."""
        with atomic_file(path) as temporary:
            if self.safe_layers:
                self.network.save(temporary)
                return
            # Keras takes no other ending than this one
            with tempfile.TemporaryDirectory() as folder:
                weights = Path(folder) / "model.weights.h5"
                self.network.save_weights(weights)
                shutil.copyfile(weights, temporary)

    def cost(self) -> Cost:
        """Count parameters, and multiply-adds where all layers are known."""
        from eegemo.models.keras.cost import count_multiply_adds

        learned = sum(math.prod(weight.shape) for weight in self.network.trainable_weights)
        return Cost(learned, count_multiply_adds(self.network))


@dataclass(frozen=True)
class KerasModel(BuilderModel):
    """A Keras network, from a builder or from a network that every fold gets with new weights."""

    framework = "keras"
    in_epochs = True

    @classmethod
    def of(cls, network: "keras.Model") -> "KerasModel":
        """Make a model of a network that is there; each fold gets one with new weights."""
        facts = Facts("keras")
        return cls(network.name, _Copied(network), {}, facts)

    @property
    def file(self) -> str:  # type: ignore[override]
        """The whole network where all its layers are known to be safe; else its weights."""
        return "model.keras" if self.facts.safe_layers else "model.weights.h5"

    @property
    def identity(self) -> Mapping[str, Any] | None:
        """See `eegemo.models.base.Model.identity`; an object is told by its architecture."""
        if isinstance(self.builder, _Copied):
            return {"name": self.name, "architecture": self.builder.network.to_json()}
        return super().identity

    def build(self, shape: InputShape) -> Any:
        """Build the network, and check that it gives probabilities of the classes.

        Raises
        ------
        ConfigError
            If the sizes do not fit, or the builder gives something else.
        """
        network = super().build(shape)
        if not self.facts.safe_layers:
            self._check(network, shape)
        return network

    def _check(self, network: Any, shape: InputShape) -> None:
        """Refuse a stranger's network that is none, or does not classify such windows."""
        import keras

        where = f"model: {where_is(self.builder)} returned"
        if not isinstance(network, keras.Model):
            raise ConfigError(f"{where} {type(network).__name__}; expected a keras.Model.")
        taken, given = (None, shape.n_times, shape.n_channels), (None, shape.n_classes)
        shapes = [getattr(network, name, None) for name in ("input_shape", "output_shape")]
        if shapes != [taken, given]:
            raise ConfigError(
                f"{where} a network from {shapes[0]} to {shapes[1]}; expected one from {taken}, "
                f"(batch, n_times, n_channels), to {given}, (batch, n_classes)."
            )
        x = np.random.default_rng(0).standard_normal((4, *taken[1:])).astype(np.float32)
        p = keras.ops.convert_to_numpy(network(x, training=False)).astype(np.float64)
        if not np.allclose(p.sum(axis=1), 1, atol=5e-3) or p.min() < 0:  # half precision, too
            raise ConfigError(
                f"{where} a network whose outputs are no probabilities; end it with a softmax, as "
                'in keras.layers.Dense(n_classes, activation="softmax", dtype="float32").'
            )

    def fit(
        self, data: FitData, options: TrainingOptions, *, seed: int, files: FitFiles
    ) -> FittedKeras:
        """Train in epochs; see `eegemo.models.base.Model.fit`."""
        from eegemo.models.keras.fitting import train_network

        network, history, best_epoch = train_network(self, data, options, seed=seed, files=files)
        return self.fitted(network, data.shape, history, best_epoch)

    def fitted(
        self,
        network: "keras.Model",
        shape: InputShape,
        history: Sequence[Mapping[str, float]],
        best_epoch: int,
    ) -> FittedKeras:
        """Return a trained network as a fitted model."""
        import pandas as pd

        table = pd.DataFrame(list(history), columns=list(HISTORY))
        return FittedKeras(network, shape, table, best_epoch, self.facts.safe_layers)

    def fit_many(
        self,
        data: Sequence[FitData],
        options: TrainingOptions,
        *,
        seeds: Sequence[int],
        files: Sequence[FitFiles],
    ) -> list[FittedKeras]:
        """Train many folds as one program; see `eegemo.models.keras.together.fitting`."""
        from eegemo.models.keras.together.fitting import train_networks

        trained = train_networks(self, data, options, seeds=seeds, files=files)
        return [
            self.fitted(network, part.shape, history, best_epoch)
            for part, (network, history, best_epoch) in zip(data, trained, strict=True)
        ]

    def cannot_fit_many(self, scalings: Sequence[Scaling]) -> str | None:
        """See `eegemo.models.base.Model.cannot_fit_many`."""
        if not self.facts.together:
            return f"{self.name} has layers that are not known to train for all folds at once"
        if len({(scaling.fit, scaling.steps) for scaling in scalings}) > 1:
            return "the folds are scaled in different ways"
        return None

    def load(self, path: Path, shape: InputShape) -> FittedKeras:
        """Read a network; see `eegemo.models.base.Model.load`."""
        self.prepare_device()
        from eegemo.models.keras.loading import load_model, load_weights

        if self.facts.safe_layers:
            network = load_model(path)
        else:
            network = self.build(shape)
            load_weights(network, path)
        taken = tuple(network.input_shape[1:])
        fits = taken == (shape.n_times, shape.n_channels)
        if not fits or tuple(network.output_shape[1:]) != (shape.n_classes,):
            raise DataError(wrong_shape(taken, shape))
        return FittedKeras(network, shape, empty_history(), 0, self.facts.safe_layers)

    def fit_memory(self, shape: InputShape, n_train: int, batch_size: int) -> int:
        """Return what the weights, and what the layers give for a batch, take."""
        size = self.size(shape)
        if size is None:
            return 0
        return _TRAINED * size.parameters + 4 * min(batch_size, n_train) * size.activations

    def prepare_device(self) -> str:
        """Load Keras, and name its device."""
        from eegemo.models.keras.device import prepare_device

        return prepare_device()

    def tidy(self) -> None:
        """Free what Keras keeps of networks that are no longer needed."""
        import keras

        keras.utils.clear_session()

    def seconds_per_batch(self, shape: InputShape, batch_size: int) -> float:
        """Measure a step of training by a batch of random numbers."""
        import time

        self.prepare_device()
        rng = np.random.default_rng(0)
        x = rng.standard_normal((batch_size, shape.n_times, shape.n_channels)).astype(np.float32)
        y = rng.integers(shape.n_classes, size=batch_size)
        network = self.build(shape)
        network.compile("adam", "sparse_categorical_crossentropy", jit_compile=False)
        for _ in range(_WARM):
            network.train_on_batch(x, y)
        began = time.perf_counter()
        for _ in range(_TIMED):
            network.train_on_batch(x, y)
        self.tidy()
        return (time.perf_counter() - began) / _TIMED


class _Copied:
    """A builder that copies the architecture of a network, with new weights."""

    def __init__(self, network: "keras.Model") -> None:
        self.network = network
        self.__name__ = self.__qualname__ = network.name

    def __call__(self) -> Any:
        import keras

        return keras.models.clone_model(self.network)
