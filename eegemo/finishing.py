"""The last stage: the folds of a run put together, and the description of where they come from."""

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from eegemo.execution import peak_memory
from eegemo.folds import LEAKING, describe_split
from eegemo.predictions import read_predictions, write_predictions
from eegemo.preparation import Prepared
from eegemo.provenance import describe_software, git_commit, now
from eegemo.report import write_report
from eegemo.store import atomic_file, changed_files, manifest, write_json
from eegemo.tasks import is_fold_whole

__all__ = ["Run", "finish", "is_complete", "write_folds"]

_MANIFEST = "manifest.json"
#: Drawn from the rest, so that they may be drawn again at any time.
_DERIVED = ("metrics.json", "report.html")
_TABLES = ("predictions", "validation", "baseline")


@dataclass
class Run:
    """A run under way."""

    prepared: Prepared
    began: float
    started: str
    jobs: int
    store: Path
    report: bool
    refitted: bool = False

    def fold_folder(self, number: int) -> Path:
        """Return where a fold's result lies."""
        return self.prepared.folder / "folds" / str(number)


def is_complete(folder: Path, *, report: bool = True) -> bool:
    """Tell whether a result folder holds a whole result, with its folds, and nothing is damaged."""
    names = (_MANIFEST, "predictions.parquet", "provenance.json", *(_DERIVED if report else ()))
    if not all((folder / name).is_file() for name in names):
        return False
    fitted = [one for one in (folder / "folds").glob("*") if one.is_dir()]
    return not changed_files(folder) and bool(fitted) and all(map(is_fold_whole, fitted))


def write_folds(prepared: Prepared) -> None:
    """Write folds.csv: a column per fold with the role of each row in it.

    There is a row per trial, all of whose windows have the same role; or per window, where a split
    divides trials.
    """
    windows = prepared.windows
    table = windows.table.drop(columns=["code", "stop"])
    table["y_true"] = pd.Categorical.from_codes(
        windows.codes, categories=pd.Index(windows.labels.classes)
    )
    roles, names = {}, pd.Index(["train", "validation", "test"])
    for number, fold in enumerate(prepared.folds):
        role = np.full(len(table), -1, np.int8)
        for code, rows in enumerate(fold.parts().values()):
            role[rows] = code
        roles[f"fold_{number}"] = pd.Categorical.from_codes(role, names)
    table = pd.concat([table, pd.DataFrame(roles)], axis=1)
    if prepared.experiment.split.group not in LEAKING:
        first = np.unique(windows.trial, return_index=True)[1]
        table = table.iloc[first].drop(columns="start")
    with atomic_file(prepared.folder / "folds.csv") as temporary:
        table.to_csv(temporary, index=False)


def finish(run: Run) -> None:
    """Put the folds together: predictions, provenance, report.

    What is there and whole from an earlier run stays, unless a fold was fitted since.
    """
    prepared = run.prepared
    folder = prepared.folder
    changed = set(changed_files(folder))
    if run.refitted or changed - set(_DERIVED):
        (folder / _MANIFEST).unlink(missing_ok=True)
        for name in _TABLES:
            files = [run.fold_folder(k) / f"{name}.parquet" for k in range(len(prepared.folds))]
            parts = [read_predictions(file) for file in files if file.is_file()]
            # folds without a validation part have no such file
            if parts:
                whole = pd.concat(parts, ignore_index=True)
                write_predictions(whole, folder / f"{name}.parquet")
        write_json(folder / "provenance.json", _describe_run(run))
    if run.report:
        write_report(folder)
    names = ["experiment.yaml", "folds.csv", "provenance.json", *_DERIVED]
    names += [f"{name}.parquet" for name in _TABLES]
    there = [name for name in names if (folder / name).is_file()]
    write_json(folder / _MANIFEST, manifest(folder, there))


def _describe_run(run: Run) -> dict[str, Any]:
    prepared = run.prepared
    experiment, windows = prepared.experiment, prepared.windows
    trials, labels = windows.trials, windows.labels
    subject = trials.metadata["subject"].to_numpy()
    names = sorted(set(subject.tolist()))
    window_counts = np.bincount(windows.codes, minlength=len(labels.classes))
    records = [_read_fold(run.fold_folder(k)) for k in range(len(prepared.folds))]
    notes = list(prepared.notes)
    own = {unit for record in records for unit in record["scaled_by_own_windows"]}
    if own:
        notes.append(
            f"{len(own)} held-out subjects are scaled by their own windows, without their labels, "
            "because scaling per subject was asked for."
        )
    made_with = [record["made_with"] for record in records]
    software = [{name: one[name] for name in describe_software()} for one in made_with]
    if any(one != software[0] for one in software):
        notes.append("Folds were fitted with different software: see made_with in each fold.json.")
    split = experiment.split
    return {
        **software[0],
        "git_commit": git_commit(),
        "device": ", ".join(sorted({one["device"] for one in made_with})),
        "jobs": run.jobs,
        "started": run.started,
        "finished": now(),
        "wall_seconds": time.perf_counter() - run.began,
        "peak_memory_bytes": _peak_memory(made_with, run.jobs),
        "seed": experiment.seed,
        "repeats": experiment.repeats,
        "shuffle_labels": experiment.shuffle_labels,
        "digests": prepared.digests,
        "data": {
            "source": experiment.data.source,
            "simulated": prepared.simulated,
            "subjects": names,
            "n_trials": int((labels.codes >= 0).sum()),
            "n_windows": len(windows),
            "n_channels": windows.n_channels,
            "channels": list(trials.ch_names),
            "sfreq": trials.sfreq,
            "window_duration": experiment.windows.duration,
            "window_stride": experiment.windows.stride,
        },
        "labels": {
            "task": experiment.labels.task,
            "classes": list(labels.classes),
            "trials": labels.counts(),
            "windows": {
                name: int(n) for name, n in zip(labels.classes, window_counts, strict=True)
            },
            "dropped": labels.dropped,
            "by_subject": {name: labels.counts(subject == name) for name in names},
        },
        "split": {
            "method": split.method,
            "group": split.group,
            "within": split.within,
            "n_folds": len(prepared.folds),
            "leaks": split.group in LEAKING,
            "sentence": describe_split(
                prepared.folds, windows.table, group=split.group, within=split.within
            ),
        },
        "model": {
            "name": experiment.model.name,
            "n_parameters": records[0]["n_parameters"],
        },
        "baseline": records[0]["baseline"],
        "notes": notes,
    }


def _peak_memory(made_with: Sequence[dict[str, Any]], jobs: int) -> int:
    """Return this process's peak and those of the largest workers that ran beside each other."""
    peaks: dict[int, int] = {}
    for one in made_with:
        peaks[one["process"]] = max(peaks.get(one["process"], 0), one["peak_memory_bytes"])
    peaks.pop(os.getpid(), None)
    return peak_memory() + sum(sorted(peaks.values())[::-1][:jobs])


def _read_fold(folder: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((folder / "fold.json").read_text(encoding="utf-8"))
    return record
