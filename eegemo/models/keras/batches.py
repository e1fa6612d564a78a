"""Windows as Keras batches."""

import keras
import numpy as np

from eegemo.models.fit_data import FitData
from eegemo.scaling import ScaledWindows

__all__ = ["Batches"]


class Batches(keras.utils.PyDataset):
    """Windows as Keras batches, gathered and scaled when they are asked for.

    Parameters
    ----------
    data : ScaledWindows or FitData
        The latter where classes are needed.
    rows : ndarray of int
        The windows to deliver.
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
        data: ScaledWindows | FitData,
        rows: np.ndarray,
        *,
        batch_size: int,
        weights: np.ndarray | None = None,
        seed: int | None = None,
        epochs_done: int = 0,
    ) -> None:
        super().__init__()
        self.data, self.rows = data, np.asarray(rows)
        self.batch_size, self.weights = batch_size, weights
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
        x = self.data.x(rows)
        if self.weights is None:
            return (x,)
        assert isinstance(self.data, FitData)
        y = self.data.y(rows)
        return x, y, self.weights[y]
