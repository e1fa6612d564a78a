"""Scores and counts: per fold, subject and class, and against permuted labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from eegemo.pages.figures.style import (
    ACCENT,
    BAND,
    INK,
    MANY,
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


def names_below(
    axes: Axes, names: Sequence[str], unit: str, order: str = "from low to high"
) -> None:
    """Write names below marks, or only their number where there are many."""
    n = len(names)
    axes.set_xlim(-0.7, n - 0.3)
    axes.grid(visible=False, axis="x")
    if n > MANY:
        axes.set_xticks([])
        axes.set_xlabel(f"{n} {unit}s, {order}")
        return
    names = [shorten(name, 16) for name in names]
    turned = max(map(len, names)) * n > 110
    axes.set_xticks(range(n), names, rotation=90 if turned else 0, fontsize=8)
    axes.set_xlabel(unit)


@styled
def score_dots(
    names: Sequence[str],
    values: ArrayLike,
    *,
    unit: str,
    nulls: ArrayLike | None = None,
    total: float | None = None,
    label: str = "balanced accuracy",
) -> Figure:
    """Draw one score per fold or subject, each over its scores of permuted labels.

    Parameters
    ----------
    names : sequence of str
        Names of the folds or subjects.
    values : array-like, shape (n,)
        Their scores; NaN where a score is not defined.
    unit : str
        "fold" or "subject".
    nulls : array-like, shape (n, 3), optional
        Scores of permuted labels in each fold or subject: 5th percentile, mean, 95th percentile.
        There is no line for chance, since it differs between folds or subjects.
    total : float, optional
        The score of all rows together.
    label : str
        What the score is called.

    Returns
    -------
    Figure
        In the given order; sorted by score where there are too many to name.
    """
    scores = np.asarray(values, dtype=float)
    bands = None if nulls is None else np.asarray(nulls, dtype=float)
    if len(scores) > MANY:
        order = np.argsort(scores, kind="stable")
        scores, names = scores[order], [names[i] for i in order]
        bands = None if bands is None else bands[order]
    figure = new_figure(WIDTH, 3.2)
    axes = figure.subplots()
    x = np.arange(len(scores))
    above = np.ones(len(scores), dtype=bool)
    if bands is not None:
        thick = float(np.clip(300 / len(scores), 1.5, 13))
        low, mean, high = bands.T
        axes.vlines(
            x, low, high, color=BAND, linewidth=thick, label="middle 90 % of permuted labels"
        )
        inside: dict[str, Any] = {"linestyle": "none", "markersize": thick, "markeredgewidth": 1.6}
        axes.plot(x, mean, marker="_", color=SECOND, label="their mean", **inside)
        above = scores > high
    mark: dict[str, Any] = {"marker": "o", "linestyle": "none", "markeredgecolor": ACCENT}
    mark["markersize"] = np.clip(260 / len(scores), 2.5, 7)
    text = {True: f"{unit} above 95 % of them", False: f"{unit} not above"}
    for which, fill in ((True, ACCENT), (False, "white")):
        chosen = above == which
        if chosen.any():
            name = unit if bands is None else text[which]
            axes.plot(x[chosen], scores[chosen], color=fill, label=name, **mark)
    if total is not None:
        axes.axhline(total, color=ACCENT, linewidth=1.2, label=f"total {total:.2f}")
    axes.set_ylim(-0.02, 1.02)
    axes.set_ylabel(label)
    names_below(axes, names, unit)
    legend(figure, axes)
    return figure


def _zoom(values: NDArray[np.float64], *, least: float) -> tuple[float, float]:
    """Return limits around scores, at least `least` apart, so small differences look small."""
    known = values[np.isfinite(values)]
    if not known.size:
        return -0.02, 1.02
    low, high = float(known.min()), float(known.max())
    margin = max(0.08 * (high - low), (least - (high - low)) / 2)
    return max(low - margin, -0.02), min(high + margin, 1.02)


@styled
def paired_scores(
    names: Sequence[str],
    scores: Mapping[str, ArrayLike],
    *,
    unit: str,
    label: str = "balanced accuracy",
) -> Figure:
    """Draw the scores of several results by fold or subject; of two, also the difference.

    Parameters
    ----------
    names : sequence of str
        Names of the folds or subjects.
    scores : mapping of str to array-like, shape (n,)
        Scores by the name of the result.
    unit : str
        "fold" or "subject".
    label : str
        What the score is called.

    Returns
    -------
    Figure
        Sorted by the difference of last and first where there are too many to name.
    """
    table = np.array([np.asarray(values, dtype=float) for values in scores.values()])
    if table.shape[1] > MANY:
        order = np.argsort(table[-1] - table[0], kind="stable")
        table, names = table[:, order], [names[i] for i in order]
    paired = len(table) == 2
    heights = [2, 1] if paired else [1]
    figure = new_figure(WIDTH, 4.6 if paired else 3.2)
    panels = figure.subplots(len(heights), 1, squeeze=False, sharex=True, height_ratios=heights)
    top, bottom = panels[0, 0], panels[-1, 0]
    x = np.arange(table.shape[1])
    size = float(np.clip(260 / len(x), 2.5, 7))
    # dots side by side: equal scores must not hide each other
    aside = np.linspace(-1, 1, len(table)) * min(0.16, 0.05 * (len(table) - 1))
    markers = "osD^v<>Pp*hX"
    colours = class_colours(len(table))
    for index, (row, name) in enumerate(zip(table, scores, strict=True)):
        marker = markers[index % len(markers)]
        top.plot(x + aside[index], row, marker, color=colours[index], markersize=size, label=name)
    top.plot(x + aside[:, np.newaxis], table, color=BAND, linewidth=1.5, zorder=1)
    top.set_ylim(*_zoom(table, least=0.1))
    top.set_ylabel(label)
    top.grid(visible=False, axis="x")
    known = (table[-1] - table[0])[np.isfinite(table[-1] - table[0])]
    if paired and len(known):
        first, second = scores
        mean, spread = known.mean(), known.std(ddof=1) if len(known) > 1 else 0.0
        bottom.axhspan(mean - spread, mean + spread, color=BAND, alpha=0.5, linewidth=0)
        bottom.axhline(mean, color=INK, linewidth=1.2)
        bottom.axhline(0, color=SECOND, linewidth=1.2, linestyle="--")
        bottom.vlines(x, 0, table[1] - table[0], color=MUTED, linewidth=0.8)
        bottom.plot(x, table[1] - table[0], "o", color=INK, markersize=0.8 * size)
        bottom.set_ylabel("difference")
        words = f"mean {mean:+.3f}, band ± 1 SD over {len(known)} {unit}s".replace("-", "−")
        bottom.set_title(f"{second} minus {first}: {words}", fontsize=8.5)
    names_below(bottom, names, unit, order="sorted by difference")
    legend(figure, top)
    return figure


@styled
def null_distributions(levels: Mapping[str, tuple[float, ArrayLike]]) -> Figure:
    """Draw observed scores and the scores of permuted labels.

    Parameters
    ----------
    levels : mapping of str to (float, array-like of shape (n_permutations,))
        Observed balanced accuracy and its null, by title.

    Returns
    -------
    Figure
        One panel per level.
    """
    figure = new_figure(WIDTH, 2.4)
    panels = row_of_axes(figure, len(levels))
    for axes, (title, (observed, draws)) in zip(panels, levels.items(), strict=True):
        null = np.asarray(draws, dtype=float)
        low, high = _zoom(np.append(null, observed), least=0.05)
        # of few trials there are few different scores: no more bars than these
        n_bars = int(np.clip(len(np.unique(np.round(null, 6))), 5, 40))
        look: dict[str, Any] = {"color": "#a9b6c3", "edgecolor": "white", "linewidth": 0.3}
        axes.hist(null, bins=n_bars, **look)
        axes.axvline(observed, color=ACCENT, linewidth=2)
        axes.set_title(f"{title}: observed {observed:.2f}")
        axes.set(xlabel="balanced accuracy", xlim=(low, high), yticks=[])
        axes.spines["left"].set_visible(False)
        axes.grid(visible=False)
    return figure


@styled
def class_scores(
    levels: Mapping[str, Mapping[str, Mapping[str, float | None]]], classes: Sequence[str]
) -> Figure:
    """Draw F1 per class as bars, with precision and recall as marks.

    Parameters
    ----------
    levels : mapping of str to mapping
        Per class ``precision``, ``recall`` and ``f1``, by the name of the level or the result.
    classes : sequence of str
        The classes, in order.

    Returns
    -------
    Figure
        One group of bars per class.
    """
    figure = new_figure(WIDTH, 2.9)
    axes = figure.subplots()
    x = np.arange(len(classes))
    width = 0.72 / len(levels)
    colours = class_colours(len(levels))
    for index, (name, scores) in enumerate(levels.items()):
        at = x + (index - (len(levels) - 1) / 2) * width
        last = index == len(levels) - 1
        f1 = np.nan_to_num(np.array([scores[c]["f1"] for c in classes], dtype=float))
        look: dict[str, Any] = {"color": colours[index], "alpha": 0.85}
        axes.bar(at, f1, 0.92 * width, label=f"F1, {name}", **look)
        for key, marker in (("precision", "^"), ("recall", "o")):
            values = np.array([scores[c][key] for c in classes], dtype=float)
            mark: dict[str, Any] = {"color": "white", "markeredgecolor": INK, "markersize": 5}
            axes.plot(at, values, marker, label=key if last else None, **mark)
    axes.set_xlim(-0.6, len(classes) - 0.4)
    axes.set_xticks(x, classes, rotation=30 if len(classes) > 8 else 0)
    axes.set_ylim(0, 1.02)
    axes.grid(visible=False, axis="x")
    legend(figure, axes)
    return figure


@styled
def class_counts(by_subject: Mapping[str, Mapping[str, int]], classes: Sequence[str]) -> Figure:
    """Draw how many trials of each class every subject has.

    Parameters
    ----------
    by_subject : mapping of str to mapping of str to int
        Trials per class, by subject.
    classes : sequence of str
        The classes, in order.

    Returns
    -------
    Figure
        Stacked bars, one per subject; sorted by number of trials where there are too many to name.
    """
    subjects = list(by_subject)
    if len(subjects) > MANY:
        subjects.sort(key=lambda subject: sum(by_subject[subject].values()))
    figure = new_figure(WIDTH, 2.8)
    axes = figure.subplots()
    bottom = np.zeros(len(subjects))
    for name, colour in zip(classes, class_colours(len(classes)), strict=True):
        heights = np.array([by_subject[subject].get(name, 0) for subject in subjects], dtype=float)
        look: dict[str, Any] = {"color": colour, "edgecolor": "white", "linewidth": 0.5}
        axes.bar(np.arange(len(subjects)), heights, 0.8, bottom=bottom, label=name, **look)
        bottom += heights
    axes.set_ylabel("trials")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
    names_below(axes, subjects, "subject")
    legend(figure, axes)
    return figure
