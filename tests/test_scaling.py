"""Scaling against scikit-learn, and proof that it sees nothing outside the training windows."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from eegemo.errors import DataError
from eegemo.scaling import Scaling, fit_scaling, load_scaling
from eegemo.windows import make_windows
from helpers import make_labels_of, make_test_windows, make_trials

# Windows, gains and offsets are single precision (1.2e-7 of the value). Scaled values lie within
# about 10, so three roundings stay well below 1e-5; scikit-learn works in double precision.
ATOL = 1e-5

ORACLES = {"zscore": StandardScaler, "minmax": MinMaxScaler}
STEPS = [(), ("zscore",), ("minmax",), ("zscore", "minmax"), ("minmax", "zscore")]


def sklearn_scaled(x, reference, steps):
    """Scale windows as scikit-learn does, fitted on the reference windows."""
    n_channels = x.shape[-1]
    flat = x.reshape(-1, n_channels).astype(float)
    fitted_on = reference.reshape(-1, n_channels).astype(float)
    for step in steps:
        scaler = ORACLES[step]().fit(fitted_on)
        flat, fitted_on = scaler.transform(flat), scaler.transform(fitted_on)
    return flat.reshape(x.shape)


def everything(windows):
    return np.arange(len(windows))


def scaled(scaling, windows, rows):
    unit = scaling.unit_of(windows)
    return scaling.transform(windows.gather(rows), None if unit is None else unit[rows])


def with_signals(windows, change):
    """Return the same windows into changed copies of the trials."""
    arrays = tuple(array.copy() for array in windows.trials.arrays)
    trials = replace(windows.trials, arrays=arrays)
    change(trials)
    return replace(windows, trials=trials)


# --- against scikit-learn ------------------------------------------------------------------------


@given(st.data())
def test_fitted_on_training_is_scikit_learn_on_gathered_training_windows(data):
    """Also where windows overlap, leave gaps, or are only some of a trial's."""
    stride = data.draw(st.sampled_from([0.25, 0.5, 1.0, 1.5]))
    windows = make_test_windows(stride=stride, seed=data.draw(st.integers(0, 9)))
    train = data.draw(
        st.lists(st.integers(0, len(windows) - 1), min_size=1, unique=True).map(np.array)
    )
    steps = data.draw(st.sampled_from(STEPS))
    x = windows.gather(everything(windows))
    scaling = fit_scaling(windows, train, steps=steps)
    result = scaled(scaling, windows, everything(windows))
    assert result.dtype == np.float32
    # fitted on a single window, others may lie ten times further out
    np.testing.assert_allclose(result, sklearn_scaled(x, x[train], steps), rtol=0, atol=ATOL * 10)


@pytest.mark.parametrize("steps", STEPS)
def test_each_window_by_itself(steps):
    windows = make_test_windows()
    x = windows.gather(everything(windows))
    expected = [sklearn_scaled(one, one, steps) for one in x]
    scaling = fit_scaling(windows, np.array([0]), steps=steps, fit="window")
    np.testing.assert_allclose(scaling.transform(x), expected, rtol=0, atol=ATOL)


@pytest.mark.parametrize("steps", STEPS)
def test_each_trial_by_its_own_windows(steps):
    windows = make_test_windows()
    x = windows.gather(everything(windows))
    scaling = fit_scaling(windows, np.array([0]), steps=steps, fit="trial")
    result = scaled(scaling, windows, everything(windows))
    for trial in np.unique(windows.trial):
        own = windows.trial == trial
        np.testing.assert_allclose(
            result[own], sklearn_scaled(x[own], x[own], steps), rtol=0, atol=ATOL
        )


@pytest.mark.parametrize("steps", STEPS)
def test_each_subject_by_its_own_training_windows(steps):
    windows = make_test_windows(sizes=(3, 3))
    subject = windows.table["subject"].to_numpy()
    train = everything(windows)[::2]
    x = windows.gather(everything(windows))
    scaling = fit_scaling(windows, train, steps=steps, fit="subject")
    assert scaling.own == ()
    result = scaled(scaling, windows, everything(windows))
    for name in ("s01", "s02"):
        mine = subject == name
        expected = sklearn_scaled(x[mine], x[train[mine[train]]], steps)
        np.testing.assert_allclose(result[mine], expected, rtol=0, atol=ATOL)


def test_a_subject_held_out_whole_is_scaled_by_its_own_windows_and_named():
    windows = make_test_windows(sizes=(3, 2))
    subject = windows.table["subject"].to_numpy()
    train, rest = np.flatnonzero(subject == "s01"), np.flatnonzero(subject == "s02")
    scaling = fit_scaling(windows, train, steps=["zscore"], fit="subject")
    assert scaling.own == ("s02",)
    x = windows.gather(rest)
    np.testing.assert_allclose(
        scaled(scaling, windows, rest), sklearn_scaled(x, x, ["zscore"]), rtol=0, atol=ATOL
    )


# --- relations -----------------------------------------------------------------------------------


