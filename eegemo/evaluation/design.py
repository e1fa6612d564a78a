"""What is known of the design of an experiment when its predictions are assessed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from eegemo.evaluation.predictions import TRIAL_KEYS, class_names
from eegemo.evaluation.statistics.design import CONSTANT, read_design, unit_table
from eegemo.evaluation.statistics.trials import TrialCounts, gather_units

__all__ = ["GROUPS_BACK", "Known", "read_known"]

#: Things of which the record of a fold counts how many are in the test set and in training.
GROUPS_BACK = ("stimulus", "run", "session", "subject")


@dataclass(frozen=True)
class Known:
    """The design of an experiment, and what its refits scored.

    Attributes
    ----------
    design : mapping
        As `eegemo.evaluation.statistics.design.Design.as_dict`.
    units : DataFrame
        As `eegemo.evaluation.statistics.design.unit_table`.
    shared : mapping of str to bool
        For each of `GROUPS_BACK`: whether some in the test set of a fold are in its training too.
    leaks : bool
        Whether windows of a test trial are in training.
    refits : sequence of mapping
        ``window`` and ``trial``: the scores on exchanged labels.
    stopped : bool
        Whether refits stopped at one that scored as high.
    """

    design: Mapping[str, Any]
    units: pd.DataFrame
    shared: Mapping[str, bool]
    leaks: bool
    refits: Sequence[Mapping[str, float]] = field(default_factory=tuple)
    stopped: bool = False

    def refit_scores(self, level: str) -> tuple[float, ...]:
        """Return the scores of refits at a level, "window" or "trial"."""
        return tuple(float(draw[level]) for draw in self.refits)

    def units_of(self, trials: TrialCounts, rows: pd.DataFrame) -> TrialCounts:
        """Return what is exchanged: trials, or units of constant class.

        Parameters
        ----------
        trials : TrialCounts
            As `eegemo.evaluation.statistics.count_trials` makes them of `rows`.
        rows : DataFrame
            Predictions.
        """
        if self.design["unit"] not in CONSTANT:
            return trials
        keys = rows.groupby(TRIAL_KEYS, sort=True, observed=True).size().reset_index()[TRIAL_KEYS]
        found = keys.astype(str).merge(self.units, on=TRIAL_KEYS, how="left", validate="1:1")
        if found[["unit", "block"]].isna().to_numpy().any():
            return trials  # of other trials than the design: as far as is known
        unit, block = (found[name].to_numpy(np.intp) for name in ("unit", "block"))
        return gather_units(trials, unit, np.unique(block, return_inverse=True)[1].astype(np.intp))


def read_known(predictions: pd.DataFrame, folds: Sequence[Mapping[str, Any]]) -> Known:
    """Read the design from predictions alone: recordings and the order in time are not known.

    Parameters
    ----------
    predictions : DataFrame
    folds : sequence of mapping
        The record of each fold; ``shared`` counts what test and training have in common, where it
        is there.
    """
    first = predictions.drop_duplicates(TRIAL_KEYS).reset_index(drop=True)
    codes = pd.Index(class_names(predictions)).get_indexer(pd.Index(first["y_true"]))
    trained = [record.get("train_windows_by_subject") or {} for record in folds]
    own = bool(trained) and all(len(names) == 1 for names in trained)
    table = first[[*TRIAL_KEYS, "stimulus"]].assign(code=codes)
    design = read_design(table, within_subject=own)
    return Known(
        design.as_dict(), unit_table(design, table), shared_in(folds), leaks=_divides_trials(folds)
    )


def shared_in(folds: Sequence[Mapping[str, Any]]) -> dict[str, bool]:
    """Return what comes back in training in some fold; what no record counts counts as shared."""
    counts = [record.get("shared") or {} for record in folds]
    return {kind: any(shared.get(kind, 1) > 0 for shared in counts) for kind in GROUPS_BACK}


def _divides_trials(folds: Sequence[Mapping[str, Any]]) -> bool:
    return any((record.get("shared") or {}).get("trial", 0) > 0 for record in folds)
