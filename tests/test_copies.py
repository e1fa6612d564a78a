"""The same signals under two names: found whatever was changed, and different trials never."""

import pickle
import shutil
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from folders import make_events, make_noise, make_sections, write_recording
from scipy import signal

from eegemo.config import Experiment
from eegemo.datasets import Dataset
from eegemo.datasets.memory import Memory
from eegemo.errors import DataError
from eegemo.execution import RunContext
from eegemo.fingerprints import (
    FINGERPRINT,
    compare,
    find_identical,
    find_near,
    make_fingerprints,
    sketch_of,
)
from eegemo.fingerprints.pairs import best_agreement
from eegemo.runs.check import check_experiment
from eegemo.runs.copies import find_copies, settle_copies
from eegemo.runs.dataset import with_dataset
from eegemo.runs.naming import ways_out
from eegemo.runs.prepare import prepare_experiment
from eegemo.runs.prints import load_prints
from eegemo.simulation import simulate_deap
from eegemo.trials import load_trials
from experiments import SHARED, tiny
from helpers import make_epochs, make_metadata

RATE = 128.0
REAL = SHARED / "real-eeg" / "ssvep"


def brain(n, seconds, *, n_channels=6, seed=0, sfreq=RATE):
    """Trials like EEG: 1/f noise, of a few sources that all channels share, and an alpha rhythm."""
    rng = np.random.default_rng(seed)
    n_times = round(seconds * sfreq)
    frequency = np.fft.rfftfreq(n_times, 1 / sfreq)
    shape = 1 / np.maximum(frequency, 1.0) + 0.3 * np.exp(-(((frequency - 10) / 1.5) ** 2))
    white = np.fft.rfft(rng.standard_normal((n, n_channels, n_times)))
    sources = np.fft.irfft(white * shape, n_times)
    mixing = rng.standard_normal((n_channels, n_channels))
    trials = np.einsum("cs,nst->ntc", mixing, sources)
    return (1e-5 * trials / trials.std()).astype(np.float32)


def filtered(low, high):
    sos = signal.butter(4, [low, high], "bandpass", fs=RATE, output="sos")
    return lambda x: signal.sosfiltfilt(sos, x.astype(float), axis=0)


def resampled(x):
    there = signal.resample_poly(x.astype(float), 25, 32, axis=0)
    return signal.resample_poly(there, 32, 25, axis=0)[: len(x)]


def levels(x):
    return np.linspace(-1, 1, x.shape[1])


CHANGES = {
    "unit": lambda x: 1e6 * x,
    "offset": lambda x: x + 2e-2 * levels(x),  # as electrodes have without a high-pass
    "drift": lambda x: x + 5e-5 * np.linspace(0, 1, len(x))[:, None] * levels(x),
    "sign": lambda x: -x,
    "average reference": lambda x: x - x.mean(axis=1, keepdims=True),
    "channel as reference": lambda x: x - x[:, :1],
    "another reference": lambda x: x + 3e-5 * np.random.default_rng(1).normal(size=(len(x), 1)),
    "order of channels": lambda x: x[:, ::-1],
    "filter": filtered(1, 40),
    "narrow filter": filtered(0.5, 30),
    "resampling": resampled,
    "rounding": lambda x: np.round(x / 5e-7) * 5e-7,
    "3 samples cut": lambda x: x[3:],
    "cut at both ends": lambda x: x[5:-9],
}
LONGER = {
    "quarter of a second cut": lambda x: x[35:],
    "half a second cut": lambda x: x[: -round(RATE / 2)],
    "all at once": lambda x: -3e6 * filtered(1, 40)(x - x[:, 2:3])[35:],
}


@pytest.mark.parametrize("seconds", [1.0, 2.0, 4.0, 12.0, 60.0])
def test_a_copy_is_found_whatever_was_changed(seconds):
    trials = brain(8, seconds)
    changes = CHANGES | (LONGER if seconds > 1 else {})
    for name, change in changes.items():
        copies = [np.asarray(change(x), np.float32) for x in trials]
        prints = make_fingerprints([*trials, *copies], RATE)
        found = {(pair.first, pair.second) for pair in find_near(prints)}
        assert found == {(k, 8 + k) for k in range(8)}, name


