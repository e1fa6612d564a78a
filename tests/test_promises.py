"""What a report says was tested on unseen people and unseen stimuli, over the grid of designs."""

import json
from itertools import product

import numpy as np
import pandas as pd
import pytest

from eegemo.report import headline
from eegemo.report.caveats import list_caveats
from eegemo.report.promises import Promise, make_promise, promise_clause
from eegemo.results import open_result
from eegemo.splits import make_folds
from fake_result import fake_result

#: Who shows up in test and training, as split and stimuli give it; and what is then true.
PEOPLE = ("subject", "trial", "within")
STIMULI = ("own", "repeated", "shared", "unknown", "some unknown")


def trials(stimuli):
    """Four people with two sessions of six trials; which stimulus each shows."""
    rows = [
        {"subject": f"s{who}", "session": str(session), "trial": 6 * session + k}
        for who, session, k in product(range(4), (1, 2), range(6))
    ]
    table = pd.DataFrame(rows)
    number = table["trial"].astype(str)
    names = {
        "own": table["subject"] + "/" + number,  # nobody else sees it, and nobody twice
        "repeated": table["subject"] + "/" + (table["trial"] % 6).astype(str),
        "shared": number,  # once by each
        "unknown": "",
        "some unknown": np.where(table["trial"] == 7, "", table["subject"] + "/" + number),
    }
    return table.assign(stimulus=names[stimuli], code=table["trial"] % 2, run="1")


def write_roles(result, table, folds):
    """Replace the table of roles of a made-up result, and the counts of each fold's record."""
    roles = table.drop(columns=["code", "run"]).assign(y_true="HVHA")
    for k, fold in enumerate(folds):
        role = np.full(len(table), "", object)
        for name, rows in fold.parts().items():
            role[rows] = name
        roles[f"fold_{k}"] = role
    roles.to_csv(result / "folds.csv", index=False)


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """A result whose scores are computed once; only its roles change."""
    return open_result(fake_result(tmp_path_factory.mktemp("promises") / "r", n_subjects=2))


def with_folds(result, table, folds):
    """Give a result these folds, as many as it has; return those used."""
    n = len(result.folds)
    used = (folds * n)[:n]
    write_roles(result.path, table, used)
    result.__dict__.pop("roles", None)
    for fold, record in zip(used, result.records, strict=True):
        learnt = set(table["subject"].iloc[np.concatenate([fold.train, fold.validation])])
        record["shared"]["subject"] = len(learnt & set(table["subject"].iloc[fold.test]))
    return used


def expected(split, stimuli):
    """The truth, from the design alone."""
    people = "unseen" if split == "subject" else "seen"
    if stimuli in ("unknown", "some unknown"):
        return people, "unknown", None
    if stimuli == "own" or (stimuli == "repeated" and split == "subject"):
        return people, "unseen", None
    if stimuli == "shared" and split == "within":
        return people, "unseen", None
    return people, "seen", "same" if stimuli == "repeated" else "others"


@pytest.mark.parametrize(("split", "stimuli"), list(product(PEOPLE, STIMULI)))
def test_the_headline_says_what_was_tested(opened, split, stimuli):
    result, table = opened, trials(stimuli)
    group, within = ("trial", "subject") if split == "within" else (split, None)
    folds = make_folds(table, group=group, within=within, n_splits=2, validation=0.3, seed=1)
    with_folds(result, table, folds)
    promise = make_promise(result)
    people, seen, seen_by = expected(split, stimuli)
    assert (promise.people, promise.stimuli, promise.seen_by) == (people, seen, seen_by)
    sentence = headline(result)
    assert sentence.endswith(f"{promise_clause(promise)}.")
    assert ("; tested on unseen people" in sentence) == (people == "unseen")
    claims = "on unseen stimuli" in sentence.replace("not on unseen stimuli", "")
    claims &= "nor on unseen stimuli" not in sentence and "cannot be told" not in sentence
    assert claims == (seen == "unseen")
    assert ("cannot be told" in sentence) == (seen == "unknown")
    warned = any("recognising the stimulus may be enough" in said for said in list_caveats(result))
    assert warned == (seen == "seen")


def test_a_stimulus_that_only_some_test_trials_share_is_counted(opened):
    result, table = opened, trials("own")
    table.loc[[0, 13], "stimulus"] = "both see it"
    folds = make_folds(table, group="subject", n_splits=4, validation=0)
    used = with_folds(result, table, folds)
    promise = make_promise(result)
    assert promise.n_test == sum(len(fold.test) for fold in used)
    assert promise.n_seen == sum(len({0, 13} & set(fold.test.tolist())) for fold in used)
    assert any("test trials): recognising" in caveat for caveat in list_caveats(result))


@pytest.mark.parametrize("where", ["train", "validation"])
def test_what_a_validation_set_or_an_unnamed_training_trial_shows_counts(opened, where):
    """Early stopping saw the validation set; an unnamed trial may show what a test trial does."""
    table = trials("own")
    (fold,) = make_folds(table, group="subject", method="stratified_group_ratio")[:1]
    row = fold.parts()[where][0]
    table.loc[row, "stimulus"] = table.loc[fold.test[0], "stimulus"]
    with_folds(opened, table, [fold])
    assert make_promise(opened).stimuli == "seen"
    table.loc[row, "stimulus"] = ""
    with_folds(opened, table, [fold])
    assert make_promise(opened).stimuli == "unknown"
    table.loc[row, "stimulus"] = "something else"
    with_folds(opened, table, [fold])
    assert make_promise(opened).stimuli == "unseen"


def test_older_results_have_only_counts(tmp_path):
    pooled = fake_result(tmp_path / "pooled", within=False)
    assert make_promise(open_result(pooled)) == Promise("seen", "seen", "others")
    own = fake_result(tmp_path / "own")
    assert make_promise(open_result(own)) == Promise("seen", "unseen")
    (own / "folds.csv").write_text("not,a\ntable,of roles\n")
    assert make_promise(open_result(own)) == Promise("seen", "unseen")
    rows = pd.read_parquet(own / "predictions.parquet")
    rows.assign(stimulus="").to_parquet(own / "predictions.parquet")
    assert make_promise(open_result(own)) == Promise("seen", "unknown")


def test_a_split_that_divides_recordings_of_one_class_is_a_leak_and_says_of_what(tmp_path):
    path = fake_result(tmp_path / "r")
    record = json.loads((path / "provenance.json").read_text())
    record["split"] |= {"group": "trial", "leaks": True, "constant_over": ["run"]}
    (path / "provenance.json").write_text(json.dumps(record))
    sentence = headline(path)
    assert "trials of the same recording are in both training and test" in sentence
    assert sentence.endswith("so recognising a recording is enough.")
