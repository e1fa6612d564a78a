"""Mistakes and losses that were once said badly, or not at all."""

import gzip

import mne
import numpy as np
import pytest
from folders import CHANNELS, make_events, make_noise, make_sections, write_recording

from eegemo.config import Experiment
from eegemo.datasets.bids import Bids
from eegemo.datasets.continuous import read_continuous
from eegemo.errors import DataError, InputError
from eegemo.execution import RunContext
from eegemo.runs.check import check_experiment
from eegemo.runs.prepare import prepare_experiment


def told(root, **changes):
    """Return what a run would say, and that check says the same."""
    experiment = Experiment.model_validate(make_sections(root, **changes))
    context = RunContext.of(results=root.parent / "results", jobs=0)
    checked = check_experiment(experiment, results=root.parent / "checked", jobs=0)
    try:
        plan = prepare_experiment(experiment, context)
    except InputError as error:
        assert checked.exit_code == 2
        return [str(error)], checked
    assert checked.exit_code == 0, checked.problems
    assert set(checked.notes) == set(plan.notes)
    return list(plan.notes), checked


def test_trials_shorter_than_a_window_are_counted(tmp_path):
    events = [
        (onset, 0.9 if number in (0, 4, 8, 9) else length, kind)
        for number, (onset, length, kind) in enumerate(make_events())
    ]
    write_recording(tmp_path / "bids", events=events)
    notes, checked = told(tmp_path / "bids")
    assert dict(checked.facts)["windows"].startswith("32 of 1 s")  # 8 trials of 4 s
    assert (
        "4 trials left out, shorter than a window of 1 s: subject 01, session 1, trial 1; subject "
        "01, session 1, trial 5; subject 01, session 1, trial 9; and 1 more."
    ) in notes


def test_trials_of_unknown_stimulus_are_named_where_stimuli_are_held_out(tmp_path):
    stimuli = ["a", "a", "n/a", "b", "b", "c", "c", "d", "", "d", "e", "e"]
    rows = [(*row, stimulus) for row, stimulus in zip(make_events(), stimuli, strict=True)]
    columns = ("onset", "duration", "trial_type", "stim_file")
    write_recording(tmp_path / "bids", events=rows, columns=columns)
    (said,), _ = told(tmp_path / "bids", split={"group": "stimulus"})
    assert "2 of 12 trials do not say it: subject 01, session 1, trial 3; subject 01" in said
    assert "no stim_file" not in said


def test_flat_channels_are_told_together(tmp_path):
    data = make_noise()
    data[[1, 3, 4, 6, 7]] = 0
    write_recording(tmp_path / "bids", data=data)
    notes, _ = told(tmp_path / "bids")
    (note,) = [note for note in notes if "flat" in note]
    assert "channels Fp2, C4, O1 and 2 more are flat and were kept" in note


def test_an_unknown_montage_is_a_mistake_of_the_experiment(tmp_path):
    for subject in ("01", "02"):
        write_recording(tmp_path / "bids", subject)
    (said,), checked = told(tmp_path / "bids", preprocessing={"montage": "standard_1021"})
    assert said.startswith("preprocessing: montage='standard_1021' is not a montage of MNE. Did")
    assert checked.problems == [said]  # no file is called broken
    assert not checked.files


def test_what_the_rest_lacks_is_said_of_the_rest(tmp_path):
    """The only recording of a class is broken: the files are wrong, and not the split."""
    write_recording(tmp_path / "bids", "01", events=make_events(classes=("happy",)))
    folder, stem = write_recording(tmp_path / "bids", "02", events=make_events(classes=("sad",)))
    (folder / f"{stem}_eeg.eeg").unlink()
    _, checked = told(tmp_path / "bids")
    assert "cannot be used" in checked.problems[0]
    assert checked.problems[1].startswith("without 02: ")


@pytest.mark.parametrize("names", [("01", "1"), ("s2", "S02")])
def test_people_of_nearly_the_same_name_are_told(tmp_path, names):
    for seed, name in enumerate(names):
        write_recording(tmp_path / "bids", name, data=make_noise(seed=seed))
    notes, _ = told(tmp_path / "bids")
    labels = " and ".join(f"sub-{name}" for name in sorted(names))
    assert f"Subjects of nearly the same label, taken for different people: {labels}." in notes
    other = Bids(root=str(tmp_path / "bids"), subjects=[names[0]])
    assert not any("nearly the same" in note for note in other.notes(other.find(), {}))


