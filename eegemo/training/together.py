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
from eegemo.models import MODELS, measure_model
from eegemo.models.base import check_schedule, fold_weights
from eegemo.scaling import Scaling
from eegemo.splits import Fold, check_leaks
from eegemo.store import write_text
from eegemo.training.candidates import (
    Candidate,
    candidate_checkpoint,
    check_choice,
    choose,
    describe_try,
)
from eegemo.training.fold import FittedFold, predict_test
from eegemo.windows import Windows

if TYPE_CHECKING:
    from eegemo.training.together_part import Part

__all__ = ["can_fit_together", "fit_candidates_together", "fit_folds_together"]


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
    if len({(one.fit, one.steps) for one in scalings}) > 1:
        return "the folds are scaled in different ways"
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
    checkpoints: Sequence[str | Path] | None = None,
    at_once: int | None = None,
) -> list[FittedFold]:
    """Train on many folds at once, each as `eegemo.training.fit_fold` would train it.

    Trials are copied to the device once.

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
    checkpoints : sequence of path, optional
        For each fold, the file from which a training that was interrupted goes on. One that
        `eegemo.training.fit_fold` wrote is taken up, too, and the other way round.
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
    LeakageError
        If a fold leaks, as for `eegemo.training.fit_fold`.
    DataError
        If a loss is no longer a number.
    """
    import keras

    reason = can_fit_together(model, scalings)
    if keras.backend.backend() != "jax":
        reason = f"it needs KERAS_BACKEND=jax, and Keras runs on {keras.backend.backend()}"
    if reason is not None:
        raise ConfigError(f"All folds at once: {reason}.")
    from eegemo.models.keras.fitting import build_network, describe_training, make_cosine
    from eegemo.training.together_group import Group
    from eegemo.training.together_part import Part
    from eegemo.training.together_program import Program, free_memory

    check_leaks(folds, windows.table)
    for fold in folds:
        check_schedule(schedule, fold)
    settings: dict[str, Any] = {
        "model": dict(model),
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "schedule": schedule,
        "patience": patience,
        "clip_norm": clip_norm,
        "precision": precision,
    }
    longest = max((-(-len(fold.train) // batch_size) for fold in folds), default=0)
    parts = []
    for k, fold in enumerate(folds):
        weights = fold_weights(windows, fold, class_weight)
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
            weights=weights,
            rates=table,
            halving=schedule == "plateau",
            patience=patience,
            seed=seeds[k],
            history_path=Path(history_paths[k]) if history_paths is not None else None,
            epochs=epochs,
            checkpoint=Path(checkpoints[k]) if checkpoints is not None else None,
            key=describe_training(windows, fold, scalings[k], weights, seed=seeds[k], **settings),
        )
        parts.append(part)
    by_window = scalings[0].steps if scalings and scalings[0].fit == "window" else ()
    network = build_network(windows, model, learning_rate, clip_norm, precision, 0)
    program = Program(network, by_window)
    used, trial = np.unique(windows.trial, return_inverse=True)
    signals = _stack_trials(windows, used)
    if at_once is None:
        at_once = _count_at_once(free_memory(), signals.nbytes, windows, model, batch_size)
    index = {"trial": trial, "first": windows.first, "codes": windows.codes}
    shared = {name: value.astype(np.int32) for name, value in index.items()}
    shared = keras.tree.map_structure(keras.ops.convert_to_tensor, shared | {"signals": signals})
    fitted: list[FittedFold] = []
    for some in _share_out(parts, at_once):
        # as many steps in each group, so that they are compiled once
        group = Group(program, shared, some, used, batch_size=batch_size, n_steps=longest)
        group.train()
        for part in some:
            part.end_training()
        began = time.perf_counter()
        tested = group.classify_best([part.fold.test for part in some])
        seconds = (time.perf_counter() - began) / len(some)
        validated = group.classify_best([part.fold.validation for part in some])
        for part, p_test, p_validation in zip(some, tested, validated, strict=True):
            fitted.append(part.finish(numbers[len(fitted)], p_test, p_validation, seconds))
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
    checkpoints: Sequence[Path] | None = None,
) -> list[tuple[FittedFold, dict[str, Any] | None]]:
    """Fit all folds with one candidate after another; each fold keeps the one that it prefers.

    Parameters and what is returned for each fold are those of `fit_folds_together` and
    `eegemo.training.fit_candidates`.
    """
    check_leaks(folds, windows.table)  # while choosing, they have no test part
    common: dict[str, Any] = {"scalings": scalings, "numbers": numbers, "seeds": seeds}
    common["history_paths"] = history_paths
    if len(candidates) == 1:
        only = candidates[0]
        fits = fit_folds_together(
            windows, folds, model=only.model, **common, checkpoints=checkpoints, **only.training
        )
        return [(one, None) for one in fits]
    for fold in folds:
        check_choice(fold)
    # while choosing, the folds have no test part
    blind = [replace(fold, test=fold.test[:0]) for fold in folds]
    tries = []
    for k, one in enumerate(candidates):
        places = [candidate_checkpoint(path, k) for path in checkpoints or ()]
        options = common | {"checkpoints": places or None} | one.training
        tries.append(fit_folds_together(windows, blind, model=one.model, **options))
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
