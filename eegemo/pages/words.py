"""Counts, lists, p-values and intervals in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def data_name(data: Mapping[str, Any], *, remark: str = "simulated") -> str:
    """Name the data of a result, and say if they are simulated.

    Parameters
    ----------
    data : mapping
        The entry ``data`` of ``provenance.json``. Results of before data sets had titles are named
        by their source.
    remark : str
        What is said of simulated data under another name, in parentheses.

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


def some(n: int, unit: str) -> str:
    """Count things, in the singular if there is one.

    Examples
    --------
    >>> some(1, "fold"), some(2000, "trial")
    ('1 fold', '2,000 trials')
    """
    return f"{n:,} {unit}{'s' if n != 1 else ''}"


def listed(names: Iterable[str], last: str = "and") -> str:
    """Join names to a phrase.

    Examples
    --------
    >>> listed("abc"), listed("ab", "or")
    ('a, b and c', 'a or b')
    """
    *first, final = names
    return f"{', '.join(first)} {last} {final}" if first else final


def p_words(test: Mapping[str, Any]) -> str:
    """Write a p-value with the digits that matter.

    Parameters
    ----------
    test : mapping
        Its ``p_value`` and ``n_permutations``: the smallest value that so many can give is a bound.

    Examples
    --------
    >>> [p_words({"p_value": p, "n_permutations": 4999}) for p in (0.342, 0.0123, 0.0002)]
    ['p = 0.34', 'p = 0.012', 'p ≤ 0.0002']
    """
    p = test["p_value"]
    if p < 1.5 / (1 + test["n_permutations"]):
        return f"p ≤ {p:.1g}"
    digits = 2 if p >= 0.1 else 3 if p >= 0.01 else 4
    return f"p = {p:.{digits}f}"


def interval_words(level: Mapping[str, Any], kind: str, digits: int = 2) -> str:
    """Write a bootstrap interval, or why there is none."""
    interval = level["significance"]["bootstrap"][kind]
    if interval is not None:
        return f"{interval[0]:.{digits}f} – {interval[1]:.{digits}f}"
    one_subject = kind == "subjects" and len(level["subjects"]) == 1
    if level["total"]["accuracy"] == 1 and not one_subject:
        return "not estimable: no error"
    return "–"


def shuffling(test: Mapping[str, Any]) -> str:
    """Say how labels were shuffled.

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
    within = "the labels of whole trials are shuffled within each subject and session"
    if not joint:
        return f"In each draw {within}, each on its own."
    text = (
        f"In each draw {within}, in the same order of stimuli for all: subjects who saw the same "
        "stimuli do not have independent labels."
    )
    if joint < blocks:
        text += (
            f" {blocks - joint} of {some(blocks, 'block')} (a subject's session) share no stimuli "
            "with others, have one twice, or do not know them, and are shuffled on their own."
        )
    return text
