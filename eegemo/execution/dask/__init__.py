"""Execution of tasks on many machines, with Dask."""

from eegemo.execution.dask.scheduling import open_cluster, open_runner, run_tasks_dask

__all__ = [
    "open_cluster",
    "open_runner",
    "run_tasks_dask",
]
