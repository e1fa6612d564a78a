"""Errors that eegemo raises on purpose.

Every message names the file or option, what was expected and what was found. The command line
prints it without a traceback.
"""

__all__ = [
    "ConfigError",
    "DataError",
    "DesignError",
    "EegemoError",
    "InputError",
    "LeakageError",
    "ResultError",
]

_LONGEST = 5_000  # characters of a message


class EegemoError(Exception):
    """Base class of the errors that eegemo raises on purpose."""


class InputError(EegemoError, ValueError):
    r"""Error in the user's input; the command line exits with code 2.

    Control characters, which a hostile file may put into a message, are escaped. Very long messages
    are shortened in the middle.

    Examples
    --------
    >>> print(InputError("found \x1b[31m"))
    found \x1b[31m
    """

    def __init__(self, message: object = "", *rest: object) -> None:
        text = str(message)
        if len(text) > _LONGEST:
            half = _LONGEST // 2
            text = f"{text[:half]} ... {text[-half:]}"
        shown = (
            letter if letter.isprintable() or letter == "\n" else ascii(letter)[1:-1]
            for letter in text
        )
        super().__init__("".join(shown), *rest)


class ConfigError(InputError):
    """Error in an experiment file."""


class DataError(InputError):
    """Error in a recording, a ratings table or a data folder."""


class ResultError(InputError):
    """Error in a result: its folder is missing or incomplete, or results cannot be compared."""


class LeakageError(EegemoError):
    """Windows, trials or subjects that are both in the training set and in the test set."""


class DesignError(LeakageError, InputError):
    """Split that would leak because of how the data were recorded, which no file can tell."""
