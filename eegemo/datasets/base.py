"""What every reader hands over: one object per subject, read run by run.

A `Recording` names its files without opening the signals; `Recording.read` is a generator, so that
only one run is in memory at a time. The loop over any source is the same::

    for recording in recordings:
        for run in recording.read(eeg_only=True):
            epochs = preprocess(run.inst, cut=run.cut, ...)

Time zero is the onset of the stimulus, everywhere.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import mne

__all__ = ["RATINGS", "Recording", "Run"]

#: The columns of ``Epochs.metadata`` that hold ratings, in the order of DEAP's labels.
RATINGS = ("valence", "arousal", "dominance", "liking")


@dataclass(frozen=True)
class Run:
    """One uninterrupted stretch of signals, and how to get trials from it.

    Attributes
    ----------
    inst : mne.io.BaseRaw | mne.BaseEpochs
        The signals in volts. Those of a Raw may still be on disk, and be read when asked for.
    cut : callable | None
        For continuous signals: takes the (preprocessed) Raw and returns its trials as Epochs with
        metadata. None when `inst` is already made of trials.
    notes : tuple of str
        What the user should know: trials left out, channels marked bad.
    """

    inst: mne.io.BaseRaw | mne.BaseEpochs
    cut: Callable[[mne.io.BaseRaw], mne.BaseEpochs] | None = None
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
            and ratings where there are any; BIDS adds trial_type and run.

        Raises
        ------
        DataError
            When a file is missing, damaged, or does not hold what it should.
        """
