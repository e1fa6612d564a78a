import itertools
import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import recall_score

from eegemo.errors import ResultError
from eegemo.evaluation import predicted_classes, read_predictions, vote
from eegemo.evaluation.assess import assess
from eegemo.evaluation.statistics import (
    TrialCounts,
    bootstrap_interval,
    count_trials,
    permutation_test,
    split_trials,
)
from eegemo.evaluation.statistics.permutation import Shuffling, shuffle_labels
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
    outcome = permutation_test(trials, n_permutations=9999, stretch=1)
    # five standard errors of a proportion over 9999 draws: fails once in a million seeds
    assert outcome.p_value == pytest.approx(exact, abs=5 * np.sqrt(exact * (1 - exact) / 9999))
    assert outcome.null.mean() == pytest.approx(every.mean(), abs=5 * every.std() / 100)
    assert set(np.round(outcome.null, 9)) <= set(np.round(every, 9))


def test_the_p_value_counts_the_observed_labelling():
    trials = TrialCounts(np.zeros(8, int), np.arange(8) % 2, np.eye(2)[np.arange(8) % 2])
    outcome = permutation_test(trials, n_permutations=999, stretch=1)
    hits = int((outcome.null == 1).sum())
    assert 0 < hits < 50  # 1 in C(8, 4) = 70 shuffles gives the labels back
    assert outcome.p_value == (1 + hits) / 1000
    assert permutation_test(trials, n_permutations=1, stretch=1).p_value >= 0.5


def test_false_alarms_stay_within_their_binomial_interval():
    """Without an effect p is (nearly) uniform: no more small ones than the level says."""
    rng = np.random.default_rng(2)
    runs = 400
    p = np.array(
        [
            permutation_test(random_trials(rng), n_permutations=199, stretch=1).p_value
            for _ in range(runs)
        ]
    )
    for level in (0.05, 0.2, 0.5):
        # 99.9 %: three levels are looked at
        low, high = stats.binom.interval(0.999, runs, level)
        assert low <= (p <= level).sum() <= high


def binomial_limits(runs, level=0.05):
    return stats.binom.interval(0.999, runs, level)


def test_sessions_with_base_rates_of_their_own_raise_no_false_alarms():
    """A model that only tells sessions apart: with subjects as blocks, most p would be small."""
    rng = np.random.default_rng(8)
    runs, alarms, as_subjects = 300, 0, 0
    session = np.repeat([0, 1], 20)
    rate = np.where(session == 0, 0.85, 0.15)
    for _ in range(runs):
        label, answer = (rng.random((2, 40)) < rate).astype(int)
        trials = TrialCounts(np.zeros(40, int), label, np.eye(2)[answer], block=session)
        alarms += permutation_test(trials, n_permutations=199, stretch=1).p_value <= 0.05
        whole = TrialCounts(np.zeros(40, int), label, np.eye(2)[answer])
        as_subjects += permutation_test(whole, n_permutations=199, stretch=1).p_value <= 0.05
    assert alarms <= binomial_limits(runs)[1]
    assert as_subjects > 0.5 * runs


def shared_stimuli(rng, *, n_subjects=8, n_stimuli=16, dropped=0):
    """Labels and answers both follow the stimulus, and have nothing to do with each other."""
    subject = np.repeat(np.arange(n_subjects), n_stimuli)
    stimulus = np.concatenate([rng.permutation(n_stimuli) for _ in range(n_subjects)])
    own, common = rng.random((2, 2, len(subject))) < 0.5, rng.random((2, n_stimuli)) < 0.5
    follows = rng.random((2, len(subject))) < 0.7
    label, answer = np.where(follows, common[:, stimulus], own[0]).astype(int)
    kept = np.sort(rng.permutation(len(subject))[dropped:])
    counts = np.eye(2)[answer]
    return subject[kept], label[kept], counts[kept], stimulus[kept]


@pytest.mark.parametrize("dropped", [0, 30])
def test_shared_stimuli_raise_no_false_alarms(dropped):
    rng = np.random.default_rng(9)
    runs, alarms, alone = 300, 0, 0
    for _ in range(runs):
        subject, label, counts, stimulus = shared_stimuli(rng, dropped=dropped)
        trials = TrialCounts(subject, label, counts, stimulus=stimulus)
        alarms += permutation_test(trials, n_permutations=199, stretch=1).p_value <= 0.05
        trials = TrialCounts(subject, label, counts)
        alone += permutation_test(trials, n_permutations=199, stretch=1).p_value <= 0.05
    assert alarms <= binomial_limits(runs)[1]
    assert alone > 0.1 * runs


