"""Audits, signals and repeated results on Dask's workers: what one process gives, and refusals."""

import json
import os
from collections import Counter
from pathlib import Path
from unittest import mock

import pandas as pd
import pytest

from eegemo.audit import audit_experiment
from eegemo.cli import main
from eegemo.evaluation import read_predictions
from eegemo.execution import Progress, run_tasks
from eegemo.execution.dask import scheduling
from experiments import tiny

LIGHT = ["model={name: band_power_logreg}", "data.n_subjects=2"]


def call(capsys, *arguments):
    """Return exit code, standard output and standard error."""
    with pytest.raises(SystemExit) as ended:
        main([str(one) for one in arguments])
    captured = capsys.readouterr()
    return ended.value.code or 0, captured.out, captured.err


@pytest.fixture(scope="module")
def address():
    """A scheduler and a worker with one thread; tasks are done in a process of that thread."""
    import distributed

    with distributed.LocalCluster(
        n_workers=1,
        threads_per_worker=1,
        processes=False,
        protocol="tcp",
        host="127.0.0.1",
        dashboard_address=":0",
    ) as cluster:
        yield cluster.scheduler_address


@pytest.fixture
def sent(monkeypatch):
    """Count what is sent to workers, by the name of the function."""
    counts = Counter()
    original = scheduling.run_tasks_dask

    def run(function, tasks, **options):
        counts[function.__name__] += len(tasks)
        return original(function, tasks, **options)

    monkeypatch.setattr(scheduling, "run_tasks_dask", run)
    return counts


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("spread")


@pytest.fixture(scope="module")
def experiment(place):
    return tiny(place / "data", *LIGHT)


