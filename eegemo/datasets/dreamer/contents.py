"""Content of ``DREAMER.mat``: a structure, walked and checked before a signal is used.

::

    DREAMER                                          DREAMER.Data{k}
      Data             {1 x 23}                        Age, Gender
      EEG_SamplingRate 128                             EEG, ECG
      ECG_SamplingRate 256                               baseline {18 x 1}  (7808, 14), 61 s each
      EEG_Electrodes   {1 x 14}                          stimuli  {18 x 1}  (n_samples, 14)
      noOfSubjects, noOfVideoSequences,                ScoreValence, ScoreArousal,
      Disclaimer, Provider, Version, ...                 ScoreDominance (18 x 1), whole, 1 to 5
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from eegemo.errors import DataError
from eegemo.formats.files import check_file
from eegemo.formats.mat_trees import Node, walk_mat

__all__ = ["CHANNELS", "FILE_NAME", "RATINGS", "SFREQ", "Contents", "Person", "look_into"]

FILE_NAME = "DREAMER.mat"
SFREQ = 128.0
# fmt: off
CHANNELS = ("AF3", "F7", "F3", "FC5", "T7", "P7", "O1", "O2", "P8", "T8", "FC6", "F4", "F8", "AF4")
# fmt: on
#: Column of the metadata -> field of the file.
RATINGS = {"valence": "ScoreValence", "arousal": "ScoreArousal", "dominance": "ScoreDominance"}

_VARIABLE = "DREAMER"
_PARTS = ("baseline", "stimuli")


@dataclass
class Person:
    """Data of a participant, without the signals.

    Attributes
    ----------
    n_times : dict of str to list of int
        Samples of each clip: ``baseline`` (the neutral clip before it) and ``stimuli``.
    ratings : dict of str to ndarray
        By column of the metadata.
    """

    n_times: dict[str, list[int]] = field(default_factory=lambda: {part: [] for part in _PARTS})
    ratings: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Contents:
    """Content of ``DREAMER.mat``, without the signals.

    Attributes
    ----------
    people : tuple of Person
        The participants.
    provider : str
        Provider of the file, as stated in it.
    """

    people: tuple[Person, ...]
    provider: str


def look_into(path: str | Path) -> Contents:
    """Walk the complete file, and check everything but the signals.

    The result is cached while the file stays the same: walking takes seconds, since much of the
    file is compressed.

    Raises
    ------
    DataError
        If the file is missing, truncated or corrupt, or its content is not that of DREAMER.
    """
    path = Path(path)
    check_file(path)
    about = path.stat()
    return _look(str(path), about.st_size, about.st_mtime_ns)


def count_people(path: Path) -> int:
    """Return the number of participants in a file, from its beginning if possible."""
    check_file(path)
    for node in walk_mat(path, _VARIABLE, wanted=lambda place: False):
        if node.place == ("Data",) and node.kind in ("cell", "struct"):
            return int(np.prod(node.shape))
        if len(node.place) > 1:
            break  # another field comes first, and has parts
    return len(look_into(path).people)


def read_clips(path: Path, number: int) -> dict[str, list[np.ndarray]]:
    """Return the EEG of a participant, in the file's unit: by part, (n_samples, 14) per clip."""
    contents = look_into(path)
    n_clips = len(contents.people[number].ratings["valence"])
    clips: dict[str, list[np.ndarray]] = {part: [] for part in _PARTS}

    def wanted(place: tuple[str | int, ...]) -> bool:
        who, inside = _split(place)
        return who == number and inside[:1] == ("EEG",)

    for node in walk_mat(path, _VARIABLE, wanted=wanted):
        if node.value is None or not wanted(node.place):
            continue
        clips[str(_split(node.place)[1][1])].append(node.value)
        if all(len(found) == n_clips for found in clips.values()):
            return clips  # the rest of the file has been checked
    raise DataError(f"{path} has changed while it was read.")


def _split(place: tuple[str | int, ...]) -> tuple[int | None, tuple[str | int, ...]]:
    """Return the number of a participant, and the path of a part within the participant's data."""
    if place[:1] != ("Data",) or len(place) < 2:
        return None, place
    if isinstance(place[1], int):
        return place[1], place[2:]
    return 0, place[1:]  # a structure of one person has no number


