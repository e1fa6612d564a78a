"""What the names of files and folders tell about recordings: person, session, run, class."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from eegemo.datasets.files.formats import split_extension
from eegemo.datasets.files.table import natural_key

__all__ = ["Guess", "guess_names"]

_SUBJECT = ("sub", "subj", "subject", "s", "p", "pp", "vp", "pat", "patient", "participant", "id",
            "proband", "volunteer")  # fmt: skip
_SESSION = ("ses", "sess", "session", "day", "visit")
_RUN = ("run", "r", "rec", "recording", "block", "part", "trial", "exp")
_KINDS = {**dict.fromkeys(_SUBJECT, "subject"), **dict.fromkeys(_SESSION, "session"),
          **dict.fromkeys(_RUN, "run")}  # fmt: skip
# Words that stand in the name of every recording and tell nothing.
_EMPTY = ("eeg", "raw", "data", "export", "edf", "bdf", "filtered", "clean", "cleaned")
_MOST_CLASSES = 12
_CORRECT = (
    "CORRECT THE COLUMN subject if that is not so, or one person's signals may stand in training "
    "and test."
)
_KEY = "key of subject"  # in what is known of a name


@dataclass(frozen=True)
class Guess:
    """What names tell about recordings.

    Attributes
    ----------
    rows : list of dict
        Of each recording: subject, session, run, and label and further columns if there are any.
    how : list of str
        From what each column was guessed, in sentences.
    """

    rows: list[dict[str, str]]
    how: list[str] = field(default_factory=list)


def guess_names(paths: Sequence[str]) -> Guess:
    """Guess subject, session and run of recordings, and their class, from their paths.

    Parameters
    ----------
    paths : sequence of str
        Relative to their folder, with ``/``.

    Returns
    -------
    guess : Guess
        No two recordings have the same subject, session and run.

    Examples
    --------
    >>> guess_names(["S01/S01_run2.edf", "S01/S01_run10.edf", "S02/S02_run2.edf"]).rows[1]
    {'subject': 'S01', 'session': '1', 'run': '10'}
    >>> [row["subject"] for row in guess_names(["anna_1.edf", "anna_2.edf", "ben_1.edf"]).rows]
    ['anna', 'anna', 'ben']
    >>> guess_names(["anna_calm.edf", "anna_tense.edf", "ben_calm.edf", "ben_tense.edf"]).rows[3]
    {'subject': 'ben', 'session': '1', 'run': '2', 'label': 'tense'}
    """
    read = [_read_path(path) for path in paths]
    how: list[str] = []
    subjects = _find_subjects(paths, read, how)
    labels = _find_labels(read, subjects)
    rows = []
    for number, (known, _) in enumerate(read):
        row = {
            "subject": subjects[number],
            "session": known.get("session", "1"),
            "run": known.get("run", ""),
        }
        if labels:
            row["label"] = labels[number]
        row |= {key: text for key, text in known.items() if key not in (*row, _KEY)}
        rows.append(row)
    if labels:
        how.append("label is the word in which the names of a person's recordings differ.")
    _make_unique(rows, how)
    keys = list(dict.fromkeys(key for row in rows for key in row))
    return Guess([{key: row.get(key, "") for key in keys} for row in rows], how)


def _read_path(path: str) -> tuple[dict[str, str], list[str]]:
    """Return what is named with a key (sub-01, run2), and the other words of the file's name."""
    pure = PurePosixPath(path)
    stem = split_extension(Path(pure.name))[0]
    known: dict[str, str] = {}
    for folder in pure.parts[:-1]:
        for kind, text in _take_apart(folder)[0].items():
            known.setdefault(kind, text)
    named, words = _take_apart(stem)
    return known | named, words


def _take_apart(text: str) -> tuple[dict[str, str], list[str]]:
    known: dict[str, str] = {}
    words: list[str] = []
    # S001R04 is two words
    joined = re.fullmatch(r"([A-Za-z]+)(\d+)([A-Za-z]+)(\d+)", text)
    if joined and joined[1].lower() in _KINDS and joined[3].lower() in _KINDS:
        text = f"{joined[1]}{joined[2]}_{joined[3]}{joined[4]}"
    pieces = [piece for piece in re.split(r"[_\s.,()]+", text) if piece]
    pending = ""
    for piece in pieces:
        bids = re.fullmatch(r"([A-Za-z]+)-([A-Za-z0-9]+)", piece)
        numbered = re.fullmatch(r"([A-Za-z]+?)-?(\d+)", piece)
        if pending and piece.isdecimal():  # subject_03
            _note(known, pending, piece)
            pending = ""
            continue
        pending = ""
        if numbered and numbered[1].lower() in _KINDS:
            short = len(numbered[1]) <= 2 and _KINDS[numbered[1].lower()] == "subject"
            _note(known, numbered[1].lower(), piece if short else numbered[2])
        elif bids and bids[1].lower() in ("sub", "ses", "run"):
            _note(known, bids[1].lower(), bids[2])
        elif bids and bids[1].lower() in ("task", "acq", "rec", "proc"):
            known.setdefault(bids[1].lower(), bids[2])
        elif piece.lower() in _KINDS and len(piece) > 1:
            pending = piece.lower()
        elif piece.lower() not in _EMPTY:
            words += [word for word in piece.split("-") if word]
    return known, words


