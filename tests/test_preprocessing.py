"""Preprocessing against truths: known sinusoids, and SciPy used independently."""

import mne
import numpy as np
import pandas as pd
import pytest
import scipy.signal

from eegemo.datasets import EMOTIV_CHANNELS
from eegemo.errors import DataError
from eegemo.preprocessing import (
    band_pass,
    correct_baseline,
    notch,
    pick_channels,
    preprocess,
    resample,
    set_reference,
)

RNG = np.random.default_rng(0)


def make_raw(data, sfreq=256.0, names=None, types="eeg", first_samp=0):
    data = np.atleast_2d(data)
    names = names or [f"E{index}" for index in range(len(data))]
    info = mne.create_info(names, sfreq, types, verbose="ERROR")
    return mne.io.RawArray(data, info, first_samp=first_samp, verbose="ERROR")


def make_epochs(data, sfreq=128.0, tmin=-1.0, names=None):
    names = names or [f"E{index}" for index in range(data.shape[1])]
    info = mne.create_info(names, sfreq, "eeg", verbose="ERROR")
    metadata = pd.DataFrame({"trial": np.arange(1, len(data) + 1)})
    return mne.EpochsArray(data, info, tmin=tmin, metadata=metadata, verbose="ERROR")


def sinusoid(frequency, sfreq, duration, phase=0.3):
    return 1e-5 * np.sin(2 * np.pi * frequency * np.arange(round(duration * sfreq)) / sfreq + phase)


@pytest.mark.parametrize("kind", ["raw", "epochs"])
def test_input_is_never_changed(kind):
    data = RNG.normal(size=(4, 2560)) * 1e-5
    inst = make_raw(data) if kind == "raw" else make_epochs(data[np.newaxis], 256.0)
    inst.info["bads"] = ["E3"]
    before = inst.get_data().tobytes(), str(inst.info), inst.times.tobytes()
    steps = [
        lambda: pick_channels(inst, ["E2", "E0"]),
        lambda: resample(inst, 128.0),
        lambda: resample(inst, 256.0),
        lambda: band_pass(inst, 4.0, 45.0),
        lambda: notch(inst, 50.0),
        lambda: set_reference(inst),
        lambda: preprocess(inst, sfreq=128.0, l_freq=4.0, h_freq=45.0, reference="average"),
        lambda: preprocess(inst),
    ]
    if kind == "epochs":
        steps.append(lambda: correct_baseline(inst, (-1.0, 0.0)))
    for step in steps:
        new = step()
        new._data[...] = 7.0  # the result shares no memory with the input either
        assert new is not inst
        assert (inst.get_data().tobytes(), str(inst.info), inst.times.tobytes()) == before


def test_without_steps_nothing_changes():
    epochs = make_epochs(RNG.normal(size=(3, 4, 640)))
    new = preprocess(epochs)
    np.testing.assert_array_equal(new.get_data(), epochs.get_data())
    np.testing.assert_array_equal(new.times, epochs.times)
    pd.testing.assert_frame_equal(new.metadata, epochs.metadata)


# channels


def test_channels_come_in_the_order_of_the_list():
    data = RNG.normal(size=(5, 100))
    raw = make_raw(data, names=["Fz", "Cz", "Pz", "EOG", "Oz"], types=["eeg"] * 3 + ["eog", "eeg"])
    new = pick_channels(raw, ["Oz", "EOG", "Fz"])
    assert new.ch_names == ["Oz", "EOG", "Fz"]
    np.testing.assert_array_equal(new.get_data(), data[[4, 3, 0]])
    assert pick_channels(raw, "eeg").ch_names == ["Fz", "Cz", "Pz", "Oz"]
    assert pick_channels(raw, ("Cz",)).ch_names == ["Cz"]


def test_emotiv_channels():
    names = sorted([*EMOTIV_CHANNELS, "Cz", "Pz"])
    epochs = make_epochs(RNG.normal(size=(2, 16, 100)), names=names)
    new = pick_channels(epochs, "emotiv")
    assert new.ch_names == list(EMOTIV_CHANNELS)
    np.testing.assert_array_equal(
        new.get_data()[:, 0], epochs.get_data()[:, names.index(EMOTIV_CHANNELS[0])]
    )


