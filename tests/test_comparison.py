import json
import re

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from test_report import Page

from eegemo.comparison import compare, difference, first_sentence, gather, read_sentence
from eegemo.comparison.page import draw
from eegemo.errors import ResultError
from eegemo.evaluation import predicted_classes
from eegemo.results import open_result
from fake_result import fake_result


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    folder = tmp_path_factory.mktemp("comparison")
    one = fake_result(folder / "lstm")
    two = fake_result(folder / "gru", name="fake-cnn-gru", model="cnn_gru", seed=1, effect=1.5)
    return one, two


@pytest.fixture(scope="module")
def results(pair):
    return tuple(map(open_result, pair))


@pytest.fixture(scope="module")
def written(pair, tmp_path_factory):
    out = tmp_path_factory.mktemp("comparison") / "out"
    assert compare(pair, out) == out / "comparison.html"
    return out


@pytest.fixture(scope="module")
def repeated(tmp_path_factory):
    """Two results of six subjects in two repeats, with costs recorded in one of them."""
    folder = tmp_path_factory.mktemp("repeated")
    size = {"n_subjects": 6, "n_trials": 8, "n_windows": 3, "n_splits": 2, "repeats": 2}
    one = fake_result(folder / "lstm", effect=0.6, **size)
    two = fake_result(folder / "gru", model="cnn_gru", seed=1, effect=4.0, **size)
    for k, file in enumerate(sorted(two.glob("folds/*/fold.json"))):
        record = json.loads(file.read_text())
        record["cost"] = {"multiply_adds": 12_345_678, "latency_seconds": 0.002 if k else None}
        record["made_with"] = {"peak_memory_bytes": 5e8 + k}
        file.write_text(json.dumps(record))
    compare((one, two), folder / "out")
    return one, two


def test_files_and_page(written):
    page = Page(written / "comparison.html")
    names = {"scores", "folds", "subjects", "classes", "class_differences", "confusion_1", "curves"}
    assert {p.name for p in (written / "figures").iterdir()} == {
        f"{name}.{kind}" for name in names for kind in ("png", "svg")
    }
    tables = {
        "scores", "intervals", "spread", "folds", "subjects", "repeats", "classes", "costs",
        "differences",
        "class_differences", "confusion_differences", "pairs", "tests",
    }  # fmt: skip
    assert {p.name for p in (written / "tables").iterdir()} == {
        "comparison.tex",
        *(f"{name}.csv" for name in tables),
    }
    loaded = [v for k, v in page.attributes if k in ("src", "href")]
    assert all(v.startswith(("data:image/svg+xml;base64,", "#")) for v in loaded)
    assert not {"script", "link"} & set(page.tags)
    assert "123,456" in page.text
    assert "98,765" in page.text


def test_what_is_said_first(written, pair, results):
    named = dict(zip(("CNN-LSTM", "CNN-GRU"), results, strict=True))
    sentence = first_sentence(named)
    assert Page(written / "comparison.html").h1 == sentence
    assert sentence.startswith("On simulated data, ")
    for result in results:
        total = result.assessment.levels["window"]["total"]["balanced_accuracy"]
        assert f"{total:.3f}" in sentence
    # which one is named first does not change what was found
    assert first_sentence(dict(reversed(named.items()))) == sentence
    assert read_sentence(written) == read_sentence(written / "comparison.html")
    assert read_sentence(written).startswith(sentence)
    with pytest.raises(ResultError, match=r"expected the record of a comparison"):
        read_sentence(pair[0])


@pytest.fixture(scope="module")
def noise(tmp_path_factory):
    """Two results in which there is nothing to find, on the folds of `pair`."""
    folder = tmp_path_factory.mktemp("noise")
    return [
        fake_result(folder / model, model=model, effect=0.0, seed=seed)
        for seed, model in enumerate(("cnn_lstm", "cnn_gru"), start=4)
    ]


def test_scores_at_chance_are_not_ranked(noise, results):
    nothing = dict(zip(("A", "B"), map(open_result, noise), strict=True))
    assert {r.assessment.metrics["verdict"]["evidence"] for r in nothing.values()} == {"none"}
    score = nothing["A"].assessment.levels["window"]["total"]["balanced_accuracy"]
    sentence = first_sentence(nothing)
    assert sentence.startswith("On simulated data, neither is distinguishable from chance (0.25)")
    assert f"A {score:.3f} (p ≈ 0." in sentence
    some = {**nothing, "C": results[1]}
    sentence = first_sentence(some)
    assert sentence.startswith("On simulated data, of three (C 0.")
    assert "not ranked are" in sentence
    assert "Only C is distinguishable from chance (" in sentence


