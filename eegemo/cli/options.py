"""Options shared by several commands."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["Device", "EngineName", "Jobs", "Overrides", "Results", "Scheduler", "Trust"]

Results = Annotated[Path, typer.Option(help="Folder for results.", show_default=True)]
Jobs = Annotated[
    int | None,
    typer.Option(
        min=0, help="Number of parallel processes; one per processor if not given, 0 for none."
    ),
]
Device = Annotated[str, typer.Option(help="auto, cpu or gpu.")]
EngineName = Annotated[
    str,
    typer.Option(
        "--engine",
        help="local; together: all folds jointly, on JAX; dask: workers on this or other machines; "
        "auto: together on a GPU with JAX, else local.",
    ),
]
Scheduler = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="Address of a Dask scheduler, for --engine dask."),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a value, e.g. training.epochs=2."),
]
Trust = Annotated[
    bool,
    typer.Option("--trust", help="Import (and so run) code that a result names by an import path."),
]
