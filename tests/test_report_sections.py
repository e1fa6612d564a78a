"""What a report says of subjects, repeats, probabilities, choices and the simple baseline."""

import json

import numpy as np
import pandas as pd
import pytest
from test_report import Page

from eegemo.errors import ResultError
from eegemo.evaluation import class_names
from eegemo.report import headline, write_report
from eegemo.report.choices import describe_choice
from eegemo.report.sentences import make_sentences, subject_sentence
from eegemo.results import open_result
from fake_result import fake_result


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """Three repeats, too sure by a factor of two and a half, a baseline, and settings to choose."""
    path = fake_result(
        tmp_path_factory.mktemp("sections") / "full", n_subjects=2, n_splits=2, repeats=3,
        sharpness=2.5, validation=True, baseline=0.6, choice=True,
    )  # fmt: skip
    write_report(path)
    return path


@pytest.fixture(scope="module")
def text(full):
    return Page(full / "report.html").text


def change_folds(path, **values):
    for file in path.glob("folds/*/fold.json"):
        file.write_text(json.dumps(json.loads(file.read_text()) | values))


def test_all_parts_are_there_and_say_so(full, text):
    names = {p.stem for p in (full / "tables").iterdir()}
    assert {"repeats", "temperature", "baseline", "choice", "spread"} <= names
    assert {"spread", "reliability", "coverage"} <= {p.stem for p in (full / "figures").iterdir()}
    numbers = json.loads((full / "metrics.json").read_text())
    assert numbers["n_repeats"] == 3
    for sentence in numbers["sentences"].values():
        assert sentence
        assert sentence in text
    assert json.dumps(numbers, allow_nan=False)


def test_repeats_are_added_up_and_named(full, text):
    result = open_result(full)
    window, trial = (result.assessment.levels[level] for level in ("window", "trial"))
    once = result.predictions[result.predictions["repeat"] == 0]
    assert window["total"]["n"] == 3 * len(once)
    assert trial["total"]["n"] == 3 * 24
    summed = sum(np.array(part["confusion"]) for part in window["repeats"])
    assert window["total"]["confusion"] == summed.tolist()
    assert "classified 24 trials in each of three repeats" in text
    for over in ("over 12 folds", "over 2 subjects", "over 3 repeats"):
        assert f"windows, {over}" in text
    for one in window["spread"].values():
        assert one["what"] in text
    assert "the count, summed over repeats" in text


def test_the_choice_is_told_per_fold_and_never_saw_the_test(full, text):
    folds = open_result(full).records
    choice = describe_choice(folds)
    assert sum(one["won"] for one in choice["candidates"]) == len(folds) == 12
    for record, one in zip(folds, choice["folds"], strict=True):
        losses = [entry["loss"] for entry in record["choice"]["candidates"]]
        assert one["loss"] == min(losses) == one["range"][0]
    assert "Selection used validation windows only; the test set was predicted once" in text
    table = pd.read_csv(full / "tables" / "choice.csv")
    assert len(table) == 12 * 4
    assert table.groupby("fold")["chosen"].sum().eq(1).all()
    assert {"model.units", "training.learning_rate"} <= set(table.columns)
    best = table.loc[table.groupby("fold")["loss"].idxmin()]
    assert best["chosen"].all()


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return fake_result(tmp_path_factory.mktemp("sections") / "small", baseline=0.5, effect=0.8)


@pytest.mark.parametrize(
    ("effect", "says"),
    [
        (3.0, "; it is worse than logistic regression on band power (0.9"),
        (-3.0, None),
        (0.9, "; it does not"),
    ],
)
def test_the_headline_says_when_the_simple_model_is_not_beaten(tmp_path, effect, says):
    path = fake_result(tmp_path / "r", baseline=effect, n_splits=6)
    sentence = headline(path)
    if says is None:
        assert "band power" not in sentence
        assert "CNN-LSTM beats it" in make_sentences(open_result(path))["baseline"]
    else:
        assert says in sentence


