"""Reports: views of a result folder, drawn again at any time without training."""

from eegemo.report.page import write_report
from eegemo.report.words import headline

__all__ = [
    "headline",
    "write_report",
]
