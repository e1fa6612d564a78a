"""The outcome of a check, for a terminal."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from eegemo.datasets import FileState
from eegemo.runs.check import CheckedExperiment
from eegemo.runs.check_data import CheckedData
from eegemo.store import format_bytes

__all__ = ["show_data", "show_experiment"]

_SHOWN = 12  # stray files named at most


def show_data(checked: CheckedData, console: Console) -> None:
    """Print the files of a data folder."""
    console.print(Text(f"{checked.root}: {checked.kind}", style="bold"))
    _show_files(checked.files, console)
    if checked.facts:
        console.print(_facts(checked.facts))
    if checked.ignored:
        names = ", ".join(ascii(name)[1:-1] for name in checked.ignored[:_SHOWN])
        more = len(checked.ignored) - _SHOWN
        console.print(Text(f"Not read: {names}{f' and {more} more' if more > 0 else ''}."))
    n_ok = sum(file.ok for file in checked.files)
    missing = sum(file.state == "missing" for file in checked.files)
    wrong = len(checked.files) - n_ok - missing
    tail = (f", {missing} missing" if missing else "") + (f", {wrong} wrong" if wrong else "")
    console.print(Text(f"{n_ok} ok{tail}.", style="bold"))


def show_experiment(checked: CheckedExperiment, console: Console) -> None:
    """Print the outcome of checking an experiment."""
    console.print(Text(checked.name, style="bold"))
    wrong = [file for file in checked.files if not file.ok]
    if wrong:
        _show_files(wrong, console)
    table = _facts(checked.facts)
    for note in checked.notes:
        table.add_row("note", Text(note))
    for problem in (*checked.problems, *checked.shortages):
        table.add_row(Text("wrong", style="red"), Text(problem))
    if not checked.exit_code:
        table.add_row(Text("ready", style="green"), Text("no problems found"))
    console.print(table)


def _facts(facts: Sequence[tuple[str, str]]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for topic, text in facts:
        table.add_row(topic, Text(text))
    return table


def _show_files(files: Sequence[FileState], console: Console) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("subject", no_wrap=True)
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("found", overflow="fold")
    for file in files:
        style = "green" if file.ok else "yellow" if file.state == "missing" else "red"
        size = format_bytes(file.n_bytes) if file.n_bytes else ""
        table.add_row(file.name, size, Text(file.state, style=style), Text(file.detail))
    console.print(table)
