"""Train a PyTorch module as `eegemo.models.keras.fitting` trains a Keras network.

Loss, class weights, schedules, early stopping and the columns of the history are those of Keras
networks, so that the frameworks can be compared.
"""

import math
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from eegemo.errors import ConfigError
from eegemo.models.builders import BuilderModel
from eegemo.models.fit_data import FitData, is_validated
from eegemo.models.options import TrainingOptions
from eegemo.models.shapes import FitFiles, check_losses
from eegemo.models.torch.module import BATCH, arrays_of, find_device, inputs_of, set_arrays
from eegemo.models.torch.progress import Progress

__all__ = ["time_steps", "train_module"]

# Keras's, so that a network trains alike in either framework.
_EPSILON = 1e-7


def train_module(
    model: BuilderModel,
    data: FitData,
    options: TrainingOptions,
    *,
    seed: int,
    files: FitFiles,
) -> tuple[Any, list[dict[str, float]], int]:
    """Build and train a module; what is returned is as of `train_network` for Keras.

    Raises
    ------
    ConfigError
        If another precision is asked for than a module can have here.
    DataError
        If the loss is no longer a number.
    """
    import torch

    if options.precision == "mixed_float16":
        raise ConfigError(
            "training.precision: expected 'float32' or 'mixed_bfloat16' for a PyTorch module, "
            "found 'mixed_float16'."
        )
    device = find_device()
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        module = model.build(data.shape).to(device)
        training = _Training(module, data, options, device, seed)
        # without an identity nothing tells the model from others
        key = model.identity and data.key(model.identity, options, seed, "torch", torch.__version__)
        progress = Progress(files, key or None)
        done = progress.resume(training)
        over = progress.over
        for epoch in range(done, options.epochs):
            if over:
                break
            began = time.perf_counter()
            row = training.run_epoch(epoch)
            over = training.look(row, epoch) or not math.isfinite(row["loss"])
            row["seconds"] = time.perf_counter() - began
            progress.add(row, training, last=over or epoch + 1 == options.epochs, over=over)
        check_losses(data.name, progress.rows)
        if training.best is not None:
            set_arrays(module, training.best)
    return module, progress.rows, training.best_epoch or len(progress.rows)


