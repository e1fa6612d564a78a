"""The context of a command: device, processes or workers, progress, and Ctrl-C."""

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
    """Provide the `RunContext` of a command: progress bars, and processes or workers.

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
        If an option is unknown, options conflict, or no scheduler answers.
    """
    if scheduler is not None and jobs is not None:
        raise InputError(
            "--jobs applies to processes or workers on this machine; with --scheduler, their "
            "number is that of the workers' threads."
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
    """Turn Ctrl-C and SIGTERM into a line that says how to resume, and a shell's exit code."""
    with ending_by_signals() as received:
        try:
            yield
        except KeyboardInterrupt:
            typer.echo(f"Stopped. {advice}", err=True)
            raise typer.Exit(128 + received.get("signal", 2)) from None


@contextmanager
def ending_by_signals() -> Iterator[dict[str, int]]:
    """Let SIGTERM end the block by KeyboardInterrupt, as Ctrl-C does, for an orderly end.

    Further signals during cleanup are ignored.

    Yields
    ------
    received : dict
        ``signal``: the number of the received signal, if any.
    """
    received: dict[str, int] = {}

    def end(number: int, frame: FrameType | None) -> None:
        received["signal"] = number
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield received  # only the main thread may set signal handlers
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in numbers}
    # signals that the caller's shell ignores, as for a background job, stay ignored
    for number in numbers:
        if before[number] != signal.SIG_IGN:
            signal.signal(number, end)
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
