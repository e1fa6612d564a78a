"""Complaints about an experiment file, in words a person can act on."""

import difflib
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from eegemo.config.sections import (
    MODEL_NAMES,
    BandPowerSection,
    BidsData,
    ChoiceSection,
    DeapData,
    Experiment,
    ModelSection,
    SimulatedData,
    model_name_of,
    source_of,
)
from eegemo.config.strict_yaml import Place

__all__ = ["explain", "say"]

#: Pydantic's kind of error -> what was expected, in words.
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


def explain(problems: Sequence[Any], place: Place, content: Mapping[str, Any]) -> str:
    """Put the complaints about one value in one sentence."""
    where = ".".join(map(str, place)) or "experiment"
    problem = problems[0]  # there are several where alternatives were tried
    kind, given = problem["type"], problem["input"]
    if kind == "extra_forbidden":
        known = _known_keys(place[:-1], content)
        near = difflib.get_close_matches(str(place[-1]), known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}."
        return f"{where}: there is no such key; {hint}"
    if kind == "missing":
        return f"{where}: this key is missing."
    if kind == "value_error":
        return f"{where}: {problem['ctx']['error']}."
    if kind == "source":
        given = source_of(content.get("data"))
        return f"{where}: {problem['msg']}; found {say(given)}."
    if kind == "model_name":
        return _explain_model(given)
    if kind == "string_pattern_mismatch":
        return f"{where}: letters, digits, '.', '_' and '-' only, at most 80; found {say(given)}."
    expected = " or ".join(dict.fromkeys(_expected(one) for one in problems))
    kinds = {one["type"] for one in problems}
    plain = _number(given, whole="float_type" not in kinds)
    if kinds & {"float_type", "int_type"} and plain is not None:
        return (
            f"{where}: expected {expected}, found the text {given!r} (in YAML a number in quotes, "
            f"or with an exponent but no point, is text); write {plain!r}."
        )
    choices = re.findall(r"'([^']*)'", expected)
    near = difflib.get_close_matches(given, choices, n=1) if isinstance(given, str) else []
    hint = f"; did you mean {near[0]!r}?" if near else "."
    return f"{where}: expected {expected}, found {say(given)}{hint}"


def _explain_model(given: Any) -> str:
    """Say what is wrong with a model that is none of those known."""
    if not isinstance(given, Mapping):
        return f"model: expected a section of keys, found {say(given)}."
    if "name" not in given:
        return "model.name: this key is missing."
    name = given["name"]
    near = difflib.get_close_matches(name, MODEL_NAMES, n=1) if isinstance(name, str) else []
    hint = f"; did you mean {near[0]!r}?" if near else "."
    names = [repr(one) for one in MODEL_NAMES]
    expected = f"{', '.join(names[:-1])} or {names[-1]}"
    return f"model.name: expected {expected}, found {say(name)}{hint}"


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


def _known_keys(place: Place, content: Mapping[str, Any]) -> list[str]:
    if not place:
        return list(Experiment.model_fields)
    sections: dict[str, type[BaseModel]] = {
        "deap": DeapData,
        "bids": BidsData,
        "simulated": SimulatedData,
    }
    section = sections.get(source_of(content.get("data")) or "")
    if place[0] == "model":
        name = model_name_of(content.get("model"))
        section = BandPowerSection if name == BandPowerSection.__name__ else ModelSection
    elif place[0] == "choice":
        section = ChoiceSection
    elif place[0] != "data":
        annotation = Experiment.model_fields[str(place[0])].annotation
        section = annotation if isinstance(annotation, type) else None
    return list(section.model_fields) if section is not None else []


def _number(given: Any, *, whole: bool) -> int | float | None:
    """Return the number that a text spells, if it does."""
    try:
        number = float(given) if isinstance(given, str) else math.nan
    except ValueError:
        return None
    if not math.isfinite(number) or (whole and not number.is_integer()):
        return None
    return int(number) if whole else number


def say(value: Any) -> str:
    """Show a value that was found, cut to a readable length."""
    if value is None:
        return "nothing"
    names = {str: "the text", bool: "", int: "", float: "", list: "the list", dict: "a section"}
    noun = names.get(type(value), "")
    if isinstance(value, dict):
        return noun
    shown = repr(value)
    return f"{noun} {shown if len(shown) <= 60 else shown[:57] + '...'}".strip()
