"""Channels of DEAP's original recordings: the same channels from every variant of the files.

The recordings were made at two sites, and their files differ:

- Twente (participants 1-22) and Geneva (23-32) order the 32 EEG channels differently;
- skin response is a conductance in nS from Twente and a resistance in ohm from Geneva;
- the status channel is the last one; it is called ``Status`` or has no name, and another channel
  without a name may precede it. Codes are its low eight bits; the others are the state of the
  amplifier (code 4 may read 4, 1638148 or 5832452).

`open_raw_deap` returns the same for all of them: channels as in the preprocessed files (Geneva's
order), volts, positions, and codes without the amplifier's bits in the channel ``Status``. Signals
are read when they are needed.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import mne
import numpy as np
import numpy.typing as npt

from eegemo.datasets.deap.constants import DEAP_CHANNELS, DEAP_EEG_CHANNELS, PERIPHERAL
from eegemo.errors import DataError
from eegemo.formats.bdf import BdfHeader, decode, read_bdf_blocks, read_bdf_header

__all__ = ["STATUS", "TWENTE_EEG_CHANNELS", "Exg", "RawDeap", "Site", "open_raw_deap"]

STATUS = "Status"
Exg = Literal["bipolar", "monopolar", "both"]
Site = Literal["twente", "geneva"]

# fmt: off
#: The order in which Twente recorded the 32 EEG channels; Geneva's is `DEAP_EEG_CHANNELS`.
TWENTE_EEG_CHANNELS: tuple[str, ...] = (
    "Fp1", "AF3", "F7", "F3", "FC1", "FC5", "T7", "C3",
    "CP1", "CP5", "P7", "P3", "Pz", "PO3", "O1", "Oz",
    "O2", "PO4", "P4", "P8", "CP6", "CP2", "C4", "T8",
    "FC6", "FC2", "F4", "F8", "AF4", "Fp2", "Fz", "Cz",
)
# fmt: on
# Left minus right, above minus below, and the two electrodes on each muscle.
_BIPOLAR = {
    "hEOG": ("EXG1", "EXG2"),
    "vEOG": ("EXG3", "EXG4"),
    "zEMG": ("EXG5", "EXG6"),
    "tEMG": ("EXG7", "EXG8"),
}
_OTHER = {"GSR": "GSR1", "Respiration": "Resp", "Plethysmograph": "Plet", "Temperature": "Temp"}
# Latin-1 readings of the micro sign included
_VOLTS = {"v": 1.0, "mv": 1e-3, "uv": 1e-6, "µv": 1e-6, "\x83êv": 1e-6, "nv": 1e-9}
_SIEMENS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0}
_OHM = {"ohm": 1.0, "kohm": 1e3, "mohm": 1e6}
_LAST_TWENTE, _LAST = 22, 32
_NO_CONTACT = 1e-9  # siemens: a conductance not above this is no measurement


class _Source(NamedTuple):
    """Source of a channel: the difference of two channels of the file, or a single channel."""

    kind: str
    plus: int
    minus: int | None
    factor: float
    conductance: bool = False


@dataclass(frozen=True)
class _Scan:
    """Findings of a pass over the complete file."""

    codes: npt.NDArray[np.uint8]  # of every sample
    flat: npt.NDArray[np.bool_]  # (n_records, n_channels)
    no_contact: float  # seconds in which the skin conductance is not above zero


class RawDeap(mne.io.BaseRaw):
    """An original recording of DEAP, read when samples are needed.

    Parameters
    ----------
    header : BdfHeader
    sources : dict
        Source of each channel, in the order of the channels.
    codes : ndarray of uint8, shape (n_times,)
        For the channel ``Status``.
    """

    def __init__(
        self, header: BdfHeader, sources: dict[str, _Source], codes: npt.NDArray[np.uint8]
    ) -> None:
        names = [*sources, STATUS]
        kinds = [*(source.kind for source in sources.values()), "stim"]
        info = mne.create_info(names, header.sfreq, kinds, verbose="ERROR")
        info.set_montage("biosemi32", verbose="ERROR")
        super().__init__(
            info,
            preload=False,
            last_samps=[header.n_times - 1],
            filenames=[header.path],
            raw_extras=[{"header": header, "sources": list(sources.values()), "codes": codes}],
            orig_format="int",
            verbose="ERROR",
        )

    @property
    def codes(self) -> npt.NDArray[np.uint8]:
        """Codes of all samples of the file, of shape (n_times,)."""
        codes: npt.NDArray[np.uint8] = self._raw_extras[0]["codes"]
        return codes

    @property
    def recorded_sfreq(self) -> float:
        """Sampling frequency of the file in Hz, to which `codes` belong."""
        header: BdfHeader = self._raw_extras[0]["header"]
        return header.sfreq

    def _read_segment_file(
        self,
        data: npt.NDArray[np.float64],
        idx: Any,
        fi: int,
        start: int,
        stop: int,
        cals: npt.NDArray[np.float64],
        mult: npt.NDArray[np.float64] | None,
    ) -> None:
        """Fill `data` with the samples from `start` on; MNE calls this."""
        # MNE lets this method see nothing of the object but its files and extras
        extras = self._raw_extras[fi]
        header, sources, codes = (extras[name] for name in ("header", "sources", "codes"))
        n_samples = header.n_samples
        rows = np.arange(len(sources) + 1)[idx]
        stop = start + data.shape[1]
        for first, block in read_bdf_blocks(header, start // n_samples, -(-stop // n_samples)):
            at = first * n_samples
            begin, end = max(start, at), min(stop, at + len(block) * n_samples)
            inside = slice(begin - at, end - at)
            part = np.empty((len(rows), end - begin))
            for out, row in zip(part, rows, strict=True):
                if row == len(sources):
                    out[:] = codes[begin:end]
                else:
                    _convert(header, sources[row], block, inside, out)
            target = data[:, begin - start : end - start]
            target[:] = part if mult is None else mult @ part


def open_raw_deap(
    path: str | Path, *, exg: Exg = "bipolar", site: Site | None = None
) -> tuple[RawDeap, list[str]]:
    """Open an original recording; return notes where `read_raw_deap` warns.

    Parameters
    ----------
    path, exg, site
        See `eegemo.datasets.deap.read_raw_deap`.

    Returns
    -------
    raw : RawDeap
        Not loaded, without annotations.
    notes : list of str
        What the user should know.
    """
    if exg not in ("bipolar", "monopolar", "both"):
        raise DataError(f"exg={exg!r}; expected 'bipolar', 'monopolar' or 'both'.")
    header = read_bdf_header(path)
    status = len(header.labels) - 1
    index = _find_channels(header)
    sources, notes = _choose_sources(header, index, exg, site)
    skin = sources.get("GSR")
    scan = _scan(header, status, skin if skin and skin.conductance else None)
    raw = RawDeap(header, sources, scan.codes)
    names = {number: header.labels[number] for number in range(status)}
    notes += _mark_flat(raw, scan.flat, sources, names)
    if scan.no_contact:
        notes.append(
            f"GSR: no contact for {scan.no_contact:.1f} s (conductance not above 1 nS), given as "
            "1e9 ohm"
        )
    return raw, [f"{header.path.name}: {note}" for note in notes]


def _find_channels(header: BdfHeader) -> dict[str, int]:
    """Return the number of each channel but the status channel, by its name in lower case."""
    index: dict[str, int] = {}
    wanted = {*DEAP_EEG_CHANNELS, *_OTHER.values(), *(f"EXG{k}" for k in range(1, 9))}
    wanted = {name.lower() for name in wanted}
    for number, label in enumerate(header.labels[:-1]):
        name = label.lower()
        if name in index and name in wanted:
            raise DataError(f"{header.path} has two channels {label}; expected one.")
        index[name] = number
    if header.labels[-1].lower() in wanted:
        raise DataError(
            f"{header.path}: the last channel is {header.labels[-1]}; expected the status channel."
        )
    missing = [name for name in DEAP_EEG_CHANNELS if name.lower() not in index]
    if missing:
        raise DataError(
            f"{header.path} has no channel {', '.join(missing)}; expected DEAP's 32 EEG channels, "
            f"found {', '.join(label or '(no name)' for label in header.labels)}."
        )
    return index


def _choose_sources(
    header: BdfHeader, index: dict[str, int], exg: Exg, site: Site | None
) -> tuple[dict[str, _Source], list[str]]:
    sources = {
        name: _Source("eeg", index[name.lower()], None, _volts(header, index[name.lower()]))
        for name in DEAP_EEG_CHANNELS
    }
    missing = []
    for name, pair in _BIPOLAR.items():
        lost = [label for label in pair if label.lower() not in index]
        missing += lost
        kind = PERIPHERAL[name][0]
        if not lost and exg != "monopolar":
            plus, minus = (index[label.lower()] for label in pair)
            factor = _volts(header, plus)
            if (factor, header.gains[plus]) != (_volts(header, minus), header.gains[minus]):
                raise DataError(
                    f"{header.path}: {pair[0]} and {pair[1]} have different scales; expected one, "
                    "since they are two electrodes of one amplifier."
                )
            sources[name] = _Source(kind, plus, minus, factor)
        for label in (label for label in pair if label not in lost and exg != "bipolar"):
            number = index[label.lower()]
            sources[label] = _Source(kind, number, None, _volts(header, number))
    for name, label in _OTHER.items():
        if label.lower() not in index:
            missing.append(label)
            continue
        number = index[label.lower()]
        factor, conductance = _skin(header, number, site) if name == "GSR" else (1.0, False)
        sources[name] = _Source(PERIPHERAL[name][0], number, None, factor, conductance)
    order = [*DEAP_CHANNELS, *(f"EXG{k}" for k in range(1, 9))]
    sources = {name: sources[name] for name in order if name in sources}
    notes = [f"no channel {', '.join(missing)}, so what it gives is missing"] * bool(missing)
    return sources, notes


def _volts(header: BdfHeader, number: int) -> float:
    """Return the factor from a channel's unit to volts."""
    unit = header.units[number]
    if unit.lower() not in _VOLTS:
        raise DataError(
            f"{header.path}: channel {header.labels[number]} is in {unit!r}; expected a voltage "
            "such as 'uV'."
        )
    return _VOLTS[unit.lower()]


