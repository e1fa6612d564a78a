"""Train a Keras network.

Only Keras's public, backend-neutral API is used, so the same code trains on TensorFlow, JAX and
PyTorch.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal
from weakref import WeakKeyDictionary

import keras
import numpy as np

from eegemo.errors import DataError
from eegemo.execution import quiet_stderr
from eegemo.models import build_model
from eegemo.models.keras.batches import Batches
from eegemo.models.keras.callbacks import BestWeights, Checkpoint, HalveRate, History, SeedEpochs
from eegemo.scaling import Scaling
from eegemo.splits import Fold
from eegemo.store import digest_bytes, digest_json
from eegemo.windows import Windows

__all__ = ["predict_network", "train_network"]

# Prediction reads this many windows at a time; it affects speed and memory only.
_BATCH = 256

# A network that has been trained and is no longer needed, by all that its compiled step depends on.
# To compile a step takes as long as an epoch or more, and the folds of an experiment differ in the
# values of variables only.
_idle: dict[str, keras.Model] = {}
# What a trained network's compiled step depends on, to predict by the idle one like it.
_steps: WeakKeyDictionary[keras.Model, str] = WeakKeyDictionary()


@dataclass(frozen=True)
class Trained:
    """A trained network.

    Attributes
    ----------
    network : keras.Model
        With the weights of the best epoch.
    history : list of dict
        One row per epoch.
    best_epoch : int
        Counted from 1; the last one where there is no validation.
    """

    network: keras.Model
    history: list[dict[str, float]]
    best_epoch: int


def train_network(
    windows: Windows,
    fold: Fold,
    *,
    model: Mapping[str, Any],
    scaling: Scaling,
    weights: np.ndarray,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    schedule: Literal["constant", "cosine", "plateau"],
    patience: int,
    clip_norm: float | None,
    precision: str,
    seed: int,
    columns: tuple[str, ...],
    history_path: Path | None,
    checkpoint: Path | None,
) -> Trained:
    """Build and train a network; the arguments are those of `eegemo.training.fit_fold`.

    Raises
    ------
    DataError
        If the loss is no longer a number.
    """
    validated = is_validated(windows, fold, weights)
    history = History(history_path, columns)
    best = BestWeights(patience) if validated else None
    rate = HalveRate(max(1, patience // 2)) if validated and schedule == "plateau" else None
    rates: Any = learning_rate
    if schedule == "cosine":
        rates = make_cosine(learning_rate, len(fold.train), batch_size, epochs)
    build = partial(build_network, windows, model, rates, clip_norm, precision, seed)
    network = build()
    shape = (windows.n_times, windows.n_channels, len(windows.labels.classes))
    rule = rates.get_config() if schedule == "cosine" else None  # other rates are variables
    step = digest_json([dict(model), shape, rule, clip_norm, precision, keras.backend.backend()])
    # elsewhere the seeds of dropout are variables, and so in the checkpoint
    drawn = SeedEpochs(seed) if keras.backend.backend() == "torch" else None
    callbacks = [history, keras.callbacks.TerminateOnNaN(), best, rate, drawn]
    keeper, done = None, 0
    if checkpoint is not None:
        key = describe_training(
            windows,
            fold,
            scaling,
            weights,
            model=dict(model),
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            schedule=schedule,
            patience=patience,
            clip_norm=clip_norm,
            precision=precision,
            seed=seed,
        )
        keeper = Checkpoint(checkpoint, key, history, best, rate)
        callbacks.append(keeper)
    with _compiled_before(network, step, build) as compiled:
        if keeper is not None:
            done = keeper.resume(compiled)
            if best is not None and best.over:
                done = epochs
        train = Batches(
            windows,
            fold.train,
            scaling,
            batch_size=batch_size,
            weights=weights,
            seed=seed,
            epochs_done=done,
        )
        validation = (
            Batches(windows, fold.validation, scaling, batch_size=_BATCH, weights=weights)
            if validated
            else None
        )
        compiled.fit(
            train,
            validation_data=validation,
            epochs=epochs,
            initial_epoch=done,
            callbacks=[one for one in callbacks if one is not None],
            shuffle=False,
            verbose=0,
        )
    check_losses(fold, history.rows)
    found = best is not None and best.best_epoch
    return Trained(network, history.rows, found or len(history.rows))


@contextmanager
def _compiled_before(
    network: keras.Model, step: str, build: Callable[[], keras.Model]
) -> Iterator[keras.Model]:
    """Give a network to train in place of this one, which then gets what was learned."""
    if keras.backend.backend() == "torch":  # nothing is compiled
        yield network
        return
    # taken out while it is in use: another thread may fit, too
    compiled = _idle.pop(step, None)
    if compiled is None:
        compiled = build()
    for one in (network, compiled):
        if not one.optimizer.built:
            one.optimizer.build(one.trainable_variables)
    _copy(_state(network), _state(compiled))
    yield compiled
    _copy(_state(compiled), _state(network))
    _steps[network] = step
    _keep(step, compiled)


def _keep(step: str, compiled: keras.Model) -> None:
    """Keep a compiled network for the next fold, in place of any other one."""
    _idle.clear()
    _idle[step] = compiled


def _state(network: keras.Model) -> list[Any]:
    """List the weights of a network, with the seeds of dropout, and its optimizer's variables."""
    return [*network.variables, *network.optimizer.variables]


