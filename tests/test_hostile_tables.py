"""Tables, sidecars and signals of BIDS that cannot be, or that would fill memory."""

import json
import os

import numpy as np
import pytest
from mutations import memory_below
from test_bids import EVENTS, write_run, write_tsv

from eegemo.config import parse_experiment
from eegemo.datasets.bids import find_recordings_bids
from eegemo.errors import DataError, InputError


def read_all(root, **options):
    return [run.inst for one in find_recordings_bids(root, **options) for run in one.read()]


TABLES = {
    "an infinite onset": (("inf", 2, "happy"), "line 2: onset is 'inf'"),
    "a huge onset": (("1e300", 2, "happy"), "line 2: onset is '1e300'"),
    "more than a number can be": (("1e999", 2, "happy"), "line 2: onset is '1e999'"),
    "an onset with an underscore": (("1_0", 2, "happy"), "onset is '1_0'"),
    "an onset in other digits": (("١", 2, "happy"), "onset is"),
    "a hexadecimal onset": (("0x1", 2, "happy"), "onset is '0x1'"),
    "a number of a million digits": (
        ("9" * 1_000_000, 2, "happy"),
        "line 2: a cell of 1000000 characters; expected at most",
    ),
    "a negative duration": ((1, -2, "happy"), "line 2: the duration -2 is negative"),
    "a bad stretch without an onset": (("n/a", 1, "BAD_move"), "marked as bad has no onset"),
    "a bad stretch that goes backwards": ((1, -1, "BAD_move"), "the duration -1 is negative"),
    "a cell too many": ((1, 2, "happy", "x"), "line 2: 4 cells; expected one for each of the 3"),
    "a cell too few": ((1, 2), "line 2: 2 cells; expected one"),
    "a NUL": ((1, 2, "hap\0py"), "line 2: a NUL byte"),
}


@pytest.mark.parametrize("case", TABLES)
def test_events_that_cannot_be(tmp_path, case):
    row, says = TABLES[case]
    stem = write_run(tmp_path)
    columns = ("onset", "duration", "trial_type")
    write_tsv(stem.with_name(f"{stem.name}_events.tsv"), columns, [row, EVENTS[1]])
    with pytest.raises(DataError, match=says) as caught:
        read_all(tmp_path, tmax=2.0)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_events_in_another_encoding(tmp_path, encoding):
    stem = write_run(tmp_path)
    file = stem.with_name(f"{stem.name}_events.tsv")
    file.write_bytes(file.read_text().encode(encoding))
    with pytest.raises(DataError, match=r"events\.tsv"):
        find_recordings_bids(tmp_path)


def test_events_in_latin_1(tmp_path):
    stem = write_run(tmp_path, events=[(1.0, 2.0, "glücklich")])
    file = stem.with_name(f"{stem.name}_events.tsv")
    file.write_bytes(file.read_text(encoding="utf-8").encode("latin-1"))
    with pytest.raises(DataError, match=r"cannot be read as a table: .*utf-8"):
        find_recordings_bids(tmp_path)


def test_columns_of_the_same_name(tmp_path):
    columns = ("onset", "duration", "trial_type", "Onset")
    write_run(tmp_path, columns=columns, events=[(1.0, 2.0, "happy", 5.0)])
    with pytest.raises(DataError, match="several columns of the name onset"):
        find_recordings_bids(tmp_path)


@pytest.mark.parametrize("name", ["events.tsv", "channels.tsv", "participants.tsv"])
def test_tables_that_would_fill_memory(tmp_path, name):
    """NumPy makes every cell as wide as the widest: 600 rows of a megabyte would be 10 GB."""
    stem = write_run(tmp_path)
    file = tmp_path / name if name.startswith("p") else stem.with_name(f"{stem.name}_{name}")
    first = {"e": "onset\tduration\ttrial_type", "c": "name\ttype\tunits\tstatus"}
    lines = [first.get(name[0], "participant_id\tage\tsex\thand")]
    lines += ["1\t2\t3\t4"[: 2 * lines[0].count("\t") + 1]] * 600
    file.write_text("\n".join([*lines, lines[1][:-1] + "x" * 1_000_000]) + "\n")
    with memory_below(50e6), pytest.raises(DataError, match="a cell of 1000000 bytes"):
        read_all(tmp_path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('{"SamplingFrequency": 500}', "says a SamplingFrequency of 500 Hz; .* have 250 Hz"),
        ('{"SamplingFrequency": NaN}', "SamplingFrequency of nan"),
        ('{"SamplingFrequency": 1e999}', "SamplingFrequency of inf"),
        ("[" * 100_000, "eeg"),
        ("[1]", "eeg"),
        ("", "eeg"),
        ('{"a": "\ud800"}'.encode("utf-8", "surrogatepass").decode("latin-1"), None),
    ],
)
def test_sidecars_that_cannot_be(tmp_path, content, says):
    stem = write_run(tmp_path)
    stem.with_name(f"{stem.name}_eeg.json").write_text(content, encoding="utf-8")
    if says is None:
        assert len(read_all(tmp_path)) == 1
        return
    with pytest.raises(DataError, match=says):
        read_all(tmp_path)


