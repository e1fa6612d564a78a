"""Trials that differ in length: the same windows as if each trial were cut by hand, and no leak."""

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eegemo.errors import DataError
from eegemo.scaling import fit_scaling
from eegemo.splits import check_folds, make_folds
from eegemo.trials import Trials, load_trials, make_trials, store_trials
from eegemo.windows import make_windows
from helpers import CHANNELS, SFREQ, make_epochs, make_labels_of

LENGTHS = {"s01": [64, 96, 96, 33], "s02": [80, 80, 80], "s03": [50, 200]}


def runs_of(subject, lengths, tmin=0.0):
    """Epochs of one trial each; trial k is filled with numbers of its own."""
    before = round(-tmin * SFREQ)
    return [
        make_epochs(1, subject=subject, first=k, tmin=tmin, n_times=before + n, seed=1000 + k)
        for k, n in enumerate(lengths, start=1)
    ]


def signals_of(runs, tmin=0.0):
    before = round(-tmin * SFREQ)
    return [one.T for run in runs for one in run.get_data()[:, :, before:].astype(np.float32)]


@pytest.fixture
def stored(tmp_path):
    runs = {name: runs_of(name, lengths) for name, lengths in LENGTHS.items()}
    trials = load_trials([store_trials(found, tmp_path / name) for name, found in runs.items()])
    return trials, [signal for found in runs.values() for signal in signals_of(found)]


# --- files --------------------------------------------------------------------------------------


def test_the_file_is_flat_only_where_lengths_differ(stored):
    trials, signals = stored
    shapes = [array.shape for array in trials.arrays]
    assert shapes == [(289, 3), (3, 80, 3), (250, 3)]
    one, two, _ = trials.folders
    first = pd.read_parquet(one / "metadata.parquet")
    assert first["n_times"].tolist() == LENGTHS["s01"]
    assert "n_times" not in pd.read_parquet(two / "metadata.parquet")
    assert trials.metadata["n_times"].tolist() == [n for some in LENGTHS.values() for n in some]
    assert trials.n_times.tolist() == trials.metadata["n_times"].tolist()
    np.testing.assert_array_equal(np.load(one / "trials.npy"), np.concatenate(signals[:4]))


def test_equal_trials_are_stored_to_the_byte_as_ever(tmp_path):
    """Whatever came later: file, table and thereby every digest stay."""
    runs = [make_epochs(2, seed=1, tmin=-0.5), make_epochs(3, seed=2, first=3, tmin=-0.5)]
    folder = store_trials(runs, tmp_path / "t")
    whole = np.concatenate([run.get_data()[:, :, 16:] for run in runs]).astype("<f4")
    about = pd.concat([run.metadata for run in runs], ignore_index=True)
    with (tmp_path / "expected.npy").open("wb") as stream:
        np.lib.format.write_array(stream, np.ascontiguousarray(whole.swapaxes(1, 2)), (1, 0))
    about.to_parquet(tmp_path / "expected.parquet")
    expected = (tmp_path / "expected.npy").read_bytes()
    assert (folder / "trials.npy").read_bytes() == expected
    table = (tmp_path / "expected.parquet").read_bytes()
    assert (folder / "metadata.parquet").read_bytes() == table
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        ["manifest.json", "metadata.parquet", "notes.txt", "signal.parquet", "trials.npy"]
    )


def test_stored_trials_are_those_in_memory(stored):
    trials, signals = stored
    memory = make_trials([runs_of(name, lengths) for name, lengths in LENGTHS.items()])
    for one, other in zip(trials.arrays, memory.arrays, strict=True):
        np.testing.assert_array_equal(one, other)
    pd.testing.assert_frame_equal(trials.metadata, memory.metadata)
    for k, signal in enumerate(signals):
        np.testing.assert_array_equal(trials.array(k), signal)
        np.testing.assert_array_equal(memory.array(k), signal)


