"""The interface of data sets: a `Dataset` finds one `Recording` per subject, read run by run.

A `Dataset` holds the options of the experiment file's section ``data`` and answers for itself: what
it is called, where its recordings are, what each holds, which files it knows how to open. A
`Recording` names its files without opening the signals; `Recording.read` is a generator, so that
only one run is in memory at a time. The loop over any data set is the same::

    for recording in dataset.find():
        for run in recording.read(eeg_only=True):
            epochs = preprocess(run.inst, make_epochs=run.make_epochs, ...)

Time zero is the onset of the stimulus, everywhere. A data set of your own is a class with `find`,
whose keyword-only fields are its options; `eegemo.testing.check_dataset` tells what is still
missing. This module is light, since the experiment file is read with it.
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

#: Types of the two options that every data set on disk has.
Subjects = Literal["all"] | Annotated[Sequence[str | int], MinLen(1)]
Channels = Literal["eeg", "emotiv"] | Annotated[Sequence[str], MinLen(1)]


@dataclass(frozen=True)
class Run:
    """One uninterrupted stretch of signals, and how to get trials from it.

    Attributes
    ----------
    inst : mne.io.BaseRaw | mne.BaseEpochs
        The signals in volts. Those of a Raw may still be on disk, and be read when asked for.
    make_epochs : callable | None
        For continuous signals: takes the (preprocessed) Raw and returns its trials as Epochs with
        metadata. None when `inst` is already made of trials.
    notes : tuple of str
        What the user should know: trials left out, channels marked bad.
    """

    inst: mne.io.BaseRaw | mne.BaseEpochs
    make_epochs: Callable[[mne.io.BaseRaw], mne.BaseEpochs] | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Recording(ABC):
    """The recordings of one subject on disk.

    Attributes
    ----------
    subject : str
        Who was recorded: the name of the file in DEAP (``s01``), the label in BIDS (``01``).
    files : tuple of pathlib.Path
        Every file that the signals and the metadata depend on, sorted.
    reader : str
        Name and version of the reader; it changes when the reader's output does.
    options : mapping
        What else decides the trials, as plain JSON values (BIDS: task, times, trial types).
        Together with `reader` and the bytes of `files` it identifies what `read` gives.
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
            Leave out channels that are not EEG, which saves memory and time.

        Yields
        ------
        Run
            Signals in volts. The Epochs (given, or cut) have one row of metadata per trial:
            subject, session, trial (int, from 1, unique within subject and session), stimulus,
            and ratings where there are any; BIDS adds trial_type and run. Trials of one run have
            one length; those of other runs may have another.

        Raises
        ------
        DataError
            When a file is missing, corrupt, or does not hold what it should.
        """

    def least_bytes(self, steps: Mapping[str, Any]) -> int:
        """Return a lower bound of what the stored trials take, without reading the recording.

        Parameters
        ----------
        steps : mapping
            Arguments of `eegemo.preprocessing.preprocess`.

        Returns
        -------
        n_bytes : int
            Half to a tenth of the truth: how much of a file is no trial is known only by reading
            it.
        """
        return sum(file.stat().st_size for file in self.files) // 10


@dataclass(frozen=True)
class Outline:
    """What a recording holds, without its signals.

    Attributes
    ----------
    metadata : DataFrame
        A row per trial, as in `eegemo.trials.Trials`.
    durations : tuple of float
        Of each trial, in seconds from the onset of the stimulus.
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
class Survey:
    """What a data folder holds, subject by subject, whatever is wrong with some of them.

    Attributes
    ----------
    kind : str
        Such as ``DEAP, data_preprocessed_python``.
    recordings : dict of str to Recording
        Those that could be found, by the name to show.
    broken : dict of str to (list of Path, DataError)
        Those that could not: their files, and why.
    missing : dict of str to str
        Subjects that should be there, and what was looked for.
    ignored : tuple of str
        Names of files that are not read.
    """

    kind: str
    recordings: dict[str, Recording]
    broken: dict[str, tuple[list[Path], DataError]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()


class Context(Protocol):
    """What `Dataset.prepare` takes from `eegemo.execution.RunContext`."""

    @property
    def progress(self) -> Progress:
        """Told what happens."""


class Dataset(ABC):
    """A data set with its options; light, immutable, picklable.

    A subclass is a dataclass (``frozen=True, kw_only=True``). Its fields are its options: keys of
    the experiment file, with type, bounds and default from the annotation, and words from the
    section *Parameters* of the docstring.

    Attributes
    ----------
    title : str
        What reports call it.
    citation : str
        What to cite; empty if there is nothing.
    rating_range : (float, float)
        The lowest and the highest rating that can be given.
    default_threshold : float
        Of labels, for experiments that name none. Ratings above are high.

    Notes
    -----
    Most data sets have the fields ``root``, ``subjects`` and ``channels``. They are not declared
    here, since a field keeps the place in which it was declared first, and the order of fields is
    that of the keys in a file.
    """

    title: ClassVar[str]
    citation: ClassVar[str] = ""
    rating_range: ClassVar[tuple[float, float]] = (1.0, 9.0)
    default_threshold: ClassVar[float] = 5.0

    @abstractmethod
    def find(self) -> list[Recording]:
        """List one recording per subject, sorted by subject, without opening a signal.

        Raises
        ------
        DataError
            If the folder is not such a data set, or a subject is not in it.
        """

    @property
    def place(self) -> str:
        """Where the recordings are, as people are told."""
        return str(getattr(self, "root", ""))

    @property
    def kept_channels(self) -> Channels:
        """The channels that preprocessing keeps: the option ``channels``, where there is one."""
        chosen: Channels = getattr(self, "channels", "eeg")
        return chosen

    def prepare(self, context: Context) -> None:  # noqa: B027 - most data sets need none
        """Make the data if it can be made (a simulation, a download); called before `find`."""

    def to_be_made(self) -> str | None:
        """Say what `prepare` has yet to make; None if everything is there."""
        return None

    def expected(self) -> dict[str, Outline]:
        """Return an outline per subject of what `prepare` has yet to make.

        Raises
        ------
        DataError
            If a subject will not be among them.
        """
        return {}

    def outline(self, recording: Recording, *, full: bool = False) -> Outline:
        """Outline a recording of this data set.

        Parameters
        ----------
        recording : Recording
            One of those that `find` lists.
        full : bool
            Read every signal, even where headers and tables tell enough. If this method is not
            overridden, every signal is read anyway.

        Returns
        -------
        outline : Outline

        Raises
        ------
        DataError
            If a file is missing, corrupt, or does not hold what it should.
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
            Leave out channels that are not EEG.
        subject : str, optional
            Who is meant, of a file that holds several.

        Returns
        -------
        runs : sequence of Run or None
            None if it is no file of this data set's own kind.

        Raises
        ------
        DataError
            If it is one, but corrupt, or the subject is not in it.
        """
        return None

    def notes(self, recordings: Sequence[Recording], preprocessing: Mapping[str, Any]) -> list[str]:
        """Say what a reader of the report should know, in sentences.

        Parameters
        ----------
        recordings : sequence of Recording
        preprocessing : mapping
            Arguments of `eegemo.preprocessing.preprocess`: steps that the authors of the data have
            done already, for example, are worth a sentence.
        """
        return []

    def survey(self) -> Survey:
        """Look at every subject of the folder, for `eegemo check FOLDER`.

        Overridden where one corrupt subject would keep `find` from listing the others.
        """
        return Survey(self.title, {recording.subject: recording for recording in self.find()})

    @classmethod
    def detect(cls, folder: Path) -> Dataset | None:
        """Recognise a folder for `eegemo check FOLDER`; None if it is another's."""
        return None


def outline_runs(recording: Recording) -> Outline:
    """Outline a recording by reading all of it, one run in memory at a time.

    Raises
    ------
    DataError
        If it has no run, or one cannot be read.
    """
    import pandas as pd

    tables: list[pd.DataFrame] = []
    durations: list[float] = []
    sfreq, names = 0.0, ()
    for run in recording.read(eeg_only=True):
        epochs: Any = run.inst if run.make_epochs is None else run.make_epochs(run.inst)
        sfreq = float(epochs.info["sfreq"])
        kinds = zip(epochs.ch_names, epochs.get_channel_types(), strict=True)
        names = tuple(name for name, kind in kinds if kind == "eeg")
        # Epochs that are not loaded do not know yet which of them lie inside the recording
        epochs = epochs if epochs.preload else epochs.copy().load_data()
        n_times = int((epochs.times > -0.5 / sfreq).sum())
        tables.append(epochs.metadata)
        durations += [n_times / sfreq] * len(epochs)
    if not tables:
        raise DataError(f"subject {recording.subject} has no run with trials.")
    return Outline(pd.concat(tables, ignore_index=True), tuple(durations), sfreq, names)
