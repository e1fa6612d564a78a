"""Reader of BioSemi's BDF: a checked header, and the samples in blocks.

A BDF file is a header of ``256 * (n_channels + 1)`` bytes, followed by records, usually of one
second. A record holds each channel's samples in turn, three bytes each, lowest first [1]_::

    header | channel 1: s s s ... | channel 2: s s s ... | ... | channel 1 (next record) ...

The header is checked against the size of the file before any sample is read. So no header can make
the reader allocate more than the file holds, or take noise for signals.

References
----------
.. [1] BioSemi, "Which file format does BioSemi use?", www.biosemi.com/faq/file_format.htm
"""

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from eegemo.errors import DataError
from eegemo.formats.files import check_file, named_errors

__all__ = ["BdfHeader", "decode", "read_bdf_blocks", "read_bdf_header"]

_MAGIC = b"\xffBIOSEMI"
_FIXED = 256
_MAX_CHANNELS = 1024
_SAMPLE_BYTES = 3
_BLOCK_BYTES = 4_000_000
_ANNOTATIONS = "BDF Annotations"
# Bytes of each field, in the order of the file; every field is stored for all channels in turn.
_FIELDS = {
    "label": 16,
    "transducer": 80,
    "unit": 8,
    "physical_min": 8,
    "physical_max": 8,
    "digital_min": 8,
    "digital_max": 8,
    "prefilter": 80,
    "n_samples": 8,
    "reserved": 32,
}
_INTEGER = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")

_Number = TypeVar("_Number", int, float)


@dataclass(frozen=True)
class BdfHeader:
    """Header of a BDF file, checked against the file.

    Attributes
    ----------
    path : pathlib.Path
        The file.
    labels, units : tuple of str
        Of each channel, in the order of the file; a label may be empty or occur twice.
    n_records, n_samples : int
        Number of records, and samples per channel and record.
    sfreq : float
        Sampling frequency in Hz, the same for all channels.
    gains, offsets : tuple of float
        Of each channel: the value in its unit is ``gain * number + offset``.
    """

    path: Path
    labels: tuple[str, ...]
    units: tuple[str, ...]
    n_records: int
    n_samples: int
    sfreq: float
    gains: tuple[float, ...]
    offsets: tuple[float, ...]

    @property
    def n_times(self) -> int:
        """Number of samples of each channel."""
        return self.n_records * self.n_samples


def read_bdf_header(path: str | Path) -> BdfHeader:
    """Read and check the header of a BDF file.

    Parameters
    ----------
    path : str | pathlib.Path
        The file.

    Returns
    -------
    BdfHeader
        The checked header.

    Raises
    ------
    DataError
        If the file is missing, not a BDF, truncated, longer or shorter than its header says, or has
        channels of different rates or without a scale.
    """
    path = Path(path)
    check_file(path)
    with named_errors(path):
        size = path.stat().st_size
        with path.open("rb") as file:
            fixed = file.read(_FIXED)
            if fixed[:8] != _MAGIC:
                raise DataError(
                    f"{path} is not a BDF file: expected it to begin with {_MAGIC!r}, "
                    f"found {fixed[:8]!r}."
                )
            if len(fixed) < _FIXED:
                raise DataError(f"{path} is truncated: it ends inside its header.")
            n_channels = _parse(path, "number of channels", fixed[252:256], int, 1, _MAX_CHANNELS)
            rest = file.read(_FIXED * n_channels)
    header_bytes = _parse(path, "size of the header", fixed[184:192], int, 1, 2**31)
    if header_bytes != _FIXED * (n_channels + 1):
        raise DataError(
            f"{path}: the header says that it has {header_bytes} bytes and {n_channels} channels; "
            f"expected {_FIXED * (n_channels + 1)} bytes for these."
        )
    if len(rest) < _FIXED * n_channels:
        raise DataError(f"{path} is truncated: it ends inside its header.")
    n_records = _parse(path, "number of records", fixed[236:244], int, -1, 10**8 - 1)
    duration = _parse(path, "duration of a record", fixed[244:252], float, 1e-3, 3600.0)
    if n_records < 1:
        raise DataError(
            f"{path}: the header says {n_records} records. The recording was not closed, or the "
            "file was cut off; expected the number of records."
        )
    fields = _split(rest, n_channels)
    labels = tuple(_text(label) for label in fields["label"])
    samples = [
        _parse(path, f"samples per record of channel {k + 1}", raw, int, 1, 10**7)
        for k, raw in enumerate(fields["n_samples"])
    ]
    expected = header_bytes + n_records * sum(samples) * _SAMPLE_BYTES
    if size != expected:
        what = "is truncated" if size < expected else "is longer than its header says"
        raise DataError(
            f"{path} {what}: expected {expected:,} bytes for {n_records} records of {n_channels} "
            f"channels, found {size:,}."
        )
    if _ANNOTATIONS in labels:
        raise DataError(
            f"{path} is a BDF+ file with a channel of annotations; expected BioSemi's own BDF, "
            "whose events are in its last channel."
        )
    if len(set(samples)) > 1:
        raise DataError(
            f"{path}: channels have {', '.join(map(str, sorted(set(samples))))} samples per "
            "record; expected one rate for all."
        )
    scales = [
        _scale(path, label or f"number {k + 1}", {name: raw[k] for name, raw in fields.items()})
        for k, label in enumerate(labels)
    ]
    return BdfHeader(
        path=path,
        labels=labels,
        units=tuple(_text(unit) for unit in fields["unit"]),
        n_records=n_records,
        n_samples=samples[0],
        sfreq=samples[0] / duration,
        gains=tuple(gain for gain, _ in scales),
        offsets=tuple(offset for _, offset in scales),
    )


