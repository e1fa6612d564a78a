"""The whole path: a result folder that is complete, repeatable, resumable and honest."""

import json
import os
import pickle
import shutil
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest

from eegemo.config import Experiment, load_experiment
from eegemo.datasets.deap import load_deap_arrays
from eegemo.errors import ConfigError, DataError, EegemoError, InputError, ResultError
from eegemo.evaluation import read_predictions
from eegemo.execution import Progress, RunContext
from eegemo.report import write_report
from eegemo.results import open_result, plan
from eegemo.results.layout import is_complete
from eegemo.runs import trials as runs_trials
from eegemo.runs.prepare import prepare_experiment
from eegemo.runs.run import run_experiment, run_experiments
from eegemo.scaling import load_scaling
from eegemo.store import lock
from eegemo.training import predict_windows
from experiments import tiny

# the baseline as the model: where it matters little what is trained, it takes no time
CHEAP = "model={name: band_power_logreg, bands: [[4.0, 8.0], [8.0, 13.0]]}"


class Heard(Progress):
    """Remember what was said."""

    def __init__(self):
        self.lines = []

    def message(self, text):
        self.lines.append(text)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def result(root, results):
    return run_experiment(tiny(root), results=results, jobs=0)


@pytest.fixture
def copied(result, results, tmp_path):
    """Return the results folder and the result in it, as copies that a test may damage."""
    shutil.copytree(results, tmp_path / "results")
    return tmp_path / "results", tmp_path / "results" / result.name


def test_a_result_folder_holds_what_the_design_says(result):
    assert is_complete(result)
    names = {str(path.relative_to(result)) for path in result.rglob("*") if path.is_file()}
    expected = {"experiment.yaml", "provenance.json", "folds.csv", "predictions.parquet"}
    expected |= {"metrics.json", "report.html"}
    for k in (0, 1):
        parts = ("model.keras", "scaling.npz", "history.csv", "fold.json", "done")
        expected |= {f"folds/{k}/{part}" for part in parts}
    assert expected <= names
    assert any(name.startswith("figures/") for name in names)
    assert any(name.startswith("tables/") for name in names)
    assert not [
        name for name in names if Path(name).name.startswith(".") and Path(name).name != ".lock"
    ]


def test_the_stored_experiment_is_complete_and_runs_again_to_the_same_folder(result, root, results):
    again = load_experiment(result / "experiment.yaml")
    assert again == tiny(root, "split.group=trial")  # what was held out is said
    heard = Heard()
    assert run_experiment(again, results=results, jobs=0, progress=heard) == result
    assert any("already complete" in line for line in heard.lines)


def test_every_test_window_is_predicted_once_and_agrees_with_folds_csv(result):
    folds = pd.read_csv(result / "folds.csv", dtype={"session": str, "subject": str})
    predictions = read_predictions(result / "predictions.parquet")
    assert not predictions.duplicated(["subject", "session", "trial", "start"]).any()
    keys = ["subject", "session", "trial"]
    assert not folds.duplicated(keys).any()
    merged = predictions.merge(folds, on=keys, how="outer", validate="many_to_one")
    assert len(merged) == len(predictions)
    assert (merged["y_true_x"] == merged["y_true_y"]).all()
    for k in (0, 1):
        assert (merged.loc[merged["fold"] == k, f"fold_{k}"] == "test").all()


def test_no_trial_of_the_test_part_is_in_training(result):
    for k in (0, 1):
        record = json.loads((result / "folds" / str(k) / "fold.json").read_text())
        assert record["shared"]["trial"] == record["shared"]["window"] == 0
        assert record["shared"]["subject"] == 3  # known, and said


def test_predictions_come_from_the_stored_model_and_scaling(result, root, results):
    prepared = prepare_experiment(tiny(root), RunContext(results))
    model, _ = open_result(result).load_model(0)
    scaling = load_scaling(result / "folds" / "0" / "scaling.npz")
    p = predict_windows(model, prepared.windows, prepared.folds[0].test, scaling)
    stored = read_predictions(result / "predictions.parquet")
    stored = stored[stored["fold"] == 0].filter(like="p_").to_numpy()
    np.testing.assert_allclose(p, stored, atol=1e-6)  # float32, another process may batch otherwise


@pytest.mark.slow
def test_a_run_repeated_elsewhere_gives_the_same_predictions(result, root, tmp_path):
    again = run_experiment(tiny(root), results=tmp_path, jobs=0)
    assert again.name == result.name
    first, second = (read_predictions(r / "predictions.parquet") for r in (result, again))
    pd.testing.assert_frame_equal(first, second, check_exact=True)


