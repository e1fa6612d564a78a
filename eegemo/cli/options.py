"""The options that several commands have, with the same meaning everywhere."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["Device", "EngineName", "Jobs", "Overrides", "Results", "Scheduler", "Trust"]

Results = Annotated[Path, typer.Option(help="Folder for results.", show_default=True)]
Jobs = Annotated[
    int | None,
    typer.Option(
        min=0, help="Folds fitted at once; one per processor if not given, 0 for no processes."
    ),
]
Device = Annotated[str, typer.Option(help="auto, cpu or gpu.")]
EngineName = Annotated[
    str,
    typer.Option(
        "--engine",
        help="local; together: all folds at once, on JAX; dask: workers on this or other machines; "
        "auto: together on a GPU with JAX, else local.",
    ),
]
Scheduler = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="Of Dask's scheduler; for --engine dask."),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a value, as training.epochs=2."),
]
Trust = Annotated[
    bool,
    typer.Option(
        "--trust", help="Import the code that a result names by an import path, which runs it."
    ),
]