def test_bad_channels_stay_so_that_recordings_agree():
    raw = make_raw(RNG.normal(size=(3, 100)))
    raw.info["bads"] = ["E1"]
    new = pick_channels(raw, "eeg")
    assert new.ch_names == ["E0", "E1", "E2"]
    assert new.info["bads"] == ["E1"]


@pytest.mark.parametrize(
    ("channels", "says"),
    [
        (
            ["Fz", "fp1"],
            r"channels=\['Fz', 'fp1'\]: .*no channel fp1\. Did you mean Fp1\?.*Fz, Fp1",
        ),
        (["T7"], r"no channel T7\.? "),
        ("emotiv", "no channel AF3, F7"),
        ("all", "'all' is not known; expected 'eeg', 'emotiv' or a list"),
        (["Fz", "Fz"], "channels names more than once: Fz"),
        ([], "channels is an empty list"),
    ],
)
def test_wrong_channels(channels, says):
    raw = make_raw(np.zeros((2, 100)), names=["Fz", "Fp1"])
    with pytest.raises(DataError, match=says):
        pick_channels(raw, channels)


def test_no_eeg():
    with pytest.raises(DataError, match="no EEG channel"):
        pick_channels(make_raw(np.zeros((1, 100)), types="eog"))


# resampling


@pytest.mark.parametrize(
    ("old", "new"), [(256, 128), (512, 128), (250, 128), (1000, 128), (256, 100)]
)
@pytest.mark.parametrize("extra", [0, 11])
def test_resampling_keeps_what_is_below_and_when_it_is(old, new, extra):
    """A 10 Hz sinusoid afterwards is the one sampled at the new rate: same size, same moment."""
    n_times = 20 * old + extra
    times = np.arange(n_times) / old
    raw = resample(make_raw(1e-5 * np.sin(2 * np.pi * 10 * times + 0.3), float(old)), float(new))
    assert raw.info["sfreq"] == new
    assert raw.n_times == int(np.ceil(n_times * new / old))
    expected = 1e-5 * np.sin(2 * np.pi * 10 * raw.times + 0.3)
    inside = slice(new, -new)
    # the pass band of SciPy's Kaiser design ripples by about 0.1 %
    np.testing.assert_allclose(raw.get_data()[0, inside], expected[inside], atol=3e-8)


@pytest.mark.parametrize("frequency", [80.0, 100.0, 120.0])
def test_resampling_does_not_alias(frequency):
    raw = resample(make_raw(sinusoid(frequency, 256, 20)), 128.0)
    inside = raw.get_data()[0, 128:-128]
    assert np.abs(inside).max() < 1e-5 / 100  # 40 dB down


def test_resampling_offset_does_not_ring():
    """Electrode offsets of millivolts must not reach into the signal from the edges."""
    raw = resample(make_raw(np.full(2560, 5e-3)), 128.0)
    np.testing.assert_allclose(raw.get_data(), 5e-3, rtol=1e-3)


def test_resampled_epochs_keep_time_zero_and_metadata():
    times = np.arange(-256, 512) / 256
    epochs = make_epochs(np.tile(1e-5 * np.cos(2 * np.pi * 5 * times), (3, 2, 1)), 256.0)
    new = resample(epochs, 128.0)
    assert (new.tmin, new.times[128], len(new.times)) == (-1.0, 0.0, 384)
    np.testing.assert_allclose(
        new.get_data()[:, :, 64:-64],
        np.broadcast_to(1e-5 * np.cos(2 * np.pi * 5 * new.times[64:-64]), (3, 2, 256)),
        atol=3e-8,  # ripple, see above
    )
    pd.testing.assert_frame_equal(new.metadata, epochs.metadata)


@pytest.mark.parametrize("date", [None, 1e9])
def test_resampled_raw_keeps_annotations_and_first_sample(date):
    raw = make_raw(RNG.normal(size=(2, 2571)), first_samp=512)
    raw.set_meas_date(date)
    raw.set_annotations(mne.Annotations([0.5, 9.0], [0.0, 1.0], ["a", "BAD_b"]))
    raw.info["bads"] = ["E1"]
    new = resample(raw, 128.0)
    assert new.first_samp == 256
    assert new.info["bads"] == ["E1"]
    np.testing.assert_allclose(new.annotations.onset, raw.annotations.onset)
    assert list(new.annotations.description) == ["a", "BAD_b"]


