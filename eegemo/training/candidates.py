"""Choose among settings inside a training set, by its validation windows.

The test set is predicted by the model that was chosen, after it was chosen: a choice that saw test
windows would make their score too good (Cawley & Talbot 2010, "On over-fitting in model selection
and subsequent selection bias in performance evaluation", JMLR 11:2079-2107).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from eegemo.errors import DataError
from eegemo.evaluation import class_names
from eegemo.evaluation.predictions import probabilities
from eegemo.models.base import Model
from eegemo.models.options import TrainingOptions
from eegemo.models.shapes import NO_FILES, FitFiles
from eegemo.scaling import Scaling
from eegemo.splits import Fold, check_leaks
from eegemo.store import write_text
from eegemo.training.fold import FittedFold, fit_fold, fit_folds_jointly, predict_test
from eegemo.windows import Windows

__all__ = [
    "Candidate",
    "choose",
    "fit_candidates",
    "fit_candidates_jointly",
    "score_validation",
]


@dataclass(frozen=True)
class Candidate:
    """Settings to try.

    Attributes
    ----------
    settings : dict
        What distinguishes them, as ``{"model.units": 32}``.
    model : Model
    training : TrainingOptions
    """

    settings: dict[str, Any]
    model: Model
    training: TrainingOptions


def score_validation(validation: pd.DataFrame) -> dict[str, float]:
    """Score the predictions of validation windows; each class that occurs counts the same.

    Returns
    -------
    scores : dict
        ``loss``: mean over classes of the mean of ``-log(p)`` of the true class;
        ``balanced_accuracy``: mean over classes of the share recognised.

    Examples
    --------
    >>> from eegemo.evaluation import make_predictions
    >>> table = make_predictions(fold=0, subject=["a"] * 3, session=["1"] * 3, trial=[1, 2, 3],
    ...     start=[0, 0, 0], y_true=["x", "x", "y"], classes=["x", "y"],
    ...     probabilities=[[1, 0], [0.5, 0.5], [0.5, 0.5]])
    >>> {name: round(value, 3) for name, value in score_validation(table).items()}
    {'loss': 0.52, 'balanced_accuracy': 0.5}
    """
    names = pd.Index(class_names(validation))
    code = names.get_indexer(pd.Index(validation["y_true"]))
    p = probabilities(validation)
    own = -np.log(np.clip(p[np.arange(len(p)), code], 1e-7, 1))
    right = p.argmax(axis=1) == code
    there = np.unique(code)
    return {
        "loss": float(np.mean([own[code == label].mean() for label in there])),
        "balanced_accuracy": float(np.mean([right[code == label].mean() for label in there])),
    }


def choose(
    scores: Sequence[Mapping[str, float]],
    *,
    metric: Literal["loss", "balanced_accuracy"] = "loss",
) -> int:
    """Return the number of the best scores; of equals, the first.

    Examples
    --------
    >>> choose([{"loss": 1.2}, {"loss": 0.9}, {"loss": 0.9}])
    1
    """
    values = np.array([score[metric] for score in scores])
    return int(values.argmin() if metric == "loss" else values.argmax())


def describe_try(candidate: Candidate, fitted: FittedFold) -> dict[str, Any]:
    """Return what a choice records of a candidate that was fitted."""
    return {
        "settings": candidate.settings,
        **score_validation(fitted.validation),
        "epochs": len(fitted.history),
        "best_epoch": fitted.best_epoch,
        "seconds": fitted.seconds["fit"],
    }


def files_of_candidate(files: FitFiles, k: int) -> FitFiles:
    """Name the checkpoint of a candidate after that of the fold; they share the history."""
    path = files.checkpoint
    if path is None:
        return files
    return files._replace(checkpoint=path.with_name(f"{path.stem}-{k}{path.suffix}"))


def check_choice(fold: Fold) -> None:
    """Raise DataError if a fold has no validation windows to choose by."""
    if not len(fold.validation):
        raise DataError(f"choice: fold {fold.name} has no validation set to choose by.")


def fit_candidates(
    windows: Windows,
    fold: Fold,
    *,
    candidates: Sequence[Candidate],
    scaling: Scaling,
    metric: Literal["loss", "balanced_accuracy"] = "loss",
    number: int = 0,
    seed: int = 0,
    files: FitFiles = NO_FILES,
    features: np.ndarray | None = None,
) -> tuple[FittedFold, dict[str, Any] | None]:
    """Fit a fold with every candidate, and keep the one that validation windows prefer.

    Parameters
    ----------
    windows, fold, scaling, number, seed, files, features
        As for `eegemo.training.fit_fold`; all candidates have the same seed.
    candidates : sequence of Candidate
        With a single one nothing is chosen.
    metric : {"loss", "balanced_accuracy"}
        What to choose by (`score_validation`).

    Returns
    -------
    fitted : FittedFold
        Of the candidate chosen; only this one has predicted the test set.
    choice : dict or None
        ``metric``, ``candidates`` (settings, scores, epochs, seconds of each) and ``chosen``; None
        if there was a single candidate.

    Raises
    ------
    LeakageError
        If the fold leaks, as for `eegemo.training.fit_fold`.
    DataError
        If there is something to choose and no validation set to choose by.
    """
    # here already: while choosing, the fold has no test set that could be found in another
    check_leaks([fold], windows.table)
    common: dict[str, Any] = {"scaling": scaling, "number": number, "features": features}
    common["seed"] = seed
    if len(candidates) == 1:
        only = candidates[0]
        fitted = fit_fold(
            windows, fold, model=only.model, training=only.training, **common, files=files
        )
        return fitted, None
    check_choice(fold)
    # while choosing, the fold has no test set
    blind = replace(fold, test=fold.test[:0])
    tried: list[dict[str, Any]] = []
    best: FittedFold | None = None
    for k, candidate in enumerate(candidates):
        fitted = fit_fold(
            windows,
            blind,
            model=candidate.model,
            training=candidate.training,
            **common,
            files=files_of_candidate(files, k),
            target=fold.test,
        )
        tried.append(describe_try(candidate, fitted))
        if best is None or choose(tried, metric=metric) == k:
            best = fitted
    assert best is not None
    if files.history is not None:
        write_text(files.history, best.history.to_csv(index=False))
    chosen = predict_test(best, windows, fold, number=number, features=features)
    return chosen, {"metric": metric, "candidates": tried, "chosen": choose(tried, metric=metric)}


def fit_candidates_jointly(
    windows: Windows,
    folds: Sequence[Fold],
    *,
    candidates: Sequence[Candidate],
    scalings: Sequence[Scaling],
    numbers: Sequence[int],
    seeds: Sequence[int],
    metric: Literal["loss", "balanced_accuracy"] = "loss",
    files: Sequence[FitFiles] | None = None,
) -> list[tuple[FittedFold, dict[str, Any] | None]]:
    """Fit all folds with one candidate after another; each fold keeps the one that it prefers.

    Parameters and what is returned for each fold are those of `eegemo.training.fit_folds_jointly`
    and `fit_candidates`.
    """
    check_leaks(folds, windows.table)  # while choosing, they have no test set
    files = [NO_FILES] * len(folds) if files is None else files
    common: dict[str, Any] = {"scalings": scalings, "numbers": numbers, "seeds": seeds}
    if len(candidates) == 1:
        only = candidates[0]
        fits = fit_folds_jointly(
            windows, folds, model=only.model, training=only.training, **common, files=files
        )
        return [(fitted, None) for fitted in fits]
    for fold in folds:
        check_choice(fold)
    # while choosing, the folds have no test set
    blind = [replace(fold, test=fold.test[:0]) for fold in folds]
    tries = [
        fit_folds_jointly(
            windows,
            blind,
            model=candidate.model,
            training=candidate.training,
            **common,
            files=[files_of_candidate(own, k) for own in files],
        )
        for k, candidate in enumerate(candidates)
    ]
    outcome: list[tuple[FittedFold, dict[str, Any] | None]] = []
    for fold, number, own, *fits in zip(folds, numbers, files, *tries, strict=True):
        tried = [describe_try(*pair) for pair in zip(candidates, fits, strict=True)]
        chosen = choose(tried, metric=metric)
        if own.history is not None:
            write_text(own.history, fits[chosen].history.to_csv(index=False))
        whole = predict_test(fits[chosen], windows, fold, number=number)
        outcome.append((whole, {"metric": metric, "candidates": tried, "chosen": chosen}))
    return outcome
