"""Progress of a run: bars on a terminal, lines elsewhere."""

import sys
import threading
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from eegemo import execution

__all__ = ["TerminalProgress"]

#: Seconds between two lines about the same task, without a terminal.
_QUIET = 5.0


class TerminalProgress(execution.Progress):
    """Show bars on a terminal; elsewhere, print a line from time to time."""

    def __init__(self) -> None:
        self._console = Console(file=sys.stderr, soft_wrap=True, highlight=False)
        self._bars: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._last: dict[str, tuple[float, float, str]] = {}
        self._guard = threading.Lock()
        if self._console.is_terminal:
            self._bars = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=30),
                TextColumn("{task.percentage:>3.0f}%"),
                TimeElapsedColumn(),
                TextColumn("{task.fields[note]}", style="dim", markup=False),
                console=self._console,
            )

    def __enter__(self) -> "TerminalProgress":
        if self._bars is not None:
            self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def message(self, text: str) -> None:
        """Print a line."""
        self._console.print(text, markup=False)

    def update(self, key: str, done: float, total: float, label: str, note: str = "") -> None:
        """Update a bar, or print a line after a while or for a new label."""
        with self._guard:
            if self._bars is not None:
                if key not in self._tasks:
                    self._tasks[key] = self._bars.add_task(label, total=total, note=note)
                fields = {"description": label, "completed": done, "total": total, "note": note}
                self._bars.update(self._tasks[key], **fields)  # type: ignore[arg-type]
                return
            before, then, shown = self._last.get(key, (-1.0, 0.0, ""))
            now = time.monotonic()
            due = done != before and (now - then >= _QUIET or done >= total or label != shown)
            if due:
                self._last[key] = (done, now, label)
                percentage = f"{100 * done / total:.0f}%" if total else "100%"
                self._console.print(f"{label}  {percentage}  {note}".rstrip(), markup=False)
