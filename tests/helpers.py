"""Small trials, window tables and settings that several test modules use."""

import mne
import numpy as np
import pandas as pd

from eegemo.labels import Labels
from eegemo.trials import Trials
from eegemo.windows import make_windows

SFREQ = 32.0
CHANNELS = ("Fz", "Cz", "Pz")


def make_metadata(n_trials, *, subject="s01", first=1, **columns):
    numbers = np.arange(first, first + n_trials)
    return pd.DataFrame(
        {
            "subject": subject,
            "session": "1",
            "trial": numbers,
            "stimulus": [str(number) for number in numbers],
            **columns,
        }
    )


def make_trials(sizes=(3, 2), *, n_times=160, seed=0, scale=1e-5, sfreq=SFREQ):
    """Trials in memory: one recording per entry of `sizes`, noise of that scale in volts."""
    rng = np.random.default_rng(seed)
    lengths = np.broadcast_to(n_times, len(sizes))
    arrays = tuple(
        (scale * rng.standard_normal((size, length, len(CHANNELS)))).astype(np.float32)
        for size, length in zip(sizes, lengths, strict=True)
    )
    metadata = [make_metadata(size, subject=f"s{k + 1:02d}") for k, size in enumerate(sizes)]
    return Trials(arrays, pd.concat(metadata, ignore_index=True), sfreq, CHANNELS)


def make_labels_of(codes, classes=("low", "high")):
    return Labels(np.asarray(codes, np.int64), classes, {})


def make_test_windows(sizes=(3, 2), *, codes=None, duration=1.0, stride=0.5, **options):
    trials = make_trials(sizes, **options)
    codes = np.arange(len(trials)) % 2 if codes is None else codes
    return make_windows(trials, make_labels_of(codes), duration=duration, stride=stride)


def make_epochs(n_trials=2, *, subject="s01", tmin=0.0, n_times=64, sfreq=SFREQ, seed=0, **columns):
    """MNE epochs of noise in volts."""
    rng = np.random.default_rng(seed)
    info = mne.create_info(list(CHANNELS), sfreq, "eeg")
    data = 1e-5 * rng.standard_normal((n_trials, len(CHANNELS), n_times))
    metadata = make_metadata(n_trials, subject=subject, **columns)
    return mne.EpochsArray(data, info, tmin=tmin, metadata=metadata, verbose="ERROR")


def make_table(trials):
    """Window table from tuples (subject, session, trial, stimulus, code, number of windows)."""
    columns = ["subject", "session", "trial", "stimulus", "code"]
    rows = [trial[:5] for trial in trials for _ in range(trial[5])]
    return pd.DataFrame(rows, columns=columns)


def keys_of(table, rows, *columns):
    """Set of the groups, named by `columns`, that the rows belong to."""
    return set(map(tuple, table.iloc[rows][list(columns)].astype(str).to_numpy()))
