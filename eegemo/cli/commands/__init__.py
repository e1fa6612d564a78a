"""The commands: arguments in, messages and exit codes out, no logic.

Each command is a function whose parameters are its arguments; `eegemo.cli` gives them their names.
A command imports what it uses when it runs: ``eegemo --help`` stays fast, and a mistake in an
experiment file is reported before any large package is loaded.
"""

from eegemo.cli.commands.experiments import audit, run
from eegemo.cli.commands.files import init, schema
from eegemo.cli.commands.listing import list_names
from eegemo.cli.commands.results import compare, predict, report
from eegemo.cli.commands.signals import check, preprocess, simulate

__all__ = [
    "audit",
    "check",
    "compare",
    "init",
    "list_names",
    "predict",
    "preprocess",
    "report",
    "run",
    "schema",
    "simulate",
]
