"""How the significance of a score is found: an option that changes no prediction."""

from typing import Annotated, Literal

from annotated_types import Ge, Le

from eegemo.registry.options import NOT_IN_FILE, Since

__all__ = ["QUICK_REFITS", "Refits", "wanted_refits"]

#: Refits of logistic regression on band power, which takes less than a second.
QUICK_REFITS = 199

Refits = Literal["auto"] | Annotated[int, Ge(0), Le(9999)]


def wanted_refits(
    *,
    refits: Annotated[Refits, Since("0.2")] = "auto",
    is_quick: Annotated[bool, NOT_IN_FILE] = True,
) -> int:
    """Return how often the model is trained again on exchanged labels.

    Parameters
    ----------
    refits : "auto" or int
        Number of times that labels are exchanged and everything is trained again, to learn what the
        score would be if labels meant nothing. `auto` is 199 for logistic regression on band power,
        and 0 for other models; 19 is the least that can show an effect. Refits change no
        prediction, and can be added to a finished result.
    is_quick : bool
        Whether the model takes less than a second.

    Returns
    -------
    n : int

    Examples
    --------
    >>> wanted_refits(), wanted_refits(is_quick=False), wanted_refits(refits=19, is_quick=False)
    (199, 0, 19)
    """
    if refits == "auto":
        return QUICK_REFITS if is_quick else 0
    return refits