def test_trials_are_mapped_and_not_loaded(stored):
    trials, _ = stored
    for array in (*trials.arrays, *trials.flat, trials.array(1)):
        base = array
        while base is not None and not isinstance(base, np.memmap):
            base = base.base
        assert isinstance(base, np.memmap)
    assert trials.array(1).flags.c_contiguous
    windows = make_windows(trials, make_labels_of([0, 1] * 4 + [0]), duration=0.5, stride=0.25)
    _ = windows.gather(np.arange(len(windows))), windows.table
    sent = pickle.dumps(windows)
    assert len(sent) < 6000
    np.testing.assert_array_equal(pickle.loads(sent).gather([3, 1]), windows.gather([3, 1]))


def test_samples_before_time_zero_and_channels_in_another_order(tmp_path):
    first, second = runs_of("s01", [64, 40], tmin=-0.5)
    turned = second.copy().reorder_channels(list(CHANNELS)[::-1])
    stored = load_trials([store_trials([first, turned], tmp_path / "t")])
    for trials in (stored, make_trials([[first, turned]])):
        assert trials.n_times.tolist() == [64, 40]
        for k, signal in enumerate(signals_of([first, second], -0.5)):
            np.testing.assert_array_equal(trials.array(k), signal)


@pytest.mark.parametrize(
    "change",
    [
        lambda table: table.drop(columns="n_times"),
        lambda table: table.assign(n_times=[64, 96, 96, 34]),
        lambda table: table.assign(n_times=[64, 96, 162, -33]),
        lambda table: table.assign(n_times=[64.0, 96.0, 96.0, 33.0]),
        lambda table: table.iloc[:3],
    ],
)
def test_a_table_that_does_not_fit_the_flat_file_is_refused(stored, change):
    folder = stored[0].folders[0]
    change(pd.read_parquet(folder / "metadata.parquet")).to_parquet(folder / "metadata.parquet")
    with pytest.raises(DataError, match="subject s01: 289 samples, but trials of"):
        load_trials([folder])


# --- windows ------------------------------------------------------------------------------------


def cut(signals, n_times, step):
    """Cut windows by hand, trial by trial."""
    return [
        (trial, first, signal[first : first + n_times])
        for trial, signal in enumerate(signals)
        for first in range(0, len(signal) - n_times + 1, step)
    ]


def test_windows_are_those_cut_trial_by_trial(stored):
    trials, signals = stored
    labels = make_labels_of([0, 1, 0, 1, 1, 0, 1, 0, 1])
    windows = make_windows(trials, labels, duration=1.5, stride=0.5)
    expected = cut(signals, 48, 16)
    assert windows.trial.tolist() == [trial for trial, _, _ in expected]
    assert windows.first.tolist() == [first for _, first, _ in expected]
    assert 3 not in windows.trial  # 33 samples hold no window of 48
    order = np.random.default_rng(0).permutation(len(windows))
    found = windows.gather(order)
    np.testing.assert_array_equal(found, np.array([expected[k][2] for k in order]))
    assert windows.table["stop"].max() == 200 // 16 * 16 / SFREQ


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(
        st.lists(st.integers(1, 40), min_size=1, max_size=6), min_size=1, max_size=4
    ).filter(lambda some: max(map(max, some)) >= 8),
    n_times=st.integers(1, 8),
    step=st.integers(1, 9),
)
def test_windows_of_any_lengths(lengths, n_times, step):
    rng = np.random.default_rng(0)
    arrays, tables, signals = [], [], []
    for number, some in enumerate(lengths):
        parts = [rng.standard_normal((n, 2)).astype(np.float32) for n in some]
        signals += parts
        equal = len(set(some)) == 1
        arrays.append(np.stack(parts) if equal else np.concatenate(parts))
        about = {"subject": f"s{number}", "session": "1", "trial": range(1, len(some) + 1)}
        tables.append(pd.DataFrame(about).assign(stimulus="x", n_times=some))
    table = pd.concat(tables, ignore_index=True)
    trials = Trials(tuple(arrays), table, 16.0, ("Fz", "Cz"))
    labels = make_labels_of(np.arange(len(table)) % 2)
    windows = make_windows(trials, labels, duration=n_times / 16, stride=step / 16)
    expected = cut(signals, n_times, step)
    assert list(zip(windows.trial, windows.first, strict=True)) == [one[:2] for one in expected]
    np.testing.assert_array_equal(
        windows.gather(np.arange(len(windows))), np.array([one[2] for one in expected])
    )