def read_bdf_blocks(
    header: BdfHeader, start: int = 0, stop: int | None = None
) -> Iterator[tuple[int, npt.NDArray[np.uint8]]]:
    """Read a file in blocks of a few megabytes.

    Parameters
    ----------
    header : BdfHeader
        Of the file.
    start, stop : int | None
        First record, and the one after the last; None goes to the end.

    Yields
    ------
    first : int
        Number of the block's first record.
    block : ndarray of uint8, shape (n_records, n_channels, n_samples, 3)
        The three bytes of each sample, lowest first.

    Raises
    ------
    DataError
        If the file cannot be read, or is no longer as long as it was.
    """
    stop = header.n_records if stop is None else stop
    shape = (len(header.labels), header.n_samples, _SAMPLE_BYTES)
    record = math.prod(shape)
    step = max(1, _BLOCK_BYTES // record)
    with named_errors(header.path), header.path.open("rb") as file:
        file.seek(_FIXED * (len(header.labels) + 1) + start * record)
        for first in range(start, stop, step):
            n_records = min(step, stop - first)
            block = np.fromfile(file, np.uint8, n_records * record)
            if block.size != n_records * record:
                raise DataError(f"{header.path} has been cut off while it was read.")
            yield first, block.reshape(n_records, *shape)


def decode(samples: npt.NDArray[np.uint8]) -> npt.NDArray[np.int32]:
    """Decode samples of three bytes.

    Parameters
    ----------
    samples : ndarray of uint8, shape (..., 3)
        Lowest byte first, two's complement.

    Returns
    -------
    ndarray of int32, shape (...)

    Examples
    --------
    >>> decode(np.array([[1, 0, 0], [255, 255, 255], [0, 0, 128]], np.uint8)).tolist()
    [1, -1, -8388608]
    """
    numbers = samples[..., 2].view(np.int8).astype(np.int32)  # the sign is in the highest byte
    for byte in (1, 0):
        numbers <<= 8
        numbers |= samples[..., byte]
    return numbers


def _split(raw: bytes, n_channels: int) -> dict[str, list[bytes]]:
    fields, start = {}, 0
    for name, width in _FIELDS.items():
        stop = start + width * n_channels
        fields[name] = [raw[at : at + width] for at in range(start, stop, width)]
        start = stop
    return fields


def _text(raw: bytes) -> str:
    return raw.decode("latin-1").partition("\x00")[0].strip()


def _parse(
    path: Path, what: str, raw: bytes, kind: Callable[[str], _Number], low: float, high: float
) -> _Number:
    """Parse a number by the rules of BDF; Python's own would accept 4_8, nan and inf, too."""
    text = _text(raw)
    if (_INTEGER if kind is int else _NUMBER).fullmatch(text):
        number = kind(text)
        if low <= number <= high:
            return number
    raise DataError(
        f"{path}: the header gives the {what} as {text!r}; expected "
        f"{'a whole number' if kind is int else 'a number'} from {low:g} to {high:g}."
    )


def _scale(path: Path, name: str, fields: dict[str, bytes]) -> tuple[float, float]:
    """Return gain and offset of a channel."""
    low, high = (
        _parse(path, f"{end} of channel {name}", fields[end], float, -1e15, 1e15)
        for end in ("physical_min", "physical_max")
    )
    first, last = (
        _parse(path, f"{end} of channel {name}", fields[end], int, -(2**23), 2**23 - 1)
        for end in ("digital_min", "digital_max")
    )
    if high == low or first >= last:
        raise DataError(
            f"{path}: channel {name} has no scale: its numbers from {first} to {last} stand for "
            f"{low:g} to {high:g}."
        )
    gain = (high - low) / (last - first)
    return gain, low - gain * first