def test_joint_shuffling_agrees_with_every_order_of_the_stimuli():
    """Three subjects, each with the same four stimuli in another order: 4! labellings."""
    rng = np.random.default_rng(10)
    orders = np.array([rng.permutation(4) for _ in range(3)])
    own = rng.integers(2, size=(3, 4))  # the label of each stimulus, by subject
    own[:, 0], own[:, 1] = 0, 1
    counts = rng.integers(0, 6, size=(3, 4, 2)).astype(float) + 1
    label = np.take_along_axis(own, orders, axis=1).ravel()
    shown = np.take_along_axis(counts, orders[..., np.newaxis], axis=1).reshape(-1, 2)
    trials = TrialCounts(np.repeat(np.arange(3), 4), label, shown, stimulus=orders.ravel())
    every = [
        slow_score(own[:, list(order)].ravel(), counts.reshape(-1, 2))
        for order in itertools.permutations(range(4))
    ]
    outcome = permutation_test(trials, n_permutations=2000, stretch=1)
    assert (outcome.n_blocks, outcome.n_joint) == (3, 3)
    assert set(np.round(outcome.null, 9)) == set(np.round(every, 9))
    assert outcome.null.mean() == pytest.approx(np.mean(every), abs=5 * np.std(every) / 44)


def test_which_blocks_are_shuffled_together():
    def joint(stimulus, block):
        n = len(stimulus)
        values = np.array(stimulus), np.array(block)
        return TrialCounts(
            values[1], np.zeros(n, int), np.ones((n, 2)), stimulus=values[0]
        ).joint.tolist()

    assert joint([0, 1, 0, 1], [0, 0, 1, 1]) == [True, True]
    assert joint([0, 1, 2, 3], [0, 0, 1, 1]) == [False, False]  # nothing is shared
    assert joint([0, 0, 0, 1, 0, 1], [0, 0, 1, 1, 2, 2]) == [False, True, True]  # one twice
    assert joint([0, -1, 0, 1, 0, 1], [0, 0, 1, 1, 2, 2]) == [False, True, True]  # unknown
    assert joint([0, 0, 0, 1], [0, 0, 1, 1]) == [False, False]  # nobody left to share with
    assert joint([0, 1, 0], [0, 0, 1]) == [True, True]


def test_blocks_and_stimuli_come_from_the_predictions(predictions):
    rows = predictions.assign(session=np.where(predictions["trial"] > 6, "2", "1"))
    assert permutation_test(count_trials(rows), n_permutations=9, stretch=1).n_blocks == 8
    assert count_trials(predictions).joint.all()
    assert not count_trials(predictions.assign(stimulus="")).joint.any()
    for part in split_trials(predictions, "subject"):
        assert not part.joint.any()


def test_windows_counted_as_independent_would_fool():
    """The null over trials is wider than a binomial over windows: why trials are moved whole."""
    trials = random_trials(np.random.default_rng(3), n_windows=50)
    n_windows = trials.counts.sum()
    assert permutation_test(trials, stretch=1).null.std() > 2 * np.sqrt(1 / 3 * 2 / 3 / n_windows)


def test_an_effect_is_found():
    trials = random_trials(np.random.default_rng(4), effect=0.6)
    outcome = permutation_test(trials, stretch=1)
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
    one, two = (permutation_test(trials, n_permutations=50, seed=7, stretch=1) for _ in range(2))
    np.testing.assert_array_equal(one.null, two.null)
    other = permutation_test(trials, n_permutations=50, seed=8, stretch=1)
    assert not np.array_equal(one.null, other.null)
    monkeypatch.setattr("eegemo.evaluation.statistics.trials._BATCH_LABELS", 10)
    assert len(permutation_test(trials, n_permutations=50, stretch=1).null) == 50


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
    low, high = bootstrap_interval(trials, stretch=1)
    # the standard error of a 2.5 % quantile over 1500 draws is about 0.07 of their SD
    assert (low, high) == pytest.approx(np.quantile(draws, [0.025, 0.975]), abs=0.3 * np.std(draws))
    assert low < trials.score < high


