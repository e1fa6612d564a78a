"""Folds put together: predictions, provenance, manifest."""

import os
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from eegemo.execution import peak_memory
from eegemo.results.fold import _read_fold
from eegemo.results.plan import Prepared, Run
from eegemo.results.provenance import describe_software, git_commit, now
from eegemo.splits import LEAKING, describe_split
from eegemo.store import atomic_file

__all__ = [
    "write_folds",
]


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
