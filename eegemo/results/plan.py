"""An experiment up to its folds: what a result folder will be made from."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eegemo.config import Experiment, settings_for_digest
from eegemo.splits import Fold
from eegemo.store import digest_bytes, digest_json
from eegemo.windows import Windows

__all__ = [
    "Prepared",
    "Run",
    "StoredTrials",
]


_RESULT_VERSION = 2


@dataclass(frozen=True)
class StoredTrials:
    """The trials of an experiment's recordings, preprocessed and on disk.

    Attributes
    ----------
    experiment : Experiment
    subjects : tuple of str
    folders : tuple of Path
        One for each subject, named by all that decides its content; see `load_trials`
        and `load_records`.
    made : tuple of str
        The subjects that were not there before.
    notes : tuple of str
        What the reader of the report should know.
    simulated : bool
        Whether the data was simulated.
    """

    experiment: Experiment
    subjects: tuple[str, ...]
    folders: tuple[Path, ...]
    made: tuple[str, ...]
    notes: tuple[str, ...]
    simulated: bool


@dataclass(frozen=True)
class Prepared:
    """An experiment up to its folds, with nothing trained.

    Attributes
    ----------
    experiment : Experiment
    windows : Windows
    folds : list of Fold
    folder : Path
        Where its result goes.
    digests : dict of str to str
        Of the experiment, the data (trials as stored), the labels and the folds.
    simulated : bool
        Whether the data was simulated.
    notes : tuple of str
        What the reader of the report should know.
    """

    experiment: Experiment
    windows: Windows
    folds: list[Fold]
    folder: Path
    digests: dict[str, str]
    simulated: bool
    notes: tuple[str, ...]


def _digests(
    experiment: Experiment, folders: Sequence[Path], windows: Windows, folds: Sequence[Fold]
) -> dict[str, str]:
    digests = {
        "data": digest_json([folder.name for folder in folders]),
        "labels": digest_bytes(
            windows.labels.codes.astype("<i8").tobytes(), "\0".join(windows.labels.classes).encode()
        ),
        "folds": digest_bytes(
            np.stack([windows.trial, windows.first]).astype("<i8").tobytes(),
            np.int64(windows.n_times).tobytes(),
            *(part.astype("<i8").tobytes() for fold in folds for part in fold.parts().values()),
        ),
    }
    settings = settings_for_digest(experiment)
    whole = {"version": _RESULT_VERSION, "experiment": settings, "data": digests["data"]}
    return {"experiment": digest_json(whole), **digests}


@dataclass
class Run:
    """A run under way."""

    prepared: Prepared
    began: float
    started: str
    jobs: int
    store: Path
    report: bool
    refitted: bool = False

    def fold_folder(self, number: int) -> Path:
        """Return where a fold's result lies."""
        return self.prepared.folder / "folds" / str(number)
