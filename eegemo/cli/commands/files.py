"""Commands that write experiment files, and their JSON schema."""

from pathlib import Path
from typing import Annotated

import typer

from eegemo.errors import InputError

__all__ = ["init", "schema"]


def init(
    file: Annotated[Path, typer.Argument(help="The file to write.")] = Path("experiment.yaml"),
    data: Annotated[
        str, typer.Option(help="Data set: deap, bids, simulated, or from a plug-in.")
    ] = "deap",
    model: Annotated[
        str,
        typer.Option(
            help="Model: cnn_lstm, cnn_gru, eegnet, band_power_logreg, or from a plug-in."
        ),
    ] = "cnn_lstm",
) -> None:
    """Write an experiment file with every option, its default and its meaning."""
    from eegemo.config.reference import template

    text = template(data, model)
    try:
        with file.open("x", encoding="utf-8") as stream:  # never overwrite a file
            stream.write(text)
    except FileExistsError:
        raise InputError(f"{file}: the file exists already; give another name.") from None
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"{file}: the folder {file.parent} does not exist.") from None
    typer.echo(f"{file}: written. Set data.root, change what you like, then: eegemo check {file}")


def schema(
    output: Annotated[
        Path | None, typer.Option(help="Write to a file instead of the terminal.")
    ] = None,
) -> None:
    """Print a JSON schema of the experiment file, with the data sets and models of plug-ins."""
    from eegemo.config.reference import schema_text

    text = schema_text(plugins=True)
    if output is None:
        typer.echo(text, nl=False)
        return
    from eegemo.store import write_text

    write_text(output, text)
    typer.echo(f"{output}: written.")
