"""DEAP's original recordings, ``data_original/sNN.bdf``: an hour each, as the amplifier wrote them.

They are not preprocessed: 512 Hz, offsets and drifts, eye movements, and trials in the random order
of presentation. All variants of the files give the same channels
(`eegemo.datasets.deap.channels`), and every trial gets the ratings of its video
(`eegemo.datasets.deap.trials`)::

    code   1 rating   2 sync   3 fixation   4 video starts   5 fixation   7 end

Signals are read when they are needed: a recording of 64 minutes takes little memory until it is
loaded (0.65 GB for all channels).
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from eegemo.datasets.base import Recording, Run
from eegemo.datasets.deap.channels import Exg, RawDeap, Site, open_raw_deap
from eegemo.datasets.deap.trials import annotate_videos, find_trials_deap

__all__ = ["RawDeapRecording", "read_raw_deap"]


def read_raw_deap(
    path: str | Path,
    *,
    ratings: str | Path | None = None,
    exg: Exg = "bipolar",
    site: Site | None = None,
    preload: bool = False,
) -> RawDeap:
    """Read an original recording of DEAP.

    Parameters
    ----------
    path : str | pathlib.Path
        ``sNN.bdf``.
    ratings : str | pathlib.Path | None
        The table ``participant_ratings``. With it, videos are checked against the table and
        annotated by name (``video07``); without it, they are annotated as ``video``.
    exg : "bipolar" | "monopolar" | "both"
        The electrodes at eyes and muscles as differences (hEOG, vEOG, zEMG, tEMG), as recorded
        (EXG1 to EXG8), or both. Do not use "both" for regression on the EOG: channels would be
        redundant.
    site : "twente" | "geneva" | None
        Recording site, which determines the unit of the skin response if the header does not state
        it. None takes it from the participant's number, or from the order of the channels.
    preload : bool
        Read all samples now, instead of when they are needed.

    Returns
    -------
    RawDeap
        A Raw: EEG in Geneva's order with positions, EOG and EMG, all in volts; GSR in ohm
        (``1e9 / nS``; 1e9 ohm without contact); Respiration, Plethysmograph and Temperature in the
        unit of the file; ``Status`` with the codes alone, for `mne.find_events`.
        Channels that are flat for more than half of the time are marked bad.

    Warns
    -----
    UserWarning
        If a channel is flat, or a channel that is not EEG is missing.

    Raises
    ------
    DataError
        If the file is no BDF, truncated or corrupt, lacks an EEG channel, or does not match the
        table of ratings.

    See Also
    --------
    eegemo.datasets.deap.find_trials_deap : Find its trials, before or after preprocessing.

    Examples
    --------
    >>> import tempfile
    >>> from eegemo.simulation import simulate_deap
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = simulate_deap(folder, n_subjects=1, n_trials=2, duration=1, formats="bdf")
    >>> raw = read_raw_deap(folder / "data_original" / "s01.bdf")
    >>> raw.info["sfreq"], raw.ch_names[:3], raw.ch_names[32:36]
    (512.0, ['Fp1', 'AF3', 'F3'], ['hEOG', 'vEOG', 'zEMG', 'tEMG'])
    """
    raw, notes = open_raw_deap(path, exg=exg, site=site)
    for note in notes:
        warnings.warn(note, UserWarning, stacklevel=2)
    annotate_videos(raw, ratings)
    if preload:
        raw.load_data(verbose="ERROR")
    return raw


@dataclass(frozen=True, eq=False, kw_only=True)
class RawDeapRecording(Recording):
    """The session of a participant: a single run."""

    ratings: Path

    def read(self, *, eeg_only: bool = False) -> Iterator[Run]:
        """Yield the session as a Raw that is read when needed (see `Recording.read`)."""
        raw, notes = open_raw_deap(self.files[0])
        make_epochs, more = find_trials_deap(raw, self.ratings)
        if eeg_only:
            raw.pick("eeg", exclude=(), verbose="ERROR")
        yield Run(raw, make_epochs, (*notes, *more))
