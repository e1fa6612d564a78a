"""Folds: disjoint by proof, complete, balanced, and the same whatever the order of the rows."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from eegemo.errors import DataError, LeakageError
from eegemo.splits import (
    GROUPS,
    Fold,
    check_folds,
    check_leaks,
    deal_groups,
    describe_split,
    group_numbers,
    make_folds,
    shared_groups,
)
from helpers import keys_of, make_table

TRIAL = GROUPS["trial"]
KINDS = list(GROUPS)


@st.composite
def tables(draw, max_subjects=4, equal=False):
    """Window tables: any classes, any number of windows per trial, subjects of different sizes."""
    n_classes = draw(st.integers(1, 4))
    n_windows = st.just(2) if equal else st.integers(1, 4)
    rows = []
    for subject in range(draw(st.integers(1, max_subjects))):
        for session in range(draw(st.integers(1, 2))):
            for trial in range(draw(st.integers(1, 8))):
                code = draw(st.integers(0, n_classes - 1))
                names = f"s{subject + 1:02d}", str(session + 1), trial + 1, f"v{trial % 5}"
                rows.append((*names, code, draw(n_windows)))
    return make_table(rows).assign(run=lambda table: np.where(table["trial"] > 4, "2", "1"))


def n_groups(table, group):
    return len(table[list(GROUPS[group])].drop_duplicates())


def deap_table(n_subjects=3, n_trials=40, n_windows=3, seed=0):
    """Trials of one class each, in DEAP's proportions (439, 269, 298 and 274 of 1280)."""
    rng = np.random.default_rng(seed)
    shares = np.array([439, 269, 298, 274]) / 1280
    return make_table(
        (f"s{s + 1:02d}", "1", t + 1, str(t + 1), rng.choice(4, p=shares), n_windows)
        for s in range(n_subjects)
        for t in range(n_trials)
    )


def trial_classes(table, rows):
    """Trials of each class among the rows."""
    trials = table.iloc[rows].drop_duplicates(list(TRIAL))
    return np.bincount(trials["code"], minlength=table["code"].max() + 1)


def assert_partition(folds, table, rows):
    """Every one of the rows is tested exactly once."""
    tested = np.concatenate([fold.test for fold in folds])
    assert sorted(tested.tolist()) == sorted(rows)
    for fold in folds:
        assert len(fold.train)
        assert len(fold.test)


def assert_disjoint(fold, table, columns):
    """No two parts share a window, nor a group named by the columns."""
    parts = list(fold.parts().values())
    for k, one in enumerate(parts):
        assert np.array_equal(one, np.unique(one))
        for other in parts[k + 1 :]:
            assert not set(one.tolist()) & set(other.tolist())
            assert not keys_of(table, one, *columns) & keys_of(table, other, *columns)


# --- k folds -------------------------------------------------------------------------------------


@given(tables(), st.sampled_from(KINDS), st.integers(2, 5), st.integers(0, 99))
def test_k_folds_test_every_window_once_and_share_no_group(table, group, n_splits, seed):
    assume(n_groups(table, group) >= n_splits)
    folds = make_folds(table, group=group, n_splits=n_splits, validation=0, seed=seed)
    assert len(folds) == n_splits
    assert_partition(folds, table, range(len(table)))
    for fold in folds:
        assert_disjoint(fold, table, GROUPS[group])
        assert_disjoint(fold, table, TRIAL)
        assert len(fold.validation) == 0
        assert len(fold.train) + len(fold.test) == len(table)


@given(tables(), st.sampled_from(KINDS), st.integers(2, 4), st.floats(0.05, 0.6))
def test_validation_is_of_training_and_grouped_like_the_test(table, group, n_splits, validation):
    assume(n_groups(table, group) >= 2 * n_splits)
    arguments = {"group": group, "n_splits": n_splits, "validation": validation}
    learnt = [
        keys_of(table, fold.train, *GROUPS[group])
        for fold in make_folds(table, **arguments | {"validation": 0})
    ]
    if min(map(len, learnt)) < 2:  # a single large group is all there is to train on
        with pytest.raises(DataError, match=r"training and validation.*at least 2"):
            make_folds(table, **arguments)
        return
    for fold in make_folds(table, **arguments):
        assert len(fold.validation)
        assert_disjoint(fold, table, GROUPS[group])
        rows = np.concatenate([fold.train, fold.validation, fold.test])
        assert sorted(rows.tolist()) == list(range(len(table)))


