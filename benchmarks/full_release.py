"""Run an experiment on a simulated release of DEAP's full size, and watch time and memory.

    python benchmarks/full_release.py /some/folder [--subjects 32] [--epochs 1]

Memory is the proportional set size (PSS) of all processes together, sampled four times a second:
pages that processes share, such as the mapped trials, count once. Linux only.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

EXPERIMENT = Path(__file__).parents[1] / "experiments" / "deap" / "whole_trials" / "cnn_lstm.yaml"


def processes(root: int) -> list[int]:
    """Return the process and all its descendants."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        parents[int(path.parent.name)] = int(fields[1])
    family, grown = {root}, True
    while grown:
        more = {pid for pid, parent in parents.items() if parent in family} - family
        family, grown = family | more, bool(more)
    return sorted(family)


def proportional_memory(pid: int) -> int:
    """Return a process's PSS in bytes; 0 once it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def watch(command: list[str]) -> tuple[float, int]:
    """Run a command; return seconds and peak memory in bytes."""
    began, peak = time.perf_counter(), 0
    running = subprocess.Popen(command)
    while running.poll() is None:
        peak = max(peak, sum(map(proportional_memory, processes(running.pid))))
        time.sleep(0.25)
    if running.returncode:
        sys.exit(f"{' '.join(command)} ended with {running.returncode}")
    return time.perf_counter() - began, peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--subjects", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--stride", type=float, default=1.0)
    options = parser.parse_args()
    release, results = options.folder / "release", options.folder / "results"
    eegemo = [sys.executable, "-m", "eegemo"]
    simulate = [*eegemo, "simulate", str(release), "--subjects", str(options.subjects)]
    run = [*eegemo, "run", str(EXPERIMENT), "--results", str(results)]
    overrides = (f"data.root={release}", "split.within=null", "split.n_splits=2")
    overrides += (f"training.epochs={options.epochs}", f"windows.stride={options.stride}")
    for override in overrides:
        run += ["--set", override]
    for name, command in (("simulate", simulate), ("run", run)):
        seconds, peak = watch(command)
        print(f"{name:10} {seconds:8.1f} s {peak / 1e9:6.2f} GB at the peak, all processes")
    for path in results.glob("*/provenance.json"):
        data = json.loads(path.read_text())["data"]
        print(f"{path.parent.name}: {data['n_trials']} trials, {data['n_windows']} windows")


if __name__ == "__main__":
    main()
