"""DEAP's original recordings: every variant of file gives the same channels and trials.

The files are simulated; MNE's own reader of BDF and the truth that was saved say what has to come
out.
"""

import warnings

import mne
import numpy as np
import pandas as pd
import pytest

from eegemo.config import parse_experiment
from eegemo.datasets.deap import (
    DEAP_CHANNELS,
    DEAP_EEG_CHANNELS,
    find_recordings_deap,
    find_trials_deap,
    read_raw_deap,
)
from eegemo.datasets.deap.channels import TWENTE_EEG_CHANNELS
from eegemo.errors import DataError
from eegemo.execution import RunContext
from eegemo.preprocessing import preprocess
from eegemo.runs.prepare import prepare_experiment
from eegemo.simulation import simulate_deap
from eegemo.simulation.raw import write_raw_recording
from raw_files import (
    DURATION,
    N_TRIALS,
    RAW,
    make_subject,
    write_table,
)

# One participant, at least, of every form of file: site, name and offset of the status channel,
# number of channels; 20 and 30 begin with an unmatched code 5.
VARIANTS = (1, 20, 22, 23, 24, 27, 29, 30, 32)


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """A release of the participants in VARIANTS, and what is known of their recordings."""
    root = tmp_path_factory.mktemp("release")
    write_table(root / "participant_ratings.csv")
    (root / RAW / ".DS_Store").parent.mkdir()
    truth = {}
    for number in VARIANTS:
        path = root / RAW / f"s{number:02d}.bdf"
        truth[number] = write_raw_recording(path, make_subject(number))
    return root, truth


def read_by_mne(path):
    """Read with MNE alone; its channels keep their names, and none is taken for a trigger."""
    return mne.io.read_raw_bdf(path, stim_channel=False, preload=True, verbose="ERROR")


# --- every variant -------------------------------------------------------------------------------


