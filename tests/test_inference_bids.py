"""Predicting recordings with events, and what is unlike training: truths known from elsewhere."""

import json
import shutil
from types import SimpleNamespace

import mne
import numpy as np
import pandas as pd
import pytest
from bids_files import write_recording
from edf_files import write_edf

from eegemo import parse_experiment
from eegemo.datasets.bids import Bids
from eegemo.errors import DataError, InputError
from eegemo.inference import predict_recording
from eegemo.inference.events import read_bids_run
from eegemo.inference.folder import FILES
from eegemo.inference.predict import _describe_acquaintance
from eegemo.inference.scoring import find_classes
from eegemo.pages.figures import class_timeline
from eegemo.results import open_result
from eegemo.runs.run import run_experiments

TEXT = "name: t\ndata: {source: bids, root: ROOT}\nlabels: {task: given}\n"
TEXT += "windows: {duration: 1.0, stride: 0.5}\nsplit: {group: subject, n_splits: 3}\n"
TEXT += "model: {name: band_power_logreg, bands: [[8.0, 13.0]]}\n"
KINDS = ("happy", "sad") * 4
SECONDS = 45


def rows_of(kinds, first=1.0):
    return [(first + 5 * k, 4.0, kind, f"clip{k}") for k, kind in enumerate(kinds)]


def signals_of(kinds, *, seed, sfreq=64, alpha=60.0):
    """White noise of 10 µV, with a strong alpha rhythm in happy trials: 4 channels."""
    rng = np.random.default_rng(seed)
    times = np.arange(SECONDS * sfreq) / sfreq
    noise = rng.normal(0, 10 * np.sqrt(sfreq / 64), (4, len(times)))  # as much in each Hz
    happy = np.zeros(len(times))
    for onset, duration, kind, _ in rows_of(kinds):
        happy[(times >= onset) & (times < onset + duration)] = kind == "happy"
    return noise + alpha * happy * np.sin(2 * np.pi * 10.5 * times)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("inference_bids")


@pytest.fixture(scope="module")
def result(root):
    for k in (1, 2, 3):
        signals = signals_of(KINDS, seed=k)
        write_recording(root / "train", f"0{k}", rows_of(KINDS), signals=signals)
    experiment = parse_experiment(TEXT.replace("ROOT", str(root / "train")))
    (folder,) = run_experiments([experiment], results=root / "r", report=False)
    return folder


@pytest.fixture
def no_figures(monkeypatch):
    """Most of the time of a prediction is that of its figures."""
    monkeypatch.setattr("eegemo.inference.folder._draw", lambda *_: None)


def record(root, subject, kinds=KINDS, told=KINDS, *, gain=1.0, signals=None, **options):
    """A new recording; `told` is what its events say of its trials."""
    if signals is None:
        signals = signals_of(kinds, seed=int(subject), sfreq=options.get("sfreq", 64))
    rows = None if told is None else rows_of(told)
    return write_recording(root / "new", subject, rows, signals=gain * signals, **options)


# --- trials and scores ----------------------------------------------------------------------------


def test_trials_are_predicted_one_by_one_and_scored_where_events_name_their_class(root, result):
    """Signals are told apart without error, so what is wrong are the two wrong labels."""
    told = ["sad", *KINDS[1:7], "happy"]
    applied = predict_recording(result, record(root, "10", told=told))
    assert applied.sentence.endswith(
        "6 of 8 trials with a class are right: balanced accuracy 0.75 by trial and 0.75 by window "
        "(chance 0.50)."
    )
    assert applied.scored.trial["confusion"] == [[3, 1], [1, 3]]
    assert applied.scored.window["confusion"] == [[21, 7], [7, 21]]  # 7 windows in a trial of 4 s
    trials = pd.read_csv(applied.folder / "trials.csv", dtype={"subject": str})
    assert trials["predicted"].tolist() == list(KINDS)
    assert trials["y_true"].tolist() == told
    assert trials["trial"].tolist() == list(range(1, 9))
    assert set(trials["n_windows"]) == {7}
    cells = pd.read_csv(applied.folder / "confusion.csv").query("level == 'trial'")
    assert cells["count"].tolist() == [3, 1, 1, 3]
    assert cells["share"].tolist() == [0.75, 0.25, 0.25, 0.75]
    assert (applied.folder / "confusion.png").read_bytes().startswith(b"\x89PNG")
    about = json.loads((applied.folder / "about.json").read_text())
    assert about["scores"]["trial"]["balanced_accuracy"] == 0.75
    assert applied.table["start"].max() == 3.0  # from the onset of each trial
    assert set(applied.table["subject"]) == {"10"}


