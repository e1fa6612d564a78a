"""Processors, memory and GPU of this machine, and settings of threads."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from eegemo.errors import InputError

__all__ = [
    "available_cpus",
    "available_memory",
    "configure",
    "may_use_gpu",
    "peak_memory",
    "quiet_stderr",
]


Device = Literal["auto", "cpu", "gpu"]


def available_cpus() -> int:
    """Return the number of processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def configure(*, device: Device = "auto", threads: int = 1) -> None:
    """Prepare the environment for Keras, here and in worker processes, before it is imported.

    Parameters
    ----------
    device : {"auto", "cpu", "gpu"}
        ``"cpu"`` hides GPUs from every back end; with ``"auto"`` the back end uses a GPU if it
        sees one; with ``"gpu"`` a fit without one is an error.
    threads : int
        Threads per fit on the CPU.

    Raises
    ------
    InputError
        If `device` is unknown.
    """
    if device not in ("auto", "cpu", "gpu"):
        raise InputError(f"--device: expected auto, cpu or gpu, found {device!r}.")
    environment = {
        "TF_NUM_INTRAOP_THREADS": str(threads),
        "TF_NUM_INTEROP_THREADS": str(threads),
        "OMP_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": str(threads),
        "TF_DETERMINISTIC_OPS": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        # several fits may share a GPU, so none takes all of its memory
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    }
    os.environ.update(environment)
    os.environ["EEGEMO_DEVICE"] = device
    if device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
        os.environ["JAX_PLATFORMS"] = "cpu"


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Suppress output that libraries print below Python, such as TensorFlow's greeting."""
    try:
        descriptor = sys.__stderr__.fileno() if sys.__stderr__ is not None else 2
        kept = os.dup(descriptor)
    except (OSError, ValueError):  # no real stderr: nothing to silence
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, descriptor)
        yield
    finally:
        os.dup2(kept, descriptor)
        os.close(kept)
        os.close(nowhere)


def may_use_gpu() -> bool:
    """Return whether fits may run on a GPU; only the back end knows for certain."""
    device = os.environ.get("EEGEMO_DEVICE", "auto")
    drivers = (Path("/dev/nvidiactl"), Path("/dev/kfd"))
    return device == "gpu" or (device == "auto" and any(driver.exists() for driver in drivers))


def available_memory() -> int | None:
    """Return the bytes of memory that this process may still take; None if unknown."""
    found = []
    with suppress(OSError, ValueError, KeyError):
        found.append(_read_table("/proc/meminfo")["MemAvailable"] * 1024)
    with suppress(OSError, ValueError, KeyError):  # what a container may take, less what it holds
        limit = Path("/sys/fs/cgroup/memory.max").read_text(encoding="utf-8")
        held = _read_table("/sys/fs/cgroup/memory.stat")["anon"]
        found.append(max(int(limit) - held, 0))
    return min(found) if found else None


def _read_table(file: str) -> dict[str, int]:
    """Read a table of names and numbers, one per line."""
    lines = Path(file).read_text(encoding="utf-8").splitlines()
    return {name.rstrip(":"): int(value) for name, value, *_ in map(str.split, lines)}


def peak_memory() -> int:
    """Return the peak resident memory of this process in bytes; 0 if unknown."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
