"""Looking for files: what the operating system refuses is told as what is wrong with the data."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eegemo.errors import DataError

__all__ = ["check_file", "list_folder", "named_errors"]


@contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """Turn an OSError into a DataError that names the path.

    Parameters
    ----------
    path : pathlib.Path
        Named if the error itself names none.

    Raises
    ------
    DataError
        Instead of an OSError: a folder that may not be read, a path that is too long.

    Examples
    --------
    >>> with named_errors(Path("x")):
    ...     raise PermissionError(13, "Permission denied", "data/sub-01")
    Traceback (most recent call last):
    eegemo.errors.DataError: data/sub-01 cannot be read: Permission denied.
    """
    try:
        yield
    except OSError as error:
        name = path if error.filename is None else error.filename
        raise DataError(f"{name} cannot be read: {error.strerror or error}.") from error


def list_folder(folder: Path) -> list[Path]:
    """Return what is in a folder, sorted.

    Parameters
    ----------
    folder : pathlib.Path

    Returns
    -------
    list of pathlib.Path

    Raises
    ------
    DataError
        If the folder cannot be read.
    """
    with named_errors(folder):
        return sorted(folder.iterdir())


def check_file(path: Path) -> None:
    """Refuse what has the name of a file but is none.

    To leave it out would lose a subject or a run unnoticed.

    Parameters
    ----------
    path : pathlib.Path

    Raises
    ------
    DataError
        If `path` is a broken link, as git-annex and DataLad leave for what was not fetched, a
        folder, a pipe, or nothing.

    Examples
    --------
    >>> check_file(Path("."))
    Traceback (most recent call last):
    eegemo.errors.DataError: .: expected a file, found a folder.
    """
    with named_errors(path):
        if path.is_file():
            return
        if path.is_dir():
            found = "a folder"
        elif path.is_fifo():
            found = "a named pipe"
        elif path.exists():
            found = "a socket or a device"
        elif path.is_symlink():
            found = (
                f"a broken link to {os.readlink(path)}. In a data set of git-annex or DataLad, "
                "fetch the content first"
            )
        else:
            found = "nothing"
    raise DataError(f"{path}: expected a file, found {found}.")
