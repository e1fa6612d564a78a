"""The options of each data set."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, MinLen

from eegemo.registry.options import Count
from eegemo.registry.tables import DATASETS

__all__ = ["BidsOptions", "DeapOptions", "SimulatedOptions", "dataset_class"]

Subjects = Literal["all"] | Annotated[Sequence[str | int], MinLen(1)]
Channels = Literal["eeg", "emotiv"] | Annotated[Sequence[str], MinLen(1)]


@dataclass(frozen=True, kw_only=True)
class DeapOptions:
    """DEAP, as preprocessed by its authors or as it was recorded.

    Parameters
    ----------
    root : path
        Folder of the release, or the one that holds the `sNN` files. A relative path starts at the
        folder in which the command is run.
    variant : {"python", "matlab", "bdf"}
        Read the `.dat` files, the `.mat` files, or the original recordings (`.bdf`).
    subjects : "all" or sequence
        Participants to include, by name or number, as in `[s01, s02]` or `[1, 2]`.
    channels : "eeg", "emotiv" or sequence of str
        All 32 EEG channels, the 14 positions of an Emotiv EPOC headset, or channels by name, which
        may include DEAP's peripheral channels.
    """

    root: str
    variant: Literal["python", "matlab", "bdf"] = "python"
    subjects: Subjects = "all"
    channels: Channels = "eeg"


@dataclass(frozen=True, kw_only=True)
class BidsOptions:
    """EEG in BIDS.

    Parameters
    ----------
    root : path
        Folder that holds `dataset_description.json`. A relative path starts at the folder in which
        the command is run.
    task : str, optional
        Label of the task in the file names; needed if there are several tasks.
    subjects : "all" or sequence
        Participants to include, by label, with or without `sub-`.
    channels : "eeg", "emotiv" or sequence of str
        All EEG channels (also those marked bad, so that all recordings have the same channels), the
        14 positions of an Emotiv EPOC headset, or channels by name.
    tmin : float
        Start of a trial in seconds from its event. Make it negative to subtract a baseline; samples
        before 0 are used for nothing else.
    tmax : float, optional
        End of a trial in seconds from its event, exclusive. `null` takes the shortest `duration` of
        all trials.
    trial_types : sequence of str, optional
        Events that are trials, by their `trial_type`. `null` takes all events, except for marks of
        bad segments.
    """

    root: str
    task: str | None = None
    subjects: Subjects = "all"
    channels: Channels = "eeg"
    tmin: float = 0.0
    tmax: float | None = None
    trial_types: Sequence[str] | None = None


@dataclass(frozen=True, kw_only=True)
class SimulatedOptions(DeapOptions):
    """A simulated DEAP release, written on first use into a folder of its own below `root`.

    Parameters
    ----------
    root : path
        Folder for simulated releases. A relative path starts at the folder in which the command is
        run.
    variant : {"python", "matlab", "bdf"}
        Which of DEAP's formats to write and read.
    n_subjects : int
        Number of participants.
    n_trials : int
        Number of trials (videos) per participant.
    duration : float
        Length of a video in seconds. It is preceded by a baseline of 3 s.
    effect : float
        How strongly the signals depend on valence and arousal. At 0 there is nothing to learn.
    fingerprint : float
        Strength of the trial-specific signature, by which a split that leaks recognises the trials
        of the test set.
    seed : int
        Seed of the simulation. The same seed gives the same files.
    """

    root: str = "data/simulated"
    n_subjects: Annotated[int, Ge(1), Le(99)] = 32
    n_trials: Count = 40
    duration: Annotated[float, Ge(1)] = 60.0
    effect: Annotated[float, Ge(0), Le(5)] = 1.0
    fingerprint: Annotated[float, Ge(0), Le(5)] = 0.4
    seed: Annotated[int, Ge(0)] = 0


def dataset_class(source: str, *, trust: bool = True) -> Any:
    """Return the class whose keyword-only fields are the options of a data set."""
    return DATASETS.resolve(source, trust=trust)
