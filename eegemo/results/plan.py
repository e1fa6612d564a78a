"""The plan of a run: an experiment prepared up to its folds."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from eegemo.config import Experiment, settings_for_digest
from eegemo.evaluation.statistics.design import Design, read_design, unit_table
from eegemo.results import layout
from eegemo.results.fold import FoldFolder
from eegemo.splits import LEAKING, Fold, Unit, divides_unit, unit_numbers
from eegemo.store import atomic_file, digest_bytes, digest_json, write_text
from eegemo.windows import Windows

__all__ = ["Plan", "design_of", "make_digests", "time_order"]


#: Increased when results would differ for the same experiment and data.
_RESULT_VERSION = 2


@dataclass(frozen=True)
class Plan:
    """An experiment prepared up to its folds, before training.

    Attributes
    ----------
    experiment : Experiment
    windows : Windows
    folds : list of Fold
    folder : Path
        Folder of its result.
    digests : dict of str to str
        Digests of the experiment, the data (stored trials), the labels and the folds.
    simulated : bool
        Whether the data was simulated.
    notes : tuple of str
        Caveats for the report.
    title, citation : str
        Title and citation of the data set.
    constant_over : tuple of str
        What the class is constant over, from `eegemo.splits.constant_over`.
    references : tuple of str
        References that the recordings state.
    """

    experiment: Experiment
    windows: Windows
    folds: list[Fold]
    folder: Path
    digests: dict[str, str]
    simulated: bool
    notes: tuple[str, ...]
    title: str = ""
    citation: str = ""
    constant_over: tuple[Unit, ...] = ()
    references: tuple[str, ...] = ()

    @property
    def leaks(self) -> bool:
        """Whether trials, or what the class is constant over, are in both training and test."""
        if self.experiment.split.group in LEAKING:
            return True
        about, of_window = self.windows.trials.metadata, self.windows.trial
        return any(
            divides_unit(self.folds, unit_numbers(about, unit)[of_window])
            for unit in self.constant_over
        )

    @cached_property
    def design(self) -> Design:
        """What may be exchanged if labels mean nothing."""
        within = self.experiment.split.within == "subject"
        return design_of(self.windows, within_subject=within)

    def fold_folder(self, number: int) -> FoldFolder:
        """Return the folder of a fold."""
        return FoldFolder(layout.fold_folder(self.folder, number))

    def write(self) -> None:
        """Write the files that precede training: ``experiment.yaml`` and ``folds.csv``."""
        write_text(self.folder / layout.EXPERIMENT, self.experiment.to_yaml())
        with atomic_file(self.folder / layout.SPLIT) as temporary:
            self._roles().to_csv(temporary, index=False)

        with atomic_file(self.folder / layout.DESIGN) as temporary:
            unit_table(self.design, self.windows.trials.metadata).to_csv(temporary, index=False)

    def _roles(self) -> pd.DataFrame:
        """Return a table with a column per fold: the role of each row in it.

        There is a row per trial, whose windows all have the same role, or per window where a split
        divides trials.
        """
        windows = self.windows
        table = windows.table.drop(columns=["code", "stop"])
        # not in the table where there is one run a session, and no bundle
        plain = {"run": "1", "bundle": ""}
        told = [name for name, usual in plain.items() if (table[name] == usual).all()]
        table = table.drop(columns=told)
        table["y_true"] = pd.Categorical.from_codes(
            windows.codes, categories=pd.Index(windows.labels.classes)
        )
        roles, names = {}, pd.Index(["train", "validation", "test"])
        for number, fold in enumerate(self.folds):
            role = np.full(len(table), -1, np.int8)
            for code, rows in enumerate(fold.parts().values()):
                role[rows] = code
            roles[f"fold_{number}"] = pd.Categorical.from_codes(role, names)
        table = pd.concat([table, pd.DataFrame(roles)], axis=1)
        if self.experiment.split.group not in LEAKING:
            first = np.unique(windows.trial, return_index=True)[1]
            table = table.iloc[first].drop(columns="start")
        return table


def design_of(windows: Windows, *, within_subject: bool) -> Design:
    """Return what may be exchanged if the labels of these windows mean nothing."""
    about = windows.trials.metadata
    return read_design(
        about.assign(code=windows.labels.codes),
        within_subject=within_subject,
        order=time_order(about),
    )


def time_order(about: pd.DataFrame) -> list[float] | None:
    """Return the place of each trial in time within its session; None where it is not known."""
    if "presentation" in about:
        return list(map(float, about["presentation"]))
    # readers that know recordings number trials by their onsets, others by what was shown
    return list(map(float, about["trial"])) if "run" in about else None


def make_digests(
    experiment: Experiment, folders: Sequence[Path], windows: Windows, folds: Sequence[Fold]
) -> dict[str, str]:
    """Return digests of the experiment, the data (stored trials), the labels and the folds.

    Parameters
    ----------
    experiment : Experiment
    folders : sequence of Path
        Folders of stored trials, one per subject, named by a digest of their content.
    windows : Windows
    folds : sequence of Fold
    """
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
    content = {"version": _RESULT_VERSION, "experiment": settings, "data": digests["data"]}
    return {"experiment": digest_json(content), **digests}
