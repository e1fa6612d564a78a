"""A result folder: its name, layout and records; its only reader and writer.

All reading starts with `open_result`. A run writes with `Plan`, `FoldFolder` and `assemble`. File
names are defined in `eegemo.results.layout` only.
"""

from eegemo.results.result import Result, open_result

__all__ = ["Result", "open_result"]
