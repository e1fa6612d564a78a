"""Simulated raw recordings: ``data_original/sNN.bdf`` as BioSemi's amplifier would have written it.

The trials are those of the preprocessed files, before anything was done to them: the same brain and
muscles, with what DEAP's authors removed put back [1]_. A session runs on without a break::

    lead-in | -3 s  video 1 | rating, sync, fixation | -3 s  video 2 | ... | end
    codes                4  5 1       2    3              4          5        7

To the brain's and the muscles' EEG are added

- blinks and saccades, which spread from the eyes to all electrodes (`head_model.eye_fields`), as
  much as the EOG of the same moment says;
- line noise of 50 Hz and 100 Hz, nearly the same everywhere;
- an offset and a slow drift of each electrode, and the noise of the amplifier;
- what the reference electrode picks up, the same everywhere;
- in every fourth recording or so a bad channel: noisy, or flat.

Participants differ as DEAP's do: order of channels and unit of skin response by site, name and
offset of the status channel, 48 or 49 channels (see `simulated_status`).

References
----------
.. [1] Koelstra et al. (2012), "DEAP: A Database for Emotion Analysis using Physiological Signals",
   IEEE Transactions on Affective Computing 3(1), 18-31.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from eegemo.recordings.bdf_files import write_bdf
from eegemo.recordings.blocks import SFREQ
from eegemo.recordings.deap import DEAP_EEG_CHANNELS
from eegemo.recordings.head_model import eye_fields
from eegemo.recordings.raw_signals import (
    RATIO,
    RAW_SFREQ,
    Artifacts,
    lay_out,
    make_eeg,
    make_exg,
    make_traces,
    to_raw_rate,
)
from eegemo.recordings.simulated_status import channels_of, status_of
from eegemo.recordings.simulated_subject import SimulatedSubject
from eegemo.recordings.synthesis import BASELINE

__all__ = ["Artifacts", "RawTruth", "is_simulated_bdf", "write_raw_recording"]

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

_BAD = 5  # what these random numbers of the session are for


@dataclass(frozen=True)
class RawTruth:
    """What is known about a simulated raw recording.

    Attributes
    ----------
    onsets : ndarray, shape (n_trials,)
        Start of each video in seconds from the first sample, in video order; whole samples at 128
        and at 512 Hz.
    blink_times, saccade_times : ndarray
        Middle of each blink and moment of each saccade, in seconds from the first sample, sorted.
    blink_topography, saccade_topography : ndarray, shape (32,)
        Potential at each EEG electrode (order of `DEAP_EEG_CHANNELS`) per volt of vertical or
        horizontal EOG; no reference subtracted.
    bads : tuple of str
        Names of the bad channels.
    bad_kinds : tuple of str
        "noisy" or "flat", for each of them.
    """

    onsets: Float64
    blink_times: Float64
    saccade_times: Float64
    blink_topography: Float64
    saccade_topography: Float64
    bads: tuple[str, ...]
    bad_kinds: tuple[str, ...]

    def as_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return all of it for `numpy.savez`."""
        names = ("bads", "bad_kinds")
        return {
            name: np.array(value, dtype="U16") if name in names else np.asarray(value)
            for name, value in vars(self).items()
        }


def write_raw_recording(
    path: Path, subject: SimulatedSubject, artifacts: Artifacts | None = None
) -> RawTruth:
    """Simulate and write one participant's recording.

    Parameters
    ----------
    path : Path
        Name of the file.
    subject : SimulatedSubject
        Whose recording.
    artifacts : Artifacts | None
        How strong everything is that is not brain; None is as in a release.

    Returns
    -------
    RawTruth
        What is known about it.
    """
    artifacts = artifacts or Artifacts()
    session = lay_out(subject)
    traces = make_traces(subject, session)
    channels = channels_of(subject.number)
    row = {channel.label: k for k, channel in enumerate(channels)}
    n_times = session.n_times * RATIO
    digital = np.zeros((len(channels), n_times), dtype=np.int32)

    def put(name: str, values: npt.NDArray[np.floating], start: int = 0) -> None:
        numbers = channels[row[name]].digitise(values)
        digital[row[name], start : start + len(numbers)] = numbers

    for name, signal in make_exg(subject, session, traces, artifacts):
        put(name, signal)
    skin = to_raw_rate(traces.signals[4])
    put("GSR1", 1e9 / skin if channels[row["GSR1"]].unit == "nS" else skin)
    for name, source in (("Resp", 5), ("Plet", 6), ("Temp", 7)):
        put(name, to_raw_rate(traces.signals[source]))

    bads = _choose_bads(subject) if artifacts.bad else {}
    rng = subject.generator(_BAD)
    at = 0
    for eeg in make_eeg(subject, session, traces, artifacts):
        for name, values in zip(DEAP_EEG_CHANNELS, eeg, strict=True):
            if bads.get(name) == "flat":
                values[:] = 0
            elif bads.get(name) == "noisy":  # a loose electrode
                values += 100 * rng.standard_normal(len(values), dtype=np.float32)
            put(name, values, at)
        at += eeg.shape[1]

    onsets = session.starts * RATIO + round(BASELINE * RAW_SFREQ)
    digital[-1] = status_of(
        subject.number, n_times, RAW_SFREQ, onsets=onsets, duration=subject.duration
    )
    write_bdf(path, channels, digital, sfreq=RAW_SFREQ, patient=_mark(subject.number, subject.seed))
    fields = eye_fields()
    return RawTruth(
        onsets=session.starts[subject.rated.order - 1] / SFREQ + BASELINE,
        blink_times=traces.blinks,
        saccade_times=traces.saccades,
        blink_topography=fields.blink * artifacts.eyes,
        saccade_topography=fields.saccade * artifacts.eyes,
        bads=tuple(bads),
        bad_kinds=tuple(bads.values()),
    )


def is_simulated_bdf(path: Path, number: int, seed: int) -> bool:
    """Tell whether a BDF file is the one that a simulation gives to a participant.

    Parameters
    ----------
    path : Path
    number, seed : int
        Of the participant and of the release.

    Returns
    -------
    bool
    """
    with path.open("rb") as file:
        return file.read(88)[8:].split(b" ")[0] == _mark(number, seed).encode()


def _mark(number: int, seed: int) -> str:
    return f"simulated-by-eegemo-s{number:02d}-seed{seed}"


def _choose_bads(subject: SimulatedSubject) -> dict[str, str]:
    """Return the bad channels and what is wrong with them."""
    rng = subject.generator(_BAD + 1)
    if rng.random() >= 0.25:
        return {}
    return {str(rng.choice(DEAP_EEG_CHANNELS)): "noisy" if rng.random() < 0.7 else "flat"}
