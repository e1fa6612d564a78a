"""Load Keras, and name the device that it uses."""

import logging
import os
from typing import Any

from eegemo.errors import InputError
from eegemo.execution import Engine, configure, may_use_gpu, quiet_stderr, run_tasks

__all__ = [
    "prepare_device",
    "runs_together",
]


def find_back_end(_: object = None) -> tuple[str, str]:
    """Load Keras, and return its back end and the device it uses."""
    device = prepare_device()
    import keras

    return keras.backend.backend(), device


def runs_together(engine: Engine, *, jobs: int = 0) -> bool:
    """Tell whether folds are to be fitted at once.

    Parameters
    ----------
    engine : {"auto", "local", "together", "dask"}
    jobs : int
        With 0 Keras is loaded in this process, where it has to be asked.

    Raises
    ------
    InputError
        If that was asked for and Keras's back end cannot do it.

    Examples
    --------
    >>> runs_together("local")
    False
    """
    # without a driver there is no GPU, and Keras need not be loaded to know it
    if engine not in ("auto", "together") or (engine == "auto" and not may_use_gpu()):
        return False
    ((back_end, device),) = run_tasks(find_back_end, [None], jobs=min(jobs, 1))
    if engine == "together" and back_end != "jax":
        raise InputError(
            f"--engine together: it needs Keras's JAX back end, and this is {back_end}. Install "
            "it (pip install eegemo[jax]) and set the environment variable KERAS_BACKEND=jax."
        )
    return engine == "together" or (back_end == "jax" and device.startswith(("gpu", "cuda")))


def prepare_device(_: object = None) -> str:
    """Load Keras, and return the device it uses.

    Raises
    ------
    InputError
        If a GPU was asked for and there is none.
    """
    configure(device=os.environ.get("EEGEMO_DEVICE", "auto"))  # type: ignore[arg-type]
    try:
        with quiet_stderr():
            import keras
    except ImportError as error:
        raise InputError(
            f"Keras cannot load its back end ({error}). Install it, or set KERAS_BACKEND to one "
            "that is installed."
        ) from error
    # TensorFlow warns that every fold traces a new model, which is what folds are
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    device = _device(keras.ops.zeros(1))
    if os.environ.get("EEGEMO_DEVICE") == "gpu" and not device.startswith(("gpu", "cuda")):
        raise InputError(
            f"--device gpu: Keras's {keras.backend.backend()} back end sees no GPU here, only "
            f"{device}. Use --device auto, or install a back end that supports this GPU."
        )
    return device


def _device(tensor: Any) -> str:
    """Say where a tensor is, as ``cpu:0`` or ``gpu:0``; each back end says it in its own way."""
    return str(getattr(tensor, "device", "cpu")).lower().rpartition("device:")[2]
