"""Apply the models of a result to a new recording, with the same steps as in training.

::

    file -> signals, in volts -> channels by name -> preprocessing -> windows -> scaling -> model
         -> a row per window: start, stop, probability of each class

A recording in trials keeps them. In a continuous recording, windows slide from the first sample to
the last, and times count from the first sample.
"""

from eegemo.inference.models import choose_scaling, mean_probabilities, tabulate_windows
from eegemo.inference.predict import predict_recording
from eegemo.inference.recording import match_channels, read_recording, window_recording

__all__ = [
    "choose_scaling",
    "match_channels",
    "mean_probabilities",
    "predict_recording",
    "read_recording",
    "tabulate_windows",
    "window_recording",
]
