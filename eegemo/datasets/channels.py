"""Selection of EEG channels by name."""

import difflib
from collections.abc import Sequence
from typing import Any

from eegemo.errors import DataError

__all__ = ["EMOTIV_CHANNELS", "resolve_channels"]

# fmt: off
#: The fourteen positions of the Emotiv EPOC headset, in the order of its leads.
EMOTIV_CHANNELS: tuple[str, ...] = (
    "AF3", "F7", "F3", "FC5", "T7", "P7", "O1", "O2", "P8", "T8", "FC6", "F4", "F8", "AF4",
)
# fmt: on


def resolve_channels(inst: Any, channels: str | Sequence[str]) -> list[str]:
    """Return the names of the chosen channels.

    Parameters
    ----------
    inst : mne.io.BaseRaw | mne.BaseEpochs
        The recording, for the names and types of its channels.
    channels : "eeg" | "emotiv" | sequence of str
        All EEG channels (in the order of the recording), the fourteen of the Emotiv EPOC, or names.

    Returns
    -------
    list of str
        Names of channels of the recording, each once.

    Raises
    ------
    DataError
        If a channel is missing or named twice.
    """
    present: list[str] = inst.ch_names
    if channels == "eeg":
        names = [
            name
            for name, kind in zip(present, inst.get_channel_types(), strict=True)
            if kind == "eeg"
        ]
        if not names:
            raise DataError(f"There is no EEG channel; the channels are {', '.join(present)}.")
        return names
    if channels == "emotiv":
        names = list(EMOTIV_CHANNELS)
    elif isinstance(channels, str):
        raise DataError(
            f"channels={channels!r} is not known; expected 'eeg', 'emotiv' or a list of names."
        )
    else:
        names = list(channels)
    if not names:
        raise DataError("channels is an empty list; expected 'eeg', 'emotiv' or names.")
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise DataError(f"channels names more than once: {', '.join(twice)}.")
    missing = [name for name in names if name not in present]
    if missing:
        lower = {name.lower(): name for name in present}
        close = difflib.get_close_matches(missing[0].lower(), lower, n=3)
        hint = f" Did you mean {', '.join(lower[name] for name in close)}?" if close else ""
        raise DataError(
            f"channels={channels!r}: the recording has no channel {', '.join(missing)}.{hint} Its "
            f"channels are {', '.join(present)}."
        )
    return names
