"""What a data set holds, in the words that a person needs to write an experiment file."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from eegemo.datasets import RATINGS

__all__ = ["describe_events", "describe_signals", "describe_trials", "format_range"]

_SHOWN = 12  # values or columns named at most
_CELL = 24  # characters shown of a value
_FEW = 20  # different values that a column of classes has at most
_OTHER = ("subject", "session", "trial", "stimulus", "run", "trial_type", "n_times", "presentation")
_INTERNAL = ("bundle", "breaks", "duration", "onset", "sample")


def describe_trials(metadata: pd.DataFrame, durations: Sequence[float]) -> list[tuple[str, str]]:
    """Describe events, ratings and other columns of a table of trials.

    Parameters
    ----------
    metadata : DataFrame
        A row per trial, as in `eegemo.trials.Trials`.
    durations : sequence of float
        Of each trial, in seconds.

    Returns
    -------
    facts : list of (str, str)
        By topic: events, ratings, numbers, columns, stimuli.

    Examples
    --------
    >>> table = pd.DataFrame({"trial_type": ["joy", "fear", "joy"], "valence": [7.0, 2.5, np.nan]})
    >>> for topic, text in describe_trials(table, [4.0, 4.0, 6.0]):
    ...     print(topic, "|", text)
    events | fear 1 (4 s), joy 2 (4 to 6 s)
    ratings | valence 2.5 to 7 (1 missing)
    """
    facts = []
    seconds = np.asarray(durations, dtype=float)
    if "trial_type" in metadata and (metadata["trial_type"].astype(str) != "").any():
        kinds = metadata["trial_type"].astype(str)
        parts = []
        for kind in sorted(kinds.unique()):
            these = (kinds == kind).to_numpy()
            parts.append(f"{_cell(kind or 'n/a')} {these.sum()} ({format_range(seconds[these])} s)")
        facts.append(("events", _listed(parts)))
    ratings: list[str] = []
    measured: list[str] = []
    others = []
    for name in metadata.columns:
        if name in _OTHER or name in _INTERNAL:
            continue
        column = metadata[name]
        numbers = _numbers(column)
        if numbers is not None:
            missing = int(np.isnan(numbers).sum())
            text = f"{name} {format_range(numbers[~np.isnan(numbers)])}"
            listed = ratings if any(word in str(name).lower() for word in RATINGS) else measured
            listed.append(text + (f" ({missing} missing)" if missing else ""))
        else:
            counts = column.astype(str).value_counts(sort=False)
            if 1 < len(counts) <= _FEW:
                values = [
                    f"{_cell(str(value) or 'n/a')} {n}" for value, n in sorted(counts.items())
                ]
                others.append(f"{name}: {_listed(values)}")
    if ratings:
        facts.append(("ratings", _listed(ratings)))
    if measured:
        facts.append(("numbers", _listed(measured)))
    if others:
        facts.append(("columns", "; ".join(others[:_SHOWN])))
    if "stimulus" in metadata and (metadata["stimulus"].astype(str) != "").any():
        stimuli = metadata["stimulus"].astype(str)
        facts.append(("stimuli", f"{stimuli[stimuli != ''].nunique()} different"))
    return facts


def describe_events(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Describe the rows of tables of events as they stand, all of them text.

    Examples
    --------
    >>> rows = {"onset": ["1", "3", "9"], "duration": ["n/a", "0", "0.5"]}
    >>> table = pd.DataFrame({**rows, "trial_type": ["cue", "cue", "face"]})
    >>> describe_events(table)
    [('events', 'cue 2 (no duration), face 1 (0.5 s)')]
    """
    seconds = pd.to_numeric(table.get("duration", pd.Series("", index=table.index)), "coerce")
    seconds = seconds.where(seconds > 0)
    facts = []
    others = table.drop(columns=["onset", "duration"], errors="ignore")
    if "trial_type" in table:
        parts = []
        for kind in sorted(table["trial_type"].unique()):
            these = table["trial_type"] == kind
            lasting = seconds[these].dropna().to_numpy()
            length = f"{format_range(lasting)} s" if lasting.size else "no duration"
            parts.append(f"{_cell(kind or 'n/a')} {int(these.sum())} ({length})")
        facts.append(("events", _listed(parts)))
        others = others.drop(columns="trial_type")
    return facts + describe_trials(others, [0.0] * len(table))


def describe_signals(ch_names: Sequence[str], rates: Sequence[float]) -> list[tuple[str, str]]:
    """Describe channels and sampling rates.

    Examples
    --------
    >>> describe_signals(["Fz", "Cz"], [256.0, 512.0, 256.0])
    [('channels', '2 EEG: Fz, Cz'), ('rate', '256 Hz, 512 Hz')]
    """
    listed = ", ".join(f"{rate:g} Hz" for rate in sorted(set(rates)))
    return [("channels", f"{len(ch_names)} EEG: {', '.join(ch_names)}"), ("rate", listed)]


def _numbers(column: pd.Series) -> np.ndarray | None:
    """Return a column as numbers with NaN where there is none, or None if it holds other text."""
    if pd.api.types.is_bool_dtype(column):
        return None
    text = column.astype(object).where(column.notna(), "").astype(str).str.strip()
    empty = text.str.lower().isin(["", "n/a", "nan", "none"])
    numbers = pd.to_numeric(text.where(~empty), errors="coerce").to_numpy(dtype=float)
    if empty.all() or np.isnan(numbers[~empty.to_numpy()]).any():
        return None
    return numbers


def _cell(value: str) -> str:
    shown = ascii(value)[1:-1] if not value.isprintable() else value
    return shown if len(shown) <= _CELL else f"{shown[:_CELL]}..."


def format_range(values: np.ndarray) -> str:
    """Format the lowest and the highest of some numbers.

    Examples
    --------
    >>> format_range(np.array([2.0, 4.5])), format_range(np.array([3.0]))
    ('2 to 4.5', '3')
    """
    low, high = values.min(), values.max()
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def _listed(parts: Sequence[str]) -> str:
    more = len(parts) - _SHOWN
    return ", ".join(parts[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
