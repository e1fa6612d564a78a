"""The preprocessing steps in their fixed order.

::

    channels -> resample -> notch -> bad channels -> band-pass -> reference -> eye movements
             -> epoch into trials -> baseline -> rejection

Resampling comes first because every later step is then cheaper. Filters come before epoching
because they need signal around each trial; none runs across a break. Eye movements are estimated on
a second copy, high-passed at 1 Hz and with the same reference, and removed from the signals in the
chosen band.
"""

from collections.abc import Sequence
from typing import Any

import mne
import numpy as np

from eegemo.datasets.base import MakeEpochs
from eegemo.datasets.channels import resolve_channels
from eegemo.errors import DataError
from eegemo.preprocessing.bads import apply_interpolation, find_bad_channels, find_flat_channels
from eegemo.preprocessing.breaks import break_names, drop_broken, say_breaks, with_breaks
from eegemo.preprocessing.channels import (
    apply_montage,
    apply_pick,
    eeg_names,
    mark_eog,
    pick_channels,
    resolve_eog_channels,
)
from eegemo.preprocessing.eog import FIT_L_FREQ, apply_ica, apply_regression, high_passed
from eegemo.preprocessing.filtering import apply_band_pass, apply_notch, resample
from eegemo.preprocessing.record import Record
from eegemo.preprocessing.reference import apply_reference
from eegemo.preprocessing.trials import NoTrialLeftError, apply_baseline, apply_rejection

__all__ = ["run_steps"]


def run_steps(
    inst: mne.io.BaseRaw | mne.BaseEpochs,
    *,
    channels: str | Sequence[str],
    montage: str | None,
    sfreq: float | None,
    notch: float | Sequence[float] | None,
    l_freq: float | None,
    h_freq: float | None,
    bads: str,
    eog: str,
    eog_channels: Sequence[str] | None,
    reference: str | None,
    baseline: Sequence[float] | None,
    reject: float | None,
    breaks: str,
    make_epochs: MakeEpochs | None,
    record: Record | None,
    copy: bool,
) -> mne.io.BaseRaw | mne.BaseEpochs | list[mne.BaseEpochs]:
    """Run all steps; see `eegemo.preprocessing.preprocess`, which has the defaults."""
    _check_choices(bads, eog, breaks)
    log = Record() if record is None else record
    keep = resolve_channels(inst, channels)
    eyes = resolve_eog_channels(inst, eog_channels) if eog != "none" else []
    if isinstance(channels, str):  # a file may call its EOG channels EEG
        keep = [name for name in keep if name not in eyes]
    names = keep + [name for name in eyes if name not in keep]

    # At most one copy is made, here; the steps after it work in place.
    old = float(inst.info["sfreq"])
    if sfreq is not None and sfreq != old:
        new = resample(inst, sfreq, channels=names)
    else:
        new = pick_channels(inst, names) if copy else apply_pick(inst, names)
    mark_eog(new, eyes)
    if isinstance(new, mne.BaseEpochs):
        _write_breaks(new)
    log.steps.append(f"{len(keep)} channels")
    if montage is not None:
        unknown = apply_montage(new, montage)
        if unknown:
            several = "s" * (len(unknown) > 1)
            log.notes.append(f"{montage} has no position of channel{several} {', '.join(unknown)}")
    if new.info["sfreq"] != old:
        log.steps.append(f"resampled from {old:g} to {new.info['sfreq']:g} Hz")
    if record is not None:
        record.begin(new)
        _report_flat(new, bads, record)
    if notch is not None:
        _say_lost(log, apply_notch(new, notch), "notch")
        log.steps.append(f"notch {', '.join(f'{freq:g}' for freq in np.atleast_1d(notch))} Hz")
    fit_on = high_passed(new, h_freq) if eyes and l_freq != FIT_L_FREQ else new
    _treat_bads(new, fit_on, bads, log)
    _say_lost(log, apply_band_pass(new, l_freq, h_freq), "band-pass")
    for signals in {id(new): new, id(fit_on): fit_on}.values():  # often two copies, not always
        apply_reference(signals, reference)
    if l_freq is not None or h_freq is not None:
        log.steps.append(f"band-pass {_edge(l_freq, '0')} to {_edge(h_freq, 'half the rate')} Hz")
    if reference is not None:
        log.steps.append(f"{reference} reference")
    if eyes:
        remove = apply_regression if eog == "regression" else apply_ica
        remove(new, eyes, fit_on, record)
        log.steps.append(f"eye movements removed by {eog}, EOG {', '.join(eyes)}")
        del fit_on
        if names != keep:
            new.pick(keep, exclude=(), verbose="ERROR")
    names_of_breaks: list[str] = []
    if isinstance(new, mne.io.BaseRaw) and make_epochs is not None:
        raw, new = new, make_epochs(new)
        cut = new if isinstance(new, list) else [new]
        for part in cut:
            _write_breaks(part)
        names_of_breaks = break_names(raw, cut)
        del raw, cut
    parts = new if isinstance(new, list) else [new]
    n_trials = sum(len(part) for part in parts if isinstance(part, mne.BaseEpochs))
    if isinstance(parts[0], mne.BaseEpochs):
        log.n_trials = n_trials
        log.steps.append(f"{n_trials} trials")
        parts = _treat_breaks(parts, breaks, baseline, names_of_breaks, log)
        n_trials = sum(len(part) for part in parts)
    if baseline is not None:
        for part in parts:
            apply_baseline(part, baseline)
        log.steps.append(f"baseline {baseline[0]:g} to {baseline[1]:g} s")
    if reject is not None:
        parts = apply_rejection(parts, reject, record)
        n_dropped = n_trials - sum(len(part) for part in parts)
        log.steps.append(f"{n_dropped} trials above {reject * 1e6:g} µV dropped")
    if record is not None:
        # segments are centred for their spectra, so a baseline does not show in them
        given = (notch, l_freq, h_freq, reference, reject, make_epochs)
        alike = not eyes and bads == "keep" and all(option is None for option in given)
        record.end(parts, alike=alike)
    return parts if isinstance(new, list) else parts[0]


