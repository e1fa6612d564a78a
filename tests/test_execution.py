"""Tasks here and in processes: same results, and errors that arrive."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from eegemo.cli.work import ending_by_signals
from eegemo.errors import DataError, EegemoError, InputError
from eegemo.execution import (
    Progress,
    RunContext,
    available_cpus,
    available_memory,
    configure,
    peak_memory,
    quiet_stderr,
    run_tasks,
    span,
    watching,
)

# --- tasks, importable by name so that worker processes find them --------------------------------


def square(number):
    return number**2


def square_and_process(number):
    return number**2, os.getpid()


def refuse(number):
    if number == 2:
        raise DataError(f"s{number:02d}.dat: expected 40 trials, found 3.")
    time.sleep(60 if number > 2 else 0)
    return number


def die(number):
    if number == 2:
        os._exit(3)
    return number


def die_once(marker):
    """End the process where a marker is missing, and leave one for the next time."""
    name, folder = marker
    if name != "bad":
        return name
    try:
        (folder / name).touch(exist_ok=False)
    except FileExistsError:
        return name
    os._exit(3)


def die_marked(marker):
    name, folder = marker
    (folder / name).touch()
    os._exit(3)


def interrupt_handler(_):
    return signal.getsignal(signal.SIGINT) == signal.SIG_IGN


def sleep_long(_=None):
    time.sleep(60)


# --- tasks ---------------------------------------------------------------------------------------


def assert_no_workers_are_left():
    """A thread of Python's own may still be collecting those that have just ended."""
    until = time.perf_counter() + 10
    while multiprocessing.active_children() and time.perf_counter() < until:
        time.sleep(0.01)
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("jobs", [0, 1, 3])
def test_tasks_here_and_in_processes_agree(jobs):
    results = sorted(run_tasks(square_and_process, list(range(6)), jobs=jobs))
    assert [result for result, _ in results] == [0, 1, 4, 9, 16, 25]
    processes = {process for _, process in results}
    assert (processes == {os.getpid()}) == (jobs == 0)
    assert len(processes) <= max(jobs, 1)


@pytest.mark.parametrize("jobs", [0, 2])
def test_no_tasks_give_no_results_and_start_no_process(jobs):
    assert list(run_tasks(square, [], jobs=jobs)) == []
    assert_no_workers_are_left()


def test_work_done_here_is_done_one_by_one_in_order():
    seen = []
    results = run_tasks(seen.append, [3, 1, 2], jobs=0)
    assert seen == []
    next(results)
    assert seen == [3]
    assert list(results) == [None, None]
    assert seen == [3, 1, 2]


def test_a_negative_number_of_jobs_is_the_users_mistake():
    with pytest.raises(InputError, match="--jobs: expected 0 or more, found -1"):
        list(run_tasks(square, [1], jobs=-1))


@pytest.mark.parametrize("jobs", [0, 2])
def test_an_error_arrives_with_its_message_and_ends_the_work(jobs):
    """The third task would sleep for a minute; nobody waits for it."""
    began = time.perf_counter()
    with pytest.raises(DataError, match=r"s02\.dat: expected 40 trials, found 3\."):
        list(run_tasks(refuse, [1, 2, 3], jobs=jobs))
    assert_no_workers_are_left()
    assert time.perf_counter() - began < 30


def test_a_worker_that_dies_is_reported_in_words():
    with pytest.raises(EegemoError, match=r"a worker process ended unexpectedly.*fewer --jobs"):
        list(run_tasks(die, [1, 2, 3], jobs=2))
    assert_no_workers_are_left()


def test_a_task_that_kills_its_process_is_named_and_all_others_are_done():
    said, done = [], []
    results = run_tasks(die, range(2, 8), jobs=2, name="task {}".format, message=said.append)
    with pytest.raises(EegemoError, match=r"^task 2: a worker process ended.*twice"):
        done.extend(results)
    assert sorted(done) == [3, 4, 5, 6, 7]
    assert len(said) == 1
    assert "To be tried again: " in said[0]
    assert "task 2" in said[0]
    assert_no_workers_are_left()


def test_a_process_lost_once_loses_nothing(tmp_path):
    tasks = [(name, tmp_path) for name in ("a", "bad", "b", "c")]
    assert sorted(run_tasks(die_once, tasks, jobs=2)) == ["a", "b", "bad", "c"]