def test_validation_does_not_change_what_is_tested():
    """The validation share is taken from training: the test parts stay."""
    table = deap_table()
    for method in ("stratified_group_k_fold", "leave_one_group_out"):
        group = "trial" if method == "stratified_group_k_fold" else "subject"
        with_it, without = (
            make_folds(table, method=method, group=group, validation=v, seed=3) for v in (0.2, 0)
        )
        for one, other in zip(with_it, without, strict=True):
            np.testing.assert_array_equal(one.test, other.test)


@given(tables(equal=True), st.integers(2, 5), st.integers(0, 99))
def test_equal_trials_are_balanced_within_one_per_class_and_in_total(table, n_splits, seed):
    assume(n_groups(table, "trial") >= n_splits)
    folds = make_folds(table, group="trial", n_splits=n_splits, validation=0, seed=seed)
    counts = np.array([trial_classes(table, fold.test) for fold in folds])
    assert (np.ptp(counts, axis=0) <= 1).all()
    assert np.ptp(counts.sum(axis=1)) <= 1


@given(tables(equal=True), st.integers(2, 4))
def test_balance_is_no_worse_than_scikit_learns(table, n_splits):
    """StratifiedKFold over trials guarantees classes within one too, but not totals."""
    trials = table.drop_duplicates(list(TRIAL))
    code = trials["code"].to_numpy()
    assume(len(trials) >= n_splits and np.bincount(code).max() >= n_splits)
    # classes rarer than the number of folds make it warn, so it gets them merged into the first
    rare = np.bincount(code)[code] < n_splits
    theirs = StratifiedKFold(n_splits).split(code, np.where(rare, np.bincount(code).argmax(), code))
    sizes = [len(test) for _, test in theirs]
    folds = make_folds(table, group="trial", n_splits=n_splits, validation=0)
    ours = [trial_classes(table, fold.test).sum() for fold in folds]
    assert np.ptp(ours) <= np.ptp(sizes)


def spread(parts, counts):
    """Standard deviation over parts of their share of each class, averaged over classes."""
    shares = np.array([counts[parts == part].sum(axis=0) for part in np.unique(parts)])
    return (shares / counts.sum(axis=0)).std(axis=0).mean()


def test_unequal_groups_are_balanced_on_average_as_by_stratified_group_k_fold():
    """Subjects with classes of any number, dealt to 5 folds: 40 random tables."""
    rng = np.random.default_rng(0)
    ours, theirs = [], []
    for _ in range(40):
        counts = rng.integers(0, 20, (rng.integers(8, 30), 4))
        ours.append(spread(deal_groups(counts, np.full(5, 0.2), rng), counts))
        groups = np.repeat(np.arange(len(counts)), counts.sum(axis=1))
        codes = np.concatenate([np.repeat(np.arange(4), row) for row in counts])
        parts = np.full(len(counts), -1)
        folds = StratifiedGroupKFold(5, shuffle=True, random_state=0).split(codes, codes, groups)
        for k, (_, test) in enumerate(folds):
            parts[np.unique(groups[test])] = k
        theirs.append(spread(parts, counts))
    # theirs is the reference; ours may be worse by chance in a table, not over forty of them
    assert np.mean(ours) <= np.mean(theirs)


@given(
    st.lists(st.integers(0, 3), min_size=10, max_size=60),
    st.sampled_from([(0.8, 0.2), (0.8, 0.1, 0.1), (0.5, 0.3, 0.2), (0.6, 0.0, 0.4)]),
    st.integers(0, 99),
)
def test_parts_of_any_share_are_within_one_group_of_it(codes, shares, seed):
    counts = 7 * np.eye(4, dtype=int)[codes]
    part = deal_groups(counts, shares, np.random.default_rng(seed))
    for k, share in enumerate(shares):
        dealt = counts[part == k].sum(axis=0) / 7
        # a hair above one, since shares such as 0.1 are not exact in binary
        assert (np.abs(dealt - share * counts.sum(axis=0) / 7) <= 1 + 1e-9).all()
        assert abs(dealt.sum() - share * len(codes)) <= 1 + 1e-9


