"""What eegemo raises on purpose.

Every message is one a person can act on: it names the file or option, what was expected and what
was found. The command line prints it without a traceback.
"""

__all__ = ["ConfigError", "DataError", "EegemoError", "InputError", "LeakageError", "ResultError"]


class EegemoError(Exception):
    """Base class of every error that eegemo raises on purpose."""


class InputError(EegemoError, ValueError):
    """Something the user gave is wrong; the command line exits with code 2."""


class ConfigError(InputError):
    """The experiment file is wrong."""


class DataError(InputError):
    """A recording, a ratings table or a data folder is wrong."""


class ResultError(InputError):
    """A result folder is missing, incomplete, or cannot be compared with another."""


class LeakageError(EegemoError):
    """A split shares windows, trials or subjects between training and test."""
