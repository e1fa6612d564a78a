"""What is trained gives the same bits as on the day it was recorded, and goes on from its files."""

import pickle
import shutil

import pandas as pd
import pytest

from eegemo import read_predictions
from golden.cases import RUNS, kept_experiment, make_experiment, working_in
from golden.inside import Stopped, checkpoint_epochs, is_fit, run, through_pickle, training_key
from golden.machine import GOLDEN, differences
from golden.records import (
    KEPT_FILE,
    RUNS_FILE,
    TABLES,
    describe_fold,
    describe_result,
    read_json,
    unpack,
)

NETWORKS = ("cnn_lstm", "cnn_gru")
DIFFERENT = differences()
same_machine = pytest.mark.skipif(
    bool(DIFFERENT), reason=f"bits depend on software and processor: {DIFFERENT}"
)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    with working_in(tmp_path_factory.mktemp("golden")) as folder:
        yield folder


@pytest.fixture(scope="module")
def kept(place):
    return unpack(KEPT_FILE, place / "kept")


@pytest.fixture(scope="module")
def golden(place):
    return unpack(RUNS_FILE, place / "runs")


@pytest.fixture(scope="module")
def runs(place):
    """Name -> result folder; each is run when it is first asked for."""
    done = {}

    def give(name):
        if name not in done:
            (done[name],) = run([make_experiment(*RUNS[name])], "results")
        return done[name]

    return give


def assert_same_tables(found, golden, names=TABLES):
    for name in names:
        file = f"{name}.parquet"
        assert (found / file).is_file() == (golden / file).is_file(), name
        if (golden / file).is_file():
            tables = (read_predictions(folder / file) for folder in (found, golden))
            pd.testing.assert_frame_equal(*tables, check_exact=True, obj=name)


@same_machine
@pytest.mark.parametrize("name", RUNS)
def test_predictions_are_the_same_to_the_bit(runs, golden, name):
    assert_same_tables(runs(name), golden[name])


@same_machine
@pytest.mark.parametrize("name", RUNS)
def test_records_of_a_run_are_the_same_but_for_times_and_versions(runs, golden, name):
    assert describe_result(runs(name)) == read_json(golden[name] / "record.json")


@pytest.mark.parametrize("name", [name for name in RUNS if name not in NETWORKS])
def test_folds_are_the_same_on_any_machine(runs, golden, name):
    found, kept = describe_result(runs(name)), read_json(golden[name] / "record.json")
    for key in ("folds.csv", "experiment.yaml"):
        assert found[key] == kept[key]
    for key in ("labels", "split", "seed", "repeats", "notes"):
        assert found["provenance"][key] == kept["provenance"][key]
    for fold, before in zip(found["folds"], kept["folds"], strict=True):
        assert fold["files"] == before["files"]
        for key in ("name", "seeds", "windows", "trials", "shared"):
            assert fold["fold"][key] == before["fold"][key]


@same_machine
def test_the_key_of_a_checkpoint_is_the_same():
    assert training_key() == read_json(GOLDEN / "keys.json")["training"]


@same_machine
def test_a_fold_goes_on_from_an_old_checkpoint_to_the_same_bits(place, kept):
    """The checkpoint is of the first epoch, which is not trained again."""
    golden = kept["cnn_gru"]
    fold = place / "resumed" / golden.name / "folds" / "0"
    fold.mkdir(parents=True)
    shutil.copy(GOLDEN / "checkpoint.npz", fold / "checkpoint.npz")

    def first_fold_only(function, tasks, **options):
        if not is_fit(tasks[0]):
            yield from through_pickle(function, tasks)
            return
        yield from through_pickle(function, tasks[:1])
        raise Stopped

    with pytest.raises(Stopped):
        run([kept_experiment("cnn_gru")], "resumed", report=True, runner=first_fold_only)
    before = checkpoint_epochs(GOLDEN / "checkpoint.npz")
    seconds = pd.read_csv(fold / "history.csv")["seconds"].tolist()
    assert len(before) == 1
    assert len(seconds) == 2
    assert seconds[0] == before[0]  # as it took then
    assert (golden / "folds" / "0" / "baseline.parquet").is_file()
    assert_same_tables(fold, golden / "folds" / "0")
    assert describe_fold(fold) == describe_fold(golden / "folds" / "0")


def test_tasks_are_the_same_after_they_were_sent_to_a_process(place):
    """All runs of this file do their tasks as they come out of a pickle."""
    sent = []

    def keep(function, tasks, **options):
        sent.extend(tasks)
        yield from through_pickle(function, tasks)

    experiment = make_experiment("model={name: band_power_logreg}", "seed=9")
    run([experiment], "sent", runner=keep)
    assert [is_fit(task) for task in sent] == [False, False, True, True, True]
    for task in sent:
        again = pickle.loads(pickle.dumps(task))
        assert type(again) is type(task)
        assert str(again) == str(task)
        assert again.outcome == task.outcome
        assert len(pickle.dumps(task)) < 100_000  # paths rather than signals
