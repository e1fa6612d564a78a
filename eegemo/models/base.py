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
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from eegemo.errors import ConfigError, DataError, LeakageError
from eegemo.registry import Count, Positive
from eegemo.scaling import ScaledWindows, Scaling
from eegemo.splits import Fold
from eegemo.windows import Windows

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "BASELINE",
    "HISTORY",
    "NO_FILES",
    "Cost",
    "FitData",
    "FitFiles",
    "FittedModel",
    "InputShape",
    "Model",
    "Size",
    "TrainingOptions",
    "check_losses",
    "check_probabilities",
    "check_schedule",
    "class_weights",
    "empty_history",
    "is_validated",
    "make_fit_data",
    "shape_of",
    "wrong_shape",
]

#: The model that others are compared with.
BASELINE = "band_power_logreg"
#: Columns of a training history, one row per epoch.
HISTORY = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "seconds")
# Windows predicted at a time, where a model does not know better; affects speed and memory only.
_BATCH = 256
# How far from 1 probabilities may sum, as tables of predictions have it; half precision is so far.
_SUM_TOLERANCE = 5e-3


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """How networks are trained; of a model without epochs, only `class_weight` applies.

    Parameters
    ----------
    epochs : int
        Maximum number of epochs.
    batch_size : int
        Number of windows per gradient step.
    learning_rate : float
        Initial learning rate of Adam (Kingma & Ba, 2015).
    schedule : {"constant", "cosine", "plateau"}
        Keep the learning rate constant; decay it to zero along half a cosine over all epochs
        (Loshchilov & Hutter, 2017); or halve it when the validation loss has not improved for half
        the patience. `plateau` needs a validation set.
    patience : int
        Stop after this many epochs without a lower validation loss, and restore the weights of the
        best epoch. Without a validation set, training runs for all epochs and keeps the last.
    class_weight : {"balanced", "none"}
        Weight the loss so that every class of the training set counts equally, or leave it
        unweighted.
    clip_norm : float, optional
        Clip the global norm of the gradients to this value. `null` does not clip.
    precision : {"float32", "mixed_float16", "mixed_bfloat16"}
        Dtype policy of Keras. Weights and probabilities stay in single precision. The mixed
        policies are for hardware with support for them; PyTorch modules take the last one only.

    Examples
    --------
    >>> TrainingOptions(epochs=3).batch_size
    64
    """

    epochs: Count = 50
    batch_size: Count = 64
    learning_rate: Positive = 1e-3
    schedule: Literal["constant", "cosine", "plateau"] = "constant"
    patience: Count = 8
    class_weight: Literal["balanced", "none"] = "balanced"
    clip_norm: Positive | None = 1.0
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = "float32"


class InputShape(NamedTuple):
    """What a model is built for.

    Attributes
    ----------
    n_times, n_channels : int
        Samples and channels of a window.
    n_classes : int
    sfreq : float
        Sampling frequency in Hz.
    ch_names : tuple of str
        Names of the channels, in order.
    """

    n_times: int
    n_channels: int
    n_classes: int
    sfreq: float
    ch_names: tuple[str, ...]


class Size(NamedTuple):
    """The size of a network.

    Attributes
    ----------
    parameters : int
        Numbers that are learned.
    activations : int
        Numbers that its layers give for one window; training keeps them all.
    """

    parameters: int
    activations: int


class Cost(NamedTuple):
    """What a fitted model costs; None where it is not known.

    Attributes
    ----------
    parameters : int or None
        Numbers that were learned.
    multiply_adds : int or None
        Per window.
    """

    parameters: int | None
    multiply_adds: int | None


class FitFiles(NamedTuple):
    """Where a fit reports its epochs and keeps its checkpoint; None for nowhere."""

    history: Path | None = None
    checkpoint: Path | None = None


#: Nowhere.
NO_FILES = FitFiles()


def shape_of(windows: Windows) -> InputShape:
    """Return what a model of these windows is built for."""
    trials = windows.trials
    n_classes = len(windows.labels.classes)
    return InputShape(
        windows.n_times, windows.n_channels, n_classes, trials.sfreq, tuple(trials.ch_names)
    )


def class_weights(codes: np.ndarray, n_classes: int) -> np.ndarray:
    """Return weights that give every class present the same say, averaging 1 over the windows.

    Examples
    --------
    >>> [round(float(w), 3) for w in class_weights(np.array([0, 0, 0, 1]), 2)]
    [0.667, 2.0]
    """
    n = np.bincount(codes, minlength=n_classes)
    weights = np.where(n > 0, len(codes) / (np.count_nonzero(n) * np.maximum(n, 1)), 0.0)
    return weights.astype(np.float32)


def empty_history() -> "pd.DataFrame":
    """Return the history of a model that was not fitted here."""
    import pandas as pd

    return pd.DataFrame(columns=list(HISTORY))


def wrong_shape(taken: tuple[int, ...], shape: InputShape) -> str:
    """Say that a stored model takes other windows or classes than those of its experiment."""
    return (
        f"the model takes windows of shape {taken}; these have {(shape.n_times, shape.n_channels)} "
        f"(samples, channels), for {shape.n_classes} classes. The model is not that of its "
        "experiment."
    )


def check_schedule(schedule: str, fold: Fold) -> None:
    """Raise ConfigError if a schedule needs validation windows and the fold has none."""
    if schedule == "plateau" and not len(fold.validation):
        raise ConfigError(
            "training: schedule 'plateau' watches the validation part, and there is none."
        )


