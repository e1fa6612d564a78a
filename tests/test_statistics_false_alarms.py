"""A test of the tests: without an effect, false alarms are no more than the level allows.

Every count is held against the 99 % interval of a binomial at the test's level. Seeds are fixed.
"""

import numpy as np
import pytest
from scipy import stats

from eegemo.evaluation.statistics import (
    TrialCounts,
    corrected_resampled_t_test,
    friedman,
    holm,
    mcnemar,
    shuffle_labels,
    wilcoxon_signed_rank,
)


def limits(runs, level=0.05):
    """Between how many false alarms of a test that keeps its level 99 % of simulations are."""
    return stats.binom.interval(0.99, runs, level)


def nearest_mean(x, labels, train):
    """Answer with the class whose mean is nearest; (n_fits, n) labels and training masks."""
    distance = []
    for index in range(labels.max() + 1):
        chosen = ((labels == index) & train).astype(float)
        means = chosen @ x / np.maximum(chosen.sum(axis=1), 1)[:, np.newaxis]
        far = (x**2).sum(axis=1) - 2 * means @ x.T + (means**2).sum(axis=1)[:, np.newaxis]
        distance.append(np.where(chosen.any(axis=1)[:, np.newaxis], far, np.inf))
    return np.argmin(distance, axis=0)


def reused_folds(rng, *, n=40, n_splits=5, repeats=10, effect=0.7):
    """Differences of two equally good nearest means, over repeated k-fold of the same data.

    Each sees two measurements of its own; both carry the label equally well.
    """
    label = np.arange(n) % 2
    parts = np.array([rng.permutation(n) % n_splits for _ in range(repeats)])
    test = (parts[:, np.newaxis] == np.arange(n_splits)[:, np.newaxis]).reshape(-1, n)
    scores = []
    for _ in range(2):
        x = rng.normal(size=(n, 2)) + effect * label[:, np.newaxis]
        right = nearest_mean(x, label[np.newaxis], ~test) == label
        scores.append((right & test).sum(axis=1) / test.sum(axis=1))
    return scores[1] - scores[0]


def alarms_over_folds(rng, runs, **options):
    found = {0.25: 0, 0.0: 0}
    for _ in range(runs):
        differences = reused_folds(rng, **options)
        for share in found:
            test = corrected_resampled_t_test(differences, test_share=share)
            found[share] += test.p_value is not None and test.p_value <= 0.05
    return found[0.25], found[0.0]


def test_folds_that_share_data_fool_the_usual_t_test_but_not_the_corrected_one():
    runs = 600
    corrected, usual = alarms_over_folds(np.random.default_rng(0), runs)
    assert limits(runs)[0] <= corrected <= limits(runs)[1]
    assert usual > 0.4 * runs


def alarms_over_subjects(rng, runs, *, n_subjects=20, n_trials=None):
    """Two models with the same chance of being right, which differs between subjects."""
    found = 0
    for _ in range(runs):
        skill = rng.uniform(0.2, 0.6, size=n_subjects)
        if n_trials is None:
            first, second = skill + rng.normal(scale=0.1, size=(2, n_subjects))
        else:
            first, second = rng.binomial(n_trials, skill, size=(2, n_subjects)) / n_trials
        found += wilcoxon_signed_rank(first, second).p_value <= 0.05
    return found


def test_signed_ranks_keep_their_level_over_subjects():
    runs = 1000
    alarms = alarms_over_subjects(np.random.default_rng(1), runs)
    assert limits(runs)[0] <= alarms <= limits(runs)[1]
    # scores of eight trials: many ties, some zeros
    assert alarms_over_subjects(np.random.default_rng(2), runs, n_trials=8) <= limits(runs)[1]


def alarms_over_trials(rng, runs, *, n_trials=60):
    found, mid = 0, 0
    for _ in range(runs):
        easy = rng.beta(1, 1, size=n_trials)
        first, second = rng.random((2, n_trials)) < easy
        test = mcnemar(first, second)
        found += test.p_value <= 0.05
        mid += test.details["mid_p_value"] <= 0.05
    return found, mid


def test_mcnemar_keeps_its_level_over_trials():
    runs = 1000
    exact, mid = alarms_over_trials(np.random.default_rng(3), runs)
    assert exact <= mid <= limits(runs)[1]  # the exact test is cautious: whole numbers of coins
    assert exact > 0


def test_windows_in_place_of_trials_would_fool_mcnemar():
    rng = np.random.default_rng(4)
    alarms = 0
    for _ in range(200):
        first, second = rng.random((2, 40)) < 0.5
        alarms += mcnemar(np.repeat(first, 20), np.repeat(second, 20)).p_value <= 0.05
    assert alarms > 0.5 * 200


def test_several_models_keep_their_level():
    rng = np.random.default_rng(5)
    runs, alarms, family = 500, 0, 0
    for _ in range(runs):
        scores = rng.normal(size=(15, 3)) + rng.normal(size=(15, 1))
        alarms += friedman(scores).p_value <= 0.05
        pairs = ((0, 1), (0, 2), (1, 2))
        p = [wilcoxon_signed_rank(scores[:, a], scores[:, b]).p_value for a, b in pairs]
        family += (holm(p) <= 0.05).any()
    assert limits(runs)[0] <= alarms <= limits(runs)[1]
    assert family <= limits(runs)[1]