def test_an_interrupted_run_goes_on_and_ends_the_same(result, copied, root):
    results, folder = copied
    before = read_predictions(result / "predictions.parquet")
    for name in ("predictions.parquet", "provenance.json", "metrics.json", "report.html"):
        (folder / name).unlink()
    (folder / "folds" / "1" / "done").unlink()
    kept = (folder / "folds" / "0" / "model.keras").stat().st_mtime_ns
    heard = Heard()
    run_experiment(tiny(root), results=results, jobs=0, progress=heard)
    assert any("resuming after 1 of 2 folds" in line for line in heard.lines)
    assert (folder / "folds" / "0" / "model.keras").stat().st_mtime_ns == kept
    after = read_predictions(folder / "predictions.parquet")
    pd.testing.assert_frame_equal(before, after, check_exact=True)


def test_a_fold_without_its_marker_is_not_taken_for_done(copied, root):
    results, folder = copied
    (folder / "report.html").unlink()
    shutil.rmtree(folder / "folds" / "0")
    (folder / "folds" / "0").mkdir()
    (folder / "folds" / "0" / "model.keras").write_bytes(b"torn")
    run_experiment(tiny(root), results=results, jobs=0)
    keras.models.load_model(folder / "folds" / "0" / "model.keras")
    assert is_complete(folder)


def flip(path, at=0.5):
    """Turn over one bit, and leave the size and the times that a program can set."""
    state = path.stat()
    content = bytearray(path.read_bytes())
    content[int(len(content) * at)] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


FOLD_FILES = ("model.keras", "scaling.npz", "history.csv", "fold.json", "predictions.parquet")
FOLD_FILES += ("validation.parquet", "baseline.parquet", "done")


def test_a_flipped_bit_in_any_file_of_a_result_is_noticed(copied):
    _, folder = copied
    files = [folder / "folds" / "1" / name for name in FOLD_FILES]
    names = ["experiment.yaml", "folds.csv", "provenance.json", "metrics.json", "report.html"]
    names += ["predictions.parquet", "validation.parquet", "baseline.parquet", "manifest.json"]
    files += [folder / name for name in names]
    for file in files:
        whole = file.read_bytes()
        assert is_complete(folder)
        for at in (0.1, 0.5, 0.97):
            flip(file, at)
            assert not is_complete(folder), file.name
            file.write_bytes(whole)


def test_damaged_parts_are_made_again_from_what_is_whole(copied, root):
    """A damaged fold is fitted again, what lies above it is put together again."""
    results, folder = copied
    (features,) = (results / ".store" / "features").glob("*/band_power.npy")
    computed = features.read_bytes()
    flip(features)
    names = ["folds.csv", "predictions.parquet", "validation.parquet", "baseline.parquet"]
    names += ["metrics.json"]
    whole = {name: (folder / name).read_bytes() for name in names}
    provenance = json.loads((folder / "provenance.json").read_text())
    for name in (*names, "provenance.json", "folds/1/model.keras"):
        flip(folder / name)
    with pytest.raises(ResultError, match=r"folds\.csv, provenance\.json.* are not what the run"):
        write_report(folder)
    (folder / "folds" / "1" / "checkpoint.npz").write_bytes(b"torn")
    kept = (folder / "folds" / "0" / "done").stat().st_mtime_ns
    run_experiment(tiny(root), results=results, jobs=0)
    assert is_complete(folder)
    assert (folder / "folds" / "0" / "done").stat().st_mtime_ns == kept
    assert {name: (folder / name).read_bytes() for name in names} == whole
    assert features.read_bytes() == computed
    again = json.loads((folder / "provenance.json").read_text())
    assert again["digests"] == provenance["digests"]
    assert not list(folder.glob("folds/*/checkpoint*.npz"))


@pytest.mark.slow
def test_a_damaged_report_is_drawn_again_and_the_run_keeps_its_history(copied, root):
    results, folder = copied
    flip(folder / "metrics.json")
    before = (folder / "provenance.json").read_bytes()
    run_experiment(tiny(root), results=results, jobs=0)
    assert is_complete(folder)
    assert (folder / "provenance.json").read_bytes() == before


@pytest.mark.parametrize("file", ["trials.npy", "metadata.parquet", "notes.txt", "manifest.json"])
def test_a_damaged_store_is_noticed_and_made_again(copied, root, file):
    results, _ = copied
    victim = next((results / ".store" / "trials").glob("s02-*")) / file
    victim.write_bytes(victim.read_bytes()[:-3] + b"abc")
    heard = Heard()
    before = prepare_experiment(tiny(root), RunContext(results, progress=heard))
    assert any("is corrupt: making it again" in line for line in heard.lines)
    quiet = Heard()
    again = prepare_experiment(tiny(root), RunContext(results, progress=quiet))
    assert quiet.lines == []
    assert before.digests == again.digests


