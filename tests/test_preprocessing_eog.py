"""Removal of eye movements against a simulation whose clean EEG and blinks are known."""

import mne
import numpy as np
import pytest

from eegemo.datasets.deap import DEAP_EEG_CHANNELS, read_raw_deap
from eegemo.errors import DataError
from eegemo.preprocessing import (
    Record,
    band_pass,
    preprocess,
    remove_eog_ica,
    remove_eog_regression,
    set_reference,
)
from eegemo.simulation.ratings import simulate_ratings
from eegemo.simulation.raw import write_raw_recording
from eegemo.simulation.raw_signals import Artifacts
from eegemo.simulation.subject import SimulatedSubject
from experiments import SHARED
from raw_eeg import simulate

BAND = {"notch": 50.0, "l_freq": 4.0, "h_freq": 45.0, "reference": "average"}


def same_band(raw, clean, **steps):
    """The truth through the same filter and reference."""
    truth = mne.io.RawArray(clean, mne.pick_info(raw.info, np.arange(32)), verbose="ERROR")
    return preprocess(truth, **steps).get_data()


def judge(found, truth, before, blinks, sfreq):
    """Median correlation with the truth, Fp1 and Fp2, and what is left of blinks where most is."""
    inside = slice(round(4 * sfreq), -round(4 * sfreq))
    r = np.array(
        [np.corrcoef(a, b)[0, 1] for a, b in zip(found[:, inside], truth[:, inside], strict=True)]
    )
    around = blinks[(blinks > 5 * sfreq) & (blinks < truth.shape[1] - 5 * sfreq)][:, np.newaxis]
    around = around + np.arange(round(-0.3 * sfreq), round(0.3 * sfreq))

    def locked(error):
        return np.sqrt((error[:, around].mean(axis=1) ** 2).mean(axis=1)).max()

    frontal = [DEAP_EEG_CHANNELS.index(name) for name in ("Fp1", "Fp2")]
    residual = locked(found - truth) / locked(before - truth)
    return float(np.median(r)), float(r[frontal].min()), float(residual)


