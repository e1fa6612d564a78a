"""The records of a result folder, read and checked.

Every entry that reports and comparisons use from ``experiment.yaml``, ``provenance.json`` and
``fold.json`` is listed here once, with its type, and checked before any computation.
"""

from __future__ import annotations

import json
import math
import reprlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from eegemo.errors import ResultError

_CANDIDATE = ("loss", "balanced_accuracy")
_HISTORY = ("epoch", "loss", "accuracy")
_HISTORY_MAY_LACK = ("val_loss", "val_accuracy")
_ROLES = ("train", "validation", "test")
_ABSENT = object()


@dataclass(frozen=True)
class Kind:
    """A type of entry: its name in messages, a check, and whether it may be absent or null."""

    words: str
    fits: Callable[[Any], bool]
    optional: bool = False


def _is_text(value: Any) -> bool:
    # a lone surrogate is a str, but cannot be encoded for a page
    return isinstance(value, str) and not any("\ud800" <= c <= "\udfff" for c in value)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63


def _is_count(value: Any) -> bool:
    return _is_whole(value) and value >= 0


def _is_number(value: Any) -> bool:
    return _is_whole(value) or (isinstance(value, float) and math.isfinite(value))


def _are_counts(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_count, value.values()))


def _are_counts_by_subject(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_are_counts, value.values()))


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_candidate(value: Any) -> bool:
    scores = isinstance(value, dict) and all(_is_number(value.get(name)) for name in _CANDIDATE)
    settings = value.get("settings") if scores else None
    return isinstance(settings, dict) and bool(settings) and all(map(_is_text, settings))


def _is_choice(value: Any) -> bool:
    if not isinstance(value, dict) or value.get("metric") not in _CANDIDATE:
        return False
    candidates, chosen = value.get("candidates"), value.get("chosen")
    if not isinstance(candidates, list) or not all(map(_is_candidate, candidates)):
        return False
    return _is_whole(chosen) and chosen in range(len(candidates))


def _are_costs(value: Any) -> bool:
    return isinstance(value, dict) and all(v is None or _is_number(v) for v in value.values())


_TEXT = Kind("text", _is_text)
_TEXT_OR_NULL = Kind("text or null", lambda value: value is None or _is_text(value))
_WHOLE = Kind("a whole number", _is_whole)
_COUNT = Kind("a count", _is_count)
_NUMBER = Kind("a number", _is_number)
_FLAG = Kind("true or false", lambda value: isinstance(value, bool))
_TEXTS = Kind("a list of text", _are_texts)
_COUNTS = Kind("a count for each name", _are_counts)
_BY_SUBJECT = Kind("counts for each subject", lambda v: bool(v) and _are_counts_by_subject(v))

EXPERIMENT = {"name": Kind("text or nothing", _is_text, optional=True)}

PROVENANCE = {
    **dict.fromkeys(("eegemo", "python", "platform", "backend", "device"), _TEXT),
    **dict.fromkeys(("started", "finished"), _TEXT),
    **dict.fromkeys(("wall_seconds", "peak_memory_bytes"), _NUMBER),
    **dict.fromkeys(("jobs", "seed"), _WHOLE),
    "git_commit": _TEXT_OR_NULL,
    "versions": Kind("entries with names", lambda value: isinstance(value, dict)),
    **{f"digests.{what}": _TEXT for what in ("experiment", "data", "labels", "folds")},
    "data.source": _TEXT,
    "data.title": Kind("text or nothing", _is_text, optional=True),
    "data.simulated": _FLAG,
    "data.subjects": _TEXTS,
    "data.channels": Kind("a list of text or nothing", _are_texts, optional=True),
    **{f"data.n_{what}": _COUNT for what in ("trials", "windows", "channels")},
    **{f"data.{what}": _NUMBER for what in ("sfreq", "window_duration", "window_stride")},
    "labels.classes": _TEXTS,
    "labels.trials": _COUNTS,
    "labels.windows": _COUNTS,
    **{f"labels.dropped.{why}": _COUNT for why in ("missing", "tie", "ambiguous", "excluded")},
    "labels.dropped": _COUNTS,
    "labels.by_subject": _BY_SUBJECT,
    "split.group": _TEXT,
    "split.within": _TEXT_OR_NULL,
    "split.n_folds": _COUNT,
    "split.leaks": _FLAG,
    "split.sentence": _TEXT,
    "split.constant_over": Kind("a list of text or nothing", _are_texts, optional=True),
    "model.name": _TEXT,
    "model.title": Kind("text or nothing", _is_text, optional=True),
    "model.n_parameters": Kind("a count or null", lambda v: v is None or _is_count(v)),
    "notes": Kind("a list of text or nothing", _are_texts, optional=True),
    "repeats": Kind("a count or nothing", _is_count, optional=True),
}

FOLD = {
    "fold": _COUNT,
    "name": _TEXT,
    "seed": _WHOLE,
    **{f"n_windows.{role}": _COUNT for role in ("train", "validation", "test")},
    "windows.train": _COUNTS,
    "train_windows_by_subject": Kind(
        "counts for each subject or nothing", _are_counts_by_subject, optional=True
    ),
    **{f"shared.{u}": _COUNT for u in ("window", "trial", "session", "subject", "stimulus")},
    "shared": _COUNTS,
    "epochs": _COUNT,
    "best_epoch": _COUNT,
    "seconds.fit": _NUMBER,
    "seconds.predict": _NUMBER,
    "repeat": Kind("a count or nothing", _is_count, optional=True),
    "cost": Kind("a number for each name or nothing", _are_costs, optional=True),
    "choice": Kind(
        "a metric, candidates with settings and scores, and the one chosen, or nothing",
        _is_choice,
        optional=True,
    ),
}