@pytest.fixture(scope="module")
def file(place, experiment):
    path = place / "tiny.yaml"
    path.write_text(experiment.to_yaml(), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def audited(place, experiment):
    """An audit by this process alone, without its page."""
    with mock.patch("eegemo.audit.run.write_audit", side_effect=lambda folder: folder):
        return audit_experiment(experiment, results=place / "here", draws=0)


def assert_same_predictions(one, two):
    tables = [file.relative_to(one) for file in one.rglob("*.parquet")]
    assert tables
    for name in tables:
        pd.testing.assert_frame_equal(
            read_predictions(one / name), read_predictions(two / name), check_exact=True
        )


def test_signals_and_their_pages_come_from_workers_as_from_one_process(
    address, sent, place, audited, file, capsys
):
    spread = ["--engine", "dask", "--scheduler", address, "--results", place / "there"]
    code, out, err = call(capsys, "preprocess", file, *spread)
    assert code == 0, err
    assert sent == {"store_subject": 2, "draw_subject": 2}
    report = Path(out.strip())
    pages = ["quality.html", "subjects/s01.html", "subjects/s02.html"]
    assert all((report.parent / name).is_file() for name in pages)
    # digests of signals and of the records that the pages are drawn from
    stored = list((place / "here").glob(".store/trials/*/manifest.json"))
    assert len(stored) == 2
    for one in stored:
        assert one.read_text() == (place / "there" / one.relative_to(place / "here")).read_text()


def test_an_audit_is_spread_over_workers_and_says_the_same(
    address, sent, place, audited, file, capsys
):
    spread = ["--engine", "dask", "--scheduler", address, "--results", place / "there"]
    code, out, err = call(capsys, "audit", file, "--draws", "0", *spread)
    assert code == 0, err
    there = place / "there" / audited.name
    assert str(there / "audit.html") in out
    n_folds = len(list(audited.glob("runs/*/folds/*/done")))
    assert sent["fit_and_save"] == n_folds >= 6
    assert_same_predictions(audited, there)
    assert (audited / "audit.json").read_text() == (there / "audit.json").read_text()
    for folder, at_home in [(audited, True), (there, False)]:
        for record in folder.glob("runs/*/folds/*/fold.json"):
            process = json.loads(record.read_text())["made_with"]["process"]
            assert (process == os.getpid()) is at_home


def test_a_result_is_repeated_by_workers_and_elsewhere(
    address, sent, place, audited, tmp_path, capsys
):
    (result,) = audited.glob("runs/trial-*")
    before = {path: path.stat().st_mtime_ns for path in audited.rglob("*")}
    spread = ["--engine", "dask", "--scheduler", address, "--results", tmp_path / "new"]
    code, out, err = call(capsys, "run", "--verify", result, *spread)
    assert code == 0, err
    assert "All predictions are the same, to the bit." in out
    assert sent == {"store_subject": 2, "fit_and_save": 2}
    # nothing beside the result, and where it was repeated only trials, which may be of use again
    assert {path: path.stat().st_mtime_ns for path in audited.rglob("*")} == before
    assert [path.name for path in (tmp_path / "new").iterdir()] == [".store"]


def test_an_audit_passes_on_what_a_user_has_to_know(place, audited, experiment):
    """Single runs are quiet, but not about workers, nor about an engine that cannot be used."""

    def runner(function, tasks, *, message=None, **options):
        if function.__name__ == "fit_and_save":
            message("Dask has no worker now: waiting for one.")
        return run_tasks(function, tasks, message=message, **options)

    progress = mock.create_autospec(Progress, instance=True)
    asked = {"progress": progress, "runner": runner, "engine": "together"}
    with mock.patch("eegemo.audit.run.write_audit"):
        audit_experiment(experiment, results=place / "here", draws=0, **asked)
    said = [one.args[0] for one in progress.message.call_args_list]
    assert said[0].startswith("tiny: folds are fitted separately, since band_power_logreg is no")
    assert said[1].startswith("tiny: 3 protocols")
    assert said[2:] == ["Dask has no worker now: waiting for one."]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("preprocess FILE --engine together", "preprocess does not train; expected local or d"),
        ("preprocess FILE --engine auto", "expected local or dask, found 'auto'"),
        ("preprocess FILE --scheduler tcp://a:1", "--scheduler goes with --engine dask"),
        ("audit FILE --scheduler tcp://a:1", "--scheduler goes with --engine dask"),
        ("audit FILE --engine dusk", "expected auto or local or together or dask, found 'dusk'"),
        ("audit FILE --device tpu", "--device: expected auto, cpu or gpu, found 'tpu'"),
        ("audit FILE --engine dask --jobs 0", "expected 1 or more workers"),
        ("run FILE --engine dask --scheduler tcp://a:1 --jobs 2", "--jobs applies to processes or"),
        ("run --verify RESULT --scheduler tcp://a:1", "--scheduler goes with --engine dask"),
        ("run --verify RESULT --engine dusk", "expected auto or local or together or dask"),
        ("run FILE --verify RESULT", "experiment files, or --verify and a result, not both"),
        ("run --verify RESULT --set seed=1", "repeated unchanged, without --set"),
        ("run", "give experiment files, or --verify and a result"),
    ],
)
def test_options_that_do_not_go_together_are_refused(arguments, words, file, tmp_path, capsys):
    names = {"FILE": str(file), "RESULT": str(tmp_path / "no-result")}
    given = [names.get(one, one) for one in arguments.split()]
    code, out, err = call(capsys, *given, "--results", tmp_path / "r")
    assert (code, out) == (2, "")
    assert words in err
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_nothing_is_read_for_an_engine_that_is_not_there(place, tmp_path, capsys):
    """TensorFlow cannot fit all folds at once: told before signals are made or read."""
    file = tmp_path / "network.yaml"
    file.write_text(tiny(tmp_path / "data").to_yaml(), encoding="utf-8")
    with mock.patch(
        "eegemo.models.keras.device.run_tasks", return_value=iter([("tensorflow", "cpu:0")])
    ):
        code, _, err = call(
            capsys, "audit", file, "--engine", "together", "--results", tmp_path / "r"
        )
    assert code == 2
    assert "needs Keras's JAX back end, and this is tensorflow" in err
    assert [path.name for path in tmp_path.iterdir()] == ["network.yaml"]


@pytest.mark.slow
def test_an_audit_of_a_network_is_the_same_on_workers(address, place):
    from eegemo.execution.dask import open_runner

    network = tiny(place / "data", "data.n_subjects=2")
    (here, there) = (place / "network-here", place / "network-there")
    one = audit_experiment(network, results=here, draws=0, jobs=1).parent
    with open_runner("dask", address) as (runner, jobs):
        two = audit_experiment(network, results=there, draws=0, jobs=jobs, runner=runner).parent
    assert_same_predictions(one, two)
