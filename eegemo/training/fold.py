"""Fit one fold with one model, whatever it is made with.

The test set of a fold is touched once, after training, by `predict_test`.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from eegemo.errors import ConfigError
from eegemo.evaluation import make_predictions
from eegemo.models import as_model
from eegemo.models.base import FittedModel, Model, make_fit_data
from eegemo.models.fit_data import FitData
from eegemo.models.options import TrainingOptions, check_schedule
from eegemo.models.shapes import NO_FILES, FitFiles, check_probabilities
from eegemo.scaling import ScaledWindows, Scaling, fit_scaling
from eegemo.splits import Fold, check_leaks
from eegemo.windows import Windows

__all__ = [
    "FittedFold",
    "as_options",
    "fit_fold",
    "fit_folds_jointly",
    "measure_latency",
    "predict_test",
    "predict_windows",
    "tabulate",
]


@dataclass(frozen=True)
class FittedFold:
    """What one fold learned.

    Attributes
    ----------
    model : FittedModel
        A network with the weights of the best epoch.
    scaling : Scaling
    predictions : DataFrame
        Of the test windows (see `eegemo.evaluation.predictions`).
    validation : DataFrame
        Of the validation windows, by the same model; empty where there are no such windows.
    seconds : dict of str to float
        Wall time of ``fit`` and ``predict``; a resumed training counts all its epochs.
    where : str
        Name and file of what made the model, for messages.
    """

    model: FittedModel
    scaling: Scaling
    predictions: pd.DataFrame
    validation: pd.DataFrame
    seconds: dict[str, float]
    where: str = "the model"

    @property
    def history(self) -> pd.DataFrame:
        """One row per epoch: epoch, loss, accuracy, val_loss, val_accuracy, learning_rate, s."""
        return self.model.history

    @property
    def best_epoch(self) -> int:
        """Counted from 1; the last one where there is no validation."""
        return self.model.best_epoch


def as_options(training: TrainingOptions | Mapping[str, Any] | None) -> TrainingOptions:
    """Return training options of a mapping of some of them.

    Raises
    ------
    ConfigError
        If there is no such option.

    Examples
    --------
    >>> as_options({"epochs": 3}).epochs
    3
    """
    if isinstance(training, TrainingOptions):
        return training
    try:
        return TrainingOptions(**(training or {}))
    except TypeError as error:
        raise ConfigError(f"training: {error}.") from error


def fit_fold(
    windows: Windows,
    fold: Fold,
    *,
    model: Any,
    training: TrainingOptions | Mapping[str, Any] | None = None,
    scaling: Scaling | None = None,
    features: np.ndarray | None = None,
    number: int = 0,
    seed: int = 0,
    files: FitFiles = NO_FILES,
    target: np.ndarray | None = None,
) -> FittedFold:
    """Fit a model on the training set of a fold, and predict its test set.

    Early stopping is on the validation set.

    Parameters
    ----------
    windows : Windows
    fold : Fold
    model : Model, mapping, builder function, keras.Model, torch.nn.Module or estimator
        As `eegemo.models.as_model` takes it: ``{"name": "cnn_gru", "units": 32}``, or an object of
        your own.
    training : TrainingOptions or mapping, optional
        ``{"epochs": 3}``; the others have their defaults.
    scaling : Scaling, optional
        Fitted on the fold's training windows; z-score then min-max if not given.
    features : ndarray, shape (n_windows, n_features), optional
        For a model that names bands: the log band power of all windows in volts, from
        `eegemo.features.compute_band_powers`. It is the same for every fold, so it need be computed
        only once.
    number : int
        The fold's number in the predictions.
    seed : int
        Of weights, dropout and order. The same seed gives the same numbers on the same machine's
        CPU.
    files : FitFiles
        A CSV to which each epoch is added as it ends, and a checkpoint from which an interrupted
        training resumes, to the same numbers as if it had not been interrupted.
    target : ndarray of int, optional
        Windows whose signals a transductive model sees, if not the fold's test windows. Any other
        model sees neither.

    Returns
    -------
    fitted : FittedFold

    Raises
    ------
    LeakageError
        If two parts of the fold share a window, or what its `group` promises not to divide; or if
        the model asks for the class of a test window.
    DataError
        If the loss is no longer a number.
    ConfigError
        If the model cannot be built, or ``schedule="plateau"`` and the fold has no validation set.
    """
    # not every fold comes from `make_folds`
    check_leaks([fold], windows.table)
    fitting, options = as_model(model), as_options(training)
    scaling = fit_scaling(windows, fold.train) if scaling is None else scaling
    scaled = ScaledWindows(windows, scaling, features)
    data = _shown(windows, fold, fitting, options, scaled, target)
    fitted = fitting.fit(data, options, seed=seed, files=files)
    return _predicted(fitted, windows, fold, data.scaled, number, fitting.where)


def fit_folds_jointly(
    windows: Windows,
    folds: Sequence[Fold],
    *,
    model: Any,
    scalings: Sequence[Scaling],
    numbers: Sequence[int],
    seeds: Sequence[int],
    training: TrainingOptions | Mapping[str, Any] | None = None,
    files: Sequence[FitFiles] | None = None,
) -> list[FittedFold]:
    """Fit many folds as one program, each as `fit_fold` would fit it.

    Parameters
    ----------
    windows : Windows
    folds : sequence of Fold
        They may differ in size.
    model, training
        As for `fit_fold`, the same for all folds.
    scalings : sequence of Scaling
        One for each fold, fitted on its training windows.
    numbers, seeds : sequence of int
        For each fold: its number in the predictions, and its seed.
    files : sequence of FitFiles, optional
        For each fold. A checkpoint that `fit_fold` wrote is taken up, too, and the other way round.

    Returns
    -------
    fitted : list of FittedFold
        One for each fold. The seconds of an epoch are shared evenly by the folds that it trained.

    Raises
    ------
    ConfigError
        If `eegemo.models.base.Model.cannot_fit_many` gives a reason, Keras's back end is not JAX,
        or ``schedule="plateau"`` and a fold has no validation set.
    LeakageError, DataError
        As for `fit_fold`.
    """
    check_leaks(folds, windows.table)
    fitting, options = as_model(model), as_options(training)
    shown = [
        _shown(windows, fold, fitting, options, ScaledWindows(windows, scaling))
        for fold, scaling in zip(folds, scalings, strict=True)
    ]
    files = [NO_FILES] * len(folds) if files is None else files
    fitted = fitting.fit_many(shown, options, seeds=seeds, files=files)
    return [
        _predicted(found, windows, fold, data.scaled, number, fitting.where)
        for found, fold, data, number in zip(fitted, folds, shown, numbers, strict=True)
    ]


def _shown(
    windows: Windows,
    fold: Fold,
    model: Model,
    options: TrainingOptions,
    scaled: ScaledWindows,
    target: np.ndarray | None = None,
) -> FitData:
    """Return what the model may see of a fold."""
    check_schedule(options.schedule, fold)
    weighting = options.class_weight
    return make_fit_data(windows, fold, scaled, model=model, class_weight=weighting, target=target)


def _predicted(
    model: FittedModel,
    windows: Windows,
    fold: Fold,
    scaled: ScaledWindows,
    number: int,
    where: str,
) -> FittedFold:
    """Predict the validation set and then the test set of a fold."""
    fitted = FittedFold(
        model=model,
        scaling=scaled.scaling,
        predictions=pd.DataFrame(),
        validation=_predict(model, windows, fold, fold.validation, scaled, number, where),
        seconds={"fit": float(model.history["seconds"].sum()), "predict": 0.0},
        where=where,
    )
    return predict_test(fitted, windows, fold, number=number, features=scaled.band_power)


def predict_test(
    fitted: FittedFold,
    windows: Windows,
    fold: Fold,
    *,
    number: int = 0,
    features: np.ndarray | None = None,
) -> FittedFold:
    """Return the same with the predictions of the fold's test windows."""
    began = time.perf_counter()
    scaled = ScaledWindows(windows, fitted.scaling, features)
    predictions = _predict(fitted.model, windows, fold, fold.test, scaled, number, fitted.where)
    seconds = fitted.seconds | {"predict": time.perf_counter() - began}
    return replace(fitted, predictions=predictions, seconds=seconds)


