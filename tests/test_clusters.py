"""Dask: a real scheduler and two workers give what one process gives, also when one is lost."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pandas as pd
import pytest

import eegemo
from eegemo.errors import DataError, EegemoError, InputError
from eegemo.execution.dask import open_cluster, run_tasks_dask, scheduling, working

TESTS = Path(__file__).parent
REPOSITORY = TESTS.parent
LIGHT = ["model={name: band_power_logreg}", "split.n_splits=4"]

# --- tasks, importable by name so that workers find them -----------------------------------------


def square_and_processes(number):
    return number**2, os.getpid(), os.getppid()


def refuse(number):
    if number == 2:
        raise DataError(f"s{number:02d}.dat: expected 40 trials, found 3.")
    time.sleep(0.5)
    return number


def die(number):
    if number == 2:
        os._exit(3)
    return number


def wait_long(file):
    if file is None:
        return
    file.with_suffix(".part").write_text(str(os.getpid()), encoding="utf-8")
    file.with_suffix(".part").rename(file)
    time.sleep(120)


def describe_process(_):
    names = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "EEGEMO_DEVICE")
    own = {"cwd": os.getcwd(), "eegemo": eegemo.__file__}
    return {name: os.environ.get(name) for name in names} | own


def fit_or_wait(task):
    """Fit a fold; the first to fit fold 1 says which process it is, and waits to be killed."""
    from eegemo.runs import fit as tasks
    from eegemo.store import lock

    journal = Path("journal")  # in the folder of the process that asked
    with (journal / str(task.number)).open("a", encoding="utf-8") as stream:
        stream.write("begun\n")
    with ExitStack() as stack:
        if task.number == 1 and not (journal / "victim").exists():
            # as a worker that is killed in the middle: it holds the fold, which is half written
            stack.enter_context(lock(task.folder / ".lock", wait=True))
            (task.folder / "model.npz").write_bytes(b"half")
            (journal / "victim.part").write_text(str(os.getppid()), encoding="utf-8")
            (journal / "victim.part").rename(journal / "victim")
            time.sleep(120)
        tasks.fit_and_save(task)


def fit_and_count(task):
    """Fit a fold, and tell how often that was really done."""
    from unittest import mock

    from eegemo.runs import fit as tasks

    with mock.patch.object(tasks, "_fit_and_save", wraps=tasks._fit_and_save) as fit:
        tasks.fit_and_save(task)
    return fit.call_count


# --- a cluster ----------------------------------------------------------------------------------


@contextmanager
def running(*arguments, folder):
    """Run one of Dask's commands, in a folder of its own, for the block."""
    # a fresh user's environment, without the settings of the test run
    kept = {k: v for k, v in os.environ.items() if "THREADS" not in k and "EEGEMO" not in k}
    # this checkout, not one that happens to be installed
    paths = [str(REPOSITORY), str(TESTS), *filter(None, [kept.get("PYTHONPATH")])]
    kept["PYTHONPATH"] = os.pathsep.join(paths)
    with (folder / f"{arguments[0]}-{time.monotonic_ns()}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", *arguments], cwd=folder, env=kept, stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_for(condition, *, seconds=60):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


