"""Columns of the metadata of trials: finding them, their values, and what to say of them."""

from __future__ import annotations

import difflib
import math
import re
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from eegemo.errors import DataError
from eegemo.labels.options import spell

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "as_numbers",
    "as_texts",
    "describe_columns",
    "find_column",
    "name_trial",
    "quote",
    "suggest_classes",
    "suggest_ratings",
]

#: Columns of eegemo's own, which tell nothing about classes.
_INTERNAL = ("n_times", "bundle", "breaks", "presentation")
#: Columns that identify a trial or say when it was: known, and hardly ever classes.
_KNOWN = ("subject", "session", "run", "trial", "stimulus", "onset", "duration", "sample")
#: In a class' name for a column, the likeliest first.
_WORDS = ("emotion", "label", "class", "categ", "condition", "value", "type", "group")
#: Beginnings of the names of rating columns.
_BEGINNINGS = {"valence": ("val", "vlnc"), "arousal": ("aro", "arsl")}
_MOST_COLUMNS, _MOST_EXAMPLES, _MOST_CLASSES = 12, 3, 20
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_NO_NUMBER = ("na", "none", "null")


def find_column(metadata: pd.DataFrame, name: str) -> str | None:
    """Find a column by its name, whatever its case, or by the part after its point.

    Parameters
    ----------
    metadata : DataFrame
    name : str
        As ``emotion``, ``participants.group`` or, for the same column, ``group``.

    Returns
    -------
    column : str or None
        None if there is no such column.

    Raises
    ------
    DataError
        If several columns are meant.

    Examples
    --------
    >>> import pandas as pd
    >>> find_column(pd.DataFrame(columns=["Emotion", "participants.group"]), "group")
    'participants.group'
    """
    columns = [str(column) for column in metadata.columns]
    wanted = name.strip()
    if wanted in columns:
        return wanted
    folded = wanted.casefold()
    ends = {column: column.rpartition(".")[2] for column in columns if "." in column}
    for fitting in (
        [column for column in columns if column.casefold() == folded],
        [column for column, end in ends.items() if end == wanted],
        [column for column, end in ends.items() if end.casefold() == folded],
    ):
        if len(fitting) > 1:
            raise DataError(
                f"labels: the column {name!r} may be {' or '.join(map(quote, fitting))}; write "
                "which of them."
            )
        if fitting:
            return fitting[0]
    return None


def as_texts(column: pd.Series) -> np.ndarray:
    """Return the values of a column as text, "" where there is none.

    Examples
    --------
    >>> import pandas as pd
    >>> as_texts(pd.Series(["joy ", "n/a", None, 2.0], dtype=object)).tolist()
    ['joy', '', '', '2']
    """
    from eegemo.datasets.tables import is_missing

    texts = ["" if value is None or value != value else spell(value) for value in _plain(column)]
    return np.array(["" if is_missing(text) else text for text in texts], dtype=object)


def _plain(column: pd.Series) -> list[Any]:
    """Return the values of a column, None where there is none."""
    return column.astype(object).where(column.notna().to_numpy(bool), None).tolist()


def as_numbers(metadata: pd.DataFrame, column: str, meaning: str) -> np.ndarray:
    """Return the values of a column as numbers, NaN where there is none.

    Parameters
    ----------
    metadata : DataFrame
    column : str
    meaning : str
        What the numbers are, for the message.

    Raises
    ------
    DataError
        If a value is neither a number nor missing.
    """
    numbers = np.full(len(metadata), np.nan)
    wrong: list[int] = []
    for row, text in enumerate(as_texts(metadata[column])):
        number = _number(text)
        if number is not None:
            numbers[row] = number
        elif text and text.lower() not in _NO_NUMBER:
            wrong.append(row)
    if wrong:
        text = as_texts(metadata[column])[wrong[0]]
        comma = re.fullmatch(r"[+-]?\d+,\d+", text)
        hint = f" Write {text.replace(',', '.')}, with a decimal point." if comma else ""
        if np.isnan(numbers).all():
            hint = f" If its values are classes, write labels: {{column: {quote(column)}}}."
        others = f"; {len(wrong)} such values" if len(wrong) > 1 else ""
        raise DataError(
            f"labels: the {meaning} must be a number or n/a; found {quote(text)} in the column "
            f"{column!r} ({name_trial(metadata, wrong[0])}{others}).{hint}"
        )
    return numbers


def _number(text: str) -> float | None:
    """Return the number that a text spells; ``float`` alone would take 1_0 and nan."""
    if text.lower() in ("inf", "-inf"):
        return math.inf if text.lower() == "inf" else -math.inf
    return float(text) if _NUMBER.fullmatch(text) else None


