"""One continuous file: what it says, what it cannot mean, and messages that are all our own."""

import json
import re
import warnings

import mne
import mne_bids
import numpy as np
import pytest
import scipy.io
from edf_files import CHANNELS, write_edf
from test_bids import write_run, write_tsv

from eegemo.datasets.bids import find_recordings_bids
from eegemo.datasets.bids.channels import apply_channels, match_names, read_channels
from eegemo.datasets.breaks import break_samples, find_breaks
from eegemo.datasets.continuous import read_continuous, translate_warnings
from eegemo.datasets.signals import check_signals
from eegemo.errors import DataError

RATE = 128


def noise(seconds=20, channels=4, rate=RATE, size=20.0, seed=0):
    """Microvolts of noise."""
    return np.random.default_rng(seed).normal(0, size, (channels, seconds * rate))


# --- gaps of EDF+D and BDF+D --------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.edf", "a.EDF", "a.bdf"])
def test_gaps_between_records_are_breaks(tmp_path, name):
    starts = [0, 1, 2, 3, 4, 15.5, 16.5, 17.5, 18.5, 19.5, 40, 41]
    marks = [(2, "+2.5\x150.5\x14happy"), (6, "+16.75\x14sad"), (11, "+41.5\x14happy")]
    data = noise(12)
    file = write_edf(tmp_path / name, data, [RATE] * 4, starts=starts, marks=marks)
    raw, notes = read_continuous(file)
    assert [(found.start, found.name) for found in find_breaks(raw)] == [
        (5.0, "EDGE gap of 10.5 s"),
        (10.0, "EDGE gap of 19.5 s"),
    ]
    assert notes == ["2 gaps in the recording, 30 s in all; times count them"]
    np.testing.assert_allclose(raw.get_data() * 1e6, data, atol=0.06)
    told = {
        (float(mark["onset"]), float(mark["duration"]), mark["description"])
        for mark in raw.annotations
        if not mark["description"].startswith("EDGE")
    }
    assert told == {(2.5, 0.5, "happy"), (6.25, 0.0, "sad"), (11.5, 0.0, "happy")}


def test_records_without_a_gap_are_no_break(tmp_path):
    file = write_edf(tmp_path / "a.edf", noise(5), [RATE] * 4, starts=[7, 8, 9, 10, 11])
    raw, notes = read_continuous(file)
    assert not find_breaks(raw)
    assert not notes


def test_record_times_that_cannot_be(tmp_path):
    file = write_edf(tmp_path / "a.edf", noise(3), [RATE] * 4, starts=[0, 5, 3])
    with pytest.raises(DataError, match=r"record 3 begins at 3 s, before the end .*\(6 s\)"):
        read_continuous(file)
    content = file.read_bytes()
    file.write_bytes(content.replace(b"+5\x14\x14", b"xx\x14\x14"))
    with pytest.raises(DataError, match="record 2 of 3 has no time"):
        read_continuous(file)
    file.write_bytes(content.replace(b"EDF Annotations", b"EDF Annotationz"))
    with pytest.raises(DataError, match="no signal of annotations"):
        read_continuous(file)


# --- rates --------------------------------------------------------------------------------------


def test_a_faster_channel_does_not_change_the_eeg(tmp_path):
    data = noise()
    times = np.arange(20 * 512) / 512
    fast = 100 * np.sin(2 * np.pi * 5 * times)
    plain = write_edf(tmp_path / "a.edf", data, [RATE] * 4)
    mixed = write_edf(
        tmp_path / "b.edf", [fast, *data], [512, *[RATE] * 4], names=("ECG", *CHANNELS)
    )
    expected, _ = read_continuous(plain)
    for eeg_only, names in ((True, CHANNELS), (False, (*CHANNELS, "ECG"))):
        raw, notes = read_continuous(
            mixed, eeg_only=eeg_only, types=dict.fromkeys(CHANNELS, "eeg") | {"ECG": "ecg"}
        )
        assert raw.info["sfreq"] == RATE
        assert raw.ch_names == list(names)
        assert raw.get_data(list(CHANNELS)).tobytes() == expected.get_data().tobytes()
        told = ["1 channel recorded faster than the EEG, brought to 128 Hz: ECG"]
        assert notes == ([] if eeg_only else told)
    found = raw.get_data(["ECG"])[0]
    assert raw.get_channel_types(["ECG"]) == ["ecg"]
    np.testing.assert_allclose(found[50:-50], fast[::4][50:-50] * 1e-6, atol=3e-7)


