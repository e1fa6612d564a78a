"""BIDS EEG: small data sets written by hand, in BrainVision format."""

import json
import pickle

import mne
import numpy as np
import pandas as pd
import pytest

from eegemo.datasets.bids import find_recordings_bids
from eegemo.errors import DataError
from eegemo.preprocessing import preprocess

SFREQ = 250
CHANNELS = ("Fz", "Cz", "Pz", "EOG")
EVENTS = [(1.0, 2.0, "happy"), (4.0, 2.0, "sad"), (7.0, 2.0, "happy")]


def write_brainvision(folder, stem, data, signals=None):
    """Write microvolts, shape (n_channels, n_times), as 32-bit floats; `signals` names the file."""
    signals = signals or f"{stem}.eeg"
    header = [
        "Brain Vision Data Exchange Header File Version 1.0",
        "[Common Infos]",
        "Codepage=UTF-8",
        f"DataFile={signals}",
        f"MarkerFile={stem}.vmrk",
        "DataFormat=BINARY",
        "DataOrientation=MULTIPLEXED",
        f"NumberOfChannels={len(data)}",
        f"SamplingInterval={1e6 / SFREQ:g}",
        "[Binary Infos]",
        "BinaryFormat=IEEE_FLOAT_32",
        "[Channel Infos]",
        *(f"Ch{number}={name},,1,µV" for number, name in enumerate(CHANNELS, start=1)),
    ]
    marker = [
        "Brain Vision Data Exchange Marker File, Version 1.0",
        "[Common Infos]",
        "Codepage=UTF-8",
        f"DataFile={stem}.eeg",
        "[Marker Infos]",
    ]
    (folder / f"{stem}.vhdr").write_text("\n".join(header) + "\n", encoding="utf-8")
    (folder / f"{stem}.vmrk").write_text("\n".join(marker) + "\n", encoding="utf-8")
    (folder / signals).write_bytes(data.T.astype("<f4").tobytes())


