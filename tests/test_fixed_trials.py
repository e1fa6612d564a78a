"""Recordings cut into pieces of one length: nothing lost untold, nothing shared, bundles kept."""

from dataclasses import replace

import mne
import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from test_bids import write_run
from typer.testing import CliRunner

from bare_files import NAMES, SFREQ, make_raw, write, write_table
from eegemo.cli import app
from eegemo.config import load_experiment
from eegemo.datasets.bids import Bids
from eegemo.datasets.breaks import parse_spans
from eegemo.datasets.files import Files
from eegemo.datasets.fixed import cut_pieces
from eegemo.errors import DataError
from eegemo.results import open_result
from eegemo.runs.check import check_experiment
from eegemo.runs.run import run_experiments
from eegemo.testing import check_dataset


def read(root, **options):
    """Return the Epochs and notes of all recordings of a folder, cut into pieces."""
    epochs, notes = [], []
    for recording in Files(root=str(root), trials="fixed", **options).find():
        for run in recording.read(eeg_only=True):
            epochs += run.cut()
            notes += run.notes
    return epochs, notes


def about(epochs, column):
    return [value for part in epochs for value in part.metadata[column]]


def make_clock(seconds):
    """Return a recording whose samples tell their time: microvolts are seconds."""
    times = np.arange(round(seconds * SFREQ)) / SFREQ
    level = 1e-6 * (times + 100 * np.arange(1, 4)[:, np.newaxis])
    info = mne.create_info(list(NAMES), SFREQ, "eeg")
    return mne.io.RawArray(level, info, verbose="ERROR")


def first_times(epochs):
    return [1e6 * trial[0, 0] - 100 for part in epochs for trial in part.get_data()]


def test_pieces_of_whole_recordings(tmp_path):
    write(tmp_path / "a1_raw.fif", make_clock(34.5))
    write(tmp_path / "a2_raw.fif", make_clock(20.0))
    write(tmp_path / "b_raw.fif", make_clock(12.0))
    rows = ["a1_raw.fif,a,1,calm", "a2_raw.fif,a,2,tense", "b_raw.fif,b,1,calm"]
    write_table(tmp_path, *rows, columns="path,subject,run,label")
    epochs, notes = read(tmp_path, length=10.0)
    np.testing.assert_allclose(first_times(epochs), [0, 10, 20, 0, 10, 0], atol=1e-3)
    assert about(epochs, "fixed.onset") == [0, 10, 20, 0, 10, 0]
    assert about(epochs, "trial_type") == ["calm"] * 3 + ["tense"] * 2 + ["calm"]
    assert about(epochs, "trial") == [1, 2, 3, 4, 5, 1]
    assert {len(part.times) for part in epochs} == {10 * SFREQ}
    assert not any("bundle" in part.metadata for part in epochs)  # of nothing that was shown once
    assert [note for note in notes if "left out" in note] == [
        "a1_raw.fif: 4.5 s left out at the end, less than a piece of 10 s",
        "b_raw.fif: 2 s left out at the end, less than a piece of 10 s",
    ]
    epochs, _ = read(tmp_path, length=5.0, tmin=3.0, tmax=15.0)
    np.testing.assert_allclose(first_times(epochs), [3, 8] * 2 + [3], atol=1e-3)
    check_dataset(Files(root=str(tmp_path), trials="fixed", length=7.0))


