"""Breaks in time: no filter crosses one, no window holds one, nothing after one is misplaced."""

import mne
import numpy as np
import pandas as pd
import pytest
from edf_files import write_edf
from folders import CHANNELS, COLUMNS, make_events, make_noise, make_sections, write_recording

from eegemo.config import Experiment
from eegemo.datasets.base import Run
from eegemo.datasets.breaks import (
    Break,
    add_breaks,
    find_breaks,
    gap_name,
    parse_spans,
    sample_times,
)
from eegemo.datasets.cutting import CutTrials, leave_out, place_trials
from eegemo.datasets.memory import Memory
from eegemo.errors import DataError
from eegemo.execution import RunContext
from eegemo.labels import Labels
from eegemo.preprocessing import (
    NoTrialLeftError,
    Record,
    band_pass,
    break_spans,
    find_bad_channels,
    notch,
    preprocess,
    resample,
)
from eegemo.runs.check import check_experiment
from eegemo.runs.prepare import prepare_experiment
from eegemo.trials import make_trials
from eegemo.windows import break_notes, count_breaks, make_windows

SFREQ = 128.0


def make_raw(seconds=40.0, marks=(), sfreq=SFREQ, data=None, first_samp=0, meas_date=None, seed=0):
    """Noise, with marks as (onset, duration, description)."""
    n_times = round(seconds * sfreq)
    if data is None:
        data = np.random.default_rng(seed).normal(0, 2e-5, (2, n_times))
    info = mne.create_info(["Fz", "Cz"], sfreq, "eeg")
    raw = mne.io.RawArray(data, info, first_samp=first_samp, verbose="ERROR")
    if meas_date is not None:
        raw.set_meas_date(meas_date)
    if marks:
        onsets, durations, names = zip(*marks, strict=True)
        later = raw.first_time if meas_date is not None else 0.0
        raw.set_annotations(
            mne.Annotations(
                [onset + later for onset in onsets],
                durations,
                names,
                orig_time=raw.info["meas_date"],
            ),
            verbose="ERROR",
        )
    return raw


def table(onsets, durations=4.0):
    count = len(onsets)
    return pd.DataFrame(
        {
            "subject": "01",
            "session": "1",
            "trial": np.arange(1, count + 1),
            "stimulus": "",
            "onset": np.asarray(onsets, float),
            "duration": np.broadcast_to(np.asarray(durations, float), count),
        }
    )


def windows_of(epochs, duration=1.0, stride=1.0):
    trials = make_trials([epochs])
    labels = Labels(np.zeros(len(trials), np.int64), ("a", "b"), {})
    return trials, labels, make_windows(trials, labels, duration=duration, stride=stride)


# --- what a break is ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "duration", "spans"),
    [
        ("boundary", 25.0, [(10.0, 10.0)]),  # EEGLAB: the duration is what was cut out
        ("boundary", 0.0, [(10.0, 10.0)]),
        ("New Segment/", 1 / SFREQ, [(10.0, 10.0)]),
        ("EDGE boundary", 0.0, [(10.0, 10.0)]),
        ("BAD boundary", 0.0, [(10.0, 10.0)]),
        ("BAD_ACQ_SKIP", 3.0, [(10.0, 13.0)]),
        ("BAD_blink", 0.5, [(10.0, 10.5)]),
        ("bad", 0.0, [(10.0, 10.0 + 1 / SFREQ)]),  # a bad moment is a bad sample
        ("happy", 3.0, []),
    ],
)
@pytest.mark.parametrize(
    "clock",
    [
        {},
        {"first_samp": 1000},
        {"first_samp": 77, "meas_date": 1.5e9},
    ],
)
def test_every_kind_of_mark_is_one_kind_of_break(name, duration, spans, clock):
    raw = make_raw(marks=[(10.0, duration, name)], **clock)
    assert break_spans(raw) == [pytest.approx(span) for span in spans]
    again = resample(raw, 64.0)
    assert [span[0] for span in break_spans(again)] == [pytest.approx(10.0)] * len(spans)


