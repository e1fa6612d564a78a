"""The unit whose labels may be exchanged, how labels move, the smallest p, and what may be said."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_ind

from eegemo.evaluation.statistics.design import order_test, read_design
from eegemo.evaluation.statistics.refitted import RefittedNull
from eegemo.evaluation.statistics.relabelling import draw_relabelling
from eegemo.evaluation.verdict import THINGS, judge, people_p_value
from eegemo.models.logistic import fit_logistic, logistic_probabilities


def make_table(n=40, *, subjects=1, code=None, **columns):
    size = n * subjects
    table = pd.DataFrame(
        {
            "subject": np.repeat([f"s{k}" for k in range(subjects)], n),
            "session": "1",
            "run": "1",
            "trial": np.tile(np.arange(n), subjects),
            "stimulus": "",
        }
    )
    return table.assign(code=np.arange(size) % 2 if code is None else code, **columns)


def unit_of(table, *, within=True, order=None):
    return read_design(table, within_subject=within, order=order).unit


# --- the unit -----------------------------------------------------------------------------------


def test_the_unit_is_what_was_randomised():
    assert unit_of(make_table()) == "trial"
    runs = np.repeat(np.arange(8), 5)
    assert unit_of(make_table(run=runs, code=runs % 2)) == "run"
    assert unit_of(make_table(run=runs)) == "trial"  # both classes in each recording
    assert unit_of(make_table(session=runs, code=runs % 2)) == "session"
    people = make_table(5, subjects=8, code=np.repeat(np.arange(8), 5) % 2)
    assert unit_of(people, within=False) == "subject"
    clips = [f"v{k}" for k in np.tile(np.arange(40), 3)]
    assert unit_of(make_table(subjects=3, stimulus=clips)) == "stimulus"
    assert unit_of(make_table(stimulus=[f"v{k}" for k in range(40)])) == "trial"
    again = [f"v{k}" for k in np.tile(np.arange(20), 2)]
    assert unit_of(make_table(stimulus=again)) == "stimulus"


def test_a_recording_with_one_odd_trial_does_not_make_trials_exchangeable():
    runs = np.repeat(np.arange(8), 5)
    code = runs % 2
    code[3] = 1 - code[3]
    assert unit_of(make_table(run=runs, code=code)) == "run"


def test_classes_in_stretches_of_time_are_told_from_random_orders():
    """Called not random in about 5 of 100 random orders at most, always in blocks."""
    rng = np.random.default_rng(0)
    table = make_table(24, subjects=4)
    time = np.tile(np.arange(24.0), 4)
    blocks = np.tile(np.repeat([0, 1, 0, 1, 0, 1], 4), 4)
    assert unit_of(table.assign(code=blocks), order=time) == "stretch"
    assert unit_of(table.assign(code=blocks)) == "trial"  # the order is not known
    half = np.tile(np.repeat([0, 1], 12), 4)
    design = read_design(table.assign(code=half), within_subject=True, order=time)
    assert design.unit == "stretch"
    assert design.smallest_p == 1.0  # the only other order is the mirror image
    alarms = 0
    for seed in range(100):
        code = np.concatenate([rng.permutation(np.arange(24) % 2) for _ in range(4)])
        alarms += order_test(table.assign(code=code), time, seed=seed) < 0.05
    assert alarms <= 11  # 99.7 % of binomial counts of .05


# --- the smallest p -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("classes", "p"),
    [
        ("aabb", 2 / 6), ("aaabbb", 2 / 20), ("aaaabbb", 1 / 35), ("aaaabbbb", 2 / 70),
        ("aaabbbbb", 1 / 56), ("aabbbbbb", 1 / 28), ("aaaaabbbbb", 2 / 252),
        ("aabbcc", 6 / 90), ("aaabbbccc", 6 / 1680),
    ],
)  # fmt: skip
def test_smallest_p_of_recordings_as_enumerated(classes, p):
    """From complete enumerations of refitted scores (null-schemes, sections 4 and 8)."""
    code = np.repeat([ord(name) - ord("a") for name in classes], 3)
    table = make_table(len(code), run=np.repeat(np.arange(len(classes)), 3), code=code)
    assert read_design(table, within_subject=True).smallest_p == pytest.approx(p)


def test_smallest_p_of_several_people_with_models_of_their_own():
    runs = np.tile(np.repeat(np.arange(4), 3), 2)
    table = make_table(12, subjects=2, run=runs, code=runs % 2)
    assert read_design(table, within_subject=True).smallest_p == pytest.approx((2 / 6) ** 2)
    assert read_design(table, within_subject=False).smallest_p == pytest.approx(2 / 6**2)


def test_smallest_p_of_clips_counts_different_columns():
    clips = np.tile(np.arange(6), 3)
    table = make_table(6, subjects=3, stimulus=[f"v{k}" for k in clips], code=clips % 2)
    assert read_design(table, within_subject=False).smallest_p == pytest.approx(2 / 20)


# --- how labels move ----------------------------------------------------------------------------


@pytest.mark.parametrize("unit", ["trial", "run", "stimulus", "subject"])
def test_labels_move_with_their_places_and_inside_what_is_exchangeable(unit):
    rng = np.random.default_rng(1)
    runs = np.tile(np.repeat(np.arange(4), 3), 4)
    clips = np.tile(np.arange(12), 4)
    table = {
        "trial": make_table(12, subjects=4),
        "run": make_table(12, subjects=4, run=runs, code=runs % 2),
        "stimulus": make_table(12, subjects=4, stimulus=[f"v{k}" for k in clips], code=clips % 2),
        "subject": make_table(12, subjects=4, code=np.repeat([0, 1, 0, 1], 12)),
    }[unit]
    design = read_design(table, within_subject=False)
    assert design.unit == unit
    subject, code = table["subject"].to_numpy(), table["code"].to_numpy()
    moved = 0
    for _ in range(20):
        new = draw_relabelling(design, rng)
        assert sorted(new.places) == list(range(48))  # every place in a fold is kept by somebody
        np.testing.assert_array_equal(new.codes, code[new.places])
        moved += not np.array_equal(new.codes, code)
        if unit != "subject":
            np.testing.assert_array_equal(subject[new.places], subject)
        if unit == "run":
            assert table.assign(new=new.codes).groupby(["subject", "run"])["new"].std().max() == 0
            pairs = pd.DataFrame({"run": table["run"], "of": table["run"].to_numpy()[new.places]})
            per_person = pairs.assign(subject=subject).drop_duplicates()
            assert len(per_person) == 16  # whole recordings
        if unit == "stimulus":  # one order for all
            of = clips[new.places].reshape(4, 12)
            assert (of == of[0]).all()
    assert moved > 10


def test_every_labelling_is_as_likely():
    """Of four recordings, two of each class, all six labellings come up alike."""
    runs = np.repeat(np.arange(4), 2)
    design = read_design(make_table(8, run=runs, code=runs % 2), within_subject=True)
    rng = np.random.default_rng(2)
    drawn = [tuple(draw_relabelling(design, rng).codes[::2]) for _ in range(1200)]
    counts = pd.Series(drawn).value_counts()
    assert len(counts) == 6
    assert set(counts.index) == set(itertools.permutations((0, 1, 0, 1)))
    assert np.abs(counts - 200).max() < 5 * np.sqrt(200)


def test_who_lacks_clips_keeps_the_map_from_clip_to_class():
    """Joint draws that break it made .15 to .41 false alarms."""
    rng = np.random.default_rng(3)
    clips = np.tile(np.arange(16), 8)
    table = make_table(16, subjects=8, stimulus=[f"v{k}" for k in clips], code=clips % 2)
    table = table[rng.random(128) > 0.4].reset_index(drop=True)
    design = read_design(table, within_subject=False)
    for _ in range(5):
        new = draw_relabelling(design, rng)
        by_clip = table.assign(new=new.codes).groupby("stimulus")["new"]
        assert (by_clip.min() == by_clip.max()).all()
        assert np.bincount(new.places, minlength=len(table)).max() == 1


# --- nulls --------------------------------------------------------------------------------------


def test_p_of_refits_counts_and_never_goes_below_what_the_design_allows():
    scores = tuple(np.linspace(0.4, 0.6, 19))
    assert RefittedNull(0.7, scores, 0.001).p_value == 1 / 20
    assert RefittedNull(0.55, scores, 0.001).p_value == (1 + 5) / 20
    assert RefittedNull(0.7, scores, 0.1).p_value == 0.1
    assert RefittedNull(0.7, scores, 0.1).p_t == 0.1
    null = RefittedNull(0.7, scores, 1e-6)
    # one more draw of the same normal distribution: a t-test of two samples, one of size 1
    assert null.p_t == pytest.approx(ttest_ind([0.7], scores, alternative="greater").pvalue)
    assert null.detectable == pytest.approx(0.5 + 2.487 * np.std(scores, ddof=1))


def test_people_are_judged_by_people():
    rng = np.random.default_rng(4)
    alarms = np.mean(
        [people_p_value(list(0.5 + 0.05 * rng.normal(size=10)), 0.5) <= 0.05 for _ in range(2000)]
    )
    assert alarms < 0.05  # independent people: cautious, by the square root of two
    assert people_p_value([0.5] * 5, 0.5) is None


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_fast_solver_finds_what_scikit_learn_finds(n_classes):
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(5)
    x = rng.normal(size=(300, 12)) @ rng.normal(size=(12, 12))  # features that go together
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    codes = (x[:, 0] + rng.normal(size=300) > 0.3).astype(int) + (n_classes > 2) * (x[:, 1] > 1)
    weight = np.array([0.5, 2.0, 3.0])[codes]
    exact = LogisticRegression(C=0.7, tol=1e-9, max_iter=10_000).fit(x, codes, weight)
    weights = fit_logistic(x, codes, n_classes=n_classes, C=0.7, sample_weight=weight)
    found = logistic_probabilities(x, weights)
    np.testing.assert_allclose(found, exact.predict_proba(x), atol=0.01)


def test_a_class_that_training_lacks_has_no_probability():
    weights = fit_logistic(np.array([[-1.0], [1.0]] * 5), np.array([0, 2] * 5), n_classes=3)
    found = logistic_probabilities(np.array([[-1.0], [1.0]]), weights)
    assert (found[:, 1] == 0).all()
    assert found.argmax(axis=1).tolist() == [0, 2]


# --- what may be said ---------------------------------------------------------------------------

DESIGN = {
    "unit": "trial", "n_units": 80, "n_subjects": 8, "n_sessions": 8, "n_runs": 8, "n_stimuli": 0,
    "smallest_p": 1e-9, "testable": True,
}  # fmt: skip
STORED = {"null_mean": 0.5, "null_sd": 0.04, "p_value": 0.01}
BACK = dict.fromkeys(("stimulus", "run", "session", "subject"), True)


def said(*, design=(), stored=(), refits=None, back=(), leaks=False, people_p=None, observed=0.7):
    return judge(
        DESIGN | dict(design),
        observed=observed,
        stored=STORED | dict(stored),
        refitted=refits,
        shared=dict.fromkeys(BACK, False) | dict.fromkeys(back, True),
        leaks=leaks,
        people_p=people_p,
    )


def refits(mean=0.5, observed=0.7, n=199):
    rng = np.random.default_rng(0)
    return RefittedNull(observed, tuple(mean + 0.03 * rng.normal(size=n)), 1e-9)


def test_a_leak_is_never_evidence():
    verdict = said(leaks=True, refits=refits(), people_p=0.001)
    assert (verdict.evidence, verdict.p, verdict.holds_for) == ("none", None, ())


def test_nothing_is_claimed_beyond_what_was_held_out():
    within = said(back=("run", "session", "subject"))
    assert (within.evidence, within.holds_for) == ("yes", ("new trials",))
    assert within.p_kind == "approximate"
    people = said(people_p=0.01)
    assert "new people" in people.holds_for
    assert "new people" in said(people_p=0.2).not_for
    assert "new people" in said(people_p=0.01, back=("subject",)).not_for


def test_clips_that_come_back_limit_the_claim_and_need_refits():
    clips = {"unit": "stimulus", "n_stimuli": 16}
    untested = said(design=clips, back=("stimulus",))
    assert (untested.evidence, untested.p) == ("not tested", None)
    limited = said(design=clips, back=("stimulus",), refits=refits(0.59), people_p=0.01)
    assert limited.evidence == "limited"
    assert limited.confounds == ("the clips of the test trials are in training",)
    assert "new clips" in limited.not_for
    assert limited.chance == pytest.approx(0.59, abs=0.01)  # not 0.50
    both = said(design=clips, refits=refits(), people_p=0.01)
    assert both.evidence == "yes"
    assert {"new clips", "new people"} <= set(both.holds_for)


def test_a_design_that_cannot_show_it_is_not_tested():
    verdict = said(design={"unit": "run", "n_units": 4, "smallest_p": 1 / 3, "testable": False})
    assert verdict.evidence == "not tested"
    assert verdict.reason == (
        "with 4 recordings of constant class the smallest possible p-value is 0.33"
    )


@pytest.mark.parametrize("unit", ["trial", "stimulus", "stretch", "run", "session", "subject"])
@pytest.mark.parametrize("back", [(), ("stimulus",), ("run",), ("run", "session", "subject")])
@pytest.mark.parametrize("p", [0.01, 0.5])
@pytest.mark.parametrize("refitted", [False, True])
def test_verdicts_never_contradict_themselves(unit, back, p, refitted):
    null = refits(0.5 if p < 0.05 else 0.75) if refitted else None
    verdict = said(
        design={"unit": unit, "n_stimuli": 9}, stored={"p_value": p}, refits=null, back=back
    )
    assert set(verdict.holds_for) | set(verdict.not_for) == set(THINGS)
    assert not set(verdict.holds_for) & set(verdict.not_for)
    assert (verdict.evidence == "yes") <= (not verdict.confounds)
    assert (verdict.evidence in ("yes", "limited")) == bool(verdict.holds_for)
    assert (verdict.p is not None and verdict.p <= 0.05) == bool(verdict.holds_for)
    assert (verdict.p_kind is None) == (verdict.p is None)
