"""What happens at the end of an epoch: keep the history, the best weights, and a checkpoint.

Keras's own callbacks forget what they know when a process dies. Each one here can say all that it
knows (`state`) and be told it (`resume`), so that a fold goes on as if nothing had happened.
"""

import csv
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from eegemo.store import atomic_file

__all__ = ["BestWeights", "Checkpoint", "HalveRate", "History", "SeedEpochs"]

Logs = Mapping[str, float] | None


class BestWeights(keras.callbacks.Callback):
    """Stop when the validation loss no longer falls, and go back to the best epoch's weights."""

    def __init__(self, patience: int) -> None:
        super().__init__()
        self.patience, self.best, self.best_epoch = patience, np.inf, 0
        self.weights: list[np.ndarray] | None = None
        self.over = False

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Keep the weights if they are the best so far."""
        loss = (logs or {}).get("val_loss", np.nan)
        if loss < self.best:
            self.best, self.best_epoch = loss, epoch + 1
            self.weights = self.model.get_weights()
        elif epoch + 1 - self.best_epoch >= self.patience:
            self.over = self.model.stop_training = True

    def on_train_end(self, logs: Logs = None) -> None:
        """Go back to the best weights."""
        if self.weights is not None:
            self.model.set_weights(self.weights)

    def state(self) -> dict[str, Any]:
        """Return what the rest of the training needs to know."""
        return {"best": float(self.best), "best_epoch": self.best_epoch, "over": self.over}

    def resume(self, state: Mapping[str, Any], weights: list[np.ndarray] | None) -> None:
        """Go on from what `state` returned."""
        self.best, self.best_epoch = state["best"], state["best_epoch"]
        self.over, self.weights = state["over"], weights


class HalveRate(keras.callbacks.Callback):
    """Halve the learning rate after so many epochs without a lower validation loss."""

    def __init__(self, patience: int) -> None:
        super().__init__()
        self.patience, self.best, self.waited = patience, np.inf, 0

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Lower the rate if it is time."""
        loss = (logs or {}).get("val_loss", np.nan)
        if loss < self.best:
            self.best, self.waited = loss, 0
            return
        self.waited += 1
        if self.waited >= self.patience:
            self.model.optimizer.learning_rate = float(self.model.optimizer.learning_rate) / 2
            self.waited = 0

    def state(self) -> dict[str, Any]:
        """Return what the rest of the training needs to know."""
        return {"best": float(self.best), "waited": self.waited}

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned."""
        self.best, self.waited = state["best"], state["waited"]


class History(keras.callbacks.Callback):
    """Keep a row per epoch, and write it as the epoch ends, so that progress can be seen."""

    def __init__(self, path: Path | None, columns: tuple[str, ...]) -> None:
        super().__init__()
        self.rows: list[dict[str, float]] = []
        self._path, self._columns, self._began = path, columns, 0.0
        #: How many trainings share the time of this epoch.
        self.shared_by = 1

    def resume(self, rows: list[dict[str, float]]) -> None:
        """Go on after these rows."""
        self.rows = rows

    def on_train_begin(self, logs: Logs = None) -> None:
        """Write what is known from before."""
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("w", newline="", encoding="utf-8") as stream:
                csv.writer(stream).writerow(self._columns)
        for row in self.rows:
            self._write(row)

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Start the clock."""
        self._began = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Add a row."""
        row = {name: float((logs or {}).get(name, np.nan)) for name in self._columns}
        row["epoch"] = epoch + 1
        row["learning_rate"] = float(self.model.optimizer.learning_rate)
        row["seconds"] = (time.perf_counter() - self._began) / self.shared_by
        self.rows.append(row)
        self._write(row)

    def _write(self, row: Mapping[str, float]) -> None:
        if self._path is not None:
            with self._path.open("a", newline="", encoding="utf-8") as stream:
                csv.writer(stream).writerow(["" if np.isnan(v) else v for v in row.values()])


class SeedEpochs(keras.callbacks.Callback):
    """Let each epoch draw from a seed of its own.

    On PyTorch, Keras's dropout draws from PyTorch's one generator, not from variables of the model
    that a checkpoint could hold. With this, what an epoch draws does not depend on earlier ones.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.seed = seed

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Set the seed."""
        (seed,) = np.random.SeedSequence([self.seed, epoch]).generate_state(1)
        keras.utils.set_random_seed(int(seed))


class Checkpoint(keras.callbacks.Callback):
    """Write everything that the rest of a training depends on, at the end of epochs.

    That is: weights, optimizer, the seeds of dropout, the best weights so far, and what the other
    callbacks know. Writing takes at most about a twentieth of the time: after a slow one, epochs
    pass without.

    Parameters
    ----------
    path : Path
    key : str
        Says what is trained; a checkpoint of something else is not taken up.
    history, best, rate : the other callbacks
    """

    #: So many times as long as writing took passes before the next.
    wait = 20

    def __init__(
        self,
        path: Path,
        key: str,
        history: History,
        best: BestWeights | None,
        rate: HalveRate | None,
    ) -> None:
        super().__init__()
        self.path, self.key = path, key
        self.history, self.best, self.rate = history, best, rate
        self._cost, self._written = 0.0, -np.inf

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Write the checkpoint, if it is time."""
        if self.is_due(last=self.model.stop_training or epoch + 1 == self.params["epochs"]):
            self.write(epoch + 1)

    def is_due(self, *, last: bool) -> bool:
        """Tell whether to write one now; the one after the last epoch always is."""
        return last or time.perf_counter() - self._written >= self.wait * self._cost

    def write(self, n_epochs: int) -> None:
        """Write a checkpoint after so many epochs."""
        began = time.perf_counter()
        known = {
            "key": self.key,
            "epoch": n_epochs,
            "history": self.history.rows,
            "best": self.best.state() if self.best is not None else None,
            "rate": self.rate.state() if self.rate is not None else None,
        }
        arrays = {f"state_{k}": np.asarray(v) for k, v in enumerate(self._variables())}
        if self.best is not None and self.best.weights is not None:
            arrays |= {f"best_{k}": value for k, value in enumerate(self.best.weights)}
        with atomic_file(self.path) as temporary, temporary.open("wb") as stream:
            np.savez(stream, allow_pickle=False, known=np.array(json.dumps(known)), **arrays)
        self._written = time.perf_counter()
        self._cost = self._written - began

    def _variables(self) -> list[Any]:
        variables = [*self.model.variables, *self.model.optimizer.variables]
        return [keras.ops.convert_to_numpy(variable) for variable in variables]

    def resume(self, model: keras.Model) -> int:
        """Put everything back as it was, and return how many epochs are done.

        A file that is not there, is damaged, or belongs to something else means none.
        """
        if not self.path.is_file():
            return 0
        if not model.optimizer.built:  # one that scales its loss would be built twice
            model.optimizer.build(model.trainable_variables)
        variables = [*model.variables, *model.optimizer.variables]
        try:
            with self.path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
                known = json.loads(str(file["known"]))
                if known["key"] != self.key:
                    return 0
                state = [file[f"state_{k}"] for k in range(len(variables))]
                n_best = sum(name.startswith("best_") for name in file.files)
                weights = [file[f"best_{k}"] for k in range(n_best)] or None
        except Exception:  # whatever is wrong with a damaged file, the answer is to begin anew
            return 0
        if any(a.shape != tuple(v.shape) for a, v in zip(state, variables, strict=True)):
            return 0
        for variable, value in zip(variables, state, strict=True):
            variable.assign(value)
        self.history.resume(known["history"])
        if self.best is not None and known["best"] is not None:
            self.best.resume(known["best"], weights)
        if self.rate is not None and known["rate"] is not None:
            self.rate.resume(known["rate"])
        return int(known["epoch"])