def test_marks_outside_or_at_the_edges_break_nothing():
    marks = [(0.0, 0.0, "boundary"), (0.0, 0.0, "New Segment/"), (40 - 0.5 / SFREQ, 0, "boundary")]
    assert break_spans(make_raw(marks=marks)) == []
    raw = make_raw()
    add_breaks(raw, [Break(-5, -1, "BAD_x"), Break(41, 50, "BAD_y"), Break(-1, 2, "BAD_z")])
    assert break_spans(raw) == [(0.0, 2.0)]


def test_recordings_joined_by_mne_break_once():
    raw = make_raw(10.0)
    raw.append(make_raw(5.0, seed=1))
    (found,) = find_breaks(raw)
    assert (found.start, found.end, found.name) == (10.0, 10.0, "EDGE boundary")


def test_a_gap_that_is_marked_as_a_boundary_too_stays_a_gap():
    raw = make_raw()
    marks = [Break(10, 10, "BAD boundary"), Break(10, 10, gap_name(7.0)), Break(10, 10, "boundary")]
    for order in (marks, marks[::-1]):
        add_breaks(raw, order)
        assert [found.name for found in find_breaks(raw)] == ["EDGE gap of 7 s"]
        raw.set_annotations(None)


# --- filters ------------------------------------------------------------------------------------


FILTERS = {
    "band-pass": lambda inst: band_pass(inst, 4.0, 40.0),
    "high-pass": lambda inst: band_pass(inst, 1.0, None),
    "notch": lambda inst: notch(inst, [25.0, 50.0]),
    "resample": lambda inst: resample(inst, 64.0),
}


@pytest.mark.parametrize("step", FILTERS)
def test_each_piece_is_filtered_as_if_it_were_alone(step):
    """The oracle cuts the recording into recordings first. Offsets of millivolts would leak."""
    data = np.random.default_rng(1).normal(0, 2e-5, (2, 60 * 128))
    data[:, 10 * 128 :] += 5e-3
    data[:, 30 * 128 :] -= 9e-3
    marks = [(10.0, 25.0, "boundary"), (30.0, 0.0, "EDGE boundary"), (45.0, 8.0, "BAD_move")]
    raw = make_raw(60.0, marks, data=data)
    found = FILTERS[step](raw)
    sfreq = found.info["sfreq"]
    for start, stop in [(0, 10), (10, 30), (30, 45), (45, 53), (53, 60)]:
        alone = make_raw(stop - start, data=data[:, start * 128 : stop * 128])
        expected = FILTERS[step](alone).get_data()
        part = found.get_data()[:, round(start * sfreq) : round(stop * sfreq)]
        np.testing.assert_allclose(part, expected, atol=1e-14)
    assert break_spans(found) == break_spans(raw)
    assert raw.get_data().tobytes() == data.tobytes()  # the input is left alone


def test_the_band_of_the_info_is_that_of_an_unbroken_recording():
    broken = band_pass(make_raw(marks=[(20.0, 0.0, "boundary")]), 4.0, 40.0).info
    whole = band_pass(make_raw(), 4.0, 40.0).info
    assert (broken["highpass"], broken["lowpass"]) == (whole["highpass"], whole["lowpass"])


def test_a_break_between_two_new_samples_keeps_the_times_of_both_sides():
    """500 to 128 Hz: an impulse after the break stays where it was, and nothing is before it."""
    sample = 2503  # at 500 Hz: not a sample at 128 Hz
    data = np.zeros((2, 5000))
    data[:, sample:] = np.sin(2 * np.pi * 5 * np.arange(sample, 5000) / 500)
    raw = make_raw(marks=[(sample / 500, 0, "boundary")], data=data, sfreq=500.0)
    new = resample(raw, 128.0)
    first = int(np.ceil(sample / 500 * 128))
    assert not new.get_data()[:, :first].any()
    times = np.arange(first + 10, 1270) / 128
    np.testing.assert_allclose(
        new.get_data()[0, first + 10 : 1270], np.sin(2 * np.pi * 5 * times), atol=2e-3
    )


