"""1D-CNN followed by an LSTM or GRU.

The order of layers is that of Zamani & Wulansari (2021), "Emotion Classification using 1D-CNN and
RNN based on DEAP Dataset": one-dimensional convolutions with max pooling, a recurrent layer,
flatten, dense layers, softmax. The study's summary does not give the sizes; the defaults are ours.

Keras is imported when a network is built: this module declares options of the experiment file.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any, Literal

from annotated_types import MinLen

from eegemo.models.sizes import pooled_length
from eegemo.registry.options import NOT_IN_FILE, Count, Fraction

if TYPE_CHECKING:
    import keras

__all__ = ["build_cnn_rnn", "cnn_gru", "cnn_lstm"]


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


# their signature, and so their options, is that of the function they call
@wraps(build_cnn_rnn, assigned=())
def cnn_lstm(n_times: int, n_channels: int, n_classes: int, **sizes: Any) -> keras.Model:
    """Build a 1D-CNN followed by an LSTM; options as in `build_cnn_rnn`."""
    return build_cnn_rnn(n_times, n_channels, n_classes, recurrent="lstm", **sizes)


@wraps(build_cnn_rnn, assigned=())
def cnn_gru(n_times: int, n_channels: int, n_classes: int, **sizes: Any) -> keras.Model:
    """Build a 1D-CNN followed by a GRU; options as in `build_cnn_rnn`."""
    return build_cnn_rnn(n_times, n_channels, n_classes, recurrent="gru", **sizes)
