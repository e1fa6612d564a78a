"""Tables of BIDS: each row is a trial or counted, each column reaches the metadata."""

from itertools import pairwise

import mne
import numpy as np
import pandas as pd
import pytest
from test_bids import EVENTS, SFREQ, make_signal, write_run, write_tsv

from eegemo.datasets.bids import Bids, find_recordings_bids
from eegemo.datasets.bids.events import RunEvents, read_events
from eegemo.datasets.bids.paths import RunPath
from eegemo.datasets.bids.times import explain_onsets, is_other_unit
from eegemo.datasets.cutting import CutTrials
from eegemo.datasets.tables import read_table
from eegemo.errors import DataError

COLUMNS = ("onset", "duration", "trial_type")


def metadata_of(root, subject=0, **options):
    recording = find_recordings_bids(root, **options)[subject]
    return [run.make_epochs(run.inst).metadata for run in recording.read()]


def notes_of(root, **options):
    data = Bids(root=str(root), **options)
    return data.notes(data.find(), {})


def rewrite(stem, text, suffix="events.tsv"):
    stem.with_name(f"{stem.name}_{suffix}").write_text(text, encoding="utf-8")


@pytest.mark.parametrize("mark", ['"Up', 'Up"', '""', "'", '"happy"'])
def test_quotation_marks_swallow_no_rows(tmp_path, mark):
    events = [(1, 2, "a", mark), (4, 2, "b", "x"), (7, 2, "a", mark + "y")]
    write_run(tmp_path, columns=(*COLUMNS, "stim_file"), events=events)
    (found,) = metadata_of(tmp_path)
    assert found["stimulus"].tolist() == [mark, "x", mark + "y"]


@pytest.mark.parametrize("blank", [" ", "\u00a0", "\u200b", "\u3000", "\ufeff", "\u202f"])
def test_blanks_around_cells_and_columns_make_no_classes(tmp_path, blank):
    stem = write_run(tmp_path)
    rows = [(1, 2, f"happy{blank}"), (4, 2, f"{blank}sad"), (f"7{blank}", 2, "happy")]
    write_tsv(
        stem.with_name(f"{stem.name}_events.tsv"), ("onset", "duration", f"trial_type{blank}"), rows
    )
    for options in ({}, {"trial_types": ["happy", "sad"]}):
        (found,) = metadata_of(tmp_path, **options)
        assert found["trial_type"].tolist() == ["happy", "sad", "happy"]


def test_every_row_is_a_trial_or_counted(tmp_path):
    rows = [
        (0.5, 0, "fixation"),
        *EVENTS,
        ("n/a", 2, "happy"),
        (4.0, 2.0, "sad"),  # as it was
        (3.2, 0, "boundary"),
        (9.9, 0, "response"),
    ]
    write_run(tmp_path, events=rows)
    (found,) = metadata_of(tmp_path, trial_types=["happy", "sad"])
    assert found["trial"].tolist() == [1, 2, 3]
    (recording,) = find_recordings_bids(tmp_path, trial_types=["happy", "sad"])
    assert recording.left_out == (
        {"of another trial_type": 3, "without an onset": 1, "the same as another row": 1},
    )
    (note,) = notes_of(tmp_path, trial_types=["happy", "sad"])
    assert note == (
        "events.tsv: of 8 rows, 3 are trials; left out: 3 of another trial_type, 1 without an "
        "onset, 1 the same as another row."
    )
    (recording,) = find_recordings_bids(tmp_path, tmax=0.1)
    assert recording.left_out[0]["marks of a break"] == 1
    # 8 rows: 5 of some trial_type, and fixation and response are trials here
    assert len(recording.events[0]) + sum(recording.left_out[0].values()) == 8


