import itertools
import json

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import recall_score

from eegemo.errors import ResultError
from eegemo.predictions import predicted_classes, read_predictions, vote
from eegemo.statistics import (
    TrialCounts,
    assess,
    bootstrap_interval,
    count_trials,
    permutation_test,
    split_trials,
)
from fake_result import fake_result


def random_trials(rng, n_subjects=3, n_trials=12, n_classes=3, n_windows=5, effect=0.0):
    label = rng.integers(n_classes, size=n_subjects * n_trials)
    p = rng.dirichlet(np.ones(n_classes), len(label))  # windows of a trial look alike
    p = (1 - effect) * p + effect * np.eye(n_classes)[label]
    counts = np.array([rng.multinomial(n_windows, row) for row in p], dtype=float)
    return TrialCounts(np.repeat(np.arange(n_subjects), n_trials), label, counts)


def slow_score(label, counts):
    """Balanced accuracy by writing every window out, scored by scikit-learn."""
    true = np.repeat(label, counts.sum(axis=1).astype(int))
    predicted = np.concatenate([np.repeat(np.arange(len(c)), c.astype(int)) for c in counts])
    classes = np.arange(counts.shape[1])
    recalls = recall_score(true, predicted, labels=classes, average=None, zero_division=np.nan)
    return np.nanmean(recalls)


@pytest.fixture(scope="module")
def predictions(tmp_path_factory):
    path = fake_result(tmp_path_factory.mktemp("statistics") / "result", leaks=True)
    return read_predictions(path / "predictions.parquet")


def test_counts_are_those_of_the_rows(predictions):
    for rows in (predictions, vote(predictions)):
        trials = count_trials(rows)
        assert trials.counts.sum() == len(rows)
        assert len(trials.label) == 48  # a trial in several folds is one trial
        assert len(np.unique(trials.subject)) == 4
        recalls = recall_score(rows["y_true"], predicted_classes(rows), average=None)
        assert trials.score == pytest.approx(recalls.mean(), abs=1e-12)


def test_parts_hold_every_row_once(predictions):
    for by in ("fold", "subject"):
        parts = list(split_trials(predictions, by))
        assert len(parts) == predictions[by].nunique()
        assert sum(part.counts.sum() for part in parts) == len(predictions)


def test_sampling_agrees_with_every_permutation_of_a_tiny_case():
    """Two subjects with 3 and 4 trials: 3! x 4! = 144 labellings, all written out."""
    rng = np.random.default_rng(1)
    label = np.array([0, 1, 1, 0, 0, 1, 1])
    counts = rng.integers(0, 6, size=(7, 2)).astype(float) + np.eye(2)[label] * 2
    trials = TrialCounts(np.array([0] * 3 + [1] * 4), label, counts)
    every = np.array(
        [
            slow_score(label[[*first, *second]], counts)
            for first in itertools.permutations(range(3))
            for second in itertools.permutations(range(3, 7))
        ]
    )
    exact = np.mean(every >= slow_score(label, counts) - 1e-12)
    outcome = permutation_test(trials, n_permutations=9999)
    # five standard errors of a proportion over 9999 draws: fails once in a million seeds
    assert outcome.p_value == pytest.approx(exact, abs=5 * np.sqrt(exact * (1 - exact) / 9999))
    assert outcome.null.mean() == pytest.approx(every.mean(), abs=5 * every.std() / 100)
    assert set(np.round(outcome.null, 9)) <= set(np.round(every, 9))


def test_the_p_value_counts_the_observed_labelling():
    trials = TrialCounts(np.zeros(8, int), np.arange(8) % 2, np.eye(2)[np.arange(8) % 2])
    outcome = permutation_test(trials, n_permutations=999)
    hits = int((outcome.null == 1).sum())
    assert 0 < hits < 50  # 1 in C(8, 4) = 70 shuffles gives the labels back
    assert outcome.p_value == (1 + hits) / 1000
    assert permutation_test(trials, n_permutations=1).p_value >= 0.5


def test_false_alarms_stay_within_their_binomial_interval():
    """Without an effect p is (nearly) uniform: no more small ones than the level says."""
    rng = np.random.default_rng(2)
    runs = 400
    p = np.array(
        [permutation_test(random_trials(rng), n_permutations=199).p_value for _ in range(runs)]
    )
    for level in (0.05, 0.2, 0.5):
        # 99.9 %: three levels are looked at
        low, high = stats.binom.interval(0.999, runs, level)
        assert low <= (p <= level).sum() <= high