@given(
    st.lists(st.lists(st.integers(0, 9), min_size=3, max_size=3), min_size=3, max_size=30),
    st.sampled_from([(0.8, 0.1, 0.1), (0.98, 0.01, 0.01), (0.5, 0.0, 0.5)]),
)
def test_every_part_with_a_share_gets_a_group_and_no_other_does(counts, shares):
    part = deal_groups(np.array(counts), shares, np.random.default_rng(0))
    assert set(part) == set(np.flatnonzero(shares))


# --- within subjects -----------------------------------------------------------------------------


@given(tables(), st.integers(2, 3))
def test_within_subject_every_fold_is_of_one_subject(table, n_splits):
    fewest = table.drop_duplicates(list(TRIAL)).groupby("subject").size().min()
    assume(fewest >= n_splits)
    folds = make_folds(table, group="trial", within="subject", n_splits=n_splits, validation=0)
    for subject, rows in table.groupby("subject").indices.items():
        own = [fold for fold in folds if table["subject"].iloc[fold.test[0]] == subject]
        assert len(own) == n_splits
        assert_partition(own, table, rows.tolist())
        for fold in own:
            rows_of = np.concatenate(list(fold.parts().values()))
            assert set(table["subject"].iloc[rows_of]) == {subject}
            assert fold.name.startswith(subject)
    assert len({fold.name for fold in folds}) == len(folds)


def test_within_subject_every_subject_is_balanced_for_itself():
    table = deap_table()
    for fold in make_folds(table, within="subject", n_splits=5):
        own = table["subject"] == table["subject"].iloc[fold.test[0]]
        whole = trial_classes(table, np.flatnonzero(own))
        tested = trial_classes(table, fold.test)
        assert tested.sum() == 8
        assert (np.abs(tested - whole / 5) < 1).all()
        # a fifth of the 32 others is 6.4
        stopping = trial_classes(table, fold.validation)
        assert stopping.sum() in (6, 7)
        assert (np.abs(stopping - (whole - tested) / 5) <= 1).all()


@pytest.mark.parametrize("n_rare", [0, 1, 2])
@pytest.mark.parametrize("group", ["trial", "stimulus"])
def test_a_subjects_rarest_class_may_have_two_trials_one_or_none(n_rare, group):
    """With one trial of a class, it is either tested or learnt; both are said, not refused."""
    rare = [3] * n_rare
    rows = [
        ("s01", "1", k + 1, str(k), code, 4)
        for k, code in enumerate(rare + [0, 1, 2] * 6 + [0] * (2 - n_rare))
    ]
    rows += [("s02", "1", k + 1, str(k), k % 4, 4) for k in range(20)]
    table = make_table(rows)
    folds = make_folds(table, within="subject", group=group, n_splits=5)
    assert_partition(folds, table, range(len(table)))
    of_first = [fold for fold in folds if fold.name.startswith("s01")]
    tested = [trial_classes(table, fold.test)[3] for fold in of_first]
    assert sorted(tested, reverse=True) == [1] * n_rare + [0] * (5 - n_rare)


# --- leave one out, ratio ------------------------------------------------------------------------


@settings(max_examples=20)  # each makes as many folds as there are groups
@given(tables(), st.sampled_from(KINDS), st.sampled_from([0.0, 0.2]))
def test_leave_one_group_out_tests_each_group_alone(table, group, validation):
    assume(n_groups(table, group) >= 3)
    folds = make_folds(table, method="leave_one_group_out", group=group, validation=validation)
    assert len(folds) == n_groups(table, group)
    assert_partition(folds, table, range(len(table)))
    for fold in folds:
        assert len(keys_of(table, fold.test, *GROUPS[group])) == 1
        assert_disjoint(fold, table, GROUPS[group])