def shared_stimuli(rng, *, n_subjects=6, n_stimuli=12):
    """Trials whose labels and signals both follow the stimulus, but not each other.

    Three windows per trial; windows of a trial look alike (a fingerprint), and so do trials of a
    stimulus. Labels of a stimulus agree between most subjects. One stimulus has no class at all.
    """
    subject = np.repeat(np.arange(n_subjects), n_stimuli)
    stimulus = np.tile(np.arange(n_stimuli), n_subjects)
    agreed = rng.permutation(n_stimuli) % 2
    label = np.where(rng.random(len(subject)) < 0.85, agreed[stimulus], 1 - agreed[stimulus])
    label[stimulus == rng.integers(n_stimuli)] = -1
    common = rng.normal(size=(n_stimuli, 4))[stimulus]
    windows = common + rng.normal(scale=0.5, size=common.shape)
    x = windows[:, np.newaxis] + rng.normal(scale=0.5, size=(len(subject), 3, 4))
    fold = rng.integers(3, size=len(subject))
    return subject, stimulus, label, x, fold


def score_of_training_again(labels, x, fold, subject):
    """Balanced accuracy over whole-trial folds of nearest means, for each row of labels."""
    n_draws, n_windows = len(labels), x.shape[1]
    flat, spread = x.reshape(-1, x.shape[-1]), np.repeat(labels, n_windows, axis=1)
    answer = np.full(spread.shape, -1)
    for one in np.unique(fold):
        test = np.repeat(fold == one, n_windows)
        train = np.broadcast_to(~test, spread.shape)
        answer[:, test] = nearest_mean(flat, spread, train)[:, test]
    answer = answer.reshape(n_draws, -1, n_windows)
    scores = []
    for row, given in zip(labels, answer, strict=True):
        kept = row >= 0
        counts = (given[kept, :, np.newaxis] == np.arange(2)).sum(axis=1).astype(float)
        scores.append(TrialCounts(subject[kept], row[kept], counts).score)
    return np.array(scores)


def nulls_that_cover(rng, runs, *, joint=True):
    """Of how many data sets the null of 39 draws holds the score of the true labels, and 1/2.

    Without an effect the true labelling is like any draw: of 40 scores, it is the lowest or the
    highest in one data set of 20. From the lowest to the highest draw is thus a 95 % interval.
    """
    covered, chance = 0, 0
    for _ in range(runs):
        subject, stimulus, label, x, fold = shared_stimuli(rng)
        shown = stimulus if joint else None
        drawn = [shuffle_labels(label, subject, shown, rng) for _ in range(39)]
        scores = score_of_training_again(np.array([label, *drawn]), x, fold, subject)
        low, high = scores[1:].min(), scores[1:].max()
        covered += low <= scores[0] <= high
        chance += low <= 0.5 <= high
    return covered, chance


def test_the_null_of_training_again_on_shuffled_labels_covers_chance():
    runs = 20
    covered, chance = nulls_that_cover(np.random.default_rng(6), runs)
    assert limits(runs, 0.95)[0] <= covered
    assert limits(runs, 0.95)[0] <= chance


@pytest.mark.slow
def test_the_null_of_training_again_needs_shuffling_by_stimulus():
    runs = 500
    covered, chance = nulls_that_cover(np.random.default_rng(7), runs)
    assert limits(runs, 0.95)[0] <= covered  # scores can tie, so it may cover more often
    assert limits(runs, 0.95)[0] <= chance
    alone, _ = nulls_that_cover(np.random.default_rng(7), runs, joint=False)
    assert alone < limits(runs, 0.95)[0]


@pytest.mark.slow
def test_levels_hold_over_many_more_data_sets():
    runs = 6000
    low, high = limits(runs)
    corrected, usual = alarms_over_folds(np.random.default_rng(8), runs // 3, n=100)
    assert corrected <= limits(runs // 3)[1]
    assert usual > 0.5 * runs // 3
    assert low <= alarms_over_subjects(np.random.default_rng(9), runs) <= high
    assert alarms_over_subjects(np.random.default_rng(10), runs, n_trials=8) <= high
    exact, mid = alarms_over_trials(np.random.default_rng(11), runs)
    assert 0.01 * runs < exact <= mid <= high


@pytest.mark.slow
@pytest.mark.parametrize(("effect", "most"), [(0.7, 0.07), (0.0, 0.1)])
def test_the_corrected_t_test_is_no_bound_with_few_trials_or_nothing_to_learn(effect, most):
    """As its documentation says: with 40 trials it raises some more alarms than its level."""
    runs = 6000
    corrected, usual = alarms_over_folds(np.random.default_rng(12), runs, effect=effect)
    assert 0.05 * runs < corrected < most * runs
    assert usual > 0.5 * runs
