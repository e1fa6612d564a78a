"""Removal of eye movements, by the recorded EOG.

Both methods need low frequencies to see eye movements, so they are fitted on signals high-passed at
1 Hz, whatever the final band. Fitted on 4-45 Hz, they leave two to four times as much of a blink in
the EEG.
"""

import warnings
from collections.abc import Sequence
from typing import Any

import mne
import numpy as np

from eegemo.errors import DataError
from eegemo.preprocessing.breaks import longest_piece
from eegemo.preprocessing.channels import (
    Instance,
    copy_loaded,
    eeg_names,
    mark_eog,
    resolve_eog_channels,
    signal_rows,
)
from eegemo.preprocessing.filtering import apply_band_pass, filter_length
from eegemo.preprocessing.record import EogRemoval, Record, blink_average, find_blinks

__all__ = ["apply_ica", "apply_regression", "remove_eog_ica", "remove_eog_regression"]

#: Hz; lower edge of the signals on which eye movements are estimated.
FIT_L_FREQ = 1.0
# With fewer channels, independent components mix eyes and brain.
_FEWEST_FOR_ICA = 8
# Samples that determine 20 components well; more samples only take time.
_ICA_SAMPLES = 100_000


def remove_eog_regression(
    inst: Instance,
    eog_channels: Sequence[str] | None = None,
    *,
    fit_on: Instance | None = None,
    record: Record | None = None,
) -> Instance:
    """Remove eye movements from EEG channels by regression on the EOG.

    Gratton et al. (1983), "A new method for off-line removal of ocular artifact",
    Electroencephalography and Clinical Neurophysiology 55(4), 468-484, through
    `mne.preprocessing.EOGRegression`, with one set of weights for blinks and other movements.

    Parameters
    ----------
    inst : mne.io.BaseRaw | mne.BaseEpochs
        Signals in volts, in their final band and with their final reference, including EOG.
    eog_channels : sequence of str | None
        Names of channels, of any type; None takes the channels of type EOG.
    fit_on : mne.io.BaseRaw | mne.BaseEpochs | None
        The same recording, high-passed at 1 Hz and with the same reference, on which the weights
        are estimated. None estimates them on `inst`, high-passed at 1 Hz if it has slower parts and
        is long enough for the filter.
    record : Record | None
        Filled with weights, blinks and the removed signal.

    Returns
    -------
    mne.io.BaseRaw | mne.BaseEpochs
        A copy with cleaner EEG. The EOG channels stay as they are.

    Raises
    ------
    DataError
        If there are no EOG channels, or an EOG channel is flat or a sum of others.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> eye, brain = rng.normal(size=2560), rng.normal(size=(3, 2560))
    >>> info = mne.create_info(["Fz", "Cz", "Pz", "vEOG"], 128.0, ["eeg"] * 3 + ["eog"])
    >>> data = np.vstack([brain + np.outer([0.5, 0.2, 0.1], eye), eye])
    >>> new = remove_eog_regression(mne.io.RawArray(data, info, verbose="ERROR"))
    >>> bool(np.corrcoef(new.get_data(["Fz"])[0], eye)[0, 1] < 1e-2)
    True
    """
    new, fitted = copy_loaded(inst), None if fit_on is None else copy_loaded(fit_on)
    names = resolve_eog_channels(new, eog_channels)
    for signals in (new, fitted):
        if signals is not None:
            mark_eog(signals, names)
    apply_regression(new, names, high_passed(new) if fitted is None else fitted, record)
    return new


def remove_eog_ica(
    inst: Instance,
    eog_channels: Sequence[str] | None = None,
    *,
    fit_on: Instance | None = None,
    n_components: int = 20,
    correlation: float = 0.5,
    record: Record | None = None,
) -> Instance:
    """Remove independent components that correlate with the EOG.

    FastICA (Hyvärinen (1999), IEEE Transactions on Neural Networks 10(3), 626-634) through
    `mne.preprocessing.ICA`; a component is removed if, from 1 to 10 Hz, it correlates with an EOG
    channel by more than `correlation`. The random start is fixed, so results are reproducible.

    Parameters
    ----------
    inst, eog_channels, fit_on, record
        As in `remove_eog_regression`.
    n_components : int
        Maximum number of components; fewer if there are fewer EEG channels, or if they are linearly
        dependent (average reference, interpolation).
    correlation : float
        Threshold, from 0 to 1.

    Returns
    -------
    mne.io.BaseRaw | mne.BaseEpochs
        A copy with cleaner EEG. The EOG channels stay as they are.

    Raises
    ------
    DataError
        If there are no EOG channels, or fewer than eight good EEG channels.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> eye = np.where(rng.uniform(size=2560) < 0.02, 20.0, 0.0)
    >>> sources = np.vstack([rng.laplace(size=(7, 2560)), eye])
    >>> data = np.vstack([rng.normal(size=(8, 8)) @ sources, eye]) * 1e-6
    >>> info = mne.create_info([f"E{k}" for k in range(8)] + ["vEOG"], 128.0, ["eeg"] * 8 + ["eog"])
    >>> record = Record()
    >>> new = remove_eog_ica(mne.io.RawArray(data, info, verbose="ERROR"), record=record)
    >>> len(record.eog.labels), round(record.eog.scores[0], 1)
    (1, 1.0)
    """
    new, fitted = copy_loaded(inst), None if fit_on is None else copy_loaded(fit_on)
    names = resolve_eog_channels(new, eog_channels)
    for signals in (new, fitted):
        if signals is not None:
            mark_eog(signals, names)
    apply_ica(
        new,
        names,
        high_passed(new) if fitted is None else fitted,
        record,
        n_components=n_components,
        correlation=correlation,
    )
    return new