def test_pieces_shorter_than_the_filter_are_left_out_and_told():
    """A notch lasts 6.6 s; the piece of 5 s between two cuts cannot be filtered."""
    raw = make_raw(marks=[(10.0, 1.0, "boundary"), (15.0, 1.0, "boundary")])
    record = Record()
    cut = CutTrials(table([2.0, 11.0, 20.0]), 0.0, 4.0)
    new = preprocess(raw, notch=50.0, make_epochs=cut, record=record)
    assert [parse_spans(text) for text in new.metadata["breaks"]] == [[], [(-1.0, 4.0)], []]
    assert any("notch: 5.0 s of signal" in note for note in record.notes)
    _, _, windows = windows_of(new)
    assert sorted(set(windows.trial)) == [0, 2]
    with pytest.raises(DataError, match=r"notch filter lasts 6\.60 s, .* without a break 5\.00 s"):
        notch(make_raw(10.0, [(5.0, 0.0, "boundary")]), 50.0)


@pytest.mark.parametrize("eog", ["regression", "ica"])
def test_eye_movements_are_removed_around_breaks(eog):
    """The high-pass under them stops at breaks, too: a jump of 50 mV must not be a blink."""
    rng = np.random.default_rng(2)
    eye = np.convolve(rng.random(40 * 128) < 0.004, np.hanning(40))[: 40 * 128] * 2e-4
    brain = rng.normal(0, 1e-5, (10, 40 * 128))
    data = np.vstack([brain + np.outer(np.linspace(0.9, 0.1, 10), eye), eye])
    data[:, 20 * 128 :] += 0.05
    info = mne.create_info([f"E{k}" for k in range(10)] + ["EOG"], 128.0, ["eeg"] * 10 + ["eog"])
    raw = mne.io.RawArray(data, info, verbose="ERROR")
    raw.set_annotations(mne.Annotations([20.0], [0.0], ["boundary"]), verbose="ERROR")
    new = preprocess(raw, l_freq=4.0, eog=eog)
    expected = band_pass(
        mne.io.RawArray(brain, mne.pick_info(info, range(10)), verbose="ERROR"), 4.0, None
    )
    middle = slice(128, 18 * 128)
    for part in (middle, slice(21 * 128, 39 * 128)):
        left = new.get_data()[:, part] - expected.get_data()[:, part]
        assert np.sqrt((left**2).mean()) < 0.4e-5


def test_eyes_are_found_in_what_is_too_short_for_the_high_pass():
    data = np.random.default_rng(6).normal(0, 1e-5, (2, 768))
    raw = make_raw(data=data, marks=[(3.0, 0.0, "boundary")])
    raw.set_channel_types({"Cz": "eog"}, on_unit_change="ignore")
    assert preprocess(raw, eog="regression").ch_names == ["Fz"]


def test_spectra_are_those_of_the_pieces():
    """A jump has power at every frequency."""
    data = np.random.default_rng(7).normal(0, 1e-5, (2, 40 * 128))
    jumped = data.copy()
    jumped[:, 21 * 128 :] += 0.05
    record = Record()
    preprocess(make_raw(marks=[(21.0, 0.0, "boundary")], data=jumped), record=record)
    plain = Record()
    preprocess(make_raw(data=data), record=plain)
    np.testing.assert_allclose(record.before.mean(), plain.before.mean(), rtol=0.2)


def test_what_was_left_out_does_not_make_channels_bad():
    """A third of the recording lies between cuts of 3 s, too short for the notch."""
    angle = np.arange(10) * np.pi / 5
    data = np.stack([np.cos(angle), np.sin(angle)], axis=1) @ np.random.default_rng(8).normal(
        0, 1e-5, (2, 60 * 128)
    )
    data[:, 20 * 128 :] += 0.1
    data[3] = np.random.default_rng(9).normal(0, 1e-5, 60 * 128)
    info = mne.create_info(10, 128.0, "eeg")
    raw = mne.io.RawArray(data, info, verbose="ERROR")
    cuts = np.arange(20.0, 42.0, 3.0)
    raw.set_annotations(mne.Annotations(cuts, 0.0, "boundary"), verbose="ERROR")
    assert list(find_bad_channels(raw)) == ["3"]
    assert list(find_bad_channels(notch(raw, 50.0))) == ["3"]


# --- trials -------------------------------------------------------------------------------------


