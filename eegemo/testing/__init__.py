"""Contract tests for plug-ins: what eegemo relies on, checked on a data set of your own."""

from eegemo.testing.datasets import check_dataset

__all__ = ["check_dataset"]