def write_tsv(path, columns, rows):
    lines = ["\t".join(columns), *("\t".join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def make_signal(n_times=SFREQ * 10):
    """Microvolts that say which channel and which moment they are from."""
    moments = np.arange(n_times) / SFREQ
    return np.stack([moments + 100 * channel for channel in range(1, len(CHANNELS) + 1)])


def write_run(
    root,
    subject="01",
    session=None,
    run=None,
    task="music",
    events=EVENTS,
    columns=("onset", "duration", "trial_type"),
    data=None,
    bad=(),
    signals=None,
):
    session_part = f"_ses-{session}" if session else ""
    run_part = f"_run-{run}" if run else ""
    folder = root / f"sub-{subject}" / (f"ses-{session}" if session else "") / "eeg"
    folder.mkdir(parents=True, exist_ok=True)
    description = {"Name": "test", "BIDSVersion": "1.9.0"}
    (root / "dataset_description.json").write_text(json.dumps(description))
    stem = f"sub-{subject}{session_part}_task-{task}{run_part}"
    write_brainvision(folder, f"{stem}_eeg", make_signal() if data is None else data, signals)
    sidecar = {"TaskName": task, "SamplingFrequency": SFREQ, "PowerLineFrequency": 50}
    (folder / f"{stem}_eeg.json").write_text(json.dumps(sidecar))
    write_tsv(
        folder / f"{stem}_channels.tsv",
        ("name", "type", "units", "status"),
        [
            (name, "VEOG" if name == "EOG" else "EEG", "µV", "bad" if name in bad else "good")
            for name in CHANNELS
        ],
    )
    if events is not None:
        write_tsv(folder / f"{stem}_events.tsv", columns, events)
    return folder / stem


def test_signals_events_and_metadata(tmp_path):
    write_run(tmp_path)
    (recording,) = find_recordings_bids(tmp_path)
    assert recording.subject == "01"
    assert recording.options == {"task": "music", "tmin": 0.0, "tmax": None, "trial_types": None}
    (run,) = recording.read()
    assert run.inst.ch_names == list(CHANNELS)
    assert run.inst.get_channel_types() == ["eeg", "eeg", "eeg", "eog"]
    # 32-bit floats in the file
    np.testing.assert_allclose(run.inst.get_data(), make_signal() * 1e-6, rtol=1e-6)
    epochs = run.make_epochs(run.inst)
    metadata = epochs.metadata
    assert list(metadata) == ["subject", "session", "trial", "stimulus", "run", "trial_type"]
    assert metadata["trial_type"].tolist() == ["happy", "sad", "happy"]
    assert metadata["trial"].tolist() == [1, 2, 3]
    assert set(metadata["subject"]) == {"01"}
    assert (epochs.tmin, len(epochs.times)) == (0.0, 2 * SFREQ)  # half open
    np.testing.assert_allclose(epochs.get_data()[:, 0, 0] * 1e6 - 100, [1.0, 4.0, 7.0], atol=1e-4)


def test_only_eeg(tmp_path):
    write_run(tmp_path, bad=["Cz"])
    (run,) = find_recordings_bids(tmp_path)[0].read(eeg_only=True)
    assert run.inst.ch_names == ["Fz", "Cz", "Pz"]
    assert run.inst.info["bads"] == ["Cz"]
    assert any("marked bad: Cz (not part of an average" in note for note in run.notes)


def test_trials_are_cut_at_the_same_moments_after_resampling(tmp_path):
    write_run(tmp_path, events=[(1.003, 2.0, "a"), (4.5, 2.0, "b")])
    (run,) = find_recordings_bids(tmp_path, tmin=-0.5, tmax=1.0)[0].read()
    epochs = preprocess(run.inst, sfreq=125.0, make_epochs=run.make_epochs)
    # -62.5 to 125 samples from the onset: whole ones inside, the end not included
    assert (epochs.tmin, len(epochs.times)) == (-62 / 125, 62 + 125)
    onset = epochs.get_data()[:, 0, 62] * 1e6 - 100
    # rounded to the nearest sample: half of 8 ms, and the filter's ripple
    np.testing.assert_allclose(onset, [1.003, 4.5], atol=0.0045 + 0.02)


def test_ratings_and_stimuli(tmp_path):
    write_run(
        tmp_path,
        columns=("onset", "duration", "stim_file", "Valence", "AROUSAL", "comment"),
        events=[(1, 2, "clip1.mp4", 7.5, "n/a", "x"), (4, 2, "n/a", 3, 1, "y")],
    )
    (run,) = find_recordings_bids(tmp_path)[0].read()
    metadata = run.make_epochs(run.inst).metadata
    assert metadata["stimulus"].tolist() == ["clip1.mp4", ""]
    assert metadata["valence"].tolist() == [7.5, 3.0]
    assert metadata["arousal"].isna().tolist() == [True, False]
    assert metadata["trial_type"].tolist() == ["", ""]
    assert "dominance" not in metadata


def test_trials_are_numbered_over_runs_and_sessions(tmp_path):
    for session in ("b", "a"):
        for run in ("02", "01"):
            write_run(tmp_path, session=session, run=run)
    write_run(tmp_path, subject="02", session="a", run="01")
    first, second = find_recordings_bids(tmp_path)
    assert (first.subject, second.subject) == ("01", "02")
    runs = [run.make_epochs(run.inst).metadata for run in first.read()]
    found = [(m["session"].iloc[0], m["run"].iloc[0], m["trial"].tolist()) for m in runs]
    assert found == [
        ("a", "01", [1, 2, 3]),
        ("a", "02", [4, 5, 6]),
        ("b", "01", [1, 2, 3]),
        ("b", "02", [4, 5, 6]),
    ]
    copy = pickle.loads(pickle.dumps(first))
    assert [run.make_epochs(run.inst).metadata["trial"].tolist() for run in copy.read()][1] == [
        4,
        5,
        6,
    ]


def test_trials_left_out_are_reported_and_keep_their_numbers(tmp_path):
    events = [(0.2, 2, "a"), (3, 2, "b"), (5, 2, "a"), (9, 2, "b"), (4.9, 2.2, "BAD_muscle")]
    write_run(tmp_path, run="1", events=events)
    write_run(tmp_path, run="2")
    first, second = find_recordings_bids(tmp_path, tmin=-0.5, tmax=2.0)[0].read()
    assert first.make_epochs(first.inst).metadata["trial"].tolist() == [2]
    assert second.make_epochs(second.inst).metadata["trial"].tolist() == [5, 6, 7]
    notes = " ".join(first.notes)
    assert "2 trials left out, outside the recording: 1, 4" in notes
    assert "1 trial left out, marked bad: 3" in notes
    assert not any("left out" in note for note in second.notes)


def test_trial_at_the_very_end(tmp_path):
    """A trial that ends with the recording fits, at any sampling rate."""
    write_run(tmp_path, events=[(0.0, 2, "a"), (8.0, 2, "b")])
    (run,) = find_recordings_bids(tmp_path)[0].read()
    for sfreq in (250.0, 128.0, 99.0, 33.0):
        epochs = preprocess(run.inst, sfreq=sfreq, make_epochs=run.make_epochs)
        assert epochs.get_data().shape == (2, 3, round(2 * sfreq))
    assert not run.notes


def test_runs_without_usable_trials(tmp_path):
    write_run(tmp_path, run="1", events=[(9.5, 2, "a")])
    write_run(tmp_path, run="2", events=[])
    write_run(tmp_path, run="3")
    (run,) = find_recordings_bids(tmp_path)[0].read()
    assert run.make_epochs(run.inst).metadata["trial"].tolist() == [2, 3, 4]
    assert any("run-1" in note and "left out" in note for note in run.notes)
    for stem in ("run-1", "run-3"):
        write_run(tmp_path, run=stem[-1], events=[(9.5, 2, "a")])
    with pytest.raises(DataError, match=r"No trial of subject 01 can be cut: .*run-1.*run-3"):
        list(find_recordings_bids(tmp_path)[0].read())


def test_trial_types(tmp_path):
    events = [(0.5, 0, "fixation"), *EVENTS, (3.5, 0, "boundary")]
    write_run(tmp_path, events=events)
    (recording,) = find_recordings_bids(tmp_path, trial_types=["sad", "happy"])
    (run,) = recording.read()
    assert run.make_epochs(run.inst).metadata["trial_type"].tolist() == ["happy", "sad", "happy"]
    assert recording.options["trial_types"] == ["happy", "sad"]
    with pytest.raises(DataError, match=r"trial_type 'hapy'\. Did you mean 'happy'\?"):
        find_recordings_bids(tmp_path, trial_types=["hapy"])
    with pytest.raises(DataError, match=r"not every trial has a duration.*tmax"):
        find_recordings_bids(tmp_path)
    assert find_recordings_bids(tmp_path, tmax=0.5)[0].options["tmax"] == 0.5


@pytest.mark.parametrize(
    ("onsets", "options", "bundles"),
    [
        ([1, 2.5, 5], {}, "110"),
        ([5, 1, 3.5, 2.9], {}, "1111"),  # a chain, in the order of onsets
        ([1, 4, 4.001], {}, "022"),
        ([1, 3], {"tmin": 0.5, "tmax": 3}, "11"),
        ([1, 3], {"tmin": -1, "tmax": 2.5}, "11"),
        ([1, 2.988, 5], {}, "110"),  # by 12 ms
        ([1, 3], {"tmin": -1}, "00"),  # what is before the onset is not learned from
        ([1, 3], {"tmin": 0.5, "tmax": 2.5}, "00"),
        ([1, 2.999999, 5], {}, "000"),  # six digits
    ],
)
def test_trials_that_overlap_are_bundled(tmp_path, onsets, options, bundles):
    """Else the same signal could be in training and in the test."""
    write_run(tmp_path, run="1")
    write_run(tmp_path, run="2", events=[(onset, 2, "a") for onset in onsets])
    (recording,) = find_recordings_bids(tmp_path, **options)
    (first,), parts = (run.cut() for run in recording.read())
    assert "bundle" not in first.metadata
    metadata = pd.concat([epochs.metadata for epochs in parts])
    found = metadata.get("bundle", ["0"] * len(onsets))
    expected = [f"01/1/2/trials#{number}" if number != "0" else "" for number in bundles]
    assert [name if name != "0" else "" for name in found] == expected
    starts = [sample / SFREQ for epochs in parts for sample in epochs.events[:, 0]]
    np.testing.assert_allclose(starts, sorted(onsets), atol=0.5 / SFREQ)  # none is moved away


def test_a_trial_marked_bad_may_overlap(tmp_path):
    write_run(tmp_path, events=[(1, 2, "a"), (2, 2, "a"), (5, 2, "a"), (1, 2, "BAD_start")])
    (run,) = find_recordings_bids(tmp_path, trial_types=["a"])[0].read()
    assert run.make_epochs(run.inst).metadata["trial"].tolist() == [2, 3]


@pytest.mark.parametrize("length", [0.31, 0.54, 0.5, 1.0])
@pytest.mark.parametrize("first", [0.0, 0.002, 0.0137])
def test_neighbours_share_no_sample_at_any_rate(tmp_path, length, first):
    n = int((10 - first) / length)
    onsets = [round(first + length * k, 6) for k in range(n)]
    write_run(tmp_path, events=[(onset, length, "a") for onset in onsets])
    (run,) = find_recordings_bids(tmp_path)[0].read()
    for sfreq in (250.0, 128.0, 99.0, 33.0, 7.0):
        epochs = preprocess(run.inst, sfreq=sfreq, make_epochs=run.make_epochs)
        starts = epochs.events[:, 0]
        assert len(starts) == n
        assert np.diff(starts).min() >= len(epochs.times)
        assert length - 1 / sfreq < len(epochs.times) / sfreq <= length + 0.05 / sfreq
        # half a sample of rounding, and what the few samples outside a packed recording allow
        assert np.abs(starts / sfreq - onsets).max() < 0.51 / sfreq


def test_a_rate_too_low_for_any_sample(tmp_path):
    write_run(tmp_path)
    (run,) = find_recordings_bids(tmp_path, tmax=0.5)[0].read()
    with pytest.raises(DataError, match=r"tmax=0\.5 s has no sample after its onset at 1 Hz"):
        preprocess(run.inst, sfreq=1.0, make_epochs=run.make_epochs)


def test_subjects(tmp_path):
    for subject in ("01", "02", "12", "pilot"):
        write_run(tmp_path, subject=subject)

    def find(subjects):
        return [found.subject for found in find_recordings_bids(tmp_path, subjects=subjects)]

    assert find("all") == ["01", "02", "12", "pilot"]
    assert find(["sub-02", 1]) == ["01", "02"]
    assert find(["pilot"]) == ["pilot"]
    with pytest.raises(
        DataError, match=r"Subject 'pilto' has no EEG.*Did you mean pilot\?.*01, 02"
    ):
        find(["pilto"])
    with pytest.raises(DataError, match="No subject"):
        find([])


def test_tasks(tmp_path):
    write_run(tmp_path)
    write_run(tmp_path, subject="02", task="rest")
    with pytest.raises(DataError, match="several tasks, choose one: music, rest"):
        find_recordings_bids(tmp_path)
    with pytest.raises(DataError, match=r"task 'musik'\. Did you mean 'music'"):
        find_recordings_bids(tmp_path, task="musik")
    with pytest.raises(DataError, match="Subject '02' has no EEG"):
        find_recordings_bids(tmp_path, task="music", subjects=["02"])
    assert [found.subject for found in find_recordings_bids(tmp_path, task="rest")] == ["02"]


@pytest.mark.parametrize(
    ("columns", "events", "says"),
    [
        (("start", "duration"), [(1, 2)], "no column 'onset'; it has start, duration"),
        (("onset", "duration"), [("n/a", 2)], r"no trial .*\(rows: 1 without an onset\)"),
        (("onset", "duration"), [("soon", 2)], "line 2: onset is 'soon'; expected a number"),
        (
            ("onset", "duration", "valence"),
            [(1, 2, 5), (4, 2, "high")],
            "line 3: valence is 'high'",
        ),
        (("onset", "duration", "valence"), [(1, 2, "inf")], "line 2: valence is 'inf'"),
        (
            ("onset", "duration", "trial_type"),
            [(1, 2, "a"), (1, 3, "b")],
            r"several events at 1 s \(a, b; lines 2, 3\)",
        ),
        (("onset", "duration"), [(1, "n/a")], "tmax"),
        (("onset",), [(1,)], "tmax"),
        (("onset", "duration"), [], "subject 01 has no trial"),
    ],
)
def test_wrong_events(tmp_path, columns, events, says):
    write_run(tmp_path, columns=columns, events=events)
    with pytest.raises(DataError, match=says):
        find_recordings_bids(tmp_path)


def test_wrong_data_sets(tmp_path):
    with pytest.raises(DataError, match=r"expected a folder with dataset_description\.json"):
        find_recordings_bids(tmp_path)
    with pytest.raises(DataError, match="no such folder"):
        find_recordings_bids(tmp_path / "nowhere")
    (tmp_path / "dataset_description.json").write_text("{}")
    with pytest.raises(DataError, match="holds no EEG"):
        find_recordings_bids(tmp_path)
    write_run(tmp_path, events=None)
    with pytest.raises(DataError, match=r"_eeg\.vhdr has no events\.tsv"):
        find_recordings_bids(tmp_path)
    stem = write_run(tmp_path)
    for tmin, tmax in ((0.5, 0.5), (-1.0, 0.0)):
        with pytest.raises(DataError, match="no samples after its onset"):
            find_recordings_bids(tmp_path, tmin=tmin, tmax=tmax)
    (stem.parent / f"{stem.name}_eeg.edf").write_bytes(b"")
    with pytest.raises(DataError, match="are the same run"):
        find_recordings_bids(tmp_path)


def test_damaged_signals(tmp_path):
    stem = write_run(tmp_path)
    (recording,) = find_recordings_bids(tmp_path)
    data = make_signal()
    data[1, 7] = np.nan
    write_run(tmp_path, data=data)
    with pytest.raises(DataError, match=r"_eeg\.vhdr, channel Cz holds NaN"):
        list(recording.read())
    stem.with_name(f"{stem.name}_eeg.vhdr").write_text("nonsense")
    with pytest.raises(
        DataError, match=r"_eeg\.vhdr cannot be read as a continuous recording: it is damaged"
    ):
        list(recording.read())


def test_an_unknown_type_of_channel_becomes_a_note(tmp_path):
    stem = write_run(tmp_path)
    write_tsv(
        stem.with_name(f"{stem.name}_channels.tsv"),
        ("name", "type", "units"),
        [(name, "EEG" if name != "EOG" else "NOVEL", "µV") for name in CHANNELS],
    )
    (run,) = find_recordings_bids(tmp_path)[0].read()
    assert any("NOVEL" in note for note in run.notes)
    assert isinstance(run.inst, mne.io.BaseRaw)
