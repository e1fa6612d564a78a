"""Class probabilities over time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from eegemo.pages.figures.style import BAND, INK, WIDTH, class_colours, legend, new_figure, styled

_ROWS = 8  # the most panels
_TRIALS = 10  # of a panel, if there are not too many
_STEPS = 1200  # of a panel: more could not be seen
_HATCHES = ("", "////", "....", "\\\\\\\\", "xxxx", "----", "++++", "oooo")


def _average_neighbours(values: NDArray[np.float64], most: int) -> NDArray[np.float64]:
    """Average neighbours until no more than `most` are left."""
    if len(values) <= most:
        return values
    edges = np.linspace(0, len(values), most + 1).astype(int)[:-1]
    means: NDArray[np.float64] = np.add.reduceat(values, edges, axis=0)
    means /= np.diff([*edges, len(values)])[:, None]
    return means


def _areas(
    axes: Axes,
    left: float,
    right: float,
    values: NDArray[np.float64],
    classes: Sequence[str],
    *,
    named: bool = True,
) -> None:
    """Stack one area per class; each window holds its fraction of the width."""
    averaged = _average_neighbours(values, _STEPS)
    edges = np.linspace(left, right, len(averaged) + 1)
    low = np.zeros(len(averaged))
    colours = class_colours(len(classes))
    for k, name in enumerate(classes):
        high = low + averaged[:, k]
        axes.stairs(
            high,
            edges,
            baseline=low,
            fill=True,
            facecolor=colours[k],
            edgecolor=(1, 1, 1, 0.45),
            hatch=_HATCHES[k % len(_HATCHES)],
            linewidth=0,
            label=name if named else "_",
        )
        low = high


def _pieces(table: pd.DataFrame) -> list[pd.DataFrame]:
    """Divide the windows of a continuous recording where some between them are left out."""
    start = table["start"].to_numpy(float)
    steps = np.diff(start)
    if not len(steps):
        return [table]
    cuts = np.flatnonzero(steps > 1.5 * np.median(steps)) + 1
    return [table.iloc[part] for part in np.split(np.arange(len(table)), cuts)]


def _shade(axes: Axes, left: float, right: float, *, named: bool) -> None:
    """Mark a stretch of time without a prediction."""
    axes.axvspan(left, right, facecolor=BAND, edgecolor="none", label="break" if named else "_")


@styled
def class_timeline(
    table: pd.DataFrame, classes: Sequence[str], *, gaps: Sequence[tuple[float, float]] = ()
) -> Figure:
    """Draw the probability of each class over time, as areas that fill the height.

    Parameters
    ----------
    table : DataFrame
        As `eegemo.inference.tabulate_windows` makes it: ``start`` and ``stop`` in seconds and
        ``p_<class>``, and ``trial`` where the recording is made of trials.
    classes : sequence of str
        In the order of the areas, from below; patterns distinguish them as well as colours.
    gaps : sequence of (float, float)
        Start and end of the breaks of a continuous recording, in seconds. No window holds one, so
        there is no prediction around them.

    Returns
    -------
    Figure
        A continuous recording in one panel, with its breaks. Trials one after the other, ten or
        more in a panel, each as wide as the others. Where there are more windows than can be shown,
        neighbours are averaged.
    """
    columns = [f"p_{name}" for name in classes]
    if "trial" not in table:
        figure = new_figure(WIDTH, 2.8)
        axes = figure.subplots()
        first, last = float(table["start"].iloc[0]), float(table["stop"].iloc[-1])
        minutes = last - first > 600
        scale = 60.0 if minutes else 1.0
        axes.set(xlim=(first / scale, last / scale), xlabel="minutes" if minutes else "seconds")
        pieces = _pieces(table)
        for number, (before, after) in enumerate(pairwise(pieces)):
            left, right = before["stop"].iloc[-1], after["start"].iloc[0]
            _shade(axes, left / scale, right / scale, named=number == 0)
        for number, piece in enumerate(pieces):
            left, right = float(piece["start"].iloc[0]), float(piece["stop"].iloc[-1])
            values = piece[columns].to_numpy(float)
            _areas(axes, left / scale, right / scale, values, classes, named=number == 0)
        for start, end in gaps:  # a gap has no width where its time was cut out
            for edge in {start, end}:
                axes.axvline(edge / scale, color=INK, linewidth=1.0, linestyle="--")
        panels = [axes]
    else:
        parts = [
            (trial, rows[columns].to_numpy(float))
            for (_, trial), rows in table.groupby(["session", "trial"], sort=False)
        ]
        n_panels = min(_ROWS, -(-len(parts) // _TRIALS))
        per_panel = -(-len(parts) // n_panels)
        figure = new_figure(WIDTH, 1.1 + 1.3 * n_panels)
        panels = list(figure.subplots(n_panels, 1, squeeze=False)[:, 0])
        for row, axes in enumerate(panels):
            shown = parts[row * per_panel : (row + 1) * per_panel]
            axes.set_xlim(0, min(per_panel, len(parts)))
            for k, (_, values) in enumerate(shown):
                _areas(axes, k, k + 1, values, classes, named=k == 0)
                axes.axvline(k + 1, color=INK, linewidth=0.8)
            ticks = range(0, len(shown), max(1, len(shown) // 20))
            axes.set_xticks([k + 0.5 for k in ticks], [str(shown[k][0]) for k in ticks])
        panels[-1].set_xlabel("trial")
    for axes in panels:
        axes.set(ylim=(0, 1), ylabel="probability")
        axes.yaxis.set_major_locator(MaxNLocator(2))
        axes.grid(False)
    legend(figure, panels[0])
    return figure