def test_a_faster_channel_is_brought_over_gaps_and_guessed_by_its_name(tmp_path):
    fast = np.repeat([100.0, -100.0], 3 * 512)
    file = write_edf(
        tmp_path / "a.edf", [*noise(6), fast], [*[RATE] * 4, 512], (*CHANNELS, "VEOG"),
        starts=[0, 1, 2, 30, 31, 32],
    )  # fmt: skip
    raw, notes = read_continuous(file)
    assert raw.get_channel_types() == [*["eeg"] * 4, "eog"]
    assert "not taken for EEG, by their names: VEOG" in notes
    eog = raw.get_data(["VEOG"])[0] * 1e6
    np.testing.assert_allclose(eog, np.repeat([100.0, -100.0], 3 * RATE), atol=0.1)  # no ringing


def test_a_slower_channel_stays_with_the_eeg(tmp_path):
    file = write_edf(
        tmp_path / "a.edf",
        [*noise(), np.full(20 * 16, 30.0)],
        [*[RATE] * 4, 16],
        (*CHANNELS, "GSR"),
    )
    raw, _ = read_continuous(file, types={"GSR": "gsr"})
    assert raw.info["sfreq"] == RATE
    np.testing.assert_allclose(raw.get_data(["GSR"]) * 1e6, 30.0, atol=0.1)


# --- units and plausible signals ----------------------------------------------------------------


@pytest.mark.parametrize("unit", ["uV", "UV", "µV", "Âµv", "microV", "uVolts"])
def test_microvolts_are_known_by_any_spelling(tmp_path, unit):
    file = write_edf(tmp_path / "a.edf", noise(), [RATE] * 4, units=unit)
    raw, notes = read_continuous(file)
    assert not notes
    assert raw.get_data().std() == pytest.approx(20e-6, rel=0.01)


def test_a_file_without_a_unit_takes_that_of_the_table(tmp_path):
    file = write_edf(tmp_path / "a.edf", noise(), [RATE] * 4, units=["", "", "uV", ""])
    stated = dict.fromkeys(CHANNELS, "mV") | {"Fp1": "µV"}
    raw, notes = read_continuous(file, units=stated)
    found = raw.get_data().std(axis=1)
    np.testing.assert_allclose(found, [20e-6, 20e-3, 20e-6, 20e-3], rtol=0.03)
    assert notes[0] == "states no unit of 3 channels; mV, uV is taken, as listed"


@pytest.mark.parametrize(
    ("factor", "says"),
    [
        (1, None),
        (0.1, None),
        (20, None),
        (1e6, "1e6 times too large: as if microvolts were read as volts"),
        (1e3, "1e3 times too large: as if microvolts were read as millivolts"),
        (1e-3, "1e3 times too small: as if millivolts were read as microvolts"),
        (1e-6, "1e6 times too small: as if volts were read as microvolts"),
    ],
)
def test_amplitudes_that_a_unit_explains(tmp_path, factor, says):
    """An offset of a thousand times the EEG and a drift of 5 mV in a second do not count."""
    data = noise() * 1e-6 * factor
    data += 0.02 * factor + np.linspace(0, 0.1 * factor, data.shape[1])
    info = mne.create_info(list(CHANNELS), RATE, "eeg")
    notes = check_signals(mne.io.RawArray(data, info, verbose="ERROR"), tmp_path)
    assert len(notes) == (says is not None)
    assert says is None or says in notes[0]


def test_clipped_channels_are_named(tmp_path):
    rng = np.random.default_rng(5)
    data = rng.normal(0, 20e-6, (5, 5000))
    data[1] = np.clip(data[1], -30e-6, None)
    data[2] = np.clip(data[2], None, 50e-6)
    data[3] = np.clip(np.round(data[3] / 4e-5), -1, 1) * 4e-5  # coarse, but not clipped
    data[4] = 5e-6
    info = mne.create_info(["whole", "low", "high", "coarse", "flat"], RATE, "eeg")
    notes = check_signals(mne.io.RawArray(data, info, verbose="ERROR"), tmp_path)
    assert notes == ["clipped, many samples are at the largest or smallest value: low, high"]


# --- messages -----------------------------------------------------------------------------------


