"""Folders that are complete or absent, with digests to detect corruption."""

import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from eegemo.store.digests import FileDigests
from eegemo.store.locks import lock
from eegemo.store.space import naming_full_disk
from eegemo.store.writing import flush, temporary_prefix, umask, write_json

__all__ = ["atomic_folder", "changed_files", "is_whole", "manifest", "remove_damaged"]

_MANIFEST = "manifest.json"


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder next to `path`, and rename it to `path` if the block succeeds.

    A manifest of digests is added, by which `is_whole` detects corruption. If another process
    created `path` in the meantime, its folder is kept: names are digests of the content, so the two
    are equal.
    """
    with naming_full_disk(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=temporary_prefix(path.name), dir=path.parent))
    try:
        with naming_full_disk(path):  # inside, since afterwards there is space again
            yield temporary
            files = sorted(file for file in temporary.rglob("*") if file.is_file())
            names = [file.relative_to(temporary).as_posix() for file in files]
            write_json(temporary / _MANIFEST, manifest(temporary, names))
            for file in files:
                flush(file)
            temporary.chmod(0o777 & ~umask())
            try:
                temporary.rename(path)
            except OSError:
                if not path.is_dir():
                    raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def manifest(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Return the digests of the named files of a folder, as `is_whole` compares them."""
    digests = FileDigests()
    return {name: digests.digest(folder / name) for name in names}


def changed_files(
    folder: Path, contents: Mapping[str, str] | None = None, digests: FileDigests | None = None
) -> list[str]:
    """Return the names of the files of a folder that are missing or have changed.

    Parameters
    ----------
    folder : Path
    contents : mapping of str to str, optional
        What `manifest` returned; by default the folder's own ``manifest.json``.
    digests : FileDigests, optional
        Cache of digests.

    Returns
    -------
    names : list of str
        Only ``manifest.json`` if it cannot be read.
    """
    digests = FileDigests() if digests is None else digests
    if contents is None:
        try:
            contents = dict(json.loads((folder / _MANIFEST).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError, RecursionError):
            return [_MANIFEST]
    changed = []
    for name, digest in contents.items():
        try:
            same = digests.digest(folder / name) == digest
        except (OSError, ValueError):
            same = False
        if not same:
            changed.append(name)
    return changed


def is_whole(folder: Path, digests: FileDigests) -> bool:
    """Return whether a folder of `atomic_folder` is complete and unchanged.

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
    return not changed_files(folder, digests=digests)


def remove_damaged(folder: Path, digests: FileDigests) -> bool:
    """Remove a folder that is incomplete or corrupt, and return whether there was one.

    If another process creates it again at the same time, only one of the two removes the corrupt
    folder.
    """
    if not folder.exists() or is_whole(folder, digests):
        return False
    with lock(folder.parent / ".lock", wait=True):
        if not folder.exists() or is_whole(folder, digests):
            return False
        if folder.is_dir():
            shutil.rmtree(folder)
        else:
            folder.unlink()
    return True
