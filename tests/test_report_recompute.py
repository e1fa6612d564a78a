"""A reviewer's check: every number of a report again, from the stored tables alone.

What is used here is pandas, NumPy and scikit-learn; of eegemo only what writes the report.
"""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize_scalar
from sklearn import metrics as oracle

from eegemo.report import write_report
from fake_result import CLASSES, fake_result

COLUMNS = [f"p_{name}" for name in CLASSES]
TRIAL = ["subject", "session", "trial"]
# Ratios of sums of float64 numbers, added in another order: they agree to a few last digits.
CLOSE = {"rel": 1e-9, "abs": 1e-12}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two repeats, overconfident by a factor of two, with validation and baseline predictions."""
    path = fake_result(
        tmp_path_factory.mktemp("recompute") / "result",
        n_subjects=3, n_splits=2, repeats=2, sharpness=2.0, validation=True, baseline=0.4,
    )  # fmt: skip
    write_report(path)
    return path


@pytest.fixture(scope="module")
def numbers(folder):
    return json.loads((folder / "metrics.json").read_text())


@pytest.fixture(scope="module")
def tables(folder):
    keep = {"dtype": {"subject": str, "session": str}, "keep_default_na": True}
    return {p.stem: pd.read_csv(p, **keep) for p in (folder / "tables").iterdir()}


def read(path):
    rows = pd.read_parquet(path)
    rows[COLUMNS] = rows[COLUMNS].astype("float64")
    return rows


def voted(rows):
    return rows.groupby(["repeat", "fold", *TRIAL], as_index=False).agg(
        {"y_true": "first", **dict.fromkeys(COLUMNS, "mean")}
    )


def answers(rows):
    return np.array(CLASSES)[rows[COLUMNS].to_numpy().argmax(axis=1)]


def scores(true, said):
    """Every score by scikit-learn, under the names of metrics.json."""
    known = {"labels": list(CLASSES), "zero_division": np.nan}
    each = oracle.precision_recall_fscore_support(true, said, **known)
    return {
        "n": len(true),
        "accuracy": oracle.accuracy_score(true, said),
        "balanced_accuracy": np.nanmean(each[1]),
        "macro_f1": oracle.f1_score(true, said, average="macro", **known),
        "weighted_f1": oracle.f1_score(true, said, average="weighted", **known),
        "kappa": oracle.cohen_kappa_score(true, said, labels=list(CLASSES)),
    }


def same(found, expected):
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, **CLOSE), name


LEVELS = {"window": lambda rows: rows, "trial": voted}


@pytest.mark.parametrize("level", LEVELS)
def test_scores_in_total_and_of_every_part(folder, numbers, tables, level):
    rows = LEVELS[level](read(folder / "predictions.parquet"))
    said, stored = answers(rows), numbers["levels"][level]
    same(stored["total"], scores(rows["y_true"], said))
    expected = oracle.confusion_matrix(rows["y_true"], said, labels=list(CLASSES))
    assert stored["total"]["confusion"] == expected.tolist()
    each = oracle.precision_recall_fscore_support(rows["y_true"], said, labels=list(CLASSES))
    table = tables["classes"].query("level == @level")
    for name, values in zip(("precision", "recall", "f1", "support"), each, strict=True):
        np.testing.assert_allclose(table[name], values, rtol=1e-9)
        found = [stored["total"]["per_class"][label][name] for label in CLASSES]
        np.testing.assert_allclose(found, values, rtol=1e-9)
    for unit in ("fold", "subject", "repeat"):
        found = tables[f"{unit}s"].query("level == @level").set_index(unit)
        assert len(found) == rows[unit].nunique() == len(stored[f"{unit}s"])
        for part in stored[f"{unit}s"]:
            own = (rows[unit] == part[unit]).to_numpy()
            expected = scores(rows["y_true"][own], said[own])
            same(part, expected)
            same(found.loc[part[unit]], expected)
            counts = oracle.confusion_matrix(rows["y_true"][own], said[own], labels=list(CLASSES))
            assert part["confusion"] == counts.tolist()
            name = f"{unit} {part['name'] if unit == 'fold' else part[unit]}"
            cells = tables["confusion"].query("level == @level and part == @name")
            assert cells["count"].tolist() == counts.ravel().tolist()
        values = [part["balanced_accuracy"] for part in stored[f"{unit}s"]]
        over = stored[f"over_{unit}s"]["balanced_accuracy"]
        same(over, {"mean": np.mean(values), "sd": np.std(values, ddof=1)})
        spread = stored["spread"][f"{unit}s"]
        same(spread, {"mean": np.mean(values), "min": min(values), "max": max(values)})
    row = tables["scores"].query("level == @level and what == 'result'").iloc[0]
    same(row, scores(rows["y_true"], said))


def test_every_vote_of_a_trial(folder, tables):
    votes = voted(read(folder / "predictions.parquet"))
    stored = tables["trials"]
    keys = ["repeat", "fold", *TRIAL]
    assert stored[keys].equals(votes[keys])
    assert stored["y_pred"].tolist() == answers(votes).tolist()
    np.testing.assert_allclose(stored[COLUMNS], votes[COLUMNS], rtol=1e-12)
    assert (stored.groupby([*TRIAL, "repeat"]).size() == 1).all()
    assert set(stored.groupby(TRIAL).size()) == {2}


def test_what_a_subjects_commonest_class_scores(folder, numbers, tables):
    """From the class counts of training parts in fold.json, answered row by row."""
    rows = read(folder / "predictions.parquet")
    records = [json.loads(file.read_text()) for file in folder.glob("folds/*/fold.json")]
    counts = {one["fold"]: one["train_windows_by_subject"] for one in records}
    said = np.array(
        [
            max(CLASSES, key=lambda name: (counts[fold][subject][name], -CLASSES.index(name)))
            for fold, subject in zip(rows["fold"], rows["subject"], strict=True)
        ]
    )
    table = tables["subjects"].query("level == 'window'").set_index("subject")
    for part in numbers["levels"]["window"]["subjects"]:
        own = (rows["subject"] == part["subject"]).to_numpy()
        one = scores(rows["y_true"][own], said[own])
        expected = {
            "majority_accuracy": one["accuracy"],
            "majority_balanced_accuracy": one["balanced_accuracy"],
            "commonest_share": rows["y_true"][own].value_counts(normalize=True).max(),
        }
        same(part, expected)
        same(table.loc[part["subject"]], expected)


def error_of(p, true, n_bins=15):
    """Return the expected calibration error, bin by bin as in Guo et al. 2017."""
    sure, right = p.max(axis=1), p.argmax(axis=1) == true
    total = 0.0
    for low in np.arange(n_bins) / n_bins:
        inside = (sure > low) & (sure <= low + 1 / n_bins + 1e-15)
        if inside.any():
            total += inside.mean() * abs(right[inside].mean() - sure[inside].mean())
    return total


def arrays(rows):
    return rows[COLUMNS].to_numpy(), pd.Index(CLASSES).get_indexer(pd.Index(rows["y_true"]))


def scaled(p, temperature):
    powers = p ** (1 / temperature)
    return powers / powers.sum(axis=1, keepdims=True)


def check_calibration(stored, row, p, true):
    normal = p / p.sum(axis=1, keepdims=True)  # float32 sums to 1 within 1e-7 only
    each = [oracle.brier_score_loss(true == k, p[:, k]) for k in range(len(CLASSES))]
    expected = {
        "ece": error_of(p, true),
        "brier": sum(each),
        "accuracy": (p.argmax(axis=1) == true).mean(),
        "confidence": p.max(axis=1).mean(),
    }
    same(stored, expected)
    same(row, expected)
    assert stored["nll"] == pytest.approx(oracle.log_loss(true, normal), rel=1e-6)
    order = np.argsort(-p.max(axis=1), kind="stable")
    right = (p.argmax(axis=1) == true)[order]
    for point in stored["coverage"]:
        assert point["accuracy"] == pytest.approx(right[: point["n"]].mean(), abs=0.02)  # ties


def test_calibration_as_predicted_and_after_temperatures_from_validation(folder, numbers, tables):
    rows = read(folder / "predictions.parquet")
    levels = numbers["calibration"]["levels"]
    table = tables["calibration"].set_index(["level", "probabilities"])
    p, true = arrays(rows)
    check_calibration(
        levels["window"]["as_predicted"], table.loc["window", "as predicted"], p, true
    )
    votes = table.loc["trial", "as predicted"]
    check_calibration(levels["trial"]["as_predicted"], votes, *arrays(voted(rows)))
    validation = read(folder / "validation.parquet")
    heat = {}
    for fold, part in validation.groupby("fold"):
        q, k = arrays(part)

        def loss(t, q=q, k=k):
            return -np.log(scaled(q, t)[np.arange(len(k)), k]).mean()

        heat[fold] = minimize_scalar(loss, bounds=(0.05, 20), method="bounded").x
    stored = tables["temperature"].set_index("fold")["temperature"]
    # both searches stop where the loss is flat to about 1e-9, thus at 1e-4 of the temperature
    np.testing.assert_allclose(stored, pd.Series(heat), rtol=1e-2)
    assert stored.median() == pytest.approx(numbers["calibration"]["temperature"]["median"])
    after = scaled(p, rows["fold"].map(stored).to_numpy()[:, np.newaxis])
    assert (after.argmax(axis=1) == p.argmax(axis=1)).all()
    row = table.loc["window", "after temperature"]
    check_calibration(levels["window"]["after_temperature"], row, after, true)


def test_the_baseline_beside_it(folder, numbers, tables):
    rows, simple = (read(folder / f"{name}.parquet") for name in ("predictions", "baseline"))
    for level, change in LEVELS.items():
        own, other = change(rows), change(simple)
        stored = numbers["band_power_logreg"][level]
        expected = scores(other["y_true"], answers(other))
        same(stored["total"], expected)
        model = scores(own["y_true"], answers(own))["balanced_accuracy"]
        gap = model - expected["balanced_accuracy"]
        assert stored["difference"]["balanced_accuracy"] == pytest.approx(gap, **CLOSE)
        table = tables["baseline"].query("level == @level").set_index("part")
        same(table.loc["total"], {**expected, "model": model, "difference": gap})
        for name in own["subject"].unique():
            part = other[other["subject"] == name]
            same(table.loc[f"subject {name}"], scores(part["y_true"], answers(part)))
