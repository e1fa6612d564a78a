"""Stored models on new recordings: the same numbers as in the run, and mistakes told in a line."""

import json
import shutil

import mne
import numpy as np
import pandas as pd
import pytest

from eegemo import inference
from eegemo.cli import main
from eegemo.datasets.deap import DEAP_EEG_CHANNELS, read_epochs_deap
from eegemo.errors import ConfigError, DataError, InputError, ResultError
from eegemo.inference import predict_recording
from eegemo.pages.figures import class_timeline
from eegemo.runs.run import run_experiments
from eegemo.scaling import Scaling, fit_scaling
from experiments import tiny, with_foreign_model
from helpers import make_test_windows

LIGHT = ["model={name: band_power_logreg}", "windows.stride=0.5"]


def run(root, *overrides, name):
    experiment = tiny(root / "data", *overrides, name=name)
    (folder,) = run_experiments([experiment], results=root / "r", report=False)
    return folder


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("inference")


@pytest.fixture(scope="module")
def result(root):
    """Scaled by training windows, whole trials held out."""
    scaling = "scaling={steps: [zscore], fit: training}"
    return run(root, *LIGHT, scaling, name="light")


@pytest.fixture(scope="module")
def recording(root, result):
    return next((root / "data").rglob("s01.dat"))


@pytest.fixture(scope="module")
def raw(recording):
    """Two trials of the same subject, one after the other: a continuous recording of 6 s."""
    epochs = read_epochs_deap(recording, eeg_only=True).crop(tmin=0.0)
    signals = np.concatenate(list(epochs.get_data()[:2]), axis=1)
    return mne.io.RawArray(signals, epochs.info, verbose="ERROR")


def save(raw, folder, name="new_raw.fif"):
    folder.mkdir(exist_ok=True)
    raw.save(folder / name, overwrite=True, fmt="double", verbose="ERROR")
    return folder / name


def of_fold(result, fold, subject):
    stored = pd.read_parquet(result / "predictions.parquet")
    return stored[(stored["fold"] == fold) & (stored["subject"] == subject)]


def assert_equal_where_stored(applied, stored, *, atol=1e-6):
    keys = ["subject", "session", "trial", "start"]
    both = stored.merge(applied.table, on=keys, suffixes=("_stored", ""))
    assert len(both) == len(stored) > 0
    for name in stored.columns[stored.columns.str.startswith("p_")]:
        np.testing.assert_allclose(both[name], both[f"{name}_stored"], atol=atol)


# --- the same numbers ---------------------------------------------------------------------------


@pytest.mark.parametrize("fold", [0, 1])
def test_test_windows_get_the_probabilities_that_the_run_stored(result, recording, tmp_path, fold):
    applied = predict_recording(result, recording, fold=fold, out=tmp_path, force=True)
    assert_equal_where_stored(applied, of_fold(result, fold, "s01"))


@pytest.mark.slow
def test_a_network_gives_the_probabilities_that_the_run_stored(root, recording, tmp_path):
    overrides = ["scaling.fit=training", "training.epochs=1"]
    result = run(root, *overrides, name="network")
    applied = predict_recording(result, recording, fold=1, out=tmp_path, force=True)
    assert_equal_where_stored(applied, of_fold(result, 1, "s01"), atol=1e-5)


def test_of_models_for_one_subject_each_those_for_this_one_are_asked(root, recording, tmp_path):
    """They were scaled by the subject's training windows, too: that scaling is kept."""
    result = run(root, *LIGHT, "split.within=subject", name="within")
    applied = predict_recording(result, recording, fold=1, subject="s01", out=tmp_path, force=True)
    assert_equal_where_stored(applied, of_fold(result, 1, "s01"))
    assert "Scaled as s01's windows were in training." in applied.notes
    assert "of 2 folds" in predict_recording(result, recording, out=tmp_path, force=True).notes[0]
    with pytest.raises(
        InputError, match=r"trained on one subject \(s01, s02, s03\), and none on x"
    ):
        predict_recording(result, recording, subject="x", out=tmp_path, force=True)


