"""Read a recording inside a BIDS data set with its events: the trials that it is made of."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from eegemo.datasets import Dataset, Run
from eegemo.datasets.bids import Bids
from eegemo.errors import DataError

__all__ = ["bids_subject", "read_bids_run"]

_DESCRIPTION = "dataset_description.json"


def bids_subject(path: Path) -> str | None:
    """Return the participant that a BIDS file name tells; None for another name.

    Examples
    --------
    >>> bids_subject(Path("sub-01/eeg/sub-01_task-film_eeg.vhdr"))
    '01'
    """
    return _entities(path).get("sub") if path.stem.endswith("_eeg") else None


def _entities(path: Path) -> dict[str, str]:
    return dict(re.findall(r"(?:^|_)([a-z]+)-([A-Za-z0-9]+)", path.stem))


def read_bids_run(
    path: Path, *, dataset: Dataset | None = None, eeg_only: bool = False
) -> tuple[tuple[Run, ...], tuple[str, ...]] | None:
    """Read a file of a BIDS data set in the trials of its ``events.tsv``.

    Parameters
    ----------
    path : Path
        Such as ``sub-01/eeg/sub-01_task-film_eeg.vhdr``.
    dataset : Dataset, optional
        The data set of the experiment: if it is BIDS, its `tmin`, `tmax` and `trial_types` hold.
    eeg_only : bool
        Read EEG channels only.

    Returns
    -------
    found : (tuple of Run, tuple of str) or None
        Signals, and notes; None where the file is not in a BIDS data set, or has no events.

    Raises
    ------
    DataError
        If the events or the signals are corrupt.
    """
    entities = _entities(path)
    root = next((p for p in path.resolve().parents if (p / _DESCRIPTION).is_file()), None)
    if root is None or "sub" not in entities or not path.stem.endswith("_eeg"):
        return None
    events = path.with_name(path.stem.removesuffix("_eeg") + "_events.tsv")
    if not events.is_file():
        return None
    chosen = {"root": str(root), "task": entities.get("task"), "subjects": [entities["sub"]]}
    own = isinstance(dataset, Bids)
    source = replace(dataset, **chosen) if isinstance(dataset, Bids) else Bids(**chosen)
    try:
        (recording,) = source.find()
    except DataError as error:
        if own:
            raise
        # the experiment cannot say how long a trial of these events is
        return None if "tmax" not in str(error) else _untimed(events)
    numbers = [k for k, run in enumerate(recording.paths) if Path(run.fpath).resolve() == path.resolve()]
    if not numbers:
        return None
    parts = {
        name: tuple(getattr(recording, name)[k] for k in numbers)
        for name in ("paths", "events", "bad_spans")
    }
    return tuple(replace(recording, **parts).read(eeg_only=eeg_only)), ()


def _untimed(events: Path) -> tuple[tuple[Run, ...], tuple[str, ...]]:
    note = f"{events.name} tells no duration of its trials, so the recording is not cut into them."
    return (), (note,)
