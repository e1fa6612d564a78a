"""How models are trained: the section `training` of the experiment file, as an object."""

from dataclasses import dataclass
from typing import Literal

from eegemo.errors import ConfigError
from eegemo.registry import Count, Positive
from eegemo.splits import Fold

__all__ = ["TrainingOptions", "check_schedule"]


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """How networks are trained; of a model without epochs, only `class_weight` applies.

    Parameters
    ----------
    epochs : int
        Maximum number of epochs.
    batch_size : int
        Number of windows per gradient step.
    learning_rate : float
        Initial learning rate of Adam (Kingma & Ba, 2015).
    schedule : {"constant", "cosine", "plateau"}
        Keep the learning rate constant; decay it to zero along half a cosine over all epochs
        (Loshchilov & Hutter, 2017); or halve it when the validation loss has not improved for half
        the patience. `plateau` needs a validation set.
    patience : int
        Stop after this many epochs without a lower validation loss, and restore the weights of the
        best epoch. Without a validation set, training runs for all epochs and keeps the last.
    class_weight : {"balanced", "none"}
        Weight the loss so that every class of the training set counts equally, or leave it
        unweighted.
    clip_norm : float, optional
        Clip the global norm of the gradients to this value. `null` does not clip.
    precision : {"float32", "mixed_float16", "mixed_bfloat16"}
        Dtype policy of Keras. Weights and probabilities stay in single precision. The mixed
        policies are for hardware with support for them; PyTorch modules take the last one only.

    Examples
    --------
    >>> TrainingOptions(epochs=3).batch_size
    64
    """

    epochs: Count = 50
    batch_size: Count = 64
    learning_rate: Positive = 1e-3
    schedule: Literal["constant", "cosine", "plateau"] = "constant"
    patience: Count = 8
    class_weight: Literal["balanced", "none"] = "balanced"
    clip_norm: Positive | None = 1.0
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = "float32"


def check_schedule(schedule: str, fold: Fold) -> None:
    """Raise ConfigError if a schedule needs validation windows and the fold has none."""
    if schedule == "plateau" and not len(fold.validation):
        raise ConfigError(
            "training: schedule 'plateau' watches the validation set, and there is none."
        )
