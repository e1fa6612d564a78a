"""Preprocessing of continuous EEG or Epochs: channels, filters, artefacts, reference and trials.

Functions take a Raw or Epochs in volts and return a new one. They do not change their input, except
`preprocess` with ``copy=False``. Times are in seconds from stimulus onset. `preprocess` runs all
steps in a fixed order, and a `Record` documents them.

This module declares options of the experiment file, so it imports MNE only when a step is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, Literal

from annotated_types import MaxLen, MinLen

from eegemo.datasets.base import MakeEpochs
from eegemo.registry.options import NOT_IN_FILE, Positive, Since

if TYPE_CHECKING:
    import mne

    from eegemo.preprocessing.bads import find_bad_channels as find_bad_channels
    from eegemo.preprocessing.bads import interpolate_bads as interpolate_bads
    from eegemo.preprocessing.breaks import break_spans as break_spans
    from eegemo.preprocessing.channels import check_montage as check_montage
    from eegemo.preprocessing.channels import pick_channels as pick_channels
    from eegemo.preprocessing.eog import remove_eog_ica as remove_eog_ica
    from eegemo.preprocessing.eog import remove_eog_regression as remove_eog_regression
    from eegemo.preprocessing.filtering import band_pass as band_pass
    from eegemo.preprocessing.filtering import notch as notch
    from eegemo.preprocessing.filtering import resample as resample
    from eegemo.preprocessing.record import EogRemoval as EogRemoval
    from eegemo.preprocessing.record import Record as Record
    from eegemo.preprocessing.record import RejectedTrial as RejectedTrial
    from eegemo.preprocessing.record import load_records as load_records
    from eegemo.preprocessing.record import save_records as save_records
    from eegemo.preprocessing.reference import set_reference as set_reference
    from eegemo.preprocessing.trials import NoTrialLeftError as NoTrialLeftError
    from eegemo.preprocessing.trials import correct_baseline as correct_baseline
    from eegemo.preprocessing.trials import reject_trials as reject_trials

#: Name -> module of this folder that defines it; imported when it is used.
_HOMES = {
    "EogRemoval": "record",
    "NoTrialLeftError": "trials",
    "Record": "record",
    "RejectedTrial": "record",
    "band_pass": "filtering",
    "break_spans": "breaks",
    "check_montage": "channels",
    "correct_baseline": "trials",
    "find_bad_channels": "bads",
    "interpolate_bads": "bads",
    "load_records": "record",
    "notch": "filtering",
    "pick_channels": "channels",
    "reject_trials": "trials",
    "remove_eog_ica": "eog",
    "remove_eog_regression": "eog",
    "resample": "filtering",
    "save_records": "record",
    "set_reference": "reference",
}

__all__ = [
    "EogRemoval",
    "NoTrialLeftError",
    "Record",
    "RejectedTrial",
    "band_pass",
    "break_spans",
    "check_montage",
    "correct_baseline",
    "find_bad_channels",
    "interpolate_bads",
    "load_records",
    "notch",
    "pick_channels",
    "preprocess",
    "reject_trials",
    "remove_eog_ica",
    "remove_eog_regression",
    "resample",
    "save_records",
    "set_reference",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def preprocess(
    inst: mne.io.BaseRaw | mne.BaseEpochs,
    *,
    channels: Annotated[str | Sequence[str], NOT_IN_FILE] = "eeg",
    sfreq: Positive | None = None,
    notch: Positive | Annotated[Sequence[Positive], MinLen(1)] | None = None,
    l_freq: Positive | None = None,
    h_freq: Positive | None = None,
    bads: Literal["keep", "interpolate"] = "keep",
    eog: Literal["none", "regression", "ica"] = "none",
    eog_channels: Annotated[Sequence[str], MinLen(1)] | None = None,
    reference: Literal["average"] | None = None,
    baseline: Annotated[Sequence[float], MinLen(2), MaxLen(2)] | None = None,
    reject: Positive | None = None,
    montage: Annotated[str | None, Since("0.2")] = None,
    breaks: Annotated[Literal["drop_windows", "drop_trial"], Since("0.2")] = "drop_windows",
    make_epochs: Annotated[MakeEpochs | None, NOT_IN_FILE] = None,
    record: Annotated[Record | None, NOT_IN_FILE] = None,
    copy: Annotated[bool, NOT_IN_FILE] = True,
) -> mne.io.BaseRaw | mne.BaseEpochs | list[mne.BaseEpochs]:
    """Preprocess a recording: run all steps, on a copy.

    Parameters
    ----------
    inst : mne.io.BaseRaw | mne.BaseEpochs
        Signals in volts.
    channels : "eeg" | "emotiv" | sequence of str
        See `pick_channels`.
    sfreq : float | None
        New sampling rate in Hz, not above the recording's. `null` keeps the recording's.
    notch : float | sequence of float | None
        Frequencies to remove in Hz, such as that of the power line, each above 1 Hz and below half
        the sampling rate. Harmonics have to be listed.
    l_freq : float | None
        Lower edge of the pass band in Hz. `null` leaves this side open.
    h_freq : float | None
        Upper edge of the pass band in Hz, below half the sampling rate. `null` leaves this side
        open.
    bads : "keep" | "interpolate"
        Keep channels that the recording marks bad as they are, but exclude them from the average
        reference; or interpolate these, and those found to be flat, noisy or unlike their
        neighbours, from the channels around them.
    eog : "none" | "regression" | "ica"
        Remove eye movements by regression on the recorded EOG, or by independent component
        analysis, which removes the components that correlate with the EOG and needs eight EEG
        channels or more.
    eog_channels : sequence of str | None
        Names of the EOG channels, which are dropped afterwards. `null` takes those of type EOG.
    reference : "average" | None
        Subtract the mean of the chosen EEG channels. `null` keeps the recording's reference.
    baseline : (float, float) | None
        Subtract the mean of each trial between these two times, in seconds from stimulus onset,
        neither above 0. For DEAP, the baseline is `[-3.0, 0.0]`.
    reject : float | None
        Drop trials in which the peak-to-peak amplitude of an EEG channel exceeds this, in volts
        (`0.00015` is 150 µV). The report names them.
    montage : str | None
        Standard positions of the electrodes for recordings that have none, by the name of a montage
        of MNE, such as `standard_1005`. Interpolation and topographies need positions. `null` takes
        those of the recording.
    breaks : "drop_windows" | "drop_trial"
        What is left out where a recording was interrupted, cut or marked bad inside a trial: the
        windows that hold the break, or the whole trial. No filter runs across a break in either
        case.
    make_epochs : callable | None
        Takes a Raw and returns Epochs, or a list of Epochs where trials differ in length; called on
        continuous signals before the baseline step.
    record : Record | None
        Filled with the steps and their findings.
    copy : bool
        If False, `inst` may be changed, which saves a copy of it; do not use `inst` afterwards.

    Returns
    -------
    mne.io.BaseRaw | mne.BaseEpochs
        New Epochs, or a new Raw if `inst` is a Raw and `make_epochs` is None; a list where
        `make_epochs` returns one.

    Raises
    ------
    DataError
        If a step cannot be applied to these signals; see the functions of the steps.

    Examples
    --------
    >>> import mne, numpy as np
    >>> from eegemo.preprocessing import Record
    >>> rng = np.random.default_rng(0)
    >>> info = mne.create_info(["Fz", "Cz", "Pz", "Trigger"], 256.0, ["eeg"] * 3 + ["stim"])
    >>> raw = mne.io.RawArray(rng.normal(size=(4, 2560)) * 1e-5, info, verbose="ERROR")
    >>> record = Record()
    >>> new = preprocess(
    ...     raw, sfreq=128.0, l_freq=4.0, h_freq=45.0, reference="average", record=record
    ... )
    >>> new.ch_names, new.get_data().shape
    (['Fz', 'Cz', 'Pz'], (3, 1280))
    >>> record.steps
    ['3 channels', 'resampled from 256 to 128 Hz', 'band-pass 4 to 45 Hz', 'average reference']
    """
    from eegemo.preprocessing.chain import run_steps

    return run_steps(
        inst,
        channels=channels,
        sfreq=sfreq,
        notch=notch,
        l_freq=l_freq,
        h_freq=h_freq,
        bads=bads,
        eog=eog,
        eog_channels=eog_channels,
        reference=reference,
        baseline=baseline,
        reject=reject,
        montage=montage,
        breaks=breaks,
        make_epochs=make_epochs,
        record=record,
        copy=copy,
    )
