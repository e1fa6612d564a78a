"""Confusion matrices: in total, as differences, and as one tile per fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from eegemo.evaluation import normalise_confusion
from eegemo.pages.figures.style import INK, MUTED, WIDTH, new_figure, row_of_axes, shorten, styled

_BLUES = LinearSegmentedColormap.from_list("eegemo", ["#f4f8fb", "#9cc5df", "#2f7fb3", "#0b3c5d"])
_MANY_CLASSES = 12  # above this, numbers would not fit into the cells


def _draw_matrix(
    axes: Axes, shown: NDArray[np.float64], classes: Sequence[str], **options: Any
) -> None:
    n = len(classes)
    axes.imshow(np.nan_to_num(shown), **options)
    turned = max(map(len, classes)) > 6 or n > 6
    alignment: dict[str, Any] = {}
    if turned:
        alignment = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    names = [shorten(name, 16) for name in classes]
    axes.set_xticks(range(n), names, **alignment)
    axes.set_yticks(range(n), names)
    axes.set(xlabel="predicted", ylabel="true")
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.set_xticks(np.arange(n + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(n + 1) - 0.5, minor=True)
    axes.grid(visible=True, which="minor", color="white", linewidth=2)
    axes.tick_params(which="minor", length=0)


def _panels(n_panels: int, n_classes: int) -> tuple[Figure, list[Axes]]:
    height = min(0.72 * n_classes + 1.2, 8.5)
    width = min(WIDTH, n_panels * max(height + 0.6, 3.4))
    figure = new_figure(width, height)
    return figure, row_of_axes(figure, n_panels)


@styled
def confusion_matrices(matrices: Mapping[str, ArrayLike], classes: Sequence[str]) -> Figure:
    """Draw confusion matrices side by side: shaded by fraction of the true class, with counts.

    Parameters
    ----------
    matrices : mapping of str to array-like, shape (n_classes, n_classes)
        Counts by title; rows are true classes.
    classes : sequence of str
        Names of rows and columns.

    Returns
    -------
    Figure
        One panel per matrix.

    Examples
    --------
    >>> len(confusion_matrices({"Windows": [[3, 1], [0, 2]]}, ["low", "high"]).axes)
    1
    """
    n = len(classes)
    figure, panels = _panels(len(matrices), n)
    for axes, (title, matrix) in zip(panels, matrices.items(), strict=True):
        counts = np.asarray(matrix)
        fractions = normalise_confusion(counts)
        _draw_matrix(axes, fractions, classes, cmap=_BLUES, vmin=0, vmax=1)
        axes.set_title(f"{title} (n = {int(counts.sum()):,})")
        middle: dict[str, Any] = {"ha": "center", "va": "center"}
        for (row, column), fraction in np.ndenumerate(fractions if n <= _MANY_CLASSES else []):
            colour = "white" if fraction > 0.55 else INK
            text = f"{fraction:.0%}" if np.isfinite(fraction) else "–"
            lift, size = (0.12, 11.0) if n <= 6 else (0.0, 8.0)
            axes.text(column, row - lift, text, color=colour, fontsize=size, **middle)
            if n <= 6:
                text = f"{counts[row, column]:,}"
                axes.text(column, row + 0.22, text, color=colour, fontsize=7.5, **middle)
    return figure


def _ink_on(colour: tuple[float, ...]) -> str:
    """Choose dark or white text for a background, by its luminance (WCAG 2.2, relative)."""
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour[:3]
    )
    # at 0.22, white and INK have the same contrast
    return "white" if 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.22 else INK


@styled
def confusion_differences(
    differences: Mapping[str, ArrayLike], classes: Sequence[str], *, first: str, second: str
) -> Figure:
    """Draw differences of normalised confusion matrices, in percentage points.

    Parameters
    ----------
    differences : mapping of str to array-like, shape (n_classes, n_classes)
        Second minus first, each normalised by row; by title.
    classes : sequence of str
        Names of rows and columns.
    first, second : str
        What the two results are called.

    Returns
    -------
    Figure
        One panel per difference; orange where the first names a class more often, purple where
        the second does.
    """
    arrays = {title: np.asarray(value, dtype=float) for title, value in differences.items()}
    limit = max([0.1, *(float(np.nanmax(np.abs(np.nan_to_num(a)))) for a in arrays.values())])
    figure, panels = _panels(len(arrays), len(classes))
    for axes, (title, array) in zip(panels, arrays.items(), strict=True):
        # "PuOr" runs from orange to purple and is safe for colour-blind readers
        _draw_matrix(axes, array, classes, cmap="PuOr", vmin=-limit, vmax=limit)
        axes.set_title(title)
        for (row, column), value in np.ndenumerate(array if len(classes) <= _MANY_CLASSES else []):
            colour = _ink_on(mpl.colormaps["PuOr"]((np.nan_to_num(value) / limit + 1) / 2))
            points = round(100 * float(np.nan_to_num(value)))  # no "-0" and no "+0"
            text = f"{points:+d}".replace("-", "−") if points else "0"
            text = text if np.isfinite(value) else "–"
            axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=10)
    figure.supxlabel(f"percentage points: {second} minus {first}", fontsize=8.5, color=MUTED)
    return figure


@styled
def fold_confusions(
    matrices: Sequence[ArrayLike], names: Sequence[str], classes: Sequence[str]
) -> Figure:
    """Draw the confusion matrix of every fold as a tile, shaded by fraction of the true class.

    Parameters
    ----------
    matrices : sequence of array-like, shape (n_classes, n_classes)
        Counts, one matrix per fold.
    names : sequence of str
        Names of the folds.
    classes : sequence of str
        Order of rows and columns within each tile.

    Returns
    -------
    Figure
        One image that holds all tiles: hundreds of axes would take minutes.
    """
    n, size = len(classes), len(matrices)
    columns = min(size, 8 if size <= 24 else 16)
    rows = -(-size // columns)
    gap = max(1, -(-n // 3))  # cells between tiles, for the name above each
    step = n + gap
    mosaic = np.full((rows * step, columns * step - gap), np.nan)
    tile = min(1.15, WIDTH / columns)
    figure = new_figure(columns * tile, rows * tile)
    axes = figure.subplots()
    for index, (matrix, name) in enumerate(zip(matrices, names, strict=True)):
        top, left = (index // columns) * step + gap, (index % columns) * step
        mosaic[top : top + n, left : left + n] = np.nan_to_num(normalise_confusion(matrix))
        text = shorten(name, 12 if size <= 24 else 9)
        place: dict[str, Any] = {"ha": "center", "va": "bottom", "color": MUTED}
        place["fontsize"] = 7.5 if size <= 24 else 5.5
        axes.text(left + (n - 1) / 2, top - 0.5 - 0.06 * n, text, **place)
    axes.imshow(mosaic, cmap=_BLUES, vmin=0, vmax=1, interpolation="nearest")
    axes.set_axis_off()
    return figure
