"""Which files of a BIDS data set are the data, by their folders and names."""

import json
import pickle
import shutil

import pytest
from test_bids import CHANNELS, EVENTS, write_run, write_tsv

from eegemo.datasets.bids import Bids, find_recordings_bids
from eegemo.datasets.bids.paths import find_paths, natural
from eegemo.errors import DataError

OTHER = [(1.5, 2.0, "happy"), (5.0, 2.0, "sad")]


def names_of(root, **options):
    return [
        path.fpath.name.rpartition("_")[0]
        for recording in find_recordings_bids(root, **options)
        for path in recording.paths
    ]


def rename(stem, new, suffixes=("eeg.vhdr", "eeg.eeg", "eeg.vmrk", "events.tsv")):
    """Give files of a run another name; the header names its signals as before."""
    for suffix in suffixes:
        file = stem.with_name(f"{stem.name}_{suffix}")
        file.rename(file.with_name(f"{new}_{suffix}"))
    header = stem.with_name(f"{new}_eeg.vhdr")
    text = header.read_text(encoding="utf-8").replace(f"{stem.name}_eeg.", f"{new}_eeg.")
    header.write_text(text, encoding="utf-8")
    return stem.with_name(new)


@pytest.mark.parametrize(
    "place",
    [
        "derivatives",
        "Derivatives",
        "derivatives/clean",
        "sourcedata",
        "code",
        "stimuli",
        ".git",
        ".hidden",
        "rawdata",
        "sub-01/derivatives",
    ],
)
def test_copies_elsewhere_are_no_data(tmp_path, place):
    write_run(tmp_path)
    copy = tmp_path / place / "sub-01"
    shutil.copytree(tmp_path / "sub-01" / "eeg", copy / "eeg")
    shutil.copytree(tmp_path / "sub-01" / "eeg", copy.with_name("sub-02") / "eeg")
    assert names_of(tmp_path) == ["sub-01_task-music"]


def test_derivatives_are_a_data_set_of_their_own(tmp_path):
    write_run(tmp_path)
    write_run(tmp_path / "derivatives" / "clean", subject="02")
    assert names_of(tmp_path / "derivatives" / "clean") == ["sub-02_task-music"]


def test_runs_and_sessions_are_ordered_by_number(tmp_path):
    for session in ("10", "9"):
        for run in ("10", "9", "1"):
            write_run(tmp_path, session=session, run=run)
    assert names_of(tmp_path) == [
        f"sub-01_ses-{session}_task-music_run-{run}" for session in (9, 10) for run in (1, 9, 10)
    ]
    assert sorted(["b", "a10", "a9", "2"], key=natural) == ["2", "a9", "a10", "b"]


@pytest.mark.parametrize(
    ("options", "runs"),
    [
        ({}, ["1_01", "1_02", "2_01", "2_02"]),
        ({"sessions": [2]}, ["2_01", "2_02"]),
        ({"sessions": "ses-2", "runs": 1}, ["2_01"]),
        ({"runs": ["02"]}, ["1_02", "2_02"]),
        ({"runs": ["2", "run-1"], "sessions": ["1"]}, ["1_01", "1_02"]),
        ({"exclude": ["run-1"]}, ["1_02", "2_02"]),
        ({"exclude": ["sub-1_ses-2_run-2", "ses-1_run-01"]}, ["1_02", "2_01"]),
        ({"acquisition": "n/a"}, ["1_01", "1_02", "2_01", "2_02"]),
    ],
)
def test_recordings_are_chosen_by_label(tmp_path, options, runs):
    for session in ("1", "2"):
        for run in ("01", "02"):
            write_run(tmp_path, session=session, run=run)
    expected = [f"sub-01_ses-{run[0]}_task-music_run-{run[2:]}" for run in runs]
    assert names_of(tmp_path, **options) == expected
    data = Bids(root=str(tmp_path), **options)
    assert [path.fpath.name for path in data.find()[0].paths] == [f"{n}_eeg.vhdr" for n in expected]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"sessions": ["3"]}, r"data\.sessions: .* ses-3\. There: 1, 2\."),
        ({"runs": [7]}, r"data\.runs: .* run-7\. No recording has a label run-\."),
        ({"acquisition": "cleam"}, r"acq-cleam\. Did you mean 'clean'\? There: clean\."),
        ({"processing": "x"}, r"proc-x\. No recording has a label proc-"),
        ({"exclude": ["sub-07"]}, r"data\.exclude: 'sub-07' fits nothing .*There: 01, 02"),
        ({"exclude": ["sub-01", "sub-02"]}, r"data\.exclude leaves no recording"),
        ({"exclude": ["sub-01_trial-9"]}, r"'sub-01_trial-9' fits no trial"),
        ({"exclude": [f"sub-01_trial-{k}" for k in range(4)[1:]]}, r"leaves no trial of .* 01"),
        ({"subjects": ["01"], "sessions": 2}, r"data\.sessions: .* ses-2\. There: 1\."),
        (
            {"subjects": ["01", "02"], "sessions": 2},
            r"Subject '01' has no recording .* sessions",
        ),
    ],
)
def test_choices_that_fit_nothing_are_refused(tmp_path, options, says):
    rename(write_run(tmp_path, session="1"), "sub-01_ses-1_task-music_acq-clean")
    rename(write_run(tmp_path, subject="02", session="2"), "sub-02_ses-2_task-music_acq-clean")
    with pytest.raises(DataError, match=says):
        find_recordings_bids(tmp_path, **options)


