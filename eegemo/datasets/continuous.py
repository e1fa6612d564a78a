"""Reading one continuous file, of any format that MNE reads, with messages in eegemo's words.

What the readers of MNE get wrong or do not tell is mended here: gaps of EDF+D, rates that a faster
peripheral channel imposes on the EEG, units that a file does not state. `eegemo.datasets.signals`
looks at the samples.
"""

import logging
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import mne
import numpy as np
import scipy.signal

from eegemo.datasets.breaks import Break, add_breaks, break_samples, gap_name, sample_times
from eegemo.datasets.edf import EdfHeader, read_annotations, read_edf_header, read_record_times
from eegemo.datasets.signals import check_signals
from eegemo.errors import DataError
from eegemo.formats.fif import check_chain, is_cut_off
from eegemo.formats.files import check_file, check_inside

__all__ = ["load_signals", "read_continuous", "select_channels"]

_FOLDERS = (".ds", ".mefd", ".mff")  # formats in which a recording is a folder
# Labels of signals that are not EEG, where nothing else says what a channel is.
_PERIPHERAL = re.compile(
    r"(ecg|ekg|emg|h?v?eog|gsr|eda|resp|temp|pleth|ppg|bvp|spo2|sao2|pulse|acc|gyr|aux|audio|"
    r"light|photo|trig|stim|status|marker|event|misc|flow|snore|body|position)",
    re.I,
)
_STIM = re.compile(r"(trig|stim|status|marker|event)", re.I)
# Physical dimensions and their size in volts. MNE knows some, and takes all others for volts.
_UNITS = {
    "uv": 1e-6,
    "µv": 1e-6,
    "μv": 1e-6,
    "\u00e2\u00b5v": 1e-6,  # UTF-8 read as Latin-1
    "microv": 1e-6,
    "uvolt": 1e-6,
    "uvolts": 1e-6,
    "microvolt": 1e-6,
    "microvolts": 1e-6,
    "nv": 1e-9,
    "mv": 1e-3,
    "millivolt": 1e-3,
    "millivolts": 1e-3,
    "v": 1.0,
    "volt": 1.0,
    "volts": 1.0,
}
_KNOWN_TO_MNE = {"uV": 1e-6, "\u00b5V": 1e-6, "\u03bcV": 1e-6, "\x83\xcaV": 1e-6, "mV": 1e-3}
# Files that a BrainVision header names, beside it.
_NAMES_IN_HEADER = re.compile(
    rb"^([ \t]*(?:DataFile|MarkerFile)[ \t]*[=:][ \t]*)(?=[^\s/])", re.M | re.I
)

_FIF = (".fif", ".fif.gz")
_OUTSIDE = "annotations outside its signals were passed over"
_SHORTENED = "annotations that go on beyond its signals were shortened"
# Parts of MNE's warnings, and what to say instead; None where it does not matter, or is said
# elsewhere.
_WARNINGS: tuple[tuple[str, str | None], ...] = (
    ("invalid tag", "the last bytes of the file are missing; no signals are"),
    ("boundary", None),
    ("expanding outside", _SHORTENED),
    ("outside data range", _OUTSIDE),
    ("outside the data range", _OUTSIDE),
    ("Number of records from the header", None),
    ("different highpass filters", None),
    ("different lowpass filters", None),
    ("Highpass cutoff frequency", None),
    ("software filter", None),
    ("measurement date", None),
    ("naming conventions", None),
    ("sample index of -1", None),
    ("patient information", None),
    ("No info on DataPoints", None),
    ("mixed sampling frequencies", None),
    ("fiducial", None),
    ("nasion", None),
    ("not found in the montage", None),
    ("MarkerFile", "its file of markers is missing, so its events are unknown"),
    ("onset that is NaN", "events without a time were passed over"),
    ("Physical range", "a channel without a physical range, whose values have no unit"),
    ("Scaling factor", "a channel without a digital range, whose values have no unit"),
    ("record length", "its header gives no length of a record; 1 s is assumed"),
    ("No coordinate information", "channels without a position are not taken for EEG"),
    (".fdt", "the file with its signals has another name than it says; that beside it was read"),
)


