"""Options of labels that follow from each other, or contradict each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from numbers import Integral, Real
from typing import Any

__all__ = ["complete_options", "find_contradiction", "listed_values", "middle_of", "spell"]


def middle_of(scale: Sequence[float]) -> float:
    """Return the middle of a scale.

    Examples
    --------
    >>> middle_of([0, 100])
    50.0
    """
    return (float(scale[0]) + float(scale[1])) / 2


def complete_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Add what the written keys of the section `labels` imply.

    Parameters
    ----------
    options : mapping
        The keys as they are written, not checked yet.

    Returns
    -------
    options : dict
        With `task` ``given`` where a column or a renaming of classes is named, and with the middle
        of `scale` as `threshold`, where these two keys are not written.

    Examples
    --------
    >>> complete_options({"column": "emotion"})
    {'column': 'emotion', 'task': 'given'}
    >>> complete_options({"task": "valence", "scale": [0, 100]})
    {'task': 'valence', 'scale': [0, 100], 'threshold': 50.0}
    """
    completed = dict(options)
    names_classes = completed.get("column") is not None or completed.get("rename") is not None
    if names_classes and "task" not in completed:
        completed["task"] = "given"
    scale = completed.get("scale")
    if scale is not None and "threshold" not in completed and _is_scale(scale):
        completed["threshold"] = middle_of(scale)
    return completed


def _is_scale(scale: Any) -> bool:
    return (
        isinstance(scale, list | tuple)
        and len(scale) == 2
        and all(type(end) in (int, float) and isfinite(end) for end in scale)
    )


def find_contradiction(options: Mapping[str, Any]) -> str | None:
    """Return what is wrong with options that are right one by one; None if nothing is.

    Parameters
    ----------
    options : mapping
        Of `make_labels`, all of them.

    Examples
    --------
    >>> print(find_contradiction({"scale": [0, 100], "threshold": 500.0}))
    threshold 500 lies outside the scale 0 to 100; without it, the middle of the scale is used
    """
    task = options.get("task")
    for key in ("column", "rename"):
        if options.get(key) is not None and task != "given":
            return (
                f"{key} is about classes that the recordings or a table name, so task is 'given'; "
                f"found task {task!r}. Leave out one of the two (ratings are named by valence and "
                "arousal)"
            )
    scale, threshold = options.get("scale"), options.get("threshold")
    if scale is not None:
        low, high = scale
        if not low < high:
            return f"scale must be the lowest and the highest rating; found {low:g} and {high:g}"
        if isinstance(threshold, int | float) and not low <= threshold <= high:
            return (
                f"threshold {threshold:g} lies outside the scale {low:g} to {high:g}; without it, "
                "the middle of the scale is used"
            )
    rename = options.get("rename")
    return _find_contradiction_of(rename) if rename is not None else None


def _find_contradiction_of(rename: Mapping[str, Any]) -> str | None:
    owners: dict[str, str] = {}
    for name in rename:
        if not name.strip():
            return "rename: a class needs a name; found an empty text"
        values = listed_values(rename, name)
        if not values:
            return f"rename: the class {name!r} has no values; expected a list of them"
        for value in map(spell, values):
            if owners.setdefault(value, name) != name:
                return (
                    f"rename puts {value!r} into two classes, {owners[value]!r} and {name!r}; "
                    "leave it out of one of them"
                )
    return None


def listed_values(rename: Mapping[str, Any], name: str) -> list[str | int | float]:
    """Return the values of a class of `rename`; a single value may stand without a list."""
    values = rename[name]
    return list(values) if isinstance(values, list | tuple) else [values]


def spell(value: Any) -> str:
    """Return a value of a cell as text; a whole number has no point.

    Examples
    --------
    >>> spell(4.0), spell(4), spell(" joy "), spell(2.5)
    ('4', '4', 'joy', '2.5')
    """
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, Real) and not isinstance(value, Integral):
        return f"{float(value):.10g}"
    return str(value)
