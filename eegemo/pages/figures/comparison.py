"""Several results side by side: scores, their differences and classes, with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from eegemo.pages.figures.style import (
    ACCENT,
    BAND,
    INK,
    MUTED,
    SECOND,
    WIDTH,
    class_colours,
    legend,
    new_figure,
    row_of_axes,
    shorten,
    styled,
)

Scored = Mapping[str, Any]


def _intervals(axes: Axes, y: float, scored: Scored, colour: Any, *, filled: bool) -> None:
    """Draw a score: over subjects a thin line, over trials a thick one, and its mark."""
    for kind, width, alpha in (("subjects", 1.3, 1.0), ("trials", 4.5, 0.4)):
        if scored.get(kind) is not None:
            low, high = scored[kind]
            axes.plot([low, high], [y, y], color=colour, linewidth=width, alpha=alpha)
    look: dict[str, Any] = {"markersize": 7 if filled else 6, "markeredgewidth": 1.4}
    look |= {"markeredgecolor": colour, "color": colour if filled else "white"}
    axes.plot([scored["value"]], [y], "o" if filled else "D", zorder=3, **look)


def _rows_below(axes: Axes, names: Sequence[str], longest: int) -> None:
    axes.set_yticks(range(len(names)), [shorten(name, longest) for name in names])
    axes.set_ylim(len(names) - 0.45, -0.55)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", labelcolor=INK)


@styled
def score_intervals(
    scores: Mapping[str, Mapping[str, Scored]],
    differences: Mapping[str, Mapping[str, Scored]],
    *,
    chance: float | None = None,
    rope: float = 0.01,
    label: str = "balanced accuracy",
) -> Figure:
    """Draw scores with their intervals, and their differences in a second panel.

    Parameters
    ----------
    scores : mapping of str to mapping
        By the name of the result: for the levels "window" and "trial" a mapping with ``value`` and
        the intervals ``trials`` and ``subjects`` (two numbers, or None).
    differences : mapping of str to mapping
        The same for differences, by a name for each; may be empty, and is then not drawn.
    chance : float, optional
        The score of uniform guessing.
    rope : float
        Differences up to this size are practically equivalent; a band shows them.
    label : str
        What the score is called.

    Returns
    -------
    Figure
        Filled circles: windows; open diamonds: trials.

    Examples
    --------
    >>> scores = {"window": {"value": 0.5, "trials": (0.4, 0.6), "subjects": None}}
    >>> len(score_intervals({"A": scores, "B": scores}, {}).axes)
    1
    """
    rows = max(len(scores), len(differences))
    figure = new_figure(WIDTH, 1.15 + 0.5 * rows)
    panels = row_of_axes(figure, 2 if differences else 1)
    colours = class_colours(len(scores))
    for axes, table, inks in zip(
        panels, (scores, differences), (colours, [INK] * len(differences)), strict=False
    ):
        for row, (levels, colour) in enumerate(zip(table.values(), inks, strict=True)):
            for level, scored in levels.items():
                aside = 0.15 * (len(levels) - 1)
                at = row - aside if level == "window" else row + aside
                _intervals(axes, at, scored, colour, filled=level == "window")
        _rows_below(axes, list(table), 24)
    if chance is not None:
        look: dict[str, Any] = {"color": SECOND, "linewidth": 1.2, "linestyle": "--"}
        panels[0].axvline(chance, zorder=0, **look)
        look = {"va": "bottom", "ha": "center", "color": SECOND, "fontsize": 8}
        panels[0].annotate("chance", (chance, 1), xycoords=("data", "axes fraction"), **look)
    panels[0].set_xlabel(label)
    if differences:
        panels[1].axvspan(-rope, rope, color=BAND, alpha=0.8, linewidth=0, zorder=0)
        panels[1].axvline(0, color=MUTED, linewidth=1, zorder=0)
        panels[1].set_xlabel(f"difference (band: ±{rope:g})")
    for mark, words, fill in (("o", "windows", INK), ("D", "trials", "white")):
        shown: dict[str, Any] = {"linestyle": "none", "markersize": 6, "markeredgecolor": INK}
        panels[0].plot([], [], marker=mark, color=fill, label=words, **shown)
    all_scored = [scored for levels in scores.values() for scored in levels.values()]
    if any(scored.get("trials") for scored in all_scored):
        panels[0].plot([], [], color=INK, linewidth=4.5, alpha=0.4, label="95 % over trials")
    if any(scored.get("subjects") for scored in all_scored):
        panels[0].plot([], [], color=INK, linewidth=1.3, label="over subjects and trials")
    legend(figure, panels[0])
    return figure


@styled
def class_differences(
    classes: Sequence[str],
    differences: Mapping[str, Mapping[str, ArrayLike]],
    *,
    first: str,
) -> Figure:
    """Draw how recall and F1 of each class differ from those of the first result.

    Parameters
    ----------
    classes : sequence of str
        The classes, in order.
    differences : mapping of str to mapping of str to array-like, shape (n_classes, 3)
        By the name of the other result, for "recall" and "f1": difference, lower and upper end of
        its interval; NaN where not defined.
    first : str
        The result that is subtracted.

    Returns
    -------
    Figure
        One panel for recall, one for F1.
    """
    n = len(differences)
    figure = new_figure(WIDTH, 1.2 + len(classes) * (0.24 + 0.13 * n))
    panels = row_of_axes(figure, 2)
    colours = class_colours(n + 1)[1:] if n > 1 else [ACCENT]
    aside = np.linspace(-0.25, 0.25, n) if n > 1 else np.zeros(1)
    for axes, (key, title) in zip(panels, (("recall", "Recall"), ("f1", "F1")), strict=True):
        axes.axvline(0, color=MUTED, linewidth=1, zorder=0)
        for (name, parts), colour, shift in zip(differences.items(), colours, aside, strict=True):
            values = np.asarray(parts[key], dtype=float).reshape(-1, 3)
            y = np.arange(len(classes)) + shift
            axes.hlines(y, values[:, 1], values[:, 2], color=colour, linewidth=2.2, alpha=0.55)
            label = f"{name} minus {first}"
            axes.plot(values[:, 0], y, "o", color=colour, markersize=6, label=label)
        _rows_below(axes, classes, 20)
        axes.set_title(title)
        axes.set_xlabel("difference")
    legend(figure, panels[0])
    return figure