def test_windows_that_hold_a_break_are_left_out_exactly():
    """Each sample has its number as its value; no window may hold both sides of a cut."""
    marks = [(5.0, 3.0, "boundary"), (11.25, 0.0, "boundary"), (21.0, 0.5, "BAD_move")]
    numbers = np.arange(40 * 128) * 1e-6
    raw = make_raw(marks=marks, data=np.stack([numbers, numbers]))
    epochs = CutTrials(table([1.0, 10.0, 20.0, 30.0], 8.0), 0.0, None)(raw)
    trials, labels, windows = windows_of(epochs, 1.0, 0.25)
    cuts = [640, 1440]
    bad = range(21 * 128, round(21.5 * 128))
    starts = [round(float(x[0, 0]) * 1e6) for x in windows.gather(np.arange(len(windows)))]
    onsets = [128, 1280, 2560, 3840]
    expected = [
        onset + first
        for onset in onsets
        for first in range(0, 8 * 128 - 127, 32)
        if not any(onset + first < cut < onset + first + 128 for cut in cuts)
        and not set(range(onset + first, onset + first + 128)) & set(bad)
    ]
    assert starts == expected
    counts = count_breaks(trials, labels, duration=1.0, stride=0.25)
    assert counts == {0: (3, 29), 1: (3, 29), 2: (5, 29)}
    (note,) = break_notes(trials, labels, duration=1.0, stride=0.25)
    assert note.startswith(
        "11 windows of 3 trials left out for breaks of the recording: subject 01"
    )


def test_no_window_holds_a_break_after_resampling():
    """Each side of the cut has a level of its own, far apart: a window has only one."""
    rng = np.random.default_rng(3)
    samples = [*rng.integers(500, 4500, 5), 3297, 3300, 3305]
    for number, sample in enumerate(samples):
        data = np.where(np.arange(5000) < sample, 1e-3, -1e-3) * np.ones((2, 1))
        mark = (sample - 0.5 * (number % 2)) / 500  # EEGLAB marks it between two samples
        raw = make_raw(marks=[(mark, 0, "boundary")], data=data, sfreq=500.0)
        new = preprocess(raw, sfreq=128.0, make_epochs=CutTrials(table([0.4], 9.0), 0.0, None))
        _, _, windows = windows_of(new, 32 / 128, 1 / 128)
        values = windows.gather(np.arange(len(windows)))[..., 0]
        assert (np.abs(values) > 9e-4).all()
        assert (np.sign(values) == np.sign(values[:, :1])).all()
        assert len(windows) >= 9 * 128 - 31 - 33  # and not more than needed are gone


def test_a_cleaned_film_keeps_the_windows_between_its_cuts():
    marks = [(10.5, 4.0, "boundary"), (30.2, 0.0, "boundary"), (50.7, 9.0, "boundary")]
    raw = make_raw(62.0, marks)
    record = Record()
    new = preprocess(raw, make_epochs=CutTrials(table([1.0], 60.0), 0.0, None), record=record)
    assert len(windows_of(new)[2]) == 57
    assert any("1 trial holds a break (boundary): 1." in note for note in record.notes)
    with pytest.raises(NoTrialLeftError, match=r"no trial is left: 1 trial left out, .*drop_trial"):
        preprocess(raw, make_epochs=CutTrials(table([1.0], 60.0), 0.0, None), breaks="drop_trial")


def test_the_strict_form_drops_trials():
    raw = make_raw(marks=[(12.0, 0.0, "boundary"), (22.0, 0.0, "BAD_x")])
    record = Record()
    cut = CutTrials(table([2.0, 11.0, 20.0, 30.0]), 0.0, 4.0)
    new = preprocess(raw, make_epochs=cut, breaks="drop_trial", record=record)
    assert new.metadata["trial"].tolist() == [1, 4]
    assert any(note.endswith("(breaks: drop_trial): 2, 3") for note in record.notes)
    assert record.n_trials == 4
    with pytest.raises(DataError, match="expected 'drop_windows' or 'drop_trial'"):
        preprocess(raw, breaks="drop")


