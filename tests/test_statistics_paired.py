"""Tests of two models against scipy, published examples and sums written out."""

import itertools
import json

import numpy as np
import pytest
from scipy import stats

from eegemo.errors import ResultError
from eegemo.evaluation.statistics import (
    TrialCounts,
    bootstrap_interval,
    corrected_resampled_t_test,
    correlated_t_test,
    mcnemar,
    paired_bootstrap,
    wilcoxon_signed_rank,
)

# Demšar 2006, JMLR 7, table 2: AUC of C4.5 without and with tuned m on 14 data sets
C45, C45_M = np.array(
    [
        [0.763, 0.599, 0.954, 0.628, 0.882, 0.936, 0.661, 0.583, 0.775, 1.000, 0.940, 0.619],
        [0.768, 0.591, 0.971, 0.661, 0.888, 0.931, 0.668, 0.583, 0.838, 1.000, 0.962, 0.666],
    ]
)
C45, C45_M = np.append(C45, [0.972, 0.957]), np.append(C45_M, [0.981, 0.978])


def test_without_shared_training_data_it_is_the_usual_t_test():
    differences = np.random.default_rng(0).normal(0.02, 0.05, size=12)
    test = corrected_resampled_t_test(differences, test_share=0)
    usual = stats.ttest_1samp(differences, 0)
    assert test.statistic == pytest.approx(usual.statistic, rel=1e-12)
    assert test.p_value == pytest.approx(usual.pvalue, rel=1e-12)
    assert test.details["interval"] == pytest.approx(list(usual.confidence_interval(0.95)))
    assert test.effect == pytest.approx(usual.statistic / np.sqrt(12))  # Cohen's d is t / sqrt(n)


def test_the_variance_is_that_of_nadeau_and_bengio():
    """By hand: mean 0.03, variance 0.00025, (1/5 + 1/4) of it is 0.0001125; t = 2 sqrt(2)."""
    test = corrected_resampled_t_test([0.05, 0.02, 0.04, 0.01, 0.03], test_share=1 / 4)
    assert test.statistic == pytest.approx(2 * np.sqrt(2), rel=1e-12)
    # the distribution function of t with 4 degrees of freedom has a closed form
    t = test.statistic
    tail = 0.5 - 3 / 8 * t / np.sqrt(1 + t**2 / 4) * (1 - t**2 / 12 / (1 + t**2 / 4))
    assert test.p_value == pytest.approx(2 * tail, rel=1e-9)
    assert test.difference == pytest.approx(0.03)
    assert test.effect == pytest.approx(0.03 / np.sqrt(0.00025))
    swapped = corrected_resampled_t_test([-0.05, -0.02, -0.04, -0.01, -0.03], test_share=1 / 4)
    assert (swapped.statistic, swapped.p_value) == (-test.statistic, test.p_value)


@pytest.mark.parametrize("n", [5, 12, 25])
def test_signed_ranks_without_ties_are_those_of_scipy(n):
    first, second = np.random.default_rng(n).normal(size=(2, n))
    test = wilcoxon_signed_rank(first, second)
    theirs = stats.wilcoxon(first, second, method="exact")
    assert test.statistic == theirs.statistic
    assert test.p_value == pytest.approx(theirs.pvalue, rel=1e-9)


def test_signed_ranks_with_ties_and_zeros_agree_with_every_choice_of_signs():
    rng = np.random.default_rng(3)
    for _ in range(20):
        gaps = rng.integers(-3, 4, size=8) / 12  # many ties, some zeros
        if not gaps.any():
            continue
        ranks = stats.rankdata(np.abs(gaps))
        ranks[gaps == 0] = 0
        seen = (ranks * np.sign(gaps)).sum()
        every = np.array([np.dot(s, ranks) for s in itertools.product([-1, 1], repeat=8)])
        expected = np.mean(np.abs(every) >= abs(seen) - 1e-9)
        test = wilcoxon_signed_rank(np.full(8, 0.5), 0.5 + gaps)
        assert test.p_value == pytest.approx(expected, abs=1e-12)
        assert test.effect == pytest.approx(seen / ranks.sum())


def test_many_subjects_with_ties_agree_with_the_normal_approximation():
    rng = np.random.default_rng(4)
    first, second = rng.integers(0, 13, size=(2, 120)) / 12
    theirs = stats.wilcoxon(np.round(second + 1 / 12 - first, 9), zero_method="pratt")
    ours = wilcoxon_signed_rank(first, second + 1 / 12)
    assert ours.p_value == pytest.approx(theirs.pvalue, rel=0.02)
    assert 0.01 < ours.p_value < 0.5


def test_signed_ranks_of_the_published_example():
    """Demšar splits the ranks of two zeros (1 and 2) evenly: his 93 and 12 hold 1.5 each."""
    test = wilcoxon_signed_rank(C45, C45_M)
    assert test.details == {"rank_sum_second": 93 - 1.5, "rank_sum_first": 12 - 1.5, "n_zero": 2}
    assert test.effect == pytest.approx((91.5 - 10.5) / (91.5 + 10.5))
    assert test.p_value < 0.05  # as in the paper: its critical value is 21


