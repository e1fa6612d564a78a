"""Time all folds of a cross-validation trained as one program against one fold after another.

KERAS_BACKEND=jax python benchmarks/all_folds.py [--folds 10]

Both train the same network on the same simulated windows for the same number of epochs, on Keras's
JAX back end and the device that it chooses. The first epoch, which holds compilation, is timed
apart: Keras compiles anew for every fold, the one program once. A back end other than JAX times
its own `fit` only, so that its windows per second can be put beside.
"""

import argparse
import time

import keras
import numpy as np
import pandas as pd

import eegemo
from eegemo.labels import Labels
from eegemo.training import fit_fold, fit_folds_jointly
from eegemo.trials import Trials
from eegemo.windows import make_windows


def noise(n_trials: int, seconds: float, sfreq: float = 128.0, n_channels: int = 32) -> Trials:
    """Trials of noise: what is learned from them takes as long as from any others."""
    rng = np.random.default_rng(0)
    signals = rng.normal(size=(n_trials, int(seconds * sfreq), n_channels)).astype(np.float32)
    about = pd.DataFrame(
        {"subject": "s01", "session": "1", "trial": np.arange(n_trials), "stimulus": ""}
    )
    return Trials((signals,), about, sfreq, tuple(map(str, range(n_channels))))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--folds", type=int, default=10)
    arguments.add_argument("--trials", type=int, default=40)
    arguments.add_argument("--seconds", type=float, default=8.0, help="of a trial")
    arguments.add_argument("--epochs", type=int, default=3)
    arguments.add_argument("--batch", type=int, default=64)
    arguments.add_argument("--model", default="cnn_lstm")
    arguments.add_argument("--alone", type=int, default=2, help="folds to time one by one")
    arguments.add_argument(
        "--small", action="store_true", help="4 and 8 filters and 8 units, to see that it runs"
    )
    given = arguments.parse_args()
    trials = noise(given.trials, given.seconds)
    labels = Labels(np.arange(given.trials) % 4, tuple("abcd"), {})
    windows = make_windows(trials, labels, duration=2.0, stride=0.125)
    folds = eegemo.make_folds(windows.table, n_splits=given.folds, validation=0.1)
    scalings = [eegemo.fit_scaling(windows, fold.train) for fold in folds]
    model = {"name": given.model}
    if given.small:
        model |= {"filters": [4, 8], "units": 8, "dense": [8]}
    options = {"epochs": given.epochs, "patience": given.epochs, "batch_size": given.batch}

    def rate(histories: list[pd.DataFrame], sizes: list[int]) -> float:
        """Training windows per second after the first epoch, validation included in the time."""
        n = sum(size * (len(one) - 1) for one, size in zip(histories, sizes, strict=True))
        return n / sum(one["seconds"].iloc[1:].sum() for one in histories)

    back_end = keras.backend.backend()
    sizes = [len(fold.train) for fold in folds]
    print(f"{len(windows)} windows of {windows.n_times} x {windows.n_channels}, {len(folds)} folds")
    began, alone = time.perf_counter(), []
    for k in range(min(given.alone, len(folds))):
        fitted = fit_fold(
            windows, folds[k], model=model, scaling=scalings[k], seed=k, training=options
        )
        alone.append(fitted.history)
    each = (time.perf_counter() - began) / len(alone)
    one_by_one = rate(alone, sizes[: len(alone)])
    device = str(getattr(keras.ops.zeros(1), "device", "cpu"))
    print(f"Keras on {back_end}, device {device}")
    print(f"one by one   {one_by_one:10.0f} windows/s; {each:6.1f} s a fold, compilation included")
    if back_end != "jax":
        return
    began = time.perf_counter()
    at_once = fit_folds_jointly(
        windows, folds, model=model, scalings=scalings, numbers=range(len(folds)),
        seeds=range(len(folds)), training=options,
    )  # fmt: skip
    each_together = (time.perf_counter() - began) / len(folds)
    together = rate([one.history for one in at_once], sizes)
    print(f"at once      {together:10.0f} windows/s; {each_together:6.1f} s a fold")
    print(
        f"ratio        {together / one_by_one:10.2f} after compilation, "
        f"{each / each_together:.2f} with it"
    )
    # noise holds nothing to learn, and training on it amplifies rounding more than any data
    for when, epoch in (("first", 0), ("last", -1)):
        gaps = [
            abs(one["loss"].iloc[epoch] - other.history["loss"].iloc[epoch])
            for one, other in zip(alone, at_once, strict=False)
        ]
        print(f"training losses of the {when} epoch differ by {min(gaps):.0e} to {max(gaps):.0e}")


if __name__ == "__main__":
    main()
