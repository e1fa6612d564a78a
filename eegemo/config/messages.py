"""Error messages about an experiment file."""

import difflib
import math
import re
from collections.abc import Sequence
from typing import Any, get_args

from pydantic import BaseModel

from eegemo.config.strict_yaml import Location

__all__ = ["describe", "explain"]

#: Type of pydantic's error -> what was expected.
_EXPECTED = {
    "float_type": "a number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "string_type": "a text",
    "bool_type": "true or false",
    "list_type": "a list",
    "model_type": "a section of keys",
    "model_attributes_type": "a section of keys",
    "dict_type": "a section of keys",
    "finite_number": "a finite number",
}


def explain(problems: Sequence[Any], location: Location, experiment: type[BaseModel]) -> str:
    """Format the errors about a value as one message.

    Parameters
    ----------
    problems : sequence of dict
        Pydantic's errors at this location.
    location : tuple of str and int
    experiment : type of BaseModel
        The class that the file was read as, which defines the keys.
    """
    where = ".".join(map(str, location)) or "experiment"
    problem = problems[0]  # there are several if alternatives were tried
    kind, given = problem["type"], problem["input"]
    if kind == "unresolved":  # the registry's message lists the possible names
        return str(problem["msg"])
    if kind == "extra_forbidden":
        known = _known_keys(location[:-1], experiment)
        near = difflib.get_close_matches(str(location[-1]), known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}."
        return f"{where}: there is no such key; {hint}"
    if kind == "missing":
        return f"{where}: this key is missing."
    if kind == "value_error":
        return f"{where}: {problem['ctx']['error']}."
    if kind == "string_pattern_mismatch":
        return (
            f"{where}: letters, digits, '.', '_' and '-' only, at most 80; found {describe(given)}."
        )
    expected = " or ".join(dict.fromkeys(_expected(problem) for problem in problems))
    kinds = {problem["type"] for problem in problems}
    plain = _number(given, whole="float_type" not in kinds)
    if kinds & {"float_type", "int_type"} and plain is not None:
        return (
            f"{where}: expected {expected}, found the text {given!r} (in YAML a number in quotes, "
            f"or with an exponent but no point, is text); write {plain!r}."
        )
    choices = re.findall(r"'([^']*)'", expected)
    near = difflib.get_close_matches(given, choices, n=1) if isinstance(given, str) else []
    hint = f"; did you mean {near[0]!r}?" if near else "."
    return f"{where}: expected {expected}, found {describe(given)}{hint}"


def _expected(problem: Any) -> str:
    kind, context = problem["type"], problem.get("ctx", {})
    if kind == "literal_error":
        return str(context["expected"])
    if kind in ("too_short", "too_long"):
        bound = context.get("min_length", context.get("max_length"))
        return f"a list of at {'least' if kind == 'too_short' else 'most'} {bound}"
    if kind in _EXPECTED:
        return _EXPECTED[kind]
    message = str(problem["msg"]).removeprefix("Input should be ")
    return message if message.startswith(("a ", "an ")) else f"a value {message}"


def _known_keys(location: Location, kind: type[BaseModel]) -> list[str]:
    """Return the keys at a location."""
    for part in location:
        annotation = kind.model_fields[str(part)].annotation
        sections = (annotation, *get_args(annotation))  # a section that may be null is a union
        kind = next(s for s in sections if isinstance(s, type) and issubclass(s, BaseModel))
    return list(kind.model_fields)


def _number(given: Any, *, whole: bool) -> int | float | None:
    """Return the number that a text spells, if it does."""
    try:
        number = float(given) if isinstance(given, str) else math.nan
    except ValueError:
        return None
    if not math.isfinite(number) or (whole and not number.is_integer()):
        return None
    return int(number) if whole else number


def describe(value: Any) -> str:
    """Describe a value, shortened to a readable length."""
    if value is None:
        return "nothing"
    names = {str: "the text", bool: "", int: "", float: "", list: "the list", dict: "a section"}
    noun = names.get(type(value), "")
    if isinstance(value, dict):
        return noun
    shown = repr(value)
    return f"{noun} {shown if len(shown) <= 60 else shown[:57] + '...'}".strip()