def test_leave_one_subject_out_names_its_folds_after_the_subject():
    table = deap_table(n_subjects=5)
    folds = make_folds(table, method="leave_one_group_out", group="subject", validation=0.25)
    assert [fold.name for fold in folds] == ["s01", "s02", "s03", "s04", "s05"]
    for fold in folds:
        assert keys_of(table, fold.test, "subject") == {(fold.name,)}
        assert len(keys_of(table, fold.validation, "subject")) == 1
        assert len(keys_of(table, fold.train, "subject")) == 3


@pytest.mark.parametrize("group", ["trial", "window"])
def test_ratio_is_80_10_10(group):
    table = deap_table()
    (fold,) = make_folds(
        table, method="stratified_group_ratio", group=group, allow_leakage=group == "window"
    )
    shares = [len(rows) / len(table) for rows in fold.parts().values()]
    # 120 trials of 3 windows: one trial is 1/120 of all
    np.testing.assert_allclose(shares, [0.8, 0.1, 0.1], rtol=0, atol=1 / 120)
    rows = np.concatenate(list(fold.parts().values()))
    assert sorted(rows.tolist()) == list(range(len(table)))


# --- seeds and order -----------------------------------------------------------------------------


def same(one, other):
    return all(
        a.name == b.name
        and all(np.array_equal(x, y) for x, y in zip(*map(parts_of, (a, b)), strict=True))
        for a, b in zip(one, other, strict=True)
    )


def parts_of(fold):
    return list(fold.parts().values())


@pytest.mark.parametrize("within", [None, "subject"])
def test_the_same_seed_gives_the_same_folds_and_another_seed_others(within):
    table = deap_table()
    folds = [make_folds(table, within=within, seed=seed) for seed in (0, 0, 1)]
    assert same(folds[0], folds[1])
    assert not same(folds[0], folds[2])


def as_sets(folds, table):
    return [
        (fold.name, *(keys_of(table, rows, *TRIAL) for rows in fold.parts().values()))
        for fold in folds
    ]


@given(
    tables(), st.sampled_from(KINDS), st.sampled_from([None, "subject"]), st.sampled_from([0, 0.3])
)
def test_the_order_of_the_rows_does_not_matter(table, group, within, validation):
    """Rows, and with them subjects, may come in any order; an index may be left on them."""
    shuffled = table.sample(frac=1, random_state=len(table))
    arguments = {"group": group, "within": within, "n_splits": 2, "validation": validation}
    try:
        folds = make_folds(table, **arguments)
    except DataError:
        with pytest.raises(DataError):
            make_folds(shuffled, **arguments)
        return
    assert as_sets(make_folds(shuffled, **arguments), shuffled) == as_sets(folds, table)


def test_the_order_of_subjects_does_not_matter():
    """Each subject's folds are drawn from one stream of random numbers, in order of name."""
    table = deap_table(n_subjects=5)
    backwards = table.sort_values("subject", ascending=False, kind="stable")
    for options in ({"within": "subject"}, {"group": "subject", "n_splits": 2}, {"n_splits": 4}):
        folds, others = (make_folds(one, **options) for one in (table, backwards))
        assert as_sets(others, backwards) == as_sets(folds, table)


