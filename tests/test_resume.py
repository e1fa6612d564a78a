"""A run that was stopped, killed, or ran out of disk goes on to the same result."""

import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml

from eegemo.evaluation import read_predictions
from eegemo.results.layout import is_complete
from eegemo.runs.run import run_experiment, run_experiments
from eegemo.store import DiskFullError, folders, writing
from experiments import REPOSITORY, tiny

BAND_POWER = ("model={name: band_power_logreg}",)
# os._exit leaves what a kill would: no handler, no finally
DIE = """
import os, sys
from eegemo.config import load_experiment
from eegemo.runs.run import run_experiment
from eegemo.store import folders, writing
flush, left = writing.flush, [int(sys.argv[2])]
def die(file):
    left[0] -= 1
    if left[0] < 0:
        os._exit(9)
    flush(file)
folders.flush = writing.flush = die
run_experiment(load_experiment(sys.argv[1]), jobs=0)
"""


class Stopped(BaseException):
    """Stands for Ctrl-C and the like."""


def small(root, *overrides):
    return tiny(root, *BAND_POWER, *overrides)


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """Predictions of a run that was left alone."""
    place = tmp_path_factory.mktemp("reference")
    (folder,) = run_experiments([small(place / "data")], results=place / "results", report=False)
    return read_predictions(folder / "predictions.parquet")


def no_leftovers(folder):
    return not list(folder.rglob(".*~*"))


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), Stopped()])
def test_stopped_at_any_write_again_and_again_a_run_ends_the_same(
    tmp_path, reference, monkeypatch, error
):
    """The disk is full, or the run is stopped, after a few files; then it goes on from there."""
    flush, rng, left = writing.flush, random.Random(0), [0]

    def fail(file):
        left[0] -= 1
        if left[0] < 0:
            raise error
        flush(file)

    for module in (writing, folders):
        monkeypatch.setattr(module, "flush", fail)
    failures, messages, folder = 0, [], None
    while folder is None:
        left[0] = rng.randint(3, 12)
        try:
            (folder,) = run_experiments(
                [small(tmp_path / "data")], results=tmp_path / "results", report=False
            )
        except (DiskFullError, Stopped) as stopped:
            failures += 1
            messages.append(str(stopped))
        assert failures < 60
    assert failures >= 5
    predictions = read_predictions(folder / "predictions.parquet")
    pd.testing.assert_frame_equal(predictions, reference, check_exact=True)
    assert is_complete(folder, report=False)
    assert no_leftovers(tmp_path)
    if isinstance(error, OSError):
        for message in messages:
            assert "could not be written: the disk is full (" in message
            assert "free). Make space and run the same command again" in message
            assert "\n" not in message


@pytest.mark.slow
def test_what_a_dead_run_left_is_removed_by_the_next(tmp_path, reference):
    """Die, without tidying up, after each number of files."""
    file = tmp_path / "e.yaml"
    file.write_text(yaml.safe_dump(small("data").model_dump(mode="json")))
    for n in (0, 2, 5, 9, 14, 20, 27, 35):
        place = tmp_path / str(n)
        place.mkdir()
        command = [sys.executable, "-c", DIE, str(file), str(n)]
        done = subprocess.run(command, cwd=place, capture_output=True, check=False)
        assert done.returncode == 9, done.stderr
        assert not no_leftovers(place)  # so there is something to remove
        done = subprocess.run([*command[:-1], "9999"], cwd=place, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        assert no_leftovers(place)
        (folder,) = (place / "results").glob("tiny-*")
        predictions = read_predictions(folder / "predictions.parquet")
        pd.testing.assert_frame_equal(predictions, reference, check_exact=True)


# --- from the shell -----------------------------------------------------------------------------


def write_experiment(folder, *overrides):
    folder.mkdir(parents=True, exist_ok=True)
    experiment = tiny("data", *overrides)
    (folder / "e.yaml").write_text(yaml.safe_dump(experiment.model_dump(mode="json")))


def start(folder, *arguments):
    command = [sys.executable, "-m", "eegemo", "run", "e.yaml", *arguments]
    return subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def wait_for(condition, seconds=120.0):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="uses POSIX signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_a_run_with_one_line_and_it_goes_on(tmp_path, number, code):
    write_experiment(tmp_path, "training.epochs=200", "training.patience=200")
    run = start(tmp_path, "--jobs", "2")
    wait_for(lambda: [h for h in tmp_path.rglob("history.csv") if h.stat().st_size > 200])
    run.send_signal(number)
    _, said = run.communicate(timeout=60)
    assert run.returncode == code, said
    assert said.rstrip().splitlines()[-1].startswith("Stopped. Run the same command again")
    assert said.count("Stopped.") == 1
    assert not any(word in said for word in ("Traceback", "resource_tracker", "leaked"))
    again = start(tmp_path, "--jobs", "2")
    wait_for(lambda: any(h.stat().st_size > 200 for h in tmp_path.rglob("history.csv")))
    again.terminate()
    again.communicate(timeout=60)


@pytest.mark.slow
def test_two_runs_of_one_experiment_at_once_and_two_that_share_trials(tmp_path):
    """The second says who has the folder; another experiment may prepare the same trials."""
    write_experiment(tmp_path, "training.epochs=30", "training.patience=30")
    first = start(tmp_path, "--jobs", "1")
    wait_for(lambda: list(tmp_path.glob("results/tiny-*/folds/*/history.csv")))
    second = start(tmp_path, "--jobs", "1")
    other = start(tmp_path, "--jobs", "1", "--set", "model.units=5")
    _, said = second.communicate(timeout=240)
    assert second.returncode == 1
    assert f"is in use by process {first.pid} on " in said
    for run in (first, other):
        _, said = run.communicate(timeout=240)
        assert run.returncode == 0, said
    assert len(list((tmp_path / "results" / ".store" / "trials").glob("s0*"))) == 3


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="finds the worker through /proc")
def test_a_fold_whose_process_was_killed_is_fitted_by_another(tmp_path):
    write_experiment(tmp_path, "training.epochs=60", "training.patience=60")
    run = start(tmp_path, "--jobs", "2")
    wait_for(lambda: len(list(tmp_path.rglob("checkpoint*.npz"))) == 2)
    listed = subprocess.run(
        ["pgrep", "-P", str(run.pid), "-f", "spawn_main"],
        capture_output=True,
        text=True,
        check=True,
    )
    os.kill(int(listed.stdout.split()[0]), signal.SIGKILL)
    _, said = run.communicate(timeout=240)
    assert run.returncode == 0, said
    assert "A worker process ended unexpectedly. To be tried again: fold " in said
    (folder,) = (tmp_path / "results").glob("tiny-*")
    alone = run_experiment(
        tiny(tmp_path / "data", "training.epochs=60", "training.patience=60"),
        results=tmp_path / "alone",
    )
    pd.testing.assert_frame_equal(
        *(read_predictions(one / "predictions.parquet") for one in (folder, alone)),
        check_exact=True,
    )


