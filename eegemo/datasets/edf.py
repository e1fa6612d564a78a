"""Headers and record times of EDF, EDF+ and BDF files, which MNE does not tell.

An EDF+D or BDF+D file has gaps between its records. The time of each record stands at the start of
its annotation signal, as ``+30.5<20><20><0>``::

    header | signals, +0<20><20><0>... | signals, +1<20><20><0>... | signals, +22<20><20><0>...
"""

import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eegemo.errors import DataError
from eegemo.formats.files import named_errors

__all__ = ["EdfHeader", "read_annotations", "read_edf_header", "read_record_times"]

_FIXED = 256
_MAX_CHANNELS = 4096
_ANNOTATIONS = ("EDF Annotations", "BDF Annotations")
_NUMBER = re.compile(r"[+-]?(\d{1,15}\.?\d*|\.\d+)([eE][+-]?\d{1,2})?", re.ASCII)
_TIME = re.compile(rb"([+-]\d+(?:\.\d*)?)(?:\x15\d+(?:\.\d*)?)?\x14")
_LIST = re.compile(rb"([+-]\d+(?:\.\d*)?)(?:\x15(\d+(?:\.\d*)?))?\x14(.*?)\x14\0", re.S)
_WIDTHS = (16, 80, 8, 8, 8, 8, 8, 80, 8, 32)  # label, transducer, unit, 4 limits, filter, samples


@dataclass(frozen=True)
class EdfHeader:
    """Header of an EDF or BDF file.

    Attributes
    ----------
    path : pathlib.Path
    labels, units : tuple of str
        Of each channel, annotations included.
    n_samples : tuple of int
        Samples of each channel in a record.
    n_records : int
        Whole records in the file.
    stated : int
        Records that the header states; -1 where the recording was not closed.
    duration : float
        Of a record, in seconds.
    interrupted : bool
        Whether there may be gaps between records (EDF+D, BDF+D).
    sample_bytes : int
    """

    path: Path
    labels: tuple[str, ...]
    units: tuple[str, ...]
    n_samples: tuple[int, ...]
    n_records: int
    stated: int
    duration: float
    interrupted: bool
    sample_bytes: int

    def rate(self, channel: int) -> float:
        """Return the sampling rate of a channel in Hz."""
        return self.n_samples[channel] / self.duration

    @property
    def names(self) -> list[str]:
        """Names that MNE gives to the signals: equal labels are numbered."""
        labels = [self.labels[k] for k in self.signals]
        seen: dict[str, int] = {}
        names = []
        for label in labels:
            number = seen[label] = seen.get(label, -1) + 1
            names.append(label if labels.count(label) == 1 else f"{label}-{number}")
        return names

    @property
    def signals(self) -> list[int]:
        """Numbers of the channels that hold signals."""
        return [k for k, label in enumerate(self.labels) if label not in _ANNOTATIONS]


def read_edf_header(path: Path) -> EdfHeader:
    """Read the header of an EDF or BDF file.

    Raises
    ------
    DataError
        If the file is no EDF or BDF, or is cut off inside its header.
    """
    kind = path.suffix[1:].upper()
    with named_errors(path), path.open("rb") as file:
        fixed = file.read(_FIXED)
        n_channels = _number(fixed[252:256])
        known = fixed[:1] == b"\xff" if kind == "BDF" else fixed[:8].strip(b" \0") == b"0"
        if not known or not 0 < n_channels <= _MAX_CHANNELS:
            raise DataError(
                f"{path} cannot be read: expected a header of {kind}, found bytes that are none. "
                "The file is damaged, or of another format than its name says."
            )
        rest = file.read(_FIXED * int(n_channels))
        size = path.stat().st_size
    if len(rest) < _FIXED * n_channels:
        raise DataError(f"{path} cannot be read: it is cut off inside its header. Copy it again.")
    columns, begin = [], 0
    for width in _WIDTHS:
        end = begin + width * int(n_channels)
        columns.append([rest[k : k + width] for k in range(begin, end, width)])
        begin = end
    n_samples = [_number(cell) for cell in columns[8]]
    duration = _number(fixed[244:252])
    stated = _number(fixed[236:244])
    if not all(1 <= n < 1e9 for n in n_samples) or not (math.isfinite(duration) and duration >= 0):
        raise DataError(
            f"{path} cannot be read: its header does not say how many samples a record has, or how "
            "long it lasts. The file is damaged; copy or export it again."
        )
    sample_bytes = 3 if kind == "BDF" else 2
    in_file = (size - _FIXED - len(rest)) // (sample_bytes * int(sum(n_samples)))
    if in_file < 1:
        raise DataError(f"{path} cannot be read: it has a header, but no whole record of signals.")
    return EdfHeader(
        path,
        labels=tuple(_text(cell) for cell in columns[0]),
        units=tuple(_text(cell) for cell in columns[2]),
        n_samples=tuple(int(n) for n in n_samples),
        n_records=int(in_file),
        stated=int(stated) if math.isfinite(stated) else -1,
        duration=duration or 1.0,
        interrupted=fixed[192:197] in (b"EDF+D", b"BDF+D"),
        sample_bytes=sample_bytes,
    )


