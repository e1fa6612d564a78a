"""What the sidecars of BIDS say about channels: types, units, bad ones, positions, line frequency.

They are read here and not by MNE-BIDS, which reads them together with the events and fails or
warns where any of it is unusual: each by itself, and a mistake is told by file and name.
"""

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import mne
import numpy as np

from eegemo.datasets.tables import read_table
from eegemo.errors import DataError
from eegemo.formats.files import named_errors

__all__ = ["ChannelTable", "apply_channels", "apply_line_freq", "apply_positions", "read_channels"]

# Types of BIDS, in MNE's words.
_TYPES = {
    "EEG": "eeg",
    "EOG": "eog",
    "HEOG": "eog",
    "VEOG": "eog",
    "ECG": "ecg",
    "EMG": "emg",
    "TRIG": "stim",
    "RESP": "resp",
    "GSR": "gsr",
    "TEMP": "temperature",
    "MISC": "misc",
    "ECOG": "ecog",
    "SEEG": "seeg",
    "DBS": "dbs",
    "EYEGAZE": "eyegaze",
    "PUPIL": "pupil",
    "NIRS": "misc",
}
# Types of BIDS that are no EEG and have no counterpart; anything else is told.
_OTHER = ("REF", "AUDIO", "PPG", "MEASURED", "OTHER", "SYSCLOCK", "LATENCY", "PD", "ADC", "DAC")
_MISSING = ("", "n/a")
# Coordinate systems of BIDS whose axes MNE knows.
_FRAMES = {
    "CTF": "ctf_head",
    "4DBti": "ctf_head",
    "KitYokogawa": "ctf_head",
    "EEGLAB": "ctf_head",
    "EEGLAB-HJ": "ctf_head",
    "ElektaNeuromag": "head",
    "ChietiItab": "head",
    "CapTrak": "head",
    "ACPC": "ras",
    "ScanRAS": "ras",
    "fsaverage": "mni_tal",
    "Talairach": "mni_tal",
}
_METRES = {"m": 1.0, "cm": 1e-2, "mm": 1e-3}


@dataclass(frozen=True)
class ChannelTable:
    """A ``channels.tsv``.

    Attributes
    ----------
    file : pathlib.Path
    types : dict of str to str
        Type of each channel, in MNE's words; without those whose type is not given.
    units : dict of str to str
    bads : tuple of str
    notes : tuple of str
    """

    file: Path
    names: tuple[str, ...] = ()
    types: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    bads: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def read_channels(file: Path) -> ChannelTable:
    """Read a ``channels.tsv``.

    Raises
    ------
    DataError
        If it cannot be read, or names a channel twice.
    """
    columns = _read_columns(file)
    if "name" not in columns:
        return ChannelTable(file, notes=(f"{file.name} has no column name and was not used",))
    names = columns["name"]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(
            f"{file} names {', '.join(twice[:3])} more than once; expected a row for each channel."
        )
    types, strange = {}, []
    for name, kind in zip(names, columns.get("type", []), strict=False):
        if kind.lower() in _MISSING:
            continue
        types[name] = _TYPES.get(kind.upper(), "misc")
        if kind.upper() not in (*_TYPES, *_OTHER):
            strange.append(f"{kind} ({name})")
    notes = []
    if strange:
        notes.append(f"types of channels.tsv that are not known, taken as misc: {_list(strange)}")
    return ChannelTable(
        file,
        tuple(names),
        types,
        dict(zip(names, columns.get("units", []), strict=False)),
        tuple(
            name
            for name, status in zip(names, columns.get("status", []), strict=False)
            if status.lower() == "bad"
        ),
        tuple(notes),
    )


def match_names(table: ChannelTable, names: Sequence[str], file: Path) -> dict[str, str]:
    """Return the name in the table for each channel of the file that has one.

    Parameters
    ----------
    table : ChannelTable
    names : sequence of str
        Channels of the file, in any order.
    file : pathlib.Path
        For messages.

    Raises
    ------
    DataError
        If a channel of the table is not in the file although there are as many in both.
    """
    listed = list(table.names)
    found = {name: name for name in names if name in listed}
    rest = [name for name in names if name not in found]
    lacking = [name for name in listed if name not in found.values()]
    for name in list(rest):  # the same but for case and blanks
        alike = [other for other in lacking if _plain(other) == _plain(name)]
        if len(alike) == 1 and sum(_plain(other) == _plain(name) for other in rest) == 1:
            found[name] = alike[0]
            rest.remove(name)
            lacking.remove(alike[0])
    if lacking and (len(rest) == len(lacking) or not found):
        raise DataError(
            f"{table.file} and {file.name} do not name the same channels. Only the table has "
            f"{_list(lacking)}; only the file has {_list(rest)}. Correct the names in the table; "
            "their order does not matter."
        )
    return found