def test_a_baseline_across_a_break_leaves_its_trial_out():
    raw = make_raw(marks=[(9.5, 0.0, "boundary"), (21.5, 0.0, "boundary")])
    record = Record()
    cut = CutTrials(table([2.0, 10.0, 20.0]), -1.0, 4.0)
    new = preprocess(raw, make_epochs=cut, baseline=[-1.0, 0.0], record=record)
    assert new.metadata["trial"].tolist() == [1, 3]  # the break of 3 is after its onset
    assert "1 trial left out, a break lies in their baseline or after it: 2" in record.notes
    without = preprocess(raw, make_epochs=cut)
    assert without.metadata["breaks"].tolist() == ["", "-0.5 -0.5", "1.5 1.5"]
    assert len(windows_of(without)[2]) == 11


def test_a_jump_is_no_amplitude():
    data = np.random.default_rng(4).normal(0, 1e-5, (2, 40 * 128))
    data[:, 22 * 128 :] += 0.01
    raw = make_raw(marks=[(22.0, 0.0, "boundary")], data=data)
    cut = CutTrials(table([2.0, 20.0]), 0.0, 4.0)
    assert len(preprocess(raw, make_epochs=cut, reject=150e-6)) == 2
    raw.set_annotations(None)
    assert len(preprocess(raw, make_epochs=cut, reject=150e-6)) == 1


def test_trials_wholly_bad_or_outside_are_left_out():
    raw = make_raw(marks=[(9.0, 3.0, "BAD_a"), (11.5, 4.0, "BAD_b"), (21.0, 1.0, "BAD_c")])
    kept, notes = place_trials(table([2.0, 10.0, 20.0, 38.0]), raw, 0.0, 4.0)
    assert kept["trial"].tolist() == [1, 3]
    assert notes == [
        "1 trial left out, outside the recording: 4",
        "1 trial left out, marked bad: 2",
    ]
    alone, _ = leave_out(table([10.0]), 0.0, 4.0, 40.0, [(9.0, 12.0), (13.0, 15.0)])
    assert len(alone) == 1  # a second is left between them


@pytest.mark.parametrize(
    ("break_at", "baseline", "left"),
    [
        ((10.0, 0.0, "boundary"), [-1.0, 0.0], [1]),  # nothing before the jump is of this trial
        ((9.75, 0.0, "boundary"), [-1.0, -0.5], [1]),
        ((9.0, 0.0, "boundary"), [-1.0, 0.0], [1, 2]),  # the first sample after it is the first
        ((8.5, 0.4, "BAD_x"), [-1.0, 0.0], [1, 2]),
        ((9.4, 0.4, "BAD_x"), [-1.0, -0.7], [1, 2]),
        ((9.2, 0.4, "BAD_x"), [-1.0, -0.7], [1]),
        ((10.5, 1.0, "BAD_x"), [-1.0, 0.0], [1, 2]),
    ],
)
def test_a_baseline_is_of_the_signal_that_it_is_taken_from(break_at, baseline, left):
    cut = CutTrials(table([2.0, 10.0]), -1.0, 4.0)
    new = preprocess(make_raw(marks=[break_at]), make_epochs=cut, baseline=baseline)
    assert new.metadata["trial"].tolist() == left


def test_trials_cut_by_a_function_of_ones_own_are_treated_alike():
    raw = make_raw(marks=[(4.5, 3.0, "boundary"), (21.0, 1.0, "BAD_x"), (30.0, 0.0, "boundary")])

    def cut(found):
        events = [
            [round(onset * found.info["sfreq"]) + found.first_samp, 0, 1] for onset in (3, 20, 30)
        ]
        about = table([3, 20, 30]).drop(columns=["onset", "duration"])
        options = {"baseline": None, "preload": True, "reject_by_annotation": False}
        return mne.Epochs(
            found, np.array(events), tmin=0, tmax=4, metadata=about, verbose="ERROR", **options
        )

    new = preprocess(raw, notch=25.0, sfreq=64.0, make_epochs=cut)
    expected = [[(-3, 1.5), (1.5, 1.5)], [(1, 2)], []]
    assert [sorted(parse_spans(text)) for text in new.metadata["breaks"]] == expected


# --- gaps ---------------------------------------------------------------------------------------


