"""EEGNet-8,2: a small network of convolutions over time, over channels, and over time again.

Lawhern et al. (2018), "EEGNet: a compact convolutional neural network for EEG-based brain-computer
interfaces", J. Neural Eng. 15, 056013. The study's sizes are for 128 Hz. They are durations here,
so that the network sees the same lengths of signal at any sampling frequency: kernels of half a
second, an average over 1/32 s, and one over 1/4 s.

Keras is imported when a network is built: this module declares options of the experiment file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple

from eegemo.errors import ConfigError
from eegemo.models.builders import builds
from eegemo.models.shapes import Size
from eegemo.registry.options import NOT_IN_FILE, Count, Fraction, Positive

if TYPE_CHECKING:
    import keras

__all__ = ["eegnet", "measure_eegnet", "samples_of_eegnet"]

# Hz after the first average, and how many of its samples the second one takes together
_POOLED_SFREQ, _SECOND_POOL = 32, 8


class Samples(NamedTuple):
    """Lengths of the layers of an EEGNet.

    Attributes
    ----------
    kernel, separable_kernel : int
        Lengths of both convolutions over time, in samples of their inputs.
    pool, second_pool : int
        How many samples each average takes together.
    pooled, left : int
        Samples of a window after the first, and after the second, average.
    """

    kernel: int
    separable_kernel: int
    pool: int
    second_pool: int
    pooled: int
    left: int


def samples_of_eegnet(
    n_times: int, sfreq: float, kernel_duration: float = 0.5, separable_duration: float = 0.5
) -> Samples:
    """Return the lengths of an EEGNet's layers in samples.

    Raises
    ------
    ConfigError
        If the windows are so short that no sample is left after averaging.

    Examples
    --------
    >>> samples_of_eegnet(256, 128.0)
    Samples(kernel=64, separable_kernel=16, pool=4, second_pool=8, pooled=64, left=8)
    >>> samples_of_eegnet(1024, 512.0).left
    8
    """
    pool = max(1, round(sfreq / _POOLED_SFREQ))
    kernel = max(1, round(kernel_duration * sfreq))
    separable_kernel = max(1, round(separable_duration * sfreq / pool))
    pooled = n_times // pool
    left = pooled // _SECOND_POOL
    if left < 1:
        raise ConfigError(
            f"model: eegnet averages over {pool} and then {_SECOND_POOL} samples at {sfreq:g} Hz, "
            f"which leaves nothing of a window of {n_times}. Use windows of at least "
            f"{pool * _SECOND_POOL} samples ({pool * _SECOND_POOL / sfreq:g} s)."
        )
    return Samples(kernel, separable_kernel, pool, _SECOND_POOL, pooled, left)


def measure_eegnet(
    n_times: int,
    n_channels: int,
    n_classes: int,
    *,
    sfreq: float,
    temporal_filters: int = 8,
    depth: int = 2,
    separable_filters: int = 16,
    kernel_duration: float = 0.5,
    separable_duration: float = 0.5,
    dropout: float = 0.5,
) -> Size:
    """Count what `eegemo.models.eegnet.eegnet` would build from the same arguments.

    Returns
    -------
    size : Size

    Raises
    ------
    ConfigError
        If the windows are too short.

    Examples
    --------
    >>> measure_eegnet(256, 32, 4, sfreq=128.0).parameters
    2132
    """
    samples = samples_of_eegnet(n_times, sfreq, kernel_duration, separable_duration)
    spatial = depth * temporal_filters
    inputs = samples.left * separable_filters
    parameters = samples.kernel * temporal_filters  # no biases: a normalisation follows
    parameters += n_channels * spatial
    parameters += (samples.separable_kernel + separable_filters) * spatial
    # a scale and a shift of each filter
    parameters += 2 * (temporal_filters + spatial + separable_filters)
    parameters += (inputs + 1) * n_classes
    # convolution and normalisation; then also the activation
    activations = 2 * n_times * n_channels * temporal_filters
    activations += (3 * n_times + samples.pooled) * spatial
    activations += (3 * samples.pooled + samples.left) * separable_filters + n_classes
    return Size(parameters, activations)


@builds("keras", title="EEGNet", size=measure_eegnet, safe_layers=True)
def eegnet(
    n_times: int,
    n_channels: int,
    n_classes: int,
    *,
    sfreq: Annotated[float, NOT_IN_FILE],
    temporal_filters: Count = 8,
    depth: Count = 2,
    separable_filters: Count = 16,
    kernel_duration: Positive = 0.5,
    separable_duration: Positive = 0.5,
    dropout: Fraction = 0.5,
) -> keras.Model:
    """Build an EEGNet (Lawhern et al., 2018).

    ::

        (n_times, n_channels)
          -> Conv2D(temporal_filters) over time -> BatchNormalization
          -> DepthwiseConv2D(depth) over all channels, norm at most 1
             -> BatchNormalization, ELU -> AveragePooling2D to about 32 Hz -> Dropout
          -> SeparableConv2D(separable_filters) over time
             -> BatchNormalization, ELU -> AveragePooling2D by 8 -> Dropout
          -> Flatten -> Dense(n_classes), norm at most 0.25, softmax

    Parameters
    ----------
    n_times, n_channels, n_classes : int
        Samples and channels of a window, and number of classes.
    sfreq : float
        Sampling frequency in Hz.
    temporal_filters : int
        Filters of the first convolution, over time; F1 in the study.
    depth : int
        Spatial filters for each temporal one; D in the study.
    separable_filters : int
        Filters of the separable convolution; F2 in the study.
    kernel_duration : float
        Length of the first convolution in seconds. The authors suggest 0.25 for signals that are
        high-passed at 4 Hz, as DEAP's preprocessed ones are.
    separable_duration : float
        Length of the separable convolution in seconds.
    dropout : float
        Fraction of activations dropped after each average, in training only. The study has 0.5
        within and 0.25 across subjects.

    Returns
    -------
    model : keras.Model
        Not compiled; the softmax is part of it.

    Raises
    ------
    ConfigError
        If the windows are shorter than what is averaged.

    Examples
    --------
    >>> model = eegnet(256, 32, 4, sfreq=128.0)
    >>> model.count_params()
    2212
    """
    import keras
    from keras import layers

    samples = samples_of_eegnet(n_times, sfreq, kernel_duration, separable_duration)

    def block(x: keras.KerasTensor, k: int, pool: int) -> keras.KerasTensor:
        x = layers.BatchNormalization(name=f"norm_{k}")(x)
        x = layers.Activation("elu", name=f"elu_{k}")(x)
        x = layers.AveragePooling2D((pool, 1), name=f"pool_{k}")(x)
        return layers.Dropout(dropout, name=f"dropout_{k}")(x)

    inputs = keras.Input((n_times, n_channels), name="window")
    x = layers.Reshape((n_times, n_channels, 1), name="image")(inputs)
    x = layers.Conv2D(
        temporal_filters, (samples.kernel, 1), padding="same", use_bias=False, name="temporal"
    )(x)
    x = layers.BatchNormalization(name="norm_1")(x)
    # the norm is that of a filter's weights over all channels, the second axis of the kernel
    x = layers.DepthwiseConv2D(
        (1, n_channels),
        depth_multiplier=depth,
        use_bias=False,
        depthwise_constraint=keras.constraints.MaxNorm(1.0, axis=[0, 1]),
        name="spatial",
    )(x)
    x = block(x, 2, samples.pool)
    x = layers.SeparableConv2D(
        separable_filters,
        (samples.separable_kernel, 1),
        padding="same",
        use_bias=False,
        name="separable",
    )(x)
    x = block(x, 3, samples.second_pool)
    x = layers.Flatten(name="flatten")(x)
    # under mixed precision the probabilities and the loss stay in single precision
    outputs = layers.Dense(
        n_classes,
        activation="softmax",
        kernel_constraint=keras.constraints.MaxNorm(0.25),
        dtype="float32",
        name="probability",
    )(x)
    return keras.Model(inputs, outputs, name="eegnet")
