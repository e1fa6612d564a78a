"""Windows as an index into trials: against naive slicing, in memory and on disk."""

import pickle
from math import floor

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

from eegemo.errors import DataError
from eegemo.store import DiskFullError
from eegemo.windows import Trials, load_trials, make_windows, store_trials
from eegemo.windows import make_trials as trials_of
from helpers import (
    CHANNELS,
    SFREQ,
    make_epochs,
    make_labels_of,
    make_metadata,
    make_test_windows,
    make_trials,
)


@st.composite
def windowed(draw):
    """Windows of any geometry over recordings of different sizes and lengths."""
    sizes = draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    lengths = [draw(st.integers(8, 60)) for _ in sizes]
    n_times = draw(st.integers(1, 20))
    step = draw(st.integers(1, 20))
    trials = make_trials(tuple(sizes), n_times=lengths)
    codes = draw(st.lists(st.integers(-1, 1), min_size=len(trials), max_size=len(trials)))
    labels = make_labels_of(codes)
    long = [trials.array(k).shape[0] >= n_times for k in range(len(trials))]
    if not any(ok and code >= 0 for ok, code in zip(long, codes, strict=True)):
        codes[0] = 0
        n_times = min(n_times, lengths[0])
        labels = make_labels_of(codes)
    windows = make_windows(trials, labels, duration=n_times / SFREQ, stride=step / SFREQ)
    return windows, n_times, step


# --- the index -----------------------------------------------------------------------------------


@given(windowed())
def test_gather_is_naive_slicing(case):
    windows, n_times, step = case
    expected = [
        sliding_window_view(windows.trials.array(k), n_times, axis=0)[::step].swapaxes(1, 2)
        for k, code in enumerate(windows.labels.codes)
        if code >= 0 and len(windows.trials.array(k)) >= n_times
    ]
    gathered = windows.gather(np.arange(len(windows)))
    assert gathered.dtype == np.float32
    np.testing.assert_array_equal(gathered, np.concatenate(expected))


@given(windowed())
def test_number_of_windows_and_their_place_in_the_trial(case):
    windows, n_times, step = case
    number = np.bincount(windows.trial, minlength=len(windows.trials))
    for k, code in enumerate(windows.labels.codes):
        length = len(windows.trials.array(k))
        fits = code >= 0 and length >= n_times
        assert number[k] == (floor((length - n_times) / step) + 1 if fits else 0)
        first = windows.first[windows.trial == k]
        assert ((first >= 0) & (first + n_times <= length)).all()
        assert first.tolist() == [step * i for i in range(len(first))]


@given(windowed(), st.data())
def test_gather_takes_rows_in_any_order_and_repeatedly(case, data):
    windows, _, _ = case
    rows = data.draw(st.lists(st.integers(0, len(windows) - 1), max_size=10))
    everything = windows.gather(np.arange(len(windows)))
    np.testing.assert_array_equal(
        windows.gather(np.array(rows, np.int64)), everything[np.array(rows, np.int64)]
    )


@given(windowed())
def test_table_says_where_each_window_is_from(case):
    windows, _, _ = case
    table, metadata = windows.table, windows.trials.metadata
    assert len(table) == len(windows)
    for name in ("subject", "session", "trial", "stimulus"):
        assert table[name].tolist() == metadata[name].iloc[windows.trial].tolist()
    np.testing.assert_array_equal(table["start"] * SFREQ, windows.first)
    assert table["code"].tolist() == windows.labels.codes[windows.trial].tolist()
    assert (table["code"] >= 0).all()


def test_windows_of_deap_as_the_notes_count_them():
    """60 s at 128 Hz: 59 windows of 2 s every second; 465 of 256 samples every 16."""
    trials = Trials((np.zeros((1, 7680, 1), np.float32),), make_metadata(1), 128.0, ("Fz",))
    labels = make_labels_of([0])
    assert len(make_windows(trials, labels, duration=2.0, stride=1.0)) == 59
    assert len(make_windows(trials, labels, duration=2.0, stride=0.125)) == 465


def test_gathered_windows_are_copies():
    windows = make_test_windows()
    before = windows.gather(np.arange(len(windows)))
    windows.gather(np.arange(len(windows)))[:] = 0
    np.testing.assert_array_equal(windows.gather(np.arange(len(windows))), before)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"duration": 0.01}, "duration must be a whole number of samples"),
        ({"duration": 1.01}, "duration must be a whole number of samples.*32.32 samples"),
        ({"stride": 0.0}, "stride must be a whole number of samples, at least one"),
        ({"stride": -1.0}, "stride"),
        ({"duration": 60.0}, "longer than every usable trial.*5 s"),
    ],
)
def test_windows_that_cannot_be_cut_are_refused(options, message):
    trials = make_trials()
    with pytest.raises(DataError, match=message):
        make_windows(trials, make_labels_of([0] * 5), **{"duration": 1.0, "stride": 1.0} | options)


