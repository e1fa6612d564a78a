"""The file ``refits.json`` of a result: scores of the same pipeline on exchanged labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from eegemo.results import layout
from eegemo.results.records import Kind, is_number, read_json
from eegemo.store import write_json

__all__ = ["VERSION", "read_refits", "refits_of", "write_refits"]

#: Increased when refits would differ for the same result.
VERSION = 1


def _are_draws(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(draw, dict)
        and set(draw) == {"number", "window", "trial"}
        and all(map(is_number, draw.values()))
        and 0 <= draw["window"] <= 1
        and 0 <= draw["trial"] <= 1
        for draw in value
    )


_KINDS = {
    "version": Kind("a whole number", lambda value: isinstance(value, int)),
    "key": Kind("text", lambda value: isinstance(value, str)),
    "unit": Kind("text", lambda value: isinstance(value, str)),
    "stopped": Kind("true or false", lambda value: isinstance(value, bool)),
    "draws": Kind("a number and two scores for each refit", _are_draws),
}


def write_refits(
    folder: Path, key: str, unit: str, draws: Sequence[Mapping[str, Any]], *, stopped: bool = False
) -> None:
    """Write the scores of refits, sorted by their numbers.

    Parameters
    ----------
    folder : Path
        Of the result.
    key : str
        Digest of all that the refits depend on.
    unit : str
        Whose labels were exchanged.
    draws : sequence of mapping
        ``number``, ``window`` and ``trial``.
    stopped : bool
        Whether no more are wanted, since one scored as high as the true labels.
    """
    ordered = sorted(draws, key=lambda draw: draw["number"])
    content = {"version": VERSION, "key": key, "unit": unit, "stopped": stopped}
    write_json(folder / layout.REFITS, {**content, "draws": list(ordered)})


def read_refits(folder: Path) -> dict[str, Any] | None:
    """Read the refits of a result; None if there are none.

    Raises
    ------
    ResultError
        If the file is not what eegemo writes.
    """
    file = folder / layout.REFITS
    return read_json(file, _KINDS) if file.is_file() else None


def refits_of(folder: Path, key: str) -> tuple[list[dict[str, Any]], bool]:
    """Return the draws of refits with a key, and whether these have stopped; else none."""
    found = read_refits(folder)
    if found is None or found["version"] != VERSION or found["key"] != key:
        return [], False
    return found["draws"], found["stopped"]
