"""Small BIDS folders in BrainVision format, with whatever a test wants to be odd about them."""

import json

import numpy as np

SFREQ = 128
CHANNELS = ("Fp1", "Fp2", "C3", "C4", "O1", "O2", "Pz", "Cz")
COLUMNS = ("onset", "duration", "trial_type")


def make_events(n=12, *, every=5.0, duration=4.0, classes=("happy", "sad")):
    """Rows of a table of events: trials of two classes in turn."""
    return [(1.0 + every * k, duration, classes[k % len(classes)]) for k in range(n)]


def make_noise(seconds=70, *, names=CHANNELS, sfreq=SFREQ, seed=0):
    """Microvolts of noise that is told apart by its seed, shape (n_channels, n_times)."""
    rng = np.random.default_rng(seed)
    white = rng.normal(0, 8, (len(names), round(seconds * sfreq)))
    return white + 0.5 * np.cumsum(rng.normal(0, 1, white.shape), axis=1) * 0.1


def write_recording(
    root,
    subject="01",
    *,
    data=None,
    names=CHANNELS,
    sfreq=SFREQ,
    events=None,
    columns=COLUMNS,
    text=None,
    task="film",
    events_task=None,
    suffix=".vhdr",
    scale=1.0,
    unit="µV",
    markers=(),
    **entities,
):
    """Write a run with its sidecars; return the folder and the stem of its files.

    `text` is the events table as it stands; entities are ses, acq, run and the like.
    """
    folder = root / f"sub-{subject}"
    if "ses" in entities:
        folder = folder / f"ses-{entities['ses']}"
    folder = folder / "eeg"
    folder.mkdir(parents=True, exist_ok=True)
    description = root / "dataset_description.json"
    description.write_text(json.dumps({"Name": "test", "BIDSVersion": "1.9.0"}))
    order = [key for key in ("ses", "task", "acq", "run", "proc") if key in {*entities, "task"}]
    parts = {**entities, "task": task}
    stem = "_".join([f"sub-{subject}", *(f"{key}-{parts[key]}" for key in order)])
    if data is None:
        data = make_noise(names=names, sfreq=sfreq, seed=int.from_bytes(stem.encode()[-4:]))
    header = [
        "Brain Vision Data Exchange Header File Version 1.0",
        "[Common Infos]",
        "Codepage=UTF-8",
        f"DataFile={stem}_eeg.eeg",
        f"MarkerFile={stem}_eeg.vmrk",
        "DataFormat=BINARY",
        "DataOrientation=MULTIPLEXED",
        f"NumberOfChannels={len(names)}",
        f"SamplingInterval={1e6 / sfreq:.10g}",
        "[Binary Infos]",
        "BinaryFormat=IEEE_FLOAT_32",
        "[Channel Infos]",
        *(f"Ch{number}={name},,1,{unit}" for number, name in enumerate(names, start=1)),
    ]
    marker = [
        "Brain Vision Data Exchange Marker File, Version 1.0",
        "[Common Infos]",
        "Codepage=UTF-8",
        f"DataFile={stem}_eeg.eeg",
        "[Marker Infos]",
        *(f"Mk{number}={line}" for number, line in enumerate(markers, start=1)),
    ]
    (folder / f"{stem}_eeg{suffix}").write_text("\n".join(header) + "\n", encoding="utf-8")
    (folder / f"{stem}_eeg.vmrk").write_text("\n".join(marker) + "\n", encoding="utf-8")
    (folder / f"{stem}_eeg.eeg").write_bytes((scale * data).T.astype("<f4").tobytes())
    sidecar = {"TaskName": task, "SamplingFrequency": sfreq, "PowerLineFrequency": 50}
    (folder / f"{stem}_eeg.json").write_text(json.dumps(sidecar))
    lines = "".join(f"{name}\tEEG\tuV\n" for name in names)
    (folder / f"{stem}_channels.tsv").write_text(f"name\ttype\tunits\n{lines}")
    rows = make_events() if events is None else events
    if text is None:
        text = "".join("\t".join(map(str, row)) + "\n" for row in [columns, *rows])
    named = stem.replace(f"task-{task}", f"task-{events_task or task}")
    if text != "":
        (folder / f"{named}_events.tsv").write_text(text, encoding="utf-8")
    return folder, stem


def make_sections(root, *, name="t", **changes):
    """Sections of an experiment that trains in a moment."""
    sections = {
        "name": name,
        "data": {"source": "bids", "root": str(root)},
        "preprocessing": {},
        "labels": {"task": "given"},
        "windows": {"duration": 1.0, "stride": 1.0},
        "split": {"n_splits": 3},
        "model": {"name": "band_power_logreg", "bands": [[8.0, 13.0]]},
    }
    for section, values in changes.items():
        sections[section] = sections[section] | values
    return sections
