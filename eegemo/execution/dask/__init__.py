"""The same tasks on many machines, by Dask (`eegemo.execution.run_tasks` does them on this one)."""

from eegemo.execution.dask.scheduling import open_cluster, open_runner, run_tasks_dask

__all__ = [
    "open_cluster",
    "open_runner",
    "run_tasks_dask",
]
