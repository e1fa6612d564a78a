"""Scores of a classifier, all read off its confusion matrix.

Conventions are those of scikit-learn with ``zero_division=numpy.nan``: a number that is not
defined (the recall of a class that never occurs, the precision of one never predicted) is ``None``
here, and is left out of averages over classes rather than counted as zero.
"""

from .evaluation import LEVELS, SUMMARY_SCORES, evaluate
from .scores import confusion_matrix, normalise_confusion, score, score_confusion

__all__ = [
    "LEVELS",
    "SUMMARY_SCORES",
    "confusion_matrix",
    "evaluate",
    "normalise_confusion",
    "score",
    "score_confusion",
]
