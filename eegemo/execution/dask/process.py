"""Process that runs the tasks of a Dask worker: ``python -m eegemo.execution.dask.process``."""

import os
import pickle
import queue
import signal
import sys
import threading
import traceback
from typing import IO

from eegemo.errors import EegemoError
from eegemo.execution.dask.working import read_message, write_message
from eegemo.execution.machine import configure

__all__ = ["answer", "main"]


def main() -> None:
    """Run tasks from standard input until it is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the worker decides when this ends
    configure(device=os.environ.get("EEGEMO_DEVICE", "auto"))  # type: ignore[arg-type]
    messages: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)  # what libraries print is no answer
        listen = threading.Thread(target=_listen, args=(sys.stdin.buffer, messages), daemon=True)
        listen.start()
        while True:
            write_message(answers, answer(messages.get()))


def _listen(stream: IO[bytes], messages: "queue.SimpleQueue[bytes]") -> None:
    try:
        while True:
            messages.put(read_message(stream))
    except EOFError:  # the worker is gone, and with it who could use what is done here
        os._exit(1)


def answer(message: bytes) -> bytes:
    """Run a task; return, pickled, whether it succeeded, and its result or error."""
    try:
        function, task = pickle.loads(message)
        return pickle.dumps((True, function(task)))
    except Exception as error:
        error.add_note(traceback.format_exc())
        try:
            reply = pickle.dumps((False, error))
            pickle.loads(reply)
        except Exception:  # some errors cannot be sent
            reply = pickle.dumps((False, EegemoError(f"{type(error).__name__}: {error}")))
        return reply


if __name__ == "__main__":
    main()
