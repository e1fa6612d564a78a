"""Bad channels, broken trials, and the record of what was done, against known damage."""

import mne
import numpy as np
import pandas as pd
import pytest
import scipy.signal

from eegemo.datasets.deap import DEAP_EEG_CHANNELS
from eegemo.errors import DataError, ResultError
from eegemo.preprocessing import (
    NoTrialLeftError,
    Record,
    find_bad_channels,
    interpolate_bads,
    load_records,
    preprocess,
    reject_trials,
    save_records,
)
from eegemo.preprocessing.bads import _spline_weights
from eegemo.preprocessing.record import power_spectrum
from raw_eeg import simulate

SFREQ = 128.0


def make_brain(seed=0, seconds=30, n=32):
    """EEG at 128 Hz without eye movements and line noise, against an active electrode."""
    _, clean, _ = simulate(seed, seconds)
    info = mne.create_info(list(DEAP_EEG_CHANNELS), SFREQ, "eeg")
    info.set_montage("biosemi32")
    reference = 1e-5 * np.random.default_rng(seed).normal(size=clean.shape[1] // 2)
    brain = mne.io.RawArray(clean[:, ::2] + reference, info, verbose="ERROR")
    return brain.pick(list(DEAP_EEG_CHANNELS[:n]), verbose="ERROR")


def as_epochs(raw, seconds=5.0):
    n = round(seconds * SFREQ)
    data = raw.get_data()
    data = data[:, : data.shape[1] // n * n].reshape(len(data), -1, n).swapaxes(0, 1)
    metadata = pd.DataFrame({"session": "1", "trial": np.arange(len(data)) + 11})
    metadata["subject"], metadata["stimulus"] = "s01", [f"v{k}" for k in metadata["trial"]]
    return mne.EpochsArray(data, raw.info, metadata=metadata, verbose="ERROR")


# bad channels


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ["raw", "epochs"])
def test_damaged_channels_are_found_and_no_others(seed, kind):
    raw = make_brain(seed)
    rng = np.random.default_rng(seed + 100)
    assert find_bad_channels(raw) == {}
    raw._data[3] = 2e-3  # disconnected: an offset and nothing else
    raw._data[17] += 300e-6 * rng.normal(size=raw.n_times)  # loose
    raw._data[25] = 15e-6 * rng.normal(size=raw.n_times)  # of the right size, from elsewhere
    raw._data[30, : raw.n_times // 3] = 0  # off for ten seconds
    found = find_bad_channels(raw if kind == "raw" else as_epochs(raw))
    names = raw.ch_names
    assert set(found) == {names[k] for k in (3, 17, 25, 30)}
    assert found[names[3]] == "flat"
    assert found[names[17]].startswith("noisy")
    assert found[names[25]].startswith("unlike its neighbours")
    assert found[names[30]].startswith("flat in 3")


def test_blinks_make_no_channel_bad():
    raw = make_brain()
    t = raw.times
    blinks = np.exp(-0.5 * ((t - np.arange(2, 30, 3)[:, None]) / 0.08) ** 2).sum(axis=0)
    for name, size in {"Fp1": 150e-6, "Fp2": 150e-6, "AF3": 60e-6, "AF4": 60e-6}.items():
        raw._data[raw.ch_names.index(name)] += size * blinks
    assert find_bad_channels(raw) == {}


def test_few_channels_are_only_looked_at_for_being_flat():
    raw = make_brain(n=5)
    raw._data[1] = 0
    raw._data[2] *= 100
    assert find_bad_channels(raw) == {raw.ch_names[1]: "flat"}


def test_the_splines_that_predict_channels_are_those_of_mne():
    """One inverse for all channels against MNE's interpolation of one channel at a time."""
    info = make_brain(seconds=1).info
    weights = _spline_weights(info)
    np.testing.assert_allclose(np.diag(weights), 0, atol=1e-9)
    np.testing.assert_allclose(weights.sum(axis=1), 1)  # a constant is predicted to be one
    for row in (0, 9, 23):
        probe = mne.io.RawArray(np.eye(32), info, verbose="ERROR")
        probe.info["bads"] = [info.ch_names[row]]
        expected = probe.interpolate_bads(verbose="ERROR").get_data()[row]
        # MNE fits its sphere to other points of the head
        np.testing.assert_allclose(weights[row], expected, atol=0.01)


def test_interpolated_channels_come_near_the_truth():
    raw = make_brain()
    truth = raw.get_data()
    raw._data[[5, 20]] = 0
    raw.info["bads"] = [raw.ch_names[5], raw.ch_names[20]]
    before = raw.get_data()
    new = interpolate_bads(raw)
    assert new.info["bads"] == []
    np.testing.assert_array_equal(raw.get_data(), before)
    others = np.setdiff1d(np.arange(32), [5, 20])
    np.testing.assert_array_equal(new.get_data()[others], truth[others])
    for row in (5, 20):
        r = np.corrcoef(new.get_data()[row], truth[row])[0, 1]
        print(f"{raw.ch_names[row]}: r {r:.3f} with the truth")
        assert r > 0.9


def test_what_cannot_be_interpolated():
    raw = make_brain()
    raw.info["bads"] = raw.ch_names[:20]
    with pytest.raises(DataError, match=r"20 of 32 EEG channels are bad .*too many"):
        interpolate_bads(raw)
    raw = make_brain()
    raw.set_montage(None)
    raw.info["bads"] = ["Fz"]
    with pytest.raises(DataError, match=r"needs the positions of the electrodes.*none for"):
        interpolate_bads(raw)


def test_a_flat_channel_is_repaired_or_at_least_reported():
    raw = make_brain()
    raw._data[3] = 0
    record = Record()
    kept = preprocess(raw, reference="average", record=record)
    assert record.bads == {"F7": "flat"}
    assert any("channel F7 is flat and was kept" in note for note in record.notes)
    record = Record()
    repaired = preprocess(raw, reference="average", bads="interpolate", record=record)
    assert (record.bads, record.interpolated) == ({"F7": "flat"}, ["F7"])
    assert any("channel F7 replaced by its neighbours: flat" in note for note in record.notes)
    truth = preprocess(make_brain(), reference="average").get_data()
    assert np.corrcoef(repaired.get_data()[3], truth[3])[0, 1] > 0.9
    assert np.corrcoef(kept.get_data()[3], truth[3])[0, 1] < 0.5


def test_channels_marked_in_the_recording_are_replaced_too():
    raw = make_brain()
    raw.info["bads"] = ["Cz"]
    record = Record()
    new = preprocess(raw, bads="interpolate", record=record)
    assert record.bads == {"Cz": "marked in the recording"}
    assert new.info["bads"] == []
    assert preprocess(raw, bads="keep").info["bads"] == ["Cz"]


# broken trials


def test_rejected_trials_leave_the_others_as_they_were():
    epochs = as_epochs(make_brain())
    epochs._data[1, 4, 100] += 1e-3
    epochs._data[4, 9, 50] -= 2e-3
    record = Record()
    new = reject_trials(epochs, 500e-6, record=record)
    assert list(new.metadata["trial"]) == [11, 13, 14, 16]
    assert list(new.metadata["stimulus"]) == ["v11", "v13", "v14", "v16"]
    np.testing.assert_array_equal(new.get_data(), epochs.get_data()[[0, 2, 3, 5]])
    assert len(epochs) == 6
    found = [(one.session, one.trial, one.channel) for one in record.rejected]
    assert found == [("1", 12, epochs.ch_names[4]), ("1", 15, epochs.ch_names[9])]
    for one, row in zip(record.rejected, (1, 4), strict=True):
        assert one.amplitude == pytest.approx(np.ptp(epochs.get_data()[row], axis=1).max())
    assert "2 of 6 trials left out, peak-to-peak amplitude above 500 µV: 12, 15" in record.notes


def test_a_bad_channel_rejects_no_trial():
    epochs = as_epochs(make_brain())
    epochs._data[:, 4] *= 1000
    epochs.info["bads"] = [epochs.ch_names[4]]
    assert len(reject_trials(epochs, 1e-3)) == 6


def test_no_trial_left_and_wrong_limits():
    epochs = as_epochs(make_brain())
    with pytest.raises(NoTrialLeftError, match="leaves none of 6 trials: their largest"):
        preprocess(epochs, reject=1e-6)
    with pytest.raises(DataError, match="expected a positive amplitude"):
        reject_trials(epochs, 0.0)
    with pytest.raises(DataError, match="reject needs trials"):
        preprocess(make_brain(), reject=1e-4)


# the record


def test_records_come_back_from_disk_as_they_were(tmp_path):
    raw = make_brain()
    data = np.vstack([raw.get_data(), np.random.default_rng(0).normal(size=raw.n_times) * 1e-4])
    info = mne.create_info([*raw.ch_names, "EOG"], SFREQ, ["eeg"] * 32 + ["eog"])
    info.set_montage("biosemi32")
    raw = mne.io.RawArray(data, info, verbose="ERROR")
    raw._data[7] = 0
    record = Record()
    preprocess(raw, l_freq=4.0, bads="interpolate", eog="regression", record=record)
    save_records([record, Record(notes=["a second run"])], tmp_path)
    first, second = load_records(tmp_path)
    assert second.notes == ["a second run"]
    assert (first.steps, first.bads, first.positions) == (
        record.steps,
        record.bads,
        record.positions,
    )
    np.testing.assert_array_equal(first.after, record.after)
    np.testing.assert_array_equal(first.eog.topographies, record.eog.topographies)
    assert first.eog.eog_channels == ["EOG"]
    (tmp_path / "record.npz").write_bytes(b"damaged")
    with pytest.raises(ResultError, match="cannot be read"):
        load_records(tmp_path)


def test_the_recorded_spectra_show_what_the_filter_did():
    raw = make_brain()
    record = Record()
    preprocess(raw, l_freq=4.0, h_freq=30.0, record=record)
    change = record.after / record.before
    inside = (record.freqs >= 5) & (record.freqs <= 28)
    np.testing.assert_allclose(change[:, inside], 1, rtol=0.1)
    outside = (record.freqs < 2) | (record.freqs > 39)
    # a segment of 2 s leaks a little of what is next to it
    assert change[:, outside].max() < 0.03


@pytest.mark.parametrize("sfreq", [128.0, 101.0])  # segments of even and odd length
@pytest.mark.parametrize("n_times", [1000, 150])
def test_recorded_spectra_are_scipys(sfreq, n_times):
    """Each trial's segments are next to each other, without overlap; their spectra are averaged."""
    data = 1e-5 * np.random.default_rng(0).normal(size=(5, 10, n_times))
    info = mne.create_info(10, sfreq, "eeg")
    epochs = mne.EpochsArray(data, info, verbose="ERROR")
    freqs, power = power_spectrum(epochs, epochs.ch_names)
    length = min(round(2 * sfreq), n_times)
    segments = data[..., : n_times // length * length].reshape(5, 10, -1, length)
    expected = scipy.signal.periodogram(segments, sfreq, window="hann")
    np.testing.assert_array_equal(freqs, expected[0])
    # rounding of sums in another order; the mean of a segment is zero but for it
    expected = expected[1].mean(axis=(0, 2))
    np.testing.assert_allclose(power, expected, rtol=1e-10, atol=1e-12 * expected.max())
    raw = mne.io.RawArray(data[0], info, verbose="ERROR")
    one = mne.EpochsArray(data[:1], info, verbose="ERROR")
    np.testing.assert_array_equal(
        power_spectrum(raw, raw.ch_names)[1], power_spectrum(one, one.ch_names)[1]
    )


@pytest.mark.parametrize(
    "steps",
    [
        {"channels": ["Cz", "Fz", "Pz"], "l_freq": 4.0, "reference": "average"},
        {"sfreq": SFREQ, "notch": 50.0},
        {"bads": "interpolate", "h_freq": 40.0},
        {"eog": "regression", "eog_channels": ["Fp1"], "l_freq": 4.0, "h_freq": 45.0},
    ],
)
def test_without_a_copy_the_signals_are_the_same(steps):
    raw = make_brain()
    for inst in (raw, as_epochs(raw, seconds=14.0)):
        records = Record(), Record()
        before = inst.get_data(copy=True) if inst is not raw else inst.get_data()
        copied = preprocess(inst, **steps, record=records[0])
        np.testing.assert_array_equal(inst.get_data(), before)
        in_place = preprocess(inst, **steps, record=records[1], copy=False)
        assert in_place is inst
        np.testing.assert_array_equal(copied.get_data(), in_place.get_data())
        assert copied.ch_names == in_place.ch_names
        assert records[0].steps == records[1].steps
        np.testing.assert_array_equal(records[0].after, records[1].after)


def test_a_baseline_does_not_show_in_the_recorded_spectra():
    """They are not computed again where a baseline is all that was subtracted."""
    epochs = as_epochs(make_brain())
    epochs.shift_time(-1.0)
    record = Record()
    new = preprocess(epochs, baseline=(-1.0, 0.0), record=record)
    assert np.abs(new.get_data() - epochs.get_data()).max() > 1e-7
    expected = power_spectrum(new, new.ch_names)[1]
    np.testing.assert_allclose(record.after, expected, rtol=1e-9, atol=1e-12 * expected.max())


def test_no_trial_has_no_spectrum():
    info = mne.create_info(2, SFREQ, "eeg")
    epochs = mne.EpochsArray(np.zeros((1, 2, 512)), info, verbose="ERROR")
    freqs, power = power_spectrum(epochs[:0], epochs.ch_names)
    assert power.shape == (2, len(freqs))
    assert np.isnan(power).all()


def test_a_record_changes_nothing():
    raw = make_brain()
    steps = {"l_freq": 4.0, "bads": "interpolate", "reference": "average"}
    plain = preprocess(raw, **steps)
    recorded = preprocess(raw, **steps, record=Record())
    np.testing.assert_array_equal(plain.get_data(), recorded.get_data())