def test_tests_are_those_of_the_stored_predictions(repeated):
    """Each p-value once more, from predictions alone and by scipy."""
    out = repeated[0].parent / "out"
    page = Page(out / "comparison.html")
    tests = pd.read_csv(out / "tables" / "tests.csv").set_index("over")
    assert tests["first"].unique().tolist() == ["CNN-LSTM"]
    assert tests["second"].unique().tolist() == ["CNN-GRU"]
    rows = [pd.read_parquet(folder / "predictions.parquet") for folder in repeated]

    def recalls(by):
        scores = []
        for table in rows:
            right = table["y_true"] == predicted_classes(table)
            per_class = right.groupby([table[by], table["y_true"]]).mean()
            scores.append(per_class.groupby(level=0).mean().to_numpy())
        return scores

    one, two = recalls("subject")
    found = tests.loc["subjects"]
    assert found["decides"]  # six subjects with models of their own
    assert found["p_value"] == pytest.approx(stats.wilcoxon(two, one, method="exact").pvalue)
    assert found["n"] == 6
    assert found["mean_difference"] == pytest.approx((two - one).mean())

    one, two = recalls("fold")
    found = tests.loc["folds"]
    assert found["n"] == 6 * 2 * 2
    # half of each subject's trials are tested, n_test / n_train = 1, and of six subjects only the
    # folds of one share training data
    gaps = two - one
    t = gaps.mean() / np.sqrt(gaps.var(ddof=1) * (1 / len(gaps) + 1 / 6))
    assert found["p_value"] == pytest.approx(2 * stats.t.sf(abs(t), len(gaps) - 1))
    assert not found["decides"]

    votes = []
    for table in rows:
        columns = [name for name in table if name.startswith("p_")]
        trial = table.groupby(["subject", "trial"])
        answer = trial[columns].mean().idxmax(axis=1).str.removeprefix("p_")
        votes.append((answer == trial["y_true"].first()).to_numpy())
    only = [(votes[0] & ~votes[1]).sum(), (votes[1] & ~votes[0]).sum()]
    found = tests.loc["trials"]
    assert found["n"] == 6 * 8  # one vote per trial, over both repeats
    assert found["p_value"] == pytest.approx(stats.binomtest(int(only[1]), int(sum(only))).pvalue)

    assert f"p = {tests.loc['subjects', 'p_value']:.3f}" in page.text
    assert "CNN-GRU is better than CNN-LSTM" in page.h1
    assert "It covers 2 repeats, each with its own seeds." in page.text


def test_numbers_of_the_tables_beside_the_tests(repeated):
    """Intervals, spread over repeats, differences of classes and of confusion matrices."""
    tables = {p.stem: pd.read_csv(p) for p in (repeated[0].parent / "out" / "tables").glob("*.csv")}
    results = dict(zip(("CNN-LSTM", "CNN-GRU"), map(open_result, repeated), strict=True))
    for name, result in results.items():
        level = result.assessment.levels["trial"]
        of_result = {
            kind: table[(table["result"] == name) & (table["level"] == "trial")]
            for kind, table in tables.items()
            if kind in ("intervals", "repeats", "scores")
        }
        row = of_result["intervals"].set_index("resampled").loc["subjects"]
        assert [row["low"], row["high"]] == pytest.approx(
            level["significance"]["bootstrap"]["subjects"]
        )
        repeats = of_result["repeats"]
        of_repeat = [rows for _, rows in result.trials.groupby("repeat")]
        right = [(rows["y_true"] == predicted_classes(rows)).mean() for rows in of_repeat]
        assert repeats["accuracy"].tolist() == pytest.approx(right)
        spread = of_result["scores"].set_index("what")
        assert spread.loc["sd over 2 repeats", "accuracy"] == pytest.approx(np.std(right, ddof=1))
    one, two = (r.assessment.levels["window"]["total"] for r in results.values())
    for _, row in tables["class_differences"].query("level == 'window'").iterrows():
        gap = two["per_class"][row["class"]][row["score"]]
        gap -= one["per_class"][row["class"]][row["score"]]
        assert row["difference"] == pytest.approx(gap)
        assert row["low"] <= gap <= row["high"]
    cells = tables["confusion_differences"].query("level == 'window'")["difference"]
    expected = np.subtract(two["confusion_normalised"], one["confusion_normalised"])
    np.testing.assert_allclose(cells, expected.ravel(), atol=1e-12)


