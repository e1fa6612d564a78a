"""Train all folds of a cross-validation as one program, on Keras's JAX back end.

Each fold is trained exactly as `eegemo.models.keras.fitting.train_network` trains it alone: the
same first weights, the same order of windows, the same dropout, its own early stopping. What they
share is each dispatch to the device, which small recurrent networks leave almost idle. It pays on a
GPU, and costs on a CPU.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from eegemo.errors import ConfigError
from eegemo.models.builders import BuilderModel
from eegemo.models.fit_data import FitData
from eegemo.models.keras.fitting import (
    build_network,
    describe_training,
    make_cosine,
    predict_alike,
    step_of,
)
from eegemo.models.keras.together.group import Group
from eegemo.models.keras.together.part import Part
from eegemo.models.keras.together.program import Program, free_memory
from eegemo.models.options import TrainingOptions
from eegemo.models.shapes import FitFiles, InputShape
from eegemo.windows import Windows

__all__ = ["train_networks"]


def train_networks(
    model: BuilderModel,
    data: Sequence[FitData],
    options: TrainingOptions,
    *,
    seeds: Sequence[int],
    files: Sequence[FitFiles],
    at_once: int | None = None,
) -> list[tuple[keras.Model, list[dict[str, float]], int]]:
    """Train on many folds at once, each as it would be trained alone.

    Trials are copied to the device once.

    Parameters
    ----------
    model : BuilderModel
    data : sequence of FitData
        Of the same windows; folds may differ in size.
    options : TrainingOptions
        The same for all folds.
    seeds : sequence of int
        For each fold, the seed of weights, dropout and order.
    files : sequence of FitFiles
        For each fold. A checkpoint that a fold trained alone wrote is taken up, too, and the other
        way round.
    at_once : int, optional
        How many folds to train at a time; as many as the device's memory is estimated to hold if
        not given.

    Returns
    -------
    trained : list of (keras.Model, list of dict, int)
        For each fold: the network with the weights of the best epoch, its history, and the best
        epoch, counted from 1. The seconds of an epoch are shared evenly by the folds that it
        trained.

    Raises
    ------
    ConfigError
        If Keras's back end is not JAX, or the model cannot be trained so.
    DataError
        If a loss is no longer a number.
    """
    reason = model.cannot_fit_many([part.scaled.scaling for part in data])
    if keras.backend.backend() != "jax":
        reason = f"it needs KERAS_BACKEND=jax, and Keras runs on {keras.backend.backend()}"
    if reason is not None:
        raise ConfigError(f"All folds at once: {reason}.")
    if not data:
        return []
    size = options.batch_size
    longest = max(-(-len(part.train) // size) for part in data)
    parts = [
        _part_of(model, part, options, seed, own, longest)
        for part, seed, own in zip(data, seeds, files, strict=True)
    ]
    windows, shape, scaling = data[0].scaled.windows, data[0].shape, data[0].scaled.scaling
    by_window = scaling.steps if scaling.fit == "window" else ()
    program = Program(build_network(model, shape, options, options.learning_rate, 0), by_window)
    used, trial = np.unique(windows.trial, return_inverse=True)
    signals = _stack_trials(windows, used)
    if at_once is None:
        at_once = _count_at_once(free_memory(), signals.nbytes, model, shape, size)
    index = {"trial": trial, "first": windows.first, "codes": _merged_codes(data)}
    shared = {name: value.astype(np.int32) for name, value in index.items()}
    shared = keras.tree.map_structure(keras.ops.convert_to_tensor, shared | {"signals": signals})
    for some in _share_out(parts, at_once):
        # as many steps in each group, so that they are compiled once
        Group(program, shared, some, used, batch_size=size, n_steps=longest).train()
        for part in some:
            part.end_training()
    trained = [part.finish() for part in parts]
    # prediction knows no learning rates
    step = step_of(model, shape, replace(options, schedule="constant"), options.learning_rate)
    predict_alike([network for network, _, _ in trained], step)
    return trained


def _part_of(
    model: BuilderModel,
    data: FitData,
    options: TrainingOptions,
    seed: int,
    files: FitFiles,
    longest: int,
) -> Part:
    rates: Any = options.learning_rate
    table = np.array([options.learning_rate], np.float32)
    if options.schedule == "cosine":
        rates = make_cosine(options, len(data.train))
        table = keras.ops.convert_to_numpy(rates(np.arange(options.epochs * longest + 1)))
    return Part(
        data,
        options,
        network=build_network(model, data.shape, options, rates, seed),
        rates=table,
        seed=seed,
        files=files,
        key=describe_training(model, data, options, seed),
    )


def _merged_codes(data: Sequence[FitData]) -> np.ndarray:
    """Return the classes that any of the folds may see; the first class where none may."""
    codes = np.zeros(len(data[0].scaled), np.int64)
    for part in data:
        for rows in (part.train, part.validation):
            codes[rows] = part.y(rows)
    return codes


def _stack_trials(windows: Windows, used: np.ndarray) -> np.ndarray:
    """Copy the trials in use, shape (n_trials, n_times, n_channels); short ones end in zeros."""
    trials = [windows.trials.array(trial) for trial in used]
    shape = (len(trials), max(map(len, trials)), windows.n_channels)
    signals = np.zeros(shape, np.float32)
    for place, trial in zip(signals, trials, strict=True):
        place[: len(trial)] = trial
    return signals


def _share_out(parts: Sequence[Part], at_once: int) -> Iterator[Sequence[Part]]:
    """Cut into as few and as equal groups as possible, of no more than so many."""
    n_groups = max(-(-len(parts) // at_once), 1)
    size = -(-len(parts) // n_groups)
    for begin in range(0, len(parts), size or 1):
        yield parts[begin : begin + size]


def _count_at_once(
    free: int | None, taken: int, model: BuilderModel, shape: InputShape, batch_size: int
) -> int:
    """Estimate how many folds the memory of the device holds, at least 1.

    What the layers give for a batch, as often as a convolution is long, since its inputs are
    unfolded; and each weight with its gradient, moments and copies. With half as much again, that
    is more than what XLA takes for the networks that were looked at (on a CPU).
    """
    size = model.size(shape)
    if free is None or size is None:
        return 10**6
    layers = size.activations + shape.n_times * shape.n_channels
    length = model.options.get("kernel_size", 5)
    each = 6 * (max(batch_size, 64) * layers * length + 10 * size.parameters)
    return max(int((0.9 * free - taken) // each), 1)
