"""Writer of BioSemi's BDF: 24 bits, all channels at the same rate, records of one second."""

import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from eegemo.store import atomic_file

__all__ = ["BdfChannel", "write_bdf"]

_DIGITAL_MIN, _DIGITAL_MAX = -(2**23), 2**23 - 1


class BdfChannel(NamedTuple):
    """Header fields of a channel.

    Attributes
    ----------
    label : str
        At most 16 letters; may be empty.
    unit : str
        At most 8 letters.
    physical_min, physical_max : float
        What the smallest and the largest of the 24-bit numbers stand for, in `unit`.
    transducer, prefilter : str
        Free text.
    """

    label: str
    unit: str
    physical_min: float
    physical_max: float
    transducer: str = ""
    prefilter: str = ""

    def digitise(self, values: npt.NDArray[np.floating]) -> npt.NDArray[np.int32]:
        """Convert values in `unit` to 24-bit numbers; values outside the range are clipped.

        Parameters
        ----------
        values : ndarray

        Returns
        -------
        ndarray of int32
            Of the same shape.

        Examples
        --------
        >>> BdfChannel("Fp1", "uV", -262144, 262143).digitise(np.array([0.0, 1.0, 1e9])).tolist()
        [16, 48, 8388607]
        """
        gain = (self.physical_max - self.physical_min) / (_DIGITAL_MAX - _DIGITAL_MIN)
        digital = np.rint((values - self.physical_min) / gain) + _DIGITAL_MIN
        np.clip(digital, _DIGITAL_MIN, _DIGITAL_MAX, out=digital)
        return np.asarray(digital, dtype=np.int32)


def write_bdf(
    path: Path,
    channels: Sequence[BdfChannel],
    digital: npt.NDArray[np.int32],
    *,
    sfreq: int = 512,
    patient: str = "X",
) -> None:
    """Write a recording with edfio.

    Parameters
    ----------
    path : Path
        Name of the file.
    channels : sequence of BdfChannel
        The header.
    digital : ndarray of int32, shape (n_channels, n_times)
        Numbers of 24 bits; `n_times` is a multiple of `sfreq`.
    sfreq : int
        Samples per second, and per record.
    patient : str
        First part of the header's patient field, without spaces.

    Notes
    -----
    edfio needs the signals in memory, and as much again for the bytes: 0.4 GB and 0.3 GB for 64
    minutes of 48 channels at 512 Hz. The same input gives the same bytes.

    Examples
    --------
    >>> import tempfile
    >>> channel = BdfChannel("Fp1", "uV", -262144, 262143)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "s01.bdf"
    ...     write_bdf(path, [channel], np.zeros((1, 1024), np.int32))
    ...     path.stat().st_size
    3584
    """
    import edfio  # only a simulation needs it

    signals = [
        edfio.BdfSignal.from_digital(
            row,
            sfreq,
            label=channel.label,
            transducer_type=channel.transducer,
            physical_dimension=channel.unit,
            physical_range=(channel.physical_min, channel.physical_max),
            prefiltering=channel.prefilter,
        )
        for channel, row in zip(channels, digital, strict=True)
    ]
    bdf = edfio.Bdf(
        signals,
        patient=edfio.Patient(code=patient),
        recording=edfio.Recording(startdate=datetime.date(2010, 1, 1)),
        data_record_duration=1,
    )
    with atomic_file(path) as temporary:
        bdf.write(temporary)
