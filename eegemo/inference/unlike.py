"""Tell where the signals of a recording are unlike those of training, and by how much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from eegemo.pages.words import join_names
from eegemo.results.signals import summarise_signals
from eegemo.windows import Windows

__all__ = ["describe_reference", "describe_unlike"]

#: Far is more than this many robust standard deviations of training windows and decibels: a factor
#: of two in amplitude. The median over windows is compared, which varies much less than a window.
_FAR_SD, _FAR_DB = 4.0, 6.0
#: Decibels that a standard deviation is at least; windows of stationary noise vary that little.
_LEAST_SD = 1.5
#: The mean of all channels, in decibels of single ones: below in an average reference, above in
#: any other.
_AVERAGE, _OTHER = -60.0, -45.0
_MOST_NAMES = 5


def describe_reference(
    training: Mapping[str, Any] | None, stated: Sequence[str], again: str | None
) -> list[str]:
    """Say where a recording states another reference than training, and none is computed.

    Parameters
    ----------
    training : mapping or None
        As for `describe_unlike`.
    stated : sequence of str
        What the sidecars of the recording state.
    again : str or None
        ``preprocessing.reference`` of the experiment: with an average reference it is computed
        anew, here as in training.
    """
    if training is None or again is not None or not training["references"] or not stated:
        return []
    known = {name.casefold() for name in training["references"]}
    if known & {name.casefold() for name in stated}:
        return []
    return [
        f"The reference of this recording is {join_names(stated)}, that of training was "
        f"{join_names(training['references'])} (EEGReference of both), and no common one was "
        "computed: with preprocessing.reference: average it would not matter."
    ]


def describe_unlike(windows: Windows, training: Mapping[str, Any] | None) -> list[str]:
    """Say where amplitudes, spectra or the reference differ from those of training.

    Parameters
    ----------
    windows : Windows
        Those of the recording, preprocessed and not scaled.
    training : mapping or None
        `eegemo.results.summarise_signals` of the training data; None if it is not known.

    Returns
    -------
    sentences : list of str
        Empty where nothing is far from training.
    """
    if training is None:
        return []
    here = summarise_signals(windows)
    if here["bands"] != training["bands"] or set(here["channels"]) != set(training["channels"]):
        return []  # not the windows of this model
    order = [here["channels"].index(name) for name in training["channels"]]
    gap = np.array(here["median"])[order] - np.array(training["median"])
    sd = np.maximum(np.array(training["sd"]), _LEAST_SD)
    sentences = []
    level = float(np.median(gap))
    if abs(level) > _FAR_DB and np.median(np.abs(gap) / sd) > _FAR_SD:
        sentences.append(_describe_level(level, float(np.median(np.abs(gap) / sd))))
        gap = gap - level
    far = (np.abs(gap) / sd > _FAR_SD) & (np.abs(gap) > _FAR_DB)
    if far.any():
        sentences.append(_describe_spectrum(gap, sd, far, training))
    then, now = training["common"], here["common"]
    if then is not None and now is not None:
        if then < _AVERAGE and now > _OTHER:
            sentences.append(
                "Training signals had the average of these channels as reference, and this "
                "recording has another: set preprocessing.reference: average, and train again."
            )
        elif then > _OTHER and now < _AVERAGE:
            sentences.append(
                "This recording has the average of these channels as reference, and training "
                "signals had another."
            )
    return sentences


def _describe_level(level: float, deviations: float) -> str:
    ratio = 10 ** (abs(level) / 20)
    times = f"{ratio:.1f}" if ratio < 10 else f"{float(f'{ratio:.2g}'):,.0f}"
    than = "larger" if level > 0 else "smaller"
    unit = ""
    for factor, names in ((1e6, "volts and microvolts"), (1e3, "millivolts and microvolts")):
        if 0.5 < ratio / factor < 2:
            unit = f", as between {names}: is the unit right?"
    return (
        f"Amplitudes are {times} times {than} than in training ({level:+.0f} dB, "
        f"{deviations:.0f} robust standard deviations of training windows; medians over channels "
        f"and bands){unit or ': probabilities may mean little.'}"
    )


def _describe_spectrum(
    gap: np.ndarray, sd: np.ndarray, far: np.ndarray, training: Mapping[str, Any]
) -> str:
    names, bands = training["channels"], training["bands"]
    channel, band = np.unravel_index(np.argmax(np.where(far, np.abs(gap) / sd, 0)), gap.shape)
    where = []
    for k in np.flatnonzero(far.any(axis=0)):
        odd = np.flatnonzero(far[:, k])
        listed = [names[number] for number in odd[:_MOST_NAMES]]
        which = join_names(listed) if len(odd) <= _MOST_NAMES else f"{len(odd)} channels"
        if len(odd) == len(names) > 1:
            which = "all channels"
        where.append(f"{bands[k][0]:g}-{bands[k][1]:g} Hz of {which}")
    return (
        f"The spectrum is far from that of training in {join_names(where)}; most at "
        f"{names[channel]}, {bands[band][0]:g}-{bands[band][1]:g} Hz: "
        f"{gap[channel, band]:+.0f} dB, {abs(gap[channel, band]) / sd[channel, band]:.0f} robust "
        "standard deviations of training windows."
    )
