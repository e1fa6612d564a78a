"""Simulated raw recordings: what is in them is what the truth says, and what the .dat file has."""

import hashlib

import mne
import numpy as np
import pytest
import scipy.signal

from eegemo.datasets.deap import (
    DEAP_CHANNELS,
    DEAP_EEG_CHANNELS,
    find_recordings_deap,
    find_trials_deap,
    read_epochs_deap,
    read_raw_deap,
)
from eegemo.errors import InputError
from eegemo.formats.bdf import read_bdf_header
from eegemo.preprocessing import preprocess
from eegemo.simulation import is_simulated, read_simulation, simulate_deap
from eegemo.simulation.files import write_subject
from eegemo.simulation.raw import write_raw_recording
from eegemo.simulation.raw_signals import Artifacts, lay_out
from raw_files import make_subject, write_table

NOTHING = Artifacts(eyes=0, muscle=0, line=0, drift=0, noise=0, bad=False)
BACK = [
    k
    for k, name in enumerate(DEAP_EEG_CHANNELS)
    if name in ("CP5", "CP1", "CP6", "CP2", "P3", "P4", "P7", "P8", "PO3", "PO4", "O1", "Oz", "O2")
]
INSIDE = slice(64, -64)  # filters ring at the ends of a trial
SIZE = {"n_trials": 4, "duration": 6.0}


def band(signals, low, high, sfreq=128.0):
    sos = scipy.signal.butter(8, [low, high], "bandpass", fs=sfreq, output="sos")
    return scipy.signal.sosfiltfilt(sos, signals, axis=-1)


def relative_error(found, known):
    """Root mean square of the difference, per channel, relative to what is known."""
    squares = ((found - known) ** 2).mean(axis=(0, 2)) / (known**2).mean(axis=(0, 2))
    return np.sqrt(squares)


def cut_trials(root, number, **steps):
    raw = read_raw_deap(root / f"s{number:02d}.bdf")
    make_epochs, _ = find_trials_deap(raw, root / "participant_ratings.csv")
    return preprocess(raw, sfreq=128.0, reference="average", make_epochs=make_epochs, **steps)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("raw")
    write_table(root / "participant_ratings.csv", **SIZE)
    return root


@pytest.mark.parametrize("number", [1, 29])
def test_the_dat_file_agrees_with_the_recording(folder, number):
    """Both hold the same brain and muscles; the .dat is filtered and has its eyes removed.

    So a recording without eyes, line noise and drifts has to give the .dat through our own steps,
    in the band that both filters pass whole (6 to 40 Hz): at the back of the head to 1 %, which is
    the ripple of two filters. At the front the .dat keeps 5 % of the EOG's own noise of 8 uV.
    """
    subject = make_subject(number, **SIZE)
    write_subject(folder, f"s{number:02d}", subject, formats=["python"], truth=False)
    dat = read_epochs_deap(folder / "data_preprocessed_python" / f"s{number:02d}.dat")
    path = folder / f"s{number:02d}.bdf"
    write_raw_recording(path, subject, Artifacts(eyes=0, line=0, drift=0, noise=0, bad=False))
    epochs = cut_trials(folder, number, l_freq=4.0, h_freq=45.0)
    np.testing.assert_array_equal(
        epochs.metadata[["trial", "stimulus", "valence", "arousal", "dominance", "liking"]],
        dat.metadata[["trial", "stimulus", "valence", "arousal", "dominance", "liking"]],
    )
    found, known = epochs.get_data(), dat.get_data(picks="eeg")
    assert found.shape == known.shape
    passed = [band(signals, 6, 40)[..., INSIDE] for signals in (found, known)]
    error = relative_error(*passed)
    assert error[BACK].max() < 0.01
    assert error.max() < 0.04
    # as it is, with what lies in the filters' skirts (2 to 4 Hz and around 50 Hz)
    for channel in range(32):
        a, b = (signals[:, channel, INSIDE].ravel() for signals in (found, known))
        assert np.corrcoef(a, b)[0, 1] > 0.9

    # channels 33 to 40 were only resampled
    raw = read_raw_deap(path)
    make_epochs, _ = find_trials_deap(raw, folder / "participant_ratings.csv")
    whole = make_epochs(raw)
    for name in DEAP_CHANNELS[32:]:
        own = scipy.signal.resample_poly(
            whole.get_data(picks=name)[:, 0], 1, 4, axis=-1, padtype="line"
        )
        own, theirs = own[:, INSIDE], dat.get_data(picks=name)[:, 0, INSIDE]
        if name[1:] in ("EMG", "EOG"):  # white noise loses what lies at the new Nyquist frequency
            own, theirs = band(own, 2, 40), band(theirs, 2, 40)
        # two resampling filters take 3 % of what muscles have near 40 Hz
        assert np.std(own - theirs) < 0.05 * np.std(theirs), name


