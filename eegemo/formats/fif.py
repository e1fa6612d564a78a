"""Whether a FIF file is whole: a chain of tags, each of which may say where the next one is."""

import gzip
import struct
from collections.abc import Iterator
from pathlib import Path

from eegemo.errors import DataError
from eegemo.formats.files import named_errors

__all__ = ["check_chain", "is_cut_off"]

_HEAD = struct.Struct(">iIii")  # kind, type, number of bytes, place of the next tag


_FIRST = b"\0\0\0\x64"  # every file begins with its id


def check_chain(path: Path) -> None:
    """Refuse a file whose tags follow each other in a circle: reading it would never end.

    Parameters
    ----------
    path : pathlib.Path

    Raises
    ------
    DataError
        If a tag comes twice.
    """
    seen = set()
    for position, _, _ in _walk(path):
        if position in seen:
            raise DataError(
                f"{path} is damaged: its parts follow each other in a circle (at byte {position}). "
                "Copy or export it again."
            )
        seen.add(position)


def is_cut_off(path: Path) -> bool:
    """Return whether the chain of tags leads beyond the end of a file.

    Parameters
    ----------
    path : pathlib.Path
        One that `check_chain` accepts.
    """
    size = path.stat().st_size
    if path.suffix.lower() != ".fif":  # compressed: then reading fails at the end
        return False
    with named_errors(path), path.open("rb") as stream:
        if not stream.read(len(_FIRST)).startswith(_FIRST):
            return False
    return any(position + _HEAD.size + n_bytes > size for position, n_bytes, _ in _walk(path))


def _walk(path: Path) -> Iterator[tuple[int, int, int]]:
    """Yield the place of each tag, its number of bytes and where it says that the next one is."""
    compressed = path.suffix.lower() == ".gz"
    with (
        named_errors(path),
        gzip.open(path, "rb") if compressed else path.open("rb") as stream,
    ):
        position = 0
        while True:
            stream.seek(position)
            head = stream.read(_HEAD.size)
            if not head:
                return
            if len(head) < _HEAD.size:
                yield position, 0, -1
                return
            _, _, n_bytes, following = _HEAD.unpack(head)
            yield position, n_bytes, following
            if following < 0 or n_bytes < 0:
                return
            position = following or position + _HEAD.size + n_bytes
