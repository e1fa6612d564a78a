"""Writers of DEAP's preprocessed files, byte for byte as the original tools wrote them.

The ``.dat`` files of DEAP [1]_ are what ``cPickle.dump({"labels": ..., "data": ...}, file, 2)``
wrote in Python 2. Python 3 cannot write them: its ``bytes`` become a ``_codecs.encode`` call on a
text half as long again (153 MB instead of 103 MB). The opcodes are few, so they are written here by
hand, and compared in the tests with a file that Python 2.7.18 and NumPy 1.16.6 wrote.

References
----------
.. [1] Koelstra et al. (2012), "DEAP: A Database for Emotion Analysis using Physiological Signals",
   IEEE Transactions on Affective Computing 3(1), 18-31.
"""

import struct
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import scipy.io

from eegemo.errors import InputError
from eegemo.store import atomic_file

__all__ = ["write_dat", "write_mat"]

# The longest array, in bytes, that fits a string of protocol 2.
_PICKLE_BYTES_MAX = 2**31 - 1

Float64 = npt.NDArray[np.float64]

# The memo numbers (q = BINPUT) are those of cPickle: it numbers from 1 and only stores what it may
# need again, so the second array fetches (h = BINGET) what the first one has defined.
_HEAD = b"\x80\x02}q\x01("
_LABELS_OPEN = (
    b"U\x06labelsq\x02cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray\nq\x04"
    b"K\x00\x85U\x01b\x87Rq\x05(K\x01"
)
_DTYPE = (
    b"cnumpy\ndtype\nq\x06U\x02f8K\x00K\x01\x87Rq\x07"
    b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
)
_DATA_OPEN = b"U\x04dataq\x08h\x03h\x04K\x00\x85U\x01b\x87Rq\x09(K\x01"
_DTYPE_AGAIN = b"h\x07"
_NOT_FORTRAN = b"\x89"
_CLOSE = b"tb"
_TAIL = b"u."

# MATLAB starts a file with free text. The time of writing usually stands there and would make two
# equal simulations differ.
_MAT_TEXT = b"MATLAB 5.0 MAT-file, simulated by eegemo"
_MAT_TEXT_BYTES = 116


def write_dat(
    path: Path, labels: Float64, trials: Iterable[Float64], shape: tuple[int, ...]
) -> None:
    """Write one ``sNN.dat`` as Python 2 did, trial by trial.

    Parameters
    ----------
    path : Path
        Name of the file.
    labels : ndarray, shape (n_trials, 4)
        Ratings from 1 to 9: valence, arousal, dominance, liking.
    trials : iterable of ndarray, shape (n_channels, n_times)
        Signals, one trial after the other, in microvolts for the EEG; taken one at a time, so that
        the whole subject is never in memory.
    shape : tuple of int
        ``(n_trials, n_channels, n_times)``, known beforehand because the length comes first.

    Raises
    ------
    InputError
        The array is too long for a pickle of protocol 2 (2 GiB).
    ValueError
        The trials do not have the shape that was announced.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "s01.dat"
    ...     write_dat(path, np.full((2, 4), 5.0), iter(np.zeros((2, 3, 128))), (2, 3, 128))
    ...     path.stat().st_size
    6396
    """
    n_bytes = 8 * int(np.prod(shape))
    if n_bytes > _PICKLE_BYTES_MAX:
        raise InputError(
            f"{path}: {shape[0]} trials of {shape[1]} channels and {shape[2]} samples are "
            f"{n_bytes / 2**30:.1f} GiB; a .dat file can hold at most 2 GiB. "
            "Ask for fewer or shorter trials."
        )
    with atomic_file(path) as temporary, temporary.open("wb") as file:
        file.write(_HEAD)
        file.write(_LABELS_OPEN + _shape(labels.shape) + _DTYPE + _NOT_FORTRAN)
        file.write(_string_head(labels.nbytes) + _little(labels) + _CLOSE)
        file.write(_DATA_OPEN + _shape(shape) + _DTYPE_AGAIN + _NOT_FORTRAN)
        file.write(_string_head(n_bytes))
        n_trials = 0
        for trial in trials:
            if trial.shape != tuple(shape[1:]):
                raise ValueError(f"trial {n_trials + 1} is {trial.shape}, expected {shape[1:]}")
            file.write(_little(trial))
            n_trials += 1
        if n_trials != shape[0]:
            raise ValueError(f"received {n_trials} trials, expected {shape[0]}")
        file.write(_CLOSE + _TAIL)


def write_mat(path: Path, labels: Float64, data: Float64) -> None:
    """Write one ``sNN.mat``: MATLAB version 5, not compressed.

    Parameters
    ----------
    path : Path
        Name of the file.
    labels : ndarray, shape (n_trials, 4)
        Ratings from 1 to 9: valence, arousal, dominance, liking.
    data : ndarray, shape (n_trials, n_channels, n_times)
        Signals, in microvolts for the EEG.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "s01.mat"
    ...     write_mat(path, np.full((2, 4), 5.0), np.zeros((2, 3, 128)))
    ...     [name for name, shape, kind in scipy.io.whosmat(path)]
    ['labels', 'data']
    """
    with atomic_file(path) as temporary:
        scipy.io.savemat(str(temporary), {"labels": labels, "data": data}, format="5")
        with temporary.open("rb+") as file:
            file.write(_MAT_TEXT.ljust(_MAT_TEXT_BYTES))


def _little(array: npt.ArrayLike) -> bytes:
    return np.ascontiguousarray(array, dtype="<f8").tobytes()


def _integer(value: int) -> bytes:
    """Shortest opcode for a non-negative integer: BININT1, BININT2 or BININT."""
    if value < 256:
        return b"K" + struct.pack("<B", value)
    if value < 65536:
        return b"M" + struct.pack("<H", value)
    return b"J" + struct.pack("<i", value)


def _shape(shape: tuple[int, ...]) -> bytes:
    """TUPLE2 or TUPLE3 of a shape."""
    return b"".join(map(_integer, shape)) + {2: b"\x86", 3: b"\x87"}[len(shape)]


def _string_head(n_bytes: int) -> bytes:
    """SHORT_BINSTRING or BINSTRING with its length; the bytes themselves follow."""
    if n_bytes < 256:
        return b"U" + struct.pack("<B", n_bytes)
    return b"T" + struct.pack("<i", n_bytes)
