"""One fold among those that are trained at once: what it learns from, and when it stops."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pandas as pd

from eegemo.models.base import HISTORY
from eegemo.models.keras.callbacks import BestWeights, Checkpoint, HalveRate, History
from eegemo.models.keras.fitting import check_losses, is_validated
from eegemo.scaling import Scaling
from eegemo.splits import Fold
from eegemo.training.fold import FittedFold, tabulate
from eegemo.windows import Windows

__all__ = ["Part"]


class Part:
    """One fold among those that are trained at once.

    The same callbacks watch over it as over a fold that is trained alone. They take it for their
    model: it has weights, an optimizer with a learning rate, and can be told to stop.

    Parameters
    ----------
    windows, fold, scaling, patience, history_path
        As for `eegemo.training.fit_fold`.
    network : keras.Model
        With its first weights; in the end with what was learned.
    weights : ndarray, shape (n_classes,)
        Of each class.
    rates : ndarray of float32, shape (n,)
        Learning rate for each step, of which the last one holds on.
    halving : bool
        Whether to halve the learning rate where the validation loss no longer falls.
    seed : int
        Of the order of windows.
    epochs : int
        The most epochs.
    checkpoint : path, optional
        File from which the training goes on if it was interrupted.
    key : str
        Says what is trained, for the checkpoint.
    """

    def __init__(
        self,
        windows: Windows,
        fold: Fold,
        scaling: Scaling,
        *,
        network: keras.Model,
        weights: np.ndarray,
        rates: np.ndarray,
        halving: bool,
        patience: int,
        seed: int,
        history_path: Path | None,
        epochs: int,
        checkpoint: Path | None = None,
        key: str = "",
    ) -> None:
        self.windows, self.fold, self.scaling = windows, fold, scaling
        self.network, self.weights, self.rates = network, weights, rates
        self.optimizer = SimpleNamespace(learning_rate=float(rates[0]))
        self.stop_training = False
        validated = is_validated(windows, fold, weights)
        #: The windows whose loss is watched.
        self.watched = fold.validation if validated else fold.validation[:0]
        self.history = History(history_path, HISTORY)
        self.best = BestWeights(patience) if validated else None
        rate = HalveRate(max(1, patience // 2)) if validated and halving else None
        self._callbacks = [one for one in (self.history, self.best, rate) if one is not None]
        self._epochs, self._n_done = epochs, 0
        if not network.optimizer.built:
            network.optimizer.build(network.trainable_variables)
        self._keeper = None
        if checkpoint is not None:
            self._keeper = Checkpoint(checkpoint, key, self.history, self.best, rate)
            self._keeper.set_model(network)
            self._n_done = self._keeper.resume(network)
            self.stop_training = self.best is not None and self.best.over
            if self._n_done and len(rates) == 1:
                self._set_rate(float(network.optimizer.learning_rate))
        self.learned = [np.array(one) for one in network.trainable_variables]
        self._rng = np.random.default_rng(seed)
        # Keras resets its data before the first epoch, so that `Batches` shuffles once more
        for _ in range(self._n_done + 1):
            self._rng.permutation(fold.train)
        for one in self._callbacks:
            one.set_model(self)
            one.on_train_begin()

    @property
    def going(self) -> bool:
        """Whether there is another epoch to train."""
        return not self.stop_training and self._n_done < self._epochs

    @property
    def n_left(self) -> int:
        """How many epochs there may be left, if the validation loss never falls again."""
        left = self._epochs - self._n_done
        return left if self.best is None else min(left, self.best.patience)

    def _set_rate(self, rate: float) -> None:
        self.optimizer.learning_rate = rate
        self.rates = np.array([rate], np.float32)

    def get_weights(self) -> list[np.ndarray]:
        """Return the trainable weights as they are now."""
        return self.learned

    def set_weights(self, values: list[np.ndarray]) -> None:
        """Take these trainable weights."""
        self.learned = values

    def begin_epoch(self, shared_by: int) -> np.ndarray:
        """Return the training windows in the order of this epoch; none if training is over."""
        if not self.going:
            return self.fold.train[:0]
        self.history.shared_by = shared_by
        self.history.on_epoch_begin(self._n_done)
        return self._rng.permutation(self.fold.train)

    def end_epoch(
        self,
        learned: list[np.ndarray],
        steps: int,
        sums: Sequence[float],
        watched: np.ndarray,
    ) -> None:
        """Take note of an epoch, and decide whether to go on.

        Parameters
        ----------
        learned : list of ndarray
            The trainable weights.
        steps : int
            How many steps the optimizer has made.
        sums : sequence of float
            What `eegemo.training.together_program.Program.train` returned, over all steps.
        watched : ndarray, shape (n, n_classes)
            Class probabilities of the watched windows.

        Raises
        ------
        DataError
            If the loss is not a number.
        """
        self.learned = [value.copy() for value in learned]
        self.optimizer.learning_rate = float(self.rates[min(steps, len(self.rates) - 1)])
        logs = {"loss": sums[0] / len(self.fold.train), "accuracy": sums[1] / sums[2]}
        if len(watched):
            codes = self.windows.codes[self.watched]
            weights = self.weights[codes].astype(np.float64)
            # as Keras has it: cut off, and divided by the number of windows, not by their weight
            p = (watched / watched.sum(axis=1, keepdims=True))[np.arange(len(codes)), codes]
            tiny = keras.config.epsilon()
            logs["val_loss"] = float(weights @ -np.log(np.clip(p, tiny, 1 - tiny)) / len(codes))
            right = watched.argmax(axis=1) == codes
            logs["val_accuracy"] = float(weights @ right / weights.sum())
        for one in self._callbacks:
            one.on_epoch_end(self._n_done, logs)
        check_losses(self.fold, self.history.rows)
        self._n_done += 1
        if len(self.rates) == 1:  # no schedule, so it may have been halved
            self._set_rate(self.optimizer.learning_rate)

    def is_due(self, shared_by: int) -> bool:
        """Tell whether to write a checkpoint, where so many parts write theirs."""
        if self._keeper is None:
            return False
        self._keeper.wait = Checkpoint.wait * shared_by
        return self._keeper.is_due(last=not self.going)

    def write_checkpoint(self, others: list[np.ndarray], optimizer: list[np.ndarray]) -> None:
        """Write a checkpoint with what was learned last, and the other variables."""
        assert self._keeper is not None
        self.put(others, optimizer)
        if len(self.rates) == 1:
            self.network.optimizer.learning_rate = self.optimizer.learning_rate
        self._keeper.write(self._n_done)

    def put(self, others: list[np.ndarray], optimizer: list[np.ndarray]) -> None:
        """Put all variables into the network."""
        network = self.network
        for variables, values in (
            (network.trainable_variables, self.learned),
            (network.non_trainable_variables, others),
            (network.optimizer.variables, optimizer),
        ):
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)

    def finish(
        self, number: int, p_test: np.ndarray, p_validation: np.ndarray, seconds: float
    ) -> FittedFold:
        """Return what was learned, with the best weights.

        Parameters
        ----------
        number : int
            The fold's number in the predictions.
        p_test, p_validation : ndarray, shape (n, n_classes)
            Class probabilities of its windows.
        seconds : float
            What it took to predict the test windows.
        """
        network, fold = self.network, self.fold
        for variable, value in zip(network.trainable_variables, self.learned, strict=True):
            variable.assign(value)
        history = pd.DataFrame(self.history.rows, columns=list(HISTORY))
        tables = [
            tabulate(self.windows, fold, rows, number, p) if len(rows) else pd.DataFrame()
            for rows, p in ((fold.test, p_test), (fold.validation, p_validation))
        ]
        return FittedFold(
            model=network,
            scaling=self.scaling,
            history=history,
            best_epoch=(self.best is not None and self.best.best_epoch) or len(history),
            predictions=tables[0],
            validation=tables[1],
            seconds={"fit": float(history["seconds"].sum()), "predict": seconds},
        )

    def end_training(self) -> None:
        """Go back to the best weights."""
        for one in self._callbacks:
            one.on_train_end()
