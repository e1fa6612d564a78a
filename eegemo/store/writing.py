"""Files that are complete or absent, and the removal of leftovers of dead processes."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eegemo.store.space import naming_full_disk

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "atomic_file",
    "remove_leftovers",
    "temporary_prefix",
    "write_json",
    "write_text",
]


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV, completely or not at all."""
    with atomic_file(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")


_LEFTOVER = re.compile(r"\..*~([0-9a-f]{8})-(\d+)-.*", re.DOTALL)


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Give a temporary path next to `path`, and rename it to `path` if the block succeeds.

    Examples
    --------
    >>> folder = Path(tempfile.mkdtemp())
    >>> with atomic_file(folder / "a.txt") as temporary:
    ...     _ = temporary.write_text("whole")
    >>> [file.name for file in folder.iterdir()]
    ['a.txt']
    """
    with naming_full_disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        # the suffix is kept: writers (Keras, matplotlib) choose the format by it
        handle, name = tempfile.mkstemp(
            prefix=temporary_prefix(path.stem), suffix=path.suffix, dir=path.parent
        )
        os.close(handle)
    temporary = Path(name)
    try:
        with naming_full_disk(path):  # inside, since afterwards there is space again
            yield temporary
            flush(temporary)
            temporary.chmod(0o666 & ~umask())
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write text (UTF-8), completely or not at all."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any) -> None:
    """Write JSON, completely or not at all; NaN is refused."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def temporary_prefix(name: str) -> str:
    """Return the beginning of a temporary name for `name`; it identifies the writing process."""
    return f".{name}~{_machine()}-{os.getpid()}-"


@cache
def _machine() -> str:
    """Identify the process numbers we see: those of a machine, or of a container on it."""
    try:
        space = os.readlink("/proc/self/ns/pid")
    except OSError:
        space = ""
    return hashlib.sha256(f"{socket.gethostname()}\0{space}".encode()).hexdigest()[:8]


def remove_leftovers(*folders: Path) -> list[str]:
    """Remove temporary files and folders of processes that have died.

    Files of running processes and of other machines are kept.

    Parameters
    ----------
    *folders : Path
        Folders to look in, without their subfolders; they need not exist.

    Returns
    -------
    names : list of str
        Names of the removed files and folders.

    Examples
    --------
    >>> folder = Path(tempfile.mkdtemp())
    >>> with atomic_file(folder / "a.txt") as temporary:
    ...     remove_leftovers(folder)
    []
    """
    removed = []
    for folder in folders:
        for entry in folder.iterdir() if folder.is_dir() else ():
            written = _LEFTOVER.fullmatch(entry.name)
            if written is None or written[1] != _machine() or _is_alive(int(written[2])):
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)
            removed.append(entry.name)
    return removed


def _is_alive(process: int) -> bool:
    """Return whether a process of this machine is running; if in doubt, True."""
    if os.name == "nt":  # pragma: no cover
        return True  # there, asking by a signal would end it
    try:
        os.kill(process, 0)
        state = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return state.rpartition(")")[2].split()[:1] != ["Z"]  # a zombie is dead


def flush(file: Path) -> None:
    """Write the bytes of a file through to the disk."""
    with file.open("rb+") as stream:
        os.fsync(stream.fileno())


def umask() -> int:
    """Return the permissions that the user's mask removes from new files."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