def test_no_window_is_made_when_no_trial_has_a_class():
    with pytest.raises(DataError, match="longer than every usable trial"):
        make_windows(make_trials(), make_labels_of([-1] * 5), duration=1.0, stride=1.0)


# --- from epochs ---------------------------------------------------------------------------------


@pytest.mark.parametrize("sfreq", [32.0, 100.0, 128.0, 250.0, 512.0])
def test_samples_before_time_zero_are_left_out(sfreq):
    """The first sample kept is the one at stimulus onset, whatever the sampling frequency."""
    n_before = round(0.5 * sfreq)
    epochs = make_epochs(tmin=-n_before / sfreq, n_times=n_before + 20, sfreq=sfreq)
    trials = trials_of([epochs])
    assert trials.arrays[0].shape == (2, 20, len(CHANNELS))
    expected = epochs.get_data()[:, :, n_before:].swapaxes(1, 2).astype(np.float32)
    np.testing.assert_array_equal(trials.arrays[0], expected)


def test_starts_are_counted_from_stimulus_onset_also_where_trials_begin_later(tmp_path):
    """Trials from 0.5 s: the first window starts at 0.5 s, in memory and on disk alike."""
    epochs = make_epochs(tmin=0.5, n_times=96)
    for trials in (trials_of([epochs]), load_trials([store_trials(epochs, tmp_path / "t")])):
        windows = make_windows(trials, make_labels_of([0, 1]), duration=1.0, stride=1.0)
        windows = pickle.loads(pickle.dumps(windows))
        assert windows.table["start"].tolist() == [0.5, 1.5, 2.5] * 2
        expected = epochs.get_data()[0, :, :32].T.astype(np.float32)
        np.testing.assert_array_equal(windows.gather(np.array([0]))[0], expected)


def test_epochs_stay_as_they_were():
    epochs = make_epochs(tmin=-0.5)
    before = epochs.get_data(copy=True)
    trials_of([epochs]).arrays[0][:] = 0
    np.testing.assert_array_equal(epochs.get_data(), before)


def test_epochs_without_metadata_are_refused():
    epochs = make_epochs()
    epochs.metadata = None
    with pytest.raises(DataError, match="metadata with the columns subject, session, trial"):
        trials_of([epochs])


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (make_epochs(subject="s02").pick(["Fz", "Cz"]), r"subject s02.*channels differ.*\(Pz\)"),
        (make_epochs(subject="s02").pick(["Cz", "Fz", "Pz"]), "in another order"),
        (make_epochs(subject="s02", sfreq=64.0), "subject s02: sampled at 64 Hz.*32 Hz"),
    ],
)
def test_recordings_that_do_not_match_are_refused(other, message):
    if "order" in message:
        other = other.copy().reorder_channels(["Cz", "Fz", "Pz"])
    with pytest.raises(DataError, match=message):
        trials_of([make_epochs(), other])


def test_no_recording_at_all_is_refused():
    with pytest.raises(DataError, match="no recording"):
        trials_of([])
    with pytest.raises(DataError, match="no recording"):
        load_trials([])


# --- on disk -------------------------------------------------------------------------------------


@pytest.fixture
def epochs():
    """Two subjects of different lengths, one of them with no rating known."""
    return [
        make_epochs(3, subject="s01", tmin=-0.5, n_times=80, valence=[1.0, np.nan, 9.0]),
        make_epochs(2, subject="s02", n_times=50, seed=1, valence=[np.nan, np.nan]),
    ]


@pytest.fixture
def folders(epochs, tmp_path):
    return [store_trials(one, tmp_path / f"trials-{k}") for k, one in enumerate(epochs)]


def test_stored_trials_are_the_trials_in_memory(epochs, folders):
    stored, memory = load_trials(folders), trials_of(epochs)
    assert (stored.sfreq, stored.ch_names) == (memory.sfreq, memory.ch_names)
    for one, other in zip(stored.arrays, memory.arrays, strict=True):
        assert one.dtype == np.float32
        np.testing.assert_array_equal(one, other)
    pd.testing.assert_frame_equal(stored.metadata, memory.metadata)