def test_other_subjects_vary_more_than_other_trials():
    label = np.tile([0, 1], 20)
    good = np.repeat([1, 0], 20)  # one subject always right, one always wrong
    counts = np.eye(2)[np.where(good == 1, label, 1 - label)]
    trials = TrialCounts(np.repeat([0, 1], 20), label, counts)
    over_trials = bootstrap_interval(trials, stretch=1)
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


def test_intervals_that_mean_nothing_are_none():
    label = np.arange(12) % 2
    perfect = TrialCounts(np.repeat([0, 1], 6), label, np.eye(2)[label])
    assert bootstrap_interval(perfect) is None
    assert bootstrap_interval(perfect, resample="subjects") is None
    one = TrialCounts(np.zeros(12, int), label, np.eye(2)[label[::-1]] + np.eye(2)[label] * 2)
    one.counts[0] = [0, 3]
    assert bootstrap_interval(one) is not None
    assert bootstrap_interval(one, resample="subjects") is None


def test_assess_is_complete_and_ready_for_json(predictions):
    outcome, null = assess(predictions, n_permutations=99, n_group=49)
    json.dumps(outcome, allow_nan=False)
    assert len(null) == 99
    assert len(outcome["folds"]) == predictions["fold"].nunique()
    assert len(outcome["subjects"]) == 4
    assert set(outcome["bootstrap"]) == {"trials", "subjects"}
    assert outcome["permutation"]["null_q95"] == pytest.approx(np.quantile(null, 0.95))
    means = [part["null_mean"] for part in outcome["folds"]]
    assert outcome["over_folds"] == {"n": len(means), "null_mean": pytest.approx(np.mean(means))}


def test_bad_input_is_named():
    with pytest.raises(ResultError, match="one or more trials"):
        TrialCounts(np.zeros(2, int), np.zeros(3, int), np.zeros((3, 2)))
    trials = random_trials(np.random.default_rng(0))
    with pytest.raises(ValueError, match="'windows'"):
        bootstrap_interval(trials, resample="windows")


def test_blocks_that_lack_stimuli_get_the_labels_of_others_for_these():
    """Stimulus s takes over the label of stimulus t in both blocks, whoever lacks which."""
    subject, stimulus = np.repeat([0, 1], [5, 4]), np.array([0, 1, 2, 3, 4, 0, 1, 3, 4])
    scheme = Shuffling(subject, stimulus)
    draws = scheme.draw(np.random.default_rng(11), 24_000)
    given = stimulus[draws]  # scheme.order is as written
    whole, lacking = given[:, :5], given[:, 5:]
    assert (np.sort(whole, axis=1) == np.arange(5)).all()
    np.testing.assert_array_equal(lacking, whole[:, [0, 1, 3, 4]])
    from_own = draws[:, 5:] >= 5
    np.testing.assert_array_equal(from_own, lacking != 2)  # only what it lacks is lent
    _, n = np.unique(whole, axis=0, return_counts=True)
    assert len(n) == 120
    assert np.abs(n - 200).max() < 5 * np.sqrt(200)  # of 120 counts: far out on either side


@pytest.mark.parametrize("lacking", [0.25, 0.5])
def test_who_lacks_stimuli_does_not_make_labels_less_alike(lacking):
    """Every block that has two stimuli with different labels gives them different labels."""
    rng = np.random.default_rng(3)
    subject, stimulus = np.repeat(np.arange(8), 16), np.tile(np.arange(16), 8)
    label = np.arange(16)[stimulus] % 2
    kept = rng.random(128) > lacking
    codes = shuffle_labels(label[kept], subject[kept], stimulus[kept], rng)
    table = pd.DataFrame({"stimulus": stimulus[kept], "code": codes})
    by_stimulus = table.groupby("stimulus")["code"]
    assert (by_stimulus.min() == by_stimulus.max()).all()


def test_stretched_draws_have_the_same_mean_and_a_larger_spread():
    trials = random_trials(np.random.default_rng(4), effect=0.1)
    plain, wide = permutation_test(trials, stretch=1), permutation_test(trials)
    assert wide.null.mean() == pytest.approx(plain.null.mean())
    assert wide.null.std() == pytest.approx(2**0.5 * plain.null.std())
    assert wide.p_value > plain.p_value
    low, high = bootstrap_interval(trials, stretch=1)
    wider = bootstrap_interval(trials)
    assert (trials.score - wider[0]) / (trials.score - low) == pytest.approx(2**0.5)
    assert (wider[1] - trials.score) / (high - trials.score) == pytest.approx(2**0.5)