def test_files_that_cannot_be_read_are_told_in_our_words(tmp_path):
    whole = write_edf(tmp_path / "whole.edf", noise(), [RATE] * 4).read_bytes()
    eeg = {"data": "gone.fdt", "nbchan": 1, "srate": 1.0, "trials": 1, "pnts": 10, "event": []}
    eeg |= {"setname": "x", "xmin": 0.0, "xmax": 9.0, "chanlocs": []}
    scipy.io.savemat(tmp_path / "b.set", {"EEG": eeg}, appendmat=False)
    cases = {
        "a.edf": (b"nothing", "expected a header of EDF"),
        "cut.edf": (whole[:600], "cut off inside its header"),
        "none.edf": (whole[:1400], "no whole record"),
        "c.fif": (b"", "it is empty"),
        "d.fif": (b"abc" * 100, "it is damaged, or of another format"),
        "e.vhdr": (b"nonsense", "it is damaged, or of another format"),
        "f.xyz": (b"1", r"its extension \.xyz is of no format"),
        "b.set": (None, "its signals are in a file that is missing"),
    }
    for name, (content, says) in cases.items():
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=f"{name} cannot be read.*{says}"):
            read_continuous(tmp_path / name)
    info = mne.create_info(["A"], RATE, "eeg")
    epochs = mne.EpochsArray(np.zeros((2, 1, 9)), info, verbose="ERROR")
    epochs.save(tmp_path / "g-epo.fif", verbose="ERROR")
    with pytest.raises(DataError, match="it holds no continuous signals, perhaps epochs"):
        read_continuous(tmp_path / "g-epo.fif")
    with pytest.raises(DataError, match="expected a file, found nothing"):
        read_continuous(tmp_path / "absent.edf")


def test_a_recording_that_was_cut_off_is_told(tmp_path):
    file = write_edf(tmp_path / "a.edf", noise(), [RATE] * 4, stated=100)
    raw, notes = read_continuous(file)
    assert len(raw.times) == 20 * RATE
    assert notes == ["it is cut off: 20 s of signals, and its header says 100 s"]


def test_unknown_warnings_become_one_sentence_that_counts_them():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for number in range(3):
            warnings.warn(f"call mne.io.read_raw(foo={number})", RuntimeWarning, stacklevel=1)
        warnings.warn("The data contains 'boundary' events", RuntimeWarning, stacklevel=1)
        warnings.warn(
            "No coordinate information found for channels A", RuntimeWarning, stacklevel=1
        )
    assert translate_warnings(caught) == [
        "channels without a position are not taken for EEG",
        "MNE warned while reading it, of something that eegemo does not know "
        "(3 RuntimeWarning of test_continuous)",
    ]


def test_annotations_of_every_clock_stay_where_they_were(tmp_path):
    """A FIF that was cropped and joined keeps the time of day of its first sample."""
    info = mne.create_info(list(CHANNELS), RATE, "eeg")
    raw = mne.io.RawArray(noise() * 1e-6, info, first_samp=333, verbose="ERROR")
    raw.set_meas_date(1e9)
    second = raw.copy()
    raw.append(second)
    raw.save(tmp_path / "a_raw.fif", verbose="ERROR")
    again, notes = read_continuous(tmp_path / "a_raw.fif")
    (found,) = find_breaks(again)
    assert break_samples(found.start, found.end, RATE) == (20 * RATE, 20 * RATE)
    assert not notes


# --- sidecars of BIDS ---------------------------------------------------------------------------


def test_channels_are_matched_by_name(tmp_path):
    stem = write_run(tmp_path)
    table = stem.with_name(f"{stem.name}_channels.tsv")
    rows = [
        ("Pz", "EEG", "bad"),
        ("eog", "VEOG", "good"),
        ("Fz", "EEG", "good"),
        ("Cz ", "EEG", "n/a"),
    ]
    write_tsv(table, ("name", "type", "status"), rows)
    (run,) = find_recordings_bids(tmp_path)[0].read()
    assert run.inst.ch_names == ["Fz", "Cz", "Pz", "eog"]
    assert run.inst.get_channel_types() == ["eeg", "eeg", "eeg", "eog"]
    assert run.inst.info["bads"] == ["Pz"]
    assert any("named as in channels.tsv: EOG as eog" in note for note in run.notes)
    write_tsv(
        table, ("name", "type"), [("Fz", "EEG"), ("C3", "EEG"), ("Pz", "EEG"), ("EOG", "EOG")]
    )
    with pytest.raises(
        DataError, match=r"channels\.tsv and .*\.vhdr do not name the same"
    ) as caught:
        list(find_recordings_bids(tmp_path)[0].read())
    assert "Only the table has C3; only the file has Cz" in str(caught.value)
    write_tsv(table, ("name", "type"), [("Fz", "EEG"), ("Fz", "EEG")])
    with pytest.raises(DataError, match="names Fz more than once"):
        list(find_recordings_bids(tmp_path)[0].read())