@pytest.mark.parametrize("sfreq", [512.0, 0.0, -1.0, float("nan"), float("inf"), 1e-6, 0.01])
def test_wrong_rates(sfreq):
    with pytest.raises(DataError, match="sfreq="):
        resample(make_raw(np.zeros(1000)), sfreq)


# band-pass


@pytest.mark.parametrize("kind", ["raw", "epochs"])
@pytest.mark.parametrize(
    ("frequency", "passes"), [(1.0, False), (10.0, True), (40.0, True), (62.0, False)]
)
def test_band_pass(kind, frequency, passes):
    signal = sinusoid(frequency, 128, 20)
    inst = make_raw(signal, 128.0) if kind == "raw" else make_epochs(signal[np.newaxis, np.newaxis])
    new = band_pass(inst, 4.0, 45.0).get_data().ravel()
    inside = slice(256, -256)
    if passes:
        # MNE's Hamming design ripples by 0.02 dB, 0.2 %; equal samples also mean no shift in time
        np.testing.assert_allclose(new[inside], signal[inside], atol=0.003e-5)
    else:
        assert np.abs(new[inside]).max() < 1e-5 / 100  # 40 dB down


def test_band_pass_agrees_with_scipy():
    """The same zero-phase FIR, designed here from its definition with SciPy alone."""
    sfreq, l_freq, h_freq = 128.0, 4.0, 45.0
    noise = np.random.default_rng(1).normal(size=1280) * 1e-5
    new = band_pass(make_raw(noise, sfreq), l_freq, h_freq).get_data()[0]
    l_trans, h_trans = min(max(0.25 * l_freq, 2.0), l_freq), min(0.25 * h_freq, sfreq / 2 - h_freq)
    length = int(np.ceil(3.3 / min(l_trans, h_trans) * sfreq)) // 2 * 2 + 1
    # MNE designs each edge as long as its own transition needs, and pads the shorter with zeros

    def low_pass(cutoff, transition):
        own = round(3.3 / transition * sfreq) // 2 * 2 + 1
        taps = scipy.signal.firwin(own, cutoff, window="hamming", fs=sfreq)
        return np.pad(taps, (length - own) // 2)

    taps = low_pass(h_freq + h_trans / 2, h_trans) - low_pass(l_freq - l_trans / 2, l_trans)
    expected = scipy.signal.fftconvolve(noise, taps, mode="same")
    inside = slice(length, -length)
    # the rounding of convolutions by FFT
    np.testing.assert_allclose(new[inside], expected[inside], rtol=0, atol=1e-17)


def test_only_electrical_channels_are_filtered():
    data = np.stack([sinusoid(60.0, 256, 10)] * 4)
    raw = make_raw(data, types=["eeg", "eog", "misc", "stim"])
    new = band_pass(raw, None, 30.0).get_data()
    assert np.abs(new[:2, 256:-256]).max() < 1e-7
    np.testing.assert_array_equal(new[2:], data[2:])


def test_one_edge_only():
    mixed = sinusoid(1.0, 256, 20) + sinusoid(100.0, 256, 20)
    low = band_pass(make_raw(mixed), None, 30.0).get_data()[0]
    high = band_pass(make_raw(mixed), 30.0, None).get_data()[0]
    inside = slice(512, -512)
    np.testing.assert_allclose(low[inside], sinusoid(1.0, 256, 20)[inside], atol=0.003e-5)
    np.testing.assert_allclose(high[inside], sinusoid(100.0, 256, 20)[inside], atol=0.003e-5)


@pytest.mark.parametrize(
    ("l_freq", "h_freq", "says"),
    [
        (None, 64.0, "h_freq=64 Hz; expected less than 64 Hz"),
        (4.0, 100.0, "h_freq=100 Hz"),
        (45.0, 4.0, "l_freq=45 Hz is not below h_freq=4 Hz"),
        (4.0, 4.0, "not below"),
        (0.0, 45.0, "l_freq=0 Hz; expected a positive frequency"),
        (None, -1.0, "h_freq=-1 Hz"),
        (0.1, None, r"lasts 33.* s, the signals only 5\.00 s"),
    ],
)
def test_wrong_bands(l_freq, h_freq, says):
    with pytest.raises(DataError, match=says):
        band_pass(make_epochs(np.zeros((1, 1, 640))), l_freq, h_freq)


# notch


@pytest.mark.parametrize("kind", ["raw", "epochs"])
@pytest.mark.parametrize(
    ("frequency", "passes"), [(48.0, True), (50.0, False), (52.0, True), (60.0, False)]
)
def test_notch(kind, frequency, passes):
    """The notches are 40 dB deep, and 2 Hz away nothing is left of them."""
    signal = sinusoid(frequency, 256, 20)
    inst = make_raw(signal) if kind == "raw" else make_epochs(signal[None, None], 256.0)
    new = notch(inst, [50.0, 60.0]).get_data().ravel()
    inside = slice(1024, -1024)
    if passes:
        # two Hamming designs in a row, each with a ripple of 0.02 dB
        np.testing.assert_allclose(new[inside], signal[inside], atol=0.005e-5)
    else:
        assert np.abs(new[inside]).max() < 1e-5 / 100
    assert inst.get_data().ravel().tobytes() == signal.tobytes()


def test_notch_agrees_with_scipy():
    """A zero-phase FIR that is one less two low-passes, designed here with SciPy alone."""
    noise = np.random.default_rng(2).normal(size=5120) * 1e-5
    new = notch(make_raw(noise), 50.0).get_data()[0]
    length = int(np.ceil(3.3 / 0.5 * 256)) // 2 * 2 + 1
    half = 50 / 200 / 2 + 0.5 / 2  # to the middle of the transition

    def low_pass(edge):
        return scipy.signal.firwin(length, edge, window="hamming", fs=256)

    taps = low_pass(50 - half) - low_pass(50 + half)
    taps[length // 2] += 1
    expected = scipy.signal.fftconvolve(noise, taps, mode="same")
    inside = slice(length, -length)
    np.testing.assert_allclose(new[inside], expected[inside], rtol=0, atol=1e-17)


@pytest.mark.parametrize("freqs", [0.0, 127.5, [50.0, 200.0], -50.0, float("nan")])
def test_wrong_notches(freqs):
    with pytest.raises(DataError, match=r"notch=.*expected more than 1 Hz, and less than 127 Hz"):
        notch(make_raw(np.zeros(5120)), freqs)


def test_a_notch_longer_than_the_signals():
    with pytest.raises(DataError, match=r"lasts 6\.6 s, the signals only 3\.00 s"):
        notch(make_raw(np.zeros(768)), 50.0)


# resampling, band-pass and reference together


def test_the_three_steps_agree_with_scipy():
    """On the interior; against SciPy's resampling, its filter design, and a plain mean."""
    noise = np.random.default_rng(3).normal(size=(4, 512 * 30)) * 1e-5
    new = preprocess(
        make_raw(noise, 512.0), sfreq=128.0, l_freq=4.0, h_freq=45.0, reference="average"
    ).get_data()
    slow = scipy.signal.resample_poly(noise, 1, 4, axis=1)
    length = int(np.ceil(3.3 / 2 * 128)) // 2 * 2 + 1

    def low_pass(edge, transition):  # see test_band_pass_agrees_with_scipy
        own = round(3.3 / transition * 128) // 2 * 2 + 1
        return np.pad(scipy.signal.firwin(own, edge, fs=128), (length - own) // 2)

    taps = low_pass(45 + 11.25 / 2, 11.25) - low_pass(4 - 2 / 2, 2)
    expected = scipy.signal.fftconvolve(slow, taps[np.newaxis], mode="same", axes=1)
    expected -= expected.mean(axis=0)
    inside = slice(2 * length, -2 * length)
    error = np.abs(new - expected)[:, inside].max()
    print(f"largest difference {error:.1e} V of {np.abs(new).max():.1e} V")
    # the rounding of convolutions by FFT
    assert error < 1e-16


# reference


def test_average_reference_sums_to_zero():
    epochs = make_epochs(RNG.normal(size=(3, 8, 256)) * 1e-5)
    new = set_reference(epochs).get_data()
    assert np.abs(new.sum(axis=1)).max() < 1e-18  # rounding of sums near 1e-5
    difference = epochs.get_data() - new
    np.testing.assert_allclose(difference, difference[:, :1].repeat(8, axis=1), atol=1e-18)


def test_bad_channels_do_not_enter_the_mean():
    data = RNG.normal(size=(4, 256))
    raw = make_raw(data)
    raw.info["bads"] = ["E2"]
    new = set_reference(raw).get_data()
    np.testing.assert_allclose(new[[0, 1, 3]], (data - data[[0, 1, 3]].mean(axis=0))[[0, 1, 3]])


def test_wrong_references():
    with pytest.raises(DataError, match="'mastoids' is not known"):
        set_reference(make_raw(np.zeros((2, 100))), "mastoids")
    with pytest.raises(DataError, match="two good EEG channels or more; there are 1"):
        set_reference(make_raw(np.zeros((1, 100))))


# baseline


def test_baseline_is_the_mean_before_onset():
    data = RNG.normal(size=(3, 2, 640)) * 1e-5 + 4e-5
    epochs = make_epochs(data, tmin=-3.0)
    new = correct_baseline(epochs, [-3.0, 0.0])
    np.testing.assert_allclose(new.get_data(), data - data[:, :, :385].mean(axis=2, keepdims=True))
    part = correct_baseline(epochs, (-1.0, -0.5)).get_data()
    np.testing.assert_allclose(part, data - data[:, :, 256:321].mean(axis=2, keepdims=True))


@pytest.mark.parametrize(
    ("baseline", "says"),
    [
        ([0.0, 3.0], r"\[0, 3\] s reaches into the stimulus. Times count from stimulus onset"),
        ([-1.0, 0.5], "reaches into the stimulus"),
        ([-5.0, 0.0], "not inside the trials, which last from -3 to"),
        ([0.0, 0.0], "not an interval"),
        ([-1.0, -2.0], "not an interval"),
    ],
)
def test_wrong_baselines(baseline, says):
    epochs = make_epochs(np.zeros((1, 1, 640)), tmin=-3.0)
    with pytest.raises(DataError, match=says):
        preprocess(epochs, baseline=baseline)


# all together


def test_order_of_the_steps():
    """Doing the steps one by one gives the same; the reference is that of the chosen channels."""
    raw = make_raw(RNG.normal(size=(6, 5120)) * 1e-5)
    rates = []

    def make_epochs(raw):
        rates.append(raw.info["sfreq"])
        events = np.array([[1280, 0, 1]])
        return mne.Epochs(
            raw, events, tmin=-1.0, tmax=2.0, baseline=None, preload=True, verbose="ERROR"
        )

    names = ["E4", "E0", "E1"]
    new = preprocess(
        raw,
        channels=names,
        sfreq=128.0,
        l_freq=4.0,
        h_freq=40.0,
        reference="average",
        baseline=(-1.0, 0.0),
        make_epochs=make_epochs,
    )
    by_hand = set_reference(band_pass(resample(pick_channels(raw, names), 128.0), 4.0, 40.0))
    by_hand = correct_baseline(make_epochs(by_hand), (-1.0, 0.0))
    assert rates == [128.0, 128.0]
    assert new.ch_names == names
    np.testing.assert_allclose(new.get_data(), by_hand.get_data(), atol=1e-18)
    assert np.abs(new.get_data().sum(axis=1)).max() < 1e-17


def test_continuous_signals_have_no_baseline():
    with pytest.raises(DataError, match="needs trials"):
        preprocess(make_raw(np.zeros((2, 1000))), baseline=(-1.0, 0.0))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"eog": "asr"}, "eog='asr' is not known; expected 'none', 'regression' or 'ica'"),
        ({"bads": "drop"}, "bads='drop' is not known; expected 'keep' or 'interpolate'"),
    ],
)
def test_unknown_choices(given, says):
    with pytest.raises(DataError, match=says):
        preprocess(make_raw(np.zeros((2, 1000))), **given)
