"""The average reference."""

from typing import Any

from eegemo.errors import DataError
from eegemo.preprocessing.channels import Instance, copy_loaded, eeg_names

__all__ = ["apply_reference", "set_reference"]


def set_reference(inst: Instance, reference: str | None = "average") -> Instance:
    """Set the average reference: subtract the mean of the EEG channels from each sample.

    Channels marked bad do not enter the mean. To use the mean of some channels only, pick these
    first, as `preprocess` does.

    Parameters
    ----------
    inst : mne.io.BaseRaw | mne.BaseEpochs
        The signals.
    reference : "average" | None
        None changes nothing.

    Returns
    -------
    mne.io.BaseRaw | mne.BaseEpochs
        A copy with the new reference.

    Raises
    ------
    DataError
        If the reference is unknown, or there are fewer than two good EEG channels.

    Examples
    --------
    >>> import mne
    >>> info = mne.create_info(["Fz", "Cz"], 128.0, "eeg")
    >>> raw = mne.io.RawArray([[1e-6, 5e-6], [3e-6, 9e-6]], info, verbose="ERROR")
    >>> (set_reference(raw).get_data() * 1e6).round(3).tolist()
    [[-1.0, -2.0], [1.0, 2.0]]
    """
    new = copy_loaded(inst)
    apply_reference(new, reference)
    return new


def apply_reference(inst: Any, reference: str | None) -> None:
    """Change the reference in place; see `set_reference`."""
    if reference is None:
        return
    if reference != "average":
        raise DataError(f"reference={reference!r} is not known; expected 'average' or null.")
    good = eeg_names(inst, good=True)
    if len(good) < 2:
        raise DataError(
            f"The average reference needs two good EEG channels or more; there are {len(good)}."
        )
    inst.set_eeg_reference("average", projection=False, verbose="ERROR")
