"""Many networks of one architecture, trained by one JAX program.

The weights of all networks are stacked along a first axis, and `jax.vmap` maps Keras's own
`stateless_call` and `stateless_apply` over it; `jax.lax.scan` runs all steps of an epoch in one
dispatch. Windows are gathered on the device. This is the one module that imports JAX itself: Keras
has no back-end-neutral counterpart of vmap.

Three kinds of layers are replaced by ones that compute the same from the same weights, and that
many networks at once do well: a convolution is a matrix product over unfolded windows (many
convolutions at once, each with its own kernel, are slow), pooling is a maximum of slices (its
gradient is elementwise then), and a recurrent layer multiplies its inputs once for all times, and
so finds the gradient of its weights.
"""

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any, TypeAlias

import keras
from keras import ops

from eegemo.execution import available_memory

__all__ = ["Program", "free_memory", "make_twin", "run_recurrence"]

Array: TypeAlias = Any
States: TypeAlias = tuple[Array, ...]
Cell: TypeAlias = Callable[[Array, Array, States], States]

# Steps of a recurrent layer that are compiled as one; it affects speed only.
_UNROLL = 8


def run_recurrence(cell: Cell, n_states: int, x: Array, kernel: Array, bias: Array) -> Array:
    """Run a recurrent cell over time, from states of zero.

    The gradient is written out. What the recurrent weights are multiplied with in the forward pass
    is known in the backward pass, so that their gradient is one product over all times, not a sum
    of one for each time.

    Parameters
    ----------
    cell : callable
        ``cell(x_t, inner_t, states)`` returns the next states, elementwise. The first state is the
        output, and ``inner_t`` its product with `kernel`, plus `bias`.
    n_states : int
    x : array, shape (batch, time, n)
        Inputs, already multiplied by their weights.
    kernel : array, shape (units, n)
    bias : array, shape (n,)

    Returns
    -------
    outputs : array, shape (batch, time, units)
    """
    import jax
    from jax import numpy as jnp

    def zeros(x: Array) -> States:
        return (jnp.zeros((x.shape[1], kernel.shape[0]), x.dtype),) * n_states

    def forward(x: Array, kernel: Array, bias: Array) -> States:
        def step(states: States, x_t: Array) -> tuple[States, States]:
            states = cell(x_t, states[0] @ kernel + bias, states)
            return states, states

        after: States = jax.lax.scan(step, zeros(x), x, unroll=_UNROLL)[1]
        return after

    @jax.custom_vjp
    def run(x: Array, kernel: Array, bias: Array) -> Array:
        return forward(x, kernel, bias)[0]

    def keep(x: Array, kernel: Array, bias: Array) -> tuple[Array, Any]:
        after = forward(x, kernel, bias)
        return after[0], (x, kernel, bias, after)

    def back(kept: Any, slope: Array) -> tuple[Array, Array, Array]:
        x, kernel, bias, after = kept
        before = tuple(jnp.concatenate([jnp.zeros_like(a[:1]), a[:-1]]) for a in after)
        inner = before[0] @ kernel + bias

        def step(slopes: States, at: Any) -> tuple[States, tuple[Array, Array]]:
            x_t, inner_t, states, own = at
            pull = jax.vjp(cell, x_t, inner_t, states)[1]
            of_x, of_inner, of_states = pull((slopes[0] + own, *slopes[1:]))
            return (of_states[0] + of_inner @ kernel.T, *of_states[1:]), (of_x, of_inner)

        through = (x, inner, before, slope)
        options = {"reverse": True, "unroll": _UNROLL}
        of_x, of_inner = jax.lax.scan(step, zeros(x), through, **options)[1]
        return of_x, jnp.einsum("tbu,tbn->un", before[0], of_inner), of_inner.sum(axis=(0, 1))

    run.defvjp(keep, back)
    return jnp.swapaxes(run(jnp.swapaxes(x, 0, 1), kernel, bias), 0, 1)


class _Conv1D(keras.layers.Conv1D):
    """`keras.layers.Conv1D` with stride 1 and ``padding="same"``, as a matrix product."""

    def call(self, inputs: Array) -> Array:
        size, n_times = self.kernel_size[0], inputs.shape[1]
        left = (size - 1) // 2
        padded = ops.pad(inputs, [[0, 0], [left, size - 1 - left], [0, 0]])
        unfolded = ops.concatenate([padded[:, k : k + n_times] for k in range(size)], axis=-1)
        kernel = ops.reshape(self.kernel, (-1, self.filters))
        return self.activation(ops.matmul(unfolded, kernel) + self.bias)