def test_rows_that_are_neither_are_an_error(tmp_path):
    stem = write_run(tmp_path)
    file = stem.with_name(f"{stem.name}_events.tsv")
    path = RunPath(file, {"sub": "01"})
    events = read_events(path, file, read_table(file), None)
    with pytest.raises(DataError, match="3 rows, of which 2 are trials and 0 are not"):
        RunEvents(path, file, events.table, events.trials[:2], events.lines[:2], {})


@pytest.mark.parametrize(
    "column",
    [
        "description",
        "HED",
        "value",
        "sample",
        "trial",
        "run",
        "subject",
        "bundle",
        "stim_type",
        "n_times",
        "extras",
        "orig_time",
        "ch_names",
        "index",
        "Valence_(1-9)",
        "é",
        "0",
    ],
)
def test_no_column_breaks_reading(tmp_path, column):
    """As DENS has them; MNE-BIDS makes annotations of some."""
    cells = ["one", "n/a", "{'a': 1}"]
    rows = [(*event, cell) for event, cell in zip(EVENTS, cells, strict=True)]
    write_run(tmp_path, columns=(*COLUMNS, column), events=rows)
    (found,) = metadata_of(tmp_path)
    taken = ("trial", "run", "subject", "bundle", "n_times")
    name = f"events.{column}" if column in taken else column
    assert found[name].tolist() == ["one", "", "{'a': 1}"]
    assert found["trial"].tolist() == [1, 2, 3]


def test_columns_that_collide_keep_apart(tmp_path):
    columns = (*COLUMNS, "trial", "events.trial", "stim_file", "VALENCE")
    write_run(tmp_path, columns=columns, events=[(1, 2, "a", 7, 8, "x.mp4", 3.5)])
    (found,) = metadata_of(tmp_path)
    assert found.iloc[0].to_dict() == {
        "subject": "01", "session": "1", "trial": 1, "stimulus": "x.mp4", "run": "1",
        "trial_type": "a", "valence": 3.5, "events.trial": "7", "events.events.trial": "8",
        "stim_file": "x.mp4",
    }  # fmt: skip


def test_a_table_without_trial_type_or_duration(tmp_path):
    write_run(tmp_path, columns=("onset", "value"), events=[(1, "x"), (4, "boundary"), (7, "y")])
    (found,) = metadata_of(tmp_path, tmax=1.0)
    assert found["value"].tolist() == ["x", "y"]
    # `value` stands in where there is no trial_type, in all rows or in some
    (found,) = metadata_of(tmp_path, tmax=1.0, trial_types=["x"])
    assert (found["value"].tolist(), found["trial_type"].tolist()) == (["x"], [""])
    with pytest.raises(DataError, match=r"no event has the trial_type 'z'.*Found: boundary, x, y"):
        find_recordings_bids(tmp_path, tmax=1.0, trial_types=["z"])
    some = [(1, "x", "film"), (4, "boundary", "n/a"), (7, "y", "n/a"), (9, "film", "z")]
    write_run(tmp_path, columns=("onset", "value", "trial_type"), events=some)
    assert metadata_of(tmp_path, tmax=0.5)[0]["value"].tolist() == ["x", "y", "film"]
    assert metadata_of(tmp_path, tmax=0.5, trial_types=["film", "y"])[0]["value"].tolist() == [
        "x",
        "y",
    ]
    write_run(tmp_path, columns=("onset", "feeling"), events=[(1, "x"), (4, "y")])
    with pytest.raises(DataError, match=r"in the column feeling.*Found: no column trial_type"):
        find_recordings_bids(tmp_path, tmax=1.0, trial_types=["x"])


def test_a_column_of_words_by_the_name_of_a_rating_is_no_rating(tmp_path):
    columns = ("onset", "duration", "Valence", "arousal")
    words = [(1, 2, "positive", "5.5"), (4, 2, "n/a", "n/a"), (7, 2, "negative", "2")]
    write_run(tmp_path, columns=columns, events=words)
    (found,) = metadata_of(tmp_path)
    assert found["Valence"].tolist() == ["positive", "", "negative"]
    assert found["arousal"].tolist()[::2] == [5.5, 2.0]
    for wrong in ("high", "7,5", "inf"):
        rows = [(1, 2, "8", "1"), (4, 1, wrong, "1")]
        write_run(tmp_path, columns=columns, events=rows)
        with pytest.raises(DataError, match=f"line 3: Valence is '{wrong}'; expected a number"):
            find_recordings_bids(tmp_path)