def test_trials_are_dealt_at_random_not_in_order():
    """Over many seeds every trial is tested about equally often in the first fold."""
    table = deap_table(n_subjects=1, n_trials=20, n_windows=1)
    tested = np.zeros(20)
    for seed in range(150):
        tested[make_folds(table, n_splits=5, validation=0, seed=seed)[0].test] += 1
    # binomial(150, 1/5) has mean 30 and standard deviation 4.9; five of them either way
    assert (np.abs(tested - 30) < 25).all()


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize("within", [None, "subject"])
@pytest.mark.parametrize("method", ["stratified_group_k_fold", "stratified_group_ratio"])
def test_random_windows_must_be_allowed_by_name(method, within):
    table = deap_table()
    with pytest.raises(LeakageError, match="allow_leakage: true"):
        make_folds(table, method=method, group="window", within=within)
    folds = make_folds(table, method=method, group="window", within=within, allow_leakage=True)
    shared = [shared_groups(fold, group_numbers(table)) for fold in folds]
    assert all(counts["trial"] for counts in shared)
    assert not any(counts["window"] for counts in shared)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_splits": 121}, "121 folds need at least 121 trials, and there are 120"),
        ({"group": "subject", "n_splits": 4}, "4 folds need at least 4 subjects.*there are 3"),
        ({"within": "subject", "n_splits": 41}, "41 trials of subject s01, and there are 40"),
        ({"group": "subject", "within": "subject", "n_splits": 2}, "there are 1"),
        ({"group": "session", "within": "subject", "n_splits": 2}, "there are 1"),
        ({"method": "leave_one_subject_out"}, "method must be one of.*'leave_one_subject_out'"),
        ({"group": "trials"}, "group must be one of.*'trials'"),
        ({"within": "session"}, "within must be one of.*'session'"),
        ({"n_splits": 1}, "n_splits must be at least 2"),
        ({"validation": 1.0}, "validation must be a fraction"),
        ({"ratios": (0.8, 0.8, 0.4)}, "add up to 1"),
        ({"ratios": (0.8, 0.2)}, "three fractions"),
    ],
)
def test_splits_that_cannot_be_are_refused(options, message):
    with pytest.raises(DataError, match=message):
        make_folds(deap_table(), **options)


def test_folds_by_stimulus_need_to_know_the_stimulus():
    table = deap_table()
    table.loc[5, "stimulus"] = ""
    with pytest.raises(DataError, match="which stimulus each trial showed"):
        make_folds(table, group="stimulus")


# --- the proof -----------------------------------------------------------------------------------


def planted(fold, first, second, rows):
    """Give the part `first` rows of the part `second` as well."""
    parts = fold.parts()
    parts[first] = np.sort(np.concatenate([parts[first], rows]))
    return Fold(fold.name, **parts)


PAIRS = [("train", "test"), ("validation", "test"), ("train", "validation")]


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_the_proof_finds_a_window_in_two_parts(first, second):
    table = deap_table()
    folds = make_folds(table, n_splits=3)
    leaky = planted(folds[1], first, second, folds[1].parts()[second][:1])
    with pytest.raises(LeakageError, match=f"fold 2 has the same window in {first} and {second}"):
        check_folds([folds[0], leaky], table, group="trial")
    with pytest.raises(LeakageError, match="the same window"):
        check_folds([leaky], table, group="window")


@pytest.mark.parametrize(("first", "second"), PAIRS)
@pytest.mark.parametrize("group", KINDS)
def test_the_proof_finds_one_moved_window_of_a_group(group, first, second):
    """A single window that changed sides cuts its trial, whatever grouping was promised."""
    table = deap_table(n_subjects=6)
    parts = make_folds(table, group=group, n_splits=2)[0].parts()
    moved, parts[second] = parts[second][:1], parts[second][1:]
    parts[first] = np.sort(np.concatenate([parts[first], moved]))
    with pytest.raises(LeakageError, match=rf"same trial in {first} and {second} \(subject s0"):
        check_folds([Fold("x", **parts)], table, group=group)


@pytest.mark.parametrize("group", ["stimulus", "session", "subject"])
def test_the_proof_finds_folds_that_only_hold_out_trials(group):
    table = deap_table()
    folds = make_folds(table, group="trial", n_splits=3)
    check_folds(folds, table, group="trial")
    with pytest.raises(LeakageError, match=f"the same {group} in train and test"):
        check_folds(folds, table, group=group)


def test_folds_are_proved_before_they_are_given_out():
    """A trial of two stimuli is cut where whole stimuli are held out: dealing cannot see that."""
    table = deap_table(n_subjects=2)
    second = np.flatnonzero(table.duplicated(["subject", "session", "trial"], keep="last"))
    table.loc[second, "stimulus"] = table.loc[second, "stimulus"] + "b"
    with pytest.raises(LeakageError, match="the same trial in"):
        make_folds(table, group="stimulus", n_splits=3)


def test_the_proof_wants_something_to_learn_and_to_test():
    table = deap_table()
    rows, none = np.arange(6), np.array([], int)
    for fold in (Fold("x", none, none, rows), Fold("x", rows, none, none)):
        with pytest.raises(DataError, match="empty training or test set"):
            check_folds([fold], table, group="trial")