class _MaxPooling1D(keras.layers.MaxPooling1D):
    """`keras.layers.MaxPooling1D` with steps as long as the pool, which drops the rest.

    Where several samples are the largest their gradient is shared; after ReLU such samples are
    zeros, which have none.
    """

    def call(self, inputs: Array) -> Array:
        size = self.pool_size[0]
        whole = inputs[:, : inputs.shape[1] // size * size]
        # the gradient of `ops.max` compares and counts, and reads all samples once more for it
        return reduce(ops.maximum, (whole[:, k::size] for k in range(size)))


class _LSTM(keras.layers.LSTM):
    """`keras.layers.LSTM` from states of zero, giving all times."""

    def call(
        self, sequences: Array, initial_state: Any = None, mask: Any = None, training: bool = False
    ) -> Array:
        gate, squash = self.recurrent_activation, self.activation

        def cell(x: Array, inner: Array, states: States) -> States:
            i, f, c, o = ops.split(x + inner, 4, axis=-1)
            carry = gate(f) * states[1] + gate(i) * squash(c)
            return gate(o) * squash(carry), carry

        kernel, bias = map(ops.convert_to_tensor, (self.cell.recurrent_kernel, self.cell.bias))
        return run_recurrence(cell, 2, ops.matmul(sequences, self.cell.kernel), kernel, bias)


class _GRU(keras.layers.GRU):
    """`keras.layers.GRU` (``reset_after``) from states of zero, giving all times."""

    def call(
        self, sequences: Array, initial_state: Any = None, mask: Any = None, training: bool = False
    ) -> Array:
        gate, squash = self.recurrent_activation, self.activation

        def cell(x: Array, inner: Array, states: States) -> States:
            x_z, x_r, x_h = ops.split(x, 3, axis=-1)
            inner_z, inner_r, inner_h = ops.split(inner, 3, axis=-1)
            z = gate(x_z + inner_z)
            proposed = squash(x_h + gate(x_r + inner_r) * inner_h)
            return (z * states[0] + (1 - z) * proposed,)

        of_input, bias = ops.unstack(ops.convert_to_tensor(self.cell.bias), axis=0)
        kernel = ops.convert_to_tensor(self.cell.recurrent_kernel)
        return run_recurrence(
            cell, 1, ops.matmul(sequences, self.cell.kernel) + of_input, kernel, bias
        )


_TWINS: dict[type, Any] = {
    keras.layers.Conv1D: _Conv1D,
    keras.layers.MaxPooling1D: _MaxPooling1D,
    keras.layers.LSTM: _LSTM,
    keras.layers.GRU: _GRU,
}


def make_twin(network: keras.Model) -> keras.Model:
    """Return a network that computes the same from the same weights, in the same order.

    Its own weights mean nothing: they are put in with each call.
    """

    def replace(layer: Any) -> Any:
        kind = _TWINS.get(type(layer), type(layer))
        return kind.from_config(layer.get_config())

    return keras.models.clone_model(network, clone_function=replace)


def scale_windows(x: Array, steps: Sequence[str]) -> Array:
    """Scale each window by itself, as `eegemo.scaling.affine` does with ``fit="window"``."""
    for step in steps:
        low, high = ops.min(x, axis=1, keepdims=True), ops.max(x, axis=1, keepdims=True)
        if step == "zscore":
            zero = ops.mean(x, axis=1, keepdims=True)
            width = ops.std(x, axis=1, keepdims=True)
            # what rounding leaves of a channel without spread is not stretched
            width = ops.where((low == high) | (width <= 1e-7 * ops.abs(zero)), 0.0, width)
        else:
            zero, width = low, high - low
        x = (x - zero) / ops.where(width > 0, width, 1.0)
    return x


def free_memory() -> int | None:
    """Return the bytes that the device may still take; None where it is not known."""
    import jax

    # a device that is the CPU keeps no such record
    known = jax.devices()[0].memory_stats() or {}
    if "bytes_limit" in known:
        return int(known["bytes_limit"]) - int(known.get("bytes_in_use", 0))
    return available_memory()


class Program:
    """Train and apply many networks of one architecture at once.

    Wherever a first axis is called ``n_folds``, each network has its own. `shared` is what they
    have in common, on the device: ``signals`` (n_trials, n_times, n_channels), and for each window
    ``trial``, ``first`` (its first sample) and ``codes``; `own` is what each has for itself:
    ``gain`` and ``offset`` (n_folds, n_trials, n_channels), class ``weights`` (n_folds, n_classes)
    and learning ``rates`` (n_folds, n), one for each step, of which the last one holds on.

    Parameters
    ----------
    network : keras.Model
        Compiled with a learning rate that is a number, not a schedule.
    steps : sequence of {"zscore", "minmax"}
        Scale each window by itself, after `gain` and `offset`.
    """

    def __init__(self, network: keras.Model, steps: Sequence[str] = ()) -> None:
        import jax

        self.network, self.steps = make_twin(network), tuple(steps)
        self.optimizer = network.optimizer.from_config(network.optimizer.get_config())
        self.optimizer.build(self.network.trainable_variables)
        places = [id(variable) for variable in self.optimizer.variables]
        #: Where in the optimizer's state these two are.
        self.rate_at = places.index(id(self.optimizer.learning_rate))
        self.steps_at = places.index(id(self.optimizer.iterations))
        self.train = jax.jit(self._train, donate_argnums=0)
        self.predict = jax.jit(self._predict)

    def _gather(self, shared: dict[str, Array], own: dict[str, Array], rows: Array) -> Array:
        import jax

        signals, size = shared["signals"], self.network.input_shape[1:]
        trial, first = shared["trial"][rows], shared["first"][rows]

        def cut(trial: Array, first: Array) -> Array:
            return jax.lax.dynamic_slice(signals, (trial, first, 0), (1, *size))[0]

        x = jax.vmap(cut)(trial, first) * own["gain"][trial][:, None]
        return scale_windows(x + own["offset"][trial][:, None], self.steps)

    def _train(self, state: Any, shared: Any, own: Any, rows: Array) -> tuple[Any, Any]:
        """Train through one epoch.

        Parameters
        ----------
        state : three lists of array
            Trainable variables, other variables, variables of the optimizer; (n_folds, ...).
        shared, own : dict of str to array
        rows : array of int, shape (n_steps, n_folds, batch_size)
            Window numbers; -1 where there is none. A network whose batch has none at all stays as
            it was, its optimizer and its seeds of dropout too.

        Returns
        -------
        state : three lists of array
        sums : array, shape (n_steps, n_folds, 3)
            Weighted loss, weight of the windows recognised, and weight, summed over the batch.
        """
        import jax

        step = jax.vmap(self._step, in_axes=(0, None, 0, 0))
        return jax.lax.scan(lambda state, rows: step(state, shared, own, rows), state, rows)  # type: ignore[no-any-return]

    def _step(self, state: Any, shared: Any, own: Any, rows: Array) -> tuple[Any, Any]:
        import jax
        from jax import numpy as jnp

        trainable, others, optimizer = state
        last = own["rates"].shape[0] - 1
        rate = own["rates"][jnp.minimum(optimizer[self.steps_at], last)]
        optimizer = [rate if k == self.rate_at else value for k, value in enumerate(optimizer)]
        there, rows = rows >= 0, jnp.maximum(rows, 0)
        codes = shared["codes"][rows]
        weights = own["weights"][codes] * there
        x = self._gather(shared, own, rows)

        def loss_of(trainable: Any) -> tuple[Array, Any]:
            p, changed = self.network.stateless_call(trainable, others, x, training=True)
            each = keras.losses.sparse_categorical_crossentropy(codes, p)
            total = (weights * each).sum()
            # Keras divides by the number of windows, not by their weight
            loss = total / jnp.maximum(there.sum(), 1)
            mapping = list(zip(self.optimizer.variables, optimizer, strict=True))
            with keras.StatelessScope(state_mapping=mapping):
                scaled = self.optimizer.scale_loss(loss)
            right = (weights * (p.argmax(axis=-1) == codes)).sum()
            return scaled, (changed, (total, right, weights.sum()))

        (_, (changed, sums)), slopes = jax.value_and_grad(loss_of, has_aux=True)(trainable)
        moved = self.optimizer.stateless_apply(optimizer, slopes, trainable)
        after = (moved[0], changed, moved[1])
        go = there.any()
        return jax.tree.map(lambda a, b: jnp.where(go, a, b), after, tuple(state)), jnp.stack(sums)

    def _predict(self, state: Any, shared: Any, own: Any, rows: Array) -> Array:
        """Return class probabilities, shape (n_steps, n_folds, batch_size, n_classes).

        Arguments are as for `train`; the optimizer's variables are not needed.
        """
        import jax
        from jax import numpy as jnp

        def step_alone(trainable: Any, others: Any, own: Any, rows: Array) -> Array:
            x = self._gather(shared, own, jnp.maximum(rows, 0))
            return self.network.stateless_call(trainable, others, x, training=False)[0]

        step = jax.vmap(step_alone)
        return jax.lax.map(lambda rows: step(state[0], state[1], own, rows), rows)
