"""DEAP's files: shapes, units, names, metadata, and what is refused."""

import os
import pickle

import mne
import numpy as np
import pytest
import scipy.io
from test_pickles import pickle_as_python_2

from eegemo.datasets import EMOTIV_CHANNELS
from eegemo.datasets.deap import (
    DEAP_CHANNELS,
    DEAP_EEG_CHANNELS,
    find_recordings_deap,
    load_deap_arrays,
    read_epochs_deap,
)
from eegemo.errors import DataError

N_TRIALS, N_TIMES = 5, 640  # 3 s of baseline and 2 s of video


def make_arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = rng.uniform(1, 9, (N_TRIALS, 4))
    labels[0] = [1.0, 9.0, 5.0, 5.0]  # both ends are allowed
    return {"labels": labels, "data": rng.normal(size=(N_TRIALS, 40, N_TIMES)) * 10}


def write_mat(path, arrays):
    scipy.io.savemat(path, arrays)


WRITERS = {
    "python 2": ("s01.dat", lambda path, arrays: path.write_bytes(pickle_as_python_2(**arrays))),
    "python 3": (
        "s01.dat",
        lambda path, arrays: path.write_bytes(pickle.dumps(arrays, protocol=2)),
    ),
    "latest": ("s01.dat", lambda path, arrays: path.write_bytes(pickle.dumps(arrays, protocol=5))),
    "bytes as keys": (
        "s01.dat",
        lambda path, arrays: path.write_bytes(
            pickle.dumps({name.encode(): array for name, array in arrays.items()}, protocol=3)
        ),
    ),
    "matlab": ("s01.mat", write_mat),
    "matlab, compressed": (
        "s01.mat",
        lambda path, arrays: scipy.io.savemat(path, arrays, do_compression=True),
    ),
}


@pytest.fixture(params=WRITERS)
def file(request, tmp_path):
    name, write = WRITERS[request.param]
    write(tmp_path / name, make_arrays())
    return tmp_path / name


def write_dat(folder, name="s01.dat", **changes):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(pickle_as_python_2(**(make_arrays() | changes)))
    return path


def test_arrays_are_those_written(file):
    data, labels = load_deap_arrays(file)
    np.testing.assert_array_equal(data, make_arrays()["data"])
    np.testing.assert_array_equal(labels, make_arrays()["labels"])
    assert data.dtype == labels.dtype == np.float64
    assert data.flags.c_contiguous
    assert data.flags.aligned
    assert data.flags.writeable


def test_epochs_are_in_volts_with_onset_at_zero(file):
    epochs = read_epochs_deap(file)
    arrays = make_arrays()
    assert epochs.info["sfreq"] == 128.0
    assert epochs.ch_names == list(DEAP_CHANNELS)
    # multiplying by 1e-6 rounds once
    np.testing.assert_allclose(
        epochs.get_data(picks="eeg"), arrays["data"][:, :32] * 1e-6, rtol=1e-15
    )
    np.testing.assert_allclose(
        epochs.get_data(picks="zEMG")[:, 0], arrays["data"][:, 34] * 1e-6, rtol=1e-15
    )
    assert epochs.tmin == -3.0
    assert epochs.times[384] == 0.0  # 384 samples of baseline come before the video
    assert len(epochs.times) == N_TIMES


def test_peripheral_channels_keep_their_numbers(tmp_path):
    epochs = read_epochs_deap(write_dat(tmp_path))
    types = dict(zip(epochs.ch_names, epochs.get_channel_types(), strict=True))
    assert [types[name] for name in DEAP_CHANNELS[32:]] == [
        "eog", "eog", "emg", "emg", "misc", "resp", "misc", "temperature",
    ]  # fmt: skip
    for index, name in enumerate(DEAP_CHANNELS[36:], start=36):
        np.testing.assert_array_equal(
            epochs.get_data(picks=name)[:, 0], make_arrays()["data"][:, index]
        )


def test_channels_are_where_their_names_say(tmp_path):
    assert len(set(DEAP_CHANNELS)) == 40
    assert len(set(EMOTIV_CHANNELS)) == 14
    assert set(EMOTIV_CHANNELS) < set(DEAP_EEG_CHANNELS)
    # Geneva order, as printed in the data set's description
    assert [DEAP_CHANNELS.index(name) + 1 for name in ("Fp1", "Pz", "Fp2", "Cz", "O2", "GSR")] == [
        1, 16, 17, 24, 32, 37,
    ]  # fmt: skip
    epochs = read_epochs_deap(write_dat(tmp_path), eeg_only=True)
    positions = epochs.get_montage().get_positions()["ch_pos"]
    assert set(positions) == set(DEAP_EEG_CHANNELS)
    assert positions["Fp1"][0] < 0 < positions["Fp2"][0]  # left and right
    assert positions["O1"][1] < 0 < positions["Fp1"][1]  # back and front