def apply_channels(raw: mne.io.BaseRaw, table: ChannelTable, found: Mapping[str, str]) -> list[str]:
    """Name channels as the table does and mark its bad ones, in place; return notes.

    Parameters
    ----------
    raw : mne.io.BaseRaw
    table : ChannelTable
    found : mapping
        Of `match_names`.
    """
    notes = list(table.notes)
    renamed = {
        name: listed for name, listed in found.items() if name != listed and name in raw.ch_names
    }
    if renamed:
        raw.rename_channels(renamed, verbose="ERROR")
        pairs = [f"{old} as {new}" for old, new in renamed.items()]
        notes.append(f"named as in channels.tsv: {_list(pairs)}")
    lacking = [name for name in table.names if name not in found.values()]
    if lacking:
        notes.append(f"channels.tsv lists channels that the file does not have: {_list(lacking)}")
    raw.info["bads"] = [name for name in table.bads if name in raw.ch_names]
    return notes


def apply_line_freq(raw: mne.io.BaseRaw, file: Path) -> None:
    """Set the frequency of the power line from an ``eeg.json``, in place."""
    stated = _read_object(file).get("PowerLineFrequency")
    if isinstance(stated, int | float) and not isinstance(stated, bool):
        raw.info["line_freq"] = float(stated)


def apply_positions(raw: mne.io.BaseRaw, electrodes: Path, coordsystem: Path | None) -> list[str]:
    """Set the positions of electrodes, in place; return notes on what cannot be used.

    Parameters
    ----------
    raw : mne.io.BaseRaw
    electrodes, coordsystem : pathlib.Path
        ``electrodes.tsv`` and ``coordsystem.json``.
    """
    unused = "the positions of the electrodes were not used: "
    if coordsystem is None:
        return [f"{unused}{electrodes.name} has no coordsystem.json"]
    system = _read_object(coordsystem)
    frame, unit = (
        str(system.get("EEGCoordinateSystem", "")),
        str(system.get("EEGCoordinateUnits", "")),
    )
    columns = _read_columns(electrodes)
    if not {"name", "x", "y", "z"} <= set(columns):
        return [f"{unused}{electrodes.name} lacks one of the columns name, x, y and z"]
    try:
        xyz = np.array(
            [
                [np.nan if cell in _MISSING else float(cell) for cell in columns[axis]]
                for axis in "xyz"
            ]
        ).T
    except ValueError:
        return [f"{unused}a position in {electrodes.name} is not a number"]
    if not np.isfinite(xyz).any():
        return [f"{unused}{electrodes.name} holds none"]
    if unit not in _METRES:
        if unit != "n/a":
            return [
                f"{unused}{coordsystem.name} gives their unit as {unit[:20]!r}, not m, cm or mm"
            ]
        largest = float(np.nanmax(np.abs(xyz)))  # a head measures 0.1 m, 10 cm or 100 mm
        unit = "m" if largest < 1 else "cm" if largest < 100 else "mm"
    known = "mni_tal" if frame.startswith("MNI") else _FRAMES.get(frame, "unknown")
    positions = dict(zip(columns["name"], xyz * _METRES[unit], strict=True))
    landmarks = _ears(xyz * _METRES[unit]) if known == "ctf_head" else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # unknown landmarks
        try:
            montage = mne.channels.make_dig_montage(
                {name: place for name, place in positions.items() if np.isfinite(place).all()},
                coord_frame=known,
                **landmarks,
            )
            raw.set_montage(montage, on_missing="ignore", verbose="ERROR")
        except (ValueError, RuntimeError):
            return [f"{unused}those in {electrodes.name} lie in no head that MNE can place"]
    if known == "unknown":
        return [f"the axes of the positions ({frame[:40] or 'no coordinate system'}) are not known"]
    return []


def _ears(xyz: np.ndarray) -> dict[str, np.ndarray]:
    """Return landmarks on the axes of CTF and EEGLAB (x to the nose, y to the left ear)."""
    known = xyz[np.isfinite(xyz).all(axis=1)]
    radius = float(np.median(np.linalg.norm(known - known.mean(axis=0), axis=1)))
    return {
        "nasion": np.array([radius, 0.0, 0.0]),
        "lpa": np.array([0.0, radius, 0.0]),
        "rpa": np.array([0.0, -radius, 0.0]),
    }


def _read_object(file: Path) -> dict[str, object]:
    try:
        with named_errors(file):
            content = json.loads(file.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{file} cannot be read as JSON. Correct it, or remove it.") from error
    return content if isinstance(content, dict) else {}


def _read_columns(file: Path) -> dict[str, list[str]]:
    """Return the columns of a table, as text."""
    table = read_table(file)
    return {str(name): table[name].tolist() for name in table.columns}


def _plain(name: str) -> str:
    return "".join(name.casefold().split())


def _list(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
