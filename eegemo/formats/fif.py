"""Whether a FIF file leads anywhere: it is a chain of tags, and may go on in another file.

Each tag may say where the next one is, and each file which one continues it. MNE follows both
without end if they go round, and remembers all it has read.
"""

import gzip
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from eegemo.errors import DataError
from eegemo.formats.files import named_errors

__all__ = ["check_chain", "is_cut_off"]

_HEAD = struct.Struct(">iIii")  # kind, type, number of bytes, place of the next tag
_FIRST = b"\0\0\0\x64"  # every file begins with its id
# Kinds of tags: the start of a block, and what a reference to another file is made of.
_BLOCK, _ROLE, _NUMBER, _NAME = 104, 115, 117, 118
_NEXT = 2  # the role of the file that continues this one
_LONGEST_NAME = 4096


class _Tag(NamedTuple):
    place: int
    kind: int
    n_bytes: int
    data: bytes = b""  # of the kinds above


def check_chain(path: Path) -> None:
    """Refuse a file whose tags, or whose parts, follow each other in a circle.

    Parameters
    ----------
    path : pathlib.Path
        The first part of a recording.

    Raises
    ------
    DataError
        If reading it would never end.
    """
    parts = [path]
    known = {path.resolve()}
    while parts:
        part = parts.pop()
        for following in _next_parts(part):
            if following.resolve() in known:
                raise DataError(
                    f"{part} is continued in {following.name}, which is before it: the parts of "
                    "this recording were renamed, or are copies. Give them the names that they "
                    "were written with."
                )
            if following.is_file():
                known.add(following.resolve())
                parts.append(following)


def _next_parts(path: Path) -> list[Path]:
    """Return the files in which a file says it is continued; refuse tags in a circle."""
    seen = set()
    role = _NEXT
    found: list[Path] = []
    for tag in _walk(path):
        if tag.place in seen:
            raise DataError(
                f"{path} is damaged: its parts follow each other in a circle (at byte "
                f"{tag.place}). Copy or export it again."
            )
        seen.add(tag.place)
        if tag.kind == _BLOCK:
            role = _NEXT
        elif tag.kind == _ROLE:
            role = int.from_bytes(tag.data[:4], "big")
        elif tag.kind == _NAME and role == _NEXT:
            found.append(path.parent / tag.data.decode("latin-1").strip("\0"))
        elif tag.kind == _NUMBER and role == _NEXT and not found:
            stem, dot, suffix = path.name.partition(".")
            first, dash, number = stem.rpartition("-")
            base = first if dash and number.isdigit() else stem
            following = int.from_bytes(tag.data[:4], "big")
            found.append(path.parent / f"{base}-{following}{dot}{suffix}")
    return list(dict.fromkeys(found))


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
        if stream.read(len(_FIRST)) not in (_FIRST, _FIRST[:size]):
            return False
    return any(tag.place + _HEAD.size + tag.n_bytes > size for tag in _walk(path))


def _walk(path: Path) -> Iterator[_Tag]:
    """Yield the tags of a file in the order in which they follow each other."""
    compressed = path.suffix.lower() == ".gz"
    with (
        named_errors(path),
        gzip.open(path, "rb") if compressed else path.open("rb") as stream,
    ):
        place = 0
        while True:
            stream.seek(place)
            head = stream.read(_HEAD.size)
            if not head:
                return
            if len(head) < _HEAD.size:
                yield _Tag(place, -1, 0)
                return
            kind, _, n_bytes, following = _HEAD.unpack(head)
            told = kind in (_ROLE, _NUMBER, _NAME) and 0 < n_bytes <= _LONGEST_NAME
            yield _Tag(place, kind, n_bytes, stream.read(n_bytes) if told else b"")
            if following < 0 or n_bytes < 0:
                return
            place = following or place + _HEAD.size + n_bytes