@lru_cache(maxsize=4)
def _look(path: str, size: int, changed: int) -> Contents:
    people: dict[int, Person] = {}
    single: dict[tuple[str | int, ...], Any] = {}
    for node in _nodes(path):
        who, inside = _split(node.place)
        if who is None:
            single[node.place] = node.value if node.value is not None else node.shape
            continue
        person = people.setdefault(who, Person())
        if inside[:1] == ("EEG",) and len(inside) == 3 and inside[1] in _PARTS:
            _check_clip(path, who, inside, node)
            person.n_times[str(inside[1])].append(node.shape[0])
        for name, field_name in RATINGS.items():
            if inside == (field_name,):
                person.ratings[name] = _scores(path, who, field_name, node)
    _check_facts(path, single)
    if not people:
        raise DataError(f"{path}: 'Data' holds nobody; expected a cell per person.")
    for number in range(len(people)):
        _check_person(path, number, people.get(number, Person()))
    provider = single.get(("Provider",))
    return Contents(
        tuple(people[number] for number in range(len(people))),
        provider if isinstance(provider, str) else "",
    )


def _nodes(path: str) -> Iterator[Node]:
    def wanted(place: tuple[str | int, ...]) -> bool:
        _, inside = _split(place)
        return inside[:1] not in (("EEG",), ("ECG",))

    return walk_mat(path, _VARIABLE, wanted=wanted)


def _check_clip(path: str, who: int, inside: tuple[str | int, ...], node: Node) -> None:
    shape = node.shape
    if node.kind != "numbers" or len(shape) != 2 or shape[1] != len(CHANNELS) or not shape[0]:
        raise DataError(
            f"{path}: clip {inside[2] + 1} of person {who + 1} "  # type: ignore[operator]
            f"(EEG.{inside[1]}) has shape {shape}; expected (samples, {len(CHANNELS)})."
        )


def _scores(path: str, who: int, name: str, node: Node) -> np.ndarray:
    if node.kind != "numbers" or node.value is None:
        raise DataError(f"{path}: {name} of person {who + 1} is {node.kind}; expected numbers.")
    scores: np.ndarray = node.value.astype(np.float64).ravel(order="F")
    # a missing rating (NaN) is neither below 1 nor above 5
    wrong = np.flatnonzero((scores < 1) | (scores > 5))
    if wrong.size:
        raise DataError(
            f"{path}: {name} of person {who + 1}, clip {wrong[0] + 1}, is {scores[wrong[0]]:g}; "
            "expected 1 to 5."
        )
    return scores


def _check_facts(path: str, single: dict[tuple[str | int, ...], Any]) -> None:
    """Check sampling rate and electrodes against those of DREAMER."""
    rate = single.get(("EEG_SamplingRate",))
    if not isinstance(rate, np.ndarray) or rate.size != 1 or float(rate.ravel()[0]) != SFREQ:
        found = "none" if rate is None else str(np.ravel(rate)[:3].tolist())
        raise DataError(f"{path}: EEG_SamplingRate is {found}; expected {SFREQ:g} Hz.")
    names = tuple(
        value
        for place, value in single.items()
        if place[0:1] == ("EEG_Electrodes",) and len(place) == 2
    )
    if names != CHANNELS:
        raise DataError(
            f"{path}: EEG_Electrodes are {', '.join(map(str, names[:20])) or 'none'}; expected "
            f"{', '.join(CHANNELS)}."
        )


def _check_person(path: str, number: int, person: Person) -> None:
    """Check that there are as many clips as ratings."""
    counts = {f"EEG.{part}": len(found) for part, found in person.n_times.items()}
    counts |= {
        field_name: len(person.ratings.get(name, ())) for name, field_name in RATINGS.items()
    }
    if len(set(counts.values())) > 1 or not counts["EEG.stimuli"]:
        found = ", ".join(f"{name} {n}" for name, n in counts.items())
        raise DataError(
            f"{path}: person {number + 1} has other numbers of clips than of ratings ({found}); "
            "expected one each."
        )
