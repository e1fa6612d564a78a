"""Train the pipeline of an experiment again on labels that mean nothing.

The scores of such refits are the distribution of the score without an effect, whatever the design:
a clip, a recording or a person that a model recognises, it recognises with exchanged labels, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from eegemo.evaluation.statistics.design import Design
from eegemo.evaluation.statistics.relabelling import draw_relabelling
from eegemo.models.base import make_fit_data
from eegemo.scaling import ScaledWindows, fit_scaling
from eegemo.splits import LEAKING, Fold, make_repeats
from eegemo.training import Candidate, fit_candidates
from eegemo.windows import Windows

__all__ = ["Refit", "RefitTask", "Relabelled", "refit_chunk", "relabel", "score_folds"]

# Distinct from all other uses of small seeds.
_STREAM = 2**31 + 14


@dataclass(frozen=True)
class Refit:
    """The scores of one refit.

    Attributes
    ----------
    number : int
        Of the draw, from 0.
    window, trial : float
        Balanced accuracy of windows, and of trials by soft voting.
    """

    number: int
    window: float
    trial: float


@dataclass(frozen=True)
class Relabelled:
    """Windows and folds with exchanged labels."""

    windows: Windows
    folds: tuple[Fold, ...]


@dataclass(frozen=True)
class RefitTask:
    """Task of a process: some refits of an experiment, one after another.

    Attributes
    ----------
    windows : Windows
    folds : tuple of Fold
    design : Design
    candidates : tuple of Candidate
    metric : {"loss", "balanced_accuracy"}
    scaling, split : mapping
        The options of these sections, the split with its ``repeats`` and ``seed``.
    seed : int
        Of the experiment.
    features : Path or None
        File of the windows' band power.
    draws : tuple of int
        Numbers of the refits.
    """

    windows: Windows
    folds: tuple[Fold, ...]
    design: Design
    candidates: tuple[Candidate, ...]
    metric: Literal["loss", "balanced_accuracy"]
    scaling: Mapping[str, Any]
    split: Mapping[str, Any]
    seed: int
    features: Path | None
    draws: tuple[int, ...]

    def __str__(self) -> str:
        return f"refits {self.draws[0]} to {self.draws[-1]}"


def relabel(
    windows: Windows,
    folds: Sequence[Fold],
    design: Design,
    number: int,
    *,
    split: Mapping[str, Any],
    seed: int,
) -> Relabelled:
    """Exchange labels, together with the places in the folds.

    Parameters
    ----------
    windows : Windows
    folds : sequence of Fold
    design : Design
        Of the same trials.
    number : int
        Of the draw.
    split : mapping
        Options of `eegemo.splits.make_repeats`. Where folds divide trials, they are made anew.
    seed : int
        Of the experiment.

    Returns
    -------
    relabelled : Relabelled
    """
    new = draw_relabelling(design, np.random.default_rng([seed, _STREAM, number]))
    moved = replace(windows, labels=replace(windows.labels, codes=new.codes))
    if any(fold.group in LEAKING for fold in folds):
        return Relabelled(moved, tuple(make_repeats(moved.table, **split)))
    found = []
    for fold in folds:
        place = np.full(len(windows.trials), -1, np.int8)
        for role, rows in enumerate(fold.parts().values()):
            place[windows.trial[rows]] = role
        of_window = place[new.places][windows.trial]
        train, validation, test = (np.flatnonzero(of_window == role) for role in range(3))
        # a clip that somebody lacks lends its place to another, so only trials stay whole
        found.append(Fold(fold.name, train, validation, test, repeat=fold.repeat))
    return Relabelled(moved, tuple(found))


def refit_chunk(task: RefitTask) -> list[Refit]:
    """Do the refits of a task."""
    features = None if task.features is None else np.load(task.features, mmap_mode="r")
    found = []
    for number in task.draws:
        new = relabel(
            task.windows, task.folds, task.design, number, split=task.split, seed=task.seed
        )
        with threadpool_limits(1):  # as a fold is fitted, so that sums are rounded alike
            tables = [
                _fit_and_predict(task, new.windows, fold, k, number, features)
                for k, fold in enumerate(new.folds)
            ]
        rows = [fold.test for fold in new.folds]
        found.append(Refit(number, *score_folds(new.windows, rows, tables)))
    return found


def _fit_and_predict(
    task: RefitTask,
    windows: Windows,
    fold: Fold,
    k: int,
    number: int,
    features: NDArray[np.float32] | None,
) -> NDArray[np.floating[Any]]:
    """Return class probabilities of the test windows of a fold."""
    # scaling knows no labels, so that of the given windows serves, whose table is made already
    scaling = fit_scaling(task.windows, fold.train, **task.scaling)
    seed = int(np.random.SeedSequence([task.seed, k, number + 1]).generate_state(1)[0] >> 1)
    only = task.candidates[0]
    if len(task.candidates) == 1:
        scaled = ScaledWindows(task.windows, scaling, features)
        data = make_fit_data(
            windows, fold, scaled, model=only.model, class_weight=only.training.class_weight
        )
        return only.model.fit_and_predict(data, only.training, fold.test, seed=seed)
    fitted, _ = fit_candidates(
        windows,
        fold,
        candidates=task.candidates,
        scaling=scaling,
        metric=task.metric,
        number=k,
        seed=seed,
        features=features,
    )
    columns = [name for name in fitted.predictions if str(name).startswith("p_")]
    table: NDArray[np.floating[Any]] = fitted.predictions[columns].to_numpy()
    return table


def score_folds(
    windows: Windows,
    rows: Sequence[NDArray[np.intp]],
    probabilities: Sequence[NDArray[np.floating[Any]]],
) -> tuple[float, float]:
    """Return the balanced accuracy of windows and of trials, over all folds.

    Parameters
    ----------
    windows : Windows
    rows : sequence of ndarray of int
        Test windows of each fold.
    probabilities : sequence of ndarray, shape (n_test, n_classes)

    Returns
    -------
    window, trial : float
        The mean recall of the classes that occur; the class of a trial in a fold is that of the
        highest mean probability of its windows.
    """
    n_classes = len(windows.labels.classes)
    by_window = np.zeros((n_classes, n_classes))
    by_trial = np.zeros((n_classes, n_classes))
    for test, p in zip(rows, probabilities, strict=True):
        np.add.at(by_window, (windows.codes[test], p.argmax(axis=1)), 1)
        trials, inverse = np.unique(windows.trial[test], return_inverse=True)
        total = np.zeros((len(trials), n_classes))
        np.add.at(total, inverse, p)
        np.add.at(by_trial, (windows.labels.codes[trials], total.argmax(axis=1)), 1)
    return _balanced(by_window), _balanced(by_trial)


def _balanced(confusion: NDArray[np.float64]) -> float:
    support = confusion.sum(axis=1)
    occurring = support > 0
    return float((np.diag(confusion)[occurring] / support[occurring]).mean())
