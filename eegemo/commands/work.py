"""What surrounds the work of a command: a device, processes or workers, progress, and Ctrl-C."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from eegemo.errors import InputError

if TYPE_CHECKING:
    from eegemo.execution import Progress, Runner

__all__ = ["Work", "stoppable", "working"]


@dataclass(frozen=True)
class Work:
    """What does the work of a command.

    Attributes
    ----------
    progress : Progress
        Bars on a terminal, lines elsewhere.
    runner : callable
        As `eegemo.execution.run_tasks`: processes here, or workers of a cluster.
    jobs : int
        How many tasks it does at a time; 0 for none but this process.
    """

    progress: "Progress"
    runner: "Runner"
    jobs: int


@contextmanager
def working(
    advice: str,
    *,
    jobs: int | None = None,
    device: str = "auto",
    engine: str = "local",
    scheduler: str | None = None,
) -> Iterator[Work]:
    """Prepare what a command works with, for the block.

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
    from eegemo.execution import available_cpus, configure

    configure(device=device)  # type: ignore[arg-type]
    from eegemo.clusters import open_runner
    from eegemo.progress import TerminalProgress

    asked = available_cpus() if jobs is None else jobs
    with (
        stoppable(advice),
        TerminalProgress() as progress,
        open_runner(engine, scheduler, jobs=asked) as (runner, jobs),
    ):
        yield Work(progress, runner, jobs)


@contextmanager
def stoppable(advice: str) -> Iterator[None]:
    """Turn Ctrl-C and SIGTERM into one line that says how to go on; exit codes as shells have."""
    from eegemo.execution import ending_by_signals

    with ending_by_signals() as received:
        try:
            yield
        except KeyboardInterrupt:
            typer.echo(f"Stopped. {advice}", err=True)
            raise typer.Exit(128 + received.get("signal", 2)) from None
