"""Read a recording inside a BIDS data set with its events: the trials that it is made of."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from eegemo.datasets import Dataset, Run
from eegemo.datasets.bids import Bids
from eegemo.datasets.bids.files import find_sidecar
from eegemo.datasets.bids.paths import find_paths
from eegemo.datasets.bids.recording import BidsRecording
from eegemo.datasets.references import read_references
from eegemo.errors import DataError

__all__ = ["bids_subject", "read_bids_run", "stated_references"]

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
) -> tuple[Run, ...] | None:
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
    runs : tuple of Run or None
        None where the file is not in a BIDS data set, or its events are not given as trials.

    Raises
    ------
    DataError
        If the events or the signals are corrupt.
    """
    path = path.resolve()
    entities = _entities(path)
    root = next((p for p in path.parents if (p / _DESCRIPTION).is_file()), None)
    if root is None or bids_subject(path) is None:
        return None
    own = isinstance(dataset, Bids)
    times: dict[str, Any] = {
        name: getattr(dataset, name) for name in ("tmin", "tmax", "trial_types") if own
    }
    names = [run.fpath.stem for run in find_paths(root)]
    # a label that others have and this file lacks is chosen as well: their recordings are not read
    chosen = {
        option: entities.get(key, "n/a" if any(f"_{key}-" in name for name in names) else "all")
        for option, key in (("sessions", "ses"), ("acquisition", "acq"), ("processing", "proc"))
    }
    source = Bids(
        root=str(root), task=entities.get("task"), subjects=[entities["sub"]], **(chosen | times)
    )
    try:
        # trials are numbered through the runs of a session, as in training
        (found,) = source.find()
    except DataError:
        try:  # what is wrong with another run is of no concern here
            (found,) = replace(source, runs=entities.get("run", "all")).find()
        except DataError:
            if own and _has_events(path, root):
                raise
            return None  # to be read as a continuous recording
    assert isinstance(found, BidsRecording)
    numbers = [k for k, run in enumerate(found.paths) if run.fpath.resolve() == path]
    parts: dict[str, Any] = {
        name: tuple(getattr(found, name)[k] for k in numbers)
        for name in ("paths", "events", "bad_spans", "left_out", "bundled")
    }
    if not any(map(len, parts["events"])):
        return None
    return tuple(replace(found, **parts).read(eeg_only=eeg_only))


def stated_references(path: Path) -> list[str]:
    """Return the reference that the sidecars of a BIDS recording state, if it is one."""
    path = path.resolve()
    root = next((p for p in path.parents if (p / _DESCRIPTION).is_file()), None)
    if root is None or bids_subject(path) is None:
        return []
    run = next((run for run in find_paths(root) if run.fpath.resolve() == path), None)
    sidecar = None if run is None else find_sidecar(run, root, "eeg", ".json")
    return read_references([] if sidecar is None else [sidecar])


def _has_events(path: Path, root: Path) -> bool:
    """Return whether there is an ``events.tsv`` for a file, beside it or above."""
    run = next((run for run in find_paths(root) if run.fpath.resolve() == path), None)
    return run is not None and find_sidecar(run, root, "events", ".tsv") is not None
