"""The simulated release: its bytes, its ratings, and what is and is not in its signals."""

import base64
import dataclasses
import hashlib
import json
import pickle
import pickletools
import warnings
import zlib
from collections import Counter

import numpy as np
import pandas as pd
import pytest
import scipy.io
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from eegemo.datasets.deap import DEAP_CHANNELS, DEAP_EEG_CHANNELS, load_deap_arrays
from eegemo.errors import InputError
from eegemo.simulation import read_simulation, simulate_deap
from eegemo.simulation.brain import make_brain
from eegemo.simulation.deap_files import write_dat
from eegemo.simulation.head import lead_field
from eegemo.simulation.ratings import BASELINE, simulate_ratings
from eegemo.simulation.spectra import SFREQ

# cPickle.dumps({"labels": ..., "data": ...}, 2) of `_pattern` below, zlib and base64, from
# Python 2.7.18 with NumPy 1.16.6; for longer arrays the length and SHA-256 of the same.
PYTHON_2_SMALL = (
    "eNprYKotZNQIZctJTErNKS5kSs4rzS2o1EvOL0rVyy3NKclMLCpKrOSKL0pNzs8rLikqTS7hKmSGqOLKS4HIFrJ4M7SG"
    "Mia1BxWyangzejN5s7RBlaSUVBakchWyhTKlWXgzeDMClbBreDOHMtr4+fl5/QcCMOHNUJLUGerAAAYf7CE0A5TPAaUF"
    "oLQIlJaA0jJQWsGhJCmUJSWxJLGQI4M5A+EoToijmL1Z2jPYO0MPMKAAUq0beH0lSaV6AHK1TCk="
)
PYTHON_2_LONGER = {
    # (labels, data): BINSTRING with BININT2, then with BININT
    ((20, 4), (20, 2, 300)): (
        96832,
        "607329f6abfbd7e0901bdd8cd804f640480addfa0fa0aa701cf69bd7a1f05fef",
    ),
    ((1, 4), (1, 1, 70000)): (
        560223,
        "3ff6a83c03d000d11c9b2a4115ec3818f7123b7fcc0905bbe5544b710229c922",
    ),
}
FULL_SHAPE = (40, 40, 8064)
BANDS = {"theta": (4, 8), "alpha": (8, 13), "beta": (13, 30), "gamma": (30, 45)}
SIZE = {"n_subjects": 6, "n_trials": 16, "duration": 12}


def _pattern(labels_shape, data_shape):
    labels = (np.arange(np.prod(labels_shape)) % 9 + 1.0).reshape(labels_shape)
    return labels, (np.arange(np.prod(data_shape)) % 7.0).reshape(data_shape)


def _load(path, encoding="latin1"):
    """Unpickle as any user would; these files are our own."""
    with warnings.catch_warnings():
        # NumPy may remark on the spelling of old pickles; that is the reader's business
        warnings.simplefilter("ignore")
        return pickle.loads(path.read_bytes(), encoding=encoding)


def _digests(root):
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def _band_power(eeg, window=128, stride=64):
    """Log power per window, shape (n_trials, n_windows, n_channels, 4), each channel z-scored."""
    eeg = (eeg - eeg.mean((0, 2), keepdims=True)) / eeg.std((0, 2), keepdims=True)
    windows = np.lib.stride_tricks.sliding_window_view(eeg, window, axis=2)[:, :, ::stride]
    power = np.abs(np.fft.rfft(windows * np.hanning(window))) ** 2
    freqs = np.fft.rfftfreq(window, 1 / SFREQ)
    bands = [power[..., (freqs >= lo) & (freqs < hi)].sum(-1) for lo, hi in BANDS.values()]
    return np.log(np.stack(bands, axis=-1)).swapaxes(1, 2)


def _simulate(root, **options):
    """Band power (subject, trial, window, channel, band), felt states and classes per trial."""
    release = simulate_deap(root, **SIZE, **options)
    start = round(BASELINE * SFREQ)
    power = []
    for subject in release.subjects:
        data = _load(root / "data_preprocessed_python" / f"{subject}.dat")["data"]
        power.append(_band_power(data[:, :32, start:]))
    rated = [simulate_ratings(n, SIZE["n_trials"], release.seed) for n in range(1, 7)]
    felt = np.array([r.felt for r in rated])
    return np.array(power), felt, np.array([r.classes for r in rated])


