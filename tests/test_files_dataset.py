"""A folder of recordings in any format, with a table of them: signals, trials and refusals."""

import datetime
import json
import shutil
import textwrap

import mne
import numpy as np
import pytest
from edf_files import write_edf
from typer.testing import CliRunner

from bare_files import NAMES, SFREQ, TRIALS, make_codes, make_level, make_raw, write, write_table
from eegemo.cli import app
from eegemo.config import parse_experiment
from eegemo.datasets.files import Files, propose_table
from eegemo.datasets.files.formats import FORMATS, find_bare_files
from eegemo.datasets.files.names import guess_names
from eegemo.errors import DataError, InputError
from eegemo.runs.check_data import check_data, find_dataset
from eegemo.testing import check_dataset

KINDS = [kind for _, _, kind in TRIALS]


def find(root, **options):
    return Files(root=str(root), **options).find()


def read(root, **options):
    """Return the Epochs and notes of all recordings of a folder."""
    epochs, notes = [], []
    for recording in find(root, **options):
        for run in recording.read(eeg_only=True):
            epochs += run.cut()
            notes += run.notes
    return epochs, notes


def levels(epochs):
    """Return the level of each trial in microvolts, which tells which trial it is."""
    return np.concatenate([part.get_data().mean(axis=(1, 2)) for part in epochs]) * 1e6


def about(epochs, column):
    return [value for part in epochs for value in part.metadata[column]]


@pytest.fixture(scope="module")
def formats(tmp_path_factory):
    """A recording in each format that can be written, of a person each."""
    root = tmp_path_factory.mktemp("formats")
    for ending in ("_raw.fif", ".edf", ".bdf", ".vhdr", ".set"):
        write(root / f"{ending.strip('_.')}_x{ending}", make_raw())
    names = sorted(file.name for file in find_bare_files(root))
    assert len(names) == 5
    return write_table(root, *(f"{name},{name.split('_')[0]}" for name in names))


def test_every_format_gives_the_signals_and_trials_that_were_written(formats):
    found = find(formats)
    assert [recording.subject for recording in found] == ["bdf", "edf", "raw.fif", "set", "vhdr"]
    for recording in found:
        (run,) = recording.read()
        assert run.inst.ch_names[:3] == list(NAMES)
        stored = run.inst.get_data(list(NAMES)) * 1e6
        # 16 bits in EDF, its last second may be filled up
        np.testing.assert_allclose(stored[:, : make_level().shape[1]], make_level(), atol=0.02)
        (epochs,) = run.cut()
        np.testing.assert_allclose(levels([epochs]), [10, 20, 30, 40], atol=0.5)
        kinds = [kind.removeprefix("Comment/") for kind in about([epochs], "trial_type")]
        assert kinds == KINDS  # BrainVision has kinds of markers
        assert about([epochs], "trial") == [1, 2, 3, 4]
        assert len(epochs.times) == 4 * SFREQ


def test_the_contract_of_data_sets_is_kept(formats):
    check_dataset(Files(root=str(formats)))
    check_dataset(Files(root=str(formats), tmin=-0.5, tmax=2.0, subjects=["edf", "set"]))
    check_dataset(Files(root=str(formats), events="none", subjects=["bdf"]))


def test_every_extension_that_mne_reads_is_known():
    from mne.io._read_raw import _get_supported

    assert set(_get_supported()) <= set(FORMATS)


@pytest.mark.parametrize("date", [None, datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)])
def test_annotations_are_in_time_where_a_recording_starts_late(tmp_path, date):
    """A FIF that was cropped counts its samples from before its first one."""
    write(tmp_path / "a_raw.fif", make_raw(date=date).crop(1.5))
    write_table(tmp_path, "a_raw.fif,a")
    epochs, _ = read(tmp_path)
    np.testing.assert_allclose(levels(epochs), [10, 20, 30, 40], atol=0.5)


