"""Scikit-learn estimators as models: a whole training set in memory, one `fit`.

An estimator takes windows as arrays of shape ``(n_windows, n_times, n_channels)``, scaled, and
classes as whole numbers. `eegemo.features` has transformers that take such arrays; pyRiemann's take
them with the last two axes swapped.
"""

import importlib.util
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from eegemo.errors import ConfigError, DataError, InputError
from eegemo.models.base import FittedModel
from eegemo.models.builders import BuilderModel, Facts, where_is
from eegemo.models.fit_data import FitData
from eegemo.models.options import TrainingOptions
from eegemo.models.shapes import HISTORY, FitFiles, InputShape, empty_history
from eegemo.store import atomic_file, write_text

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["EstimatorModel", "FittedEstimator", "one_row_history", "predict_all_classes"]


def predict_all_classes(
    estimator: Any, x: np.ndarray, n_classes: int, where: str = "band_power_logreg"
) -> np.ndarray:
    """Return probabilities with a column for every class, also for those not in training.

    Parameters
    ----------
    estimator : sklearn classifier
        Fitted on codes from 0 to ``n_classes - 1``.
    x : ndarray
        What it takes.
    n_classes : int
    where : str
        What messages call the estimator.

    Returns
    -------
    probabilities : ndarray of float32, shape (n, n_classes)
        Zero for classes that training lacked.

    Raises
    ------
    DataError
        If the classifier knows a class beyond `n_classes`, or gives no column for each of its
        classes.

    Examples
    --------
    >>> from sklearn.dummy import DummyClassifier
    >>> known = DummyClassifier().fit([[0.0], [0.0]], [0, 2])
    >>> predict_all_classes(known, np.zeros((1, 1)), 4).tolist()
    [[0.5, 0.0, 0.5, 0.0]]
    """
    classes = np.asarray(estimator.classes_)
    if classes.dtype.kind not in "iu":
        raise DataError(
            f"model: {where} has the classes {classes.tolist()[:9]}; expected the whole numbers "
            "that it was fitted on."
        )
    if classes.min() < 0 or classes.max() >= n_classes:
        raise DataError(
            f"model: {where} was trained with class {classes.max()}; there are {n_classes}."
        )
    probabilities = np.zeros((len(x), n_classes), np.float32)
    if len(x):
        found = np.asarray(estimator.predict_proba(x))
        if found.shape != (len(x), len(classes)):
            raise DataError(
                f"model: {where} gives probabilities of shape {found.shape} for {len(x)} windows; "
                f"expected a column for each of the {len(classes)} classes in training."
            )
        probabilities[:, classes] = found
    return probabilities


def one_row_history(
    probabilities: np.ndarray, codes: np.ndarray, class_weight: str, began: float
) -> "pd.DataFrame":
    """Return the history of a fit without epochs: loss and accuracy of the training set.

    Parameters
    ----------
    probabilities : ndarray, shape (n, n_classes)
    codes : ndarray of int, shape (n,)
    class_weight : {"balanced", "none"}
    began : float
        When the fit began, by `time.perf_counter`.
    """
    import pandas as pd

    weight = np.ones(len(codes))
    if class_weight == "balanced":
        weight = 1 / np.bincount(codes)[codes]
    true_class = np.clip(probabilities[np.arange(len(codes)), codes], 1e-7, 1)
    row = dict.fromkeys(HISTORY, np.nan) | {
        "epoch": 1.0,
        "loss": float(np.average(-np.log(true_class), weights=weight)),
        "accuracy": float(np.average(probabilities.argmax(axis=1) == codes, weights=weight)),
        "seconds": time.perf_counter() - began,
    }
    return pd.DataFrame([row], columns=list(HISTORY))


