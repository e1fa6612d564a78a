"""One fold among those that are trained at once: what it learns from, and when it stops."""

from collections.abc import Sequence
from types import SimpleNamespace

import keras
import numpy as np

from eegemo.models.fit_data import FitData, is_validated
from eegemo.models.keras.callbacks import BestWeights, Checkpoint, HalveRate, History
from eegemo.models.options import TrainingOptions
from eegemo.models.shapes import HISTORY, NO_FILES, FitFiles, check_losses

__all__ = ["Part"]


class Part:
    """One fold among those that are trained at once.

    The same callbacks watch over it as over a fold that is trained alone. They take it for their
    model: it has weights, an optimizer with a learning rate, and can be told to stop.

    Parameters
    ----------
    data : FitData
    options : TrainingOptions
    network : keras.Model
        With its first weights; in the end with what was learned.
    rates : ndarray of float32, shape (n,)
        Learning rate for each step, of which the last one holds on.
    seed : int
        Of the order of windows.
    files : FitFiles
    key : str
        Says what is trained, for the checkpoint.
    """

    def __init__(
        self,
        data: FitData,
        options: TrainingOptions,
        *,
        network: keras.Model,
        rates: np.ndarray,
        seed: int,
        files: FitFiles = NO_FILES,
        key: str = "",
    ) -> None:
        self.data, self.network, self.rates = data, network, rates
        self.optimizer = SimpleNamespace(learning_rate=float(rates[0]))
        self.stop_training = False
        validated = is_validated(data)
        #: The windows whose loss is watched.
        self.watched = data.validation if validated else data.validation[:0]
        self.history = History(files.history, HISTORY)
        self.best = BestWeights(options.patience) if validated else None
        halves = validated and options.schedule == "plateau"
        rate = HalveRate(max(1, options.patience // 2)) if halves else None
        self._callbacks = [
            callback for callback in (self.history, self.best, rate) if callback is not None
        ]
        self._epochs, self._n_done = options.epochs, 0
        if not network.optimizer.built:
            network.optimizer.build(network.trainable_variables)
        self._keeper = None
        if files.checkpoint is not None:
            self._keeper = Checkpoint(files.checkpoint, key, self.history, self.best, rate)
            self._keeper.set_model(network)
            self._n_done = self._keeper.resume(network)
            self.stop_training = self.best is not None and self.best.over
            if self._n_done and len(rates) == 1:
                self._set_rate(float(network.optimizer.learning_rate))
        self.learned = [np.array(value) for value in network.trainable_variables]
        self._rng = np.random.default_rng(seed)
        # Keras resets its data before the first epoch, so that `Batches` shuffles once more
        for _ in range(self._n_done + 1):
            self._rng.permutation(data.train)
        for callback in self._callbacks:
            callback.set_model(self)
            callback.on_train_begin()

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
            return self.data.train[:0]
        self.history.shared_by = shared_by
        self.history.on_epoch_begin(self._n_done)
        return self._rng.permutation(self.data.train)

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
            What `eegemo.models.keras.together.program.Program.train` returned, over all steps.
        watched : ndarray, shape (n, n_classes)
            Class probabilities of the watched windows.

        Raises
        ------
        DataError
            If the loss is not a number.
        """
        self.learned = [value.copy() for value in learned]
        self.optimizer.learning_rate = float(self.rates[min(steps, len(self.rates) - 1)])
        logs = {"loss": sums[0] / len(self.data.train), "accuracy": sums[1] / sums[2]}
        if len(watched):
            codes = self.data.y(self.watched)
            weights = self.data.class_weight[codes].astype(np.float64)
            # as Keras has it: cut off, and divided by the number of windows, not by their weight
            p = (watched / watched.sum(axis=1, keepdims=True))[np.arange(len(codes)), codes]
            tiny = keras.config.epsilon()
            logs["val_loss"] = float(weights @ -np.log(np.clip(p, tiny, 1 - tiny)) / len(codes))
            right = watched.argmax(axis=1) == codes
            logs["val_accuracy"] = float(weights @ right / weights.sum())
        for callback in self._callbacks:
            callback.on_epoch_end(self._n_done, logs)
        check_losses(self.data.name, self.history.rows)
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

    def finish(self) -> tuple[keras.Model, list[dict[str, float]], int]:
        """Return the network with the best weights, its history, and the best epoch."""
        for variable, value in zip(self.network.trainable_variables, self.learned, strict=True):
            variable.assign(value)
        best = self.best is not None and self.best.best_epoch
        return self.network, self.history.rows, best or len(self.history.rows)

    def end_training(self) -> None:
        """Go back to the best weights."""
        for callback in self._callbacks:
            callback.on_train_end()