def read_continuous(
    path: str | Path,
    *,
    eeg_only: bool = False,
    types: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
    root: Path | None = None,
    load: bool = True,
    marks: bool = False,
) -> tuple[mne.io.BaseRaw, list[str]]:
    """Read one continuous recording.

    Parameters
    ----------
    path : path
        Of any format of `mne.io.read_raw`; its extension may be in capitals.
    eeg_only : bool
        Keep channels of type EEG only.
    types : mapping of str to str, optional
        Type of channels by name, in MNE's words (``eeg``, ``eog``, ``misc``), where a table beside
        the file gives them. Others keep the type of the file.
    units : mapping of str to str, optional
        Unit of channels by name, used where the file states none.
    root : pathlib.Path, optional
        Folder that no file of the recording may lie outside of; that of `path` if not given.
    load : bool
        Load the signals and check them; else they stay on disk where the format allows it.
    marks : bool
        Whether annotations are what trials come from, so that lost ones matter.

    Returns
    -------
    raw : mne.io.BaseRaw
        Signals in volts at the rate of the EEG. Breaks are annotated, see `eegemo.datasets.breaks`;
        annotations are on the clock of the samples, to which `sample_times` maps other times.
    notes : list of str
        What the user should know; without the name of the file.

    Raises
    ------
    DataError
        If the file is missing, damaged, of another format or not continuous, or has a sample that
        is not a number.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "film_raw.fif"
    >>> signals = np.random.default_rng(0).normal(0, 2e-5, (2, 640))
    >>> info = mne.create_info(["Fz", "Cz"], 128.0, "eeg")
    >>> mne.io.RawArray(signals, info, verbose="ERROR").save(file, verbose="ERROR")[0].name
    'film_raw.fif'
    >>> raw, notes = read_continuous(file)
    >>> raw.ch_names, len(raw.times), notes
    (['Fz', 'Cz'], 640, [])
    """
    path = Path(path)
    root = path.parent if root is None else root
    if path.suffix.lower() not in _FOLDERS:
        check_file(path)
    _check_named_files(path, root)
    types, units = types or {}, units or {}
    header = read_edf_header(path) if path.suffix.lower() in (".edf", ".bdf") else None
    notes: list[str] = []
    options: dict[str, Any] = {}
    faster: list[str] = []
    if header is not None:
        notes += _check_records(header)
        rate, faster, said = _choose_rate(header, types, eeg_only=eeg_only)
        notes += said
        options |= {"exclude": faster} if faster else {}
        stated = _stated_units(header, units)
        if stated:
            options["units"] = stated
            spelled = ", ".join(sorted(set(stated.values())))
            notes.append(f"states no unit of {len(stated)} channels; {spelled} is taken, as listed")
    raw, warned = _read(path, options)
    notes += [note for note in warned if marks or note not in (_OUTSIDE, _SHORTENED)]
    for file in filter(None, raw.filenames):
        check_inside(Path(file), root)
    if header is not None:
        _scale_units(raw, header)
        notes += _place_records(raw, header)
        brought = [] if eeg_only else [name for name in faster if not _STIM.match(name)]
        if brought:
            raw = _bring(raw, header, brought, rate)
        guessed = _guess_types(raw, types)
        if guessed and not types:
            notes.append(f"not taken for EEG, by their names: {', '.join(guessed)}")
        types = guessed | dict(types)
    select_channels(raw, types, path, eeg_only=eeg_only)
    if load:
        notes += load_signals(raw, path)
    return raw, notes


def select_channels(
    raw: mne.io.BaseRaw, types: Mapping[str, str], path: Path, *, eeg_only: bool
) -> None:
    """Set the types of channels, and keep the EEG only if asked to, in place.

    Raises
    ------
    DataError
        If there is no EEG to keep.
    """
    known = {name: kind for name, kind in types.items() if name in raw.ch_names}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        raw.set_channel_types(known, on_unit_change="ignore", verbose="ERROR")
    if eeg_only:
        if "eeg" not in raw:
            raise DataError(
                f"{path} has no channel of type EEG; its channels are {', '.join(raw.ch_names)}."
            )
        raw.pick("eeg", exclude=(), verbose="ERROR")


