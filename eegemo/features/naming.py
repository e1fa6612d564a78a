"""What scikit-learn asks of the names that a transformer is given."""

from collections.abc import Sequence
from typing import Any

from eegemo.errors import DataError

__all__ = ["check_input_features"]


def check_input_features(estimator: Any, names: Sequence[str] | None) -> None:
    """Hold names of columns to scikit-learn's rule: as many as there are, and those of `fit`."""
    if names is None:
        return
    known = getattr(estimator, "feature_names_in_", None)
    if known is not None and list(names) != list(known):
        raise DataError("input_features is not equal to feature_names_in_")
    if len(names) != estimator.n_features_in_:
        raise DataError(
            "input_features should have length equal to number of features "
            f"({estimator.n_features_in_}), got {len(names)}"
        )
