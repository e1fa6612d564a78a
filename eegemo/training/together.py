"""Fit all folds of a cross-validation as one program, on Keras's JAX back end.

Each fold is trained exactly as `eegemo.training.fit_fold` trains it alone: the same first weights,
the same order of windows, the same dropout, its own early stopping. What they share is each
dispatch to the device, which small recurrent networks leave almost idle. It pays on a GPU, and
costs on a CPU.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from eegemo.errors import ConfigError
from eegemo.folds import Fold
from eegemo.models import MODELS, measure_model
from eegemo.scaling import Scaling
from eegemo.store import write_text
from eegemo.windows import Windows

from .candidates import Candidate, check_choice, choose, describe_try
from .fitting import FittedFold, check_schedule, fold_weights, predict_test

if TYPE_CHECKING:
    from .together_part import Part
    from .together_program import Program

__all__ = ["can_fit_together", "fit_candidates_together", "fit_folds_together"]

# Windows of each fold that are classified at a time; it affects speed and memory only.
_BATCH = 256


def can_fit_together(model: Mapping[str, Any], scalings: Sequence[Scaling]) -> str | None:
    """Tell why folds cannot be fitted by `fit_folds_together`, if so.

    Parameters
    ----------
    model : mapping
        ``name`` and sizes, as for `eegemo.models.build_model`.
    scalings : sequence of Scaling

    Returns
    -------
    reason : str or None

    Examples
    --------
    >>> can_fit_together({"name": "band_power_logreg"}, [])
    'band_power_logreg is no network that all folds can train at once'
    """
    if MODELS.get(model["name"], ("",))[0] != "cnn_rnn":
        return f"{model['name']} is no network that all folds can train at once"
    if any(one.steps and one.fit == "window" for one in scalings):
        return "scaling with fit 'window' is not done on the device"
    return None


def fit_folds_together(
    windows: Windows,
    folds: Sequence[Fold],
    *,
    model: Mapping[str, Any],
    scalings: Sequence[Scaling],
    numbers: Sequence[int],
    seeds: Sequence[int],
    epochs: int = 50,
    batch_size: int = 64,
    learning_rate: float = 1e-3,
    schedule: Literal["constant", "cosine", "plateau"] = "constant",
    patience: int = 8,
    class_weight: Literal["balanced", "none"] = "balanced",
    clip_norm: float | None = 1.0,
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = "float32",
    history_paths: Sequence[str | Path] | None = None,
    at_once: int | None = None,
) -> list[FittedFold]:
    """Train on many folds at once, each as `eegemo.training.fit_fold` would train it.

    Trials are copied to the device once. There is no checkpoint: a training that was interrupted
    begins anew.

    Parameters
    ----------
    windows : Windows
    folds : sequence of Fold
        They may differ in size.
    model, epochs, batch_size, learning_rate, schedule, patience, class_weight, clip_norm, precision
        As for `eegemo.training.fit_fold`, the same for all folds.
    scalings : sequence of Scaling
        One for each fold, fitted on its training windows.
    numbers, seeds : sequence of int
        For each fold: its number in the predictions, and the seed of weights, dropout and order.
    history_paths : sequence of path, optional
        For each fold, the CSV to which each epoch is added as it ends.
    at_once : int, optional
        How many folds to train at a time; as many as the device's memory is estimated to hold if
        not given.

    Returns
    -------
    fitted : list of FittedFold
        One for each fold. The seconds of an epoch are shared evenly by the folds that it trained.

    Raises
    ------
    ConfigError
        If Keras's back end is not JAX, `can_fit_together` gives a reason, or
        ``schedule="plateau"`` and a fold has no validation part to watch.
    DataError
        If a loss is no longer a number.
    """
    import keras

    reason = can_fit_together(model, scalings)
    if keras.backend.backend() != "jax":
        reason = f"it needs KERAS_BACKEND=jax, and Keras runs on {keras.backend.backend()}"
    if reason is not None:
        raise ConfigError(f"All folds at once: {reason}.")
    from .network import build_network, make_cosine
    from .together_part import Part
    from .together_program import Program, free_memory

    for fold in folds:
        check_schedule(schedule, fold)
    longest = max((-(-len(fold.train) // batch_size) for fold in folds), default=0)
    parts = []
    for k, fold in enumerate(folds):
        rates: Any = learning_rate
        table = np.array([learning_rate], np.float32)
        if schedule == "cosine":
            rates = make_cosine(learning_rate, len(fold.train), batch_size, epochs)
            table = keras.ops.convert_to_numpy(rates(np.arange(epochs * longest + 1)))
        part = Part(
            windows,
            fold,
            scalings[k],
            network=build_network(windows, model, rates, clip_norm, precision, seeds[k]),
            weights=fold_weights(windows, fold, class_weight),
            rates=table,
            halving=schedule == "plateau",
            patience=patience,
            seed=seeds[k],
            history_path=Path(history_paths[k]) if history_paths is not None else None,
        )
        parts.append(part)
    program = Program(build_network(windows, model, learning_rate, clip_norm, precision, 0))
    used, trial = np.unique(windows.trial, return_inverse=True)
    signals = _stack_trials(windows, used)
    if at_once is None:
        at_once = _count_at_once(free_memory(), signals.nbytes, windows, model, batch_size)
    index = {"trial": trial, "first": windows.first, "codes": windows.codes}
    shared = {name: value.astype(np.int32) for name, value in index.items()}
    shared = keras.tree.map_structure(keras.ops.convert_to_tensor, shared | {"signals": signals})
    fitted: list[FittedFold] = []
    for some in _share_out(parts, at_once):
        own = _stack_own(some, used)
        # as many steps in each group, so that they are compiled once
        state = _train(program, shared, own, some, epochs, batch_size, longest)
        for part in some:
            part.end_training()
        best = (_stack([part.learned for part in some]), state[1])
        began = time.perf_counter()
        tested = _classify(program, best, shared, own, [part.fold.test for part in some])
        seconds = (time.perf_counter() - began) / len(some)
        rows = [part.fold.validation for part in some]
        validated = _classify(program, best, shared, own, rows)
        host = [list(map(np.asarray, values)) for values in state[1:]]
        for k, part in enumerate(some):
            others, optimizer = ([value[k] for value in values] for values in host)
            if schedule == "cosine":  # a schedule is no variable
                del optimizer[program.rate_at]
            number = numbers[len(fitted)]
            p = (tested[k], validated[k])
            fitted.append(part.finish((others, optimizer), number, *p, seconds))
    return fitted


def fit_candidates_together(
    windows: Windows,
    folds: Sequence[Fold],
    *,
    candidates: Sequence[Candidate],
    scalings: Sequence[Scaling],
    numbers: Sequence[int],
    seeds: Sequence[int],
    metric: Literal["loss", "balanced_accuracy"] = "loss",
    history_paths: Sequence[Path] | None = None,
) -> list[tuple[FittedFold, dict[str, Any] | None]]:
    """Fit all folds with one candidate after another; each fold keeps the one that it prefers.

    Parameters and what is returned for each fold are those of `fit_folds_together` and
    `eegemo.training.fit_candidates`.
    """
    common: dict[str, Any] = {"scalings": scalings, "numbers": numbers, "seeds": seeds}
    common["history_paths"] = history_paths
    if len(candidates) == 1:
        only = candidates[0]
        fits = fit_folds_together(windows, folds, model=only.model, **common, **only.training)
        return [(one, None) for one in fits]
    for fold in folds:
        check_choice(fold)
    # while choosing, the folds have no test part
    blind = [replace(fold, test=fold.test[:0]) for fold in folds]
    tries = [
        fit_folds_together(windows, blind, model=one.model, **common, **one.training)
        for one in candidates
    ]
    outcome: list[tuple[FittedFold, dict[str, Any] | None]] = []
    for k, fold in enumerate(folds):
        fits = [one[k] for one in tries]
        tried = [describe_try(one, fit) for one, fit in zip(candidates, fits, strict=True)]
        chosen = choose(tried, metric=metric)
        if history_paths is not None:
            write_text(history_paths[k], fits[chosen].history.to_csv(index=False))
        whole = predict_test(fits[chosen], windows, fold, number=numbers[k])
        outcome.append((whole, {"metric": metric, "candidates": tried, "chosen": chosen}))
    return outcome


def _train(
    program: "Program",
    shared: dict[str, Any],
    own: dict[str, Any],
    parts: "Sequence[Part]",
    epochs: int,
    batch_size: int,
    n_steps: int,
) -> Any:
    """Train parts until each has had its epochs or stops early; return their last states."""
    networks = [part.network for part in parts]
    state: Any = (
        _stack([one.trainable_variables for one in networks]),
        _stack([one.non_trainable_variables for one in networks]),
        _stack([program.optimizer.variables] * len(parts)),
    )
    for epoch in range(epochs):
        going = [not part.stop_training for part in parts]
        if not any(going):
            break
        # a part that is over has nothing but padding, which leaves it as it is
        rows = [part.begin_epoch(epoch, sum(going)) for part in parts]
        own["rates"] = np.stack([part.rates for part in parts])
        state, sums = program.train(state, shared, own, _batch(rows, batch_size, n_steps))
        watched = [part.watched for part in parts]
        p = _classify(program, state[:2], shared, own, watched)
        learned = list(map(np.asarray, state[0]))
        steps = np.asarray(state[2][program.steps_at])
        totals = np.asarray(sums, np.float64).sum(axis=0)
        for k in np.flatnonzero(going).tolist():
            own_learned = [value[k] for value in learned]
            parts[k].end_epoch(epoch, own_learned, int(steps[k]), totals[k], p[k])
    return state


def _classify(
    program: "Program", state: Any, shared: Any, own: Any, rows: Sequence[np.ndarray]
) -> list[np.ndarray]:
    """Return the class probabilities of each part's windows."""
    longest = max(map(len, rows))
    if not longest:
        return [np.zeros((0, own["weights"].shape[1]), np.float32) for _ in rows]
    size = min(longest, _BATCH)
    n_steps = -(-longest // size)
    found = np.asarray(program.predict(state, shared, own, _batch(rows, size, n_steps)))
    by_part = found.swapaxes(0, 1).reshape(len(rows), n_steps * size, -1)
    return [p[: len(one)] for p, one in zip(by_part, rows, strict=True)]


def _batch(rows: Sequence[np.ndarray], size: int, n_steps: int) -> np.ndarray:
    """Cut into batches, shape (n_steps, n_folds, size), filled up with -1."""
    table = np.full((len(rows), n_steps * size), -1, np.int32)
    for place, one in zip(table, rows, strict=True):
        place[: len(one)] = one
    return table.reshape(len(rows), n_steps, size).swapaxes(0, 1)


def _stack(values: Sequence[Sequence[Any]]) -> list[Any]:
    """Put what each part has into one array on the device, for each variable."""
    import keras

    return [
        keras.ops.convert_to_tensor(np.stack([keras.ops.convert_to_numpy(one) for one in same]))
        for same in zip(*values, strict=True)
    ]


def _stack_own(parts: "Sequence[Part]", used: np.ndarray) -> dict[str, Any]:
    """Put class weights and scaling on the device; the scaling as one map for each trial."""
    import keras

    tables: dict[str, list[np.ndarray]] = {"weights": [], "gain": [], "offset": []}
    for part in parts:
        scaling, windows = part.scaling, part.windows
        unit = scaling.unit_of(windows)
        of_trial = np.zeros(len(windows.trials), int)
        if unit is not None:
            of_trial[windows.trial] = unit
        # without steps there are no units, and nothing is done
        plain = np.ones((1, windows.n_channels), np.float32)
        gain, offset = (scaling.gain, scaling.offset) if scaling.steps else (plain, 0 * plain)
        tables["gain"].append(gain[of_trial[used]])
        tables["offset"].append(offset[of_trial[used]])
        tables["weights"].append(part.weights)
    return {name: keras.ops.convert_to_tensor(np.stack(one)) for name, one in tables.items()}


def _stack_trials(windows: Windows, used: np.ndarray) -> np.ndarray:
    """Copy the trials in use, shape (n_trials, n_times, n_channels); short ones end in zeros."""
    trials = [windows.trials.array(trial) for trial in used]
    shape = (len(trials), max(map(len, trials)), windows.n_channels)
    signals = np.zeros(shape, np.float32)
    for place, trial in zip(signals, trials, strict=True):
        place[: len(trial)] = trial
    return signals


def _share_out(parts: "Sequence[Part]", at_once: int) -> "Iterator[Sequence[Part]]":
    """Cut into as few and as equal groups as possible, of no more than so many."""
    n_groups = max(-(-len(parts) // at_once), 1)
    size = -(-len(parts) // n_groups)
    for begin in range(0, len(parts), size or 1):
        yield parts[begin : begin + size]


def _count_at_once(
    free: int | None, taken: int, windows: Windows, model: Mapping[str, Any], batch_size: int
) -> int:
    """Estimate how many folds the memory of the device holds, at least 1.

    What the layers give for a batch, as often as a convolution is long, since its inputs are
    unfolded; and each weight with its gradient, moments and copies. With half as much again, that
    is more than what XLA takes for the networks that were looked at (on a CPU).
    """
    size = measure_model(
        **model,
        n_times=windows.n_times,
        n_channels=windows.n_channels,
        n_classes=len(windows.labels.classes),
    )
    if free is None or size is None:
        return 10**6
    layers = size.activations + windows.n_times * windows.n_channels
    each = 6 * (max(batch_size, 64) * layers * model.get("kernel_size", 5) + 10 * size.parameters)
    return max(int((0.9 * free - taken) // each), 1)
