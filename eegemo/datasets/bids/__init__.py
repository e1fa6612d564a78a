"""EEG in BIDS, read through MNE-BIDS."""

from eegemo.datasets.bids.dataset import find_recordings_bids
from eegemo.datasets.bids.recording import BidsRecording

__all__ = [
    "BidsRecording",
    "find_recordings_bids",
]
