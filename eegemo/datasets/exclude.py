"""Leaving out subjects, recordings and trials by name: ``exclude: [sub-03, sub-04_run-2]``.

A name has the form of BIDS: parts with a key and a label, joined by ``_``. It leaves out all
that have each of its parts. Where subjects have names of their own, as in DEAP, the subject comes
first (``s01_trial-3``). Numbers may have zeros before them or not: ``run-2`` is ``run-02``.
"""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from eegemo.errors import DataError

__all__ = [
    "Exclusion",
    "exclude_recordings",
    "exclude_subjects",
    "find_alike",
    "parse_exclusion",
    "same_label",
    "shorten",
]

_KEYS = (
    "sub", "ses", "task", "acq", "run", "proc", "rec", "recording", "desc", "space", "split",
    "trial",
)  # fmt: skip
_NUMBERED = re.compile(r"([^\W\d]*)(\d+)", re.ASCII)


@dataclass(frozen=True)
class Exclusion:
    """What a name of the option ``exclude`` leaves out.

    Attributes
    ----------
    text : str
        As it was written.
    labels : dict of str to str
        The labels of a recording, by key.
    trial : str or None
        The number of a trial; None leaves out recordings.
    """

    text: str
    labels: Mapping[str, str]
    trial: str | None = None


def parse_exclusion(text: str | int) -> Exclusion:
    """Take a name of the option ``exclude`` apart.

    Parameters
    ----------
    text : str or int
        Such as ``sub-04_run-2``, ``s01_trial-3`` or a subject's number.

    Returns
    -------
    exclusion : Exclusion

    Raises
    ------
    DataError
        If a part has no label, or a key comes twice.

    Examples
    --------
    >>> parse_exclusion("s01_trial-3")
    Exclusion(text='s01_trial-3', labels={'sub': 's01'}, trial='3')
    """
    words = str(text).strip()
    labels: dict[str, str] = {}
    rest = words.split("_")
    while rest:
        key, _, label = rest[-1].partition("-")
        if key.lower() not in _KEYS or not label:
            break
        if key.lower() in labels:
            raise DataError(f"data.exclude: {words!r} names {key}- twice.")
        labels[key.lower()] = label
        rest.pop()
    subject = "_".join(rest)  # a name without a key, which may have these marks in it
    if not words or (subject and "sub" in labels) or subject.lower().rstrip("-") in _KEYS:
        raise DataError(
            f"data.exclude: {words!r} is no name of a subject, recording or trial; expected one "
            "such as sub-03, sub-04_run-2 or sub-01_trial-3."
        )
    if subject:
        labels["sub"] = subject
    trial = labels.pop("trial", None)
    return Exclusion(words, dict(reversed(labels.items())), trial)


def same_label(first: str, second: str) -> bool:
    """Return whether two labels are the same, whatever their case and the zeros of numbers.

    Examples
    --------
    >>> same_label("1", "01"), same_label("S1", "s01"), same_label("1", "10")
    (True, True, False)
    """
    return _plain(first) == _plain(second)


def find_alike(labels: Iterable[str]) -> list[tuple[str, ...]]:
    """Find labels that are the same but for case and the zeros of numbers.

    Examples
    --------
    >>> find_alike(["01", "02", "1", "S1"])
    [('01', '1')]
    """
    groups: dict[str, list[str]] = {}
    for label in dict.fromkeys(labels):
        groups.setdefault(_plain(label), []).append(label)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def _plain(label: str) -> str:
    folded = label.strip().casefold()
    match = _NUMBERED.fullmatch(folded)
    return f"{match[1]}{int(match[2])}" if match and len(match[2]) < 100 else folded


def exclude_recordings(
    names: Sequence[str | int] | None, recordings: Sequence[Mapping[str, str]], place: object
) -> list[list[Exclusion] | None]:
    """Find the recordings that are left out, and those of which trials are.

    Parameters
    ----------
    names : sequence of str or int, or None
        The option ``exclude``.
    recordings : sequence of dict of str to str
        Labels of each recording, by key (``sub``, ``ses``, ``run``).
    place : object
        Folder or file that holds them, for messages.

    Returns
    -------
    found : list
        For each recording None if it is left out, else the exclusions of its trials. Whether there
        are such trials is for the caller to check.

    Raises
    ------
    DataError
        If a name fits no recording.
    """
    found: list[list[Exclusion] | None] = [[] for _ in recordings]
    for name in names or ():
        exclusion = parse_exclusion(name)
        rows = _fitting(exclusion, recordings)
        if not rows:
            raise DataError(
                f"data.exclude: {exclusion.text!r} {_nothing(exclusion, recordings, place)}"
            )
        for row in rows:
            trials = found[row]
            if exclusion.trial is None:
                found[row] = None
            elif trials is not None:
                trials.append(exclusion)
    return found


def exclude_subjects(
    subjects: Sequence[str], names: Sequence[str | int] | None, place: object
) -> tuple[list[str], dict[str, list[Exclusion]]]:
    """Leave out subjects that have one recording each.

    Parameters
    ----------
    subjects : sequence of str
        The chosen ones.
    names : sequence of str or int, or None
        The option ``exclude``.
    place : object
        Folder or file that holds them, for messages.

    Returns
    -------
    kept : list of str
    trials : dict of str to list of Exclusion
        The exclusions of trials of each subject that is kept.

    Raises
    ------
    DataError
        If a name fits no subject, or no subject is left.
    """
    found = exclude_recordings(names, [{"sub": subject} for subject in subjects], place)
    trials = {
        subject: exclusions
        for subject, exclusions in zip(subjects, found, strict=True)
        if exclusions is not None
    }
    if not trials:
        raise DataError(f"data.exclude leaves no subject of {place}.")
    return list(trials), trials


def _fitting(exclusion: Exclusion, recordings: Sequence[Mapping[str, str]]) -> list[int]:
    """Return the recordings with all labels of an exclusion; as they are written, if there are."""
    wanted = exclusion.labels.items()
    exact = [
        row
        for row, labels in enumerate(recordings)
        if all(labels.get(key) == label for key, label in wanted)
    ]
    return exact or [
        row
        for row, labels in enumerate(recordings)
        if all(key in labels and _same(key, labels[key], label) for key, label in wanted)
    ]


def _same(key: str, label: str, wanted: str) -> bool:
    # the number of a subject is enough where all are called s01, s02
    short = key == "sub" and wanted.isdecimal() and re.fullmatch(r"[sS]\d+", label)
    return same_label(label, f"s{wanted}" if short else wanted)


def _nothing(exclusion: Exclusion, recordings: Sequence[Mapping[str, str]], place: object) -> str:
    """Say that nothing has the labels of an exclusion, and what there is instead."""
    known = ["_".join(f"{key}-{label}" for key, label in labels.items()) for labels in recordings]
    for key, label in exclusion.labels.items():
        present = list(dict.fromkeys(labels[key] for labels in recordings if key in labels))
        if not any(_same(key, other, label) for other in present):
            close = difflib.get_close_matches(label, present, n=1)
            hint = f" Did you mean {key}-{close[0]}?" if close else ""
            at_hand = shorten(present, 10) if present else "none has such a label"
            return f"fits nothing in {place}: there is no {key}-{label}.{hint} There: {at_hand}."
    return f"fits nothing in {place}: no recording has all of its labels. There: {shorten(known)}."


def shorten(names: Sequence[str], n: int = 3) -> str:
    """Join the first names, and count the others.

    Examples
    --------
    >>> shorten(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    more = f" and {len(names) - n} more" if len(names) > n else ""
    return ", ".join(names[:n]) + more