def test_unknown_stimuli_are_not_taken_for_one_stimulus():
    table = deap_table().assign(stimulus="")
    folds = make_folds(table, n_splits=3)
    assert [shared_groups(fold, group_numbers(table))["stimulus"] for fold in folds] == [0, 0, 0]


@given(tables(), st.data())
def test_shared_groups_are_counted_as_sets_do(table, data):
    role = st.sampled_from(["train", "validation", "test", "none"])
    roles = np.array(data.draw(st.lists(role, min_size=len(table), max_size=len(table))))
    fold = Fold("x", *(np.flatnonzero(roles == name) for name in ("train", "validation", "test")))
    learnt = np.flatnonzero((roles == "train") | (roles == "validation"))
    shared = shared_groups(fold, group_numbers(table))
    assert shared.pop("window") == 0
    assert shared == {
        kind: len(keys_of(table, learnt, *columns) & keys_of(table, fold.test, *columns))
        for kind, columns in GROUPS.items()
    }


@given(tables(), st.sampled_from(KINDS))
def test_categories_and_strings_give_the_same_folds(table, group):
    """Window tables hold categories; ones that are not used must not make groups."""
    assume(n_groups(table, group) >= 2)
    subject = pd.Categorical(table["subject"], [f"s{k:02d}" for k in range(9)])
    other = table.assign(subject=subject, stimulus=table["stimulus"].astype("category"))
    arguments = {"group": group, "n_splits": 2, "validation": 0}
    assert as_sets(make_folds(other, **arguments), other) == as_sets(
        make_folds(table, **arguments), table
    )


# --- bundles and recordings ----------------------------------------------------------------------

HONEST = [kind for kind in KINDS if kind != "stimulus"]


def connected(table, group):
    """How many groups there are, once those that share a bundle are one."""
    parts = []
    for _, rows in table.groupby(list(GROUPS[group])):
        names = {*rows["bundle"]} - {""} | {tuple(rows[list(GROUPS[group])].iloc[0])}
        for other in [part for part in parts if part & names]:
            parts.remove(other)
            names |= other
        parts.append(names)
    return len(parts)


@given(
    tables(),
    st.sampled_from(KINDS),
    st.sampled_from(["stratified_group_k_fold", "leave_one_group_out", "stratified_group_ratio"]),
    st.sampled_from([0.0, 0.2]),
    st.data(),
)
def test_no_split_divides_a_bundle(table, group, method, validation, data):
    """Trials bundled at random, across whatever the groups are."""
    trials = table.groupby(list(TRIAL), sort=False).ngroup().to_numpy()
    names = st.sampled_from(["", "", "", "x", "y", "z"])
    n = int(trials.max()) + 1
    bundle = np.array(data.draw(st.lists(names, min_size=n, max_size=n)))[trials]
    table = table.assign(bundle=bundle)
    try:
        folds = make_folds(table, group=group, method=method, n_splits=2, validation=validation)
    except DataError:  # what is left to deal may be too little
        left = connected(table, group)
        assert left < 5
        return
    for fold in folds:
        assert_disjoint(fold, table, GROUPS[group])
        parts = [set(bundle[rows]) - {""} for rows in fold.parts().values()]
        assert sum(map(len, parts)) == len(set.union(*parts))
    if method != "stratified_group_ratio":
        assert_partition(folds, table, range(len(table)))


def test_folds_are_as_before_where_no_groups_are_bundled():
    table = deap_table(n_windows=2)
    own = table["subject"] + table["trial"].astype(str)
    plain = make_folds(table, seed=3)
    for bundle in ("", own):  # of no trial, or of each alone
        folds = make_folds(table.assign(bundle=bundle), seed=3)
        assert as_sets(folds, table) == as_sets(plain, table)
        assert [fold.name for fold in folds] == [fold.name for fold in plain]