def test_a_subject_without_the_chosen_session_is_told(tmp_path):
    write_run(tmp_path, session="1")
    write_run(tmp_path, subject="02", session="2")
    data = Bids(root=str(tmp_path), sessions=[1])
    found = data.find()
    assert [recording.subject for recording in found] == ["01"]
    assert "Subjects without a recording of those chosen: sub-02." in data.notes(found, {})


def test_subjects_that_are_not_there_are_told(tmp_path):
    for subject in ("01", "02", "03"):
        write_run(tmp_path, subject=subject)
    write_run(tmp_path, subject="04", task="rest")
    (tmp_path / "sub-05" / "beh").mkdir(parents=True)
    data = Bids(root=str(tmp_path), task="music", exclude=["sub-02"])
    assert data.notes(data.find(), {}) == [
        "Left out by data.exclude: sub-02_task-music.",
        "Subjects without EEG of task music: sub-04, sub-05.",
    ]
    data = Bids(root=str(tmp_path), task="music", subjects=["01"])
    assert data.notes(data.find(), {}) == []


def test_trials_are_excluded_and_counted(tmp_path):
    for session in ("1", "2"):
        write_run(tmp_path, session=session)
    (recording,) = find_recordings_bids(tmp_path, exclude=["sub-01_ses-2_trial-02"])
    found = [run.make_epochs(run.inst).metadata["trial"].tolist() for run in recording.read()]
    assert found == [[1, 2, 3], [1, 3]]
    assert recording.left_out == ({}, {"excluded": 1})
    assert recording.options["exclude"] == ["sub-01_ses-2_trial-02"]
    assert "exclude" not in find_recordings_bids(tmp_path)[0].options


# one run, stored twice


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (("acq-raw", "acq-clean"), r"acquisition: clean or acquisition: raw"),
        (("proc-raw", "proc-clean"), r"processing: clean or processing: raw"),
        (("rec-a", "rec-b"), r"exclude: \[sub-01_task-music_rec-b\]"),
        (("desc-a", "desc-b"), r"exclude: \[sub-01_task-music_desc-b\]"),
        (("run-1", "run-01"), r"exclude: \[sub-01_task-music_run-1\]"),
        (("acq-raw", ""), r"acquisition: n/a or acquisition: raw|raw or acquisition: n/a"),
        (("run-1", ""), r"exclude: \[sub-01_task-music_run-1\]"),
    ],
)
def test_a_run_that_is_stored_twice_is_asked_about(tmp_path, labels, says):
    for label in labels:
        name = f"sub-01_task-music_{label}".rstrip("_")
        if label:
            rename(write_run(tmp_path), name)
        else:
            write_run(tmp_path)
    with pytest.raises(DataError, match=r"stored several times.*" + says) as caught:
        find_recordings_bids(tmp_path)
    assert all(label in str(caught.value) for label in labels)
    chosen = labels[0]
    assert len(names_of(tmp_path, exclude=[chosen])) == 1


