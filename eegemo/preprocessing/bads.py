"""Detection of bad channels by three criteria, and their interpolation."""

from typing import Any

import mne
import numpy as np

from eegemo.errors import DataError
from eegemo.preprocessing.breaks import longest_piece, whole_segments
from eegemo.preprocessing.channels import (
    Instance,
    copy_loaded,
    each_channel,
    eeg_names,
    signal_rows,
)
from eegemo.preprocessing.filtering import apply_band_pass, filter_length

__all__ = ["apply_interpolation", "find_bad_channels", "interpolate_bads"]

# V; below the noise of any amplifier. A disconnected input is constant to the last bit.
_FLAT = 1e-9
# Correlations among fewer channels are not informative; then only flat channels are looked for.
_FEWEST = 8
# Seconds; PREP's window for predicting channels, and the number of evenly spread windows used.
_WINDOW = 5.0
_WINDOWS = 240


def find_bad_channels(
    inst: mne.io.BaseRaw | mne.BaseEpochs,
    *,
    flat: float = 0.1,
    deviation: float = 5.0,
    correlation: float = 0.75,
    share: float = 0.4,
    filtered: mne.io.BaseRaw | mne.BaseEpochs | None = None,
) -> dict[str, str]:
    """Find bad EEG channels: flat, noisy, or unlike their neighbours.

    The criteria and their limits are those of PREP [1]_, on a copy filtered to 1-45 Hz, relative to
    the median of all channels at each sample:

    - flat: the signal is constant in more than a fraction `flat` of the seconds;
    - noisy: the channel's amplitude (the lower quartile, over seconds, of its standard deviation,
      which blinks do not affect) is `deviation` robust standard deviations above the others';
    - unlike its neighbours: in more than a fraction `share` of 5 s windows, the channel correlates
      by less than `correlation` with its prediction by spherical splines through the other
      channels. The worst channel is removed and the others are tested again, until none is bad.
      PREP predicts from random subsets of channels; using all channels needs no random numbers and
      predicts better.

    Without electrode positions, the best correlation with any other channel replaces that with the
    prediction. With fewer than eight channels, only flat channels are found.

    Parameters
    ----------
    inst : mne.io.BaseRaw | mne.BaseEpochs
        Signals in volts, without an average reference; they are not changed.
    flat, deviation, correlation, share : float
        See above.
    filtered : mne.io.BaseRaw | mne.BaseEpochs | None
        The same signals already filtered to about 1-45 Hz, which saves time; None filters a copy.

    Returns
    -------
    dict of str to str
        Name of each bad channel and the reason. Channels that the recording marks as bad are tested
        like the others.

    Raises
    ------
    DataError
        If there is no EEG channel.

    References
    ----------
    .. [1] Bigdely-Shamlo et al. (2015), "The PREP pipeline: standardized preprocessing for
       large-scale EEG analysis", Frontiers in Neuroinformatics 9, 16.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> angle = np.arange(10) * np.pi / 5  # ten electrodes in a circle around two sources
    >>> data = np.stack([np.cos(angle), np.sin(angle)], axis=1) @ rng.normal(size=(2, 2560))
    >>> data[4] = 0
    >>> data[7] = rng.normal(size=2560)
    >>> info = mne.create_info(10, 128.0, "eeg")
    >>> found = find_bad_channels(mne.io.RawArray(data * 1e-5, info, verbose="ERROR"))
    >>> sorted(found), found["4"]
    (['4', '7'], 'flat')
    """
    names = eeg_names(inst)
    if not names:
        raise DataError("Bad channels are looked for among EEG channels, and there is none.")
    found = _find_flat(inst, names, flat)
    rest = [name for name in names if name not in found]
    if len(names) < _FEWEST or len(rest) < 2:
        return found
    if filtered is None:
        filtered = _high_passed(inst, rest)
    second = round(float(inst.info["sfreq"]))
    length = round(_WINDOW * second)
    windows = _split(filtered.get_data(picks=rest), length)
    whole = _whole(filtered, windows.shape[1], length)
    windows = windows if whole.all() else windows[:, whole]
    windows = windows[:, :: max(1, windows.shape[1] // _WINDOWS)]
    windows = _centre(windows - np.median(windows, axis=0))

    seconds = _split(np.swapaxes(windows, 0, 1), second)
    amplitude = np.quantile(seconds.std(axis=-1), 0.25, axis=1)
    spread = max(_robust_sd(amplitude), 0.1 * float(np.median(amplitude)))
    scores = (amplitude - np.median(amplitude)) / spread
    for name, score in zip(rest, scores, strict=True):
        if score > deviation:
            found[name] = f"noisy: {score:.1f} robust SD above the other channels"

    keep = [k for k, name in enumerate(rest) if name not in found]
    while len(keep) >= _FEWEST:
        chosen = [filtered.ch_names.index(rest[k]) for k in keep]
        info = mne.pick_info(filtered.info, chosen, verbose="ERROR")
        agreement = _agreement(windows[keep], info)
        lonely = (agreement < correlation).mean(axis=1)
        if lonely.max() <= share:
            break
        # of several, the worst: it spoils the prediction of its neighbours
        worst = int(np.where(lonely > share, agreement.mean(axis=1), np.inf).argmin())
        found[rest[keep.pop(worst)]] = f"unlike its neighbours in {lonely[worst]:.0%} of the time"
    return {name: found[name] for name in names if name in found}


def interpolate_bads(inst: Instance) -> Instance:
    """Replace the channels marked bad by spherical splines through the others.

    MNE's method after Perrin et al. (1989), "Spherical splines for scalp potential and current
    density mapping", Electroencephalography and Clinical Neurophysiology 72(2), 184-187.

    Parameters
    ----------
    inst : mne.io.BaseRaw | mne.BaseEpochs
        Signals, with positions of all electrodes (a montage) and EEG channels in ``info["bads"]``.

    Returns
    -------
    mne.io.BaseRaw | mne.BaseEpochs
        A copy in which no EEG channel is marked bad.

    Raises
    ------
    DataError
        If positions are missing, or more than half of the channels are bad.

    Examples
    --------
    >>> info = mne.create_info(["F3", "Fz", "F4", "C3", "Cz", "C4"], 128.0, "eeg")
    >>> raw = mne.io.RawArray(np.full((6, 256), 1e-5), info, verbose="ERROR")
    >>> raw = raw.set_montage("biosemi32")
    >>> raw._data[1] = 7.0
    >>> raw.info["bads"] = ["Fz"]
    >>> new = interpolate_bads(raw)
    >>> new.info["bads"], bool(np.allclose(new.get_data(), 1e-5, rtol=0.01))
    ([], True)
    """
    new = copy_loaded(inst)
    apply_interpolation(new)
    return new


def apply_interpolation(inst: Any) -> list[str]:
    """Interpolate in place and return the names; see `interpolate_bads`."""
    names = eeg_names(inst)
    bads = [name for name in names if name in inst.info["bads"]]
    if not bads:
        return []
    if 2 * len(bads) > len(names) or len(names) - len(bads) < 4:
        raise DataError(
            f"bads: {len(bads)} of {len(names)} EEG channels are bad ({', '.join(bads)}), too many "
            "to be replaced by the others. Exclude this recording, or set bads: keep."
        )
    unknown = _without_positions(inst.info, names)
    if unknown:
        raise DataError(
            "bads: interpolation needs the positions of the electrodes, and the recording has none "
            f"for {', '.join(unknown)}. Give it a montage, or set bads: keep."
        )
    inst.interpolate_bads(reset_bads=True, exclude=_others(inst, bads), verbose="ERROR")
    return bads


def find_flat_channels(inst: Any) -> list[str]:
    """Return the names of constant EEG channels."""
    names = eeg_names(inst)
    pairs = zip(names, each_channel(inst, names), strict=True)
    return [name for name, signals in pairs if np.ptp(signals) < _FLAT]


def _others(inst: Any, bads: list[str]) -> list[str]:
    """Return bad channels of other types, which MNE would otherwise refuse or interpolate."""
    return [name for name in inst.info["bads"] if name not in bads]


def _find_flat(inst: Any, names: list[str], limit: float) -> dict[str, str]:
    length = max(2, round(float(inst.info["sfreq"])))
    found = {}
    whole = None
    for name in names:
        row = signal_rows(inst, [name])[0]
        windows = row[: max(1, row.size // length) * length].reshape(max(1, row.size // length), -1)
        whole = _whole(inst, len(windows), length) if whole is None else whole
        windows = windows[whole]
        fraction = float((np.ptp(windows, axis=1) < _FLAT).mean())
        if fraction > limit:
            found[name] = "flat" if fraction == 1 else f"flat in {fraction:.0%} of its seconds"
    return found


def _high_passed(inst: Any, names: list[str]) -> Any:
    """Return some channels at 1-45 Hz, or as near to it as rate and length allow."""
    new = copy_loaded(inst).pick(names, exclude=(), verbose="ERROR")
    sfreq = float(inst.info["sfreq"])
    h_freq = 45.0 if sfreq > 120 else None
    if filter_length(sfreq, 1.0, h_freq) <= longest_piece(inst):
        apply_band_pass(new, 1.0, h_freq)
    return new


def _split(data: np.ndarray, length: int) -> np.ndarray:
    """Return windows of continuous signals or trials, shape (n_channels, n_windows, n_times)."""
    if data.ndim == 2:
        data = data[np.newaxis]
    n_epochs, n_channels, n_times = data.shape
    length = min(length, n_times)
    n = n_times // length
    windows = data[:, :, : n * length].reshape(n_epochs, n_channels, n, length)
    joined: np.ndarray = np.swapaxes(windows, 0, 1).reshape(n_channels, n_epochs * n, length)
    return joined


def _whole(inst: Any, n_windows: int, length: int) -> np.ndarray:
    """Return which windows of continuous signals hold no break; all if none does."""
    if not isinstance(inst, mne.io.BaseRaw):
        return np.ones(n_windows, bool)
    first = np.arange(n_windows) * length
    whole = whole_segments(inst, np.zeros(n_windows, int), first, length)
    return whole if whole.any() else ~whole


def _centre(windows: np.ndarray) -> np.ndarray:
    centred: np.ndarray = windows - windows.mean(axis=-1, keepdims=True)
    return centred


def _robust_sd(values: np.ndarray) -> float:
    """Return 0.7413 times the interquartile range: the standard deviation of normal values."""
    low, high = np.percentile(values, [25, 75])
    return 0.7413 * float(high - low)


def _agreement(windows: np.ndarray, info: mne.Info) -> np.ndarray:
    """Return each channel's correlation with its prediction, shape (n_channels, n_windows)."""
    unit = _unit(windows)
    weights = _spline_weights(info)
    if weights is None:
        products = np.abs(np.swapaxes(unit, 0, 1) @ unit.transpose(1, 2, 0))
        products[:, np.arange(len(unit)), np.arange(len(unit))] = 0
        best: np.ndarray = products.max(axis=2).T
        return best
    predicted = _unit(np.tensordot(weights, windows, axes=1))
    agreement: np.ndarray = np.einsum("cwt,cwt->cw", unit, predicted)
    return agreement


def _unit(windows: np.ndarray) -> np.ndarray:
    norm = np.sqrt((windows**2).sum(axis=-1, keepdims=True))
    unit: np.ndarray = np.divide(windows, norm, out=np.zeros_like(windows), where=norm > 0)
    return unit


def _spline_weights(info: mne.Info) -> np.ndarray | None:
    """Return the weights by which splines predict each channel from the others.

    None without electrode positions. The splines are those of Perrin et al. (1989), with MNE's
    order and smoothing. Leave-one-out predictions follow from a single inverse, as for all linear
    smoothers.
    """
    if _without_positions(info, info.ch_names):
        return None
    positions = np.array([channel["loc"][:3] for channel in info["chs"]])
    # the sphere through the electrodes: |p|^2 = 2 p c + constant
    design = np.column_stack([2 * positions, np.ones(len(positions))])
    centre = np.linalg.lstsq(design, (positions**2).sum(axis=1), rcond=None)[0][:3]
    positions = positions - centre
    positions /= np.linalg.norm(positions, axis=1, keepdims=True)
    order = np.arange(1, 51)
    terms = (2 * order + 1) / (4 * np.pi * (order * (order + 1.0)) ** 4)
    n = len(positions)
    system = np.ones((n + 1, n + 1))
    system[:n, :n] = np.polynomial.legendre.legval(positions @ positions.T, [0.0, *terms])
    system[:n, :n] += 1e-5 * np.eye(n)
    system[n, n] = 0
    inverse = np.linalg.inv(system)[:n, :n]
    weights: np.ndarray = np.eye(n) - inverse / np.diag(inverse)[:, np.newaxis]
    return weights


def _without_positions(info: mne.Info, names: list[str]) -> list[str]:
    """Return the names of the channels without known positions."""
    positions = {channel["ch_name"]: channel["loc"][:3] for channel in info["chs"]}
    known = {name for name, xyz in positions.items() if np.isfinite(xyz).all() and xyz.any()}
    return [name for name in names if name not in known]
