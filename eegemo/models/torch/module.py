"""What is done with a PyTorch module apart from training it: device, weights, predictions.

PyTorch is imported here and in `eegemo.models.torch.loop` only, and when it is needed.
"""

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from eegemo.errors import InputError

__all__ = [
    "BATCH",
    "arrays_of",
    "device_name",
    "find_device",
    "free_memory",
    "inputs_of",
    "is_module",
    "probabilities_of",
    "set_arrays",
    "try_module",
]

# Windows predicted at a time; affects speed and memory only.
BATCH = 256


def device_name() -> str:
    """Load PyTorch, and return the device it uses: ``"cpu"`` or ``"gpu:0"``.

    Raises
    ------
    InputError
        If PyTorch is not installed, or a GPU was asked for and there is none.
    """
    return "gpu:0" if find_device().type == "cuda" else "cpu"


def find_device() -> Any:
    """Load PyTorch, and return the torch.device it uses, as `device_name` names it."""
    try:
        import torch
    except ImportError as error:
        raise InputError(
            f"model: it is a PyTorch module, and PyTorch cannot be loaded ({error}). Install it "
            "(pip install eegemo[torch])."
        ) from error
    asked = os.environ.get("EEGEMO_DEVICE", "auto")
    if asked != "cpu" and torch.cuda.is_available():
        return torch.device("cuda", 0)
    if asked == "gpu":
        raise InputError(
            "--device gpu: PyTorch sees no GPU here. Use --device auto, or install a PyTorch that "
            "supports this GPU."
        )
    return torch.device("cpu")


def is_module(thing: Any) -> bool:
    """Tell whether something is a PyTorch module."""
    import torch

    return isinstance(thing, torch.nn.Module)


def inputs_of(x: np.ndarray, device: Any) -> Any:
    """Return windows, (n, n_times, n_channels), as a module takes them."""
    import torch

    return torch.from_numpy(np.array(x.swapaxes(1, 2), order="C")).to(device)


def try_module(module: Any, x: np.ndarray) -> np.ndarray | None:
    """Return what a module gives for windows, or None if that is no tensor of numbers."""
    import torch

    module.eval()
    with torch.no_grad():
        found = module(inputs_of(x, "cpu"))
    if not isinstance(found, torch.Tensor) or not found.is_floating_point():
        return None
    given: np.ndarray = found.double().numpy()
    return given


def arrays_of(module: Any) -> dict[str, np.ndarray]:
    """Return the weights and buffers of a module as arrays, by their names.

    Raises
    ------
    TypeError
        If it holds something that is no tensor of real numbers.
    """
    import torch

    arrays = {}
    for name, value in module.state_dict().items():
        if not isinstance(value, torch.Tensor) or value.is_complex():
            raise TypeError(f"{name!r} is no tensor of real numbers")
        value = value.detach().cpu()
        if value.dtype == torch.bfloat16:  # NumPy has no such numbers
            value = value.float()
        elif not value.is_floating_point():
            value = value.to(torch.int64)
        arrays[name] = np.array(value.numpy())
    return arrays


def set_arrays(module: Any, arrays: Mapping[str, np.ndarray]) -> None:
    """Give a module the weights and buffers that `arrays_of` returned; their shapes fit."""
    import torch

    own = module.state_dict()
    module.load_state_dict(
        {name: torch.tensor(array).to(own[name].dtype) for name, array in arrays.items()}
    )


def probabilities_of(module: Any, x: np.ndarray) -> np.ndarray:
    """Return class probabilities of windows, float32 of shape (n, n_classes)."""
    import torch

    device = next((p.device for p in module.parameters()), torch.device("cpu"))
    module.eval()
    parts = []
    with torch.no_grad():
        for first in range(0, len(x), BATCH):
            logits = module(inputs_of(x[first : first + BATCH], device))
            parts.append(torch.softmax(logits.float(), dim=1).cpu().numpy())
    return np.concatenate(parts) if parts else np.zeros((0, 0), np.float32)


def free_memory() -> None:
    """Give back the memory that PyTorch keeps on a GPU."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()
