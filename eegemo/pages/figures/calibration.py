"""Probabilities: reliability diagrams, and accuracy against coverage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from eegemo.pages.figures.style import (
    ACCENT,
    BAND,
    INK,
    MUTED,
    PALETTE,
    SECOND,
    WIDTH,
    legend,
    new_figure,
    styled,
)

Rows = Sequence[Mapping[str, Any]]


def _percent(axes: Axes, *sides: str) -> None:
    for side in sides:
        getattr(axes, f"{side}axis").set_major_formatter(PercentFormatter(1, decimals=0))


@styled
def reliability_diagram(stages: Mapping[str, Rows], *, chance: float) -> Figure:
    """Draw accuracy against confidence, above a histogram of confidence.

    Parameters
    ----------
    stages : mapping of str to sequence of mappings
        By title, bins as `eegemo.evaluation.calibration.reliability_table` makes them (``low``,
        ``high``, ``n``, ``confidence``, ``accuracy``), with ``accuracy_low`` and ``accuracy_high``
        where there is an interval.
    chance : float
        The lowest possible confidence: 1 / number of classes.

    Returns
    -------
    Figure
        One panel per stage. On the diagonal, confidence is accuracy; bars from it to the marks are
        the gaps that the expected calibration error averages. Marks are as large as bins are full.
    """
    n = len(stages)
    figure = new_figure(WIDTH if n > 1 else 0.62 * WIDTH, 4.0)
    panels = figure.subplots(2, n, squeeze=False, sharex=True, height_ratios=[3.2, 1])
    for column, (title, rows) in enumerate(stages.items()):
        top, bottom = panels[:, column]
        table = pd.DataFrame(rows)
        fractions = table["n"].to_numpy(float) / max(float(table["n"].sum()), 1)
        filled = (table["n"] > 0).to_numpy()
        columns = ("confidence", "accuracy", "accuracy_low", "accuracy_high")
        values = {
            name: table[name].to_numpy(float)[filled]
            if name in table
            else np.full(filled.sum(), np.nan)
            for name in columns
        }
        confidence, accuracy = values["confidence"], values["accuracy"]
        top.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=":", label="calibrated")
        top.vlines(
            confidence, confidence, accuracy, color=SECOND, linewidth=3, alpha=0.35, label="gap"
        )
        known = np.isfinite(values["accuracy_low"])
        limits = [values[name][known] for name in ("accuracy_low", "accuracy_high")]
        look: dict[str, Any] = {"color": ACCENT, "linewidth": 1}
        top.vlines(confidence[known], *limits, label="95 % interval over trials", **look)
        sizes = 14 + 220 * fractions[filled]
        top.scatter(
            confidence,
            accuracy,
            s=sizes,
            color=ACCENT,
            edgecolor="white",
            zorder=3,
            label="accuracy",
        )
        top.axvline(chance, color=BAND, linewidth=1)
        top.set(ylim=(-0.02, 1.02), title=title, ylabel="accuracy" if column == 0 else "")
        width = (table["high"] - table["low"]).to_numpy(float)
        look = {"color": "#a9b6c3", "edgecolor": "white", "linewidth": 0.4, "align": "edge"}
        bottom.bar(table["low"].to_numpy(float), fractions, width, **look)
        bottom.set(xlim=(0, 1), xlabel="confidence", ylabel="fraction" if column == 0 else "")
        bottom.set_ylim(0, 1.1 * max(float(fractions.max()), 0.01))
        _percent(bottom, "y")
        bottom.yaxis.get_major_locator().set_params(nbins=3)
    legend(figure, panels[0, 0])
    return figure


@styled
def coverage_curves(
    levels: Mapping[str, Mapping[str, Rows]],
    *,
    chance: float,
    majority: Mapping[str, float | None],
) -> Figure:
    """Draw the accuracy of the most confident predictions at each coverage.

    Parameters
    ----------
    levels : mapping of str to mapping of str to sequence of mappings
        By title of the panel and name of the curve, rows as
        `eegemo.evaluation.calibration.selective_accuracy` makes them (``coverage``, ``accuracy``),
        with ``low`` and ``high`` where there is a band.
    chance : float
        Accuracy of uniform guessing.
    majority : mapping of str to float
        By title, the accuracy of always predicting the majority class of the training set.

    Returns
    -------
    Figure
        One panel per level; the first curve of each has a band.
    """
    figure = new_figure(WIDTH, 2.9)
    panels = figure.subplots(1, len(levels), squeeze=False, sharey=True)[0]
    colours = [(ACCENT, "-"), (PALETTE[2], "--")]
    tops = [chance]
    for axes, (title, curves) in zip(panels, levels.items(), strict=True):
        for (colour, line), (name, rows) in zip(colours, curves.items(), strict=False):
            table = pd.DataFrame(rows)
            x, y = table["coverage"].to_numpy(float), table["accuracy"].to_numpy(float)
            if line == "-" and "low" in table:
                low, high = (table[end].to_numpy(float) for end in ("low", "high"))
                axes.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)
                tops.append(float(np.nanmax(high)))
            axes.plot(x, y, color=colour, linestyle=line, linewidth=1.8, label=name)
            tops.append(float(np.nanmax(y)))
        axes.axhline(chance, color=SECOND, linewidth=1.2, label="chance")
        accuracy = majority.get(title)
        if accuracy is not None:
            axes.axhline(accuracy, color=INK, linewidth=0.9, linestyle=":", label="majority class")
        axes.set(
            title=title, xlabel="coverage: fraction answered, most confident first", xlim=(0, 1.01)
        )
        _percent(axes, "x")
    panels[0].set_ylabel("accuracy of those answered")
    panels[0].set_ylim(0, min(1.02, 1.08 * max(tops)))
    legend(figure, panels[0])
    return figure