def test_windows_counted_as_independent_would_fool():
    """The null over trials is wider than a binomial over windows: why trials are moved whole."""
    trials = random_trials(np.random.default_rng(3), n_windows=50)
    n_windows = trials.counts.sum()
    assert permutation_test(trials).null.std() > 2 * np.sqrt(1 / 3 * 2 / 3 / n_windows)


def test_an_effect_is_found():
    trials = random_trials(np.random.default_rng(4), effect=0.6)
    outcome = permutation_test(trials)
    assert outcome.observed > outcome.interval[1]
    assert outcome.p_value == 1 / 5000


def test_answering_each_subjects_commonest_class_gains_nothing():
    label = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0])
    answers = np.array([0] * 6 + [1] * 6)
    outcome = permutation_test(TrialCounts(np.repeat([0, 1], 6), label, np.eye(2)[answers]))
    assert outcome.observed > 0.8  # without anything learnt from a signal
    assert outcome.p_value == 1


def test_same_seed_same_numbers_and_batches_do_not_matter(monkeypatch):
    trials = random_trials(np.random.default_rng(5))
    one, two = (permutation_test(trials, n_permutations=50, seed=7) for _ in range(2))
    np.testing.assert_array_equal(one.null, two.null)
    other = permutation_test(trials, n_permutations=50, seed=8)
    assert not np.array_equal(one.null, other.null)
    monkeypatch.setattr("eegemo.statistics._BATCH_LABELS", 10)
    assert len(permutation_test(trials, n_permutations=50).null) == 50


def test_bootstrap_over_trials_against_resampling_written_out():
    trials = random_trials(np.random.default_rng(6), effect=0.3)
    rng = np.random.default_rng(0)
    draws = []
    for _ in range(1500):
        rows = np.concatenate(
            [rng.choice(np.flatnonzero(trials.subject == s), 12) for s in range(3)]
        )
        label, counts = trials.label[rows], trials.counts[rows]
        hits = [counts[label == c, c].sum() / counts[label == c].sum() for c in np.unique(label)]
        draws.append(np.mean(hits))
    low, high = bootstrap_interval(trials)
    # the standard error of a 2.5 % quantile over 1500 draws is about 0.07 of their SD
    assert (low, high) == pytest.approx(np.quantile(draws, [0.025, 0.975]), abs=0.3 * np.std(draws))
    assert low < trials.score < high


def test_other_subjects_vary_more_than_other_trials():
    label = np.tile([0, 1], 20)
    good = np.repeat([1, 0], 20)  # one subject always right, one always wrong
    counts = np.eye(2)[np.where(good == 1, label, 1 - label)]
    trials = TrialCounts(np.repeat([0, 1], 20), label, counts)
    over_trials = bootstrap_interval(trials)
    over_subjects = bootstrap_interval(trials, resample="subjects")
    assert over_subjects == (0, 1)
    assert over_trials[1] - over_trials[0] < 0.5


def test_bootstrap_covers_as_often_as_it_says():
    """With many trials, 90 % intervals hold the true score in about 90 % of data sets."""
    rng = np.random.default_rng(7)
    runs, covered = 200, 0
    for _ in range(runs):
        label = rng.integers(2, size=120)
        right = rng.random(120) < 0.7
        counts = np.eye(2)[np.where(right, label, 1 - label)]
        trials = TrialCounts(np.repeat(np.arange(4), 30), label, counts)
        low, high = bootstrap_interval(trials, level=0.9, n_draws=300)
        covered += low <= 0.7 <= high
    low, high = stats.binom.interval(0.999, runs, 0.9)
    # percentile intervals are a little narrow (Davison & Hinkley 1997, ch. 5): 4 % is allowed
    assert low - 0.04 * runs <= covered <= high


def test_assess_is_complete_and_ready_for_json(predictions):
    outcome, null = assess(predictions, n_permutations=99, n_group=49)
    json.dumps(outcome, allow_nan=False)
    assert len(null) == 99
    assert len(outcome["folds"]) == predictions["fold"].nunique()
    assert len(outcome["subjects"]) == 4
    assert set(outcome["bootstrap"]) == {"trials", "subjects"}


def test_bad_input_is_named():
    with pytest.raises(ResultError, match="one or more trials"):
        TrialCounts(np.zeros(2, int), np.zeros(3, int), np.zeros((3, 2)))
    trials = random_trials(np.random.default_rng(0))
    with pytest.raises(ValueError, match="'windows'"):
        bootstrap_interval(trials, resample="windows")
