"""Fit one fold, and keep what was learned.

Only Keras's public, backend-neutral API is used, so the same code trains on TensorFlow, JAX and
PyTorch. The test part of a fold is touched once, after the last epoch, by `predict_windows`.
"""

import csv
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
import pandas as pd

from eegemo.errors import ConfigError, DataError
from eegemo.folds import Fold
from eegemo.models import build_model
from eegemo.predictions import make_predictions
from eegemo.scaling import Scaling, fit_scaling
from eegemo.store import atomic_file
from eegemo.windows import Windows

__all__ = ["Batches", "FittedFold", "class_weights", "fit_fold", "predict_windows", "save_model"]

HISTORY = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "seconds")


class Batches(keras.utils.PyDataset):
    """Windows as Keras batches, gathered and scaled when they are asked for.

    Parameters
    ----------
    windows : Windows
    rows : ndarray of int
        The windows to deliver.
    scaling : Scaling
    batch_size : int
    weights : ndarray, shape (n_classes,), optional
        Weight of each class; with it, batches are ``(x, y, weight)``, otherwise ``(x,)``.
    seed : int, optional
        Shuffle anew in every epoch; in the given order if not set.
    """

    def __init__(
        self,
        windows: Windows,
        rows: np.ndarray,
        scaling: Scaling,
        *,
        batch_size: int,
        weights: np.ndarray | None = None,
        seed: int | None = None,
    ) -> None:
        super().__init__()
        self.windows, self.rows, self.scaling = windows, np.asarray(rows), scaling
        self.batch_size, self.weights = batch_size, weights
        self._unit = scaling.unit_of(windows)
        self._rng = None if seed is None else np.random.default_rng(seed)
        self._order = self.rows
        self._shuffle()

    def _shuffle(self) -> None:
        if self._rng is not None:
            self._order = self._rng.permutation(self.rows)

    def on_epoch_end(self) -> None:
        """Shuffle for the next epoch."""
        self._shuffle()

    def __len__(self) -> int:
        return -(-len(self.rows) // self.batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, ...]:
        rows = self._order[index * self.batch_size : (index + 1) * self.batch_size]
        unit = None if self._unit is None else self._unit[rows]
        x = self.scaling.transform(self.windows.gather(rows), unit)
        if self.weights is None:
            return (x,)
        y = self.windows.codes[rows]
        return x, y, self.weights[y]


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


class _BestWeights(keras.callbacks.Callback):
    """Stop when the validation loss no longer falls, and go back to the best epoch's weights."""

    def __init__(self, patience: int) -> None:
        super().__init__()
        self.patience, self.best, self.best_epoch = patience, np.inf, 0
        self._weights: list[np.ndarray] | None = None

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        loss = (logs or {}).get("val_loss", np.nan)
        if loss < self.best:
            self.best, self.best_epoch = loss, epoch + 1
            self._weights = self.model.get_weights()
        elif epoch + 1 - self.best_epoch >= self.patience:
            self.model.stop_training = True

    def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
        if self._weights is not None:
            self.model.set_weights(self._weights)


class _History(keras.callbacks.Callback):
    """Keep a row per epoch, and write it as the epoch ends, so that progress can be seen."""

    def __init__(self, path: Path | None) -> None:
        super().__init__()
        self.rows: list[dict[str, float]] = []
        self._path, self._began = path, 0.0
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("w", newline="", encoding="utf-8") as stream:
                csv.writer(stream).writerow(HISTORY)

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        self._began = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        row = {name: float((logs or {}).get(name, np.nan)) for name in HISTORY}
        row["epoch"] = epoch + 1
        row["learning_rate"] = float(self.model.optimizer.learning_rate)
        row["seconds"] = time.perf_counter() - self._began
        self.rows.append(row)
        if self._path is not None:
            with self._path.open("a", newline="", encoding="utf-8") as stream:
                csv.writer(stream).writerow(["" if np.isnan(v) else v for v in row.values()])


@dataclass(frozen=True)
class FittedFold:
    """What one fold learned.

    Attributes
    ----------
    model : keras.Model
        With the weights of the best epoch.
    scaling : Scaling
    history : DataFrame
        One row per epoch: epoch, loss, accuracy, val_loss, val_accuracy, learning_rate, seconds.
    best_epoch : int
        Counted from 1; the last one where there is no validation.
    predictions : DataFrame
        Of the test windows (see `eegemo.predictions`).
    seconds : dict of str to float
        Wall time of ``fit`` and ``predict``.
    """

    model: keras.Model
    scaling: Scaling
    history: pd.DataFrame
    best_epoch: int
    predictions: pd.DataFrame
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
        The most epochs.
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

    Returns
    -------
    fitted : FittedFold

    Raises
    ------
    DataError
        If the loss is no longer a number.
    ConfigError
        If ``schedule="plateau"`` and the fold has no validation part to watch.
    """
    if schedule == "plateau" and not len(fold.validation):
        raise ConfigError(
            "training: schedule 'plateau' watches the validation part, and there is none."
        )
    scaling = fit_scaling(windows, fold.train) if scaling is None else scaling
    n_classes = len(windows.labels.classes)
    with _dtype_policy(precision):
        keras.utils.set_random_seed(seed)
        network = build_model(
            **model, n_times=windows.n_times, n_channels=windows.n_channels, n_classes=n_classes
        )
        train_codes = windows.codes[fold.train]
        weights = np.ones(n_classes, np.float32)
        if class_weight == "balanced":
            weights = class_weights(train_codes, n_classes)
        train = Batches(
            windows, fold.train, scaling, batch_size=batch_size, weights=weights, seed=seed
        )
        rate: Any = learning_rate
        if schedule == "cosine":
            rate = keras.optimizers.schedules.CosineDecay(learning_rate, epochs * len(train))
        network.compile(
            optimizer=keras.optimizers.Adam(rate, global_clipnorm=clip_norm),
            loss="sparse_categorical_crossentropy",
            weighted_metrics=["accuracy"],
            # JAX needs XLA; with it TensorFlow would lose cuDNN's recurrent layers
            jit_compile=keras.backend.backend() == "jax",
        )
    history = _History(Path(history_path) if history_path is not None else None)
    callbacks: list[keras.callbacks.Callback] = [history, keras.callbacks.TerminateOnNaN()]
    best: _BestWeights | None = None
    validation: Batches | None = None
    # classes that training lacks have no weight; a loss over nothing else would say nothing
    if weights[windows.codes[fold.validation]].any():
        validation = Batches(windows, fold.validation, scaling, batch_size=256, weights=weights)
        best = _BestWeights(patience)
        callbacks.append(best)
        if schedule == "plateau":
            callbacks.append(
                keras.callbacks.ReduceLROnPlateau(factor=0.5, patience=max(1, patience // 2))
            )
    began = time.perf_counter()
    network.fit(
        train,
        validation_data=validation,
        epochs=epochs,
        callbacks=callbacks,
        shuffle=False,
        verbose=0,
    )
    fit_seconds = time.perf_counter() - began
    if not np.isfinite([row["loss"] for row in history.rows]).all():
        raise DataError(
            f"training: the loss of fold {fold.name} is not a number after {len(history.rows)} "
            "epochs. Lower training.learning_rate, set clip_norm, or look for broken recordings."
        )
    began = time.perf_counter()
    probabilities = predict_windows(network, windows, fold.test, scaling)
    predict_seconds = time.perf_counter() - began
    return FittedFold(
        model=network,
        scaling=scaling,
        history=pd.DataFrame(history.rows),
        best_epoch=best.best_epoch if best is not None and best.best_epoch else len(history.rows),
        predictions=_table(windows, fold.test, probabilities, number),
        seconds={"fit": fit_seconds, "predict": predict_seconds},
    )


def _table(
    windows: Windows, rows: np.ndarray, probabilities: np.ndarray, number: int
) -> pd.DataFrame:
    table = windows.table.iloc[rows]
    classes = windows.labels.classes
    return make_predictions(
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


@contextmanager
def _dtype_policy(name: str) -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def predict_windows(
    model: "keras.Model",
    windows: Windows,
    rows: np.ndarray,
    scaling: Scaling,
    *,
    batch_size: int = 256,
) -> np.ndarray:
    """Return the class probabilities of windows.

    Parameters
    ----------
    model : keras.Model
    windows : Windows
    rows : ndarray of int, shape (n,)
    scaling : Scaling
        The one the model was trained with.
    batch_size : int
        Affects speed and memory only.

    Returns
    -------
    probabilities : ndarray of float32, shape (n, n_classes)
    """
    batches = Batches(windows, rows, scaling, batch_size=batch_size)
    probabilities: np.ndarray = model.predict(batches, verbose=0)
    return probabilities


def save_model(model: "keras.Model", path: str | Path) -> None:
    """Write a model in Keras's own format, whole or not at all."""
    with atomic_file(Path(path)) as temporary:
        model.save(temporary)