@dataclass
class FittedEstimator(FittedModel):
    """A fitted estimator.

    Attributes
    ----------
    estimator : sklearn.base.BaseEstimator
    """

    estimator: Any
    shape: InputShape
    history: "pd.DataFrame"
    best_epoch: int = 1
    where: str = "estimator"

    def classify(self, x: np.ndarray) -> np.ndarray:
        """See `eegemo.models.base.FittedModel.classify`."""
        from threadpoolctl import threadpool_limits

        # sums taken over several threads are rounded differently than over one
        with threadpool_limits(1):
            try:
                return predict_all_classes(self.estimator, x, self.shape.n_classes, self.where)
            except InputError:
                raise
            except Exception as error:  # a stranger's estimator raises many types
                raise DataError(
                    f"model: what {self.where} returned cannot classify windows of shape "
                    f"{x.shape}: {type(error).__name__}: {_brief(error)}."
                ) from error

    def save(self, path: Path) -> None:
        """Write the estimator with skops, whose files hold no code.

        Raises
        ------
        ConfigError
            If it holds something that such a file cannot, as a function inside a function.
        """
        import skops.io

        try:
            content = skops.io.dumps(self.estimator)
        except Exception as error:  # skops raises many types
            raise ConfigError(
                f"model: what {self.where} returned cannot be stored: {_brief(error)}."
            ) from error
        with atomic_file(path) as temporary:
            temporary.write_bytes(content)


@dataclass(frozen=True)
class EstimatorModel(BuilderModel):
    """A scikit-learn estimator, from a builder or from an object that is cloned for each fold."""

    framework = "sklearn"

    @classmethod
    def of(cls, estimator: Any) -> "EstimatorModel":
        """Make a model of an estimator that is there; each fold gets a clone."""
        return cls(type(estimator).__name__, _Cloned(estimator), {}, Facts("sklearn"))

    @property
    def file(self) -> str | None:  # type: ignore[override]
        """``model.skops``, where the optional package skops is installed."""
        return "model.skops" if importlib.util.find_spec("skops") else None

    @property
    def identity(self) -> Mapping[str, Any] | None:
        """See `eegemo.models.base.Model.identity`; an object has none."""
        return None if isinstance(self.builder, _Cloned) else super().identity

    def build(self, shape: InputShape) -> Any:
        """Return an estimator that can give probabilities; see `eegemo.models.base.Model.build`."""
        estimator = super().build(shape)
        if not hasattr(estimator, "fit"):
            raise ConfigError(
                f"model: {where_is(self.builder)} returned {type(estimator).__name__}; expected a "
                "scikit-learn estimator."
            )
        if not hasattr(estimator, "predict_proba"):
            raise ConfigError(
                f"model: {where_is(self.builder)} returned {type(estimator).__name__}, which gives "
                "no probabilities (predict_proba). Wrap it in "
                "sklearn.calibration.CalibratedClassifierCV."
            )
        return estimator

    def fit(
        self, data: FitData, options: TrainingOptions, *, seed: int, files: FitFiles
    ) -> FittedEstimator:
        """Fit on the whole training set at once; see `eegemo.models.base.Model.fit`."""
        from sklearn.utils import check_random_state
        from threadpoolctl import threadpool_limits

        began = time.perf_counter()
        estimator = self.build(data.shape)
        if files.history is not None and self.file is not None:
            _check_storable(estimator, where_is(self.builder))  # before, not after, a long fit
        _seed(estimator, int(check_random_state(seed).randint(2**31)))
        codes = data.y(data.train)
        if len(np.unique(codes)) < 2:
            raise DataError(
                f"{self.name}: expected training windows of at least two classes, found "
                f"{len(np.unique(codes))}."
            )
        more = _weighted(estimator, options.class_weight, data.class_weight[codes])
        x = data.x(data.train)
        with threadpool_limits(1):
            try:
                estimator.fit(x, codes, **more)
            except InputError:
                raise
            except Exception as error:  # a stranger's estimator raises many types
                raise DataError(
                    f"model: what {where_is(self.builder)} returned cannot be fitted on windows "
                    f"of shape (n_windows, n_times, n_channels) = {x.shape}: "
                    f"{type(error).__name__}: {_brief(error)}. A classifier that takes features "
                    "needs a step in front that makes them, as eegemo.features.BandPower does."
                ) from error
        where = where_is(self.builder)
        fitted = FittedEstimator(estimator, data.shape, empty_history(), where=where)
        fitted.history = one_row_history(fitted.classify(x), codes, options.class_weight, began)
        if files.history is not None:
            write_text(files.history, fitted.history.to_csv(index=False))
        return fitted

    def fit_memory(self, shape: InputShape, n_train: int, batch_size: int) -> int:
        """Return the bytes of the training set, which is in memory as a whole."""
        return 4 * n_train * shape.n_times * shape.n_channels

    def load(self, path: Path, shape: InputShape) -> FittedEstimator:
        """Read an estimator that skops wrote; only types that are known to be safe are made."""
        if importlib.util.find_spec("skops") is None:
            raise ConfigError(f"{path}: reading it needs skops (pip install eegemo[skops]).")
        import skops.io

        # types of what the builder makes, whose code is trusted, and those of its own module
        own, made = module_of(self.builder), _types_in(skops.io.dumps(self.build(shape)))
        try:
            found = skops.io.get_untrusted_types(file=path)
            unknown = [
                kind for kind in found if kind not in made and kind.rpartition(".")[0] != own
            ]
            if unknown:
                raise DataError(
                    f"{path} asks for {unknown[0]}, which is not known to be safe. It may be "
                    "hostile; nothing of it was run."
                )
            estimator = skops.io.load(path, trusted=found)
        except InputError:
            raise
        except Exception as error:  # skops raises many types
            raise DataError(f"{path} cannot be loaded: {_brief(error)}.") from error
        if not hasattr(estimator, "predict_proba") or not hasattr(estimator, "classes_"):
            raise DataError(
                f"{path} holds {type(estimator).__name__}, which is no fitted classifier."
            )
        return FittedEstimator(estimator, shape, empty_history(), where=where_is(self.builder))


