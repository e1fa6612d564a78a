"""A result folder: its name, its layout, its records; the one reader and the one writer.

`open_result` is the only way in for whoever reads; `Plan`, `FoldFolder` and `assemble` are what a
run writes with. What a file is called is said in `eegemo.results.layout`, and nowhere else.
"""

from eegemo.results.result import Result, open_result

__all__ = ["Result", "open_result"]
