"""Videos and ratings that do not go together: refused or told, and labels never shifted."""

import numpy as np
import pandas as pd
import pytest

from eegemo.datasets.deap import find_recordings_deap, find_trials_deap, read_raw_deap
from eegemo.datasets.deap.channels import TWENTE_EEG_CHANNELS
from eegemo.errors import DataError
from eegemo.formats.bdf_writing import BdfChannel, write_bdf
from raw_files import (
    RAW,
    make_place,
    make_small,
    make_subject,
    put,
    samples,
    write_table,
)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return make_small(tmp_path_factory.mktemp("small"))


@pytest.fixture
def place(tmp_path, small):
    return make_place(tmp_path, small[0])


# --- what is wrong with the trials ----------------------------------------------------------------


def status_bytes(content):
    """View of the low byte of every sample of the status channel."""
    return samples(content, -1)[..., 0]


def without_video(content):
    codes = status_bytes(content)
    record, sample = np.argwhere(codes == 4)[0]
    codes[record, sample : sample + 26] = 3


def with_another_video(content):
    codes = status_bytes(content)
    record, sample = np.argwhere(codes == 1)[0]
    codes[record, sample : sample + 26] = 4


@pytest.mark.parametrize(("change", "n_videos"), [(without_video, 2), (with_another_video, 4)])
def test_too_few_or_too_many_videos_are_refused(place, small, change, n_videos):
    """Which of them is missing or too much cannot be known; labels would shift."""
    raw = read_raw_deap(place(change=change))
    with pytest.raises(DataError, match=rf"{n_videos} videos start .* has 3 trials of participant"):
        find_trials_deap(raw, small[1])
    with pytest.raises(DataError, match=f"{n_videos} videos start"):
        read_raw_deap(raw.filenames[0], ratings=small[1])


def write_full_session(path, n_videos, ends=None):
    """Videos of 60 s every 70 s, as in DEAP, at 64 Hz to be small; `ends` are those that differ."""
    skin = BdfChannel("GSR1", "Ohm", -262144, 262143)
    others = [*TWENTE_EEG_CHANNELS, *(f"EXG{k}" for k in range(1, 9)), "Resp", "Plet", "Temp"]
    channels = [
        *(BdfChannel(name, "uV", -262144, 262143) for name in others),
        skin,
        BdfChannel("Status", "Boolean", -8388608, 8388607),
    ]
    digital = np.random.default_rng(0).integers(-99, 99, (len(channels), 64 * 70 * 42), np.int32)
    digital[-1] = 0
    for k in range(n_videos):
        end = 60 if ends is None else ends.get(k, 60)
        digital[-1, 64 * (70 * k + 5) : 64 * (70 * k + 5 + end)] = 4
        digital[-1, 64 * (70 * k + 5 + end) : 64 * (70 * k + 66)] = 5
    write_bdf(path, channels, digital, sfreq=64)
    return read_raw_deap(path)


@pytest.mark.parametrize("n_videos", [39, 41])
def test_one_video_more_or_less_than_forty(tmp_path, n_videos):
    raw = write_full_session(tmp_path / "s07.bdf", n_videos)
    table = write_table(tmp_path / "participant_ratings.csv", 40, 60.0)
    with pytest.raises(DataError, match=f"{n_videos} videos start.* has 40 trials of participant"):
        find_trials_deap(raw, table)


def test_a_video_that_ended_early_is_told(tmp_path):
    """One code out of place must not shorten every trial."""
    raw = write_full_session(tmp_path / "s07.bdf", 40, ends={4: 31})
    table = write_table(tmp_path / "participant_ratings.csv", 40, 60.0)
    pd.read_csv(table).drop(columns="Start_time").to_csv(table, index=False)  # other times
    make_epochs, notes = find_trials_deap(raw, table)
    assert make_epochs.duration == 60.0
    assert notes == ("s07.bdf: the codes end presentation 5 after 31.0 of 60 s",)
    assert make_epochs(raw).get_data(picks=["Cz"]).shape == (40, 1, 63 * 64)


