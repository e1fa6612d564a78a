"""A table of recordings, proposed for a folder of bare files from what they and their names tell.

Nothing in it is known for sure: who a recording is of, and what its class is, are guessed from
names, and the text says from what.
"""

from __future__ import annotations

import csv
import io
import math
import re
import statistics
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pandas as pd
import yaml

from eegemo.datasets.files.dataset import TABLE
from eegemo.datasets.files.formats import (
    check_content,
    find_bare_files,
    format_of,
    list_parts,
    split_extension,
)
from eegemo.datasets.files.listing import list_annotations, list_codes
from eegemo.datasets.files.names import Guess, guess_names, sort_paths
from eegemo.datasets.files.places import Place
from eegemo.datasets.files.recording import open_raw
from eegemo.datasets.files.table import Row
from eegemo.datasets.tables import read_table, show_names
from eegemo.errors import DataError, InputError
from eegemo.formats.files import check_inside, named_errors

__all__ = ["Proposal", "propose_table", "write_proposal"]

_MARKS = ("bad", "boundary", "edge", "new segment")
_SHOWN = 20
_PIECE = 10.0  # seconds, proposed as the length of pieces


@dataclass(frozen=True)
class Bare:
    """What the header of a recording tells.

    Attributes
    ----------
    name : str
        Path relative to the folder.
    sfreq, seconds : float
    n_eeg, n_other : int
        Channels of EEG, and others.
    where : str
        ``table``, ``annotations``, ``stim`` or empty: where its events are.
    events : DataFrame
        With onset, duration and trial_type, as text.
    table : str
        The table of its events; empty if there is none.
    remark : str
        Why its events cannot be read, although it can.
    problem : str
        Why it cannot be read; empty if it can.
    """

    name: str
    sfreq: float = 0.0
    seconds: float = 0.0
    n_eeg: int = 0
    n_other: int = 0
    where: str = ""
    events: pd.DataFrame = field(default_factory=pd.DataFrame)
    table: str = ""
    remark: str = ""
    problem: str = ""


@dataclass(frozen=True)
class Proposal:
    """A table of recordings that a folder may get, and what it was made from.

    Attributes
    ----------
    root : pathlib.Path
    recordings : tuple of Bare
    table : str
        The text of the table.
    text : str
        What was found, the table, and an experiment file to use it with.
    """

    root: Path
    recordings: tuple[Bare, ...]
    table: str
    text: str

    @property
    def ok(self) -> bool:
        """Whether every recording can be read."""
        return not any(recording.problem for recording in self.recordings)


def propose_table(
    root: str | Path, *, on_file: Callable[[str, int, int], None] | None = None
) -> Proposal:
    """Propose a table for a folder of recordings.

    Parameters
    ----------
    root : path
    on_file : callable, optional
        Called before each recording is opened, with its name, its number and the number of them.

    Returns
    -------
    proposal : Proposal

    Raises
    ------
    InputError
        If there is no recording in the folder.
    """
    root = Path(root)
    found = {path.relative_to(root).as_posix(): path for path in find_bare_files(root)}
    names = sort_paths(list(found))
    if not names:
        raise InputError(
            f"{root}: expected recordings (.edf, .bdf, .gdf, .set, .vhdr, .fif, .cnt, ...), found "
            "none."
        )
    recordings = []
    for number, name in enumerate(names):
        if on_file is not None:
            on_file(name, number, len(names))
        recordings.append(_look_into(found[name], name, root))
    usable, twice = _without_copies([r for r in recordings if not r.problem])
    guess = guess_names([recording.name for recording in usable])
    table = _write_table(usable, guess)
    twice += _tell_alike(usable, guess)
    parts = [_describe(recordings), *twice, *_describe_events(usable)]
    if usable:
        parts += [_describe_table(table, guess), _write_experiment(root, usable, guess)]
    text = "\n".join(parts)
    # names may hold what would steer a terminal
    shown = "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)
    return Proposal(root, tuple(recordings), table, shown)


def write_proposal(proposal: Proposal, *, force: bool = False) -> Path:
    """Write the proposed table into its folder.

    Parameters
    ----------
    proposal : Proposal
    force : bool
        Replace a table that is there.

    Returns
    -------
    path : pathlib.Path

    Raises
    ------
    InputError
        If there is a table already, or the folder cannot be written to.
    """
    file = proposal.root / TABLE
    if file.is_symlink():
        raise InputError(f"{file}: is a link; remove it, or write the table by hand.")
    try:
        with file.open("w" if force else "x", encoding="utf-8", newline="") as stream:
            stream.write(proposal.table)
    except FileExistsError:
        raise InputError(
            f"{file}: the file exists already; --force replaces it by the proposed table."
        ) from None
    except OSError as error:
        raise InputError(f"{file} cannot be written: {error.strerror}.") from error
    return file


def _stem(recording: Bare) -> str:
    stem = split_extension(Path(recording.name))[0]
    return re.sub(r"[_-](raw|eeg)$", "", stem, flags=re.I).casefold()


