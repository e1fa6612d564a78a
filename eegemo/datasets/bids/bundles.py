"""Trials that belong together: those that overlap, and consecutive ones of one stimulus.

They get the same text in the column ``bundle``, which no honest split divides: a sample in two
trials, or two parts of one film, could otherwise be in training and in the test.
"""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from eegemo.datasets.bids.events import RunEvents
from eegemo.datasets.tables import fold

__all__ = ["Bundled", "bundle_trials"]

# In seconds: onsets are written with six digits or so.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Bundled:
    """How many trials of a run were bundled, and why.

    Attributes
    ----------
    overlapping : int
        Trials that begin before another has ended.
    overlap : float
        Seconds of the longest overlap.
    repeated : int
        Trials with the stimulus of the trial before them.
    """

    overlapping: int = 0
    overlap: float = 0.0
    repeated: int = 0


def bundle_trials(run: RunEvents, tmin: float, tmax: float | None) -> tuple[RunEvents, Bundled]:
    """Bundle the trials of a run.

    Trials may overlap before their onsets: that part serves as a baseline and is not learned from.

    Parameters
    ----------
    run : RunEvents
        With trials in the order of their onsets.
    tmin, tmax : float or None
        Start and end of a trial from its onset; None ends each after its duration.

    Returns
    -------
    run : RunEvents
        With a column ``bundle`` if there is any.
    bundled : Bundled
    """
    trials = run.trials
    begins = trials["onset"].to_numpy(dtype=float) + max(tmin, 0.0)
    lengths = trials["duration"].to_numpy(dtype=float) if tmax is None else tmax
    ends = trials["onset"].to_numpy(dtype=float) + lengths
    latest = np.maximum.accumulate(ends)[:-1]  # a trial may lie wholly inside an earlier one
    overlap = np.minimum(latest, ends[1:]) - begins[1:]
    overlaps = overlap > 2 * _ROUNDING
    stimuli = [fold(stimulus) for stimulus in trials["stimulus"]]
    repeats = np.array([first == second != "" for first, second in pairwise(stimuli)], dtype=bool)
    joined = overlaps | repeats
    if not joined.any():
        return run, Bundled()
    group = np.concatenate([[0], np.cumsum(~joined)])
    sizes, firsts = np.bincount(group), np.unique(group, return_index=True)[1]
    where = f"{run.path.subject}/{run.path.session}/{run.path.run_label}"
    names = []
    for number in group.tolist():
        what = trials["stimulus"].iloc[int(firsts[number])] or "trials"
        names.append(f"{where}/{what}#{number + 1}" if sizes[number] > 1 else "")
    bundled = Bundled(
        int(overlaps.sum()), float(overlap.max(initial=0.0, where=overlaps)), int(repeats.sum())
    )
    return replace(run, trials=trials.assign(bundle=names)), bundled