def _skin(header: BdfHeader, number: int, site: Site | None) -> tuple[float, bool]:
    """Return the factor of the skin response to ohm or siemens, and whether it is siemens."""
    unit = header.units[number].lower()
    if site is None:
        if unit in _SIEMENS:
            return _SIEMENS[unit], True
        if unit in _OHM:
            return _OHM[unit], False
        site = _guess_site(header)
    if site == "twente":
        return _SIEMENS.get(unit, 1e-9), True
    return _OHM.get(unit, 1.0), False


def _guess_site(header: BdfHeader) -> Site:
    digits = re.fullmatch(r"s(\d+)", header.path.stem.lower())
    if digits and 1 <= int(digits[1]) <= _LAST:
        return "twente" if int(digits[1]) <= _LAST_TWENTE else "geneva"
    found = [label.lower() for label in header.labels]
    order = [name.lower() for name in TWENTE_EEG_CHANNELS]
    return "twente" if found[: len(order)] == order else "geneva"


def _convert(
    header: BdfHeader,
    source: _Source,
    block: npt.NDArray[np.uint8],
    inside: slice,
    out: npt.NDArray[np.float64],
) -> None:
    """Convert the samples of a channel to volts (or its other unit), into `out`."""
    numbers = decode(block[:, source.plus]).reshape(-1)[inside]
    gain, offset = header.gains[source.plus], header.offsets[source.plus]
    if source.minus is not None:
        numbers = numbers - decode(block[:, source.minus]).reshape(-1)[inside]
        offset -= header.offsets[source.minus]
    np.multiply(numbers, gain * source.factor, out=out)
    out += offset * source.factor
    if source.conductance:
        np.maximum(out, _NO_CONTACT, out=out)
        np.reciprocal(out, out=out)


