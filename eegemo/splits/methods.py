"""Methods that make cross-validation folds.

A split is made over *groups* (trials, subjects, stimuli, sessions) and then expanded to windows, so
no group is divided. Two groups divide trials, ``"window"`` and ``"segment"``. They exist because
much of the literature used them. They must be allowed explicitly, and their reports are marked.

One algorithm serves k folds, ratios and validation sets: groups are dealt to parts of given
fractions. Each part gets as close as possible to its fraction of every class (stratified) and of
all windows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import numpy as np
from annotated_types import Ge, MaxLen, MinLen

from eegemo.errors import DataError, LeakageError
from eegemo.registry.options import NOT_IN_FILE, Fraction
from eegemo.splits.bundles import merge_bundled
from eegemo.splits.design import default_group
from eegemo.splits.fold import LEAKING, Fold, Group, check_folds, columns_of
from eegemo.splits.segments import cut_trials

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["deal_groups", "make_folds", "make_repeats", "split_seed"]

Method = Literal["stratified_group_k_fold", "stratified_group_ratio", "leave_one_group_out"]


def make_folds(
    table: pd.DataFrame,
    *,
    method: Method = "stratified_group_k_fold",
    group: Group | None = None,
    within: Literal["subject"] | None = None,
    n_splits: Annotated[int, Ge(2)] = 5,
    ratios: Annotated[Sequence[Fraction], MinLen(3), MaxLen(3)] = (0.8, 0.1, 0.1),
    validation: Fraction = 0.2,
    allow_leakage: bool = False,
    seed: Annotated[int, NOT_IN_FILE] = 0,
) -> list[Fold]:
    """Divide windows into training, validation and test sets.

    Parameters
    ----------
    table : DataFrame, one row per window
        With the columns ``subject``, ``session``, ``trial``, ``stimulus`` and ``code`` (the class,
        an integer from 0), and ``start`` and ``stop`` (seconds) for ``group="segment"``. A column
        ``run`` tells recordings of a session apart. Trials with the same ``bundle`` (not ``""``)
        stay together, whatever the group, unless that leaks.
    method : {"stratified_group_k_fold", "stratified_group_ratio", "leave_one_group_out"}
        Test every group once, in `n_splits` folds; make a single fold with the given `ratios`; or
        make one fold per group.
    group : {"trial", "stimulus", "run", "session", "subject", "window", "segment"}, optional
        What is never divided between training, validation and test sets; a `run` is a whole
        recording. `null` takes the trial, or the whole recording (session, person) where the class
        never changes within one. `window` splits trials at random and `segment` splits each trial
        in time: both leak.
    within : {"subject"}, optional
        Make the folds of each subject separately, with one model per subject and fold.
    n_splits : int
        Number of folds, of each subject with `within`. Only for `stratified_group_k_fold`.
    ratios : sequence of 3 floats
        Fractions of training, validation and test sets, which add up to 1. Only for
        `stratified_group_ratio`.
    validation : float
        Fraction of the training set held out for validation, split by the same groups; 0 for none.
        Not for `stratified_group_ratio`.
    allow_leakage : bool
        Must be `true` for the groups `window` and `segment`, which leak, and for `trial` where the
        class never changes within a recording. The report is marked.
    seed : int
        Seed of the random order in which groups are dealt.

    Returns
    -------
    folds : list of Fold

    Raises
    ------
    DataError
        If there are fewer groups than sets, a column is empty, or an argument is not one of those
        above.
    LeakageError
        If `group` leaks without `allow_leakage`, or if the folds leak.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"trial": np.repeat(np.arange(6), 2), "code": [0, 0, 1, 1] * 3})
    >>> table = table.assign(subject="s01", session="1", stimulus="")
    >>> folds = make_folds(table, n_splits=3, validation=0)
    >>> [len(fold.test) for fold in folds]
    [4, 4, 4]
    >>> sorted(np.concatenate([fold.test for fold in folds]).tolist()) == list(range(12))
    True
    """
    if group is None:
        group = default_group(table)
    _check_arguments(method, group, within, n_splits, ratios, validation)
    if group in LEAKING and not allow_leakage:
        raise LeakageError(
            f"split: group {group!r} puts windows of one trial into both training and test, so the "
            "score is not evidence. Set allow_leakage: true to run it all the same; its report is "
            "marked."
        )
    if group in LEAKING and method == "leave_one_group_out":
        raise DataError(f"split: leaving out one {group} at a time is not offered.")
    rng = np.random.default_rng(seed)
    codes = table["code"].to_numpy()
    folds: list[Fold] = []
    for scope, rows in _scopes(table, within):
        if group == "segment":
            ratio = method == "stratified_group_ratio"
            shares = list(ratios) if ratio else [1 / n_splits] * n_splits
            for cut in cut_trials(
                table.iloc[rows], shares, rotate=not ratio, validation=validation
            ):
                train, held, test = (rows[part] for part in cut.parts().values())
                name = "-".join(filter(None, (scope, cut.name)))
                folds.append(Fold(name, train, held, test, group=group))
            continue
        part = table.iloc[rows]
        groups, names = _groups(part, group)
        where = _where(group, scope)
        if group not in LEAKING and "bundle" in table:
            n_before = len(names)
            groups, names = merge_bundled(groups, names, part["bundle"])
            if len(names) < n_before:
                where += " (those whose trials must stay together counted as one)"
        counts = _class_counts(groups, codes[rows], len(names), int(codes.max()) + 1)
        for name, *divided in _divide(
            method, names, counts, n_splits, ratios, validation, rng, where
        ):
            train, held, test = (rows[np.isin(groups, part)] for part in divided)
            name = "-".join(filter(None, (scope, name)))
            folds.append(Fold(name, train, held, test, group=group))
    check_folds(folds, table, group=group)
    return folds


def split_seed(seed: int, repeat: int) -> int:
    """Return the seed of the split of a repeat; the first repeat uses `seed` itself."""
    if repeat == 0:
        return seed
    return int(np.random.SeedSequence([seed, repeat]).generate_state(1)[0] >> 1)


def make_repeats(
    table: pd.DataFrame, *, repeats: int = 1, seed: int = 0, **split: Any
) -> list[Fold]:
    """Make the folds of several repeats, each with its own seed.

    Parameters
    ----------
    table : DataFrame, one row per window
        As for `make_folds`.
    repeats : int
        Number of repeats.
    seed : int
        Seed of the first repeat; `split_seed` gives those of the others.
    **split
        Further arguments of `make_folds`.

    Returns
    -------
    folds : list of Fold
        The folds of the first repeat, named as in `make_folds`, then those of the others, named
        ``"r2-..."``, ``"r3-..."``.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"trial": np.arange(8), "code": [0, 1] * 4})
    >>> table = table.assign(subject="s01", session="1", stimulus="")
    >>> folds = make_repeats(table, repeats=2, n_splits=2, validation=0)
    >>> [(fold.name, fold.repeat) for fold in folds]
    [('1', 0), ('2', 0), ('r2-1', 1), ('r2-2', 1)]
    """
    if repeats < 1:
        raise DataError(f"repeats must be at least 1; found {repeats}.")
    return [
        replace(fold, name=f"r{repeat + 1}-{fold.name}" if repeat else fold.name, repeat=repeat)
        for repeat in range(repeats)
        for fold in make_folds(table, **split, seed=split_seed(seed, repeat))
    ]


def _check_arguments(
    method: str,
    group: str,
    within: str | None,
    n_splits: int,
    ratios: Sequence[float],
    validation: float,
) -> None:
    # a mistyped method must not pass for another: the meaning of a score depends on the split
    for name, found, known in (
        ("method", method, get_args(Method)),
        ("group", group, get_args(Group)),
        ("within", within, ("subject", None)),
    ):
        if found not in known:
            raise DataError(
                f"split: {name} must be one of {', '.join(map(str, known))}; found {found!r}."
            )
    if method == "stratified_group_k_fold" and n_splits < 2:
        raise DataError(f"split: n_splits must be at least 2; found {n_splits}.")
    if len(ratios) != 3 or min(ratios) < 0 or abs(sum(ratios) - 1) > 1e-9:
        raise DataError(f"split: ratios must be three fractions that add up to 1; found {ratios}.")
    if not 0 <= validation < 1:
        raise DataError(
            f"split: validation must be a fraction from 0 to below 1; found {validation}."
        )


def _scopes(table: pd.DataFrame, within: Literal["subject"] | None) -> list[tuple[str, np.ndarray]]:
    if within is None:
        return [("", np.arange(len(table)))]
    import pandas as pd

    numbers, subjects = pd.factorize(table["subject"], sort=True)
    return [(str(name), np.flatnonzero(numbers == k)) for k, name in enumerate(subjects)]


def _where(group: str, scope: str) -> str:
    several = "recordings" if group == "run" else f"{group}s"
    return f"{several} of subject {scope}" if scope else several


def _unknown_stimuli(table: pd.DataFrame) -> str:
    trials = table.drop_duplicates(["subject", "session", "trial"])
    unknown = trials[trials["stimulus"] == ""]
    needs = "split: group 'stimulus' needs to know which stimulus each trial showed, and"
    if len(unknown) == len(trials):
        return f"{needs} this data does not say (no stim_file or stimulus column in events.tsv)."
    named = [
        f"subject {row.subject}, session {row.session}, trial {row.trial}"
        for row in unknown.head(3).itertuples()
    ]
    more = f"; and {len(unknown) - 3} more" if len(unknown) > 3 else ""
    return (
        f"{needs} {len(unknown)} of {len(trials)} trials do not say it: {'; '.join(named)}{more}. "
        "Write it into the table, or leave these trials out by data.exclude."
    )


def _groups(table: pd.DataFrame, group: str) -> tuple[np.ndarray, list[str]]:
    """Return the group number of each row and the groups' names."""
    if group == "window":
        return np.arange(len(table)), [str(row) for row in range(len(table))]
    columns = columns_of(group, table)
    if group == "stimulus" and (table["stimulus"] == "").any():
        raise DataError(_unknown_stimuli(table))
    numbers = table.groupby(columns, sort=True, observed=True).ngroup().to_numpy()
    first = np.unique(numbers, return_index=True)[1]
    # a part of the key that never changes does not help to name folds
    telling = [column for column in columns if len(table[column].unique()) > 1]
    keys = table.iloc[first][telling or columns]
    names = [
        "/".join(map(str, key)) for key in zip(*(keys[column] for column in keys), strict=True)
    ]
    return numbers, names


