"""Counts, lists, p-values and intervals, formatted for readers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def data_name(data: Mapping[str, Any], *, remark: str = "simulated") -> str:
    """Name the data of a result, and mark simulated data.

    Parameters
    ----------
    data : mapping
        The entry ``data`` of ``provenance.json``. Older results without
        the title of the data set are named by their source.
    remark : str
        Added in parentheses to the name of simulated data.

    Examples
    --------
    >>> data_name({"title": "DEAP", "source": "deap", "simulated": True})
    'DEAP (simulated)'
    >>> data_name({"source": "bids", "simulated": False})
    'BIDS'
    >>> data_name({"source": "simulated", "simulated": True})
    'simulated data'
    """
    old = "simulated data" if data["source"] == "simulated" else str(data["source"]).upper()
    title = str(data.get("title") or old)
    named = title.startswith("simulated")
    return f"{title} ({remark})" if data["simulated"] and not named else title


def number_word(n: int) -> str:
    """Spell small numbers.

    Examples
    --------
    >>> number_word(4), number_word(32)
    ('four', '32')
    """
    return _NUMBERS[n] if 0 <= n < len(_NUMBERS) else str(n)


def count_of(n: int, unit: str) -> str:
    """Format a number of things, in the singular if there is one.

    Examples
    --------
    >>> count_of(1, "fold"), count_of(2000, "trial")
    ('1 fold', '2,000 trials')
    """
    return f"{n:,} {unit}{'s' if n != 1 else ''}"


def join_names(names: Iterable[str], last: str = "and") -> str:
    """Join names with commas and "and".

    Examples
    --------
    >>> join_names("abc"), join_names("ab", "or")
    ('a, b and c', 'a or b')
    """
    *first, final = names
    return f"{', '.join(first)} {last} {final}" if first else final


def format_p_value(test: Mapping[str, Any]) -> str:
    """Format a p-value with its relevant digits.

    Parameters
    ----------
    test : mapping
        Its ``p_value`` and ``n_permutations``; the smallest possible value is written as a bound.

    Examples
    --------
    >>> [format_p_value({"p_value": p, "n_permutations": 4999}) for p in (0.342, 0.0123, 0.0002)]
    ['p = 0.34', 'p = 0.012', 'p ≤ 0.0002']
    """
    p = test["p_value"]
    if p < 1.5 / (1 + test["n_permutations"]):
        return f"p ≤ {p:.1g}"
    digits = 2 if p >= 0.1 else 3 if p >= 0.01 else 4
    return f"p = {p:.{digits}f}"


def format_interval(level: Mapping[str, Any], kind: str, digits: int = 2) -> str:
    """Format a bootstrap interval, or state why there is none."""
    interval = level["significance"]["bootstrap"][kind]
    if interval is not None:
        return f"{interval[0]:.{digits}f} – {interval[1]:.{digits}f}"
    one_subject = kind == "subjects" and len(level["subjects"]) == 1
    if level["total"]["accuracy"] == 1 and not one_subject:
        return "not estimable: no error"
    return "–"


def describe_permutations(test: Mapping[str, Any]) -> str:
    """Describe how labels were permuted.

    Parameters
    ----------
    test : mapping
        Its ``n_blocks`` and ``n_joint``.

    Returns
    -------
    str
        A sentence or two.
    """
    blocks, joint = test["n_blocks"], test["n_joint"]
    within = "trial labels are permuted within each subject and session"
    if not joint:
        return f"In each draw {within}, independently of the others."
    text = (
        f"In each draw {within}, with the same order of stimuli for all, since subjects who saw "
        "the same stimuli do not have independent labels."
    )
    if joint < blocks:
        text += (
            f" {blocks - joint} of {count_of(blocks, 'block')} (a session of a subject) share no "
            "stimuli with others, repeat a stimulus, or have unknown stimuli, and are permuted "
            "independently."
        )
    return text
