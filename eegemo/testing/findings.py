"""What contract tests say when a plug-in breaks a promise: where, what was expected and found."""

import inspect
import json
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from eegemo.errors import ConfigError, DataError

__all__ = ["calling", "fail", "is_plain", "send", "where"]


def fail(function: Callable[..., Any], expected: str, found: object) -> NoReturn:
    """Raise an AssertionError that names a function of the plug-in, and its file and line."""
    text = found if isinstance(found, str) else repr(found)
    text = text if len(text) <= 300 else f"{text[:297]}..."
    raise AssertionError(f"{where(function)}: expected {expected}; found {text}.")


def where(function: Callable[..., Any]) -> str:
    """Name file, line and function, or class, of the plug-in."""
    name = getattr(function, "__qualname__", str(function))
    try:
        file, line = inspect.getsourcefile(function), inspect.getsourcelines(function)[1]
    except (OSError, TypeError):
        return f"{getattr(function, '__module__', '?')}, {name}"
    return f"{file}, line {line}, {name}"


@contextmanager
def calling(function: Callable[..., Any]) -> Iterator[None]:
    """Name the function that raises what is neither a DataError nor a finding of ours."""
    try:
        yield
    except (AssertionError, DataError, ConfigError):
        raise
    except Exception as error:
        raise AssertionError(
            f"{where(function)}: expected no error but a DataError; found "
            f"{type(error).__name__}: {error}"
        ) from error


def is_plain(value: Any) -> bool:
    """Tell whether JSON, and so YAML, can hold a value."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True


def send(thing: Any) -> tuple[Any, int]:
    """Return what another process would receive, and the bytes that it takes to send it."""
    sent = pickle.dumps(thing)
    return pickle.loads(sent), len(sent)