def test_where_no_process_survives_not_every_task_is_tried(tmp_path):
    tasks = [(str(k), tmp_path) for k in range(100)]
    with pytest.raises(EegemoError, match="ended unexpectedly"):
        list(run_tasks(die_marked, tasks, jobs=2))
    assert len(list(tmp_path.iterdir())) < 10


def test_results_that_nobody_wants_any_more_end_the_workers():
    results = run_tasks(refuse, [1, 3], jobs=2)
    assert next(results) == 1
    results.close()
    assert_no_workers_are_left()


def test_an_error_leaves_the_callers_own_processes_alone():
    own = multiprocessing.get_context("spawn").Process(target=sleep_long)
    own.start()
    try:
        with pytest.raises(DataError):
            list(run_tasks(refuse, [2], jobs=1))
        own.join(0.2)
        assert own.is_alive()
    finally:
        own.kill()
        own.join()
        own.close()


def test_workers_leave_ctrl_c_to_the_main_process():
    before = signal.getsignal(signal.SIGINT)
    assert list(run_tasks(interrupt_handler, [0], jobs=1)) == [True]
    assert signal.getsignal(signal.SIGINT) == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_sigterm_ends_a_block_as_ctrl_c_does_and_only_once(number):
    before = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]
    tidied = []

    def work():
        try:
            os.kill(os.getpid(), number)
            time.sleep(5)
        finally:
            os.kill(os.getpid(), number)  # an impatient user
            time.sleep(0.05)
            tidied.append(True)

    with ending_by_signals() as received:
        with pytest.raises(KeyboardInterrupt):
            work()
        assert received == {"signal": number}
    assert tidied
    assert [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)] == before


# --- what libraries print ------------------------------------------------------------------------

LOUD = """
import os, sys
from eegemo.execution import quiet_stderr
def say(text):
    os.write(2, text.encode())
    print(text, file=sys.stderr, end="", flush=True)
say("a")
try:
    with quiet_stderr():
        say("b")
        with quiet_stderr():
            say("c")
        say("d")
        raise ValueError
except ValueError:
    say("e")
open_files = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
for _ in range(10):
    with quiet_stderr():
        pass
if open_files:
    assert len(os.listdir("/proc/self/fd")) == open_files
"""


