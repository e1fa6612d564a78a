import json
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from eegemo.errors import ResultError
from eegemo.evaluation import predicted_classes, read_predictions, score, vote
from eegemo.evaluation.assess import assess
from eegemo.pages.figures import learning_curves, to_svg
from eegemo.report import headline, write_report
from eegemo.report.caveats import list_caveats
from eegemo.results import open_result
from eegemo.results.refits import write_refits
from fake_result import fake_result


class Page(HTMLParser):
    """What a browser would do with a page: its tags, what they load, and the visible text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.h1 = ""
        self._open: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        self._open.append(tag)

    def handle_endtag(self, tag):
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data):
        if "style" not in self._open:
            self.text += data
        if "h1" in self._open:
            self.h1 += data


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = fake_result(tmp_path_factory.mktemp("report") / "result")
    assert write_report(path) == path / "report.html"
    return path


@pytest.fixture(scope="module")
def leaking(tmp_path_factory):
    path = fake_result(tmp_path_factory.mktemp("report") / "leak", leaks=True, simulated=False)
    write_report(path)
    return path


def test_everything_is_written_and_nothing_else_is_left(folder):
    assert {p.name for p in (folder / "tables").iterdir()} == {
        f"{name}.csv"
        for name in (
            "scores", "folds", "subjects", "classes", "confusion", "counts", "trials", "curves",
            "spread", "calibration", "calibration_bins", "coverage",
        )
    }  # fmt: skip
    assert {p.name for p in (folder / "figures").iterdir()} == {
        f"{name}.png"
        for name in (
            "confusion", "confusion_folds_windows", "confusion_folds_trials", "classes",
            "null", "folds", "subjects", "curves", "counts", "reliability", "coverage",
        )
    }  # fmt: skip
    assert {p.name for p in folder.iterdir()} == {
        "experiment.yaml", "provenance.json", "predictions.parquet", "folds", "metrics.json",
        "report.html", "tables", "figures",
    }  # fmt: skip


def test_the_page_opens_offline(folder, leaking):
    for path in (folder, leaking):
        page = Page(path / "report.html")
        loaded = [v for k, v in page.attributes if k in ("src", "href", "action", "data")]
        assert all(v.startswith(("data:image/svg+xml;base64,", "#")) for v in loaded)
        assert not {"script", "link", "iframe", "object"} & set(page.tags)
        assert "url(" not in (path / "report.html").read_text()
        assert (path / "report.html").stat().st_size < 3_000_000


def test_every_link_in_the_page_has_a_target(folder):
    page = Page(folder / "report.html")
    ids = {v for k, v in page.attributes if k == "id"}
    assert {v[1:] for k, v in page.attributes if k == "href"} <= ids


def test_the_sentence_comes_first_and_says_what_was_found(folder):
    page = Page(folder / "report.html")
    numbers = json.loads((folder / "metrics.json").read_text())
    assert page.h1 == numbers["headline"] == headline(folder) == headline(open_result(folder))
    total, verdict = numbers["levels"]["window"]["total"], numbers["verdict"]
    assert page.h1.startswith(
        "On simulated data, CNN-LSTM classified 2 s windows from unseen trials of participants "
        f"seen in training into four classes: balanced accuracy {total['balanced_accuracy']:.2f} ("
    )
    low, high = numbers["levels"]["window"]["significance"]["bootstrap"]["trials"]
    assert f"95 % interval {low:.2f} to {high:.2f} for other trials of these 4 people" in page.h1
    # without refits, of clips that are not in the person's own training
    assert (verdict["evidence"], verdict["p_kind"]) == ("yes", "approximate")
    assert verdict["holds_for"] == ["new trials", "new clips"]
    assert "; evidence for new trials and new clips, none for new people" in page.h1
    assert ", without refits)" in page.h1
    tested = "tested on unseen stimuli, but not on unseen people"
    assert page.h1.endswith(f"; no trial is in both training and test; {tested}.")
    assert numbers["trial_sentence"] in page.text
    assert page.text.index(page.h1) < page.text.index("Key numbers")
    assert "banner" not in [v for k, v in page.attributes if k == "class"]


def test_a_leak_is_said_first_and_marked(leaking):
    page = Page(leaking / "report.html")
    assert "not evidence: the split leaks" in page.h1
    assert "p = " not in page.h1
    assert "simulated" not in page.text.lower()
    classes = [v for k, v in page.attributes if k == "class"]
    assert {"banner", "leaking", "bad"} <= set(classes)
    assert page.text.index("This split leaks") < page.text.index(page.h1)


def test_a_leak_that_was_not_declared_is_found_in_the_counts(tmp_path):
    path = fake_result(tmp_path / "r")
    file = path / "folds" / "3" / "fold.json"
    record = json.loads(file.read_text())
    record["shared"]["trial"] = 1
    file.write_text(json.dumps(record))
    assert open_result(path).leaks
    assert any("declared free of leaks" in caveat for caveat in list_caveats(open_result(path)))


def test_a_leak_is_struck_through_and_votes_are_per_fold(leaking, folder):
    page = Page(leaking / "report.html")
    assert "trials per fold" in page.text
    assert "trials per fold" not in Page(folder / "report.html").text
    assert json.loads((leaking / "metrics.json").read_text())["trial_sentence"] == ""
    assert "p, shuffled" not in page.text
    assert [v for k, v in page.attributes if k == "class"].count("s") > 30


def test_nothing_to_learn_is_not_called_a_finding(tmp_path):
    sentence = headline(fake_result(tmp_path / "r", effect=0.0, n_trials=16))
    assert "gave no evidence of discriminating four classes in 2 s windows from" in sentence
    assert "; 95 % interval 0." in sentence
    assert "(chance 0.25" in sentence
    assert "; p ≈ 0." in sentence
    assert "evidence for" not in sentence
    assert "; no trial is in both training and test; tested on" in sentence


def change_split(path, shared=None, **values):
    record = json.loads((path / "provenance.json").read_text())
    record["split"] |= values
    (path / "provenance.json").write_text(json.dumps(record))
    for file in path.glob("folds/*/fold.json"):
        fold = json.loads(file.read_text())
        fold["shared"] |= shared or {}
        file.write_text(json.dumps(fold))


def test_held_out_participants_are_called_unseen(tmp_path):
    path = fake_result(tmp_path / "r")
    change_split(path, group="subject", shared={"subject": 0, "session": 0})
    write_report(path)
    page = Page(path / "report.html")
    assert "from unseen participants" in page.h1
    assert "; no subject is in both training and test; tested on unseen people" in page.h1
    assert "no subject shared between training and test" in page.text
    change_split(path, group="session")
    assert "from unseen sessions of unseen participants" in headline(path)
    change_split(path, group="stimulus", shared={"subject": 4, "stimulus": 0})
    assert "from trials with unseen stimuli of participants seen in training" in headline(path)


def test_stimuli_seen_with_others_are_remarked(tmp_path):
    pooled = fake_result(tmp_path / "pooled", within=False)
    found = "The test stimuli were seen in training with other subjects"
    assert any(found in caveat for caveat in list_caveats(open_result(pooled)))
    within = fake_result(tmp_path / "within")
    assert not any(found in caveat for caveat in list_caveats(open_result(within)))
    rows = pd.read_parquet(pooled / "predictions.parquet")
    rows.assign(stimulus="").to_parquet(pooled / "predictions.parquet")
    assert not any(found in caveat for caveat in list_caveats(open_result(pooled)))


def test_the_design_is_said(folder):
    text = Page(folder / "report.html").text
    assert "labels of clips are exchanged, in one order for all" in text
    assert "People share stimuli, and each stimulus may be recognised." in text
    assert "The p-value is approximate." in text
    assert "would have been found in four of five such experiments" in text
    assert "--set significance.refits=19" in text


def test_clips_that_come_back_are_not_tested_without_refits(tmp_path):
    """The same predictions, once with the clips of test trials in training, once refitted."""
    path = fake_result(tmp_path / "pooled", within=False)
    for file in path.glob("folds/*/fold.json"):
        fold = json.loads(file.read_text())
        fold["shared"]["stimulus"] = 4
        file.write_text(json.dumps(fold))
    verdict = open_result(path).assessment.metrics["verdict"]
    assert (verdict["evidence"], verdict["p"]) == ("not tested", None)
    said = headline(path)
    assert "; not tested: the clips of the test trials are in training" in said
    assert "p ≈" not in said
    draws = [{"number": k, "window": 0.3 + k / 1000, "trial": 0.3} for k in range(19)]
    write_refits(path, "any", "stimulus", draws)
    verdict = open_result(path).assessment.metrics["verdict"]
    assert (verdict["evidence"], verdict["p"], verdict["n_refits"]) == ("limited", 0.05, 19)
    assert verdict["chance"] == pytest.approx(0.309)
    assert "chance 0.31 by refits, 0.25 by guessing" in headline(path)


def test_refits_that_are_damaged_are_refused(tmp_path):
    path = fake_result(tmp_path / "r")
    write_refits(path, "any", "trial", [{"number": 0, "window": 1.5, "trial": 0.3}])
    with pytest.raises(ResultError, match="two scores for each refit"):
        open_result(path)


def test_one_subject_has_no_interval_over_subjects(tmp_path):
    path = fake_result(tmp_path / "r", n_subjects=1)
    write_report(path)
    numbers = json.loads((path / "metrics.json").read_text())
    assert numbers["levels"]["window"]["significance"]["bootstrap"]["subjects"] is None
    assert "With 1 subject, the result does not generalise" in Page(path / "report.html").text


def test_names_with_html_are_harmless(tmp_path):
    nasty = "<img src=x onerror=alert(1)>"
    path = fake_result(
        tmp_path / "r",
        name="</title><script>alert(1)</script>",
        classes=["<b>hi</b>", "x$y$", '"quoted"'],
        subjects=[nasty, "s02"],
        notes=["<script>alert(2)</script>"],
    )
    write_report(path)
    page = Page(path / "report.html")
    assert not {"script", "b onerror"} & set(page.tags)
    assert not [k for k, _ in page.attributes if k.startswith("on")]
    assert all(v.startswith("data:") for k, v in page.attributes if k == "src")
    assert nasty in page.text
    assert "<script>alert(2)</script>" in page.text


def test_every_number_follows_from_the_predictions_alone(folder):
    """A reviewer's check: scikit-learn's part is in test_metrics, here all of metrics.json."""
    numbers = json.loads((folder / "metrics.json").read_text())
    windows = read_predictions(folder / "predictions.parquet")
    for level, rows in {"window": windows, "trial": vote(windows)}.items():
        stored = numbers["levels"][level]
        rows = rows.assign(y_pred=predicted_classes(rows))
        assert stored["total"] == score(rows["y_true"], rows["y_pred"], numbers["classes"])
        for unit, key in (("folds", "fold"), ("subjects", "subject")):
            for part in stored[unit]:
                own = rows[rows[key] == part[key]]
                again = score(own["y_true"], own["y_pred"], numbers["classes"])
                assert {name: part[name] for name in again} == again
        assert stored["significance"] == assess(rows)[0]


def test_tables_agree_with_the_metrics(folder):
    numbers = json.loads((folder / "metrics.json").read_text())
    tables = {p.stem: pd.read_csv(p) for p in (folder / "tables").iterdir()}
    for level, one in numbers["levels"].items():
        for unit in ("folds", "subjects"):
            table = tables[unit][tables[unit]["level"] == level]
            expected = [part["balanced_accuracy"] for part in one[unit]]
            np.testing.assert_allclose(table["balanced_accuracy"], expected, rtol=1e-12)
            tests = one["significance"][unit]
            np.testing.assert_allclose(table["p_uncorrected"], [t["p_value"] for t in tests])
            np.testing.assert_allclose(table["null_q95"], [t["null_q95"] for t in tests])
        cells = tables["confusion"].query("level == @level and part == 'total'")
        assert cells["count"].tolist() == np.ravel(one["total"]["confusion"]).tolist()
        scores = tables["scores"].query("level == @level").set_index("what")
        assert scores.loc["majority", "accuracy"] == one["baselines"]["majority"]["accuracy"]
    assert len(tables["trials"]) == 48
    assert len(tables["curves"]) == 12 * 8
    assert tables["counts"].drop(columns="subject").to_numpy().sum() == 48


def test_the_page_shows_the_numbers(folder):
    numbers = json.loads((folder / "metrics.json").read_text())
    text = Page(folder / "report.html").text
    for level in numbers["levels"].values():
        for name in ("balanced_accuracy", "macro_f1", "accuracy", "kappa"):
            assert f"{level['total'][name]:.2f}".replace("-", "−") in text
        for unit in ("folds", "subjects"):
            assert level[f"over_{unit}"]["over"] in text
    assert "1 trial with a missing rating, 3 exactly at the threshold" in text
    assert "2 of a class that was not asked for" in text
    assert "shared stimuli" in text
    for digest in json.loads((folder / "provenance.json").read_text())["digests"].values():
        assert digest in text
    assert (folder / "experiment.yaml").read_text().splitlines()[0] in text


def test_one_repeat_has_no_spread_over_repeats(folder):
    text = Page(folder / "report.html").text
    assert "over 1 repeat" not in text
    assert "One repeat: the spread over seeds is unknown." in text
    assert not (folder / "tables" / "repeats.csv").exists()
    assert not (folder / "figures" / "spread.png").exists()
    assert "No predictions of validation windows are stored: no temperature" in text
    assert "band power" not in text.lower()


def test_drawing_again_gives_the_same(folder):
    files = [p for p in folder.rglob("*") if p.suffix in (".html", ".json", ".csv", ".png")]
    before = {p: p.read_bytes() for p in files}
    write_report(folder)
    assert {p: p.read_bytes() for p in files} == before


@pytest.mark.slow
def test_a_full_deap_stays_small_and_complete(tmp_path):
    path = fake_result(tmp_path / "r", n_subjects=32, n_trials=10, n_splits=5, n_windows=3)
    write_report(path)
    assert (path / "report.html").stat().st_size < 3_000_000
    text = Page(path / "report.html").text
    assert "over 160 folds" in text
    assert "s32/4" in text


def remove(path):
    path.unlink()


def no_epochs(path):
    pd.read_csv(path).iloc[:0].to_csv(path, index=False)


@pytest.mark.parametrize(
    ("file", "change", "says"),
    [
        ("provenance.json", remove, "provenance.json is missing"),
        ("predictions.parquet", remove, "predictions.parquet is missing"),
        ("provenance.json", lambda p: p.write_text("{"), "cannot be read as JSON"),
        ("provenance.json", lambda p: p.write_text("{}"), "'eegemo', found no such entry"),
        ("experiment.yaml", lambda p: p.write_text("a: [1"), "cannot be read as YAML"),
        ("folds/7/done", remove, "fold 7 is not finished"),
        ("folds/7", lambda p: p.rename(p.parent / "old"), "fold 7 is missing"),
        ("folds/11", lambda p: p.rename(p.parent / "12"), "fold 11 is missing"),
        ("folds/2/history.csv", remove, "fold 2 has no training history"),
        ("folds/2/history.csv", no_epochs, "fold 2 has no complete training history"),
        ("folds/4/fold.json", remove, r"fold\.json: expected a file"),
    ],
)
def test_an_incomplete_result_is_refused(tmp_path, file, change, says):
    path = fake_result(tmp_path / "r")
    change(path / file)
    with pytest.raises(ResultError, match=says):
        write_report(path)
    assert not (path / "report.html").exists()


def test_no_folder_and_lost_predictions_are_named(tmp_path):
    with pytest.raises(ResultError, match="no such folder"):
        write_report(tmp_path / "nothing")
    path = fake_result(tmp_path / "r")
    with pytest.raises(ResultError, match="expected a result folder, found a file"):
        write_report(path / "experiment.yaml")
    rows = pd.read_parquet(path / "predictions.parquet")
    rows[rows["fold"] != 5].to_parquet(path / "predictions.parquet")
    with pytest.raises(ResultError, match="fold 5 has no predictions"):
        write_report(path)
    rows.rename(columns={"p_HVHA": "p_X"}).assign(y_true="X").drop_duplicates(
        ["subject", "trial", "start"]
    ).to_parquet(path / "predictions.parquet")
    with pytest.raises(ResultError, match="names the classes HVHA"):
        write_report(path)


def test_folds_may_count_from_one(tmp_path):
    path = fake_result(tmp_path / "r", n_subjects=1)
    rows = pd.read_parquet(path / "predictions.parquet")
    rows.assign(fold=rows["fold"] + 1).to_parquet(path / "predictions.parquet")
    for k in (2, 1, 0):
        (path / "folds" / str(k)).rename(path / "folds" / str(k + 1))
        file = path / "folds" / str(k + 1) / "fold.json"
        file.write_text(file.read_text().replace(f'"fold": {k}', f'"fold": {k + 1}'))
    assert [fold["fold"] for fold in open_result(path).records] == [1, 2, 3]


@pytest.mark.parametrize("which", ["every fold", "one fold"])
@pytest.mark.parametrize("how", ["empty", "absent"])
@pytest.mark.parametrize("n_subjects", [1, 5])  # single lines, and more folds than are drawn singly
def test_a_run_without_validation_has_a_report_too(tmp_path, how, which, n_subjects):
    path = fake_result(tmp_path / "r", n_subjects=n_subjects)
    for file in sorted(path.glob("folds/*/history.csv"))[: 1 if which == "one fold" else None]:
        history = pd.read_csv(file)
        if how == "empty":
            history = history.assign(val_loss=np.nan, val_accuracy=np.nan)
        else:
            history = history.drop(columns=["val_loss", "val_accuracy"])
        history.to_csv(file, index=False)
    result = open_result(path)
    figure = learning_curves(result.histories, [fold["best_epoch"] for fold in result.records])
    assert to_svg(figure)
    if n_subjects == 1 and which == "every fold" and how == "absent":
        assert write_report(path).is_file()
