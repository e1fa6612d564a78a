"""What a score varies over, against scikit-learn, pandas and scipy."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import recall_score

from eegemo.evaluation import predicted_classes, read_predictions, vote
from eegemo.evaluation.assess import assess
from eegemo.evaluation.statistics import count_trials, permutation_test, split_trials, spread_of
from fake_result import fake_result


@pytest.fixture(scope="module")
def repeated(tmp_path_factory):
    """Three repeats of a cross-validation within subjects, each with other answers."""
    parts = []
    for repeat in range(3):
        folder = tmp_path_factory.mktemp("spread") / "result"
        rows = read_predictions(fake_result(folder, seed=repeat) / "predictions.parquet")
        parts.append(rows.assign(repeat=repeat, fold=rows["fold"] + 12 * repeat))
    return pd.concat(parts, ignore_index=True)


def scores_by(rows, unit):
    """The mean recall of the classes that occur, by scikit-learn."""
    scores = {}
    for name, part in rows.groupby(unit):
        true, answer = part["y_true"], predicted_classes(part)
        scores[name] = recall_score(true, answer, labels=true.unique(), average="macro")
    return pd.Series(scores)


def test_each_spread_is_over_what_it_says(repeated):
    for rows in (repeated, vote(repeated)):
        found = spread_of(rows)
        for unit in ("fold", "subject", "repeat"):
            scores = scores_by(rows, unit)
            part = found[f"{unit}s"]
            assert part["n"] == len(scores) == {"fold": 36, "subject": 4, "repeat": 3}[unit]
            assert part["mean"] == pytest.approx(scores.mean(), abs=1e-12)
            assert (part["min"], part["max"]) == pytest.approx((scores.min(), scores.max()))
            if unit != "fold":
                assert part["sd"] == pytest.approx(scores.std(), abs=1e-12)
                limits = stats.ttest_1samp(scores, 0).confidence_interval(0.95)
                assert part["interval"] == pytest.approx(np.clip(list(limits), 0, 1))
        folds = scores_by(rows, "fold")
        groups = [folds[folds.index // 12 == repeat] for repeat in range(3)]
        # the SD within groups of the same size is the root of their mean variance
        pooled = np.sqrt(np.mean([group.var() for group in groups]))
        assert found["folds"]["sd"] == pytest.approx(pooled, abs=1e-12)
        assert found["folds"]["interval"] is None


def test_what_repeats_differ_by_is_not_in_the_spread_over_folds(repeated):
    """One repeat all wrong, two all right: within each, folds are the same."""
    flat = repeated.copy()
    columns = [name for name in flat.columns if name.startswith("p_")]
    right = pd.get_dummies(flat["y_true"])[[name[2:] for name in columns]].to_numpy(dtype=float)
    flat[columns] = np.where(flat[["repeat"]] == 0, np.roll(right, 1, axis=1), right)
    found = spread_of(flat)
    assert found["folds"]["sd"] == 0
    assert (found["folds"]["min"], found["folds"]["max"]) == (0, 1)
    assert found["repeats"]["sd"] == pytest.approx(np.std([0, 1, 1], ddof=1))
    assert found["repeats"]["interval"] == [0, 1]  # cut to possible scores


def test_intervals_only_where_they_mean_something(tmp_path, repeated):
    one = repeated[repeated["repeat"] == 0]
    found = spread_of(one)
    assert (found["repeats"]["sd"], found["repeats"]["interval"]) == (None, None)
    assert "the spread over seeds is unknown" in found["repeats"]["what"]
    assert found["subjects"]["interval"] is not None
    assert spread_of(one.drop(columns="repeat")) == found
    pooled = read_predictions(
        fake_result(tmp_path / "result", within=False) / "predictions.parquet"
    )
    found = spread_of(pooled)
    assert found["subjects"]["interval"] is None
    assert "depend on each other" in found["subjects"]["what"]
    assert found["subjects"]["sd"] == pytest.approx(scores_by(pooled, "subject").std())
    single = spread_of(one[one["subject"] == "s01"])
    assert (single["subjects"]["sd"], single["subjects"]["interval"]) == (None, None)
    json.dumps([found, single], allow_nan=False)


def test_repeats_are_further_predictions_of_the_same_trials(repeated):
    trials = count_trials(repeated)
    assert len(trials.label) == 48
    assert trials.counts.sum() == len(repeated)
    for part in split_trials(repeated, "repeat"):
        assert len(part.label) == 48
    # the same answers three times over are no more evidence than once
    first = repeated[repeated["repeat"] == 0]
    thrice = pd.concat(
        [first.assign(repeat=r, fold=first["fold"] + 12 * r) for r in range(3)], ignore_index=True
    )
    once, more = (
        permutation_test(count_trials(rows), n_permutations=99) for rows in (first, thrice)
    )
    np.testing.assert_allclose(once.null, more.null, atol=1e-12)
    assert once.p_value == more.p_value
    outcome, _ = assess(thrice, n_permutations=19, n_group=9)
    assert len(outcome["folds"]) == 36
    assert len(outcome["subjects"]) == 4