def test_rounding_neither_breaks_ties_nor_makes_differences():
    first = np.array([0.1, 0.3, 0.7, 0.2, 0.6])
    test = wilcoxon_signed_rank(first, (first * 3 + 0.3) / 3)  # 0.1 more each, but for rounding
    assert test.p_value == pytest.approx(2 / 2**5)
    assert wilcoxon_signed_rank(first, first * 3 / 3).p_value == 1


def answers(both, only_first, only_second, neither):
    first = [True] * (both + only_first) + [False] * (only_second + neither)
    second = [True] * both + [False] * only_first + [True] * only_second + [False] * neither
    return first, second


def test_mcnemar_of_a_published_example():
    """Bentur et al. 2009 in Fagerland, Lydersen & Laake 2013: 1, 1, 7 and 12 of 21 children."""
    test = mcnemar(*answers(1, 1, 7, 12))
    assert test.p_value == pytest.approx(0.0703, abs=5e-5)
    assert test.details["mid_p_value"] == pytest.approx(0.0391, abs=5e-5)
    assert test.details["odds_ratio"] == 7
    assert test.effect == pytest.approx(7 / 8 - 0.5)
    assert test.difference == pytest.approx(6 / 21)
    assert (test.n, test.statistic) == (21, 7)


def test_mcnemar_counts_coins():
    """Against the sum over every outcome of up to nine coins."""
    for differing in range(1, 10):
        heads = np.array([sum(c) for c in itertools.product([0, 1], repeat=differing)])
        far = np.abs(heads - differing / 2)
        for won in range(differing + 1):
            test = mcnemar(*answers(3, differing - won, won, 2))
            off = abs(won - differing / 2)
            assert test.p_value == pytest.approx(np.mean(far >= off))
            # mid-p: as likely as what was seen counts half
            expected = np.mean(far > off) + np.mean(far == off) / 2
            assert test.details["mid_p_value"] == pytest.approx(1.0 if off == 0 else expected)


def test_the_posterior_agrees_with_a_grid():
    """Normal differences, correlated rho, prior 1 / sigma: likelihoods added up on a grid."""
    x, rho, rope = np.array([0.04, -0.01, 0.06, 0.03, 0.05, 0.00]), 0.2, 0.01
    n = len(x)
    inverse = np.linalg.inv((1 - rho) * np.eye(n) + rho)
    mean, log_sd = np.meshgrid(np.linspace(-0.6, 0.6, 24001), np.linspace(-6.5, 0.5, 200))
    centred = x @ inverse @ x - 2 * mean * (inverse @ x).sum() + mean**2 * inverse.sum()
    density = np.exp(-n * log_sd - centred / (2 * np.exp(2 * log_sd)) - 15)
    weight = density.sum(axis=0) / density.sum()
    mu = mean[0]
    found = correlated_t_test(x, correlation=rho, rope=rope)
    assert found.p_second_better == pytest.approx(weight[mu > rope].sum(), abs=1e-3)
    assert found.p_first_better == pytest.approx(weight[mu < -rope].sum(), abs=1e-3)
    assert found.p_equivalent == pytest.approx(weight[np.abs(mu) <= rope].sum(), abs=1e-3)
    cumulative = np.cumsum(weight)
    limits = mu[np.searchsorted(cumulative, [0.025, 0.975])]
    assert found.interval == pytest.approx(limits, abs=1e-3)


def test_without_a_region_the_posterior_is_the_one_sided_p_value():
    """Corani & Benavoli 2015, sec. 3: rho / (1 - rho) is n_test / n_train."""
    x = np.random.default_rng(5).normal(0.02, 0.05, size=50)
    found = correlated_t_test(x, correlation=1 / 5, rope=0)
    test = corrected_resampled_t_test(x, test_share=1 / 4)
    assert found.p_first_better == pytest.approx(test.p_value / 2, rel=1e-9)
    assert found.p_equivalent == pytest.approx(0, abs=1e-12)
    assert found.interval == pytest.approx(test.details["interval"])
    swapped = correlated_t_test(-x, correlation=1 / 5, rope=0.01)
    as_is = correlated_t_test(x, correlation=1 / 5, rope=0.01)
    assert swapped.p_second_better == pytest.approx(as_is.p_first_better)


def two_models(rng, n_subjects=3, n_trials=12, n_windows=4):
    """Two models of the same trials that find the same trials hard."""
    label = rng.integers(3, size=n_subjects * n_trials)
    easy = rng.random(len(label))
    subject = np.repeat(np.arange(n_subjects), n_trials)
    made = []
    for skill in (0.0, 0.3):
        p = np.clip(easy + skill, 0, 1)[:, np.newaxis]
        share = p * np.eye(3)[label] + (1 - p) / 3
        counts = np.array([rng.multinomial(n_windows, row) for row in share], dtype=float)
        made.append(TrialCounts(subject, label, counts))
    return made