def test_trials_after_gaps_are_cut_where_they_were_recorded():
    """Two gaps; each sample has the time at which it was recorded as its value."""
    times = np.concatenate(
        [np.arange(0, 10, 1 / 128), np.arange(30, 40, 1 / 128), np.arange(41, 61, 1 / 128)]
    )
    raw = make_raw(data=np.stack([times, times]))
    add_breaks(raw, [Break(10, 10, gap_name(20.0)), Break(20, 20, gap_name(1.0))])
    onsets = [1.0, 8.0, 15.0, 28.0, 31.0, 39.0, 40.5, 45.0, 58.0]
    kept, notes = place_trials(table(onsets, 4.0), raw, 0.0, None)
    assert notes == [
        "3 trials left out, their onset lies in a gap of the recording: 3, 4, 7",
        "1 trial left out, outside the recording: 9",
    ]
    parts = CutTrials(kept, 0.0, None)(raw)
    _, _, windows = windows_of(parts, 0.5, 0.5)
    for epochs in parts:
        for trial, data in zip(epochs.metadata["trial"], epochs.get_data()[:, 0], strict=True):
            assert data[0] == onsets[trial - 1]
            assert data[-1] < onsets[trial - 1] + 4.0  # also where a gap lies inside it
    lengths = {
        trial: len(epochs.times) / 128 for epochs in parts for trial in epochs.metadata["trial"]
    }
    assert lengths == {1: 4.0, 2: 2.0, 5: 4.0, 6: 3.0, 8: 4.0}
    values = windows.gather(np.arange(len(windows)))[..., 0]
    np.testing.assert_allclose(np.diff(values, axis=1), 1 / 128, atol=1e-5)
    # without gaps no time changes, not in its last bit
    same, lost = sample_times(make_raw(), onsets)
    assert same.tolist() == onsets
    assert not lost.any()


# --- trials given in memory ---------------------------------------------------------------------


def given(marks, **options):
    raw = make_raw(marks=marks, **options)
    events = np.array([[round(onset * 128) + raw.first_samp, 0, 1] for onset in (2, 12, 22)])
    return mne.Epochs(
        raw,
        events,
        tmin=0.0,
        tmax=8.0 - 1 / 128,
        baseline=None,
        preload=True,
        reject_by_annotation=False,
        metadata=table([2, 12, 22]).drop(columns=["onset", "duration"]),
        verbose="ERROR",
    )


@pytest.mark.parametrize("clock", [{}, {"first_samp": 500}, {"first_samp": 50, "meas_date": 1e9}])
def test_annotations_of_given_epochs_are_breaks(clock):
    epochs = given([(15.5, 1.0, "BAD_move"), (25.0, 6.0, "boundary")], **clock)
    record = Record()
    new = preprocess(epochs, sfreq=64.0, record=record)
    assert [parse_spans(text) for text in new.metadata["breaks"]] == [[], [(3.5, 4.5)], [(3, 3)]]
    assert "breaks" not in epochs.metadata
    assert len(windows_of(new)[2]) == 24 - 2  # the cut lies between two windows
    assert any("2 trials hold a break: 2, 3." in note for note in record.notes)


def test_marks_are_part_of_what_is_given():
    """Else trials that were stored without them would be taken for these."""
    marks = [[], [(15.5, 1.0, "happy")], [(15.5, 1.0, "BAD_move")], [(15.5, 2.0, "BAD_move")]]
    contents = [Memory.of([given(found)]).content for found in marks]
    assert contents[0] == contents[1]
    assert len(set(contents)) == 3
    raws = [Run(make_raw(marks=found), CutTrials(table([2.0]), 0.0, 4.0)) for found in marks]
    assert len({Memory.of([run]).content for run in raws}) == 3


def test_pieces_of_given_epochs_are_filtered_alone():
    epochs = given([(14.0, 6.0, "boundary")])
    found = band_pass(epochs, 4.0, None).get_data()
    for trial, start, stop in [(0, 0, 1024), (1, 0, 256), (1, 256, 1024), (2, 0, 1024)]:
        alone = make_raw((stop - start) / 128, data=epochs.get_data()[trial, :, start:stop])
        np.testing.assert_allclose(
            found[trial, :, start:stop], band_pass(alone, 4.0, None).get_data(), atol=1e-15
        )
    short = preprocess(given([(12.5, 1.0, "boundary")]), l_freq=4.0)
    assert parse_spans(short.metadata["breaks"][1])[0] == (0.0, 0.5)


