"""Checks of files and folders, with the operating system's errors turned into DataErrors."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eegemo.errors import DataError

__all__ = ["check_file", "check_inside", "list_folder", "named_errors"]


@contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """Turn an OSError into a DataError that names the path.

    Parameters
    ----------
    path : pathlib.Path
        Named if the error names no path.

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
    """Return the sorted content of a folder.

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
    """Refuse a path that is not a regular file.

    Skipping it would silently lose a subject or a run.

    Parameters
    ----------
    path : pathlib.Path

    Raises
    ------
    DataError
        If `path` is a broken link (as left by git-annex and DataLad for content that was not
        fetched), a folder or a pipe, or does not exist.

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


def check_inside(path: Path, root: Path) -> None:
    """Refuse a path that leads out of the data folder, by ``..``, as an absolute path or by a link.

    An untrusted data set could name any file of this machine as its signals. Content that git-annex
    and DataLad keep outside the folder, in the repository's annex, is part of the data set.

    Parameters
    ----------
    path : pathlib.Path
        It need not exist.
    root : pathlib.Path
        The data folder, as the user gave it; it may itself be a link.

    Raises
    ------
    DataError
        If `path` leads out of `root`.

    Examples
    --------
    >>> check_inside(Path("data/deap/s01.dat"), Path("data/deap"))
    >>> check_inside(Path("data/deap/../../secret"), Path("data/deap"))
    Traceback (most recent call last):
    eegemo.errors.DataError: data/deap/../../secret leads to .../secret, outside the data folder
    data/deap. Move what it leads to into that folder, or give the folder where it is as the root.
    """
    with named_errors(path):
        try:
            real, base = path.resolve(), root.resolve()
        except RuntimeError as error:  # how older versions of Python report links in a circle
            raise DataError(f"{path} cannot be read: it is a link to itself.") from error
    annexes = [folder / ".git" / "annex" / "objects" for folder in (base, *base.parents)]
    if not any(real.is_relative_to(folder) for folder in (base, *annexes)):
        raise DataError(
            f"{path} leads to {real}, outside the data folder {root}. Move what it leads to into "
            "that folder, or give the folder where it is as the root."
        )