def test_signals_that_are_no_eeg_are_noted(tmp_path):
    data = np.full((4, 2500), 1e30)
    write_run(tmp_path, data=data)
    (recording,) = find_recordings_bids(tmp_path)
    (run,) = recording.read()
    assert any(
        "3 EEG channels are constant at more than 1 V: Fz, Cz, Pz" in note for note in run.notes
    )


def test_signals_that_are_not_whole_are_noted(tmp_path):
    stem = write_run(tmp_path)
    sidecar = stem.with_name(f"{stem.name}_eeg.json")
    sidecar.write_text(json.dumps(json.loads(sidecar.read_text()) | {"RecordingDuration": 20.0}))
    (run,) = next(iter(find_recordings_bids(tmp_path))).read()
    assert any("lasts 10 s, by" in note and "20 s; is it complete?" in note for note in run.notes)


@pytest.mark.parametrize("claim", ["2000000000", "2_000_000_000", "9" * 50, "1001"])
def test_headers_that_claim_channels(tmp_path, claim):
    stem = write_run(tmp_path)
    header = stem.with_name(f"{stem.name}_eeg.vhdr")
    text = header.read_text(encoding="utf-8")
    assert "NumberOfChannels=4" in text
    header.write_text(text.replace("NumberOfChannels=4", f"NumberOfChannels={claim}"), "utf-8")
    with memory_below(20e6), pytest.raises(DataError, match=r"claims .* channels and lists 4"):
        read_all(tmp_path)


@pytest.mark.parametrize(
    "name",
    ["sub-1-2_task-music", "sub-_task-music", "sub-01_task-music_foo-bar", "sub-01_task-a_b"],
)
def test_recordings_that_are_not_named_as_they_should_be(tmp_path, name):
    """They would be passed over, and a run would be missing unnoticed."""
    stem = write_run(tmp_path)
    header = stem.with_name(f"{stem.name}_eeg.vhdr")
    header.with_name(f"{name}_eeg.vhdr").write_bytes(header.read_bytes())
    with pytest.raises(DataError, match=r"not named as BIDS names"):
        find_recordings_bids(tmp_path)


def test_pipes_are_not_waited_for(tmp_path):
    write_run(tmp_path)
    os.mkfifo(tmp_path / "participants.tsv")
    with pytest.raises(DataError, match=r"participants\.tsv: expected a file, found a named pipe"):
        read_all(tmp_path)


def test_signals_that_are_not_there(tmp_path):
    stem = write_run(tmp_path)
    stem.with_name(f"{stem.name}_eeg.eeg").write_bytes(b"")
    with pytest.raises(DataError, match=r"\.vhdr cannot be read"):
        read_all(tmp_path)


def test_messages_do_not_command_terminals(tmp_path):
    """Escape sequences in files are shown, not sent."""
    stem = write_run(tmp_path)
    write_tsv(
        stem.with_name(f"{stem.name}_events.tsv"),
        ("\x1b]0;owned\x07", "\x9b31mred", "‮"),
        [(1, 2, 3)],
    )
    with pytest.raises(DataError, match=r"no column 'onset'; it has \\x1b\]0;owned\\x07"):
        find_recordings_bids(tmp_path)
    with pytest.raises(InputError) as caught:
        parse_experiment('name: a\ndata: {source: "\x1b[31m".}'.replace("\x1b", "\\x1b"))
    assert "\x1b" not in str(caught.value)
    assert json.dumps(str(caught.value)).isascii()