def test_a_model_beside_itself_is_no_worse_and_no_better(small, tmp_path):
    path = fake_result(tmp_path / "r")
    (path / "baseline.parquet").write_bytes((path / "predictions.parquet").read_bytes())
    gap = open_result(path).assessment.baseline_comparison["window"]["difference"]
    assert gap.pop("p_value") == 1
    assert gap == {"balanced_accuracy": 0.0, "trials": None, "subjects": None, "verdict": "open"}
    assert "it does not beat logistic regression on band power" in headline(path)
    # the model on the same windows twice, once as the baseline: differences are antisymmetric
    result = open_result(small)
    there = result.assessment.baseline_comparison["window"]["difference"]["balanced_accuracy"]
    for one, other in (("predictions", "baseline"), ("baseline", "predictions")):
        table = result.predictions if one == "predictions" else result.baseline
        table.to_parquet(path / f"{other}.parquet")
    back = open_result(path).assessment.baseline_comparison["window"]["difference"][
        "balanced_accuracy"
    ]
    assert back == pytest.approx(-there)


@pytest.mark.parametrize("name", ["validation", "baseline"])
def test_tables_that_do_not_belong_to_the_result_are_refused(tmp_path, name):
    path = fake_result(tmp_path / "r", n_subjects=1, n_splits=2)
    rows = pd.read_parquet(path / "predictions.parquet")
    file = path / f"{name}.parquet"
    rows.assign(fold=rows["fold"] + 7).to_parquet(file)
    with pytest.raises(ResultError, match=f"{name}.parquet: expected the folds of predictions"):
        open_result(path)
    rows.rename(columns={"p_HVHA": "p_X"}).replace("HVHA", "X").to_parquet(file)
    with pytest.raises(ResultError, match=f"{name}.parquet: expected the classes HVHA, .* found X"):
        open_result(path)
    if name == "baseline":
        rows.iloc[:-1].to_parquet(file)
        with pytest.raises(ResultError, match="expected the same folds, windows and true classes"):
            open_result(path)


def test_a_fold_without_validation_means_no_temperature(tmp_path):
    path = fake_result(tmp_path / "r", validation=True)
    rows = pd.read_parquet(path / "validation.parquet")
    rows[rows["fold"] != 3].to_parquet(path / "validation.parquet")
    calibration = open_result(path).assessment.calibration
    assert calibration["temperature"] is None
    assert calibration["levels"]["window"]["after_temperature"] is None
    says = make_sentences(open_result(path))["temperature"]
    assert says.startswith("1 of 12 folds have no validation set: no temperature is fitted")


def test_too_sure_is_told_from_not_sure_enough(full, tmp_path):
    sure = open_result(full)
    over = sure.assessment.calibration["levels"]["window"]["as_predicted"]["overconfidence"]
    says = f"the probabilities are too high, by {over:.2f}"
    assert says in make_sentences(sure)["calibration"]
    change = sure.assessment.calibration["temperature"]
    assert change["median"] > 1
    timid = open_result(fake_result(tmp_path / "r", sharpness=0.2, effect=1.5))
    assert "the probabilities are too low, by 0." in make_sentences(timid)["calibration"]


def test_temperatures_leave_accuracy_alone_and_are_best_where_they_were_fitted(full):
    calibration = open_result(full).assessment.calibration
    levels = calibration["levels"]["window"]
    assert levels["after_temperature"]["accuracy"] == levels["as_predicted"]["accuracy"]
    assert levels["after_temperature"]["confidence"] < levels["as_predicted"]["confidence"]
    for fold in calibration["temperature"]["folds"]:
        assert fold["validation_nll_after"] <= fold["validation_nll_before"]
    # the change told is that of the scores
    gap = levels["after_temperature"]["nll"] - levels["as_predicted"]["nll"]
    assert calibration["change"]["nll"]["mean"] == pytest.approx(gap)


