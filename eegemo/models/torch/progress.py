"""What a training leaves on disk while it goes on: a row per epoch, and a checkpoint.

Checkpoints are plain arrays and JSON; reading one executes nothing.
"""

import csv
import json
import math
import time
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from eegemo.models.shapes import HISTORY, FitFiles
from eegemo.store import atomic_file

__all__ = ["Progress"]

# So many times as long as writing a checkpoint took passes before the next.
_WAIT = 20


class Resumable(Protocol):
    """A training that can say all that it knows."""

    def known(self) -> dict[str, Any]:
        """Return what the rest of the training needs to know, apart from arrays."""

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays that the rest of the training needs."""

    def resume(self, known: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        """Go on from what both returned."""


class Progress:
    """Rows of the history, and the checkpoint.

    Parameters
    ----------
    files : FitFiles
    key : str or None
        Says what is trained; a checkpoint of something else is not taken up. None for no
        checkpoint.

    Attributes
    ----------
    rows : list of dict
        One for each epoch.
    over : bool
        Whether the checkpoint is that of a training that had stopped early.
    """

    def __init__(self, files: FitFiles, key: str | None) -> None:
        self.rows: list[dict[str, float]] = []
        self.over = False
        self._history, self._key = files.history, key
        self._checkpoint = files.checkpoint if key is not None else None
        self._cost, self._written = 0.0, -np.inf

    def resume(self, training: Resumable) -> int:
        """Put a training back as it was, and return how many epochs are done.

        A checkpoint that is not there, is damaged, or belongs to something else means none.
        """
        done = self._read(training)
        if self._history is not None:
            self._history.parent.mkdir(parents=True, exist_ok=True)
            with self._history.open("w", newline="", encoding="utf-8") as stream:
                csv.writer(stream).writerow(HISTORY)
        for row in self.rows:
            self._write_row(row)
        return done

    def _read(self, training: Resumable) -> int:
        if self._checkpoint is None or not self._checkpoint.is_file():
            return 0
        try:
            with self._checkpoint.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
                known = json.loads(str(file["known"]))
                arrays = {name: file[name] for name in file.files if name != "known"}
            if known["key"] != self._key:
                return 0
        except Exception:  # whatever is wrong with a damaged file, the answer is to begin anew
            return 0
        training.resume(known["training"], arrays)
        self.rows, self.over = known["history"], bool(known["over"])
        return int(known["epoch"])

    def add(self, row: Mapping[str, float], training: Resumable, *, last: bool, over: bool) -> None:
        """Add the row of an epoch, and write a checkpoint if it is time."""
        self.rows.append({name: float(row[name]) for name in HISTORY})
        self._write_row(self.rows[-1])
        if self._checkpoint is None:
            return
        if last or time.perf_counter() - self._written >= _WAIT * self._cost:
            self._write(training, over)

    def _write_row(self, row: Mapping[str, float]) -> None:
        if self._history is not None:
            with self._history.open("a", newline="", encoding="utf-8") as stream:
                csv.writer(stream).writerow(
                    ["" if math.isnan(row[name]) else row[name] for name in HISTORY]
                )

    def _write(self, training: Resumable, over: bool) -> None:
        assert self._checkpoint is not None
        began = time.perf_counter()
        known = {
            "key": self._key,
            "epoch": len(self.rows),
            "over": over,
            "history": self.rows,
            "training": training.known(),
        }
        with atomic_file(self._checkpoint) as temporary, temporary.open("wb") as stream:
            np.savez(
                stream, allow_pickle=False, known=np.array(json.dumps(known)), **training.arrays()
            )
        self._written = time.perf_counter()
        self._cost = self._written - began