def test_events_from_a_table_whose_columns_and_those_of_the_recordings_are_kept(tmp_path):
    write(tmp_path / "a.edf", make_raw(marks=False))
    rows = ["onset,duration,trial_type,film,age", *(f"{o},{d},{k},f{o:g},9" for o, d, k in TRIALS)]
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "a.csv").write_text("\n".join(rows))
    write_table(
        tmp_path, "a.edf,a,tables/a.csv,33,left,6.5",
        columns="Path,Subject,events,age,hand,valence",
    )  # fmt: skip
    epochs, _ = read(tmp_path)
    np.testing.assert_allclose(levels(epochs), [10, 20, 30, 40], atol=0.5)
    assert about(epochs, "trial_type") == KINDS
    assert set(about(epochs, "recordings.age")) == {"33"}  # the trials have an age of their own
    assert set(about(epochs, "hand")) == {"left"}
    assert set(about(epochs, "valence")) == {6.5}
    (recording,) = find(tmp_path)
    assert tmp_path / "tables" / "a.csv" in recording.files


@pytest.mark.parametrize(
    ("name", "channel", "scale"), [("a_raw.fif", "STI 014", 1.0), ("a_raw.fif", "Trigger", 1e-6)]
)
def test_events_from_a_stimulus_channel(tmp_path, name, channel, scale):
    codes = (channel, scale * make_codes())
    write(tmp_path / name, make_raw(marks=False, codes=codes))
    write_table(tmp_path, f"{name},a")
    epochs, _ = read(tmp_path, tmax=4.0)
    np.testing.assert_allclose(levels(epochs), [10, 20, 30, 40], atol=0.5)
    assert about(epochs, "trial_type") == ["11", "12", "11", "12"]
    epochs, _ = read(tmp_path, tmax=4.0, trial_types=["12"], stim_channel=channel)
    np.testing.assert_allclose(levels(epochs), [20, 40], atol=0.5)
    assert epochs[0].ch_names == list(NAMES)  # the codes are no EEG


def test_codes_of_a_biosemi_status_are_without_the_amplifiers_own_bits(tmp_path):
    from eegemo.datasets.files.stimulus import find_codes

    status = make_codes() + 2**16 + 2**20
    info = mne.create_info(["Status"], SFREQ, "stim")
    raw = mne.io.RawArray(status[np.newaxis], info, verbose="ERROR")
    table = find_codes(raw, "Status", "x", bits=16)
    assert table["trial_type"].tolist() == ["11", "12", "11", "12"]
    assert [float(onset) for onset in table["onset"]] == [onset for onset, _, _ in TRIALS]


def test_the_word_in_a_row_says_where_its_events_are(tmp_path):
    codes = ("STI 014", make_codes())
    for name in "abc":
        write(tmp_path / f"{name}_raw.fif", make_raw(codes=codes))
    rows = ["a_raw.fif,a,annotations", "b_raw.fif,b,stim", "c_raw.fif,c,none"]
    write_table(tmp_path, *rows, columns="path,subject,events")
    found = {
        r.subject: [e for run in r.read() for e in run.cut()] for r in find(tmp_path, tmax=4.0)
    }
    assert about(found["a"], "trial_type") == KINDS
    assert about(found["b"], "trial_type") == ["11", "12", "11", "12"]
    assert about(found["c"], "trial_type") == [""]


def test_a_labelled_recording_is_one_trial_of_that_class(tmp_path):
    for number, label in enumerate(("joy", "fear", "joy"), start=1):
        write(tmp_path / f"{number}.edf", make_raw(shift=number, marks=False))
        del label
    write_table(
        tmp_path, "1.edf,a,1,joy,film1", "2.edf,a,10,fear,film2", "3.edf,a,9,joy,film3",
        columns="path,subject,run,label,stimulus",
    )  # fmt: skip
    epochs, _ = read(tmp_path)
    assert about(epochs, "run") == ["1", "9", "10"]  # by number
    assert about(epochs, "trial_type") == ["joy", "joy", "fear"]
    assert about(epochs, "stimulus") == ["film1", "film3", "film2"]
    assert about(epochs, "trial") == [1, 2, 3]
    assert {len(part.times) for part in epochs} == {31 * SFREQ}


def test_the_label_is_the_class_of_every_trial_of_its_recording(tmp_path):
    write(tmp_path / "a.edf", make_raw())
    write_table(tmp_path, "a.edf,a,joy", columns="path,subject,label")
    epochs, _ = read(tmp_path)
    assert about(epochs, "trial_type") == ["joy"] * 4
    assert about(epochs, "events.trial_type") == KINDS
    assert about(epochs, "recordings.label") == ["joy"] * 4