def test_a_table_of_some_channels_is_used_for_these(tmp_path):
    write_tsv(
        tmp_path / "channels.tsv",
        ("name", "type", "units"),
        [("A", "EEG", "uV"), ("B", "EOG", "uV")],
    )
    table = read_channels(tmp_path / "channels.tsv")
    found = match_names(table, ["Status", "B", "A"], tmp_path / "x.bdf")
    assert found == {"B": "B", "A": "A"}
    raw = mne.io.RawArray(np.zeros((1, 10)), mne.create_info(["A"], 1.0, "eeg"), verbose="ERROR")
    assert apply_channels(raw, table, match_names(table, ["A"], tmp_path / "x.bdf")) == [
        "channels.tsv lists channels that the file does not have: B"
    ]


ODD_EVENTS = {
    "a column of the name description": (("onset", "duration", "trial_type", "description"), "x"),
    "a column of the name orig_time": (("onset", "duration", "trial_type", "orig_time"), "n/a"),
    "a column of the name value": (("onset", "duration", "trial_type", "value"), "1.5e3, 2"),
}


@pytest.mark.parametrize("case", ODD_EVENTS)
def test_no_column_of_the_events_breaks_reading(tmp_path, case):
    columns, cell = ODD_EVENTS[case]
    events = [(1, 2, "happy", cell), (4, 2, "sad", cell), (900, 2, "late", cell)]
    write_run(tmp_path, events=events, columns=columns)
    (recording,) = find_recordings_bids(tmp_path, trial_types=["happy", "sad"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (run,) = recording.read()
    assert len(run.make_epochs(run.inst)) == 2


@pytest.mark.parametrize(
    ("system", "unit", "scale"),
    [("CapTrak", "m", 1.0), ("EEGLAB", "mm", 1e3), ("CTF", "cm", 1e2), ("MNI305", "m", 1.0)],
)
def test_positions_bads_and_line_frequency_are_those_of_mne_bids(tmp_path, system, unit, scale):
    stem = write_run(tmp_path, bad=["Pz"])
    folder = stem.parent
    places = {"Fz": (0.003, 0.07, 0.05), "Cz": (0.0, -0.01, 0.1), "Pz": (-0.002, -0.08, 0.06)}
    rows = [(name, *(round(x * scale, 6) for x in place)) for name, place in places.items()]
    rows.append(("EOG", "n/a", "n/a", "n/a"))
    write_tsv(folder / "sub-01_electrodes.tsv", ("name", "x", "y", "z"), rows)
    about = {"EEGCoordinateSystem": system, "EEGCoordinateUnits": unit}
    (folder / "sub-01_coordsystem.json").write_text(json.dumps(about))
    (tmp_path / "participants.tsv").write_text("participant_id\nsub-01\n")
    (run,) = find_recordings_bids(tmp_path)[0].read()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = mne_bids.BIDSPath(
            subject="01",
            task="music",
            datatype="eeg",
            suffix="eeg",
            extension=".vhdr",
            root=tmp_path,
        )
        expected = mne_bids.read_raw_bids(path, verbose="ERROR")
    found = [channel["loc"][:3] for channel in run.inst.info["chs"]]
    np.testing.assert_allclose(found, [c["loc"][:3] for c in expected.info["chs"]], atol=1e-9)
    assert run.inst.info["bads"] == expected.info["bads"]
    assert run.inst.info["line_freq"] == expected.info["line_freq"]
    assert run.inst.get_channel_types() == expected.get_channel_types()
    assert run.inst.get_data().tobytes() == expected.get_data().tobytes()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "has no coordsystem.json"),
        ({"EEGCoordinateSystem": "CapTrak", "EEGCoordinateUnits": "inch"}, "unit as 'inch'"),
        ({"EEGCoordinateSystem": "Other", "EEGCoordinateUnits": "m"}, r"\(Other\) are not known"),
    ],
)
def test_positions_that_cannot_be_used_are_told(tmp_path, content, says):
    stem = write_run(tmp_path)
    rows = [("Fz", 0.0, 0.07, 0.05), ("Cz", 0.0, 0.0, 0.1), ("Pz", 0.0, -0.07, 0.05)]
    write_tsv(stem.parent / "sub-01_electrodes.tsv", ("name", "x", "y", "z"), rows)
    if content is not None:
        (stem.parent / "sub-01_coordsystem.json").write_text(json.dumps(content))
    (run,) = find_recordings_bids(tmp_path)[0].read()
    assert any(re.search(says, note) for note in run.notes)
