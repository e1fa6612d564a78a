"""Small BIDS recordings in BrainVision's format, written without any library of EEG."""

import json
from pathlib import Path

import numpy as np

CHANNELS = ("Fp1", "Fp2", "C3", "C4")
COLUMNS = ("onset", "duration", "trial_type", "stim_file")


def write_recording(
    root,
    subject,
    rows,
    *,
    run="",
    session="",
    columns=COLUMNS,
    signals=None,
    seconds=30,
    sfreq=64,
    seed=0,
    reference="Cz",
    channels=CHANNELS,
):
    """Write one recording with its sidecars; signals in microvolts, of shape (channels, samples).

    Without `signals` it is white noise of 10 µV. Without `rows` there is no table of events.
    """
    root = Path(root)
    folder = root / f"sub-{subject}" / (f"ses-{session}" if session else "") / "eeg"
    folder.mkdir(parents=True, exist_ok=True)
    about = '{"Name": "x", "BIDSVersion": "1.8.0"}'
    (root / "dataset_description.json").write_text(about)
    parts = [
        f"sub-{subject}",
        f"ses-{session}" * bool(session),
        "task-film",
        f"run-{run}" * bool(run),
    ]
    stem = "_".join(filter(None, parts))
    if signals is None:
        signals = np.random.default_rng(seed).normal(0, 10, (len(channels), seconds * sfreq))
    (folder / f"{stem}_eeg.eeg").write_bytes(np.asarray(signals).T.astype("<f4").tobytes())
    (folder / f"{stem}_eeg.vmrk").write_text(
        "Brain Vision Data Exchange Marker File, Version 1.0\n[Common Infos]\n"
        f"DataFile={stem}_eeg.eeg\n[Marker Infos]\nMk1=New Segment,,1,1,0\n"
    )
    listed = "".join(f"Ch{k}={name},,1,uV\n" for k, name in enumerate(channels, start=1))
    (folder / f"{stem}_eeg.vhdr").write_text(
        "Brain Vision Data Exchange Header File Version 1.0\n[Common Infos]\n"
        f"DataFile={stem}_eeg.eeg\nMarkerFile={stem}_eeg.vmrk\nDataFormat=BINARY\n"
        f"DataOrientation=MULTIPLEXED\nNumberOfChannels={len(channels)}\n"
        f"SamplingInterval={1e6 / sfreq}\n[Binary Infos]\nBinaryFormat=IEEE_FLOAT_32\n"
        f"[Channel Infos]\n{listed}"
    )
    table = "name\ttype\tunits\n" + "".join(f"{name}\tEEG\tuV\n" for name in channels)
    (folder / f"{stem}_channels.tsv").write_text(table)
    sidecar = {"TaskName": "film", "SamplingFrequency": sfreq, "EEGReference": reference}
    sidecar |= {"PowerLineFrequency": 50, "SoftwareFilters": "n/a"}
    (folder / f"{stem}_eeg.json").write_text(json.dumps(sidecar))
    if rows is not None:
        lines = ["\t".join(map(str, row)) for row in (columns, *rows)]
        (folder / f"{stem}_events.tsv").write_text("\n".join(lines) + "\n")
    return folder / f"{stem}_eeg.vhdr"
