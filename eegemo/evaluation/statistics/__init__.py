"""Tests and intervals of scores, and comparisons of models.

Windows of one trial look alike and share one label, so they are not independent: a binomial
interval over windows is several times too narrow. Everything here permutes or resamples trials or
larger units.

Tests of one score (`permutation_test`, `bootstrap_interval`, `assess`), of two models on the same
trials, subjects or folds (`mcnemar`, `wilcoxon_signed_rank`, `corrected_resampled_t_test`,
`correlated_t_test`, `paired_bootstrap`), of several (`friedman`, `holm`), and what a score varies
over (`spread_of`).

These are statements about *stored* predictions: nothing is trained again. The effect of another
training set or seed is covered only as far as folds and repeats cover it. A leaking split keeps its
score and a small p-value. `shuffle_labels` is for training again.
"""

from eegemo.evaluation.statistics.bootstrap import (
    bootstrap_interval,
    paired_bootstrap,
    unpaired_bootstrap,
)
from eegemo.evaluation.statistics.paired import PairedTest, mcnemar, wilcoxon_signed_rank
from eegemo.evaluation.statistics.permutation import (
    PermutationTest,
    permutation_test,
    shuffle_labels,
)
from eegemo.evaluation.statistics.resampled import (
    Practical,
    corrected_resampled_t_test,
    correlated_t_test,
)
from eegemo.evaluation.statistics.several import SeveralTest, friedman, holm
from eegemo.evaluation.statistics.spread import spread_of
from eegemo.evaluation.statistics.trials import TrialCounts, count_trials, split_trials

__all__ = [
    "PairedTest",
    "PermutationTest",
    "Practical",
    "SeveralTest",
    "TrialCounts",
    "bootstrap_interval",
    "corrected_resampled_t_test",
    "correlated_t_test",
    "count_trials",
    "friedman",
    "holm",
    "mcnemar",
    "paired_bootstrap",
    "permutation_test",
    "shuffle_labels",
    "split_trials",
    "spread_of",
    "unpaired_bootstrap",
    "wilcoxon_signed_rank",
]