def test_metadata(file):
    metadata = read_epochs_deap(file).metadata
    assert list(metadata) == [
        "subject", "session", "trial", "stimulus", "valence", "arousal", "dominance", "liking",
    ]  # fmt: skip
    assert metadata["trial"].tolist() == [1, 2, 3, 4, 5]
    assert metadata["stimulus"].tolist() == [f"video0{k}" for k in range(1, 6)]
    assert set(metadata["subject"]) == {"s01"}
    assert set(metadata["session"]) == {"1"}
    np.testing.assert_array_equal(
        metadata[["valence", "arousal", "dominance", "liking"]], make_arrays()["labels"]
    )


def test_only_eeg(file):
    whole = read_epochs_deap(file)
    epochs = read_epochs_deap(file, eeg_only=True)
    assert epochs.ch_names == list(DEAP_EEG_CHANNELS)
    np.testing.assert_array_equal(epochs.get_data(), whole.get_data(picks="eeg"))


def test_missing_ratings_are_allowed(tmp_path):
    labels = make_arrays()["labels"]
    labels[2, 1] = np.nan
    metadata = read_epochs_deap(write_dat(tmp_path, labels=labels)).metadata
    assert metadata["arousal"].isna().tolist() == [False, False, True, False, False]


def changed(name, index, value):
    array = make_arrays()[name]
    array[index] = value
    return {name: array}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (changed("data", (2, 1, 100), np.nan), "trial 3, channel AF3 holds NaN or infinity"),
        (changed("data", (4, 39, 0), -np.inf), "trial 5, channel Temperature"),
        (changed("labels", (1, 0), 9.5), "the valence of trial 2 is 9.5; expected 1 to 9"),
        (changed("labels", (1, 3), 0.5), "the liking of trial 2 is 0.5"),
        (changed("labels", (1, 3), np.inf), "the liking of trial 2 is inf"),
        ({"data": np.zeros((5, 40, 640))}, "every EEG channel is flat"),
        ({"data": np.ones((5, 32, 640))}, r"shape \(5, 32, 640\); expected \(trials, 40"),
        ({"data": np.ones((5, 40, 384))}, "more than the 384 samples of the baseline"),
        ({"data": np.ones((40, 640))}, r"shape \(40, 640\)"),
        ({"data": np.ones((0, 40, 640)), "labels": np.ones((0, 4))}, r"shape \(0, 40, 640\)"),
        ({"labels": np.full((4, 4), 5.0)}, r"'labels' has shape \(4, 4\); expected \(5, 4\)"),
        ({"labels": np.full((5, 3), 5.0)}, r"'labels' has shape \(5, 3\)"),
    ],
)
@pytest.mark.parametrize("read", [load_deap_arrays, read_epochs_deap])
def test_wrong_content_is_refused(tmp_path, changes, says, read):
    with pytest.raises(DataError, match=rf"s01\.dat: .*{says}"):
        read(write_dat(tmp_path, **changes))


def test_flat_channels_alone_are_allowed(tmp_path):
    load_deap_arrays(write_dat(tmp_path, **changed("data", (slice(None), 3), 0.0)))


def test_missing_arrays_are_named(tmp_path):
    path = tmp_path / "s01.dat"
    path.write_bytes(pickle.dumps({"data": make_arrays()["data"]}, protocol=2))
    with pytest.raises(DataError, match=r"no array 'labels'; expected 'data' and 'labels'"):
        load_deap_arrays(path)


def test_damaged_files(tmp_path):
    content = write_dat(tmp_path).read_bytes()
    truncated = tmp_path / "s02.dat"
    truncated.write_bytes(content[:-1000])
    with pytest.raises(DataError, match=r"s02\.dat is truncated"):
        read_epochs_deap(truncated)
    with pytest.raises(DataError, match=r"s03\.dat cannot be read"):
        read_epochs_deap(tmp_path / "s03.dat")
    with pytest.raises(DataError, match=r"expected a name like s01\.dat"):
        read_epochs_deap(tmp_path / "s03.bdf")


@pytest.mark.parametrize("size", [0, 50, 127, 128, 200, 5000])
def test_damaged_matlab_files(tmp_path, size):
    path = tmp_path / "s01.mat"
    write_mat(path, make_arrays())
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(DataError, match=r"s01\.mat"):
        load_deap_arrays(path)


