"""Signals to signals: choose channels, resample, filter, repair, clean, reference, cut, check.

Functions take a Raw or Epochs in volts and return a new one; the input is not changed, unless
`preprocess` is told ``copy=False``. Times are in seconds and count from the onset of the stimulus.
There is a file for each family of steps; `preprocess` runs them in one fixed order, and a `Record`
keeps what they did.
"""

from eegemo.preprocessing.bads import find_bad_channels, interpolate_bads
from eegemo.preprocessing.chain import preprocess
from eegemo.preprocessing.channels import pick_channels
from eegemo.preprocessing.eog import remove_eog_ica, remove_eog_regression
from eegemo.preprocessing.filtering import band_pass, notch, resample
from eegemo.preprocessing.record import (
    EogRemoval,
    Record,
    RejectedTrial,
    load_records,
    save_records,
)
from eegemo.preprocessing.reference import set_reference
from eegemo.preprocessing.trials import NoTrialLeftError, correct_baseline, reject_trials

__all__ = [
    "EogRemoval",
    "NoTrialLeftError",
    "Record",
    "RejectedTrial",
    "band_pass",
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
