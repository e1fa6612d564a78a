"""Kill small runs at random moments, resume each, and compare with runs that were left alone.

python benchmarks/kill_and_resume.py [--kills 50] [--networks 8] [--seed 0] [--jobs 2]

Each run simulates its data, stores trials, fits two folds and writes a report; the networks also
choose between two settings. At a moment drawn at random the whole process group is killed (SIGKILL)
and the same command is given again. Printed are how many results are identical, to the bit, to that
of the run left alone, and whether anything was done twice that had been finished.
"""

import argparse
import io
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

COMMON = """
name: small
data: {source: simulated, root: data, n_subjects: 3, n_trials: 12, duration: 3.0, effect: 1.6}
preprocessing: {baseline: [-3.0, 0.0]}
windows: {duration: 1.0, stride: 1.0}
split: {n_splits: 2}
"""
MODELS = {
    "band_power_logreg": "model: {name: band_power_logreg}\n",
    "cnn_gru": """
model: {name: cnn_gru, filters: [4], units: 4, dense: [], dropout: 0.1}
training: {epochs: 6, batch_size: 16}
choice: {grid: {training.learning_rate: [0.001, 0.01]}}
""",
}


@dataclass
class Outcome:
    """What became of the runs of one model."""

    model: str
    kills: int = 0
    identical: int = 0
    folds_kept: int = 0
    folds_again: int = 0
    epochs_kept: int = 0
    epochs_again: int = 0
    epochs_lost: int = 0
    leftovers: int = 0
    stages: dict[str, int] = field(default_factory=dict)


def start(folder: Path, jobs: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "eegemo", "run", "small.yaml", "--jobs", str(jobs)]
    return subprocess.Popen(
        command,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=(folder / "stderr.txt").open("ab"),
        start_new_session=True,
    )


def finish(folder: Path, jobs: int) -> None:
    code = start(folder, jobs).wait()
    if code:
        raise SystemExit(f"exit code {code}:\n{(folder / 'stderr.txt').read_text()[-3000:]}")


def result_in(folder: Path) -> Path | None:
    return next((folder / "results").glob("small-*"), None)


def predictions(folder: Path) -> bytes:
    result = result_in(folder)
    assert result is not None
    return (result / "predictions.parquet").read_bytes()


def stage_of(folder: Path) -> str:
    """Say how far a run has come, from what lies on the disk."""
    result = result_in(folder)
    if result is None:
        trials = folder / "results" / ".store" / "trials"
        if trials.is_dir():
            return "trials"
        return "simulation" if (folder / "data").is_dir() else "start"
    if (result / "provenance.json").is_file():
        return "report"
    if (result / "folds" / "0" / "done").is_file() and (result / "folds" / "1" / "done").is_file():
        return "putting together"
    return "fits" if (result / "folds").is_dir() else "features"


def finished_folds(result: Path | None) -> dict[str, tuple[int, bytes]]:
    """Return when the marker of each finished fold was written, and what it says."""
    marks = [] if result is None else sorted(result.glob("folds/*/done"))
    return {one.parent.name: (one.stat().st_mtime_ns, one.read_bytes()) for one in marks}


def checkpointed(result: Path | None) -> dict[tuple[str, str], list[float]]:
    """Return the durations of the epochs that each checkpoint holds; no two are ever the same."""
    found = {}
    for file in [] if result is None else sorted(result.glob("folds/*/checkpoint*.npz")):
        with np.load(io.BytesIO(file.read_bytes())) as arrays:
            known = json.loads(str(arrays["known"]))
        found[file.parent.name, file.name] = [row["seconds"] for row in known["history"]]
    return found


def kill_once(
    model: str, reference: bytes, duration: float, rng: random.Random, jobs: int, done: Outcome
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "small.yaml").write_text(COMMON + MODELS[model])
        run = start(folder, jobs)
        time.sleep(rng.uniform(0.3, duration))
        if run.poll() is not None:
            return  # it was faster than before: not a kill
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        result = result_in(folder)
        stage = stage_of(folder)
        folds, epochs = finished_folds(result), checkpointed(result)
        begun = 0
        for history in [] if result is None else result.glob("folds/*/history.csv"):
            if history.parent.name not in folds and model != "band_power_logreg":
                begun += max(len(history.read_text().splitlines()) - 1, 0)
        finish(folder, jobs)
        after = result_in(folder)
        assert after is not None
        done.kills += 1
        done.stages[stage] = done.stages.get(stage, 0) + 1
        done.identical += predictions(folder) == reference
        now = finished_folds(after)
        done.folds_kept += sum(now[fold] == mark for fold, mark in folds.items())
        done.folds_again += sum(now[fold] != mark for fold, mark in folds.items())
        last: dict[str, int] = {}
        for (fold, file), seconds in epochs.items():
            if fold in folds:
                continue
            last[fold] = len(seconds)
            history = pd.read_csv(after / "folds" / fold / "history.csv")["seconds"].tolist()
            record = json.loads((after / "folds" / fold / "fold.json").read_text())
            chosen = record["choice"]["chosen"] if record["choice"] else None
            if chosen is not None and file != f"checkpoint-{chosen}.npz":
                continue  # the history kept is that of the other candidate
            same = np.isclose(history[: len(seconds)], seconds, rtol=1e-9, atol=0)
            done.epochs_kept += int(same.sum())
            done.epochs_again += int((~same).sum())
        done.epochs_lost += max(begun - sum(last.values()), 0)
        done.leftovers += len(list(folder.rglob(".*~*")))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--networks", type=int, default=8, help="how many of them hit a network")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    plan = {"band_power_logreg": options.kills - options.networks, "cnn_gru": options.networks}
    alike = True
    for model, kills in plan.items():
        if kills < 1:
            continue
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "small.yaml").write_text(COMMON + MODELS[model])
            began = time.perf_counter()
            finish(folder, options.jobs)
            duration = time.perf_counter() - began
            reference = predictions(folder)
        done = Outcome(model)
        while done.kills < kills:
            kill_once(model, reference, duration, rng, options.jobs, done)
        stages = ", ".join(f"{name} {n}" for name, n in sorted(done.stages.items()))
        print(f"{model}: {done.kills} kills, {done.identical} identical results")
        print(f"  killed during: {stages}")
        print(f"  finished folds kept {done.folds_kept}, fitted again {done.folds_again}")
        print(f"  epochs in checkpoints kept {done.epochs_kept}, trained again {done.epochs_again}")
        print(f"  epochs begun again since no checkpoint held them: {done.epochs_lost}")
        print(f"  temporary files left: {done.leftovers}", flush=True)
        alike &= done.identical == done.kills and not (done.folds_again or done.epochs_again)
        alike &= not done.leftovers
    raise SystemExit(0 if alike else 1)


if __name__ == "__main__":
    main()
