"""Free disk space, and messages about a full disk."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eegemo.errors import EegemoError

__all__ = [
    "DiskFullError",
    "check_space",
    "format_bytes",
    "free_bytes",
    "naming_full_disk",
]


def check_space(folder: Path, n_bytes: int, what: str) -> None:
    """Refuse work that needs more space than the disk has.

    Raises
    ------
    EegemoError
        With the space that is needed and the space that is free.
    """
    free = free_bytes(folder)
    if n_bytes > free:
        raise EegemoError(
            f"{folder}: {what} would take at least {format_bytes(n_bytes)}, and "
            f"{format_bytes(free)} are free on its disk. Make space, or give another folder with "
            "--results."
        )


_FULL = (errno.ENOSPC, errno.EDQUOT)


class DiskFullError(EegemoError):
    """No space left to write a file; files written before are complete."""


@contextmanager
def naming_full_disk(path: Path) -> Iterator[None]:
    """Turn the system's error about a full disk into one that names the unwritten file.

    Raises
    ------
    DiskFullError
        In place of an error that comes from a full disk, or from a used-up quota.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, EegemoError) or not _comes_from_full_disk(error, path):
            raise
        raise DiskFullError(
            f"{path} could not be written: the disk is full ({format_bytes(free_bytes(path))} "
            "free). Make space and run the same command again: what is finished is kept."
        ) from error


def _comes_from_full_disk(error: BaseException, path: Path) -> bool:
    # libraries wrap the error, and NumPy leaves out its number
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError):
            number = cause.errno
            short = number is None and ("requested and" in str(cause) or free_bytes(path) < 1 << 16)
            if number in _FULL or short:
                return True
        cause = cause.__cause__ or cause.__context__
    return False


def free_bytes(path: Path) -> int:
    """Return how many bytes are free on the disk of a path, which need not exist yet."""
    existing = path.resolve()
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    return shutil.disk_usage(existing).free


def format_bytes(number: float) -> str:
    """Format a number of bytes for readers.

    Examples
    --------
    >>> format_bytes(0), format_bytes(12_345), format_bytes(4.2e9)
    ('0 bytes', '12 kB', '4.2 GB')
    """
    if number < 1000:
        return f"{number:.0f} bytes"
    for unit in ("kB", "MB", "GB", "TB"):
        number /= 1000
        if number < 999.5 or unit == "TB":
            break
    return f"{number:.1f} {unit}" if number < 9.95 else f"{number:,.0f} {unit}"