def test_several_folds_give_the_mean_and_the_files_hold_the_table(result, recording, tmp_path):
    single = [
        predict_recording(result, recording, fold=k, out=tmp_path, force=True).table for k in (0, 1)
    ]
    applied = predict_recording(result, recording, out=tmp_path, force=True)
    columns = [name for name in applied.table if name.startswith("p_")]
    mean = (single[0][columns] + single[1][columns]) / 2
    np.testing.assert_allclose(applied.table[columns], mean, atol=1e-6)
    np.testing.assert_allclose(applied.table[columns].sum(axis=1), 1, atol=1e-5)
    assert applied.notes[0] == "Probabilities are the mean over the models of 2 folds."
    classes = json.loads((result / "provenance.json").read_text())["labels"]["classes"]
    assert columns == [f"p_{name}" for name in classes]
    best = applied.table[columns].idxmax(axis=1).str.removeprefix("p_")
    assert (best == applied.table["predicted"]).all()
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "predictions.parquet"), applied.table)
    assert len(pd.read_csv(tmp_path / "predictions.csv")) == len(applied.table) == 12 * 5
    assert (tmp_path / "timeline.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (tmp_path / "timeline.svg").read_text(encoding="utf-8")
    assert json.loads((tmp_path / "about.json").read_text())["folds"] == [0, 1]


def test_windows_slide_over_a_continuous_recording(result, raw, recording, tmp_path):
    """Those inside one trial get what the trial's own windows get; names differ in case only."""
    upper = raw.copy().rename_channels(str.upper)
    # another order, a channel too many, and a type that says nothing
    other = mne.io.RawArray(
        np.ones((1, len(raw.times))), mne.create_info(["ECG1"], 128.0, "ecg"), verbose="ERROR"
    )
    upper.add_channels([other], force_update_info=True)
    upper.reorder_channels(upper.ch_names[::-1])
    file = save(upper, tmp_path / "given")
    applied = predict_recording(result, file, out=tmp_path, force=True)
    assert list(applied.table)[:2] == ["start", "stop"]
    np.testing.assert_allclose(applied.table["start"], np.arange(0, 5.5, 0.5))
    trials = predict_recording(result, recording, out=tmp_path, force=True).table.query(
        "trial <= 2"
    )
    inside = applied.table[applied.table["start"] != 2.5]  # that one lies in both trials
    # the baseline of a trial is not known here, but power does not depend on it
    for name in [name for name in trials if name.startswith("p_")]:
        np.testing.assert_allclose(inside[name], trials[name], atol=1e-5)
    assert any("FP1 as Fp1" in note for note in applied.notes)
    assert any("each channel's mean" in note for note in applied.notes)


def test_another_sampling_rate_is_resampled_to_that_of_training(result, raw, tmp_path):
    twice = save(raw.copy().resample(256.0, verbose="ERROR"), tmp_path / "given")
    expected = predict_recording(
        result, save(raw, tmp_path / "plain"), out=tmp_path, force=True
    ).table
    found = predict_recording(result, twice, out=tmp_path, force=True).table
    assert found["start"].tolist() == expected["start"].tolist()
    # but for the edges: the two filters see different ends
    columns = [name for name in found if name.startswith("p_")]
    np.testing.assert_allclose(found[columns][1:-1], expected[columns][1:-1], atol=0.05)


def test_an_original_recording_of_deap_is_cut_where_its_ratings_are(root, tmp_path):
    steps = "preprocessing={sfreq: 128.0, l_freq: 4.0, h_freq: 45.0, baseline: [-3.0, 0.0]}"
    data = ["data.variant=bdf", "data.n_subjects=1", "data.n_trials=8", "data.duration=2.0"]
    labels = ["labels.task=valence", "scaling={steps: [minmax], fit: training}"]
    result = run(root, *LIGHT, *data, *labels, steps, name="bdf")
    recording = next((root / "data").rglob("s01.bdf"))
    applied = predict_recording(result, recording, fold=0, out=tmp_path, force=True)
    assert_equal_where_stored(applied, of_fold(result, 0, "s01"))
    assert applied.table["trial"].nunique() == 8
    alone = tmp_path / "alone" / "s01.bdf"
    alone.parent.mkdir()
    shutil.copy(recording, alone)
    applied = predict_recording(result, alone, out=tmp_path, force=True)
    assert "trial" not in applied.table
    assert applied.table["stop"].iloc[-1] > 8 * 5


def test_a_new_subject_is_scaled_by_its_own_windows_and_that_is_said():
    windows = make_test_windows((3,), scale=5e-6)
    rows = np.arange(len(windows))
    shape = (1, windows.n_channels)
    known = Scaling(
        ("zscore",), "subject", ("s07",), np.full(shape, 2, "f4"), np.full(shape, 3, "f4")
    )
    scaling, sentence = inference.choose_scaling(known, windows, subject="s99")
    expected = fit_scaling(windows, rows, steps=("zscore",), fit="subject")
    np.testing.assert_array_equal(scaling.gain, expected.gain)
    np.testing.assert_array_equal(scaling.offset, expected.offset)
    assert "transductive" in sentence
    same, sentence = inference.choose_scaling(known, windows, subject="s07")
    x = windows.gather(rows)
    np.testing.assert_array_equal(same.transform(x), 2 * x + 3)
    assert "s07" in sentence
    trial = Scaling(("zscore",), "trial", ("s07/1/1",), known.gain, known.offset)
    scaling, sentence = inference.choose_scaling(trial, windows)
    z = scaling.transform(x, scaling.unit_of(windows))
    own = z[windows.trial == 1][::2].reshape(-1, windows.n_channels)  # those that do not overlap
    np.testing.assert_allclose(own.mean(axis=0), 0, atol=0.05)
    assert "transductive" in sentence


# --- mistakes and warnings ----------------------------------------------------------------------


def test_channels_and_samples_that_are_not_there_are_named(result, raw, tmp_path):
    file = save(raw.copy().drop_channels(["Pz", "Oz"]), tmp_path / "given")
    with pytest.raises(DataError, match=r"new_raw\.fif: the recording lacks Oz, Pz, 2 of the 32"):
        predict_recording(result, file, out=tmp_path, force=True)
    slow = save(raw.copy().resample(64.0, verbose="ERROR"), tmp_path / "given")
    with pytest.raises(DataError, match=r"new_raw\.fif: sfreq=128 Hz is above the 64 Hz"):
        predict_recording(result, slow, out=tmp_path, force=True)
    broken = raw.copy()
    broken._data[3, 5] = np.nan
    with pytest.raises(DataError, match=f"channel {DEAP_EEG_CHANNELS[3]} holds NaN"):
        predict_recording(result, save(broken, tmp_path / "given"), out=tmp_path, force=True)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.txt", b"x", r"a\.txt: expected a recording \(\.dat, .*found \.txt"),
        ("a.edf", b"nothing", r"a\.edf cannot be read: expected a header of EDF"),
        ("a.fif", b"", r"a\.fif cannot be read"),
        ("a.dat", b"junk", r"a\.dat"),
        ("a.vhdr", b"DataFile=/etc/passwd\n", "elsewhere"),
        (".", b"", "expected a file, found a folder"),
    ],
)
def test_what_is_no_recording_is_refused(result, tmp_path, name, content, words):
    if name != ".":
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=words):
        predict_recording(result, tmp_path / name, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_is_no_result_is_refused(result, recording, tmp_path):
    with pytest.raises(ResultError, match="expected a finished result, but provenance"):
        predict_recording(tmp_path, recording)
    with pytest.raises(InputError, match="--fold: expected all, or 0 to 1; found 2"):
        predict_recording(result, recording, fold=2)
    model = result / "folds" / "1" / "model.npz"
    whole = model.read_bytes()
    try:
        model.write_bytes(whole[:-1])
        with pytest.raises(ResultError, match="fold 1 is corrupt"):
            predict_recording(result, recording, fold=0)
    finally:
        model.write_bytes(whole)


def test_the_command_says_what_it_found_and_that_a_result_leaks(root, recording, capsys):
    overrides = ["split={group: window, n_splits: 2, allow_leakage: true}"]
    result = run(root, *LIGHT, *overrides, name="leaks")
    with pytest.raises(SystemExit) as left:
        main(["predict", str(result), str(recording), "--fold", "0"])
    assert left.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("s01.dat: 12 trials, by the mean probability of their windows: HVHA")
    assert lines[1] == "Probabilities are those of the model of fold 1."
    assert sum(line.startswith("LEAK: ") for line in lines) == 1
    assert any("trained on simulated data" in line for line in lines)
    assert any("The data of this result include a subject s01" in line for line in lines)
    folder = root / "r" / f"predict-s01-{result.name}-fold0"
    names = ["predictions.csv", "trials.csv", "timeline.png", "confusion.png"]
    assert [line.strip() for line in lines[-4:]] == [str(folder / name) for name in names]
    assert "so its scores are no evidence" in "".join(lines)


def test_the_timeline_of_many_windows_stays_small_and_names_each_class_once():
    classes = ["a", "b", "c"]
    p = np.random.default_rng(0).dirichlet([1, 1, 1], 2400)
    table = pd.DataFrame(p, columns=[f"p_{name}" for name in classes])
    table["start"] = np.arange(2400) / 8
    table["stop"] = table["start"] + 1
    trials = table.assign(session="1", trial=np.arange(2400) // 30)
    for one, n_panels in ((table, 1), (trials, 8)):
        figure = class_timeline(one, classes)
        assert len(figure.axes) == n_panels
        (legend,) = figure.legends
        assert [text.get_text() for text in legend.get_texts()] == classes
        (first, *_) = figure.axes[0].patches
        assert len(first.get_data().values) <= 1200
        # the areas of all classes fill the height
        top = figure.axes[0].patches[2].get_data().values
        np.testing.assert_allclose(top, 1)


def test_code_that_a_result_names_is_not_imported_without_trust(
    result, recording, tmp_path, monkeypatch
):
    monkeypatch.syspath_prepend(tmp_path)
    copied = tmp_path / result.name
    shutil.copytree(result, copied)
    imported = with_foreign_model(copied, tmp_path)
    with pytest.raises(ConfigError, match="add --trust to import it"):
        predict_recording(copied, recording, out=tmp_path / "out")
    assert not imported.exists()
    # with trust it is imported, and then the sizes and layers are what do not fit
    with pytest.raises(InputError) as caught:
        predict_recording(copied, recording, out=tmp_path / "out", trust=True)
    assert "--trust" not in str(caught.value)
    assert imported.exists()
