"""Command that lists what an experiment file can name, and the options of each."""

from typing import Annotated

import typer

from eegemo.errors import InputError

__all__ = ["list_names"]

#: What can be listed -> what a single one of them is called.
_KINDS = {"models": "model", "datasets": "data set"}


def list_names(
    what: Annotated[
        str, typer.Argument(metavar="models|datasets|options", help="What to list.")
    ] = "models",
    name: Annotated[
        str | None,
        typer.Argument(help="With options: a model, a data set, or a section such as windows."),
    ] = None,
) -> None:
    """List the models and data sets that there are, those of plug-ins included, or options."""
    if what == "options":
        from eegemo.config.reference import options_text

        typer.echo(options_text(name))
        return
    if what not in _KINDS:
        raise InputError(f"list: expected models, datasets or options; found {what!r}.")
    if name is not None:
        raise InputError(f"list: {what} takes no name; for its options: eegemo list options {name}")
    from eegemo.registry import REGISTRIES

    names = REGISTRIES[what].names()
    width = max(map(len, names), default=0)
    for known, origin in names.items():
        typer.echo(f"{known:<{width}}  {origin}")
    typer.echo(
        f"\nA {_KINDS[what]} of your own is named by its import path, as in mypkg.mine:name.\n"
        "Options of each: eegemo list options NAME"
    )
