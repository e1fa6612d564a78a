"""The style of all figures, and how they are saved."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from eegemo.store import atomic_file

P = ParamSpec("P")

PALETTE = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999999", "#000000"]
ACCENT, SECOND = PALETTE[0], PALETTE[5]
INK, MUTED, GRID, BAND = "#1f2933", "#64707d", "#e4e8ed", "#d5dce4"
WIDTH = 9.2  # inches: the text width of the report at 96 pixels per inch
MANY = 40  # above this many folds or subjects, names would not be legible

_STYLE: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": "#9aa5b1",
    "axes.grid": True,
    "axes.labelcolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "figure.facecolor": "white",
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "eegemo",
    "text.color": INK,
    "text.parse_math": False,  # a class may be called "$x$"
    "xtick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.color": MUTED,
    "ytick.major.size": 0,
}


@contextmanager
def style() -> Iterator[None]:
    """Draw with the settings above, then restore those of the user."""
    with mpl.rc_context(), warnings.catch_warnings():
        mpl.rcdefaults()
        for key, value in _STYLE.items():
            mpl.rcParams[key] = value  # type: ignore[index]
        # names in scripts that the bundled font lacks: the font of the page shows them
        warnings.filterwarnings("ignore", message=r"(Glyph|Matplotlib currently does not)")
        yield


def styled(function: Callable[P, Figure]) -> Callable[P, Figure]:
    """Make a drawing function draw in `style`."""

    @wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with style():
            return function(*args, **kwargs)

    return wrapper


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of a size in inches."""
    return Figure(figsize=(width, height), layout="constrained")


def row_of_axes(figure: Figure, n: int) -> list[Axes]:
    """Divide a figure into `n` panels side by side."""
    return list(figure.subplots(1, n, squeeze=False)[0])


def class_colours(n: int) -> list[Any]:
    """Return one colour for each of `n` classes or results."""
    if n <= len(PALETTE):
        return list(PALETTE[:n])
    return list(mpl.colormaps["viridis"](np.linspace(0, 0.95, n)))


def shorten(name: str, longest: int) -> str:
    """Shorten a long name in the middle.

    Examples
    --------
    >>> shorten("sub-control-17", 9)
    'sub-…l-17'
    """
    if len(name) <= longest:
        return name
    half = (longest - 1) // 2
    return f"{name[: longest - 1 - half]}…{name[-half:]}"


def legend(figure: Figure, axes: Axes, note: str = "") -> None:
    """Put the legend of one panel in a row above the figure, with a note after it."""
    handles, labels = axes.get_legend_handles_labels()
    if note:
        handles.append(Line2D([], [], linestyle="none"))
        labels.append(note)
    figure.legend(
        handles, labels, loc="outside upper right", ncols=min(len(labels), 5), columnspacing=1.6
    )


def to_svg(figure: Figure) -> str:
    """Return a figure as SVG with a transparent background and the reader's own font."""
    buffer = io.StringIO()
    with style():
        figure.savefig(
            buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None}
        )
    fonts = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
    return re.sub(r"'DejaVu Sans'(, sans-serif)?", fonts, buffer.getvalue())


def save_figure(figure: Figure, path: str | Path) -> Path:
    """Save a figure as PNG at 160 dots per inch, completely or not at all; return its path."""
    with style(), atomic_file(Path(path)) as temporary:
        figure.savefig(temporary, format="png", dpi=160, metadata={"Software": None})
    return Path(path)
