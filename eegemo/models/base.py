"""The socket of models: what a model must offer, and all that it is given.

A `Model` holds a name and options, and has learned nothing; it is light and travels to worker
processes. `Model.fit` gives a `FittedModel`, which a fold's folder stores. In between stands
`FitData`: the windows of one fold, with the classes of its training and validation set only. The
classes of the test set are not in it, so no model can learn from them.

A model made by a builder function needs none of these classes: the adapter of its framework
(`eegemo.models.keras.model`, `eegemo.models.estimator`, `eegemo.models.torch.model`) gives all of
this to the function.
"""

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from eegemo.errors import ConfigError
from eegemo.models.fit_data import FitData, class_weights
from eegemo.models.options import TrainingOptions
from eegemo.models.shapes import NO_FILES, Cost, FitFiles, InputShape, Size, shape_of
from eegemo.scaling import ScaledWindows, Scaling
from eegemo.splits import Fold
from eegemo.windows import Windows

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["BASELINE", "FittedModel", "Model", "make_fit_data"]

#: The model that others are compared with.
BASELINE = "band_power_logreg"


# Windows predicted at a time, where a model does not know better; affects speed and memory only.
_BATCH = 256


class FittedModel(ABC):
    """What was learned.

    Attributes
    ----------
    history : DataFrame
        Columns `HISTORY`; one row per epoch, or a single one.
    best_epoch : int
        Counted from 1.
    shape : InputShape
        What the model was built for; other windows are refused.
    """

    history: "pd.DataFrame"
    best_epoch: int
    shape: InputShape

    @abstractmethod
    def classify(self, x: np.ndarray) -> np.ndarray:
        """Return class probabilities of scaled windows given as an array.

        Parameters
        ----------
        x : ndarray of float32, shape (n, n_times, n_channels)

        Returns
        -------
        probabilities : ndarray of float32, shape (n, n_classes)
            Rows sum to 1. A class that training lacked has 0, or, of a network, what its softmax
            leaves for it.
        """

    def predict_proba(self, data: ScaledWindows, rows: np.ndarray) -> np.ndarray:
        """Return class probabilities of windows, float32 of shape (n, n_classes)."""
        found = np.zeros((len(rows), self.shape.n_classes), np.float32)
        for first in range(0, len(rows), _BATCH):
            part = slice(first, first + _BATCH)
            found[part] = self.classify(data.x(rows[part]))
        return found

    @abstractmethod
    def save(self, path: Path) -> None:
        """Write one file, nothing of which has to be executed to read it."""

    def cost(self) -> Cost:
        """Count parameters and multiply-adds, where they are known."""
        return Cost(None, None)


