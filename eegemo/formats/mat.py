"""Reader of numeric arrays in MATLAB 5 files, checked before SciPy reads them.

A MATLAB 5 file is a list of elements. Each may be compressed, and states the type, shape and size
of its content [1]_. SciPy's reader trusts them: a few kilobytes can make it allocate gigabytes, or
create objects. Here the elements are walked first. Those that are needed and compressed are
decompressed piece by piece, to verify their size and checksum.

References
----------
.. [1] MathWorks, "MAT-File Format", level 5.
"""

import math
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import scipy.io
from numpy.typing import NDArray

from eegemo.errors import DataError

__all__ = ["load_mat_arrays"]

_HEADER = 128  # bytes before the first element
_MATRIX, _COMPRESSED = 14, 15
_NUMERIC = range(6, 16)  # classes of arrays: double, single, and integers of 8 to 64 bits
_COMPLEX = 0x08
_KINDS = {1: "a cell array", 2: "a structure", 3: "an object", 4: "text", 5: "a sparse array"}
# Bytes of an item, by the type in which it is stored.
_ITEM_BYTES = {1: 1, 2: 1, 3: 2, 4: 2, 5: 4, 6: 4, 7: 4, 9: 8, 12: 8, 13: 8}
_MAX_ELEMENTS = 1000
_HEAD = 1024  # bytes in which the description of an array of up to three dimensions ends
_CHUNK = 1 << 18
# Signals shrink to half when they are compressed, in whole numbers to a tenth; what shrinks much
# more is constant.
_MAX_RATIO = 20
_SMALL = 64 * 2**20


class _CorruptError(Exception):
    """Error in the content of a file; becomes a DataError that names the file."""


@dataclass(frozen=True)
class _Claim:
    """Description of an array in its element."""

    name: str
    kind: int
    is_complex: bool
    shape: tuple[int, ...]
    n_bytes: int  # of the whole element, decompressed
    data_bytes: int
    item_bytes: int


def load_mat_arrays(path: str | Path, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Read numeric arrays of a MATLAB 5 file by name.

    Parameters
    ----------
    path : str | pathlib.Path
    names : sequence of str
        Arrays to read; others are skipped.

    Returns
    -------
    dict of str to ndarray
        The arrays that the file has, in the stored shape.

    Raises
    ------
    DataError
        If the file is missing, truncated, corrupt or of another version of the format; if one of
        the arrays is not of real numbers, occurs twice, or claims another size than it has.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "s01.mat"
    >>> scipy.io.savemat(file, {"labels": [[5.0, 4.5]], "note": "x"}, do_compression=True)
    >>> load_mat_arrays(file, ["labels", "data"])
    {'labels': array([[5. , 4.5]])}
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path} does not exist; expected a MATLAB file of DEAP.")
    try:
        with path.open("rb") as file:
            claims = _check(file, path.stat().st_size, set(names))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (_CorruptError, struct.error, zlib.error) as error:
        raise DataError(f"{path} is corrupt or is not a MATLAB file: {error}.") from error
    except DataError as error:
        raise DataError(f"{path} {error}") from error
    try:
        content = scipy.io.loadmat(path, variable_names=list(claims))
    except Exception as error:  # SciPy raises many types on corrupt files, none of them its own
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path} is corrupt or is not a MATLAB file: {reason}.") from error
    arrays = {name: content[name] for name in claims if name in content}
    for name, claim in claims.items():
        if name not in arrays or arrays[name].shape != claim.shape:
            raise DataError(f"{path} is corrupt: its array '{name}' is not as it is described.")
    return arrays


def _check(file: IO[bytes], size: int, names: set[str]) -> dict[str, _Claim]:
    """Return the descriptions of the named arrays, after checking them."""
    header = file.read(_HEADER)
    if b"MATLAB 7.3" in header[:20] or header[:4] == b"\x89HDF":
        raise DataError(
            "is a MATLAB 7.3 file; expected MATLAB 5, as DEAP is distributed (save -v6)."
        )
    order = {b"IM": "<", b"MI": ">"}.get(header[126:128], "")
    if not header.startswith(b"MATLAB") or not order:
        raise _CorruptError("it does not begin as MATLAB 5 files do")
    if header[124:126] not in (b"\x00\x01", b"\x01\x00"):
        raise _CorruptError(f"its version is {header[124:126].hex()}")
    claims: dict[str, _Claim] = {}
    for kind, start, n_bytes in _elements(file, size, order):
        file.seek(start)
        if kind == _MATRIX:
            claim = _describe(file.read(min(_HEAD, n_bytes)), n_bytes, order)
        elif kind == _COMPRESSED:
            head = zlib.decompressobj().decompress(file.read(min(_HEAD, n_bytes)), _HEAD)
            inner, inner_bytes = struct.unpack(f"{order}II", head[:8])
            if inner != _MATRIX:
                continue
            claim = _describe(head[8:], inner_bytes, order)
        else:
            continue
        if claim is None or claim.name not in names:
            continue
        if claim.name in claims:
            raise DataError(f"holds '{claim.name}' twice; expected one array of that name.")
        _check_claim(claim, size)
        if kind == _COMPRESSED:
            file.seek(start)
            _check_compressed(file, n_bytes, claim)
        claims[claim.name] = claim
    return claims


