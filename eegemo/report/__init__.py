"""Reports: pure views of a result folder; nothing is trained, everything can be drawn again."""

from eegemo.report.page import write_report
from eegemo.report.words import headline

__all__ = [
    "headline",
    "write_report",
]