# --- from check to windows ----------------------------------------------------------------------


def experiment_of(root, **changes):
    return Experiment.model_validate(make_sections(root, **changes))


def test_breaks_of_files_and_tables_are_told_by_check_and_run(tmp_path):
    """A marker of the file and three rows of the table; each costs the windows that hold it."""
    marker = f"New Segment,,{round(22.5 * 128) + 1},1,0"
    marks = [(7.5, 90.0, "boundary"), (12.0, "n/a", "BAD_movement"), (36.0, 4.0, "BAD_talk")]
    events = [*make_events(12), *marks]
    write_recording(tmp_path / "bids", events=events, markers=["New Segment,,1,1,0", marker])
    experiment = experiment_of(tmp_path / "bids")
    checked = check_experiment(experiment, results=tmp_path / "r", calibrate=False)
    prepared = prepare_experiment(experiment, RunContext(tmp_path / "r"))
    assert list(checked.notes) == list(prepared.notes)
    windows = prepared.windows
    about = windows.trials.metadata
    assert about["trial"].tolist() == [1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12]  # 8 is bad as a whole
    counts = dict(zip(about["trial"], np.bincount(windows.trial), strict=True))
    assert counts == dict.fromkeys(about["trial"], 4) | {2: 3, 3: 3, 5: 3}
    notes = " ".join(prepared.notes)
    assert "1 trial left out, marked bad: 8" in notes
    assert "3 trials hold a break (boundary, BAD_movement, New Segment/): 2, 3, 5." in notes
    assert "3 windows of 3 trials left out for breaks of the recording: subject 01, " in notes
    strict = experiment_of(tmp_path / "bids", preprocessing={"breaks": "drop_trial"})
    strictly = prepare_experiment(strict, RunContext(tmp_path / "r"))
    assert strictly.windows.trials.metadata["trial"].tolist() == [1, 4, 6, 7, 9, 10, 11, 12]
    assert "3 trials left out, they hold a break (breaks: drop_trial): 2, 3, 5" in " ".join(
        strictly.notes
    )


@pytest.mark.parametrize("suffix", [".edf", ".bdf"])
def test_a_film_with_two_gaps_is_cut_at_the_right_places(tmp_path, suffix):
    """Every second of signal has the second at which it was recorded as its level in microvolts."""
    starts = [*range(20), *range(50, 70), *range(71, 93)]
    levels = np.repeat(np.array(starts, float), 128) * 20
    data = levels + make_noise(62)
    folder, stem = write_recording(tmp_path / "bids", events=[])
    for file in folder.glob("*_eeg.v*"):
        file.unlink()
    (folder / f"{stem}_eeg.eeg").unlink()
    write_edf(folder / f"{stem}_eeg{suffix}", data, [128] * 8, CHANNELS, starts=starts)
    onsets = [1.0, 6.0, 11.0, 18.0, 30.0, 52.0, 58.0, 64.0, 69.0, 75.0, 80.0, 85.0]
    rows = [(onset, 4.0, ("happy", "sad")[k % 2]) for k, onset in enumerate(onsets)]
    text = "".join("\t".join(map(str, row)) + "\n" for row in [COLUMNS, *rows])
    (folder / f"{stem}_events.tsv").write_text(text)
    prepared = prepare_experiment(experiment_of(tmp_path / "bids"), RunContext(tmp_path / "r"))
    windows = prepared.windows
    trials = windows.trials.metadata["trial"].to_numpy()
    assert sorted(trials) == [1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12]
    means = windows.gather(np.arange(len(windows))).mean(axis=(1, 2)) * 1e6 / 20
    first = np.array([onsets[trials[trial] - 1] for trial in windows.trial])
    seconds = windows.first / 128
    lost = np.where((trials[windows.trial] == 9) & (seconds >= 1), 1, 0)  # 70 to 71 s
    np.testing.assert_allclose(means, first + seconds + lost, atol=0.5)
    counts = dict(zip(trials, np.bincount(windows.trial), strict=True))
    assert counts == dict.fromkeys(trials, 4) | {4: 2, 9: 3}
    assert any("their onset lies in a gap of the recording: 5" in note for note in prepared.notes)
