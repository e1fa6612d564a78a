"""The figure of an audit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from eegemo.pages.figures.style import (
    ACCENT,
    BAND,
    MUTED,
    SECOND,
    WIDTH,
    legend,
    new_figure,
    styled,
)

__all__ = ["audit_scores"]


@styled
def audit_scores(rows: Sequence[Mapping[str, Any]], *, chance: float) -> Figure:
    """Draw the score of each protocol, its null distribution, and scores of permuted labels.

    Parameters
    ----------
    rows : sequence of mapping
        Per protocol ``title``, ``leaks``, ``window`` (score), ``interval`` (or None), ``null``
        (low, high), ``shuffled`` (scores) and ``inflation``.
    chance : float
        1 / number of classes.

    Returns
    -------
    Figure
        One line per protocol, the first on top. Leaking protocols are drawn in another colour.
    """
    figure = new_figure(WIDTH, 0.62 * len(rows) + 1.1)
    axes = figure.subplots()
    axes.axvline(chance, color=MUTED, linewidth=1, linestyle=(0, (4, 3)), label="chance")
    once = _Once()
    for y, row in enumerate(rows):
        axes.barh(
            y,
            row["null"][1] - row["null"][0],
            left=row["null"][0],
            height=0.5,
            color=BAND,
            label=once("95 % of labels permuted after training"),
        )
        axes.plot(
            row["shuffled"],
            [y] * len(row["shuffled"]),
            linestyle="none",
            marker="o",
            markersize=5,
            markerfacecolor="white",
            markeredgecolor=SECOND,
            label=once("trained on permuted labels") if row["shuffled"] else None,
        )
        colour = SECOND if row["leaks"] else ACCENT
        if row["interval"] is not None:
            axes.hlines(y, *row["interval"], color=colour, linewidth=2)
        axes.plot(
            row["window"],
            y,
            linestyle="none",
            marker="D" if row["leaks"] else "o",
            markersize=9,
            color=colour,
            label=once("score, leaking" if row["leaks"] else "score, not leaking"),
        )
        ends = [row["window"], *row["shuffled"], *(row["interval"] or ())]
        if row["window"] < row["null"][1]:
            ends.append(row["null"][1])
        text = f"{row['window']:.2f}"
        if row["leaks"] and row["inflation"] >= 0.005:
            text += f"  (+{row['inflation']:.2f})"
        to_the_right = max(ends) < 0.86
        axes.annotate(
            text,
            (max(ends) if to_the_right else min(ends), y),
            xytext=(10 if to_the_right else -10, 0),
            textcoords="offset points",
            ha="left" if to_the_right else "right",
            va="center",
            color=colour,
            fontweight="bold",
        )
    axes.set_yticks(range(len(rows)), [row["title"] for row in rows])
    axes.set_ylim(len(rows) - 0.45, -0.55)
    axes.set_xlim(0, 1.02)
    axes.grid(False, axis="y")
    axes.set_xlabel("balanced accuracy of windows")
    legend(figure, axes)
    return figure


class _Once:
    """Return each label the first time only, for one entry in the legend."""

    def __init__(self) -> None:
        self._given: set[str] = set()

    def __call__(self, label: str) -> str | None:
        if label in self._given:
            return None
        self._given.add(label)
        return label
