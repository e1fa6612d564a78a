"""Notes of many subjects, each said once."""

import re
from collections.abc import Iterable

__all__ = ["merge_notes"]

_SHOWN = 3
_SUBJECT = re.compile(r"Subject (?P<subject>\S+): (?P<file>\S+\.\w+: )?(?P<text>.*)", re.S)


def merge_notes(notes: Iterable[str]) -> list[str]:
    """Say what holds for several subjects once, with the names of the first three.

    Parameters
    ----------
    notes : iterable of str
        Those of a subject begin with ``Subject NAME:``, perhaps followed by a file.

    Returns
    -------
    merged : list of str
        In the order of the first of each.

    Examples
    --------
    >>> about = [f"Subject 0{k}: sub-0{k}_eeg.edf: its unit is missing" for k in range(1, 6)]
    >>> merge_notes(["Ratings are rounded.", *about])
    ['Ratings are rounded.', 'Subjects 01, 02, 03 and 2 more: its unit is missing']
    >>> merge_notes(about[:1])
    ['Subject 01: sub-01_eeg.edf: its unit is missing']
    >>> merge_notes([f"Subject 01: run-{k}.edf: its unit is missing" for k in (1, 2)])
    ['Subject 01, 2 runs: its unit is missing']
    """
    groups: dict[str, list[str]] = {}
    subjects: dict[str, list[str]] = {}
    for note in notes:
        match = _SUBJECT.fullmatch(note)
        text = match["text"] if match else note
        groups.setdefault(text, []).append(note)
        if match and match["subject"] not in subjects.setdefault(text, []):
            subjects[text].append(match["subject"])
    merged: list[str] = []
    for text, same in groups.items():
        names = subjects.get(text, [])
        if len(names) < 2:
            once = list(dict.fromkeys(same))
            if len(once) > 1 and names:  # runs of a single subject
                once = [f"Subject {names[0]}, {len(once)} runs: {text}"]
            merged += once
            continue
        more = len(names) - _SHOWN
        if more > 0:
            listed = f"{', '.join(names[:_SHOWN])} and {more} more"
        else:
            listed = f"{', '.join(names[:-1])} and {names[-1]}"
        merged.append(f"Subjects {listed}: {text}")
    return merged