def test_the_answer_is_taken(tmp_path):
    for label in ("raw", "clean"):
        rename(write_run(tmp_path), f"sub-01_task-music_acq-{label}")
    assert names_of(tmp_path, acquisition="clean") == ["sub-01_task-music_acq-clean"]


def test_runs_with_other_events_are_not_one(tmp_path):
    rename(write_run(tmp_path), "sub-01_task-music_acq-a")
    rename(write_run(tmp_path, events=OTHER), "sub-01_task-music_acq-b")
    (recording,) = find_recordings_bids(tmp_path)
    metadata = [run.make_epochs(run.inst).metadata for run in recording.read()]
    assert [table["run"].unique().tolist() for table in metadata] == [["acq-a"], ["acq-b"]]
    assert [table["trial"].tolist() for table in metadata] == [[1, 2, 3], [4, 5]]


# spelling


@pytest.mark.parametrize(
    ("suffix", "extension"),
    [("eeg", ".VHDR"), ("EEG", ".vhdr"), ("EEG", ".VHDR"), ("Eeg", ".Vhdr")],
)
def test_names_in_capitals(tmp_path, suffix, extension):
    write_run(tmp_path)
    stem = write_run(tmp_path, subject="02")
    header = stem.with_name(f"{stem.name}_eeg.vhdr")
    header.rename(header.with_name(f"{stem.name}_{suffix}{extension}"))
    for recording in find_recordings_bids(tmp_path):
        (run,) = recording.read()
        assert len(run.make_epochs(run.inst)) == 3
        assert run.inst.get_channel_types() == ["eeg", "eeg", "eeg", "eog"]


@pytest.mark.parametrize("spelling", ["task-Music", "task-MUSIC"])
@pytest.mark.parametrize("suffixes", [["events.tsv"], ["events.tsv", "channels.tsv", "eeg.json"]])
def test_tables_whose_names_differ_in_case(tmp_path, spelling, suffixes):
    """As in DENS: task-Emotion_eeg.set beside task-emotion_events.tsv."""
    stem = write_run(tmp_path, bad=["Cz"])
    for suffix in suffixes:
        file = stem.with_name(f"{stem.name}_{suffix}")
        file.rename(file.with_name(f"sub-01_{spelling}_{suffix}"))
    data = Bids(root=str(tmp_path))
    (recording,) = data.find()
    (run,) = recording.read()
    assert len(run.make_epochs(run.inst)) == 3
    assert run.inst.info["bads"] == ["Cz"]
    assert data.notes([recording], {}) == [
        "Used with an events.tsv of another spelling: sub-01_task-music_eeg.vhdr "
        f"(sub-01_{spelling}_events.tsv)."
    ]
    assert {file.name for file in recording.files} >= {f"sub-01_{spelling}_{s}" for s in suffixes}
    # its own is taken, where there is one; of two others none
    (stem.parent / "sub-01_task-mUsic_events.tsv").write_text("onset\tduration\n1\t1\n")
    with pytest.raises(DataError, match=r"both sub-01_task-M.* and sub-01_task-mU.* fit it"):
        data.find()
    write_tsv(stem.with_name(f"{stem.name}_events.tsv"), ("onset", "duration"), [(1, 1), (2, 1)])
    assert len(data.find()[0].events[0]) == 2


def test_tasks_are_the_same_whatever_their_case(tmp_path):
    write_run(tmp_path, task="music")
    write_run(tmp_path, subject="02", task="Music")
    for options in ({}, {"task": "MUSIC"}):
        assert names_of(tmp_path, **options) == ["sub-01_task-music", "sub-02_task-Music"]
    assert list(Bids(root=str(tmp_path)).survey().recordings) == ["sub-01", "sub-02"]


def test_zeros_before_the_number_of_a_run(tmp_path):
    stem = write_run(tmp_path, run="01")
    events = stem.with_name(f"{stem.name}_events.tsv")
    events.rename(events.with_name("sub-01_task-music_run-1_events.tsv"))
    assert len(find_recordings_bids(tmp_path)[0].events[0]) == 3