@contextmanager
def two_workers(folder):
    """Start a scheduler and two workers; give its address and their processes."""
    file = folder / "scheduler.json"
    with ExitStack() as stack:
        options = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
        command = ["scheduler", *options, "--scheduler-file", str(file)]
        stack.enter_context(running(*command, folder=folder))
        wait_for(file.is_file)
        wait_for(lambda: file.read_text(encoding="utf-8").strip().endswith("}"))
        address = json.loads(file.read_text(encoding="utf-8"))["address"]
        # without a nanny nothing takes the place of the worker that is killed
        command = ["worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
        command += ["--memory-limit", "0"]
        workers = [stack.enter_context(running(*command, folder=folder)) for _ in range(2)]
        yield address, workers


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with (
        two_workers(tmp_path_factory.mktemp("cluster")) as (address, workers),
        open_cluster(address) as client,
    ):
        wait_for(lambda: len(client.nthreads()) == 2)
        yield client, workers


def run_light(runner, root, monkeypatch, *overrides):
    """Run the baseline on simulated data, with relative paths."""
    from eegemo.execution import run_tasks
    from eegemo.runs.run import run_experiments
    from experiments import tiny

    root.mkdir()
    monkeypatch.chdir(root)
    (root / "journal").mkdir()
    experiment = tiny(Path("../data"), *LIGHT, *overrides)
    (folder,) = run_experiments(
        [experiment], results="results", report=False, runner=runner or run_tasks
    )
    return root / folder


def tables(folder):
    from eegemo.evaluation import read_predictions

    return {file.name: read_predictions(file) for file in folder.glob("*.parquet")}


def assert_same_tables(one, two):
    assert set(one) == set(two) > set()
    for name, table in one.items():
        pd.testing.assert_frame_equal(table, two[name], check_exact=True)


# --- what a cluster does ------------------------------------------------------------------------


def test_each_worker_does_its_part_as_a_process_here_would(cluster, tmp_path, monkeypatch):
    client, workers = cluster
    results = sorted(run_tasks_dask(square_and_processes, range(8), scheduler=client))
    assert [number for number, *_ in results] == [k**2 for k in range(8)]
    # not in the workers themselves, whose other threads draw random numbers, too
    assert {parent for *_, parent in results} == {worker.pid for worker in workers}
    assert len({process for _, process, _ in results}) == 2
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EEGEMO_DEVICE", "cpu")
    alike = {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1", "EEGEMO_DEVICE": "cpu"}
    for found in run_tasks_dask(describe_process, range(4), scheduler=client):
        assert found == alike | {"cwd": str(tmp_path), "eegemo": eegemo.__file__}


def test_an_error_arrives_as_it_was_raised(cluster):
    with pytest.raises(DataError) as raised:
        list(run_tasks_dask(refuse, range(2, 20), scheduler=cluster[0]))
    assert str(raised.value) == "s02.dat: expected 40 trials, found 3."


def test_a_fold_sent_twice_at_once_is_fitted_once(cluster, tmp_path, monkeypatch):
    sent = []

    def twice(function, tasks, **_):
        if function.__name__ != "fit_and_save":
            return run_tasks_dask(function, tasks, scheduler=cluster[0])
        sent.extend(run_tasks_dask(fit_and_count, [*tasks, *tasks], scheduler=cluster[0]))
        return iter([])

    run_light(twice, tmp_path / "twice", monkeypatch, "split.n_splits=2")
    assert sorted(sent) == [0, 0, 1, 1]


# --- mistakes, told in a line -------------------------------------------------------------------


def test_a_task_that_ends_every_process_is_named_and_all_others_are_done(cluster):
    said, done = [], []
    options = {"name": "task {}".format, "message": said.append}
    results = run_tasks_dask(die, [1, 2, 3], scheduler=cluster[0], **options)
    with pytest.raises(EegemoError, match=r"^task 2: lost its worker or process again and again"):
        done.extend(results)
    assert sorted(done) == [1, 3]
    again = "A worker's process ended unexpectedly (exit code 3). To be tried again: task 2."
    assert said == [again] * 3


def test_a_task_that_nobody_wants_any_more_ends(cluster, tmp_path):
    results = run_tasks_dask(wait_long, [None, tmp_path / "process"], scheduler=cluster[0])
    assert next(results) is None
    wait_for((tmp_path / "process").is_file)
    process = int((tmp_path / "process").read_text(encoding="utf-8"))
    assert Path(f"/proc/{process}").exists()
    results.close()
    wait_for(lambda: not Path(f"/proc/{process}").exists(), seconds=20)


def test_threads_of_a_worker_have_processes_of_their_own():
    import distributed

    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0"
        ) as threads,
        distributed.Client(threads, set_as_default=False) as client,
    ):
        results = list(run_tasks_dask(refuse, [1, 3, 4, 5], scheduler=client))
        found = list(run_tasks_dask(square_and_processes, range(8), scheduler=client))
    assert sorted(results) == [1, 3, 4, 5]
    assert len({process for _, process, _ in found}) == 2
    assert {parent for *_, parent in found} == {os.getpid()}


def test_a_result_that_is_not_seen_here_is_told(monkeypatch):
    monkeypatch.setattr(scheduling, "_SHOW", 0.2)

    class Elsewhere:
        outcome = TESTS / "no-such-folder" / "done"

    with pytest.raises(InputError, match=r"fold 3: .*done is not there.*machines share"):
        scheduling._wait_for_outcome(Elsewhere(), lambda task: "fold 3")


def test_workers_unlike_this_process_are_refused():
    settings = scheduling._settings()
    working.check_worker(settings, "tcp://node7:1234")
    for changed, words in [
        ({"version": "9"}, "node7:1234 has eegemo .*same version"),
        ({"folder": "/no/such/folder"}, "does not see the folder /no/such/folder"),
    ]:
        with pytest.raises(InputError, match=words):
            working.check_worker(settings | changed, "tcp://node7:1234")