@pytest.mark.parametrize("fit", ["training", "subject", "trial", "window"])
def test_minmax_after_zscore_is_minmax(fit):
    windows = make_test_windows()
    train = everything(windows)[:10]
    both = fit_scaling(windows, train, steps=["zscore", "minmax"], fit=fit)
    alone = fit_scaling(windows, train, steps=["minmax"], fit=fit)
    np.testing.assert_allclose(
        scaled(both, windows, everything(windows)),
        scaled(alone, windows, everything(windows)),
        rtol=0,
        atol=ATOL,
    )


@given(st.floats(1e-7, 1e3), st.floats(-10, 10), st.sampled_from(STEPS[1:]))
def test_unit_and_offset_of_the_signal_do_not_matter(factor, shift, steps):
    windows = make_test_windows()

    def change(trials):
        for array in trials.arrays:
            array *= factor
            array += shift * factor * 1e-5

    other = with_signals(windows, change)
    train = everything(windows)[:8]
    # the shift, of 10 standard deviations at most, costs a digit in single precision
    np.testing.assert_allclose(
        scaled(fit_scaling(windows, train, steps=steps), windows, train),
        scaled(fit_scaling(other, train, steps=steps), other, train),
        rtol=0,
        atol=ATOL * 10,
    )


def test_a_large_direct_current_offset_does_not_spoil_the_spread():
    """1 mV offset, 10 µV signal: amplifiers without a high-pass give more than this."""
    windows = make_test_windows()

    def lift(trials):
        for array in trials.arrays:
            array += 1e-3

    lifted = with_signals(windows, lift)
    result = scaled(
        fit_scaling(lifted, everything(lifted), steps=["zscore"]), lifted, everything(lifted)
    )
    # 100 standard deviations of offset in single precision leave 100 * 1.2e-7 of a deviation, a
    # few times over
    assert abs(result.mean()) < 1e-4
    assert abs(result.std() - 1) < 1e-4


@given(
    st.sampled_from([0.0, 0.1, -6.486887400569685e-07, 0.0007148085278458893])
    | st.floats(-1, 1, width=32),
    st.sampled_from(STEPS[1:]),
    st.sampled_from(["training", "subject", "trial", "window"]),
)
def test_a_constant_channel_is_shifted_to_zero_and_not_stretched(constant, steps, fit):
    def flatten(trials):
        for array in trials.arrays:
            array[:, :, 1] = constant

    # many samples, since it is their sums that rounding spoils
    windows = with_signals(make_test_windows(sizes=(6, 5), n_times=2000), flatten)
    scaling = fit_scaling(windows, everything(windows), steps=steps, fit=fit)
    result = scaled(scaling, windows, everything(windows))
    assert np.isfinite(result).all()
    # rounding of the mean, in volts; stretched by its spread the channel would be about 1
    np.testing.assert_allclose(result[..., 1], 0.0, rtol=0, atol=1e-6)


def test_the_order_of_training_windows_does_not_matter():
    windows = make_test_windows()
    train = everything(windows)[3:17]
    one, other = (fit_scaling(windows, rows) for rows in (train, train[::-1]))
    np.testing.assert_array_equal(one.gain, other.gain)
    np.testing.assert_array_equal(one.offset, other.offset)


# --- nothing but training ------------------------------------------------------------------------


@given(st.data(), st.sampled_from([np.nan, np.inf, 1e30, -1e30]))
def test_nothing_outside_the_training_windows_is_looked_at(data, poison):
    """Every sample that no training window covers is poisoned, in training trials too."""
    windows = make_test_windows(stride=data.draw(st.sampled_from([0.5, 1.5])))
    train = data.draw(
        st.lists(st.integers(0, len(windows) - 1), min_size=1, unique=True).map(np.array)
    )
    steps = data.draw(st.sampled_from(STEPS))

    def poison_the_rest(trials):
        clean = [array.copy() for array in trials.arrays]
        for array in trials.arrays:
            array[:] = poison
        recording, row = trials.position
        for k in train:
            trial, first = windows.trial[k], windows.first[k]
            part = slice(first, first + windows.n_times)
            where = recording[trial], row[trial], part
            trials.arrays[where[0]][where[1:]] = clean[where[0]][where[1:]]

    poisoned = with_signals(windows, poison_the_rest)
    expected, result = (fit_scaling(one, train, steps=steps) for one in (windows, poisoned))
    np.testing.assert_array_equal(result.gain, expected.gain)
    np.testing.assert_array_equal(result.offset, expected.offset)


def test_the_class_of_a_window_is_not_looked_at():
    windows = make_test_windows()
    other = replace(windows, labels=make_labels_of(1 - windows.labels.codes))
    for fit in ("training", "subject", "trial", "window"):
        one, two = (fit_scaling(w, np.arange(5), fit=fit) for w in (windows, other))
        np.testing.assert_array_equal(one.gain, two.gain)
        np.testing.assert_array_equal(one.offset, two.offset)


