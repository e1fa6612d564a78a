"""What eegemo raises on purpose.

Every message is one a person can act on: it names the file or option, what was expected and what
was found. The command line prints it without a traceback.
"""

__all__ = ["ConfigError", "DataError", "EegemoError", "InputError", "LeakageError", "ResultError"]

_LONGEST = 5_000  # characters of a message


class EegemoError(Exception):
    """Base class of every error that eegemo raises on purpose."""


class InputError(EegemoError, ValueError):
    r"""Something the user gave is wrong; the command line exits with code 2.

    Files may hold anything. What a terminal would obey rather than show is escaped in the message,
    and the middle of a very long one is left out.

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
    """The experiment file is wrong."""


class DataError(InputError):
    """A recording, a ratings table or a data folder is wrong."""


class ResultError(InputError):
    """A result folder is missing, incomplete, or cannot be compared with another."""


class LeakageError(EegemoError):
    """A split shares windows, trials or subjects between training and test."""
