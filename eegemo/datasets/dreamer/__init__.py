"""DREAMER: 23 participants who watched 18 film clips, recorded with a headset of 14 channels."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from eegemo.datasets.dreamer.dataset import Dreamer

if TYPE_CHECKING:
    from eegemo.datasets.dreamer.contents import look_into as look_into
    from eegemo.datasets.dreamer.recording import DreamerRecording as DreamerRecording

__all__ = ["Dreamer", "DreamerRecording", "look_into"]

#: Name -> module of this folder that defines it; MNE is imported when one is used.
_HOMES = {"DreamerRecording": "recording", "look_into": "contents"}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