class _Cloned:
    """A builder that clones an estimator."""

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator
        self.__name__ = self.__qualname__ = type(estimator).__name__

    def __call__(self) -> Any:
        from sklearn.base import clone

        return clone(self.estimator)


def _types_in(content: bytes) -> list[str]:
    """Return what a file of skops asks for beyond the types that skops knows to be safe."""
    import skops.io

    found: list[str] = skops.io.get_untrusted_types(data=content)
    return found


def _check_storable(estimator: Any, where: str) -> None:
    """Refuse an estimator that could not be read back."""
    import skops.io

    try:
        content = skops.io.dumps(estimator)
        skops.io.loads(content, trusted=_types_in(content))
    except Exception as error:  # skops raises many types
        raise ConfigError(
            f"model: what {where} returned cannot be stored: {_brief(error)}. A function in it "
            "must be at the top of its module and have a name, so no lambda."
        ) from error


def module_of(builder: Any) -> str:
    """Return the name of the module that a builder is from."""
    return str(getattr(builder, "__module__", ""))


def _seed(estimator: Any, seed: int) -> None:
    """Set every random_state that is not set, so that the same seed gives the same numbers."""
    parameters = estimator.get_params() if hasattr(estimator, "get_params") else {}
    unset = [
        name
        for name, value in parameters.items()
        if value is None and name.rpartition("__")[2] == "random_state"
    ]
    if unset:
        estimator.set_params(**dict.fromkeys(unset, seed))


def _weighted(estimator: Any, class_weight: str, weight: np.ndarray) -> dict[str, Any]:
    """Let classes count the same: by the last step's class_weight, or else by sample weights."""
    from sklearn.utils.validation import has_fit_parameter

    if class_weight == "none":
        return {}
    steps = getattr(estimator, "steps", None)
    name, last = steps[-1] if steps else ("", estimator)
    parameters = last.get_params() if hasattr(last, "get_params") else {}
    if "class_weight" in parameters:
        if parameters["class_weight"] is None:
            last.set_params(class_weight="balanced")
        return {}
    if has_fit_parameter(last, "sample_weight"):
        return {f"{name}__sample_weight" if name else "sample_weight": weight}
    return {}


def _brief(error: Exception) -> str:
    return " ".join(str(error).split())[:300].rstrip(".") or type(error).__name__
