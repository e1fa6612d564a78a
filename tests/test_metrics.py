import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from eegemo.errors import ResultError
from eegemo.evaluation import (
    class_names,
    confusion_matrix,
    evaluate,
    normalise_confusion,
    predicted_classes,
    score,
    score_confusion,
    vote,
)
from eegemo.results import open_result
from fake_result import fake_result

CLASSES = ["a", "b", "c", "d"]
relaxed = settings(deadline=None)  # the first example pays for imports, on a shared machine
# Both sides compute ratios of sums of whole numbers in float64: they agree to a few last digits.
EXACT = 1e-12

labels = st.lists(st.sampled_from(CLASSES), min_size=1, max_size=30)
pairs = st.lists(
    st.tuples(st.sampled_from(CLASSES), st.sampled_from(CLASSES)), min_size=1, max_size=30
)


def same(ours, theirs):
    theirs = float(theirs)
    if math.isnan(theirs):
        assert ours is None
    else:
        assert ours == pytest.approx(theirs, abs=EXACT)


def check_against_scikit_learn(ours, true, predicted, classes):
    """Compare every entry of a score with scikit-learn's own."""
    known = {"labels": classes, "zero_division": np.nan}
    assert ours["n"] == len(true)
    same(ours["accuracy"], oracle.accuracy_score(true, predicted))
    recall = oracle.recall_score(true, predicted, average=None, **known)
    # balanced_accuracy_score is this mean too, but warns about classes that are only predicted
    same(ours["balanced_accuracy"], np.nanmean(recall))
    same(ours["macro_f1"], oracle.f1_score(true, predicted, average="macro", **known))
    same(ours["weighted_f1"], oracle.f1_score(true, predicted, average="weighted", **known))
    if len(set(true) | set(predicted)) > 1:  # else kappa is 0/0, and scikit-learn warns
        same(ours["kappa"], oracle.cohen_kappa_score(true, predicted, labels=classes))
    else:
        assert ours["kappa"] is None
    table = oracle.precision_recall_fscore_support(true, predicted, **known)
    for index, name in enumerate(classes):
        for key, values in zip(("precision", "recall", "f1", "support"), table, strict=True):
            same(ours["per_class"][name][key], values[index])
    counts = oracle.confusion_matrix(true, predicted, labels=classes)
    assert ours["confusion"] == counts.tolist()
    for row, shares in zip(counts, ours["confusion_normalised"], strict=True):
        for count, share in zip(row, shares, strict=True):
            same(share, count / row.sum() if row.sum() else math.nan)


@relaxed
@given(pairs)
def test_scores_are_those_of_scikit_learn(rows):
    true, predicted = map(list, zip(*rows, strict=True))
    check_against_scikit_learn(score(true, predicted, CLASSES), true, predicted, CLASSES)


def test_balanced_accuracy_by_its_own_name():
    rng = np.random.default_rng(0)
    true, predicted = rng.choice(CLASSES, (2, 200))
    same(
        score(true, predicted, CLASSES)["balanced_accuracy"],
        oracle.balanced_accuracy_score(true, predicted),
    )


@relaxed
@given(pairs, st.randoms(use_true_random=False))
def test_order_of_rows_does_not_matter(rows, random):
    before = score(*zip(*rows, strict=True), CLASSES)
    random.shuffle(rows)
    assert score(*zip(*rows, strict=True), CLASSES) == before


@relaxed
@given(pairs, st.permutations(CLASSES))
def test_order_of_classes_permutes_the_matrix_only(rows, order):
    true, predicted = zip(*rows, strict=True)
    at = [CLASSES.index(name) for name in order]
    matrix = confusion_matrix(true, predicted, CLASSES)
    np.testing.assert_array_equal(confusion_matrix(true, predicted, order), matrix[np.ix_(at, at)])
    one, two = score(true, predicted, CLASSES), score(true, predicted, order)
    for name in ("accuracy", "balanced_accuracy", "macro_f1", "weighted_f1"):
        assert two[name] == pytest.approx(one[name], abs=EXACT)
    assert two["per_class"] == one["per_class"]


@relaxed
@given(pairs)
def test_new_names_change_nothing(rows):
    true, predicted = zip(*rows, strict=True)
    new = {name: f"class {name.upper()}" for name in CLASSES}
    renamed = score([new[x] for x in true], [new[x] for x in predicted], list(new.values()))
    plain = score(true, predicted, CLASSES)
    assert renamed["confusion"] == plain["confusion"]
    assert list(renamed["per_class"].values()) == list(plain["per_class"].values())