# The same in place.


def high_passed(inst: Any, h_freq: float | None = None) -> Any:
    """Return a copy high-passed at 1 Hz, or `inst` itself if it is too short for the filter."""
    if filter_length(float(inst.info["sfreq"]), FIT_L_FREQ, h_freq) > longest_piece(inst):
        return inst
    new = inst.copy()
    apply_band_pass(new, FIT_L_FREQ, h_freq)
    return new


def apply_regression(
    inst: Any, eog_channels: list[str], fit_on: Any, record: Record | None = None
) -> None:
    """Regress in place; see `remove_eog_regression`."""
    eeg = _eeg_to_clean(inst)
    rows = signal_rows(fit_on, eog_channels)
    covariance = np.atleast_2d(np.cov(rows))
    scale = np.sqrt(np.diag(covariance))
    flat = [name for name, size in zip(eog_channels, scale, strict=True) if not size > 1e-9]
    if flat:
        raise DataError(
            f"The EOG channel {', '.join(flat)} is flat and shows no eye movements. "
            "Name other eog_channels, or set eog: none."
        )
    if np.linalg.matrix_rank(covariance / np.outer(scale, scale), tol=1e-6) < len(eog_channels):
        raise DataError(
            f"The EOG channels {', '.join(eog_channels)} are not independent: one is a sum of the "
            "others. Name fewer eog_channels."
        )
    for signals in (inst, fit_on):  # MNE requires an explicit decision on the reference
        if not signals.info["custom_ref_applied"]:
            signals.set_eeg_reference([], projection=False, verbose="ERROR")
    model = mne.preprocessing.EOGRegression(picks=eeg, picks_artifact=eog_channels, proj=False)
    model.fit(fit_on)
    peaks = find_blinks(fit_on, eog_channels) if record is not None else np.empty(0, int)
    if record is not None:
        record.eog = EogRemoval(
            "regression", list(eog_channels), eeg, list(eog_channels), model.coef_
        )
        _note_blinks(record.eog, inst, peaks, "before")
        explained = np.atleast_2d(np.cov(signal_rows(inst, eog_channels)))
        power = np.einsum("ij,jk,ik->i", model.coef_, explained, model.coef_)
        record.eog.removed = np.sqrt(np.maximum(power, 0))
    model.apply(inst, copy=False)
    if record is not None and record.eog is not None:
        _note_blinks(record.eog, inst, peaks, "after")


def apply_ica(
    inst: Any,
    eog_channels: list[str],
    fit_on: Any,
    record: Record | None = None,
    *,
    n_components: int = 20,
    correlation: float = 0.5,
) -> None:
    """Remove components in place; see `remove_eog_ica`."""
    eeg = _eeg_to_clean(inst, good=True)
    if len(eeg) < _FEWEST_FOR_ICA:
        raise DataError(
            f"eog: ica needs {_FEWEST_FOR_ICA} good EEG channels or more to tell eyes from brain; "
            f"there are {len(eeg)}. Use eog: regression."
        )
    rows = signal_rows(fit_on, eeg)
    step = max(1, rows.shape[1] // _ICA_SAMPLES)
    rank = int(np.linalg.matrix_rank(np.cov(rows[:, ::step]), tol=None, hermitian=True))
    del rows
    n = min(n_components, rank)
    model = mne.preprocessing.ICA(n, method="fastica", random_state=0, verbose="ERROR")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(fit_on, picks=eeg, decim=step, verbose="ERROR")
        chosen, scores = model.find_bads_eog(
            fit_on,
            ch_name=eog_channels,
            measure="correlation",
            threshold=correlation,
            verbose="ERROR",
        )
    chosen = sorted(int(k) for k in chosen)
    peaks = np.empty(0, int)
    before = None
    if record is not None:
        if any("converge" in str(warning.message) for warning in caught):
            record.notes.append(
                "ICA did not converge: its components may be mixed. Check the quality report."
            )
        if not chosen:
            record.notes.append(
                f"ICA: no component correlates with the EOG by more than {correlation:g}, so "
                "nothing was removed."
            )
        best = np.abs(np.atleast_2d(scores)).max(axis=0)
        topographies = model.get_components()[:, chosen]
        labels = [f"component {k}" for k in chosen]
        kept = [float(best[k]) for k in chosen]
        record.eog = EogRemoval("ica", list(eog_channels), eeg, labels, topographies, kept)
        peaks = find_blinks(fit_on, eog_channels)
        _note_blinks(record.eog, inst, peaks, "before")
        before = signal_rows(inst, eeg)
    if chosen:
        model.apply(inst, exclude=chosen, verbose="ERROR")
    if record is not None and record.eog is not None and before is not None:
        before -= signal_rows(inst, eeg)
        record.eog.removed = np.sqrt((before**2).mean(axis=1))
        _note_blinks(record.eog, inst, peaks, "after")


def _eeg_to_clean(inst: Any, *, good: bool = False) -> list[str]:
    eeg = eeg_names(inst, good=good)
    if not eeg:
        raise DataError("There is no EEG channel to remove eye movements from.")
    return eeg


def _note_blinks(removal: EogRemoval, inst: Any, peaks: np.ndarray, when: str) -> None:
    times, average = blink_average(inst, removal.eeg_channels, peaks)
    removal.n_blinks = len(peaks) if average.size else 0
    removal.blink_times = times
    setattr(removal, f"blink_{when}", average)
