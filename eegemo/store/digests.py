"""SHA-256 digests of bytes, JSON and files."""

import hashlib
import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

from eegemo.store.writing import write_json

__all__ = ["FileDigests", "digest_bytes", "digest_json"]

_CHUNK = 1 << 22
#: Nanoseconds within which two changes of a file may get the same time.
_SETTLED = 2_000_000_000


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
    """Return the SHA-256 of a JSON value; the order of keys does not matter.

    Examples
    --------
    >>> digest_json({"a": 1, "b": 2}) == digest_json({"b": 2, "a": 1})
    True
    """
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return digest_bytes(text.encode())


class FileDigests:
    """SHA-256 of files, cached while size, inode and times of a file stay the same.

    Hashing a full DEAP release takes seconds to minutes; git's index uses the same shortcut. The
    times include that of the last status change, which no program can set. Damage below the file
    system changes no time and is noticed only by hashing again: delete the cache for that.

    Parameters
    ----------
    memory : Path, optional
        JSON file that keeps digests between runs.
    """

    def __init__(self, memory: Path | None = None) -> None:
        self._memory = memory
        self._known: dict[str, list[Any]] = {}
        if memory is not None and memory.is_file():
            try:
                content = json.loads(memory.read_text(encoding="utf-8"))
                if content["digest"] == digest_json(content["files"]):
                    known = dict(content["files"])
                    self._known = {name: entry for name, entry in known.items() if _is_entry(entry)}
            except (OSError, ValueError, TypeError, KeyError, RecursionError):
                pass  # only a shortcut: hash again

    def digest(self, path: Path) -> str:
        """Return the SHA-256 of the bytes of one file."""
        path = path.resolve()
        stamp = _stamp(path)
        known = self._known.get(str(path))
        if known is not None and known[:4] == stamp:
            return str(known[4])
        began = time.time_ns()
        with path.open("rb") as stream:
            digest = _digest_stream(stream)
        # a file that has just changed may change again within the resolution of its times
        if _stamp(path) == stamp and began - max(stamp[1:3]) > _SETTLED:
            self._known[str(path)] = [*stamp, digest]
        return digest

    def digest_all(self, paths: Iterable[Path]) -> str:
        """Return a single digest of several files: of their names and bytes, in the given order."""
        parts = [
            part for path in paths for part in (path.name.encode(), self.digest(path).encode())
        ]
        return digest_bytes(*parts)

    def save(self) -> None:
        """Write the digests to the memory file, if there is one."""
        if self._memory is not None:
            write_json(self._memory, {"digest": digest_json(self._known), "files": self._known})


def _stamp(path: Path) -> list[int]:
    state = path.stat()
    return [state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino]


def _digest_stream(stream: IO[bytes]) -> str:
    state = hashlib.sha256()
    while chunk := stream.read(_CHUNK):
        state.update(chunk)
    return state.hexdigest()


def _is_entry(entry: Any) -> bool:
    return isinstance(entry, list) and len(entry) == 5 and isinstance(entry[4], str)