@pytest.mark.slow
def test_runs_killed_at_random_moments_go_on_to_the_same_predictions():
    script = REPOSITORY / "benchmarks" / "kill_and_resume.py"
    command = [sys.executable, str(script), "--kills", "5", "--networks", "2"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


FULL_DISK = """
set -u
mount -t tmpfs -o size=$2k none "$1" || exit 99
cd "$1"
cp "$1".yaml e.yaml
"$3" -c "$5" run e.yaml --jobs $4 2> "$1.first"
echo $? > "$1.code"
find . > "$1.left"
mount -o remount,size=200m "$1"
"$3" -m eegemo run e.yaml --jobs $4 2> "$1.second"
code=$?
cp -r results "$1.results"
exit $code
"""
# without the check that refuses to begin
HOPEFUL = """
if __name__ == "__main__":
    from eegemo import cli
    from eegemo.store import space
    space.free_bytes = lambda path: 2**60
    cli.main()
"""


def may_mount():
    probe = ["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt"]
    return (
        shutil.which("unshare") is not None
        and subprocess.run(probe, capture_output=True, check=False).returncode == 0
    )


@pytest.mark.slow
@pytest.mark.skipif(not may_mount(), reason="may not mount a small file system")
@pytest.mark.parametrize("model", ["band_power_logreg", "cnn_gru"])
def test_on_a_disk_that_is_full_in_each_stage(tmp_path, model):
    """Sizes from less than the simulated data to nearly enough, so that each stage meets it."""
    overrides = [] if model == "cnn_gru" else [*BAND_POWER]
    experiment = tiny("data", *overrides)
    expected = run_experiment(tiny(tmp_path / "data", *overrides), results=tmp_path / "results")
    data = sum(file.stat().st_size for file in (tmp_path / "data").rglob("*.*")) // 1000
    results = sum(file.stat().st_size for file in (tmp_path / "results").rglob("*.*")) // 1000
    stopped_in = set()
    for share in (-0.5, 0.1, 0.4, 0.6, 0.7, 0.8, 0.9)[:: 1 if model == "band_power_logreg" else 2]:
        size = int(data * (1 + min(share, 0)) + results * max(share, 0))
        place = tmp_path / f"disk{size}"
        place.mkdir()
        Path(f"{place}.yaml").write_text(yaml.safe_dump(experiment.model_dump(mode="json")))
        command = ["unshare", "-rm", "sh", "-c", FULL_DISK, "sh", str(place), str(size)]
        command += [sys.executable, "1", HOPEFUL]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        first = Path(f"{place}.first").read_text()
        assert done.returncode == 0, first + Path(f"{place}.second").read_text()
        assert Path(f"{place}.code").read_text() == "1\n", (size, first)
        last = first.rstrip().splitlines()[-1]
        assert last.startswith("eegemo: "), first
        assert "could not be written: the disk is full (" in last
        assert "Traceback" not in first
        stopped_in.add(last.partition(" could not")[0].removeprefix("eegemo: "))
        (folder,) = Path(f"{place}.results").glob("tiny-*")
        pd.testing.assert_frame_equal(
            *(read_predictions(one / "predictions.parquet") for one in (folder, expected)),
            check_exact=True,
        )
        assert is_complete(folder)
    assert len(stopped_in) >= 3
    print(stopped_in)
