"""Labels shuffled for training again follow the scheme that the permutation test assumes."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from eegemo.errors import ResultError
from eegemo.evaluation import class_names, read_predictions
from eegemo.evaluation.statistics import TrialCounts, count_trials, permutation_test, shuffle_labels
from eegemo.evaluation.statistics.trials import joint_blocks
from fake_result import fake_result


def test_the_draws_are_those_of_stored_code():
    """Worked out with the version before `shuffle_labels` was: a seed keeps its numbers."""
    answers = np.eye(3)[[0, 1, 2, 0, 0, 1, 2, 1, 2, 0, 1, 0]]
    subject, stimulus = np.repeat([0, 1], 6), np.tile(np.arange(6), 2)
    trials = TrialCounts(subject, np.arange(12) % 3, answers, stimulus=stimulus)
    null = permutation_test(trials, n_permutations=8, seed=3, stretch=1).null
    np.testing.assert_allclose(null, np.array([4, 6, 6, 3, 3, 6, 5, 3]) / 12, atol=1e-12)


@pytest.mark.parametrize("stimuli", ["shared", "unknown", "some unknown"])
def test_one_draw_is_one_draw_of_the_permutation_test(tmp_path, monkeypatch, stimuli):
    """A table of trials in place of predictions gives the same labels, draw by draw."""
    rows = read_predictions(fake_result(tmp_path / "result") / "predictions.parquet")
    rows = rows.assign(session=np.where(rows["trial"] > 6, "2", "1"))
    if stimuli != "shared":
        gone = (rows["trial"] == 3) & (rows["subject"] == "s02")
        rows.loc[gone | (stimuli == "unknown"), "stimulus"] = ""
    counted = count_trials(rows)
    table = rows.drop_duplicates(["subject", "session", "trial"])
    table = table.sort_values(["subject", "session", "trial"])
    code = pd.Index(class_names(rows)).get_indexer(pd.Index(table["y_true"]))
    np.testing.assert_array_equal(code, counted.label)
    monkeypatch.setattr(
        "eegemo.evaluation.statistics.trials._BATCH_LABELS", 1
    )  # one draw at a time
    outcome = permutation_test(counted, n_permutations=20, seed=5, stretch=1)
    rng = np.random.default_rng(5)
    block = table[["subject", "session"]]
    drawn = [shuffle_labels(code, block, table["stimulus"], rng) for _ in range(20)]
    scores = [TrialCounts(counted.subject, labels, counted.counts).score for labels in drawn]
    np.testing.assert_allclose(outcome.null, scores, atol=1e-12)
    assert len(set(map(tuple, drawn))) > 15


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_blocks_keep_their_labels_and_trials_without_a_class_stay(data):
    """A block that lacks stimuli which others share gets labels of these; all other keep theirs."""
    n = data.draw(st.integers(1, 24))
    column = st.lists(st.integers(-1, 3), min_size=n, max_size=n)
    code, block, stimulus = (np.array(data.draw(column)) for _ in range(3))
    rng = np.random.default_rng(data.draw(st.integers(0, 9)))
    new = shuffle_labels(code, block, stimulus, rng)
    np.testing.assert_array_equal(new < 0, code < 0)
    np.testing.assert_array_equal(new[code < 0], code[code < 0])
    used = code >= 0
    if not used.any():
        return
    number = np.unique(block[used], return_inverse=True)[1]
    joint = joint_blocks(number, stimulus[used])
    common = set(stimulus[used][joint[number]])
    for k, name in enumerate(np.unique(block[used])):
        inside = used & (block == name)
        if not joint[k] or set(stimulus[inside]) == common:
            assert sorted(new[inside]) == sorted(code[inside])
        else:
            assert set(new[inside]) <= set(code[used])


def test_trials_without_a_class_do_not_change_the_scheme():
    """They may even be of unknown stimuli: what is left is shuffled as if they were not there."""
    rng = np.random.default_rng(0)
    subject, stimulus = np.repeat(np.arange(4), 6), np.tile(np.arange(6), 4)
    code = rng.integers(2, size=24)
    left = np.sort(rng.permutation(24)[:7])
    holes, names = code.copy(), stimulus.astype(float)
    holes[left], names[left] = -1, np.nan
    kept = np.setdiff1d(np.arange(24), left)
    for seed in range(5):
        whole = shuffle_labels(holes, subject, names, np.random.default_rng(seed))
        part = shuffle_labels(
            code[kept], subject[kept], stimulus[kept], np.random.default_rng(seed)
        )
        np.testing.assert_array_equal(whole[kept], part)


def test_subjects_who_share_stimuli_keep_what_their_labels_have_in_common():
    """The columns of labels by stimulus are moved as wholes, and every order is as likely."""
    orders = np.array([[0, 1, 2, 3], [2, 0, 3, 1], [3, 2, 1, 0]])
    by_stimulus = np.array([[0, 1, 0, 1], [0, 1, 1, 2], [2, 1, 0, 0]])  # four different columns
    code = np.take_along_axis(by_stimulus, orders, axis=1).ravel()
    subject, names = np.repeat(["a", "b", "c"], 4), np.array(list("wxyz"))[orders.ravel()]
    rng = np.random.default_rng(1)
    seen = Counter()
    for _ in range(480):
        new = shuffle_labels(code, subject, names, rng).reshape(3, 4)
        columns = np.take_along_axis(new, np.argsort(orders, axis=1), axis=1).T
        assert sorted(map(tuple, columns)) == sorted(map(tuple, by_stimulus.T))
        seen[tuple(map(tuple, columns))] += 1
    assert len(seen) == 24
    assert stats.chisquare(list(seen.values())).pvalue > 1e-4  # a fixed seed; 1 in 10 000 others


def test_neither_names_of_stimuli_nor_the_order_of_rows_matter():
    rng = np.random.default_rng(2)
    table = pd.DataFrame(
        {
            "subject": np.repeat(["s1", "s2", "s3"], 8),
            "stimulus": np.tile([f"v{i}" for i in range(8)], 3),
            "code": rng.integers(3, size=24),
        }
    )
    numbers = table["stimulus"].str[1:].astype(int)

    def draw(rows, stimuli):
        return shuffle_labels(rows["code"], rows["subject"], stimuli, np.random.default_rng(4))

    expected = draw(table, table["stimulus"])
    np.testing.assert_array_equal(draw(table, numbers), expected)
    order = rng.permutation(24)
    moved = table.iloc[order]
    np.testing.assert_array_equal(draw(moved, moved["stimulus"]), expected[order])


def test_nothing_to_shuffle_stays_as_it_is():
    rng = np.random.default_rng(0)
    assert shuffle_labels([-1, -1], ["a", "b"], None, rng).tolist() == [-1, -1]
    assert shuffle_labels([2, 0, 1], ["a", "b", "c"], None, rng).tolist() == [2, 0, 1]
    assert shuffle_labels(np.zeros(0, int), [], None, rng).tolist() == []


def test_labels_that_do_not_fit_are_named():
    rng = np.random.default_rng(0)
    with pytest.raises(ResultError, match="a label, block and stimulus for each trial"):
        shuffle_labels([0, 1], ["a"], None, rng)
    with pytest.raises(ResultError, match="a label, block and stimulus for each trial"):
        shuffle_labels([0, 1], ["a", "a"], ["x", "y", "z"], rng)
    with pytest.raises(ResultError, match="numbers of classes"):
        shuffle_labels([0.5, 1.0], ["a", "a"], None, rng)