@pytest.mark.parametrize(
    ("method", "frontal_at_least"), [("regression", 0.85), ("ica", 0.0)], ids=["regression", "ica"]
)
def test_eye_movements_go_and_the_brain_stays(method, frontal_at_least):
    raw, clean, blinks = simulate()
    steps = BAND | {"sfreq": 128.0}
    record = Record()
    found = preprocess(raw, **steps, eog=method, record=record)
    assert found.ch_names == list(DEAP_EEG_CHANNELS)
    before, truth = preprocess(raw, **steps).get_data(), same_band(raw, clean, **steps)
    scores = judge(found.get_data(), truth, before, blinks // 2, 128.0)
    uncorrected = judge(before, truth, before, blinks // 2, 128.0)
    print(
        f"{method}: median r {scores[0]:.3f} (uncorrected {uncorrected[0]:.3f}), Fp {scores[1]:.2f}"
        f" ({uncorrected[1]:.2f}), blinks left {scores[2]:.1%}"
    )
    assert scores[0] >= 0.95
    assert scores[1] >= max(frontal_at_least, uncorrected[1])
    assert scores[2] <= 0.15
    # the record knows the same: most was taken where the eyes are, at the time of the blinks
    most = record.eog.eeg_channels[int(np.argmax(record.eog.removed))]
    assert most in ("Fp1", "Fp2", "AF3", "AF4")
    assert abs(record.eog.n_blinks - len(blinks)) <= 0.1 * len(blinks)


# Numbers of participants stand for the variants of DEAP's files: 1 to 22 Twente, then Geneva; 24 to
# 28 with a blank name of the status channel, 29 to 32 with 49 channels.
@pytest.mark.filterwarnings("ignore:.*flat:UserWarning")
@pytest.mark.parametrize(
    ("number", "n_trials", "duration"),
    [
        pytest.param(24, 6, 20.0),
        *(
            pytest.param(number, 16, 40.0, marks=pytest.mark.slow)
            for number in (1, 5, 12, 22, 23, 24, 28, 29, 32)
        ),
    ],
)
def test_eye_movements_go_from_simulated_bdf_files(tmp_path, number, n_trials, duration):
    """Against the brain alone, recorded by the same amplifier without anything else."""
    ratings = simulate_ratings(number, n_trials, 0, duration)
    person = SimulatedSubject(number, ratings, duration, 1.0, 0.4, 0)
    known = write_raw_recording(tmp_path / f"s{number:02d}.bdf", person)
    nothing = Artifacts(eyes=0, muscle=0, line=0, drift=0, noise=0, bad=False)
    write_raw_recording(tmp_path / "clean" / f"s{number:02d}.bdf", person, nothing)
    raw = read_raw_deap(tmp_path / f"s{number:02d}.bdf")
    steps = BAND | {"sfreq": 128.0, "bads": "interpolate"}
    clean = read_raw_deap(tmp_path / "clean" / f"s{number:02d}.bdf")
    truth = preprocess(clean, **steps | {"bads": "keep"}).get_data()
    before = preprocess(raw, **steps).get_data()
    blinks = np.round(known.blink_times * 128).astype(int)
    uncorrected = judge(before, truth, before, blinks, 128.0)
    for method in ("regression", "ica"):
        record = Record()
        found = preprocess(raw, **steps, eog=method, record=record).get_data()
        median, frontal, left = judge(found, truth, before, blinks, 128.0)
        print(
            f"s{number:02d} {method}: median r {median:.3f} (uncorrected {uncorrected[0]:.3f}), "
            f"Fp {frontal:.2f} ({uncorrected[1]:.2f}), blinks left {left:.1%}"
        )
        assert median >= 0.95
        assert left <= 0.15
        if method == "regression":
            assert frontal >= max(0.85, uncorrected[1])
        assert set(record.bads) == set(known.bads)
        # most blinks are found; two in half a second count as one
        assert 0.7 * len(blinks) < record.eog.n_blinks <= len(blinks)


def test_fitted_on_what_is_kept_more_of_the_blinks_stays():
    """Weights estimated from 1 Hz on, as `preprocess` does, beat those of the band that is kept."""
    raw, clean, blinks = simulate(1)
    kept = preprocess(raw, channels=raw.ch_names, **BAND)  # EOG included
    before, truth = preprocess(raw, **BAND).get_data(), same_band(raw, clean, **BAND)
    left = {}
    for name, fit_on in {
        "4-45 Hz": kept,
        "1-45 Hz": set_reference(band_pass(raw, 1.0, 45.0)),
    }.items():
        found = remove_eog_regression(kept, fit_on=fit_on).get_data()[:32]
        left[name] = judge(found, truth, before, blinks, 256.0)[2]
    whole = preprocess(raw, **BAND, eog="regression").get_data()
    left["preprocess"] = judge(whole, truth, before, blinks, 256.0)[2]
    print({name: f"{share:.1%}" for name, share in left.items()})
    assert left["1-45 Hz"] < left["4-45 Hz"]
    assert left["preprocess"] == pytest.approx(left["1-45 Hz"], abs=0.01)


def test_without_a_reference_too_the_eyes_are_removed():
    raw, clean, blinks = simulate()
    steps = BAND | {"reference": None}
    before, truth = preprocess(raw, **steps).get_data(), same_band(raw, clean, **steps)
    # what the reference electrode picks up stays, in every channel alike
    average = [data - data.mean(axis=0) for data in (truth, before)]
    found = preprocess(raw, **steps, eog="regression").get_data()
    scores = judge(found - found.mean(axis=0), *average, blinks, 256.0)
    assert scores[2] <= 0.15


@pytest.mark.parametrize("remove", [remove_eog_regression, remove_eog_ica])
def test_the_input_and_the_eog_stay_as_they_are(remove):
    raw = band_pass(simulate(seconds=30)[0], 1.0, 45.0)
    before = raw.get_data()
    fit_on = raw.copy()
    new = remove(raw, fit_on=fit_on)
    np.testing.assert_array_equal(raw.get_data(), before)
    np.testing.assert_array_equal(fit_on.get_data(), before)
    np.testing.assert_array_equal(new.get_data()[32:], before[32:])
    assert np.abs(new.get_data()[:32] - before[:32]).max() > 1e-6


def test_trials_are_cleaned_as_continuous_signals_are():
    raw, _, _ = simulate()
    raw = band_pass(raw, 1.0, 45.0)
    epochs = mne.make_fixed_length_epochs(raw, 10.0, preload=True, proj=False, verbose="ERROR")
    whole = remove_eog_regression(raw, fit_on=raw).get_data()
    parts = remove_eog_regression(epochs, fit_on=epochs).get_data()
    parts = parts.swapaxes(0, 1).reshape(34, -1)
    difference = (parts - whole[:, : parts.shape[1]])[:32]
    # both subtract the means of the EOG, of the whole or of each trial, and offsets do not matter
    difference = difference.reshape(32, len(epochs), -1)
    difference = difference - difference.mean(axis=2, keepdims=True)
    assert np.abs(difference).max() < 0.1e-6  # of 15 µV


def test_eog_channels_may_be_named_whatever_their_type():
    raw, _, _ = simulate(seconds=30)
    typed = preprocess(raw, **BAND, eog="regression").get_data()
    raw.set_channel_types({"hEOG": "eeg", "vEOG": "misc"}, on_unit_change="ignore")
    named = preprocess(raw, **BAND, eog="regression", eog_channels=["hEOG", "vEOG"])
    assert named.ch_names == list(DEAP_EEG_CHANNELS)
    np.testing.assert_array_equal(named.get_data(), typed)
    kept = preprocess(
        raw, channels=["Fz", "vEOG", "Cz", "Fp1"], eog="regression", eog_channels=["vEOG"]
    )
    assert kept.ch_names == ["Fz", "vEOG", "Cz", "Fp1"]


@pytest.mark.parametrize(
    ("change", "options", "says"),
    [
        (lambda raw: raw.drop_channels(["hEOG", "vEOG"]), {}, "no channel is of type EOG"),
        (lambda raw: raw, {"eog_channels": ["EXG1"]}, "the recording has no channel EXG1"),
        (lambda raw: raw, {"eog_channels": []}, "that list, which is empty"),
        (lambda raw: flatten(raw, "vEOG"), {}, "EOG channel vEOG is flat"),
        (lambda raw: repeat(raw, "hEOG", "vEOG"), {}, "hEOG, vEOG are not independent"),
        (lambda raw: raw, {"channels": ["Fz", "Cz", "Pz"], "eog": "ica"}, "8 good EEG channels"),
    ],
    ids=["none", "wrong", "empty", "flat", "twice", "few"],
)
def test_what_cannot_be_removed_is_said(change, options, says):
    raw = change(simulate(seconds=20)[0])
    with pytest.raises(DataError, match=says):
        preprocess(raw, **({"eog": "regression"} | options))


def flatten(raw, name):
    raw._data[raw.ch_names.index(name)] = 1e-3
    return raw


def repeat(raw, name, of):
    raw._data[raw.ch_names.index(name)] = 2 * raw._data[raw.ch_names.index(of)]
    return raw


def test_ica_without_anything_like_the_eog_removes_nothing_and_says_so():
    raw, clean, _ = simulate(seconds=30)
    noise = 1e-5 * np.random.default_rng(0).normal(size=(2, clean.shape[1]))
    raw = mne.io.RawArray(np.vstack([clean, noise]), raw.info, verbose="ERROR")
    record = Record()
    new = preprocess(raw, **BAND, eog="ica", record=record)
    np.testing.assert_array_equal(new.get_data(), preprocess(raw, **BAND).get_data())
    assert record.eog.labels == []
    assert any("no component correlates with the EOG" in note for note in record.notes)


def test_a_real_biosemi_recording_goes_through_the_same_functions():
    """One second at 2048 Hz: EOG channels named as in the file, references and status left out."""
    path = SHARED / "real-eeg" / "biosemi" / "biosemi_2048hz.bdf"
    if not path.is_file():
        pytest.skip(f"no real BioSemi recording at {path}")
    raw = mne.io.read_raw_bdf(path, preload=True, verbose="ERROR")
    others = ["EXG1", "EXG5", "EXG8", "M1", "M2"]
    raw.set_channel_types(dict.fromkeys(others, "misc"), on_unit_change="ignore")
    eyes = ["REOG", "LEOG", "IEOG"]
    raw.set_montage("biosemi64", on_missing="ignore", verbose="ERROR")
    raw._data[raw.ch_names.index("Oz")] = raw._data[raw.ch_names.index("Oz"), 0]  # damaged here
    record = Record()
    new = preprocess(
        raw,
        sfreq=256.0,
        h_freq=45.0,  # a second is too short for a high-pass, or for a notch
        bads="interpolate",
        eog="regression",
        eog_channels=eyes,
        reference="average",
        record=record,
    )
    assert new.get_data().shape == (64, 256)
    assert record.bads["Oz"] == "flat"
    assert "Oz" in record.interpolated
    assert np.abs(new.get_data().mean(axis=0)).max() < 1e-12  # average reference, in volts
    eog = preprocess(raw, channels=eyes, sfreq=256.0, h_freq=45.0).get_data()
    for before, goal in ((True, 0.3), (False, 1e-6)):
        data = new.get_data()
        if before:
            data = preprocess(raw, sfreq=256.0, h_freq=45.0, reference="average").get_data()
            data = data[[name not in eyes for name in preprocess(raw).ch_names]]
        r = np.abs(np.corrcoef(np.vstack([data, eog]))[:64, 64:]).max()
        print(f"largest correlation with the EOG {'before' if before else 'after'}: {r:.1e}")
        assert (r > goal) if before else (r < goal)  # least squares leaves none
