"""Two or more results side by side, on the same folds and labels.

What is compared are stored predictions; nothing is trained. Differences are taken fold by fold,
subject by subject and trial by trial (`paired`), and turned into a sentence by a rule that is fixed
in advance (`rule`).
"""

from .classes import class_differences
from .comparable import check_comparable
from .contents import Comparison, gather
from .costs import costs
from .latex import latex_table
from .page import compare
from .paired import Pair, compare_pairs, compare_several, difference
from .record import read_sentence
from .rule import judge
from .words import first_sentence, grounds, limits

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
