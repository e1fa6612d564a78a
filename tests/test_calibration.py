"""Calibration against scikit-learn, synthetic softmax of known temperature, and formulas."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics as oracle
from sklearn.calibration import calibration_curve

from eegemo.errors import ResultError
from eegemo.evaluation.calibration import (
    TEMPERATURE_BOUNDS,
    apply_temperature,
    area_under_risk_coverage,
    brier_score,
    calibration_scores,
    classwise_calibration_error,
    coverage_band,
    expected_calibration_error,
    fit_temperature,
    negative_log_likelihood,
    reliability_table,
    selective_accuracy,
    trial_intervals,
)


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def drawn(n=4000, n_classes=4, seed=0, scale=1.5):
    """Probabilities, and classes drawn from them: calibrated by construction."""
    rng = np.random.default_rng(seed)
    logits = scale * rng.normal(size=(n, n_classes))
    p = softmax(logits)
    true = (p.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    return logits, p, true


def confidence_of(p, true):
    return p.max(axis=1), p.argmax(axis=1) == true


@pytest.mark.parametrize(("strategy", "theirs"), [("width", "uniform"), ("mass", "quantile")])
def test_bins_are_those_of_scikit_learn(strategy, theirs):
    _, p, true = drawn()
    sure, right = confidence_of(p, true)
    table = reliability_table(sure, right, n_bins=10, strategy=strategy)
    accuracy, confidence = calibration_curve(right, sure, n_bins=10, strategy=theirs)
    some = table[table["n"] > 0]
    np.testing.assert_allclose(some["accuracy"], accuracy, rtol=1e-12)
    np.testing.assert_allclose(some["confidence"], confidence, rtol=1e-12)
    assert table["n"].sum() == len(p)
    # the error is the mean gap of these bins, weighted by their rows
    gap = np.average(np.abs(accuracy - confidence), weights=some["n"])
    error = expected_calibration_error(sure, right, n_bins=10, strategy=strategy)
    assert error == pytest.approx(gap, rel=1e-12)


def test_proper_scores_are_those_of_scikit_learn():
    _, p, true = drawn()
    assert negative_log_likelihood(p, true) == pytest.approx(oracle.log_loss(true, p), rel=1e-12)
    each = [oracle.brier_score_loss(true == k, p[:, k]) for k in range(4)]
    assert brier_score(p, true) == pytest.approx(sum(each), rel=1e-12)


def test_the_classwise_error_is_the_mean_over_one_against_the_rest():
    _, p, true = drawn(500)
    each = []
    for k in range(4):
        truth, mean = calibration_curve(true == k, p[:, k], n_bins=15)
        n = np.histogram(p[:, k], np.linspace(0, 1, 16))[0]
        each.append(np.average(np.abs(truth - mean), weights=n[n > 0]))
    assert classwise_calibration_error(p, true) == pytest.approx(np.mean(each), rel=1e-12)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_a_known_temperature_is_recovered(temperature):
    """Classes follow softmax(logits); the model states softmax(temperature * logits)."""
    logits, p, true = drawn(20_000)
    stated = softmax(temperature * logits).astype(np.float32)
    found = fit_temperature(stated, true)
    # the likelihood's curvature gives the estimate an SD of 1.2 % with 20,000 rows; this is 3 SD
    assert found == pytest.approx(temperature, rel=0.04)
    np.testing.assert_allclose(apply_temperature(stated, temperature), p, atol=1e-6)
    before, after = (
        calibration_scores(q, true) for q in (stated, apply_temperature(stated, found))
    )
    assert after["nll"] <= before["nll"]
    if temperature != 1:
        assert after["ece"] < 0.02 < before["ece"]
        assert np.sign(before["overconfidence"]) == np.sign(temperature - 1)


def test_the_temperature_is_the_best_of_a_fine_grid():
    logits, _, true = drawn(300)
    p = softmax(3 * logits)
    grid = np.geomspace(*TEMPERATURE_BOUNDS, 4001)
    losses = [negative_log_likelihood(apply_temperature(p, t), true) for t in grid]
    assert fit_temperature(p, true) == pytest.approx(grid[np.argmin(losses)], rel=2e-3)


def test_extremes_end_at_the_bounds_and_evenness_stays():
    p = np.tile([[0.9, 0.1]], (10, 1))
    assert fit_temperature(p, [1] * 10) == TEMPERATURE_BOUNDS[1]  # always wrong
    assert fit_temperature(p, [0] * 10) == TEMPERATURE_BOUNDS[0]  # always right
    assert fit_temperature(np.full((4, 2), 0.5), [0, 1, 1, 0]) == 1.0  # nothing to scale


rows = arrays(
    np.float32,
    st.tuples(st.integers(1, 6), st.integers(2, 5)),
    elements=st.floats(0, 1, width=32).map(lambda x: np.float32(x) ** 8),
)


@settings(deadline=None)
@given(rows, st.floats(*TEMPERATURE_BOUNDS))
def test_a_temperature_never_changes_the_predicted_class(values, temperature):
    """Any rows, near ties and underflow included; whatever the temperature in its bounds."""
    values[:, 0] += np.float32(1e-3)  # no row of zeros
    p = values / values.sum(axis=1, keepdims=True)
    scaled = apply_temperature(p, temperature)
    np.testing.assert_allclose(scaled.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_array_equal(scaled.argmax(axis=1), p.argmax(axis=1))


def test_each_row_may_have_its_own_temperature():
    _, p, _ = drawn(6)
    heats = np.array([0.5, 1, 2, 3, 4, 20])
    together = apply_temperature(p, heats)
    for row, one, heat in zip(together, p, heats, strict=True):
        np.testing.assert_allclose(row, softmax(np.log(one[np.newaxis]) / heat)[0], rtol=1e-12)


def test_a_calibrated_model_has_hardly_an_error_and_certainty_is_no_division_by_zero():
    _, p, true = drawn(40_000)
    # a bin of n rows is off by about sqrt(0.25 / n), so 15 bins of 40,000 rows by about 0.005
    assert calibration_scores(p, true)["ece"] < 0.01
    sure = np.eye(3)[[0, 1, 2]]
    scores = calibration_scores(sure, [0, 1, 2])
    assert scores["brier"] == scores["ece"] == scores["aurc"] == 0
    assert negative_log_likelihood(sure, [1, 1, 2]) == pytest.approx(87.34 / 3, rel=1e-4)


def test_accuracy_at_a_coverage_is_that_of_the_surest_rows():
    _, p, true = drawn(1000)
    sure, right = confidence_of(p, true)
    table = selective_accuracy(sure, right, [0.1, 0.25, 1.0]).set_index("coverage")
    for coverage, n in ((0.1, 100), (0.25, 250), (1.0, 1000)):
        best = np.argsort(-sure)[:n]
        assert table.loc[coverage, "n"] == n
        assert table.loc[coverage, "accuracy"] == pytest.approx(right[best].mean())
        assert table.loc[coverage, "threshold"] == sure[best].min()
    risks = [1 - right[np.argsort(-sure)[:k]].mean() for k in range(1, 1001)]
    assert area_under_risk_coverage(sure, right) == pytest.approx(np.mean(risks))


def test_equal_confidence_gains_nothing_whatever_the_order():
    right = np.array([1, 1, 1, 0, 0, 0, 1, 1])
    for order in (right, right[::-1]):
        assert selective_accuracy(np.full(8, 0.5), order)["accuracy"].to_list() == [0.625] * 20
        assert area_under_risk_coverage(np.full(8, 0.5), order) == pytest.approx(0.375)


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=30))
def test_what_coverage_gives_ends_at_accuracy(pairs):
    sure, right = map(np.array, zip(*pairs, strict=True))
    table = selective_accuracy(sure, right)
    assert table["accuracy"].iloc[-1] == pytest.approx(right.mean())
    assert table["accuracy"].between(0, 1).all()
    assert table["threshold"].is_monotonic_decreasing
    # any confidence is at best perfect order, at worst its reverse
    best, worst = (area_under_risk_coverage(key, right) for key in (right, ~right))
    assert best - 1e-12 <= area_under_risk_coverage(sure, right) <= worst + 1e-12


def test_intervals_know_that_windows_of_a_trial_are_not_independent():
    """The SD of a mean over k equal windows of n trials is that of n, not of n * k values."""
    rng = np.random.default_rng(0)
    right = rng.random(200) < 0.6
    trial = np.arange(200)
    few = trial_intervals(right[:, np.newaxis], trial, trial % 4)[0]
    many = np.repeat(right, 25)[:, np.newaxis]
    same = trial_intervals(many, np.repeat(trial, 25), np.repeat(trial % 4, 25))[0]
    np.testing.assert_allclose(few, same)
    # the normal interval of 0.6; 999 draws place its ends within a tenth of its width
    assert same[1] - same[0] == pytest.approx(2 * 1.96 * np.sqrt(0.24 / 200), rel=0.1)
    band = coverage_band(
        np.full(5000, 0.5), many[:, 0], np.repeat(trial, 25), np.repeat(trial % 4, 25)
    )
    assert band[-1, 1] - band[-1, 0] == pytest.approx(same[1] - same[0], rel=0.25)


def test_what_hardly_occurs_has_no_interval():
    values, trial = np.ones((6, 2)), np.array([0, 0, 1, 1, 2, 2])
    weights = np.array([[1, 1]] * 2 + [[0, 1]] * 4)
    intervals = trial_intervals(values, trial, np.zeros(6), weights=weights)
    assert np.isnan(intervals[0]).all()
    assert intervals[1].tolist() == [1, 1]


def test_what_does_not_fit_is_refused():
    with pytest.raises(ResultError, match=r"found shapes \(2,\) and \(1, 2\)"):
        brier_score([[0.5, 0.5]], [0, 1])
    with pytest.raises(ResultError, match="true classes from 0 to 1, found 0 to 2"):
        negative_log_likelihood([[0.5, 0.5]] * 2, [0, 2])
    with pytest.raises(ValueError, match="'width' or 'mass', found 'depth'"):
        reliability_table([0.5], [1], strategy="depth")
    with pytest.raises(ValueError, match="bounds: expected two rising"):
        fit_temperature([[0.5, 0.5]], [0], bounds=(2, 1))