def _class_counts(
    groups: np.ndarray, codes: np.ndarray, n_groups: int, n_classes: int
) -> np.ndarray:
    flat = np.bincount(groups * n_classes + codes, minlength=n_groups * n_classes)
    return flat.reshape(n_groups, n_classes)


def _divide(
    method: str,
    names: list[str],
    counts: np.ndarray,
    n_splits: int,
    ratios: Sequence[float],
    validation: float,
    rng: np.random.Generator,
    where: str,
) -> list[tuple[str, np.ndarray, np.ndarray, np.ndarray]]:
    """Divide groups; return the name of each fold and the group numbers of its three sets."""
    n_groups = len(counts)
    if method == "stratified_group_ratio":
        _enough(n_groups, int(np.count_nonzero(ratios)), "parts", where)
        part = deal_groups(counts, ratios, rng)
        return [("1", *(np.flatnonzero(part == role) for role in range(3)))]  # type: ignore[list-item]
    if method == "leave_one_group_out":
        _enough(n_groups, 2 + (validation > 0), "groups", where)
        test_part, fold_names = np.arange(n_groups), names
    else:
        _enough(n_groups, n_splits, "folds", where)
        test_part = deal_groups(counts, np.full(n_splits, 1 / n_splits), rng)
        fold_names = [str(k + 1) for k in range(n_splits)]
    divided = []
    for k, name in enumerate(fold_names):
        rest = np.flatnonzero(test_part != k)
        if validation > 0:
            _enough(len(rest), 2, "parts (training and validation)", where)
            aside = deal_groups(counts[rest], (1 - validation, validation), rng) == 1
        else:
            aside = np.zeros(len(rest), bool)
        divided.append((name, rest[~aside], rest[aside], np.flatnonzero(test_part == k)))
    return divided