def test_a_simulated_release_that_lost_a_file_is_made_again(tmp_path):
    first = prepare_experiment(tiny(tmp_path), RunContext(tmp_path / "r"))
    next(tmp_path.rglob("s02.dat")).unlink()
    second = prepare_experiment(tiny(tmp_path), RunContext(tmp_path / "r"))
    assert first.digests == second.digests


@pytest.mark.parametrize("place", ["", "data_preprocessed_python"])
def test_simulated_files_are_recognised_wherever_the_root_points(root, result, tmp_path, place):
    release = next(p for p in root.iterdir() if p.is_dir())
    shutil.copytree(release, tmp_path / "deap")
    deap = {"data": {"source": "deap", "root": str(tmp_path / "deap" / place)}}
    experiment = Experiment.model_validate(tiny(root).model_dump() | deap)
    assert prepare_experiment(experiment, RunContext(tmp_path)).simulated
    for file in (tmp_path / "deap" / "data_preprocessed_python").iterdir():
        # other ratings: the marker beside the files no longer speaks of them
        data, labels = load_deap_arrays(file)
        file.write_bytes(pickle.dumps({"data": data, "labels": 10 - labels}, protocol=2))
    assert not prepare_experiment(experiment, RunContext(tmp_path)).simulated


def test_results_must_be_a_folder(root, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="expected a folder for results"):
        run_experiment(tiny(root), results=tmp_path / "file", jobs=0)


def test_trials_are_stored_once_and_remade_only_when_what_makes_them_changes(
    root, results, result, tmp_path
):
    def stored():
        return {p.name for p in (results / ".store" / "trials").iterdir()}

    before = stored()
    for change in ("model.units=5", "labels.ties=high", "windows.stride=0.5", "seed=3"):
        prepare_experiment(tiny(root, change), RunContext(results))
    assert stored() == before
    prepare_experiment(tiny(root, "data.channels=emotiv"), RunContext(results))
    assert len(stored()) == len(before) + 3


@pytest.mark.parametrize(
    ("stage", "changes"),
    [
        ((runs_trials, "_TRIALS_VERSION"), {"data", "experiment"}),
        ((plan, "_RESULT_VERSION"), {"experiment"}),
    ],
)
def test_another_version_of_a_stage_remakes_it_and_nothing_before_it(
    root, results, result, monkeypatch, stage, changes
):
    def stored():
        return {p.name for p in (results / ".store" / "trials").iterdir() if p.is_dir()}

    before, trials = prepare_experiment(tiny(root), RunContext(results)), stored()
    monkeypatch.setattr(*stage, getattr(*stage) + 1)
    after = prepare_experiment(tiny(root), RunContext(results))
    differing = {k for k, digest in before.digests.items() if after.digests[k] != digest}
    assert differing == changes
    assert after.folder != before.folder
    assert len(stored() - trials) == (3 if "data" in changes else 0)


def test_changed_bytes_behind_an_unchanged_name_are_noticed(root, result, tmp_path):
    experiment = tiny(root)
    release = next(p for p in root.iterdir() if p.is_dir())
    copy = tmp_path / "release"
    shutil.copytree(release, copy)
    deap = experiment.model_dump() | {"data": {"source": "deap", "root": str(copy)}}
    experiment = Experiment.model_validate(deap)
    first = prepare_experiment(experiment, RunContext(tmp_path))
    files = sorted((copy / "data_preprocessed_python").iterdir())
    files[0].rename(copy / "kept")
    files[1].rename(files[0])
    (copy / "kept").rename(files[1])
    second = prepare_experiment(experiment, RunContext(tmp_path))
    assert first.digests["data"] != second.digests["data"]
    assert first.folder != second.folder


def test_name_and_place_do_not_change_the_digest_but_settings_do(root, result, results, tmp_path):
    def digest(*overrides, name="tiny"):
        return prepare_experiment(tiny(root, *overrides, name=name), RunContext(results)).digests

    reference = digest()
    assert digest(name="other")["experiment"] == reference["experiment"]
    assert digest("training.epochs=3")["experiment"] != reference["experiment"]
    assert digest("training.epochs=3")["folds"] == reference["folds"]
    assert digest("seed=1")["folds"] != reference["folds"]
    assert digest("labels.task=valence")["labels"] != reference["labels"]