def test_a_scheduler_that_does_not_answer_and_dask_that_is_not_there(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(scheduling, "_CONNECT", 1)
    for address in ("tcp://127.0.0.1:1", "nonsense://x"):
        with pytest.raises(InputError, match=f"^--scheduler {address}: no Dask scheduler"):
            list(run_tasks_dask(die, [1], scheduler=address))
    from eegemo.cli import main

    file = REPOSITORY / "experiments" / "quickstart" / "cnn_gru.yaml"
    for options, words in [
        (["--engine", "dask", "--scheduler", "tcp://127.0.0.1:1"], "no Dask scheduler"),
        (["--engine", "dusk"], "expected auto or local or together or dask, found 'dusk'"),
        (["--scheduler", "tcp://127.0.0.1:1"], "--scheduler goes with --engine dask"),
    ]:
        with pytest.raises(SystemExit) as left:
            main(["run", str(file), "--results", str(tmp_path / "r"), *options])
        assert left.value.code == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert words in err
        assert err.count("\n") == 1
    assert not (tmp_path / "r").exists()
    with pytest.raises(InputError, match="expected 1 or more workers"):
        list(run_tasks_dask(die, [1], jobs=0))
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"pip install eegemo\[dask\]"):
        list(run_tasks_dask(die, [1]))


# --- a worker lost ------------------------------------------------------------------------------


def test_a_worker_killed_at_a_fold_costs_that_fold_and_changes_nothing(
    cluster, tmp_path, monkeypatch
):
    """Last of those that use the cluster: one of its workers is gone afterwards."""
    client, workers = cluster
    journal, said = tmp_path / "dask" / "journal", []

    def kill():
        wait_for((journal / "victim").is_file)
        # the other folds are done meanwhile, and may not be fitted again
        wait_for(lambda: len(list((tmp_path / "dask").rglob("folds/*/done"))) == 3)
        os.kill(int((journal / "victim").read_text(encoding="utf-8")), signal.SIGKILL)

    def runner(function, tasks, **options):
        if function.__name__ == "fit_and_save":
            function = fit_or_wait
        return run_tasks_dask(function, tasks, scheduler=client, message=said.append)

    expected = tables(run_light(None, tmp_path / "here", monkeypatch))
    killer = threading.Thread(target=kill)
    killer.start()
    found = tables(run_light(runner, tmp_path / "dask", monkeypatch))
    killer.join()
    assert_same_tables(found, expected)
    begun = {k: (journal / str(k)).read_text(encoding="utf-8").count("begun") for k in range(4)}
    assert begun == {0: 1, 1: 2, 2: 1, 3: 1}
    assert [worker.poll() is None for worker in workers].count(True) == 1
    assert len(said) == 1
    assert "is gone" in said[0]


# --- whole runs, which take longer --------------------------------------------------------------


@pytest.mark.slow
def test_a_network_whose_worker_is_killed_goes_on_after_its_last_epoch(tmp_path, monkeypatch):
    import psutil

    from eegemo.runs.run import run_experiments
    from experiments import tiny

    monkeypatch.setenv("EEGEMO_DEVICE", "cpu")
    overrides = ["training.epochs=8", "training.patience=8", "windows.stride=0.125"]
    experiment = tiny(tmp_path / "data", *overrides)
    (here,) = run_experiments([experiment], results=tmp_path / "here", jobs=1, report=False)
    folder, said = tmp_path / "dask", []

    def kill():
        def in_work():
            histories = folder.rglob("folds/*/history.csv")
            return [one.parent for one in histories if one.read_text().count("\n") > 2]

        wait_for(in_work, seconds=240)
        (victim, *_) = in_work()
        holder = (victim / ".lock").read_text(encoding="utf-8")
        os.kill(psutil.Process(int(holder.split()[1])).ppid(), signal.SIGKILL)
        victim.with_suffix(".killed").touch()

    killer = threading.Thread(target=kill)
    killer.start()
    with open_cluster(jobs=2) as client:

        def runner(function, tasks, **_):
            return run_tasks_dask(function, tasks, scheduler=client, message=said.append)

        (there,) = run_experiments([experiment], results=folder, report=False, runner=runner)
    killer.join()
    assert_same_tables(tables(there), tables(here))
    assert any("is gone" in text for text in said)
    (killed,) = there.glob("folds/*.killed")
    history = pd.read_csv(killed.with_suffix("") / "history.csv")
    other = pd.read_csv(here / "folds" / killed.stem / "history.csv")
    columns = ["epoch", "loss", "val_loss"]
    pd.testing.assert_frame_equal(history[columns], other[columns], check_exact=True)


@pytest.mark.slow
def test_ctrl_c_ends_a_run_and_its_workers(tmp_path):
    from experiments import tiny

    file = tmp_path / "e.yaml"
    file.write_text(tiny(tmp_path / "data", "training.epochs=500").to_yaml(), encoding="utf-8")
    command = [sys.executable, "-m", "eegemo", "run", str(file), "--engine", "dask", "--jobs", "2"]
    process = subprocess.Popen(
        [*command, "--results", str(tmp_path / "r")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_for(lambda: list((tmp_path / "r").rglob("history.csv")), seconds=240)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said.endswith("Stopped. Run the same command again to go on; finished folds are kept.\n")
    assert "Traceback" not in said
    with pytest.raises(ProcessLookupError):
        wait_for(lambda: os.killpg(process.pid, 0), seconds=10)