def load_signals(raw: mne.io.BaseRaw, path: Path) -> list[str]:
    """Load signals and check them, in place; return notes (see `check_signals`)."""
    _load(raw, path)
    return check_signals(raw, path)


def _check_named_files(path: Path, root: Path) -> None:
    """Refuse a BrainVision header that names signals in another folder."""
    # the folder of BIDS imports this module
    from eegemo.datasets.bids.files import name_signal_files

    name_signal_files(path, root)


def _read(path: Path, options: Mapping[str, Any]) -> tuple[mne.io.BaseRaw, list[str]]:
    """Open a file with MNE; errors and warnings in eegemo's words."""
    if path.name.lower().endswith(_FIF):
        check_chain(path)
    with warnings.catch_warnings(record=True) as caught, _silent():
        warnings.simplefilter("always")
        try:
            # at a lower level of verbosity MNE would not warn at all
            with _in_small_letters(path) as file:
                raw = mne.io.read_raw(file, preload=False, verbose="WARNING", **options)
            raw.get_channel_types()  # fails where a kind of channel is none
        except Exception as error:  # MNE's readers raise many types
            raise DataError(_explain(path, error)) from error
    return raw, translate_warnings(caught)


@contextmanager
def _silent() -> Iterator[None]:
    """Let MNE warn without printing: where its logger has a handler, it also writes to that."""
    logger = logging.getLogger("mne")
    logger.addFilter(_pass_nothing)
    try:
        yield
    finally:
        logger.removeFilter(_pass_nothing)


def _pass_nothing(_: logging.LogRecord) -> bool:
    return False


@contextmanager
def _in_small_letters(path: Path) -> Iterator[Path]:
    """Yield a file under a name that MNE reads: it refuses a BrainVision header in capitals."""
    if path.suffix == ".vhdr" or path.suffix.lower() != ".vhdr":
        yield path
        return
    place = f"{path.parent.resolve().as_posix()}/".encode()
    with TemporaryDirectory() as folder:
        copy = Path(folder) / f"{path.stem}.vhdr"
        copy.write_bytes(_NAMES_IN_HEADER.sub(lambda found: found[1] + place, path.read_bytes()))
        yield copy


def _explain(path: Path, error: Exception) -> str:
    """Return why a file cannot be read, without the words of the reader."""
    said, kind = str(error), type(error).__name__
    cannot = f"{path} cannot be read as a continuous recording: "
    if path.suffix.lower() == ".set" and ("fdt" in said or "trials" in said.lower()):
        if "trials" in said.lower():
            return f"{cannot}it holds epochs. Export the continuous signals from EEGLAB."
        return (
            f"{cannot}its signals are in a file that is missing. Put the .fdt of the same name "
            "beside it."
        )
    if isinstance(error, FileNotFoundError):
        missing = Path(error.filename).name if error.filename else _last_path(said)
        return f"{cannot}it needs {missing or 'another file'}, which is not beside it."
    is_fif = path.name.lower().endswith(_FIF)
    if "Split raw file detected" in said:
        part = re.search(r"next file (.+?) does not exist", said, re.S)
        return (
            f"{cannot}it is continued in {Path(part[1]).name if part else 'another file'}, which "
            "is missing. Put all parts beside it, under the names that they were written with."
        )
    if is_fif and is_cut_off(path):
        return f"{cannot}it is cut off: its last part is missing. Copy or export it again."
    if is_fif and "No raw data" in said:
        return f"{cannot}it holds no continuous signals, perhaps epochs or averages."
    if isinstance(error, MemoryError):
        return f"{cannot}it does not fit into memory."
    if "Unsupported file type" in said:
        return f"{cannot}its extension {path.suffix or '(none)'} is of no format that MNE reads."
    if path.stat().st_size == 0:
        return f"{cannot}it is empty."
    return (
        f"{cannot}it is damaged, or of another format than its name says ({kind} in MNE's reader). "
        "Copy or export it again, or leave it out."
    )


