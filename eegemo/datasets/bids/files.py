"""Files of a BIDS data set: the recordings, and the files that each of them depends on."""

import re
from pathlib import Path
from typing import Any

import mne_bids

from eegemo.errors import DataError
from eegemo.formats.files import check_file, check_inside, list_folder, named_errors

__all__ = ["find_paths", "list_files", "list_tables_around", "name_signal_files"]

_EXTENSIONS = (".vhdr", ".edf", ".set", ".bdf")
# Sidecars that signals and metadata depend on. They may be in a folder further up.
_SIDECARS = ("channels", "coordsystem", "eeg", "electrodes", "events")
# Files that a BrainVision header names; MNE reads them under any name.
_NAMED_FILES = re.compile(
    rb"^[ \t]*(DataFile|MarkerFile)[ \t]*[=:][ \t]*(.*?)[ \t\r]*$", re.M | re.I
)


def find_paths(root: Path) -> list[mne_bids.BIDSPath]:
    """Return all EEG recordings of a data set, in any order.

    Parameters
    ----------
    root : pathlib.Path

    Returns
    -------
    list of mne_bids.BIDSPath
        Including paths that are no regular file, which MNE-BIDS skips: check those that are needed
        with `check_file`.

    Raises
    ------
    DataError
        If a folder cannot be read, or a recording has an invalid name, which MNE-BIDS skips, too.
    """
    named = [
        file
        for folder in _eeg_folders(root)
        for file in list_folder(folder)
        if file.name.startswith("sub-")
        and file.stem.endswith("_eeg")
        and file.suffix in _EXTENSIONS
    ]
    with named_errors(root):
        absent = [file for file in named if not file.is_file()]
        try:
            paths = mne_bids.find_matching_paths(
                root, datatypes="eeg", suffixes="eeg", extensions=list(_EXTENSIONS)
            )
            paths += [mne_bids.get_bids_path_from_fname(file, check=False) for file in absent]
        except (ValueError, KeyError, RuntimeError) as error:  # of a name that it cannot take apart
            reason = " ".join(str(error).split()).rstrip(".")
            raise DataError(f"{root}: a file is not named as BIDS names them: {reason}.") from error
    paths = [path for path in paths if not Path(path.fpath).name.startswith(".")]
    known = {Path(path.fpath).name for path in paths if path.subject}
    strange = [file for file in named if file.name not in known]
    if strange:
        raise DataError(
            f"{strange[0]} is not named as BIDS names recordings, such as sub-01_task-music_run-1_"
            "eeg.vhdr, and would be skipped. Rename it, or move it out of the data set."
        )
    return paths


def _eeg_folders(root: Path) -> list[Path]:
    with named_errors(root):
        subjects = [f for f in list_folder(root) if f.name.startswith("sub-") and f.is_dir()]
        sessions = [
            folder
            for subject in subjects
            for folder in list_folder(subject)
            if folder.name.startswith("ses-") and folder.is_dir()
        ]
        return [f / "eeg" for f in (*subjects, *sessions) if (f / "eeg").is_dir()]


def list_files(path: Any, root: Path) -> list[Path]:
    """Return all files that a run depends on: its signals and the sidecars that apply to it.

    Parameters
    ----------
    path : mne_bids.BIDSPath
    root : pathlib.Path

    Returns
    -------
    list of pathlib.Path

    Raises
    ------
    DataError
        If a file is no regular file or leads out of the data set, or a folder cannot be read.
    """
    entities_of_run = dict(part.split("-", 1) for part in path.basename.split("_") if "-" in part)
    folder = Path(path.directory)
    stem = Path(path.fpath).name.removesuffix(path.extension)
    files = [file for file in list_folder(folder) if file.stem == stem and not file.is_dir()]
    files += _other_signal_files(Path(path.fpath), root)
    while True:
        for file in list_folder(folder):
            *entities, suffix = file.stem.split("_")
            named = dict(part.split("-", 1) for part in entities if "-" in part)
            if (
                suffix in _SIDECARS
                and file.suffix in (".tsv", ".json")
                and not file.name.startswith(".")
                and all(
                    entities_of_run.get(key, value) == value
                    for key, value in named.items()
                    if key != "space"
                )
            ):
                files.append(file)
        if folder in (root, folder.parent):
            break
        folder = folder.parent
    for file in files:
        check_file(file)
        check_inside(file, root)
    return files


def list_tables_around(path: Any, root: Path) -> list[Path]:
    """Return tables that MNE-BIDS reads although trials do not depend on them.

    Parameters
    ----------
    path : mne_bids.BIDSPath
    root : pathlib.Path

    Returns
    -------
    list of pathlib.Path
        ``participants.tsv``, and the ``scans.tsv`` of the subject or session.

    Raises
    ------
    DataError
        If a table is no regular file, or leads out of the data set.
    """
    around = [root / "participants.tsv", root / "participants.json"]
    around += Path(path.directory).parent.glob("*_scans.tsv")
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
    if file.suffix != ".vhdr":
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
    if file.suffix == ".set":
        # The .set names its .fdt inside a compressed structure that may hold all signals as well.
        # Instead of loading it, all files that it could name are taken.
        return [other for other in list_folder(file.parent) if _is_other_fdt(other)]
    others = _named_files(file, root, b"datafile", b"markerfile")
    with named_errors(file):
        # missing files are left to MNE, which can do without markers
        return [other for other in others if other.exists() or other.is_symlink()]


def _is_other_fdt(file: Path) -> bool:
    return file.suffix == ".fdt" and not file.name.startswith(".") and file.is_file()
