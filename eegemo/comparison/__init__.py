"""Two or more results side by side, on the same folds and labels.

What is compared are stored predictions; nothing is trained. Differences are taken fold by fold,
subject by subject and trial by trial (`paired`), and turned into a sentence by a rule that is fixed
in advance (`rule`).
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
