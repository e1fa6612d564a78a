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
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from typing import Literal, TypeVar

from eegemo.errors import EegemoError, InputError

__all__ = [
    "Progress",
    "available_cpus",
    "configure",
    "peak_memory",
    "quiet_stderr",
    "run_tasks",
    "watching",
]

Task = TypeVar("Task")
Result = TypeVar("Result")
Device = Literal["auto", "cpu", "gpu"]


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
    function: Callable[[Task], Result], tasks: Sequence[Task], *, jobs: int = 1
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

    Yields
    ------
    result
        What `function` returned. An exception it raised is raised here, and ends the workers.

    Examples
    --------
    >>> sorted(run_tasks(abs, [-1, 2, -3], jobs=0))
    [1, 2, 3]
    """
    if jobs < 0:
        raise InputError(f"--jobs: expected 0 or more, found {jobs}.")
    if jobs == 0:
        yield from map(function, tasks)
    elif tasks:
        # spawn: a fork of a process that runs TensorFlow or threads may hang
        context = multiprocessing.get_context("spawn")
        workers = min(jobs, len(tasks))
        others = set(multiprocessing.active_children())  # the caller's own processes
        with ProcessPoolExecutor(workers, context, initializer=_prepare_worker) as pool:
            waiting = {pool.submit(function, task) for task in tasks}
            try:
                for future in as_completed(waiting):
                    yield future.result()
            except BrokenProcessPool as error:
                raise EegemoError(
                    "a worker process ended unexpectedly; often there was not enough memory, or "
                    'a script lacks its `if __name__ == "__main__":`. '
                    "Run the same command again, with fewer --jobs, to go on with what is left."
                ) from error
            except BaseException:
                # an error or Ctrl-C: what is under way is not worth waiting for
                pool.shutdown(wait=False, cancel_futures=True)
                workers_left = set(multiprocessing.active_children()) - others
                for child in workers_left:
                    child.terminate()
                for child in workers_left:  # nothing is written after this function has ended
                    child.join(timeout=5)
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


def peak_memory() -> int:
    """Return this process's peak resident memory in bytes; 0 where it is not known."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