def _copy(source: Sequence[Any], target: Sequence[Any]) -> None:
    """Give variables the values of others."""
    for old, new in zip(source, target, strict=True):
        # a copy, since JAX gives the memory of a network that it trains to its successor
        new.assign(np.array(keras.ops.convert_to_numpy(old)))


def describe_training(
    windows: Windows, fold: Fold, scaling: Scaling, weights: np.ndarray, **settings: Any
) -> str:
    """Return a digest of all that decides a training but the signals, for its checkpoint."""
    known = [settings, scaling.steps, scaling.fit, keras.backend.backend(), keras.__version__]
    parts = [part.astype("<i8") for part in (fold.train, fold.validation, windows.labels.codes)]
    arrays = [*parts, weights, scaling.gain, scaling.offset]
    return digest_bytes(digest_json(known).encode(), *(one.tobytes() for one in arrays))


def is_validated(windows: Windows, fold: Fold, weights: np.ndarray) -> bool:
    """Tell whether a fold has validation windows whose loss says something."""
    # classes that training lacks have no weight
    return bool(weights[windows.codes[fold.validation]].any())


def make_cosine(learning_rate: float, n_train: int, batch_size: int, epochs: int) -> Any:
    """Return the schedule ``"cosine"`` over all steps of a training."""
    steps = -(-n_train // batch_size)
    return keras.optimizers.schedules.CosineDecay(learning_rate, epochs * steps)


def build_network(
    windows: Windows,
    model: Mapping[str, Any],
    rates: Any,
    clip_norm: float | None,
    precision: str,
    seed: int,
) -> keras.Model:
    """Build and compile a network; `rates` is a learning rate or a schedule of them."""
    with _dtype_policy(precision):
        with quiet_stderr():  # on any back end this loads TensorFlow, if it is there, which talks
            keras.utils.set_random_seed(seed)
        network = build_model(
            **model,
            n_times=windows.n_times,
            n_channels=windows.n_channels,
            n_classes=len(windows.labels.classes),
        )
        network.compile(
            optimizer=keras.optimizers.Adam(rates, global_clipnorm=clip_norm),
            loss="sparse_categorical_crossentropy",
            weighted_metrics=["accuracy"],
            # JAX needs XLA; with it TensorFlow would lose cuDNN's recurrent layers
            jit_compile=keras.backend.backend() == "jax",
        )
    return network


def check_losses(fold: Fold, history: Sequence[Mapping[str, float]]) -> None:
    """Raise DataError if a loss is not a number."""
    if not np.isfinite([row["loss"] for row in history]).all():
        raise DataError(
            f"training: the loss of fold {fold.name} is not a number after {len(history)} "
            "epochs. Lower training.learning_rate, set clip_norm, or look for broken recordings."
        )


@contextmanager
def _dtype_policy(name: str) -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def predict_network(
    network: keras.Model, windows: Windows, rows: np.ndarray, scaling: Scaling
) -> np.ndarray:
    """Return class probabilities of windows; shape (n, n_classes), float32."""
    batches = Batches(windows, rows, scaling, batch_size=_BATCH)
    step = _steps.get(network, "")
    compiled = _idle.pop(step, None)
    if compiled is not None:
        _copy(network.variables, compiled.variables)
    probabilities: np.ndarray = (compiled or network).predict(batches, verbose=0)
    if compiled is not None:
        _keep(step, compiled)
    return probabilities
