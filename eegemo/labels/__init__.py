"""Class labels of trials: from ratings, or from a column that names classes.

`make_labels` is a pure function of the metadata of trials. Labels in a table beside the data are
joined to the metadata first (`join_ratings`); `label_trials` does both. This package is light,
since the options of `make_labels` are keys of the experiment file.
"""

from eegemo.labels.classes import TASKS, Labels, label_trials, make_labels
from eegemo.labels.join import join_ratings
from eegemo.labels.options import complete_options, find_contradiction, middle_of
from eegemo.labels.ratings_table import digest_ratings, read_ratings

__all__ = [
    "TASKS",
    "Labels",
    "complete_options",
    "digest_ratings",
    "find_contradiction",
    "join_ratings",
    "label_trials",
    "make_labels",
    "middle_of",
    "read_ratings",
]