def test_events_further_up_and_the_most_specific(tmp_path):
    write_run(tmp_path, run="1", events=None)
    write_run(tmp_path, run="2", events=None)
    write_tsv(tmp_path / "task-music_events.tsv", ("onset", "duration"), [(1, 1)])
    folder = tmp_path / "sub-01" / "eeg"
    write_tsv(folder / "sub-01_events.tsv", ("onset", "duration"), [(1, 1), (3, 1)])
    write_tsv(folder / "sub-01_run-2_events.tsv", ("onset", "duration"), EVENTS[:0] + [(5, 1)] * 1)
    first, second = find_recordings_bids(tmp_path)[0].events
    assert (first["onset"].tolist(), second["onset"].tolist()) == ([1, 3], [5])


def test_files_for_others_do_not_apply(tmp_path):
    stem = write_run(tmp_path, run="1", events=None)
    for name in (
        "sub-01_task-music_run-2",
        "sub-01_task-rest_run-1",
        "sub-01_task-music_run-1_acq-x",
    ):
        write_tsv(stem.with_name(f"{name}_events.tsv"), ("onset", "duration"), [(1, 1)])
    with pytest.raises(DataError, match=r"has no events\.tsv.*Beside it is sub-01_task-music_run-"):
        find_recordings_bids(tmp_path)


def test_runs_without_events_are_named_at_once(tmp_path):
    for subject, run in (("01", "1"), ("02", "1"), ("02", "2"), ("03", "1"), ("03", "2")):
        write_run(tmp_path, subject=subject, run=run, events=EVENTS if (subject, run) in
                  (("01", "1"), ("02", "2")) else None)  # fmt: skip
    says = r"3 recordings have no events\.tsv.*sub-02_task-music_run-1_eeg\.vhdr, sub-03"
    leave = "exclude: [sub-02_task-music_run-1, sub-03]"
    with pytest.raises(DataError, match=says) as caught:
        find_recordings_bids(tmp_path)
    assert leave in str(caught.value)
    exclude = leave.partition("[")[2].rstrip("]").split(", ")
    assert names_of(tmp_path, exclude=exclude) == [
        "sub-01_task-music_run-1",
        "sub-02_task-music_run-2",
    ]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("sub-01", "Sub-01", "would be skipped: its name begins with 'Sub-'"),
        ("sub-01/eeg", "sub-01/EEG", "rename the folder to eeg"),
        ("sub-01/eeg/sub-01_task-music_eeg.vhdr", "sub-01/sub-01_task-music_eeg.vhdr", "Move it"),
        (
            "sub-01/eeg/sub-01_task-music_eeg.vhdr",
            "sub-01/eeg/sub-03_task-music_eeg.vhdr",
            "lies in a folder of sub-01",
        ),
        (
            "sub-01/eeg/sub-01_task-music_eeg.vhdr",
            "sub-01/eeg/sub-01_ses-2_task-music_eeg.vhdr",
            "lies in a folder of sub-01",
        ),
        ("sub-01/eeg/sub-01_task-music_eeg.vhdr", "sub-01/eeg/film_eeg.vhdr", "not named as BIDS"),
    ],
)
def test_what_would_be_skipped_is_refused(tmp_path, old, new, says):
    write_run(tmp_path)
    write_run(tmp_path, subject="02")
    (tmp_path / old).rename(tmp_path / new)
    with pytest.raises(DataError, match=says):
        find_recordings_bids(tmp_path)


def test_formats_that_are_not_read_are_told(tmp_path):
    stem = write_run(tmp_path)
    for name in ("sub-01_task-rest_eeg.gdf", "sub-01_task-x_eeg.edf.gz", "sub-01_task-y_eeg.eeg"):
        (stem.parent / name).write_bytes(b"x")
    data = Bids(root=str(tmp_path))
    assert data.notes(data.find(), {}) == [
        "Files of a format that is not read: sub-01_task-rest_eeg.gdf, sub-01_task-x_eeg.edf.gz."
    ]


def test_recordings_are_pickled(tmp_path):
    stem = write_run(tmp_path)
    header = stem.with_name(f"{stem.name}_eeg.vhdr")
    header.rename(header.with_suffix(".VHDR"))
    (recording,) = find_recordings_bids(tmp_path)
    assert (
        pickle.loads(pickle.dumps(recording)).paths
        == recording.paths
        == tuple(find_paths(tmp_path))
    )
    assert json.dumps(dict(recording.options))
    (run,) = pickle.loads(pickle.dumps(recording)).read()
    assert run.inst.ch_names == list(CHANNELS)
