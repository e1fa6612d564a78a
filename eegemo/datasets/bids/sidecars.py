"""Checks of BIDS sidecars, before they are read and against the signals."""

import json
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from eegemo.datasets.tables import MAX_TABLE_BYTES, check_table
from eegemo.errors import DataError
from eegemo.formats.files import named_errors

__all__ = ["check_header", "check_sampling", "check_sidecars"]

# Rates are rounded when they are written: 511.9987 Hz becomes 512.
_RATE_TOLERANCE = 1e-3
_CHANNEL = re.compile(rb"^[ \t]*Ch\d+[ \t]*[=:]", re.M | re.I)
_N_CHANNELS = re.compile(rb"^[ \t]*NumberOfChannels[ \t]*[=:][ \t]*\+?0*([\d_]+)", re.M | re.I)
_FEW_CHANNELS = 1000  # this many take no memory, whatever is listed


def check_sidecars(files: Iterable[Path]) -> None:
    """Refuse tables and JSON files that would take too much memory.

    Parameters
    ----------
    files : iterable of pathlib.Path
        Only ``.tsv`` and ``.json`` are checked.

    Raises
    ------
    DataError
        If a file is too large or cannot be read, or a table has a far too large cell or bytes that
        are no text.
    """
    for file in files:
        if file.suffix.lower() not in (".tsv", ".json"):
            continue
        with named_errors(file):
            size = file.stat().st_size
            if size > MAX_TABLE_BYTES:
                raise DataError(
                    f"{file} has {size / 2**20:.0f} MiB; a table or sidecar has at most "
                    f"{MAX_TABLE_BYTES / 2**20:.0f}. It may be hostile, or another kind of file."
                )
            content = file.read_bytes()
        if file.suffix.lower() == ".tsv":
            check_table(content, file)


def check_header(file: Path) -> None:
    """Refuse a BrainVision header that claims more channels than it lists.

    MNE would make a list of that length first.

    Parameters
    ----------
    file : pathlib.Path
        Other formats are ignored.

    Raises
    ------
    DataError
        If it claims more channels than it lists, or cannot be read.
    """
    if file.suffix.lower() != ".vhdr":
        return
    with named_errors(file):
        content = file.read_bytes()
    listed = len(_CHANNEL.findall(content))
    for claimed in _N_CHANNELS.findall(content):
        if len(claimed) > 9 or int(claimed) > max(listed, _FEW_CHANNELS):
            raise DataError(f"{file} claims {claimed[:20].decode()} channels and lists {listed}.")


def check_sampling(
    file: Path, sfreq: float, duration: float, sidecars: Iterable[Path]
) -> list[str]:
    """Refuse a recording whose sidecars give another sampling frequency than its signals.

    If either is wrong, then so is every onset or every frequency. A different duration is noted.

    Parameters
    ----------
    file : pathlib.Path
        The recording, for the message.
    sfreq : float
        Of the signals, in Hz.
    duration : float
        Of the signals, in seconds.
    sidecars : iterable of pathlib.Path
        Sidecars that apply to the recording; only ``*_eeg.json`` is read.

    Returns
    -------
    notes : list of str

    Raises
    ------
    DataError
        If they differ by more than 0.1 %, or a sidecar is no JSON object.
    """
    notes = []
    for sidecar in sidecars:
        if not sidecar.name.endswith("_eeg.json"):
            continue
        content = _read_json(sidecar)
        stated = _number(content.get("SamplingFrequency"))
        if stated is not None and not abs(stated - sfreq) <= _RATE_TOLERANCE * sfreq:
            raise DataError(
                f"{sidecar} says a SamplingFrequency of {stated:g} Hz; the signals of {file.name} "
                f"have {sfreq:g} Hz. Correct the one that is wrong."
            )
        stated = _number(content.get("RecordingDuration"))
        if stated is not None and not abs(stated - duration) <= max(1.0, 0.01 * duration):
            notes.append(
                f"{file.name}: lasts {duration:g} s, by {sidecar.name} {stated:g} s; "
                "is it complete?"
            )
    return notes


def _number(value: Any) -> float | None:
    """Return a number as a float; None for "n/a" and missing values."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, int) and abs(value) > 1e300:  # whole numbers have no end in JSON
        return math.inf
    return float(value)


def _read_json(file: Path) -> dict[str, Any]:
    try:
        with named_errors(file):
            content = json.loads(file.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{file} cannot be read as JSON: {str(error)[:200]}.") from error
    if not isinstance(content, dict):
        raise DataError(f"{file}: expected a JSON object, found {type(content).__name__}.")
    return content
