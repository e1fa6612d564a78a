"""The recordings of a BIDS data set: files in ``sub-*/[ses-*/]eeg``, by the parts of their names.

Only these folders are looked into, so nothing in ``derivatives``, ``sourcedata``, ``code``,
``stimuli`` or a hidden folder is read on the way. Extensions may be in capitals; a name that is
nearly one of BIDS is refused, since the recording would be missing unnoticed.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

from eegemo.errors import DataError
from eegemo.formats.files import list_folder, named_errors

__all__ = [
    "EXTENSIONS",
    "RunPath",
    "find_paths",
    "find_unread",
    "list_subjects",
    "natural",
    "parse_name",
]

#: Formats of EEG in BIDS, by the file that names a recording.
EXTENSIONS = (".vhdr", ".edf", ".set", ".bdf")
# Files that go with a recording, or that are no recording.
_BESIDE = (".eeg", ".dat", ".vmrk", ".amrk", ".fdt", ".json", ".tsv", ".txt", ".md", ".gz")
_KEYS = (
    "sub", "ses", "task", "acq", "run", "proc", "rec", "recording", "desc", "space", "split",
    "tracksys",
)  # fmt: skip
_LABEL = re.compile(r"[^\W_][^-_/\\\s]*")
_PACKED = re.compile(r"\.(vhdr|edf|set|bdf)\.gz$", re.I)
_DIGITS = re.compile(r"(\d+)", re.ASCII)


@dataclass(frozen=True)
class RunPath:
    """A recording.

    Attributes
    ----------
    fpath : pathlib.Path
        The file that names it (``.vhdr``, ``.edf``, ``.set`` or ``.bdf``).
    labels : dict of str to str
        The parts of its name by their keys (``sub``, ``ses``, ``task``, ``acq``, ``run``...).
    run_label : str
        Its run, unique within the session.
    """

    fpath: Path
    labels: dict[str, str] = field(hash=False)
    run_label: str = "1"

    @property
    def subject(self) -> str:
        """Label of the participant."""
        return self.labels["sub"]

    @property
    def session(self) -> str:
        """Label of the session; "1" if there is none."""
        return self.labels.get("ses", "1")

    @property
    def task(self) -> str:
        """Label of the task; "None" if there is none."""
        return self.labels.get("task", "None")

    @property
    def directory(self) -> Path:
        """The folder that holds it."""
        return self.fpath.parent

    @property
    def name(self) -> str:
        """Its name without suffix and extension, as in the option ``exclude``."""
        return "_".join(f"{key}-{label}" for key, label in self.labels.items())


def parse_name(name: str) -> tuple[dict[str, str], str] | None:
    """Take the name of a file apart.

    Parameters
    ----------
    name : str
        Without extension.

    Returns
    -------
    labels, suffix : dict of str to str, str
        None if it is not formed as BIDS says.

    Examples
    --------
    >>> parse_name("sub-01_task-film_eeg")
    ({'sub': '01', 'task': 'film'}, 'eeg')
    >>> parse_name("sub-01_film_eeg")
    """
    *parts, suffix = name.split("_")
    labels: dict[str, str] = {}
    for part in parts:
        key, _, label = part.partition("-")
        if key not in _KEYS or key in labels or not _LABEL.fullmatch(label):
            return None
        labels[key] = label
    return labels, suffix


def natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """Return a key by which names are sorted, with numbers by their size.

    Examples
    --------
    >>> sorted(["10", "9", "a2", "a10", "09"], key=natural)
    ['09', '9', '10', 'a2', 'a10']
    """
    parts = [part for part in _DIGITS.split(text) if part]
    key = [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]
    return (*key, (-1, 0, text))


def find_paths(root: Path) -> list[RunPath]:
    """Return all EEG recordings of a data set, sorted; runs and sessions by number.

    Parameters
    ----------
    root : pathlib.Path

    Returns
    -------
    list of RunPath
        Including paths that are no regular file: check those that are needed with `check_file`.

    Raises
    ------
    DataError
        If a folder cannot be read, or a recording has an invalid name or is in the wrong folder.
    """
    found = []
    for folder, known in _eeg_folders(root):
        for file in list_folder(folder):
            if not _is_recording(file):
                continue
            parsed = parse_name(file.stem)
            labels = parsed[0] if parsed else {}
            if labels.get("sub") is None:
                raise DataError(
                    f"{file} is not named as BIDS names recordings, such as sub-01_task-music_"
                    "run-1_eeg.vhdr, and would be skipped. Rename it, or move it out of the data "
                    "set."
                )
            if {key: labels.get(key) for key in known} != known:
                place = "/".join(f"{key}-{label}" for key, label in known.items() if label)
                raise DataError(
                    f"{file} lies in a folder of {place}, which its name does not say. Move or "
                    "rename it."
                )
            found.append(RunPath(file, labels, labels.get("run", "1")))
    return sorted(
        found,
        key=lambda path: (
            path.subject,
            natural(path.session),
            natural(path.labels.get("run", "")),
            natural(path.fpath.name),
        ),
    )


def list_subjects(root: Path) -> list[Path]:
    """Return the folders of subjects, also of those without EEG.

    Raises
    ------
    DataError
        If the folder cannot be read, or has one that is nearly named like a subject's.
    """
    with named_errors(root):
        return _folders(root, "sub")


def _is_recording(file: Path) -> bool:
    return (
        not file.name.startswith(".")
        and file.stem.lower().endswith("_eeg")
        and file.suffix.lower() in EXTENSIONS
    )


def _eeg_folders(root: Path) -> list[tuple[Path, dict[str, str | None]]]:
    """Return the folders of EEG with the labels of their subject and session."""
    found = []
    with named_errors(root):
        for subject in list_subjects(root):
            sub = subject.name.removeprefix("sub-")
            levels: list[tuple[Path, str | None]] = [(subject, None)]
            levels += [
                (folder, folder.name.removeprefix("ses-")) for folder in _folders(subject, "ses")
            ]
            for folder, ses in levels:
                found += [(inner, {"sub": sub, "ses": ses}) for inner in _check_level(folder)]
    return found


def _folders(folder: Path, key: str) -> list[Path]:
    """Return the folders named by a key; refuse those that are nearly."""
    found = []
    for inner in list_folder(folder):
        if not inner.name.lower().startswith(f"{key}-") or not inner.is_dir():
            continue
        if not inner.name.startswith(f"{key}-"):
            raise DataError(
                f"{inner} would be skipped: its name begins with {inner.name[: len(key) + 1]!r}; "
                f"expected {key + '-'!r}. Rename it, or move it out of the data set."
            )
        found.append(inner)
    return found


def _check_level(folder: Path) -> list[Path]:
    """Return the folder ``eeg`` in that of a subject or session, if there is one."""
    found = []
    for inner in list_folder(folder):
        if _is_recording(inner):
            raise DataError(
                f"{inner} would be skipped, since it is not in a folder eeg. Move it into "
                f"{folder / 'eeg'}."
            )
        if inner.name.lower() == "eeg" and inner.is_dir():
            if inner.name != "eeg":
                raise DataError(f"{inner} would be skipped; rename the folder to eeg.")
            found.append(inner)
    return found


def find_unread(root: Path) -> list[Path]:
    """Return files that are named like recordings but of no format that BIDS has for EEG.

    Parameters
    ----------
    root : pathlib.Path

    Returns
    -------
    list of pathlib.Path
        Such as ``sub-01_task-film_eeg.gdf``, or a compressed copy; not files with the signals of a
        recording beside it.
    """
    unread = []
    for folder, _ in _eeg_folders(root):
        files = [file for file in list_folder(folder) if not file.name.startswith(".")]
        read = {file.stem for file in files if _is_recording(file)}
        unread += [
            file
            for file in files
            if (stem := file.name.split(".")[0]).lower().endswith("_eeg")
            and stem not in read
            and (file.suffix.lower() not in _BESIDE or _PACKED.search(file.name))
        ]
    return unread
