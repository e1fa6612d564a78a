"""A stored result, repeated: it agrees, or what differs is said."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from eegemo.errors import ConfigError, ResultError
from eegemo.evaluation import read_predictions, write_predictions
from eegemo.execution import run_tasks
from eegemo.report import write_report
from eegemo.results.assemble import seal
from eegemo.runs.run import run_all, run_experiments
from eegemo.runs.verify import TOLERANCE, compare_predictions, verify_result
from experiments import tiny, with_foreign_model

BAND_POWER = "model={name: band_power_logreg}"


def backwards(function, tasks, **options):
    """Do the work in the other order."""
    return run_tasks(function, list(tasks)[::-1], **options)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("verified")


@pytest.fixture(scope="module")
def result(place):
    experiment = tiny(place / "data", BAND_POWER)
    return run_experiments([experiment], results=place / "results", report=False)[0]


@pytest.fixture
def copied(result, tmp_path):
    shutil.copytree(result, tmp_path / result.name)
    return tmp_path / result.name


def test_a_result_agrees_with_itself_and_is_left_as_it_is(result, place):
    before = {path: path.stat().st_mtime_ns for path in result.rglob("*")}
    found = verify_result(result)
    assert found.agrees
    assert found.max_difference == 0
    assert found.same_classes == 1
    assert not found.versions
    assert "to the bit" in found.sentences[-1]
    assert {path: path.stat().st_mtime_ns for path in result.rglob("*")} == before
    assert {path.name for path in (place / "results").iterdir()} == {".store", result.name}


def test_code_that_a_result_names_is_not_imported_without_trust(copied, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    imported = with_foreign_model(copied, tmp_path)
    with pytest.raises(ConfigError, match="add --trust to import it"):
        verify_result(copied)
    assert not imported.exists()


def test_neither_the_number_of_jobs_nor_the_order_of_folds_changes_a_bit(result, place, tmp_path):
    experiment = tiny(place / "data", BAND_POWER)
    tables = [read_predictions(result / "predictions.parquet")]
    for k, options in enumerate([{"jobs": 1}, {"runner": backwards}]):
        (folder,) = run_experiments(
            [experiment],
            results=tmp_path / str(k),
            store=place / "results" / ".store",
            report=False,
            **options,
        )
        tables.append(read_predictions(folder / "predictions.parquet"))
    for table in tables[1:]:
        assert compare_predictions(tables[0], table) == (0.0, 1.0)


def test_other_predictions_do_not_agree(copied, place):
    path = copied / "predictions.parquet"
    table = read_predictions(path)
    names = [name for name in table if name.startswith("p_")]
    table.loc[0, names] = np.roll(table.loc[0, names].to_numpy(float), 1)
    write_predictions(table, path)
    with pytest.raises(ResultError, match=r"predictions\.parquet is not what the run wrote"):
        verify_result(copied, store=place / "results" / ".store")
    (copied / "manifest.json").unlink()  # as if this could not be told
    found = verify_result(copied, store=place / "results" / ".store")
    assert not found.agrees
    assert found.damaged == ("manifest.json",)
    assert found.max_difference > TOLERANCE
    assert any("Changed or unreadable files" in one for one in found.sentences)


def test_a_page_that_was_changed_is_named_and_the_rest_compared(copied, place):
    write_report(copied)
    seal(copied)
    (copied / "report.html").write_text("another page")
    found = verify_result(copied, store=place / "results" / ".store")
    assert not found.agrees
    assert found.damaged == ("report.html",)
    assert found.max_difference == 0


def test_other_data_is_named_and_nothing_is_fitted(copied, place):
    path = copied / "experiment.yaml"
    path.write_text(path.read_text().replace("effect: 1.6", "effect: 1.5"))
    seal(copied)
    found = verify_result(copied, store=place / "results" / ".store")
    assert not found.agrees
    assert found.different == ("data",)  # same ratings, same trials: labels and folds agree
    assert found.max_difference is None


def test_other_versions_are_named(copied, place):
    path = copied / "provenance.json"
    record = json.loads(path.read_text())
    record["versions"]["numpy"], record["versions"]["torch"] = "1.0", "0.1"
    path.write_text(json.dumps(record))
    seal(copied)
    found = verify_result(copied, store=place / "results" / ".store")
    assert found.versions["numpy"] == ("1.0", np.__version__)
    assert found.versions["torch"][0] == "0.1"
    assert found.max_difference == 0


def test_a_result_is_repeated_in_the_way_it_was_fitted(copied, place, monkeypatch):
    asked = []

    def run(experiments, context, *, report):
        asked.append(context.engine)
        # separately, whatever was asked for
        return run_all(experiments, replace(context, engine="local"), report=report)

    monkeypatch.setattr("eegemo.runs.verify.run_all", run)
    path = copied / "folds" / "1" / "fold.json"
    record = json.loads(path.read_text())
    for at_once, engine in [(1, "auto"), (2, "auto"), (2, "local")]:
        record["made_with"]["folds_at_once"] = at_once
        path.write_text(json.dumps(record))
        found = verify_result(copied, store=place / "results" / ".store", engine=engine)
        other = "Folds were fitted jointly then, separately now." in found.sentences
        assert other is (at_once == 2)
    assert asked == ["local", "together", "local"]


def test_what_is_no_result_is_refused(tmp_path, copied):
    with pytest.raises(ResultError, match=r"expected a finished result, but provenance\.json is"):
        verify_result(tmp_path)
    path = copied / "provenance.json"
    record = json.loads(path.read_text())
    for what in ("data", "labels", "folds"):
        digests = {name: digest for name, digest in record["digests"].items() if name != what}
        path.write_text(json.dumps(record | {"digests": digests}))
        seal(copied)
        with pytest.raises(ResultError, match=f"expected text as 'digests.{what}', found no such"):
            verify_result(copied)


@pytest.mark.slow
def test_on_another_back_end_the_stored_models_are_asked(place):
    experiment = tiny(place / "data", name="network")
    (folder,) = run_experiments([experiment], results=place / "results", report=False)
    path = folder / "provenance.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps(record | {"backend": "another"}))
    (folder / "manifest.json").unlink()
    found = verify_result(folder, runner=backwards)
    assert found.versions["backend"][0] == "another"
    assert "the stored models predicted again" in " ".join(found.sentences)
    assert found.max_difference <= TOLERANCE


def test_probabilities_are_compared_exactly_and_other_windows_not_at_all(result):
    table = read_predictions(result / "predictions.parquet")
    assert compare_predictions(table, table) == (0.0, 1.0)
    assert compare_predictions(table, table.iloc[1:]) == (None, None)
    assert compare_predictions(table, table.iloc[::-1]) == (None, None)
    other = table.copy()
    names = [name for name in table if name.startswith("p_")]
    other[names] = np.nextafter(table[names].to_numpy(np.float32), np.float32(2))
    difference, same = compare_predictions(table, other)
    assert 0 < difference < 1e-6
    assert same == 1