def test_times_that_differ_from_the_table_are_told(place, small, tmp_path):
    """One video missing and another code too much would leave their number as it is."""
    raw = read_raw_deap(place())
    table = pd.read_csv(small[1])
    own = (table["Participant_id"] == 32) & (table["Trial"] == 2)
    table.loc[own, "Start_time"] += 7_000_000
    path = tmp_path / "participant_ratings.csv"
    table.to_csv(path, index=False)
    _, notes = find_trials_deap(raw, path)
    assert len(notes) == 1
    assert "1 videos start at other times than Start_time" in notes[0]
    assert "presentation 2 by -7 s" in notes[0]
    # a record that is said to last twice as long
    slow = read_raw_deap(place(change=put(slice(244, 252), "2")))
    _, notes = find_trials_deap(slow, small[1])
    assert len(notes) == 1
    assert "start at other times" in notes[0]


def test_videos_that_overlap_are_refused(place, small):
    def change(content):
        codes = status_bytes(content)
        starts = np.flatnonzero((codes == 4).ravel()[1:] & ~(codes == 4).ravel()[:-1]) + 1
        flat = codes.reshape(-1).copy()
        flat[starts[1] : starts[1] + 26] = 0
        flat[starts[0] + 200 : starts[0] + 226] = 4
        codes[:] = flat.reshape(codes.shape)

    raw = read_raw_deap(place(change=change))
    with pytest.raises(
        DataError, match=r"videos 1 and 2 start at .*expected at least .* s between"
    ):
        find_trials_deap(raw, small[1])


def test_trials_at_the_ends_are_left_out_and_told(place, small):
    def change(content):  # the recording begins in the first trial's baseline
        n_records = int(content[236:244])
        record = 49 * 512 * 3
        codes = status_bytes(content)
        first = np.argwhere(codes == 4)[0][0] - 2
        del codes
        del content[12_800 : 12_800 + first * record]
        put(slice(236, 244), str(n_records - first))(content)

    raw = read_raw_deap(place(change=change))
    make_epochs, notes = find_trials_deap(raw, small[1])
    assert len(notes) == 1
    assert "left out" in notes[0]
    assert notes[0].endswith("presentation 1")
    order = make_subject(32, 3, 1.0).rated.order
    assert make_epochs.trials["trial"].tolist() == [k + 1 for k in range(3) if order[k] != 1]
    assert make_epochs(raw).metadata["presentation"].tolist() == [k for k in order if k != 1]


# --- the table of ratings -------------------------------------------------------------------------


def change_table(text_or_frame, path):
    if isinstance(text_or_frame, str):
        path.write_text(text_or_frame, encoding="utf-8")
    else:
        text_or_frame.to_csv(path, index=False)
    return path


def with_value(column, row, value):
    def change(table):
        table = table.astype({column: object})
        own = table.index[table["Participant_id"] == 32]
        table.loc[own[row], column] = value
        return table

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            lambda t: t[t["Participant_id"] != 32],
            "no row of participant 32; it has participants",
        ),
        (lambda t: t.drop(columns="Valence"), "has no column valence; it has participant_id"),
        (lambda t: t.drop(columns="Experiment_id"), "has no column experiment_id"),
        (
            with_value("Trial", 0, 2),
            r"trials of participant 32 are 2, 2, 3; expected each",
        ),
        (with_value("Trial", 2, 4), r"trials of participant 32 are 1, 2, 4"),
        (with_value("Trial", 2, 2.5), r"trial is 2\.5 in a row; expected a whole number"),
        (with_value("Trial", 2, "x"), "trial is 'x' in a row; expected a number"),
        (with_value("Trial", 2, "inf"), "trial is inf in a row; expected a whole number"),
        (with_value("Experiment_id", 0, 0), "experiment_id is 0 in a row"),
        (with_value("Experiment_id", 0, None), "experiment_id is nan in a row"),
        (
            with_value("Arousal", 1, 9.2),
            r"the arousal of participant 32, trial 2 is 9\.2;",
        ),
        (with_value("Liking", 1, 0.99), r"the liking of participant 32, trial 2 is 0\.99"),
        (with_value("Liking", 1, "five"), "liking is 'five' in a row"),
        (lambda t: t[(t["Participant_id"] != 32) | (t["Trial"] < 3)], "3 videos .* has 2 trials"),
        (lambda t: "", "cannot be read as a table"),
        (lambda t: "a,b\n1,2,3\n4,5,6,7,8\n", "cannot be read as a table|has no column"),
        (lambda t: "\x00\x01\x02", "has no column|cannot be read"),
    ],
)
def test_wrong_tables_are_refused(place, small, tmp_path, change, says):
    raw = read_raw_deap(place())
    table = change_table(change(pd.read_csv(small[1])), tmp_path / "participant_ratings.csv")
    with pytest.raises(DataError, match=says):
        find_trials_deap(raw, table)
    if "videos" not in says:  # found before anything is read
        with pytest.raises(DataError, match=says):
            find_recordings_deap(tmp_path, variant="bdf")


