"""Figures: arrays in, matplotlib figures out; nothing here touches pyplot or any global state.

Colours are those of Okabe & Ito (2008, "Color universal design"), which readers with the common
types of colour blindness can distinguish; no figure relies on colour alone.
"""

from eegemo.pages.figures.audit import audit_scores
from eegemo.pages.figures.calibration import coverage_curves, reliability_diagram
from eegemo.pages.figures.comparison import class_differences, score_intervals
from eegemo.pages.figures.confusion import (
    confusion_differences,
    confusion_matrices,
    fold_confusions,
)
from eegemo.pages.figures.curves import learning_curves, learning_curves_together
from eegemo.pages.figures.scores import (
    class_counts,
    class_scores,
    null_distributions,
    paired_scores,
    score_dots,
)
from eegemo.pages.figures.style import save_figure, to_svg
from eegemo.pages.figures.subjects import score_spread, subject_scores
from eegemo.pages.figures.timeline import class_timeline

__all__ = [
    "audit_scores",
    "class_counts",
    "class_differences",
    "class_scores",
    "class_timeline",
    "confusion_differences",
    "confusion_matrices",
    "coverage_curves",
    "fold_confusions",
    "learning_curves",
    "learning_curves_together",
    "null_distributions",
    "paired_scores",
    "reliability_diagram",
    "save_figure",
    "score_dots",
    "score_intervals",
    "score_spread",
    "subject_scores",
    "to_svg",
]
