"""Which subjects of a data set an experiment asks for."""

import difflib
import re
from collections.abc import Sequence
from pathlib import Path

from eegemo.errors import DataError

__all__ = ["choose_named", "choose_numbered"]


def choose_numbered(
    present: list[str], subjects: str | Sequence[str | int], place: Path
) -> list[str]:
    """Choose among subjects named ``s01``, ``s02``; 1, ``"1"`` and ``"S1"`` mean the first.

    Parameters
    ----------
    present : list of str
    subjects : "all", str, int or sequence of them
    place : pathlib.Path
        Folder or file that holds them, for messages.

    Raises
    ------
    DataError
        If a subject is not among them, or none was chosen.

    Examples
    --------
    >>> choose_numbered(["s01", "s02", "s03"], [3, "1"], Path("data/deap"))
    ['s01', 's03']
    """
    if isinstance(subjects, str):
        if subjects == "all":
            return present
        subjects = [subjects]
    wanted = set()
    for subject in subjects:
        digits = re.fullmatch(r"[sS]?(\d+)", str(subject).strip())
        name = f"s{int(digits[1]):02d}" if digits else str(subject)
        if name not in present:
            close = difflib.get_close_matches(name, present, n=3)
            hint = f" Did you mean {', '.join(close)}?" if close else ""
            raise DataError(
                f"Subject {subject!r} is not in {place}.{hint} "
                f"It holds {len(present)}: {', '.join(present)}."
            )
        wanted.add(name)
    if not wanted:
        raise DataError(f"No subject was chosen; {place} holds {', '.join(present)}.")
    return sorted(wanted)


def choose_named(
    present: Sequence[str], subjects: str | Sequence[str | int], place: Path
) -> list[str]:
    """Choose among subjects of any name; 1 and ``"1"`` also mean ``"01"``.

    Parameters
    ----------
    present : sequence of str
    subjects : "all", str, int or sequence of them
    place : pathlib.Path
        Folder or file that holds them, for messages.

    Returns
    -------
    list of str
        Sorted.

    Raises
    ------
    DataError
        If a subject is not among them, or none was chosen.

    Examples
    --------
    >>> choose_named(["01", "02", "anna"], [1, "anna"], Path("data"))
    ['01', 'anna']
    """
    if isinstance(subjects, str):
        if subjects == "all":
            return sorted(present)
        subjects = [subjects]
    wanted = set()
    for subject in subjects:
        label = str(subject).strip()
        same = [name for name in present if name == label] or [
            name for name in present if name.isdecimal() and name.lstrip("0") == label.lstrip("0")
        ]
        if len(same) != 1:
            close = difflib.get_close_matches(label, present, n=3)
            hint = f" Did you mean {', '.join(close)}?" if close else ""
            raise DataError(
                f"Subject {subject!r} is not in {place}.{hint} It holds {len(present)}: "
                f"{', '.join(present)}."
            )
        wanted.add(same[0])
    if not wanted:
        raise DataError(f"No subject was chosen; {place} holds {', '.join(present)}.")
    return sorted(wanted)