class Model(ABC):
    """A model and its options, with nothing learned; light, immutable, picklable.

    Attributes
    ----------
    name : str
        As the experiment file has it.
    title : str
        As reports write it: ``"CNN-LSTM"``.
    file : str or None
        Name of the file that a fold's folder keeps it in; None if it cannot be stored.
    framework : str
        ``"keras"``, ``"sklearn"`` or ``"torch"``: whose device and version count.
    in_epochs : bool
        Whether it is trained in epochs, so that the section `training` concerns it.
    is_baseline : bool
        Whether it is what other models are compared with.
    transductive : bool
        Whether it learns from the signals of the test windows, too; reports say so.
    bands : sequence of (float, float), or None
        In Hz: bands whose log power is computed once and stored for all folds.
    """

    name: str
    title: str
    file: str | None
    framework: str = "sklearn"
    in_epochs: bool = False
    is_baseline: bool = False
    transductive: bool = False
    bands: Sequence[tuple[float, float]] | None = None

    @property
    def where(self) -> str:
        """Name and file of what makes the model, for messages."""
        kind = type(self)
        file = getattr(sys.modules.get(kind.__module__), "__file__", None) or kind.__module__
        return f"{kind.__qualname__} in {file}"

    @property
    @abstractmethod
    def identity(self) -> Mapping[str, Any] | None:
        """What tells it from other models, as JSON can hold it; None if nothing does."""

    @abstractmethod
    def build(self, shape: InputShape) -> Any:
        """Return the keras.Model, torch.nn.Module or scikit-learn estimator, with nothing learned.

        Raises
        ------
        ConfigError
            If its sizes do not fit the windows.
        """

    @abstractmethod
    def fit(
        self, data: FitData, options: TrainingOptions, *, seed: int, files: FitFiles
    ) -> FittedModel:
        """Fit one fold.

        Parameters
        ----------
        data : FitData
        options : TrainingOptions
        seed : int
            Of everything random. The same seed gives the same numbers on the same machine's CPU.
        files : FitFiles

        Raises
        ------
        DataError
            If nothing can be learned, as when the loss is no longer a number.
        """

    def fit_and_predict(
        self, data: FitData, options: TrainingOptions, rows: np.ndarray, *, seed: int
    ) -> np.ndarray:
        """Fit one fold and return the class probabilities of other windows; nothing is kept.

        Refits do this hundreds of times. A model may do it in a faster way than `fit`, with the
        same answers up to rounding.
        """
        fitted = self.fit(data, options, seed=seed, files=NO_FILES)
        found = fitted.predict_proba(data.scaled, rows)
        self.tidy()
        return found

    def fit_many(
        self,
        data: Sequence[FitData],
        options: TrainingOptions,
        *,
        seeds: Sequence[int],
        files: Sequence[FitFiles],
    ) -> Sequence[FittedModel]:
        """Fit many folds as one program, each as `fit` would; see `cannot_fit_many`."""
        raise ConfigError(f"All folds at once: {self.cannot_fit_many([])}.")

    def cannot_fit_many(self, scalings: Sequence[Scaling]) -> str | None:
        """Say why folds with these scalings cannot be fitted as one program; None if they can."""
        return f"{self.name} is no network that all folds can train at once"

    @abstractmethod
    def load(self, path: Path, shape: InputShape) -> FittedModel:
        """Read what `FittedModel.save` wrote; nothing in the file is executed.

        Raises
        ------
        DataError
            If the file is missing or damaged, or holds a model of another shape.
        """

    def size(self, shape: InputShape) -> Size | None:
        """Return its size without building it; None if only building tells.

        Raises
        ------
        ConfigError
            If its sizes do not fit the windows.
        """
        return None

    def fit_memory(self, shape: InputShape, n_train: int, batch_size: int) -> int:
        """Return the bytes that fitting takes at the least, beyond the process itself."""
        return 0

    def prepare_device(self) -> str:
        """Load what the model runs on, and name the device: ``"cpu"``, ``"gpu:0"``."""
        return "cpu"

    def tidy(self) -> None:  # noqa: B027, most have nothing to free
        """Free what the framework keeps after a fit."""

    def seconds_per_batch(self, shape: InputShape, batch_size: int) -> float | None:
        """Measure how long a step of training takes; None for a model without epochs."""
        return None


def make_fit_data(
    windows: Windows,
    fold: Fold,
    scaled: ScaledWindows,
    *,
    model: "Model",
    class_weight: Literal["balanced", "none"] = "balanced",
    target: np.ndarray | None = None,
) -> FitData:
    """Show a model what it may see of a fold.

    Parameters
    ----------
    windows : Windows
        With classes.
    fold : Fold
    scaled : ScaledWindows
        Of the same windows.
    model : Model
        A transductive one sees the numbers, and so the signals, of the test windows.
    class_weight : {"balanced", "none"}
    target : ndarray of int, optional
        What a transductive model sees, if not the test windows of the fold: while candidates are
        tried, these are hidden.

    Returns
    -------
    data : FitData

    Raises
    ------
    DataError
        If the fold has no training windows.
    """
    codes, shape = windows.codes, shape_of(windows)
    weights = np.ones(shape.n_classes, np.float32)
    if class_weight == "balanced":
        weights = class_weights(codes[fold.train], shape.n_classes)
    seen = fold.test if target is None else target
    return FitData(
        scaled,
        shape,
        train=fold.train,
        validation=fold.validation,
        codes=codes,
        target=seen if model.transductive else seen[:0],
        class_weight=weights,
        name=fold.name,
        digest=_digest_of(windows, fold, scaled.scaling, weights),
        bands=model.bands,
    )


def _digest_of(
    windows: Windows, fold: Fold, scaling: Scaling, weights: np.ndarray
) -> Callable[[Any], str]:
    """Return what names the checkpoint of a fit; the classes of all trials stay inside."""
    from eegemo.store import digest_bytes, digest_json

    parts = [part.astype("<i8") for part in (fold.train, fold.validation, windows.labels.codes)]
    arrays = [*parts, weights, scaling.gain, scaling.offset]

    def digest(settings: Any) -> str:
        return digest_bytes(digest_json(settings).encode(), *(array.tobytes() for array in arrays))

    return digest