def test_tables_about_people_and_recordings(tmp_path):
    for subject in ("01", "02", "03"):
        write_run(tmp_path, subject=subject, session="1", run="1")
        write_run(tmp_path, subject=subject, session="1", run="2")
    people = "\ufeffparticipant_id\tage\tgroup\nsub-01\t31\tn/a\n2\t 40 \tpatient\n"
    (tmp_path / "participants.tsv").write_text(people, encoding="utf-8")
    folder = tmp_path / "sub-01"
    (folder / "sub-01_sessions.tsv").write_text("session_id\tmood\nses-1\tlow\n")
    scans = "filename\tplace\neeg/sub-01_ses-1_task-music_run-2_eeg.vhdr\tlab\n"
    (folder / "ses-1" / "sub-01_ses-1_scans.tsv").write_text(scans)
    first, second = metadata_of(tmp_path)
    people = ["participants.age", "participants.group"]
    assert first[[*people, "sessions.mood", "scans.place"]].iloc[0].tolist() == [
        "31",
        "",
        "low",
        "",
    ]
    assert second["scans.place"].tolist() == ["lab"] * 3
    assert metadata_of(tmp_path, 1)[0][people].iloc[0].tolist() == ["40", "patient"]
    assert metadata_of(tmp_path, 2)[0][people].iloc[0].tolist() == ["", ""]
    assert "Not listed in participants.tsv: sub-03." in notes_of(tmp_path)
    one, *_ = find_recordings_bids(tmp_path)
    assert one.options["around"][0]["participants.age"] == "31"
    (tmp_path / "participants.tsv").write_text("participant_id\tage\nsub-01\t31\nsub-01\t32\n")
    with pytest.raises(DataError, match=r"participants\.tsv, lines 2 and 3: two rows about"):
        find_recordings_bids(tmp_path)
    # what is said of one person is no reason to read another again
    (tmp_path / "participants.tsv").write_text("participant_id\tage\nsub-01\t32\n")
    again = find_recordings_bids(tmp_path)
    assert again[0].options != one.options
    assert again[1].files == find_recordings_bids(tmp_path)[1].files


def test_classes_that_look_alike_are_told(tmp_path):
    write_run(tmp_path, events=[(1, 2, "happy"), (4, 2, "Happy"), (7, 2, "sad")])
    assert notes_of(tmp_path) == [
        "Trial_type differs only in case or blanks (write labels.rename, or correct the table): "
        "'happy' and 'Happy'."
    ]
    with pytest.raises(DataError, match=r"'HAPPY'\. Did you mean 'Happy'\?"):
        find_recordings_bids(tmp_path, trial_types=["HAPPY"])


@pytest.mark.parametrize("other", ["Clip1.mp4", "clip 1.mp4", "clip1 .mp4", '"clip1.mp4"'])
def test_stimuli_that_look_alike_are_one(tmp_path, other):
    for subject, name in (("01", "clip1.mp4"), ("02", other), ("03", "clip1.mp4")):
        events = [(1, 2, "a", name), (4, 2, "b", "clip11.mp4")]
        write_run(tmp_path, subject=subject, columns=(*COLUMNS, "stim_file"), events=events)
    for subject in range(3):
        (found,) = metadata_of(tmp_path, subject)
        assert found["stimulus"].tolist() == ["clip1.mp4", "clip11.mp4"]
    assert any("taken for one: 'clip1.mp4' and" in note for note in notes_of(tmp_path))
    first, second, _ = find_recordings_bids(tmp_path)
    assert "stimuli" not in first.options
    assert second.options["stimuli"] == {other: "clip1.mp4"}


