"""The outcome of a check, for a terminal."""

import re
from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from eegemo.datasets import FileState
from eegemo.runs.check import CheckedExperiment
from eegemo.runs.check_data import TO_CHOOSE, CheckedData
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
    counts = Counter(_outcome(file) for file in checked.files)
    words = [word for word in ("missing", TO_CHOOSE, "wrong") if counts[word]]
    counted = [f"{counts['ok']} ok", *(f"{counts[word]} {word}" for word in words)]
    console.print(Text(f"{', '.join(counted)}.", style="bold"))


def _outcome(file: FileState) -> str:
    return file.state if file.ok or file.state in ("missing", TO_CHOOSE) else "wrong"


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
    styles = {"ok": "green", "wrong": "red"}
    for same in _alike(files):
        style = styles.get(_outcome(same[0]), "yellow")
        n_bytes = sum(file.n_bytes for file in same)
        size = format_bytes(n_bytes) if n_bytes else ""
        name = same[0].name if len(same) == 1 else f"{same[0].name} and {len(same) - 1} more"
        table.add_row(name, size, Text(same[0].state, style=style), Text(same[0].detail))
    console.print(table)


def _alike(files: Sequence[FileState]) -> list[list[FileState]]:
    """Put subjects together of which the same is to be said, but for their counts."""
    groups: dict[tuple[str, str], list[FileState]] = {}
    for file in files:
        told = re.sub(r"\d+", "", file.detail) if file.state == TO_CHOOSE else file.name
        groups.setdefault((file.state, told), []).append(file)
    return list(groups.values())