@pytest.fixture(scope="module")
def strong(tmp_path_factory):
    return _simulate(tmp_path_factory.mktemp("strong"), effect=1.6, fingerprint=0.4)


@pytest.fixture(scope="module")
def null(tmp_path_factory):
    return _simulate(tmp_path_factory.mktemp("null"), effect=0.0, fingerprint=0.9)


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    root = tmp_path_factory.mktemp("release")
    return simulate_deap(
        root, n_subjects=3, n_trials=6, duration=5, formats=("python", "matlab"), truth=True
    )


@pytest.fixture(scope="module")
def first(release):
    return release.root / "data_preprocessed_python" / "s01.dat"


# --- files ---------------------------------------------------------------------------------------


def test_dat_is_what_python_2_wrote(tmp_path):
    labels, data = _pattern((2, 4), (2, 3, 4))
    write_dat(tmp_path / "s01.dat", labels, iter(data), data.shape)
    assert (tmp_path / "s01.dat").read_bytes() == zlib.decompress(base64.b64decode(PYTHON_2_SMALL))


@pytest.mark.parametrize("shapes", PYTHON_2_LONGER)
def test_long_dat_is_what_python_2_wrote(tmp_path, shapes):
    labels, data = _pattern(*shapes)
    write_dat(tmp_path / "s01.dat", labels, iter(data), data.shape)
    written = (tmp_path / "s01.dat").read_bytes()
    assert (len(written), hashlib.sha256(written).hexdigest()) == PYTHON_2_LONGER[shapes]


def test_opcodes_of_a_release(first):
    opcodes = list(pickletools.genops(first.read_bytes()))
    assert max(opcode.proto for opcode, _, _ in opcodes) == 2
    names = {argument for opcode, argument, _ in opcodes if opcode.name == "GLOBAL"}
    assert names == {"numpy.core.multiarray _reconstruct", "numpy ndarray", "numpy dtype"}
    strings = {opcode.name for opcode, _, _ in opcodes if "STRING" in opcode.name}
    assert strings == {"SHORT_BINSTRING", "BINSTRING"}
    assert not any("UNICODE" in opcode.name for opcode, _, _ in opcodes)


def test_full_size_file_is_103_megabytes(first):
    data = _load(first)["data"]
    overhead = first.stat().st_size - data.nbytes - 6 * 4 * 8
    full = 8 * int(np.prod(FULL_SHAPE)) + 40 * 4 * 8 + overhead
    assert round(full / 1e6) == 103


def test_opens_as_the_real_files_do(first):
    content = _load(first)
    assert list(content) == ["labels", "data"]
    assert content["data"].shape == (6, 40, 384 + 5 * 128)
    assert content["data"].dtype == content["labels"].dtype == np.float64
    assert set(_load(first, encoding="bytes")) == {b"labels", b"data"}
    with pytest.raises(UnicodeDecodeError):
        _load(first, encoding="ASCII")  # what Python 3 assumes when nothing is said


def test_mat_equals_dat(release, first):
    mat = release.root / "data_preprocessed_matlab" / "s01.mat"
    assert mat.read_bytes().startswith(b"MATLAB 5.0 MAT-file")
    matlab, python = scipy.io.loadmat(mat), _load(first)
    for key in ("data", "labels"):
        np.testing.assert_array_equal(matlab[key], python[key])
        assert matlab[key].dtype == np.float64


def test_our_reader_takes_both(release, first):
    data, labels = load_deap_arrays(first)
    assert data.shape == (6, 40, 1024)
    again, _ = load_deap_arrays(release.root / "data_preprocessed_matlab" / "s01.mat")
    np.testing.assert_array_equal(data, again)
    np.testing.assert_array_equal(labels, simulate_ratings(1, 6).labels)


def test_writer_refuses_what_was_not_announced(tmp_path):
    labels, data = _pattern((2, 4), (2, 3, 4))
    with pytest.raises(ValueError, match="received 1 trials, expected 2"):
        write_dat(tmp_path / "s01.dat", labels, iter(data[:1]), data.shape)
    with pytest.raises(ValueError, match="trial 1 is"):
        write_dat(tmp_path / "s01.dat", labels, iter(data[:, :1]), data.shape)
    assert list(tmp_path.iterdir()) == []


