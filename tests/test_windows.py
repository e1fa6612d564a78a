"""Windows as an index into trials: against naive slicing, in memory and on disk."""

import pickle
from math import floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

from eegemo.errors import DataError
from eegemo.trials import Trials, load_trials, store_trials
from eegemo.trials import make_trials as trials_of
from eegemo.windows import make_windows
from helpers import (
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
    assert make_windows(trials, labels).first.tolist() == [128 * k for k in range(59)]
    assert make_windows(trials, labels).n_times == 256
    assert len(make_windows(trials, labels, duration=2.0, stride=0.125)) == 465


def test_the_index_takes_two_integers_of_four_bytes_for_each_window():
    windows = make_test_windows()
    assert (windows.trial.dtype, windows.first.dtype) == (np.int32, np.int32)


def test_rounding_of_seconds_is_forgiven_and_half_a_sample_is_not():
    trials, labels = make_trials(), make_labels_of([0] * 5)
    assert make_windows(trials, labels, duration=1 + 1e-8, stride=0.1 * 10).n_times == SFREQ
    with pytest.raises(DataError, match="whole number of samples"):
        make_windows(trials, labels, duration=1 + 1e-4, stride=1.0)


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
    with pytest.raises(DataError, match=r"longer than every usable trial \(the longest has 0 s"):
        make_windows(make_trials(), make_labels_of([-1] * 5), duration=1.0, stride=1.0)


def test_starts_are_counted_from_stimulus_onset_also_where_trials_begin_later(tmp_path):
    """Trials from 0.5 s: the first window starts at 0.5 s, in memory and on disk alike."""
    epochs = make_epochs(tmin=0.5, n_times=96)
    for trials in (trials_of([epochs]), load_trials([store_trials(epochs, tmp_path / "t")])):
        windows = make_windows(trials, make_labels_of([0, 1]), duration=1.0, stride=1.0)
        windows = pickle.loads(pickle.dumps(windows))
        assert windows.table["start"].tolist() == [0.5, 1.5, 2.5] * 2
        expected = epochs.get_data()[0, :, :32].T.astype(np.float32)
        np.testing.assert_array_equal(windows.gather(np.array([0]))[0], expected)


def test_pickling_trials_in_memory_keeps_them():
    windows = make_test_windows()
    again = pickle.loads(pickle.dumps(windows))
    rows = np.arange(len(windows))
    np.testing.assert_array_equal(again.gather(rows), windows.gather(rows))