def _note(known: dict[str, str], key: str, text: str) -> None:
    kind = _KINDS[key]
    if kind not in known:
        known[kind] = text
        if kind == "subject":
            known[_KEY] = key


def _find_subjects(
    paths: Sequence[str], read: Sequence[tuple[dict[str, str], list[str]]], how: list[str]
) -> list[str]:
    named = [known for known, _ in read if "subject" in known]
    if named:
        how.append("subject is what names call sub-01, S01, P1, subject_1 or alike.")
        if len(named) < len(read):
            how.append(
                f"{len(read) - len(named)} recordings have no such name: each of them is taken as "
                f"a person of its own. {_CORRECT}"
            )
        # sub-01 and subject_01 may be two people; S01 and P01 are called so
        several = len({known[_KEY] for known in named if len(known[_KEY]) > 2}) > 1
        found = []
        for path, (known, words) in zip(paths, read, strict=True):
            if "subject" not in known:
                found.append(_clean(split_extension(Path(path))[0]))
                words.clear()
            elif several and len(known[_KEY]) > 2:
                found.append(known[_KEY] + known["subject"])
            else:
                found.append(known["subject"])
        return found
    parents = [PurePosixPath(path).parts[:-1] for path in paths]
    if all(parents) and len({folders[0] for folders in parents}) > 1:
        how.append("subject is the folder of a recording.")
        return [_clean(folders[0]) for folders in parents]
    first = [words[0] if words else "" for _, words in read]
    letters = all(re.search(r"[^\W\d]", word) for word in first)
    if letters and (len(set(first)) < len(first) or all(len(words) > 1 for _, words in read)):
        for known, words in read:
            words.pop(0)
            if len(words) == 1 and words[0].isdecimal() and "run" not in known:
                known["run"] = words.pop(0)
        how.append("subject is the first word of a file's name.")
        return [_clean(word) for word in first]
    how.append(
        "No name tells which recordings are of one person: each file is taken as a person of its "
        f"own. {_CORRECT}"
    )
    for _, words in read:
        words.clear()
    return [_clean(split_extension(Path(path))[0]) for path in paths]


def _find_labels(
    read: Sequence[tuple[dict[str, str], list[str]]], subjects: Sequence[str]
) -> list[str]:
    """Return the words that differ within people, if there are a few for all of them."""
    widths = {len(words) for _, words in read}
    for place in range(min(widths, default=0)):
        column = [words[place] for _, words in read]
        if not all(re.fullmatch(r"[^\W\d]{2,}", word) for word in column):
            continue
        within: dict[str, set[str]] = {}
        for subject, word in zip(subjects, column, strict=True):
            within.setdefault(subject, set()).add(word)
        n_classes = len(set(column))
        if 2 <= n_classes <= _MOST_CLASSES and any(len(seen) > 1 for seen in within.values()):
            return column
    return []


def _clean(text: str) -> str:
    cleaned = re.sub(r"[^\w.+-]+", "_", text).strip("_.+-")[:40]
    return cleaned or "unnamed"


def _make_unique(rows: list[dict[str, str]], how: list[str]) -> None:
    """Give runs numbers in sessions in which names do not tell them, or not uniquely."""
    groups: dict[tuple[str, str], list[dict[str, str]]] = {}
    for row in rows:
        groups.setdefault((row["subject"], row["session"]), []).append(row)
    numbered = False
    for group in groups.values():
        runs = [row["run"] for row in group]
        if all(runs) and len(set(runs)) == len(runs):
            continue
        if len(group) > 1:
            numbered = True
        for number, row in enumerate(group, start=1):
            if row["run"]:
                row["named_run"] = row["run"]
            row["run"] = str(number)
    if numbered:
        how.append("run is the position of a recording among those of its session.")


def sort_paths(paths: Sequence[str]) -> list[str]:
    """Return paths with numbers in their order: run 9 before run 10."""
    return sorted(paths, key=natural_key)
