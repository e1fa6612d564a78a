"""The folder of a fold: lock, clear, write, check and read it."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from eegemo.errors import DataError, ResultError
from eegemo.evaluation import read_predictions, write_predictions
from eegemo.models import FittedModel, InputShape, Model
from eegemo.results import layout
from eegemo.results.provenance import now
from eegemo.results.records import FOLD, read_history, read_json, read_split
from eegemo.scaling import Scaling, load_scaling
from eegemo.store import lock, manifest, naming_full_disk, write_json
from eegemo.training import FittedFold

__all__ = ["FoldFolder"]


@dataclass(frozen=True)
class FoldFolder:
    """The folder of a fold in a result.

    Attributes
    ----------
    path : Path
        The folder, named by the number of the fold.
    """

    path: Path

    @property
    def number(self) -> int:
        """The fold's number in the predictions."""
        return int(self.path.name)

    @property
    def history_path(self) -> Path:
        """The file to which a fit writes its epochs."""
        return self.path / layout.HISTORY

    @property
    def checkpoint(self) -> Path:
        """The file from which a fit can resume."""
        return self.path / layout.CHECKPOINT

    # --- read --------------------------------------------------------------------------------

    @cached_property
    def record(self) -> dict[str, Any]:
        """The content of ``fold.json``, checked against `FOLD`.

        Raises
        ------
        ResultError
            If it cannot be read, lacks an entry, or is that of another fold.
        """
        file = self.path / layout.RECORD
        record = read_json(file, FOLD)
        if record["fold"] != self.number:
            raise ResultError(
                f"{file}: expected the record of fold {self.number}, found that of fold "
                f"{record['fold']}."
            )
        return record

    @cached_property
    def history(self) -> pd.DataFrame:
        """The training history, one row per epoch.

        Raises
        ------
        ResultError
            If it cannot be read, or lacks the best epoch of the record.
        """
        history, best = read_history(self.history_path), self.record["best_epoch"]
        if not 1 <= best <= len(history):
            raise ResultError(
                f"{self.path / layout.RECORD}: expected a 'best_epoch' from 1 to {len(history)}, "
                f"the epochs in history.csv, found {best}."
            )
        return history

    @cached_property
    def fold(self) -> pd.DataFrame:
        """The role of each row in this fold, from ``folds.csv``.

        One row per trial, or per window where the split divides trials; ``role`` is "train",
        "validation", "test", or missing where the fold excludes a row.

        Raises
        ------
        ResultError
            If the table cannot be read, or lacks this fold.
        """
        return read_split(self.path.parent.parent / layout.SPLIT, self.number)

    def load_model(self, model: Model, shape: InputShape) -> tuple[FittedModel, Scaling]:
        """Load the fitted model and the scaling that it was trained with.

        Parameters
        ----------
        model : Model
            The model of the selected candidate.
        shape : InputShape
            The shape of its input.

        Raises
        ------
        InputError
            If a file is missing or corrupt, or has a model for other windows or classes.
        """
        if model.file is None or not (self.path / model.file).is_file():
            raise DataError(
                f"{self.path}: the fold's model was not stored. An external estimator is stored "
                "where the package skops is installed (pip install eegemo[skops])."
            )
        return model.load(self.path / model.file, shape), load_scaling(self.path / layout.SCALING)

    def epochs_done(self) -> int | None:
        """Return the number of epochs done, for a progress bar; None once the fold is finished."""
        if (self.path / layout.DONE).is_file():
            return None
        if not self.history_path.is_file():
            return 0
        lines = self.history_path.read_text(encoding="utf-8").splitlines()
        return max(len(lines) - 1, 0)

    # --- check -------------------------------------------------------------------------------

    def is_whole(self) -> bool:
        """Return whether the fold is finished and its files unchanged since."""
        return layout.is_fold_whole(self.path)

    def holds(
        self, name: str, seeds: Mapping[str, int], lengths: Mapping[str, int], model: str | None
    ) -> bool:
        """Return whether the folder has the complete, unchanged result of this fold.

        Parameters
        ----------
        name : str
            The fold's name.
        seeds : mapping of str to int
            ``split`` and ``model``.
        lengths : mapping of str to int
            Expected number of rows of each table of predictions.
        model : str or None
            Name of the model's file; None if it cannot be stored.
        """
        if not self.is_whole():
            return False
        tables = {self.path / layout.predictions_file(table): n for table, n in lengths.items()}
        files = [self.path / file for file in (layout.SCALING, layout.HISTORY)]
        files += [self.path / model] if model is not None else []
        if not all(file.is_file() for file in [*files, *tables]):
            return False
        try:
            # not `record`, which is cached: the folder may be written again after this
            record = read_json(self.path / layout.RECORD, FOLD)
            return (record["name"], record.get("seeds")) == (name, dict(seeds)) and all(
                len(read_predictions(file)) == n for file, n in tables.items()
            )
        except (OSError, ValueError):  # a ResultError is a ValueError
            return False

    # --- write -------------------------------------------------------------------------------

    @contextmanager
    def open(
        self, name: str, seeds: Mapping[str, int], lengths: Mapping[str, int], model: str | None
    ) -> Iterator[bool]:
        """Lock and clear the folder for this process; gives False if the fold is already fitted.

        Parameters
        ----------
        name, seeds, lengths, model
            As for `holds`.
        """
        # a worker may outlive its killed run for a moment
        with naming_full_disk(self.path), lock(self.path / layout.LOCK, wait=True):
            # it may have been fitted by another worker that was given up too early
            wanted = not self.holds(name, seeds, lengths, model)
            if wanted:
                self._clear()
            yield wanted

    def _clear(self) -> None:
        """Remove the files of an interrupted or corrupt fold, except checkpoints to resume from."""
        for entry in self.path.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            elif entry.name != layout.LOCK and not entry.match(layout.CHECKPOINTS):
                entry.unlink()

    def write(
        self,
        fitted: FittedFold,
        record: Mapping[str, Any],
        *,
        model: str | None,
        baseline: pd.DataFrame | None = None,
    ) -> None:
        """Write all files of a fit except its history, which exists; ``done`` comes last.

        Parameters
        ----------
        fitted : FittedFold
        record : mapping
            The content of ``fold.json``: the output of `describe_fold` and
            `describe_fit` of `eegemo.results.provenance`.
        model : str or None
            Name of the model's file; None if it cannot be stored.
        baseline : DataFrame, optional
            Predictions of the test windows by the baseline.
        """
        if model is not None:
            fitted.model.save(self.path / model)
        fitted.scaling.save(self.path / layout.SCALING)
        tables = {"predictions": fitted.predictions}
        if len(fitted.validation):
            tables["validation"] = fitted.validation
        if baseline is not None:
            tables["baseline"] = baseline
        for name, table in tables.items():
            write_predictions(table, self.path / layout.predictions_file(name))
        write_json(self.path / layout.RECORD, record)
        names = [layout.HISTORY, layout.SCALING, layout.RECORD, *filter(None, [model])]
        names += map(layout.predictions_file, tables)
        content = {"finished": now(), "files": manifest(self.path, sorted(names))}
        write_json(self.path / layout.DONE, content)
        self.remove_checkpoints()

    def remove_checkpoints(self) -> None:
        """Remove the checkpoints of a finished fold."""
        for checkpoint in self.path.glob(layout.CHECKPOINTS):
            checkpoint.unlink(missing_ok=True)