def test_stored_trials_are_memory_mapped_and_read_only(folders):
    array = load_trials(folders).arrays[0]
    base = array
    while base is not None and not isinstance(base, np.memmap):
        base = base.base
    assert isinstance(base, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        array[0, 0, 0] = 1.0


def test_a_window_of_a_stored_trial_is_contiguous_on_disk(folders):
    trials = load_trials(folders)
    assert trials.array(1)[3:20].flags.c_contiguous
    assert np.shares_memory(trials.array(1), trials.arrays[0])


def test_pickling_stored_trials_sends_no_signals(tmp_path):
    folder = store_trials(make_epochs(4, n_times=5000), tmp_path / "trials")
    trials = load_trials([folder])
    windows = make_windows(trials, make_labels_of([0, 1, 0, 1]), duration=1.0, stride=1.0)
    _ = windows.table  # what is cached is not sent either
    sent = pickle.dumps(windows)
    assert len(sent) < trials.arrays[0].nbytes / 20
    again = pickle.loads(sent)
    rows = np.arange(len(windows))
    np.testing.assert_array_equal(again.gather(rows), windows.gather(rows))
    pd.testing.assert_frame_equal(again.table, windows.table)


def test_pickling_trials_in_memory_keeps_them():
    windows = make_test_windows()
    again = pickle.loads(pickle.dumps(windows))
    rows = np.arange(len(windows))
    np.testing.assert_array_equal(again.gather(rows), windows.gather(rows))


def test_storing_again_leaves_what_is_there(tmp_path):
    folder = store_trials(make_epochs(seed=0), tmp_path / "trials")
    before = (folder / "trials.npy").read_bytes()
    store_trials(make_epochs(seed=1), folder)
    assert (folder / "trials.npy").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["trials"]


def cut_short(path):
    path.write_bytes(path.read_bytes()[:-7])


def cut_to_nothing(path):
    path.write_bytes(b"")


def overwrite(path):
    path.write_bytes(b"this is no array and no table" * 10)


def remove(path):
    path.unlink()


@pytest.mark.parametrize("name", ["trials.npy", "metadata.parquet", "signal.parquet"])
@pytest.mark.parametrize("damage", [cut_short, cut_to_nothing, overwrite, remove])
def test_a_torn_folder_is_refused_by_name(folders, name, damage):
    damage(folders[1] / name)
    with pytest.raises(DataError, match="trials-1: not a whole folder of stored trials"):
        load_trials(folders)


def test_a_folder_with_fewer_metadata_rows_than_trials_is_refused(folders):
    table = pd.read_parquet(folders[0] / "metadata.parquet")
    table.iloc[:2].to_parquet(folders[0] / "metadata.parquet")
    with pytest.raises(DataError, match="3 trials but 2 metadata rows"):
        load_trials(folders)


def test_trials_that_fail_to_be_stored_leave_no_folder(tmp_path, monkeypatch):
    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full_disk)
    with pytest.raises(DiskFullError, match="the disk is full"):
        store_trials(make_epochs(), tmp_path / "trials")
    assert list(tmp_path.iterdir()) == []


# --- several runs of one recording ---------------------------------------------------------------


def test_runs_are_joined_with_channels_in_the_order_of_the_first(tmp_path):
    first, second = make_epochs(2, seed=1), make_epochs(3, seed=2)
    second.info["bads"] = [CHANNELS[0]]  # MNE would refuse to join runs that differ in this
    shuffled = second.copy().reorder_channels(list(CHANNELS)[::-1])
    trials = load_trials([store_trials([first, shuffled], tmp_path / "t")])
    expected = np.concatenate([one.get_data(copy=False) for one in (first, second)])
    np.testing.assert_array_equal(trials.arrays[0], expected.swapaxes(1, 2).astype(np.float32))
    assert trials.ch_names == tuple(CHANNELS)
    assert len(trials.metadata) == 5


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (lambda: make_epochs(2).drop_channels([CHANNELS[0]]), "run 2 of 2: its channels differ"),
        (lambda: make_epochs(2, sfreq=2 * SFREQ), "run 2 of 2: 64 samples at"),
        (lambda: make_epochs(2, n_times=60), "run 2 of 2: 60 samples at"),
    ],
)
def test_runs_that_do_not_match_are_refused(tmp_path, other, message):
    with pytest.raises(DataError, match=message):
        store_trials([make_epochs(2), other()], tmp_path / "t")
    assert not (tmp_path / "t").exists()


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_samples_that_are_no_single_precision_numbers_are_refused_by_name(value):
    epochs = make_epochs(3)
    epochs.get_data(copy=False)[1, 0, 5] = value
    with pytest.raises(DataError, match=f"subject s01, trial 2, channel {CHANNELS[0]}"):
        trials_of([epochs])