class _Training:
    """A module in training.

    Attributes
    ----------
    best : dict of str to ndarray, or None
        The weights of the epoch with the lowest validation loss so far.
    best_epoch : int
        Counted from 1; 0 without validation.
    """

    def __init__(
        self, module: Any, data: FitData, options: TrainingOptions, device: Any, seed: int
    ) -> None:
        import torch

        self.module, self.data, self.options = module, data, options
        self.device, self.seed = device, seed
        self.optimizer = torch.optim.Adam(
            [p for p in module.parameters() if p.requires_grad],
            lr=options.learning_rate,
            eps=_EPSILON,
        )
        self.weights = torch.from_numpy(data.class_weight).to(device)
        self.validated = is_validated(data)
        self.best: dict[str, np.ndarray] | None = None
        self.best_epoch, self.best_loss = 0, math.inf
        self.rate, self.waited, self.rate_loss = options.learning_rate, 0, math.inf

    def run_epoch(self, epoch: int) -> dict[str, float]:
        """Train for an epoch, and return its row of the history, but for the time."""
        import torch

        # what an epoch draws does not depend on earlier ones, so a checkpoint need not hold it
        (drawn,) = np.random.SeedSequence([self.seed, epoch]).generate_state(1)
        torch.manual_seed(int(drawn))
        order = np.random.default_rng([self.seed, epoch]).permutation(self.data.train)
        batches = _batches(order, self.options.batch_size)
        sums = np.zeros(4)
        self.module.train()
        for k, rows in enumerate(batches):
            self._set_rate(epoch * len(batches) + k, self.options.epochs * len(batches))
            sums += self._step(rows)
        row = {"epoch": epoch + 1.0, **_averages(sums, "")}
        validation = np.full(4, np.nan)
        if self.validated:
            validation = np.zeros(4)
            self.module.eval()
            with torch.no_grad():
                for rows in _batches(self.data.validation, BATCH, least=1):
                    validation += self._losses(rows)[1]
        self._set_rate((epoch + 1) * len(batches), self.options.epochs * len(batches))
        return row | _averages(validation, "val_") | {"learning_rate": self.rate}

    def _autocast(self) -> AbstractContextManager[Any]:
        import torch

        mixed = self.options.precision == "mixed_bfloat16"
        autocast: AbstractContextManager[Any] = torch.autocast(
            self.device.type, dtype=torch.bfloat16, enabled=mixed
        )
        return autocast

    def _losses(self, rows: np.ndarray) -> tuple[Any, np.ndarray]:
        """Return the mean loss of windows, and sums for the history."""
        import torch

        x = inputs_of(self.data.x(rows), self.device)
        y = torch.from_numpy(self.data.y(rows)).to(self.device)
        with self._autocast():
            logits = self.module(x)
        logits, weight = logits.float(), self.weights[y]
        losses = weight * torch.nn.functional.cross_entropy(logits, y, reduction="none")
        with torch.no_grad():
            right = weight * (logits.argmax(dim=1) == y)
            parts = (losses.sum(), torch.tensor(len(rows)), right.sum(), weight.sum())
            sums = np.array([float(part) for part in parts])
        return losses.mean(), sums

    def _step(self, rows: np.ndarray) -> np.ndarray:
        import torch

        self.optimizer.zero_grad()
        loss, sums = self._losses(rows)
        loss.backward()
        if self.options.clip_norm is not None:
            parameters = self.optimizer.param_groups[0]["params"]
            torch.nn.utils.clip_grad_norm_(parameters, self.options.clip_norm)
        self.optimizer.step()
        return sums

    def _set_rate(self, step: int, n_steps: int) -> None:
        if self.options.schedule == "cosine":
            fraction = (1 + math.cos(math.pi * step / n_steps)) / 2
            self.rate = self.options.learning_rate * fraction
        self.optimizer.param_groups[0]["lr"] = self.rate

    def look(self, row: Mapping[str, float], epoch: int) -> bool:
        """Keep the best weights, halve the rate if it is time; tell whether to stop."""
        if not self.validated:
            return False
        loss = row["val_loss"]
        if self.options.schedule == "plateau":
            self._halve(loss)
        if loss < self.best_loss:
            self.best_loss, self.best_epoch = loss, epoch + 1
            self.best = arrays_of(self.module)
            return False
        return epoch + 1 - self.best_epoch >= self.options.patience

    def _halve(self, loss: float) -> None:
        if loss < self.rate_loss:
            self.rate_loss, self.waited = loss, 0
            return
        self.waited += 1
        if self.waited >= max(1, self.options.patience // 2):
            self.rate, self.waited = self.rate / 2, 0

    # --- checkpoints -------------------------------------------------------------------------

    def known(self) -> dict[str, Any]:
        """Return what the rest of the training needs to know, apart from arrays."""
        names = ("best_epoch", "best_loss", "rate", "waited", "rate_loss")
        return {name: getattr(self, name) for name in names}

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the weights, Adam's moments, and the best weights so far."""
        arrays = {f"state.{name}": value for name, value in arrays_of(self.module).items()}
        for k, moments in self.optimizer.state_dict()["state"].items():
            for name, value in moments.items():
                arrays[f"moment.{k}.{name}"] = np.array(value.cpu().numpy())
        for name, value in (self.best or {}).items():
            arrays[f"best.{name}"] = value
        return arrays

    def resume(self, known: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
        """Put everything back as `known` and `arrays` returned it."""
        import torch

        set_arrays(self.module, _part(arrays, "state."))
        state: dict[int, dict[str, Any]] = {}
        for key, value in _part(arrays, "moment.").items():
            k, _, name = key.partition(".")
            state.setdefault(int(k), {})[name] = torch.tensor(value)
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state, "param_groups": groups})
        for name, value in known.items():
            setattr(self, name, value)
        self.best = _part(arrays, "best.") or None


def _part(arrays: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }


def _batches(rows: np.ndarray, size: int, least: int = 2) -> list[np.ndarray]:
    """Cut rows into batches; a last one of too few goes to the one before it."""
    batches = [rows[first : first + size] for first in range(0, len(rows), size)]
    # PyTorch cannot normalise over a batch of a single window
    if len(batches) > 1 and len(batches[-1]) < least:
        batches[-2:] = [np.concatenate(batches[-2:])]
    return batches


def _averages(sums: np.ndarray, prefix: str) -> dict[str, float]:
    """Return the weighted loss per window and the weighted accuracy, as Keras counts them."""
    loss, n, right, weight = sums
    with np.errstate(invalid="ignore", divide="ignore"):
        return {f"{prefix}loss": float(loss / n), f"{prefix}accuracy": float(right / weight)}


def time_steps(module: Any, x: np.ndarray, y: np.ndarray, *, warm: int, timed: int) -> float:
    """Return the mean time of a step of training in seconds, after some that are not timed."""
    import torch

    device = find_device()
    module = module.to(device).train()
    optimizer = torch.optim.Adam(module.parameters())
    inputs, codes = inputs_of(x, device), torch.from_numpy(y).to(device)
    began = time.perf_counter()
    for k in range(warm + timed):
        if k == warm:
            began = time.perf_counter()
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(module(inputs).float(), codes)
        loss.backward()
        optimizer.step()
        float(loss.detach())  # a GPU works on its own until it is asked
    return (time.perf_counter() - began) / timed
