"""Tests of several models against published examples and independent formulas."""

import itertools
import json

import numpy as np
import pytest
from scipy import stats

from eegemo.errors import ResultError
from eegemo.evaluation.statistics import friedman, holm

# Demšar 2006, JMLR 7, table 6: AUC of C4.5, with tuned m, with tuned cf, with both, on 14 data sets
DEMSAR = np.array(
    [
        [0.763, 0.768, 0.771, 0.798],
        [0.599, 0.591, 0.590, 0.569],
        [0.954, 0.971, 0.968, 0.967],
        [0.628, 0.661, 0.654, 0.657],
        [0.882, 0.888, 0.886, 0.898],
        [0.936, 0.931, 0.916, 0.931],
        [0.661, 0.668, 0.609, 0.685],
        [0.583, 0.583, 0.563, 0.625],
        [0.775, 0.838, 0.866, 0.875],
        [1.000, 1.000, 1.000, 1.000],
        [0.940, 0.962, 0.965, 0.962],
        [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.9751, 0.975],  # printed as equal, but ranked 2 and 3
        [0.957, 0.978, 0.946, 0.970],
    ]
)


def test_the_published_example():
    """Mean ranks, chi-squared 9.28 and F 3.69 of the paper, taking no note of ties."""
    test = friedman(DEMSAR)
    assert np.round(test.mean_ranks, 3).tolist() == [3.143, 2.000, 2.893, 1.964]
    ties = sum((t**3 - t) for row in DEMSAR for t in np.unique(row, return_counts=True)[1].tolist())
    without = test.details["chi_squared"] * (1 - ties / (14 * 4 * (4**2 - 1)))
    assert without == pytest.approx(9.28, abs=0.005)
    assert 13 * without / (14 * 3 - without) == pytest.approx(3.69, abs=0.005)
    assert test.p_value < 0.05


def test_it_is_an_analysis_of_variance_of_the_ranks():
    """Iman & Davenport 1980: the F of ranks in a two-way layout, written out by sums of squares."""
    rng = np.random.default_rng(0)
    for scores in (rng.normal(size=(7, 4)), rng.integers(0, 4, size=(9, 3)) / 12):
        ranks = np.apply_along_axis(stats.rankdata, 1, -scores)
        n, k = ranks.shape
        models = n * ((ranks.mean(axis=0) - ranks.mean()) ** 2).sum()
        rest = ((ranks - ranks.mean(axis=0)) ** 2).sum()  # units all have the same mean rank
        f = models / (k - 1) / (rest / ((k - 1) * (n - 1)))
        test = friedman(scores)
        assert test.statistic == pytest.approx(f, rel=1e-9)
        assert test.p_value == pytest.approx(stats.f.sf(f, k - 1, (k - 1) * (n - 1)), rel=1e-9)
        assert test.details["chi_squared"] == pytest.approx(
            stats.friedmanchisquare(*scores.T).statistic
        )


def test_kendalls_w_is_the_mean_correlation_of_ranks():
    """Kendall & Gibbons: mean Spearman correlation of pairs of units is (n W - 1) / (n - 1)."""
    scores = np.random.default_rng(1).normal(size=(6, 5))
    rho = stats.spearmanr(scores, axis=1).statistic[np.triu_indices(6, 1)].mean()
    assert rho == pytest.approx((6 * friedman(scores).effect - 1) / 5)


def test_the_same_order_everywhere_has_its_exact_p_value():
    """Against every order of three models for three units: 6 of 216 agree, or 3 of 27 with ties."""
    test = friedman([[0.1, 0.2, 0.3]] * 3)
    orders = list(itertools.permutations(range(3)))
    every = [len(set(three)) == 1 for three in itertools.product(orders, repeat=3)]
    assert test.p_value == pytest.approx(np.mean(every))
    assert (test.statistic, test.effect) == (None, pytest.approx(1))
    assert friedman([[0.1, 0.1, 0.3]] * 3).p_value == pytest.approx(3 / 27)


def test_degenerate_tables_give_what_is_documented():
    tied = friedman(np.full((5, 3), 0.25))
    assert (tied.statistic, tied.p_value, tied.effect) == (0.0, 1.0, 0.0)
    rounded = friedman(np.array([[0.1 + 0.2, 0.3, 0.3]] * 4))  # equal but for rounding
    assert rounded.p_value == 1
    for scores in (np.zeros((0, 3)), np.ones((1, 3)), np.ones((4, 2))):
        test = friedman(scores)
        assert (test.statistic, test.p_value, test.effect) == (None, None, None)
        assert "Fewer" in test.note
        json.dumps(test.as_dict(), allow_nan=False)
    written = json.loads(json.dumps(friedman(DEMSAR).as_dict(), allow_nan=False))
    assert written["effect_name"] == "Kendall's W"
    assert (written["n"], written["n_models"]) == (14, 4)
    with pytest.raises(ResultError, match="finite scores"):
        friedman([[0.1, np.nan, 0.2], [0.1, 0.2, 0.3]])
    with pytest.raises(ResultError, match="finite scores"):
        friedman([0.1, 0.2, 0.3])


def test_holm_is_the_closure_of_bonferroni():
    """Adjusted p: the largest Bonferroni p-value of any set of hypotheses that holds this one."""
    rng = np.random.default_rng(2)
    for _ in range(30):
        p = np.round(rng.random(5) ** 3, 2)  # small ones, with ties
        sets = [s for r in range(1, 6) for s in itertools.combinations(range(5), r)]
        expected = [max(min(1, len(s) * min(p[list(s)])) for s in sets if i in s) for i in range(5)]
        np.testing.assert_allclose(holm(p), expected, atol=1e-12)


def test_holm_of_the_published_example():
    """Demšar 2006, sec. 3.2.2: 0.016, 0.019, 0.607; the first two are rejected at 0.05."""
    adjusted = holm({"m+cf": 0.016, "m": 0.019, "cf": 0.607})
    assert adjusted == pytest.approx({"m+cf": 0.048, "m": 0.048, "cf": 0.607})


def test_tests_without_a_p_value_do_not_count():
    assert holm({"a": None, "b": 0.02, "c": 0.5}) == {"a": None, "b": 0.04, "c": 0.5}
    assert holm({"a": None}) == {"a": None}
    assert holm([]).shape == (0,)
    for wrong in ([0.5, np.nan], [1.5], [[0.1]]):
        with pytest.raises(ResultError, match="between 0 and 1"):
            holm(wrong)
