"""One way to run many fits: here, or in processes.

What is set here changes speed, never results: a fit gets the same number of threads wherever it
runs, since the order in which threads add up floating-point numbers would otherwise show in the
last digits.
"""

import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, Literal, TypeAlias, TypeVar

from eegemo.errors import EegemoError, InputError

__all__ = [
    "Engine",
    "Progress",
    "Runner",
    "available_cpus",
    "available_memory",
    "configure",
    "ending_by_signals",
    "may_use_gpu",
    "peak_memory",
    "quiet_stderr",
    "run_tasks",
    "watching",
]

Task = TypeVar("Task")
Result = TypeVar("Result")
Device = Literal["auto", "cpu", "gpu"]
#: Where folds are fitted: here one by one, all at once (`eegemo.all_folds`), or on many machines.
Engine = Literal["auto", "local", "together", "dask"]
#: `run_tasks`, or what does the same elsewhere (`eegemo.clusters.run_tasks_dask`).
Runner: TypeAlias = Callable[..., Iterator[Any]]


class Progress:
    """What a long run reports; this one says nothing, the command line's draws bars."""

    def say(self, text: str) -> None:
        """Tell something once."""

    def update(self, key: str, done: float, total: float, label: str, note: str = "") -> None:
        """Tell how far the piece of work `key` has come."""


def available_cpus() -> int:
    """Return the number of processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def configure(*, device: Device = "auto", threads: int = 1) -> None:
    """Prepare the environment for Keras, here and in worker processes, before it is imported.

    Parameters
    ----------
    device : {"auto", "cpu", "gpu"}
        ``"cpu"`` hides GPUs from every back end; with ``"auto"`` the back end uses a GPU if it
        sees one; with ``"gpu"`` a fit without one is an error.
    threads : int
        Threads per fit on the CPU.

    Raises
    ------
    InputError
        If `device` is unknown.
    """
    if device not in ("auto", "cpu", "gpu"):
        raise InputError(f"--device: expected auto, cpu or gpu, found {device!r}.")
    environment = {
        "TF_NUM_INTRAOP_THREADS": str(threads),
        "TF_NUM_INTEROP_THREADS": str(threads),
        "OMP_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": str(threads),
        "TF_DETERMINISTIC_OPS": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        # several fits may share a GPU, so none takes all of its memory
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    }
    os.environ.update(environment)
    os.environ["EEGEMO_DEVICE"] = device
    if device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
        os.environ["JAX_PLATFORMS"] = "cpu"


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Silence what libraries print below Python, such as TensorFlow's greeting."""
    try:
        descriptor = sys.__stderr__.fileno() if sys.__stderr__ is not None else 2
        kept = os.dup(descriptor)
    except (OSError, ValueError):  # no real stderr: nothing to silence
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, descriptor)
        yield
    finally:
        os.dup2(kept, descriptor)
        os.close(kept)
        os.close(nowhere)


def run_tasks(
    function: Callable[[Task], Result],
    tasks: Sequence[Task],
    *,
    jobs: int = 1,
    name: Callable[[Task], str] = str,
    say: Callable[[str], None] | None = None,
) -> Iterator[Result]:
    """Apply a function to every task and yield results as they come, in any order.

    Parameters
    ----------
    function : callable
        Importable by name, so that other processes find it.
    tasks : sequence
        Each is sent to a process, so it should be small: paths rather than signals.
    jobs : int
        Number of worker processes. With 0 the work is done in this process, one task after another.
        A script that asks for processes needs Python's usual ``if __name__ == "__main__":``.
    name : callable, optional
        Says what a task is called in messages.
    say : callable, optional
        Told when tasks are tried again.

    Yields
    ------
    result
        What `function` returned. An exception it raised is raised here, and ends the workers.

    Raises
    ------
    EegemoError
        If a worker process ended without a word, as when the system has no memory left. What the
        workers were at is tried once more, after the rest and one by one; the error comes last.

    Examples
    --------
    >>> sorted(run_tasks(abs, [-1, 2, -3], jobs=0))
    [1, 2, 3]
    """
    if jobs < 0:
        raise InputError(f"--jobs: expected 0 or more, found {jobs}.")
    if jobs == 0:
        yield from map(function, tasks)
        return
    left, again, lost = deque(tasks), list[Task](), list[Task]()
    n_done = n_broken = 0
    while left or again:
        alone = not left
        part = left if left else deque([again.pop(0)])
        try:
            for result in _run_pool(function, part, 1 if alone else jobs):
                n_done += 1
                yield result
        except _PoolBrokenError as error:
            n_broken += 1
            (lost if alone else again).extend(error.at_work)
            if n_broken > 1 and not n_done:  # nothing works here: no use in trying it all
                raise _tell_lost(error.at_work, name) from error
            if not alone and say is not None:
                names = ", ".join(map(name, error.at_work))
                say(f"A worker process ended unexpectedly. To be tried again: {names}.")
    if lost:
        raise _tell_lost(lost, name)


