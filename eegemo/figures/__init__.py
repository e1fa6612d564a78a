"""Figures: arrays in, matplotlib figures out; nothing here touches pyplot or any global state.

Colours are those of Okabe & Ito (2008, "Color universal design"), which people with the common
kinds of colour blindness can tell apart; no figure relies on colour alone.
"""

from .confusion import confusion_differences, confusion_matrices, fold_confusions
from .curves import learning_curves, learning_curves_together
from .scores import class_counts, class_scores, null_distributions, paired_scores, score_dots
from .style import save_figure, to_svg

__all__ = [
    "class_counts",
    "class_scores",
    "confusion_differences",
    "confusion_matrices",
    "fold_confusions",
    "learning_curves",
    "learning_curves_together",
    "null_distributions",
    "paired_scores",
    "save_figure",
    "score_dots",
    "to_svg",
]
