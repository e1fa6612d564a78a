"""Cross-validation folds, the methods that make them, and the check that they do not leak."""

from eegemo.splits.design import (
    UNIT_NOUNS,
    UNITS,
    Unit,
    constant_over,
    default_group,
    describe_constant,
    divides_unit,
    nearly_constant,
    unit_numbers,
)
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
    "UNITS",
    "UNIT_NOUNS",
    "Fold",
    "Group",
    "Unit",
    "check_folds",
    "check_leaks",
    "constant_over",
    "cut_trials",
    "deal_groups",
    "default_group",
    "describe_constant",
    "describe_split",
    "divides_unit",
    "group_numbers",
    "make_folds",
    "make_repeats",
    "nearly_constant",
    "shared_groups",
    "split_seed",
    "unit_numbers",
]
