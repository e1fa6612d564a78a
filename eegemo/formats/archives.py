"""Reader of untrusted zip archives (``.npz``, ``.keras``).

Archives of eegemo and Keras are not compressed, so the content is never larger than the file, and
every entry has a checksum. Both are required here before anything is read.
"""

import math
import stat
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, Any

import numpy as np

from eegemo.errors import DataError

__all__ = ["load_arrays", "open_archive"]

_MAX_ENTRIES = 1000
_ENCRYPTED = 0x1


@contextmanager
def open_archive(path: str | Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip archive whose entries are stored as they are, under plain names.

    Parameters
    ----------
    path : path

    Yields
    ------
    zipfile.ZipFile
        For reading. Errors inside the block become a DataError, too.

    Raises
    ------
    DataError
        If the file is missing, no zip archive or corrupt, or if an entry is compressed, encrypted,
        a link, present twice, or has a name that leads out of the archive.
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            _check_entries(archive, path)
            yield archive
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error
    # for corrupt fields, zipfile raises many types besides its own
    except (zipfile.BadZipFile, EOFError, RuntimeError, NotImplementedError) as error:
        raise _corrupt(path, error) from error
    except (ValueError, OverflowError, IndexError) as error:
        if isinstance(error, DataError):
            raise
        raise _corrupt(path, error) from error


def _corrupt(path: Path, error: Exception) -> DataError:
    reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    return DataError(f"{path} is corrupt or is not a zip archive: {reason[:200]}.")


def _check_entries(archive: zipfile.ZipFile, path: Path) -> None:
    entries = archive.infolist()
    size = path.stat().st_size
    if len(entries) > _MAX_ENTRIES:
        raise DataError(f"{path} holds {len(entries)} entries; expected {_MAX_ENTRIES} at most.")
    seen = set()
    for entry in entries:
        name = entry.filename
        shown = ascii(name[:80])
        outside = (
            ".." in PurePosixPath(name).parts
            or "\\" in name
            or PurePosixPath(name).is_absolute()
            or bool(PureWindowsPath(name).drive)
        )
        if outside or stat.S_ISLNK(entry.external_attr >> 16):
            raise DataError(
                f"{path}: the entry {shown} would lead out of the archive. It may be hostile; "
                "nothing of it was read."
            )
        if name in seen:
            raise DataError(f"{path}: the entry {shown} is there twice.")
        seen.add(name)
        if entry.flag_bits & _ENCRYPTED:
            raise DataError(f"{path}: the entry {shown} is encrypted.")
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
            raise DataError(
                f"{path}: the entry {shown} is compressed, {entry.file_size} bytes in "
                f"{entry.compress_size}; expected it as it is."
            )
    total = sum(entry.file_size for entry in entries)
    if total > size:
        raise DataError(f"{path}: its entries claim {total} bytes; the file has {size}.")


def load_arrays(path: str | Path, kinds: Mapping[str, str]) -> dict[str, np.ndarray]:
    """Read an ``.npz`` file of plain arrays, without creating Python objects from it.

    Parameters
    ----------
    path : path
        As `numpy.savez` writes it.
    kinds : mapping of str to str
        The arrays that the file must hold, and no others, with NumPy's letter of their type:
        ``"f"`` (floating point, all finite), ``"i"`` (integers) or ``"U"`` (text).

    Returns
    -------
    arrays : dict of str to ndarray
        By name, of the stored shape; read-only.

    Raises
    ------
    DataError
        If the file is missing or corrupt; if an array is missing, unexpected or of another type,
        claims another size than it has, or is not finite.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "a.npz"
    >>> np.savez(file, gain=np.ones(2), steps=np.array(["zscore"]))
    >>> load_arrays(file, {"gain": "f", "steps": "U"})["gain"].tolist()
    [1.0, 1.0]
    >>> load_arrays(file, {"gain": "f"})
    Traceback (most recent call last):
    eegemo.errors.DataError: ...a.npz: expected the arrays gain, found gain, steps.
    """
    path = Path(path)
    with open_archive(path) as archive:
        entries = {entry.filename.removesuffix(".npy"): entry for entry in archive.infolist()}
        if set(entries) != set(kinds):
            found = ", ".join(ascii(name)[1:-1] for name in sorted(entries)[:20]) or "none"
            raise DataError(f"{path}: expected the arrays {', '.join(kinds)}, found {found}.")
        arrays = {}
        for name, kind in kinds.items():
            with archive.open(entries[name]) as stream:
                array = _read_array(stream, entries[name].file_size, f"{path}, array {name!r}")
            if array.dtype.kind != kind:
                raise DataError(
                    f"{path}, array {name!r}: expected the kind {kind!r}, found {array.dtype}."
                )
            _check_values(array, f"{path}, array {name!r}")
            arrays[name] = array
    return arrays


def _read_array(stream: IO[bytes], size: int, where: str) -> np.ndarray:
    """Read an array after checking that its claimed shape fits its bytes."""
    version = np.lib.format.read_magic(stream)
    if version != (1, 0):
        raise DataError(f"{where}: expected version 1.0 of NumPy's format, found {version}.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # headers of Python 2 are read as well
            header = np.lib.format.read_array_header_1_0(stream, max_header_size=10_000)
        shape, fortran, dtype = header
    except Exception as error:  # Python's own parser and tokenizer read it, and fail in many ways
        raise DataError(f"{where}: its header is corrupt.") from error
    if dtype.kind not in "fiU" or dtype.hasobject or dtype.itemsize == 0 or dtype.shape:
        raise DataError(f"{where}: expected numbers or text, found {dtype}.")
    if any(type(length) is not int or length < 0 for length in shape) or len(shape) > 8:
        raise DataError(f"{where}: its shape {shape!r} is none.")
    claimed, present = math.prod(shape) * dtype.itemsize, size - stream.tell()
    if claimed != present:
        raise DataError(f"{where}: shape {shape} takes {claimed} bytes; there are {present}.")
    flat: np.ndarray = np.frombuffer(stream.read(), dtype)
    return flat.reshape(shape, order="F" if fortran else "C").astype(
        dtype.newbyteorder("="), copy=False
    )


def _check_values(array: np.ndarray, where: str) -> None:
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise DataError(f"{where} holds NaN or infinity.")
    if array.dtype.kind == "U" and array.size and array.dtype.itemsize:
        points: Any = np.frombuffer(array.tobytes(), np.uint32)
        if ((points > 0x10FFFF) | ((points >= 0xD800) & (points < 0xE000))).any():
            raise DataError(f"{where} holds what is no text.")
