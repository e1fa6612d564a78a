"""The interface of data sets: one `Recording` per subject, read run by run.

A `Dataset` has the options of the section ``data`` of an experiment file. It knows its title, the
location and content of its recordings, and the files it can open. A `Recording` names its files
without opening the signals. `Recording.read` is a generator, so only one run is in memory at a
time. The loop is the same for every data set::

    for recording in dataset.find():
        for run in recording.read(eeg_only=True):
            epochs = preprocess(run.inst, make_epochs=run.make_epochs, ...)

Time zero is always stimulus onset. A data set of your own is a class with `find`, whose
keyword-only fields are its options; `eegemo.testing.check_dataset` reports what is still missing.
This module is light, since it is imported to read an experiment file.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Protocol

from annotated_types import MinLen

from eegemo.errors import DataError
from eegemo.execution import Progress

if TYPE_CHECKING:
    import mne
    import pandas as pd

__all__ = [
    "RATINGS",
    "Channels",
    "Context",
    "Dataset",
    "Exclude",
    "FileState",
    "Outline",
    "Recording",
    "Run",
    "Subjects",
    "Survey",
    "outline_runs",
]

#: The columns of ``Epochs.metadata`` that hold ratings, in the order of DEAP's labels.
RATINGS = ("valence", "arousal", "dominance", "liking")

#: Types of the two options of every data set on disk.
Subjects = Literal["all"] | Annotated[Sequence[str | int], MinLen(1)]
Channels = Literal["eeg", "emotiv"] | Annotated[Sequence[str], MinLen(1)]
#: Type of the option that leaves out subjects, recordings and trials (`eegemo.datasets.exclude`).
Exclude = Annotated[Sequence[str | int], MinLen(1)] | None


#: Cuts the trials out of continuous signals.
MakeEpochs = Callable[["mne.io.BaseRaw"], "mne.BaseEpochs | list[mne.BaseEpochs]"]


@dataclass(frozen=True)
class Run:
    """An uninterrupted recording, and the function that epochs it.

    Attributes
    ----------
    inst : mne.io.BaseRaw | mne.BaseEpochs
        Signals in volts. Those of a Raw may still be on disk, and be read when needed.
    make_epochs : callable | None
        For continuous signals: takes the (preprocessed) Raw and returns its trials as Epochs with
        metadata, or as several Epochs where trials differ in length. None if `inst` already
        consists of trials.
    notes : tuple of str
        What the user should know: trials dropped, channels marked bad.
    """

    inst: mne.io.BaseRaw | mne.BaseEpochs
    make_epochs: MakeEpochs | None = None
    notes: tuple[str, ...] = ()

    def cut(self, inst: Any = None) -> list[mne.BaseEpochs]:
        """Return the trials of `inst`, or those of given signals in its place.

        Parameters
        ----------
        inst : mne.io.BaseRaw | mne.BaseEpochs, optional
            The same signals, preprocessed.

        Returns
        -------
        list of mne.BaseEpochs
            Several where trials differ in length.
        """
        given = self.inst if inst is None else inst
        found = given if self.make_epochs is None else self.make_epochs(given)
        return found if isinstance(found, list) else [found]


@dataclass(frozen=True, eq=False)
class Recording(ABC):
    """The recordings of one subject on disk.

    Attributes
    ----------
    subject : str
        Name of the participant: that of the file in DEAP (``s01``), the label in BIDS (``01``).
    files : tuple of pathlib.Path
        All files that the signals and the metadata depend on, sorted.
    reader : str
        Name and version of the reader; the version changes when its output does.
    options : mapping
        Other settings that the trials depend on, as JSON values (BIDS: task, times, trial types).
        With `reader` and the bytes of `files`, they identify the output of `read`.
    """

    subject: str
    files: tuple[Path, ...]
    reader: str
    options: Mapping[str, object] = field(default_factory=dict)

    @abstractmethod
    def read(self, *, eeg_only: bool = False) -> Iterator[Run]:
        """Yield the runs in order, one in memory at a time.

        Parameters
        ----------
        eeg_only : bool
            Read EEG channels only, which saves memory and time.

        Yields
        ------
        Run
            Signals in volts. The Epochs have one row of metadata per trial: subject, session, trial
            (int, from 1, unique within subject and session), stimulus, and ratings if there are
            any; BIDS adds trial_type and run. Trials of a run have the same length; runs may
            differ.

        Raises
        ------
        DataError
            If a file is missing or corrupt, or its content is not as expected.
        """

    def least_bytes(self, steps: Mapping[str, Any]) -> int:
        """Return a lower bound of the size of the stored trials, without reading the recording.

        Parameters
        ----------
        steps : mapping
            Arguments of `eegemo.preprocessing.preprocess`.

        Returns
        -------
        n_bytes : int
            From a tenth to half of the true size: only reading tells how much of a file is trials.
        """
        return sum(file.stat().st_size for file in self.files) // 10


@dataclass(frozen=True)
class Outline:
    """Description of the trials and channels of a recording, without its signals.

    Attributes
    ----------
    metadata : DataFrame
        A row per trial, as in `eegemo.trials.Trials`.
    durations : tuple of float
        Of each trial, in seconds from stimulus onset.
    sfreq : float
        Sampling rate in Hz, as recorded.
    ch_names : tuple of str
        The EEG channels.
    """

    metadata: pd.DataFrame
    durations: tuple[float, ...]
    sfreq: float
    ch_names: tuple[str, ...]


@dataclass(frozen=True)
class FileState:
    """The state of one subject's files.

    Attributes
    ----------
    name : str
    n_bytes : int
    state : str
        ``ok``, ``missing``, or the error in a word or two.
    detail : str
        Number and length of trials, or the error message of the reader.
    """

    name: str
    n_bytes: int
    state: str
    detail: str

    @property
    def ok(self) -> bool:
        """Whether the state is ``ok``."""
        return self.state == "ok"


@dataclass(frozen=True)
class Survey:
    """Content of a data folder, subject by subject, including subjects with errors.

    Attributes
    ----------
    kind : str
        Such as ``DEAP, data_preprocessed_python``.
    recordings : dict of str to Recording
        Recordings that were found, by the name to show.
    broken : dict of str to (list of Path, DataError)
        Files and error of subjects that cannot be used.
    missing : dict of str to str
        Expected subjects that are missing, and what was looked for.
    ignored : tuple of str
        Names of files that are not read.
    events : DataFrame or None
        A row per event of subjects whose trials are yet to be chosen, with their ``duration``.
    """

    kind: str
    recordings: dict[str, Recording]
    broken: dict[str, tuple[list[Path], DataError]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    events: pd.DataFrame | None = None


class Context(Protocol):
    """The part of `eegemo.execution.RunContext` that `Dataset.prepare` uses."""

    @property
    def progress(self) -> Progress:
        """Receives messages and progress."""


class Dataset(ABC):
    """A data set with its options; light, immutable, picklable.

    A subclass is a dataclass (``frozen=True, kw_only=True``). Its fields are its options: keys of
    the experiment file, with type, bounds and default from the annotation, and the description from
    the section *Parameters* of the docstring.

    Attributes
    ----------
    title : str
        Name of the data set in reports.
    citation : str
        Publication to cite; empty if there is none.
    rating_range : (float, float)
        Lowest and highest possible rating.
    default_threshold : float
        Default of `labels.threshold`. Ratings above it are high.
    last_resort : bool
        Whether it recognises folders that another data set may know better, which then goes first.

    Notes
    -----
    Most data sets have the fields ``root``, ``subjects`` and ``channels``. They are not declared
    here: a field keeps the position of its first declaration, and the order of fields is that of
    the keys in a file.
    """

    title: ClassVar[str]
    citation: ClassVar[str] = ""
    rating_range: ClassVar[tuple[float, float]] = (1.0, 9.0)
    default_threshold: ClassVar[float] = 5.0
    last_resort: ClassVar[bool] = False

    @abstractmethod
    def find(self) -> list[Recording]:
        """List one recording per subject, sorted by subject, without reading signals.

        Raises
        ------
        DataError
            If the folder does not hold this data set, or lacks a subject.
        """

    @property
    def place(self) -> str:
        """Location of the recordings, for messages and reports."""
        return str(getattr(self, "root", ""))

    @property
    def kept_channels(self) -> Channels:
        """Channels that preprocessing keeps: the option ``channels``, if there is one."""
        chosen: Channels = getattr(self, "channels", "eeg")
        return chosen

    def prepare(self, context: Context) -> None:  # noqa: B027 - most data sets need none
        """Create data that can be created (a simulation, a download); called before `find`."""

    def to_be_made(self) -> str | None:
        """Describe the data that `prepare` will create; None if nothing is missing."""
        return None

    def expected(self) -> dict[str, Outline]:
        """Return outlines of the subjects that `prepare` will create.

        Raises
        ------
        DataError
            If a chosen subject will not be among them.
        """
        return {}

    def outline(self, recording: Recording, *, full: bool = False) -> Outline:
        """Outline a recording of this data set.

        Parameters
        ----------
        recording : Recording
            A recording of `find`.
        full : bool
            Read all signals, even if headers and tables are enough. By default, this method always
            reads all signals.

        Returns
        -------
        outline : Outline

        Raises
        ------
        DataError
            If a file is missing or corrupt, or its content is not as expected.
        """
        return outline_runs(recording)

    def read_file(
        self, path: Path, *, eeg_only: bool = False, subject: str | None = None
    ) -> Sequence[Run] | None:
        """Open a single file for `eegemo predict`.

        Parameters
        ----------
        path : Path
        eeg_only : bool
            Read EEG channels only.
        subject : str, optional
            The participant, for a file that holds several.

        Returns
        -------
        runs : sequence of Run or None
            None if the file is not of a type of this data set.

        Raises
        ------
        DataError
            If the file is of this data set, but corrupt or without the subject.
        """
        return None

    def notes(self, recordings: Sequence[Recording], preprocessing: Mapping[str, Any]) -> list[str]:
        """Return caveats for the report, in sentences.

        Parameters
        ----------
        recordings : sequence of Recording
        preprocessing : mapping
            Arguments of `eegemo.preprocessing.preprocess`, for example to name steps that the
            authors of the data have already done.
        """
        return []

    def survey(self) -> Survey:
        """Survey every subject of the folder, for `eegemo check FOLDER`.

        Override this if a single corrupt subject makes `find` fail for all.
        """
        return Survey(self.title, {recording.subject: recording for recording in self.find()})

    @classmethod
    def detect(cls, folder: Path) -> Dataset | None:
        """Return the data set of a folder, for `eegemo check FOLDER`; None if it is another."""
        return None


def outline_runs(recording: Recording) -> Outline:
    """Outline a recording by reading all of it, one run in memory at a time.

    Raises
    ------
    DataError
        If it has no run, or a run cannot be read.
    """
    import pandas as pd

    tables: list[pd.DataFrame] = []
    durations: list[float] = []
    sfreq, names = 0.0, ()
    for run in recording.read(eeg_only=True):
        for epochs in run.cut():
            sfreq = float(epochs.info["sfreq"])
            kinds = zip(epochs.ch_names, epochs.get_channel_types(), strict=True)
            names = tuple(name for name, kind in kinds if kind == "eeg")
            # Epochs that are not loaded do not know yet which of them lie inside the recording
            loaded = epochs if epochs.preload else epochs.copy().load_data()
            n_times = int((loaded.times > -0.5 / sfreq).sum())
            tables.append(loaded.metadata)
            durations += [n_times / sfreq] * len(loaded)
    if not tables:
        raise DataError(f"subject {recording.subject} has no run with trials.")
    return Outline(pd.concat(tables, ignore_index=True), tuple(durations), sfreq, names)
