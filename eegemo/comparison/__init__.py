"""Compare two or more results obtained on the same folds and labels.

Stored predictions are compared, without training. Differences are paired by fold, by subject and by
trial (`paired`). A rule that is fixed in advance turns them into a sentence (`rule`).
"""

from eegemo.comparison.classes import class_differences
from eegemo.comparison.comparable import check_comparable
from eegemo.comparison.contents import Comparison, gather, read_sentence
from eegemo.comparison.costs import costs
from eegemo.comparison.latex import latex_table
from eegemo.comparison.page import compare
from eegemo.comparison.paired import Pair, compare_pairs, compare_several, difference
from eegemo.comparison.rule import judge
from eegemo.comparison.words import first_sentence, grounds, limits

__all__ = [
    "Comparison",
    "Pair",
    "check_comparable",
    "class_differences",
    "compare",
    "compare_pairs",
    "compare_several",
    "costs",
    "difference",
    "first_sentence",
    "gather",
    "grounds",
    "judge",
    "latex_table",
    "limits",
    "read_sentence",
]
