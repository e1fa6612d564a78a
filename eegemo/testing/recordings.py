"""The contract of a recording: what reading gives, and that its outline tells the same."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import mne
import numpy as np
import pandas as pd

from eegemo.datasets import RATINGS, Dataset, Outline, Recording, Run
from eegemo.preprocessing import preprocess
from eegemo.testing.findings import calling, fail

__all__ = ["check_outline", "check_reading", "default_steps"]

_KEYS = ("subject", "session", "trial", "stimulus")
# Volts. The spread of EEG is about 1e-5; it would be 10 if microvolts were taken for volts.
_LEAST_SPREAD, _MOST_SPREAD = 1e-9, 1e-2


@dataclass(frozen=True)
class ReadTrials:
    """What reading a recording gave: everything, without regard to memory."""

    runs: list[Run]
    epochs: list[Any]
    metadata: pd.DataFrame
    signals: list[np.ndarray]  # of each trial, EEG only
    durations: np.ndarray
    sfreq: float
    names: tuple[str, ...]


def _read(recording: Recording, *, eeg_only: bool) -> ReadTrials:
    read = recording.read
    who = f"(subject {recording.subject})"
    with calling(read):
        runs = list(read(eeg_only=eeg_only))
    if not runs:
        fail(read, f"at least one Run, or a DataError that says why there is none {who}", runs)
    epochs, signals, durations = [], [], []
    for run in runs:
        if not isinstance(run, Run):
            fail(read, f"eegemo.datasets.Run {who}", run)
        if isinstance(run.inst, mne.io.BaseRaw) and run.make_epochs is None:
            fail(read, f"a function that cuts a Raw into trials, as Run.make_epochs {who}", None)
        with calling(run.make_epochs or read):
            parts = run.cut()
        for part in parts:
            if not isinstance(part, mne.BaseEpochs):
                fail(read, f"mne Epochs, or a Raw that is cut into Epochs {who}", part)
            trials = part if part.preload else part.copy().load_data()
            sfreq = float(trials.info["sfreq"])
            after = int((trials.times > -0.5 / sfreq).sum())
            if not after:
                fail(
                    read,
                    f"trials that go on after time zero, the onset of the stimulus {who}",
                    f"times from {trials.tmin:g} to {trials.tmax:g} s",
                )
            picks = [k for k, kind in enumerate(trials.get_channel_types()) if kind == "eeg"]
            if not picks:
                fail(read, f"channels of type eeg {who}", sorted(set(trials.get_channel_types())))
            data = trials.get_data(picks=picks)
            epochs.append(trials)
            signals += list(data)
            durations += [after / sfreq] * len(trials)
            names = tuple(trials.ch_names[k] for k in picks)
    for other in epochs:
        kinds = zip(other.ch_names, other.get_channel_types(), strict=True)
        theirs = {name for name, kind in kinds if kind == "eeg"}
        if float(other.info["sfreq"]) != sfreq or theirs != set(names):
            fail(read, f"the same rate and EEG channels in all runs {who}", sorted(theirs))
    tables = [_check_metadata(read, recording, part) for part in epochs]
    metadata = pd.concat(tables, ignore_index=True)
    return ReadTrials(runs, epochs, metadata, signals, np.array(durations), sfreq, names)


def _check_metadata(read: Callable[..., Any], recording: Recording, epochs: Any) -> pd.DataFrame:
    who = f"(subject {recording.subject})"
    about: pd.DataFrame | None = epochs.metadata
    absent = [name for name in _KEYS if about is None or name not in about]
    if about is None or absent:
        fail(
            read,
            f"metadata with the columns {', '.join(_KEYS)} {who}",
            "no metadata" if about is None else f"only {', '.join(map(str, about.columns))}",
        )
    for name in ("subject", "session", "stimulus"):
        wrong = [value for value in about[name] if not isinstance(value, str)]
        if wrong:
            fail(read, f"texts in the metadata's column {name!r} {who}", wrong)
    if set(about["subject"]) != {recording.subject}:
        fail(
            read,
            f"{recording.subject!r} in the metadata's column 'subject', as in Recording.subject",
            sorted(set(about["subject"])),
        )
    if not pd.api.types.is_integer_dtype(about["trial"]):
        fail(read, f"whole numbers in the metadata's column 'trial' {who}", about["trial"].tolist())
    if (about["trial"] < 1).any():
        fail(read, f"trials numbered from 1 {who}", about["trial"].tolist())
    for name in RATINGS:
        if name in about and not pd.api.types.is_numeric_dtype(about[name]):
            fail(read, f"numbers in the metadata's column {name!r} {who}", about[name].tolist())
    return about


def check_reading(dataset: Dataset, recording: Recording) -> ReadTrials:
    """Read a recording in every way, check what comes, and return it."""
    read = recording.read
    who = f"(subject {recording.subject})"
    trials = _read(recording, eeg_only=True)
    about = trials.metadata
    doubled = about[about.duplicated(["session", "trial"], keep=False)]
    if len(doubled):
        fail(read, f"each trial once per session {who}", doubled[["session", "trial"]].values)
    numbers = about["trial"].tolist()
    low, high = dataset.rating_range
    for name in RATINGS:
        if name in about:
            wrong = about[name][(about[name] < low) | (about[name] > high)]
            if len(wrong):
                fail(
                    read, f"ratings from {low:g} to {high:g}, by rating_range {who}", wrong.tolist()
                )
    earliest = min(float(epochs.tmin) for epochs in trials.epochs)
    if earliest > 0.5 / trials.sfreq and not getattr(dataset, "tmin", 0.0) > 0:
        fail(
            read,
            f"trials that begin at time zero, the onset of the stimulus, or before {who}",
            f"trials from {earliest:g} s on",
        )
    for row, signals in enumerate(trials.signals):
        if not np.isfinite(signals).all():
            fail(read, f"finite samples {who}", f"NaN or infinity in trial {numbers[row]}")
    spread = float(np.median([np.median(signals.std(axis=1)) for signals in trials.signals]))
    if not _LEAST_SPREAD < spread < _MOST_SPREAD:
        fail(
            read,
            f"EEG in volts, with a standard deviation of about 1e-05 {who}",
            f"{spread:.1e}" + (" (are these microvolts?)" if spread >= _MOST_SPREAD else ""),
        )
    before = [signals.copy() for signals in trials.signals]
    for run in trials.runs:  # as preprocessing does, which works in place
        if run.inst.preload:
            run.inst._data[:] = 0.0
    _check_same(read, recording, before, about, _read(recording, eeg_only=True), "read again")
    _check_same(
        read, recording, before, about, _read(recording, eeg_only=False), "read with eeg_only=False"
    )
    least = recording.least_bytes({**default_steps(), "channels": dataset.kept_channels})
    whole = sum(4 * signals.size for signals in before)
    if not isinstance(least, int) or not 0 <= least <= whole:
        fail(recording.least_bytes, f"a lower bound of {whole} bytes {who}", least)
    return replace(trials, signals=before)


def _check_same(
    read: Callable[..., Any],
    recording: Recording,
    signals: Sequence[np.ndarray],
    about: pd.DataFrame,
    again: ReadTrials,
    how: str,
) -> None:
    who = f"(subject {recording.subject})"
    if not about.equals(again.metadata):
        fail(read, f"the same metadata when {how} {who}", again.metadata.head().to_dict("list"))
    for row, (first, other) in enumerate(zip(signals, again.signals, strict=True)):
        if first.shape != other.shape or not np.array_equal(first, other):
            fail(
                read,
                f"the same EEG when {how} {who}",
                f"other numbers in trial {about['trial'].iloc[row]}",
            )


def check_outline(dataset: Dataset, recording: Recording, trials: ReadTrials) -> None:
    """Check that the outline of a recording tells what reading it gives."""
    outline = dataset.outline
    who = f"(subject {recording.subject})"
    for full in (False, True):
        with calling(outline):
            told = dataset.outline(recording, full=full)
        if not isinstance(told, Outline) or len(told.durations) != len(told.metadata):
            fail(outline, f"an Outline with a duration per trial {who}", told)
        if told.sfreq != trials.sfreq:
            fail(outline, f"a rate of {trials.sfreq:g} Hz, as read {who}", told.sfreq)
        if set(told.ch_names) != set(trials.names):
            fail(outline, f"the EEG channels {trials.names}, as read {who}", told.ch_names)
        needed = [name for name in (*_KEYS, *RATINGS, "trial_type") if name in trials.metadata]
        absent = [name for name in needed if name not in told.metadata]
        if absent:
            fail(outline, f"the metadata as read {who}", f"no column {', '.join(absent)}")
        # trials that only reading can leave out may be told of, too
        key = ["session", "trial"]
        table = told.metadata.assign(seconds=list(told.durations))
        joined = trials.metadata.assign(seconds_read=trials.durations).merge(
            table, on=key, how="left", suffixes=("", "_told"), validate="one_to_one"
        )
        for row in joined.to_dict("records"):
            name = f"trial {row['trial']} {who}"
            if not abs(row["seconds"] - row["seconds_read"]) < 1.5 / trials.sfreq:
                fail(
                    outline,
                    f"{row['seconds_read']:g} s after time zero, as read, of {name}",
                    f"{row['seconds']:g} s",
                )
            for column in needed:
                said, read = row.get(f"{column}_told", row[column]), row[column]
                if said != read and not (pd.isna(said) and pd.isna(read)):
                    fail(outline, f"{column} {read!r}, as read, of {name}", said)


def default_steps() -> dict[str, Any]:
    """Return the steps of an experiment that asks for no preprocessing."""
    parameters = inspect.signature(preprocess).parameters.values()
    return {
        parameter.name: parameter.default
        for parameter in parameters
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