def test_a_recording_of_the_data_gets_what_the_run_stored(root, result, no_figures):
    """The same trials, cut at the same samples, by the model that was not trained on them."""
    stored = pd.read_parquet(result / "predictions.parquet")
    for record in open_result(result).records:
        held_out = stored[stored["fold"] == record["fold"]]
        (subject,) = set(held_out["subject"])
        file = root / f"train/sub-{subject}/eeg/sub-{subject}_task-film_eeg.vhdr"
        applied = predict_recording(result, file, fold=record["fold"])
        keys = ["subject", "session", "trial", "start"]
        both = held_out.merge(applied.table, on=keys, suffixes=("_stored", ""))
        assert len(both) == len(held_out) == len(applied.table)
        np.testing.assert_allclose(both["p_happy"], both["p_happy_stored"], atol=1e-6)
        assert (both["y_true"] == both["y_true_stored"]).all()
        known = f"The data of this result include a subject {subject}; the model was not trained"
        assert any(note.startswith(known) for note in applied.notes)
        break
    every = predict_recording(result, file, out=root / "every")
    assert any("so its scores are no evidence" in note for note in every.notes)


def test_trials_without_a_class_of_the_models_are_predicted_but_not_scored(
    root, result, tmp_path, no_figures
):
    told = [*KINDS[:5], "angry", "n/a", "angry"]
    applied = predict_recording(result, record(root, "11", told=told), out=tmp_path / "a")
    assert applied.table["trial"].nunique() == 8
    assert "5 of 5 trials with a class are right" in applied.sentence
    assert (
        "3 of 8 trials have no class, and are not scored (1 missing, 2 excluded)." in applied.notes
    )
    trials = pd.read_csv(tmp_path / "a" / "trials.csv", keep_default_na=False)
    assert trials["y_true"].tolist() == [*KINDS[:5], "", "", ""]
    only = predict_recording(result, record(root, "12", told=["sad"] * 8), out=tmp_path / "b")
    assert "no trial is happy" in only.sentence
    assert "balanced accuracy 0.50 by trial" in only.sentence  # half of them look happy
    none = predict_recording(result, record(root, "13", told=["x"] * 8), out=tmp_path / "c")
    assert none.scored is None
    assert any("no trial of the recording has a class of the models" in n for n in none.notes)
    assert not (tmp_path / "c" / "confusion.csv").exists()


def test_a_recording_without_events_is_continuous(root, result, tmp_path, no_figures):
    applied = predict_recording(result, record(root, "14", told=None), out=tmp_path / "a")
    assert list(applied.table)[:2] == ["start", "stop"]
    assert not (tmp_path / "a" / "trials.csv").exists()
    bad = record(root, "15")
    events = bad.with_name("sub-15_task-film_events.tsv")
    events.write_text("onset\tduration\nsoon\t4\n")
    with pytest.raises(DataError, match=r"sub-15_task-film_events\.tsv"):
        predict_recording(result, bad, out=tmp_path / "b")


def test_a_run_is_numbered_as_in_training_and_read_alone(root, result, tmp_path, no_figures):
    for run in (1, 2):
        file = record(root, "16", run=str(run), signals=signals_of(KINDS, seed=run))
    applied = predict_recording(result, file, out=tmp_path / "a")
    assert sorted(set(applied.table["trial"])) == list(range(9, 17))  # the session has 16
    # the other run is of no concern
    (file.parent / "sub-16_task-film_run-1_events.tsv").write_text("onset\tduration\nx\ty\n")
    again = predict_recording(result, file, out=tmp_path / "b")
    assert again.scored.trial["n"] == 8


