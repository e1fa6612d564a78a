"""Figures of the quality report: records in, matplotlib figures out."""

from collections.abc import Mapping, Sequence

import mne
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from eegemo.pages.figures.style import (
    ACCENT,
    MUTED,
    SECOND,
    legend,
    new_figure,
    row_of_axes,
    styled,
)
from eegemo.preprocessing import EogRemoval, Record

__all__ = ["draw_bad_counts", "draw_blinks", "draw_removed", "draw_spectra"]

_MICRO = 1e6
# Inches: below the 850 pixels, at 100 to an inch, above which `mne.Report` scales figures, and is
# wrong by a fraction of a pixel a line: the picture is then sheared.
_WIDTH = 8.4
# More maps than this would not be legible in a row.
_MOST_MAPS = 6


@styled
def draw_spectra(
    freqs: np.ndarray, before: np.ndarray, after: np.ndarray, *, of: str = "channels"
) -> Figure:
    """Draw power spectra before and after preprocessing: median, and 10 % to 90 %.

    Parameters
    ----------
    freqs : ndarray, shape (n_freqs,)
        In hertz.
    before, after : ndarray, shape (n, n_freqs)
        In V²/Hz, a row per channel or subject.
    of : str
        What the rows are.
    """
    figure = new_figure(_WIDTH, 3.4)
    (axes,) = row_of_axes(figure, 1)
    for power, name, colour in ((before, "before", MUTED), (after, "after", ACCENT)):
        level = 10 * np.log10(np.maximum(power[:, 1:] * _MICRO**2, 1e-8))
        low, middle, high = np.quantile(level, [0.1, 0.5, 0.9], axis=0)
        axes.fill_between(freqs[1:], low, high, color=colour, alpha=0.2, linewidth=0)
        axes.plot(freqs[1:], middle, color=colour, linewidth=1.6, label=name)
    # frequencies that a filter removed entirely would flatten the rest
    top = axes.get_ylim()[1]
    axes.set_ylim(max(axes.get_ylim()[0], top - 80), top)
    axes.set_xlabel("frequency in Hz")
    axes.set_ylabel("power in dB, re 1 µV²/Hz")
    legend(figure, axes, f"median of {len(before)} {of}, 10 % to 90 %")
    return figure


@styled
def draw_removed(removal: EogRemoval, positions: Sequence[Sequence[float]] | None) -> Figure:
    """Draw the topographies of what was removed, and how much of it each electrode lost.

    Parameters
    ----------
    removal : EogRemoval
    positions : sequence | None
        Positions of its EEG channels in metres; None draws bars instead of maps.
    """
    maps = [
        (name, values) for name, values in zip(removal.labels, removal.topographies.T, strict=True)
    ][:_MOST_MAPS]
    panels = [*maps, ("removed, µV rms", removal.removed * _MICRO)]
    if positions is None:
        figure = new_figure(_WIDTH, 2.2 * len(panels))
        for axes, (title, values) in zip(
            figure.subplots(len(panels), 1, squeeze=False)[:, 0], panels, strict=True
        ):
            axes.bar(removal.eeg_channels, values, color=ACCENT)
            axes.tick_params("x", rotation=90)
            axes.set_title(title)
        return figure
    info = mne.create_info(removal.eeg_channels, 100.0, "eeg", verbose="ERROR")
    located = {
        name: np.asarray(position) for name, position in zip(info.ch_names, positions, strict=True)
    }
    info.set_montage(mne.channels.make_dig_montage(located, coord_frame="head"), verbose="ERROR")
    figure = new_figure(min(_WIDTH, 2.6 * len(panels)), 2.6)
    for axes, (title, values) in zip(row_of_axes(figure, len(panels)), panels, strict=True):
        image, _ = mne.viz.plot_topomap(
            values, info, axes=axes, show=False, cmap="Reds" if values.min() >= 0 else "RdBu_r"
        )
        figure.colorbar(image, ax=axes, shrink=0.6)
        axes.set_title(title)
    return figure


@styled
def draw_blinks(removal: EogRemoval) -> Figure:
    """Draw the mean EEG around blinks before and after, a line per channel."""
    figure = new_figure(_WIDTH, 3.0)
    panels = row_of_axes(figure, 2)
    most = np.abs(removal.blink_before).max() * _MICRO * 1.1
    for axes, values, when in zip(
        panels, (removal.blink_before, removal.blink_after), ("before", "after"), strict=True
    ):
        axes.plot(removal.blink_times, values.T * _MICRO, color=ACCENT, linewidth=0.8, alpha=0.6)
        axes.set_ylim(-most, most)
        axes.set_title(f"{when}, mean of {removal.n_blinks} blinks")
        axes.set_xlabel("seconds from the peak of the blink")
    panels[0].set_ylabel("EEG in µV")
    return figure


@styled
def draw_bad_counts(bads: Mapping[str, Sequence[str]], n_subjects: int) -> Figure:
    """Draw in how many subjects each channel was bad.

    Parameters
    ----------
    bads : mapping of str to sequence of str
        Channel to the subjects in whom it was bad.
    n_subjects : int
    """
    figure = new_figure(_WIDTH, 2.6)
    (axes,) = row_of_axes(figure, 1)
    names = sorted(bads, key=lambda name: (-len(bads[name]), name))
    axes.bar(names, [len(set(bads[name])) for name in names], color=SECOND)
    axes.tick_params("x", rotation=90)
    axes.set_xlim(-0.8, max(len(names), 12) - 0.2)  # a single bar need not fill the page
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylabel(f"subjects, of {n_subjects}")
    return figure


def positions_of(record: Record, names: Sequence[str]) -> list[list[float]] | None:
    """Return the positions of channels of a record, or None if they are unknown."""
    if record.positions is None:
        return None
    positions = dict(zip(record.ch_names, record.positions, strict=True))
    return [positions[name] for name in names] if set(names) <= set(positions) else None
