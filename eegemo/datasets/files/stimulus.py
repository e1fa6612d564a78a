"""Events of the stimulus channel of a recording, and channels that are no EEG by their names."""

from __future__ import annotations

import difflib
import re
from typing import Any

import numpy as np
import pandas as pd

from eegemo.errors import DataError

__all__ = ["choose_stim", "find_codes", "name_types"]

# Types that names tell, where the format calls everything EEG.
_TYPES = (
    (re.compile(r"(^|[^a-z])(v|h|l|r)?eog|^(veo|heo)[lrud]?$|^loc$|^roc$", re.I), "eog"),
    (re.compile(r"(^|[^a-z])(ecg|ekg)", re.I), "ecg"),
    (re.compile(r"(^|[^a-z])[a-z]?emg", re.I), "emg"),
    (re.compile(r"^(sti ?\d+|stim|status|trig(ger)?s?|markers?|events?|di[0-9]?)$", re.I), "stim"),
    (re.compile(r"(^|[^a-z])(gsr|eda)", re.I), "gsr"),
    (re.compile(r"(^|[^a-z])resp", re.I), "resp"),
    (
        re.compile(
            r"^(acc|gyro|mag|accel)[_ ]?[xyz]?$|^temp($|[^a-z]|erature)|"
            r"^(plet|ppg|photo|battery|counter|sample)|"
            r"^(time ?stamp|interpolated|cq_|raw_cq|spo2|pulse)",
            re.I,
        ),
        "misc",
    ),
)
_LARGEST = 2**31


def name_types(names: list[str], types: list[str]) -> dict[str, str]:
    """Return the types of channels that the format calls EEG and their names something else.

    Parameters
    ----------
    names, types : list of str

    Returns
    -------
    changed : dict of str to str

    Examples
    --------
    >>> name_types(["Fp1", "ECG", "EEG VEOG", "Status", "Temporal"], ["eeg"] * 5)
    {'ECG': 'ecg', 'EEG VEOG': 'eog', 'Status': 'stim'}
    """
    changed = {}
    for name, kind in zip(names, types, strict=True):
        if kind in ("eeg", "misc"):
            other = next((other for sign, other in _TYPES if sign.search(name.strip())), kind)
            if other != kind and not (kind == "misc" and other != "stim"):
                changed[name] = other
    return changed


def choose_stim(raw: Any, wanted: str | None, where: str) -> list[str]:
    """Return the names of the stimulus channels to read.

    Parameters
    ----------
    raw : mne.io.BaseRaw
    wanted : str or None
        The one that was asked for.
    where : str
        The recording, for the message.

    Raises
    ------
    DataError
        If the channel that was asked for is missing.
    """
    if wanted is None:
        kinds = zip(raw.ch_names, raw.get_channel_types(), strict=True)
        return [name for name, kind in kinds if kind == "stim"]
    if wanted not in raw.ch_names:
        lower = {name.lower(): name for name in raw.ch_names}
        close = difflib.get_close_matches(wanted.lower(), lower, n=1)
        hint = f" Did you mean {lower[close[0]]!r}?" if close else ""
        raise DataError(
            f"{where} has no channel {wanted!r}, which data.stim_channel asks for.{hint} Its "
            f"channels are {', '.join(raw.ch_names)}."
        )
    return [wanted]


def find_codes(raw: Any, name: str, where: str, *, bits: int | None = None) -> pd.DataFrame:
    """Return the events of a stimulus channel, as a table of text.

    An event is a change to another value than zero and than the level at which the channel rests.

    Parameters
    ----------
    raw : mne.io.BaseRaw
    name : str
        The channel.
    where : str
        The recording, for the message.
    bits : int, optional
        The lowest bits that are codes: those above them tell the state of a BioSemi amplifier.

    Returns
    -------
    table : DataFrame of str
        With the columns onset (seconds from the first sample), duration (n/a: the channel does not
        tell how long a trial lasts) and trial_type (the code).

    Raises
    ------
    DataError
        If its values are no codes.

    Examples
    --------
    >>> import mne
    >>> values = np.repeat([0.0, 3.0, 0.0, 7.0, 0.0], 100)
    >>> info = mne.create_info(["STI"], 100.0, "stim")
    >>> find_codes(mne.io.RawArray(values[np.newaxis], info, verbose="ERROR"), "STI", "x")[
    ...     ["onset", "trial_type"]
    ... ].to_numpy().tolist()
    [['1', '3'], ['3', '7']]
    """
    values = raw.get_data([name])[0]
    codes = _as_codes(values)
    if codes is None:
        raise DataError(
            f"{where}: the channel {name} holds no codes, which would be whole numbers; its values "
            f"are from {values.min():g} to {values.max():g}. Is it the stimulus channel?"
        )
    if bits is not None:
        codes &= 2**bits - 1
    found, counts = np.unique(codes, return_counts=True)
    rest = int(found[counts.argmax()])
    changes = np.flatnonzero(np.diff(codes)) + 1
    changes = changes[(codes[changes] != 0) & (codes[changes] != rest)]
    sfreq = float(raw.info["sfreq"])
    return pd.DataFrame(
        {
            "onset": [f"{sample / sfreq:.9g}" for sample in changes],
            "duration": "n/a",
            "trial_type": [str(code) for code in codes[changes]],
        },
        dtype="str",
    )


def _as_codes(values: np.ndarray) -> np.ndarray | None:
    """Return whole numbers; a channel that was taken for EEG is in volts instead of microvolts."""
    if not np.isfinite(values).all():
        return None
    for scale in (1.0, 1e6, 1e3):
        scaled = values * scale
        whole = np.round(scaled)
        if np.abs(whole).max(initial=0) < _LARGEST and np.abs(scaled - whole).max(initial=0) < 0.01:
            if scale == 1.0 and not whole.any() and values.any():
                continue  # all are far below 1
            return whole.astype(np.int64)
    return None
