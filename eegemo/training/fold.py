"""Fit one fold with one model, whatever its kind.

The test part of a fold is touched once, after training, by `predict_windows`.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from eegemo.evaluation import make_predictions
from eegemo.models import is_network
from eegemo.models.base import HISTORY, check_schedule, fold_weights
from eegemo.scaling import Scaling, fit_scaling
from eegemo.splits import Fold, check_leaks
from eegemo.store import atomic_file, write_text
from eegemo.windows import Windows

__all__ = [
    "FittedFold",
    "fit_fold",
    "measure_latency",
    "predict_test",
    "predict_windows",
    "save_model",
    "tabulate",
]


#: A `keras.Model`, or a fitted `sklearn.pipeline.Pipeline`.
Model: TypeAlias = Any


@dataclass(frozen=True)
class FittedFold:
    """What one fold learned.

    Attributes
    ----------
    model : keras.Model or sklearn.pipeline.Pipeline
        A network with the weights of the best epoch.
    scaling : Scaling
    history : DataFrame
        One row per epoch: epoch, loss, accuracy, val_loss, val_accuracy, learning_rate, seconds.
    best_epoch : int
        Counted from 1; the last one where there is no validation.
    predictions : DataFrame
        Of the test windows (see `eegemo.evaluation.predictions`).
    validation : DataFrame
        Of the validation windows, by the same model; empty where there are no such windows.
    seconds : dict of str to float
        Wall time of ``fit`` and ``predict``; a resumed training counts all its epochs.
    """

    model: Model
    scaling: Scaling
    history: pd.DataFrame
    best_epoch: int
    predictions: pd.DataFrame
    validation: pd.DataFrame
    seconds: dict[str, float]


def fit_fold(
    windows: Windows,
    fold: Fold,
    *,
    model: Mapping[str, Any],
    scaling: Scaling | None = None,
    number: int = 0,
    epochs: int = 50,
    batch_size: int = 64,
    learning_rate: float = 1e-3,
    schedule: Literal["constant", "cosine", "plateau"] = "constant",
    patience: int = 8,
    class_weight: Literal["balanced", "none"] = "balanced",
    clip_norm: float | None = 1.0,
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = "float32",
    seed: int = 0,
    history_path: str | Path | None = None,
    checkpoint: str | Path | None = None,
    features: np.ndarray | None = None,
) -> FittedFold:
    """Train on a fold's training windows, stop by its validation windows, predict its test windows.

    Parameters
    ----------
    windows : Windows
    fold : Fold
    model : mapping
        ``name`` and sizes, as for `eegemo.models.build_model`.
    scaling : Scaling, optional
        Fitted on the fold's training windows; z-score then min-max if not given.
    number : int
        The fold's number in the predictions.
    epochs : int
        The most epochs. A model that is no network has none: of what follows, only `class_weight`
        concerns it.
    batch_size : int
    learning_rate : float
        Of Adam (Kingma & Ba, 2015), at the start.
    schedule : {"constant", "cosine", "plateau"}
        Keep the learning rate, lower it to zero along half a cosine over all epochs (Loshchilov &
        Hutter, 2017), or halve it after half the patience without a lower validation loss.
    patience : int
        Stop after this many epochs without a lower validation loss. The weights are those of the
        best epoch.
    class_weight : {"balanced", "none"}
        Weight training and validation loss so that classes count the same, from the training
        windows.
    clip_norm : float, optional
        Scale gradients down to this norm, over all weights.
    precision : {"float32", "mixed_float16", "mixed_bfloat16"}
        Keras's dtype policy; weights and probabilities stay in single precision.
    seed : int
        Of weights, dropout and order. The same seed gives the same numbers on the same machine's
        CPU.
    history_path : path, optional
        CSV to which each epoch is added as it ends.
    checkpoint : path, optional
        File from which a training that was interrupted goes on, to the same numbers as if it had
        not been; written as epochs end.
    features : ndarray, shape (n_windows, n_features), optional
        For ``band_power_logreg``: the log band power of all windows in volts, from
        `eegemo.features.compute_band_powers`. It is the same for every fold, so it need be computed
        only once.

    Returns
    -------
    fitted : FittedFold

    Raises
    ------
    LeakageError
        If two parts of the fold share a window, or what its `group` promises not to divide.
    DataError
        If the loss is no longer a number.
    ConfigError
        If ``schedule="plateau"`` and the fold has no validation part to watch.
    """
    # not every fold comes from `make_folds`
    check_leaks([fold], windows.table)
    check_schedule(schedule, fold)
    scaling = fit_scaling(windows, fold.train) if scaling is None else scaling
    weights = fold_weights(windows, fold, class_weight)
    fitted: Model
    if is_network(str(model["name"])):
        from eegemo.models.keras.fitting import train_network

        trained = train_network(
            windows,
            fold,
            model=model,
            scaling=scaling,
            weights=weights,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            schedule=schedule,
            patience=patience,
            clip_norm=clip_norm,
            precision=precision,
            seed=seed,
            columns=HISTORY,
            history_path=Path(history_path) if history_path is not None else None,
            checkpoint=Path(checkpoint) if checkpoint is not None else None,
        )
        fitted, best_epoch = trained.network, trained.best_epoch
        history = pd.DataFrame(trained.history, columns=list(HISTORY))
    else:
        from eegemo.training.estimator import fit_estimator

        fitted, outcome = fit_estimator(
            windows,
            fold.train,
            model=model,
            scaling=scaling,
            class_weight=class_weight,
            features=features,
        )
        row = dict.fromkeys(HISTORY, np.nan) | {"epoch": 1.0} | outcome
        history, best_epoch = pd.DataFrame([row], columns=list(HISTORY)), 1
        if history_path is not None:
            write_text(Path(history_path), history.to_csv(index=False))
    whole = FittedFold(
        model=fitted,
        scaling=scaling,
        history=history,
        best_epoch=best_epoch,
        predictions=pd.DataFrame(),
        validation=_predict(fitted, windows, fold, fold.validation, scaling, number, features),
        seconds={"fit": float(history["seconds"].sum()), "predict": 0.0},
    )
    return predict_test(whole, windows, fold, number=number, features=features)


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
    predictions = _predict(fitted.model, windows, fold, fold.test, fitted.scaling, number, features)
    seconds = fitted.seconds | {"predict": time.perf_counter() - began}
    return replace(fitted, predictions=predictions, seconds=seconds)


def _predict(
    model: Model,
    windows: Windows,
    fold: Fold,
    rows: np.ndarray,
    scaling: Scaling,
    number: int,
    features: np.ndarray | None,
) -> pd.DataFrame:
    if not len(rows):
        return pd.DataFrame()
    p = predict_windows(model, windows, rows, scaling, features=features)
    return tabulate(windows, fold, rows, number, p)


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
    model: Model,
    windows: Windows,
    rows: np.ndarray,
    scaling: Scaling,
    *,
    features: np.ndarray | None = None,
) -> np.ndarray:
    """Return the class probabilities of windows.

    Parameters
    ----------
    model : keras.Model or sklearn.pipeline.Pipeline
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
    if hasattr(model, "predict_proba"):
        from eegemo.models.band_power import predict_band_power_logreg

        return predict_band_power_logreg(model, windows, rows, scaling=scaling, features=features)
    from eegemo.models.keras.fitting import predict_network

    return predict_network(model, windows, rows, scaling)


def measure_latency(
    model: Model, windows: Windows, row: int, scaling: Scaling, *, calls: int = 20
) -> float:
    """Return the median time in seconds to scale and classify a single window, once warmed up."""
    unit = scaling.unit_of(windows)
    own = None if unit is None else unit[[row]]
    window = windows.gather(np.array([row]))
    classify = model.predict_proba if hasattr(model, "predict_proba") else model.predict_on_batch
    seconds = []
    for _ in range(calls + 1):
        began = time.perf_counter()
        classify(scaling.transform(window.copy(), own))
        seconds.append(time.perf_counter() - began)
    return float(np.median(seconds[1:]))


def save_model(model: Model, path: str | Path) -> None:
    """Write a model, whole or not at all: a network in Keras's format, another one as ``.npz``."""
    with atomic_file(Path(path)) as temporary:
        if hasattr(model, "predict_proba"):
            from eegemo.models.band_power import save_band_power_logreg

            save_band_power_logreg(model, temporary)
        else:
            model.save(temporary)
