"""Assemble the folds of a result: predictions, provenance, manifest."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from eegemo.evaluation import read_predictions, write_predictions
from eegemo.execution import peak_memory
from eegemo.results import layout
from eegemo.results.plan import Plan
from eegemo.results.provenance import describe_model, describe_software, git_commit, now
from eegemo.results.signals import summarise_signals
from eegemo.splits import describe_split
from eegemo.store import changed_files, manifest, write_json

__all__ = [
    "assemble",
    "is_assembled",
    "seal",
]


def is_assembled(folder: Path) -> bool:
    """Return whether folds have been assembled, with no change since except in the report."""
    return not set(changed_files(folder)) - set(layout.DERIVED)


def assemble(plan: Plan, *, jobs: int, started: str, seconds: float) -> None:
    """Assemble the folds: tables of predictions, ``signals.json`` and ``provenance.json``.

    The result is complete once `seal` has written its manifest.

    Parameters
    ----------
    plan : Plan
        A plan with all folds fitted.
    jobs : int
        Number of processes.
    started : str
        Start time, as `eegemo.results.provenance.now` formats it.
    seconds : float
        Duration of the run.
    """
    folder = plan.folder
    folds = [plan.fold_folder(number) for number in range(len(plan.folds))]
    paths = [fold.path for fold in folds]
    (folder / layout.MANIFEST).unlink(missing_ok=True)
    for file in map(layout.predictions_file, layout.TABLES):
        parts = [read_predictions(path / file) for path in paths if (path / file).is_file()]
        # folds without a validation set have no such file
        if parts:
            write_predictions(pd.concat(parts, ignore_index=True), folder / file)
    signals = {"references": list(plan.references), **summarise_signals(plan.windows)}
    write_json(folder / layout.SIGNALS, signals)
    run = {"jobs": jobs, "started": started, "finished": now(), "wall_seconds": seconds}
    write_json(folder / layout.PROVENANCE, _describe(plan, [fold.record for fold in folds], run))


def seal(folder: Path) -> None:
    """Write ``manifest.json``, by which `eegemo.results.open_result` detects corruption."""
    names = [layout.EXPERIMENT, layout.SPLIT, layout.PROVENANCE, layout.SIGNALS, *layout.DERIVED]
    names += map(layout.predictions_file, layout.TABLES)
    present = [name for name in names if (folder / name).is_file()]
    write_json(folder / layout.MANIFEST, manifest(folder, present))


def _describe(
    plan: Plan, records: Sequence[Mapping[str, Any]], run: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the content of ``provenance.json``."""
    experiment, windows = plan.experiment, plan.windows
    trials, labels = windows.trials, windows.labels
    subject = trials.metadata["subject"].to_numpy()
    names = sorted(set(subject.tolist()))
    window_counts = np.bincount(windows.codes, minlength=len(labels.classes))
    notes = list(plan.notes)
    self_scaled = {unit for record in records for unit in record["scaled_by_own_windows"]}
    if self_scaled:
        notes.append(
            f"{len(self_scaled)} held-out subjects are scaled by their own windows, without their "
            "labels, because scaling per subject was asked for."
        )
    if experiment.make_model().transductive:
        notes.append(
            "The model is transductive: it learned from the signals of the test windows, too, "
            "without their labels. Its scores do not compare with those of a model that never saw "
            "these windows."
        )
    made_with = [record["made_with"] for record in records]
    software = [{name: entry[name] for name in describe_software()} for entry in made_with]
    if any(entry != software[0] for entry in software):
        notes.append("Folds were fitted with different software: see made_with in each fold.json.")
    split = experiment.split
    return {
        **software[0],
        "git_commit": git_commit(),
        "device": ", ".join(sorted({entry["device"] for entry in made_with})),
        **run,
        "peak_memory_bytes": _peak_memory(made_with, run["jobs"]),
        "seed": experiment.seed,
        "repeats": experiment.repeats,
        "shuffle_labels": experiment.shuffle_labels,
        "digests": plan.digests,
        "data": {
            "source": experiment.data.source,
            "title": plan.title,
            "citation": plan.citation,
            "simulated": plan.simulated,
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
            "n_folds": len(plan.folds),
            "leaks": plan.leaks,
            **({"constant_over": list(plan.constant_over)} if plan.constant_over else {}),
            "sentence": describe_split(
                plan.folds, windows.table, group=split.group, within=split.within
            ),
        },
        "model": {
            **describe_model(experiment),
            "n_parameters": records[0]["n_parameters"],
        },
        "baseline": records[0]["baseline"],
        "notes": notes,
    }


def _peak_memory(made_with: Sequence[dict[str, Any]], jobs: int) -> int:
    """Return the sum of this process's peak and those of the largest parallel workers."""
    peaks: dict[int, int] = {}
    for entry in made_with:
        peaks[entry["process"]] = max(peaks.get(entry["process"], 0), entry["peak_memory_bytes"])
    peaks.pop(os.getpid(), None)
    return peak_memory() + sum(sorted(peaks.values())[::-1][:jobs])
