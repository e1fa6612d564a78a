"""Copies in words: whole subjects first, three examples, and how to leave one of each out."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from eegemo.registry import options_of

if TYPE_CHECKING:
    import pandas as pd

    from eegemo.datasets import Dataset

__all__ = ["name_groups", "ways_out"]

_SHOWN = 3
_OWN_NAME = re.compile(r"s\d+|sub-.*", re.IGNORECASE)

Links = Sequence[tuple[int, int]]
_Place = tuple[str, str, str]  # subject, session, run


def _places(metadata: pd.DataFrame) -> list[_Place]:
    runs = metadata["run"].astype(str) if "run" in metadata else ["1"] * len(metadata)
    columns = metadata["subject"].astype(str), metadata["session"].astype(str), runs
    return list(zip(*columns, strict=True))


def name_groups(links: Links, metadata: pd.DataFrame) -> str:
    """Name pairs of trials: subjects that are copies, then recordings, then trials.

    Parameters
    ----------
    links : sequence of (int, int)
        Rows of the metadata.
    metadata : DataFrame
        With subject, session, trial, and perhaps run.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = [(subject, "1", trial) for subject in ("s01", "s02") for trial in (1, 2)]
    >>> metadata = pd.DataFrame(rows, columns=["subject", "session", "trial"])
    >>> name_groups([(0, 2), (1, 3)], metadata)
    's02 and s01 (all 2 trials)'
    >>> name_groups([(0, 3)], metadata)
    's02 and s01 (1 of 2 trials: s02, trial 2, and s01, trial 1)'
    """
    places = _places(metadata)
    grouped: dict[tuple[tuple[str, ...], tuple[str, ...]], list[tuple[int, int]]] = {}
    for first, second in links:
        a, b = places[first], places[second]
        depth = 1 if a[0] != b[0] else 3  # persons are compared as a whole, others by recording
        grouped.setdefault((b[:depth], a[:depth]), []).append((second, first))
    order = sorted(grouped.items(), key=lambda item: -len(item[1]))
    texts = []
    for (later, earlier), pairs in order[:_SHOWN]:
        total = sum(place[: len(later)] == later for place in places)
        n = len({row for row, _ in pairs})
        if later == earlier:
            numbers = " and ".join(str(metadata["trial"].iloc[row]) for row in sorted(pairs[0]))
            more = f", and {len(pairs) - 1} more such pairs" if len(pairs) > 1 else ""
            texts.append(f"{_place(later, places)} (trials {numbers}{more})")
            continue
        example = ", and ".join(_trial(row, places, metadata) for row in pairs[0])
        how_many = f"all {n} trials" if n == total else f"{n} of {total} trials: {example}"
        texts.append(f"{_place(later, places)} and {_place(earlier, places)} ({how_many})")
    rest = len(order) - _SHOWN
    return "; ".join(texts) + (f"; and {rest} more pairs of names" if rest > 0 else "")


def _place(place: Sequence[str], places: Sequence[_Place]) -> str:
    """Name a place by what tells places apart."""
    words = [place[0]]
    for k, noun in ((1, "session"), (2, "run")):
        if len(place) > k and len({other[k] for other in places}) > 1:
            words.append(f"{noun} {place[k]}")
    return ", ".join(words)


def _trial(row: int, places: Sequence[_Place], metadata: pd.DataFrame) -> str:
    return f"{_place(places[row], places)}, trial {metadata['trial'].iloc[row]}"


def ways_out(links: Links, metadata: pd.DataFrame, dataset: Dataset | None) -> str:
    """Say how one of each pair is left out, with the options that the data set has."""
    options = set() if dataset is None else set(options_of(type(dataset)))
    places = _places(metadata)
    by_subject: dict[str, set[int]] = defaultdict(set)
    for first, second in links:
        later = second if places[first][0] != places[second][0] else max(first, second)
        by_subject[places[later][0]].add(later)
    sizes = metadata["subject"].astype(str).value_counts()
    inside = [link for link in links if places[link[0]][0] == places[link[1]][0]]
    whole = [name for name, rows in by_subject.items() if len(rows) == sizes[name]]
    ways = []
    runs = [places[row][2] for link in inside for row in link]
    for option, key in (("acquisition", "acq-"), ("processing", "proc-")):
        if option in options and any(key in run for run in runs):
            ways.append(f"data.{option}, if these are recordings of the same trials")
            break
    if "exclude" in options:
        names = [_excluded(name) for name in whole]
        for name, rows in by_subject.items():
            if name not in whole:
                names += _excluded_rows(sorted(rows), places, metadata)
        shown = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
        ways.append(f"data.exclude: [{shown}]")
    if "subjects" in options:
        subjects = dict.fromkeys(place[0] for place in places)
        kept = [name for name in subjects if name not in (whole or by_subject)]
        shown = ", ".join(map(_as_text, kept[:8])) + (", ..." if len(kept) > 8 else "")
        if kept:
            ways.append(f"data.subjects: [{shown}]")
    if not ways:
        return "Leave one of each out of the data."
    return f"Leave one of each out: {', or '.join(ways)}."


def _excluded(subject: str) -> str:
    return subject if _OWN_NAME.fullmatch(subject) else f"sub-{subject}"


def _excluded_rows(
    rows: Sequence[int], places: Sequence[_Place], metadata: pd.DataFrame
) -> list[str]:
    """Name recordings of which all trials are meant, and single trials of others."""
    total, meant = Counter(places), Counter(places[row] for row in rows)
    whole = [place for place, n in meant.items() if n == total[place]]
    single = [row for row in rows if places[row] not in whole]
    return [
        *(_excluded_recording(place, places) for place in whole),
        *(_excluded_trial(row, places, metadata) for row in single),
    ]


def _excluded_recording(place: _Place, places: Sequence[_Place]) -> str:
    subject, session, run = place
    several = len({other[1] for other in places}) > 1
    part = f"_ses-{session}" if several else ""
    if len({other[2] for other in places if other[:2] == place[:2]}) > 1:
        part += f"_{run}" if "-" in run else f"_run-{run}"
    return f"{_excluded(subject)}{part}"


def _excluded_trial(row: int, places: Sequence[_Place], metadata: pd.DataFrame) -> str:
    subject, session, _ = places[row]
    several = len({place[1] for place in places}) > 1  # trials are numbered within a session
    part = f"_ses-{session}" if several else ""
    return f"{_excluded(subject)}{part}_trial-{metadata['trial'].iloc[row]}"


def _as_text(subject: str) -> str:
    """Quote what YAML would read as a number."""
    return f"'{subject}'" if subject.isdecimal() else subject