@relaxed
@given(pairs)
def test_every_row_twice_changes_no_ratio(rows):
    one, two = (score(*zip(*many, strict=True), CLASSES) for many in (rows, rows * 2))
    assert two["n"] == 2 * one["n"]
    for name in ("accuracy", "balanced_accuracy", "macro_f1", "weighted_f1", "kappa"):
        assert two[name] == pytest.approx(one[name], abs=EXACT)


@relaxed
@given(labels)
def test_perfect_and_never_right(true):
    perfect = score(true, true, CLASSES)
    assert perfect["accuracy"] == perfect["balanced_accuracy"] == perfect["macro_f1"] == 1
    shifted = [CLASSES[(CLASSES.index(x) + 1) % 4] for x in true]
    wrong = score(true, shifted, CLASSES)
    assert wrong["accuracy"] == wrong["balanced_accuracy"] == wrong["macro_f1"] == 0


def test_what_is_undefined_is_none_and_ready_for_json():
    only = score(["a", "a"], ["b", "a"], CLASSES)
    assert only["per_class"]["b"] == {"precision": 0.0, "recall": None, "f1": 0.0, "support": 0}
    assert only["per_class"]["c"] == {"precision": None, "recall": None, "f1": None, "support": 0}
    json.dumps(only, allow_nan=False)
    nothing = score([], [], CLASSES)
    assert nothing["n"] == 0
    assert nothing["accuracy"] is nothing["balanced_accuracy"] is nothing["kappa"] is None
    json.dumps(nothing, allow_nan=False)


def test_expected_counts_need_not_be_whole():
    same(score_confusion([[0.5, 0.5], [0.5, 0.5]], ["a", "b"])["accuracy"], 0.5)


def test_normalised_rows():
    np.testing.assert_array_equal(
        normalise_confusion([[3, 1], [0, 0]]), [[0.75, 0.25], [np.nan, np.nan]]
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((["x"], ["a"], CLASSES), "y_true: class x is not one of a, b, c, d"),
        ((["a"], ["a", "b"], CLASSES), "as many predictions as truths, found 2 and 1"),
        (([["a"]], ["a"], CLASSES), "one class per row"),
        ((["a"], ["a"], ["a", "a"]), "every class once"),
    ],
)
def test_bad_input_is_named(arguments, says):
    with pytest.raises(ResultError, match=says):
        confusion_matrix(*arguments)