def test_times_and_kinds_of_trials_are_those_of_the_experiment(root):
    file = record(root, "19", told=["happy", "sad", "rest"] + ["sad"] * 5)
    bids = Bids(root="elsewhere", tmin=-0.5, tmax=2.0, trial_types=["happy", "sad"])
    (run,) = read_bids_run(file, dataset=bids)
    parts = run.cut()
    assert sum(map(len, parts)) == 7
    assert {(round(part.tmin, 3), len(part.times)) for part in parts} == {(-0.5, 160)}
    (whole,) = read_bids_run(file)  # of another experiment: each to its own duration
    assert sum(map(len, whole.cut())) == 8
    assert {len(part.times) for part in whole.cut()} == {256}
    assert read_bids_run(root / "sub-19_task-film_eeg.vhdr") is None


@pytest.mark.parametrize(
    ("labels", "column", "values", "codes"),
    [
        ("task: valence", "valence", [7.0, 8.0, np.nan, 5.0], [0, 0, -1, 1]),
        ("task: valence, threshold: median", "valence", [7.0, 8.0, 6.0, 9.0], [1, 0, 1, 0]),
        ("task: valence, valence: val, scale: [0, 100]", "val", [51, 52, 0, 99], [0, 0, 1, 0]),
        ("task: given", "trial_type", ["LV", "LV", "", "other"], [1, 1, -1, -1]),
        ("column: mood, rename: {HV: [joy, awe], LV: fear}", "mood", ["joy"] * 4, [0] * 4),
    ],
)
def test_classes_of_few_trials_are_those_of_the_experiment(labels, column, values, codes):
    """No class needs to occur in one recording; a class keeps its place."""
    text = TEXT.replace("labels: {task: given}", f"labels: {{{labels}}}")
    stored = SimpleNamespace(experiment=parse_experiment(text), classes=["HV", "LV"])
    metadata = pd.DataFrame({"subject": "1", "session": "1", "trial": range(4), column: values})
    found, _ = find_classes(stored, metadata, Bids(root="x"))
    assert found.tolist() == codes
    nothing, (why,) = find_classes(stored, metadata.drop(columns=column), Bids(root="x"))
    assert nothing is None
    assert why.startswith("Not scored, since the recording does not tell the classes")


# --- never over an earlier one --------------------------------------------------------------------


