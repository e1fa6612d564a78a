import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eegemo.errors import ResultError
from eegemo.evaluation import (
    check_predictions,
    class_names,
    make_predictions,
    predicted_classes,
    read_predictions,
    vote,
    write_predictions,
)
from eegemo.evaluation.predictions import probabilities
from fake_result import fake_result

relaxed = settings(deadline=None)  # the first example pays for imports, on a shared machine


def small(n_trials: int = 4, n_windows: int = 3, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    trial = np.repeat(np.arange(n_trials), n_windows)
    return make_predictions(
        fold=2,
        subject=["s01"] * len(trial),
        session=["1"] * len(trial),
        trial=trial + 1,
        stimulus=[f"video{t + 1}" for t in trial],
        start=np.tile(np.arange(n_windows) * 0.5, n_trials),
        y_true=np.array(["low", "mid", "high"], dtype=object)[trial % 3],
        probabilities=rng.dirichlet(np.ones(3), len(trial)),
        classes=["low", "mid", "high"],
    )


def test_columns_and_order_of_classes():
    frame = small()
    assert list(frame) == [
        "repeat", "fold", "subject", "session", "trial", "stimulus", "start", "y_true",
        "p_low", "p_mid", "p_high",
    ]  # fmt: skip
    assert class_names(frame) == ["low", "mid", "high"]
    assert frame["p_low"].dtype == np.float32
    assert probabilities(frame).shape == (12, 3)
    chosen = np.array(class_names(frame))[probabilities(frame).argmax(axis=1)]
    np.testing.assert_array_equal(predicted_classes(frame), chosen)


def test_round_trip_is_exact_and_leaves_one_file(tmp_path):
    frame = small()
    path = write_predictions(frame, tmp_path / "sub" / "predictions.parquet")
    assert [p.name for p in path.parent.iterdir()] == ["predictions.parquet"]
    pd.testing.assert_frame_equal(read_predictions(path), frame)


def test_names_that_look_like_columns_survive(tmp_path):
    frame = small().rename(columns={"p_low": "p_p_low", "p_mid": "p_mid high"})
    frame["y_true"] = frame["y_true"].replace({"low": "p_low", "mid": "mid high"})
    path = write_predictions(frame, tmp_path / "p.parquet")
    assert class_names(read_predictions(path)) == ["p_low", "mid high", "high"]


def wrong_sum(frame):
    return frame.assign(p_low=frame["p_low"] + 0.1)


def logits(frame):
    return frame.assign(p_low=-1.0, p_mid=1.0, p_high=1.0)


def two_labels(frame):
    return frame.assign(y_true=["mid", *frame["y_true"][1:]])


def two_stimuli(frame):
    return frame.assign(stimulus=["other", *frame["stimulus"][1:]])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda f: f.drop(columns="trial"), "missing trial"),
        (lambda f: f.drop(columns=["p_low", "p_mid"]), "two or more classes"),
        (lambda f: f.iloc[:0], "found none"),
        (lambda f: f.assign(start=np.nan), "missing in the column\\(s\\) start"),
        (lambda f: f.assign(trial="one"), "wrong type"),
        (lambda f: f.assign(y_true="other"), "'other' has no probability column"),
        (wrong_sum, "sum to 1"),
        (logits, "between 0 and 1"),
        (lambda f: pd.concat([f, f.iloc[:1]]), "predicted twice in fold 2"),
        (two_labels, "two true classes"),
        (two_stimuli, "trial 1 of subject s01 has two stimuli"),
        (lambda f: f.drop(columns="stimulus"), "missing stimulus"),
        (lambda f: f.assign(repeat=np.arange(len(f)) % 2), "a fold belongs to two repeats"),
    ],
)
def test_what_is_no_prediction_is_refused(change, says, tmp_path):
    path = tmp_path / "predictions.parquet"
    with pytest.raises(ResultError, match=says):
        write_predictions(change(small()), path)
    assert not list(tmp_path.iterdir())


def test_wrong_shapes_are_refused():
    one = {"fold": 0, "subject": ["a"], "session": ["1"], "trial": [1], "start": [0.0]}
    with pytest.raises(ResultError, match=r"shape \(n_windows, 2\), found \(1, 3\)"):
        make_predictions(**one, y_true=["a"], probabilities=[[1, 0, 0]], classes=["a", "b"])
    with pytest.raises(ResultError, match="2 values of 'subject'"):
        make_predictions(**one, y_true=["a"], probabilities=[[1, 0]] * 2, classes=["a", "b"])


def test_an_unknown_stimulus_is_empty_and_votes_too(tmp_path):
    one = {"fold": 0, "subject": ["a"], "session": ["1"], "trial": [1], "start": [0.0]}
    frame = make_predictions(**one, y_true=["a"], probabilities=[[1, 0]], classes=["a", "b"])
    again = read_predictions(write_predictions(frame, tmp_path / "p.parquet"))
    assert again["stimulus"].tolist() == vote(again)["stimulus"].tolist() == [""]


def test_unreadable_files_are_named(tmp_path):
    with pytest.raises(ResultError, match="no such file"):
        read_predictions(tmp_path / "nothing.parquet")
    (tmp_path / "text.parquet").write_text("no parquet")
    with pytest.raises(ResultError, match=r"text\.parquet: expected a parquet file"):
        read_predictions(tmp_path / "text.parquet")


def test_vote_is_the_mean_of_probabilities():
    frame = small()
    voted = vote(frame)
    assert voted["n_windows"].tolist() == [3] * 4
    for row in voted.itertuples():
        own = frame[frame["trial"] == row.trial]
        assert row.y_true == own["y_true"].iloc[0]
        assert row.stimulus == f"video{row.trial}"
        # means in float64 of float32 values: equal to the last digit but for the order of sums
        assert row.p_mid == pytest.approx(own["p_mid"].astype(float).mean(), abs=1e-12)
    np.testing.assert_allclose(probabilities(voted).sum(axis=1), 1, atol=1e-6)  # float32 input


def test_a_trial_votes_once_in_each_fold():
    frame = small()
    both = pd.concat([frame, frame.assign(fold=5)], ignore_index=True)
    assert vote(both).groupby("fold").size().to_dict() == {2: 4, 5: 4}


@relaxed
@given(order=st.permutations(range(12)))
def test_vote_does_not_depend_on_the_order_of_rows(order):
    frame = small()
    pd.testing.assert_frame_equal(vote(frame), vote(frame.iloc[list(order)]), atol=1e-12, rtol=0)


def test_one_window_per_trial_votes_as_it_predicts():
    frame = small(n_windows=1)
    np.testing.assert_array_equal(predicted_classes(vote(frame)), predicted_classes(frame))


def test_check_does_not_change_its_input(tmp_path):
    frame = read_predictions(fake_result(tmp_path / "r") / "predictions.parquet")
    before = frame.copy()
    shuffled = frame[[*reversed(frame.columns)]]
    check_predictions(shuffled)
    pd.testing.assert_frame_equal(frame, before)
