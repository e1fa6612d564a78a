"""What is trained gives the same bits as on the day it was recorded, and goes on from its files."""

import pickle
import subprocess
import sys

import pandas as pd
import pytest

from eegemo import read_predictions
from golden.cases import NETWORKS, RUNS, make_experiment, working_in
from golden.inside import checkpoint_epochs, is_fit, run, through_pickle, training_key
from golden.machine import GOLDEN, differences
from golden.records import (
    KEPT_FILE,
    RUNS_FILE,
    TABLES,
    describe_fold,
    describe_result,
    read_json,
    read_record,
    unpack,
)

QUICK = [name for name in RUNS if name not in NETWORKS]
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
def trained(place, kept):
    """Let a process of its own train all networks."""
    script = GOLDEN / "train.py"
    command = [sys.executable, str(script), kept["cnn_gru"].name]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=place)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def runs(place):
    """Name -> result folder of what is quick enough; each is run when it is first asked for."""
    done = {}

    def give(name):
        if name not in done:
            (done[name],) = run([make_experiment(*RUNS[name])], "quick")
        return done[name]

    return give


def assert_same_tables(found, golden, names=TABLES):
    for name in names:
        file = f"{name}.parquet"
        assert (found / file).is_file() == (golden / file).is_file(), name
        if (golden / file).is_file():
            tables = (read_predictions(folder / file) for folder in (found, golden))
            pd.testing.assert_frame_equal(*tables, check_exact=True, obj=name)


def assert_same_run(folder, golden):
    assert_same_tables(folder, golden)
    assert describe_result(folder) == read_record(golden)


@pytest.mark.slow
@same_machine
@pytest.mark.usefixtures("trained")
@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_gives_the_same_to_the_bit(place, golden, name):
    record = read_record(golden[name])
    assert_same_run(place / "results" / record["name"], golden[name])


@pytest.mark.slow
@same_machine
@pytest.mark.usefixtures("trained")
def test_a_fold_goes_on_from_an_old_checkpoint_to_the_same_bits(place, kept):
    """The checkpoint is of the first epoch, which is not trained again."""
    golden = kept["cnn_gru"] / "folds" / "0"
    fold = place / "resumed" / kept["cnn_gru"].name / "folds" / "0"
    before = checkpoint_epochs(GOLDEN / "checkpoint.npz")
    seconds = pd.read_csv(fold / "history.csv")["seconds"].tolist()
    assert len(before) == 1
    assert len(seconds) == 2
    assert seconds[0] == before[0]  # as it took then
    assert read_json(golden / "fold.json")["best_epoch"] == 1
    assert (golden / "baseline.parquet").is_file()
    assert_same_tables(fold, golden)
    assert describe_fold(fold) == describe_fold(golden)


@same_machine
@pytest.mark.parametrize("name", QUICK)
def test_a_quick_model_gives_the_same_to_the_bit(runs, golden, name):
    assert_same_run(runs(name), golden[name])


@pytest.mark.parametrize("name", QUICK)
def test_folds_are_the_same_on_any_machine(runs, golden, name):
    found, kept = describe_result(runs(name)), read_record(golden[name])
    for key in ("folds.csv", "experiment.yaml"):
        assert found[key] == kept[key]
    for key in ("labels", "split", "seed", "repeats"):
        assert found["provenance"][key] == kept["provenance"][key]
    for fold, before in zip(found["folds"], kept["folds"], strict=True):
        assert fold["files"] == before["files"]
        for key in ("name", "seeds", "windows", "trials", "shared"):
            assert fold["fold"][key] == before["fold"][key]


@same_machine
def test_the_key_of_a_checkpoint_is_the_same():
    assert training_key() == read_json(GOLDEN / "keys.json")["training"]


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