def test_the_delay_of_a_cut_is_told():
    (trial,) = brain(1, 10.0)
    prints = make_fingerprints([trial, trial[round(1.5 * RATE) :]], RATE)
    (pair,) = find_near(prints)
    assert pair.delay == pytest.approx(1.5, abs=0.01)
    assert pair.similarity > 0.95
    (pair,) = find_near(prints[::-1])
    assert pair.delay == pytest.approx(-1.5, abs=0.01)


def test_pieces_of_one_recording_that_overlap_are_found():
    (recording,) = brain(1, 60.0)
    begins = [0, 15, 19, 45]  # 10 s each: only the second and the third have 6 s in common
    pieces = [recording[round(b * RATE) : round((b + 10) * RATE)] for b in begins]
    (pair,) = find_near(make_fingerprints(pieces, RATE))
    assert (pair.first, pair.second, pair.delay) == (1, 2, pytest.approx(4.0, abs=0.02))


def greatest_z(prints):
    """How near a pair of different trials comes to being called copies: they are from 6 on."""
    pairs = [(prints[i], prints[k]) for i in range(len(prints)) for k in range(i)]
    assert not any(compare(*pair)[0] for pair in pairs)
    return max(best_agreement(*pair)[1] for pair in pairs)


@pytest.mark.parametrize("seconds", [1.0, 2.0, 4.0, 30.0])
def test_different_trials_are_far_from_being_called_copies(seconds):
    prints = make_fingerprints(brain(30, seconds, seed=3), RATE)
    assert find_near(prints) == []
    assert greatest_z(prints) < 5


def test_different_trials_of_a_real_recording_are_not_copies(tmp_path):
    """Steady flicker: trials of a class are as alike as trials can be."""
    if not REAL.is_dir():
        pytest.skip("the real recording is not here")
    sections = make_sections(REAL, data={"tmax": 3.0}, split={"n_splits": 2})
    plan = prepare_experiment(Experiment.model_validate(sections), RunContext(tmp_path / "r"))
    trials = plan.windows.trials
    assert len(trials) > 150
    for n_times in (256, 512, 768):
        signals = [trials.array(k)[:n_times] for k in range(len(trials))]
        assert find_near(make_fingerprints(signals, trials.sfreq)) == []
    some = make_fingerprints([trials.array(k)[:512] for k in range(40)], trials.sfreq)
    assert greatest_z(some) < 5


# --- fingerprints --------------------------------------------------------------------------------


def test_a_fingerprint_is_small_and_the_same_however_trials_are_given():
    assert FINGERPRINT.itemsize <= 1000
    trials = brain(5, 3.0)
    together = make_fingerprints(trials, RATE)
    for other in (list(trials), [trials[:2], trials[2:]], (x for x in trials)):
        assert make_fingerprints(other, RATE).tobytes() == together.tobytes()
    assert [part.shape for part in sketch_of(together[0])] == [(5, together["size"][0])] * 2


@pytest.mark.parametrize("sfreq", [32.0, 100.0, 128.0, 250.0, 500.0, 1000.0])
@pytest.mark.parametrize("seconds", [0.3, 1.0, 3.0, 20.0, 130.0])
def test_any_rate_and_length_has_a_fingerprint(sfreq, seconds):
    trial = brain(2, seconds, n_channels=2, sfreq=sfreq)
    prints = make_fingerprints([*trial, -trial[0]], sfreq)
    assert find_identical(prints) == []
    if seconds >= 1:
        assert (prints["low"][0] + prints["high"][0]) * prints["size"][0] <= 960
        assert [(pair.first, pair.second) for pair in find_near(prints)] == [(0, 2)]


@pytest.mark.parametrize("n_channels", [1, 2])
def test_one_channel_is_enough(n_channels):
    trials = brain(6, 8.0, n_channels=n_channels)
    prints = make_fingerprints([*trials, 5 - 2e6 * trials[3]], RATE)
    assert [(pair.first, pair.second) for pair in find_near(prints)] == [(3, 6)]


def test_trials_of_different_lengths_are_compared():
    (long,) = brain(1, 90.0, seed=1)
    others = [x for k, s in enumerate((2.0, 5.0, 40.0)) for x in brain(3, s, seed=5 + k)]
    cut = [long[640 : 640 + round(s * RATE)] for s in (40.0, 60.0)]
    found = find_near(make_fingerprints([long, *others, *cut], RATE))
    assert {(0, 10), (0, 11), (10, 11)} == {(pair.first, pair.second) for pair in found}