def test_trials_last_as_long_as_their_own_duration(tmp_path):
    write_run(tmp_path, events=[(0.5, 4.5, "a"), (5, 2, "b"), (7, 2.5, "a")])
    (recording,) = find_recordings_bids(tmp_path)
    (run,) = recording.read()
    assert [len(epochs.times) / SFREQ for epochs in run.cut()] == [4.5, 2.0, 2.5]
    (run,) = find_recordings_bids(tmp_path, tmax=2.0)[0].read()
    assert [len(epochs.times) / SFREQ for epochs in run.cut()] == [2.0]
    with pytest.raises(DataError, match=r"line 3: a trial of 2 s has no samples after its onset"):
        find_recordings_bids(tmp_path, tmin=2.0)


def test_trials_without_a_duration_are_named(tmp_path):
    rows = [(1, 2, "a"), (3, "n/a", "a"), (4, 0, "a"), (5, "n/a", "a"), (6, "", "b")]
    write_run(tmp_path, events=rows)
    says = r"4 of 5 have none or 0 \(.*events\.tsv, line 3, .*line 4, .*line 5 and 1 more\).*tmax"
    with pytest.raises(DataError, match=says):
        find_recordings_bids(tmp_path)
    assert len(metadata_of(tmp_path, tmax=0.9)[0]) == 5


@pytest.mark.parametrize(
    ("events", "bundles", "overlapping", "repeated"),
    [
        ([(1, 6), (2, 1), (4, 1), (8, 1)], [1, 1, 1, 0], 2, 0),  # wholly inside another
        ([(1, 2, "x"), (4, 2, "x"), (7, 2, "y")], [1, 1, 0], 0, 1),
        ([(1, 1, "x"), (3, 1, "y"), (5, 1, "x")], [0, 0, 0], 0, 0),  # a repetition, later
        ([(1, 1, "x"), (3, 1, "X "), (5, 1, "y"), (5.5, 1, "z")], [1, 1, 2, 2], 1, 1),
        ([(1, 1), (3, 1), (5, 1)], [0, 0, 0], 0, 0),  # no stimulus is not one stimulus
    ],
)
def test_bundles(tmp_path, events, bundles, overlapping, repeated):
    rows = [(onset, duration, "a", *(name or ("n/a",))) for onset, duration, *name in events]
    write_run(tmp_path, columns=(*COLUMNS, "stim_file"), events=rows)
    (recording,) = find_recordings_bids(tmp_path)
    found = recording.events[0].get("bundle", [""] * len(events))
    numbers = {"": 0}
    assert [numbers.setdefault(name, len(numbers)) for name in found] == bundles
    (each,) = recording.bundled
    assert (each.overlapping, each.repeated) == (overlapping, repeated)
    notes = " ".join(notes_of(tmp_path))
    assert ("before another has ended" in notes) == bool(overlapping)
    assert ("stimulus of the trial before" in notes) == bool(repeated)
    (run,) = recording.read()
    names = [name for epochs in run.cut() for name in epochs.metadata.get("bundle", [])]
    assert names == list(found) or not any(bundles)


def test_bundles_of_other_runs_have_other_names(tmp_path):
    for subject in ("01", "02"):
        for run in ("1", "2"):
            write_run(tmp_path, subject=subject, run=run, events=[(1, 2, "a"), (2, 2, "a")])
    names = {
        name
        for recording in find_recordings_bids(tmp_path)
        for events in recording.events
        for name in events["bundle"]
    }
    assert len(names) == 4