def test_an_earlier_prediction_is_kept_unless_it_may_be_replaced(root, result, tmp_path):
    file = record(root, "17")
    out = tmp_path / "out"
    predict_recording(result, file, out=out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert set(before) == set(FILES)
    with pytest.raises(InputError, match=r"an earlier prediction is there .*--out, .*--force"):
        predict_recording(result, file, out=out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    # what the new one lacks does not stay
    bare = record(root, "18", told=None)
    predict_recording(result, bare, out=out, force=True)
    left = {path.name for path in out.iterdir()}
    assert left == {name for name in FILES if not name.startswith(("trials", "confusion"))}
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    predict_recording(result, bare, out=tmp_path / "mine")  # a folder with other files
    assert (tmp_path / "mine" / "notes.txt").read_text() == "mine"
    (tmp_path / "mine" / "about.json").rename(tmp_path / "file")
    with pytest.raises(InputError, match="expected a folder for the prediction, found a file"):
        predict_recording(result, bare, out=tmp_path / "file", force=True)


# --- unlike training ------------------------------------------------------------------------------


def notes_on(result, file, tmp_path, word):
    applied = predict_recording(result, file, out=tmp_path / "out", force=True)
    return [note for note in applied.notes if word in note]


def test_a_new_person_at_another_rate_is_not_called_unlike(root, result, tmp_path, no_figures):
    applied = predict_recording(result, record(root, "20", sfreq=128), out=tmp_path / "a")
    assert "8 of 8 trials" in applied.sentence
    unlike = [n for n in applied.notes if any(w in n for w in ("Amplitudes", "spectrum", "refer"))]
    assert unlike == []


@pytest.mark.parametrize(
    ("gain", "words"),
    [
        (8.0, "larger than in training"),
        (0.1, "smaller than in training"),
        (1e6, "as between volts and microvolts: is the unit right?"),
        (1e3, "as between millivolts and microvolts: is the unit right?"),
    ],
)
def test_other_amplitudes_are_told_with_how_far(root, result, tmp_path, no_figures, gain, words):
    (said,) = notes_on(result, record(root, "21", gain=gain), tmp_path, "Amplitudes")
    assert words in said
    assert notes_on(result, record(root, "21", gain=gain), tmp_path, "spectrum") == []
    # people differ by less than a decibel here
    assert int(said.partition("(")[2].partition(" dB")[0]) == pytest.approx(
        20 * np.log10(gain), abs=1
    )
    assert "robust standard deviations of training windows" in said


@pytest.mark.parametrize("gain", [0.7, 1.0, 1.4])
def test_amplitudes_of_another_person_are_not(root, result, tmp_path, no_figures, gain):
    assert notes_on(result, record(root, "22", gain=gain), tmp_path, "Amplitudes") == []


def test_another_spectrum_is_told_with_channel_band_and_how_far(root, result, tmp_path, no_figures):
    """A line of 20 Hz at one channel: 200 µV, whose power is 20000 µV² in 13-30 Hz."""
    signals = signals_of(KINDS, seed=23)
    times = np.arange(signals.shape[1]) / 64
    signals[2] += 200 * np.sin(2 * np.pi * 20 * times)
    (said,) = notes_on(result, record(root, "23", signals=signals), tmp_path, "spectrum")
    assert "13-30 Hz of C3; most at C3, 13-30 Hz: " in said
    # noise of 100 µV² over 32 Hz has 53 µV² in these 17 Hz
    decibels = 10 * np.log10((200**2 / 2 + 53) / 53)
    assert f"{decibels:+.0f} dB" in said
    flat = signals_of(KINDS, seed=24)
    flat[0] = 0
    (said,) = notes_on(result, record(root, "24", signals=flat), tmp_path, "spectrum")
    assert "most at Fp1" in said


def test_another_reference_is_told_as_far_as_it_is_known(root, result, tmp_path, no_figures):
    stated = record(root, "25", reference="linked mastoids")
    (said,) = notes_on(result, stated, tmp_path, "reference")
    assert "is linked mastoids, that of training was Cz" in said
    assert notes_on(result, record(root, "26", reference="cz"), tmp_path, "reference") == []
    assert notes_on(result, record(root, "27", reference="n/a"), tmp_path, "reference") == []
    signals = signals_of(KINDS, seed=28)
    averaged = record(root, "28", signals=signals - signals.mean(axis=0))
    (said,) = notes_on(result, averaged, tmp_path, "reference")
    assert "has the average of these channels as reference, and training" in said


def test_an_average_reference_is_computed_anew(root, tmp_path, no_figures):
    """Whatever is added to all channels then changes nothing, and no reference is told."""
    experiment = parse_experiment(
        TEXT.replace("ROOT", str(root / "train")), overrides=["preprocessing.reference=average"]
    )
    (folder,) = run_experiments([experiment], results=root / "r", report=False)
    signals = signals_of(KINDS, seed=29)
    common = 50 * np.random.default_rng(0).normal(size=signals.shape[1])
    files = [
        record(root, "30", signals=signals),
        record(root, "31", signals=signals + common, reference="Fz"),
    ]
    first, second = (predict_recording(folder, f, out=tmp_path / f.stem) for f in files)
    np.testing.assert_allclose(first.table["p_happy"], second.table["p_happy"], atol=1e-4)
    assert not any("reference" in note for note in second.notes)


def test_a_result_without_the_summary_says_nothing_of_it(root, result, tmp_path, no_figures):
    old = tmp_path / result.name
    shutil.copytree(result, old)
    (old / "signals.json").unlink()
    (old / "manifest.json").unlink()  # as in results of that age
    applied = predict_recording(
        old, record(root, "32", gain=1e3, reference="Fz"), out=tmp_path / "o"
    )
    assert not any("Amplitudes" in note or "reference" in note for note in applied.notes)
    (old / "signals.json").write_text('{"channels": 3}')
    with pytest.raises(InputError, match=r"signals\.json: expected"):
        predict_recording(old, record(root, "32"), out=tmp_path / "o", force=True)


# --- gaps -----------------------------------------------------------------------------------------


def test_windows_that_hold_a_break_are_not_classified_and_the_timeline_shows_it(
    root, result, tmp_path, no_figures
):
    info = mne.create_info(["Fp1", "Fp2", "C3", "C4"], 64.0, "eeg")
    raw = mne.io.RawArray(1e-6 * signals_of(KINDS, seed=40), info, verbose="ERROR")
    marks = [(10.25, 0.0, "boundary"), (20.0, 3.0, "BAD_ACQ_SKIP")]
    onsets, durations, names = zip(*marks, strict=True)
    raw.set_annotations(mne.Annotations(onsets, durations, names))
    raw.save(tmp_path / "cut_raw.fif", fmt="double", verbose="ERROR")
    applied = predict_recording(result, tmp_path / "cut_raw.fif", out=tmp_path / "out")
    start, stop = applied.table["start"], applied.table["stop"]
    expected = [
        s for s in np.arange(0, 44.1, 0.5) if not (s < 10.25 < s + 1 or (s < 23 and s + 1 > 20))
    ]
    assert start.tolist() == expected
    assert not ((start < 10.25) & (stop > 10.25)).any()
    figure = class_timeline(applied.table, ["happy", "sad"], gaps=[(10.25, 10.25), (20.0, 23.0)])
    (axes,) = figure.axes
    areas = [patch for patch in axes.patches if hasattr(patch, "get_data")]
    assert len(areas) == 2 * 3  # three pieces of two classes
    shown = [text.get_text() for text in figure.legends[0].get_texts()]
    assert sorted(shown) == ["break", "happy", "sad"]
    edges = [patch.get_data().edges for patch in areas[::2]]
    assert [(e[0], e[-1]) for e in edges] == [(0.0, 10.0), (10.5, 20.0), (23.0, 45.0)]


def test_times_after_a_gap_count_it(root, result, tmp_path, monkeypatch):
    """Two gaps, of 7.5 and 3 s: a window is said to be where it was recorded, and drawn there."""
    drawn = {}
    monkeypatch.setattr("eegemo.inference.folder._draw", lambda *all: drawn.update(gaps=all[4]))
    starts = [second + 7.5 * (second >= 20) + 3 * (second >= 30) for second in range(SECONDS)]
    signals = signals_of(KINDS, seed=41)
    names = ("Fp1", "Fp2", "C3", "C4")
    file = write_edf(tmp_path / "gaps.edf", signals, [64] * 4, names, starts=starts)
    applied = predict_recording(result, file, out=tmp_path / "out")
    begun = [s for s in np.arange(0, 44.1, 0.5) if s not in (19.5, 29.5)]  # others hold a gap
    expected = [s + 7.5 * (s >= 20) + 3 * (s >= 30) for s in begun]
    assert applied.table["start"].tolist() == expected
    assert (applied.table["stop"] - applied.table["start"]).eq(1.0).all()
    assert drawn["gaps"] == [(20.0, 27.5), (37.5, 40.5)]


def test_a_subject_by_whom_the_model_was_chosen_is_said_to_be(root, result):
    """Roles are in folds.csv: one of validation is neither of training nor quite unseen."""
    roles = pd.DataFrame({"subject": ["01", "02"], "fold_0": ["validation", "test"]})
    stored = SimpleNamespace(roles=roles)
    folds = [{"fold": 0, "train_windows_by_subject": {"03": 5}}]
    assert "chosen by it (validation)" in _describe_acquaintance(stored, folds, "01", True)
    assert _describe_acquaintance(stored, folds, "02", True).endswith("not trained on it.")
    assert "may have been trained" in _describe_acquaintance(stored, folds, "03", False)
