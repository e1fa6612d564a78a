"""The files of a result folder, and whether all of them are there."""

from pathlib import Path

from eegemo.results.fold import is_fold_whole
from eegemo.store import changed_files

__all__ = [
    "is_complete",
]


_MANIFEST = "manifest.json"


#: Drawn from the rest, so that they may be drawn again at any time.
_DERIVED = ("metrics.json", "report.html")


_TABLES = ("predictions", "validation", "baseline")


def is_complete(folder: Path, *, report: bool = True) -> bool:
    """Tell whether a result folder holds a whole result, with its folds, and nothing is damaged."""
    names = (_MANIFEST, "predictions.parquet", "provenance.json", *(_DERIVED if report else ()))
    if not all((folder / name).is_file() for name in names):
        return False
    fitted = [one for one in (folder / "folds").glob("*") if one.is_dir()]
    return not changed_files(folder) and bool(fitted) and all(map(is_fold_whole, fitted))
