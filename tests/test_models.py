"""Networks: shapes, sizes counted by hand, and what the softmax must satisfy."""

import keras
import numpy as np
import pytest

from eegemo.errors import ConfigError
from eegemo.models import build_model


def count_by_hand(recurrent, n_times, n_channels, n_classes, filters, kernel, pool, units, dense):
    """Count weights from the textbook formulas of each layer."""
    total, width, length = 0, n_channels, n_times
    for n in filters:
        total += kernel * width * n + n
        width, length = n, length // pool
    if recurrent == "lstm":  # four gates, each with input, recurrent and bias weights
        total += 4 * (units * (width + units) + units)
    else:  # three gates; Keras's GRU has separate input and recurrent biases
        total += 3 * (units * (width + units) + 2 * units)
    width = length * units
    for n in [*dense, n_classes]:
        total += width * n + n
        width = n
    return total


@pytest.mark.parametrize(
    ("n_times", "n_channels", "n_classes", "sizes"),
    [
        (256, 32, 4, {}),
        (128, 14, 2, {"filters": [8], "kernel_size": 3, "pool_size": 4, "units": 5, "dense": []}),
        (100, 5, 3, {"filters": [4, 6, 8], "pool_size": 1, "units": 3, "dense": [7, 5]}),
    ],
)
@pytest.mark.parametrize("name", ["cnn_lstm", "cnn_gru"])
def test_shapes_and_weight_count(name, n_times, n_channels, n_classes, sizes):
    model = build_model(name, n_times=n_times, n_channels=n_channels, n_classes=n_classes, **sizes)
    expected = count_by_hand(
        name.removeprefix("cnn_"),
        n_times,
        n_channels,
        n_classes,
        sizes.get("filters", [64, 128]),
        sizes.get("kernel_size", 5),
        sizes.get("pool_size", 2),
        sizes.get("units", 64),
        sizes.get("dense", [64]),
    )
    assert model.input_shape == (None, n_times, n_channels)
    assert model.output_shape == (None, n_classes)
    assert model.count_params() == expected


@pytest.mark.parametrize("name", ["cnn_gru", "cnn_lstm"])
def test_outputs_are_probabilities_and_dropout_is_off_at_inference(name):
    model = build_model(name, n_times=32, n_channels=3, n_classes=4, filters=[4], units=4)
    x = np.random.default_rng(0).normal(size=(5, 32, 3)).astype("float32")
    first, second = model.predict(x, verbose=0), model.predict(x, verbose=0)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(first.sum(axis=1), 1, atol=1e-6)  # float32 rounding


def test_the_two_models_differ_only_in_the_recurrent_layer():
    layers = [
        [
            type(layer).__name__
            for layer in build_model(n, n_times=64, n_channels=2, n_classes=4).layers
        ]
        for n in ("cnn_lstm", "cnn_gru")
    ]
    assert [pair for pair in zip(*layers, strict=True) if pair[0] != pair[1]] == [("LSTM", "GRU")]


def test_the_recurrent_layer_reads_time_in_order():
    """Shuffling the samples in time changes the output."""
    keras.utils.set_random_seed(0)
    model = build_model("cnn_gru", n_times=64, n_channels=2, n_classes=4)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, 64, 2)).astype("float32")
    shuffled = x[:, rng.permutation(64)]
    assert np.abs(model.predict(x, verbose=0) - model.predict(shuffled, verbose=0)).max() > 1e-4


def test_too_much_pooling_is_refused():
    with pytest.raises(ConfigError, match="leave nothing of a window of 8 samples"):
        build_model("cnn_lstm", n_times=8, n_channels=2, n_classes=2, filters=[2] * 4)


def test_an_unknown_model_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match="did you mean 'cnn_gru'") as error:
        build_model("cnn_rnn", n_times=8, n_channels=2, n_classes=2)
    assert "'cnn_lstm', 'cnn_gru', 'eegnet' or 'band_power_logreg'" in str(error.value)
