"""Execution of tasks on many machines, with Dask.

A scheduler sends tasks to workers, each in a process of its own. Signals and results are on a file
system that all machines see under the same path. So a task is a message of paths and numbers here
too, and the unfinished work of a lost worker is on disk for another worker to resume.

::

    this process --tasks--> scheduler --one at a time--> worker ... worker
          |                                                 |
          +--------------- shared file system --------------+
"""

import contextlib
import os
import pickle
import signal
import threading
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, get_args

import eegemo
from eegemo.errors import EegemoError, InputError
from eegemo.execution.context import Engine, Runner
from eegemo.execution.dask.working import ProcessLostError, work
from eegemo.execution.local import run_tasks

__all__ = ["open_cluster", "open_runner", "run_tasks_dask"]

Task = TypeVar("Task")
Result = TypeVar("Result")
#: A `distributed.Client`.
Client: TypeAlias = Any

# Seconds: to find a scheduler, between looks for new workers, and until a shared file system shows
# here what was written elsewhere (NFS remembers for up to a minute that a file was missing).
_CONNECT, _LOOK, _SHOW = 10, 1.0, 90.0
# How often a task may lose its process; as Dask's own rule for workers.
_LOSSES = 3


@contextmanager
def open_runner(
    engine: str = "local", scheduler: str | None = None, *, jobs: int = 0
) -> Iterator[tuple[Runner, int]]:
    """Open the runner of an engine for the block.

    Parameters
    ----------
    engine : {"auto", "local", "together", "dask"}
        All but ``"dask"`` run on this machine.
    scheduler : str, optional
        Address of Dask's scheduler.
    jobs : int
        Processes on this machine; 0 for none.

    Yields
    ------
    runner : callable
        With the interface of `eegemo.execution.run_tasks`.
    jobs : int
        Number of tasks at a time; with a scheduler, the number of its workers.

    Raises
    ------
    InputError
        If the engine is unknown, or as in `open_cluster`.
    """
    if engine not in get_args(Engine):
        raise InputError(f"--engine: expected {' or '.join(get_args(Engine))}, found {engine!r}.")
    if engine != "dask":
        if scheduler is not None:
            raise InputError("--scheduler goes with --engine dask, which was not given.")
        yield run_tasks, jobs
        return
    with open_cluster(scheduler, jobs=jobs) as client:
        yield partial(run_tasks_dask, scheduler=client), len(client.nthreads())


@contextmanager
def open_cluster(scheduler: str | None = None, *, jobs: int = 1) -> Iterator[Client]:
    """Connect to a Dask scheduler, or start one with workers on this machine for the block.

    Parameters
    ----------
    scheduler : str, optional
        Its address, as ``tcp://node1:8786``. It may gain and lose workers at any time.
    jobs : int
        Number of workers on this machine if no scheduler is given.

    Yields
    ------
    client : distributed.Client

    Raises
    ------
    InputError
        If dask.distributed is not installed, or no scheduler answers at the address.
    """
    try:
        import dask
        import distributed
    except ImportError as error:
        raise InputError(
            "--engine dask needs dask.distributed, which is not installed: pip install eegemo[dask]"
        ) from error
    # tasks are pickled here, once, and sent one at a time: their size is no mistake
    large = {"distributed.admin.large-graph-warning-threshold": "1TB"}
    with dask.config.set(large), ExitStack() as stack:
        if scheduler is None:
            if jobs < 1:
                raise InputError(
                    f"--jobs: expected 1 or more workers for --engine dask, found {jobs}."
                )
            with _ctrl_c_is_ours():
                address = stack.enter_context(
                    distributed.LocalCluster(
                        n_workers=jobs,
                        threads_per_worker=1,
                        memory_limit=0,  # no limit: Dask would end workers for what they hold
                        dashboard_address="127.0.0.1:0",  # any free port, for this machine only
                        worker_dashboard_address="127.0.0.1:0",
                        silence_logs="CRITICAL",
                    )
                )
        else:
            address = scheduler
        try:
            client = distributed.Client(address, timeout=_CONNECT, set_as_default=False)
        except Exception as error:  # of addresses that lead nowhere Dask raises many types
            reason = " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__
            raise InputError(
                f"--scheduler {scheduler}: no Dask scheduler answers there ({reason})."
            ) from error
        yield stack.enter_context(client)


