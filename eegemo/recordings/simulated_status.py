"""Header and status channel of a simulated raw recording, in each of the forms that DEAP's have.

=============  ========  ==============  ======================  ============
participants   channels  status's name   code 4 reads            EEG and GSR
=============  ========  ==============  ======================  ============
1 to 22        48        ``Status``      4                       Twente, nS
23             48        ``Status``      4                       Geneva, ohm
24 to 28       48        (blank)         1638148                 Geneva, ohm
29 to 31       49        (blank), twice  1638148                 Geneva, ohm
32             49        (blank), twice  5832452                 Geneva, ohm
=============  ========  ==============  ======================  ============

Participants beyond 32 begin again with the form of the first. Codes of Twente stay until the next
one, those of Geneva last 50 ms.
"""

import numpy as np
import numpy.typing as npt

from eegemo.recordings.bdf_files import BdfChannel
from eegemo.recordings.deap import DEAP_EEG_CHANNELS
from eegemo.recordings.deap_channels import TWENTE_EEG_CHANNELS

__all__ = ["channels_of", "status_of"]

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
