"""Execution of a task by a Dask worker, in a process of its own.

Dask runs tasks in threads. Another thread talks to the scheduler and draws from Python's random
generator, from which Keras takes the seeds of its layers. A fit in such a thread would sometimes
give other numbers. So each thread keeps a process like that of a run on a single machine. Threads,
device and back end are set before anything is imported. The process ends with its worker, or when
its task is cancelled.
"""

import os
import pickle
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import IO, Any

import eegemo
from eegemo.errors import InputError

__all__ = ["ProcessLostError", "read_message", "work", "write_message"]

_LENGTH = 8  # bytes of the length of a message
_LOOK = 1.0  # seconds between checks whether a task is cancelled


class ProcessLostError(Exception):
    """The process of a task ended unexpectedly."""


def write_message(stream: IO[bytes], message: bytes) -> None:
    """Write a message, preceded by its length."""
    stream.write(len(message).to_bytes(_LENGTH, "little") + message)
    stream.flush()


def read_message(stream: IO[bytes]) -> bytes:
    """Read a message of `write_message`.

    Raises
    ------
    EOFError
        If the other process is gone.
    """
    return _read(stream, int.from_bytes(_read(stream, _LENGTH), "little"))


def _read(stream: IO[bytes], n_bytes: int) -> bytes:
    parts, left = [], n_bytes
    while left:
        part = stream.read(left)
        if not part:
            raise EOFError
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


class _Process:
    """A process that runs tasks one after another."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        self.settings = dict(settings)
        environment = dict(os.environ)
        # found where this worker finds it, and with the same threads before anything is imported
        environment["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, filter(None, sys.path)))
        environment["EEGEMO_DEVICE"] = settings["device"]
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            environment[name] = "1"
        if "backend" in settings:
            environment["KERAS_BACKEND"] = settings["backend"]
        self._process = subprocess.Popen(
            # -P: a file of the folder worked in may have the name of a module
            [sys.executable, "-P", "-m", "eegemo.execution.dask.process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            cwd=settings["folder"],
            env=environment,
        )

    def do(self, message: bytes, is_wanted: Callable[[], bool]) -> bytes:
        """Send a message and return the answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            write_message(self._process.stdin, message)
            # on Windows pipes cannot be waited for, and nothing is ended early
            while os.name != "nt" and not select.select([self._process.stdout], [], [], _LOOK)[0]:
                if not is_wanted():
                    raise ProcessLostError("The task is no longer wanted.")
            return read_message(self._process.stdout)
        except (EOFError, BrokenPipeError) as error:
            code = self._process.wait()
            how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
            raise ProcessLostError(f"A worker's process ended unexpectedly ({how}).") from error

    def end(self) -> None:
        """Kill the process."""
        self._process.kill()
        with suppress(BrokenPipeError):
            self._process.communicate()

    def __del__(self) -> None:
        with suppress(Exception):  # with its thread, or the interpreter
            self.end()


_thread = threading.local()


def work(message: bytes, settings: Mapping[str, str]) -> Any:
    """Run a task (a pickled function and its argument) in the process of this thread.

    Raises
    ------
    InputError
        As in `check_worker`.
    ProcessLostError
        If the process ended unexpectedly.
    """
    from distributed import get_worker

    worker = get_worker()
    check_worker(settings, worker.address)
    process: _Process | None = getattr(_thread, "process", None)
    if process is not None and process.settings != settings:
        process.end()
        process = None
    if process is None:
        process = _thread.process = _Process(settings)
    key = worker.get_current_task()

    def is_wanted() -> bool:
        task = worker.state.tasks.get(key)
        return task is not None and task.state != "cancelled"

    try:
        done, result = pickle.loads(process.do(message, is_wanted))
    except BaseException:
        process.end()
        _thread.process = None
        raise
    if not done:
        raise result
    return result


def check_worker(settings: Mapping[str, str], address: str) -> None:
    """Refuse a worker that could give other results, or write them where nobody finds them.

    Raises
    ------
    InputError
        If the worker has another version of eegemo, or does not see the folder.
    """
    who = f"Dask worker {address}"
    if eegemo.__version__ != settings["version"]:
        raise InputError(
            f"{who} has eegemo {eegemo.__version__}, this process {settings['version']}. Install "
            "the same version on all machines."
        )
    if not os.path.isdir(settings["folder"]):
        raise InputError(
            f"{who} does not see the folder {settings['folder']}. Run from a folder that all "
            "machines share, under the same path."
        )