@contextmanager
def _ctrl_c_is_ours() -> Iterator[None]:
    """Make processes started in the block ignore Ctrl-C, which a terminal sends to all."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may say what signals do
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def run_tasks_dask(
    function: Callable[[Task], Result],
    tasks: Sequence[Task],
    *,
    scheduler: str | Client | None = None,
    jobs: int = 1,
    name: Callable[[Task], str] = str,
    message: Callable[[str], None] | None = None,
) -> Iterator[Result]:
    """Apply a function to each task on Dask's workers and yield results in order of completion.

    The interface is that of `eegemo.execution.run_tasks`. Each thread of a worker runs one task at
    a time, in a process of its own (`eegemo.execution.dask.working`).

    Parameters
    ----------
    function : callable
        Importable by name on all machines, where the same version of eegemo is installed.
    tasks : sequence
        Each is sent to a worker: paths rather than signals. Relative paths mean the same as here.
        A task may have an attribute ``outcome``, a file that exists once the task is done. It is
        waited for, since a shared file system may show it late.
    scheduler : str or distributed.Client, optional
        Address of a scheduler, or the client of `open_cluster`; by default, workers are started on
        this machine.
    jobs : int
        Number of workers on this machine.
    name : callable, optional
        Returns the name of a task for messages.
    message : callable, optional
        Called with a message when workers are missing or lost.

    Yields
    ------
    result
        Return value of `function`. An exception of `function` is raised here. An exception, Ctrl-C
        and closing this generator cancel the remaining tasks and end their processes.

    Raises
    ------
    InputError
        As in `open_cluster`; or if a worker has another version of eegemo or no shared folder.
    EegemoError
        If a task has lost its process or worker more than three times (for workers, Dask's
        ``distributed.scheduler.allowed-failures``), after all other tasks are done; or if the
        scheduler is gone.
    """
    if scheduler is None or isinstance(scheduler, str):
        with open_cluster(scheduler, jobs=jobs) as client:
            yield from run_tasks_dask(function, tasks, scheduler=client, name=name, message=message)
        return
    from distributed import KilledWorker

    client, settings = scheduler, _settings()
    left, at_work, lost = deque(enumerate(tasks)), dict[Any, tuple[int, Task]](), list[Task]()
    losses: Counter[int] = Counter()
    workers = _Workers(client, message)
    try:
        n_workers = workers.count()
        while left or at_work:
            # with a thread for each there is no queue in which a task is lost with its neighbour
            while left and len(at_work) < max(1, n_workers):
                number, task = left.popleft()
                request = pickle.dumps((function, task))
                key = f"{getattr(function, '__name__', 'task')}-{uuid.uuid4().hex}"
                future = client.submit(work, request, settings, key=key, pure=False)
                at_work[future] = number, task
            ended = _done(at_work, client)
            n_workers = workers.count()
            for future in ended:
                number, task = at_work.pop(future)
                try:
                    result = _result(future, client)
                except KilledWorker:
                    lost.append(task)
                    continue
                except ProcessLostError as error:
                    losses[number] += 1
                    if losses[number] > _LOSSES:
                        lost.append(task)
                        continue
                    left.append((number, task))
                    if message is not None:
                        message(f"{error} To be tried again: {name(task)}.")
                    continue
                _wait_for_outcome(task, name)
                yield result
    finally:
        with contextlib.suppress(Exception):
            client.cancel(list(at_work))
    if lost:
        raise EegemoError(
            f"{', '.join(map(name, lost))}: lost its worker or process again and again; often "
            "there is not enough memory or time. What is done is kept. Run the same command again, "
            "with workers of more memory, to resume."
        )


class _Workers:
    """Counts the threads of the workers, and reports missing workers."""

    def __init__(self, client: Client, message: Callable[[str], None] | None) -> None:
        self._client = client
        self._message = message or (lambda _: None)
        self._known: set[str] = set()
        self._waiting = False

    def count(self) -> int:
        try:
            threads = self._client.nthreads()
        except Exception as error:  # Dask raises many types where a connection is gone
            raise _gone(self._client) from error
        present = set(threads)
        for worker in sorted(self._known - present):
            self._message(f"Worker {worker} is gone. Another one takes over its task.")
        if not present and not self._waiting:
            self._message(f"{_address(self._client)} has no worker now: waiting for one.")
        self._known, self._waiting = present, not present
        return sum(threads.values())


def _done(futures: Mapping[Any, Any], client: Client) -> list[Any]:
    """Return the futures that have ended, after a moment if there are none."""
    from distributed import wait

    with client.as_current(), contextlib.suppress(TimeoutError):
        return list(wait(list(futures), timeout=_LOOK, return_when="FIRST_COMPLETED").done)
    return []


def _result(future: Any, client: Client) -> Any:
    if future.status in ("cancelled", "lost"):
        raise _gone(client)
    return future.result()


def _address(client: Client) -> str:
    return f"Dask's scheduler at {client.scheduler.address}" if client.scheduler else "Dask"


def _gone(client: Client) -> EegemoError:
    return EegemoError(
        f"{_address(client)} is gone, or has dropped this run. What is done is kept: start a "
        "scheduler, and run the same command again to resume."
    )


def _wait_for_outcome(task: Any, name: Callable[[Any], str]) -> None:
    """Wait until the file that a worker has written is visible here.

    Raises
    ------
    InputError
        If it does not appear in the time that any shared file system should need.
    """
    outcome: Path | None = getattr(task, "outcome", None)
    until = time.monotonic() + _SHOW
    while outcome is not None and not outcome.is_file():
        if time.monotonic() > until:
            raise InputError(
                f"{name(task)}: a worker has done it, and {outcome} is not there. Results and data "
                "must lie on a file system that all machines share."
            )
        time.sleep(0.1)
        with contextlib.suppress(OSError):
            os.listdir(outcome.parent)  # makes NFS ask again


def _settings() -> dict[str, str]:
    """Return the settings that a worker must share."""
    folder = os.environ.get("PWD", "")
    # the shell's name of this folder may be the name that other machines know
    exists = os.path.isabs(folder) and os.path.exists(folder)
    known = exists and os.path.samefile(folder, ".")
    settings = {"folder": folder if known else os.getcwd(), "version": eegemo.__version__}
    settings["device"] = os.environ.get("EEGEMO_DEVICE", "auto")
    if "KERAS_BACKEND" in os.environ:
        settings["backend"] = os.environ["KERAS_BACKEND"]
    return settings