def test_who_is_decodable(tmp_path):
    mixed = open_result(fake_result(tmp_path / "mixed", n_subjects=3, n_trials=16, effect=0.0))
    # the first subject is always right, the second never above its commonest class
    rows = mixed.predictions.copy()
    columns = [f"p_{name}" for name in class_names(rows)]
    right = np.eye(4)[pd.Index(class_names(rows)).get_indexer(pd.Index(rows["y_true"]))]
    first = (rows["subject"] == "s01").to_numpy()
    rows.loc[first, columns] = right[first].astype(np.float32)
    rows.loc[rows["subject"] == "s02", columns] = np.float32([1, 0, 0, 0])
    rows.to_parquet(mixed.path / "predictions.parquet")
    result = open_result(mixed.path)
    found = {row["subject"]: row for row in result.assessment.metrics["decodable"]["window"]}
    assert [found[name]["decodable"] for name in ("s01", "s02", "s03")] == [True, False, False]
    tests = result.assessment.levels["window"]["significance"]["subjects"]
    assert found["s01"]["p_holm"] == pytest.approx(3 * tests[0]["p_value"])
    assert found["s02"]["p_holm"] == 1
    sentence = subject_sentence(result)
    assert sentence.startswith("1 of 3 subjects is decodable, each above its own majority class")
    assert "p ≤ 0.05 after Holm's correction over 3 subjects): s01." in sentence
    assert "not shown for s02 and s03; with 16 trials each, this is no evidence of abs" in sentence
    assert "Three subjects are too few to estimate how common decodable" in sentence


def test_nobody_everybody_and_the_only_one(tmp_path):
    nobody = subject_sentence(open_result(fake_result(tmp_path / "a", effect=0.0, n_trials=16)))
    assert nobody.startswith("No subject is shown to be decodable")
    everybody = subject_sentence(open_result(fake_result(tmp_path / "b", effect=3.0)))
    assert everybody.startswith("All 4 subjects are decodable")
    only = subject_sentence(open_result(fake_result(tmp_path / "c", effect=3.0, n_subjects=1)))
    assert only.startswith("The only subject, s01, is decodable")
    assert "Holm" not in only


def test_a_trial_cut_in_time_leaks_like_windows(tmp_path):
    path = fake_result(tmp_path / "r", leaks=True, n_subjects=2, validation=True, baseline=0.5)
    record = json.loads((path / "provenance.json").read_text())
    record["split"]["group"] = "segment"
    (path / "provenance.json").write_text(json.dumps(record))
    write_report(path)
    page = Page(path / "report.html")
    assert (
        "the split leaks, each trial is split in time, with segments of it in both training"
        in page.h1
    )
    assert (
        "Each trial is split in time, with segments of it in both training and test." in page.text
    )
    assert {"banner", "leaking"} <= {v for k, v in page.attributes if k == "class"}
    assert "The split leaks: no subject's score is evidence" in page.text
    assert "so neither score is evidence" in page.text
    assert "does not carry over to new trials" in page.text
    assert "beats it" not in page.text
    assert open_result(path).leaks


def test_a_model_fitted_in_one_step_has_no_curves(tmp_path):
    path = fake_result(tmp_path / "r", n_subjects=2, n_splits=2)
    for file in path.glob("folds/*/history.csv"):
        row = pd.read_csv(file).iloc[:1].assign(val_loss=np.nan, val_accuracy=np.nan)
        row.to_csv(file, index=False)
    change_folds(path, epochs=1, best_epoch=1)
    record = json.loads((path / "provenance.json").read_text())
    record["model"]["name"] = "band_power_logreg"
    record["data"]["simulated"] = False
    (path / "provenance.json").write_text(json.dumps(record))
    write_report(path)
    page = Page(path / "report.html")
    assert page.h1.startswith("Band-power logistic regression classified")
    assert "There are no learning curves" in page.text
    assert "best in the last epoch" not in page.text
    assert not (path / "figures" / "curves.png").exists()


@pytest.mark.parametrize(
    "choice",
    [
        {"metric": "accuracy", "candidates": [], "chosen": 0},
        {"metric": "loss", "candidates": [{"settings": {}, "loss": 1}], "chosen": 0},
        {
            "metric": "loss",
            "candidates": [{"settings": {"a": 1}, "loss": 1, "balanced_accuracy": 0.5}],
            "chosen": 1,
        },
    ],
)
def test_a_damaged_choice_is_named(tmp_path, choice):
    path = fake_result(tmp_path / "r", n_subjects=1, n_splits=2)
    change_folds(path, choice=choice)
    with pytest.raises(ResultError, match=r"fold\.json: expected a metric, candidates .* 'choice'"):
        open_result(path)