def test_pieces_of_events_are_bundled(tmp_path):
    raw = make_clock(60.0)
    raw.set_annotations(
        mne.Annotations([2.0, 20.0, 40.0], [9.0, 8.0, 3.0], ["calm", "tense", "calm"])
    )
    write(tmp_path / "a_raw.fif", raw)
    write_table(tmp_path, "a_raw.fif,a")
    epochs, notes = read(tmp_path, length=4.0, trial_types=["calm", "tense"])
    np.testing.assert_allclose(first_times(epochs), [2, 6, 20, 24], atol=1e-3)
    assert about(epochs, "bundle") == ["a/1/1/calm#1"] * 2 + ["a/1/1/tense#2"] * 2
    (note,) = [note for note in notes if "left out" in note]
    assert note == (
        "a_raw.fif: 4 s left out at the ends of 2 stretches, less than a piece of 4 s; no piece at "
        "40 s"
    )
    (tmp_path / "t.csv").write_text("onset,duration,trial_type\n50,20,calm\n")
    write_table(tmp_path, "a_raw.fif,a,t.csv", columns="path,subject,events")
    epochs, notes = read(tmp_path, length=4.0, trial_types=["calm"])
    np.testing.assert_allclose(first_times(epochs), [50, 54], atol=1e-3)
    assert any("3 trials left out, outside the recording: 3, 4, 5" in note for note in notes)
    write_table(tmp_path, "a_raw.fif,a,film7", columns="path,subject,stimulus")
    epochs, _ = read(tmp_path, length=30.0)
    assert about(epochs, "bundle") == ["a/1/1/film7#1"] * 2  # one clip


def test_pieces_in_marked_segments(tmp_path):
    """A piece that is bad as a whole is left out; one that is bad in part says where."""
    raw = make_clock(40.0)
    raw.set_annotations(mne.Annotations([9.0, 33.0], [12.0, 1.0], ["BAD_move", "BAD_blink"]))
    write(tmp_path / "a_raw.fif", raw)
    write_table(tmp_path, "a_raw.fif,a")
    epochs, notes = read(tmp_path, length=10.0)
    np.testing.assert_allclose(first_times(epochs), [0, 20, 30], atol=1e-3)
    spans = [parse_spans(text) for text in about(epochs, "breaks")]
    inside = [[(max(start, 0), min(end, 10)) for start, end in span] for span in spans]
    assert inside == [[(9, 10)], [(0, 1)], [(3, 4)]]
    assert about(epochs, "trial") == [1, 3, 4]
    assert any("1 trial left out, marked bad: 2" in note for note in notes)


def test_pieces_of_bids_recordings(tmp_path):
    """Without events: classes come from the tables around the recordings."""
    write_run(tmp_path, "01", run="01", events=None)
    write_run(tmp_path, "01", run="02", events=[(4.0, 2.0, "BAD_jump")])
    write_run(tmp_path, "02", events=None)
    people = "participant_id\tgroup\nsub-01\tcalm\nsub-02\ttense\n"
    (tmp_path / "participants.tsv").write_text(people)
    data = Bids(root=str(tmp_path), trials="fixed", length=3.0)
    found = data.find()
    runs = [run for recording in found for run in recording.read(eeg_only=True)]
    epochs = [part for run in runs for part in run.cut()]
    np.testing.assert_allclose(first_times(epochs), [0, 3, 6] * 3, atol=1e-3)
    assert about(epochs, "trial") == [1, 2, 3, 4, 5, 6, 1, 2, 3]
    assert about(epochs, "participants.group") == ["calm"] * 6 + ["tense"] * 3
    assert about(epochs[1:2], "breaks")[1] == "1 3"  # the piece from 3 s on
    left = [note for run in runs for note in run.notes if "left out" in note]
    assert len(left) == 3
    assert left[0].endswith("_eeg.vhdr: 1 s left out at the end, less than a piece of 3 s")
    other = Bids(root=str(tmp_path), trials="fixed", length=2.0).find()[0]
    assert found[0].options != other.options
    check_dataset(data)
    without = replace(data, exclude=["sub-02", "sub-01_trial-2"])
    (run, _) = without.find()[0].read(eeg_only=True)
    assert about(run.cut(), "trial") == [1, 3]
    with pytest.raises(DataError, match=r"'sub-01_trial-9' fits no trial"):
        list(replace(data, exclude=["sub-01_trial-9"]).find()[0].read())
    with pytest.raises(DataError, match=r"No trial of subject 01 can be cut: .*10 s left out"):
        list(replace(data, length=60.0).find()[0].read())
    with pytest.raises(DataError, match=r"data\.length is missing"):
        Bids(root=str(tmp_path), trials="fixed").find()


