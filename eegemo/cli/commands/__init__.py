"""What the commands do: arguments in, messages and exit codes out, no logic.

Each command is a function whose parameters are its arguments; `eegemo.cli` gives them their names.
What a command needs is imported when it runs, so that ``eegemo --help`` is fast and a mistake in an
experiment file is told before anything heavy is loaded.
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