def test_flat_trials_are_no_copies_of_each_other_and_said():
    (trial,) = brain(1, 4.0)
    flat = np.zeros_like(trial)
    prints = make_fingerprints([flat, trial, flat + 1, flat, trial], RATE)
    assert prints["flat"].tolist() == [True, False, True, True, False]
    copies = find_copies(prints)
    assert copies.identical == ((1, 4),)
    assert copies.near == ()
    assert copies.flat == (0, 2, 3)
    _, notes = settle_copies(find_copies(prints[:4]), make_metadata(4))
    assert notes == [
        "In 3 trials no channel changes, so nobody can tell whether they are copies of each other."
    ]


def test_signals_are_identical_only_if_all_samples_are():
    trials = brain(2, 4.0)
    other = trials[0].copy()
    other[33, 1] = np.nextafter(other[33, 1], np.float32(1))  # the least change there is
    signals = [trials[0], trials[1], trials[0][:, ::-1], other]
    prints = make_fingerprints(signals, RATE)
    assert find_identical(prints) == [[0, 2, 3]]  # as far as fingerprints tell
    copies = find_copies(prints, load=lambda row: signals[row])
    assert copies.identical == ((0, 2),)
    assert [(pair.first, pair.second) for pair in copies.near] == [(0, 3)]


def test_many_copies_of_one_trial_are_all_found():
    trials = brain(3, 4.0)
    prints = make_fingerprints([*trials, *(k * trials[1] for k in range(2, 14))], RATE)
    found = {(pair.first, pair.second) for pair in find_near(prints)}
    assert {pair for pair in found if pair[0] == 1} == {(1, k) for k in range(3, 15)}


# --- words and bundles ---------------------------------------------------------------------------


def settled(trials, metadata, keep="refuse"):
    return settle_copies(find_copies(make_fingerprints(trials, RATE)), metadata, keep=keep)


def test_kept_copies_are_bundled_with_what_they_were_bundled_with():
    trials = brain(6, 4.0)
    signals = [*trials[:4], 3 * trials[0], *trials[4:]]
    metadata = make_metadata(7).assign(bundle=["", "a", "", "b", "a", "", "b"])
    bundle, notes = settled(signals, metadata, "keep")
    assert bundle == ["copies#1", "copies#1", "", "b", "copies#1", "", "b"]
    assert notes == [
        "1 trial is nearly the same as another (similarity 1.00), as s01 (trials 1 and 5). They "
        "are kept (data.copies: keep), and no split divides them."
    ]


def test_overlap_in_a_bundle_is_expected():
    (recording,) = brain(1, 12.0)
    pieces = make_fingerprints([recording[: 10 * 128], recording[3 * 128 :]], RATE)
    assert len(find_copies(pieces).near) == 1
    assert find_copies(pieces, bundle=["x", "x"]).near == ()
    assert len(find_copies(pieces, bundle=["x", "y"]).near) == 1
    assert len(find_copies(pieces, bundle=["", ""]).near) == 1


def test_identical_signals_are_refused_even_if_copies_are_kept():
    trials = brain(2, 4.0)
    with pytest.raises(DataError, match=r"1 trial is identical .*s01 \(trials 1 and 3\)"):
        settled([*trials, trials[0]], make_metadata(3), "keep")


def test_whole_subjects_come_first_and_three_pairs_are_shown():
    trials = brain(12, 2.0)
    first = make_metadata(12)
    subjects = [first.assign(subject=f"s{k:02d}") for k in range(1, 6)]
    about = pd.concat(subjects, ignore_index=True)
    signals = [*trials, *trials, *(2 * trials[:1]), *brain(11, 2.0, seed=2), *trials, *trials]
    with pytest.raises(DataError) as caught:
        settled(signals, about)
    text = str(caught.value)
    assert "s02 and s01 (all 12 trials); s04 and s01 (all 12 trials); s05 and s01 (all" in text
    assert "36 trials are identical to another" in text
    with pytest.raises(DataError) as caught:
        settled([*trials, *signals[24:36]], about[:24])
    text = str(caught.value)
    assert "s02 and s01 (1 of 12 trials: s02, trial 1, and s01, trial 1)" in text
    assert "similarity 1.00" in text
    assert "data.copies: keep" in text


@dataclass(frozen=True, kw_only=True)
class Choosing(Dataset):
    """A data set with all the options there may be."""

    subjects: str = "all"
    exclude: str = ""
    runs: str = "all"
    acquisition: str = "all"

    def find(self):
        return []


