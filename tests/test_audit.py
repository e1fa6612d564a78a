"""The audit: it finds the leak where there is nothing else, and the effect where there is one."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t
from sklearn.metrics import balanced_accuracy_score

from eegemo.audit import Audit, Row, audit_experiment, list_protocols, read_audit, sentences
from eegemo.audit.run import with_model
from eegemo.config import load_experiment
from eegemo.errors import ConfigError, ResultError
from eegemo.evaluation import read_predictions
from eegemo.execution import available_cpus
from experiments import REPOSITORY, tiny

AUDIT = REPOSITORY / "experiments" / "audit"


@pytest.fixture(scope="module")
def nothing(tmp_path_factory):
    """The quickstart's size with no effect and strong fingerprints, as shipped."""
    folder = tmp_path_factory.mktemp("nothing")
    experiment = load_experiment(AUDIT / "no_effect.yaml", overrides=[f"data.root={folder}"])
    return audit_experiment(
        experiment, results=folder, draws=3, quick=True, jobs=available_cpus()
    ).parent


@pytest.fixture(scope="module")
def audit(nothing):
    return read_audit(nothing)


def test_with_nothing_to_learn_only_leaks_score(audit):
    assert list(audit.rows) == ["window", "segment", "trial", "stimulus", "subject"]
    for name in ("window", "segment"):
        row = audit.rows[name]
        assert row.leaks
        assert row.window >= 0.5
        assert min(row.shuffled) >= 0.5  # with nothing to learn, too
    for name in ("trial", "stimulus", "subject"):
        row = audit.rows[name]
        assert not row.above
        assert row.window <= row.null[1]
        # the score is one like those of models trained on shuffled labels: inside the interval in
        # which 95 % of further ones would lie (Student's t over the draws)
        nulls = np.array(row.shuffled)
        half = t.ppf(0.975, len(nulls) - 1) * nulls.std(ddof=1) * np.sqrt(1 + 1 / len(nulls))
        assert nulls.mean() - half <= row.window <= nulls.mean() + half
    assert audit.rows["window"].leak_shown
    assert audit.rows["window"].inflation == pytest.approx(
        audit.rows["window"].window - audit.rows["trial"].window
    )


def test_its_words_say_so(audit):
    text = " ".join(sentences(audit))
    assert text.startswith("On simulated data, band-power logistic regression scored")
    assert "is leak" in text
    assert "above chance in none of them" in text
    assert "splits by trial, which can be evidence" in text
    assert "not above chance." in text


def test_scores_can_be_recomputed_from_the_predictions_of_its_runs(nothing, audit):
    table = pd.read_csv(nothing / "tables" / "audit.csv").set_index("name")
    draws = pd.read_csv(nothing / "tables" / "shuffled.csv")
    for name, row in audit.rows.items():
        assert table.loc[name, "window"] == pytest.approx(row.window)
        for run, value in zip(
            [row.folder, *audit.about["protocols"][name]["shuffled"]],
            [row.window, *row.shuffled],
            strict=True,
        ):
            rows = read_predictions(nothing / "runs" / run / "predictions.parquet")
            answer = rows.filter(like="p_").idxmax(axis=1).str.removeprefix("p_")
            assert balanced_accuracy_score(rows["y_true"], answer) == pytest.approx(value)
    assert len(draws) == sum(len(row.shuffled) for row in audit.rows.values())


def test_shuffled_runs_keep_each_subjects_classes_and_say_what_they_are(nothing, audit):
    about = audit.about["protocols"]["trial"]
    truth = read_predictions(nothing / "runs" / about["run"] / "predictions.parquet")
    other = read_predictions(nothing / "runs" / about["shuffled"][0] / "predictions.parquet")
    counts = [one.groupby(["subject", "y_true"]).size() for one in (truth, other)]
    pd.testing.assert_series_equal(*counts)
    keys = ["subject", "trial", "start"]
    both = truth.merge(other, on=keys)
    assert (both["y_true_x"] != both["y_true_y"]).mean() > 0.5
    record = nothing / "runs" / about["shuffled"][0] / "provenance.json"
    assert any("shuffled" in note for note in json.loads(record.read_text())["notes"])


@pytest.mark.slow
def test_a_real_effect_rises_above_its_null_and_the_audit_says_so(tmp_path):
    fewer = ("windows.stride=0.5", "model.C=0.1", f"data.root={tmp_path}")
    experiment = load_experiment(AUDIT / "effect.yaml", overrides=fewer)
    page = audit_experiment(
        experiment, results=tmp_path, draws=1, quick=True, jobs=available_cpus()
    )
    audit = read_audit(page.parent)
    whole = audit.rows["trial"]
    assert whole.above
    assert whole.window > max(whole.shuffled)
    assert whole.interval[0] > whole.null[1]
    text = " ".join(sentences(audit))
    assert "when split by trial, above permuted labels" in text
    assert "the score here is above chance" in text


