"""Registries of models, data sets and other extensions, and the options they take.

A name in an experiment file (of a model, a data set) is built in, an entry point of another
installed package, or an import path such as ``"mypkg.nets:build"``. Options are read from the
signature and the docstring of the function or class that takes them. The built-in tables hold
strings, so this folder imports no other part of eegemo.
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
