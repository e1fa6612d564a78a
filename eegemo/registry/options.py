"""Options of functions and classes, read from signatures and docstrings.

An option is a keyword-only parameter that is not marked `NOT_IN_FILE`. Its type, bounds and default
come from the signature, its description from the section *Parameters* of the docstring. So each
option is written once. This module is light: every stage can import it.
"""

import inspect
import re
import sys
import types
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen

from eegemo.errors import ConfigError

__all__ = [
    "NOT_IN_FILE",
    "REQUIRED",
    "Count",
    "Fraction",
    "NotNegative",
    "Option",
    "Positive",
    "Since",
    "choices_of",
    "options_of",
    "words_for",
]


class _Mark:
    """Marker of an option, shown by its name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


#: Marks a parameter that the run sets and that is no key of the experiment file:
#: ``Annotated[int, NOT_IN_FILE]``.
NOT_IN_FILE = _Mark("NOT_IN_FILE")
#: The default of an option that has none.
REQUIRED = _Mark("REQUIRED")


@dataclass(frozen=True)
class Since:
    """Marks an option added in a later version: ``Annotated[float, Since("0.2")]``.

    Digests omit it while it has its default, so results of earlier versions stay valid.
    """

    version: str


Positive = Annotated[float, Gt(0)]
NotNegative = Annotated[float, Ge(0)]
#: From 0 to below 1.
Fraction = Annotated[float, Ge(0), Lt(1)]
Count = Annotated[int, Ge(1)]


@dataclass(frozen=True)
class Option:
    """An option: one key of a section of the experiment file.

    Attributes
    ----------
    name : str
    type : type or annotation
        Type of the value in YAML: sequences are lists; bounds are those of `annotated_types`.
    default : object
        `REQUIRED` if there is none; tuples are lists.
    text : str
        Its description in the docstring, as a single line.
    since : str or None
        Version that added it, if it is marked with `Since`.
    """

    name: str
    type: Any
    default: Any
    text: str
    since: str | None = None


def options_of(function: Callable[..., Any], *, without: Iterable[str] = ()) -> dict[str, Option]:
    """Return the options of a function or class.

    Parameters
    ----------
    function : callable
        Its keyword-only parameters are its options. A dataclass inherits descriptions of its bases.
    without : iterable of str
        Further parameters that are no options.

    Returns
    -------
    options : dict of str to Option
        In the order of the signature.

    Raises
    ------
    ConfigError
        If an annotation cannot be evaluated; the message names it and its module.

    Examples
    --------
    >>> def cut(signal, *, length: Positive = 2.0, copy: Annotated[bool, NOT_IN_FILE] = True):
    ...     '''Cut.
    ...
    ...     Parameters
    ...     ----------
    ...     length : float
    ...         Length in seconds.
    ...     '''
    >>> options_of(cut)["length"].text, words_for(options_of(cut)["length"].type)
    ('Length in seconds.', 'number above 0')
    >>> list(options_of(cut))
    ['length']
    """
    # types of data parameters are never evaluated: they may be imported for type checking only
    skipped = set(without)
    keyword_only = {
        name: parameter
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY and name not in skipped
    }
    texts = _words_of(function)
    found = {}
    for name, parameter in keyword_only.items():
        if isinstance(parameter.annotation, str) and "NOT_IN_FILE" in parameter.annotation:
            continue  # its type, too, may be one that is imported for type checking only
        kind = _evaluated(function, name, parameter.annotation)
        marks = kind.__metadata__ if get_origin(kind) is Annotated else ()
        if NOT_IN_FILE in marks:
            continue
        required = parameter.default is inspect.Parameter.empty
        found[name] = Option(
            name,
            _as_file_type(kind),
            REQUIRED if required else _as_lists(parameter.default),
            texts.get(name, ""),
            next((mark.version for mark in marks if isinstance(mark, Since)), None),
        )
    return found


def _evaluated(function: Any, name: str, annotation: Any) -> Any:
    """Return the type of a parameter; text is evaluated in the module that contains it."""
    if annotation is inspect.Parameter.empty:
        return Any
    if not isinstance(annotation, str):
        return annotation
    owner = inspect.unwrap(function)
    if isinstance(owner, type):  # a field that a dataclass inherits belongs to the base's module
        owner = next(
            (base for base in owner.__mro__ if name in vars(base).get("__annotations__", {})), owner
        )
    module = sys.modules.get(getattr(owner, "__module__", ""))
    try:
        holder = type("_", (), {"__annotations__": {name: annotation}})
        names = vars(module) if module is not None else {}
        return get_type_hints(holder, names, {}, include_extras=True)[name]
    except Exception as error:
        where = getattr(module, "__file__", None) or getattr(owner, "__module__", "?")
        raise ConfigError(
            f"{where}: the type of the option {name!r}, {annotation}, cannot be evaluated "
            f"({type(error).__name__}: {error})."
        ) from error


def _as_lists(value: Any) -> Any:
    """Convert tuples (defaults of functions) to lists, as in YAML."""
    return [_as_lists(item) for item in value] if isinstance(value, tuple | list) else value


def _as_file_type(kind: Any) -> Any:
    """Convert the type of a parameter to the type in YAML: sequences are lists."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        marks = [mark for mark in arguments[1:] if not isinstance(mark, Since)]
        inner = _as_file_type(arguments[0])
        return Annotated[(inner, *marks)] if marks else inner
    if origin in (Union, types.UnionType):
        return Union[tuple(_as_file_type(argument) for argument in arguments)]  # noqa: UP007
    if origin is tuple and arguments[-1:] != (Ellipsis,):
        length = len(arguments)
        inner = _as_file_type(arguments[0])
        return Annotated[list[inner], MinLen(length), MaxLen(length)]  # type: ignore[valid-type]
    if origin in (Sequence, list, tuple):
        inner = _as_file_type(arguments[0])
        return list[inner]  # type: ignore[valid-type]
    return kind


