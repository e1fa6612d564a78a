"""Time the stages before training on one simulated subject of DEAP's full size.

python benchmarks/stages.py
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import eegemo


def timed(name: str, work: Callable[[], Any], repeats: int = 3) -> tuple[float, Any]:
    """Return the best of several times, and the last result."""
    best = float("inf")
    for _ in range(repeats):
        began = time.perf_counter()
        result = work()
        best = min(best, time.perf_counter() - began)
    print(f"{name:48} {best:8.3f} s")
    return best, result


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        timed("simulate, with .dat", lambda: eegemo.simulate_deap(root / "r", n_subjects=1), 1)
        path = root / "r" / "data_preprocessed_python" / "s01.dat"
        print(f"{'size of the .dat file':48} {path.stat().st_size / 1e6:8.1f} MB")
        _, epochs = timed("read", lambda: eegemo.read_epochs_deap(path, eeg_only=True))
        _, clean = timed(
            "preprocess: baseline", lambda: eegemo.preprocess(epochs, baseline=[-3, 0])
        )
        stored = iter(range(9))
        _, place = timed("store", lambda: eegemo.store_trials(clean, root / f"t{next(stored)}"))
        trials = eegemo.load_trials([place])
        labels = eegemo.make_labels(trials.metadata)
        _, windows = timed(
            "index windows: 2 s every 1/8 s",
            lambda: eegemo.make_windows(trials, labels, duration=2.0, stride=0.125),
        )
        timed("fold by whole trials", lambda: eegemo.make_folds(windows.table))
        fold = eegemo.make_folds(windows.table)[0]
        _, scaling = timed("fit scaling", lambda: eegemo.fit_scaling(windows, fold.train))
        rows = np.random.default_rng(0).permutation(len(windows))
        batches = [rows[k : k + 64] for k in range(0, len(rows), 64)]
        seconds, _ = timed(
            "gather all windows, 64 at a time", lambda: [windows.gather(b) for b in batches]
        )
        print(f"{'  windows per second':48} {len(rows) / seconds:8.0f}")
        seconds, _ = timed(
            "gather and scale",
            lambda: [scaling.transform(windows.gather(b)) for b in batches],
        )
        print(f"{'  windows per second':48} {len(rows) / seconds:8.0f}")


if __name__ == "__main__":
    main()
