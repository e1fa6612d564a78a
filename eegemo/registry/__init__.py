"""What names stand for, and the options of what they stand for.

A name in an experiment file (a model, a data set) is one of a built-in table, an entry point that
another installed package declares, or an import path such as ``"mypkg.nets:build"``. Options are
read from the signature and the docstring of the function or class that takes them. Nothing here
imports another part of eegemo: the tables hold strings.
"""

from eegemo.registry.options import (
    NOT_IN_FILE,
    REQUIRED,
    Count,
    Fraction,
    NotNegative,
    Option,
    Positive,
    Since,
    choices_of,
    options_of,
    words_for,
)
from eegemo.registry.registry import Code, Registry
from eegemo.registry.tables import (
    ADAPTERS,
    COMMANDS,
    DATASETS,
    EXPORTERS,
    MODELS,
    REGISTRIES,
    SCALING,
    SPLITS,
)

__all__ = [
    "ADAPTERS",
    "COMMANDS",
    "DATASETS",
    "EXPORTERS",
    "MODELS",
    "NOT_IN_FILE",
    "REGISTRIES",
    "REQUIRED",
    "SCALING",
    "SPLITS",
    "Code",
    "Count",
    "Fraction",
    "NotNegative",
    "Option",
    "Positive",
    "Registry",
    "Since",
    "choices_of",
    "options_of",
    "words_for",
]