@pytest.mark.parametrize("sfreq", [250.0, 99.0, 33.0, 7.0])
def test_trials_share_samples_only_within_a_bundle(tmp_path, sfreq):
    """A long trial, two inside it, and neighbours that touch, at rates that round all of them."""
    (run,) = read_only(tmp_path, [(0.013, 5, "a"), (1.2, 1, "a"), (4.013, 1, "a"), (5.013, 2, "b")])
    raw = run.inst.copy().resample(sfreq, verbose="ERROR")
    placed = CutTrials(run.make_epochs.trials, 0.0, None)(raw)
    spans = []
    for epochs in placed if isinstance(placed, list) else [placed]:
        names = epochs.metadata["bundle"]
        spans += [
            (start, start + len(epochs.times), name)
            for start, name in zip(epochs.events[:, 0], names, strict=True)
        ]
    spans.sort()
    assert len({name for *_, name in spans}) == 2
    assert spans[1][0] < spans[0][1]  # these do share samples
    last = max(stop for _, stop, name in spans if name)
    assert spans[-1][0] >= last
    np.testing.assert_allclose(
        [s / sfreq for s, *_ in spans], [0.013, 1.2, 4.013, 5.013], atol=1.01 / sfreq
    )


def read_only(root, events, columns=COLUMNS):
    write_run(root, events=events, columns=columns)
    return find_recordings_bids(root)[0].read()


def test_trials_at_one_moment(tmp_path):
    """Which of two events is the trial, trial_type says; without one they are held together."""
    rows = [(1, 2, "787"), (1, 2, "301"), (1.0001, 2, "800"), (5, 1, "302")]
    (run,) = read_only(tmp_path, rows, columns=("onset", "duration", "value"))
    parts = run.cut()
    metadata = pd.concat([epochs.metadata for epochs in parts])
    assert metadata["value"].tolist() == ["787", "301", "800", "302"]
    assert metadata["bundle"].tolist() == ["01/1/1/trials#1"] * 3 + [""]
    starts = [sample / SFREQ for epochs in parts for sample in epochs.events[:, 0]]
    assert starts == [1, 1, 1, 5]
    with pytest.raises(DataError, match=r"several events at 1 s \(a, b; lines 2, 3\)"):
        read_only(tmp_path, [(1, 2, "a"), (1, 2, "b"), (5, 2, "c")])


@pytest.mark.parametrize(
    ("onsets", "durations", "length", "sfreq", "says"),
    [
        ([1, 6], [4, 4], 70, 128, ""),
        ([1000, 6000, 56000], [4000] * 3, 70, 128, "look like milliseconds"),
        ([1000, 6000, 56000], [4] * 3, 70, 128, "look like milliseconds"),
        ([101163, 600000], [np.nan] * 2, 700, 250, "look like milliseconds"),
        ([128, 768, 7168], [512] * 3, 70, 128, "look like samples at 128 Hz"),
        ([128, 768, 7168], [4] * 3, 70, 128, "look like samples at 128 Hz"),
        ([1000, 50000], [4, 4], 70, 1000, "look like milliseconds or samples at 1000 Hz"),
        ([1, 6, 80], [4] * 3, 70, 128, "is the recording complete"),
        ([1e7, 2e7], [4] * 2, 70, 128, "is the recording complete"),
        ([np.nan, 1], [4, 4], 70, 128, ""),
    ],
)
def test_onsets_beyond_the_recording_are_explained(onsets, durations, length, sfreq, says):
    found = explain_onsets(onsets, durations, length, sfreq)
    assert says in found
    assert bool(found) == bool(says)
    assert is_other_unit(onsets, durations, length, sfreq) == ("look" in says)


@pytest.mark.parametrize("factor", [1000, 250])
def test_onsets_in_another_unit_are_refused(tmp_path, factor):
    write_run(tmp_path, events=[(o * factor, d * factor, k) for o, d, k in EVENTS])
    says = "milliseconds" if factor == 1000 else "samples at 250 Hz"
    for options in ({"tmax": 2.0}, {}):
        with pytest.raises(DataError, match=rf"largest onset is {7 * factor}, .* 10 s; .*{says}"):
            list(find_recordings_bids(tmp_path, **options)[0].read())


