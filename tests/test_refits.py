"""Refits: done after the folds, kept with the result, added to a finished one, resumed."""

import json

import numpy as np
import pytest

from eegemo.execution import RunContext
from eegemo.models import make_model
from eegemo.results import open_result
from eegemo.results.refits import read_refits
from eegemo.runs import refitting
from eegemo.runs.fit import make_candidates
from eegemo.runs.prepare import prepare_experiment
from eegemo.runs.refits import RefitTask, refit_chunk, relabel, score_folds
from eegemo.runs.run import run_experiments
from experiments import tiny

BAND_POWER = "model={name: band_power_logreg}"
CLIPS = "split.group=stimulus"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A result with three refits."""
    root = tmp_path_factory.mktemp("refits")
    experiment = tiny(root / "data", BAND_POWER, CLIPS, "significance.refits=3")
    (folder,) = run_experiments([experiment], results=root / "r")
    return root, folder


def run_again(root, *overrides):
    experiment = tiny(root / "data", BAND_POWER, CLIPS, *overrides)
    (folder,) = run_experiments([experiment], results=root / "r")
    return folder


def test_refits_are_kept_with_the_result(place):
    _, folder = place
    found = read_refits(folder)
    assert [draw["number"] for draw in found["draws"]] == [0, 1, 2]
    verdict = json.loads((folder / "metrics.json").read_text())["verdict"]
    assert (verdict["p_kind"], verdict["n_refits"], verdict["unit"]) == ("refitted", 3, "stimulus")
    assert verdict["chance"] == pytest.approx(np.mean([d["window"] for d in found["draws"]]))
    assert verdict["p"] >= 0.25


def test_more_refits_are_added_to_the_same_result_and_no_fold_is_fitted_again(place):
    root, folder = place
    before = read_refits(folder)["draws"]
    done = {file: file.stat().st_mtime_ns for file in folder.glob("folds/*/done")}
    assert run_again(root, "significance.refits=5") == folder
    after = read_refits(folder)["draws"]
    assert after[:3] == before
    assert len(after) == 5
    assert {file: file.stat().st_mtime_ns for file in folder.glob("folds/*/done")} == done
    assert open_result(folder).assessment.metrics["verdict"]["n_refits"] == 5


def test_refits_that_are_done_are_not_done_again(place, monkeypatch):
    root, folder = place
    monkeypatch.setattr(refitting, "run_refits", None)  # would not be callable
    run_again(root, "significance.refits=3")
    assert folder.is_dir()


def test_refits_of_other_folds_do_not_count(place):
    root, folder = place
    content = json.loads((folder / "refits.json").read_text())
    experiment = tiny(root / "data", BAND_POWER, CLIPS, "significance.refits=3")
    plan = prepare_experiment(experiment, RunContext(root / "r"))
    assert refitting.has_refits(plan)
    (folder / "refits.json").write_text(json.dumps(content | {"key": "another"}))
    assert not refitting.has_refits(plan)
    (folder / "refits.json").write_text(json.dumps(content))


def test_the_fast_way_scores_as_the_model_itself(place, monkeypatch):
    """The same draws by `fit` and `predict_proba`, which a run uses for the true labels."""
    root, _ = place
    experiment = tiny(root / "data", BAND_POWER, CLIPS)
    plan = prepare_experiment(experiment, RunContext(root / "r"))
    task = RefitTask(
        windows=plan.windows,
        folds=tuple(plan.folds),
        design=plan.design,
        candidates=make_candidates(experiment),
        metric="loss",
        scaling=experiment.scaling.model_dump(),
        split={},
        seed=0,
        features=None,
        draws=(0, 1, 2),
    )
    fast = refit_chunk(task)
    kind = type(make_model("band_power_logreg"))
    monkeypatch.delattr(kind, "fit_and_predict")
    slow = refit_chunk(task)
    for one, other in zip(fast, slow, strict=True):
        assert one.window == pytest.approx(other.window, abs=0.02)  # a window or two of 200
    assert len({refit.window for refit in fast}) > 1


def test_a_refit_moves_labels_and_folds_together(place):
    root, _ = place
    plan = prepare_experiment(tiny(root / "data", BAND_POWER, CLIPS), RunContext(root / "r"))
    new = relabel(plan.windows, plan.folds, plan.design, 7, split={}, seed=0)
    again = relabel(plan.windows, plan.folds, plan.design, 7, split={}, seed=0)
    np.testing.assert_array_equal(new.windows.codes, again.windows.codes)
    assert not np.array_equal(new.windows.codes, plan.windows.codes)
    for fold, other in zip(plan.folds, new.folds, strict=True):
        for role, rows in fold.parts().items():
            moved = other.parts()[role]
            assert len(moved) == len(rows)  # trials of one length
            before, after = plan.windows.codes[rows], new.windows.codes[moved]
            np.testing.assert_array_equal(np.bincount(before), np.bincount(after))


def test_scores_are_those_of_scikit_learn(place):
    from sklearn.metrics import balanced_accuracy_score

    root, _ = place
    windows = prepare_experiment(tiny(root / "data", BAND_POWER), RunContext(root / "r")).windows
    rows = np.arange(len(windows))
    p = np.random.default_rng(0).random((len(windows), len(windows.labels.classes)))
    window, trial = score_folds(windows, [rows], [p])
    assert window == pytest.approx(balanced_accuracy_score(windows.codes, p.argmax(axis=1)))
    summed = np.stack([p[windows.trial == k].sum(axis=0) for k in range(len(windows.trials))])
    expected = balanced_accuracy_score(windows.labels.codes, summed.argmax(axis=1))
    assert trial == pytest.approx(expected)


def test_a_leaking_or_shuffled_run_gets_none(tmp_path):
    for overrides in (("split.group=window", "split.allow_leakage=true"), ("shuffle_labels=1",)):
        experiment = tiny(tmp_path / "data", BAND_POWER, *overrides)
        plan = prepare_experiment(experiment, RunContext(tmp_path / "r"))
        assert refitting.n_refits(plan) == 0


@pytest.mark.slow
def test_a_network_without_an_effect_stops_at_the_first_as_high(tmp_path):
    overrides = ("data.effect=0.0", CLIPS, "significance.refits=19", "training.epochs=2")
    (folder,) = run_experiments([tiny(tmp_path / "data", *overrides)], results=tmp_path / "r")
    found = read_refits(folder)
    assert found["stopped"]
    assert len(found["draws"]) < 19
    assert not (folder / "refits").exists()
    assert open_result(folder).assessment.metrics["verdict"]["evidence"] == "none"
