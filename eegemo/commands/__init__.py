"""What the commands do: arguments in, messages and exit codes out, no logic.

Each command is a function whose parameters are its arguments; `eegemo.cli` gives them their names.
What a command needs is imported when it runs, so that ``eegemo --help`` is fast and a mistake in an
experiment file is told before anything heavy is loaded.
"""

from .experiments import audit, run
from .files import init, schema
from .results import compare, predict, report
from .signals import check, preprocess, simulate

__all__ = [
    "audit",
    "check",
    "compare",
    "init",
    "predict",
    "preprocess",
    "report",
    "run",
    "schema",
    "simulate",
]