def _write_breaks(epochs: mne.BaseEpochs) -> None:
    about = with_breaks(epochs)
    if about is not epochs.metadata:
        with mne.use_log_level("ERROR"):
            epochs.metadata = about


def _treat_breaks(
    parts: list[Any],
    breaks: str,
    baseline: Sequence[float] | None,
    names: Sequence[str],
    log: Record,
) -> list[Any]:
    """Leave out trials that cannot be used for their breaks; note these, and the others."""
    kept, dropped = parts, {}
    if breaks == "drop_trial":
        kept, dropped["they hold a break (breaks: drop_trial)"] = drop_broken(kept)
    elif baseline is not None:
        kept, dropped["a break lies in their baseline or after it"] = drop_broken(kept, baseline)
    for reason, numbers in dropped.items():
        if numbers:
            several = "s" * (len(numbers) > 1)
            log.notes.append(
                f"{len(numbers)} trial{several} left out, {reason}: {', '.join(numbers)}"
            )
    if not kept:
        raise NoTrialLeftError(f"no trial is left: {log.notes[-1]}.")
    log.notes += say_breaks(kept, names)
    return kept


def _check_choices(bads: str, eog: str, breaks: str) -> None:
    if bads not in ("keep", "interpolate"):
        raise DataError(f"bads={bads!r} is not known; expected 'keep' or 'interpolate'.")
    if eog not in ("none", "regression", "ica"):
        raise DataError(f"eog={eog!r} is not known; expected 'none', 'regression' or 'ica'.")

    if breaks not in ("drop_windows", "drop_trial"):
        raise DataError(f"breaks={breaks!r} is not known; expected 'drop_windows' or 'drop_trial'.")


def _say_lost(log: Record, seconds: float, what: str) -> None:
    if seconds:
        log.notes.append(
            f"{what}: {seconds:.1f} s of signal lie between breaks that are closer together than "
            "the filter is long, and were left out"
        )


def _treat_bads(inst: Any, fit_on: Any, bads: str, log: Record) -> None:
    """Keep bad channels, or find and interpolate them in both copies; log their names."""
    log.bads = dict.fromkeys(
        (name for name in eeg_names(inst) if name in inst.info["bads"]), "marked in the recording"
    ) | {name: why for name, why in log.bads.items() if name not in inst.info["bads"]}
    if bads == "keep":
        return
    marked = {name: why for name, why in log.bads.items() if name in inst.info["bads"]}
    alike = fit_on is not inst and 30 <= fit_on.info["lowpass"] <= 50
    log.bads = marked | find_bad_channels(inst, filtered=fit_on if alike else None)
    for signals in {id(inst): inst, id(fit_on): fit_on}.values():
        signals.info["bads"] = list(dict.fromkeys([*signals.info["bads"], *log.bads]))
        log.interpolated = apply_interpolation(signals)
    log.steps.append(f"bad channels interpolated: {', '.join(log.interpolated) or 'none'}")
    for name in log.interpolated:
        log.notes.append(f"channel {name} replaced by its neighbours: {log.bads[name]}")


def _report_flat(inst: mne.io.BaseRaw | mne.BaseEpochs, bads: str, record: Record) -> None:
    """Note flat channels that are kept."""
    if bads == "interpolate":  # which finds and replaces them
        return
    flat = find_flat_channels(inst)
    record.bads |= dict.fromkeys(flat, "flat")
    if not flat:
        return
    named = ", ".join(flat[:3]) + (f" and {len(flat) - 3} more" if len(flat) > 3 else "")
    if len(flat) == 1:
        channel, was, is_, it = "channel", "is flat and was", "it is", "it"
    else:
        channel, was, is_, it = "channels", "are flat and were", "they are", "them"
    record.notes.append(
        f"{channel} {named} {was} kept, in the average reference too unless {is_} marked bad; "
        f"bads: interpolate would replace {it}"
    )


def _edge(freq: float | None, otherwise: str) -> str:
    return otherwise if freq is None else f"{freq:g}"