def test_two_models_share_folds_and_labels(root, result, results):
    digests = [
        prepare_experiment(tiny(root, f"model.name={name}"), RunContext(results)).digests
        for name in ("cnn_lstm", "cnn_gru")
    ]
    assert digests[0]["folds"] == digests[1]["folds"]
    assert digests[0]["labels"] == digests[1]["labels"]
    assert digests[0]["experiment"] != digests[1]["experiment"]


def test_a_result_in_use_is_left_alone(copied, root):
    results, folder = copied
    (folder / "report.html").unlink()
    with lock(folder / ".lock"), pytest.raises(EegemoError, match="in use by process"):
        run_experiment(tiny(root), results=results, jobs=0)


def test_the_same_experiment_twice_in_one_call_is_run_once(root, result, results):
    assert run_experiments([tiny(root), tiny(root)], results=results, jobs=0) == [result, result]


def test_a_leaking_split_must_be_allowed_and_is_marked(root, results):
    with pytest.raises(ConfigError, match="allow_leakage"):
        tiny(root, "split.group=window")
    leaky = tiny(
        root,
        "split={method: stratified_group_ratio, group: window, allow_leakage: true}",
        "windows.stride=0.25",
    )
    folder = run_experiment(leaky, results=results, jobs=0)
    split = json.loads((folder / "provenance.json").read_text())["split"]
    assert split["leaks"]
    assert "not an emotion" in split["sentence"]
    record = json.loads((folder / "folds" / "0" / "fold.json").read_text())
    assert record["shared"]["trial"] > 0
    folds = pd.read_csv(folder / "folds.csv")  # here a row per window, since trials are divided
    assert len(folds) == json.loads((folder / "provenance.json").read_text())["data"]["n_windows"]
    assert folds.groupby(["subject", "trial"])["fold_0"].nunique().max() > 1


def test_leave_one_subject_out_tests_each_subject_by_a_model_that_never_met_them(root, results):
    split = "split={method: leave_one_group_out, group: subject, validation: 0.4}"
    experiment = tiny(root, CHEAP, split)
    folder = run_experiment(experiment, results=results, jobs=0)
    predictions = read_predictions(folder / "predictions.parquet")
    assert predictions.groupby("fold")["subject"].unique().map(list).tolist() == [
        ["s01"],
        ["s02"],
        ["s03"],
    ]
    provenance = json.loads((folder / "provenance.json").read_text())
    assert any("scaled by their own windows" in note for note in provenance["notes"])
    for k in range(3):
        record = json.loads((folder / "folds" / str(k) / "fold.json").read_text())
        assert record["shared"]["subject"] == 0


def test_within_subject_makes_a_model_for_each_subject_and_fold(root, results):
    within = ("split={within: subject, n_splits: 2}", "data.subjects=[s01, s03]")
    experiment = tiny(root, CHEAP, *within)
    folder = run_experiment(experiment, results=results, jobs=0)
    names = [
        json.loads((path / "fold.json").read_text())["name"]
        for path in sorted((folder / "folds").iterdir())
    ]
    assert names == ["s01-1", "s01-2", "s03-1", "s03-2"]
    for path in (folder / "folds").iterdir():
        record = json.loads((path / "fold.json").read_text())
        assert list(record["train_windows_by_subject"]) == [record["name"].split("-")[0]]


def test_provenance_says_what_was_run_on_what(result):
    provenance = json.loads((result / "provenance.json").read_text())
    assert provenance["data"]["simulated"] is True
    assert provenance["data"]["subjects"] == ["s01", "s02", "s03"]
    assert provenance["data"]["n_trials"] == sum(provenance["labels"]["trials"].values()) == 36
    assert provenance["data"]["n_windows"] == 36 * 3
    assert provenance["versions"]["keras"] == keras.__version__
    assert provenance["peak_memory_bytes"] > 100e6
    assert provenance["backend"] == keras.backend.backend()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("split.n_splits=99", "99 folds need at least 99 trials"),
        ("windows.duration=9.0", "longer than every usable trial"),
        ("labels.threshold=8.99", "no trial has the class"),
        ("data.subjects=[s09]", "s09"),
        ("data.channels=[Fp1, Fz9]", "Fz9"),
        ("preprocessing.h_freq=70.0", "70"),
        ("preprocessing.baseline=[0.0, 3.0]", "onset"),
    ],
)
def test_what_cannot_work_is_said_before_training(root, results, override, message):
    with pytest.raises(DataError, match=message.replace("[", r"\[")):
        prepare_experiment(tiny(root, override), RunContext(results))
