"""Check the files of a data folder."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from eegemo.datasets import Dataset, FileState, Outline, Recording
from eegemo.errors import ConfigError, DataError, InputError
from eegemo.registry import DATASETS
from eegemo.runs.describe import describe_events, describe_signals, describe_trials

__all__ = [
    "TO_CHOOSE",
    "CheckedData",
    "OnFile",
    "broken_file",
    "check_data",
    "check_recordings",
    "find_dataset",
]

#: Called with the name of a subject, its number, and the number of subjects.
OnFile = Callable[[str, int, int], None]

#: State of files that are whole, but of which a person has to say what the trials are.
TO_CHOOSE = "to be chosen"

# State -> phrases in the messages of readers that indicate it.
_STATES = {
    TO_CHOOSE: (
        "Say how long a trial",
        "Say by trial_types",
        "Choose one of them",
        "trials: fixed and a length",
        "have no duration",
    ),
    "truncated": ("truncated", "cut off", "ends inside", "ends before", "ends after"),
    "wrong shape": ("has shape",),
    "ratings out of range": ("expected 1 to 9", "expected 1 to 5"),
    "not fetched": ("broken link",),
    "missing": ("no such", "found nothing", "holds no", "does not exist"),
}


@dataclass(frozen=True)
class CheckedData:
    """The content of a data folder.

    Attributes
    ----------
    root : Path
    kind : str
        Such as ``DEAP, preprocessed for Python``.
    files : tuple of FileState
    ignored : tuple of str
        Names of files that are not read.
    facts : tuple of (str, str)
        What an experiment file can ask for, by topic: events, ratings, channels, rate.
    """

    root: Path
    kind: str
    files: tuple[FileState, ...]
    ignored: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every existing file can be read."""
        return all(file.ok or file.state in ("missing", TO_CHOOSE) for file in self.files)


def find_dataset(folder: Path) -> Dataset | None:
    """Find the data set that recognises a folder.

    If two recognise it and one is a subclass of the other, the subclass is returned. A plug-in that
    cannot be imported is ignored, unless no other data set recognises the folder.

    Raises
    ------
    ConfigError
        If no data set recognises the folder, and a plug-in could not be imported.
    """
    found: Dataset | None = None
    problems: list[ConfigError] = []
    for name in DATASETS.names():
        try:
            kind = DATASETS.resolve(name)
        except ConfigError as error:
            problems.append(error)
            continue
        if kind.last_resort and found is not None:
            continue
        other = kind.detect(folder) if folder.is_dir() else None
        if other is not None and (
            found is None or found.last_resort or isinstance(other, type(found))
        ):
            found = other
    if found is None and problems:
        raise problems[0]
    return found


def check_data(
    root: str | Path, *, full: bool = False, on_file: OnFile | None = None
) -> CheckedData:
    """Check every file of a data folder.

    Parameters
    ----------
    root : path
        The release of DEAP, one of its folders, a BIDS data set, or the folder of any other data
        set of eegemo or a plug-in.
    full : bool
        Read all signals, also where headers suffice.
    on_file : callable, optional
        Called before each subject is read, with its name, its number and the number of subjects.

    Returns
    -------
    checked : CheckedData

    Raises
    ------
    InputError
        If no data set recognises the folder.
    """
    root = Path(root)
    dataset = find_dataset(root)
    if dataset is None:
        raise InputError(
            f"{root}: expected an experiment file, a folder of them, the folder of DEAP's release, "
            "a BIDS data set (with dataset_description.json), or a folder of recordings (.edf, "
            ".bdf, .set, .vhdr, .fif, ...)."
        )
    survey = dataset.survey()
    states, outlines = check_recordings(dataset, survey.recordings, full=full, on_file=on_file)
    states += [broken_file(name, *why) for name, why in survey.broken.items()]
    states += [FileState(name, 0, "missing", what) for name, what in survey.missing.items()]
    states.sort(key=lambda state: state.name)
    facts = _describe(list(outlines.values()))
    if not outlines and survey.events is not None:
        facts = describe_events(survey.events)
    return CheckedData(root, survey.kind, tuple(states), survey.ignored, tuple(facts))


def _describe(outlines: Sequence[Outline]) -> list[tuple[str, str]]:
    if not outlines:
        return []
    table = pd.concat([outline.metadata for outline in outlines], ignore_index=True)
    durations = [seconds for outline in outlines for seconds in outline.durations]
    first = outlines[0].ch_names
    facts = describe_trials(table, durations)
    facts += describe_signals(first, [outline.sfreq for outline in outlines])
    odd = sum(set(outline.ch_names) != set(first) for outline in outlines)
    if odd:
        facts.append(("note", f"{odd} of {len(outlines)} subjects have other channels"))
    return facts


def check_recordings(
    dataset: Dataset,
    recordings: Mapping[str, Recording],
    *,
    full: bool = False,
    on_file: OnFile | None = None,
) -> tuple[list[FileState], dict[str, Outline]]:
    """Read recordings; return the state of each, and the outlines of readable ones."""
    states, outlines = [], {}
    for number, (name, recording) in enumerate(recordings.items()):
        if on_file is not None:
            on_file(name, number, len(recordings))
        try:
            outline = dataset.outline(recording, full=full)
        except DataError as error:
            states.append(broken_file(name, recording.files, error))
            continue
        outlines[name] = outline
        n_bytes = sum(file.stat().st_size for file in recording.files)
        low, high = min(outline.durations), max(outline.durations)
        seconds = f"{low:g}" if low == high else f"{low:g} to {high:g}"
        detail = f"{len(outline.metadata)} trials of {seconds} s, {outline.sfreq:g} Hz"
        states.append(FileState(name, n_bytes, "ok", detail))
    return states, outlines


def broken_file(name: str, files: Sequence[Path], error: DataError) -> FileState:
    """Return the state of files that cannot be used: the error in a word or two, and in full."""
    text = str(error)
    for file in files:  # the table already shows the folder
        text = text.replace(str(file), file.name)
    state = next(
        (word for word, signs in _STATES.items() if any(sign in text for sign in signs)), "corrupt"
    )
    n_bytes = sum(file.stat().st_size for file in files if file.is_file())
    return FileState(name, n_bytes, state, text)
