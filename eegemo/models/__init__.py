"""Models by name.

A builder of a network is a function ``build(n_times, n_channels, n_classes, **sizes)`` that returns
a `keras.Model`, in a file of its own; one line here gives it a name that experiment files can use.
The baseline, `eegemo.models.band_power`, is no network: a scikit-learn pipeline on features. This
module does not import Keras until a model is built.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from eegemo.errors import ConfigError
from eegemo.models.sizes import NetworkSize, measure_network

if TYPE_CHECKING:
    import keras

__all__ = ["BASELINE", "MODELS", "build_model", "is_network", "measure_model"]

#: The model that every report shows beside a network.
BASELINE = "band_power_logreg"

#: Name -> (module, builder, arguments that the name stands for).
MODELS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "cnn_lstm": ("cnn_rnn", "build_cnn_rnn", {"recurrent": "lstm"}),
    "cnn_gru": ("cnn_rnn", "build_cnn_rnn", {"recurrent": "gru"}),
}


def is_network(name: str) -> bool:
    """Tell whether a model is a Keras network, trained in epochs."""
    return name != BASELINE


def build_model(
    name: str, *, n_times: int, n_channels: int, n_classes: int, **sizes: Any
) -> "keras.Model":
    """Build a network that maps windows to class probabilities.

    Parameters
    ----------
    name : str
        A key of `MODELS`.
    n_times, n_channels : int
        Samples and channels of a window.
    n_classes : int
        Number of outputs.
    **sizes
        What the builder of that name takes: `eegemo.models.cnn_rnn.build_cnn_rnn`.

    Returns
    -------
    model : keras.Model
        Input ``(batch, n_times, n_channels)``, output ``(batch, n_classes)``; not compiled.

    Raises
    ------
    ConfigError
        If there is no such model, or its sizes do not fit the window.

    Examples
    --------
    >>> model = build_model("cnn_gru", n_times=128, n_channels=14, n_classes=4, units=8)
    >>> model.output_shape
    (None, 4)
    """
    if name not in MODELS:
        raise ConfigError(f"model: {name!r} is not known; there are {', '.join(sorted(MODELS))}.")
    module, builder, meant = MODELS[name]
    build = getattr(import_module(f".{module}", __name__), builder)
    model: keras.Model = build(n_times, n_channels, n_classes, **meant, **sizes)
    return model


def measure_model(
    name: str, *, n_times: int, n_channels: int, n_classes: int, **sizes: Any
) -> NetworkSize | None:
    """Count what `build_model` would build, without building it; None for what is no network.

    Raises
    ------
    ConfigError
        If its sizes do not fit the window.

    Examples
    --------
    >>> huge = measure_model("cnn_gru", n_times=128, n_channels=14, n_classes=4, units=10**9)
    >>> huge.parameters > 10**18
    True
    """
    if not is_network(name):
        return None
    return measure_network(n_times, n_channels, n_classes, **MODELS[name][2], **sizes)