def test_pieces_of_bids_events(tmp_path):
    events = [(0.5, 2.5, "calm"), (4.0, 2.0, "tense"), (7.0, 2.0, "question")]
    write_run(tmp_path, "01", events=events)
    options = {"trials": "fixed", "length": 1.0, "trial_types": ["calm", "tense"]}
    data = Bids(root=str(tmp_path), **options)
    (run,) = data.find()[0].read(eeg_only=True)
    epochs = run.cut()
    np.testing.assert_allclose(first_times(epochs), [0.5, 1.5, 4.0, 5.0], atol=1e-3)
    assert about(epochs, "trial_type") == ["calm"] * 2 + ["tense"] * 2
    assert about(epochs, "bundle") == ["01/1/1/calm#1"] * 2 + ["01/1/1/tense#2"] * 2
    check_dataset(data)
    (run,) = Bids(root=str(tmp_path), tmin=0.5, tmax=1.5, **options).find()[0].read(eeg_only=True)
    np.testing.assert_allclose(first_times(run.cut()), [1.0, 4.5], atol=1e-3)


@settings(max_examples=60, deadline=None)
@given(
    spans=st.lists(
        st.tuples(st.floats(0, 50), st.floats(0.001, 30)), min_size=1, max_size=4
    ),
    length=st.floats(0.1, 20),
    tmin=st.floats(0, 3),
)  # fmt: skip
def test_every_second_is_in_a_piece_or_counted(spans, length, tmin):
    table = pd.DataFrame(spans, columns=["onset", "duration"]).assign(span=range(len(spans)))
    pieces, _ = cut_pieces(table, length, tmin=tmin)
    for span, (onset, duration) in enumerate(spans):
        own = pieces[pieces["span"] == span]
        used = max(duration - tmin, 0)
        assert len(own) == int((used + 1e-6) // length)
        rest = used - len(own) * length
        assert -1e-5 < rest < length
        if len(own):
            starts = own["onset"].to_numpy()
            np.testing.assert_allclose(np.diff(starts), length)
            assert starts[0] == onset + tmin
            assert starts[-1] + length <= onset + duration + 1e-5
    assert (pieces["duration"] == length).all()


def test_from_a_folder_of_files_to_a_report(tmp_path):
    """Different formats, people and classes, from `check --write` to a result."""
    root = tmp_path / "data"
    rng = np.random.default_rng(0)
    for number, ending in enumerate((".edf", "_raw.fif", ".set"), start=1):
        for label in ("calm", "tense", "calm", "tense"):
            run = 1 + len(list(root.glob(f"S{number:02d}_{label}_*")))
            raw = make_raw(shift=rng.uniform(0, 5), marks=False, seconds=16)
            times = np.arange(len(raw.times)) / SFREQ
            alpha = (8e-6 if label == "calm" else 2e-6) * np.sin(2 * np.pi * 10 * times)
            raw._data += alpha + 1e-6 * rng.normal(size=raw._data.shape)
            write(root / f"S{number:02d}_{label}_run{2 * run + (label == 'calm')}{ending}", raw)
    run = CliRunner()
    done = run.invoke(app, ["check", str(root), "--write"])
    assert done.exit_code == 0, done.output
    content = {
        "name": "bare",
        "data": {"source": "files", "root": str(root), "trials": "fixed", "length": 4.0},
        "labels": {"task": "given"},
        "windows": {"duration": 2.0, "stride": 2.0},
        "split": {"n_splits": 2},
        "model": {"name": "band_power_logreg", "bands": [[8.0, 13.0]]},
    }
    file = tmp_path / "bare.yaml"
    file.write_text(yaml.safe_dump(content))
    experiment = load_experiment(file)
    checked = check_experiment(experiment, results=tmp_path / "results")
    assert not checked.problems
    assert dict(checked.facts)["trials"] == "calm 24, tense 24"
    (folder,) = run_experiments([experiment], results=tmp_path / "results", report=False)
    table = open_result(folder).predictions
    assert len(table) == 2 * 48  # each window of each piece once
    right = (table["p_calm"] > 0.5) == (table["y_true"] == "calm")
    assert right.mean() > 0.95