def test_no_window_where_every_trial_is_too_short(stored):
    with pytest.raises(DataError, match=r"the longest has 6\.25 s"):
        make_windows(stored[0], make_labels_of([0, 1] * 4 + [0]), duration=7.0)


# --- what windows are used for ------------------------------------------------------------------


@pytest.mark.parametrize("fit", ["training", "subject", "trial"])
def test_scaling_is_that_of_the_samples_covered(stored, fit):
    trials, signals = stored
    windows = make_windows(trials, make_labels_of([0, 1] * 4 + [0]), duration=1.0, stride=1.0)
    rows = np.arange(len(windows))
    scaling = fit_scaling(windows, rows, steps=("zscore",), fit=fit)
    covered = [signal[: len(signal) // 32 * 32] for signal in signals]
    names = trials.metadata["subject"].tolist()
    groups = {
        "training": [covered],
        "subject": [[c for c, n in zip(covered, names, strict=True) if n == s] for s in LENGTHS],
        "trial": [[one] for one in covered],
    }[fit]
    for k, group in enumerate(groups):
        x = np.concatenate(group).astype(np.float64)
        np.testing.assert_allclose(scaling.gain[k], 1 / x.std(axis=0), rtol=1e-5)
        np.testing.assert_allclose(scaling.offset[k], -x.mean(axis=0) / x.std(axis=0), atol=1e-5)


@pytest.mark.parametrize("group", ["trial", "subject", "segment"])
def test_splits_share_nothing(tmp_path, group):
    rng = np.random.default_rng(3)
    lengths = {f"s{k}": rng.integers(100, 400, 8).tolist() for k in range(4)}
    trials = make_trials([runs_of(name, some) for name, some in lengths.items()])
    labels = make_labels_of([0, 1] * 16)
    windows = make_windows(trials, labels, duration=0.5, stride=0.25)
    options = {"allow_leakage": True} if group == "segment" else {}
    folds = make_folds(windows.table, group=group, n_splits=2, seed=1, **options)
    seen = np.zeros(len(windows), int)
    start = trials.begin[windows.trial] + windows.first
    recording, _ = trials.position
    for fold in folds:
        check_folds([fold], windows.table, group=group)
        used = []
        for part in (fold.train, fold.validation, fold.test):
            samples = {
                (int(recording[windows.trial[row]]), int(first))
                for row in part
                for first in range(start[row], start[row] + windows.n_times)
            }
            used.append(samples)
        assert not used[0] & used[2]
        assert not used[1] & used[2]
        assert not used[0] & used[1]
        seen[fold.test] += 1
    assert seen.max() == 1


def test_epochs_that_do_not_match_are_still_refused(tmp_path):
    one = make_epochs(2)
    for other, message in [
        (make_epochs(2, n_times=30, sfreq=2 * SFREQ), "run 2 of 2: 30 samples at"),
        (make_epochs(2, n_times=30, tmin=-0.25), "its trials begin at -0.25 s"),
        (make_epochs(2, n_times=30).drop_channels(["Cz"]), "its channels differ"),
    ]:
        with pytest.raises(DataError, match=message):
            store_trials([one, other], tmp_path / "t")
        with pytest.raises(DataError, match=message):
            make_trials([[one, other]])


def test_a_recording_without_trials_is_no_trouble():
    some = make_trials([make_epochs(2)])
    none = np.zeros((0, 64, len(CHANNELS)), np.float32)
    trials = Trials((none, *some.arrays), some.metadata, SFREQ, CHANNELS)
    windows = make_windows(trials, make_labels_of([0, 1]), duration=1.0, stride=1.0)
    np.testing.assert_array_equal(windows.gather([0])[0], some.arrays[0][0, :32])