def test_an_audit_is_not_run_twice_and_is_drawn_again_alike(nothing):
    before = (nothing / "audit.html").read_text()
    marks = {path: path.stat().st_mtime_ns for path in nothing.rglob("done")}
    experiment = load_experiment(
        AUDIT / "no_effect.yaml", overrides=[f"data.root={nothing.parent}"]
    )
    again = audit_experiment(experiment, results=nothing.parent, draws=3, quick=True, jobs=0)
    assert again == nothing / "audit.html"
    assert {path: path.stat().st_mtime_ns for path in nothing.rglob("done")} == marks
    assert (nothing / "audit.html").read_text() == before


def test_a_cheap_model_stands_in_for_the_network_of_the_file(tmp_path):
    leaking = ("split.group=window", "split.allow_leakage=true")
    experiment = tiny(tmp_path, *leaking)
    page = audit_experiment(
        experiment, results=tmp_path, model="band_power_logreg", draws=0, jobs=0
    )
    audit = read_audit(page.parent)
    assert all(row.shuffled == () and row.p_retrained is None for row in audit.rows.values())
    assert audit.rows["subject"].n_folds == 3
    text = " ".join(sentences(audit))
    assert "uses random windows, which cannot be evidence" in text
    assert "instead of cnn_gru from the file" in page.read_text().replace("&#39;", "'")
    # three windows of a second are too few to be cut into test, validation and training
    assert "segment" not in audit.rows
    assert "Not run: trials split in time. Trials are too short to be cut" in page.read_text()


def test_another_network_keeps_the_sizes_and_the_choice_of_the_file(tmp_path):
    experiment = tiny(tmp_path, "choice={grid: {model.units: [2, 4]}}")
    other = with_model(experiment, "cnn_lstm")
    assert other.model.model_dump() == experiment.model.model_dump() | {"name": "cnn_lstm"}
    assert other.choice == experiment.choice
    assert with_model(experiment, "band_power_logreg").choice is None


def test_what_cannot_be_audited_is_refused(tmp_path):
    experiment = tiny(tmp_path)
    with pytest.raises(
        ConfigError, match=r"--model: expected 'cnn_lstm', .*, found the text 'svm'"
    ):
        audit_experiment(experiment, results=tmp_path, model="svm")
    with pytest.raises(ConfigError, match="--draws: expected 0 or more, found -1"):
        audit_experiment(experiment, results=tmp_path, draws=-1)
    with pytest.raises(ResultError, match="expected a finished audit"):
        read_audit(tmp_path)
    (tmp_path / "audit.json").write_text('{"protocols": {"window": {"run": "a", "shuffled": []}}}')
    with pytest.raises(ResultError, match="the split by trial among them"):
        read_audit(tmp_path)


SPLIT = {
    "method": "stratified_group_k_fold",
    "group": "trial",
    "within": None,
    "n_splits": 5,
    "ratios": [0.8, 0.1, 0.1],
    "validation": 0.2,
    "allow_leakage": False,
}


def test_protocols_keep_the_budget_of_the_file():
    splits, missing = list_protocols(SPLIT, n_subjects=8, stimuli_known=True)
    assert not missing
    assert {name: one["n_splits"] for name, one in splits.items()} == dict.fromkeys(splits, 5)
    assert [name for name, one in splits.items() if one["allow_leakage"]] == ["window", "segment"]
    assert splits["subject"]["method"] == "leave_one_group_out"
    quick, _ = list_protocols(SPLIT, n_subjects=8, stimuli_known=True, one_by_one=False)
    assert quick["subject"]["method"] == "stratified_group_k_fold"
    within, _ = list_protocols(SPLIT | {"within": "subject"}, n_subjects=8, stimuli_known=True)
    assert [one["within"] for one in within.values()] == ["subject"] * 3 + [None] * 2
    ratio = SPLIT | {"method": "stratified_group_ratio"}
    splits, _ = list_protocols(ratio, n_subjects=8, stimuli_known=True)
    assert {one["method"] for one in splits.values()} == {"stratified_group_ratio"}