def _elements(file: IO[bytes], size: int, order: str) -> Iterator[tuple[int, int, int]]:
    """Yield type, start and length of each element."""
    position = _HEADER
    for _ in range(_MAX_ELEMENTS):
        if position == size:
            return
        file.seek(position)
        kind, n_bytes = struct.unpack(f"{order}II", file.read(8))
        if position + 8 + n_bytes > size:
            raise _CorruptError(
                f"it is truncated: it needs at least {position + 8 + n_bytes} bytes, and there "
                f"are {size}"
            )
        yield kind, position + 8, n_bytes
        position += 8 + n_bytes
    raise _CorruptError(f"it holds more than {_MAX_ELEMENTS} arrays")


def _describe(head: bytes, n_bytes: int, order: str) -> _Claim | None:
    """Read type, shape and name at the start of an element; None if it is no array."""
    if len(head) < 16:
        return None
    kind, length, flags = struct.unpack(f"{order}III", head[:12])
    if (kind, length) != (6, 8):
        return None
    _, dims, at = _tag(head, 16, order)
    shape = struct.unpack(f"{order}{len(dims) // 4}i", dims[: len(dims) // 4 * 4])
    _, name, at = _tag(head, at, order)
    stored, data_bytes, _ = _tag_head(head, at, order) if flags & 0xFF in _NUMERIC else (0, 0, 0)
    return _Claim(
        name.decode("latin1"),
        flags & 0xFF,
        bool(flags >> 8 & _COMPLEX),
        shape,
        n_bytes + 8,
        data_bytes,
        _ITEM_BYTES.get(stored, 0),
    )


def _tag_head(head: bytes, at: int, order: str) -> tuple[int, int, int]:
    """Return type and length of a part, and the start of its content."""
    (word,) = struct.unpack_from(f"{order}I", head, at)
    if word >> 16:  # short parts have type and length in one word
        return word & 0xFFFF, word >> 16, at + 4
    (length,) = struct.unpack_from(f"{order}I", head, at + 4)
    return word, length, at + 8


def _tag(head: bytes, at: int, order: str) -> tuple[int, bytes, int]:
    """Return type and content of a part, and the start of the next part."""
    kind, length, start = _tag_head(head, at, order)
    if start + length > len(head):
        raise _CorruptError("the name or shape of an array does not end")
    end = at + 8 if start == at + 4 else start + -(-length // 8) * 8
    return kind, head[start : start + length], end


def _check_claim(claim: _Claim, size: int) -> None:
    if claim.kind not in _NUMERIC or claim.is_complex or not claim.item_bytes:
        kind = "complex numbers" if claim.is_complex else _KINDS.get(claim.kind, "another kind")
        raise DataError(f"cannot be used: '{claim.name}' is {kind}; expected numbers.")
    if len(claim.shape) < 2 or min(claim.shape) < 0:
        raise _CorruptError(f"'{claim.name}' has the shape {claim.shape}")
    expected = math.prod(claim.shape) * claim.item_bytes
    if expected != claim.data_bytes or claim.data_bytes > claim.n_bytes:
        raise _CorruptError(
            f"'{claim.name}' claims the shape {claim.shape}, {expected} bytes, but says it holds "
            f"{claim.data_bytes} bytes in {claim.n_bytes}"
        )
    # every stored item becomes one of up to eight bytes
    limit = max(_SMALL, _MAX_RATIO * size)
    if claim.n_bytes > limit or 8 * math.prod(claim.shape) > limit:
        raise DataError(
            f"has {size} bytes and claims {max(claim.n_bytes, 8 * math.prod(claim.shape))} for "
            f"'{claim.name}', which no signals do. It may be hostile; it was not read."
        )


def _check_compressed(file: IO[bytes], n_bytes: int, claim: _Claim) -> None:
    """Decompress an element piece by piece to check its size and checksum, keeping nothing."""
    reader, found = zlib.decompressobj(), 0
    while not reader.eof:
        piece = reader.unconsumed_tail
        if not piece:
            piece = file.read(min(_CHUNK, n_bytes))
            n_bytes -= len(piece)
            if not piece:
                raise _CorruptError(f"'{claim.name}' is truncated")
        found += len(reader.decompress(piece, _CHUNK))
        if found > claim.n_bytes:
            break
    if found != claim.n_bytes:
        raise _CorruptError(f"'{claim.name}' is not of the {claim.n_bytes} bytes that it claims")
