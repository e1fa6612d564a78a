"""What surrounds the work of a command: a device, processes or workers, progress, and Ctrl-C."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

import typer

from eegemo.errors import InputError

if TYPE_CHECKING:
    from eegemo.execution import RunContext

__all__ = [
    "ending_by_signals",
    "stoppable",
    "working",
]


@contextmanager
def working(
    advice: str,
    *,
    jobs: int | None = None,
    device: str = "auto",
    engine: str = "local",
    scheduler: str | None = None,
) -> Iterator["RunContext"]:
    """Prepare what a command works with, for the block: progress bars, and who does the work.

    Parameters
    ----------
    advice : str
        What to do after Ctrl-C, as a sentence.
    jobs : int, optional
        Processes, or workers on this machine; one per processor if not given.
    device, engine, scheduler
        As given on the command line.

    Raises
    ------
    InputError
        If one of them is not known, they do not go together, or nothing answers there.
    """
    if scheduler is not None and jobs is not None:
        raise InputError(
            "--jobs goes with processes or workers on this machine; with --scheduler there are as "
            "many as its workers have threads."
        )
    from eegemo.execution import RunContext, available_cpus, configure

    configure(device=device)  # type: ignore[arg-type]
    from eegemo.cli.progress import TerminalProgress
    from eegemo.execution.dask import open_runner

    asked = available_cpus() if jobs is None else jobs
    with (
        stoppable(advice),
        TerminalProgress() as progress,
        open_runner(engine, scheduler, jobs=asked) as (runner, jobs),
    ):
        yield RunContext(jobs=jobs, runner=runner, progress=progress)


@contextmanager
def stoppable(advice: str) -> Iterator[None]:
    """Turn Ctrl-C and SIGTERM into one line that says how to go on; exit codes as shells have."""
    with ending_by_signals() as received:
        try:
            yield
        except KeyboardInterrupt:
            typer.echo(f"Stopped. {advice}", err=True)
            raise typer.Exit(128 + received.get("signal", 2)) from None


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
