"""Scores of subjects with their baselines, and the spread over folds, subjects and repeats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from eegemo.pages.figures.scores import names_below
from eegemo.pages.figures.style import (
    ACCENT,
    BAND,
    INK,
    MUTED,
    SECOND,
    WIDTH,
    legend,
    new_figure,
    styled,
)


@styled
def subject_scores(
    names: Sequence[str],
    scores: Mapping[str, Mapping[str, ArrayLike]],
    *,
    nulls: ArrayLike,
    decodable: ArrayLike,
) -> Figure:
    """Draw the scores of each subject with baselines that ignore the signal.

    Parameters
    ----------
    names : sequence of str
        The subjects.
    scores : mapping of str to mapping of str to array-like, shape (n,)
        By the name of the score (one panel each): ``windows``, ``trials``, ``majority`` (the score
        of always predicting the subject's majority training class) and, optionally,
        ``hindsight`` (the same of the majority class of these windows themselves).
    nulls : array-like, shape (n, 3)
        Of the first score, windows: 5th percentile, mean and 95th percentile of permuted labels.
    decodable : array-like of bool, shape (n,)
        Which subjects are decoded above chance after correction.

    Returns
    -------
    Figure
        Subjects sorted by the first score of windows, from low to high; filled marks are decodable.
    """
    first = next(iter(scores.values()))
    order = np.argsort(np.asarray(first["windows"], dtype=float), kind="stable")
    names = [names[i] for i in order]
    decoded = np.asarray(decodable, dtype=bool)[order]
    low, _, high = np.asarray(nulls, dtype=float)[order].T
    n = len(order)
    figure = new_figure(WIDTH, 2.35 * len(scores) + 0.5)
    panels = figure.subplots(len(scores), 1, squeeze=False, sharex=True)[:, 0]
    x = np.arange(n)
    size, thick = (float(np.clip(k / n, least, most)) for k, least, most in _SIZES)
    for number, (axes, (title, values)) in enumerate(zip(panels, scores.items(), strict=True)):
        windows, trials, majority = (
            np.asarray(values[key], dtype=float)[order] for key in ("windows", "trials", "majority")
        )
        if number == 0:
            band: dict[str, Any] = {"color": BAND, "linewidth": thick}
            axes.vlines(x, low, high, label="middle 90 % of permuted labels", **band)
        axes.hlines(
            majority, x - 0.3, x + 0.3, color=SECOND, linewidth=1.6, label="own majority class"
        )
        if "hindsight" in values:
            best = np.asarray(values["hindsight"], dtype=float)[order]
            dash: dict[str, Any] = {"color": SECOND, "linewidth": 1.2, "linestyle": ":"}
            axes.hlines(
                best, x - 0.3, x + 0.3, label="best constant prediction in hindsight", **dash
            )
        mark: dict[str, Any] = {"linestyle": "none", "markeredgecolor": ACCENT, "markersize": size}
        for which, fill, words in (
            (True, ACCENT, "decodable"),
            (False, "white", "not shown to be"),
        ):
            if (decoded == which).any():
                label = f"windows, {words}"
                axes.plot(
                    x[decoded == which],
                    windows[decoded == which],
                    "o",
                    color=fill,
                    label=label,
                    **mark,
                )
        mark |= {"markeredgecolor": INK, "markersize": 0.75 * size, "color": "none"}
        mark["label"] = "trials"
        axes.plot(x + 0.18, trials, "D", **mark)
        axes.set(ylim=(-0.02, 1.02), ylabel=title)
    names_below(panels[-1], names, "subject")
    for axes in panels[:-1]:
        axes.grid(visible=False, axis="x")
        axes.tick_params(labelbottom=False)
    legend(figure, panels[0])
    extra = panels[-1].get_legend_handles_labels()
    known = set(panels[0].get_legend_handles_labels()[1])
    others = [(handle, name) for handle, name in zip(*extra, strict=True) if name not in known]
    if others:
        handles, labels = zip(*others, strict=True)
        panels[-1].legend(handles, labels, loc="upper left", fontsize=8)
    return figure


_SIZES = ((260, 2.5, 7), (300, 1.5, 13))  # of marks and bands: fraction of the width, least, most


@styled
def score_spread(
    parts: Mapping[str, ArrayLike],
    spread: Mapping[str, Mapping[str, Any]],
    *,
    total: float,
    label: str,
) -> Figure:
    """Draw the spread of a score over folds, over subjects and over repeats, side by side.

    Parameters
    ----------
    parts : mapping of str to array-like
        Scores by unit: folds, subjects and repeats.
    spread : mapping of str to mapping
        Their ``mean`` and ``sd`` (or None), as `eegemo.evaluation.statistics.spread_of` gives them.
    total : float
        The score of all rows together.
    label : str
        What the score is called.

    Returns
    -------
    Figure
        One column of dots each, with mean and standard deviation.
    """
    figure = new_figure(0.62 * WIDTH, 2.8)
    axes = figure.subplots()
    for column, (name, values) in enumerate(parts.items()):
        dots = np.asarray(values, dtype=float)
        dots = dots[np.isfinite(dots)]
        aside = np.linspace(-0.22, 0.02, len(dots)) if len(dots) > 1 else np.zeros(1) - 0.1
        size = float(np.clip(60 / np.sqrt(max(len(dots), 1)), 2, 6))
        axes.plot(column + aside[: len(dots)], dots, "o", color=MUTED, alpha=0.55, markersize=size)
        summary, label_of_mean = spread[name], "mean ± 1 SD" if column == 0 else None
        look: dict[str, Any] = {
            "color": ACCENT,
            "markersize": 6,
            "capsize": 3,
            "label": label_of_mean,
        }
        axes.errorbar(column + 0.2, summary["mean"], yerr=summary["sd"] or 0.0, fmt="o", **look)
    axes.axhline(total, color=ACCENT, linewidth=1, linestyle=":", label=f"total {total:.2f}")
    axes.set_xticks(range(len(parts)), list(parts))
    axes.set(xlim=(-0.6, len(parts) - 0.4), ylabel=label)
    axes.grid(visible=False, axis="x")
    legend(figure, axes)
    return figure
