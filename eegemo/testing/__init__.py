"""Contract tests for plug-ins: what eegemo relies on, checked on your own."""

from eegemo.testing.datasets import check_dataset
from eegemo.testing.models import check_model

__all__ = ["check_dataset", "check_model"]
