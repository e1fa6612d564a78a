"""Windows as Keras batches."""

import keras
import numpy as np

from eegemo.scaling import Scaling
from eegemo.windows import Windows

__all__ = ["Batches"]


class Batches(keras.utils.PyDataset):
    """Windows as Keras batches, gathered and scaled when they are asked for.

    Parameters
    ----------
    windows : Windows
    rows : ndarray of int
        The windows to deliver.
    scaling : Scaling
    batch_size : int
    weights : ndarray, shape (n_classes,), optional
        Weight of each class; with it, batches are ``(x, y, weight)``, otherwise ``(x,)``.
    seed : int, optional
        Shuffle anew in every epoch; in the given order if not set.
    epochs_done : int
        Begin with the order that comes after so many epochs.
    """

    def __init__(
        self,
        windows: Windows,
        rows: np.ndarray,
        scaling: Scaling,
        *,
        batch_size: int,
        weights: np.ndarray | None = None,
        seed: int | None = None,
        epochs_done: int = 0,
    ) -> None:
        super().__init__()
        self.windows, self.rows, self.scaling = windows, np.asarray(rows), scaling
        self.batch_size, self.weights = batch_size, weights
        self._unit = scaling.unit_of(windows)
        self._rng = None if seed is None else np.random.default_rng(seed)
        self._order = self.rows
        for _ in range(epochs_done + 1):
            self._shuffle()

    def _shuffle(self) -> None:
        if self._rng is not None:
            self._order = self._rng.permutation(self.rows)

    def on_epoch_end(self) -> None:
        """Shuffle for the next epoch."""
        self._shuffle()

    def __len__(self) -> int:
        return -(-len(self.rows) // self.batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, ...]:
        rows = self._order[index * self.batch_size : (index + 1) * self.batch_size]
        unit = None if self._unit is None else self._unit[rows]
        x = self.scaling.transform(self.windows.gather(rows), unit, overwrite=True)
        if self.weights is None:
            return (x,)
        y = self.windows.codes[rows]
        return x, y, self.weights[y]