def test_channels_that_are_no_eeg_by_their_names(tmp_path):
    write(tmp_path / "a_raw.fif", make_raw(codes=("ECG", make_codes())))
    write_table(tmp_path, "a_raw.fif,a")
    epochs, notes = read(tmp_path)
    assert epochs[0].ch_names == list(NAMES)
    assert any("not taken for EEG, by their names: ECG" in note for note in notes)


def test_stored_trials_are_named_by_all_that_they_depend_on(formats, tmp_path):
    root = tmp_path / "data"
    shutil.copytree(formats, root)

    def named(**options):
        return json.dumps([dict(recording.options) for recording in find(root, **options)])

    before = named()
    changed = [named(tmax=2.0), named(events="annotations"), named(trial_types=["calm"]),
               named(trials="fixed", length=2.0), named(tmin=0.5)]  # fmt: skip
    table = (root / "recordings.csv").read_text()
    (root / "recordings.csv").write_text(
        table.replace("x.set,set", "x.set,set,2")
        .replace("subject", "subject,run")
        .replace("bdf\n", "bdf,1\n")
        .replace("edf\n", "edf,1\n")
        .replace("fif\n", "fif,1\n")
        .replace("vhdr\n", "vhdr,1\n")
    )
    changed.append(named())
    assert len({before, *changed}) == len(changed) + 1
    files = {file.name for recording in find(root) for file in recording.files}
    assert {"vhdr_x.eeg", "vhdr_x.vmrk", "set_x.fdt"} <= files


def test_people_recordings_and_trials_are_left_out_by_name(tmp_path):
    for name in ("a1", "a2", "b1"):
        write(tmp_path / f"{name}.edf", make_raw())
    (tmp_path / "a2.edf").write_text("broken")
    write_table(tmp_path, "a1.edf,a,1", "a2.edf,a,2", "b1.edf,b,1", columns="path,subject,run")
    with pytest.raises(DataError, match=r"line 3: .*a2\.edf: expected a recording in EDF"):
        find(tmp_path)
    epochs, notes = read(tmp_path, exclude=["sub-a_run-2", "sub-a_trial-3"])
    assert about(epochs, "trial") == [1, 2, 4, 1, 2, 3, 4]
    assert "a1.edf: 1 trial left out, excluded: 3" in notes
    assert [r.subject for r in find(tmp_path, exclude=["sub-a"])] == ["b"]
    with pytest.raises(DataError, match=r"'sub-c' fits nothing in .*recordings\.csv"):
        find(tmp_path, exclude=["sub-c"])
    with pytest.raises(DataError, match=r"'sub-b_trial-7' fits no trial"):
        read(tmp_path, exclude=["sub-a_run-2", "sub-b_trial-7"])
    with pytest.raises(DataError, match="leaves no recording"):
        find(tmp_path, exclude=["sub-a", "sub-b"])


@pytest.mark.parametrize("from_table", [True, False])
def test_trials_after_a_gap_are_in_their_place(tmp_path, from_table):
    """Onsets in a table count the 20 s in which nothing was recorded, as do those in the file."""
    level = make_level()
    starts = [second if second < 15 else second + 20 for second in range(31)]
    told = [(onset + 20 * (onset > 15), length, kind) for onset, length, kind in TRIALS]
    marks = [(0, f"+{o}\x15{d}\x14{k}") for o, d, k in told] if not from_table else ()
    write_edf(tmp_path / "a.edf", level, [128] * 3, starts=starts, marks=marks, names=NAMES)
    lines = ["onset,duration,trial_type", *(f"{o},{d},{k}" for o, d, k in told)]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    write_table(tmp_path, f"a.edf,a,{'t.csv' if from_table else ''}", columns="path,subject,events")
    epochs, notes = read(tmp_path)
    np.testing.assert_allclose(levels(epochs), [10, 20, 30, 40], atol=0.5)
    assert any("1 gap in the recording" in note for note in notes)
    pieces, _ = read(tmp_path, trials="fixed", length=2.0, trial_types=["calm", "tense"])
    np.testing.assert_allclose(levels(pieces), np.repeat([10, 20, 30, 40], 2), atol=0.5)


