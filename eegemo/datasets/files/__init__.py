"""A folder of recordings in any format, with a table that says what they are."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from eegemo.datasets.files.dataset import Files

if TYPE_CHECKING:
    from eegemo.datasets.files.finding import find_recordings_files as find_recordings_files
    from eegemo.datasets.files.proposal import Proposal as Proposal
    from eegemo.datasets.files.proposal import propose_table as propose_table
    from eegemo.datasets.files.recording import FilesRecording as FilesRecording

__all__ = ["Files", "FilesRecording", "Proposal", "find_recordings_files", "propose_table"]

#: Name -> module of this folder that defines it; MNE is imported when one is used.
_HOMES = {
    "FilesRecording": "recording",
    "Proposal": "proposal",
    "find_recordings_files": "finding",
    "propose_table": "proposal",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