def test_a_video_twice_is_refused(place, small, tmp_path):
    table = pd.read_csv(small[1])
    own = table.index[table["Participant_id"] == 32]
    table.loc[own[0], "Experiment_id"] = table.loc[own[1], "Experiment_id"]
    with pytest.raises(DataError, match=r"participant 32 has video \(Experiment_id\) \d more than"):
        find_trials_deap(
            read_raw_deap(place()), change_table(table, tmp_path / "participant_ratings.csv")
        )


@pytest.mark.parametrize("form", ["semicolons", "shuffled", "spaces", "no extras", "bom"])
def test_tables_of_other_forms_are_read(place, small, tmp_path, form):
    raw = read_raw_deap(place())
    expected, _ = find_trials_deap(raw, small[1])
    table = pd.read_csv(small[1])
    path = tmp_path / "participant_ratings.csv"
    trials = expected.trials
    if form == "semicolons":
        table.to_csv(path, index=False, sep=";", decimal=",")
    elif form == "shuffled":
        table.sample(frac=1, random_state=0).to_csv(path, index=False)
    elif form == "spaces":
        table.rename(columns=lambda name: f" {name.upper()} ").to_csv(path, index=False)
    elif form == "no extras":
        table.drop(columns=["Start_time", "Familiarity"]).to_csv(path, index=False)
        trials = trials.assign(start_time=np.nan, familiarity=np.nan)
    else:
        path.write_text("\ufeff" + small[1].read_text(encoding="utf-8"), encoding="utf-8")
    found, _ = find_trials_deap(raw, path)
    pd.testing.assert_frame_equal(found.trials, trials)


def test_a_missing_rating_is_missing(place, small, tmp_path):
    table = with_value("Dominance", 0, None)(pd.read_csv(small[1]))
    path = change_table(table, tmp_path / "participant_ratings.csv")
    make_epochs, _ = find_trials_deap(read_raw_deap(place()), path)
    assert make_epochs.trials.set_index("presentation")["dominance"].isna().to_dict() == {
        1: True, 2: False, 3: False,
    }  # fmt: skip


def test_the_table_is_found(place, small, tmp_path):
    place(name="s32.bdf")
    (tmp_path / RAW).mkdir()
    (tmp_path / "s32.bdf").rename(tmp_path / RAW / "s32.bdf")
    for root in (tmp_path, tmp_path / RAW):
        with pytest.raises(DataError, match=r"holds no participant_ratings\.csv.*put the table"):
            find_recordings_deap(root, variant="bdf")
    (tmp_path / "metadata_xls").mkdir()
    spreadsheet = tmp_path / "metadata_xls" / "participant_ratings.xls"
    spreadsheet.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".ljust(2000))
    with pytest.raises(DataError, match=r"ratings\.xls cannot be read here.*the table as .*csv"):
        find_recordings_deap(tmp_path, variant="bdf")
    (tmp_path / "metadata_csv").mkdir()
    inner = tmp_path / "metadata_csv" / "participant_ratings.csv"
    inner.write_bytes(small[1].read_bytes())
    for root in (tmp_path, tmp_path / RAW):
        (recording,) = find_recordings_deap(root, variant="bdf")
        assert recording.ratings.resolve() == inner.resolve()