def _last_path(text: str) -> str:
    found = re.findall(r"[^\s\"'<>]+\.[A-Za-z0-9]{2,5}", text)
    return Path(found[-1]).name if found else ""


def translate_warnings(caught: Iterable[warnings.WarningMessage]) -> list[str]:
    """Return warnings of MNE as notes in eegemo's words; those that it does not know are counted.

    Parameters
    ----------
    caught : iterable of warnings.WarningMessage

    Returns
    -------
    list of str
        At most one for each kind of warning.
    """
    notes: dict[str, None] = {}
    unknown: Counter[str] = Counter()
    for warning in caught:
        text = str(warning.message)
        for part, said in _WARNINGS:
            if part.lower() in text.lower():
                if said is not None:
                    notes[said] = None
                break
        else:
            unknown[f"{warning.category.__name__} of {Path(warning.filename).stem}"] += 1
    if unknown:
        kinds = ", ".join(f"{n} {kind}" for kind, n in sorted(unknown.items()))
        notes[f"MNE warned while reading it, of something that eegemo does not know ({kinds})"] = (
            None
        )
    return list(notes)


def _load(raw: mne.io.BaseRaw, path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            raw.load_data(verbose="ERROR")
        except Exception as error:  # MNE's readers raise many types
            raise DataError(_explain(path, error)) from error


# EDF and BDF


def _check_records(header: EdfHeader) -> list[str]:
    if header.stated in (-1, header.n_records):
        return []
    seconds, stated = header.n_records * header.duration, header.stated * header.duration
    if header.n_records < header.stated:
        return [f"it is cut off: {seconds:g} s of signals, and its header says {stated:g} s"]
    return [f"it holds {seconds:g} s of signals, and its header says {stated:g} s; all are read"]


def _choose_rate(
    header: EdfHeader, types: Mapping[str, str], *, eeg_only: bool
) -> tuple[float, list[str], list[str]]:
    """Return the rate of the EEG, the names of channels faster than it, and notes."""
    rates = {k: header.rate(k) for k in header.signals}
    if len(set(rates.values())) <= 1:
        return next(iter(rates.values()), 1.0), [], []
    eeg = [k for k in rates if _type_of(header.labels[k], types) == "eeg"]
    counts = Counter(rates[k] for k in eeg or rates)
    rate = max(counts, key=lambda found: (counts[found], found))
    faster = [k for k in rates if rates[k] > rate]
    names = [header.labels[k] for k in faster]
    notes = []
    for label, which in (
        ("brought to", [name for name in names if not _STIM.match(name)]),
        ("left out:", [name for name in names if _STIM.match(name)]),
    ):
        if which and not eeg_only:
            shown = ", ".join(which[:3]) + (", ..." if len(which) > 3 else "")
            notes.append(
                f"{len(which)} channel{'s' * (len(which) > 1)} recorded faster than the EEG, "
                f"{label} {rate:g} Hz: {shown}"
            )
    slower = [header.labels[k] for k in eeg if rates[k] < rate]
    if slower:
        notes.append(
            f"EEG channels recorded at a lower rate than the others ({rate:g} Hz), interpolated: "
            f"{', '.join(slower)}"
        )
    return rate, names, notes


def _type_of(label: str, types: Mapping[str, str]) -> str:
    if label in types:
        return types[label]
    return "misc" if _PERIPHERAL.match(label) else "eeg"


def _guess_types(raw: mne.io.BaseRaw, types: Mapping[str, str]) -> dict[str, str]:
    """Return types of channels that EDF calls EEG, as it does all, against their names."""
    kinds = dict(zip(raw.ch_names, raw.get_channel_types(), strict=True))
    return {
        name: next((kind for kind in ("eog", "ecg", "emg") if kind in name[:4].lower()), "misc")
        for name, kind in kinds.items()
        if kind == "eeg" and name not in types and _PERIPHERAL.match(name)
    }


def _stated_units(header: EdfHeader, units: Mapping[str, str]) -> dict[str, str]:
    """Return units of channels whose own is blank in the file, as MNE spells them."""
    found = {}
    for k in header.signals:
        name = header.labels[k]
        size = _UNITS.get(units.get(name, "").strip().lower())
        if not header.units[k] and size in (1e-6, 1e-3, 1.0):
            found[name] = {1e-6: "uV", 1e-3: "mV", 1.0: "V"}[size]
    return found


def _scale_units(raw: mne.io.BaseRaw, header: EdfHeader) -> None:
    """Bring channels to volts whose unit is spelled in a way that MNE does not know."""
    factors = {
        header.labels[k]: _UNITS[unit.lower()]
        for k, unit in enumerate(header.units)
        if unit.lower() in _UNITS and _UNITS[unit.lower()] != _KNOWN_TO_MNE.get(unit, 1.0)
    }
    factors = {name: factor for name, factor in factors.items() if name in raw.ch_names}
    if not factors:
        return
    _load(raw, header.path)
    for name, factor in factors.items():
        raw.apply_function(_times, picks=[raw.ch_names.index(name)], factor=factor, verbose="ERROR")


def _times(signal: np.ndarray, factor: float) -> np.ndarray:
    scaled: np.ndarray = signal * factor
    return scaled


def _place_records(raw: mne.io.BaseRaw, header: EdfHeader) -> list[str]:
    """Annotate the gaps between records, and put other annotations where they belong."""
    if not header.interrupted:
        return []
    starts = read_record_times(header)
    missing = np.diff(starts) - header.duration
    after = np.flatnonzero(missing > 0.5 / float(raw.info["sfreq"])) + 1
    if not after.size:
        return []
    gaps = [
        Break(record * header.duration, record * header.duration, gap_name(missing[record - 1]))
        for record in after.tolist()
    ]
    raw.set_annotations(None, verbose="ERROR")
    add_breaks(raw, gaps)
    marks = read_annotations(header)
    onsets, lost = sample_times(raw, [onset for onset, _, _ in marks])
    ends, _ = sample_times(raw, [onset + duration for onset, duration, _ in marks])
    add_breaks(
        raw,
        [
            Break(float(onset), float(end), text)
            for onset, end, (_, _, text), gone in zip(onsets, ends, marks, lost, strict=True)
            if not gone or end > onset
        ],
    )
    seconds = float(missing[after - 1].sum())
    number = f"{after.size} gap{'s' * (after.size > 1)}"
    return [f"{number} in the recording, {seconds:g} s in all; times count them"]


def _bring(
    raw: mne.io.BaseRaw, header: EdfHeader, names: Sequence[str], rate: float
) -> mne.io.BaseRaw:
    """Add channels of higher rates, each resampled to the rate of the EEG between the gaps."""
    _load(raw, header.path)
    n_times = len(raw.times)
    cuts = [
        break_samples(float(onset), float(onset), rate)[0]
        for onset, name in zip(
            raw.annotations.onset - raw.first_time, raw.annotations.description, strict=True
        )
        if name.startswith("EDGE gap")
    ]
    edges = [0, *cuts, n_times]
    rows = np.zeros((len(names), n_times))
    for row, name in enumerate(names):
        fast, _ = _read(header.path, {"include": [name]})
        signal = fast.get_data([0], verbose="ERROR")[0]
        ratio = Fraction(rate / float(fast.info["sfreq"])).limit_denominator(10_000)
        for start, stop in pairwise(edges):
            first, last = round(start / ratio), round(stop / ratio)
            part = scipy.signal.resample_poly(
                signal[first:last], ratio.numerator, ratio.denominator, padtype="line"
            )
            rows[row, start:stop] = part[: stop - start]
    info = mne.create_info(list(names), float(raw.info["sfreq"]), "eeg", verbose="ERROR")
    added = mne.io.RawArray(rows, info, first_samp=raw.first_samp, verbose="ERROR")
    added.set_meas_date(raw.info["meas_date"])
    with raw.info._unlock(), added.info._unlock():
        added.info["highpass"], added.info["lowpass"] = raw.info["highpass"], raw.info["lowpass"]
    return raw.add_channels([added], force_update_info=True)