def _words_of(function: Any) -> dict[str, str]:
    """Return the description of each parameter; a class inherits those of its bases."""
    owner = inspect.unwrap(function)
    owners = [*reversed(owner.__mro__)] if isinstance(owner, type) else [owner]
    texts: dict[str, str] = {}
    for part in owners:
        doc = vars(part).get("__doc__") if isinstance(part, type) else part.__doc__
        texts |= parameters_in(doc or "")
    return texts


def parameters_in(doc: str) -> dict[str, str]:
    """Return the description of each parameter of a numpydoc docstring, as a single line.

    Examples
    --------
    >>> parameters_in('''Cut.
    ...
    ...     Parameters
    ...     ----------
    ...     low, high : float
    ...         Edges
    ...         in Hz.
    ...     ''')
    {'low': 'Edges in Hz.', 'high': 'Edges in Hz.'}
    """
    lines = inspect.cleandoc(doc).splitlines()
    texts: dict[str, str] = {}
    names: list[str] = []
    inside = False
    for line, following in zip(lines, [*lines[1:], ""][: len(lines)], strict=True):
        if len(following) > 3 and set(following) == {"-"}:
            inside, names = line.strip() in ("Parameters", "Attributes"), []
        elif inside and line and not line.startswith((" ", "-")):
            names = [name.strip().lstrip("*") for name in line.split(" : ")[0].split(",")]
            texts |= dict.fromkeys(names, "")
        elif inside and line.strip():
            for name in names:
                texts[name] = f"{texts[name]} {line.strip()}".strip()
    # in docs, messages and comments, code is marked as Markdown marks it
    return {name: re.sub(r"``([^`]+)``", r"`\1`", text) for name, text in texts.items()}


def choices_of(kind: Any) -> list[str]:
    """Return the words that a type allows.

    Examples
    --------
    >>> choices_of(float | Literal["median"])
    ['median']
    """
    if get_origin(kind) is Literal:
        return [str(word) for word in get_args(kind)]
    inner = [choice for argument in get_args(kind) for choice in choices_of(argument)]
    return list(dict.fromkeys(inner))


_WORDS = {
    float: ("number", "numbers"),
    int: ("whole number", "whole numbers"),
    str: ("text", "texts"),
    bool: ("`true` or `false`", "`true` or `false`"),
    type(None): ("`null`", "`null`"),
    dict: ("section", "sections"),
    list: ("list", "lists"),
}


def words_for(kind: Any, *, several: bool = False) -> str:
    """Describe the values of a type in words.

    Parameters
    ----------
    kind : type or annotation
        As in `Option.type`.
    several : bool
        Use the plural.

    Examples
    --------
    >>> words_for(Annotated[list[Count], MinLen(1)] | None)
    'non-empty list of whole numbers from 1 or `null`'
    """
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _bounded(arguments[0], arguments[1:], several)
    if origin in (Union, types.UnionType):
        parts = [word for part in arguments for word in _alternatives(part, several)]
        return _joined(list(dict.fromkeys(parts)))
    if origin is Literal:
        return _joined([f"`{word}`" for word in arguments])
    if origin is list:
        return f"{'lists' if several else 'list'} of {words_for(arguments[0], several=True)}"
    if origin is dict:
        return _WORDS[dict][several]
    return _WORDS[kind][several] if kind in _WORDS else "any value" if kind is Any else str(kind)


def _number(bound: Any) -> str:
    return str(bound) if isinstance(bound, int) else f"{bound:g}"


def _alternatives(kind: Any, several: bool) -> list[str]:
    """Describe the members of a part of a union; allowed words are separate members."""
    if get_origin(kind) is Literal:
        return [f"`{word}`" for word in get_args(kind)]
    return [words_for(kind, several=several)]


def _joined(words: Sequence[str]) -> str:
    return " or ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def _bounded(kind: Any, marks: Sequence[Any], several: bool) -> str:
    """Describe the values of a type with bounds."""
    least = next((mark.min_length for mark in marks if isinstance(mark, MinLen)), None)
    most = next((mark.max_length for mark in marks if isinstance(mark, MaxLen)), None)
    if get_origin(kind) is list and least is not None:
        inner = words_for(get_args(kind)[0], several=True)
        lists = "lists" if several else "list"
        if (least, most) == (1, None):
            return f"non-empty {lists} of {inner}"
        return f"{lists} of {least if least == most else f'at least {least}'} {inner}"
    bounds = [
        words.format(_number(getattr(mark, attribute)))
        for bound, attribute, words in (
            (Gt, "gt", "above {}"),
            (Ge, "ge", "from {}"),
            (Lt, "lt", "below {}"),
            (Le, "le", "to {}"),
        )
        for mark in marks
        if isinstance(mark, bound)
    ]
    if len(bounds) == 2 and bounds[0].startswith("from") and bounds[1].startswith("below"):
        bounds[1] = f"to {bounds[1]}"
    return " ".join([words_for(kind, several=several), *bounds])