def test_stderr_is_silent_in_the_block_and_speaks_after_it_also_after_an_error():
    done = subprocess.run([sys.executable, "-c", LOUD], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stderr == "aaee"


def test_silence_needs_no_stderr():
    """As under a service or pythonw, where there is none."""
    code = "import sys, os; from eegemo.execution import quiet_stderr\n"
    code += "os.close(2); sys.__stderr__ = sys.stderr = None\nwith quiet_stderr(): print('fine')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "fine\n"


def test_silence_does_not_hide_standard_output(capfd):
    with quiet_stderr():
        os.write(1, b"heard\n")
    assert capfd.readouterr().out == "heard\n"


# --- progress ------------------------------------------------------------------------------------


def test_watching_looks_again_and_again_and_once_after_the_end():
    threads = []
    with watching(lambda: threads.append(threading.current_thread()), every=0.01):
        time.sleep(0.3)
        during = len(threads)
    assert during >= 3
    assert threads[-1] is threading.current_thread()
    after = len(threads)
    time.sleep(0.05)
    assert len(threads) == after


def test_watching_ends_with_an_error_of_the_block():
    looks = []
    with pytest.raises(ValueError, match="oops"), watching(lambda: looks.append(0), every=60):
        raise ValueError("oops")
    assert looks == [0]


# --- the environment -----------------------------------------------------------------------------

NAMES = (
    *("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"),
    *("OPENBLAS_NUM_THREADS", "TF_DETERMINISTIC_OPS", "TF_CPP_MIN_LOG_LEVEL"),
    *("CUDA_VISIBLE_DEVICES", "JAX_PLATFORMS", "EEGEMO_DEVICE"),
    *("TF_FORCE_GPU_ALLOW_GROWTH", "XLA_PYTHON_CLIENT_PREALLOCATE"),
)


@pytest.fixture
def environment(monkeypatch):
    """The environment without what `configure` may set, put back afterwards."""
    for name in NAMES:
        monkeypatch.setenv(name, "")  # so that it is put back whatever happens
        monkeypatch.delenv(name)
    return os.environ


def test_threads_are_set_whatever_was_set_since_they_show_in_the_last_digits(environment):
    environment["OMP_NUM_THREADS"] = "7"
    configure(threads=2)
    assert environment["OMP_NUM_THREADS"] == "2"
    assert environment["TF_NUM_INTRAOP_THREADS"] == "2"
    assert environment["TF_DETERMINISTIC_OPS"] == "1"


@pytest.mark.parametrize("device", ["auto", "gpu"])
def test_gpus_stay_visible_unless_the_cpu_is_asked_for(environment, device):
    configure(device=device)
    assert "CUDA_VISIBLE_DEVICES" not in environment


def test_the_cpu_hides_gpus_whatever_was_set(environment):
    environment["CUDA_VISIBLE_DEVICES"] = "0"
    configure(device="cpu")
    assert environment["CUDA_VISIBLE_DEVICES"] == ""
    assert environment["JAX_PLATFORMS"] == "cpu"


def test_an_unknown_device_is_the_users_mistake(environment):
    before = dict(environment)
    with pytest.raises(InputError, match="--device: expected auto, cpu or gpu, found 'tpu'"):
        configure(device="tpu")
    assert dict(environment) == before


def test_what_the_machine_has_is_plausible():
    assert 1 <= available_cpus() <= os.cpu_count()
    # Python with NumPy takes tens of megabytes; a peak in kilobytes or pages would be outside
    assert 1e7 < peak_memory() < 1e11
    free = available_memory()
    assert free is None or 1e7 < free < 1e14


LONG_RUN = """
import time
from eegemo.execution import run_tasks
if __name__ == "__main__":
    list(run_tasks(time.sleep, [120, 120], jobs=2))
"""


def children_of(pid):
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False
    )
    return [int(line) for line in listed.stdout.split()]


def wait_for(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


@pytest.mark.skipif(os.name == "nt", reason="uses ps and POSIX signals")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_no_worker_outlives_its_parent(tmp_path, how):
    """Workers of a killed run must not go on writing into a folder that the next run uses."""
    script = tmp_path / "run.py"
    script.write_text(LONG_RUN)
    default = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.default_int_handler)}
    parent = subprocess.Popen([sys.executable, str(script)], stderr=subprocess.DEVNULL, **default)
    wait_for(lambda: len(children_of(parent.pid)) >= 3)  # two workers and a resource tracker
    time.sleep(1.0)  # the workers have to be at work, not only started
    children = children_of(parent.pid)
    parent.send_signal(how)
    parent.wait(timeout=20)
    wait_for(lambda: not any(map(running, children)))


def running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return not stat.stdout.strip().startswith("Z")


# --- what a run is carried out with -------------------------------------------------------------


def test_trials_are_stored_beside_results_unless_another_place_is_named():
    assert RunContext(Path("r")).store == Path("r/.store")
    assert RunContext(Path("r"), store=Path()).store == Path()
    beside = RunContext.of(results="r")
    assert (beside.results, beside.store) == (Path("r"), Path("r/.store"))
    assert RunContext.of(results="r", store="s").store == Path("s")
    # results that go elsewhere for a while use the trials that are there
    assert replace(beside, results=Path("r/inner")).store == Path("r/.store")


def test_a_context_does_its_work_by_its_runner_and_tells_its_progress():
    told, asked = [], []

    class Told(Progress):
        def message(self, text):
            told.append(text)

    def runner(function, tasks, *, jobs, message):
        asked.append(jobs)
        message(f"{len(tasks)} tasks")
        return map(function, tasks)

    context = RunContext(jobs=3, runner=runner, progress=Told())
    assert list(context.map(square, [2, 3])) == [4, 9]
    assert list(context.map(square, [4], jobs=1)) == [16]
    assert (asked, told) == ([3, 1], ["2 tasks", "1 tasks"])


def test_spans_let_results_and_errors_through():
    with RunContext().span("prepare"), span("fold 1"):
        done = True
    assert done
    with pytest.raises(DataError), RunContext().span("predict"):
        raise DataError("s01.dat: expected 40 trials, found 3.")