def test_other_matlab_files(tmp_path):
    path = tmp_path / "s01.mat"
    with pytest.raises(DataError, match="does not exist"):
        load_deap_arrays(path)
    path.write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(500))
    with pytest.raises(DataError, match=r"7\.3"):
        load_deap_arrays(path)
    write_mat(path, make_arrays() | {"data": "text"})
    with pytest.raises(DataError, match="'data' is text; expected numbers"):
        load_deap_arrays(path)


@pytest.fixture
def release(tmp_path):
    folder = tmp_path / "data_preprocessed_python"
    for name in ("s10.dat", "s02.dat", "s01.dat"):
        write_dat(folder, name)
    for stray in (
        ".DS_Store",
        "Thumbs.db",
        "._s01.dat",
        "s03.dat.part",
        "xs04.dat",
        "s5.dat",
        "s01.mat",
    ):
        (folder / stray).write_bytes(b"stray")
    return tmp_path


def test_finds_subjects_by_file_name(release):
    for root in (release, release / "data_preprocessed_python", str(release)):
        recordings = find_recordings_deap(root)
        assert [recording.subject for recording in recordings] == ["s01", "s02", "s10"]
    assert recordings[1].files == (release / "data_preprocessed_python" / "s02.dat",)
    (run,) = recordings[1].read(eeg_only=True)
    assert run.make_epochs is None
    assert isinstance(run.inst, mne.BaseEpochs)
    assert run.inst.metadata.loc[0, "subject"] == "s02"
    assert pickle.loads(pickle.dumps(recordings[1])).files == recordings[1].files


@pytest.mark.parametrize(
    ("subjects", "expected"),
    [
        (["s10", "s01"], ["s01", "s10"]),
        (["02", 2, "2", "S02"], ["s02"]),
        ([1, 10], ["s01", "s10"]),
        ("s02", ["s02"]),
    ],
)
def test_chooses_subjects(release, subjects, expected):
    found = find_recordings_deap(release, subjects=subjects)
    assert [recording.subject for recording in found] == expected


def test_wrong_folders_and_subjects(release, tmp_path):
    with pytest.raises(DataError, match=r"Subject 11 is not in .*Did you mean.*s10.*s01, s02, s10"):
        find_recordings_deap(release, subjects=[11])
    with pytest.raises(DataError, match="Subject 'anna'"):
        find_recordings_deap(release, subjects=["anna"])
    with pytest.raises(DataError, match="No subject was chosen"):
        find_recordings_deap(release, subjects=[])
    with pytest.raises(DataError, match="does not exist"):
        find_recordings_deap(tmp_path / "nowhere")
    with pytest.raises(DataError, match="is a file"):
        find_recordings_deap(release / "data_preprocessed_python" / "s01.dat")
    with pytest.raises(DataError, match=r"s01\.mat in .*hold variant 'python'"):
        find_recordings_deap(release, variant="matlab")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"No file named like s01\.dat in [^']*$"):
        find_recordings_deap(tmp_path / "empty")
    with pytest.raises(DataError, match=r"s01\.bdf in .*hold variant 'python'"):
        find_recordings_deap(release, variant="bdf")
    with pytest.raises(
        DataError, match=r"variant of DEAP 'edf'; expected one of python, matlab, b"
    ):
        find_recordings_deap(release, variant="edf")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: path.symlink_to("annex/gone"), "a broken link to annex/gone.*fetch"),
        (lambda path: path.symlink_to("s06.dat"), "a broken link"),
        (lambda path: path.mkdir(), "a folder"),
        (lambda path: os.mkfifo(path), "a named pipe"),
    ],
)
def test_what_is_no_file_is_not_left_out(release, make, says):
    """A subject would be missing unnoticed."""
    make(release / "data_preprocessed_python" / "s06.dat")
    with pytest.raises(DataError, match=rf"s06\.dat: expected a file, found {says}"):
        find_recordings_deap(release)
    assert len(find_recordings_deap(release, subjects=[1, 2])) == 2


def test_links_to_files_are_files(release):
    folder = release / "data_preprocessed_python"
    (folder / "s06.dat").symlink_to("s01.dat")
    assert len(find_recordings_deap(release)) == 4


def test_folders_that_cannot_be_read(release, monkeypatch):
    with pytest.raises(DataError, match="cannot be read: File name too long"):
        find_recordings_deap(release / ("a" * 300))

    def refuse(folder):
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(type(release), "iterdir", refuse)
    with pytest.raises(DataError, match="python cannot be read: Permission denied"):
        find_recordings_deap(release)