def _enough(n_groups: int, n_parts: int, parts: str, where: str) -> None:
    if n_groups < n_parts:
        raise DataError(
            f"split: {n_parts} {parts} need at least {n_parts} {where}, and there are {n_groups}. "
            "Use fewer folds, or more data."
        )


def deal_groups(
    counts: np.ndarray, shares: Sequence[float] | np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Deal groups to parts, keeping each part near its fraction of every class and of the total.

    Groups with equal class counts are dealt together, the largest first, otherwise in random order.
    Each part gets as many of them, in whole numbers, as it lags behind its fraction of those
    classes. The rest goes where the lag in classes and in total is greatest; ties are broken at
    random. Groups of one class and one size (trials) are thus balanced to within one group per
    class. (scikit-learn's ``StratifiedGroupKFold`` also deals groups greedily, the largest first;
    dealing equal groups jointly, and to parts of different fractions, is ours.)

    Parameters
    ----------
    counts : ndarray of int, shape (n_groups, n_classes)
        Windows (or trials) of each class in each group.
    shares : sequence of float, shape (n_parts,)
        Desired fraction of each part; they add up to 1. A part with a fraction above 0 gets at
        least one group.
    rng : numpy.random.Generator
        Source of the random order.

    Returns
    -------
    part : ndarray of int, shape (n_groups,)
        The part of each group.

    Examples
    --------
    >>> counts = np.repeat([[10, 0], [0, 10]], 4, axis=0)  # 4 groups of each class
    >>> part = deal_groups(counts, [0.5, 0.5], np.random.default_rng(0))
    >>> [int(counts[part == k].sum(axis=0)[code]) for k in (0, 1) for code in (0, 1)]
    [20, 20, 20, 20]
    """
    n_groups, n_classes = counts.shape
    wanted = np.asarray(shares, float)
    open_parts = wanted > 0
    shares = np.where(open_parts, np.maximum(wanted, 1 / n_groups), 0.0)
    shares[np.argmax(shares)] -= shares.sum() - 1

    kinds, kind_of_group = np.unique(counts, axis=0, return_inverse=True)
    kind_of_group = kind_of_group.ravel()
    members = rng.permutation(n_groups)
    members = members[np.argsort(kind_of_group[members], kind="stable")]
    bounds = np.searchsorted(kind_of_group[members], np.arange(len(kinds) + 1))
    order = rng.permutation(len(kinds))
    order = order[np.argsort(-kinds[order].sum(axis=1), kind="stable")]

    dealt = np.zeros((len(shares), n_classes))
    seen = np.zeros(n_classes)
    part = np.empty(n_groups, np.int64)
    for kind in order:
        same = members[bounds[kind] : bounds[kind + 1]]
        row = kinds[kind].astype(float)
        size = max(row.sum(), 1.0)
        seen += len(same) * row
        class_lag = (shares[:, None] * seen - dealt) @ row / max(row @ row, 1.0)
        total_lag = (shares * seen.sum() - dealt.sum(axis=1)) / size
        number = _whole_numbers(class_lag, total_lag, len(same), open_parts, rng)
        part[same] = rng.permutation(np.repeat(np.arange(len(shares)), number))
        dealt += number[:, None] * row
    _fill_empty(part, counts.sum(axis=1), open_parts)
    return part


def _whole_numbers(
    class_lag: np.ndarray,
    total_lag: np.ndarray,
    n: int,
    open_parts: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Round the lags to whole numbers of groups that add up to `n`."""
    number = np.where(open_parts, np.maximum(np.floor(class_lag + 1e-9), 0), 0).astype(np.int64)
    step = 1 if number.sum() < n else -1
    while number.sum() != n:
        lag = step * (class_lag + total_lag - 2 * number)
        lag[~open_parts if step > 0 else number == 0] = -np.inf
        number[rng.choice(np.flatnonzero(lag >= lag.max() - 1e-9))] += step
    return number


def _fill_empty(part: np.ndarray, size: np.ndarray, open_parts: np.ndarray) -> None:
    """Give every open part at least one group: the smallest of the part with the most groups."""
    for empty in np.flatnonzero(open_parts & (np.bincount(part, minlength=len(open_parts)) == 0)):
        donor = np.bincount(part).argmax()
        members = np.flatnonzero(part == donor)
        part[members[np.argmin(size[members])]] = empty
