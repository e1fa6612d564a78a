"""The files of a data folder, each with its state."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from eegemo.datasets import Recording, find_recordings
from eegemo.datasets.bids.files import find_paths
from eegemo.errors import DataError, InputError
from eegemo.formats.files import list_folder
from eegemo.runs.outlines import Outline, outline_recording
from eegemo.simulation import read_simulation

__all__ = [
    "CheckedData",
    "FileState",
    "OnFile",
    "check_data",
    "check_recordings",
    "is_data_folder",
]

#: Told the name of a subject, its number, and how many there are.
OnFile = Callable[[str, int, int], None]

_FOLDERS = {
    "python": ("data_preprocessed_python", ".dat"),
    "matlab": ("data_preprocessed_matlab", ".mat"),
    "bdf": ("data_original", ".bdf"),
}
_NAME = re.compile(r"s\d\d+")
_PARTICIPANTS = 32  # of DEAP
# What the readers say, and the word for it.
_WORDS = {
    "truncated": ("truncated", "cut off", "ends inside", "ends before", "ends after"),
    "wrong shape": ("has shape",),
    "ratings out of range": ("expected 1 to 9",),
    "not fetched": ("broken link",),
    "missing": ("no such", "found nothing", "holds no", "does not exist"),
}


@dataclass(frozen=True)
class FileState:
    """The state of one subject's files.

    Attributes
    ----------
    name : str
    n_bytes : int
    state : str
        ``ok``, ``missing``, or what is wrong in a word or two.
    detail : str
        What was found: trials and their length, or the reader's message.
    """

    name: str
    n_bytes: int
    state: str
    detail: str

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return self.state == "ok"


@dataclass(frozen=True)
class CheckedData:
    """What a data folder holds.

    Attributes
    ----------
    root : Path
    kind : str
        Such as ``DEAP, preprocessed for Python``.
    files : tuple of FileState
    ignored : tuple of str
        Names of files that are not read.
    """

    root: Path
    kind: str
    files: tuple[FileState, ...]
    ignored: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every file that is there can be read."""
        return all(one.ok or one.state == "missing" for one in self.files)


def is_data_folder(path: Path) -> bool:
    """Tell whether a folder looks like DEAP or BIDS rather than like a folder of experiments."""
    if not path.is_dir():
        return False
    if (path / "dataset_description.json").is_file():
        return True
    return any((path / name).is_dir() or _named(path, end) for name, end in _FOLDERS.values())


def _named(folder: Path, suffix: str) -> list[Path]:
    return [f for f in list_folder(folder) if f.suffix == suffix and _NAME.fullmatch(f.stem)]


def check_data(
    root: str | Path, *, full: bool = False, on_file: OnFile | None = None
) -> CheckedData:
    """Look at every file of a DEAP or BIDS folder.

    Parameters
    ----------
    root : path
        The release of DEAP, one of its folders, or a BIDS data set.
    full : bool
        Read every signal, and not only headers where they tell enough.
    on_file : callable, optional
        Told the name of each subject before it is read, its number, and how many there are.

    Returns
    -------
    checked : CheckedData

    Raises
    ------
    InputError
        If this is no such folder.
    """
    root = Path(root)
    if not is_data_folder(root):
        raise InputError(
            f"{root}: expected an experiment file, a folder of them, the folder of DEAP's release, "
            "or a BIDS data set (with dataset_description.json)."
        )
    if (root / "dataset_description.json").is_file():
        return _check_bids(root, full, on_file)
    for variant, (name, suffix) in _FOLDERS.items():
        form, folder = variant, (root / name if (root / name).is_dir() else root)
        files = _named(folder, suffix)
        if files:
            break
    else:
        raise InputError(f"{root}: holds no file named like s01.dat, s01.mat or s01.bdf.")
    found: dict[str, Recording] = {}
    broken = []
    for file in files:
        try:
            found |= {file.stem: _find_one("deap", root, file.stem, variant=form)}
        except DataError as error:
            broken.append(_broken(file.stem, [file], error))
    states = [*check_recordings(found, full=full, on_file=on_file)[0], *broken]
    release = read_simulation(root) or read_simulation(folder.parent)
    n = _PARTICIPANTS if release is None else len(release.subjects)
    expected = {f"s{number:02d}" for number in range(1, n + 1)}
    absent = sorted(expected - {file.stem for file in files})
    states += [FileState(name, 0, "missing", f"no {name}{suffix}") for name in absent]
    kind = f"DEAP, {name}" + (", simulated by eegemo" if release is not None else "")
    ignored = [f.name for f in list_folder(folder) if f.is_file() and f not in files]
    return CheckedData(root, kind, tuple(sorted(states, key=lambda s: s.name)), tuple(ignored))


def _check_bids(root: Path, full: bool, on_file: OnFile | None) -> CheckedData:
    paths = find_paths(root)
    tasks = sorted({str(path.task) for path in paths})
    states: list[FileState] = []
    for task in tasks:
        found = {}
        for subject in sorted({path.subject for path in paths if str(path.task) == task}):
            name = f"sub-{subject}" + (f", {task}" if len(tasks) > 1 else "")
            try:
                found[name] = _find_one("bids", root, subject, task=task)
            except DataError as error:
                files = [Path(path.fpath) for path in paths if path.subject == subject]
                states.append(_broken(name, files, error))
        states += check_recordings(found, full=full, on_file=on_file)[0]
    used = {path.subject for path in paths}
    ignored = [
        folder.name
        for folder in list_folder(root)
        if folder.name.startswith("sub-") and folder.name.removeprefix("sub-") not in used
    ]
    kind = f"BIDS, task {', '.join(tasks)}" if tasks else "BIDS, without EEG"
    return CheckedData(root, kind, tuple(sorted(states, key=lambda s: s.name)), tuple(ignored))


def _find_one(source: str, root: Path, subject: str, **options: str) -> Recording:
    return find_recordings(source, str(root), subjects=[subject], **options)[0]


def check_recordings(
    recordings: dict[str, Recording],
    *,
    full: bool = False,
    duration: float = 60.0,
    on_file: OnFile | None = None,
) -> tuple[list[FileState], dict[str, Outline]]:
    """Read recordings, and return the state of each and the outlines of those that are well."""
    states, outlines = [], {}
    for number, (name, recording) in enumerate(recordings.items()):
        if on_file is not None:
            on_file(name, number, len(recordings))
        try:
            one = outline_recording(recording, full=full, duration=duration)
        except DataError as error:
            states.append(_broken(name, recording.files, error))
            continue
        outlines[name] = one
        n_bytes = sum(file.stat().st_size for file in recording.files)
        detail = f"{len(one.metadata)} trials of {one.duration:g} s, {one.sfreq:g} Hz"
        states.append(FileState(name, n_bytes, "ok", detail))
    return states, outlines


def _broken(name: str, files: Sequence[Path], error: DataError) -> FileState:
    text = str(error)
    for file in files:  # the table says where they are
        text = text.replace(str(file), file.name)
    state = next(
        (word for word, signs in _WORDS.items() if any(sign in text for sign in signs)), "damaged"
    )
    n_bytes = sum(file.stat().st_size for file in files if file.is_file())
    return FileState(name, n_bytes, state, text)
