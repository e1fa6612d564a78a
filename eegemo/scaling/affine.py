"""Z-score and min-max scaling, as one affine map per channel.

For any sequence of steps the result is ``x * gain + offset``, with one gain and one offset per
channel. (So min-max after z-score equals min-max alone; the study this project starts from names
both.)

Statistics are those of the windows the scaling is fitted on: a sample in three training windows
counts three times, a sample in none does not count. They are computed from trials and the number of
windows that cover each sample, without copying windows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from eegemo.errors import DataError
from eegemo.formats.archives import load_arrays
from eegemo.store import atomic_file
from eegemo.windows import Windows

__all__ = ["Moments", "Scaling", "fit_scaling", "load_scaling"]

Step = Literal["zscore", "minmax"]
Fit = Literal["training", "subject", "trial", "window"]


@dataclass(frozen=True)
class Moments:
    """Sums, extremes and number of samples per channel, from which scaling is fitted.

    Attributes
    ----------
    n : ndarray, shape (n_units,)
        Number of samples, each counted once per window that covers it.
    total, squares : ndarray, shape (n_units, n_channels)
        Sum and sum of squares.
    low, high : ndarray, shape (n_units, n_channels)
        Minimum and maximum.
    """

    n: np.ndarray
    total: np.ndarray
    squares: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def pooled(self, unit: np.ndarray, n_units: int) -> "Moments":
        """Merge rows that belong to the same unit; rows without samples do not count."""
        used = np.flatnonzero(self.n > 0)
        shape = (n_units, self.total.shape[1])
        n = np.bincount(unit[used], weights=self.n[used], minlength=n_units)
        total, squares = np.zeros(shape), np.zeros(shape)
        low, high = np.full(shape, np.inf), np.full(shape, -np.inf)
        np.add.at(total, unit[used], self.total[used])
        np.add.at(squares, unit[used], self.squares[used])
        np.minimum.at(low, unit[used], self.low[used])
        np.maximum.at(high, unit[used], self.high[used])
        return Moments(n, total, squares, low, high)

    def affine(self, steps: Sequence[Step]) -> tuple[np.ndarray, np.ndarray]:
        """Return gain and offset of the steps in order, each of shape (n_units, n_channels).

        A constant channel is centred but not scaled, as in scikit-learn.
        """
        mean = self.total / self.n[:, None]
        spread = np.sqrt(np.maximum(self.squares / self.n[:, None] - mean**2, 0))
        # rounding leaves a constant channel, and one that single precision cannot resolve, a spread
        # of about 1e-7 of its mean
        spread[(self.high == self.low) | (spread <= 1e-7 * np.abs(mean))] = 0
        gain, offset = np.ones_like(mean), np.zeros_like(mean)
        for step in steps:
            if step == "zscore":
                width, zero = gain * spread, gain * mean + offset
            elif step == "minmax":
                width, zero = gain * (self.high - self.low), gain * self.low + offset
            else:
                raise DataError(f"scaling: steps are 'zscore' and 'minmax'; found {step!r}.")
            width = np.where(width > 0, width, 1.0)
            gain, offset = gain / width, (offset - zero) / width
        return gain, offset


@dataclass(frozen=True)
class Scaling:
    """A fitted scaling: one affine map per unit and channel.

    Attributes
    ----------
    steps : tuple of str
    fit : {"training", "subject", "trial", "window"}
    units : tuple of str
        Names of the rows of `gain` and `offset`: ``""`` for all windows, subjects, or trials as
        ``subject/session/trial``. Empty for ``fit="window"``, where nothing is kept.
    gain, offset : ndarray of float32, shape (n_units, n_channels)
        In 1/volt, and without unit.
    own : tuple of str
        Units without a training window, scaled by their own windows (without labels): the held-out
        subjects, for ``fit="subject"``.
    """

    steps: tuple[Step, ...]
    fit: Fit
    units: tuple[str, ...]
    gain: np.ndarray
    offset: np.ndarray
    own: tuple[str, ...] = ()

    def transform(
        self, x: np.ndarray, unit: np.ndarray | None = None, *, overwrite: bool = False
    ) -> np.ndarray:
        """Scale windows.

        Parameters
        ----------
        x : ndarray, shape (n, n_times, n_channels)
            Volts.
        unit : ndarray of int, shape (n,), optional
            Row of `gain` for each window, from `unit_of`; not needed with a single unit.
        overwrite : bool
            Write the result into `x`, which is several times faster for a batch.

        Returns
        -------
        x : ndarray of float32, shape (n, n_times, n_channels)
        """
        if not self.steps:
            return np.asarray(x, np.float32)
        if self.fit == "window":
            gain, offset = _of_each_window(x, self.steps)
        elif unit is None:
            if len(self.units) != 1:
                raise DataError(
                    f"scaling fitted per {self.fit}: say which one each window belongs to."
                )
            gain, offset = self.gain, self.offset
        else:
            gain, offset = self.gain[unit], self.offset[unit]
        if len(gain) == 1:
            # a complete window as a vector: over its channels alone, NumPy's inner loop is short
            flat = x.reshape(len(x), x.shape[1] * x.shape[2])
            tiled = self._tiled.get(x.shape[1]) if gain is self.gain else None
            if tiled is None:
                tiled = np.tile(gain, x.shape[1]), np.tile(offset, x.shape[1])
                if gain is self.gain:
                    self._tiled[x.shape[1]] = tiled
            gain, offset = tiled
        else:
            gain, offset, flat = gain[:, None, :], offset[:, None, :], x
        # every further array of a batch's size costs more than the arithmetic: its pages are new
        scaled: np.ndarray = np.multiply(flat, gain, out=flat if overwrite else None)
        scaled += offset
        return scaled.reshape(x.shape)

    @cached_property
    def _tiled(self) -> dict[int, tuple[np.ndarray, np.ndarray]]:
        return {}  # by the length of windows, kept for the next batch

    def unit_of(self, windows: Windows) -> np.ndarray | None:
        """Return the row of `gain` for each window, shape (n_windows,); None for a single row."""
        if not self.steps or self.fit in ("training", "window"):
            return None
        names = _unit_names(windows, self.fit)
        number = {name: k for k, name in enumerate(self.units)}
        # trials without windows (those without a class) need no scaling
        unknown = sorted({names[trial] for trial in np.unique(windows.trial)} - set(number))
        if unknown:
            raise DataError(f"scaling: fitted per {self.fit}, and {unknown[0]} was not among them.")
        of_trial = np.array([number.get(name, -1) for name in names])
        units: np.ndarray = of_trial[windows.trial]
        return units

    def save(self, path: str | Path) -> None:
        """Write to an ``.npz`` file, completely or not at all."""
        # a stream, because to a path of another suffix savez would add its own
        with atomic_file(Path(path)) as temporary, temporary.open("wb") as stream:
            np.savez(
                stream,
                steps=np.array(self.steps, dtype=np.str_),
                fit=np.array(self.fit),
                units=np.array(self.units, dtype=np.str_),
                own=np.array(self.own, dtype=np.str_),
                gain=self.gain,
                offset=self.offset,
            )


def load_scaling(path: str | Path) -> Scaling:
    """Read a scaling from a file of `Scaling.save`.

    Raises
    ------
    DataError
        If the file is missing, corrupt, or does not hold a scaling.
    """
    kinds = dict.fromkeys(("steps", "fit", "units", "own"), "U") | {"gain": "f", "offset": "f"}
    stored = load_arrays(path, kinds)
    gain, offset, units = stored["gain"], stored["offset"], stored["units"]
    fitted = (
        stored["fit"].shape == ()
        and stored["fit"].item() in ("training", "subject", "trial", "window")
        and stored["steps"].ndim == units.ndim == stored["own"].ndim == 1
        and set(stored["steps"].tolist()) <= {"zscore", "minmax"}
        and gain.ndim == 2
        and gain.shape == offset.shape
        and gain.dtype == offset.dtype == np.float32
        and len(gain) == len(units) == len(set(units.tolist()))
        and set(stored["own"].tolist()) <= set(units.tolist())
    )
    if not fitted:
        raise DataError(f"{path}: expected a scaling; its steps, units and numbers do not agree.")
    return Scaling(
        steps=tuple(stored["steps"].tolist()),
        fit=stored["fit"].item(),
        units=tuple(units.tolist()),
        gain=gain,
        offset=offset,
        own=tuple(stored["own"].tolist()),
    )


def fit_scaling(
    windows: Windows,
    train: np.ndarray,
    *,
    steps: Sequence[Step] = ("zscore", "minmax"),
    fit: Fit = "training",
) -> Scaling:
    """Fit the scaling of one fold.

    Parameters
    ----------
    windows : Windows
    train : ndarray of int
        Rows of the training windows. With ``fit="training"``, only these are used.
    steps : sequence of {"zscore", "minmax"}
        Steps per channel, in this order; empty for none. Min-max after z-score gives the same as
        min-max alone.
    fit : {"training", "subject", "trial", "window"}
        What the statistics are taken from: all training windows; each subject's own training
        windows (a held-out subject has none, and is scaled by its own windows, without their
        labels); each trial; or each window.

    Returns
    -------
    scaling : Scaling

    Raises
    ------
    DataError
        If a step or `fit` is unknown, or there are no training windows.
    """
    steps = tuple(steps)
    shape = (0, windows.n_channels)
    if fit not in ("training", "subject", "trial", "window"):
        raise DataError(f"scaling: fit must be training, subject, trial or window; found {fit!r}.")
    if not len(train):
        raise DataError("scaling: there are no training windows to fit it on.")
    if not steps or fit == "window":
        if fit == "window":
            _of_each_window(np.zeros((1, 1, 1)), steps)  # an unknown step is reported now
        return Scaling(steps, fit, (), np.zeros(shape, np.float32), np.zeros(shape, np.float32))
    names = [""] * len(windows.trials) if fit == "training" else _unit_names(windows, fit)
    used = np.unique(windows.trial)
    units = tuple(dict.fromkeys(names[trial] for trial in used))
    number = {name: k for k, name in enumerate(units)}
    unit = np.array([number.get(name, 0) for name in names])
    if fit == "trial":
        moments = _trial_moments(windows, np.arange(len(windows))).pooled(unit, len(units))
        own: list[int] = []
    else:
        moments = _trial_moments(windows, train).pooled(unit, len(units))
        own = np.flatnonzero(moments.n == 0).tolist()
        if own:
            rest = np.flatnonzero(np.isin(unit[windows.trial], own))
            theirs = _trial_moments(windows, rest).pooled(unit, len(units))
            for name in ("n", "total", "squares", "low", "high"):
                getattr(moments, name)[own] = getattr(theirs, name)[own]
    gain, offset = moments.affine(steps)
    return Scaling(
        steps,
        fit,
        units,
        gain.astype(np.float32),
        offset.astype(np.float32),
        tuple(units[k] for k in own),
    )


def _unit_names(windows: Windows, fit: str) -> list[str]:
    metadata = windows.trials.metadata
    columns = ["subject"] if fit == "subject" else ["subject", "session", "trial"]
    # much faster than joining within pandas, and this is asked for in every fold
    return [
        "/".join(map(str, key))
        for key in zip(*(metadata[column] for column in columns), strict=True)
    ]


def _of_each_window(x: np.ndarray, steps: Sequence[Step]) -> tuple[np.ndarray, np.ndarray]:
    wide = x.astype(np.float64)
    n = np.full(len(x), x.shape[1])
    sums = wide.sum(axis=1), (wide**2).sum(axis=1)
    gain, offset = Moments(n, *sums, wide.min(axis=1), wide.max(axis=1)).affine(steps)
    return gain.astype(np.float32), offset.astype(np.float32)


def _trial_moments(windows: Windows, rows: np.ndarray) -> Moments:
    """Return the moments of each trial over the given windows, (n_trials, n_channels).

    The moments of a trial with all of its windows in `rows` are the same in every fold, so they are
    cached.
    """
    n_trials = len(windows.trials)
    chosen = np.bincount(windows.trial[rows], minlength=n_trials)
    whole = chosen == np.bincount(windows.trial, minlength=n_trials)
    shape = (n_trials, windows.n_channels)
    moments = Moments(
        np.zeros(n_trials),
        np.zeros(shape),
        np.zeros(shape),
        np.full(shape, np.inf),
        np.full(shape, -np.inf),
    )
    known = _whole_trials(windows)
    order = rows[np.argsort(windows.trial[rows], kind="stable")]
    ends = np.cumsum(chosen)
    for trial in np.flatnonzero(chosen).tolist():
        if whole[trial] and trial in known:
            values = known[trial]
        else:
            mine = order[ends[trial] - chosen[trial] : ends[trial]]
            values = _moments_of(windows.trials.array(trial), windows.first[mine], windows.n_times)
            if whole[trial]:
                known[trial] = values
        moments.n[trial] = values[0]
        moments.total[trial], moments.squares[trial] = values[1], values[2]
        moments.low[trial], moments.high[trial] = values[3], values[4]
    return moments


def _whole_trials(windows: Windows) -> dict[int, tuple[float, ...]]:
    """Return the cached moments of complete trials, kept with the windows."""
    return windows.__dict__.setdefault("_whole_trial_moments", {})  # type: ignore[no-any-return]


def _moments_of(x: np.ndarray, first: np.ndarray, n_times: int) -> tuple[float, ...]:
    edges = np.bincount(first, minlength=len(x) + 1) - np.bincount(
        first + n_times, minlength=len(x) + 1
    )
    cover = np.cumsum(edges)[: len(x)].astype(np.float64)
    covered = np.asarray(x[cover > 0], np.float64)
    weight = cover[cover > 0]
    low, high = covered.min(axis=0), covered.max(axis=0)
    return float(weight.sum()), weight @ covered, weight @ covered**2, low, high  # type: ignore[return-value]
