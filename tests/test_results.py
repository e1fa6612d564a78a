"""One owner of a result folder: whoever reads it refuses the same, and writes what it can read."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

import eegemo
from eegemo.comparison import compare
from eegemo.errors import ConfigError, EegemoError, ResultError
from eegemo.evaluation import evaluate, read_predictions
from eegemo.evaluation.assess import assess_predictions
from eegemo.execution import RunContext
from eegemo.inference import predict_recording
from eegemo.report import headline, write_report
from eegemo.results import layout, open_result
from eegemo.results.assemble import assemble, is_assembled, seal
from eegemo.runs.prepare import prepare_experiment
from eegemo.runs.run import run_experiments
from eegemo.runs.verify import verify_result
from eegemo.store import changed_files, lock
from experiments import tiny
from fake_result import fake_result

LIGHT = ["model={name: band_power_logreg}"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def result(place):
    return run_experiments([tiny(place / "data", *LIGHT)], results=place / "r", report=False)[0]


@pytest.fixture
def copied(result, tmp_path):
    shutil.copytree(result, tmp_path / result.name)
    return tmp_path / result.name


@pytest.fixture(scope="module")
def recording(place, result):
    return next((place / "data").rglob("s01.dat"))


def change_json(path, *where, value):
    """Set an entry of a JSON file."""
    record = json.loads(path.read_text())
    at = record
    for key in where[:-1]:
        at = at[key]
    at[where[-1]] = value
    path.write_text(json.dumps(record))


# --- what is refused ----------------------------------------------------------------------------


def swap_classes(folder):
    path = folder / "provenance.json"
    names = json.loads(path.read_text())["labels"]["classes"]
    change_json(path, "labels", "classes", value=[names[1], names[0], *names[2:]])


def change_reference(folder):
    path = folder / "experiment.yaml"
    text = path.read_text()
    assert "reference: none" in text or "reference: null" in text
    path.write_text(
        text.replace("reference: none", "reference: average").replace(
            "reference: null", "reference: average"
        )
    )


def swap_predictions(folder):
    path = folder / "predictions.parquet"
    table = pd.read_parquet(path)
    names = [name for name in table if name.startswith("p_")]
    table[names] = table[names[::-1]].to_numpy()
    table.to_parquet(path)


def mistype(folder):
    change_json(folder / "provenance.json", "data", "simulated", value="false")


def exchange_records(folder):
    shutil.copyfile(folder / "folds/0/fold.json", folder / "folds/1/fold.json")


def lose_mark(folder):
    (folder / "folds/1/done").unlink()


def add_fold(folder):
    shutil.copytree(folder / "folds/1", folder / "folds/2")


#: What is done to a folder, whether the manifest is written anew, and what is said.
TAMPERED = {
    "classes": (swap_classes, False, r"provenance\.json is not what the run wrote"),
    "classes, sealed": (swap_classes, True, r"provenance\.json names the classes HVLA, HVHA"),
    "reference": (change_reference, False, r"experiment\.yaml is not what the run wrote"),
    "predictions": (swap_predictions, False, r"predictions\.parquet is not what the run wrote"),
    "type": (mistype, False, r"provenance\.json is not what the run wrote"),
    "type, sealed": (mistype, True, "expected true or false as 'data.simulated', found 'false'"),
    "records": (exchange_records, False, "expected the record of fold 1, found that of fold 0"),
    "done": (lose_mark, False, "fold 1 is not finished"),
    "another fold": (add_fold, False, "expected 2 folds, but there is also a fold 2"),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_every_reader_refuses_what_a_report_refuses(copied, result, recording, tmp_path, name):
    tamper, sealed, says = TAMPERED[name]
    tamper(copied)
    if sealed:
        seal(copied)
    before = set(tmp_path.rglob("*"))
    readers = [
        open_result,
        headline,
        write_report,
        verify_result,
        lambda folder: predict_recording(folder, recording),
        lambda folder: compare([result, folder], tmp_path / "comparison"),
    ]
    for read in readers:
        with pytest.raises(ResultError, match=says):
            read(copied)
    assert set(tmp_path.rglob("*")) == before  # nothing was written


def test_digests_are_checked_before_types_and_types_before_agreement(copied):
    swap_classes(copied)
    mistype(copied)
    with pytest.raises(ResultError, match="not what the run wrote"):
        open_result(copied)
    seal(copied)
    with pytest.raises(ResultError, match=r"data\.simulated"):
        open_result(copied)
    change_json(copied / "provenance.json", "data", "simulated", value=True)
    seal(copied)
    with pytest.raises(ResultError, match="names the classes"):
        open_result(copied)


def test_a_model_that_was_changed_is_refused_where_models_are_used(copied, recording):
    path = copied / "folds" / "1" / "scaling.npz"
    path.write_bytes(path.read_bytes()[:-1])
    assert not open_result(copied).folds[1].is_whole()
    assert open_result(copied).folds[0].is_whole()
    write_report(copied)  # which needs none
    with pytest.raises(ResultError, match="fold 1 is corrupt or not finished"):
        predict_recording(copied, recording)


def test_a_report_in_other_words_is_no_change_of_the_result(copied, monkeypatch):
    write_report(copied)
    seal(copied)
    monkeypatch.setattr("eegemo.report.page.list_caveats", lambda result: ["Other words."])
    write_report(copied)
    assert "Other words." in (copied / "report.html").read_text()
    assert changed_files(copied) == []


@pytest.mark.parametrize("channels", [[], ["Fz", "Fz"], None])
def test_a_recording_needs_channels_that_can_be_told_apart(copied, recording, channels):
    change_json(copied / "provenance.json", "data", "channels", value=channels)
    seal(copied)
    with pytest.raises(ResultError, match=r"provenance\.json: expected names in data\.channels"):
        predict_recording(copied, recording)


def test_a_result_that_this_version_cannot_run_is_still_shown(copied, recording):
    path = copied / "experiment.yaml"
    content = yaml.safe_load(path.read_text())
    content["model"]["temperament"] = "calm"
    path.write_text(yaml.safe_dump(content))
    seal(copied)
    result = open_result(copied)
    assert result.settings["model"]["temperament"] == "calm"
    assert write_report(copied).is_file()
    with pytest.raises(ConfigError, match=r"experiment\.yaml, line \d+: model\.temperament"):
        _ = result.experiment
    with pytest.raises(ConfigError, match=r"model\.temperament"):
        predict_recording(copied, recording)


# --- what is read -------------------------------------------------------------------------------


def test_a_result_is_what_the_run_was(result, place):
    stored = eegemo.open_result(result)
    experiment = tiny(place / "data", *LIGHT, "split.group=trial")  # what was held out is said
    assert stored.experiment == experiment
    assert stored.settings == yaml.safe_load(experiment.to_yaml())
    assert [fold.number for fold in stored.folds] == [0, 1]
    assert [record["name"] for record in stored.records] == ["1", "2"]
    assert all(fold.is_whole() for fold in stored.folds)
    assert len(stored.channels) == 32
    assert not stored.fitted_jointly
    plan = prepare_experiment(stored.experiment, RunContext(place / "r"))
    assert plan.digests == stored.provenance["digests"]
    assert plan.folder == result


def test_the_rows_of_a_fold_are_those_that_its_model_was_given(result, place):
    stored = open_result(result)
    plan = prepare_experiment(stored.experiment, RunContext(place / "r"))
    table = plan.windows.table
    for folder, fold in zip(stored.folds, plan.folds, strict=True):
        about = folder.fold
        assert set(about["role"]) == {"train", "validation", "test"}
        for role, rows in fold.parts().items():
            keys = table.iloc[rows][["subject", "trial"]].astype(str).drop_duplicates()
            named = about.loc[about["role"] == role, ["subject", "trial"]]
            assert set(map(tuple, keys.to_numpy())) == set(map(tuple, named.to_numpy()))


def test_a_table_of_folds_that_lacks_one_is_refused(copied):
    path = copied / "folds.csv"
    path.write_text(path.read_text().replace("fold_1", "fold_7").replace("validation", "watched"))
    seal(copied)
    first, second = open_result(copied).folds
    for folder, column in ((first, "fold_0"), (second, "fold_1")):
        with pytest.raises(ResultError, match=rf"folds\.csv: expected train, .* column {column}"):
            _ = folder.fold
    path.unlink()
    with pytest.raises(ResultError, match=r"folds\.csv: expected a file of the result"):
        _ = first.fold


def test_each_fold_has_its_own_model(result):
    stored = open_result(result)
    models = [stored.load_model(number)[0] for number in (0, 1)]
    weights = [model.pipeline[-1].coef_ for model in models]
    assert not np.array_equal(*weights)
    again, scaling = stored.folds[1].load_model(stored.model_of(stored.folds[1]), stored.shape)
    assert np.array_equal(again.pipeline[-1].coef_, weights[1])
    assert scaling.steps == ("zscore",)
    with pytest.raises(ResultError, match="expected a fold from 0 to 1, found 2"):
        stored.load_model(2)


def test_whether_folds_were_fitted_at_once_is_read_from_any_of_them(copied):
    change_json(copied / "folds/1/fold.json", "made_with", "folds_at_once", value=2)
    assert open_result(copied).fitted_jointly
    change_json(copied / "folds/1/fold.json", "made_with", value="unknown")
    assert not open_result(copied).fitted_jointly


def test_tables_are_assessed_without_a_folder(tmp_path):
    folder = fake_result(tmp_path / "r", validation=True, baseline=0.2, n_trials=16)
    stored = open_result(folder)
    tables = [read_predictions(folder / f"{name}.parquet") for name in layout.TABLES]
    records = [
        json.loads((folder / "folds" / str(k) / "fold.json").read_text())
        for k in range(len(stored.folds))
    ]
    shutil.rmtree(folder)
    assessment = assess_predictions(tables[0], records, tables[1], tables[2])
    assert assessment.metrics == stored.assessment.metrics
    assert assessment.calibration == stored.assessment.calibration
    assert assessment.baseline_comparison == stored.assessment.baseline_comparison
    total = evaluate(tables[0], records)["levels"]["trial"]["total"]
    assert assessment.levels["trial"]["total"] == total
    alone = assess_predictions(tables[0], records)
    assert alone.baseline_comparison is None
    assert alone.calibration["temperature"] is None
    assert assessment.calibration["temperature"] is not None


# --- what is written ----------------------------------------------------------------------------


def test_a_fold_holds_what_it_was_asked_for_and_nothing_else(copied):
    folder = open_result(copied).folds[1]
    name, seeds = folder.record["name"], folder.record["seeds"]
    lengths = {
        table: len(read_predictions(folder.path / f"{table}.parquet"))
        for table in ("predictions", "validation")
    }
    assert folder.holds(name, seeds, lengths, "model.npz")
    for other in (
        ("1", seeds, lengths, "model.npz"),
        (name, {**seeds, "model": seeds["model"] + 1}, lengths, "model.npz"),
        (name, {**seeds, "split": seeds["split"] + 1}, lengths, "model.npz"),
        (name, seeds, {**lengths, "predictions": lengths["predictions"] + 1}, "model.npz"),
        (name, seeds, {**lengths, "validation": 1}, "model.npz"),
        (name, seeds, {**lengths, "baseline": lengths["predictions"]}, "model.npz"),
        (name, seeds, lengths, "model.keras"),
    ):
        assert not folder.holds(*other)
    (folder.path / "history.csv").write_text("epoch\n")
    assert not folder.holds(name, seeds, lengths, "model.npz")


def test_a_fold_is_cleared_but_for_checkpoints_and_only_if_it_is_not_finished(copied):
    folder = open_result(copied).folds[0]
    content = (folder.record["name"], folder.record["seeds"], {}, "model.npz")
    (folder.path / "checkpoint-2.npz").write_bytes(b"part")
    with folder.open(*content) as wanted:
        assert not wanted
        assert (folder.path / "model.npz").is_file()
        with (
            pytest.raises(EegemoError),
            lock(folder.path / ".lock"),
        ):
            pass
    (folder.path / "done").unlink()
    (folder.path / "drawn").mkdir()
    with folder.open(*content) as wanted:
        assert wanted
        left = {path.name for path in folder.path.iterdir()}
        assert left == {".lock", "checkpoint-2.npz"}


def test_progress_is_read_from_the_history_until_a_fold_is_done(copied):
    folder = open_result(copied).folds[0]
    assert folder.epochs_done() is None
    (folder.path / "done").unlink()
    folder.history_path.write_text("epoch,loss\n1,0.5\n2,0.4\n")
    assert folder.epochs_done() == 2
    folder.history_path.write_text("")
    assert folder.epochs_done() == 0
    folder.history_path.unlink()
    assert folder.epochs_done() == 0


def test_folds_are_put_together_again_as_they_were(copied, place):
    plan = prepare_experiment(open_result(copied).experiment, RunContext(place / "r"))
    before = json.loads((copied / "provenance.json").read_text())
    table = read_predictions(copied / "predictions.parquet")
    (copied / "predictions.parquet").unlink()
    assert not is_assembled(copied)
    object.__setattr__(plan, "folder", copied)
    assemble(plan, jobs=3, started="then", seconds=1.5)
    assert not (copied / "manifest.json").exists()  # not whole until it is sealed
    seal(copied)
    assert is_assembled(copied)
    pd.testing.assert_frame_equal(read_predictions(copied / "predictions.parquet"), table)
    after = json.loads((copied / "provenance.json").read_text())
    assert (after["jobs"], after["started"], after["wall_seconds"]) == (3, "then", 1.5)
    for own in ("jobs", "started", "finished", "wall_seconds", "peak_memory_bytes"):
        del before[own], after[own]
    assert after == before
    assert list(after) == list(before)
    write_report(copied)
    seal(copied)
    (copied / "report.html").write_text("another page")
    assert is_assembled(copied)  # it can be drawn again from the rest


def test_files_of_a_result_are_named_in_one_place_only():
    """A name in quotes elsewhere is a second place that would have to be changed."""
    names = {layout.PROVENANCE, layout.RECORD, layout.HISTORY, layout.SCALING, layout.SPLIT}
    names |= {layout.METRICS, layout.CHECKPOINT}
    package = Path(eegemo.__file__).parent
    for path in package.rglob("*.py"):
        if path == package / "results" / "layout.py" or "models" in (path.stem, *path.parts):
            continue  # a model names files of its own
        text = path.read_text(encoding="utf-8")
        assert not [name for name in names if f'/ "{name}"' in text], path