@pytest.mark.parametrize("resample", ["trials", "subjects"])
def test_paired_bootstrap_against_resampling_written_out(resample):
    first, second = two_models(np.random.default_rng(6))
    rng = np.random.default_rng(0)
    draws = []
    for _ in range(1500):
        people = rng.choice(3, 3) if resample == "subjects" else range(3)
        rows = np.concatenate([rng.choice(np.flatnonzero(first.subject == s), 12) for s in people])
        label, scores = first.label[rows], []
        for counts in (second.counts[rows], first.counts[rows]):
            hits = [
                counts[label == c, c].sum() / counts[label == c].sum() for c in np.unique(label)
            ]
            scores.append(np.mean(hits))
        draws.append(scores[0] - scores[1])
    low, high = paired_bootstrap(first, second, resample=resample, stretch=1)
    # the standard error of a 2.5 % quantile over 1500 draws is about 0.07 of their SD
    assert (low, high) == pytest.approx(np.quantile(draws, [0.025, 0.975]), abs=0.3 * np.std(draws))


def test_what_is_hard_for_both_cancels():
    first, second = two_models(np.random.default_rng(7), n_trials=30)
    low, high = paired_bootstrap(first, second)
    assert low < second.score - first.score < high
    alone = [np.ptp(bootstrap_interval(one)) for one in (first, second)]
    assert high - low < np.hypot(*alone)  # the width if they had nothing in common
    turned = paired_bootstrap(second, first)
    assert turned == pytest.approx((-high, -low))
    assert paired_bootstrap(first, second, level=0.5)[0] > low


def test_intervals_of_nothing_are_none():
    first, second = two_models(np.random.default_rng(8), n_subjects=1)
    assert paired_bootstrap(first, first) is None
    assert paired_bootstrap(first, second, resample="subjects") is None


def test_degenerate_input_gives_what_is_documented():
    def t_test(values):
        return corrected_resampled_t_test(values, test_share=0.25)

    def bayes(values):
        return correlated_t_test(values, correlation=0.2)

    for values in ([], [0.1]):
        for test in (t_test(values), wilcoxon_signed_rank([0.0] * len(values), values)):
            assert (test.statistic, test.p_value, test.effect) == (None, None, None)
            assert "two" in test.note
        assert bayes(values).p_equivalent is None
    zero = [0.0] * 4
    for test in (t_test(zero), wilcoxon_signed_rank(zero, zero), mcnemar([1, 0], [1, 0])):
        assert (test.statistic, test.p_value, test.effect) == (0.0, 1.0, 0.0)
    assert bayes(zero).p_equivalent == 1
    for same in (t_test([0.1] * 4), bayes([0.1 + 0.2, 0.3, 0.3])):  # equal but for rounding
        assert same.p_value is None
        assert same.effect is None
        assert "variance" in same.note
    assert mcnemar([], []).p_value is None
    assert mcnemar([True, True], [False, False]).details["odds_ratio"] == 0
    assert mcnemar([False], [True]).details["odds_ratio"] is None


def test_every_outcome_is_ready_for_json():
    full = [
        corrected_resampled_t_test([0.1, 0.2, 0.0], test_share=0.25),
        wilcoxon_signed_rank([0.1, 0.2], [0.3, 0.1]),
        mcnemar([True, False], [False, False]),
        correlated_t_test([0.1, 0.2, 0.0], correlation=0.2),
        corrected_resampled_t_test([], test_share=0.25),
        wilcoxon_signed_rank([], []),
        mcnemar([], []),
        correlated_t_test([], correlation=0.2),
    ]
    for outcome in full:
        written = json.loads(json.dumps(outcome.as_dict(), allow_nan=False))
        for name in ("name", "statistic", "p_value", "effect", "effect_name", "n", "note"):
            assert written[name] == getattr(outcome, name)


def test_input_that_is_no_pair_is_named():
    with pytest.raises(ResultError, match="finite numbers as differences"):
        corrected_resampled_t_test([0.1, np.nan], test_share=0.25)
    with pytest.raises(ResultError, match="n_test / n_train"):
        corrected_resampled_t_test([0.1, 0.2], test_share=-1)
    with pytest.raises(ResultError, match="same subjects, found 2 and 3"):
        wilcoxon_signed_rank([0.1, 0.2], [0.1, 0.2, 0.3])
    with pytest.raises(ResultError, match="true or false"):
        mcnemar([0.7, 0.2], [1, 0])
    with pytest.raises(ResultError, match="same trials, found 1 and 2"):
        mcnemar([True], [True, False])
    with pytest.raises(ResultError, match="below 1"):
        correlated_t_test([0.1, 0.2], correlation=1)
    with pytest.raises(ResultError, match="rope"):
        correlated_t_test([0.1, 0.2], correlation=0.2, rope=-0.1)
    first, second = two_models(np.random.default_rng(9))
    other = TrialCounts(first.subject, (first.label + 1) % 3, first.counts)
    with pytest.raises(ResultError, match="differ in their label"):
        paired_bootstrap(first, other)
    narrow = TrialCounts(first.subject, first.label, first.counts[:, :2])
    with pytest.raises(ResultError, match="same classes, found 3 and 2"):
        paired_bootstrap(first, narrow)
    with pytest.raises(ValueError, match="'windows'"):
        paired_bootstrap(first, second, resample="windows")
