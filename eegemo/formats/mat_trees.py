"""Reader of structures and cells in untrusted MATLAB 5 files.

SciPy's reader trusts a file and loads all of it, which may be gigabytes. Here a variable is walked
from its first byte to its last, in the memory of its largest array, and only requested parts are
converted to numbers. Sizes must agree at every level, and checksums must be right [1]_.

References
----------
.. [1] MathWorks, "MAT-File Format", level 5.
"""

import math
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from eegemo.errors import DataError

__all__ = ["Node", "walk_mat"]

Place = tuple[str | int, ...]

_HEADER = 128  # bytes before the first element
_MATRIX, _COMPRESSED = 14, 15
_CELL, _STRUCT, _TEXT = 1, 2, 4
_NUMERIC = range(6, 16)  # classes of arrays: double, single, and integers of 8 to 64 bits
_COMPLEX = 0x08
_REFUSED = {3: "an object", 5: "a sparse array", 16: "a function", 17: "an object"}
# How an item is stored, by its type in the file.
_STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8"}
_STORED |= {13: "u8", 16: "u1", 17: "u2", 18: "u4"}  # and text, as UTF-8, UTF-16 and UTF-32
_ENCODINGS = {1: "latin1", 2: "latin1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_CHUNK = 1 << 18
_MAX_DEPTH = 10
_MAX_CHILDREN = 100_000  # of one structure or cell
_MAX_NODES = 1_000_000
_MAX_ARRAY = 2**28  # bytes
# Signals shrink to a fifth when they are compressed; what shrinks much more is constant.
_MAX_RATIO, _SMALL = 20, 64 * 2**20


class _CorruptError(Exception):
    """Error in the content of a file; becomes a DataError that names the file."""


@dataclass(frozen=True)
class Node:
    """A part of a variable.

    Attributes
    ----------
    place : tuple of str or int
        Path to the part: names of fields, and numbers (from 0, column by column) of the parts of
        cells and of arrays of structures. A single structure adds no number.
    kind : {"numbers", "text", "cell", "struct"}
    shape : tuple of int
    value : ndarray, str or None
        Numbers in the stored shape and type. None for parts that were not requested, and for cells
        and structures, whose parts follow.
    """

    place: Place
    kind: str
    shape: tuple[int, ...]
    value: Any = None


def walk_mat(
    path: str | Path, name: str, *, wanted: Callable[[Place], bool] = lambda place: True
) -> Iterator[Node]:
    """Walk a variable of a MATLAB 5 file, from the outside in.

    Parameters
    ----------
    path : str | pathlib.Path
    name : str
        Name of the variable; others are skipped.
    wanted : callable
        Called with the `place` of each array; if it returns False, the array is skipped.

    Yields
    ------
    Node
        The variable itself first, and each structure or cell before its parts. The content after a
        node is checked only when the walk continues: a file is checked once the walk has ended.

    Raises
    ------
    DataError
        If the file is missing, truncated, corrupt or of another version of the format; if it lacks
        the variable or has it twice; if a part is complex, sparse, an object or too large.

    Examples
    --------
    >>> import scipy.io, tempfile
    >>> file = Path(tempfile.mkdtemp()) / "x.mat"
    >>> scipy.io.savemat(file, {"x": {"rate": 128, "name": "Fz"}}, do_compression=True)
    >>> [(node.place, node.kind, node.value) for node in walk_mat(file, "x")][1:]
    [(('rate',), 'numbers', array([[128]])), (('name',), 'text', 'Fz')]
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path} does not exist; expected a MATLAB file.")
    try:
        with path.open("rb") as file:
            yield from _Walk(name, wanted).through(file, path.stat().st_size)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (_CorruptError, struct.error, zlib.error, UnicodeDecodeError) as error:
        raise DataError(f"{path} is corrupt or is not a MATLAB file: {error}.") from error
    except DataError as error:
        raise DataError(f"{path} {error}") from error


class _Plain:
    """The bytes of a part of a file."""

    def __init__(self, file: IO[bytes], n_bytes: int) -> None:
        self._file, self.position, self._end = file, 0, n_bytes

    def read(self, n: int) -> bytes:
        if self.position + n > self._end:
            raise _CorruptError("it is truncated")
        found = self._file.read(n)
        if len(found) < n:
            raise _CorruptError("it is truncated")
        self.position += n
        return found

    def skip(self, n: int) -> None:
        if self.position + n > self._end:
            raise _CorruptError("it is truncated")
        self._file.seek(n, 1)
        self.position += n

    def finish(self) -> None:
        if self.position != self._end:
            raise _CorruptError("it holds more than it says")


class _Inflated:
    """The bytes of a compressed part of a file, decompressed piece by piece."""

    def __init__(self, file: IO[bytes], n_bytes: int) -> None:
        self._file, self._left = file, n_bytes
        self._reader, self._piece, self._at = zlib.decompressobj(), b"", 0
        self.position = 0

    def _more(self) -> bool:
        """Decompress the next piece; return whether there is one."""
        self._piece, self._at = b"", 0
        while not self._piece and not self._reader.eof:
            given = self._reader.unconsumed_tail
            if not given:
                given = self._file.read(min(_CHUNK, self._left))
                self._left -= len(given)
                if not given:
                    raise _CorruptError("it is truncated")
            self._piece = self._reader.decompress(given, _CHUNK)
        return bool(self._piece)

    def _take(self, n: int) -> Iterator[bytes]:
        self.position += n
        while n:
            if self._at == len(self._piece) and not self._more():
                raise _CorruptError("its compressed part ends too early")
            part = self._piece[self._at : self._at + n]
            self._at += len(part)
            n -= len(part)
            yield part

    def read(self, n: int) -> bytes:
        return b"".join(self._take(n))

    def skip(self, n: int) -> None:
        for _ in self._take(n):
            pass

    def finish(self) -> None:
        # zlib compares the checksum at the end
        if self._at < len(self._piece) or self._more():
            raise _CorruptError("its compressed part holds more than it says")


_Stream = _Plain | _Inflated


class _Walk:
    """A walk through one file."""

    def __init__(self, name: str, wanted: Callable[[Place], bool]) -> None:
        self.name, self.wanted, self.order, self.n_nodes = name, wanted, "<", 0

    def through(self, file: IO[bytes], size: int) -> Iterator[Node]:
        header = file.read(_HEADER)
        if b"MATLAB 7.3" in header[:20] or header[:4] == b"\x89HDF":
            raise DataError("is a MATLAB 7.3 file; expected MATLAB 5 (save -v7 or -v6).")
        self.order = {b"IM": "<", b"MI": ">"}.get(header[126:128], "")
        if not header.startswith(b"MATLAB") or not self.order:
            raise _CorruptError("it does not begin as MATLAB 5 files do")
        position, seen = _HEADER, False
        while position < size:
            file.seek(position)
            kind, n_bytes = struct.unpack(f"{self.order}II", file.read(8))
            position += 8 + n_bytes
            if position > size:
                raise _CorruptError(
                    f"it is truncated: it needs at least {position} bytes, and there are {size}"
                )
            stream: _Stream
            if kind == _MATRIX:
                stream, whole = _Plain(file, n_bytes), n_bytes
            elif kind == _COMPRESSED:
                stream = _Inflated(file, n_bytes)
                inner, whole = struct.unpack(f"{self.order}II", stream.read(8))
                if inner != _MATRIX:
                    continue
                if whole > max(_SMALL, _MAX_RATIO * size):
                    raise DataError(
                        f"has {size} bytes and claims {whole}, which no signals do. It may be "
                        "hostile; it was not read."
                    )
            else:
                continue
            end = stream.position + whole
            about = self._describe(stream)
            if about[2] != self.name:
                continue
            if seen:
                raise DataError(f"holds {self.name!r} twice; expected one variable of that name.")
            seen = True
            yield from self._inside(stream, end, (), *about[:2])
            stream.finish()
        if not seen:
            raise DataError(f"holds no variable {self.name!r}.")

    def _tag(self, stream: _Stream) -> tuple[int, int, bytes]:
        """Read type and size of an element, and its bytes where they lie inside the tag."""
        head = stream.read(8)
        (word,) = struct.unpack(f"{self.order}I", head[:4])
        if not word >> 16:
            return word, struct.unpack(f"{self.order}I", head[4:])[0], b""
        if word >> 16 > 4:
            raise _CorruptError("a short element is not short")
        return word & 0xFFFF, word >> 16, head[4 : 4 + (word >> 16)]

    def _small(self, stream: _Stream, limit: int) -> bytes:
        """Read a small element: flags, shape or name."""
        _, n_bytes, inside = self._tag(stream)
        if inside or not n_bytes:
            return inside
        if n_bytes > limit:
            raise _CorruptError(f"a name or shape takes {n_bytes} bytes")
        return stream.read(-(-n_bytes // 8) * 8)[:n_bytes]

    def _describe(self, stream: _Stream) -> tuple[int, tuple[int, ...], str]:
        """Read class (with flags), shape and name of an array."""
        flags = self._small(stream, 8)
        if len(flags) != 8:
            raise _CorruptError("an array does not say of which class it is")
        (kind,) = struct.unpack(f"{self.order}I", flags[:4])
        dims = self._small(stream, 64)
        shape = struct.unpack(f"{self.order}{len(dims) // 4}i", dims[: len(dims) // 4 * 4])
        if len(shape) < 2 or min(shape) < 0:
            raise _CorruptError(f"an array has the shape {shape}")
        name = self._small(stream, 256).decode("latin1")
        return kind, shape, name

    def _inside(
        self, stream: _Stream, end: int, place: Place, kind: int, shape: tuple[int, ...]
    ) -> Iterator[Node]:
        """Walk through an array after its description."""
        self.n_nodes += 1
        if self.n_nodes > _MAX_NODES or len(place) > _MAX_DEPTH:
            raise _CorruptError("it holds too many parts, or too deep ones")
        number, is_complex = kind & 0xFF, bool(kind >> 8 & _COMPLEX)
        where = ".".join(map(str, place)) or self.name
        if number in (_CELL, _STRUCT):
            yield Node(place, "cell" if number == _CELL else "struct", shape)
            names = self._field_names(stream) if number == _STRUCT else [None]
            n = math.prod(shape)
            if n * len(names) > _MAX_CHILDREN:
                raise _CorruptError(f"'{where}' claims to have {n * len(names)} parts")
            for part in range(n):
                numbered = (part,) if number == _CELL or n != 1 else ()
                for name in names:
                    inner = (*place, *numbered, *(() if name is None else (name,)))
                    yield from self._array(stream, end, inner)
        elif number in _NUMERIC and not is_complex:
            yield self._numbers(stream, end, place, shape)
        elif number == _TEXT:
            yield self._text(stream, end, place, shape)
        else:
            what = "complex numbers" if is_complex else _REFUSED.get(number, "of another kind")
            raise DataError(f"cannot be used: '{where}' is {what}; expected numbers or text.")
        if stream.position != end:
            raise _CorruptError(f"'{where}' is not as long as it says")

    def _array(self, stream: _Stream, limit: int, place: Place) -> Iterator[Node]:
        """Walk through a part of a cell or structure."""
        kind, n_bytes, _ = self._tag(stream)
        end = stream.position + n_bytes
        if kind != _MATRIX or end > limit:
            raise _CorruptError(f"'{'.'.join(map(str, place))}' is no array inside another")
        if not n_bytes:  # how an empty array is written in short
            self.n_nodes += 1
            yield Node(place, "numbers", (0, 0), np.zeros((0, 0)))
            return
        about, shape, _ = self._describe(stream)
        yield from self._inside(stream, end, place, about, shape)

    def _field_names(self, stream: _Stream) -> list[str | None]:
        width = self._small(stream, 8)
        (length,) = struct.unpack(f"{self.order}i", width[:4])
        names = self._small(stream, 1 << 16)
        if not 0 < length <= 256 or len(names) % length:
            raise _CorruptError("the names of the fields of a structure do not end")
        parts = [names[at : at + length] for at in range(0, len(names), length)]
        found: list[str | None] = [part.partition(b"\0")[0].decode("latin1") for part in parts]
        if len(set(found)) < len(found):
            raise _CorruptError("a structure has two fields of one name")
        return found

    def _data(
        self, stream: _Stream, end: int, place: Place, shape: tuple[int, ...]
    ) -> tuple[int, bytes | None]:
        """Read the items of an array, or skip them."""
        stored, n_bytes, inside = self._tag(stream)
        where = ".".join(map(str, place)) or self.name
        if stored not in _STORED:
            raise _CorruptError(f"'{where}' is stored in an unknown way ({stored})")
        expected = math.prod(shape) * np.dtype(_STORED[stored]).itemsize
        if n_bytes != expected and stored != 16:  # a letter in UTF-8 has one byte or more
            raise _CorruptError(
                f"'{where}' claims the shape {shape}, {expected} bytes, but holds {n_bytes}"
            )
        if inside or not n_bytes:
            return stored, inside
        padded = -(-n_bytes // 8) * 8
        if stream.position + padded > end:
            raise _CorruptError(f"'{where}' is longer than what holds it")
        if not self.wanted(place):
            stream.skip(padded)
            return stored, None
        if n_bytes > _MAX_ARRAY:
            raise DataError(f"claims {n_bytes} bytes for '{where}', which no signals take.")
        return stored, stream.read(padded)[:n_bytes]

    def _numbers(self, stream: _Stream, end: int, place: Place, shape: tuple[int, ...]) -> Node:
        stored, items = self._data(stream, end, place, shape)
        if items is None:
            return Node(place, "numbers", shape)
        if stored in (16, 17, 18):
            raise _CorruptError(f"'{'.'.join(map(str, place))}' holds letters in place of numbers")
        values = np.frombuffer(items, np.dtype(f"{self.order}{_STORED[stored]}"))
        return Node(place, "numbers", shape, values.reshape(shape, order="F"))

    def _text(self, stream: _Stream, end: int, place: Place, shape: tuple[int, ...]) -> Node:
        stored, items = self._data(stream, end, place, shape)
        if items is None:
            return Node(place, "text", shape)
        encoding = _ENCODINGS.get(stored)
        if encoding is None:
            raise _CorruptError(f"'{'.'.join(map(str, place))}' is text stored in an unknown way")
        if encoding.startswith("utf-") and encoding != "utf-8":
            encoding += "-le" if self.order == "<" else "-be"
        return Node(place, "text", shape, items.decode(encoding))
