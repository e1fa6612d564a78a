"""How large a network would be, known without building it, and without importing Keras.

Building a network takes its memory at once; one with a mistyped size would take all there is.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from eegemo.errors import ConfigError

__all__ = ["NetworkSize", "measure_network", "pooled_length"]


class NetworkSize(NamedTuple):
    """The size of a network.

    Attributes
    ----------
    parameters : int
        Numbers that are learned.
    activations : int
        Numbers that its layers give for one window; training keeps them all.
    """

    parameters: int
    activations: int


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
) -> NetworkSize:
    """Count what `eegemo.models.cnn_rnn.build_cnn_rnn` would build from the same arguments.

    Returns
    -------
    size : NetworkSize

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
    return NetworkSize(parameters, activations)
