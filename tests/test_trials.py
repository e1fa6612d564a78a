"""Trials in memory and on disk: the same numbers, and nothing that is torn is taken."""

import pickle

import mne
import numpy as np
import pandas as pd
import pytest

from eegemo import trials as trials_module
from eegemo.errors import DataError
from eegemo.store import DiskFullError
from eegemo.trials import load_trials, store_trials
from eegemo.trials import make_trials as trials_of
from eegemo.windows import make_windows
from helpers import CHANNELS, SFREQ, make_epochs, make_labels_of, make_metadata

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
    with pytest.raises(DataError, match="trials-1: not a complete folder of stored trials"):
        load_trials(folders)


def test_a_folder_with_fewer_metadata_rows_than_trials_is_refused(folders):
    table = pd.read_parquet(folders[0] / "metadata.parquet")
    table.iloc[:2].to_parquet(folders[0] / "metadata.parquet")
    with pytest.raises(DataError, match="3 trials but 2 metadata rows"):
        load_trials(folders)


def full_disk(*_, **__):
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("after", ["the first trial", "all trials"])
def test_trials_that_fail_to_be_stored_leave_no_folder(tmp_path, monkeypatch, after):
    if after == "all trials":
        monkeypatch.setattr(pd.DataFrame, "to_parquet", full_disk)
    else:
        whole = trials_module._arrays

        def some(epochs):
            yield next(whole(epochs))
            full_disk()

        monkeypatch.setattr(trials_module, "_arrays", some)
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
        (lambda: make_epochs(2, tmin=-0.25), "run 2 of 2: its trials begin at -0.25 s"),
    ],
)
def test_runs_that_do_not_match_are_refused(tmp_path, other, message):
    with pytest.raises(DataError, match=message):
        store_trials([make_epochs(2), other()], tmp_path / "t")
    assert not (tmp_path / "t").exists()


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_samples_that_are_no_single_precision_numbers_are_refused_by_name(tmp_path, value):
    epochs = make_epochs(3)
    epochs.get_data(copy=False)[1, 0, 5] = value
    message = f"subject s01, trial 2, channel {CHANNELS[0]}"
    with pytest.raises(DataError, match=message):
        trials_of([epochs])
    with pytest.raises(DataError, match=message):
        store_trials(epochs, tmp_path / "trials")
    assert list(tmp_path.iterdir()) == []


def test_runs_that_begin_at_other_times_after_onset_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"run 2 of 2: its trials begin at 1 s.*0\.5 s"):
        store_trials([make_epochs(tmin=0.5), make_epochs(tmin=1.0)], tmp_path / "t")


def test_epochs_that_are_not_loaded_are_counted_when_they_are(tmp_path):
    """Epochs beyond the end of the recording are dropped as MNE reads them, not before."""
    info = mne.create_info(list(CHANNELS), SFREQ, "eeg")
    raw = mne.io.RawArray(np.random.default_rng(0).normal(size=(3, 96)), info, verbose="ERROR")
    events = np.array([[0, 0, 1], [32, 0, 1], [90, 0, 1]])
    options = {"tmin": 0, "tmax": 1.0, "baseline": None, "verbose": "ERROR"}
    lazy = mne.Epochs(raw, events, metadata=make_metadata(3), preload=False, **options)
    stored = load_trials([store_trials(lazy, tmp_path / "t")])
    memory = trials_of([lazy])
    assert not lazy.preload
    assert len(stored) == len(memory) == 2
    np.testing.assert_array_equal(stored.arrays[0], memory.arrays[0])
    np.testing.assert_array_equal(stored.arrays[0][1], raw.get_data()[:, 32:65].T.astype("f4"))
