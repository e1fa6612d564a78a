"""Formats of recordings: which are read, by which signs a file is known, and what lies beside it.

This module is light: a folder is recognised by it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from eegemo.errors import DataError
from eegemo.formats.files import check_file, check_inside, list_folder, named_errors

__all__ = [
    "FORMATS",
    "Format",
    "check_content",
    "find_bare_files",
    "format_of",
    "list_parts",
    "split_extension",
]


@dataclass(frozen=True)
class Format:
    """A format of recordings.

    Attributes
    ----------
    name : str
    package : str
        Python package without which MNE cannot read it; empty if there is none.
    folder : bool
        Whether a recording is a folder.
    starts : tuple of bytes
        What a file of this format starts with; empty if it is not checked.
    bare : bool
        Whether the extension alone tells that a file is a recording.
    """

    name: str
    package: str = ""
    folder: bool = False
    starts: tuple[bytes, ...] = ()
    bare: bool = True


_VISION = (b"Brain Vision", b"BrainVision", b"\xef\xbb\xbfBrain")
_CURRY = Format("Curry", package="curryreader")
#: Extension -> format, for all that `mne.io.read_raw` reads.
FORMATS: dict[str, Format] = {
    ".edf": Format("EDF", starts=(b"0       ",)),
    ".bdf": Format("BDF", starts=(b"\xffBIOSEMI",)),
    ".gdf": Format("GDF", starts=(b"GDF",)),
    ".set": Format("EEGLAB", starts=(b"MATLAB", b"\x89HDF")),
    ".vhdr": Format("BrainVision", starts=_VISION),
    ".ahdr": Format("BrainVision", starts=_VISION),
    ".fif": Format("FIF", starts=(b"\0\0\0\x64",)),
    ".fif.gz": Format("FIF", starts=(b"\x1f\x8b",)),
    ".cnt": Format("Neuroscan or ANT CNT"),
    ".eeg": Format("Nihon Kohden", bare=False),  # BrainVision's signals have the same extension
    ".mff": Format("EGI MFF", package="mffpy", folder=True),
    ".nedf": Format("Neuroelectrics NEDF"),
    ".nxe": Format("Nexstim Eximia"),
    ".lay": Format("Persyst"),
    ".data": Format("Nicolet", bare=False),
    ".ns3": Format("Blackrock NSx"),
    ".mefd": Format("MEF", package="pymef", folder=True),
    ".cdt": _CURRY,
    ".cdt.dpa": _CURRY,
    ".cdt.cef": _CURRY,
    ".cef": _CURRY,
    ".dap": _CURRY,
    ".rs3": _CURRY,
    ".dat": Format("Curry or BCI2000", bare=False),
    ".ds": Format("CTF", folder=True),
    ".sqd": Format("KIT"),
    ".con": Format("KIT", bare=False),
    ".bin": Format("ARTEMIS123 or FIL", bare=False),
    ".hdr": Format("NIRx", bare=False),
    ".snirf": Format("SNIRF"),
    ".mat": Format("FieldTrip", bare=False),
    ".asc": Format("EyeLink", bare=False),
    ".txt": Format("BOXY", bare=False),
}
# Formats of EEG that MNE does not read, and what to do.
_ELSEWHERE = {
    ".xdf": "an XDF file holds several streams; save that of the EEG as EDF or FIF",
    ".xdfz": "an XDF file holds several streams; save that of the EEG as EDF or FIF",
    ".csv": "a table of samples has no rate and no unit; save it as EDF or FIF",
    ".tsv": "a table of samples has no rate and no unit; save it as EDF or FIF",
    ".vmrk": "it holds the markers; name the .vhdr beside it",
    ".fdt": "it holds the samples; name the .set beside it",
    ".edf+": "rename it to .edf",
    ".rec": "if it is EDF, rename it to .edf",
    ".trc": "export it as EDF from the system that recorded it",
    ".e": "export it as EDF from the system that recorded it",
    ".easy": "name the .nedf of the same recording, or export it as EDF",
}
_MADE_LATER = "derivatives"  # a folder of results, made from the recordings
_MOST_FILES = 100_000  # that a folder is searched for


def split_extension(path: Path) -> tuple[str, str]:
    """Return the name without its extension, and the extension in lower case.

    Parameters
    ----------
    path : pathlib.Path

    Examples
    --------
    >>> split_extension(Path("data/S01.run1.FIF.GZ"))
    ('S01.run1', '.fif.gz')
    """
    name = path.name
    suffixes = path.suffixes
    for width in (2, 1):
        extension = "".join(suffixes[-width:])
        if extension.lower() in FORMATS and len(suffixes) >= width:
            return name[: -len(extension)], extension.lower()
    return path.stem, path.suffix.lower()


def format_of(path: Path) -> Format:
    """Return the format of a recording, by its extension.

    Parameters
    ----------
    path : pathlib.Path

    Returns
    -------
    Format

    Raises
    ------
    DataError
        If it is none that can be read, or needs a package that is not installed.

    Examples
    --------
    >>> format_of(Path("S01.EDF")).name
    'EDF'
    >>> format_of(Path("S01.xdf"))
    Traceback (most recent call last):
    eegemo.errors.DataError: S01.xdf: recordings of the type .xdf are not read: an XDF file holds
    several streams; save that of the EEG as EDF or FIF.
    """
    _, extension = split_extension(path)
    found = FORMATS.get(extension)
    if found is None:
        what = f"the type {extension}" if extension else "a type without an extension"
        advice = _ELSEWHERE.get(extension) or (
            "expected .edf, .bdf, .gdf, .set, .vhdr, .fif, .cnt, .mff, or another format of "
            "mne.io.read_raw"
        )
        raise DataError(f"{path}: recordings of {what} are not read: {advice}.")
    if found.package:
        _need(path, found.name, found.package)
    return found


def check_content(path: Path) -> None:
    """Refuse a file whose content is of another kind than its extension says.

    Parameters
    ----------
    path : pathlib.Path
        A file of a format in `FORMATS`.

    Raises
    ------
    DataError
        If it is empty, or starts as no file of its format does; the message names the format it
        looks like.
    """
    kind = format_of(path)
    if kind.folder:
        return
    with named_errors(path):
        if path.stat().st_size == 0:
            raise DataError(f"{path} is empty; expected a recording in {kind.name}.")
        with path.open("rb") as stream:
            head = stream.read(256)
    if path.suffix.lower() == ".cnt" and head.startswith((b"RIFF", b"RF64")):
        _need(path, "ANT CNT", "antio")
    if not kind.starts or head.startswith(kind.starts):
        return
    alike = [
        f"{other.name} does. Rename it to {extension} if it is"
        for extension, other in FORMATS.items()
        if other.starts and head.startswith(other.starts) and extension not in (".ahdr", ".fif.gz")
    ]
    if alike:
        found = f"starts as {alike[0]}"
    elif head.isascii() and b"\0" not in head:
        found = "holds text"
    else:
        found = "starts with other bytes"
    raise DataError(f"{path}: expected a recording in {kind.name}; the file {found}.")


def _need(path: Path, name: str, package: str) -> None:
    """Refuse a recording whose package is not installed."""
    if find_spec(package) is None:
        raise DataError(
            f"{path}: to read {name}, the package {package} is needed and not installed: "
            f"pip install {package}. Or export the recording as EDF or FIF."
        )


def list_parts(path: Path, root: Path) -> list[Path]:
    """Return all files that a recording consists of.

    Parameters
    ----------
    path : pathlib.Path
        The recording.
    root : pathlib.Path
        Folder that no file may lead out of.

    Returns
    -------
    list of pathlib.Path
        The file itself and what is read with it: the samples and markers that a BrainVision header
        names, ``.fdt`` beside ``.set``, further parts of a split FIF, all files in a folder, and
        files of the same name with other extensions for the formats of several files.

    Raises
    ------
    DataError
        If a file is no regular file or leads out of `root`.
    """
    from eegemo.datasets.bids.files import name_signal_files

    check_inside(path, root)
    if format_of(path).folder:
        with named_errors(path):
            if not path.is_dir():
                if not path.is_file():
                    check_file(path)
                raise DataError(f"{path}: expected a folder, found a file.")
        files = [file for file in _walk(path) if not file.name.startswith(".")]
    else:
        check_file(path)
        files = [path, *_beside(path)]
        files += [file for file in name_signal_files(path, root) if file.is_file()]
    for file in files:
        check_file(file)
        check_inside(file, root)
    return sorted(set(files))


def _beside(path: Path) -> list[Path]:
    stem, extension = split_extension(path)
    if extension in (".edf", ".bdf", ".gdf", ".fif.gz", ".nedf", ".nxe", ".snirf"):
        return []
    others = [file for file in list_folder(path.parent) if file != path and file.is_file()]
    if extension == ".fif":  # the parts of a recording of more than 2 GB
        start = stem.rsplit("_", 1)[0] if "_split-" in stem else stem
        return [
            file
            for file in others
            if file.suffix.lower() == ".fif"
            and (file.stem.startswith(f"{stem}-") or file.stem.startswith(f"{start}_split-"))
        ]
    if extension == ".set":  # which .fdt is named inside a structure that may hold all signals
        return [file for file in others if file.suffix.lower() == ".fdt"]
    # tables and notes of the same name are no part of the signals
    aside = (".tsv", ".csv", ".json", ".txt", ".md", ".pdf", ".xlsx", ".png", ".log", ".yaml")
    return [
        file
        for file in others
        if file.name.split(".")[0] == path.name.split(".")[0] and file.suffix.lower() not in aside
    ]


def _walk(folder: Path) -> Iterator[Path]:
    for entry in list_folder(folder):
        if entry.is_dir() and not entry.is_symlink():
            yield from _walk(entry)
        else:
            yield entry


def find_bare_files(folder: Path, *, most: int = _MOST_FILES) -> list[Path]:
    """Return the recordings in a folder and its folders, by extension.

    Parameters
    ----------
    folder : pathlib.Path
    most : int
        Stop after as many recordings, and as many files of other kinds.

    Returns
    -------
    list of pathlib.Path
        In any order. Hidden files, later parts of a split recording, the folder ``derivatives``,
        and extensions that other files have as well are left out.

    Raises
    ------
    DataError
        If a folder cannot be read.
    """
    found: list[Path] = []
    seen = 0
    pending = [folder]
    while pending and len(found) < most and seen < _MOST_FILES:
        for entry in list_folder(pending.pop()):
            seen += 1
            _, extension = split_extension(entry)
            kind = FORMATS.get(extension)
            if entry.name.startswith("."):
                continue
            if kind is not None and kind.bare and (kind.folder or not entry.is_dir()):
                found.append(entry)
            elif entry.is_dir() and not entry.is_symlink() and entry.name != _MADE_LATER:
                pending.append(entry)
    return [file for file in found if not _is_later_part(file)][:most]


def _is_later_part(file: Path) -> bool:
    """Return whether a FIF goes on with another, which is read with it."""
    split = re.fullmatch(r"(.+_split-)(\d+)(_.+)?\.fif", file.name, re.I)
    if split and int(split[2]) > 1:
        first = f"{split[1]}{1:0{len(split[2])}}{split[3] or ''}.fif"
        return (file.parent / first).is_file()
    part = re.fullmatch(r"(.+)-\d+\.fif", file.name, re.I)
    return part is not None and (file.parent / f"{part[1]}.fif").is_file()
