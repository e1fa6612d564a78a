"""Notes on subjects, recordings and folds, each said once."""

import re
from collections.abc import Iterable, Sequence

__all__ = ["merge_notes"]

_SHOWN = 3
_ABOUT = re.compile(
    r"(?P<unit>Subject|Fold) (?P<name>[^:]+): (?P<file>\S+\.\w+: )?(?P<text>.*)", re.S
)
# "2 trials left out, marked bad: 3, 7", perhaps of how many, perhaps with more to say
_COUNTED = re.compile(
    r"(?P<n>\d+)(?: of (?P<of>\d+))? trials? (?P<what>[^:]+): (?P<trials>\d+(?:, \d+)*)"
    r"(?P<rest>\. .*)?",
    re.S,
)


def merge_notes(notes: Iterable[str]) -> list[str]:
    """Say what holds for several subjects, recordings or folds once, and name the first three.

    Parameters
    ----------
    notes : iterable of str
        Those of a subject or fold begin with ``Subject NAME:`` or ``Fold NAME:``, perhaps followed
        by a file. Numbers of trials are added up, with the first trials as examples. Notes that
        are merged already, or about nothing of the kind, stay as they are.

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
    >>> merge_notes([f"Subject 0{k}: {k} trials left out, marked bad: 4, 5" for k in (2, 3)])
    ['Subjects 02 and 03: 5 trials left out, marked bad (02: 4, 5; 03: 4, 5)']
    """
    groups: dict[str, dict[str, re.Match[str] | None]] = {}
    for note in map(_in_the_singular, notes):
        about = _ABOUT.fullmatch(note)
        key = note if about is None else f"{about['unit']}: {_kind(about['text'])}"
        groups.setdefault(key, {})[note] = about
    merged = []
    for same in groups.values():
        found = [about for about in same.values() if about is not None]
        merged.append(_say(found) if len(found) > 1 else next(iter(same)))
    return merged


def _in_the_singular(note: str) -> str:
    """Correct what older versions wrote into results."""
    note = re.sub(r"\b1 trials have\b", "1 trial has", note)
    return re.sub(r"\b1 (trial|subject)s\b", r"1 \1", note)


def _kind(text: str) -> str:
    counted = _COUNTED.fullmatch(text)
    if counted is None:
        return text
    return f"{counted['of'] is None} {_in_the_plural(counted['what'])} {counted['rest']}"


def _in_the_plural(what: str) -> str:
    return re.sub(r"^holds\b", "hold", what)


def _say(found: Sequence[re.Match[str]]) -> str:
    """Return one sentence for notes of one kind."""
    names = list(dict.fromkeys(about["name"] for about in found))
    unit = found[0]["unit"]
    if len(names) == 1:
        who = f"{unit} {names[0]}, {len(found)} runs"
    elif len(names) > _SHOWN:
        who = f"{unit}s {', '.join(names[:_SHOWN])} and {len(names) - _SHOWN} more"
    else:
        who = f"{unit}s {', '.join(names[:-1])} and {names[-1]}"
    counted = [match for match in (_COUNTED.fullmatch(about["text"]) for about in found) if match]
    if not counted:
        return f"{who}: {found[0]['text']}"
    total = f"{sum(int(match['n']) for match in counted)}"
    if counted[0]["of"] is not None:
        total += f" of {sum(int(match['of']) for match in counted)}"
    examples = [
        (f"{about['name']}: " if len(names) > 1 else "") + _first(match["trials"])
        for about, match in zip(found[:_SHOWN], counted, strict=False)
    ]
    shown = "; ".join(examples) + ("; ..." if len(found) > _SHOWN else "")
    what = _in_the_plural(counted[0]["what"])
    return f"{who}: {total} trials {what} ({shown}){counted[0]['rest'] or ''}"


def _first(trials: str) -> str:
    numbers = trials.split(", ")
    return ", ".join(numbers[:_SHOWN]) + (", ..." if len(numbers) > _SHOWN else "")
