"""The references that recordings state, in words; only compared, never believed."""

import json
from collections.abc import Iterable
from pathlib import Path

__all__ = ["read_references"]

_MOST_LETTERS = 80
_UNKNOWN = ("", "n/a", "na", "unknown", "none", "placeholder")


def read_references(files: Iterable[Path]) -> list[str]:
    """Return the references that the sidecars among files state (``EEGReference`` of BIDS).

    Parameters
    ----------
    files : iterable of Path
        Of one or several recordings; all but ``*_eeg.json`` are passed over.

    Returns
    -------
    references : list of str
        Each once, in the order of the files; empty where none is stated.
    """
    found: dict[str, str] = {}
    for file in files:
        if not file.name.endswith("eeg.json"):
            continue
        try:
            content = json.loads(file.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError, RecursionError):  # who reads the signals says so
            continue
        stated = content.get("EEGReference") if isinstance(content, dict) else None
        text = " ".join(stated.split())[:_MOST_LETTERS] if isinstance(stated, str) else ""
        if text.isprintable() and text.casefold() not in _UNKNOWN:
            found.setdefault(text.casefold(), text)
    return list(found.values())
