"""Recordings in several formats whose signals say which trial they are from."""

import mne
import numpy as np
import scipy.io

SFREQ = 128.0
NAMES = ("Fz", "Cz", "Pz")
SECONDS = 31
#: Onset, duration and type of each trial; trial k has a level of 10 k microvolts.
TRIALS = ((2.0, 4.0, "calm"), (9.0, 4.0, "tense"), (16.0, 4.0, "calm"), (23.0, 4.0, "tense"))


def make_level(shift=0.0, trials=TRIALS, seconds=SECONDS):
    """Return microvolts, shape (3, n_times): the level of each trial, and a little noise."""
    rng = np.random.default_rng(round(100 * shift) + len(trials))
    level = rng.normal(shift, 1.0, (len(NAMES), round(seconds * SFREQ)))
    for number, (onset, duration, _) in enumerate(trials, start=1):
        level[:, round(onset * SFREQ) : round((onset + duration) * SFREQ)] += 10 * number
    return level


def make_raw(shift=0.0, trials=TRIALS, marks=True, codes=None, date=None, seconds=SECONDS):
    """Return a recording; `codes` is another channel's, such as a stimulus channel."""
    level = 1e-6 * make_level(shift, trials, seconds)
    info = mne.create_info(list(NAMES), SFREQ, "eeg")
    raw = mne.io.RawArray(level, info, verbose="ERROR")
    if codes is not None:
        name, values = codes
        kind = "stim" if name.startswith("STI") else "eeg"
        other = mne.create_info([name], SFREQ, kind)
        raw.add_channels([mne.io.RawArray(values[np.newaxis], other, verbose="ERROR")])
    raw.set_meas_date(date)
    if marks:
        onsets, durations, kinds = zip(*trials, strict=True)
        raw.set_annotations(
            mne.Annotations(onsets, durations, kinds, orig_time=raw.info["meas_date"])
        )
    return raw


def make_codes(values=(11, 12, 11, 12), trials=TRIALS, pulse=0.05):
    """Return the values of a stimulus channel with a pulse at each onset."""
    codes = np.zeros(round(SECONDS * SFREQ))
    for value, (onset, _, _) in zip(values, trials, strict=True):
        start = round(onset * SFREQ)
        codes[start : start + round(pulse * SFREQ)] = value
    return codes


def write(path, raw):
    """Write a recording in the format of its extension."""
    path.parent.mkdir(parents=True, exist_ok=True)
    suffix = path.suffix.lower()
    if suffix == ".fif":
        raw.save(path, overwrite=True, verbose="ERROR")
    elif suffix in (".edf", ".bdf"):
        mne.export.export_raw(path, raw, overwrite=True, verbose="ERROR")
    elif suffix == ".vhdr":
        _write_brainvision(path, raw)
    elif suffix == ".set":
        _write_eeglab(path, raw)
    return path


def _write_brainvision(path, raw):
    stem = path.stem
    header = [
        "Brain Vision Data Exchange Header File Version 1.0", "[Common Infos]", "Codepage=UTF-8",
        f"DataFile={stem}.eeg", f"MarkerFile={stem}.vmrk", "DataFormat=BINARY",
        "DataOrientation=MULTIPLEXED", f"NumberOfChannels={len(raw.ch_names)}",
        f"SamplingInterval={1e6 / SFREQ}", "[Binary Infos]", "BinaryFormat=IEEE_FLOAT_32",
        "[Channel Infos]",
        *(f"Ch{number}={name},,1,µV" for number, name in enumerate(raw.ch_names, start=1)),
    ]  # fmt: skip
    marks = [
        f"Mk{number}=Comment,{kind},{round(onset * SFREQ) + 1},{round(duration * SFREQ)},0"
        for number, (onset, duration, kind) in enumerate(
            zip(raw.annotations.onset, raw.annotations.duration, raw.annotations.description,
                strict=True), start=1,
        )
    ]  # fmt: skip
    marker = [
        "Brain Vision Data Exchange Marker File, Version 1.0", "[Common Infos]", "Codepage=UTF-8",
        f"DataFile={stem}.eeg", "[Marker Infos]", *marks,
    ]  # fmt: skip
    path.write_text("\n".join(header) + "\n", encoding="utf-8")
    path.with_suffix(".vmrk").write_text("\n".join(marker) + "\n", encoding="utf-8")
    path.with_suffix(".eeg").write_bytes((1e6 * raw.get_data().T).astype("<f4").tobytes())


def _write_eeglab(path, raw):
    labels = np.zeros(len(raw.ch_names), dtype=[("labels", object)])
    labels["labels"] = raw.ch_names
    events = np.zeros(
        len(raw.annotations), dtype=[("type", object), ("latency", object), ("duration", object)]
    )
    events["type"] = list(raw.annotations.description)
    events["latency"] = [float(onset * SFREQ + 1) for onset in raw.annotations.onset]
    events["duration"] = [float(length * SFREQ) for length in raw.annotations.duration]
    path.with_suffix(".fdt").write_bytes((1e6 * raw.get_data().T).astype("<f4").tobytes())
    eeg = {
        "data": path.with_suffix(".fdt").name, "srate": SFREQ, "nbchan": len(raw.ch_names),
        "pnts": len(raw.times), "trials": 1, "chanlocs": labels, "event": events, "xmin": 0.0,
        "xmax": raw.times[-1],
    }  # fmt: skip
    scipy.io.savemat(path, {"EEG": eeg}, appendmat=False)


def write_table(folder, *rows, columns="path,subject", name="recordings.csv"):
    (folder / name).write_text("\n".join([columns, *rows]) + "\n", encoding="utf-8")
    return folder
