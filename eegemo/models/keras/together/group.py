"""Folds that are trained at once: their state on the device, and the epochs they share."""

from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np

from eegemo.models.keras.together.part import Part
from eegemo.models.keras.together.program import Program

__all__ = ["Group"]

# Windows of each fold that are classified at a time; it affects speed and memory only.
_BATCH = 256
# To compile for fewer folds takes as long as about so many steps of one of them, on a GPU that many
# of them keep busy. Speed depends on it, and the last digits.
_WORTH = 200_000


class Group:
    """Folds that are trained at once, each at its place along the first axis of all arrays.

    Parameters
    ----------
    program : Program
    shared : dict of str to array
        As `Program` has it.
    parts : sequence of Part
    used : ndarray of int, shape (n_trials,)
        The trials that are on the device.
    batch_size : int
    n_steps : int
        Batches of an epoch; folds that have fewer are filled up.
    """

    def __init__(
        self,
        program: Program,
        shared: dict[str, Any],
        parts: Sequence[Part],
        used: np.ndarray,
        *,
        batch_size: int,
        n_steps: int,
    ) -> None:
        self.program, self.shared, self.parts = program, shared, list(parts)
        self.used, self.batch_size, self.n_steps = used, batch_size, n_steps
        self._own = _stack_own(parts, used)

    def train(self) -> None:
        """Train until each part has had its epochs or stops early."""
        networks = [part.network for part in self.parts]
        state: Any = (
            _stack([network.trainable_variables for network in networks]),
            _stack([network.non_trainable_variables for network in networks]),
            _stack([self._with_rate(network.optimizer.variables) for network in networks]),
        )
        while any(part.going for part in self.parts) and not self._is_too_wide():
            state = self._train_epoch(state)
        for part, others, optimizer in self._states(state, range(len(self.parts))):
            part.put(others, optimizer)
        going = [part for part in self.parts if part.going]
        if going:
            n_steps = max(-(-len(part.data.train) // self.batch_size) for part in going)
            size = {"batch_size": self.batch_size, "n_steps": n_steps}
            Group(self.program, self.shared, going, self.used, **size).train()

    def _is_too_wide(self) -> bool:
        """Tell whether so many parts are over that the others had better go on by themselves."""
        left = [part.n_left for part in self.parts if part.going]
        idle = len(self.parts) - len(left)
        return idle >= len(left) and idle * self.n_steps * max(left) >= _WORTH

    def _train_epoch(self, state: Any) -> Any:
        going = [part.going for part in self.parts]
        # a part that is over has nothing but padding, which leaves it as it is
        rows = [part.begin_epoch(sum(going)) for part in self.parts]
        own = self._own | {"rates": np.stack([part.rates for part in self.parts])}
        batches = _batch(rows, self.batch_size, self.n_steps)
        state, sums = self.program.train(state, self.shared, own, batches)
        p = self._classify(state, [part.watched for part in self.parts])
        learned = list(map(np.asarray, state[0]))
        steps = np.asarray(state[2][self.program.steps_at])
        totals = np.asarray(sums, np.float64).sum(axis=0)
        trained = np.flatnonzero(going).tolist()
        for k in trained:
            own_learned = [value[k] for value in learned]
            self.parts[k].end_epoch(own_learned, int(steps[k]), totals[k], p[k])
        due = [k for k in trained if self.parts[k].is_due(len(trained))]
        for part, others, optimizer in self._states(state, due):
            part.write_checkpoint(others, optimizer)
        return state

    def _with_rate(self, variables: Sequence[Any]) -> list[Any]:
        """Put a learning rate among an optimizer's variables where a schedule takes its place."""
        values, places = list(variables), self.program.optimizer.variables
        if len(values) < len(places):
            values.insert(self.program.rate_at, places[self.program.rate_at])
        return values

    def _states(
        self, state: Any, which: Sequence[int]
    ) -> Iterator[tuple[Part, list[np.ndarray], list[np.ndarray]]]:
        """Yield parts with their other variables, and those of their optimizers."""
        if not which:
            return
        host = [list(map(np.asarray, values)) for values in state[1:]]
        for k in which:
            part = self.parts[k]
            others, optimizer = ([value[k] for value in values] for values in host)
            if len(optimizer) > len(part.network.optimizer.variables):  # a schedule is none
                del optimizer[self.program.rate_at]
            yield part, others, optimizer

    def _classify(self, state: Any, rows: Sequence[np.ndarray]) -> list[np.ndarray]:
        longest = max(map(len, rows))
        if not longest:
            n_classes = self._own["weights"].shape[1]
            return [np.zeros((0, n_classes), np.float32) for _ in rows]
        size = min(longest, _BATCH)
        n_steps = -(-longest // size)
        batches = _batch(rows, size, n_steps)
        found = np.asarray(self.program.predict(state[:2], self.shared, self._own, batches))
        by_part = found.swapaxes(0, 1).reshape(len(rows), n_steps * size, -1)
        return [p[: len(own)] for p, own in zip(by_part, rows, strict=True)]


def _batch(rows: Sequence[np.ndarray], size: int, n_steps: int) -> np.ndarray:
    """Cut into batches, shape (n_steps, n_folds, size), filled up with -1."""
    table = np.full((len(rows), n_steps * size), -1, np.int32)
    for place, own in zip(table, rows, strict=True):
        place[: len(own)] = own
    return table.reshape(len(rows), n_steps, size).swapaxes(0, 1)


def _stack(values: Sequence[Sequence[Any]]) -> list[Any]:
    """Put what each part has into one array on the device, for each variable."""
    return [
        keras.ops.convert_to_tensor(np.stack([keras.ops.convert_to_numpy(value) for value in same]))
        for same in zip(*values, strict=True)
    ]


def _stack_own(parts: Sequence[Part], used: np.ndarray) -> dict[str, Any]:
    """Put class weights and scaling on the device; the scaling as one map for each trial."""
    tables: dict[str, list[np.ndarray]] = {"weights": [], "gain": [], "offset": []}
    for part in parts:
        data = part.data.scaled
        scaling, windows, unit = data.scaling, data.windows, data.unit
        of_trial = np.zeros(len(windows.trials), int)
        if unit is not None:
            of_trial[windows.trial] = unit
        # without steps, and where each window is scaled by itself, there are no units
        plain = np.ones((1, windows.n_channels), np.float32)
        gain, offset = (scaling.gain, scaling.offset) if scaling.units else (plain, 0 * plain)
        tables["gain"].append(gain[of_trial[used]])
        tables["offset"].append(offset[of_trial[used]])
        tables["weights"].append(part.data.class_weight)
    return {name: keras.ops.convert_to_tensor(np.stack(table)) for name, table in tables.items()}
