"""Classes that a column names, under names of one's own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from eegemo.errors import DataError
from eegemo.labels.columns import (
    as_texts,
    describe_columns,
    find_column,
    quote,
    suggest_classes,
    suggest_name,
)
from eegemo.labels.options import listed_values, spell

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["given_codes"]

#: The column where BIDS puts the kind of an event.
_DEFAULT = "trial_type"
_MOST_SHOWN = 12


def given_codes(
    metadata: pd.DataFrame,
    *,
    column: str | None,
    rename: Mapping[str, Any] | None,
    classes: Sequence[str] | None,
) -> tuple[np.ndarray, tuple[str, ...], dict[str, int]]:
    """Return the code of each trial, the classes, and the number of trials without one.

    Raises
    ------
    DataError
        If there is no such column, no such value, or fewer than two classes; or if values differ
        only in case or blanks.
    """
    name = _DEFAULT if column is None else column
    found = find_column(metadata, name)
    if found is None:
        near = suggest_name(name, map(str, metadata.columns))
        why = (
            "task 'given' needs classes named by the recording (trial_type in events.tsv), and "
            "there are none."
            if column is None
            else f"no column is called {quote(column)} (labels.column).{near}"
        )
        raise _refused(metadata, why)
    texts = as_texts(metadata[found])
    if not any(texts):
        raise _refused(metadata, f"no trial has a {found}, so there are no classes.")
    texts = _renamed(texts, rename or {}, found)
    counts = Counter(text for text in texts.tolist() if text)
    chosen = list(counts) if classes is None else [text.strip() for text in classes]
    _refuse_spellings(counts, chosen, {*(classes or ()), *(rename or ())}, found)
    names = tuple(sorted(chosen) if classes is None else chosen)
    if len(set(names)) != len(names) or len(names) < 2:
        raise _refused(
            metadata,
            f"at least two different classes are needed; found {list(names)} in the column "
            f"{found}.",
            without=found,
        )
    absent = [text for text in names if text not in counts]
    if absent:
        near = suggest_name(absent[0], counts)
        raise DataError(
            f"labels: no trial has the class {' or '.join(map(quote, absent))} in the column "
            f"{found}.{near} There are {_listed(counts)}."
        )
    numbers = {text: code for code, text in enumerate(names)}
    codes = np.array([numbers.get(text, -1) for text in texts], dtype=np.int64)
    missing = texts == ""
    dropped = {
        "missing": int(missing.sum()),
        "tie": 0,
        "ambiguous": 0,
        "excluded": int(((codes < 0) & ~missing).sum()),
    }
    return codes, names, dropped


def _refused(metadata: pd.DataFrame, why: str, *, without: str = "") -> DataError:
    """Return an error that says where classes may be."""
    likely = [name for name in suggest_classes(metadata) if name != without]
    write = f" Write labels: {{column: {quote(likely[0])}}}." if likely else ""
    columns = describe_columns(metadata, first=likely)
    return DataError(f"labels: {why} The columns are {columns}.{write}")


def _renamed(texts: np.ndarray, rename: Mapping[str, Any], column: str) -> np.ndarray:
    """Return the values under their new names; a value that is not listed keeps its own."""
    present = Counter(text for text in texts.tolist() if text)
    new: dict[str, str] = {}
    for name in rename:
        for value in listed_values(rename, name):
            fitting = [text for text in present if _is_value(text, value)]
            if not fitting:
                near = suggest_name(spell(value), present)
                raise DataError(
                    f"labels.rename: no trial has the value {quote(spell(value))} in the column "
                    f"{column}.{near} There are {_listed(present)}."
                )
            for text in fitting:
                if new.setdefault(text, name.strip()) != name.strip():
                    raise DataError(
                        f"labels.rename: {quote(text)} is in two classes, {quote(new[text])} and "
                        f"{quote(name)}; leave it out of one of them."
                    )
    return np.array([new.get(text, text) for text in texts.tolist()], dtype=object)


def _is_value(text: str, value: Any) -> bool:
    """Return whether a cell holds a value; a number may be spelled in another way: 4.0 for 4."""
    if isinstance(value, str):
        return text == value.strip()
    try:
        return float(text) == float(value)
    except ValueError:
        return False


def _refuse_spellings(
    counts: Mapping[str, int], chosen: Sequence[str], named: set[str], column: str
) -> None:
    """Refuse values that differ only in case or blanks, unless each was named by the user."""
    from eegemo.datasets.tables import find_near_misses

    groups = [
        sorted(group, key=lambda text: -counts[text])
        for group in find_near_misses(counts)
        if not named.issuperset(group) and not set(chosen).isdisjoint(group)
    ]
    if groups:
        told = "; ".join(
            ", ".join(f"'{text}' ({counts[text]})" for text in group) for group in groups
        )
        merged = ", ".join(
            f"{quote(group[0])}: [{', '.join(map(quote, group[1:]))}]" for group in groups
        )
        raise DataError(
            f"labels: values of the column {column} differ only in case or blanks (trials): "
            f"{told}. If they are the same class, write labels: {{rename: {{{merged}}}}}; if not, "
            "name each of them in labels.classes."
        )


def _listed(counts: Mapping[str, int]) -> str:
    shown = [f"{quote(text)} ({n})" for text, n in counts.items()][:_MOST_SHOWN]
    return ", ".join([*shown, "..."] if len(counts) > len(shown) else shown)
