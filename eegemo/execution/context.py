"""Context of a run: folders, processes, and progress messages."""

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


#: How folds are fitted: one by one on this machine, jointly (`eegemo.runs.fit`), or on a cluster.
Engine = Literal["auto", "local", "together", "dask"]


#: A function with the interface of `run_tasks`, such as `eegemo.execution.dask.run_tasks_dask`.
Runner: TypeAlias = Callable[..., Iterator[Any]]


class Progress:
    """Messages and progress of a long run; this class ignores them, the command line shows them."""

    def message(self, text: str) -> None:
        """Report a message."""

    def update(self, key: str, done: float, total: float, label: str, note: str = "") -> None:
        """Report the progress of the task `key`."""


#: Stands for the folder ``.store`` in that of results.
_BESIDE = Path()


@dataclass(frozen=True)
class RunContext:
    """Settings of a run that change speed and never results.

    Attributes
    ----------
    results : Path
        Folder of results.
    store : Path
        Folder of stored trials and features; by default ``.store`` in the folder of results.
    jobs : int
        Number of processes; with 0, all work is done in this process.
    engine : {"auto", "local", "together", "dask"}
        How folds are fitted; see `eegemo.runs.run.run_experiments`.
    runner : callable
        Runs the tasks (subjects and folds), as `eegemo.execution.run_tasks` does.
    progress : Progress
        Receives messages and progress.
    trace : Path, optional
        Folder for a record of when each task was done; by default nothing is recorded.
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
        """Create a context from the keywords of a public function, where paths may be text."""
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
        """Apply a function to each task and yield results in order of completion.

        Parameters
        ----------
        function : callable
            Importable by name, so that other processes find it.
        tasks : sequence
        jobs : int, optional
            Number of processes; by default that of the context.
        """
        n_jobs = self.jobs if jobs is None else jobs
        return self.runner(function, tasks, jobs=n_jobs, message=self.progress.message)

    def span(self, name: str) -> AbstractContextManager[None]:
        """Record the time that a block takes; see `eegemo.execution.trace`."""
        return span(name, self.trace)


@contextmanager
def watching(look: Callable[[], None], *, every: float = 0.5) -> Iterator[None]:
    """Call `look` repeatedly, in a thread, while the block runs.

    An exception of `look` ends the calls, not the block.
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
