"""Writer of the files of a simulated subject."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from eegemo.datasets.deap import DEAP_CHANNELS, DEAP_EEG_CHANNELS
from eegemo.simulation.deap_files import write_dat, write_mat
from eegemo.simulation.raw import write_raw_recording
from eegemo.simulation.subject import SimulatedSubject
from eegemo.store import atomic_file

__all__ = ["FOLDERS", "SUFFIXES", "write_subject"]

#: Where DEAP has the files of each format, and how their names end.
FOLDERS = {
    "python": "data_preprocessed_python",
    "matlab": "data_preprocessed_matlab",
    "bdf": "data_original",
}
SUFFIXES = {"python": ".dat", "matlab": ".mat", "bdf": ".bdf"}


def write_subject(
    root: Path, name: str, subject: SimulatedSubject, *, formats: Sequence[str], truth: bool
) -> None:
    """Write the files of a subject, each completely or not at all.

    Parameters
    ----------
    root : Path
        Folder of the release.
    name : str
        Such as ``s01``.
    subject : SimulatedSubject
        Whose files.
    formats : sequence of str
        Of the keys of `FOLDERS`.
    truth : bool
        Whether to write ``truth/sNN.npz``; `eegemo.simulation.release` tells what is in it.
    """
    files = {kind: root / FOLDERS[kind] / f"{name}{SUFFIXES[kind]}" for kind in formats}
    labels = subject.rated.labels
    n_trials, n_times = subject.n_trials, subject.n_times
    shape = (n_trials, len(DEAP_CHANNELS), n_times)
    if "python" in files:
        trials = (subject.preprocessed(k).data.astype(np.float64) for k in range(n_trials))
        write_dat(files["python"], labels, trials, shape)
    if "matlab" in files:
        data = np.empty(shape)
        for k in range(n_trials):
            data[k] = subject.preprocessed(k).data
        write_mat(files["matlab"], labels, data)
        del data
    known: dict[str, Any] = {}
    if "bdf" in files:
        known = write_raw_recording(files["bdf"], subject).as_arrays()
    if not truth:
        return
    clean = np.empty((n_trials, len(DEAP_EEG_CHANNELS), n_times), np.float32)
    for k in range(n_trials):
        clean[k] = subject.clean(k)
    known |= {
        "clean": clean,
        "ch_names": np.array(DEAP_EEG_CHANNELS),
        "valence": subject.rated.felt[:, 0],
        "arousal": subject.rated.felt[:, 1],
        "classes": np.array(subject.rated.classes),
        "presentation": subject.rated.order,
    }
    with atomic_file(root / "truth" / f"{name}.npz") as temporary:
        np.savez(temporary, **known)
