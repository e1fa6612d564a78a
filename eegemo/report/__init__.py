"""Reports: pure views of a result folder; nothing is trained, everything can be drawn again."""

from .page import write_report
from .result import Result, read_result
from .words import headline

__all__ = ["Result", "headline", "read_result", "write_report"]
