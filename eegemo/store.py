"""Artefacts on disk: named by their content, whole or absent, one writer at a time.

Everything eegemo writes goes through `atomic_file` or `atomic_folder`: it is made beside its place
under a temporary name, flushed to disk, and renamed. A name that exists is therefore complete.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from eegemo.errors import EegemoError

__all__ = [
    "FileDigests",
    "atomic_file",
    "atomic_folder",
    "digest_bytes",
    "digest_json",
    "is_whole",
    "lock",
    "write_json",
    "write_text",
]

_CHUNK = 1 << 22
_MANIFEST = "manifest.json"


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`, and rename it to `path` if the block succeeds.

    Examples
    --------
    >>> folder = Path(tempfile.mkdtemp())
    >>> with atomic_file(folder / "a.txt") as temporary:
    ...     _ = temporary.write_text("whole")
    >>> [p.name for p in folder.iterdir()]
    ['a.txt']
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # the suffix is kept: writers (Keras, matplotlib) choose the format by it
    handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        _flush(temporary)
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder beside `path`, and rename it to `path` if the block succeeds.

    A manifest of digests is added, by which `is_whole` later tells damage. If another process made
    `path` in the meantime, that one is kept: names are content digests, so the two are equal.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        yield temporary
        digests = FileDigests()
        files = sorted(file for file in temporary.rglob("*") if file.is_file())
        contents = {file.relative_to(temporary).as_posix(): digests.digest(file) for file in files}
        write_text(temporary / _MANIFEST, json.dumps(contents, indent=2) + "\n")
        for file in files:
            _flush(file)
        temporary.chmod(0o777 & ~_umask())
        try:
            temporary.rename(path)
        except OSError:
            if not path.is_dir():
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _flush(file: Path) -> None:
    with file.open("rb+") as stream:
        os.fsync(stream.fileno())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_text(path: Path, text: str) -> None:
    """Write text (UTF-8), whole or not at all."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any) -> None:
    """Write JSON, whole or not at all; NaN is refused."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def digest_bytes(*parts: bytes) -> str:
    """Return the SHA-256 of the parts, each preceded by its length.

    Examples
    --------
    >>> digest_bytes(b"ab", b"c") == digest_bytes(b"a", b"bc")
    False
    """
    state = hashlib.sha256()
    for part in parts:
        state.update(len(part).to_bytes(8, "little"))
        state.update(part)
    return state.hexdigest()


def digest_json(content: Any) -> str:
    """Return the SHA-256 of anything JSON can hold; the order of keys does not matter.

    Examples
    --------
    >>> digest_json({"a": 1, "b": 2}) == digest_json({"b": 2, "a": 1})
    True
    """
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return digest_bytes(text.encode())


class FileDigests:
    """SHA-256 of files, remembered for as long as size, inode and times of the file stay the same.

    Hashing a full DEAP release takes seconds to minutes; git's index uses the same shortcut.

    Parameters
    ----------
    memory : Path, optional
        JSON file that remembers digests between runs.
    """

    def __init__(self, memory: Path | None = None) -> None:
        self._memory = memory
        self._known: dict[str, list[Any]] = {}
        if memory is not None and memory.is_file():
            try:
                known = dict(json.loads(memory.read_text(encoding="utf-8")))
            except (OSError, ValueError, TypeError):
                known = {}  # only a shortcut: hash again
            self._known = {path: entry for path, entry in known.items() if _is_entry(entry)}

    def digest(self, path: Path) -> str:
        """Return the SHA-256 of the bytes of one file."""
        path = path.resolve()
        state = path.stat()
        stamp = [state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino]
        known = self._known.get(str(path))
        if known is not None and known[:4] == stamp:
            return str(known[4])
        with path.open("rb") as stream:
            digest = _digest_stream(stream)
        self._known[str(path)] = [*stamp, digest]
        return digest

    def digest_all(self, paths: Iterable[Path]) -> str:
        """Return one digest for several files: of their names and bytes, in the given order."""
        parts = [
            part for path in paths for part in (path.name.encode(), self.digest(path).encode())
        ]
        return digest_bytes(*parts)

    def save(self) -> None:
        """Remember the digests in the memory file, if there is one."""
        if self._memory is not None:
            write_json(self._memory, self._known)


def _digest_stream(stream: IO[bytes]) -> str:
    state = hashlib.sha256()
    while chunk := stream.read(_CHUNK):
        state.update(chunk)
    return state.hexdigest()


def _is_entry(entry: Any) -> bool:
    return isinstance(entry, list) and len(entry) == 5 and isinstance(entry[4], str)


def is_whole(folder: Path, digests: FileDigests) -> bool:
    """Tell whether a folder that `atomic_folder` made still holds what it was made with.

    Examples
    --------
    >>> folder = Path(tempfile.mkdtemp()) / "artefact"
    >>> with atomic_folder(folder) as temporary:
    ...     _ = (temporary / "a.txt").write_text("whole")
    >>> is_whole(folder, FileDigests())
    True
    >>> _ = (folder / "a.txt").write_text("who")
    >>> is_whole(folder, FileDigests())
    False
    """
    try:
        contents = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        return all(digests.digest(folder / name) == digest for name, digest in contents.items())
    except (OSError, ValueError, AttributeError):
        return False


@contextmanager
def lock(path: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold an exclusive lock for the block; it ends with the process, however that ends.

    Parameters
    ----------
    path : Path
        The lock file; it is made if need be and stays.
    wait : bool
        Wait for another holder instead of raising.

    Raises
    ------
    EegemoError
        If another process holds the lock; the message says which.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as stream:
        if not _acquire(stream, wait=wait):
            stream.seek(0)
            holder = stream.read().strip() or "another process"
            raise EegemoError(
                f"{path.parent} is in use by {holder}. Wait for it, or stop it first."
            )
        try:
            stream.seek(0)
            stream.truncate()
            stream.write(f"process {os.getpid()}")
            stream.flush()
            yield
        finally:
            stream.seek(0)
            stream.truncate()


if os.name == "nt":  # pragma: no cover
    import msvcrt

    def _acquire(stream: IO[str], *, wait: bool) -> bool:
        stream.seek(0x7FFF0000)  # a byte beyond the text, which stays readable for others
        try:
            msvcrt.locking(stream.fileno(), msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        except OSError:
            return False
        return True
else:
    import fcntl

    def _acquire(stream: IO[str], *, wait: bool) -> bool:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        return True