def test_eyes_and_noise_leave_the_back_of_the_head(folder):
    subject = make_subject(24, **SIZE)
    write_subject(folder, "s24", subject, formats=["python"], truth=False)
    dat = read_epochs_deap(folder / "data_preprocessed_python" / "s24.dat")
    write_raw_recording(folder / "s24.bdf", subject, Artifacts(bad=False))
    epochs = cut_trials(folder, 24, l_freq=4.0, h_freq=45.0)
    found, known = (band(one.get_data(picks="eeg"), 6, 40)[..., INSIDE] for one in (epochs, dat))
    error = relative_error(found, known)
    # line noise of 50 Hz, thirty times what differs between electrodes, is outside this band
    assert error[BACK].max() < 0.05
    assert error[DEAP_EEG_CHANNELS.index("Fp1")] > 2 * np.median(error[BACK])


def test_brain_alone_is_the_truth(folder):
    """What is saved as ``clean`` is the recording, but for muscles, eyes and noise."""
    subject = make_subject(2, **SIZE)
    write_raw_recording(folder / "s02.bdf", subject, NOTHING)
    found = cut_trials(folder, 2).get_data()
    clean = np.array([subject.clean(k) for k in range(4)])
    # steps of 31 nV, over sqrt(12), are 9 nV; the resampling filter begins to fall at 55 Hz
    error = found[..., INSIDE] - clean[..., INSIDE]
    assert np.sqrt((error**2).mean()) < 0.02 * np.sqrt((clean**2).mean())
    error = band(found, 1, 50)[..., INSIDE] - band(clean.astype(float), 1, 50)[..., INSIDE]
    assert np.sqrt((error**2).mean()) < 0.01 * np.sqrt((clean**2).mean())


@pytest.fixture(scope="module")
def eyes(folder):
    """What the eyes add to the EEG: one recording with them less the same without."""
    subject = make_subject(3, **SIZE)
    found = []
    for strength in (1.0, 0.0):
        truth = write_raw_recording(folder / "s03.bdf", subject, Artifacts(eyes=strength))
        raw = read_raw_deap(folder / "s03.bdf", preload=True)
        found.append((raw, truth))
    (raw, truth), (without, _) = found
    return raw, raw.get_data(picks="eeg") - without.get_data(picks="eeg"), truth


def test_eyes_spread_as_the_truth_says(eyes):
    raw, added, truth = eyes
    topographies = np.stack([truth.blink_topography, truth.saccade_topography], axis=1)
    traces = np.linalg.lstsq(topographies, added, rcond=None)[0]
    # nothing is left but two roundings to 24 bits
    np.testing.assert_allclose(added, topographies @ traces, rtol=0, atol=0.07e-6)
    # and the EOG has the same movements, with noise of its own of 8 and 6 uV
    for trace, name, noise in zip(traces, ("vEOG", "hEOG"), (8e-6, 6e-6), strict=True):
        assert np.std(raw.get_data(name)[0] - trace) == pytest.approx(noise, rel=0.1)
    largest = np.argsort(truth.blink_topography)[-4:]
    assert {DEAP_EEG_CHANNELS[k] for k in largest} == {"Fp1", "Fp2", "AF3", "AF4"}
    left, right = (DEAP_EEG_CHANNELS.index(name) for name in ("F7", "F8"))
    assert truth.saccade_topography[left] == pytest.approx(-truth.saccade_topography[right])


