import keras
import numpy as np
import pytest
from keras import layers

from eegemo.models import build_model
from eegemo.models.keras.cost import count_multiply_adds


def by_weights(model):
    """Count again from the shapes of the weights: each entry of a kernel works once per position.

    Positions are the time steps of a layer's output; every matrix of a recurrent layer works once
    per time step of its input.
    """
    total = 0
    for layer in model.layers:
        for weight in layer.weights:
            if len(weight.shape) < 2 or weight.path.endswith("bias"):
                continue
            steps = layer.output.shape[1] if len(layer.output.shape) == 3 else 1
            total += int(np.prod(weight.shape)) * steps
    return total


@pytest.mark.parametrize("name", ["cnn_lstm", "cnn_gru"])
def test_the_networks_as_counted_from_their_weights(name):
    model = build_model(name, n_times=256, n_channels=32, n_classes=4)
    assert count_multiply_adds(model) == by_weights(model)


def test_the_default_networks_by_hand():
    # conv over 256 samples, halved to 128 by pooling; recurrent over 64 steps of 128 features
    shared = 256 * 5 * 32 * 64 + 128 * 5 * 64 * 128 + 64 * 64 * 64 + 64 * 4
    for name, gates in (("cnn_lstm", 4), ("cnn_gru", 3)):
        model = build_model(name, n_times=256, n_channels=32, n_classes=4)
        assert count_multiply_adds(model) == shared + 64 * gates * 64 * (128 + 64)


@pytest.mark.parametrize(
    ("shape", "layer", "by_hand"),
    [
        ((10, 6), layers.Conv1D(8, 3, padding="same"), 10 * 3 * 6 * 8),
        ((10, 6), layers.Conv1D(8, 3, padding="valid"), 8 * 3 * 6 * 8),
        ((10, 6), layers.Conv1D(8, 3, padding="same", strides=2), 5 * 3 * 6 * 8),
        ((10, 6), layers.Conv1D(8, 3, padding="same", groups=2), 10 * 3 * 3 * 8),
        ((10, 6), layers.Conv1D(8, 3, padding="same", dilation_rate=2), 10 * 3 * 6 * 8),
        ((7,), layers.Dense(5), 7 * 5),
        ((10, 7), layers.Dense(5), 10 * 7 * 5),
        ((10, 6), layers.LSTM(3), 10 * 4 * (6 * 3 + 3 * 3)),
        ((10, 6), layers.GRU(3, return_sequences=True), 10 * 3 * (6 * 3 + 3 * 3)),
        ((10, 6), layers.MaxPooling1D(2), 0),
        ((9, 4, 2), layers.Conv2D(5, (3, 2), padding="same"), 9 * 4 * 3 * 2 * 2 * 5),
        ((9, 4, 2), layers.Conv2D(5, (3, 2), padding="valid"), 7 * 3 * 3 * 2 * 2 * 5),
        ((9, 4, 2), layers.Conv2D(4, (3, 2), padding="same", groups=2), 9 * 4 * 3 * 2 * 4),
        ((9, 4, 2), layers.DepthwiseConv2D((1, 4), depth_multiplier=3), 9 * 4 * 2 * 3),
        (
            (9, 4, 2),
            layers.SeparableConv2D(5, (3, 1), depth_multiplier=2, padding="same", strides=2),
            5 * 2 * (3 * 2 * 2 + 2 * 2 * 5),
        ),
        ((9, 4, 2), layers.BatchNormalization(), 9 * 4 * 2),
    ],
)
def test_single_layers_by_hand(shape, layer, by_hand):
    model = keras.Sequential([keras.Input(shape), layer])
    assert count_multiply_adds(model) == by_hand
    outer = keras.Sequential([keras.Input(shape), model, layers.Flatten()])
    assert count_multiply_adds(outer) == by_hand


def test_what_cannot_be_counted_is_not_counted_by_half():
    unknown = keras.Sequential([keras.Input((8, 2)), layers.Dense(3), layers.LayerNormalization()])
    assert count_multiply_adds(unknown) is None
    assert count_multiply_adds(keras.Sequential([keras.Input((None, 2)), layers.GRU(3)])) is None
    shared, given = layers.Dense(4), keras.Input((4,))
    assert count_multiply_adds(keras.Model(given, shared(shared(given)))) is None
