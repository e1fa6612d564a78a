"""Simulation of raw recordings, ``data_original/sNN.bdf``, as BioSemi's amplifier writes them.

The trials are those of the preprocessed files before preprocessing: the same brain and muscles,
with what DEAP's authors removed [1]_. A session has no breaks::

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

from eegemo.datasets.deap import DEAP_EEG_CHANNELS
from eegemo.datasets.deap.channels import TWENTE_EEG_CHANNELS
from eegemo.formats.bdf_writing import BdfChannel, write_bdf
from eegemo.simulation.head import eye_fields
from eegemo.simulation.ratings import BASELINE
from eegemo.simulation.raw_signals import (
    RATIO,
    RAW_SFREQ,
    Artifacts,
    lay_out,
    make_eeg,
    make_exg,
    make_traces,
    to_raw_rate,
)
from eegemo.simulation.spectra import SFREQ
from eegemo.simulation.subject import SimulatedSubject

__all__ = [
    "RawTruth",
    "channels_of",
    "is_simulated_bdf",
    "status_of",
    "write_raw_recording",
]


Float32 = npt.NDArray[np.float32]


Float64 = npt.NDArray[np.float64]


_BAD = 5  # what these random numbers of the session are for


@dataclass(frozen=True)
class RawTruth:
    """Ground truth of a simulated raw recording.

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
    """Simulate and write the recording of a participant.

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
    """Return whether a BDF file is the simulated recording of a participant.

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


_VOLTAGE = (-262144.0, 262143.0)  # BioSemi's, in microvolts: 31.25 nV per step


_DIGITAL = (-8388608.0, 8388607.0)


_OFFSETS = {23: 0, 28: 0x18FF00, 31: 0x18FF00, 32: 0x58FF00}  # up to which participant


_HELD = 0.05  # seconds that a code of Geneva lasts


def _like(number: int) -> int:
    return (number - 1) % 32 + 1


def channels_of(number: int) -> list[BdfChannel]:
    """Return the channels of a participant's recording, in their order.

    Parameters
    ----------
    number : int
        Of the participant, from 1.

    Returns
    -------
    list of BdfChannel
        48 or 49, the status channel last.

    Examples
    --------
    >>> [channel.label for channel in channels_of(1)][:4], len(channels_of(1))
    (['Fp1', 'AF3', 'F7', 'F3'], 48)
    >>> [channel.label for channel in channels_of(32)][-2:], len(channels_of(32))
    (['', ''], 49)
    """
    number = _like(number)
    twente = number <= 22
    active = ("Active Electrode", "HP: DC; LP: 104 Hz")
    eeg = TWENTE_EEG_CHANNELS if twente else DEAP_EEG_CHANNELS
    names = [*eeg, *(f"EXG{k}" for k in range(1, 9))]
    skin = ("nS", -524288.0, 524287.0) if twente else ("Ohm", -8388608.0, 8388607.0)
    other = ("HP: DC; LP: 104 Hz",)
    return [
        *(BdfChannel(name, "uV", *_VOLTAGE, *active) for name in names),
        BdfChannel("GSR1", *skin, "GSR electrodes", *other),
        BdfChannel("GSR2", *skin, "GSR electrodes", *other),
        BdfChannel("Erg1", "uV", *_VOLTAGE, "Ergo", *other),
        BdfChannel("Erg2", "uV", *_VOLTAGE, "Ergo", *other),
        BdfChannel("Resp", "uV", *_VOLTAGE, "Respiration belt", *other),
        BdfChannel("Plet", "uV", *_VOLTAGE, "Plethysmograph", *other),
        BdfChannel("Temp", "Degrees", -256.0, 256.0, "Temperature sensor", *other),
        *(
            BdfChannel(name, "Boolean", *_DIGITAL, "Triggers and Status", "No filtering")
            for name in (["Status"] if number <= 23 else [""] if number <= 28 else ["", ""])
        ),
    ]


def status_of(
    number: int,
    n_times: int,
    sfreq: int,
    *,
    onsets: npt.NDArray[np.int64],
    duration: float,
) -> npt.NDArray[np.int32]:
    """Return the status channel of a participant's recording.

    Parameters
    ----------
    number : int
        Of the participant, from 1.
    n_times, sfreq : int
        Samples, and samples per second.
    onsets : ndarray of int, shape (n_trials,)
        Samples at which a video starts, in order.
    duration : float
        Seconds of a video.

    Returns
    -------
    ndarray of int32, shape (n_times,)
        24-bit numbers whose low eight bits are the codes 1 (rating), 2 (sync), 3 (fixation), 4
        (video), 5 (fixation after it) and 7 (end).

    Examples
    --------
    >>> status = status_of(32, 8192, 512, onsets=np.array([4096]), duration=2.0)
    >>> int(status[4096]), int(status[4096] & 255)
    (5832452, 4)
    """
    number = _like(number)
    marks = [(sfreq // 2, 1)]
    if number % 5 == 0:  # unmatched, as in some of DEAP's files
        marks.append((sfreq, 5))
    for onset in onsets.tolist():
        end = onset + round(duration * sfreq)
        marks += [(onset - round(5.5 * sfreq), 2), (onset - 5 * sfreq, 3), (onset, 4)]
        marks += [(end, 5), (end + sfreq // 4, 1)]
    marks.append((marks[-1][0] + 2 * sfreq, 7))
    status = np.zeros(n_times, dtype=np.int32)
    for k, (start, code) in enumerate(marks):
        stop = marks[k + 1][0] if k + 1 < len(marks) else n_times
        status[start : stop if number <= 22 else start + round(_HELD * sfreq)] = code
    return status + next(offset for last, offset in _OFFSETS.items() if number <= last)
