"""Cross-validation folds, the methods that make them, and the check that they do not leak."""

from eegemo.splits.fold import (
    GROUPS,
    LEAKING,
    Fold,
    Group,
    check_folds,
    check_leaks,
    describe_split,
    group_numbers,
    shared_groups,
)
from eegemo.splits.methods import deal_groups, make_folds, make_repeats, split_seed
from eegemo.splits.segments import cut_trials

__all__ = [
    "GROUPS",
    "LEAKING",
    "Fold",
    "Group",
    "check_folds",
    "check_leaks",
    "cut_trials",
    "deal_groups",
    "describe_split",
    "group_numbers",
    "make_folds",
    "make_repeats",
    "shared_groups",
    "split_seed",
]