def test_subjects_that_are_copies_are_left_out_together():
    table = deap_table(n_subjects=5, n_trials=4)
    again = table["subject"].isin(["s02", "s04"])
    table["bundle"] = np.where(again, "copies#" + table["trial"].astype(str), "")
    folds = make_folds(table, group="subject", method="leave_one_group_out", validation=0.25)
    assert [fold.name for fold in folds] == ["s01", "s02+s04", "s03", "s05"]
    both = table.iloc[folds[1].test]
    assert set(both["subject"]) == {"s02", "s04"}
    few = table[again]
    with pytest.raises(DataError, match=r"must stay together counted as one\), and there are 1"):
        make_folds(few, group="subject", n_splits=2, validation=0)
    # within a subject there is nobody to share a bundle with
    within = make_folds(table, within="subject", n_splits=2, validation=0)
    assert len(within) == 10


@pytest.mark.parametrize("group", [*HONEST, "stimulus"])
def test_a_fold_that_divides_a_bundle_is_refused(group):
    """The check does not trust the methods that make folds."""
    table = deap_table(n_subjects=4, n_trials=6)
    folds = make_folds(table, group=group, n_splits=3 if group != "session" else 4, validation=0)
    fold = folds[0]
    torn = np.zeros(len(table), bool)
    torn[[fold.train[0], fold.test[-1]]] = True
    table["bundle"] = np.where(torn, "film", "")
    with pytest.raises(LeakageError, match="the same bundle in train and test"):
        check_folds([fold], table, group=group)
    with pytest.raises(LeakageError, match="bundle"):
        check_leaks([fold], table)


def test_merging_that_is_broken_is_noticed(monkeypatch):
    table = deap_table().assign(bundle=lambda table: "film" + (table["trial"] // 2).astype(str))
    assert make_folds(table, validation=0)
    monkeypatch.setattr(
        "eegemo.splits.methods.merge_bundled", lambda groups, names, bundles: (groups, names)
    )
    with pytest.raises(LeakageError, match="bundle"):
        make_folds(table, validation=0)


@pytest.mark.parametrize("group", ["window", "segment"])
def test_splits_that_leak_know_no_bundles(group):
    table = deap_table(n_windows=6).assign(bundle="all")
    table["start"] = table.groupby(list(TRIAL)).cumcount().astype(float)
    table["stop"] = table["start"] + 1
    assert make_folds(table, group=group, allow_leakage=True, validation=0)


def test_a_recording_is_never_divided_and_names_its_folds():
    rows = [
        (subject, "1", run, 10 * int(run) + k, "", k % 2)
        for subject in ("01", "02")
        for run in ("1", "2", "10")
        for k in range(4)
    ]
    columns = ["subject", "session", "run", "trial", "stimulus", "code"]
    table = pd.DataFrame(rows, columns=columns)
    folds = make_folds(table, group="run", method="leave_one_group_out", validation=0.2)
    assert sorted(fold.name for fold in folds) == [
        f"{subject}/{run}" for subject in ("01", "02") for run in ("1", "10", "2")
    ]
    for fold in folds:
        assert_disjoint(fold, table, ["subject", "session", "run"])
    within = make_folds(table, group="run", within="subject", n_splits=3, validation=0)
    assert len(within) == 6
    sentence = describe_split(within, table, group="run", within="subject")
    assert "Windows are split by recording" in sentence
    # without a column, a session is one recording
    plain = table.drop(columns="run")
    assert len(make_folds(plain, group="run", n_splits=2, validation=0)) == 2
    fold = Fold("x", np.array([0]), np.array([], int), np.array([1]), group="run")
    with pytest.raises(LeakageError, match="the same run in train and test"):
        check_leaks([fold], table)


# --- in words ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"group": "window", "allow_leakage": True}, "not an emotion"),
        ({"group": "trial"}, "share subjects and stimuli, never a trial"),
        ({"group": "trial", "within": "subject"}, "One model per subject.*share subjects"),
        ({"group": "stimulus"}, "Windows are split by stimulus: .*share subjects, never a trial"),
        ({"group": "subject"}, "Windows are split by subject: .*share stimuli, never a trial"),
    ],
)
def test_the_sentence_says_what_training_and_test_share(options, says):
    table = deap_table()
    folds = make_folds(table, n_splits=3, validation=0, **options)
    sentence = describe_split(folds, table, group=options["group"], within=options.get("within"))
    assert pd.Series([sentence]).str.contains(says, regex=True).all(), sentence