def test_times_in_milliseconds_are_read_if_one_says_so(tmp_path):
    write_run(tmp_path)
    (seconds,) = find_recordings_bids(tmp_path)
    rows = [(o * 1000, d * 1000, k) for o, d, k in EVENTS]
    write_run(tmp_path, events=[*rows[:1], (3250.5, "n/a", "BAD"), *rows[1:]])
    with pytest.raises(DataError, match=r"write data: \{times: milliseconds\}"):
        list(find_recordings_bids(tmp_path)[0].read())
    (found,) = find_recordings_bids(tmp_path, times="milliseconds")
    assert found.events[0]["onset"].tolist() == seconds.events[0]["onset"].tolist()
    assert found.events[0]["duration"].tolist() == seconds.events[0]["duration"].tolist()
    (run,), (first,) = found.read(), seconds.read()
    cut, expected = run.cut(), first.cut()
    assert [
        np.array_equal(a.get_data(), b.get_data()) for a, b in zip(cut, expected, strict=True)
    ] == [True] * len(expected)
    assert (found.options["times"], "times" in seconds.options) == ("milliseconds", False)


def test_some_onsets_beyond_the_recording_are_noted(tmp_path):
    write_run(tmp_path, events=[*EVENTS, (12.5, 2, "sad")])
    (run,) = find_recordings_bids(tmp_path)[0].read()
    assert any("largest onset is 12.5, the recording lasts 10 s" in note for note in run.notes)


@pytest.mark.parametrize("column", ["sample", "Sample"])
def test_onsets_that_are_samples_by_their_own_table(tmp_path, column):
    rows = [(onset * SFREQ, 2, kind, onset * SFREQ) for onset, _, kind in EVENTS]
    data = np.tile(make_signal(), (1, 200))  # long enough for all of them
    write_run(tmp_path, columns=(*COLUMNS, column), events=rows, data=data)
    with pytest.raises(DataError, match=r"line 2: 250\), so onsets are numbers of samples"):
        find_recordings_bids(tmp_path)
    rows = [(onset, 2, kind, onset * SFREQ) for onset, _, kind in [(0, 0, "a"), *EVENTS]]
    write_run(tmp_path, columns=(*COLUMNS, column), events=rows)
    assert len(metadata_of(tmp_path)[0]) == 4


def test_onsets_in_another_unit_are_refused_though_some_fit_by_chance(tmp_path):
    onsets = [0.5, 2.5, 3000, 6000, 7000, 7900]
    write_run(tmp_path, events=[(onset, 2, "a") for onset in onsets])
    with pytest.raises(DataError, match=r"most trials .* begin after its end: .* milliseconds"):
        list(find_recordings_bids(tmp_path)[0].read())


@pytest.mark.parametrize("seed", range(20))
def test_neighbours_of_any_length_share_no_sample(seed):
    """Trials that fill a recording to its last sample, at a rate that rounds all of them."""
    rng = np.random.default_rng(seed)
    sfreq = float(rng.uniform(5, 60))
    edges = np.concatenate([[0], np.sort(rng.uniform(0, 20, 8)).round(6), [20]])
    lengths = np.diff(edges)
    keep = lengths > 2 / sfreq
    trials = pd.DataFrame({"trial": range(9), "onset": edges[:-1], "duration": lengths})[keep]
    n_times = int(np.ceil(20 * sfreq - 1e-9))
    raw = mne.io.RawArray(
        np.zeros((1, n_times)), mne.create_info(["Fz"], sfreq, "eeg"), verbose="ERROR"
    )
    parts = CutTrials(trials, 0.0, None)(raw)
    spans = [
        (sample, sample + len(epochs.times))
        for epochs in (parts if isinstance(parts, list) else [parts])
        for sample in epochs.events[:, 0]
    ]
    assert len(spans) == keep.sum()
    assert spans[0][0] >= 0
    assert spans[-1][1] <= n_times
    for (_, stop), (start, _) in pairwise(spans):
        assert stop <= start
