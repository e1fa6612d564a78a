"""One way to run many fits: here, or in processes.

What is set here changes speed, never results: a fit gets the same number of threads wherever it
runs, since the order in which threads add up floating-point numbers would otherwise show in the
last digits.
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
    message : callable, optional
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
            if not alone and message is not None:
                names = ", ".join(map(name, error.at_work))
                message(f"A worker process ended unexpectedly. To be tried again: {names}.")
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
            for future in [task for task in at_work if task.done() and not task.exception()]:
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
