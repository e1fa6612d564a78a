"""How a run is carried out: who does its tasks, and who is told how far they are."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Literal, TypeAlias

__all__ = [
    "Engine",
    "Progress",
    "Runner",
    "watching",
]


#: Where folds are fitted: here one by one, all at once (`eegemo.runs.fit`), or on many machines.
Engine = Literal["auto", "local", "together", "dask"]


#: `run_tasks`, or what does the same elsewhere (`eegemo.execution.dask.run_tasks_dask`).
Runner: TypeAlias = Callable[..., Iterator[Any]]


class Progress:
    """What a long run reports; this one says nothing, the command line's draws bars."""

    def say(self, text: str) -> None:
        """Tell something once."""

    def update(self, key: str, done: float, total: float, label: str, note: str = "") -> None:
        """Tell how far the piece of work `key` has come."""


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