def test_eyes_move_when_the_truth_says(eyes):
    _, added, truth = eyes
    topographies = np.stack([truth.blink_topography, truth.saccade_topography], axis=1)
    lids, gaze = np.linalg.lstsq(topographies, added, rcond=None)[0]
    last = len(lids) - 300
    blinks = np.round(truth.blink_times * 512).astype(int)
    distance = abs(truth.blink_times[:, None] - truth.blink_times + 99 * np.eye(len(blinks)))
    alone = (distance.min(axis=1) > 1) & (blinks > 300) & (blinks < last)
    assert alone.sum() >= 5
    for at in blinks[alone]:
        assert abs(np.argmax(lids[at - 200 : at + 200]) - 200) <= 2
        assert 100e-6 < lids[at] < 600e-6
    near = np.zeros(len(lids), dtype=bool)
    for at in blinks:
        near[max(at - 300, 0) : at + 300] = True
    assert abs(lids[~near]).max() < 1e-6
    # saccades are steps; after them the gaze comes back with a time constant of 0.8 s
    steps = np.round(truth.saccade_times * 512).astype(int)
    fast = np.flatnonzero(abs(gaze[8:] - gaze[:-8]) > 20e-6) + 4
    assert len(fast)
    assert abs(fast[:, None] - steps).min(axis=1).max() <= 10


def test_noise_of_the_mains_and_drifts(folder):
    write_raw_recording(folder / "s04.bdf", make_subject(4, **SIZE), Artifacts(bad=False))
    raw = read_raw_deap(folder / "s04.bdf", preload=True)
    eeg = raw.get_data(picks="eeg")
    freqs, power = scipy.signal.welch(eeg, 512, nperseg=2048, axis=-1)
    line, beside = (freqs == 50), (abs(freqs - 50) > 1) & (abs(freqs - 50) < 4)
    assert np.all(power[:, line].mean(axis=1) > 30 * power[:, beside].mean(axis=1))
    common = eeg - eeg.mean(axis=0)
    _, after = scipy.signal.welch(common, 512, nperseg=2048, axis=-1)
    assert np.median(after[:, line]) < 0.1 * np.median(power[:, line])
    assert 1e-3 < abs(eeg.mean(axis=1)).max() < 30e-3  # offsets of electrodes: millivolts
    second = eeg[:, : len(raw.times) // 512 * 512].reshape(32, -1, 512).mean(axis=2)
    assert np.median(np.ptp(second, axis=1)) > 5e-6


def test_bad_channels_are_in_the_truth(tmp_path):
    found = {}
    for number in range(1, 33):
        subject = make_subject(number, 1, 1.0)
        truth = write_raw_recording(tmp_path / "s01.bdf", subject, None)
        for name, kind in zip(truth.bads, truth.bad_kinds, strict=True):
            found.setdefault(kind, (number, name))
            mnes = mne.io.read_raw_bdf(
                tmp_path / "s01.bdf", stim_channel=False, preload=True, verbose="ERROR"
            )
            eeg = mnes.get_data(list(DEAP_EEG_CHANNELS))
            fast = np.diff(eeg, axis=1).std(axis=1)
            row = DEAP_EEG_CHANNELS.index(name)
            if kind == "flat":
                assert np.ptp(eeg[row]) == 0
            else:
                assert fast[row] > 5 * np.median(fast)
                assert np.argmax(fast) == row
        if set(found) == {"flat", "noisy"}:
            return
    raise AssertionError(f"only {found} in 32 participants")


def test_a_session_is_an_hour():
    """Full size, without writing it: 40 trials of 63 s and the time to rate them."""
    for number in (1, 30):
        subject = make_subject(number, 40, 60.0)
        session = lay_out(subject)
        assert 60 < session.n_times / 128 / 60 < 68
        assert sorted(session.videos) == list(range(40))
        gaps = np.diff(session.starts) - 63 * 128
        assert gaps.min() >= 20 * 128
        # the table of ratings has the same times, but for where it begins to count
        started = np.sort(subject.rated.start_time) * 1e-6
        np.testing.assert_allclose(np.diff(session.starts) / 128, np.diff(started), atol=1e-6)


# --- releases ------------------------------------------------------------------------------------


def digests(root):
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name != "simulation.json"
    }


