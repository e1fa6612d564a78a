"""Time a stored model on new windows: one alone, and as many as there are.

python benchmarks/inference.py

Both networks at their default sizes on windows of 256 samples of 32 channels, with the weights they
begin with (which change no time), stored and loaded as the models of a result are.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from eegemo.execution import available_cpus, configure

N_TIMES, N_CHANNELS, SFREQ = 256, 32, 128.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--windows", type=int, default=20_000)
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--device", default="cpu", choices=["auto", "cpu", "gpu"])
    asked = parser.parse_args()
    configure(device=asked.device)
    from eegemo.models.keras.device import prepare_device

    device = prepare_device()
    from eegemo.labels import Labels
    from eegemo.models import build_model, make_model
    from eegemo.models.shapes import shape_of
    from eegemo.scaling import fit_scaling
    from eegemo.training import predict_windows
    from eegemo.trials import Trials
    from eegemo.windows import make_windows

    print(f"{device}; as in a run, one thread, of {available_cpus()} processors")
    rng = np.random.default_rng(0)
    stride = 1 / 8
    n_times = N_TIMES + (asked.windows - 1) * round(stride * SFREQ)
    signals = (1e-5 * rng.standard_normal((1, n_times, N_CHANNELS))).astype(np.float32)
    about = {"subject": ["s01"], "session": ["1"], "trial": [1], "stimulus": [""]}
    names = tuple(f"C{k}" for k in range(N_CHANNELS))
    trials = Trials((signals,), pd.DataFrame(about), SFREQ, names)
    labels = Labels(np.zeros(1, np.int64), ("HVHA", "HVLA", "LVHA", "LVLA"), {})
    windows = make_windows(trials, labels, duration=N_TIMES / SFREQ, stride=stride)
    rows = np.arange(len(windows))
    scaling = fit_scaling(windows, rows)
    with tempfile.TemporaryDirectory() as folder:
        for name in ("cnn_lstm", "cnn_gru"):
            path = Path(folder) / f"{name}.keras"
            build_model(name=name, n_times=N_TIMES, n_channels=N_CHANNELS, n_classes=4).save(path)
            began = time.perf_counter()
            model = make_model(name).load(path, shape_of(windows))
            loaded = time.perf_counter() - began
            alone = []
            for k in range(asked.calls + 20):
                row = np.array([k % len(windows)])
                began = time.perf_counter()
                model.classify(scaling.transform(windows.gather(row)))
                alone.append(1e3 * (time.perf_counter() - began))
            least, middle, late = np.quantile(alone[20:], [0, 0.5, 0.95])
            predict_windows(model, windows, rows[:512], scaling)  # traced before it is timed
            best = np.inf
            for _ in range(3):
                began = time.perf_counter()
                predict_windows(model, windows, rows, scaling)
                best = min(best, time.perf_counter() - began)
            print(
                f"{name}: loaded in {loaded:.2f} s; one window {middle:.2f} ms (at best "
                f"{least:.2f}, 95 % below {late:.2f}); {len(windows)} windows at "
                f"{len(windows) / best:,.0f} a second"
            )


if __name__ == "__main__":
    main()
