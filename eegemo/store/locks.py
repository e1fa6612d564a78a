"""Exclusive locks that end with the process that holds them."""

import datetime
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from eegemo.errors import EegemoError
from eegemo.store.space import naming_full_disk

__all__ = ["lock"]


@contextmanager
def lock(
    path: Path, *, wait: bool = False, message: Callable[[str], None] | None = None
) -> Iterator[None]:
    """Hold an exclusive lock for the block; it ends with the process, even if that is killed.

    Parameters
    ----------
    path : Path
        The lock file, created if needed and never removed. Its text names the holder.
    wait : bool
        Wait for another holder instead of raising an error.
    message : callable, optional
        Called with a message that names the holder, before waiting.

    Raises
    ------
    EegemoError
        If another process holds the lock; the message names the process, its machine and the time.
    """
    with naming_full_disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = path.open("a+", encoding="utf-8")
    with stream:
        if not _acquire(stream, wait=False):
            stream.seek(0)
            holder = stream.read(1000).strip() or "another process"
            if not wait:
                raise EegemoError(
                    f"{path.parent} is in use by {holder}. Wait for it, or stop it first."
                )
            if message is not None:
                message(f"{path.parent} is in use by {holder}: waiting for it.")
            _acquire(stream, wait=True)
        try:
            with naming_full_disk(path):
                stream.seek(0)
                stream.truncate()
                since = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
                stream.write(f"process {os.getpid()} on {socket.gethostname()} since {since}")
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
