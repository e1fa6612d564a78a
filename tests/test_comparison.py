import json

import numpy as np
import pandas as pd
import pytest
from test_report import Page

from eegemo.comparison import compare, difference, first_sentence
from eegemo.errors import ResultError
from eegemo.report import read_result
from fake_result import fake_result


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    folder = tmp_path_factory.mktemp("comparison")
    one = fake_result(folder / "lstm")
    two = fake_result(folder / "gru", name="fake-cnn-gru", model="cnn_gru", seed=1, effect=1.5)
    return one, two


@pytest.fixture(scope="module")
def written(pair, tmp_path_factory):
    out = tmp_path_factory.mktemp("comparison") / "out"
    assert compare(pair, out) == out / "comparison.html"
    return out


def test_files_and_page(written):
    page = Page(written / "comparison.html")
    assert {p.stem for p in (written / "figures").iterdir()} == {
        "folds", "subjects", "classes", "confusion_1", "curves",
    }  # fmt: skip
    assert {p.stem for p in (written / "tables").iterdir()} == {
        "scores", "folds", "subjects", "classes", "costs", "differences",
    }  # fmt: skip
    loaded = [v for k, v in page.attributes if k in ("src", "href")]
    assert all(v.startswith(("data:image/svg+xml;base64,", "#")) for v in loaded)
    assert not {"script", "link"} & set(page.tags)
    assert "123,456" in page.text
    assert "98,765" in page.text


def test_the_sentence_names_the_higher_and_claims_no_more(written, pair):
    sentence = Page(written / "comparison.html").h1
    one, two = map(read_result, pair)
    scores = [r.metrics["levels"]["window"]["total"]["balanced_accuracy"] for r in (two, one)]
    assert sentence.startswith(
        f"On simulated data, CNN-GRU scored {scores[0]:.3f} and CNN-LSTM {scores[1]:.3f} in"
    )
    assert "on average over 12 paired folds, CNN-GRU is higher by" in sentence
    assert "of 4 subjects" in sentence
    assert sentence.endswith("no test was made.")
    page = Page(written / "comparison.html").text
    assert "significant" not in page
    assert "No formal test" in page
    turned = first_sentence({"CNN-GRU": two, "CNN-LSTM": one})
    assert turned == sentence  # which one is named first does not change what was found


@pytest.fixture(scope="module")
def noise(tmp_path_factory):
    """Two results in which there is nothing to find, on the folds of `pair`."""
    folder = tmp_path_factory.mktemp("noise")
    return [
        fake_result(folder / model, model=model, effect=0.0, seed=seed)
        for seed, model in enumerate(("cnn_lstm", "cnn_gru"), start=4)
    ]


def test_scores_at_chance_are_not_ranked(noise, pair):
    nothing = dict(zip(("A", "B"), map(read_result, noise), strict=True))
    tests = [r.metrics["levels"]["window"]["significance"]["permutation"] for r in nothing.values()]
    assert all(test["p_value"] > 0.05 for test in tests)
    sentence = first_sentence(nothing)
    assert sentence.startswith("On simulated data, neither is distinguishable from chance (0.25)")
    assert f"A {tests[0]['observed']:.3f} (p = 0." in sentence
    some = {**nothing, "C": read_result(pair[1])}
    assert "only C is distinguishable from chance" in first_sentence(some)
    assert "C 0.6" in first_sentence(some)
    assert "(p ≤ 0.0002)" in first_sentence(some)


def with_scores(folds, totals):
    """Two results with given fold scores and totals, all far from chance."""

    class Fake:
        simulated = leaks = False

        def __init__(self, values, total):
            parts = [
                {"name": str(i), "subject": str(i), "balanced_accuracy": value}
                for i, value in enumerate(values)
            ]
            permutation = {"p_value": 0.0002, "n_permutations": 4999, "observed": total}
            self.metrics = {
                "levels": {
                    "window": {
                        "total": {"balanced_accuracy": total},
                        "folds": parts,
                        "subjects": parts,
                        "significance": {"permutation": permutation},
                        "baselines": {"chance": {"balanced_accuracy": 0.25}},
                    }
                }
            }

    return {
        name: Fake(*one) for name, one in zip("ab", zip(folds, totals, strict=True), strict=True)
    }


@pytest.mark.parametrize(
    ("folds", "totals", "says"),
    [
        ([[0.50] * 6, [0.7, 0.71, 0.72] * 2], (0.5, 0.71), "b scored higher than a in"),
        ([[0.88, 0.89, 0.87], [0.9, 0.88, 0.88]], (0.881, 0.889), "b 0.889 and a 0.881 are close"),
        ([[0.50] * 3, [0.9, 0.55, 0.6]], (0.5, 0.68), "b scored 0.680 and a 0.500 in balanced"),
        ([[0.50], [0.9]], (0.5, 0.9), "b scored 0.900 and a 0.500 in balanced"),
        ([[0.50] * 6, [0.4, 0.41] * 3], (0.5, 0.51), "b 0.510 and a 0.500 are close"),
    ],
)
def test_an_order_is_claimed_only_where_folds_agree(folds, totals, says):
    sentence = first_sentence(with_scores(folds, totals))
    assert sentence.startswith(says)
    assert sentence.endswith("no test was made.")