def check_losses(fold: str, history: Sequence[Mapping[str, float]]) -> None:
    """Raise DataError if a loss is not a number."""
    if not np.isfinite([row["loss"] for row in history]).all():
        raise DataError(
            f"training: the loss of fold {fold} is not a number after {len(history)} "
            "epochs. Lower training.learning_rate, set clip_norm, or look for broken recordings."
        )


def check_probabilities(found: Any, n: int, n_classes: int, where: str) -> np.ndarray:
    """Return class probabilities as float32, or say what is wrong with them.

    Parameters
    ----------
    found : array-like
        What a model gave.
    n, n_classes : int
        Windows and classes that it was asked for.
    where : str
        Name and file of the model, for the message.

    Raises
    ------
    DataError
        If they are not finite numbers from 0 to 1, of shape ``(n, n_classes)``, that sum to 1.
    """
    try:
        values = np.asarray(found, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise DataError(f"model: {where} gives probabilities that are no numbers.") from error
    if values.shape != (n, n_classes):
        raise DataError(
            f"model: {where} gives probabilities of shape {values.shape}; expected (n, n_classes) "
            f"= {(n, n_classes)}."
        )
    if not np.isfinite(values).all():
        raise DataError(f"model: {where} gives probabilities that are not finite (NaN).")
    if n and (values.min() < 0 or np.abs(values.sum(axis=1) - 1).max() > _SUM_TOLERANCE):
        row = int(np.argmax(np.abs(values.sum(axis=1) - 1) + (values < 0).any(axis=1)))
        raise DataError(
            f"model: {where} gives {values[row].tolist()} for a window; expected probabilities, "
            "which are not negative and sum to 1. A network ends with a softmax."
        )
    return values


class FitData:
    """All that a model may see of a fold, made by `make_fit_data`.

    Attributes
    ----------
    scaled : ScaledWindows
        The windows, without classes and ratings.
    shape : InputShape
    train, validation : ndarray of int
        Numbers of the training and validation windows; `validation` may be empty.
    target : ndarray of int
        The test windows, for a transductive model; empty for any other.
    class_weight : ndarray of float32, shape (n_classes,)
        Weight of each class in the loss, from the training set; averages 1 over its windows.
    domain : ndarray of int, shape (n_windows,)
        Number of the subject of each window.
    name : str
        What messages call the fold.
    """

    def __init__(
        self,
        scaled: ScaledWindows,
        shape: InputShape,
        *,
        train: np.ndarray,
        validation: np.ndarray,
        codes: np.ndarray,
        target: np.ndarray,
        class_weight: np.ndarray,
        name: str,
        digest: Callable[[Any], str],
        bands: Sequence[tuple[float, float]] | None = None,
    ) -> None:
        self.scaled, self.shape, self.name = scaled, shape, name
        self.train, self.validation, self.target = train, validation, target
        self.class_weight = class_weight
        self._digest, self._bands = digest, bands
        # what is not learned from is not even here
        self._codes = np.full(len(scaled), -1, np.int64)
        for rows in (train, validation):
            self._codes[rows] = codes[rows]

    @property
    def domain(self) -> np.ndarray:
        """Number of the subject of each window."""
        subject = self.scaled.windows.trials.metadata["subject"].astype(str)
        numbers: np.ndarray = np.unique(subject, return_inverse=True)[1]
        domain: np.ndarray = numbers[self.scaled.windows.trial]
        return domain

    def x(self, rows: np.ndarray) -> np.ndarray:
        """Return scaled windows, float32 of shape (n, n_times, n_channels)."""
        return self.scaled.x(rows)

    def y(self, rows: np.ndarray) -> np.ndarray:
        """Return classes.

        Parameters
        ----------
        rows : ndarray of int, shape (n,)
            Training or validation windows.

        Returns
        -------
        y : ndarray of int, shape (n,)

        Raises
        ------
        LeakageError
            If a row is of neither set.
        """
        codes: np.ndarray = self._codes[rows]
        if (codes < 0).any():
            raise LeakageError(
                f"fold {self.name}: a model asked for the classes of windows that are neither in "
                "its training nor in its validation set."
            )
        return codes

    def features(self, rows: np.ndarray) -> np.ndarray:
        """Return the stored log band power of scaled windows, (n, n_channels * n_bands).

        Raises
        ------
        ConfigError
            If the model names no bands, so that none is stored.
        """
        from eegemo.features import BandPower
        from eegemo.features.stored import scaled_band_power

        if self._bands is None:
            raise ConfigError("model: it asks for band power, but names no bands.")
        power = BandPower(self.shape.sfreq, bands=[(low, high) for low, high in self._bands])
        power.fit(np.zeros((1, self.shape.n_times, self.shape.n_channels), np.float32))
        return scaled_band_power(self.scaled, rows, power)

    def key(self, settings: Any) -> str:
        """Return a digest of all that decides a fit but the signals, to name its checkpoint.

        Parameters
        ----------
        settings : object
            What the model adds, as JSON can hold it.
        """
        return self._digest(settings)


def is_validated(data: FitData) -> bool:
    """Tell whether a fold has validation windows whose loss says something."""
    # classes that training lacks have no weight
    return bool(data.class_weight[data.y(data.validation)].any())


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
        return digest_bytes(digest_json(settings).encode(), *(one.tobytes() for one in arrays))

    return digest


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