def test_trials_that_belong_together_are_bundled_and_rows_are_counted(tmp_path):
    write(tmp_path / "a.edf", make_raw(marks=False))
    rows = [
        "onset,duration,trial_type,stim_file", "2,4,calm,Film 1.mp4", "5.5,4,calm,x.mp4",
        "12,3,tense,film1.mp4", "16,3,tense,film1.mp4", "20,2,BAD_move,", "n/a,1,calm,y.mp4",
        "25,2,calm,z.mp4", "26,0.5,BAD_blink,",
    ]  # fmt: skip
    (tmp_path / "t.csv").write_text("\n".join(rows))
    write_table(tmp_path, "a.edf,a,t.csv", columns="path,subject,events")
    epochs, notes = read(tmp_path)
    assert about(epochs, "breaks") == ["", "", "", "", "1 1.5"]
    bundles = about(epochs, "bundle")
    assert bundles[0] == bundles[1] != ""
    assert bundles[2] == bundles[3] not in ("", bundles[0])
    assert bundles[4] == ""
    assert about(epochs, "stimulus")[0] == "film1.mp4"  # in one spelling
    counted = "of 8 events, 5 are trials; left out: 2 marks of a break, 1 without an onset"
    assert f"a.edf: {counted}" in notes


def test_trials_that_a_cut_off_recording_lacks_are_told(tmp_path):
    content = write(tmp_path / "a.edf", make_raw()).read_bytes()
    (tmp_path / "a.edf").write_bytes(content[: len(content) // 2])
    write_table(tmp_path, "a.edf,a")
    epochs, notes = read(tmp_path)
    np.testing.assert_allclose(levels(epochs), [10, 20], atol=0.5)
    assert notes == ["a.edf: it is cut off: 14 s of signals, and its header says 31 s"]
    write(tmp_path / "a.vhdr", make_raw())
    signals = (tmp_path / "a.eeg").read_bytes()
    (tmp_path / "a.eeg").write_bytes(signals[: 18 * 128 * 12])  # it ends in the third trial
    write_table(tmp_path, "a.vhdr,a")
    epochs, notes = read(tmp_path)
    np.testing.assert_allclose(levels(epochs), [10, 20, 30], atol=0.5)
    assert [len(part.times) for part in epochs] == [4 * 128, 2 * 128]
    assert notes == [
        "a.vhdr: annotations outside its signals were passed over",
        "a.vhdr: annotations that go on beyond its signals were shortened",
    ]


def test_onsets_in_milliseconds_are_told(tmp_path):
    write(tmp_path / "a.edf", make_raw(marks=False))
    rows = [f"{1000 * onset},{1000 * length},{kind}" for onset, length, kind in TRIALS]
    (tmp_path / "t.csv").write_text("\n".join(["onset,duration,trial_type", *rows]))
    write_table(tmp_path, "a.edf,a,t.csv", columns="path,subject,events")
    with pytest.raises(DataError, match=r"t\.csv: most trials .*look like milliseconds"):
        read(tmp_path)


# --- what is refused ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    root = tmp_path_factory.mktemp("small")
    write(root / "a.edf", make_raw(marks=False))
    write(root / "b.edf", make_raw(shift=1.0, marks=False))
    (root / "t.csv").write_text("onset,duration,trial_type\n2,4,calm\n")
    (root / "text.edf").write_text("this is no recording\n" * 20)
    shutil.copy(root / "a.edf", root / "disguised.bdf")
    (root / "empty.edf").write_bytes(b"")
    (root / "folder.edf").mkdir()
    (root / "rec.ds").mkdir()
    (root / "rec.xdf").write_bytes(b"XDF:")
    (root / "gone.edf").symlink_to(root / "nowhere.edf")
    (root / "out.edf").symlink_to("/etc/hostname")
    (root / "again.edf").symlink_to(root / "a.edf")
    return root


@pytest.mark.parametrize(
    ("columns", "rows", "message"),
    [
        ("path,subject", [], r"recordings\.csv has no row"),
        ("path,subject", ["a.edf,"], r"line 2: subject is empty, as in 1 of 1 rows"),
        ("path,subject", ["c.edf,x"], r"line 2: c\.edf: no such file in .*small"),
        ("path,subject", ["A.EDF,x"], r"Did you mean a\.edf\?"),
        ("path,subject", ["a.edf,x", "text.edf,y"], r"line 3: .*expected a recording in EDF; the "
         "file holds text"),
        ("path,subject", ["disguised.bdf,x"], r"line 2: .*starts as EDF does. Rename it to \.edf"),
        ("path,subject", ["empty.edf,x"], r"line 2: .*empty\.edf is empty"),
        ("path,subject", ["folder.edf,x"], r"line 2: .*expected a file, found a folder"),
        ("path,subject", ["rec.xdf,x"], r"line 2: .*\.xdf are not read: an XDF file holds several"),
        ("path,subject", ["t.csv,x"], r"line 2: .*\.csv are not read: a table of samples"),
        ("path,subject", ["gone.edf,x"], r"line 2: .*a broken link to .*nowhere\.edf"),
        ("path,subject", ["out.edf,x"], r"line 2: .*out\.edf leads to /etc/hostname, outside"),
        ("path,subject", ["../x.edf,x"], r"line 2: .*outside the data folder"),
        ("path,subject", ["/etc/hostname,x"], r"line 2: /etc/hostname is an absolute path"),
        ("path,subject", ["C:\\data\\a.edf,x"], r"line 2: .*is an absolute path"),
        ("path,subject", ["a.edf,x", "a.edf,y"], r"lines 2 and 3: a\.edf and a\.edf are one file"),
        ("path,subject", ["a.edf,x", "again.edf,y"], r"lines 2 and 3: .* are one file"),
        ("path,subject,run", ["a.edf,x,1", "b.edf,x,1"], r"lines 2 and 3: both are subject x, "
         "session 1, run 1"),
        ("path,subject,run", ["a.edf,x,1", "b.edf,x,"], r"line 3: run is empty, and not for other"),
        ("path,subject", ["a.edf,Anna", "b.edf,anna"], r"lines 2 and 3: the subjects 'Anna' and "
         "'anna' differ only in their spelling"),
        ("path,subject", ["a.edf,01", "b.edf,1"], r"lines 2 and 3: .* differ only in their"),
        ("path,subject", ["a.edf,../x"], r"line 2: subject is '\.\./x'; expected letters"),
        ("path,subjct", ["a.edf,x"], r"column 'subjct' is not known; did you mean 'subject'\?"),
        ("file,subject", ["a.edf,x"], r"column 'file' is not known; did you mean 'path'\?"),
        ("path,subject,sessiom", ["a.edf,x,1"], r"column 'sessiom' .* did you mean 'session'"),
        ("path", ["a.edf"], r"has no column 'subject'; it has path"),
        ("path,subject", ["a.edf"], r"line 2: 1 cells; expected one for each of the 2 columns"),
        ("path,subject,label", ["a.edf,x,joy", "b.edf,y,"], r"line 3: label is empty, as in 1"),
        ("path,subject,events", ["a.edf,x,u.csv"], r"line 2: events is u\.csv: .*found nothing.*"
         "annotations, stim, none"),
        ("path,subject,events", ["a.edf,x,../t.csv"], r"line 2: .*outside the data folder"),
        ("path,subject,valence", ["a.edf,x,high"], r"line 2: valence is 'high'; expected a number"),
    ],
)  # fmt: skip
def test_tables_that_are_wrong(small, columns, rows, message):
    write_table(small, *rows, columns=columns)
    with pytest.raises(DataError, match=message) as raised:
        read(small)
    assert "recordings.csv" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_files_beside_a_recording_do_not_lead_out_of_the_folder(tmp_path):
    root = tmp_path / "data"
    write(root / "a.vhdr", make_raw())
    write(root / "b.set", make_raw())
    for name in ("a.eeg", "b.fdt"):
        (root / name).rename(tmp_path / name)
        (root / name).symlink_to(tmp_path / name)
    for name in ("a.vhdr", "b.set"):
        write_table(root, f"{name},x")
        with pytest.raises(DataError, match=r"line 2: .*outside the data folder"):
            find(root)
    (root / "a.eeg").unlink()
    header = (root / "a.vhdr").read_text().replace("DataFile=a.eeg", "DataFile=../a.eeg")
    (root / "a.vhdr").write_text(header)
    write_table(root, "a.vhdr,x")
    with pytest.raises(DataError, match=r"line 2: .*names a file elsewhere"):
        find(root)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"table": "other.csv"}, r"other\.csv: no such file; .*check .* --write` proposes one"),
        ({"subjects": ["z"]}, r"Subject 'z' is not in .* It holds 2: a, b\."),
        ({"events": "annotations"}, r"a\.edf has no annotation that could be a trial"),
        ({"events": "stim"}, r"a\.edf has no event in its stimulus channel"),
        ({"events": "stim", "stim_channel": "fz "}, r"no channel 'fz '.*Did you mean 'Fz'\?"),
        ({"events": "stim", "stim_channel": "Fz"}, r"the channel Fz holds no codes"),
        ({"events": "table"}, r"line 2: events is empty, and data\.events is table"),
        ({"trial_types": ["calm"]}, r"a\.edf has no event, neither in a table"),
        ({"trials": "fixed"}, r"data\.length is missing"),
        ({"length": 5.0}, r"data\.length is 5, and data\.trials is events"),
        ({"trials": "fixed", "length": 5.0, "tmin": -1.0}, r"data\.tmin is -1; with trials: fixed"),
        ({"trials": "fixed", "length": 50.0}, r"No trial of subject a can be cut: .*31 s left out"),
    ],
)
def test_options_that_do_not_fit_the_recordings(small, options, message):
    write_table(small, "a.edf,a", "b.edf,b")
    with pytest.raises(DataError, match=message):
        read(small, **options)


