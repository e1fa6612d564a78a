"""Trials without signals, from the outlines of recordings."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from eegemo.datasets import EMOTIV_CHANNELS, Outline
from eegemo.errors import DataError
from eegemo.trials import Trials

__all__ = ["join_outlines"]


def join_outlines(outlines: Mapping[str, Outline], *, sfreq: float | None, channels: Any) -> Trials:
    """Return the trials that preprocessing would give, with zeros as signals that use no memory.

    Raises
    ------
    DataError
        If the recordings differ, or lack a channel that was asked for.
    """
    first = next(iter(outlines.values()))
    rates = {outline.sfreq for outline in outlines.values()}
    if sfreq is None and len(rates) > 1:
        raise DataError("recordings differ in sampling frequency; set preprocessing.sfreq.")
    rate = sfreq or first.sfreq
    wanted = {"eeg": first.ch_names, "emotiv": EMOTIV_CHANNELS}
    names = tuple(wanted[channels] if isinstance(channels, str) else channels)
    for subject, outline in outlines.items():
        absent = [name for name in names if name not in outline.ch_names]
        if absent:
            raise DataError(f"subject {subject} has no EEG channel {', '.join(absent)}.")
    arrays, tables, flat = [], [], False
    for outline in outlines.values():
        n_times = [int(seconds * rate + 1e-6) for seconds in outline.durations]
        uneven = len(set(n_times)) > 1
        shape = (sum(n_times),) if uneven else (len(n_times), n_times[0])
        arrays.append(np.broadcast_to(np.float32(0), (*shape, len(names))))
        tables.append(outline.metadata.assign(n_times=n_times))
        flat |= uneven
    about = pd.concat(tables, ignore_index=True)
    return Trials(tuple(arrays), about if flat else about.drop(columns="n_times"), rate, names)