def test_costs_with_dashes_for_what_older_runs_lack(repeated, written):
    out = repeated[0].parent / "out"
    costs = pd.read_csv(out / "tables" / "costs.csv").set_index("result")
    assert costs.loc["CNN-GRU", "multiply_adds"] == 12_345_678
    assert costs.loc["CNN-GRU", "latency_ms"] == pytest.approx(2)
    assert costs.loc["CNN-GRU", "fit_memory_bytes"] == 5e8 + 23
    assert costs.loc["CNN-LSTM", ["multiply_adds", "latency_ms"]].isna().all()
    cells = re.findall(r"<td[^>]*>(.*?)</td>", (out / "comparison.html").read_text())
    for row in (["123,456", "–"], ["98,765", "12.35 M"], ["× 0.80", "–"]):
        assert row in [cells[i : i + 2] for i in range(len(cells))]
    assert pd.read_csv(written / "tables" / "costs.csv")["latency_ms"].isna().all()


def test_differences_are_paired_and_counted(results, written):
    one, two = results
    for level in ("window", "trial"):
        for unit in ("fold", "subject"):
            found = difference(one, two, unit=unit, level=level)
            a, b = (
                np.array([p["balanced_accuracy"] for p in r.assessment.levels[level][f"{unit}s"]])
                for r in (one, two)
            )
            assert found["mean"] == pytest.approx((b - a).mean())
            assert found["sd"] == pytest.approx((b - a).std(ddof=1))
            assert found["higher"] == (b - a > 1e-9).sum()
            assert found["higher"] + found["lower"] + found["equal"] == found["n"] == len(a)
            table = pd.read_csv(written / "tables" / "differences.csv")
            table = table.query("level == @level and unit == @unit")
            np.testing.assert_allclose(table["difference"], b - a, atol=1e-12)


def test_shuffled_labels_are_shown_for_each_level_and_unit(results, written):
    page = (written / "comparison.html").read_text()
    scores = pd.read_csv(written / "tables" / "scores.csv").set_index(["result", "level", "what"])
    for name, result in zip(("CNN-LSTM", "CNN-GRU"), results, strict=True):
        for level in ("window", "trial"):
            for unit, over in (("fold", "over 12 folds"), ("subject", "over 4 subjects")):
                levels = result.assessment.levels[level]
                null = levels["significance"][f"over_{unit}s"]["null_mean"]
                assert f">{null:.3f}</td>" in page
                row = scores.loc[(name, level, f"mean {over}, shuffled labels")]
                assert row["balanced_accuracy"] == pytest.approx(null)


