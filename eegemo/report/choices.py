"""Hyperparameter selection: the candidates of each fold, and the one selected."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["choice_table", "describe_choice", "settings_text"]


def settings_text(settings: Mapping[str, Any]) -> str:
    """Format the hyperparameters of a candidate for readers.

    Examples
    --------
    >>> settings_text({"model.units": 32, "model.name": "cnn_gru"})
    'model.units 32, model.name cnn_gru'
    """
    values = {
        name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in settings.items()
    }
    return ", ".join(f"{name} {value}" for name, value in values.items())


def choice_table(folds: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """List every candidate of every fold.

    Parameters
    ----------
    folds : sequence of mappings
        The record of each fold.

    Returns
    -------
    DataFrame
        One row per fold and candidate: ``fold``, ``name``, ``candidate`` (from 0), a column for
        each setting, its validation ``loss`` and ``balanced_accuracy``, ``epochs``, ``best_epoch``
        (where known) and ``chosen``. Empty without hyperparameter selection.
    """
    rows = []
    for fold in folds:
        choice = fold.get("choice") or {"candidates": [], "chosen": None}
        for number, candidate in enumerate(choice["candidates"]):
            rows.append(
                {
                    "fold": fold["fold"],
                    "name": fold["name"],
                    "candidate": number,
                    **{name: _plain(value) for name, value in candidate["settings"].items()},
                    "loss": candidate["loss"],
                    "balanced_accuracy": candidate["balanced_accuracy"],
                    "epochs": candidate.get("epochs"),
                    "best_epoch": candidate.get("best_epoch"),
                    "chosen": number == choice["chosen"],
                }
            )
    return pd.DataFrame(rows)


def _plain(value: Any) -> Any:
    """Return a value that fits into a table cell."""
    return value if isinstance(value, str | int | float) else json.dumps(value)


def describe_choice(folds: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Summarise hyperparameter selection over folds.

    Parameters
    ----------
    folds : sequence of mappings
        The record of each fold.

    Returns
    -------
    dict or None
        ``metric``; ``candidates``: each with its ``settings``, ``text``, how many folds tried it
        (``n``) and chose it (``won``), and its mean validation ``loss`` and ``balanced_accuracy``;
        ``folds``: each with ``fold``, ``name``, ``text`` of what it selected, ``n_candidates``, the
        selected candidate's scores, and the ``range`` of the metric over candidates. None where no
        fold had candidates.
    """
    chosen: list[dict[str, Any]] = []
    tried: dict[str, dict[str, Any]] = {}
    for fold in folds:
        choice = fold.get("choice")
        if not choice:
            continue
        metric = choice["metric"]
        scores = [candidate[metric] for candidate in choice["candidates"]]
        for number, candidate in enumerate(choice["candidates"]):
            text = settings_text(candidate["settings"])
            entry = tried.setdefault(
                text, {"settings": candidate["settings"], "won": 0, "scores": []}
            )
            entry["won"] += number == choice["chosen"]
            entry["scores"].append((candidate["loss"], candidate["balanced_accuracy"]))
        best = choice["candidates"][choice["chosen"]]
        chosen.append(
            {
                "fold": fold["fold"],
                "name": fold["name"],
                "metric": metric,
                "text": settings_text(best["settings"]),
                "n_candidates": len(scores),
                **{name: best[name] for name in ("loss", "balanced_accuracy")},
                "range": [min(scores), max(scores)],
            }
        )
    if not chosen:
        return None
    candidates = []
    for text, entry in tried.items():
        loss, accuracy = np.mean(entry["scores"], axis=0).tolist()
        numbers = {"n": len(entry["scores"]), "won": entry["won"]}
        scores_of = {"loss": loss, "balanced_accuracy": accuracy}
        candidates.append({"settings": entry["settings"], "text": text, **numbers, **scores_of})
    return {"metric": chosen[0]["metric"], "candidates": candidates, "folds": chosen}
