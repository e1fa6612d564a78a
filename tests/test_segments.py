"""Trials cut in time: no sample in two parts, every trial in all of them, and marked as a leak."""

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

from eegemo.errors import DataError, LeakageError
from eegemo.splits import Fold, check_folds, describe_split, make_folds


def table_of(n_trials=6, n_windows=12, duration=1.0, stride=0.25, n_subjects=2):
    rows = [
        (f"s{s}", "1", t, "", -0.5 + w * stride, -0.5 + w * stride + duration, t % 2)
        for s in range(n_subjects)
        for t in range(1, n_trials + 1)
        for w in range(n_windows)
    ]
    names = ["subject", "session", "trial", "stimulus", "start", "stop", "code"]
    return pd.DataFrame(rows, columns=names)


def samples(table, rows, rate=64):
    """Every sample that windows touch, named by trial and time, found without cleverness."""
    found = set()
    for row in table.iloc[rows].itertuples():
        first, last = round(row.start * rate), round(row.stop * rate)
        found |= {(row.subject, row.trial, k) for k in range(first, last)}
    return found


@settings(max_examples=30, deadline=None)
@given(
    n_windows=st.integers(12, 40),
    steps=st.integers(1, 4),
    n_splits=st.integers(2, 3),
    order=st.randoms(use_true_random=False),
)
def test_no_sample_is_in_two_parts_and_every_window_is_tested_once(
    n_windows, steps, n_splits, order
):
    table = table_of(n_windows=n_windows, stride=1 / steps, n_trials=2)
    rows = list(range(len(table)))
    order.shuffle(rows)
    table = table.iloc[rows].reset_index(drop=True)
    try:
        folds = make_folds(table, group="segment", n_splits=n_splits, allow_leakage=True)
    except DataError:  # too short to be cut
        assert n_windows / steps < 10
        return
    tested = np.concatenate([fold.test for fold in folds])
    assert sorted(tested) == list(range(len(table)))
    for fold in folds:
        parts = [samples(table, rows) for rows in fold.parts().values()]
        assert not parts[0] & parts[1]
        assert not parts[0] & parts[2]
        assert not parts[1] & parts[2]


def test_a_ratio_cuts_every_trial_into_earlier_and_later():
    table = table_of(n_windows=40, stride=1.0)
    (fold,) = make_folds(
        table,
        method="stratified_group_ratio",
        group="segment",
        ratios=(0.7, 0.1, 0.2),
        allow_leakage=True,
    )
    for _, trial in table.groupby(["subject", "trial"]):
        ends = [
            trial.loc[trial.index.isin(part), "start"].agg(["min", "max"])
            for part in fold.parts().values()
        ]
        assert ends[0]["max"] < ends[1]["min"] <= ends[1]["max"] < ends[2]["min"]
        assert [int(trial.index.isin(part).sum()) for part in fold.parts().values()] == [28, 4, 8]


def test_it_must_be_allowed_and_says_what_it_is():
    table = table_of()
    with pytest.raises(LeakageError, match="group 'segment' puts windows of one trial into both"):
        make_folds(table, group="segment", n_splits=2)
    folds = make_folds(table, group="segment", n_splits=2, allow_leakage=True, validation=0)
    sentence = describe_split(folds, table, group="segment", within=None)
    assert "cut in time" in sentence
    assert "not an emotion" in sentence
    with pytest.raises(DataError, match="one segment at a time"):
        make_folds(table, method="leave_one_group_out", group="segment", allow_leakage=True)


def test_within_subjects_it_makes_models_of_each():
    folds = make_folds(
        table_of(), group="segment", within="subject", n_splits=2, allow_leakage=True, validation=0
    )
    assert [fold.name for fold in folds] == ["s0-1", "s0-2", "s1-1", "s1-2"]


def test_trials_that_are_too_short_are_refused():
    with pytest.raises(DataError, match="too short to be cut into 3 pieces"):
        make_folds(table_of(n_windows=3), group="segment", n_splits=3, allow_leakage=True)
    with pytest.raises(DataError, match="needs the columns 'start' and 'stop'"):
        make_folds(table_of().drop(columns="stop"), group="segment", n_splits=2, allow_leakage=True)


def test_the_proof_finds_a_shared_sample():
    table = table_of(n_trials=1, n_subjects=1)
    rows = np.arange(12)
    apart = Fold("1", rows[:3], rows[6:6], rows[6:])
    check_folds([apart], table, group="segment")
    touching = Fold("1", rows[:4], rows[6:6], rows[6:])
    with pytest.raises(LeakageError, match="same samples in two sets"):
        check_folds([touching], table, group="segment")