def test_tables(release, first):
    table = pd.read_csv(release.root / "participant_ratings.csv")
    assert list(table)[:4] == ["Participant_id", "Trial", "Experiment_id", "Start_time"]
    assert list(table)[4:] == ["Valence", "Arousal", "Dominance", "Liking", "Familiarity"]
    missing = table.groupby("Participant_id")["Familiarity"].apply(lambda x: x.isna().all())
    assert missing.to_dict() == {1: False, 2: True, 3: False}
    one = table[table["Participant_id"] == 1]
    assert one["Trial"].tolist() == list(range(1, 7))
    assert one["Start_time"].is_monotonic_increasing
    by_video = one.sort_values("Experiment_id")
    assert by_video["Trial"].tolist() != by_video["Experiment_id"].tolist()
    np.testing.assert_array_equal(
        by_video[["Valence", "Arousal", "Dominance", "Liking"]], _load(first)["labels"]
    )
    videos = pd.read_csv(release.root / "video_list.csv")
    assert videos["Experiment_id"].tolist() == list(range(1, 7))


def test_truth(release, first):
    truth = np.load(release.root / "truth" / "s01.npz")
    rated = simulate_ratings(1, 6)
    assert truth["classes"].tolist() == rated.classes
    np.testing.assert_array_equal(truth["valence"], rated.felt[:, 0])
    np.testing.assert_array_equal(truth["arousal"], rated.felt[:, 1])
    assert truth["presentation"].tolist() == rated.order.tolist()
    assert truth["ch_names"].tolist() == list(DEAP_EEG_CHANNELS)
    eeg = _load(first)["data"][:, :32] * 1e-6
    clean = truth["clean"]
    assert clean.shape == eeg.shape
    assert clean.dtype == np.float32
    # volts, average reference; before any filter, so with the slow waves that the .dat has not
    np.testing.assert_allclose(clean.mean(axis=1), 0, atol=1e-10)
    freqs = np.fft.rfftfreq(eeg.shape[-1], 1 / SFREQ)
    spectra = np.fft.rfft(eeg), np.fft.rfft(clean.astype(float))
    slow = freqs < 3
    assert np.sum(abs(spectra[1][..., slow]) ** 2) > 0.1 * np.sum(abs(spectra[1]) ** 2)
    passed = (freqs > 5) & (freqs < 44)
    eeg, clean = (np.fft.irfft(np.where(passed, spectrum, 0)) for spectrum in spectra)
    for trial, brain in zip(eeg, clean, strict=True):
        # muscles and eyes are the rest, and the smaller part
        correlation = [np.corrcoef(a, b)[0, 1] for a, b in zip(trial, brain, strict=True)]
        assert 0.9 < np.median(correlation) < 1
        slope = np.sum(trial * brain) / np.sum(brain**2)
        assert slope == pytest.approx(1, abs=0.03)  # the rest is unrelated
    described = json.loads((release.root / "truth" / "truth.json").read_text())
    assert (described["seed"], described["effect"]) == (0, 1.0)


# --- determinism ---------------------------------------------------------------------------------


def test_same_seed_same_bytes_whatever_else_is_written(tmp_path, release, first):
    options = {"n_trials": 6, "duration": 5}
    simulate_deap(tmp_path / "a", n_subjects=1, formats="matlab", **options)
    simulate_deap(tmp_path / "b", n_subjects=1, **options)
    whole, a, b = _digests(release.root), _digests(tmp_path / "a"), _digests(tmp_path / "b")
    dat, mat = "data_preprocessed_python/s01.dat", "data_preprocessed_matlab/s01.mat"
    assert b[dat] == whole[dat]
    assert a[mat] == whole[mat]
    simulate_deap(tmp_path / "b", n_subjects=1, seed=1, **options)
    assert _digests(tmp_path / "b")[dat] != whole[dat]
    simulate_deap(tmp_path / "b", n_subjects=1, **options)
    assert _digests(tmp_path / "b") == b