def test_a_release_has_all_formats_and_the_truth(tmp_path):
    options = {"n_subjects": 2, "n_trials": 2, "duration": 1.5, "truth": True}
    both = simulate_deap(tmp_path / "both", formats=("python", "bdf"), **options)
    simulate_deap(tmp_path / "bdf", formats="bdf", **options)
    simulate_deap(tmp_path / "python", formats="python", **options)
    whole, bdf, python = (digests(tmp_path / name) for name in ("both", "bdf", "python"))
    # whatever else is written, a file is the same; twice the same bytes
    for part in (bdf, python):
        assert {name for name in part if part[name] != whole[name]} == (
            {"truth/truth.json"}
            if part is bdf
            else {"truth/truth.json", "truth/s01.npz", "truth/s02.npz"}
        )
    assert sorted(bdf) == [
        "data_original/s01.bdf", "data_original/s02.bdf", "participant_ratings.csv",
        "truth/s01.npz", "truth/s02.npz", "truth/truth.json", "video_list.csv",
    ]  # fmt: skip
    truth = np.load(tmp_path / "both" / "truth" / "s02.npz")
    assert truth["clean"].shape == (2, 32, round(4.5 * 128))
    assert truth["clean"].dtype == np.float32
    assert truth["blink_topography"].shape == truth["saccade_topography"].shape == (32,)
    assert sorted(truth["presentation"]) == [1, 2]
    alone = np.load(tmp_path / "python" / "truth" / "s02.npz")
    np.testing.assert_array_equal(alone["clean"], truth["clean"])
    for recording, name in zip(
        find_recordings_deap(both.root, variant="bdf"), both.subjects, strict=True
    ):
        assert recording.subject == name
        header = read_bdf_header(recording.files[0])
        assert (header.sfreq, header.n_samples) == (512.0, 512)
        assert is_simulated(recording.files[0])
        assert not is_simulated(recording.files[1])


def test_real_recordings_are_left_alone(tmp_path):
    options = {"n_subjects": 1, "n_trials": 1, "duration": 1, "formats": "bdf"}
    simulate_deap(tmp_path, **options)
    path = tmp_path / "data_original" / "s01.bdf"
    before = path.read_bytes()
    simulate_deap(tmp_path, **options)  # an own one is replaced
    assert path.read_bytes() == before
    path.write_bytes(before[:8] + b"X".ljust(80) + before[88:])  # as BioSemi writes its header
    assert not is_simulated(path)
    with pytest.raises(InputError, match=r"s01\.bdf: was not written by this simulation"):
        simulate_deap(tmp_path, **options)
    path.write_bytes(before)
    simulate_deap(tmp_path, **(options | {"formats": "python"}))
    assert not path.exists()
    assert read_simulation(tmp_path).formats == ("python",)


@pytest.mark.slow
def test_full_size(tmp_path):
    release = simulate_deap(tmp_path, n_subjects=1, formats=("python", "bdf"), truth=True)
    (recording,) = find_recordings_deap(release.root, variant="bdf")
    assert recording.files[0].stat().st_size == pytest.approx(282e6, rel=0.05)
    (run,) = recording.read()
    epochs = preprocess(
        run.inst,
        sfreq=128.0,
        l_freq=6.0,
        h_freq=40.0,
        reference="average",
        make_epochs=run.make_epochs,
    )
    assert epochs.get_data(copy=False).shape == (40, 32, 8064)
    truth = np.load(tmp_path / "truth" / "s01.npz")
    clean = mne.filter.filter_data(
        truth["clean"][:, BACK].astype(float), 128.0, 6.0, 40.0, verbose="ERROR"
    )
    for found, known in zip(epochs.get_data(copy=False)[:, BACK], clean, strict=True):
        assert np.corrcoef(found.ravel(), known.ravel())[0, 1] > 0.9