def test_differences_are_paired_and_counted(pair, written):
    one, two = map(read_result, pair)
    for level in ("window", "trial"):
        for unit in ("fold", "subject"):
            found = difference(one, two, unit=unit, level=level)
            a, b = (
                np.array([p["balanced_accuracy"] for p in r.metrics["levels"][level][f"{unit}s"]])
                for r in (one, two)
            )
            assert found["mean"] == pytest.approx((b - a).mean())
            assert found["sd"] == pytest.approx((b - a).std(ddof=1))
            assert found["higher"] == (b - a > 1e-9).sum()
            assert found["higher"] + found["lower"] + found["equal"] == found["n"] == len(a)
            table = pd.read_csv(written / "tables" / "differences.csv")
            table = table.query("level == @level and unit == @unit")
            np.testing.assert_allclose(table["difference"], b - a, atol=1e-12)


def test_shuffled_labels_are_shown_once_for_each_level_and_unit(pair, written):
    one, two = map(read_result, pair)
    page = (written / "comparison.html").read_text()
    assert "mean of shuffled labels" not in page
    pairs = page[page.index('id="pairs"') : page.index("<figure", page.index('id="pairs"'))]
    scores = pd.read_csv(written / "tables" / "scores.csv").set_index(["result", "level", "what"])
    for level in ("window", "trial"):
        for unit, over in (("fold", "over 12 folds"), ("subject", "over 4 subjects")):
            for name, result in (("CNN-LSTM", one), ("CNN-GRU", two)):
                levels = result.metrics["levels"][level]
                null = levels["significance"][f"over_{unit}s"]["null_mean"]
                assert f">{null:.3f}</td>" in pairs
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


def test_one_of_two_without_validation(pair, tmp_path):
    other = fake_result(tmp_path / "other", model="cnn_gru", seed=1)
    for file in other.glob("folds/*/history.csv"):
        pd.read_csv(file)[["epoch", "loss", "accuracy"]].to_csv(file, index=False)
    assert compare([pair[0], other], tmp_path / "out").is_file()


def test_a_result_equals_itself(pair, tmp_path):
    one = read_result(pair[0])
    found = difference(one, one)
    assert found["mean"] == found["sd"] == 0
    assert found["equal"] == found["n"]
    assert "scored the same" in first_sentence({"A": one, "B": one})
    with pytest.raises(ResultError, match="given twice"):
        compare([pair[0], pair[0]], tmp_path)


def test_three_results_and_names_that_clash(pair, tmp_path):
    third = fake_result(tmp_path / "third", seed=3, effect=0.2)
    page = Page(compare([*pair, third], tmp_path / "out"))
    assert ", lstm 0." in page.h1
    assert "of the first two, on average over" in page.h1
    # two of the models and experiments have the same name: folders tell them apart
    assert {"lstm", "gru", "third"} <= set(page.text.split())
    assert (tmp_path / "out" / "figures" / "confusion_2.png").exists()


def test_a_leak_is_said(tmp_path):
    folders = [
        fake_result(tmp_path / model, model=model, leaks=True, seed=seed)
        for seed, model in enumerate(("cnn_lstm", "cnn_gru"))
    ]
    page = Page(compare(folders, tmp_path / "out"))
    assert page.h1.endswith("The split leaks, so none of these numbers is evidence.")
    assert "banner" in [v for k, v in page.attributes if k == "class"]


@pytest.mark.parametrize("what", ["data", "labels", "folds"])
def test_what_differs_is_refused_and_named(pair, tmp_path, what):
    other = fake_result(tmp_path / "other", model="cnn_gru", digests={what: "12" * 16})
    with pytest.raises(ResultError, match=rf"/lstm .*/other .*their {what} differ .*12121212"):
        compare([pair[0], other], tmp_path / "out")
    assert not (tmp_path / "out").exists()


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


def test_names_with_html_are_harmless(tmp_path):
    folders = [
        fake_result(
            tmp_path / str(seed), model=f"<script>{seed}</script>", seed=seed, subjects=["<b>", "x"]
        )
        for seed in range(2)
    ]
    page = Page(compare(folders, tmp_path / "out"))
    assert "script" not in page.tags
    assert "<SCRIPT>0</SCRIPT>" in page.text


def test_comparing_again_gives_the_same(pair, written):
    files = [p for p in written.rglob("*") if p.is_file()]
    before = {p: p.read_bytes() for p in files}
    compare(pair, written)
    assert {p: p.read_bytes() for p in files} == before