def test_fits_of_other_folds_leave_no_trace():
    """Moments of whole trials are remembered between folds; they must not change a fit."""
    windows = make_test_windows(sizes=(4, 4))
    rng = np.random.default_rng(0)
    some = [np.sort(rng.choice(len(windows), 30, replace=False)) for _ in range(5)]
    for fit in ("training", "subject", "trial"):
        for train in (some[0], everything(windows), *some[1:], everything(windows)[:40]):
            fresh = fit_scaling(make_test_windows(sizes=(4, 4)), train, fit=fit)
            used = fit_scaling(windows, train, fit=fit)
            np.testing.assert_array_equal(used.gain, fresh.gain)
            np.testing.assert_array_equal(used.offset, fresh.offset)


# --- trials without a class ----------------------------------------------------------------------


@pytest.mark.parametrize("fit", ["training", "subject", "trial", "window"])
def test_trials_without_a_class_are_no_obstacle(fit):
    """They have no windows, so nobody asks how to scale them: one trial, and a whole subject."""
    windows = make_test_windows(sizes=(3, 2), codes=[0, -1, 1, -1, -1])
    x = windows.gather(everything(windows))
    scaling = fit_scaling(windows, everything(windows), fit=fit)
    result = scaled(scaling, windows, everything(windows))
    assert np.isfinite(result).all()
    if fit == "trial":
        expected = [
            sklearn_scaled(x[windows.trial == t], x[windows.trial == t], ["minmax"]) for t in (0, 2)
        ]
        np.testing.assert_allclose(result, np.concatenate(expected), rtol=0, atol=ATOL)


# --- kept and read again -------------------------------------------------------------------------


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("fit", ["training", "subject", "trial", "window"])
@pytest.mark.parametrize("name", ["scaling.npz", "scaling"])
def test_what_is_saved_reads_back_the_same(steps, fit, name, tmp_path):
    windows = make_test_windows()
    scaling = fit_scaling(windows, np.arange(5), steps=steps, fit=fit)
    scaling.save(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    again = load_scaling(tmp_path / name)
    assert (again.steps, again.fit, again.units, again.own) == (
        scaling.steps,
        scaling.fit,
        scaling.units,
        scaling.own,
    )
    rows = everything(windows)
    np.testing.assert_array_equal(scaled(again, windows, rows), scaled(scaling, windows, rows))


def test_per_subject_scaling_refuses_a_subject_it_does_not_know():
    windows = make_test_windows(sizes=(2,))
    scaling = fit_scaling(windows, everything(windows), fit="subject")
    more = make_test_windows(sizes=(2, 2))
    with pytest.raises(DataError, match="s02 was not among them"):
        scaling.unit_of(more)


def test_per_subject_scaling_asks_which_subject():
    windows = make_test_windows(sizes=(2, 2))
    scaling = fit_scaling(windows, everything(windows), fit="subject")
    with pytest.raises(DataError, match="say which one each window belongs to"):
        scaling.transform(windows.gather(np.arange(2)))


@pytest.mark.parametrize("fit", ["training", "subject", "trial", "window"])
def test_an_unknown_step_is_refused(fit):
    windows = make_test_windows()
    with pytest.raises(DataError, match="'zscore' and 'minmax'; found 'robust'"):
        fit_scaling(windows, np.arange(5), steps=["robust"], fit=fit)


def test_wrong_arguments_are_refused():
    windows = make_test_windows()
    with pytest.raises(DataError, match=r"fit must be.*'fold'"):
        fit_scaling(windows, np.arange(5), fit="fold")
    with pytest.raises(DataError, match="no training windows"):
        fit_scaling(windows, np.array([], int))


@pytest.mark.parametrize("fit", ["training", "subject", "window"])
def test_scaling_in_place_gives_the_same_and_only_when_asked(fit):
    windows = make_test_windows()
    scaling = fit_scaling(windows, everything(windows), fit=fit)
    unit, x = scaling.unit_of(windows), windows.gather(everything(windows))
    before = x.copy()
    expected = scaling.transform(x, unit)
    np.testing.assert_array_equal(x, before)
    assert np.shares_memory(scaling.transform(x, unit, overwrite=True), x)
    np.testing.assert_array_equal(x, expected)


def test_no_steps_change_nothing():
    windows = make_windows(make_trials(), make_labels_of([0] * 5), duration=1.0, stride=1.0)
    scaling = fit_scaling(windows, np.arange(3), steps=[])
    assert isinstance(scaling, Scaling)
    x = windows.gather(everything(windows))
    np.testing.assert_array_equal(scaling.transform(x), x)


@pytest.mark.parametrize("fit", ["training", "subject", "window"])
def test_no_windows_are_scaled_to_none(fit):
    windows = make_test_windows()
    scaling = fit_scaling(windows, np.arange(4), fit=fit)
    unit = scaling.unit_of(windows)
    empty = windows.gather(np.arange(0))
    assert scaling.transform(empty, None if unit is None else unit[:0]).shape == empty.shape