def test_whole_release_repeats(tmp_path):
    options = {"n_subjects": 2, "n_trials": 2, "duration": 1, "truth": True}
    simulate_deap(tmp_path / "a", **options, formats=("python", "matlab"))
    simulate_deap(tmp_path / "b", **options, formats=("python", "matlab"))
    assert _digests(tmp_path / "a") == _digests(tmp_path / "b")


def test_subjects_and_trials_differ(release, first):
    one = _load(first)["data"]
    two = _load(first.with_name("s02.dat"))["data"]
    assert not np.allclose(one, two)
    assert abs(np.corrcoef(one[0, 0], one[1, 0])[0, 1]) < 0.3


# --- ratings -------------------------------------------------------------------------------------


def test_class_imbalance_is_that_of_deap():
    totals, exact = [], []
    for seed in range(20):
        rated = [simulate_ratings(number, 40, seed) for number in range(1, 33)]
        counts = Counter(name for r in rated for name in r.classes)
        totals.append([counts[name] for name in ("HVHA", "HVLA", "LVHA", "LVLA")])
        exact.append(np.mean([(r.labels == 5).mean(axis=0) for r in rated], axis=0))
    # The mean of 20 releases varies by about 2; 16 of 1280 is 1.25 % of the trials.
    np.testing.assert_allclose(np.mean(totals, axis=0), [439, 269, 298, 274], atol=16)
    np.testing.assert_allclose(np.mean(exact, axis=0), 0.015, atol=0.004)


@pytest.mark.parametrize("n_trials", [4, 5, 8, 12, 16, 40])
def test_every_quadrant_has_a_video(tmp_path, n_trials):
    simulate_deap(tmp_path, n_subjects=1, n_trials=n_trials, duration=1)
    videos = pd.read_csv(tmp_path / "video_list.csv")
    counts = Counter(zip(videos["AVG_Valence"] > 5, videos["AVG_Arousal"] > 5, strict=True))
    assert len(counts) == 4
    assert max(counts.values()) <= 3 * min(counts.values())


def test_subjects_normally_have_all_classes():
    rarest = [
        len(set(simulate_ratings(number, 16, seed).classes))
        for seed in range(20)
        for number in range(1, 7)
    ]
    assert np.mean(np.array(rarest) == 4) > 0.9


def test_ratings_are_valid():
    rated = simulate_ratings(7, 40, seed=3)
    assert rated.labels.min() >= 1
    assert rated.labels.max() <= 9
    assert sorted(rated.order) == list(range(1, 41))
    assert np.all(np.diff(rated.start_time[np.argsort(rated.order)]) >= 63_000_000)
    assert set(rated.familiarity) <= {1, 2, 3, 4, 5}


# --- signals -------------------------------------------------------------------------------------


def test_eeg_is_like_deaps(release, first):
    for subject in release.subjects:
        data = _load(first.with_name(f"{subject}.dat"))["data"]
        assert np.isfinite(data).all()
        eeg = data[:, :32]
        rms = np.sqrt((eeg**2).mean((0, 2)))
        assert 9 < np.median(rms) < 22  # microvolts
        assert 4 < rms.min() < rms.max() < 40
        # Average reference: float32 rounding of values near 20 is about 1e-6 each.
        np.testing.assert_allclose(eeg.mean(axis=1), 0, atol=1e-4)
        power = (np.abs(np.fft.rfft(eeg)) ** 2).mean((0, 1))
        freqs = np.fft.rfftfreq(eeg.shape[-1], 1 / SFREQ)
        outside = (freqs < 3.4) | (freqs > 45.6)
        assert power[outside].sum() < 1e-6 * power.sum()
        bands = [power[(freqs >= lo) & (freqs < hi)].sum() for lo, hi in BANDS.values()]
        assert min(bands) > 0.05 * sum(bands)


def test_peripheral_channels_are_plausible(first):
    data = _load(first)["data"]
    named = {name: data[:, i] for i, name in enumerate(DEAP_CHANNELS)}
    assert 50 < named["vEOG"].max() < 800
    assert 1e4 < named["GSR"].min() < named["GSR"].max() < 1e6
    assert 28 < named["Temperature"].min() < named["Temperature"].max() < 37
    freqs = np.fft.rfftfreq(data.shape[-1], 1 / SFREQ)
    pulse = np.abs(np.fft.rfft(named["Plethysmograph"])).mean(0)
    assert 0.8 < freqs[pulse.argmax()] < 1.7
    breath = np.abs(np.fft.rfft(named["Respiration"])).mean(0)
    assert 0.1 < freqs[breath.argmax()] < 0.4


