"""Models: what learns.

A model is one function that builds it, in a file of its own or in anybody's package; its
keyword-only parameters are its options. `eegemo.models.base` says what is asked of a model and what
it is given; the adapter of its framework gives a builder all of that. No framework is imported
before a model is built.
"""

from typing import Any

from eegemo.models.base import BASELINE, FittedModel, Model
from eegemo.models.builders import as_model, builds, make_model
from eegemo.models.fit_data import FitData
from eegemo.models.options import TrainingOptions
from eegemo.models.shapes import Cost, FitFiles, InputShape, Size

__all__ = [
    "BASELINE",
    "Cost",
    "FitData",
    "FitFiles",
    "FittedModel",
    "InputShape",
    "Model",
    "Size",
    "TrainingOptions",
    "as_model",
    "build_model",
    "builds",
    "make_model",
]


def build_model(
    name: str,
    *,
    n_times: int,
    n_channels: int,
    n_classes: int,
    sfreq: float = 128.0,
    ch_names: tuple[str, ...] | None = None,
    **options: Any,
) -> Any:
    """Build a model that maps windows to class probabilities, with nothing learned.

    Parameters
    ----------
    name : str
        As `make_model` takes it.
    n_times, n_channels : int
        Samples and channels of a window.
    n_classes : int
        Number of outputs.
    sfreq : float
        Sampling frequency in Hz, for models that ask for it.
    ch_names : tuple of str, optional
        Names of the channels, for models that ask for them.
    **options
        Those of the model.

    Returns
    -------
    model : keras.Model, torch.nn.Module or scikit-learn estimator
        A network takes ``(batch, n_times, n_channels)`` and gives ``(batch, n_classes)``; it is not
        compiled.

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
    names = ch_names or tuple(f"EEG{k + 1:03d}" for k in range(n_channels))
    shape = InputShape(n_times, n_channels, n_classes, sfreq, names)
    return make_model(name, **options).build(shape)
