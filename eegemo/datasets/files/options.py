"""The options of a folder of recordings that its trials depend on."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Options"]


@dataclass(frozen=True)
class Options:
    """Options of `eegemo.datasets.files.Files` that trials depend on.

    Attributes
    ----------
    events : {"auto", "table", "annotations", "stim", "none"}
    stim_channel : str or None
    trial_types : tuple of str or None
    trials : {"events", "fixed"}
    length : float or None
    tmin : float
    tmax : float or None
    own : tuple of str
        Further columns of the table of recordings that keep their names in the metadata.
    renamed : tuple of (str, str)
        Stimuli that differ from others only in their spelling, and those others.
    """

    events: str = "auto"
    stim_channel: str | None = None
    trial_types: tuple[str, ...] | None = None
    trials: str = "events"
    length: float | None = None
    tmin: float = 0.0
    tmax: float | None = None
    own: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()
