"""The folder of a prediction: never over an earlier one without being told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from eegemo.errors import InputError
from eegemo.inference.scoring import Scored
from eegemo.pages.figures import class_timeline, confusion_matrices, save_figure, to_svg
from eegemo.store import atomic_file, write_json, write_text

__all__ = ["FILES", "check_free", "tabulate_trials", "write_prediction"]

#: All files of a prediction; not every prediction has all of them.
FILES = (
    *("predictions.csv", "predictions.parquet", "timeline.png", "timeline.svg", "about.json"),
    *("trials.csv", "confusion.csv", "confusion.png", "confusion.svg"),
)


def check_free(folder: Path, *, force: bool) -> None:
    """Refuse a folder that holds an earlier prediction, unless it may be replaced.

    Raises
    ------
    InputError
        The message names what is there, and what to write instead.
    """
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: expected a folder for the prediction, found a file.")
    there = [name for name in FILES if (folder / name).exists()]
    if there and not force:
        raise InputError(
            f"{folder}: an earlier prediction is there ({', '.join(there)}). Choose another folder "
            "with --out, or replace it with --force."
        )


def tabulate_trials(table: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """Return a row per trial: the mean probabilities of its windows, and the largest.

    Parameters
    ----------
    table : DataFrame
        A row per window, as of `eegemo.inference.tabulate_windows`.
    classes : sequence of str

    Returns
    -------
    trials : DataFrame
        ``subject``, ``session``, ``trial``, ``n_windows``, ``p_<class>``, ``y_true`` (where the
        table has it) and ``predicted``.
    """
    columns = [f"p_{name}" for name in classes]
    grouped = table.groupby(["subject", "session", "trial"], sort=False)
    trials = grouped[columns].mean()
    trials.insert(0, "n_windows", grouped.size())
    if "y_true" in table:
        trials["y_true"] = grouped["y_true"].first()
    best = trials[columns].to_numpy().argmax(axis=1)
    trials["predicted"] = np.array(classes, object)[best]
    return trials.reset_index()


def write_prediction(
    folder: Path,
    table: pd.DataFrame,
    classes: Sequence[str],
    about: Mapping[str, Any],
    *,
    scored: Scored | None = None,
    gaps: Sequence[tuple[float, float]] = (),
) -> None:
    """Write tables, figures and ``about.json``; files of an earlier prediction are removed first.

    Parameters
    ----------
    folder : Path
    table : DataFrame
        A row per window.
    classes : sequence of str
    about : mapping
    scored : Scored, optional
        The scores, for the confusion matrix.
    gaps : sequence of (float, float)
        Breaks of a continuous recording, in seconds.
    """
    for name in FILES:  # what the new one does not have would be taken for its own
        (folder / name).unlink(missing_ok=True)
    with atomic_file(folder / "predictions.csv") as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")
    with atomic_file(folder / "predictions.parquet") as temporary:
        table.to_parquet(temporary, index=False)
    if "trial" in table:
        with atomic_file(folder / "trials.csv") as temporary:
            tabulate_trials(table, classes).to_csv(temporary, index=False, lineterminator="\n")
    if scored is not None:
        with atomic_file(folder / "confusion.csv") as temporary:
            scored.confusion().to_csv(temporary, index=False, lineterminator="\n")
    _draw(folder, table, classes, scored, gaps)
    write_json(folder / "about.json", about)


def _draw(
    folder: Path,
    table: pd.DataFrame,
    classes: Sequence[str],
    scored: Scored | None,
    gaps: Sequence[tuple[float, float]],
) -> None:
    drawn = {"timeline": class_timeline(table, classes, gaps=gaps)}
    if scored is not None:
        matrices = {"Windows": scored.window["confusion"], "Trials": scored.trial["confusion"]}
        drawn["confusion"] = confusion_matrices(matrices, classes)
    for name, figure in drawn.items():
        save_figure(figure, folder / f"{name}.png")
        write_text(folder / f"{name}.svg", to_svg(figure))