@pytest.mark.parametrize("number", VARIANTS)
def test_every_variant_gives_the_same_channels(release, number):
    root, truth = release
    path = root / RAW / f"s{number:02d}.bdf"
    flat = [
        name
        for name, kind in zip(truth[number].bads, truth[number].bad_kinds, strict=True)
        if kind == "flat"
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore" if flat else "error")
        raw = read_raw_deap(path)
    assert raw.ch_names == [*DEAP_CHANNELS, "Status"]
    assert raw.get_channel_types() == [
        *["eeg"] * 32, "eog", "eog", "emg", "emg", "misc", "resp", "misc", "temperature", "stim",
    ]  # fmt: skip
    assert raw.info["sfreq"] == 512
    assert raw.info["bads"] == flat
    positions = raw.get_montage().get_positions()["ch_pos"]
    assert set(positions) == set(DEAP_EEG_CHANNELS)
    assert positions["Fp1"][0] < 0 < positions["Fp2"][0]

    mnes = read_by_mne(path)
    assert len(mnes.ch_names) == (49 if number > 28 else 48)
    own = raw.get_data()
    row = dict(zip(raw.ch_names, own, strict=True))
    theirs = dict(zip(mnes.ch_names, mnes.get_data(), strict=True))
    # both scale 24-bit numbers in floats: offsets of 20 mV round at 1e-18 V
    for name in DEAP_EEG_CHANNELS:
        np.testing.assert_allclose(row[name], theirs[name], rtol=0, atol=1e-16)
    for k, name in enumerate(("hEOG", "vEOG", "zEMG", "tEMG")):
        difference = theirs[f"EXG{2 * k + 1}"] - theirs[f"EXG{2 * k + 2}"]
        np.testing.assert_allclose(row[name], difference, rtol=0, atol=1e-16)
    skin = theirs["GSR1"]
    np.testing.assert_allclose(row["GSR"], 1e9 / skin if number <= 22 else skin, rtol=1e-12)
    # in microvolts by their header, which means nothing: the file's numbers are kept
    np.testing.assert_allclose(row["Respiration"], theirs["Resp"] * 1e6, rtol=0, atol=1e-9)
    np.testing.assert_allclose(row["Plethysmograph"], theirs["Plet"] * 1e6, rtol=0, atol=1e-9)
    np.testing.assert_allclose(row["Temperature"], theirs["Temp"], rtol=1e-12)
    np.testing.assert_array_equal(row["Status"], mnes.get_data()[-1].astype(int) & 255)


@pytest.mark.parametrize("number", VARIANTS)
def test_events_are_exact(release, number):
    root, truth = release
    raw = read_raw_deap(root / RAW / f"s{number:02d}.bdf")
    events = mne.find_events(raw, "Status", consecutive=True, verbose="ERROR")
    videos = events[events[:, 2] == 4, 0]
    np.testing.assert_array_equal(videos, np.sort(truth[number].onsets) * 512)
    assert set(events[:, 2]) == {1, 2, 3, 4, 5, 7}
    np.testing.assert_allclose(raw.annotations.onset * 512, videos)
    assert set(raw.annotations.description) == {"video"}


def test_the_simulated_variants_are_those_of_deap(release):
    """What the notes on DEAP say of its files, found in ours by MNE."""
    root, _ = release
    for number in VARIANTS:
        mnes = read_by_mne(root / RAW / f"s{number:02d}.bdf")
        order = TWENTE_EEG_CHANNELS if number <= 22 else DEAP_EEG_CHANNELS
        assert tuple(mnes.ch_names[:32]) == order
        names = ["Status"] if number <= 23 else [""] if number <= 28 else ["-0", "-1"]
        assert mnes.ch_names[47:] == names
        raw = read_raw_deap(root / RAW / f"s{number:02d}.bdf")
        start = raw.time_as_index(raw.annotations.onset[0], use_rounding=True)[0]
        code = 4 if number <= 23 else 1638148 if number <= 31 else 5832452
        assert mnes.get_data()[-1, start] == code
    montage = mne.channels.make_standard_montage("biosemi32")
    assert tuple(montage.ch_names) == TWENTE_EEG_CHANNELS


def test_pieces_are_those_of_the_whole(release):
    root, _ = release
    raw = read_raw_deap(root / RAW / "s29.bdf")
    whole = raw.copy().load_data(verbose="ERROR").get_data()
    assert not raw.preload
    for start, stop in ((0, 1), (511, 513), (1000, 5000), (len(raw.times) - 3, len(raw.times))):
        np.testing.assert_array_equal(raw[:, start:stop][0], whole[:, start:stop])
    rows = [40, 3, 33]
    np.testing.assert_array_equal(raw[rows, 700:900][0], whole[rows, 700:900])
    few = raw.copy().pick(["Cz", "GSR", "Status"])
    assert not few.preload
    np.testing.assert_array_equal(
        few.get_data(), whole[[raw.ch_names.index(name) for name in few.ch_names]]
    )
    cropped = raw.copy().crop(2.0, 5.0)
    np.testing.assert_array_equal(cropped.get_data(), whole[:, 1024 : 1024 + 1537])
    assert read_raw_deap(root / RAW / "s29.bdf", preload=True).preload


def test_projections_apply_when_read(release):
    root, _ = release
    raw = read_raw_deap(root / RAW / "s24.bdf").pick("eeg").crop(0, 3)
    loaded = raw.copy().load_data(verbose="ERROR")
    for one in (raw, loaded):
        one.set_eeg_reference("average", projection=True, verbose="ERROR")
    loaded.apply_proj(verbose="ERROR")
    raw.apply_proj(verbose="ERROR")
    # sums of 32 numbers near 20 mV, in two orders
    np.testing.assert_allclose(raw.get_data(), loaded.get_data(), rtol=0, atol=1e-15)


def test_electrodes_as_they_are(release):
    root, _ = release
    path = root / RAW / "s22.bdf"
    both = read_raw_deap(path, exg="both")
    assert both.ch_names[40:] == [*(f"EXG{k}" for k in range(1, 9)), "Status"]
    assert both.get_channel_types()[40:48] == ["eog"] * 4 + ["emg"] * 4
    alone = read_raw_deap(path, exg="monopolar")
    assert "hEOG" not in alone.ch_names
    np.testing.assert_array_equal(alone.get_data("EXG3"), both.get_data("EXG3"))
    np.testing.assert_allclose(
        both.get_data("EXG3") - both.get_data("EXG4"), both.get_data("vEOG"), rtol=0, atol=1e-16
    )
    with pytest.raises(DataError, match="exg='all'; expected"):
        read_raw_deap(path, exg="all")


# --- trials --------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", VARIANTS)
@pytest.mark.parametrize("order", ["video", "presentation"])
def test_signals_and_labels_belong_together(release, number, order):
    """Trial by trial, the signals are those of the video that the metadata names.

    If trials were taken in the order of presentation, signals of one video would get the labels of
    another.
    """
    root, truth = release
    subject = make_subject(number)
    raw = read_raw_deap(root / RAW / f"s{number:02d}.bdf")
    make_epochs, notes = find_trials_deap(raw, root / "participant_ratings.csv", order=order)
    assert notes == ()
    epochs = make_epochs(preprocess(raw, sfreq=128.0, l_freq=6.0, h_freq=40.0, reference="average"))
    table = epochs.metadata
    presented = subject.rated.order
    assert presented.tolist() != sorted(presented), "the test needs another order"
    expected = np.arange(1, 5) if order == "video" else np.argsort(presented) + 1
    assert table["trial"].tolist() == expected.tolist()
    assert table["presentation"].tolist() == presented[expected - 1].tolist()
    assert table["stimulus"].tolist() == [f"video{k:02d}" for k in expected]
    np.testing.assert_array_equal(
        table[["valence", "arousal", "dominance", "liking"]], subject.rated.labels[expected - 1]
    )
    np.testing.assert_allclose(table["start_time"], subject.rated.start_time[expected - 1] * 1e-6)

    clean = np.array([subject.clean(k) for k in range(N_TRIALS)])
    quiet = [DEAP_EEG_CHANNELS.index(name) for name in ("CP1", "Pz", "CP2", "P3")]
    quiet = [k for k in quiet if DEAP_EEG_CHANNELS[k] not in truth[number].bads]
    found = epochs.get_data()[:, quiet].reshape(4, -1)
    known = mne.filter.filter_data(clean[:, quiet].astype(float), 128.0, 6.0, 40.0, verbose="ERROR")
    known = known.reshape(4, -1)
    alike = np.corrcoef(found, known)[:4, 4:]
    # muscles and line noise are the rest; unrelated trials of 5 s differ from 0 by chance
    assert np.argmax(alike, axis=1).tolist() == (expected - 1).tolist()
    assert np.diag(alike[:, expected - 1]).min() > 0.8
    assert np.sort(alike, axis=1)[:, -2].max() < 0.4


def test_trials_are_like_those_of_the_preprocessed_files(release):
    root, _ = release
    raw = read_raw_deap(root / RAW / "s01.bdf", ratings=root / "participant_ratings.csv")
    make_epochs, _ = find_trials_deap(raw, root / "participant_ratings.csv")
    whole = make_epochs(raw)
    assert (whole.tmin, whole.tmax) == (-3.0, DURATION - 1 / 512)
    assert whole.times[3 * 512] == 0.0
    codes = whole.get_data(picks="Status")[:, 0]
    assert np.all(codes[:, 3 * 512] == 4)
    assert np.all(codes[:, 3 * 512 - 1] == 3)
    slow = make_epochs(preprocess(raw, sfreq=128.0))
    assert slow.get_data().shape == (4, 32, round((3 + DURATION) * 128))
    first = raw.annotations[0]
    assert first["description"] == whole.metadata.set_index("presentation")["stimulus"][1]
    assert first["duration"] == DURATION


def test_a_cropped_recording_keeps_its_times(release):
    root, _ = release
    raw = read_raw_deap(root / RAW / "s23.bdf")
    make_epochs, _ = find_trials_deap(raw, root / "participant_ratings.csv")
    start = raw.annotations.onset[0] - 3.0
    np.testing.assert_array_equal(
        make_epochs(raw.copy().crop(tmin=start)).get_data(), make_epochs(raw).get_data()
    )
    with pytest.raises(DataError, match="do not hold all of the trials presented as number 1"):
        make_epochs(raw.copy().crop(tmin=start + 1))
    last = raw.annotations.onset[-1]
    with pytest.raises(DataError, match="presented as number 4"):
        make_epochs(raw.copy().crop(tmax=last + 1))


def test_the_finder_offers_recordings(release):
    root, _ = release
    recordings = find_recordings_deap(root, variant="bdf")
    assert [r.subject for r in recordings] == [f"s{k:02d}" for k in VARIANTS]
    one = recordings[3]
    assert one.files == (root / RAW / "s23.bdf", root / "participant_ratings.csv")
    (run,) = one.read()
    assert isinstance(run.inst, mne.io.BaseRaw)
    assert run.inst.ch_names == [*DEAP_CHANNELS, "Status"]
    (run,) = one.read(eeg_only=True)
    assert run.inst.ch_names == list(DEAP_EEG_CHANNELS)
    epochs = run.make_epochs(run.inst)
    assert epochs.metadata["subject"].unique().tolist() == ["s23"]
    assert epochs.metadata["familiarity"].isna().all()  # participant 23 was not asked
    inner = find_recordings_deap(root / RAW, variant="bdf", subjects=[1, 32])
    assert [r.subject for r in inner] == ["s01", "s32"]


def test_other_names_need_the_participant(release, tmp_path):
    root, _ = release
    content = (root / RAW / "s30.bdf").read_bytes()
    (tmp_path / "anna.bdf").write_bytes(content)
    raw = read_raw_deap(tmp_path / "anna.bdf")
    with pytest.raises(DataError, match="does not name its participant"):
        find_trials_deap(raw, root / "participant_ratings.csv")
    make_epochs, _ = find_trials_deap(raw, root / "participant_ratings.csv", participant=30)
    assert len(make_epochs.trials) == N_TRIALS
    with pytest.raises(DataError, match="order='random'"):
        find_trials_deap(raw, root / "participant_ratings.csv", participant=30, order="random")


# --- experiments ---------------------------------------------------------------------------------


def test_an_experiment_gets_the_labels_of_the_preprocessed_files(tmp_path):
    """The same section of the experiment file, once for each form of the same release."""
    simulate_deap(
        tmp_path / "deap", n_subjects=2, n_trials=6, duration=2, formats=("python", "bdf")
    )
    prepared = {}
    for variant in ("python", "bdf"):
        experiment = parse_experiment(
            f"""
            name: {variant}
            data: {{source: deap, root: {tmp_path / "deap"}, variant: {variant}}}
            preprocessing:
              {{sfreq: 128.0, l_freq: 4.0, h_freq: 45.0, reference: average, baseline: [-3.0, 0.0]}}
            windows: {{duration: 1.0, stride: 1.0}}
            split: {{n_splits: 2}}
            model: {{name: cnn_lstm}}
            """
        )
        prepared[variant] = prepare_experiment(experiment, RunContext(tmp_path / "results"))
    assert all(one.simulated for one in prepared.values())
    raw, whole = prepared["bdf"].windows, prepared["python"].windows
    columns = ["subject", "session", "trial", "stimulus", "start"]
    pd.testing.assert_frame_equal(raw.table[columns], whole.table[columns])
    np.testing.assert_array_equal(raw.codes, whole.codes)
    assert raw.labels.classes == whole.labels.classes
    assert raw.trials.sfreq == whole.trials.sfreq == 128
    assert raw.trials.ch_names == whole.trials.ch_names == DEAP_EEG_CHANNELS
    assert {"presentation", "familiarity"} <= set(raw.trials.metadata)
    back = DEAP_EEG_CHANNELS.index("Pz")
    for trial in range(len(whole.trials)):
        a, b = (one.trials.array(trial)[:, back] for one in (raw, whole))
        assert a.shape == b.shape
        assert np.corrcoef(a, b)[0, 1] > 0.8  # with eyes and noise, and another filter