def test_trial_types_that_are_not_there_are_named(tmp_path):
    write(tmp_path / "a.edf", make_raw())
    write_table(tmp_path, "a.edf,a")
    with pytest.raises(DataError, match=r"'clam'\. Did you mean 'calm'\? Found: calm, tense"):
        read(tmp_path, trial_types=["clam"])
    _, notes = read(tmp_path, trial_types=["calm", "joy"])
    assert any("no event of the type joy" in note for note in notes)
    (tmp_path / "t.csv").write_text("onset,duration,trial_type\n2,4,calm\n")
    write_table(tmp_path, "a.edf,a,t.csv", columns="path,subject,events")
    with pytest.raises(DataError, match=r"'clam'.* Did you mean 'calm'\?"):
        find(tmp_path, trial_types=["clam"])


def test_events_without_a_duration_are_told(tmp_path):
    trials = [(onset, 0.0, kind) for onset, _, kind in TRIALS]
    raw = make_raw()
    raw.set_annotations(mne.Annotations(*zip(*trials, strict=True)))
    write(tmp_path / "a.edf", raw)
    write_table(tmp_path, "a.edf,a")
    with pytest.raises(DataError, match=r"4 of 4 events have no duration \(calm, tense\).*tmax"):
        read(tmp_path)
    epochs, _ = read(tmp_path, tmax=3.0)
    np.testing.assert_allclose(levels(epochs), [10, 20, 30, 40], atol=0.5)