def test_lead_field_is_physical():
    field = lead_field()
    assert np.isfinite(field).all()
    np.testing.assert_allclose(field.mean(axis=0), 0, atol=1e-9)
    # a radial dipole is strongest at the electrode above it; F3 is the first region
    upward = field[:, 0] @ np.array([-0.5, 0.6, 0.5])
    assert DEAP_EEG_CHANNELS[upward.argmax()] == "F3"


def test_effect_zero_is_independent_of_the_emotion():
    brain = make_brain(np.random.default_rng(0))

    def trial(**options):
        return brain.trial(np.random.default_rng(1), 1024, **options).data

    neutral = trial(effect=0.0)
    np.testing.assert_array_equal(trial(valence=1, arousal=-1, effect=0.0), neutral)
    happy = trial(valence=1, arousal=1, effect=1.6)
    # peripheral channels carry no emotion, nor does the baseline; 0.5 s of it touch the blocks
    # and the filter rings
    np.testing.assert_array_equal(happy[32:], neutral[32:])
    before = slice(64, 128)
    assert np.std(happy[:32, before] - neutral[:32, before]) < 0.05 * np.std(neutral[:32])
    assert np.std(happy[:32, 512:] - neutral[:32, 512:]) > 0.3 * np.std(neutral[:32])


def _correlations(simulated):
    """Correlation over trials, subjects' means removed, of what should follow what."""
    power, felt, _ = simulated
    trial = power.mean(axis=2)
    alpha, beta, gamma = (trial[..., list(BANDS).index(b)] for b in ("alpha", "beta", "gamma"))
    left, right = DEAP_EEG_CHANNELS.index("F3"), DEAP_EEG_CHANNELS.index("F4")
    pairs = {
        "asymmetry, valence": (alpha[..., right] - alpha[..., left], felt[..., 0]),
        "beta, arousal": (beta.mean(-1), felt[..., 1]),
        "gamma, arousal": (gamma.mean(-1), felt[..., 1]),
        "alpha, arousal": (alpha.mean(-1), felt[..., 1]),
    }
    return {
        name: np.corrcoef((x - x.mean(1, keepdims=True)).ravel(), y.ravel())[0, 1]
        for name, (x, y) in pairs.items()
    }


def test_rhythms_follow_the_emotion(strong):
    found = _correlations(strong)
    assert found["asymmetry, valence"] > 0.7
    assert found["beta, arousal"] > 0.7
    assert found["gamma, arousal"] > 0.7
    assert found["alpha, arousal"] < -0.4


def test_nothing_follows_the_emotion_at_effect_zero(null):
    # 96 trials: standard error 0.1, so that 0.35 is passed by chance once in 2000
    assert all(abs(value) < 0.35 for value in _correlations(null).values())


def test_trials_have_fingerprints(null, tmp_path):
    def share_between(power):
        """Share of the variance over windows of a subject that lies between trials."""
        return (power.mean(axis=2).var(axis=1) / power.var(axis=(1, 2))).mean()

    plain, _, _ = _simulate(tmp_path, effect=0.0, fingerprint=0.0)
    # windows of half a second apart, 23 of them: noise alone leaves about 1 / 15
    assert share_between(plain) < 0.15
    assert share_between(null[0]) > 2.5 * share_between(plain)


def _balanced_accuracy(simulated, splitter):
    power, _, classes = simulated
    n_subjects, n_trials, n_windows = power.shape[:3]
    y = np.repeat(classes.ravel(), n_windows)
    trial = np.repeat(np.arange(n_subjects * n_trials), n_windows)
    model = make_pipeline(
        StandardScaler(), LogisticRegression(C=0.1, max_iter=300, class_weight="balanced")
    )
    features = power.reshape(len(y), -1)
    if isinstance(splitter, StratifiedGroupKFold):
        found = cross_val_predict(model, features, y, groups=trial, cv=splitter)
    else:
        found = cross_val_predict(model, features, y, cv=splitter)
    return balanced_accuracy_score(y, found)


