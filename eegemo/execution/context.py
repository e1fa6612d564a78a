"""How a run is carried out: who does its tasks, and who is told how far they are."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from eegemo.execution.local import run_tasks
from eegemo.execution.trace import span

__all__ = [
    "Engine",
    "Progress",
    "RunContext",
    "Runner",
    "watching",
]


#: Where folds are fitted: here one by one, all at once (`eegemo.runs.fit`), or on many machines.
Engine = Literal["auto", "local", "together", "dask"]


#: `run_tasks`, or what does the same elsewhere (`eegemo.execution.dask.run_tasks_dask`).
Runner: TypeAlias = Callable[..., Iterator[Any]]


class Progress:
    """What a long run reports; this one says nothing, the command line's draws bars."""

    def message(self, text: str) -> None:
        """Tell something once."""

    def update(self, key: str, done: float, total: float, label: str, note: str = "") -> None:
        """Tell how far the piece of work `key` has come."""


#: Stands for the folder ``.store`` in that of results.
_BESIDE = Path()


@dataclass(frozen=True)
class RunContext:
    """Where and how work is done: everything that changes speed and never results.

    Attributes
    ----------
    results : Path
        Folder of results.
    store : Path
        Where trials and features are stored; ``.store`` in the folder of results if not given.
    jobs : int
        Number of processes; 0 does everything in this one.
    engine : {"auto", "local", "together", "dask"}
        How folds are fitted; see `eegemo.runs.run.run_experiments`.
    runner : callable
        Does the work of each subject and fold, as `eegemo.execution.run_tasks`.
    progress : Progress
        Told what happens.
    trace : Path, optional
        Folder that records when each piece of work was done; nothing is recorded if not given.
    trust : bool
        Whether code that a result names by its import path may be imported.

    Examples
    --------
    >>> context = RunContext(Path("results"))
    >>> context.store.as_posix()
    'results/.store'
    >>> sorted(context.map(abs, [-1, 2]))
    [1, 2]
    """

    results: Path = Path("results")
    store: Path = _BESIDE
    jobs: int = 0
    engine: Engine = "local"
    runner: Runner = run_tasks
    progress: Progress = field(default_factory=Progress)
    trace: Path | None = None
    trust: bool = False

    def __post_init__(self) -> None:
        if self.store is _BESIDE:
            object.__setattr__(self, "store", self.results / ".store")

    @classmethod
    def of(
        cls,
        *,
        results: str | Path = "results",
        store: str | Path | None = None,
        jobs: int = 0,
        engine: Engine = "local",
        runner: Runner = run_tasks,
        progress: Progress | None = None,
    ) -> "RunContext":
        """Make a context from the keywords of a public function, where paths may be text."""
        return cls(
            results=Path(results),
            store=_BESIDE if store is None else Path(store),
            jobs=jobs,
            engine=engine,
            runner=runner,
            progress=progress or Progress(),
        )

    def map(
        self, function: Callable[[Any], Any], tasks: Sequence[Any], *, jobs: int | None = None
    ) -> Iterator[Any]:
        """Apply a function to every task, and yield results as they come, in any order.

        Parameters
        ----------
        function : callable
            Importable by name, so that other processes find it.
        tasks : sequence
        jobs : int, optional
            Fewer processes than the context has.
        """
        at_once = self.jobs if jobs is None else jobs
        return self.runner(function, tasks, jobs=at_once, message=self.progress.message)

    def span(self, name: str) -> AbstractContextManager[None]:
        """Record the time that a block takes; see `eegemo.execution.trace`."""
        return span(name, self.trace)


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
