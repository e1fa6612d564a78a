"""The command line: its commands, their common options, and exit codes.

Exit code 0: done; 1: a run failed; 2: wrong input (one readable message, no traceback).
"""

import sys
from typing import Annotated

import typer

from eegemo import __version__
from eegemo.cli import commands
from eegemo.errors import EegemoError, InputError

app = typer.Typer(
    name="eegemo",
    help="EEG emotion classification with leakage-free evaluation.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # importing rich takes longer than everything else for help
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
state = {"debug": False}


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    state["debug"] = debug


# in the order of `eegemo --help`
for _command, _help in (
    (commands.run, "Run experiments, or resume them."),
    (commands.check, "Dry run: what a run would do, and what is wrong."),
    (commands.compare, "Compare results, with tests and costs."),
    (commands.report, "Write a report again, without training."),
    (commands.predict, "Classify a new recording with a result's models."),
    (commands.preprocess, "Preprocess signals and report on their quality."),
    (commands.audit, "Measure how much of a score is leakage."),
    (commands.simulate, "Simulate a DEAP release with known truth."),
    (commands.init, "Write an experiment file with every option."),
    (commands.schema, "Print a JSON schema of the experiment file."),
):
    app.command(short_help=_help)(_command)
app.command("list", short_help="List models, data sets and options.")(commands.list_names)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; the entry point of the package."""
    state["debug"] = False
    try:
        app(arguments)
    except InputError as error:
        _fail(error, 2)
    except (EegemoError, OSError) as error:
        _fail(error, 1)
    except MemoryError as error:
        _fail(error, 1, "there is not enough memory. Run it again with fewer --jobs.")


def _fail(error: Exception, code: int, text: str | None = None) -> None:
    if state["debug"]:
        raise error
    typer.echo(f"eegemo: {text or error}", err=True)
    sys.exit(code)