# --- the table that is proposed -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["sub-01_run-1.edf", "sub-01_run-2.edf"], [("01", "1", "1"), ("01", "1", "2")]),
        (["S01.edf", "S02.edf"], [("S01", "1", "1"), ("S02", "1", "1")]),
        (["S01.edf", "P01.edf"], [("S01", "1", "1"), ("P01", "1", "1")]),
        (["S001R03.edf", "S002R04.edf"], [("S001", "1", "03"), ("S002", "1", "04")]),
        (["P3_run2.bdf", "P3_run10.bdf"], [("P3", "1", "2"), ("P3", "1", "10")]),
        (["sub-01_run-1.edf", "sub-01_run-2.edf", "pilot.edf"],
         [("01", "1", "1"), ("01", "1", "2"), ("pilot", "1", "1")]),
        (["anna_1.edf", "ben_1.edf"], [("anna", "1", "1"), ("ben", "1", "1")]),
        (["anna/1.fif", "anna/2.fif", "ben/1.fif"],
         [("anna", "1", "1"), ("anna", "1", "2"), ("ben", "1", "1")]),
        (["subject_3_session_2.set", "subject_4_session_2.set"],
         [("3", "2", "1"), ("4", "2", "1")]),
        (["x7.edf", "y8.edf"], [("x7", "1", "1"), ("y8", "1", "1")]),
    ],
)  # fmt: skip
def test_people_sessions_and_runs_are_guessed_from_names(paths, expected):
    rows = guess_names(paths).rows
    assert [(row["subject"], row["session"], row["run"]) for row in rows] == expected