def test_a_few_short_events_need_no_room_for_the_whole_recording(tmp_path):
    """The lower bound of the size of stored trials is one, for any choice of events."""
    events = [(1.0, 1.0, "happy"), (61.0, 1.0, "sad")]
    write_recording(tmp_path / "bids", events=events)
    (recording,) = Bids(root=str(tmp_path / "bids")).find()
    true = 2 * 128 * len(CHANNELS) * 4
    assert recording.least_bytes({}) <= true
    pieces = Bids(root=str(tmp_path / "bids"), trials="fixed", length=5.0)
    assert 0 < pieces.find()[0].least_bytes({}) <= 14 * 5 * 128 * len(CHANNELS) * 4


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """A recording in two files, as MNE writes one of more than 2 GB."""
    data = np.random.default_rng(0).normal(0, 1e-5, (64, 128 * 90))
    raw = mne.io.RawArray(data, mne.create_info(64, 128.0, "eeg"), verbose="ERROR")
    first = tmp_path_factory.mktemp("fif") / "a_raw.fif"
    raw.save(first, split_size="2MB", verbose="ERROR", buffer_size_sec=1.0)
    return first.read_bytes(), first.with_name("a_raw-1.fif").name


def test_a_missing_part_is_named(tmp_path, parts):
    (tmp_path / "a_raw.fif").write_bytes(parts[0])
    with pytest.raises(DataError, match=rf"it is continued in {parts[1]}, which is missing"):
        read_continuous(tmp_path / "a_raw.fif")


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_fif_whose_tags_go_round_is_refused(tmp_path, parts, suffix):
    """MNE would follow them for ever, and remember each."""
    content = bytearray(parts[0])
    second = 16 + int.from_bytes(content[8:12], "big")  # the first tag is at 0
    third = second + 16 + int.from_bytes(content[second + 8 : second + 12], "big")
    content[third + 12 : third + 16] = second.to_bytes(4, "big")
    path = tmp_path / f"a_raw.fif{suffix}"
    path.write_bytes(gzip.compress(content) if suffix else content)
    with pytest.raises(DataError, match=rf"follow each other in a circle \(at byte {second}\)"):
        read_continuous(path)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_parts_that_continue_each_other_are_refused(tmp_path, parts, suffix):
    """The first part, copied under the name of the second, says that it goes on in itself."""
    for name in ("a_raw.fif", parts[1]):
        (tmp_path / name).write_bytes(parts[0])
    if suffix:  # the name of the next part is in the file, without this suffix
        (tmp_path / "a_raw.fif.gz").write_bytes(gzip.compress(parts[0]))
    with pytest.raises(DataError, match=rf"{parts[1]} is continued in {parts[1]}, which is before"):
        read_continuous(tmp_path / f"a_raw.fif{suffix}")


def test_a_fif_with_a_channel_of_no_kind_is_damaged(tmp_path):
    path = tmp_path / "a_raw.fif"
    info = mne.create_info(2, 128.0, "eeg")
    mne.io.RawArray(np.ones((2, 1280)), info, verbose="ERROR").save(path, verbose="ERROR")
    content, what = bytearray(path.read_bytes()), (203, 30, 96)  # tag, type, size
    start = content.index(b"".join(number.to_bytes(4, "big") for number in what))
    content[start + 36 : start + 40] = (19457).to_bytes(4, "big")
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"it is damaged, .* \(KeyError in MNE's reader\)"):
        read_continuous(path)


def test_a_fif_that_is_cut_off_is_called_so(tmp_path, capfd):
    path = tmp_path / "a_raw.fif"
    raw = mne.io.RawArray(
        np.ones((2, 1280)) * 1e-5, mne.create_info(2, 128.0, "eeg"), verbose="ERROR"
    )
    raw.save(path, verbose="ERROR")
    whole = path.read_bytes()
    capfd.readouterr()
    for kept in (30, 500, len(whole) // 2, len(whole) - 100):
        path.write_bytes(whole[:kept])
        with pytest.raises(DataError, match="it is cut off: its last part is missing"):
            read_continuous(path)
    path.write_bytes(whole[:-4])  # of the tag that ends the file
    again, notes = read_continuous(path)
    assert len(again.times) == 1280
    assert notes == ["the last bytes of the file are missing; no signals are"]
    assert capfd.readouterr() == ("", "")