@pytest.mark.parametrize(
    ("units", "divided"),
    [
        (("run",), ["trial", "stimulus"]),
        (("run", "session"), ["trial", "run", "stimulus"]),
        (("run", "session", "subject"), ["trial", "run", "session", "stimulus"]),
    ],
)
def test_where_the_class_never_changes_within_recordings_they_are_held_out_as_well(units, divided):
    splits, _ = list_protocols(SPLIT, n_subjects=8, stimuli_known=True, constant_over=units)
    names = ["trial", *(unit for unit in units if unit != "subject"), "stimulus", "subject"]
    assert list(splits) == ["window", "segment", *names]
    allowed = [name for name, split in splits.items() if split["allow_leakage"]]
    assert allowed == ["window", "segment", *divided]


def test_a_split_by_trial_that_divides_such_recordings_is_no_evidence():
    rows = [LEAKY, row("trial", 0.6, leaks=True, p=0.001), row("run", 0.4, p=0.001)]
    text = words(rows)
    assert "when split by trial, which is no evidence either, since the class never" in text
    assert "Only the split run can be evidence; the score is above chance." in text
    assert "The file splits by trial, which cannot be evidence, since the class never" in text
    assert "None of these splits can be evidence." in words(rows[:2])


def row(name, window, *, leaks=False, p=0.5, **changes):
    usual = {
        "title": name,
        "n_folds": 3,
        "n_trials": 90,
        "n_windows": 900,
        "trial": window,
        "accuracy": window,
        "interval": None if leaks else (0.2, 0.3),
        "null": (0.2, 0.3),
        "p_value": p,
        "p_adjusted": p,
        "shuffled": (),
        "p_retrained": None,
        "majority": 0.25,
        "majority_accuracy": 0.3,
        "subject_majority": None,
        "chance": 0.25,
        "inflation": 0.1,
    }
    return Row(name=name, window=window, leaks=leaks, **(usual | changes))


def words(rows, asked="trial"):
    named = {one.name: one for one in rows}
    return " ".join(sentences(Audit(Path(), {"asked": asked}, named, "CNN-GRU", False, {})))


LEAKY = row("window", 0.9, leaks=True, p=0.001, leak_shown=True, inflation_interval=(0.3, 0.7))


@pytest.mark.parametrize(
    ("honest", "says"),
    [
        ({"trial": 0.01, "subject": 0.01}, "the score is above chance in all of them."),
        (
            {"trial": 0.01, "subject": 0.4},
            "above chance when split trial, but not when split subject.",
        ),
        ({"trial": 0.4}, "the score is not above chance."),
    ],
)
def test_the_sentence_on_evidence(honest, says):
    text = words([LEAKY, *(row(name, 0.4, p=p) for name, p in honest.items())], asked="session")
    assert says in text
    assert text.startswith("CNN-GRU scored")
    assert "(95 % interval 0.30 to 0.70) is leak" in text
    assert "splits by session, which does not divide trials" in text


def test_what_models_trained_on_shuffled_labels_reach_is_not_above_chance():
    """Subjects share videos, and signals only say which video it is: shuffled alike, it shows."""
    mark = {"p": 0.001, "shuffled": (0.45, 0.38), "shares_stimuli": True}
    text = words([LEAKY, row("trial", 0.42, **mark), row("stimulus", 0.25)])
    assert "above permuted labels (0.20 to 0.30), but not above models trained on permuted" in text
    assert "above chance in none of them" in text


def test_scores_that_may_rest_on_the_video_are_said_to():
    seen = row("trial", 0.5, p=0.001, shares_stimuli=True)
    assert "may recognise the video and not the emotion" in words([seen, row("stimulus", 0.25)])
    assert "recognise the video" not in words([seen, row("stimulus", 0.5, p=0.001)])


def test_a_difference_that_resampled_trials_do_not_show_is_not_called_leak():
    hidden = row("window", 0.5, leaks=True, leak_shown=False)
    text = words([hidden, row("trial", 0.45, p=0.001)])
    assert "is leak" not in text
    assert "these scores do not show that random windows leak" in text


def test_scores_below_their_null_are_said_to_be():
    assert "below permuted labels (0.20 to 0.30)" in words([LEAKY, row("trial", 0.15)])


@pytest.mark.parametrize("name", ["original_recipe", "whole_trials", "leave_one_subject_out"])
def test_deap_experiments_have_audit_counterparts(name):
    folder = REPOSITORY / "experiments" / "deap"
    network = load_experiment(folder / name / "cnn_lstm.yaml").model_dump()
    audit = load_experiment(folder / "audit" / f"{name}.yaml").model_dump()
    different = {key for key in network if network[key] != audit[key]}
    assert {"name", "model"} <= different <= {"name", "model", "training"}
