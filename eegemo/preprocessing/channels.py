"""Selection of channels, and access to their signals."""

import difflib
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import mne
import numpy as np

from eegemo.datasets.channels import resolve_channels
from eegemo.errors import DataError

__all__ = [
    "Instance",
    "check_montage",
    "copy_loaded",
    "eeg_names",
    "pick_channels",
    "resolve_eog_channels",
]

# The usual names of montages, and those that MNE gave them in version 1.13.
_RENAMED = {"standard_1005": "colin27_1005", "standard_1020": "colin27_1020"}

Instance = TypeVar("Instance", mne.io.BaseRaw, mne.BaseEpochs)


def pick_channels(inst: Instance, channels: str | Sequence[str] = "eeg") -> Instance:
    """Keep some channels, by name.

    Parameters
    ----------
    inst : mne.io.BaseRaw | mne.BaseEpochs
        The signals.
    channels : "eeg" | "emotiv" | sequence of str
        All EEG channels (also those marked bad, so that all recordings have the same channels), the
        fourteen positions of the Emotiv EPOC headset, or channels by name.

    Returns
    -------
    mne.io.BaseRaw | mne.BaseEpochs
        A loaded copy, with channels in the order of the list (for "eeg": of the recording).

    Raises
    ------
    DataError
        If a channel is missing or named twice.

    Examples
    --------
    >>> info = mne.create_info(["Fz", "Cz", "Pz"], 128.0, "eeg")
    >>> raw = mne.io.RawArray(np.zeros((3, 128)), info, verbose="ERROR")
    >>> pick_channels(raw, ["Pz", "Fz"]).ch_names
    ['Pz', 'Fz']
    """
    return apply_pick(inst.copy(), resolve_channels(inst, channels))


def apply_pick(inst: Instance, names: Sequence[str]) -> Instance:
    """Keep channels in place; see `pick_channels`."""
    if list(names) != inst.ch_names:
        inst.pick(list(names), exclude=(), verbose="ERROR")
        inst.reorder_channels(list(names))
    return _load(inst)


def copy_loaded(inst: Instance) -> Instance:
    """Return a copy in memory."""
    return _load(inst.copy())


def _load(inst: Instance) -> Instance:
    if not inst.preload:
        with mne.use_log_level("ERROR"):  # a Raw logs its progress
            inst.load_data()
    return inst


def eeg_names(inst: Any, *, good: bool = False) -> list[str]:
    """Return the names of the EEG channels; with `good`, without those marked bad."""
    return [
        name
        for name, kind in zip(inst.ch_names, inst.get_channel_types(), strict=True)
        if kind == "eeg" and not (good and name in inst.info["bads"])
    ]


def resolve_eog_channels(inst: Any, eog_channels: Sequence[str] | None) -> list[str]:
    """Return the names of the EOG channels.

    Parameters
    ----------
    inst : mne.io.BaseRaw | mne.BaseEpochs
        The recording.
    eog_channels : sequence of str | None
        Names of channels, of any type; None takes the channels of type EOG.

    Raises
    ------
    DataError
        If there is no EOG channel, or a channel is not in the recording.
    """
    if eog_channels is not None:
        names = list(dict.fromkeys(eog_channels))
        missing = [name for name in names if name not in inst.ch_names]
        if missing or not names:
            raise DataError(
                f"eog_channels={list(eog_channels)!r}: the recording has no channel "
                f"{', '.join(missing) or 'of that list, which is empty'}. Its channels are "
                f"{', '.join(inst.ch_names)}."
            )
        return names
    kinds = zip(inst.ch_names, inst.get_channel_types(), strict=True)
    names = [name for name, kind in kinds if kind == "eog"]
    if not names:
        raise DataError(
            "Removing eye movements needs recorded EOG, and no channel is of type EOG. Name the "
            "channels in eog_channels, or set eog: none. The channels are "
            f"{', '.join(inst.ch_names)}."
        )
    return names


def mark_eog(inst: Any, names: Sequence[str]) -> None:
    """Set the type of channels to EOG, in place."""
    inst.set_channel_types(dict.fromkeys(names, "eog"), on_unit_change="ignore", verbose="ERROR")


def check_montage(montage: str) -> str:
    """Check that MNE has a montage, and return its name in the installed version.

    Parameters
    ----------
    montage : str
        Such as ``standard_1005``.

    Raises
    ------
    DataError
        If there is no such montage.
    """
    known = mne.channels.get_builtin_montages()
    names_of = {name: name for name in known} | {
        old: new for old, new in _RENAMED.items() if new in known
    }
    if montage not in names_of:
        close = difflib.get_close_matches(montage, names_of, n=3)
        hint = f" Did you mean {', '.join(close)}?" if close else ""
        raise DataError(
            f"preprocessing: montage={montage!r} is not a montage of MNE.{hint} There are "
            f"{', '.join(names_of)}."
        )
    return str(names_of[montage])


def apply_montage(inst: Any, montage: str) -> list[str]:
    """Give standard positions to the EEG channels of a recording that has not all of them.

    Parameters
    ----------
    inst : mne.io.BaseRaw | mne.BaseEpochs
        Changed in place.
    montage : str
        Name of a montage of MNE, such as ``standard_1005``.

    Returns
    -------
    unknown : list of str
        EEG channels that the montage does not have.

    Raises
    ------
    DataError
        If there is no such montage.
    """
    standard_name = check_montage(montage)
    own = inst.get_montage()
    have = {} if own is None else own.get_positions()["ch_pos"]
    names = eeg_names(inst)
    if all(name in have and np.isfinite(have[name]).all() for name in names):
        return []
    standard = mne.channels.make_standard_montage(standard_name)
    inst.set_montage(
        standard, match_case=False, match_alias=True, on_missing="ignore", verbose="ERROR"
    )
    own = inst.get_montage()
    have = {} if own is None else own.get_positions()["ch_pos"]
    return [name for name in names if name not in have or not np.isfinite(have[name]).all()]


def signal_rows(inst: Any, names: Sequence[str]) -> np.ndarray:
    """Return channels as continuous signals, shape (n_channels, n_samples); trials are joined."""
    data = inst.get_data(picks=list(names), verbose="ERROR")
    if data.ndim == 3:
        data = np.swapaxes(data, 0, 1).reshape(len(names), -1)
    rows: np.ndarray = data
    return rows


def each_channel(inst: Any, names: Sequence[str]) -> Iterator[np.ndarray]:
    """Yield each channel, shape (n_trials, n_times) or (1, n_times); trials are not copied."""
    if isinstance(inst, mne.io.BaseRaw):
        for name in names:
            yield inst.get_data(picks=[name], verbose="ERROR")
        return
    data = inst.get_data(copy=False, verbose="ERROR")
    for name in names:
        yield data[:, inst.ch_names.index(name)]