def read_record_times(header: EdfHeader) -> np.ndarray:
    """Return the start of each record in seconds from the start of the first.

    Parameters
    ----------
    header : EdfHeader

    Returns
    -------
    ndarray of float, shape (n_records,)

    Raises
    ------
    DataError
        If a record has no time, or one before that of the record before it.
    """
    path = header.path
    channel = next((k for k, name in enumerate(header.labels) if name in _ANNOTATIONS), None)
    if channel is None:
        raise DataError(
            f"{path} says that it is discontinuous (EDF+D), but has no signal of annotations that "
            "gives the times of its records. Export it again, as EDF+C if it has no gap."
        )
    begin = sum(header.n_samples[:channel]) * header.sample_bytes
    length = header.n_samples[channel] * header.sample_bytes
    step = sum(header.n_samples) * header.sample_bytes
    offset = _FIXED * (len(header.labels) + 1)
    with named_errors(path):
        content = np.memmap(path, np.uint8, "r", offset, (header.n_records, step))
    times = np.empty(header.n_records)
    for record in range(header.n_records):
        match = _TIME.match(content[record, begin : begin + length].tobytes())
        if match is None:
            raise DataError(
                f"{path}: record {record + 1} of {header.n_records} has no time, which a "
                "discontinuous file (EDF+D) needs. Export it again."
            )
        times[record] = float(match[1])
    wrong = np.flatnonzero(np.diff(times) < header.duration - 0.01 * header.duration)
    if wrong.size:
        record = int(wrong[0])
        raise DataError(
            f"{path}: record {record + 2} begins at {times[record + 1]:g} s, before the end of the "
            f"one before it ({times[record] + header.duration:g} s). Its times are wrong; export "
            "it again."
        )
    started: np.ndarray = times - times[0]
    return started


def _text(cell: bytes) -> str:
    return cell.decode("latin-1").split("\0")[0].strip()


def _number(cell: bytes) -> float:
    text = _text(cell).replace(",", ".")
    return float(text) if _NUMBER.fullmatch(text) else math.nan


def read_annotations(header: EdfHeader) -> list[tuple[float, float, str]]:
    """Return onset and duration in seconds from the first record, and the text of all annotations.

    MNE reads them, too, but drops those that lie after the end of the signals without their gaps.
    """
    with named_errors(header.path):
        offset = _FIXED * (len(header.labels) + 1)
        step = sum(header.n_samples) * header.sample_bytes
        content = np.memmap(header.path, np.uint8, "r", offset, (header.n_records, step))
    begins = np.concatenate([[0], np.cumsum(header.n_samples)]) * header.sample_bytes
    found: list[tuple[float, float, str]] = []
    first: float | None = None
    for channel, label in enumerate(header.labels):
        if label not in _ANNOTATIONS:
            continue
        for record in content[:, begins[channel] : begins[channel + 1]]:
            for match in _LIST.finditer(record.tobytes()):
                onset = float(match[1])
                first = onset if first is None else first
                duration = float(match[2]) if match[2] else 0.0
                texts = match[3].decode("utf-8", "replace").split("\x14")
                found += [(onset, duration, text) for text in texts if text]
    return [(onset - (first or 0.0), duration, text) for onset, duration, text in found]
