"""1D-CNN followed by an LSTM or GRU.

The order of layers is that of Zamani & Wulansari (2021), "Emotion Classification using 1D-CNN and
RNN based on DEAP Dataset": one-dimensional convolutions with max pooling, a recurrent layer,
flatten, dense layers, softmax. The study's summary does not give the sizes; the defaults are ours.

Keras is imported when a network is built: this module declares options of the experiment file. How
large a network would be is known without building it, which takes its memory at once; one with a
mistyped size would take all there is.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial, wraps
from typing import TYPE_CHECKING, Annotated, Any, Literal

from annotated_types import MinLen

from eegemo.errors import ConfigError
from eegemo.models.builders import builds
from eegemo.models.shapes import Size
from eegemo.registry.options import NOT_IN_FILE, Count, Fraction

if TYPE_CHECKING:
    import keras

__all__ = ["build_cnn_rnn", "cnn_gru", "cnn_lstm", "measure_network", "pooled_length"]


def build_cnn_rnn(
    n_times: int,
    n_channels: int,
    n_classes: int,
    *,
    recurrent: Annotated[Literal["lstm", "gru"], NOT_IN_FILE] = "lstm",
    filters: Annotated[Sequence[Count], MinLen(1)] = (64, 128),
    kernel_size: Count = 5,
    pool_size: Count = 2,
    units: Count = 64,
    dense: Sequence[Count] = (64,),
    dropout: Fraction = 0.5,
) -> keras.Model:
    """Build a 1D-CNN with a recurrent layer.

    ::

        (n_times, n_channels)
          -> [Conv1D(filters[i], kernel_size), ReLU -> MaxPooling1D(pool_size)] for each i
          -> LSTM or GRU (units), every time step kept
          -> Flatten -> Dropout -> [Dense(dense[j]), ReLU -> Dropout] for each j
          -> Dense(n_classes), softmax

    Parameters
    ----------
    n_times, n_channels, n_classes : int
        Samples and channels of a window, and number of classes.
    recurrent : {"lstm", "gru"}
        The recurrent layer.
    filters : sequence of int
        Filters of each convolution; there is one convolution, followed by pooling, per number.
    kernel_size : int
        Length of the convolutions, in samples of their input. The input is padded, so only pooling
        shortens it.
    pool_size : int
        Length and stride of the max pooling after each convolution; 1 for none.
    units : int
        Units of the recurrent layer.
    dense : sequence of int
        Sizes of the dense layers before the output; empty for none.
    dropout : float
        Fraction of activations dropped before each dense layer, in training only.

    Returns
    -------
    model : keras.Model
        Not compiled; the softmax is part of it.

    Raises
    ------
    ConfigError
        If pooling would leave no sample.

    Examples
    --------
    >>> model = build_cnn_rnn(256, 32, 4)
    >>> model.count_params()
    363268
    """
    import keras
    from keras import layers

    pooled_length(n_times, len(filters), pool_size)
    inputs = keras.Input((n_times, n_channels), name="window")
    x = inputs
    for k, n_filters in enumerate(filters, start=1):
        x = layers.Conv1D(
            n_filters, kernel_size, padding="same", activation="relu", name=f"conv_{k}"
        )(x)
        if pool_size > 1:
            x = layers.MaxPooling1D(pool_size, name=f"pool_{k}")(x)
    layer = {"lstm": layers.LSTM, "gru": layers.GRU}[recurrent]
    x = layer(units, return_sequences=True, name=recurrent)(x)
    x = layers.Flatten(name="flatten")(x)
    for k, size in enumerate(dense, start=1):
        x = layers.Dropout(dropout, name=f"dropout_{k}")(x)
        x = layers.Dense(size, activation="relu", name=f"dense_{k}")(x)
    x = layers.Dropout(dropout, name="dropout_out")(x)
    # under mixed precision the probabilities and the loss stay in single precision
    outputs = layers.Dense(n_classes, activation="softmax", dtype="float32", name="probability")(x)
    return keras.Model(inputs, outputs, name=f"cnn_{recurrent}")


def pooled_length(n_times: int, n_filters: int, pool_size: int) -> int:
    """Return how many samples of a window are left after all poolings.

    Raises
    ------
    ConfigError
        If there is none.

    Examples
    --------
    >>> pooled_length(256, 2, 2)
    64
    """
    left = n_times
    for _ in range(n_filters):
        left //= pool_size
    if left < 1:
        raise ConfigError(
            f"model: {n_filters} poolings by {pool_size} leave nothing of a window of {n_times} "
            "samples. Use longer windows, fewer filters or a smaller pool_size."
        )
    return left


def measure_network(
    n_times: int,
    n_channels: int,
    n_classes: int,
    *,
    recurrent: Literal["lstm", "gru"],
    filters: Sequence[int] = (64, 128),
    kernel_size: int = 5,
    pool_size: int = 2,
    units: int = 64,
    dense: Sequence[int] = (64,),
    dropout: float = 0.5,
) -> Size:
    """Count what `eegemo.models.cnn_rnn.build_cnn_rnn` would build from the same arguments.

    Returns
    -------
    size : Size

    Raises
    ------
    ConfigError
        If pooling would leave no sample.

    Examples
    --------
    >>> measure_network(256, 32, 4, recurrent="lstm").parameters
    363268
    """
    pooled_length(n_times, len(filters), pool_size)
    parameters = activations = 0
    length, width = n_times, n_channels
    for size in filters:
        parameters += (kernel_size * width + 1) * size
        activations += length * size
        length, width = length // pool_size, size
        activations += length * width if pool_size > 1 else 0
    # Keras's GRU has two biases for each gate, one for the input and one for the state
    gates, biases = (4, 1) if recurrent == "lstm" else (3, 2)
    parameters += gates * units * (width + units + biases)
    activations += length * units * gates
    inputs = length * units
    for size in (*dense, n_classes):
        parameters += (inputs + 1) * size
        activations += size
        inputs = size
    return Size(parameters, activations)


# their signature, and so their options, is that of the function they call
@builds(
    "keras",
    title="CNN-LSTM",
    size=partial(measure_network, recurrent="lstm"),
    safe_layers=True,
    together=True,
)
@wraps(build_cnn_rnn, assigned=())
def cnn_lstm(n_times: int, n_channels: int, n_classes: int, **sizes: Any) -> keras.Model:
    """Build a 1D-CNN followed by an LSTM; options as in `build_cnn_rnn`."""
    return build_cnn_rnn(n_times, n_channels, n_classes, recurrent="lstm", **sizes)


@builds(
    "keras",
    title="CNN-GRU",
    size=partial(measure_network, recurrent="gru"),
    safe_layers=True,
    together=True,
)
@wraps(build_cnn_rnn, assigned=())
def cnn_gru(n_times: int, n_channels: int, n_classes: int, **sizes: Any) -> keras.Model:
    """Build a 1D-CNN followed by a GRU; options as in `build_cnn_rnn`."""
    return build_cnn_rnn(n_times, n_channels, n_classes, recurrent="gru", **sizes)