def _without_copies(recordings: list[Bare]) -> tuple[list[Bare], list[str]]:
    """Return recordings without those that are there in another format, and what to say of it."""
    known: dict[tuple[Path, str], Bare] = {}
    left_out = []
    for recording in recordings:
        other = known.setdefault((Path(recording.name).parent, _stem(recording)), recording)
        if other is not recording:
            left_out.append(f"{recording.name} (as {other.name})")
    lines = [f"Left out, the same recording in another format: {_shorten(left_out)}."]
    return list(known.values()), lines if left_out else []


def _tell_alike(recordings: list[Bare], guess: Guess) -> list[str]:
    """Return what to say of recordings of a person that have the same name in several folders."""
    known: dict[tuple[str, str, str], Bare] = {}
    alike = []
    for recording, row in zip(recordings, guess.rows, strict=True):
        key = (row["subject"], row["session"], _stem(recording))
        if known.setdefault(key, recording) is not recording:
            alike.append(recording.name)
    if not alike:
        return []
    have = "recording has" if len(alike) == 1 else "recordings have"
    return [
        f"{len(alike)} {have} the name of another of the same person in another folder: "
        f"{_shorten(alike)}. List a recording once, not its copies too."
    ]


def _shorten(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _look_into(path: Path, name: str, root: Path) -> Bare:
    try:
        format_of(path)
        parts = list_parts(path, root)
        check_content(path)
        raw, _ = open_raw(Place(Row(0, name, ""), path, tuple(parts)), root)
        where, events, table = "", pd.DataFrame(), _find_table(path, root)
        if table is not None:
            where, events = "table", read_table(table)
        if table is None:
            events = list_annotations(raw)
            where = "annotations" if len(_without_marks(events)) else ""
    except DataError as error:
        return Bare(name, problem=str(error).replace(str(path), name))
    remark = ""
    if not where:
        try:
            events, stim = list_codes(raw, path, None)
            where = "stim" if stim else ""
        except DataError as error:
            remark = str(error).replace(str(path), name)
    types = raw.get_channel_types()
    return Bare(
        name,
        sfreq=float(raw.info["sfreq"]),
        seconds=len(raw.times) / float(raw.info["sfreq"]),
        n_eeg=types.count("eeg"),
        n_other=len(types) - types.count("eeg"),
        where=where,
        events=_without_marks(events),
        table="" if table is None else table.relative_to(root).as_posix(),
        remark=remark,
    )


def _without_marks(events: pd.DataFrame) -> pd.DataFrame:
    if "trial_type" not in events:
        return events
    return events[~events["trial_type"].str.lower().str.startswith(_MARKS)]


def _find_table(path: Path, root: Path) -> Path | None:
    """Return the table of events beside a recording: of the same name, and with onsets."""
    stem = path.name.split(".")[0]
    short = stem.removesuffix("_eeg").removesuffix("_raw")
    for name in dict.fromkeys((stem, short)):
        for ending in ("_events.tsv", "_events.csv", ".events.csv", ".tsv", ".csv"):
            file = path.with_name(name + ending)
            with named_errors(file):
                if not file.is_file():
                    continue
            check_inside(file, root)
            try:
                if "onset" in read_table(file):
                    return file
            except DataError:
                continue  # of something else
    return None


def _write_table(usable: list[Bare], guess: Guess) -> str:
    columns = [*guess.rows[0]] if guess.rows else ["subject", "session", "run"]
    columns.insert(3 + ("label" in columns), "events")
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    tables = any(recording.table for recording in usable)
    kept = [column for column in columns if column != "events" or tables]
    writer.writerow(["path", *kept])
    for recording, row in zip(usable, guess.rows, strict=True):
        known = row | {"events": recording.table}
        writer.writerow([recording.name, *(known[column] for column in kept)])
    return stream.getvalue()


def _describe(recordings: list[Bare]) -> str:
    lines = [f"{len(recordings)} recordings:"]
    for recording in recordings[:_SHOWN]:
        if recording.problem:
            lines.append(f"  {recording.name}: cannot be used: {recording.problem}")
            continue
        others = f" and {recording.n_other} other" if recording.n_other else ""
        place = {"table": recording.table, "stim": "its stimulus channel"}
        events = (
            f"{len(recording.events)} events in {place.get(recording.where, 'its annotations')}"
            if recording.where
            else recording.remark or "no events"
        )
        lines.append(
            f"  {recording.name}: {recording.n_eeg} EEG{others} channels, {recording.sfreq:g} Hz, "
            f"{recording.seconds:.5g} s, {events}"
        )
    if len(recordings) > _SHOWN:
        hidden = recordings[_SHOWN:]
        lines.append(f"  and {len(hidden)} more")
        lines += [
            f"  {recording.name}: cannot be used: {recording.problem}"
            for recording in hidden
            if recording.problem
        ]
    usable = [recording for recording in recordings if not recording.problem]
    for what, values in (
        ("sampling rates", Counter(f"{recording.sfreq:g} Hz" for recording in usable)),
        ("numbers of EEG channels", Counter(str(recording.n_eeg) for recording in usable)),
    ):
        if len(values) > 1:
            listed = ", ".join(f"{value} ({n})" for value, n in values.most_common())
            lines.append(f"  They differ in {what}: {listed}.")
    return "\n".join(lines)


def _durations(table: pd.DataFrame) -> list[float]:
    if "duration" not in table:
        return []
    numbers = pd.to_numeric(table["duration"], errors="coerce")
    return [float(number) for number in numbers if number > 0]


def _types(usable: list[Bare]) -> dict[str, tuple[int, int, list[float]]]:
    """Return for each type of event its count, the number of recordings, and its durations."""
    found: dict[str, tuple[int, int, list[float]]] = {}
    for recording in usable:
        if "trial_type" not in recording.events:
            continue
        for kind, table in recording.events.groupby("trial_type", sort=False):
            n, n_files, seconds = found.get(str(kind), (0, 0, []))
            found[str(kind)] = n + len(table), n_files + 1, seconds + _durations(table)
    return dict(sorted(found.items(), key=lambda item: (-item[1][0], item[0])))


def _describe_events(usable: list[Bare]) -> list[str]:
    types = _types(usable)
    if not types:
        return []
    lines = ["", "Types of events:"]
    for kind, (n, n_files, seconds) in list(types.items())[:_SHOWN]:
        if seconds:
            low, high = min(seconds), max(seconds)
            lasting = f"{low:.4g} s" if low == high else f"{low:.4g} to {high:.4g} s"
            if len(seconds) < n:
                lasting += f" ({n - len(seconds)} without a duration)"
        else:
            lasting = "without a duration"
        lines.append(f"  {show_names([kind])}: {n} in {n_files} recordings, {lasting}")
    if len(types) > _SHOWN:
        lines.append(f"  and {len(types) - _SHOWN} more types")
    return lines


def _describe_table(table: str, guess: Guess) -> str:
    lines = table.splitlines()
    shown = lines[: _SHOWN + 1] + (
        [f"... ({len(lines) - 1} rows)"] if len(lines) > _SHOWN + 1 else []
    )
    return "\n".join(
        [
            "",
            f"Proposed table ({TABLE}):",
            *(f"  {line}" for line in shown),
            "Guessed; please check:",
        ]
        + [f"  {sentence}" for sentence in guess.how]
    )


def _write_experiment(root: Path, usable: list[Bare], guess: Guess) -> str:
    """Return an experiment file that uses the table, with what has to be decided as comments."""
    data: dict[str, object] = {"source": "files", "root": str(root), "table": TABLE}
    said: list[str] = []
    types = _types(usable)
    labelled = any(row.get("label") for row in guess.rows)
    if labelled or not types:
        data |= {"trials": "fixed", "length": _length(usable)}
        if not labelled:
            said.append(
                "no class was found: add a column label to the table, or a table of trials to the "
                "column events"
            )
    else:
        often = [kind for kind, (n, _, _) in types.items() if n > 1] or list(types)
        timed = [kind for kind in often if types[kind][2]]
        chosen = (timed or often)[:_SHOWN]
        data["trial_types"] = chosen
        said.append("keep the types of events that are the classes")
        if not timed:
            data["tmax"] = _gap(usable, chosen)
            said.append("no event has a duration: set tmax, the length of a trial in seconds")
        if len(chosen) < 2:
            said.append("labels: task given needs two classes or more")
    text = yaml.safe_dump({"data": data}, sort_keys=False, default_flow_style=None, width=88)
    lines = [
        "name: my-experiment",
        *text.splitlines(),
        "labels: {task: given}",
        "model: {name: cnn_lstm}",
        *(f"# {sentence}" for sentence in said),
    ]
    head = "Experiment file to use it with (save it, then `eegemo check` it):"
    return "\n".join(["", head, *(f"  {line}" for line in lines)])


def _length(usable: list[Bare]) -> float:
    """Return a length of pieces of which each recording has a few."""
    shortest = min(recording.seconds for recording in usable)
    return _PIECE if shortest >= 3 * _PIECE else max(math.floor(shortest / 3), 1.0)


def _gap(usable: list[Bare], chosen: list[str]) -> float:
    """Return a length of trials that reaches no following event, as far as most of them go."""
    gaps: list[float] = []
    for recording in usable:
        own = recording.events[recording.events["trial_type"].isin(chosen)]
        onsets = sorted(pd.to_numeric(own["onset"], errors="coerce").dropna())
        gaps += [later - onset for onset, later in pairwise(onsets)]
    typical = statistics.quantiles(gaps, n=20)[0] if len(gaps) > 1 else (gaps or [1.0])[0]
    return float(f"{max(typical, 0.1):.2g}") if typical < 1 else float(math.floor(typical))