@pytest.mark.slow
def test_what_can_be_learnt(strong, null):
    whole = StratifiedGroupKFold(3, shuffle=True, random_state=0)
    windows = StratifiedKFold(3, shuffle=True, random_state=0)
    assert _balanced_accuracy(strong, whole) > 0.75
    # Nothing to learn: 0.25, and over data sets of 96 trials its standard deviation is 0.043.
    assert _balanced_accuracy(null, whole) == pytest.approx(0.25, abs=3 * 0.043)
    # The leak: windows split at random recognise the trial.
    assert _balanced_accuracy(null, windows) > 0.6


# --- arguments and folders -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_subjects": 0}, "n_subjects: expected 1 to 99"),
        ({"n_subjects": 100}, "n_subjects: expected 1 to 99"),
        ({"n_trials": 0}, "n_trials: expected at least 1"),
        ({"duration": 0.5}, "duration: expected at least 1 second"),
        ({"duration": float("nan")}, "duration"),
        ({"effect": -1}, "effect: expected a number from 0 to 5, found -1"),
        ({"effect": float("nan")}, "effect"),
        ({"fingerprint": float("inf")}, "fingerprint"),
        ({"seed": -1}, "seed"),
        ({"formats": ("python", "edf")}, "one or more of 'python', 'matlab', 'bdf', found 'edf'"),
        ({"formats": ()}, "found none"),
        ({"n_trials": 100, "duration": 600}, "at most 2 GiB"),
        ({"n_trials": 200, "duration": 60, "formats": "bdf"}, r"5\.3 hours; expected at most 4"),
    ],
)
def test_nonsense_is_refused(tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        simulate_deap(tmp_path / "new", **options)
    assert not (tmp_path / "new").exists()


def test_data_of_others_are_left_alone(tmp_path):
    real = tmp_path / "data_preprocessed_python"
    real.mkdir()
    (real / "s01.dat").write_bytes(b"precious")
    with pytest.raises(InputError, match="may be the real DEAP"):
        simulate_deap(tmp_path, n_subjects=1, n_trials=1, duration=1)
    assert (real / "s01.dat").read_bytes() == b"precious"
    with pytest.raises(InputError, match="expected a folder"):
        simulate_deap(real / "s01.dat", n_subjects=1)


@pytest.mark.parametrize("kind", ["python", "matlab"])
def test_data_copied_over_a_simulation_are_left_alone(tmp_path, kind):
    options = {"n_subjects": 2, "n_trials": 2, "duration": 1, "formats": kind}
    simulate_deap(tmp_path / "other", seed=1, **options)
    simulate_deap(tmp_path / "here", **options)
    (path,) = (tmp_path / "other").rglob("s02.[dm]a*")
    path.replace(tmp_path / "here" / path.relative_to(tmp_path / "other"))
    before = _digests(tmp_path / "here")
    with pytest.raises(InputError, match=r"s02.*may be the real DEAP"):
        simulate_deap(tmp_path / "here", **options)
    assert _digests(tmp_path / "here") == before


def test_an_earlier_simulation_is_replaced(tmp_path):
    options = {"n_trials": 1, "duration": 1}
    before = simulate_deap(tmp_path, n_subjects=3, formats=("python", "matlab"), **options)
    assert read_simulation(tmp_path) == before
    calls = []
    after = simulate_deap(tmp_path, n_subjects=2, on_subject=lambda *a: calls.append(a), **options)
    assert calls == [("s01", 1, 2), ("s02", 2, 2)]
    assert sorted(p.name for p in tmp_path.rglob("s*.*") if p.suffix != ".json") == [
        "s01.dat",
        "s02.dat",
    ]
    assert read_simulation(tmp_path) == after


def test_an_interrupted_simulation_says_so(tmp_path):
    def stop(subject, i, n):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate_deap(tmp_path, n_subjects=2, n_trials=1, duration=1, on_subject=stop)
    found = read_simulation(tmp_path)
    assert found is not None
    assert not found.complete
    whole = simulate_deap(tmp_path, n_subjects=2, n_trials=1, duration=1)
    assert whole == dataclasses.replace(found, complete=True)
    (tmp_path / "simulation.json").write_text("{}")
    with pytest.raises(InputError, match="cannot be read"):
        read_simulation(tmp_path)