@pytest.mark.parametrize(
    ("subject", "links", "ways"),
    [
        ("02", [(0, 4), (1, 5)], "data.exclude: [sub-02], or data.subjects: ['01']"),
        ("s02", [(0, 4), (1, 5)], "data.exclude: [s02], or data.subjects: [01a]"),
        ("02", [(0, 4)], "data.exclude: [sub-02_ses-1_trial-1], or data.subjects: ['01']"),
        (
            "02",
            [(0, 2), (1, 3)],
            "data.exclude: [sub-01_ses-2], or data.subjects: ['02']",
        ),
    ],
)
def test_the_way_out_is_written_as_in_the_file(subject, links, ways):
    first = "01a" if subject == "s02" else "01"
    sessions = [make_metadata(2, subject=first).assign(session=name) for name in ("1", "2")]
    metadata = pd.concat([*sessions, make_metadata(2, subject=subject)], ignore_index=True)
    assert ways_out(links, metadata, Choosing()) == f"Leave one of each out: {ways}."
    assert ways_out(links, metadata, None) == "Leave one of each out of the data."


@pytest.mark.parametrize(
    ("runs", "links", "names"),
    [
        ("1122", [(0, 2), (1, 3)], "data.exclude: [sub-01_run-2]"),
        ("1122", [(0, 2)], "data.exclude: [sub-01_trial-3]"),
        (
            ["acq-raw", "acq-raw", "acq-clean", "acq-clean"],
            [(0, 2), (1, 3)],
            "data.acquisition, if these are recordings of the same trials, or data.exclude: "
            "[sub-01_acq-clean]",
        ),
        ("1112", [(0, 1), (0, 3)], "data.exclude: [sub-01_run-2, sub-01_trial-2]"),
    ],
)
def test_recordings_that_are_copies_as_a_whole_are_left_out_as_a_whole(runs, links, names):
    metadata = make_metadata(4, subject="01").assign(run=list(runs), session="1")
    assert ways_out(links, metadata, Choosing()) == f"Leave one of each out: {names}."


# --- whole data sets -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """A release of three simulated subjects, the last of which is the first once more."""
    root = tmp_path_factory.mktemp("deap")
    simulate_deap(root, n_subjects=2, n_trials=8, duration=6.0)
    folder = root / "data_preprocessed_python"
    shutil.copy(folder / "s01.dat", folder / "s03.dat")
    return folder


def deap(root, **changes):
    sections = make_sections(root, labels={"task": "valence"}, **changes)
    sections["data"] |= {"source": "deap", "root": str(root)}
    return Experiment.model_validate(sections)


def refusals(experiment, place):
    """What check and run say, which have to agree."""
    checked = check_experiment(experiment, results=place)
    assert not place.exists()
    with pytest.raises(DataError) as caught:
        prepare_experiment(experiment, RunContext(place))
    assert checked.problems == [str(caught.value)]
    assert check_experiment(experiment, results=place).problems == [str(caught.value)]  # stored
    return str(caught.value)


def test_a_subject_of_deap_twice_is_refused_before_training(release, tmp_path):
    text = refusals(deap(release), tmp_path / "r")
    assert text.startswith("data: 8 trials are identical to another, sample by sample")
    assert "s03 and s01 (all 8 trials)." in text
    assert "data.subjects: [s01, s02]" in text
    plan = prepare_experiment(
        deap(release, data={"subjects": ["s01", "s02"]}), RunContext(tmp_path / "r")
    )
    assert len(plan.windows.trials) == 16


def rewritten(release, place, subject, change):
    """A release in which the signals of a subject are others."""
    shutil.copytree(release, place)
    file = place / f"{subject}.dat"
    content = pickle.loads(file.read_bytes(), encoding="latin1")
    file.write_bytes(pickle.dumps(change(content), protocol=2))
    return place


def test_two_trials_of_one_file_of_deap_are_refused(release, tmp_path):
    def repeat(content):
        content["data"][6] = content["data"][1]
        return content

    root = rewritten(release, tmp_path / "deap", "s02", repeat)
    (root / "s03.dat").unlink()
    text = refusals(deap(root), tmp_path / "r")
    assert "1 trial is identical" in text
    assert "s02 (trials 2 and 7)" in text


