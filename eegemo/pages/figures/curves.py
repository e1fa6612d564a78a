"""Learning curves of a result, and of several results in the same axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from eegemo.pages.figures.style import (
    ACCENT,
    MUTED,
    SECOND,
    WIDTH,
    class_colours,
    legend,
    new_figure,
    row_of_axes,
    styled,
)

_MANY_FOLDS = 12  # above this, single lines would be a tangle


def _stack(histories: Sequence[pd.DataFrame], column: str) -> NDArray[np.float64]:
    """Stack one column of all histories, shape (n_folds, most epochs), NaN after each end.

    A history without the column is all NaN, and so is what is infinite after training diverged.
    """
    longest = max(len(history) for history in histories)
    table = np.full((len(histories), longest), np.nan)
    for row, history in zip(table, histories, strict=True):
        if column in history:
            row[: len(history)] = history[column].to_numpy(dtype=float)
    table[~np.isfinite(table)] = np.nan
    return table


def _validated(histories: Sequence[pd.DataFrame]) -> bool:
    """Return whether any fold had a validation set."""
    return any("val_loss" in history and history["val_loss"].notna().any() for history in histories)


def _median(axes: Axes, table: NDArray[np.float64], *, band: bool, **line: Any) -> None:
    # where fewer than half of the folds still train, a median would describe only the slow ones
    enough = np.isfinite(table).sum(axis=0) >= max(1.0, len(table) / 2)
    if not enough.any():
        return
    epochs = np.flatnonzero(enough) + 1
    low, middle, high = np.nanquantile(table[:, enough], [0.1, 0.5, 0.9], axis=0)
    if band:
        axes.fill_between(epochs, low, high, color=line["color"], alpha=0.18, linewidth=0)
    axes.plot(epochs, middle, linewidth=1.8, **line)


def _epochs_below(axes: Axes, longest: int) -> None:
    axes.set_xlim(0.5, longest + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))


@styled
def learning_curves(histories: Sequence[pd.DataFrame], best_epochs: Sequence[int]) -> Figure:
    """Draw loss and accuracy over epochs, on training and validation data.

    Parameters
    ----------
    histories : sequence of DataFrame
        One per fold: ``loss``, ``accuracy``, ``val_loss``, ``val_accuracy``, a row per epoch; the
        last two are absent or empty where no validation set was set aside, and then not drawn.
    best_epochs : sequence of int
        The epoch, from 1, whose weights each fold kept.

    Returns
    -------
    Figure
        Every fold as a thin line with its best epoch marked; for more than twelve folds the median
        and the middle 80 % of folds, and a histogram of best epochs.
    """
    many = len(histories) > _MANY_FOLDS
    figure = new_figure(WIDTH, 3.9 if many else 3.3)
    layout: Any = [["loss", "accuracy"]]
    if many:
        layout = [["loss", "accuracy"]] * 4 + [["best epoch", "accuracy"]]
    panels = figure.subplot_mosaic(layout, sharex=True)
    longest = max(len(history) for history in histories)
    lines = [("", MUTED, "training")]
    if _validated(histories):
        lines.append(("val_", ACCENT, "validation"))
    for name in ("loss", "accuracy"):
        axes = panels[name]
        for prefix, colour, label in lines:
            table = _stack(histories, prefix + name)
            if not many:
                epochs = np.arange(1, longest + 1)
                axes.plot(epochs, table.T, color=colour, alpha=0.35, linewidth=0.9)
            _median(axes, table, band=many, color=colour, label=label)
        if not many:  # the table left over is that of validation, where there is one
            best = [row[epoch - 1] for row, epoch in zip(table, best_epochs, strict=True)]
            mark: dict[str, Any] = {"color": "white", "markeredgecolor": SECOND, "markersize": 5}
            axes.plot(best_epochs, best, "o", markeredgewidth=1.4, label="best epoch", **mark)
        axes.set_title(name.capitalize())
        axes.set_xlabel("" if many and name == "loss" else "epoch")
        _epochs_below(axes, longest)
    if many:
        axes = panels["best epoch"]
        bins = list(np.arange(0.5, longest + 1))
        axes.hist(best_epochs, bins=bins, color=SECOND, alpha=0.85, rwidth=0.8)
        axes.set(xlabel="best epoch", ylabel="folds")
    panels["accuracy"].set_ylim(0, 1)
    note = "thick: median of folds" if not many else "median and middle 80 % of folds"
    legend(figure, panels["loss"], note=note)
    return figure


@styled
def learning_curves_together(results: Mapping[str, Sequence[pd.DataFrame]]) -> Figure:
    """Draw the validation and training curves of several results in the same axes.

    Parameters
    ----------
    results : mapping of str to sequence of DataFrame
        The histories of each result's folds, by the name of the result.

    Returns
    -------
    Figure
        Medians over folds; solid: validation with the middle 80 % of folds, dotted: training.
    """
    figure = new_figure(WIDTH, 3.3)
    panels = row_of_axes(figure, 2)
    longest = max(len(history) for histories in results.values() for history in histories)
    colours = class_colours(len(results))
    for axes, name in zip(panels, ("loss", "accuracy"), strict=True):
        for colour, (label, histories) in zip(colours, results.items(), strict=True):
            if _validated(histories):
                table = _stack(histories, f"val_{name}")
                _median(axes, table, band=True, color=colour)
            axes.plot([], [], color=colour, label=label)
            _median(axes, _stack(histories, name), band=False, color=colour, linestyle=":")
        axes.set(title=name.capitalize(), xlabel="epoch")
        _epochs_below(axes, longest)
    panels[1].set_ylim(0, 1)
    legend(figure, panels[0], note="solid: validation, dotted: training")
    return figure
