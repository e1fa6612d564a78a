"""How the significance of a score is found: an option that changes no prediction."""

from typing import Annotated, Literal

from annotated_types import Ge, Le

from eegemo.registry.options import NOT_IN_FILE, Since

__all__ = ["QUICK_REFITS", "Refits", "wanted_refits"]

#: Refits of a model that takes less than a second.
QUICK_REFITS = 199

Refits = Literal["auto"] | Annotated[int, Ge(0), Le(9999)]


def wanted_refits(
    *,
    refits: Annotated[Refits, Since("0.2")] = "auto",
    in_epochs: Annotated[bool, NOT_IN_FILE] = False,
) -> int:
    """Return how often the model is trained again on exchanged labels.

    Parameters
    ----------
    refits : "auto" or int
        Number of times that labels are exchanged and everything is trained again, to learn what the
        score would be if labels meant nothing. `auto` is 199 for models that are not trained in
        epochs, and 0 for networks; 19 is the least that can show an effect. Refits change no
        prediction, and can be added to a finished result.
    in_epochs : bool
        Whether the model is trained in epochs.

    Returns
    -------
    n : int

    Examples
    --------
    >>> wanted_refits(), wanted_refits(in_epochs=True), wanted_refits(refits=19, in_epochs=True)
    (199, 0, 19)
    """
    if refits == "auto":
        return 0 if in_epochs else QUICK_REFITS
    return refits