def test_a_subject_in_another_unit_is_refused_or_kept_in_one_part(release, tmp_path):
    def scale(content):
        content["data"] = -0.5 * content["data"] + 3
        return content

    root = rewritten(release, tmp_path / "deap", "s03", scale)
    text = refusals(deap(root), tmp_path / "r")
    assert "8 trials are nearly the same as another (similarity 1.00;" in text
    assert "s03 and s01 (all 8 trials)." in text
    kept = deap(root, data={"copies": "keep"}, split={"n_splits": 4, "validation": 0.25})
    plan = prepare_experiment(kept, RunContext(tmp_path / "r"))
    assert any("8 trials are nearly the same as another" in note for note in plan.notes)
    table = plan.windows.table
    same = table["subject"].isin(["s01", "s03"]).to_numpy()
    assert (table["bundle"] != "").to_numpy().tolist() == same.tolist()
    for fold in plan.folds:
        for rows in fold.parts().values():
            part = table.iloc[rows]
            trials = [set(part["trial"][part["subject"] == name]) for name in ("s01", "s03")]
            assert trials[0] == trials[1]
    # worker processes map the files again, and must know the bundles, too
    again = pickle.loads(pickle.dumps(plan.windows))
    assert again.table["bundle"].tolist() == table["bundle"].tolist()
    notes = check_experiment(kept, results=tmp_path / "other", calibrate=False).notes
    assert any("8 trials are nearly the same as another" in note for note in notes)


def test_a_repeated_enrolment_is_found_under_another_name_and_unit(tmp_path):
    signals = make_noise(32, seed=1)
    write_recording(tmp_path / "b", "01", data=signals, events=make_events(6))
    write_recording(tmp_path / "b", "02", data=make_noise(32, seed=2), events=make_events(6))
    later = signals[:, 64:] - signals[0, 64:]
    events = [(onset - 0.4, length, kind) for onset, length, kind in make_events(6)]
    write_recording(tmp_path / "b", "07", data=later, events=events, scale=1e-3, unit="mV")
    sections = make_sections(tmp_path / "b", preprocessing={"channels": None})
    del sections["preprocessing"]["channels"]
    text = refusals(Experiment.model_validate(sections), tmp_path / "r")
    assert "6 trials are nearly the same as another" in text
    assert "07 and 01 (all 6 trials)" in text


def test_runs_that_are_copies_are_named(tmp_path):
    signals = make_noise(32, seed=1)
    for run, data in (("1", signals), ("2", make_noise(32, seed=2)), ("3", signals)):
        write_recording(tmp_path / "b", "01", data=data, events=make_events(6), run=run)
    experiment = Experiment.model_validate(make_sections(tmp_path / "b"))
    text = refusals(experiment, tmp_path / "r")
    assert "01, run 3 and 01, run 1 (all 6 trials)" in text


def test_fingerprints_are_stored_beside_trials_and_made_again_if_damaged(release, tmp_path):
    experiment = deap(release, data={"subjects": ["s01", "s02"]})
    context = RunContext(tmp_path / "r")
    plan = prepare_experiment(experiment, context)
    kept = sorted((context.store / "fingerprints").glob("*/fingerprints.npy"))
    assert len(kept) == 2
    trials = load_trials(plan.windows.trials.folders)
    prints = load_prints(trials)
    assert prints.tobytes() == make_fingerprints(trials.arrays[0], RATE).tobytes() + (
        make_fingerprints(trials.arrays[1], RATE).tobytes()
    )
    kept[0].write_bytes(kept[0].read_bytes()[:-9])
    kept[1].parent.joinpath("manifest.json").unlink()
    assert load_prints(trials).tobytes() == prints.tobytes()


def test_recordings_in_memory_are_compared(tmp_path):
    given = [make_epochs(6, n_times=128, valence=[1.0, 9.0] * 3, seed=3)]
    given.append(make_epochs(6, subject="s02", n_times=128, valence=[9.0, 1.0] * 3, seed=3))
    data = Memory.of(given)
    experiment = with_dataset(tiny(tmp_path, "preprocessing.baseline=null"), data)
    with pytest.raises(DataError, match=r"6 trials are identical .*Leave one of each out of the"):
        prepare_experiment(experiment, RunContext(tmp_path / "r"), dataset=data)


def test_no_simulated_data_has_copies(tmp_path):
    experiment = tiny(tmp_path, "data.n_subjects=4", "model={name: band_power_logreg}")
    plan = prepare_experiment(experiment, RunContext(tmp_path / "r"))
    assert "bundle" not in plan.windows.trials.metadata
