"""`eegemo check` says what `eegemo run` does, since both prepare subjects by the same functions."""

import pickle

import mne
import numpy as np
import pytest
from folders import CHANNELS, make_events, make_noise, make_sections, write_recording

from eegemo.config import Experiment
from eegemo.datasets.deap.preprocessed import DeapRecording
from eegemo.errors import DataError
from eegemo.execution import RunContext
from eegemo.preprocessing import Record, preprocess
from eegemo.runs import check, outlines
from eegemo.runs.check import check_experiment
from eegemo.runs.check_data import check_data
from eegemo.runs.prepare import prepare_experiment
from eegemo.runs.resources import Resources


def make_experiment(root, **changes):
    return Experiment.model_validate(make_sections(root, **changes))


def facts_of(checked):
    return dict(checked.facts)


def test_trials_beyond_the_recording_are_not_promised(tmp_path):
    write_recording(tmp_path / "bids", data=make_noise(25), events=make_events(12))
    experiment = make_experiment(tmp_path / "bids", split={"n_splits": 2, "validation": 0.0})
    checked = check_experiment(experiment, results=tmp_path / "r")
    prepared = prepare_experiment(experiment, RunContext(tmp_path / "r"))
    assert len(prepared.windows.trials) == 5  # at 1, 6, ..., 21 s
    assert facts_of(checked)["trials"] == "happy 3, sad 2"
    assert facts_of(checked)["windows"].startswith(f"{len(prepared.windows)} of 1 s")
    assert list(checked.notes) == list(prepared.notes)  # the same is said of them


def test_check_writes_nothing_and_uses_what_is_stored(tmp_path, monkeypatch):
    write_recording(tmp_path / "bids")
    experiment = make_experiment(tmp_path / "bids")
    before = check_experiment(experiment, results=tmp_path / "r")
    assert not (tmp_path / "r").exists()
    prepare_experiment(experiment, RunContext(tmp_path / "r"))

    def never(*arguments):
        raise AssertionError("these trials are stored")

    monkeypatch.setattr(outlines, "prepare_subject", never)
    after = check_experiment(experiment, results=tmp_path / "r")
    told = ("trials", "windows", "folds", "events")
    assert [facts_of(after)[topic] for topic in told] == [facts_of(before)[t] for t in told]


def test_channels_in_another_order_are_put_in_order_by_name(tmp_path):
    """The same signals under the same names; the second recording's file has them reversed."""
    one, two = make_noise(seed=1), make_noise(seed=2)
    write_recording(tmp_path / "bids", "01", data=one)
    names = [name.upper() for name in CHANNELS[::-1]]
    write_recording(tmp_path / "bids", "02", data=two[::-1], names=names)
    experiment = make_experiment(tmp_path / "bids")
    checked = check_experiment(experiment, results=tmp_path / "r")
    assert not checked.exit_code, checked.problems
    prepared = prepare_experiment(experiment, RunContext(tmp_path / "r"))
    assert prepared.windows.trials.ch_names == CHANNELS
    for rows, signals in ((slice(0, 48), one), (slice(48, 96), two)):
        x = prepared.windows.gather(np.arange(96)[rows])
        first = signals[:, 128 : 2 * 128].T * 1e-6  # the first trial begins after 1 s
        np.testing.assert_allclose(x[0], first, rtol=1e-5, atol=1e-10)
    again = prepare_experiment(experiment, RunContext(tmp_path / "r"))
    assert again.digests == prepared.digests


def test_other_channels_are_refused_by_both(tmp_path):
    write_recording(tmp_path / "bids", "01")
    write_recording(tmp_path / "bids", "02", names=("Oz", *CHANNELS[1:]))
    experiment = make_experiment(tmp_path / "bids")
    (problem,) = check_experiment(experiment, results=tmp_path / "r").problems
    with pytest.raises(DataError) as error:
        prepare_experiment(experiment, RunContext(tmp_path / "r"))
    assert str(error.value) == problem
    assert "Fp1, Oz" in problem


@pytest.mark.parametrize("free", [23e9, 96e9])
def test_more_jobs_than_fit_are_not_advised(monkeypatch, free):
    """Seen in public: a network for windows of 60 s at 512 Hz, and the advice of a single job."""
    need = 95_000_000_000
    advice = check._advise(need, int(free), 2)
    if free < need:
        assert "--jobs" not in advice
        assert "even for one job" in advice
        assert "smaller" in advice
    else:
        assert advice.endswith("try --jobs 1.")
    assert Resources(1000, need, need, None).memory == need


def test_what_a_person_needs_to_write_the_file_is_printed(tmp_path):
    rows = [(*row, 3 + k / 2) for k, row in enumerate(make_events())]
    write_recording(tmp_path, events=rows, columns=("onset", "duration", "trial_type", "valence"))
    facts = dict(check_data(tmp_path).facts)
    assert facts["events"] == "happy 6 (4 s), sad 6 (4 s)"
    assert facts["ratings"] == "valence 3 to 8.5"
    assert facts["channels"] == f"8 EEG: {', '.join(CHANNELS)}"
    assert facts["rate"] == "128 Hz"


# --- DEAP ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n_times", "said"),
    [(8064, None), (7680, "baseline before each video"), (7000, "8.3125 s are missing")],
)
def test_deap_trials_that_are_not_63_s(tmp_path, n_times, said):
    """Copies of DEAP without the baseline circulate; 60 s exactly are the whole video."""
    file = tmp_path / "s01.dat"
    signals = np.random.default_rng(0).normal(0, 10, (2, 40, n_times))
    file.write_bytes(pickle.dumps({"data": signals, "labels": np.full((2, 4), 5.0)}, protocol=2))
    recording = DeapRecording("s01", (file,), "deap-1")
    if n_times == 7680:
        with pytest.raises(DataError, match=said):
            list(recording.read(eeg_only=True))
        return
    (run,) = recording.read(eeg_only=True)
    assert len(run.notes) == (said is not None)
    assert all(said in note for note in run.notes)


# --- positions ----------------------------------------------------------------------------------


def make_raw(names):
    info = mne.create_info(list(names), 128.0, "eeg")
    return mne.io.RawArray(1e-5 * np.ones((len(names), 256)), info, verbose="ERROR")


def test_a_montage_gives_positions_to_recordings_without():
    record = Record()
    preprocess(make_raw(("Fz", "CZ", "odd")), montage="standard_1005", record=record)
    assert record.positions is None  # one is unknown
    assert any("no position of channel odd" in note for note in record.notes)
    record = Record()
    preprocess(make_raw(("Fz", "CZ")), montage="standard_1005", record=record)
    vertex = record.positions[1]
    assert abs(vertex[0]) < 0.005  # in the middle, and on top
    assert vertex[2] > 0.09
    record = Record()
    preprocess(make_raw(("Fz", "Cz")), record=record)
    assert record.positions is None


def test_a_montage_that_there_is_not():
    with pytest.raises(DataError, match=r"Did you mean .*standard_1020"):
        preprocess(make_raw(("Fz", "Cz")), montage="standard_1021")


def test_positions_of_the_recording_are_kept():
    raw = make_raw(("Fz", "Cz"))
    places = {"Fz": (0, 0.05, 0.06), "Cz": (0, 0, 0.1)}
    own = mne.channels.make_dig_montage(places, coord_frame="head")
    record = Record()
    preprocess(raw.set_montage(own), montage="standard_1005", record=record)
    np.testing.assert_allclose(record.positions[0], (0, 0.05, 0.06))
