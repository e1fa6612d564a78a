"""Execution of tasks: in this process, in worker processes on this machine, or on a cluster.

Settings of this package change speed, never results.
"""

from eegemo.execution.context import Engine, Progress, RunContext, Runner, watching
from eegemo.execution.local import run_tasks
from eegemo.execution.machine import (
    available_cpus,
    available_memory,
    configure,
    may_use_gpu,
    peak_memory,
    quiet_stderr,
)
from eegemo.execution.trace import span

__all__ = [
    "Engine",
    "Progress",
    "RunContext",
    "Runner",
    "available_cpus",
    "available_memory",
    "configure",
    "may_use_gpu",
    "peak_memory",
    "quiet_stderr",
    "run_tasks",
    "span",
    "watching",
]