def _predict(
    model: FittedModel,
    windows: Windows,
    fold: Fold,
    rows: np.ndarray,
    scaled: ScaledWindows,
    number: int,
    where: str,
) -> pd.DataFrame:
    if not len(rows):
        return pd.DataFrame()
    found, n_classes = model.predict_proba(scaled, rows), len(windows.labels.classes)
    probabilities = check_probabilities(found, len(rows), n_classes, where)
    return tabulate(windows, fold, rows, number, probabilities)


def tabulate(
    windows: Windows, fold: Fold, rows: np.ndarray, number: int, probabilities: np.ndarray
) -> pd.DataFrame:
    """Return the table of predictions of a fold's windows."""
    table = windows.table.iloc[rows]
    classes = windows.labels.classes
    return make_predictions(
        repeat=fold.repeat,
        fold=number,
        subject=table["subject"].astype(str),
        session=table["session"].astype(str),
        trial=table["trial"],
        stimulus=table["stimulus"].astype(str),
        start=table["start"],
        y_true=np.array(classes)[table["code"]],
        probabilities=probabilities,
        classes=classes,
    )


def predict_windows(
    model: FittedModel,
    windows: Windows,
    rows: np.ndarray,
    scaling: Scaling,
    *,
    features: np.ndarray | None = None,
) -> np.ndarray:
    """Return the class probabilities of windows.

    Parameters
    ----------
    model : FittedModel
        Of `fit_fold`, or loaded from a result.
    windows : Windows
    rows : ndarray of int, shape (n,)
    scaling : Scaling
        The one the model was trained with.
    features : ndarray, optional
        As for `fit_fold`.

    Returns
    -------
    probabilities : ndarray of float32, shape (n, n_classes)
    """
    found = model.predict_proba(ScaledWindows(windows, scaling, features), rows)
    return check_probabilities(found, len(rows), len(windows.labels.classes), "the stored model")


def measure_latency(
    model: FittedModel, windows: Windows, row: int, scaling: Scaling, *, calls: int = 20
) -> float:
    """Return the median time in seconds to scale and classify a single window, once warmed up."""
    unit = scaling.unit_of(windows)
    of_row = None if unit is None else unit[[row]]
    window = windows.gather(np.array([row]))
    seconds = []
    for _ in range(calls + 1):
        began = time.perf_counter()
        model.classify(scaling.transform(window.copy(), of_row))
        seconds.append(time.perf_counter() - began)
    return float(np.median(seconds[1:]))
