"""EEG in BIDS: which files are the data, their tables, and their signals.

A reader of our own: MNE reads the files of signals, and nothing here needs MNE-BIDS, which the
tests compare with.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from eegemo.datasets.bids.dataset import Bids

if TYPE_CHECKING:
    from eegemo.datasets.bids.finding import find_recordings_bids as find_recordings_bids
    from eegemo.datasets.bids.recording import BidsRecording as BidsRecording

__all__ = ["Bids", "BidsRecording", "find_recordings_bids"]

#: Name -> module of this folder that defines it; MNE is imported when one is used.
_HOMES = {"BidsRecording": "recording", "find_recordings_bids": "finding"}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
