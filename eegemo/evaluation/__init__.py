"""The table of predictions, and every number derived from it.

Scores are read off confusion matrices. Conventions are those of scikit-learn with
``zero_division=numpy.nan``: a number that is not defined (the recall of a class that never occurs,
the precision of one never predicted) is ``None`` here, and is excluded from averages over classes
rather than counted as zero.
"""

from eegemo.evaluation.evaluate import LEVELS, SUMMARY_SCORES, evaluate
from eegemo.evaluation.predictions import (
    TRIAL_KEYS,
    check_predictions,
    class_names,
    make_predictions,
    predicted_classes,
    read_predictions,
    vote,
    write_predictions,
)
from eegemo.evaluation.scores import confusion_matrix, normalise_confusion, score, score_confusion

__all__ = [
    "LEVELS",
    "SUMMARY_SCORES",
    "TRIAL_KEYS",
    "check_predictions",
    "class_names",
    "confusion_matrix",
    "evaluate",
    "make_predictions",
    "normalise_confusion",
    "predicted_classes",
    "read_predictions",
    "score",
    "score_confusion",
    "vote",
    "write_predictions",
]