def name_trial(metadata: pd.DataFrame, row: int) -> str:
    """Return the words that identify a trial, such as ``subject 01, trial 3``."""
    about = metadata.iloc[row]
    if "trial" not in metadata:
        return f"row {row}"
    words = [f"subject {about['subject']}"] if "subject" in metadata else []
    several = [key for key in ("session", "run") if key in metadata and len(set(metadata[key])) > 1]
    words += [f"{key} {about[key]}" for key in several]
    return ", ".join([*words, f"trial {about['trial']}"])


def quote(value: Any) -> str:
    """Return a value from a file as it may be shown and be written in a list of YAML.

    Examples
    --------
    >>> print(quote("joy"), quote("very happy"), quote("4"), quote("no"), quote("a, b"))
    joy very happy '4' 'no' 'a, b'
    """
    text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(value)[:41])
    text = f"{text[:40]}..." if len(text) > 40 else text
    word = re.fullmatch(r"[^\W\d][\w./-]*( [\w./-]+)*", text)
    known = text.lower() in ("true", "false", "yes", "no", "on", "off", "y", "n", "null")
    return text if word and not known else "'" + text.replace("'", "''") + "'"


def describe_columns(metadata: pd.DataFrame, *, first: Iterable[str] = ()) -> str:
    """List the columns that there are, with examples of their values.

    Parameters
    ----------
    metadata : DataFrame
    first : iterable of str
        Columns to begin with.

    Examples
    --------
    >>> import pandas as pd
    >>> describe_columns(pd.DataFrame({"trial": [1, 2], "value": ["joy", "awe"], "run": ["", ""]}))
    'value (joy, awe), trial (1, 2), run (empty)'
    """
    columns = [str(column) for column in metadata.columns if column not in _INTERNAL]
    # the keys of trials come last: nobody looks for them
    rest = sorted(columns, key=lambda column: column in _KNOWN)
    order = dict.fromkeys([*first, *rest])
    shown = [f"{name} ({_examples(metadata[name])})" for name in [*order][:_MOST_COLUMNS]]
    more = len(order) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _examples(column: pd.Series) -> str:
    texts = [text for text in as_texts(column) if text]
    if not texts:
        return "empty"
    numbers = [_number(text) for text in texts]
    values = list(dict.fromkeys(texts))
    if len(values) > _MOST_EXAMPLES and all(number is not None for number in numbers):
        plain = [number for number in numbers if number is not None]
        return f"{min(plain):g} to {max(plain):g}"
    shown = [quote(value).strip("'") for value in values[:_MOST_EXAMPLES]]
    return ", ".join([*shown, "..."] if len(values) > len(shown) else shown)


def suggest_classes(metadata: pd.DataFrame) -> list[str]:
    """Return the columns that may name classes, the likeliest first: few values, repeated."""
    found: list[tuple[int, str]] = []
    for name in map(str, metadata.columns):
        if name in _KNOWN or name in _INTERNAL:
            continue
        counts = Counter(text for text in as_texts(metadata[name]) if text)
        numbers = [_number(text) for text in counts]
        measured = any(number is not None and number % 1 for number in numbers)
        repeated = sum(n > 1 for n in counts.values())
        if 2 <= len(counts) <= _MOST_CLASSES and not measured and 2 * repeated >= len(counts):
            words = [rank for rank, word in enumerate(_WORDS) if word in name.casefold()]
            found.append((min(words, default=len(_WORDS)), name))
    return [name for _, name in sorted(found, key=lambda pair: pair[0])]


def suggest_ratings(metadata: pd.DataFrame, dimension: str) -> list[str]:
    """Return the columns of numbers that may hold ratings of a dimension."""
    found = []
    for name in map(str, metadata.columns):
        words = re.split(r"[\W_]+", name.casefold())
        begins = any(
            word.startswith(_BEGINNINGS[dimension]) and not word.startswith("value")
            for word in words
        )
        texts = [text for text in as_texts(metadata[name]) if text] if begins else []
        if texts and all(_number(text) is not None for text in texts):
            found.append(name)
    return found


def suggest_name(name: str, names: Iterable[str]) -> str:
    """Return a question for the nearest of the names, with a blank before it, or nothing."""
    listed = list(names)
    folded = {other.casefold(): other for other in reversed(listed)}
    near = difflib.get_close_matches(name.casefold(), folded, n=1)
    return f" Did you mean {quote(folded[near[0]])}?" if near else ""
