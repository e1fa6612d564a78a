"""Spans of a run: what was done when, and in which process.

A span is a stretch of work with a name: preparing, a subject, a fold, predicting, putting a result
together. Nothing is recorded yet, so a span costs nothing; the places that name one are the call
points of a Chrome trace, each of whose events is a line in the folder `trace`.
"""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

__all__ = ["span"]


def span(name: str, trace: Path | None = None) -> AbstractContextManager[None]:
    """Record the time that a block takes.

    Parameters
    ----------
    name : str
        What the block does, such as ``"fold 3"``.
    trace : Path, optional
        Folder of the events; nothing is recorded if not given.

    Returns
    -------
    context : context manager
        For the block.

    Examples
    --------
    >>> with span("prepare"):
    ...     total = 1 + 1
    """
    return nullcontext()