def check_record(record: Mapping[str, Any], kinds: Mapping[str, Kind], source: Path) -> None:
    """Check that every used entry exists and has its type.

    Parameters
    ----------
    record : mapping
        The content of a file.
    kinds : mapping of str to Kind
        Expected types, by path: "data.sfreq" is the entry ``sfreq`` of the entry ``data``.
    source : Path
        The file, named in the message.

    Raises
    ------
    ResultError
        The message names the file, the entry, what was expected and what was found.

    Examples
    --------
    >>> check_record({"seconds": {"fit": "long"}}, {"seconds.fit": FOLD["seconds.fit"]}, Path("f"))
    Traceback (most recent call last):
    eegemo.errors.ResultError: f: expected a number as 'seconds.fit', found 'long'.
    """
    for where, kind in kinds.items():
        value: Any = record
        *above, last = where.split(".")
        for depth, key in enumerate(above, start=1):
            value = value.get(key, _ABSENT)
            if not isinstance(value, dict):
                raise _misfit(source, "entries with names", ".".join(above[:depth]), value)
        value = value.get(last, _ABSENT)
        if kind.fits(value) or (kind.optional and (value is _ABSENT or value is None)):
            continue
        raise _misfit(source, kind.words, where, value)


def _misfit(source: Path, words: str, where: str, value: Any) -> ResultError:
    found = "no such entry" if value is _ABSENT else reprlib.repr(value)
    return ResultError(f"{source}: expected {words} as '{where}', found {found}.")


def read_json(path: Path, kinds: Mapping[str, Kind]) -> dict[str, Any]:
    """Read a JSON object and check its entries; ResultError if it is not valid."""
    try:
        content = json.loads(_read_text(path))
        # names of entries are shown as well, so they must be text that can be encoded
        json.dumps(content, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        if isinstance(error, ResultError):
            raise
        raise ResultError(f"{path}: cannot be read as JSON ({_brief(error)}).") from error
    if not isinstance(content, dict):
        raise ResultError(f"{path}: expected a JSON object, found {reprlib.repr(content)}.")
    check_record(content, kinds, path)
    return content


def read_experiment(path: Path) -> tuple[dict[str, Any], str]:
    """Read an experiment file, as entries and as text; ResultError if it is not valid."""
    text = _read_text(path)
    try:
        content = yaml.safe_load(text)
    # the YAML reader raises ValueError for an impossible date
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ResultError(f"{path}: cannot be read as YAML ({_brief(error)}).") from error
    if not isinstance(content, dict):
        raise ResultError(f"{path}: expected sections, found {reprlib.repr(content)}.")
    check_record(content, EXPERIMENT, path)
    return content, text


def read_history(path: Path) -> pd.DataFrame:
    """Read the training history of a fold; columns of validation may be absent or empty."""
    fold = path.parent.name
    if not path.is_file():
        raise ResultError(f"{path}: fold {fold} has no training history.")
    try:
        history = pd.read_csv(path)
    except OSError as error:
        raise _unreadable(path, error) from error
    except ValueError as error:
        raise ResultError(f"{path}: cannot be read as a CSV table ({_brief(error)}).") from error
    lost = [name for name in _HISTORY if name not in history or history[name].isna().all()]
    if lost or history.empty:
        raise ResultError(
            f"{path}: fold {fold} has no complete training history "
            f"(missing: {', '.join(lost) or 'every epoch'})."
        )
    for name in (*_HISTORY, *_HISTORY_MAY_LACK):
        if name in history and not pd.api.types.is_any_real_numeric_dtype(history[name]):
            raise ResultError(
                f"{path}: expected numbers in the column {name}, found "
                f"{reprlib.repr(history[name].iloc[0])}."
            )
    return history


def read_split(path: Path, number: int) -> pd.DataFrame:
    """Read the role of each row in a fold, from the table of all folds."""
    column = f"fold_{number}"
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except FileNotFoundError as error:
        raise ResultError(f"{path}: expected a file of the result, found none.") from error
    except OSError as error:
        raise _unreadable(path, error) from error
    except ValueError as error:
        raise ResultError(f"{path}: cannot be read as a CSV table ({_brief(error)}).") from error
    if column not in table or not table[column].isin([*_ROLES, ""]).all():
        raise ResultError(f"{path}: expected {', '.join(_ROLES)} or nothing in a column {column}.")
    about = [name for name in table if not str(name).startswith("fold_")]
    return table[about].assign(role=table[column].where(table[column] != "", None))


def read_roles(path: Path, numbers: Sequence[int]) -> pd.DataFrame | None:
    """Read the role of each trial in all folds; None if the table has a row per window."""
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise ResultError(f"{path}: cannot be read as a CSV table ({_brief(error)}).") from error
    columns = [f"fold_{number}" for number in numbers]
    lost = [name for name in ("subject", "stimulus", *columns) if name not in table]
    if lost or not table[columns].isin([*_ROLES, ""]).all(axis=None):
        raise ResultError(f"{path}: expected {', '.join(_ROLES)} or nothing for every fold.")
    return None if "start" in table else table[["subject", "stimulus", *columns]]


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ResultError(f"{path}: expected a file of the result, found none.") from error
    except OSError as error:
        raise _unreadable(path, error) from error
    except UnicodeDecodeError as error:
        raise ResultError(
            f"{path}: expected text in UTF-8, found the byte 0x{error.object[error.start]:02x} at "
            f"position {error.start}."
        ) from error


def _unreadable(path: Path, error: OSError) -> ResultError:
    return ResultError(f"{path}: cannot be read ({error.strerror or error}).")


def _brief(error: Exception) -> str:
    """Shorten the message of a reader to one line."""
    return " ".join(str(error).split())[:120].rstrip(".") or type(error).__name__
