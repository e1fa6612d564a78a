"""Write a result folder without training: what reports and comparisons are tested on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from eegemo.evaluation import make_predictions, write_predictions

CLASSES = ("HVHA", "HVLA", "LVHA", "LVLA")


def _softmax(logits: np.ndarray) -> np.ndarray:
    p = np.exp(logits)
    return p / p.sum(axis=1, keepdims=True)


def _choice(rng: np.random.Generator) -> dict[str, Any]:
    """Candidates with validation losses; the one of least loss is chosen."""
    candidates = [
        {
            "settings": {"model.units": units, "training.learning_rate": rate},
            "loss": float(rng.uniform(1.0, 1.3)),
            "balanced_accuracy": float(rng.uniform(0.3, 0.5)),
            "epochs": 8,
            "best_epoch": int(rng.integers(1, 9)),
        }
        for units in (32, 64)
        for rate in (0.001, 0.003)
    ]
    losses = [one["loss"] for one in candidates]
    return {"metric": "loss", "candidates": candidates, "chosen": int(np.argmin(losses))}


def fake_result(
    folder: Path,
    *,
    name: str = "fake-cnn-lstm",
    model: str = "cnn_lstm",
    n_subjects: int = 4,
    n_trials: int = 12,
    n_windows: int = 6,
    n_splits: int = 3,
    within: bool = True,
    leaks: bool = False,
    effect: float = 0.8,
    epochs: int = 8,
    classes: Sequence[str] = CLASSES,
    subjects: Sequence[str] | None = None,
    simulated: bool = True,
    seed: int = 0,
    label_seed: int = 0,
    digests: dict[str, str] | None = None,
    notes: Sequence[str] = (),
    repeats: int = 1,
    sharpness: float = 1.0,
    validation: bool = False,
    baseline: float | None = None,
    choice: bool = False,
) -> Path:
    """Write a whole, deterministic result folder and return it.

    ``effect`` is how much the logit of the true class is raised; ``within`` gives one fold per
    subject and split ("s01/2"), else trials (or, if it leaks, windows) are pooled. Labels depend on
    ``label_seed`` only, predictions on ``seed``.

    Each of ``repeats`` deals trials anew and predicts with noise of its own. ``sharpness``
    multiplies all logits: 1 / temperature. ``validation`` stores predictions of validation windows,
    ``baseline`` (a number: its effect) those of a simple model, ``choice`` candidates.
    """
    rng, truth_rng = np.random.default_rng(seed), np.random.default_rng(label_seed)
    subjects = list(subjects or [f"s{i + 1:02d}" for i in range(n_subjects)])
    n_subjects = len(subjects)
    weights = np.linspace(1.5, 1.0, len(classes))
    rows = pd.DataFrame(
        [
            (s, "1", trial + 1, f"video{trial + 1:02d}", float(w))
            for s in subjects
            for trial in range(n_trials)
            for w in range(n_windows)
        ],
        columns=["subject", "session", "trial", "stimulus", "start"],
    )
    shape = (n_subjects, n_trials)
    label = truth_rng.choice(len(classes), size=shape, p=weights / weights.sum())
    label[:, : len(classes)] = np.arange(len(classes))  # every class occurs for every subject
    subject_code = np.repeat(np.arange(n_subjects), n_trials * n_windows)
    trial_code = np.tile(np.repeat(np.arange(n_trials), n_windows), n_subjects)
    true = label[subject_code, trial_code]
    if leaks:
        fold = truth_rng.integers(n_splits, size=len(rows))
        fold_names = [str(k) for k in range(n_splits)]
    elif within:
        fold = subject_code * n_splits + trial_code % n_splits
        fold_names = [f"{s}/{k}" for s in subjects for k in range(n_splits)]
    else:
        fold = (trial_code + subject_code) % n_splits
        fold_names = [str(k) for k in range(n_splits)]
    skill = rng.normal(effect, 0.4 * effect, size=n_subjects)
    logits = 0.8 * rng.normal(size=(n_subjects, n_trials, len(classes)))[subject_code, trial_code]
    logits += 0.8 * rng.normal(size=logits.shape) + np.linspace(0.3, 0, len(classes))
    logits[np.arange(len(true)), true] += (4.0 if leaks else 1.0) * skill[subject_code]
    p = _softmax(sharpness * logits)
    other_rng = np.random.default_rng([seed, 1])  # of what came later: old numbers stay
    simple = None
    if baseline is not None:
        noise = other_rng.normal(size=(n_subjects, n_trials, len(classes)))[
            subject_code, trial_code
        ]
        noise[np.arange(len(true)), true] += baseline
        simple = _softmax(noise + 0.5 * other_rng.normal(size=noise.shape))
    per_repeat, assignments = len(fold_names), [(fold, p)]
    for _ in range(1, repeats):
        order = truth_rng.permutation(n_trials)  # the same folds whatever the seed
        split = (order[trial_code] + (0 if within else subject_code)) % n_splits
        again = fold if leaks else split + (subject_code * n_splits if within else 0)
        noise = 0.5 * other_rng.normal(size=(n_subjects, n_trials, len(classes)))
        assignments.append(
            (again, _softmax(sharpness * (logits + noise[subject_code, trial_code])))
        )
    if repeats > 1:
        fold_names = [f"{name}-{r + 1}" for r in range(repeats) for name in fold_names]

    names = np.asarray(classes, dtype=object)
    tables: list[pd.DataFrame] = []
    others: dict[str, list[pd.DataFrame]] = {"validation": [], "baseline": []}
    for k, fold_name in enumerate(fold_names):
        repeat = k // per_repeat
        fold, p = assignments[repeat]
        test = fold == k % per_repeat
        pool = ~test & (np.isin(subject_code, subject_code[test]) if within and not leaks else True)

        def predicted(
            part: np.ndarray, values: np.ndarray, k: int = k, repeat: int = repeat
        ) -> pd.DataFrame:
            return make_predictions(
                fold=k,
                **{c: rows.loc[part, c] for c in rows.columns},
                y_true=names[true[part]],
                probabilities=values[part],
                classes=classes,
                repeat=repeat,
            )

        tables.append(predicted(test, p))
        if simple is not None:
            others["baseline"].append(predicted(test, simple))
        at = folder / "folds" / str(k)
        at.mkdir(parents=True)

        def windows(mask: np.ndarray) -> dict[str, int]:
            return {c: int((true[mask] == i).sum()) for i, c in enumerate(classes)}

        def trials(mask: np.ndarray) -> dict[str, int]:
            # one number per trial, its class in the last place
            code = (subject_code * n_trials + trial_code) * len(classes) + true
            found = np.unique(code[mask]) % len(classes)
            return {c: int((found == i).sum()) for i, c in enumerate(classes)}

        held = pool & (trial_code % 5 == 0)
        roles = {"train": pool & ~held, "validation": held, "test": test}
        if validation and held.any():
            others["validation"].append(predicted(held, p))
        best = int(rng.integers(epochs // 2, epochs)) + 1
        record: dict[str, Any] = {
            "fold": k,
            "name": fold_name,
            "seed": seed + k,
            "n_windows": {r: int(m.sum()) for r, m in roles.items()},
            "trials": {r: trials(m) for r, m in roles.items()},
            "windows": {r: windows(m) for r, m in roles.items()},
            "train_windows_by_subject": {
                s: windows(roles["train"] & (subject_code == i))
                for i, s in enumerate(subjects)
                if (roles["train"] & (subject_code == i)).any()
            },
            "shared": {
                "window": 0,
                "trial": int(leaks) * n_trials * n_subjects,
                "session": n_subjects,
                "subject": n_subjects,
                # every subject sees each stimulus once
                "stimulus": 0 if within and not leaks else n_trials,
            },
            "epochs": epochs,
            "best_epoch": best,
            "seconds": {"fit": 2.0 + float(rng.random()), "predict": 0.1},
            "n_parameters": 123_456 if model == "cnn_lstm" else 98_765,
        }
        if repeats > 1:
            record |= {"repeat": repeat, "seeds": {"split": seed + repeat, "model": seed + k}}
        if choice:
            record["choice"] = _choice(np.random.default_rng([seed, k, 2]))
        (at / "fold.json").write_text(json.dumps(record))
        epoch = np.arange(1, epochs + 1)
        drop = np.exp(-epoch / (0.4 * epochs))
        noise = rng.normal(scale=0.03, size=(4, epochs))
        pd.DataFrame(
            {
                "epoch": epoch,
                "loss": 0.5 + 0.9 * drop + noise[0],
                "accuracy": 0.8 - 0.5 * drop + noise[1],
                "val_loss": 1.1 + 0.3 * drop + 0.02 * np.maximum(epoch - best, 0) + noise[2],
                "val_accuracy": 0.45 - 0.2 * drop + noise[3],
                "learning_rate": 1e-3,
                "seconds": 0.3,
            }
        ).to_csv(at / "history.csv", index=False)
        (at / "done").touch()

    write_predictions(pd.concat(tables, ignore_index=True), folder / "predictions.parquet")
    for kind, parts in others.items():
        if parts:
            write_predictions(pd.concat(parts, ignore_index=True), folder / f"{kind}.parquet")
    config = {
        "name": name,
        "seed": seed,
        "data": {"source": "deap", "root": "data/deap"},
        "model": {"name": model, "filters": [64, 128]},
        "training": {"epochs": epochs},
    }
    (folder / "experiment.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    by_subject = {
        s: {c: int((label[i] == j).sum()) for j, c in enumerate(classes)}
        for i, s in enumerate(subjects)
    }
    totals = {c: int((label == j).sum()) for j, c in enumerate(classes)}
    held_out = "Windows are dealt out at random" if leaks else "Whole trials are held out"
    shares = (
        "windows of the same trial, overlapping ones included"
        if leaks
        else "subjects, never a trial"
    )
    provenance = {
        "eegemo": "0.1.0",
        "started": "2025-01-01T10:00:00+00:00",
        "finished": "2025-01-01T10:05:00+00:00",
        "wall_seconds": 300.0,
        "peak_memory_bytes": 1_200_000_000,
        "python": "3.12.1",
        "platform": "Linux",
        "backend": "tensorflow",
        "device": "cpu",
        "jobs": 2,
        "versions": {"keras": "3.12.0", "numpy": "2.1.0", "tensorflow": "2.20.0"},
        "git_commit": None,
        "seed": seed,
        "digests": {
            "experiment": f"{seed:02d}" * 16,
            "data": "ab" * 16,
            "labels": "cd" * 16,
            "folds": "ef" * 16,
            **(digests or {}),
        },
        "data": {
            "source": "deap",
            "simulated": simulated,
            "subjects": subjects,
            "n_trials": int(label.size),
            "n_windows": len(rows),
            "n_channels": 32,
            "channels": ["Fp1", "AF3"],
            "sfreq": 128.0,
            "window_duration": 2.0,
            "window_stride": 1.0,
        },
        "labels": {
            "task": "quadrant",
            "classes": list(classes),
            "trials": totals,
            "windows": {c: n * n_windows for c, n in totals.items()},
            "dropped": {"missing": 1, "tie": 3, "ambiguous": 0, "excluded": 2},
            "by_subject": by_subject,
        },
        "split": {
            "method": "k_fold" if leaks else "stratified_group_k_fold",
            "group": "window" if leaks else "trial",
            "within": "subject" if within and not leaks else None,
            "n_folds": len(fold_names),
            "leaks": leaks,
            "sentence": f"{held_out}; test and training share {shares}.",
        },
        "model": {"name": model, "n_parameters": 123_456 if model == "cnn_lstm" else 98_765},
        "notes": list(notes),
    }
    (folder / "provenance.json").write_text(json.dumps(provenance))
    return folder
