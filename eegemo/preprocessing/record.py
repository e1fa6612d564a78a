"""Records of preprocessing, stored with the trials.

`preprocess` fills a `Record` if it is given one. Numbers are stored in ``record.json``, arrays in
``record.npz``; the quality report uses only these two files.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import mne
import numpy as np
import scipy.fft
import scipy.signal

from eegemo.errors import ResultError
from eegemo.preprocessing.breaks import whole_segments
from eegemo.preprocessing.channels import each_channel, eeg_names, signal_rows
from eegemo.store import write_json

__all__ = ["EogRemoval", "Record", "RejectedTrial", "load_records", "save_records"]

_JSON, _ARRAYS = "record.json", "record.npz"
_SEGMENTS = 300
_AT_ONCE = 8  # channels


def _none() -> np.ndarray:
    return np.empty(0)


@dataclass(frozen=True)
class RejectedTrial:
    """A trial that was dropped for its amplitude.

    Attributes
    ----------
    session : str
    trial : int
        Number in the metadata; the numbers of other trials stay as they are.
    channel : str
        Channel with the largest amplitude.
    amplitude : float
        Its peak-to-peak amplitude in volts.
    """

    session: str
    trial: int
    channel: str
    amplitude: float


@dataclass
class EogRemoval:
    """Removal of eye movements, and its effect.

    Attributes
    ----------
    method : str
        "regression" or "ica".
    eog_channels, eeg_channels : list of str
    labels : list of str
        Labels of what was removed: the EOG channels, or the components.
    topographies : ndarray, shape (n_eeg, n_labels)
        Regression weights in volts per volt, or the components' weights at the electrodes, in
        units of their own.
    scores : list of float
        Of each component removed: its largest absolute correlation with an EOG channel. Empty for
        regression.
    removed : ndarray, shape (n_eeg,)
        Root mean square of the signal removed from each EEG channel, in volts.
    n_blinks : int
        Number of blinks in the EOG; 0 if there are too few for an average.
    blink_times : ndarray, shape (n_times,)
        Seconds from the peak of a blink.
    blink_before, blink_after : ndarray, shape (n_eeg, n_times)
        Average of the EEG around the blinks, in volts.
    """

    method: str
    eog_channels: list[str]
    eeg_channels: list[str]
    labels: list[str]
    topographies: np.ndarray
    scores: list[float] = field(default_factory=list)
    removed: np.ndarray = field(default_factory=_none)
    n_blinks: int = 0
    blink_times: np.ndarray = field(default_factory=_none)
    blink_before: np.ndarray = field(default_factory=_none)
    blink_after: np.ndarray = field(default_factory=_none)


@dataclass
class Record:
    """Record of what `preprocess` did to a recording or run.

    Attributes
    ----------
    steps : list of str
        The steps, in order.
    notes : list of str
        What a reader of the results should know.
    ch_names : list of str
        EEG channels, in the order of the spectra.
    positions : list | None
        Position of each channel, (x, y, z) in metres from the centre of the head; None if unknown.
    bads : dict of str to str
        Bad EEG channels, with reasons.
    interpolated : list of str
    eog : EogRemoval | None
    n_trials : int | None
        Trials before rejection; None for continuous signals.
    rejected : list of RejectedTrial
    freqs : ndarray, shape (n_freqs,)
        In hertz.
    before, after : ndarray, shape (n_eeg, n_freqs)
        Power spectral density in V²/Hz, of the signals at their final rate before any filter, and
        of the output.
    """

    steps: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    ch_names: list[str] = field(default_factory=list)
    positions: list[list[float]] | None = None
    bads: dict[str, str] = field(default_factory=dict)
    interpolated: list[str] = field(default_factory=list)
    eog: EogRemoval | None = None
    n_trials: int | None = None
    rejected: list[RejectedTrial] = field(default_factory=list)
    freqs: np.ndarray = field(default_factory=_none)
    before: np.ndarray = field(default_factory=_none)
    after: np.ndarray = field(default_factory=_none)

    def begin(self, inst: Any) -> None:
        """Record channels, positions and spectra of the signals before any other step."""
        self.ch_names = eeg_names(inst)
        if not self.ch_names:
            return
        montage = inst.get_montage()
        known = {} if montage is None else montage.get_positions()["ch_pos"]
        found = [known.get(name) for name in self.ch_names]
        if all(xyz is not None and np.isfinite(xyz).all() for xyz in found):
            self.positions = [[float(x) for x in xyz] for xyz in found if xyz is not None]
        self.freqs, self.before = power_spectrum(inst, self.ch_names)

    def end(self, parts: Sequence[Any], *, alike: bool = False) -> None:
        """Record the spectra of the output; with `alike`, they are those from before.

        Of several parts (trials of unequal length) the spectrum is their mean over trials, of those
        that are long enough for the frequencies from before.
        """
        if not self.ch_names:
            return
        if alike:
            self.after = self.before
            return
        total, weight = np.zeros_like(self.before), 0
        for part in parts:
            freqs, power = power_spectrum(part, self.ch_names)
            if len(parts) == 1:
                self.after = power
                return
            if freqs.shape == self.freqs.shape and np.isfinite(power).all():
                number = len(part) * (len(part.times) // (2 * len(freqs) - 2))
                total, weight = total + number * power, weight + number
        self.after = total / weight if weight else np.full_like(total, np.nan)


def power_spectrum(inst: Any, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Compute the power spectral density by Welch's method.

    Uses adjacent segments of 2 s with a Hann window, without those that hold a break; of long
    signals at most 300, evenly spread.

    Parameters
    ----------
    inst : mne.io.BaseRaw | mne.BaseEpochs
        Signals in volts.
    names : sequence of str

    Returns
    -------
    freqs : ndarray, shape (n_freqs,)
        In hertz.
    power : ndarray, shape (n_channels, n_freqs)
        In V²/Hz; the mean over trials, NaN without trials.

    Examples
    --------
    >>> import mne
    >>> info = mne.create_info(["Fz"], 128.0, "eeg")
    >>> wave = np.sin(2 * np.pi * 10 * np.arange(1280) / 128)[np.newaxis]
    >>> freqs, power = power_spectrum(mne.io.RawArray(wave, info, verbose="ERROR"), ["Fz"])
    >>> float(freqs[power[0].argmax()])
    10.0
    """
    sfreq = float(inst.info["sfreq"])
    length = min(round(2 * sfreq), len(inst.times))
    per_trial = len(inst.times) // length
    n_segments = per_trial * (1 if isinstance(inst, mne.io.BaseRaw) else len(inst))
    freqs = np.fft.rfftfreq(length, 1 / sfreq)
    if n_segments == 0:
        return freqs, np.full((len(names), len(freqs)), np.nan)
    trial, segment = np.divmod(np.arange(n_segments), per_trial)
    whole = np.flatnonzero(whole_segments(inst, trial, segment * length, length))
    chosen = whole[:: -(-len(whole) // _SEGMENTS)] if len(whole) else np.array([0])
    trial, segment = trial[chosen], segment[chosen]
    # SciPy's welch and periodogram give the same, and take six times as long
    window = scipy.signal.get_window("hann", length)
    power = []
    for begin in range(0, len(names), _AT_ONCE):  # to save memory
        segments = np.stack(
            [
                row[:, : per_trial * length].reshape(-1, per_trial, length)[trial, segment]
                for row in each_channel(inst, names[begin : begin + _AT_ONCE])
            ]
        )
        segments -= segments.mean(axis=-1, keepdims=True)
        segments *= window
        spectrum = np.square(np.abs(scipy.fft.rfft(segments, overwrite_x=True))).mean(axis=1)
        spectrum[:, 1 : (length + 1) // 2] *= 2  # the negative frequencies
        power.append(spectrum / (sfreq * np.square(window).sum()))
    return freqs, np.concatenate(power)


def save_records(records: Sequence[Record], folder: Path) -> None:
    """Write the records of a subject's runs to ``record.json`` and ``record.npz``."""
    content = []
    arrays: dict[str, Any] = {}
    for number, record in enumerate(records):
        fields = asdict(record)
        for path, value in _walk(fields):
            arrays[f"{number}.{path}"] = value
        content.append(_without_arrays(fields))
    write_json(folder / _JSON, {"runs": content})
    np.savez_compressed(folder / _ARRAYS, **{name: arrays[name] for name in sorted(arrays)})


def load_records(folder: str | Path) -> list[Record]:
    """Read the records of `save_records`.

    Parameters
    ----------
    folder : path
        Folder of stored trials.

    Returns
    -------
    list of Record
        One per run.

    Raises
    ------
    ResultError
        If the files are missing or corrupt.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> save_records([Record(steps=["notch 50 Hz"], freqs=np.arange(3.0))], folder)
    >>> (record,) = load_records(folder)
    >>> record.steps, record.freqs.tolist()
    (['notch 50 Hz'], [0.0, 1.0, 2.0])
    """
    folder = Path(folder)
    try:
        runs = json.loads((folder / _JSON).read_text(encoding="utf-8"))["runs"]
        with np.load(folder / _ARRAYS, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        records = []
        for number, fields in enumerate(runs):
            for name, value in arrays.items():
                run, _, path = name.partition(".")
                if int(run) == number:
                    _put(fields, path, value)
            fields["rejected"] = [RejectedTrial(**trial) for trial in fields["rejected"]]
            if fields["eog"] is not None:
                fields["eog"] = EogRemoval(**fields["eog"])
            records.append(Record(**fields))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ResultError(
            f"{folder}: the record of preprocessing cannot be read ({error}). Delete the folder "
            "and preprocess again."
        ) from error
    return records


def _walk(fields: dict[str, Any], prefix: str = "") -> list[tuple[str, np.ndarray]]:
    """Return all arrays in a nested mapping, with their paths."""
    found = []
    for name, value in fields.items():
        if isinstance(value, np.ndarray):
            found.append((prefix + name, value))
        elif isinstance(value, dict):
            found += _walk(value, f"{prefix}{name}.")
    return found


def _without_arrays(fields: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _without_arrays(value) if isinstance(value, dict) else value
        for name, value in fields.items()
        if not isinstance(value, np.ndarray)
    }


def _put(fields: dict[str, Any], path: str, value: np.ndarray) -> None:
    outer, _, inner = path.partition(".")
    if inner:
        _put(fields[outer], inner, value)
    else:
        fields[outer] = value


def find_blinks(inst: Any, eog_channels: Sequence[str]) -> np.ndarray:
    """Find the peaks of blinks, in the EOG channel that shows them best.

    Parameters
    ----------
    inst : mne.io.BaseRaw | mne.BaseEpochs
        Filtered signals in volts; trials are joined end to end.
    eog_channels : sequence of str

    Returns
    -------
    ndarray of int, shape (n_blinks,)
        Sample numbers.
    """
    best, peaks = 0.0, np.empty(0, int)
    for name in eog_channels:
        row = signal_rows(inst, [name])[0]
        row = row - np.median(row)
        spread = 1.4826 * float(np.median(np.abs(row)))
        extreme = np.percentile(row, [0.1, 99.9])
        sign = 1.0 if extreme[1] >= -extreme[0] else -1.0
        height = float(np.abs(extreme).max())
        if spread == 0 or height / spread < max(best, 5.0):  # no sharp peaks, or another has more
            continue
        best = height / spread
        distance = max(1, round(0.5 * float(inst.info["sfreq"])))
        peaks = scipy.signal.find_peaks(sign * row, height=height / 2, distance=distance)[0]
    return peaks


def blink_average(
    inst: Any, names: Sequence[str], peaks: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return times in seconds, and the mean EEG around blinks, shape (n_channels, n_times)."""
    half = round(0.5 * float(inst.info["sfreq"]))
    rows = [signal_rows(inst, [name])[0] for name in names]
    peaks = peaks[(peaks >= half) & (peaks < rows[0].size - half)]
    if not peaks.size:
        return _none(), _none()
    around = peaks[:, np.newaxis] + np.arange(-half, half + 1)
    average = np.array([row[around].mean(axis=0) for row in rows])
    return np.arange(-half, half + 1) / float(inst.info["sfreq"]), average