@pytest.mark.parametrize("digests", ["a string", {"data": "ab"}, None])
def test_damaged_digests_are_named(pair, tmp_path, digests):
    other = fake_result(tmp_path / "other", model="cnn_gru")
    record = json.loads((other / "provenance.json").read_text())
    record["digests"] = digests
    (other / "provenance.json").write_text(json.dumps(record))
    with pytest.raises(ResultError, match=r"other/provenance\.json: expected .* as 'digests"):
        compare([pair[0], other], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_some_without_validation_or_epochs(results, tmp_path):
    folders = [
        fake_result(tmp_path / model, model=model, seed=seed)
        for seed, model in enumerate(("cnn_gru", "simple"), start=1)
    ]
    for file in folders[0].glob("folds/*/history.csv"):
        pd.read_csv(file)[["epoch", "loss", "accuracy"]].to_csv(file, index=False)
    for file in folders[1].glob("folds/*/history.csv"):  # a model that is not trained in epochs
        pd.read_csv(file).head(1).assign(val_loss=np.nan, val_accuracy=np.nan).to_csv(file)
        record = json.loads(file.with_name("fold.json").read_text())
        file.with_name("fold.json").write_text(json.dumps({**record, "best_epoch": 1}))
    read = dict(zip("BC", map(open_result, folders), strict=True))
    drawn = dict(draw(gather({"A": results[0], **read})))
    assert [text.get_text() for text in drawn["curves"].legends[0].get_texts()][:2] == ["A", "B"]
    assert "curves" not in dict(draw(gather({"C": read["C"], "D": read["C"]})))


def test_a_result_equals_itself(pair, results, tmp_path):
    one = results[0]
    found = difference(one, one)
    assert found["mean"] == found["sd"] == 0
    assert found["equal"] == found["n"]
    assert "scored the same" in first_sentence({"A": one, "B": one})
    with pytest.raises(ResultError, match="given twice"):
        compare([pair[0], pair[0]], tmp_path)


@pytest.mark.slow
def test_three_results_and_names_that_clash(pair, tmp_path):
    third = fake_result(tmp_path / "third", seed=3, effect=0.2)
    page = Page(compare([*pair, third], tmp_path / "out"))
    # two of the models and experiments have the same name: folders tell them apart
    assert {"lstm", "gru", "third"} <= set(page.text.split())
    assert page.h1.startswith("On simulated data, of three (gru 0.6")
    assert "Friedman's test over 4 subjects, who share trained models: p" in page.text
    tables = tmp_path / "out" / "tables"
    tests = pd.read_csv(tables / "tests.csv")
    assert len(tests) == 3 * 3
    for _, part in tests.groupby("over"):
        p = np.sort(part["p_value"])
        by_hand = np.minimum(np.maximum.accumulate(p * [3, 2, 1]), 1)
        np.testing.assert_allclose(np.sort(part["p_holm"]), by_hand)
    subjects = pd.read_csv(tables / "subjects.csv").query("level == 'window'")
    scores = subjects.pivot_table("balanced_accuracy", index="subject", columns="result")
    several = pd.read_csv(tables / "several.csv").set_index("result")
    ranks = scores.rank(axis=1, ascending=False).mean()
    np.testing.assert_allclose(several["mean_rank"], ranks[several.index])
    chi_squared = stats.friedmanchisquare(*scores.to_numpy().T).statistic
    assert several["chi_squared"].to_numpy() == pytest.approx(chi_squared)
    assert (tmp_path / "out" / "figures" / "confusion_2.png").exists()


def test_a_leak_is_said_and_nothing_is_tested(tmp_path):
    folders = [
        fake_result(tmp_path / model, model=model, leaks=True, seed=seed)
        for seed, model in enumerate(("cnn_lstm", "cnn_gru"))
    ]
    page = Page(compare(folders, tmp_path / "out"))
    assert page.h1.endswith("The split leaks, so none of these numbers is evidence.")
    assert "banner" in [v for k, v in page.attributes if k == "class"]
    for word in ("Wilcoxon", "McNemar", "p =", "best", "interval"):
        assert word not in page.text
    assert not (tmp_path / "out" / "tables" / "tests.csv").exists()
    latex = (tmp_path / "out" / "tables" / "comparison.tex").read_text()
    assert "none of these numbers is evidence" in latex
    assert r"\textbf" not in latex


@pytest.mark.parametrize("what", ["data", "labels", "folds"])
def test_what_differs_is_refused_and_named(pair, tmp_path, what):
    other = fake_result(tmp_path / "other", model="cnn_gru", digests={what: "12" * 16})
    with pytest.raises(ResultError, match=rf"/lstm .*/other .*their {what} differ .*12121212"):
        compare([pair[0], other], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_other_numbers_of_repeats_and_folds_are_named(pair, tmp_path):
    other = fake_result(tmp_path / "repeats", model="cnn_gru", repeats=2)
    with pytest.raises(ResultError, match="numbers of repeats differ, 1 and 2"):
        compare([pair[0], other], tmp_path / "out")
    other = fake_result(tmp_path / "folds", model="cnn_gru", n_splits=2)
    with pytest.raises(ResultError, match="numbers of folds differ, 12 and 8"):
        compare([pair[0], other], tmp_path / "out")


def test_other_classes_are_refused(pair, tmp_path):
    other = fake_result(tmp_path / "other", model="cnn_gru", classes=["low", "high"])
    with pytest.raises(ResultError, match="classes differ, HVHA, HVLA, LVHA, LVLA and low, high"):
        compare([pair[0], other], tmp_path / "out")


def test_digests_alone_are_not_believed(pair, tmp_path):
    other = fake_result(tmp_path / "other", model="cnn_gru", label_seed=9)
    with pytest.raises(ResultError, match="predict different windows"):
        compare([pair[0], other], tmp_path / "out")


def test_one_result_or_half_a_one_is_refused(pair, tmp_path):
    with pytest.raises(ResultError, match="two or more results"):
        compare(pair[:1], tmp_path / "out")
    broken = fake_result(tmp_path / "broken")
    (broken / "folds" / "1" / "done").unlink()
    with pytest.raises(ResultError, match="fold 1 is not finished"):
        compare([pair[0], broken], tmp_path / "out")


def test_one_subject_one_fold_and_names_with_html(tmp_path):
    folders = [
        fake_result(
            tmp_path / str(seed), model=f"<script>{seed}</script>", seed=seed, subjects=["<b>"],
            n_splits=1, n_trials=24, within=False, effect=2.5,
        )
        for seed in range(2)
    ]  # fmt: skip
    for folder in folders:  # one fold tests all, so what it trains on is made up
        file = folder / "folds" / "0" / "fold.json"
        record = json.loads(file.read_text())
        record["windows"]["train"] = record["windows"]["test"]
        file.write_text(json.dumps(record))
    page = Page(compare(folders, tmp_path / "out"))
    assert "no conclusion is possible about" in page.h1
    assert "script" not in page.tags
    assert "<SCRIPT>0</SCRIPT>" in page.text


def test_comparing_again_gives_the_same(pair, written):
    files = [p for p in written.rglob("*") if p.is_file()]
    before = {p: p.read_bytes() for p in files}
    compare(pair, written)
    assert {p: p.read_bytes() for p in files} == before
