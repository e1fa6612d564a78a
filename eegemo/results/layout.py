"""The files of a result folder: their names, and checks that they are complete.

::

    experiment.yaml  folds.csv                          before training
    folds/<number>/  the model, scaling.npz, history.csv, fold.json, tables of predictions;
                     done, with their digests           after each fold
    predictions.parquet  validation.parquet  baseline.parquet
    provenance.json  signals.json                       after the last fold
    metrics.json  report.html  tables/  figures/        drawn from the rest
    manifest.json                                       digests of the files above
"""

import json
from pathlib import Path

from eegemo.store import changed_files

__all__ = [
    "CHECKPOINT",
    "CHECKPOINTS",
    "DERIVED",
    "DONE",
    "EXPERIMENT",
    "FIGURES",
    "HISTORY",
    "LOCK",
    "MANIFEST",
    "METRICS",
    "PROVENANCE",
    "RECORD",
    "REPORT",
    "SCALING",
    "SIGNALS",
    "SPLIT",
    "TABLES",
    "TABLE_FOLDER",
    "fold_folder",
    "is_complete",
    "is_fold_whole",
    "numbered_folders",
    "predictions_file",
]

EXPERIMENT = "experiment.yaml"
SPLIT = "folds.csv"
PROVENANCE = "provenance.json"
SIGNALS = "signals.json"
MANIFEST = "manifest.json"
METRICS = "metrics.json"
REPORT = "report.html"
#: Folders of the report.
TABLE_FOLDER, FIGURES = "tables", "figures"
#: Derived from the other files, so they can be written again at any time.
DERIVED = (METRICS, REPORT)
#: Tables of predictions: of test windows, of validation windows, and of test windows by the
#: baseline. A fold has those of its own windows, the result those of all folds.
TABLES = ("predictions", "validation", "baseline")

# In the folder of a fold:
RECORD = "fold.json"
HISTORY = "history.csv"
SCALING = "scaling.npz"
DONE = "done"
CHECKPOINT = "checkpoint.npz"
#: Including those of candidates.
CHECKPOINTS = "checkpoint*.npz"

#: In a result folder, and in that of a fold: held by the process that writes there.
LOCK = ".lock"


def predictions_file(table: str) -> str:
    """Name the file of one of `TABLES`.

    Examples
    --------
    >>> predictions_file("validation")
    'validation.parquet'
    """
    return f"{table}.parquet"


def fold_folder(folder: Path, number: int) -> Path:
    """Return the folder of a fold."""
    return folder / "folds" / str(number)


def numbered_folders(folder: Path) -> dict[int, Path]:
    """Return the existing folders of folds, by number."""
    return {int(path.name): path for path in (folder / "folds").glob("*") if path.name.isdecimal()}


def is_fold_whole(folder: Path) -> bool:
    """Return whether a fold is finished and its files unchanged since.

    ``done`` has their digests, so a single flipped byte is detected.
    """
    try:
        files = dict(json.loads((folder / DONE).read_text(encoding="utf-8"))["files"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False
    return bool(files) and not changed_files(folder, files)


def is_complete(folder: Path, *, report: bool = True) -> bool:
    """Return whether a result folder is complete, with its folds, and unchanged."""
    names = (MANIFEST, predictions_file("predictions"), PROVENANCE, *(DERIVED if report else ()))
    if not all((folder / name).is_file() for name in names):
        return False
    fitted = [path for path in (folder / "folds").glob("*") if path.is_dir()]
    return not changed_files(folder) and bool(fitted) and all(map(is_fold_whole, fitted))