def test_a_folder_of_bare_files_is_checked_and_gets_a_table(tmp_path):
    root = tmp_path / "data"
    write(root / "S01_run2.edf", make_raw())
    write(root / "S01_run10_raw.fif", make_raw(shift=1.0))
    write(root / "more" / "S02_run1.set", make_raw(shift=2.0))
    (root / "S03_run1.edf").write_text("no recording")
    run = CliRunner()
    done = run.invoke(app, ["check", str(root)])
    assert done.exit_code == 2  # for the one that cannot be read
    said = " ".join(done.output.split())
    assert "S01_run2.edf: 3 EEG channels, 128 Hz, 31 s, 4 events in its annotations" in said
    assert "calm: 6 in 3 recordings, 4 s" in said
    assert "S03_run1.edf: cannot be used" in said
    assert "trial_types: [calm, tense]" in said
    assert not (root / "recordings.csv").exists()
    (root / "S03_run1.edf").unlink()
    done = run.invoke(app, ["check", str(root), "--write"])
    assert done.exit_code == 0, done.output
    table = (root / "recordings.csv").read_text()
    assert table.splitlines() == [
        "path,subject,session,run",
        "S01_run2.edf,S01,1,2",
        "S01_run10_raw.fif,S01,1,10",
        "more/S02_run1.set,S02,1,1",
    ]
    epochs, _ = read(root)
    assert about(epochs, "run") == ["2"] * 4 + ["10"] * 4 + ["1"] * 4
    done = run.invoke(app, ["check", str(root), "--write"])
    assert isinstance(done.exception, InputError)
    assert "exists already" in str(done.exception)
    assert run.invoke(app, ["check", str(root), "--write", "--force"]).exit_code == 0
    assert (root / "recordings.csv").read_text() == table
    done = run.invoke(app, ["check", str(root)])  # now it is a data set
    assert done.exit_code == 0
    assert "recordings listed in recordings.csv" in " ".join(done.output.split())
    assert check_data(root).ok


def test_tables_and_classes_beside_recordings_are_proposed(tmp_path):
    for person in ("anna", "ben"):
        for label in ("calm", "tense"):
            write(tmp_path / f"{person}_{label}.edf", make_raw(marks=False))
    said = propose_table(tmp_path)
    assert said.table.splitlines()[:3] == [
        "path,subject,session,run,label",
        "anna_calm.edf,anna,1,1,calm",
        "anna_tense.edf,anna,1,2,tense",
    ]
    assert "trials: fixed" in said.text
    # the experiment file is whole: it can be saved and checked as it is
    proposed = parse_experiment(textwrap.dedent(said.text.partition("check` it):\n")[2]))
    assert proposed.data.root == str(tmp_path)
    assert proposed.labels.task == "given"
    (tmp_path / "anna_calm_events.csv").write_text("onset,duration,trial_type\n2,4,up\n")
    said = propose_table(tmp_path)
    assert said.table.splitlines()[1] == "anna_calm.edf,anna,1,1,calm,anna_calm_events.csv"


def test_copies_in_other_formats_and_later_parts_are_not_proposed(tmp_path):
    for name in ("S01.edf", "S01_raw.fif", "clean/S01_raw.fif", "S02_raw.fif", "S02_raw-1.fif"):
        write(tmp_path / name, make_raw())
    write(tmp_path / "derivatives" / "S03.edf", make_raw())
    said = propose_table(tmp_path)
    names = [line.split(",")[0] for line in said.table.splitlines()[1:]]
    assert names == ["S01.edf", "S02_raw.fif", "clean/S01_raw.fif"]
    assert "the same recording in another format: S01_raw.fif (as S01.edf)" in said.text
    alike = "1 recording has the name of another of the same person in another folder"
    assert f"{alike}: clean/S01_raw.fif" in said.text


def test_other_data_sets_are_recognised_first(tmp_path, formats):
    assert isinstance(find_dataset(formats), Files)
    (tmp_path / "dataset_description.json").write_text("{}")
    write(tmp_path / "a.edf", make_raw(marks=False))
    assert find_dataset(tmp_path).title == "BIDS"


def test_names_do_not_steer_a_terminal(tmp_path):
    write(tmp_path / "a\x1b[31m.edf", make_raw(marks=False))
    assert "\x1b" not in propose_table(tmp_path).text
