"""Execution of tasks in this process, or in worker processes on this machine.

The number of processes changes speed, never results. A fit gets the same number of threads wherever
it runs, since threads add floating-point numbers in an order that shows in the last digits.
"""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from eegemo.errors import EegemoError, InputError
from eegemo.execution.machine import configure

__all__ = [
    "run_tasks",
]


Task = TypeVar("Task")


Result = TypeVar("Result")


def run_tasks(
    function: Callable[[Task], Result],
    tasks: Sequence[Task],
    *,
    jobs: int = 1,
    name: Callable[[Task], str] = str,
    message: Callable[[str], None] | None = None,
) -> Iterator[Result]:
    """Apply a function to each task and yield results in order of completion.

    Parameters
    ----------
    function : callable
        Importable by name, so that other processes find it.
    tasks : sequence
        Each is sent to a process, so it should be small: paths rather than signals.
    jobs : int
        Number of worker processes. With 0, tasks are done in this process, one after another. A
        script that uses processes needs Python's usual ``if __name__ == "__main__":``.
    name : callable, optional
        Returns the name of a task for messages.
    message : callable, optional
        Called with a message when tasks are tried again.

    Yields
    ------
    result
        Return value of `function`. An exception of `function` is raised here, and ends the workers.

    Raises
    ------
    EegemoError
        If a worker process ended unexpectedly, for example because memory ran out. Its tasks are
        tried again, after the others and one by one. The error is raised at the end.

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
            if not alone and message is not None:
                names = ", ".join(map(name, error.at_work))
                message(f"A worker process ended unexpectedly. To be tried again: {names}.")
    if lost:
        raise _tell_lost(lost, name)


class _PoolBrokenError(Exception):
    """A worker ended unexpectedly, and with it the pool."""

    def __init__(self, at_work: list[Any]) -> None:
        super().__init__()
        self.at_work = at_work


def _tell_lost(tasks: Sequence[Task], name: Callable[[Task], str]) -> EegemoError:
    return EegemoError(
        f"{', '.join(map(name, tasks))}: a worker process ended unexpectedly, twice; often there "
        'was not enough memory, or a script lacks its `if __name__ == "__main__":`. What is done '
        "is kept. Run the same command again, with fewer --jobs, to resume."
    )


def _run_pool(
    function: Callable[[Task], Result], left: "deque[Task]", jobs: int
) -> Iterator[Result]:
    """Run tasks from the left of the queue until it is empty, one per worker at a time."""
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
            ended = [future for future in at_work if future.done()]
            for future in [future for future in ended if future.exception() is None]:
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
    """Leave Ctrl-C to the main process, and end when the main process ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    configure(device=os.environ.get("EEGEMO_DEVICE", "auto"))  # type: ignore[arg-type]
    parent = multiprocessing.parent_process()
    if parent is not None:

        def follow() -> None:
            parent.join()
            os._exit(1)

        threading.Thread(target=follow, daemon=True).start()
