"""Train a Keras network.

Only Keras's public, backend-neutral API is used, so the same code trains on TensorFlow, JAX and
PyTorch.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import keras
import numpy as np

from eegemo.execution import quiet_stderr
from eegemo.models.builders import BuilderModel
from eegemo.models.fit_data import FitData, is_validated
from eegemo.models.keras.batches import Batches
from eegemo.models.keras.callbacks import BestWeights, Checkpoint, HalveRate, History, SeedEpochs
from eegemo.models.options import TrainingOptions
from eegemo.models.shapes import HISTORY, FitFiles, InputShape, check_losses
from eegemo.scaling import ScaledWindows
from eegemo.store import digest_json

__all__ = [
    "build_network",
    "describe_training",
    "make_cosine",
    "predict_alike",
    "predict_network",
    "step_of",
    "train_network",
]

# Prediction reads this many windows at a time; it affects speed and memory only.
_BATCH = 256

# A network that has been trained and is no longer needed, by all that its compiled step depends on.
# To compile a step takes as long as an epoch or more, and the folds of an experiment differ in the
# values of variables only.
_idle: dict[str, keras.Model] = {}
# What a trained network's compiled step depends on, to predict by the idle one like it.
_steps: WeakKeyDictionary[keras.Model, str] = WeakKeyDictionary()


def train_network(
    model: BuilderModel,
    data: FitData,
    options: TrainingOptions,
    *,
    seed: int,
    files: FitFiles,
) -> tuple[keras.Model, list[dict[str, float]], int]:
    """Build and train a network.

    Parameters
    ----------
    model : BuilderModel
        Whose builder gives the network.
    data : FitData
    options : TrainingOptions
    seed : int
    files : FitFiles

    Returns
    -------
    network : keras.Model
        With the weights of the best epoch.
    history : list of dict
        One row per epoch.
    best_epoch : int
        Counted from 1; the last one where there is no validation.

    Raises
    ------
    DataError
        If the loss is no longer a number.
    """
    validated = is_validated(data)
    history = History(files.history, HISTORY)
    best = BestWeights(options.patience) if validated else None
    halves = validated and options.schedule == "plateau"
    rate = HalveRate(max(1, options.patience // 2)) if halves else None
    rates: Any = options.learning_rate
    if options.schedule == "cosine":
        rates = make_cosine(options, len(data.train))
    build = partial(build_network, model, data.shape, options, rates, seed)
    network = build()
    # elsewhere the seeds of dropout are variables, and so in the checkpoint
    drawn = SeedEpochs(seed) if keras.backend.backend() == "torch" else None
    callbacks = [history, keras.callbacks.TerminateOnNaN(), best, rate, drawn]
    keeper, done = None, 0
    if files.checkpoint is not None and model.identity is not None:
        key = describe_training(model, data, options, seed)
        keeper = Checkpoint(files.checkpoint, key, history, best, rate)
        callbacks.append(keeper)
    with _compiled_before(network, step_of(model, data.shape, options, rates), build) as compiled:
        if keeper is not None:
            done = keeper.resume(compiled)
            if best is not None and best.over:
                done = options.epochs
        weights, size = data.class_weight, options.batch_size
        train = Batches(
            data, data.train, batch_size=size, weights=weights, seed=seed, epochs_done=done
        )
        validation = (
            Batches(data, data.validation, batch_size=_BATCH, weights=weights)
            if validated
            else None
        )
        compiled.fit(
            train,
            validation_data=validation,
            epochs=options.epochs,
            initial_epoch=done,
            callbacks=[callback for callback in callbacks if callback is not None],
            shuffle=False,
            verbose=0,
        )
    check_losses(data.name, history.rows)
    found = best is not None and best.best_epoch
    return network, history.rows, found or len(history.rows)


def step_of(
    model: BuilderModel, shape: InputShape, options: TrainingOptions, rates: Any
) -> str | None:
    """Name all that a compiled step depends on; None if the model cannot be told from others."""
    if model.identity is None:
        return None
    rule = rates.get_config() if options.schedule == "cosine" else None  # other rates are variables
    # a builder may ask for the sampling frequency and the channels, too
    shaped = (*shape[:4], list(shape.ch_names))
    settings = [options.clip_norm, options.precision, keras.backend.backend()]
    return digest_json([dict(model.identity), shaped, rule, *settings])


@contextmanager
def _compiled_before(
    network: keras.Model, step: str | None, build: Callable[[], keras.Model]
) -> Iterator[keras.Model]:
    """Give a network to train in place of this one, which then gets what was learned."""
    if keras.backend.backend() == "torch" or step is None:  # nothing is compiled, or none is alike
        yield network
        return
    # taken out while it is in use: another thread may fit, too
    compiled = _idle.pop(step, None)
    if compiled is None:
        compiled = build()
    for trained in (network, compiled):
        if not trained.optimizer.built:
            trained.optimizer.build(trained.trainable_variables)
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
    model: BuilderModel, data: FitData, options: TrainingOptions, seed: int
) -> str:
    """Return a digest of all that decides a training but the signals, for its checkpoint."""
    backend = keras.backend.backend()
    return data.key(model.identity or {}, options, seed, backend, keras.__version__)


def make_cosine(options: TrainingOptions, n_train: int) -> Any:
    """Return the schedule ``"cosine"`` over all steps of a training."""
    steps = -(-n_train // options.batch_size)
    return keras.optimizers.schedules.CosineDecay(options.learning_rate, options.epochs * steps)


def build_network(
    model: BuilderModel, shape: InputShape, options: TrainingOptions, rates: Any, seed: int
) -> keras.Model:
    """Build and compile a network; `rates` is a learning rate or a schedule of them."""
    with _dtype_policy(options.precision):
        with quiet_stderr():  # on any back end this loads TensorFlow, if it is there, which talks
            keras.utils.set_random_seed(seed)
        network: keras.Model = model.build(shape)
        network.compile(
            optimizer=keras.optimizers.Adam(rates, global_clipnorm=options.clip_norm),
            loss="sparse_categorical_crossentropy",
            weighted_metrics=["accuracy"],
            # JAX needs XLA; with it TensorFlow would lose cuDNN's recurrent layers
            jit_compile=keras.backend.backend() == "jax",
        )
    return network


@contextmanager
def _dtype_policy(name: str) -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def predict_network(network: keras.Model, data: ScaledWindows, rows: np.ndarray) -> np.ndarray:
    """Return class probabilities of windows; shape (n, n_classes), float32."""
    batches = Batches(data, rows, batch_size=_BATCH)
    step = _steps.get(network, "")
    compiled = _idle.pop(step, None)
    if compiled is not None:
        _copy(network.variables, compiled.variables)
    probabilities: np.ndarray = (compiled or network).predict(batches, verbose=0)
    if compiled is not None:
        _keep(step, compiled)
    return probabilities


def predict_alike(networks: Sequence[keras.Model], step: str | None) -> None:
    """Let networks of one architecture predict by one compiled network."""
    if step is None or keras.backend.backend() == "torch" or not networks:
        return
    compiled = keras.models.clone_model(networks[0])
    compiled.compile(jit_compile=keras.backend.backend() == "jax")
    _keep(f"{step}, predictions only", compiled)
    for network in networks:
        _steps[network] = f"{step}, predictions only"