class _PoolBrokenError(Exception):
    """A worker ended without a word, and the pool with it."""

    def __init__(self, at_work: list[Any]) -> None:
        super().__init__()
        self.at_work = at_work


def _tell_lost(tasks: Sequence[Task], name: Callable[[Task], str]) -> EegemoError:
    return EegemoError(
        f"{', '.join(map(name, tasks))}: a worker process ended unexpectedly, twice; often there "
        'was not enough memory, or a script lacks its `if __name__ == "__main__":`. What is done '
        "is kept. Run the same command again, with fewer --jobs, to go on with what is left."
    )


def _run_pool(
    function: Callable[[Task], Result], left: "deque[Task]", jobs: int
) -> Iterator[Result]:
    """Run tasks from the left until there are none, no more at a time than there are workers."""
    # spawn: a fork of a process that runs TensorFlow or threads may hang
    context = multiprocessing.get_context("spawn")
    others = set(multiprocessing.active_children())  # the caller's own processes
    workers = min(jobs, len(left))
    at_work: dict[Future[Result], Task] = {}
    with ProcessPoolExecutor(workers, context, initializer=_prepare_worker) as pool:
        try:
            while left or at_work:
                while left and len(at_work) < workers:
                    at_work[pool.submit(function, left[0])] = left[0]
                    left.popleft()
                for future in wait(at_work, return_when=FIRST_COMPLETED).done:
                    result = future.result()
                    del at_work[future]
                    yield result
        except BrokenProcessPool as error:
            for future in [one for one in at_work if one.done() and one.exception() is None]:
                del at_work[future]
                yield future.result()
            raise _PoolBrokenError(list(at_work.values())) from error
        except BaseException:
            # an error or Ctrl-C: what is under way is not worth waiting for
            pool.shutdown(wait=False, cancel_futures=True)
            workers_left = set(multiprocessing.active_children()) - others
            for child in workers_left:
                child.terminate()
            for child in workers_left:  # nothing is written after this function has ended
                child.join(timeout=5)
                if child.is_alive():
                    child.kill()
            raise


def _prepare_worker() -> None:
    """Leave Ctrl-C to the main process, which ends its workers, and end with it if it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    configure(device=os.environ.get("EEGEMO_DEVICE", "auto"))  # type: ignore[arg-type]
    parent = multiprocessing.parent_process()
    if parent is not None:

        def follow() -> None:
            parent.join()
            os._exit(1)

        threading.Thread(target=follow, daemon=True).start()


@contextmanager
def watching(look: Callable[[], None], *, every: float = 0.5) -> Iterator[None]:
    """Call `look` again and again, in a thread, while the block runs.

    Looking never ends the work: it stops at the first exception of `look`.
    """
    over = threading.Event()

    def loop() -> None:
        with suppress(Exception):
            while not over.wait(every):
                look()

    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        with suppress(Exception):
            look()


@contextmanager
def ending_by_signals() -> Iterator[dict[str, int]]:
    """Let SIGTERM end the block as Ctrl-C does: by KeyboardInterrupt, so that all is tidied up.

    Further ones while it is tidied up are ignored.

    Yields
    ------
    received : dict
        ``signal``: the number of the one that came, if any.
    """
    received: dict[str, int] = {}

    def end(number: int, frame: FrameType | None) -> None:
        received["signal"] = number
        for one in numbers:
            signal.signal(one, signal.SIG_IGN)
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield received  # only the main thread may say what signals do
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {one: signal.getsignal(one) for one in numbers}
    # what the caller's shell has taken away, as from a background job, stays so
    for one in numbers:
        if before[one] != signal.SIG_IGN:
            signal.signal(one, end)
    try:
        yield received
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def may_use_gpu() -> bool:
    """Tell whether fits may run on a GPU; only the back end knows for sure."""
    device = os.environ.get("EEGEMO_DEVICE", "auto")
    drivers = (Path("/dev/nvidiactl"), Path("/dev/kfd"))
    return device == "gpu" or (device == "auto" and any(one.exists() for one in drivers))


def available_memory() -> int | None:
    """Return how many bytes of memory this process may still take; None where it is not known."""
    found = []
    with suppress(OSError, ValueError, KeyError):
        found.append(_read_table("/proc/meminfo")["MemAvailable"] * 1024)
    with suppress(OSError, ValueError, KeyError):  # what a container may take, less what it holds
        limit = Path("/sys/fs/cgroup/memory.max").read_text(encoding="utf-8")
        held = _read_table("/sys/fs/cgroup/memory.stat")["anon"]
        found.append(max(int(limit) - held, 0))
    return min(found) if found else None


def _read_table(file: str) -> dict[str, int]:
    """Read lines of a name and a number."""
    lines = Path(file).read_text(encoding="utf-8").splitlines()
    return {name.rstrip(":"): int(value) for name, value, *_ in map(str.split, lines)}


def peak_memory() -> int:
    """Return this process's peak resident memory in bytes; 0 where it is not known."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