@pytest.fixture(scope="module", params=[True, False], ids=["within", "pooled"])
def result(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("metrics") / "result"
    return open_result(fake_result(path, within=request.param, leaks=not request.param))


def test_every_level_fold_and_subject_against_scikit_learn(result):
    numbers = evaluate(result.predictions, result.records)
    json.dumps(numbers, allow_nan=False)
    classes = class_names(result.predictions)
    for level, rows in {"window": result.predictions, "trial": vote(result.predictions)}.items():
        one = numbers["levels"][level]
        rows = rows.assign(y_pred=predicted_classes(rows))
        check_against_scikit_learn(one["total"], rows["y_true"], rows["y_pred"], classes)
        for unit, key in (("folds", "fold"), ("subjects", "subject")):
            assert [part[key] for part in one[unit]] == sorted(rows[key].unique())
            for part in one[unit]:
                own = rows[rows[key] == part[key]]
                check_against_scikit_learn(part, own["y_true"], own["y_pred"], classes)
            values = [part["balanced_accuracy"] for part in one[unit]]
            spread = one[f"over_{unit}"]
            assert spread["over"] == f"over {len(values)} {unit}"
            assert spread["balanced_accuracy"]["mean"] == pytest.approx(np.mean(values))
            assert spread["balanced_accuracy"]["sd"] == pytest.approx(np.std(values, ddof=1))


def test_baselines_against_rows_written_out(result):
    """Answer row by row as each baseline would, and let scikit-learn score the answers."""
    classes = class_names(result.predictions)
    folds = {fold["fold"]: fold for fold in result.records}

    def commonest(counts):
        return max(classes, key=lambda name: (counts.get(name, 0), -classes.index(name)))

    levels = evaluate(result.predictions, result.records)["levels"]
    for level, rows in {"window": result.predictions, "trial": vote(result.predictions)}.items():
        baselines = levels[level]["baselines"]
        majority = [commonest(folds[fold]["windows"]["train"]) for fold in rows["fold"]]
        check_against_scikit_learn(baselines["majority"], rows["y_true"], majority, classes)
        own = [
            commonest(folds[fold]["train_windows_by_subject"][subject])
            for fold, subject in zip(rows["fold"], rows["subject"], strict=True)
        ]
        check_against_scikit_learn(baselines["subject_majority"], rows["y_true"], own, classes)
        assert baselines["subject_majority"]["share_with_own_training"] == 1
        shares = []
        for fold, true in zip(rows["fold"], rows["y_true"], strict=True):
            counts = folds[fold]["windows"]["train"]
            shares.append(counts[true] / sum(counts.values()))
        same(baselines["class_shares"]["accuracy"], np.mean(shares))
        recalls = [np.mean(np.array(shares)[(rows["y_true"] == c).to_numpy()]) for c in classes]
        same(baselines["class_shares"]["balanced_accuracy"], np.mean(recalls))
        assert baselines["chance"]["balanced_accuracy"] == pytest.approx(0.25)
        subjects = {part["subject"]: part for part in levels[level]["subjects"]}
        right = rows["y_true"].to_numpy() == np.array(own)
        for subject, part in subjects.items():
            same(part["majority_accuracy"], right[(rows["subject"] == subject).to_numpy()].mean())


def test_a_subject_without_training_falls_back_to_the_fold(result):
    folds = [{**fold, "train_windows_by_subject": {}} for fold in result.records]
    levels = evaluate(result.predictions, folds)["levels"]
    assert levels["window"]["baselines"]["subject_majority"] is None
    assert levels["window"]["subjects"][0]["majority_accuracy"] is not None


def test_missing_records_are_named(result):
    with pytest.raises(ResultError, match="fold 0, which has no record"):
        evaluate(result.predictions, result.records[1:])
    empty = {**result.records[0], "windows": {"train": {}}}
    with pytest.raises(ResultError, match="fold 0 counts no training windows"):
        evaluate(result.predictions, [empty, *result.records[1:]])


def test_one_fold_has_no_spread(result):
    rows = result.predictions[result.predictions["fold"] == 0]
    spread = evaluate(rows, result.records)["levels"]["window"]["over_folds"]
    assert spread["over"] == "over 1 fold"
    assert spread["accuracy"]["sd"] is None


def test_scores_that_some_folds_lack_are_counted(result):
    """Kappa is 0/0 in a fold where everything is one class and called so."""
    rows = result.predictions.copy()
    first = rows["fold"] == 0
    columns = [f"p_{name}" for name in class_names(rows)]
    rows.loc[first, "y_true"] = class_names(rows)[0]
    rows.loc[first, columns] = [1.0, 0.0, 0.0, 0.0]
    spread = evaluate(rows, result.records)["levels"]["window"]["over_folds"]
    assert spread["kappa"]["n"] == spread["n"] - 1
    assert spread["accuracy"]["n"] == spread["n"]


def test_repeats_are_summed_and_scored_apart(tmp_path):
    repeated = open_result(fake_result(tmp_path / "r", n_subjects=2, n_splits=2, repeats=3))
    numbers = evaluate(repeated.predictions, repeated.records)
    assert numbers["n_repeats"] == 3
    classes = class_names(repeated.predictions)
    tables = {"window": repeated.predictions, "trial": vote(repeated.predictions)}
    for level, rows in tables.items():
        one = numbers["levels"][level]
        rows = rows.assign(y_pred=predicted_classes(rows))
        check_against_scikit_learn(one["total"], rows["y_true"], rows["y_pred"], classes)
        assert [part["repeat"] for part in one["repeats"]] == [0, 1, 2]
        for part in one["repeats"]:
            own = rows[rows["repeat"] == part["repeat"]]
            check_against_scikit_learn(part, own["y_true"], own["y_pred"], classes)
        assert one["over_repeats"]["over"] == "over 3 repeats"
        assert [part["repeat"] for part in one["folds"]] == [0] * 4 + [1] * 4 + [2] * 4
    once = evaluate(repeated.predictions.query("repeat == 0"), repeated.records)
    first = numbers["levels"]["window"]["repeats"][0]
    assert {"repeat": 0, **once["levels"]["window"]["total"]} == first
