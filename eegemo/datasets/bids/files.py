"""Files that a recording of BIDS depends on: signals, and the sidecars that apply to it."""

import re
from collections.abc import Sequence
from pathlib import Path

from eegemo.datasets.bids.paths import RunPath, parse_name
from eegemo.datasets.exclude import same_label
from eegemo.errors import DataError
from eegemo.formats.files import check_file, check_inside, list_folder, named_errors

__all__ = ["find_sidecar", "list_files", "list_tables_around", "name_signal_files"]

# Sidecars that signals and metadata depend on. They may be in a folder further up.
_SIDECARS = ("channels", "coordsystem", "eeg", "electrodes", "events")
# Files that a BrainVision header names; MNE reads them under any name.
_NAMED_FILES = re.compile(
    rb"^[ \t]*(DataFile|MarkerFile)[ \t]*[=:][ \t]*(.*?)[ \t\r]*$", re.M | re.I
)


def list_files(path: RunPath, root: Path) -> list[Path]:
    """Return all files that a run depends on: its signals and the sidecars that apply to it.

    Parameters
    ----------
    path : RunPath
    root : pathlib.Path

    Returns
    -------
    list of pathlib.Path

    Raises
    ------
    DataError
        If a file is no regular file or leads out of the data set, or a folder cannot be read.
    """
    stem = path.fpath.stem
    files = [
        file for file in list_folder(path.directory) if file.stem == stem and not file.is_dir()
    ]
    files += _other_signal_files(path.fpath, root)
    files += [file for file, *_ in _sidecars(path, root, _SIDECARS)]
    for file in files:
        check_file(file)
        check_inside(file, root)
    return files


def _sidecars(
    path: RunPath, root: Path, suffixes: Sequence[str]
) -> list[tuple[Path, int, dict[str, str]]]:
    """Return the sidecars that may apply to a run: file, levels above the run, labels."""
    found = []
    folder, level = path.directory, 0
    while True:
        for file in list_folder(folder):
            if file.suffix.lower() not in (".tsv", ".json") or file.name.startswith("."):
                continue
            parsed = parse_name(file.stem)
            if parsed is None or parsed[1].lower() not in suffixes:
                continue
            labels = {key: label for key, label in parsed[0].items() if key != "space"}
            if all(
                key in path.labels and same_label(path.labels[key], label)
                for key, label in labels.items()
            ):
                found.append((file, level, labels))
        if folder in (root, folder.parent):
            return found
        folder, level = folder.parent, level + 1


def find_sidecar(path: RunPath, root: Path, suffix: str, extension: str) -> Path | None:
    """Return the sidecar that applies to a run: the nearest one, and there the most specific.

    Parameters
    ----------
    path : RunPath
    root : pathlib.Path
    suffix, extension : str
        Such as "events" and ".tsv".

    Returns
    -------
    file : pathlib.Path or None
        Labels may differ from those of the recording in case and in zeros before numbers, if no
        file has them as they are.

    Raises
    ------
    DataError
        If several apply in the same way.
    """
    fitting = [
        (file, level, labels)
        for file, level, labels in _sidecars(path, root, [suffix])
        if file.suffix.lower() == extension
    ]
    nearest = min((level for _, level, _ in fitting), default=0)
    at_level = [(file, labels) for file, level, labels in fitting if level == nearest]
    most = max((len(labels) for _, labels in at_level), default=0)
    best = [(file, labels) for file, labels in at_level if len(labels) == most]
    exact = [file for file, labels in best if labels.items() <= path.labels.items()]
    candidates = exact or [file for file, _ in best]
    if len(candidates) > 1 and suffix == "events":
        raise DataError(
            f"{path.fpath}: both {candidates[0].name} and {candidates[1].name} fit it; expected "
            "one of them. Name the one that belongs to it as the recording is named."
        )
    return candidates[0] if candidates else None


def list_tables_around(path: RunPath, root: Path) -> list[Path]:
    """Return the tables about participants, sessions and recordings.

    Parameters
    ----------
    path : RunPath
    root : pathlib.Path

    Returns
    -------
    list of pathlib.Path
        ``participants.tsv``, the ``sessions.tsv`` of the subject, the ``scans.tsv`` of the subject
        or session.

    Raises
    ------
    DataError
        If a table is no regular file, or leads out of the data set.
    """
    above = path.directory.parent
    around = [root / "participants.tsv", root / "participants.json"]
    around += sorted({*above.glob("*_scans.tsv"), *above.parent.glob("*_sessions.tsv")})
    around += sorted(above.glob("*_sessions.tsv"))
    around = [file for file in around if file.exists() or file.is_symlink()]
    for file in around:
        check_file(file)
        check_inside(file, root)
    return around


def name_signal_files(file: Path, root: Path) -> list[Path]:
    """Return the files that a BrainVision header names as its signals, in all spellings.

    Parameters
    ----------
    file : pathlib.Path
        The recording; other formats name none.
    root : pathlib.Path

    Returns
    -------
    list of pathlib.Path
        They need not exist.

    Raises
    ------
    DataError
        If a file lies outside the data set, or the header cannot be read.
    """
    return _named_files(file, root, b"datafile")


def _named_files(file: Path, root: Path, *keys: bytes) -> list[Path]:
    if file.suffix.lower() != ".vhdr":
        return []
    with named_errors(file):
        named = _NAMED_FILES.findall(file.read_bytes())
    # the code page that a header declares is not always the one it is written in
    others = [
        file.parent / name.decode(encoding, "replace")
        for key, name in named
        if key.lower() in keys and name and b"\0" not in name
        for encoding in ("utf-8", "latin-1")
    ]
    for other in others:
        try:
            check_inside(other, root)
        except DataError as error:
            raise DataError(f"{file} names a file elsewhere: {error}") from error
    return others


def _other_signal_files(file: Path, root: Path) -> list[Path]:
    """Return files with the signals or markers of a recording, under any name."""
    if file.suffix.lower() == ".set":
        # The .set names its .fdt inside a compressed structure that may hold all signals as well.
        # Instead of loading it, all files that it could name are taken.
        return [other for other in list_folder(file.parent) if _is_other_fdt(other)]
    others = _named_files(file, root, b"datafile", b"markerfile")
    with named_errors(file):
        # missing files are left to MNE, which can do without markers
        return [other for other in others if other.exists() or other.is_symlink()]


def _is_other_fdt(file: Path) -> bool:
    return file.suffix.lower() == ".fdt" and not file.name.startswith(".") and file.is_file()