def _scan(header: BdfHeader, status: int, skin: _Source | None) -> _Scan:
    """Read the complete file once, a few megabytes at a time."""
    codes = np.empty(header.n_times, dtype=np.uint8)
    flat = np.empty((header.n_records, len(header.labels)), dtype=bool)
    lost = 0
    for first, block in read_bdf_blocks(header):
        stop = first + len(block)
        codes[first * header.n_samples : stop * header.n_samples] = block[:, status, :, 0].ravel()
        flat[first:stop] = (block == block[:, :, :1]).all(axis=(2, 3))
        if skin is not None:
            conductance = decode(block[:, skin.plus]) * header.gains[skin.plus]
            conductance += header.offsets[skin.plus]
            lost += int((conductance * skin.factor <= _NO_CONTACT).sum())
    return _Scan(codes, flat, lost / header.sfreq)


def _mark_flat(
    raw: RawDeap,
    flat: npt.NDArray[np.bool_],
    sources: dict[str, _Source],
    names: dict[int, str],
) -> list[str]:
    """Mark channels that are flat most of the time as bad; return notes with the durations."""
    seconds = len(raw.times) / float(raw.info["sfreq"])
    # a single record may be of the same value by chance
    fraction = flat.mean(axis=0) if len(flat) > 1 else flat[0].astype(float)
    bads, notes, noted = [], [], set()
    for name, source in sources.items():
        for number in (source.plus, source.minus):
            # a sensor of temperature or breath may stand still for a second
            voltage = source.kind in ("eeg", "eog", "emg")
            if number is None or not fraction[number] or not (voltage or fraction[number] == 1):
                continue
            if fraction[number] > 0.5 and name not in bads:
                bads.append(name)
            if number not in noted:
                noted.add(number)
                long = (
                    "all the time"
                    if fraction[number] == 1
                    else (f"for {fraction[number] * seconds:.0f} of {seconds:.0f} s")
                )
                notes.append(f"channel {names[number]} is flat {long}")
    if set(DEAP_EEG_CHANNELS) <= set(bads):
        raise DataError(f"{raw.filenames[0]}: every EEG channel is flat; there is no signal.")
    raw.info["bads"] = bads
    if bads:
        notes.append(f"marked bad, since flat for more than half of the time: {', '.join(bads)}")
    return notes
