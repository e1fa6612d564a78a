"""What one forward pass of a network costs, counted from its layers.

The unit is the multiply-add: one multiplication whose product is added to a sum, which processors
do in one step. Papers that count floating-point operations call the same pass twice as many.

Counted, for one window at inference:

- ``Conv1D``: ``n_out * kernel_size * (n_channels / groups) * filters``; padding counts, as it is
  multiplied as well.
- ``Conv2D``: the same with ``kernel_height * kernel_width``; ``n_out`` is height times width.
- ``DepthwiseConv2D``: ``n_out * kernel_height * kernel_width * n_channels * depth_multiplier``.
- ``SeparableConv2D``: as its depthwise part, and ``n_out * n_channels * depth_multiplier *
  filters`` of its pointwise part.
- ``BatchNormalization``: one for each number, which is scaled and shifted.
- ``Dense``: ``n_positions * n_inputs * units``; ``n_positions`` is 1 for a plain vector.
- ``LSTM``: ``n_times * 4 * units * (n_inputs + units)``: three gates and the candidate (Hochreiter
  & Schmidhuber 1997; Gers et al. 2000).
- ``GRU``: ``n_times * 3 * units * (n_inputs + units)``: two gates and the candidate (Cho et al.
  2014).

Biases, activations, pooling, dropout, flattening and the element-wise products inside recurrent
cells count as nothing: they are no multiply-adds, or fewer by a factor of the layer's width.
"""

from collections.abc import Callable
from math import prod
from typing import Any

import keras
from keras import layers

__all__ = ["count_multiply_adds"]


def count_multiply_adds(model: keras.Model) -> int | None:
    """Count the multiply-adds of one forward pass of one window.

    Parameters
    ----------
    model : keras.Model
        A built model whose input shape is known apart from the batch. Models inside it are
        counted as well.

    Returns
    -------
    int or None
        None if it cannot be counted: a layer of another kind has weights, a layer is used twice,
        or the length of its input is not known. Half a count would look like a small cost, and a
        run should not fail over it.

    Examples
    --------
    >>> model = keras.Sequential([keras.Input((10, 2)), layers.LSTM(3)])
    >>> count_multiply_adds(model) == 10 * 4 * 3 * (2 + 3)
    True
    """
    total = 0
    repeated = _used_again(model)
    for layer in model.layers:
        if layer.weights and layer.name in repeated:
            return None
        if isinstance(layer, keras.Model):
            part = count_multiply_adds(layer)
            if part is None:
                return None
            total += part
        elif layer.weights:
            count = _COUNTS.get(type(layer))
            shapes = _shapes(layer)
            if count is None or shapes is None:
                return None
            total += count(layer, *shapes)
    return total


def _used_again(model: keras.Model) -> set[str]:
    """Name the layers that a model calls more than once; Keras shows only the first call."""
    try:
        entries = model.get_config().get("layers", [])
    except NotImplementedError:  # a subclass: its layers belong to no graph, so nothing is counted
        return set()
    return {entry["name"] for entry in entries if len(entry.get("inbound_nodes", [])) > 1}


def _shapes(layer: Any) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """Return the shapes of a layer's input and output without the batch; None if not known."""
    try:
        shapes = [tuple(tensor.shape[1:]) for tensor in (layer.input, layer.output)]
    except (AttributeError, ValueError):  # called by no graph, or on several tensors
        return None
    return None if None in shapes[0] + shapes[1] else (shapes[0], shapes[1])


def _conv_1d(layer: Any, given: tuple[int, ...], made: tuple[int, ...]) -> int:
    at = 1 if layer.data_format == "channels_last" else 0
    n_channels, n_out = given[at], made[1 - at]
    return int(n_out * layer.kernel_size[0] * (n_channels // layer.groups) * layer.filters)


def _positions(layer: Any, given: tuple[int, ...], made: tuple[int, ...]) -> tuple[int, int]:
    """Return how many positions a two-dimensional convolution works at, and its input channels."""
    if layer.data_format == "channels_last":
        return prod(made[:2]), given[2]
    return prod(made[1:]), given[0]


def _conv_2d(layer: Any, given: tuple[int, ...], made: tuple[int, ...]) -> int:
    n_out, n_channels = _positions(layer, given, made)
    return int(n_out * prod(layer.kernel_size) * (n_channels // layer.groups) * layer.filters)


def _depthwise(layer: Any, given: tuple[int, ...], made: tuple[int, ...]) -> int:
    n_out, n_channels = _positions(layer, given, made)
    return int(n_out * prod(layer.kernel_size) * n_channels * layer.depth_multiplier)


def _separable(layer: Any, given: tuple[int, ...], made: tuple[int, ...]) -> int:
    n_out, n_channels = _positions(layer, given, made)
    n_filters = n_channels * layer.depth_multiplier
    return int(n_out * n_filters * (prod(layer.kernel_size) + layer.filters))


def _normalization(layer: Any, given: tuple[int, ...], made: tuple[int, ...]) -> int:
    return prod(made)


def _dense(layer: Any, given: tuple[int, ...], made: tuple[int, ...]) -> int:
    return int(prod(given) * layer.units)


def _lstm(layer: Any, given: tuple[int, ...], made: tuple[int, ...]) -> int:
    n_times, n_inputs = given
    return int(n_times * 4 * layer.units * (n_inputs + layer.units))


def _gru(layer: Any, given: tuple[int, ...], made: tuple[int, ...]) -> int:
    n_times, n_inputs = given
    return int(n_times * 3 * layer.units * (n_inputs + layer.units))


_COUNTS: dict[type, Callable[[Any, tuple[int, ...], tuple[int, ...]], int]] = {
    layers.Conv1D: _conv_1d,
    layers.Conv2D: _conv_2d,
    layers.DepthwiseConv2D: _depthwise,
    layers.SeparableConv2D: _separable,
    layers.BatchNormalization: _normalization,
    layers.Dense: _dense,
    layers.LSTM: _lstm,
    layers.GRU: _gru,
}
